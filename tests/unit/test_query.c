/*
 * test_query.c - which statements the query of a reader takes, which it
 * refuses, and what it gives of each kind of value.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "locales.h"
#include "world.h"

static struct world w;
static plog_reader *r;

static void open_it(void)
{
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    for (int i = 0; i < 3; i++)
        CHECK_INT(world_put(&w, NULL, i ? "1" : "2", "v", NULL), 0);
    world_close(&w);
    CHECK_INT(plog_reader_open(&r, w.dir, NULL, NULL), 0);
}

static void close_it(void)
{
    plog_reader_close(r);
    world_end(&w, 4);
}

struct seen {
    int calls, rows, stop_at, count;
    int types[8];
    bool is_null[8]; /* by its pointer */
    char text[8][64];
    char name[8][64];
};

static int see(void *arg, const struct plog_row *row)
{
    struct seen *s = arg;
    s->calls++;
    s->count = row->count;
    for (int i = 0; i < row->count && i < 8; i++) {
        snprintf(s->name[i], sizeof s->name[i], "%s", row->names[i]);
        if (!row->values)
            continue;
        s->types[i] = row->types[i];
        s->is_null[i] = row->values[i].p == NULL;
        snprintf(s->text[i], sizeof s->text[i], "%.*s", (int)row->values[i].n,
                 row->values[i].p ? row->values[i].p : "");
    }
    s->rows += row->values != NULL;
    return s->stop_at && s->calls == s->stop_at;
}

/* ---- Taken ------------------------------------------------------------------
 */

static void taken(void)
{
    static const char *const good[] = {
        "SELECT 1",
        "SELECT 1; -- a comment",
        "SELECT 1 /* and */ ; ",
        ("WITH RECURSIVE c(n) AS (VALUES(1) UNION ALL SELECT n+1 FROM c WHERE"
         " n<3) SELECT n FROM c"),
        "SELECT count(*) FROM records",
        "SELECT upper('a')",
        "EXPLAIN SELECT 1",
        "PRAGMA table_info(events)",
        "PRAGMA table_xinfo(events)",
        "PRAGMA index_list(events)",
        "PRAGMA index_info(events_id)",
        "PRAGMA index_xinfo(events_id)",
        "PRAGMA foreign_key_list(events)",
        "PRAGMA integrity_check(3)",
        "PRAGMA quick_check(3)",
        "PRAGMA application_id",
        "PRAGMA collation_list",
        "PRAGMA compile_options",
        "PRAGMA data_version",
        "PRAGMA database_list",
        "PRAGMA encoding",
        "PRAGMA freelist_count",
        "PRAGMA function_list",
        "PRAGMA module_list",
        "PRAGMA page_count",
        "PRAGMA page_size",
        "PRAGMA pragma_list",
        "PRAGMA schema_version",
        "PRAGMA table_list",
        "PRAGMA user_version",
        "PRAGMA integrity_check",
        "PRAGMA quick_check",
        "PRAGMA Page_Size",
    };
    open_it();
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct seen s = {.calls = 0};
        struct plog_error err = {.code = 0};
        if (!CHECK_INT(plog_reader_query(r, good[i], see, &s, &err), 0) ||
            !CHECK(s.calls > 0))
            printf("# %s: %s\n", good[i], err.message);
    }
    close_it();
}

/* A caller's own full-text and R*Tree tables, made with any SQLite, and the
 * tables of SQLite that answer from an argument. */
static void virtual_tables(void)
{
    static const struct {
        const char *sql, *first;
    } all[] = {
        {"SELECT t FROM f5 WHERE f5 MATCH 'hello'", "hello world"},
        {"SELECT snippet(f5,0,'[',']','',9) FROM f5('world')", "hello [world]"},
        {"SELECT rowid FROM f5 ORDER BY bm25(f5)", "1"},
        {"SELECT t FROM f4 WHERE f4 MATCH 'four'", "four"},
        {"SELECT id FROM r WHERE a < 3 AND b > 1", "7"},
        {"SELECT x FROM raux WHERE id=1", "aux"},
        {"SELECT count(*) FROM f5vocab", "2"},
        {"SELECT value FROM json_each('[5]')", "5"},
        {"SELECT name FROM pragma_table_info('meta') WHERE pk", "id"},
        {"SELECT e.value FROM records r, json_each(r.payload) e", "v"},
    };
    open_it();
    world_sql(&w, "CREATE VIRTUAL TABLE f5 USING fts5(t);"
                  "INSERT INTO f5 VALUES('hello world');"
                  "CREATE VIRTUAL TABLE f5vocab USING fts5vocab(f5, row);"
                  "CREATE VIRTUAL TABLE f4 USING fts4(t);"
                  "INSERT INTO f4 VALUES('four');"
                  "CREATE VIRTUAL TABLE r USING rtree(id, a, b);"
                  "INSERT INTO r VALUES(7, 1, 2);"
                  "CREATE VIRTUAL TABLE raux USING rtree(id, a, b, +x);"
                  "INSERT INTO raux VALUES(1, 1, 2, 'aux')");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct seen s = {.calls = 0};
        struct plog_error err = {.code = 0};
        if (!CHECK_INT(plog_reader_query(r, all[i].sql, see, &s, &err), 0) ||
            !CHECK_TEXT(s.text[0], all[i].first))
            printf("# %s: %s\n", all[i].sql, err.message);
    }
    close_it();
}

/* ... and nothing is written into one, nor into what it keeps its rows in, nor
 * into a table that is called like that. */
static void virtual_tables_are_only_read(void)
{
    static const char *const bad[] = {
        "INSERT INTO f5 VALUES('x')",
        "INSERT INTO f5(f5) VALUES('optimize')",
        "DELETE FROM f5_data",
        "UPDATE f5_config SET v=0",
        "INSERT INTO r VALUES(8, 1, 2)",
        "DELETE FROM r",
        "DELETE FROM r_node",
        "UPDATE r_rowid SET nodeno=9",
        "INSERT INTO own_node VALUES(2)",
        "WITH x AS (SELECT 2) UPDATE own_node SET a=2",
        "DELETE FROM own_node RETURNING a",
        "DROP TABLE own_node",
        "UPDATE sqlite_master SET sql=''",
        "UPDATE sqlite_schema SET sql=''",
        "UPDATE sqlite_temp_master SET sql=''",
        "DELETE FROM sqlite_master",
        "INSERT INTO sqlite_master VALUES('table','a','a',2,'')",
        "CREATE VIRTUAL TABLE g USING fts5(t)",
        "CREATE VIRTUAL TABLE temp.g USING rtree(id, a, b)",
        "DROP TABLE f5",
        "ALTER TABLE f5 RENAME TO f6",
    };
    open_it();
    world_sql(&w, "CREATE VIRTUAL TABLE f5 USING fts5(t);"
                  "INSERT INTO f5 VALUES('hello world');"
                  "CREATE VIRTUAL TABLE r USING rtree(id, a, b);"
                  "CREATE TABLE own_node(a); INSERT INTO own_node VALUES(1)");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct seen s = {.calls = 0};
        struct plog_error err = {.code = 0};
        int rc = plog_reader_query(r, bad[i], see, &s, &err);
        if (!CHECK_INT(rc, PLOG_E_SQL) || !CHECK_INT(s.calls, 0))
            printf("# %s: %s\n", bad[i], err.message);
    }
    CHECK_INT(world_number(&w, "SELECT sum(a)+count(*) FROM own_node"), 2);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM f5 WHERE t='hello world'"),
              1);
    close_it();
}

static void refused(void)
{
    static const char *const bad[] = {
        "",
        "   ",
        "-- nothing",
        "SELECT",
        "SELECT nothing",
        "SELECT 1; SELECT 2",
        "SELECT 1; garbage",
        "INSERT INTO segments VALUES(9)",
        "DELETE FROM events",
        "UPDATE meta SET size=9",
        "EXPLAIN UPDATE meta SET size=9",
        "EXPLAIN QUERY PLAN UPDATE meta SET size=9",
        "EXPLAIN DELETE FROM events",
        "EXPLAIN INSERT INTO segments VALUES(9)",
        "DROP TABLE events",
        "CREATE TABLE mine(a)",
        "CREATE TEMP TABLE mine(a)",
        "ATTACH 'other.db' AS o",
        "DETACH main",
        "VACUUM",
        "REINDEX",
        "ANALYZE",
        "BEGIN",
        "SAVEPOINT a",
        "COMMIT",
        "SELECT load_extension('x')",
        "SELECT LOAD_EXTENSION('x')",
        "SELECT fts3_tokenizer('simple')",
        "SELECT abs(-9223372036854775808)", /* found when it runs */
        "PRAGMA page_size=4096",
        "PRAGMA journal_mode", /* asking may write, SQLite says */
        "PRAGMA journal_mode=delete",
        "PRAGMA user_version(7)",
        "PRAGMA writable_schema",
        "PRAGMA table_info",
        "PRAGMA no_such_thing",
        "PRAGMA no_such_thing(1)",
    };
    open_it();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct seen s = {.calls = 0};
        struct plog_error err = {.code = 0};
        int rc = plog_reader_query(r, bad[i], see, &s, &err);
        if (!CHECK_INT(rc, PLOG_E_SQL) || !CHECK_INT(err.code, rc) ||
            !CHECK(err.message[0] && err.hint[0]) || !CHECK_INT(s.calls, 0))
            printf("# %s: %s\n", bad[i], err.message);
        /* By the fence that looks at each table, not only by the one behind. */
        if (sqlite3_strlike("%load_extension%", bad[i], 0) == 0 ||
            strstr(bad[i], "UPDATE") || strstr(bad[i], "DELETE") ||
            strstr(bad[i], "INSERT"))
            CHECK(strstr(err.message, "not authorized") != NULL);
    }
    close_it();
}

/* ---- Given ------------------------------------------------------------------
 */

static void values(void)
{
    static const int types[] = {SQLITE_INTEGER, SQLITE_FLOAT, SQLITE_TEXT,
                                SQLITE_BLOB,    SQLITE_NULL,  SQLITE_TEXT,
                                SQLITE_BLOB,    SQLITE_BLOB};
    static const char *const texts[] = {"7", "1.5", "text", "blob",
                                        "",  "",    "",     ""};
    struct seen s = {.calls = 0};
    open_it();
    CHECK_INT(plog_reader_query(r,
                                "SELECT 7 AS a, 1.5 AS b, 'text' AS c,"
                                " x'626c6f62' AS d, NULL AS e, '' AS f,"
                                " x'' AS g, zeroblob(0) AS h",
                                see, &s, NULL),
              0);
    CHECK_INT(s.rows, 1);
    CHECK_INT(s.calls, 1);
    CHECK_INT(s.count, 8);
    for (int i = 0; i < 8; i++) {
        CHECK_INT(s.types[i], types[i]);
        CHECK(s.is_null[i] == (types[i] == SQLITE_NULL));
        CHECK_TEXT(s.text[i], texts[i]);
        CHECK_INT(s.name[i][0], 'a' + i);
    }
    close_it();
}

/* Each REAL reads back as the same double, and is not taken for an integer;
 * 15 digits, as SQLite writes them, are another number for some. */
static void reals(void)
{
    static const struct {
        const char *sql, *text;
    } all[] = {
        {"0.1 + 0.2", "0.30000000000000004"},
        {"1.0 / 3", "0.3333333333333333"},
        {"1e15 + 0.25", "1000000000000000.2"},
        {"9007199254740993.0", "9007199254740992.0"},
        {"1.0", "1.0"},
        {"-2.5", "-2.5"},
        {"0.1", "0.1"},
        {"1e15", "1.0e+15"},
        {"1.5e300", "1.5e+300"},
        {"-1e-7", "-1.0e-07"},
        {"1e999", "Inf"},
        {"-1e999", "-Inf"},
    };
    open_it();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct seen s = {.calls = 0};
        char sql[80];
        snprintf(sql, sizeof sql, "SELECT %s, %s", all[i].sql, all[i].sql);
        CHECK_INT(plog_reader_query(r, sql, see, &s, NULL), 0);
        for (int k = 0; k < 2; k++) {
            CHECK_INT(s.types[k], SQLITE_FLOAT);
            CHECK_TEXT(s.text[k], all[i].text);
        }
    }
    close_it();
}

/* A program may have one whose numbers have no point. */
static void reals_in_a_locale(void)
{
    struct seen s = {.calls = 0};
    open_it();
    bool set = locales_comma();
    int rc = plog_reader_query(r, "SELECT 0.1 + 0.2, 1.0", see, &s, NULL);
    locales_back();
    CHECK_INT(rc, 0);
    CHECK_TEXT(s.text[0], "0.30000000000000004");
    CHECK_TEXT(s.text[1], "1.0");
    if (!set)
        check_skip("no locale with a decimal comma: no package locales");
    close_it();
}

/* Without rows the names come all the same, once. */
static void no_rows(void)
{
    struct seen s = {.calls = 0};
    open_it();
    CHECK_INT(
        plog_reader_query(r, "SELECT 1 AS a, 2 AS b WHERE 0", see, &s, NULL),
        0);
    CHECK_INT(s.calls, 1);
    CHECK_INT(s.rows, 0);
    CHECK_INT(s.count, 2);
    CHECK_TEXT(s.name[1], "b");
    close_it();
}

static int now(void *arg)
{
    ++*(int *)arg;
    return 1;
}

static void stopped(void)
{
    struct seen s = {.stop_at = 2};
    struct plog_error err = {.code = 0};
    int asked = 0;
    open_it();
    CHECK_INT(plog_reader_query(r, "SELECT seq FROM events", see, &s, &err),
              PLOG_E_INTERRUPTED);
    CHECK_INT(err.code, PLOG_E_INTERRUPTED);
    CHECK_INT(s.calls, 2);
    s = (struct seen){.stop_at = 1};
    CHECK_INT(plog_reader_query(r, "SELECT 1 WHERE 0", see, &s, &err),
              PLOG_E_INTERRUPTED);
    plog_reader_set_stop(r, now, &asked);
    s = (struct seen){.stop_at = 0};
    CHECK_INT(plog_reader_query(
                  r,
                  "WITH RECURSIVE c(n) AS (VALUES(1) UNION ALL SELECT n+1"
                  " FROM c WHERE n<10000000) SELECT count(*) FROM c",
                  see, &s, &err),
              PLOG_E_INTERRUPTED);
    CHECK_INT(asked, 1);
    plog_reader_set_stop(r, NULL, NULL);
    CHECK_INT(plog_reader_query(r, "SELECT 1", see, &s, &err), 0);
    CHECK_INT(asked, 1);
    close_it();
}

/* Not a statement that is at fault: it would do where there is more memory. */
/* No fault of the disk. */
static void too_big(void)
{
    struct seen s = {.calls = 0};
    struct plog_error err = {.code = 0};
    open_it();
    CHECK_INT(plog_reader_query(r, "SELECT zeroblob(2000000000) IS NULL", see,
                                &s, &err),
              PLOG_E_SQL);
    CHECK_TEXT(err.message, "string or blob too big");
    close_it();
}

static void short_of_memory(void)
{
    static char text[400000];
    struct seen s = {.calls = 0};
    struct plog_error err = {.code = 0};
    open_it();
    for (int second = 0; second < 2; second++) {
        int n = snprintf(text, sizeof text, "%sSELECT '",
                         second ? "SELECT 1; " : "");
        memset(text + n, 'x', sizeof text - (size_t)n - 2);
        memcpy(text + sizeof text - 2, "'", 2);
        sqlite3_hard_heap_limit64(sqlite3_memory_used() + 200000);
        int rc = plog_reader_query(r, text, see, &s, &err);
        sqlite3_hard_heap_limit64(0);
        CHECK_INT(rc, PLOG_E_NOMEM);
        CHECK_TEXT(err.message, "out of memory");
        CHECK_INT(s.calls, 0);
    }
    CHECK_INT(plog_reader_query(r, text, see, &s, &err), PLOG_E_SQL);
    CHECK_TEXT(err.message, "more than one statement");
    close_it();
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"taken", taken},
        {"virtual_tables", virtual_tables},
        {"virtual_tables_are_only_read", virtual_tables_are_only_read},
        {"refused", refused},
        {"values", values},
        {"reals", reals},
        {"reals in a locale", reals_in_a_locale},
        {"no rows", no_rows},
        {"stopped", stopped},
        {"too big", too_big},
        {"short of memory", short_of_memory},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
