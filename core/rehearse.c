/*
 * rehearse.c - whether a log can be written to, asked without a byte changed:
 * for dry runs of what opens it and logs one entry.
 */
#include <string.h>

#include "fs.h"
#include "reader.h"
#include "request.h"

/* The key that signs the next commit.  Of a rotation that was cut off it may be
 * in the other file, as when it is opened. */
static int check_signer(const struct plog_reader *r, const char *passphrase,
                        const struct plog_vkey *now, struct plog_error *err)
{
    struct plog_signer s;
    bool same;
    int rc = plog_signer_load(&s, r->io, r->dir.keys, passphrase, err);
    if (rc && rc != PLOG_E_KEY)
        return rc;
    same = rc == 0 && plog_vkey_same(&s.vkey, now);
    plog_signer_fini(&s);
    if (!same &&
        !plog_signer_load_next(&s, r->io, r->dir.keys, passphrase, NULL)) {
        same = plog_vkey_same(&s.vkey, now);
        plog_signer_fini(&s);
    }
    if (same || rc)
        return same ? 0 : rc;
    return plog_fail(err, PLOG_E_KEY,
                     "the log is signed by key %s, and keys/signing.key is"
                     " another",
                     now->id_text);
}

/* What opening it would refuse.  A log that goes on behind the store, or ends
 * in an unfinished group, it would mend. */
static int check_heads(const char *dir, const struct plog_options *o,
                       struct plog_error *err)
{
    struct plog_status s;
    int rc = plog_read_status(dir, o, &s, err);
    if (rc || !s.has_store || s.verdict == 0 || s.verdict == PLOG_E_BEHIND ||
        s.verdict == PLOG_E_TORN)
        return rc;
    plog_fail(err, s.verdict, "log and store do not end alike: %s",
              plog_strerror(s.verdict));
    plog_err_hint(err, "run: paritylog parity DIR");
    return s.verdict;
}

/* @line_max  out: of the log */
static int check_log(struct plog_reader *r, const struct plog_options *o,
                     size_t *line_max, struct plog_error *err)
{
    double wait = o->wait_seconds != 0 ? o->wait_seconds : 10;
    struct plog_keychain chain = {.count = 0};
    struct plog_store_head h;
    int rc = plog_fs_check(&r->dir, o->allow_network_fs, err);
    if (!rc)
        rc = plog_reader_open_store(r, wait, err);
    if (!rc)
        rc = plog_store_begin_read(&r->store, err);
    if (!rc)
        rc = plog_store_get_head(&r->store, &h, err);
    if (!rc)
        rc = plog_store_keys(&r->store, &h, &r->keys, &chain, err);
    const struct plog_vkey *now =
        rc ? NULL : plog_keychain_at(&chain, h.commit.size + 1);
    if (!rc && !now)
        rc = plog_fail(err, PLOG_E_UNKNOWN_KEY, "the log has no key yet");
    *line_max = rc ? 0 : (size_t)h.rules.line_max;
    return rc ? rc : check_signer(r, o->passphrase, now, err);
}

int plog_rehearse(const char *dir, const struct plog_options *given,
                  const struct plog_group *group, struct plog_error *err)
{
    struct plog_options o;
    struct plog_group g;
    struct plog_reader r = {.io = NULL};
    struct plog_request q;
    size_t line_max = 0;
    int rc = plog_take_options(&o, sizeof o, given, err);
    if (!rc && group)
        rc = plog_take_options(&g, sizeof g, group, err);
    if (rc)
        return rc;
    const struct plog_io *io = o.io ? o.io : plog_io_posix();
    rc = plog_reader_open_log(&r, io, dir, o.vkey, err);
    if (!rc)
        rc = check_log(&r, &o, &line_max, err);
    if (!rc)
        rc = check_heads(dir, &o, err);
    if (!rc && group) {
        rc = plog_request_build(&q, io, &g, &o, line_max, err);
        plog_request_free(&q);
    }
    plog_reader_fini(&r);
    return plog_done(err, rc);
}
