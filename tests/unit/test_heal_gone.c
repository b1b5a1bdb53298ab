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

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"planned beside an archive", planned_beside_an_archive},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
