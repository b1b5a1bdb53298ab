/*
 * queue.h - who writes next: requests of many threads become groups.
 *
 * A thread that appends queues its request.  When nobody leads it becomes the
 * leader: takes what is queued, writes it as one group (engine.c) and wakes
 * who waited for it, all with one system call.  Of those who queued meanwhile
 * one leads next.  Requests that nobody waits for yet (plog_submit) are led by
 * the handle's own writer thread.
 *
 * A thread sleeps on a word (futex(2)) of its request's batch.  With a
 * condition variable each would have to take the mutex again to see that it
 * may go: with 64 callers that cost more than the sync.
 */
#ifndef PLOG_QUEUE_H
#define PLOG_QUEUE_H

#include <pthread.h>

#include "request.h"

struct plog_queue {
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* nobody leads; for those without a request */
    pthread_cond_t work;    /* something for the writer thread */
    pthread_cond_t room;    /* the queue became shorter */
    struct plog_request *first, **end;
    size_t count, bytes; /* in the queue */
    unsigned waiting;    /* for `changed` */
    bool leading;
    /* The queue is batch `batch`; who waits for one sleeps on its word, which
     * rises when the batch is done or somebody of it should lead. */
    unsigned batch;
    _Atomic uint32_t words[2];
    /* The writer thread, from the first plog_submit on. */
    pthread_t writer;
    bool has_writer, stop;
};

void plog_queue_init(struct plog_queue *q);
/* Ends the writer thread, when all that was submitted is written.  `forked`:
 * this is a child of the process that had the thread. */
void plog_queue_fini(struct plog_queue *q, bool forked);

/* Queues `r` and returns when it is done, after leading if need be.
 * Returns r->result. */
PLOG_MUST_CHECK int plog_queue_run(struct plog *p, struct plog_request *r);
/* Queues `r` for the writer thread, which is started when there is none; when
 * it cannot be, the caller leads.  Waits while the queue is full. */
void plog_queue_submit(struct plog *p, struct plog_request *r);
/* Waits until a submitted request is done.  Returns r->result. */
PLOG_MUST_CHECK int plog_queue_wait(struct plog *p, struct plog_request *r);

/* Waits until no other thread leads, and keeps them from it. */
void plog_queue_take_turn(struct plog_queue *q);
void plog_queue_give_turn(struct plog_queue *q);

/* Tells the owners of a batch that it is done: each result is set.  They free
 * their requests, so that the batch is gone on return. */
void plog_queue_wake(struct plog_queue *q, struct plog_request *batch);

#endif
