/* test_delta.c - what a delta must be, rule by rule; that refusals name the
 * member and never a value; and instants. */
#include "check.h"
#include "delta.h"
#include "heap.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define LINE 4096

#define ID "\"id\":\"i\""
#define RESOURCE "\"resource\":\"r\""
#define RECORD "\"record_id\":\"1\""
#define UPSERT "\"op\":\"upsert\""
#define DELETE "\"op\":\"delete\""
#define PAYLOAD "\"payload\":{\"a\":1}"
#define TIME "\"occurred_at\":\"2026-01-02T03:04:05Z\""
#define SOURCE "\"source\":\"s\""
#define PROVENANCE "\"provenance\":{" SOURCE ",\"confidence\":1}"
#define META "\"meta\":{\"m\":2}"
#define KEY RESOURCE "," RECORD
#define TAIL TIME "," PROVENANCE
#define UP(member) "{" KEY "," UPSERT "," PAYLOAD "," TAIL "," member "}"
#define WITH_CONFIDENCE(n)                                                     \
    "{" KEY "," UPSERT "," PAYLOAD "," TIME ",\"provenance\":{" SOURCE         \
    ",\"confidence\":" n "}}"
#define WITH_TIME(t)                                                           \
    "{" KEY "," UPSERT "," PAYLOAD ",\"occurred_at\":" t "," PROVENANCE "}"

struct rig {
    struct heap h;
    struct plog_delta_parser p;
    struct plog_delta d;
    struct plog_error err;
    char *text; /* exactly the text's size, so that one byte too far is seen */
};

static void rig_init(struct rig *r)
{
    memset(r, 0, sizeof *r);
    heap_init(&r->h);
    plog_delta_parser_init(&r->p, &r->h.io);
}

static void rig_fini(struct rig *r)
{
    free(r->text);
    plog_delta_parser_fini(&r->p);
    CHECK_UINT(r->h.live, 0);
}

static int rig_parse_max(struct rig *r, const char *text, size_t n, size_t max)
{
    free(r->text);
    r->text = malloc(n ? n : 1);
    if (!r->text)
        abort();
    if (n)
        memcpy(r->text, text, n);
    memset(&r->err, 0, sizeof r->err);
    return plog_delta_parse(&r->p, plog_span(r->text, n), max, &r->d, &r->err);
}

static int rig_parse(struct rig *r, const char *text)
{
    return rig_parse_max(r, text, strlen(text), LINE * 4);
}

static bool span_check(struct plog_span s, const char *want)
{
    return check_bytes(s.p, s.n, want, strlen(want), want, __FILE__, __LINE__);
}

/* Refuses `text`, naming `member`. */
static void refused(struct rig *r, const char *text, const char *member)
{
    bool ok = CHECK_INT(rig_parse(r, text), PLOG_E_INPUT);
    ok &= CHECK_INT(r->err.code, PLOG_E_INPUT);
    ok &= CHECK_TEXT(r->err.member, member);
    ok &= CHECK(!r->err.has_offset);
    ok &= CHECK(strstr(r->err.message, member) == r->err.message);
    ok &= CHECK(r->err.hint[0] != '\0');
    if (!ok)
        printf("  of %s: %s\n", text, r->err.message);
    CHECK_INT(
        plog_delta_parse(&r->p, plog_span_text(text), LINE * 4, &r->d, NULL),
        PLOG_E_INPUT);
}

static void taken(struct rig *r, const char *text)
{
    if (!CHECK_INT(rig_parse(r, text), 0))
        printf("  of %s: %s\n", text, r->err.message);
}

/* ---- What is taken ------------------------------------------------------ */

static void test_taken__all_members(void)
{
    struct rig r;
    rig_init(&r);
    taken(&r, " { " PROVENANCE " ,\n" META ",\t" TIME ", \"payload\" : { \"a\""
              " : [ 1.50 , \"x  y\" ] } ," UPSERT "," RECORD "," ID "," RESOURCE
              " } ");
    span_check(r.d.id, "\"i\"");
    span_check(r.d.resource, "\"r\"");
    span_check(r.d.record_id, "\"1\"");
    span_check(r.d.op, "\"upsert\"");
    span_check(r.d.payload, "{\"a\":[1.50,\"x  y\"]}");
    span_check(r.d.occurred_at, "\"2026-01-02T03:04:05Z\"");
    span_check(r.d.provenance, "{" SOURCE ",\"confidence\":1}");
    span_check(r.d.meta, "{\"m\":2}");
    span_check(r.d.id_text, "i");
    span_check(r.d.resource_text, "r");
    span_check(r.d.record_id_text, "1");
    span_check(r.d.source_text, "s");
    span_check(r.d.occurred_text, "2026-01-02T03:04:05Z");
    CHECK(!r.d.is_delete);
    CHECK(r.d.confidence == 1.0);
    CHECK_INT(r.d.instant.seconds, 1767323045);
    CHECK_INT(r.d.instant.nanos, 0);
    rig_fini(&r);
}

static void test_taken__optional_members_absent(void)
{
    struct rig r;
    rig_init(&r);
    taken(&r, "{" KEY "," UPSERT "," PAYLOAD "," TAIL "}");
    CHECK_UINT(r.d.id.n, 0);
    CHECK_UINT(r.d.id_text.n, 0);
    CHECK_UINT(r.d.meta.n, 0);
    rig_fini(&r);
}

static void test_taken__escapes_stay_in_raw_and_go_in_text(void)
{
    struct rig r;
    rig_init(&r);
    taken(&r, "{\"\\u0069d\":\"\\u0069\\/\",\"resourc\\u0065\":\"\\u00e9\","
              "\"record_id\":\"\\ud83d\\ude00\\n\",\"op\":\"up\\u0073ert\","
              "\"payload\":{\"\\u0061\":\"\\/\"},"
              "\"occurred_at\":\"2026-01-02\\u005403:04:05\\u005a\","
              "\"provenance\":{\"s\\u006furce\":\"\\t\",\"confidence\":0.5}}");
    span_check(r.d.id, "\"\\u0069\\/\"");
    span_check(r.d.id_text, "i/");
    span_check(r.d.resource, "\"\\u00e9\"");
    span_check(r.d.resource_text, "\xc3\xa9");
    span_check(r.d.record_id_text, "\xf0\x9f\x98\x80\n");
    span_check(r.d.op, "\"up\\u0073ert\"");
    span_check(r.d.payload, "{\"\\u0061\":\"\\/\"}");
    span_check(r.d.occurred_text, "2026-01-02T03:04:05Z");
    span_check(r.d.source_text, "\t");
    CHECK_INT(r.d.instant.seconds, 1767323045);
    rig_fini(&r);
}

static void test_taken__delete(void)
{
    static const char *const payloads[] = {
        "", "\"payload\":null,", "\"payload\":{},", "\"payload\":{\"a\":1},"};
    struct rig r;
    char text[512];
    rig_init(&r);
    for (size_t i = 0; i < COUNT(payloads); i++) {
        snprintf(text, sizeof text, "{" KEY ",%s" DELETE "," TAIL "}",
                 payloads[i]);
        taken(&r, text);
        CHECK(r.d.is_delete);
        span_check(r.d.payload, "null");
        span_check(r.d.op, "\"delete\"");
    }
    taken(&r, "{" KEY ",\"op\":\"\\u0064elete\"," TAIL "}");
    CHECK(r.d.is_delete);
    rig_fini(&r);
}

static void test_taken__spans_lie_where_they_are_owned(void)
{
    struct rig r;
    rig_init(&r);
    taken(&r, "{\"id\":\"\\u0069\"," RESOURCE ",\"record_id\":\"\\n\"," UPSERT
              "," PAYLOAD "," TIME ",\"provenance\":{"
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
    rig_fini(&r);
}

static void test_taken__a_parser_serves_again(void)
{
    struct rig r;
    rig_init(&r);
    taken(&r, UP(META));
    refused(&r, UP("\"x\":1"), "x");
    CHECK_INT(rig_parse(&r, "{"), PLOG_E_INPUT);
    taken(&r, "{" KEY "," DELETE "," TAIL "}");
    CHECK_UINT(r.d.meta.n, 0);
    taken(&r, UP(ID));
    CHECK(!r.d.is_delete);
    CHECK_UINT(r.d.meta.n, 0);
    rig_fini(&r);
}

/* ---- What is refused ---------------------------------------------------- */

struct row {
    const char *text, *member;
};

static void test_refused__table(void)
{
    static const struct row rows[] = {
        {"{}", "resource"},
        {"{" RECORD "," UPSERT "," PAYLOAD "," TAIL "}", "resource"},
        {"{" RESOURCE "," UPSERT "," PAYLOAD "," TAIL "}", "record_id"},
        {"{" KEY "," PAYLOAD "," TAIL "}", "op"},
        {"{" KEY "," UPSERT "," TAIL "}", "payload"},
        {"{" KEY "," UPSERT "," PAYLOAD "," PROVENANCE "}", "occurred_at"},
        {"{" KEY "," UPSERT "," PAYLOAD "," TIME "}", "provenance"},
        {"{\"resource\":7," RECORD "," UPSERT "," TAIL "}", "resource"},
        {"{" KEY ",\"op\":\"x\"," TAIL "}", "op"},
        {UP("\"seq\":1"), "seq"},
        {UP("\"\":1"), ""},
        {UP("\"Id\":\"i\""), "Id"},
        {UP("\"id \":\"i\""), "id "},
        {UP("\"salt\":\"x\""), "salt"},
        {UP("\"id\":null"), "id"},
        {UP("\"id\":\"\""), "id"},
        {UP("\"id\":7"), "id"},
        {UP("\"meta\":null"), "meta"},
        {UP("\"meta\":[]"), "meta"},
        {UP("\"meta\":\"\""), "meta"},
        {UP("\"meta\":true"), "meta"},
        {"{\"resource\":1," RECORD "," UPSERT "," PAYLOAD "," TAIL "}",
         "resource"},
        {"{\"resource\":\"\"," RECORD "," UPSERT "," PAYLOAD "," TAIL "}",
         "resource"},
        {"{" RESOURCE ",\"record_id\":null," UPSERT "," PAYLOAD "," TAIL "}",
         "record_id"},
        {"{" RESOURCE ",\"record_id\":\"\"," UPSERT "," PAYLOAD "," TAIL "}",
         "record_id"},
        {"{" KEY ",\"op\":\"Upsert\"," PAYLOAD "," TAIL "}", "op"},
        {"{" KEY ",\"op\":\"upsert \"," PAYLOAD "," TAIL "}", "op"},
        {"{" KEY ",\"op\":\"\"," PAYLOAD "," TAIL "}", "op"},
        {"{" KEY ",\"op\":null," PAYLOAD "," TAIL "}", "op"},
        {"{" KEY ",\"op\":[\"upsert\"]," PAYLOAD "," TAIL "}", "op"},
        {"{" KEY "," UPSERT ",\"payload\":null," TAIL "}", "payload"},
        {"{" KEY "," UPSERT ",\"payload\":[]," TAIL "}", "payload"},
        {"{" KEY "," UPSERT ",\"payload\":\"{}\"," TAIL "}", "payload"},
        {"{" KEY "," UPSERT ",\"payload\":0," TAIL "}", "payload"},
        {"{" KEY "," DELETE ",\"payload\":[]," TAIL "}", "payload"},
        {"{" KEY "," DELETE ",\"payload\":false," TAIL "}", "payload"},
        {"{" KEY "," DELETE ",\"payload\":\"null\"," TAIL "}", "payload"},
        {WITH_TIME("1"), "occurred_at"},
        {WITH_TIME("null"), "occurred_at"},
        {WITH_TIME("\"\""), "occurred_at"},
        {WITH_TIME("\"2026-01-02\""), "occurred_at"},
        {WITH_TIME("\"2026-01-02T03:04:60Z\""), "occurred_at"},
    };
    struct rig r;
    rig_init(&r);
    for (size_t i = 0; i < COUNT(rows); i++)
        refused(&r, rows[i].text, rows[i].member);
    rig_fini(&r);
}

/* What to do about it is another thing for each end of the range. */
static void test_refused__hints_of_lengths(void)
{
    static const char front[] = "{\"record_id\":\"1\",\"op\":\"upsert\","
                                "\"payload\":{}," TAIL ",\"resource\":\"";
    char text[1000];
    struct rig r;
    rig_init(&r);
    snprintf(text, sizeof text, "%s%0300d\"}", front, 0);
    CHECK_INT(rig_parse(&r, text), PLOG_E_INPUT);
    CHECK(strstr(r.err.message, "found 300") != NULL);
    CHECK(strstr(r.err.hint, "shorten it") != NULL);
    snprintf(text, sizeof text, "%s\"}", front);
    CHECK_INT(rig_parse(&r, text), PLOG_E_INPUT);
    CHECK(strstr(r.err.message, "found 0") != NULL);
    CHECK_TEXT(r.err.hint, "it must not be empty");
    rig_fini(&r);
}

static void test_refused__provenance(void)
{
    static const struct row rows[] = {
        {"null", "provenance"},
        {"[]", "provenance"},
        {"\"s\"", "provenance"},
        {"{}", "provenance.source"},
        {"{\"confidence\":1}", "provenance.source"},
        {"{" SOURCE "}", "provenance.confidence"},
        {"{" SOURCE ",\"confidence\":1,\"x\":1}", "provenance"},
        {"{" SOURCE ",\"Confidence\":1}", "provenance"},
        {"{\"source\":\"\",\"confidence\":1}", "provenance.source"},
        {"{\"source\":null,\"confidence\":1}", "provenance.source"},
        {"{" SOURCE ",\"confidence\":null}", "provenance.confidence"},
        {"{" SOURCE ",\"confidence\":true}", "provenance.confidence"},
        {"{" SOURCE ",\"confidence\":\"1\"}", "provenance.confidence"},
    };
    struct rig r;
    char text[512];
    rig_init(&r);
    for (size_t i = 0; i < COUNT(rows); i++) {
        snprintf(text, sizeof text,
                 "{" KEY "," UPSERT "," PAYLOAD "," TIME ",\"provenance\":%s}",
                 rows[i].text);
        refused(&r, text, rows[i].member);
    }
    taken(&r, "{" KEY "," UPSERT "," PAYLOAD "," TIME ",\"provenance\":{"
              "\"confidence\":0.25," SOURCE "}}");
    CHECK(r.d.confidence == 0.25);
    rig_fini(&r);
}

static void test_refused__syntax_says_where(void)
{
    static const struct {
        const char *text;
        size_t offset;
    } rows[] = {
        {"", 0},           {"[]", 0},         {"  x", 2},
        {"{\"a\":1,}", 7}, {"{\"a\":01}", 6}, {" {\"a\" : \"\x01\"}", 9},
        {"{}\n x", 4},     {"{\r}", 1},
    };
    struct rig r;
    rig_init(&r);
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_INT(rig_parse(&r, rows[i].text), PLOG_E_INPUT);
        CHECK(r.err.has_offset);
        CHECK_UINT(r.err.offset, rows[i].offset);
        CHECK_TEXT(r.err.member, "");
        CHECK(r.err.hint[0] != '\0');
    }
    CHECK_INT(rig_parse(&r, UP(RESOURCE)), PLOG_E_INPUT); /* twice */
    CHECK(r.err.has_offset);
    CHECK_INT(rig_parse(&r, UP("\"r\\u0065source\":\"r\"")), PLOG_E_INPUT);
    CHECK(r.err.has_offset);
    rig_fini(&r);
}

static void test_refused__no_value_is_told(void)
{
    static const char *const rows[] = {
        UP("\"id\":{\"a\":\"hush\"}"),
        UP("\"meta\":\"hush\""),
        "{" KEY ",\"op\":\"hush\"," PAYLOAD "," TAIL "}",
        "{" KEY "," UPSERT ",\"payload\":\"hush\"," TAIL "}",
        "{" KEY "," UPSERT ",\"payload\":{\"hush\":}," TAIL "}",
        WITH_TIME("\"hush\""),
        WITH_CONFIDENCE("\"hush\""),
        WITH_CONFIDENCE("{\"hush\":1}"),
        UP("\"x\":\"hush\""),
    };
    struct rig r;
    rig_init(&r);
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_INT(rig_parse(&r, rows[i]), PLOG_E_INPUT);
        CHECK(!strstr(r.err.message, "hush"));
        CHECK(!strstr(r.err.hint, "hush"));
        CHECK(!strstr(r.err.member, "hush"));
    }
    rig_fini(&r);
}

static void test_refused__says_what_was_found(void)
{
    struct rig r;
    rig_init(&r);
    refused(&r, UP("\"meta\":[]"), "meta");
    CHECK_TEXT(r.err.message, "meta: expected an object, found an array");
    refused(&r, UP("\"id\":null"), "id");
    CHECK_TEXT(r.err.message, "id: expected a string, found null");
    refused(&r, UP("\"id\":\"\""), "id");
    CHECK_TEXT(r.err.message, "id: expected 1 to 255 bytes, found 0");
    refused(&r, "{" KEY "," UPSERT ",\"payload\":7," TAIL "}", "payload");
    CHECK_TEXT(r.err.message, "payload: expected an object, found a number");
    refused(&r, "{" KEY "," UPSERT "," TAIL "}", "payload");
    CHECK_TEXT(r.err.message, "payload: this member is missing");
    rig_fini(&r);
}

/* Cut, but never within a character. */
static void test_refused__long_names(void)
{
    struct rig r;
    char text[LINE];
    rig_init(&r);
    for (size_t lead = 0; lead < 4; lead++) {
        size_t n =
            (size_t)snprintf(text, sizeof text, "{\"%.*s", (int)lead, "abc");
        for (int i = 0; i < 100; i++, n += 4)
            memcpy(text + n, "\xf0\x9f\x98\x80", 4);
        snprintf(text + n, sizeof text - n, "\":1}");
        CHECK_INT(rig_parse(&r, text), PLOG_E_INPUT);
        size_t shown = strlen(r.err.member);
        CHECK(shown > 50 && shown < 64);
        CHECK_UINT((shown - lead) % 4, 0);
        CHECK(memcmp(r.err.member, text + 2, shown) == 0);
    }
    rig_fini(&r);
}

/* ---- Limits ------------------------------------------------------------- */

/* A delta whose `member` holds `n` characters spelled `spelling`. */
static int parse_long(struct rig *r, const char *member, size_t n,
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
    rc = rig_parse_max(r, b.data, b.len, SIZE_MAX);
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
    struct rig r;
    rig_init(&r);
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
    rig_fini(&r);
}

static void test_limits__line_is_of_the_compact_form(void)
{
    static const char text[] = UP(META);
    static const char spread[] = "  " UP("\n\t   " META "     ") "   ";
    size_t n = sizeof text - 1;
    struct rig r;
    rig_init(&r);
    CHECK_INT(rig_parse_max(&r, text, n, n), 0);
    CHECK_INT(rig_parse_max(&r, text, n, n - 1), PLOG_E_INPUT);
    CHECK(!r.err.has_offset);
    CHECK(r.err.hint[0] != '\0');
    CHECK_INT(rig_parse_max(&r, spread, sizeof spread - 1, n), 0);
    CHECK_UINT(r.p.compact.len, n);
    rig_fini(&r);
}

/* ---- Confidence --------------------------------------------------------- */

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
    struct rig r;
    rig_init(&r);
    for (size_t i = 0; i < COUNT(confidences); i++) {
        const char *text = confidences[i].text;
        if (confidences[i].value < 0) {
            refused(&r, text, "provenance.confidence");
            continue;
        }
        taken(&r, text);
        if (!CHECK(memcmp(&r.d.confidence, &confidences[i].value,
                          sizeof(double)) == 0))
            printf("  of %s: %.17g\n", text, r.d.confidence);
    }
    rig_fini(&r);
}

static void test_confidence__values(void)
{
    check_confidences();
}

static void test_confidence__whatever_the_locale(void)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "de_DE",
                                        "fr_FR.UTF-8"};
    const char *set = NULL;
    for (size_t i = 0; !set && i < COUNT(names); i++)
        set = setlocale(LC_ALL, names[i]);
    if (!set || *localeconv()->decimal_point != ',') {
        setlocale(LC_ALL, "C");
        check_skip("no locale with a decimal comma is installed");
        return;
    }
    check_confidences();
    setlocale(LC_ALL, "C");
}

/* ---- Mutations ---------------------------------------------------------- */

static const char full[] =
    "{\"id\":\"a\\u0062\",\"resource\":\"r\",\"record_id\":\"\xc3\xa9\"," UPSERT
    ", \"payload\":{\"a\":[1,{\"b\":\"\\ud83d\\ude00\"}],\"c\":-1.5e3},"
    "\"occurred_at\":\"2026-01-02T03:04:05.678+01:00\",\"provenance\":{" SOURCE
    ",\"confidence\":0.75},\"meta\":{}}";

/* What was taken, written again from its raw values, reads back the same. */
static void check_again(struct rig *r, struct rig *again)
{
    const struct plog_delta *d = &r->d;
    char text[LINE], id[LINE] = "", meta[LINE] = "";
    if (d->id.n)
        snprintf(id, sizeof id, "\"id\":%.*s,", (int)d->id.n, d->id.p);
    if (d->meta.n)
        snprintf(meta, sizeof meta, ",\"meta\":%.*s", (int)d->meta.n,
                 d->meta.p);
    int n = snprintf(text, sizeof text,
                     "{%s\"resource\":%.*s,\"record_id\":%.*s,\"op\":%.*s,"
                     "\"payload\":%.*s,\"occurred_at\":%.*s,"
                     "\"provenance\":%.*s%s}",
                     id, (int)d->resource.n, d->resource.p, (int)d->record_id.n,
                     d->record_id.p, (int)d->op.n, d->op.p, (int)d->payload.n,
                     d->payload.p, (int)d->occurred_at.n, d->occurred_at.p,
                     (int)d->provenance.n, d->provenance.p, meta);
    REQUIRE(n > 0 && (size_t)n < sizeof text);
    taken(again, text);
    CHECK(plog_delta_same(d, &again->d));
    CHECK(plog_span_equal(d->id, again->d.id));
    CHECK(plog_span_equal(d->id_text, again->d.id_text));
    CHECK(plog_span_equal(d->source_text, again->d.source_text));
    CHECK(d->is_delete == again->d.is_delete);
    CHECK(d->confidence == again->d.confidence);
    CHECK_INT(plog_instant_compare(d->instant, again->d.instant), 0);
}

static void try_text(struct rig *r, struct rig *again, const char *text,
                     size_t n)
{
    int rc = rig_parse_max(r, text, n, LINE);
    if (rc == 0) {
        check_again(r, again);
        return;
    }
    CHECK_INT(rc, PLOG_E_INPUT);
    CHECK(r->err.has_offset || r->err.member[0] || r->err.message[0] == ':');
    CHECK(!r->err.has_offset || r->err.offset <= n);
}

static void test_mutation__every_byte(void)
{
    struct rig r, again;
    char text[sizeof full];
    rig_init(&r);
    rig_init(&again);
    for (size_t i = 0; i < sizeof full - 1; i++)
        for (int c = 0; c < 256; c++) {
            memcpy(text, full, sizeof full);
            text[i] = (char)c;
            try_text(&r, &again, text, sizeof full - 1);
        }
    rig_fini(&r);
    rig_fini(&again);
}

static void test_mutation__bytes_out_and_in(void)
{
    static const char in[] = "\"\\{}[],: \n\r0e.-tz\x80\xc3";
    struct rig r, again;
    char text[sizeof full + 1];
    size_t n = sizeof full - 1;
    rig_init(&r);
    rig_init(&again);
    for (size_t i = 0; i <= n; i++) {
        CHECK_INT(rig_parse_max(&r, full, i, LINE), i < n ? PLOG_E_INPUT : 0);
        if (i < n) {
            memcpy(text, full, i);
            memcpy(text + i, full + i + 1, n - i - 1);
            try_text(&r, &again, text, n - 1);
        }
        for (size_t k = 0; k < sizeof in; k++) {
            memcpy(text, full, i);
            text[i] = in[k];
            memcpy(text + i + 1, full + i, n - i);
            try_text(&r, &again, text, n + 1);
        }
    }
    rig_fini(&r);
    rig_fini(&again);
}

static void test_mutation__random(void)
{
    struct rig r, again;
    char text[sizeof full];
    uint64_t state = check_seed();
    rig_init(&r);
    rig_init(&again);
    for (int round = 0; round < 20000; round++) {
        memcpy(text, full, sizeof full);
        for (uint64_t k = 1 + check_random(&state) % 4; k > 0; k--)
            text[check_random(&state) % (sizeof full - 1)] =
                full[check_random(&state) % (sizeof full - 1)];
        try_text(&r, &again, text, sizeof full - 1);
    }
    rig_fini(&r);
    rig_fini(&again);
}

/* ---- Memory ------------------------------------------------------------- */

static void test_memory__every_allocation_fails(void)
{
    bool reached = true;
    for (size_t nth = 1; reached; nth++) {
        for (int for_ever = 0; for_ever < 2; for_ever++) {
            struct rig r;
            rig_init(&r);
            heap_fail(&r.h, nth, for_ever);
            int rc = rig_parse(&r, full);
            reached = heap_failed(&r.h);
            CHECK_INT(rc, reached ? PLOG_E_NOMEM : 0);
            CHECK_INT(r.err.code, rc);
            heap_fail(&r.h, 0, false);
            taken(&r, full);
            rig_fini(&r);
        }
        REQUIRE(nth < 1000);
    }
}

static void test_memory__decoding_does_not_move(void)
{
    struct rig r;
    struct plog_buf decoded;
    rig_init(&r);
    taken(&r, full);
    for (size_t before = 0; before < 130; before += 13) {
        struct plog_delta d = r.d;
        plog_buf_init(&decoded, &r.h.io);
        for (size_t i = 0; i < before; i++)
            REQUIRE(plog_buf_add_char(&decoded, 'x') == 0);
        CHECK_INT(plog_delta_decode(&d, &decoded, NULL), 0);
        span_check(d.id_text, "ab");
        CHECK(d.id_text.p >= decoded.data &&
              d.id_text.p < decoded.data + decoded.len);
        plog_buf_fini(&decoded);
    }
    rig_fini(&r);
}

/* ---- Sameness ----------------------------------------------------------- */

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
    struct rig a, b;
    rig_init(&a);
    rig_init(&b);
    taken(&a, "{" KEY "," UPSERT "," PAYLOAD "," TAIL "}");
    taken(&b, " { " ID "," PROVENANCE "," TIME " , " PAYLOAD "," UPSERT "," KEY
              " } ");
    CHECK(plog_delta_same(&a.d, &b.d)); /* order, space and id do not count */
    for (size_t i = 0; i < COUNT(others); i++) {
        taken(&b, others[i]);
        CHECK(!plog_delta_same(&a.d, &b.d));
    }
    rig_fini(&a);
    rig_fini(&b);
}

/* ---- Instants ----------------------------------------------------------- */

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
        {"taken__all_members", test_taken__all_members},
        {"taken__optional_members_absent", test_taken__optional_members_absent},
        {"taken__escapes_stay_in_raw_and_go_in_text",
         test_taken__escapes_stay_in_raw_and_go_in_text},
        {"taken__delete", test_taken__delete},
        {"taken__spans_lie_where_they_are_owned",
         test_taken__spans_lie_where_they_are_owned},
        {"taken__a_parser_serves_again", test_taken__a_parser_serves_again},
        {"refused__table", test_refused__table},
        {"refused__hints_of_lengths", test_refused__hints_of_lengths},
        {"refused__provenance", test_refused__provenance},
        {"refused__syntax_says_where", test_refused__syntax_says_where},
        {"refused__no_value_is_told", test_refused__no_value_is_told},
        {"refused__says_what_was_found", test_refused__says_what_was_found},
        {"refused__long_names", test_refused__long_names},
        {"limits__decoded_bytes", test_limits__decoded_bytes},
        {"limits__line_is_of_the_compact_form",
         test_limits__line_is_of_the_compact_form},
        {"confidence__values", test_confidence__values},
        {"confidence__whatever_the_locale",
         test_confidence__whatever_the_locale},
        {"mutation__every_byte", test_mutation__every_byte},
        {"mutation__bytes_out_and_in", test_mutation__bytes_out_and_in},
        {"mutation__random", test_mutation__random},
        {"memory__every_allocation_fails", test_memory__every_allocation_fails},
        {"memory__decoding_does_not_move", test_memory__decoding_does_not_move},
        {"same__byte_for_byte", test_same__byte_for_byte},
        {"instant__values", test_instant__values},
        {"instant__refused", test_instant__refused},
        {"instant__fraction_of_one_to_nine_digits",
         test_instant__fraction_of_one_to_nine_digits},
        {"instant__every_day", test_instant__every_day},
        {"instant__order_across_offsets", test_instant__order_across_offsets},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
