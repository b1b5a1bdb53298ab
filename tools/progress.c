/* progress.c - see progress.h. */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proc.h"

#define EVERY 0.2 /* seconds */

void progress_init(struct progress *p, const struct cli *c)
{
    *p = (struct progress){.shown = !c->quiet && isatty(STDERR_FILENO)};
    p->started = p->last = proc_clock();
}

static void new_phase(struct progress *p, const struct plog_progress *now,
                      double clock)
{
    if (p->phase && strcmp(p->phase, now->phase) == 0)
        return;
    p->phase = now->phase;
    p->phase_done = now->done;
    p->started = clock;
}

/* Blanks at the end overwrite what a longer line left: no escapes. */
static void show(struct progress *p, const char *text, int len)
{
    int blanks = p->width > len ? p->width - len : 0;
    fprintf(stderr, "\r%s%*s", text, blanks, "");
    fflush(stderr);
    p->width = len;
}

int progress_tick(void *progress, const struct plog_progress *now)
{
    struct progress *p = progress;
    char text[128], rest[64] = "";
    double clock = proc_clock();
    if (proc_interrupted())
        return 1;
    new_phase(p, now, clock);
    if (!p->shown || clock - p->last < EVERY)
        return 0;
    p->last = clock;
    double seconds = clock - p->started;
    double done = (double)(now->done - p->phase_done);
    double rate = seconds > 0 ? done / seconds : 0;
    if (now->total >= now->done && rate > 0)
        snprintf(rest, sizeof rest, " of %llu, %.0f s left",
                 (unsigned long long)now->total,
                 (double)(now->total - now->done) / rate);
    int len = snprintf(text, sizeof text, "%s: %llu%s, %.0f/s", now->phase,
                       (unsigned long long)now->done, rest, rate);
    if (len >= (int)sizeof text)
        len = (int)sizeof text - 1;
    show(p, text, len);
    return 0;
}

void progress_clear(struct progress *p)
{
    if (p->width > 0) {
        show(p, "", 0);
        fputs("\r", stderr);
    }
}
