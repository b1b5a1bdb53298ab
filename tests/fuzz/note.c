/*
 * note.c - any bytes as a signed note, a verifier key, an origin.
 *
 * What is taken has one spelling.  A note that verifies under our key carries
 * the very signature that we would make: no second one is ever good, neither
 * one with a greater S nor one under another text.
 */
#include "note.h"

#include <sodium.h>

#include "fuzz_lines.h"

static struct plog_signer signer;
static struct plog_buf again;

/* White space and '+' by their bytes, controls by their range. */
static bool may_be_origin(const char *p, size_t n)
{
    static const char *const refused[] = {
        " ",
        "+",
        "\x7f",
        "\xc2\xa0",
        "\xe1\x9a\x80",
        "\xe2\x80\xa8",
        "\xe2\x80\xa9",
        "\xe2\x80\xaf",
        "\xe2\x81\x9f",
        "\xe3\x80\x80",
    };
    if (n < 1 || n > PLOG_ORIGIN_MAX || !fuzz_is_utf8(p, n))
        return false;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (memmem(p, n, refused[i], strlen(refused[i])))
            return false;
    for (size_t i = 0; i < n; i++) {
        const unsigned char *c = (const unsigned char *)p + i;
        if (c[0] < 0x20 || (i + 1 < n && c[0] == 0xc2 && c[1] < 0xa0))
            return false;
        if (i + 2 < n && c[0] == 0xe2 && c[1] == 0x80 && c[2] <= 0x8a)
            return false; /* U+2000 to U+200A */
    }
    return true;
}

static bool check_note(struct plog_span text)
{
    struct plog_note n;
    if (plog_note_parse(text, &n))
        return false;
    again.len = 0;
    MUST(!plog_note_format(&again, n.origin, n.size, n.root, n.key_id, n.sig));
    MUST(plog_span_equal(fuzz_span(&again), text));
    bool holds =
        plog_checkpoint_verify(&signer.vkey, n.origin, n.size, n.root, n.sig);
    MUST(holds == fuzz_is_ours(&signer, n.origin, n.size, n.root, n.sig));
    return holds;
}

static void check_vkey(struct plog_span text)
{
    char out[PLOG_VKEY_MAX];
    struct plog_vkey k, o;
    if (plog_vkey_parse(text, &k))
        return;
    plog_vkey_format(&k, out);
    MUST(plog_span_is(text, out));
    o = k;
    memset(o.id, 0, sizeof o.id);
    memset(o.id_text, 0, sizeof o.id_text);
    plog_vkey_finish(&o);
    MUST(memcmp(&o, &k, sizeof o) == 0);
}

static void check_small(struct plog_span text)
{
    unsigned char bytes[96];
    uint64_t number;
    again.len = 0;
    if (!plog_u64_parse(text, &number)) {
        MUST(number <= INT64_MAX && !plog_buf_add_u64(&again, number));
        MUST(plog_span_equal(fuzz_span(&again), text));
    }
    for (size_t n = 0; n < sizeof bytes; n++) {
        if (text.n != (n + 2) / 3 * 4 || plog_base64_decode(text, bytes, n))
            continue;
        again.len = 0;
        MUST(!plog_buf_add_base64(&again, bytes, n));
        MUST(plog_span_equal(fuzz_span(&again), text));
    }
}

/* A reader that takes nothing would pass all the rest. */
static void check_good_ones(void)
{
    unsigned char root[PLOG_HASH_SIZE] = {9}, sig[PLOG_SIG_SIZE];
    char vkey[PLOG_VKEY_MAX];
    struct plog_vkey k;
    struct plog_buf b;
    plog_buf_init(&b, fuzz_memory());
    MUST(!plog_signer_make(&signer, signer.vkey.name, 42, root, sig));
    MUST(
        !plog_note_format(&b, signer.vkey.name, 42, root, signer.vkey.id, sig));
    MUST(check_note(fuzz_span(&b)));
    plog_vkey_format(&signer.vkey, vkey);
    MUST(!plog_vkey_parse(plog_span_text(vkey), &k));
    plog_buf_fini(&b);
}

static void set_up(void)
{
    if (again.io)
        return;
    fuzz_signer(&signer, "example.org/fuzz", 7);
    plog_buf_init(&again, fuzz_memory());
    check_good_ones();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct plog_span text = plog_span((const char *)data, size);
    set_up();
    MUST(plog_origin_valid(text) == may_be_origin(text.p, text.n));
    check_note(text);
    check_vkey(text);
    check_small(text);
    return 0;
}

/* ---- Signed anew -------------------------------------------------------- */

/* S + L is the same scalar, and the same signature to a careless reader. */
static void add_order(unsigned char sig[PLOG_SIG_SIZE])
{
    static const unsigned char order[32] = {
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
        0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
        0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};
    sodium_add(sig + 32, order, sizeof order);
}

static void new_origin(char out[PLOG_ORIGIN_MAX + 1], uint64_t *random)
{
    static const char *const some[] = {"example.org/fuzz", "a", "\xc3\xa9/b",
                                       "example.org/fuzz2"};
    const char *from = some[fuzz_below(random, 4)];
    uint8_t text[PLOG_ORIGIN_MAX];
    size_t n = strlen(from);
    memcpy(text, from, n);
    if (fuzz_below(random, 2))
        n = LLVMFuzzerMutate(text, n, sizeof text);
    if (!plog_origin_valid(plog_span((char *)text, n))) {
        n = strlen(from);
        memcpy(text, from, n);
    }
    memcpy(out, text, n);
    out[n] = '\0';
}

static void new_note(uint64_t *random)
{
    char origin[PLOG_ORIGIN_MAX + 1];
    unsigned char root[PLOG_HASH_SIZE], sig[PLOG_SIG_SIZE];
    uint64_t size = fuzz_random(random) >> (1 + fuzz_below(random, 63));
    new_origin(origin, random);
    memset(root, (int)fuzz_below(random, 256), sizeof root);
    MUST(!plog_signer_make(&signer, origin, size, root, sig));
    switch (fuzz_below(random, 8)) {
    case 0:
        add_order(sig);
        break;
    case 1:
        sig[fuzz_below(random, sizeof sig)] ^= 1 << fuzz_below(random, 8);
        break;
    case 2:
        size++;
        break;
    default:
        break;
    }
    if (size > INT64_MAX)
        size = INT64_MAX;
    MUST(!plog_note_format(&again, origin, size, root, signer.vkey.id, sig));
}

static void new_vkey(uint64_t *random)
{
    char text[PLOG_VKEY_MAX];
    struct plog_vkey k = {0};
    new_origin(k.name, random);
    memcpy(k.public_key, signer.vkey.public_key, sizeof k.public_key);
    if (fuzz_below(random, 2)) /* of small order, or no point, mostly */
        memset(k.public_key, (int)fuzz_below(random, 3), sizeof k.public_key);
    plog_vkey_finish(&k);
    plog_vkey_format(&k, text);
    MUST(!plog_buf_add_text(&again, text));
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
                               unsigned seed)
{
    uint64_t random = seed;
    size_t kind = fuzz_below(&random, 64);
    set_up();
    if (kind > 2)
        return LLVMFuzzerMutate(data, size, max);
    again.len = 0;
    if (kind == 0)
        new_vkey(&random);
    else
        new_note(&random);
    if (again.len > max)
        return size;
    memcpy(data, again.data, again.len);
    return again.len;
}
