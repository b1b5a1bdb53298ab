/*
 * fold_table.h - rows of `state` in memory, between a fold and its table.
 *
 * A replay touches the same records again and again, in any order; SQLite
 * pays for each touch with a way down its tree and a page that is written
 * anew.  Here a row is read once, folded in memory, and written once, sorted
 * by its key, when the transaction ends or the memory is used up.
 *
 * Memory: what it is given, and what one entry needs.
 */
#ifndef PLOG_FOLD_TABLE_H
#define PLOG_FOLD_TABLE_H

#include "fold.h"

/* A row, as small as it can be, for the more of them there is room the less
 * often one is read again. */
struct plog_fold_row {
    uint64_t seq, last, version;
    int64_t seconds;
    double confidence;
    struct plog_fold_texts *texts; /* NULL: no text, and origin_seq is seq */
    uint32_t hash, nanos, payload_at, payload_len;
    uint16_t resource_n, record_id_n;
    bool known; /* some entry is about it; false: it is not in the database */
    bool dirty; /* the database has another row, or none */
    char key[]; /* resource, NUL, record id */
};

/* What few rows have. */
struct plog_fold_texts {
    uint64_t origin_seq;
    size_t cap, origin_n, merged_n;
    char bytes[]; /* origin, merged */
};

struct plog_fold_table {
    const struct plog_io *io;
    struct plog_fold_row **slots;  /* open addressing; NULL: free */
    size_t slot_count, row_count;  /* slot_count is a power of 2, or 0 */
    struct plog_fold_chunk *chunk; /* the one that is filled */
    size_t bytes;                  /* of all chunks and slots */
    size_t bytes_max;              /* when it is full */
    /* All rows of the database are here: one that is not here is not there
     * either. */
    bool holds_all;
    /* Rows looked up in the database, and at how many all are loaded: once, for
     * where they are forgotten again there was no room.  0: not asked yet. */
    uint64_t looked_up, load_at;
};

/* Look-ups before loading all rows is thought of, and how many rows then may
 * be there for each. */
#define PLOG_FOLD_LOAD_LEAST 4096
#define PLOG_FOLD_LOAD_SHARE 10

void plog_fold_table_init(struct plog_fold_table *t, const struct plog_io *io,
                          size_t bytes_max);
/* Forgets all rows, also those that were not written. */
void plog_fold_table_fini(struct plog_fold_table *t);

/* Whether it is time to write and forget. */
bool plog_fold_table_is_full(const struct plog_fold_table *t);

/* The row of a record, NULL when it is not in memory. */
struct plog_fold_row *plog_fold_table_find(const struct plog_fold_table *t,
                                           struct plog_span resource,
                                           struct plog_span record_id);
/* A new one, not known and not dirty.  NULL: out of memory. */
struct plog_fold_row *plog_fold_table_add(struct plog_fold_table *t,
                                          struct plog_span resource,
                                          struct plog_span record_id);

/* Whether a row can hold these values; any that a fold makes, but perhaps not
 * those of a damaged store. */
bool plog_fold_row_fits(const struct plog_current *now);
/* Gives a row the values of `now`, whose texts may be its own.  Returns 0 or
 * PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_fold_row_set(struct plog_fold_table *t,
                                      struct plog_fold_row *r,
                                      const struct plog_current *now);
/* Its values; the texts are its own. */
void plog_fold_row_get(struct plog_fold_row *r, struct plog_current *out);
struct plog_span plog_fold_row_resource(const struct plog_fold_row *r);
struct plog_span plog_fold_row_record_id(const struct plog_fold_row *r);

/* Loads all rows of main.state, when there are not too many for the table, nor
 * for what is looked up.  Returns 0, also when some cannot be read for damage;
 * PLOG_E_NOMEM; or a store error. */
PLOG_MUST_CHECK int plog_fold_load(struct plog_fold_table *t, sqlite3 *db,
                                   struct plog_error *err);

/* A row in the order of keys. */
struct plog_fold_place {
    uint64_t head; /* bytes of the key behind what all keys share */
    struct plog_fold_row *row;
};
/* The rows that are dirty, sorted as the database sorts them.
 * @out  for the caller to free; NULL when there is none
 * Returns 0 or PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_fold_table_sort(const struct plog_fold_table *t,
                                         struct plog_fold_place **out,
                                         size_t *count);

#endif
