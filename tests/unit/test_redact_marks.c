/*
 * test_redact_marks.c - what the store says is pending, where files move: all
 * orders, on disk, before one that may have a payload goes to quarantine/, and
 * nothing where none goes; and what a store that is made anew knows of it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "peers.h"
#include "redacting.h"
#include "sql_calls.h"
#include "world.h"

#define PACKED "archive/00000000000000000001.jsonl.gz"
#define PAYLOAD "\"v\":\"v0\"" /* of entry 2, on which r0 stands */

static struct world w;
static struct plog_error err;
static char old[600]; /* the directory, compacted before the order; and in it
                       * log.before, its log before that */
static char snapshot[600]; /* at its floor */

static void open_once(void)
{
    CHECK_INT(world_open(&w), 0);
    world_close(&w);
}

static int compact(void)
{
    struct plog_compact_report r;
    struct plog_compact_options o = {.struct_size = sizeof o};
    err = (struct plog_error){.code = 0};
    return plog_compact(w.dir, &o, &r, &err);
}

static int in_quarantine(void)
{
    return redacting_count(&w, "quarantine", PAYLOAD);
}

/* Entry `seq` is redacted, and below the floor; `old` has the same floor, and
 * all of the payload. */
static void make_of(uint64_t seq)
{
    struct plog_redact_report r;
    peers_make(&w, PLOG_KEEP_LOCAL, 60);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 40), 0);
    snprintf(old, sizeof old, "%.500s-old", w.dir);
    world_copy(w.dir, old);
    snprintf(snapshot, sizeof snapshot, "%.500s/log.before", old);
    world_copy(world_path(&w, "log"), snapshot);
    struct world before = w;
    memcpy(before.dir, old, sizeof before.dir);
    CHECK_INT(peers_compact(&before, &(struct plog_compact_report){0}), 0);
    CHECK_INT(redacting_order(&w, seq, &r, &err), 0);
    CHECK_INT(compact(), 0);
    REQUIRE(peers_floor(&w) > seq && peers_floor(&w) == peers_floor(&before));
    snprintf(snapshot, sizeof snapshot, "snapshots/%020d.jsonl.gz",
             (int)peers_floor(&w));
    open_once();
    REQUIRE(redacting_pending(&w) == 0);
}

static void make(void)
{
    make_of(2);
}

static void done(void)
{
    CHECK_INT(in_quarantine(), 0);
    CHECK_INT(redacting_pending(&w), 0);
    CHECK_INT(peers_parity(&w), 0);
    world_end(&w, world_size(&w));
    world_remove(old);
}

/* ---- Where nothing goes -------------------------------------------------- */

/* How often a compaction, which comes to `code`, writes the store anew. */
static unsigned vacuums_of_a_compaction(int code)
{
    sql_calls_count("VACUUM");
    CHECK_INT(compact(), code);
    return sql_calls_counted();
}

/* What has the name of the snapshot, or of an archived segment, is the same
 * file: what is done stays done. */
static void undone_and_compacted_again(void)
{
    make();
    CHECK_INT(peers_undo(&w, &(struct plog_compact_report){0}), 0);
    CHECK_INT(redacting_pending(&w), 0);
    CHECK_UINT(vacuums_of_a_compaction(0), 0);
    CHECK_INT(redacting_pending(&w), 0);
    CHECK(!world_has(&w, "quarantine"));
    done();
}

/* The order is below the floor, too, archive/ was discarded, and a file of
 * somebody else lies in quarantine/: nothing could say that it is done. */
static void make_with_a_bystander(void)
{
    struct plog_compact_report r;
    make();
    CHECK_INT(peers_ack(&w, "p", world_size(&w)), 0);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 60, 90);
    world_close(&w);
    CHECK_INT(peers_ack(&w, "p", world_size(&w) - 20), 0);
    CHECK_INT(peers_trim(&w, &r), 0);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 90, 120);
    world_close(&w);
    CHECK_INT(mkdir(world_path(&w, "quarantine"), 0700), 0);
    world_write(world_path(&w, "quarantine/note"), "x\n", 2);
    world_remove(world_path(&w, "archive"));
    CHECK_INT(peers_ack(&w, "p", world_size(&w) - 20), 0);
    CHECK_INT(compact(), 0);
    CHECK_INT(redacting_pending(&w), 0);
}

static void with_a_bystander(void)
{
    make_with_a_bystander();
    CHECK_INT(peers_undo(&w, &(struct plog_compact_report){0}), 0);
    CHECK_INT(compact(), 0);
    CHECK_INT(redacting_pending(&w), 0);
    done();
}

/* ---- What is kept -------------------------------------------------------- */

/* The store's pages were emptied once; each compaction looks again. */
static void kept_for_a_bystander(void)
{
    make_with_a_bystander();
    world_sql(&w, "UPDATE redactions SET pending=1"); /* as a salvage does */
    open_once();
    CHECK_INT(redacting_pending(&w), 1);
    CHECK_UINT(vacuums_of_a_compaction(0), 0);
    CHECK_INT(redacting_pending(&w), 1);
    world_remove(world_path(&w, "quarantine"));
    CHECK_UINT(vacuums_of_a_compaction(0), 0);
    CHECK_INT(redacting_pending(&w), 0);
    done();
}

/* What lies in quarantine/ is taken out all the same. */
static void kept_for_the_archive(void)
{
    char from[700];
    make();
    world_take(&w, old, PACKED);
    CHECK_INT(redacting_order(&w, 2, &(struct plog_redact_report){0}, &err),
              PLOG_E_PRUNED);
    CHECK_INT(mkdir(world_path(&w, "quarantine"), 0700), 0);
    snprintf(from, sizeof from, "%s/log.before", old);
    world_copy(from, world_path(&w, "quarantine/a-copy"));
    CHECK_INT(in_quarantine(), 1);
    CHECK_UINT(vacuums_of_a_compaction(PLOG_E_PRUNED), 0);
    CHECK_INT(in_quarantine(), 0);
    CHECK_INT(redacting_pending(&w), 1);
    unlink(world_path(&w, PACKED));
    CHECK_UINT(vacuums_of_a_compaction(0), 0);
    CHECK_INT(redacting_pending(&w), 0);
    done();
}

/* ---- What a replay sets aside -------------------------------------------- */

static int no_new_store(void *ctx, int dir, const char *name, uint32_t mode)
{
    return strcmp(name, "store.new") == 0
               ? -EIO
               : plog_io_posix()->mkdir_at(ctx, dir, name, mode);
}

/* The snapshot is the older one: it is made anew, and the other one is looked
 * through by the next opening, be the replay killed behind the move. */
static void a_stale_snapshot(void)
{
    for (int killed = 0; killed < 2; killed++) {
        struct plog_io io = *plog_io_posix();
        struct plog_replay_report r;
        struct plog_replay_options o = {
            .struct_size = sizeof o, .io = &io, .fresh = true};
        make();
        world_take(&w, old, snapshot);
        if (killed)
            io.mkdir_at = no_new_store;
        CHECK_INT(plog_replay(w.dir, &o, &r, &err), killed ? PLOG_E_IO : 0);
        CHECK(r.remade);
        CHECK_INT(in_quarantine(), 1);
        CHECK_INT(redacting_pending(&w), 1);
        open_once();
        done();
    }
}

/* As an undo does at its end, and `rebuild --store --install`. */
static void rebuilt_with_it(void)
{
    struct plog_rebuild_options o = {.struct_size = sizeof o, .install = true};
    struct plog_rebuild_report r;
    make();
    world_take(&w, old, snapshot);
    CHECK_INT(plog_rebuild_store(w.dir, NULL, &o, &r, &err), 0);
    CHECK_INT(r.verdict, 0);
    open_once();
    done();
}

/* One that is as it was moves nothing, and what is done stays done. */
static void replayed_in_peace(void)
{
    make();
    CHECK_INT(redacting_fresh(&w), 0);
    CHECK_INT(redacting_pending(&w), 0);
    done();
}

/* ---- What a new store knows ---------------------------------------------- */

static void make_anew(int fresh, uint64_t seq)
{
    struct plog_redact_report r;
    struct plog_replay_report replayed;
    if (fresh)
        CHECK_INT(redacting_order(&w, seq, &r, &err), PLOG_E_PRUNED);
    else
        world_drop_store(&w);
    CHECK_INT(fresh ? redacting_fresh(&w)
                    : plog_replay(w.dir, NULL, &replayed, &err),
              0);
}

/* archive/ has a payload whole: that is told, and holds up compactions, whoever
 * made the store, and whether that has the line or let it go.  Nothing stands
 * on entry 9. */
static void whole_in_the_archive(void)
{
    static const uint64_t seqs[] = {2, 9};
    for (int i = 0; i < 4; i++) {
        uint64_t seq = seqs[i % 2];
        make_of(seq);
        world_take(&w, old, PACKED);
        make_anew(i / 2, seq);
        REQUIRE(world_number(&w, "SELECT count(*) FROM events WHERE seq=9") ==
                0);
        open_once();
        CHECK_INT(redacting_pending(&w), 1);
        CHECK_INT(compact(), PLOG_E_PRUNED);
        CHECK_TEXT(err.file, PACKED);
        CHECK_UINT(err.seq, seq);
        CHECK_INT(redacting_pending(&w), 1);
        unlink(world_path(&w, PACKED));
        if (world_has(&w, "quarantine")) /* nothing tells of entry 9 then */
            world_remove(world_path(&w, "quarantine"));
        CHECK_INT(compact(), 0);
        CHECK_INT(redacting_pending(&w), 0);
        world_end(&w, world_size(&w));
        world_remove(old);
    }
}

static int stop(void *arg, const struct plog_progress *p)
{
    (void)arg, (void)p;
    return 1;
}

/* Stopped, or killed, when all is applied and before anything is marked: the
 * next one finds nothing to apply, and no store that says that all is done.
 * Nor where a file without tables had its name. */
static void stopped_at_its_end(bool empty)
{
    char from[700];
    struct plog_replay_report r;
    struct plog_replay_options o = {.struct_size = sizeof o, .progress = stop};
    make();
    CHECK_INT(peers_undo(&w, &(struct plog_compact_report){0}), 0);
    CHECK_INT(mkdir(world_path(&w, "quarantine"), 0700), 0);
    snprintf(from, sizeof from, "%s/log.before", old);
    world_copy(from, world_path(&w, "quarantine/a-copy"));
    world_drop_store(&w);
    if (empty)
        world_write(world_path(&w, "store.db"), "", 0);
    CHECK_INT(plog_replay(w.dir, &o, &r, &err), PLOG_E_INTERRUPTED);
    CHECK_INT(plog_replay(w.dir, NULL, &r, &err), 0);
    CHECK(!r.fresh);
    CHECK(empty == (strncmp(r.quarantine, "quarantine/store.db-", 20) == 0));
    CHECK_INT(redacting_pending(&w), 1);
    open_once();
    done();
}

static void stopped_without_a_store(void)
{
    stopped_at_its_end(false);
}

static void stopped_over_an_empty_file(void)
{
    stopped_at_its_end(true);
}

/* A store of before entry and order is put back, and comes to an order that the
 * log has carried out: the newer one's mark for the copy that came meanwhile is
 * lost.  Whoever brings it up to the log says so in the same transaction. */
static void an_older_store(void)
{
    char first[] = "log/00000000000000000001.jsonl", db[600];
    size_t n, had_n;
    for (int replay = 0; replay < 2; replay++) {
        world_make(&w, PLOG_KEEP_LOCAL, 0);
        world_close(&w);
        snprintf(db, sizeof db, "%.500s/store.db", w.dir);
        char *store = world_read(db, &n);
        CHECK_INT(world_open(&w), 0);
        peers_put(&w, 0, 6);
        world_close(&w);
        char *had = world_read(world_path(&w, first), &had_n);
        REQUIRE(memmem(had, had_n, PAYLOAD, strlen(PAYLOAD)) != NULL);
        CHECK_INT(redacting_order(&w, 2, &(struct plog_redact_report){0}, &err),
                  0);
        CHECK_INT(mkdir(world_path(&w, "quarantine"), 0700), 0);
        world_write(world_path(&w, "quarantine/copy"), had, had_n);
        world_drop_store(&w);
        world_write(db, store, n);
        free(store);
        free(had);
        struct plog_replay_options o = {.struct_size = sizeof o,
                                        .progress = stop};
        struct plog_replay_report report;
        if (replay) {
            CHECK_INT(plog_replay(w.dir, &o, &report, &err),
                      PLOG_E_INTERRUPTED);
            CHECK_INT(redacting_pending(&w), 1);
            CHECK_INT(plog_replay(w.dir, NULL, &report, &err), 0);
        }
        open_once();
        CHECK_INT(in_quarantine(), 0);
        CHECK_INT(redacting_pending(&w), 0);
        CHECK_INT(peers_parity(&w), 0);
        world_end(&w, world_size(&w));
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"undone and compacted again", undone_and_compacted_again},
        {"with a bystander", with_a_bystander},
        {"kept for a bystander", kept_for_a_bystander},
        {"kept for the archive", kept_for_the_archive},
        {"a stale snapshot", a_stale_snapshot},
        {"rebuilt with it", rebuilt_with_it},
        {"replayed in peace", replayed_in_peace},
        {"stopped at its end", stopped_without_a_store},
        {"stopped over an empty file", stopped_over_an_empty_file},
        {"whole in the archive", whole_in_the_archive},
        {"an older store", an_older_store},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
