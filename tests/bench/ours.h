/* ours.h - the engine as the rows use it, through its public calls. */
#ifndef BENCH_OURS_H
#define BENCH_OURS_H

#include "bench.h"
#include "paritylog_recovery.h"

/* Ends the program unless `rc` is 0. */
void ours_check(int rc, const char *what, const struct plog_error *err);
void ours_init(const char *dir);
/* Over `io`; NULL: plog_io_posix(). */
plog *ours_open(const char *dir, const struct plog_io *io);
/* In t->dir; variant 1: told as soon as the log has a delta. */
plog *ours_open_for(const struct bench_task *t);

struct caller {
    const struct bench_task *t;
    plog *p;
    uint64_t next; /* number of its next event */
    struct plog_span *spans;
    struct bench_figures f;
};
void caller_begin(struct caller *c, const struct bench_task *t, plog *p,
                  unsigned number);
void caller_end(struct caller *c); /* frees spans, not the figures */
/* The next `batch` events into c->spans. */
void caller_gather(struct caller *c);
/* Its figures, but for the metrics; the commits change hands. */
void caller_give(const struct caller *c, struct bench_figures *f);
/* One group of `batch` events. */
void caller_append(struct caller *c);
/* Groups for t->seconds, each a commit of its figures. */
void caller_run(struct caller *c);

/* Appends `events` events from number `first` on, 1,000 a group, with texts
 * that are made as it goes: memory does not hold them. */
void ours_fill(plog *p, uint64_t first, uint64_t events, unsigned group);

#endif
