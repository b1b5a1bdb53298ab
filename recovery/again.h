/*
 * again.h - reading a log while it is compacted, or a line of it redacted.
 *
 * A reader takes no lock: a segment may be gone when it is reached, or hold a
 * line redacted by an order above the head at which the reader stopped; a copy
 * that was made since may differ from it.  That looks like damage and is none;
 * whoever meets it starts over.
 */
#ifndef PLOG_AGAIN_H
#define PLOG_AGAIN_H

#include "paritylog.h"

struct plog_again {
    const struct plog_io *io;
    const char *dir;
    uint64_t floor, redactions, below; /* below: segments yet to be removed */
    uint64_t compaction;               /* the last compact entry */
    uint64_t pending; /* redactions: the line in the log may be replaced yet */
    unsigned tries;
    bool gave_up;
};

/* Notes how things stand before the reading begins. */
void plog_again_begin(struct plog_again *a, const struct plog_io *io,
                      const char *dir);
/* Whether what was met, `code`, may come from files that were replaced or
 * removed since; how things stand now is noted then.  Not for ever. */
bool plog_again(struct plog_again *a, int code);
/* Returns `code`, or PLOG_E_LOCKED where something had moved each time. */
int plog_again_end(const struct plog_again *a, int code,
                   struct plog_error *err);

#endif
