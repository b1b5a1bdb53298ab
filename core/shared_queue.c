/* shared_queue.c - see shared_queue.h. */
#include "shared_queue.h"

#include <stdatomic.h>

#include "engine.h"
#include "fs.h"
#include "redact.h"

/* ---- The owner's side --------------------------------------------------- */

void plog_shared_join(plog *p)
{
    struct plog_dir *d = &p->legs.dir;
    bool simulated = p->io->process_id != plog_io_posix()->process_id;
    if (plog_slots_own(&d->slots) || d->waits < d->join_at || simulated ||
        !plog_fs_is_local(d))
        return;
    if (!plog_slots_join(&d->slots, p->io, d->dir, d->lock, &d->lock_id))
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
    if (!own || !p->head_known || !fits(r) ||
        p->legs.head.rules.strategy == PLOG_CUSTOM)
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
    own->logged = p->promise.logged = 0;
    own->state = PLOG_SLOT_POSTED;
    return true;
}

void plog_shared_note(plog *p)
{
    struct plog_slot *own = plog_slots_own(&p->legs.dir.slots);
    p->promise.logged = own->logged;
    p->promise.delta = own->logged_delta;
    memcpy(p->promise.receipts, own->receipts, sizeof own->receipts);
    plog_slots_wipe(own);
    own->state = PLOG_SLOT_FREE;
}

/* Whether the log has the line that was promised.  A leaf holds a salt that we
 * drew, and stays when the entry is redacted.
 * Returns 0; PLOG_END; or why nobody knows. */
static int is_logged(plog *p, const struct plog_request *r,
                     struct plog_error *err)
{
    const struct plog_promise *told = &p->promise;
    unsigned char leaf[PLOG_HASH_SIZE];
    struct plog_buf line;
    if (told->logged == 0 || told->logged > p->legs.head.commit.size ||
        told->delta >= r->count)
        return PLOG_END;
    plog_buf_init(&line, p->io);
    int rc = plog_engine_logged_line(p, told->logged, &line, err);
    if (!rc)
        plog_line_leaf(plog_span(line.data, line.len), leaf);
    if (!rc && memcmp(leaf, told->receipts[told->delta].leaf, sizeof leaf) != 0)
        rc = PLOG_END;
    plog_buf_fini(&line);
    return rc;
}

static bool settled(struct plog_request *r, int rc,
                    const struct plog_receipt *receipts,
                    const struct plog_error *why)
{
    r->result = rc;
    if (rc == 0 && r->receipts)
        memcpy(r->receipts, receipts, r->count * sizeof *receipts);
    if (rc && r->err)
        *r->err = *why;
    return true;
}

bool plog_shared_collect(plog *p, struct plog_request *r, int rc,
                         struct plog_error *why)
{
    struct plog_slot *own = plog_slots_own(&p->legs.dir.slots);
    uint32_t state = own ? own->state : PLOG_SLOT_FREE;
    if (state == PLOG_SLOT_DONE) {
        struct plog_error told = own->why;
        settled(r, own->result, own->receipts, &told);
        own->state = PLOG_SLOT_FREE;
        return true;
    }
    if (state == PLOG_SLOT_TAKEN && rc) { /* it may be logged yet */
        plog_slots_leave(&p->legs.dir.slots);
        return settled(r, plog_engine_indeterminate(why), NULL, why);
    }
    if (own)
        plog_shared_note(p);
    if (p->promise.logged == 0)
        return false;
    int found = rc ? rc : is_logged(p, r, why);
    if (found == PLOG_END)
        return false;
    if (found)
        found = plog_engine_indeterminate(why);
    return settled(r, found, p->promise.receipts, why);
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
 * us sign it with the same key for the same log.  One whose owner is gone is
 * emptied on the way. */
static bool may_take(const plog *p, const struct plog_slots *s, unsigned i)
{
    const struct plog_slot *slot = &s->slot[i];
    return i != s->own && slot->state != PLOG_SLOT_FREE &&
           slot->state != PLOG_SLOT_DONE && plog_slots_lives(s, i) &&
           slot->state == PLOG_SLOT_POSTED &&
           slot->until >= p->io->clock_mono_ns(p->io->ctx) &&
           memcmp(slot->key, p->signer.vkey.id_text, sizeof slot->key) == 0 &&
           strncmp(slot->origin, p->origin, sizeof slot->origin) == 0;
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

/* What a custom strategy does is each process's own, a hook may take its time,
 * and a control entry may want a group to itself. */
static bool may_have_guests(const plog *p, const struct plog_request *batch)
{
    bool may =
        p->legs.dir.slots.slot && p->legs.head.rules.strategy != PLOG_CUSTOM;
    for (const struct plog_request *r = batch; r; r = r->next)
        may &= !r->hook && r->control == PLOG_CONTROL_NONE;
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
        bool room = bytes + g->r.encoded_bytes <= PLOG_GROUP_MAX;
        if (rc || room) /* nobody reads them again, whatever becomes of it */
            plog_slots_wipe(&s->slot[i]);
        if (rc || !room) {
            plog_request_free(&g->r);
            give(&s->slot[i], rc ? PLOG_SLOT_BACK : PLOG_SLOT_POSTED);
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

void plog_shared_retract(struct plog_guests *all)
{
    for (unsigned k = 0; all && k < all->count; k++)
        all->slots[all->guests[k].slot].logged = 0;
}

void plog_shared_answer(struct plog_guests *all)
{
    if (!all)
        return;
    *all->end = NULL;
    for (unsigned k = 0; k < all->count; k++) {
        struct guest *g = &all->guests[k];
        struct plog_slot *slot = &all->slots[g->slot];
        bool done = concerns_owner(g->r.result);
        if (done) { /* else what was announced stands */
            slot->result = g->r.result;
            slot->why = g->err;
            memcpy(slot->receipts, g->receipts, sizeof slot->receipts);
        }
        give(slot, done ? PLOG_SLOT_DONE : PLOG_SLOT_BACK);
        plog_request_free(&g->r);
    }
}
