/*
 * tree.c - see tree.h.
 *
 * A tree of 7 leaves is covered by perfect subtrees of 4, 2 and 1 leaves, the
 * one-bits of 7:
 *
 *          root
 *         /    \
 *      [4]      .        hashes[0] = [4], leaves 1..4
 *     /   \    / \       hashes[1] = [2], leaves 5..6
 *    .     . [2]  [1]    hashes[2] = [1], leaf 7
 *
 * Adding a leaf is adding 1 to the size: each carry joins the two smallest
 * subtrees.  The root folds the range from the right.
 */
#include "tree.h"

#include <assert.h>
#include <string.h>

#define SIZE_MAX_LEAVES ((uint64_t)INT64_MAX)

static unsigned bits_of(uint64_t size)
{
    unsigned n = 0;
    for (; size; size &= size - 1)
        n++;
    return n;
}

void plog_tree_init(struct plog_tree *t)
{
    t->size = 0;
    t->count = 0;
}

int plog_tree_add(struct plog_tree *t, const unsigned char leaf[PLOG_HASH_SIZE])
{
    unsigned char hash[PLOG_HASH_SIZE];
    assert(t->count == bits_of(t->size));
    if (t->size >= SIZE_MAX_LEAVES)
        return PLOG_E_ARG;
    memcpy(hash, leaf, sizeof hash);
    for (uint64_t carry = t->size; carry & 1; carry >>= 1)
        plog_hash_node(t->hashes[--t->count], hash, hash);
    memcpy(t->hashes[t->count++], hash, sizeof hash);
    t->size++;
    return 0;
}

void plog_tree_root(const struct plog_tree *t,
                    unsigned char out[PLOG_HASH_SIZE])
{
    unsigned char hash[PLOG_HASH_SIZE];
    assert(t->count == bits_of(t->size));
    if (t->count == 0) {
        plog_hash_empty(out);
        return;
    }
    memcpy(hash, t->hashes[t->count - 1], sizeof hash);
    for (unsigned i = t->count - 1; i > 0; i--)
        plog_hash_node(t->hashes[i - 1], hash, hash);
    memcpy(out, hash, sizeof hash);
}

int plog_tree_load(struct plog_tree *t, uint64_t size,
                   const unsigned char *hashes, unsigned count)
{
    if (size > SIZE_MAX_LEAVES || count != bits_of(size))
        return PLOG_E_CORRUPT;
    t->size = size;
    t->count = count;
    if (count > 0) /* `hashes` may be NULL then */
        memmove(t->hashes, hashes, (size_t)count * PLOG_HASH_SIZE);
    return 0;
}
