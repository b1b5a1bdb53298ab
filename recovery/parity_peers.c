/* parity_peers.c - peers against the entries that added and evicted them. */
#include "parity.h"

int plog_parity_peer(struct plog_parity *p, const struct plog_entry *e,
                     struct plog_error *err)
{
    struct plog_peer_args a;
    sqlite3_stmt *q = NULL;
    bool adds = e->control == PLOG_CONTROL_PEER_ADD;
    int rc = plog_peer_args_parse(e, &p->fold.base, &a);
    if (rc)
        return plog_fail(err, rc, "a peer entry makes no sense");
    rc = plog_sql_prepare(p->db,
                          adds ? "INSERT OR REPLACE INTO temp.peers"
                                 " VALUES(?1,?2)"
                               : "DELETE FROM temp.peers WHERE name=?1",
                          &q, err);
    if (!rc) {
        plog_sql_bind(q, 1, a.name);
        if (adds)
            plog_sql_bind_u64(q, 2, e->seq);
        rc = plog_sql_run(q, err);
    }
    sqlite3_finalize(q);
    return rc;
}

int plog_parity_peers(struct plog_parity *p, struct plog_error *err)
{
    sqlite3_stmt *q = NULL;
    int rc = plog_sql_prepare(
        p->db,
        "SELECT added,1 FROM (SELECT name,added FROM temp.peers EXCEPT SELECT"
        " name,added FROM main.peers) UNION ALL SELECT added,0 FROM (SELECT"
        " name,added FROM main.peers EXCEPT SELECT name,added FROM"
        " temp.peers)",
        &q, err);
    while (!rc && (rc = plog_sql_row(q, err)) == 0) {
        bool logged = plog_sql_u64(q, 1) != 0;
        plog_parity_find(p, PLOG_E_DIVERGED, plog_sql_u64(q, 0),
                         logged ? "peer: as the log has it" : "peer: none",
                         logged ? "peer: another, or none"
                                : "peer: a row the log does not give");
    }
    sqlite3_finalize(q);
    return rc == PLOG_END ? 0 : rc;
}
