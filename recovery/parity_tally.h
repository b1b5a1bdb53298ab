/*
 * parity_tally.h - whether the records are what the log folds to, yes or no.
 *
 * The fold in a table, one row a record, is slow where there are many: each
 * entry reads and writes somewhere else.  Here the entries are noted one behind
 * the other, parted by a hash of their record, then the store's rows in the
 * same way; and at the end each part is folded in memory.  What is noted has a
 * fixed size: payloads are places in lines, as in the store's rows.
 *
 * It answers only whether all agrees, and gives up on what it cannot fold:
 * merges, and times compared across instances.  What differs then, and where,
 * is for the fold in a table to say.
 *
 * A record is known by 128 bits of a keyed hash of its name.  The key is drawn
 * anew each time, so nobody can write a log or a store in which two records
 * look like one.
 *
 * Memory: PLOG_TALLY_PARTS buffers of 16 KiB, and a table of at most 4.5 MiB;
 * what is more lies in SQLite's temporary database.
 *
 * Each returns 0, PLOG_E_NOMEM, or a store error (store.h); what it cannot fold
 * is none.
 */
#ifndef PLOG_PARITY_TALLY_H
#define PLOG_PARITY_TALLY_H

#include "fold.h"

#define PLOG_TALLY_PARTS 128

/* 64 bytes; so they are written and read again. */
struct plog_tally_item {
    uint64_t key[2];       /* of the record */
    uint64_t seq_and_kind; /* the kind in the highest 8 bits */
    uint64_t last;         /* an entry's `previous`, a row's `last` */
    int64_t seconds;
    double confidence;
    uint64_t payload; /* where it lies, or a hash of that and more */
    uint32_t nanos;
    uint32_t version; /* of a row */
};

struct plog_tally {
    const struct plog_io *io;
    sqlite3_stmt *put, *get; /* of full buffers */
    unsigned char secret[16];
    struct plog_tally_item *items;      /* of all parts; NULL: not open */
    uint32_t held[PLOG_TALLY_PARTS];    /* ... in the part's buffer */
    uint64_t spilled[PLOG_TALLY_PARTS]; /* ... buffers written */
    bool across;           /* an entry of another instance was noted */
    bool by_time;          /* times were compared */
    bool given_up;         /* it cannot tell */
    bool without_rows;     /* only the entries among themselves */
    size_t slots_max;      /* of the table: a power of 2; tests lower it */
    struct plog_buf table; /* of the part that is folded */
    struct plog_buf last;  /* name of the row before */
};

/* What an entry does to its record: the parts of plog_entry that count. */
struct plog_tally_entry {
    struct plog_span resource, record_id;
    uint64_t seq, previous;      /* as the store's row has it; 0: none */
    enum plog_strategy strategy; /* in force */
    bool skipped;
    struct plog_instant instant;
    double confidence;
    uint64_t payload_at, payload_len; /* 0 where it is not the line's */
    struct plog_span from;            /* n 0: none */
    uint64_t from_seq;
    struct plog_span merged; /* n 0: the line's payload */
};

/* @db  its temporary database is used */
PLOG_MUST_CHECK int plog_tally_open(struct plog_tally *t,
                                    const struct plog_io *io, sqlite3 *db,
                                    struct plog_error *err);
void plog_tally_close(struct plog_tally *t); /* also one that is all 0 */

/* Records of a snapshot, where the log begins behind one; then entries in the
 * order of the log, then the store's rows in the order of their names: columns
 * as PLOG_STATE_COLUMNS. */
PLOG_MUST_CHECK int plog_tally_base(struct plog_tally *t,
                                    const struct plog_folded *r,
                                    struct plog_error *err);
PLOG_MUST_CHECK int plog_tally_add(struct plog_tally *t,
                                   const struct plog_tally_entry *e,
                                   struct plog_error *err);
PLOG_MUST_CHECK int plog_tally_row(struct plog_tally *t, sqlite3_stmt *row,
                                   struct plog_error *err);

/*
 * Folds.
 * @agrees   out: each entry was decided by its strategy and follows the one
 *           before it about its record, and the rows are what that gives
 * @records  out, then: how many
 */
PLOG_MUST_CHECK int plog_tally_end(struct plog_tally *t, bool *agrees,
                                   uint64_t *records, struct plog_error *err);

#endif
