/*
 * rebuild.c - one leg from the other, into a new place.
 *
 * Nothing is invented: what the other leg does not prove under the original
 * signatures ends the work, and the report names the entries that lack.
 */
#include <stdio.h>

#include "again.h"
#include "check.h"
#include "compaction.h"
#include "fresh.h"
#include "legs.h"
#include "install.h"
#include "outlog.h"
#include "paritylog_recovery.h"
#include "place.h"
#include "reader.h"
#include "snapshot.h"
#include "store_log.h"

struct rebuild {
    const struct plog_rebuild_options *o;
    struct plog_rebuild_report *report;
    const struct plog_io *io;
    struct plog_reader reader; /* of the source */
    struct plog_place place;
    uint64_t total;
    uint64_t segment_size;    /* of the rules */
    uint64_t segment, offset; /* where the rebuilt log ends */
    bool loose;               /* ... in a segment of which lines are redacted */
    bool odd_layout;          /* segments begin where the rule has none */
    uint64_t base;            /* the snapshot that it begins with; 0: none */
    unsigned char digest[PLOG_HASH_SIZE];
};

static void set_head(struct plog_head *h, const struct plog_commit *c)
{
    h->size = c->size;
    memcpy(h->root, c->root, sizeof h->root);
    memcpy(h->sig, c->sig, sizeof h->sig);
    memcpy(h->key, c->key, sizeof h->key);
}

static int tell(struct rebuild *b, uint64_t done, uint64_t bytes)
{
    struct plog_progress p = {done, b->total, bytes, "rebuild"};
    return b->o->progress ? b->o->progress(b->o->arg, &p) : 0;
}

/* The other leg proves no more: what there is stands, unless that is nothing.
 */
static int end_at(struct rebuild *b, int rc, const struct plog_error *why)
{
    struct plog_rebuild_report *r = b->report;
    if (r->head.size == 0 || rc == PLOG_E_INTERRUPTED || rc == PLOG_E_NOMEM ||
        rc == PLOG_E_IO)
        return rc;
    r->verdict = rc;
    r->missing_from = r->head.size + 1;
    r->missing_to = b->total > r->head.size ? b->total : 0;
    snprintf(r->why, sizeof r->why, "%.200s", why->message);
    return 0;
}

static int begin(struct rebuild *b, const char *dir, const char *out,
                 enum plog_dir_mode mode, struct plog_error *err)
{
    memset(b->report, 0, sizeof *b->report);
    b->report->dry_run = b->o->dry_run;
    int rc =
        plog_reader_open_dir(&b->reader, b->io, dir, mode, b->o->vkey, err);
    if (!rc && !b->o->dry_run) {
        rc = plog_place_make(&b->place, b->io, out, err);
        if (!rc)
            rc = plog_place_keys(&b->place, &b->reader.dir, false, err);
        if (!rc)
            rc = plog_place_orders(&b->place, &b->reader.dir, err);
    }
    return rc;
}

/* Removes what was not finished. */
static void end(struct rebuild *b)
{
    plog_place_close(&b->place);
    plog_reader_fini(&b->reader);
}

/* Does `attempt` until nothing changes under its eyes, and gives what it made
 * its name. */
static int run(struct rebuild *b, const char *dir, const char *out,
               int (*attempt)(struct rebuild *b, const char *dir,
                              const char *out, struct plog_error *err),
               struct plog_error *err)
{
    struct plog_again again;
    struct rebuild fresh = *b;
    int rc;
    int64_t started = b->io->clock_mono_ns(b->io->ctx);
    plog_again_begin(&again, b->io, dir);
    while ((rc = attempt(b, dir, out, err)) != 0 || b->report->verdict) {
        if (!plog_again(&again, rc ? rc : b->report->verdict))
            break;
        end(b);
        *b = fresh;
    }
    if (!rc && !b->o->dry_run)
        rc = plog_place_finish(&b->place, err);
    end(b);
    b->report->seconds =
        (double)(b->io->clock_mono_ns(b->io->ctx) - started) / 1e9;
    return rc;
}

/* ---- The log from the store --------------------------------------------- */

/*
 * Where segments begin is in a table that nothing signs.  But a writer begins
 * one exactly when the next group would pass the segment's size, or when it
 * redacts a line of the last one; redacted lines have another length.
 */
static int lay_out(struct rebuild *b, const struct plog_stored_group *g,
                   const char *origin, const struct plog_tree *before,
                   const struct plog_commit *last, struct plog_error *err)
{
    struct plog_buf header;
    bool empty = g->first == b->segment, was_loose = b->loose;
    bool begins = !empty && b->offset + g->text.n > b->segment_size;
    if (g->begins_segment)
        b->loose = false;
    /* A segment may also be begun by hand; that one begins too late, never. */
    b->odd_layout |= begins && !g->begins_segment && !was_loose && !g->odd_size;
    b->loose |= g->odd_size;
    if (g->begins_segment) {
        plog_buf_init(&header, b->io);
        int rc = plog_header_format(&header, origin, before, last);
        b->segment = g->first;
        b->offset = header.len + 1;
        plog_buf_fini(&header);
        if (rc)
            return plog_fail(err, rc, "out of memory");
    }
    b->offset += g->text.n;
    return 0;
}

static int write_group(struct rebuild *b, struct plog_outlog *log,
                       const char *origin, const struct plog_tree *before,
                       const struct plog_commit *last,
                       const struct plog_stored_group *g,
                       struct plog_error *err)
{
    int rc = lay_out(b, g, origin, before, last, err);
    b->report->segments += g->begins_segment;
    if (rc || b->o->dry_run)
        return rc;
    if (g->begins_segment)
        rc = plog_outlog_segment(log, origin, before, last, err);
    return rc ? rc : plog_outlog_add(log, g->text.p, g->text.n, err);
}

static int copy_groups(struct rebuild *b, struct plog_store_log *s,
                       struct plog_outlog *log, struct plog_error *err)
{
    struct plog_stored_group g;
    for (;;) {
        struct plog_tree before = s->tree;
        struct plog_commit last = s->last;
        char origin[PLOG_ORIGIN_MAX + 1];
        memcpy(origin, s->origin, sizeof origin);
        int rc = plog_store_log_next(s, &g, err);
        if (rc == PLOG_END)
            break;
        if (rc)
            return end_at(b, rc, err);
        rc = write_group(b, log, origin, &before, &last, &g, err);
        if (rc)
            return rc;
        b->report->entries = g.size;
        set_head(&b->report->head, &g.commit);
        if (tell(b, g.size, log->bytes))
            return plog_fail(err, PLOG_E_INTERRUPTED, "stopped at entry %llu",
                             (unsigned long long)g.size);
    }
    bool bare;
    int rc = plog_store_log_bare_end(s, &bare, err);
    if (rc)
        return end_at(b, rc, err);
    b->report->segments += bare;
    return !bare || b->o->dry_run
               ? 0
               : plog_outlog_segment(log, s->origin, &s->tree, &s->last, err);
}

/* The head in the store must be what its rows came to. */
static int judge_head(struct rebuild *b, const struct plog_store_head *h,
                      struct plog_error *err)
{
    struct plog_rebuild_report *r = b->report;
    if (r->verdict || (r->head.size == h->commit.size &&
                       !memcmp(r->head.root, h->commit.root, PLOG_HASH_SIZE)))
        return 0;
    plog_fail(err, PLOG_E_DIVERGED,
              "store.db: its rows end at entry %llu, its head says %llu",
              (unsigned long long)r->head.size,
              (unsigned long long)h->commit.size);
    return end_at(b, PLOG_E_DIVERGED, err);
}

/* Redacted lines that no order in the rows makes good. */
static void judge_orders(struct rebuild *b, const struct plog_store_log *s)
{
    size_t i = 0;
    const struct plog_order *o = plog_orders_unheld(&s->orders, &i);
    if (b->report->verdict || !o)
        return;
    b->report->verdict = PLOG_E_TAMPERED;
    snprintf(b->report->why, sizeof b->report->why,
             "entry %llu is redacted, and the order for it at %llu is not"
             " proven",
             (unsigned long long)o->seq, (unsigned long long)o->at);
}

/* Every entry is there and proven, but perhaps not in the files that it was
 * in. */
static void judge_layout(struct rebuild *b, const struct plog_store_log *s,
                         const struct plog_store_head *h)
{
    bool bare = h->segment == h->commit.size + 1;
    if (b->report->verdict ||
        (!b->odd_layout && !s->odd_segment &&
         (bare || (h->segment == b->segment && h->offset == b->offset))))
        return;
    b->report->verdict = PLOG_E_DIVERGED;
    snprintf(b->report->why, sizeof b->report->why,
             "every entry is proven, but the table of segments is not what a"
             " writer makes: the files may begin elsewhere");
}

/* A store that was trimmed before a compaction was undone lacks what came
 * back: the log begins before what it can give. */
static int judge_start(struct rebuild *b, uint64_t base, struct plog_error *err)
{
    struct plog_rebuild_report *r = b->report;
    struct plog_compaction c = {.to = base};
    struct plog_entry_parser parser;
    struct plog_span line;
    uint64_t seq;
    bool pending;
    int rc = plog_store_compaction(&b->reader.store, &seq, &pending, err);
    if (!rc && seq)
        rc = plog_store_line(&b->reader.store, seq, &line, NULL, err);
    if (rc || !seq)
        return rc < 0 ? rc : 0;
    plog_entry_parser_init(&parser, b->io);
    int is = plog_compaction_read(&parser, line, &c);
    plog_entry_parser_fini(&parser);
    if (is < 0)
        return plog_fail(err, is, "out of memory");
    if (c.to >= base || r->verdict)
        return 0;
    r->verdict = PLOG_E_PRUNED;
    r->missing_from = c.to + 1;
    r->missing_to = base;
    snprintf(r->why, sizeof r->why,
             "the compaction up to entry %llu was undone, and the store had"
             " been trimmed by then",
             (unsigned long long)base);
    return 0;
}

static int from_store(struct rebuild *b, struct plog_error *err)
{
    struct plog_store_head head;
    struct plog_store_log s = {.store = NULL};
    struct plog_outlog log;
    double wait = b->o->wait_seconds != 0 ? b->o->wait_seconds : 10;
    plog_outlog_init(&log, b->io, b->place.dir.log);
    int rc = plog_reader_open_store(&b->reader, wait, err);
    if (!rc)
        rc = plog_store_begin_read(&b->reader.store, err);
    if (!rc)
        rc = plog_store_get_head(&b->reader.store, &head, err);
    if (!rc) {
        b->total = head.commit.size;
        b->segment_size = head.rules.segment_size;
        snprintf(b->report->origin, sizeof b->report->origin, "%s",
                 head.origin);
        rc = plog_store_log_open(&s, &b->reader.store, &head, &b->reader.keys,
                                 &b->reader.dir, err);
    }
    uint64_t base = s.last.size;
    if (!rc && base && !b->o->dry_run)
        rc = plog_place_snapshot(&b->place, &b->reader.dir, base, err);
    if (!rc)
        rc = copy_groups(b, &s, &log, err);
    if (!rc && base)
        rc = judge_start(b, base, err);
    if (!rc)
        rc = judge_head(b, &head, err);
    if (!rc)
        judge_orders(b, &s);
    if (!rc)
        judge_layout(b, &s, &head);
    if (!rc)
        rc = plog_outlog_finish(&log, err);
    b->report->bytes = log.bytes;
    plog_store_log_close(&s);
    plog_outlog_close(&log);
    return rc;
}

static int make_log(struct rebuild *b, const char *dir, const char *out,
                    struct plog_error *err)
{
    int rc = begin(b, dir, out, PLOG_DIR_STORE, err);
    return rc ? rc : from_store(b, err);
}

int plog_rebuild_log(const char *dir, const char *out,
                     const struct plog_rebuild_options *given,
                     struct plog_rebuild_report *report, struct plog_error *err)
{
    struct plog_rebuild_options own;
    struct plog_error why;
    if (!err)
        err = &why;
    if (plog_take_options(&own, sizeof own, given, err))
        return PLOG_E_ARG;
    if (own.install)
        return plog_install_log(dir, &own, report, err);
    struct rebuild b = {
        .o = &own, .report = report, .io = own.io ? own.io : plog_io_posix()};
    return plog_say_nomem(err, run(&b, dir, out, make_log, err));
}

/* ---- The store from the log --------------------------------------------- */

/* The legs of a replay whose log lies in the source and whose store lies in
 * the new place.  The handles stay those of reader and place. */
static void join(struct rebuild *b, struct plog_legs *l,
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
    return tell(arg, size, bytes);
}

static int read_origin(struct rebuild *b, struct plog_error *err)
{
    struct plog_walk w;
    int rc = plog_walk_open(&w, &b->reader.dir, &b->reader.keys, err);
    if (!rc)
        rc = plog_walk_start(&w, err);
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
static int begin_fold(struct rebuild *b, struct plog_legs *l,
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

static void set_folded(struct rebuild *b, const struct plog_store_head *h)
{
    b->report->entries = h->commit.size;
    if (h->commit.size)
        set_head(&b->report->head, &h->commit);
}

/* Without journal: all, or as far as the log is whole.
 * @broken  out: an entry could not be applied, and the store is none */
static int fold_fast(struct rebuild *b, struct plog_legs *l, bool *broken,
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
        rc = plog_fresh_begin(l, &fd, err);
    if (!rc)
        rc = plog_legs_fill(l, &w, &watch, NULL, fd, broken, err);
    plog_walk_close(&w);
    if (!*broken) {
        set_folded(b, &l->head);
        if (rc)
            rc = end_at(b, rc, err);
        if (!rc && fd < 0) /* what stopped it came before */
            rc = plog_fresh_begin(l, &fd, err);
        if (!rc)
            rc = plog_fresh_end(l, &fd, err);
    }
    plog_fresh_drop(l, &fd);
    return rc;
}

/* In transactions, of which those before one that fails stand. */
static int fold_slowly(struct rebuild *b, struct plog_legs *l,
                       struct plog_error *err)
{
    struct plog_replay_watch watch = {
        .progress = told, .arg = b, .to = b->total};
    int rc = begin_fold(b, l, err);
    if (!rc)
        rc = plog_legs_replay(l, &watch, err);
    set_folded(b, &l->head);
    if (rc)
        rc = end_at(b, rc, err);
    if (!rc)
        rc = plog_store_settle(&l->store, err);
    plog_legs_close_store(l);
    return rc;
}

static int fold(struct rebuild *b, struct plog_error *err)
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
static int verify(struct rebuild *b, struct plog_error *err)
{
    struct plog_keychain keys;
    struct plog_walk w;
    struct plog_log_group g;
    int rc = plog_walk_open(&w, &b->reader.dir, &b->reader.keys, err);
    if (!rc)
        rc = plog_walk_start(&w, err);
    struct plog_commit last = w.chain.last;
    while (!rc) {
        rc = plog_walk_next(&w, &g, err);
        if (rc || (b->total && g.size > b->total))
            break;
        last = g.commit;
        if (tell(b, g.size, w.bytes))
            rc = plog_fail(err, PLOG_E_INTERRUPTED, "stopped");
    }
    b->report->entries = last.size;
    if (last.size)
        set_head(&b->report->head, &last);
    keys = w.chain.chain;
    plog_walk_close(&w);
    if (rc == PLOG_END || rc == PLOG_E_TORN)
        rc = 0;
    if (!rc)
        rc = plog_keychain_check(&keys, &b->reader.keys, err);
    return rc ? end_at(b, rc, err) : 0;
}

static int make_store(struct rebuild *b, const char *dir, const char *out,
                      struct plog_error *err)
{
    struct plog_status status;
    struct plog_options look = {.struct_size = sizeof look,
                                .io = b->o->io,
                                .vkey = b->o->vkey,
                                .wait_seconds = b->o->wait_seconds};
    int rc = begin(b, dir, out, PLOG_DIR_READ, err);
    if (!rc)
        rc = read_origin(b, err);
    /* Up to the head that is committed now: writers may be at work. */
    if (!rc && plog_read_status(dir, &look, &status, NULL) == 0 &&
        status.log_has_commit)
        b->total = status.log_size;
    if (rc)
        return rc;
    return b->o->dry_run ? verify(b, err) : fold(b, err);
}

int plog_rebuild_store(const char *dir, const char *out,
                       const struct plog_rebuild_options *given,
                       struct plog_rebuild_report *report,
                       struct plog_error *err)
{
    struct plog_rebuild_options own;
    struct plog_error why;
    if (!err)
        err = &why;
    if (plog_take_options(&own, sizeof own, given, err))
        return PLOG_E_ARG;
    if (own.install)
        return plog_install_store(dir, &own, report, err);
    struct rebuild b = {
        .o = &own, .report = report, .io = own.io ? own.io : plog_io_posix()};
    return plog_say_nomem(err, run(&b, dir, out, make_store, err));
}
