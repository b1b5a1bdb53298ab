/*
 * restore_orders.c - orders behind the point, and the compact entry that lets
 * the copy begin where it does: see restore.h.
 *
 * Each goes along with a proof under the commit that closes its group; what
 * lies behind the last of those does no harm.  All are made in one reading: a
 * proof needs the tree before the group and the leaves of the group, no more.
 */
#include "proof.h"
#include "restore.h"

static uint64_t *all(const struct plog_restoring *r, size_t *count)
{
    *count = r->orders.len / sizeof(uint64_t);
    return (uint64_t *)(void *)r->orders.data;
}

static int add(struct plog_restoring *r, uint64_t at, struct plog_error *err)
{
    return plog_buf_add(&r->orders, &at, sizeof at)
               ? plog_fail(err, PLOG_E_NOMEM, "out of memory")
               : 0;
}

/* Lines in the copy that were redacted by orders behind its end, and the
 * compact entry: each once, in the order of the log. */
static int list_orders(struct plog_restoring *r, struct plog_walk *w,
                       struct plog_error *err)
{
    const struct plog_order *o;
    uint64_t size = r->report->head.size;
    int rc = 0;
    r->orders.len = 0;
    /* One that came along is copied as it is. */
    if (r->base && !r->base_brought && r->base_at > size &&
        r->base_at <= r->report->source.size)
        rc = add(r, r->base_at, err);
    for (size_t i = 0;
         !rc && (o = plog_orders_above(&w->orders, size, &i)) != NULL;)
        rc = add(r, o->at, err);
    plog_segments_sort(&r->orders);
    return rc;
}

/* The entry stands in the group at hand, r->next. */
static int bring(struct plog_restoring *r, const struct plog_walk *w,
                 const struct plog_tree *before, uint64_t at,
                 struct plog_error *err)
{
    const struct plog_log_group *g = &r->next;
    struct plog_proof proof;
    struct plog_buf text;
    if (r->o->dry_run)
        return 0;
    struct plog_span line = plog_scan_text(&w->scan, (size_t)(at - g->first));
    plog_buf_init(&text, r->io);
    int rc = plog_proof_inclusion(&proof, at - 1, g->size);
    if (!rc) {
        plog_proof_begin(&proof, before);
        for (size_t i = 0; i < g->count; i++)
            plog_proof_add(&proof, plog_scan_line(&w->scan, i)->leaf);
        rc = plog_prove_text(&text, &proof, w, at, &line);
    }
    rc = rc ? plog_fail(err, rc, "proving the order at entry %llu failed",
                        (unsigned long long)at)
            : plog_place_order(&r->place, at, plog_span(text.data, text.len),
                               err);
    plog_buf_fini(&text);
    return rc;
}

static int next(struct plog_restoring *r, struct plog_walk *w,
                struct plog_error *err)
{
    int rc = plog_walk_next(w, &r->next, err);
    if (rc && rc != PLOG_END && rc != PLOG_E_TORN)
        plog_err_hint(err, "the copy needs what was ordered behind that: mend"
                           " it first; run: paritylog parity DIR");
    return rc;
}

/* Reads on to the last of them. */
static int read_on(struct plog_restoring *r, struct plog_walk *w, size_t *done,
                   struct plog_error *err)
{
    size_t n;
    const uint64_t *list = all(r, &n);
    struct plog_tree before = r->tree;
    int rc = r->next.size ? 0 : next(r, w, err);
    while (!rc) {
        for (; !rc && *done < n && list[*done] <= r->next.size; *done += !rc)
            rc = bring(r, w, &before, list[*done], err);
        if (rc || *done == n)
            break;
        before = w->chain.tree;
        rc = next(r, w, err);
    }
    return rc;
}

/* Whether a line that is redacted already, or the beginning, rests on that one
 * and no other that goes along. */
static bool is_missed(const struct plog_restoring *r, const struct plog_walk *w,
                      uint64_t at)
{
    const struct plog_known_order *k;
    bool missed = r->base && !r->base_brought && at == r->base_at;
    for (size_t i = 0;
         !missed && (k = plog_orders_unheld(&w->orders, &i)) != NULL;)
        missed = k->order.at == at;
    return missed;
}

/* Those from `done` on lie behind the log's end: in a group that a crash left
 * unfinished, which orders nothing. */
static int not_reached(struct plog_restoring *r, const struct plog_walk *w,
                       int why, size_t done, struct plog_error *err)
{
    size_t n;
    const uint64_t *list = all(r, &n);
    bool unfinished = why == PLOG_E_TORN && w->chain.last.size >= r->known;
    for (; done < n; done++)
        if (!unfinished || (!plog_restore_forget(r, list[done]) &&
                            is_missed(r, w, list[done]))) {
            plog_fail(err, PLOG_E_NOT_FOUND, "there is no entry %llu",
                      (unsigned long long)list[done]);
            return PLOG_E_NOT_FOUND;
        }
    return 0;
}

int plog_restore_orders(struct plog_restoring *r, struct plog_walk *w,
                        struct plog_error *err)
{
    size_t n, done = 0;
    if (r->report->head.size == 0)
        return 0; /* nothing was restored, which is said elsewhere */
    int rc = list_orders(r, w, err);
    all(r, &n);
    if (rc || n == 0)
        return rc;
    rc = read_on(r, w, &done, err);
    if (rc == PLOG_END || rc == PLOG_E_TORN)
        rc = not_reached(r, w, rc, done, err);
    return rc ? rc : plog_keychain_check(&w->chain.chain, &r->reader.keys, err);
}
