/*
 * replay.c - applying to the store the groups that it lacks.
 *
 * Each group is verified before its first line is inserted, by a thread that
 * walks ahead (feed.h).  Several groups share a transaction; the head moves in
 * it, so a replay that is cut off goes on at a commit.  Records are folded in
 * memory (fold_table.h) and written when the transaction ends.
 */
#include <errno.h>

#include "archive.h"
#include "feed.h"
#include "fold_table.h"
#include "legs.h"

/* A transaction ends when one of these is reached.  The first takes less than
 * a second, for it is done twice after a kill; later ones are longer, because
 * each writes a page of records once, as long as SQLite's WAL stays short. */
#define ENTRIES_FIRST 20000u
#define PAGES_MOST 24000
#define BYTES_MOST ((uint64_t)64 << 20)
#define TABLE_MOST ((size_t)20 << 20)
#define CACHE_NEW 6000                       /* KiB; see plog_legs_fill */
#define BYTES_MOST_NEW ((uint64_t)128 << 20) /* of a store in the making */

struct replay {
    struct plog_legs *l;
    struct plog_replay_watch *watch;
    struct plog_feed feed;
    struct plog_fold_table table;
    bool is_new;             /* a store in the making */
    uint64_t entries, bytes; /* of the transaction at hand */
    uint64_t entries_max, bytes_max;
    uint64_t walked; /* bytes of the log */
};

/* Moves the head behind the batch. */
static void move_head(struct plog_legs *l, const struct plog_batch *b,
                      const struct plog_feed_group *last)
{
    l->head.tree = b->tree;
    memcpy(l->head.origin, b->origin, sizeof l->head.origin);
    memcpy(l->store.origin, b->origin, sizeof l->store.origin);
    l->head.commit = b->commit;
    l->head.segment = last->segment;
    l->head.offset = last->end;
}

static int run_hook(struct plog_legs *l, uint64_t seq, struct plog_span line,
                    struct plog_error *err)
{
    const struct plog_options *o = l->options;
    if (!o || !o->replayed)
        return 0;
    plog_store_rest(&l->store); /* or it could not drop its own table */
    return o->replayed(o->replayed_arg, l->store.db, seq, line.p, line.n)
               ? plog_fail(err, PLOG_E_HOOK,
                           "the caller's hook stopped the replay"
                           " at entry %llu",
                           (unsigned long long)seq)
               : 0;
}

/* An older store that was put back comes to orders which the log has carried
 * out: of what was set aside meanwhile it has no marks. */
static bool copies_may_lie(const struct plog_dir *d)
{
    struct plog_stat st;
    return d->io->stat_at(d->io->ctx, d->dir, "quarantine", &st) != -ENOENT ||
           d->io->stat_at(d->io->ctx, d->dir, PLOG_ARCHIVE_DIR, &st) != -ENOENT;
}

static int apply_entry(struct plog_legs *l, const struct plog_entry *e,
                       struct plog_span line, struct plog_replay_watch *watch,
                       struct plog_error *err)
{
    if (e->control == PLOG_CONTROL_REDACT)
        l->store.copies = copies_may_lie(&l->dir);
    int rc = plog_store_apply(&l->store, &l->head.rules, e, line, err);
    if (!rc)
        rc = run_hook(l, e->seq, line, err);
    if (!rc) /* a hook's statement may have ended it */
        rc = plog_store_in_transaction(&l->store, err);
    if (!rc && watch->entry &&
        watch->entry(watch->arg, e, l->head.rules.strategy))
        rc = plog_fail(err, PLOG_E_INTERRUPTED, "stopped at entry %llu",
                       (unsigned long long)e->seq);
    watch->skipped += e->skipped;
    return rc;
}

/* Line `i` of the batch. */
static int apply_line(struct replay *r, const struct plog_batch *b, size_t i,
                      struct plog_error *err)
{
    struct plog_span text;
    struct plog_entry e;
    int rc = plog_feed_entry(b, i, &r->l->store.parser, &text, &e, err);
    return rc ? rc : apply_entry(r->l, &e, text, r->watch, err);
}

/* @from  its first line */
static int apply_group(struct replay *r, const struct plog_batch *b,
                       const struct plog_feed_group *g, size_t from,
                       struct plog_error *err)
{
    struct plog_legs *l = r->l;
    int rc = 0;
    if (g->segment != l->head.segment)
        rc = plog_store_add_segment(&l->store, g->segment, err);
    l->head.segment = g->segment;
    for (size_t i = 0; !rc && i < g->count; i++)
        rc = apply_line(r, b, from + i, err);
    return rc ? rc
              : plog_store_add_commit(
                    &l->store, g->size,
                    plog_span(b->text.data + g->commit_at, g->commit_n), err);
}

static int apply_batch(struct replay *r, const struct plog_batch *b,
                       struct plog_error *err)
{
    const struct plog_feed_group *g = (const void *)b->groups.data;
    size_t count = b->groups.len / sizeof *g, from = 0;
    int rc = 0;
    for (size_t i = 0; !rc && i < count; i++) {
        rc = apply_group(r, b, &g[i], from, err);
        from += g[i].count;
        r->entries += g[i].count;
    }
    if (rc || count == 0)
        return rc;
    r->bytes += b->text.len;
    r->walked = b->walked;
    move_head(r->l, b, &g[count - 1]);
    return 0;
}

/* Twice as many entries write less than twice as many pages. */
static void set_pace(struct replay *r)
{
    int pages = r->l->store.wal_pages;
    if (pages > PAGES_MOST && r->entries_max > ENTRIES_FIRST)
        r->entries_max /= 2;
    else if (pages <= PAGES_MOST / 2)
        r->entries_max *= 2;
}

/* Commits what was applied and begins anew. */
static int close_batch(struct replay *r, bool again, struct plog_error *err)
{
    struct plog_legs *l = r->l;
    struct plog_replay_watch *watch = r->watch;
    int rc = plog_fold_write(&l->store.fold, err);
    if (!rc)
        rc = plog_store_put_head(&l->store, &l->head, err);
    if (!rc)
        rc = plog_store_commit(&l->store, err);
    set_pace(r);
    if (!rc && l->store.wal_pages > 1000)
        plog_store_checkpoint(&l->store);
    if (!rc && watch->progress &&
        watch->progress(watch->arg, l->head.commit.size, r->walked))
        rc = plog_fail(err, PLOG_E_INTERRUPTED, "stopped at entry %llu",
                       (unsigned long long)l->head.commit.size);
    if (!rc && again)
        rc = plog_store_begin(&l->store, err);
    r->entries = r->bytes = 0;
    return rc;
}

static bool is_due(const struct replay *r)
{
    return r->bytes >= r->bytes_max ||
           (!r->is_new && r->entries >= r->entries_max);
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

/* Applies all that the feed gives.
 * @stop  out: how the walk ended, when this returns 0 */
static int drain(struct replay *r, int *stop, struct plog_error *err)
{
    const struct plog_batch *b;
    int rc = 0;
    while (!rc && (b = plog_feed_next(&r->feed)) != NULL) {
        rc = apply_batch(r, b, err);
        if (!rc && is_due(r))
            rc = close_batch(r, true, err);
    }
    plog_pipe_close(&r->feed.pipe); /* the walk is ours again */
    *stop = r->feed.stop;
    if (!rc && *stop < 0 && err)
        *err = r->feed.err;
    if (!rc && *stop == PLOG_END && !r->feed.beyond)
        rc = enter_bare_segment(r->l, r->feed.walk, err);
    if (!rc && r->feed.sync_failed)
        rc = plog_fail_io(err, r->feed.sync_failed, PLOG_STORE_FILE,
                          "syncing the new store");
    r->walked = r->feed.walk->bytes + r->feed.walk->scan.offset;
    return rc;
}

static int locate(void *legs, struct plog_walk *ahead, struct plog_error *err)
{
    return plog_legs_locate(legs, ahead, err);
}

static void begin(struct replay *r, struct plog_legs *l, struct plog_walk *w,
                  struct plog_replay_watch *watch)
{
    memset(r, 0, sizeof *r);
    w->orders.in_force = true;
    r->l = l;
    r->watch = watch;
    r->entries_max = ENTRIES_FIRST;
    r->bytes_max = BYTES_MOST;
    plog_fold_table_init(&r->table, l->io, TABLE_MOST);
    /* A hook looks at the tables after each entry. */
    if (!l->options || !l->options->replayed)
        l->store.fold.table = &r->table;
    l->store.fold.loads = l->store.db;
}

static void finish(struct replay *r)
{
    plog_feed_close(&r->feed);
    r->l->store.fold.table = NULL;
    r->l->store.fold.loads = NULL;
    plog_fold_table_fini(&r->table);
}

/* ---- A store that is there ---------------------------------------------- */

static int run(struct plog_legs *l, struct plog_walk *w,
               struct plog_replay_watch *watch, struct plog_error *err)
{
    struct replay r;
    int stop = 0;
    begin(&r, l, w, watch);
    plog_feed_open(&r.feed, w, watch->to, NULL, -1,
                   plog_pipe_may_thread(l->io));
    int rc = drain(&r, &stop, err);
    /* What was verified before the damage stands; the damage is reported. */
    if (!rc) {
        rc = close_batch(&r, false, stop < 0 ? NULL : err);
        if (stop < 0 && stop != PLOG_E_TORN)
            rc = stop;
    }
    finish(&r);
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
        rc = plog_recent_settle(&l->store.recent, err);
    if (!rc)
        rc = plog_store_get_head(&l->store, &l->head, err);
    if (!rc)
        rc = plog_legs_locate(l, &w, err);
    /* A repair set a header aside behind which there was no group yet. */
    if (!rc && l->head.commit.size && l->head.segment > w.first)
        rc = plog_store_drop_segments(&l->store, w.first, err);
    if (!rc && l->head.commit.size) {
        l->head.segment = w.first; /* the place may have moved, not the head */
        l->head.offset = w.scan.offset;
    }
    if (!rc)
        rc = plog_walk_learn_keys(&w, locate, l, err);
    if (!rc)
        rc = run(l, &w, watch, err);
    plog_walk_close(&w);
    if (rc) {
        plog_store_rollback(&l->store);
        if (plog_store_get_head(&l->store, &l->head, NULL))
            l->head = before;
    }
    /* The log was verified: it is the rows there that what follows does not go
     * with, and no parity finds more. */
    if (rc == PLOG_E_DIVERGED)
        plog_err_hint(err, "run: " PLOG_STORE_ANEW);
    return rc;
}

/* ---- A store in the making ---------------------------------------------- */

int plog_legs_fill(struct plog_legs *l, struct plog_walk *w,
                   struct plog_replay_watch *watch, struct plog_log_end *end,
                   int sync_fd, bool *broken, struct plog_error *err)
{
    struct replay r;
    int stop = 0, rc = plog_walk_learn_keys(w, locate, l, err);
    *broken = rc != 0;
    if (rc)
        return rc;
    begin(&r, l, w, watch);
    r.is_new = true;
    r.bytes_max = BYTES_MOST_NEW;
    r.table.holds_all = l->head.commit.size == 0;
    if (end)
        memset(end, 0, sizeof *end);
    plog_feed_open(&r.feed, w, watch->to, end, sync_fd,
                   plog_pipe_may_thread(l->io));
    /* The table has what SQLite's cache would; what is left to that are the
     * ends of `events` and of what the ids are found by. */
    if (l->store.fold.table && r.table.holds_all)
        rc = plog_store_set_cache(&l->store, CACHE_NEW, err);
    if (!rc)
        rc = plog_store_begin(&l->store, err);
    if (!rc)
        rc = drain(&r, &stop, err);
    *broken = rc != 0;
    if (!rc && end) /* else all of it is for nothing */
        rc = plog_legs_end_judge(w, stop, end, err);
    if (!rc) {
        rc = close_batch(&r, false, stop < 0 && !end ? NULL : err);
        *broken = rc != 0;
    }
    if (!rc && !end && stop < 0 && stop != PLOG_E_TORN)
        rc = stop;
    finish(&r);
    return rc;
}
