/*
 * events.c - the events: JSON deltas of about 300 bytes with a payload object,
 * a time and a source, the same in every run.
 *
 * Two thirds of their bytes do not repeat, so a compressor finds what it would
 * find in real ones.  The pool lies in memory that all processes share.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bench.h"

#define POOL_BYTES ((size_t)96 << 20)

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* Skewed: a power of two drawn evenly, and below it evenly: near 1/n, where
 * the first record gets an eighteenth of all. */
static uint64_t record_of(enum bench_shape shape, uint64_t i)
{
    if (shape != BENCH_SKEWED)
        return mix(i) % BENCH_RECORDS;
    uint64_t low = UINT64_C(1) << mix(i) % 18;
    return (low + mix(i ^ 0x5151) % low - 1) % BENCH_RECORDS;
}

/* As many hex digits that do not repeat. */
static size_t noise(char *out, size_t n, uint64_t seed)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t k = 0; k < n; k++) {
        if (k % 16 == 0)
            seed = mix(seed);
        out[k] = digits[seed >> k % 16 * 4 & 15];
    }
    return n;
}

static size_t note_of(enum bench_shape shape)
{
    return shape == BENCH_4K    ? 4096 - 110
           : shape == BENCH_64K ? 65536 - 110
                                : 16;
}

static size_t write_payload(enum bench_shape shape, uint64_t a, char *out,
                            size_t cap)
{
    uint64_t b = mix(a);
    int n = snprintf(out, cap,
                     "{\"name\":\"n%016llx\",\"mail\":\"%016llx@example.org\","
                     "\"score\":%llu.%03llu,\"tags\":[\"alpha\",\"beta\"],"
                     "\"note\":\"",
                     (unsigned long long)a, (unsigned long long)b,
                     (unsigned long long)(a % 1000),
                     (unsigned long long)(b % 1000));
    size_t at = (size_t)n;
    at += noise(out + at, note_of(shape), b);
    out[at++] = '"';
    out[at++] = '}';
    return at;
}

/* @payload, @payload_n  out: where it stands in `out` */
static size_t write_event(enum bench_shape shape, uint64_t i, char *out,
                          size_t cap, size_t *payload, size_t *payload_n)
{
    uint64_t a = mix(i ^ 0xabcdef);
    int n = snprintf(out, cap,
                     "{\"resource\":\"contacts\",\"record_id\":\"%06llu\","
                     "\"op\":\"upsert\",\"payload\":",
                     (unsigned long long)record_of(shape, i));
    *payload = (size_t)n;
    *payload_n = write_payload(shape, a, out + n, cap - (size_t)n);
    n += (int)*payload_n;
    n += snprintf(
        out + n, cap - (size_t)n,
        ",\"occurred_at\":\"2026-01-%02lluT%02llu:%02llu:%02llu.%03lluZ\","
        "\"provenance\":{\"source\":\"bench\",\"confidence\":0.%02llu}}",
        (unsigned long long)(1 + i / 86400 % 28),
        (unsigned long long)(i / 3600 % 24), (unsigned long long)(i / 60 % 60),
        (unsigned long long)(i % 60), (unsigned long long)(a % 1000),
        (unsigned long long)(a % 100));
    return (size_t)n;
}

size_t bench_write_event(enum bench_shape shape, uint64_t i, char *out,
                         size_t cap)
{
    size_t payload, n;
    return write_event(shape, i, out, cap, &payload, &n);
}

/* ---- The pool ----------------------------------------------------------- */

struct pool {
    struct bench_event *events;
    size_t count;
};
static struct pool pools[BENCH_64K + 1];

static void *shared_memory(size_t n)
{
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                   -1, 0);
    if (p == MAP_FAILED)
        bench_die("memory", "exhausted");
    return p;
}

void bench_make_pool(enum bench_shape shape)
{
    struct pool *p = &pools[shape];
    size_t cap = note_of(shape) + BENCH_EVENT_MAX, at = 0;
    if (p->events)
        return;
    char *text = shared_memory(POOL_BYTES);
    p->events = shared_memory((POOL_BYTES / 256 + 1) * sizeof *p->events);
    while (at + cap <= POOL_BYTES && p->count < BENCH_RECORDS) {
        struct bench_event *e = &p->events[p->count];
        size_t payload;
        e->text = text + at;
        e->n = write_event(shape, p->count, text + at, cap, &payload,
                           &e->payload_n);
        e->payload = e->text + payload;
        snprintf(e->record, sizeof e->record, "%06llu",
                 (unsigned long long)record_of(shape, p->count));
        at += e->n;
        p->count++;
    }
}

const struct bench_event *bench_pooled(enum bench_shape shape, uint64_t i)
{
    const struct pool *p = &pools[shape];
    if (!p->count)
        bench_die("events", "of this shape were not made");
    return &p->events[i % p->count];
}
