/*
 * rebuild_log.c - the log from the store, into a new place.
 *
 * Each group is proven by the commit that the store keeps of it; the first one
 * that is not ends the work.
 */
#include <stdio.h>

#include "outlog.h"
#include "rebuild.h"
#include "store_log.h"

/*
 * Where segments begin is in a table that nothing signs.  But a writer begins
 * one exactly when the next group would pass the segment's size, or when it
 * redacts a line of the last one; redacted lines have another length.
 */
static int lay_out(struct plog_rebuild *b, const struct plog_stored_group *g,
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

static int write_group(struct plog_rebuild *b, struct plog_outlog *log,
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

static int copy_groups(struct plog_rebuild *b, struct plog_store_log *s,
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
            return plog_rebuild_end_at(b, rc, err);
        rc = write_group(b, log, origin, &before, &last, &g, err);
        if (rc)
            return rc;
        b->report->entries = g.size;
        b->report->head = plog_commit_head(&g.commit);
        if (plog_rebuild_tell(b, g.size, log->bytes))
            return plog_fail(err, PLOG_E_INTERRUPTED, "stopped at entry %llu",
                             (unsigned long long)g.size);
    }
    bool bare;
    int rc = plog_store_log_bare_end(s, &bare, err);
    if (rc)
        return plog_rebuild_end_at(b, rc, err);
    b->report->segments += bare;
    return !bare || b->o->dry_run
               ? 0
               : plog_outlog_segment(log, s->origin, &s->tree, &s->last, err);
}

/* The head in the store must be what its rows came to. */
static int judge_head(struct plog_rebuild *b, const struct plog_store_head *h,
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
    return plog_rebuild_end_at(b, PLOG_E_DIVERGED, err);
}

/* Redacted lines that no order in the rows makes good. */
static void judge_orders(struct plog_rebuild *b, const struct plog_store_log *s)
{
    size_t i = 0;
    const struct plog_known_order *o = plog_orders_unheld(&s->orders, &i);
    if (b->report->verdict || !o)
        return;
    b->report->verdict = PLOG_E_TAMPERED;
    snprintf(b->report->why, sizeof b->report->why,
             "entry %llu is redacted, and the order for it at %llu is not"
             " proven",
             (unsigned long long)o->order.seq, (unsigned long long)o->order.at);
}

/* Every entry is there and proven, but perhaps not in the files that it was
 * in. */
static void judge_layout(struct plog_rebuild *b, const struct plog_store_log *s,
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

static int judge_start(struct plog_rebuild *b, uint64_t base,
                       struct plog_error *err)
{
    struct plog_rebuild_report *r = b->report;
    uint64_t begins;
    if (r->verdict) /* that entry may be among what the store does not prove */
        return 0;
    int rc = plog_store_log_undone(&b->reader.store, base, &begins, err);
    if (rc || begins == base)
        return rc;
    r->verdict = PLOG_E_PRUNED;
    r->missing_from = begins + 1;
    r->missing_to = base;
    snprintf(r->why, sizeof r->why,
             "the compaction up to entry %llu was undone, and the store had"
             " been trimmed by then",
             (unsigned long long)base);
    return 0;
}

static int from_store(struct plog_rebuild *b, struct plog_error *err)
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
    if (!rc && head.commit.size == 0) /* an `init` that was cut short */
        rc = plog_fail(err, PLOG_E_NOTHING, "the store holds no entry");
    if (!rc) {
        b->total = head.commit.size;
        b->segment_size = head.rules.segment_size;
        snprintf(b->report->origin, sizeof b->report->origin, "%s",
                 head.origin);
        rc = plog_store_log_open(&s, &b->reader.store, &head, &b->reader.keys,
                                 &b->reader.dir, b->beside, err);
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

static int make_log(struct plog_rebuild *b, const char *dir, const char *out,
                    struct plog_error *err)
{
    int rc = plog_rebuild_begin(b, dir, out, PLOG_DIR_STORE, err);
    return rc ? rc : from_store(b, err);
}

static int read_store(struct plog_rebuild *b, const char *dir, const char *out,
                      struct plog_error *err)
{
    b->beside = true;
    return make_log(b, dir, out, err);
}

int plog_rebuild_log_read(const char *dir, const char *out,
                          const struct plog_rebuild_options *given,
                          struct plog_rebuild_report *report,
                          struct plog_error *err)
{
    return plog_rebuild(dir, out, given, report, read_store, NULL, err);
}

int plog_rebuild_log(const char *dir, const char *out,
                     const struct plog_rebuild_options *given,
                     struct plog_rebuild_report *report, struct plog_error *err)
{
    return plog_rebuild(dir, out, given, report, make_log, plog_install_log,
                        err);
}
