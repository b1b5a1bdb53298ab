/* fuzz_seen.c - see fuzz_seen.h. */
#include "fuzz_seen.h"

#include <stdlib.h>

#define STATES (1u << 20)
#define MADE 1024        /* of 100 KB, about */
#define LARGE (1u << 18) /* what is larger is not kept */

#define MIX 0x9e3779b97f4a7c15u

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * MIX;
    return h ^ h >> 29;
}

/* Four at once, for one waits for its multiplication. */
static uint64_t hash_bytes(uint64_t h, const void *data, size_t n)
{
    const unsigned char *p = data;
    uint64_t lane[4] = {h, h + 1, h + 2, h + 3}, v[4];
    h = mix(h, n);
    for (; n >= sizeof v; n -= sizeof v, p += sizeof v) {
        memcpy(v, p, sizeof v);
        for (int i = 0; i < 4; i++)
            lane[i] = mix(lane[i], v[i]);
    }
    memset(v, 0, sizeof v);
    if (n)
        memcpy(v, p, n);
    for (int i = 0; i < 4; i++)
        h = mix(h, mix(lane[i], v[i]));
    return h;
}

uint64_t fuzz_seen_hash(const struct fuzz_world *w)
{
    uint64_t sum = 0;
    for (int i = 0; i < RAM_FILES; i++) {
        const struct ram_file *f = &w->ram.file[i];
        if (f->path[0]) /* in any order */
            sum += hash_bytes(hash_bytes(f->mode, f->path, strlen(f->path)),
                              f->data, f->n);
    }
    return sum ? sum : 1;
}

uint64_t fuzz_seen_key(uint64_t state, const char *text, size_t n)
{
    return hash_bytes(state, text, n);
}

bool fuzz_seen_before(uint64_t hash)
{
    static uint64_t known[STATES];
    uint64_t *at = &known[hash % STATES];
    bool was = *at == hash;
    *at = hash;
    return was;
}

/* ---- What changes made -------------------------------------------------- */

static struct made {
    uint64_t key, state;
    unsigned char *data;
    size_t n;
} all[MADE];

uint64_t fuzz_seen_made(struct fuzz_world *w, uint64_t key)
{
    const struct made *m = &all[key % MADE];
    if (!m->state || m->key != key)
        return 0;
    ram_put(&w->ram, FUZZ_STORE, m->data, m->n);
    return m->state;
}

void fuzz_seen_keep(struct fuzz_world *w, uint64_t key, uint64_t state)
{
    const struct ram_file *f = ram_find(&w->ram, FUZZ_STORE);
    struct made *m = &all[key % MADE];
    if (!f || f->n > LARGE)
        return;
    unsigned char *data = realloc(m->data, f->n + 1);
    MUST(data != NULL);
    if (f->n)
        memcpy(data, f->data, f->n);
    *m = (struct made){.key = key, .state = state, .data = data, .n = f->n};
}

static bool is_as_kept(const struct fuzz_world *w, const struct ram_file *f)
{
    size_t n = 0;
    const unsigned char *was = fuzz_world_kept(w, f->path, &n);
    if (!was || !strcmp(f->path, FUZZ_STORE))
        return was != NULL;
    return n == f->n && (n == 0 || memcmp(was, f->data, n) == 0);
}

bool fuzz_seen_others(const struct fuzz_world *w)
{
    unsigned count = 0;
    for (int i = 0; i < RAM_FILES; i++) {
        const struct ram_file *f = &w->ram.file[i];
        if (f->path[0] && !is_as_kept(w, f))
            return false;
        count += f->path[0] != '\0';
    }
    return count == w->count;
}
