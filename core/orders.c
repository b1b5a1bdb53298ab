/* orders.c - see orders.h. */
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
    plog_buf_init(&o->ahead, io);
}

void plog_orders_fini(struct plog_orders *o)
{
    plog_buf_fini(&o->list);
    plog_buf_fini(&o->floors);
    plog_buf_fini(&o->floor_args);
    plog_buf_fini(&o->brought);
    plog_buf_fini(&o->ahead);
}

static int load(struct plog_orders *o);

/* ---- The list ----------------------------------------------------------- */

static struct plog_known_order *all(const struct plog_orders *o)
{
    return (struct plog_known_order *)(void *)o->list.data;
}

static size_t count(const struct plog_orders *o)
{
    return o->list.len / sizeof(struct plog_known_order);
}

static enum plog_order_from from_where(const struct plog_known_order *k)
{
    return !k->brought ? PLOG_ORDER_LOGGED
           : k->held   ? PLOG_ORDER_PROVEN
                       : PLOG_ORDER_CLAIMED;
}

static int by_entry(const void *a, const void *b)
{
    const struct plog_known_order *x = a, *y = b;
    if (x->order.seq != y->order.seq)
        return x->order.seq < y->order.seq ? -1 : 1;
    return (x->order.at > y->order.at) - (x->order.at < y->order.at);
}

int plog_orders_add(struct plog_orders *o, const struct plog_order *order,
                    enum plog_order_from from)
{
    struct plog_known_order k = {.order = *order,
                                 .held = from == PLOG_ORDER_PROVEN,
                                 .brought = from != PLOG_ORDER_LOGGED};
    int rc = plog_buf_add(&o->list, &k, sizeof k);
    if (!rc && count(o) > 1 && by_entry(&all(o)[count(o) - 2], &k) > 0)
        qsort(o->list.data, count(o), sizeof k, by_entry);
    return rc;
}

/* The first one about entry `seq`, or count. */
static size_t lower_bound(const struct plog_orders *o, uint64_t seq)
{
    size_t low = 0, high = count(o);
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (all(o)[mid].order.seq < seq)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

void plog_orders_meet(struct plog_orders *o, const struct plog_order *order)
{
    for (size_t i = lower_bound(o, order->seq);
         i < count(o) && all(o)[i].order.seq == order->seq; i++)
        if (memcmp(all(o)[i].order.leaf, order->leaf, PLOG_HASH_SIZE) == 0 &&
            memcmp(all(o)[i].order.line, order->line, PLOG_HASH_SIZE) == 0)
            all(o)[i].held = true;
}

const struct plog_order *plog_orders_unheld(const struct plog_orders *o,
                                            size_t *i)
{
    for (; *i < count(o); ++*i)
        if (all(o)[*i].needed && !all(o)[*i].held)
            return &all(o)[(*i)++].order;
    return NULL;
}

const struct plog_order *plog_orders_above(const struct plog_orders *o,
                                           uint64_t size, size_t *i)
{
    for (; *i < count(o); ++*i)
        if (all(o)[*i].needed && !all(o)[*i].brought &&
            all(o)[*i].order.at > size)
            return &all(o)[(*i)++].order;
    return NULL;
}

/* ---- The floor ---------------------------------------------------------- */

static struct plog_known_floor *floors(const struct plog_orders *o)
{
    return (struct plog_known_floor *)(void *)o->floors.data;
}

static size_t floor_count(const struct plog_orders *o)
{
    return o->floors.len / sizeof(struct plog_known_floor);
}

static struct plog_span args_of(const struct plog_orders *o,
                                const struct plog_known_floor *f)
{
    return plog_span(o->floor_args.data + f->args_at, f->args_n);
}

int plog_orders_keep_floor(struct plog_orders *o,
                           struct plog_entry_parser *parser,
                           struct plog_span line, enum plog_order_from from)
{
    bool brought = from != PLOG_ORDER_LOGGED;
    struct plog_known_floor f = {.brought = brought,
                                 .held = from == PLOG_ORDER_PROVEN};
    struct plog_entry e;
    int is = plog_compaction_read(parser, line, &f.entry);
    if (is <= 0)
        return is;
    if (plog_entry_parse(parser, line, &e, NULL)) /* it was parsed just now */
        return PLOG_E_NOMEM;
    /* One that stands in the log counts there alone: anybody can prove one
     * that was undone. */
    for (size_t i = 0; brought && i < floor_count(o); i++)
        if (!floors(o)[i].brought && floors(o)[i].entry.at == f.entry.at &&
            plog_span_equal(e.args, args_of(o, &floors(o)[i])))
            return 0;
    f.args_at = o->floor_args.len;
    f.args_n = e.args.n;
    int rc = plog_buf_add_span(&o->floor_args, e.args);
    return rc ? rc : plog_buf_add(&o->floors, &f, sizeof f);
}

/* The entry again, with spans into our copy, which no longer moves. */
static const struct plog_compaction *need_floor(struct plog_orders *o,
                                                struct plog_known_floor *f)
{
    struct plog_entry e = {.seq = f->entry.at, .args = args_of(o, f)};
    o->failed = plog_compaction_parse(&e, o->floors.io, &f->entry);
    if (o->failed)
        return NULL;
    f->needed = true;
    return &f->entry;
}

/* What is only claimed never stands before what is proven. */
static bool is_better(const struct plog_known_floor *a,
                      const struct plog_known_floor *b)
{
    bool claimed = a->brought && !a->held, other = b->brought && !b->held;
    return claimed == other ? a->entry.at > b->entry.at : other;
}

/* The log's own last one, if it reaches; else one that came along, whose number
 * is that of another log.  @held  of those that were met */
static struct plog_known_floor *reaching(const struct plog_orders *o,
                                         uint64_t size, bool held)
{
    struct plog_known_floor *last = NULL, *brought = NULL;
    for (size_t i = 0; i < floor_count(o); i++) {
        struct plog_known_floor *f = &floors(o)[i];
        if (held && !f->held)
            continue;
        if (!f->brought && (!last || f->entry.at > last->entry.at))
            last = f;
        if (f->brought && f->entry.to >= size &&
            (!brought || is_better(f, brought)))
            brought = f;
    }
    return last && last->entry.to >= size ? last : brought;
}

static struct plog_known_floor *setting(const struct plog_orders *o,
                                        uint64_t floor)
{
    struct plog_known_floor *best = NULL;
    for (size_t i = 0; i < floor_count(o); i++)
        if (floors(o)[i].entry.to == floor &&
            (!best || is_better(&floors(o)[i], best)))
            best = &floors(o)[i];
    return best;
}

const struct plog_compaction *plog_orders_floor(struct plog_orders *o,
                                                uint64_t size)
{
    struct plog_known_floor *f = load(o) ? NULL : reaching(o, size, false);
    o->floor_below = size;
    return f ? need_floor(o, f) : NULL;
}

const struct plog_compaction *plog_orders_floor_at(struct plog_orders *o,
                                                   uint64_t floor)
{
    struct plog_known_floor *f = load(o) ? NULL : setting(o, floor);
    return f ? need_floor(o, f) : NULL;
}

bool plog_orders_has_floor(struct plog_orders *o, uint64_t size, bool exactly)
{
    return !load(o) && (exactly ? setting(o, size) : reaching(o, size, false));
}

void plog_orders_meet_floor(struct plog_orders *o, uint64_t seq,
                            struct plog_span args)
{
    for (size_t i = 0; i < floor_count(o); i++)
        if (floors(o)[i].entry.at == seq &&
            plog_span_equal(args, args_of(o, &floors(o)[i])))
            floors(o)[i].held = true;
}

void plog_orders_hold_floors(struct plog_orders *o,
                             const struct plog_orders *proven)
{
    for (size_t i = 0; i < floor_count(o); i++)
        for (size_t k = 0; k < floor_count(proven); k++) {
            const struct plog_known_floor *p = &floors(proven)[k];
            struct plog_known_floor *f = &floors(o)[i];
            if (f->brought && p->held && f->entry.at == p->entry.at &&
                plog_span_equal(args_of(o, f), args_of(proven, p)))
                f->held = true;
        }
}

const struct plog_compaction *plog_orders_floor_held(struct plog_orders *o)
{
    struct plog_known_floor *f = reaching(o, o->floor_below, true);
    return f ? need_floor(o, f) : NULL;
}

const struct plog_compaction *plog_orders_floor_forks(struct plog_orders *o)
{
    const struct plog_compaction *c =
        o->floor_root_at ? plog_orders_floor_held(o) : NULL;
    return c && c->to == o->floor_root_at &&
                   memcmp(c->root, o->floor_root, PLOG_HASH_SIZE) != 0
               ? c
               : NULL;
}

/* One in an unfinished group is none of the log; then the one before it must
 * do. */
const struct plog_compaction *plog_orders_floor_unheld(struct plog_orders *o)
{
    for (size_t i = 0; i < floor_count(o); i++)
        if (floors(o)[i].needed && !floors(o)[i].held)
            return plog_orders_floor_held(o) ? NULL : &floors(o)[i].entry;
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
             : is   ? plog_orders_add(o, &order, PLOG_ORDER_LOGGED)
                    : plog_orders_keep_floor(o, &s->parser, line,
                                             PLOG_ORDER_LOGGED);
    }
    return rc < 0 ? rc : 0;
}

/* What cannot be read, now or ever, may hold the order that is asked for: then
 * nobody knows that there is none. */
int plog_orders_or_unreadable(struct plog_orders *o, int rc)
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
    rc = plog_orders_or_unreadable(o, rc);
    for (size_t i = 0; !rc && i < plog_segment_count(&list); i++)
        rc = plog_orders_or_unreadable(
            o, look_at_segment(o, plog_segment_at(&list, i), look));
    plog_buf_fini(&list);
    return rc;
}

/* ---- Asking ------------------------------------------------------------- */

static int load(struct plog_orders *o)
{
    if (o->loaded || !o->dir)
        return o->failed;
    o->loaded = true;
    o->failed = plog_orders_each_segment(o, look_through);
    if (!o->failed)
        o->failed = plog_orders_look_at_brought(o);
    return o->failed;
}

int plog_orders_doubt(const struct plog_orders *o)
{
    return o->failed ? o->failed : o->unreadable ? PLOG_E_IO : 0;
}

const struct plog_order *plog_orders_find(struct plog_orders *o, uint64_t seq)
{
    if (load(o))
        return NULL;
    size_t i = lower_bound(o, seq);
    return i < count(o) && all(o)[i].order.seq == seq ? &all(o)[i].order : NULL;
}

bool plog_orders_any_claimed(const struct plog_orders *o)
{
    bool any = false;
    for (size_t i = 0; i < count(o); i++)
        any |= from_where(&all(o)[i]) == PLOG_ORDER_CLAIMED;
    for (size_t i = 0; i < floor_count(o); i++)
        any |= floors(o)[i].brought && !floors(o)[i].held;
    return any;
}

bool plog_orders_is_brought(const struct plog_order *found)
{
    return ((const struct plog_known_order *)(const void *)found)->brought;
}

bool plog_orders_is_brought_floor(const struct plog_compaction *found)
{
    return ((const struct plog_known_floor *)(const void *)found)->brought;
}

/* Marks the orders that make the line good.  Whether there is one. */
static bool fits(struct plog_orders *o, uint64_t seq, const unsigned char *leaf,
                 const unsigned char *line)
{
    for (size_t i = lower_bound(o, seq);
         i < count(o) && all(o)[i].order.seq == seq; i++)
        if (memcmp(all(o)[i].order.leaf, leaf, PLOG_HASH_SIZE) == 0 &&
            memcmp(all(o)[i].order.line, line, PLOG_HASH_SIZE) == 0) {
            all(o)[i].needed = true;
            return true;
        }
    return false;
}

static bool is_known(const struct plog_orders *o, const struct plog_order *k)
{
    for (size_t i = lower_bound(o, k->seq);
         i < count(o) && all(o)[i].order.seq == k->seq; i++)
        if (all(o)[i].order.at == k->at &&
            memcmp(all(o)[i].order.leaf, k->leaf, PLOG_HASH_SIZE) == 0 &&
            memcmp(all(o)[i].order.line, k->line, PLOG_HASH_SIZE) == 0)
            return true;
    return false;
}

/* Adds the orders that were logged since the first look. */
static int load_again(struct plog_orders *o)
{
    struct plog_orders now;
    plog_orders_init(&now, o->list.io, o->dir, o->keys);
    now.for_ = o;
    int rc = load(&now);
    for (size_t i = 0; !rc && i < count(&now); i++)
        if (!is_known(o, &all(&now)[i].order))
            rc = plog_orders_add(o, &all(&now)[i].order,
                                 from_where(&all(&now)[i]));
    o->unreadable |= now.unreadable;
    plog_orders_fini(&now);
    return rc;
}

int plog_orders_need(struct plog_orders *o, uint64_t seq,
                     const unsigned char *leaf, struct plog_span line)
{
    unsigned char hash[PLOG_HASH_SIZE];
    bool fresh = !o->loaded;
    int rc = load(o);
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
    return rc ? rc : PLOG_E_TAMPERED;
}
