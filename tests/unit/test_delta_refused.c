/* test_delta_refused.c - what a delta must be, rule by rule; refusals name the
 * member, say what to do, and never tell a value. */
#include "check.h"
#include "delta.h"
#include "deltas.h"

#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

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
    struct deltas r;
    deltas_init(&r);
    for (size_t i = 0; i < COUNT(rows); i++)
        deltas_refused(&r, rows[i].text, rows[i].member);
    deltas_fini(&r);
}

/* What to do about it is another thing for each end of the range. */
static void test_refused__hints_of_lengths(void)
{
    static const char front[] = "{\"record_id\":\"1\",\"op\":\"upsert\","
                                "\"payload\":{}," TAIL ",\"resource\":\"";
    char text[1000];
    struct deltas r;
    deltas_init(&r);
    snprintf(text, sizeof text, "%s%0300d\"}", front, 0);
    CHECK_INT(deltas_parse(&r, text), PLOG_E_INPUT);
    CHECK_TEXT(r.err.message, "resource: expected 1 to 255 bytes, found 300");
    CHECK_TEXT(r.err.hint, "shorten it; long texts belong in payload or meta");
    snprintf(text, sizeof text, "%s\"}", front);
    CHECK_INT(deltas_parse(&r, text), PLOG_E_INPUT);
    CHECK_TEXT(r.err.message, "resource: expected 1 to 255 bytes, found 0");
    CHECK_TEXT(r.err.hint, "it must not be empty");
    deltas_fini(&r);
}

/* What is no text for a time is not also read as one. */
static void test_refused__times(void)
{
    static const char not_one[] =
        "write it as 2026-01-02T03:04:05.678Z; at most 9 digits behind the"
        " point, no second 60";
    char text[1000];
    struct deltas r;
    deltas_init(&r);
    snprintf(text, sizeof text, WITH_TIME("\"%0256d\""), 0);
    deltas_refused(&r, text, "occurred_at");
    CHECK_TEXT(r.err.message,
               "occurred_at: expected 1 to 255 bytes, found 256");
    CHECK_TEXT(r.err.hint, "shorten it; long texts belong in payload or meta");
    deltas_refused(&r, WITH_TIME("\"\""), "occurred_at");
    CHECK_TEXT(r.err.message, "occurred_at: expected 1 to 255 bytes, found 0");
    CHECK_TEXT(r.err.hint, "it must not be empty");
    deltas_refused(&r, WITH_TIME("7"), "occurred_at");
    CHECK_TEXT(r.err.message, "occurred_at: expected a string, found a number");
    CHECK_TEXT(r.err.hint, "write it as a string, in quotes");
    snprintf(text, sizeof text, WITH_TIME("\"%0255d\""), 0);
    for (int is_long = 0; is_long < 2; is_long++) {
        deltas_refused(&r,
                       is_long ? text : WITH_TIME("\"2026-01-02T03:04:60Z\""),
                       "occurred_at");
        CHECK_TEXT(r.err.message, "occurred_at: expected an RFC 3339 time,"
                                  " found another string");
        CHECK_TEXT(r.err.hint, not_one);
    }
    deltas_fini(&r);
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
    struct deltas r;
    char text[512];
    deltas_init(&r);
    for (size_t i = 0; i < COUNT(rows); i++) {
        snprintf(text, sizeof text,
                 "{" KEY "," UPSERT "," PAYLOAD "," TIME ",\"provenance\":%s}",
                 rows[i].text);
        deltas_refused(&r, text, rows[i].member);
    }
    deltas_taken(&r, "{" KEY "," UPSERT "," PAYLOAD "," TIME ",\"provenance\":{"
                     "\"confidence\":0.25," SOURCE "}}");
    CHECK(r.d.confidence == 0.25);
    deltas_fini(&r);
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
    struct deltas r;
    deltas_init(&r);
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_INT(deltas_parse(&r, rows[i].text), PLOG_E_INPUT);
        CHECK(r.err.has_offset);
        CHECK_UINT(r.err.offset, rows[i].offset);
        CHECK_TEXT(r.err.member, "");
        CHECK(r.err.hint[0] != '\0');
    }
    CHECK_INT(deltas_parse(&r, UP(RESOURCE)), PLOG_E_INPUT); /* twice */
    CHECK(r.err.has_offset);
    CHECK_INT(deltas_parse(&r, UP("\"r\\u0065source\":\"r\"")), PLOG_E_INPUT);
    CHECK(r.err.has_offset);
    deltas_fini(&r);
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
    struct deltas r;
    deltas_init(&r);
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_INT(deltas_parse(&r, rows[i]), PLOG_E_INPUT);
        CHECK(!strstr(r.err.message, "hush"));
        CHECK(!strstr(r.err.hint, "hush"));
        CHECK(!strstr(r.err.member, "hush"));
    }
    deltas_fini(&r);
}

static void test_refused__says_what_was_found(void)
{
    static const char *const kinds[][2] = {
        {UP("\"meta\":[]"), "meta: expected an object, found an array"},
        {UP("\"meta\":\"\""), "meta: expected an object, found a string"},
        {UP("\"meta\":0"), "meta: expected an object, found a number"},
        {UP("\"meta\":-1"), "meta: expected an object, found a number"},
        {UP("\"meta\":true"), "meta: expected an object, found a boolean"},
        {UP("\"meta\":false"), "meta: expected an object, found a boolean"},
        {UP("\"meta\":null"), "meta: expected an object, found null"},
        {UP("\"id\":null"), "id: expected a string, found null"},
        {UP("\"id\":{}"), "id: expected a string, found an object"},
        {UP("\"id\":[\"\"]"), "id: expected a string, found an array"},
        {UP("\"id\":12"), "id: expected a string, found a number"},
        {UP("\"id\":false"), "id: expected a string, found a boolean"}};
    struct deltas r;
    deltas_init(&r);
    for (size_t i = 0; i < COUNT(kinds); i++) {
        char member[8] = "meta";
        if (kinds[i][1][0] == 'i')
            snprintf(member, sizeof member, "id");
        deltas_refused(&r, kinds[i][0], member);
        CHECK_TEXT(r.err.message, kinds[i][1]);
    }
    deltas_refused(&r, UP("\"id\":\"\""), "id");
    CHECK_TEXT(r.err.message, "id: expected 1 to 255 bytes, found 0");
    deltas_refused(&r, "{" KEY "," UPSERT ",\"payload\":7," TAIL "}",
                   "payload");
    CHECK_TEXT(r.err.message, "payload: expected an object, found a number");
    deltas_refused(&r, "{" KEY "," UPSERT "," TAIL "}", "payload");
    CHECK_TEXT(r.err.message, "payload: this member is missing");
    deltas_fini(&r);
}

/* What was wrong with the delta before, in the same struct, is not wrong with
 * this one. */
static void test_refused__and_the_next(void)
{
    static const char *const deletes[] = {
        "{" KEY "," DELETE "," TAIL "}",
        "{" KEY "," DELETE ",\"payload\":null," TAIL "}",
        "{" KEY "," DELETE "," PAYLOAD "," TAIL "}"};
    struct deltas r;
    deltas_init(&r);
    for (size_t i = 0; i < COUNT(deletes); i++) {
        deltas_refused(&r, "{" KEY "," UPSERT "," TAIL "}", "payload");
        CHECK_TEXT(r.err.hint, "an upsert needs an object, {} at least");
        CHECK_INT(plog_delta_parse(&r.p, plog_span_text(deletes[i]),
                                   DELTAS_LINE, &r.d, &r.err),
                  0);
        CHECK(r.d.is_delete);
        deltas_span(r.d.payload, "null");
    }
    deltas_refused(&r, "{" KEY ",\"op\":\"x\"," TAIL "}", "op");
    deltas_fini(&r);
}

/* Cut, but never within a character. */
static void test_refused__long_names(void)
{
    struct deltas r;
    char text[DELTAS_LINE];
    deltas_init(&r);
    for (size_t lead = 0; lead < 4; lead++) {
        size_t n =
            (size_t)snprintf(text, sizeof text, "{\"%.*s", (int)lead, "abc");
        for (int i = 0; i < 100; i++, n += 4)
            memcpy(text + n, "\xf0\x9f\x98\x80", 4);
        snprintf(text + n, sizeof text - n, "\":1}");
        CHECK_INT(deltas_parse(&r, text), PLOG_E_INPUT);
        size_t shown = strlen(r.err.member);
        CHECK(shown > 50 && shown < 64);
        CHECK_UINT((shown - lead) % 4, 0);
        CHECK(memcmp(r.err.member, text + 2, shown) == 0);
    }
    deltas_fini(&r);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"refused__table", test_refused__table},
        {"refused__hints_of_lengths", test_refused__hints_of_lengths},
        {"refused__times", test_refused__times},
        {"refused__provenance", test_refused__provenance},
        {"refused__syntax_says_where", test_refused__syntax_says_where},
        {"refused__no_value_is_told", test_refused__no_value_is_told},
        {"refused__says_what_was_found", test_refused__says_what_was_found},
        {"refused__and_the_next", test_refused__and_the_next},
        {"refused__long_names", test_refused__long_names},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
