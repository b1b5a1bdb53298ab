/*
 * pipe.h - work done ahead by a thread of its own, in bounded memory.
 *
 * A maker fills slots one after the other; whoever takes them gets them in
 * that order.  At most `slots` are filled or being taken at a time, and the
 * maker pauses while those waiting weigh more than `weight_max`.  Where no
 * thread may be started, or none can be, each slot is filled when it is asked
 * for: the same slots, in the same order.
 */
#ifndef PLOG_PIPE_H
#define PLOG_PIPE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "paritylog.h"

#define PLOG_PIPE_SLOTS 4

/*
 * Fills slot number `slot`, on one thread at a time.
 * @weight  out: bytes, to bound what waits
 * Returns 0: there may be more; not 0: this was the last, and it may be empty.
 */
typedef int plog_pipe_make(void *arg, unsigned slot, size_t *weight);

struct plog_pipe {
    plog_pipe_make *make;
    void *arg;
    unsigned slots;
    size_t weight_max;
    bool has_thread;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* Under the mutex.  Invariant: taken <= made <= taken + slots. */
    unsigned long made, taken;
    size_t weight; /* of the slots made and not given back */
    bool ended;    /* the last slot was made */
    bool stop;
    bool holds; /* the taker has slot `taken` */
    size_t weights[PLOG_PIPE_SLOTS];
};
/* Whether the library may drive `io` from a thread of its own: the table of the
 * system, and no other, for one of the caller's may not be made for that. */
bool plog_pipe_may_thread(const struct plog_io *io);

/*
 * Begins.
 * @slots     1 to PLOG_PIPE_SLOTS
 * @threaded  whether a thread may be started; that one cannot be is no error
 */
void plog_pipe_open(struct plog_pipe *p, unsigned slots, size_t weight_max,
                    plog_pipe_make *make, void *arg, bool threaded);

/* Gives the one taken before back, waits for the next and takes it.
 * Returns true and its number, or false behind the last. */
bool plog_pipe_take(struct plog_pipe *p, unsigned *slot);

/* Ends the thread, after the slot that it is at; what was not taken is lost.
 * What `make` used is the caller's own again.  May be called twice. */
void plog_pipe_close(struct plog_pipe *p);

#endif
