/*
 * test_spans.c - texts of the log that have one spelling, changed everywhere:
 * what is taken says, written anew, the same bytes, and says nothing that
 * stood in the text before it; and nothing behind a text is read.
 *
 * Each text lies at the end of what can be read, so that one byte more is a
 * crash.  Before a changed one the right one is read, for what is left of it
 * in memory to be what a careless reader takes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "json_table.h"
#include "line.h"
#include "note.h"

#define ROOM 65536

static char *end; /* of what can be read */
static struct plog_json json;
static struct plog_entry_parser parser;
static struct plog_buf again;

static void set_up(void)
{
    if (end)
        return;
    char *p = mmap(NULL, ROOM + 4096, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p + ROOM, 4096, PROT_NONE))
        abort();
    end = p + ROOM;
    plog_json_init(&json, plog_io_posix());
    plog_entry_parser_init(&parser, plog_io_posix());
    plog_buf_init(&again, plog_io_posix());
}

static struct plog_span at_end(const char *text, size_t n)
{
    if (n)
        memmove(end - n, text, n);
    return plog_span(end - n, n);
}

/* ---- Readers ------------------------------------------------------------- */

/* Reads the text, and writes what it says into `again`. */
typedef int reader(struct plog_span text);

static int read_commit(struct plog_span text)
{
    struct plog_commit c;
    int rc = plog_commit_parse(text, &c);
    if (!rc)
        CHECK_INT(plog_commit_format(&again, &c), 0);
    return rc;
}

static int read_header(struct plog_span text)
{
    static struct plog_segment_header h;
    int rc = plog_header_parse(&json, text, &h);
    if (!rc)
        CHECK_INT(plog_header_format(&again, h.origin, &h.tree, &h.last), 0);
    return rc;
}

static int read_note(struct plog_span text)
{
    struct plog_note n;
    int rc = plog_note_parse(text, &n);
    if (!rc)
        CHECK_INT(
            plog_note_format(&again, n.origin, n.size, n.root, n.key_id, n.sig),
            0);
    return rc;
}

static int read_vkey(struct plog_span text)
{
    struct plog_vkey k;
    char out[PLOG_VKEY_MAX];
    int rc = plog_vkey_parse(text, &k);
    if (!rc) {
        plog_vkey_format(&k, out);
        CHECK_INT(plog_buf_add_text(&again, out), 0);
    }
    return rc;
}

static int read_entry(struct plog_span text)
{
    struct plog_entry e;
    struct plog_error err = {0};
    size_t at;
    int rc = plog_entry_parse(&parser, text, &e, &err);
    /* a delta that nobody may give is damage where it stands */
    CHECK(err.code == rc || err.code == PLOG_E_INPUT);
    if (rc)
        return rc;
    CHECK_INT(e.control ? plog_control_format(&again, e.seq, e.control, e.args,
                                              e.logged_at)
                        : plog_entry_format(&again, &e, &at),
              0);
    return 0;
}

/* ---- Changes ------------------------------------------------------------- */

struct changing {
    reader *read;
    const char *text;
    size_t n;
    int codes[2];   /* that a refusal may have; 0: none */
    unsigned taken; /* of the changed ones */
};

static void try_one(struct changing *c, const char *changed, size_t n)
{
    if (n == c->n && memcmp(changed, c->text, n) == 0)
        return;
    struct plog_span good = plog_span(c->text, c->n), bad = at_end(changed, n);
    c->read(good);
    again.len = 0;
    int rc = c->read(bad);
    bool fits;
    if (rc == 0) {
        fits = CHECK_BYTES(again.data, again.len, bad.p, bad.n);
        c->taken++;
    } else {
        fits = CHECK(rc == c->codes[0] || rc == c->codes[1]);
    }
    if (!fits)
        printf("# %d: %.*s\n", rc, (int)bad.n, bad.p);
}

/* Every part of it left out, and stood there twice. */
static void parts(struct changing *c)
{
    static char changed[ROOM];
    for (size_t from = 0; from < c->n; from++)
        for (size_t to = from + 1; to <= c->n && !check_failing(); to++) {
            memcpy(changed, c->text, from);
            memcpy(changed + from, c->text + to, c->n - to);
            try_one(c, changed, c->n - (to - from));
            if (to - from > 24)
                continue;
            memcpy(changed, c->text, to);
            memcpy(changed + to, c->text + from, c->n - from);
            try_one(c, changed, c->n + (to - from));
        }
}

/* Every byte another one. */
static void bytes(struct changing *c)
{
    static const char by[] = "0129afAFgZ{}[]\",:\\ +-./=\n\t\r\x01\x7f\x80\xc3";
    static char changed[ROOM];
    for (size_t at = 0; at < c->n; at++)
        for (size_t i = 0; i < sizeof by && !check_failing(); i++) {
            memcpy(changed, c->text, c->n);
            changed[at] = by[i];
            try_one(c, changed, c->n);
            memcpy(changed + at + 1, c->text + at, c->n - at);
            try_one(c, changed, c->n + 1);
        }
}

static unsigned change(reader *read, const char *text, size_t n, int code,
                       int other)
{
    struct changing c = {
        .read = read, .text = text, .n = n, .codes = {code, other}};
    again.len = 0;
    CHECK_INT(read(at_end(text, n)), 0);
    CHECK_BYTES(again.data, again.len, text, n);
    parts(&c);
    bytes(&c);
    return c.taken;
}

/* ---- The texts ----------------------------------------------------------- */

static struct plog_tree tree;
static struct plog_commit last;

static void make(void)
{
    unsigned char leaf[PLOG_HASH_SIZE] = {1};
    set_up();
    memset(&last, 0, sizeof last);
    plog_tree_init(&tree);
    for (int i = 0; i < 3; i++)
        CHECK_INT(plog_tree_add(&tree, leaf), 0);
    last.size = 3;
    strcpy(last.key, "0123cdef");
    memset(last.sig, 0x5a, sizeof last.sig);
    plog_tree_root(&tree, last.root);
}

/* The text that was just written. */
static char *kept(size_t *n)
{
    char *text = malloc(again.len + 1);
    if (!text)
        abort();
    memcpy(text, again.data, again.len);
    text[again.len] = '\0';
    *n = again.len;
    again.len = 0;
    return text;
}

static void commits(void)
{
    size_t n;
    make();
    CHECK_INT(plog_commit_format(&again, &last), 0);
    char *text = kept(&n);
    CHECK(change(read_commit, text, n, PLOG_E_CORRUPT, 0) > 100);
    free(text);
}

static void headers(void)
{
    size_t n;
    make();
    CHECK_INT(plog_header_format(&again, "a.b", &tree, &last), 0);
    char *text = kept(&n);
    /* its signature and its key are the commit's business */
    CHECK(change(read_header, text, n, PLOG_E_CORRUPT, PLOG_E_FORMAT) > 100);
    free(text);
}

static void notes(void)
{
    size_t n;
    unsigned char id[4] = {1, 2, 3, 4};
    make();
    CHECK_INT(plog_note_format(&again, "a.b", 71, last.root, id, last.sig), 0);
    char *text = kept(&n);
    CHECK(change(read_note, text, n, PLOG_E_INPUT, 0) > 100);
    free(text);
}

static void vkeys(void)
{
    /* the generator, as any point a key */
    static const unsigned char point[32] = {
        0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
        0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
        0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66};
    struct plog_vkey k = {.name = "a.b"};
    char text[PLOG_VKEY_MAX];
    set_up();
    memcpy(k.public_key, point, sizeof point);
    plog_vkey_finish(&k);
    plog_vkey_format(&k, text);
    /* the id is of name and key: no other text is one */
    CHECK_UINT(change(read_vkey, text, strlen(text), PLOG_E_INPUT, 0), 0);
}

#define SOME "\"resource\":\"r\",\"record_id\":\"1\",\"op\":\"upsert\","
#define REST                                                                   \
    "\"occurred_at\":\"2026-01-02T03:04:05Z\",\"provenance\":{"                \
    "\"source\":\"s\",\"confidence\":1}"
#define SALT "\"salt\":\"AAECAwQFBgcICQoLDA0ODw==\""
#define AT "\"logged_at\":\"2026-01-02T03:04:05.000000Z\""

static void entries(void)
{
    static const char *const lines[] = {
        "{\"seq\":7," SOME "\"payload\":{}," REST "," SALT "}",
        "{\"seq\":7,\"id\":\"i\",\"from\":{\"origin\":\"a.b\",\"seq\":3}," SOME
        "\"payload\":{\"a\":[1,\"\\n\"]}," REST
        ",\"meta\":{},\"outcome\":\"skipped\",\"merged\":{}," SALT "," AT "}",
        "{\"seq\":7,\"control\":\"source-cursor\",\"args\":{\"a\":1}," AT "}",
        "{\"seq\":7,\"control\":\"restore\",\"args\":{}}",
    };
    set_up();
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        CHECK(change(read_entry, lines[i], strlen(lines[i]), PLOG_E_CORRUPT,
                     PLOG_E_FORMAT) > 5);
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
        {"commits", commits},   {"headers", headers},       {"notes", notes},
        {"vkeys", vkeys},       {"entries", entries},       {"times", times},
        {"calendar", calendar}, {"json texts", json_texts},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
