/* left.c - see left.h. */
#include "left.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "archive.h"
#include "store.h"

static void stays(struct plog_left *left, const char *folder, const char *name,
                  int rc)
{
    if (!left || left->count++)
        return;
    left->why = rc;
    snprintf(left->file, sizeof left->file, "%.20s%s%.255s", folder,
             folder[0] ? "/" : "", name);
}

/* ---- Removing ----------------------------------------------------------- */

struct removing {
    const struct plog_io *io;
    int dir;
    int rc;
};

static int remove_one(void *arg, const char *name)
{
    struct removing *r = arg;
    int rc = r->io->unlink_at(r->io->ctx, r->dir, name);
    if (rc && rc != -EISDIR && rc != -EPERM)
        r->rc = rc;
    return 0;
}

static int empty(const struct plog_io *io, int dir)
{
    struct removing r = {io, dir, 0};
    int rc = io->list(io->ctx, dir, remove_one, &r);
    return rc < 0 ? rc : r.rc;
}

/* Takes a folder and the files in it away; not there is well, too. */
static int remove_inner(const struct plog_io *io, int dir, const char *name)
{
    int fd = io->open_at(io->ctx, dir, name, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    int rc = empty(io, fd);
    io->close(io->ctx, fd);
    return rc ? rc : io->rmdir_at(io->ctx, dir, name);
}

int plog_left_remove(const struct plog_io *io, const char *path)
{
    int dir = io->open_at(io->ctx, AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
    if (dir < 0)
        return dir;
    int rc = remove_inner(io, dir, PLOG_FRESH_DIR);
    for (size_t i = 0; !rc && i < PLOG_DIR_FOLDERS; i++)
        rc = remove_inner(io, dir, plog_dir_folders[i]);
    if (!rc)
        rc = empty(io, dir);
    io->close(io->ctx, dir);
    return rc ? rc : io->rmdir_at(io->ctx, AT_FDCWD, path);
}

/* ---- Folders with a number ---------------------------------------------- */

struct sweep {
    const struct plog_io *io;
    int parent;
    const char *path, *stem;
    struct plog_left *left;
};

/* Whoever is at work on such a folder holds a lock on its handle. */
static bool is_left(const struct plog_io *io, int parent, const char *name)
{
    int fd = io->open_at(io->ctx, parent, name,
                         O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (fd < 0)
        return false;
    bool left = io->lock(io->ctx, fd, 2) == 0;
    io->close(io->ctx, fd);
    return left;
}

/* STEM and 8 digits, and perhaps .part- and 8 more. */
static bool is_named(const char *name, const char *stem)
{
    static const char hex[] = "0123456789abcdef", part[] = ".part-";
    size_t n = strlen(stem);
    if (strncmp(name, stem, n) != 0 || strspn(name + n, hex) != 8)
        return false;
    name += n + 8;
    if (strncmp(name, part, sizeof part - 1) == 0 &&
        strspn(name + sizeof part - 1, hex) == 8)
        name += sizeof part - 1 + 8;
    return *name == '\0';
}

static int sweep_one(void *arg, const char *name)
{
    struct sweep *s = arg;
    char path[PLOG_DIR_PATH_MAX + 300];
    if (!is_named(name, s->stem) || !is_left(s->io, s->parent, name))
        return 0;
    snprintf(path, sizeof path, "%.4000s/%.290s", s->path, name);
    int rc = plog_left_remove(s->io, path);
    if (rc)
        stays(s->left, "", name, rc);
    return 0;
}

int plog_left_sweep(const struct plog_io *io, int parent, const char *path,
                    const char *stem, struct plog_left *left)
{
    struct sweep s = {io, parent, path, stem, left};
    return io->list(io->ctx, parent, sweep_one, &s);
}

/* ---- All of it ---------------------------------------------------------- */

/* No folder: a link or a file of that name is not ours. */
static bool is_none(int rc)
{
    return rc == -ENOENT || rc == -ENOTDIR || rc == -ELOOP;
}

int plog_left_store(const struct plog_dir *d)
{
    char path[PLOG_DIR_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/" PLOG_FRESH_DIR, d->path);
    int rc = plog_left_remove(d->io, path);
    return is_none(rc) ? 0 : rc;
}

struct parts {
    const struct plog_io *io;
    int dir;
    const char *folder, *end;
    struct plog_left *left;
};

/* 20 digits and the end: what else somebody has put there stays. */
static int drop_part(void *arg, const char *name)
{
    struct parts *p = arg;
    if (strspn(name, "0123456789") != 20 || strcmp(name + 20, p->end) != 0)
        return 0;
    int rc = p->io->unlink_at(p->io->ctx, p->dir, name);
    if (rc && rc != -ENOENT && rc != -EISDIR)
        stays(p->left, p->folder, name, rc);
    return 0;
}

/* Segments that were not finished. */
static int drop_parts(const struct plog_io *io, int dir, const char *folder,
                      const char *end, struct plog_left *left)
{
    struct parts p = {io, dir, folder, end, left};
    int rc = io->list(io->ctx, dir, drop_part, &p);
    return rc < 0 ? rc : 0;
}

int plog_left_salvage(const struct plog_io *io, int dir)
{
    struct plog_left left = {.count = 0};
    int rc = drop_parts(io, dir, PLOG_SALVAGE_DIR, ".jsonl", &left);
    return rc ? rc : left.why;
}

static int drop_in(const struct plog_dir *d, const char *folder,
                   const char *end, struct plog_left *left)
{
    const struct plog_io *io = d->io;
    int fd = io->open_at(io->ctx, d->dir, folder, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0) {
        if (!is_none(fd))
            stays(left, "", folder, fd);
        return 0;
    }
    int rc = drop_parts(io, fd, folder, end, left);
    if (!rc)
        rc = io->fsync(io->ctx, fd);
    io->close(io->ctx, fd);
    return rc;
}

int plog_left_clear(struct plog_dir *d, struct plog_left *left,
                    struct plog_error *err)
{
    static const char *const parts[][2] = {{PLOG_SALVAGE_DIR, ".jsonl"},
                                           {"log", ".jsonl.new"},
                                           {PLOG_ARCHIVE_DIR, ".jsonl.gz.new"}};
    memset(left, 0, sizeof *left);
    int rc = plog_left_sweep(d->io, d->dir, d->path, "drill-", left);
    int bad = plog_left_store(d);
    if (bad)
        stays(left, "", PLOG_FRESH_DIR, bad);
    for (size_t i = 0; !rc && i < sizeof parts / sizeof *parts; i++)
        rc = drop_in(d, parts[i][0], parts[i][1], left);
    if (!rc) /* if it is empty */
        (void)d->io->rmdir_at(d->io->ctx, d->dir, PLOG_SALVAGE_DIR);
    if (!rc)
        rc = d->io->fsync(d->io->ctx, d->dir);
    return rc ? plog_fail_io(err, rc, NULL, "removing what a kill left") : 0;
}
