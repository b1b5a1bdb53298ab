/* json_reference.c - see json_reference.h. */
#include "json_reference.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define DEPTH 64

struct name {
    size_t at, n; /* in `names` */
};

struct reading {
    const char *text;
    size_t at, n;
    char *out;
    size_t out_n;
    char *names; /* decoded, of all objects open */
    size_t names_n;
    struct name *list;
    size_t list_n;
    bool bad;
};

static int peek(const struct reading *r)
{
    return r->at < r->n ? (unsigned char)r->text[r->at] : -1;
}

static void blank(struct reading *r)
{
    while (peek(r) == ' ' || peek(r) == '\t' || peek(r) == '\n')
        r->at++;
}

/* Takes one byte that is wanted. */
static void want(struct reading *r, int c)
{
    if (r->bad || peek(r) != c) {
        r->bad = true;
        return;
    }
    r->out[r->out_n++] = r->text[r->at++];
}

static void copy(struct reading *r, size_t n)
{
    memcpy(r->out + r->out_n, r->text + r->at, n);
    r->out_n += n;
    r->at += n;
}

/* The value of \uXXXX at `at`, or -1. */
static long unit(const struct reading *r, size_t at)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    long v = 0;
    if (at + 6 > r->n || r->text[at] != '\\' || r->text[at + 1] != 'u')
        return -1;
    for (size_t i = at + 2; i < at + 6; i++) {
        const char *d = memchr(digits, r->text[i], sizeof digits - 1);
        if (!d)
            return -1;
        v = v * 16 + (d - digits) % 16;
    }
    return v;
}

static void put(struct reading *r, uint32_t c, bool keep)
{
    static const unsigned char first[] = {0, 0xc0, 0xe0, 0xf0};
    int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    if (!keep)
        return;
    r->names[r->names_n++] = (char)(first[more] | c >> (6 * more));
    for (int i = more - 1; i >= 0; i--)
        r->names[r->names_n++] = (char)(0x80 | (c >> (6 * i) & 63));
}

static void escape(struct reading *r, bool keep)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    long high = unit(r, r->at), low;
    if (high < 0) {
        const char *c = r->at + 1 < r->n && r->text[r->at + 1]
                            ? strchr(from, r->text[r->at + 1])
                            : NULL;
        r->bad = !c;
        if (!r->bad)
            put(r, (uint32_t)(unsigned char)to[c - from], keep);
        if (!r->bad)
            copy(r, 2);
        return;
    }
    if (high == 0 || (high >= 0xdc00 && high < 0xe000)) {
        r->bad = true;
        return;
    }
    if (high < 0xd800 || high >= 0xe000) {
        put(r, (uint32_t)high, keep);
        copy(r, 6);
        return;
    }
    low = unit(r, r->at + 6);
    r->bad = low < 0xdc00 || low >= 0xe000;
    if (r->bad)
        return;
    put(r, (uint32_t)(0x10000 + (high - 0xd800) * 1024 + (low - 0xdc00)), keep);
    copy(r, 12);
}

static void string(struct reading *r, bool keep)
{
    want(r, '"');
    size_t from = r->at;
    while (!r->bad && peek(r) != '"') {
        if (peek(r) < 0x20) /* the end, too */
            r->bad = true;
        else if (peek(r) == '\\')
            escape(r, keep);
        else {
            if (keep)
                r->names[r->names_n++] = r->text[r->at];
            copy(r, 1);
        }
    }
    if (!r->bad && !fuzz_is_utf8(r->text + from, r->at - from))
        r->bad = true;
    want(r, '"');
}

static void number(struct reading *r)
{
    /* States: 0 start, 1 minus, 2 zero, 3 digits, 4 point, 5 fraction, 6 e,
     * 7 sign, 8 exponent.  Classes: minus, zero, 1-9, point, e, plus. */
    static const char next[9][7] = {"123    ", " 23    ", "   46  ",
                                    " 3346  ", " 55    ", " 55 6  ",
                                    "788  7 ", " 88    ", " 88    "};
    static const char classes[] = "-0123456789.eE+";
    static const int class_of[] = {0, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 4, 4, 5};
    int state = 0;
    while (peek(r) > 0) {
        const char *c = strchr(classes, peek(r));
        char to = c ? next[state][class_of[c - classes]] : ' ';
        if (to == ' ')
            break;
        state = to - '0';
        copy(r, 1);
    }
    if (state != 2 && state != 3 && state != 5 && state != 8)
        r->bad = true;
}

static void value(struct reading *r, int depth);

static void member(struct reading *r, int depth, size_t first)
{
    struct name *m = &r->list[r->list_n];
    m->at = r->names_n;
    string(r, true);
    m->n = r->names_n - m->at;
    for (size_t i = first; !r->bad && i < r->list_n; i++)
        if (r->list[i].n == m->n &&
            memcmp(r->names + r->list[i].at, r->names + m->at, m->n) == 0)
            r->bad = true;
    r->list_n++;
    blank(r);
    want(r, ':');
    value(r, depth);
}

static void nested(struct reading *r, int depth, bool object)
{
    size_t first = r->list_n, names = r->names_n;
    if (depth > DEPTH)
        r->bad = true;
    want(r, object ? '{' : '[');
    blank(r);
    for (bool more = peek(r) != (object ? '}' : ']'); more && !r->bad;) {
        blank(r);
        if (object)
            member(r, depth, first);
        else
            value(r, depth);
        more = peek(r) == ',';
        if (more)
            want(r, ',');
    }
    want(r, object ? '}' : ']');
    r->list_n = first;
    r->names_n = names;
}

static void word(struct reading *r, const char *text)
{
    for (; *text; text++)
        want(r, *text);
}

/* A value and the blanks around it. */
static void value(struct reading *r, int depth)
{
    blank(r);
    switch (r->bad ? -1 : peek(r)) {
    case '{':
    case '[':
        nested(r, depth + 1, peek(r) == '{');
        break;
    case '"':
        string(r, false);
        break;
    case 't':
        word(r, "true");
        break;
    case 'f':
        word(r, "false");
        break;
    case 'n':
        word(r, "null");
        break;
    default:
        number(r);
    }
    blank(r);
}

bool json_reference(const char *text, size_t n, char *compact, size_t *len)
{
    struct reading r = {.text = text, .n = n, .out = compact};
    /* A name takes two quotes and a colon at least. */
    char *room = malloc(n + 1 + (n / 3 + 2) * sizeof *r.list);
    if (!room)
        abort();
    r.list = (struct name *)(void *)room;
    r.names = room + (n / 3 + 2) * sizeof *r.list;
    blank(&r);
    r.bad = peek(&r) != '{';
    if (!r.bad)
        value(&r, 0);
    free(room);
    *len = r.out_n;
    return !r.bad && r.at == n;
}
