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

int plog_aside_bytes(const struct plog_dir *d, uint64_t first, uint64_t from,
                     uint64_t to, char *name, struct plog_error *err)
{
    const struct plog_io *io = d->io;
    char segment[PLOG_SEGMENT_NAME], stem[64];
    struct plog_stat id;
    int fd, dir;
    plog_segment_name(first, segment);
    snprintf(stem, sizeof stem, "%.20s-at-%llu", segment,
             (unsigned long long)from);
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
