/* test_note.c - origins, verifier keys, checkpoints and signed notes, against
 * published keys, signatures made by another implementation (OpenSSL), and
 * forgeries. */
#include "check.h"
#include "note.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "sha256.h"

#define ORIGIN "example.com/log"
#define VKEY ORIGIN "+cc714670+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea"
#define ROOT "IisL1R/O9+ZcLmLbLtZUVwE7q1a+b6/rGe4R1FMVPIA="
#define SIG                                                                    \
    "zHFGcGPQ0vg+znrrUEoe+o9sJSY4n1PpyFr72d1iLSHxXXhZriO02pQ8zDlxeJzlIxwc1lM"  \
    "ykbYk6BdzIRCPNfFaZAo="
#define DASH "\xe2\x80\x94 "
#define NOTE ORIGIN "\n5\n" ROOT "\n\n" DASH ORIGIN " " SIG "\n"

static void unhex(const char *hex, unsigned char *out)
{
    for (size_t i = 0; hex[2 * i]; i++) {
        char two[3] = {hex[2 * i], hex[2 * i + 1], 0};
        out[i] = (unsigned char)strtoul(two, NULL, 16);
    }
}

static struct plog_note golden(void)
{
    struct plog_note note;
    memset(&note, 0, sizeof note);
    CHECK_INT(plog_note_parse(plog_span_text(NOTE), &note), 0);
    return note;
}

static struct plog_vkey golden_key(void)
{
    struct plog_vkey k;
    memset(&k, 0, sizeof k);
    CHECK_INT(plog_vkey_parse(plog_span_text(VKEY), &k), 0);
    return k;
}

static bool holds(const struct plog_vkey *k, const struct plog_note *n)
{
    return plog_checkpoint_verify(k, n->origin, n->size, n->root, n->sig);
}

/* ---- Origins ------------------------------------------------------------ */

static void test_origin__taken(void)
{
    static const char *const good[] = {
        "a",
        "plog-01890a5d-ac96-774b-bcce-b302099a8057",
        "example.com/log",
        "\xc3\xbc",
        "\xe2\x80\x94",
        "\xf0\x9f\x94\x91",
        "\xf4\x8f\xbf\xbf",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "~!@#$%^&*()_-=\"'\\"};
    char most[PLOG_ORIGIN_MAX + 1];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        CHECK(plog_origin_valid(plog_span_text(good[i])));
    memset(most, 'x', sizeof most);
    CHECK(plog_origin_valid(plog_span(most, PLOG_ORIGIN_MAX)));
    CHECK(!plog_origin_valid(plog_span(most, PLOG_ORIGIN_MAX + 1)));
}

static void test_origin__refused(void)
{
    static const char *const bad[] = {"",
                                      " ",
                                      "a b",
                                      "a+b",
                                      "a\n",
                                      "\ta",
                                      "a\r",
                                      "\x7f",
                                      "\x1b[0m",
                                      "\xc2\x80", /* U+0080, control */
                                      "\xc2\x85", /* U+0085, next line */
                                      "\xc2\xa0", /* no-break space */
                                      "\xe1\x9a\x80",
                                      "\xe2\x80\x80",
                                      "\xe2\x80\x8a",
                                      "\xe2\x80\xa8",
                                      "\xe2\x80\xa9",
                                      "\xe2\x80\xaf",
                                      "\xe2\x81\x9f",
                                      "\xe3\x80\x80",
                                      "\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xe0\x80\xaf",
                                      "\xe0\x9f\xbf",
                                      "\xf0\x80\x80\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xed\xa0\x80",
                                      "\xed\xbf\xbf", /* surrogates */
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "\xfe",
                                      "a\xc3",
                                      "a\xe2\x80",
                                      "a\xf0\x9f\x94",
                                      "\xc3z",
                                      "\xe2\x80z",
                                      "\xf0\x9fz\x91"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(!plog_origin_valid(plog_span_text(bad[i])));
    CHECK(!plog_origin_valid(plog_span("a\0b", 3)));
    CHECK(!plog_origin_valid(plog_span(NULL, 0)));
}

/* ---- Verifier keys ------------------------------------------------------ */

/* The example key of Go's note package. */
static void test_vkey__published_example(void)
{
    const char *text = "PeterNeumann+c74f20a3+"
                       "ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    static const unsigned char id[4] = {0xc7, 0x4f, 0x20, 0xa3};
    char again[PLOG_VKEY_MAX];
    struct plog_vkey k;
    REQUIRE(plog_vkey_parse(plog_span_text(text), &k) == 0);
    CHECK_TEXT(k.name, "PeterNeumann");
    CHECK_TEXT(k.id_text, "c74f20a3");
    CHECK_BYTES(k.id, 4, id, 4);
    plog_vkey_format(&k, again);
    CHECK_TEXT(again, text);
}

static void test_vkey__longest_name_fits(void)
{
    struct plog_vkey k = golden_key(), again;
    char text[PLOG_VKEY_MAX];
    memset(k.name, 'x', PLOG_ORIGIN_MAX);
    plog_vkey_finish(&k);
    plog_vkey_format(&k, text);
    REQUIRE(plog_vkey_parse(plog_span_text(text), &again) == 0);
    CHECK_TEXT(again.name, k.name);
    CHECK_BYTES(again.public_key, 32, k.public_key, 32);
}

/* No byte of the text can be another one; so also no character may be in
 * upper case, cut off or added. */
static void test_vkey__every_changed_bit_is_refused(void)
{
    char text[] = VKEY;
    struct plog_vkey k;
    for (size_t i = 0; i < sizeof text - 1; i++)
        for (int bit = 0; bit < 8; bit++) {
            text[i] = (char)(text[i] ^ (1 << bit));
            CHECK_INT(plog_vkey_parse(plog_span(text, sizeof text - 1), &k),
                      PLOG_E_INPUT);
            text[i] = (char)(text[i] ^ (1 << bit));
        }
    for (size_t n = 0; n < sizeof text - 1; n++)
        CHECK_INT(plog_vkey_parse(plog_span(text, n), &k), PLOG_E_INPUT);
    CHECK_INT(plog_vkey_parse(plog_span(text, sizeof text), &k), PLOG_E_INPUT);
    CHECK_INT(plog_vkey_parse(plog_span_text(VKEY "\n"), &k), PLOG_E_INPUT);
    CHECK_INT(plog_vkey_parse(plog_span_text(" " VKEY), &k), PLOG_E_INPUT);
    CHECK_INT(plog_vkey_parse(plog_span_text(VKEY "="), &k), PLOG_E_INPUT);
}

static int parse_with_public_key(const unsigned char public_key[32])
{
    struct plog_vkey k = {.name = ORIGIN}, out;
    char text[PLOG_VKEY_MAX];
    memcpy(k.public_key, public_key, 32);
    plog_vkey_finish(&k); /* an id that fits, so that only the point is bad */
    plog_vkey_format(&k, text);
    return plog_vkey_parse(plog_span_text(text), &out);
}

static const char *const small_order[] = {
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"};

static void test_vkey__bad_points_are_refused(void)
{
    unsigned char point[32], mixed[32];
    struct plog_vkey k = golden_key();
    for (size_t i = 0; i < sizeof small_order / sizeof *small_order; i++) {
        unhex(small_order[i], point);
        CHECK_INT(parse_with_public_key(point), PLOG_E_INPUT);
    }
    /* a good point plus one of order 8 */
    unhex(small_order[4], point);
    REQUIRE(crypto_core_ed25519_add(mixed, k.public_key, point) == 0);
    CHECK_INT(parse_with_public_key(mixed), PLOG_E_INPUT);
    memset(point, 0xff, sizeof point); /* y >= p */
    CHECK_INT(parse_with_public_key(point), PLOG_E_INPUT);
    unhex("0200000000000000000000000000000000000000000000000000000000000000",
          point); /* not on the curve */
    CHECK_INT(parse_with_public_key(point), PLOG_E_INPUT);
    CHECK_INT(parse_with_public_key(k.public_key), 0);
}

/* Key type 4 (cosignatures) is somebody else's; its id is made right here. */
static void test_vkey__other_algorithms_are_refused(void)
{
    unsigned char body[sizeof ORIGIN + 1 + 32], hash[32], key[33];
    char text[PLOG_VKEY_MAX], base64[64];
    struct plog_vkey k = golden_key();
    memcpy(body, ORIGIN "\n\x04", sizeof ORIGIN + 1);
    memcpy(body + sizeof ORIGIN + 1, k.public_key, 32);
    plog_sha256(body, sizeof body, hash);
    key[0] = 4;
    memcpy(key + 1, k.public_key, 32);
    sodium_bin2base64(base64, sizeof base64, key, sizeof key,
                      sodium_base64_VARIANT_ORIGINAL);
    snprintf(text, sizeof text, ORIGIN "+%02x%02x%02x%02x+%s", hash[0], hash[1],
             hash[2], hash[3], base64);
    CHECK_INT(plog_vkey_parse(plog_span_text(text), &k), PLOG_E_INPUT);
}

/* ---- Checkpoints -------------------------------------------------------- */

static int checkpoint_text(struct plog_buf *b, const char *origin,
                           uint64_t size, const unsigned char *root)
{
    char text[PLOG_CHECKPOINT_TEXT_MAX];
    size_t n = plog_checkpoint_write(text, origin, size, root);
    return n ? plog_buf_add(b, text, n) : PLOG_E_ARG;
}

static void test_checkpoint__text(void)
{
    char most[PLOG_ORIGIN_MAX + 2] = "", text[PLOG_CHECKPOINT_TEXT_MAX];
    struct plog_note n = golden();
    struct plog_buf b;
    plog_buf_init(&b, plog_io_posix());
    CHECK_INT(checkpoint_text(&b, n.origin, 0, n.root), 0);
    const char *want = ORIGIN "\n0\n" ROOT "\n";
    CHECK_BYTES(b.data, b.len, want, strlen(want));
    size_t before = b.len;
    CHECK_INT(checkpoint_text(&b, "a b", 5, n.root), PLOG_E_ARG);
    CHECK_INT(checkpoint_text(&b, "", 5, n.root), PLOG_E_ARG);
    CHECK_INT(checkpoint_text(&b, "a", UINT64_C(1) << 63, n.root), PLOG_E_ARG);
    CHECK_UINT(b.len, before);
    plog_buf_fini(&b);

    memset(most, 'x', PLOG_ORIGIN_MAX);
    CHECK_UINT(plog_checkpoint_write(text, most, INT64_MAX, n.root),
               PLOG_ORIGIN_MAX + 1 + 19 + 1 + 44 + 1);
    most[PLOG_ORIGIN_MAX] = 'x';
    CHECK_UINT(plog_checkpoint_write(text, most, 1, n.root), 0);
}

/* Two signatures by OpenSSL with the key of RFC 8032's test 1. */
static void test_checkpoint__signature_of_another_implementation(void)
{
    struct plog_vkey k = golden_key();
    struct plog_note n = golden();
    unsigned char sig[64];
    CHECK(holds(&k, &n));
    CHECK_BYTES(n.key_id, 4, k.id, 4);
    REQUIRE(plog_vkey_parse(
                plog_span_text("plog-\xc3\xbc+44a5a453+"
                               "AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea"),
                &k) == 0);
    unhex("8b5a9f2c2be110aeee5383cb86d7bef207ff0462fdaa82c9d9e756a6cdf862c8"
          "5ee76efff48486523ca20cdc6bc0604242355f6dbde86bb5311fc7c3235f630b",
          sig);
    CHECK(plog_checkpoint_verify(&k, "plog-\xc3\xbc", INT64_MAX, n.root, sig));
}

/* forgery: nothing that is signed can be another thing */
static void test_checkpoint__changes_are_refused(void)
{
    struct plog_vkey k = golden_key(), other = k;
    struct plog_note n = golden();
    CHECK(!plog_checkpoint_verify(&k, "example.com/lo", 5, n.root, n.sig));
    CHECK(!plog_checkpoint_verify(&k, "example.org/log", 5, n.root, n.sig));
    CHECK(!plog_checkpoint_verify(&k, "", 5, n.root, n.sig));
    CHECK(!plog_checkpoint_verify(&k, ORIGIN "\n5", 5, n.root, n.sig));
    CHECK(!plog_checkpoint_verify(&k, ORIGIN, 4, n.root, n.sig));
    CHECK(!plog_checkpoint_verify(&k, ORIGIN, UINT64_C(5) | UINT64_C(1) << 63,
                                  n.root, n.sig));
    for (size_t bit = 0; bit < 512; bit++) {
        struct plog_note bad = n;
        bad.sig[bit / 8] ^= (unsigned char)(1 << bit % 8);
        CHECK(!holds(&k, &bad));
    }
    for (size_t bit = 0; bit < 256; bit++) {
        struct plog_note bad = n;
        bad.root[bit / 8] ^= (unsigned char)(1 << bit % 8);
        CHECK(!holds(&k, &bad));
        other.public_key[bit / 8] ^= (unsigned char)(1 << bit % 8);
        CHECK(!holds(&other, &n));
        other = k;
    }
}

/* forgery: S + L solves the equation as S does; RFC 8032 forbids it */
static void test_checkpoint__malleated_signature_is_refused(void)
{
    unsigned char group_order[32];
    struct plog_vkey k = golden_key();
    struct plog_note n = golden();
    unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010",
          group_order);
    for (int times = 1; times <= 8; times++) {
        unsigned carry = 0;
        for (int i = 0; i < 32; i++) {
            carry += (unsigned)n.sig[32 + i] + group_order[i];
            n.sig[32 + i] = (unsigned char)carry;
            carry >>= 8;
        }
        CHECK(!holds(&k, &n));
    }
}

/* forgery: with A of small order, R = A' of small order and S = 0 can fit any
 * text */
static void test_checkpoint__small_order_key_is_refused(void)
{
    struct plog_vkey k = {.name = ORIGIN};
    struct plog_note n = golden();
    for (size_t i = 0; i < sizeof small_order / sizeof *small_order; i++)
        for (size_t j = 0; j < sizeof small_order / sizeof *small_order; j++) {
            unhex(small_order[i], k.public_key);
            memset(n.sig, 0, sizeof n.sig);
            unhex(small_order[j], n.sig);
            plog_vkey_finish(&k);
            CHECK(!holds(&k, &n));
        }
}

/* ---- Signed notes ------------------------------------------------------- */

static void check_formats_as(const struct plog_note *n, struct plog_span want)
{
    struct plog_buf b;
    plog_buf_init(&b, plog_io_posix());
    CHECK_INT(
        plog_note_format(&b, n->origin, n->size, n->root, n->key_id, n->sig),
        0);
    CHECK_BYTES(b.data, b.len, want.p, want.n);
    plog_buf_fini(&b);
}

static void test_note__format_and_parse(void)
{
    struct plog_note n = golden(), again;
    struct plog_buf b;
    CHECK_TEXT(n.origin, ORIGIN);
    CHECK_UINT(n.size, 5);
    check_formats_as(&n, plog_span_text(NOTE));

    memset(n.origin, 'x', PLOG_ORIGIN_MAX);
    n.origin[PLOG_ORIGIN_MAX] = '\0';
    n.size = INT64_MAX;
    plog_buf_init(&b, plog_io_posix());
    CHECK_INT(plog_note_format(&b, n.origin, n.size, n.root, n.key_id, n.sig),
              0);
    CHECK(b.len < PLOG_CHECKPOINT_MAX);
    CHECK_INT(plog_note_parse(plog_span(b.data, b.len), &again), 0);
    CHECK_TEXT(again.origin, n.origin);
    CHECK_UINT(again.size, n.size);
    check_formats_as(&again, plog_span(b.data, b.len));
    CHECK_INT(
        plog_note_format(&b, n.origin, n.size + 1, n.root, n.key_id, n.sig),
        PLOG_E_ARG);
    plog_buf_fini(&b);
}

/* Whatever byte changes: refused, or another note that is spelled just so and
 * whose signature or key id does not fit. */
static void test_note__every_changed_bit_is_seen(void)
{
    struct plog_vkey k = golden_key();
    char text[] = NOTE;
    struct plog_span span = plog_span(text, sizeof text - 1);
    unsigned read = 0;
    for (size_t i = 0; i < span.n; i++)
        for (int bit = 0; bit < 8; bit++) {
            struct plog_note n;
            text[i] = (char)(text[i] ^ (1 << bit));
            if (plog_note_parse(span, &n) == 0) {
                read++;
                check_formats_as(&n, span);
                CHECK(!holds(&k, &n) || memcmp(n.key_id, k.id, 4) != 0);
            }
            text[i] = (char)(text[i] ^ (1 << bit));
        }
    CHECK(read > 0);
    for (size_t n = 0; n < span.n; n++) {
        struct plog_note out;
        CHECK_INT(plog_note_parse(plog_span(text, n), &out), PLOG_E_INPUT);
    }
}

static void test_note__other_spellings_are_refused(void)
{
#define SIGNATURE DASH ORIGIN " " SIG "\n"
    static const char *const bad[] = {
        "", "\n", NOTE "\n", NOTE " ", NOTE SIGNATURE, "\n" NOTE,
        ORIGIN "\n5\n" ROOT "\n" SIGNATURE,
        ORIGIN "\n5\n" ROOT "\n\n\n" SIGNATURE,
        ORIGIN "\n5\n" ROOT "\n\n" SIGNATURE SIGNATURE,
        ORIGIN "\n5\n" ROOT "\nextension\n\n" SIGNATURE,
        ORIGIN "\n05\n" ROOT "\n\n" SIGNATURE,
        ORIGIN "\n+5\n" ROOT "\n\n" SIGNATURE,
        ORIGIN "\n-5\n" ROOT "\n\n" SIGNATURE,
        ORIGIN "\n 5\n" ROOT "\n\n" SIGNATURE,
        ORIGIN "\n5 \n" ROOT "\n\n" SIGNATURE,
        ORIGIN "\n\n" ROOT "\n\n" SIGNATURE,
        ORIGIN "\n5.0\n" ROOT "\n\n" SIGNATURE,
        ORIGIN "\n0x5\n" ROOT "\n\n" SIGNATURE,
        ORIGIN "\n9223372036854775808\n" ROOT "\n\n" SIGNATURE,
        ORIGIN "\n18446744073709551621\n" ROOT "\n\n" SIGNATURE,
        ORIGIN "\n99999999999999999999999999\n" ROOT "\n\n" SIGNATURE,
        /* the root: set bits after its end, no padding, other alphabet */
        ORIGIN
        "\n5\nIisL1R/O9+ZcLmLbLtZUVwE7q1a+b6/rGe4R1FMVPIB=\n\n" SIGNATURE,
        ORIGIN "\n5\nIisL1R/O9+ZcLmLbLtZUVwE7q1a+b6/rGe4R1FMVPIA\n\n" SIGNATURE,
        ORIGIN
        "\n5\nIisL1R_O9-ZcLmLbLtZUVwE7q1a-b6_rGe4R1FMVPIA=\n\n" SIGNATURE,
        ORIGIN "\n5\n" ROOT " \n\n" SIGNATURE,
        /* the signature line */
        ORIGIN "\n5\n" ROOT "\n\n- " ORIGIN " " SIG "\n",
        ORIGIN "\n5\n" ROOT "\n\n-- " ORIGIN " " SIG "\n",
        ORIGIN "\n5\n" ROOT "\n\n\xe2\x80\x93 " ORIGIN " " SIG "\n",
        ORIGIN "\n5\n" ROOT "\n\n" DASH " " ORIGIN " " SIG "\n",
        ORIGIN "\n5\n" ROOT "\n\n" DASH ORIGIN "  " SIG "\n",
        ORIGIN "\n5\n" ROOT "\n\n" DASH ORIGIN " " SIG " \n",
        ORIGIN "\n5\n" ROOT "\n\n" DASH ORIGIN " " SIG "\r\n",
        ORIGIN "\n5\n" ROOT "\n\n" DASH ORIGIN " " SIG,
        ORIGIN "\n5\n" ROOT "\n\n" DASH "example.org/log " SIG "\n",
        ORIGIN "\n5\n" ROOT "\n\n" DASH SIG "\n",
        ORIGIN "\r\n5\r\n" ROOT "\r\n\r\n" SIGNATURE,
        "example.com log\n5\n" ROOT "\n\n" DASH "example.com log " SIG "\n",
        "\n5\n" ROOT "\n\n" DASH " " SIG "\n"};
#undef SIGNATURE
    struct plog_note n;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_INT(plog_note_parse(plog_span_text(bad[i]), &n), PLOG_E_INPUT);
    CHECK_INT(plog_note_parse(plog_span(NULL, 0), &n), PLOG_E_INPUT);
    CHECK_INT(plog_note_parse(plog_span(NOTE, sizeof NOTE), &n), PLOG_E_INPUT);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"origin__taken", test_origin__taken},
        {"origin__refused", test_origin__refused},
        {"vkey__published_example", test_vkey__published_example},
        {"vkey__longest_name_fits", test_vkey__longest_name_fits},
        {"vkey__every_changed_bit_is_refused",
         test_vkey__every_changed_bit_is_refused},
        {"vkey__bad_points_are_refused", test_vkey__bad_points_are_refused},
        {"vkey__other_algorithms_are_refused",
         test_vkey__other_algorithms_are_refused},
        {"checkpoint__text", test_checkpoint__text},
        {"checkpoint__signature_of_another_implementation",
         test_checkpoint__signature_of_another_implementation},
        {"checkpoint__changes_are_refused",
         test_checkpoint__changes_are_refused},
        {"checkpoint__malleated_signature_is_refused",
         test_checkpoint__malleated_signature_is_refused},
        {"checkpoint__small_order_key_is_refused",
         test_checkpoint__small_order_key_is_refused},
        {"note__format_and_parse", test_note__format_and_parse},
        {"note__every_changed_bit_is_seen",
         test_note__every_changed_bit_is_seen},
        {"note__other_spellings_are_refused",
         test_note__other_spellings_are_refused},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
