/*
 * restore_redact.c - lines that are whole although there is an order to redact
 * them, in a copy that ends below the order: see restore.h.
 *
 * Of such a copy nobody would know that they are under one.  Where the copy
 * ends is known at its end, so they are copied as they are, and their segments
 * written again then.
 */

#include "restore.h"
#include "scrub.h"

#define NEVER UINT64_MAX /* the log does not come to it */

struct whole {
    uint64_t order, segment;
};

static struct whole *all(const struct plog_restoring *r, size_t *count)
{
    *count = r->whole.len / sizeof(struct whole);
    return (struct whole *)(void *)r->whole.data;
}

/* The same lines; the places of their texts are not set at first. */
static struct plog_scrub_target *targets(const struct plog_restoring *r)
{
    return (struct plog_scrub_target *)(void *)r->targets.data;
}

static int add(struct plog_restoring *r, const struct plog_order *o,
               struct whole w, const struct plog_buf *text)
{
    struct plog_scrub_target t = {.seq = o->seq, .redacted.n = text->len};
    memcpy(t.leaf, o->leaf, sizeof t.leaf);
    int rc = plog_buf_add(&r->redacted, text->data, text->len);
    if (!rc)
        rc = plog_buf_add(&r->targets, &t, sizeof t);
    return rc ? rc : plog_buf_add(&r->whole, &w, sizeof w);
}

int plog_restore_note_whole(struct plog_restoring *r, struct plog_walk *w,
                            uint64_t seq, struct plog_span line,
                            struct plog_error *err)
{
    struct plog_order o;
    struct plog_buf text;
    bool own;
    if (plog_line_is_redacted(line))
        return 0;
    plog_buf_init(&text, r->io);
    int rc =
        plog_orders_about(&w->orders, &r->parser, seq, line, &o, &own, &text);
    if (rc > 0)
        rc = add(r, &o, (struct whole){own ? o.at : NEVER, w->first}, &text);
    plog_buf_fini(&text);
    return rc ? plog_orders_brought_fail(&w->orders, rc, err) : 0;
}

int plog_restore_need(struct plog_restoring *r, struct plog_walk *w,
                      struct plog_error *err)
{
    size_t count, kept = 0;
    struct whole *list = all(r, &count);
    const char *text = r->redacted.data;
    int rc = r->redacts ? plog_orders_doubt(&w->orders) : 0;
    if (rc) {
        plog_fail(err, rc, "looking for orders to redact failed");
        plog_err_hint(err, "run: paritylog parity DIR");
        return rc;
    }
    for (size_t i = 0; i < count; i++) {
        struct plog_scrub_target *t = &targets(r)[i];
        t->redacted.p = text;
        text += t->redacted.n;
        if (list[i].order <= r->report->head.size)
            continue; /* the copy has it, and is the original */
        rc = plog_orders_need(&w->orders, t->seq, t->leaf, t->redacted);
        if (rc)
            return plog_fail(err, rc, "the order to redact entry %llu is gone",
                             (unsigned long long)t->seq);
        targets(r)[kept] = *t;
        list[kept++] = list[i];
    }
    r->whole.len = kept * sizeof *list;
    r->targets.len = kept * sizeof *targets(r);
    return 0;
}

bool plog_restore_forget(struct plog_restoring *r, uint64_t order)
{
    size_t count, kept = 0;
    struct whole *list = all(r, &count);
    for (size_t i = 0; i < count; i++) {
        if (list[i].order == order)
            continue;
        targets(r)[kept] = targets(r)[i];
        list[kept++] = list[i];
    }
    r->whole.len = kept * sizeof *list;
    r->targets.len = kept * sizeof *targets(r);
    return kept < count;
}

int plog_restore_redact(struct plog_restoring *r, struct plog_error *err)
{
    char name[PLOG_SEGMENT_NAME];
    uint64_t hits;
    size_t count;
    int rc = 0;
    struct whole *list = all(r, &count);
    for (size_t i = 0, next; !rc && i < count; i = next) {
        next = i + 1;
        while (next < count && list[next].segment == list[i].segment)
            next++;
        plog_segment_name(list[i].segment, name);
        rc = plog_scrub_lines(r->io, r->place.dir.log, name, &targets(r)[i],
                              next - i, &hits);
    }
    return rc ? plog_fail_segment(err, rc, plog_segment_parse(name),
                                  "writing a segment again")
              : 0;
}
