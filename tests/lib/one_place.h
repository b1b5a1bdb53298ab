/*
 * one_place.h - a call fails at one place of the code after the other.
 *
 * A place is the calls that led to the one that may fail.  A first run,
 * unharmed, finds out which there are; then each of them fails, once in a run.
 * (sweeping.h counts calls instead, of which one place may make thousands.)
 * One for the process, used from one thread.
 */
#ifndef ONE_PLACE_H
#define ONE_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Runs `act`: 0: unharmed, and places are found; `n`: the n-th of them, from 1,
 * fails the first time that it is come to.  Returns what `act` does. */
int one_place_run(size_t n, int (*act)(void *arg), void *arg);

/* To be asked by each call that may fail: whether it does.
 * @text  what is called, to be shown
 * @more  calls of one place that differ in this are of two */
bool one_place_fails(const char *text, uint64_t more);

size_t one_place_count(void);         /* of the last run with 0 */
const char *one_place_text(size_t n); /* of the n-th; of 0: unharmed */
size_t one_place_now(void);           /* that may fail in this run */
bool one_place_has_failed(void);      /* in the last run */
void one_place_pause(bool on);        /* within a run: nothing counts */

#endif
