/*
 * test_scrub.c - the files that a redacted payload may lie in: files of lines,
 * and databases that were set aside, whatever they are called, however long
 * they are, and when the disk fails.
 *
 * Here the targets are made by hand; test_redact.c has the whole way.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "gz.h"
#include "scan_window.h"
#include "scrub.h"
#include "world.h"

#define CHUNK ((size_t)256 << 10)
#define SALT "c2FsdC1vZi10aGUtc2VjcmV0IQ"
#define LINE                                                                   \
    "{\"seq\":7,\"resource\":\"r\",\"record_id\":\"1\",\"op\":\"upsert\","     \
    "\"payload\":\"secret\",\"salt\":\"c2FsdC1vZi10aGUtc2VjcmV0\"}"
#define REDACTED                                                               \
    "{\"seq\":7,\"resource\":\"r\",\"record_id\":\"1\",\"op\":\"upsert\","     \
    "\"redacted\":\"...\"}"

static struct world dir; /* a directory with quarantine/, no log */
static struct plog_scrub_target target;

static void start_in(const char *name)
{
    memset(&dir, 0, sizeof dir);
    snprintf(dir.dir, sizeof dir.dir, "%.400s/%s", check_dir(), name);
    CHECK_INT(mkdir(dir.dir, 0700), 0);
    CHECK_INT(mkdir(world_path(&dir, "quarantine"), 0700), 0);
    memset(&target, 0, sizeof target);
    target.seq = 7;
    plog_hash_leaf(LINE, strlen(LINE), target.leaf);
    snprintf(target.salt, sizeof target.salt, "%.24s", SALT);
    target.redacted = plog_span_text(REDACTED);
}

static void start(void)
{
    start_in("d");
}

/* ---- A table that fails
 * -------------------------------------------------------- */

static struct plog_io io;
static const char *fails; /* the call */
static int fails_with;
static const char *phantom; /* a name that a listing gives out, too */
static uint64_t shows;      /* bytes that a file seems to have; 0: as it is */
static unsigned writes;
static size_t largest; /* of them */

static bool failing(const char *call)
{
    return fails && strcmp(fails, call) == 0;
}
static int f_open(void *c, int d, const char *n, int f, uint32_t m)
{
    if (failing(f & O_CREAT ? "create" : f & O_DIRECTORY ? "opendir" : "open"))
        return fails_with;
    return plog_io_posix()->open_at(c, d, n, f, m);
}
static int64_t f_read(void *c, int fd, void *p, size_t n, uint64_t at)
{
    if (failing("read"))
        return fails_with;
    if (shows && at + n > shows)
        n = at < shows ? (size_t)(shows - at) : 0;
    return plog_io_posix()->pread(c, fd, p, n, at);
}
static int64_t f_write(void *c, int fd, const void *p, size_t n, uint64_t at)
{
    writes++;
    largest = n > largest ? n : largest;
    return failing("write") ? fails_with
                            : plog_io_posix()->pwrite(c, fd, p, n, at);
}
static int f_unlink(void *c, int d, const char *n)
{
    if (failing("unlink"))
        return fails_with;
    return plog_io_posix()->unlink_at(c, d, n);
}
static int f_fsync(void *c, int fd)
{
    return failing("fsync") ? fails_with : plog_io_posix()->fsync(c, fd);
}
static int f_stat(void *c, int d, const char *n, struct plog_stat *st)
{
    if (failing("stat"))
        return fails_with;
    int rc = plog_io_posix()->stat_at(c, d, n, st);
    if (rc == -ENOENT && phantom && !strcmp(n, phantom)) {
        *st = (struct plog_stat){.mode = 0100600, .links = 1};
        return 0; /* it goes right behind this call */
    }
    return rc;
}
static int f_rename(void *c, int d, const char *n, int e, const char *m, bool r)
{
    return failing("rename") ? fails_with
                             : plog_io_posix()->rename_at(c, d, n, e, m, r);
}
static void *f_alloc(void *c, void *p, size_t n)
{
    return n && failing("alloc") ? NULL : plog_io_posix()->alloc(c, p, n);
}
static int f_list(void *c, int d, int (*each)(void *arg, const char *name),
                  void *arg)
{
    if (failing("list"))
        return fails_with;
    int rc = phantom ? each(arg, phantom) : 0;
    return rc ? rc : plog_io_posix()->list(c, d, each, arg);
}

static const struct plog_io *table(void)
{
    io = *plog_io_posix();
    io.open_at = f_open;
    io.pread = f_read;
    io.pwrite = f_write;
    io.unlink_at = f_unlink;
    io.fsync = f_fsync;
    io.stat_at = f_stat;
    io.rename_at = f_rename;
    io.alloc = f_alloc;
    io.list = f_list;
    return &io;
}

/* ---- What is asked
 * -------------------------------------------------------------- */

static struct plog_scrub_report report;
static struct plog_error err;

static int quarantine(void)
{
    static struct plog_legs l;
    memset(&l, 0, sizeof l);
    memset(&report, 0, sizeof report);
    err = (struct plog_error){.code = 0};
    l.io = table();
    l.dir.dir = open(dir.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    snprintf(l.dir.path, sizeof l.dir.path, "%s", dir.dir);
    int rc = plog_scrub_quarantine(&l, &target, 1, &report, &err);
    close(l.dir.dir);
    return rc;
}

static char *path_of(const char *name)
{
    static char path[900];
    snprintf(path, sizeof path, "%s/quarantine/%s", dir.dir, name);
    return path;
}

static bool there(const char *name)
{
    return access(path_of(name), F_OK) == 0;
}

static void put(const char *name, const char *text)
{
    world_write(path_of(name), text, strlen(text));
}

static bool holds(const char *name, const char *want)
{
    size_t n;
    char *bytes = world_read(path_of(name), &n);
    bool same = CHECK_BYTES(bytes, n, want, strlen(want));
    free(bytes);
    return same;
}

/* A database with one event, the salt nowhere in it. */
static void database(const char *name, const char *sql)
{
    sqlite3 *db = NULL;
    CHECK_INT(sqlite3_open(path_of(name), &db), SQLITE_OK);
    if (!CHECK_INT(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK))
        printf("# %s: %s\n", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
}

/* As a store's, to the letter. */
#define EVENTS                                                                 \
    "CREATE TABLE events(seq INTEGER PRIMARY KEY, id TEXT, resource TEXT,"     \
    " record_id TEXT, op TEXT, outcome TEXT, previous INTEGER,"                \
    " line TEXT NOT NULL) STRICT;"
#define VALUES(seq, line)                                                      \
    "INSERT INTO events(seq,line) VALUES(" #seq ",'" line "')"

/* ---- Databases
 * ------------------------------------------------------------------- */

/* One goes when it says that it holds the entry as it was, also below a path
 * that a URI would end at. */
static void databases(void)
{
    static const char *const names[] = {"d", "what?", "a#b", "100%41", "?#%%"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        start_in(names[i]);
        database("store.db-1", EVENTS VALUES(7, "secret"));
        database("store.db-2",
                 EVENTS VALUES(7, REDACTED));
        database("store.db-3", EVENTS VALUES(8, "other"));
        database("store.db-4", "CREATE TABLE others(a)");
        put("store.db-5", "no database");
        put("store.db-6", "");
        put("store.db-1-wal", "");
        put("store.db-1-shm", "any");
        CHECK_INT(quarantine(), 0);
        CHECK(!there("store.db-1") && !there("store.db-1-wal") &&
              !there("store.db-1-shm"));
        CHECK(there("store.db-2") && there("store.db-3") &&
              there("store.db-4") && there("store.db-5") &&
              there("store.db-6"));
        CHECK_UINT(report.quarantine, 3);
        CHECK_INT(quarantine(), 0);
        CHECK_UINT(report.quarantine, 0);
        CHECK(!there("store.db-2-wal") && !there("store.db-2-shm"));
    }
}

/* What has the name and is not ours is not asked, for it might never answer; its
 * bytes are searched. */
static void not_ours(void)
{
    static const char *const events[] = {
        "CREATE VIEW events AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL"
        " SELECT x+1 FROM c) SELECT -x AS seq, x AS line FROM c",
        "CREATE VIEW events AS SELECT 7 AS seq, 'other' AS line",
        "CREATE TABLE events(seq INTEGER PRIMARY KEY, line TEXT);"
        "INSERT INTO events VALUES(7,'other')"};
    start();
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        char name[8] = {'d', (char)('0' + i), '\0'};
        database(name, events[i]);
    }
    database("salted", "CREATE VIEW events AS SELECT '" SALT "' AS line");
    CHECK_INT(quarantine(), 0);
    CHECK(there("d0") && there("d1") && there("d2") && !there("salted"));
    world_remove(dir.dir);
}

static bool no_open;

/* In place of SQLite's own. */
int sqlite3_open_v2(const char *name, sqlite3 **db, int flags, const char *vfs)
{
    int (*real)(const char *, sqlite3 **, int, const char *);
    void *found = dlsym(RTLD_NEXT, "sqlite3_open_v2");
    memcpy(&real, &found, sizeof real);
    *db = NULL;
    return no_open ? SQLITE_NOMEM : real(name, db, flags, vfs);
}

/* One that cannot be opened says nothing; its bytes may. */
static void not_opened(void)
{
    start();
    database("store.db-1", EVENTS VALUES(7, "secret"));
    database("store.db-2", EVENTS VALUES(7, SALT));
    no_open = true;
    CHECK_INT(quarantine(), 0);
    no_open = false;
    CHECK(there("store.db-1") && !there("store.db-2"));
    CHECK_INT(quarantine(), 0);
    CHECK(!there("store.db-1"));
    world_remove(dir.dir);
}

/* Half a salt is enough, wherever it lies in whichever of its files; and what
 * has no salt to look for is not found by it. */
static void halves(void)
{
    static const struct {
        const char *file;
        size_t at;
        const char *what;
        bool goes;
    } all[] = {
        {"store.db-9", 100, "c2FsdC1vZi10", true},
        {"store.db-9", 100, "aGUtc2VjcmV0", true},
        {"store.db-9", 100, "c2FsdC1vZi1", false},
        {"store.db-9-wal", 5000, "aGUtc2VjcmV0", true},
        {"store.db-9-shm", 50, "c2FsdC1vZi10", true},
        {"store.db-9", CHUNK - 30, "c2FsdC1vZi10", true},
        {"store.db-9", CHUNK - 20, "c2FsdC1vZi10", true},
        {"store.db-9", CHUNK - 6, "c2FsdC1vZi10", true},
        {"store.db-9", CHUNK, "c2FsdC1vZi10", true},
        {"store.db-9", 3 * CHUNK - 90, "aGUtc2VjcmV0", true},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (int known = 0; known < 2; known++) {
            char *bytes = calloc(1, 3 * CHUNK);
            if (!bytes)
                abort();
            start_in(i % 2 ? "odd" : "even");
            if (!known)
                target.salt[0] = '\0';
            memcpy(bytes + all[i].at, all[i].what, strlen(all[i].what));
            put("store.db-9", "no database");
            world_write(path_of(all[i].file), bytes, 3 * CHUNK);
            CHECK_INT(quarantine(), 0);
            bool goes = known && all[i].goes;
            if (!CHECK(there("store.db-9") == !goes) ||
                !CHECK(there(all[i].file) == !goes))
                printf("# %s at %zu: %s\n", all[i].file, all[i].at,
                       all[i].what);
            free(bytes);
            world_remove(dir.dir);
        }
}

/* However long a name somebody gave it. */
static void long_names(void)
{
    static const size_t lengths[] = {100, 140, 141, 150, 160, 200, 247};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        char name[256] = "store.db-";
        memset(name + 9, 'n', lengths[i] - 9);
        start();
        database(name, EVENTS VALUES(7, "secret"));
        CHECK_INT(quarantine(), 0);
        CHECK(!there(name));
        CHECK_UINT(report.quarantine, 1);
        world_remove(dir.dir);
    }
}

/* What is no file of ours, or goes meanwhile, is left alone. */
static void odd_files(void)
{
    start();
    CHECK_INT(mkdir(path_of("store.db-dir"), 0700), 0);
    CHECK_INT(mkfifo(path_of("fifo"), 0600), 0);
    CHECK_INT(symlink("/etc/passwd", path_of("link")), 0);
    put("lines", "one\n" LINE "\ntwo\n");
    phantom = "store.db-gone";
    CHECK_INT(quarantine(), 0);
    phantom = NULL;
    CHECK_UINT(report.quarantine, 1);
    holds("lines", "one\n" REDACTED "\ntwo\n");
    CHECK(there("store.db-dir") && there("fifo"));
    world_remove(world_path(&dir, "quarantine"));
    CHECK_INT(quarantine(), 0); /* there is none */
}

/* A copy of a whole directory that somebody moved there, and databases under
 * the names that they have there. */
static void folders(void)
{
    start();
    CHECK_INT(mkdir(path_of("copy"), 0700), 0);
    CHECK_INT(mkdir(path_of("copy/log"), 0700), 0);
    CHECK_INT(mkdir(path_of("store.db-dir"), 0700), 0);
    put("copy/log/00000000000000000001.jsonl", LINE "\nbehind\n");
    put("copy/other", "behind\n");
    database("copy/store.db", EVENTS VALUES(7, "secret"));
    put("copy/store.db-wal", "");
    database("copy/store.db.bak", EVENTS VALUES(7, "x"));
    put("store.db-dir/store.db-wal", SALT);
    put("store.db-dir/store.db", "no database");
    CHECK_INT(symlink("copy", path_of("link")), 0);
    CHECK_INT(quarantine(), 0);
    CHECK_UINT(report.quarantine, 6);
    holds("copy/log/00000000000000000001.jsonl", REDACTED "\nbehind\n");
    holds("copy/other", "behind\n");
    CHECK(!there("copy/store.db") && !there("copy/store.db-wal"));
    CHECK(!there("copy/store.db.bak"));
    CHECK(!there("store.db-dir/store.db") &&
          !there("store.db-dir/store.db-wal") && there("store.db-dir"));
    CHECK_INT(quarantine(), 0);
    CHECK_UINT(report.quarantine, 0);
    fails = "create";
    fails_with = -ENOSPC;
    put("copy/other", LINE);
    CHECK_INT(quarantine(), PLOG_E_IO);
    CHECK(strstr(err.file, "quarantine/copy/") == err.file);
    fails = NULL;
    world_remove(dir.dir);
}

/* Folders in each other; what lies deeper is left, and told. */
static void deep_folders(void)
{
    for (int depth = 15; depth < 18; depth++) {
        char name[64] = "d";
        start();
        CHECK_INT(mkdir(path_of(name), 0700), 0);
        for (int i = 1; i < depth; i++) {
            strcat(name, "/d");
            CHECK_INT(mkdir(path_of(name), 0700), 0);
        }
        strcat(name, "/lines");
        put(name, LINE "\n");
        put("lines", LINE "\n");
        CHECK_INT(quarantine(), 0);
        holds("lines", REDACTED "\n"); /* it stops nothing else */
        CHECK_UINT(report.quarantine, 1 + (depth <= 16));
        holds(name, depth > 16 ? LINE "\n" : REDACTED "\n");
        CHECK_UINT(report.left, depth > 16);
        CHECK_INT(plog_scrub_say_left(&report, &err),
                  depth > 16 ? PLOG_E_IO : 0);
        if (depth > 16) {
            CHECK(strstr(err.file, "quarantine/d/d/d") == err.file);
            CHECK(strstr(err.message, "more than 16 folders deep") != NULL);
            CHECK(strstr(err.hint, "move it out of DIR") == err.hint);
        }
        world_remove(dir.dir);
    }
}

/* ---- What is compressed -------------------------------------------------- */

static void put_packed(const char *name, const char *text)
{
    struct plog_gz g;
    int fd = open(path_of(name), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK_INT(plog_gz_create(&g, plog_io_posix(), fd, 6, NULL), 0);
    CHECK_INT(plog_gz_write(&g, text, strlen(text), NULL), 0);
    CHECK_INT(plog_gz_finish(&g, NULL), 0);
    plog_gz_close(&g);
    close(fd);
}

static void holds_packed(const char *name, const char *want)
{
    struct plog_gz g;
    char text[4096];
    size_t n = 0;
    int fd = open(path_of(name), O_RDONLY | O_CLOEXEC);
    CHECK_INT(plog_gz_open(&g, plog_io_posix(), fd, NULL), 0);
    CHECK_INT(plog_gz_read(&g, text, sizeof text, &n, NULL), 0);
    plog_gz_close(&g);
    close(fd);
    CHECK_BYTES(text, n, want, strlen(want));
}

static void nothing_beside(const char *name)
{
    static const char *const ends[] = {".scrub", ".scrub.new", ".new"};
    for (int i = 0; i < 3; i++) {
        char other[100];
        snprintf(other, sizeof other, "%s%s", name, ends[i]);
        if (!CHECK(!there(other)))
            printf("# %s\n", other);
    }
}

#define GZ "00000000000000000001.jsonl.gz"

/* A file of archive/ that somebody moved there, whole, damaged, and one
 * without such a line. */
static void compressed(void)
{
    size_t n;
    start();
    put_packed(GZ, "one\n" LINE "\ntwo\n");
    put_packed("other.gz", "one\ntwo\n");
    put("odd.gz", "\x1f\x8b and no more");
    put("short", "\x1f");
    put(GZ ".scrub", LINE "\n"); /* of an older version, killed */
    char *other = world_read(path_of("other.gz"), &n);
    REQUIRE(other != NULL);
    CHECK_INT(quarantine(), 0);
    CHECK_UINT(report.quarantine, 2);
    holds(GZ ".scrub", REDACTED "\n");
    CHECK_INT(unlink(path_of(GZ ".scrub")), 0);
    holds_packed(GZ, "one\n" REDACTED "\ntwo\n");
    size_t now_n;
    char *now = world_read(path_of("other.gz"), &now_n);
    CHECK_BYTES(now, now_n, other, n);
    free(now);
    holds("odd.gz", "\x1f\x8b and no more");
    nothing_beside(GZ);
    nothing_beside("other.gz");
    nothing_beside("odd.gz");
    CHECK_INT(quarantine(), 0);
    CHECK_UINT(report.quarantine, 0);
    free(other);
    put_packed(GZ, LINE "\nbehind\n");
    char *bytes = world_read(path_of(GZ), &n);
    world_write(path_of(GZ), bytes, n - 5);
    free(bytes);
    CHECK_INT(quarantine(), 0);
    CHECK_UINT(report.quarantine, 1);
    holds_packed(GZ, REDACTED "\nbehind\n");
    world_remove(dir.dir);
}

static void compressed_and_failing(void)
{
    static const char *const calls[] = {"open",  "create", "read",   "write",
                                        "fsync", "alloc",  "rename", "unlink"};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        start();
        put_packed(GZ, LINE "\n");
        fails = calls[i];
        fails_with = -EIO;
        int rc = quarantine();
        fails = NULL;
        bool none = strcmp(calls[i], "unlink") == 0; /* is called */
        bool ok = CHECK_INT(rc, none                       ? 0
                                : strcmp(calls[i], "alloc") ? PLOG_E_IO
                                                            : PLOG_E_NOMEM);
        ok &= rc != PLOG_E_IO || CHECK_TEXT(err.file, "quarantine/" GZ);
        if (!ok)
            printf("# %s\n", calls[i]);
        CHECK_INT(quarantine(), 0);
        holds_packed(GZ, REDACTED "\n");
        nothing_beside(GZ);
        world_remove(dir.dir);
    }
    char name[256];
    memset(name, 'n', sizeof name);
    for (int n = 185; n < 256; n += 10) { /* however long */
        name[n] = '\0';
        start();
        put_packed(name, LINE "\n");
        CHECK_INT(quarantine(), 0);
        holds_packed(name, REDACTED "\n");
        world_remove(dir.dir);
        name[n] = 'n';
    }
}

/* Whatever fails: it says so, and where; and once more it is done. */
static void failures(void)
{
    static const struct {
        const char *call;
        int with, code;
        const char *where;
    } all[] = {
        {"opendir", -EACCES, PLOG_E_IO, "quarantine"},
        {"list", -EIO, PLOG_E_IO, ""},
        {"stat", -EIO, PLOG_E_IO, "quarantine/"},
        {"open", -EIO, PLOG_E_IO, "quarantine/"},
        {"alloc", 0, PLOG_E_NOMEM, ""},
        {"read", -EIO, PLOG_E_IO, "quarantine/"},
        {"create", -ENOSPC, PLOG_E_IO, "quarantine/lines"},
        {"write", -ENOSPC, PLOG_E_IO, "quarantine/lines"},
        {"rename", -EIO, PLOG_E_IO, "quarantine/lines"},
        {"fsync", -EIO, PLOG_E_IO, "quarantine/"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        start();
        database("store.db-1", EVENTS VALUES(7, "secret"));
        put("lines", LINE "\n");
        fails = all[i].call;
        fails_with = all[i].with;
        int rc = quarantine();
        fails = NULL;
        bool ok = CHECK_INT(rc, all[i].code);
        ok &= CHECK_INT(err.code, rc);
        ok &= CHECK(strstr(err.file, all[i].where) != NULL);
        CHECK(!there("lines.new"));
        if (!ok)
            printf("# %s: %s (%s)\n", all[i].call, err.message, err.file);
        CHECK_INT(quarantine(), 0);
        CHECK(!there("store.db-1"));
        holds("lines", REDACTED "\n");
        world_remove(dir.dir);
    }
    start(); /* a database that cannot be removed */
    put("store.db-1", SALT);
    fails = "unlink";
    fails_with = -EACCES;
    CHECK_INT(quarantine(), 0);
    CHECK_UINT(report.quarantine, 0);
    CHECK_UINT(report.left, 1);
    CHECK_INT(plog_scrub_say_left(&report, &err), PLOG_E_IO);
    CHECK_TEXT(err.file, "quarantine/store.db-1");
    CHECK(strstr(err.message, "Permission denied") != NULL);
    fails_with = -EIO;
    CHECK_INT(quarantine(), PLOG_E_IO);
    CHECK_TEXT(err.file, "quarantine/store.db-1");
    CHECK(strstr(err.hint, "moved out of DIR") != NULL);
    fails = NULL;
    CHECK(there("store.db-1"));
}

/* ---- Lines
 * ---------------------------------------------------------------------- */

/* As in quarantine/. */
static int loose_lines(const struct plog_io *on, int d, const char *name,
                       uint64_t *hits)
{
    struct plog_scrub_file file = {on, d, name, d, "scratch"};
    struct plog_scrub_source source;
    struct plog_scrub_search search;
    CHECK_INT(plog_scrub_source_open(&source, on, d, name, true), 0);
    CHECK_INT(plog_scrub_search_init(&search, on, &target, 1), 0);
    int rc = plog_scrub_rewrite(&file, &source, &search, true, hits);
    plog_scrub_search_fini(&search);
    plog_scrub_source_close(&source);
    return rc;
}

static int lines(const char *name, bool loose, uint64_t *hits)
{
    int d = open(world_path(&dir, "quarantine"),
                 O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = loose ? loose_lines(table(), d, name, hits)
                   : plog_scrub_lines(table(), d, name, &target, 1, hits);
    close(d);
    return rc;
}

/* In the log only the very line; elsewhere also what says that it is. */
static void which_lines(void)
{
    static const struct {
        const char *line;
        bool strict, loose, no_salt; /* whether it is replaced */
    } all[] = {
        {LINE, true, true, true},
        {"not it", false, false, false},
        {REDACTED, false, false, false},
        {"damaged, the salt c2FsdC1vZi10aGUtc2VjcmV0 is", false, true, false},
        {"half a salt: c2FsdC1vZi10", false, false, false},
        {"{\"seq\":7,\"resource\":\"r\",\"record_id\":\"1\",\"secret\":1}",
         false, true, true},
        {"{\"seq\":7,\"resource\":\"r\",\"record_id\":\"2\",\"secret\":1}",
         false, false, false},
        {"{\"seq\":77,\"resource\":\"r\",\"record_id\":\"1\",\"secret\":1}",
         false, false, false},
        {"{\"seq\":7,", false, false, false},
        {"{\"seq\":7", false, false, false},
        {"", false, false, false},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (int how = 0; how < 3; how++)
            for (int last = 0; last < 2; last++) {
                char text[600], want[600];
                uint64_t hits;
                bool goes = how == 0   ? all[i].strict
                            : how == 1 ? all[i].loose
                                       : all[i].no_salt;
                start_in("lines");
                if (how == 2)
                    target.salt[0] = '\0';
                snprintf(text, sizeof text, "before\n%s%s", all[i].line,
                         last ? "" : "\nbehind\n");
                snprintf(want, sizeof want, "before\n%s%s",
                         goes ? REDACTED : all[i].line,
                         last ? "" : "\nbehind\n");
                put("lines", text);
                CHECK_INT(lines("lines", how > 0, &hits), 0);
                if (!CHECK_UINT(hits, goes) || !holds("lines", want))
                    printf("# %s, %d\n", all[i].line, how);
                CHECK(!there("lines.new"));
                world_remove(dir.dir);
            }
    /* Without the record in what it became, the seq alone tells nothing. */
    static const char *const bare[] = {"{\"seq\":7,\"redacted\":1}",
                                       "{\"seq\":7,\"resource\":\"r\"}"};
    for (int i = 0; i < 2; i++) {
        uint64_t hits;
        start_in(bare[i] == bare[0] ? "none" : "half");
        target.redacted = plog_span_text(bare[i]);
        put("lines", "{\"seq\":7,\"resource\":\"r\",\"record_id\":\"1\"}\n");
        CHECK_INT(lines("lines", true, &hits), 0);
        CHECK_UINT(hits, 0);
    }
}

#define BLOCK ((size_t)64 << 10)
#define PAGE 4096

static char *bare; /* a block behind which nothing can be read */
static bool bare_taken;

static void *bare_alloc(void *c, void *p, size_t n)
{
    if (!p && n == BLOCK && !bare_taken) {
        bare_taken = true;
        return bare;
    }
    if (!p || p != bare)
        return plog_io_posix()->alloc(c, p, n);
    char *to = n ? plog_io_posix()->alloc(c, NULL, n) : NULL;
    if (to)
        memcpy(to, p, n < BLOCK ? n : BLOCK);
    return to;
}

/* A last line that is shorter than what it is compared with, at the end of
 * what was read. */
static void short_at_the_end(void)
{
    static const char *const ends[] = {"{\"seq\":7,", "{\"seq\":7", "{"};
    static char text[BLOCK + 1];
    bare = mmap(NULL, BLOCK + PAGE, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(bare != MAP_FAILED && !mprotect(bare + BLOCK, PAGE, PROT_NONE));
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        uint64_t hits = 1;
        size_t n = strlen(ends[i]);
        memset(text, 'x', BLOCK);
        text[BLOCK - n - 1] = '\n';
        memcpy(text + BLOCK - n, ends[i], n);
        start_in("short");
        put("lines", text);
        int d = open(world_path(&dir, "quarantine"),
                     O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        table();
        io.alloc = bare_alloc;
        bare_taken = false;
        CHECK_INT(loose_lines(&io, d, "lines", &hits), 0);
        CHECK(bare_taken);
        CHECK_UINT(hits, 0);
        close(d);
        holds("lines", text);
        world_remove(dir.dir);
    }
    CHECK_INT(munmap(bare, BLOCK + PAGE), 0);
    bare = NULL;
}

/* Files that are written in more than one piece, and a line that no log has:
 * all else stays, byte for byte. */
static void long_files(void)
{
    const size_t most = PLOG_LINE_MAX + PLOG_LINE_SLACK;
    static const size_t before[] = {0, 100, 255 << 10, 700 << 10};
    for (size_t i = 0; i < 5; i++) {
        size_t n = i < 4 ? before[i] : most + 10;
        char *text = malloc(n + 400), *want = malloc(n + 400);
        uint64_t hits;
        if (!text || !want)
            abort();
        memset(text, 'x', n);
        for (size_t k = 999; i < 4 && k < n; k += 1000)
            text[k] = '\n';
        memcpy(want, text, n);
        snprintf(text + n, 400, "\n" LINE "\nbehind");
        snprintf(want + n, 400, "\n" REDACTED "\nbehind");
        start_in("long");
        put("lines", text);
        writes = 0;
        largest = 0;
        CHECK_INT(lines("lines", false, &hits), 0);
        CHECK_UINT(hits, 1);
        CHECK(writes <= 1 + n / CHUNK && largest < 2 * CHUNK + most);
        size_t got;
        char *bytes = world_read(path_of("lines"), &got);
        CHECK(got == strlen(want) && memcmp(bytes, want, got) == 0);
        free(bytes);
        free(text);
        free(want);
        world_remove(dir.dir);
    }
}

/* A file that shrinks meanwhile, a name that leaves no room for a new one, and
 * what a killed one left. */
static void broken_off(void)
{
    char name[300];
    uint64_t hits;
    start();
    put("lines", "some lines\nof\ntext\n" LINE "\n");
    shows = 19;
    CHECK_INT(lines("lines", false, &hits), -EIO);
    CHECK(!there("lines.new"));
    shows = 0;
    memset(name, 'n', sizeof name);
    name[196] = '\0';
    CHECK_INT(lines(name, false, &hits), -ENAMETOOLONG);
    name[195] = '\0';
    CHECK_INT(lines(name, false, &hits), -ENOENT);
    put("none", "nothing to find\n");
    put("none.new", LINE "\n"); /* of one that was cut off */
    CHECK_INT(lines("none", false, &hits), 0);
    CHECK_UINT(hits, 0);
    holds("none", "nothing to find\n");
    CHECK(!there("none.new"));
    fails = "create"; /* nothing is made to find nothing */
    fails_with = -EACCES;
    CHECK_INT(lines("none", false, &hits), 0);
    fails = NULL;
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"databases", databases},   {"halves", halves},
        {"long names", long_names}, {"odd files", odd_files},
        {"folders", folders},       {"deep folders", deep_folders},
        {"compressed", compressed}, {"compressed, and failing",
                                     compressed_and_failing},
        {"failures", failures},     {"which lines", which_lines},
        {"long files", long_files}, {"broken off", broken_off},
        {"not ours", not_ours},     {"not opened", not_opened},
        {"short at the end", short_at_the_end},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
