/*
 * crash_log.c - crashes of a longer life: segments that end, groups of many
 * blocks, checkpoints of the store, closing and opening, control entries; and
 * the same life with a sync or a write that fails.
 *
 * A sync that failed has lost what it was to write, although reads go on
 * showing it: the process must stop writing, and opening again on the same
 * machine must not make the store durable ahead of the log.  Every crash behind
 * the failure is judged.
 *
 * STORM_BUDGET (seconds, 10): as many lives, drawn by the seed, as fit, and of
 * each one operation in eight and a few failures; STORM_ROUNDS: so many lives,
 * with every operation and every sync and write failing once.  STORM_FAULT,
 * as `sync 11`: that one of each life alone.  CHECK_SEED.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "oracle.h"
#include "world.h"

#define STEPS 9
#define MOST 4       /* deltas in a group */
#define TEXT 2600    /* bytes of a delta */
#define SEGMENT 4096 /* so that a few groups fill one */
#define FAILED 4     /* syncs and writes of a life, in the short form */
#define MINUTE 61000000000

static struct oracle_counts counts;
static uint64_t seed;
static unsigned long rounds, lives, failures, poisoned, reopened;

/* ---- A life ------------------------------------------------------------- */

struct life {
    struct oracle *o;
    uint64_t draw; /* the same numbers for a run and its twin */
    int failed;
};

static unsigned draw(struct life *l, unsigned below)
{
    return (unsigned)(check_random(&l->draw) % below);
}

static int append_some(struct life *l, unsigned step)
{
    static char texts[MOST][TEXT];
    static char payload[TEXT - 400];
    const char *group[MOST];
    unsigned count = 1 + draw(l, MOST);
    for (unsigned i = 0; i < count; i++) {
        char id[24], record[16];
        size_t n = draw(l, 4) ? draw(l, 60) : draw(l, 1900);
        bool gone = draw(l, 5) == 0;
        memset(payload, 'x', sizeof payload);
        memcpy(payload, "{\"v\":\"", 6);
        memcpy(payload + 6 + n, "\"}", 3);
        snprintf(id, sizeof id, "i%u-%u", step, i);
        snprintf(record, sizeof record, "r%u", draw(l, 4));
        struct world_delta d = {.id = draw(l, 2) ? id : NULL,
                                .record = record,
                                .op = gone ? "delete" : "upsert",
                                .payload = gone ? "null" : payload};
        group[i] = world_text(texts[i], sizeof texts[i], &d);
    }
    return oracle_append(l->o, group, count);
}

static int control(struct life *l)
{
    struct oracle *o = l->o;
    size_t began = o->sim.history.count;
    enum plog_strategy s = draw(l, 2) ? PLOG_ARRIVAL : PLOG_MERGE_JSON;
    return oracle_ended(o, began, plog_set_strategy(o->p, s, NULL, NULL));
}

/* Closes, opens; a failure of opening ends the life, and poisons nothing. */
static int again(struct life *l)
{
    struct plog_options options = {.struct_size = sizeof options,
                                   .io = &l->o->sim.io};
    oracle_close(l->o);
    return plog_open(&l->o->p, ORACLE_DIR, &options, NULL);
}

/* The library checkpoints the store when a minute has passed. */
static int step(struct life *l, unsigned i)
{
    unsigned what = draw(l, 10);
    if (what == 0)
        return again(l);
    if (what == 1)
        return control(l);
    if (what < 4)
        l->o->sim.now_ns += MINUTE;
    return append_some(l, i);
}

/* Lives until the end, or until a call fails. */
static void live(struct oracle *o, uint64_t number)
{
    struct life l = {.o = o, .draw = number};
    int rc = again(&l);
    for (unsigned i = 0; !rc && i < STEPS; i++)
        rc = step(&l, i);
    CHECK(rc == 0 || o->twin);
    l.failed = rc;
}

static void begin(struct oracle *o, const char *name, uint64_t number)
{
    oracle_begin(o, name, NULL, number, &counts);
    o->breadth = (struct sim_breadth){4, 8, 16};
    o->op_every = rounds ? 1 : 8;
    o->again_every = 64;
    o->parity_every = 64;
    o->twice_every = 8;
    o->sim.recording = false;
    oracle_init(o, PLOG_LAST_WRITE_WINS, SEGMENT);
    o->calls[0].began = o->calls[0].done = 0;
    sim_image_free(&o->start);
    sim_image_copy(&o->start, &o->sim.cache);
    o->sim.recording = true;
}

/* ---- With a failure ----------------------------------------------------- */

/* What failed is over: a handle that is not poisoned writes on. */
static void append_late(struct oracle *o)
{
    char text[400];
    struct world_delta d = {.record = "late"};
    const char *group[] = {world_text(text, sizeof text, &d)};
    int rc = oracle_append(o, group, 1);
    poisoned += rc == PLOG_E_POISONED;
    CHECK(rc == PLOG_E_POISONED || rc == 0);
}

/* The life of `twin` once more, with its `nth` sync or write failing.  False:
 * it has fewer. */
static bool fail_one(const struct oracle *twin, uint64_t number,
                     enum sim_fault fault, unsigned nth)
{
    char name[80];
    struct oracle o;
    int code = nth % 2 ? EIO : ENOSPC;
    snprintf(name, sizeof name, "life %" PRIu64 ", %s %u fails", number,
             fault == SIM_FAIL_SYNC ? "sync" : "write", nth);
    begin(&o, name, number);
    o.breadth = (struct sim_breadth){3, 4, 24};
    o.twin = twin;
    sim_fail(&o.sim, fault, nth, code);
    live(&o, number);
    bool reached = o.sim.faulted;
    size_t failed_at = o.sim.history.count;
    if (reached) {
        failures++;
        if (o.p)
            append_late(&o);
        reopened += oracle_reopen(&o) == 0;
        oracle_crash_from(&o, failed_at > 40 ? failed_at - 40 : 0);
    }
    oracle_end(&o);
    return reached;
}

/* Every one; in the short form FAILED of them, drawn. */
static void fail_each(const struct oracle *twin, uint64_t number)
{
    uint64_t draw = number;
    const char *one = getenv("STORM_FAULT");
    unsigned nth = 0;
    if (one && sscanf(one, "sync %u", &nth) == 1)
        fail_one(twin, number, SIM_FAIL_SYNC, nth);
    else if (one && sscanf(one, "write %u", &nth) == 1)
        fail_one(twin, number, SIM_FAIL_WRITE, nth);
    for (int kind = SIM_FAIL_SYNC; !one && kind <= SIM_FAIL_WRITE; kind++) {
        enum sim_fault fault = (enum sim_fault)kind;
        for (unsigned n = 1; rounds && fail_one(twin, number, fault, n); n++)
            ;
        for (unsigned i = 0; !rounds && i < FAILED; i++)
            fail_one(twin, number, fault,
                     1 + (unsigned)(check_random(&draw) % 20));
    }
}

/* ---- The storm ---------------------------------------------------------- */

static void storm(void)
{
    const char *budget = getenv("STORM_BUDGET");
    double began = world_seconds();
    double until = began + (budget ? strtod(budget, NULL) : 10);
    uint64_t number = seed * 1000;
    do {
        struct oracle o;
        begin(&o, "life", ++number);
        live(&o, number);
        oracle_close(&o);
        if (!getenv("STORM_FAULT"))
            oracle_crash_all(&o);
        fail_each(&o, number);
        oracle_end(&o);
        lives++;
    } while (rounds ? lives < rounds : world_seconds() < until);
    oracle_report(&counts, "crashes", world_seconds() - began);
    printf("# %lu lives, seed %" PRIu64 "; %lu syncs and writes failed: %lu"
           " handles poisoned, %lu opened again on the same machine\n",
           lives, seed, failures, poisoned, reopened);
    CHECK_UINT(counts.broken, 0);
    CHECK(failures > 0 && reopened > 0);
    CHECK(!rounds || (counts.torn > 0 && poisoned > 0));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"crashes of a longer life, and of one with a failure", storm}};
    const char *given = getenv("STORM_ROUNDS");
    rounds = given ? strtoul(given, NULL, 10) : 0;
    seed = check_seed();
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
