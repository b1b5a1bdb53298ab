/*
 * test_compact_refused.c - when a compaction takes nothing away, and says why:
 * what it rested on changes while it works, the legs differ, a reader or a
 * pending redaction is in the way, somebody says stop.  After each of them the
 * floor is where it was, both legs are CLEAN, and the next one goes through.
 */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "files.h"
#include "killing.h"
#include "peers.h"
#include "world.h"

static struct world w;

/* ---- A log that may be compacted ----------------------------------------- */

static int ack(const char *name, uint64_t seq, const unsigned char *root)
{
    struct plog_peer_report r;
    return plog_peer_ack(w.dir, name, seq, root, NULL, &r, NULL);
}

static int add(const char *name)
{
    return peers_add(&w, name);
}

static void evict(const char *name)
{
    struct plog_peer_options o = {.struct_size = sizeof o, .reason = "left"};
    struct plog_peer_report r;
    CHECK_INT(plog_peer_evict(w.dir, name, &o, &r, NULL), 0);
}

static void put(int from, int to)
{
    for (int i = from; i < to; i++) {
        char record[16], value[24];
        snprintf(record, sizeof record, "r%d", i % 7);
        snprintf(value, sizeof value, "v%d", i);
        CHECK_INT(world_put(&w, NULL, record, value, NULL), 0);
    }
}

/* Peer `p` has entries up to 30. */
static void make(void)
{
    world_make(&w, PLOG_LAST_WRITE_WINS, 4096);
    put(0, 40);
    world_close(&w);
    CHECK_INT(add("p"), 0);
    CHECK_INT(ack("p", 30, NULL), 0);
}

static struct plog_compact_report report;
static struct plog_error err;

static int compact(struct plog_compact_options o)
{
    o.struct_size = sizeof o;
    memset(&err, 0, sizeof err);
    return plog_compact(w.dir, &o, &report, &err);
}

static int plainly(void)
{
    return compact((struct plog_compact_options){.wait_seconds = 0});
}

static struct plog_status status(void)
{
    struct plog_status s = {.floor = 0};
    CHECK_INT(plog_read_status(w.dir, NULL, &s, NULL), 0);
    return s;
}

/* It was refused: nothing is gone; the next one takes it away. */
static void stays_and_then_goes(int rc, int want, const char *why)
{
    CHECK_INT(rc, want);
    CHECK_INT(err.code, want);
    if (!CHECK(strstr(err.message, why) != NULL))
        printf("# %s\n", err.message);
    CHECK_UINT(status().floor, 0);
    CHECK_INT(plainly(), 0);
    CHECK(report.to > 0);
    world_end(&w, world_size(&w));
}

/* ---- What changes while it works ----------------------------------------- */

static void (*meanwhile)(void);
static const char *in_phase;

/* Calls `meanwhile` once, when the phase is told. */
static int on_progress(void *arg, const struct plog_progress *p)
{
    (void)arg;
    if (meanwhile && strcmp(p->phase, in_phase) == 0) {
        void (*act)(void) = meanwhile;
        meanwhile = NULL;
        act();
    }
    return 0;
}

static int compact_while(const char *phase, void (*act)(void), bool discard)
{
    in_phase = phase;
    meanwhile = act;
    int rc = compact((struct plog_compact_options){.discard = discard,
                                                   .progress = on_progress});
    CHECK(meanwhile == NULL);
    return rc;
}

static void late_peer(void)
{
    CHECK_INT(add("late"), 0);
}

static void a_peer_comes(void)
{
    make();
    int rc = compact_while("fold", late_peer, false);
    CHECK_UINT(status().floor, 0);
    evict("late");
    stays_and_then_goes(rc, PLOG_E_LOCKED, "peers have changed");
}

static void last_peer_goes(void)
{
    evict("p");
}

static void the_last_peer_goes(void)
{
    make();
    int rc = compact_while("fold", last_peer_goes, false);
    CHECK_UINT(status().floor, 0);
    CHECK_INT(add("p"), 0);
    CHECK_INT(ack("p", 30, NULL), 0);
    stays_and_then_goes(rc, PLOG_E_LOCKED, "peers have changed");
}

static uint64_t proven_size;

static void unproven_ack(void)
{
    CHECK_INT(ack("p", proven_size + 1, NULL), 0);
}

/* To discard, every peer must have proven what it has; also at the end. */
static void a_proof_goes(void)
{
    struct plog_head h;
    make();
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_get_head(w.p, &h, NULL), 0);
    proven_size = h.size;
    put(40, 60);
    world_close(&w);
    CHECK_INT(ack("p", h.size, h.root), 0);
    stays_and_then_goes(compact_while("fold", unproven_ack, true),
                        PLOG_E_LOCKED, "peers have changed");
}

static void another_floor(void)
{
    world_sql(&w, "UPDATE meta SET floor=3");
}

/* Nobody moves it who takes the lock for maintenance; seen all the same. */
static void the_floor_moves(void)
{
    make();
    int rc = compact_while("fold", another_floor, false);
    world_sql(&w, "UPDATE meta SET floor=0");
    stays_and_then_goes(rc, PLOG_E_LOCKED, "floor has moved");
}

static void thousands_of_peers(void)
{
    world_sql(&w, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM"
                  " n WHERE i<6000) INSERT INTO peers(name,added,cursor)"
                  " SELECT printf('%0250d',i),3,40 FROM n");
}

/* A proof of the entry travels with copies, so that it may not be larger than
 * one can be. */
static void too_many_peers(void)
{
    make();
    int rc = compact_while("fold", thousands_of_peers, false);
    CHECK(strstr(err.message, "evict some") != NULL);
    world_sql(&w, "DELETE FROM peers WHERE length(name)=250");
    stays_and_then_goes(rc, PLOG_E_INPUT, "at most 1048576 may be");
}

/* ---- What is so before ------------------------------------------------------
 */

static void options_that_do_not_go_together(void)
{
    make();
    CHECK_INT(
        compact((struct plog_compact_options){.undo = true, .discard = true}),
        PLOG_E_ARG);
    stays_and_then_goes(compact((struct plog_compact_options){
                            .undo = true, .trim_store = true}),
                        PLOG_E_ARG, "neither");
}

/* Among what would go. */
static void the_legs_differ(void)
{
    make();
    world_sql(&w, "UPDATE events SET outcome='skipped' WHERE seq=9");
    int rc = plainly();
    CHECK(strstr(err.message, "DIVERGED, entry 9") != NULL);
    CHECK(strstr(err.message, "columns that follow") != NULL);
    CHECK(strstr(err.hint, "run: paritylog replay DIR --fresh") != NULL);
    world_sql(&w, "UPDATE events SET outcome='applied' WHERE seq=9");
    stays_and_then_goes(rc, PLOG_E_DIVERGED, "the legs differ");
}

/* The whole finding, and no more than it says. */
static void a_segment_is_missing(void)
{
    char from[900], to[700], want[160];
    struct tree t;
    make();
    tree_read(&t, world_path(&w, "log"));
    REQUIRE(t.count > 2);
    unsigned long long lost = strtoull(t.files[1].name, NULL, 10),
                       next = strtoull(t.files[2].name, NULL, 10);
    snprintf(from, sizeof from, "%.500s/log/%.200s", w.dir, t.files[1].name);
    snprintf(to, sizeof to, "%.500s-lost", w.dir);
    tree_free(&t);
    CHECK_INT(rename(from, to), 0);
    int rc = plainly();
    snprintf(want, sizeof want,
             "CORRUPT, entry %llu: the segment from entry %llu on is missing;"
             " the next one there starts at %llu",
             lost, lost, next);
    if (!CHECK(strstr(err.message, want) != NULL))
        printf("# %s\n", err.message);
    CHECK_INT(rename(to, from), 0);
    stays_and_then_goes(rc, PLOG_E_CORRUPT, "the legs differ");
}

/* Lines are redacted by orders that the store does not count. */
static void orders_are_not_counted(void)
{
    struct plog_redact_options ro = {.struct_size = sizeof ro,
                                     .reason = "a test"};
    struct plog_redact_report rr;
    make();
    CHECK_INT(plog_redact(w.dir, 4, &ro, &rr, NULL), 0);
    world_sql(&w, "UPDATE meta SET redactions=0");
    int rc = plainly();
    world_sql(&w, "UPDATE meta SET redactions=1");
    stays_and_then_goes(rc, PLOG_E_DIVERGED, "the rules that the log sets");
}

static void a_redaction_is_pending(void)
{
    struct plog_redact_options ro = {
        .struct_size = sizeof ro, .wait_seconds = 0.05, .reason = "a test"};
    struct plog_redact_report rr;
    sqlite3 *db = NULL;
    make();
    CHECK_INT(sqlite3_open(world_path(&w, "store.db"), &db), SQLITE_OK);
    CHECK_INT(sqlite3_exec(db, "BEGIN; SELECT * FROM events", NULL, NULL, NULL),
              SQLITE_OK);
    CHECK_INT(plog_redact(w.dir, 4, &ro, &rr, NULL), PLOG_E_LOCKED);
    int rc = compact((struct plog_compact_options){.wait_seconds = 0.05});
    CHECK(strstr(err.hint, "paritylog redact DIR 4 ") != NULL);
    sqlite3_close(db);
    stays_and_then_goes(rc, PLOG_E_LOCKED, "redaction is not finished");
}

/* A reader at an old state: the WAL cannot go into the store. */
static sqlite3 *reading;
static unsigned sleeps;

static void begin_to_read(void)
{
    CHECK_INT(world_open(&w), 0); /* keeps the WAL */
    put(40, 42);
    CHECK_INT(sqlite3_open(world_path(&w, "store.db"), &reading), SQLITE_OK);
    CHECK_INT(
        sqlite3_exec(reading, "BEGIN; SELECT * FROM events", NULL, NULL, NULL),
        SQLITE_OK);
    put(42, 44);
}

static void end_reading(void)
{
    sqlite3_close(reading);
    reading = NULL;
}

static void wait_a_little(void *ctx, int64_t ns)
{
    (void)ctx;
    if (ns == 10000000 && ++sleeps == 3 && reading)
        end_reading();
    plog_io_posix()->sleep_ns(NULL, 1000000);
}

static void a_reader_stays(void)
{
    double began = world_seconds();
    make();
    begin_to_read();
    int rc = compact((struct plog_compact_options){.wait_seconds = 0.05});
    CHECK(world_seconds() - began < 9);
    end_reading();
    world_close(&w);
    stays_and_then_goes(rc, PLOG_E_LOCKED, "a reader keeps the store");
}

/* It is waited for: by itself for ten seconds. */
static void a_reader_goes(void)
{
    struct plog_io io = *plog_io_posix();
    io.sleep_ns = wait_a_little;
    sleeps = 0;
    make();
    begin_to_read();
    CHECK_INT(compact((struct plog_compact_options){.io = &io}), 0);
    CHECK(reading == NULL);
    CHECK_UINT(sleeps, 3);
    CHECK(report.to > 0);
    world_end(&w, world_size(&w));
}

/* Less than nothing is no wait. */
static void nobody_waits(void)
{
    struct plog_io io = *plog_io_posix();
    io.sleep_ns = wait_a_little;
    sleeps = 0;
    make();
    begin_to_read();
    int rc =
        compact((struct plog_compact_options){.io = &io, .wait_seconds = -1});
    CHECK_UINT(sleeps, 0);
    CHECK(reading != NULL);
    end_reading();
    world_close(&w);
    stays_and_then_goes(rc, PLOG_E_LOCKED, "a reader keeps the store");
}

/* Somebody else is at the WAL: that is waited for as a reader is. */
static void moved_elsewhere(void)
{
    struct flock all = {
        .l_type = F_WRLCK, .l_start = 121, .l_len = 1}; /* SQLite's WAL-index */
    make();
    begin_to_read();
    CHECK_INT(sqlite3_exec(reading, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    int fd = open(world_path(&w, "store.db-shm"), O_RDWR);
    CHECK_INT(fcntl(fd, F_OFD_SETLK, &all), 0);
    int rc = compact((struct plog_compact_options){.wait_seconds = -1});
    end_reading();
    world_close(&w);
    close(fd);
    stays_and_then_goes(rc, PLOG_E_LOCKED, "a reader keeps the store");
}

/* ---- What the store says of a peer --------------------------------------- */

#define LONG_NAME                                                              \
    "a peer of more than two hundred bytes, a peer of more than two hundred "  \
    "bytes, a peer of more than two hundred bytes, a peer of more than two "   \
    "hundred bytes, a peer of more than two hundred bytes, and more than that"

/* Above the head nobody can have received anything. */
static void a_peer_ahead(void)
{
    make();
    CHECK_INT(add(LONG_NAME), 0);
    CHECK_INT(ack(LONG_NAME, 30, NULL), 0);
    world_sql(&w, "UPDATE peers SET cursor=1000 WHERE name<>'p'");
    int rc = plainly();
    CHECK(strstr(err.message, "has received more than there is (entry 1000)"));
    world_sql(&w, "UPDATE peers SET cursor=30 WHERE name<>'p'");
    stays_and_then_goes(rc, PLOG_E_DIVERGED, "by the store, peer a peer of");
}

/* Below the floor nobody can tell any more what root the log had. */
static void a_peer_below_the_floor(void)
{
    make();
    CHECK_INT(plainly(), 0);
    uint64_t floor = status().floor;
    CHECK(floor > 2);
    world_sql(&w, "UPDATE peers SET cursor=2, root=zeroblob(32)");
    CHECK_INT(plainly(), 0);
    CHECK_UINT(status().floor, floor);
    world_sql(&w, "UPDATE peers SET cursor=30, root=NULL");
    world_end(&w, world_size(&w));
}

/* ---- Stopped, or only planned
 * ------------------------------------------------ */

static const char *stop_in;

static int stop(void *arg, const struct plog_progress *p)
{
    (void)arg;
    return strcmp(p->phase, stop_in) == 0;
}

/* More entries than between two steps of a check's progress. */
static void stopped(void)
{
    static char text[300][160];
    struct plog_span d[300];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = d, .delta_count = 300};
    make();
    CHECK_INT(world_open(&w), 0);
    for (int k = 0; k < 5; k++) {
        for (int i = 0; i < 300; i++) {
            char record[16];
            snprintf(record, sizeof record, "q%d", i % 50);
            struct world_delta delta = {.record = record};
            world_text(text[i], sizeof text[i], &delta);
            d[i] = (struct plog_span){text[i], strlen(text[i])};
        }
        CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
    }
    world_close(&w);
    CHECK_INT(ack("p", 1500, NULL), 0);
    stop_in = "log";
    CHECK_INT(compact((struct plog_compact_options){.progress = stop}),
              PLOG_E_INTERRUPTED);
    CHECK_UINT(status().floor, 0);
    stop_in = "fold";
    stays_and_then_goes(
        compact((struct plog_compact_options){.progress = stop}),
        PLOG_E_INTERRUPTED, "stopped");
}

static int compact_over(void *arg, const struct plog_io *io)
{
    struct plog_compact_options o = {.struct_size = sizeof o, .io = io};
    struct plog_compact_report r;
    return plog_compact(arg, &o, &r, NULL);
}

/* Neither what a killed one left, nor the store. */
static void only_planned(void)
{
    struct tree before, after;
    char kept[600];
    make();
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    world_copy(w.dir, kept);
    struct plog_status s = status();
    for (long n = 20; s.below_floor == 0 && n < 400; n += 3) {
        world_remove(w.dir);
        world_copy(kept, w.dir);
        if (!CHECK(killing_run(n, compact_over, w.dir)))
            return;
        s = status();
    }
    CHECK(s.below_floor > 0);
    CHECK_INT(world_open(&w), 0); /* mends the log, if that is needed */
    world_close(&w);
    tree_read(&before, w.dir);
    CHECK_INT(compact((struct plog_compact_options){.dry_run = true,
                                                    .trim_store = true}),
              0);
    tree_read(&after, w.dir);
    CHECK(before.hash == after.hash);
    CHECK_UINT(report.trimmed, 0);
    CHECK(!report.resumed);
    tree_free(&before);
    tree_free(&after);
    CHECK_INT(plainly(), 0);
    CHECK(report.resumed);
    CHECK_UINT(status().below_floor, 0);
    world_end(&w, world_size(&w));
}

/* ---- A store whose compact entry is none ----------------------------------
 */

static void no_compact_entry(void)
{
    static const char *const edits[] = {
        "UPDATE events SET line=(SELECT line FROM events WHERE seq=35) WHERE"
        " seq=(SELECT seq FROM compactions)",
        "DELETE FROM events WHERE seq=(SELECT seq FROM compactions)"};
    char kept[600];
    make();
    CHECK_INT(plainly(), 0);
    uint64_t floor = report.to;
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    world_copy(w.dir, kept);
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        world_sql(&w, edits[i]);
        CHECK_INT(plainly(), PLOG_E_DIVERGED);
        CHECK_INT(err.code, PLOG_E_DIVERGED);
        CHECK(strstr(err.message, "the compact entry") != NULL);
        CHECK_UINT(status().floor, floor);
        world_remove(w.dir);
        world_copy(kept, w.dir);
    }
    world_end(&w, world_size(&w));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"a peer comes", a_peer_comes},
        {"the last peer goes", the_last_peer_goes},
        {"a proof goes", a_proof_goes},
        {"the floor moves", the_floor_moves},
        {"too many peers", too_many_peers},
        {"options that do not go together", options_that_do_not_go_together},
        {"the legs differ", the_legs_differ},
        {"a segment is missing", a_segment_is_missing},
        {"orders are not counted", orders_are_not_counted},
        {"a redaction is pending", a_redaction_is_pending},
        {"a reader stays", a_reader_stays},
        {"a reader goes", a_reader_goes},
        {"nobody waits", nobody_waits},
        {"moved elsewhere", moved_elsewhere},
        {"a peer ahead", a_peer_ahead},
        {"a peer below the floor", a_peer_below_the_floor},
        {"stopped", stopped},
        {"only planned", only_planned},
        {"no compact entry", no_compact_entry},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
