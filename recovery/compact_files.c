/*
 * compact_files.c - taking segments away once the compact entry is durable.
 *
 * Oldest first, each archived (compressed, synced, read again and compared)
 * before it is unlinked: so at every moment the log begins at some segment at
 * or below the floor, and is whole from there on.
 */
#include <errno.h>
#include <stdio.h>

#include "compact.h"

static int unlink_segment(const struct plog_dir *d, uint64_t first,
                          struct plog_error *err)
{
    char name[PLOG_SEGMENT_NAME];
    plog_segment_name(first, name);
    int rc = d->io->unlink_at(d->io->ctx, d->log, name);
    if (!rc)
        rc = d->io->fsync(d->io->ctx, d->log);
    return rc ? plog_fail_io(err, rc, name, "taking a segment away") : 0;
}

static int take_away(struct plog_compacting *c, uint64_t floor, bool archive,
                     struct plog_error *err)
{
    const struct plog_dir *d = &c->p->legs.dir;
    struct plog_buf list;
    plog_buf_init(&list, c->io);
    int rc = plog_dir_segments(d, &list, err);
    for (size_t i = 0; !rc && i < plog_segment_count(&list); i++) {
        uint64_t first = plog_segment_at(&list, i), bytes = 0;
        if (first > floor)
            break;
        if (archive)
            rc = plog_archive_segment(d, first, &bytes, err);
        if (!rc)
            rc = unlink_segment(d, first, err);
        c->report->archived_bytes += bytes;
        c->report->resumed |= c->report->entry == 0;
        if (!rc)
            rc = plog_compact_tell(c, archive ? "archive" : "remove", first,
                                   floor, err);
    }
    plog_buf_fini(&list);
    return rc;
}

/* Archived copies of segments that are in the log, as an undo leaves them. */
static int drop_twins(struct plog_compacting *c, uint64_t floor,
                      struct plog_error *err)
{
    const struct plog_dir *d = &c->p->legs.dir;
    char name[PLOG_SEGMENT_NAME], archived[PLOG_ARCHIVE_NAME];
    struct plog_stat st;
    struct plog_buf list;
    int dir, rc = plog_archive_dir(d, false, &dir, err);
    if (rc)
        return rc == PLOG_END ? 0 : rc;
    plog_buf_init(&list, c->io);
    rc = plog_archive_segments(d, &list, err);
    for (size_t i = 0; !rc && i < plog_segment_count(&list); i++) {
        uint64_t first = plog_segment_at(&list, i);
        plog_segment_name(first, name);
        plog_archive_name(first, archived);
        if (first > floor && c->io->stat_at(c->io->ctx, d->log, name, &st) == 0)
            c->io->unlink_at(c->io->ctx, dir, archived);
    }
    if (!rc && c->io->fsync(c->io->ctx, dir))
        rc = plog_fail(err, PLOG_E_IO, "syncing archive/ failed");
    plog_buf_fini(&list);
    c->io->close(c->io->ctx, dir);
    return rc;
}

/* ---- Snapshots that nothing needs any more ------------------------------ */

struct sweep {
    const struct plog_io *io;
    int dir;
    struct plog_buf floors; /* uint64_t */
    int rc;
};

static int each_snapshot(void *arg, const char *name)
{
    struct sweep *s = arg;
    uint64_t floor;
    size_t n = strlen(name);
    if (n > 4 && strcmp(name + n - 4, ".new") == 0) /* a killed one's */
        s->io->unlink_at(s->io->ctx, s->dir, name);
    if (plog_snapshot_parse(name, &floor))
        s->rc = plog_buf_add(&s->floors, &floor, sizeof floor);
    return s->rc;
}

/* Where a run of archived segments begins, the snapshot below it is what they
 * can be read from. */
static bool begins_run(const struct plog_buf *archived, uint64_t floor)
{
    bool here = false, below = false;
    for (size_t i = 0; i < plog_segment_count(archived); i++) {
        here |= plog_segment_at(archived, i) == floor + 1;
        below |= plog_segment_at(archived, i) <= floor;
    }
    return here && !below;
}

/* Kept: that of the floor, that of the floor before, for an undo, and that on
 * which the archive stands. */
static int sweep_snapshots(struct plog_compacting *c, uint64_t floor,
                           uint64_t before, struct plog_error *err)
{
    const struct plog_dir *d = &c->p->legs.dir;
    struct sweep s = {.rc = 0};
    struct plog_buf archived;
    char name[PLOG_SNAPSHOT_NAME];
    int dir, rc = plog_snapshot_dir(d, false, &dir, err);
    if (rc)
        return rc == PLOG_END ? 0 : rc;
    s.io = c->io;
    s.dir = dir;
    plog_buf_init(&s.floors, c->io);
    plog_buf_init(&archived, c->io);
    rc = plog_archive_segments(d, &archived, err);
    if (!rc) {
        rc = c->io->list(c->io->ctx, dir, each_snapshot, &s);
        if (rc || s.rc)
            rc = plog_fail(err, s.rc ? s.rc : PLOG_E_IO,
                           "listing snapshots/ failed");
    }
    for (size_t i = 0; !rc && i < plog_segment_count(&s.floors); i++) {
        uint64_t at = plog_segment_at(&s.floors, i);
        if (at == floor || at == before || begins_run(&archived, at))
            continue;
        plog_snapshot_name(at, name);
        c->io->unlink_at(c->io->ctx, dir, name);
    }
    plog_buf_fini(&archived);
    plog_buf_fini(&s.floors);
    c->io->close(c->io->ctx, dir);
    return rc ? rc : s.rc;
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
    int rc = take_away(c, floor, archive, err);
    if (!rc)
        rc = drop_twins(c, floor, err);
    if (!rc)
        rc = sweep_snapshots(c, floor, c->from, err);
    return rc ? rc : plog_engine_locked(c->p, say_done, NULL, err);
}

int plog_compact_last(struct plog_store *s, struct plog_entry_parser *parser,
                      struct plog_buf *line, struct plog_compaction *out,
                      bool *pending, struct plog_error *err)
{
    struct plog_span stored;
    uint64_t seq;
    int rc = plog_store_compaction(s, &seq, pending, err);
    if (!rc && seq == 0)
        return PLOG_END;
    if (!rc)
        rc = plog_store_line(s, seq, &stored, NULL, err);
    line->len = 0;
    if (!rc && plog_buf_add_span(line, stored))
        rc = plog_fail(err, PLOG_E_NOMEM, "out of memory");
    int is = rc ? 0
                : plog_compaction_read(parser, plog_span(line->data, line->len),
                                       out);
    if (is < 0)
        return plog_fail(err, is, "out of memory");
    if (rc == PLOG_END || (!rc && !is))
        rc = plog_fail(err, PLOG_E_DIVERGED,
                       "store.db: the compact entry %llu is not one",
                       (unsigned long long)seq);
    return rc;
}
