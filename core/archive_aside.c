/* archive_aside.c - files of archive/ and snapshots/ that are not what they
 * are taken for: kept in quarantine/. */
#include <fcntl.h>
#include <stdio.h>

#include "archive.h"

/* Expanded, so that whoever redacts an entry finds its payload there, too. */
static int keep_text(const struct plog_dir *d, int from, const char *name,
                     char *kept, struct plog_error *err)
{
    const struct plog_io *io = d->io;
    char stem[64];
    size_t n = strlen(name);
    int dir, bad = 0;
    snprintf(stem, sizeof stem, "%.*s", (int)(n > 3 ? n - 3 : n), name);
    int rc = plog_dir_quarantine(d, stem, kept, &dir, err);
    if (rc)
        return rc;
    const char *to = strchr(kept, '/') + 1;
    int fd = io->open_at(io->ctx, dir, to, O_RDWR | O_CREAT | O_EXCL, 0600);
    rc = fd < 0 ? plog_fail_io(err, fd, kept, "making a file")
                : plog_archive_expand(io, from, fd, kept, false, err);
    if (!rc && (bad = io->fdatasync(io->ctx, fd)) == 0)
        bad = io->fsync(io->ctx, dir);
    if (bad)
        rc = plog_fail_io(err, bad, kept, "setting a file aside");
    if (fd >= 0)
        io->close(io->ctx, fd);
    if (rc && fd >= 0)
        io->unlink_at(io->ctx, dir, to);
    io->close(io->ctx, dir);
    return rc;
}

static int keep_bytes(const struct plog_dir *d, int folder, const char *name,
                      char *kept, struct plog_error *err)
{
    const struct plog_io *io = d->io;
    int dir, rc = plog_dir_quarantine(d, name, kept, &dir, err);
    if (rc)
        return rc;
    int bad =
        io->rename_at(io->ctx, folder, name, dir, strchr(kept, '/') + 1, false);
    if (!bad)
        bad = io->fsync(io->ctx, dir);
    io->close(io->ctx, dir);
    return bad ? plog_fail_io(err, bad, kept, "setting a file aside") : 0;
}

int plog_archive_aside(const struct plog_dir *d, int folder, const char *name,
                       char *kept, struct plog_error *err)
{
    const struct plog_io *io = d->io;
    struct plog_error why;
    int rc = PLOG_E_CORRUPT, bad = 0;
    int from = plog_io_open_regular(io, folder, name, O_RDONLY);
    if (from < 0 && !plog_io_says_odd(from))
        return plog_fail_io(err, from, name, "opening a file");
    if (from >= 0) {
        rc = keep_text(d, from, name, kept, &why);
        io->close(io->ctx, from);
        if (rc == PLOG_E_IO && !why.file[0]) /* it was to be read */
            plog_err_file(&why, name);
        if (rc && rc != PLOG_E_CORRUPT && err)
            *err = why;
        if (!rc && (bad = io->unlink_at(io->ctx, folder, name)) != 0)
            rc = plog_fail_io(err, bad, name, "setting a file aside");
    }
    if (rc == PLOG_E_CORRUPT) /* no gzip, or no file */
        rc = keep_bytes(d, folder, name, kept, err);
    if (!rc && (bad = io->fsync(io->ctx, folder)) != 0)
        rc = plog_fail_io(err, bad, name, "setting a file aside");
    return rc;
}
