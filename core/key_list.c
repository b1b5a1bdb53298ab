/* key_list.c - which keys a log has had, and which are trusted. */
#include "rotate.h"

#include <errno.h>
#include <fcntl.h>

#include "io.h"
#include "reader.h"

static int from_log(struct plog_reader *r, struct plog_keychain *out,
                    uint64_t *size, struct plog_error *err)
{
    struct plog_walk w;
    struct plog_log_group g;
    int rc = plog_walk_open(&w, &r->dir, &r->keys, err);
    if (!rc)
        rc = plog_walk_start(&w, err);
    while (!rc)
        rc = plog_walk_next(&w, &g, err);
    if (rc == PLOG_END || (rc == PLOG_E_TORN && w.chain.last.size))
        rc = plog_keychain_check(&w.chain.chain, &r->keys, err);
    *out = w.chain.chain;
    *size = w.chain.last.size;
    plog_walk_close(&w);
    return rc;
}

static int read_keys(struct plog_reader *r, double wait,
                     struct plog_keychain *out, uint64_t *size,
                     struct plog_error *err)
{
    struct plog_store_head h;
    int rc = plog_reader_open_store(r, wait, err);
    if (rc == PLOG_E_BEHIND)
        return from_log(r, out, size, err);
    if (!rc)
        rc = plog_reader_begin(r, err);
    if (!rc)
        rc = plog_store_get_head(&r->store, &h, err);
    if (!rc)
        rc = plog_store_keys(&r->store, &h, &r->keys, out, err);
    *size = rc ? 0 : h.commit.size;
    plog_store_rollback(&r->store);
    return rc;
}

/* @o  out: the caller's options, as far as he knows them
 * On failure, too, `r` is to be given back. */
static int open_reader(struct plog_reader *r, const char *dir,
                       enum plog_dir_mode mode,
                       const struct plog_options *given, struct plog_options *o,
                       struct plog_error *err)
{
    r->io = NULL;
    int rc = plog_take_options(o, sizeof *o, given, err);
    if (rc)
        return rc;
    const struct plog_io *io = o->io ? o->io : plog_io_posix();
    return plog_reader_open_dir(r, io, dir, mode, true, o->vkey, err);
}

static double wait_of(const struct plog_options *o)
{
    return o->wait_seconds != 0 ? o->wait_seconds : 10;
}

int plog_key_show(const char *dir, const struct plog_options *given, char *vkey,
                  struct plog_error *err)
{
    struct plog_reader r;
    struct plog_options o;
    struct plog_keychain chain;
    uint64_t size;
    int rc = open_reader(&r, dir, PLOG_DIR_READ, given, &o, err);
    if (!rc)
        rc = read_keys(&r, wait_of(&o), &chain, &size, err);
    plog_reader_fini(&r);
    if (!rc && chain.count)
        plog_vkey_format(&chain.keys[chain.count - 1], vkey);
    else if (!rc)
        rc = plog_fail(err, PLOG_E_NOTHING, "the log has no commit yet");
    return plog_done(err, rc);
}

/* ---- All of them -------------------------------------------------------- */

/* The id that keys/signing.key names; "" when there is none, or none for us. */
static int secret_id(const struct plog_reader *r, char *id,
                     struct plog_error *err)
{
    char text[64 + PLOG_VKEY_MAX];
    size_t got = 0;
    id[0] = '\0';
    int fd = r->dir.keys < 0 ? -ENOENT
                             : plog_io_open_regular(r->io, r->dir.keys,
                                                    "signing.key", O_RDONLY);
    if (fd == -EIO || fd == -ENOMEM || fd == -EMFILE || fd == -ENFILE)
        return plog_fail_io(err, fd, "keys/signing.key", "open");
    if (fd < 0)
        return 0;
    /* KIND+KEY+NAME+HEX8+ and the beginning of the secret, which is wiped. */
    int rc = plog_io_pread_full(r->io, fd, text, sizeof text, 0, &got);
    r->io->close(r->io->ctx, fd);
    const char *at = text, *end = text + got;
    for (int plus = 0; at && plus < 3; plus++) {
        at = at < end ? memchr(at, '+', (size_t)(end - at)) : NULL;
        at = at ? at + 1 : NULL;
    }
    if (at && end - at >= PLOG_KEYID_TEXT) {
        memcpy(id, at, PLOG_KEYID_TEXT - 1);
        id[PLOG_KEYID_TEXT - 1] = '\0';
    }
    explicit_bzero(text, sizeof text);
    return rc ? plog_fail_io(err, rc, "keys/signing.key", "read") : 0;
}

static void fill(struct plog_key_info *k, const struct plog_vkey *v,
                 const char *secret)
{
    memset(k, 0, sizeof *k);
    plog_vkey_format(v, k->vkey);
    memcpy(k->id, v->id_text, sizeof k->id);
    k->secret = !strcmp(secret, v->id_text);
}

static int give(const struct plog_keychain *chain,
                const struct plog_keyring *ring, const char *secret,
                int (*each)(void *, const struct plog_key_info *), void *arg)
{
    struct plog_key_info k;
    int rc = 0;
    for (unsigned i = 0; !rc && i < chain->count; i++) {
        const struct plog_vkey *v = &chain->keys[i];
        const struct plog_vkey *t =
            plog_keyring_find(ring, plog_span_text(v->id_text));
        fill(&k, v, secret);
        k.in_log = true;
        k.current = i + 1 == chain->count;
        k.from = chain->from[i] ? chain->from[i] : 1;
        k.to = k.current ? 0 : chain->from[i + 1] - 1;
        k.trusted = t && plog_vkey_same(t, v);
        rc = each(arg, &k);
    }
    for (unsigned i = 0; !rc && i < ring->count; i++) {
        const struct plog_vkey *v = &ring->keys[i];
        if (plog_keychain_find(chain, v->id_text))
            continue;
        fill(&k, v, secret);
        k.trusted = true;
        rc = each(arg, &k);
    }
    return rc;
}

int plog_key_list(const char *dir, const struct plog_options *given,
                  int (*each)(void *arg, const struct plog_key_info *key),
                  void *arg, struct plog_error *err)
{
    struct plog_reader r;
    struct plog_options o;
    struct plog_keychain chain;
    char secret[PLOG_KEYID_TEXT];
    uint64_t size;
    int rc = open_reader(&r, dir, PLOG_DIR_READ, given, &o, err);
    if (!rc)
        rc = read_keys(&r, wait_of(&o), &chain, &size, err);
    if (!rc)
        rc = secret_id(&r, secret, err);
    if (!rc)
        rc = plog_stopped(err, give(&chain, &r.keys, secret, each, arg));
    plog_reader_fini(&r);
    return plog_done(err, rc);
}

/* ---- Trusting one more -------------------------------------------------- */

/* Where keys/ was lost as a whole. */
static int make_folder(struct plog_dir *d, bool dry_run, struct plog_error *err)
{
    const struct plog_io *io = d->io;
    struct plog_stat st;
    int rc = io->stat_at(io->ctx, d->dir, "keys", &st);
    if (rc == 0) {
        plog_fail(err, PLOG_E_KEY, "keys/ is no folder that can be read");
        plog_err_hint(err, "see what DIR/keys is; it may be moved elsewhere");
        return PLOG_E_KEY;
    }
    if (rc == -ENOENT && dry_run)
        return 0;
    if (rc == -ENOENT)
        rc = io->mkdir_at(io->ctx, d->dir, "keys", 0700);
    if (!rc)
        rc = io->fsync(io->ctx, d->dir);
    if (!rc)
        rc = d->keys =
            io->open_at(io->ctx, d->dir, "keys", O_RDONLY | O_DIRECTORY, 0);
    return rc < 0 ? plog_fail_io(err, rc, "keys", "making the folder") : 0;
}

int plog_key_trust(const char *dir, const char *vkey, bool dry_run,
                   const struct plog_options *given, bool *added,
                   struct plog_error *err)
{
    struct plog_reader r;
    struct plog_options o;
    struct plog_keychain chain = {.count = 0};
    struct plog_vkey k;
    uint64_t size;
    *added = false;
    if (plog_vkey_parse(plog_span_text(vkey), &k)) {
        plog_fail(err, PLOG_E_INPUT,
                  "not a verifier key (NAME+ID+BASE64, Ed25519)");
        plog_err_hint(err, "give all of the line that init, or key show,"
                           " printed for the log");
        return PLOG_E_INPUT;
    }
    int rc = open_reader(&r, dir, PLOG_DIR_STORE, given, &o, err);
    if (!rc && r.dir.log < 0) /* that can be made from a store, with the key */
        rc = plog_dir_no_log(&r.dir, "log is missing", err);
    if (rc == PLOG_E_ROLLBACK && r.dir.dir >= 0)
        rc = 0;
    if (!rc && r.dir.keys < 0)
        rc = make_folder(&r.dir, dry_run, err);
    if (!rc) /* all that are there, whatever is pinned */
        rc = plog_keyring_load(&r.keys, r.io, r.dir.keys, NULL, err);
    /* Whether the log's own keys are trusted yet is no matter here. */
    if (!rc && read_keys(&r, wait_of(&o), &chain, &size, NULL))
        chain.count = 0;
    const struct plog_vkey *have =
        rc ? NULL : plog_keyring_find(&r.keys, plog_span_text(k.id_text));
    const struct plog_vkey *own =
        rc ? NULL : plog_keychain_find(&chain, k.id_text);
    if ((have && !plog_vkey_same(have, &k)) ||
        (own && !plog_vkey_same(own, &k)))
        rc = plog_fail(err, PLOG_E_EXISTS, "another key has the id %s",
                       k.id_text);
    else if (!rc && !have && r.keys.count >= PLOG_KEYS_MAX)
        rc = plog_fail(err, PLOG_E_ARG, "keys/ holds %d keys already",
                       PLOG_KEYS_MAX);
    else if (!rc && !have) {
        *added = true;
        if (!dry_run)
            rc = plog_vkey_save(&k, r.io, r.dir.keys, err);
    }
    plog_reader_fini(&r);
    return plog_done(err, rc);
}
