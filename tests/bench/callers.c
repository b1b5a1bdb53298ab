/* callers.c - many callers at once: threads of a process on one handle, and
 * processes on one directory. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ours.h"

/* ---- Adding up ---------------------------------------------------------- */

struct sum {
    uint64_t least;
    unsigned callers;
};

static void merge(struct bench_figures *f, const struct bench_figures *one,
                  struct sum *s)
{
    if (s->callers++ == 0 || one->events < s->least)
        s->least = one->events;
    f->events += one->events;
    if (one->seconds > f->seconds)
        f->seconds = one->seconds;
    for (size_t i = 0; i < one->count; i++)
        bench_commit(f, one->commits[i]);
}

static void finish(struct bench_figures *f, const struct sum *s, double cpu)
{
    f->m[BENCH_LEAST] = (double)s->least * s->callers / (double)f->events;
    f->m[BENCH_CPU] = (bench_cpu_seconds() - cpu) / (double)f->events * 1e6;
}

/* ---- Threads ------------------------------------------------------------ */

static void *thread(void *arg)
{
    caller_run(arg);
    return NULL;
}

void bench_threads(const struct bench_task *t, struct bench_figures *f)
{
    static struct caller c[BENCH_CALLERS];
    pthread_t ids[BENCH_CALLERS];
    struct sum s = {0};
    ours_init(t->dir);
    plog *p = ours_open_for(t);
    double cpu = bench_cpu_seconds();
    for (unsigned i = 0; i < t->callers; i++) {
        caller_begin(&c[i], t, p, i);
        if (pthread_create(&ids[i], NULL, thread, &c[i]))
            bench_die("a thread", "cannot start");
    }
    for (unsigned i = 0; i < t->callers; i++)
        pthread_join(ids[i], NULL);
    for (unsigned i = 0; i < t->callers; i++) {
        merge(f, &c[i].f, &s);
        caller_end(&c[i]);
        free(c[i].f.commits);
    }
    finish(f, &s, cpu);
    plog_close(p);
}

/* ---- Processes ---------------------------------------------------------- */

#define OPENING_TRIES 300000 /* of 100 us */
#define TOLD 65536           /* commits that a process can tell of */

struct told {
    uint64_t events;
    double seconds;
    size_t count;
    double commits[TOLD];
};

struct together {
    _Atomic unsigned opened; /* processes: all of them before any begins */
    struct told told[BENCH_CALLERS];
};

static void process(const struct bench_task *t, unsigned number,
                    struct together *all)
{
    struct caller c;
    struct told *told = &all->told[number];
    plog *p = ours_open(t->dir, NULL);
    caller_begin(&c, t, p, number);
    all->opened++;
    for (int tries = 0; all->opened < t->callers; tries++) {
        if (tries == OPENING_TRIES)
            bench_die("a process", "waited for others in vain");
        usleep(100);
    }
    caller_run(&c);
    plog_close(p);
    told->events = c.f.events;
    told->seconds = c.f.seconds;
    told->count = c.f.count < TOLD ? c.f.count : TOLD;
    memcpy(told->commits, c.f.commits, told->count * sizeof(double));
}

void bench_processes(const struct bench_task *t, struct bench_figures *f)
{
    struct together *all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const struct told *told = all->told;
    pid_t pids[BENCH_CALLERS];
    struct sum s = {0};
    if (all == MAP_FAILED)
        bench_die("memory", "exhausted");
    ours_init(t->dir);
    double cpu = bench_cpu_seconds();
    for (unsigned i = 0; i < t->callers; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            process(t, i, all);
            _exit(0);
        }
    }
    for (unsigned i = 0; i < t->callers; i++) {
        int status = 1;
        if (pids[i] < 0 || waitpid(pids[i], &status, 0) < 0 || status)
            bench_die("a process", "failed");
        const struct bench_figures one = {.events = told[i].events,
                                          .seconds = told[i].seconds,
                                          .commits = all->told[i].commits,
                                          .count = told[i].count};
        merge(f, &one, &s);
    }
    finish(f, &s, cpu);
    munmap(all, sizeof *all);
}
