/* text.c - see text.h. */
#include "text.h"

#include <string.h>
#include <unistd.h>

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void text_base64(const unsigned char *p, size_t n, char *out)
{
    for (size_t i = 0; i < n; i += 3) {
        size_t have = n - i < 3 ? n - i : 3;
        uint32_t word = (uint32_t)p[i] << 16;
        if (have > 1)
            word |= (uint32_t)p[i + 1] << 8;
        if (have > 2)
            word |= p[i + 2];
        *out++ = digits[word >> 18];
        *out++ = digits[(word >> 12) & 63];
        *out++ = have > 1 ? digits[(word >> 6) & 63] : '=';
        *out++ = have > 2 ? digits[word & 63] : '=';
    }
    *out = '\0';
}

bool text_read_hash(const char *text, size_t len,
                    unsigned char out[PLOG_HASH_SIZE])
{
    char again[TEXT_BASE64(PLOG_HASH_SIZE)];
    if (len != sizeof again - 1)
        return false;
    uint32_t word = 0;
    unsigned bits = 0;
    size_t at = 0;
    for (size_t i = 0; i + 1 < len; i++) {
        const char *digit = text[i] ? strchr(digits, text[i]) : NULL;
        if (!digit)
            return false;
        word = word << 6 | (uint32_t)(digit - digits);
        bits += 6;
        if (bits >= 8 && at < PLOG_HASH_SIZE) {
            bits -= 8;
            out[at++] = (unsigned char)(word >> bits);
        }
    }
    /* Padding and unused bits have one right form: that which we write. */
    text_base64(out, PLOG_HASH_SIZE, again);
    return memcmp(again, text, len) == 0;
}

bool text_read_number(const char *text, uint64_t *out)
{
    uint64_t value = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        uint64_t digit = (uint64_t)(*text - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

size_t text_utf8(const char *p, size_t n)
{
    const unsigned char *s = (const unsigned char *)p;
    unsigned char low = 0x80, high = 0xBF; /* bounds of the second byte */
    size_t len;
    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xC2 || s[0] > 0xF4)
        return 0;
    if (s[0] < 0xE0) {
        len = 2;
    } else if (s[0] < 0xF0) {
        len = 3;
        low = s[0] == 0xE0 ? 0xA0 : low;
        high = s[0] == 0xED ? 0x9F : high;
    } else {
        len = 4;
        low = s[0] == 0xF0 ? 0x90 : low;
        high = s[0] == 0xF4 ? 0x8F : high;
    }
    if (n < len || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++) {
        if (s[i] < 0x80 || s[i] > 0xBF)
            return 0;
    }
    return len;
}

bool text_steers(const char *p, size_t len)
{
    const unsigned char *s = (const unsigned char *)p;
    if (len == 1)
        return s[0] < 0x20 || s[0] == 0x7F;
    if (len == 2)
        return s[0] == 0xC2 && s[1] < 0xA0; /* U+0080..U+009F */
    if (len != 3 || s[0] != 0xE2)
        return false;
    if (s[1] == 0x80) /* U+200E, U+200F, U+2028..U+202E */
        return s[2] == 0x8E || s[2] == 0x8F || (s[2] >= 0xA8 && s[2] <= 0xAE);
    return s[1] == 0x81 && s[2] >= 0xA6 && s[2] <= 0xA9; /* U+2066..U+2069 */
}

size_t text_safe(FILE *f, const char *p, size_t n)
{
    size_t columns = 0;
    for (size_t i = 0; i < n;) {
        const unsigned char *s = (const unsigned char *)p + i;
        size_t len = text_utf8(p + i, n - i);
        if (len > 0 && !text_steers(p + i, len)) {
            if (f)
                fwrite(s, 1, len, f);
            columns++;
            i += len;
            continue;
        }
        for (size_t k = 0; k < (len ? len : 1); k++, i++) {
            if (f)
                fprintf(f, "\\x%02X", (unsigned char)p[i]);
            columns += 4;
        }
    }
    return columns;
}

unsigned text_code(const char *p, size_t len)
{
    const unsigned char *s = (const unsigned char *)p;
    static const unsigned char first[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    unsigned code = s[0] & first[len];
    for (size_t i = 1; i < len; i++)
        code = code << 6 | (s[i] & 0x3Fu);
    return code;
}

static bool is_terminal(FILE *f)
{
    static int out = -1;
    if (f != stdout)
        return isatty(fileno(f)) == 1;
    if (out < 0) /* not fileno: see out_start */
        out = isatty(STDOUT_FILENO) == 1;
    return out == 1;
}

void text_json(FILE *f, const char *p, size_t n)
{
    if (!is_terminal(f)) {
        fwrite(p, 1, n, f);
        return;
    }
    for (size_t i = 0; i < n;) {
        size_t len = text_utf8(p + i, n - i);
        if (len > 0 && !text_steers(p + i, len))
            fwrite(p + i, 1, len, f);
        else
            fprintf(f, "\\u%04x", len ? text_code(p + i, len) : 0xFFFDu);
        i += len ? len : 1;
    }
}

void text_csv(FILE *f, const char *p, size_t n)
{
    if (is_terminal(f))
        text_safe(f, p, n);
    else
        fwrite(p, 1, n, f);
}

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
        p++;
    return p;
}

/* `p` stands on an opening quote; returns what follows the closing one. */
static const char *skip_string(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++) {
        if (*p == '\\')
            p++;
    }
    return p < end ? p + 1 : end;
}

static const char *skip_value(const char *p, const char *end)
{
    size_t depth = 0;
    while (p < end) {
        if (*p == '"') {
            p = skip_string(p, end);
            if (depth == 0)
                return p;
            continue;
        }
        if (depth == 0 && (strchr(",} \t\n\r", *p) != NULL))
            return p;
        if (*p == '{' || *p == '[')
            depth++;
        else if ((*p == '}' || *p == ']') && --depth == 0)
            return p + 1;
        p++;
    }
    return end;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Reads one character of a raw member name; only ASCII matters here, any
 * other character gives a value that no ASCII name has. */
static unsigned name_character(const char **p, const char *end)
{
    unsigned char c = (unsigned char)*(*p)++;
    if (c != '\\' || *p == end)
        return c;
    c = (unsigned char)*(*p)++;
    if (c != 'u')
        return c == '"' || c == '\\' || c == '/' ? c : 0x100u;
    unsigned value = 0;
    for (int i = 0; i < 4 && *p < end; i++) {
        int digit = hex_digit(*(*p)++);
        value = value << 4 | (unsigned)(digit < 0 ? 0 : digit);
    }
    return value;
}

static bool name_is(const char *p, const char *end, const char *name)
{
    while (p < end && *name) {
        if (name_character(&p, end) != (unsigned char)*name++)
            return false;
    }
    return p == end && !*name;
}

struct plog_span text_member(struct plog_span object, const char *name)
{
    const char *end = object.p + object.n;
    const char *p = skip_space(object.p, end);
    if (p == end || *p != '{')
        return (struct plog_span){NULL, 0};
    for (p = skip_space(p + 1, end); p < end && *p == '"';) {
        const char *text = p + 1;
        p = skip_string(p, end);
        bool found = name_is(text, p - 1, name);
        p = skip_space(p, end);
        if (p == end || *p != ':')
            break;
        const char *value = skip_space(p + 1, end);
        p = skip_value(value, end);
        if (found)
            return (struct plog_span){value, (size_t)(p - value)};
        p = skip_space(p, end);
        if (p == end || *p != ',')
            break;
        p = skip_space(p + 1, end);
    }
    return (struct plog_span){NULL, 0};
}
