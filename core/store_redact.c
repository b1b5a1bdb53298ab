/*
 * store_redact.c - what an order to redact does to the store.
 *
 * The event's line becomes its redacted form and the record is folded anew,
 * in the transaction in which the order is applied: so the store stays a
 * function of the log, whether the log's own line was replaced already or
 * not.  Pages that SQLite has freed still hold the payload then, and the log
 * may: the row in `redactions` is pending until scrub.c has seen to them.  So
 * it is where a store comes to an order that a newer one had: what marks that
 * had, for copies that lie about, no log has.
 */

#include "fold_row.h"
#include "redact.h"
#include "store.h"

static int misfit(const struct plog_order *o, struct plog_error *err,
                  const char *why)
{
    plog_fail(err, PLOG_E_CORRUPT,
              "entry %llu: the order to redact entry %llu %s",
              (unsigned long long)o->at, (unsigned long long)o->seq, why);
    plog_store_unfit(o->at, err);
    return PLOG_E_CORRUPT;
}

/* ---- Folding a record anew ---------------------------------------------- */

/* Strategies by the seq that set them. */
struct rule {
    uint64_t seq;
    enum plog_strategy strategy;
};

static int read_rules(struct plog_store *s, struct plog_buf *rules,
                      struct plog_error *err)
{
    sqlite3_stmt *q = NULL;
    struct plog_entry e;
    struct plog_init_args init;
    int rc = plog_sql_prepare(
        s->db, "SELECT line FROM main.events WHERE op IS NULL ORDER BY seq", &q,
        err);
    while (!rc && (rc = plog_sql_row(q, err)) == 0) {
        struct rule r = {.seq = 0};
        rc = plog_entry_parse(&s->parser, plog_sql_text(q, 0), &e, err);
        if (rc)
            break;
        if (e.control == PLOG_CONTROL_INIT &&
            !plog_init_args_parse(e.args, &init)) {
            r.seq = e.seq;
            r.strategy = init.strategy;
        } else if (e.control == PLOG_CONTROL_STRATEGY &&
                   !plog_strategy_args_parse(e.args, &r.strategy))
            r.seq = e.seq;
        if (r.seq && plog_buf_add(rules, &r, sizeof r))
            rc = plog_fail(err, PLOG_E_NOMEM, "out of memory");
    }
    sqlite3_finalize(q);
    return rc == PLOG_END ? 0 : rc;
}

static enum plog_strategy rule_at(const struct plog_buf *rules, uint64_t seq)
{
    const struct rule *r = (const void *)rules->data;
    enum plog_strategy now = PLOG_LAST_WRITE_WINS;
    for (size_t i = 0; i < rules->len / sizeof *r && r[i].seq < seq; i++)
        now = r[i].strategy;
    return now;
}

/* The seqs of a record's entries above the base, newest first. */
static int read_chain(struct plog_store *s, uint64_t last, uint64_t base,
                      struct plog_buf *chain, struct plog_error *err)
{
    struct plog_span line;
    for (uint64_t seq = last, previous; seq > base; seq = previous) {
        int rc = plog_store_line(s, seq, &line, &previous, err);
        if (rc == PLOG_END || (!rc && previous >= seq))
            return plog_fail(err, PLOG_E_DIVERGED,
                             "store.db: the history of a record breaks off"
                             " at event %llu",
                             (unsigned long long)seq);
        if (!rc && plog_buf_add(chain, &seq, sizeof seq))
            rc = plog_fail(err, PLOG_E_NOMEM, "out of memory");
        if (rc)
            return rc;
    }
    return 0;
}

static int fold_one(struct plog_store *s, struct plog_entry_parser *parser,
                    enum plog_strategy strategy, uint64_t seq,
                    struct plog_buf *copy, struct plog_error *err)
{
    struct plog_span line;
    struct plog_entry e;
    struct plog_current before;
    bool agrees;
    copy->len = 0;
    int rc = plog_store_line(s, seq, &line, NULL, err);
    if (!rc && plog_buf_add_span(copy, line))
        rc = plog_fail(err, PLOG_E_NOMEM, "out of memory");
    line = plog_span(copy->data, copy->len);
    if (!rc)
        rc = plog_entry_parse(parser, line, &e, err);
    return rc ? rc
              : plog_fold_logged(&s->fold, strategy, &e, line, &agrees, &before,
                                 err);
}

/* The record as it was at the base: absent, where there is none. */
static int reset_row(struct plog_store *s, const struct plog_entry *e,
                     struct plog_error *err)
{
    static const char *const sql[] = {
        "DELETE FROM main.state WHERE resource=?1 AND record_id=?2",
        "INSERT INTO main.state SELECT * FROM main.base_state WHERE"
        " resource=?1 AND record_id=?2"};
    int rc = 0;
    for (int i = 0; !rc && i < 2; i++) {
        sqlite3_stmt *q = NULL;
        rc = plog_sql_prepare(s->db, sql[i], &q, err);
        if (!rc) {
            plog_sql_bind(q, 1, e->delta.resource_text);
            plog_sql_bind(q, 2, e->delta.record_id_text);
            rc = plog_sql_run(q, err);
        }
        sqlite3_finalize(q);
    }
    return rc;
}

/* The row at the base may read its payload from a line that has none any more:
 * it is the row that the redacted line makes, `null` for an upsert. */
static int redact_row(struct plog_store *s, const struct plog_entry *e,
                      struct plog_error *err)
{
    struct plog_current now;
    struct plog_span line = {NULL, 0};
    int rc = plog_fold_get(&s->fold, e->delta.resource_text,
                           e->delta.record_id_text, &now, err);
    if (!rc && now.seq)
        rc = plog_store_line(s, now.seq, &line, NULL, err);
    if (rc == PLOG_END)
        rc = 0;
    if (rc || !plog_line_is_redacted(line) || !now.present)
        return rc;
    now.merged = plog_span_text("null");
    now.payload_at = now.payload_len = 0;
    return plog_fold_row_write(s->fold.put, e->delta.resource_text,
                               e->delta.record_id_text, &now, err);
}

/* The record of `e`, from all that the store holds about it. */
static int fold_anew(struct plog_store *s, const struct plog_entry *e,
                     uint64_t last, uint64_t base, struct plog_error *err)
{
    struct plog_entry_parser parser;
    struct plog_buf rules, chain, copy;
    plog_entry_parser_init(&parser, s->io);
    plog_buf_init(&rules, s->io);
    plog_buf_init(&chain, s->io);
    plog_buf_init(&copy, s->io);
    int rc = read_rules(s, &rules, err);
    if (!rc)
        rc = read_chain(s, last, base, &chain, err);
    if (!rc)
        rc = reset_row(s, e, err);
    if (!rc && base)
        rc = redact_row(s, e, err);
    const uint64_t *seqs = (const void *)chain.data;
    for (size_t i = chain.len / sizeof *seqs; !rc && i-- > 0;)
        rc =
            fold_one(s, &parser, rule_at(&rules, seqs[i]), seqs[i], &copy, err);
    plog_buf_fini(&copy);
    plog_buf_fini(&chain);
    plog_buf_fini(&rules);
    plog_entry_parser_fini(&parser);
    return rc;
}

/* ---- The row ------------------------------------------------------------ */

static int put_line(struct plog_store *s, uint64_t seq, struct plog_span line,
                    struct plog_error *err)
{
    sqlite3_stmt *q = NULL;
    int rc = plog_sql_prepare(
        s->db, "UPDATE main.events SET line=?2 WHERE seq=?1", &q, err);
    if (!rc) {
        plog_sql_bind_u64(q, 1, seq);
        plog_sql_bind(q, 2, line);
        rc = plog_sql_run(q, err);
    }
    sqlite3_finalize(q);
    return rc;
}

static int note_order(struct plog_store *s, const struct plog_order *o,
                      bool pending, struct plog_error *err)
{
    sqlite3_stmt *q = NULL;
    int rc = plog_sql_prepare(
        s->db, "INSERT INTO main.redactions VALUES(?1,?2,?3)", &q, err);
    if (!rc) {
        plog_sql_bind_u64(q, 1, o->at);
        plog_sql_bind_u64(q, 2, o->seq);
        plog_sql_bind_u64(q, 3, pending);
        rc = plog_sql_run(q, err);
    }
    sqlite3_finalize(q);
    return rc;
}

/* The full row of the order's entry makes room for the redacted one. */
static int replace_row(struct plog_store *s, const struct plog_order *o,
                       const struct plog_entry *e, struct plog_span redacted,
                       uint64_t base, struct plog_error *err)
{
    struct plog_current now;
    int rc = put_line(s, o->seq, redacted, err);
    if (!rc)
        rc = plog_fold_get(&s->fold, e->delta.resource_text,
                           e->delta.record_id_text, &now, err);
    /* The row reads its payload from another entry's line: nothing of it. */
    if (rc || (now.merged.n == 0 && now.seq != o->seq))
        return rc;
    return fold_anew(s, e, now.last, base, err);
}

int plog_store_redact(struct plog_store *s, const struct plog_entry *order,
                      uint64_t base, struct plog_error *err)
{
    struct plog_entry_parser parser;
    struct plog_buf copy, redacted;
    struct plog_order o;
    struct plog_entry e;
    struct plog_span line;
    if (plog_order_parse(order, &o))
        return plog_fail(err, PLOG_E_CORRUPT, "a redact entry makes no sense");
    plog_entry_parser_init(&parser, s->io);
    plog_buf_init(&copy, s->io);
    plog_buf_init(&redacted, s->io);
    int rc = plog_recent_settle(&s->recent, err);
    if (!rc)
        rc = plog_store_line(s, o.seq, &line, NULL, err);
    bool dropped = rc == PLOG_END && o.seq <= base;
    if (dropped) /* it came redacted, or not at all, with the snapshot */
        rc = note_order(s, &o, s->copies, err);
    else if (rc == PLOG_END)
        rc = misfit(&o, err, "is about none that the store holds");
    if (dropped || rc)
        goto out;
    if (plog_buf_add_span(&copy, line))
        rc = plog_fail(err, PLOG_E_NOMEM, "out of memory");
    line = plog_span(copy.data, copy.len);
    if (!rc)
        rc = plog_entry_parse(&parser, line, &e, err);
    if (!rc && (rc = plog_order_apply(&o, line, &e, &redacted)) != 0)
        rc = rc == PLOG_E_NOMEM ? plog_fail(err, rc, "out of memory")
                                : misfit(&o, err, "does not fit it");
    if (!rc && !e.redacted)
        rc = replace_row(s, &o, &e, plog_span(redacted.data, redacted.len),
                         base, err);
    if (!rc)
        rc = note_order(s, &o, !e.redacted || s->copies, err);
out:
    plog_buf_fini(&redacted);
    plog_buf_fini(&copy);
    plog_entry_parser_fini(&parser);
    return rc;
}

/* ---- What is pending ---------------------------------------------------- */

/* The seqs of a statement's first column, each once, ascending. */
static int read_seqs(struct plog_store *s, const char *sql, uint64_t a,
                     uint64_t b, struct plog_buf *out, struct plog_error *err)
{
    uint64_t last = 0;
    sqlite3_stmt *q = NULL;
    int rc = plog_sql_prepare_with(s->db, sql, a, b, &q, err);
    while (!rc && (rc = plog_sql_row(q, err)) == 0) {
        uint64_t seq = plog_sql_u64(q, 0);
        if (seq != last && plog_buf_add(out, &seq, sizeof seq))
            rc = plog_fail(err, PLOG_E_NOMEM, "out of memory");
        last = seq;
    }
    sqlite3_finalize(q);
    return rc == PLOG_END ? 0 : rc;
}

/* By the index, too: one that is damaged may be why a mark could not be set,
 * and is told. */
int plog_store_pending(struct plog_store *s, struct plog_buf *targets,
                       struct plog_error *err)
{
    return read_seqs(
        s,
        "SELECT target FROM main.redactions WHERE pending=1 UNION"
        " SELECT target FROM main.redactions WHERE pending=2 ORDER BY 1",
        0, 0, targets, err);
}

int plog_store_scrub_due(struct plog_store *s, bool *due,
                         struct plog_error *err)
{
    uint64_t one;
    int rc = plog_sql_number(
        s->db, "SELECT 1 FROM main.redactions WHERE pending=1 LIMIT 1", 0, 0,
        &one, err);
    *due = rc == 0;
    return rc == PLOG_END ? 0 : rc;
}

int plog_store_kept(struct plog_store *s, struct plog_buf *targets,
                    struct plog_error *err)
{
    return read_seqs(s,
                     "SELECT target FROM main.redactions WHERE pending>0 GROUP"
                     " BY target HAVING min(pending)=2 ORDER BY target",
                     0, 0, targets, err);
}

int plog_store_orders_of(struct plog_store *s, uint64_t target,
                         struct plog_buf *seqs, struct plog_error *err)
{
    return read_seqs(
        s, "SELECT seq FROM main.redactions WHERE target=?1 ORDER BY seq",
        target, 0, seqs, err);
}

int plog_store_ordered(struct plog_store *s, uint64_t above, uint64_t to,
                       struct plog_buf *targets, struct plog_error *err)
{
    return read_seqs(s,
                     "SELECT target FROM main.redactions WHERE target>?1 AND"
                     " target<=?2 ORDER BY target",
                     above, to, targets, err);
}

int plog_store_orders_pending(struct plog_store *s, struct plog_buf *seqs,
                              struct plog_error *err)
{
    return read_seqs(
        s,
        "SELECT seq FROM main.redactions WHERE target IN (SELECT target FROM"
        " main.redactions WHERE pending>0) ORDER BY seq",
        0, 0, seqs, err);
}

int plog_store_unscrubbed(struct plog_store *s, uint64_t from, uint64_t to,
                          struct plog_error *err)
{
    return plog_sql_change(s->db,
                           "UPDATE main.redactions SET pending=1 WHERE"
                           " target BETWEEN ?1 AND ?2",
                           from, to, err);
}

int plog_store_scrubbed(struct plog_store *s, const struct plog_buf *kept,
                        struct plog_error *err)
{
    int rc = plog_sql_exec(
        s->db, "UPDATE main.redactions SET pending=0 WHERE pending>0", err);
    for (size_t at = 0; !rc && at < kept->len; at += sizeof(uint64_t)) {
        uint64_t seq;
        memcpy(&seq, kept->data + at, sizeof seq);
        rc = plog_sql_change(
            s->db, "UPDATE main.redactions SET pending=2 WHERE target=?1", seq,
            0, err);
    }
    return rc;
}

int plog_store_not_kept(struct plog_store *s, uint64_t above,
                        struct plog_error *err)
{
    return plog_sql_change(s->db,
                           "UPDATE main.redactions SET pending=1 WHERE"
                           " pending=2 AND target>?1",
                           above, 0, err);
}
