/*
 * selftest_errors.c - a log on a disk that fails; see selftest.h.
 *
 * The n-th call that changes the disk, of the log or of the store, is refused
 * with ENOSPC or EIO, once or from then on; of a write half is taken.  A group
 * that was refused is not there then, an indeterminate one may be, and an
 * acknowledged one is; the log opens again and both legs agree.
 */
#include <errno.h>
#include <stdio.h>

#include "buf.h"
#include "selftest.h"

#define CALLS 110 /* of a life, about: the error comes at one of them */
#define STEPS 14
#define LEAST 6
#define DELTAS_MAX 600

struct errors {
    struct plog_selftest *t;
    struct plog_life life;
    struct plog_faults faults;
    int error;
    uint64_t lives, happened, indeterminate, deltas;
    bool had_log;
    char why[200];
};

/* What a failing disk may come to; anything else was taken for damage. */
static bool is_allowed(int code)
{
    return code == 0 || code == PLOG_E_IO || code == PLOG_E_INDETERMINATE ||
           code == PLOG_E_POISONED;
}

static int one_life(struct errors *e)
{
    struct plog_selftest *t = e->t;
    uint64_t before = e->life.deltas;
    plog_faults_init(&e->faults, t->io);
    e->faults.error = -e->error;
    e->faults.left = 1 + plog_selftest_draw(t, CALLS);
    e->faults.for_ever = plog_selftest_draw(t, 2) != 0;
    e->life.io = &e->faults.io;
    e->life.faults = &e->faults;
    e->life.steps = STEPS;
    e->life.compacting = 6;
    e->life.random = plog_selftest_draw(t, UINT64_MAX);
    int rc = plog_life_live(&e->life);
    e->lives++;
    e->happened += e->faults.happened;
    e->indeterminate += rc == PLOG_E_INDETERMINATE;
    if (!is_allowed(rc) || (rc && !e->faults.happened)) {
        snprintf(e->why, sizeof e->why, "call %llu failed, and it came to %s",
                 (unsigned long long)e->faults.calls, e->life.note.what);
        return rc;
    }
    rc = plog_life_judge(&e->life, e->lives % 8 == 7, e->why);
    e->deltas += rc ? 0 : e->life.deltas - before;
    return rc;
}

static int lives(struct errors *e, const char *name, double share)
{
    struct plog_error err = {0};
    int rc = 0;
    while (!rc &&
           plog_selftest_has_time(e->t, name, share, e->happened, LEAST)) {
        if (!e->had_log || e->life.deltas > DELTAS_MAX) {
            rc = plog_life_make(&e->life, e->t, &err);
            e->had_log = rc == 0;
            if (rc)
                snprintf(e->why, sizeof e->why, "making a log: %s: %.150s",
                         plog_code_word(rc), err.message);
        }
        if (!rc)
            rc = one_life(e);
    }
    return rc;
}

static void run(struct errors *e, const char *name, int error, double share)
{
    struct plog_selftest *t = e->t;
    plog_selftest_seed(t, 100 + (uint64_t)error);
    e->had_log = false;
    e->error = error;
    e->lives = e->happened = e->indeterminate = e->deltas = 0;
    int rc = lives(e, name, share);
    t->report->faults += e->happened;
    plog_selftest_figure(t, "errors_count", (double)e->happened);
    plog_selftest_figure(t, "indeterminate_count", (double)e->indeterminate);
    plog_selftest_figure(t, "deltas_count", (double)e->deltas);
    if (rc)
        plog_selftest_say(t, name, PLOG_TEST_FAIL,
                          "do not keep a log here; report it with the seed",
                          "after %llu errors: %s",
                          (unsigned long long)e->happened, e->why);
    else if (e->happened == 0)
        plog_selftest_say(t, name, PLOG_TEST_SKIP, "give it more --seconds",
                          "no time was left for it");
    else
        plog_selftest_say(t, name, PLOG_TEST_OK, NULL,
                          "%llu injected, %llu indeterminate; %llu deltas, none"
                          " lost; parity CLEAN",
                          (unsigned long long)e->happened,
                          (unsigned long long)e->indeterminate,
                          (unsigned long long)e->deltas);
}

void plog_selftest_errors(struct plog_selftest *t)
{
    struct errors *e = plog_alloc(t->io, sizeof *e);
    if (!e) {
        plog_selftest_say(t, "errors of the disk", PLOG_TEST_SKIP, NULL,
                          "out of memory");
        return;
    }
    e->t = t;
    e->life.number = 1000; /* other names than those of the kills */
    run(e, "full disk (ENOSPC)", ENOSPC, 0.87);
    run(e, "failing disk (EIO)", EIO, 0.96);
    plog_free(t->io, e);
}
