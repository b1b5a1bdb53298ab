/*
 * broken_main.c - gives the command a table over a file system that does not
 * keep its word: what selftest is there to find.  PARITYLOG_BROKEN says how,
 * in words with blanks between them.
 *
 *   flock, bytes   such locks are given to everybody
 *   held           a lock stays when its holder was killed
 *   sync           a sync does nothing
 *   folder         a folder cannot be synced
 *   exclusive      O_EXCL is not looked at
 *   rename         the old name goes before the new one comes
 *   links          of a file with two names, one is counted
 *   follow         O_NOFOLLOW is not looked at
 *   modes          everybody may read a new file
 *   forgets        of the log, now and then a write is not kept
 *   space          the disk is nearly full
 *   network        it is a network file system
 *   readonly       nothing can be made
 *   mute           every write fails
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "paritylog.h"

const struct plog_io *cli_io(void);

#define FDS 4096

static bool is_log[FDS];
static int parent; /* the first process */

static const struct plog_io *real(void)
{
    return plog_io_posix();
}

static bool is(const char *how)
{
    const char *given = getenv("PARITYLOG_BROKEN");
    size_t n = strlen(how);
    while (given && *given) {
        if (strncmp(given, how, n) == 0 && (given[n] == ' ' || !given[n]))
            return true;
        given += strcspn(given, " ");
        given += strspn(given, " ");
    }
    return false;
}

static int b_open(void *ctx, int dir, const char *name, int flags,
                  uint32_t mode)
{
    size_t n = strlen(name);
    int fd;
    if (is("exclusive") && strncmp(name, "new", 3) == 0)
        flags &= ~O_EXCL;
    if (is("follow") && !(flags & O_CREAT))
        fd = openat(dir, name, flags | O_CLOEXEC);
    else
        fd = real()->open_at(ctx, dir, name, flags, mode);
    if (fd < 0)
        return is("follow") && !(flags & O_CREAT) ? -errno : fd;
    if (fd < FDS)
        is_log[fd] = n > 6 && strcmp(name + n - 6, ".jsonl") == 0;
    if (is("modes") && flags & O_CREAT)
        fchmod(fd, 0666);
    return fd;
}

static int64_t b_pwrite(void *ctx, int fd, const void *p, size_t n, uint64_t at)
{
    static unsigned writes;
    if (is("mute"))
        return -EIO;
    if (is("forgets") && fd < FDS && is_log[fd] && ++writes % 5 == 0) {
        char *nothing = calloc(1, n);
        int64_t rc =
            nothing ? real()->pwrite(ctx, fd, nothing, n, at) : -ENOMEM;
        free(nothing);
        return rc;
    }
    return real()->pwrite(ctx, fd, p, n, at);
}

static int b_mkdir(void *ctx, int dir, const char *name, uint32_t mode)
{
    return is("readonly") ? -EROFS : real()->mkdir_at(ctx, dir, name, mode);
}

static int b_fdatasync(void *ctx, int fd)
{
    return is("sync") ? 0 : real()->fdatasync(ctx, fd);
}

static int b_fsync(void *ctx, int fd)
{
    struct stat st;
    if (is("folder") && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        return -EINVAL;
    return is("sync") ? 0 : real()->fsync(ctx, fd);
}

static int b_stat_at(void *ctx, int dir, const char *name,
                     struct plog_stat *out)
{
    int rc = real()->stat_at(ctx, dir, name, out);
    if (rc == 0 && is("links"))
        out->links = 1;
    return rc;
}

static int b_rename(void *ctx, int from_dir, const char *from, int to_dir,
                    const char *to, bool replace)
{
    if (is("rename") && replace) {
        unlinkat(to_dir, to, 0);
        usleep(1000);
    }
    return real()->rename_at(ctx, from_dir, from, to_dir, to, replace);
}

static int b_lock(void *ctx, int fd, int mode)
{
    return is("flock") ? 0 : real()->lock(ctx, fd, mode);
}

/* `held`: a file says who took it, and nobody takes that back. */
static int b_lock_byte(void *ctx, int fd, uint64_t byte, int mode)
{
    char taken = 'x';
    if (is("bytes"))
        return 0;
    int rc = real()->lock_byte(ctx, fd, byte, mode);
    if (!is("held") || rc || mode == 0 || byte != 0)
        return rc;
    if (pread(fd, &taken, 1, 9) == 1 && getpid() == parent)
        return -EAGAIN;
    return getpid() == parent || pwrite(fd, &taken, 1, 9) == 1 ? 0 : -EIO;
}

static int b_file_system(void *ctx, int fd, struct plog_fs *out)
{
    int rc = real()->file_system(ctx, fd, out);
    if (is("space"))
        out->free_bytes = 1 << 20;
    if (is("network"))
        out->type = 0x6969;
    return rc;
}

const struct plog_io *cli_io(void)
{
    static struct plog_io io;
    if (!io.struct_size) {
        parent = getpid();
        io = *real();
        io.open_at = b_open;
        io.pwrite = b_pwrite;
        io.mkdir_at = b_mkdir;
        io.fdatasync = b_fdatasync;
        io.fsync = b_fsync;
        io.stat_at = b_stat_at;
        io.rename_at = b_rename;
        io.lock = b_lock;
        io.lock_byte = b_lock_byte;
        io.file_system = b_file_system;
    }
    return &io;
}
