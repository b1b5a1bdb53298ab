/* events.c - the events, and the arithmetic of rows.  See bench.h. */
#define _XOPEN_SOURCE 700
#include "bench.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

uint64_t bench_record(uint64_t i)
{
    return mix(i) % BENCH_RECORDS;
}

size_t bench_event(uint64_t i, char *out)
{
    uint64_t a = mix(i ^ 0xabcdef), b = mix(a);
    int n = snprintf(
        out, BENCH_EVENT_MAX,
        "{\"resource\":\"contacts\",\"record_id\":\"%06llu\",\"op\":\"upsert\","
        "\"payload\":{\"name\":\"n%016llx\",\"mail\":\"%016llx@example.org\","
        "\"score\":%llu.%03llu,\"tags\":[\"alpha\",\"beta\"],\"note\":\"%016llx"
        "\"},\"occurred_at\":\"2026-01-%02lluT%02llu:%02llu:%02llu.%03lluZ\","
        "\"provenance\":{\"source\":\"bench\",\"confidence\":0.%02llu}}",
        (unsigned long long)bench_record(i), (unsigned long long)a,
        (unsigned long long)b, (unsigned long long)(a % 1000),
        (unsigned long long)(b % 1000), (unsigned long long)mix(b),
        (unsigned long long)(1 + i / 86400 % 28),
        (unsigned long long)(i / 3600 % 24), (unsigned long long)(i / 60 % 60),
        (unsigned long long)(i % 60), (unsigned long long)(a % 1000),
        (unsigned long long)(b % 100));
    return (size_t)n;
}

double bench_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void bench_commit(struct bench_row *r, double seconds)
{
    if (r->count == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 4096;
        double *grown = realloc(r->commits, cap * sizeof *grown);
        if (!grown)
            bench_die("memory", "exhausted");
        r->commits = grown;
        r->cap = cap;
    }
    r->commits[r->count++] = seconds;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void bench_row_end(struct bench_row *r)
{
    if (r->count)
        qsort(r->commits, r->count, sizeof *r->commits, ascending);
}

double bench_percentile(const struct bench_row *r, double p)
{
    if (!r->count)
        return 0;
    size_t at = (size_t)(p / 100 * (double)(r->count - 1) + 0.5);
    return r->commits[at] * 1e6;
}

void bench_row_free(struct bench_row *r)
{
    free(r->commits);
    memset(r, 0, sizeof *r);
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

uint64_t bench_disk(const char *dir)
{
    total = 0;
    nftw(dir, add, 8, FTW_PHYS);
    return total;
}

void bench_die(const char *what, const char *why)
{
    fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(1);
}
