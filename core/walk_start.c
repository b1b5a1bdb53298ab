/*
 * walk_start.c - where a walk starts: at the first entry, behind a compact
 * entry, at a segment, or behind the head of a store.  See walk.h.
 */
#include "commit_at.h"
#include "compaction.h"
#include "walk.h"

/* There is no compact entry, or none that could be read, or none by a key that
 * is known. */
static int no_floor(struct plog_walk *w, int otherwise, struct plog_error *err)
{
    char key[PLOG_KEYID_TEXT];
    int doubt = plog_orders_doubt(&w->orders);
    if (doubt)
        return plog_orders_doubt_fail(&w->orders, doubt, "a compact entry",
                                      err);
    const char *name = plog_orders_wanted(&w->orders, key);
    if (!name)
        return otherwise;
    w->scan.fault.in_orders = true;
    return plog_orders_strange_fail(
        "the log begins behind entry 1: expected a compact entry", name, key,
        err);
}

/* Begins at the segment at hand, behind entries that were compacted away. */
static int start_above(struct plog_walk *w, const struct plog_compaction *floor,
                       struct plog_error *err)
{
    struct plog_keychain *k = &w->chain.chain;
    int rc = plog_compaction_keys(floor, w->first - 1, k);
    if (!rc && k->count == 0)
        rc = plog_walk_floor_key(w, err);
    if (rc)
        return rc;
    bool known = k->count > 0;
    rc = plog_walk_header(w, err);
    if (known)
        k->unsettled = false;
    w->orders.floor_root_at = rc ? 0 : w->chain.last.size;
    memcpy(w->orders.floor_root, w->chain.last.root, PLOG_HASH_SIZE);
    return rc;
}

static int start_in(struct plog_walk *w, size_t i, struct plog_error *err)
{
    int rc = plog_walk_enter(w, i, err);
    if (rc)
        return rc;
    w->chain.chain.count = 0;
    w->chain.chain.unsettled = w->chain.chain.guessed = false;
    if (w->first != 1) {
        const struct plog_compaction *floor =
            plog_orders_floor(&w->orders, w->first - 1);
        return floor ? start_above(w, floor, err)
                     : no_floor(w, plog_walk_missing(w, 1, err), err);
    }
    rc = plog_walk_header(w, err);
    return rc ? rc : plog_walk_first_key(w, err);
}

int plog_walk_start(struct plog_walk *w, struct plog_error *err)
{
    return start_in(w, 0, err);
}

int plog_walk_start_behind(struct plog_walk *w, uint64_t size,
                           struct plog_error *err)
{
    size_t i = 0;
    while (i + 1 < plog_segment_count(&w->segments) &&
           plog_segment_at(&w->segments, i + 1) <= size + 1)
        i++;
    return start_in(w, i, err);
}

/* The segment behind the floor is gone: what is there behind that is the one at
 * hand, as where one is missing on the way. */
static int start_without(struct plog_walk *w, uint64_t floor,
                         struct plog_error *err)
{
    size_t i;
    uint64_t next = plog_walk_next_there(w, floor + 1);
    int rc =
        next && plog_walk_find(w, next, &i) ? plog_walk_enter(w, i, err) : 0;
    w->chain.last.size = floor;
    return rc ? rc : plog_walk_missing(w, floor + 1, err);
}

int plog_walk_start_floor(struct plog_walk *w, uint64_t floor,
                          struct plog_error *err)
{
    size_t i;
    const struct plog_compaction *c;
    if (floor == 0)
        return plog_walk_start(w, err);
    w->chain.last.size = 0; /* another floor was tried, perhaps */
    if (!plog_walk_find(w, floor + 1, &i))
        return start_without(w, floor, err);
    int rc = plog_walk_enter(w, i, err);
    if (rc)
        return rc;
    c = plog_orders_floor_at(&w->orders, floor);
    if (!c)
        return no_floor(w,
                        plog_fail(err, PLOG_E_CORRUPT,
                                  "no compact entry sets the floor %llu that"
                                  " the store has",
                                  (unsigned long long)floor),
                        err);
    w->chain.chain.count = 0;
    w->chain.chain.unsettled = w->chain.chain.guessed = false;
    return start_above(w, c, err);
}

int plog_walk_start_segment(struct plog_walk *w, uint64_t first,
                            struct plog_error *err)
{
    size_t i;
    if (!plog_walk_find(w, first, &i))
        return plog_walk_missing(w, first, err);
    int rc = plog_walk_enter(w, i, err);
    return rc ? rc : plog_walk_header(w, err);
}

int plog_walk_start_at(struct plog_walk *w, const struct plog_store_head *h,
                       struct plog_error *err)
{
    size_t i;
    if (!plog_walk_find(w, h->segment, &i))
        return PLOG_END;
    int rc = plog_walk_enter(w, i, err);
    if (!rc)
        rc = plog_commit_stands(w->dir, &w->chain.chain, w->fd, h, err);
    if (rc)
        return rc;
    memcpy(w->chain.origin, h->origin, sizeof w->chain.origin);
    w->chain.tree = h->tree;
    w->chain.last = h->commit;
    w->scan.offset = h->offset;
    w->entered = false;
    return 0;
}
