/*
 * test_heal_older.c - a store out of a backup beside a log that was compacted
 * since: what the log let go of is not missing, so nothing of it is brought
 * back, also where the store ends before the log begins; and what lies above
 * the floor is healed from it as ever.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "files.h"
#include "peers.h"
#include "redacting.h"
#include "world.h"

static struct world w;
static char old[600], whole[600]; /* the older store; the log as it was */

static const char *segment(uint64_t first)
{
    char name[60];
    snprintf(name, sizeof name, "log/%020" PRIu64 ".jsonl", first);
    return world_path(&w, name);
}

static uint64_t log_hash(void)
{
    return tree_hash(world_path(&w, "log"));
}

static void put(int from, int to)
{
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, from, to);
    world_close(&w);
}

static void compact_at(uint64_t seq)
{
    CHECK_INT(peers_ack(&w, "p", seq), 0);
    CHECK_INT(peers_compact(&w, NULL), 0);
}

/* A log of 60 deltas of which those up to about `acked` are compacted away, and
 * the store that it had behind `kept` of them.
 * @twice  there is a compaction below that, which the store knows, too */
static void make(int kept, uint64_t acked, bool twice)
{
    peers_make(&w, PLOG_LAST_WRITE_WINS, 0);
    put(0, 14);
    CHECK_INT(peers_add(&w, "p"), 0);
    if (twice)
        compact_at(13);
    put(14, kept);
    snprintf(old, sizeof old, "%.500s-old", w.dir);
    world_copy(w.dir, old);
    put(kept, 60);
    compact_at(acked);
    put(60, 64);
    snprintf(whole, sizeof whole, "%.500s-whole", w.dir);
    world_copy(w.dir, whole);
    CHECK(peers_floor(&w) > 20);
    world_take_store(&w, old);
}

static void heal(bool dry_run, struct plog_salvage_report *r)
{
    struct plog_salvage_options o = {
        .struct_size = sizeof o, .from_store = true, .dry_run = dry_run};
    struct plog_error err = {.code = 0};
    if (!CHECK_INT(plog_salvage(w.dir, &o, r, &err), 0))
        printf("# %s\n", err.message);
}

static void install(bool dry_run, int verdict, struct plog_rebuild_report *r)
{
    struct plog_rebuild_options o = {
        .struct_size = sizeof o, .install = true, .dry_run = dry_run};
    struct plog_error err = {.code = 0};
    if (!CHECK_INT(plog_rebuild_log(w.dir, NULL, &o, r, &err), 0))
        printf("# %s\n", err.message);
    CHECK_INT(r->verdict, verdict);
    CHECK(r->refused == (verdict != 0));
}

/* Nothing is to be healed, whatever the store has of what went.
 * @verdict  PRUNED: nobody can tell whether the store's head was the log's */
static void stays(int verdict)
{
    struct plog_salvage_report r;
    struct plog_rebuild_report b;
    struct world_found f;
    uint64_t before = log_hash();
    CHECK_INT(world_verify(&w, NULL, &f), 0);
    for (int dry = 1; dry >= 0; dry--) {
        heal(dry, &r);
        CHECK_UINT(r.healed + r.left + r.from_store, 0);
        CHECK_INT(r.verdict, verdict);
        install(dry, verdict, &b);
        CHECK(log_hash() == before);
        CHECK(!world_has(&w, "quarantine"));
    }
    CHECK_INT(world_verify(&w, NULL, &f), 0);
}

static void store_ends_above(void)
{
    make(50, 40, false);
    stays(0);
    CHECK_INT(world_open(&w), 0);
    world_end(&w, world_size(&w));
    make(50, 40, true);
    stays(0);
}

/* Where archive/ has what lies between, it can be told. */
static void store_ends_below(void)
{
    make(20, 50, false);
    stays(0);
    world_remove(world_path(&w, "archive"));
    stays(PLOG_E_PRUNED);
    make(20, 50, true);
    stays(0);
    world_remove(world_path(&w, "archive"));
    stays(PLOG_E_PRUNED);
}

/* The first byte of a payload of the segment at `first` is another one. */
static void damage(uint64_t first)
{
    size_t n;
    char *bytes = world_read(segment(first), &n);
    char *at = strstr(bytes, "\"v\":\"");
    REQUIRE(at != NULL);
    at[5] = 'x';
    world_write(segment(first), bytes, n);
    free(bytes);
}

static void healed_as(bool by_install, uint64_t first)
{
    struct plog_salvage_report r;
    struct plog_rebuild_report b;
    if (by_install)
        install(false, 0, &b);
    else {
        heal(false, &r);
        CHECK_INT(r.verdict, 0);
        CHECK_UINT(r.healed, 1);
        CHECK_UINT(r.left, 0);
    }
    CHECK(!world_has(&w, "log/00000000000000000001.jsonl"));
    char name[60];
    snprintf(name, sizeof name, "log/%020" PRIu64 ".jsonl", first);
    size_t n, m;
    char path[700];
    snprintf(path, sizeof path, "%s/%s", whole, name);
    char *now = world_read(segment(first), &n), *then = world_read(path, &m);
    CHECK(n == m && memcmp(now, then, n) == 0);
    free(now);
    free(then);
}

/* In the first segment above the floor, or of the whole of it. */
static void damage_above(void)
{
    for (int how = 0; how < 6; how++) {
        make(50, 40, how % 2);
        uint64_t first = 0;
        world_take_store(&w, whole);
        first = peers_floor(&w) + 1;
        world_take_store(&w, old);
        if (how < 4)
            damage(first);
        else
            CHECK_INT(unlink(segment(first)), 0);
        healed_as(how & 2, first);
    }
}

/* The store does not have what is damaged: that stays, and nothing comes. */
static void damage_behind(void)
{
    struct plog_salvage_report r;
    struct plog_rebuild_options o = {.struct_size = sizeof o, .install = true};
    struct plog_rebuild_report b;
    make(20, 40, false);
    world_take_store(&w, whole);
    uint64_t first = peers_floor(&w) + 1;
    world_take_store(&w, old);
    damage(first);
    uint64_t before = log_hash();
    heal(false, &r);
    CHECK_INT(r.verdict, PLOG_E_TAMPERED);
    CHECK_UINT(r.healed, 0);
    CHECK_UINT(r.left, 1);
    CHECK_INT(plog_rebuild_log(w.dir, NULL, &o, &b, NULL), 0);
    CHECK_INT(b.verdict, PLOG_E_TAMPERED);
    CHECK(log_hash() == before);
}

/* A copy of a segment under a higher number: neither dry nor in earnest does it
 * come to a whole log, and nothing is changed; a stray file goes aside. */
static void files_too_many(void)
{
    struct plog_rebuild_report b;
    make(50, 40, false);
    world_take_store(&w, whole);
    world_copy(segment(peers_floor(&w) + 1), segment(200));
    uint64_t before = log_hash();
    install(true, PLOG_E_CORRUPT, &b);
    install(false, PLOG_E_CORRUPT, &b);
    CHECK(log_hash() == before);
    CHECK(!world_has(&w, "quarantine"));
    CHECK_INT(unlink(segment(200)), 0);
    world_write(world_path(&w, "log/notes"), "x", 1);
    install(true, 0, &b);
    CHECK(world_has(&w, "log/notes"));
    install(false, 0, &b);
    CHECK(!world_has(&w, "log/notes"));
    world_end(&w, world_size(&w));
}

/* Files that lie below the floor again, as the first behind the store's own:
 * what is missing between was let go of, and they go aside.
 * @which  the segment of then, counted from the store's floor
 * @archived  whether archive/ has them still */
static void one_of_then(int which, bool archived)
{
    struct plog_salvage_report r;
    char name[60], path[700];
    struct world_found f;
    make(50, 40, true);
    uint64_t floor = peers_floor(&w); /* the older store's */
    uint64_t before = log_hash(), first = floor + 1;
    snprintf(path, sizeof path,
             "SELECT first FROM segments WHERE first>%d"
             " ORDER BY first LIMIT 1 OFFSET %d",
             (int)floor, which);
    first = (uint64_t)world_number(&w, path);
    CHECK(which || first == floor + 1);
    snprintf(name, sizeof name, "log/%020" PRIu64 ".jsonl", first);
    if (!archived)
        world_remove(world_path(&w, "archive"));
    world_take(&w, old, name);
    for (int dry = 1; dry >= 0; dry--) {
        heal(dry, &r);
        CHECK_INT(r.verdict, dry ? PLOG_E_CORRUPT : 0);
        CHECK_UINT(r.from_store, 0);
        CHECK_UINT(r.left, 0);
        CHECK_INT(world_has(&w, name), dry);
    }
    CHECK(log_hash() == before);
    CHECK(world_has(&w, "quarantine"));
    CHECK_INT(world_verify(&w, NULL, &f), 0);
}

static void files_of_then(void)
{
    for (int row = 0; row < 4; row++)
        one_of_then(row & 1, row & 2);
}

enum harm { BIT, CUT, GONE };

static void harm(uint64_t first, enum harm how)
{
    if (how == BIT)
        damage(first);
    else if (how == CUT)
        CHECK_INT(truncate(segment(first), 700), 0);
    else
        CHECK_INT(unlink(segment(first)), 0);
}

static void archived_name(uint64_t first, char *name, size_t size)
{
    snprintf(name, size, "archive/%020" PRIu64 ".jsonl.gz", first);
}

/* The compaction that the store does not know of was killed when it had
 * archived `taken` segments: those that it had still to take are in no archive,
 * so what is damaged in one of them is healed, and none goes aside.
 * @which  of those: the damaged one, from 0 on; -1: the last */
static void cut_off(int taken, int which, enum harm how)
{
    char name[60], gz[60], query[100];
    int count = 0;
    make(60, 40, false);
    uint64_t first = 1, above, bad = 0;
    world_take_store(&w, whole);
    above = peers_floor(&w) + 1;
    world_take_store(&w, old);
    for (int i = 1; first < above; i++) {
        snprintf(name, sizeof name, "log/%020" PRIu64 ".jsonl", first);
        archived_name(first, gz, sizeof gz);
        if (i > taken) {
            world_take(&w, old, name);
            CHECK_INT(unlink(world_path(&w, gz)), 0);
            if (which < 0 || which == count)
                bad = first;
            count++;
        }
        snprintf(query, sizeof query,
                 "SELECT first FROM segments ORDER BY first LIMIT 1 OFFSET %d",
                 i);
        first = (uint64_t)world_number(&w, query);
    }
    REQUIRE(count > 1);
    harm(bad, how);
    struct plog_salvage_report r;
    heal(false, &r);
    CHECK_INT(r.verdict, 0);
    CHECK_UINT(r.healed, 1);
    CHECK_UINT(r.left, 0);
    CHECK_INT(plog_replay(w.dir, NULL, &(struct plog_replay_report){0}, NULL),
              0);
    CHECK_INT(peers_compact(&w, NULL), 0);
    for (int i = 0; i < taken + count; i++) {
        snprintf(query, sizeof query,
                 "SELECT first FROM segments ORDER BY first LIMIT 1 OFFSET %d",
                 i);
        archived_name((uint64_t)world_number(&w, query), gz, sizeof gz);
        CHECK(world_has(&w, gz));
    }
    CHECK_UINT(peers_floor(&w), above - 1);
    world_end(&w, world_size(&w));
}

static void replay_fresh(void)
{
    struct plog_replay_options o = {.struct_size = sizeof o, .fresh = true};
    struct plog_replay_report r;
    CHECK_INT(plog_replay(w.dir, &o, &r, NULL), 0);
}

/* The log has gone over to another key since, below its floor: the store does
 * not know that one, nor does the first segment, a stray of then.
 * @pinned  nor whoever heals: but the compact entry names both */
static void rotated(bool pinned)
{
    struct plog_salvage_report r;
    struct plog_salvage_options o = {.struct_size = sizeof o,
                                     .from_store = true,
                                     .vkey = pinned ? w.vkey : NULL};
    struct plog_check_options with = {.struct_size = sizeof with,
                                      .vkey = o.vkey};
    struct plog_rotate_options turn = {.struct_size = sizeof turn};
    struct plog_rotate_report turned;
    struct world_found f;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 0);
    put(0, 30);
    CHECK_INT(peers_add(&w, "p"), 0);
    snprintf(old, sizeof old, "%.500s-old", w.dir);
    world_copy(w.dir, old);
    CHECK_INT(plog_key_rotate(w.dir, &turn, &turned, NULL), 0);
    put(30, 90);
    compact_at(70);
    uint64_t before = log_hash();
    CHECK(peers_floor(&w) > turned.size);
    world_take_store(&w, old);
    world_take(&w, old, "log/00000000000000000001.jsonl");
    CHECK_INT(world_verify(&w, &with, &f), PLOG_E_CORRUPT);
    for (int dry = 1; dry >= 0; dry--) {
        o.dry_run = dry;
        CHECK_INT(plog_salvage(w.dir, &o, &r, NULL), 0);
        CHECK_INT(r.verdict, dry ? PLOG_E_CORRUPT : 0);
        CHECK_INT(r.comes_to, 0);
        CHECK_UINT(r.from_store + r.left, 0);
    }
    CHECK(log_hash() == before);
    CHECK_INT(world_verify(&w, &with, &f), 0);
    replay_fresh();
    world_end(&w, world_size(&w));
}

static void rotated_since(void)
{
    rotated(false);
    rotated(true);
}

static void nothing_taken_yet(void)
{
    for (int how = BIT; how <= GONE; how++) {
        cut_off(0, 0, (enum harm)how);
        cut_off(0, -1, (enum harm)how);
    }
}

static void one_taken(void)
{
    for (int how = BIT; how <= GONE; how++) {
        cut_off(1, 0, (enum harm)how);
        cut_off(1, -1, (enum harm)how);
    }
}

/* A line that an order took the payload out of was archived since, and log/
 * does not have it: that is no reason to call the store damaged. */
static void redacted_below(void)
{
    struct plog_salvage_report r;
    struct plog_redact_report redacted;
    struct plog_error err;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 60);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(redacting_order(&w, 5, &redacted, &err), 0);
    snprintf(old, sizeof old, "%.500s-old", w.dir);
    world_copy(w.dir, old);
    compact_at(40);
    CHECK(peers_floor(&w) > 20);
    world_take_store(&w, old);
    heal(false, &r);
    CHECK_INT(r.verdict, 0);
    CHECK_INT(r.pending_code, 0);
    CHECK_TEXT(r.pending_why, "");
    CHECK_INT(plog_replay(w.dir, NULL, &(struct plog_replay_report){0}, NULL),
              0);
    world_end(&w, world_size(&w));
}

/* The log took back the compaction that the store has as its last: what lies
 * below is the log's own again, so damage there is healed, and none goes
 * aside. */
static void undone_since(void)
{
    for (int row = 0; row < 6; row++) {
        struct plog_compact_options o = {.struct_size = sizeof o, .undo = true};
        struct plog_compact_report c;
        struct plog_salvage_report r;
        make(60, 40, row & 1);
        world_take_store(&w, whole);
        CHECK_INT(plog_compact(w.dir, &o, &c, NULL), 0);
        world_take_store(&w, whole);
        CHECK_UINT(peers_floor(&w), c.from);
        uint64_t before = log_hash();
        harm(c.to + 1, (enum harm)(row / 2));
        for (int dry = 1; dry >= 0; dry--) {
            heal(dry, &r);
            CHECK_UINT(r.healed, 1);
            CHECK_UINT(r.left, 0);
            CHECK(dry || r.verdict == 0);
        }
        CHECK(log_hash() == before);
        CHECK_INT(
            plog_replay(w.dir, NULL, &(struct plog_replay_report){0}, NULL), 0);
        world_end(&w, world_size(&w));
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"store ends above", store_ends_above},
        {"store ends below", store_ends_below},
        {"damage above", damage_above},
        {"damage behind", damage_behind},
        {"files of then", files_of_then},
        {"nothing taken yet", nothing_taken_yet},
        {"one taken", one_taken},
        {"undone since", undone_since},
        {"redacted below", redacted_below},
        {"files too many", files_too_many},
        {"rotated since", rotated_since},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
