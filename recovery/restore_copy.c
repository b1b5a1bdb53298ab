/* restore_copy.c - the groups up to a point, copied: see restore.h. */
#include <stdio.h>

#include "archive.h"
#include "archived.h"
#include "check.h"
#include "restore.h"

/* ---- Which groups ------------------------------------------------------- */

/* When the group was logged, from its first entry. */
static int logged_at(struct plog_restoring *r, const struct plog_walk *w,
                     struct plog_instant *out, char *text,
                     struct plog_error *err)
{
    struct plog_entry e;
    int rc = plog_entry_parse(&r->parser, plog_scan_text(&w->scan, 0), &e, err);
    if (rc)
        return rc;
    snprintf(text, 40, "%.*s", (int)(e.logged_at.n < 39 ? e.logged_at.n : 39),
             e.logged_at.p ? e.logged_at.p : "");
    if (plog_instant_parse(e.logged_at, out))
        return plog_fail(err, PLOG_E_CORRUPT, "a group without logged_at");
    return 0;
}

/* Whether the group lies behind the point. */
static int is_behind(struct plog_restoring *r, const struct plog_walk *w,
                     const struct plog_log_group *g, bool *behind, char *logged,
                     struct plog_error *err)
{
    struct plog_instant when;
    *behind = r->o->at_seq && g->size > r->o->at_seq;
    if (*behind)
        return 0;
    int rc = logged_at(r, w, &when, logged, err);
    if (!rc && r->o->at_time)
        *behind = plog_instant_compare(when, r->at) > 0;
    return rc;
}

/* ---- Copying ------------------------------------------------------------ */

static int copy_group(struct plog_restoring *r, struct plog_walk *w,
                      const char *origin, const struct plog_tree *before,
                      const struct plog_commit *last,
                      const struct plog_log_group *g, struct plog_error *err)
{
    int rc = 0;
    bool begins = w->first == g->first;
    r->report->segments += begins;
    r->report->bytes += begins ? g->end : g->end - g->begin;
    for (size_t i = 0; !rc && r->redacts && i < g->count; i++)
        rc = plog_restore_note_whole(r, w, g->first + i,
                                     plog_scan_text(&w->scan, i), err);
    if (rc || r->o->dry_run)
        return rc;
    if (begins)
        rc = plog_outlog_segment(&r->log, origin, before, last, err);
    return rc ? rc : plog_outlog_group(&r->log, &w->scan, g, err);
}

/* The store knows of entries that the log does not have any more. */
static int lost_end(struct plog_restoring *r, const struct plog_walk *w, int rc,
                    struct plog_error *err)
{
    if (rc == PLOG_E_TORN)
        return plog_scan_error(&w->scan, w->first, err);
    plog_fail(err, PLOG_E_ROLLBACK,
              "the log ends at entry %llu, but the store holds %llu",
              (unsigned long long)w->chain.last.size,
              (unsigned long long)r->known);
    plog_err_hint(err, "run: paritylog parity DIR");
    return PLOG_E_ROLLBACK;
}

/* The point is known; or all of it may lie behind. */
static uint64_t highest_floor(const struct plog_restoring *r)
{
    return r->o->at_seq ? r->o->at_seq - 1 : UINT64_MAX;
}

static int start_walk(const struct plog_restoring *r, struct plog_walk *w,
                      struct plog_error *err)
{
    uint64_t floor;
    int rc = r->reader.dir.with_archive
                 ? plog_archived_from(w, r->from, highest_floor(r), &floor, err)
                 : PLOG_END;
    return rc == PLOG_END ? plog_walk_start(w, err)
           : rc           ? rc
                          : plog_walk_start_floor(w, floor, err);
}

/* Where the copy begins: at the first entry, or behind the floor; with the
 * archive behind the floor on which that stands. */
static int start(struct plog_restoring *r, struct plog_walk *w,
                 struct plog_error *err)
{
    const struct plog_compaction *c;
    int rc = start_walk(r, w, err);
    r->base = 0;
    if (rc || w->first == 1)
        return rc;
    uint64_t below = w->first - 1;
    c = r->reader.dir.with_archive ? plog_orders_floor_at(&w->orders, below)
                                   : plog_orders_floor(&w->orders, below);
    rc = c ? 0 : plog_orders_doubt(&w->orders);
    if (rc)
        return plog_fail(err, rc, "looking for the compact entry failed");
    if (!c) {
        plog_fail(err, PLOG_E_PRUNED,
                  "archive/ begins at entry %llu, and no snapshot stands for"
                  " those below",
                  (unsigned long long)w->first);
        plog_err_seq(err, w->first);
        plog_err_hint(err, PLOG_ARCHIVE_NOT_HERE);
        return PLOG_E_PRUNED;
    }
    r->base = c->to;
    r->base_at = c->at;
    r->base_brought = plog_orders_is_brought_floor(c);
    memcpy(r->digest, c->snapshot, sizeof r->digest);
    return c->to == below ? 0 : plog_walk_start_floor(w, c->to, err);
}

/* Without a store the known end is only as far as anybody can read: damage
 * behind it may have been part of what is asked for.  A group that was added
 * since may hold an order. */
static int look_behind(struct plog_restoring *r, struct plog_walk *w,
                       struct plog_error *err)
{
    struct plog_log_group g;
    if (!r->alone || r->limit == r->o->at_seq)
        return 0;
    int rc = plog_walk_next(w, &g, err);
    if (!rc)
        r->next = g;
    return rc;
}

static int copy_groups(struct plog_restoring *r, struct plog_walk *w,
                       struct plog_error *err)
{
    struct plog_restore_report *report = r->report;
    struct plog_log_group g;
    bool behind = false;
    int rc = start(r, w, err);
    snprintf(report->origin, sizeof report->origin, "%s", w->chain.origin);
    while (!rc && w->chain.last.size < r->limit) {
        struct plog_tree before = w->chain.tree;
        struct plog_commit last = w->chain.last;
        char logged[40] = "", origin[PLOG_ORIGIN_MAX + 1];
        memcpy(origin, w->chain.origin, sizeof origin); /* it may change */
        rc = plog_walk_next(w, &g, err);
        if (!rc)
            rc = is_behind(r, w, &g, &behind, logged, err);
        if (!rc && behind)
            r->next = g;
        if (rc || behind)
            break;
        rc = copy_group(r, w, origin, &before, &last, &g, err);
        r->tree = w->chain.tree;
        report->head = plog_commit_head(&g.commit);
        memcpy(report->logged_at, logged, sizeof logged);
        struct plog_progress p = {g.size, report->source.size, w->bytes,
                                  "restore"};
        if (!rc && r->o->progress && r->o->progress(r->o->arg, &p))
            rc = plog_fail(err, PLOG_E_INTERRUPTED, "stopped at entry %llu",
                           (unsigned long long)g.size);
    }
    if (!rc && !behind)
        rc = look_behind(r, w, err);
    if ((rc == PLOG_END || rc == PLOG_E_TORN) && w->chain.last.size < r->known)
        rc = lost_end(r, w, rc, err);
    if (rc == PLOG_END || rc == PLOG_E_TORN)
        rc = 0;
    if (!rc)
        rc = plog_keychain_check(&w->chain.chain, w->chain.keys, err);
    if (report->source.size > report->head.size)
        report->left_out = report->source.size - report->head.size;
    return rc;
}

/* What lies in archive/ is of this log only if it leads to where log/ begins:
 * so it is read up to there.  Another history may be signed just as well. */
static int reach_log(const struct plog_restoring *r, struct plog_walk *w,
                     struct plog_error *err)
{
    struct plog_log_group g;
    int rc = 0;
    while (!rc && (rc = plog_walk_next_archived(w, &g, err)) == 0) {
        struct plog_progress p = {g.size, r->report->source.size, w->bytes,
                                  "restore"};
        if (r->o->progress && r->o->progress(r->o->arg, &p))
            rc = plog_fail(err, PLOG_E_INTERRUPTED, "stopped at entry %llu",
                           (unsigned long long)g.size);
    }
    return rc == PLOG_END ? 0 : rc;
}

/* What a gap or damage in archive/ cuts off may not be asked for. */
static void find_next_start(struct plog_restoring *r, struct plog_walk *w)
{
    uint64_t least = w->first > r->base + 1 ? w->first - 1 : r->base + 1;
    if (!r->reader.dir.with_archive || w->first >= w->log_first ||
        plog_archived_from(w, least, highest_floor(r), &r->again_from, NULL))
        r->again_from = 0;
}

/* The key that would sign next, and the name that the log had. */
static int note_key(struct plog_restoring *r, const struct plog_walk *w,
                    struct plog_error *err)
{
    struct plog_restore_report *report = r->report;
    const struct plog_vkey *key =
        plog_keychain_at(&w->chain.chain, report->head.size + 1);
    if (!key)
        return 0; /* nothing was restored, which is said elsewhere */
    r->key = *key;
    memcpy(report->origin, key->name, sizeof report->origin);
    if (r->o->continue_as && !strcmp(r->o->continue_as, key->name))
        return plog_fail(err, PLOG_E_ARG,
                         "the name to go on under is the log's own: %s",
                         key->name);
    return 0;
}

static int start_ahead(void *arg, struct plog_walk *ahead,
                       struct plog_error *err)
{
    (void)arg;
    return plog_walk_start(ahead, err);
}

int plog_restore_copy(struct plog_restoring *r, struct plog_error *err)
{
    struct plog_walk w;
    int rc = plog_walk_open(&w, &r->reader.dir, &r->reader.keys, err);
    if (!rc) /* what an order that came along took out gets into no copy */
        rc = plog_walk_learn_keys(&w, start_ahead, NULL, err);
    if (!rc)
        rc = copy_groups(r, &w, err);
    if (!rc)
        rc = plog_restore_need(r, &w, err);
    if (!rc)
        rc = plog_restore_orders(r, &w, err);
    if (!rc && r->report->head.size)
        rc = reach_log(r, &w, err);
    if (!rc)
        rc = note_key(r, &w, err);
    if (plog_check_is_verdict(rc))
        find_next_start(r, &w);
    plog_walk_close(&w);
    return rc;
}
