/*
 * busy.h - a writer for the storms: a process that does all that changes a
 * log, in an order drawn from a seed, until it is killed.
 *
 * Appends, the same again, rotation of segments and keys, strategies,
 * redaction, acknowledgements, compaction and its undoing, replay, restore,
 * rebuild, closing and opening.  It tells the ledger (ledger.h) before and
 * after.  An operation that comes back with what it may not is told, too,
 * unless `over` says that the ground was pulled away.  On a tight disk it may
 * fail, but only as such: no verdict on the log.  What a failed sync was for is
 * then not acknowledged, and the handle writes no more.
 */
#ifndef BUSY_H
#define BUSY_H

#include <stdatomic.h>
#include <sys/types.h>

#include "ledger.h"

/* In memory that all writers share with who kills them. */
struct busy {
    atomic_uint next;   /* group that nobody has taken yet */
    atomic_uint keys;   /* rotations so far */
    atomic_bool over;   /* errors are no surprise any more */
    atomic_bool fresh;  /* a replay --fresh has begun */
    atomic_uint failed; /* syncs that came back with an error */
    unsigned most;      /* groups of a log */
    bool tight;         /* the disk may be full, or fail to sync */
    bool frail;         /* ... and lose pages of the store, as ledger.frail */
};

struct busy *busy_share(void);
/* For a new log. */
void busy_reset(struct busy *b, unsigned most);
/* Starts a writer; `number` is one of its own among those that run. */
pid_t busy_start(struct busy *b, const struct ledger *l, unsigned number,
                 uint64_t seed);
/* Kills it, and waits. */
void busy_stop(struct busy *b, pid_t pid);

/* Removes a tree. */
void busy_remove(const char *path);

#endif
