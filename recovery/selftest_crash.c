/*
 * selftest_crash.c - a log whose writers are killed; see selftest.h.
 *
 * A child appends, begins segments, compacts, and tells over a pipe what it
 * attempts and what was acknowledged.  It is killed with SIGKILL: at a random
 * time; or at its n-th call that changes the disk, of a write with half of it
 * done; or so while it repairs what the kill before left.  Then the parent
 * opens the log, and what must hold is checked (plog_life_judge).
 *
 * The kernel goes on, so what was written and not synced is not lost here; that
 * would need a power cut.
 */
#include <errno.h>
#include <stdio.h>

#include "buf.h"
#include "selftest.h"

enum how { AT_TIME, AT_CALL, IN_REPAIR };
#define HOWS 3

struct tally {
    uint64_t turns, kills, acknowledged, attempted, recovered, fresh;
};

struct crash {
    struct plog_selftest *t;
    struct plog_life life;
    struct plog_faults faults;
    uint64_t at_call; /* for the next child; 0: none */
    struct tally n;   /* of one test */
    bool had_log;
    char why[200];
};

/* ---- The child ---------------------------------------------------------- */

static void say_note(struct plog_life *life)
{
    const struct plog_test_host *h = life->t->host;
    if (h->say(h->ctx, &life->note, sizeof life->note)) /* the parent is gone */
        plog_selftest_wait_for_kill(life->t->io);
}

/* A copy of the life says, at the call, that it is there. */
static int child(void *arg)
{
    struct crash *c = arg;
    struct plog_life_note stopped = {.stopped = 1};
    plog_faults_init(&c->faults, c->t->io);
    c->faults.host = c->t->host;
    c->faults.left = c->at_call;
    c->faults.last_words = &stopped;
    c->faults.last_words_size = sizeof stopped;
    if (c->at_call)
        c->life.io = &c->faults.io;
    c->life.tell = say_note;
    return plog_life_live(&c->life) ? 1 : 0;
}

/* ---- The parent --------------------------------------------------------- */

/* Notes are sent whole.  Returns 1 with one, 0 without, -1 when the child is
 * gone and all was heard. */
static int hear(struct crash *c, int timeout_ms, struct plog_life_note *note)
{
    const struct plog_test_host *h = c->t->host;
    int64_t n = h->hear(h->ctx, note, sizeof *note, timeout_ms);
    return n == (int64_t)sizeof *note ? 1 : n == -EAGAIN ? 0 : -1;
}

/* Listens for `seconds`, or until so many deltas more are acknowledged; or it
 * stopped, or ended by itself.  Returns whether it goes on. */
static bool listen_for(struct crash *c, double seconds, uint64_t deltas)
{
    struct plog_life_note note;
    double until = plog_selftest_clock(c->t) + seconds;
    for (;;) {
        double left = until - plog_selftest_clock(c->t);
        if (left <= 0 || c->life.note.acknowledged >= c->life.deltas + deltas ||
            !plog_selftest_goes_on(c->t, "kill -9", c->n.kills))
            return true;
        int rc = hear(c, left > 0.05 ? 50 : (int)(left * 1e3) + 1, &note);
        if (rc < 0)
            return false;
        if (rc > 0 && note.stopped) {
            c->life.note.stopped = 1;
            return false;
        }
        if (rc > 0)
            c->life.note = note;
    }
}

/* Kills it, and hears what it had said before. */
static void end(struct crash *c)
{
    const struct plog_test_host *h = c->t->host;
    struct plog_life_note note;
    int stopped = c->life.note.stopped;
    h->stop(h->ctx, true);
    while (hear(c, 0, &note) > 0) {
        stopped |= note.stopped;
        if (!note.stopped)
            c->life.note = note;
    }
    c->life.note.stopped = stopped;
}

#define PATIENCE 10 /* seconds */

/* One child's life.  Returns 0, or an error with `why`. */
static int run_child(struct crash *c, enum how how)
{
    const struct plog_test_host *h = c->t->host;
    struct plog_selftest *t = c->t;
    c->life.note = (struct plog_life_note){.attempted = c->life.deltas,
                                           .acknowledged = c->life.deltas};
    c->life.random = plog_selftest_draw(t, UINT64_MAX);
    c->life.compacting = how == AT_TIME ? 25 : 5;
    c->life.steps = how == AT_TIME ? 0 : 14;
    if (h->start(h->ctx, child, c)) {
        snprintf(c->why, sizeof c->why, "no second process could be started");
        return PLOG_E_IO;
    }
    /* Some while they open it, most in the middle of writing. */
    uint64_t some = how == AT_TIME ? plog_selftest_draw(t, 16) : UINT64_MAX / 2;
    if (how != AT_TIME || some >= 4)
        listen_for(c, PATIENCE, some - 4);
    if (how == AT_TIME)
        listen_for(c, (double)plog_selftest_draw(t, 5000) / 1e6,
                   UINT64_MAX / 2);
    end(c);
    if (c->life.note.code) {
        snprintf(c->why, sizeof c->why, "a step failed: %.95s",
                 c->life.note.what);
        return c->life.note.code;
    }
    return 0;
}

/* A kill, perhaps another one while the next child repairs, and the judge. */
static int turn(struct crash *c, enum how how)
{
    struct plog_selftest *t = c->t;
    /* One that ends at a call leaves more to repair than one at any time. */
    c->at_call = how == AT_TIME ? 0 : 1 + plog_selftest_draw(t, 110);
    int rc = run_child(c, how == AT_TIME ? AT_TIME : AT_CALL);
    if (!rc && how == IN_REPAIR) {
        /* What the first one said still binds. */
        struct plog_life_note said = c->life.note;
        c->life.only_open = true;
        c->at_call = 1 + plog_selftest_draw(t, 8);
        rc = run_child(c, AT_CALL);
        c->life.only_open = false;
        said.stopped = c->life.note.stopped;
        c->life.note = said;
    }
    if (rc)
        return rc;
    uint64_t before = c->life.deltas;
    struct plog_life_note said = c->life.note;
    bool fresh = c->n.turns % 6 == 5;
    rc = plog_life_judge(&c->life, fresh, c->why);
    c->n.kills += how == AT_TIME || said.stopped;
    c->n.fresh += fresh;
    c->n.acknowledged += said.acknowledged - before;
    c->n.attempted += said.attempted - before;
    c->n.recovered += rc ? 0 : c->life.deltas - before;
    return rc;
}

#define LEAST 6        /* kills, */
#define TURNS_MAX 40   /* unless so many turns did not come to it */
#define DELTAS_MAX 600 /* then a new log: judging takes time and space */

static int turns(struct crash *c, enum how how, double share)
{
    struct plog_error err = {0};
    int rc = 0;
    while (!rc && plog_selftest_has_time(
                      c->t, "kill -9", share,
                      c->n.turns < TURNS_MAX ? c->n.kills : LEAST, LEAST)) {
        if (!c->had_log || c->life.deltas > DELTAS_MAX) {
            rc = plog_life_make(&c->life, c->t, &err);
            c->had_log = rc == 0;
            if (rc)
                snprintf(c->why, sizeof c->why, "making a log: %s: %.150s",
                         plog_code_word(rc), err.message);
        }
        if (!rc)
            rc = turn(c, how);
        c->n.turns++;
    }
    return rc;
}

static void say(struct crash *c, const char *name, int rc)
{
    struct plog_selftest *t = c->t;
    const struct tally *n = &c->n;
    plog_selftest_figure(t, "kills_count", (double)n->kills);
    plog_selftest_figure(t, "acknowledged_count", (double)n->acknowledged);
    plog_selftest_figure(t, "recovered_count", (double)n->recovered);
    plog_selftest_figure(t, "attempted_count", (double)n->attempted);
    plog_selftest_figure(t, "fresh_count", (double)n->fresh);
    if (rc)
        plog_selftest_say(t, name, PLOG_TEST_FAIL,
                          "do not keep a log here; report it with the seed",
                          "after %llu kills: %s", (unsigned long long)n->kills,
                          c->why);
    else if (n->kills == 0)
        plog_selftest_say(t, name, PLOG_TEST_SKIP, "give it more --seconds",
                          "no time was left for it");
    else
        plog_selftest_say(
            t, name, PLOG_TEST_OK, NULL,
            "%llu kills; of %llu deltas attempted, %llu acknowledged, %llu"
            " recovered; none lost; parity CLEAN, %llu times also with a new"
            " store",
            (unsigned long long)n->kills, (unsigned long long)n->attempted,
            (unsigned long long)n->acknowledged,
            (unsigned long long)n->recovered, (unsigned long long)n->fresh);
}

static void run(struct crash *c, enum how how, const char *name, double share)
{
    struct plog_selftest_report *r = c->t->report;
    plog_selftest_seed(c->t, (uint64_t)how);
    c->had_log = false; /* of its own, for the seed to mean the same */
    c->n = (struct tally){.turns = 0};
    int rc = turns(c, how, share);
    *(how == AT_TIME ? &r->kills : &r->calls) += c->n.kills;
    say(c, name, rc);
}

void plog_selftest_crashes(struct plog_selftest *t)
{
    static const struct {
        const char *name;
        double share;
    } tests[HOWS] = {{"kill -9 at any time", 0.52},
                     {"kill -9 at a disk call", 0.65},
                     {"kill -9 while repairing", 0.77}};
    struct crash *c = t->host ? plog_alloc(t->io, sizeof *c) : NULL;
    if (!c) {
        plog_selftest_say(t, "kill -9", PLOG_TEST_SKIP, NULL, "%s",
                          t->host ? "out of memory"
                                  : "no second process can be made");
        return;
    }
    c->t = t;
    for (int how = 0; how < HOWS; how++)
        run(c, (enum how)how, tests[how].name, tests[how].share);
    if (c->life.number && plog_selftest_remove(t->io, t->dir, c->life.name))
        c->had_log = false; /* the end tries again, and tells */
    plog_free(t->io, c);
}
