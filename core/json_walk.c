/* json_walk.c - reading texts that passed a check: see json.h. */
#include "json.h"

/* From an opening quote to behind the closing one. */
static const char *skip_string(const char *p)
{
    for (p++; *p != '"'; p++)
        if (*p == '\\')
            p++;
    return p + 1;
}

static const char *skip_value(const char *p, const char *end)
{
    unsigned depth = 0;
    while (p < end) {
        char c = *p;
        if (c == '"') {
            p = skip_string(p);
            if (depth == 0)
                return p;
            continue;
        }
        if (depth == 0 && (c == ',' || c == '}' || c == ']'))
            return p;
        if (c == '{' || c == '[')
            depth++;
        if (c == '}' || c == ']')
            depth--;
        p++;
        if (depth == 0 && (c == '}' || c == ']'))
            return p;
    }
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
    const char *name_end = skip_string(w->at);
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

/* ---- Unescaping
 * ------------------------------------------------------------------ */

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
