/*
 * test_parity_older.c - one leg of an older time beside the other, where
 * entries were compacted away: parity compares no rows with what the log does
 * not have, says in one finding how they stand, and each hint leads out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "peers.h"
#include "world.h"

static struct world w;
static struct world_found f;
static char old[600]; /* all of it as it was */

static void keep_old(void)
{
    snprintf(old, sizeof old, "%.500s-older", w.dir);
    world_copy(w.dir, old);
}

static void go_on(int from, int to, uint64_t floor)
{
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, from, to);
    world_close(&w);
    if (floor == 0)
        return;
    CHECK_INT(peers_ack(&w, "p", floor), 0);
    CHECK_INT(peers_compact(&w, NULL), 0);
}

static int replay(bool fresh)
{
    struct plog_replay_options o = {.struct_size = sizeof o, .fresh = fresh};
    struct plog_replay_report r;
    return plog_replay(w.dir, &o, &r, NULL);
}

/* CLEAN, or what is left. */
static int salvage(void)
{
    struct plog_salvage_report s;
    struct plog_salvage_options o = {.struct_size = sizeof o,
                                     .from_store = true};
    int rc = plog_salvage(w.dir, &o, &s, NULL);
    return rc ? rc : s.verdict;
}

static const struct world_finding *of(int verdict)
{
    for (unsigned i = 0; i < f.count && i < WORLD_FINDINGS; i++)
        if (f.first[i].verdict == verdict)
            return &f.first[i];
    return NULL;
}

static bool says(int verdict, const char *next)
{
    const struct world_finding *one = of(verdict);
    return CHECK(one != NULL) && CHECK(strstr(one->next, next) != NULL);
}

/* ---- An older store, and segments of then ------------------------------- */

static char name[64]; /* of a segment, and what was in it then */
static char *bytes;
static size_t len;

static void keep_segment(unsigned which)
{
    char sql[120];
    snprintf(sql, sizeof sql,
             "SELECT first FROM segments WHERE first>(SELECT floor FROM meta)"
             " ORDER BY first LIMIT 1 OFFSET %u",
             which);
    snprintf(name, sizeof name, "log/%020" PRIu64 ".jsonl",
             (uint64_t)world_number(&w, sql));
    bytes = world_read(world_path(&w, name), &len);
}

/* A segment that lies below the floor is not where the log begins: each row of
 * the store was AHEAD then, or DIVERGED.
 * @fresh  nothing is left in the log of what the store ends with */
static void with_the_segment(bool fresh)
{
    uint64_t floor = peers_floor(&w), size = world_size(&w);
    world_take_store(&w, old);
    world_write(world_path(&w, name), bytes, len);
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_CORRUPT);
    CHECK_UINT(f.count, 2);
    CHECK_UINT(f.report.floor, floor);
    CHECK_UINT(f.report.head.size, size);
    CHECK_UINT(f.report.counts[-PLOG_E_BEHIND], 1);
    CHECK_UINT(f.report.counts[-PLOG_E_CORRUPT], 1);
    says(PLOG_E_BEHIND,
         fresh ? "paritylog replay DIR --fresh" : "paritylog replay DIR");
    CHECK_INT(replay(fresh), 0);
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_CORRUPT);
    CHECK_UINT(f.count, 1);
    says(PLOG_E_CORRUPT, "paritylog salvage DIR --from-store");
    CHECK_INT(salvage(), 0);
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    free(bytes);
    world_remove(old);
    world_end(&w, size);
}

static void make(void)
{
    peers_make(&w, PLOG_LAST_WRITE_WINS, 40);
    CHECK_INT(peers_add(&w, "p"), 0);
}

static void and_the_first_segment(void)
{
    for (int past = 0; past < 2; past++) {
        make();
        keep_segment(0);
        keep_old();
        go_on(40, 80, past ? 75 : 30);
        CHECK((peers_floor(&w) > 42) == past);
        with_the_segment(past);
    }
}

/* The store has a floor, which the segment lies below, or begins at. */
static void and_one_at_its_floor(void)
{
    for (int at = 0; at < 2; at++) {
        make();
        if (!at)
            keep_segment(1);
        go_on(40, 41, 30);
        uint64_t floor = peers_floor(&w);
        CHECK(floor > 0);
        if (at)
            keep_segment(0);
        keep_old();
        go_on(41, 80, 75);
        CHECK(peers_floor(&w) > floor);
        with_the_segment(true);
    }
}

/* ---- An older log, and a store that was trimmed since ------------------- */

/* The rows of what that log begins with are gone: each was DIVERGED then, or
 * the compaction that the store had been through missing.  With no floor, and
 * with an older one. */
static void beside_a_trimmed_store(void)
{
    for (int floor = 0; floor < 2; floor++) {
        make();
        if (floor)
            go_on(40, 41, 20);
        uint64_t older = world_size(&w), begins = peers_floor(&w);
        CHECK((begins > 0) == floor);
        keep_old();
        go_on(41, 80, 0);
        CHECK_INT(peers_ack(&w, "p", 35), 0);
        CHECK_INT(peers_trim(&w, NULL), 0);
        CHECK(peers_floor(&w) > begins && peers_floor(&w) < older);
        uint64_t size = world_size(&w);
        world_remove(world_path(&w, "log"));
        world_take(&w, old, "log");
        CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_ROLLBACK);
        CHECK_UINT(f.count, 1);
        CHECK_UINT(f.first[0].seq, older + 1);
        CHECK_UINT(f.report.floor, begins);
        says(PLOG_E_ROLLBACK, "paritylog salvage DIR --from-store");
        CHECK_INT(replay(true), PLOG_E_ROLLBACK);
        CHECK_INT(salvage(), 0);
        CHECK_INT(world_parity(&w, NULL, &f), 0);
        world_remove(old);
        world_end(&w, size);
    }
}

/* ---- What is none of the two -------------------------------------------- */

/* The log goes on behind the entry that let go of its beginning: with one of
 * its first segments there again, and the one at its floor gone or damaged, it
 * is damaged, and no older one.  Of the store that said another floor. */
static void beside_a_damaged_log(void)
{
    for (int changed = 0; changed < 2; changed++) {
        char at_floor[64];
        size_t n;
        make();
        keep_segment(0);
        go_on(40, 80, 0); /* the entry stands in the segment at the floor */
        CHECK_INT(peers_ack(&w, "p", world_size(&w)), 0);
        CHECK_INT(peers_trim(&w, NULL), 0);
        go_on(80, 110, 0);
        uint64_t size = world_size(&w);
        snprintf(at_floor, sizeof at_floor, "log/%020" PRIu64 ".jsonl",
                 peers_floor(&w) + 1);
        char *was = world_read(world_path(&w, at_floor), &n);
        was[2] ^= 1;
        if (changed)
            world_write(world_path(&w, at_floor), was, n);
        else
            world_remove(world_path(&w, at_floor));
        free(was);
        world_write(world_path(&w, name), bytes, len);
        free(bytes);
        CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_CORRUPT);
        CHECK_UINT(f.count, 1);
        CHECK_TEXT(f.first[0].file, at_floor);
        says(PLOG_E_CORRUPT, "paritylog salvage DIR --from-store");
        CHECK_INT(salvage(), 0);
        CHECK_INT(world_parity(&w, NULL, &f), 0);
        world_end(&w, size);
    }
}

/* Nor is a log that went another way, however far: the store is not to be set
 * aside for that. */
static void beside_another_history(void)
{
    for (int more = 0; more < 40; more += 13) {
        char own[512];
        make();
        keep_old();
        snprintf(own, sizeof own, "%s", w.dir);
        snprintf(w.dir, sizeof w.dir, "%.500s", old);
        go_on(100, 106, 0);
        CHECK_INT(peers_ack(&w, "p", 35), 0);
        CHECK_INT(peers_trim(&w, NULL), 0);
        CHECK(peers_floor(&w) > 0);
        uint64_t head = world_size(&w);
        snprintf(w.dir, sizeof w.dir, "%s", own);
        go_on(40, 47 + more, 0);
        CHECK_UINT(world_size(&w), head + (uint64_t)more);
        world_take_store(&w, old);
        CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_FORK);
        CHECK_UINT(f.count, 1);
        says(PLOG_E_FORK, "ways on: FORK in paritylog(1)");
        CHECK_UINT(f.report.floor, 0);
        world_drop_store(&w);
        CHECK_INT(replay(false), 0);
        world_remove(old);
        world_end(&w, head + (uint64_t)more);
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"and the first segment", and_the_first_segment},
        {"and one at its floor", and_one_at_its_floor},
        {"beside a trimmed store", beside_a_trimmed_store},
        {"beside a damaged log", beside_a_damaged_log},
        {"beside another history", beside_another_history},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
