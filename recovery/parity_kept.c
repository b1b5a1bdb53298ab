/*
 * parity_kept.c - what the store keeps beside rows that the walk compares:
 *
 *   the index by which an id is found.  A repeat of a delta is recognised by
 *     it, so it must hold the ids of the events, all of them and in order;
 *   old ids above the base: a trim that was cut off leaves them, and each must
 *     be that of its event;
 *   the state at the base, from which a redaction folds anew.
 */

#include <sodium.h>

#include "parity.h"

/* ---- The index of ids ---------------------------------------------------- */

/* A sum that does not depend on the order, so that neither leg is sorted.  It
 * is keyed anew each time: nobody can find other ids with the same one. */
static void sum_id(const struct plog_parity *p, uint64_t sum[2],
                   struct plog_span id, uint64_t seq)
{
    unsigned char text[crypto_shorthash_siphashx24_BYTES + sizeof seq];
    uint64_t lanes[2];
    crypto_shorthash_siphashx24(text, (const void *)id.p, id.n, p->secret);
    memcpy(text + sizeof text - sizeof seq, &seq, sizeof seq);
    crypto_shorthash_siphashx24((unsigned char *)lanes, text, sizeof text,
                                p->secret);
    sum[0] += lanes[0];
    sum[1] += lanes[1];
}

void plog_parity_sum_id(struct plog_parity *p)
{
    sqlite3_stmt *s = p->events;
    if (sqlite3_column_type(s, 1) != SQLITE_NULL)
        sum_id(p, p->ids, plog_sql_text(s, 1),
               (uint64_t)sqlite3_column_int64(s, 0));
}

static void index_differs(struct plog_parity *p, const char *found)
{
    plog_parity_find(p, PLOG_E_DIVERGED, 0,
                     "events_id: the ids of the events, in order", found);
}

/* Reads the index from its begin to its end. */
static int check_index(struct plog_parity *p, struct plog_error *err)
{
    uint64_t sum[2] = {0};
    bool ordered = true, texts = true;
    struct plog_buf last;
    sqlite3_stmt *q = NULL;
    plog_buf_init(&last, p->c->reader.io);
    int rc = plog_sql_prepare(p->db,
                              "SELECT id,seq FROM main.events INDEXED BY"
                              " events_id WHERE id IS NOT NULL ORDER BY id",
                              &q, err);
    while (!rc && !p->c->stopped && (rc = plog_sql_row(q, err)) == 0) {
        struct plog_span id = plog_sql_text(q, 0);
        sqlite3_int64 seq = sqlite3_column_int64(q, 1);
        if (last.len &&
            plog_span_compare(plog_span(last.data, last.len), id) >= 0)
            ordered = false;
        /* A blob of the same bytes is not found by the text. */
        if (sqlite3_column_type(q, 0) != SQLITE_TEXT)
            texts = false;
        last.len = 0;
        if (plog_buf_add_span(&last, id))
            rc = plog_fail(err, PLOG_E_NOMEM, "out of memory");
        if (seq >= p->ids_from &&
            (!p->c->upto || seq <= (sqlite3_int64)p->c->upto))
            sum_id(p, sum, id, (uint64_t)seq);
    }
    sqlite3_finalize(q);
    plog_buf_fini(&last);
    if (rc < 0)
        return rc;
    if (!ordered)
        index_differs(p, "ids that are out of order");
    else if (!texts || memcmp(sum, p->ids, sizeof sum) != 0)
        index_differs(p, "other ids");
    return 0;
}

/* ---- Old ids ------------------------------------------------------------- */

static bool row_is(sqlite3_stmt *q, const struct plog_old_id *id)
{
    const struct {
        int column;
        const unsigned char *want;
    } all[] = {{0, id->id}, {2, id->leaf}, {3, id->content}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_span have = plog_sql_text(q, all[i].column);
        /* The content may have gone from one of them, by a redaction. */
        if (all[i].column == 3 && (have.n == 0 || !id->has_content))
            continue;
        if (have.n != PLOG_HASH_SIZE || memcmp(have.p, all[i].want, have.n))
            return false;
    }
    return true;
}

/* Those above the base, and those that a damaged page fills with NULL, of which
 * no comparison holds. */
static int check_old_ids(struct plog_parity *p, struct plog_error *err)
{
    struct plog_old_id id;
    struct plog_span line;
    struct plog_entry e;
    sqlite3_stmt *q = NULL;
    int rc = plog_sql_prepare(p->db,
                              "SELECT id,seq,leaf,content FROM main.old_ids"
                              " WHERE CASE WHEN seq BETWEEN 1 AND ?1 THEN 0"
                              " ELSE 1 END ORDER BY seq",
                              &q, err);
    if (!rc)
        plog_sql_bind_u64(q, 1, p->c->head.rules.base);
    while (!rc && !p->c->stopped && (rc = plog_sql_row(q, err)) == 0) {
        uint64_t seq = plog_sql_u64(q, 1);
        rc = plog_parity_stored(p, seq, &line, err);
        if (rc == 0)
            rc = plog_entry_parse(&p->parser, line, &e, err);
        if (rc < 0)
            break;
        if (rc == 0)
            plog_old_id_of(&e, line, &id);
        if (rc || seq > p->c->head.rules.floor || !e.delta.id_text.n ||
            !row_is(q, &id))
            plog_parity_find(p, PLOG_E_DIVERGED, seq, "old id: none",
                             "old id: a row the log does not give");
        rc = 0;
    }
    sqlite3_finalize(q);
    return rc < 0 ? rc : 0;
}

/* ---- The state at the base ----------------------------------------------- */

int plog_parity_base_state(struct plog_parity *p,
                           const struct plog_compaction *c,
                           struct plog_error *err)
{
    uint64_t base = p->c->head.rules.base, redacted, rows;
    if (base == 0)
        return 0; /* at the end */
    /* What was redacted after it is so in the snapshot, and the row of the base
     * is left as it was. */
    int rc = plog_sql_number(
        p->db,
        "SELECT count(*) FROM main.redactions WHERE target<=?1 AND"
        " seq>?2",
        base, c->at, &redacted, err);
    if (!rc && (base != c->to || redacted)) {
        plog_check_unchecked(p->c, PLOG_LEG_STORE, 1, base,
                             base != c->to
                                 ? "base_state: there is a later snapshot"
                                 : "base_state: entries below were redacted");
        return 0;
    }
    if (!rc)
        rc = plog_sql_number(
            p->db,
            "SELECT count(*) FROM (SELECT * FROM (SELECT * FROM"
            " main.base_state EXCEPT SELECT * FROM temp.state) UNION ALL"
            " SELECT * FROM (SELECT * FROM temp.state EXCEPT SELECT *"
            " FROM main.base_state))",
            0, 0, &rows, err);
    if (!rc && rows)
        plog_parity_find(p, PLOG_E_DIVERGED, base,
                         "base_state: the records of the snapshot",
                         "base_state: other rows");
    return rc;
}

/* Whether some compact entry has set the floor there.  Rows behind the base are
 * all there: those above the floor were compared, and those below it, with
 * which nothing can be compared, must agree at least.  In a copy the entry may
 * have come along.  The log is asked last, and need not hold it: nothing that
 * is read rests on it, and from a checkpoint on it is not met. */
static int was_floor(struct plog_parity *p, uint64_t base, bool *was,
                     struct plog_error *err)
{
    struct plog_orders *o = &p->c->walk.orders;
    struct plog_compaction c;
    sqlite3_stmt *q = NULL;
    int is = 0, rc = plog_sql_prepare(
                    p->db,
                    "SELECT line FROM main.events WHERE seq>?1 AND resource IS"
                    " NULL AND instr(line,',\"control\":\"compact\",')>0"
                    " ORDER BY seq",
                    &q, err);
    *was = false;
    if (!rc)
        plog_sql_bind_u64(q, 1, base);
    while (!rc && !*was && (rc = plog_sql_row(q, err)) == 0) {
        is = plog_compaction_read(&p->parser, plog_sql_text(q, 0), &c);
        if (is < 0)
            rc = plog_fail(err, PLOG_E_NOMEM, "out of memory");
        *was = is > 0 && (c.to == base || c.from == base);
    }
    sqlite3_finalize(q);
    if (rc < 0 || *was)
        return rc < 0 ? rc : 0;
    *was = plog_orders_floor_seq(o, base, true) > 0;
    rc = *was ? 0 : plog_orders_doubt(o);
    return rc ? plog_fail(err, rc, "looking for the compact entry failed") : 0;
}

/* A base below the floor, for which the log has no snapshot any more: it is one
 * that the log has set, and its state is of then, and of each record that has
 * an entry up to there. */
static int check_base(struct plog_parity *p, struct plog_error *err)
{
    uint64_t base = p->c->head.rules.base, rows = 0;
    bool was = true;
    if (base == 0 || base >= p->c->head.rules.floor)
        return 0;
    int rc = was_floor(p, base, &was, err);
    if (!rc && !was)
        plog_parity_find(p, PLOG_E_DIVERGED, base,
                         "meta: a base that was a floor of the log",
                         "meta: another base");
    if (!rc)
        rc = plog_sql_number(
            p->db,
            "SELECT (SELECT count(*) FROM main.base_state WHERE last>?1)"
            "+(SELECT count(*) FROM main.events e WHERE seq<=?2 AND"
            " record_id IS NOT NULL AND NOT EXISTS(SELECT 1 FROM"
            " main.base_state b WHERE b.resource=e.resource AND"
            " b.record_id=e.record_id))",
            base, base, &rows, err);
    if (!rc && rows)
        plog_parity_find(p, PLOG_E_DIVERGED, base,
                         "base_state: the records as they were at the base",
                         "base_state: other rows");
    return rc;
}

int plog_parity_kept(struct plog_parity *p, struct plog_error *err)
{
    uint64_t rows = 0;
    int rc = p->partial ? 0 : check_index(p, err);
    if (!rc)
        rc = check_old_ids(p, err);
    if (!rc)
        rc = check_base(p, err);
    if (!rc && p->c->head.rules.base == 0)
        rc = plog_sql_number(p->db, "SELECT count(*) FROM main.base_state", 0,
                             0, &rows, err);
    if (!rc && rows)
        plog_parity_find(p, PLOG_E_DIVERGED, 0, "base_state: no row",
                         "base_state: rows, and no base");
    return rc;
}
