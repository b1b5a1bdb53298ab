/* test_json_changed.c - a text that is cut or has changed bytes is refused
 * within its bounds, or taken as it is; and what memory the scanner needs. */
#include "check.h"
#include "json.h"
#include "scanner.h"

#include <stdlib.h>
#include <string.h>

static const char rich[] =
    "{\"resource\":\"notes\",\"record_id\":\"r-\\u00e91\",\"op\":\"upsert\","
    "\"payload\":{\"t\":\"\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80 \\ud83d\\ude00"
    "\\n\\\\\\\"\",\"n\":[-0.5e+10,0,12,1E-3],\"b\":[true,false,null,[],{}],"
    "\"\":{\"a\":{\"a\":[[{\"a\":1}]]}}},\"occurred_at\":"
    "\"2025-01-02T03:04:05.678Z\",\"provenance\":{\"source\":\"s\","
    "\"confidence\":0.75}}";

/* ---- Cut texts ----------------------------------------------------------- */

static void test_prefix__never_taken(void)
{
    struct scanner r;
    size_t n = sizeof rich - 1;
    scanner_init(&r);
    CHECK_INT(scanner_check(&r, rich, n), 0);
    for (size_t i = 0; i < n; i++) {
        CHECK_INT(scanner_check(&r, rich, i), PLOG_E_INPUT);
        CHECK(r.fault.offset <= i);
        CHECK_INT(scanner_compact(&r, rich, i), PLOG_E_INPUT);
    }
    CHECK_UINT(r.out.len, 0);
    scanner_fini(&r);
}

/* Nor does what stands behind the end make it whole. */
static void test_prefix__nothing_behind_it_counts(void)
{
    static const char text[] = "{\"k\":\"\\ud834\\udd1e\"}";
    struct scanner r;
    scanner_init(&r);
    CHECK_INT(plog_json_check(&r.j, plog_span_text(text), &r.fault), 0);
    for (size_t n = 0; n < sizeof text - 1; n++) {
        CHECK_INT(plog_json_check(&r.j, plog_span(text, n), &r.fault),
                  PLOG_E_INPUT);
        CHECK(r.fault.offset <= n);
    }
    scanner_fini(&r);
}

/* ---- Changed texts ------------------------------------------------------- */

/* A changed text is refused inside its bounds, or its compact form is a fixed
 * point that the strict check takes. */
static void check_taken_or_placed(struct scanner *r, const char *p, size_t n)
{
    r->out.len = 0;
    int rc = scanner_compact(r, p, n);
    if (rc) {
        CHECK_INT(rc, PLOG_E_INPUT);
        CHECK(r->fault.offset <= n && r->fault.what != NULL);
        CHECK_UINT(r->out.len, 0);
        CHECK_INT(scanner_check(r, p, n), PLOG_E_INPUT);
        return;
    }
    size_t len = r->out.len;
    char *once = scanner_exact(r->out.data, len);
    CHECK(len <= n);
    CHECK_INT(scanner_check(r, once, len), 0);
    r->out.len = 0;
    CHECK_INT(scanner_compact(r, once, len), 0);
    CHECK_BYTES(r->out.data, r->out.len, once, len);
    free(once);
}

static void test_mutation__every_byte(void)
{
    struct scanner r;
    char text[sizeof rich];
    size_t n = sizeof rich - 1;
    scanner_init(&r);
    memcpy(text, rich, sizeof rich);
    for (size_t i = 0; i < n; i++) {
        for (int c = 0; c < 256; c++) {
            text[i] = (char)c;
            check_taken_or_placed(&r, text, n);
        }
        text[i] = rich[i];
    }
    scanner_fini(&r);
}

static void test_mutation__bytes_taken_out_and_put_in(void)
{
    static const char puts[] = "\"\\{}[],: \n\r\t0-.eE\xc3\x80u";
    struct scanner r;
    char text[sizeof rich + 1];
    size_t n = sizeof rich - 1;
    scanner_init(&r);
    for (size_t i = 0; i < n; i++) {
        memcpy(text, rich, i);
        memcpy(text + i, rich + i + 1, n - i - 1);
        check_taken_or_placed(&r, text, n - 1);
        memcpy(text + i + 1, rich + i, n - i);
        for (size_t k = 0; k < sizeof puts; k++) {
            text[i] = puts[k];
            check_taken_or_placed(&r, text, n + 1);
        }
    }
    scanner_fini(&r);
}

static void test_mutation__random(void)
{
    uint64_t seed = check_seed();
    struct scanner r;
    char text[sizeof rich];
    scanner_init(&r);
    for (int round = 0; round < 20000; round++) {
        memcpy(text, rich, sizeof rich);
        for (uint64_t k = check_random(&seed) % 6; k; k--)
            text[check_random(&seed) % (sizeof rich - 1)] =
                rich[check_random(&seed) % (sizeof rich - 1)];
        check_taken_or_placed(&r, text, sizeof rich - 1);
    }
    scanner_fini(&r);
}

/* ---- Memory -------------------------------------------------------------- */

/* Few allocations, whatever the text holds: none per value. */
static void test_memory__kept_between_calls(void)
{
    struct scanner r;
    scanner_init(&r);
    CHECK_INT(scanner_check(&r, rich, sizeof rich - 1), 0);
    CHECK_INT(scanner_compact(&r, rich, sizeof rich - 1), 0);
    heap_fail(&r.h, 1, true);
    r.out.len = 0;
    CHECK_INT(scanner_check(&r, rich, sizeof rich - 1), 0);
    CHECK_INT(scanner_compact(&r, rich, sizeof rich - 1), 0);
    CHECK_UINT(r.h.calls, 0);
    scanner_fini(&r);
}

static void test_memory__failures_change_nothing(void)
{
    static const char spaced[] =
        " { \"a\" : [ 1 , 2 ] , \"\\u0062bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
        "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\" : 2 , \"c\" : 3 ,"
        " \"d\":{\"e\":{\"f\":{\"g\":{\"h\":{}}}}}, \"i\":\"\\u0041\" } ";
    for (int for_ever = 0; for_ever < 2; for_ever++)
        for (size_t nth = 1;; nth++) {
            struct scanner r;
            scanner_init(&r);
            REQUIRE(plog_buf_add_text(&r.out, "kept") == 0);
            heap_fail(&r.h, nth, for_ever);
            int rc = scanner_compact(&r, spaced, sizeof spaced - 1);
            bool failed = heap_failed(&r.h);
            CHECK_INT(rc, failed ? PLOG_E_NOMEM : 0);
            if (failed)
                CHECK_BYTES(r.out.data, r.out.len, "kept", 4);
            heap_fail(&r.h, 0, false); /* and it works afterwards */
            r.out.len = 0;
            CHECK_INT(scanner_compact(&r, spaced, sizeof spaced - 1), 0);
            scanner_fini(&r);
            if (!failed)
                break;
            REQUIRE(nth < 100);
        }
}

static void test_memory__no_text(void)
{
    struct scanner r;
    scanner_init(&r);
    CHECK_INT(plog_json_check(&r.j, plog_span(NULL, 0), &r.fault),
              PLOG_E_INPUT);
    CHECK_UINT(r.fault.offset, 0);
    CHECK_INT(plog_json_compact(&r.j, plog_span(NULL, 0), &r.out, &r.fault),
              PLOG_E_INPUT);
    CHECK_UINT(r.out.len, 0);
    scanner_fini(&r);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"prefix__never_taken", test_prefix__never_taken},
        {"prefix__nothing_behind_it_counts",
         test_prefix__nothing_behind_it_counts},
        {"mutation__every_byte", test_mutation__every_byte},
        {"mutation__bytes_taken_out_and_put_in",
         test_mutation__bytes_taken_out_and_put_in},
        {"mutation__random", test_mutation__random},
        {"memory__kept_between_calls", test_memory__kept_between_calls},
        {"memory__failures_change_nothing",
         test_memory__failures_change_nothing},
        {"memory__no_text", test_memory__no_text},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
