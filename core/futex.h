/*
 * futex.h - sleeping on a word in memory (futex(2)), for threads of one
 * process.
 */
#ifndef PLOG_FUTEX_H
#define PLOG_FUTEX_H

#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Sleeps while the word is `seen`; may return for no reason. */
static inline void plog_futex_wait(_Atomic uint32_t *word, uint32_t seen)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

/* Wakes at most `sleepers`.  Nothing is read of the word, which may be gone. */
static inline void plog_futex_wake(_Atomic uint32_t *word, int sleepers)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, sleepers, NULL, NULL, 0);
}

#endif
