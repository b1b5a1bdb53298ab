/* aside.c - see aside.h. */
#include "aside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

int plog_aside_copy(const struct plog_io *io, int from_fd, uint64_t from,
                    uint64_t to, int to_dir, const char *name)
{
    size_t chunk = 256u << 10, got;
    char *buf = plog_alloc(io, chunk);
    if (!buf)
        return -ENOMEM;
    int rc = 0;
    int fd =
        io->open_at(io->ctx, to_dir, name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        rc = fd;
    for (uint64_t at = from; !rc && at < to; at += got) {
        size_t n = to - at < chunk ? (size_t)(to - at) : chunk;
        rc = plog_io_pread_full(io, from_fd, buf, n, at, &got);
        if (!rc && got < n)
            rc = -EIO;
        if (!rc)
            rc = plog_io_write_full(io, fd, buf, n, at - from, NULL);
    }
    if (!rc)
        rc = io->fdatasync(io->ctx, fd);
    if (fd >= 0)
        io->close(io->ctx, fd);
    plog_free(io, buf);
    return rc;
}

/* What names of these bytes begin with. */
static void make_stem(char stem[64], uint64_t first, uint64_t from)
{
    char segment[PLOG_SEGMENT_NAME];
    plog_segment_name(first, segment);
    snprintf(stem, 64, "%.20s-at-%llu", segment, (unsigned long long)from);
}

int plog_aside_bytes(const struct plog_dir *d, uint64_t first, uint64_t from,
                     uint64_t to, char *name, struct plog_error *err)
{
    const struct plog_io *io = d->io;
    char stem[64];
    struct plog_stat id;
    int fd, dir;
    make_stem(stem, first, from);
    int rc = plog_dir_quarantine(d, stem, name, &dir, err);
    if (rc)
        return rc;
    rc = plog_dir_open_segment(d, first, false, &fd, &id, err);
    if (rc) {
        io->close(io->ctx, dir);
        return rc;
    }
    rc = plog_aside_copy(io, fd, from, to, dir, strchr(name, '/') + 1);
    if (!rc)
        rc = io->fsync(io->ctx, dir);
    io->close(io->ctx, fd);
    io->close(io->ctx, dir);
    return rc ? plog_fail_io(err, rc, name, "setting bytes aside") : 0;
}

/* ---- Kept before -------------------------------------------------------- */

struct kept {
    const struct plog_io *io;
    const char *stem;
    uint64_t from, to;
    int fd, dir;
    char *name; /* out */
};

/* Whether a file in quarantine/ is these bytes; no wherever that cannot be
 * known. */
static bool is_same(const struct kept *k, int fd)
{
    char mine[4096], its[4096];
    struct plog_stat st;
    size_t a = 0, b = 0;
    if (k->io->stat(k->io->ctx, fd, &st) || st.size != k->to - k->from)
        return false;
    for (uint64_t at = 0; at < st.size; at += a) {
        size_t n =
            st.size - at < sizeof mine ? (size_t)(st.size - at) : sizeof mine;
        if (plog_io_pread_full(k->io, k->fd, mine, n, k->from + at, &a) ||
            plog_io_pread_full(k->io, fd, its, n, at, &b) || a != n || b != n ||
            memcmp(mine, its, n) != 0)
            return false;
    }
    return true;
}

static int look_at(void *arg, const char *name)
{
    struct kept *k = arg;
    size_t n = strlen(k->stem);
    if (strncmp(name, k->stem, n) != 0 || name[n] != '-' || strlen(name) > 100)
        return 0;
    int fd = plog_io_open_regular(k->io, k->dir, name, O_RDONLY);
    if (fd < 0)
        return 0;
    /* Who kept it may have been killed before it was on disk. */
    bool same = is_same(k, fd) && k->io->fdatasync(k->io->ctx, fd) == 0 &&
                k->io->fsync(k->io->ctx, k->dir) == 0;
    k->io->close(k->io->ctx, fd);
    if (same)
        snprintf(k->name, 128, "quarantine/%s", name);
    return same;
}

int plog_aside_once(const struct plog_dir *d, uint64_t first, uint64_t from,
                    uint64_t to, char *name, struct plog_error *err)
{
    const struct plog_io *io = d->io;
    char stem[64];
    struct plog_stat id;
    struct kept k = {.io = io, .stem = stem, .from = from, .to = to};
    make_stem(stem, first, from);
    k.name = name;
    name[0] = '\0';
    int rc = plog_dir_folder(d, "quarantine", true, &k.dir, err);
    if (rc)
        return rc;
    if (!plog_dir_open_segment(d, first, false, &k.fd, &id, NULL)) {
        (void)io->list(io->ctx, k.dir, look_at, &k);
        io->close(io->ctx, k.fd);
    }
    io->close(io->ctx, k.dir);
    return name[0] ? 0 : plog_aside_bytes(d, first, from, to, name, err);
}

int plog_aside_file(const struct plog_dir *d, const char *log_name, char *name,
                    struct plog_error *err)
{
    const struct plog_io *io = d->io;
    int dir, rc = plog_dir_quarantine(d, log_name, name, &dir, err);
    if (rc)
        return rc;
    rc = io->rename_at(io->ctx, d->log, log_name, dir, strchr(name, '/') + 1,
                       false);
    if (!rc)
        rc = io->fsync(io->ctx, dir);
    if (!rc)
        rc = io->fsync(io->ctx, d->log);
    io->close(io->ctx, dir);
    return rc ? plog_fail_io(err, rc, log_name, "setting a file aside") : 0;
}
