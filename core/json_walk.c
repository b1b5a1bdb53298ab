/* json_walk.c - reading texts that passed a check: see json.h. */
#include "json.h"

/* How many of eight bytes, from the first on, are neither quote nor backslash;
 * where the order of bytes in a word does not tell, 0 unless all are. */
static unsigned inner8(const char *p)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    uint64_t v;
    memcpy(&v, p, sizeof v);
    uint64_t quote = v ^ (ones * '"'), slash = v ^ (ones * '\\');
    uint64_t odd = ((quote - ones) & ~quote) | ((slash - ones) & ~slash);
    odd &= tops;
    if (odd == 0)
        return 8;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (unsigned)__builtin_ctzll(odd) / 8;
#else
    return 0;
#endif
}

/* From an opening quote to behind the closing one. */
static const char *skip_string(const char *p, const char *end)
{
    for (p++; p < end; p++) {
        for (unsigned n = 8; n == 8 && end - p >= 8;) {
            n = inner8(p);
            p += n;
        }
        if (p == end)
            break;
        if (*p == '"')
            return p + 1;
        if (*p == '\\')
            p++;
    }
    return end;
}

/* From an opening bracket to behind the one that closes it. */
static const char *skip_nested(const char *p, const char *end)
{
    unsigned depth = 0;
    while (p < end) {
        switch (*p) {
        case '"':
            p = skip_string(p, end);
            continue;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            if (--depth == 0)
                return p + 1;
            break;
        default:
            break;
        }
        p++;
    }
    return end;
}

static const char *skip_value(const char *p, const char *end)
{
    if (p < end && *p == '"')
        return skip_string(p, end);
    if (p < end && (*p == '{' || *p == '['))
        return skip_nested(p, end);
    while (p < end && *p != ',')
        p++;
    return p;
}

void plog_json_walk(struct plog_json_walk *w, struct plog_span object)
{
    w->at = object.p + 1;
    w->end = object.p + object.n - 1;
}

bool plog_json_next(struct plog_json_walk *w, struct plog_span *name,
                    struct plog_span *value)
{
    if (w->at >= w->end)
        return false;
    const char *name_end = skip_string(w->at, w->end);
    *name = plog_span(w->at + 1, (size_t)(name_end - w->at) - 2);
    const char *from = name_end + 1; /* behind the colon */
    const char *to = skip_value(from, w->end);
    *value = plog_span(from, (size_t)(to - from));
    w->at = to + 1; /* behind the comma */
    return true;
}

bool plog_json_next_element(struct plog_json_walk *w, struct plog_span *value)
{
    if (w->at >= w->end)
        return false;
    const char *to = skip_value(w->at, w->end);
    *value = plog_span(w->at, (size_t)(to - w->at));
    w->at = to + 1;
    return true;
}

/* ---- Unescaping --------------------------------------------------------- */

static unsigned hex4(const char *p)
{
    unsigned v = 0;
    for (int i = 0; i < 4; i++) {
        unsigned c = (unsigned char)p[i];
        v = v * 16 + (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return v;
}

static size_t put_utf8(unsigned c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 63));
        out[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 63));
    out[2] = (char)(0x80 | (c >> 6 & 63));
    out[3] = (char)(0x80 | (c & 63));
    return 4;
}

/* One character of a checked string; returns how many raw bytes it takes. */
static size_t decode_one(const char *p, char *out, size_t *n)
{
    static const char names[] = "bfnrt", bytes[] = "\b\f\n\r\t";
    *n = 1;
    if (p[0] != '\\') {
        out[0] = p[0];
        return 1;
    }
    if (p[1] != 'u') {
        const char *at = strchr(names, p[1]);
        out[0] = at ? bytes[at - names] : p[1];
        return 2;
    }
    unsigned c = hex4(p + 2);
    if (c < 0xd800 || c > 0xdbff) {
        *n = put_utf8(c, out);
        return 6;
    }
    *n = put_utf8(0x10000 + ((c - 0xd800) << 10) + (hex4(p + 8) - 0xdc00), out);
    return 12;
}

int plog_json_unescape(struct plog_span raw, struct plog_buf *out)
{
    size_t n;
    if (plog_buf_reserve(out, raw.n)) /* never longer than it was */
        return PLOG_E_NOMEM;
    for (size_t i = 0; i < raw.n;) {
        char one[4];
        i += decode_one(raw.p + i, one, &n);
        memcpy(out->data + out->len, one, n);
        out->len += n;
    }
    return 0;
}

bool plog_json_name_is(struct plog_span raw, const char *text)
{
    size_t n, left = strlen(text);
    /* An escape is longer than what it stands for. */
    if (raw.n <= left)
        return plog_span_equal(raw, plog_span(text, left)) &&
               !memchr(text, '\\', left);
    for (size_t i = 0; i < raw.n;) {
        char one[4];
        i += decode_one(raw.p + i, one, &n);
        if (n > left || memcmp(one, text, n) != 0)
            return false;
        text += n;
        left -= n;
    }
    return left == 0;
}

char plog_json_kind(struct plog_span value)
{
    switch (value.n ? *value.p : 0) {
    case '"':
        return 's';
    case '{':
        return 'o';
    case '[':
        return 'a';
    case 't':
        return 't';
    case 'f':
        return 'f';
    case 'n':
        return '0';
    default:
        return 'n';
    }
}

bool plog_json_members(struct plog_span object, const char *const *names,
                       struct plog_span *values, size_t count)
{
    struct plog_json_walk w;
    struct plog_span name, value;
    plog_json_walk(&w, object);
    for (size_t i = 0; i < count; i++)
        if (!plog_json_next(&w, &name, &values[i]) ||
            !plog_span_is(name, names[i]))
            return false;
    return !plog_json_next(&w, &name, &value);
}

bool plog_json_bytes(struct plog_span raw, unsigned char *out, size_t n)
{
    return plog_json_kind(raw) == 's' &&
           plog_base64_decode(plog_span(raw.p + 1, raw.n - 2), out, n) == 0;
}
