/* test_delta.c - what of a delta is taken and how it is given, up to its
 * limits; which confidences there are; when two are the same. */
#include "check.h"
#include "delta.h"
#include "deltas.h"
#include "locales.h"

#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* ---- What is taken ------------------------------------------------------- */

static void test_taken__all_members(void)
{
    struct deltas r;
    deltas_init(&r);
    deltas_taken(&r, " { " PROVENANCE " ,\n" META ",\t" TIME
                     ", \"payload\" : { \"a\""
                     " : [ 1.50 , \"x  y\" ] } ," UPSERT "," RECORD "," ID
                     "," RESOURCE " } ");
    deltas_span(r.d.id, "\"i\"");
    deltas_span(r.d.resource, "\"r\"");
    deltas_span(r.d.record_id, "\"1\"");
    deltas_span(r.d.op, "\"upsert\"");
    deltas_span(r.d.payload, "{\"a\":[1.50,\"x  y\"]}");
    deltas_span(r.d.occurred_at, "\"2026-01-02T03:04:05Z\"");
    deltas_span(r.d.provenance, "{" SOURCE ",\"confidence\":1}");
    deltas_span(r.d.meta, "{\"m\":2}");
    deltas_span(r.d.id_text, "i");
    deltas_span(r.d.resource_text, "r");
    deltas_span(r.d.record_id_text, "1");
    deltas_span(r.d.source_text, "s");
    deltas_span(r.d.occurred_text, "2026-01-02T03:04:05Z");
    CHECK(!r.d.is_delete);
    CHECK(r.d.confidence == 1.0);
    CHECK_INT(r.d.instant.seconds, 1767323045);
    CHECK_INT(r.d.instant.nanos, 0);
    deltas_fini(&r);
}

static void test_taken__optional_members_absent(void)
{
    struct deltas r;
    deltas_init(&r);
    deltas_taken(&r, "{" KEY "," UPSERT "," PAYLOAD "," TAIL "}");
    CHECK_UINT(r.d.id.n, 0);
    CHECK_UINT(r.d.id_text.n, 0);
    CHECK_UINT(r.d.meta.n, 0);
    deltas_fini(&r);
}

static void test_taken__escapes_stay_in_raw_and_go_in_text(void)
{
    struct deltas r;
    deltas_init(&r);
    deltas_taken(
        &r, "{\"\\u0069d\":\"\\u0069\\/\",\"resourc\\u0065\":\"\\u00e9\","
            "\"record_id\":\"\\ud83d\\ude00\\n\",\"op\":\"up\\u0073ert\","
            "\"payload\":{\"\\u0061\":\"\\/\"},"
            "\"occurred_at\":\"2026-01-02\\u005403:04:05\\u005a\","
            "\"provenance\":{\"s\\u006furce\":\"\\t\",\"confidence\":0.5}}");
    deltas_span(r.d.id, "\"\\u0069\\/\"");
    deltas_span(r.d.id_text, "i/");
    deltas_span(r.d.resource, "\"\\u00e9\"");
    deltas_span(r.d.resource_text, "\xc3\xa9");
    deltas_span(r.d.record_id_text, "\xf0\x9f\x98\x80\n");
    deltas_span(r.d.op, "\"up\\u0073ert\"");
    deltas_span(r.d.payload, "{\"\\u0061\":\"\\/\"}");
    deltas_span(r.d.occurred_text, "2026-01-02T03:04:05Z");
    deltas_span(r.d.source_text, "\t");
    CHECK_INT(r.d.instant.seconds, 1767323045);
    deltas_fini(&r);
}

static void test_taken__delete(void)
{
    static const char *const payloads[] = {
        "", "\"payload\":null,", "\"payload\":{},", "\"payload\":{\"a\":1},"};
    struct deltas r;
    char text[512];
    deltas_init(&r);
    for (size_t i = 0; i < COUNT(payloads); i++) {
        snprintf(text, sizeof text, "{" KEY ",%s" DELETE "," TAIL "}",
                 payloads[i]);
        deltas_taken(&r, text);
        CHECK(r.d.is_delete);
        deltas_span(r.d.payload, "null");
        deltas_span(r.d.op, "\"delete\"");
    }
    deltas_taken(&r, "{" KEY ",\"op\":\"\\u0064elete\"," TAIL "}");
    CHECK(r.d.is_delete);
    deltas_fini(&r);
}

static void test_taken__spans_lie_where_they_are_owned(void)
{
    struct deltas r;
    deltas_init(&r);
    deltas_taken(&r, "{\"id\":\"\\u0069\"," RESOURCE
                     ",\"record_id\":\"\\n\"," UPSERT "," PAYLOAD "," TIME
                     ",\"provenance\":{"
                     "\"source\":\"\\\"\","
                     "\"confidence\":1}," META "}");
    const struct plog_span all[] = {r.d.id,
                                    r.d.resource,
                                    r.d.record_id,
                                    r.d.op,
                                    r.d.payload,
                                    r.d.occurred_at,
                                    r.d.provenance,
                                    r.d.meta,
                                    r.d.id_text,
                                    r.d.resource_text,
                                    r.d.record_id_text,
                                    r.d.source_text,
                                    r.d.occurred_text};
    for (size_t i = 0; i < COUNT(all); i++) {
        const struct plog_buf *c = &r.p.compact, *e = &r.p.decoded;
        bool in_compact =
            all[i].p >= c->data && all[i].p + all[i].n <= c->data + c->len;
        bool in_decoded =
            all[i].p >= e->data && all[i].p + all[i].n <= e->data + e->len;
        CHECK(in_compact || in_decoded);
    }
    deltas_fini(&r);
}

static void test_taken__a_parser_serves_again(void)
{
    struct deltas r;
    deltas_init(&r);
    deltas_taken(&r, UP(META));
    deltas_refused(&r, UP("\"x\":1"), "x");
    CHECK_INT(deltas_parse(&r, "{"), PLOG_E_INPUT);
    deltas_taken(&r, "{" KEY "," DELETE "," TAIL "}");
    CHECK_UINT(r.d.meta.n, 0);
    deltas_taken(&r, UP(ID));
    CHECK(!r.d.is_delete);
    CHECK_UINT(r.d.meta.n, 0);
    deltas_fini(&r);
}

/* ---- Limits -------------------------------------------------------------- */

/* A delta whose `member` holds `n` characters spelled `spelling`. */
static int parse_long(struct deltas *r, const char *member, size_t n,
                      const char *spelling)
{
    static const char *const names[] = {"id", "resource", "record_id",
                                        "source"};
    static const char *const before[] = {
        "{\"id\":\"", "\",\"resource\":\"", "\",\"record_id\":\"",
        "\"," UPSERT "," PAYLOAD "," TIME
        ",\"provenance\":{\"confidence\":1,\"source\":\""};
    struct plog_buf b;
    int rc = 0;
    plog_buf_init(&b, &r->h.io);
    for (size_t i = 0; i < COUNT(names); i++) {
        bool this_one = !strcmp(names[i], member);
        rc |= plog_buf_add_text(&b, before[i]);
        for (size_t k = 0; k < (this_one ? n : 1); k++)
            rc |= plog_buf_add_text(&b, this_one ? spelling : "x");
    }
    rc |= plog_buf_add_text(&b, "\"}}");
    CHECK_INT(rc, 0);
    rc = deltas_parse_max(r, b.data, b.len, SIZE_MAX);
    plog_buf_fini(&b);
    return rc;
}

static void test_limits__decoded_bytes(void)
{
    static const struct {
        const char *member, *at_fault;
        size_t max;
    } rows[] = {{"id", "id", 255},
                {"resource", "resource", 255},
                {"record_id", "record_id", 4096},
                {"source", "provenance.source", 255}};
    struct deltas r;
    deltas_init(&r);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *m = rows[i].member;
        size_t max = rows[i].max;
        CHECK_INT(parse_long(&r, m, 1, "a"), 0);
        CHECK_INT(parse_long(&r, m, max, "a"), 0);
        CHECK_INT(parse_long(&r, m, max, "\\u0061"), 0);
        CHECK_INT(parse_long(&r, m, max / 2, "\\u00e9"), 0);
        CHECK_INT(parse_long(&r, m, 0, "a"), PLOG_E_INPUT);
        CHECK_TEXT(r.err.member, rows[i].at_fault);
        CHECK_INT(parse_long(&r, m, max + 1, "a"), PLOG_E_INPUT);
        CHECK_TEXT(r.err.member, rows[i].at_fault);
        CHECK_INT(parse_long(&r, m, max + 1, "\\u0061"), PLOG_E_INPUT);
        CHECK_INT(parse_long(&r, m, max / 2 + 1, "\\u00e9"), PLOG_E_INPUT);
        CHECK_TEXT(r.err.member, rows[i].at_fault);
    }
    deltas_fini(&r);
}

static void test_limits__line_is_of_the_compact_form(void)
{
    static const char text[] = UP(META);
    static const char spread[] = "  " UP("\n\t   " META "     ") "   ";
    size_t n = sizeof text - 1;
    struct deltas r;
    deltas_init(&r);
    CHECK_INT(deltas_parse_max(&r, text, n, n), 0);
    CHECK_INT(deltas_parse_max(&r, text, n, n - 1), PLOG_E_INPUT);
    CHECK(!r.err.has_offset);
    CHECK(r.err.hint[0] != '\0');
    CHECK_INT(deltas_parse_max(&r, spread, sizeof spread - 1, n), 0);
    CHECK_UINT(r.p.compact.len, n);
    deltas_fini(&r);
}

/* ---- Confidence ---------------------------------------------------------- */

static const struct {
    const char *text;
    double value; /* < 0: refused */
} confidences[] = {
    {WITH_CONFIDENCE("0"), 0},
    {WITH_CONFIDENCE("-0"), 0},
    {WITH_CONFIDENCE("-0.0"), 0},
    {WITH_CONFIDENCE("-0e9"), 0},
    {WITH_CONFIDENCE("0.0"), 0},
    {WITH_CONFIDENCE("1"), 1},
    {WITH_CONFIDENCE("1.0"), 1},
    {WITH_CONFIDENCE("1.000000000000000"), 1},
    {WITH_CONFIDENCE("1E0"), 1},
    {WITH_CONFIDENCE("10e-1"), 1},
    {WITH_CONFIDENCE("0.5"), 0.5},
    {WITH_CONFIDENCE("5e-1"), 0.5},
    {WITH_CONFIDENCE("0.05e+1"), 0.5},
    {WITH_CONFIDENCE("0.1"), 0.1},
    {WITH_CONFIDENCE("0.123456789012345"), 0.123456789012345},
    {WITH_CONFIDENCE("0.12345678901234567"), 0.12345678901234567},
    {WITH_CONFIDENCE("0.9999999999999999"), 0.9999999999999999},
    {WITH_CONFIDENCE("1e-400"), 0},
    {WITH_CONFIDENCE("5e-324"), 5e-324},
    {WITH_CONFIDENCE("0.0000000000000000000000000000000000000000000000000000"
                     "00000000000000000000000000000001e80"),
     0.0001},
    {WITH_CONFIDENCE("1000000000000000000000000000000000000000000000000000000"
                     "000000000000000000e-72"),
     1},
    {WITH_CONFIDENCE("-0.00000000000000000000000000000000000000000000000000000"
                     "0000000000000000000001"),
     -1},
    {WITH_CONFIDENCE("1.0000000000000000001"), 1}, /* the nearest double */
    {WITH_CONFIDENCE("1.0000000000000001110"), 1}, /* below half a step */
    {WITH_CONFIDENCE("1.0000000000000001111"), -1},
    {WITH_CONFIDENCE("1.0000000000000002"), -1},
    {WITH_CONFIDENCE("-1e-400"), 0}, /* its double is -0 */
    {WITH_CONFIDENCE("1.0000001"), -1},
    {WITH_CONFIDENCE("2"), -1},
    {WITH_CONFIDENCE("9.99999999999999"), -1},
    {WITH_CONFIDENCE("10"), -1},
    {WITH_CONFIDENCE("-1"), -1},
    {WITH_CONFIDENCE("-0.1"), -1},
    {WITH_CONFIDENCE("1e1"), -1},
    {WITH_CONFIDENCE("1e400"), -1},
    {WITH_CONFIDENCE("-1e400"), -1},
    {WITH_CONFIDENCE("1e99999999999999999999"), -1},
};

static void check_confidences(void)
{
    struct deltas r;
    deltas_init(&r);
    for (size_t i = 0; i < COUNT(confidences); i++) {
        const char *text = confidences[i].text;
        if (confidences[i].value < 0) {
            deltas_refused(&r, text, "provenance.confidence");
            continue;
        }
        deltas_taken(&r, text);
        if (!CHECK(memcmp(&r.d.confidence, &confidences[i].value,
                          sizeof(double)) == 0))
            printf("  of %s: %.17g\n", text, r.d.confidence);
    }
    deltas_fini(&r);
}

static void test_confidence__values(void)
{
    check_confidences();
}

static void test_confidence__whatever_the_locale(void)
{
    if (locales_comma())
        check_confidences();
    else
        check_skip("no locale with a decimal comma: no package locales");
    locales_back();
}

/* Those that are read without a locale, and at once. */
static void test_confidence__common_spellings(void)
{
    static const struct {
        const char *text;
        bool plain;
        double value;
    } all[] = {
        {"0", true, 0},
        {"1", true, 1},
        {"9", true, 9},
        {"0.5", true, 0.5},
        {"0.0", true, 0},
        {"1.0", true, 1},
        {"0.909", true, 0.909},
        {"0.123456789012345", true, 0.123456789012345},
        {"0.1234567890123456", false, 0},
        {"0.999999999999999", true, 0.999999999999999},
        {"10", false, 0},
        {"-0", false, 0},
        {"-1", false, 0},
        {"-0.5", false, 0},
        {"1e0", false, 0},
        {"0.5e0", false, 0},
        {"0.5E-1", false, 0},
    };
    for (size_t i = 0; i < COUNT(all); i++) {
        double got = 7;
        struct plog_span text = plog_span_text(all[i].text);
        if (!CHECK_INT(plog_delta_plain_number(text, &got), all[i].plain) ||
            !CHECK(!all[i].plain || got == all[i].value))
            printf("# %s: %.17g\n", all[i].text, got);
    }
}

/* ---- Sameness ------------------------------------------------------------ */

static void test_same__byte_for_byte(void)
{
    static const char *const others[] = {
        "{\"resource\":\"R\"," RECORD "," UPSERT "," PAYLOAD "," TAIL "}",
        "{\"resource\":\"\\u0072\"," RECORD "," UPSERT "," PAYLOAD "," TAIL "}",
        "{" RESOURCE ",\"record_id\":\"2\"," UPSERT "," PAYLOAD "," TAIL "}",
        "{" KEY "," DELETE "," TAIL "}",
        "{" KEY "," UPSERT ",\"payload\":{\"a\":1.0}," TAIL "}",
        "{" KEY "," UPSERT "," PAYLOAD "," TAIL "," META "}",
        WITH_CONFIDENCE("1.0"),
        WITH_TIME("\"2026-01-02T03:04:05+00:00\""),
    };
    struct deltas a, b;
    deltas_init(&a);
    deltas_init(&b);
    deltas_taken(&a, "{" KEY "," UPSERT "," PAYLOAD "," TAIL "}");
    deltas_taken(&b, " { " ID "," PROVENANCE "," TIME " , " PAYLOAD "," UPSERT
                     "," KEY " } ");
    CHECK(plog_delta_same(&a.d, &b.d)); /* order, space and id do not count */
    for (size_t i = 0; i < COUNT(others); i++) {
        deltas_taken(&b, others[i]);
        CHECK(!plog_delta_same(&a.d, &b.d));
    }
    deltas_fini(&a);
    deltas_fini(&b);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"taken__all_members", test_taken__all_members},
        {"taken__optional_members_absent", test_taken__optional_members_absent},
        {"taken__escapes_stay_in_raw_and_go_in_text",
         test_taken__escapes_stay_in_raw_and_go_in_text},
        {"taken__delete", test_taken__delete},
        {"taken__spans_lie_where_they_are_owned",
         test_taken__spans_lie_where_they_are_owned},
        {"taken__a_parser_serves_again", test_taken__a_parser_serves_again},
        {"limits__decoded_bytes", test_limits__decoded_bytes},
        {"limits__line_is_of_the_compact_form",
         test_limits__line_is_of_the_compact_form},
        {"confidence__values", test_confidence__values},
        {"confidence__whatever_the_locale",
         test_confidence__whatever_the_locale},
        {"confidence__common_spellings", test_confidence__common_spellings},
        {"same__byte_for_byte", test_same__byte_for_byte},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
