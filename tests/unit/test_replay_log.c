/*
 * test_replay_log.c - a replay beside other maintenance, and one that cannot
 * set an unfinished group aside: it waits, or says why it failed, and has
 * changed nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "dir.h"
#include "peers.h"
#include "world.h"

#define SEGMENT_1 "log/00000000000000000001.jsonl"

static struct world w;
static struct plog_io io;
static struct plog_replay_report r;
static struct plog_error err;

static void make(void)
{
    io = *plog_io_posix();
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, NULL, "1", "x", NULL), 0);
    CHECK_INT(world_put(&w, NULL, "1", "y", NULL), 0);
    world_close(&w);
}

static int replay(bool fresh)
{
    struct plog_replay_options o = {.struct_size = sizeof o,
                                    .io = &io,
                                    .wait_seconds = 0.01,
                                    .fresh = fresh};
    memset(&err, 0, sizeof err);
    return plog_replay(w.dir, &o, &r, &err);
}

/* Segments may go while another holds that lock: none is read before. */
static void while_another_maintains(void)
{
    struct plog_dir d;
    make();
    CHECK_INT(
        plog_dir_open(&d, plog_io_posix(), w.dir, PLOG_DIR_WRITE, false, NULL),
        0);
    CHECK_INT(plog_dir_maintain(&d, -1, NULL), 0);
    for (int fresh = 0; fresh < 2; fresh++) {
        CHECK_INT(replay(fresh), PLOG_E_LOCKED);
        CHECK_INT(err.code, PLOG_E_LOCKED);
        CHECK(!world_has(&w, "quarantine"));
    }
    plog_dir_maintained(&d);
    CHECK_INT(replay(true), 0);
    CHECK(world_has(&w, "quarantine"));
    plog_dir_close(&d);
    world_end(&w, 3);
}

/* Half a group behind the last one. */
static void tear(void)
{
    static const char half[] = "{\"seq\":4,\"logged_at\":";
    size_t n;
    char *bytes = world_read(world_path(&w, SEGMENT_1), &n);
    size_t end = n;
    while (end > 1 && bytes[end - 2] == '\n') /* the padding */
        end--;
    char *more = realloc(bytes, end + sizeof half);
    REQUIRE(more != NULL);
    memcpy(more + end, half, sizeof half - 1);
    world_write(world_path(&w, SEGMENT_1), more, end + sizeof half - 1);
    free(more);
}

static int no_new_file(void *ctx, int dir, const char *name, int flags,
                       uint32_t mode)
{
    if (strstr(name, ".jsonl-at-") || strstr(name, "01-at-"))
        return flags & O_CREAT ? -EROFS : -ENOENT;
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* What could not be kept stays where it is, and no place is named that it went
 * to. */
static void a_tail_that_stays(void)
{
    size_t before, after;
    make();
    tear();
    free(world_read(world_path(&w, SEGMENT_1), &before));
    io.open_at = no_new_file;
    for (int fresh = 0; fresh < 2; fresh++) {
        CHECK_INT(replay(fresh), PLOG_E_IO);
        CHECK(strstr(err.message, "setting bytes aside") != NULL);
        CHECK_TEXT(r.quarantine, "");
        free(world_read(world_path(&w, SEGMENT_1), &after));
        CHECK_UINT(after, before);
    }
    io = *plog_io_posix();
    CHECK_INT(replay(false), 0);
    CHECK(strncmp(r.quarantine, "quarantine/", 11) == 0);
    CHECK(world_has(&w, r.quarantine));
    world_end(&w, 3);
}

/* ---- What is left on disk --------------------------------------------------
 */

/* A store that was caught up is in its own file, not in SQLite's WAL. */
static void in_its_own_file(void)
{
    make();
    world_drop_store(&w);
    CHECK_INT(replay(false), 0);
    CHECK_UINT(r.applied, 3);
    world_remove(world_path(&w, "store.db-wal"));
    world_remove(world_path(&w, "store.db-shm"));
    CHECK_INT(world_number(&w, "SELECT count(*) FROM events"), 3);
    CHECK_INT(world_number(&w, "SELECT size FROM meta"), 3);
    world_end(&w, 3);
}

static unsigned opened;

static int count_open(void *ctx, int dir, const char *name, int flags,
                      uint32_t mode)
{
    opened += strcmp(name, &SEGMENT_1[4]) == 0;
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* What there is to do is looked for once; of nothing no account is made. */
static void nothing_to_do(void)
{
    struct plog_replay_options o = {
        .struct_size = sizeof o, .io = &io, .dry_run = true};
    make();
    io.open_at = count_open;
    opened = 0;
    CHECK_INT(plog_replay(w.dir, &o, &r, &err), 0);
    CHECK(r.dry_run);
    CHECK_UINT(r.present, 3);
    CHECK_UINT(r.applied, 0);
    CHECK_UINT(r.from, 0);
    CHECK_UINT(r.to, 0);
    CHECK_UINT(opened, 1);
    world_end(&w, 3);
}

/* ---- Entry by entry ------------------------------------------------------ */

static char told[500];

static int tell(void *arg, const struct plog_replayed *e)
{
    (void)arg;
    size_t n = strlen(told);
    snprintf(told + n, sizeof told - n, "%d %s %s,", (int)e->seq,
             e->state == PLOG_REPLAY_SKIPPED   ? "lost by"
             : e->state == PLOG_REPLAY_APPLIED ? "applied"
                                               : "present",
             e->strategy ? e->strategy : "-");
    return 0;
}

static void put_at(int minute, const char *confidence)
{
    char text[300], time[40];
    snprintf(time, sizeof time, "2026-01-02T03:%02d:05Z", minute);
    struct world_delta d = {
        .record = "1", .time = time, .confidence = confidence};
    world_text(text, sizeof text, &d);
    CHECK_INT(world_append(&w, text, NULL, NULL), 0);
}

static int replay_telling(bool dry_run)
{
    struct plog_replay_options o = {
        .struct_size = sizeof o, .dry_run = dry_run, .entry = tell};
    memset(&err, 0, sizeof err);
    told[0] = '\0';
    return plog_replay(w.dir, &o, &r, &err);
}

/* The strategy by which an entry lost is that of its place in the log: of init,
 * and of the entry that set another one. */
static void by_which_strategy(void)
{
    static const char want[] = "1 applied -,2 applied -,"
                               "3 lost by highest-confidence,4 applied -,"
                               "5 lost by keep-local,6 applied -,"
                               "7 lost by last-write-wins,";
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_HIGHEST_CONFIDENCE, 0);
    put_at(9, "0.9");
    put_at(8, "0.8");
    CHECK_INT(plog_set_strategy(w.p, PLOG_KEEP_LOCAL, NULL, NULL), 0);
    put_at(10, "1");
    CHECK_INT(plog_set_strategy(w.p, PLOG_LAST_WRITE_WINS, NULL, NULL), 0);
    put_at(7, "1");
    world_close(&w);
    world_remove(world_path(&w, "store.db"));
    for (int dry_run = 1; dry_run >= 0; dry_run--) {
        CHECK_INT(replay_telling(dry_run), 0);
        CHECK_TEXT(told, want);
        CHECK_UINT(r.applied, 7);
        CHECK_UINT(r.skipped, 3);
        CHECK_INT(world_has(&w, "store.db"), !dry_run);
    }
    for (int dry_run = 1; dry_run >= 0; dry_run--) {
        CHECK_INT(replay_telling(dry_run), 0); /* there is all of it */
        CHECK_UINT(r.applied, 0);
        CHECK_UINT(r.skipped, 0);
        CHECK(strncmp(told, "1 present -,2 present -,3 present -,", 36) == 0);
        CHECK_TEXT(told + 36, "4 present -,5 present -,6 present -,"
                              "7 present -,");
    }
    world_end(&w, 7);
}

/* The name of a segment of log/; "" when there is none. */
static const char *segment(uint64_t first)
{
    static char name[60];
    snprintf(name, sizeof name, "log/%020" PRIu64 ".jsonl", first);
    return world_has(&w, name) ? name : "";
}

/* The last group of the log is a compact entry that was not finished: the store
 * begins with what the one before it says. */
static void a_floor_that_is_none_yet(void)
{
    char kept[600], log[700];
    size_t n;
    peers_make(&w, PLOG_ARRIVAL, 60);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 20), 0);
    CHECK_INT(peers_compact(&w, NULL), 0);
    uint64_t floor = peers_floor(&w), last = 70;
    CHECK_INT(peers_ack(&w, "p", 40), 0);
    uint64_t size = world_size(&w);
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    snprintf(log, sizeof log, "%s", world_path(&w, "log"));
    world_copy(log, kept);
    CHECK_INT(peers_compact(&w, NULL), 0);
    CHECK(floor > 0 && peers_floor(&w) > floor);
    while (!segment(last)[0])
        last--;
    char *bytes = world_read(world_path(&w, segment(last)), &n), *end = NULL;
    for (char *at = bytes; (at = strstr(at, "{\"commit\":")) != NULL; at++)
        end = at;
    REQUIRE(end != NULL);
    world_remove(log);
    world_copy(kept, log);
    world_write(world_path(&w, segment(last)), bytes, (size_t)(end - bytes));
    free(bytes);
    world_drop_store(&w);
    io = *plog_io_posix();
    CHECK_INT(replay(false), 0);
    CHECK_UINT(r.base, floor);
    CHECK(r.torn_bytes > 0);
    CHECK_UINT(peers_floor(&w), floor);
    world_end(&w, size);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"while another maintains", while_another_maintains},
        {"a tail that stays", a_tail_that_stays},
        {"in its own file", in_its_own_file},
        {"nothing to do", nothing_to_do},
        {"a floor that is none yet", a_floor_that_is_none_yet},
        {"by which strategy", by_which_strategy},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
