/* proof.c - see proof.h. */
#include "proof.h"

#include <string.h>

/* The largest power of two below `n`; n >= 2. */
static uint64_t split(uint64_t n)
{
    uint64_t k = 1;
    while (k < n - k)
        k *= 2;
    return k;
}

static void put(struct plog_proof *p, uint64_t from, uint64_t to)
{
    p->part[p->count].from = from;
    p->part[p->count].to = to;
    p->part[p->count].done = false;
    p->count++;
}

/* The parts are found from the root down, and a proof lists them from the
 * leaf up. */
static void reverse(struct plog_proof *p)
{
    for (unsigned i = 0; i < p->count / 2; i++) {
        uint64_t from = p->part[i].from, to = p->part[i].to;
        p->part[i].from = p->part[p->count - 1 - i].from;
        p->part[i].to = p->part[p->count - 1 - i].to;
        p->part[p->count - 1 - i].from = from;
        p->part[p->count - 1 - i].to = to;
    }
}

static void start(struct plog_proof *p)
{
    memset(p, 0, sizeof *p);
    plog_tree_init(&p->tree);
}

int plog_proof_inclusion(struct plog_proof *p, uint64_t index, uint64_t size)
{
    uint64_t from = 0, to = size;
    start(p);
    if (index >= size || size > (uint64_t)INT64_MAX)
        return PLOG_E_ARG;
    while (to - from > 1) {
        uint64_t middle = from + split(to - from);
        if (index < middle) {
            put(p, middle, to);
            to = middle;
        } else {
            put(p, from, middle);
            from = middle;
        }
    }
    reverse(p);
    return 0;
}

int plog_proof_consistency(struct plog_proof *p, uint64_t old, uint64_t size)
{
    uint64_t from = 0, to = size;
    bool whole = true; /* the part at hand begins with all of the old tree */
    start(p);
    if (old == 0 || old > size || size > (uint64_t)INT64_MAX)
        return PLOG_E_ARG;
    while (to != old) {
        uint64_t middle = from + split(to - from);
        if (old <= middle) {
            put(p, middle, to);
            to = middle;
        } else {
            put(p, from, middle);
            from = middle;
            whole = false;
        }
    }
    if (!whole)
        put(p, from, to);
    reverse(p);
    return 0;
}

/* A node of the range is one part, or the nodes from the start of a part on are
 * the beginning of it. */
void plog_proof_begin(struct plog_proof *p, const struct plog_tree *range)
{
    uint64_t at = 0;
    p->next = range->size;
    for (unsigned n = 0; n < range->count; n++) {
        uint64_t rest = range->size - at, size = 1;
        while (size <= rest / 2)
            size *= 2;
        for (unsigned i = 0; i < p->count; i++) {
            if (p->part[i].from != at)
                continue;
            if (p->part[i].to == at + size) {
                memcpy(p->part[i].hash, range->hashes[n], PLOG_HASH_SIZE);
                p->part[i].done = true;
            } else if (p->part[i].to > range->size &&
                       plog_tree_load(&p->tree, rest, range->hashes[n],
                                      range->count - n))
                plog_tree_init(&p->tree); /* cannot be */
        }
        at += size;
    }
}

bool plog_proof_is_whole(const struct plog_proof *p)
{
    for (unsigned i = 0; i < p->count; i++)
        if (!p->part[i].done)
            return false;
    return true;
}

void plog_proof_add(struct plog_proof *p,
                    const unsigned char leaf[PLOG_HASH_SIZE])
{
    uint64_t at = p->next++;
    for (unsigned i = 0; i < p->count; i++) {
        if (at < p->part[i].from || at >= p->part[i].to)
            continue;
        if (at == p->part[i].from)
            plog_tree_init(&p->tree);
        if (plog_tree_add(&p->tree, leaf))
            return; /* cannot be: sizes are below 2^63 */
        if (at + 1 == p->part[i].to) {
            plog_tree_root(&p->tree, p->part[i].hash);
            p->part[i].done = true;
        }
    }
}

bool plog_inclusion_holds(uint64_t index, uint64_t size,
                          const unsigned char *leaf,
                          const unsigned char (*hashes)[PLOG_HASH_SIZE],
                          unsigned count, const unsigned char *root)
{
    unsigned char r[PLOG_HASH_SIZE];
    if (index >= size)
        return false;
    uint64_t fn = index, sn = size - 1;
    memcpy(r, leaf, sizeof r);
    for (unsigned i = 0; i < count; i++) {
        if (sn == 0)
            return false;
        if ((fn & 1) || fn == sn) {
            plog_hash_node(hashes[i], r, r);
            while (!(fn & 1) && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else
            plog_hash_node(r, hashes[i], r);
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && memcmp(r, root, sizeof r) == 0;
}

bool plog_consistency_holds(uint64_t old, uint64_t size,
                            const unsigned char *old_root,
                            const unsigned char *root,
                            const unsigned char (*hashes)[PLOG_HASH_SIZE],
                            unsigned count)
{
    unsigned char fr[PLOG_HASH_SIZE], sr[PLOG_HASH_SIZE];
    unsigned i = 0;
    if (old == 0 || old > size)
        return false;
    if (old == size)
        return count == 0 && memcmp(old_root, root, sizeof fr) == 0;
    uint64_t fn = old - 1, sn = size - 1;
    bool power = (old & (old - 1)) == 0; /* the old tree is itself a part */
    if (!power && count == 0)
        return false;
    memcpy(fr, power ? old_root : hashes[i++], sizeof fr);
    memcpy(sr, fr, sizeof sr);
    while (fn & 1) {
        fn >>= 1;
        sn >>= 1;
    }
    for (; i < count; i++) {
        if (sn == 0)
            return false;
        if ((fn & 1) || fn == sn) {
            plog_hash_node(hashes[i], fr, fr);
            plog_hash_node(hashes[i], sr, sr);
            while (!(fn & 1) && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else
            plog_hash_node(sr, hashes[i], sr);
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && memcmp(fr, old_root, sizeof fr) == 0 &&
           memcmp(sr, root, sizeof sr) == 0;
}
