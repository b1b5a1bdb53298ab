/*
 * compact_sweep.c - files that nothing needs: what an undo, a compaction after
 * it and killed ones leave in archive/ and snapshots/.
 */
#include <errno.h>

#include "compact.h"

static int drop(const struct plog_io *io, int dir, const char *name,
                struct plog_error *err)
{
    int rc = io->unlink_at(io->ctx, dir, name);
    return rc && rc != -ENOENT
               ? plog_fail_io(err, rc, name, "removing what nothing needs")
               : 0;
}

/* ---- Copies ------------------------------------------------------------- */

/* Archived copies of segments that are in the log, as an undo leaves them. */
static int drop_twins(const struct plog_dir *d, uint64_t floor,
                      struct plog_error *err)
{
    const struct plog_io *io = d->io;
    char name[PLOG_SEGMENT_NAME], archived[PLOG_ARCHIVE_NAME];
    struct plog_stat st;
    struct plog_buf list;
    int dir, rc = plog_archive_dir(d, false, &dir, err);
    if (rc)
        return rc == PLOG_END ? 0 : rc;
    plog_buf_init(&list, io);
    rc = plog_archive_segments(d, &list, err);
    for (size_t i = 0; !rc && i < plog_segment_count(&list); i++) {
        uint64_t first = plog_segment_at(&list, i);
        plog_segment_name(first, name);
        plog_archive_name(first, archived);
        if (first > floor && io->stat_at(io->ctx, d->log, name, &st) == 0)
            rc = drop(io, dir, archived, err);
    }
    if (!rc && io->fsync(io->ctx, dir))
        rc = plog_fail(err, PLOG_E_IO, "syncing archive/ failed");
    plog_buf_fini(&list);
    io->close(io->ctx, dir);
    return rc;
}

/* ---- Snapshots that nothing needs any more ------------------------------ */

struct sweep {
    const struct plog_io *io;
    int dir;
    struct plog_buf floors; /* uint64_t */
    struct plog_error *err;
    int rc;
};

static int each_snapshot(void *arg, const char *name)
{
    struct sweep *s = arg;
    uint64_t floor;
    size_t n = strlen(name);
    if (n > 4 && strcmp(name + n - 4, ".new") == 0) /* a killed one's */
        s->rc = drop(s->io, s->dir, name, s->err);
    if (plog_snapshot_parse(name, &floor) &&
        plog_buf_add(&s->floors, &floor, sizeof floor))
        s->rc = plog_fail(s->err, PLOG_E_NOMEM, "out of memory");
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

/* Kept: that of the floor; the one before, for an undo, or of an undo that
 * which it left, for whose entry is lost; and that on which the archive stands.
 */
static bool is_needed(const struct plog_buf *archived, uint64_t at,
                      uint64_t floor, uint64_t before)
{
    if (before == PLOG_SWEEP_ABOVE)
        return at <= floor;
    return at == floor || at == before || begins_run(archived, at);
}

static int drop_snapshots(struct sweep *s, const struct plog_buf *archived,
                          uint64_t floor, uint64_t before)
{
    char name[PLOG_SNAPSHOT_NAME];
    int bad = s->io->list(s->io->ctx, s->dir, each_snapshot, s);
    int rc = s->rc;
    if (bad && !rc)
        rc = plog_fail_io(s->err, bad, PLOG_SNAPSHOT_DIR, "listing a folder");
    for (size_t i = 0; !rc && i < plog_segment_count(&s->floors); i++) {
        uint64_t at = plog_segment_at(&s->floors, i);
        if (is_needed(archived, at, floor, before))
            continue;
        plog_snapshot_name(at, name);
        rc = drop(s->io, s->dir, name, s->err);
    }
    return rc;
}

static int sweep_snapshots(const struct plog_dir *d, uint64_t floor,
                           uint64_t before, struct plog_error *err)
{
    struct sweep s = {.io = d->io, .err = err};
    struct plog_buf archived;
    int bad, rc = plog_snapshot_dir(d, false, &s.dir, err);
    if (rc)
        return rc == PLOG_END ? 0 : rc;
    plog_buf_init(&s.floors, d->io);
    plog_buf_init(&archived, d->io);
    rc = plog_archive_segments(d, &archived, err);
    if (!rc)
        rc = drop_snapshots(&s, &archived, floor, before);
    /* A compaction begins with that. */
    if (!rc && before == PLOG_SWEEP_ABOVE &&
        (bad = plog_compact_no_scratch(d->io, s.dir)) != 0)
        rc = plog_fail_io(err, bad, PLOG_SNAPSHOT_DIR,
                          "removing what a killed compaction left");
    if (!rc && (bad = d->io->fsync(d->io->ctx, s.dir)) != 0)
        rc = plog_fail_io(err, bad, PLOG_SNAPSHOT_DIR, "syncing the folder");
    plog_buf_fini(&archived);
    plog_buf_fini(&s.floors);
    d->io->close(d->io->ctx, s.dir);
    return rc;
}

int plog_compact_sweep(const struct plog_dir *d, uint64_t floor,
                       uint64_t before, struct plog_error *err)
{
    int rc = drop_twins(d, floor, err);
    return rc ? rc : sweep_snapshots(d, floor, before, err);
}
