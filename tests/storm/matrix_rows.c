/*
 * matrix_rows.c - the damage matrix of the store's rows.
 *
 * Of two logs every column of every row of every table of the store is set to
 * other values, every row is removed, and rows are added; by SQL, past the
 * library.  Parity must find it, in the store and nowhere else, and of an
 * event or a commit name the row.  Left out is what docs/FORMAT.md, section 9,
 * says is no function of the log, or compared by nobody.
 *
 * The second log was rotated to another key, redacted, compacted and trimmed,
 * so that no table is empty.
 *
 * STORM_BUDGET (seconds, 10): cases drawn by CHECK_SEED until the time is
 * over; STORM_ALL: every case.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "halves.h"
#include "sample.h"

#define CHANGES 6 /* values a column is set to */
#define ROWS_MAX 200

/* ---- The tables ---------------------------------------------------------- */

static const struct table {
    const char *name, *key; /* its columns */
    const char *free;       /* columns that are no function of the log */
    bool floored;           /* rows up to the floor are compared by nobody */
    bool named;             /* a finding names the row, by its key */
} tables[] = {
    {"meta", "id", " base ", false, false},
    {"events", "seq", "", true, true},
    {"checkpoints", "size", "", true, true},
    {"segments", "first", "", true, false},
    {"rotations", "seq", "", false, false},
    {"redactions", "seq", " pending ", false, false},
    {"state", "resource,record_id", "", false, false},
    {"base_state", "resource,record_id", "", false, false},
    {"cursors", "source,resource", "", false, false},
    {"peers", "name", " cursor root seen ", false, false},
    {"compactions", "seq", " pending ", false, false},
    {"old_ids", "id", "", false, false},
};
#define TABLES (sizeof tables / sizeof *tables)

struct legs {
    struct world w;
    int64_t floor;
    int rows[TABLES], columns[TABLES];
    uint64_t cases; /* of all tables */
    char *store;    /* the bytes of store.db */
    size_t size;
};

static struct legs legs[2];

/* One change: `column` -1 a row removed, -2 one added. */
struct change {
    size_t table;
    int row, column, how;
};

static uint64_t cases_of(const struct legs *l, size_t t)
{
    return (uint64_t)l->rows[t] *
           (uint64_t)(l->columns[t] * CHANGES + 1 + CHANGES);
}

static struct change change_at(const struct legs *l, uint64_t i)
{
    struct change c = {0, 0, 0, 0};
    while (i >= cases_of(l, c.table))
        i -= cases_of(l, c.table++);
    uint64_t each = cases_of(l, c.table) / (uint64_t)l->rows[c.table];
    c.row = (int)(i / each);
    int rest = (int)(i % each), columns = l->columns[c.table] * CHANGES;
    c.how = rest % CHANGES;
    c.column = rest < columns             ? rest / CHANGES
               : rest < columns + CHANGES ? -2
                                          : -1;
    return c;
}

/* ---- Other values -------------------------------------------------------- */

static void bind_integer(sqlite3_stmt *s, sqlite3_int64 v, int how)
{
    const sqlite3_int64 all[CHANGES] = {0, v + 1, v - 1, 0, 1LL << 62, -v - 3};
    sqlite3_bind_int64(s, 1, all[how]);
}

static void bind_real(sqlite3_stmt *s, double v, int how)
{
    double next = v;
    uint64_t bits;
    memcpy(&bits, &next, sizeof bits);
    bits ^= 1; /* the nearest other one */
    memcpy(&next, &bits, sizeof bits);
    const double all[CHANGES] = {0, v + 0.25, -v, 0, next, v / 3};
    sqlite3_bind_double(s, 1, all[how]);
}

static void bind_bytes(sqlite3_stmt *s, sqlite3_value *old, int how)
{
    static char out[70000];
    bool text = sqlite3_value_type(old) == SQLITE_TEXT;
    const char *p =
        text ? (const char *)sqlite3_value_text(old) : sqlite3_value_blob(old);
    int n = sqlite3_value_bytes(old);
    if (n > (int)sizeof out - 2)
        abort();
    if (n)
        memcpy(out, p, (size_t)n);
    out[n] = text ? 'x' : '\0';
    if (how == 1 || (how == 5 && n < 2)) /* one more */
        n++;
    else if (how == 2 && n > 0)
        n--;
    else if (how == 3)
        n = 0;
    else if (how == 4 && n > 0)
        out[n / 2] ^= 1;
    else if (how == 5) { /* a NUL inside, one more at the end */
        memmove(out + 2, out + 1, (size_t)n - 1);
        out[1] = '\0';
        n++;
    }
    if (text)
        sqlite3_bind_text(s, 1, out, n, SQLITE_TRANSIENT);
    else
        sqlite3_bind_blob(s, 1, out, n, SQLITE_TRANSIENT);
}

static void bind_other(sqlite3_stmt *s, sqlite3_value *old, int how)
{
    int type = sqlite3_value_type(old);
    if (how == 0 && type != SQLITE_NULL)
        sqlite3_bind_null(s, 1);
    else if (type == SQLITE_INTEGER)
        bind_integer(s, sqlite3_value_int64(old), how);
    else if (type == SQLITE_FLOAT)
        bind_real(s, sqlite3_value_double(old), how);
    else if (type == SQLITE_NULL && how % 2)
        sqlite3_bind_text(s, 1, "x", 1, SQLITE_STATIC);
    else if (type == SQLITE_NULL)
        sqlite3_bind_int64(s, 1, how + 1);
    else
        bind_bytes(s, old, how);
}

static bool equal(sqlite3_stmt *a, int x, sqlite3_stmt *b, int y)
{
    int type = sqlite3_column_type(a, x), n = sqlite3_column_bytes(a, x);
    if (type != sqlite3_column_type(b, y))
        return false;
    if (type == SQLITE_FLOAT) {
        double p = sqlite3_column_double(a, x), q = sqlite3_column_double(b, y);
        return memcmp(&p, &q, sizeof p) == 0;
    }
    return n == sqlite3_column_bytes(b, y) &&
           (n == 0 || memcmp(sqlite3_column_blob(a, x),
                             sqlite3_column_blob(b, y), (size_t)n) == 0);
}

/* ---- One change ---------------------------------------------------------- */

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s = NULL;
    if (!CHECK_INT(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK))
        printf("#   %s: %s\n", sql, sqlite3_errmsg(db));
    return s;
}

/* The row of a change: all columns, and its place as a condition. */
static sqlite3_stmt *select_row(sqlite3 *db, const struct change *c)
{
    char sql[200];
    const struct table *t = &tables[c->table];
    snprintf(sql, sizeof sql, "SELECT * FROM %s ORDER BY %s LIMIT 1 OFFSET %d",
             t->name, t->key, c->row);
    sqlite3_stmt *s = prepare(db, sql);
    CHECK_INT(sqlite3_step(s), SQLITE_ROW);
    return s;
}

static void condition(const struct change *c, char *out, size_t cap)
{
    const struct table *t = &tables[c->table];
    snprintf(out, cap,
             "(%s) IN (SELECT %s FROM %s ORDER BY %s LIMIT 1 OFFSET"
             " %d)",
             t->key, t->key, t->name, t->key, c->row);
}

/* The row once more, with another key. */
static sqlite3_stmt *add_row(sqlite3 *db, const struct change *c)
{
    char sql[700], where[300];
    const struct table *t = &tables[c->table];
    condition(c, where, sizeof where);
    snprintf(sql, sizeof sql,
             "CREATE TEMP TABLE one AS SELECT * FROM %s WHERE %s", t->name,
             where);
    CHECK_INT(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    if (c->table == 1) /* events: its id is another one's */
        CHECK_INT(sqlite3_exec(db, "UPDATE one SET id=NULL", NULL, NULL, NULL),
                  SQLITE_OK);
    size_t first = strcspn(t->key, ",");
    snprintf(sql, sizeof sql, "UPDATE one SET %.*s=?1", (int)first, t->key);
    sqlite3_stmt *row = select_row(db, c), *s = prepare(db, sql);
    for (int i = 0; i < sqlite3_column_count(row); i++)
        if (!strncmp(sqlite3_column_name(row, i), t->key, first))
            bind_other(s, sqlite3_column_value(row, i), c->how);
    sqlite3_finalize(row);
    CHECK_INT(sqlite3_step(s), SQLITE_DONE);
    sqlite3_finalize(s);
    snprintf(sql, sizeof sql, "INSERT INTO %s SELECT * FROM one", t->name);
    return prepare(db, sql);
}

struct outcome {
    bool changed;  /* SQLite took it, and it is another value */
    bool outside;  /* of parity */
    bool is_key;   /* the row has another name now */
    uint64_t name; /* of the row, where it is a number */
    int64_t key;   /* the least one that it has or had */
    char what[200];
};

static void change_column(sqlite3 *db, const struct change *c,
                          struct outcome *out)
{
    char sql[400], where[300], name[40];
    const struct table *t = &tables[c->table];
    sqlite3_stmt *old = select_row(db, c);
    snprintf(name, sizeof name, " %.30s ", sqlite3_column_name(old, c->column));
    condition(c, where, sizeof where);
    snprintf(sql, sizeof sql, "UPDATE %s SET%s=?1 WHERE %s", t->name, name,
             where);
    sqlite3_stmt *s = prepare(db, sql), *now = NULL;
    bind_other(s, sqlite3_column_value(old, c->column), c->how);
    out->key = sqlite3_column_int64(old, 0);
    out->name = (uint64_t)out->key;
    out->outside |= strstr(t->free, name) != NULL;
    out->is_key = strncmp(t->key, name + 1, strlen(name) - 2) == 0;
    snprintf(out->what, sizeof out->what, "%s, row %d:%schanged (%d)", t->name,
             c->row, name, c->how);
    sqlite3_exec(db, "BEGIN; PRAGMA ignore_check_constraints=1", NULL, NULL,
                 NULL);
    out->changed = sqlite3_step(s) == SQLITE_DONE;
    if (out->changed && !out->is_key) {
        now = select_row(db, c);
        out->changed = !equal(old, c->column, now, c->column);
    }
    sqlite3_finalize(old);
    sqlite3_finalize(now);
    sqlite3_finalize(s);
    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
}

/* The key of the row that was added. */
static int64_t added_key(sqlite3 *db, const struct table *t)
{
    char sql[100];
    snprintf(sql, sizeof sql, "SELECT %s FROM one", t->key);
    sqlite3_stmt *s = prepare(db, sql);
    int64_t key =
        sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_finalize(s);
    return key;
}

static void change_row(sqlite3 *db, const struct change *c, struct outcome *out)
{
    char sql[400], where[300];
    const struct table *t = &tables[c->table];
    sqlite3_stmt *old = select_row(db, c), *s;
    out->key = sqlite3_column_int64(old, 0);
    out->name = (uint64_t)out->key;
    sqlite3_finalize(old);
    condition(c, where, sizeof where);
    snprintf(sql, sizeof sql, "DELETE FROM %s WHERE %s", t->name, where);
    s = c->column == -1 ? prepare(db, sql) : add_row(db, c);
    snprintf(out->what, sizeof out->what, "%s, row %d: %s (%d)", t->name,
             c->row, c->column == -1 ? "removed" : "added again", c->how);
    out->changed = sqlite3_step(s) == SQLITE_DONE && sqlite3_changes(db) > 0;
    out->is_key = c->column == -2;
    sqlite3_finalize(s);
    if (out->is_key)
        out->key = added_key(db, t);
}

static void make_change(const struct legs *l, const struct world *w,
                        const struct change *c, struct outcome *out)
{
    sqlite3 *db = NULL;
    memset(out, 0, sizeof *out);
    CHECK_INT(sqlite3_open(world_path(w, "store.db"), &db), SQLITE_OK);
    if (c->column >= 0)
        change_column(db, c, out);
    else
        change_row(db, c, out);
    if (tables[c->table].floored && out->key <= l->floor)
        out->outside = true;
    CHECK_INT(sqlite3_close(db), SQLITE_OK);
}

/* ---- All of them --------------------------------------------------------- */

struct tally {
    uint64_t cases, refused, outside, found, wrong;
    size_t at_leg;
    uint64_t at;
};

static const char *judge(const struct change *c, const struct outcome *o,
                         const struct world_found *f)
{
    const struct table *t = &tables[c->table];
    if (f->report.verdict == 0 || f->count == 0)
        return "it was not found";
    if (f->first[0].leg != PLOG_LEG_STORE)
        return "the log is blamed, and it is whole";
    if (t->named && !o->is_key && f->first[0].seq != o->name)
        return "another row is named";
    return NULL;
}

static void run_case(size_t leg, uint64_t i, const struct world *w,
                     struct tally *t)
{
    const struct legs *l = &legs[leg];
    struct change c = change_at(l, i);
    struct outcome o;
    struct world_found f;
    t->at_leg = leg;
    t->at = i;
    make_change(l, w, &c, &o);
    t->cases++;
    if (!o.changed) {
        t->refused++;
    } else {
        world_parity(w, NULL, &f);
        const char *why = o.outside ? NULL : judge(&c, &o, &f);
        t->outside += o.outside;
        t->found += f.count > 0;
        if (why && t->wrong++ < 400)
            printf("# log %zu, case %llu: %s: %s; %u findings: %s of seq"
                   " %llu\n",
                   leg, (unsigned long long)i, o.what, why, f.count,
                   f.count ? plog_code_word(f.first[0].verdict) : "-",
                   f.count ? (unsigned long long)f.first[0].seq : 0);
    }
    world_write(world_path(w, "store.db"), l->store, l->size);
    unlink(world_path(w, "store.db-wal"));
    unlink(world_path(w, "store.db-shm"));
}

static void work(void *arg, unsigned k, unsigned n)
{
    struct tally *t = (struct tally *)arg + k;
    struct world w[2];
    double budget = halves_budget(), begin = world_seconds();
    uint64_t state = check_seed() * 31 + k;
    for (size_t leg = 0; leg < 2; leg++) {
        snprintf(w[leg].dir, sizeof w[leg].dir, "%.400s.%u", legs[leg].w.dir,
                 k);
        world_copy(legs[leg].w.dir, w[leg].dir);
    }
    for (unsigned round = 0;
         budget > 0 && (round < 10 || world_seconds() < begin + budget);
         round++)
        run_case(round % 2, check_random(&state) % legs[round % 2].cases,
                 &w[round % 2], t);
    for (size_t leg = 0; budget <= 0 && leg < 2; leg++)
        for (uint64_t i = k; i < legs[leg].cases; i += n)
            run_case(leg, i, &w[leg], t);
}

static void where(void *arg, unsigned k)
{
    const struct tally *t = (struct tally *)arg + k;
    printf("#   at log %zu, case %llu\n", t->at_leg, (unsigned long long)t->at);
}

/* Reads the store as it is, and counts. */
static void measure(struct legs *l)
{
    char sql[100];
    world_sql(&l->w, "PRAGMA wal_checkpoint(TRUNCATE)");
    l->store = world_read(world_path(&l->w, "store.db"), &l->size);
    l->floor = world_number(&l->w, "SELECT floor FROM meta");
    for (size_t t = 0; t < TABLES; t++) {
        snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", tables[t].name);
        l->rows[t] = (int)world_number(&l->w, sql);
        snprintf(sql, sizeof sql,
                 "SELECT count(*) FROM pragma_table_info('%s')",
                 tables[t].name);
        l->columns[t] = (int)world_number(&l->w, sql);
        l->cases += cases_of(l, t);
    }
}

static void every_row_and_column(void)
{
    static struct sample sample;
    struct world_found f;
    unsigned n = halves_count();
    struct tally *t = halves_shared(n * sizeof *t), all = {0};
    double begin = world_seconds();
    REQUIRE(sample_make(&sample, check_seed()));
    legs[0].w = sample.w;
    sample_begin_compacted(&legs[1].w);
    sample_compact(&legs[1].w);
    for (size_t leg = 0; leg < 2; leg++) {
        measure(&legs[leg]);
        CHECK_INT(world_parity(&legs[leg].w, NULL, &f), 0);
    }
    halves_run(work, t, where);
    for (unsigned k = 0; k < n; k++) {
        all.cases += t[k].cases;
        all.refused += t[k].refused;
        all.outside += t[k].outside;
        all.found += t[k].found;
        all.wrong += t[k].wrong;
    }
    printf("# %llu of %llu changes: %llu found, %llu refused by SQLite or the"
           " same, %llu outside of parity, %llu wrong; seed %llu, %.0f s\n",
           (unsigned long long)all.cases,
           (unsigned long long)(legs[0].cases + legs[1].cases),
           (unsigned long long)all.found, (unsigned long long)all.refused,
           (unsigned long long)all.outside, (unsigned long long)all.wrong,
           (unsigned long long)check_seed(), world_seconds() - begin);
    CHECK_UINT(all.wrong, 0);
    CHECK(all.found > 0);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"every_row_and_column", every_row_and_column},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
