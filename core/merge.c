/*
 * merge.c - see merge.h.
 *
 * The members of both objects are listed with their decoded names; the list
 * of `over` is sorted so that each member of `base` finds its partner in
 * O(log n), and one bit tells which members of `over` were new.
 */
#include "merge.h"

#include <stdlib.h>

struct member {
    struct plog_span raw_name, value;
    size_t name_at, name_n; /* decoded, in names */
    size_t order;           /* as written */
    bool used;
};

struct list {
    struct plog_buf members; /* struct member */
    struct plog_buf names;
};

struct merge {
    const struct plog_io *io;
    struct plog_buf *out;
    size_t start, limit;
};

static int put(struct merge *m, const char *p, size_t n)
{
    if (m->limit && n > m->limit - (m->out->len - m->start))
        return PLOG_E_INPUT;
    return plog_buf_add(m->out, p, n);
}

static void list_fini(struct list *l)
{
    plog_buf_fini(&l->members);
    plog_buf_fini(&l->names);
}

static int list_members(struct list *l, const struct plog_io *io,
                        struct plog_span object)
{
    struct plog_json_walk w;
    struct member m;
    int rc = 0;
    size_t order = 0;
    memset(&m, 0, sizeof m);
    plog_buf_init(&l->members, io);
    plog_buf_init(&l->names, io);
    plog_json_walk(&w, object);
    while (!rc && plog_json_next(&w, &m.raw_name, &m.value)) {
        m.order = order++;
        m.name_at = l->names.len;
        rc = plog_json_unescape(m.raw_name, &l->names);
        m.name_n = l->names.len - m.name_at;
        if (!rc)
            rc = plog_buf_add(&l->members, &m, sizeof m);
    }
    return rc;
}

static struct member *members(const struct list *l, size_t *count)
{
    *count = l->members.len / sizeof(struct member);
    return (struct member *)(void *)l->members.data;
}

static int by_name(const void *x, const void *y, void *names)
{
    const struct member *a = x, *b = y;
    const char *text = names;
    return plog_span_compare(plog_span(text + a->name_at, a->name_n),
                             plog_span(text + b->name_at, b->name_n));
}

static int by_order(const void *x, const void *y)
{
    const struct member *a = x, *b = y;
    return (a->order > b->order) - (a->order < b->order);
}

/* The member of the sorted list with this decoded name, or NULL. */
static struct member *find(const struct list *l, struct plog_span name)
{
    size_t n, low = 0;
    struct member *all = members(l, &n);
    for (size_t high = n; low < high;) {
        size_t mid = low + (high - low) / 2;
        int order = plog_span_compare(
            plog_span(l->names.data + all[mid].name_at, all[mid].name_n), name);
        if (order == 0)
            return &all[mid];
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

static int put_name(struct merge *m, bool first, struct plog_span raw)
{
    int rc = put(m, first ? "\"" : ",\"", first ? 1 : 2);
    if (!rc)
        rc = put(m, raw.p, raw.n);
    return rc ? rc : put(m, "\":", 2);
}

static int merge_objects(struct merge *m, struct plog_span base,
                         struct plog_span over);

static int merge_value(struct merge *m, struct plog_span base,
                       struct plog_span over)
{
    if (plog_json_kind(base) == 'o' && plog_json_kind(over) == 'o')
        return merge_objects(m, base, over);
    return put(m, over.p, over.n);
}

static int put_base(struct merge *m, const struct list *base,
                    const struct list *over, bool *first)
{
    size_t n;
    struct member *b = members(base, &n);
    int rc = 0;
    for (size_t i = 0; !rc && i < n; i++) {
        struct member *o = find(over, plog_span(base->names.data + b[i].name_at,
                                                b[i].name_n));
        rc = put_name(m, *first, b[i].raw_name);
        *first = false;
        if (!rc)
            rc = o ? merge_value(m, b[i].value, o->value)
                   : put(m, b[i].value.p, b[i].value.n);
        if (o)
            o->used = true;
    }
    return rc;
}

static int put_new(struct merge *m, const struct list *over, bool *first)
{
    size_t n;
    struct member *o = members(over, &n);
    int rc = 0;
    if (n)
        qsort(o, n, sizeof *o, by_order);
    for (size_t i = 0; !rc && i < n; i++) {
        if (o[i].used)
            continue;
        rc = put_name(m, *first, o[i].raw_name);
        *first = false;
        if (!rc)
            rc = put(m, o[i].value.p, o[i].value.n);
    }
    return rc;
}

/* Recursion is as deep as the texts, at most PLOG_DEPTH_MAX. */
static int merge_objects(struct merge *m, struct plog_span base,
                         struct plog_span over)
{
    struct list b, o;
    bool first = true;
    size_t n;
    int rc = list_members(&b, m->io, base);
    int rc2 = list_members(&o, m->io, over);
    if (!rc)
        rc = rc2;
    if (!rc) {
        struct member *all = members(&o, &n);
        if (n)
            qsort_r(all, n, sizeof *all, by_name, o.names.data);
        rc = put(m, "{", 1);
    }
    if (!rc)
        rc = put_base(m, &b, &o, &first);
    if (!rc)
        rc = put_new(m, &o, &first);
    if (!rc)
        rc = put(m, "}", 1);
    list_fini(&b);
    list_fini(&o);
    return rc;
}

int plog_merge_json(const struct plog_io *io, struct plog_span base,
                    struct plog_span over, size_t limit, struct plog_buf *out)
{
    struct merge m = {io, out, out->len, limit};
    int rc = merge_value(&m, base, over);
    if (rc)
        out->len = m.start;
    return rc;
}
