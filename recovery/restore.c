/*
 * restore.c - a log as it was at some point, in a new place.
 *
 * The groups up to the point are copied as they are, each verified; the store
 * is made from the copy.  The signing key stays behind: two directories that
 * sign for one name are a fork waiting to happen.
 */
#include "archive.h"
#include "restore.h"
#include "snapshot.h"

#include <errno.h>

#include "again.h"

/* ---- Going on ----------------------------------------------------------- */

static int add_restore(struct plog_restoring *r, struct plog_buf *lines,
                       struct plog_buf *args, struct plog_commit *c)
{
    unsigned char leaf[PLOG_HASH_SIZE];
    char logged_at[40];
    const struct plog_head *head = &r->report->head;
    plog_instant_format(plog_instant_now(r->io), logged_at);
    int rc =
        plog_restore_make(args, head->size, head->root, &r->key, &r->signer);
    if (!rc)
        rc = plog_control_format(lines, head->size + 1, PLOG_CONTROL_RESTORE,
                                 plog_span(args->data, args->len),
                                 plog_span_text(logged_at));
    if (rc)
        return rc;
    plog_hash_leaf(lines->data, lines->len, leaf);
    rc = plog_tree_add(&r->tree, leaf);
    c->size = head->size + 1;
    plog_tree_root(&r->tree, c->root);
    memcpy(c->key, r->signer.vkey.id_text, sizeof c->key);
    if (!rc)
        rc = plog_signer_make(&r->signer, r->signer.vkey.name, c->size, c->root,
                              c->sig);
    if (!rc)
        rc = plog_buf_add_char(lines, '\n');
    if (!rc)
        rc = plog_commit_format(lines, c);
    return rc ? rc : plog_buf_add_char(lines, '\n');
}

/* The copy gets a key and a name of its own: a restore entry, in a segment
 * that the old name still heads, signed by the new key. */
static int go_on(struct plog_restoring *r, struct plog_error *err)
{
    struct plog_buf lines, args;
    struct plog_tree before = r->tree;
    struct plog_commit last = {.size = r->report->head.size}, c = {.size = 0};
    memcpy(last.root, r->report->head.root, sizeof last.root);
    memcpy(last.sig, r->report->head.sig, sizeof last.sig);
    memcpy(last.key, r->report->head.key, sizeof last.key);
    plog_buf_init(&lines, r->io);
    plog_buf_init(&args, r->io);
    int keys = r->place.dir.keys;
    int rc = plog_signer_generate(&r->signer, r->io, r->o->continue_as, err);
    if (!rc)
        rc = plog_signer_save(&r->signer, r->io, keys, r->o->passphrase, err);
    if (!rc)
        rc = plog_vkey_save(&r->signer.vkey, r->io, keys, err);
    if (!rc && add_restore(r, &lines, &args, &c))
        rc = plog_fail(err, PLOG_E_NOMEM, "making the restore entry failed");
    if (!rc)
        rc = plog_outlog_segment(&r->log, r->key.name, &before, &last, err);
    if (!rc)
        rc = plog_outlog_add(&r->log, lines.data, lines.len, err);
    if (!rc) {
        r->report->continued = plog_commit_head(&c);
        plog_vkey_format(&r->signer.vkey, r->report->vkey);
    }
    plog_buf_fini(&args);
    plog_buf_fini(&lines);
    return rc;
}

/* The point lies below the floor, or there is none. */
static int found_nothing(const struct plog_restoring *r, struct plog_error *err)
{
    if (r->base && r->o->at_seq > r->base && r->next.size) {
        plog_fail(err, PLOG_E_PRUNED,
                  "entry %llu is in the group up to %llu, and all before that"
                  " was compacted away",
                  (unsigned long long)r->o->at_seq,
                  (unsigned long long)r->next.size);
        plog_err_seq(err, r->next.size);
        plog_err_hint(err,
                      "restore with --at %llu; or put the files of archive/"
                      " back from a backup",
                      (unsigned long long)r->next.size);
        return PLOG_E_PRUNED;
    }
    if (r->base) {
        plog_fail_pruned(err, r->o->at_seq ? r->o->at_seq : r->base, r->base);
        plog_err_hint(err, PLOG_ARCHIVE_NOT_HERE);
        return PLOG_E_PRUNED;
    }
    plog_fail(err, PLOG_E_NOT_FOUND, "no commit lies at or before it");
    plog_err_hint(err, "run: paritylog log DIR --to 1");
    return PLOG_E_NOT_FOUND;
}

static int copy_log(struct plog_restoring *r, struct plog_error *err)
{
    plog_outlog_init(&r->log, r->io, r->place.dir.log);
    plog_entry_parser_init(&r->parser, r->io);
    int rc = plog_restore_copy(r, err);
    if (!rc && r->report->head.size == 0 && r->base) {
        r->reader.dir.with_archive = true;
        r->next.size = 0;
        rc = plog_restore_copy(r, err);
    }
    if (!rc && r->report->head.size == 0)
        rc = found_nothing(r, err);
    r->report->floor = r->base;
    if (!rc && r->o->continue_as && !r->o->dry_run)
        rc = go_on(r, err);
    if (!rc)
        rc = plog_outlog_finish(&r->log, err);
    if (!rc && !r->o->dry_run)
        rc = plog_restore_redact(r, err);
    plog_outlog_close(&r->log);
    plog_entry_parser_fini(&r->parser);
    return rc;
}

/* ---- Options ------------------------------------------------------------ */

/* Whether the store has followed every order of the log: it ends where the log
 * does, but for a group that was not finished. */
static bool knows_orders(const struct plog_status *s)
{
    return s->has_store && (s->verdict == 0 || s->verdict == PLOG_E_TORN);
}

/* The log's end as it is now; above it nothing is read, because it may still
 * vanish. */
static int look(struct plog_restoring *r, const char *dir,
                struct plog_error *err)
{
    struct plog_status s;
    struct plog_options o = {.struct_size = sizeof o,
                             .io = r->o->io,
                             .vkey = r->o->vkey,
                             .wait_seconds = r->o->wait_seconds};
    int rc = plog_read_status(dir, &o, &s, err);
    if (rc)
        return rc;
    r->known = s.store_size > s.log_size ? s.store_size : s.log_size;
    r->limit = s.log_has_commit ? r->known : UINT64_MAX;
    if (r->o->at_seq && r->o->at_seq < r->limit)
        r->limit = r->o->at_seq; /* what lies behind it does no harm */
    r->alone = !s.has_store;
    r->redacts = (r->o->at_seq || r->o->at_time) &&
                 (!knows_orders(&s) || s.redactions > 0);
    r->report->source.size = s.log_size;
    memcpy(r->report->source.root, s.log_root, PLOG_HASH_SIZE);
    if (s.log_has_commit && r->o->at_seq > r->known) {
        plog_fail(err, PLOG_E_NOT_FOUND, "the log ends at entry %llu",
                  (unsigned long long)r->known);
        return PLOG_E_NOT_FOUND;
    }
    return 0;
}

/* Orders that came along are none of the log: no store made from it follows
 * them. */
static bool has_orders(const struct plog_restoring *r)
{
    struct plog_stat st;
    return r->io->stat_at(r->io->ctx, r->reader.dir.dir, PLOG_ORDERS_DIR,
                          &st) != -ENOENT;
}

static int check_adoption(const struct plog_restoring *r,
                          struct plog_error *err)
{
    const struct plog_head *h = &r->report->head;
    if (!r->o->adopt || (h->size == r->o->adopt_size &&
                         !memcmp(h->root, r->o->adopt_root, PLOG_HASH_SIZE)))
        return 0;
    plog_fail(err, PLOG_E_FORK,
              "the restored head is at entry %llu and not the one to adopt",
              (unsigned long long)h->size);
    plog_err_hint(err, "compare with: paritylog restore DIR --out NEW"
                       " --dry-run");
    return PLOG_E_FORK;
}

/* Of a key under a passphrase that is not given, only the name is known. */
static int read_key(const struct plog_restoring *r, bool *fits,
                    struct plog_error *err)
{
    struct plog_signer s = {.secret = NULL};
    char id[PLOG_KEYID_TEXT], next[PLOG_KEYID_TEXT];
    const char *wanted = r->key.id_text;
    bool sealed;
    int keys = r->reader.dir.keys;
    int rc = plog_signer_id(r->io, keys, id, &sealed, err);
    /* The copy ends or undoes a rotation that was cut off. */
    *fits = !rc && (strcmp(id, wanted) == 0 ||
                    (plog_signer_next_id(r->io, keys, next, NULL) == 0 &&
                     strcmp(next, wanted) == 0));
    if (rc || (sealed && !r->o->passphrase))
        return rc;
    rc = plog_signer_load(&s, r->io, keys, r->o->passphrase, err);
    plog_signer_fini(&s);
    return rc;
}

/* Whoever adopts a copy stops using the original: so it must be one that can
 * be written to. */
static int check_key(const struct plog_restoring *r, struct plog_error *err)
{
    bool fits = false;
    if (!r->o->adopt)
        return 0;
    int rc = read_key(r, &fits, err);
    if (!rc && fits)
        return 0;
    if (!rc)
        rc =
            plog_fail(err, PLOG_E_KEY,
                      "keys/signing.key is not key %s, which signs behind"
                      " entry %llu",
                      r->key.id_text, (unsigned long long)r->report->head.size);
    if (rc == PLOG_E_KEY && (!fits || (err && !err->hint[0])))
        plog_err_hint(err,
                      "put key %s there as DIR/keys/signing.key, mode 0600;"
                      " without it, a copy can go on under another name:"
                      " --continue-as NAME instead of --adopt",
                      r->key.id_text);
    return rc;
}

static int make_store(struct plog_restoring *r, struct plog_error *err)
{
    struct plog_replay_report report;
    struct plog_replay_options o = {.struct_size = sizeof o,
                                    .io = r->o->io,
                                    /* The old log was verified under the
                                     * pin; the new key is ours. */
                                    .vkey =
                                        r->report->vkey[0] ? NULL : r->o->vkey,
                                    .progress = r->o->progress,
                                    .arg = r->o->arg,
                                    .allow_network_fs = r->o->allow_network_fs};
    const struct plog_head *want =
        r->report->vkey[0] ? &r->report->continued : &r->report->head;
    int rc = plog_replay(r->place.part, &o, &report, err);
    if (!rc && (report.head.size != want->size ||
                memcmp(report.head.root, want->root, sizeof want->root) != 0))
        rc = plog_fail(err, PLOG_E_CORRUPT,
                       "the copy does not read back as it was written");
    return rc;
}

static int run(struct plog_restoring *r, const char *dir, const char *out,
               struct plog_error *err)
{
    int rc = look(r, dir, err);
    if (!rc)
        rc = plog_reader_open_log(&r->reader, r->io, dir, r->o->vkey, err);
    if (!rc && has_orders(r))
        r->redacts = true;
    if (!rc && !r->o->dry_run)
        rc = plog_place_make(&r->place, r->io, out, err);
    else if (!rc && out)
        rc = plog_place_check(r->io, out, err);
    if (!rc && !r->o->dry_run)
        rc = plog_place_orders(&r->place, &r->reader.dir, err);
    if (!rc)
        rc = copy_log(r, err);
    if (!rc)
        rc = check_adoption(r, err);
    if (!rc)
        rc = check_key(r, err);
    if (!rc && r->base) /* without it there is no store */
        rc = plog_snapshot_check(&r->reader.dir, r->base, r->digest, err);
    if (rc || r->o->dry_run)
        return rc;
    r->report->adopted = r->o->adopt;
    rc = plog_place_keys(&r->place, &r->reader.dir, r->o->adopt, err);
    if (!rc && r->base)
        rc = plog_place_snapshot(&r->place, &r->reader.dir, r->base, err);
    if (!rc)
        rc = make_store(r, err);
    return rc ? rc : plog_place_finish(&r->place, err);
}

/* One attempt, from the beginning; what it leaves unfinished is removed.
 * @from  of r->from, and out: of r->again_from */
static int attempt(const struct plog_restore_options *o, const char *dir,
                   const char *out, struct plog_instant at, uint64_t *from,
                   struct plog_restore_report *report, struct plog_error *err)
{
    struct plog_restoring r = {.o = o,
                               .report = report,
                               .io = o->io ? o->io : plog_io_posix(),
                               .at = at,
                               .from = *from};
    memset(report, 0, sizeof *report);
    report->dry_run = o->dry_run;
    plog_buf_init(&r.orders, r.io);
    plog_buf_init(&r.whole, r.io);
    plog_buf_init(&r.targets, r.io);
    plog_buf_init(&r.redacted, r.io);
    int rc = run(&r, dir, out, err);
    if (rc)
        plog_place_say_full(&r.place, err);
    *from = rc ? r.again_from : 0;
    plog_signer_fini(&r.signer);
    plog_buf_fini(&r.redacted);
    plog_buf_fini(&r.targets);
    plog_buf_fini(&r.whole);
    plog_buf_fini(&r.orders);
    plog_place_close(&r.place);
    plog_reader_fini(&r.reader);
    return rc;
}

/* Again from above what archive/ lacks, as long as the point lies there. */
static int attempts(const struct plog_restore_options *o, const char *dir,
                    const char *out, struct plog_instant at,
                    struct plog_restore_report *report, struct plog_error *err)
{
    uint64_t from = 0;
    int rc = attempt(o, dir, out, at, &from, report, err), was = rc;
    if (!from)
        return rc;
    struct plog_error why = *err;
    while (rc && from) {
        memset(err, 0, sizeof *err);
        rc = attempt(o, dir, out, at, &from, report, err);
    }
    if (rc != PLOG_E_PRUNED)
        return rc;
    *err = why;
    return was;
}

int plog_restore(const char *dir, const char *out,
                 const struct plog_restore_options *given,
                 struct plog_restore_report *report, struct plog_error *err)
{
    struct plog_restore_options own;
    struct plog_again again;
    struct plog_instant at = {0};
    struct plog_error why = {.code = 0};
    int rc;
    if (!err)
        err = &why;
    if (plog_take_options(&own, sizeof own, given, err))
        return PLOG_E_ARG;
    memset(report, 0, sizeof *report);
    if (own.at_time && plog_instant_parse(plog_span_text(own.at_time), &at)) {
        plog_fail(err, PLOG_E_INPUT, "the time is not one of RFC 3339: %.60s",
                  own.at_time);
        plog_err_hint(err, "give one such as 2026-01-31T12:00:00Z");
        return PLOG_E_INPUT;
    }
    if (own.continue_as &&
        (own.adopt || !plog_origin_valid(plog_span_text(own.continue_as))))
        return plog_fail(err, PLOG_E_ARG,
                         own.adopt ? "a copy that goes on under a name of its"
                                     " own adopts nothing"
                                   : "the name to go on under is not one:"
                                     " 1 to 255 bytes, no space, no +");
    const struct plog_io *io = own.io ? own.io : plog_io_posix();
    int64_t started = io->clock_mono_ns(io->ctx);
    plog_again_begin(&again, io, dir);
    do
        rc = attempts(&own, dir, out, at, report, err);
    while (plog_again(&again, rc));
    rc = plog_again_end(&again, rc, err);
    report->seconds = (double)(io->clock_mono_ns(io->ctx) - started) / 1e9;
    return plog_done(err, rc);
}
