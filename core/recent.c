/* recent.c - see recent.h. */
#include "recent.h"

#include "fold_row.h"

/* Tests have smaller ones, to come by all of this often. */
#ifndef PLOG_RECENT_GROUP
#define PLOG_RECENT_GROUP 8 /* deltas: fewer are as cheap in the tree */
#endif
#ifndef PLOG_RECENT_ROWS
#define PLOG_RECENT_ROWS 16384 /* some 5 for each page of 250,000 records */
#endif
#define BYTES (4u << 20)       /* that are moved at the latest */
#define BYTES_MOST (64u << 20) /* more no writer leaves behind */

void plog_recent_open(struct plog_recent *r, const struct plog_io *io,
                      sqlite3 *db, bool writes)
{
    memset(r, 0, sizeof *r);
    r->io = io;
    r->db = db;
    r->writes = writes;
    plog_fold_table_init(&r->table, io);
}

/* What memory knows goes. */
static void forget(struct plog_recent *r)
{
    plog_free(r->io, r->order);
    r->order = NULL;
    r->count = r->moved = r->bound_rows = r->rows = 0;
    r->bound = r->first = r->last = 0;
    r->known = r->spoilt = false;
    plog_fold_table_fini(&r->table);
}

void plog_recent_close(struct plog_recent *r)
{
    sqlite3_stmt **all[] = {&r->get, &r->ends, &r->load,
                            &r->add, &r->drop, &r->put};
    if (!r->io)
        return;
    forget(r);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        sqlite3_finalize(*all[i]);
        *all[i] = NULL;
    }
}

/* Most handles never need most of them. */
static int ready(struct plog_recent *r, sqlite3_stmt **s, const char *sql,
                 struct plog_error *err)
{
    return *s ? 0 : plog_sql_prepare(r->db, sql, s, err);
}

/* ---- What the database has ---------------------------------------------- */

static int odd_row(struct plog_error *err, const char *what)
{
    plog_fail(err, PLOG_E_DIVERGED, "store.db: state_recent %s", what);
    plog_err_hint(err, "run: paritylog parity DIR");
    return PLOG_E_DIVERGED;
}

static int keep(struct plog_recent *r, struct plog_span resource,
                struct plog_span record_id, const struct plog_current *now,
                struct plog_error *err)
{
    struct plog_fold_row *row =
        plog_fold_table_find(&r->table, resource, record_id);
    if (!row)
        row = plog_fold_table_add(&r->table, resource, record_id);
    if (!row || plog_fold_row_set(&r->table, row, now))
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    row->dirty = true;
    r->last = now->last;
    if (r->rows++ == 0)
        r->first = now->last;
    return 0;
}

static int load(struct plog_recent *r, struct plog_error *err)
{
    struct plog_current now;
    int rc = ready(r, &r->load,
                   "SELECT resource,record_id," PLOG_FOLD_ROW_VALUES
                   " FROM main.state_recent WHERE last>?1 ORDER BY last",
                   err);
    if (rc)
        return rc;
    sqlite3_reset(r->load);
    plog_sql_bind_u64(r->load, 1, r->last);
    while (!rc && (rc = plog_sql_row(r->load, err)) == 0) {
        struct plog_span resource = plog_sql_text(r->load, 0);
        struct plog_span record_id = plog_sql_text(r->load, 1);
        plog_fold_row_read(r->load, 2, &now);
        if (!plog_fold_row_fits(&now) || resource.n > UINT16_MAX ||
            record_id.n > UINT16_MAX || r->table.bytes > BYTES_MOST)
            rc = odd_row(err, "has rows that no fold makes");
        else
            rc = keep(r, resource, record_id, &now, err);
    }
    sqlite3_reset(r->load);
    return rc == PLOG_END ? 0 : rc;
}

/* Others add rows with higher seqs, or have moved all up to some seq. */
static int learn(struct plog_recent *r, struct plog_error *err)
{
    int rc = ready(r, &r->ends,
                   "SELECT (SELECT min(last) FROM main.state_recent),"
                   "(SELECT max(last) FROM main.state_recent)",
                   err);
    if (!rc)
        rc = plog_sql_row(r->ends, err);
    if (rc)
        return rc == PLOG_END ? odd_row(err, "gives no row") : rc;
    uint64_t first = plog_sql_u64(r->ends, 0);
    uint64_t last = plog_sql_u64(r->ends, 1);
    sqlite3_reset(r->ends);
    if (!r->known || first != r->first || last < r->last)
        forget(r);
    if (last > r->last)
        rc = load(r, err);
    r->known = rc == 0;
    return rc;
}

/* A part of the transaction was taken back: what is learnt now may be, too. */
static int learn_again(struct plog_recent *r, struct plog_error *err)
{
    if (r->known)
        return 0;
    int rc = learn(r, err);
    r->spoilt = true;
    return rc;
}

int plog_recent_begin(struct plog_recent *r, struct plog_error *err)
{
    unsigned now = 0;
    r->takes = false;
    if (!r->writes)
        return 0;
    if (sqlite3_file_control(r->db, "main", SQLITE_FCNTL_DATA_VERSION, &now))
        return plog_fail(err, PLOG_E_IO, "SQLite gives no version of its data");
    int rc = r->known && now == r->version ? 0 : learn(r, err);
    r->version = now;
    if (rc)
        forget(r);
    return rc;
}

void plog_recent_end(struct plog_recent *r, bool kept)
{
    if (!kept && r->spoilt)
        forget(r);
    r->spoilt = false;
}

/* ---- Rows --------------------------------------------------------------- */

void plog_recent_expect(struct plog_recent *r, size_t deltas)
{
    r->takes = r->writes && deltas >= PLOG_RECENT_GROUP;
}

bool plog_recent_takes(const struct plog_recent *r)
{
    return r->takes || r->rows > 0;
}

static int look_up(struct plog_recent *r, struct plog_span resource,
                   struct plog_span record_id, struct plog_current *out,
                   struct plog_error *err)
{
    int rc = ready(r, &r->get,
                   "SELECT " PLOG_FOLD_ROW_VALUES " FROM main.state_recent"
                   " WHERE resource=?1 AND record_id=?2"
                   " ORDER BY last DESC LIMIT 1",
                   err);
    if (rc)
        return rc;
    sqlite3_reset(r->get);
    plog_sql_bind(r->get, 1, resource);
    plog_sql_bind(r->get, 2, record_id);
    rc = plog_sql_row(r->get, err);
    if (!rc)
        plog_fold_row_read(r->get, 0, out);
    return rc;
}

int plog_recent_find(struct plog_recent *r, struct plog_span resource,
                     struct plog_span record_id, struct plog_current *out,
                     struct plog_error *err)
{
    if (!r->writes)
        return look_up(r, resource, record_id, out, err);
    int rc = learn_again(r, err);
    if (!rc && plog_fold_table_is_full(&r->table))
        rc = plog_recent_settle(r, err);
    if (rc)
        return rc;
    struct plog_fold_row *row =
        plog_fold_table_find(&r->table, resource, record_id);
    if (!row)
        return PLOG_END;
    plog_fold_row_get(row, out);
    out->row = NULL; /* it is changed by plog_recent_put alone */
    return 0;
}

/* The database first: what it refuses, memory does not have. */
int plog_recent_put(struct plog_recent *r, struct plog_span resource,
                    struct plog_span record_id, const struct plog_current *now,
                    struct plog_error *err)
{
    int rc =
        ready(r, &r->add,
              "INSERT INTO main.state_recent VALUES" PLOG_FOLD_ROW_PLACES, err);
    if (!rc)
        rc = plog_fold_row_write(r->add, resource, record_id, now, err);
    if (rc)
        return rc;
    r->spoilt = true;
    return keep(r, resource, record_id, now, err);
}

/* ---- Into the tree ------------------------------------------------------ */

bool plog_recent_is_due(const struct plog_recent *r)
{
    return r->known &&
           (r->order || r->rows >= PLOG_RECENT_ROWS || r->table.bytes >= BYTES);
}

static int start(struct plog_recent *r, struct plog_error *err)
{
    if (plog_fold_table_sort(&r->table, &r->order, &r->count))
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    r->moved = 0;
    r->bound = r->last;
    r->bound_rows = r->rows;
    return 0;
}

/* Up to the `to`-th: of each record what it is now, be it newer. */
static int move_rows(struct plog_recent *r, size_t to, struct plog_error *err)
{
    struct plog_current now;
    int rc = ready(r, &r->put,
                   "INSERT OR REPLACE INTO main.state"
                   " VALUES" PLOG_FOLD_ROW_PLACES,
                   err);
    r->spoilt = true;
    for (; !rc && r->moved < to; r->moved++) {
        struct plog_fold_row *row = r->order[r->moved].row;
        plog_fold_row_get(row, &now);
        rc = plog_fold_row_write(r->put, plog_fold_row_resource(row),
                                 plog_fold_row_record_id(row), &now, err);
    }
    return rc;
}

/* All up to the bound are in the tree; those that came since stay. */
static int finish(struct plog_recent *r, struct plog_error *err)
{
    int rc =
        ready(r, &r->drop, "DELETE FROM main.state_recent WHERE last<=?1", err);
    if (rc)
        return rc;
    plog_sql_bind_u64(r->drop, 1, r->bound);
    rc = plog_sql_run(r->drop, err);
    if (rc)
        return rc;
    forget(r);
    rc = learn(r, err);
    r->spoilt = true;
    return rc;
}

/* As far as the rows that came since ask for, so that a quarter more of them
 * is all that ever waits. */
static size_t next_stop(const struct plog_recent *r)
{
    size_t since = r->rows - r->bound_rows;
    size_t least = r->moved + r->count / 64 + 1;
    size_t to = r->count * since * 4 / PLOG_RECENT_ROWS;
    to = to > least ? to : least;
    return to < r->count && r->table.bytes < 2 * BYTES ? to : r->count;
}

int plog_recent_move(struct plog_recent *r, struct plog_error *err)
{
    int rc = r->order ? 0 : start(r, err);
    if (!rc)
        rc = move_rows(r, next_stop(r), err);
    return rc || r->moved < r->count ? rc : finish(r, err);
}

int plog_recent_settle(struct plog_recent *r, struct plog_error *err)
{
    int rc = learn_again(r, err);
    if (rc || r->rows == 0)
        return rc;
    plog_free(r->io, r->order); /* begun anew, it takes all */
    r->order = NULL;
    rc = start(r, err);
    if (!rc)
        rc = move_rows(r, r->count, err);
    if (!rc)
        rc = finish(r, err);
    r->takes = false;
    return rc;
}

const char *plog_recent_source(sqlite3 *db)
{
    sqlite3_stmt *q = NULL;
    bool empty = sqlite3_prepare_v2(db, "SELECT 1 FROM main.state_recent", -1,
                                    &q, NULL) == SQLITE_OK &&
                 sqlite3_step(q) == SQLITE_DONE;
    sqlite3_finalize(q);
    return empty ? "state" : "state_now";
}
