/*
 * parity_since.c - parity from a checkpoint on.
 *
 * The walk begins at the segment that holds the next entry, on its header's
 * signed word; the log's root at the checkpoint's size must be the
 * checkpoint's.  What lies below was checked when the checkpoint was made, or
 * was not: it is listed as unchecked.  The fold cannot be computed without it,
 * so of the records those are looked at that were touched since: the row must
 * stand on the entry that the log says.
 */
#include <stdio.h>

#include "parity.h"
#include "watermark.h"

int plog_parity_read_since(struct plog_parity *p, struct plog_error *err)
{
    struct plog_check *c = p->c;
    struct plog_keyring all = c->reader.keys;
    if (!c->o->since)
        return 0;
    /* A pinned key is one of the log's; its notes may be by the others. */
    if (c->reader.keys.pinned &&
        (plog_keyring_load(&all, c->reader.io, c->reader.dir.keys, NULL,
                           NULL) ||
         all.count == 0))
        all = c->reader.keys;
    int rc =
        plog_watermark_read(c->reader.io, c->o->since, &all, &p->since, err);
    c->report->since = rc ? 0 : p->since.size;
    return rc;
}

/* ---- Where it begins ---------------------------------------------------- */

static void other_root(struct plog_parity *p, const unsigned char *found)
{
    char want[48], got[48];
    plog_check_hash(p->since.root, want);
    plog_check_hash(found, got);
    struct plog_finding f = {.verdict = PLOG_E_FORK,
                             .leg = PLOG_LEG_LOG,
                             .file = plog_check_file(p->c),
                             .seq = p->since.size,
                             .expected = want,
                             .found = got,
                             .next = "keep a copy of DIR; the checkpoint is of"
                                     " another history"};
    plog_check_find(p->c, &f);
}

/* The segment with entry `seq`, or the last one. */
static uint64_t segment_of(const struct plog_walk *w, uint64_t seq)
{
    uint64_t first = 1;
    for (size_t i = 0; i < plog_segment_count(&w->segments); i++)
        if (plog_segment_at(&w->segments, i) <= seq)
            first = plog_segment_at(&w->segments, i);
    return first;
}

/* The checkpoint is a head that the log must have. */
static int expect(struct plog_parity *p, struct plog_error *err)
{
    if (p->since.size && plog_buf_add(&p->c->seen, &p->since, sizeof p->since))
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    plog_check_sort_seen(p->c);
    return 0;
}

/* From entry `first` on; the rows in step with the log begin there, too. */
static int begin_at(struct plog_parity *p, uint64_t first,
                    struct plog_error *err)
{
    p->first = first;
    p->fold_whole = false;
    p->partial = true;
    plog_check_unchecked(p->c, PLOG_LEG_BOTH, 1, first - 1,
                         "below the checkpoint");
    plog_check_unchecked(p->c, PLOG_LEG_STORE, 1, first - 1,
                         "records that were not touched since, versions, and"
                         " the rules in force");
    return plog_parity_rows_from(p, first, err);
}

int plog_parity_start(struct plog_parity *p, struct plog_error *err)
{
    struct plog_check *c = p->c;
    struct plog_walk *w = &c->walk;
    uint64_t first = p->since.size ? segment_of(w, p->since.size + 1) : 1;
    /* Keys from the store: each rotation in it proves itself.  Without them
     * only the whole log tells. */
    if (first > 1 && plog_store_keys(&c->reader.store, &c->head,
                                     &c->reader.keys, &w->chain.chain, NULL)) {
        first = 1;
        c->report->since = 0;
    }
    int rc = first > 1 && p->since.size < first ? 0 : expect(p, err);
    if (rc)
        return rc;
    if (first <= 1)
        return plog_walk_start(w, err);
    rc = begin_at(p, first, err);
    if (!rc)
        rc = plog_walk_start_segment(w, first, err);
    if (!rc && p->since.size == w->chain.last.size &&
        memcmp(w->chain.last.root, p->since.root, PLOG_HASH_SIZE) != 0)
        other_root(p, w->chain.last.root);
    return rc;
}

/* ---- Records touched since ---------------------------------------------- */

int plog_parity_touch(struct plog_parity *p, const struct plog_entry *e,
                      struct plog_error *err)
{
    sqlite3_stmt *q = p->touch;
    if (e->control != PLOG_CONTROL_NONE)
        return 0;
    plog_sql_bind(q, 1, e->delta.resource_text);
    plog_sql_bind(q, 2, e->delta.record_id_text);
    plog_sql_bind_u64(q, 3, e->seq);
    plog_sql_bind_u64(q, 4, e->skipped ? 0 : e->seq);
    return plog_sql_run(q, err);
}

/* The row of a touched record: its last entry, and the one it stands on. */
int plog_parity_touched(struct plog_parity *p, struct plog_error *err)
{
    sqlite3_stmt *q = NULL;
    int rc = plog_sql_prepare(
        p->db,
        "SELECT t.last, s.last IS t.last AND CASE WHEN t.winner>0 THEN"
        " s.seq IS t.winner AND (e.op='delete')=(s.merged IS NULL AND "
        "s.payload_len=0)"
        " AND (s.merged IS NOT NULL OR s.payload_len=0 OR"
        " substr(CAST(e.line AS BLOB),s.payload_at-10,11)=CAST("
        "',\"payload\":' AS BLOB))"
        " ELSE s.seq<?1 END"
        " FROM temp.touched t LEFT JOIN main.state s ON s.resource=t.resource"
        " AND s.record_id=t.record_id LEFT JOIN main.events e ON"
        " e.seq=t.winner",
        &q, err);
    if (!rc)
        plog_sql_bind_u64(q, 1, p->first);
    while (!rc && (rc = plog_sql_row(q, err)) == 0 && !p->c->stopped) {
        p->c->report->records++;
        if (!plog_sql_u64(q, 1))
            plog_parity_find(p, PLOG_E_DIVERGED, plog_sql_u64(q, 0),
                             "record: standing on the entry that the log says",
                             "record: none, or another one");
    }
    sqlite3_finalize(q);
    return rc == PLOG_END ? 0 : rc;
}
