/*
 * proof.h - inclusion and consistency proofs of the RFC 6962 tree.
 *
 * A proof is the hashes of some subtrees; each covers a range of leaves, and
 * the ranges do not overlap.  So proofs are made in one pass over the leaves,
 * with one compact range in memory.
 * Sources: RFC 6962, 2.1.1 and 2.1.2; checking after RFC 9162, 2.1.3.2 and
 * 2.1.4.2.
 */
#ifndef PLOG_PROOF_H
#define PLOG_PROOF_H

#include "note.h"
#include "paritylog.h"
#include "tree.h"

#define PLOG_PROOF_MAX 64 /* hashes; an inclusion path has at most 63 */

/* A proof while it is made.  `from`..`to` - 1 are leaf indexes, from 0. */
struct plog_proof {
    unsigned count;
    struct {
        uint64_t from, to;
        unsigned char hash[PLOG_HASH_SIZE];
        bool done;
    } part[PLOG_PROOF_MAX];
    struct plog_tree tree; /* of the part that is being read */
    uint64_t next;         /* index of the leaf that comes next */
};

/* The path of leaf `index` in a tree of `size`.  Returns 0, or PLOG_E_ARG
 * when index >= size. */
PLOG_MUST_CHECK int plog_proof_inclusion(struct plog_proof *p, uint64_t index,
                                         uint64_t size);
/* That a tree of `size` extends one of `old`; 1 <= old <= size. */
PLOG_MUST_CHECK int plog_proof_consistency(struct plog_proof *p, uint64_t old,
                                           uint64_t size);
/* The reading begins behind the leaves of `range`, where those before are gone:
 * parts below it are taken from it, as far as it has them. */
void plog_proof_begin(struct plog_proof *p, const struct plog_tree *range);
/* Whether every part is there. */
bool plog_proof_is_whole(const struct plog_proof *p);
/* Leaves in order, from the first one on.  The proof is whole when all leaves
 * of its tree were added. */
void plog_proof_add(struct plog_proof *p,
                    const unsigned char leaf[PLOG_HASH_SIZE]);

/* Whether `count` hashes prove that `leaf` is at `index` in the tree with
 * `root`; neither one hash more nor one less. */
bool plog_inclusion_holds(uint64_t index, uint64_t size,
                          const unsigned char *leaf,
                          const unsigned char (*hashes)[PLOG_HASH_SIZE],
                          unsigned count, const unsigned char *root);
/* Whether they prove that the tree of `size` with `root` extends the one of
 * `old` with `old_root`. */
bool plog_consistency_holds(uint64_t old, uint64_t size,
                            const unsigned char *old_root,
                            const unsigned char *root,
                            const unsigned char (*hashes)[PLOG_HASH_SIZE],
                            unsigned count);

/*
 * As plog_verify_proof of an inclusion that has its line, but for the
 * signature: the note says whose it is to be.
 * @out  `memory` is the caller's to free
 * Returns 0; PLOG_E_INPUT, PLOG_E_TAMPERED: it proves nothing; PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_proof_read(struct plog_span text,
                                    struct plog_proof_report *out,
                                    struct plog_note *note);

#endif
