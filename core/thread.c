/* thread.c - see thread.h. */
#include "thread.h"

#include <signal.h>

bool plog_thread_start(pthread_t *id, void *(*run)(void *), void *arg)
{
    sigset_t all, before;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before))
        return false;
    bool started = pthread_create(id, NULL, run, arg) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}
