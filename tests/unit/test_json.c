/* test_json.c - what the scanner takes and refuses, where it says the fault
 * is, and that nothing makes it slow, leak, or read past the text. */
#include "check.h"
#include "heap.h"
#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define ANY (SIZE_MAX / 2) /* from here on the offset is not looked at */

/* A block of exactly the text's size, so that one byte too far is seen. */
static char *exact(const char *p, size_t n)
{
    char *copy = malloc(n ? n : 1);
    if (!copy)
        abort();
    if (n)
        memcpy(copy, p, n);
    return copy;
}

struct rig {
    struct heap h;
    struct plog_json j;
    struct plog_buf out;
    struct plog_json_fault fault;
};

static void rig_init(struct rig *r)
{
    heap_init(&r->h);
    plog_json_init(&r->j, &r->h.io);
    plog_buf_init(&r->out, &r->h.io);
    r->fault.offset = 0;
    r->fault.what = NULL;
}

static void rig_fini(struct rig *r)
{
    plog_json_fini(&r->j);
    plog_buf_fini(&r->out);
    CHECK_UINT(r->h.live, 0);
}

static int rig_compact(struct rig *r, const char *p, size_t n)
{
    char *copy = exact(p, n);
    r->fault.what = NULL;
    int rc = plog_json_compact(&r->j, plog_span(copy, n), &r->out, &r->fault);
    free(copy);
    return rc;
}

static int rig_check(struct rig *r, const char *p, size_t n)
{
    char *copy = exact(p, n);
    r->fault.what = NULL;
    int rc = plog_json_check(&r->j, plog_span(copy, n), &r->fault);
    free(copy);
    return rc;
}

/* ---- Tables ------------------------------------------------------------- */

struct row {
    const char *p;
    size_t n;
    const char *compact; /* NULL: the same; only for what is taken */
    size_t offset;       /* only for what is refused */
};

#define T(text)                                                                \
    {                                                                          \
        text, sizeof(text) - 1, NULL, 0                                        \
    }
#define C(text, compact)                                                       \
    {                                                                          \
        text, sizeof(text) - 1, compact, 0                                     \
    }
#define R(text, offset)                                                        \
    {                                                                          \
        text, sizeof(text) - 1, NULL, offset                                   \
    }
/* As the value of one member; the offset counts from the value. */
#define TV(value) T("{\"a\":" value "}")
#define RV(value, offset) R("{\"a\":" value "}", (offset) + 5)
/* Inside the string of one member; the offset counts from behind the quote. */
#define TS(text) T("{\"a\":\"" text "\"}")
#define RS(text, offset) R("{\"a\":\"" text "\"}", (offset) + 6)

#define B8(c) c c c c c c c c
#define O8 B8("{\"a\":")
#define D63 B8("[") B8("[") B8("[") B8("[") B8("[") B8("[") B8("[") "[[[[[[["
#define U63 B8("]") B8("]") B8("]") B8("]") B8("]") B8("]") B8("]") "]]]]]]]"

static const struct row taken[] = {
    /* structure */
    T("{}"),
    T("{\"\":0}"),
    TV("{}"),
    TV("[]"),
    TV("[[],{}]"),
    TV("[1,2,3]"),
    T("{\"a\":1,\"b\":2}"),
    TV("[{\"a\":1},{\"a\":1}]"),
    TV("{\"a\":{}}"),
    TV("true"),
    TV("false"),
    TV("null"),
    TV("[true,false,null]"),
    T("{\"a\":{\"b\":1},\"b\":{\"a\":1}}"),
    TV("[[1],[2]]"),
    /* numbers */
    TV("0"),
    TV("-0"),
    TV("1"),
    TV("-1"),
    TV("10"),
    TV("1234567890"),
    TV("0.0"),
    TV("-0.0"),
    TV("0.5"),
    TV("1.25"),
    TV("1e1"),
    TV("1E1"),
    TV("1e+1"),
    TV("1e-1"),
    TV("0e0"),
    TV("0E-0"),
    TV("1.5e10"),
    TV("1e00"),
    TV("1e999999"),
    TV("0.00000000000000000000000000000000000000000001"),
    TV("123456789012345678901234567890"),
    TV("-1.0E+2"),
    TV("[0,-0,1.0]"),
    /* escapes and plain text */
    TS(""),
    TS("\\\""),
    TS("\\\\"),
    TS("\\/"),
    TS("\\b\\f\\n\\r\\t"),
    TS("\\u0001"),
    TS("\\u001f"),
    TS("\\u0041"),
    TS("\\uABCD"),
    TS("\\uabcd"),
    TS("\\uAbCd"),
    TS("\\u00e9"),
    TS("\\ud7ff"),
    TS("\\ue000"),
    TS("\\uffff"),
    TS("\\ufffe"),
    TS("\\ud800\\udc00"),
    TS("\\udbff\\udfff"),
    TS("\\ufeff"),
    TS("\\uD83D\\uDE00"),
    TS("\\\\u0000"),
    TS("/"),
    TS("\x7f"),
    TS("'"),
    TS("{}[],:"),
    TS("12345678"),
    TS("1234567"),
    TS("123456789"),
    TS("\\\\\\\\\\\\\\\\"),
    TS("1234567\\n"),
    TS("12345678\\n"),
    TS(" \\t "),
    T("{\"\\u0061\":1,\"b\":2}"),
    T("{\"\\n\":1,\"n\":2}"),
    /* UTF-8: the ends of every form */
    TS("\xc2\x80"),
    TS("\xdf\xbf"),
    TS("\xe0\xa0\x80"),
    TS("\xe0\xbf\xbf"),
    TS("\xe1\x80\x80"),
    TS("\xec\xbf\xbf"),
    TS("\xed\x80\x80"),
    TS("\xed\x9f\xbf"),
    TS("\xee\x80\x80"),
    TS("\xef\xbf\xbf"),
    TS("\xef\xbb\xbf"),
    TS("\xf0\x90\x80\x80"),
    TS("\xf0\xbf\xbf\xbf"),
    TS("\xf1\x80\x80\x80"),
    TS("\xf3\xbf\xbf\xbf"),
    TS("\xf4\x80\x80\x80"),
    TS("\xf4\x8f\xbf\xbf"),
    TS("1234567\xc3\xbc"),
    TS("\xc3\xbc\x31\x32"),
    T("{\"\xc3\xbc\":1,\"\xc3\xbd\":2}"),
    /* not duplicates */
    T("{\"__proto__\":{},\"constructor\":1}"),
    T("{\"a\":1,\"A\":2}"),
    T("{\"a\":1,\"aa\":2}"),
    T("{\"\":1,\" \":2}"),
    T("{\"a\":1,\"\\\\u0061\":2}"),
    T("{\"\xc3\xa9\":1,\"e\xcc\x81\":2}"),
    T("{\"a\":{\"a\":{\"a\":1}}}"),
    T("{\"a\":[{\"b\":1},{\"b\":1}],\"b\":1}"),
    /* white space that goes */
    C(" {}", "{}"),
    C("{} ", "{}"),
    C("{ }", "{}"),
    C("\n\t {}\n\t ", "{}"),
    C("{ \"a\" : 1 , \"b\" : [ 1 , 2 ] }", "{\"a\":1,\"b\":[1,2]}"),
    C("{\"a\":[ ]}", "{\"a\":[]}"),
    C("{}\n", "{}"),
    C("{\n\t\"a\"\n:\t\"  \"\n}", "{\"a\":\"  \"}"),
    C("{\"a\":1 }", "{\"a\":1}"),
    C("{\"a\":[1 ,2]}", "{\"a\":[1,2]}"),
    C("{\"a\": {\"b\" :null}}", "{\"a\":{\"b\":null}}"),
    /* 64 brackets */
    TV(D63 U63),
    T(O8 O8 O8 O8 O8 O8 O8 O8 "0" B8("}}}}}}}}")),
};

static const struct row refused[] = {
    /* the outermost value */
    R("", 0),
    R(" ", 1),
    R("\n", 1),
    R("[]", 0),
    R("1", 0),
    R("\"a\"", 0),
    R("null", 0),
    R("true", 0),
    R(" []", 1),
    R("}", 0),
    R("]", 0),
    R(",", 0),
    R("\xef\xbb\xbf{}", 0),
    R("\xff\xfe{\0}\0", 0),
    R("\0", 0),
    R("\0{}", 0),
    /* behind it */
    R("{}{}", 2),
    R("{},", 2),
    R("{}}", 2),
    R("{}]", 2),
    R("{} x", 3),
    R("{}\0", 2),
    R("{}\n\n{}", 4),
    R("{}\r", 2),
    R("{}\r\n", 2),
    R("{}\xef\xbb\xbf", 2),
    R("{}//", 2),
    R("{}#", 2),
    R("{}\f", 2),
    /* structure */
    R("{", 1),
    R("{\"a\"", 4),
    R("{\"a\":", 5),
    R("{\"a\":1", 6),
    R("{\"a\":1,", 7),
    R("{]", 1),
    R("{,}", 1),
    R("{1:2}", 1),
    R("{a:1}", 1),
    R("{'a':1}", 1),
    R("{\"a\"}", 4),
    R("{\"a\",1}", 4),
    R("{\"a\":}", 5),
    R("{\"a\":1,}", 7),
    R("{\"a\":1,,\"b\":2}", 7),
    R("{\"a\":1 \"b\":2}", 7),
    R("{\"a\":1]", 6),
    R("{\"a\"::1}", 5),
    R("{\"a\":,}", 5),
    R("{:1}", 1),
    R("{null:1}", 1),
    R("{{}:1}", 1),
    R("{\"a\" 1}", 5),
    RV("[", 1),
    RV("[1", 2),
    RV("[1,]", 3),
    RV("[,1]", 1),
    RV("[1 2]", 3),
    RV("[1,,2]", 3),
    RV("[1}", 2),
    RV("[\"a\":1]", 4),
    RV("{\"a\":1]", 6),
    RV("1 2", 2),
    RV("[[]", 3),
    RV("]", 0),
    RV("[}", 1),
    RV("1;", 1),
    R("{\"a\":1/**/}", 6),
    R("{/**/}", 1),
    R("{\"a\":1}//", 7),
    /* words */
    RV("True", 0),
    RV("TRUE", 0),
    RV("tru", ANY),
    RV("truex", 4),
    RV("nul", ANY),
    RV("nulll", 4),
    RV("fals", ANY),
    RV("NaN", 0),
    RV("Infinity", 0),
    RV("-Infinity", 1),
    RV("nan", ANY),
    RV("undefined", 0),
    RV("\x80", 0),
    RV("\\u0061", 0),
    RV("'a'", 0),
    R("{\"a\":tru", ANY),
    R("{\"a\":t", ANY),
    R("{\"a\":n", ANY),
    R("{\"a\":fals", ANY),
    /* numbers */
    RV("-", 1),
    RV("+1", 0),
    RV("01", 1),
    RV("-01", 2),
    RV("00", 1),
    RV(".5", 0),
    RV("-.5", 1),
    RV("1.", 2),
    RV("1.e1", 2),
    RV("1e", 2),
    RV("1e+", 3),
    RV("1e-", 3),
    RV("1.5e", 4),
    RV("0x10", 1),
    RV("1_0", 1),
    RV("1,0", 2),
    RV("--1", 1),
    RV("1-", 1),
    RV("1+1", 1),
    RV("1e1.5", 3),
    RV("1.2.3", 3),
    RV("0.", 2),
    RV("-0.", 3),
    RV("1f", 1),
    RV("1L", 1),
    RV("0e", 2),
    RV("1ee1", 2),
    R("{\"a\":-", 6),
    R("{\"a\":1.", 7),
    R("{\"a\":1e", 7),
    R("{\"a\":1e+", 8),
    RV("\xd9\xa1", 0),
    /* escapes */
    RS("\\a", 1),
    RS("\\v", 1),
    RS("\\0", 1),
    RS("\\x41", 1),
    RS("\\'", 1),
    RS("\\U0041", 1),
    RS("\\ ", 1),
    RS("\\\0", 1),
    RS("\\\xc3\xbc", 1),
    RS("\\N", 1),
    RS("\\\n", 1),
    RS("\\1", 1),
    RS("\\u", 2),
    RS("\\u1", 3),
    RS("\\u12", 4),
    RS("\\u123", 5),
    RS("\\u123g", 5),
    RS("\\ug123", 2),
    RS("\\u 123", 2),
    RS("\\u+123", 2),
    RS("\\u00:0", 4),
    RS("\\u00@0", 4),
    RS("\\u00`0", 4),
    RS("\\u{41}", 2),
    RS("\\u00\xc1\xa1", 4),
    RS("\\u0000", ANY),
    RS("a\\u0000b", ANY),
    R("{\"\\u0000\":1}", ANY),
    R("{\"a\\u0000\":1}", ANY),
    R("{\"a\":\"\\", 7),
    R("{\"a\":\"\\u", 8),
    R("{\"a\":\"\\u00", ANY),
    /* surrogates */
    RS("\\ud800", ANY),
    RS("\\udbff", ANY),
    RS("\\udc00", ANY),
    RS("\\udfff", ANY),
    RS("\\ud800x", ANY),
    RS("\\ud800\\n", ANY),
    RS("\\ud800\\u0041", ANY),
    RS("\\ud800\\ud800", ANY),
    RS("\\udc00\\ud800", ANY),
    RS("\\udbff\\ue000", ANY),
    RS("\\ud800\\udbff", ANY),
    RS("\\ud800\\u", ANY),
    RS("\\ud800\\", ANY),
    RS("\\ud800\\udc0", ANY),
    RS("\\ud83d\\ude00\\ude00", ANY),
    RS("\\uD800", ANY),
    R("{\"\\ud800\":1}", ANY),
    RS("\\ud800udc00", ANY),
    /* strings */
    R("{\"a\":\"", 6),
    R("{\"a\":\"abc", 9),
    R("{\"a", 3),
    R("{\"", 2),
    RS("\0", 0),
    RS("\x01", 0),
    RS("\t", 0),
    RS("\n", 0),
    RS("\r", 0),
    RS("\x1f", 0),
    RS("abc\n", 3),
    RS("12345678\x1f", 8),
    RS("1234567\x1f", 7),
    RS("123456789\0", 9),
    R("{\"\t\":1}", 2),
    R("{\"a\nb\":1}", 3),
    R("{\"\0\":1}", 2),
    RS("a\"b", 2),
    /* UTF-8 */
    RS("\x80", 0),
    RS("\xbf", 0),
    RS("\xc0\x80", 0),
    RS("\xc1\xbf", 0),
    RS("\xc2", 0),
    RS("\xc2\x7f", 0),
    RS("\xc2\xc0", 0),
    RS("\xe0\x80\x80", 0),
    RS("\xe0\x9f\xbf", 0),
    RS("\xe1\x80", 0),
    RS("\xe1\x80\xc0", 0),
    RS("\xed\xa0\x80", 0),
    RS("\xed\xbf\xbf", 0),
    RS("\xf0\x80\x80\x80", 0),
    RS("\xf0\x8f\xbf\xbf", 0),
    RS("\xf1\x80\x80", 0),
    RS("\xf1\x80\x80\x7f", 0),
    RS("\xf4\x90\x80\x80", 0),
    RS("\xf5\x80\x80\x80", 0),
    RS("\xf8\x88\x80\x80\x80", 0),
    RS("\xfe", 0),
    RS("\xff", 0),
    RS("abc\xff", 3),
    RS("12345678\xff", 8),
    RS("\xed\xa0\xbd\xed\xb8\x80", 0),
    R("{\"\xff\":1}", 2),
    R("{\"a\":\"\xc3", 6),
    R("{\"a\":\"\xf0\x9f\x98", 6),
    RS("\xc3\xbc\xc3", 2),
    /* duplicates: where the name stands again */
    R("{\"a\":1,\"a\":2}", 7),
    R("{\"a\":1,\"\\u0061\":2}", 7),
    R("{\"\\u0061\":1,\"a\":2}", 12),
    R("{\"\":1,\"\":2}", 6),
    R("{\"a\":1,\"b\":2,\"a\":1}", 13),
    R("{\"\\/\":1,\"/\":2}", 8),
    R("{\"\\n\":1,\"\\u000a\":2}", 8),
    RV("{\"b\":1,\"b\":1}", 7),
    RV("[{\"b\":1,\"b\":1}]", 8),
    R("{\"\xc3\xbc\":1,\"\\u00fc\":2}", 8),
    R("{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\ude00\":2}", 10),
    R("{\"\\u00FC\":1,\"\\u00fc\":2}", 12),
    R("{\"a\":{\"x\":1},\"b\":1,\"a\":2}", 19),
    R("{\"a\":{\"a\":1,\"b\":[{}]},\"a\":2}", 22),
    R("{\"\\\"\":1,\"\\u0022\":2}", 8),
    R("{\"\\b\":1,\"\\u0008\":2}", 8),
    R("{\"\\t\":1,\"\\u0009\":2}", 8),
    R("{\"\\f\":1,\"\\u000C\":2}", 8),
    R("{\"\\r\":1,\"\\u000D\":2}", 8),
    R("{\"\\\\\":1,\"\\u005c\":2}", 8),
    R("{ \"a\" :1,\n \"a\" : 2 } ", 11),
    R("{\"a\":1,\"a\":2,\"a\":3}", 7),
    R("{\"__proto__\":1,\"__proto__\":2}", 15),
    /* white space of other kinds */
    R("\r{}", 0),
    R("{\r}", 1),
    R("{\"a\"\r:1}", 4),
    R("{\"a\":\r1}", 5),
    R("{\"a\":1\r}", 6),
    R("{\"a\":1,\r\"b\":1}", 7),
    R(" \r{}", 1),
    R("\v{}", 0),
    R("\f{}", 0),
    R("{\v}", 1),
    R("\xc2\xa0{}", 0),
    R("{\"a\":\xc2\xa0"
      "1}",
      5),
    R("{\"a\":1\0}", 6),
    R("{\xe2\x80\xa8}", 1),
    /* 65 brackets */
    RV(D63 "[" U63 "]", 63),
    RV(D63 "{}" U63, 63),
    R(O8 O8 O8 O8 O8 O8 O8 O8 "{}" B8("}}}}}}}}"), 320),
};

static bool has_space(const struct row *row)
{
    return row->compact != NULL;
}

static void test_table__taken(void)
{
    struct rig r;
    rig_init(&r);
    for (size_t i = 0; i < COUNT(taken); i++) {
        const struct row *row = &taken[i];
        const char *want = row->compact ? row->compact : row->p;
        r.out.len = 0;
        if (!CHECK_INT(rig_compact(&r, row->p, row->n), 0) ||
            !CHECK_BYTES(r.out.data, r.out.len, want, strlen(want)))
            printf("  row %zu: %s: %s\n", i, row->p, r.fault.what);
        if (has_space(row))
            CHECK_INT(rig_check(&r, row->p, row->n), PLOG_E_INPUT);
        else
            CHECK_INT(rig_check(&r, row->p, row->n), 0);
        CHECK_INT(rig_check(&r, want, strlen(want)), 0);
    }
    rig_fini(&r);
}

static void refuse_row(struct rig *r, const struct row *row, size_t i)
{
    r->out.len = 0;
    bool good = plog_buf_add_text(&r->out, "kept") == 0;
    good &= CHECK_INT(rig_compact(r, row->p, row->n), PLOG_E_INPUT);
    good &= CHECK_BYTES(r->out.data, r->out.len, "kept", 4);
    good &= CHECK(r->fault.what != NULL && *r->fault.what);
    good &= CHECK(r->fault.offset <= row->n);
    if (row->offset < ANY)
        good &= CHECK_UINT(r->fault.offset, row->offset);
    good &= CHECK_INT(rig_check(r, row->p, row->n), PLOG_E_INPUT);
    good &= CHECK(r->fault.what != NULL && *r->fault.what);
    if (!good)
        printf("  row %zu: %s: %s\n", i, row->p,
               r->fault.what ? r->fault.what : "");
}

static void test_table__refused(void)
{
    struct rig r;
    rig_init(&r);
    for (size_t i = 0; i < COUNT(refused); i++)
        refuse_row(&r, &refused[i], i);
    rig_fini(&r);
}

/* ---- Cut and changed texts ---------------------------------------------- */

static const char rich[] =
    "{\"resource\":\"notes\",\"record_id\":\"r-\\u00e91\",\"op\":\"upsert\","
    "\"payload\":{\"t\":\"\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80 \\ud83d\\ude00"
    "\\n\\\\\\\"\",\"n\":[-0.5e+10,0,12,1E-3],\"b\":[true,false,null,[],{}],"
    "\"\":{\"a\":{\"a\":[[{\"a\":1}]]}}},\"occurred_at\":"
    "\"2025-01-02T03:04:05.678Z\",\"provenance\":{\"source\":\"s\","
    "\"confidence\":0.75}}";

static void test_prefix__never_taken(void)
{
    struct rig r;
    size_t n = sizeof rich - 1;
    rig_init(&r);
    CHECK_INT(rig_check(&r, rich, n), 0);
    for (size_t i = 0; i < n; i++) {
        CHECK_INT(rig_check(&r, rich, i), PLOG_E_INPUT);
        CHECK(r.fault.offset <= i);
        CHECK_INT(rig_compact(&r, rich, i), PLOG_E_INPUT);
    }
    CHECK_UINT(r.out.len, 0);
    rig_fini(&r);
}

/* Nor does what stands behind the end make it whole. */
static void test_prefix__nothing_behind_it_counts(void)
{
    static const char text[] = "{\"k\":\"\\ud834\\udd1e\"}";
    struct rig r;
    rig_init(&r);
    CHECK_INT(plog_json_check(&r.j, plog_span_text(text), &r.fault), 0);
    for (size_t n = 0; n < sizeof text - 1; n++) {
        CHECK_INT(plog_json_check(&r.j, plog_span(text, n), &r.fault),
                  PLOG_E_INPUT);
        CHECK(r.fault.offset <= n);
    }
    rig_fini(&r);
}

/* A changed text is refused inside its bounds, or its compact form is a fixed
 * point that the strict check takes. */
static void check_taken_or_placed(struct rig *r, const char *p, size_t n)
{
    r->out.len = 0;
    int rc = rig_compact(r, p, n);
    if (rc) {
        CHECK_INT(rc, PLOG_E_INPUT);
        CHECK(r->fault.offset <= n && r->fault.what != NULL);
        CHECK_UINT(r->out.len, 0);
        CHECK_INT(rig_check(r, p, n), PLOG_E_INPUT);
        return;
    }
    size_t len = r->out.len;
    char *once = exact(r->out.data, len);
    CHECK(len <= n);
    CHECK_INT(rig_check(r, once, len), 0);
    r->out.len = 0;
    CHECK_INT(rig_compact(r, once, len), 0);
    CHECK_BYTES(r->out.data, r->out.len, once, len);
    free(once);
}

static void test_mutation__every_byte(void)
{
    struct rig r;
    char text[sizeof rich];
    size_t n = sizeof rich - 1;
    rig_init(&r);
    memcpy(text, rich, sizeof rich);
    for (size_t i = 0; i < n; i++) {
        for (int c = 0; c < 256; c++) {
            text[i] = (char)c;
            check_taken_or_placed(&r, text, n);
        }
        text[i] = rich[i];
    }
    rig_fini(&r);
}

static void test_mutation__bytes_taken_out_and_put_in(void)
{
    static const char puts[] = "\"\\{}[],: \n\r\t0-.eE\xc3\x80u";
    struct rig r;
    char text[sizeof rich + 1];
    size_t n = sizeof rich - 1;
    rig_init(&r);
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
    rig_fini(&r);
}

static void test_mutation__random(void)
{
    uint64_t seed = check_seed();
    struct rig r;
    char text[sizeof rich];
    rig_init(&r);
    for (int round = 0; round < 20000; round++) {
        memcpy(text, rich, sizeof rich);
        for (uint64_t k = check_random(&seed) % 6; k; k--)
            text[check_random(&seed) % (sizeof rich - 1)] =
                rich[check_random(&seed) % (sizeof rich - 1)];
        check_taken_or_placed(&r, text, sizeof rich - 1);
    }
    rig_fini(&r);
}

/* Each special byte at each distance from the start of a string: the fast
 * path over eight bytes must see it wherever it lies. */
static void test_string__every_byte_everywhere(void)
{
    struct rig r;
    rig_init(&r);
    for (size_t at = 0; at < 24; at++)
        for (unsigned c = 0; c < 256; c++) {
            char text[40] = "{\"a\":\"zzzzzzzzzzzzzzzzzzzzzzzz\"}";
            text[6 + at] = (char)c;
            bool plain = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
            int want = plain ? 0 : PLOG_E_INPUT;
            CHECK_INT(rig_check(&r, text, 32), want);
            if (!plain && c != '"' && c != '\\')
                CHECK_UINT(r.fault.offset, 6 + at);
        }
    rig_fini(&r);
}

/* ---- Duplicates in large objects ---------------------------------------- */

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
    struct rig r;
    struct plog_buf text;
    rig_init(&r);
    plog_buf_init(&text, &r.h.io);
    for (size_t n = 1; n < 40; n++)
        for (size_t twice = 0; twice < n; twice++) {
            wide_object(&text, n, twice, n % 2);
            CHECK_INT(rig_check(&r, text.data, text.len),
                      twice ? PLOG_E_INPUT : 0);
            if (twice)
                CHECK_UINT(r.fault.offset, nth_name(&text, twice));
        }
    plog_buf_fini(&text);
    rig_fini(&r);
}

/* The empty name is one as any other. */
static void test_duplicate__empty_names(void)
{
    struct rig r;
    rig_init(&r);
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
            CHECK_INT(rig_check(&r, text, (size_t)(at - text)),
                      empty > 1 ? PLOG_E_INPUT : 0);
            if (empty == 2)
                CHECK_UINT(r.fault.offset, second);
        }
    rig_fini(&r);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void test_duplicate__large_objects_are_fast(void)
{
    struct rig r;
    struct plog_buf text;
    const size_t n = 100000;
    rig_init(&r);
    plog_buf_init(&text, &r.h.io);
    for (int turn = 0; turn < 4; turn++) {
        wide_object(&text, n, turn % 2 ? n - 1 : 0, turn / 2);
        double begin = seconds();
        CHECK_INT(rig_check(&r, text.data, text.len),
                  turn % 2 ? PLOG_E_INPUT : 0);
        CHECK(seconds() - begin < 2.0); /* each with each: a minute */
    }
    plog_buf_fini(&text);
    rig_fini(&r);
}

/* Few allocations, whatever the text holds: none per value. */
static void test_memory__kept_between_calls(void)
{
    struct rig r;
    rig_init(&r);
    CHECK_INT(rig_check(&r, rich, sizeof rich - 1), 0);
    CHECK_INT(rig_compact(&r, rich, sizeof rich - 1), 0);
    heap_fail(&r.h, 1, true);
    r.out.len = 0;
    CHECK_INT(rig_check(&r, rich, sizeof rich - 1), 0);
    CHECK_INT(rig_compact(&r, rich, sizeof rich - 1), 0);
    CHECK_UINT(r.h.calls, 0);
    rig_fini(&r);
}

static void test_memory__failures_change_nothing(void)
{
    static const char spaced[] =
        " { \"a\" : [ 1 , 2 ] , \"\\u0062bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
        "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\" : 2 , \"c\" : 3 ,"
        " \"d\":{\"e\":{\"f\":{\"g\":{\"h\":{}}}}}, \"i\":\"\\u0041\" } ";
    for (int for_ever = 0; for_ever < 2; for_ever++)
        for (size_t nth = 1;; nth++) {
            struct rig r;
            rig_init(&r);
            REQUIRE(plog_buf_add_text(&r.out, "kept") == 0);
            heap_fail(&r.h, nth, for_ever);
            int rc = rig_compact(&r, spaced, sizeof spaced - 1);
            bool failed = heap_failed(&r.h);
            CHECK_INT(rc, failed ? PLOG_E_NOMEM : 0);
            if (failed)
                CHECK_BYTES(r.out.data, r.out.len, "kept", 4);
            heap_fail(&r.h, 0, false); /* and it works afterwards */
            r.out.len = 0;
            CHECK_INT(rig_compact(&r, spaced, sizeof spaced - 1), 0);
            rig_fini(&r);
            if (!failed)
                break;
            REQUIRE(nth < 100);
        }
}

static void test_memory__no_text(void)
{
    struct rig r;
    rig_init(&r);
    CHECK_INT(plog_json_check(&r.j, plog_span(NULL, 0), &r.fault),
              PLOG_E_INPUT);
    CHECK_UINT(r.fault.offset, 0);
    CHECK_INT(plog_json_compact(&r.j, plog_span(NULL, 0), &r.out, &r.fault),
              PLOG_E_INPUT);
    CHECK_UINT(r.out.len, 0);
    rig_fini(&r);
}

/* ---- Walking ------------------------------------------------------------ */

static void test_walk__members(void)
{
    static const char text[] = "{\"a\":1,\"\\u0062\":\"x,}\\\"\",\"\":[1,"
                               "{\"q\":"
                               "\"]\"}],\"c\\\\\":{},\"d\":null,\"e\":-1e5}";
    static const char *const names[] = {"a", "\\u0062", "", "c\\\\", "d", "e"};
    static const char *const values[] = {
        "1", "\"x,}\\\"\"", "[1,{\"q\":\"]\"}]", "{}", "null", "-1e5"};
    static const char kinds[] = "nsao0n";
    struct plog_json_walk w;
    struct plog_span name, value;
    size_t n = sizeof text - 1, i = 0;
    char *copy = exact(text, n);
    plog_json_walk(&w, plog_span(copy, n));
    while (i < COUNT(names) && plog_json_next(&w, &name, &value)) {
        CHECK_BYTES(name.p, name.n, names[i], strlen(names[i]));
        CHECK_BYTES(value.p, value.n, values[i], strlen(values[i]));
        CHECK_INT(plog_json_kind(value), kinds[i]);
        i++;
    }
    CHECK_UINT(i, COUNT(names));
    CHECK(!plog_json_next(&w, &name, &value));
    CHECK(!plog_json_next(&w, &name, &value));
    plog_json_walk(&w, plog_span_text("{}"));
    CHECK(!plog_json_next(&w, &name, &value));
    free(copy);
}

static void test_walk__elements(void)
{
    static const char text[] = "[[],true,\"]\",{\"a\":[1,2]},false,0.5]";
    static const char *const values[] = {
        "[]", "true", "\"]\"", "{\"a\":[1,2]}", "false", "0.5"};
    static const char kinds[] = "atsofn";
    struct plog_json_walk w;
    struct plog_span value;
    size_t n = sizeof text - 1, i = 0;
    char *copy = exact(text, n);
    plog_json_walk(&w, plog_span(copy, n));
    while (i < COUNT(values) && plog_json_next_element(&w, &value)) {
        CHECK_BYTES(value.p, value.n, values[i], strlen(values[i]));
        CHECK_INT(plog_json_kind(value), kinds[i]);
        i++;
    }
    CHECK_UINT(i, COUNT(values));
    CHECK(!plog_json_next_element(&w, &value));
    plog_json_walk(&w, plog_span_text("[]"));
    CHECK(!plog_json_next_element(&w, &value));
    free(copy);
}

/* Whatever was taken can be walked, and the pieces are the text. */
static void rebuild(struct plog_span value, struct plog_buf *out)
{
    struct plog_json_walk w;
    struct plog_span name, inner;
    char kind = plog_json_kind(value);
    bool first = true;
    if (kind != 'o' && kind != 'a') {
        CHECK_INT(plog_buf_add_span(out, value), 0);
        return;
    }
    CHECK_INT(plog_buf_add_char(out, *value.p), 0);
    plog_json_walk(&w, value);
    while (kind == 'o' ? plog_json_next(&w, &name, &inner)
                       : plog_json_next_element(&w, &inner)) {
        if (!first)
            CHECK_INT(plog_buf_add_char(out, ','), 0);
        first = false;
        if (kind == 'o') {
            CHECK_INT(plog_buf_add_char(out, '"'), 0);
            CHECK_INT(plog_buf_add_span(out, name), 0);
            CHECK_INT(plog_buf_add_text(out, "\":"), 0);
        }
        rebuild(inner, out);
    }
    CHECK_INT(plog_buf_add_char(out, kind == 'o' ? '}' : ']'), 0);
}

static void test_walk__all_that_is_taken(void)
{
    struct rig r;
    rig_init(&r);
    for (size_t i = 0; i < COUNT(taken); i++) {
        const char *text = taken[i].compact ? taken[i].compact : taken[i].p;
        size_t n = strlen(text);
        char *copy = exact(text, n);
        r.out.len = 0;
        rebuild(plog_span(copy, n), &r.out);
        CHECK_BYTES(r.out.data, r.out.len, text, n);
        free(copy);
    }
    rig_fini(&r);
}

static void test_unescape__texts(void)
{
    static const char *const pairs[][2] = {
        {"", ""},
        {"plain", "plain"},
        {"\\\"\\\\\\/", "\"\\/"},
        {"\\b\\f\\n\\r\\t", "\b\f\n\r\t"},
        {"\\u0001\\u007f\\u0080", "\x01\x7f\xc2\x80"},
        {"\\u07ff\\u0800", "\xdf\xbf\xe0\xa0\x80"},
        {"\\uD7FF\\ue000\\uFFFF", "\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"},
        {"\\ud800\\udc00", "\xf0\x90\x80\x80"},
        {"\\uDBFF\\uDFFF", "\xf4\x8f\xbf\xbf"},
        {"\\uD83D\\uDE00x", "\xf0\x9f\x98\x80x"},
        {"\xc3\xbc\\u00fc", "\xc3\xbc\xc3\xbc"}};
    struct rig r;
    rig_init(&r);
    for (size_t i = 0; i < COUNT(pairs); i++) {
        size_t n = strlen(pairs[i][0]);
        char *raw = exact(pairs[i][0], n);
        r.out.len = 0;
        CHECK_INT(plog_json_unescape(plog_span(raw, n), &r.out), 0);
        CHECK_BYTES(r.out.data, r.out.len, pairs[i][1], strlen(pairs[i][1]));
        CHECK(plog_json_name_is(plog_span(raw, n), pairs[i][1]));
        CHECK(!plog_json_name_is(plog_span(raw, n), "other"));
        free(raw);
    }
    heap_fail(&r.h, 1, true);
    r.out.len = r.out.cap;
    CHECK_INT(plog_json_unescape(plog_span_text("abc"), &r.out), PLOG_E_NOMEM);
    CHECK_UINT(r.out.len, r.out.cap);
    rig_fini(&r);
}

static void test_fault__byte_order_mark_is_named(void)
{
    struct rig r;
    rig_init(&r);
    CHECK_INT(rig_check(&r, "\xef\xbb\xbf{}", 5), PLOG_E_INPUT);
    CHECK(strstr(r.fault.what, "byte order mark") != NULL);
    CHECK_INT(rig_check(&r, "\xef\xbb", 2), PLOG_E_INPUT);
    CHECK_UINT(r.fault.offset, 0);
    rig_fini(&r);
}

/* What needs no unescaping and what does, up to the length of the text. */
static void test_unescape__names(void)
{
    CHECK(plog_json_name_is(plog_span_text("op"), "op"));
    CHECK(plog_json_name_is(plog_span_text(""), ""));
    CHECK(plog_json_name_is(plog_span(NULL, 0), ""));
    CHECK(plog_json_name_is(plog_span_text("\\\\"), "\\"));
    CHECK(!plog_json_name_is(plog_span_text("\\\\"), "\\\\"));
    CHECK(!plog_json_name_is(plog_span_text("\\n"), "\\n"));
    CHECK(!plog_json_name_is(plog_span_text("oP"), "op"));
    CHECK(plog_json_name_is(plog_span_text("\\u006fp"), "op"));
    CHECK(!plog_json_name_is(plog_span_text("o"), "op"));
    CHECK(!plog_json_name_is(plog_span_text("opp"), "op"));
    CHECK(!plog_json_name_is(plog_span_text("\\u00fc"), "\xc3"));
    CHECK(!plog_json_name_is(plog_span_text(""), "op"));
    CHECK(!plog_json_name_is(plog_span_text("op"), ""));
}

/* Our own spelling of any UTF-8 text is taken and read back as it was. */
static void test_unescape__our_spelling_comes_back(void)
{
    struct rig r;
    rig_init(&r);
    for (unsigned c = 1; c < 0x80; c++) {
        char text[4] = {'a', (char)c, 'b', 0};
        struct plog_buf back;
        r.out.len = 0;
        REQUIRE(plog_buf_add_text(&r.out, "{\"a\":") == 0);
        REQUIRE(plog_buf_add_json(&r.out, plog_span(text, 3)) == 0);
        REQUIRE(plog_buf_add_char(&r.out, '}') == 0);
        CHECK_INT(rig_check(&r, r.out.data, r.out.len), 0);
        plog_buf_init(&back, &r.h.io);
        CHECK_INT(
            plog_json_unescape(plog_span(r.out.data + 6, r.out.len - 8), &back),
            0);
        CHECK_BYTES(back.data, back.len, text, 3);
        plog_buf_fini(&back);
    }
    rig_fini(&r);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"table__taken", test_table__taken},
        {"table__refused", test_table__refused},
        {"prefix__never_taken", test_prefix__never_taken},
        {"prefix__nothing_behind_it_counts",
         test_prefix__nothing_behind_it_counts},
        {"mutation__every_byte", test_mutation__every_byte},
        {"mutation__bytes_taken_out_and_put_in",
         test_mutation__bytes_taken_out_and_put_in},
        {"mutation__random", test_mutation__random},
        {"string__every_byte_everywhere", test_string__every_byte_everywhere},
        {"duplicate__at_every_size", test_duplicate__at_every_size},
        {"duplicate__empty_names", test_duplicate__empty_names},
        {"duplicate__large_objects_are_fast",
         test_duplicate__large_objects_are_fast},
        {"memory__kept_between_calls", test_memory__kept_between_calls},
        {"memory__failures_change_nothing",
         test_memory__failures_change_nothing},
        {"memory__no_text", test_memory__no_text},
        {"walk__members", test_walk__members},
        {"walk__elements", test_walk__elements},
        {"walk__all_that_is_taken", test_walk__all_that_is_taken},
        {"fault__byte_order_mark_is_named",
         test_fault__byte_order_mark_is_named},
        {"unescape__texts", test_unescape__texts},
        {"unescape__names", test_unescape__names},
        {"unescape__our_spelling_comes_back",
         test_unescape__our_spelling_comes_back},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
