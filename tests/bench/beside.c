/*
 * beside.c - how long a writer of single deltas waits while a compaction runs.
 *
 * It writes for a while alone, and its longest wait then is that for its own
 * checkpoints of SQLite's WAL.  Then half of the log goes.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compacting.h"

#define WAITS (1 << 20)

struct waits {
    _Atomic bool stop;
    _Atomic size_t count;
    struct {
        double began, took;
    } all[WAITS];
};

static void write_on(const struct bench_task *t, const char *path,
                     struct waits *w)
{
    struct caller c;
    struct bench_task one = *t;
    one.batch = 1;
    plog *p = ours_open(path, NULL);
    caller_begin(&c, &one, p, 1);
    while (!w->stop && w->count < WAITS) {
        double began = bench_seconds();
        caller_append(&c);
        w->all[w->count].began = began;
        w->all[w->count].took = bench_seconds() - began;
        w->count++;
    }
    plog_close(p);
}

/* The figures of those that began in that time. */
static void between(const struct waits *w, double from, double to,
                    struct bench_figures *f)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->all[i].began >= from && w->all[i].began < to)
            bench_commit(f, w->all[i].took);
    f->seconds = to - from;
    f->events = f->count;
    bench_settle(f);
    if (!f->count)
        bench_die("the writer", "never came to write");
}

static void sleep_for(double seconds)
{
    usleep((useconds_t)(seconds * 1e6));
}

/* P50, P99 and RATE are those of the writer while the compaction ran. */
void bench_beside(const struct bench_task *t, struct bench_figures *f)
{
    char path[BENCH_PATH];
    struct halves_times times;
    struct bench_figures alone = {0};
    int status = 1;
    struct waits *w = mmap(NULL, sizeof *w, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (w == MAP_FAILED)
        bench_die("memory", "exhausted");
    halves_make(t, path);
    pid_t pid = fork();
    if (pid == 0) {
        write_on(t, path, w);
        _exit(0);
    }
    sleep_for(0.2);
    double began = bench_seconds();
    sleep_for(t->seconds);
    double compacting = bench_seconds();
    halves_compact(path, true, &times);
    double ended = bench_seconds();
    w->stop = true;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
        bench_die("the writer", "failed");
    between(w, began, compacting, &alone);
    between(w, compacting, ended, f);
    f->m[BENCH_MS] = f->commits[f->count - 1] * 1e3;
    f->m[BENCH_WAIT] =
        (f->commits[f->count - 1] - alone.commits[alone.count - 1]) * 1e3;
    free(alone.commits);
    munmap(w, sizeof *w);
}
