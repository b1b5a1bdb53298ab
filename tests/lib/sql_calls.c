/* sql_calls.c - see sql_calls.h. */
#include "sql_calls.h"

#include <dlfcn.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

struct sql_calls sql_calls;

static struct {
    int (*prepare)(sqlite3 *, const char *, int, unsigned, sqlite3_stmt **,
                   const char **);
    int (*step)(sqlite3_stmt *);
    int (*exec)(sqlite3 *, const char *, int (*)(void *, int, char **, char **),
                void *, char **);
    int (*errcode)(sqlite3 *);
    int (*control)(sqlite3 *, const char *, int, void *);
    int (*checkpoint)(sqlite3 *, const char *, int, int *, int *);
} real;

static void find(const char *name, void *out)
{
    void *f = dlsym(RTLD_NEXT, name);
    if (!f)
        abort();
    memcpy(out, &f, sizeof f);
}

/* What a program that uses the library would find in its log of SQLite's. */
static void on_log(void *arg, int code, const char *text)
{
    (void)arg;
    if (code == SQLITE_MISUSE && sql_calls.fails &&
        !CHECK(code != SQLITE_MISUSE))
        printf("# SQLite: %s\n", text);
}

/* Before main, and so before there are threads. */
__attribute__((constructor)) static void find_all(void)
{
    if (sqlite3_config(SQLITE_CONFIG_LOG, on_log, NULL) != SQLITE_OK)
        abort();
    find("sqlite3_prepare_v3", &real.prepare);
    find("sqlite3_step", &real.step);
    find("sqlite3_exec", &real.exec);
    find("sqlite3_extended_errcode", &real.errcode);
    find("sqlite3_file_control", &real.control);
    find("sqlite3_wal_checkpoint_v2", &real.checkpoint);
}

static bool fails(const char *call, const char *sql, bool busy)
{
    return sql_calls.fails && sql_calls.fails(call, sql ? sql : "", busy);
}

int sqlite3_prepare_v3(sqlite3 *db, const char *sql, int n, unsigned flags,
                       sqlite3_stmt **out, const char **tail)
{
    if (!fails("prepare", sql, false))
        return real.prepare(db, sql, n, flags, out, tail);
    *out = NULL;
    return SQLITE_IOERR;
}

int sqlite3_step(sqlite3_stmt *s)
{
    if (sql_calls.fails &&
        fails("step", sqlite3_sql(s), sqlite3_stmt_busy(s) != 0))
        return SQLITE_IOERR;
    return real.step(s);
}

int sqlite3_exec(sqlite3 *db, const char *sql,
                 int (*row)(void *, int, char **, char **), void *arg,
                 char **why)
{
    if (fails("exec", sql, false))
        return SQLITE_IOERR;
    if (sql_calls.no_sync && strncmp(sql, "PRAGMA synchronous=", 19) == 0)
        sql = "PRAGMA synchronous=OFF";
    return real.exec(db, sql, row, arg, why);
}

int sqlite3_extended_errcode(sqlite3 *db)
{
    return sql_calls.failing ? SQLITE_IOERR_READ : real.errcode(db);
}

int sqlite3_libversion_number(void)
{
    return sql_calls.version ? sql_calls.version : SQLITE_VERSION_NUMBER;
}

int sqlite3_file_control(sqlite3 *db, const char *schema, int op, void *arg)
{
    if (op == SQLITE_FCNTL_DATA_VERSION &&
        (sql_calls.no_version < 0 ||
         (sql_calls.no_version > 0 && --sql_calls.no_version == 0)))
        return SQLITE_IOERR;
    return real.control(db, schema, op, arg);
}

int sqlite3_wal_checkpoint_v2(sqlite3 *db, const char *name, int mode,
                              int *left, int *moved)
{
    if (!sql_calls.no_checkpoint)
        return real.checkpoint(db, name, mode, left, moved);
    if (left)
        *left = sql_calls.checkpoint_left;
    return sql_calls.checkpoint;
}

/* ---- Counting ------------------------------------------------------------ */

static const char *counts_sql;
static unsigned counted;

static bool count(const char *call, const char *sql, bool busy)
{
    (void)call, (void)busy;
    counted += strcmp(sql, counts_sql) == 0;
    return false;
}

void sql_calls_count(const char *sql)
{
    counts_sql = sql;
    counted = 0;
    sql_calls.fails = count;
}

unsigned sql_calls_counted(void)
{
    sql_calls.fails = NULL;
    return counted;
}
