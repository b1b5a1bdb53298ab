/*
 * parity_tally_fold.c - a part that was noted is folded in memory: see
 * parity_tally.h.
 */
#include "parity_tally_item.h"

/* A record as far as its entries were read; an item as a row would be noted,
 * and whether its row was met. */
struct record {
    struct plog_tally_item now; /* last 0: the slot is free */
    bool absent, met;
};

/* A part under way: every `passes`th record, from `pass` on. */
struct part {
    struct record *slots;
    size_t mask, used;
    unsigned passes, pass;
    bool full, differs;
};

static struct record *find(struct part *p, const uint64_t key[2])
{
    size_t at = (size_t)key[1] & p->mask;
    while (p->slots[at].now.last && (p->slots[at].now.key[0] != key[0] ||
                                     p->slots[at].now.key[1] != key[1]))
        at = (at + 1) & p->mask;
    return &p->slots[at];
}

/* As plog_fold_logged decides; `r` is before the entry. */
static bool applies(const struct record *r, const struct plog_tally_item *i)
{
    const struct plog_tally_item *now = &r->now;
    bool none = seq_of(now) == 0;
    switch ((enum plog_strategy)(kind_of(i) / STRATEGY)) {
    case PLOG_LAST_WRITE_WINS: /* of one origin: a tie goes to the later one */
        return none || i->seconds > now->seconds ||
               (i->seconds == now->seconds && i->nanos >= now->nanos);
    case PLOG_HIGHEST_CONFIDENCE:
        return none || i->confidence >= now->confidence;
    case PLOG_KEEP_LOCAL:
        return none || r->absent;
    case PLOG_CUSTOM: /* who decided is gone */
        return !(kind_of(i) & SKIPPED);
    case PLOG_ARRIVAL:
    case PLOG_MERGE_JSON:
        break;
    }
    return true;
}

static void count_new(struct part *p)
{
    p->used++;
    p->full = p->used > p->mask / 4 * 3;
}

/* No snapshot has a record twice. */
static void begin_with(struct part *p, struct record *r,
                       const struct plog_tally_item *i)
{
    p->differs |= r->now.last != 0;
    count_new(p);
    r->now = *i;
    r->now.seq_and_kind = seq_of(i);
    r->absent = kind_of(i) & ABSENT;
}

static void fold_entry(struct part *p, struct record *r,
                       const struct plog_tally_item *i)
{
    struct plog_tally_item before = r->now;
    bool skipped = kind_of(i) & SKIPPED;
    if (before.last == 0)
        count_new(p);
    if (i->last != before.last || applies(r, i) == skipped)
        p->differs = true;
    if (!skipped) {
        r->now = *i;
        r->now.version = before.version + 1;
        r->now.seq_and_kind = seq_of(i);
        r->absent = kind_of(i) & ABSENT;
    } else if (before.last == 0) { /* none applied: a row of zeros */
        memset(&r->now, 0, sizeof r->now);
        memcpy(r->now.key, i->key, sizeof i->key);
    }
    r->now.last = seq_of(i);
}

static void meet_row(struct part *p, struct record *r,
                     const struct plog_tally_item *row)
{
    struct plog_tally_item want = r->now;
    want.seq_and_kind |= (uint64_t)ROW << SEQ_BITS;
    if (r->now.last == 0 || r->met || memcmp(&want, row, sizeof want) != 0)
        p->differs = true;
    r->met = true;
}

static void fold_items(struct part *p, const struct plog_tally_item *i,
                       size_t n)
{
    for (; n > 0 && !p->full && !p->differs; n--, i++) {
        if (p->passes > 1 && (uint32_t)i->key[0] % p->passes != p->pass)
            continue;
        struct record *r = find(p, i->key);
        if (kind_of(i) & ROW)
            meet_row(p, r, i);
        else if (kind_of(i) & BASE)
            begin_with(p, r, i);
        else
            fold_entry(p, r, i);
    }
}

static int fold_part(struct plog_tally *t, unsigned number, struct part *p,
                     struct plog_error *err)
{
    int rc = 0;
    memset(p->slots, 0, (p->mask + 1) * sizeof *p->slots);
    p->used = 0;
    p->full = false;
    for (uint64_t i = 0; !rc && i < t->spilled[number]; i++) {
        sqlite3_bind_int64(t->get, 1, place_of(number, i));
        rc = plog_sql_row(t->get, err);
        struct plog_span all =
            rc ? plog_span(NULL, 0) : plog_sql_text(t->get, 0);
        if (!rc && all.n != HELD * sizeof *t->items)
            rc = PLOG_END;
        if (rc == PLOG_END)
            rc = plog_fail(err, PLOG_E_IO,
                           "SQLite lost what was written to"
                           " its temporary database");
        if (!rc)
            fold_items(p, (const void *)all.p, HELD);
        sqlite3_reset(t->get);
    }
    if (!rc)
        fold_items(p, buffer_of(t, number), t->held[number]);
    return rc;
}

static void count_met(struct part *p, bool without_rows, uint64_t *records)
{
    size_t met = 0;
    for (size_t i = 0; i <= p->mask; i++)
        met += p->slots[i].now.last && p->slots[i].met;
    if (met != p->used && !without_rows)
        p->differs = true;
    *records += met;
}

/* Room for as many records as there may be, up to a limit. */
static int make_table(struct plog_tally *t, unsigned number, struct part *p,
                      struct plog_error *err)
{
    uint64_t n = t->spilled[number] * HELD + t->held[number];
    size_t slots = 64;
    while (slots < t->slots_max && slots < 2 * n)
        slots *= 2;
    t->table.len = 0;
    if (plog_buf_reserve(&t->table, slots * sizeof(struct record)))
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    p->slots = (struct record *)(void *)t->table.data;
    p->mask = slots - 1;
    return 0;
}

int plog_tally_end(struct plog_tally *t, bool *agrees, uint64_t *records,
                   struct plog_error *err)
{
    int rc = 0;
    *records = 0;
    *agrees = !t->given_up;
    for (unsigned n = 0; !rc && *agrees && n < PLOG_TALLY_PARTS; n++) {
        struct part p = {.passes = 1};
        uint64_t count = 0;
        rc = make_table(t, n, &p, err);
        while (!rc && !p.differs && p.pass < p.passes) {
            rc = fold_part(t, n, &p, err);
            if (rc || p.differs)
                break;
            if (p.full) { /* from the start, with fewer at a time */
                p.passes *= 2;
                p.pass = 0;
                count = 0;
                continue;
            }
            count_met(&p, t->without_rows, &count);
            p.pass++;
        }
        *records += count;
        *agrees = !p.differs;
    }
    return rc;
}
