/* test_json_walk.c - walking through what was taken, and texts without their
 * escapes. */
#include "at_end.h"
#include "check.h"
#include "json.h"
#include "json_rows.h"
#include "scanner.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* ---- Walking ------------------------------------------------------------- */

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
    char *copy = scanner_exact(text, n);
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
    char *copy = scanner_exact(text, n);
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
    struct scanner r;
    scanner_init(&r);
    for (size_t i = 0; i < json_rows_taken_count; i++) {
        const char *text = json_rows_taken[i].compact
                               ? json_rows_taken[i].compact
                               : json_rows_taken[i].p;
        size_t n = strlen(text);
        char *copy = scanner_exact(text, n);
        r.out.len = 0;
        rebuild(plog_span(copy, n), &r.out);
        CHECK_BYTES(r.out.data, r.out.len, text, n);
        free(copy);
    }
    scanner_fini(&r);
}

/* ---- Escapes ------------------------------------------------------------- */

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
    struct scanner r;
    scanner_init(&r);
    for (size_t i = 0; i < COUNT(pairs); i++) {
        size_t n = strlen(pairs[i][0]);
        char *raw = scanner_exact(pairs[i][0], n);
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
    scanner_fini(&r);
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

/* Behind the end of the name asked for nothing is looked at. */
static void test_unescape__no_byte_behind(void)
{
    static const char *const longer[] = {"\\u0000",
                                         "o\\u0000",
                                         "op\\u0000",
                                         "op\\u0000\\u0000",
                                         "o\\u0070\\u0000\\u0000",
                                         "op\\u00e9\\u20ac"};
    static const char *const names[] = {"", "o", "op"};
    for (size_t i = 0; i < COUNT(longer); i++)
        for (size_t k = 0; k < COUNT(names); k++) {
            struct plog_span name = at_end(names[k], strlen(names[k]) + 1);
            CHECK(!plog_json_name_is(plog_span_text(longer[i]), name.p));
        }
}

/* Our own spelling of any UTF-8 text is taken and read back as it was. */
static void test_unescape__our_spelling_comes_back(void)
{
    struct scanner r;
    scanner_init(&r);
    for (unsigned c = 1; c < 0x80; c++) {
        char text[4] = {'a', (char)c, 'b', 0};
        struct plog_buf back;
        r.out.len = 0;
        REQUIRE(plog_buf_add_text(&r.out, "{\"a\":") == 0);
        REQUIRE(plog_buf_add_json(&r.out, plog_span(text, 3)) == 0);
        REQUIRE(plog_buf_add_char(&r.out, '}') == 0);
        CHECK_INT(scanner_check(&r, r.out.data, r.out.len), 0);
        plog_buf_init(&back, &r.h.io);
        CHECK_INT(
            plog_json_unescape(plog_span(r.out.data + 6, r.out.len - 8), &back),
            0);
        CHECK_BYTES(back.data, back.len, text, 3);
        plog_buf_fini(&back);
    }
    scanner_fini(&r);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"walk__members", test_walk__members},
        {"walk__elements", test_walk__elements},
        {"walk__all_that_is_taken", test_walk__all_that_is_taken},
        {"unescape__texts", test_unescape__texts},
        {"unescape__names", test_unescape__names},
        {"unescape__no_byte_behind", test_unescape__no_byte_behind},
        {"unescape__our_spelling_comes_back",
         test_unescape__our_spelling_comes_back},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
