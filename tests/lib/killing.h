/*
 * killing.h - an end at every call: the process goes, without any clean-up, at
 * the n-th call that changes something on disk.  Of a write, half arrives.
 */
#ifndef KILLING_H
#define KILLING_H

#include <stdbool.h>

#include "paritylog.h"

/* The table that ends this process at call `n` from now on. */
const struct plog_io *killing_io(long n);

/* Runs `act` over killing_io(n) in a child.  Returns whether it was killed;
 * else `act` must have returned 0. */
bool killing_run(long n, int (*act)(void *arg, const struct plog_io *io),
                 void *arg);

#endif
