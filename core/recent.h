/*
 * recent.h - rows of `state` that wait in `state_recent`.
 *
 * A group of many deltas touches records all over the tree of `state`, a page
 * each.  Its rows go to the end of a table of their own instead, where a
 * hundred fill two pages, and are moved into the tree, sorted, some thousands
 * at once: then a page takes several.  What stands in `state_recent` hides the
 * row of that record in `state`; of several there the one with the highest
 * `last` counts.  The view `state_now` says the same in SQL.
 *
 * A record that has such a row gets its next one there, too: so no row in
 * `state` is newer than one that hides it.  Others go there with large groups
 * only, and merged payloads never begin there, for each new one would be one
 * more copy.  A writer has the newest row of each such record in memory.
 *
 * Moving goes on a part at a time, between groups, and says nothing new: what
 * was moved stays hidden until all are, and a crash begins it again.
 *
 * Memory: some 8 MiB; at most 64 MiB, and one group's merged payloads, of what
 * others left.
 */
#ifndef PLOG_RECENT_H
#define PLOG_RECENT_H

#include "fold.h"
#include "fold_table.h"

/* Tests have smaller ones, to come by all of this often. */
#ifndef PLOG_RECENT_GROUP
#define PLOG_RECENT_GROUP 8 /* deltas: fewer are as cheap in the tree */
#endif
#ifndef PLOG_RECENT_ROWS
#define PLOG_RECENT_ROWS 32768 /* some 9 for each page of 250,000 records */
#endif

/* How much of the memory is the database's. */
struct plog_recent_mark {
    uint64_t first, last; /* seqs of the rows that wait; 0: none do */
    size_t rows, bytes;   /* of them, hidden ones included */
    size_t undo;          /* length of plog_recent.undo */
};

struct plog_recent {
    const struct plog_io *io;
    sqlite3 *db;
    bool writes;
    bool takes; /* rows of records that have none begin to wait */
    bool known; /* memory has what the database had at `version` */
    bool fresh; /* ... and has now: learnt when somebody asks for a row */
    bool
        spoilt; /* more of it was changed by this transaction than `undo` has */
    bool torn;  /* what is learnt now may be taken back */
    unsigned version, scans;
    struct plog_recent_mark now, begin, mark; /* mark: at the savepoint */
    struct plog_fold_table table; /* dirty: it waits; else it is nothing */
    struct plog_buf undo;         /* rows as they were, oldest first */
    /* The moving under way: what stood up to `bound`, sorted. */
    struct plog_fold_place *order;
    size_t count, moved;
    struct plog_recent_mark bound;
    sqlite3_stmt *get, *ends, *load, *add, *drop, *put;
};

void plog_recent_open(struct plog_recent *r, const struct plog_io *io,
                      sqlite3 *db, bool writes);
void plog_recent_close(struct plog_recent *r);

/* At the begin of a transaction that writes. */
void plog_recent_begin(struct plog_recent *r);
/* At its end: it was committed, or taken back. */
void plog_recent_end(struct plog_recent *r, bool kept);
/* A savepoint, and going back to it. */
void plog_recent_save(struct plog_recent *r);
void plog_recent_back(struct plog_recent *r);

/* Says how many deltas the transaction is going to have: many begin to wait. */
void plog_recent_expect(struct plog_recent *r, size_t deltas);

/* The row of a record.  Returns 0; PLOG_END when none waits; PLOG_E_DIVERGED
 * for rows that no fold makes; a store error.  Texts live until the next call.
 */
PLOG_MUST_CHECK int plog_recent_find(struct plog_recent *r,
                                     struct plog_span resource,
                                     struct plog_span record_id,
                                     struct plog_current *out,
                                     struct plog_error *err);
/* A newer one, of a record that was looked for.  Returns 0; PLOG_END when it is
 * for `state`; an error. */
PLOG_MUST_CHECK int plog_recent_put(struct plog_recent *r,
                                    struct plog_span resource,
                                    struct plog_span record_id,
                                    const struct plog_current *now,
                                    struct plog_error *err);

/* Whether rows are to be moved now, between groups. */
bool plog_recent_is_due(const struct plog_recent *r);
/* Moves the next part of them; inside a transaction that does nothing else. */
PLOG_MUST_CHECK int plog_recent_move(struct plog_recent *r,
                                     struct plog_error *err);
/* Moves all; inside a transaction, before whoever changes `state` himself. */
PLOG_MUST_CHECK int plog_recent_settle(struct plog_recent *r,
                                       struct plog_error *err);

/* Whose rows are the records as they are now: `state` of the schema main, which
 * is faster to read, or the view `state_now`. */
PLOG_MUST_CHECK int plog_recent_source(sqlite3 *db, const char **name,
                                       struct plog_error *err);

#endif
