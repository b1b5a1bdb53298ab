/*
 * parity_since.c - parity from a checkpoint on.
 *
 * The walk begins at the segment that holds the checkpoint's last entry, on its
 * header's signed word; so the group that ends there is read, and its root must
 * be the checkpoint's, whatever follows it.  What lies below was checked when
 * the checkpoint was made, or was not: it is listed as unchecked.
 */

#include "parity.h"
#include "snapshot_names.h"

/* ---- Where it begins ---------------------------------------------------- */

/* The last entry of the lowest head that must be compared: the walk begins
 * there.  Or that of the store's head, where it lies lower: a crash may have
 * left behind it no more than the beginning of a header. */
static uint64_t lowest_asked(const struct plog_parity *p)
{
    const struct plog_seen *seen = (const void *)p->c->seen.data;
    uint64_t lowest = p->c->notes.since.seen.size;
    if (p->c->head.commit.size < lowest)
        lowest = p->c->head.commit.size;
    for (size_t i = 0; i < p->c->seen.len / sizeof *seen; i++)
        if (seen[i].asked && seen[i].size < lowest)
            lowest = seen[i].size;
    return lowest;
}

/* Whether log/ has the segments between floor and `first` that the store knows
 * of, and no other.  No byte of them is read, so which of the two is wrong only
 * all of the log tells. */
static int same_names(struct plog_parity *p, uint64_t floor, uint64_t first,
                      bool *same, struct plog_error *err)
{
    const struct plog_walk *w = &p->c->walk;
    sqlite3_stmt *q = NULL;
    size_t i = 0, n = plog_segment_count(&w->segments);
    while (i < n && plog_segment_at(&w->segments, i) <= floor)
        i++;
    int rc = plog_sql_prepare(p->db,
                              "SELECT first FROM main.segments WHERE first>?1"
                              " AND first<?2 ORDER BY first",
                              &q, err);
    if (!rc) {
        plog_sql_bind_u64(q, 1, floor);
        plog_sql_bind_u64(q, 2, first);
    }
    *same = true;
    while (!rc && *same && (rc = plog_sql_row(q, err)) == 0)
        *same =
            i < n && plog_segment_at(&w->segments, i++) == plog_sql_u64(q, 0);
    sqlite3_finalize(q);
    if (rc == PLOG_END)
        *same = i < n && plog_segment_at(&w->segments, i) == first;
    return rc == PLOG_END ? 0 : rc;
}

/* From entry `first` on; the rows in step with the log begin there, too. */
static int begin_at(struct plog_parity *p, uint64_t first,
                    struct plog_error *err)
{
    p->first = first;
    int rc = plog_parity_touched_open(p, err);
    if (!rc)
        rc = plog_parity_rows_from(p, first, err);
    if (rc)
        return rc;
    p->partial = true;
    p->c->begins = first - 1;
    plog_check_unchecked(p->c, PLOG_LEG_BOTH, 1, first - 1,
                         "below the checkpoint");
    return 0;
}

/* The floor that the log itself begins at, where the store's head has another
 * one; that is told with the rows of compactions.  0: none, or a compaction
 * that came after the head. */
static uint64_t logged_floor(struct plog_parity *p, uint64_t floor)
{
    struct plog_walk *w = &p->c->walk;
    uint64_t first = plog_segment_count(&w->segments) > 0
                         ? plog_segment_at(&w->segments, 0)
                         : 1;
    const struct plog_compaction *c =
        first > 1 ? plog_orders_floor(&w->orders, first - 1) : NULL;
    return c && c->to != floor && c->at <= p->c->head.commit.size ? c->to : 0;
}

static int pass_store_by(struct plog_parity *p, const char *why,
                         struct plog_error *err)
{
    struct plog_check *c = p->c;
    if (plog_check_moved(c))
        return plog_fail(err, PLOG_E_CORRUPT, "compacted while this began");
    plog_check_unchecked(c, PLOG_LEG_STORE, 1, c->head.commit.size, why);
    p->store_lost = p->passed_by = true;
    p->fold_whole = false;
    return 0;
}

/* An older log beside a store that was trimmed, or one of another history: of
 * what it begins with the rows are gone, and the snapshot of that floor says
 * nothing of them.  One that goes on behind the entry that let go of them, by
 * the same history, is damaged: the store has what it lost.
 * @logged  the floor that it begins at; 0: it has none, or that of the store */
static bool begins_below_the_base(struct plog_parity *p, uint64_t logged)
{
    struct plog_walk *w = &p->c->walk;
    uint64_t base = p->c->head.rules.base;
    size_t n = plog_segment_count(&w->segments);
    if (base == 0 || n == 0 ||
        (plog_segment_at(&w->segments, n - 1) > p->c->compaction &&
         !plog_parity_is_fork(p)))
        return false;
    if (logged)
        return logged < base;
    return plog_segment_at(&w->segments, 0) == 1 &&
           plog_orders_floor_seq(&w->orders, base, true) == 0;
}

static int begin_without_store(struct plog_parity *p, struct plog_error *err)
{
    struct plog_check *c = p->c;
    int rc = pass_store_by(
        p, "the store was trimmed past the beginning of the log", err);
    if (rc)
        return rc;
    plog_walk_rewind(&c->walk);
    rc = plog_check_start(c, err);
    c->report->floor = rc ? 0 : c->walk.chain.last.size;
    return rc;
}

/* From the floor on, with the snapshot for what lies below. */
static int begin_at_floor(struct plog_parity *p, uint64_t floor,
                          struct plog_error *err)
{
    struct plog_check *c = p->c;
    const struct plog_buf *list = &c->walk.segments;
    bool whole = c->head.rules.base == 0 && plog_segment_at(list, 0) == 1;
    /* Else a file may have been put there, below what begins at the floor. */
    int rc = whole && plog_segment_of(list, floor + 1) == floor + 1
                 ? same_names(p, 0, floor + 1, &whole, err)
                 : 0;
    /* Nothing is gone, as in a copy from the archive: all of it is checked. */
    if (!rc && whole)
        return plog_walk_start(&c->walk, err);
    if (!rc)
        rc = plog_parity_rows_from(p, floor + 1, err);
    if (!rc)
        rc = plog_walk_start_floor(&c->walk, floor, err);
    uint64_t logged = rc == PLOG_E_CORRUPT ? logged_floor(p, floor) : 0;
    if (rc == PLOG_E_CORRUPT && begins_below_the_base(p, logged))
        return begin_without_store(p, err);
    if (logged) {
        floor = logged;
        rc = plog_parity_rows_from(p, floor + 1, err);
        if (!rc)
            rc = plog_walk_start_floor(&c->walk, floor, err);
    }
    if (rc) {
        p->fold_whole = false;
        return rc;
    }
    c->report->floor = floor;
    rc = plog_check_strays(c, err);
    if (rc)
        return rc;
    /* The walk has begun with it; but it is read once more. */
    const struct plog_compaction *base =
        plog_orders_floor_at(&c->walk.orders, floor);
    int doubt = base ? 0 : plog_orders_doubt(&c->walk.orders);
    if (!base)
        return plog_fail(err, doubt ? doubt : PLOG_E_CORRUPT,
                         "looking for the compact entry failed");
    return plog_parity_base(p, base, err);
}

/* Whether a compaction may have let go of what the store's floor does not say:
 * no compact entry is looked for where neither a name nor a snapshot tells. */
static int may_stand_before(struct plog_parity *p, bool *may,
                            struct plog_error *err)
{
    const struct plog_check *c = p->c;
    const struct plog_buf *list = &c->walk.segments;
    uint64_t floor = c->head.rules.floor;
    struct plog_buf floors;
    *may = false;
    if (p->store_lost || plog_segment_count(list) == 0)
        return 0;
    *may = plog_segment_at(list, 0) > floor + 1;
    if (*may)
        return 0;
    plog_buf_init(&floors, c->reader.io);
    int rc = plog_snapshot_list(&c->reader.dir, &floors, err);
    for (size_t i = 0; i < floors.len / sizeof(uint64_t); i++)
        *may |= ((const uint64_t *)(const void *)floors.data)[i] > floor;
    plog_buf_fini(&floors);
    return rc;
}

static int leave_store_out(struct plog_parity *p, struct plog_error *err)
{
    struct plog_check *c = p->c;
    if (plog_check_moved(c))
        return plog_fail(err, PLOG_E_CORRUPT, "compacted while this began");
    bool fork =
        plog_parity_find_fork(p, "another one, signed, that was not compacted");
    int rc = fork ? 0
                  : plog_parity_behind(
                        p, "the compact entry behind which the log begins",
                        "a store that stands before it", err);
    if (rc)
        return rc;
    plog_check_unchecked(c, PLOG_LEG_STORE, 1, c->head.commit.size,
                         fork ? "the log was compacted past it"
                              : "the log was compacted past it: replay first");
    p->store_lost = true;
    p->fold_whole = false;
    return 0;
}

/* The log begins behind a compact entry that the store has not come to, as when
 * a crash took the store's last commits, or an old one was put in its place:
 * nothing is wrong with either, but what they have in common, if anything,
 * cannot be folded.  A replay brings the store there; one that ends below what
 * is left of the log is made anew.  Where the log begins the walk tells, which
 * is then there: a file that somebody put below it is none of it.
 * @before  out; if not, the walk is as it was opened */
static int start_past_the_store(struct plog_parity *p, bool *before,
                                struct plog_error *err)
{
    struct plog_check *c = p->c;
    const struct plog_store_head *h = &c->head;
    struct plog_walk *w = &c->walk;
    struct plog_error why = {.code = 0};
    int rc = may_stand_before(p, before, err);
    if (rc || !*before)
        return rc;
    uint64_t first = plog_segment_at(&w->segments, 0);
    *before =
        plog_orders_floor_seq(&w->orders, first - 1, false) > h->commit.size;
    if (!*before)
        return 0;
    rc = plog_check_start(c, err);
    *before = (rc ? first - 1 : w->chain.last.size) > h->rules.floor;
    if (rc && !plog_check_is_verdict(rc))
        return rc;
    if (!*before) {
        plog_walk_rewind(w);
        return 0;
    }
    c->report->floor = rc ? 0 : w->chain.last.size;
    int bad = leave_store_out(p, &why);
    if (bad && err)
        *err = why;
    return bad ? bad : rc;
}

/* The store was compacted past all that the log has: an older log beside it.
 * Where it was trimmed, or the log does not begin at its beginning, they have
 * nothing in common that could be compared; its head says ROLLBACK. */
static bool ends_below_the_floor(const struct plog_parity *p)
{
    const struct plog_rules *r = &p->c->head.rules;
    const struct plog_buf *list = &p->c->walk.segments;
    size_t n = plog_segment_count(list);
    return !p->store_lost && r->floor && n > 0 &&
           plog_segment_at(list, n - 1) <= r->floor &&
           (r->base || plog_segment_at(list, 0) > 1);
}

int plog_parity_start(struct plog_parity *p, struct plog_error *err)
{
    struct plog_check *c = p->c;
    struct plog_walk *w = &c->walk;
    bool before = false;
    int rc = start_past_the_store(p, &before, err);
    if (rc || before)
        return rc;
    if (ends_below_the_floor(p))
        rc = pass_store_by(p, "the store was compacted past the end of the log",
                           err);
    uint64_t floor = p->store_lost             ? 0
                     : c->head.rules.floor > 0 ? c->head.rules.floor
                                               : logged_floor(p, 0);
    /* Which rows lie below the checkpoint only a store tells. */
    uint64_t first = c->notes.since.seen.size && !p->store_lost
                         ? plog_segment_of(&w->segments, lowest_asked(p))
                         : 1;
    if (rc)
        return rc;
    if (first <= floor)
        first = 1;
    /* Keys from the store: each rotation in it proves itself.  Without them
     * only the whole log tells. */
    if (first > 1)
        rc = plog_store_keys(&c->reader.store, &c->head, &c->reader.keys,
                             &w->chain.chain, err);
    bool same = rc == 0;
    if (!rc && first > 1)
        rc = same_names(p, floor, first, &same, err);
    if (rc && !plog_check_is_verdict(rc))
        return rc;
    if (!same)
        first = 1;
    if (first <= 1 && floor)
        return begin_at_floor(p, floor, err);
    if (first <= 1) {
        rc = plog_parity_expect_name(p, err);
        if (!rc)
            rc = plog_check_start(c, err);
        c->report->floor = rc ? 0 : w->chain.last.size;
        return rc;
    }
    c->report->floor = floor;
    rc = begin_at(p, first, err);
    return rc ? rc : plog_walk_start_segment(w, first, err);
}
