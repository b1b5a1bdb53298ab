/*
 * compact_files.c - taking segments away once the compact entry is durable.
 *
 * Oldest first, each archived (compressed, synced, read again and compared)
 * before it is unlinked: so at every moment the log begins at some segment at
 * or below the floor, and is whole from there on.
 */
#include <stdio.h>

#include "aside.h"
#include "compact.h"
#include "scrub.h"

static int mark(plog *p, void *arg, struct plog_error *err)
{
    (void)arg;
    plog_store_rollback(&p->legs.store);
    return plog_scrub_mark(&p->legs.store, err);
}

static int mark_first(void *p, struct plog_error *err)
{
    return plog_engine_locked(p, mark, NULL, err);
}

void plog_compact_dir(plog *p, struct plog_dir *out)
{
    *out = p->legs.dir;
    out->before_aside = mark_first;
    out->aside_arg = p;
}

static int unlink_segment(const struct plog_dir *d, uint64_t first,
                          struct plog_error *err)
{
    char name[PLOG_SEGMENT_NAME];
    plog_segment_name(first, name);
    int rc = d->io->unlink_at(d->io->ctx, d->log, name);
    if (!rc)
        rc = d->io->fsync(d->io->ctx, d->log);
    return rc ? plog_fail_segment(err, rc, first, "taking a segment away") : 0;
}

/* One that this compaction takes, or the one that it finishes took. */
static int take_one(struct plog_compacting *c, uint64_t first, bool archive,
                    struct plog_error *err)
{
    struct plog_dir d;
    uint64_t bytes = 0;
    bool aside = false;
    plog_compact_dir(c->p, &d);
    int rc = archive ? plog_archive_segment(&d, first, &bytes, &aside, err) : 0;
    c->report->archived_bytes += bytes;
    c->report->aside += aside;
    return rc ? rc : unlink_segment(&d, first, err);
}

/* What stands at or below the floor before went once: somebody has put it there
 * again, or an undo that was cut off, and nobody has verified it.  So it does
 * not take the place of the archived one, and what is no copy of that keeps its
 * bytes. */
static int take_stray(struct plog_compacting *c, uint64_t first, bool archive,
                      struct plog_error *err)
{
    struct plog_dir d;
    char name[PLOG_SEGMENT_NAME], kept[128];
    bool has, same = false;
    plog_compact_dir(c->p, &d);
    int rc = plog_archive_has(&d, first, &has, err);
    if (!rc && !has && archive)
        return take_one(c, first, archive, err);
    if (!rc && has)
        rc = plog_archive_is_copy(&d, first, &same, err);
    if (rc && rc != PLOG_E_CORRUPT) /* that one: it is no file */
        return rc;
    if (!rc && same)
        return unlink_segment(&d, first, err);
    plog_segment_name(first, name);
    rc = plog_aside_file(&d, name, kept, err);
    c->report->aside += rc == 0;
    return rc;
}

static int take_away(struct plog_compacting *c, uint64_t floor, bool archive,
                     struct plog_error *err)
{
    const struct plog_dir *d = &c->p->legs.dir;
    struct plog_buf list;
    plog_buf_init(&list, c->io);
    int rc = plog_dir_segments(d, &list, err);
    for (size_t i = 0; !rc && i < plog_segment_count(&list); i++) {
        uint64_t first = plog_segment_at(&list, i);
        if (first > floor)
            break;
        rc = first > c->from ? take_one(c, first, archive, err)
                             : take_stray(c, first, archive, err);
        c->report->resumed |= c->report->entry == 0;
        if (!rc)
            rc = plog_compact_tell(c, archive ? "archive" : "remove", first,
                                   floor, err);
    }
    plog_buf_fini(&list);
    return rc;
}

int plog_compact_strays(struct plog_compacting *c, uint64_t floor, bool archive,
                        struct plog_error *err)
{
    c->from = floor;
    return take_away(c, floor, archive, err);
}

static int say_done(plog *p, void *arg, struct plog_error *err)
{
    (void)arg;
    int rc = plog_store_compacted(&p->legs.store, err);
    return rc ? rc : plog_store_commit(&p->legs.store, err);
}

int plog_compact_files(struct plog_compacting *c, uint64_t floor, bool archive,
                       struct plog_error *err)
{
    struct plog_sweep s = {
        .p = c->p, .floor = floor, .before = c->from, .prior = c->prior};
    int rc = take_away(c, floor, archive, err);
    if (!rc)
        rc = plog_compact_sweep(&s, err);
    c->report->aside += s.aside;
    c->report->left = s.left;
    if (s.left)
        memcpy(c->report->left_file, s.left_file, sizeof s.left_file);
    return rc ? rc : plog_engine_locked(c->p, say_done, NULL, err);
}

int plog_compact_prior(struct plog_store *s, struct plog_entry_parser *parser,
                       const struct plog_compaction *last, uint64_t *prior,
                       struct plog_error *err)
{
    struct plog_compaction before;
    sqlite3_stmt *q = NULL;
    int is = 0;
    *prior = 0;
    if (last->from == 0 || last->from > last->to)
        return 0;
    int rc = plog_sql_prepare(s->db,
                              "SELECT line FROM main.events WHERE seq>?1 AND"
                              " seq<?2 AND op IS NULL ORDER BY seq DESC",
                              &q, err);
    if (!rc) {
        plog_sql_bind_u64(q, 1, last->from);
        plog_sql_bind_u64(q, 2, last->at);
    }
    while (!rc && !is && (rc = plog_sql_row(q, err)) == 0)
        is = plog_compaction_read(parser, plog_sql_text(q, 0), &before);
    if (is > 0 && before.from < before.to)
        *prior = before.from;
    sqlite3_finalize(q);
    if (is < 0)
        return plog_fail(err, is, "out of memory");
    return rc == PLOG_END ? 0 : rc;
}
