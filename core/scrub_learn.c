/*
 * scrub_learn.c - what to look for, of one entry under an order; see scrub.h.
 *
 * What the store says alone takes nothing away: the log must hold the order,
 * or archive/ where that was compacted away, too.  A segment there is
 * believed as one of the log is here: the order must fit the line to its last
 * bit.
 */
#include "redact.h"
#include "scrub.h"

#include <stdio.h>

void plog_scrub_reach_init(struct plog_scrub_reach *r, struct plog_legs *l)
{
    r->l = l;
    r->all = l->dir;
    r->all.with_archive = true;
    r->lines = (struct plog_finder){.dir = &r->all};
    r->orders = (struct plog_finder){.dir = &r->all};
    r->read_orders = false;
    plog_buf_init(&r->known, l->io);
}

void plog_scrub_reach_close(struct plog_scrub_reach *r)
{
    plog_finder_close(&r->lines);
    plog_finder_close(&r->orders);
    plog_buf_fini(&r->known);
}

int plog_scrub_misfit(uint64_t seq, const char *what, struct plog_error *err)
{
    plog_fail(err, PLOG_E_DIVERGED,
              "redacting entry %llu: %s; its payload is still there",
              (unsigned long long)seq, what);
    plog_err_seq(err, seq);
    plog_err_hint(err, "run: paritylog parity DIR");
    return PLOG_E_DIVERGED;
}

/* A line of the log, or of the archive: there PLOG_END when it cannot be
 * found. */
static int read_logged(struct plog_scrub_reach *r, struct plog_finder *f,
                       uint64_t seq, struct plog_buf *line,
                       struct plog_error *err)
{
    const struct plog_store_head *h = &r->l->head;
    struct plog_error why = {.code = 0};
    int rc = plog_finder_line(f, h->segment, h->offset, seq, line, &why);
    if (rc == PLOG_E_CORRUPT && seq <= h->rules.floor)
        return PLOG_END;
    if (rc && err)
        *err = why;
    return rc;
}

/* ---- The order ---------------------------------------------------------- */

/* Reads the line at `seq`; its own seq is 0 when it is no order.  PLOG_END when
 * it cannot be found where it may be missing. */
static int read_order(struct plog_scrub_reach *r, uint64_t seq,
                      struct plog_order *order, struct plog_error *err)
{
    struct plog_entry_parser parser;
    struct plog_buf line;
    memset(order, 0, sizeof *order);
    plog_buf_init(&line, r->l->io);
    plog_entry_parser_init(&parser, r->l->io);
    int rc = read_logged(r, &r->orders, seq, &line, err);
    int is =
        rc ? 0
           : plog_order_read(&parser, plog_span(line.data, line.len), order);
    if (is < 0)
        rc = plog_fail(err, is, "out of memory");
    else if (is == 0)
        order->seq = 0;
    order->at = seq;
    plog_buf_fini(&line);
    plog_entry_parser_fini(&parser);
    return rc;
}

/* All orders about what is pending, in the order in which they were logged.  Of
 * one that cannot be read, whoever needs it says so. */
static int read_orders(struct plog_scrub_reach *r, struct plog_error *err)
{
    struct plog_buf seqs;
    plog_buf_init(&seqs, r->l->io);
    int rc = plog_store_orders_pending(&r->l->store, &seqs, err);
    const uint64_t *all = (const void *)seqs.data;
    for (size_t i = 0; !rc && i < seqs.len / sizeof *all; i++) {
        struct plog_order order;
        int bad = all[i] > r->l->head.commit.size
                      ? PLOG_END
                      : read_order(r, all[i], &order, NULL);
        if (bad == PLOG_E_NOMEM ||
            (!bad && plog_buf_add(&r->known, &order, sizeof order)))
            rc = plog_fail(err, PLOG_E_NOMEM, "out of memory");
    }
    plog_buf_fini(&seqs);
    r->read_orders = !rc;
    return rc;
}

static int get_order(struct plog_scrub_reach *r, uint64_t seq,
                     struct plog_order *order, struct plog_error *err)
{
    int rc = r->read_orders ? 0 : read_orders(r, err);
    const struct plog_order *all = (const void *)r->known.data;
    size_t n = r->known.len / sizeof *all;
    if (rc)
        return rc;
    size_t i = plog_first_from(all, n, sizeof *all,
                               offsetof(struct plog_order, at), seq);
    if (i == n || all[i].at != seq)
        return read_order(r, seq, order, err);
    *order = all[i];
    return 0;
}

/* Whether the line at `seq` is an order for this target. */
static int is_order(struct plog_scrub_reach *r,
                    const struct plog_scrub_target *t, struct plog_span stored,
                    uint64_t seq, bool *found, struct plog_error *err)
{
    unsigned char hash[PLOG_HASH_SIZE];
    struct plog_order order;
    *found = false;
    if (seq <= t->seq || seq > r->l->head.commit.size)
        return 0;
    int rc = get_order(r, seq, &order, err);
    if (rc)
        return rc == PLOG_END ? 0 : rc;
    plog_sha256(stored.p, stored.n, hash);
    *found = order.seq == t->seq && !memcmp(order.leaf, t->leaf, sizeof hash) &&
             !memcmp(order.line, hash, sizeof hash);
    return 0;
}

/* Returns PLOG_END when one of its orders was compacted away, and none that can
 * be read is about it. */
static int find_order(struct plog_scrub_reach *r,
                      const struct plog_scrub_target *t,
                      struct plog_span stored, struct plog_error *err)
{
    struct plog_buf seqs;
    bool found = false, below = false;
    plog_buf_init(&seqs, r->l->io);
    int rc = plog_store_orders_of(&r->l->store, t->seq, &seqs, err);
    const uint64_t *all = (const void *)seqs.data;
    for (size_t i = 0; !rc && !found && i < seqs.len / sizeof *all; i++) {
        below |= all[i] <= r->l->head.rules.floor;
        rc = is_order(r, t, stored, all[i], &found, err);
    }
    plog_buf_fini(&seqs);
    return rc || found ? rc
           : below     ? PLOG_END
                       : plog_scrub_misfit(t->seq,
                                           "the log holds no order for that", err);
}

/* ---- The line ----------------------------------------------------------- */

/* The log's line must be what the store's redacted one stands for. */
static int compare_logged(struct plog_scrub_reach *r,
                          struct plog_scrub_target *t, struct plog_error *err)
{
    struct plog_entry_parser parser;
    struct plog_entry e = {.seq = 0};
    struct plog_buf line;
    unsigned char leaf[PLOG_HASH_SIZE];
    plog_entry_parser_init(&parser, r->l->io);
    plog_buf_init(&line, r->l->io);
    int rc = read_logged(r, &r->lines, t->seq, &line, err);
    struct plog_span text = plog_span(line.data, line.len);
    if (!rc)
        rc = plog_entry_parse(&parser, text, &e, err);
    if (!rc) {
        plog_line_leaf(text, leaf);
        if (memcmp(leaf, t->leaf, sizeof leaf) != 0)
            rc = plog_scrub_misfit(t->seq, "log and store hold another line",
                                   err);
    }
    if (!rc && !e.redacted)
        snprintf(t->salt, sizeof t->salt, "%.*s", (int)e.salt.n, e.salt.p);
    plog_buf_fini(&line);
    plog_entry_parser_fini(&parser);
    return rc;
}

int plog_scrub_line(struct plog_scrub_reach *r, uint64_t seq, bool gone,
                    struct plog_buf *text, struct plog_error *err)
{
    struct plog_span stored;
    int rc = plog_store_line(&r->l->store, seq, &stored, NULL, err);
    if (!rc && plog_buf_add_span(text, stored))
        rc = plog_fail(err, PLOG_E_NOMEM, "out of memory");
    return rc == PLOG_END && gone ? read_logged(r, &r->lines, seq, text, err)
                                  : rc;
}

/* It is in a snapshot, too, and in a store that was made of that. */
static int is_whole(uint64_t seq, struct plog_error *err)
{
    plog_fail(err, PLOG_E_PRUNED,
              "entry %llu was compacted away, with its payload",
              (unsigned long long)seq);
    plog_err_seq(err, seq);
    return PLOG_E_PRUNED;
}

int plog_scrub_learn(struct plog_scrub_reach *r, struct plog_scrub_target *t,
                     struct plog_buf *text, struct plog_error *err)
{
    bool gone = t->seq <= r->l->head.rules.floor;
    size_t was = text->len;
    int rc = plog_scrub_line(r, t->seq, gone, text, err);
    struct plog_span line = {NULL, 0};
    if (!rc)
        line = plog_span(text->data + was, text->len - was);
    bool redacted = !rc && plog_line_is_redacted(line);
    if (!rc && gone && !redacted)
        rc = is_whole(t->seq, err);
    else if (!gone && (rc == PLOG_END || (!rc && !redacted)))
        rc = plog_scrub_misfit(
            t->seq, "the store does not hold the redacted line", err);
    if (!rc) {
        plog_line_leaf(line, t->leaf);
        t->redacted.n = line.n;
    }
    if (!rc && !gone) /* below, the archive's is redacted or out of reach */
        rc = compare_logged(r, t, err);
    if (!rc)
        rc = find_order(r, t, line, err);
    if (rc)
        text->len = was;
    return rc;
}
