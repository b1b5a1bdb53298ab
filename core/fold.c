/* fold.c - see fold.h. */
#include "fold.h"

#include <stdio.h>

#include "fold_row.h"
#include "fold_table.h"
#include "recent.h"

int plog_fold_open(struct plog_fold *f, sqlite3 *db, const char *schema,
                   struct plog_error *err)
{
    char sql[512];
    plog_buf_init(&f->base, f->io);
    plog_buf_init(&f->merged, f->io);
    plog_entry_parser_init(&f->parser, f->io);
    f->get = f->put = NULL;
    snprintf(sql, sizeof sql,
             "SELECT " PLOG_FOLD_ROW_VALUES " FROM %s.state"
             " WHERE resource=?1 AND record_id=?2",
             schema);
    int rc = plog_sql_prepare(db, sql, &f->get, err);
    snprintf(sql, sizeof sql,
             "INSERT OR REPLACE INTO %s.state VALUES" PLOG_FOLD_ROW_PLACES,
             schema);
    if (!rc)
        rc = plog_sql_prepare(db, sql, &f->put, err);
    return rc;
}

void plog_fold_close(struct plog_fold *f)
{
    sqlite3_finalize(f->get);
    sqlite3_finalize(f->put);
    f->get = f->put = NULL;
    plog_buf_fini(&f->base);
    plog_buf_fini(&f->merged);
    plog_entry_parser_fini(&f->parser);
}

static int read_row(struct plog_fold *f, struct plog_span resource,
                    struct plog_span record_id, struct plog_current *out,
                    struct plog_error *err)
{
    memset(out, 0, sizeof *out);
    int rc = f->recent
                 ? plog_recent_find(f->recent, resource, record_id, out, err)
                 : PLOG_END;
    if (rc != PLOG_END)
        return rc;
    sqlite3_reset(f->get); /* texts of the last row end here */
    plog_sql_bind(f->get, 1, resource);
    plog_sql_bind(f->get, 2, record_id);
    rc = plog_sql_row(f->get, err);
    if (rc == PLOG_END)
        return 0;
    if (rc)
        return rc;
    plog_fold_row_read(f->get, 0, out);
    /* An open row makes the write of the next one save where it stands. */
    if (out->origin.n == 0 && out->merged.n == 0)
        sqlite3_reset(f->get);
    return 0;
}

/* ---- Rows in memory ----------------------------------------------------- */

static int get_kept(struct plog_fold *f, struct plog_span resource,
                    struct plog_span record_id, struct plog_current *out,
                    struct plog_error *err)
{
    struct plog_fold_table *t = f->table;
    struct plog_current now = {.known = false};
    int rc = plog_fold_table_is_full(t) ? plog_fold_forget(f, err) : 0;
    if (rc)
        return rc;
    struct plog_fold_row *r = plog_fold_table_find(t, resource, record_id);
    if (!r && f->loads && !t->holds_all &&
        ++t->looked_up >= PLOG_FOLD_LOAD_LEAST) {
        rc = plog_fold_load(t, f->loads, err);
        if (rc)
            return rc;
        r = plog_fold_table_find(t, resource, record_id);
    }
    if (!r) {
        if (!t->holds_all)
            rc = read_row(f, resource, record_id, &now, err);
        if (rc || !plog_fold_row_fits(&now)) {
            *out = now;
            return rc;
        }
        r = plog_fold_table_add(t, resource, record_id);
        if (!r || plog_fold_row_set(t, r, &now))
            return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    }
    plog_fold_row_get(r, out);
    return 0;
}

int plog_fold_get(struct plog_fold *f, struct plog_span resource,
                  struct plog_span record_id, struct plog_current *out,
                  struct plog_error *err)
{
    return f->table ? get_kept(f, resource, record_id, out, err)
                    : read_row(f, resource, record_id, out, err);
}

int plog_fold_payload(struct plog_fold *f, const struct plog_current *now,
                      struct plog_span *out, struct plog_error *err)
{
    struct plog_span line;
    *out = now->merged;
    if (now->merged.n || now->payload_len == 0)
        return 0;
    int rc = f->line_of(f->line_arg, now->seq, &line, err);
    if (rc)
        return rc;
    if (now->payload_at > line.n || now->payload_len > line.n - now->payload_at)
        return plog_fail(err, PLOG_E_DIVERGED,
                         "a record points outside its entry");
    *out = plog_span(line.p + now->payload_at, (size_t)now->payload_len);
    return 0;
}

/* ---- Strategies --------------------------------------------------------- */

static struct plog_span origin_of(const struct plog_fold *f,
                                  struct plog_span from)
{
    return from.n ? from : plog_span_text(f->origin);
}

/* A tie goes to the later entry of one origin, else to the greater origin, so
 * that instances which exchange everything agree. */
static bool newer(const struct plog_fold *f, const struct plog_entry *e,
                  const struct plog_current *now)
{
    int by_time = plog_instant_compare(e->delta.instant, now->instant);
    if (by_time != 0)
        return by_time > 0;
    int by_origin =
        plog_span_compare(origin_of(f, e->from), origin_of(f, now->origin));
    if (by_origin != 0)
        return by_origin > 0;
    return (e->from.n ? e->from_seq : e->seq) > now->origin_seq;
}

static bool applies(const struct plog_fold *f, enum plog_strategy strategy,
                    const struct plog_entry *e, const struct plog_current *now)
{
    switch (strategy) {
    case PLOG_LAST_WRITE_WINS:
        return now->seq == 0 || newer(f, e, now);
    case PLOG_HIGHEST_CONFIDENCE:
        return now->seq == 0 || e->delta.confidence >= now->confidence;
    case PLOG_KEEP_LOCAL:
        return !now->present;
    case PLOG_ARRIVAL:
    case PLOG_MERGE_JSON:
    case PLOG_CUSTOM:
        break;
    }
    return true;
}

static int merge(struct plog_fold *f, const struct plog_entry *e,
                 const struct plog_current *now, uint64_t limit,
                 struct plog_span *out, struct plog_error *err)
{
    struct plog_span base;
    if (!now->present || e->delta.is_delete || e->redacted)
        return 0; /* over nothing, or nothing to merge: a plain upsert */
    int rc = plog_fold_payload(f, now, &base, err);
    if (rc)
        return rc;
    if (plog_json_kind(base) != 'o')
        return 0; /* over what a redaction left: acts as over a scalar */
    f->merged.len = 0;
    rc = plog_merge_json(f->io, base, e->delta.payload, (size_t)limit,
                         &f->merged);
    if (rc == PLOG_E_INPUT) {
        plog_fail(err, rc,
                  "payload: the merged record would be longer than"
                  " the line limit of %llu bytes",
                  (unsigned long long)limit);
        plog_err_member(err, "payload");
    }
    *out = plog_span(f->merged.data, f->merged.len);
    return rc;
}

static struct plog_delta_view view_of(const struct plog_delta *d)
{
    struct plog_delta_view v = {
        .id = d->id_text,
        .resource = d->resource_text,
        .record_id = d->record_id_text,
        .source = d->source_text,
        .is_delete = d->is_delete,
        .payload = d->payload,
        .meta = d->meta,
        .occurred_at = d->occurred_text,
        .confidence = d->confidence,
    };
    return v;
}

/* As it will stand in the line: one bracket deeper. */
static int check_merged(struct plog_fold *f, struct plog_span merged,
                        uint64_t limit, struct plog_error *err)
{
    struct plog_json json;
    struct plog_json_fault fault = {0, "longer than the line limit"};
    plog_json_init(&json, f->io);
    f->merged.len = 0;
    int rc = merged.n > limit ? PLOG_E_INPUT
                              : plog_buf_add_text(&f->merged, "{\"m\":");
    if (!rc)
        rc = plog_buf_add_span(&f->merged, merged);
    if (!rc)
        rc = plog_buf_add_char(&f->merged, '}');
    if (!rc)
        rc = plog_json_check(&json, plog_span(f->merged.data, f->merged.len),
                             &fault);
    if (!rc && plog_json_kind(merged) != 'o') {
        fault.what = "not an object";
        rc = PLOG_E_INPUT;
    }
    plog_json_fini(&json);
    if (rc == PLOG_E_INPUT)
        plog_fail(err, rc,
                  "merged: the custom strategy's payload is not a compact"
                  " object: %s",
                  fault.what);
    return rc;
}

/* The record as it stands, for the callback. */
static int describe(struct plog_fold *f, const struct plog_entry *e,
                    const struct plog_current *now, struct plog_record *out,
                    struct plog_error *err)
{
    struct plog_span line;
    struct plog_entry winner;
    memset(out, 0, sizeof *out);
    if (!now->present)
        return 0;
    int rc = f->line_of(f->line_arg, now->seq, &line, err);
    if (rc)
        return rc;
    rc = plog_entry_parse(&f->parser, line, &winner, err);
    if (rc && rc != PLOG_E_NOMEM)
        rc = plog_fail(err, PLOG_E_DIVERGED, "event %llu is not an entry",
                       (unsigned long long)now->seq);
    if (rc)
        return rc;
    out->resource = e->delta.resource_text;
    out->record_id = e->delta.record_id_text;
    out->payload = now->merged.n ? now->merged : winner.delta.payload;
    out->source = winner.delta.source_text;
    out->occurred_at = winner.delta.occurred_text;
    out->confidence = now->confidence;
    out->version = now->version;
    out->seq = now->seq;
    return 0;
}

static int no_callback(struct plog_error *err)
{
    plog_fail(err, PLOG_E_INPUT,
              "the log's strategy is custom and no callback was given");
    plog_err_hint(err, "append from the program that has it, with"
                       " plog_options.custom; or choose another:"
                       " plog_set_strategy, paritylog strategy DIR NAME");
    return PLOG_E_INPUT;
}

static int ask(struct plog_fold *f, const struct plog_entry *e,
               const struct plog_current *now, uint64_t limit,
               struct plog_decision *out, struct plog_error *err)
{
    const struct plog_options *o = f->options;
    struct plog_delta_view view = view_of(&e->delta);
    struct plog_record record;
    struct plog_span merged = {NULL, 0};
    if (!o || !o->custom)
        return no_callback(err);
    int rc = describe(f, e, now, &record, err);
    if (rc)
        return rc;
    int answer =
        o->custom(o->custom_arg, now->present ? &record : NULL, &view, &merged);
    if (answer < 0)
        return plog_fail(err, PLOG_E_INPUT, "the custom strategy refused");
    out->skipped = answer == 0;
    out->by_callback = merged.n > 0 && answer > 0 && !e->delta.is_delete;
    if (!out->by_callback)
        return 0;
    out->merged = merged;
    return check_merged(f, merged, limit, err);
}

int plog_fold_decide(struct plog_fold *f, enum plog_strategy strategy,
                     const struct plog_entry *e, const struct plog_current *now,
                     uint64_t limit, struct plog_decision *out,
                     struct plog_error *err)
{
    memset(out, 0, sizeof *out);
    if (strategy == PLOG_CUSTOM)
        return ask(f, e, now, limit, out, err);
    out->skipped = !applies(f, strategy, e, now);
    if (!out->skipped && strategy == PLOG_MERGE_JSON)
        return merge(f, e, now, limit, &out->merged, err);
    return 0;
}

/* ---- Writing ------------------------------------------------------------ */

/* The record stands on `e` now. */
static void stand_on(struct plog_current *now, const struct plog_entry *e,
                     const struct plog_decision *d, size_t payload_at)
{
    const struct plog_delta *delta = &e->delta;
    bool own_payload = !delta->is_delete && d->merged.n == 0;
    now->seq = e->seq;
    now->instant = delta->instant;
    now->confidence = delta->confidence;
    now->origin = e->from;
    now->origin_seq = e->from.n ? e->from_seq : e->seq;
    now->payload_at = own_payload ? payload_at : 0;
    now->payload_len = own_payload ? delta->payload.n : 0;
    now->merged = d->merged;
}

int plog_fold_put(struct plog_fold *f, const struct plog_entry *e,
                  const struct plog_current *now, const struct plog_decision *d,
                  size_t payload_at, struct plog_error *err)
{
    struct plog_current next = *now;
    next.known = true;
    next.last = e->seq;
    next.version += !d->skipped;
    if (!d->skipped)
        stand_on(&next, e, d, payload_at);
    int rc = f->recent && !f->table
                 ? plog_recent_put(f->recent, e->delta.resource_text,
                                   e->delta.record_id_text, &next, err)
                 : PLOG_END;
    if (rc != PLOG_END)
        return rc;
    if (!now->row)
        return plog_fold_row_write(f->put, e->delta.resource_text,
                                   e->delta.record_id_text, &next, err);
    now->row->dirty = true;
    return plog_fold_row_set(f->table, now->row, &next)
               ? plog_fail(err, PLOG_E_NOMEM, "out of memory")
               : 0;
}

int plog_fold_write(struct plog_fold *f, struct plog_error *err)
{
    struct plog_fold_place *rows;
    struct plog_current now;
    size_t count;
    if (!f->table)
        return 0;
    if (plog_fold_table_sort(f->table, &rows, &count))
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    int rc = 0;
    for (size_t i = 0; !rc && i < count; i++) {
        struct plog_fold_row *r = rows[i].row;
        plog_fold_row_get(r, &now);
        rc = plog_fold_row_write(f->put, plog_fold_row_resource(r),
                                 plog_fold_row_record_id(r), &now, err);
        r->dirty = rc != 0;
    }
    plog_free(f->io, rows);
    return rc;
}

int plog_fold_forget(struct plog_fold *f, struct plog_error *err)
{
    int rc = plog_fold_write(f, err);
    if (!rc && f->table)
        plog_fold_table_fini(f->table);
    return rc;
}

int plog_fold_logged(struct plog_fold *f, enum plog_strategy strategy,
                     const struct plog_entry *e, struct plog_span line,
                     bool *agrees, struct plog_current *before,
                     struct plog_error *err)
{
    struct plog_decision d;
    memset(&d, 0, sizeof d);
    int rc = plog_fold_get(f, e->delta.resource_text, e->delta.record_id_text,
                           before, err);
    if (rc)
        return rc;
    d.skipped = e->skipped;
    d.merged = e->merged;
    *agrees = strategy == PLOG_CUSTOM ||
              applies(f, strategy, e, before) == !e->skipped;
    if (!d.skipped && strategy == PLOG_MERGE_JSON && d.merged.n == 0)
        rc = merge(f, e, before, 0, &d.merged, err);
    if (rc)
        return rc;
    if (e->redacted && !e->delta.is_delete)
        d.merged = e->delta.payload; /* null, and not in the line */
    size_t payload_at = e->redacted ? 0 : (size_t)(e->delta.payload.p - line.p);
    return plog_fold_put(f, e, before, &d, payload_at, err);
}

int plog_fold_restore(struct plog_fold *f, const struct plog_folded *r,
                      struct plog_error *err)
{
    struct plog_current now;
    struct plog_decision d;
    memset(&now, 0, sizeof now);
    memset(&d, 0, sizeof d);
    d.merged = r->merged;
    now.last = r->last;
    now.version = r->version;
    if (r->entry)
        stand_on(&now, r->entry, &d,
                 (size_t)(r->entry->delta.payload.p - r->line.p));
    return plog_fold_row_write(f->put, r->resource, r->record_id, &now, err);
}
