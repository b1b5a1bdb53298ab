/*
 * test_proof.c - proofs of every leaf and every pair of sizes up to 130,
 * against roots computed by the recursive definition of RFC 6962, and each
 * proof with a hash changed, left out or added.
 */
#include <string.h>

#include "check.h"
#include "proof.h"

#define LEAVES 130

static unsigned char leaf[LEAVES][PLOG_HASH_SIZE];

static void make_leaves(void)
{
    for (unsigned i = 0; i < LEAVES; i++)
        plog_hash_leaf((const char *)&i, sizeof i, leaf[i]);
}

/* MTH of RFC 6962, word for word. */
static void naive_root(unsigned from, unsigned n, unsigned char *out)
{
    unsigned char left[PLOG_HASH_SIZE], right[PLOG_HASH_SIZE];
    unsigned k = 1;
    if (n == 1) {
        memcpy(out, leaf[from], PLOG_HASH_SIZE);
        return;
    }
    while (k * 2 < n)
        k *= 2;
    naive_root(from, k, left);
    naive_root(from + k, n - k, right);
    plog_hash_node(left, right, out);
}

static unsigned take(const struct plog_proof *p,
                     unsigned char out[][PLOG_HASH_SIZE])
{
    for (unsigned i = 0; i < p->count; i++) {
        CHECK(p->part[i].done);
        memcpy(out[i], p->part[i].hash, PLOG_HASH_SIZE);
    }
    return p->count;
}

static void feed(struct plog_proof *p, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        plog_proof_add(p, leaf[i]);
}

/* Every leaf of every tree has a proof, which fits this leaf, this index, this
 * size and this root only, and is whole. */
static void inclusion(void)
{
    unsigned char h[PLOG_PROOF_MAX + 1][PLOG_HASH_SIZE], root[PLOG_HASH_SIZE];
    struct plog_proof p;
    make_leaves();
    for (unsigned n = 1; n <= LEAVES; n++) {
        naive_root(0, n, root);
        for (unsigned i = 0; i < n; i++) {
            CHECK_INT(plog_proof_inclusion(&p, i, n), 0);
            feed(&p, n);
            unsigned c = take(&p, h);
            CHECK(plog_inclusion_holds(i, n, leaf[i], h, c, root));
            CHECK(!plog_inclusion_holds(i + 1, n, leaf[i], h, c, root));
            CHECK(
                !plog_inclusion_holds(i, 2 * (uint64_t)n, leaf[i], h, c, root));
            CHECK(!plog_inclusion_holds(i, n, leaf[(i + 1) % LEAVES], h, c,
                                        root));
            CHECK(c == 0 ||
                  !plog_inclusion_holds(i, n, leaf[i], h, c - 1, root));
            memcpy(h[c], root, sizeof root);
            CHECK(!plog_inclusion_holds(i, n, leaf[i], h, c + 1, root));
            for (unsigned k = 0; k < c; k++) {
                h[k][k % PLOG_HASH_SIZE] ^= 4;
                CHECK(!plog_inclusion_holds(i, n, leaf[i], h, c, root));
                h[k][k % PLOG_HASH_SIZE] ^= 4;
            }
        }
    }
    CHECK_INT(plog_proof_inclusion(&p, 3, 3), PLOG_E_ARG);
    CHECK_INT(plog_proof_inclusion(&p, 0, 0), PLOG_E_ARG);
}

static void consistency(void)
{
    unsigned char h[PLOG_PROOF_MAX + 1][PLOG_HASH_SIZE];
    unsigned char old[PLOG_HASH_SIZE], root[PLOG_HASH_SIZE];
    struct plog_proof p;
    make_leaves();
    for (unsigned n = 1; n <= LEAVES; n++) {
        naive_root(0, n, root);
        for (unsigned m = 1; m <= n; m++) {
            naive_root(0, m, old);
            CHECK_INT(plog_proof_consistency(&p, m, n), 0);
            feed(&p, n);
            unsigned c = take(&p, h);
            CHECK(plog_consistency_holds(m, n, old, root, h, c));
            CHECK(m == n || !plog_consistency_holds(m, n, root, old, h, c));
            CHECK(!plog_consistency_holds(m, n, leaf[0], leaf[1], h, c));
            /* Of a tree with more levels it says nothing. */
            CHECK(m == n ||
                  !plog_consistency_holds(m, 2 * (uint64_t)n, old, root, h, c));
            CHECK(m == n || !plog_consistency_holds(m, UINT64_C(1) << 40, old,
                                                    root, h, c));
            CHECK(c == 0 || !plog_consistency_holds(m, n, old, root, h, c - 1));
            memcpy(h[c], root, sizeof root);
            CHECK(!plog_consistency_holds(m, n, old, root, h, c + 1));
            for (unsigned k = 0; k < c; k++) {
                h[k][k % PLOG_HASH_SIZE] ^= 4;
                CHECK(!plog_consistency_holds(m, n, old, root, h, c));
                h[k][k % PLOG_HASH_SIZE] ^= 4;
            }
        }
    }
    CHECK_INT(plog_proof_consistency(&p, 0, 3), PLOG_E_ARG);
    CHECK_INT(plog_proof_consistency(&p, 4, 3), PLOG_E_ARG);
}

/* The first example of RFC 6962, 2.1.3: seven leaves. */
static void seven_leaves(void)
{
    struct plog_proof p;
    CHECK_INT(plog_proof_inclusion(&p, 0, 7), 0);
    CHECK_UINT(p.count, 3); /* b, h, l */
    CHECK_UINT(p.part[0].from, 1);
    CHECK_UINT(p.part[1].from, 2);
    CHECK_UINT(p.part[2].from, 4);
    CHECK_UINT(p.part[2].to, 7);
    CHECK_INT(plog_proof_consistency(&p, 3, 7), 0);
    CHECK_UINT(p.count, 4); /* c, d, g, l */
    CHECK_UINT(p.part[0].from, 2);
    CHECK_UINT(p.part[0].to, 3);
    CHECK_UINT(p.part[1].from, 3);
    CHECK_UINT(p.part[2].from, 0);
    CHECK_UINT(p.part[3].from, 4);
    CHECK_INT(plog_proof_consistency(&p, 4, 7), 0);
    CHECK_UINT(p.count, 1); /* l */
}

/* A proof lacks a hash until the last leaf of its last part was added. */
static void whole_or_not(void)
{
    struct plog_proof p;
    make_leaves();
    for (unsigned n = 2; n <= 40; n++) {
        CHECK_INT(plog_proof_inclusion(&p, 0, n), 0);
        for (unsigned i = 0; i < n; i++) {
            CHECK(!plog_proof_is_whole(&p));
            plog_proof_add(&p, leaf[i]);
        }
        CHECK(plog_proof_is_whole(&p));
    }
    CHECK_INT(plog_proof_inclusion(&p, 0, 1), 0);
    CHECK(plog_proof_is_whole(&p)); /* of one leaf there is nothing to add */
}

/* Of no hashes none is looked at. */
static void no_hashes(void)
{
    make_leaves();
    for (unsigned n = 1; n <= 40; n++)
        for (unsigned m = 1; m <= n; m++)
            CHECK(plog_consistency_holds(m, n, leaf[0], leaf[0], NULL, 0) ==
                  (m == n));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"inclusion", inclusion},       {"consistency", consistency},
        {"seven_leaves", seven_leaves}, {"whole or not", whole_or_not},
        {"no hashes", no_hashes},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
