/* no_threads.h - a process in which no thread can be started. */
#ifndef NO_THREADS_H
#define NO_THREADS_H

#include <stdbool.h>

/* While true, pthread_create fails with EAGAIN in this program. */
extern bool no_threads;
/* Calls of it so far, those that failed included. */
extern _Atomic unsigned threads_asked;
/* Calls of pthread_join. */
extern _Atomic unsigned threads_joined;

#endif
