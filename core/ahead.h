/*
 * ahead.h - a segment read ahead by a second thread.
 *
 * The thread reads the file from its begin on, block by block, and does to each
 * line what needs nothing but its bytes: its sketch and, unless the scan would
 * have to wait for it, its leaf.  A scan takes
 * the bytes in the place of reading them, and finds there what is known of
 * their lines; all that a line means at its place is still for the scan to say,
 * on its own thread.  So nothing is decided here: whatever the thread cannot
 * do, a line that is not ordinary or a read that fails, the scan does or sees
 * for itself.
 *
 * Memory: PLOG_AHEAD_BLOCKS blocks of 0.3 MiB.
 */
#ifndef PLOG_AHEAD_H
#define PLOG_AHEAD_H

#include "sketch.h"

#define PLOG_AHEAD_BLOCKS 3

struct plog_ahead;

struct plog_ahead_line {
    uint64_t offset; /* in the file */
    struct plog_sketch sketch;
    bool hashed; /* else the leaf is for the scan to hash */
    unsigned char leaf[PLOG_HASH_SIZE];
};

/*
 * Starts to read ahead.  The table's pread is called on the new thread until
 * plog_ahead_stop; nothing else is.
 * @fd     borrowed
 * @limit  bytes of the file that count
 * Returns NULL when there is no memory or no thread for it; then the caller
 * reads, which is no error.
 */
struct plog_ahead *plog_ahead_start(const struct plog_io *io, int fd,
                                    uint64_t limit);
void plog_ahead_stop(struct plog_ahead *a); /* NULL is fine */

/*
 * Waits for the bytes at `offset`; the block before is given back.
 * @out  valid until the next call
 * Returns false when they are not those that come next, or cannot be read; then
 * it is of no more use.
 */
bool plog_ahead_take(struct plog_ahead *a, uint64_t offset,
                     struct plog_span *out);

/* What is known of the line at `offset`, of `n` bytes; lines are asked for in
 * order.  NULL: nothing. */
const struct plog_ahead_line *plog_ahead_line(struct plog_ahead *a,
                                              uint64_t offset, size_t n);

#endif
