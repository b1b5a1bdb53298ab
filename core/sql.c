/* sql.c - see sql.h. */
#include "sql.h"

#include <errno.h>
#include <string.h>

int plog_sql_code(int sqlite_rc)
{
    switch (sqlite_rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_NOMEM:
        return PLOG_E_NOMEM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return PLOG_E_LOCKED;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_SCHEMA:
    case SQLITE_ERROR:
        return PLOG_E_DIVERGED;
    case SQLITE_INTERRUPT:
        return PLOG_E_INTERRUPTED;
    default:
        return PLOG_E_IO;
    }
}

int plog_sql_fail(struct plog_error *err, sqlite3 *db, const char *doing)
{
    int rc = sqlite3_extended_errcode(db);
    int code = plog_sql_code(rc);
    if (code == 0)
        code = PLOG_E_IO;
    char text[80] = "";
    int why = code == PLOG_E_IO ? sqlite3_system_errno(db) : 0;
    plog_fail(err, code, "%s: %s (SQLite %d%s%s)", doing, sqlite3_errmsg(db),
              rc, why ? ", " : "",
              why ? strerror_r(why, text, sizeof text) : "");
    plog_err_file(err, "store.db");
    if (code == PLOG_E_DIVERGED)
        plog_err_hint(err, "run: paritylog parity DIR");
    if (rc == SQLITE_FULL || why == ENOSPC || why == EDQUOT)
        plog_err_hint(err, PLOG_MAKE_ROOM);
    return code;
}

int plog_sql_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out,
                     struct plog_error *err)
{
    *out = NULL;
    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) !=
        SQLITE_OK)
        return plog_sql_fail(err, db, "preparing a statement");
    return 0;
}

int plog_sql_exec(sqlite3 *db, const char *sql, struct plog_error *err)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return 0;
    /* What is there is none: readers come here, too. */
    bool bad = plog_sql_code(sqlite3_extended_errcode(db)) == PLOG_E_DIVERGED;
    return plog_sql_fail(err, db,
                         bad ? "using the store" : "writing to the store");
}

int plog_sql_row(sqlite3_stmt *s, struct plog_error *err)
{
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        return 0;
    if (rc == SQLITE_DONE) {
        sqlite3_reset(s);
        return PLOG_END;
    }
    int code = plog_sql_fail(err, sqlite3_db_handle(s), "using the store");
    sqlite3_reset(s);
    return code;
}

int plog_sql_next(sqlite3_stmt *s, bool *ready, struct plog_error *err)
{
    int rc = plog_sql_row(s, err);
    *ready = rc == 0;
    return rc == PLOG_END ? 0 : rc;
}

int plog_sql_run(sqlite3_stmt *s, struct plog_error *err)
{
    int rc = plog_sql_row(s, err);
    if (rc == 0)
        sqlite3_reset(s);
    return rc < 0 ? rc : 0;
}

int plog_sql_prepare_with(sqlite3 *db, const char *sql, uint64_t a, uint64_t b,
                          sqlite3_stmt **out, struct plog_error *err)
{
    int rc = plog_sql_prepare(db, sql, out, err);
    int n = rc ? 0 : sqlite3_bind_parameter_count(*out);
    if (n > 0)
        plog_sql_bind_u64(*out, 1, a);
    if (n > 1)
        plog_sql_bind_u64(*out, 2, b);
    return rc;
}

int plog_sql_number(sqlite3 *db, const char *sql, uint64_t a, uint64_t b,
                    uint64_t *out, struct plog_error *err)
{
    sqlite3_stmt *q = NULL;
    int rc = plog_sql_prepare_with(db, sql, a, b, &q, err);
    if (!rc)
        rc = plog_sql_row(q, err);
    *out = rc ? 0 : plog_sql_u64(q, 0);
    sqlite3_finalize(q);
    return rc;
}

int plog_sql_change(sqlite3 *db, const char *sql, uint64_t a, uint64_t b,
                    struct plog_error *err)
{
    sqlite3_stmt *q = NULL;
    int rc = plog_sql_prepare_with(db, sql, a, b, &q, err);
    if (!rc)
        rc = plog_sql_run(q, err);
    sqlite3_finalize(q);
    return rc;
}

void plog_sql_bind(sqlite3_stmt *s, int at, struct plog_span text)
{
    sqlite3_bind_text64(s, at, text.p, text.n, SQLITE_STATIC, SQLITE_UTF8);
}

void plog_sql_bind_u64(sqlite3_stmt *s, int at, uint64_t n)
{
    sqlite3_bind_int64(s, at, (sqlite3_int64)n);
}

struct plog_span plog_sql_text(sqlite3_stmt *s, int column)
{
    const char *p = sqlite3_column_blob(s, column);
    return plog_span(p, (size_t)sqlite3_column_bytes(s, column));
}

uint64_t plog_sql_u64(sqlite3_stmt *s, int column)
{
    sqlite3_int64 n = sqlite3_column_int64(s, column);
    return n < 0 ? 0 : (uint64_t)n;
}

bool plog_sql_pragma_tells(const char *name, const char *value)
{
    static const char *const with_value[] = {
        "table_info",  "table_xinfo", "table_list",       "index_list",
        "index_info",  "index_xinfo", "foreign_key_list", "integrity_check",
        "quick_check", NULL};
    static const char *const bare[] = {
        "application_id",  "collation_list", "compile_options",
        "data_version",    "database_list",  "encoding",
        "freelist_count",  "function_list",  "module_list",
        "page_count",      "page_size",      "pragma_list",
        "schema_version",  "table_list",     "user_version",
        "integrity_check", "quick_check",    NULL};
    for (const char *const *n = with_value; name && value && *n; n++)
        if (sqlite3_stricmp(name, *n) == 0)
            return true;
    for (const char *const *n = bare; name && !value && *n; n++)
        if (sqlite3_stricmp(name, *n) == 0)
            return true;
    return false;
}
