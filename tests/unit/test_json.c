/* test_json.c - what the scanner takes and refuses, where it says the fault
 * is, and names that stand twice in objects of any size. */
#include "check.h"
#include "json.h"
#include "json_rows.h"
#include "scanner.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- Tables -------------------------------------------------------------- */

static bool has_space(const struct json_row *row)
{
    return row->compact != NULL;
}

static void test_table__taken(void)
{
    struct scanner r;
    scanner_init(&r);
    for (size_t i = 0; i < json_rows_taken_count; i++) {
        const struct json_row *row = &json_rows_taken[i];
        const char *want = row->compact ? row->compact : row->p;
        r.out.len = 0;
        if (!CHECK_INT(scanner_compact(&r, row->p, row->n), 0) ||
            !CHECK_BYTES(r.out.data, r.out.len, want, strlen(want)))
            printf("  row %zu: %s: %s\n", i, row->p, r.fault.what);
        if (has_space(row))
            CHECK_INT(scanner_check(&r, row->p, row->n), PLOG_E_INPUT);
        else
            CHECK_INT(scanner_check(&r, row->p, row->n), 0);
        CHECK_INT(scanner_check(&r, want, strlen(want)), 0);
    }
    scanner_fini(&r);
}

static void refuse_row(struct scanner *r, const struct json_row *row, size_t i)
{
    r->out.len = 0;
    bool good = plog_buf_add_text(&r->out, "kept") == 0;
    good &= CHECK_INT(scanner_compact(r, row->p, row->n), PLOG_E_INPUT);
    good &= CHECK_BYTES(r->out.data, r->out.len, "kept", 4);
    good &= CHECK(r->fault.what != NULL && *r->fault.what);
    good &= CHECK(r->fault.offset <= row->n);
    if (row->offset < JSON_ROWS_ANY)
        good &= CHECK_UINT(r->fault.offset, row->offset);
    good &= CHECK_INT(scanner_check(r, row->p, row->n), PLOG_E_INPUT);
    good &= CHECK(r->fault.what != NULL && *r->fault.what);
    if (!good)
        printf("  row %zu: %s: %s\n", i, row->p,
               r->fault.what ? r->fault.what : "");
}

static void test_table__refused(void)
{
    struct scanner r;
    scanner_init(&r);
    for (size_t i = 0; i < json_rows_refused_count; i++)
        refuse_row(&r, &json_rows_refused[i], i);
    scanner_fini(&r);
}

/* ---- Strings, marks ------------------------------------------------------ */

/* Each special byte at each distance from the start of a string: the fast
 * path over eight bytes must see it wherever it lies. */
static void test_string__every_byte_everywhere(void)
{
    struct scanner r;
    scanner_init(&r);
    for (size_t at = 0; at < 24; at++)
        for (unsigned c = 0; c < 256; c++) {
            char text[40] = "{\"a\":\"zzzzzzzzzzzzzzzzzzzzzzzz\"}";
            text[6 + at] = (char)c;
            bool plain = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
            int want = plain ? 0 : PLOG_E_INPUT;
            CHECK_INT(scanner_check(&r, text, 32), want);
            if (!plain && c != '"' && c != '\\')
                CHECK_UINT(r.fault.offset, 6 + at);
        }
    scanner_fini(&r);
}

static void test_fault__byte_order_mark_is_named(void)
{
    struct scanner r;
    scanner_init(&r);
    CHECK_INT(scanner_check(&r, "\xef\xbb\xbf{}", 5), PLOG_E_INPUT);
    CHECK(strstr(r.fault.what, "byte order mark") != NULL);
    CHECK_INT(scanner_check(&r, "\xef\xbb", 2), PLOG_E_INPUT);
    CHECK_UINT(r.fault.offset, 0);
    scanner_fini(&r);
}

/* ---- Duplicates in large objects ----------------------------------------- */

/* `n` members; the one numbered `twice` takes the name of the first.
 * Every third is spelled with an escape. */
static void wide_object(struct plog_buf *b, size_t n, size_t twice,
                        bool backwards)
{
    char text[64];
    b->len = 0;
    REQUIRE(plog_buf_reserve(b, n * 40 + 2) == 0);
    REQUIRE(plog_buf_add_char(b, '{') == 0);
    for (size_t i = 0; i < n; i++) {
        size_t k = i == twice ? 0 : i;
        size_t shown = backwards ? n - k : k;
        int len = snprintf(text, sizeof text, "%s\"%sk%zu\":0", i ? "," : "",
                           k % 3 ? "" : "\\u006c", shown);
        REQUIRE(plog_buf_add(b, text, (size_t)len) == 0);
    }
    REQUIRE(plog_buf_add_char(b, '}') == 0);
}

/* Where the opening quote of member `nth`, from 0, of such an object lies. */
static size_t nth_name(const struct plog_buf *b, size_t nth)
{
    size_t at = 1;
    while (nth > 0)
        nth -= b->data[at++] == ',';
    return at;
}

static void test_duplicate__at_every_size(void)
{
    struct scanner r;
    struct plog_buf text;
    scanner_init(&r);
    plog_buf_init(&text, &r.h.io);
    for (size_t n = 1; n < 40; n++)
        for (size_t twice = 0; twice < n; twice++) {
            wide_object(&text, n, twice, n % 2);
            CHECK_INT(scanner_check(&r, text.data, text.len),
                      twice ? PLOG_E_INPUT : 0);
            if (twice)
                CHECK_UINT(r.fault.offset, nth_name(&text, twice));
        }
    plog_buf_fini(&text);
    scanner_fini(&r);
}

/* The empty name is one as any other. */
static void test_duplicate__empty_names(void)
{
    struct scanner r;
    scanner_init(&r);
    for (int others = 0; others < 30; others++)
        for (int empty = 1; empty < 4; empty++) {
            char text[400] = "{", *at = text + 1;
            size_t second = 0;
            for (int i = 0; i < others; i++)
                at += sprintf(at, "\"k%d\":0,", i);
            for (int i = 0; i < empty; i++) {
                if (i == 1)
                    second = (size_t)(at - text);
                at += sprintf(at, "\"\":0,");
            }
            at[-1] = '}';
            CHECK_INT(scanner_check(&r, text, (size_t)(at - text)),
                      empty > 1 ? PLOG_E_INPUT : 0);
            if (empty == 2)
                CHECK_UINT(r.fault.offset, second);
        }
    scanner_fini(&r);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void test_duplicate__large_objects_are_fast(void)
{
    struct scanner r;
    struct plog_buf text;
    const size_t n = 100000;
    scanner_init(&r);
    plog_buf_init(&text, &r.h.io);
    for (int turn = 0; turn < 4; turn++) {
        wide_object(&text, n, turn % 2 ? n - 1 : 0, turn / 2);
        double begin = seconds();
        CHECK_INT(scanner_check(&r, text.data, text.len),
                  turn % 2 ? PLOG_E_INPUT : 0);
        CHECK(seconds() - begin < 2.0); /* each with each: a minute */
    }
    plog_buf_fini(&text);
    scanner_fini(&r);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"table__taken", test_table__taken},
        {"table__refused", test_table__refused},
        {"string__every_byte_everywhere", test_string__every_byte_everywhere},
        {"duplicate__at_every_size", test_duplicate__at_every_size},
        {"duplicate__empty_names", test_duplicate__empty_names},
        {"duplicate__large_objects_are_fast",
         test_duplicate__large_objects_are_fast},
        {"fault__byte_order_mark_is_named",
         test_fault__byte_order_mark_is_named},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
