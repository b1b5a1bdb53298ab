/*
 * store_compact.c - what a compact entry does to the store.
 *
 * Only what is small: the floor, the cursors, a row that says that segments
 * may be left.  Events at or below the floor stay where they are; dropping
 * them is another act (recovery/trim.c).
 */
#include "compaction.h"
#include "store.h"

/* Rows of entries at or below the floor say nothing any more. */
static int note(struct plog_store *s, const struct plog_compaction *c,
                struct plog_error *err)
{
    int rc = plog_sql_change(
        s->db, "DELETE FROM main.compactions WHERE seq<=?1", c->to, 0, err);
    return rc ? rc
              : plog_sql_change(s->db,
                                "INSERT INTO main.compactions VALUES(?1,?2,1)",
                                c->at, c->to, err);
}

int plog_store_compact(struct plog_store *s, struct plog_rules *rules,
                       const struct plog_entry *e, struct plog_error *err)
{
    struct plog_compaction c;
    int rc = plog_compaction_parse(e, s->io, &c);
    if (rc)
        return plog_fail(err, rc, "a compact entry cannot be read");
    /* A store that was made from a later snapshot has nothing below it. */
    rules->floor = c.to > rules->base ? c.to : rules->base;
    rc = note(s, &c, err);
    if (!rc && c.to < c.from)
        rc = plog_store_not_kept(s, c.to, err);
    return rc ? rc : plog_store_peers_had(s, &c, err);
}

int plog_store_compaction(struct plog_store *s, uint64_t *seq, bool *pending,
                          struct plog_error *err)
{
    sqlite3_stmt *q = NULL;
    *seq = 0;
    *pending = false;
    int rc = plog_sql_prepare(s->db,
                              "SELECT seq,pending FROM main.compactions"
                              " ORDER BY seq DESC LIMIT 1",
                              &q, err);
    if (!rc)
        rc = plog_sql_row(q, err);
    if (!rc) {
        *seq = plog_sql_u64(q, 0);
        *pending = plog_sql_u64(q, 1) != 0;
    }
    sqlite3_finalize(q);
    return rc == PLOG_END ? 0 : rc;
}

int plog_store_compacted(struct plog_store *s, struct plog_error *err)
{
    return plog_sql_exec(
        s->db, "UPDATE main.compactions SET pending=0 WHERE pending=1", err);
}
