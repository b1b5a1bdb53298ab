/*
 * store_keys.c - the keys of the log as the store has them: its rotations, each
 * of which proves itself.
 */
#include "store.h"

static int bad_rotation(struct plog_error *err, uint64_t seq, const char *what)
{
    plog_fail(err, PLOG_E_DIVERGED, "store.db: rotation %llu: %s",
              (unsigned long long)seq, what);
    plog_err_file(err, PLOG_STORE_FILE);
    plog_err_seq(err, seq);
    plog_err_hint(err, "run: paritylog parity DIR");
    return PLOG_E_DIVERGED;
}

static int take_rotation(struct plog_store *s, struct plog_keychain *out,
                         struct plog_error *err)
{
    struct plog_entry e;
    struct plog_rotation r;
    const char *why = NULL;
    uint64_t seq = plog_sql_u64(s->rotations, 0);
    struct plog_span line = plog_sql_text(s->rotations, 1);
    int rc =
        line.n ? plog_entry_parse(&s->parser, line, &e, err) : PLOG_E_DIVERGED;
    if (rc == PLOG_E_NOMEM)
        return rc;
    if (rc || e.seq != seq || plog_rotation_of(&e, &r))
        return bad_rotation(err, seq, "its event is not one");
    if (out->count == 0 && plog_keychain_add(out, &r.old_key, 0))
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    if (plog_keychain_rotate(out, &r, &why))
        return bad_rotation(err, seq, why);
    return 0;
}

/* A store that says the name of a log of which there is no key at all is
 * another's: to trust its key would not help. */
static int unknown_key(const struct plog_store_head *h,
                       const struct plog_keyring *trusted,
                       struct plog_error *err)
{
    bool named = false;
    for (unsigned i = 0; i < trusted->count; i++)
        named |= strcmp(trusted->keys[i].name, h->origin) == 0;
    bool foreign = !named && !trusted->pinned && trusted->count;
    int rc = foreign ? PLOG_E_FOREIGN : PLOG_E_UNKNOWN_KEY;
    if (rc == PLOG_E_FOREIGN)
        plog_fail(err, rc,
                  "store.db is that of the log `%s`, of which no key"
                  " is trusted here",
                  h->origin);
    else
        plog_fail(err, rc,
                  "the head is signed by key %s, which is not trusted here",
                  h->commit.key);
    plog_err_file(err, "store.db");
    plog_err_hint(err, "%s",
                  foreign ? "run: paritylog parity DIR" : PLOG_KEY_TRUST);
    return rc;
}

int plog_store_keys(struct plog_store *s, const struct plog_store_head *h,
                    const struct plog_keyring *trusted,
                    struct plog_keychain *out, struct plog_error *err)
{
    int rc = 0;
    out->count = 0;
    out->unsettled = out->guessed = false;
    sqlite3_reset(s->rotations);
    while (!rc && (rc = plog_sql_row(s->rotations, err)) == 0)
        rc = take_rotation(s, out, err);
    sqlite3_reset(s->rotations);
    if (rc != PLOG_END)
        return rc;
    const struct plog_vkey *key =
        plog_keyring_find(trusted, plog_span_text(h->commit.key));
    if (h->commit.size == 0)
        return out->count ? bad_rotation(err, 0, "above the head") : 0;
    if (out->count == 0 && !key)
        return unknown_key(h, trusted, err);
    if (out->count == 0)
        return plog_keychain_add(out, key, 0);
    if (out->from[out->count - 1] > h->commit.size + 1 ||
        strcmp(plog_keychain_at(out, h->commit.size)->id_text, h->commit.key) !=
            0)
        return bad_rotation(err, out->from[out->count - 1] - 1,
                            "the head is by a key that is not in force");
    return plog_keychain_check(out, trusted, err);
}

bool plog_store_signs(struct plog_store *s, const struct plog_store_head *h,
                      const struct plog_keyring *trusted,
                      const struct plog_commit *c)
{
    struct plog_keychain keys;
    const struct plog_vkey *key;
    if (plog_store_keys(s, h, trusted, &keys, NULL) == 0)
        key = plog_keychain_at(&keys, c->size);
    else
        key = plog_keyring_find(trusted, plog_span_text(c->key));
    return key && strcmp(key->id_text, c->key) == 0 &&
           plog_checkpoint_verify(key, key->name, c->size, c->root, c->sig);
}
