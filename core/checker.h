/*
 * checker.h - the own signature, verified while the disk syncs.
 *
 * A fault of memory or arithmetic while signing may make a signature that
 * does not hold, and one that gives the secret away.  Verifying takes as long
 * as half a sync, so a process that keeps writing does it on a second thread,
 * beside the sync of the group, and learns the outcome before anything is
 * committed or acknowledged.
 *
 * Used by one thread at a time, the leader.  The thread is pure computation:
 * no I/O, no allocation, no signal is delivered to it.
 */
#ifndef PLOG_CHECKER_H
#define PLOG_CHECKER_H

#include <pthread.h>

#include "line.h"

struct plog_checker {
    unsigned asked; /* so far: the thread starts when many have been */
    bool has_thread;
    pthread_t thread;
    _Atomic uint32_t state;   /* of the question: see checker.c */
    _Atomic uint32_t awaited; /* somebody sleeps until it is answered */
    /* The question; borrowed until the answer was taken. */
    const struct plog_vkey *key;
    const char *origin;
    const struct plog_commit *commit;
};

void plog_checker_init(struct plog_checker *c);
/* Stops the thread.  `forked`: this is a child, where there is none. */
void plog_checker_fini(struct plog_checker *c, bool forked);

/* Asks whether the commit's signature holds.  All three are borrowed until
 * the answer was taken; one question at a time. */
void plog_checker_ask(struct plog_checker *c, const struct plog_vkey *key,
                      const char *origin, const struct plog_commit *commit);
/* Waits for the answer. */
PLOG_MUST_CHECK bool plog_checker_answer(struct plog_checker *c);

#endif
