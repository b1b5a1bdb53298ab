/* fuzz.c - see fuzz.h. */
#include "fuzz.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "key.h"

void fuzz_broken(const char *what, const char *file, int line)
{
    fprintf(stderr, "BROKEN %s:%d: %s\n", file, line, what);
    abort();
}

uint64_t fuzz_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

size_t fuzz_below(uint64_t *state, size_t n)
{
    return n ? (size_t)(fuzz_random(state) % n) : 0;
}

static void *memory(void *ctx, void *p, size_t n)
{
    (void)ctx;
    if (n)
        return realloc(p, n);
    free(p);
    return NULL;
}

const struct plog_io *fuzz_memory(void)
{
    static struct plog_io io;
    io.struct_size = sizeof io;
    io.alloc = memory;
    return &io;
}

bool fuzz_inside(struct plog_span inner, struct plog_span outer)
{
    uintptr_t at = (uintptr_t)inner.p, from = (uintptr_t)outer.p;
    return inner.n == 0 ||
           (at >= from && inner.n <= outer.n && at - from <= outer.n - inner.n);
}

/* By the value of each character: decoded, then the shortest form asked. */
bool fuzz_is_utf8(const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text;
    for (size_t i = 0; i < n;) {
        size_t more = 0;
        uint32_t c = p[i++];
        if (c >= 0x80) {
            more = c >> 5 == 6 ? 1 : c >> 4 == 14 ? 2 : c >> 3 == 30 ? 3 : 0;
            if (more == 0)
                return false;
            c &= 0x7fu >> (more + 1);
        }
        for (size_t k = 0; k < more; k++, i++) {
            if (i >= n || p[i] >> 6 != 2)
                return false;
            c = c << 6 | (p[i] & 63u);
        }
        size_t need = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
        if (need != more || c > 0x10ffff || c >> 11 == 27)
            return false;
    }
    return true;
}

bool fuzz_is_message(const char *text, size_t cap)
{
    size_t n = strnlen(text, cap);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 0x20)
            return false;
    return n < cap && fuzz_is_utf8(text, n);
}

void fuzz_signer(struct plog_signer *s, const char *name, unsigned char seed)
{
    struct plog_vkey k = {0};
    struct plog_buf text;
    unsigned char pair[33], public_key[32], secret[64];
    memset(pair, seed, sizeof pair);
    pair[0] = 1;
    plog_buf_init(&text, fuzz_memory());
    /* The id, which the text form must name, follows from the public key. */
    crypto_sign_seed_keypair(public_key, secret, pair + 1);
    memcpy(k.name, name, strlen(name));
    memcpy(k.public_key, public_key, sizeof public_key);
    plog_vkey_finish(&k);
    MUST(!plog_buf_add_text(&text, "PRIVATE+KEY+") &&
         !plog_buf_add_text(&text, name) && !plog_buf_add_text(&text, "+") &&
         !plog_buf_add_text(&text, k.id_text) &&
         !plog_buf_add_text(&text, "+") &&
         !plog_buf_add_base64(&text, pair, sizeof pair) &&
         !plog_signer_parse(s, fuzz_span(&text), NULL, NULL));
    plog_buf_fini(&text);
}

bool fuzz_is_ours(const struct plog_signer *s, const char *origin,
                  uint64_t size, const unsigned char *root,
                  const unsigned char *sig)
{
    unsigned char again[PLOG_SIG_SIZE];
    return !plog_signer_make(s, origin, size, root, again) &&
           memcmp(again, sig, sizeof again) == 0;
}
