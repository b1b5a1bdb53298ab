/*
 * redact.c - taking a payload out of the log and keeping its proof.
 *
 * Order: the maintenance lock -> copies that a compaction left go -> the redact
 * entry, durable in log and store (the store's row and record follow in the
 * same transaction) -> plog_scrub, under the writer lock.
 */

#include "compact.h"
#include "engine.h"
#include "find_line.h"
#include "paritylog_recovery.h"
#include "reader.h"
#include "redact.h"
#include "redact_below.h"
#include "rehearse.h"
#include "scrub.h"

/* ---- Looking ------------------------------------------------------------ */

struct look {
    struct plog_redact_report *report;
    struct plog_entry_parser parser;
    struct plog_entry entry; /* the one that is redacted; spans are gone */
    char resource[PLOG_NAME_MAX + 1], record_id[PLOG_RECORD_ID_MAX + 1];
    size_t resource_len, record_id_len;
    bool dry_run;
    uint64_t end; /* of the log, in a dry run: the store may be behind */
};

static int take_entry(struct look *l, struct plog_span line,
                      struct plog_error *err)
{
    struct plog_entry *e = &l->entry;
    int rc = plog_entry_parse(&l->parser, line, e, err);
    if (rc)
        return rc;
    if (e->control != PLOG_CONTROL_NONE)
        return plog_fail(err, PLOG_E_INPUT,
                         "entry %llu is a control entry and has no payload",
                         (unsigned long long)e->seq);
    plog_line_leaf(line, l->report->leaf);
    l->resource_len = e->delta.resource_text.n;
    l->record_id_len = e->delta.record_id_text.n;
    memcpy(l->resource, e->delta.resource_text.p, l->resource_len);
    memcpy(l->record_id, e->delta.record_id_text.p, l->record_id_len);
    return 0;
}

/* Later entries of the record that carry a payload of their own making. */
static int count_merged(void *arg, uint64_t seq, const char *line, size_t len)
{
    struct look *l = arg;
    struct plog_entry e;
    if (seq <= l->report->seq)
        return 0;
    int rc = plog_entry_parse(&l->parser, plog_span(line, len), &e, NULL);
    if (rc)
        return rc == PLOG_E_NOMEM ? rc : 0;
    if (e.merged.n && l->report->merged++ == 0)
        l->report->merged_first = seq;
    return 0;
}

static int order_of(struct plog_reader *r, uint64_t seq, uint64_t *order,
                    struct plog_error *err)
{
    return plog_sql_number(
        r->store.db, "SELECT min(seq) FROM main.redactions WHERE target=?1",
        seq, 0, order, err);
}

/* As in earnest, which does not redact in a log with files that are none of its
 * segments: they may have the payload, too. */
static int find_logged(const struct look *l, struct plog_reader *r,
                       struct plog_error *err)
{
    uint64_t first;
    return plog_find_segment(&r->dir, l->report->seq, &first, err);
}

/* What the log has behind the store, opening in earnest would replay: an entry,
 * or an order for one. */
static int find_behind(struct look *l, struct plog_reader *r,
                       const struct plog_store_head *h, struct plog_error *err)
{
    struct plog_redact_report *report = l->report;
    struct plog_orders orders;
    struct plog_buf line;
    plog_orders_init(&orders, r->io, &r->dir, &r->keys);
    const struct plog_order *o = plog_orders_find(&orders, report->seq);
    int rc = o ? 0 : plog_orders_doubt(&orders);
    if (rc)
        plog_fail(err, rc, "looking for an order behind the store failed");
    if (o && o->at <= l->end && !report->already)
        report->order = o->at;
    report->already = report->order > 0;
    plog_orders_fini(&orders);
    if (rc || report->seq <= h->commit.size)
        return rc;
    plog_buf_init(&line, r->io);
    rc = plog_find_line(&r->dir, UINT64_MAX, 0, report->seq, &line, err);
    if (!rc)
        rc = take_entry(l, plog_span(line.data, line.len), err);
    plog_buf_fini(&line);
    return rc;
}

/* The line of the entry, unless it cannot be redacted any more. */
static int find_entry(struct look *l, struct plog_reader *r,
                      struct plog_error *err)
{
    struct plog_store_head h;
    struct plog_span line;
    struct plog_redact_report *report = l->report;
    int rc = plog_reader_begin(r, err);
    if (!rc)
        rc = plog_store_get_head(&r->store, &h, err);
    if (!rc)
        rc = order_of(r, report->seq, &report->order, err);
    if (rc)
        return rc;
    report->already = report->order > 0;
    rc = plog_store_line(&r->store, report->seq, &line, NULL, err);
    if (!rc)
        rc = take_entry(l, line, err);
    bool below = report->seq > 0 && report->seq <= h.rules.floor;
    if (below && (rc == PLOG_END || !rc))
        return plog_redact_below(r, report->seq, h.rules.floor, rc == 0,
                                 report->already, err);
    bool is_behind = report->seq > h.commit.size && report->seq <= l->end;
    if (rc == PLOG_END && !is_behind)
        rc = plog_fail(err, PLOG_E_NOT_FOUND, "there is no entry %llu",
                       (unsigned long long)report->seq);
    if (rc >= 0 && l->end > h.commit.size)
        rc = find_behind(l, r, &h, err);
    return rc || !l->dry_run ? rc : find_logged(l, r, err);
}

/* What store and log know of the entry before anything is done. */
static int look(struct look *l, struct plog_reader *r, struct plog_error *err)
{
    plog_store_rollback(&r->store);
    int rc = find_entry(l, r, err);
    plog_store_rollback(&r->store);
    if (!rc) {
        rc = plog_reader_history(r, plog_span(l->resource, l->resource_len),
                                 plog_span(l->record_id, l->record_id_len),
                                 count_merged, l, err);
        if (rc == PLOG_E_PRUNED) /* below the floor there is nothing to name */
            rc = 0;
    }
    return rc;
}

static int look_now(struct look *l, const char *dir,
                    const struct plog_options *o, struct plog_error *err)
{
    plog_reader *r;
    int rc = plog_reader_open(&r, dir, o, err);
    if (rc)
        return rc;
    rc = look(l, r, err);
    plog_reader_close(r);
    return rc;
}

static int rehearse(struct look *l, const char *dir,
                    const struct plog_options *o, struct plog_error *err)
{
    struct plog_rehearsal found;
    int rc = plog_rehearse_log(dir, o, NULL, &found, err);
    if (rc)
        return rc;
    l->end = found.size;
    rc = look(l, &found.reader, err);
    plog_reader_fini(&found.reader);
    return rc;
}

/* ---- Doing -------------------------------------------------------------- */

static int read_floor(plog *p, void *floor, struct plog_error *err)
{
    (void)err;
    *(uint64_t *)floor = p->legs.head.rules.floor;
    return 0;
}

/* What an undone or killed compaction left has payloads above the floor, and
 * must be gone before the log says that one is: nobody looks for it later. */
static int drop_copies(plog *p, struct plog_redact_report *report,
                       struct plog_error *err)
{
    struct plog_sweep s = {.p = p, .before = PLOG_SWEEP_ABOVE};
    int rc = plog_engine_locked(p, read_floor, &s.floor, err);
    if (!rc)
        rc = plog_compact_sweep(&s, err);
    report->aside = s.aside;
    return rc;
}

/* Whoever asks for it again has a reason: a copy of the payload came back, into
 * the log or into quarantine/.  Nothing of it is taken for done. */
static int all_again(plog *p, uint64_t seq, struct plog_error *err)
{
    return plog_scrub_set_pending(&p->legs.store, &seq, 1, 0, err);
}

/* Below the floor it may be that nothing tells any more what was there. */
static int check_done(plog *p, uint64_t seq, struct plog_error *err)
{
    struct plog_buf seqs;
    plog_buf_init(&seqs, p->io);
    int rc = plog_scrub_below(&p->legs, seq, err);
    if (!rc)
        rc = plog_store_pending(&p->legs.store, &seqs, err);
    const uint64_t *all = (const void *)seqs.data;
    bool left = false;
    for (size_t i = 0; !rc && i < seqs.len / sizeof *all; i++)
        left |= all[i] == seq;
    plog_buf_fini(&seqs);
    if (rc || !left)
        return rc;
    plog_fail(err, PLOG_E_PRUNED,
              "it was compacted away, and what is left does not tell which"
              " bytes of quarantine/ may have been it");
    plog_err_file(err, "quarantine");
    plog_err_hint(err, "%s", PLOG_REDACT_LOOK_THROUGH);
    return PLOG_E_PRUNED;
}

static int scrub(plog *p, struct plog_redact_report *report,
                 struct plog_error *err)
{
    struct plog_scrub_report done = {0};
    struct plog_error why = {0};
    int rc = plog_engine_enter(p, err);
    if (rc)
        return rc;
    plog_store_rollback(&p->legs.store);
    rc = all_again(p, report->seq, &why);
    if (!rc)
        rc = plog_scrub(&p->legs, &done, &why);
    if (!rc && report->seq <= p->legs.head.rules.floor)
        rc = check_done(p, report->seq, &why);
    if (done.left && (!rc || rc == PLOG_E_PRUNED))
        rc = plog_scrub_say_left(&done, &why);
    plog_engine_leave(p);
    report->segments += done.segments;
    report->quarantine += done.quarantine;
    if (!rc)
        return 0;
    plog_fail(err, rc,
              "entry %llu is ordered to be redacted by entry %llu, but"
              " its payload is not gone yet: %.200s",
              (unsigned long long)report->seq,
              (unsigned long long)report->order, why.message);
    if (why.file[0])
        plog_err_file(err, why.file);
    plog_err_hint(err, "%s", why.hint);
    return rc;
}

/* Waits for a drill before it has the writer lock; one that is under way still,
 * the scrub names, which gives the byte back when it is done. */
static int scrub_alone(plog *p, struct plog_redact_report *report,
                       struct plog_error *err)
{
    struct plog_dir *d = &p->legs.dir;
    int busy = plog_dir_drill(d, p->legs.wait_seconds, NULL);
    int rc = scrub(p, report, err);
    if (!busy)
        plog_dir_drilled(d);
    return rc;
}

/* By somebody who was faster than we, behind the look. */
static int read_order(plog *p, void *arg, struct plog_error *err)
{
    struct plog_redact_report *report = arg;
    struct plog_buf seqs;
    plog_buf_init(&seqs, p->io);
    int rc = plog_store_orders_of(&p->legs.store, report->seq, &seqs, err);
    report->already = true;
    if (!rc && seqs.len)
        report->order = *(const uint64_t *)(const void *)seqs.data;
    plog_buf_fini(&seqs);
    return rc;
}

static int redact(plog *p, const struct plog_redact_options *o,
                  struct plog_redact_report *report, struct plog_error *err)
{
    struct plog_receipt receipt = {0};
    int rc = plog_dir_maintain(&p->legs.dir, p->legs.wait_seconds, err);
    if (rc)
        return rc;
    rc = drop_copies(p, report, err);
    if (!rc && !report->already) {
        rc = plog_engine_redact(p, report->seq, plog_span_text(o->reason),
                                &receipt, err);
        report->order = receipt.seq;
    }
    if (rc == PLOG_E_PRUNED)
        plog_err_hint(err, "a compaction was faster: run it again, to see what"
                           " can be done");
    if (rc == PLOG_E_EXISTS)
        rc = plog_engine_locked(p, read_order, report, err);
    if (!rc)
        rc = scrub_alone(p, report, err);
    plog_dir_maintained(&p->legs.dir);
    return rc;
}

int plog_redact(const char *dir, uint64_t seq,
                const struct plog_redact_options *given,
                struct plog_redact_report *report, struct plog_error *err)
{
    struct plog_redact_options own;
    struct plog_options open = {.struct_size = sizeof open};
    struct look l = {.report = report};
    plog *p = NULL;
    if (plog_take_options(&own, sizeof own, given, err))
        return PLOG_E_ARG;
    memset(report, 0, sizeof *report);
    report->seq = seq;
    l.dry_run = own.dry_run;
    const struct plog_io *io = own.io ? own.io : plog_io_posix();
    int64_t started = io->clock_mono_ns(io->ctx);
    open.io = own.io;
    open.wait_seconds = own.wait_seconds;
    open.passphrase = own.passphrase;
    open.vkey = own.vkey;
    plog_entry_parser_init(&l.parser, io);
    int rc =
        plog_json_text_check("reason", own.reason, PLOG_REASON_MAX, io, err);
    /* First, because it finishes what was cut off. */
    if (!rc)
        rc = own.dry_run ? rehearse(&l, dir, &open, err)
                         : plog_open(&p, dir, &open, err);
    if (!rc && !own.dry_run)
        rc = look_now(&l, dir, &open, err);
    if (!rc && !own.dry_run)
        rc = redact(p, &own, report, err);
    plog_close(p);
    plog_entry_parser_fini(&l.parser);
    report->seconds = (double)(io->clock_mono_ns(io->ctx) - started) / 1e9;
    return plog_done(err, rc);
}

/* ---- The list ----------------------------------------------------------- */

static int decode(struct plog_span raw, struct plog_buf *out)
{
    out->len = 0;
    int rc = plog_buf_reserve(out, raw.n + 1);
    return rc ? rc : plog_json_unescape(plog_span(raw.p + 1, raw.n - 2), out);
}

static struct plog_span reason_of(const struct plog_entry *order,
                                  struct plog_buf *text)
{
    struct plog_json_walk w;
    struct plog_span name, value;
    plog_json_walk(&w, order->args);
    while (plog_json_next(&w, &name, &value))
        if (plog_span_is(name, "reason") && plog_json_kind(value) == 's' &&
            !decode(value, text))
            return plog_span(text->data, text->len);
    return plog_span("", 0);
}

static int give(sqlite3_stmt *q, struct plog_entry_parser *parser,
                struct plog_buf *text,
                int (*each)(void *arg, const struct plog_redaction *r),
                void *arg, int *stopped, struct plog_error *err)
{
    struct plog_entry order;
    struct plog_redaction r = {.order = plog_sql_u64(q, 0),
                               .seq = plog_sql_u64(q, 1),
                               .pending = plog_sql_u64(q, 2) != 0,
                               .resource = plog_sql_text(q, 4),
                               .record_id = plog_sql_text(q, 5),
                               .reason = {"", 0},
                               .logged_at = {"", 0}};
    /* A store made from a snapshot does not have the entry of the order. */
    if (sqlite3_column_type(q, 3) == SQLITE_NULL) {
        *stopped = each(arg, &r);
        return 0;
    }
    int rc = plog_entry_parse(parser, plog_sql_text(q, 3), &order, err);
    if (rc == PLOG_E_NOMEM)
        return rc;
    if (rc || order.control != PLOG_CONTROL_REDACT)
        return plog_fail(err, PLOG_E_DIVERGED,
                         "store.db: event %llu is no order to redact",
                         (unsigned long long)r.order);
    r.logged_at = order.logged_at;
    r.reason = reason_of(&order, text);
    *stopped = each(arg, &r);
    return 0;
}

int plog_redactions(const char *dir, const struct plog_options *options,
                    int (*each)(void *arg, const struct plog_redaction *r),
                    void *arg, struct plog_error *err)
{
    plog_reader *r;
    sqlite3_stmt *q = NULL;
    struct plog_entry_parser parser;
    struct plog_buf text;
    int stopped = 0; /* by `each`, which may say anything */
    int rc = plog_reader_open(&r, dir, options, err);
    if (rc)
        return rc;
    plog_entry_parser_init(&parser, r->io);
    plog_buf_init(&text, r->io);
    rc = plog_reader_begin(r, err);
    if (!rc)
        rc = plog_sql_prepare(
            r->store.db,
            "SELECT r.seq,r.target,r.pending,o.line,e.resource,e.record_id"
            " FROM main.redactions r LEFT JOIN main.events o ON o.seq=r.seq"
            " LEFT JOIN main.events e ON e.seq=r.target ORDER BY "
            "r.target,r.seq",
            &q, err);
    while (!rc && !stopped && (rc = plog_sql_row(q, err)) == 0)
        rc = give(q, &parser, &text, each, arg, &stopped, err);
    sqlite3_finalize(q);
    plog_buf_fini(&text);
    plog_entry_parser_fini(&parser);
    plog_reader_close(r);
    if (stopped)
        rc = plog_stopped(err, stopped);
    return plog_done(err, rc == PLOG_END && !stopped ? 0 : rc);
}
