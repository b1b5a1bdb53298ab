/*
 * futex.h - sleeping on a word in memory (futex(2)), for threads of one
 * process.  Like a mutex it belongs to the threads and not to the I/O table.
 */
#ifndef PLOG_FUTEX_H
#define PLOG_FUTEX_H

#include <stdint.h>

/* Sleeps while the word is `seen`; may return for no reason. */
void plog_futex_wait(_Atomic uint32_t *word, uint32_t seen);
/* Wakes at most `sleepers`.  Nothing is read of the word, which may be gone. */
void plog_futex_wake(_Atomic uint32_t *word, int sleepers);

#endif
