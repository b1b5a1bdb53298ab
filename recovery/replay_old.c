/*
 * replay_old.c - the store that a replay finds: what it testifies, whether it
 * has more than the log, and setting it aside; see replay_old.h.
 */
#include "replay_old.h"

#include <errno.h>
#include <stdio.h>

#include "archive.h"
#include "check.h"
#include "redact.h"
#include "schema.h"
#include "scrub.h"
#include "strays.h"

/* Whether what it says of orders can be believed: an index that is damaged may
 * be why it was not told of a payload that is left. */
static bool is_sound(struct plog_store *s)
{
    sqlite3_stmt *q = NULL;
    bool ok =
        !plog_sql_prepare(s->db, "PRAGMA main.integrity_check('redactions')",
                          &q, NULL) &&
        !plog_sql_row(q, NULL) && plog_span_is(plog_sql_text(q, 0), "ok");
    sqlite3_finalize(q);
    return ok;
}

/* Whether it knows of no payload that is left, and has none itself. */
static bool is_scrubbed(struct plog_store *s)
{
    sqlite3_stmt *q = NULL;
    bool left = !is_sound(s);
    int rc = plog_sql_prepare(s->db,
                              "SELECT r.pending,e.line FROM main.redactions r"
                              " LEFT JOIN main.events e ON e.seq=r.target",
                              &q, NULL);
    while (!rc && !left && (rc = plog_sql_row(q, NULL)) == 0) {
        struct plog_span line = plog_sql_text(q, 1);
        left =
            plog_sql_u64(q, 0) != 0 || (line.n && !plog_line_is_redacted(line));
    }
    sqlite3_finalize(q);
    return rc == PLOG_END && !left;
}

/* A store testifies before it goes, when it can, and what else is in it is
 * counted.  That there is no memory for it says nothing of the store. */
int plog_old_store_question(struct plog_replaying *w, struct plog_error *err)
{
    struct plog_store *s = &w->legs.store;
    int rc = plog_legs_open_store(&w->legs, false, err);
    if (!rc) {
        rc = plog_store_get_head(s, &w->old, err);
        if (rc)
            memset(&w->old, 0, sizeof w->old);
        else
            w->old_signed =
                plog_store_signs(s, &w->old, &w->legs.keys, &w->old.commit);
        w->old_scrubbed = !rc && is_scrubbed(s);
        if (plog_schema_count_own(s->db, &w->report->own_tables, NULL))
            w->report->own_tables = 0;
    }
    plog_legs_close_store(&w->legs);
    return rc == PLOG_E_NOMEM ? rc : 0;
}

/* Entries that only the old store holds now were acknowledged: setting it
 * aside would lose them, and the log would go on from an older state. */
int plog_old_store_check(struct plog_replaying *w, struct plog_error *err)
{
    const struct plog_commit *c = &w->old.commit;
    if (c->size <= w->end.last.size || !w->old_signed ||
        strcmp(w->old.origin, w->origin) != 0)
        return 0;
    bool fork = plog_legs_open_store(&w->legs, false, NULL) == 0 &&
                plog_legs_fork(&w->legs.dir, &w->legs.keys, &w->legs.store,
                               &w->old, &w->end.last, plog_strays_begin);
    plog_legs_close_store(&w->legs);
    if (fork)
        return plog_legs_fail_fork(w->end.last.size, err);
    plog_fail(err, PLOG_E_ROLLBACK,
              "the log ends at entry %llu, but the store holds a signed head"
              " at %llu",
              (unsigned long long)w->end.last.size,
              (unsigned long long)c->size);
    plog_err_seq(err, w->end.last.size + 1);
    plog_err_hint(err, "run: paritylog parity DIR; keep a copy of both legs");
    return PLOG_E_ROLLBACK;
}

/* ---- Setting the store aside -------------------------------------------- */

static int move_one(struct plog_dir *d, const char *name, int to,
                    const char *new_name, bool *moved)
{
    int rc = d->io->rename_at(d->io->ctx, d->dir, name, to, new_name, false);
    *moved |= rc == 0;
    return rc == -ENOENT ? 0 : rc;
}

/* The database goes first: while it is there, its WAL must not be missing
 * beside it for a reader; without it the two others mean nothing. */
int plog_old_store_aside(struct plog_replaying *w, struct plog_error *err)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    struct plog_dir *d = &w->legs.dir;
    char name[128], old[32], fresh[140];
    bool moved = false; /* else there was none, and `name` is of nothing */
    int to, rc = plog_dir_quarantine(d, PLOG_STORE_FILE, name, &to, err);
    if (rc)
        return rc;
    for (int i = 0; !rc && i < 3; i++) {
        snprintf(old, sizeof old, "%s%s", PLOG_STORE_FILE, ends[i]);
        snprintf(fresh, sizeof fresh, "%s%s", strchr(name, '/') + 1, ends[i]);
        rc = move_one(d, old, to, fresh, &moved);
    }
    if (!rc)
        rc = d->io->fsync(d->io->ctx, to);
    if (!rc)
        rc = d->io->fsync(d->io->ctx, d->dir);
    d->io->close(d->io->ctx, to);
    if (moved)
        snprintf(w->report->quarantine, sizeof w->report->quarantine, "%s",
                 name);
    return rc ? plog_fail_io(err, rc, name, "setting the store aside") : 0;
}

int plog_old_store_look(struct plog_dir *d, const char *name, bool *there,
                        struct plog_error *err)
{
    struct plog_stat st;
    int rc = d->io->stat_at(d->io->ctx, d->dir, name, &st);
    *there = rc == 0;
    return rc && rc != -ENOENT ? plog_fail_io(err, rc, name, "looking for it")
                               : 0;
}

/* Whether something of a store has to go before one can be made: a WAL without
 * its database, or beside a foreign one, would be replayed into it; and a file
 * without tables has the name that one made beside it will get. */
int plog_old_store_in_way(struct plog_replaying *w, bool *is,
                          struct plog_error *err)
{
    struct plog_dir *d = &w->legs.dir;
    bool db = false, wal = false, shm = false;
    int rc = plog_old_store_look(d, PLOG_STORE_FILE, &db, err);
    if (!rc)
        rc = plog_old_store_look(d, PLOG_STORE_FILE "-wal", &wal, err);
    if (!rc)
        rc = plog_old_store_look(d, PLOG_STORE_FILE "-shm", &shm, err);
    *is = !rc && (w->o->fresh || (db ? w->beside : wal || shm));
    return rc;
}

/* ---- What only it knew -------------------------------------------------- */

static bool same_head(const struct plog_commit *a, const struct plog_commit *b)
{
    return a->size == b->size && memcmp(a->root, b->root, sizeof a->root) == 0;
}

/* One that cannot be opened, or says nothing, goes: it stops no replay. */
int plog_old_store_before_aside(void *arg, struct plog_error *err)
{
    struct plog_replaying *w = arg;
    struct plog_error why = {.code = 0};
    bool open = w->legs.store_open;
    w->set_aside = true;
    int rc = open ? 0 : plog_legs_open_store(&w->legs, false, &why);
    if (rc)
        return rc == PLOG_E_NOMEM ? plog_fail(err, rc, "out of memory") : 0;
    rc = plog_scrub_mark(&w->legs.store, &why);
    if (!open)
        plog_legs_close_store(&w->legs);
    if (rc == 0 || plog_check_is_verdict(rc))
        return 0;
    if (err)
        *err = why;
    return rc;
}

/* Where a payload may lie, of which a new store knows nothing; log/ is looked
 * through. */
static int look_around(struct plog_replaying *w, bool *any,
                       struct plog_error *err)
{
    /* Without --fresh, what has that name is the new one. */
    const char *const names[] = {"quarantine", PLOG_ARCHIVE_DIR,
                                 w->o->fresh ? PLOG_STORE_FILE : NULL};
    int rc = 0;
    *any = w->set_aside;
    for (int i = 0; !rc && !*any && i < 3 && names[i]; i++)
        rc = plog_old_store_look(&w->legs.dir, names[i], any, err);
    return rc;
}

int plog_old_store_is_beside(struct plog_replaying *w, struct plog_error *err)
{
    w->beside = w->o->fresh;
    return w->beside || w->legs.store_open ? 0
                                           : look_around(w, &w->beside, err);
}

int plog_old_store_mark(struct plog_replaying *w, struct plog_legs *to,
                        struct plog_error *err)
{
    bool any;
    if (!w->set_aside && w->old_scrubbed &&
        same_head(&w->old.commit, &to->head.commit))
        return 0;
    int rc = look_around(w, &any, err);
    return rc || !any ? rc : plog_scrub_mark(&to->store, err);
}
