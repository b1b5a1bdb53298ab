/*
 * check_orders.c - orders and compact entries that lines, and the log's
 * beginning, were taken on the word of: those must have been met.
 */
#include <stdio.h>

#include "archive_lines.h"
#include "check.h"
#include "find_line.h"

/* What rests on a file in orders/ whose key is none of the log. */
static void strange(struct plog_check *c, const char *file, uint64_t seq,
                    const char *want, const char *name, const char *key)
{
    char got[120];
    snprintf(got, sizeof got, "orders/%.63s by key %.16s", name, key);
    c->walk.scan.fault.in_orders = true;
    struct plog_finding f = {.verdict = PLOG_E_UNKNOWN_KEY,
                             .leg = PLOG_LEG_LOG,
                             .file = file,
                             .seq = seq,
                             .expected = want,
                             .found = got,
                             .next = plog_check_next(c, PLOG_E_UNKNOWN_KEY)};
    plog_check_find(c, &f);
}

static void no_order(struct plog_check *c, const struct plog_known_order *k)
{
    const struct plog_order *o = &k->order;
    char want[64], file[PLOG_SEGMENT_FILE] = "";
    uint64_t first = 0;
    if (!plog_find_segment(&c->reader.dir, o->seq, &first, NULL) && first)
        plog_segment_file(first, false, file);
    char key[PLOG_KEYID_TEXT];
    const char *in = plog_orders_strange(
        &c->walk.orders, plog_orders_file(&c->walk.orders, k), key);
    if (in) {
        strange(c, file, o->seq, "an order by a key that is trusted here", in,
                key);
        return;
    }
    snprintf(want, sizeof want, "the order at entry %llu",
             (unsigned long long)o->at);
    struct plog_finding f = {.verdict = PLOG_E_TAMPERED,
                             .leg = PLOG_LEG_LOG,
                             .file = file,
                             .seq = o->seq,
                             .expected = want,
                             .found = "a redacted line, and no such order",
                             .next = plog_check_next(c, PLOG_E_TAMPERED)};
    plog_check_find(c, &f);
}

/* A log that begins behind seq 1, and the entry that would let it. */
static void no_floor(struct plog_check *c, const struct plog_known_floor *floor)
{
    char want[64], key[PLOG_KEYID_TEXT];
    const char *in = plog_orders_strange(&c->walk.orders, floor->file, key);
    if (in) {
        strange(c, PLOG_ORDERS_DIR, 1,
                "a compact entry by a key that is trusted here", in, key);
        return;
    }
    snprintf(want, sizeof want, "the compact entry %llu",
             (unsigned long long)floor->entry.at);
    struct plog_finding f = {.verdict = PLOG_E_CORRUPT,
                             .leg = PLOG_LEG_LOG,
                             .file = "log",
                             .seq = 1,
                             .expected = want,
                             .found = "segments that begin behind entry 1, and"
                                      " no such entry",
                             .next = plog_check_next(c, PLOG_E_CORRUPT)};
    plog_check_find(c, &f);
}

/* Only a holder of the key can sign both. */
static void other_root(struct plog_check *c,
                       const struct plog_compaction *floor)
{
    char want[100], got[100], hash[48];
    plog_check_hash(c->walk.orders.floor_root, hash);
    snprintf(want, sizeof want, "root %s, as the header behind it", hash);
    plog_check_hash(floor->root, hash);
    snprintf(got, sizeof got, "a compact entry with root %s", hash);
    struct plog_finding f = {.verdict = PLOG_E_CORRUPT,
                             .leg = PLOG_LEG_LOG,
                             .file = "log",
                             .seq = floor->at,
                             .expected = want,
                             .found = got,
                             .next = plog_check_next(c, PLOG_E_CORRUPT)};
    plog_check_find(c, &f);
}

static void check_floor(struct plog_check *c, bool damaged)
{
    const struct plog_compaction *forks =
        plog_orders_floor_forks(&c->walk.orders);
    if (forks)
        other_root(c, forks);
    const struct plog_known_floor *floor =
        plog_orders_floor_unheld(&c->walk.orders);
    if (!floor)
        return;
    if (c->bounded && floor->entry.at > c->walk.chain.last.size && !floor->file)
        plog_check_unchecked(c, PLOG_LEG_LOG, 1, floor->entry.to,
                             "compacted while the check ran");
    else if (damaged)
        plog_check_unchecked(c, PLOG_LEG_LOG, 1, floor->entry.to,
                             "compacted, and the entry for it lies in damage");
    else
        no_floor(c, floor);
}

/* One that was needed and not met. */
static void check_order(struct plog_check *c, const struct plog_known_order *k,
                        bool damaged)
{
    uint64_t seq = k->order.seq;
    if (c->bounded && k->order.at > c->walk.chain.last.size && !k->file)
        plog_check_unchecked(c, PLOG_LEG_LOG, seq, seq,
                             "redacted while the check ran");
    else if (damaged)
        plog_check_unchecked(c, PLOG_LEG_LOG, seq, seq,
                             "redacted, and the order for it lies in damage");
    else
        no_order(c, k);
}

/* ---- Lines without any --------------------------------------------------- */

/* The last entry that is missing with its whole segment, as lines say that
 * nobody has verified; 0: none is. */
static uint64_t last_missing(struct plog_check *c)
{
    const struct plog_buf *list = &c->walk.segments;
    for (size_t i = plog_segment_count(list); i > 1; i--) {
        uint64_t next = plog_segment_at(list, i - 1);
        uint64_t end = plog_segment_lines_end(
            &c->reader.dir, plog_segment_at(list, i - 2), next - 1);
        if (end && end + 1 < next)
            return next - 1;
    }
    return 0;
}

bool plog_check_hold(struct plog_check *c, int code,
                     const struct plog_error *why)
{
    const struct plog_fault *f = &c->walk.scan.fault;
    struct plog_held h = {.offset = why->offset, .seq = why->seq};
    if (c->quick || code != PLOG_E_TAMPERED || !f->no_order ||
        plog_orders_find(&c->walk.orders, f->seq)) /* it is about another one */
        return false;
    if (!c->missing_known)
        c->last_missing = last_missing(c);
    c->missing_known = true;
    if (c->last_missing <= f->seq)
        return false;
    snprintf(h.file, sizeof h.file, "%.60s", why->file);
    h.next = c->has_head && !c->mends ? plog_check_next(c, code)
                                      : PLOG_CHECK_NO_ORDER;
    return plog_buf_add(&c->held, &h, sizeof h) == 0;
}

void plog_check_tell_held(struct plog_check *c)
{
    const struct plog_held *h = (const void *)c->held.data;
    size_t count = c->held.len / sizeof *h;
    c->held.len = 0;
    for (size_t i = 0; i < count && !c->again && !c->stopped; i++) {
        struct plog_finding f = {
            .verdict = PLOG_E_TAMPERED,
            .leg = PLOG_LEG_LOG,
            .file = h[i].file,
            .has_offset = true,
            .offset = h[i].offset,
            .seq = h[i].seq,
            .found = "a redacted line, and no order for it: that may be in what"
                     " is missing",
            .next = h[i].next};
        plog_check_find(c, &f);
    }
}

int plog_check_orders(struct plog_check *c, struct plog_error *err)
{
    const struct plog_known_order *k;
    plog_check_tell_held(c);
    bool damaged = c->report->counts[-PLOG_E_CORRUPT] ||
                   c->report->counts[-PLOG_E_TAMPERED] || c->strange;
    int rc = plog_orders_settle(&c->walk.orders);
    if (rc)
        return plog_orders_brought_fail(&c->walk.orders, rc, err);
    check_floor(c, damaged);
    for (size_t i = 0; (k = plog_orders_unheld(&c->walk.orders, &i)) != NULL;)
        check_order(c, k, damaged);
    return 0;
}
