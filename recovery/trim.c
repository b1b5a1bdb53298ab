/*
 * trim.c - events below the floor, dropped from the store.
 *
 * What stays is what the snapshot holds: the entries on which records stood at
 * the floor, those that set rules and keys, and of each id its hashes.  First
 * all of that is in place, then the base moves, then the other events go, a
 * few at a time, so that writers wait for moments only.  A crash leaves events
 * that nothing asks for; the next trim drops them.
 */
#include <stdio.h>

#include "compact.h"

#define EVENTS_A_TRANSACTION 2000

struct trim {
    struct plog_compacting *c;
    uint64_t floor, base, at; /* `at`: done up to this event */
    struct plog_compaction last;
    struct plog_buf line;
    struct plog_entry_parser parser;
    bool known;
};

static int look(plog *p, void *arg, struct plog_error *err)
{
    struct trim *t = arg;
    bool pending;
    int rc = plog_compaction_last(&p->legs.store, &t->parser, &t->line,
                                  &t->last, &pending, err);
    t->floor = p->legs.head.rules.floor;
    t->base = p->legs.head.rules.base;
    t->known = rc == 0 && t->last.to == t->floor && t->floor > 0;
    return rc == PLOG_END ? 0 : rc;
}

/* temp.keep: events that stay; temp.state: the rows at the floor. */
static int read_item(sqlite3_stmt *keep, struct plog_fold *fold,
                     const struct plog_snapshot_item *i, struct plog_error *err)
{
    int rc = 0;
    if (i->line.n) {
        plog_sql_bind_u64(keep, 1, i->entry.seq);
        rc = plog_sql_run(keep, err);
    }
    if (!rc && i->kind == PLOG_SNAPSHOT_RECORD)
        rc = plog_fold_restore(fold, &i->record, err);
    return rc;
}

static int read_snapshot(struct trim *t, struct plog_error *err)
{
    sqlite3 *db = t->c->p->legs.store.db;
    struct plog_snapshot s = {.io = NULL}; /* may not come to be opened */
    struct plog_snapshot_item item;
    struct plog_fold fold = {.io = t->c->io, .origin = t->c->p->origin};
    sqlite3_stmt *keep = NULL;
    plog_buf_init(&fold.base, t->c->io);
    plog_buf_init(&fold.merged, t->c->io);
    plog_entry_parser_init(&fold.parser, t->c->io);
    int rc = plog_sql_exec(db,
                           "CREATE TEMP TABLE keep(seq INTEGER PRIMARY KEY);"
                           "CREATE TEMP TABLE state(" PLOG_STATE_COLUMNS
                           ") " PLOG_STATE_OPTIONS ";BEGIN",
                           err);
    if (!rc)
        rc = plog_sql_prepare(db, "INSERT OR REPLACE INTO temp.keep VALUES(?1)",
                              &keep, err);
    if (!rc)
        rc = plog_fold_open(&fold, db, "temp", err);
    if (!rc)
        rc = plog_snapshot_open(&s, &t->c->p->legs.dir, t->floor,
                                t->last.snapshot, err);
    while (!rc && (rc = plog_snapshot_next(&s, &item, err)) == 0)
        rc = read_item(keep, &fold, &item, err);
    plog_snapshot_close(&s);
    sqlite3_finalize(keep);
    plog_fold_close(&fold);
    rc = rc == PLOG_END ? 0 : rc;
    return rc ? rc : plog_sql_exec(db, "COMMIT", err);
}

/* ---- Batches ------------------------------------------------------------ */

/* Nobody else does while this runs. */
static void move_wal(struct plog_store *s)
{
    if (s->wal_pages > 1000)
        plog_store_checkpoint(s);
}

/* Ids of the next events. */
static int keep_ids(plog *p, void *arg, struct plog_error *err)
{
    struct trim *t = arg;
    struct plog_store *s = &p->legs.store;
    struct plog_entry e;
    struct plog_old_id id;
    sqlite3_stmt *q = NULL;
    int rc = plog_sql_prepare(s->db,
                              "SELECT seq,line FROM main.events WHERE seq>?1"
                              " AND seq<=?2 AND id IS NOT NULL ORDER BY seq"
                              " LIMIT ?3",
                              &q, err);
    uint64_t count = 0;
    if (!rc) {
        plog_sql_bind_u64(q, 1, t->at);
        plog_sql_bind_u64(q, 2, t->floor);
        plog_sql_bind_u64(q, 3, EVENTS_A_TRANSACTION);
    }
    while (!rc && (rc = plog_sql_row(q, err)) == 0) {
        struct plog_span line = plog_sql_text(q, 1);
        t->at = plog_sql_u64(q, 0);
        count++;
        rc = plog_entry_parse(&t->parser, line, &e, err);
        if (rc)
            break;
        plog_old_id_of(&e, line, &id);
        rc = plog_store_add_old_id(s, &id, err);
    }
    sqlite3_finalize(q);
    if (rc == PLOG_END)
        rc = plog_store_commit(s, err);
    if (rc)
        return rc;
    move_wal(s); /* ids are hashes: each lies in a page of its own */
    return count < EVENTS_A_TRANSACTION ? PLOG_END : 0;
}

static int move_base(plog *p, void *arg, struct plog_error *err)
{
    struct trim *t = arg;
    struct plog_store *s = &p->legs.store;
    struct plog_store_head next = p->legs.head;
    next.rules.base = t->floor;
    int rc =
        plog_sql_exec(s->db,
                      "DELETE FROM main.base_state;"
                      "INSERT INTO main.base_state SELECT * FROM temp.state",
                      err);
    if (!rc)
        rc = plog_store_put_head(s, &next, err);
    if (!rc)
        rc = plog_store_commit(s, err);
    if (!rc)
        p->legs.head = next;
    return rc;
}

/* The next events that nothing stands on. */
static int drop(plog *p, void *arg, struct plog_error *err)
{
    struct trim *t = arg;
    struct plog_store *s = &p->legs.store;
    sqlite3_stmt *q = NULL;
    uint64_t to = t->at + EVENTS_A_TRANSACTION;
    if (to > t->floor)
        to = t->floor;
    int rc = plog_sql_prepare(
        s->db,
        "DELETE FROM main.events WHERE seq>?1 AND seq<=?2 AND seq NOT IN"
        " (SELECT seq FROM temp.keep) AND seq NOT IN (SELECT seq FROM"
        " main.redactions)",
        &q, err);
    if (!rc) {
        plog_sql_bind_u64(q, 1, t->at);
        plog_sql_bind_u64(q, 2, to);
        rc = plog_sql_run(q, err);
    }
    sqlite3_finalize(q);
    uint64_t count = rc ? 0 : (uint64_t)sqlite3_changes(s->db);
    if (!rc)
        rc = plog_store_commit(s, err);
    if (rc)
        return rc;
    t->at = to;
    t->c->report->trimmed += count;
    move_wal(s);
    return to < t->floor ? 0 : PLOG_END;
}

/* The least from `from` on, at most the floor. */
static uint64_t next_snapshot(const struct trim *t,
                              const struct plog_buf *snapshots, uint64_t from)
{
    uint64_t next = t->floor;
    for (size_t i = 0; i < plog_segment_count(snapshots); i++) {
        uint64_t at = plog_segment_at(snapshots, i);
        if (at >= from && at < next)
            next = at;
    }
    return next;
}

/* Commits and segments below the floor's own commit.  That of a snapshot stays:
 * by it alone a sweep can tell whose that is, when nothing needs it any more.
 */
static int drop_rest(plog *p, void *arg, struct plog_error *err)
{
    const struct trim *t = arg;
    struct plog_buf snapshots;
    char sql[100];
    plog_buf_init(&snapshots, t->c->io);
    int rc = plog_snapshot_list(&p->legs.dir, &snapshots, err);
    for (uint64_t from = 0, next; !rc && from < t->floor; from = next + 1) {
        next = next_snapshot(t, &snapshots, from);
        snprintf(sql, sizeof sql,
                 "DELETE FROM main.checkpoints WHERE size>=%llu AND size<%llu",
                 (unsigned long long)from, (unsigned long long)next);
        rc = plog_sql_exec(p->legs.store.db, sql, err);
    }
    plog_buf_fini(&snapshots);
    snprintf(sql, sizeof sql, "DELETE FROM main.segments WHERE first<=%llu",
             (unsigned long long)t->floor);
    if (!rc)
        rc = plog_sql_exec(p->legs.store.db, sql, err);
    return rc ? rc : plog_store_commit(&p->legs.store, err);
}

static int repeat(struct trim *t,
                  int (*what)(plog *, void *, struct plog_error *),
                  const char *phase, struct plog_error *err)
{
    int rc = 0;
    while (!rc) {
        rc = plog_engine_locked(t->c->p, what, t, err);
        if (rc >= 0 &&
            plog_compact_tell(t->c, phase, t->c->report->trimmed, 0, err))
            return PLOG_E_INTERRUPTED;
    }
    return rc == PLOG_END ? 0 : rc;
}

static int trim(struct trim *t, struct plog_error *err)
{
    plog *p = t->c->p;
    int rc = read_snapshot(t, err);
    t->at = t->base;
    if (!rc && t->base < t->floor)
        rc = repeat(t, keep_ids, "ids", err);
    if (!rc && t->base < t->floor)
        rc = plog_engine_locked(p, move_base, t, err);
    t->at = 0;
    if (!rc)
        rc = repeat(t, drop, "trim", err);
    return rc ? rc : plog_engine_locked(p, drop_rest, t, err);
}

int plog_compact_trim(struct plog_compacting *c, struct plog_error *err)
{
    struct trim t = {.c = c};
    plog_buf_init(&t.line, c->io);
    plog_entry_parser_init(&t.parser, c->io);
    int rc = plog_engine_locked(c->p, look, &t, err);
    if (!rc && t.known)
        rc = trim(&t, err);
    if (rc)
        plog_store_rollback(&c->p->legs.store);
    plog_entry_parser_fini(&t.parser);
    plog_buf_fini(&t.line);
    return rc;
}
