/*
 * halves.h - work shared out over processes, one a core, two at most.
 */
#ifndef HALVES_H
#define HALVES_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed memory that forked processes share; lives until exit. */
void *halves_shared(size_t n);

/* Runs work(arg, k, n) in n processes, k from 0, and waits for them.  One that
 * dies fails the running case; `where` (may be NULL) is then printed for each,
 * so that it can say what a process was at. */
bool halves_run(void (*work)(void *arg, unsigned k, unsigned n), void *arg,
                void (*where)(void *arg, unsigned k));

/* How many processes that are: STORM_JOBS or the number of cores, 1 to 8. */
unsigned halves_count(void);

/* Seconds that a storm may take: STORM_BUDGET or 10; 0 with STORM_ALL: all. */
double halves_budget(void);

#endif
