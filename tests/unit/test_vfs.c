/*
 * test_vfs.c - the file layer between SQLite and the disk: what it tells of
 * each file, what it lets SQLite touch, and what it only passes on.
 *
 * test_hostile.c plants files for SQLite to find; here SQLite is driven
 * through the layer alone, without a store of ours.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "vfs.h"

#define OPS 6
#define FILES 4

static unsigned seen[OPS][FILES];
static int fail_op = -1, fail_file;
static struct plog_io io;
static struct plog_vfs *layer;
static char path[700];

static int note(void *ctx, const struct plog_store_event *e)
{
    (void)ctx;
    if (!e->done && (int)e->op == fail_op && (int)e->file == fail_file)
        return 1;
    seen[e->op][e->file] += e->done && e->result == SQLITE_OK;
    return 0;
}

static sqlite3 *open_it(const char *sql)
{
    sqlite3 *db = NULL;
    memset(seen, 0, sizeof seen);
    fail_op = -1;
    io = *plog_io_posix();
    io.store_event = note;
    CHECK_INT(plog_vfs_open(&layer, &io), 0);
    CHECK_INT(sqlite3_open_v2(path, &db,
                              SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                              plog_vfs_name(layer)),
              SQLITE_OK);
    CHECK_INT(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    return db;
}

static sqlite3 *start(const char *sql)
{
    snprintf(path, sizeof path, "%.500s/some.db", check_dir());
    return open_it(sql);
}

static void end(sqlite3 *db)
{
    CHECK_INT(sqlite3_close(db), SQLITE_OK);
    plog_vfs_close(layer);
}

static bool is_there(const char *what)
{
    char name[800];
    snprintf(name, sizeof name, "%s%s", path, what);
    return access(name, F_OK) == 0;
}

/* ---- Told -------------------------------------------------------------------
 */

static void with_a_journal(void)
{
    sqlite3 *db = start("PRAGMA journal_mode=DELETE; CREATE TABLE t(a);"
                        "INSERT INTO t VALUES(1)");
    CHECK(seen[PLOG_STORE_OPEN][PLOG_STORE_MAIN] == 1);
    CHECK(seen[PLOG_STORE_OPEN][PLOG_STORE_JOURNAL] > 0);
    CHECK(seen[PLOG_STORE_WRITE][PLOG_STORE_JOURNAL] > 0);
    CHECK(seen[PLOG_STORE_SYNC][PLOG_STORE_JOURNAL] > 0);
    CHECK(seen[PLOG_STORE_DELETE][PLOG_STORE_JOURNAL] > 0);
    CHECK_UINT(seen[PLOG_STORE_DELETE][PLOG_STORE_WAL], 0);
    CHECK_UINT(seen[PLOG_STORE_OPEN][PLOG_STORE_TEMP], 0);
    CHECK(!is_there("-journal"));
    fail_op = PLOG_STORE_DELETE; /* a journal that stays: not committed */
    fail_file = PLOG_STORE_JOURNAL;
    CHECK(sqlite3_exec(db, "INSERT INTO t VALUES(2)", NULL, NULL, NULL) !=
          SQLITE_OK);
    fail_op = -1;
    end(db);
}

static void with_a_wal(void)
{
    sqlite3 *db = start("PRAGMA journal_mode=WAL; CREATE TABLE t(a)");
    CHECK(seen[PLOG_STORE_OPEN][PLOG_STORE_WAL] == 1);
    CHECK(seen[PLOG_STORE_WRITE][PLOG_STORE_WAL] > 0);
    CHECK(is_there("-wal"));
    CHECK_INT(sqlite3_close(db), SQLITE_OK);
    CHECK(seen[PLOG_STORE_DELETE][PLOG_STORE_WAL] == 1);
    CHECK(!is_there("-wal"));
    plog_vfs_close(layer);
    db = open_it("INSERT INTO t VALUES(1)"); /* for who only reads it stays */
    plog_vfs_keep(layer);
    end(db);
    CHECK_UINT(seen[PLOG_STORE_DELETE][PLOG_STORE_WAL], 0);
    CHECK(is_there("-wal"));
}

/* Files without a name are SQLite's own. */
static void temporary(void)
{
    sqlite3 *db = start("PRAGMA temp_store=FILE; PRAGMA cache_size=1;"
                        "CREATE TEMP TABLE t(a); PRAGMA temp.cache_size=1;"
                        "WITH RECURSIVE c(n) AS (VALUES(1) UNION ALL SELECT"
                        " n+1 FROM c WHERE n<300) INSERT INTO t SELECT"
                        " randomblob(3000) FROM c");
    CHECK(seen[PLOG_STORE_OPEN][PLOG_STORE_TEMP] > 0);
    CHECK(seen[PLOG_STORE_WRITE][PLOG_STORE_TEMP] > 0);
    CHECK_UINT(seen[PLOG_STORE_WRITE][PLOG_STORE_MAIN], 0);
    end(db);
}

/* ---- Let be -----------------------------------------------------------------
 */

/* No name but those of the database: a journal may not send SQLite to others.
 */
static void other_files(void)
{
    sqlite3 *db = start("CREATE TABLE t(a)");
    sqlite3_vfs *v = sqlite3_vfs_find(plog_vfs_name(layer));
    char other[800];
    int there = 7;
    REQUIRE(v != NULL);
    snprintf(other, sizeof other, "%s-other", path);
    FILE *f = fopen(other, "w");
    REQUIRE(f != NULL);
    fclose(f);
    CHECK_INT(v->xDelete(v, other, 0), SQLITE_IOERR_DELETE);
    CHECK_INT(v->xDelete(v, path, 0), SQLITE_IOERR_DELETE);
    CHECK_INT(v->xDelete(v, "-wal", 0), SQLITE_IOERR_DELETE);
    CHECK_INT(v->xAccess(v, other, SQLITE_ACCESS_EXISTS, &there), SQLITE_OK);
    CHECK_INT(there, 0);
    CHECK(is_there("-other") && is_there(""));
    snprintf(other, sizeof other, "%s-journal", path);
    f = fopen(other, "w");
    REQUIRE(f != NULL);
    fputs("x", f);
    fclose(f);
    CHECK_INT(v->xAccess(v, other, SQLITE_ACCESS_EXISTS, &there), SQLITE_OK);
    CHECK_INT(there, 1);
    CHECK_INT(v->xDelete(v, other, 0), SQLITE_OK);
    CHECK(!is_there("-journal"));
    end(db);
}

static void plant(const char *name, const char *content)
{
    FILE *f = fopen(name, "w");
    REQUIRE(f != NULL);
    fputs(content, f);
    fclose(f);
}

/* The WAL and the journal of another database, be its name as long as ours. */
static void of_another_database(void)
{
    static const char *const ends[] = {"-wal", "-journal"};
    sqlite3 *db = start("CREATE TABLE IF NOT EXISTS t(a)");
    sqlite3_vfs *v = sqlite3_vfs_find(plog_vfs_name(layer));
    REQUIRE(v != NULL);
    for (int i = 0; i < 2; i++) {
        char other[800];
        int there = 7;
        snprintf(other, sizeof other, "%.*sx%s", (int)strlen(path) - 1, path,
                 ends[i]);
        plant(other, "theirs");
        CHECK_INT(v->xAccess(v, other, SQLITE_ACCESS_EXISTS, &there),
                  SQLITE_OK);
        CHECK_INT(there, 0);
        CHECK_INT(v->xDelete(v, other, 0), SQLITE_IOERR_DELETE);
        CHECK_INT(unlink(other), 0); /* it was left */
    }
    end(db);
}

static void holds(const char *name, const char *content)
{
    char got[4096] = "";
    FILE *f = fopen(name, "r");
    REQUIRE(f != NULL);
    size_t n = fread(got, 1, sizeof got, f);
    fclose(f);
    CHECK_BYTES(got, n, content, strlen(content));
}

/* A file of somebody else's, as a hard link where SQLite has one of its own:
 * it is not opened, and keeps what it holds. */
static void planted_links(void)
{
    static const char *const ends[] = {"-journal", "-wal", "-shm"};
    static const char *const modes[] = {"DELETE", "WAL", "WAL"};
    char sql[100], victim[800], name[800];
    for (int i = 0; i < 3; i++) {
        snprintf(sql, sizeof sql,
                 "PRAGMA journal_mode=%s; CREATE TABLE IF NOT EXISTS t(a)",
                 modes[i]);
        end(start(sql));
        snprintf(victim, sizeof victim, "%s-victim", path);
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        plant(victim, "not a file of SQLite's");
        CHECK_INT(link(victim, name), 0);
        sqlite3 *db = open_it("");
        if (!CHECK_INT(
                sqlite3_exec(db, "INSERT INTO t VALUES(1)", NULL, NULL, NULL),
                SQLITE_CANTOPEN))
            printf("# %s\n", ends[i]);
        end(db);
        holds(name, "not a file of SQLite's");
        CHECK_INT(unlink(name), 0);
        holds(victim, "not a file of SQLite's");
    }
}

/* ---- Passed on --------------------------------------------------------------
 */

static void passed_on(void)
{
    sqlite3 *db = start("CREATE TABLE t(a)");
    sqlite3_vfs *v = sqlite3_vfs_find(plog_vfs_name(layer));
    sqlite3_file *f = NULL;
    char bytes[32] = {0}, zero[32] = {0};
    double days = 0;
    sqlite3_int64 ms = 0;
    REQUIRE(v != NULL);
    CHECK_INT(v->xRandomness(v, sizeof bytes, bytes), sizeof bytes);
    CHECK(memcmp(bytes, zero, sizeof bytes) != 0);
    /* Julian days, and milliseconds of them. */
    double now = (double)time(NULL) / 86400 + 2440587.5;
    CHECK_INT(v->xCurrentTime(v, &days), SQLITE_OK);
    CHECK(days > now - 0.01 && days < now + 0.01);
    CHECK_INT(v->xCurrentTimeInt64(v, &ms), SQLITE_OK);
    CHECK((double)ms / 86400000 > now - 0.01 &&
          (double)ms / 86400000 < now + 0.01);
    CHECK_INT(sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &f),
              SQLITE_OK);
    REQUIRE(f != NULL && f->pMethods != NULL);
    int sector = f->pMethods->xSectorSize(f);
    CHECK(sector >= 512 && (sector & (sector - 1)) == 0);
    end(db);
}

static int read_error;

static ssize_t no_pread(int fd, void *to, size_t n, off_t at)
{
    (void)fd, (void)to, (void)n, (void)at;
    errno = read_error;
    return -1;
}

static ssize_t no_read(int fd, void *to, size_t n)
{
    return no_pread(fd, to, n, 0);
}

static void break_reads(bool on)
{
    static const char *const names[] = {"pread", "pread64", "read"};
    sqlite3_vfs *v = sqlite3_vfs_find(NULL);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        v->xSetSystemCall(v, names[i],
                          !on     ? NULL
                          : i < 2 ? (sqlite3_syscall_ptr)no_pread
                                  : (sqlite3_syscall_ptr)no_read);
}

/* A disk that cannot be read for now says nothing of what is on it: no error
 * of reading is called a damaged database. */
static void not_read(void)
{
    static const int errors[] = {EIO, ENXIO, ERANGE, EBADF};
    sqlite3_file *f = NULL;
    char page[100];
    sqlite3 *db = start("PRAGMA journal_mode=DELETE;"
                        "CREATE TABLE IF NOT EXISTS t(a)");
    CHECK_INT(sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &f),
              SQLITE_OK);
    REQUIRE(f != NULL && f->pMethods != NULL);
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        read_error = errors[i];
        unsigned before = seen[PLOG_STORE_READ][PLOG_STORE_MAIN];
        break_reads(true);
        int rc = f->pMethods->xRead(f, page, sizeof page, 0);
        int all = sqlite3_exec(db, "SELECT * FROM t", NULL, NULL, NULL);
        int more = sqlite3_extended_errcode(db);
        break_reads(false);
        CHECK_INT(rc, SQLITE_IOERR_READ);
        CHECK_INT(all, SQLITE_IOERR);
        CHECK_INT(more, SQLITE_IOERR_READ);
        CHECK_UINT(seen[PLOG_STORE_READ][PLOG_STORE_MAIN], before);
        CHECK_INT(sqlite3_exec(db, "SELECT * FROM t", NULL, NULL, NULL),
                  SQLITE_OK);
    }
    end(db);
}

/* ---- What waits to be written ------------------------------------------- */

static char bytes[64];

/* Bytes of a frame that wait in memory, to be written with the next ones. */
static sqlite3_file *with_a_frame_waiting(sqlite3_vfs *v)
{
    static char wal[800];
    int out;
    sqlite3_file *f = calloc(1, (size_t)v->szOsFile);
    snprintf(wal, sizeof wal, "%s-wal", path);
    if (!CHECK(f != NULL) ||
        !CHECK_INT(v->xOpen(v, wal, f,
                            SQLITE_OPEN_WAL | SQLITE_OPEN_READWRITE |
                                SQLITE_OPEN_CREATE,
                            &out),
                   SQLITE_OK))
        exit(1);
    CHECK_INT(f->pMethods->xTruncate(f, 0), SQLITE_OK);
    CHECK_INT(f->pMethods->xWrite(f, bytes, 32, 0), SQLITE_OK);
    memset(seen, 0, sizeof seen);
    CHECK_INT(f->pMethods->xWrite(f, bytes, 24, 32), SQLITE_OK);
    CHECK_UINT(seen[PLOG_STORE_WRITE][PLOG_STORE_WAL], 0);
    return f;
}

static int do_read(sqlite3_file *f)
{
    char out[56];
    return f->pMethods->xRead(f, out, sizeof out, 0);
}

static int do_truncate(sqlite3_file *f)
{
    return f->pMethods->xTruncate(f, 56);
}

static int do_sync(sqlite3_file *f)
{
    return f->pMethods->xSync(f, SQLITE_SYNC_NORMAL);
}

static int do_size(sqlite3_file *f)
{
    sqlite3_int64 size = 0;
    int rc = f->pMethods->xFileSize(f, &size);
    CHECK(rc != SQLITE_OK || size == 56);
    return rc;
}

/* It is written before anything else is done; when that fails, the rest is not
 * done, and SQLite is told. */
static void what_waits_is_written_first(void)
{
    static const struct {
        int (*act)(sqlite3_file *f);
        int op; /* that is told; -1: none is */
    } all[] = {{do_read, PLOG_STORE_READ},
               {do_truncate, PLOG_STORE_TRUNCATE},
               {do_sync, PLOG_STORE_SYNC},
               {do_size, -1}};
    sqlite3 *db = start("CREATE TABLE IF NOT EXISTS t(a)");
    sqlite3_vfs *v = sqlite3_vfs_find(plog_vfs_name(layer));
    REQUIRE(v != NULL);
    for (size_t i = 0; i < 4; i++)
        for (int fails = 0; fails < 2; fails++) {
            sqlite3_file *f = with_a_frame_waiting(v);
            fail_op = fails ? PLOG_STORE_WRITE : -1;
            fail_file = PLOG_STORE_WAL;
            CHECK_INT(all[i].act(f), fails ? SQLITE_IOERR_WRITE : SQLITE_OK);
            CHECK_UINT(seen[PLOG_STORE_WRITE][PLOG_STORE_WAL], !fails);
            if (all[i].op >= 0)
                CHECK_UINT(seen[all[i].op][PLOG_STORE_WAL], !fails);
            fail_op = -1;
            CHECK_INT(f->pMethods->xClose(f), SQLITE_OK);
            free(f);
        }
    end(db);
}

static void not_cut(void)
{
    sqlite3 *db = start("CREATE TABLE IF NOT EXISTS t(a)");
    sqlite3_vfs *v = sqlite3_vfs_find(plog_vfs_name(layer));
    REQUIRE(v != NULL);
    sqlite3_file *f = with_a_frame_waiting(v);
    fail_op = PLOG_STORE_TRUNCATE;
    fail_file = PLOG_STORE_WAL;
    CHECK_INT(f->pMethods->xTruncate(f, 0), SQLITE_IOERR_TRUNCATE);
    fail_op = -1;
    CHECK_INT(do_size(f), SQLITE_OK);
    CHECK_INT(f->pMethods->xClose(f), SQLITE_OK);
    free(f);
    end(db);
}

/* ---- Names -------------------------------------------------------------- */

/* No file is ours before there is a database; and one whose name is longer
 * than what can be looked at is not used. */
static void odd_names(void)
{
    static char longest[5000];
    int there = 7, out;
    io = *plog_io_posix();
    CHECK_INT(plog_vfs_open(&layer, &io), 0);
    sqlite3_vfs *v = sqlite3_vfs_find(plog_vfs_name(layer));
    REQUIRE(v != NULL);
    CHECK_INT(v->xDelete(v, "-wal", 0), SQLITE_IOERR_DELETE);
    CHECK_INT(v->xAccess(v, "-journal", SQLITE_ACCESS_EXISTS, &there),
              SQLITE_OK);
    CHECK_INT(there, 0);
    memset(longest, '/', sizeof longest - 1);
    longest[sizeof longest - 2] = 'x';
    sqlite3_file *f = calloc(1, (size_t)v->szOsFile);
    REQUIRE(f != NULL);
    CHECK_INT(v->xOpen(v, longest, f,
                       SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READWRITE |
                           SQLITE_OPEN_CREATE,
                       &out),
              SQLITE_CANTOPEN);
    CHECK(f->pMethods == NULL);
    CHECK(access("/x", F_OK) != 0);
    free(f);
    plog_vfs_close(layer);
}

/* ---- None below it ----------------------------------------------------------
 */

static void no_layer(void)
{
    sqlite3_vfs *all[20];
    int n = 0;
    CHECK_INT(sqlite3_initialize(), SQLITE_OK);
    while (n < 20 && (all[n] = sqlite3_vfs_find(NULL)) != NULL)
        sqlite3_vfs_unregister(all[n++]);
    layer = (void *)all;
    CHECK_INT(plog_vfs_open(&layer, plog_io_posix()), PLOG_E_IO);
    CHECK(layer == NULL);
    for (int i = 0; i < n; i++)
        CHECK_INT(sqlite3_vfs_register(all[i], i == 0), SQLITE_OK);
    CHECK_INT(plog_vfs_open(&layer, plog_io_posix()), 0);
    plog_vfs_close(layer);
}

static int begins; /* what comes of it */

static int no_start(void *arg)
{
    (void)arg;
    return begins;
}

/* SQLite itself cannot begin: without memory, that is what is said, and not
 * when it is something else. */
static void no_memory_to_begin(void)
{
    static const int all[][2] = {{SQLITE_NOMEM, PLOG_E_NOMEM},
                                 {SQLITE_IOERR, PLOG_E_IO},
                                 {SQLITE_ERROR, PLOG_E_IO}};
    sqlite3_mem_methods usual, none;
    CHECK_INT(sqlite3_shutdown(), SQLITE_OK);
    REQUIRE(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &usual) == SQLITE_OK);
    none = usual;
    none.xInit = no_start;
    CHECK_INT(sqlite3_config(SQLITE_CONFIG_MALLOC, &none), SQLITE_OK);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        begins = all[i][0];
        layer = (void *)&none;
        CHECK_INT(plog_vfs_open(&layer, plog_io_posix()), all[i][1]);
        CHECK(layer == NULL);
    }
    CHECK_INT(sqlite3_shutdown(), SQLITE_OK);
    CHECK_INT(sqlite3_config(SQLITE_CONFIG_MALLOC, &usual), SQLITE_OK);
    CHECK_INT(plog_vfs_open(&layer, plog_io_posix()), 0);
    plog_vfs_close(layer);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"with a journal", with_a_journal},
        {"with a wal", with_a_wal},
        {"temporary", temporary},
        {"other files", other_files},
        {"of another database", of_another_database},
        {"planted links", planted_links},
        {"passed on", passed_on},
        {"not read", not_read},
        {"no layer", no_layer},
        {"what waits is written first", what_waits_is_written_first},
        {"not cut", not_cut},
        {"odd names", odd_names},
        {"no memory to begin", no_memory_to_begin},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
