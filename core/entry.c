/*
 * entry.c - entry lines: deltas and control entries.
 *
 * Order of members in a delta: seq, id, from, resource, record_id, op,
 * payload, occurred_at, provenance, meta, outcome, merged, salt, logged_at; in
 * a redacted one payload, meta, merged and salt are gone and the last is
 * redacted.  In a control entry: seq, control, args, logged_at.
 */
#include "line.h"

static const char *const control_names[] = {
    NULL,       "init",       "strategy",    "rotate",  "source-cursor",
    "peer-add", "peer-evict", "peer-rewind", "compact", "redact",
    "restore",
};

const char *plog_control_name(enum plog_control c)
{
    return control_names[c];
}

void plog_entry_parser_init(struct plog_entry_parser *p,
                            const struct plog_io *io)
{
    plog_json_init(&p->json, io);
    plog_buf_init(&p->decoded, io);
}

void plog_entry_parser_fini(struct plog_entry_parser *p)
{
    plog_json_fini(&p->json);
    plog_buf_fini(&p->decoded);
}

/* ---- Reading ------------------------------------------------------------ */

/* One pass over the members in their order. */
struct members {
    struct plog_json_walk walk;
    struct plog_span name, value;
    bool more;
};

static void advance(struct members *m)
{
    m->more = plog_json_next(&m->walk, &m->name, &m->value);
}

/* Takes the member called `name` when it is the next one. */
static bool take(struct members *m, const char *name, struct plog_span *out)
{
    if (!m->more || !plog_span_is(m->name, name))
        return false;
    *out = m->value;
    advance(m);
    return true;
}

static int corrupt(struct plog_error *err, const char *member, const char *what)
{
    plog_fail(err, PLOG_E_CORRUPT, "%s: %s", member, what);
    plog_err_member(err, member);
    return PLOG_E_CORRUPT;
}

/* Members we do not know stand between known ones or at the end: a format
 * that is newer, or damage.  Which, the group's root and signature decide. */
static int left_over(const struct members *m, struct plog_error *err)
{
    if (!m->more)
        return 0;
    return plog_fail(err, PLOG_E_FORMAT,
                     "an unknown or misplaced member in an entry");
}

static int decode_text(struct plog_span raw, struct plog_buf *decoded,
                       struct plog_span *out)
{
    if (plog_json_kind(raw) != 's')
        return PLOG_E_CORRUPT;
    struct plog_span inner = plog_span(raw.p + 1, raw.n - 2);
    if (!memchr(inner.p, '\\', inner.n)) {
        *out = inner;
        return 0;
    }
    size_t start = decoded->len;
    if (decoded->cap - start < inner.n)
        return PLOG_E_NOMEM; /* room was reserved: spans must not move */
    int rc = plog_json_unescape(inner, decoded);
    *out = plog_span(decoded->data + start, decoded->len - start);
    return rc;
}

static int parse_from(struct plog_entry *e, struct plog_span from,
                      struct plog_buf *decoded)
{
    struct members m;
    struct plog_span origin, seq;
    if (plog_json_kind(from) != 'o')
        return PLOG_E_CORRUPT;
    plog_json_walk(&m.walk, from);
    advance(&m);
    if (!take(&m, "origin", &origin) || !take(&m, "seq", &seq) || m.more ||
        plog_u64_parse(seq, &e->from_seq) || e->from_seq == 0)
        return PLOG_E_CORRUPT;
    int rc = decode_text(origin, decoded, &e->from);
    if (!rc && !plog_origin_valid(e->from))
        rc = PLOG_E_CORRUPT;
    return rc;
}

static int parse_logged_at(struct members *m, struct plog_entry *e,
                           struct plog_error *err)
{
    struct plog_span raw;
    struct plog_instant t;
    char again[40];
    if (!take(m, "logged_at", &raw))
        return 0;
    if (plog_json_kind(raw) != 's')
        return corrupt(err, "logged_at", "not a text");
    e->logged_at = plog_span(raw.p + 1, raw.n - 2);
    if (plog_instant_parse(e->logged_at, &t))
        return corrupt(err, "logged_at", "not a time");
    plog_instant_format(t, again); /* ours alone: one spelling */
    if (!plog_span_is(e->logged_at, again))
        return corrupt(err, "logged_at", "not in the form we write");
    return 0;
}

static int parse_control(struct members *m, struct plog_entry *e,
                         struct plog_span name, struct plog_error *err)
{
    if (plog_json_kind(name) != 's')
        return corrupt(err, "control", "not a text");
    name = plog_span(name.p + 1, name.n - 2);
    for (int i = PLOG_CONTROL_INIT; i <= PLOG_CONTROL_RESTORE; i++)
        if (plog_span_is(name, control_names[i]))
            e->control = (enum plog_control)i;
    if (e->control == PLOG_CONTROL_NONE)
        return plog_fail(err, PLOG_E_FORMAT, "an unknown control entry");
    if (!take(m, "args", &e->args) || plog_json_kind(e->args) != 'o')
        return corrupt(err, "args", "missing or not an object");
    int rc = parse_logged_at(m, e, err);
    return rc ? rc : left_over(m, err);
}

static int parse_outcome(struct members *m, struct plog_entry *e,
                         struct plog_error *err)
{
    struct plog_span raw;
    unsigned char salt[PLOG_SALT_SIZE];
    if (take(m, "outcome", &raw)) {
        if (!plog_span_is(raw, "\"skipped\""))
            return corrupt(err, "outcome", "expected skipped");
        e->skipped = true;
    }
    if (e->redacted)
        return 0;
    if (take(m, "merged", &e->merged) && plog_json_kind(e->merged) != 'o')
        return corrupt(err, "merged", "not an object");
    if (!take(m, "salt", &raw))
        return m->more ? left_over(m, err) : corrupt(err, "salt", "missing");
    if (raw.n < 2 || *raw.p != '"' ||
        plog_base64_decode(plog_span(raw.p + 1, raw.n - 2), salt, sizeof salt))
        return corrupt(err, "salt", "not 16 bytes in base64");
    e->salt = plog_span(raw.p + 1, raw.n - 2);
    return 0;
}

/* What a redacted line has in the place of its payload. */
static int parse_redacted(struct members *m, struct plog_entry *e,
                          struct plog_error *err)
{
    struct plog_span raw;
    if (!e->redacted)
        return 0;
    if (!take(m, "redacted", &raw))
        return m->more ? left_over(m, err)
                       : corrupt(err, "entry", "a member is missing");
    if (plog_json_kind(raw) != 's' ||
        plog_base64_decode(plog_span(raw.p + 1, raw.n - 2), e->leaf,
                           sizeof e->leaf))
        return corrupt(err, "redacted", "not a hash in base64");
    return 0;
}

static int parse_delta(struct plog_entry_parser *p, struct members *m,
                       struct plog_entry *e, struct plog_error *err)
{
    struct plog_delta *d = &e->delta;
    struct plog_span from;
    take(m, "id", &d->id);
    if (take(m, "from", &from) && parse_from(e, from, &p->decoded))
        return corrupt(err, "from", "not an origin and a seq");
    if (!take(m, "resource", &d->resource) ||
        !take(m, "record_id", &d->record_id) || !take(m, "op", &d->op))
        return m->more ? left_over(m, err)
                       : corrupt(err, "entry", "a member is missing");
    e->redacted = !take(m, "payload", &d->payload);
    if (!take(m, "occurred_at", &d->occurred_at) ||
        !take(m, "provenance", &d->provenance))
        return m->more ? left_over(m, err)
                       : corrupt(err, "entry", "a member is missing");
    if (e->redacted)
        d->payload = plog_span_text("{}"); /* decoded as any */
    else
        take(m, "meta", &d->meta);
    int rc = parse_outcome(m, e, err);
    if (!rc)
        rc = parse_logged_at(m, e, err);
    if (!rc)
        rc = parse_redacted(m, e, err);
    if (!rc)
        rc = left_over(m, err);
    if (!rc)
        rc = plog_delta_decode(d, &p->decoded, err);
    if (e->redacted)
        d->payload = plog_span_text("null");
    if (!rc && d->is_delete && !plog_span_is(d->payload, "null"))
        rc = corrupt(err, "payload", "a delete is logged with null");
    if (!rc && d->is_delete && e->merged.n)
        rc = corrupt(err, "merged", "a delete has no payload to merge");
    if (rc != PLOG_E_INPUT)
        return rc;
    if (err)
        err->code = PLOG_E_CORRUPT; /* in the log it is no caller's input */
    return PLOG_E_CORRUPT;
}

int plog_entry_parse(struct plog_entry_parser *p, struct plog_span line,
                     struct plog_entry *out, struct plog_error *err)
{
    struct plog_json_fault fault = {0, ""};
    int rc = plog_json_check(&p->json, line, &fault);
    memset(out, 0, sizeof *out);
    if (rc == PLOG_E_INPUT) {
        plog_fail(err, PLOG_E_CORRUPT, "not a line of the log: %s", fault.what);
        return PLOG_E_CORRUPT;
    }
    return rc ? plog_fail(err, rc, "out of memory")
              : plog_entry_read(p, line, out, err);
}

int plog_entry_read(struct plog_entry_parser *p, struct plog_span line,
                    struct plog_entry *out, struct plog_error *err)
{
    struct members m;
    struct plog_span seq, control;
    memset(out, 0, sizeof *out);
    p->decoded.len = 0;
    if (plog_buf_reserve(&p->decoded, 2 * line.n))
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    plog_json_walk(&m.walk, line);
    advance(&m);
    if (!take(&m, "seq", &seq) || plog_u64_parse(seq, &out->seq) ||
        out->seq == 0)
        return corrupt(err, "seq", "missing or not a number from 1");
    if (take(&m, "control", &control))
        return parse_control(&m, out, control, err);
    return parse_delta(p, &m, out, err);
}

/* ---- Writing ------------------------------------------------------------ */

static int member(struct plog_buf *b, const char *name, struct plog_span raw)
{
    if (raw.n == 0)
        return 0;
    int rc = plog_buf_add_text(b, name);
    return rc ? rc : plog_buf_add_span(b, raw);
}

static int format_from(struct plog_buf *b, const struct plog_entry *e)
{
    if (e->from.n == 0)
        return 0;
    int rc = plog_buf_add_text(b, ",\"from\":{\"origin\":");
    if (!rc)
        rc = plog_buf_add_json(b, e->from);
    if (!rc)
        rc = plog_buf_add_text(b, ",\"seq\":");
    if (!rc)
        rc = plog_buf_add_u64(b, e->from_seq);
    return rc ? rc : plog_buf_add_char(b, '}');
}

static int format_end(struct plog_buf *b, struct plog_span logged_at)
{
    int rc = 0;
    if (logged_at.n) {
        rc = plog_buf_add_text(b, ",\"logged_at\":\"");
        if (!rc)
            rc = plog_buf_add_span(b, logged_at);
        if (!rc)
            rc = plog_buf_add_char(b, '"');
    }
    return rc ? rc : plog_buf_add_char(b, '}');
}

static int format_start(struct plog_buf *b, uint64_t seq)
{
    int rc = plog_buf_add_text(b, "{\"seq\":");
    return rc ? rc : plog_buf_add_u64(b, seq);
}

int plog_entry_format(struct plog_buf *b, const struct plog_entry *e,
                      size_t *payload_at)
{
    const struct plog_delta *d = &e->delta;
    size_t before = b->len;
    int rc = format_start(b, e->seq);
    if (!rc)
        rc = member(b, ",\"id\":", d->id);
    if (!rc)
        rc = format_from(b, e);
    if (!rc)
        rc = member(b, ",\"resource\":", d->resource);
    if (!rc)
        rc = member(b, ",\"record_id\":", d->record_id);
    if (!rc)
        rc = member(b, ",\"op\":", d->op);
    *payload_at = b->len - before + strlen(",\"payload\":");
    if (!rc)
        rc = member(b, ",\"payload\":", d->payload);
    if (!rc)
        rc = member(b, ",\"occurred_at\":", d->occurred_at);
    if (!rc)
        rc = member(b, ",\"provenance\":", d->provenance);
    if (!rc)
        rc = member(b, ",\"meta\":", d->meta);
    if (!rc && e->skipped)
        rc = plog_buf_add_text(b, ",\"outcome\":\"skipped\"");
    if (!rc)
        rc = member(b, ",\"merged\":", e->merged);
    if (!rc)
        rc = member(b, ",\"salt\":\"", e->salt);
    if (!rc && e->salt.n)
        rc = plog_buf_add_char(b, '"');
    if (!rc)
        rc = format_end(b, e->logged_at);
    if (rc)
        b->len = before;
    return rc;
}

int plog_control_format(struct plog_buf *b, uint64_t seq,
                        enum plog_control control, struct plog_span args,
                        struct plog_span logged_at)
{
    size_t before = b->len;
    int rc = format_start(b, seq);
    if (!rc)
        rc = plog_buf_add_text(b, ",\"control\":\"");
    if (!rc)
        rc = plog_buf_add_text(b, control_names[control]);
    if (!rc)
        rc = plog_buf_add_text(b, "\",\"args\":");
    if (!rc)
        rc = plog_buf_add_span(b, args);
    if (!rc)
        rc = format_end(b, logged_at);
    if (rc)
        b->len = before;
    return rc;
}
