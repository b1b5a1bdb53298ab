/* figures.c - the arithmetic of rows.  See bench.h. */
#define _XOPEN_SOURCE 700
#include "bench.h"

#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

const char *bench_metric_name(enum bench_metric m)
{
    static const char *const names[] = {
#define BENCH_NAME(name, json) json,
        BENCH_METRICS(BENCH_NAME)
#undef BENCH_NAME
    };
    return names[m];
}

double bench_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double of_timeval(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

double bench_cpu_seconds(void)
{
    struct rusage self, children;
    getrusage(RUSAGE_SELF, &self);
    getrusage(RUSAGE_CHILDREN, &children);
    return of_timeval(self.ru_utime) + of_timeval(self.ru_stime) +
           of_timeval(children.ru_utime) + of_timeval(children.ru_stime);
}

void bench_commit(struct bench_figures *f, double seconds)
{
    if (f->count == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 4096;
        double *grown = realloc(f->commits, cap * sizeof *grown);
        if (!grown)
            bench_die("memory", "exhausted");
        f->commits = grown;
        f->cap = cap;
    }
    f->commits[f->count++] = seconds;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_percentile_us(const struct bench_figures *f, double p)
{
    size_t at = (size_t)(p / 100 * (double)(f->count - 1) + 0.5);
    return f->commits[at] * 1e6;
}

void bench_settle(struct bench_figures *f)
{
    if (f->seconds > 0 && f->events)
        f->m[BENCH_RATE] = (double)f->events / f->seconds;
    if (!f->count)
        return;
    qsort(f->commits, f->count, sizeof *f->commits, ascending);
    f->m[BENCH_P50] = bench_percentile_us(f, 50);
    f->m[BENCH_P99] = bench_percentile_us(f, 99);
}

/* Of an even number the lower of the two in the middle. */
struct bench_spread bench_spread(const double *values, unsigned n)
{
    double all[BENCH_RUNS];
    unsigned count = 0;
    for (unsigned i = 0; i < n && i < BENCH_RUNS; i++)
        if (values[i] == values[i])
            all[count++] = values[i];
    if (count == 0)
        return (struct bench_spread){0, 0, 0, 0};
    qsort(all, count, sizeof *all, ascending);
    return (struct bench_spread){all[0], all[(count - 1) / 2], all[count - 1],
                                 count};
}

static uint64_t total;

static int add(const char *path, const struct stat *st, int kind,
               struct FTW *where)
{
    (void)path, (void)where;
    if (kind == FTW_F)
        total += (uint64_t)st->st_size;
    return 0;
}

uint64_t bench_disk(const char *path)
{
    total = 0;
    nftw(path, add, 8, FTW_PHYS);
    return total;
}

void bench_die(const char *what, const char *why)
{
    fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(1);
}
