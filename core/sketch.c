/*
 * sketch.c - see sketch.h.
 *
 * A cursor goes from left to right.  Each function takes what it is named
 * after, or answers false, and then the whole line is left alone; so nothing
 * here has to say what is wrong, or to be complete.  What is taken must be
 * exactly what json.c, entry.c and delta.c take: tests/unit/test_sketch.c
 * compares the two.
 */
#include "sketch.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define DEPTH 8  /* brackets inside one another */
#define NAMES 32 /* members of the open objects */

struct cursor {
    const char *start, *p, *end;
    const char *readable;
};

/* ---- Texts -------------------------------------------------------------- */

/* Whether a byte stands for itself inside a string. */
static bool is_plain(char c)
{
    return c >= 0x20 && c != '"' && c != '\\' && (signed char)c > 0;
}

/* The first byte from `p` on that does not; the LF behind the line is none, or
 * the end of what may be read. */
static const char *skip_plain(const char *p, const char *readable)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'),
                  space = _mm_set1_epi8(0x20);
    while (readable - p >= 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i odd = _mm_or_si128(_mm_cmpeq_epi8(v, quote),
                                   _mm_or_si128(_mm_cmpeq_epi8(v, slash),
                                                /* signed: beyond ASCII, too */
                                                _mm_cmplt_epi8(v, space)));
        unsigned mask = (unsigned)_mm_movemask_epi8(odd);
        if (mask)
            return p + __builtin_ctz(mask);
        p += 16;
    }
#endif
    while (p < readable && is_plain(*p))
        p++;
    return p;
}

/* Behind the opening quote, up to behind the closing one. */
static bool take_string(struct cursor *c, bool *escaped)
{
    *escaped = false;
    for (;;) {
        const char *p = c->p = skip_plain(c->p, c->readable);
        if (p >= c->end)
            return false;
        if (*p == '"') {
            c->p++;
            return true;
        }
        if (*p == '\\') {
            if (c->end - p < 2 || p[1] == '\0' || !strchr("\"\\/bfnrt", p[1]))
                return false;
            *escaped = true;
            c->p += 2;
            continue;
        }
        size_t n = plog_json_utf8(p, (size_t)(c->end - p));
        if (n == 0)
            return false;
        c->p += n;
    }
}

/* Inline, so that the length is known where the bytes are compared. */
static inline __attribute__((always_inline)) bool
take(struct cursor *c, const char *text, size_t n)
{
    if ((size_t)(c->end - c->p) < n || memcmp(c->p, text, n) != 0)
        return false;
    c->p += n;
    return true;
}
#define TAKE(c, text) take((c), (text), sizeof(text) - 1)

/* Behind the opening quote: 1 to `max` bytes without an escape. */
static bool take_text(struct cursor *c, size_t max, struct plog_piece *out)
{
    bool escaped;
    const char *from = c->p;
    if (!take_string(c, &escaped) || escaped)
        return false;
    size_t n = (size_t)(c->p - from) - 1;
    out->at = (uint32_t)(from - c->start);
    out->n = (uint32_t)n;
    return n >= 1 && n <= max;
}

/* ---- Values ------------------------------------------------------------- */

static bool take_digits(struct cursor *c)
{
    const char *from = c->p;
    while (c->p < c->end && *c->p >= '0' && *c->p <= '9')
        c->p++;
    return c->p > from;
}

static bool take_number(struct cursor *c)
{
    (void)TAKE(c, "-");
    const char *from = c->p;
    if (!take_digits(c) || (*from == '0' && c->p - from > 1))
        return false;
    if (TAKE(c, ".") && !take_digits(c))
        return false;
    if (TAKE(c, "e") || TAKE(c, "E")) {
        if (!TAKE(c, "+"))
            (void)TAKE(c, "-");
        return take_digits(c);
    }
    return true;
}

static bool take_scalar(struct cursor *c)
{
    bool escaped;
    if (c->p >= c->end)
        return false;
    switch (*c->p) {
    case '"':
        c->p++;
        return take_string(c, &escaped);
    case 't':
        return TAKE(c, "true");
    case 'f':
        return TAKE(c, "false");
    case 'n':
        return TAKE(c, "null");
    default:
        return take_number(c);
    }
}

/* The objects and arrays around the cursor, and the names in the objects. */
struct nest {
    unsigned depth, names;
    bool is_object[DEPTH];
    unsigned first[DEPTH]; /* name of the object */
    struct plog_span name[NAMES];
};

/* A member name, new in its object, and the colon. */
static bool take_name(struct cursor *c, struct nest *n)
{
    bool escaped;
    const char *from = c->p + 1;
    if (!TAKE(c, "\"") || !take_string(c, &escaped) || escaped ||
        n->names == NAMES)
        return false;
    struct plog_span name = plog_span(from, (size_t)(c->p - from) - 1);
    for (unsigned i = n->first[n->depth - 1]; i < n->names; i++)
        if (plog_span_equal(n->name[i], name))
            return false;
    n->name[n->names++] = name;
    return TAKE(c, ":");
}

/* An opening bracket, up to where the first value begins; `*empty`: up to
 * behind the closing one. */
static bool take_open(struct cursor *c, struct nest *n, bool *empty)
{
    bool object = *c->p == '{';
    if (n->depth == DEPTH)
        return false;
    c->p++;
    *empty = c->p < c->end && *c->p == (object ? '}' : ']');
    if (*empty) {
        c->p++;
        return true;
    }
    n->is_object[n->depth] = object;
    n->first[n->depth++] = n->names;
    return !object || take_name(c, n);
}

/* Behind a value: brackets that close, and a comma, up to where the next value
 * begins or behind the last bracket. */
static bool take_after(struct cursor *c, struct nest *n)
{
    while (n->depth && c->p < c->end) {
        bool object = n->is_object[n->depth - 1];
        if (*c->p == ',') {
            c->p++;
            return !object || take_name(c, n);
        }
        if (*c->p != (object ? '}' : ']'))
            return false;
        n->names = n->first[--n->depth];
        c->p++;
    }
    return n->depth == 0;
}

static bool take_object(struct cursor *c, struct plog_piece *out)
{
    struct nest n;
    bool taken, empty;
    const char *from = c->p;
    n.depth = n.names = 0;
    if (c->p >= c->end || *c->p != '{')
        return false;
    do {
        if (c->p >= c->end)
            return false;
        if (*c->p == '{' || *c->p == '[') {
            taken = take_open(c, &n, &empty);
            if (taken && !empty)
                continue;
        } else {
            taken = take_scalar(c);
        }
        if (!taken || !take_after(c, &n))
            return false;
    } while (n.depth);
    out->at = (uint32_t)(from - c->start);
    out->n = (uint32_t)(c->p - from);
    return true;
}

/* ---- Members ------------------------------------------------------------ */

static bool take_seq(struct cursor *c, uint64_t *out)
{
    const char *from = c->p;
    return take_digits(c) &&
           plog_u64_parse(plog_span(from, (size_t)(c->p - from)), out) == 0 &&
           *out > 0;
}

static bool take_confidence(struct cursor *c, double *out)
{
    const char *from = c->p;
    return TAKE(c, "\"confidence\":") && (from = c->p, take_number(c)) &&
           plog_delta_plain_number(plog_span(from, (size_t)(c->p - from)),
                                   out) &&
           *out >= 0 && *out <= 1;
}

/* Its members stand as the caller had them. */
static bool take_provenance(struct cursor *c, double *confidence)
{
    struct plog_piece source;
    bool first = TAKE(c, "\"source\":\"");
    if (first && !(take_text(c, PLOG_NAME_MAX, &source) && TAKE(c, ",") &&
                   take_confidence(c, confidence)))
        return false;
    if (!first &&
        !(take_confidence(c, confidence) && TAKE(c, ",\"source\":\"") &&
          take_text(c, PLOG_NAME_MAX, &source)))
        return false;
    return TAKE(c, "}");
}

static bool take_instant(struct cursor *c, struct plog_piece *piece,
                         struct plog_instant *out)
{
    return take_text(c, PLOG_NAME_MAX, piece) &&
           plog_instant_parse(plog_span(c->start + piece->at, piece->n), out) ==
               0;
}

/* 16 bytes in base64: 21 digits, one whose last four bits are not used, and
 * the padding. */
static bool take_salt(struct cursor *c)
{
    static const unsigned char digit[256] = {
        ['A' ... 'Z'] = 1, ['a' ... 'z'] = 1, ['0' ... '9'] = 1,
        ['+'] = 1,         ['/'] = 1,
    };
    const unsigned char *p = (const unsigned char *)c->p;
    unsigned all = 1;
    if (c->end - c->p < 25)
        return false;
    for (int i = 0; i < 21; i++)
        all &= digit[p[i]];
    if (!all || !(p[21] == 'A' || p[21] == 'Q' || p[21] == 'g' || p[21] == 'w'))
        return false;
    c->p += 22;
    return TAKE(c, "==\"");
}

/* Ours alone: one spelling. */
static bool take_logged_at(struct cursor *c)
{
    struct plog_piece piece;
    struct plog_instant t;
    char again[40];
    if (!take_instant(c, &piece, &t))
        return false;
    plog_instant_format(t, again);
    return plog_span_is(plog_span(c->start + piece.at, piece.n), again);
}

static bool take_payload(struct cursor *c, struct plog_sketch *s)
{
    if (TAKE(c, "upsert\",\"payload\":"))
        return take_object(c, &s->payload);
    s->is_delete = true;
    if (!TAKE(c, "delete\",\"payload\":"))
        return false;
    s->payload.at = (uint32_t)(c->p - c->start);
    s->payload.n = 4;
    return TAKE(c, "null");
}

static bool take_delta(struct cursor *c, struct plog_sketch *s, uint64_t *seq)
{
    struct plog_piece piece;
    if (!TAKE(c, "{\"seq\":") || !take_seq(c, seq))
        return false;
    if (TAKE(c, ",\"id\":\"") && !take_text(c, PLOG_NAME_MAX, &s->id))
        return false;
    if (!TAKE(c, ",\"resource\":\"") ||
        !take_text(c, PLOG_NAME_MAX, &s->resource) ||
        !TAKE(c, ",\"record_id\":\"") ||
        !take_text(c, PLOG_RECORD_ID_MAX, &s->record_id) ||
        !TAKE(c, ",\"op\":\"") || !take_payload(c, s) ||
        !TAKE(c, ",\"occurred_at\":\"") ||
        !take_instant(c, &piece, &s->instant) ||
        !TAKE(c, ",\"provenance\":{") || !take_provenance(c, &s->confidence))
        return false;
    if (TAKE(c, ",\"meta\":") && !take_object(c, &piece))
        return false;
    s->skipped = TAKE(c, ",\"outcome\":\"skipped\"");
    if (!TAKE(c, ",\"salt\":\"") || !take_salt(c))
        return false;
    s->opens = TAKE(c, ",\"logged_at\":\"");
    return (!s->opens || take_logged_at(c)) && TAKE(c, "}") && c->p == c->end;
}

bool plog_sketch_read(struct plog_span line, const char *readable,
                      struct plog_sketch *out)
{
    struct cursor c = {line.p, line.p, line.p + line.n, readable};
    uint64_t seq = 0;
    memset(out, 0, sizeof *out);
    bool taken = line.n <= UINT32_MAX && take_delta(&c, out, &seq);
    out->seq = taken ? seq : 0;
    return taken;
}

/* ---- As an entry -------------------------------------------------------- */

void plog_sketch_entry(const struct plog_sketch *k, struct plog_span line,
                       struct plog_entry *out)
{
    memset(out, 0, sizeof *out);
    out->seq = k->seq;
    out->skipped = k->skipped;
    out->delta.id_text = plog_piece_of(line, k->id);
    out->delta.resource_text = plog_piece_of(line, k->resource);
    out->delta.record_id_text = plog_piece_of(line, k->record_id);
    out->delta.payload = plog_piece_of(line, k->payload);
    out->delta.is_delete = k->is_delete;
    out->delta.confidence = k->confidence;
    out->delta.instant = k->instant;
}
