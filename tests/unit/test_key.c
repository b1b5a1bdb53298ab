/* test_key.c - signing keys: what they sign, and their text forms. */
#include "check.h"
#include "key.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "keys.h"

#define OPS 1u
#define MEM_KIB 8u

static void unhex(const char *hex, unsigned char *out)
{
    for (size_t i = 0; hex[2 * i]; i++) {
        char two[3] = {hex[2 * i], hex[2 * i + 1], 0};
        out[i] = (unsigned char)strtoul(two, NULL, 16);
    }
}

/* ---- Signers ------------------------------------------------------------- */

/* RFC 8032, 7.1, tests 1 to 3: public key and signature from the seed. */
static void test_key__published_vectors(void)
{
    static const struct {
        const char *seed, *public_key, *message, *sig;
    } vectors[] = {
        {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
         "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
        {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
         "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
         "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
        {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
         "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
         "af82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
         "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        unsigned char seed[32], want[64], message[2], sig[64];
        struct plog_signer s;
        struct keys_rig r;
        keys_rig_init(&r);
        unhex(vectors[i].seed, seed);
        r.seed = seed;
        REQUIRE(plog_signer_generate(&s, &r.io, KEYS_ORIGIN, NULL) == 0);
        unhex(vectors[i].public_key, want);
        CHECK_BYTES(s.vkey.public_key, 32, want, 32);
        unhex(vectors[i].message, message);
        crypto_sign_detached(sig, NULL, message, strlen(vectors[i].message) / 2,
                             s.secret);
        unhex(vectors[i].sig, want);
        CHECK_BYTES(sig, 64, want, 64);
        plog_signer_fini(&s);
    }
}

static void test_key__generate(void)
{
    struct plog_signer a, b;
    struct plog_error err;
    struct keys_rig r;
    keys_rig_init(&r);
    REQUIRE(plog_signer_generate(&a, &r.io, KEYS_ORIGIN, &err) == 0);
    REQUIRE(plog_signer_generate(&b, &r.io, KEYS_ORIGIN, &err) == 0);
    CHECK(!keys_same(&a, &b));
    plog_signer_fini(&a);
    plog_signer_fini(&a);
    plog_signer_fini(&b);
    CHECK_INT(plog_signer_generate(&a, &r.io, "a b", &err), PLOG_E_ARG);
    CHECK(!a.secret);
    CHECK_INT(plog_signer_generate(&a, &r.io, "a+b", &err), PLOG_E_ARG);
    CHECK_INT(plog_signer_generate(&a, &r.io, "", &err), PLOG_E_ARG);
    r.random_fails = true;
    CHECK_INT(plog_signer_generate(&a, &r.io, KEYS_ORIGIN, &err), PLOG_E_IO);
    CHECK_INT(err.code, PLOG_E_IO);
    CHECK(!a.secret);
    plog_signer_fini(&a);
}

/* The same bytes as OpenSSL's, and nothing without a check. */
static void test_key__sign(void)
{
    unsigned char root[32], sig[64], want[64], none[64] = {0};
    struct plog_signer s = keys_golden();
    REQUIRE(s.secret);
    unhex("222b0bd51fcef7e65c2e62db2ed65457013bab56be6fafeb19ee11d453153c80",
          root);
    unhex("63d0d2f83ece7aeb504a1efa8f6c2526389f53e9c85afbd9dd622d21f15d7859"
          "ae23b4da943ccc3971789ce5231c1cd6533291b624e8177321108f35f15a640a",
          want);
    CHECK_INT(plog_signer_sign(&s, KEYS_ORIGIN, 5, root, sig), 0);
    CHECK_BYTES(sig, 64, want, 64);
    CHECK(plog_checkpoint_verify(&s.vkey, KEYS_ORIGIN, 5, root, sig));
    CHECK(!plog_checkpoint_verify(&s.vkey, "foreign", 5, root, sig));

    memset(sig, 0, sizeof sig);
    CHECK_INT(plog_signer_sign(&s, "a b", 5, root, sig), PLOG_E_ARG);
    CHECK_INT(plog_signer_sign(&s, KEYS_ORIGIN, UINT64_MAX, root, sig),
              PLOG_E_ARG);
    s.vkey.public_key[0] ^= 1; /* the pair does not fit any more */
    CHECK_INT(plog_signer_sign(&s, KEYS_ORIGIN, 5, root, sig), PLOG_E_KEY);
    s.vkey.public_key[0] ^= 1;
    sodium_mprotect_readwrite(s.secret);
    s.secret[3] ^= 1; /* nor with a secret that rotted in memory */
    CHECK_INT(plog_signer_sign(&s, KEYS_ORIGIN, 5, root, sig), PLOG_E_KEY);
    plog_signer_fini(&s);
    CHECK_INT(plog_signer_sign(&s, KEYS_ORIGIN, 5, root, sig), PLOG_E_KEY);
    CHECK_BYTES(sig, 64, none, 64);
}

/* Another signature by the same secret: of a signer that draws its nonce. */
static void sign_otherwise(const struct plog_signer *s, const char *text,
                           size_t n, unsigned char sig[64])
{
    unsigned char az[64], r[32], h[64], k[32];
    crypto_hash_sha512_state st;
    crypto_hash_sha512(az, s->secret, 32);
    az[0] &= 248;
    az[31] = (unsigned char)((az[31] & 127) | 64);
    crypto_core_ed25519_scalar_random(r);
    crypto_scalarmult_ed25519_base_noclamp(sig, r);
    crypto_hash_sha512_init(&st);
    crypto_hash_sha512_update(&st, sig, 32);
    crypto_hash_sha512_update(&st, s->vkey.public_key, 32);
    crypto_hash_sha512_update(&st, (const unsigned char *)text, n);
    crypto_hash_sha512_final(&st, h);
    crypto_core_ed25519_scalar_reduce(k, h);
    crypto_core_ed25519_scalar_mul(k, k, az);
    crypto_core_ed25519_scalar_add(sig + 32, k, r);
}

/* The same answers as verifying, whoever made it, with a secret or without. */
static void test_key__confirms(void)
{
    unsigned char root[32] = {7}, other[32] = {8}, sigs[3][64];
    char text[PLOG_CHECKPOINT_TEXT_MAX];
    struct plog_error err;
    struct keys_rig r;
    struct plog_signer s = keys_golden(), stranger, none = {.secret = NULL};
    REQUIRE(s.secret);
    keys_rig_init(&r);
    CHECK_INT(plog_signer_generate(&stranger, &r.io, KEYS_ORIGIN, &err), 0);
    size_t n = plog_checkpoint_write(text, KEYS_ORIGIN, 5, root);
    CHECK_INT(plog_signer_sign(&s, KEYS_ORIGIN, 5, root, sigs[0]), 0);
    sign_otherwise(&s, text, n, sigs[1]);
    CHECK(memcmp(sigs[0], sigs[1], 64) != 0);
    CHECK_INT(plog_signer_sign(&stranger, KEYS_ORIGIN, 5, root, sigs[2]), 0);
    const struct plog_signer *whose[] = {&s, &stranger, &none};
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++) {
            const struct plog_signer *by = whose[i];
            CHECK(plog_signer_confirms(by, &s.vkey, KEYS_ORIGIN, 5, root,
                                       sigs[k]) == (k < 2));
            CHECK(plog_signer_confirms(by, &stranger.vkey, KEYS_ORIGIN, 5, root,
                                       sigs[k]) == (k == 2));
            CHECK(!plog_signer_confirms(by, &s.vkey, KEYS_ORIGIN, 6, root,
                                        sigs[k]));
            CHECK(!plog_signer_confirms(by, &s.vkey, KEYS_ORIGIN, 5, other,
                                        sigs[k]));
            CHECK(
                !plog_signer_confirms(by, &s.vkey, "other", 5, root, sigs[k]));
            CHECK(
                !plog_signer_confirms(by, &s.vkey, "two\n1", 5, root, sigs[k]));
        }
    /* Of a head that no text can be made of: not by what memory holds yet. */
    const unsigned char nothing[64] = {0};
    for (int i = 0; i < 2; i++) {
        const char *origin = i ? KEYS_ORIGIN : "two\n1";
        uint64_t size = i ? UINT64_MAX : 5;
        int held =
            plog_signer_confirms(&s, &s.vkey, origin, size, root, nothing);
        held += plog_signer_confirms(&s, &s.vkey, origin, size, root, nothing);
        CHECK_INT(held, 0);
    }
    for (int bit = 0; bit < 512; bit++) {
        sigs[0][bit / 8] ^= (unsigned char)(1 << bit % 8);
        CHECK(
            !plog_signer_confirms(&s, &s.vkey, KEYS_ORIGIN, 5, root, sigs[0]));
        sigs[0][bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    sodium_mprotect_readwrite(s.secret);
    s.secret[3] ^= 1; /* a secret that rotted judges nothing */
    CHECK(plog_signer_confirms(&s, &s.vkey, KEYS_ORIGIN, 5, root, sigs[0]));
    plog_signer_fini(&s);
    plog_signer_fini(&stranger);
}

/* ---- Text forms ---------------------------------------------------------- */

static void test_key__plain_text(void)
{
    struct plog_signer s = keys_golden(), again;
    struct plog_buf b;
    char vkey[PLOG_VKEY_MAX];
    plog_buf_init(&b, plog_io_posix());
    plog_vkey_format(&s.vkey, vkey);
    CHECK_TEXT(vkey, KEYS_VKEY);
    CHECK_INT(plog_signer_format(&s, plog_io_posix(), NULL, 0, 0, &b), 0);
    CHECK_BYTES(b.data, b.len, KEYS_SKEY, strlen(KEYS_SKEY));
    CHECK_INT(
        plog_signer_parse(&again, plog_span(b.data, b.len), "unused", NULL), 0);
    CHECK(keys_same(&s, &again));
    plog_signer_fini(&again);
    plog_signer_fini(&s);
    CHECK_INT(plog_signer_format(&s, plog_io_posix(), NULL, 0, 0, &b),
              PLOG_E_KEY);
    plog_buf_fini(&b);
}

/* The encrypted form of the golden key, cheap, in `b`. */
static void seal_golden(struct plog_buf *b, const char *passphrase)
{
    struct plog_signer s = keys_golden();
    struct keys_rig r;
    keys_rig_init(&r);
    plog_buf_init(b, plog_io_posix());
    CHECK_INT(plog_signer_format(&s, &r.io, passphrase, OPS, MEM_KIB, b), 0);
    plog_signer_fini(&s);
}

static void test_key__encrypted_text(void)
{
    struct plog_signer s = keys_golden(), again;
    struct plog_buf b, same;
    struct plog_error err;
    const char *kind = "ENCRYPTED+KEY+" KEYS_ORIGIN "+cc714670+AQAAAAEAAAAI";
    seal_golden(&b, "open sesame");
    seal_golden(&same, "open sesame");
    CHECK_BYTES(b.data, b.len, same.data, same.len);
    CHECK_BYTES(b.data, strlen(kind), kind, strlen(kind));
    struct plog_span text = plog_span(b.data, b.len);
    CHECK_INT(plog_signer_parse(&again, text, "open sesame", &err), 0);
    CHECK(keys_same(&s, &again));
    plog_signer_fini(&again);

    CHECK_INT(plog_signer_parse(&again, text, "open Sesame", &err), PLOG_E_KEY);
    CHECK(strstr(err.message, "wrong passphrase") != NULL);
    CHECK(!again.secret);
    CHECK_INT(plog_signer_parse(&again, text, "", &err), PLOG_E_KEY);
    CHECK(strstr(err.message, "wrong passphrase") != NULL);
    CHECK_INT(plog_signer_parse(&again, text, NULL, &err), PLOG_E_KEY);
    CHECK(strstr(err.message, "no passphrase was given") != NULL);
    CHECK(!strstr(err.message, "wrong"));
    CHECK(err.hint[0] != '\0');
    plog_buf_fini(&b);
    plog_buf_fini(&same);
    plog_signer_fini(&s);
}

/* What is no key is called that, whatever of it is wrong. */
static void test_key__malformed(void)
{
    static const char *const all[] = {
        "",
        "PRIVATE+KEY",
        "PRIVATE+KEX+" KEYS_ORIGIN "+cc714670+AZ1hsZ3v",
        "PRIVATE+KEY+" KEYS_ORIGIN,
        "PRIVATE+KEY+" KEYS_ORIGIN "+cc714670",
        "PRIVATE+KEY+" KEYS_ORIGIN "+cc714670+",
        "PRIVATE+KEY+" KEYS_ORIGIN "+cc714670+AZ1hsZ3v",
        KEYS_SKEY "=",
        "PRIVATE+KEY+" KEYS_ORIGIN
        "+cc714670+AZ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9?",
        /* All but the name and the id is as it should be. */
        "PRIVATE+KEY+AZ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g",
        "PRIVATE+KEY++cc714670+AZ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g",
        "PRIVATE+KEY+a b+cc714670+AZ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g",
        "PRIVATE+KEY+" KEYS_ORIGIN
        "+AZ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g",
        "ENCRYPTED+KEY+" KEYS_ORIGIN,
        "ENCRYPTED+KEY+" KEYS_ORIGIN "+cc714670+AQAAAAEAAAAI",
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_signer s;
        struct plog_error err = {.code = 0};
        CHECK_INT(plog_signer_parse(&s, plog_span_text(all[i]), "x", &err),
                  PLOG_E_KEY);
        CHECK_INT(err.code, PLOG_E_KEY);
        CHECK_TEXT(err.message, "malformed signing key (expected one line"
                                " PRIVATE+KEY+NAME+ID+BASE64 or"
                                " ENCRYPTED+KEY+NAME+ID+BASE64)");
        CHECK(!s.secret);
    }
}

static void test_key__format_refuses(void)
{
    struct plog_signer s = keys_golden();
    struct plog_buf b;
    struct keys_rig r;
    keys_rig_init(&r);
    plog_buf_init(&b, &r.io);
    CHECK_INT(plog_signer_format(&s, &r.io, "", OPS, MEM_KIB, &b), PLOG_E_ARG);
    CHECK_INT(plog_signer_format(&s, &r.io, "p", 17, MEM_KIB, &b), PLOG_E_ARG);
    CHECK_INT(plog_signer_format(&s, &r.io, "p", OPS, 7, &b), PLOG_E_ARG);
    CHECK_INT(plog_signer_format(&s, &r.io, "p", OPS, (1u << 20) + 1, &b),
              PLOG_E_ARG);
    r.random_fails = true;
    CHECK_INT(plog_signer_format(&s, &r.io, "p", OPS, MEM_KIB, &b), PLOG_E_IO);
    r.random_fails = false;
    for (int i = 0; i < 2; i++) { /* the salt, the nonce */
        r.randoms_left = i;
        CHECK_INT(plog_signer_format(&s, &r.io, "p", OPS, MEM_KIB, &b),
                  PLOG_E_IO);
    }
    CHECK_UINT(b.len, 0);
    plog_buf_fini(&b);
    plog_signer_fini(&s);
}

/* An encrypted key text with other bytes at `at` of its blob. */
static int parse_patched(size_t at, const unsigned char *p, size_t n,
                         struct plog_error *err)
{
    const size_t head = strlen("ENCRYPTED+KEY+" KEYS_ORIGIN "+cc714670+");
    unsigned char blob[98];
    struct plog_buf b, text;
    struct plog_signer s;
    seal_golden(&b, "p");
    plog_buf_init(&text, plog_io_posix());
    CHECK_INT(plog_base64_decode(plog_span(b.data + head, b.len - head), blob,
                                 sizeof blob),
              0);
    memcpy(blob + at, p, n);
    CHECK_INT(plog_buf_add(&text, b.data, head), 0);
    CHECK_INT(plog_buf_add_base64(&text, blob, sizeof blob), 0);
    int rc = plog_signer_parse(&s, plog_span(text.data, text.len), "p", err);
    CHECK((rc == 0) == (s.secret != NULL));
    plog_signer_fini(&s);
    plog_buf_fini(&b);
    plog_buf_fini(&text);
    return rc;
}

/* Would take hours and terabytes if they were paid. */
static void test_key__costs_are_refused_before_they_are_paid(void)
{
    static const unsigned char bad[][8] = {
        {0, 0, 0, 17, 0, 0, 0, 8}, {255, 255, 255, 255, 0, 0, 0, 8},
        {0, 0, 0, 1, 0, 16, 0, 1}, {0, 0, 0, 1, 255, 255, 255, 255},
        {0, 0, 0, 0, 0, 0, 0, 8},  {0, 0, 0, 1, 0, 0, 0, 7},
        {0, 0, 0, 1, 0, 0, 0, 0},  {128, 0, 0, 1, 0, 0, 0, 8}};
    static const unsigned char good[8] = {0, 0, 0, 1, 0, 0, 0, 8};
    const unsigned char algorithm = 2;
    struct plog_error err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_INT(parse_patched(1, bad[i], 8, &err), PLOG_E_KEY);
        CHECK(strstr(err.message, "out of range") != NULL);
    }
    CHECK_INT(parse_patched(1, good, 8, &err), 0);
    CHECK_INT(parse_patched(0, &algorithm, 1, &err), PLOG_E_KEY);
}

/* Each changed bit of the plain form, and the lowest of each byte of the
 * encrypted one (higher ones ask for high costs), is refused. */
static void test_key__every_changed_byte_is_refused(void)
{
    struct plog_signer s;
    char plain[] = KEYS_SKEY;
    struct plog_buf b;
    for (size_t i = 0; i < sizeof plain - 1; i++)
        for (int bit = 0; bit < 8; bit++) {
            plain[i] = (char)(plain[i] ^ (1 << bit));
            CHECK_INT(plog_signer_parse(&s, plog_span(plain, sizeof plain - 1),
                                        NULL, NULL),
                      PLOG_E_KEY);
            CHECK(!s.secret);
            plain[i] = (char)(plain[i] ^ (1 << bit));
        }
    seal_golden(&b, "p");
    for (size_t i = 0; i < b.len; i++) {
        b.data[i] ^= 1;
        CHECK_INT(plog_signer_parse(&s, plog_span(b.data, b.len), "p", NULL),
                  PLOG_E_KEY);
        CHECK(!s.secret);
        b.data[i] ^= 1;
    }
    for (size_t n = 0; n < b.len; n++)
        CHECK_INT(plog_signer_parse(&s, plog_span(b.data, n), "p", NULL),
                  PLOG_E_KEY);
    for (size_t n = 0; n < sizeof plain - 1; n++)
        CHECK_INT(plog_signer_parse(&s, plog_span(plain, n), "p", NULL),
                  PLOG_E_KEY);
    plog_buf_fini(&b);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"key__published_vectors", test_key__published_vectors},
        {"key__generate", test_key__generate},
        {"key__sign", test_key__sign},
        {"key__confirms", test_key__confirms},
        {"key__plain_text", test_key__plain_text},
        {"key__encrypted_text", test_key__encrypted_text},
        {"key__malformed", test_key__malformed},
        {"key__format_refuses", test_key__format_refuses},
        {"key__costs_are_refused_before_they_are_paid",
         test_key__costs_are_refused_before_they_are_paid},
        {"key__every_changed_byte_is_refused",
         test_key__every_changed_byte_is_refused},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
