/*
 * heal_floor.c - where the healing begins, of a log that was compacted since
 * the store was copied.
 *
 * The store's floor is then not the log's: what lies between both is not
 * missing, and if it came back the log would have a gap behind it.  So where
 * the log begins above the store's floor, it is asked for the compact entry
 * that lets it.  That entry counts only in a group that the log proves, for a
 * line that anybody could have put there must not make damage of entries that
 * were let go.
 */
#include <stdio.h>

#include "check.h"
#include "heal.h"
#include "strays.h"

struct begin {
    struct plog_heal *h;
    uint64_t first; /* of the first file that is a segment of this log */
    struct plog_walk walk;
    uint64_t floor;          /* out: by that entry; 0: there is none */
    struct plog_chain chain; /* at `first`, if the header there is good */
    bool known;
};

/* Leaves out files that are none of the log's segments. */
static int list_segments(struct begin *b, struct plog_error *err)
{
    struct plog_buf *list = &b->walk.segments;
    uint64_t *all = (void *)list->data;
    size_t kept = 0;
    for (size_t i = 0; i < plog_segment_count(list); i++)
        if (plog_heal_is_segment(b->h, all[i]))
            all[kept++] = all[i];
    list->len = kept * sizeof *all;
    b->first = kept ? all[0] : 0;
    if (b->h->failed && err)
        *err = b->h->why;
    return b->h->failed;
}

/* The last compact entry that the log proves, behind damage, too. */
static int find_entry(struct begin *b, struct plog_error *err)
{
    struct plog_walk *w = &b->walk;
    struct plog_error why = {.code = 0};
    struct plog_log_group g;
    uint64_t from, to;
    int rc = plog_walk_start(w, &why);
    b->known = rc == 0;
    if (b->known)
        b->chain = w->chain;
    while (rc != PLOG_END) {
        if (rc && !plog_check_is_verdict(rc)) {
            if (err)
                *err = why;
            return rc;
        }
        if (rc == PLOG_E_TORN)
            break;
        rc = rc ? plog_walk_resync(w, &from, &to, &why)
                : plog_walk_next(w, &g, &why);
    }
    w->orders.floor_below = b->h->floor;
    const struct plog_compaction *c = plog_orders_floor_held(&w->orders);
    b->floor = c ? c->to : 0;
    rc = c ? 0 : plog_orders_doubt(&w->orders);
    return rc ? plog_fail(err, rc, "looking for a compact entry failed") : 0;
}

/* As the store proves it, where the log's own header does not. */
static int read_stored(struct begin *b, struct plog_error *err)
{
    struct plog_heal *h = b->h;
    struct plog_stored_group g;
    int rc = 0;
    while (!rc && h->stored.last.size < h->floor)
        rc = plog_store_log_next(&h->stored, &g, err);
    if (rc == PLOG_E_IO || rc == PLOG_E_NOMEM)
        return rc;
    h->known = !rc && h->stored.last.size == h->floor;
    if (!h->known)
        return 0;
    h->chain.tree = h->stored.tree;
    h->chain.last = h->stored.last;
    memcpy(h->chain.origin, h->stored.origin, sizeof h->chain.origin);
    plog_heal_keys(h, h->floor);
    return 0;
}

static int move_up(struct begin *b, struct plog_error *err)
{
    struct plog_heal *h = b->h;
    /* Cut off behind that entry, a compaction leaves segments below it. */
    h->floor = b->first - 1 < b->floor ? b->first - 1 : b->floor;
    if (!b->known || h->floor != b->first - 1)
        return read_stored(b, err);
    h->chain.tree = b->chain.tree;
    h->chain.last = b->chain.last;
    memcpy(h->chain.origin, b->chain.origin, sizeof h->chain.origin);
    h->chain.chain = b->chain.chain;
    return 0;
}

int plog_heal_floor(struct plog_heal *h, struct plog_error *err)
{
    struct plog_walk *w;
    struct begin *b;
    if (plog_segment_count(&h->files) == 0 ||
        plog_segment_at(&h->files, 0) <= h->floor + 1)
        return 0;
    b = plog_alloc(h->legs->io, sizeof *b);
    if (!b)
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    memset(b, 0, sizeof *b);
    b->h = h;
    w = &b->walk;
    int rc = plog_walk_open(w, &h->legs->dir, &h->legs->keys, err);
    if (rc == PLOG_E_CORRUPT && w->segments.len)
        rc = 0; /* a strange name, which a plan leaves there */
    if (!rc)
        rc = list_segments(b, err);
    if (!rc && b->first > h->floor + 1)
        rc = find_entry(b, err);
    if (!rc && b->floor > h->floor)
        rc = move_up(b, err);
    plog_walk_close(w);
    plog_free(h->legs->io, b);
    return rc;
}

/* ---- What lies below it ------------------------------------------------- */

int plog_heal_strays(struct plog_heal *h, struct plog_error *err)
{
    struct plog_buf list;
    char why[100];
    if (plog_segment_count(&h->files) == 0 || !h->known ||
        h->chain.last.size != h->floor ||
        plog_segment_at(&h->files, 0) > h->floor)
        return 0;
    plog_buf_init(&list, h->legs->io);
    snprintf(why, sizeof why,
             "it lies below the floor, at entry %llu, and does not lead there",
             (unsigned long long)h->floor);
    int rc = plog_strays(&h->legs->dir, &h->legs->keys, &h->chain.chain,
                         &h->chain.last, &list, err);
    for (size_t i = 0; !rc && i < plog_segment_count(&list); i++)
        rc = plog_heal_aside(h, plog_segment_at(&list, i), why, err);
    h->strays = plog_segment_count(&list);
    plog_buf_fini(&list);
    return rc;
}
