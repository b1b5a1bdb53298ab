/* place.c - see place.h. */
#include "place.h"

#include "fs.h"
#include "left.h"
#include "orders.h"
#include "snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#define KEY_FILE_MAX 8192
#define PATH_MAX_BYTES 4000 /* leaves room for what is put behind it */

/* ---- The folder ---------------------------------------------------------- */

/* Those beside a new path. */
static void sweep_before(const struct plog_io *io, const char *new_path)
{
    char parent[PLOG_DIR_PATH_MAX], stem[300];
    const char *slash = strrchr(new_path, '/');
    if (!slash)
        memcpy(parent, ".", 2);
    else
        snprintf(parent, sizeof parent, "%.*s",
                 slash == new_path ? 1 : (int)(slash - new_path), new_path);
    snprintf(stem, sizeof stem, "%.250s.part-", slash ? slash + 1 : new_path);
    int fd = io->open_at(io->ctx, AT_FDCWD, parent, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return;
    /* What stays is told by doctor. */
    (void)plog_left_sweep(io, fd, parent, stem, NULL);
    io->close(io->ctx, fd);
}

/* Puts `path` into `out`, PLOG_DIR_PATH_MAX bytes, without slashes at its end.
 */
static int take_path(char *out, const struct plog_io *io, const char *path,
                     struct plog_error *err)
{
    struct plog_stat st;
    size_t n = path ? strlen(path) : 0;
    while (n > 1 && path[n - 1] == '/')
        n--;
    if (n == 0 || n > PATH_MAX_BYTES)
        return plog_fail(err, PLOG_E_ARG, "the new path is empty or too long");
    memcpy(out, path, n);
    out[n] = '\0';
    int rc = plog_path_outside(io, NULL, out, err);
    if (rc)
        return rc;
    rc = io->stat_at(io->ctx, AT_FDCWD, out, &st);
    if (rc == -ENOENT)
        return 0;
    if (rc)
        return plog_fail_io(err, rc, out, "looking at the new path");
    plog_fail(err, PLOG_E_EXISTS, "%s is there already", out);
    plog_err_hint(err, "name a path that is not there yet");
    return PLOG_E_EXISTS;
}

int plog_place_check(const struct plog_io *io, const char *path,
                     struct plog_error *err)
{
    char taken[PLOG_DIR_PATH_MAX];
    return take_path(taken, io, path, err);
}

int plog_place_make(struct plog_place *p, const struct plog_io *io,
                    const char *path, struct plog_error *err)
{
    unsigned char r[4];
    memset(p, 0, sizeof *p);
    p->io = io;
    p->dir.dir = p->dir.log = p->dir.keys = p->dir.lock = -1;
    int rc = take_path(p->path, io, path, err);
    if (rc)
        return rc;
    rc = io->random(io->ctx, r, sizeof r);
    if (rc)
        return plog_fail_io(err, rc, p->path, "making a name");
    snprintf(p->part, sizeof p->part, "%.*s.part-%02x%02x%02x%02x",
             PATH_MAX_BYTES, p->path, r[0], r[1], r[2], r[3]);
    sweep_before(io, p->path);
    rc = plog_dir_open(&p->dir, io, p->part, PLOG_DIR_MAKE, true, err);
    if (rc && err && !err->hint[0])
        plog_err_hint(err,
                      "see that the folder which %.200s would be in is"
                      " there",
                      p->path);
    if (!rc && io->lock(io->ctx, p->dir.dir, 2))
        rc = plog_fail(err, PLOG_E_IO, "locking the new folder failed");
    return rc;
}

/* ---- Keys --------------------------------------------------------------- */

struct copying {
    struct plog_place *p;
    int from;
    bool secret;
    char failed[256];
    int rc;
};

static int copy_key(void *arg, const char *name)
{
    struct copying *c = arg;
    struct plog_buf b;
    size_t n = strlen(name);
    bool public = n > 5 && strcmp(name + n - 5, ".vkey") == 0;
    bool secret = c->secret && (strcmp(name, "signing.key") == 0 ||
                                strcmp(name, "signing.key.new") == 0);
    if (!public && !secret)
        return 0;
    plog_buf_init(&b, c->p->io);
    c->rc = plog_io_read_all(c->p->io, c->from, name, KEY_FILE_MAX, &b);
    if (!c->rc)
        c->rc = plog_io_write_file(c->p->io, c->p->dir.keys, name, ".tmp",
                                   b.data, b.len, public ? 0644 : 0600, false);
    if (secret && b.data)
        memset(b.data, 0, b.len);
    plog_buf_fini(&b);
    if (c->rc)
        snprintf(c->failed, sizeof c->failed, "keys/%.240s", name);
    return c->rc != 0;
}

int plog_place_keys(struct plog_place *p, const struct plog_dir *from,
                    bool secret, struct plog_error *err)
{
    struct copying c = {.p = p, .from = from->keys, .secret = secret};
    /* Who was told that a network file system will do, was told of copies. */
    if (plog_fs_is_allowed(from)) {
        int bad = plog_io_write_file(p->io, p->dir.dir, PLOG_FS_MARKER, ".tmp",
                                     "", 0, 0600, true);
        if (bad)
            return plog_fail_io(err, bad, PLOG_FS_MARKER, "copying");
    }
    if (from->keys < 0)
        return 0;
    int rc = p->io->list(p->io->ctx, from->keys, copy_key, &c);
    if (c.rc)
        return plog_fail_io(err, c.rc, c.failed, "copying a key");
    return rc < 0 ? plog_fail_io(err, rc, "keys", "listing keys") : 0;
}

/* ---- Orders ------------------------------------------------------------- */

#define ORDER_FILE_MAX (2u << 20)

/* The new folder has no name yet, so no half of a file counts: each is written
 * under its own name, which may be as long as a name can be. */
static int write_order(struct plog_place *p, const char *name,
                       struct plog_span proof)
{
    const struct plog_io *io = p->io;
    int rc = io->mkdir_at(io->ctx, p->dir.dir, PLOG_ORDERS_DIR, 0700);
    if (rc && rc != -EEXIST)
        return rc;
    int dir = io->open_at(io->ctx, p->dir.dir, PLOG_ORDERS_DIR,
                          O_RDONLY | O_DIRECTORY, 0);
    if (dir < 0)
        return dir;
    int fd = io->open_at(io->ctx, dir, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
    rc = fd < 0 ? fd : plog_io_write_full(io, fd, proof.p, proof.n, 0, NULL);
    if (!rc)
        rc = io->fdatasync(io->ctx, fd);
    if (fd >= 0)
        io->close(io->ctx, fd);
    if (!rc)
        rc = io->fsync(io->ctx, dir);
    io->close(io->ctx, dir);
    return rc;
}

/* One that came along from another log may have the same number. */
static int free_name(const struct plog_place *p, uint64_t at, char *name,
                     size_t room)
{
    struct plog_stat st;
    char path[48];
    for (unsigned n = 1;; n++) {
        snprintf(name, room, n > 1 ? "%llu.%u" : "%llu", (unsigned long long)at,
                 n);
        snprintf(path, sizeof path, "%s/%.36s", PLOG_ORDERS_DIR, name);
        int rc = p->io->stat_at(p->io->ctx, p->dir.dir, path, &st);
        if (rc)
            return rc == -ENOENT ? 0 : rc;
    }
}

int plog_place_order(struct plog_place *p, uint64_t at, struct plog_span proof,
                     struct plog_error *err)
{
    char name[36];
    int rc = free_name(p, at, name, sizeof name);
    if (!rc)
        rc = write_order(p, name, proof);
    return rc ? plog_fail_io(err, rc, PLOG_ORDERS_DIR, "writing an order") : 0;
}

static bool is_proof(const struct plog_buf *b)
{
    static const char begins[] = "c2sp.org/tlog-proof@v1\n";
    size_t n = sizeof begins - 1;
    return b->len > n && memcmp(b->data, begins, n) == 0;
}

static int copy_order(void *arg, const char *name)
{
    struct copying *c = arg;
    struct plog_buf b;
    if (name[0] == '.')
        return 0;
    plog_buf_init(&b, c->p->io);
    c->rc = plog_io_read_all(c->p->io, c->from, name, ORDER_FILE_MAX, &b);
    if (plog_io_says_odd(c->rc) || c->rc == -EFBIG)
        c->rc = 0; /* it is no file of ours */
    else if (!c->rc && is_proof(&b))
        c->rc = write_order(c->p, name, plog_span(b.data, b.len));
    if (c->rc)
        snprintf(c->failed, sizeof c->failed, PLOG_ORDERS_DIR "/%.240s", name);
    plog_buf_fini(&b);
    return c->rc != 0;
}

int plog_place_orders(struct plog_place *p, const struct plog_dir *from,
                      struct plog_error *err)
{
    struct copying c = {.p = p};
    c.from = p->io->open_at(p->io->ctx, from->dir, PLOG_ORDERS_DIR,
                            O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (c.from == -ENOENT)
        return 0;
    int rc =
        c.from < 0 ? c.from : p->io->list(p->io->ctx, c.from, copy_order, &c);
    if (c.from >= 0)
        p->io->close(p->io->ctx, c.from);
    if (c.rc)
        return plog_fail_io(err, c.rc, c.failed, "copying an order");
    return rc < 0 ? plog_fail_io(err, rc, PLOG_ORDERS_DIR, "copying orders")
                  : 0;
}

/* ---- Snapshots ---------------------------------------------------------- */

static int copy_bytes(const struct plog_io *io, int from, int to)
{
    size_t chunk = 64u << 10, got = chunk;
    char *buf = plog_alloc(io, chunk);
    int rc = buf ? 0 : -ENOMEM;
    for (uint64_t at = 0; !rc && got == chunk; at += got) {
        rc = plog_io_pread_full(io, from, buf, chunk, at, &got);
        if (!rc)
            rc = plog_io_write_full(io, to, buf, got, at, NULL);
    }
    plog_free(io, buf);
    return rc ? rc : io->fdatasync(io->ctx, to);
}

int plog_place_snapshot(struct plog_place *p, const struct plog_dir *from,
                        uint64_t floor, struct plog_error *err)
{
    const struct plog_io *io = p->io;
    char name[PLOG_SNAPSHOT_NAME];
    int in, out, source, rc = plog_snapshot_dir(from, false, &in, err);
    if (rc == PLOG_END)
        return plog_snapshot_missing(from, floor, err);
    if (rc)
        return rc;
    plog_snapshot_name(floor, name);
    source = io->open_at(io->ctx, in, name, O_RDONLY | O_NONBLOCK, 0);
    io->close(io->ctx, in);
    if (source < 0)
        return source == -ENOENT
                   ? plog_snapshot_missing(from, floor, err)
                   : plog_fail_io(err, source, PLOG_SNAPSHOT_DIR, "opening");
    rc = plog_snapshot_dir(&p->dir, true, &out, err);
    int fd =
        rc ? rc
           : io->open_at(io->ctx, out, name, O_RDWR | O_CREAT | O_EXCL, 0600);
    int bad = fd < 0 ? fd : copy_bytes(io, source, fd);
    if (fd >= 0)
        io->close(io->ctx, fd);
    if (!rc && !bad)
        bad = io->fsync(io->ctx, out);
    if (!rc)
        io->close(io->ctx, out);
    io->close(io->ctx, source);
    if (!rc && bad)
        rc = plog_fail_io(err, bad, PLOG_SNAPSHOT_DIR, "copying a snapshot");
    return rc;
}

/* ---- The end ------------------------------------------------------------ */

static int sync_parent(const struct plog_place *p)
{
    char parent[PLOG_DIR_PATH_MAX];
    memcpy(parent, p->path, sizeof parent);
    char *slash = strrchr(parent, '/');
    if (!slash)
        memcpy(parent, ".", 2);
    else
        slash[slash == parent] = '\0';
    int fd =
        p->io->open_at(p->io->ctx, AT_FDCWD, parent, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return fd;
    int rc = p->io->fsync(p->io->ctx, fd);
    p->io->close(p->io->ctx, fd);
    return rc;
}

int plog_place_finish(struct plog_place *p, struct plog_error *err)
{
    const struct plog_io *io = p->io;
    int rc = io->fsync(io->ctx, p->dir.log);
    if (!rc)
        rc = io->fsync(io->ctx, p->dir.keys);
    if (!rc)
        rc = io->fsync(io->ctx, p->dir.dir);
    if (rc)
        return plog_fail_io(err, rc, p->path, "syncing the new folder");
    rc = io->rename_at(io->ctx, AT_FDCWD, p->part, AT_FDCWD, p->path, false);
    if (rc == -EEXIST || rc == -ENOTEMPTY)
        return plog_fail(err, PLOG_E_EXISTS, "%s appeared meanwhile", p->path);
    if (rc)
        return plog_fail_io(err, rc, p->path, "naming the new folder");
    p->part[0] = '\0';
    rc = sync_parent(p);
    return rc ? plog_fail_io(err, rc, p->path, "syncing its parent") : 0;
}

void plog_place_say_full(const struct plog_place *p, struct plog_error *err)
{
    if (p->part[0] && plog_err_no_room(err))
        plog_err_hint(err,
                      "make room on the disk of %.200s, the new path, or name"
                      " one on another disk",
                      p->path);
}

void plog_place_close(struct plog_place *p)
{
    if (!p->io)
        return;
    plog_dir_close(&p->dir);
    if (p->part[0] && plog_left_remove(p->io, p->part))
        p->part[0] = '\0'; /* something stays; its name says what it is */
    p->io = NULL;
}
