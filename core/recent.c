/* recent.c - see recent.h. */
#include "recent.h"

#include <stddef.h>

#include "fold_row.h"

#define BYTES (4u << 20)       /* that are moved at the latest, in parts */
#define BYTES_MOST (64u << 20) /* more no writer leaves behind */
#define PARTS 64               /* that a move is done in at the most */
#define PART (1 + PLOG_RECENT_ROWS / 128) /* rows: few are moved at once */
#define SCANS 4 /* look-ups before a reader learns all */

void plog_recent_open(struct plog_recent *r, const struct plog_io *io,
                      sqlite3 *db, bool writes)
{
    memset(r, 0, sizeof *r);
    r->io = io;
    r->db = db;
    r->writes = writes;
    plog_fold_table_init(&r->table, io, SIZE_MAX); /* moved before */
    plog_buf_init(&r->undo, io);
}

static void drop_order(struct plog_recent *r)
{
    plog_free(r->io, r->order);
    r->order = NULL;
    r->count = r->moved = 0;
}

/* What memory knows goes. */
static void forget(struct plog_recent *r)
{
    static const struct plog_recent_mark none;
    drop_order(r);
    r->now = r->begin = r->mark = none;
    r->undo.len = 0;
    r->known = r->fresh = r->spoilt = false;
    plog_fold_table_fini(&r->table);
}

void plog_recent_close(struct plog_recent *r)
{
    sqlite3_stmt **all[] = {&r->get, &r->ends, &r->load,
                            &r->add, &r->drop, &r->put};
    if (!r->io)
        return;
    forget(r);
    plog_buf_fini(&r->undo);
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

/* ---- Rows in memory ----------------------------------------------------- */

/* All of a row but its key, which begins where padding may lie. */
#define VALUES offsetof(struct plog_fold_row, key)

struct undo {
    struct plog_fold_row *row;
    unsigned char was[VALUES];
};

static struct plog_fold_row *find(const struct plog_recent *r,
                                  struct plog_span resource,
                                  struct plog_span record_id)
{
    struct plog_fold_row *row =
        plog_fold_table_find(&r->table, resource, record_id);
    return row && row->dirty ? row : NULL;
}

/* Texts are changed in place: a row that has some cannot be had back. */
static int remember(struct plog_recent *r, struct plog_fold_row *row)
{
    struct undo u = {.row = row};
    memcpy(u.was, row, VALUES);
    r->spoilt |= row->texts != NULL;
    return plog_buf_add(&r->undo, &u, sizeof u);
}

static void back_to(struct plog_recent *r, const struct plog_recent_mark *mark)
{
    if (r->spoilt) {
        forget(r);
        r->torn = true;
        return;
    }
    for (; r->undo.len > mark->undo; r->undo.len -= sizeof(struct undo)) {
        struct undo u;
        memcpy(&u, r->undo.data + r->undo.len - sizeof u, sizeof u);
        memcpy(u.row, u.was, VALUES);
    }
    r->now = *mark;
}

static int keep(struct plog_recent *r, struct plog_span resource,
                struct plog_span record_id, const struct plog_current *now,
                bool undoable)
{
    struct plog_fold_row *row =
        plog_fold_table_find(&r->table, resource, record_id);
    if (!row)
        row = plog_fold_table_add(&r->table, resource, record_id);
    if (!row || (undoable && remember(r, row)) ||
        plog_fold_row_set(&r->table, row, now))
        return PLOG_E_NOMEM;
    row->dirty = true;
    r->now.last = now->last;
    if (r->now.rows++ == 0)
        r->now.first = now->last;
    r->now.bytes +=
        64 + resource.n + record_id.n + now->origin.n + now->merged.n;
    r->now.undo = r->undo.len;
    return 0;
}

/* ---- What the database has ---------------------------------------------- */

static int odd_row(struct plog_error *err, const char *what)
{
    plog_fail(err, PLOG_E_DIVERGED, "store.db: state_recent %s", what);
    plog_err_hint(err, "run: paritylog parity DIR");
    return PLOG_E_DIVERGED;
}

static int load_row(struct plog_recent *r, struct plog_error *err)
{
    struct plog_current now;
    struct plog_span resource = plog_sql_text(r->load, 0);
    struct plog_span record_id = plog_sql_text(r->load, 1);
    sqlite3_int64 nanos = sqlite3_column_int64(r->load, 6);
    plog_fold_row_read(r->load, 2, &now);
    if (!plog_fold_row_fits(&now) || nanos < 0 || nanos > 999999999 ||
        now.seq > now.last || resource.n > UINT16_MAX ||
        record_id.n > UINT16_MAX || now.merged.n > BYTES_MOST ||
        r->now.bytes > BYTES_MOST)
        return odd_row(err, "has rows that no fold makes");
    return keep(r, resource, record_id, &now, false)
               ? plog_fail(err, PLOG_E_NOMEM, "out of memory")
               : 0;
}

static int load(struct plog_recent *r, struct plog_error *err)
{
    int rc = ready(r, &r->load,
                   "SELECT resource,record_id," PLOG_FOLD_ROW_VALUES
                   " FROM main.state_recent WHERE last>?1 ORDER BY last",
                   err);
    if (rc)
        return rc;
    sqlite3_reset(r->load);
    plog_sql_bind_u64(r->load, 1, r->now.last);
    while (!rc && (rc = plog_sql_row(r->load, err)) == 0)
        rc = load_row(r, err);
    sqlite3_reset(r->load);
    return rc == PLOG_END ? 0 : rc;
}

/* Others add rows with higher seqs, or have moved all up to some seq. */
static int learn(struct plog_recent *r, struct plog_error *err)
{
    int rc = ready(r, &r->ends,
                   "SELECT min(last),(SELECT max(last) FROM main.state_recent)"
                   " FROM main.state_recent",
                   err);
    if (!rc)
        rc = plog_sql_row(r->ends, err);
    if (rc)
        return rc == PLOG_END ? odd_row(err, "gives no row") : rc;
    bool none = sqlite3_column_type(r->ends, 0) == SQLITE_NULL;
    uint64_t first = plog_sql_u64(r->ends, 0);
    uint64_t last = plog_sql_u64(r->ends, 1);
    sqlite3_reset(r->ends);
    if (!none && first == 0) /* or below */
        return odd_row(err, "has rows of no entry");
    if (!r->known || first != r->now.first || last < r->now.last)
        forget(r);
    if (last > r->now.last)
        rc = load(r, err);
    r->known = rc == 0;
    return rc;
}

static unsigned version_of(struct plog_recent *r)
{
    unsigned now = 0; /* where SQLite gives none, all is learnt each time */
    sqlite3_file_control(r->db, "main", SQLITE_FCNTL_DATA_VERSION, &now);
    return now;
}

/* ---- Transactions ------------------------------------------------------- */

void plog_recent_begin(struct plog_recent *r)
{
    unsigned now = r->writes ? version_of(r) : 0;
    r->takes = r->torn = false;
    r->fresh = r->known && now && now == r->version;
    r->undo.len = r->now.undo = 0;
    r->begin = r->mark = r->now;
}

/* The own commit gives the data a new version, too; another's is not seen
 * before the next transaction. */
void plog_recent_end(struct plog_recent *r, bool kept)
{
    if (!r->writes)
        return; /* what a reader has learnt stays */
    if (kept && r->fresh)
        r->version = version_of(r);
    if (!kept)
        back_to(r, &r->begin);
    r->spoilt = r->torn = r->fresh = false;
    r->undo.len = r->now.undo = 0;
    r->begin = r->mark = r->now;
}

void plog_recent_save(struct plog_recent *r)
{
    r->mark = r->now;
}

void plog_recent_back(struct plog_recent *r)
{
    back_to(r, &r->mark);
}

/* Before a transaction changes any: whoever puts a row has looked for it. */
static int learn_new(struct plog_recent *r, struct plog_error *err)
{
    if (r->fresh)
        return 0;
    int rc = learn(r, err);
    if (rc)
        forget(r);
    r->fresh = rc == 0;
    r->version = version_of(r);
    r->spoilt |= r->torn;
    if (!r->torn)
        r->begin = r->mark = r->now;
    return rc;
}

/* ---- Rows --------------------------------------------------------------- */

void plog_recent_expect(struct plog_recent *r, size_t deltas)
{
    r->takes = r->writes && deltas >= PLOG_RECENT_GROUP;
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

/* A reader that asks once scans; one that goes on asking learns. */
int plog_recent_find(struct plog_recent *r, struct plog_span resource,
                     struct plog_span record_id, struct plog_current *out,
                     struct plog_error *err)
{
    if (!r->writes && r->scans < SCANS) {
        r->scans++;
        return look_up(r, resource, record_id, out, err);
    }
    int rc = r->writes ? learn_new(r, err) : learn(r, err);
    if (!rc && r->writes && r->now.bytes >= 4 * BYTES)
        rc = plog_recent_settle(r, err);
    if (rc)
        return rc;
    struct plog_fold_row *row = find(r, resource, record_id);
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
    if (!find(r, resource, record_id) && (!r->takes || now->merged.n))
        return PLOG_END;
    int rc =
        ready(r, &r->add,
              "INSERT INTO main.state_recent VALUES" PLOG_FOLD_ROW_PLACES, err);
    if (!rc)
        rc = plog_fold_row_write(r->add, resource, record_id, now, err);
    if (!rc && keep(r, resource, record_id, now, true)) {
        r->spoilt = true;
        rc = plog_fail(err, PLOG_E_NOMEM, "out of memory");
    }
    return rc;
}

/* ---- Into the tree ------------------------------------------------------ */

bool plog_recent_is_due(const struct plog_recent *r)
{
    return r->known && (r->order || r->now.rows >= PLOG_RECENT_ROWS ||
                        r->now.bytes >= BYTES);
}

static int start(struct plog_recent *r, struct plog_error *err)
{
    drop_order(r);
    r->bound = r->now;
    return plog_fold_table_sort(&r->table, &r->order, &r->count)
               ? plog_fail(err, PLOG_E_NOMEM, "out of memory")
               : 0;
}

/* Up to the `to`-th: of each record what it is now, be it newer. */
static int move_rows(struct plog_recent *r, size_t to, struct plog_error *err)
{
    struct plog_current now;
    int rc = ready(r, &r->put,
                   "INSERT OR REPLACE INTO main.state"
                   " VALUES" PLOG_FOLD_ROW_PLACES,
                   err);
    while (!rc && r->moved < to) {
        struct plog_fold_row *row = r->order[r->moved].row;
        plog_fold_row_get(row, &now);
        rc = plog_fold_row_write(r->put, plog_fold_row_resource(row),
                                 plog_fold_row_record_id(row), &now, err);
        r->moved += !rc;
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
    plog_sql_bind_u64(r->drop, 1, r->bound.last);
    rc = plog_sql_run(r->drop, err);
    if (rc)
        return rc;
    forget(r);
    rc = learn(r, err);
    r->fresh = rc == 0;
    return rc;
}

/* As far as the rows that came since ask for, so that half as many more of
 * them is all that waits; all of it, when that was not done in time. */
static size_t next_stop(const struct plog_recent *r)
{
    uint64_t since = r->now.rows - r->bound.rows;
    uint64_t least = r->moved + r->count / PARTS + PART;
    uint64_t to = r->count * since * 2 / PLOG_RECENT_ROWS;
    if (r->now.rows > 2 * PLOG_RECENT_ROWS || r->now.bytes > 2 * BYTES)
        return r->count;
    to = to > least ? to : least;
    return to < r->count ? (size_t)to : r->count;
}

/* Begins when it has not, and goes on to `all` or the next stop.  What was
 * moved is taken back with the transaction, and begins anew then. */
static int go_on(struct plog_recent *r, bool all, struct plog_error *err)
{
    int rc = learn_new(r, err);
    if (!rc && (!r->order || all))
        rc = start(r, err);
    if (!rc)
        rc = move_rows(r, all ? r->count : next_stop(r), err);
    if (!rc && r->moved == r->count)
        rc = finish(r, err);
    if (rc)
        drop_order(r);
    r->spoilt = true;
    return rc;
}

int plog_recent_move(struct plog_recent *r, struct plog_error *err)
{
    return go_on(r, false, err);
}

int plog_recent_settle(struct plog_recent *r, struct plog_error *err)
{
    int rc = learn_new(r, err);
    if (!rc && r->now.rows > 0)
        rc = go_on(r, true, err);
    r->takes = false;
    return rc;
}

int plog_recent_source(sqlite3 *db, const char **name, struct plog_error *err)
{
    uint64_t one;
    int rc =
        plog_sql_number(db, "SELECT 1 FROM main.state_recent", 0, 0, &one, err);
    *name = rc == PLOG_END ? "state" : "state_now";
    return rc == PLOG_END ? 0 : rc;
}
