/*
 * parity_base.c - where entries were compacted away: the fold begins with the
 * snapshot that the compact entry signs, and what the store keeps of entries
 * below the floor must be what the snapshot says.
 *
 * Events that nothing stands on any more may be there or not; they are outside
 * parity.
 */
#include <stdio.h>

#include "compact.h"
#include "parity.h"
#include "snapshot.h"

struct base {
    struct plog_parity *p;
    struct plog_snapshot snapshot;
    sqlite3_stmt *put_peer, *redaction;
    uint64_t old_ids; /* ids of entries whose events may be gone */
    bool whole;       /* the snapshot has lines that were redacted */
};

static void differs(struct base *b, uint64_t seq, const char *what,
                    bool missing)
{
    char want[64], got[64];
    snprintf(want, sizeof want, "%s: as in the snapshot", what);
    snprintf(got, sizeof got, "%s: %s", what, missing ? "none" : "another");
    plog_parity_find(b->p, PLOG_E_DIVERGED, seq, want, got);
}

/* Whether the store has an order for the entry.  0: it has; PLOG_END. */
static int has_order(struct base *b, uint64_t seq, struct plog_error *err)
{
    uint64_t one;
    return plog_sql_number(b->p->db,
                           "SELECT 1 FROM main.redactions WHERE target=?1", seq,
                           0, &one, err);
}

/* No store that is made of it does away with what a snapshot holds. */
static void holds_payload(struct base *b, uint64_t seq)
{
    struct plog_reader *r = &b->p->c->reader;
    uint64_t floor = b->snapshot.header.last.size;
    char name[PLOG_SNAPSHOT_NAME], file[64], next[240] = PLOG_COMPACT_PAST;
    b->whole = true;
    plog_snapshot_name(floor, name);
    snprintf(file, sizeof file, PLOG_SNAPSHOT_DIR "/%s", name);
    if (plog_compaction_can_undo(&r->store, &r->dir, seq, floor))
        snprintf(next, sizeof next,
                 "paritylog compact DIR --undo, then paritylog redact DIR %llu"
                 " --reason TEXT",
                 (unsigned long long)seq);
    struct plog_finding f = {.verdict = PLOG_E_DIVERGED,
                             .leg = PLOG_LEG_LOG,
                             .file = file,
                             .seq = seq,
                             .expected = "the line as its order redacts it",
                             .found = "the whole line, with its payload",
                             .next = next};
    plog_check_find(b->p->c, &f);
}

/* Whether the snapshot has the whole line of which the store has what an order
 * left: it was made when the log had it. */
static int was_redacted(struct base *b, uint64_t seq, struct plog_span line,
                        struct plog_span stored, bool *so,
                        struct plog_error *err)
{
    unsigned char own[PLOG_HASH_SIZE], signed_one[PLOG_HASH_SIZE];
    *so = false;
    if (plog_line_is_redacted(line) || !plog_line_is_redacted(stored))
        return 0;
    plog_line_leaf(stored, own);
    plog_line_leaf(line, signed_one);
    if (memcmp(own, signed_one, sizeof own) != 0)
        return 0;
    int rc = has_order(b, seq, err);
    *so = rc == 0;
    return rc < 0 ? rc : 0;
}

/* The store must hold the line: a record stands on it, or a key.
 * @redacted  out: it holds the line that an order made of it */
static int check_line(struct base *b, uint64_t seq, struct plog_span line,
                      bool *redacted, struct plog_error *err)
{
    struct plog_parity *p = b->p;
    struct plog_span stored;
    *redacted = false;
    int rc = plog_parity_stored(p, seq, &stored, err);
    if (rc < 0 || (rc == 0 && plog_span_equal(stored, line)))
        return rc;
    if (rc == 0 && (rc = was_redacted(b, seq, line, stored, redacted, err)) < 0)
        return rc;
    if (*redacted) {
        holds_payload(b, seq);
        return 0;
    }
    differs(b, seq, "event", rc == PLOG_END);
    plog_sql_bind_u64(p->truth_put, 1, seq);
    plog_sql_bind(p->truth_put, 2, line);
    return plog_sql_run(p->truth_put, err);
}

/* An id is known by its event, while that is there, or by what was kept. */
static int check_id(struct base *b, const struct plog_old_id *id,
                    struct plog_error *err)
{
    struct plog_parity *p = b->p;
    struct plog_store *store = &p->c->reader.store;
    struct plog_span line;
    struct plog_entry e;
    struct plog_old_id have = {.seq = 0};
    int rc = PLOG_END;
    if (id->seq <= p->c->head.rules.base) {
        b->old_ids++;
        rc = plog_store_old_id(store, id->id, &have, err);
    } else {
        rc = plog_parity_stored(p, id->seq, &line, err);
        if (rc == 0) {
            rc = plog_entry_parse(&p->parser, line, &e, err);
            if (rc == 0)
                plog_old_id_of(&e, line, &have);
            else if (plog_check_is_verdict(rc))
                rc = 0; /* the store's, and no such line: another one */
        }
    }
    if (rc < 0)
        return rc;
    bool dropped = have.seq && id->has_content && !have.has_content;
    /* The hash of the content goes with a redaction only. */
    if (!rc && dropped && (rc = has_order(b, id->seq, err)) < 0)
        return rc;
    if (rc || have.seq != id->seq ||
        memcmp(have.id, id->id, PLOG_HASH_SIZE) != 0 ||
        memcmp(have.leaf, id->leaf, PLOG_HASH_SIZE) != 0 ||
        (have.has_content &&
         (!id->has_content ||
          memcmp(have.content, id->content, PLOG_HASH_SIZE) != 0)))
        differs(b, id->seq, "id", rc != 0);
    return 0;
}

static int check_redaction(struct base *b, const struct plog_snapshot_item *i,
                           struct plog_error *err)
{
    plog_sql_bind_u64(b->redaction, 1, i->seq);
    int rc = plog_sql_row(b->redaction, err);
    if (rc < 0)
        return rc;
    if (rc || plog_sql_u64(b->redaction, 0) != i->target)
        differs(b, i->seq, "redaction", rc != 0);
    sqlite3_reset(b->redaction);
    return 0;
}

/* Where the fold begins.  A quick look folds in another way, and only the state
 * that the store keeps of the base is compared in the table. */
static int restore(struct plog_parity *p, const struct plog_folded *r,
                   struct plog_error *err)
{
    struct plog_check *c = p->c;
    int rc = 0;
    if (c->quick && !c->o->skip_records)
        rc = plog_tally_base(&p->tally, r, err);
    if (p->tally.given_up)
        plog_check_closer(c);
    if (!rc && (!c->quick || c->head.rules.base))
        rc = plog_fold_restore(&p->fold, r, err);
    return rc;
}

static int take_record(struct base *b, const struct plog_snapshot_item *i,
                       struct plog_error *err)
{
    struct plog_folded r = i->record;
    bool redacted = false;
    int rc = i->line.n ? check_line(b, i->seq, i->line, &redacted, err) : 0;
    if (redacted && !r.entry->delta.is_delete) /* as its order makes it */
        r.merged = plog_span_text("null");
    return rc ? rc : restore(b->p, &r, err);
}

static int take(struct base *b, const struct plog_snapshot_item *i,
                struct plog_error *err)
{
    struct plog_parity *p = b->p;
    bool redacted;
    switch (i->kind) {
    case PLOG_SNAPSHOT_CONTROL:
        return check_line(b, i->seq, i->line, &redacted, err);
    case PLOG_SNAPSHOT_RECORD:
        return take_record(b, i, err);
    case PLOG_SNAPSHOT_CURSOR:
        plog_sql_bind(p->put_cursor, 1, i->cursor.source);
        plog_sql_bind(p->put_cursor, 2, i->cursor.resource);
        plog_sql_bind(p->put_cursor, 3, i->cursor.cursor);
        plog_sql_bind_u64(p->put_cursor, 4, i->seq);
        return plog_sql_run(p->put_cursor, err);
    case PLOG_SNAPSHOT_PEER:
        plog_sql_bind(b->put_peer, 1, i->peer);
        plog_sql_bind_u64(b->put_peer, 2, i->seq);
        return plog_sql_run(b->put_peer, err);
    case PLOG_SNAPSHOT_REDACTION:
        return check_redaction(b, i, err);
    case PLOG_SNAPSHOT_ID:
        return check_id(b, &i->id, err);
    }
    return 0;
}

/* Rows of old ids beyond those of the snapshot answer to nothing. */
static int count_old_ids(struct base *b, struct plog_error *err)
{
    uint64_t rows;
    char want[48], got[48];
    int rc = plog_sql_number(b->p->db,
                             "SELECT count(*) FROM main.old_ids WHERE seq<=?1",
                             b->p->c->head.rules.base, 0, &rows, err);
    if (rc || rows == b->old_ids)
        return rc;
    snprintf(want, sizeof want, "%llu old ids", (unsigned long long)b->old_ids);
    snprintf(got, sizeof got, "%llu rows", (unsigned long long)rows);
    plog_parity_find(b->p, PLOG_E_DIVERGED, 0, want, got);
    return 0;
}

static int read_all(struct base *b, struct plog_error *err)
{
    struct plog_parity *p = b->p;
    struct plog_snapshot_item item;
    uint64_t done = 0;
    int rc = plog_sql_prepare(p->db,
                              "INSERT OR REPLACE INTO temp.peers"
                              " VALUES(?1,?2)",
                              &b->put_peer, err);
    if (!rc)
        rc = plog_sql_prepare(p->db,
                              "SELECT target FROM main.redactions WHERE seq=?1",
                              &b->redaction, err);
    while (!rc && !p->c->stopped &&
           (rc = plog_snapshot_next(&b->snapshot, &item, err)) == 0) {
        rc = take(b, &item, err);
        plog_check_progress(p->c, "snapshot", ++done, 0);
    }
    rc = rc == PLOG_END ? 0 : rc;
    return rc ? rc : count_old_ids(b, err);
}

int plog_parity_base(struct plog_parity *p, const struct plog_compaction *c,
                     struct plog_error *err)
{
    struct base b = {.p = p};
    int rc = plog_snapshot_open(&b.snapshot, &p->c->reader.dir, c->to,
                                c->snapshot, err);
    if (!rc)
        rc = plog_snapshot_agrees(&b.snapshot, c, err);
    if (rc == PLOG_E_CORRUPT || rc == PLOG_E_PRUNED) {
        bool moved = plog_check_moved(p->c); /* the next floor has its own */
        if (!moved) { /* nobody knows what the records were */
            plog_check_no_snapshot(p->c, rc, c->to, err);
            p->fold_whole = false;
        }
        plog_snapshot_close(&b.snapshot);
        return moved ? rc : 0;
    }
    if (!rc) {
        p->rules = b.snapshot.rules;
        p->rules.floor = p->c->head.rules.base;
        rc = read_all(&b, err);
        if (!rc && b.whole &&
            p->rules.floor) /* as the snapshot's rows, or as they should be */
            plog_check_unchecked(p->c, PLOG_LEG_STORE, 1, p->rules.floor,
                                 "base_state: entries below were redacted");
        else if (!rc)
            rc = plog_parity_base_state(p, c, err);
    }
    sqlite3_finalize(b.put_peer);
    sqlite3_finalize(b.redaction);
    plog_snapshot_close(&b.snapshot);
    return rc;
}

/* ---- Compact entries above the floor ------------------------------------ */

int plog_parity_compaction(struct plog_parity *p, const struct plog_entry *e,
                           struct plog_error *err)
{
    struct plog_compaction c;
    uint64_t base = p->c->head.rules.base;
    int rc = plog_compaction_parse(e, p->c->reader.io, &c);
    if (rc)
        return plog_fail(err, rc, "a compact entry cannot be read");
    p->rules.floor = c.to > base ? c.to : base;
    rc = plog_sql_change(p->db, "DELETE FROM temp.compactions WHERE seq<=?1",
                         c.to, 0, err);
    return rc ? rc
              : plog_sql_change(
                    p->db,
                    "INSERT OR REPLACE INTO temp.compactions VALUES(?1,?2)",
                    c.at, c.to, err);
}

/* The floor in the head is that of the last row. */
static int check_floor(struct plog_parity *p, struct plog_error *err)
{
    const struct plog_store_head *h = &p->c->head;
    uint64_t floor;
    int rc = plog_sql_number(p->db,
                             "SELECT floor FROM main.compactions ORDER BY seq"
                             " DESC LIMIT 1",
                             0, 0, &floor, err);
    if (floor < h->rules.base)
        floor = h->rules.base;
    if (rc >= 0 && floor != h->rules.floor)
        plog_parity_find(p, PLOG_E_DIVERGED, h->commit.size,
                         "meta: the floor that the last compact entry sets",
                         "meta: another floor");
    return rc < 0 ? rc : 0;
}

int plog_parity_compactions(struct plog_parity *p, struct plog_error *err)
{
    sqlite3_stmt *q = NULL;
    int rc = check_floor(p, err);
    if (!rc)
        rc = plog_sql_prepare(
            p->db,
            "SELECT seq,1 FROM (SELECT seq,floor FROM temp.compactions EXCEPT"
            " SELECT seq,floor FROM main.compactions) UNION ALL"
            " SELECT seq,0 FROM (SELECT seq,floor FROM main.compactions WHERE"
            " seq>=?1 EXCEPT SELECT seq,floor FROM temp.compactions)",
            &q, err);
    if (!rc)
        sqlite3_bind_int64(q, 1, p->partial ? (int64_t)p->first : INT64_MIN);
    while (!rc && (rc = plog_sql_row(q, err)) == 0) {
        bool logged = plog_sql_u64(q, 1) != 0;
        plog_parity_find(p, PLOG_E_DIVERGED, plog_sql_u64(q, 0),
                         logged ? "compaction: as the log has it"
                                : "compaction: none",
                         logged ? "compaction: another, or none"
                                : "compaction: a row the log does not give");
    }
    sqlite3_finalize(q);
    return rc == PLOG_END ? 0 : rc;
}
