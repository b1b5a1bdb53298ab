/*
 * parity_peers.c - peers against the entries that added and evicted them.
 *
 * temp.peers has those that the entries read have added, temp.evicted those
 * that they have evicted.  From a checkpoint on, rows that were added below are
 * the store's word, unless an entry since is about that name.
 */
#include "parity.h"

/* Both tables hold name and seq; a name is in one of them at most. */
static int put(struct plog_parity *p, bool adds, struct plog_span name,
               uint64_t seq, struct plog_error *err)
{
    static const char *const sql[2][2] = {
        {"DELETE FROM temp.peers WHERE name=?1",
         "INSERT OR REPLACE INTO temp.evicted VALUES(?1,?2)"},
        {"DELETE FROM temp.evicted WHERE name=?1",
         "INSERT OR REPLACE INTO temp.peers VALUES(?1,?2)"}};
    int rc = 0;
    for (int i = 0; !rc && i < 2; i++) {
        sqlite3_stmt *q = NULL;
        rc = plog_sql_prepare(p->db, sql[adds][i], &q, err);
        if (!rc && i)
            plog_sql_bind_u64(q, 2, seq);
        if (!rc) {
            plog_sql_bind(q, 1, name);
            rc = plog_sql_run(q, err);
        }
        sqlite3_finalize(q);
    }
    return rc;
}

int plog_parity_peer(struct plog_parity *p, const struct plog_entry *e,
                     struct plog_error *err)
{
    struct plog_peer_args a;
    int rc = plog_peer_args_parse(e, &p->fold.base, &a);
    if (rc)
        return plog_fail(err, rc, "a peer entry cannot be read");
    return put(p, e->control == PLOG_CONTROL_PEER_ADD, a.name, e->seq, err);
}

int plog_parity_peers(struct plog_parity *p, struct plog_error *err)
{
    sqlite3_stmt *q = NULL;
    int rc = plog_sql_prepare(
        p->db,
        /* added, and not so in the store */
        "SELECT w.added,1 FROM temp.peers w LEFT JOIN main.peers h ON"
        " h.name=w.name WHERE h.added IS NOT w.added UNION ALL"
        /* evicted, and still there */
        " SELECT w.seq,0 FROM temp.evicted w JOIN main.peers h ON"
        " h.name=w.name WHERE h.added<?1 UNION ALL"
        /* a row that says that it was added by what was read, and was not */
        " SELECT h.added,0 FROM main.peers h WHERE (typeof(h.added)<>'integer'"
        " OR h.added>=?1) AND NOT EXISTS(SELECT 1 FROM temp.peers w WHERE"
        " w.name=h.name) UNION ALL"
        /* what no peer can have; a damaged page may say NULL where the table
         * has none, and SQLite then takes IS NULL for false */
        " SELECT h.added,2 FROM main.peers h WHERE typeof(h.cursor)<>'integer'"
        " OR h.cursor NOT BETWEEN 0 AND (SELECT size FROM main.meta)",
        &q, err);
    if (!rc)
        sqlite3_bind_int64(q, 1, p->partial ? (int64_t)p->first : INT64_MIN);
    while (!rc && (rc = plog_sql_row(q, err)) == 0) {
        static const char *const said[3][2] = {
            {"peer: none", "peer: a row the log does not give"},
            {"peer: as the log has it", "peer: another, or none"},
            {"peer: entries up to the head", "peer: more than there is"}};
        uint64_t what = plog_sql_u64(q, 1);
        plog_parity_find(p, PLOG_E_DIVERGED, plog_sql_u64(q, 0), said[what][0],
                         said[what][1]);
    }
    sqlite3_finalize(q);
    return rc == PLOG_END ? 0 : rc;
}
