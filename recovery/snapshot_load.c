/*
 * snapshot_load.c - a store from a snapshot.
 *
 * What the store has then is what one has that has folded every entry and let
 * go of those below the floor: records with the entries on which they stand,
 * rotations, cursors, peers, redactions, ids.  The log goes on from there.
 */
#include "snapshot.h"

#include "compaction.h"

struct load {
    struct plog_store *store;
    bool without_ids;
    sqlite3_stmt *cursor, *peer, *redaction;
};

static int load_entry(struct load *l, const struct plog_snapshot_item *i,
                      struct plog_error *err)
{
    return plog_store_add_event(l->store, &i->entry, i->line, 0, err);
}

static int load_control(struct load *l, const struct plog_snapshot_item *i,
                        struct plog_error *err)
{
    int rc = load_entry(l, i, err);
    if (rc || (i->entry.control != PLOG_CONTROL_ROTATE &&
               i->entry.control != PLOG_CONTROL_RESTORE))
        return rc;
    plog_sql_bind_u64(l->store->add_rotation, 1, i->seq);
    return plog_sql_run(l->store->add_rotation, err);
}

static int load_item(struct load *l, const struct plog_snapshot_item *i,
                     struct plog_error *err)
{
    int rc = 0;
    switch (i->kind) {
    case PLOG_SNAPSHOT_CONTROL:
        return load_control(l, i, err);
    case PLOG_SNAPSHOT_RECORD:
        if (i->line.n)
            rc = load_entry(l, i, err);
        return rc ? rc : plog_fold_restore(&l->store->fold, &i->record, err);
    case PLOG_SNAPSHOT_CURSOR:
        plog_sql_bind(l->cursor, 1, i->cursor.source);
        plog_sql_bind(l->cursor, 2, i->cursor.resource);
        plog_sql_bind(l->cursor, 3, i->cursor.cursor);
        plog_sql_bind_u64(l->cursor, 4, i->seq);
        return plog_sql_run(l->cursor, err);
    case PLOG_SNAPSHOT_PEER:
        plog_sql_bind(l->peer, 1, i->peer);
        plog_sql_bind_u64(l->peer, 2, i->seq);
        return plog_sql_run(l->peer, err);
    case PLOG_SNAPSHOT_REDACTION:
        plog_sql_bind_u64(l->redaction, 1, i->seq);
        plog_sql_bind_u64(l->redaction, 2, i->target);
        return plog_sql_run(l->redaction, err);
    case PLOG_SNAPSHOT_ID:
        if (l->without_ids)
            return PLOG_END; /* they are the last */
        return plog_store_add_old_id(l->store, &i->id, err);
    }
    return PLOG_E_CORRUPT;
}

/* The head behind the header of the next segment. */
static int put_head(struct plog_snapshot *s, struct plog_store *store,
                    struct plog_store_head *h, struct plog_error *err)
{
    struct plog_buf b;
    memset(h, 0, sizeof *h);
    memcpy(h->origin, s->header.origin, sizeof h->origin);
    h->tree = s->header.tree;
    h->commit = s->header.last;
    h->rules = s->rules;
    h->segment = s->header.first;
    plog_buf_init(&b, s->io);
    int rc = plog_header_format(&b, h->origin, &h->tree, &h->commit);
    h->offset = b.len + 1;
    b.len = 0;
    if (!rc)
        rc = plog_commit_format(&b, &h->commit);
    if (rc)
        plog_fail(err, rc, "out of memory");
    else
        rc = plog_store_add_commit(store, h->commit.size,
                                   plog_span(b.data, b.len), err);
    plog_buf_fini(&b);
    if (!rc)
        rc = plog_store_add_segment(store, h->segment, err);
    return rc ? rc : plog_store_put_head(store, h, err);
}

static int load_all(struct plog_snapshot *s, struct load *l,
                    struct plog_store_head *head, struct plog_error *err)
{
    struct plog_snapshot_item item;
    memcpy(l->store->origin, s->header.origin, sizeof l->store->origin);
    int rc = plog_sql_prepare(l->store->db,
                              "INSERT INTO main.cursors VALUES(?1,?2,?3,?4)",
                              &l->cursor, err);
    if (!rc)
        rc = plog_sql_prepare(l->store->db,
                              "INSERT INTO main.peers VALUES(?1,?2,0,NULL,"
                              "NULL)",
                              &l->peer, err);
    if (!rc)
        rc = plog_sql_prepare(l->store->db,
                              "INSERT INTO main.redactions VALUES(?1,?2,0)",
                              &l->redaction, err);
    while (!rc && (rc = plog_snapshot_next(s, &item, err)) == 0)
        rc = load_item(l, &item, err);
    if (rc == PLOG_END)
        rc = plog_sql_exec(
            l->store->db,
            "INSERT INTO main.base_state SELECT * FROM main.state", err);
    return rc ? rc : put_head(s, l->store, head, err);
}

int plog_snapshot_load(struct plog_snapshot *s, struct plog_store *store,
                       struct plog_store_head *head, struct plog_error *err)
{
    struct load l = {.store = store, .without_ids = s->without_ids};
    int rc = plog_store_begin(store, err);
    if (!rc)
        rc = load_all(s, &l, head, err);
    sqlite3_finalize(l.cursor);
    sqlite3_finalize(l.peer);
    sqlite3_finalize(l.redaction);
    return plog_store_end(store, rc, err);
}

int plog_snapshot_into(const struct plog_dir *d, uint64_t floor,
                       const unsigned char *digest, struct plog_store *store,
                       struct plog_store_head *head, struct plog_error *err)
{
    struct plog_snapshot s;
    int rc = plog_snapshot_open(&s, d, floor, digest, err);
    if (!rc)
        rc = plog_snapshot_load(&s, store, head, err);
    plog_snapshot_close(&s);
    return rc;
}

/* The last compact entry that set this floor.  Not always the last one of all:
 * where the store was trimmed, an undo leaves its floor where it is. */
static int find_compaction(struct plog_store *store, uint64_t floor,
                           uint64_t *seq, struct plog_error *err)
{
    return plog_sql_number(
        store->db, "SELECT max(seq) FROM main.compactions WHERE floor=?1",
        floor, 0, seq, err);
}

/* The digest that the compact entry signs which set the store's floor. */
static int read_digest(struct plog_store *store, uint64_t floor,
                       unsigned char *digest, struct plog_error *err)
{
    struct plog_compaction c;
    struct plog_entry_parser parser;
    struct plog_span line;
    uint64_t seq;
    int rc = find_compaction(store, floor, &seq, err);
    if (!rc)
        rc = seq ? plog_store_line(store, seq, &line, NULL, err) : PLOG_END;
    if (rc < 0)
        return rc;
    if (!seq) { /* made from that snapshot, and not replayed so far yet */
        plog_fail(err, PLOG_E_BEHIND,
                  "store.db: it stands before the compact entry that sets its"
                  " floor %llu",
                  (unsigned long long)floor);
        plog_err_file(err, PLOG_STORE_FILE);
        plog_err_hint(err, "run: paritylog replay DIR");
        return PLOG_E_BEHIND;
    }
    plog_entry_parser_init(&parser, store->io);
    int is = rc ? 0 : plog_compaction_read(&parser, line, &c);
    bool found = is > 0 && c.to == floor && c.has_snapshot;
    if (found)
        memcpy(digest, c.snapshot, PLOG_HASH_SIZE);
    plog_entry_parser_fini(&parser);
    if (is < 0)
        return plog_fail(err, is, "out of memory");
    return found ? 0
                 : plog_fail(err, PLOG_E_DIVERGED,
                             "store.db: no compact entry sets its floor %llu",
                             (unsigned long long)floor);
}

int plog_snapshot_base(const struct plog_dir *d, struct plog_store *store,
                       const struct plog_store_head *h,
                       const struct plog_keychain *keys,
                       struct plog_segment_header *out, struct plog_error *err)
{
    struct plog_snapshot s;
    unsigned char digest[PLOG_HASH_SIZE];
    uint64_t floor = h->rules.floor;
    if (floor == 0)
        return PLOG_END;
    int rc = read_digest(store, floor, digest, err);
    if (rc)
        return rc;
    rc = plog_snapshot_open(&s, d, floor, digest, err);
    *out = s.header;
    plog_snapshot_close(&s);
    if (rc == PLOG_E_PRUNED || rc == PLOG_E_CORRUPT)
        plog_snapshot_lost_to_store(d, floor, err);
    const struct plog_vkey *key = plog_keychain_at(keys, floor);
    const struct plog_commit *c = &out->last;
    if (!rc && (!key || !plog_checkpoint_verify(key, out->origin, c->size,
                                                c->root, c->sig)))
        rc = plog_fail(err, PLOG_E_TAMPERED,
                       "the checkpoint in the snapshot does not verify");
    return rc;
}
