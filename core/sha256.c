/*
 * sha256.c - see sha256.h.
 *
 * An entry costs one leaf hash and about one node hash of 65 bytes, so the
 * cost of setting a hash up matters as much as its speed.
 */
#include "sha256.h"

#include <string.h>

#ifdef PLOG_WITH_LIBCRYPTO
/*
 * OpenSSL 3 marks SHA256_Init and its kin as deprecated in favour of EVP.  EVP
 * fetches and allocates for every hash, which costs more than a node hash
 * itself, can fail for lack of memory, and would need global state to keep
 * what it fetched.  The old functions need a struct on the stack, cannot fail
 * and use the same SHA instructions; so the warning is silenced, here only.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

typedef SHA256_CTX hash_state;
#define hash_init(s) ((void)SHA256_Init(s))
#define hash_update(s, p, n) ((void)SHA256_Update((s), (p), (n)))
#define hash_final(s, out) ((void)SHA256_Final((out), (s)))
#else
#include <sodium.h>

typedef crypto_hash_sha256_state hash_state;
#define hash_init(s) ((void)crypto_hash_sha256_init(s))
#define hash_update(s, p, n) ((void)crypto_hash_sha256_update((s), (p), (n)))
#define hash_final(s, out) ((void)crypto_hash_sha256_final((s), (out)))
#endif

static const unsigned char leaf_prefix = 0x00;
static const unsigned char node_prefix = 0x01;

void plog_sha256(const void *p, size_t n, unsigned char out[PLOG_HASH_SIZE])
{
    hash_state s;
    hash_init(&s);
    if (n > 0) /* p may be NULL then */
        hash_update(&s, p, n);
    hash_final(&s, out);
}

_Static_assert(sizeof(hash_state) <= sizeof(struct plog_sha256_state),
               "the state of either library fits");

static hash_state *state_of(struct plog_sha256_state *s)
{
    return (hash_state *)(void *)s->opaque;
}

void plog_sha256_begin(struct plog_sha256_state *s)
{
    hash_init(state_of(s));
}

void plog_sha256_add(struct plog_sha256_state *s, const void *p, size_t n)
{
    if (n > 0)
        hash_update(state_of(s), p, n);
}

void plog_sha256_end(struct plog_sha256_state *s,
                     unsigned char out[PLOG_HASH_SIZE])
{
    hash_final(state_of(s), out);
}

void plog_hash_leaf(const void *p, size_t n, unsigned char out[PLOG_HASH_SIZE])
{
    hash_state s;
    hash_init(&s);
    hash_update(&s, &leaf_prefix, 1);
    if (n > 0)
        hash_update(&s, p, n);
    hash_final(&s, out);
}

void plog_hash_node(const unsigned char left[PLOG_HASH_SIZE],
                    const unsigned char right[PLOG_HASH_SIZE],
                    unsigned char out[PLOG_HASH_SIZE])
{
    unsigned char both[1 + 2 * PLOG_HASH_SIZE];
    both[0] = node_prefix;
    memcpy(both + 1, left, PLOG_HASH_SIZE);
    memcpy(both + 1 + PLOG_HASH_SIZE, right, PLOG_HASH_SIZE);
    plog_sha256(both, sizeof both, out);
}

void plog_hash_empty(unsigned char out[PLOG_HASH_SIZE])
{
    plog_sha256(NULL, 0, out);
}
