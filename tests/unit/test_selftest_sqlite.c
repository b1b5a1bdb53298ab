/*
 * test_selftest_sqlite.c - what selftest finds of SQLite's locks, beside a
 * second process that does one thing wrong: a connection of ours stands for it.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "selftesting.h"
#include "sql_calls.h"

static struct selftesting s;

#define ROWS 30

/* What the two that are started do, and say. */
static struct {
    const char *first, *first_end; /* SQL; NULL: it lives on */
    int32_t first_word;
    const char *second, *second_end; /* with each word; at the end */
    int32_t step, last;              /* words: so many at once, up to that */
    int rc;                          /* of the second start */
    sqlite3 *db;
    int32_t word;
    int starts;
    bool said;
} other;

static void sql(const char *text)
{
    CHECK_INT(sqlite3_exec(other.db, text, NULL, NULL, NULL), SQLITE_OK);
}

static int start(void *ctx, int (*work)(void *arg), void *arg)
{
    char path[700];
    (void)ctx, (void)work, (void)arg;
    if (++other.starts < 3)
        return 0; /* flock and byte locks, of which nothing is said */
    if (other.starts == 4 && other.rc)
        return other.rc;
    snprintf(path, sizeof path, "%.500s/locks.db", s.scratch);
    CHECK_INT(sqlite3_open(path, &other.db), SQLITE_OK);
    other.said = false;
    if (other.starts == 3 && other.first)
        sql(other.first);
    return 0;
}

static int64_t hear(void *ctx, void *p, size_t n, int timeout_ms)
{
    (void)ctx, (void)timeout_ms;
    if (other.starts < 3)
        return 0;
    CHECK_UINT(n, sizeof other.word);
    if (other.starts == 3) {
        if (other.said)
            return 0;
        other.said = true;
        memcpy(p, &other.first_word, sizeof other.first_word);
        return sizeof other.first_word;
    }
    if (other.word >= other.last)
        return 0;
    if (other.second)
        for (int i = 0; i < other.step; i++)
            sql(other.second);
    other.word += other.step;
    memcpy(p, &other.word, sizeof other.word);
    return sizeof other.word;
}

static int stop(void *ctx, bool by_kill)
{
    (void)ctx;
    CHECK(by_kill);
    if (other.starts < 3)
        return 0;
    const char *end = other.starts == 3 ? other.first_end : other.second_end;
    if (other.starts == 3 && !end)
        return 0;
    if (end)
        sql(end);
    sqlite3_close(other.db);
    other.db = NULL;
    return 0;
}

static void begin(void)
{
    memset(&other, 0, sizeof other);
    other.first = "BEGIN IMMEDIATE; INSERT INTO t VALUES(2)";
    other.first_end = "ROLLBACK";
    other.second = "INSERT INTO t VALUES(3)";
    other.step = 1;
    other.last = ROWS;
    selftesting_begin(&s, 1);
    selftesting_fork(&s);
    s.host.start = start;
    s.host.hear = hear;
    s.host.stop = stop;
}

/* NULL: all right. */
static void finds(const char *found)
{
    static const char name[] = "SQLite's locks";
    plog_selftest_locks(&s.t);
    selftesting_check(&s, name, found ? PLOG_TEST_FAIL : PLOG_TEST_OK, found,
                      found ? "keep logs on a local file system" : "");
    sqlite3_close(other.db);
    selftesting_end(&s);
}

static void as_it_should_be(void)
{
    begin();
    finds(NULL);
    CHECK_INT(other.starts, 4);
    begin();
    other.step = ROWS; /* all at once */
    finds(NULL);
}

static void of_the_first(void)
{
    begin();
    other.first_word = SQLITE_CANTOPEN;
    finds("a second process cannot open the database");
    begin();
    other.first = "INSERT INTO t VALUES(2); BEGIN IMMEDIATE";
    finds("a row is seen that was not committed, or none");
    begin();
    other.first = NULL;
    other.first_end = "";
    finds("two processes were let into a transaction that writes");
    begin();
    other.first_end = "COMMIT";
    finds("a row of a killed transaction is there");
    begin();
    other.first_end = NULL;
    finds("the writer's lock is held after its holder was killed");
    begin();
    other.first = "CREATE TRIGGER no BEFORE INSERT ON t WHEN new.x=4 BEGIN"
                  " SELECT RAISE(FAIL,'no'); END; BEGIN IMMEDIATE";
    finds("writing after that fails");
    CHECK_INT(other.starts, 3); /* and that is the end of it */
}

static void of_the_second(void)
{
    begin();
    other.rc = -EAGAIN;
    finds("no second process could be started");
    begin();
    other.last = ROWS - 1;
    finds("the other process said nothing");
    begin();
    other.step = -1;
    other.second = NULL;
    finds("writing beside a reader fails");
    begin();
    other.second = NULL; /* it says so, and does not write */
    finds("what another process committed is not seen");
    begin();
    other.second_end = "DELETE FROM t WHERE rowid=2";
    finds("rows that were committed are gone after a kill");
    begin();
    other.second_end = "INSERT INTO t VALUES(5)";
    finds("rows that were committed are gone after a kill");
}

/* ---- No database at all -------------------------------------------------- */

static void not_made(void)
{
    char path[700];
    begin();
    snprintf(path, sizeof path, "%.500s/locks.db", s.scratch);
    CHECK(mkdir(path, 0700) == 0);
    finds("a database in WAL mode cannot be made");
    CHECK_INT(other.starts, 2);
}

static void *no_memory(void *ctx, void *p, size_t n)
{
    return n ? NULL : plog_io_posix()->alloc(ctx, p, n);
}

static void no_layer(void)
{
    begin();
    s.io.alloc = no_memory;
    finds("SQLite has no file layer");
}

/* A real one that finds no table any more. */
static int start_without_table(void *ctx, int (*work)(void *arg), void *arg)
{
    struct selftesting *by = ctx;
    char path[700];
    if (++other.starts == 4) {
        snprintf(path, sizeof path, "%.500s/locks.db", s.scratch);
        CHECK_INT(sqlite3_open(path, &other.db), SQLITE_OK);
        sql("DROP TABLE t");
        sqlite3_close(other.db);
        other.db = NULL;
    }
    struct selftesting copy;
    selftesting_fork(&copy);
    return copy.host.start(by, work, arg);
}

static void a_child_that_cannot_write(void)
{
    memset(&other, 0, sizeof other);
    selftesting_begin(&s, 1);
    selftesting_fork(&s);
    s.host.start = start_without_table;
    finds("writing beside a reader fails");
    CHECK_INT(other.starts, 4);
}

/* A real one that finds no database any more: it says so at once. */
static int start_without_file(void *ctx, int (*work)(void *arg), void *arg)
{
    struct selftesting *by = ctx;
    char path[700];
    if (++other.starts == 4) {
        snprintf(path, sizeof path, "%.500s/locks.db", s.scratch);
        CHECK(unlink(path) == 0);
        CHECK(mkdir(path, 0700) == 0);
    }
    struct selftesting copy;
    selftesting_fork(&copy);
    return copy.host.start(by, work, arg);
}

static int64_t unheard; /* times that nothing was said */

static int64_t hear_real(void *ctx, void *p, size_t n, int timeout_ms)
{
    struct selftesting copy;
    selftesting_fork(&copy);
    int64_t rc = copy.host.hear(ctx, p, n, 20 * timeout_ms);
    unheard += rc == -EAGAIN;
    return unheard ? 0 : rc; /* a second is enough */
}

static void a_child_that_cannot_open(void)
{
    memset(&other, 0, sizeof other);
    unheard = 0;
    selftesting_begin(&s, 1);
    selftesting_fork(&s);
    s.host.start = start_without_file;
    s.host.hear = hear_real;
    finds("writing beside a reader fails");
    CHECK_INT(other.starts, 4);
    CHECK_INT(unheard, 0);
}

/* A database that does not sync as it should is none. */
static bool no_setting(const char *call, const char *text, bool busy)
{
    (void)busy;
    return strcmp(call, "exec") == 0 &&
           strcmp(text, "PRAGMA synchronous=FULL") == 0;
}

static void no_syncs(void)
{
    begin();
    sql_calls.fails = no_setting;
    finds("a database in WAL mode cannot be made");
    CHECK_INT(other.starts, 2);
    sql_calls.fails = NULL;
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"as it should be", as_it_should_be},
        {"of the first", of_the_first},
        {"of the second", of_the_second},
        {"not made", not_made},
        {"no layer", no_layer},
        {"a child that cannot write", a_child_that_cannot_write},
        {"a child that cannot open", a_child_that_cannot_open},
        {"no syncs", no_syncs},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
