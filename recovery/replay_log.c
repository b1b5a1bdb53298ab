/*
 * replay_log.c - the whole replay: making a store, catching up, starting
 * afresh.
 */
#include <stdio.h>

#include "compact.h"
#include "fresh.h"
#include "fs.h"
#include "kept.h"
#include "left.h"
#include "replay_old.h"
#include "scrub.h"
#include "strays.h"

static int told(void *arg, uint64_t size, uint64_t bytes)
{
    struct plog_replaying *w = arg;
    struct plog_progress p = {size, w->end.last.size, bytes, "replay"};
    if (w->o->to && w->o->to < p.total)
        p.total = w->o->to;
    return w->o->progress ? w->o->progress(w->o->arg, &p) : 0;
}

/* ---- The account of entries --------------------------------------------- */

static int tell(struct plog_replaying *w, uint64_t seq,
                enum plog_replay_state state, const char *strategy)
{
    struct plog_replayed e = {seq, state, strategy};
    return w->o->entry ? w->o->entry(w->o->arg, &e) : 0;
}

static int tell_entry(void *arg, const struct plog_entry *e,
                      enum plog_strategy strategy)
{
    return tell(arg, e->seq,
                e->skipped ? PLOG_REPLAY_SKIPPED : PLOG_REPLAY_APPLIED,
                e->skipped ? plog_strategy_name(strategy) : NULL);
}

static int tell_present(struct plog_replaying *w, uint64_t size,
                        struct plog_error *err)
{
    for (uint64_t seq = 1; w->o->entry && seq <= size; seq++)
        if (tell(w, seq, PLOG_REPLAY_PRESENT, NULL))
            return plog_fail(err, PLOG_E_INTERRUPTED, "stopped at entry %llu",
                             (unsigned long long)seq);
    return 0;
}

/* What a group would come to; the strategy moves with it. */
static int tell_group(struct plog_replaying *w, const struct plog_walk *walk,
                      const struct plog_log_group *g,
                      struct plog_entry_parser *parser,
                      enum plog_strategy *strategy, struct plog_error *err)
{
    struct plog_entry e;
    struct plog_init_args init;
    int rc = 0;
    for (size_t i = 0; !rc && i < g->count; i++) {
        rc = plog_entry_parse(parser, plog_scan_text(&walk->scan, i), &e, err);
        if (rc)
            break;
        if (e.control == PLOG_CONTROL_INIT &&
            !plog_init_args_parse(e.args, &init))
            *strategy = init.strategy;
        if (e.control == PLOG_CONTROL_STRATEGY)
            rc = plog_strategy_args_parse(e.args, strategy);
        w->report->skipped += e.skipped;
        if (!rc && tell_entry(w, &e, *strategy))
            rc = plog_fail(err, PLOG_E_INTERRUPTED, "stopped at entry %llu",
                           (unsigned long long)e.seq);
    }
    return rc;
}

/* Of a dry run: the entries that would be inserted, up to `to`, and where the
 * store would stand then. */
static int tell_plan(struct plog_replaying *w, uint64_t to,
                     struct plog_error *err)
{
    struct plog_walk walk;
    struct plog_log_group g;
    struct plog_entry_parser parser;
    enum plog_strategy strategy =
        w->base ? w->strategy : w->legs.head.rules.strategy;
    plog_entry_parser_init(&parser, w->legs.io);
    int rc = plog_walk_open(&walk, &w->legs.dir, &w->legs.keys, err);
    if (!rc && w->legs.head.commit.size == 0)
        rc = plog_strays_start(&walk, NULL, err);
    else if (!rc)
        rc = plog_legs_locate(&w->legs, &walk, err);
    struct plog_commit then = walk.chain.last;
    while (!rc && walk.chain.last.size < to) {
        rc = plog_walk_next(&walk, &g, err);
        if (!rc && g.size > to)
            break; /* a group is never split */
        if (!rc)
            rc = tell_group(w, &walk, &g, &parser, &strategy, err);
        if (!rc)
            then = walk.chain.last;
        w->report->applied += rc ? 0 : g.count;
    }
    if (then.size > w->legs.head.commit.size)
        w->legs.head.commit = then;
    plog_walk_close(&walk);
    plog_entry_parser_fini(&parser);
    return rc == PLOG_END || rc == PLOG_E_TORN ? 0 : rc;
}

/* ---- Steps -------------------------------------------------------------- */

/* Reads where the store stands; an absent one stands at 0. */
static int read_store(struct plog_replaying *w, struct plog_error *err)
{
    struct plog_legs *l = &w->legs;
    memset(&l->head, 0, sizeof l->head);
    plog_tree_init(&l->head.tree);
    if (w->o->fresh)
        return plog_old_store_question(w, err);
    bool there;
    int rc = plog_old_store_look(&l->dir, PLOG_STORE_FILE, &there, err);
    if (rc || !there)
        return rc;
    rc = plog_legs_open_store(l, false, err);
    if (rc == PLOG_E_BEHIND) /* a file without tables */
        return 0;
    return rc ? rc : plog_store_get_head(&l->store, &l->head, err);
}

/* A snapshot that is gone or damaged comes out of the archive again: without a
 * store nobody else can do that. */
static int mend_snapshot(struct plog_replaying *w,
                         const struct plog_compaction *c,
                         struct plog_error *err)
{
    struct plog_compact_report report = {.dry_run = false};
    struct plog_compact_options o = {.struct_size = sizeof o,
                                     .dry_run = w->o->dry_run,
                                     .progress = w->o->progress,
                                     .arg = w->o->arg};
    struct plog_compacting mend = {.o = &o,
                                   .report = &report,
                                   .io = w->legs.io,
                                   .legs = &w->legs,
                                   .origin = w->legs.head.origin};
    struct plog_dir *d = &w->legs.dir;
    d->before_aside = plog_old_store_before_aside;
    d->aside_arg = w;
    int rc = plog_compact_mend(&mend, c, err);
    d->before_aside = NULL;
    w->report->remade |= report.remade;
    return rc;
}

/* The snapshot is mended before the old store is set aside for one that cannot
 * be made. */
static int take_base(struct plog_replaying *w, const struct plog_compaction *c,
                     struct plog_error *err)
{
    w->base = c->to;
    w->strategy = c->rules.strategy;
    memcpy(w->digest, c->snapshot, sizeof w->digest);
    return mend_snapshot(w, c, err);
}

/* Where the log's first entries were compacted away, a new store begins with
 * what the last compact entry says they came to. */
static int find_base(struct plog_replaying *w, struct plog_walk *walk,
                     struct plog_error *err)
{
    const struct plog_compaction *c;
    uint64_t size = walk->first - 1;
    if (size == 0)
        return 0;
    if (!(c = plog_orders_floor(&walk->orders, size)))
        return plog_orders_doubt(&walk->orders)
                   ? plog_fail(err, plog_orders_doubt(&walk->orders),
                               "looking for the compact entry failed")
                   : 0;
    if (!w->o->to || w->o->to >= c->to)
        return take_base(w, c, err);
    plog_fail(err, PLOG_E_PRUNED, "entries up to %llu were compacted away",
              (unsigned long long)c->to);
    plog_err_hint(err, "a store can stand at entry %llu or later",
                  (unsigned long long)c->to);
    return PLOG_E_PRUNED;
}

/* The log was read: the entry that counts is the last one that it really has,
 * and not one in an unfinished group. */
static int settle_base(struct plog_replaying *w, struct plog_walk *walk,
                       struct plog_error *err)
{
    const struct plog_compaction *c = plog_orders_floor_held(&walk->orders);
    return !c || c->to == w->base ? 0 : take_base(w, c, err);
}

static int no_entry(struct plog_error *err)
{
    return plog_fail(err, PLOG_E_NOTHING, "the log holds no entry");
}

/* Verifies from the store's head to the end; nothing is changed. */
static int inspect(struct plog_replaying *w, struct plog_error *err)
{
    struct plog_walk walk;
    int rc = plog_walk_open(&walk, &w->legs.dir, &w->legs.keys, err);
    if (!rc && w->legs.head.commit.size == 0) {
        rc = plog_strays_start(&walk, NULL, err);
        memcpy(w->legs.head.origin, walk.chain.origin,
               sizeof w->legs.head.origin);
        if (!rc)
            rc = find_base(w, &walk, err);
    } else if (!rc)
        rc = plog_legs_locate(&w->legs, &walk, err);
    if (rc == PLOG_E_TORN)
        rc = 0;
    if (!rc)
        rc = plog_legs_find_end(&walk, &w->end, err);
    if (!rc && w->base)
        rc = settle_base(w, &walk, err);
    if (!rc)
        rc = plog_kept_refuse(&w->legs.dir, &walk.chain, w->end.last.size, err);
    memcpy(w->origin, walk.chain.origin, sizeof w->origin);
    plog_walk_close(&walk);
    return rc || w->end.last.size ? rc : no_entry(err);
}

static int make_store(struct plog_replaying *w, struct plog_error *err)
{
    struct plog_legs *l = &w->legs;
    char origin[PLOG_ORIGIN_MAX + 1];
    memcpy(origin, l->head.origin, sizeof origin);
    bool aside;
    plog_legs_close_store(l);
    int rc = plog_old_store_in_way(w, &aside, err);
    if (!rc && aside)
        rc = plog_old_store_aside(w, err);
    if (!rc)
        rc = plog_legs_open_store(l, true, err);
    if (!rc) /* it is a new one, or had no tables */
        rc = plog_store_create_tables(&l->store, origin, err);
    return rc ? rc : plog_store_get_head(&l->store, &l->head, err);
}

/* Before a replay files of the log may have come from a copy that is older than
 * an order to redact; what it applies anew it marks by itself. */
static int mark_pending(struct plog_replaying *w, struct plog_error *err)
{
    uint64_t whole;
    return plog_scrub_again(&w->legs, &whole, err);
}

static int replay(struct plog_replaying *w, struct plog_error *err)
{
    struct plog_replay_watch watch = {
        .progress = told, .entry = tell_entry, .arg = w, .to = w->o->to};
    char tail[128];
    int rc = plog_legs_renew(&w->legs, &w->end, tail, err);
    if (!rc && tail[0])
        snprintf(w->report->quarantine, sizeof w->report->quarantine, "%s",
                 tail);
    bool made = !w->legs.store_open;
    if (!rc && made)
        rc = make_store(w, err);
    if (!rc && w->base)
        rc = plog_snapshot_into(&w->legs.dir, w->base, w->digest,
                                &w->legs.store, &w->legs.head, err);
    uint64_t before = w->legs.head.commit.size;
    uint64_t orders = w->legs.head.rules.redactions;
    if (!rc)
        rc = plog_legs_replay(&w->legs, &watch, err);
    if (!rc)
        rc = mark_pending(w, err);
    /* One that was made with fewer entries, or killed then, comes to them now.
     */
    if (!rc && (made || w->set_aside || w->legs.head.rules.redactions > orders))
        rc = plog_old_store_mark(w, &w->legs, err);
    if (w->legs.store_open)
        plog_store_checkpoint(&w->legs.store);
    w->report->applied = w->legs.head.commit.size - before;
    w->report->skipped = watch.skipped;
    return rc;
}

/* ---- A new store -------------------------------------------------------- */

/* What the new store begins with; the walk then stands behind that. */
static int start_fresh(struct plog_replaying *w, struct plog_walk *walk,
                       struct plog_legs *fresh, struct plog_error *err)
{
    char origin[PLOG_ORIGIN_MAX + 1];
    int rc = plog_strays_start(walk, NULL, err);
    if (rc == PLOG_E_TORN)
        return no_entry(err);
    memcpy(origin, walk->chain.origin, sizeof origin);
    /* Usually one reading of the log is enough: the new store is thrown away
     * when the log is damaged behind what it holds, or was longer. */
    bool any = false;
    if (!rc)
        rc = plog_kept_any(&w->legs.dir, &any, err);
    if (!rc && (walk->first != 1 || w->o->entry || any)) {
        rc = inspect(w, err);
        if (!rc)
            rc = plog_old_store_check(w, err);
    }
    bool aside; /* it is, but what cannot be looked at cannot be moved */
    if (!rc)
        rc = plog_old_store_in_way(w, &aside, err);
    if (!rc)
        rc = plog_fresh_make(&w->legs, origin, fresh, err);
    if (rc || !w->base)
        return rc;
    rc = plog_snapshot_into(&w->legs.dir, w->base, w->digest, &fresh->store,
                            &fresh->head, err);
    plog_walk_close(walk);
    if (!rc)
        rc = plog_walk_open(walk, &w->legs.dir, &w->legs.keys, err);
    return rc ? rc : plog_legs_locate(fresh, walk, err);
}

/* All that the log has is in the new store, which gets its name. */
static int install(struct plog_replaying *w, struct plog_legs *fresh, int *fd,
                   struct plog_error *err)
{
    char tail[128];
    bool aside = false;
    int rc = w->end.last.size ? plog_old_store_check(w, err) : no_entry(err);
    if (!rc)
        rc = plog_legs_renew(&w->legs, &w->end, tail, err);
    if (!rc && tail[0])
        snprintf(w->report->quarantine, sizeof w->report->quarantine, "%s",
                 tail);
    if (!rc)
        rc = plog_old_store_mark(w, fresh, err);
    if (!rc)
        rc = plog_fresh_end(fresh, fd, err);
    if (!rc)
        rc = plog_old_store_in_way(w, &aside, err);
    if (!rc && aside)
        rc = plog_old_store_aside(w, err);
    return rc ? rc : plog_fresh_install(fresh, &w->legs.dir, err);
}

/* The old store stays until the new one is on disk. */
static int replay_fresh(struct plog_replaying *w, struct plog_error *err)
{
    struct plog_replay_watch watch = {
        .progress = told, .entry = tell_entry, .arg = w, .to = w->o->to};
    struct plog_legs fresh = {.io = NULL};
    struct plog_walk walk;
    bool broken;
    int fd = -1;
    int rc = plog_walk_open(&walk, &w->legs.dir, &w->legs.keys, err);
    if (!rc)
        rc = start_fresh(w, &walk, &fresh, err);
    if (!rc)
        rc = plog_fresh_begin(&fresh, &fd, err);
    if (!rc)
        rc = plog_legs_fill(&fresh, &walk, &watch, &w->end, fd, &broken, err);
    if (!rc)
        rc = plog_kept_refuse(&w->legs.dir, &walk.chain, w->end.last.size, err);
    memcpy(w->origin, walk.chain.origin, sizeof w->origin);
    plog_walk_close(&walk);
    if (!rc)
        rc = install(w, &fresh, &fd, err);
    plog_fresh_drop(&fresh, &fd);
    if (!rc) {
        w->legs.head = fresh.head;
        w->report->applied = fresh.head.commit.size - w->base;
        w->report->skipped = watch.skipped;
    }
    plog_fresh_close(&fresh, &w->legs.dir);
    return rc;
}

/* What would be done, entry by entry. */
static int plan(struct plog_replaying *w, struct plog_error *err)
{
    uint64_t to = w->end.last.size;
    if (w->o->to && w->o->to < to)
        to = w->o->to;
    return to > w->legs.head.commit.size ? tell_plan(w, to, err) : 0;
}

static int catch_up(struct plog_replaying *w, uint64_t before,
                    struct plog_error *err)
{
    int rc = inspect(w, err);
    if (!rc)
        rc = plog_old_store_check(w, err);
    if (!rc)
        rc = tell_present(w, before, err);
    if (rc || w->o->dry_run)
        return rc ? rc : plan(w, err);
    (void)plog_left_store(&w->legs.dir); /* nothing reads it */
    return replay(w, err);
}

static void fill(struct plog_replaying *w, uint64_t before, double seconds)
{
    struct plog_replay_report *r = w->report;
    r->dry_run = w->o->dry_run;
    r->fresh = w->o->fresh;
    r->present = before;
    r->base = w->base;
    before = w->base ? w->base : before;
    r->torn_bytes = w->end.torn_bytes;
    r->from = r->applied ? before + 1 : 0;
    r->to = r->applied ? before + r->applied : 0;
    r->seconds = seconds;
    r->head = plog_commit_head(&w->legs.head.commit);
}

/* The log is damaged: no part of it is applied, whatever was asked for. */
static void say_damaged(int rc, struct plog_error *err)
{
    if (err && (rc == PLOG_E_CORRUPT || rc == PLOG_E_TAMPERED) &&
        strncmp(err->file, "log", 3) == 0)
        plog_err_hint(err, "run: paritylog parity DIR; what mends it stands"
                           " there; a store of what lies before the damage:"
                           " paritylog rebuild DIR --store --out NEW");
}

int plog_replay(const char *dir, const struct plog_replay_options *given,
                struct plog_replay_report *report, struct plog_error *err)
{
    struct plog_replay_options own;
    struct plog_options open = {.struct_size = sizeof open};
    struct plog_replaying w;
    memset(&w, 0, sizeof w);
    memset(report, 0, sizeof *report);
    if (plog_take_options(&own, sizeof own, given, err))
        return PLOG_E_ARG;
    w.o = &own;
    w.report = report;
    const struct plog_io *io = w.o->io ? w.o->io : plog_io_posix();
    int64_t started = io->clock_mono_ns(io->ctx);
    open.vkey = w.o->vkey;
    open.wait_seconds = w.o->wait_seconds;
    open.allow_network_fs = w.o->allow_network_fs;
    int rc =
        plog_legs_open(&w.legs, io, dir,
                       own.dry_run ? PLOG_DIR_DRY : PLOG_DIR_WRITE, &open, err);
    if (!rc) /* before anything is set aside for a store that may not be */
        rc = plog_fs_check(&w.legs.dir, w.legs.network_fs, err);
    /* Compaction takes segments away without the writer lock. */
    if (!rc)
        rc = plog_dir_maintain(&w.legs.dir, w.legs.wait_seconds, err);
    if (!rc)
        rc = plog_dir_lock(&w.legs.dir, false, w.legs.wait_seconds, err);
    if (!rc)
        rc = read_store(&w, err);
    uint64_t before = w.legs.head.commit.size;
    if (!rc && !w.o->dry_run)
        rc = plog_old_store_is_beside(&w, err);
    if (!rc)
        rc = w.beside ? replay_fresh(&w, err) : catch_up(&w, before, err);
    /* Also of what a salvage could not search, without a store, and of the old
     * store itself.  A store that stops below the log's end may not know of the
     * key that is trusted: who goes on from there looks. */
    if (!rc && !w.o->dry_run && !w.o->to)
        rc = plog_scrub_brought(&w.legs, err);
    say_damaged(rc, err);
    fill(&w, before, (double)(io->clock_mono_ns(io->ctx) - started) / 1e9);
    plog_legs_close(&w.legs);
    return plog_done(err, rc);
}
