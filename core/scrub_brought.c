/*
 * scrub_brought.c - what to look for in quarantine/, of each entry under an
 * order that came along in orders/; see scrub.h.
 *
 * The store is a function of the log and has no row of such an order, so
 * nothing can be pending: whoever may have set a file aside looks.
 */
#include <errno.h>

#include "orders.h"
#include "scrub.h"

struct brought {
    struct plog_scrub_reach *r;
    struct plog_orders orders;
    struct plog_keychain keys;
    struct plog_entry_parser parser;
    struct plog_buf line, redacted;
    struct plog_buf *targets, *text; /* out: appended */
};

static int add(struct brought *b, uint64_t seq, struct plog_error *err)
{
    struct plog_scrub_target t = {.seq = seq};
    struct plog_error why = {.code = 0};
    b->line.len = 0;
    int rc = seq > b->r->l->head.commit.size
                 ? PLOG_END
                 : plog_scrub_line(b->r, seq, true, &b->line, &why);
    if (rc == PLOG_END || rc == PLOG_E_CORRUPT) /* what is lost, others say */
        return 0;
    if (rc && err)
        *err = why;
    if (rc)
        return rc;
    int is =
        plog_orders_redact(&b->orders, &b->parser, seq,
                           plog_span(b->line.data, b->line.len), &b->redacted);
    if (is < 0)
        return plog_orders_brought_fail(&b->orders, is, err);
    if (!is)
        return 0;
    t.redacted = plog_span(b->redacted.data, b->redacted.len);
    plog_line_leaf(t.redacted, t.leaf);
    return plog_buf_add_span(b->text, t.redacted) ||
                   plog_buf_add(b->targets, &t, sizeof t)
               ? plog_fail(err, PLOG_E_NOMEM, "out of memory")
               : 0;
}

static int find_all(struct brought *b, struct plog_error *err)
{
    const struct plog_known_order *list;
    size_t n;
    uint64_t last = 0;
    int rc = plog_orders_brought(&b->orders, &list, &n);
    if (rc)
        return plog_orders_brought_fail(&b->orders, rc, err);
    for (size_t i = 0; !rc && i < n; i++) {
        if (list[i].order.seq != last)
            rc = add(b, list[i].order.seq, err);
        last = list[i].order.seq;
    }
    return rc;
}

int plog_scrub_learn_brought(struct plog_scrub_reach *r,
                             struct plog_buf *targets, struct plog_buf *text,
                             struct plog_error *err)
{
    struct plog_legs *l = r->l;
    struct brought b = {.r = r, .targets = targets, .text = text};
    struct plog_stat st;
    if (l->io->stat_at(l->io->ctx, l->dir.dir, PLOG_ORDERS_DIR, &st) == -ENOENT)
        return 0; /* as usual */
    plog_orders_init(&b.orders, l->io, &l->dir, &l->keys);
    plog_entry_parser_init(&b.parser, l->io);
    plog_buf_init(&b.line, l->io);
    plog_buf_init(&b.redacted, l->io);
    b.orders.chain = &b.keys;
    int rc = plog_store_keys(&l->store, &l->head, &l->keys, &b.keys, err);
    if (!rc)
        rc = find_all(&b, err);
    plog_buf_fini(&b.redacted);
    plog_buf_fini(&b.line);
    plog_entry_parser_fini(&b.parser);
    plog_orders_fini(&b.orders);
    return rc;
}
