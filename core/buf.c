/* buf.c - see buf.h. */
#include "buf.h"

void plog_buf_init(struct plog_buf *b, const struct plog_io *io)
{
    memset(b, 0, sizeof *b);
    b->io = io;
}

void plog_buf_fini(struct plog_buf *b)
{
    if (b->data)
        plog_free(b->io, b->data);
    b->data = NULL;
    b->len = b->cap = 0;
}

int plog_buf_reserve(struct plog_buf *b, size_t n)
{
    if (n <= b->cap - b->len)
        return 0;
    if (n > SIZE_MAX / 2 - b->len)
        return PLOG_E_NOMEM;
    size_t cap = b->cap ? b->cap : 64;
    while (cap < b->len + n)
        cap *= 2;
    char *data = b->io->alloc(b->io->ctx, b->data, cap);
    if (!data)
        return PLOG_E_NOMEM;
    b->data = data;
    b->cap = cap;
    return 0;
}

int plog_buf_add(struct plog_buf *b, const void *p, size_t n)
{
    if (n == 0)
        return 0;
    if (plog_buf_reserve(b, n))
        return PLOG_E_NOMEM;
    memcpy(b->data + b->len, p, n);
    b->len += n;
    return 0;
}

int plog_buf_add_text(struct plog_buf *b, const char *text)
{
    return plog_buf_add(b, text, strlen(text));
}

int plog_buf_add_span(struct plog_buf *b, struct plog_span s)
{
    return plog_buf_add(b, s.p, s.n);
}

int plog_buf_add_char(struct plog_buf *b, char c)
{
    return plog_buf_add(b, &c, 1);
}

int plog_buf_add_u64(struct plog_buf *b, uint64_t n)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    return plog_buf_add(b, digits + at, sizeof digits - at);
}

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvw"
                             "xyz0123456789+/";

int plog_buf_add_base64(struct plog_buf *b, const void *p, size_t n)
{
    const unsigned char *s = p;
    if (n == 0)
        return 0;
    if (n > SIZE_MAX / 2 || plog_buf_reserve(b, (n + 2) / 3 * 4))
        return PLOG_E_NOMEM;
    char *out = b->data + b->len;
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        unsigned v = (unsigned)s[i] << 16;
        if (left > 1)
            v |= (unsigned)s[i + 1] << 8;
        if (left > 2)
            v |= s[i + 2];
        *out++ = base64[v >> 18];
        *out++ = base64[v >> 12 & 63];
        *out++ = left > 1 ? base64[v >> 6 & 63] : '=';
        *out++ = left > 2 ? base64[v & 63] : '=';
    }
    b->len += (n + 2) / 3 * 4;
    return 0;
}

/* No search in the alphabet: every line of the log has a salt to decode. */
static int digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* One spelling only: exact length, padding where it belongs, no bit set that
 * the bytes do not use. */
int plog_base64_decode(struct plog_span text, void *out, size_t n)
{
    unsigned char *to = out;
    size_t whole = n / 3 * 4, rest = n % 3;
    if (text.n != whole + (rest ? 4 : 0))
        return PLOG_E_INPUT;
    for (size_t i = 0; i < text.n; i += 4) {
        size_t bytes = i < whole ? 3 : rest;
        unsigned v = 0;
        for (size_t k = 0; k < 4; k++) {
            char c = text.p[i + k];
            int d = k > bytes ? (c == '=' ? 0 : -1) : digit(c);
            if (d < 0)
                return PLOG_E_INPUT;
            v = v << 6 | (unsigned)d;
        }
        if ((bytes == 1 && v & 0xffff) || (bytes == 2 && v & 0xff))
            return PLOG_E_INPUT;
        for (size_t k = 0; k < bytes; k++)
            *to++ = (unsigned char)(v >> (16 - 8 * k));
    }
    return 0;
}

int plog_buf_add_json(struct plog_buf *b, struct plog_span text)
{
    static const char hex[] = "0123456789abcdef";
    size_t before = b->len;
    int rc = plog_buf_add_char(b, '"');
    for (size_t i = 0; !rc && i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c == '"' || c == '\\') {
            char two[2] = {'\\', (char)c};
            rc = plog_buf_add(b, two, 2);
        } else if (c == '\n')
            rc = plog_buf_add(b, "\\n", 2);
        else if (c < 0x20) {
            char six[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
            rc = plog_buf_add(b, six, 6);
        } else
            rc = plog_buf_add_char(b, (char)c);
    }
    if (!rc)
        rc = plog_buf_add_char(b, '"');
    if (rc)
        b->len = before;
    return rc;
}

size_t plog_first_from(const void *all, size_t n, size_t size, size_t at,
                       uint64_t least)
{
    size_t low = 0;
    while (low < n) {
        size_t mid = low + (n - low) / 2;
        uint64_t number;
        memcpy(&number, (const char *)all + mid * size + at, sizeof number);
        if (number < least)
            low = mid + 1;
        else
            n = mid;
    }
    return low;
}

void *plog_alloc(const struct plog_io *io, size_t n)
{
    void *p = io->alloc(io->ctx, NULL, n ? n : 1);
    if (p)
        memset(p, 0, n);
    return p;
}

void plog_free(const struct plog_io *io, void *p)
{
    if (p)
        io->alloc(io->ctx, p, 0);
}

int plog_span_compare(struct plog_span a, struct plog_span b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    if (order)
        return order < 0 ? -1 : 1;
    return (a.n > b.n) - (a.n < b.n);
}

int plog_u64_parse(struct plog_span text, uint64_t *out)
{
    uint64_t n = 0;
    if (text.n == 0 || text.n > 19 || (text.n > 1 && text.p[0] == '0'))
        return PLOG_E_INPUT;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return PLOG_E_INPUT;
        n = n * 10 + (uint64_t)(text.p[i] - '0');
    }
    if (n > INT64_MAX)
        return PLOG_E_INPUT;
    *out = n;
    return 0;
}
