/*
 * orders.c - see orders.h: the list, and looking ahead.  The compact entries
 * are in orders_floor.c, what came along in orders_brought.c.
 */
#include "orders.h"

#include <stdlib.h>

#include "scan_window.h"

void plog_orders_init(struct plog_orders *o, const struct plog_io *io,
                      const struct plog_dir *dir,
                      const struct plog_keyring *keys)
{
    memset(o, 0, sizeof *o);
    o->dir = dir;
    o->keys = keys;
    plog_buf_init(&o->list, io);
    plog_buf_init(&o->floors, io);
    plog_buf_init(&o->floor_args, io);
    plog_buf_init(&o->brought, io);
    plog_buf_init(&o->files, io);
    plog_buf_init(&o->ahead, io);
}

void plog_orders_fini(struct plog_orders *o)
{
    plog_buf_fini(&o->list);
    plog_buf_fini(&o->floors);
    plog_buf_fini(&o->floor_args);
    plog_buf_fini(&o->brought);
    plog_buf_fini(&o->files);
    plog_buf_fini(&o->ahead);
}

/* ---- The list ----------------------------------------------------------- */

static struct plog_known_order *all(const struct plog_buf *list)
{
    return (struct plog_known_order *)(void *)list->data;
}

static size_t count(const struct plog_buf *list)
{
    return list->len / sizeof(struct plog_known_order);
}

/* Of both lists. */
static struct plog_known_order *nth(const struct plog_orders *o, size_t i)
{
    size_t own = count(&o->list);
    return i < own                        ? &all(&o->list)[i]
           : i < own + count(&o->brought) ? &all(&o->brought)[i - own]
                                          : NULL;
}

static int by_entry(const void *a, const void *b)
{
    const struct plog_known_order *x = a, *y = b;
    if (x->order.seq != y->order.seq)
        return x->order.seq < y->order.seq ? -1 : 1;
    return (x->order.at > y->order.at) - (x->order.at < y->order.at);
}

int plog_orders_add(struct plog_orders *o, const struct plog_order *order,
                    size_t file)
{
    struct plog_known_order k = {
        .order = *order, .unknown = file != 0, .file = file};
    struct plog_buf *list = file ? &o->brought : &o->list;
    size_t before = count(list);
    int rc = plog_buf_add(list, &k, sizeof k);
    if (!rc && before && by_entry(&all(list)[before - 1], &k) > 0)
        o->unsorted = true;
    return rc;
}

void plog_orders_sort(struct plog_orders *o)
{
    struct plog_buf *both[] = {&o->list, &o->brought};
    for (int i = 0; o->unsorted && i < 2; i++)
        if (both[i]->len)
            qsort(both[i]->data, count(both[i]),
                  sizeof(struct plog_known_order), by_entry);
    o->unsorted = false;
}

size_t plog_orders_from(const struct plog_buf *list, uint64_t seq)
{
    return plog_first_from(list->data, count(list),
                           sizeof(struct plog_known_order),
                           offsetof(struct plog_known_order, order.seq), seq);
}

/* The next one, from `*i` on, that makes this line of entry `seq`. */
static struct plog_known_order *next_fit(const struct plog_buf *list,
                                         uint64_t seq,
                                         const unsigned char *leaf,
                                         const unsigned char *line, size_t *i)
{
    for (; *i < count(list) && all(list)[*i].order.seq == seq; ++*i)
        if (memcmp(all(list)[*i].order.leaf, leaf, PLOG_HASH_SIZE) == 0 &&
            memcmp(all(list)[*i].order.line, line, PLOG_HASH_SIZE) == 0)
            return &all(list)[(*i)++];
    return NULL;
}

/* The first one that makes it, of those that are held, or that count. */
static struct plog_known_order *fitting(const struct plog_orders *o,
                                        uint64_t seq, const unsigned char *leaf,
                                        const unsigned char *line, bool held)
{
    struct plog_known_order *k;
    const struct plog_buf *both[] = {&o->list, &o->brought};
    for (int b = 0; b < 2; b++)
        for (size_t i = plog_orders_from(both[b], seq);
             (k = next_fit(both[b], seq, leaf, line, &i)) != NULL;)
            if (held ? k->held : !k->unknown)
                return k;
    return NULL;
}

void plog_orders_meet(struct plog_orders *o, const struct plog_order *order)
{
    struct plog_known_order *k;
    struct plog_buf *both[] = {&o->list, &o->brought};
    plog_orders_sort(o);
    for (int b = 0; b < 2; b++)
        for (size_t i = plog_orders_from(both[b], order->seq);
             (k = next_fit(both[b], order->seq, order->leaf, order->line, &i));)
            k->held = true;
}

const struct plog_known_order *plog_orders_unheld(const struct plog_orders *o,
                                                  size_t *i)
{
    const struct plog_known_order *k;
    while ((k = nth(o, (*i)++)) != NULL)
        if (k->needed && !k->held &&
            !fitting(o, k->order.seq, k->order.leaf, k->order.line, true))
            return k;
    return NULL;
}

size_t plog_orders_file(const struct plog_orders *o,
                        const struct plog_known_order *unheld)
{
    const struct plog_order *r = &unheld->order;
    const struct plog_known_order *k;
    for (size_t i = plog_orders_from(&o->brought, r->seq);
         (k = next_fit(&o->brought, r->seq, r->leaf, r->line, &i)) != NULL;)
        if (plog_orders_is_strange(o, k->file))
            return k->file;
    return unheld->file;
}

const struct plog_order *plog_orders_above(const struct plog_orders *o,
                                           uint64_t size, size_t *i)
{
    for (; *i < count(&o->list); ++*i)
        if (all(&o->list)[*i].needed && all(&o->list)[*i].order.at > size)
            return &all(&o->list)[(*i)++].order;
    return NULL;
}

/* ---- Looking ahead ------------------------------------------------------ */

static int look_through(struct plog_orders *o, struct plog_scan *s)
{
    struct plog_order order;
    struct plog_span line;
    uint64_t at = 0;
    int rc = 0;
    while (!rc && (rc = plog_window_next(s, &at, &line)) == 0) {
        /* What else it may be, the verified reading says. */
        int is = plog_order_read(&s->parser, line, &order);
        rc = is < 0 ? is
             : is   ? plog_orders_add(o, &order, 0)
                    : plog_orders_keep_floor(o, &s->parser, line, 0);
    }
    return rc < 0 ? rc : 0;
}

/* What cannot be read, now or ever, may hold the order that is asked for: then
 * nobody knows that there is none. */
static int or_unreadable(struct plog_orders *o, int rc)
{
    if (rc != PLOG_E_IO)
        return rc;
    o->unreadable = true;
    return 0;
}

static int look_at_segment(struct plog_orders *o, uint64_t first,
                           int (*look)(struct plog_orders *,
                                       struct plog_scan *))
{
    const struct plog_io *io = o->dir->io;
    struct plog_scan s;
    struct plog_stat st;
    int fd, rc = plog_dir_open_segment(o->dir, first, false, &fd, &st, NULL);
    if (rc) /* of damage, whoever reads the log says so */
        return rc == PLOG_E_IO || rc == PLOG_E_NOMEM ? rc : 0;
    plog_scan_open(&s, io, fd, st.size, false, NULL);
    rc = look(o, &s);
    plog_scan_close(&s);
    io->close(io->ctx, fd);
    return rc;
}

int plog_orders_each_segment(struct plog_orders *o,
                             int (*look)(struct plog_orders *,
                                         struct plog_scan *))
{
    struct plog_buf list;
    if (o->dir->log < 0)
        return 0; /* log/ is gone as a whole: nothing is in it */
    plog_buf_init(&list, o->dir->io);
    int rc = plog_dir_segments(o->dir, &list, NULL);
    if (rc == PLOG_E_CORRUPT)
        rc = 0; /* an odd file, whoever reads the log says so */
    rc = or_unreadable(o, rc);
    for (size_t i = 0; !rc && i < plog_segment_count(&list); i++)
        rc = or_unreadable(o,
                           look_at_segment(o, plog_segment_at(&list, i), look));
    plog_buf_fini(&list);
    return rc;
}

/* ---- Asking ------------------------------------------------------------- */

int plog_orders_load(struct plog_orders *o)
{
    if (o->loaded || !o->dir)
        return o->failed;
    o->loaded = true;
    o->failed = plog_orders_each_segment(o, look_through);
    if (!o->failed)
        o->failed = plog_orders_read_folder(o);
    o->unreadable |= o->read > PLOG_ORDERS_ALL;
    plog_orders_match_floors(o);
    plog_orders_sort(o);
    return o->failed;
}

int plog_orders_doubt(const struct plog_orders *o)
{
    return o->failed ? o->failed : o->unreadable ? PLOG_E_IO : 0;
}

int plog_orders_doubt_fail(const struct plog_orders *o, int rc,
                           const char *what, struct plog_error *err)
{
    if (rc != PLOG_E_IO)
        return plog_fail(err, rc, "out of memory");
    if (o->read <= PLOG_ORDERS_ALL)
        return plog_fail(err, rc, "looking for %s failed", what);
    plog_fail(err, rc, "orders/ cannot be read, and may hold %s", what);
    return plog_orders_name_folder(rc, err);
}

const struct plog_order *plog_orders_find(struct plog_orders *o, uint64_t seq)
{
    if (plog_orders_load(o))
        return NULL;
    plog_orders_sort(o);
    size_t i = plog_orders_from(&o->list, seq);
    const struct plog_known_order *k = all(&o->list);
    return i < count(&o->list) && k[i].order.seq == seq ? &k[i].order : NULL;
}

/* Marks one that makes the line good.  Whether there is any; of those by a key
 * that is not known the file is noted. */
static bool fits(struct plog_orders *o, uint64_t seq, const unsigned char *leaf,
                 const unsigned char *line)
{
    plog_orders_sort(o);
    o->wanted = 0;
    struct plog_known_order *k = fitting(o, seq, leaf, line, false);
    if (k)
        return k->needed = true;
    for (size_t i = plog_orders_from(&o->brought, seq);
         (k = next_fit(&o->brought, seq, leaf, line, &i)) != NULL;)
        if (plog_orders_is_strange(o, k->file))
            o->wanted = k->file;
    return false;
}

/* Adds the orders that were logged since the first look. */
static int load_again(struct plog_orders *o)
{
    struct plog_orders now;
    size_t known = count(&o->list);
    plog_orders_init(&now, o->list.io, o->dir, NULL);
    int rc = plog_orders_load(&now);
    for (size_t i = 0, at = 0; !rc && i < count(&now.list); i++) {
        const struct plog_known_order *k = &all(&now.list)[i];
        while (at < known && by_entry(&all(&o->list)[at], k) < 0)
            at++; /* both are sorted */
        if (at == known || by_entry(&all(&o->list)[at], k) != 0)
            rc = plog_orders_add(o, &k->order, 0);
    }
    o->unreadable |= now.unreadable;
    plog_orders_fini(&now);
    return rc;
}

int plog_orders_need(struct plog_orders *o, uint64_t seq,
                     const unsigned char *leaf, struct plog_span line)
{
    unsigned char hash[PLOG_HASH_SIZE];
    bool fresh = !o->loaded;
    int rc = plog_orders_load(o);
    if (!rc)
        rc = plog_orders_settle(o);
    if (rc)
        return rc;
    plog_sha256(line.p, line.n, hash);
    if (fits(o, seq, leaf, hash))
        return 0;
    if (o->dir && !fresh && !o->settled) {
        rc = load_again(o);
        if (rc)
            return rc;
        if (fits(o, seq, leaf, hash))
            return 0;
        o->settled = true;
    }
    rc = plog_orders_doubt(o);
    return rc ? rc : o->wanted ? PLOG_E_UNKNOWN_KEY : PLOG_E_TAMPERED;
}
