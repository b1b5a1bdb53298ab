/*
 * strays.c - segments of log/ that end at or below the floor, and where it is.
 *
 * A compaction that was cut off leaves the last ones that it was to take away:
 * they lead to the floor, and the log is whole from the first of them on.  Any
 * other was put there, such as an older log beside what was compacted since,
 * and what follows it is missing for ever.
 */
#include "strays.h"

#include <errno.h>

#include "archive.h"
#include "check.h"
#include "snapshot.h"

static int begin(struct plog_walk *w, uint64_t first,
                 const struct plog_keychain *keys, struct plog_error *err)
{
    struct plog_keychain *k = &w->chain.chain;
    plog_walk_rewind(w);
    *k = *keys;
    while (k->count > 1 && k->from[k->count - 1] > first)
        k->count--;
    return plog_walk_start_segment(w, first, err);
}

/* Reads on from segment `i`.
 * @to  out: the segment behind the one that it ends with
 * Returns 0 when it leads to the floor; a verdict; an error. */
static int lead(struct plog_walk *w, size_t i, const struct plog_keychain *keys,
                const struct plog_commit *floor, size_t *to,
                struct plog_error *err)
{
    struct plog_log_group g;
    int rc = begin(w, plog_segment_at(&w->segments, i), keys, err);
    while (!rc && w->chain.last.size < floor->size)
        rc = plog_walk_next(w, &g, err);
    if (!rc && (w->chain.last.size != floor->size ||
                memcmp(w->chain.last.root, floor->root, PLOG_HASH_SIZE) != 0))
        rc = PLOG_E_FORK;
    /* Before a gap the segment behind it was entered already. */
    *to = w->index + (w->gap ? 0 : 1);
    if (*to <= i)
        *to = i + 1;
    return rc == PLOG_END ? PLOG_E_CORRUPT : rc;
}

int plog_strays(const struct plog_dir *dir, const struct plog_keyring *trusted,
                const struct plog_keychain *keys,
                const struct plog_commit *floor, struct plog_buf *list,
                struct plog_error *err)
{
    struct plog_error why = {.code = 0};
    struct plog_walk *w = plog_alloc(dir->io, sizeof *w);
    size_t i = 0, to;
    list->len = 0;
    if (!w)
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    int rc = plog_walk_open(w, dir, trusted, &why);
    if (rc == PLOG_E_CORRUPT && w->segments.len)
        rc = 0; /* a strange name, which is told elsewhere */
    while (!rc && i < plog_segment_count(&w->segments) &&
           plog_segment_at(&w->segments, i) <= floor->size) {
        int bad = lead(w, i, keys, floor, &to, &why);
        if (!bad)
            break;
        if (!plog_check_is_verdict(bad) && bad != PLOG_E_TORN)
            rc = bad;
        for (; !rc && i < to && i < plog_segment_count(&w->segments) &&
               plog_segment_at(&w->segments, i) <= floor->size;
             i++) {
            uint64_t first = plog_segment_at(&w->segments, i);
            rc = plog_buf_add(list, &first, sizeof first);
        }
    }
    if (rc == PLOG_E_NOMEM)
        plog_fail(&why, rc, "out of memory");
    if (rc && err)
        *err = why;
    plog_walk_close(w);
    plog_free(dir->io, w);
    return rc;
}

/* Whether a snapshot says that one which begins at entry 1 was compacted: of
 * others no compact entry is looked for, which would be read for nothing. */
static int was_compacted(const struct plog_dir *dir, bool *was,
                         struct plog_error *err)
{
    struct plog_buf floors;
    plog_buf_init(&floors, dir->io);
    int rc = plog_snapshot_list(dir, &floors, err);
    *was = floors.len > 0;
    plog_buf_fini(&floors);
    return rc;
}

/* The floor below which there are segments in log/, and none is missing above;
 * 0: there is none. */
static int floor_above(struct plog_walk *w, uint64_t *floor,
                       struct plog_error *err)
{
    uint64_t first = plog_segment_at(&w->segments, 0);
    bool was = true;
    *floor = 0;
    int rc = first == 1 ? was_compacted(w->dir, &was, err) : 0;
    if (rc || !was)
        return rc;
    const struct plog_compaction *c = plog_orders_floor(&w->orders, first - 1);
    if (c && c->to >= first)
        *floor = c->to;
    else if (first == 1) /* nothing rests on what was found, such as an undo */
        plog_walk_rewind(w);
    return 0;
}

/* Behind the floor, if there are any; PLOG_END where the log leads to it. */
static int start_behind(struct plog_walk *w, uint64_t floor,
                        struct plog_buf *list, struct plog_error *err)
{
    struct plog_error why = {.code = 0};
    int rc = plog_walk_start_floor(w, floor, &why);
    if (!rc)
        rc = plog_strays(w->dir, w->chain.keys, &w->chain.chain, &w->chain.last,
                         list, &why);
    w->orders.floor_below = floor; /* the entry must be of the log */
    if (rc && plog_check_is_verdict(rc))
        return PLOG_END;
    if (rc && err)
        *err = why;
    return rc || list->len ? rc : PLOG_END;
}

int plog_strays_start(struct plog_walk *w, struct plog_buf *list,
                      struct plog_error *err)
{
    struct plog_buf own;
    uint64_t floor;
    plog_buf_init(&own, w->dir->io);
    if (!list)
        list = &own;
    list->len = 0;
    int rc = floor_above(w, &floor, err);
    if (!rc)
        rc = floor ? start_behind(w, floor, list, err) : PLOG_END;
    plog_buf_fini(&own);
    if (rc != PLOG_END)
        return rc;
    if (floor)
        plog_walk_rewind(w);
    return plog_walk_start(w, err);
}

int plog_strays_begin(struct plog_walk *w, struct plog_error *err)
{
    return plog_strays_start(w, NULL, err);
}

/* Whether log/ has something of that name. */
static int in_log(const struct plog_dir *dir, uint64_t first, bool *is,
                  struct plog_error *err)
{
    char name[PLOG_SEGMENT_NAME];
    struct plog_stat st;
    plog_segment_name(first, name);
    int rc = dir->log < 0 ? -ENOENT
                          : dir->io->stat_at(dir->io->ctx, dir->log, name, &st);
    *is = rc == 0;
    return rc && rc != -ENOENT
               ? plog_fail_segment(err, rc, first, "looking at a segment")
               : 0;
}

int plog_strays_own(struct plog_store *s, const struct plog_dir *dir,
                    const struct plog_compaction *last, struct plog_own *own,
                    struct plog_error *err)
{
    sqlite3_stmt *q = NULL;
    bool archived = false, there = false;
    unsigned count = 0; /* of them in log/ */
    *own = (struct plog_own){.first = 0};
    if (!last->archive)
        return 0;
    int rc = plog_sql_prepare(s->db,
                              "SELECT first FROM main.segments WHERE first>?1"
                              " AND first<=?2 ORDER BY first DESC",
                              &q, err);
    if (!rc) {
        plog_sql_bind_u64(q, 1, last->from);
        plog_sql_bind_u64(q, 2, last->to);
    }
    while (!rc && (rc = plog_sql_row(q, err)) == 0) {
        uint64_t first = plog_sql_u64(q, 0);
        rc = plog_archive_has(dir, first, &archived, err);
        if (!rc)
            rc = in_log(dir, first, &there, err);
        own->shows |= !rc && count > 0 && archived;
        /* The last one goes last, and none before it is in archive/. */
        if (rc || (archived && (!there || own->first == 0)))
            break;
        count += there;
        own->shows |= there && (own->first == 0 || count == 2);
        own->first = first;
        if (!archived && !there)
            own->lost = first;
    }
    sqlite3_finalize(q);
    return rc == PLOG_END ? 0 : rc;
}

/* Reads from the last segment that begins at or below entry `from`. */
static int read_to(struct plog_walk *w, uint64_t from, uint64_t floor,
                   const struct plog_keychain *keys, struct plog_error *err)
{
    struct plog_log_group g;
    uint64_t first = plog_segment_of(&w->segments, from);
    int rc = first ? begin(w, first, keys, err) : PLOG_END;
    while (!rc && w->chain.last.size < floor)
        rc = plog_walk_next(w, &g, err);
    return !rc && w->chain.last.size != floor ? PLOG_END : rc;
}

int plog_strays_floor(const struct plog_dir *dir,
                      const struct plog_keyring *trusted,
                      const struct plog_keychain *keys, uint64_t floor,
                      struct plog_tree *tree, struct plog_commit *last,
                      struct plog_error *err)
{
    struct plog_dir d = *dir;
    struct plog_error why = {.code = 0};
    struct plog_walk *w = plog_alloc(dir->io, sizeof *w);
    if (!w)
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    d.with_archive = true;
    int rc = plog_walk_open(w, &d, trusted, &why);
    if (rc == PLOG_E_CORRUPT && w->segments.len)
        rc = 0;
    /* The header behind it says so, or the segment that leads there. */
    if (!rc)
        rc = read_to(w, floor + 1, floor, keys, &why);
    if (rc == PLOG_END || plog_check_is_verdict(rc))
        rc = read_to(w, floor, floor, keys, &why);
    if (!rc) {
        *tree = w->chain.tree;
        *last = w->chain.last;
    }
    bool unsaid = rc == PLOG_END || plog_check_is_verdict(rc);
    if (rc == PLOG_E_NOMEM)
        plog_fail(&why, rc, "out of memory");
    if (rc && !unsaid && err)
        *err = why;
    plog_walk_close(w);
    plog_free(dir->io, w);
    return unsaid ? PLOG_END : rc;
}
