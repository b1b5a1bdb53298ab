/*
 * test_waits.c - how long each call waits for what another process holds: as
 * long as it is told, ten seconds by itself, not at all when less than nothing,
 * or no number, is asked for, and for ever when that is.
 *
 * The clock is one that only sleeping moves, so that nobody waits for real.
 */
#include <fcntl.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "check.h"
#include "paritylog_recovery.h"
#include "world.h"

static struct world w;
static char out[700];
static struct plog_error err;
static struct plog_io io;
static sqlite3_vfs vfs;
static int64_t now;
static double wait_seconds;

#define DAY (86400 * (int64_t)1000000000)

/* Whoever holds both locks gives them back when a day has passed, which does at
 * once. */
static int held = -1;

static int64_t clock_ns(void *ctx)
{
    (void)ctx;
    return now;
}

static void sleep_ns(void *ctx, int64_t ns)
{
    now += held >= 0 ? DAY / 10 : ns;
    if (held < 0 || now < DAY)
        return;
    CHECK_INT(flock(held, LOCK_UN), 0);
    CHECK_INT(plog_io_posix()->lock_byte(ctx, held, 1, 0), 0);
    held = -1;
}

/* As SQLite sleeps. */
static int sleep_us(sqlite3_vfs *v, int us)
{
    (void)v;
    now += (int64_t)us * 1000;
    return us;
}

/* ---- The calls ------------------------------------------------------------
 */

#define COMMON .io = &io, .wait_seconds = wait_seconds

static int call_open(void)
{
    struct plog_options o = {.struct_size = sizeof o, COMMON};
    plog *p = NULL;
    int rc = plog_open(&p, w.dir, &o, &err);
    plog_close(p);
    return rc;
}

static int call_reader(void)
{
    struct plog_options o = {.struct_size = sizeof o, COMMON};
    struct plog_head h;
    plog_reader *r = NULL;
    int rc = plog_reader_open(&r, w.dir, &o, &err);
    rc = rc ? rc : plog_reader_head(r, &h, &err);
    plog_reader_close(r);
    return rc;
}

static int no_key(void *arg, const struct plog_key_info *k)
{
    (void)arg, (void)k;
    return 0;
}

static int call_key_list(void)
{
    struct plog_options o = {.struct_size = sizeof o, COMMON};
    return plog_key_list(w.dir, &o, no_key, NULL, &err);
}

static int no_peer(void *arg, const struct plog_peer *p)
{
    (void)arg, (void)p;
    return 0;
}

static int call_peers(void)
{
    struct plog_options o = {.struct_size = sizeof o, COMMON};
    return plog_peers(w.dir, &o, no_peer, NULL, &err);
}

static int call_peer_add(void)
{
    struct plog_peer_options o = {.struct_size = sizeof o, COMMON};
    struct plog_peer_report r;
    return plog_peer_add(w.dir, "q", &o, &r, &err);
}

static int call_parity(void)
{
    struct plog_check_options o = {.struct_size = sizeof o, COMMON};
    struct plog_check_report r;
    int rc = plog_parity(w.dir, &o, &r, &err);
    return rc ? rc : r.verdict;
}

static int call_status(void)
{
    struct plog_options o = {.struct_size = sizeof o, COMMON};
    struct plog_status s;
    int rc = plog_read_status(w.dir, &o, &s, &err);
    return rc ? rc : s.verdict;
}

static int call_replay(void)
{
    struct plog_replay_options o = {.struct_size = sizeof o, COMMON};
    struct plog_replay_report r;
    return plog_replay(w.dir, &o, &r, &err);
}

static int call_rebuild_log(void)
{
    struct plog_rebuild_options o = {.struct_size = sizeof o, COMMON};
    struct plog_rebuild_report r;
    return plog_rebuild_log(w.dir, out, &o, &r, &err);
}

static int call_drill(void)
{
    struct plog_drill_options o = {.struct_size = sizeof o, COMMON};
    struct plog_drill_report r;
    return plog_drill(w.dir, &o, &r, &err);
}

static int call_salvage(void)
{
    struct plog_salvage_options o = {
        .struct_size = sizeof o, .from_store = true, COMMON};
    struct plog_salvage_report r;
    return plog_salvage(w.dir, &o, &r, &err);
}

static int call_redact(void)
{
    struct plog_redact_options o = {
        .struct_size = sizeof o, .reason = "a test", COMMON};
    struct plog_redact_report r;
    return plog_redact(w.dir, 2, &o, &r, &err);
}

static int call_compact(void)
{
    struct plog_compact_options o = {.struct_size = sizeof o, COMMON};
    struct plog_compact_report r;
    return plog_compact(w.dir, &o, &r, &err);
}

static int call_rotate(void)
{
    struct plog_rotate_options o = {.struct_size = sizeof o, COMMON};
    struct plog_rotate_report r;
    return plog_key_rotate(w.dir, &o, &r, &err);
}

struct call {
    const char *name;
    int (*run)(void);
    /* Whether it waits for the one who writes, for the one who maintains, for
     * the one who has the store to himself. */
    bool writer, maintainer, store;
};

static const struct call calls[] = {
    {"open", call_open, true, false, true},
    {"reader", call_reader, false, false, true},
    {"key list", call_key_list, false, false, true},
    {"status", call_status, false, false, true},
    {"peers", call_peers, false, false, true},
    {"peer add", call_peer_add, true, false, true},
    {"parity", call_parity, false, false, true},
    {"replay", call_replay, true, true, true},
    {"rebuild log", call_rebuild_log, false, false, true},
    {"drill", call_drill, false, false, true},
    {"salvage", call_salvage, true, true, true},
    {"redact", call_redact, true, true, true},
    {"compact", call_compact, true, true, true},
    {"rotate", call_rotate, true, true, true},
};

/* ---- Who is in the way ------------------------------------------------------
 */

static void make(void)
{
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    CHECK_INT(world_put(&w, "i", "1", "v", NULL), 0);
    CHECK_INT(world_put(&w, "j", "2", "v", NULL), 0);
    world_close(&w);
    snprintf(out, sizeof out, "%s-out", w.dir);
    io = *plog_io_posix();
    io.clock_mono_ns = clock_ns;
    io.sleep_ns = sleep_ns;
    vfs = *sqlite3_vfs_find(NULL);
    vfs.xSleep = sleep_us;
    io.vfs_base = &vfs;
}

/* That it waits `asked` seconds, or with `waits` false at most a moment. */
static void takes(const struct call *c, bool waits, double asked)
{
    err = (struct plog_error){.code = 0};
    now = 1000000000;
    int rc = c->run();
    double took = (double)(now - 1000000000) / 1e9;
    bool ok = CHECK(waits ? rc == PLOG_E_LOCKED : true);
    ok &= CHECK(waits ? took >= asked * 0.97 : took <= 0.2);
    ok &= CHECK(took <= asked * 1.03 + 0.2);
    if (!ok)
        printf("# %s, asked for %.1f s: %d %s, took %.3f s\n", c->name,
               wait_seconds, rc, err.message, took);
    world_remove(out);
}

static void each_takes(bool (*waits)(const struct call *c))
{
    static const struct {
        double given, seconds;
    } waited[] = {{0, 10}, {-1, 0}, {2.5, 2.5}, {0.4, 0.4}, {NAN, 0}};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        for (size_t j = 0; j < sizeof waited / sizeof *waited; j++) {
            wait_seconds = waited[j].given;
            takes(&calls[i], waits(&calls[i]), waited[j].seconds);
        }
}

static bool for_writer(const struct call *c)
{
    return c->writer;
}
static bool for_maintainer(const struct call *c)
{
    return c->maintainer;
}
static bool for_store(const struct call *c)
{
    return c->store;
}

static int lock_file(void)
{
    int fd = open(world_path(&w, "lock"), O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

static void another_writes(void)
{
    make();
    int fd = lock_file();
    CHECK(flock(fd, LOCK_EX | LOCK_NB) == 0);
    each_takes(for_writer);
    close(fd);
    world_end(&w, 3);
}

/* Where the store is gone a check, or the status, reads the log alone, and
 * waits for the one who writes as long as it is told: nothing else says where
 * the log ends. */
static void another_writes_without_a_store(void)
{
    static const struct call both[] = {
        {"parity", call_parity, true, false, false},
        {"status", call_status, true, false, false},
    };
    static const struct {
        double given, seconds;
    } waited[] = {{0, 10}, {-1, 0}, {2.5, 2.5}, {NAN, 0}};
    make();
    CHECK_INT(unlink(world_path(&w, "store.db")), 0);
    int fd = lock_file();
    CHECK(flock(fd, LOCK_EX | LOCK_NB) == 0);
    for (size_t i = 0; i < sizeof waited / sizeof *waited; i++) {
        wait_seconds = waited[i].given;
        for (size_t k = 0; k < 2; k++)
            takes(&both[k], true, waited[i].seconds);
    }
    CHECK_INT(flock(fd, LOCK_UN), 0);
    for (size_t k = 0; k < 2; k++)
        takes(&both[k], false, 0);
    close(fd);
}

static int writes = -1; /* that takes the lock, when it comes to it */

/* The log is about to be read when the store goes and somebody writes. */
static int store_goes(void *ctx, int dir, const char *name, int flags,
                      uint32_t mode)
{
    if (writes >= 0 && strcmp(name, "00000000000000000004.jsonl") == 0) {
        CHECK_INT(unlink(world_path(&w, "store.db")), 0);
        CHECK(flock(writes, LOCK_EX | LOCK_NB) == 0);
        writes = -1;
    }
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* A check that finds a segment missing asks whether a compaction has passed
 * by, and waits for the answer no longer. */
static void asked_again(void)
{
    static const struct {
        double given, seconds;
    } waited[] = {{0, 10}, {-1, 0}, {2.5, 2.5}};
    for (size_t i = 0; i < sizeof waited / sizeof *waited; i++) {
        struct plog_check_report r;
        struct plog_check_options o = {.struct_size = sizeof o,
                                       .io = &io,
                                       .wait_seconds = waited[i].given};
        uint64_t first;
        make();
        CHECK_INT(world_open(&w), 0);
        for (int k = 0; k < 3; k++) {
            CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
            CHECK_INT(world_put(&w, NULL, "3", "v", NULL), 0);
        }
        world_close(&w);
        CHECK_INT(unlink(world_path(&w, "log/00000000000000000001.jsonl")), 0);
        int fd = writes = lock_file();
        io.open_at = store_goes;
        now = 1000000000;
        CHECK_INT(plog_verify(w.dir, &o, &r, &err), 0);
        CHECK_INT(r.verdict, PLOG_E_CORRUPT);
        CHECK_INT(writes, -1);
        double took = (double)(now - 1000000000) / 1e9;
        CHECK(took >= waited[i].seconds * 0.97 &&
              took <= waited[i].seconds * 1.03 + 0.2);
        close(fd);
    }
}

static void another_maintains(void)
{
    make();
    int fd = lock_file();
    CHECK_INT(io.lock_byte(io.ctx, fd, 1, 2), 0);
    each_takes(for_maintainer);
    close(fd);
}

static void another_has_the_store(void)
{
    sqlite3 *db = NULL;
    make();
    CHECK_INT(sqlite3_open(world_path(&w, "store.db"), &db), SQLITE_OK);
    CHECK_INT(sqlite3_exec(db,
                           "PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE;"
                           " UPDATE meta SET floor=0",
                           NULL, NULL, NULL),
              SQLITE_OK);
    each_takes(for_store);
    sqlite3_close(db);
    world_end(&w, 3);
}

/* INFINITY, and as much as the clock cannot count, is for ever. */
static void for_ever(void)
{
    static const double given[] = {INFINITY, 1e300, 1e10, 9.3e9};
    make();
    int fd = lock_file();
    for (size_t i = 0; i < 2 * sizeof calls / sizeof *calls; i++)
        for (size_t j = 0; j < sizeof given / sizeof *given; j++) {
            const struct call *c = &calls[i / 2];
            bool maintains = i % 2;
            if (maintains ? !c->maintainer : !c->writer)
                continue;
            CHECK_INT(maintains ? io.lock_byte(io.ctx, fd, 1, 2)
                                : flock(fd, LOCK_EX | LOCK_NB),
                      0);
            held = fd;
            now = 0;
            wait_seconds = given[j];
            err = (struct plog_error){.code = 0};
            if (!CHECK(c->run() != PLOG_E_LOCKED) || !CHECK(now >= DAY))
                printf("# %s, asked for %g s: %s, after %.0f s\n", c->name,
                       given[j], err.message, (double)now / 1e9);
            if (held >= 0)
                sleep_ns(NULL, now = DAY);
            world_remove(out);
        }
    close(fd);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"another writes", another_writes},
        {"another writes without a store", another_writes_without_a_store},
        {"asked again", asked_again},
        {"another maintains", another_maintains},
        {"another has the store", another_has_the_store},
        {"for ever", for_ever},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
