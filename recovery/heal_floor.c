/*
 * heal_floor.c - where the healing begins, and what lies below that.
 *
 * The store may be older than the last compaction: what lies between its floor
 * and the log's is not missing, and if it came back the log would have a gap
 * behind it, and payloads that were redacted since.  So the log is asked for
 * the compact entry that lets it begin higher, also where a file of then begins
 * behind the store's floor.  That entry counts only in a group that the log
 * proves, for a line that anybody could have put there must not make damage of
 * entries that were let go.
 *
 * What does not lead to the floor goes aside; but of a compaction that was cut
 * off, what it has not archived yet is healed as all above it: archive/ lacks
 * that.  So it is also where the store is older than that compaction, by what
 * is in log/ and in archive/, and not by what the files hold: damage there must
 * not make it be let go of.
 */
#include <stdio.h>

#include "check.h"
#include "heal.h"
#include "snapshot.h"
#include "strays.h"

struct begin {
    struct plog_heal *h;
    uint64_t first; /* of the first file that is a segment of this log */
    struct plog_walk walk;
};

/* Of what is in log/, whatever a strange name there is. */
static int list_all(struct begin *b, struct plog_error *err)
{
    struct plog_walk *w = &b->walk;
    w->segments.len = 0;
    int rc = plog_dir_segments(w->dir, &w->segments, err);
    return rc == PLOG_E_CORRUPT && w->segments.len ? 0 : rc;
}

/* Leaves out files that are none of the log's segments. */
static int list_segments(struct begin *b, struct plog_error *err)
{
    struct plog_buf *list = &b->walk.segments;
    int rc = list_all(b, err);
    uint64_t *all = (void *)list->data;
    size_t kept = 0;
    if (rc)
        return rc;
    for (size_t i = 0; i < plog_segment_count(list); i++)
        if (plog_heal_is_segment(b->h, all[i]))
            all[kept++] = all[i];
    list->len = kept * sizeof *all;
    b->first = kept ? all[0] : 0;
    if (b->h->failed && err)
        *err = b->h->why;
    return b->h->failed;
}

/* Reads on to the end, behind damage, too.
 * @rc, @why  what the start gave
 * Returns 0, or what reading failed with. */
static int read_on(struct plog_walk *w, int rc, struct plog_error *why,
                   struct plog_error *err)
{
    struct plog_log_group g;
    uint64_t from, to;
    while (rc != PLOG_END) {
        if (rc && !plog_check_is_verdict(rc)) {
            if (err)
                *err = *why;
            return rc;
        }
        if (rc == PLOG_E_TORN)
            break;
        rc = rc ? plog_walk_resync(w, &from, &to, why)
                : plog_walk_next(w, &g, why);
    }
    return 0;
}

static void take(struct plog_heal *h, const struct plog_compaction *c)
{
    h->logged = *c;
    h->logged.peers = h->logged.rotations = plog_span("", 0);
}

/* The last compact entry that was met. */
static int take_held(struct begin *b, struct plog_error *err)
{
    struct plog_orders *o = &b->walk.orders;
    o->floor_below = b->h->floor;
    const struct plog_compaction *c = plog_orders_floor_held(o);
    if (c)
        take(b->h, c);
    int rc = c ? 0 : plog_orders_doubt(o);
    return rc ? plog_fail(err, rc, "looking for a compact entry failed") : 0;
}

/* Whether the keys that the walk has are those of this log: one is trusted, and
 * it had the store's name at the store's head. */
static bool keys_are_ours(const struct begin *b)
{
    const struct plog_keychain *k = &b->walk.chain.chain;
    const struct plog_store_head *head = &b->h->legs->head;
    return plog_keychain_anchored(k, b->walk.chain.keys) &&
           !strcmp(plog_keychain_name(k, head->commit.size, ""), head->origin);
}

/* A rotation may have been compacted away that neither the store knows nor what
 * lies before the gap.  The last compact entry names it: read from where that
 * lets the log begin, it proves itself, if it is one of this log. */
static int find_claimed(struct begin *b, struct plog_error *err)
{
    struct plog_walk *w = &b->walk;
    struct plog_error why = {.code = 0};
    const struct plog_compaction *c =
        plog_orders_floor(&w->orders, b->h->floor + 1);
    if (!c)
        return 0;
    int rc = plog_walk_start_floor(w, c->to, &why);
    bool begins = rc != PLOG_END && !plog_check_is_verdict(rc);
    rc = begins ? read_on(w, rc, &why, err) : 0;
    if (!rc && begins && keys_are_ours(b))
        rc = take_held(b, err);
    plog_walk_rewind(w);
    return rc;
}

/* The last compact entry that the log proves, from its first segment on. */
static int find_entry(struct begin *b, struct plog_error *err)
{
    struct plog_walk *w = &b->walk;
    struct plog_error why = {.code = 0};
    int rc = read_on(w, plog_walk_start(w, &why), &why, err);
    return rc ? rc : take_held(b, err);
}

/* Or the one by which the log took back the compaction that set the floor, and
 * which the store does not know: what lies below is the log's again. */
static void find_undo(struct begin *b)
{
    struct plog_heal *h = b->h;
    b->walk.orders.floor_below = 0;
    const struct plog_compaction *c = plog_orders_floor_held(&b->walk.orders);
    if (!c || plog_orders_is_brought_floor(c) || c->from != h->floor ||
        c->to >= c->from || c->at <= h->legs->head.commit.size)
        return;
    take(h, c);
}

/* Only then is all of it read for that.  What is not looked for before is not
 * met on the way. */
static bool may_begin_elsewhere(struct begin *b)
{
    struct plog_orders *o = &b->walk.orders;
    uint64_t behind = b->h->floor + 1;
    return b->first && (plog_orders_floor_seq(o, behind, false) || o->failed ||
                        b->first != behind);
}

static void stand_at_stored(struct plog_heal *h)
{
    h->chain.tree = h->stored.tree;
    h->chain.last = h->stored.last;
    memcpy(h->chain.origin, h->stored.origin, sizeof h->chain.origin);
    plog_heal_keys(h, h->floor);
}

/* As the store proves it, where the log's own header does not. */
static int read_stored(struct plog_heal *h, struct plog_error *err)
{
    struct plog_stored_group g;
    int rc = 0;
    while (!rc && h->stored.last.size < h->floor)
        rc = plog_store_log_next(&h->stored, &g, err);
    if (rc == PLOG_E_IO || rc == PLOG_E_NOMEM)
        return rc;
    h->known = !rc && h->stored.last.size == h->floor;
    if (h->known)
        stand_at_stored(h);
    return 0;
}

static int move_up(struct begin *b, struct plog_error *err)
{
    struct plog_heal *h = b->h;
    struct plog_walk *w = &b->walk;
    struct plog_error why = {.code = 0};
    h->floor = h->logged.to;
    plog_walk_rewind(w);
    int rc = list_all(b, err);
    if (rc)
        return rc;
    rc = plog_walk_start_floor(w, h->floor, &why);
    if (rc && plog_check_is_verdict(rc))
        return read_stored(h, err);
    if (rc && err)
        *err = why;
    if (rc)
        return rc;
    h->chain.tree = w->chain.tree;
    h->chain.last = w->chain.last;
    memcpy(h->chain.origin, w->chain.origin, sizeof h->chain.origin);
    h->chain.chain = w->chain.chain;
    return 0;
}

/* Moves h->floor up to where the log itself begins, if one of its own compact
 * entries lets it, and the chain with it. */
static int find_floor(struct plog_heal *h, struct plog_error *err)
{
    struct plog_walk *w;
    struct begin *b;
    if (plog_segment_count(&h->files) == 0)
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
        rc = find_claimed(b, err);
    if (!rc)
        rc = list_segments(b, err);
    if (!rc && !h->logged.to && may_begin_elsewhere(b))
        rc = find_entry(b, err);
    if (!rc && h->logged.to > h->floor)
        rc = move_up(b, err);
    else if (!rc)
        find_undo(b);
    plog_walk_close(w);
    plog_free(h->legs->io, b);
    return rc;
}

/* ---- What lies below it ------------------------------------------------- */

/* Where a compaction that was cut off goes on, or was undone to; 0: nowhere.
 * Of one that the store does not know, or only by a damaged row, the log's own
 * entry and the folders say whether it was. */
static int find_own(struct plog_heal *h, uint64_t *first,
                    struct plog_error *err)
{
    struct plog_store *s = &h->legs->store;
    struct plog_compaction last;
    struct plog_own own;
    bool pending;
    *first = 0;
    int rc = plog_compaction_last_sets(s, &last, &pending, err);
    if (rc && rc != PLOG_END && !plog_check_is_verdict(rc))
        return rc;
    if (h->logged.to < h->logged.from) {
        *first = h->logged.to + 1;
        return 0;
    }
    bool known = !rc && last.to == h->floor;
    if (known ? !pending : h->logged.to != h->floor)
        return 0;
    rc = plog_strays_own(s, &h->legs->dir, known ? &last : &h->logged, &own,
                         err);
    if (!rc && (known || own.shows))
        *first = own.first;
    return rc;
}

/* The store goes on behind commit `last`. */
static int seek(struct plog_heal *h, const struct plog_tree *tree,
                const struct plog_commit *last, struct plog_error *err)
{
    h->base_tree = *tree;
    h->base = *last;
    int rc = plog_store_log_seek(&h->stored, tree, last, err);
    return rc ? rc : read_stored(h, err);
}

/* From where the store's own rows begin: at entry 1, or behind the snapshot of
 * the floor that it was trimmed to. */
static int seek_base(struct plog_heal *h, struct plog_error *err)
{
    struct plog_legs *l = h->legs;
    struct plog_store_head head = l->head;
    struct plog_segment_header base = {.last.size = 0};
    struct plog_error why = {.code = 0};
    plog_tree_init(&base.tree);
    head.rules.floor = head.rules.base;
    int rc = plog_snapshot_base(&l->dir, &l->store, &head, &h->stored.keys,
                                &base, &why);
    if (rc == 0 || rc == PLOG_END)
        return seek(h, &base.tree, &base.last, err);
    if (plog_check_is_verdict(rc))
        return 0;
    if (err)
        *err = why;
    return rc;
}

/* Begins with the segment at `own`, behind what is archived.  The store has all
 * that comes before it; or else what both folders have there. */
static int move_down(struct plog_heal *h, uint64_t own, struct plog_error *err)
{
    const struct plog_legs *l = h->legs;
    struct plog_tree tree;
    struct plog_commit last;
    h->floor = own - 1;
    h->known = false;
    int rc = seek_base(h, err);
    if (rc || h->known)
        return rc;
    rc = plog_strays_floor(&l->dir, &l->keys, &h->stored.keys, h->floor, &tree,
                           &last, err);
    return rc ? (rc == PLOG_END ? 0 : rc) : seek(h, &tree, &last, err);
}

static int take_strays(struct plog_heal *h, const struct plog_buf *list,
                       struct plog_error *err)
{
    size_t n = plog_segment_count(list);
    uint64_t floor = h->floor, own;
    char why[100];
    int rc = find_own(h, &own, err);
    if (!rc && own)
        rc = move_down(h, own, err);
    snprintf(why, sizeof why,
             "it lies below the floor, at entry %llu, and does not lead there",
             (unsigned long long)floor);
    for (size_t i = 0; !rc && i < n; i++) {
        uint64_t first = plog_segment_at(list, i);
        if (first > h->floor)
            break;
        rc = plog_heal_aside(h, first, why, err);
        h->strays++;
    }
    return rc;
}

static int find_strays(struct plog_heal *h, struct plog_error *err)
{
    struct plog_buf list;
    bool proven = h->known && h->chain.last.size == h->floor &&
                  plog_segment_count(&h->files) > 0;
    plog_buf_init(&list, h->legs->io);
    int rc = proven ? plog_strays(&h->legs->dir, &h->legs->keys,
                                  &h->chain.chain, &h->chain.last, &list, err)
                    : 0;
    if (!rc)
        rc = take_strays(h, &list, err);
    plog_buf_fini(&list);
    return rc;
}

int plog_heal_begin(struct plog_heal *h, struct plog_error *err)
{
    uint64_t *all = (void *)h->files.data;
    size_t kept = 0;
    h->base_tree = h->stored.tree;
    h->base = h->stored.last;
    h->floor = h->base.size;
    h->known = true;
    if (h->floor)
        stand_at_stored(h);
    int rc = find_floor(h, err);
    if (!rc)
        rc = find_strays(h, err);
    for (size_t i = 0; i < plog_segment_count(&h->files); i++)
        if (all[i] > h->floor)
            all[kept++] = all[i];
    h->files.len = kept * sizeof *all;
    return rc;
}
