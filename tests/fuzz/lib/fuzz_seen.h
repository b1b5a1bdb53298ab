/*
 * fuzz_seen.h - what was there before: states of a world, by a hash of all its
 * files, and what a change made of store.db, not to make it again.
 */
#ifndef FUZZ_SEEN_H
#define FUZZ_SEEN_H

#include "fuzz_world.h"

/* Of every file its name, its mode and its bytes; never 0. */
uint64_t fuzz_seen_hash(const struct fuzz_world *w);
/* The hash of a state and a text, as the key of what the text makes of it. */
uint64_t fuzz_seen_key(uint64_t state, const char *text, size_t n);

/* Whether this hash was asked for before; of a million it remembers each, of
 * more the later ones. */
bool fuzz_seen_before(uint64_t hash);

/* Puts store.db there as it was kept under the key, and gives the hash of that
 * state; 0 when none was.  Keep nothing of a change to any other file. */
uint64_t fuzz_seen_made(struct fuzz_world *w, uint64_t key);
void fuzz_seen_keep(struct fuzz_world *w, uint64_t key, uint64_t state);
/* Whether all but store.db is as it was at first. */
bool fuzz_seen_others(const struct fuzz_world *w);

#endif
