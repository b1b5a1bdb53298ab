/*
 * rehearse.c - whether a log can be written to, asked without a byte changed,
 * and a handle that only reads: for dry runs of what opens it.
 */
#include <string.h>

#include "engine.h"
#include "fs.h"
#include "reader.h"
#include "rehearse.h"
#include "request.h"

/* The head check of an opening (plog_legs_check), on what is only read.
 * Returns 0; PLOG_END: it would go on to the repair; or what it refuses. */
static int check_head(struct plog_reader *r, struct plog_store_head *h,
                      struct plog_rehearsal *out, struct plog_error *err)
{
    struct plog_tail t;
    struct plog_stat id;
    plog_tail_init(&t, &r->dir);
    int rc = plog_reader_begin(r, err);
    if (!rc)
        rc = plog_store_get_head(&r->store, h, err);
    if (rc)
        return rc;
    t.first = h->segment;
    out->size = h->commit.size;
    out->line_max = (size_t)h->rules.line_max;
    if (h->commit.size == 0)
        return PLOG_END;
    rc = plog_store_keys(&r->store, h, &r->keys, &out->chain, err);
    if (!rc)
        rc = plog_dir_open_segment(&r->dir, h->segment, false, &t.fd, &id, err);
    if (rc == PLOG_E_CORRUPT)
        rc = PLOG_END;
    t.end = rc ? 0 : id.size;
    if (!rc)
        rc = plog_legs_end_here(&t, &r->dir, &out->chain, h, err);
    plog_tail_close(&t);
    return rc;
}

/* What the repair would refuse.  A log that goes on behind the store, or ends
 * in an unfinished group, it would mend, and know the keys up to there. */
static int check_rest(struct plog_reader *r, const struct plog_store_head *h,
                      struct plog_rehearsal *out, struct plog_error *err)
{
    struct plog_walk w;
    struct plog_log_end end;
    int rc = plog_legs_inspect(&w, &r->dir, &r->keys, &r->store, h, &end, err);
    if (!rc) {
        out->chain = w.chain.chain;
        out->size = w.chain.last.size;
    }
    plog_walk_close(&w);
    return rc;
}

/* Where the log does not end with the store's head somebody is writing, or did
 * not finish: the lock tells which. */
static int check_legs(struct plog_reader *r, int64_t until,
                      struct plog_rehearsal *out, struct plog_error *err)
{
    struct plog_store_head h;
    int rc = check_head(r, &h, out, err);
    if (rc != PLOG_END)
        return rc;
    rc = plog_dir_lock(&r->dir, true, plog_io_left(r->io, until), err);
    if (rc)
        return rc;
    plog_store_rollback(&r->store);
    rc = check_head(r, &h, out, err);
    if (rc == PLOG_END)
        rc = check_rest(r, &h, out, err);
    plog_dir_unlock(&r->dir);
    return rc;
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

static int check_log(struct plog_reader *r, const struct plog_options *o,
                     struct plog_rehearsal *out, struct plog_error *err)
{
    double wait = o->wait_seconds != 0 ? o->wait_seconds : 10;
    int64_t until = plog_io_until(r->io, wait);
    int rc = plog_fs_check(&r->dir, o->allow_network_fs, err);
    if (!rc)
        rc = plog_reader_open_store(r, plog_io_left(r->io, until), err);
    if (!rc)
        rc = check_legs(r, until, out, err);
    return rc ? rc : check_signer(r, o->passphrase, out, err);
}

int plog_rehearse_log(const char *dir, const struct plog_options *given,
                      const struct plog_group *group,
                      struct plog_rehearsal *out, struct plog_error *err)
{
    struct plog_options o;
    struct plog_group g;
    struct plog_request q;
    memset(out, 0, sizeof *out);
    int rc = plog_take_options(&o, sizeof o, given, err);
    if (!rc && group)
        rc = plog_take_options(&g, sizeof g, group, err);
    if (rc)
        return rc;
    const struct plog_io *io = o.io ? o.io : plog_io_posix();
    rc = plog_reader_open_dir(&out->reader, io, dir, PLOG_DIR_DRY,
                              o.allow_loose_modes, o.vkey, err);
    if (!rc)
        rc = check_log(&out->reader, &o, out, err);
    if (!rc && group) {
        rc = plog_request_build(&q, io, &g, &o, out->line_max, err);
        plog_request_free(&q);
    }
    if (rc)
        plog_reader_fini(&out->reader);
    return rc;
}

/* ---- A handle for a dry run --------------------------------------------- */

static int open_store(plog *p, struct plog_error *err)
{
    struct plog_legs *l = &p->legs;
    char path[PLOG_DIR_PATH_MAX];
    plog_dir_store_path(&l->dir, path, sizeof path);
    int rc = plog_store_open(&l->store, l->io, path, PLOG_OPEN_READ,
                             plog_io_wait_ms(l->wait_seconds), err);
    l->store_open = !rc;
    if (!rc)
        rc = plog_store_begin_read(&l->store, err);
    if (!rc)
        rc = plog_store_get_head(&l->store, &l->head, err);
    if (!rc)
        rc = plog_store_keys(&l->store, &l->head, &l->keys, &l->chain, err);
    if (!rc)
        plog_store_rollback(&l->store);
    return rc;
}

/* Takes over what was found, but for the reader's store: a handle has one of
 * its own.  Of a log that goes on behind that the store knows no key that came
 * later. */
static int take_found(plog *p, struct plog_rehearsal *found,
                      struct plog_error *err)
{
    p->rehearses = found->size;
    plog_legs_take(&p->legs, &found->reader.dir, &found->reader.keys,
                   &p->options);
    plog_reader_fini(&found->reader);
    int rc = open_store(p, err);
    if (!rc && p->legs.head.commit.size < found->size)
        p->legs.chain = found->chain;
    return rc;
}

int plog_rehearse_open(plog **out, const char *dir,
                       const struct plog_options *given, struct plog_error *err)
{
    struct plog_options o;
    struct plog_rehearsal found;
    plog *p;
    *out = NULL;
    int rc = plog_take_options(&o, sizeof o, given, err);
    if (!rc)
        rc = plog_rehearse_log(dir, &o, NULL, &found, err);
    if (rc)
        return rc;
    rc = plog_engine_new(&p, found.reader.io, err);
    if (rc) {
        plog_reader_fini(&found.reader);
        return rc;
    }
    p->poisoned = true; /* nothing to trim when it is closed */
    p->options = o;
    p->options.vkey = p->options.passphrase = NULL;
    rc = take_found(p, &found, err);
    if (rc) {
        plog_close(p);
        return rc;
    }
    memcpy(p->origin, p->legs.head.origin, sizeof p->origin);
    *out = p;
    return 0;
}

int plog_rehearse_run(plog *p, int (*what)(plog *, void *, struct plog_error *),
                      void *arg, struct plog_error *err)
{
    int rc = plog_store_begin_read(&p->legs.store, err);
    if (!rc)
        rc = plog_store_get_head(&p->legs.store, &p->legs.head, err);
    if (!rc)
        rc = what(p, arg, err);
    plog_store_rollback(&p->legs.store);
    return plog_done(err, rc);
}

int plog_rehearse(const char *dir, const struct plog_options *o,
                  const struct plog_group *group, struct plog_error *err)
{
    struct plog_rehearsal found;
    int rc = plog_rehearse_log(dir, o, group, &found, err);
    if (!rc)
        plog_reader_fini(&found.reader);
    return plog_done(err, rc);
}
