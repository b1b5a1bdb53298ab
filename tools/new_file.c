/* new_file.c - see new_file.h. */
#include "new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "fail.h"

#define NAMES_MAX 1000 /* that a process of this id may have left */

static int failed(const struct new_file *n, int why, struct plog_error *err)
{
    return fail_errno(err, why, "%s", n->path);
}

/* Opens the first of the names that is free.  Returns a handle or -1. */
static int open_part(struct new_file *n, size_t room, unsigned mode)
{
    int fd = -1;
    for (int i = 0; fd < 0 && i < NAMES_MAX; i++) {
        snprintf(n->part, room, "%s.part-%ld-%d", n->path, (long)getpid(), i);
        fd = open(n->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    return fd;
}

static int give_up(struct new_file *n, int code)
{
    free(n->part);
    n->part = NULL;
    return code;
}

int new_file_open(struct new_file *n, const char *dir, const char *path,
                  unsigned mode, struct plog_error *err)
{
    struct stat st;
    size_t room = strlen(path) + 64;
    *n = (struct new_file){.path = path};
    int rc = plog_path_outside(cli_io(), dir, path, err);
    if (rc)
        return rc;
    if (lstat(path, &st) == 0)
        return failed(n, EEXIST, err); /* now, and not when all is written */
    n->part = malloc(room);
    if (!n->part)
        return fail_set(err, PLOG_E_NOMEM, "out of memory for a name");
    int fd = open_part(n, room, mode);
    if (fd < 0)
        return give_up(n, failed(n, errno == EEXIST ? EIO : errno, err));
    n->f = fdopen(fd, "w");
    if (n->f)
        return 0;
    int why = errno;
    close(fd);
    unlink(n->part);
    return give_up(n, failed(n, why, err));
}

/* The name of a new file is on disk when its folder is. */
static bool sync_folder(const char *path)
{
    char *folder = strdup(path), *slash = folder ? strrchr(folder, '/') : NULL;
    if (slash)
        slash[slash == folder] = '\0';
    int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    free(folder);
    return ok;
}

int new_file_write(struct new_file *n, const char *p, size_t len)
{
    errno = 0;
    bool ok = fwrite(p, 1, len, n->f) == len;
    if (!ok && !n->why)
        n->why = errno ? errno : EIO;
    n->any = true;
    return !ok;
}

/* All of it on disk: 0, or an errno. */
static int end_writing(struct new_file *n, bool keeps)
{
    int why = n->why;
    errno = 0;
    if (!why && (fflush(n->f) != 0 || (keeps && fsync(fileno(n->f)) != 0)))
        why = errno ? errno : EIO;
    errno = 0;
    if (fclose(n->f) != 0 && !why)
        why = errno ? errno : EIO;
    n->f = NULL;
    return why;
}

/* Gives it its name, never over another file. */
static int take_name(const struct new_file *n)
{
    const struct plog_io *io = cli_io() ? cli_io() : plog_io_posix();
    return -io->rename_at(io->ctx, AT_FDCWD, n->part, AT_FDCWD, n->path, false);
}

int new_file_close(struct new_file *n, int rc, struct plog_error *err)
{
    if (!n->f)
        return rc;
    bool cut = n->why != 0; /* then `rc` only says that it was stopped */
    int why = end_writing(n, rc == 0);
    if (!why && !rc)
        why = take_name(n);
    if (why || rc)
        unlink(n->part);
    else if (!sync_folder(n->path))
        why = errno ? errno : EIO;
    return give_up(n, why && (cut || !rc) ? failed(n, why, err) : rc);
}

int new_file_keep(struct new_file *n, bool whole, int rc, char **left,
                  struct plog_error *err)
{
    *left = NULL;
    if (!n->f)
        return rc;
    bool cut = n->why != 0;
    int why = end_writing(n, true);
    if (why || !(n->any || whole))
        unlink(n->part);
    else {
        why = whole ? take_name(n) : 0;
        n->named = whole && !why;
        if (!sync_folder(n->path) && !why)
            why = errno ? errno : EIO;
        *left = n->named ? NULL : strdup(n->part);
    }
    return give_up(n, why && (cut || whole) ? failed(n, why, err) : rc);
}
