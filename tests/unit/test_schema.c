/*
 * test_schema.c - a database that lies where the store must be: which ones
 * are taken for it, and what SQLite's codes are in our words.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "schema.h"
#include "store.h"
#include "world.h"

static struct plog_error err;

/* ---- Codes ------------------------------------------------------------------
 */

static void codes(void)
{
    static const struct {
        int sqlite, ours;
    } all[] = {
        {SQLITE_OK, 0},
        {SQLITE_ROW, 0},
        {SQLITE_DONE, 0},
        {SQLITE_NOMEM, PLOG_E_NOMEM},
        {SQLITE_IOERR_NOMEM, PLOG_E_IO},
        {SQLITE_BUSY, PLOG_E_LOCKED},
        {SQLITE_BUSY_SNAPSHOT, PLOG_E_LOCKED},
        {SQLITE_LOCKED, PLOG_E_LOCKED},
        {SQLITE_CORRUPT, PLOG_E_DIVERGED},
        {SQLITE_NOTADB, PLOG_E_DIVERGED},
        {SQLITE_CONSTRAINT_UNIQUE, PLOG_E_DIVERGED},
        {SQLITE_MISMATCH, PLOG_E_DIVERGED},
        {SQLITE_SCHEMA, PLOG_E_DIVERGED},
        {SQLITE_ERROR, PLOG_E_DIVERGED},
        {SQLITE_INTERRUPT, PLOG_E_INTERRUPTED},
        {SQLITE_IOERR_READ, PLOG_E_IO},
        {SQLITE_FULL, PLOG_E_IO},
        {SQLITE_CANTOPEN, PLOG_E_IO},
        {SQLITE_READONLY, PLOG_E_IO},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!CHECK_INT(plog_sql_code(all[i].sqlite), all[i].ours))
            printf("# SQLite %d\n", all[i].sqlite);
    /* and any other one, which SQLite may have one day */
    for (int code = 0; code < 256; code++) {
        bool known = false;
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            known |= (all[i].sqlite & 0xff) == code;
        if (!known && !CHECK_INT(plog_sql_code(code), PLOG_E_IO))
            printf("# SQLite %d\n", code);
    }
}

/* A failure that SQLite knows nothing of is one all the same; and a statement
 * that gives a row is at rest afterwards. */
static void statements(void)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    CHECK_INT(sqlite3_open(":memory:", &db), SQLITE_OK);
    CHECK_INT(plog_sql_fail(&err, db, "doing nothing"), PLOG_E_IO);
    CHECK_INT(err.code, PLOG_E_IO);
    CHECK_TEXT(err.file, "store.db");
    CHECK_INT(plog_sql_prepare(db, "SELECT 1 UNION SELECT 2", &q, NULL), 0);
    CHECK_INT(plog_sql_run(q, NULL), 0);
    CHECK(!sqlite3_stmt_busy(q));
    CHECK_INT(plog_sql_row(q, NULL), 0);
    CHECK_UINT(plog_sql_u64(q, 0), 1);
    sqlite3_finalize(q);
    CHECK_INT(plog_sql_prepare(db, "SELECT no_such", &q, &err),
              PLOG_E_DIVERGED);
    CHECK_TEXT(err.hint, "run: paritylog parity DIR");
    CHECK_TEXT(err.message,
               "preparing a statement: no such column: no_such (SQLite 1)");
    sqlite3_close(db);
}

/* What the operating system says is told with an error of files, and with no
 * other one. */
static void why(void)
{
    sqlite3 *db = NULL;
    char path[600], want[200];
    snprintf(path, sizeof path, "%s/none/none.db", check_dir());
    CHECK_INT(sqlite3_open(path, &db), SQLITE_CANTOPEN);
    CHECK_INT(sqlite3_system_errno(db), ENOENT);
    CHECK_INT(plog_sql_fail(&err, db, "opening it"), PLOG_E_IO);
    snprintf(want, sizeof want,
             "opening it: unable to open database file (SQLite %d,"
             " No such file or directory)",
             sqlite3_extended_errcode(db));
    CHECK_TEXT(err.message, want);
    CHECK_TEXT(err.hint, "");
    CHECK_TEXT(err.file, "store.db");
    sqlite3_close(db);
}

/* ---- Databases --------------------------------------------------------------
 */

#define EDIT "PRAGMA writable_schema=1; "

static void databases(void)
{
    static const struct {
        const char *sql;
        int code;
        const char *says;
    } all[] = {
        {"SELECT 1", 0, ""},
        {"CREATE TABLE mine(a); CREATE INDEX my_index ON mine(a)", 0, ""},
        {"CREATE TABLE mine(a); CREATE TRIGGER my_own AFTER INSERT ON mine"
         " BEGIN DELETE FROM mine; END",
         0, ""},
        {"CREATE TRIGGER t AFTER INSERT ON events BEGIN DELETE FROM state; END",
         PLOG_E_DIVERGED, "a trigger that is not ours: t"},
        {"CREATE TABLE mine(a); CREATE TRIGGER old_ids_ AFTER INSERT ON mine"
         " BEGIN DELETE FROM mine; END",
         0, ""},
        {"CREATE TABLE mine(a); DROP INDEX events_id; CREATE TRIGGER events_id"
         " AFTER INSERT ON mine BEGIN DELETE FROM mine; END",
         PLOG_E_DIVERGED, "a trigger that is not ours: events_id"},
        {"CREATE INDEX t ON events(line)", PLOG_E_DIVERGED,
         "an index that is not ours: t"},
        {"DROP TABLE cursors", PLOG_E_DIVERGED, "not a whole store of ours"},
        {"DROP TABLE cursors; CREATE TABLE cursors(a)", PLOG_E_DIVERGED,
         "another definition of cursors"},
        {"DROP INDEX events_id; CREATE TABLE EVENTS_id(a)", PLOG_E_DIVERGED,
         "another definition of EVENTS_id"},
        {"PRAGMA application_id=1", PLOG_E_DIVERGED,
         "not a whole store of ours"},
        {"PRAGMA user_version=0", PLOG_E_DIVERGED, "has schema 0"},
        {"PRAGMA user_version=0; PRAGMA application_id=0", PLOG_E_DIVERGED,
         "not a whole store of ours"},
        /* whose definitions are other ones, too */
        {"PRAGMA user_version=1; DROP VIEW records; CREATE VIEW records AS"
         " SELECT 1",
         PLOG_E_DIVERGED, "has schema 1, this program knows a newer one only"},
        {"PRAGMA user_version=3; DROP VIEW records", PLOG_E_FORMAT,
         "store.db has schema 3"},
        {"PRAGMA user_version=3", PLOG_E_FORMAT, "store.db has schema 3"},
        {"PRAGMA user_version=3; PRAGMA application_id=3", PLOG_E_DIVERGED,
         "not a whole store of ours"},
        {EDIT "UPDATE sqlite_schema SET sql=NULL WHERE name='cursors'",
         PLOG_E_DIVERGED, ""},
        {"CREATE TABLE mine(a); " EDIT
         "UPDATE sqlite_schema SET type=NULL WHERE name='mine'",
         PLOG_E_DIVERGED, ""},
        {"CREATE TABLE mine(a); " EDIT
         "UPDATE sqlite_schema SET tbl_name=NULL WHERE name='mine'",
         PLOG_E_DIVERGED, ""},
        {"CREATE TABLE mine(a); " EDIT
         "UPDATE sqlite_schema SET name=NULL WHERE name='mine'",
         PLOG_E_DIVERGED, ""},
    };
    struct world w, copy;
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, NULL, "1", "x", NULL), 0);
    world_close(&w);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        plog_reader *r = NULL;
        copy = w;
        snprintf(copy.dir, sizeof copy.dir, "%.400s-%zu", w.dir, i);
        world_copy(w.dir, copy.dir);
        world_sql(&copy, all[i].sql);
        err = (struct plog_error){.code = 0};
        bool ok =
            CHECK_INT(plog_reader_open(&r, copy.dir, NULL, &err), all[i].code);
        plog_reader_close(r);
        ok &= CHECK(strstr(err.message, all[i].says) != NULL);
        ok &= CHECK_INT(world_open(&copy), all[i].code);
        if (!ok)
            printf("# %s: %s\n", all[i].sql, err.message);
        world_close(&copy);
        world_remove(copy.dir);
    }
}

/* Where there is no table of ours, only an empty database is none of
 * somebody else's. */
static void without_tables(void)
{
    static const struct {
        const char *sql;
        int code;
    } all[] = {
        {"SELECT 1", 0},
        {"CREATE TABLE mine(a)", 0},
        {"PRAGMA application_id=7", PLOG_E_DIVERGED},
        {"PRAGMA user_version=1", PLOG_E_DIVERGED},
        {"PRAGMA user_version=9", PLOG_E_DIVERGED},
        {"PRAGMA application_id=0x706c6f67", PLOG_E_DIVERGED},
        {"PRAGMA application_id=0x706c6f67; PRAGMA user_version=1",
         PLOG_E_DIVERGED},
        {"PRAGMA application_id=0x706c6f67; PRAGMA user_version=3",
         PLOG_E_FORMAT},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        sqlite3 *db = NULL;
        bool tables = true;
        CHECK_INT(sqlite3_open(":memory:", &db), SQLITE_OK);
        CHECK_INT(sqlite3_exec(db, all[i].sql, NULL, NULL, NULL), SQLITE_OK);
        if (!CHECK_INT(plog_schema_check(db, &tables, &err), all[i].code))
            printf("# %s\n", all[i].sql);
        CHECK(!tables);
        sqlite3_close(db);
    }
    CHECK(!plog_schema_is_ours(NULL));
    CHECK(!plog_schema_is_ours("mine"));
    CHECK(plog_schema_is_ours("Events"));
}

/* Rows that were edited behind a schema that SQLite has read already. */
static void edited_rows(void)
{
    static const struct {
        const char *edit, *says;
    } all[] = {
        {"type=NULL WHERE name='mine'", "a broken schema row "},
        {"name=NULL WHERE name='mine'", "a broken schema row "},
        {"tbl_name=NULL WHERE name='mine'", "a broken schema row "},
        {"sql=NULL WHERE name='cursors'", "another definition of cursors"},
        {"sql=sql||' ' WHERE name='cursors'", "another definition of cursors"},
        {"type='trigger',tbl_name='events' WHERE name='mine'",
         "a trigger that is not ours: mine"},
        {"type='trigger' WHERE name='cursors'",
         "a trigger that is not ours: cursors"},
        {"type='index',tbl_name='events' WHERE name='mine'",
         "an index that is not ours: mine"},
        {"type='trigger' WHERE name='mine'", NULL},
        {"type='index' WHERE name='mine'", NULL},
        {"type='index',tbl_name='events',sql=NULL WHERE name='mine'", NULL},
        {"sql=NULL WHERE name='mine'", NULL},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        sqlite3 *db = NULL;
        char sql[200], want[80];
        bool tables = false;
        err = (struct plog_error){.code = 0};
        CHECK_INT(sqlite3_open(":memory:", &db), SQLITE_OK);
        CHECK_INT(plog_schema_create(db, &err), 0);
        snprintf(sql, sizeof sql,
                 "CREATE TABLE mine(a); " EDIT "UPDATE sqlite_schema SET %s",
                 all[i].edit);
        CHECK_INT(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
        bool ok = CHECK_INT(plog_schema_check(db, &tables, &err),
                            all[i].says ? PLOG_E_DIVERGED : 0);
        snprintf(want, sizeof want, "%s%s", all[i].says ? "store.db: " : "",
                 all[i].says ? all[i].says : "");
        ok &= CHECK_TEXT(err.message, want);
        ok &= CHECK_TEXT(err.file, all[i].says ? "store.db" : "");
        ok &= CHECK_TEXT(err.hint, all[i].says
                                       ? "run: paritylog replay DIR --fresh"
                                         " (keeps this store in quarantine/)"
                                       : "");
        if (!ok)
            printf("# %s\n", all[i].edit);
        sqlite3_close(db);
    }
}

/* A place where SQLite has no WAL is none for a store. */
static void without_a_wal(void)
{
    struct plog_store s;
    CHECK_INT(plog_store_open(&s, plog_io_posix(), ":memory:", PLOG_OPEN_CREATE,
                              0, &err),
              PLOG_E_IO);
    CHECK(strstr(err.message, "SQLite cannot use WAL mode") != NULL);
    CHECK(s.db == NULL && s.vfs == NULL);
    memset(&s, 0, sizeof s); /* one that was never opened */
    plog_store_close(&s);
    CHECK(s.db == NULL);
}

static int setting(sqlite3 *db, int which)
{
    int is = -1;
    CHECK_INT(sqlite3_db_config(db, which, -1, &is), SQLITE_OK);
    return is;
}

static int64_t pragma(sqlite3 *db, const char *name)
{
    char sql[60];
    sqlite3_stmt *q = NULL;
    snprintf(sql, sizeof sql, "PRAGMA main.%s", name);
    CHECK_INT(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
    CHECK_INT(sqlite3_step(q), SQLITE_ROW);
    int64_t is = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return is;
}

/* As a store is opened: it trusts nothing, checkpoints when it is told to only,
 * and a commit of the one who writes syncs nothing. */
static void limits(void)
{
    struct plog_store s;
    struct world w;
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, NULL, "1", "x", NULL), 0);
    world_close(&w);
    static const enum plog_store_mode modes[] = {PLOG_OPEN_READ,
                                                 PLOG_OPEN_WRITE};
    for (size_t i = 0; i < 2; i++) {
        CHECK_INT(plog_store_open(&s, plog_io_posix(),
                                  world_path(&w, "store.db"), modes[i], 70,
                                  &err),
                  0);
        REQUIRE(s.db != NULL);
        if (i)
            CHECK_INT(pragma(s.db, "synchronous"), 1);
        CHECK_INT(pragma(s.db, "cache_size"), -PLOG_STORE_CACHE);
        CHECK_INT(pragma(s.db, "mmap_size"), 0);
        CHECK_INT(pragma(s.db, "cell_size_check"), 1);
        CHECK_INT(pragma(s.db, "wal_autocheckpoint"), 0);
        CHECK_INT(pragma(s.db, "busy_timeout"), 70);
        CHECK_INT(setting(s.db, SQLITE_DBCONFIG_DEFENSIVE), 1);
        CHECK_INT(setting(s.db, SQLITE_DBCONFIG_ENABLE_TRIGGER), 0);
        CHECK_INT(setting(s.db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION), 0);
        CHECK_INT(setting(s.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE), 1);
        CHECK(s.has_tables);
        CHECK((s.begin != NULL) == (i == 1));
        plog_store_close(&s);
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"codes", codes},
        {"statements", statements},
        {"why", why},
        {"databases", databases},
        {"without tables", without_tables},
        {"edited rows", edited_rows},
        {"without a wal", without_a_wal},
        {"limits", limits},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
