/*
 * fold.h - what the deltas of a log make of the records.
 *
 * The fold keeps one narrow row a record in a table `state`: which entry it
 * stands on, not its payload, which is read from that entry's line; a merged
 * payload is kept only where there is one.  The same code folds into the
 * store's own table (schema "main") and into a scratch table against which
 * parity compares (schema "temp").
 *
 * Whether a delta applies is decided once, when it is appended, and logged.
 * A replay follows the logged outcome and compares it with its own decision.
 *
 * What returns int and says nothing else gives 0, PLOG_E_NOMEM or a store error
 * (store.h), line_of's among them.
 */
#ifndef PLOG_FOLD_H
#define PLOG_FOLD_H

#include "line.h"
#include "merge.h"
#include "sql.h"

/* Columns of `state`, for CREATE TABLE and for comparing two of them. */
#define PLOG_STATE_COLUMNS                                                     \
    PLOG_STATE_COLUMNS_LAST(" NOT NULL") ", PRIMARY KEY(resource, record_id)"
/* Of `state_recent`: the same, one row for each time. */
#define PLOG_RECENT_COLUMNS PLOG_STATE_COLUMNS_LAST(" PRIMARY KEY")
#define PLOG_STATE_COLUMNS_LAST(is)                                            \
    "resource TEXT NOT NULL, record_id TEXT NOT NULL,"                         \
    " seq INTEGER NOT NULL,"     /* entry it stands on; 0: none applied yet */ \
    " last INTEGER" is ","       /* newest entry about it, losers included */  \
    " version INTEGER NOT NULL," /* applied deltas */                          \
    " seconds INTEGER, nanos INTEGER," /* occurred_at of seq as an instant */  \
    " confidence REAL,"                                                        \
    " origin TEXT, origin_seq INTEGER," /* NULL: this log's own delta */       \
    " payload_at INTEGER, payload_len INTEGER," /* in the line; 0: none */     \
    " merged TEXT" /* the payload where it is not the line's */
#define PLOG_STATE_OPTIONS "STRICT, WITHOUT ROWID"
#define PLOG_STATE_WIDTH 13

/* One row; texts live until the next call on the same fold. */
struct plog_current {
    bool known;   /* some entry is about this record */
    bool present; /* neither absent nor a tombstone */
    uint64_t seq, last, version;
    struct plog_instant instant;
    double confidence;
    struct plog_span origin; /* n 0: own */
    uint64_t origin_seq;
    uint64_t payload_at, payload_len;
    struct plog_span merged;   /* n 0: none */
    struct plog_fold_row *row; /* where it is kept in memory, or NULL */
};

struct plog_fold {
    const struct plog_io *io;
    const char *origin; /* this log's */
    /* Gives the line of an applied entry, valid until the next call. */
    int (*line_of)(void *arg, uint64_t seq, struct plog_span *line,
                   struct plog_error *err);
    void *line_arg;
    /* Asked under strategy `custom` when a new delta is decided; else NULL. */
    const struct plog_options *options;
    sqlite3_stmt *get, *put;
    /* Keeps rows in memory (fold_table.h), borrowed; NULL: all go to the
     * database at once. */
    struct plog_fold_table *table;
    sqlite3 *loads; /* where all its rows may come from at once; or NULL */
    /* Rows that hide those of `state` (recent.h), borrowed; NULL: none do. */
    struct plog_recent *recent;
    struct plog_buf base, merged;    /* payloads of the merge under way */
    struct plog_entry_parser parser; /* of the entry a record stands on */
};

/* What a strategy makes of a delta. */
struct plog_decision {
    bool skipped;
    bool by_callback;        /* the log must say `merged` */
    struct plog_span merged; /* n 0: the delta's own payload stands */
};

/* Prepares the statements on `schema`.state, which exists.  `origin` and the
 * callbacks are set by the caller beforehand. */
PLOG_MUST_CHECK int plog_fold_open(struct plog_fold *f, sqlite3 *db,
                                   const char *schema, struct plog_error *err);
void plog_fold_close(struct plog_fold *f);

/* Writes the rows that only memory has; it keeps them all.  Whoever else is to
 * see `state` needs that, also whoever commits.  Without a table there is
 * nothing to do. */
PLOG_MUST_CHECK int plog_fold_write(struct plog_fold *f,
                                    struct plog_error *err);
/* The same, and memory keeps none: what others write is seen again. */
PLOG_MUST_CHECK int plog_fold_forget(struct plog_fold *f,
                                     struct plog_error *err);

/* Reads the row of a record; `out->known` is false when there is none. */
PLOG_MUST_CHECK int plog_fold_get(struct plog_fold *f,
                                  struct plog_span resource,
                                  struct plog_span record_id,
                                  struct plog_current *out,
                                  struct plog_error *err);

/*
 * Decides a new delta under `strategy`.
 * @limit  bytes that a merged payload may have
 * Returns 0; PLOG_E_INPUT when the merge is over the limit or the custom
 * callback refused or is missing; PLOG_E_NOMEM or a store error.
 */
PLOG_MUST_CHECK int plog_fold_decide(struct plog_fold *f,
                                     enum plog_strategy strategy,
                                     const struct plog_entry *e,
                                     const struct plog_current *now,
                                     uint64_t limit, struct plog_decision *out,
                                     struct plog_error *err);

/*
 * Writes the row that entry `e` makes of `now`.
 * @payload_at  where the payload starts in the entry's line
 * @d           the decision, or what the log says
 */
PLOG_MUST_CHECK int plog_fold_put(struct plog_fold *f,
                                  const struct plog_entry *e,
                                  const struct plog_current *now,
                                  const struct plog_decision *d,
                                  size_t payload_at, struct plog_error *err);

/*
 * Folds a logged entry: follows its outcome, folding merges anew.
 * @agrees  out: whether a built-in strategy decides the same
 */
PLOG_MUST_CHECK int plog_fold_logged(struct plog_fold *f,
                                     enum plog_strategy strategy,
                                     const struct plog_entry *e,
                                     struct plog_span line, bool *agrees,
                                     struct plog_current *before,
                                     struct plog_error *err);

/* Whether `e` has a merged payload that its strategy does not choose: one is of
 * a custom strategy alone, and of what that applied.  It is folded all the
 * same, for the log is the truth. */
static inline bool plog_fold_merged_stray(enum plog_strategy strategy,
                                          const struct plog_entry *e)
{
    return e->merged.n && (strategy != PLOG_CUSTOM || e->skipped);
}

/* A row as a snapshot has it. */
struct plog_folded {
    struct plog_span resource, record_id; /* decoded */
    uint64_t last, version;
    const struct plog_entry *entry; /* it stands on; NULL: none was applied */
    struct plog_span line;          /* of that */
    struct plog_span merged;        /* the payload where it is not the line's */
};
/* Writes that row. */
PLOG_MUST_CHECK int plog_fold_restore(struct plog_fold *f,
                                      const struct plog_folded *r,
                                      struct plog_error *err);

/* The payload of a row: from `merged` or from its line, valid until the next
 * call; n 0 for a tombstone. */
PLOG_MUST_CHECK int plog_fold_payload(struct plog_fold *f,
                                      const struct plog_current *now,
                                      struct plog_span *out,
                                      struct plog_error *err);

#endif
