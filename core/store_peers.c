/*
 * store_peers.c - what entries do to the rows of peers.
 */
#include "compaction.h"
#include "store.h"

int plog_store_peer(struct plog_store *s, const struct plog_entry *e,
                    struct plog_error *err)
{
    struct plog_peer_args a;
    sqlite3_stmt *q = NULL;
    bool adds = e->control == PLOG_CONTROL_PEER_ADD;
    bool evicts = e->control == PLOG_CONTROL_PEER_EVICT;
    int rc = plog_peer_args_parse(e, &s->scratch, &a);
    if (rc)
        return plog_fail(err, rc, "a peer entry cannot be read");
    rc = plog_sql_prepare(
        s->db,
        adds     ? "INSERT OR REPLACE INTO main.peers VALUES(?1,?2,0,NULL,NULL)"
        : evicts ? "DELETE FROM main.peers WHERE name=?1"
                 : "UPDATE main.peers SET cursor=?2, root=NULL WHERE name=?1"
                   " AND cursor>?2",
        &q, err);
    if (!rc) {
        plog_sql_bind(q, 1, a.name);
        if (!evicts)
            plog_sql_bind_u64(q, 2, adds ? e->seq : a.cursor);
        rc = plog_sql_run(q, err);
    }
    sqlite3_finalize(q);
    return rc;
}

/* A store made anew knows of no acknowledgement.  What every peer had when the
 * floor moved is at least what went: more may have been taken back since, so
 * nothing above the floor is taken from the entry.  An undo lets peers lose
 * that again; of those that have acknowledged to this store, it knows better.
 */
static int move_cursor(struct plog_store *s, const struct plog_compact_peer *p,
                       const struct plog_compaction *c, struct plog_error *err)
{
    sqlite3_stmt *q = NULL;
    int rc = plog_sql_prepare(s->db,
                              c->to > c->from
                                  ? "UPDATE main.peers SET cursor=?2, root=NULL"
                                    " WHERE name=?1 AND cursor<?2"
                                  : "UPDATE main.peers SET cursor=?2, root=NULL"
                                    " WHERE name=?1 AND cursor>?2 AND seen IS"
                                    " NULL",
                              &q, err);
    if (!rc) {
        plog_sql_bind(q, 1, p->name);
        plog_sql_bind_u64(q, 2, c->to);
        rc = plog_sql_run(q, err);
    }
    sqlite3_finalize(q);
    return rc;
}

int plog_store_peers_had(struct plog_store *s, const struct plog_compaction *c,
                         struct plog_error *err)
{
    struct plog_compact_peers peers;
    struct plog_compact_peer p;
    int rc;
    plog_compact_peers(&peers, s->io, c);
    while ((rc = plog_compact_peers_next(&peers, &p)) == 0)
        if ((rc = move_cursor(s, &p, c, err)) != 0)
            break;
    plog_compact_peers_fini(&peers);
    return rc == PLOG_END ? 0 : rc;
}
