/* no_threads.c - see no_threads.h. */
#include "no_threads.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

bool no_threads;
_Atomic unsigned threads_asked, threads_joined;

/* In place of the real one, which is asked for the rest. */
int pthread_create(pthread_t *id, const pthread_attr_t *a, void *(*f)(void *),
                   void *arg)
{
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    void *found = dlsym(RTLD_NEXT, "pthread_create");
    memcpy(&real, &found, sizeof real);
    threads_asked++;
    return no_threads ? EAGAIN : real(id, a, f, arg);
}

int pthread_join(pthread_t id, void **out)
{
    int (*real)(pthread_t, void **);
    void *found = dlsym(RTLD_NEXT, "pthread_join");
    memcpy(&real, &found, sizeof real);
    threads_joined++;
    return real(id, out);
}
