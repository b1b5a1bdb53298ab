/*
 * compact.c - taking away what every peer has received, and what it came to
 * stays provable.
 *
 * Order: the maintenance lock -> what a killed one left -> payloads that came
 * back although an order took them out -> plan -> the store durable -> parity
 * -> snapshot, on disk and read again -> compact entry, durable in both legs ->
 * segments to the archive, one by one -> the store's mark that something is
 * pending goes.  Up to the entry the old floor holds, from it on the new one;
 * whatever is cut off behind it, the next call finishes.
 */
#include "check.h"
#include "compact.h"
#include "parity.h"
#include "rehearse.h"
#include "scrub.h"

#include <stdio.h>

#define ENTRY_MAX (1u << 20) /* a proof of it travels with copies */

int plog_compact_tell(struct plog_compacting *c, const char *phase,
                      uint64_t done, uint64_t total, struct plog_error *err)
{
    struct plog_progress p = {done, total, 0, phase};
    if (c->o->progress && c->o->progress(c->o->arg, &p))
        return plog_fail(err, PLOG_E_INTERRUPTED, "stopped");
    return 0;
}

/* ---- The compact entry -------------------------------------------------- */

struct entry {
    struct plog_compacting *c;
    struct plog_compaction args;
    struct plog_buf peers, rotations;
};

static int add_peer(struct plog_buf *b, sqlite3_stmt *q)
{
    int rc = plog_buf_add_text(b, b->len > 1 ? ",{\"name\":" : "{\"name\":");
    if (!rc)
        rc = plog_buf_add_json(b, plog_sql_text(q, 0));
    if (!rc)
        rc = plog_buf_add_text(b, ",\"seq\":");
    if (!rc)
        rc = plog_buf_add_u64(b, plog_sql_u64(q, 1));
    if (!rc && sqlite3_column_type(q, 2) != SQLITE_NULL) {
        struct plog_span root = plog_sql_text(q, 2);
        rc = plog_buf_add_text(b, ",\"root\":\"");
        if (!rc)
            rc = plog_buf_add_base64(b, root.p, root.n);
        if (!rc)
            rc = plog_buf_add_char(b, '"');
    }
    return rc ? rc : plog_buf_add_char(b, '}');
}

static int add_peers(struct plog_store *s, struct plog_buf *b,
                     struct plog_error *err)
{
    sqlite3_stmt *q = NULL;
    int rc = plog_buf_add_char(b, '[');
    if (!rc)
        rc = plog_sql_prepare(
            s->db, "SELECT name,cursor,root FROM main.peers ORDER BY name", &q,
            err);
    while (!rc && (rc = plog_sql_row(q, err)) == 0)
        rc = add_peer(b, q);
    sqlite3_finalize(q);
    return rc == PLOG_END ? plog_buf_add_char(b, ']') : rc;
}

static int add_rotations(struct plog_store *s, uint64_t to, struct plog_buf *b,
                         struct plog_error *err)
{
    struct plog_entry e;
    sqlite3_stmt *q = NULL;
    int rc = plog_buf_add_char(b, '[');
    if (!rc)
        rc = plog_sql_prepare(s->db,
                              "SELECT e.line FROM main.rotations r JOIN"
                              " main.events e ON e.seq=r.seq WHERE r.seq<=?1"
                              " ORDER BY r.seq",
                              &q, err);
    if (!rc)
        plog_sql_bind_u64(q, 1, to);
    while (!rc && (rc = plog_sql_row(q, err)) == 0) {
        rc = plog_entry_parse(&s->parser, plog_sql_text(q, 0), &e, err);
        if (!rc && b->len > 1)
            rc = plog_buf_add_char(b, ',');
        if (!rc)
            rc = plog_compaction_add_rotation(b, &e);
    }
    sqlite3_finalize(q);
    return rc == PLOG_END ? plog_buf_add_char(b, ']') : rc;
}

/* Under the writer lock: what the plan rested on must still be so. */
static int still_so(struct entry *e, plog *p, struct plog_error *err)
{
    struct plog_compacting *c = e->c;
    uint64_t count, cursor;
    bool proven;
    char name[PLOG_NAME_MAX + 1];
    if (p->legs.head.rules.floor != c->from)
        return plog_fail(err, PLOG_E_LOCKED, "the floor has moved meanwhile");
    if (c->to < c->from)
        return 0;
    int rc = plog_compact_slowest(&p->legs.store, &count, &cursor, name,
                                  sizeof name, &proven, err);
    if (!rc && (count == 0 || cursor < c->to || (c->o->discard && !proven)))
        rc = plog_fail(err, PLOG_E_LOCKED,
                       "the peers have changed meanwhile; run it again");
    return rc;
}

static int make(void *arg, plog *p, struct plog_buf *args,
                struct plog_error *err)
{
    struct entry *e = arg;
    int rc = still_so(e, p, err);
    if (!rc)
        rc = add_peers(&p->legs.store, &e->peers, err);
    if (!rc)
        rc = add_rotations(&p->legs.store, e->c->to, &e->rotations, err);
    e->args.peers = plog_span(e->peers.data, e->peers.len);
    e->args.rotations = plog_span(e->rotations.data, e->rotations.len);
    if (!rc && plog_compaction_format(args, &e->args))
        rc = plog_fail(err, PLOG_E_NOMEM, "out of memory");
    if (!rc && args->len > ENTRY_MAX)
        rc = plog_fail(err, PLOG_E_INPUT,
                       "the compact entry would have %zu bytes, at most %u may"
                       " be: evict some of the %llu peers",
                       args->len, ENTRY_MAX,
                       (unsigned long long)e->c->report->peers);
    return rc;
}

int plog_compact_log(struct plog_compacting *c, const unsigned char *digest,
                     bool archive, struct plog_error *err)
{
    struct plog_receipt receipt;
    struct entry e = {.c = c};
    struct plog_compaction *a = &e.args;
    a->from = c->from;
    a->to = c->to;
    memcpy(a->root, c->at_to.root, sizeof a->root);
    a->archive = archive;
    a->has_snapshot = digest != NULL;
    if (digest)
        memcpy(a->snapshot, digest, sizeof a->snapshot);
    a->rules.strategy = c->rules.strategy;
    a->rules.line_max = c->rules.line_max;
    a->rules.segment_size = c->rules.segment_size;
    plog_buf_init(&e.peers, c->io);
    plog_buf_init(&e.rotations, c->io);
    int rc = plog_engine_control(c->p, PLOG_CONTROL_COMPACT, make, &e, &receipt,
                                 err);
    c->report->entry = rc ? 0 : receipt.seq;
    plog_buf_fini(&e.rotations);
    plog_buf_fini(&e.peers);
    return rc;
}

/* ---- Steps -------------------------------------------------------------- */

struct last {
    struct plog_compacting *c;
    struct plog_compaction entry;
    struct plog_buf line;
    struct plog_entry_parser parser;
    bool known, pending;
};

static int read_last(plog *p, void *arg, struct plog_error *err)
{
    struct last *l = arg;
    int rc = plog_compaction_last(&p->legs.store, &l->parser, &l->line,
                                  &l->entry, &l->pending, err);
    l->known = rc == 0;
    if (!rc && l->pending)
        rc = plog_compact_prior(&p->legs.store, &l->parser, &l->entry,
                                &l->c->prior, err);
    return rc == PLOG_END ? 0 : rc;
}

/* What lies below the floor goes, where it is left of a killed compaction, or
 * somebody put it there.  The snapshot comes first: that may be all there is to
 * make it of; or be in its way, so it is tried again behind it. */
static int finish(struct plog_compacting *c, const struct last *l,
                  struct plog_error *err)
{
    int mended = plog_compact_mend(c, &l->entry, err);
    if (mended && !plog_check_is_verdict(mended))
        return mended;
    int rc = l->pending ? plog_compact_finish(c, &l->entry, err)
                        : plog_compact_strays(c, &l->entry, err);
    return rc || !mended ? rc : plog_compact_mend(c, &l->entry, err);
}

/* An undo has no need of the snapshot that it takes back, and of one nothing
 * can be left but copies in the archive. */
static int finish_last(struct plog_compacting *c, struct plog_error *err)
{
    struct last l = {.c = c};
    plog_buf_init(&l.line, c->io);
    plog_entry_parser_init(&l.parser, c->io);
    int rc = plog_engine_locked(c->p, read_last, &l, err);
    if (!rc && l.known && !c->o->undo)
        rc = finish(c, &l, err);
    else if (!rc && l.known && l.pending)
        rc = plog_compact_finish(c, &l.entry, err);
    if (l.known && l.entry.from < l.entry.to)
        c->prior = l.entry.from;
    plog_entry_parser_fini(&l.parser);
    plog_buf_fini(&l.line);
    return rc;
}

static int not_finished(uint64_t seq, bool below, struct plog_error *err)
{
    plog_fail(err, PLOG_E_LOCKED,
              "a redaction is not finished: its payload would go into"
              " the archive");
    plog_err_seq(err, seq);
    if (below) /* the opening tries it each time */
        plog_err_hint(err,
                      "end long reads and run it again; what else is in the"
                      " way, paritylog redact DIR %llu --reason TEXT says",
                      (unsigned long long)seq);
    else
        plog_err_hint(err,
                      "run: paritylog redact DIR %llu --reason TEXT again,"
                      " when no reader is at the store",
                      (unsigned long long)seq);
    return PLOG_E_LOCKED;
}

/* One whose payload may be in quarantine/ alone holds up nothing; nor, in a dry
 * run, one below the floor, which is finished first in earnest.
 * @kept  a scrub came to its end, and said so */
static int check_one(struct plog_scrub_reach *r, uint64_t seq, bool kept,
                     bool dry_run, struct plog_error *err)
{
    bool below = seq <= r->l->head.rules.floor;
    bool lost = kept || (below && dry_run);
    int rc = below ? plog_scrub_out_of_reach(r, seq, err) : 0;
    if (!rc && below && !lost)
        rc = plog_scrub_lost(r, seq, &lost, err);
    return rc || lost ? rc : not_finished(seq, below, err);
}

static int check_pending(struct plog_legs *l, bool dry_run,
                         struct plog_error *err)
{
    struct plog_buf seqs, kept;
    struct plog_scrub_reach r;
    plog_scrub_reach_init(&r, l);
    plog_buf_init(&seqs, l->io);
    plog_buf_init(&kept, l->io);
    int rc = plog_store_pending(&l->store, &seqs, err);
    if (!rc)
        rc = plog_store_kept(&l->store, &kept, err);
    const uint64_t *all = (const void *)seqs.data;
    const uint64_t *is_kept = (const void *)kept.data;
    size_t at = 0; /* both ascend, and each of `kept` is pending */
    for (size_t i = 0; !rc && i < seqs.len / sizeof *all; i++) {
        bool is = at < kept.len / sizeof *is_kept && is_kept[at] == all[i];
        at += is;
        rc = check_one(&r, all[i], is, dry_run, err);
    }
    plog_buf_fini(&kept);
    plog_buf_fini(&seqs);
    plog_scrub_reach_close(&r);
    return rc;
}

/* A segment that was fetched from a backup may have payloads again that were
 * taken out: they would be folded, signed and archived.  And what was out of
 * reach may be no more.  What cannot be done about it stays pending, which the
 * plan sees. */
static int scrub_again(plog *p, void *arg, struct plog_error *err)
{
    struct plog_compacting *c = arg;
    uint64_t whole;
    plog_store_rollback(&p->legs.store);
    int rc = plog_scrub_again(&p->legs, &whole, err);
    if (!rc)
        rc = plog_scrub(&p->legs, &c->scrubbed, err);
    return rc == PLOG_E_LOCKED ? 0 : rc;
}

static int plan(plog *p, void *arg, struct plog_error *err)
{
    struct plog_compacting *c = arg;
    int rc = check_pending(&p->legs, c->o->dry_run, err);
    return rc ? rc : plog_compact_plan(c, err);
}

/* The store's own file must hold what the log is about to lose. */
static int settle_store(plog *p, void *arg, struct plog_error *err)
{
    (void)arg;
    plog_store_rollback(&p->legs.store);
    return plog_store_settle(&p->legs.store, err);
}

static int make_durable(struct plog_compacting *c, struct plog_error *err)
{
    double wait = c->o->wait_seconds != 0 ? c->o->wait_seconds : 10;
    int64_t until = plog_io_until(c->io, wait);
    for (;;) {
        int rc = plog_engine_locked(c->p, settle_store, NULL, err);
        if (rc != PLOG_E_LOCKED || c->io->clock_mono_ns(c->io->ctx) >= until)
            return rc;
        c->io->sleep_ns(c->io->ctx, 10000000);
    }
}

struct checking {
    struct plog_compacting *c;
    uint64_t count, left; /* findings; those that the next snapshot mends */
    char what[400], next[256];
};

/* A payload in the snapshot that an order took out: what is folded now has it
 * no more, or check_orders refuses that.  Where no undo reaches it, this is the
 * only way. */
static bool is_left_in_snapshot(const struct plog_finding *f)
{
    static const char dir[] = PLOG_SNAPSHOT_DIR "/";
    return f->verdict == PLOG_E_DIVERGED && f->leg == PLOG_LEG_LOG &&
           strncmp(f->file, dir, sizeof dir - 1) == 0;
}

static int on_finding(void *arg, const struct plog_finding *f)
{
    struct checking *k = arg;
    k->count++;
    k->left += is_left_in_snapshot(f);
    if (!k->what[0]) {
        bool wants = f->expected[0] != '\0'; /* what was found may say all */
        snprintf(k->what, sizeof k->what, "%s, entry %llu: %s%.150s%s%.150s",
                 plog_code_word(f->verdict), (unsigned long long)f->seq,
                 wants ? "expected " : "", f->expected, wants ? ", found " : "",
                 f->found);
        snprintf(k->next, sizeof k->next, "%s%.240s",
                 strncmp(f->next, "paritylog ", 10) ? "" : "run: ", f->next);
    }
    return 0;
}

static int on_progress(void *arg, const struct plog_progress *p)
{
    struct checking *k = arg;
    return k->c->o->progress ? k->c->o->progress(k->c->o->arg, p) : 0;
}

/* The first time without the rows that stay and the records; of all, when rows
 * are about to be dropped. */
static int check_once(struct plog_compacting *c, struct plog_error *err)
{
    struct plog_check_report report;
    struct checking k = {.c = c};
    struct plog_check_options o = {.struct_size = sizeof o,
                                   .io = c->o->io,
                                   .vkey = c->o->vkey,
                                   .wait_seconds = c->o->wait_seconds,
                                   .finding = on_finding,
                                   .progress = on_progress,
                                   .arg = &k};
    int rc = plog_parity_upto(c->dir, c->o->trim_store ? 0 : c->to, &o, &report,
                              err);
    if (rc || report.verdict == 0 || k.left == k.count)
        return rc;
    plog_fail(err, report.verdict,
              "the legs differ, so nothing is taken away: %s", k.what);
    plog_err_hint(err, "%s", k.next);
    return report.verdict;
}

/* A writer that is killed meanwhile leaves a torn end or the store behind,
 * which the next one to take the lock mends: us. */
static int check_parity(struct plog_compacting *c, struct plog_error *err)
{
    int rc = check_once(c, err);
    for (int i = 0; i < 3 && (rc == PLOG_E_BEHIND || rc == PLOG_E_TORN); i++) {
        rc = make_durable(c, err);
        if (!rc)
            rc = check_once(c, err);
    }
    return rc;
}

static void tell_snapshot(struct plog_compacting *c)
{
    struct plog_compact_report *r = c->report;
    char name[PLOG_SNAPSHOT_NAME];
    plog_snapshot_name(c->to, name);
    snprintf(r->snapshot, sizeof r->snapshot, PLOG_SNAPSHOT_DIR "/%s", name);
    memcpy(r->digest, c->snapshot.digest, sizeof r->digest);
    r->snapshot_bytes = c->snapshot.bytes;
    r->records = c->snapshot.records;
    r->ids = c->snapshot.ids;
}

static int compact(struct plog_compacting *c, struct plog_error *err)
{
    int rc = c->o->dry_run ? 0 : plog_engine_locked(c->p, scrub_again, c, err);
    if (!rc)
        rc = plog_engine_locked(c->p, plan, c, err);
    if (rc || c->to == c->from || c->o->dry_run)
        return rc;
    rc = make_durable(c, err);
    if (!rc)
        rc = check_parity(c, err);
    if (!rc) /* the log is whole: it says which are of another history */
        rc = plog_compact_strangers(c, err);
    if (!rc)
        rc = plog_compact_fold(c, err);
    if (rc)
        return rc;
    tell_snapshot(c);
    rc = plog_compact_log(c, c->snapshot.digest, !c->o->discard, err);
    return rc ? rc : plog_compact_files(c, !c->o->discard, err);
}

/* What went to quarantine/ may have a payload under an order.  What is left of
 * that, the next opening does; of orders that came along it knows nothing.  An
 * undo searched nothing before, and an earlier one may have been cut off. */
static int scrub_aside(plog *p, void *arg, struct plog_error *err)
{
    struct plog_compacting *c = arg;
    plog_store_rollback(&p->legs.store);
    if (!c->report->aside)
        return plog_scrub_brought(&p->legs, err);
    int rc = plog_scrub(&p->legs, &c->scrubbed, err);
    return c->scrubbed.brought && rc != PLOG_E_LOCKED ? rc : 0;
}

/* All that waits for nothing was done, whatever could not be searched. */
static int end(struct plog_compacting *c, struct plog_error *err)
{
    int rc = 0;
    if (c->p && !c->o->dry_run && (c->report->aside || c->o->undo))
        rc = plog_engine_locked(c->p, scrub_aside, c, err);
    return rc || !c->scrubbed.brought ? rc
                                      : plog_scrub_say_left(&c->scrubbed, err);
}

static int run(struct plog_compacting *c, struct plog_error *err)
{
    int rc = plog_dir_maintain(&c->p->legs.dir, c->p->legs.wait_seconds, err);
    if (rc)
        return rc;
    rc = finish_last(c, err);
    if (!rc)
        rc = c->o->undo ? plog_compact_undo(c, err) : compact(c, err);
    if (!rc && c->o->trim_store && !c->o->dry_run)
        rc = plog_compact_trim(c, err);
    if (!rc)
        rc = end(c, err);
    if (c->p) /* else a replay was the last step */
        plog_dir_maintained(&c->p->legs.dir);
    return rc;
}

int plog_compact(const char *dir, const struct plog_compact_options *given,
                 struct plog_compact_report *report, struct plog_error *err)
{
    struct plog_compact_options own;
    struct plog_options open = {.struct_size = sizeof open};
    struct plog_error why = {.code = 0};
    if (!err)
        err = &why;
    if (plog_take_options(&own, sizeof own, given, err))
        return PLOG_E_ARG;
    memset(report, 0, sizeof *report);
    report->dry_run = own.dry_run;
    report->discard = own.discard;
    struct plog_compacting c = {.o = &own,
                                .report = report,
                                .io = own.io ? own.io : plog_io_posix(),
                                .dir = dir};
    if (own.undo && (own.discard || own.trim_store))
        return plog_fail(err, PLOG_E_ARG,
                         "undo goes with neither discard nor trim-store");
    int64_t started = c.io->clock_mono_ns(c.io->ctx);
    open.io = own.io;
    open.wait_seconds = own.wait_seconds;
    open.passphrase = own.passphrase;
    open.vkey = own.vkey;
    open.allow_network_fs = own.allow_network_fs;
    int rc = own.dry_run ? plog_rehearse_open(&c.p, dir, &open, err)
                         : plog_open(&c.p, dir, &open, err);
    if (!rc) {
        c.legs = &c.p->legs;
        c.origin = c.p->origin;
        rc = run(&c, err);
    }
    plog_close(c.p);
    report->seconds = (double)(c.io->clock_mono_ns(c.io->ctx) - started) / 1e9;
    return plog_done(err, rc);
}
