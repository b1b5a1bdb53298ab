/*
 * control.c - arguments of the control entries that this version writes.
 *
 * init carries the segment size beside strategy and line limit, so that a
 * store rebuilt from the log rotates as the old one did.
 */
#include "compaction.h"
#include "redact.h"
#include "rotate.h"

static int text_member(struct plog_buf *b, const char *before,
                       struct plog_span text)
{
    int rc = plog_buf_add_text(b, before);
    return rc ? rc : plog_buf_add_json(b, text);
}

int plog_strategy_args_format(struct plog_buf *b, enum plog_strategy s)
{
    int rc =
        text_member(b, "{\"strategy\":", plog_span_text(plog_strategy_name(s)));
    return rc ? rc : plog_buf_add_char(b, '}');
}

int plog_init_args_format(struct plog_buf *b, const struct plog_init_args *a)
{
    int rc = text_member(
        b, "{\"strategy\":", plog_span_text(plog_strategy_name(a->strategy)));
    if (!rc)
        rc = plog_buf_add_text(b, ",\"max_line\":");
    if (!rc)
        rc = plog_buf_add_u64(b, a->line_max);
    if (!rc)
        rc = plog_buf_add_text(b, ",\"segment_size\":");
    if (!rc)
        rc = plog_buf_add_u64(b, a->segment_size);
    return rc ? rc : plog_buf_add_char(b, '}');
}

static int parse_strategy(struct plog_span raw, enum plog_strategy *out)
{
    char name[32];
    if (raw.n < 3 || raw.n > sizeof name || *raw.p != '"')
        return PLOG_E_CORRUPT;
    memcpy(name, raw.p + 1, raw.n - 2);
    name[raw.n - 2] = '\0';
    return plog_strategy_parse(name, out) ? PLOG_E_CORRUPT : 0;
}

int plog_strategy_args_parse(struct plog_span args, enum plog_strategy *out)
{
    static const char *const names[] = {"strategy"};
    struct plog_span value;
    if (!plog_json_members(args, names, &value, 1))
        return PLOG_E_CORRUPT;
    return parse_strategy(value, out);
}

int plog_init_args_parse(struct plog_span args, struct plog_init_args *out)
{
    static const char *const names[] = {"strategy", "max_line", "segment_size"};
    struct plog_span v[3];
    if (!plog_json_members(args, names, v, 3) ||
        parse_strategy(v[0], &out->strategy) ||
        plog_u64_parse(v[1], &out->line_max) ||
        plog_u64_parse(v[2], &out->segment_size) || out->line_max == 0 ||
        out->line_max > PLOG_LINE_MAX || out->segment_size == 0)
        return PLOG_E_CORRUPT;
    return 0;
}

int plog_cursor_args_format(struct plog_buf *b, const struct plog_cursor *c)
{
    int rc = text_member(b, "{\"source\":", c->source);
    if (!rc)
        rc = text_member(b, ",\"resource\":", c->resource);
    if (!rc)
        rc = text_member(b, ",\"cursor\":", c->cursor);
    return rc ? rc : plog_buf_add_char(b, '}');
}

int plog_cursor_args_parse(struct plog_span args, struct plog_buf *decoded,
                           struct plog_cursor *out)
{
    static const char *const names[] = {"source", "resource", "cursor"};
    struct plog_span v[3],
        *to[3] = {&out->source, &out->resource, &out->cursor};
    if (!plog_json_members(args, names, v, 3))
        return PLOG_E_CORRUPT;
    decoded->len = 0;
    int rc = plog_buf_reserve(decoded, args.n);
    for (int i = 0; !rc && i < 3; i++) {
        if (plog_json_kind(v[i]) != 's')
            return PLOG_E_CORRUPT;
        size_t start = decoded->len;
        rc = plog_json_unescape(plog_span(v[i].p + 1, v[i].n - 2), decoded);
        *to[i] = plog_span(decoded->data + start, decoded->len - start);
    }
    return rc || plog_cursor_fits(out) ? rc : PLOG_E_CORRUPT;
}

bool plog_cursor_fits(const struct plog_cursor *c)
{
    return c->source.n >= 1 && c->source.n <= PLOG_NAME_MAX &&
           c->resource.n >= 1 && c->resource.n <= PLOG_NAME_MAX &&
           c->cursor.n <= PLOG_CURSOR_MAX;
}

int plog_peer_args_format(struct plog_buf *b, enum plog_control control,
                          const struct plog_peer_args *a)
{
    int rc = text_member(b, "{\"name\":", a->name);
    if (!rc && control != PLOG_CONTROL_PEER_ADD) {
        rc = plog_buf_add_text(b, ",\"seq\":");
        if (!rc)
            rc = plog_buf_add_u64(b, a->cursor);
    }
    if (!rc && control == PLOG_CONTROL_PEER_EVICT)
        rc = text_member(b, ",\"reason\":", a->reason);
    return rc ? rc : plog_buf_add_char(b, '}');
}

static int decode(struct plog_span raw, struct plog_buf *to,
                  struct plog_span *out)
{
    size_t start = to->len;
    if (plog_json_kind(raw) != 's')
        return PLOG_E_CORRUPT;
    int rc = plog_json_unescape(plog_span(raw.p + 1, raw.n - 2), to);
    *out = plog_span(to->data + start, to->len - start);
    if (!rc && (out->n == 0 || out->n > PLOG_NAME_MAX))
        rc = PLOG_E_CORRUPT;
    return rc;
}

int plog_peer_args_parse(const struct plog_entry *e, struct plog_buf *decoded,
                         struct plog_peer_args *out)
{
    static const char *const names[] = {"name", "seq", "reason"};
    struct plog_span v[3];
    bool evicts = e->control == PLOG_CONTROL_PEER_EVICT;
    bool adds = e->control == PLOG_CONTROL_PEER_ADD;
    memset(out, 0, sizeof *out);
    if (!plog_json_members(e->args, names, v,
                           evicts ? 3
                           : adds ? 1
                                  : 2) ||
        (!adds && plog_u64_parse(v[1], &out->cursor)))
        return PLOG_E_CORRUPT;
    decoded->len = 0;
    int rc = plog_buf_reserve(decoded, e->args.n);
    if (!rc)
        rc = decode(v[0], decoded, &out->name);
    return rc || !evicts ? rc : decode(v[2], decoded, &out->reason);
}

int plog_control_check(const struct plog_entry *e, struct plog_buf *scratch)
{
    struct plog_init_args init;
    enum plog_strategy strategy;
    struct plog_cursor cursor;
    struct plog_rotation rotation;
    struct plog_order order;
    struct plog_compaction compaction;
    struct plog_peer_args peer;
    switch (e->control) {
    case PLOG_CONTROL_NONE:
        return 0;
    case PLOG_CONTROL_INIT:
        return plog_init_args_parse(e->args, &init);
    case PLOG_CONTROL_STRATEGY:
        return plog_strategy_args_parse(e->args, &strategy);
    case PLOG_CONTROL_CURSOR:
        return plog_cursor_args_parse(e->args, scratch, &cursor);
    case PLOG_CONTROL_ROTATE:
    case PLOG_CONTROL_RESTORE:
        return plog_rotation_of(e, &rotation);
    case PLOG_CONTROL_REDACT:
        return plog_order_parse(e, &order);
    case PLOG_CONTROL_PEER_ADD:
    case PLOG_CONTROL_PEER_EVICT:
    case PLOG_CONTROL_PEER_REWIND:
        return plog_peer_args_parse(e, scratch, &peer);
    case PLOG_CONTROL_COMPACT:
        return plog_compaction_parse(e, scratch->io, &compaction);
    default:
        return PLOG_E_FORMAT;
    }
}
