/* fold_table.c - see fold_table.h. */
#include "fold_table.h"

#include <stdlib.h>

#define CHUNK ((size_t)256 << 10)
#define SLOTS_FIRST 1024u

/* Where rows and texts lie: never moved, freed all at once. */
struct plog_fold_chunk {
    struct plog_fold_chunk *next;
    size_t used, cap;
    _Alignas(8) char bytes[];
};

void plog_fold_table_init(struct plog_fold_table *t, const struct plog_io *io,
                          size_t bytes_max)
{
    memset(t, 0, sizeof *t);
    t->io = io;
    t->bytes_max = bytes_max;
}

void plog_fold_table_fini(struct plog_fold_table *t)
{
    while (t->chunk) {
        struct plog_fold_chunk *next = t->chunk->next;
        plog_free(t->io, t->chunk);
        t->chunk = next;
    }
    plog_free(t->io, t->slots);
    t->slots = NULL;
    t->slot_count = t->row_count = t->bytes = 0;
    t->looked_up = 0;
    t->holds_all = false;
}

bool plog_fold_table_is_full(const struct plog_fold_table *t)
{
    return t->bytes >= t->bytes_max;
}

/* ---- Memory ------------------------------------------------------------- */

static void *take(struct plog_fold_table *t, size_t n)
{
    struct plog_fold_chunk *c = t->chunk;
    n = (n + 7) & ~(size_t)7;
    if (!c || c->cap - c->used < n) {
        size_t cap = n > CHUNK / 4 ? n : CHUNK;
        c = plog_alloc(t->io, sizeof *c + cap);
        if (!c)
            return NULL;
        c->cap = cap;
        c->next = t->chunk;
        t->chunk = c;
        t->bytes += sizeof *c + cap;
    }
    void *p = c->bytes + c->used;
    c->used += n;
    return p;
}

/* ---- Rows --------------------------------------------------------------- */

static uint32_t mix(uint64_t h)
{
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    return (uint32_t)(h ^ h >> 32);
}

/* Of a record's name.  Who chooses names for one hash makes this slow, and no
 * slower than a way through the rows that the memory holds. */
static uint32_t hash_of(struct plog_span resource, struct plog_span record_id)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < resource.n; i++)
        h = (h ^ (unsigned char)resource.p[i]) * 0x100000001b3u;
    h = (h ^ 0xff) * 0x100000001b3u;
    for (size_t i = 0; i < record_id.n; i++)
        h = (h ^ (unsigned char)record_id.p[i]) * 0x100000001b3u;
    return mix(h);
}

static bool is_row(const struct plog_fold_row *r, uint32_t hash,
                   struct plog_span resource, struct plog_span record_id)
{
    return r->hash == hash && r->resource_n == resource.n &&
           r->record_id_n == record_id.n &&
           memcmp(r->key, resource.p, resource.n) == 0 &&
           memcmp(r->key + resource.n + 1, record_id.p, record_id.n) == 0;
}

struct plog_fold_row *plog_fold_table_find(const struct plog_fold_table *t,
                                           struct plog_span resource,
                                           struct plog_span record_id)
{
    uint32_t hash = hash_of(resource, record_id);
    if (t->slot_count == 0)
        return NULL;
    for (size_t i = hash;; i++) {
        struct plog_fold_row *r = t->slots[i & (t->slot_count - 1)];
        if (!r || is_row(r, hash, resource, record_id))
            return r;
    }
}

static void put(struct plog_fold_row **slots, size_t count,
                struct plog_fold_row *r)
{
    size_t i = r->hash;
    while (slots[i & (count - 1)])
        i++;
    slots[i & (count - 1)] = r;
}

/* At most three of four slots are taken. */
static int make_room(struct plog_fold_table *t)
{
    size_t count = t->slot_count ? 2 * t->slot_count : SLOTS_FIRST;
    if (4 * (t->row_count + 1) <= 3 * t->slot_count)
        return 0;
    struct plog_fold_row **slots = plog_alloc(t->io, count * sizeof *slots);
    if (!slots)
        return PLOG_E_NOMEM;
    for (size_t i = 0; i < t->slot_count; i++)
        if (t->slots[i])
            put(slots, count, t->slots[i]);
    plog_free(t->io, t->slots);
    t->bytes += (count - t->slot_count) * sizeof *slots;
    t->slots = slots;
    t->slot_count = count;
    return 0;
}

struct plog_fold_row *plog_fold_table_add(struct plog_fold_table *t,
                                          struct plog_span resource,
                                          struct plog_span record_id)
{
    struct plog_fold_row *r;
    size_t n = sizeof *r + resource.n + 1 + record_id.n;
    if (make_room(t) || !(r = take(t, n)))
        return NULL;
    memset(r, 0, n);
    memcpy(r->key, resource.p, resource.n);
    memcpy(r->key + resource.n + 1, record_id.p, record_id.n);
    r->resource_n = (uint16_t)resource.n; /* limited: delta.c */
    r->record_id_n = (uint16_t)record_id.n;
    r->hash = hash_of(resource, record_id);
    put(t->slots, t->slot_count, r);
    t->row_count++;
    return r;
}

struct plog_span plog_fold_row_resource(const struct plog_fold_row *r)
{
    return plog_span(r->key, r->resource_n);
}

struct plog_span plog_fold_row_record_id(const struct plog_fold_row *r)
{
    return plog_span(r->key + r->resource_n + 1, r->record_id_n);
}

/* ---- Values ------------------------------------------------------------- */

bool plog_fold_row_fits(const struct plog_current *now)
{
    return now->instant.nanos >= 0 && now->payload_at <= UINT32_MAX &&
           now->payload_len <= UINT32_MAX;
}

static bool is_own(const struct plog_fold_texts *t,
                   const struct plog_current *n)
{
    return t && n->origin.p == t->bytes && n->origin.n == t->origin_n &&
           n->merged.p == t->bytes + t->origin_n && n->merged.n == t->merged_n;
}

static bool lies_in(const struct plog_fold_texts *t, struct plog_span s)
{
    return s.n && s.p >= t->bytes && s.p < t->bytes + t->cap;
}

/* Room for texts of `n` bytes; a merged payload grows.  A caller may make a
 * part of the own texts the new one. */
static struct plog_fold_texts *room(struct plog_fold_table *t,
                                    struct plog_fold_row *r,
                                    const struct plog_current *now, size_t n)
{
    struct plog_fold_texts *to = r->texts;
    size_t cap = n + n / 4;
    if (to && to->cap >= n && !lies_in(to, now->origin) &&
        !lies_in(to, now->merged))
        return to;
    to = take(t, sizeof *to + cap);
    if (to)
        to->cap = cap;
    return to;
}

static int set_texts(struct plog_fold_table *t, struct plog_fold_row *r,
                     const struct plog_current *now)
{
    size_t n = now->origin.n + now->merged.n;
    if (is_own(r->texts, now)) {
        r->texts->origin_seq = now->origin_seq;
        return 0;
    }
    if (n == 0 && now->origin_seq == now->seq && !r->texts)
        return 0;
    struct plog_fold_texts *to = room(t, r, now, n);
    if (!to)
        return PLOG_E_NOMEM;
    if (now->origin.n)
        memcpy(to->bytes, now->origin.p, now->origin.n);
    if (now->merged.n)
        memcpy(to->bytes + now->origin.n, now->merged.p, now->merged.n);
    to->origin_n = now->origin.n;
    to->merged_n = now->merged.n;
    to->origin_seq = now->origin_seq;
    r->texts = to;
    return 0;
}

int plog_fold_row_set(struct plog_fold_table *t, struct plog_fold_row *r,
                      const struct plog_current *now)
{
    r->known = now->known;
    r->seq = now->seq;
    r->last = now->last;
    r->version = now->version;
    r->seconds = now->instant.seconds;
    r->nanos = (uint32_t)now->instant.nanos;
    r->confidence = now->confidence;
    r->payload_at = (uint32_t)now->payload_at;
    r->payload_len = (uint32_t)now->payload_len;
    return set_texts(t, r, now);
}

void plog_fold_row_get(struct plog_fold_row *r, struct plog_current *out)
{
    const struct plog_fold_texts *t = r->texts;
    memset(out, 0, sizeof *out);
    out->row = r;
    out->known = r->known;
    out->seq = r->seq;
    out->last = r->last;
    out->version = r->version;
    out->instant.seconds = r->seconds;
    out->instant.nanos = (int32_t)r->nanos;
    out->confidence = r->confidence;
    out->origin_seq = t ? t->origin_seq : r->seq;
    out->payload_at = r->payload_at;
    out->payload_len = r->payload_len;
    if (t) {
        out->origin = plog_span(t->bytes, t->origin_n);
        out->merged = plog_span(t->bytes + t->origin_n, t->merged_n);
    }
    out->present = out->merged.n || out->payload_len;
}

/* ---- Order -------------------------------------------------------------- */

static size_t key_length(const struct plog_fold_row *r)
{
    return (size_t)r->resource_n + 1 + r->record_id_n;
}

/* No name holds a NUL, so this is the order of both columns. */
static int compare(const void *a, const void *b)
{
    const struct plog_fold_place *x = a, *y = b;
    if (x->head != y->head)
        return x->head < y->head ? -1 : 1;
    return plog_span_compare(plog_span(x->row->key, key_length(x->row)),
                             plog_span(y->row->key, key_length(y->row)));
}

/* How many bytes all keys share at their beginning. */
static size_t shared(const struct plog_fold_place *p, size_t count)
{
    const char *first = p[0].row->key;
    size_t n = key_length(p[0].row);
    for (size_t i = 1; i < count; i++) {
        size_t k = 0, m = key_length(p[i].row);
        while (k < n && k < m && first[k] == p[i].row->key[k])
            k++;
        n = k;
    }
    return n;
}

static uint64_t head_of(const struct plog_fold_row *r, size_t from)
{
    uint64_t head = 0;
    size_t n = key_length(r);
    for (size_t i = 0; i < 8; i++)
        head =
            head << 8 | (from + i < n ? (unsigned char)r->key[from + i] : 0u);
    return head;
}

int plog_fold_table_sort(const struct plog_fold_table *t,
                         struct plog_fold_place **out, size_t *count)
{
    size_t n = 0;
    *out = NULL;
    for (size_t i = 0; i < t->slot_count; i++)
        n += t->slots[i] && t->slots[i]->dirty;
    *count = n;
    if (n == 0)
        return 0;
    struct plog_fold_place *p = plog_alloc(t->io, n * sizeof *p);
    if (!p)
        return PLOG_E_NOMEM;
    for (size_t i = 0, k = 0; i < t->slot_count; i++)
        if (t->slots[i] && t->slots[i]->dirty)
            p[k++].row = t->slots[i];
    size_t from = shared(p, n);
    for (size_t k = 0; k < n; k++)
        p[k].head = head_of(p[k].row, from);
    qsort(p, n, sizeof *p, compare);
    *out = p;
    return 0;
}
