/* shared_queue.c - see shared_queue.h. */
#include "shared_queue.h"

#include <stdatomic.h>

#include "engine.h"

/* ---- The owner's side --------------------------------------------------- */

void plog_shared_join(plog *p)
{
    struct plog_dir *d = &p->legs.dir;
    bool real = p->io->lock_byte == plog_io_posix()->lock_byte;
    if (plog_slots_own(&d->slots) || d->waits < d->join_at || !real)
        return;
    if (!plog_slots_join(&d->slots, p->io, d->dir, d->lock))
        d->join_at = 2 * d->waits;
}

/* Whether others can see to it: nothing of the caller's runs on the way, and
 * it fits. */
static bool fits(const struct plog_request *r)
{
    size_t bytes = 0;
    if (r->next || r->hook || r->control != PLOG_CONTROL_NONE ||
        r->count != r->delta_count || r->count > PLOG_SLOT_DELTAS)
        return false;
    for (size_t i = 0; i < r->count; i++)
        bytes += r->items[i].text.n;
    return bytes <= PLOG_SLOT_TEXT;
}

bool plog_shared_post(plog *p, const struct plog_request *r)
{
    struct plog_slot *own = plog_slots_own(&p->legs.dir.slots);
    if (!own || !p->head_known || !fits(r))
        return false;
    char *to = own->text;
    for (size_t i = 0; i < r->count; i++) {
        const struct plog_item *item = &r->items[i];
        struct plog_slot_delta *d = &own->deltas[i];
        d->length = (uint32_t)item->text.n;
        d->warned = item->warned;
        memcpy(d->salt, item->salt, sizeof d->salt);
        memcpy(to, item->text.p, item->text.n);
        to += item->text.n;
    }
    own->count = (uint32_t)r->count;
    own->until = plog_io_until(p->io, p->legs.wait_seconds);
    memcpy(own->key, p->signer.vkey.id_text, sizeof own->key);
    memcpy(own->origin, p->origin, sizeof own->origin);
    own->logged = 0;
    own->state = PLOG_SLOT_POSTED;
    return true;
}

/* Whether the log has the line that the leader told of, with our salt.
 * Returns 0; PLOG_END; or why nobody knows. */
static int is_logged(plog *p, const struct plog_request *r,
                     const struct plog_slot *own, struct plog_error *err)
{
    struct plog_entry_parser parser;
    struct plog_entry e;
    struct plog_buf line;
    if (own->logged == 0 || own->logged > p->legs.head.commit.size ||
        own->logged_delta >= r->count)
        return PLOG_END;
    plog_buf_init(&line, p->io);
    plog_entry_parser_init(&parser, p->io);
    int rc = plog_engine_logged_line(p, own->logged, &line, err);
    if (!rc)
        rc = plog_entry_parse(&parser, plog_span(line.data, line.len), &e, err);
    if (!rc && !plog_span_equal(e.salt, r->items[own->logged_delta].entry.salt))
        rc = PLOG_END;
    plog_entry_parser_fini(&parser);
    plog_buf_fini(&line);
    return rc;
}

bool plog_shared_collect(plog *p, struct plog_request *r, int rc,
                         struct plog_error *why)
{
    struct plog_slots *s = &p->legs.dir.slots;
    struct plog_slot *own = plog_slots_own(s);
    uint32_t state = own->state;
    int found = PLOG_END;
    if (state == PLOG_SLOT_DONE) {
        found = own->result;
        *why = own->why;
    } else if (rc == 0) {
        found = is_logged(p, r, own, why);
    } else if (state == PLOG_SLOT_TAKEN || own->logged) {
        found = PLOG_E_INDETERMINATE; /* and it may be logged yet */
    }
    if (found == 0 && r->receipts)
        memcpy(r->receipts, own->receipts, r->count * sizeof *r->receipts);
    if (found == 0 || found == PLOG_END || state == PLOG_SLOT_DONE) {
        own->state = PLOG_SLOT_FREE;
    } else {
        plog_slots_leave(s);
        found = plog_engine_indeterminate(why);
    }
    if (found == PLOG_END)
        return false;
    r->result = found;
    if (found && r->err)
        *r->err = *why;
    return true;
}

/* ---- The leader's side -------------------------------------------------- */

struct guest {
    struct plog_request r;
    unsigned slot;
    struct plog_error err;
    struct plog_receipt receipts[PLOG_SLOT_DELTAS];
};

struct plog_guests {
    struct guest guests[PLOG_SLOTS];
    unsigned count;
    struct plog_slot *slots;
    struct plog_request **end; /* where the first of them is linked */
    char text[PLOG_SLOT_TEXT]; /* our copy of one request's */
};

/* The deltas of a slot, in our memory. */
static int copy_texts(const struct plog_slot *slot, char *text,
                      struct plog_span *out, size_t count)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t n = slot->deltas[i].length;
        if (n > PLOG_SLOT_TEXT - at)
            return PLOG_E_INPUT;
        memcpy(text + at, slot->text + at, n);
        out[i] = plog_span(text + at, n);
        at += n;
    }
    return 0;
}

/* The request of a slot, as if a caller of ours had made it; but its owner has
 * asked its policy, and drawn the salts. */
static int build(plog *p, char *text, const struct plog_slot *slot,
                 struct guest *g)
{
    unsigned char salt[PLOG_SALT_SIZE];
    struct plog_span texts[PLOG_SLOT_DELTAS];
    const size_t count = slot->count;
    struct plog_group group = {
        .struct_size = sizeof group, .deltas = texts, .delta_count = count};
    memset(g, 0, sizeof *g);
    if (count > PLOG_SLOT_DELTAS)
        return PLOG_E_INPUT;
    int rc = copy_texts(slot, text, texts, count);
    if (!rc)
        rc = plog_request_build(&g->r, p->io, &group, NULL,
                                (size_t)p->legs.head.rules.line_max, &g->err);
    for (size_t i = 0; !rc && i < count; i++) {
        struct plog_item *item = &g->r.items[i];
        item->warned = slot->deltas[i].warned;
        memcpy(item->salt, slot->deltas[i].salt, sizeof slot->deltas[i].salt);
        if (plog_base64_decode(item->entry.salt, salt, sizeof salt))
            rc = PLOG_E_INPUT;
    }
    g->r.receipts = g->receipts;
    g->r.err = &g->err;
    g->r.guest = true;
    return rc;
}

/* Whether a slot has a request that its owner waits for, and that would have
 * us sign it with the same key for the same log. */
static bool may_take(const plog *p, const struct plog_slots *s, unsigned i)
{
    const struct plog_slot *slot = &s->slot[i];
    return i != s->own && slot->state == PLOG_SLOT_POSTED &&
           slot->until >= p->io->clock_mono_ns(p->io->ctx) &&
           memcmp(slot->key, p->signer.vkey.id_text, sizeof slot->key) == 0 &&
           strncmp(slot->origin, p->origin, sizeof slot->origin) == 0 &&
           plog_slots_lives(s, i);
}

/* Its owner may withdraw it meanwhile. */
static bool take_slot(struct plog_slot *slot)
{
    uint32_t posted = PLOG_SLOT_POSTED;
    return atomic_compare_exchange_strong(&slot->state, &posted,
                                          PLOG_SLOT_TAKEN);
}

static void give(struct plog_slot *slot, enum plog_slot_state state)
{
    slot->state = state;
    plog_slots_ring(slot);
}

/* Room for guests behind the batch, which has `*bytes`. */
static struct plog_guests *lay_table(plog *p, struct plog_request *batch,
                                     size_t *bytes)
{
    struct plog_request **end = &batch->next;
    *bytes = batch->encoded_bytes;
    if (!p->guests)
        p->guests = plog_alloc(p->io, sizeof *p->guests);
    if (!p->guests)
        return NULL;
    for (; *end; end = &(*end)->next)
        *bytes += (*end)->encoded_bytes;
    p->guests->end = end;
    p->guests->slots = p->legs.dir.slots.slot;
    p->guests->count = 0;
    return p->guests;
}

/* What a custom strategy does is each process's own, and a control entry may
 * want a group to itself. */
static bool may_have_guests(const plog *p, const struct plog_request *batch)
{
    bool may =
        p->legs.dir.slots.slot && p->legs.head.rules.strategy != PLOG_CUSTOM;
    for (const struct plog_request *r = batch; r; r = r->next)
        may &= r->control == PLOG_CONTROL_NONE;
    return may;
}

struct plog_guests *plog_shared_take(plog *p, struct plog_request *batch)
{
    struct plog_slots *s = &p->legs.dir.slots;
    size_t bytes = 0;
    if (!may_have_guests(p, batch))
        return NULL;
    struct plog_guests *all = lay_table(p, batch, &bytes);
    struct plog_request **end = all ? all->end : NULL;
    for (unsigned i = 0; all && i < PLOG_SLOTS; i++) {
        struct guest *g = &all->guests[all->count];
        if (!may_take(p, s, i) || !take_slot(&s->slot[i]))
            continue;
        int rc = build(p, all->text, &s->slot[i], g);
        if (rc || bytes + g->r.encoded_bytes > PLOG_GROUP_MAX) {
            plog_request_free(&g->r);
            give(&s->slot[i], PLOG_SLOT_BACK);
            continue;
        }
        bytes += g->r.encoded_bytes;
        g->slot = i;
        *end = &g->r;
        end = &g->r.next;
        all->count++;
    }
    return all && all->count ? all : NULL;
}

void plog_shared_announce(struct plog_guests *all, const struct plog_commit *c)
{
    for (unsigned k = 0; all && k < all->count; k++) {
        struct guest *g = &all->guests[k];
        struct plog_slot *slot = &all->slots[g->slot];
        size_t first = 0;
        while (first < g->r.count && g->r.items[first].duplicate_of)
            first++;
        if (g->r.result || first == g->r.count)
            continue;
        plog_engine_receipts(&g->r, c);
        memcpy(slot->receipts, g->receipts, sizeof slot->receipts);
        slot->logged_delta = (uint32_t)first;
        slot->logged = g->r.items[first].entry.seq;
    }
}

/* Whether a result is about the request and not about us. */
static bool concerns_owner(int rc)
{
    return rc == 0 || rc == PLOG_E_INPUT || rc == PLOG_E_CONFLICT;
}

void plog_shared_answer(struct plog_guests *all)
{
    if (!all)
        return;
    *all->end = NULL;
    for (unsigned k = 0; k < all->count; k++) {
        struct guest *g = &all->guests[k];
        struct plog_slot *slot = &all->slots[g->slot];
        bool ours = !concerns_owner(g->r.result);
        slot->result = g->r.result;
        if (!ours) { /* else what was announced stands */
            slot->why = g->err;
            memcpy(slot->receipts, g->receipts, sizeof slot->receipts);
        }
        give(slot, ours ? PLOG_SLOT_BACK : PLOG_SLOT_DONE);
        plog_request_free(&g->r);
    }
}
