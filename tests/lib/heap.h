/*
 * heap.h - an I/O table that is memory only: it counts what lives and fails
 * on demand, so that a test can walk through every allocation of a call.
 */
#ifndef HEAP_H
#define HEAP_H

#include "paritylog.h"

struct heap {
    struct plog_io io; /* only alloc is set; must not move while in use */
    size_t live;       /* allocations not yet freed */
    size_t calls;      /* requests so far, those that failed included */
    size_t fail_at;    /* the request that fails, from 1; 0: none */
    bool for_ever;     /* those behind it fail as well */
};

void heap_init(struct heap *h);
/* Counts requests from 0 again and fails the `nth`; 0: none. */
void heap_fail(struct heap *h, size_t nth, bool for_ever);
/* Whether the request to fail was reached. */
bool heap_failed(const struct heap *h);

#endif
