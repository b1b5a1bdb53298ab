/*
 * sha256.h - the one place where SHA-256 is chosen.
 *
 * libsodium by default; OpenSSL's libcrypto, which uses the processor's SHA
 * instructions, when the build found it (PLOG_WITH_LIBCRYPTO).
 */
#ifndef PLOG_SHA256_H
#define PLOG_SHA256_H

#include "paritylog.h"

/* The hash of `n` bytes; `p` may be NULL when `n` is 0. */
void plog_sha256(const void *p, size_t n, unsigned char out[PLOG_HASH_SIZE]);

/* The same in parts.  A state belongs to whoever began it, and is of no use
 * once it was ended. */
struct plog_sha256_state {
    uint64_t opaque[16];
};
void plog_sha256_begin(struct plog_sha256_state *s);
void plog_sha256_add(struct plog_sha256_state *s, const void *p, size_t n);
void plog_sha256_end(struct plog_sha256_state *s,
                     unsigned char out[PLOG_HASH_SIZE]);

/* The RFC 6962 hashes: SHA-256(0x00 || data), SHA-256(0x01 || left || right),
 * SHA-256("").  `out` may be `left` or `right`. */
void plog_hash_leaf(const void *p, size_t n, unsigned char out[PLOG_HASH_SIZE]);
void plog_hash_node(const unsigned char left[PLOG_HASH_SIZE],
                    const unsigned char right[PLOG_HASH_SIZE],
                    unsigned char out[PLOG_HASH_SIZE]);
void plog_hash_empty(unsigned char out[PLOG_HASH_SIZE]);

#endif
