/*
 * rotate.c - see rotate.h.
 *
 * What both keys sign:
 *
 *   paritylog key rotation, format 1 LF ORIGIN LF SIZE LF ROOT LF OLD LF NEW LF
 *   paritylog restored copy, format 1 LF ... the same (the new key alone)
 *
 * The first line holds spaces, so that no checkpoint text can begin with it:
 * there an origin stands, which has none.  ROOT is in it so that the new key
 * vouches for the history before it, and not for the old key alone: whoever
 * steals the old secret later cannot put another history below the entry.
 */
#include "rotate.h"

#include <sodium.h>

#define DOMAIN "paritylog key rotation, format 1\n"
#define RESTORES "paritylog restored copy, format 1\n"
#define TEXT_MAX                                                               \
    (sizeof RESTORES + PLOG_CHECKPOINT_TEXT_MAX + 2 * (PLOG_VKEY_MAX + 1))

/* Writes the signed text into `out`, TEXT_MAX bytes; 0: out of range. */
static size_t signed_text(char *out, const struct plog_rotation *r)
{
    const char *domain = r->restores ? RESTORES : DOMAIN;
    size_t at = strlen(domain);
    memcpy(out, domain, at);
    size_t n =
        plog_checkpoint_write(out + at, r->old_key.name, r->size, r->root);
    if (n == 0)
        return 0;
    at += n;
    const struct plog_vkey *both[] = {&r->old_key, &r->new_key};
    for (int i = 0; i < 2; i++) {
        plog_vkey_format(both[i], out + at);
        at += strlen(out + at);
        out[at++] = '\n';
    }
    return at;
}

static bool verifies(const struct plog_vkey *k, const unsigned char *sig,
                     const char *text, size_t n)
{
    return crypto_sign_verify_detached(sig, (const unsigned char *)text, n,
                                       k->public_key) == 0;
}

static int sign(const struct plog_signer *s, const char *text, size_t n,
                unsigned char *sig)
{
    if (!s->secret ||
        crypto_sign_detached(sig, NULL, (const unsigned char *)text, n,
                             s->secret) ||
        !verifies(&s->vkey, sig, text, n))
        return PLOG_E_KEY;
    return 0;
}

static int add_vkey(struct plog_buf *b, const char *before,
                    const struct plog_vkey *k)
{
    char text[PLOG_VKEY_MAX];
    plog_vkey_format(k, text);
    int rc = plog_buf_add_text(b, before);
    return rc ? rc : plog_buf_add_json(b, plog_span_text(text));
}

static int add_bytes(struct plog_buf *b, const char *before,
                     const unsigned char *p, size_t n)
{
    int rc = plog_buf_add_text(b, before);
    return rc ? rc : plog_buf_add_base64(b, p, n);
}

int plog_rotation_make(struct plog_buf *args, uint64_t size,
                       const unsigned char *root,
                       const struct plog_signer *old_signer,
                       const struct plog_signer *new_signer)
{
    struct plog_rotation r = {
        .size = size, .old_key = old_signer->vkey, .new_key = new_signer->vkey};
    char text[TEXT_MAX];
    memcpy(r.root, root, sizeof r.root);
    size_t n = signed_text(text, &r);
    int rc = n ? 0 : PLOG_E_ARG;
    if (!rc)
        rc = sign(old_signer, text, n, r.old_sig);
    if (!rc)
        rc = sign(new_signer, text, n, r.new_sig);
    if (!rc)
        rc = plog_buf_add_text(args, "{\"size\":");
    if (!rc)
        rc = plog_buf_add_u64(args, size);
    if (!rc)
        rc = add_bytes(args, ",\"root\":\"", r.root, sizeof r.root);
    if (!rc)
        rc = add_vkey(args, "\",\"old\":", &r.old_key);
    if (!rc)
        rc = add_vkey(args, ",\"new\":", &r.new_key);
    if (!rc)
        rc = add_bytes(args, ",\"old_sig\":\"", r.old_sig, sizeof r.old_sig);
    if (!rc)
        rc = add_bytes(args, "\",\"new_sig\":\"", r.new_sig, sizeof r.new_sig);
    return rc ? rc : plog_buf_add_text(args, "\"}");
}

static int take_vkey(struct plog_span raw, struct plog_vkey *out)
{
    /* A name may hold bytes that our spelling escapes: then the text is
     * longer than any that is decoded here. */
    char text[2 * PLOG_VKEY_MAX];
    size_t n = 0;
    if (plog_json_kind(raw) != 's' || raw.n - 2 > sizeof text)
        return PLOG_E_CORRUPT;
    for (size_t i = 1; i + 1 < raw.n; i++) {
        /* Of our escapes a name can only need \" and \\. */
        if (raw.p[i] == '\\' && raw.p[i + 1] != '"' && raw.p[i + 1] != '\\')
            return PLOG_E_CORRUPT;
        if (raw.p[i] == '\\')
            i++;
        text[n++] = raw.p[i];
    }
    return plog_vkey_parse(plog_span(text, n), out) ? PLOG_E_CORRUPT : 0;
}

int plog_restore_make(struct plog_buf *args, uint64_t size,
                      const unsigned char *root,
                      const struct plog_vkey *old_key,
                      const struct plog_signer *new_signer)
{
    struct plog_rotation r = {.size = size,
                              .old_key = *old_key,
                              .new_key = new_signer->vkey,
                              .restores = true};
    char text[TEXT_MAX];
    memcpy(r.root, root, sizeof r.root);
    size_t n = signed_text(text, &r);
    int rc = n ? sign(new_signer, text, n, r.new_sig) : PLOG_E_ARG;
    if (!rc)
        rc = plog_buf_add_text(args, "{\"size\":");
    if (!rc)
        rc = plog_buf_add_u64(args, size);
    if (!rc)
        rc = add_bytes(args, ",\"root\":\"", r.root, sizeof r.root);
    if (!rc)
        rc = add_vkey(args, "\",\"old\":", &r.old_key);
    if (!rc)
        rc = add_vkey(args, ",\"new\":", &r.new_key);
    if (!rc)
        rc = add_bytes(args, ",\"sig\":\"", r.new_sig, sizeof r.new_sig);
    return rc ? rc : plog_buf_add_text(args, "\"}");
}

int plog_restore_parse(struct plog_span args, uint64_t seq,
                       struct plog_rotation *r)
{
    static const char *const names[] = {"size", "root", "old", "new", "sig"};
    struct plog_span v[5];
    char text[TEXT_MAX];
    r->restores = true;
    if (!plog_json_members(args, names, v, 5) ||
        plog_u64_parse(v[0], &r->size) || r->size + 1 != seq ||
        !plog_json_bytes(v[1], r->root, sizeof r->root) ||
        take_vkey(v[2], &r->old_key) || take_vkey(v[3], &r->new_key) ||
        !plog_json_bytes(v[4], r->new_sig, sizeof r->new_sig) ||
        strcmp(r->old_key.name, r->new_key.name) == 0 ||
        strcmp(r->old_key.id_text, r->new_key.id_text) == 0)
        return PLOG_E_CORRUPT;
    size_t n = signed_text(text, r);
    if (n == 0)
        return PLOG_E_CORRUPT;
    return verifies(&r->new_key, r->new_sig, text, n) ? 0 : PLOG_E_TAMPERED;
}

int plog_rotation_of(const struct plog_entry *e, struct plog_rotation *out)
{
    if (e->control == PLOG_CONTROL_ROTATE)
        return plog_rotation_parse(e->args, e->seq, out);
    if (e->control == PLOG_CONTROL_RESTORE)
        return plog_restore_parse(e->args, e->seq, out);
    return PLOG_END;
}

int plog_rotation_parse(struct plog_span args, uint64_t seq,
                        struct plog_rotation *r)
{
    static const char *const names[] = {"size", "root",    "old",
                                        "new",  "old_sig", "new_sig"};
    struct plog_span v[6];
    char text[TEXT_MAX];
    r->restores = false;
    if (!plog_json_members(args, names, v, 6) ||
        plog_u64_parse(v[0], &r->size) || r->size != seq ||
        !plog_json_bytes(v[1], r->root, sizeof r->root) ||
        take_vkey(v[2], &r->old_key) || take_vkey(v[3], &r->new_key) ||
        !plog_json_bytes(v[4], r->old_sig, sizeof r->old_sig) ||
        !plog_json_bytes(v[5], r->new_sig, sizeof r->new_sig) ||
        strcmp(r->old_key.name, r->new_key.name) != 0 ||
        strcmp(r->old_key.id_text, r->new_key.id_text) == 0)
        return PLOG_E_CORRUPT;
    size_t n = signed_text(text, r);
    if (n == 0)
        return PLOG_E_CORRUPT;
    return verifies(&r->old_key, r->old_sig, text, n) &&
                   verifies(&r->new_key, r->new_sig, text, n)
               ? 0
               : PLOG_E_TAMPERED;
}

/* ---- The chain of keys -------------------------------------------------- */

bool plog_vkey_same(const struct plog_vkey *a, const struct plog_vkey *b)
{
    return !strcmp(a->name, b->name) &&
           !memcmp(a->public_key, b->public_key, sizeof a->public_key);
}

static unsigned index_at(const struct plog_keychain *k, uint64_t size)
{
    unsigned i = k->count;
    while (i > 1 && k->from[i - 1] > size)
        i--;
    return i - 1;
}

const struct plog_vkey *plog_keychain_at(const struct plog_keychain *k,
                                         uint64_t size)
{
    return k->count ? &k->keys[index_at(k, size)] : NULL;
}

const char *plog_keychain_name(const struct plog_keychain *k, uint64_t size,
                               const char *fallback)
{
    const struct plog_vkey *key = plog_keychain_at(k, size);
    return key ? key->name : fallback;
}

const struct plog_vkey *plog_keychain_find(const struct plog_keychain *k,
                                           const char *id_text)
{
    for (unsigned i = 0; i < k->count; i++)
        if (!strcmp(k->keys[i].id_text, id_text))
            return &k->keys[i];
    return NULL;
}

int plog_keychain_add(struct plog_keychain *k, const struct plog_vkey *key,
                      uint64_t from)
{
    if (k->count >= PLOG_KEYS_MAX)
        return PLOG_E_CORRUPT;
    k->keys[k->count] = *key;
    k->from[k->count] = k->count ? from : 0;
    k->count++;
    return 0;
}

int plog_keychain_rotate(struct plog_keychain *k, const struct plog_rotation *r,
                         const char **why)
{
    unsigned i = k->count ? index_at(k, r->size + r->restores) : 0;
    if (r->restores && i > 0 && plog_vkey_same(&k->keys[i], &r->new_key) &&
        k->from[i] == r->size + 1)
        i--; /* known from the store; what it took over from comes next */
    if (!k->count || !plog_vkey_same(&k->keys[i], &r->old_key))
        *why = "a rotation away from a key that is not in force";
    else if (i + 1 < k->count && k->from[i + 1] == r->size + 1 &&
             plog_vkey_same(&k->keys[i + 1], &r->new_key))
        return 0; /* known from the store, and the log says the same */
    else if (plog_keychain_find(k, r->new_key.id_text))
        *why = "a rotation to a key id that this log has used";
    else if (i + 1 < k->count)
        *why = "a rotation where the store knows another one";
    else if (plog_keychain_add(k, &r->new_key, r->size + 1))
        *why = "more rotations than a log may have";
    else
        return 0;
    return PLOG_E_CORRUPT;
}

/* From the last key back to the restore entry that brought its name in, and not
 * beyond: a name from before may have come back, by who only copied the log. */
bool plog_keychain_anchored(const struct plog_keychain *k,
                            const struct plog_keyring *trusted)
{
    for (unsigned i = k->count; i > 0; i--) {
        const struct plog_vkey *own = &k->keys[i - 1];
        const struct plog_vkey *t =
            plog_keyring_find(trusted, plog_span_text(own->id_text));
        if (strcmp(own->name, k->keys[k->count - 1].name) != 0)
            return false;
        if (t && plog_vkey_same(own, t))
            return true;
    }
    return false;
}

int plog_keychain_check(const struct plog_keychain *k,
                        const struct plog_keyring *trusted,
                        struct plog_error *err)
{
    if (k->count == 0 || plog_keychain_anchored(k, trusted))
        return 0;
    plog_fail(err, PLOG_E_UNKNOWN_KEY,
              "no key that is trusted here is one of this log's; its last one"
              " is %s",
              k->keys[k->count - 1].id_text);
    plog_err_hint(err, PLOG_KEY_TRUST);
    return PLOG_E_UNKNOWN_KEY;
}
