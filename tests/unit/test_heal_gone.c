/*
 * test_heal_gone.c - a log that was compacted, and of which log/, the snapshot
 * at its floor, or both are gone: what the store has of it comes back, and what
 * is there is not taken away for less.
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
static struct plog_salvage_report healed;
static struct plog_error err;

/* Entries below a floor, in archive/ and in a store that was never trimmed, and
 * some above it. */
static void make(void)
{
    peers_make(&w, PLOG_LAST_WRITE_WINS, 40);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", world_size(&w)), 0);
    CHECK_INT(peers_compact(&w, NULL), 0);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 40, 60);
    world_close(&w);
    CHECK(peers_floor(&w) > 20);
}

static int heal(bool dry_run)
{
    struct plog_salvage_options o = {
        .struct_size = sizeof o, .from_store = true, .dry_run = dry_run};
    int rc = plog_salvage(w.dir, &o, &healed, &err);
    if (rc)
        printf("# %s\n", err.message);
    return rc;
}

static int install(bool dry_run, struct plog_rebuild_report *r)
{
    struct plog_rebuild_options o = {
        .struct_size = sizeof o, .install = true, .dry_run = dry_run};
    int rc = plog_rebuild_log(w.dir, NULL, &o, r, &err);
    if (rc)
        printf("# %s\n", err.message);
    return rc;
}

/* ---- Where there is no log/ -------------------------------------------------
 */

static void planned_beside_an_archive(void)
{
    struct plog_rebuild_report r;
    make();
    uint64_t size = world_size(&w);
    world_remove(world_path(&w, "log"));
    CHECK_INT(heal(true), 0);
    CHECK_INT(healed.comes_to, 0);
    CHECK_UINT(healed.left, 0);
    CHECK_INT(install(true, &r), 0);
    CHECK_INT(r.verdict, 0);
    CHECK(!world_has(&w, "log"));
    CHECK_INT(install(false, &r), 0);
    CHECK_INT(r.verdict, 0);
    world_end(&w, size);
}

/* ---- Without its snapshot, beside a store that was never trimmed ------------
 */

/* A second name for a file: nobody reads it then. */
static void link_all(const char *folder)
{
    char other[700], from[900], to[900];
    struct tree t;
    snprintf(other, sizeof other, "%.500s-%s", w.dir, folder);
    if (access(other, F_OK) == 0)
        world_remove(other);
    CHECK_INT(mkdir(other, 0700), 0);
    tree_read(&t, world_path(&w, folder));
    for (size_t i = 0; i < t.count; i++) {
        snprintf(from, sizeof from, "%.500s/%.20s/%.200s", w.dir, folder,
                 t.files[i].name);
        snprintf(to, sizeof to, "%s/%.190s", other, t.files[i].name);
        CHECK_INT(link(from, to), 0);
    }
    tree_free(&t);
}

static void cut_all(void)
{
    char path[900];
    struct tree t;
    tree_read(&t, world_path(&w, "log"));
    for (size_t i = 0; i < t.count; i++) {
        snprintf(path, sizeof path, "%.500s/log/%.200s", w.dir,
                 t.files[i].name);
        CHECK_INT(truncate(path, 100), 0);
    }
    tree_free(&t);
}

static void lose_log(int how)
{
    if (how == 0 || how == 1)
        world_remove(world_path(&w, "log"));
    if (how == 1)
        CHECK_INT(mkdir(world_path(&w, "log"), 0700), 0);
    if (how == 2)
        link_all("log");
    if (how == 3)
        cut_all();
}

static void lose_snapshot(int how)
{
    if (how == 0)
        world_remove(world_path(&w, "snapshots"));
    if (how == 1)
        link_all("snapshots");
}

/* The log is whole again, and the next compaction finds all that it needs. */
static void comes_back(uint64_t size)
{
    CHECK_INT(heal(true), 0);
    CHECK_INT(healed.comes_to, 0);
    CHECK(!world_has(&w, "salvage"));
    CHECK_INT(heal(false), 0);
    CHECK_INT(healed.verdict, 0);
    CHECK_UINT(healed.left, 0);
    CHECK(!world_has(&w, "salvage"));
    CHECK_INT(heal(false), 0);
    CHECK_UINT(healed.healed, 0);
    CHECK_INT(peers_ack(&w, "p", size), 0);
    CHECK_INT(peers_compact(&w, NULL), 0);
    CHECK_INT(peers_parity(&w), 0);
}

static void never_trimmed(void)
{
    for (int how = 0; how < 16; how++) {
        make();
        uint64_t size = world_size(&w);
        lose_log(how & 3);
        lose_snapshot(how >> 3);
        if (how & 4)
            world_remove(world_path(&w, "archive"));
        comes_back(size);
    }
}

/* What a kill, or a run of before, left in the scratch folder. */
static void begun_before(void)
{
    make();
    uint64_t size = world_size(&w);
    world_remove(world_path(&w, "log"));
    CHECK_INT(mkdir(world_path(&w, "salvage"), 0700), 0);
    world_write(world_path(&w, "salvage/00000000000000000001.jsonl"), "x", 1);
    world_write(world_path(&w, "salvage/00000000000000000999.jsonl"), "x", 1);
    CHECK_INT(heal(false), 0);
    CHECK_INT(healed.verdict, 0);
    CHECK(!world_has(&w, "salvage"));
    world_end(&w, size);
}

/* It goes by what a salvage names so; a run that heals nothing takes no more
 * than that, either. */
static void beside_a_file_of_mine(void)
{
    make();
    uint64_t size = world_size(&w);
    CHECK_INT(mkdir(world_path(&w, "salvage"), 0700), 0);
    world_write(world_path(&w, "salvage/notes.txt"), "x", 1);
    world_write(world_path(&w, "salvage/00000000000000000001.jsonl"), "x", 1);
    CHECK_INT(heal(false), 0);
    CHECK_UINT(healed.healed, 0);
    CHECK(!world_has(&w, "salvage/00000000000000000001.jsonl"));
    CHECK(world_has(&w, "salvage/notes.txt"));
    world_remove(world_path(&w, "log"));
    CHECK_INT(heal(false), 0);
    CHECK_INT(healed.verdict, 0);
    CHECK(world_has(&w, "salvage/notes.txt"));
    world_remove(world_path(&w, "salvage"));
    world_end(&w, size);
}

/* ---- Without its snapshot, beside a store that was trimmed ------------------
 */

/* Of the archive below the snapshot before, the file behind the first is gone.
 */
static void lose_second_archived(void)
{
    char path[900];
    struct tree t;
    tree_read(&t, world_path(&w, "archive"));
    REQUIRE(t.count > 3);
    snprintf(path, sizeof path, "%.500s/archive/%.200s", w.dir,
             t.files[1].name);
    CHECK_INT(unlink(path), 0);
    tree_free(&t);
}

/* A directory copied while a compaction went on: keys/, archive/ and snapshots/
 * of before, of log/ the last file of behind it, store.db later still. */
static uint64_t copied_meanwhile(void)
{
    char before[600], name[100], from[800];
    struct tree t;
    make();
    snprintf(before, sizeof before, "%.500s-before", w.dir);
    world_copy(w.dir, before);
    CHECK_INT(peers_ack(&w, "p", world_size(&w)), 0);
    CHECK_INT(peers_trim(&w, NULL), 0);
    tree_read(&t, world_path(&w, "log"));
    for (size_t i = 0; i < t.count; i++) {
        snprintf(name, sizeof name, "log/%.50s", t.files[i].name);
        snprintf(from, sizeof from, "%.600s/%.60s", before, name);
        if (access(from, F_OK) == 0)
            CHECK_INT(unlink(from), 0);
        world_copy(world_path(&w, name), from);
    }
    tree_free(&t);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 60, 90);
    world_close(&w);
    uint64_t size = world_size(&w);
    static const char *const parts[] = {"log", "archive", "snapshots"};
    for (int i = 0; i < 3; i++) {
        snprintf(from, sizeof from, "%.600s/%s", before, parts[i]);
        world_remove(world_path(&w, parts[i]));
        world_copy(from, world_path(&w, parts[i]));
    }
    return size;
}

/* The log itself leads to where the store begins; the snapshot comes of that,
 * too, whatever archive/ has below the one before. */
static void led_to_by_the_log(void)
{
    struct plog_rebuild_report r;
    for (int how = 0; how < 6; how++) {
        uint64_t size = copied_meanwhile();
        if (how % 3 == 1)
            world_remove(world_path(&w, "archive"));
        if (how % 3 == 2)
            lose_second_archived();
        if (how < 3) {
            CHECK_INT(heal(false), 0);
            CHECK_INT(healed.verdict, 0);
            CHECK_UINT(healed.left, 0);
            CHECK(healed.from_store > 0);
        } else {
            CHECK_INT(install(false, &r), 0);
            CHECK_INT(r.verdict, 0);
        }
        CHECK_UINT(world_size(&w), size);
        CHECK_INT(peers_parity(&w), PLOG_E_PRUNED);
        CHECK_INT(peers_compact(&w, NULL), 0);
        CHECK_INT(peers_parity(&w), 0);
    }
}

/* ... and a store, where there is none. */
static void replayed_on_the_one_before(void)
{
    struct plog_replay_options o = {.struct_size = sizeof o};
    struct plog_replay_report r;
    copied_meanwhile();
    lose_second_archived();
    world_drop_store(&w);
    if (!CHECK_INT(plog_replay(w.dir, &o, &r, &err), 0))
        printf("# %s\n", err.message);
    CHECK_INT(peers_parity(&w), 0);
}

/* Where log/ is gone as well, archive/ leads there; without either nobody
 * does. */
static void led_to_by_the_archive(void)
{
    for (int with = 1; with >= 0; with--) {
        make();
        CHECK_INT(peers_trim(&w, NULL), 0);
        uint64_t size = world_size(&w);
        world_remove(world_path(&w, "snapshots"));
        world_remove(world_path(&w, "log"));
        if (!with)
            world_remove(world_path(&w, "archive"));
        CHECK_INT(heal(false), with ? 0 : PLOG_E_PRUNED);
        if (!with) {
            CHECK(strstr(err.hint, "neither log/ nor archive/") != NULL);
            continue;
        }
        CHECK_INT(healed.verdict, 0);
        CHECK_INT(peers_compact(&w, NULL), 0);
        CHECK_INT(peers_parity(&w), 0);
        CHECK(world_size(&w) >= size);
    }
}

/* ---- What is there stays, where less would come of it
 * ------------------------
 */

/* An older log, whole in itself, beside the trimmed store of later. */
static void make_older(void)
{
    char then[700];
    make();
    snprintf(then, sizeof then, "%.500s-then", w.dir);
    world_copy(w.dir, then);
    uint64_t size = world_size(&w);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 60, 90);
    world_close(&w);
    CHECK_INT(peers_ack(&w, "p", world_size(&w)), 0);
    CHECK_INT(peers_trim(&w, NULL), 0);
    CHECK(peers_floor(&w) > size);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 90, 100);
    world_close(&w);
    world_remove(world_path(&w, "log"));
    snprintf(then, sizeof then, "%.500s-then/log", w.dir);
    world_copy(then, world_path(&w, "log"));
}

/* A group behind the store's floor that is not proven: then the log that is
 * there is more than what would come. */
static void no_less_than_there_is(void)
{
    struct plog_rebuild_report r;
    struct world_found f;
    make_older();
    world_sql(&w, "CREATE TABLE kept AS SELECT * FROM events WHERE seq=100;"
                  "UPDATE events SET line=replace(line,'v9','x9') WHERE"
                  " seq=100");
    uint64_t before = tree_hash(world_path(&w, "log"));
    for (int dry = 1; dry >= 0; dry--) {
        CHECK_INT(heal(dry), 0);
        CHECK_INT(healed.verdict, PLOG_E_ROLLBACK);
        CHECK_UINT(healed.healed, 0);
        CHECK(healed.left > 0);
        CHECK_UINT(healed.from_store, 0);
        CHECK_INT(install(dry, &r), 0);
        CHECK(r.refused && r.verdict != 0);
    }
    CHECK(tree_hash(world_path(&w, "log")) == before);
    CHECK(!world_has(&w, "quarantine"));
    CHECK(!world_has(&w, "salvage"));
    CHECK_INT(world_verify(&w, NULL, &f), PLOG_E_ROLLBACK);
    CHECK_UINT(f.count, 1); /* a snapshot is newer; all that is there is good */
    /* Proven again, it is what the log was. */
    world_sql(&w,
              "UPDATE events SET line=(SELECT line FROM kept) WHERE seq=100;"
              "DROP TABLE kept");
    CHECK_INT(heal(false), 0);
    CHECK_INT(healed.verdict, 0);
    CHECK_UINT(healed.left, 0);
    CHECK(world_has(&w, "quarantine"));
    CHECK_INT(peers_parity(&w), 0);
}

static char range_file[70];
static uint64_t range_from, range_to;

static int keep_range(void *arg, const struct plog_salvaged *s)
{
    (void)arg;
    snprintf(range_file, sizeof range_file, "%.60s", s->file);
    range_from = s->from;
    range_to = s->to;
    return 0;
}

/* The first segment behind the floor is gone: that is the one finding, and what
 * follows is checked from its own first entry on. */
static void the_first_behind_the_floor(void)
{
    char name[60];
    struct world_found f;
    struct tree t;
    make();
    uint64_t size = world_size(&w), floor = peers_floor(&w);
    snprintf(name, sizeof name, "log/%020" PRIu64 ".jsonl", floor + 1);
    CHECK_INT(unlink(world_path(&w, name)), 0);
    tree_read(&t, world_path(&w, "log"));
    REQUIRE(t.count > 0);
    uint64_t next = strtoull(t.files[0].name, NULL, 10);
    tree_free(&t);
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_CORRUPT);
    CHECK_UINT(f.count, 1);
    CHECK_TEXT(f.first[0].file, name);
    CHECK_UINT(f.first[0].seq, floor + 1);
    CHECK_UINT(f.report.from, next);
    CHECK_UINT(f.report.to, size);
    struct plog_salvage_options o = {.struct_size = sizeof o,
                                     .range = keep_range};
    CHECK_INT(plog_salvage(w.dir, &o, &healed, &err), 0);
    CHECK_TEXT(range_file, name);
    CHECK_UINT(range_from, floor + 1);
    CHECK_UINT(range_to, next - 1);
    CHECK_UINT(healed.entries, size - next + 1);
    CHECK_INT(heal(false), 0);
    CHECK_INT(healed.verdict, 0);
    CHECK_UINT(healed.healed, 1);
    world_end(&w, size);
}

/* What the store has of a segment that is lost is not all of it. */
static void a_part_of_what_is_lost(void)
{
    char then[700], name[60];
    uint64_t lost = 0;
    struct tree t;
    make();
    uint64_t size = world_size(&w);
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    snprintf(then, sizeof then, "%.500s-then", w.dir);
    world_copy(w.dir, then);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 60, 90);
    world_close(&w);
    world_take_store(&w, then);
    tree_read(&t, world_path(&w, "log"));
    for (size_t i = 0; i < t.count; i++) {
        uint64_t first = strtoull(t.files[i].name, NULL, 10);
        lost = first <= size ? first : lost;
    }
    tree_free(&t);
    CHECK(lost > 0 && lost < size);
    snprintf(name, sizeof name, "log/%020" PRIu64 ".jsonl", lost);
    CHECK_INT(unlink(world_path(&w, name)), 0);
    CHECK_INT(heal(false), 0);
    CHECK_INT(healed.verdict, PLOG_E_CORRUPT);
    CHECK_UINT(healed.left, 1);
    CHECK_UINT(healed.healed, 0);
    CHECK_UINT(healed.from_store, 0);
    CHECK(!world_has(&w, name));
}

/* An undo that did not come to make the store anew: its floor is above the
 * log's, and what lies below it belongs there, also where some of it is lost.
 */
static void undone_when_trimmed(void)
{
    struct plog_replay_options o = {.struct_size = sizeof o};
    struct plog_replay_report r;
    char path[900], trimmed[700];
    struct tree t;
    make();
    CHECK_INT(peers_ack(&w, "p", world_size(&w)), 0);
    CHECK_INT(peers_trim(&w, NULL), 0);
    snprintf(trimmed, sizeof trimmed, "%.500s-trimmed", w.dir);
    world_copy(w.dir, trimmed);
    CHECK_INT(peers_undo(&w, NULL), 0);
    world_take_store(&w, trimmed);
    CHECK_INT(plog_replay(w.dir, &o, &r, &err), 0);
    world_remove(world_path(&w, "quarantine"));
    tree_read(&t, world_path(&w, "log"));
    REQUIRE(t.count > 2);
    snprintf(path, sizeof path, "%.500s/log/%.200s", w.dir, t.files[1].name);
    CHECK_INT(unlink(path), 0);
    tree_free(&t);
    uint64_t before = tree_hash(world_path(&w, "log"));
    for (int dry = 1; dry >= 0; dry--) {
        CHECK_INT(heal(dry), 0);
        CHECK_INT(healed.verdict, PLOG_E_CORRUPT);
        CHECK_UINT(healed.healed, 0);
        CHECK(healed.left > 0);
    }
    CHECK(tree_hash(world_path(&w, "log")) == before);
    CHECK(!world_has(&w, "quarantine"));
}

/* Files of another history of the same log over those of the store's: both are
 * signed. */
static void of_two_histories_mixed(void)
{
    char other[700], name[60], from[800];
    struct plog_rebuild_report r;
    struct tree t;
    make();
    uint64_t size = world_size(&w);
    snprintf(other, sizeof other, "%.500s-other", w.dir);
    world_copy(w.dir, other);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 60, 90);
    world_close(&w);
    struct world theirs = w;
    snprintf(theirs.dir, sizeof theirs.dir, "%.500s", other);
    CHECK_INT(world_open(&theirs), 0);
    peers_put(&theirs, 160, 175);
    world_close(&theirs);
    snprintf(other, sizeof other, "%.500s-other/log", w.dir);
    tree_read(&t, other);
    for (size_t i = 0; i < t.count; i++) {
        snprintf(name, sizeof name, "log/%.50s", t.files[i].name);
        snprintf(from, sizeof from, "%.600s/%.50s", other, t.files[i].name);
        if (world_has(&w, name))
            CHECK_INT(unlink(world_path(&w, name)), 0);
        world_copy(from, world_path(&w, name));
    }
    tree_free(&t);
    CHECK(world_size(&w) > size);
    uint64_t before = tree_hash(world_path(&w, "log"));
    for (int dry = 1; dry >= 0; dry--) {
        CHECK_INT(heal(dry), 0);
        CHECK_INT(healed.verdict, PLOG_E_FORK);
        CHECK_UINT(healed.healed + healed.from_store, 0);
        CHECK_INT(install(dry, &r), 0);
        CHECK_INT(r.verdict, PLOG_E_FORK);
        CHECK_UINT(r.missing_from, 0);
    }
    CHECK(tree_hash(world_path(&w, "log")) == before);
    CHECK(!world_has(&w, "quarantine"));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"planned beside an archive", planned_beside_an_archive},
        {"never trimmed", never_trimmed},
        {"begun before", begun_before},
        {"beside a file of mine", beside_a_file_of_mine},
        {"led to by the log", led_to_by_the_log},
        {"replayed on the one before", replayed_on_the_one_before},
        {"led to by the archive", led_to_by_the_archive},
        {"no less than there is", no_less_than_there_is},
        {"the first behind the floor", the_first_behind_the_floor},
        {"a part of what is lost", a_part_of_what_is_lost},
        {"undone when trimmed", undone_when_trimmed},
        {"of two histories, mixed", of_two_histories_mixed},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
