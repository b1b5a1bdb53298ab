/* fold_time.h - the time that parity spends on the fold of the records. */
#ifndef BENCH_FOLD_TIME_H
#define BENCH_FOLD_TIME_H

#include <stdbool.h>

/* Off at first: watching takes some 50 ns an entry. */
void fold_watch(bool on);
/* Seconds of folding on the thread that watches, so far: what other threads
 * fold meanwhile costs the caller nothing. */
double fold_seconds(void);

#endif
