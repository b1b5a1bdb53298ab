/*
 * parity_quick.c - one entry and its row, where nothing is wrong.
 *
 * Most checks find nothing.  So parity first only asks whether there is
 * anything to find, with no more work on an entry than that takes: its line
 * and its row are compared as they are, without reading the line again, and
 * what it does to its record is noted (parity_tally.c).  At the first thing
 * that is not as usual it is given up, and all begins anew with the check that
 * can say what is wrong; nothing was told until then.
 */
#include "parity.h"

#include <stdio.h>

/* By its value: that takes half the time, and the connection is ours alone. */
static bool text_is(sqlite3_stmt *s, int column, struct plog_span want)
{
    sqlite3_value *v = sqlite3_column_value(s, column);
    return sqlite3_value_type(v) == SQLITE_TEXT &&
           (size_t)sqlite3_value_bytes(v) == want.n &&
           memcmp(sqlite3_value_blob(v), want.p, want.n) == 0;
}

/* The row's link, which the fold judges. */
static bool previous_of(sqlite3_stmt *s, uint64_t *out)
{
    sqlite3_value *v = sqlite3_column_value(s, 6);
    int type = sqlite3_value_type(v);
    sqlite3_int64 n = type == SQLITE_INTEGER ? sqlite3_value_int64(v) : 0;
    *out = n > 0 ? (uint64_t)n : 0;
    return type == SQLITE_NULL || n > 0;
}

static int tally(struct plog_parity *p, const struct plog_tally_entry *e,
                 struct plog_error *err)
{
    if (p->c->o->skip_records)
        return 0;
    int rc = plog_tally_add(&p->tally, e, err);
    if (p->tally.given_up)
        plog_check_closer(p->c);
    return rc;
}

/* An ordinary line. */
static int take_sketch(struct plog_parity *p, struct plog_span line,
                       const struct plog_sketch *k, struct plog_error *err)
{
    sqlite3_stmt *s = p->events;
    struct plog_tally_entry e = {
        .resource = plog_piece_of(line, k->resource),
        .record_id = plog_piece_of(line, k->record_id),
        .seq = k->seq,
        .strategy = p->rules.strategy,
        .skipped = k->skipped,
        .instant = k->instant,
        .confidence = k->confidence,
        .payload_at = k->is_delete ? 0 : k->payload.at,
        .payload_len = k->is_delete ? 0 : k->payload.n,
    };
    static const char *const ops[] = {"upsert", "delete"}, *const outcomes[] = {
                                                               "applied",
                                                               "skipped"};
    bool has_id = k->id.n > 0;
    if (!(has_id ? text_is(s, 1, plog_piece_of(line, k->id))
                 : sqlite3_column_type(s, 1) == SQLITE_NULL) ||
        !text_is(s, 2, e.resource) || !text_is(s, 3, e.record_id) ||
        !text_is(s, 4, plog_span(ops[k->is_delete], 6)) ||
        !text_is(s, 5, plog_span(outcomes[k->skipped], 7)) ||
        !previous_of(s, &e.previous)) {
        plog_check_closer(p->c);
        return 0;
    }
    return tally(p, &e, err);
}

static int tally_parsed(struct plog_parity *p, struct plog_span line,
                        const struct plog_entry *e, uint64_t previous,
                        struct plog_error *err)
{
    const struct plog_delta *d = &e->delta;
    bool redacted = e->redacted && !d->is_delete; /* null, and not in it */
    struct plog_tally_entry t = {
        .resource = d->resource_text,
        .record_id = d->record_id_text,
        .seq = e->seq,
        .previous = previous,
        .strategy = p->rules.strategy,
        .skipped = e->skipped,
        .instant = d->instant,
        .confidence = d->confidence,
        .from = e->from,
        .from_seq = e->from_seq,
        .merged = redacted ? d->payload : e->merged,
    };
    if (!d->is_delete && t.merged.n == 0) {
        t.payload_at = (uint64_t)(d->payload.p - line.p);
        t.payload_len = d->payload.n;
    }
    return tally(p, &t, err);
}

/* Any other line. */
static int take_parsed(struct plog_parity *p, struct plog_span line,
                       struct plog_error *err)
{
    struct plog_entry e;
    uint64_t previous;
    int rc = plog_entry_parse(&p->parser, line, &e, err);
    if (rc)
        return rc;
    if (!previous_of(p->events, &previous) ||
        !plog_parity_columns(p, &e, previous) ||
        plog_fold_merged_stray(p->rules.strategy, &e))
        plog_check_closer(p->c);
    else if (e.control == PLOG_CONTROL_NONE)
        rc = tally_parsed(p, line, &e, previous, err);
    else if (previous)
        plog_check_closer(p->c);
    else
        rc = plog_parity_control(p, &e, err);
    return rc;
}

int plog_parity_quick(struct plog_parity *p, struct plog_span line,
                      const struct plog_sketch *sketch, uint64_t seq,
                      struct plog_error *err)
{
    sqlite3_stmt *s = p->events;
    bool pending;
    int rc = plog_parity_whole(p, seq, line, &pending, err);
    if (rc)
        return rc;
    if (pending || !p->event_ready ||
        sqlite3_column_int64(s, 0) != (sqlite3_int64)seq ||
        !text_is(s, 7, line)) {
        plog_check_closer(p->c);
        return 0;
    }
    rc = sketch->seq ? take_sketch(p, line, sketch, err)
                     : take_parsed(p, line, err);
    if (!rc && !p->c->stopped)
        rc = plog_parity_next_event(p, err);
    return rc;
}

int plog_parity_above(struct plog_parity *p, struct plog_span line,
                      struct plog_error *err)
{
    struct plog_entry e;
    int rc = plog_entry_parse(&p->parser, line, &e, err);
    return rc || e.control == PLOG_CONTROL_NONE
               ? rc
               : plog_parity_control(p, &e, err);
}

static int tally_rows(struct plog_parity *p, struct plog_error *err)
{
    sqlite3_stmt *rows = NULL;
    uint64_t n = 0;
    const char *source;
    char sql[80];
    int rc = plog_recent_source(p->db, &source, err);
    snprintf(sql, sizeof sql, "SELECT * FROM main.%s ORDER BY 1,2", source);
    if (!rc)
        rc = plog_sql_prepare(p->db, sql, &rows, err);
    while (!rc && !p->tally.given_up && !p->c->stopped) {
        rc = plog_sql_row(rows, err);
        if (!rc)
            rc = plog_tally_row(&p->tally, rows, err);
        if (!rc)
            plog_check_progress(p->c, "records", ++n, 0);
    }
    sqlite3_finalize(rows);
    return rc == PLOG_END ? 0 : rc;
}

int plog_parity_tallied(struct plog_parity *p, struct plog_error *err)
{
    bool agrees = false;
    int rc = p->tally.without_rows ? 0 : tally_rows(p, err);
    if (!rc && !p->c->stopped)
        rc = plog_tally_end(&p->tally, &agrees, &p->c->report->records, err);
    if (!rc && !p->c->stopped && !agrees)
        plog_check_closer(p->c);
    return rc;
}
