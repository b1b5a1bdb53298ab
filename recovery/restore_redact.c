/*
 * restore_redact.c - lines that are whole although there is an order to redact
 * them, in a copy that ends below the order: see restore.h.
 *
 * Of such a copy nobody would know that they are under one.  Where the copy
 * ends is known at its end, so they are copied as they are, and their segments
 * written again then.
 */
#include <stdio.h>

#include "restore.h"
#include "scrub.h"

struct whole {
    struct plog_scrub_target target; /* the text's place is not set yet */
    uint64_t order, segment;
};

static struct whole *all(const struct plog_restoring *r, size_t *count)
{
    *count = r->whole.len / sizeof(struct whole);
    return (struct whole *)(void *)r->whole.data;
}

/* An order that is about another line is not this one's. */
static int note(struct plog_restoring *r, const struct plog_order *o,
                uint64_t segment, struct plog_span line, struct plog_error *err)
{
    struct whole w = {.order = o->at, .segment = segment};
    struct plog_entry e;
    struct plog_buf text;
    plog_buf_init(&text, r->io);
    w.target.seq = o->seq;
    memcpy(w.target.leaf, o->leaf, sizeof w.target.leaf);
    int rc = plog_entry_parse(&r->parser, line, &e, err);
    if (!rc) {
        rc = plog_order_apply(o, line, &e, &text);
        w.target.redacted.n = text.len;
        if (!rc)
            rc = plog_buf_add(&r->redacted, text.data, text.len);
        if (!rc)
            rc = plog_buf_add(&r->whole, &w, sizeof w);
        if (rc == PLOG_E_NOMEM)
            plog_fail(err, rc, "out of memory");
    }
    plog_buf_fini(&text);
    return rc == PLOG_E_CORRUPT ? 0 : rc;
}

int plog_restore_note_whole(struct plog_restoring *r, struct plog_walk *w,
                            uint64_t seq, struct plog_span line,
                            struct plog_error *err)
{
    const struct plog_order *o = plog_orders_find(&w->orders, seq);
    return !o || plog_line_is_redacted(line) ? 0
                                             : note(r, o, w->first, line, err);
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
        struct whole *l = &list[i];
        l->target.redacted.p = text;
        text += l->target.redacted.n;
        if (l->order <= r->report->head.size)
            continue; /* the copy has it, and is the original */
        rc = plog_orders_need(&w->orders, l->target.seq, l->target.leaf,
                              l->target.redacted);
        if (rc)
            return plog_fail(err, rc, "the order to redact entry %llu is gone",
                             (unsigned long long)l->target.seq);
        list[kept++] = *l;
    }
    r->whole.len = kept * sizeof *list;
    return 0;
}

int plog_restore_redact(struct plog_restoring *r, struct plog_error *err)
{
    char name[PLOG_SEGMENT_NAME];
    uint64_t hits;
    size_t count;
    int rc = 0;
    struct whole *list = all(r, &count);
    for (size_t i = 0; !rc && i < count; i++) {
        plog_segment_name(list[i].segment, name);
        rc = plog_scrub_lines(r->io, r->place.dir.log, name, &list[i].target, 1,
                              false, &hits);
    }
    return rc ? plog_fail_io(err, rc, name, "writing a segment again") : 0;
}
