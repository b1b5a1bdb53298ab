/*
 * key_rotate.c - going over to a new signing key.
 *
 * Order: keys/signing.key.new on disk -> the rotate entry, durable in log and
 * store -> keys/HEX8.vkey of the new key -> zeros over signing.key -> the new
 * file takes its name -> the directory is synced.  Whatever is cut off, the
 * head tells which key is in force, and the file with that key is there: up to
 * the entry the old one, from it on the new one.  Whoever opens the directory
 * next finishes or undoes the rest.
 */
#include "engine.h"
#include "rehearse.h"

/* keys/signing.key can be read, and is `had`: no passphrase mends that, unless
 * the new key waits beside it. */
static int other_key(const struct plog_io *io, int keys,
                     const struct plog_keychain *chain, const char *in_force,
                     const char *had, struct plog_error *err)
{
    char id[PLOG_KEYID_TEXT];
    bool before = plog_keychain_find(chain, had) != NULL;
    plog_fail(err, PLOG_E_KEY,
              "the log is signed by key %s, and keys/signing.key is %s%s",
              in_force, had[0] ? had : "another",
              before ? ", which it had before a rotation" : "");
    if (plog_signer_next_id(io, keys, id, NULL) == 0)
        plog_err_hint(err, "a key may have been rotated: open again, with the"
                           " passphrase of the new key");
    else
        plog_err_hint(err,
                      "put key %s back as keys/signing.key, from where it"
                      " is kept",
                      in_force);
    return PLOG_E_KEY;
}

int plog_signer_in_force(struct plog_signer *own, const struct plog_io *io,
                         int keys, const char *passphrase,
                         const struct plog_keychain *chain, uint64_t size,
                         struct plog_error *err)
{
    const struct plog_vkey *now = plog_keychain_at(chain, size + 1);
    const char *in_force = now ? now->id_text : "?";
    struct plog_error why = {0};
    char had[PLOG_KEYID_TEXT] = "";
    int rc = 0;
    if (now && own->secret && plog_vkey_same(&own->vkey, now))
        return 0;
    /* Twice, because the new file may take its name in between. */
    for (int i = 0; now && i < 3; i++) {
        struct plog_signer s;
        rc = i == 1
                 ? plog_signer_load_next(&s, io, keys, passphrase, NULL)
                 : plog_signer_load(&s, io, keys, passphrase, i ? NULL : &why);
        if (!rc && plog_vkey_same(&s.vkey, now)) {
            plog_signer_fini(own);
            *own = s;
            return 0;
        }
        if (!rc && i != 1)
            memcpy(had, s.vkey.id_text, sizeof had);
        plog_signer_fini(&s);
    }
    if (!why.code)
        return other_key(io, keys, chain, in_force, had, err);
    plog_fail(err, PLOG_E_KEY,
              "the log is signed by key %s now, and keys/signing.key cannot be"
              " read: %.200s%s",
              in_force, why.message,
              own->secret && !passphrase
                  ? "; a handle keeps no passphrase after its opening"
                  : "");
    plog_err_hint(err, "a key may have been rotated: open again, with the"
                       " passphrase of the new key");
    return PLOG_E_KEY;
}

int plog_engine_signer(plog *p, struct plog_error *err)
{
    return plog_signer_in_force(&p->signer, p->io, p->legs.dir.keys,
                                p->passphrase, &p->legs.chain,
                                p->legs.head.commit.size, err);
}

/* The secret of the key in force takes the place of the old one. */
static int finish(plog *p, struct plog_error *err)
{
    int rc = plog_vkey_save(&p->signer.vkey, p->io, p->legs.dir.keys, err);
    return rc ? rc : plog_signer_install_next(p->io, p->legs.dir.keys, err);
}

void plog_engine_settle(plog *p)
{
    char id[PLOG_KEYID_TEXT];
    int keys = p->legs.dir.keys;
    if (plog_signer_next_id(p->io, keys, id, NULL))
        return;
    if (plog_dir_maintain(&p->legs.dir, -1, NULL))
        return; /* its rotation is under way */
    int rc = plog_signer_next_id(p->io, keys, id, NULL); /* still there? */
    if (!rc && strcmp(id, p->signer.vkey.id_text) == 0)
        rc = finish(p, NULL);
    else if (!rc)
        rc = plog_signer_drop_next(p->io, keys, NULL);
    plog_dir_maintained(&p->legs.dir);
    (void)rc;
}

static int rotate(plog *p, const struct plog_rotate_options *o,
                  struct plog_signer *next, struct plog_rotate_report *report,
                  struct plog_error *err)
{
    struct plog_receipt receipt = {0};
    int keys = p->legs.dir.keys;
    const char *pass = o->new_passphrase ? o->new_passphrase : o->passphrase;
    int rc = plog_signer_generate(next, p->io, p->origin, err);
    if (!rc)
        rc = plog_signer_save_next(next, p->io, keys, pass, err);
    if (rc)
        return rc;
    rc = plog_engine_rotate(p, next, &receipt, err);
    if (rc == PLOG_E_INDETERMINATE)
        return rc; /* the next opening knows which key is in force */
    if (rc) {
        if (plog_signer_drop_next(p->io, keys, NULL))
            plog_err_hint(err, "the next opening removes"
                               " keys/signing.key.new, which is not in use");
        return rc;
    }
    report->size = receipt.size;
    report->keys = p->legs.chain.count;
    plog_vkey_format(&next->vkey, report->new_vkey);
    plog_signer_fini(&p->signer);
    p->signer = *next;
    next->secret = NULL;
    return finish(p, err);
}

/* The new verifier key goes to keys/, too, which holds so many and no more. */
static int check_room(const struct plog_io *io, int keys,
                      struct plog_error *err)
{
    struct plog_keyring all;
    int rc = plog_keyring_load(&all, io, keys, NULL, err);
    if (!rc && all.count >= PLOG_KEYS_MAX)
        rc = plog_fail(err, PLOG_E_ARG, "keys/ holds %d keys already",
                       PLOG_KEYS_MAX);
    return rc;
}

static int look(const char *dir, const struct plog_options *open,
                struct plog_rotate_report *report, struct plog_error *err);

/* Opens, and takes the lock of maintenance.  Whoever held that until now may
 * have been killed in a rotation of its own: then once more, for opening
 * settles what it left. */
static int begin(plog **p, const char *dir, const struct plog_options *open,
                 struct plog_error *err)
{
    char id[PLOG_KEYID_TEXT];
    int rc = 0;
    for (int i = 0; i < 10; i++) {
        rc = plog_open(p, dir, open, err);
        if (!rc)
            rc = plog_dir_maintain(&(*p)->legs.dir, (*p)->legs.wait_seconds,
                                   err);
        int found =
            rc ? 0
               : plog_signer_next_id((*p)->io, (*p)->legs.dir.keys, id, err);
        if (rc || found == PLOG_END)
            break;
        if (found) /* not one of ours: nothing is written over it */
            return found;
        plog_dir_maintained(&(*p)->legs.dir);
        plog_close(*p);
        *p = NULL;
        rc = plog_fail(err, PLOG_E_LOCKED,
                       "another rotation of the key is under way");
    }
    return rc;
}

int plog_key_rotate(const char *dir, const struct plog_rotate_options *given,
                    struct plog_rotate_report *report, struct plog_error *err)
{
    struct plog_rotate_options own, *o = &own;
    struct plog_options open = {.struct_size = sizeof open};
    struct plog_signer next = {.secret = NULL};
    plog *p = NULL;
    memset(report, 0, sizeof *report);
    if (plog_take_options(&own, sizeof own, given, err))
        return PLOG_E_ARG;
    open.io = o->io;
    open.wait_seconds = o->wait_seconds;
    open.passphrase = o->passphrase;
    open.vkey = o->vkey;
    if (o->dry_run)
        return plog_done(err, look(dir, &open, report, err));
    int rc = begin(&p, dir, &open, err);
    if (!p)
        return rc;
    plog_vkey_format(&p->signer.vkey, report->old_vkey);
    if (!rc && p->legs.chain.count >= PLOG_KEYS_MAX)
        rc = plog_fail(err, PLOG_E_ARG, "a log has at most %d keys",
                       PLOG_KEYS_MAX);
    if (!rc)
        rc = check_room(p->io, p->legs.dir.keys, err);
    if (!rc)
        rc = rotate(p, o, &next, report, err);
    plog_dir_maintained(&p->legs.dir);
    plog_signer_fini(&next);
    plog_close(p);
    return plog_done(err, rc);
}

/* ---- Looking ------------------------------------------------------------ */

static int look(const char *dir, const struct plog_options *open,
                struct plog_rotate_report *report, struct plog_error *err)
{
    struct plog_rehearsal found;
    int rc = plog_rehearse_log(dir, open, NULL, &found, err);
    if (rc)
        return rc;
    const struct plog_keychain *chain = &found.chain;
    if (chain->count >= PLOG_KEYS_MAX)
        rc = plog_fail(err, PLOG_E_ARG, "a log has at most %d keys",
                       PLOG_KEYS_MAX);
    if (!rc)
        rc = check_room(found.reader.io, found.reader.dir.keys, err);
    plog_reader_fini(&found.reader);
    if (rc)
        return rc;
    plog_vkey_format(&chain->keys[chain->count - 1], report->old_vkey);
    report->size = found.size + 1;
    report->keys = chain->count + 1;
    return 0;
}
