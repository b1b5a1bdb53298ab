/*
 * failing.h - the n-th call fails: of the I/O table, of SQLite's file layer,
 * of the system calls below SQLite, of the allocators of both.
 *
 * The table stands above order_io(), so that every sweep watches the order of
 * syncs as well.  One for the process, used from one thread.
 *
 * A call that fails has not happened, but of a write, half has arrived, and a
 * listing gave out some names; FAILING_LATE: it has happened all the same.
 * close() always closes.  Clock, sleep and process id never fail.
 */
#ifndef FAILING_H
#define FAILING_H

#include "paritylog.h"

#include <stdio.h>

enum failing_what {
    FAILING_NOTHING,
    FAILING_IO,             /* each function of the table: EIO */
    FAILING_LATE,           /* the same, done all the same */
    FAILING_SPACE,          /* what needs room, also below SQLite: ENOSPC */
    FAILING_INTERRUPT,      /* reads and writes: EINTR, and then they succeed */
    FAILING_SHORT,          /* reads and writes: half of it */
    FAILING_SYNC,           /* fsync and fdatasync: EINTR */
    FAILING_EVENT,          /* what SQLite's file layer is about to do */
    FAILING_CALL,           /* system calls below SQLite: EIO */
    FAILING_CALL_INTERRUPT, /* those that may be interrupted */
    FAILING_CALL_SHORT,     /* its reads and writes */
    FAILING_ALLOC,
    FAILING_SQLITE_ALLOC,
    FAILING_WHATS
};
extern const char *const failing_names[FAILING_WHATS];

/* Puts the allocator below SQLite and the wrappers below its file layer: once,
 * before SQLite is used. */
void failing_init(void);
const struct plog_io *failing_io(void);

/* Arms: the `nth` call of that kind fails, from 1; `ever`: those behind it,
 * too (an interrupted one succeeds when made again).  FAILING_NOTHING: the
 * calls of every kind are counted. */
void failing_start(enum failing_what what, unsigned long nth, bool ever);
/* Between the two, calls are counted and fail. */
void failing_go(void);
void failing_stop(void);

unsigned long failing_count(enum failing_what what);
bool failing_reached(void);
const char *failing_hit(void); /* the first call that failed, in words */
/* Calls of the table and allocations that were made behind the first one that
 * failed, in words, each once; NULL: no more.  Closing and unlocking is none.
 */
const char *failing_behind(size_t i);
const char *failing_resynced(void); /* a file whose sync failed and was made
                                       again; NULL: none */
bool failing_log_sync(void); /* whether a sync of a file in log/ failed */

/* For a debugger's breakpoint: called where a fault strikes. */
void failing_struck(void);

/* What lives now: allocations of the table and of SQLite, and handles that
 * were opened through the table. */
struct failing_live {
    long table, sqlite, handles;
};
struct failing_live failing_live(void);

#endif
