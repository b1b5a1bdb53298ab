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

static int refuse(struct plog_error *err, const char *member, const char *what)
{
    plog_fail(err, PLOG_E_INPUT, "%s: %s", member, what);
    plog_err_member(err, member);
    return PLOG_E_INPUT;
}

/* ---- Decoding values ----------------------------------------------------------- */

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
        return refuse(err, member, "a string is expected");
    int rc = text_of(raw, decoded, out);
    if (rc)
        return plog_fail(err, rc, "out of memory");
    if (out->n >= 1 && out->n <= max)
        return 0;
    snprintf(what, sizeof what, "has %zu bytes, 1 to %zu are allowed", out->n,
             max);
    return refuse(err, member, what);
}

/* A JSON number as a double, whatever the process's locale. */
static int number(struct plog_span raw, double *out)
{
    char text[64], *end;
    size_t n = raw.n;
    if (n >= sizeof text) {
        /* Digits this far behind the point decide nothing that matters, but
         * an exponent would: such spellings are refused. */
        if (memchr(raw.p, 'e', n) || memchr(raw.p, 'E', n) || n < 2 ||
            (raw.p[1] != '.' && !(raw.p[0] == '-' && raw.p[2] == '.')))
            return PLOG_E_INPUT;
        n = sizeof text - 1;
    }
    memcpy(text, raw.p, n);
    text[n] = '\0';
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c)
        return PLOG_E_NOMEM;
    *out = strtod_l(text, &end, c);
    freelocale(c);
    return 0;
}

/* The common spellings without a locale: 0, 1, 0.ddd. */
static bool plain_number(struct plog_span raw, double *out)
{
    static const double scale[] = {1,    1e1,  1e2,  1e3,  1e4, 1e5,
                                   1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15};
    uint64_t digits = 0;
    if (raw.n == 0 || raw.n > 17 || raw.p[0] < '0' || raw.p[0] > '9')
        return false;
    digits = (uint64_t)(raw.p[0] - '0');
    if (raw.n == 1) {
        *out = (double)digits;
        return true;
    }
    if (raw.p[1] != '.')
        return false;
    for (size_t i = 2; i < raw.n; i++) {
        if (raw.p[i] < '0' || raw.p[i] > '9')
            return false;
        digits = digits * 10 + (uint64_t)(raw.p[i] - '0');
    }
    /* Both below 2^53 and 10^22: the quotient is the nearest double. */
    *out = (double)digits / scale[raw.n - 2];
    return true;
}

static int confidence_of(struct plog_span raw, double *out,
                         struct plog_error *err)
{
    static const char what[] = "a number from 0 to 1 is expected";
    if (plog_json_kind(raw) != 'n')
        return refuse(err, "provenance.confidence", what);
    int rc = plain_number(raw, out) ? 0 : number(raw, out);
    if (rc == PLOG_E_NOMEM)
        return plog_fail(err, rc, "out of memory");
    if (rc || !(*out >= 0 && *out <= 1))
        return refuse(err, "provenance.confidence", what);
    if (*out == 0)
        *out = 0; /* no negative zero in the store */
    return 0;
}

static int decode_provenance(struct plog_delta *d, struct plog_buf *decoded,
                             struct plog_error *err)
{
    struct plog_json_walk w;
    struct plog_span name, value, source = {0}, confidence = {0};
    if (plog_json_kind(d->provenance) != 'o')
        return refuse(err, "provenance", "an object is expected");
    plog_json_walk(&w, d->provenance);
    while (plog_json_next(&w, &name, &value)) {
        if (plog_json_name_is(name, "source"))
            source = value;
        else if (plog_json_name_is(name, "confidence"))
            confidence = value;
        else
            return refuse(err, "provenance", "holds source and confidence and"
                                             " nothing else");
    }
    if (!source.n || !confidence.n)
        return refuse(err, "provenance", "source and confidence are expected");
    int rc = limited(source, "provenance.source", PLOG_NAME_MAX, decoded,
                     &d->source_text, err);
    return rc ? rc : confidence_of(confidence, &d->confidence, err);
}

static int decode_op(struct plog_delta *d, struct plog_buf *decoded,
                     struct plog_error *err)
{
    struct plog_span op;
    if (plog_json_kind(d->op) != 's')
        return refuse(err, "op", "upsert or delete is expected");
    if (text_of(d->op, decoded, &op))
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    d->is_delete = plog_span_is(op, "delete");
    if (!d->is_delete && !plog_span_is(op, "upsert"))
        return refuse(err, "op", "upsert or delete is expected");
    char kind = plog_json_kind(d->payload);
    if (kind == 'o' || (d->is_delete && kind == '0'))
        return 0;
    return refuse(err, "payload", d->is_delete
                  ? "an object or null is expected"
                  : "an object is expected");
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
        rc = limited(d->occurred_at, "occurred_at", PLOG_NAME_MAX, decoded,
                     &d->occurred_text, err);
    if (!rc && plog_instant_parse(d->occurred_text, &d->instant))
        rc = refuse(err, "occurred_at", "an RFC 3339 time is expected, such as"
                    " 2026-01-02T03:04:05.678Z");
    if (!rc)
        rc = decode_provenance(d, decoded, err);
    if (!rc && d->meta.n && plog_json_kind(d->meta) != 'o')
        rc = refuse(err, "meta", "an object is expected");
    return rc;
}

/* ---- A delta as given -------------------------------------------------------------- */

struct slot {
    const char *name;
    struct plog_span *to;
};

static int take_members(struct plog_span object, struct plog_delta *d,
                        struct plog_error *err)
{
    const struct slot slots[] = {
        {"id", &d->id},                   {"resource", &d->resource},
        {"record_id", &d->record_id},     {"op", &d->op},
        {"payload", &d->payload},         {"occurred_at", &d->occurred_at},
        {"provenance", &d->provenance},   {"meta", &d->meta}};
    struct plog_json_walk w;
    struct plog_span name, value;
    plog_json_walk(&w, object);
    while (plog_json_next(&w, &name, &value)) {
        size_t i = 0;
        while (i < 8 && !plog_json_name_is(name, slots[i].name))
            i++;
        if (i == 8) {
            char shown[80];
            snprintf(shown, sizeof shown, "%.*s",
                     (int)(name.n < 60 ? name.n : 60), name.p);
            refuse(err, shown, "an unknown member");
            plog_err_hint(err, "put it into payload or meta");
            return PLOG_E_INPUT;
        }
        *slots[i].to = value;
    }
    for (size_t i = 1; i < 7; i++)
        if (!slots[i].to->n && i != 4)
            return refuse(err, slots[i].name, "this member is missing");
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
        return rc;
    }
    if (rc)
        return plog_fail(err, rc, "out of memory");
    if (p->compact.len > line_max) {
        plog_fail(err, PLOG_E_INPUT, "the delta has %zu bytes, this log allows"
                  " %zu", p->compact.len, line_max);
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
        return refuse(err, "payload", "this member is missing");
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
