/*
 * merge.c - see merge.h.
 *
 * The members of `over` are listed with their decoded names, and places in
 * that list are sorted by name: each member of `base` finds its partner in
 * O(log n), marks it as used, and what is not marked in the end was new.
 */
#include "merge.h"

struct member {
    struct plog_span raw_name, value;
    size_t name_at, name_n; /* decoded, in names */
    bool used;
};

struct list {
    struct plog_buf members; /* struct member, as written */
    struct plog_buf places;  /* size_t: places in members, by name */
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
    plog_buf_fini(&l->places);
    plog_buf_fini(&l->names);
}

static int list_members(struct list *l, const struct plog_io *io,
                        struct plog_span object)
{
    struct plog_json_walk w;
    struct member m;
    int rc = 0;
    size_t place = 0;
    memset(&m, 0, sizeof m);
    plog_buf_init(&l->members, io);
    plog_buf_init(&l->places, io);
    plog_buf_init(&l->names, io);
    plog_json_walk(&w, object);
    while (!rc && plog_json_next(&w, &m.raw_name, &m.value)) {
        m.name_at = l->names.len;
        rc = plog_json_unescape(m.raw_name, &l->names);
        m.name_n = l->names.len - m.name_at;
        if (!rc)
            rc = plog_buf_add(&l->members, &m, sizeof m);
        if (!rc)
            rc = plog_buf_add(&l->places, &place, sizeof place);
        place++;
    }
    return rc;
}

static struct member *members(const struct list *l, size_t *count)
{
    *count = l->members.len / sizeof(struct member);
    return (struct member *)(void *)l->members.data;
}

static struct plog_span name_at(const struct list *l, size_t place)
{
    size_t n;
    const struct member *m = &members(l, &n)[place];
    return plog_span(m->name_n ? l->names.data + m->name_at : "", m->name_n);
}

static size_t *places(const struct list *l)
{
    return (size_t *)(void *)l->places.data;
}

static void swap(size_t *a, size_t *b)
{
    size_t was = *a;
    *a = *b;
    *b = was;
}

static void sink(const struct list *l, size_t root, size_t n)
{
    size_t *p = places(l);
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && plog_span_compare(name_at(l, p[child]),
                                               name_at(l, p[child + 1])) < 0)
            child++;
        if (plog_span_compare(name_at(l, p[root]), name_at(l, p[child])) >= 0)
            return;
        swap(&p[root], &p[child]);
    }
}

/* A heap sort: qsort_r allocates past the I/O table, and is quadratic at
 * worst when it cannot. */
static void sort_places(const struct list *l)
{
    size_t n = l->places.len / sizeof(size_t), *p = places(l);
    for (size_t i = n / 2; i-- > 0;)
        sink(l, i, n);
    for (size_t i = n; i-- > 1;) {
        swap(&p[0], &p[i]);
        sink(l, 0, i);
    }
}

/* The member of a sorted list with this decoded name, or NULL. */
static struct member *find(const struct list *l, struct plog_span name)
{
    size_t n, low = 0;
    struct member *all = members(l, &n);
    for (size_t high = n; low < high;) {
        size_t mid = low + (high - low) / 2, place = places(l)[mid];
        int order = plog_span_compare(name_at(l, place), name);
        if (order == 0)
            return &all[place];
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

/* `name` is scratch for one decoded name. */
static int put_base(struct merge *m, struct plog_span base,
                    const struct list *over, struct plog_buf *name, bool *first)
{
    struct plog_json_walk w;
    struct plog_span raw, value;
    int rc = 0;
    plog_json_walk(&w, base);
    while (!rc && plog_json_next(&w, &raw, &value)) {
        name->len = 0;
        rc = plog_json_unescape(raw, name);
        if (rc)
            break;
        struct member *o = find(over, plog_span(name->data, name->len));
        rc = put_name(m, *first, raw);
        *first = false;
        if (!rc)
            rc = o ? merge_value(m, value, o->value) : put(m, value.p, value.n);
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
    struct list o;
    struct plog_buf name;
    bool first = true;
    plog_buf_init(&name, m->io);
    int rc = list_members(&o, m->io, over);
    if (!rc) {
        sort_places(&o);
        rc = put(m, "{", 1);
    }
    if (!rc)
        rc = put_base(m, base, &o, &name, &first);
    if (!rc)
        rc = put_new(m, &o, &first);
    if (!rc)
        rc = put(m, "}", 1);
    list_fini(&o);
    plog_buf_fini(&name);
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
