/*
 * parity_touched.c - records, where the log is checked from a checkpoint on.
 *
 * The entries since are folded as ever, into an empty table.  What that gives
 * of a record is true but for what it owes to entries below: the version, and
 * a payload merged over theirs.  A record that begins above owes nothing, and
 * is compared whole; that it begins there is the store's word (`previous`).
 * What is not compared is counted, and listed as unchecked.
 */
#include <stdio.h>

#include "parity.h"

/* ---- The rules to begin with -------------------------------------------- */

/* The strategy in force where the check begins: that of the store's head,
 * unless an entry since has set it.  Then nobody knows it up to there. */
static int first_rules(struct plog_parity *p, struct plog_error *err)
{
    sqlite3_stmt *q = NULL;
    struct plog_entry e;
    int rc = plog_sql_prepare(p->db,
                              "SELECT line FROM main.events WHERE seq>=?1 AND"
                              " op IS NULL ORDER BY seq",
                              &q, err);
    if (!rc)
        plog_sql_bind_u64(q, 1, p->first);
    while (!rc && p->rules_from == 0 && (rc = plog_sql_row(q, err)) == 0) {
        rc = plog_entry_parse(&p->parser, plog_sql_text(q, 0), &e, err);
        if (!rc && e.control == PLOG_CONTROL_STRATEGY)
            p->rules_from = e.seq;
        rc = rc == PLOG_E_NOMEM ? rc : 0; /* odd rows are found elsewhere */
    }
    sqlite3_finalize(q);
    p->rules.strategy = p->rules_from ? PLOG_CUSTOM : p->c->head.rules.strategy;
    return rc == PLOG_END ? 0 : rc;
}

int plog_parity_touched_open(struct plog_parity *p, struct plog_error *err)
{
    int rc = plog_sql_exec(
        p->db,
        "CREATE TEMP TABLE touched(resource TEXT NOT NULL, record_id TEXT NOT"
        " NULL, whole INTEGER, owes INTEGER, PRIMARY KEY(resource, record_id))"
        " STRICT, WITHOUT ROWID",
        err);
    if (!rc)
        rc = plog_sql_prepare(p->db,
                              "SELECT whole,owes FROM temp.touched WHERE"
                              " resource=?1 AND record_id=?2",
                              &p->touched_get, err);
    if (!rc)
        rc = plog_sql_prepare(p->db,
                              "INSERT OR REPLACE INTO temp.touched"
                              " VALUES(?1,?2,?3,?4)",
                              &p->touched_put, err);
    if (!rc)
        rc = plog_sql_prepare(p->db,
                              "SELECT 1 FROM main.events WHERE seq=?1 AND"
                              " resource=?2 AND record_id=?3 UNION ALL SELECT 1"
                              " FROM main.base_state WHERE last=?1 AND"
                              " resource=?2 AND record_id=?3",
                              &p->touched_link, err);
    return rc ? rc : first_rules(p, err);
}

void plog_parity_touched_close(struct plog_parity *p)
{
    sqlite3_stmt **all[] = {&p->touched_get, &p->touched_put, &p->touched_link};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        sqlite3_finalize(*all[i]);
        *all[i] = NULL;
    }
}

/* ---- One entry ---------------------------------------------------------- */

struct touched {
    bool whole; /* no entry below is about it, as the store says */
    bool owes;  /* its payload comes from below, or may */
};

static int get(struct plog_parity *p, const struct plog_delta *d,
               struct touched *t, struct plog_error *err)
{
    plog_sql_bind(p->touched_get, 1, d->resource_text);
    plog_sql_bind(p->touched_get, 2, d->record_id_text);
    int rc = plog_sql_row(p->touched_get, err);
    if (rc)
        return rc == PLOG_END ? 0 : rc;
    t->whole = plog_sql_u64(p->touched_get, 0) != 0;
    t->owes = plog_sql_u64(p->touched_get, 1) != 0;
    sqlite3_reset(p->touched_get);
    return 0;
}

static int put(struct plog_parity *p, const struct plog_delta *d,
               const struct touched *t, struct plog_error *err)
{
    plog_sql_bind(p->touched_put, 1, d->resource_text);
    plog_sql_bind(p->touched_put, 2, d->record_id_text);
    plog_sql_bind_u64(p->touched_put, 3, t->whole);
    plog_sql_bind_u64(p->touched_put, 4, t->owes);
    return plog_sql_run(p->touched_put, err);
}

/* Whether `previous` can be right in the row of the first entry since about
 * its record: an entry below, about the same one.  A trim takes the row of one
 * that no record stands on; the state at the base names it yet. */
static int link_fits(struct plog_parity *p, const struct plog_delta *d,
                     uint64_t previous, bool *fits, struct plog_error *err)
{
    sqlite3_stmt *q = p->touched_link;
    *fits = false;
    if (previous == 0 || previous >= p->first)
        return 0;
    plog_sql_bind_u64(q, 1, previous);
    plog_sql_bind(q, 2, d->resource_text);
    plog_sql_bind(q, 3, d->record_id_text);
    int rc = plog_sql_row(q, err);
    if (rc)
        return rc == PLOG_END ? 0 : rc;
    *fits = true;
    sqlite3_reset(q);
    return 0;
}

/* The first entry since about its record.  `*previous` in: what its row says;
 * out: the same, or what the row cannot say. */
static int first_touch(struct plog_parity *p, const struct plog_entry *e,
                       bool row, uint64_t *previous, struct touched *t,
                       struct plog_error *err)
{
    bool fits = false;
    /* Nothing to lose against: then an entry below is about it, too. */
    bool lost = e->skipped && p->rules.strategy != PLOG_CUSTOM;
    t->whole = row && *previous == 0 && !lost;
    t->owes = !t->whole;
    if (!row || t->whole)
        return 0;
    int rc = link_fits(p, &e->delta, *previous, &fits, err);
    if (!fits)
        *previous = *previous ? 0 : UINT64_MAX;
    return rc;
}

/* Whether the payload that `e` leaves owes something to entries below. */
static bool owes(const struct plog_parity *p, const struct plog_entry *e,
                 const struct plog_current *before, const struct touched *t)
{
    bool known = e->seq >= p->rules_from;
    if (e->skipped)
        return t->owes;
    if (e->delta.is_delete || e->redacted || e->merged.n)
        return false;
    if (!known) /* a merge, or not */
        return t->owes || before->present;
    return p->rules.strategy == PLOG_MERGE_JSON && t->owes;
}

int plog_parity_touch(struct plog_parity *p, const struct plog_entry *e,
                      const struct plog_current *before, bool row,
                      uint64_t *previous, bool *agrees, struct plog_error *err)
{
    struct touched t = {false, true};
    int rc = before->known ? get(p, &e->delta, &t, err)
                           : first_touch(p, e, row, previous, &t, err);
    if (rc)
        return rc;
    if (before->known)
        *previous = before->last;
    /* Against what it was decided is not known here. */
    if (before->seq == 0 || e->seq < p->rules_from)
        *agrees = true;
    t.owes = owes(p, e, before, &t);
    return put(p, &e->delta, &t, err);
}

/* ---- At the end --------------------------------------------------------- */

/* One row a touched record: the entry to name, whether it is compared whole,
 * whether there is a row, whether it is right as far as that is known.  w is
 * the fold since, h the store's. */
static const char records_sql[] =
    "SELECT CASE WHEN w.seq>0 THEN w.seq ELSE w.last END, t.whole AND NOT"
    " t.owes, h.seq IS NOT NULL, h.last IS w.last AND CASE"
    /* only losers since: it stands on an entry below, or on none */
    " WHEN w.seq=0 AND NOT t.whole THEN h.seq<?1"
    " ELSE h.seq IS w.seq AND h.seconds IS w.seconds AND h.nanos IS w.nanos"
    " AND h.confidence IS w.confidence AND h.origin IS w.origin"
    " AND h.origin_seq IS w.origin_seq"
    " AND CASE WHEN t.whole THEN h.version IS w.version"
    " ELSE h.version>=w.version END"
    " AND CASE WHEN t.owes THEN (h.merged IS NOT NULL)=(h.payload_len=0)"
    " ELSE h.payload_at IS w.payload_at AND h.payload_len IS w.payload_len"
    " AND h.merged IS w.merged END END"
    " FROM temp.touched t JOIN temp.state w ON w.resource=t.resource"
    " AND w.record_id=t.record_id LEFT JOIN main.%s h"
    " ON h.resource=t.resource AND h.record_id=t.record_id";

static int compare_records(struct plog_parity *p, uint64_t *partly,
                           struct plog_error *err)
{
    struct plog_check *c = p->c;
    sqlite3_stmt *q = NULL;
    const char *source;
    char sql[sizeof records_sql + 16];
    int rc = plog_recent_source(p->db, &source, err);
    snprintf(sql, sizeof sql, records_sql, source);
    if (!rc)
        rc = plog_sql_prepare(p->db, sql, &q, err);
    if (!rc)
        plog_sql_bind_u64(q, 1, p->first);
    while (!rc && !c->stopped && (rc = plog_sql_row(q, err)) == 0) {
        c->report->records++;
        *partly += !plog_sql_u64(q, 1);
        if (!plog_sql_u64(q, 3))
            plog_parity_find(p, PLOG_E_DIVERGED, plog_sql_u64(q, 0),
                             "record: as the log folds",
                             plog_sql_u64(q, 2) ? "record: other content"
                                                : "record: none");
        plog_check_progress(c, "records", c->report->records, 0);
    }
    sqlite3_finalize(q);
    return rc == PLOG_END ? 0 : rc;
}

/* Cursors set since, and rows that say so of themselves. */
static int compare_cursors(struct plog_parity *p, struct plog_error *err)
{
    sqlite3_stmt *q = NULL;
    int rc = plog_sql_prepare(
        p->db,
        "SELECT w.seq, 1 FROM temp.cursors w LEFT JOIN main.cursors h ON"
        " h.source=w.source AND h.resource=w.resource WHERE h.cursor IS NOT"
        " w.cursor OR h.seq IS NOT w.seq UNION ALL"
        " SELECT h.seq, 0 FROM main.cursors h WHERE h.seq>=?1 AND NOT EXISTS("
        "SELECT 1 FROM temp.cursors w WHERE h.source=w.source AND"
        " h.resource=w.resource)",
        &q, err);
    if (!rc)
        plog_sql_bind_u64(q, 1, p->first);
    while (!rc && (rc = plog_sql_row(q, err)) == 0) {
        bool logged = plog_sql_u64(q, 1) != 0;
        plog_parity_find(p, PLOG_E_DIVERGED, plog_sql_u64(q, 0),
                         logged ? "cursor: as the log folds" : "cursor: none",
                         logged ? "cursor: other content, or none"
                                : "cursor: a row the log does not give");
    }
    sqlite3_finalize(q);
    return rc == PLOG_END ? 0 : rc;
}

int plog_parity_touched(struct plog_parity *p, struct plog_error *err)
{
    struct plog_check *c = p->c;
    char why[160];
    uint64_t partly = 0;
    int rc = compare_records(p, &partly, err);
    if (!rc)
        rc = compare_cursors(p, err);
    if (!rc)
        rc = plog_parity_peers(p, err);
    if (rc)
        return rc;
    if (p->rules_from && c->head.rules.strategy != p->rules.strategy)
        plog_parity_find(p, PLOG_E_DIVERGED, c->head.commit.size,
                         "meta: the rules that the log sets", "other ones");
    plog_check_unchecked(c, PLOG_LEG_STORE, 1, p->first - 1,
                         "records that no entry since is about; cursors,"
                         " peers, redactions and rules from below");
    if (!partly)
        return 0;
    snprintf(why, sizeof why,
             "%llu of %llu records with entries since: what they have from"
             " below (version, merged payload)",
             (unsigned long long)partly,
             (unsigned long long)c->report->records);
    plog_check_unchecked(c, PLOG_LEG_STORE, 1, p->first - 1, why);
    return 0;
}
