/* ours.c - opening, appending, and the row of one caller. */
#include "ours.h"

#include "calls.h"

#include <stdlib.h>
#include <string.h>

void ours_check(int rc, const char *what, const struct plog_error *err)
{
    if (rc)
        bench_die(what,
                  err && err->message[0] ? err->message : plog_strerror(rc));
}

/* Every delta is to be applied, whatever its time. */
void ours_init(const char *dir)
{
    char vkey[PLOG_VKEY_MAX];
    struct plog_init_options o = {.struct_size = sizeof o,
                                  .strategy = PLOG_ARRIVAL};
    struct plog_error err = {0};
    ours_check(plog_init(dir, &o, vkey, &err), "init", &err);
}

static plog *open_as(const char *dir, const struct plog_io *io,
                     enum plog_ack ack)
{
    plog *p = NULL;
    struct plog_options o = {
        .struct_size = sizeof o, .io = io, .ack = ack, .wait_seconds = 60};
    struct plog_error err = {0};
    ours_check(plog_open(&p, dir, &o, &err), "open", &err);
    return p;
}

plog *ours_open(const char *dir, const struct plog_io *io)
{
    return open_as(dir, io, PLOG_ACK_STORE);
}

plog *ours_open_for(const struct bench_task *t)
{
    return open_as(t->dir, NULL, t->variant ? PLOG_ACK_LOG : PLOG_ACK_STORE);
}

/* ---- A caller ----------------------------------------------------------- */

void caller_begin(struct caller *c, const struct bench_task *t, plog *p,
                  unsigned number)
{
    memset(c, 0, sizeof *c);
    c->t = t;
    c->p = p;
    c->next = (uint64_t)number * 7919;
    c->spans = malloc(t->batch * sizeof *c->spans);
    if (!c->spans)
        bench_die("memory", "exhausted");
}

void caller_end(struct caller *c)
{
    free(c->spans);
    c->spans = NULL;
}

void caller_gather(struct caller *c)
{
    for (unsigned i = 0; i < c->t->batch; i++) {
        const struct bench_event *e = bench_pooled(c->t->shape, c->next++);
        c->spans[i] = (struct plog_span){e->text, e->n};
    }
}

void caller_append(struct caller *c)
{
    struct plog_error err = {0};
    struct plog_group g = {.struct_size = sizeof g,
                           .deltas = c->spans,
                           .delta_count = c->t->batch};
    caller_gather(c);
    ours_check(plog_append_group(c->p, &g, NULL, &err), "append", &err);
    c->f.events += c->t->batch;
}

void caller_run(struct caller *c)
{
    double began = bench_seconds(), now = began;
    while (now - began < c->t->seconds) {
        caller_append(c);
        double then = now;
        now = bench_seconds();
        bench_commit(&c->f, now - then);
    }
    c->f.seconds = now - began;
}

void caller_give(const struct caller *c, struct bench_figures *f)
{
    const struct bench_figures *from = &c->f;
    f->events = from->events;
    f->seconds = from->seconds;
    f->commits = from->commits;
    f->count = from->count;
    f->cap = from->cap;
}

void bench_ours(const struct bench_task *t, struct bench_figures *f)
{
    struct caller c;
    ours_init(t->dir);
    plog *p = ours_open_for(t);
    caller_begin(&c, t, p, 0);
    uint64_t syncs = calls_syncs();
    double cpu = bench_cpu_seconds();
    caller_run(&c);
    caller_give(&c, f);
    f->m[BENCH_CPU] = (bench_cpu_seconds() - cpu) / (double)f->events * 1e6;
    f->m[BENCH_SYNCS] = (double)(calls_syncs() - syncs) / (double)f->count;
    if (f->m[BENCH_SYNCS] < 1)
        bench_die("paritylog", "a commit came back without a sync");
    plog_close(p);
    caller_end(&c);
}

/* ---- A long log --------------------------------------------------------- */

void ours_fill(plog *p, uint64_t first, uint64_t events, unsigned group)
{
    char *text = malloc((size_t)group * BENCH_EVENT_MAX);
    struct plog_span *spans = malloc(group * sizeof *spans);
    struct plog_error err = {0};
    if (!text || !spans)
        bench_die("memory", "exhausted");
    for (uint64_t at = 0; at < events; at += group) {
        uint64_t n = events - at < group ? events - at : group;
        struct plog_group g = {
            .struct_size = sizeof g, .deltas = spans, .delta_count = n};
        for (uint64_t i = 0; i < n; i++) {
            char *to = text + i * BENCH_EVENT_MAX;
            spans[i].p = to;
            spans[i].n = bench_write_event(BENCH_PLAIN, first + at + i, to,
                                           BENCH_EVENT_MAX);
        }
        ours_check(plog_append_group(p, &g, NULL, &err), "append", &err);
    }
    free(text);
    free(spans);
}
