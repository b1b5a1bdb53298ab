/*
 * fold_load.c - all rows of `state` into memory at once.
 *
 * Who folds many entries looks nearly every record up, each by a way down the
 * tree.  Read from begin to end, in the order of the tree, a row costs a tenth
 * of that.
 */
#include "fold.h"
#include "fold_row.h"
#include "fold_table.h"

/* Bytes a row, counted high: what is loaded leaves room for rows that come. */
#define ROW_BYTES 144

/* Of main.state, not more than `most` and one. */
static int count_rows(sqlite3 *db, uint64_t most, uint64_t *out,
                      struct plog_error *err)
{
    return plog_sql_number(
        db, "SELECT count(*) FROM (SELECT 1 FROM main.state LIMIT ?1)",
        most + 1, 0, out, err);
}

/* A row that is here is as new, or newer. */
static int take_row(struct plog_fold_table *t, sqlite3_stmt *q, bool *all,
                    struct plog_error *err)
{
    struct plog_span resource = plog_sql_text(q, 0);
    struct plog_span record_id = plog_sql_text(q, 1);
    struct plog_current now;
    if (plog_fold_table_find(t, resource, record_id))
        return 0;
    plog_fold_row_read(q, 2, &now);
    if (!plog_fold_row_fits(&now) || resource.n > UINT16_MAX ||
        record_id.n > UINT16_MAX) {
        *all = false;
        return 0;
    }
    struct plog_fold_row *r = plog_fold_table_add(t, resource, record_id);
    return r && !plog_fold_row_set(t, r, &now)
               ? 0
               : plog_fail(err, PLOG_E_NOMEM, "out of memory");
}

static int load(struct plog_fold_table *t, sqlite3 *db, struct plog_error *err)
{
    sqlite3_stmt *q = NULL;
    bool all = true;
    int rc = plog_sql_prepare(db,
                              "SELECT resource,record_id," PLOG_FOLD_ROW_VALUES
                              " FROM main.state",
                              &q, err);
    while (!rc && (rc = plog_sql_row(q, err)) == 0) {
        rc = take_row(t, q, &all, err);
        if (!rc && plog_fold_table_is_full(t))
            break;
    }
    sqlite3_finalize(q);
    t->holds_all |= rc == PLOG_END && all;
    return rc < 0 ? rc : 0;
}

static int load_or_not(struct plog_fold_table *t, sqlite3 *db,
                       struct plog_error *err)
{
    uint64_t rows, most = t->bytes_max / ROW_BYTES, at = t->load_at;
    int rc = 0;
    t->load_at = UINT64_MAX; /* once */
    if (at == 0) {           /* how many are worth it? */
        rc = count_rows(db, most, &rows, err);
        at = rc || rows > most ? UINT64_MAX : rows / PLOG_FOLD_LOAD_SHARE;
    }
    if (rc)
        return rc;
    if (t->looked_up >= at)
        return load(t, db, err);
    t->load_at = at;
    return 0;
}

/* A damaged row that no entry asks for is in nobody's way. */
int plog_fold_load(struct plog_fold_table *t, sqlite3 *db,
                   struct plog_error *err)
{
    struct plog_error why = {0};
    int rc = load_or_not(t, db, &why);
    if (rc == PLOG_E_DIVERGED)
        return 0;
    if (rc && err)
        *err = why;
    return rc;
}
