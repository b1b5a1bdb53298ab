/*
 * json.c - see json.h.
 *
 * The scanner is a loop over one state, not a recursive descent: the open
 * brackets lie in an array of PLOG_DEPTH_MAX.  Names of the open objects are
 * kept, decoded, one behind the other; when an object closes, its names are
 * compared (each with each while they are few, else sorted) and dropped.
 */
#include "json.h"

#include "err.h"

/* Where a member name lies in `names`, and where it was read. */
struct member {
    size_t at, n;
    size_t offset; /* of its opening quote, in the text */
};

struct scan {
    struct plog_json *j;
    const char *start, *p, *end;
    struct plog_buf *out; /* NULL: white space is a fault */
    const char *copied;   /* what lies before is in `out` */
    struct plog_json_fault *fault;
    unsigned depth;
    bool is_object[PLOG_DEPTH_MAX];
    size_t first_member[PLOG_DEPTH_MAX]; /* of the object, in members */
    size_t names_at[PLOG_DEPTH_MAX];
};

void plog_json_init(struct plog_json *j, const struct plog_io *io)
{
    plog_buf_init(&j->names, io);
    plog_buf_init(&j->members, io);
}

void plog_json_fini(struct plog_json *j)
{
    plog_buf_fini(&j->names);
    plog_buf_fini(&j->members);
}

static int fault_at(struct scan *s, const char *p, const char *what)
{
    s->fault->offset = (size_t)(p - s->start);
    s->fault->what = what;
    return PLOG_E_INPUT;
}

static int fault(struct scan *s, const char *what)
{
    return fault_at(s, s->p, what);
}

/* ---- White space -------------------------------------------------------- */

static int flush(struct scan *s)
{
    int rc = plog_buf_add(s->out, s->copied, (size_t)(s->p - s->copied));
    s->copied = s->p;
    return rc;
}

static int skip_space(struct scan *s)
{
    const char *p = s->p;
    while (p < s->end && (*p == ' ' || *p == '\t' || *p == '\n'))
        p++;
    if (p < s->end && *p == '\r')
        return fault_at(s, p, "a carriage return outside a string");
    if (p == s->p)
        return 0;
    if (!s->out)
        return fault(s, "white space in a line of the log");
    int rc = flush(s);
    s->p = s->copied = p;
    return rc;
}

/* ---- Strings ------------------------------------------------------------ */

static int hex4(struct scan *s, const char *p, unsigned *out)
{
    unsigned v = 0;
    for (int i = 0; i < 4; i++) {
        if (p + i == s->end)
            return fault_at(s, p + i, "an unfinished escape");
        unsigned c = (unsigned char)p[i], lower = c | 0x20;
        if (c >= '0' && c <= '9')
            v = v * 16 + (c - '0');
        else if (lower >= 'a' && lower <= 'f')
            v = v * 16 + (lower - 'a' + 10);
        else
            return fault_at(s, p + i, "not a hex digit in an escape");
    }
    *out = v;
    return 0;
}

/* Behind the backslash. */
static int scan_escape(struct scan *s)
{
    unsigned high, low;
    if (s->p == s->end)
        return fault(s, "an unfinished escape");
    char c = *s->p++;
    if (c != 'u')
        return strchr("\"\\/bfnrt", c) && c
                   ? 0
                   : fault_at(s, s->p - 1, "an unknown escape");
    int rc = hex4(s, s->p, &high);
    if (rc)
        return rc;
    if (high == 0)
        return fault(s, "\\u0000 is not allowed");
    s->p += 4;
    if (high < 0xd800 || high > 0xdfff)
        return 0;
    if (high > 0xdbff || s->end - s->p < 6 || s->p[0] != '\\' || s->p[1] != 'u')
        return fault_at(s, s->p - 4, "half of a surrogate pair");
    rc = hex4(s, s->p + 2, &low);
    if (rc)
        return rc;
    if (low < 0xdc00 || low > 0xdfff)
        return fault_at(s, s->p - 4, "half of a surrogate pair");
    s->p += 6;
    return 0;
}

/* Shortest form, no surrogate, <= U+10FFFF. */
size_t plog_json_utf8(const char *text, size_t left)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    unsigned low = 0x80, high = 0xbf;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    if (p[0] == 0xe0)
        low = 0xa0;
    if (p[0] == 0xed)
        high = 0x9f;
    if (p[0] == 0xf0)
        low = 0x90;
    if (p[0] == 0xf4)
        high = 0x8f;
    if (left < n || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

/* One character beyond ASCII. */
static int scan_utf8(struct scan *s)
{
    size_t n = plog_json_utf8(s->p, (size_t)(s->end - s->p));
    s->p += n;
    return n ? 0 : fault(s, "not valid UTF-8");
}

/* How many of eight bytes, from the first on, are neither quote, backslash,
 * control character nor beyond ASCII; where the order of bytes in a word does
 * not tell, 0 unless all are. */
static unsigned plain8(const char *p)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    uint64_t v;
    memcpy(&v, p, sizeof v);
    uint64_t quote = v ^ (ones * '"'), slash = v ^ (ones * '\\');
    uint64_t odd = (v - ones * 0x20) | ((quote - ones) & ~quote) |
                   ((slash - ones) & ~slash) | v;
    odd &= tops;
    if (odd == 0)
        return 8;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    /* A borrow may mark bytes behind the first odd one, never before it. */
    return (unsigned)__builtin_ctzll(odd) / 8;
#else
    return 0;
#endif
}

/* From the opening quote to behind the closing one. */
static int scan_string(struct scan *s, bool *escaped)
{
    *escaped = false;
    s->p++;
    for (;;) {
        for (unsigned n = 8; n == 8 && s->end - s->p >= 8;) {
            n = plain8(s->p);
            s->p += n;
        }
        if (s->p == s->end)
            return fault(s, "a string without its end");
        unsigned char c = (unsigned char)*s->p;
        int rc = 0;
        if (c == '"') {
            s->p++;
            return 0;
        }
        if (c == '\\') {
            *escaped = true;
            s->p++;
            rc = scan_escape(s);
        } else if (c < 0x20)
            rc = fault(s, "a control character inside a string");
        else if (c < 0x80)
            s->p++;
        else
            rc = scan_utf8(s);
        if (rc)
            return rc;
    }
}

/* ---- Other values ------------------------------------------------------- */

static bool is_digit(const struct scan *s)
{
    return s->p < s->end && *s->p >= '0' && *s->p <= '9';
}

static int digits(struct scan *s)
{
    if (!is_digit(s))
        return fault(s, "a digit is missing in a number");
    while (is_digit(s))
        s->p++;
    return 0;
}

static int scan_number(struct scan *s)
{
    int rc;
    if (*s->p == '-')
        s->p++;
    if (s->p < s->end && *s->p == '0') {
        s->p++;
        if (is_digit(s))
            return fault(s, "a number with a leading zero");
    } else if ((rc = digits(s)) != 0)
        return rc;
    if (s->p < s->end && *s->p == '.') {
        s->p++;
        if ((rc = digits(s)) != 0)
            return rc;
    }
    if (s->p < s->end && (*s->p | 0x20) == 'e') {
        s->p++;
        if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
            s->p++;
        return digits(s);
    }
    return 0;
}

static int scan_word(struct scan *s, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
        return fault(s, "not a JSON value");
    s->p += n;
    return 0;
}

static int scan_scalar(struct scan *s)
{
    bool escaped;
    switch (*s->p) {
    case '"':
        return scan_string(s, &escaped);
    case 't':
        return scan_word(s, "true");
    case 'f':
        return scan_word(s, "false");
    case 'n':
        return scan_word(s, "null");
    default:
        if (*s->p == '-' || is_digit(s))
            return scan_number(s);
        return fault(s, "not a JSON value");
    }
}

/* ---- Member names ------------------------------------------------------- */

static struct member *members_of(const struct scan *s, size_t *count)
{
    size_t first = s->first_member[s->depth - 1];
    struct member *all = (struct member *)(void *)s->j->members.data;
    *count = s->j->members.len / sizeof *all - first;
    return *count ? all + first : NULL; /* `all` may be NULL still */
}

static int scan_name(struct scan *s)
{
    const char *open = s->p;
    bool escaped;
    if (s->p == s->end || *s->p != '"')
        return fault(s, "a member name is expected");
    int rc = scan_string(s, &escaped);
    if (rc)
        return rc;
    struct plog_span raw = plog_span(open + 1, (size_t)(s->p - open) - 2);
    struct member m = {s->j->names.len, 0, (size_t)(open - s->start)};
    rc = escaped ? plog_json_unescape(raw, &s->j->names)
                 : plog_buf_add_span(&s->j->names, raw);
    m.n = s->j->names.len - m.at;
    if (!rc)
        rc = plog_buf_add(&s->j->members, &m, sizeof m);
    if (!rc)
        rc = skip_space(s);
    if (!rc && (s->p == s->end || *s->p != ':'))
        rc = fault(s, "a colon is expected");
    if (!rc)
        s->p++;
    return rc;
}

static bool same_name(const char *names, const struct member *a,
                      const struct member *b)
{
    return a->n == b->n &&
           (a->n == 0 || memcmp(names + a->at, names + b->at, a->n) == 0);
}

static int by_name(const char *names, const struct member *a,
                   const struct member *b)
{
    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    int order = a->n ? memcmp(names + a->at, names + b->at, a->n) : 0;
    /* Of equal names the later one comes last, so that it is the one named. */
    return order ? order : (a->offset > b->offset) - (a->offset < b->offset);
}

static void swap(struct member *a, struct member *b)
{
    struct member old = *a;
    *a = *b;
    *b = old;
}

/* Lets m[root] sink until nothing below it comes behind it. */
static void sink(const char *names, struct member *m, size_t root, size_t n)
{
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && by_name(names, &m[child], &m[child + 1]) < 0)
            child++;
        if (by_name(names, &m[root], &m[child]) >= 0)
            return;
        swap(&m[root], &m[child]);
    }
}

/* A heap sort: qsort_r allocates past the I/O table, and is quadratic at
 * worst when it cannot. */
static void sort_names(const char *names, struct member *m, size_t n)
{
    for (size_t i = n / 2; i-- > 0;)
        sink(names, m, i, n);
    for (size_t i = n; i-- > 1;) {
        swap(&m[0], &m[i]);
        sink(names, m, 0, i);
    }
}

/* At the end of an object: a member whose name stood before, or NULL. */
static const struct member *find_duplicate(struct scan *s)
{
    size_t n;
    struct member *m = members_of(s, &n);
    const char *names = s->j->names.data;
    if (n > 12) {
        sort_names(names, m, n);
        for (size_t i = 1; i < n; i++)
            if (same_name(names, &m[i - 1], &m[i]))
                return &m[i];
        return NULL;
    }
    for (size_t i = 1; i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (same_name(names, &m[i], &m[k]))
                return &m[i];
    return NULL;
}

/* ---- Structure ---------------------------------------------------------- */

static int open_bracket(struct scan *s)
{
    if (s->depth == PLOG_DEPTH_MAX)
        return fault(s, "more than 64 brackets inside one another");
    s->is_object[s->depth] = *s->p == '{';
    s->first_member[s->depth] = s->j->members.len / sizeof(struct member);
    s->names_at[s->depth] = s->j->names.len;
    s->depth++;
    s->p++;
    return 0;
}

static int close_bracket(struct scan *s)
{
    unsigned top = s->depth - 1;
    if (s->is_object[top]) {
        const struct member *again = find_duplicate(s);
        if (again)
            return fault_at(s, s->start + again->offset,
                            "a member name stands twice in this object");
        s->j->members.len = s->first_member[top] * sizeof(struct member);
        s->j->names.len = s->names_at[top];
    }
    s->depth--;
    s->p++;
    return 0;
}

static char closing(const struct scan *s)
{
    return s->is_object[s->depth - 1] ? '}' : ']';
}

/* Behind a value: closes brackets up to the next comma.  Leaves `s->p` where
 * the next value starts. */
static int after_value(struct scan *s)
{
    while (s->depth) {
        int rc = skip_space(s);
        if (rc)
            return rc;
        if (s->p == s->end)
            return fault(s, "the text ends inside an object or array");
        if (*s->p == ',') {
            s->p++;
            rc = skip_space(s);
            if (!rc && s->is_object[s->depth - 1])
                rc = scan_name(s);
            return rc;
        }
        if (*s->p != closing(s))
            return fault(s, "a comma or closing bracket is expected");
        rc = close_bracket(s);
        if (rc)
            return rc;
    }
    return 0;
}

/* One value up to where the next begins. */
static int step(struct scan *s)
{
    int rc = skip_space(s);
    if (rc)
        return rc;
    if (s->p == s->end)
        return fault(s, "the text ends where a value is expected");
    if (*s->p != '{' && *s->p != '[') {
        rc = scan_scalar(s);
        return rc ? rc : after_value(s);
    }
    rc = open_bracket(s);
    if (!rc)
        rc = skip_space(s);
    if (rc)
        return rc;
    if (s->p < s->end && *s->p == closing(s)) {
        rc = close_bracket(s);
        return rc ? rc : after_value(s);
    }
    return s->is_object[s->depth - 1] ? scan_name(s) : 0;
}

static int scan(struct scan *s)
{
    s->j->names.len = s->j->members.len = 0;
    int rc = skip_space(s);
    if (!rc && s->end - s->p >= 3 && memcmp(s->p, "\xef\xbb\xbf", 3) == 0)
        rc = fault(s, "a byte order mark, which JSON must not have");
    if (!rc && (s->p == s->end || *s->p != '{'))
        rc = fault(s, "an object is expected");
    do {
        if (!rc)
            rc = step(s);
    } while (!rc && s->depth);
    if (!rc && s->out)
        rc = flush(s);
    if (!rc)
        rc = skip_space(s);
    if (!rc && s->p < s->end)
        rc = fault(s, "something stands behind the object");
    return rc;
}

int plog_json_compact(struct plog_json *j, struct plog_span text,
                      struct plog_buf *out, struct plog_json_fault *f)
{
    struct scan s;
    size_t before = out->len;
    s.j = j;
    s.start = s.p = s.copied = text.p;
    s.end = text.n ? text.p + text.n : text.p; /* NULL when empty */
    s.out = out;
    s.fault = f;
    s.depth = 0;
    int rc = plog_buf_reserve(out, text.n);
    if (!rc)
        rc = scan(&s);
    if (rc)
        out->len = before;
    return rc;
}

int plog_json_check(struct plog_json *j, struct plog_span text,
                    struct plog_json_fault *f)
{
    struct scan s;
    s.j = j;
    s.start = s.p = s.copied = text.p;
    s.end = text.n ? text.p + text.n : text.p; /* NULL when empty */
    s.out = NULL;
    s.fault = f;
    s.depth = 0;
    return scan(&s);
}

int plog_json_text_check(const char *what, const char *text, int max,
                         const struct plog_io *io, struct plog_error *err)
{
    struct plog_json json;
    struct plog_json_fault fault;
    struct plog_buf b;
    size_t n = text ? strlen(text) : 0;
    if (n == 0 || n > (size_t)max)
        return plog_fail(err, PLOG_E_INPUT,
                         "the %s has %zu bytes, expected 1 to %d", what, n,
                         max);
    plog_json_init(&json, io);
    plog_buf_init(&b, io);
    int rc = plog_buf_add_text(&b, "{\"text\":");
    if (!rc)
        rc = plog_buf_add_json(&b, plog_span_text(text));
    if (!rc)
        rc = plog_buf_add_char(&b, '}');
    if (!rc)
        rc = plog_json_check(&json, plog_span(b.data, b.len), &fault);
    plog_buf_fini(&b);
    plog_json_fini(&json);
    if (rc == PLOG_E_NOMEM)
        return plog_fail(err, rc, "out of memory");
    return rc ? plog_fail(err, rc, "the %s is not text in UTF-8", what) : 0;
}
