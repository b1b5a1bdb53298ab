/*
 * sql_calls.h - calls of SQLite that a test makes fail: those that prepare and
 * run statements stand here, in front of the library's own, once for all tests.
 * Whatever fails, SQLite is not misused, as by binding to a statement that was
 * not prepared: a case in which it says so, while `fails` is set, fails.
 */
#ifndef SQL_CALLS_H
#define SQL_CALLS_H

#include <stdbool.h>

struct sql_calls {
    /* Whether this call fails, with SQLITE_IOERR.  `call` is `prepare`, `step`
     * or `exec`; `busy`: a statement that gave rows before.  NULL: none does.
     */
    bool (*fails)(const char *call, const char *sql, bool busy);
    bool failing; /* an error that is asked for is SQLITE_IOERR_READ */
    bool no_sync; /* SQLite syncs nothing */
    int version;  /* what SQLite says that it is; 0: the truth */
    /* The n-th question for the version of the data, from 1, is not answered;
     * below 0: none is.  Counts down. */
    int no_version;
    /* No checkpoint is made: it comes to this, and says that so many pages of
     * the WAL are left. */
    bool no_checkpoint;
    int checkpoint, checkpoint_left;
};
extern struct sql_calls sql_calls;

/* From now on calls with this very text are counted, and none fails. */
void sql_calls_count(const char *sql);
/* Says how many there were, and counts no more. */
unsigned sql_calls_counted(void);

#endif
