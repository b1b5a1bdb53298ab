/* request.c - see request.h. */
#include "request.h"

#include <sodium.h>

#include "pipe.h"
#include "thread.h"

#define CHUNK (64u << 10)
#define SPLIT_LEAST (96u << 10) /* bytes that are worth a thread */
#define LINE_OVERHEAD 512       /* seq, salt, logged_at, member names of ours */
#define CONTROL_MAX (1u << 20)  /* arguments of a control entry */

/* Texts stay where they are until the request ends. */
struct chunk {
    struct chunk *next;
    size_t used, cap;
    char bytes[];
};

/* Some of a group's deltas, for one thread. */
struct part {
    const struct plog_request *r;
    const struct plog_group *group;
    const struct plog_options *options;
    size_t from, to, line_max;
    size_t chunk_size, encoded_bytes;
    struct chunk *chunks;
    struct plog_error err;
    int rc;
};

static char *room(struct part *p, size_t n)
{
    const struct plog_io *io = p->r->io;
    struct chunk *c = p->chunks;
    if (!c || c->cap - c->used < n) {
        size_t cap = n > p->chunk_size ? n : p->chunk_size;
        c = io->alloc(io->ctx, NULL, sizeof *c + cap);
        if (!c)
            return NULL;
        c->next = p->chunks;
        c->used = 0;
        c->cap = cap;
        p->chunks = c;
    }
    c->used += n;
    return c->bytes + c->used - n;
}

void plog_request_free(struct plog_request *r)
{
    if (!r->io)
        return;
    while (r->chunks) {
        struct chunk *next = r->chunks->next;
        plog_free(r->io, r->chunks);
        r->chunks = next;
    }
    plog_free(r->io, r->items);
    plog_buf_fini(&r->args);
    r->io = NULL;
}

static int start(struct plog_request *r, const struct plog_io *io, size_t count,
                 struct plog_error *err)
{
    memset(r, 0, sizeof *r);
    r->io = io;
    plog_buf_init(&r->args, io);
    if (count > SIZE_MAX / 2 / sizeof *r->items)
        return plog_fail(err, PLOG_E_INPUT, "too many deltas in one group");
    r->items = plog_alloc(io, (count ? count : 1) * sizeof *r->items);
    return r->items ? 0 : plog_fail(err, PLOG_E_NOMEM, "out of memory");
}

static void rebase(struct plog_span *s, const struct plog_buf *from, char *to)
{
    if (s->p && from->data && s->p >= from->data &&
        s->p < from->data + from->len)
        s->p = to + (s->p - from->data);
}

/* Takes the delta out of the parser, which serves the next one. */
static int keep_delta(struct part *part, struct plog_delta_parser *p,
                      struct plog_item *item)
{
    struct plog_delta *d = &item->entry.delta;
    struct plog_span *spans[] = {&d->id,
                                 &d->resource,
                                 &d->record_id,
                                 &d->op,
                                 &d->payload,
                                 &d->occurred_at,
                                 &d->provenance,
                                 &d->meta,
                                 &d->id_text,
                                 &d->resource_text,
                                 &d->record_id_text,
                                 &d->source_text,
                                 &d->occurred_text};
    char *compact = room(part, p->compact.len);
    char *decoded = room(part, p->decoded.len);
    if (!compact || !decoded)
        return PLOG_E_NOMEM;
    memcpy(compact, p->compact.data, p->compact.len);
    if (p->decoded.len)
        memcpy(decoded, p->decoded.data, p->decoded.len);
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
        struct plog_span was = *spans[i];
        rebase(spans[i], &p->compact, compact);
        if (spans[i]->p == was.p)
            rebase(spans[i], &p->decoded, decoded);
    }
    item->text = plog_span(compact, p->compact.len);
    part->encoded_bytes += p->compact.len + LINE_OVERHEAD;
    return 0;
}

static int ask_policy(const struct plog_options *o, struct plog_item *item,
                      struct plog_error *err)
{
    const struct plog_delta *d = &item->entry.delta;
    char reason[200] = "";
    if (!o || !o->policy)
        return 0;
    struct plog_delta_view v = {
        .id = d->id_text,
        .resource = d->resource_text,
        .record_id = d->record_id_text,
        .source = d->source_text,
        .is_delete = d->is_delete,
        .payload = d->payload,
        .meta = d->meta,
        .occurred_at = d->occurred_text,
        .confidence = d->confidence,
    };
    switch (o->policy(o->policy_arg, &v, reason, sizeof reason)) {
    case PLOG_ALLOW:
        return 0;
    case PLOG_WARN:
        item->warned = true;
        return 0;
    case PLOG_QUARANTINE:
        return plog_fail(err, PLOG_E_POLICY, "quarantined by the policy: %s",
                         reason);
    case PLOG_REJECT:
        break;
    }
    return plog_fail(err, PLOG_E_POLICY, "rejected by the policy: %s", reason);
}

/* For many with one call to the kernel. */
static int draw_salts(const struct plog_io *io, struct plog_item *items,
                      size_t count, struct plog_error *err)
{
    unsigned char salts[64][PLOG_SALT_SIZE];
    for (size_t i = 0; i < count; i++) {
        size_t left = count - i < 64 ? count - i : 64;
        if (i % 64 == 0 && io->random(io->ctx, salts, left * PLOG_SALT_SIZE))
            return plog_fail(err, PLOG_E_IO, "no randomness for a salt");
        sodium_bin2base64(items[i].salt, sizeof items[i].salt, salts[i % 64],
                          PLOG_SALT_SIZE, sodium_base64_VARIANT_ORIGINAL);
        items[i].entry.salt = plog_span(items[i].salt, 24);
    }
    return 0;
}

static void add_part(struct part *p)
{
    struct plog_delta_parser parser;
    size_t most = 0; /* what a delta keeps is no longer than its text, twice */
    struct plog_item *items = p->r->items;
    const struct plog_span *given = p->group->deltas;
    struct plog_error *err = &p->err;
    int rc = 0;
    for (size_t i = p->from; i < p->to && most < CHUNK; i++)
        most += 2 * (given[i].n < CHUNK ? given[i].n : CHUNK);
    p->chunk_size = most < CHUNK ? most : CHUNK;
    plog_delta_parser_init(&parser, p->r->io);
    for (size_t i = p->from; !rc && i < p->to; i++) {
        struct plog_delta *d = &items[i].entry.delta;
        rc = plog_delta_parse(&parser, given[i], p->line_max, d, err);
        if (!rc && keep_delta(p, &parser, &items[i]))
            rc = plog_fail(err, PLOG_E_NOMEM, "out of memory");
        if (!rc)
            rc = ask_policy(p->options, &items[i], err);
        if (rc)
            plog_err_index(err, i);
    }
    plog_delta_parser_fini(&parser);
    if (!rc)
        rc = draw_salts(p->r->io, items + p->from, p->to - p->from, err);
    p->rc = rc;
}

static void *serve(void *arg)
{
    add_part(arg);
    return NULL;
}

/* Takes over what a part has. */
static void join_part(struct plog_request *r, struct part *p)
{
    struct chunk **end = &r->chunks;
    while (*end)
        end = &(*end)->next;
    *end = p->chunks;
    r->encoded_bytes += p->encoded_bytes;
}

/* Where the second half of many bytes begins; 0: there are too few for a
 * thread, or the policy, which is called on the caller's own, has its say. */
static size_t middle(const struct plog_request *r, const struct plog_group *g,
                     const struct plog_options *o)
{
    size_t all = 0, half = 0, i = 0;
    if (g->delta_count < 2 || (o && o->policy) || !plog_pipe_may_thread(r->io))
        return 0;
    for (size_t k = 0; k < g->delta_count; k++)
        all += g->deltas[k].n;
    if (all < SPLIT_LEAST)
        return 0;
    while (i + 1 < g->delta_count && half < all / 2)
        half += g->deltas[i++].n;
    return i;
}

/* Half of a large group is parsed by a second thread. */
static int add_deltas(struct plog_request *r, const struct plog_group *g,
                      const struct plog_options *o, size_t line_max,
                      struct plog_error *err)
{
    size_t cut = middle(r, g, o);
    struct part rest = {.r = r,
                        .group = g,
                        .options = o,
                        .from = cut,
                        .to = g->delta_count,
                        .line_max = line_max};
    struct part first = rest;
    pthread_t thread;
    first.from = 0;
    first.to = cut;
    bool beside = cut > 0 && plog_thread_start(&thread, serve, &rest);
    if (cut > 0)
        add_part(&first);
    if (beside)
        pthread_join(thread, NULL);
    else if (!first.rc)
        add_part(&rest);
    join_part(r, &first);
    join_part(r, &rest);
    r->count = r->delta_count = g->delta_count;
    const struct part *bad = first.rc ? &first : &rest;
    if (bad->rc && err)
        *err = bad->err;
    return bad->rc;
}

static int check_cursor(const struct plog_cursor *c, struct plog_error *err)
{
    bool sizes = plog_cursor_fits(c);
    const struct plog_span *all[] = {&c->source, &c->resource, &c->cursor};
    for (int i = 0; sizes && i < 3; i++)
        if (all[i]->n && memchr(all[i]->p, 0, all[i]->n))
            sizes = false;
    if (sizes)
        return 0;
    return plog_fail(err, PLOG_E_INPUT,
                     "a cursor's source and resource have"
                     " 1 to %d bytes, the cursor at most %d, none a NUL",
                     PLOG_NAME_MAX, PLOG_CURSOR_MAX);
}

/* Args go one behind the other; spans are set when all are there, because
 * the buffer moves while it grows. */
static int add_cursors(struct plog_request *r, const struct plog_group *g,
                       struct plog_error *err)
{
    struct plog_json json;
    struct plog_json_fault fault = {0, ""};
    int rc = 0;
    plog_json_init(&json, r->io);
    for (size_t i = 0; !rc && i < g->cursor_count; i++) {
        struct plog_entry *e = &r->items[r->count].entry;
        size_t start = r->args.len;
        rc = check_cursor(&g->cursors[i], err);
        if (!rc && plog_cursor_args_format(&r->args, &g->cursors[i]))
            rc = plog_fail(err, PLOG_E_NOMEM, "out of memory");
        /* What we spelled must read back: catches text that is not UTF-8. */
        if (!rc)
            rc = plog_json_check(
                &json, plog_span(r->args.data + start, r->args.len - start),
                &fault);
        if (rc == PLOG_E_INPUT && fault.what[0])
            plog_fail(err, rc, "a cursor: %s", fault.what);
        if (rc == PLOG_E_NOMEM)
            plog_fail(err, rc, "out of memory");
        if (rc)
            plog_err_index(err, r->count);
        e->control = PLOG_CONTROL_CURSOR;
        e->args.n = r->args.len - start;
        r->count++;
    }
    plog_json_fini(&json);
    const char *at = r->args.data;
    for (size_t i = r->delta_count; !rc && i < r->count; i++) {
        r->items[i].entry.args.p = at;
        at += r->items[i].entry.args.n;
        r->encoded_bytes += r->items[i].entry.args.n + LINE_OVERHEAD;
    }
    return rc;
}

int plog_request_build(struct plog_request *r, const struct plog_io *io,
                       const struct plog_group *g, const struct plog_options *o,
                       size_t line_max, struct plog_error *err)
{
    memset(r, 0, sizeof *r);
    int rc = g->cursor_count > SIZE_MAX - g->delta_count
                 ? plog_fail(err, PLOG_E_INPUT, "too many deltas in one group")
                 : start(r, io, g->delta_count + g->cursor_count, err);
    if (!rc && g->delta_count + g->cursor_count == 0)
        rc = plog_fail(err, PLOG_E_ARG, "an empty group");
    if (!rc)
        rc = add_deltas(r, g, o, line_max, err);
    if (!rc)
        rc = add_cursors(r, g, err);
    r->hook = g->hook;
    r->hook_arg = g->hook_arg;
    if (!rc && r->encoded_bytes > PLOG_GROUP_MAX) {
        rc = plog_fail(err, PLOG_E_INPUT,
                       "the group comes to %zu bytes, with %d for each delta"
                       " beside its own; at most %u may be",
                       r->encoded_bytes, LINE_OVERHEAD, PLOG_GROUP_MAX);
        plog_err_hint(err, "send it in parts");
    }
    return rc;
}

int plog_request_strategy(struct plog_request *r, const struct plog_io *io,
                          enum plog_strategy s, struct plog_error *err)
{
    int rc = start(r, io, 1, err);
    if (!rc && plog_strategy_args_format(&r->args, s))
        rc = plog_fail(err, PLOG_E_NOMEM, "out of memory");
    if (rc)
        return rc;
    r->count = 1;
    r->control = PLOG_CONTROL_STRATEGY;
    r->items[0].entry.control = PLOG_CONTROL_STRATEGY;
    r->items[0].entry.args = plog_span(r->args.data, r->args.len);
    r->encoded_bytes = r->args.len + LINE_OVERHEAD;
    return 0;
}

int plog_request_rotate(struct plog_request *r, const struct plog_io *io,
                        const struct plog_signer *next, struct plog_error *err)
{
    int rc = start(r, io, 1, err);
    if (rc)
        return rc;
    r->count = 1;
    r->goes_to = next;
    r->control = PLOG_CONTROL_ROTATE;
    r->items[0].entry.control = PLOG_CONTROL_ROTATE;
    r->encoded_bytes = 4 * PLOG_VKEY_MAX + LINE_OVERHEAD;
    return 0;
}

int plog_request_redact(struct plog_request *r, const struct plog_io *io,
                        uint64_t seq, struct plog_span reason,
                        struct plog_error *err)
{
    int rc = start(r, io, 1, err);
    if (rc)
        return rc;
    r->count = 1;
    r->target = seq;
    r->reason = reason;
    r->control = PLOG_CONTROL_REDACT;
    r->items[0].entry.control = PLOG_CONTROL_REDACT;
    r->encoded_bytes = 6 * reason.n + LINE_OVERHEAD;
    return 0;
}

int plog_request_control(struct plog_request *r, const struct plog_io *io,
                         enum plog_control control, plog_control_make *make,
                         void *arg, struct plog_error *err)
{
    int rc = start(r, io, 1, err);
    if (rc)
        return rc;
    r->count = 1;
    r->make = make;
    r->make_arg = arg;
    r->control = control;
    r->items[0].entry.control = control;
    r->encoded_bytes = CONTROL_MAX;
    return 0;
}
