/*
 * test_replay_many.c - a replay of so many entries that all records are read
 * into memory first, in more than one transaction: with orders to redact, which
 * change rows behind that memory, with another strategy in the midst, with rows
 * that waited in the store, and again after what it had was forgotten.  And one
 * of few entries, in one transaction.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "peers.h"
#include "sql_calls.h"
#include "world.h"

#define GROUP 500
#define RECORDS 6000 /* look-ups enough, and a tenth of the rows */

static struct world w;
static char texts[GROUP][400];

/* Groups about records that a step of 7 comes by; each third one late. */
static void put(unsigned from, unsigned groups, unsigned records)
{
    struct plog_span deltas[GROUP];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = deltas, .delta_count = GROUP};
    for (unsigned i = 0; i < groups; i++) {
        for (unsigned k = 0; k < GROUP; k++) {
            unsigned n = from + i * GROUP + k;
            char record[16], time[40], payload[120];
            snprintf(record, sizeof record, "r%u", n * 7 % records);
            snprintf(time, sizeof time, "2026-01-02T0%u:%02u:05Z", n % 3,
                     n / 100 % 60);
            snprintf(payload, sizeof payload, "{\"v%u\":%u,\"w\":\"%0*u\"}",
                     n % 5, n, (int)(n % 60), n);
            struct world_delta d = {.record = record,
                                    .time = time,
                                    .op = n % 11 ? "upsert" : "delete",
                                    .payload = n % 11 ? payload : NULL};
            deltas[k] = plog_span_text(world_text(texts[k], sizeof *texts, &d));
        }
        REQUIRE(CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0));
    }
}

static void redact(uint64_t seq)
{
    struct plog_redact_options o = {.struct_size = sizeof o,
                                    .reason = "a test"};
    struct plog_redact_report r;
    CHECK_INT(plog_redact(w.dir, seq, &o, &r, NULL), 0);
}

/* The store as it was when half of the entries were there. */
static void set_back(const void *bytes, size_t n)
{
    unlink(world_path(&w, "store.db-wal"));
    unlink(world_path(&w, "store.db-shm"));
    world_write(world_path(&w, "store.db"), bytes, n);
}

static void all_of_them(void)
{
    static const enum plog_strategy all[] = {PLOG_LAST_WRITE_WINS,
                                             PLOG_MERGE_JSON, PLOG_KEEP_LOCAL};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_replay_options o = {.struct_size = sizeof o};
        struct plog_replay_report r;
        size_t n;
        world_make(&w, all[i], 0);
        put(0, 12, RECORDS);
        uint64_t had = world_size(&w);
        world_close(&w);
        char *store = world_read(world_path(&w, "store.db"), &n);
        CHECK_INT(world_open(&w), 0);
        put(6000, 24, RECORDS + 500);
        world_close(&w);
        redact(17);        /* a record that the old store has */
        redact(had + 300); /* and one that comes */
        CHECK_INT(world_open(&w), 0);
        put(18000, 20, RECORDS + 500);
        CHECK_INT(plog_set_strategy(w.p, PLOG_ARRIVAL, NULL, NULL), 0);
        put(28000, 4, 400);
        uint64_t size = world_size(&w);
        world_close(&w);
        set_back(store, n);
        free(store);
        CHECK_INT(world_number(&w, "SELECT size FROM meta"), (int64_t)had);
        CHECK_INT(plog_replay(w.dir, &o, &r, NULL), 0);
        CHECK_UINT(r.applied, size - had);
        world_end(&w, size);
    }
}

/* ---- One transaction ----------------------------------------------------- */

static unsigned commits;

static bool count_commits(const char *call, const char *sql, bool busy)
{
    (void)busy;
    commits += strcmp(call, "step") == 0 && strcmp(sql, "COMMIT") == 0;
    return false;
}

/* How many a replay from nothing takes. */
static unsigned commits_of_a_replay(void)
{
    struct plog_replay_options o = {.struct_size = sizeof o};
    struct plog_replay_report r;
    world_drop_store(&w);
    commits = 0;
    sql_calls.fails = count_commits;
    CHECK_INT(plog_replay(w.dir, &o, &r, NULL), 0);
    sql_calls.fails = NULL;
    CHECK_UINT(r.applied, world_size(&w));
    return commits;
}

/* What fits into one transaction is committed once, however many pieces it was
 * read in: else each would write the records and the head anew. */
static void one_transaction(void)
{
    static char payload[200 << 10], text[sizeof payload + 400];
    struct world_delta d = {.payload = payload};
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, NULL, "r", "x", NULL), 0);
    world_close(&w);
    unsigned of_one = commits_of_a_replay();
    CHECK(of_one > 0);
    snprintf(payload, sizeof payload, "{\"a\":\"%0*u\"}",
             (int)sizeof payload - 20, 0u);
    CHECK_INT(world_open(&w), 0);
    for (int i = 0; i < 6; i++) /* some 256 KiB a piece */
        CHECK_INT(
            world_append(&w, world_text(text, sizeof text, &d), NULL, NULL), 0);
    world_close(&w);
    CHECK_UINT(commits_of_a_replay(), of_one);
    world_end(&w, 8);
}

/* ---- SQLite's own memory --------------------------------------------------
 */

static unsigned caches, small; /* settings of it, and those for a new store */

static bool count_caches(const char *call, const char *sql, bool busy)
{
    (void)busy;
    caches += !strcmp(call, "exec") && strstr(sql, "cache_size=") != NULL;
    small += !strcmp(call, "exec") && strstr(sql, "cache_size=-6000") != NULL;
    return false;
}

static void replay_anew(unsigned smaller)
{
    struct plog_replay_options o = {.struct_size = sizeof o, .fresh = true};
    struct plog_replay_report r;
    caches = small = 0;
    sql_calls.fails = count_caches;
    CHECK_INT(plog_replay(w.dir, &o, &r, NULL), 0);
    sql_calls.fails = NULL;
    CHECK(caches > smaller);
    CHECK_UINT(small, smaller);
}

/* Where memory has all records, from the first entry on, SQLite keeps less of
 * the file; above a floor it goes on with what it has, for the records of
 * before lie in it. */
static void less_for_sqlite(void)
{
    struct plog_compact_report r;
    peers_make(&w, PLOG_ARRIVAL, 40);
    replay_anew(1);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 30), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK(peers_floor(&w) > 0);
    replay_anew(0);
    world_end(&w, world_size(&w));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"all of them", all_of_them},
        {"one transaction", one_transaction},
        {"less for SQLite", less_for_sqlite},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
