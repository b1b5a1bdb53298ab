/*
 * test_status.c - where both legs stand, told from what lies at the log's end
 * and from the store's head, whatever is missing or unfinished.
 */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "files.h"
#include "peers.h"
#include "sql_calls.h"
#include "world.h"

static struct world base, w;
static struct plog_status s;
static struct plog_error err;
static char last[64], path[700];

#define FIRST "log/00000000000000000001.jsonl"

/* 1 init and five deltas, one a segment; the last segment's name in `last`. */
static void copy_base(void)
{
    static int count;
    if (!base.dir[0]) {
        uint64_t first = 0;
        world_make(&base, PLOG_ARRIVAL, 0);
        for (int i = 0; i < 5; i++) {
            CHECK_INT(world_put(&base, NULL, "1", "x", NULL), 0);
            if (i < 4)
                CHECK_INT(plog_new_segment(base.p, &first, NULL), 0);
        }
        snprintf(last, sizeof last, "log/%020llu.jsonl",
                 (unsigned long long)first);
        world_close(&base);
    }
    w = base;
    snprintf(w.dir, sizeof w.dir, "%.400s-%d", base.dir, count++);
    world_copy(base.dir, w.dir);
    snprintf(path, sizeof path, "%s/%s", w.dir, last);
}

static int look(void)
{
    err = (struct plog_error){.code = 0};
    return plog_read_status(w.dir, NULL, &s, &err);
}

static size_t size_of(const char *file)
{
    size_t n;
    free(world_read(file, &n));
    return n;
}

static void as_it_should_be(void)
{
    copy_base();
    CHECK_INT(look(), 0);
    CHECK_INT(s.verdict, 0);
    CHECK_UINT(s.segments, 5);
    CHECK_UINT(s.log_size, 6);
    CHECK_UINT(s.store_size, 6);
    CHECK_UINT(s.tail_bytes, 0);
    CHECK(s.has_store && s.log_has_commit);
    CHECK(s.origin[0] && strstr(w.vkey, s.origin) == w.vkey);
    CHECK_UINT(s.peers, 0);
    CHECK_UINT(s.pending, 0);
    CHECK_BYTES(s.log_root, sizeof s.log_root, s.store_root,
                sizeof s.store_root);
}

/* A last segment that was cut within its header: the log ends before it. */
static void an_unborn_segment(void)
{
    copy_base();
    CHECK_INT(truncate(path, 30), 0);
    CHECK_INT(look(), 0);
    CHECK_INT(s.verdict, PLOG_E_ROLLBACK); /* the store is above it */
    CHECK_UINT(s.log_size, 5);
    CHECK_UINT(s.segments, 5);
    struct world unborn = w;
    copy_base(); /* its group cut, and its header whole */
    size_t n = size_of(path);
    CHECK_INT(truncate(path, (off_t)n - 10), 0);
    CHECK_INT(look(), 0);
    CHECK_INT(s.verdict, PLOG_E_ROLLBACK);
    CHECK_UINT(s.log_size, 5);
    CHECK_UINT(s.store_size, 6);
    char *text = world_read(path, &n);
    CHECK_UINT(s.tail_bytes, n - (size_t)(strchr(text, '\n') + 1 - text));
    free(text);
    CHECK_INT(unlink(path), 0); /* and all of the segment gone */
    CHECK_INT(look(), 0);
    CHECK_INT(s.verdict, PLOG_E_ROLLBACK);
    CHECK_UINT(s.log_size, 5);
    CHECK_UINT(s.segments, 4);
    CHECK_UINT(s.tail_bytes, 0);
    w = unborn;
    snprintf(path, sizeof path, "%s/%s", w.dir, last);
    world_sql(&w, "DELETE FROM meta");
    CHECK_INT(look(), 0);
    CHECK_INT(s.verdict, PLOG_E_DIVERGED);
    CHECK_UINT(s.log_size, 5);
    CHECK(s.log_has_commit);
    CHECK_INT(unlink(world_path(&w, "store.db")), 0);
    CHECK_INT(look(), 0);
    CHECK_INT(s.verdict, PLOG_E_BEHIND);
    CHECK(!s.has_store);
    CHECK_UINT(s.log_size, 5);
    /* The only one: there is no commit at all. */
    struct world one;
    world_make(&one, PLOG_ARRIVAL, 0);
    world_close(&one);
    w = one;
    CHECK_INT(truncate(world_path(&w, "log/00000000000000000001.jsonl"), 30),
              0);
    CHECK_INT(look(), 0);
    CHECK(!s.log_has_commit);
    CHECK_UINT(s.log_size, 0);
    CHECK_UINT(s.tail_bytes, 30);
    CHECK_INT(s.verdict, PLOG_E_ROLLBACK);
    CHECK_INT(world_open(&w), PLOG_E_ROLLBACK); /* and nobody writes on it */
    CHECK_INT(truncate(world_path(&w, "log/00000000000000000001.jsonl"), 0), 0);
    CHECK_INT(look(), 0);
    CHECK_UINT(s.tail_bytes, 0);
    CHECK_INT(s.verdict, PLOG_E_ROLLBACK);
    static const size_t lengths[] = {1, 4096, 5000};
    char padding[5000]; /* and nothing else is no content, either */
    memset(padding, '\n', sizeof padding);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        world_write(world_path(&w, "log/00000000000000000001.jsonl"), padding,
                    lengths[i]);
        CHECK_INT(look(), 0);
        CHECK_UINT(s.tail_bytes, 0);
        CHECK_UINT(s.log_size, 0);
        CHECK(!s.log_has_commit);
        CHECK_INT(s.verdict, PLOG_E_ROLLBACK);
    }
}

static int busy_lock(void)
{
    int fd = open(world_path(&w, "lock"), O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0);
    return fd;
}

/* At once, and whoever writes is not waited for. */
static int look_at_once(void)
{
    struct plog_options o = {.struct_size = sizeof o, .wait_seconds = -1};
    int fd = busy_lock();
    int rc = plog_read_status(w.dir, &o, &s, &err);
    close(fd);
    return rc;
}

/* Where the heads meet nobody is waited for; where they do not, the one who
 * writes may be about to write what is missing. */
static void while_another_writes(void)
{
    uint64_t first = 0;
    copy_base();
    CHECK_INT(look_at_once(), 0);
    CHECK_INT(s.verdict, 0);
    CHECK_UINT(s.log_size, 6);
    CHECK_INT(world_open(&w), 0); /* a segment that has no entry yet */
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    CHECK_UINT(first, 7);
    world_close(&w);
    CHECK_INT(look_at_once(), 0);
    CHECK_INT(s.verdict, 0);
    CHECK_UINT(s.log_size, 6);
    CHECK_UINT(s.segments, 6);
    struct world now = w;
    CHECK_INT(world_open(&now), 0);
    CHECK_INT(world_put(&now, NULL, "1", "x", NULL), 0);
    world_close(&now);
    char from[700];
    copy_base(); /* and one that the store knows nothing of */
    snprintf(path, sizeof path, "%s", world_path(&w, "log"));
    world_remove(path);
    snprintf(from, sizeof from, "%s", world_path(&now, "log"));
    world_copy(from, path);
    CHECK_INT(look_at_once(), PLOG_E_LOCKED);
    CHECK_INT(look(), 0);
    CHECK_INT(s.verdict, PLOG_E_BEHIND);
    CHECK_UINT(s.log_size, 7);
    CHECK_UINT(s.store_size, 6);
    copy_base(); /* a head that says where it is not */
    world_sql(&w, "UPDATE meta SET sig=zeroblob(64)");
    CHECK_INT(look_at_once(), PLOG_E_LOCKED);
    CHECK_INT(look(), 0);
    CHECK_INT(s.verdict, 0);
    CHECK_UINT(s.log_size, 6);
    CHECK_UINT(s.tail_bytes, 0);
}

/* The store knows a key that keys/ has not yet: of a rotation that was killed,
 * long before the end. */
static void a_key_of_the_store(void)
{
    struct plog_rotate_options o = {.struct_size = sizeof o};
    struct plog_rotate_report r;
    char log[700], name[80];
    uint64_t first;
    copy_base();
    CHECK_INT(plog_key_rotate(w.dir, &o, &r, NULL), 0);
    CHECK_INT(world_open(&w), 0);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
        CHECK_INT(world_put(&w, NULL, "1", "x", NULL), 0);
    }
    world_close(&w);
    struct world old = w;
    snprintf(old.dir, sizeof old.dir, "%.400s-old", w.dir);
    world_copy(w.dir, old.dir);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(world_put(&w, NULL, "1", "more", NULL), 0);
    world_close(&w);
    snprintf(log, sizeof log, "%s", world_path(&w, "log"));
    w = old;
    world_remove(world_path(&w, "log"));
    world_copy(log, world_path(&w, "log"));
    const char *id = strchr(r.new_vkey, '+');
    REQUIRE(id != NULL);
    snprintf(name, sizeof name, "keys/%.8s.vkey", id + 1);
    CHECK_INT(unlink(world_path(&w, name)), 0);
    CHECK_INT(look(), 0);
    CHECK_INT(s.verdict, PLOG_E_BEHIND);
    CHECK_UINT(s.log_size, 10);
    CHECK_UINT(s.store_size, 9);
    CHECK_UINT(s.tail_bytes, 0);
}

/* Where the store's head lies in one of the last two segments, all behind it is
 * read; where it lies before them, the last segment alone. */
static void an_old_store(void)
{
    char log[700], old_log[700];
    size_t n;
    copy_base();
    struct world old = w; /* its head: entry 6, which a segment begins with */
    copy_base();
    uint64_t first = 0;
    for (int more = 0; more < 2; more++) {
        CHECK_INT(world_open(&w), 0);
        for (int i = 0; i < 2 - more; i++)
            CHECK_INT(world_put(&w, NULL, "1", "behind", NULL), 0);
        CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
        CHECK_UINT(first, more ? 11 : 9);
        CHECK_INT(world_put(&w, NULL, "1", "the last", NULL), 0);
        world_close(&w);
        struct world now = w;
        snprintf(log, sizeof log, "%s", world_path(&w, "log"));
        for (int damaged = 0; damaged < 2; damaged++) {
            struct world kept = w;
            snprintf(old_log, sizeof old_log, "%s", world_path(&old, "log"));
            world_remove(old_log);
            world_copy(log, old_log);
            w = old;
            snprintf(path, sizeof path, "%s", world_path(&w, last));
            char *text = world_read(path, &n);
            char *at = strstr(text, "behind");
            REQUIRE(at != NULL);
            uint64_t good = (uint64_t)(strstr(text, "{\"seq\":7,") - text);
            memcpy(at, "beHind", damaged ? 6 : 0);
            world_write(path, text, n);
            CHECK_INT(look(), 0);
            CHECK(s.has_store && s.log_has_commit);
            CHECK_UINT(s.store_size, 6);
            CHECK_UINT(s.segments, more ? 7 : 6);
            CHECK_INT(s.verdict,
                      damaged && !more ? PLOG_E_TAMPERED : PLOG_E_BEHIND);
            CHECK_UINT(s.log_size, damaged && !more ? 6 : more ? 11 : 9);
            CHECK_UINT(s.tail_bytes, damaged && !more ? n - good : 0);
            CHECK(s.origin[0] && strstr(w.vkey, s.origin) == w.vkey);
            free(text);
            w = kept;
        }
        if (more)
            continue;
        w = old; /* and where the last one cannot be read */
        world_remove(world_path(&w, "log"));
        world_copy(log, world_path(&w, "log"));
        CHECK_INT(unlink(world_path(&w, "log/00000000000000000009.jsonl")), 0);
        CHECK_INT(mkdir(world_path(&w, "log/00000000000000000009.jsonl"), 0700),
                  0);
        CHECK_INT(look(), 0);
        CHECK_INT(s.verdict, PLOG_E_BEHIND);
        CHECK_UINT(s.log_size, 8);
        CHECK_UINT(s.tail_bytes, 0);
        w = now;
    }
}

static long lists = -1; /* that succeed; < 0: all */

static int listing(void *ctx, int dir, int (*each)(void *arg, const char *name),
                   void *arg)
{
    if (lists >= 0 && lists-- == 0)
        return -5;
    return plog_io_posix()->list(ctx, dir, each, arg);
}

/* What cannot be listed is an error; behind the lock, a verdict. */
static void unreadable(void)
{
    static const struct {
        long lists;
        int code, verdict;
    } all[] = {{1, PLOG_E_IO, 0}, {2, PLOG_E_IO, 0}, {3, 0, PLOG_E_IO}};
    struct plog_io io = *plog_io_posix();
    struct plog_options o = {.struct_size = sizeof o, .io = &io};
    io.list = listing;
    copy_base();
    CHECK_INT(truncate(path, 30), 0);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        lists = all[i].lists;
        CHECK_INT(plog_read_status(w.dir, &o, &s, &err), all[i].code);
        if (!all[i].code) {
            CHECK_INT(s.verdict, all[i].verdict);
            CHECK_UINT(s.tail_bytes, 0);
        }
    }
    lists = -1;
    CHECK_INT(unlink(path), 0); /* and a last segment that is no file */
    CHECK_INT(mkdir(path, 0700), 0);
    CHECK_INT(look(), 0);
    CHECK(s.verdict != 0);
    CHECK_UINT(s.tail_bytes, 0);
}

/* Bytes behind the last commit are counted; padding is not. */
static void a_tail(void)
{
    copy_base();
    size_t n = size_of(path);
    FILE *f = fopen(path, "a");
    REQUIRE(f != NULL);
    fputs("\n\n\n", f);
    fclose(f);
    CHECK_INT(look(), 0);
    CHECK_INT(s.verdict, 0);
    CHECK_UINT(s.tail_bytes, 0);
    f = fopen(path, "a");
    REQUIRE(f != NULL);
    fputs("{\"seq\":7,", f);
    fclose(f);
    CHECK_INT(look(), 0);
    CHECK_UINT(s.tail_bytes, 3 + 9);
    CHECK_UINT(s.log_size, 6);
    CHECK_UINT(s.log_bytes, n + 12 + (uint64_t)0 + s.log_bytes - size_of(path));
}

/* Damage at the end says more than that the store is ahead of it. */
static void damage(void)
{
    size_t n;
    copy_base();
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(world_put(&w, NULL, "1", "x", NULL), 0);
    world_close(&w);
    char *text = world_read(path, &n);
    for (char *at = text; (at = strstr(at, "\"sig\":\"")); at += 20)
        at[20] = at[20] == 'A' ? 'B' : 'A';
    world_write(path, text, n);
    free(text);
    CHECK_INT(look(), 0);
    CHECK(s.verdict != 0 && s.verdict != PLOG_E_ROLLBACK);
    CHECK_INT(plog_exit_status(s.verdict), 5);
}

static void nothing(void)
{
    char name[64];
    copy_base();
    for (int first = 1; first <= 6; first++) {
        snprintf(name, sizeof name, "log/%020d.jsonl", first);
        unlink(world_path(&w, name));
    }
    CHECK_INT(look(), PLOG_E_ROLLBACK);
    CHECK_TEXT(err.message,
               "the log is gone: log/ holds no segment, but store.db is there");
    CHECK_TEXT(err.hint, "bring log/ back from a copy, or make it from the"
                         " store: paritylog salvage DIR --from-store");
    CHECK_UINT(s.segments, 0);
    world_remove(world_path(&w, "store.db"));
    CHECK_INT(look(), PLOG_E_NOTHING); /* of which the WAL is left */
    CHECK_TEXT(err.hint, "if there was a log, bring it back from a copy or a"
                         " peer before anything else");
}

/* A store that says nothing is not none, and one of another log not behind. */
static void a_store_that_is_none(void)
{
    struct world other;
    copy_base();
    world_remove(world_path(&w, "store.db-wal"));
    world_write(world_path(&w, "store.db"), "this is no database at all", 26);
    CHECK_INT(look(), 0);
    CHECK_INT(s.verdict, PLOG_E_DIVERGED);
    CHECK(!s.has_store);
    CHECK(strstr(s.store_why, "not a database") != NULL);
    world_remove(world_path(&w, "store.db"));
    CHECK_INT(look(), 0);
    CHECK_INT(s.verdict, PLOG_E_BEHIND);
    CHECK(!s.has_store);
    CHECK_TEXT(s.store_why, "");
    world_make(&other, PLOG_ARRIVAL, 0);
    world_close(&other);
    world_copy(world_path(&other, "store.db"), world_path(&w, "store.db"));
    CHECK_INT(look(), 0);
    CHECK_INT(s.verdict, PLOG_E_FOREIGN);
    CHECK_INT(world_open(&w), PLOG_E_FOREIGN);
    plog *p;
    struct plog_error why = {0};
    CHECK_INT(plog_open(&p, w.dir, NULL, &why), PLOG_E_FOREIGN);
    CHECK(strstr(why.message, ", of which no key is trusted here") != NULL);
    CHECK_TEXT(why.file, "store.db");
    CHECK_TEXT(why.hint, "run: paritylog parity DIR");
}

/* Without a lock file nobody writes, and nobody is asked. */
static void no_lock(void)
{
    copy_base();
    CHECK_INT(unlink(world_path(&w, "lock")), 0);
    CHECK_INT(truncate(path, 30), 0);
    CHECK_INT(look(), 0);
    CHECK_UINT(s.log_size, 5);
    CHECK(!world_has(&w, "lock"));
}

/* The same size, and another history. */
static void a_fork(void)
{
    struct world other;
    char sql[1300];
    copy_base();
    other = w;
    CHECK_INT(world_open(&other), 0);
    CHECK_INT(world_put(&other, NULL, "1", "here", NULL), 0);
    world_close(&other);
    copy_base();
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(world_put(&w, NULL, "1", "there", NULL), 0);
    world_close(&w);
    snprintf(sql, sizeof sql,
             "ATTACH '%s/store.db' AS b; INSERT OR REPLACE INTO main.meta"
             " SELECT * FROM b.meta",
             other.dir);
    world_sql(&w, sql);
    CHECK_INT(look(), 0);
    CHECK_INT(s.verdict, PLOG_E_FORK);
    CHECK_UINT(s.log_size, s.store_size);
}

/* ---- What the disk does not give ---------------------------------------- */

static long stats; /* of the store's files, that succeed */
static const char *of;

static int stat_with = -5;

static int stat_of(void *ctx, int d, const char *name, struct plog_stat *out)
{
    int rc = plog_io_posix()->stat_at(ctx, d, name, out);
    return strcmp(name, of) == 0 && stats-- <= 0 ? stat_with : rc;
}

static uint64_t bytes_of_the_log(void)
{
    struct tree t;
    uint64_t n = 0;
    tree_read(&t, world_path(&w, "log"));
    for (size_t i = 0; i < t.count; i++)
        n += t.files[i].size;
    tree_free(&t);
    return n;
}

/* With a floor and a peer; the files' sizes are told, or that nobody could look
 * at them. */
static void of_a_compacted_log(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_options o = {.struct_size = sizeof o, .io = &io};
    struct plog_compact_report report;
    size_t size;
    long n;
    peers_make(&w, PLOG_ARRIVAL, 40);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 30), 0);
    CHECK_INT(look(), 0);
    CHECK_UINT(s.peers, 1);
    CHECK_UINT(s.floor, 0);
    CHECK_UINT(s.below_floor, 0);
    char *below = world_read(world_path(&w, FIRST), &size);
    CHECK_INT(peers_compact(&w, &report), 0);
    CHECK_INT(look(), 0);
    CHECK_UINT(s.below_floor, 0);
    uint64_t segments = s.segments;
    /* One that a compaction was to take away, when it was killed. */
    world_write(world_path(&w, FIRST), below, size);
    CHECK_INT(look(), 0);
    CHECK_INT(s.verdict, 0);
    CHECK_UINT(s.below_floor, 1);
    CHECK_UINT(s.segments, segments + 1);
    CHECK_INT(unlink(world_path(&w, FIRST)), 0);
    free(below);
    CHECK_INT(peers_add(&w, "q"), 0);
    CHECK_INT(world_open(&w), 0); /* so that there is a WAL */
    CHECK_INT(world_put(&w, NULL, "1", "x", NULL), 0);
    CHECK_INT(look(), 0);
    CHECK_INT(s.verdict, 0);
    CHECK_UINT(s.peers, 2);
    CHECK_UINT(s.floor, report.to);
    CHECK(s.floor > 0);
    CHECK_UINT(s.store_bytes, size_of(world_path(&w, "store.db")));
    CHECK_UINT(s.wal_bytes, size_of(world_path(&w, "store.db-wal")));
    CHECK(s.wal_bytes > 0);
    io.stat_at = stat_of;
    CHECK_UINT(s.log_bytes, bytes_of_the_log());
    char segment[64];
    snprintf(segment, sizeof segment, "%020llu.jsonl",
             (unsigned long long)s.floor + 1);
    const char *const files[] = {"store.db", "store.db-wal", segment};
    for (size_t i = 0; i < 3; i++) {
        of = files[i];
        for (n = 0; n < 20; n++) { /* from the n-th time on */
            stats = n;
            int rc = plog_read_status(w.dir, &o, &s, &err);
            if (stats >= 0)
                break;
            CHECK_INT(rc ? rc : s.verdict, PLOG_E_IO);
        }
        CHECK(n > 0 && n < 20);
    }
    of = "store.db-wal"; /* what is not there has no bytes */
    stats = 0;
    stat_with = -2;
    CHECK_INT(plog_read_status(w.dir, &o, &s, &err), 0);
    CHECK_INT(s.verdict, 0);
    CHECK_UINT(s.wal_bytes, 0);
    CHECK_UINT(s.store_bytes, size_of(world_path(&w, "store.db")));
    stat_with = -5;
    io.stat_at = plog_io_posix()->stat_at;
    io.list = listing;
    for (n = 0; n < 20; n++) { /* just once */
        lists = n;
        int rc = plog_read_status(w.dir, &o, &s, &err);
        if (lists >= 0)
            break;
        CHECK_INT(rc ? rc : s.verdict, PLOG_E_IO);
    }
    printf("# %ld listings\n", n);
    CHECK(n > 1 && n < 20);
    lists = -1;
    world_close(&w);
}

/* ---- What SQLite does not give ------------------------------------------ */

static bool peers_fail(const char *call, const char *sql, bool busy)
{
    (void)call, (void)busy;
    return sql && strstr(sql, "main.peers") != NULL;
}

/* Peers that could not be counted are not none. */
static void peers_not_counted(void)
{
    copy_base();
    sql_calls.fails = peers_fail;
    sql_calls.failing = true;
    CHECK_INT(look(), 0);
    CHECK_INT(s.verdict, PLOG_E_IO);
    sql_calls.failing = false; /* nor is it want of memory */
    CHECK_INT(look(), 0);
    sql_calls.fails = NULL;
    CHECK_INT(s.verdict, PLOG_E_IO);
    CHECK_UINT(s.log_size, 6);
    CHECK_INT(look(), 0);
    CHECK_INT(s.verdict, 0);
}

static const sqlite3_io_methods *below;
static bool no_index;
static int (*open_below)(sqlite3_vfs *, const char *, sqlite3_file *, int,
                         int *);

/* As SQLite's own layer where the file of the index may only be read; and where
 * besides nobody has it open, for then it may be an old one. */
static int map_to_read(sqlite3_file *f, int page, int size, int extend,
                       void volatile **out)
{
    int rc = below->xShmMap(f, page, size, extend, out);
    if (no_index)
        *out = NULL;
    return rc != SQLITE_OK ? rc
           : no_index      ? SQLITE_READONLY_CANTINIT
                           : SQLITE_READONLY;
}

static int open_to_read(sqlite3_vfs *vfs, const char *name, sqlite3_file *f,
                        int flags, int *out)
{
    static sqlite3_io_methods methods;
    int rc = open_below(vfs, name, f, flags, out);
    if (rc == SQLITE_OK && flags & SQLITE_OPEN_MAIN_DB) {
        below = f->pMethods;
        methods = *below;
        methods.xShmMap = map_to_read;
        f->pMethods = &methods;
    }
    return rc;
}

/* Whoever may read the store only, while another one writes, is told as much of
 * its WAL. */
static void a_wal_to_read(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_options o = {.struct_size = sizeof o, .io = &io};
    copy_base();
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(world_put(&w, NULL, "1", "x", NULL), 0);
    CHECK_INT(look(), 0);
    uint64_t frames = s.wal_frames, moved = s.wal_moved;
    CHECK(frames > 0);
    sqlite3_vfs layer = *sqlite3_vfs_find(NULL);
    open_below = layer.xOpen;
    layer.xOpen = open_to_read;
    io.vfs_base = &layer;
    below = NULL;
    CHECK_INT(plog_read_status(w.dir, &o, &s, &err), 0);
    CHECK(below != NULL);
    CHECK_INT(s.verdict, 0);
    CHECK_UINT(s.wal_frames, frames);
    CHECK_UINT(s.wal_moved, moved);
    no_index = true;
    CHECK_INT(plog_read_status(w.dir, &o, &s, &err), 0);
    no_index = false;
    CHECK_INT(s.verdict, 0);
    CHECK_UINT(s.store_size, 7);
    CHECK_UINT(s.wal_frames, 0);
    world_close(&w);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"as it should be", as_it_should_be},
        {"an unborn segment", an_unborn_segment},
        {"while another writes", while_another_writes},
        {"a key of the store", a_key_of_the_store},
        {"an old store", an_old_store},
        {"unreadable", unreadable},
        {"a tail", a_tail},
        {"damage", damage},
        {"nothing", nothing},
        {"a store that is none", a_store_that_is_none},
        {"no lock", no_lock},
        {"a fork", a_fork},
        {"of a compacted log", of_a_compacted_log},
        {"peers not counted", peers_not_counted},
        {"a wal to read", a_wal_to_read},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
