/*
 * test_hostile.c - states that only an adversary or a dying disk makes, each
 * of which once led the engine or a check astray: they end, in bounded time
 * and memory, with the verdict that is true.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "world.h"

#define SEGMENT_1 "log/00000000000000000001.jsonl"

static struct world w;

/* A closed log of `entries` entries, one a group. */
static void make(unsigned entries, uint64_t segment_size)
{
    char id[20], record[20];
    world_make(&w, PLOG_ARRIVAL, segment_size);
    for (unsigned i = 2; i <= entries; i++) {
        snprintf(id, sizeof id, "id-%u", i);
        snprintf(record, sizeof record, "%u", i % 50);
        CHECK_INT(world_put(&w, id, record, id, NULL), 0);
    }
    world_close(&w);
}

static bool is_there(const char *name)
{
    struct stat st;
    return stat(world_path(&w, name), &st) == 0;
}

static int replay(bool fresh)
{
    struct plog_replay_options o = {.struct_size = sizeof o, .fresh = fresh};
    struct plog_replay_report report;
    return plog_replay(w.dir, &o, &report, NULL);
}

/* ---- A store that cannot be read ---------------------------------------- */

/* Each page of store.db in turn is overwritten with what is no b-tree: parity
 * ends with a finding, and what it cannot judge it calls unchecked. */
static void every_page_rotted(void)
{
    struct world_found f;
    size_t n, lost = 0;
    make(300, 0);
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    char *store = world_read(world_path(&w, "store.db"), &n);
    for (size_t at = 4096; at + 4096 <= n; at += 4096) {
        char kept[4096];
        memcpy(kept, store + at, sizeof kept);
        memset(store + at, 0x55, sizeof kept);
        world_write(world_path(&w, "store.db"), store, n);
        if (world_parity(&w, NULL, &f) == PLOG_E_DIVERGED)
            lost++;
        else /* a page that holds no row */
            CHECK_INT(f.count, 0);
        memcpy(store + at, kept, sizeof kept);
    }
    CHECK(lost > n / 4096 * 3 / 4);
    world_write(world_path(&w, "store.db"), store, n);
    free(store);
    world_end(&w, 300);
}

/* An emptied store.db beside its WAL: SQLite takes such a WAL away even when it
 * only reads.  Who looks changes nothing. */
static void emptied_store_keeps_its_wal(void)
{
    struct world_found f;
    struct plog_reader *r;
    size_t n, after;
    make(5, 0);
    char *wal = world_read(world_path(&w, "store.db-wal"), &n);
    CHECK(n > 4096);
    world_write(world_path(&w, "store.db"), "", 0);
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_BEHIND);
    CHECK_INT(plog_reader_open(&r, w.dir, NULL, NULL), PLOG_E_BEHIND);
    REQUIRE(is_there("store.db-wal"));
    char *now = world_read(world_path(&w, "store.db-wal"), &after);
    CHECK_BYTES(now, after, wal, n);
    free(wal);
    free(now);
    CHECK_INT(replay(true), 0);
    world_end(&w, 5);
}

/* The log went back to an older state, and the store is the only one who
 * knows: setting it aside would make the loss look right. */
static void fresh_hears_the_old_store(void)
{
    struct world_found f;
    size_t n;
    make(5, 0);
    char *older = world_read(world_path(&w, SEGMENT_1), &n);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(world_put(&w, "id-x", "x", "x", NULL), 0);
    world_close(&w);
    world_write(world_path(&w, SEGMENT_1), older, n);
    CHECK_INT(replay(true), PLOG_E_ROLLBACK);
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_ROLLBACK);
    CHECK(!is_there("quarantine"));
    free(older);
}

/* ---- A log that is almost right ----------------------------------------- */

/* The end of the last commit but one becomes a blank: two groups look like
 * the lines of one.  With no store to say otherwise it is still damage, for
 * the first of them was synced before the second was written. */
static void joined_groups_are_no_torn_tail(void)
{
    size_t n, after;
    make(9, 0);
    char *log = world_read(world_path(&w, SEGMENT_1), &n);
    char *last = strstr(log, "\n{\"seq\":9,");
    REQUIRE(last != NULL);
    for (int i = 0; i < 2; i++) {
        *last = i ? ' ' : 'x';
        world_write(world_path(&w, SEGMENT_1), log, n);
        world_remove(world_path(&w, "store.db"));
        world_remove(world_path(&w, "store.db-wal"));
        CHECK(replay(false) < 0);
        CHECK(world_open(&w) < 0);
        CHECK(!is_there("quarantine"));
        char *now = world_read(world_path(&w, SEGMENT_1), &after);
        CHECK_BYTES(now, after, log, n);
        free(now);
    }
    free(log);
}

/* A head that is expected behind damage cannot be computed there: nothing is
 * claimed of it, and the damage is what is found. */
static void expected_head_behind_damage(void)
{
    struct world_found f;
    size_t n;
    make(60, 4096);
    for (uint64_t size = 1; size <= 60; size++) {
        struct plog_check_options o = {.struct_size = sizeof o,
                                       .has_expect_head = true,
                                       .expect_size = size};
        if (size == 1) {
            char *log = world_read(world_path(&w, SEGMENT_1), &n);
            char *at = strstr(log, "\"seq\":3,");
            REQUIRE(at != NULL);
            at[2] = 'X';
            world_write(world_path(&w, SEGMENT_1), log, n);
            free(log);
        }
        CHECK(world_verify(&w, &o, &f) < 0);
        CHECK(world_parity(&w, &o, &f) < 0);
    }
}

/* Every group is damaged: each is named, in time that grows with the log. */
static void every_group_damaged(void)
{
    struct world_found f;
    size_t n;
    make(1500, 0);
    char *log = world_read(world_path(&w, SEGMENT_1), &n);
    unsigned hit = 0;
    for (char *at = log; (at = strstr(at, "\"payload\":{\"v\":\"id-")); at++) {
        at[15] = 'X';
        hit++;
    }
    CHECK_UINT(hit, 1499);
    world_write(world_path(&w, SEGMENT_1), log, n);
    free(log);
    double began = world_seconds();
    CHECK(world_parity(&w, NULL, &f) < 0);
    CHECK(world_verify(&w, NULL, &f) < 0);
    CHECK_UINT(f.count, 1499);
    CHECK(world_seconds() - began < 60);
}

/* Line ends without end cost no memory for each of them. */
static void a_flood_of_line_ends(void)
{
    struct world_found f;
    struct rusage before, after;
    size_t n, flood = (size_t)48 << 20;
    make(3, 0);
    char *log = world_read(world_path(&w, SEGMENT_1), &n);
    char *longer = malloc(n + flood + 2);
    REQUIRE(longer != NULL);
    memcpy(longer, log, n);
    memset(longer + n, '\n', flood);
    memcpy(longer + n + flood, "x\n", 2);
    world_write(world_path(&w, SEGMENT_1), longer, n + flood + 2);
    free(longer);
    free(log);
    getrusage(RUSAGE_SELF, &before);
    CHECK(world_verify(&w, NULL, &f) < 0);
    getrusage(RUSAGE_SELF, &after);
    CHECK(after.ru_maxrss - before.ru_maxrss < 256l << 10);
}

/* ---- A lock in other hands ---------------------------------------------- */

/* Another program holds the lock: LOCKED, for as long as it does and no
 * longer. */
static void lock_held_then_free(void)
{
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, "a", "a", "a", NULL), 0);
    world_close(&w);
    w.options.wait_seconds = -1;
    CHECK_INT(world_open(&w), 0);
    int fd = open(world_path(&w, "lock"), O_RDWR);
    CHECK(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0);
    CHECK_INT(world_put(&w, "b", "b", "b", NULL), PLOG_E_LOCKED);
    CHECK_INT(world_put(&w, "c", "c", "c", NULL), PLOG_E_LOCKED);
    close(fd);
    CHECK_INT(world_put(&w, "d", "d", "d", NULL), 0);
    world_end(&w, 3);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"every_page_rotted", every_page_rotted},
        {"an emptied store keeps its WAL", emptied_store_keeps_its_wal},
        {"fresh_hears_the_old_store", fresh_hears_the_old_store},
        {"joined_groups_are_no_torn_tail", joined_groups_are_no_torn_tail},
        {"expected_head_behind_damage", expected_head_behind_damage},
        {"every_group_damaged", every_group_damaged},
        {"a_flood_of_line_ends", a_flood_of_line_ends},
        {"lock_held_then_free", lock_held_then_free},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
