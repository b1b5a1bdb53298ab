/*
 * test_below_floor.c - what is said of entries below the floor leads out, and
 * not to the command that has just failed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "peers.h"
#include "world.h"

static struct world w;
static struct plog_error err;

/* Two floors: the older one, and the present one. */
static void make(uint64_t *older, uint64_t *floor)
{
    struct plog_compact_report r;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 60);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 30), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    *older = r.to;
    CHECK_INT(peers_ack(&w, "p", 55), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    *floor = r.to;
    CHECK(*floor > *older && *older > 5);
    memset(&err, 0, sizeof err);
}

static int restore(uint64_t at)
{
    static int next;
    struct plog_restore_options o = {.struct_size = sizeof o, .at_seq = at};
    struct plog_restore_report r;
    char out[600];
    snprintf(out, sizeof out, "%.500s-out%d", w.dir, next++);
    memset(&err, 0, sizeof err);
    return plog_restore(w.dir, out, &o, &r, &err);
}

static int skip(void *arg, const char *text, size_t len)
{
    (void)arg, (void)text, (void)len;
    return 0;
}

static int prove(uint64_t seq)
{
    struct plog_prove_options o = {.struct_size = sizeof o, .out = skip};
    memset(&err, 0, sizeof err);
    return plog_prove(w.dir, seq, &o, &err);
}

static const char lost[] = "archive/ does not have it any more";

static void without_its_archive(void)
{
    uint64_t older, floor;
    make(&older, &floor);
    CHECK_INT(restore(older - 1), 0);
    CHECK_INT(prove(5), 0);
    /* Its beginning. */
    CHECK_INT(unlink(world_path(&w, "archive/00000000000000000001.jsonl.gz")),
              0);
    CHECK_INT(restore(older - 1), PLOG_E_PRUNED);
    CHECK(strncmp(err.message, "archive/ begins at entry", 24) == 0);
    CHECK(strncmp(err.hint, lost, strlen(lost)) == 0);
    /* All of it. */
    world_remove(world_path(&w, "archive"));
    CHECK_INT(restore(older - 1), PLOG_E_PRUNED);
    CHECK(strncmp(err.hint, lost, strlen(lost)) == 0);
    CHECK_INT(prove(5), PLOG_E_PRUNED);
    CHECK(strncmp(err.hint, lost, strlen(lost)) == 0);
    world_end(&w, world_size(&w));
}

static void without_its_snapshot(void)
{
    struct plog_drill_options o = {.struct_size = sizeof o};
    struct plog_drill_report r;
    uint64_t older, floor;
    char want[64];
    make(&older, &floor);
    world_remove(world_path(&w, "snapshots"));
    snprintf(want, sizeof want, "snapshots/%020llu.jsonl.gz is missing",
             (unsigned long long)floor);
    CHECK_INT(restore(0), PLOG_E_PRUNED);
    CHECK(strstr(err.message, want) != NULL);
    CHECK(strncmp(err.hint, "run: paritylog compact DIR", 26) == 0);
    memset(&err, 0, sizeof err);
    CHECK_INT(plog_drill(w.dir, &o, &r, &err), PLOG_E_PRUNED);
    CHECK(strstr(err.message, want) != NULL);
    CHECK_INT(peers_compact(&w, NULL), 0); /* as it says */
    CHECK_INT(restore(0), 0);
    world_end(&w, world_size(&w));
}

/* ---- Redacting ----------------------------------------------------------- */

static bool advises_undo(uint64_t seq)
{
    static const char other[] = "no undo brings it back";
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "r"};
    struct plog_redact_report r;
    memset(&err, 0, sizeof err);
    CHECK_INT(plog_redact(w.dir, seq, &o, &r, &err), PLOG_E_PRUNED);
    bool undo = strstr(err.hint, "compact DIR --undo") != NULL;
    CHECK(undo != (strncmp(err.hint, other, strlen(other)) == 0));
    CHECK(strlen(err.hint) < sizeof err.hint - 1);
    return undo;
}

static void redacting(void)
{
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "r"};
    struct plog_redact_report r;
    uint64_t older, floor;
    make(&older, &floor);
    CHECK(!advises_undo(5)); /* one undo goes back to the older floor */
    CHECK(advises_undo(older + 1));
    CHECK_INT(peers_undo(&w, NULL), 0);
    CHECK(!advises_undo(5));
    CHECK_INT(plog_redact(w.dir, older + 1, &o, &r, &err), 0);
    world_end(&w, world_size(&w));
    make(&older, &floor);
    world_remove(world_path(&w, "archive"));
    CHECK(!advises_undo(older + 1));
}

/* ---- Without a store ----------------------------------------------------- */

static void the_status(void)
{
    struct plog_options o = {.struct_size = sizeof o};
    struct plog_status s;
    uint64_t older, floor;
    make(&older, &floor);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(plog_read_status(w.dir, &o, &s, NULL), 0);
        CHECK_INT(s.has_store, i == 0);
        CHECK_UINT(s.floor, floor);
        CHECK_UINT(s.below_floor, 0);
        world_drop_store(&w);
    }
}

static bool locked;
static unsigned opened[2]; /* segments, by whether the lock was held */

static int on_lock(void *ctx, int fd, int mode)
{
    int rc = plog_io_posix()->lock(ctx, fd, mode);
    locked = rc == 0 ? mode != 0 : locked;
    return rc;
}

static int on_open(void *ctx, int dir, const char *path, int flags,
                   uint32_t mode)
{
    opened[locked] += strstr(path, ".jsonl") != NULL;
    return plog_io_posix()->open_at(ctx, dir, path, flags, mode);
}

/* The floor is looked for in all of the log, and nobody waits for that. */
static void the_lock_of_the_status(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_options o = {.struct_size = sizeof o, .io = &io};
    struct plog_status s;
    uint64_t older, floor;
    make(&older, &floor);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 60, 120);
    world_close(&w);
    world_drop_store(&w);
    io.lock = on_lock;
    io.open_at = on_open;
    opened[0] = opened[1] = 0;
    CHECK_INT(plog_read_status(w.dir, &o, &s, NULL), 0);
    CHECK_UINT(s.floor, floor);
    CHECK(s.segments > 4);
    CHECK(opened[1] > 0 && opened[1] <= 2);
    CHECK_UINT(opened[0], s.segments);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"without its archive", without_its_archive},
        {"without its snapshot", without_its_snapshot},
        {"redacting", redacting},
        {"the status", the_status},
        {"the lock of the status", the_lock_of_the_status},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
