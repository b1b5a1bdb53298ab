/* checker.c - see checker.h. */
#include "checker.h"

#include <signal.h>
#include <string.h>

#define THREAD_AFTER 8 /* a process that commits so often keeps writing */

static bool check(const struct plog_checker *c)
{
    return plog_checkpoint_verify(c->key, c->origin, c->commit->size,
                                  c->commit->root, c->commit->sig);
}

static void *serve(void *arg)
{
    struct plog_checker *c = arg;
    pthread_mutex_lock(&c->mutex);
    while (!c->stop) {
        if (!c->work) {
            pthread_cond_wait(&c->changed, &c->mutex);
            continue;
        }
        pthread_mutex_unlock(&c->mutex);
        bool holds = check(c);
        pthread_mutex_lock(&c->mutex);
        c->holds = holds;
        c->work = false;
        pthread_cond_signal(&c->changed);
    }
    pthread_mutex_unlock(&c->mutex);
    return NULL;
}

/* Signals belong to the caller's threads.  Without a thread all is done in
 * place, so failing to start one is no error. */
static void start(struct plog_checker *c)
{
    sigset_t all, before;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before))
        return;
    c->has_thread = pthread_create(&c->thread, NULL, serve, c) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void plog_checker_init(struct plog_checker *c)
{
    memset(c, 0, sizeof *c);
    pthread_mutex_init(&c->mutex, NULL);
    pthread_cond_init(&c->changed, NULL);
}

void plog_checker_fini(struct plog_checker *c, bool forked)
{
    if (c->has_thread && !forked) {
        pthread_mutex_lock(&c->mutex);
        c->stop = true;
        pthread_cond_signal(&c->changed);
        pthread_mutex_unlock(&c->mutex);
        pthread_join(c->thread, NULL);
    }
    c->has_thread = false;
    if (!forked) { /* there the mutex may look taken for ever */
        pthread_cond_destroy(&c->changed);
        pthread_mutex_destroy(&c->mutex);
    }
}

void plog_checker_ask(struct plog_checker *c, const struct plog_vkey *key,
                      const char *origin, const struct plog_commit *commit)
{
    if (!c->has_thread && ++c->asked == THREAD_AFTER)
        start(c);
    c->key = key;
    c->origin = origin;
    c->commit = commit;
    if (!c->has_thread) {
        c->holds = check(c);
        return;
    }
    pthread_mutex_lock(&c->mutex);
    c->work = true;
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->mutex);
}

bool plog_checker_answer(struct plog_checker *c)
{
    if (!c->has_thread)
        return c->holds;
    pthread_mutex_lock(&c->mutex);
    while (c->work)
        pthread_cond_wait(&c->changed, &c->mutex);
    bool holds = c->holds;
    pthread_mutex_unlock(&c->mutex);
    return holds;
}
