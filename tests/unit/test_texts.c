/*
 * test_texts.c - JSON, times and origins at the end of what can be read, so
 * that one byte more is a crash: what is taken, by rules written down anew,
 * and which fault is told.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "at_end.h"
#include "check.h"
#include "delta.h"
#include "json_table.h"
#include "note.h"

static struct plog_json json;
static struct plog_buf again;

static void set_up(void)
{
    static bool done;
    if (done)
        return;
    done = true;
    plog_json_init(&json, plog_io_posix());
    plog_buf_init(&again, plog_io_posix());
}

/* ---- Origins ------------------------------------------------------------- */

/* The bytes of the first character by RFC 3629's table; 0: none. */
static size_t utf8_bytes(const unsigned char *p, size_t n)
{
    static const struct {
        unsigned char from, to, second_from, second_to;
        size_t n;
    } rows[] = {{0x00, 0x7f, 0x80, 0xbf, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2},
                {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
                {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
                {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
                {0xf4, 0xf4, 0x80, 0x8f, 4}};
    size_t row = 0;
    while (row < sizeof rows / sizeof *rows &&
           (p[0] < rows[row].from || p[0] > rows[row].to))
        row++;
    if (row == sizeof rows / sizeof *rows || n < rows[row].n)
        return 0;
    for (size_t k = 1; k < rows[row].n; k++)
        if (p[k] < (k == 1 ? rows[row].second_from : 0x80) ||
            p[k] > (k == 1 ? rows[row].second_to : 0xbf))
            return 0;
    return rows[row].n;
}

/* Whether nothing but such characters stands there, and no control. */
static bool is_text(const unsigned char *p, size_t n)
{
    while (n) {
        size_t taken = utf8_bytes(p, n);
        if (taken == 0 || p[0] < 0x20 || p[0] == 0x7f ||
            (p[0] == 0xc2 && p[1] < 0xa0))
            return false;
        p += taken;
        n -= taken;
    }
    return true;
}

/* Of up to four bytes; the white space beyond ASCII has a test of its own. */
static void origins(void)
{
    static const unsigned char next[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90,
                                         0x9f, 0xa1, 0xbf, 0xc0, 0xff};
    enum { N = sizeof next };
    set_up();
    for (int at = 0; at < 128 * N * N * N * 4 && !check_failing(); at++) {
        int lead = 0x80 + at % 128, i = at / 512;
        size_t n = 1 + (size_t)(at / 128 % 4);
        unsigned char p[4] = {(unsigned char)lead, next[i % N], next[i / N % N],
                              next[i / N / N]};
        if (lead >= 0xe1 && lead <= 0xe3)
            continue; /* there it is */
        if (!CHECK(plog_origin_valid(at_end((char *)p, n)) == is_text(p, n)))
            printf("# %02x %02x %02x %02x, %zu\n", p[0], p[1], p[2], p[3], n);
    }
}

/* ---- JSON at the end of memory ------------------------------------------- */

/* Of each beginning of each text the same is said wherever it lies, and the
 * fault lies in it. */
static void json_texts(void)
{
    struct plog_json_fault here, there;
    set_up();
    for (size_t i = 0; i < json_case_count; i++) {
        const struct json_case *c = &json_cases[i];
        for (size_t n = 0; n <= c->n && n < 3000; n++) {
            struct plog_span text = plog_span(c->text, n);
            again.len = 0;
            memset(&here, 0, sizeof here);
            memset(&there, 0, sizeof there);
            int want = plog_json_compact(&json, text, &again, &here);
            again.len = 0;
            text = at_end(text.p, n);
            CHECK_INT(plog_json_compact(&json, text, &again, &there), want);
            if (!want)
                continue;
            CHECK_UINT(there.offset, here.offset);
            CHECK_TEXT(there.what, here.what);
            CHECK(there.offset <= n);
        }
    }
    CHECK_INT(plog_json_check(&json, plog_span(NULL, 0), &here), PLOG_E_INPUT);
    CHECK_UINT(here.offset, 0);
}

/* The fault that comes first is the one that is told. */
static void json_faults(void)
{
    static const char pair[] = "half of a surrogate pair",
                      cr[] = "a carriage return outside a string",
                      digit[] = "a digit is missing in a number",
                      value[] = "not a JSON value",
                      comma[] = "a comma or closing bracket is expected",
                      name[] = "a member name is expected";
    static const struct {
        const char *text, *what;
        size_t offset;
    } all[] = {
        {"{\"a\":\"\\udc00\\udc00\"}", pair, 8},
        {"{\"a\":\"\\ud800\\u0041\"}", pair, 8},
        {"{\"a\":\"\\ud800\\u00g0\"}", "not a hex digit in an escape", 16},
        {"{\"a\":\"\\ud800\\n00000\"}", pair, 8},
        {"{\"a\":01}", "a number with a leading zero", 6},
        {"{\"a\":-}", digit, 6},
        {"{\"a\":1.}", digit, 7},
        {"{\"a\":1e+}", digit, 8},
        {"{\"a\":x}", value, 5},
        {"{\"a\":+1}", value, 5},
        {"{\"a\":trux}", value, 5},
        {"{\"a\":1\r}", cr, 6},
        {"{\"a\":1,\r\"b\":2}", cr, 7},
        {"{\"a\":\r1}", cr, 5},
        {"{\r\"a\":1}", cr, 1},
        {"{\"a\"\r:1}", cr, 4},
        {"\r{}", cr, 0},
        {"{}\r", cr, 2},
        {"{\"a\":1 \"b\":2}", comma, 7},
        {"{\"a\":[1}", comma, 7},
        {"{\"a\" 1}", "a colon is expected", 5},
        {"{\"a\":1,}", name, 7},
        {"{a:1}", name, 1},
        {"{\"a\":", "the text ends where a value is expected", 5},
        {"{\"a\":1", "the text ends inside an object or array", 6},
        {"[]", "an object is expected", 0},
        {"{}x", "something stands behind the object", 2},
        {"{\"a\":1,\"a\":2}", "a member name stands twice in this object", 7},
    };
    set_up();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_json_fault f = {0, ""};
        again.len = 0;
        bool fits = CHECK_INT(
            plog_json_compact(&json, plog_span_text(all[i].text), &again, &f),
            PLOG_E_INPUT);
        fits &= CHECK_TEXT(f.what, all[i].what);
        fits &= CHECK_UINT(f.offset, all[i].offset);
        CHECK_UINT(again.len, 0);
        if (!fits)
            printf("# %s\n", all[i].text);
    }
}

/* ---- Times --------------------------------------------------------------- */

static bool digits(const char *p, int n, int *out)
{
    *out = 0;
    for (int i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        *out = *out * 10 + (p[i] - '0');
    }
    return true;
}

/* Days from 1970, one year and one month after the other. */
static long days_until(int year, int month, int day)
{
    static const int before[] = {0,   31,  59,  90,  120, 151,
                                 181, 212, 243, 273, 304, 334};
    long days = before[month - 1] + day - 1;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    for (int y = 1970; y < year; y++)
        days += y % 4 == 0 && (y % 100 != 0 || y % 400 == 0) ? 366 : 365;
    for (int y = year; y < 1970; y++)
        days -= y % 4 == 0 && (y % 100 != 0 || y % 400 == 0) ? 366 : 365;
    return days + (leap && month > 2);
}

static int days_of(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (leap && month == 2);
}

/* RFC 3339, with what delta.h leaves out. */
static bool is_time(const char *p, size_t n, struct plog_instant *t)
{
    int year, month, day, hour, minute, second, h = 0, m = 0;
    size_t at = 19;
    t->nanos = 0;
    if (n < 20 || !digits(p, 4, &year) || p[4] != '-' ||
        !digits(p + 5, 2, &month) || p[7] != '-' || !digits(p + 8, 2, &day) ||
        !strchr("Tt", p[10]) || !p[10] || !digits(p + 11, 2, &hour) ||
        p[13] != ':' || !digits(p + 14, 2, &minute) || p[16] != ':' ||
        !digits(p + 17, 2, &second) || month < 1 || month > 12 || day < 1 ||
        day > days_of(year, month) || hour > 23 || minute > 59 || second > 59)
        return false;
    if (p[at] == '.') {
        int unit = 100000000, count = 0;
        for (at++; at < n && p[at] >= '0' && p[at] <= '9'; at++, count++) {
            t->nanos += (p[at] - '0') * unit;
            unit /= 10;
        }
        if (count < 1 || count > 9)
            return false;
    }
    size_t left = n - at;
    if (left == 6 && (p[at] == '+' || p[at] == '-')) {
        if (!digits(p + at + 1, 2, &h) || p[at + 3] != ':' ||
            !digits(p + at + 4, 2, &m) || h > 23 || m > 59)
            return false;
    } else if (left != 1 || (p[at] != 'Z' && p[at] != 'z'))
        return false;
    int offset = (h * 60 + m) * 60 * (p[at] == '-' ? -1 : 1);
    t->seconds = (int64_t)days_until(year, month, day) * 86400 + hour * 3600 +
                 minute * 60 + second - offset;
    return true;
}

static void compare(const char *text, size_t n)
{
    struct plog_instant want, got = {0};
    struct plog_span span = at_end(text, n);
    bool is = is_time(text, n, &want);
    bool fits =
        CHECK_INT(plog_instant_parse(span, &got), is ? 0 : PLOG_E_INPUT);
    if (is) {
        fits &= CHECK_INT(got.seconds, want.seconds);
        fits &= CHECK_INT(got.nanos, want.nanos);
    }
    if (!fits)
        printf("# %.*s\n", (int)n, text);
}

static void times(void)
{
    static const char *const all[] = {"2024-02-29T23:59:59.123456789+23:59",
                                      "1969-12-31T00:00:00-00:01",
                                      "0000-03-01t10:20:30z",
                                      "2100-02-28T09:08:07.5Z",
                                      "2000-11-30T00:00:00.000001-12:30",
                                      "9999-12-31T23:59:59+00:00"};
    static const char by[] = "0123456789/:;,.-+TtZz \x80";
    char text[64];
    set_up();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        size_t n = strlen(all[i]);
        for (size_t at = 0; at <= n; at++) {
            compare(all[i], at);
            for (size_t k = 0; k < sizeof by; k++) {
                snprintf(text, sizeof text, "%s", all[i]);
                if (at < n) {
                    text[at] = by[k];
                    compare(text, n);
                }
                snprintf(text, sizeof text, "%.*s%c%s", (int)at, all[i], by[k],
                         all[i] + at);
                compare(text, n + 1);
            }
        }
    }
}

/* Every month's last day and the day behind it, of years of each kind. */
static void calendar(void)
{
    static const int years[] = {0,    1,    4,    100,  400,  1600, 1899,
                                1900, 1904, 1969, 1970, 1972, 1999, 2000,
                                2023, 2024, 2038, 2100, 2400, 9996, 9999};
    char text[64], out[40], want[64];
    struct plog_instant t;
    set_up();
    for (size_t i = 0; i < sizeof years / sizeof *years; i++)
        for (int month = 0; month < 14; month++)
            for (int day = 0; day < 33; day++) {
                snprintf(text, sizeof text, "%04d-%02d-%02dT12:00:00Z",
                         years[i], month, day);
                compare(text, 20);
                if (plog_instant_parse(plog_span_text(text), &t))
                    continue;
                snprintf(want, sizeof want, "%.19s.000000Z", text);
                plog_instant_format(t, out);
                CHECK_TEXT(out, want);
            }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"origins", origins},       {"json faults", json_faults},
        {"json texts", json_texts}, {"times", times},
        {"calendar", calendar},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
