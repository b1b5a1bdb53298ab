/*
 * test_own_tables.c - tables that a caller keeps beside ours: what loses them,
 * and that the hook of README.md, "In a program", makes all of it good.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "order_shim.h"
#include "peers.h"
#include "world.h"

static struct world w;
static struct plog_io io;
static bool fail_commits;

static int event(void *ctx, const struct plog_store_event *e)
{
    if (fail_commits && order_is_commit(e))
        return 1;
    return order_io()->store_event(ctx, e);
}

/* tests/cli/docs.sh compares this with README.md. */
/* clang-format off */
/* Brings `names` up to the log; a hook of plog_append_group. */
static int follow(void *arg, sqlite3 *db, const uint64_t *seqs, size_t count)
{
    (void)arg, (void)seqs, (void)count;
    return sqlite3_exec(
        db,
        "CREATE TABLE IF NOT EXISTS names(seq INTEGER PRIMARY KEY, name TEXT);"
        "CREATE TABLE IF NOT EXISTS mark(seq INTEGER);"
        "INSERT INTO mark SELECT 0 WHERE NOT EXISTS (SELECT * FROM mark);"
        "INSERT INTO names SELECT seq, json_extract(line, '$.payload.name')"
        " FROM events WHERE seq > (SELECT seq FROM mark) AND op = 'upsert';"
        "UPDATE mark SET seq = (SELECT max(seq) FROM events);",
        NULL, NULL, NULL);
}
/* clang-format on */

static int put(const char *id, struct plog_receipt *r)
{
    char text[400], payload[60];
    struct world_delta d = {.id = id, .payload = payload};
    struct plog_span s = {text, 0};
    struct plog_group g = {.struct_size = sizeof g,
                           .deltas = &s,
                           .delta_count = 1,
                           .hook = follow};
    snprintf(payload, sizeof payload, "{\"name\":\"%s\"}", id);
    s.n = strlen(world_text(text, sizeof text, &d));
    return plog_append_group(w.p, &g, r, NULL);
}

/* A group without a delta. */
static int set_cursor(void)
{
    const struct plog_cursor c = {
        .source = {"s", 1}, .resource = {"*", 1}, .cursor = {"1", 1}};
    struct plog_group g = {.struct_size = sizeof g,
                           .cursors = &c,
                           .cursor_count = 1,
                           .hook = follow};
    return plog_append_group(w.p, &g, NULL, NULL);
}

static unsigned told; /* by `replayed` */

static int count_replayed(void *arg, sqlite3 *db, uint64_t seq,
                          const char *line, size_t len)
{
    (void)arg, (void)db, (void)seq, (void)line, (void)len;
    told++;
    return 0;
}

static void make(void)
{
    fail_commits = false;
    told = 0;
    world_make(&w, PLOG_ARRIVAL, 4096);
    io = *order_io();
    io.store_event = event;
    w.options.io = &io;
    w.options.replayed = count_replayed;
    CHECK_INT(world_open(&w), 0);
}

static int put_failing(const char *id)
{
    fail_commits = true;
    int rc = put(id, NULL);
    fail_commits = false;
    return rc;
}

#define NAMES "SELECT count(*) FROM names"
#define MARK "SELECT seq FROM mark"

/* Of `count` upserts, up to the head. */
static void is_whole(unsigned count)
{
    CHECK_INT(world_number(&w, NAMES), count);
    CHECK_INT(world_number(&w, "SELECT count(DISTINCT name) FROM names"),
              count);
    CHECK_INT(world_number(&w, MARK),
              world_number(&w, "SELECT size FROM meta"));
}

/* ---- What loses them ---------------------------------------------------- */

/* The log has the delta, the table not; sending it again changes nothing, and
 * the hook takes it up with the next group. */
static void a_commit_that_failed(void)
{
    struct plog_receipt r;
    make();
    CHECK_INT(put("a", NULL), 0);
    CHECK_INT(put_failing("b"), PLOG_E_INDETERMINATE);
    CHECK_INT(put("c", NULL), 0);
    CHECK_UINT(told, 1); /* by a later append of the same handle */
    is_whole(3);
    CHECK_INT(put_failing("d"), PLOG_E_INDETERMINATE);
    CHECK_INT(put("d", &r), 0);
    CHECK(r.duplicate && r.seq == 5);
    CHECK_UINT(told, 2);
    CHECK_INT(world_number(&w, NAMES), 3);
    CHECK_INT(set_cursor(), 0);
    is_whole(4);
    world_end(&w, 6);
}

/* Whoever brings the store up to the log first, `replayed` is not told then. */
static void somebody_else_replays(void)
{
    struct plog_replay_report report;
    for (int i = 0; i < 2; i++) {
        make();
        CHECK_INT(put("a", NULL), 0);
        CHECK_INT(put_failing("b"), PLOG_E_INDETERMINATE);
        world_close(&w);
        CHECK_INT(i ? plog_replay(w.dir, NULL, &report, NULL)
                    : peers_add(&w, "p"),
                  0);
        CHECK_INT(world_open(&w), 0);
        CHECK_UINT(told, 0);
        CHECK_INT(world_number(&w, NAMES), 1);
        CHECK_INT(put("c", NULL), 0);
        is_whole(3);
        world_end(&w, i ? 4 : 5);
    }
}

/* In a new store there is no table, and all of it comes back. */
static void a_new_store(void)
{
    struct plog_replay_options o = {.struct_size = sizeof o, .fresh = true};
    struct plog_replay_report report;
    char id[8];
    make();
    for (int i = 0; i < 30; i++) {
        snprintf(id, sizeof id, "i%d", i);
        CHECK_INT(put(id, NULL), 0);
    }
    is_whole(30);
    world_close(&w);
    CHECK_INT(plog_replay(w.dir, &o, &report, NULL), 0);
    CHECK_UINT(report.own_tables, 2);
    CHECK_INT(world_open(&w), 0);
    CHECK_UINT(told, 0);
    CHECK_INT(set_cursor(), 0);
    is_whole(30);
    world_end(&w, 32);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"a commit that failed", a_commit_that_failed},
        {"somebody else replays", somebody_else_replays},
        {"a new store", a_new_store},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
