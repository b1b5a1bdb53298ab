/*
 * child.h - other processes and links, for selftest: what the library does not
 * do by itself.
 *
 * A child is a fork of the command and runs a function of the library; it has
 * no name on the command line that somebody could call.  The command has one
 * thread and no log open when it forks.  An interrupt is the parent's to
 * handle: the child ignores it, and dies with its parent.
 */
#ifndef TOOLS_CHILD_H
#define TOOLS_CHILD_H

#include "paritylog_recovery.h"

struct child {
    struct plog_test_host host; /* its ctx is this struct */
    int pid;                    /* 0: none */
    int pipe[2];                /* -1: closed */
};

void child_init(struct child *c);

/* Kills and waits, if there is one. */
void child_fini(struct child *c);

#endif
