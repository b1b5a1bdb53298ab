/* fuzz_tables.c - see fuzz_tables.h. */
#include "fuzz_tables.h"

/* Not what the log does not determine: what a peer said, what is pending, and
 * in which of its two tables the row of a record stands. */
static const char *const tables[] = {
    "SELECT * FROM meta NOT INDEXED",
    "SELECT * FROM events NOT INDEXED",
    "SELECT * FROM checkpoints",
    "SELECT * FROM segments",
    "SELECT * FROM rotations",
    "SELECT seq,target FROM redactions NOT INDEXED",
    "SELECT * FROM state_now ORDER BY resource,record_id",
    "SELECT * FROM base_state",
    "SELECT * FROM cursors",
    "SELECT name,added FROM peers",
    "SELECT seq,floor FROM compactions",
    "SELECT * FROM old_ids",
    "SELECT * FROM records ORDER BY resource,record_id",
};

static void add_row(sqlite3_str *out, sqlite3_stmt *s)
{
    sqlite3_str_append(out, "row", 3);
    for (int i = 0; i < sqlite3_column_count(s); i++) {
        char type = (char)sqlite3_column_type(s, i);
        double real = sqlite3_column_double(s, i);
        bool is_real = type == SQLITE_FLOAT; /* its text is rounded */
        const char *p =
            is_real ? (const char *)&real : sqlite3_column_blob(s, i);
        int n = is_real ? (int)sizeof real : sqlite3_column_bytes(s, i);
        sqlite3_str_append(out, &type, 1);
        sqlite3_str_append(out, (const char *)&n, sizeof n);
        if (n)
            sqlite3_str_append(out, p, n);
    }
}

void fuzz_tables_read(struct fuzz_tables *t, struct fuzz_world *w)
{
    sqlite3 *db = fuzz_world_raw(w);
    sqlite3_str *out = sqlite3_str_new(NULL);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        sqlite3_stmt *s = NULL;
        int rc = sqlite3_prepare_v2(db, tables[i], -1, &s, NULL);
        while (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
            add_row(out, s);
            rc = SQLITE_OK;
        }
        if (rc != SQLITE_DONE)
            sqlite3_str_appendall(out, sqlite3_errmsg(db));
        sqlite3_finalize(s);
        sqlite3_str_append(out, "end", 3);
    }
    sqlite3_close(db);
    MUST(sqlite3_str_errcode(out) == SQLITE_OK);
    t->n = (size_t)sqlite3_str_length(out);
    t->rows = sqlite3_str_finish(out);
}
