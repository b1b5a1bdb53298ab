/*
 * sweep_ops.h - the operations that are swept, by what they belong to: each of
 * them in full by tests/storm/sweep*.c, and without SQLite's calls, case by
 * case, by tests/unit/test_faults_*.c.
 */
#ifndef SWEEP_OPS_H
#define SWEEP_OPS_H

#include "sweeping.h"

struct sweep_ops {
    const struct sweep_op *all;
    size_t count;
};

extern const struct sweep_ops ops_writing, ops_reading, ops_recovery,
    ops_upkeep;

#endif
