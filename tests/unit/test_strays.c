/*
 * test_strays.c - segments in log/ below the floor: those that lead to it stay,
 * others are CORRUPT for both checks, and each way that is advised leads out;
 * and a rebuilt log is put in the place of the one there only when what becomes
 * of that is whole.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "files.h"
#include "peers.h"
#include "world.h"

static struct world w;
static char older[600]; /* log/ as it was before the compaction */
static uint64_t floor_at, end;

/* Sixty deltas, compacted up to 50 of them, and some more.
 * @before  compacted up to there first, and the store trimmed; 0: not */
static void make_after(uint64_t before, bool trim)
{
    struct plog_compact_report r;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 60);
    CHECK_INT(peers_add(&w, "p"), 0);
    if (before) {
        CHECK_INT(peers_ack(&w, "p", before), 0);
        CHECK_INT(peers_trim(&w, &r), 0);
    }
    CHECK_INT(peers_ack(&w, "p", 50), 0);
    snprintf(older, sizeof older, "%.500s-older", w.dir);
    world_copy(world_path(&w, "log"), older);
    CHECK_INT(trim ? peers_trim(&w, &r) : peers_compact(&w, &r), 0);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 60, 70);
    world_close(&w);
    floor_at = r.to;
    end = world_size(&w);
    CHECK(floor_at > 40);
}

static void make(bool trim)
{
    make_after(0, trim);
}

/* Puts the segments of before from..to there again. */
static unsigned put_back(uint64_t from, uint64_t to)
{
    char path[700], name[60];
    unsigned count = 0;
    size_t n;
    for (uint64_t first = from; first <= to; first++) {
        snprintf(path, sizeof path, "%.600s/%020" PRIu64 ".jsonl", older,
                 first);
        if (access(path, F_OK) != 0)
            continue;
        snprintf(name, sizeof name, "log/%020" PRIu64 ".jsonl", first);
        char *bytes = world_read(path, &n);
        world_write(world_path(&w, name), bytes, n);
        free(bytes);
        count++;
    }
    return count;
}

static int install(bool dry_run)
{
    struct plog_rebuild_options o = {
        .struct_size = sizeof o, .install = true, .dry_run = dry_run};
    struct plog_rebuild_report r;
    struct plog_error err = {.code = 0};
    if (!CHECK_INT(plog_rebuild_log(w.dir, NULL, &o, &r, &err), 0))
        printf("# %s\n", err.message);
    return r.verdict;
}

static struct plog_salvage_report healed;

static int salvage(bool dry_run)
{
    struct plog_salvage_options o = {
        .struct_size = sizeof o, .from_store = true, .dry_run = dry_run};
    struct plog_error err = {.code = 0};
    int rc = plog_salvage(w.dir, &o, &healed, &err);
    if (rc)
        printf("# %s\n", err.message);
    return rc;
}

static void both_say(int verdict)
{
    struct world_found f;
    CHECK_INT(world_verify(&w, NULL, &f), verdict);
    CHECK_INT(world_parity(&w, NULL, &f), verdict);
}

/* An older log/ in the place of the one there: its end lies below the floor. */
static void instead_of_the_log(bool trim)
{
    make(trim);
    world_remove(world_path(&w, "log"));
    CHECK_INT(mkdir(world_path(&w, "log"), 0700), 0);
    CHECK(put_back(1, 20) > 1);
}

static void an_older_log(void)
{
    static const char salvages[] = "paritylog salvage DIR --from-store";
    struct world_found f;
    for (int row = 0; row < 4; row++) {
        instead_of_the_log(row & 1);
        CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_ROLLBACK);
        CHECK(strncmp(f.first[0].next, salvages, strlen(salvages)) == 0);
        uint64_t before = tree_hash(w.dir);
        if (row & 2) {
            CHECK_INT(install(true), 0);
        } else {
            CHECK_INT(salvage(true), 0);
            CHECK_INT(healed.comes_to, 0);
            CHECK_INT(healed.verdict, PLOG_E_ROLLBACK);
        }
        CHECK(tree_hash(w.dir) == before);
        if (row & 2)
            CHECK_INT(install(false), 0);
        else
            CHECK_INT(salvage(false), 0);
        both_say(0);
        CHECK(world_has(&w, "quarantine"));
        CHECK_INT(salvage(false), 0);
        CHECK_UINT(healed.healed, 0);
        world_end(&w, end);
    }
}

/* Without its snapshot a trimmed store gives no log, unless archive/ leads to
 * its floor. */
static void without_a_snapshot(void)
{
    struct world_found f;
    instead_of_the_log(true);
    world_remove(world_path(&w, "snapshots"));
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_ROLLBACK);
    CHECK(strstr(f.first[0].next, "salvage DIR --from-store") != NULL);
    CHECK_INT(salvage(true), 0);
    CHECK_INT(healed.comes_to, 0);
    world_remove(world_path(&w, "archive"));
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_ROLLBACK);
    CHECK(strstr(f.first[0].next, "put back a newer log/") != NULL);
    CHECK_INT(salvage(true), PLOG_E_PRUNED);
}

/* Nor does one that was trimmed to where the log has all, and compacted further
 * since: it begins at its last floor. */
static void without_a_later_snapshot(void)
{
    struct plog_compact_report r;
    char kept[600], snapshot[60];
    struct world_found f;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 30);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 20), 0);
    CHECK_INT(peers_trim(&w, NULL), 0);
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    world_copy(w.dir, kept);
    uint64_t size = world_size(&w), begins = peers_floor(&w);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 30, 80);
    world_close(&w);
    CHECK_INT(peers_ack(&w, "p", 75), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK(begins > 0 && r.to > size);
    world_remove(world_path(&w, "log"));
    world_take(&w, kept, "log");
    world_remove(world_path(&w, "archive"));
    snprintf(snapshot, sizeof snapshot, "snapshots/%020" PRIu64 ".jsonl.gz",
             r.to);
    world_remove(world_path(&w, snapshot));
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_ROLLBACK);
    CHECK_UINT(f.report.floor, begins);
    CHECK(strstr(f.first[0].next, "put back a newer log/") != NULL);
    CHECK_INT(salvage(true), PLOG_E_PRUNED);
}

/* Segments beside the log that something is missing behind.  Both checks advise
 * what sets them aside: a compaction needs a key, which a copy may lack. */
static void beside_the_log(void)
{
    static const char salvages[] = "paritylog salvage DIR --from-store";
    struct world_found f;
    for (int row = 0; row < 4; row++) {
        make(row & 1);
        CHECK(put_back(1, 20) > 1);
        both_say(PLOG_E_CORRUPT);
        CHECK_INT(world_verify(&w, NULL, &f), PLOG_E_CORRUPT);
        CHECK(strncmp(f.first[0].next, salvages, strlen(salvages)) == 0);
        CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_CORRUPT);
        CHECK(strncmp(f.first[0].next, salvages, strlen(salvages)) == 0);
        CHECK(f.report.records > 0); /* the log is compared all the same */
        if (row & 2) {
            CHECK_INT(salvage(true), 0);
            CHECK_INT(healed.comes_to, 0);
            CHECK_INT(salvage(false), 0);
            CHECK_INT(healed.verdict, 0);
            CHECK(healed.healed > 1);
        } else {
            CHECK_INT(peers_compact(&w, NULL), 0);
            CHECK(!world_has(&w, "quarantine")); /* archive/ has them */
        }
        both_say(0);
        CHECK_INT(world_parity(&w, NULL, &f), 0);
        CHECK_UINT(f.report.segments, 3);
        world_end(&w, end);
    }
}

/* Without a store no row says where the log begins: its own compact entry does,
 * to all that read it, and each step that is advised leads to the next. */
static void without_a_store(void)
{
    static const char replays[] = "paritylog replay DIR";
    static const uint64_t range[][2] = {{1, 1}, {1, 20}, {2, 20}};
    struct plog_replay_options o = {.struct_size = sizeof o};
    struct plog_rebuild_options b = {.struct_size = sizeof b};
    struct plog_rebuild_report built;
    struct plog_replay_report r;
    struct world_found f;
    char out[600];
    for (int row = 0; row < 6; row++) {
        make(row & 1);
        CHECK(put_back(range[row % 3][0], range[row % 3][1]) > 0);
        if (row == 5) /* not even a header */
            world_write(world_path(&w, "log/00000000000000000002.jsonl"), "",
                        0);
        world_drop_store(&w);
        both_say(PLOG_E_CORRUPT);
        CHECK_INT(world_verify(&w, NULL, &f), PLOG_E_CORRUPT);
        CHECK_UINT(f.report.floor, floor_at);
        CHECK(strncmp(f.first[0].next, replays, strlen(replays)) == 0);
        snprintf(out, sizeof out, "%.500s-out-%d", w.dir, row);
        for (int dry_run = 1; dry_run >= 0; dry_run--) {
            b.dry_run = o.dry_run = dry_run;
            CHECK_INT(plog_rebuild_store(w.dir, out, &b, &built, NULL), 0);
            CHECK_INT(built.verdict, 0);
            CHECK_UINT(built.entries, end);
            o.fresh = row & 1;
            CHECK_INT(plog_replay(w.dir, &o, &r, NULL), 0);
            CHECK_UINT(r.base, floor_at);
        }
        CHECK_INT(salvage(false), 0);
        CHECK(healed.healed > 0);
        both_say(0);
        world_end(&w, end);
    }
}

/* What a cut off compaction leaves is whole. */
static void those_that_lead_there(void)
{
    for (int trim = 0; trim < 2; trim++) {
        make(trim);
        CHECK(put_back(20, floor_at) > 1);
        both_say(0);
        CHECK_INT(salvage(false), 0);
        CHECK_UINT(healed.healed, 0);
        CHECK(!world_has(&w, "quarantine"));
        put_back(1, 8); /* one below a gap, and only that goes */
        both_say(PLOG_E_CORRUPT);
        CHECK_INT(salvage(false), 0);
        CHECK_UINT(healed.healed, 1);
        both_say(0);
        CHECK_INT(peers_compact(&w, NULL), 0);
        both_say(0);
        world_end(&w, end);
    }
}

static char damaged[60]; /* the name of the file */

/* The first segment at or behind entry `from`, below the floor, is changed: a
 * bit, or with what==1 its header, or gone. */
static void damage(uint64_t from, int what)
{
    const char *name = damaged;
    size_t n;
    do
        snprintf(damaged, sizeof damaged, "log/%020" PRIu64 ".jsonl", from++);
    while (!world_has(&w, name) && from <= floor_at);
    char *bytes = world_read(world_path(&w, name), &n);
    if (what == 2)
        world_remove(world_path(&w, name));
    else {
        bytes[what ? 2 : n / 2] ^= 1;
        world_write(world_path(&w, name), bytes, n);
    }
    free(bytes);
}

static uint64_t last_below(void)
{
    uint64_t first = floor_at;
    char path[700];
    do
        snprintf(path, sizeof path, "%.600s/%020" PRIu64 ".jsonl", older,
                 first);
    while (access(path, F_OK) != 0 && --first);
    return first;
}

/* As a kill leaves it: archive/ has those below `from`. */
static void cut_off(uint64_t from)
{
    char name[80];
    CHECK(put_back(from, floor_at) > 2);
    for (uint64_t first = from; first <= floor_at; first++) {
        snprintf(name, sizeof name, "archive/%020" PRIu64 ".jsonl.gz", first);
        if (world_has(&w, name))
            world_remove(world_path(&w, name));
    }
    world_sql(&w, "UPDATE compactions SET pending=1");
}

/* A segment that is not archived, damaged or gone: a plan says what the real
 * run does, and a compaction or an undo names that file. */
static void refuse(void)
{
    struct plog_compact_report r;
    for (int run = 0; run < 4; run++) {
        struct plog_compact_options o = {
            .struct_size = sizeof o, .dry_run = run & 1, .undo = run & 2};
        struct plog_error err = {.code = 0};
        CHECK_INT(plog_compact(w.dir, &o, &r, &err), PLOG_E_CORRUPT);
        CHECK_TEXT(err.file, damaged);
        CHECK(strstr(err.hint, "salvage DIR --from-store") != NULL);
    }
}

/* What a compaction that was cut off has still to archive is the log's own: it
 * is healed, and not set aside, and archive/ then has all of it.  So is the
 * first of it, without which the log leads to the floor, and the last one. */
static void of_one_cut_off(void)
{
    struct plog_compact_options o = {.struct_size = sizeof o};
    struct plog_compact_report r;
    static const struct {
        uint64_t before, from; /* floor that the store was trimmed to; cut */
        uint64_t at;           /* what is damaged; 0: the last one */
        int what;
    } rows[] = {{0, 15, 28, 0},  {0, 15, 28, 1},  {0, 15, 28, 2}, {0, 1, 1, 1},
                {0, 1, 0, 1},    {0, 1, 1, 2},    {0, 15, 15, 2}, {0, 15, 0, 2},
                {10, 20, 20, 1}, {10, 20, 20, 2}, {10, 20, 0, 2}};
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        int what = rows[row].what;
        make_after(rows[row].before, false);
        cut_off(rows[row].from);
        damage(rows[row].at ? rows[row].at : last_below(), what);
        /* Where the first is gone, the log is whole from the next one on. */
        both_say(what == 2 && rows[row].at == rows[row].from ? 0
                                                             : PLOG_E_CORRUPT);
        uint64_t before = tree_hash(w.dir);
        refuse();
        CHECK_INT(salvage(true), 0);
        CHECK_INT(healed.comes_to, 0);
        CHECK(tree_hash(w.dir) == before);
        CHECK_INT(salvage(false), 0);
        CHECK_INT(healed.verdict, 0);
        CHECK_UINT(healed.healed, 1);
        CHECK_UINT(healed.left, 0);
        CHECK_INT(healed.from_store > 0, what != 1);
        CHECK_INT(world_has(&w, "quarantine"), what != 2);
        both_say(0);
        CHECK_INT(plog_compact(w.dir, &o, &r, NULL), 0);
        CHECK(r.resumed);
        CHECK_UINT(r.aside, 0);
        o.undo = true;
        CHECK_INT(plog_compact(w.dir, &o, &r, NULL), 0);
        o.undo = false;
        CHECK(r.undone);
        both_say(0);
        world_end(&w, end + 1);
    }
}

/* Its archive/ was moved away meanwhile, so that all of it looks lost: the
 * store gives that, from where it was trimmed to; or archive/ says what stands
 * there, where the snapshot is gone. */
static void of_one_without(void)
{
    struct plog_compact_report r;
    for (int row = 0; row < 3; row++) {
        make_after(row ? 10 : 0, false);
        cut_off(20);
        damage(20, 2);
        uint64_t base =
            (uint64_t)world_number(&w, "SELECT min(floor) FROM compactions");
        char snapshot[60];
        snprintf(snapshot, sizeof snapshot, "snapshots/%020" PRIu64 ".jsonl.gz",
                 base);
        world_remove(world_path(&w, row == 2 ? snapshot : "archive"));
        CHECK_INT(peers_compact(&w, &r), PLOG_E_CORRUPT);
        CHECK_INT(salvage(true), 0);
        CHECK_INT(healed.comes_to, 0);
        CHECK_INT(salvage(false), 0);
        CHECK_INT(healed.verdict, 0);
        CHECK_UINT(healed.left, 0);
        CHECK_INT(healed.healed > 1, row < 2);
        both_say(0);
        CHECK_INT(peers_compact(&w, &r), 0);
        CHECK(r.resumed);
        world_end(&w, end);
    }
}

/* Whose last segments somebody has put there again: what archive/ has is none
 * of a compaction's, and what lies beside them goes. */
static void of_one_that_ended(void)
{
    for (int pending = 0; pending < 2; pending++) {
        make(false);
        CHECK(put_back(15, floor_at) > 2);
        if (pending)
            world_sql(&w, "UPDATE compactions SET pending=1");
        damage(28, 0);
        both_say(PLOG_E_CORRUPT);
        CHECK_INT(salvage(false), 0);
        CHECK_UINT(healed.from_store, 0);
        CHECK_UINT(healed.left, 0);
        both_say(0);
        CHECK_INT(peers_compact(&w, NULL), 0);
        both_say(0);
        world_end(&w, end);
    }
}

/* The store stands before the compaction: what the log let go of is not missing
 * then, either. */
static void beside_an_older_store(void)
{
    static const char copy[] = "-store";
    char kept[600];
    struct plog_compact_report r;
    for (int row = 0; row < 2; row++) {
        peers_make(&w, PLOG_LAST_WRITE_WINS, row ? 60 : 40);
        snprintf(kept, sizeof kept, "%.500s%s", w.dir, copy);
        world_copy(w.dir, kept);
        CHECK_INT(world_open(&w), 0);
        peers_put(&w, row ? 60 : 40, 70);
        world_close(&w);
        CHECK_INT(peers_add(&w, "p"), 0);
        CHECK_INT(peers_ack(&w, "p", 50), 0);
        snprintf(older, sizeof older, "%.500s-older", w.dir);
        world_copy(world_path(&w, "log"), older);
        CHECK_INT(peers_compact(&w, &r), 0);
        world_take_store(&w, kept);
        uint64_t before = tree_hash(world_path(&w, "log"));
        unsigned put = put_back(2, 15);
        CHECK(put > 0);
        CHECK_INT(salvage(true), 0);
        CHECK_INT(healed.comes_to, 0);
        for (int again = 0; again < 2; again++) {
            CHECK_INT(salvage(false), 0);
            CHECK_INT(healed.verdict, 0);
            CHECK_UINT(healed.healed, again ? 0 : put);
            CHECK_UINT(healed.from_store, 0);
            CHECK(tree_hash(world_path(&w, "log")) == before);
        }
    }
}

/* The store's row of its compact entry is none, or its table, which nobody
 * signs, names another: no other line rests on that, so all is healed. */
static void a_row_that_is_none(void)
{
    struct plog_replay_options o = {.struct_size = sizeof o, .fresh = true};
    struct plog_replay_report r;
    for (int row = 0; row < 2; row++) {
        make(false);
        world_sql(&w, row ? "UPDATE compactions SET seq=seq+1"
                          : "UPDATE events SET line=replace(line,'compact',"
                            "'compbct') WHERE seq IN (SELECT seq FROM"
                            " compactions)");
        floor_at++; /* the one behind the floor */
        damage(floor_at, 0);
        CHECK_INT(salvage(true), 0);
        CHECK_UINT(healed.healed, 1);
        CHECK_UINT(healed.left, 0);
        if (row)
            CHECK_INT(install(false), 0);
        CHECK_INT(salvage(false), 0);
        CHECK_UINT(healed.healed, !row);
        CHECK_INT(healed.verdict, 0);
        CHECK_INT(plog_replay(w.dir, &o, &r, NULL), 0);
        both_say(0);
        world_end(&w, end);
    }
}

/* ... and what a compaction that was cut off has not archived is healed by the
 * log's own entry. */
static void a_row_that_is_none_below(void)
{
    struct plog_replay_options o = {.struct_size = sizeof o, .fresh = true};
    struct plog_replay_report r;
    make(false);
    cut_off(20);
    world_sql(&w, "UPDATE compactions SET seq=seq+1");
    damage(20, 0);
    CHECK_INT(salvage(false), 0);
    CHECK_UINT(healed.healed, 1);
    CHECK_UINT(healed.left, 0);
    CHECK_INT(healed.verdict, 0);
    CHECK(world_has(&w, damaged));
    CHECK_INT(plog_replay(w.dir, &o, &r, NULL), 0);
    world_end(&w, end);
}

/* Of what is gone the store has the first entries, and no leg the others: where
 * that segment would end nobody knows, and the plan says what comes. */
static void behind_the_stores_end(void)
{
    static const char kept[] = "-kept";
    char copy[600], name[60];
    peers_make(&w, PLOG_LAST_WRITE_WINS, 30);
    snprintf(copy, sizeof copy, "%.500s%s", w.dir, kept);
    world_copy(w.dir, copy);
    uint64_t size = world_size(&w);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 30, 60);
    world_close(&w);
    uint64_t to = (uint64_t)world_number(
        &w, "SELECT max(first) FROM segments WHERE first<50");
    uint64_t from = (uint64_t)world_number(
        &w, "SELECT max(first) FROM segments WHERE first<28");
    CHECK(from < size && to > size);
    for (uint64_t first = from; first < to; first++) {
        snprintf(name, sizeof name, "log/%020" PRIu64 ".jsonl", first);
        if (world_has(&w, name))
            world_remove(world_path(&w, name));
    }
    world_take_store(&w, copy);
    uint64_t before = tree_hash(world_path(&w, "log"));
    for (int run = 0; run < 4; run++) {
        bool dry = run & 1;
        CHECK_INT(run & 2 ? install(dry) : (salvage(dry), healed.comes_to),
                  PLOG_E_CORRUPT);
        CHECK_UINT(healed.healed, 0);
        CHECK_UINT(healed.left, 1);
        CHECK_UINT(healed.from_store, 0);
        CHECK(tree_hash(world_path(&w, "log")) == before);
    }
}

/* Damage that the store mends, in a log that is another history than the
 * store's: nothing is changed, and the plan says so, too. */
static void of_two_histories(void)
{
    struct world fork;
    size_t n;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 30);
    fork = w;
    snprintf(fork.dir, sizeof fork.dir, "%.490s-fork", w.dir);
    world_copy(w.dir, fork.dir);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 30, 34);
    world_close(&w);
    CHECK_INT(world_open(&fork), 0);
    peers_put(&fork, 40, 44);
    world_close(&fork);
    world_take_store(&w, fork.dir);
    char *bytes =
        world_read(world_path(&w, "log/00000000000000000001.jsonl"), &n);
    char *at = strstr(bytes, "\"v\":\"");
    REQUIRE(at != NULL);
    at[5] ^= 1;
    world_write(world_path(&w, "log/00000000000000000001.jsonl"), bytes, n);
    free(bytes);
    uint64_t before = tree_hash(world_path(&w, "log"));
    for (int dry_run = 1; dry_run >= 0; dry_run--) {
        CHECK_INT(install(dry_run), PLOG_E_FORK);
        CHECK(tree_hash(world_path(&w, "log")) == before);
        CHECK(!world_has(&w, "quarantine"));
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"an older log", an_older_log},
        {"without a snapshot", without_a_snapshot},
        {"without a later snapshot", without_a_later_snapshot},
        {"beside the log", beside_the_log},
        {"without a store", without_a_store},
        {"those that lead there", those_that_lead_there},
        {"of one cut off", of_one_cut_off},
        {"a row that is none", a_row_that_is_none},
        {"a row that is none, below", a_row_that_is_none_below},
        {"of one without its archive", of_one_without},
        {"of one that ended", of_one_that_ended},
        {"beside an older store", beside_an_older_store},
        {"behind the store's end", behind_the_stores_end},
        {"of two histories", of_two_histories},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
