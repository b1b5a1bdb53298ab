/* flight.c - one thread that keeps many groups of its own in flight. */
#include <stdlib.h>

#include "ours.h"

struct flying {
    struct plog_ticket *ticket;
    double began;
};

static void take_off(struct caller *c, struct flying *f)
{
    struct plog_error err = {0};
    struct plog_group g = {.struct_size = sizeof g,
                           .deltas = c->spans,
                           .delta_count = c->t->batch};
    caller_gather(c);
    f->began = bench_seconds();
    ours_check(plog_submit(c->p, &g, &f->ticket, &err), "submit", &err);
}

static void land(struct caller *c, struct flying *f)
{
    struct plog_error err = {0};
    ours_check(plog_wait(f->ticket, NULL, &err), "wait", &err);
    bench_commit(&c->f, bench_seconds() - f->began);
    c->f.events += c->t->batch;
}

/* t->callers of them; a commit's time is that from submit to wait. */
void bench_flight(const struct bench_task *t, struct bench_figures *f)
{
    struct caller c;
    unsigned window = t->callers, at = 0;
    struct flying *all = calloc(window, sizeof *all);
    if (!all)
        bench_die("memory", "exhausted");
    ours_init(t->dir);
    plog *p = ours_open(t->dir, NULL);
    caller_begin(&c, t, p, 0);
    double cpu = bench_cpu_seconds(), began = bench_seconds();
    for (unsigned i = 0; i < window; i++)
        take_off(&c, &all[i]);
    for (; bench_seconds() - began < t->seconds; at = (at + 1) % window) {
        land(&c, &all[at]);
        take_off(&c, &all[at]);
    }
    for (unsigned i = 0; i < window; i++)
        land(&c, &all[(at + i) % window]);
    c.f.seconds = bench_seconds() - began;
    plog_close(p);
    caller_end(&c);
    free(all);
    caller_give(&c, f);
    f->m[BENCH_CPU] = (bench_cpu_seconds() - cpu) / (double)f->events * 1e6;
}
