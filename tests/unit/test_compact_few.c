/*
 * test_compact_few.c - compactions of a log of some ten entries: who holds the
 * floor, ids that go from snapshot to snapshot, one made anew on the one
 * before, the folder they lie in, and an archive of another history.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "peers.h"
#include "world.h"

static struct world w;
static struct plog_compact_report report;
static struct plog_error err;

/* `count` more entries, with an id each, and a new segment behind them. */
static void put_segment(const char *value, int count)
{
    static int ids;
    char id[16], record[8];
    uint64_t first;
    CHECK_INT(world_open(&w), 0);
    for (int i = 0; i < count; i++) {
        snprintf(id, sizeof id, "id-%d", ids++);
        snprintf(record, sizeof record, "r%d", i);
        CHECK_INT(world_put(&w, id, record, value, NULL), 0);
    }
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    world_close(&w);
}

static void ack_all(void)
{
    CHECK_INT(peers_ack(&w, "p", world_size(&w)), 0);
}

/* Entries 1 to 5, of which peer `p` has all; segments at 1 and 6. */
static void make(void)
{
    world_make(&w, PLOG_ARRIVAL, 0);
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    put_segment("a", 3);
    ack_all();
}

static int compact_with(struct plog_compact_options o)
{
    o.struct_size = sizeof o;
    memset(&err, 0, sizeof err);
    return plog_compact(w.dir, &o, &report, &err);
}

/* ---- Who holds the floor -------------------------------------------------
 */

static void the_holder(void)
{
    make();
    CHECK_INT(peers_add(&w, "slow one"), 0);
    CHECK_INT(peers_compact(&w, &report), 0);
    CHECK_UINT(report.to, 0);
    CHECK_TEXT(report.holder, "slow one");
    CHECK_TEXT(report.why, "peer slow one has acknowledged nothing yet");
    CHECK_INT(peers_ack(&w, "slow one", 6), 0);
    CHECK_INT(peers_compact(&w, &report), 0);
    CHECK_UINT(report.to, 5);
    CHECK_TEXT(report.holder, "p");
    CHECK_UINT(report.holder_cursor, 5);
    world_end(&w, 7);
}

/* The segments that went lie in log/ again, brought from a copy: the floor is
 * where it was, and goes no way back to a peer that stands below it. */
static void brought_back(void)
{
    char copy[600], from[700], to[700];
    make();
    put_segment("b", 3); /* 6 to 8 */
    CHECK_INT(peers_ack(&w, "p", 8), 0);
    snprintf(copy, sizeof copy, "%.500s-copy", w.dir);
    world_copy(w.dir, copy);
    CHECK_INT(compact_with((struct plog_compact_options){.dry_run = false}), 0);
    CHECK_UINT(report.to, 8);
    CHECK_UINT(report.segments, 2);
    for (int first = 1; first <= 6; first += 5) {
        snprintf(from, sizeof from, "%s/log/%020d.jsonl", copy, first);
        snprintf(to, sizeof to, "%s/log/%020d.jsonl", w.dir, first);
        world_copy(from, to);
    }
    CHECK_INT(peers_add(&w, "late"), 0);
    CHECK_INT(peers_ack(&w, "late", 6), 0);
    for (int dry = 1; dry >= 0; dry--) {
        CHECK_INT(compact_with((struct plog_compact_options){.dry_run = dry}),
                  0);
        CHECK_UINT(report.from, 8);
        CHECK_UINT(report.to, 8);
        CHECK_UINT(report.entries, 0);
        CHECK_UINT(report.segments, 0);
        CHECK_UINT(report.bytes, 0);
        CHECK_UINT(report.peers, 2);
        CHECK_TEXT(report.holder, "late");
        CHECK_UINT(report.holder_cursor, 6);
        CHECK_TEXT(report.why,
                   "no sealed segment ends at or below entry 6, up to which"
                   " peer late has received the log");
    }
    CHECK_UINT(peers_floor(&w), 8);
}

/* ---- Snapshot upon snapshot ----------------------------------------------
 */

/* Three compactions; the names of the snapshots. */
static void compact_again(char name[3][64])
{
    make();
    for (int i = 0; i < 3; i++) {
        CHECK_INT(peers_compact(&w, &report), 0);
        CHECK_UINT(report.ids, 3 * (unsigned)(i + 1));
        snprintf(name[i], 64, "%s", report.snapshot);
        put_segment("b", 3);
        ack_all();
    }
}

/* Of all that lie below, however far. */
static void old_ids(void)
{
    struct plog_replay_report replayed;
    struct plog_replay_options fresh = {.struct_size = sizeof fresh,
                                        .fresh = true};
    char name[3][64];
    compact_again(name);
    CHECK_INT(plog_replay(w.dir, &fresh, &replayed, NULL), 0);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM old_ids"), 9);
    world_end(&w, world_size(&w));
}

/* The archive has lost what lies below the first floor: the second snapshot
 * comes back on the first one. */
static void on_the_one_before(void)
{
    char name[3][64];
    compact_again(name);
    CHECK_INT(unlink(world_path(&w, "archive/00000000000000000001.jsonl.gz")),
              0);
    CHECK_INT(unlink(world_path(&w, name[2])), 0);
    CHECK(world_has(&w, name[1]));
    CHECK_INT(peers_compact(&w, &report), 0);
    CHECK(report.remade);
    CHECK(world_has(&w, name[2]));
    world_end(&w, world_size(&w));
}

/* ---- The folder ----------------------------------------------------------
 */

/* A look at a log without it makes none. */
static void only_looked_for(void)
{
    struct world_found f;
    make();
    CHECK_INT(peers_compact(&w, &report), 0);
    world_remove(world_path(&w, "snapshots"));
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_PRUNED);
    CHECK(!world_has(&w, "snapshots"));
    CHECK_INT(peers_compact(&w, &report), 0);
    CHECK(report.remade);
    world_end(&w, world_size(&w));
}

static int made_in; /* the handle below which it was made just now; -1: none */

static int on_mkdir(void *ctx, int dir, const char *name, uint32_t mode)
{
    int rc = plog_io_posix()->mkdir_at(ctx, dir, name, mode);
    if (!rc && strcmp(name, "snapshots") == 0)
        made_in = dir;
    return rc;
}

static int on_fsync(void *ctx, int fd)
{
    return fd == made_in ? -EIO : plog_io_posix()->fsync(ctx, fd);
}

/* Its name is on disk before anything is put into it. */
static void made_and_synced(void)
{
    struct plog_io io = *plog_io_posix();
    make();
    io.mkdir_at = on_mkdir;
    io.fsync = on_fsync;
    made_in = -1;
    CHECK_INT(compact_with((struct plog_compact_options){.io = &io}),
              PLOG_E_IO);
    CHECK(made_in >= 0);
    if (!CHECK(strstr(err.message, "making the folder") != NULL))
        printf("# %s\n", err.message);
    CHECK_UINT(peers_floor(&w), 0);
    CHECK_INT(peers_compact(&w, &report), 0);
    CHECK_UINT(report.to, 5);
    world_end(&w, world_size(&w));
}

/* ---- Another history ------------------------------------------------------
 */

/* Copies of one log went on apart: what the archive of the other one gives is
 * signed by the same key and good in itself. */
static void of_another_history(void)
{
    char other[600], from[700];
    static const char name[] = "archive/00000000000000000001.jsonl.gz";
    world_make(&w, PLOG_ARRIVAL, 0);
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    snprintf(other, sizeof other, "%.500s-other", w.dir);
    world_copy(w.dir, other);
    put_segment("a", 3);
    ack_all();
    CHECK_INT(peers_compact(&w, &report), 0);
    CHECK_UINT(report.to, 5);
    struct world here = w;
    snprintf(w.dir, sizeof w.dir, "%.500s", other);
    put_segment("b", 3);
    ack_all();
    CHECK_INT(peers_compact(&w, &report), 0);
    CHECK_UINT(report.to, 5);
    snprintf(from, sizeof from, "%s/%s", other, name);
    w = here;
    world_remove(world_path(&w, name));
    world_copy(from, world_path(&w, name));
    CHECK_INT(compact_with((struct plog_compact_options){.undo = true}),
              PLOG_E_CORRUPT);
    CHECK_TEXT(err.message,
               "what the archive gives back is not what was taken");
    CHECK(!report.undone);
    CHECK_UINT(peers_floor(&w), 5);
    CHECK(!world_has(&w, "log/00000000000000000001.jsonl"));
    world_end(&w, 6);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"the holder", the_holder},
        {"brought back", brought_back},
        {"old ids", old_ids},
        {"on the one before", on_the_one_before},
        {"only looked for", only_looked_for},
        {"made and synced", made_and_synced},
        {"of another history", of_another_history},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
