/*
 * everything.h - a log with something of everything, compacted once.
 *
 * Below the floor: deltas with and without an id, a cursor, a peer, another
 * one that was evicted, a redacted entry, a rotated key.  Above it: more of
 * these, two strategy entries; and segments that both peers have, so that it
 * can be compacted again.
 */
#ifndef EVERYTHING_H
#define EVERYTHING_H

#include "world.h"

#define EVERYTHING_REDACTED_BELOW 4
#define EVERYTHING_REDACTED_ABOVE 70

/* Makes it, closed; `note` gets a checkpoint of the middle of what is above
 * the floor. */
void everything_make(struct world *w, const char *note);

#endif
