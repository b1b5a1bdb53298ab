/*
 * rehearse.c - whether a log can be written to, asked without a byte changed:
 * for dry runs of what opens it and logs one entry.
 */
#include <string.h>

#include "engine.h"
#include "fs.h"
#include "reader.h"
#include "rehearse.h"
#include "request.h"

/* What opening it would refuse.  A log that goes on behind the store, or ends
 * in an unfinished group, it would mend.
 * @behind  out: the former */
static int check_heads(const char *dir, const struct plog_options *o,
                       bool *behind, struct plog_error *err)
{
    struct plog_status s;
    int rc = plog_read_status(dir, o, &s, err);
    *behind = !rc && s.has_store && s.verdict == PLOG_E_BEHIND;
    if (rc || !s.has_store || s.verdict == 0 || s.verdict == PLOG_E_BEHIND ||
        s.verdict == PLOG_E_TORN)
        return rc;
    plog_fail(err, s.verdict, "log and store do not end alike: %s",
              plog_strerror(s.verdict));
    plog_err_hint(err, "run: paritylog parity DIR");
    return s.verdict;
}

/* The keys up to the end of a log that goes on behind the store, as the repair
 * comes to know them. */
static int keys_behind(struct plog_reader *r, const struct plog_store_head *h,
                       struct plog_rehearsal *out, struct plog_error *err)
{
    struct plog_walk w;
    struct plog_log_end end;
    int rc = plog_walk_open(&w, &r->dir, &r->keys, err);
    if (!rc)
        rc = plog_legs_place(&r->store, h, &w, err);
    if (!rc)
        rc = plog_legs_find_end(&w, &end, err);
    if (!rc) {
        out->chain = w.chain.chain;
        out->size = w.chain.last.size;
    }
    plog_walk_close(&w);
    return rc;
}

static int read_keys(struct plog_reader *r, bool behind,
                     struct plog_rehearsal *out, struct plog_error *err)
{
    struct plog_store_head h;
    int rc = plog_store_begin_read(&r->store, err);
    if (!rc)
        rc = plog_store_get_head(&r->store, &h, err);
    if (rc)
        return rc;
    out->size = h.commit.size;
    out->line_max = (size_t)h.rules.line_max;
    return behind ? keys_behind(r, &h, out, err)
                  : plog_store_keys(&r->store, &h, &r->keys, &out->chain, err);
}

/* The key that signs the next commit, as opening comes to it. */
static int check_signer(const struct plog_reader *r, const char *passphrase,
                        const struct plog_rehearsal *on, struct plog_error *err)
{
    struct plog_signer s = {.secret = NULL};
    char next[PLOG_KEYID_TEXT];
    int keys = r->dir.keys;
    if (!plog_keychain_at(&on->chain, on->size + 1))
        return plog_fail(err, PLOG_E_UNKNOWN_KEY, "the log has no key yet");
    int rc = plog_signer_load(&s, r->io, keys, passphrase, err);
    if (rc == PLOG_E_KEY && !plog_signer_next_id(r->io, keys, next, NULL))
        rc = 0;
    if (!rc)
        rc = plog_signer_in_force(&s, r->io, keys, passphrase, &on->chain,
                                  on->size, err);
    plog_signer_fini(&s);
    return rc;
}

static int check_log(struct plog_reader *r, const char *dir,
                     const struct plog_options *o, struct plog_rehearsal *out,
                     struct plog_error *err)
{
    double wait = o->wait_seconds != 0 ? o->wait_seconds : 10;
    int64_t until = plog_io_until(r->io, wait);
    bool behind = false;
    int rc = plog_fs_check(&r->dir, o->allow_network_fs, err);
    if (!rc)
        rc = check_heads(dir, o, &behind, err);
    if (!rc)
        rc = plog_reader_open_store(r, plog_io_left(r->io, until), err);
    if (!rc)
        rc = read_keys(r, behind, out, err);
    return rc ? rc : check_signer(r, o->passphrase, out, err);
}

int plog_rehearse_log(const char *dir, const struct plog_options *given,
                      const struct plog_group *group,
                      struct plog_rehearsal *out, struct plog_error *err)
{
    struct plog_options o;
    struct plog_group g;
    struct plog_reader r = {.io = NULL};
    struct plog_request q;
    memset(out, 0, sizeof *out);
    int rc = plog_take_options(&o, sizeof o, given, err);
    if (!rc && group)
        rc = plog_take_options(&g, sizeof g, group, err);
    if (rc)
        return rc;
    const struct plog_io *io = o.io ? o.io : plog_io_posix();
    rc = plog_reader_open_log(&r, io, dir, o.vkey, err);
    if (!rc)
        rc = check_log(&r, dir, &o, out, err);
    if (!rc && group) {
        rc = plog_request_build(&q, io, &g, &o, out->line_max, err);
        plog_request_free(&q);
    }
    plog_reader_fini(&r);
    return rc;
}

int plog_rehearse(const char *dir, const struct plog_options *o,
                  const struct plog_group *group, struct plog_error *err)
{
    struct plog_rehearsal found;
    return plog_done(err, plog_rehearse_log(dir, o, group, &found, err));
}
