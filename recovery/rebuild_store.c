/*
 * rebuild_store.c - the store from the log, into a new place.
 *
 * The verified log is folded into a fresh store; where it is damaged, as far as
 * it can be verified.
 */
#include <stdio.h>

#include "check.h"
#include "fresh.h"
#include "legs.h"
#include "rebuild.h"
#include "snapshot.h"
#include "strays.h"

/* The legs of a replay whose log lies in the source and whose store lies in
 * the new place.  The handles stay those of reader and place. */
static void join(struct plog_rebuild *b, struct plog_legs *l,
                 const struct plog_options *options)
{
    memset(l, 0, sizeof *l);
    l->io = b->io;
    l->options = options;
    l->wait_seconds = 10;
    l->network_fs = b->o->allow_network_fs;
    l->dir = b->place.dir;
    l->dir.log = b->reader.dir.log;
    l->dir.locked = false;
    l->keys = b->reader.keys;
    plog_tail_init(&l->tail, &l->dir);
}

static int told(void *arg, uint64_t size, uint64_t bytes)
{
    return plog_rebuild_tell(arg, size, bytes);
}

static int read_origin(struct plog_rebuild *b, struct plog_error *err)
{
    struct plog_walk w;
    int rc = plog_walk_open(&w, &b->reader.dir, &b->reader.keys, err);
    if (!rc)
        rc = plog_strays_start(&w, NULL, err);
    snprintf(b->report->origin, sizeof b->report->origin, "%s", w.chain.origin);
    const struct plog_compaction *floor =
        rc || w.first == 1 ? NULL : plog_orders_floor(&w.orders, w.first - 1);
    if (floor) {
        b->base = floor->to;
        memcpy(b->digest, floor->snapshot, sizeof b->digest);
    } else if (!rc && w.first != 1) {
        rc = plog_orders_doubt(&w.orders);
        if (rc)
            plog_fail(err, rc, "looking for the compact entry failed");
    }
    plog_walk_close(&w);
    return rc;
}

/* Makes the empty store. */
static int begin_fold(struct plog_rebuild *b, struct plog_legs *l,
                      struct plog_error *err)
{
    int rc = plog_legs_open_store(l, true, err);
    if (!rc)
        rc = plog_store_create_tables(&l->store, b->report->origin, err);
    if (!rc && b->base)
        rc = plog_snapshot_into(&b->reader.dir, b->base, b->digest, &l->store,
                                &l->head, err);
    return rc;
}

static void set_folded(struct plog_rebuild *b, const struct plog_store_head *h)
{
    b->report->entries = h->commit.size;
    if (h->commit.size)
        b->report->head = plog_commit_head(&h->commit);
}

/* The compact entry for the floor that the store begins with is looked for
 * ahead, so that the walk can meet it. */
static int need_base(const struct plog_rebuild *b, struct plog_walk *w,
                     struct plog_error *err)
{
    int rc = !b->base || plog_orders_floor_at(&w->orders, b->base)
                 ? 0
                 : plog_orders_doubt(&w->orders);
    return rc ? plog_fail(err, rc, "looking for the compact entry failed") : 0;
}

/* Whether the compact entry for the floor that the store begins with is none of
 * the log: it lies in an unfinished group, and nobody signed it. */
static bool is_unfinished(const struct plog_compaction *base,
                          struct plog_walk *w)
{
    if (!base)
        return false;
    const struct plog_compaction *last = plog_orders_floor_held(&w->orders);
    const struct plog_known_floor *none = plog_orders_floor_unheld(&w->orders);
    return (last && base->at > last->at) ||
           (none && none->entry.at == base->at);
}

/* Of a log that is whole: a trusted key vouches for it, and it has the entries
 * on whose word lines were taken.  These may stand behind the head that was
 * known; the lines up to there are read for that, and not taken. */
static int judge(struct plog_rebuild *b, struct plog_walk *w,
                 struct plog_error *err)
{
    struct plog_log_end end = {.segment = 0};
    struct plog_log_group g;
    struct plog_error why = {.code = 0};
    const struct plog_compaction *base =
        b->base ? plog_orders_floor_at(&w->orders, b->base) : NULL;
    int rc = plog_legs_end_judge(w, PLOG_END, &end, &why);
    if (rc == PLOG_E_TAMPERED || rc == PLOG_E_CORRUPT) {
        do
            rc = plog_walk_next(w, &g, &why);
        while (!rc);
        if (rc != PLOG_E_IO && rc != PLOG_E_NOMEM)
            rc = plog_legs_end_judge(w, PLOG_END, &end, &why);
    }
    if (!rc && is_unfinished(base, w)) {
        rc = plog_fail(&why, PLOG_E_TORN,
                       "the log ends in an unfinished group, with the compact"
                       " entry for the floor %llu",
                       (unsigned long long)b->base);
        plog_err_hint(&why, "run: paritylog replay DIR");
    }
    if (rc && err)
        *err = why;
    return rc;
}

/* Without journal: all, or as far as the log is whole; nothing of one that its
 * end does not bear out.
 * @broken  out: an entry could not be applied, and the store is none */
static int fold_fast(struct plog_rebuild *b, struct plog_legs *l, bool *broken,
                     struct plog_error *err)
{
    struct plog_replay_watch watch = {
        .progress = told, .arg = b, .to = b->total};
    struct plog_walk w = {.dir = NULL};
    int fd = -1;
    *broken = false;
    int rc = begin_fold(b, l, err);
    if (!rc && b->base)
        rc = plog_place_snapshot(&b->place, &b->reader.dir, b->base, err);
    if (!rc)
        rc = plog_store_get_head(&l->store, &l->head, err);
    if (!rc)
        rc = plog_walk_open(&w, &l->dir, &l->keys, err);
    if (!rc)
        rc = plog_legs_locate(l, &w, err);
    if (!rc)
        rc = need_base(b, &w, err);
    if (!rc)
        rc = plog_fresh_begin(l, &fd, err);
    if (!rc)
        rc = plog_legs_fill(l, &w, &watch, NULL, fd, broken, err);
    int refused = rc ? 0 : judge(b, &w, err);
    plog_walk_close(&w);
    if (!*broken && !refused) {
        set_folded(b, &l->head);
        if (rc)
            rc = plog_rebuild_end_at(b, rc, err);
        if (!rc && fd < 0) /* what stopped it came before */
            rc = plog_fresh_begin(l, &fd, err);
        if (!rc)
            rc = plog_fresh_end(l, &fd, err);
    }
    plog_fresh_drop(l, &fd);
    return refused ? refused : rc;
}

/* In transactions, of which those before one that fails stand. */
static int fold_slowly(struct plog_rebuild *b, struct plog_legs *l,
                       struct plog_error *err)
{
    struct plog_replay_watch watch = {
        .progress = told, .arg = b, .to = b->total};
    int rc = begin_fold(b, l, err);
    if (!rc)
        rc = plog_legs_replay(l, &watch, err);
    set_folded(b, &l->head);
    if (rc)
        rc = plog_rebuild_end_at(b, rc, err);
    if (!rc)
        rc = plog_store_settle(&l->store, err);
    plog_legs_close_store(l);
    return rc;
}

static int fold(struct plog_rebuild *b, struct plog_error *err)
{
    static const struct plog_options none = {.struct_size = sizeof none};
    struct plog_legs l;
    bool broken;
    join(b, &l, &none);
    int rc = fold_fast(b, &l, &broken, err);
    if (broken && plog_check_is_verdict(rc)) {
        rc = plog_fresh_unmake(&l, err);
        if (!rc)
            rc = fold_slowly(b, &l, err);
    }
    plog_tail_close(&l.tail);
    return rc;
}

/* Without writing: the log must be whole up to its end.  As in the real run the
 * group behind that is looked at: where it is damaged, the end that is known
 * is only as far as anybody can read. */
static int verify(struct plog_rebuild *b, struct plog_error *err)
{
    struct plog_walk w;
    struct plog_log_group g;
    int rc = plog_walk_open(&w, &b->reader.dir, &b->reader.keys, err);
    if (!rc)
        rc = plog_strays_start(&w, NULL, err);
    if (!rc)
        rc = need_base(b, &w, err);
    struct plog_commit last = w.chain.last;
    while (!rc) {
        rc = plog_walk_next(&w, &g, err);
        if (rc || (b->total && g.size > b->total))
            break;
        last = g.commit;
        if (plog_rebuild_tell(b, g.size, w.bytes))
            rc = plog_fail(err, PLOG_E_INTERRUPTED, "stopped");
    }
    b->report->entries = last.size;
    if (last.size)
        b->report->head = plog_commit_head(&last);
    bool whole = !rc || rc == PLOG_END || rc == PLOG_E_TORN;
    rc = whole ? judge(b, &w, err) : plog_rebuild_end_at(b, rc, err);
    plog_walk_close(&w);
    return rc;
}

static int prepare(struct plog_rebuild *b, const char *dir, const char *out,
                   struct plog_error *err)
{
    struct plog_status status;
    struct plog_options look = {.struct_size = sizeof look,
                                .io = b->o->io,
                                .vkey = b->o->vkey,
                                .wait_seconds = b->o->wait_seconds};
    int rc = plog_rebuild_begin(b, dir, out, PLOG_DIR_READ, err);
    if (!rc)
        rc = read_origin(b, err);
    /* Up to the head that is committed now: writers may be at work. */
    if (!rc && plog_read_status(dir, &look, &status, NULL) == 0 &&
        status.log_has_commit)
        b->total = status.log_size;
    return rc;
}

static int make_store(struct plog_rebuild *b, const char *dir, const char *out,
                      struct plog_error *err)
{
    int rc = prepare(b, dir, out, err);
    if (!rc && !b->o->dry_run)
        return fold(b, err);
    if (!rc && b->base) /* without it there is no store */
        rc = plog_snapshot_check(&b->reader.dir, b->base, b->digest, err);
    return rc ? rc : verify(b, err);
}

static int read_log(struct plog_rebuild *b, const char *dir, const char *out,
                    struct plog_error *err)
{
    int rc = prepare(b, dir, out, err);
    return rc ? rc : verify(b, err);
}

int plog_rebuild_store_read(const char *dir, const char *out,
                            const struct plog_rebuild_options *given,
                            struct plog_rebuild_report *report,
                            struct plog_error *err)
{
    return plog_rebuild(dir, out, given, report, read_log, NULL, err);
}

int plog_rebuild_store(const char *dir, const char *out,
                       const struct plog_rebuild_options *given,
                       struct plog_rebuild_report *report,
                       struct plog_error *err)
{
    return plog_rebuild(dir, out, given, report, make_store, plog_install_store,
                        err);
}
