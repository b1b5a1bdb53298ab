/*
 * query.c - SQL that can only read.
 *
 * Three fences: the connection is read-only, an authorizer allows reading
 * and nothing else whatever the statement is called (WITH ... DELETE is
 * refused for its DELETE), and one statement is all that runs, if SQLite says
 * that it reads.
 */
#include "reader.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What virtual tables compile when they are opened for reading, and do not run:
 * to say which columns one has, an update of the schema; an R*Tree, whatever it
 * would write into its own tables.  Without these neither could be read, nor
 * json_each.  Where a caller writes them, the statement is found to write. */
static bool only_compiled(int action, const char *table)
{
    static const char *const endings[] = {"_node", "_rowid", "_parent"};
    size_t n = table ? strlen(table) : 0;
    if (action == SQLITE_UPDATE && n &&
        (sqlite3_stricmp(table, "sqlite_master") == 0 ||
         sqlite3_stricmp(table, "sqlite_temp_master") == 0))
        return true;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t m = strlen(endings[i]);
        if (n > m && sqlite3_stricmp(table + n - m, endings[i]) == 0)
            return true;
    }
    return false;
}

static int guard(void *arg, int action, const char *a, const char *b,
                 const char *schema, const char *trigger)
{
    (void)arg, (void)schema, (void)trigger;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_FUNCTION:
        return b && (sqlite3_stricmp(b, "load_extension") == 0 ||
                     sqlite3_stricmp(b, "fts3_tokenizer") == 0)
                   ? SQLITE_DENY
                   : SQLITE_OK;
    case SQLITE_PRAGMA:
        return plog_sql_pragma_tells(a, b) ? SQLITE_OK : SQLITE_DENY;
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE:
        return only_compiled(action, a) ? SQLITE_OK : SQLITE_DENY;
    default:
        return SQLITE_DENY;
    }
}

static int refused(struct plog_error *err, const char *what)
{
    plog_fail(err, PLOG_E_SQL, "%s", what);
    plog_err_hint(err, "query takes one statement that reads, such as: SELECT"
                       " * FROM records LIMIT 10");
    return PLOG_E_SQL;
}

static int prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out,
                   struct plog_error *err)
{
    const char *rest = NULL;
    sqlite3_stmt *second = NULL;
    char what[300];
    if (!sql)
        return plog_fail(err, PLOG_E_ARG, "no statement was given");
    int rc = sqlite3_prepare_v2(db, sql, -1, out, &rest);
    if (rc != SQLITE_OK) {
        int code = plog_sql_code(rc);
        sqlite3_snprintf(sizeof what, what, "%s", sqlite3_errmsg(db));
        if (code == PLOG_E_NOMEM)
            return plog_fail(err, code, "out of memory");
        return refused(err, what);
    }
    if (!*out)
        return refused(err, "there is no statement");
    /* White space and comments prepare to nothing; all else is a second. */
    rc = sqlite3_prepare_v2(db, rest, -1, &second, NULL);
    sqlite3_finalize(second);
    if (plog_sql_code(rc) == PLOG_E_NOMEM)
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    if (rc != SQLITE_OK || second)
        return refused(err, "more than one statement");
    if (!sqlite3_stmt_readonly(*out))
        return refused(err, "the statement writes");
    return 0;
}

#define REAL_MAX 32 /* bytes of the text of a REAL, with its NUL */

struct columns {
    const char **names;
    struct plog_span *values;
    int *types;
    char (*reals)[REAL_MAX];
};

/* Makes of the C library's text what SQLite writes: a point, whatever the
 * process's locale has for it, and one in every number. */
static void sqlite_spelling(const char *text, char *out)
{
    size_t whole = strspn(text, "-0123456789");
    const char *rest = text + whole;
    const char *digits = rest + strcspn(rest, "e0123456789");
    bool has_point = digits != rest;
    snprintf(out, REAL_MAX, "%.*s%s%s", (int)whole, text,
             has_point ? "." : ".0", digits);
}

/* 15 digits as SQLite writes, or as many more as it takes to read back as
 * `value`: what SQLite writes is another number for some. */
static struct plog_span real_text(double value, char *out)
{
    char text[REAL_MAX];
    double again = 0;
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*g", precision, value);
        again = strtod(text, NULL);
        if (memcmp(&again, &value, sizeof again) == 0)
            break;
    }
    if (isinf(value)) /* as SQLite spells it */
        snprintf(out, REAL_MAX, "%sInf", value < 0 ? "-" : "");
    else
        sqlite_spelling(text, out);
    return plog_span(out, strlen(out));
}

static struct plog_span value_of(sqlite3_stmt *s, struct columns *c, int i)
{
    struct plog_span v = {NULL, 0};
    c->types[i] = sqlite3_column_type(s, i);
    if (c->types[i] == SQLITE_NULL)
        return v;
    if (c->types[i] == SQLITE_FLOAT)
        return real_text(sqlite3_column_double(s, i), c->reals[i]);
    v.p = c->types[i] == SQLITE_BLOB ? sqlite3_column_blob(s, i)
                                     : (const char *)sqlite3_column_text(s, i);
    v.n = (size_t)sqlite3_column_bytes(s, i);
    if (c->types[i] == SQLITE_BLOB && v.n == 0)
        v.p = ""; /* SQLite has NULL here, which is SQL NULL */
    return v;
}

static int give_row(sqlite3_stmt *s, struct columns *c, bool has_values,
                    int (*each)(void *arg, const struct plog_row *row),
                    void *arg, struct plog_error *err)
{
    bool short_of_memory = false;
    struct plog_row row = {sqlite3_column_count(s), c->names, NULL, NULL};
    for (int i = 0; i < row.count; i++) {
        c->names[i] = sqlite3_column_name(s, i);
        short_of_memory |= !c->names[i];
        if (!has_values)
            continue;
        c->values[i] = value_of(s, c, i);
        short_of_memory |= c->types[i] != SQLITE_NULL && !c->values[i].p;
    }
    if (short_of_memory)
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    if (has_values) {
        row.values = c->values;
        row.types = c->types;
    }
    return each(arg, &row) ? plog_fail(err, PLOG_E_INTERRUPTED, "stopped") : 0;
}

static int run(struct plog_reader *r, sqlite3_stmt *s,
               int (*each)(void *arg, const struct plog_row *row), void *arg,
               struct plog_error *err)
{
    size_t n = (size_t)sqlite3_column_count(s) + 1;
    struct columns c = {plog_alloc(r->io, n * sizeof *c.names),
                        plog_alloc(r->io, n * sizeof *c.values),
                        plog_alloc(r->io, n * sizeof *c.types),
                        plog_alloc(r->io, n * sizeof *c.reals)};
    int rc = c.names && c.values && c.types && c.reals
                 ? 0
                 : plog_fail(err, PLOG_E_NOMEM, "out of memory");
    bool any = false;
    while (!rc) {
        int step = sqlite3_step(s);
        if (step == SQLITE_DONE)
            break;
        if (step != SQLITE_ROW) {
            int why = step & 0xff;
            rc = why == SQLITE_ERROR || why == SQLITE_AUTH ||
                         why == SQLITE_TOOBIG
                     ? refused(err, sqlite3_errmsg(r->store.db))
                     : plog_sql_fail(err, r->store.db, "running the query");
            break;
        }
        any = true;
        rc = give_row(s, &c, true, each, arg, err);
    }
    if (!rc && !any)
        rc = give_row(s, &c, false, each, arg, err);
    plog_free(r->io, c.names);
    plog_free(r->io, c.values);
    plog_free(r->io, c.types);
    plog_free(r->io, c.reals);
    return rc;
}

#define STEPS_A_QUESTION 10000 /* of SQLite's machine: well below 1 ms */

void plog_reader_set_stop(struct plog_reader *r, int (*stop)(void *arg),
                          void *arg)
{
    r->stop = stop;
    r->stop_arg = arg;
}

int plog_reader_query(struct plog_reader *r, const char *sql,
                      int (*each)(void *arg, const struct plog_row *row),
                      void *arg, struct plog_error *err)
{
    sqlite3_stmt *s = NULL;
    int rc = plog_reader_enter(r, err);
    if (rc)
        return rc;
    rc = plog_reader_refresh(r, err);
    if (rc)
        return plog_reader_leave(r, rc, err);
    sqlite3_progress_handler(r->store.db, r->stop ? STEPS_A_QUESTION : 0,
                             r->stop, r->stop_arg);
    sqlite3_set_authorizer(r->store.db, guard, NULL);
    rc = prepare(r->store.db, sql, &s, err);
    if (!rc)
        rc = run(r, s, each, arg, err);
    sqlite3_finalize(s);
    sqlite3_set_authorizer(r->store.db, NULL, NULL);
    return plog_reader_leave(r, rc, err);
}
