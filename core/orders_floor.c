/*
 * orders_floor.c - the compact entry that lets a log begin behind seq 1: see
 * orders.h.
 */
#include "orders.h"

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
                           struct plog_span line, size_t file)
{
    struct plog_known_floor f = {.unknown = file != 0, .file = file};
    struct plog_entry e;
    int is = plog_compaction_read(parser, line, &f.entry);
    if (is <= 0)
        return is;
    if (plog_entry_parse(parser, line, &e, NULL)) /* it was parsed just now */
        return PLOG_E_NOMEM;
    f.args_at = o->floor_args.len;
    f.args_n = e.args.n;
    int rc = plog_buf_add_span(&o->floor_args, e.args);
    return rc ? rc : plog_buf_add(&o->floors, &f, sizeof f);
}

static bool is_same(const struct plog_orders *o,
                    const struct plog_known_floor *a,
                    const struct plog_known_floor *b)
{
    return a->entry.at == b->entry.at &&
           plog_span_equal(args_of(o, a), args_of(o, b));
}

/* One that stands in the log counts there alone: anybody can prove one that was
 * undone. */
void plog_orders_match_floors(struct plog_orders *o)
{
    struct plog_known_floor *f = floors(o);
    size_t n = o->files.len ? floor_count(o) : 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; f[i].file && !f[i].logged && k < n; k++)
            f[i].logged = !f[k].file && is_same(o, &f[i], &f[k]);
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
    bool claimed = a->file && !a->held, other = b->file && !b->held;
    return claimed == other ? a->entry.at > b->entry.at : other;
}

enum which { ANY, HELD, UNKNOWN }; /* of those there are */

static bool counts(const struct plog_orders *o,
                   const struct plog_known_floor *f, enum which which)
{
    if (f->logged)
        return false;
    if (which == UNKNOWN)
        return f->unknown && plog_orders_is_strange(o, f->file);
    return !f->unknown && (which != HELD || f->held);
}

/* The log's own last one, if it reaches; else one that came along, whose number
 * is that of another log. */
static struct plog_known_floor *reaching(const struct plog_orders *o,
                                         uint64_t size, enum which which)
{
    struct plog_known_floor *last = NULL, *brought = NULL;
    for (size_t i = 0; i < floor_count(o); i++) {
        struct plog_known_floor *f = &floors(o)[i];
        if (!counts(o, f, which))
            continue;
        if (!f->file && (!last || f->entry.at > last->entry.at))
            last = f;
        if (f->file && f->entry.to >= size &&
            (!brought || is_better(f, brought)))
            brought = f;
    }
    return last && last->entry.to >= size ? last : brought;
}

static struct plog_known_floor *setting(const struct plog_orders *o,
                                        uint64_t floor, enum which which)
{
    struct plog_known_floor *best = NULL;
    for (size_t i = 0; i < floor_count(o); i++)
        if (counts(o, &floors(o)[i], which) && floors(o)[i].entry.to == floor &&
            (!best || is_better(&floors(o)[i], best)))
            best = &floors(o)[i];
    return best;
}

typedef struct plog_known_floor *finder(const struct plog_orders *o,
                                        uint64_t size, enum which which);

static const struct plog_compaction *ask(struct plog_orders *o, finder *find,
                                         uint64_t size)
{
    o->wanted = 0;
    if (plog_orders_load(o))
        return NULL;
    o->failed = plog_orders_settle(o);
    if (o->failed)
        return NULL;
    struct plog_known_floor *f = find(o, size, ANY);
    struct plog_known_floor *unknown = f ? NULL : find(o, size, UNKNOWN);
    o->wanted = unknown ? unknown->file : 0;
    return f ? need_floor(o, f) : NULL;
}

const struct plog_compaction *plog_orders_floor(struct plog_orders *o,
                                                uint64_t size)
{
    o->floor_below = size;
    return ask(o, reaching, size);
}

const struct plog_compaction *plog_orders_floor_at(struct plog_orders *o,
                                                   uint64_t floor)
{
    return ask(o, setting, floor);
}

uint64_t plog_orders_floor_seq(struct plog_orders *o, uint64_t size,
                               bool exactly)
{
    if (plog_orders_load(o))
        return 0;
    const struct plog_known_floor *f =
        exactly ? setting(o, size, ANY) : reaching(o, size, ANY);
    return f ? f->entry.at : 0;
}

void plog_orders_meet_floor(struct plog_orders *o, uint64_t seq,
                            struct plog_span args)
{
    for (size_t i = 0; i < floor_count(o); i++)
        if (floors(o)[i].entry.at == seq &&
            plog_span_equal(args, args_of(o, &floors(o)[i])))
            floors(o)[i].held = true;
}

const struct plog_compaction *plog_orders_floor_held(struct plog_orders *o)
{
    struct plog_known_floor *f = reaching(o, o->floor_below, HELD);
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
const struct plog_known_floor *plog_orders_floor_unheld(struct plog_orders *o)
{
    for (size_t i = 0; i < floor_count(o); i++)
        if (floors(o)[i].needed && !floors(o)[i].held)
            return plog_orders_floor_held(o) ? NULL : &floors(o)[i];
    return NULL;
}

bool plog_orders_is_brought_floor(const struct plog_compaction *found)
{
    return ((const struct plog_known_floor *)(const void *)found)->file != 0;
}
