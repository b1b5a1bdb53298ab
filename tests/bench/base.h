/* base.h - the database that people would make by hand: a table of events and
 * one of the present state, which holds the payload. */
#ifndef BENCH_BASE_H
#define BENCH_BASE_H

#include <sqlite3.h>

#include "bench.h"

struct base {
    sqlite3 *db;
    sqlite3_stmt *event, *state;
};

/* `settings`: pragmas, as SQL. */
void base_open(struct base *b, const char *dir, const char *settings);
void base_close(struct base *b);
void base_sql(struct base *b, const char *text);
/* The row of one event, and that of its record.  `hash`: 32 bytes. */
void base_put_event(struct base *b, uint64_t seq, const struct bench_event *e,
                    const void *hash);
void base_put_state(struct base *b, uint64_t seq, const struct bench_event *e);

#define BASE_FULL "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL"
#define BASE_NORMAL                                                            \
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"                      \
    " PRAGMA cache_size=-65536"
/* Only for a file that nobody has seen yet, and synced at the end. */
#define BASE_FRESH                                                             \
    "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"                         \
    " PRAGMA cache_size=-65536; PRAGMA locking_mode=EXCLUSIVE"

#endif
