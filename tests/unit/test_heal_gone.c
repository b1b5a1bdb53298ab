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

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"planned beside an archive", planned_beside_an_archive},
        {"never trimmed", never_trimmed},
        {"begun before", begun_before},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
