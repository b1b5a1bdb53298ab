/*
 * parity_redact.c - redacted lines and the orders for them.
 *
 * The store follows an order at once and the log's line is replaced later, so
 * for a while the log has the whole line and the store the redacted one; and
 * a store that stands below the order still has the whole line when the log
 * has not.  Both are one entry: the leaf is the same, and the order says so.
 * Both legs whole under an order that came along are pending, too; where its
 * key is met further on, that is known at the end.
 */
#include <stdio.h>
#include <stdlib.h>

#include "parity.h"

static void count_pending(struct plog_parity *p, uint64_t seq)
{
    struct plog_check_report *r = p->c->report;
    if (r->pending++ == 0 || seq < r->pending_at)
        r->pending_at = seq;
}

static int note_pending(struct plog_parity *p, uint64_t seq,
                        struct plog_error *err)
{
    count_pending(p, seq);
    return plog_buf_add(&p->noted, &seq, sizeof seq)
               ? plog_fail(err, PLOG_E_NOMEM, "out of memory")
               : 0;
}

int plog_parity_redacted(struct plog_parity *p, uint64_t seq,
                         struct plog_span stored, struct plog_span *line,
                         bool *same, struct plog_error *err)
{
    struct plog_orders *orders = &p->c->walk.orders;
    unsigned char logged[PLOG_HASH_SIZE], own[PLOG_HASH_SIZE];
    bool here = plog_line_is_redacted(stored);
    if (here == plog_line_is_redacted(*line))
        return 0;
    plog_line_leaf(stored, own);
    plog_line_leaf(*line, logged);
    if (memcmp(own, logged, sizeof own) != 0)
        return 0;
    if (here) { /* the log's is whole yet */
        int rc = plog_orders_need(orders, seq, own, stored);
        if (rc == PLOG_E_TAMPERED || rc == PLOG_E_UNKNOWN_KEY)
            return 0;
        if (rc)
            return plog_fail(err, rc, "looking for orders to redact failed");
        rc = note_pending(p, seq, err);
        if (rc)
            return rc;
    } else {
        const struct plog_order *o = plog_orders_find(orders, seq);
        if (!o || o->at <= p->c->head.commit.size)
            return 0; /* the store should have followed it */
    }
    *line = stored;
    *same = true;
    return 0;
}

/* Of an order in the log the store has a row, which is compared where the order
 * stands.  Of one that came along it has none. */
int plog_parity_whole(struct plog_parity *p, uint64_t seq,
                      struct plog_span line, bool *pending,
                      struct plog_error *err)
{
    struct plog_orders *orders = &p->c->walk.orders;
    struct plog_order claimed;
    struct plog_buf redacted;
    plog_buf_init(&redacted, p->c->reader.io);
    int is = plog_orders_redact(orders, &p->parser, seq, line, &redacted);
    bool proven = is > 0;
    plog_buf_fini(&redacted);
    if (is == 0)
        is = plog_orders_claim(orders, &p->parser, seq, line, &claimed);
    *pending = is > 0 && !plog_line_is_redacted(line);
    if (is < 0)
        return plog_orders_brought_fail(orders, is, err);
    if (!*pending || p->c->quick)
        return 0;
    if (proven)
        return note_pending(p, seq, err);
    if (plog_buf_add(&p->claimed, &claimed, sizeof claimed))
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    return 0;
}

static bool is_held(const struct plog_order *o,
                    const struct plog_known_order *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (list[i].held && list[i].order.seq == o->seq &&
            !memcmp(list[i].order.leaf, o->leaf, sizeof o->leaf) &&
            !memcmp(list[i].order.line, o->line, sizeof o->line))
            return true;
    return false;
}

int plog_parity_claimed(struct plog_parity *p, struct plog_error *err)
{
    const struct plog_order *all = (const void *)p->claimed.data;
    const struct plog_known_order *list;
    size_t n, count = p->claimed.len / sizeof *all;
    int rc = count ? plog_orders_brought(&p->c->walk.orders, &list, &n) : 0;
    if (rc)
        return plog_orders_brought_fail(&p->c->walk.orders, rc, err);
    for (size_t i = 0; !rc && i < count; i++)
        if (is_held(&all[i], list, n))
            rc = note_pending(p, all[i].seq, err);
    return rc;
}

static int by_seq(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

int plog_parity_pending(struct plog_parity *p, struct plog_error *err)
{
    struct plog_buf targets;
    uint64_t *noted = (void *)p->noted.data;
    size_t n = p->noted.len / sizeof *noted;
    plog_buf_init(&targets, p->c->reader.io);
    int rc = plog_store_pending(&p->c->reader.store, &targets, err);
    const uint64_t *all = (const void *)targets.data;
    if (n)
        qsort(noted, n, sizeof *noted, by_seq);
    for (size_t i = 0; !rc && i < targets.len / sizeof *all; i++)
        if (!n || !bsearch(&all[i], noted, n, sizeof *noted, by_seq))
            count_pending(p, all[i]);
    plog_buf_fini(&targets);
    return rc;
}

static int check_row(struct plog_parity *p, const struct plog_order *o,
                     struct plog_error *err)
{
    uint64_t target;
    char want[64];
    int rc = plog_sql_number(p->db,
                             "SELECT target FROM main.redactions WHERE seq=?1",
                             o->at, 0, &target, err);
    if (rc == PLOG_END || (!rc && target != o->seq)) {
        snprintf(want, sizeof want, "redaction of entry %llu",
                 (unsigned long long)o->seq);
        plog_parity_find(p, PLOG_E_DIVERGED, o->at, want,
                         rc ? "none" : "another");
        rc = 0;
    }
    return rc;
}

int plog_parity_order(struct plog_parity *p, const struct plog_entry *e,
                      struct plog_error *err)
{
    struct plog_order o;
    struct plog_span line;
    unsigned char hash[PLOG_HASH_SIZE];
    if (plog_order_parse(e, &o))
        return plog_fail(err, PLOG_E_CORRUPT, "a redact entry makes no sense");
    p->rules.redactions++;
    /* Also where the store proved a group that is damaged in the log. */
    plog_orders_meet(&p->c->walk.orders, &o);
    int rc = plog_parity_stored(p, o.seq, &line, err);
    if (rc < 0)
        return rc;
    if (rc == 0) { /* a missing row was told already */
        plog_sha256(line.p, line.n, hash);
        if (memcmp(hash, o.line, sizeof hash) != 0)
            plog_parity_find(p, PLOG_E_DIVERGED, o.seq,
                             "the redacted line that the order makes",
                             "another line");
    }
    return check_row(p, &o, err);
}

int plog_parity_redactions(struct plog_parity *p, struct plog_error *err)
{
    uint64_t rows;
    char want[64], got[64];
    int rc = plog_sql_number(
        p->db, "SELECT count(*) FROM main.redactions WHERE seq>=?1",
        p->partial ? p->first : (uint64_t)INT64_MIN, 0, &rows, err);
    if (rc || rows == p->rules.redactions)
        return rc;
    snprintf(want, sizeof want, "%llu redactions",
             (unsigned long long)p->rules.redactions);
    snprintf(got, sizeof got, "%llu rows", (unsigned long long)rows);
    plog_parity_find(p, PLOG_E_DIVERGED, 0, want, got);
    return 0;
}
