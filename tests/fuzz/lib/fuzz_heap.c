/* fuzz_heap.c - see fuzz_heap.h. */
#include "fuzz_heap.h"

#include <sqlite3.h>
#include <stdlib.h>

#include "fuzz.h"

#define CLASSES 48
#define MOST (128u << 10) /* what is longer is malloc's */
#define CHUNK (4u << 20)

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_MALLOC 1
#endif
#endif

#ifndef WITH_MALLOC

struct head {
    uint32_t size, class; /* CLASSES: malloc's */
    uint64_t unused;      /* blocks lie at multiples of 16 */
};

struct block {
    struct block *next;
};

static struct block *idle[CLASSES];
static unsigned char *chunk;
static size_t left;

/* Sizes of 16, 32, 48 and 64 bytes, then four for each doubling. */
static uint32_t class_of(uint32_t n, uint32_t *size)
{
    if (n <= 64) {
        uint32_t c = n ? (n - 1) / 16 : 0;
        *size = (c + 1) * 16;
        return c;
    }
    uint32_t top = 31u - (uint32_t)__builtin_clz(n - 1);
    uint32_t quarter = (n - 1) >> (top - 2) & 3;
    *size = (1u << top) + ((quarter + 1) << (top - 2));
    return 4 + (top - 6) * 4 + quarter;
}

static void *fresh(uint32_t size, uint32_t class)
{
    struct head *h;
    if (left < sizeof *h + size) {
        chunk = malloc(CHUNK);
        MUST(chunk != NULL);
        left = CHUNK;
    }
    h = (struct head *)(void *)chunk;
    chunk += sizeof *h + size;
    left -= sizeof *h + size;
    h->size = size;
    h->class = class;
    return h + 1;
}

static void *take(int wanted)
{
    uint32_t size, n = (uint32_t)wanted;
    if (n > MOST) {
        struct head *h = malloc(sizeof *h + n);
        if (!h)
            return NULL;
        h->size = n;
        h->class = CLASSES;
        return h + 1;
    }
    uint32_t class = class_of(n, &size);
    struct block *b = idle[class];
    if (!b)
        return fresh(size, class);
    idle[class] = b->next;
    return b;
}

static int size_of(void *p)
{
    return p ? (int)((struct head *)p - 1)->size : 0;
}

static void give(void *p)
{
    if (!p)
        return;
    struct head *h = (struct head *)p - 1;
    struct block *b = p;
    if (h->class == CLASSES) {
        free(h);
        return;
    }
    b->next = idle[h->class];
    idle[h->class] = b;
}

static void *resize(void *p, int n)
{
    int had = size_of(p);
    if (n <= had)
        return p;
    void *more = take(n);
    if (more && had) {
        memcpy(more, p, (size_t)had);
        give(p);
    }
    return more;
}

static int round_up(int n)
{
    return (n + 7) & ~7;
}

static int begin(void *arg)
{
    (void)arg;
    return SQLITE_OK;
}

static void end(void *arg)
{
    (void)arg;
}

static void own_memory(void)
{
    static const sqlite3_mem_methods m = {.xMalloc = take,
                                          .xFree = give,
                                          .xRealloc = resize,
                                          .xSize = size_of,
                                          .xRoundup = round_up,
                                          .xInit = begin,
                                          .xShutdown = end};
    MUST(sqlite3_config(SQLITE_CONFIG_MALLOC, &m) == SQLITE_OK);
}

#else

static void own_memory(void)
{
}

#endif

void fuzz_heap_use(void)
{
    MUST(sqlite3_config(SQLITE_CONFIG_SINGLETHREAD) == SQLITE_OK);
    MUST(sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) == SQLITE_OK);
    own_memory();
}
