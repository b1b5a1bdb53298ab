/* thread.h - threads of the library's own. */
#ifndef PLOG_THREAD_H
#define PLOG_THREAD_H

#include <pthread.h>
#include <stdbool.h>

/*
 * Starts a thread with all signals blocked: signals belong to the caller's
 * threads.
 * @id   out: to join; undefined when there is none
 * @run  what it does with `arg`
 * Returns whether it runs; that there is none is no error, its work is then
 * done in place.
 */
bool plog_thread_start(pthread_t *id, void *(*run)(void *), void *arg);

#endif
