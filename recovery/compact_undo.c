/*
 * compact_undo.c - bringing back what the last compaction archived.
 *
 * Order: the segments, newest first, so that the log has no gap at any moment
 * -> verified up to the floor -> a compact entry that sets the floor before ->
 * the copies in the archive go.  Of a store that let go of its events a new
 * one is made at the end.
 */
#include <errno.h>
#include <stdio.h>

#include "archive_lines.h"
#include "check.h"
#include "compact.h"
#include "walk.h"

struct undo {
    struct plog_compacting *c;
    struct plog_compaction last; /* the one to undo */
    struct plog_buf line;
    struct plog_entry_parser parser;
    struct plog_buf segments; /* uint64_t, ascending: to bring back */
    struct plog_buf brought;  /* ... that this call has brought */
    unsigned char digest[PLOG_HASH_SIZE]; /* of the snapshot before */
    uint64_t base;
    bool known;
};

static int look(plog *p, void *arg, struct plog_error *err)
{
    struct undo *u = arg;
    bool pending;
    int rc = plog_compaction_last(&p->legs.store, &u->parser, &u->line,
                                  &u->last, &pending, err);
    u->known = rc == 0 && u->last.to > u->last.from && u->last.archive &&
               p->legs.head.rules.floor == u->last.to;
    u->base = p->legs.head.rules.base;
    u->c->rules = p->legs.head.rules;
    return rc == PLOG_END ? 0 : rc;
}

static int nothing(const char *why, struct plog_error *err)
{
    plog_fail(err, PLOG_E_INPUT, "there is no compaction to undo: %s", why);
    plog_err_hint(err, "run: paritylog status DIR");
    return PLOG_E_INPUT;
}

static int first_is_missing(uint64_t first, struct plog_error *err)
{
    char shown[PLOG_SEGMENT_FILE];
    plog_segment_file(first, true, shown);
    plog_fail(err, PLOG_E_CORRUPT, "the segment is missing");
    plog_err_file(err, shown);
    plog_err_seq(err, first);
    plog_err_hint(err, PLOG_ARCHIVE_HINT);
    return PLOG_E_CORRUPT;
}

/* Whether it begins inside of one before, which ends at `*end`: then it is none
 * of this log.
 * @to  they end here */
static bool is_stranger(const struct plog_dir *d, uint64_t first, uint64_t to,
                        uint64_t *end)
{
    if (first <= *end)
        return true;
    *end = plog_segment_lines_end(d, first, to);
    return false;
}

/* The archived segments between both floors, from the first on. */
static int find_segments(struct undo *u, struct plog_error *err)
{
    struct plog_dir d = u->c->p->legs.dir;
    struct plog_buf list;
    uint64_t end = 0;
    plog_buf_init(&list, u->c->io);
    d.with_archive = true;
    int rc = plog_dir_segments(&d, &list, err);
    for (size_t i = 0; !rc && i < plog_segment_count(&list); i++) {
        uint64_t first = plog_segment_at(&list, i);
        if (first > u->last.from && first <= u->last.to &&
            !is_stranger(&d, first, u->last.to, &end) &&
            plog_buf_add(&u->segments, &first, sizeof first))
            rc = plog_fail(err, PLOG_E_NOMEM, "out of memory");
    }
    plog_buf_fini(&list);
    if (!rc && plog_segment_count(&u->segments) == 0)
        rc = nothing("its segments are not in archive/ any more", err);
    else if (!rc && plog_segment_at(&u->segments, 0) != u->last.from + 1)
        rc = first_is_missing(u->last.from + 1, err);
    u->c->report->segments = plog_segment_count(&u->segments);
    u->c->report->entries = u->last.to - u->last.from;
    return rc;
}

/* One that stands in log/ already was put there by somebody, and stays his. */
static int bring_one(struct undo *u, uint64_t first, struct plog_error *err)
{
    bool brought;
    if (plog_buf_reserve(&u->brought, sizeof first))
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    int rc = plog_archive_restore(&u->c->p->legs.dir, first, &brought, err);
    if (brought && plog_buf_add(&u->brought, &first, sizeof first) && !rc)
        rc = plog_fail(err, PLOG_E_NOMEM, "out of memory");
    return rc;
}

static int bring_back(struct undo *u, struct plog_error *err)
{
    int rc = 0;
    for (size_t i = plog_segment_count(&u->segments); !rc && i > 0; i--) {
        uint64_t first = plog_segment_at(&u->segments, i - 1);
        rc = bring_one(u, first, err);
        if (!rc)
            rc = plog_compact_tell(u->c, "restore", u->last.to - first,
                                   u->last.to - u->last.from, err);
    }
    return rc;
}

/* They are copies: a log that does not verify with them is as it was. */
static void take_back(struct undo *u)
{
    const struct plog_dir *d = &u->c->p->legs.dir;
    char name[PLOG_SEGMENT_NAME];
    for (size_t i = 0; i < plog_segment_count(&u->brought); i++) {
        plog_segment_name(plog_segment_at(&u->brought, i), name);
        d->io->unlink_at(d->io->ctx, d->log, name);
    }
    d->io->fsync(d->io->ctx, d->log);
}

/* The snapshot that stands for what lies below must be there, too. */
static int check_base(struct undo *u, struct plog_walk *w,
                      struct plog_error *err)
{
    uint64_t floor = u->last.from;
    const struct plog_compaction *before =
        floor ? plog_orders_floor_at(&w->orders, floor) : NULL;
    int rc = floor && !before ? plog_orders_doubt(&w->orders) : 0;
    u->c->at_to = w->chain.last;
    if (rc)
        return plog_fail(err, rc, "looking for a compact entry failed");
    if (!before)
        return floor ? plog_fail(err, PLOG_E_CORRUPT,
                                 "no compact entry sets the floor %llu",
                                 (unsigned long long)floor)
                     : 0;
    memcpy(u->digest, before->snapshot, sizeof u->digest);
    u->c->rules.strategy = before->rules.strategy;
    u->c->rules.line_max = before->rules.line_max;
    u->c->rules.segment_size = before->rules.segment_size;
    return plog_snapshot_check(w->dir, floor, u->digest, err);
}

/* A store that let go of its events is made anew from the log: then all of that
 * must be good, or the undo would end halfway. */
static bool fills_store(const struct undo *u)
{
    return u->base > u->last.from;
}

/* From the floor on; what stands behind it counts as a replay takes it. */
static int verify_behind(struct undo *u, struct plog_walk *w,
                         struct plog_error *err)
{
    struct plog_log_end end;
    struct plog_log_group g;
    if (fills_store(u))
        return plog_legs_find_end(w, &end, err);
    int rc = plog_walk_next(w, &g, err);
    return rc == PLOG_END || rc == PLOG_E_TORN ? 0 : rc;
}

/* The compact entry before may stand in a segment that is missing, or damaged:
 * then that is what is wrong. */
static int find_fault(const struct undo *u, const struct plog_dir *d, int rc,
                      struct plog_error *err)
{
    struct plog_walk w;
    struct plog_log_group g;
    struct plog_error why = {.code = 0};
    int bad = plog_walk_open(&w, d, &u->c->p->legs.keys, &why);
    if (!bad)
        bad = plog_walk_start_behind(&w, u->last.from, &why);
    while (!bad && w.chain.last.size < u->last.to)
        bad = plog_walk_next(&w, &g, &why);
    plog_walk_close(&w);
    if (!plog_check_is_verdict(bad))
        return rc;
    if (err)
        *err = why;
    return bad;
}

/* The whole of it, and that the segment behind follows. */
static int verify(struct undo *u, const struct plog_dir *d,
                  struct plog_error *err)
{
    struct plog_walk w;
    struct plog_log_group g;
    int rc = plog_walk_open(&w, d, &u->c->p->legs.keys, err);
    if (!rc)
        rc = plog_walk_start_floor(&w, u->last.from, err);
    if (rc == PLOG_E_CORRUPT)
        rc = find_fault(u, d, rc, err);
    if (!rc)
        rc = check_base(u, &w, err);
    while (!rc && w.chain.last.size < u->last.to)
        rc = plog_walk_next(&w, &g, err);
    bool same = !rc && w.chain.last.size == u->last.to &&
                !memcmp(w.chain.last.root, u->last.root, PLOG_HASH_SIZE);
    u->c->report->bytes = w.bytes + (w.fd >= 0 ? w.scan.offset : 0);
    if (!rc && same)
        rc = verify_behind(u, &w, err);
    plog_walk_close(&w);
    if (rc || same)
        return rc;
    plog_fail(err, PLOG_E_CORRUPT,
              "what the archive gives back is not what was taken");
    plog_err_hint(err, "put this log's own archive/ back from a backup");
    return PLOG_E_CORRUPT;
}

/* A store without the events is made anew from the log, which has them. */
static int fill_store(struct undo *u, struct plog_error *err)
{
    struct plog_compacting *c = u->c;
    struct plog_replay_report report;
    struct plog_replay_options o = {.struct_size = sizeof o,
                                    .io = c->o->io,
                                    .vkey = c->o->vkey,
                                    .wait_seconds = c->o->wait_seconds,
                                    .fresh = true,
                                    .progress = c->o->progress,
                                    .arg = c->o->arg,
                                    .allow_network_fs = c->o->allow_network_fs};
    if (!fills_store(u))
        return 0;
    plog_close(c->p);
    c->p = NULL;
    int rc = plog_replay(c->dir, &o, &report, err);
    if (!rc) {
        snprintf(c->report->quarantine, sizeof c->report->quarantine, "%s",
                 report.quarantine);
        c->report->own_tables = report.own_tables;
    } else
        plog_err_hint(err, "the undo itself is done and logged; for the store:"
                           " paritylog replay DIR --fresh");
    return rc;
}

/* One that still stands in log/ is not ours: what we brought went again. */
static void name_his(const struct undo *u, uint64_t first,
                     struct plog_error *err)
{
    bool has = false;
    if (!plog_archive_has(&u->c->p->legs.dir, first, &has, NULL) && has)
        plog_err_hint(err,
                      "move DIR/%s away: archive/ has that segment; then run it"
                      " again",
                      err->file);
    else
        plog_err_hint(err, "put that segment there, or its copy into archive/,"
                           " from a backup");
}

/* What is wrong is told of the file that was read: that of log/, where both
 * have one. */
static void name_read(const struct undo *u, struct plog_error *err)
{
    const struct plog_dir *d = &u->c->p->legs.dir;
    char shown[PLOG_SEGMENT_FILE];
    struct plog_stat st;
    uint64_t first = err && strncmp(err->file, "log/", 4) == 0
                         ? plog_segment_parse(err->file + 4)
                         : 0;
    if (first == 0 || first > u->last.to)
        return;
    if (d->io->stat_at(d->io->ctx, d->log, err->file + 4, &st) != -ENOENT) {
        name_his(u, first, err);
        return;
    }
    plog_segment_file(first, true, shown);
    plog_err_file(err, shown);
    plog_err_hint(err, PLOG_ARCHIVE_HINT);
}

/* Reads all of it where it lies. */
static int rehearse(struct undo *u, struct plog_error *err)
{
    struct plog_dir d = u->c->p->legs.dir;
    d.with_archive = true;
    return verify(u, &d, err);
}

static int undo(struct undo *u, struct plog_error *err)
{
    struct plog_compacting *c = u->c;
    int rc = bring_back(u, err);
    if (!rc)
        rc = verify(u, &c->p->legs.dir, err);
    if (rc) {
        take_back(u);
        return rc;
    }
    c->from = u->last.to;
    c->to = u->last.from;
    rc = plog_compact_log(c, c->to ? u->digest : NULL, true, err);
    c->report->undone = rc == 0;
    if (!rc)
        rc = plog_compact_files(c, true, err);
    return rc ? rc : fill_store(u, err);
}

int plog_compact_undo(struct plog_compacting *c, struct plog_error *err)
{
    struct undo u = {.c = c};
    plog_buf_init(&u.line, c->io);
    plog_buf_init(&u.segments, c->io);
    plog_buf_init(&u.brought, c->io);
    plog_entry_parser_init(&u.parser, c->io);
    int rc = plog_engine_locked(c->p, look, &u, err);
    if (!rc && !u.known)
        rc = nothing("the last one archived nothing, or was undone", err);
    if (!rc)
        rc = find_segments(&u, err);
    c->report->from = u.last.to;
    c->report->to = u.last.from;
    if (!rc)
        rc = c->o->dry_run ? rehearse(&u, err) : undo(&u, err);
    if (c->p && plog_check_is_verdict(rc))
        name_read(&u, err);
    plog_entry_parser_fini(&u.parser);
    plog_buf_fini(&u.brought);
    plog_buf_fini(&u.segments);
    plog_buf_fini(&u.line);
    return rc;
}
