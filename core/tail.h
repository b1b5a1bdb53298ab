/*
 * tail.h - the end of the last segment, where groups are written.
 *
 * Space ahead is pre-written with LFs once a process keeps writing, because a
 * sync that changes no metadata is faster; what lies between `offset` and
 * the end of the file is nothing or LFs.  Everything here happens under the
 * writer lock.
 */
#ifndef PLOG_TAIL_H
#define PLOG_TAIL_H

#include "dir.h"
#include "line.h"

struct plog_tail {
    const struct plog_dir *dir;
    int fd; /* -1: none open */
    uint64_t first;
    struct plog_stat id;
    uint64_t end;     /* the file's size as we know it */
    unsigned written; /* groups since it was opened, for pre-writing */
    /* Runs while the disk is at work on a group: behind the write, before the
     * sync that waits for it.  May be NULL. */
    void (*meanwhile)(void *arg);
    void *meanwhile_arg;
};

void plog_tail_init(struct plog_tail *t, const struct plog_dir *dir);
void plog_tail_close(struct plog_tail *t);

/* Opens segment `first` for writing. */
PLOG_MUST_CHECK int plog_tail_open(struct plog_tail *t, uint64_t first,
                                   struct plog_error *err);

/* Whether the open file is still the one of that name, with one link; learns
 * where it ends, for the padding another process wrote must be known before it
 * is trimmed.
 * Returns 0, or PLOG_END when it is not. */
PLOG_MUST_CHECK int plog_tail_check(struct plog_tail *t);

/* Whether from `offset` to the end there is nothing, or only LFs.
 * @whole  true: reads all of it; false: the first byte only
 * Returns 0, PLOG_END when there is something, PLOG_E_IO. */
PLOG_MUST_CHECK int plog_tail_is_clean(struct plog_tail *t, uint64_t offset,
                                       bool whole, struct plog_error *err);

/*
 * Writes `n` bytes at `offset` and syncs them.
 * @undone  out, on failure: nothing of it is in the file (it was cut back or
 *          overwritten with LFs and no sync was tried), so the handle may
 *          live on
 * Returns 0: the bytes are on disk.  PLOG_E_IO.
 */
PLOG_MUST_CHECK int plog_tail_write(struct plog_tail *t, uint64_t offset,
                                    const void *p, size_t n, bool *undone,
                                    struct plog_error *err);

/*
 * Goes on in a new segment: cuts the open one at `offset` and syncs it, then
 * makes the next with `n` bytes (header, or header and first group), syncs it
 * and the directory.
 * @undone  out, on failure: the new file is not there
 * Returns 0; PLOG_E_TORN when what would be cut is not padding (nothing was
 * touched: the repair keeps it); PLOG_E_IO.
 */
PLOG_MUST_CHECK int plog_tail_rotate(struct plog_tail *t, uint64_t offset,
                                     uint64_t first, const void *p, size_t n,
                                     bool *undone, struct plog_error *err);

/* Pre-writes LFs ahead of `offset` when it is worth it.  Failures are not
 * errors: the next write finds out. */
void plog_tail_pad(struct plog_tail *t, uint64_t offset, uint64_t segment_size);

/* Cuts the padding at `offset`. */
void plog_tail_trim(struct plog_tail *t, uint64_t offset);

#endif
