/* pipe.c - see pipe.h. */
#include "pipe.h"

#include <string.h>

#include "thread.h"

bool plog_pipe_may_thread(const struct plog_io *io)
{
    return io == plog_io_posix();
}

static bool has_room(const struct plog_pipe *p)
{
    return p->made - p->taken < p->slots && p->weight <= p->weight_max;
}

static void *serve(void *arg)
{
    struct plog_pipe *p = arg;
    pthread_mutex_lock(&p->mutex);
    while (!p->stop && !p->ended) {
        if (!has_room(p)) {
            pthread_cond_wait(&p->changed, &p->mutex);
            continue;
        }
        unsigned slot = (unsigned)(p->made % p->slots);
        size_t weight = 0;
        pthread_mutex_unlock(&p->mutex);
        bool ended = p->make(p->arg, slot, &weight) != 0;
        pthread_mutex_lock(&p->mutex);
        p->weights[slot] = weight;
        p->weight += weight;
        p->made++;
        p->ended = ended;
        pthread_cond_signal(&p->changed);
    }
    pthread_mutex_unlock(&p->mutex);
    return NULL;
}

void plog_pipe_open(struct plog_pipe *p, unsigned slots, size_t weight_max,
                    plog_pipe_make *make, void *arg, bool threaded)
{
    memset(p, 0, sizeof *p);
    p->make = make;
    p->arg = arg;
    p->slots = slots;
    p->weight_max = weight_max;
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->changed, NULL);
    if (threaded)
        p->has_thread = plog_thread_start(&p->thread, serve, p);
}

static void give_back(struct plog_pipe *p)
{
    if (!p->holds)
        return;
    p->weight -= p->weights[p->taken % p->slots];
    p->taken++;
    p->holds = false;
}

static bool take_in_place(struct plog_pipe *p, unsigned *slot)
{
    size_t weight = 0;
    *slot = 0;
    if (p->ended)
        return false;
    p->ended = p->make(p->arg, 0, &weight) != 0;
    return true;
}

bool plog_pipe_take(struct plog_pipe *p, unsigned *slot)
{
    if (!p->has_thread)
        return take_in_place(p, slot);
    pthread_mutex_lock(&p->mutex);
    give_back(p);
    pthread_cond_signal(&p->changed);
    while (p->made == p->taken && !p->ended)
        pthread_cond_wait(&p->changed, &p->mutex);
    p->holds = p->made > p->taken;
    *slot = (unsigned)(p->taken % p->slots);
    bool taken = p->holds;
    pthread_mutex_unlock(&p->mutex);
    return taken;
}

void plog_pipe_close(struct plog_pipe *p)
{
    if (!p->make)
        return;
    if (p->has_thread) {
        pthread_mutex_lock(&p->mutex);
        p->stop = true;
        pthread_cond_signal(&p->changed);
        pthread_mutex_unlock(&p->mutex);
        pthread_join(p->thread, NULL);
    }
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->mutex);
    p->make = NULL;
}
