/* checker.c - see checker.h. */
#include "checker.h"

#include <signal.h>
#include <string.h>

#include "futex.h"

#define THREAD_AFTER 8 /* a process that commits so often keeps writing */

static bool check(const struct plog_checker *c)
{
    return plog_checkpoint_verify(c->key, c->origin, c->commit->size,
                                  c->commit->root, c->commit->sig);
}

enum { NONE, ASKED, HOLDS, FAILS, STOP };

static void *serve(void *arg)
{
    struct plog_checker *c = arg;
    uint32_t state;
    while ((state = c->state) != STOP) {
        if (state != ASKED) {
            plog_futex_wait(&c->state, state);
            continue;
        }
        c->state = check(c) ? HOLDS : FAILS;
        if (c->awaited)
            plog_futex_wake(&c->state, 1);
    }
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
}

void plog_checker_fini(struct plog_checker *c, bool forked)
{
    if (c->has_thread && !forked) {
        c->state = STOP;
        plog_futex_wake(&c->state, 1);
        pthread_join(c->thread, NULL);
    }
    c->has_thread = false;
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
        c->state = check(c) ? HOLDS : FAILS;
        return;
    }
    c->state = ASKED;
    plog_futex_wake(&c->state, 1);
}

bool plog_checker_answer(struct plog_checker *c)
{
    c->awaited = 1;
    while (c->state == ASKED)
        plog_futex_wait(&c->state, ASKED);
    c->awaited = 0;
    return c->state == HOLDS;
}
