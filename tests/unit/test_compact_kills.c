/*
 * test_compact_kills.c - a compaction killed at every call that changes
 * something on disk: one floor or the other, and nothing above it lost.
 */
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "killing.h"
#include "peers.h"

struct job {
    struct world *w;
    struct plog_compact_options o;
};

static int act(void *arg, const struct plog_io *io)
{
    struct job *j = arg;
    struct plog_compact_report r;
    j->o.io = io;
    j->o.struct_size = sizeof j->o;
    j->o.wait_seconds = 0.5;
    return plog_compact(j->w->dir, &j->o, &r, NULL);
}

/* Whatever was cut off: one floor or the other, no difference, nothing above
 * the floor lost; and the same again finishes. */
static void judge(struct world *w, struct job *j, uint64_t old, uint64_t new,
                  uint64_t size, unsigned *before, unsigned *after)
{
    plog_reader *reader;
    uint64_t last = 0;
    CHECK_INT(world_open(w), 0);
    world_close(w);
    CHECK_INT(peers_parity(w), 0);
    uint64_t floor = peers_floor(w);
    CHECK(floor == old || floor == new);
    *before += floor == old;
    *after += floor == new;
    CHECK_INT(plog_reader_open(&reader, w->dir, NULL, NULL), 0);
    CHECK_INT(
        plog_reader_log(reader, floor + 1, 0, peers_count_line, &last, NULL),
        0);
    plog_reader_close(reader);
    CHECK(last >= size);
    int rc = act(j, NULL);
    CHECK(rc == 0 || (j->o.undo && rc == PLOG_E_INPUT && floor == new));
    CHECK_UINT(peers_floor(w), new);
    CHECK(!world_has(w, "snapshots/fold.db"));
    CHECK_INT(peers_parity(w), 0);
}

/* Every n-th call only, from where the seed says; with STORM_ALL every one, and
 * KILL_EVERY times fewer. */
static void killed(struct world *base, struct plog_compact_options o,
                   uint64_t old, uint64_t new, long stride, bool twice)
{
    struct world w = *base;
    struct job j = {&w, o};
    uint64_t size = world_size(base);
    unsigned before = 0, after = 0;
    bool again = true;
    const char *fewer = getenv("KILL_EVERY");
    if (getenv("STORM_ALL"))
        stride = 1;
    if (fewer)
        stride *= strtol(fewer, NULL, 10);
    long n = 1 + (long)(check_seed() % (uint64_t)stride);
    unsigned kills = 0;
    for (; again && n < 3000; n += stride) {
        snprintf(w.dir, sizeof w.dir, "%.400s-%ld", base->dir, n);
        world_copy(base->dir, w.dir);
        again = killing_run(n, act, &j);
        if (again && twice) /* and the recovery is killed, too */
            killing_run(1 + (n * 7) % 60, act, &j);
        judge(&w, &j, old, new, size, &before, &after);
        world_remove(w.dir);
        kills += again;
    }
    CHECK(!again);
    printf("# %u kills in some %ld calls: %u with the old floor, %u with the"
           " new one\n",
           kills, n, before, after);
    CHECK(8 * before > kills && 8 * after > kills);
}

static void killed_everywhere(void)
{
    struct world w;
    struct plog_compact_report r;
    struct plog_compact_options plain = {.struct_size = 0};
    peers_make(&w, PLOG_MERGE_JSON, 36);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 30), 0);
    CHECK_INT(peers_compact_with(
                  &w, (struct plog_compact_options){.dry_run = true}, &r),
              0);
    killed(&w, plain, 0, r.to, 3, false);
    killed(&w, plain, 0, r.to, 5, true);
    world_end(&w, world_size(&w));
}

static void killed_on_top(void)
{
    struct world w;
    struct plog_compact_report r;
    struct plog_compact_options trims = {.trim_store = true},
                                undoes = {.undo = true};
    peers_make(&w, PLOG_LAST_WRITE_WINS, 50);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 20), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    uint64_t first = r.to;
    CHECK_INT(peers_ack(&w, "p", 45), 0);
    CHECK_INT(peers_compact_with(
                  &w, (struct plog_compact_options){.dry_run = true}, &r),
              0);
    killed(&w, trims, first, r.to, 5, false);
    CHECK_INT(peers_compact(&w, &r), 0);
    killed(&w, undoes, r.to, first, 2, false);
    world_end(&w, world_size(&w));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"killed at each call", killed_everywhere},
        {"killed on top of another", killed_on_top},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
