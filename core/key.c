/*
 * key.c - the signer and its text forms; see key.h.  The files are
 * key_file.c's part.
 *
 * Where secrets are: the expanded key in sodium_malloc memory (guarded,
 * locked, wiped when freed, read-only once it is filled); on the way from and
 * to their text in buffers on the stack, each wiped before its function
 * returns.
 */
#include "key.h"
#include "rotate.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>

#define PLAIN "PRIVATE+KEY+"
#define ENCRYPTED "ENCRYPTED+KEY+"
#define TEXT_MAX 1024 /* of either form, with NUL */

#define ALGORITHM_ED25519 0x01
#define SEED_SIZE crypto_sign_SEEDBYTES
#define PAIR_SIZE (1 + SEED_SIZE) /* algorithm and seed */

#define KDF_OPS_MAX 16u
#define KDF_MEM_KIB_MIN 8u
#define KDF_MEM_KIB_MAX (1u << 20)

/* The bytes of the encrypted form, in order. */
struct sealed {
    unsigned char algorithm;
    unsigned char ops[4], mem_kib[4]; /* big-endian */
    unsigned char salt[crypto_pwhash_SALTBYTES];
    unsigned char nonce[crypto_secretbox_NONCEBYTES];
    unsigned char box[crypto_secretbox_MACBYTES + PAIR_SIZE];
};

#define BASE64_MAX                                                             \
    sodium_base64_ENCODED_LEN(sizeof(struct sealed),                           \
                              sodium_base64_VARIANT_ORIGINAL)

_Static_assert(sizeof(struct sealed) == 98, "no padding");
_Static_assert(sizeof ENCRYPTED + PLOG_ORIGIN_MAX + 10 + 133 <= TEXT_MAX,
               "the longest text fits");

/* ---- Signers ------------------------------------------------------------ */

void plog_signer_fini(struct plog_signer *s)
{
    sodium_free(s->secret);
    s->secret = NULL;
}

/* The copy that signatures are made of, or the one that they are made of again
 * to be compared: what befalls one of them in memory does not befall both. */
static const unsigned char *copy_of(const struct plog_signer *s, bool again)
{
    return again ? s->secret + crypto_sign_SECRETKEYBYTES : s->secret;
}

/* Fills `s` from a seed.  `name` is a valid origin. */
static int set_seed(struct plog_signer *s, struct plog_span name,
                    const unsigned char *seed)
{
    memset(s, 0, sizeof *s);
    if (sodium_init() < 0)
        return PLOG_E_NOMEM;
    s->secret = sodium_malloc(2 * crypto_sign_SECRETKEYBYTES);
    if (!s->secret)
        return PLOG_E_NOMEM;
    memcpy(s->vkey.name, name.p, name.n);
    crypto_sign_seed_keypair(s->vkey.public_key, s->secret, seed);
    memcpy(s->secret + crypto_sign_SECRETKEYBYTES, s->secret,
           crypto_sign_SECRETKEYBYTES);
    plog_vkey_finish(&s->vkey);
    sodium_mprotect_readonly(s->secret);
    return 0;
}

int plog_signer_generate(struct plog_signer *s, const struct plog_io *io,
                         const char *origin, struct plog_error *err)
{
    struct plog_span name = plog_span_text(origin);
    unsigned char seed[SEED_SIZE];
    memset(s, 0, sizeof *s);
    if (!plog_origin_valid(name))
        return plog_fail(err, PLOG_E_ARG, "this cannot be an origin");
    int rc = io->random(io->ctx, seed, sizeof seed);
    if (rc < 0)
        rc = plog_fail_io(err, rc, "a new signing key", "get randomness for");
    else if (set_seed(s, name, seed))
        rc = plog_fail(err, PLOG_E_NOMEM, "no memory for a signing key");
    else
        rc = 0;
    sodium_memzero(seed, sizeof seed);
    return rc;
}

static int make(const struct plog_signer *s, bool again, const char *origin,
                uint64_t size, const unsigned char *root, unsigned char *sig)
{
    char text[PLOG_CHECKPOINT_TEXT_MAX];
    size_t n = plog_checkpoint_write(text, origin, size, root);
    if (n == 0)
        return PLOG_E_ARG;
    if (!s->secret)
        return PLOG_E_KEY;
    crypto_sign_detached(sig, NULL, (const unsigned char *)text, n,
                         copy_of(s, again));
    return 0;
}

int plog_signer_make(const struct plog_signer *s, const char *origin,
                     uint64_t size, const unsigned char *root,
                     unsigned char *sig)
{
    return make(s, false, origin, size, root, sig);
}

/* An Ed25519 signature is a function of key and text.  This one may be over a
 * text that nobody signed, so nothing of it is left, nor told by how long
 * comparing takes. */
static bool makes(const struct plog_signer *s, bool again, const char *origin,
                  uint64_t size, const unsigned char *root,
                  const unsigned char *sig)
{
    unsigned char made[PLOG_SIG_SIZE];
    bool same = make(s, again, origin, size, root, made) == 0 &&
                sodium_memcmp(made, sig, sizeof made) == 0;
    sodium_memzero(made, sizeof made);
    return same;
}

bool plog_signer_holds(struct plog_signer *s, const char *origin, uint64_t size,
                       const unsigned char *root, const unsigned char *sig)
{
    return s->held++ % PLOG_VERIFY_EVERY
               ? makes(s, true, origin, size, root, sig)
               : plog_checkpoint_verify(&s->vkey, origin, size, root, sig);
}

/* A fault in memory or arithmetic while signing can give the secret away, so
 * no signature leaves that does not verify. */
int plog_signer_sign(const struct plog_signer *s, const char *origin,
                     uint64_t size, const unsigned char *root,
                     unsigned char *sig)
{
    unsigned char made[PLOG_SIG_SIZE];
    int rc = plog_signer_make(s, origin, size, root, made);
    if (rc)
        return rc;
    if (!plog_checkpoint_verify(&s->vkey, origin, size, root, made))
        return PLOG_E_KEY;
    memcpy(sig, made, sizeof made);
    return 0;
}

/* Making a signature again takes a third of the time that verifying does. */
bool plog_signer_confirms(const struct plog_signer *s,
                          const struct plog_vkey *k, const char *origin,
                          uint64_t size, const unsigned char *root,
                          const unsigned char *sig)
{
    return (plog_vkey_same(&s->vkey, k) &&
            makes(s, false, origin, size, root, sig)) ||
           plog_checkpoint_verify(k, origin, size, root, sig);
}

/* ---- Passphrases -------------------------------------------------------- */

static void put_u32(unsigned char *p, uint32_t n)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(n >> (24 - 8 * i));
}

static uint32_t get_u32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

static bool costs_allowed(uint32_t ops, uint32_t mem_kib)
{
    return ops >= 1 && ops <= KDF_OPS_MAX && mem_kib >= KDF_MEM_KIB_MIN &&
           mem_kib <= KDF_MEM_KIB_MAX;
}

/* The key of the box.  Fails only for lack of memory. */
static int derive(const struct sealed *in, const char *passphrase,
                  unsigned char key[crypto_secretbox_KEYBYTES])
{
    int rc = crypto_pwhash(key, crypto_secretbox_KEYBYTES, passphrase,
                           strlen(passphrase), in->salt, get_u32(in->ops),
                           (size_t)get_u32(in->mem_kib) * 1024,
                           crypto_pwhash_ALG_ARGON2ID13);
    return rc ? PLOG_E_NOMEM : 0;
}

/* Seals `pair` under the passphrase; the costs stand in `out`. */
static int seal(struct sealed *out, const struct plog_io *io,
                const char *passphrase, const unsigned char pair[PAIR_SIZE])
{
    unsigned char key[crypto_secretbox_KEYBYTES];
    if (io->random(io->ctx, out->salt, sizeof out->salt) < 0 ||
        io->random(io->ctx, out->nonce, sizeof out->nonce) < 0)
        return PLOG_E_IO;
    int rc = derive(out, passphrase, key);
    if (rc == 0)
        crypto_secretbox_easy(out->box, pair, PAIR_SIZE, out->nonce, key);
    sodium_memzero(key, sizeof key);
    return rc;
}

static int unusable(struct plog_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A secret that no passphrase makes a key of. */
static int unusable(struct plog_error *err, const char *format, ...)
{
    char message[256];
    va_list ap;
    va_start(ap, format);
    vsnprintf(message, sizeof message, format, ap);
    va_end(ap);
    plog_fail(err, PLOG_E_KEY, "%s", message);
    plog_err_hint(err, "move it away and put the key back from a copy");
    return PLOG_E_KEY;
}

static int unseal(const struct sealed *in, const char *passphrase,
                  unsigned char pair[PAIR_SIZE], struct plog_error *err)
{
    unsigned char key[crypto_secretbox_KEYBYTES];
    uint32_t ops = get_u32(in->ops), mem_kib = get_u32(in->mem_kib);
    if (in->algorithm != ALGORITHM_ED25519 || !costs_allowed(ops, mem_kib))
        return unusable(err,
                        "the signing key asks for an algorithm or a cost "
                        "out of range (%u passes over %u KiB)",
                        ops, mem_kib);
    if (!passphrase) {
        plog_fail(err, PLOG_E_KEY,
                  "the signing key is encrypted and no passphrase was given");
        plog_err_hint(err, "give the passphrase, as with --passphrase-file");
        return PLOG_E_KEY;
    }
    if (derive(in, passphrase, key))
        return plog_fail(err, PLOG_E_NOMEM,
                         "no memory to open the signing key (%u KiB)", mem_kib);
    int rc = crypto_secretbox_open_easy(pair, in->box, sizeof in->box,
                                        in->nonce, key);
    sodium_memzero(key, sizeof key);
    if (rc == 0)
        return 0;
    plog_fail(err, PLOG_E_KEY,
              "wrong passphrase for the signing key, or its file is damaged");
    plog_err_hint(err, "give its passphrase, as with --passphrase-file; if"
                       " that is the one, put the key back from a copy");
    return PLOG_E_KEY;
}

/* ---- Text forms --------------------------------------------------------- */

/* Writes `kind`NAME+ID+BASE64(bytes) into `text`, TEXT_MAX bytes, and gives
 * its length. */
static size_t write_text(char *text, const char *kind,
                         const struct plog_vkey *k, const void *bytes, size_t n)
{
    char base64[BASE64_MAX];
    sodium_bin2base64(base64, sizeof base64, bytes, n,
                      sodium_base64_VARIANT_ORIGINAL);
    int len = snprintf(text, TEXT_MAX, "%s%s+%s+%s", kind, k->name, k->id_text,
                       base64);
    sodium_memzero(base64, sizeof base64);
    return (size_t)len;
}

/* Writes either form into `text`, TEXT_MAX bytes. */
static int format_text(const struct plog_signer *s, const struct plog_io *io,
                       const char *passphrase, uint32_t ops, uint32_t mem_kib,
                       char *text, size_t *len)
{
    unsigned char pair[PAIR_SIZE] = {ALGORITHM_ED25519};
    struct sealed out = {.algorithm = ALGORITHM_ED25519};
    int rc = 0;
    if (!s->secret)
        return PLOG_E_KEY;
    ops = ops ? ops : crypto_pwhash_OPSLIMIT_MODERATE;
    mem_kib = mem_kib ? mem_kib : crypto_pwhash_MEMLIMIT_MODERATE / 1024;
    if (passphrase && (!*passphrase || !costs_allowed(ops, mem_kib)))
        return PLOG_E_ARG;
    /* libsodium's secret key is the seed and the public key */
    memcpy(pair + 1, s->secret, SEED_SIZE);
    if (passphrase) {
        put_u32(out.ops, ops);
        put_u32(out.mem_kib, mem_kib);
        rc = seal(&out, io, passphrase, pair);
        if (rc == 0)
            *len = write_text(text, ENCRYPTED, &s->vkey, &out, sizeof out);
    } else {
        *len = write_text(text, PLAIN, &s->vkey, pair, sizeof pair);
    }
    sodium_memzero(pair, sizeof pair);
    return rc;
}

int plog_signer_format(const struct plog_signer *s, const struct plog_io *io,
                       const char *passphrase, uint32_t kdf_ops,
                       uint32_t kdf_mem_kib, struct plog_buf *out)
{
    char text[TEXT_MAX];
    size_t len;
    int rc = format_text(s, io, passphrase, kdf_ops, kdf_mem_kib, text, &len);
    if (rc == 0)
        rc = plog_buf_add(out, text, len);
    sodium_memzero(text, sizeof text);
    return rc;
}

/* Takes NAME+ID+ off `text`, which is left with the base64. */
static bool take_name(struct plog_span *text, struct plog_span *name,
                      struct plog_span *id)
{
    const size_t id_and_plus = PLOG_KEYID_TEXT;
    const char *end = text->n ? memchr(text->p, '+', text->n) : NULL;
    if (!end)
        return false;
    *name = plog_span(text->p, (size_t)(end - text->p));
    text->p = end + 1;
    text->n -= name->n + 1;
    if (text->n < id_and_plus || text->p[id_and_plus - 1] != '+')
        return false;
    *id = plog_span(text->p, id_and_plus - 1);
    text->p += id_and_plus;
    text->n -= id_and_plus;
    return plog_origin_valid(*name);
}

static int malformed(struct plog_error *err)
{
    return unusable(err, "malformed signing key (expected one line " PLAIN
                         "NAME+ID+BASE64 or " ENCRYPTED "NAME+ID+BASE64)");
}

/* Reads the algorithm and seed out of either form. */
static int read_pair(struct plog_span text, const char *passphrase,
                     struct plog_span *name, struct plog_span *id,
                     unsigned char pair[PAIR_SIZE], struct plog_error *err)
{
    struct sealed in;
    bool plain = plog_span_take(&text, PLAIN);
    if (!plain && !plog_span_take(&text, ENCRYPTED))
        return malformed(err);
    if (!take_name(&text, name, id))
        return malformed(err);
    if (plain)
        return plog_base64_decode(text, pair, PAIR_SIZE) ? malformed(err) : 0;
    if (plog_base64_decode(text, &in, sizeof in))
        return malformed(err);
    return unseal(&in, passphrase, pair, err);
}

/* The signer of `name`, if the seed gives the key that `id` names. */
static int make_signer(struct plog_signer *s, struct plog_span name,
                       struct plog_span id, const unsigned char pair[PAIR_SIZE],
                       struct plog_error *err)
{
    if (pair[0] != ALGORITHM_ED25519)
        return malformed(err);
    if (set_seed(s, name, pair + 1))
        return plog_fail(err, PLOG_E_NOMEM, "no memory for a signing key");
    if (plog_span_is(id, s->vkey.id_text))
        return 0;
    int rc = unusable(err,
                      "the signing key is damaged: its id is %.*s, its seed has"
                      " %s",
                      (int)id.n, id.p, s->vkey.id_text);
    plog_signer_fini(s);
    return rc;
}

int plog_signer_parse(struct plog_signer *s, struct plog_span text,
                      const char *passphrase, struct plog_error *err)
{
    unsigned char pair[PAIR_SIZE];
    struct plog_span name = {0}, id = {0};
    memset(s, 0, sizeof *s);
    if (sodium_init() < 0)
        return plog_fail(err, PLOG_E_NOMEM, "libsodium cannot start");
    int rc = read_pair(text, passphrase, &name, &id, pair, err);
    if (rc == 0)
        rc = make_signer(s, name, id, pair, err);
    sodium_memzero(pair, sizeof pair);
    return rc;
}
