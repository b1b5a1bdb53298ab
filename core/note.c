/*
 * note.c - see note.h.
 *
 * Every text is written into a buffer on the stack, whose size the limits of
 * an origin give, so checking a signature allocates nothing.  Reading is
 * finding the pieces, writing the text again from them, and comparing: what
 * differs in a single byte from our own spelling is refused.
 */
#include "note.h"

#include <sodium.h>
#include <stdio.h>

#include "sha256.h"

#define ALGORITHM_ED25519 0x01
#define ID_SIZE 4
#define PUBLIC_SIZE crypto_sign_PUBLICKEYBYTES
#define BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1) /* with NUL */

#define DASH "\xe2\x80\x94 " /* U+2014, em dash */
#define SIGNATURE_SIZE (ID_SIZE + PLOG_SIG_SIZE)
#define NOTE_MAX                                                               \
    (PLOG_CHECKPOINT_TEXT_MAX + 1 + 4 + PLOG_ORIGIN_MAX + 1 +                  \
     BASE64_SIZE(SIGNATURE_SIZE))

_Static_assert(PUBLIC_SIZE == sizeof((struct plog_vkey *)0)->public_key,
               "Ed25519 public keys");
_Static_assert(PLOG_SIG_SIZE == crypto_sign_BYTES, "Ed25519 signatures");
_Static_assert(NOTE_MAX <= PLOG_CHECKPOINT_MAX, "a note fits");
_Static_assert(PLOG_ORIGIN_MAX + 1 + 8 + 1 + BASE64_SIZE(1 + PUBLIC_SIZE) <=
                   PLOG_VKEY_MAX,
               "a vkey fits");

/* ---- Origins ------------------------------------------------------------ */

/* Reads one code point of strict UTF-8 at `*p`, before `end`, and steps over
 * it.  Returns UINT32_MAX for overlong forms, surrogates and the rest. */
static uint32_t next_code_point(const unsigned char **p,
                                const unsigned char *end)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    uint32_t c = *(*p)++;
    int more = c < 0x80                ? 0
               : c >= 0xc2 && c < 0xe0 ? 1
               : c >= 0xe0 && c < 0xf0 ? 2
               : c >= 0xf0 && c < 0xf5 ? 3
                                       : -1;
    if (more < 0 || end - *p < more)
        return UINT32_MAX;
    if (more > 0)
        c &= 0x3fu >> more;
    for (int i = 0; i < more; i++) {
        if ((**p & 0xc0) != 0x80)
            return UINT32_MAX;
        c = c << 6 | (*(*p)++ & 0x3fu);
    }
    if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return UINT32_MAX;
    return c;
}

/* Unicode's White_Space beyond ASCII, as the note verifiers test it. */
static bool is_wide_space(uint32_t c)
{
    return c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
           c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
           c == 0x3000;
}

bool plog_origin_valid(struct plog_span name)
{
    const unsigned char *p = (const unsigned char *)name.p;
    const unsigned char *end;
    if (name.n < 1 || name.n > PLOG_ORIGIN_MAX)
        return false;
    end = p + name.n;
    while (p < end) {
        uint32_t c = next_code_point(&p, end);
        bool control = c < 0x20 || (c >= 0x7f && c < 0xa0);
        if (c == UINT32_MAX || control || c == ' ' || c == '+' ||
            is_wide_space(c))
            return false;
    }
    return true;
}

/* ---- Verifier keys ------------------------------------------------------ */

void plog_vkey_finish(struct plog_vkey *k)
{
    unsigned char text[PLOG_ORIGIN_MAX + 2 + PUBLIC_SIZE];
    unsigned char hash[PLOG_HASH_SIZE];
    size_t n = strnlen(k->name, PLOG_ORIGIN_MAX);
    memcpy(text, k->name, n);
    text[n++] = '\n';
    text[n++] = ALGORITHM_ED25519;
    memcpy(text + n, k->public_key, PUBLIC_SIZE);
    plog_sha256(text, n + PUBLIC_SIZE, hash);
    memcpy(k->id, hash, ID_SIZE);
    sodium_bin2hex(k->id_text, sizeof k->id_text, k->id, ID_SIZE);
}

/* Cuts `text` at the first `mark`: `*head` is what stands before it, `text`
 * what follows.  Returns whether there was one. */
static bool cut(struct plog_span *text, char mark, struct plog_span *head)
{
    const char *at = text->n ? memchr(text->p, mark, text->n) : NULL;
    if (!at)
        return false;
    *head = plog_span(text->p, (size_t)(at - text->p));
    *text = plog_span(at + 1, text->n - head->n - 1);
    return true;
}

int plog_vkey_parse(struct plog_span text, struct plog_vkey *out)
{
    struct plog_vkey k = {0};
    struct plog_span name, id;
    unsigned char key[1 + PUBLIC_SIZE];
    if (!cut(&text, '+', &name) || !plog_origin_valid(name) ||
        !cut(&text, '+', &id) || plog_base64_decode(text, key, sizeof key))
        return PLOG_E_INPUT;
    if (key[0] != ALGORITHM_ED25519 || sodium_init() < 0)
        return PLOG_E_INPUT;
    /* Under a key of small order one signature holds for many texts. */
    if (!crypto_core_ed25519_is_valid_point(key + 1))
        return PLOG_E_INPUT;
    memcpy(k.name, name.p, name.n);
    memcpy(k.public_key, key + 1, PUBLIC_SIZE);
    plog_vkey_finish(&k);
    if (!plog_span_is(id, k.id_text))
        return PLOG_E_INPUT;
    *out = k;
    return 0;
}

void plog_vkey_format(const struct plog_vkey *k, char *out)
{
    unsigned char key[1 + PUBLIC_SIZE];
    char base64[BASE64_SIZE(sizeof key)];
    key[0] = ALGORITHM_ED25519;
    memcpy(key + 1, k->public_key, PUBLIC_SIZE);
    sodium_bin2base64(base64, sizeof base64, key, sizeof key,
                      sodium_base64_VARIANT_ORIGINAL);
    snprintf(out, PLOG_VKEY_MAX, "%.*s+%s+%s", PLOG_ORIGIN_MAX, k->name,
             k->id_text, base64);
}

/* ---- Checkpoints -------------------------------------------------------- */

size_t plog_checkpoint_write(char *out, const char *origin, uint64_t size,
                             const unsigned char *root)
{
    char text[PLOG_CHECKPOINT_TEXT_MAX + 1];
    char base64[BASE64_SIZE(PLOG_HASH_SIZE)];
    if (!plog_origin_valid(plog_span_text(origin)) || size > INT64_MAX)
        return 0;
    sodium_bin2base64(base64, sizeof base64, root, PLOG_HASH_SIZE,
                      sodium_base64_VARIANT_ORIGINAL);
    int n = snprintf(text, sizeof text, "%s\n%llu\n%s\n", origin,
                     (unsigned long long)size, base64);
    memcpy(out, text, (size_t)n);
    return (size_t)n;
}

bool plog_checkpoint_verify(const struct plog_vkey *k, const char *origin,
                            uint64_t size, const unsigned char *root,
                            const unsigned char *sig)
{
    char text[PLOG_CHECKPOINT_TEXT_MAX];
    size_t n = plog_checkpoint_write(text, origin, size, root);
    /* libsodium refuses S >= L, and R or a key of small order. */
    return n && sodium_init() >= 0 &&
           crypto_sign_verify_detached(sig, (const unsigned char *)text, n,
                                       k->public_key) == 0;
}

/* ---- Signed notes ------------------------------------------------------- */

/* Writes the note into `out`, PLOG_CHECKPOINT_MAX bytes.  Returns its length,
 * or 0 as plog_checkpoint_write. */
static size_t note_write(char *out, const char *origin, uint64_t size,
                         const unsigned char *root,
                         const unsigned char key_id[4],
                         const unsigned char *sig)
{
    unsigned char id_and_sig[SIGNATURE_SIZE];
    char base64[BASE64_SIZE(SIGNATURE_SIZE)];
    size_t n = plog_checkpoint_write(out, origin, size, root);
    if (n == 0)
        return 0;
    memcpy(id_and_sig, key_id, ID_SIZE);
    memcpy(id_and_sig + ID_SIZE, sig, PLOG_SIG_SIZE);
    sodium_bin2base64(base64, sizeof base64, id_and_sig, sizeof id_and_sig,
                      sodium_base64_VARIANT_ORIGINAL);
    int more = snprintf(out + n, PLOG_CHECKPOINT_MAX - n, "\n" DASH "%s %s\n",
                        origin, base64);
    return n + (size_t)more;
}

int plog_note_format(struct plog_buf *b, const char *origin, uint64_t size,
                     const unsigned char *root, const unsigned char key_id[4],
                     const unsigned char *sig)
{
    char text[PLOG_CHECKPOINT_MAX];
    size_t n = note_write(text, origin, size, root, key_id, sig);
    return n ? plog_buf_add(b, text, n) : PLOG_E_ARG;
}

/* Finds the members of a note without care for what stands between them. */
static int note_read(struct plog_span text, struct plog_note *out)
{
    struct plog_span origin, size, root, line, name, sig;
    unsigned char id_and_sig[SIGNATURE_SIZE];
    if (!cut(&text, '\n', &origin) || !plog_origin_valid(origin) ||
        !cut(&text, '\n', &size) || plog_u64_parse(size, &out->size) ||
        !cut(&text, '\n', &root) ||
        plog_base64_decode(root, out->root, sizeof out->root))
        return PLOG_E_INPUT;
    memcpy(out->origin, origin.p, origin.n);
    out->origin[origin.n] = '\0';
    if (!cut(&text, '\n', &line) || line.n > 0 || /* the empty line */
        !cut(&text, ' ', &line) ||                /* the dash */
        !cut(&text, ' ', &name) || !cut(&text, '\n', &sig) ||
        plog_base64_decode(sig, id_and_sig, sizeof id_and_sig))
        return PLOG_E_INPUT;
    memcpy(out->key_id, id_and_sig, ID_SIZE);
    memcpy(out->sig, id_and_sig + ID_SIZE, PLOG_SIG_SIZE);
    return 0;
}

int plog_note_parse(struct plog_span text, struct plog_note *out)
{
    char again[PLOG_CHECKPOINT_MAX];
    struct plog_note note = {0};
    if (note_read(text, &note))
        return PLOG_E_INPUT;
    size_t n = note_write(again, note.origin, note.size, note.root, note.key_id,
                          note.sig);
    if (n == 0 || !plog_span_equal(text, plog_span(again, n)))
        return PLOG_E_INPUT;
    *out = note;
    return 0;
}
