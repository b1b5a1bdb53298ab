/* test_instant.c - instants: which texts are any, their values, how they are
 * written, and their order. */
#include "check.h"
#include "delta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const struct {
    const char *text;
    int64_t seconds;
    int32_t nanos;
    const char *format;
} instants[] = {
    {"1970-01-01T00:00:00Z", 0, 0, "1970-01-01T00:00:00.000000Z"},
    {"1970-01-01t00:00:00z", 0, 0, "1970-01-01T00:00:00.000000Z"},
    {"1969-12-31T23:59:59.9Z", -1, 900000000, "1969-12-31T23:59:59.900000Z"},
    {"2026-01-02T03:04:05.123456789Z", 1767323045, 123456789,
     "2026-01-02T03:04:05.123456Z"},
    {"2026-01-02T03:04:05.000000001Z", 1767323045, 1,
     "2026-01-02T03:04:05.000000Z"},
    {"2026-01-02T03:04:05.5+01:00", 1767319445, 500000000,
     "2026-01-02T02:04:05.500000Z"},
    {"2026-01-02T03:04:05-00:00", 1767323045, 0, "2026-01-02T03:04:05.000000Z"},
    {"2026-01-01T23:30:00-23:59", 1767396540, 0, "2026-01-02T23:29:00.000000Z"},
    {"2026-01-01T00:30:00+23:59", 1767141060, 0, "2025-12-31T00:31:00.000000Z"},
    {"2000-02-29T00:00:00Z", 951782400, 0, "2000-02-29T00:00:00.000000Z"},
    {"2024-02-29T23:59:59Z", 1709251199, 0, "2024-02-29T23:59:59.000000Z"},
    {"1900-03-01T00:00:00Z", -2203891200, 0, "1900-03-01T00:00:00.000000Z"},
    {"0000-01-01T00:00:00Z", -62167219200, 0, "0000-01-01T00:00:00.000000Z"},
    {"0000-02-29T00:00:00Z", -62162121600, 0, "0000-02-29T00:00:00.000000Z"},
    {"0001-01-01T00:00:00Z", -62135596800, 0, "0001-01-01T00:00:00.000000Z"},
    {"9999-12-31T23:59:59.999999999Z", 253402300799, 999999999,
     "9999-12-31T23:59:59.999999Z"},
    /* Beyond the years that can be written: compared exactly, shown cut. */
    {"0000-01-01T00:00:00.5+00:01", -62167219260, 500000000,
     "0000-01-01T00:00:00.000000Z"},
    {"9999-12-31T23:59:59-00:01", 253402300859, 0,
     "9999-12-31T23:59:59.999999Z"},
};

static void test_instant__values(void)
{
    char out[32];
    for (size_t i = 0; i < COUNT(instants); i++) {
        struct plog_instant t;
        CHECK_INT(plog_instant_parse(plog_span_text(instants[i].text), &t), 0);
        CHECK_INT(t.seconds, instants[i].seconds);
        CHECK_INT(t.nanos, instants[i].nanos);
        plog_instant_format(t, out);
        CHECK_TEXT(out, instants[i].format);
    }
}

static void test_instant__refused(void)
{
    static const char *const rows[] = {"",
                                       "2026",
                                       "2026-01-02",
                                       "2026-01-02T03:04:05",
                                       "2026-01-02T03:04Z",
                                       "2026-01-02 03:04:05Z",
                                       "2026-01-02T03:04:05.Z",
                                       "2026-01-02T03:04:05.1234567890Z",
                                       "2026-01-02T03:04:05,5Z",
                                       "2026-01-02T03:04:60Z",
                                       "2026-06-30T23:59:60Z",
                                       "2026-01-02T03:60:05Z",
                                       "2026-01-02T24:00:00Z",
                                       "2026-00-02T03:04:05Z",
                                       "2026-13-02T03:04:05Z",
                                       "2026-01-00T03:04:05Z",
                                       "2026-01-32T03:04:05Z",
                                       "2026-04-31T03:04:05Z",
                                       "2026-06-31T03:04:05Z",
                                       "2026-09-31T03:04:05Z",
                                       "2026-11-31T03:04:05Z",
                                       "2026-02-29T03:04:05Z",
                                       "2024-02-30T03:04:05Z",
                                       "1900-02-29T00:00:00Z",
                                       "2100-02-29T00:00:00Z",
                                       "2026-01-02T03:04:05+24:00",
                                       "2026-01-02T03:04:05+01:60",
                                       "2026-01-02T03:04:05+0100",
                                       "2026-01-02T03:04:05+01",
                                       "2026-01-02T03:04:05+01:0",
                                       "2026-01-02T03:04:05 01:00",
                                       "2026-01-02T03:04:05ZZ",
                                       "2026-01-02T03:04:05Z ",
                                       " 2026-01-02T03:04:05Z",
                                       "2026-01-02T03:04:05.5",
                                       "2026-01-02T03:04:05.123456789",
                                       "2026-01-02T03:04:05.123456789+01:000",
                                       "+2026-01-02T03:04:05Z",
                                       "-2026-01-02T03:04:05Z",
                                       "12026-01-02T03:04:05Z",
                                       "2026-1-02T03:04:05Z",
                                       "2026-01-2T03:04:05Z0",
                                       "20260102T030405Z....",
                                       "2026/01/02T03:04:05Z",
                                       "2026/01-02T03:04:05Z",
                                       "2026-01/02T03:04:05Z",
                                       "2026-01-02x03:04:05Z",
                                       "2026-01-02T03.04:05Z",
                                       "2026-01-02T03:04.05Z",
                                       "2026-01-02T03:04:05+01.00",
                                       "2026-01-02T03.04.05Z",
                                       "2026-01-02T+3:04:05Z",
                                       "2026-01-02T03:04:05.-5Z",
                                       "2026-01-02T03:04:05.5x",
                                       ("\xef\xbc\x92"
                                        "026-01-02T03:04:05Z")};
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t n = strlen(rows[i]);
        char *exact = malloc(n ? n : 1);
        struct plog_instant t = {7, 8};
        REQUIRE(exact);
        memcpy(exact, rows[i], n);
        if (!CHECK_INT(plog_instant_parse(plog_span(exact, n), &t),
                       PLOG_E_INPUT))
            printf("  of %s\n", rows[i]);
        CHECK(t.seconds == 7 && t.nanos == 8);
        free(exact);
    }
}

/* A time that is one in all but a byte: no other byte will do, but for another
 * digit that makes one; whatever time was read before. */
static void test_instant__each_byte(void)
{
    static const char whole[] = "2026-01-02T03:04:05.6+01:30";
    for (size_t i = 0; i < sizeof whole - 1; i++)
        for (int c = 0; c < 256; c++) {
            struct plog_instant was = {1, 2}, is = {3, 4};
            char text[sizeof whole];
            memcpy(text, whole, sizeof whole);
            text[i] = (char)c;
            if (text[i] == whole[i] || (c >= '0' && c <= '9') ||
                (i == 10 && c == 't') || (i == 21 && c == '-'))
                continue;
            CHECK_INT(plog_instant_parse(plog_span_text(whole), &was), 0);
            if (!CHECK_INT(
                    plog_instant_parse(plog_span(text, sizeof whole - 1), &is),
                    PLOG_E_INPUT))
                printf("#   byte %zu is %d\n", i, c);
            CHECK(is.seconds == 3 && is.nanos == 4);
        }
}

static void test_instant__fraction_of_one_to_nine_digits(void)
{
    char text[64];
    int32_t want = 0, unit = 100000000;
    for (int digits = 1; digits <= 10; digits++) {
        struct plog_instant t = {0, 0};
        snprintf(text, sizeof text, "1960-01-02T03:04:05.%.*sZ", digits,
                 "1234567891");
        int rc = plog_instant_parse(plog_span_text(text), &t);
        CHECK_INT(rc, digits <= 9 ? 0 : PLOG_E_INPUT);
        if (digits > 9)
            break;
        want += digits * unit;
        unit /= 10;
        CHECK_INT(t.nanos, want);
    }
}

/* Each day follows the one before, over all years that can be written. */
static void test_instant__every_day(void)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t want = -62167219200;
    char text[32], out[32];
    bool ok = true;
    for (int y = 0; ok && y <= 9999; y++)
        for (int m = 1; ok && m <= 12; m++) {
            bool leap = m == 2 && (y % 400 == 0 || (y % 4 == 0 && y % 100));
            int last = days[m - 1] + leap;
            for (int d = 1; ok && d <= last; d++, want += 86400) {
                struct plog_instant t = {0, 0};
                snprintf(text, sizeof text, "%04u-%02u-%02uT00:00:00Z",
                         (unsigned)y % 10000, (unsigned)m % 100,
                         (unsigned)d % 100);
                ok = !plog_instant_parse(plog_span_text(text), &t) &&
                     t.seconds == want;
                plog_instant_format(t, out);
                ok = ok && !memcmp(text, out, 19);
            }
            text[8] = (char)('0' + (last + 1) / 10);
            text[9] = (char)('0' + (last + 1) % 10);
            struct plog_instant t;
            ok = ok && plog_instant_parse(plog_span_text(text), &t) != 0;
        }
    if (!CHECK(ok))
        printf("  at %s\n", text);
    CHECK_INT(want, 253402300800);
}

static void test_instant__order_across_offsets(void)
{
    static const char *const up[] = {
        "0000-01-01T00:00:00+23:59",      "0000-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",           "1969-12-31T23:59:59.999999999Z",
        "1970-01-01T00:00:00Z",           "2026-01-01T12:00:00+12:00",
        "2026-01-01T00:00:00.000000001Z", "2026-01-01T01:00:00.01+01:00",
        "2025-12-31T23:00:00.1-01:00",    "2026-01-01T00:00:01Z",
        "9999-12-31T23:59:59Z",           "9999-12-31T23:59:59-23:59"};
    static const char *const equal[] = {
        "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000+00:00",
        "2026-01-01T05:30:00+05:30", "2025-12-31T16:00:00.0-08:00"};
    struct plog_instant a, b;
    for (size_t i = 0; i < COUNT(up); i++)
        for (size_t k = 0; k < COUNT(up); k++) {
            REQUIRE(!plog_instant_parse(plog_span_text(up[i]), &a));
            REQUIRE(!plog_instant_parse(plog_span_text(up[k]), &b));
            CHECK_INT(plog_instant_compare(a, b), (i > k) - (i < k));
        }
    for (size_t i = 0; i < COUNT(equal); i++) {
        REQUIRE(!plog_instant_parse(plog_span_text(equal[0]), &a));
        REQUIRE(!plog_instant_parse(plog_span_text(equal[i]), &b));
        CHECK_INT(plog_instant_compare(a, b), 0);
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"instant__values", test_instant__values},
        {"instant__refused", test_instant__refused},
        {"instant__each_byte", test_instant__each_byte},
        {"instant__fraction_of_one_to_nine_digits",
         test_instant__fraction_of_one_to_nine_digits},
        {"instant__every_day", test_instant__every_day},
        {"instant__order_across_offsets", test_instant__order_across_offsets},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
