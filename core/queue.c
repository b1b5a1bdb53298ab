/* queue.c - see queue.h. */
#include "queue.h"

#include <limits.h>

#include "engine.h"
#include "futex.h"
#include "thread.h"

#define QUEUE_MAX 65536 /* requests */

void plog_queue_init(struct plog_queue *q)
{
    memset(q, 0, sizeof *q);
    q->end = &q->first;
    pthread_mutex_init(&q->mutex, NULL);
    pthread_cond_init(&q->changed, NULL);
    pthread_cond_init(&q->work, NULL);
    pthread_cond_init(&q->room, NULL);
}

void plog_queue_fini(struct plog_queue *q, bool forked)
{
    if (forked)
        return; /* the mutex may look taken for ever */
    if (q->has_writer) {
        pthread_mutex_lock(&q->mutex);
        q->stop = true;
        pthread_cond_signal(&q->work);
        pthread_mutex_unlock(&q->mutex);
        pthread_join(q->writer, NULL);
    }
    pthread_cond_destroy(&q->room);
    pthread_cond_destroy(&q->work);
    pthread_cond_destroy(&q->changed);
    pthread_mutex_destroy(&q->mutex);
}

/* ---- Sleeping ----------------------------------------------------------- */

static _Atomic uint32_t *word(struct plog_queue *q, unsigned batch)
{
    return &q->words[batch & 1];
}

static void wake(_Atomic uint32_t *w, int sleepers)
{
    *w += 1;
    plog_futex_wake(w, sleepers);
}

void plog_queue_wake(struct plog_queue *q, struct plog_request *batch)
{
    _Atomic uint32_t *w = word(q, batch->batch);
    bool sleeps = false;
    while (batch) {
        struct plog_request *next = batch->next; /* its owner frees it */
        sleeps |= !batch->leads;
        batch->done = true;
        batch = next;
    }
    if (sleeps)
        wake(w, INT_MAX);
}

/* ---- Leading ------------------------------------------------------------ */

static void add(struct plog_queue *q, struct plog_request *r)
{
    r->next = NULL;
    r->batch = q->batch;
    *q->end = r;
    q->end = &r->next;
    q->count++;
    q->bytes += r->encoded_bytes;
}

/* Takes whole requests up to PLOG_GROUP_MAX.  What is left sleeps on the word
 * of the batch that was taken, and is told of it by mistake, at worst. */
static struct plog_request *take_batch(struct plog_queue *q)
{
    struct plog_request *batch = q->first, **end = &batch;
    size_t bytes = 0;
    while (*end) {
        bytes += (*end)->encoded_bytes;
        if (bytes > PLOG_GROUP_MAX && end != &batch)
            break;
        q->bytes -= (*end)->encoded_bytes;
        q->count--;
        end = &(*end)->next;
    }
    q->first = *end;
    if (!q->first) {
        q->end = &q->first;
        q->batch++;
    }
    *end = NULL;
    pthread_cond_broadcast(&q->room);
    return batch;
}

/* With the mutex held: leads one group, if something is queued. */
static void lead(struct plog *p)
{
    struct plog_queue *q = &p->queue;
    struct plog_request *batch = take_batch(q);
    pthread_mutex_unlock(&q->mutex);
    if (batch)
        plog_engine_lead(p, batch);
    pthread_mutex_lock(&q->mutex);
}

/* Ends leading, with the mutex held.  Who waits without a request goes first,
 * for requests may come for ever. */
static void step_down(struct plog_queue *q)
{
    q->leading = false;
    if (q->waiting)
        pthread_cond_broadcast(&q->changed);
    else if (q->first && !q->has_writer)
        wake(word(q, q->first->batch), 1);
    else if (q->has_writer)
        pthread_cond_signal(&q->work);
}

void plog_queue_take_turn(struct plog_queue *q)
{
    pthread_mutex_lock(&q->mutex);
    q->waiting++;
    while (q->leading)
        pthread_cond_wait(&q->changed, &q->mutex);
    q->waiting--;
    q->leading = true;
    pthread_mutex_unlock(&q->mutex);
}

void plog_queue_give_turn(struct plog_queue *q)
{
    pthread_mutex_lock(&q->mutex);
    step_down(q);
    pthread_mutex_unlock(&q->mutex);
}

/* ---- Callers ------------------------------------------------------------ */

/* Sleeps until `r` is done or nobody leads; in that case leads.  With the
 * mutex held, which is released. */
static int see_through(struct plog *p, struct plog_request *r)
{
    struct plog_queue *q = &p->queue;
    _Atomic uint32_t *w = word(q, r->batch);
    while (!r->done && q->leading) {
        uint32_t seen = *w;
        pthread_mutex_unlock(&q->mutex);
        if (!r->done)
            plog_futex_wait(w, seen);
        if (r->done)
            return r->result;
        pthread_mutex_lock(&q->mutex);
    }
    if (!r->done) {
        q->leading = r->leads = true;
        while (!r->done)
            lead(p);
        step_down(q);
    }
    pthread_mutex_unlock(&q->mutex);
    return r->result;
}

int plog_queue_run(struct plog *p, struct plog_request *r)
{
    pthread_mutex_lock(&p->queue.mutex);
    add(&p->queue, r);
    return see_through(p, r);
}

static void *serve(void *arg)
{
    struct plog *p = arg;
    struct plog_queue *q = &p->queue;
    pthread_mutex_lock(&q->mutex);
    while (q->first || !q->stop) {
        if (!q->first || q->leading) {
            pthread_cond_wait(&q->work, &q->mutex);
            continue;
        }
        q->leading = true;
        lead(p);
        step_down(q);
    }
    pthread_mutex_unlock(&q->mutex);
    return NULL;
}

void plog_queue_submit(struct plog *p, struct plog_request *r)
{
    struct plog_queue *q = &p->queue;
    pthread_mutex_lock(&q->mutex);
    if (!q->has_writer)
        q->has_writer = plog_thread_start(&q->writer, serve, p);
    if (!q->has_writer) {
        add(q, r);
        (void)see_through(p, r);
        return;
    }
    while (q->count >= QUEUE_MAX || q->bytes > PLOG_GROUP_MAX)
        pthread_cond_wait(&q->room, &q->mutex);
    add(q, r);
    if (!q->leading)
        pthread_cond_signal(&q->work);
    pthread_mutex_unlock(&q->mutex);
}

int plog_queue_wait(struct plog *p, struct plog_request *r)
{
    if (r->done)
        return r->result;
    pthread_mutex_lock(&p->queue.mutex);
    return see_through(p, r);
}
