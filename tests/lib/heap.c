/* heap.c - see heap.h. */
#include "heap.h"

#include <stdlib.h>
#include <string.h>

static bool refuses(const struct heap *h)
{
    if (h->fail_at == 0 || h->calls < h->fail_at)
        return false;
    return h->for_ever || h->calls == h->fail_at;
}

static void *heap_alloc(void *ctx, void *p, size_t n)
{
    struct heap *h = ctx;
    if (n == 0) {
        h->live -= p != NULL;
        free(p);
        return NULL;
    }
    h->calls++;
    if (refuses(h))
        return NULL;
    void *fresh = realloc(p, n);
    if (fresh && !p) {
        h->live++;
        memset(fresh, 0xa5, n); /* nobody may count on zeroes */
    }
    return fresh;
}

void heap_init(struct heap *h)
{
    memset(h, 0, sizeof *h);
    h->io.struct_size = sizeof h->io;
    h->io.ctx = h;
    h->io.alloc = heap_alloc;
}

void heap_fail(struct heap *h, size_t nth, bool for_ever)
{
    h->calls = 0;
    h->fail_at = nth;
    h->for_ever = for_ever;
}

bool heap_failed(const struct heap *h)
{
    return h->fail_at != 0 && h->calls >= h->fail_at;
}
