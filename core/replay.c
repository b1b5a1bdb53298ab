/*
 * replay.c - applying to the store the groups that it lacks.
 *
 * Each group is verified before its first line is inserted.  Several groups
 * share a transaction; the head moves in it, so a replay that is cut off goes
 * on at a commit.
 */
#include <stdio.h>

#include "legs.h"

#define ENTRIES_A_TRANSACTION 10000

/* Moves the head behind group `g` of the walk. */
static void move_head(struct plog_legs *l, const struct plog_walk *w,
                      const struct plog_log_group *g)
{
    l->head.tree = w->chain.tree;
    memcpy(l->head.origin, w->chain.origin, sizeof l->head.origin);
    memcpy(l->store.origin, w->chain.origin, sizeof l->store.origin);
    l->head.commit = g->commit;
    l->head.segment = w->first;
    l->head.offset = g->end;
}

static int apply_line(struct plog_legs *l, struct plog_span line,
                      struct plog_replay_watch *watch, struct plog_error *err)
{
    const struct plog_options *o = l->options;
    struct plog_entry e;
    struct plog_applied applied = {.agrees = true};
    int rc = plog_entry_parse(&l->store.parser, line, &e, err);
    if (!rc)
        rc = plog_store_apply(&l->store, &l->head.rules, &e, line, &applied,
                              err);
    if (!rc && o && o->replayed &&
        o->replayed(o->replayed_arg, l->store.db, e.seq, line.p, line.n))
        rc = plog_fail(err, PLOG_E_HOOK,
                       "the caller's hook stopped the replay"
                       " at entry %llu",
                       (unsigned long long)e.seq);
    if (!rc) /* a hook's statement may have ended it */
        rc = plog_store_in_transaction(&l->store, err);
    if (!rc && watch->entry &&
        watch->entry(watch->arg, &e, l->head.rules.strategy))
        rc = plog_fail(err, PLOG_E_INTERRUPTED, "stopped at entry %llu",
                       (unsigned long long)e.seq);
    watch->applied++;
    watch->skipped += e.skipped;
    /* The logged outcome drives the fold; parity reports the difference. */
    watch->disagreed += !applied.agrees;
    return rc;
}

static int apply_group(struct plog_legs *l, struct plog_walk *w,
                       const struct plog_log_group *g,
                       struct plog_replay_watch *watch, struct plog_error *err)
{
    int rc = 0;
    if (w->first != l->head.segment)
        rc = plog_store_add_segment(&l->store, w->first, err);
    for (size_t i = 0; !rc && i < g->count; i++)
        rc = apply_line(l, plog_scan_text(&w->scan, i), watch, err);
    if (!rc)
        rc = plog_store_add_commit(&l->store, g->commit.size, g->commit_line,
                                   err);
    if (!rc)
        move_head(l, w, g);
    return rc;
}

/* Commits what was applied and begins anew. */
static int close_batch(struct plog_legs *l, struct plog_walk *w,
                       struct plog_replay_watch *watch, bool again,
                       struct plog_error *err)
{
    int rc = plog_store_put_head(&l->store, &l->head, err);
    if (!rc)
        rc = plog_store_commit(&l->store, err);
    if (!rc && l->store.wal_pages > 1000)
        plog_store_checkpoint(&l->store);
    if (!rc && watch->progress &&
        watch->progress(watch->arg, l->head.commit.size,
                        w->bytes + w->scan.offset))
        rc = plog_fail(err, PLOG_E_INTERRUPTED, "stopped at entry %llu",
                       (unsigned long long)l->head.commit.size);
    if (!rc && again)
        rc = plog_store_begin(&l->store, err);
    return rc;
}

/* A segment that was made but holds no group yet: the head stands behind its
 * header. */
static int enter_bare_segment(struct plog_legs *l, struct plog_walk *w,
                              struct plog_error *err)
{
    if (w->first <= l->head.segment || w->headless ||
        w->first != l->head.commit.size + 1)
        return 0;
    l->head.segment = w->first;
    l->head.offset = w->scan.offset;
    return plog_store_add_segment(&l->store, w->first, err);
}

static int run(struct plog_legs *l, struct plog_walk *w,
               struct plog_replay_watch *watch, struct plog_error *err)
{
    struct plog_log_group g;
    uint64_t done = l->head.commit.size;
    int rc = 0, stop = 0;
    while (!rc) {
        stop = plog_walk_next(w, &g, err);
        if (stop == PLOG_END)
            rc = enter_bare_segment(l, w, err);
        if (stop)
            break;
        if (watch->to && g.size > watch->to)
            break;
        rc = apply_group(l, w, &g, watch, err);
        if (!rc && l->head.commit.size - done >= ENTRIES_A_TRANSACTION) {
            done = l->head.commit.size;
            rc = close_batch(l, w, watch, true, err);
        }
    }
    if (rc)
        return rc;
    /* What was verified before the damage stands; the damage is reported. */
    rc = close_batch(l, w, watch, false, stop < 0 ? NULL : err);
    if (stop < 0 && stop != PLOG_E_TORN)
        return stop;
    return rc;
}

int plog_legs_replay(struct plog_legs *l, struct plog_replay_watch *watch,
                     struct plog_error *err)
{
    struct plog_replay_watch none = {0};
    struct plog_walk w;
    struct plog_store_head before = l->head;
    if (!watch)
        watch = &none;
    int rc = plog_walk_open(&w, &l->dir, &l->keys, err);
    if (!rc)
        rc = plog_store_begin(&l->store, err);
    if (!rc)
        rc = plog_store_get_head(&l->store, &l->head, err);
    if (!rc)
        rc = plog_legs_locate(l, &w, err);
    if (!rc && l->head.commit.size) {
        l->head.segment = w.first; /* the place may have moved, not the head */
        l->head.offset = w.scan.offset;
    }
    if (!rc)
        rc = run(l, &w, watch, err);
    plog_walk_close(&w);
    if (rc) {
        plog_store_rollback(&l->store);
        if (plog_store_get_head(&l->store, &l->head, NULL))
            l->head = before;
    }
    return rc;
}
