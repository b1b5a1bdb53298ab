/*
 * sweep_worlds.h - the logs that the sweeps begin with.
 *
 *   plain      three segments, cursors, a peer, a redacted entry; beside it a
 *              checkpoint of entry 5 (`file`), and lines of all sorts
 * (`lines`), and another verifier key (`vkey`) compacted  the same with a
 * floor, an archive, a snapshot and a second key behind     the store lacks the
 * last entries (`lines` has the first of them) cut        the same, and the log
 * ends in half a group halfway    a compaction that was killed in the middle
 *   damaged    a byte of the middle segment is another one
 *   storeless, logless   one leg is gone
 */
#ifndef SWEEP_WORLDS_H
#define SWEEP_WORLDS_H

#include "sweeping.h"

#define SWEEP_ORIGIN "sweep.example/log"
#define SWEEP_REDACTED 3
#define SWEEP_STRATEGY PLOG_MERGE_JSON

void sweep_make_worlds(const char *top);
/* Makes one of them, and what it is made from, unless it is there. */
void sweep_make_world(const char *top, const char *name);

/* A delta with an id; `fill` bytes of payload.  Returns `out`. */
char *sweep_delta(char *out, size_t cap, const char *id, const char *record,
                  int fill);

#endif
