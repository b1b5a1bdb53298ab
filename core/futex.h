/*
 * futex.h - sleeping on a word in memory (futex(2)).  Like a mutex it belongs
 * to the threads and not to the I/O table.
 */
#ifndef PLOG_FUTEX_H
#define PLOG_FUTEX_H

#include <stdint.h>

/* Sleeps while the word is `seen`; may return for no reason. */
void plog_futex_wait(_Atomic uint32_t *word, uint32_t seen);
/* Wakes at most `sleepers`.  Nothing is read of the word, which may be gone. */
void plog_futex_wake(_Atomic uint32_t *word, int sleepers);

/* The same for one sleeper, on a word in memory that processes share.
 * @ns  sleeps no longer */
void plog_futex_wait_shared(_Atomic uint32_t *word, uint32_t seen, int64_t ns);
void plog_futex_wake_shared(_Atomic uint32_t *word);

#endif
