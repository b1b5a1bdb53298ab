/*
 * test_status.c - where both legs stand, told from what lies at the log's end
 * and from the store's head, whatever is missing or unfinished.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "sql_calls.h"
#include "world.h"

static struct world base, w;
static struct plog_status s;
static struct plog_error err;
static char last[64], path[700];

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
    CHECK_INT(look(), PLOG_E_NOTHING);
    CHECK_TEXT(err.message, "log/ holds no segment");
    CHECK_UINT(s.segments, 0);
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
    sql_calls.fails = NULL;
    sql_calls.failing = false;
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
        {"unreadable", unreadable},
        {"a tail", a_tail},
        {"damage", damage},
        {"nothing", nothing},
        {"no lock", no_lock},
        {"a fork", a_fork},
        {"peers not counted", peers_not_counted},
        {"a wal to read", a_wal_to_read},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
