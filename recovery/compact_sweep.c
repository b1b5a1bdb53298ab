/*
 * compact_sweep.c - files that nothing needs: what an undo, a compaction after
 * it and killed ones leave in archive/ and snapshots/.
 */
#include <errno.h>
#include <stdio.h>

#include "archive_lines.h"
#include "compact.h"

static int drop(const struct plog_io *io, int dir, const char *name,
                struct plog_error *err)
{
    int rc = io->unlink_at(io->ctx, dir, name);
    return rc && rc != -ENOENT
               ? plog_fail_io(err, rc, name, "removing what nothing needs")
               : 0;
}

/* What nobody can make again is not ours to remove. */
static int keep(struct plog_sweep *s, int dir, const char *name,
                struct plog_error *err)
{
    struct plog_dir d;
    char kept[128];
    plog_compact_dir(s->p, &d);
    int rc = plog_archive_aside(&d, dir, name, kept, err);
    s->aside += rc == 0;
    return rc;
}

/* ---- Copies ------------------------------------------------------------- */

/* Where the last segment of the log begins; 0: it has none. */
static int read_last(const struct plog_dir *d, uint64_t *last,
                     struct plog_error *err)
{
    struct plog_buf log;
    plog_buf_init(&log, d->io);
    int rc = plog_dir_segments(d, &log, err);
    size_t n = plog_segment_count(&log);
    *last = n ? plog_segment_at(&log, n - 1) : 0;
    plog_buf_fini(&log);
    return rc;
}

/* One of a segment that the log has; another one of that name is of another
 * history, or damaged, and so is one that begins where no segment does.  Of
 * what lies above `last`, kept.h tells whether it proves something. */
static int drop_twin(struct plog_sweep *s, int dir, uint64_t first,
                     uint64_t last, struct plog_error *err)
{
    const struct plog_dir *d = &s->p->legs.dir;
    char name[PLOG_SEGMENT_NAME], archived[PLOG_ARCHIVE_NAME];
    struct plog_stat st;
    bool same = false;
    plog_segment_name(first, name);
    plog_archive_name(first, archived);
    if (first <= s->floor)
        return 0;
    if (d->io->stat_at(d->io->ctx, d->log, name, &st))
        return first < last ? keep(s, dir, archived, err) : 0;
    int rc = plog_archive_is_copy(d, first, &same, err);
    if (rc)
        return rc;
    return same ? drop(d->io, dir, archived, err) : keep(s, dir, archived, err);
}

/* Archived copies of segments that are in the log, as an undo leaves them. */
static int drop_twins(struct plog_sweep *s, struct plog_error *err)
{
    const struct plog_dir *d = &s->p->legs.dir;
    struct plog_buf list;
    uint64_t last = 0;
    int dir, rc = plog_archive_dir(d, false, &dir, err);
    if (rc)
        return rc == PLOG_END ? 0 : rc;
    plog_buf_init(&list, d->io);
    rc = plog_archive_segments(d, &list, err);
    if (!rc && list.len)
        rc = read_last(d, &last, err);
    for (size_t i = 0; !rc && i < plog_segment_count(&list); i++)
        rc = drop_twin(s, dir, plog_segment_at(&list, i), last, err);
    if (!rc && d->io->fsync(d->io->ctx, dir))
        rc = plog_fail(err, PLOG_E_IO, "syncing archive/ failed");
    plog_buf_fini(&list);
    d->io->close(d->io->ctx, dir);
    return rc;
}

static int read_floor(plog *p, void *floor, struct plog_error *err)
{
    (void)err;
    *(uint64_t *)floor = p->legs.head.rules.floor;
    return 0;
}

int plog_compact_strangers(struct plog_compacting *c, struct plog_error *err)
{
    struct plog_sweep s = {.p = c->p};
    int rc = plog_engine_locked(c->p, read_floor, &s.floor, err);
    if (!rc)
        rc = drop_twins(&s, err);
    c->report->aside += s.aside;
    return rc;
}

/* ---- Snapshots that nothing needs any more ------------------------------ */

struct sweep {
    struct plog_sweep *s;
    const struct plog_io *io;
    int dir;
    struct plog_buf floors; /* uint64_t */
    struct plog_error *err;
    int rc;
};

/* A killed one's. */
static int drop_part(void *arg, const char *name)
{
    struct sweep *s = arg;
    size_t n = strlen(name);
    if (n > 4 && strcmp(name + n - 4, ".new") == 0)
        s->rc = drop(s->io, s->dir, name, s->err);
    return s->rc;
}

/* Where a run of archived segments begins, the snapshot below it is what they
 * can be read from: at the first one, and behind a gap. */
static bool begins_run(const struct plog_dir *d,
                       const struct plog_buf *archived, uint64_t floor)
{
    bool here = false;
    uint64_t below = 0;
    for (size_t i = 0; i < plog_segment_count(archived); i++) {
        uint64_t first = plog_segment_at(archived, i);
        here |= first == floor + 1;
        if (first <= floor && first > below)
            below = first;
    }
    return here && !(below && plog_segment_lines_end(d, below, floor) == floor);
}

/* Kept: that of the floor; the one before, for an undo, or of an undo that
 * which it left, for whose entry is lost; and that on which the archive stands.
 */
bool plog_compact_needs(const struct plog_dir *d,
                        const struct plog_buf *archived, uint64_t at,
                        uint64_t floor, uint64_t before)
{
    if (before == PLOG_SWEEP_ABOVE)
        return at <= floor;
    return at == floor || at == before || begins_run(d, archived, at);
}

struct commit_of {
    uint64_t size, base;
    struct plog_commit commit;
    bool known;
};

static int find_commit(plog *p, void *arg, struct plog_error *err)
{
    struct commit_of *c = arg;
    struct plog_span line;
    int rc = plog_store_closing(&p->legs.store, c->size, &line, err);
    c->known = rc == 0 && plog_commit_parse(line, &c->commit) == 0 &&
               c->commit.size == c->size;
    c->base = p->legs.head.rules.base;
    return rc == PLOG_END ? 0 : rc;
}

/* Whether a snapshot is of this log, which has or had what it was made of: by
 * the commit that both name.  A store that was trimmed keeps, below its base,
 * the commits of snapshots that were there then, and what the last compaction
 * began with is known; of others it cannot tell (PLOG_END): also another
 * history's are signed, and by the same key. */
static int is_ours(struct plog_sweep *s, uint64_t at, bool *ours,
                   struct plog_error *err)
{
    struct commit_of c = {.size = at};
    struct plog_snapshot snapshot;
    struct plog_error why;
    *ours = at == s->prior;
    int rc = *ours ? 0 : plog_engine_locked(s->p, find_commit, &c, err);
    if (!rc && !*ours && !c.known && at <= c.base)
        return PLOG_END;
    if (rc || !c.known)
        return rc;
    rc = plog_snapshot_peek(&snapshot, &s->p->legs.dir, at, &why);
    *ours = !rc && memcmp(snapshot.header.last.root, c.commit.root,
                          PLOG_HASH_SIZE) == 0;
    plog_snapshot_close(&snapshot);
    if (!rc || rc == PLOG_E_CORRUPT)
        return 0;
    if (err)
        *err = why;
    return rc;
}

/* The first one is named. */
static int leave(struct plog_sweep *s, const char *name)
{
    if (s->left++ == 0)
        snprintf(s->left_file, sizeof s->left_file, PLOG_SNAPSHOT_DIR "/%s",
                 name);
    return 0;
}

static int drop_snapshots(struct sweep *s, const struct plog_buf *archived,
                          struct plog_error *err)
{
    char name[PLOG_SNAPSHOT_NAME];
    bool ours;
    int bad = s->io->list(s->io->ctx, s->dir, drop_part, s);
    int rc = s->rc;
    if (bad && !rc)
        rc = plog_fail_io(err, bad, PLOG_SNAPSHOT_DIR, "listing a folder");
    if (!rc)
        rc = plog_snapshot_list(&s->s->p->legs.dir, &s->floors, err);
    for (size_t i = 0; !rc && i < plog_segment_count(&s->floors); i++) {
        uint64_t at = plog_segment_at(&s->floors, i);
        if (plog_compact_needs(&s->s->p->legs.dir, archived, at, s->s->floor,
                               s->s->before))
            continue;
        plog_snapshot_name(at, name);
        rc = is_ours(s->s, at, &ours, err);
        if (rc == PLOG_END)
            rc = leave(s->s, name);
        else if (!rc)
            rc = ours ? drop(s->io, s->dir, name, err)
                      : keep(s->s, s->dir, name, err);
    }
    return rc;
}

static int sweep_snapshots(struct plog_sweep *sweep, struct plog_error *err)
{
    const struct plog_dir *d = &sweep->p->legs.dir;
    struct sweep s = {.s = sweep, .io = d->io, .err = err};
    struct plog_buf archived;
    int bad, rc = plog_snapshot_dir(d, false, &s.dir, err);
    if (rc)
        return rc == PLOG_END ? 0 : rc;
    plog_buf_init(&s.floors, d->io);
    plog_buf_init(&archived, d->io);
    rc = plog_archive_segments(d, &archived, err);
    if (!rc)
        rc = drop_snapshots(&s, &archived, err);
    /* A compaction begins with that. */
    if (!rc && sweep->before == PLOG_SWEEP_ABOVE &&
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

int plog_compact_sweep(struct plog_sweep *s, struct plog_error *err)
{
    s->aside = s->left = 0;
    int rc = drop_twins(s, err);
    return rc ? rc : sweep_snapshots(s, err);
}
