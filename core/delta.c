/* delta.c - see delta.h. */
#include "delta.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#include "err.h"

void plog_delta_parser_init(struct plog_delta_parser *p,
                            const struct plog_io *io)
{
    plog_json_init(&p->json, io);
    plog_buf_init(&p->compact, io);
    plog_buf_init(&p->decoded, io);
}

void plog_delta_parser_fini(struct plog_delta_parser *p)
{
    plog_json_fini(&p->json);
    plog_buf_fini(&p->compact);
    plog_buf_fini(&p->decoded);
}

static int refuse(struct plog_error *err, const char *member, const char *what,
                  const char *hint)
{
    plog_fail(err, PLOG_E_INPUT, "%s: %s", member, what);
    plog_err_member(err, member);
    plog_err_hint(err, "%s", hint);
    return PLOG_E_INPUT;
}

/* A kind of value, never the value: it may be nobody's business. */
static const char *kind_name(struct plog_span value)
{
    switch (plog_json_kind(value)) {
    case 's':
        return "a string";
    case 'o':
        return "an object";
    case 'a':
        return "an array";
    case 'n':
        return "a number";
    case '0':
        return "null";
    default:
        return "a boolean";
    }
}

static int refuse_kind(struct plog_error *err, const char *member,
                       const char *expected, struct plog_span found,
                       const char *hint)
{
    char what[96];
    snprintf(what, sizeof what, "expected %s, found %s", expected,
             kind_name(found));
    return refuse(err, member, what, hint);
}

/* ---- Decoding values ---------------------------------------------------- */

/* The bytes of a string value; they stay in the raw text when nothing is
 * escaped. */
static int text_of(struct plog_span raw, struct plog_buf *decoded,
                   struct plog_span *out)
{
    struct plog_span inner = plog_span(raw.p + 1, raw.n - 2);
    *out = inner;
    if (inner.n == 0 || !memchr(inner.p, '\\', inner.n))
        return 0;
    size_t start = decoded->len;
    int rc = plog_json_unescape(inner, decoded);
    *out = plog_span(decoded->data + start, decoded->len - start);
    return rc;
}

static int limited(struct plog_span raw, const char *member, size_t max,
                   struct plog_buf *decoded, struct plog_span *out,
                   struct plog_error *err)
{
    char what[96];
    if (plog_json_kind(raw) != 's')
        return refuse_kind(err, member, "a string", raw,
                           "write it as a string, in quotes");
    int rc = text_of(raw, decoded, out);
    if (rc)
        return plog_fail(err, rc, "out of memory");
    if (out->n >= 1 && out->n <= max)
        return 0;
    snprintf(what, sizeof what, "expected 1 to %zu bytes, found %zu", max,
             out->n);
    return refuse(err, member, what,
                  out->n ? "shorten it; long texts belong in payload or meta"
                         : "it must not be empty");
}

/* A checked JSON number as a double, whatever the process's locale.  It is
 * the value of a member, so what follows it, a comma or a brace, ends it. */
static int number(struct plog_span raw, double *out)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c)
        return PLOG_E_NOMEM;
    *out = strtod_l(raw.p, NULL, c);
    freelocale(c);
    return 0;
}

/* What is no digit behind a point is an exponent. */
bool plog_delta_plain_number(struct plog_span raw, double *out)
{
    static const double scale[] = {1,    1e1,  1e2,  1e3, 1e4,  1e5,
                                   1e6,  1e7,  1e8,  1e9, 1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15};
    uint64_t digits = 0;
    if (raw.n > 17 || raw.p[0] == '-')
        return false;
    digits = (uint64_t)(raw.p[0] - '0');
    if (raw.n == 1) {
        *out = (double)digits;
        return true;
    }
    if (raw.p[1] != '.')
        return false;
    for (size_t i = 2; i < raw.n; i++) {
        if (raw.p[i] > '9')
            return false;
        digits = digits * 10 + (uint64_t)(raw.p[i] - '0');
    }
    /* From 0 to 1 both are below 2^53: the quotient is the nearest double. */
    *out = (double)digits / scale[raw.n - 2];
    return true;
}

/* The nearest double is what counts, because it is what is stored and
 * compared: 1.0000000000000000001 is 1 and taken, 1.0000000000000002 is not,
 * and what rounds to -0 is 0.  The log keeps the text as it was written. */
static int confidence_of(struct plog_span raw, double *out,
                         struct plog_error *err)
{
    static const char member[] = "provenance.confidence";
    static const char hint[] = "1 is certain, 0 is worth nothing";
    if (plog_json_kind(raw) != 'n')
        return refuse_kind(err, member, "a number from 0 to 1", raw, hint);
    int rc = plog_delta_plain_number(raw, out) ? 0 : number(raw, out);
    if (rc)
        return plog_fail(err, rc, "out of memory");
    if (!(*out >= 0 && *out <= 1))
        return refuse(err, member,
                      "expected a number from 0 to 1, found one outside", hint);
    if (*out == 0)
        *out = 0; /* no negative zero in the store */
    return 0;
}

static int decode_provenance(struct plog_delta *d, struct plog_buf *decoded,
                             struct plog_error *err)
{
    struct plog_json_walk w;
    struct plog_span name, value, source = {0}, confidence = {0};
    static const char hint[] = "write it as {\"source\":\"...\","
                               "\"confidence\":1}";
    if (plog_json_kind(d->provenance) != 'o')
        return refuse_kind(err, "provenance", "an object", d->provenance, hint);
    plog_json_walk(&w, d->provenance);
    while (plog_json_next(&w, &name, &value)) {
        if (plog_json_name_is(name, "source"))
            source = value;
        else if (plog_json_name_is(name, "confidence"))
            confidence = value;
        else
            return refuse(err, "provenance",
                          "expected source and confidence,"
                          " found another member",
                          "put it into meta");
    }
    if (!source.n || !confidence.n)
        return refuse(err,
                      source.n ? "provenance.confidence" : "provenance.source",
                      "this member is missing", hint);
    int rc = limited(source, "provenance.source", PLOG_NAME_MAX, decoded,
                     &d->source_text, err);
    return rc ? rc : confidence_of(confidence, &d->confidence, err);
}

static int decode_op(struct plog_delta *d, struct plog_buf *decoded,
                     struct plog_error *err)
{
    static const char hint[] = "upsert writes a record, delete removes it";
    struct plog_span op;
    if (plog_json_kind(d->op) != 's')
        return refuse_kind(err, "op", "upsert or delete", d->op, hint);
    if (text_of(d->op, decoded, &op))
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    d->is_delete = plog_span_is(op, "delete");
    if (!d->is_delete && !plog_span_is(op, "upsert"))
        return refuse(err, "op",
                      "expected upsert or delete, found another string", hint);
    return 0;
}

static int check_payload(const struct plog_delta *d, struct plog_error *err)
{
    char kind = plog_json_kind(d->payload);
    if (kind == 'o' || (d->is_delete && kind == '0'))
        return 0;
    if (d->is_delete)
        return refuse_kind(err, "payload", "an object or null", d->payload,
                           "a delete needs no payload: leave it out");
    return refuse_kind(err, "payload", "an object", d->payload,
                       kind == '0' ? "to remove the record, use op delete"
                                   : "wrap it, as in {\"value\":...}");
}

static int decode_time(struct plog_delta *d, struct plog_buf *decoded,
                       struct plog_error *err)
{
    int rc = limited(d->occurred_at, "occurred_at", PLOG_NAME_MAX, decoded,
                     &d->occurred_text, err);
    if (rc || !plog_instant_parse(d->occurred_text, &d->instant))
        return rc;
    return refuse(err, "occurred_at",
                  "expected an RFC 3339 time, found another string",
                  "write it as 2026-01-02T03:04:05.678Z; at most 9 digits"
                  " behind the point, no second 60");
}

int plog_delta_decode(struct plog_delta *d, struct plog_buf *decoded,
                      struct plog_error *err)
{
    size_t all = d->id.n + d->resource.n + d->record_id.n + d->op.n +
                 d->occurred_at.n + d->provenance.n;
    int rc = plog_buf_reserve(decoded, all);
    if (rc)
        return plog_fail(err, rc, "out of memory");
    if (d->id.n)
        rc = limited(d->id, "id", PLOG_NAME_MAX, decoded, &d->id_text, err);
    if (!rc)
        rc = limited(d->resource, "resource", PLOG_NAME_MAX, decoded,
                     &d->resource_text, err);
    if (!rc)
        rc = limited(d->record_id, "record_id", PLOG_RECORD_ID_MAX, decoded,
                     &d->record_id_text, err);
    if (!rc)
        rc = decode_op(d, decoded, err);
    if (!rc)
        rc = check_payload(d, err);
    if (!rc)
        rc = decode_time(d, decoded, err);
    if (!rc)
        rc = decode_provenance(d, decoded, err);
    if (!rc && d->meta.n && plog_json_kind(d->meta) != 'o')
        rc = refuse_kind(err, "meta", "an object", d->meta,
                         "write it as an object, or leave it out");
    return rc;
}

/* ---- A delta as given --------------------------------------------------- */

struct slot {
    const char *name;
    struct plog_span *to;
    bool required;
};

/* Names the member, cut between characters: the error is UTF-8 as well. */
static int refuse_unknown(struct plog_error *err, struct plog_span name)
{
    char shown[64];
    size_t n = name.n < sizeof shown ? name.n : sizeof shown - 1;
    while (n > 0 && n < name.n && ((unsigned char)name.p[n] & 0xc0) == 0x80)
        n--;
    snprintf(shown, sizeof shown, "%.*s", (int)n, name.p);
    return refuse(err, shown, "an unknown member",
                  "put it into payload or meta");
}

static int take_members(struct plog_span object, struct plog_delta *d,
                        struct plog_error *err)
{
    const struct slot slots[] = {
        {"id", &d->id, false},
        {"resource", &d->resource, true},
        {"record_id", &d->record_id, true},
        {"op", &d->op, true},
        {"payload", &d->payload, false}, /* as op has it */
        {"occurred_at", &d->occurred_at, true},
        {"provenance", &d->provenance, true},
        {"meta", &d->meta, false},
    };
    const size_t count = sizeof slots / sizeof *slots;
    struct plog_json_walk w;
    struct plog_span name, value;
    plog_json_walk(&w, object);
    while (plog_json_next(&w, &name, &value)) {
        size_t i = 0;
        while (i < count && !plog_json_name_is(name, slots[i].name))
            i++;
        if (i == count)
            return refuse_unknown(err, name);
        *slots[i].to = value;
    }
    for (size_t i = 0; i < count; i++)
        if (slots[i].required && !slots[i].to->n)
            return refuse(err, slots[i].name, "this member is missing",
                          "a delta has resource, record_id, op, payload,"
                          " occurred_at and provenance");
    return 0;
}

int plog_delta_parse(struct plog_delta_parser *p, struct plog_span text,
                     size_t line_max, struct plog_delta *out,
                     struct plog_error *err)
{
    struct plog_json_fault fault = {0, ""};
    memset(out, 0, sizeof *out);
    p->compact.len = p->decoded.len = 0;
    int rc = plog_json_compact(&p->json, text, &p->compact, &fault);
    if (rc == PLOG_E_INPUT) {
        plog_fail(err, rc, "not a JSON object as it must be: %s", fault.what);
        plog_err_at(err, "", fault.offset);
        plog_err_hint(err, "give one JSON object in UTF-8, as strict as"
                           " docs/FORMAT.md, section 2: no member name twice,"
                           " no \\u0000, no half of a surrogate pair, no CR"
                           " outside of strings");
        return rc;
    }
    if (rc)
        return plog_fail(err, rc, "out of memory");
    if (p->compact.len > line_max) {
        plog_fail(err, PLOG_E_INPUT,
                  "the delta has %zu bytes, this log allows"
                  " %zu",
                  p->compact.len, line_max);
        plog_err_hint(err, "keep large content elsewhere and its hash in the"
                           " payload, or make a log with a larger limit");
        return PLOG_E_INPUT;
    }
    rc = take_members(plog_span(p->compact.data, p->compact.len), out, err);
    if (rc)
        return rc;
    bool no_payload = out->payload.n == 0;
    if (no_payload)
        out->payload = plog_span_text("null");
    rc = plog_delta_decode(out, &p->decoded, err);
    if (rc && no_payload && err && !strcmp(err->member, "payload"))
        return refuse(err, "payload", "this member is missing",
                      "an upsert needs an object, {} at least");
    if (!rc && out->is_delete)
        out->payload = plog_span_text("null");
    return rc;
}

bool plog_delta_same(const struct plog_delta *a, const struct plog_delta *b)
{
    return plog_span_equal(a->resource, b->resource) &&
           plog_span_equal(a->record_id, b->record_id) &&
           plog_span_equal(a->op, b->op) &&
           plog_span_equal(a->payload, b->payload) &&
           plog_span_equal(a->meta, b->meta) &&
           plog_span_equal(a->provenance, b->provenance) &&
           plog_span_equal(a->occurred_at, b->occurred_at);
}
