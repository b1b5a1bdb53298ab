/* compacting.h - a log of two halves, of which a peer has the first. */
#ifndef BENCH_COMPACTING_H
#define BENCH_COMPACTING_H

#include "ours.h"

/* Makes one of t->compact_bytes in t->dir/log; returns the size of its first
 * half, at which a segment ends. */
uint64_t halves_make(const struct bench_task *t, char *path);

/* Compacts it, over a table that notes the times. */
struct halves_times {
    double whole; /* seconds of the call */
    double
        entry; /* from writing the compact entry to the last directory sync */
    struct plog_compact_report report;
};
void halves_compact(const char *path, bool discard, struct halves_times *out);

#endif
