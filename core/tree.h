/*
 * tree.h - the RFC 6962 Merkle tree as a compact range: the hashes of the
 * perfect subtrees that cover entries 1..size, largest first.
 *
 * Pure functions of bytes; no memory is allocated.
 */
#ifndef PLOG_TREE_H
#define PLOG_TREE_H

#include "sha256.h"

#define PLOG_TREE_HASHES 63 /* sizes stay below 2^63 */

struct plog_tree {
    uint64_t size;
    /* count == number of one-bits of size; hashes[0] is the largest subtree */
    unsigned count;
    unsigned char hashes[PLOG_TREE_HASHES][PLOG_HASH_SIZE];
};

void plog_tree_init(struct plog_tree *t); /* size 0 */

/* Adds one leaf.  Returns 0, or PLOG_E_ARG at the largest size (2^63 - 1). */
PLOG_MUST_CHECK int plog_tree_add(struct plog_tree *t,
                                  const unsigned char leaf[PLOG_HASH_SIZE]);

/* The root of the tree; of size 0 the hash of nothing. */
void plog_tree_root(const struct plog_tree *t,
                    unsigned char out[PLOG_HASH_SIZE]);

/* Makes a range of `size` from stored hashes, largest first.
 * Returns 0, or PLOG_E_CORRUPT when `count` does not fit `size`. */
PLOG_MUST_CHECK int plog_tree_load(struct plog_tree *t, uint64_t size,
                                   const unsigned char *hashes, unsigned count);

#endif
