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
 * Once there are such rows, all go there, until none is left: so no row in
 * `state` is newer than one that hides it.  A writer has the newest of each
 * record in memory.  Moving goes on a part at a time, between groups, and says
 * nothing new: what was moved stays hidden until all are, and a crash begins
 * it again.
 *
 * Memory: PLOG_FOLD_TABLE_MAX, and what one entry needs.
 */
#ifndef PLOG_RECENT_H
#define PLOG_RECENT_H

#include "fold.h"
#include "fold_table.h"

struct plog_recent {
    const struct plog_io *io;
    sqlite3 *db;
    bool writes; /* else each row is looked for in the database */
    bool takes;  /* the rows of this transaction wait */
    bool known;  /* `table` has what the database has */
    bool spoilt; /* ... and what this transaction has changed */
    unsigned version;
    uint64_t first, last; /* seqs of the rows known; 0: none */
    size_t rows;          /* of them */
    struct plog_fold_table table;
    /* The moving under way: rows up to `bound`, sorted. */
    struct plog_fold_place *order;
    size_t count, moved, bound_rows;
    uint64_t bound;
    sqlite3_stmt *get, *ends, *load, *add, *drop, *put;
};

void plog_recent_open(struct plog_recent *r, const struct plog_io *io,
                      sqlite3 *db, bool writes);
void plog_recent_close(struct plog_recent *r);

/* At the begin of a transaction that writes: learns what others have done.
 * Returns 0; PLOG_E_DIVERGED for rows that no fold makes; a store error. */
PLOG_MUST_CHECK int plog_recent_begin(struct plog_recent *r,
                                      struct plog_error *err);
/* At its end; not `kept`: it was taken back, or a part of it was. */
void plog_recent_end(struct plog_recent *r, bool kept);

/* Says how many deltas the transaction is going to have, so that it is known
 * where their rows go. */
void plog_recent_expect(struct plog_recent *r, size_t deltas);
/* Whether a row is for plog_recent_put, and not for `state`. */
bool plog_recent_takes(const struct plog_recent *r);

/* The row of a record.  Returns 0; PLOG_END when none waits; an error.
 * Texts live until the next call. */
PLOG_MUST_CHECK int plog_recent_find(struct plog_recent *r,
                                     struct plog_span resource,
                                     struct plog_span record_id,
                                     struct plog_current *out,
                                     struct plog_error *err);
/* A newer one. */
PLOG_MUST_CHECK int plog_recent_put(struct plog_recent *r,
                                    struct plog_span resource,
                                    struct plog_span record_id,
                                    const struct plog_current *now,
                                    struct plog_error *err);

/* Whether rows are to be moved now, between groups. */
bool plog_recent_is_due(const struct plog_recent *r);
/* Moves the next part of them; inside a transaction. */
PLOG_MUST_CHECK int plog_recent_move(struct plog_recent *r,
                                     struct plog_error *err);
/* Moves all; inside a transaction, before whoever changes `state` himself. */
PLOG_MUST_CHECK int plog_recent_settle(struct plog_recent *r,
                                       struct plog_error *err);

/* Whose rows are the records as they are now: `state` of the schema main, which
 * is faster to read, or the view `state_now`. */
const char *plog_recent_source(sqlite3 *db);

#endif
