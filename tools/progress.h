/*
 * progress.h - one line on standard error that says how far a long command
 * is, on a terminal only.
 */
#ifndef TOOLS_PROGRESS_H
#define TOOLS_PROGRESS_H

#include "cli.h"
#include "paritylog_recovery.h"

struct progress {
    bool shown; /* allowed at all */
    double started, last;
    const char *phase;   /* the library's constant */
    uint64_t phase_done; /* where it began */
    int width;           /* of what stands on the line */
};

void progress_init(struct progress *p, const struct cli *c);

/* Shows `now` if the last line is old enough.  Returns not 0 when the command
 * was interrupted. */
int progress_tick(void *progress, const struct plog_progress *now);

/* Takes the line away. */
void progress_clear(struct progress *p);

#endif
