/*
 * key_file.c - any bytes as the secret key's file and as a file of verifier
 * keys.
 *
 * A plain key that is taken has one spelling; an encrypted one opens under its
 * own passphrase alone; either signs what its verifier key confirms.  Whether
 * text or file, the answer is the same.
 *
 * The derivation of the box's key is at its least cost whatever the file asks
 * for: the linker puts our crypto_pwhash in its place (-Wl,--wrap), which first
 * sees that the cost is one that the library may pay at all, and makes another
 * cost give another key, as it would.  Nothing in the library knows of it.
 */
#include <sodium.h>

#include "fuzz.h"
#include "key.h"
#include "ram.h"

#define PASSPHRASE "correct horse"

int __real_crypto_pwhash(unsigned char *out, unsigned long long n,
                         const char *passphrase, unsigned long long len,
                         const unsigned char *salt, unsigned long long ops,
                         size_t memory, int algorithm);
int __wrap_crypto_pwhash(unsigned char *out, unsigned long long n,
                         const char *passphrase, unsigned long long len,
                         const unsigned char *salt, unsigned long long ops,
                         size_t memory, int algorithm);

int __wrap_crypto_pwhash(unsigned char *out, unsigned long long n,
                         const char *passphrase, unsigned long long len,
                         const unsigned char *salt, unsigned long long ops,
                         size_t memory, int algorithm)
{
    unsigned char mixed[crypto_pwhash_SALTBYTES];
    MUST(ops >= 1 && ops <= 16 && memory >= 8192 && memory <= 1u << 30 &&
         algorithm == crypto_pwhash_ALG_ARGON2ID13);
    memcpy(mixed, salt, sizeof mixed);
    mixed[0] ^= (unsigned char)(ops - 1);
    for (int i = 0; i < 4; i++)
        mixed[1 + i] ^= (unsigned char)((memory - 8192) >> (8 * i + 10));
    return __real_crypto_pwhash(out, n, passphrase, len, mixed, 1, 8192,
                                algorithm);
}

static struct ram ram;
static struct plog_buf again;
static struct plog_keyring ring;
static int keys_dir;

static void set_up(void)
{
    if (again.io)
        return;
    MUST(sodium_init() >= 0);
    ram_init(&ram);
    plog_buf_init(&again, fuzz_memory());
    ram_put(&ram, "/d/keys/signing.key", NULL, 0);
    ram_put(&ram, "/d/keys/k.vkey", NULL, 0);
    keys_dir = ram.io.open_at(&ram, -1, "/d/keys", 0, 0);
    MUST(keys_dir >= 0);
}

static void same_key(const struct plog_signer *a, const struct plog_signer *b)
{
    MUST(memcmp(&a->vkey, &b->vkey, sizeof a->vkey) == 0);
    MUST(memcmp(a->secret, b->secret, 64) == 0);
}

/* A signer that was taken can do what a signer is for. */
static void check_signer(const struct plog_signer *s, struct plog_span text,
                         bool plain)
{
    unsigned char root[PLOG_HASH_SIZE] = {1}, sig[PLOG_SIG_SIZE];
    struct plog_signer o;
    MUST(!plog_signer_sign(s, s->vkey.name, 3, root, sig));
    again.len = 0;
    MUST(!plog_signer_format(s, &ram.io, NULL, 0, 0, &again));
    MUST(!plain || plog_span_equal(fuzz_span(&again), text));
    MUST(!plog_signer_parse(&o, fuzz_span(&again), NULL, NULL));
    same_key(s, &o);
    plog_signer_fini(&o);
}

/* The file says what its text says. */
static void check_file(struct plog_span text, int expected,
                       const struct plog_signer *s)
{
    struct plog_signer o;
    struct plog_error err = {0};
    char id[PLOG_KEYID_TEXT] = "";
    bool sealed = false;
    ram_put(&ram, "/d/keys/signing.key", text.p, text.n);
    int rc = plog_signer_load(&o, &ram.io, keys_dir, PASSPHRASE, &err);
    int named = plog_signer_id(&ram.io, keys_dir, id, &sealed, NULL);
    bool ends = text.n && text.p[text.n - 1] == '\n';
    MUST(rc == 0 || (rc == PLOG_E_KEY && !o.secret &&
                     fuzz_is_message(err.file, sizeof err.file)));
    if (!ends && text.n <= 4096)
        MUST(rc == expected);
    MUST(named == 0 || named == PLOG_E_KEY);
    if (rc)
        return;
    MUST(named == 0 && strcmp(id, o.vkey.id_text) == 0);
    MUST(sealed == (text.p[0] == 'E'));
    if (!ends)
        same_key(s, &o);
    plog_signer_fini(&o);
}

static int check_secret(struct plog_span text)
{
    struct plog_signer s, o;
    struct plog_error err = {0};
    bool plain = text.n && text.p[0] == 'P';
    int rc = plog_signer_parse(&s, text, PASSPHRASE, &err);
    MUST(rc == 0 || (rc == PLOG_E_KEY && err.code == rc && !s.secret));
    int without = plog_signer_parse(&o, text, NULL, NULL);
    MUST(without == (plain ? rc : PLOG_E_KEY));
    plog_signer_fini(&o);
    if (!rc && !plain)
        MUST(plog_signer_parse(&o, text, "wrong", NULL) == PLOG_E_KEY);
    if (!rc)
        check_signer(&s, text, plain);
    check_file(text, rc, &s);
    plog_signer_fini(&s);
    return rc;
}

/* A reader that takes nothing would pass all the rest. */
static void check_good_ones(void)
{
    struct plog_signer s;
    struct plog_buf text;
    fuzz_signer(&s, "example.org/fuzz", 7);
    plog_buf_init(&text, fuzz_memory());
    for (int sealed = 0; sealed < 2; sealed++) {
        text.len = 0;
        MUST(!plog_signer_format(&s, &ram.io, sealed ? PASSPHRASE : NULL, 1, 8,
                                 &text));
        MUST(check_secret(fuzz_span(&text)) == 0);
    }
    plog_signer_fini(&s);
    plog_buf_fini(&text);
}

/* Each line of the file is a key, and each key a line of it. */
static void check_ring(struct plog_span text)
{
    char line[PLOG_VKEY_MAX + 1];
    ram_put(&ram, "/d/keys/k.vkey", text.p, text.n);
    int rc = plog_keyring_load(&ring, &ram.io, keys_dir, NULL, NULL);
    MUST(rc == 0 || rc == PLOG_E_KEY);
    for (unsigned i = 0; !rc && i < ring.count; i++) {
        plog_vkey_format(&ring.keys[i], line);
        MUST(memmem(text.p, text.n, line, strlen(line)));
        MUST(plog_keyring_find(&ring, plog_span_text(ring.keys[i].id_text)) ==
             &ring.keys[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool checked;
    struct plog_span text = plog_span((const char *)data, size);
    set_up();
    if (!checked)
        check_good_ones();
    checked = true;
    check_secret(text);
    check_ring(text);
    return 0;
}

/* ---- Sealed anew -------------------------------------------------------- */

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
                               unsigned seed)
{
    static const char *const names[] = {"a", "example.org/fuzz", "\xc3\xa9"};
    struct plog_signer s;
    uint64_t random = seed;
    size_t kind = fuzz_below(&random, 32);
    set_up();
    if (kind > 2)
        return LLVMFuzzerMutate(data, size, max);
    fuzz_signer(&s, names[fuzz_below(&random, 3)],
                (unsigned char)fuzz_below(&random, 4));
    again.len = 0;
    if (kind == 0) {
        char vkey[PLOG_VKEY_MAX];
        plog_vkey_format(&s.vkey, vkey);
        MUST(!plog_buf_add_text(&again, vkey));
    } else
        MUST(!plog_signer_format(&s, &ram.io, kind == 1 ? PASSPHRASE : NULL,
                                 1 + (uint32_t)fuzz_below(&random, 2),
                                 8 + (uint32_t)fuzz_below(&random, 2), &again));
    plog_signer_fini(&s);
    if (fuzz_below(&random, 2))
        MUST(!plog_buf_add_char(&again, '\n'));
    if (again.len > max)
        return size;
    memcpy(data, again.data, again.len);
    return fuzz_below(&random, 4) ? again.len
                                  : LLVMFuzzerMutate(data, again.len, max);
}
