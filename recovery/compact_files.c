/*
 * compact_files.c - taking segments away once the compact entry is durable.
 *
 * Oldest first, each archived (compressed, synced, read again and compared)
 * before it is unlinked: so at every moment the log begins at some segment at
 * or below the floor, and is whole from there on.  What is found there and was
 * not verified just now is archived only where the log leads from it to the
 * floor.
 */
#include <stdio.h>

#include "aside.h"
#include "compact.h"
#include "scrub.h"
#include "strays.h"

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

/* ---- What stands there already ------------------------------------------ */

struct taking {
    struct plog_compacting *c;
    const struct plog_compaction *last; /* that is cut off; NULL: none is */
    struct plog_commit floor;
    bool archive;
    struct plog_keychain keys;
    struct plog_own own;
    struct plog_buf strays;
};

/* Whether nobody can read the archived one, all of it. */
static int is_unreadable(const struct plog_dir *d, uint64_t first, bool *is,
                         struct plog_error *err)
{
    struct plog_error why;
    struct plog_stat id;
    int fd, rc = plog_archive_open(d, first, &fd, &id, &why);
    *is = rc == PLOG_E_CORRUPT;
    if (!rc)
        d->io->close(d->io->ctx, fd);
    else if (!*is && err)
        *err = why;
    return *is ? 0 : rc;
}

/* Whether it is to be archived: archive/ has none, or of the compaction at hand
 * one that is damaged, which goes aside for it.
 * @same  out: archive/ has a copy of it */
static int to_archive(const struct plog_dir *d, uint64_t first, bool own,
                      bool *has, bool *same, bool *take, struct plog_error *err)
{
    *same = false;
    int rc = plog_archive_has(d, first, has, err);
    *take = !*has;
    if (rc || !*has)
        return rc;
    rc = plog_archive_is_copy(d, first, same, err);
    if (rc == PLOG_E_CORRUPT) { /* that one: it is no file */
        *same = false;
        return 0;
    }
    return rc || *same || !own ? rc : is_unreadable(d, first, take, err);
}

/* What stands at or below the floor before went once: somebody has put it there
 * again, or an undo that was cut off.  So it does not take the place of the
 * archived one, and what is no copy of that keeps its bytes.
 * @own  it is of the compaction at hand, if archive/ has none that is whole */
static int take_old(struct plog_compacting *c, uint64_t first, bool archive,
                    bool own, struct plog_error *err)
{
    struct plog_dir d;
    char name[PLOG_SEGMENT_NAME], kept[128];
    bool has, same, take;
    plog_compact_dir(c->p, &d);
    int rc = to_archive(&d, first, own && archive, &has, &same, &take, err);
    if (rc)
        return rc;
    take = take && (archive || own);
    c->report->aside += c->o->dry_run && !same && (has || !take);
    if (take)
        return c->o->dry_run ? 0 : take_one(c, first, archive, err);
    if (c->o->dry_run)
        return 0;
    if (same)
        return unlink_segment(&d, first, err);
    plog_segment_name(first, name);
    rc = plog_aside_file(&d, name, kept, err);
    c->report->aside += rc == 0;
    return rc;
}

static bool is_stray(const struct taking *t, uint64_t first)
{
    size_t n = plog_segment_count(&t->strays);
    for (size_t i = 0; i < n; i++)
        if (plog_segment_at(&t->strays, i) == first)
            return true;
    return false;
}

static int ask_store(plog *p, void *arg, struct plog_error *err)
{
    struct taking *t = arg;
    struct plog_legs *l = &p->legs;
    int rc = plog_store_keys(&l->store, &l->head, &l->keys, &t->keys, err);
    if (!rc && t->last)
        rc = plog_strays_own(&l->store, &l->dir, t->last, &t->own, err);
    return rc;
}

/* Damage in what a compaction that was cut off has still to take away: gone
 * from log/, it may be missing in archive/. */
static int refuse_damage(const struct taking *t, struct plog_error *err)
{
    size_t n = plog_segment_count(&t->strays);
    uint64_t bad = t->own.lost ? t->own.lost
                   : n         ? plog_segment_at(&t->strays, n - 1)
                               : 0;
    char name[PLOG_SEGMENT_NAME], file[PLOG_SEGMENT_NAME + 8];
    if (t->own.first == 0 || bad < t->own.first)
        return 0;
    plog_segment_name(bad, name);
    snprintf(file, sizeof file, "log/%s", name);
    plog_fail(err, PLOG_E_CORRUPT,
              "a compaction that was cut off has not %s the floor %llu",
              t->own.lost ? "archived it yet, and it is missing, below"
                          : "taken it away yet, and it does not lead to",
              (unsigned long long)t->floor.size);
    plog_err_file(err, file);
    plog_err_hint(err, "run: paritylog salvage DIR --from-store, then this"
                       " again");
    return PLOG_E_CORRUPT;
}

/* Of what a check of both legs came through just now nothing is asked again. */
static int find_strays(struct taking *t, const struct plog_buf *segments,
                       struct plog_error *err)
{
    struct plog_legs *l = &t->c->p->legs;
    if (!t->last && plog_segment_at(segments, 0) > t->c->from)
        return 0;
    int rc = plog_engine_locked(t->c->p, ask_store, t, err);
    if (!rc)
        rc = plog_strays(&l->dir, &l->keys, &t->keys, &t->floor, &t->strays,
                         err);
    return rc ? rc : refuse_damage(t, err);
}

static int take(struct taking *t, uint64_t first, struct plog_error *err)
{
    struct plog_compacting *c = t->c;
    bool stray = is_stray(t, first), own = !stray && first > c->from;
    /* Before a new one begins, archive/ lets go of what is there by that name.
     * One that was cut off has archived it, if it is there and can be read: the
     * store may be older than that, and the segment older than a redaction. */
    if (own && !t->last)
        return c->o->dry_run ? 0 : take_one(c, first, t->archive, err);
    return take_old(c, first, t->archive && !stray, own, err);
}

static int take_away(struct taking *t, struct plog_error *err)
{
    struct plog_compacting *c = t->c;
    struct plog_buf list;
    uint64_t floor = t->floor.size;
    plog_buf_init(&list, c->io);
    plog_buf_init(&t->strays, c->io);
    int rc = plog_dir_segments(&c->p->legs.dir, &list, err);
    size_t n = plog_segment_count(&list);
    if (!rc && n)
        rc = find_strays(t, &list, err);
    for (size_t i = 0; !rc && i < n; i++) {
        uint64_t first = plog_segment_at(&list, i);
        if (first > floor)
            break;
        rc = take(t, first, err);
        c->report->resumed |= t->last && !c->o->dry_run;
        if (!rc && !c->o->dry_run)
            rc = plog_compact_tell(c, t->archive ? "archive" : "remove", first,
                                   floor, err);
    }
    plog_buf_fini(&t->strays);
    plog_buf_fini(&list);
    return rc;
}

static int say_done(plog *p, void *arg, struct plog_error *err)
{
    (void)arg;
    int rc = plog_store_compacted(&p->legs.store, err);
    return rc ? rc : plog_store_commit(&p->legs.store, err);
}

static int sweep(struct plog_compacting *c, uint64_t floor,
                 struct plog_error *err)
{
    struct plog_sweep s = {
        .p = c->p, .floor = floor, .before = c->from, .prior = c->prior};
    int rc = plog_compact_sweep(&s, err);
    c->report->aside += s.aside;
    c->report->left = s.left;
    if (s.left)
        memcpy(c->report->left_file, s.left_file, sizeof s.left_file);
    return rc ? rc : plog_engine_locked(c->p, say_done, NULL, err);
}

int plog_compact_files(struct plog_compacting *c, bool archive,
                       struct plog_error *err)
{
    struct taking t = {.c = c, .floor = c->at_to, .archive = archive};
    int rc = take_away(&t, err);
    return rc ? rc : sweep(c, c->to, err);
}

static void stand_at(struct taking *t, const struct plog_compaction *last)
{
    t->floor.size = last->to;
    memcpy(t->floor.root, last->root, sizeof last->root);
}

int plog_compact_finish(struct plog_compacting *c,
                        const struct plog_compaction *last,
                        struct plog_error *err)
{
    struct taking t = {.c = c, .last = last, .archive = last->archive};
    stand_at(&t, last);
    c->from = last->from;
    int rc = take_away(&t, err);
    if (!rc && !c->o->dry_run)
        rc = sweep(c, last->to, err);
    c->report->archived_bytes = 0;
    return rc;
}

int plog_compact_strays(struct plog_compacting *c,
                        const struct plog_compaction *last,
                        struct plog_error *err)
{
    struct taking t = {.c = c, .archive = last->archive && !c->o->discard};
    stand_at(&t, last);
    c->from = last->to;
    int rc = take_away(&t, err);
    c->report->archived_bytes = 0;
    return rc;
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
