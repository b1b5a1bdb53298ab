/* tail.c - see tail.h. */
#include "tail.h"

#include <errno.h>
#include <fcntl.h>

#define PAD_AHEAD (1u << 20) /* most bytes written ahead of the end */
#define PAD_LEFT (64u << 10) /* pre-write again when less is left */
#define PAD_AFTER_GROUPS 16  /* a process that writes so many keeps writing */

void plog_tail_init(struct plog_tail *t, const struct plog_dir *dir)
{
    memset(t, 0, sizeof *t);
    t->dir = dir;
    t->fd = -1;
}

void plog_tail_close(struct plog_tail *t)
{
    if (t->fd >= 0)
        t->dir->io->close(t->dir->io->ctx, t->fd);
    t->fd = -1;
}

int plog_tail_open(struct plog_tail *t, uint64_t first, struct plog_error *err)
{
    plog_tail_close(t);
    int rc = plog_dir_open_segment(t->dir, first, true, &t->fd, &t->id, err);
    t->first = first;
    t->end = t->id.size;
    t->written = 0;
    return rc;
}

int plog_tail_check(struct plog_tail *t)
{
    char name[PLOG_SEGMENT_NAME];
    struct plog_stat st;
    plog_segment_name(t->first, name);
    int rc = t->dir->io->stat_at(t->dir->io->ctx, t->dir->log, name, &st);
    if (rc || !plog_stat_same(&st, &t->id) || st.links != 1)
        return PLOG_END;
    t->end = st.size;
    return 0;
}

int plog_tail_is_clean(struct plog_tail *t, uint64_t offset, bool whole,
                       struct plog_error *err)
{
    char block[4096];
    size_t got, n = whole ? sizeof block : 1;
    uint64_t at = offset;
    do {
        int rc = plog_io_pread_full(t->dir->io, t->fd, block, n, at, &got);
        if (rc)
            return plog_fail_segment(err, rc, t->first,
                                     "reading the last segment");
        for (size_t i = 0; i < got; i++)
            if (block[i] != '\n')
                return PLOG_END;
        at += got;
    } while (whole && got == n);
    if (whole)
        t->end = at;
    return at < offset ? PLOG_END : 0;
}

/* Takes back what a failed write left before any sync: cut, or LFs where the
 * space was pre-written. */
static bool undo(struct plog_tail *t, uint64_t offset, size_t written)
{
    const struct plog_io *io = t->dir->io;
    char lf[4096];
    if (t->end > offset) {
        uint64_t to = offset + written < t->end ? offset + written : t->end;
        memset(lf, '\n', sizeof lf);
        for (uint64_t at = offset; at < to; at += sizeof lf) {
            size_t n = to - at < sizeof lf ? (size_t)(to - at) : sizeof lf;
            if (plog_io_write_full(io, t->fd, lf, n, at, NULL))
                return false;
        }
    }
    uint64_t size = t->end > offset ? t->end : offset;
    return io->truncate(io->ctx, t->fd, size) == 0;
}

/* Syncs what was written.  What is to be done meanwhile costs no time where the
 * disk can be made to begin before it is waited for. */
static int sync_group(const struct plog_tail *t, int fd, uint64_t offset,
                      size_t n)
{
    const struct plog_io *io = t->dir->io;
    if (t->meanwhile && io->write_back)
        io->write_back(io->ctx, fd, offset, n);
    if (t->meanwhile)
        t->meanwhile(t->meanwhile_arg);
    return io->fdatasync(io->ctx, fd);
}

int plog_tail_write(struct plog_tail *t, uint64_t offset, const void *p,
                    size_t n, bool *undone, struct plog_error *err)
{
    const struct plog_io *io = t->dir->io;
    size_t written = 0;
    *undone = false;
    int rc = plog_io_write_full(io, t->fd, p, n, offset, &written);
    if (rc) {
        /* Space and size limits come before anything is in danger.  Any other
         * error leaves the file in doubt. */
        bool harmless = rc == -ENOSPC || rc == -EDQUOT || rc == -EFBIG;
        *undone = undo(t, offset, written) && harmless;
        return plog_fail_segment(err, rc, t->first, "writing a group");
    }
    if (offset + n > t->end)
        t->end = offset + n;
    t->written++;
    rc = sync_group(t, t->fd, offset, n);
    return rc ? plog_fail_segment(err, rc, t->first, "syncing a group") : 0;
}

/* Makes the file of the next segment; on failure it is gone again. */
static int make_segment(struct plog_tail *t, uint64_t first, const void *p,
                        size_t n, int *out, bool *undone)
{
    const struct plog_io *io = t->dir->io;
    char name[PLOG_SEGMENT_NAME];
    plog_segment_name(first, name);
    int fd = io->open_at(io->ctx, t->dir->log, name, O_RDWR | O_CREAT | O_EXCL,
                         0600);
    *undone = true;
    if (fd < 0)
        return fd;
    int rc = plog_io_write_full(io, fd, p, n, 0, NULL);
    if (rc) {
        /* Gone for good only when the directory knows it, too. */
        *undone = io->unlink_at(io->ctx, t->dir->log, name) == 0 &&
                  io->fsync(io->ctx, t->dir->log) == 0;
    } else {
        *undone = false;
        rc = sync_group(t, fd, 0, n);
        if (!rc)
            rc = io->fsync(io->ctx, t->dir->log);
    }
    if (rc)
        io->close(io->ctx, fd);
    else
        *out = fd;
    return rc;
}

int plog_tail_rotate(struct plog_tail *t, uint64_t offset, uint64_t first,
                     const void *p, size_t n, bool *undone,
                     struct plog_error *err)
{
    const struct plog_io *io = t->dir->io;
    int fd = -1;
    *undone = true;
    int rc = plog_tail_is_clean(t, offset, true, err);
    if (rc == PLOG_END)
        rc = plog_fail(err, PLOG_E_TORN,
                       "bytes that are not padding stand"
                       " behind the log's end");
    if (rc)
        return rc;
    *undone = false;
    rc = t->end > offset ? io->truncate(io->ctx, t->fd, offset) : 0;
    if (!rc)
        rc = io->fsync(io->ctx, t->fd);
    if (rc)
        return plog_fail_segment(err, rc, t->first, "closing a segment");
    t->end = offset;
    rc = make_segment(t, first, p, n, &fd, undone);
    if (rc)
        return plog_fail_segment(err, rc, first, "making a segment");
    plog_tail_close(t);
    t->fd = fd;
    t->first = first;
    t->end = n;
    rc = io->stat(io->ctx, fd, &t->id);
    return rc ? plog_fail_segment(err, rc, first, "looking at a segment") : 0;
}

void plog_tail_pad(struct plog_tail *t, uint64_t offset, uint64_t segment_size)
{
    static const size_t chunk = 64u << 10;
    const struct plog_io *io = t->dir->io;
    uint64_t to = offset + PAD_AHEAD;
    if (to > segment_size)
        to = segment_size;
    if (t->written < PAD_AFTER_GROUPS || t->end >= offset + PAD_LEFT ||
        to <= t->end)
        return;
    char *lf = plog_alloc(io, chunk);
    if (!lf)
        return;
    memset(lf, '\n', chunk);
    while (t->end < to) {
        size_t n = to - t->end < chunk ? (size_t)(to - t->end) : chunk;
        size_t written = 0;
        int rc = plog_io_write_full(io, t->fd, lf, n, t->end, &written);
        t->end += written;
        if (rc)
            break;
    }
    plog_free(io, lf);
}

void plog_tail_trim(struct plog_tail *t, uint64_t offset)
{
    const struct plog_io *io = t->dir->io;
    if (t->fd < 0 || t->end <= offset)
        return;
    /* Only LFs are ours to cut; anything else is for the repair to keep. */
    if (plog_tail_is_clean(t, offset, true, NULL))
        return;
    if (io->truncate(io->ctx, t->fd, offset) == 0)
        t->end = offset;
}
