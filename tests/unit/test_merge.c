/* test_merge.c - merge-json: the result byte for byte, its limit, its cost,
 * and that failures change nothing. */
#include "check.h"
#include "heap.h"
#include "merge.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

struct rig {
    struct heap h;
    struct plog_buf base, over, out;
};

static void rig_init(struct rig *r)
{
    heap_init(&r->h);
    plog_buf_init(&r->base, &r->h.io);
    plog_buf_init(&r->over, &r->h.io);
    plog_buf_init(&r->out, &r->h.io);
}

static void rig_fini(struct rig *r)
{
    plog_buf_fini(&r->base);
    plog_buf_fini(&r->over);
    plog_buf_fini(&r->out);
    CHECK_UINT(r->h.live, 0);
}

/* A block of exactly the text's size, so that one byte too far is seen. */
static struct plog_span exact(const char *text)
{
    size_t n = strlen(text);
    char *copy = malloc(n ? n : 1);
    if (!copy)
        abort();
    memcpy(copy, text, n);
    return plog_span(copy, n);
}

static int merge(struct rig *r, const char *base, const char *over,
                 size_t limit)
{
    struct plog_span b = exact(base), o = exact(over);
    int rc = plog_merge_json(&r->h.io, b, o, limit, &r->out);
    free((void *)(uintptr_t)b.p);
    free((void *)(uintptr_t)o.p);
    return rc;
}

struct row {
    const char *base, *over, *want;
};

static void check_rows(const struct row *rows, size_t count)
{
    struct rig r;
    rig_init(&r);
    for (size_t i = 0; i < count; i++) {
        r.out.len = 0;
        bool ok = CHECK_INT(merge(&r, rows[i].base, rows[i].over, 0), 0);
        ok &= CHECK_BYTES(r.out.data, r.out.len, rows[i].want,
                          strlen(rows[i].want));
        if (!ok)
            printf("  of %s and %s\n", rows[i].base, rows[i].over);
    }
    rig_fini(&r);
}

/* ---- Results ------------------------------------------------------------ */

static void test_result__places_and_order(void)
{
    static const struct row rows[] = {
        {"{}", "{}", "{}"},
        {"{\"a\":1}", "{}", "{\"a\":1}"},
        {"{}", "{\"a\":1}", "{\"a\":1}"},
        {"{\"a\":1,\"b\":2,\"c\":3}", "{\"b\":9}", "{\"a\":1,\"b\":9,\"c\":3}"},
        {"{\"a\":1,\"b\":2,\"c\":3}", "{\"c\":7,\"a\":8}",
         "{\"a\":8,\"b\":2,\"c\":7}"},
        {"{\"m\":1}", "{\"z\":1,\"m\":2,\"a\":3,\"k\":4}",
         "{\"m\":2,\"z\":1,\"a\":3,\"k\":4}"},
        {"{\"a\":1}", "{\"a\":1}", "{\"a\":1}"},
        {"{\"a\":1,\"aa\":2,\"\":3}", "{\"\":4,\"aaa\":5}",
         "{\"a\":1,\"aa\":2,\"\":4,\"aaa\":5}"},
        {"{}", "{\"\":1}", "{\"\":1}"},
        {"{\"\":1}", "{}", "{\"\":1}"},
        {"{\"\":{\"\":1}}", "{\"\":{\"\":2}}", "{\"\":{\"\":2}}"},
    };
    check_rows(rows, COUNT(rows));
}

static void test_result__nested(void)
{
    static const struct row rows[] = {
        {"{\"a\":{\"x\":1,\"y\":2},\"b\":0}", "{\"a\":{\"y\":3,\"z\":4}}",
         "{\"a\":{\"x\":1,\"y\":3,\"z\":4},\"b\":0}"},
        {"{\"a\":{\"b\":{\"c\":{\"d\":1}}}}",
         "{\"a\":{\"b\":{\"c\":{\"e\":2}}}}",
         "{\"a\":{\"b\":{\"c\":{\"d\":1,\"e\":2}}}}"},
        {"{\"a\":{\"x\":1}}", "{\"a\":{}}", "{\"a\":{\"x\":1}}"},
        {"{\"a\":{}}", "{\"a\":{\"x\":1}}", "{\"a\":{\"x\":1}}"},
        {"{\"a\":1}", "{\"n\":{\"x\":{\"y\":null}}}",
         "{\"a\":1,\"n\":{\"x\":{\"y\":null}}}"},
    };
    check_rows(rows, COUNT(rows));
}

static void test_result__what_replaces(void)
{
    static const struct row rows[] = {
        {"{\"a\":[1,2]}", "{\"a\":[3]}", "{\"a\":[3]}"},
        {"{\"a\":[{\"x\":1}]}", "{\"a\":[{\"y\":1}]}", "{\"a\":[{\"y\":1}]}"},
        {"{\"a\":{\"x\":1}}", "{\"a\":[]}", "{\"a\":[]}"},
        {"{\"a\":[]}", "{\"a\":{\"x\":1}}", "{\"a\":{\"x\":1}}"},
        {"{\"a\":{\"x\":1},\"b\":2}", "{\"a\":null}", "{\"a\":null,\"b\":2}"},
        {"{\"a\":null}", "{\"a\":{\"x\":null}}", "{\"a\":{\"x\":null}}"},
        {"{\"a\":1}", "{\"a\":\"1\"}", "{\"a\":\"1\"}"},
        {"{\"a\":true}", "{\"a\":false}", "{\"a\":false}"},
        {"{\"a\":{\"x\":1}}", "{\"a\":7}", "{\"a\":7}"},
    };
    check_rows(rows, COUNT(rows));
}

static void test_result__names_are_compared_unescaped(void)
{
    static const struct row rows[] = {
        {"{\"\\u0061\":1}", "{\"a\":2}", "{\"\\u0061\":2}"},
        {"{\"a\":1}", "{\"\\u0061\":2}", "{\"a\":2}"},
        {"{\"\\u00e9\":{\"\\/\":1}}", "{\"\xc3\xa9\":{\"/\":2,\"\\\\\":3}}",
         "{\"\\u00e9\":{\"\\/\":2,\"\\\\\":3}}"},
        {"{\"\\ud83d\\ude00\":1}", "{\"\xf0\x9f\x98\x80\":2}",
         "{\"\\ud83d\\ude00\":2}"},
        {"{\"a\\\"b\":1}", "{\"a\\u0022b\":2}", "{\"a\\\"b\":2}"},
        {"{\"\\n\":1}", "{\"\\u000A\":2,\"n\":3}", "{\"\\n\":2,\"n\":3}"},
        {"{}", "{\"\\u0061\":1}", "{\"\\u0061\":1}"},
        {"{\"A\":1}", "{\"a\":2}", "{\"A\":1,\"a\":2}"},
    };
    check_rows(rows, COUNT(rows));
}

static void test_result__bytes_stay_as_written(void)
{
    static const struct row rows[] = {
        {"{\"a\":1.50,\"b\":-0,\"c\":1E+2}", "{\"b\":0.10}",
         "{\"a\":1.50,\"b\":0.10,\"c\":1E+2}"},
        {"{\"a\":\"},{\\\"b\\\":1\"}", "{\"b\":\"\\u007b]\\/\"}",
         "{\"a\":\"},{\\\"b\\\":1\",\"b\":\"\\u007b]\\/\"}"},
        {"{\"a\":12345678901234567890123}", "{\"b\":0.1000000000000000000001}",
         "{\"a\":12345678901234567890123,\"b\":0.1000000000000000000001}"},
    };
    check_rows(rows, COUNT(rows));
}

static void test_result__over_what_is_no_object(void)
{
    static const struct row rows[] = {
        {"null", "{\"a\":1}", "{\"a\":1}"}, {"[1]", "{}", "{}"},
        {"7", "{\"a\":{}}", "{\"a\":{}}"},  {"\"x\"", "{}", "{}"},
        {"true", "{\"a\":1}", "{\"a\":1}"}, {"", "{\"a\":1}", "{\"a\":1}"},
    };
    check_rows(rows, COUNT(rows));
}

static void test_result__is_appended(void)
{
    struct rig r;
    rig_init(&r);
    CHECK_INT(plog_buf_add_text(&r.out, "before"), 0);
    CHECK_INT(merge(&r, "{\"a\":1}", "{\"b\":2}", 13), 0);
    CHECK_BYTES(r.out.data, r.out.len, "before{\"a\":1,\"b\":2}", 19);
    rig_fini(&r);
}

static void test_result__again_changes_nothing(void)
{
    static const char over[] = "{\"b\":{\"y\":[1]},\"\\u0063\":null,\"d\":{}}";
    struct rig r;
    rig_init(&r);
    CHECK_INT(merge(&r, "{\"a\":1,\"b\":{\"x\":1},\"c\":2}", over, 0), 0);
    CHECK_INT(plog_buf_add_char(&r.out, 0), 0);
    CHECK_INT(plog_buf_add(&r.base, r.out.data, r.out.len), 0);
    r.out.len = 0;
    CHECK_INT(merge(&r, r.base.data, over, 0), 0);
    CHECK_BYTES(r.out.data, r.out.len, r.base.data, r.base.len - 1);
    rig_fini(&r);
}

/* ---- The limit ---------------------------------------------------------- */

static void test_limit__every_length(void)
{
    static const struct row rows[] = {
        {"{\"a\":{\"x\":1},\"b\":2}", "{\"a\":{\"y\":2},\"c\":[3]}",
         "{\"a\":{\"x\":1,\"y\":2},\"b\":2,\"c\":[3]}"},
        {"null", "{\"a\":1}", "{\"a\":1}"},
        {"{\"long\":\"xxxxxxxxxxxxxxxx\"}", "{\"long\":1}", "{\"long\":1}"},
    };
    struct rig r;
    rig_init(&r);
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t n = strlen(rows[i].want);
        for (size_t limit = 1; limit <= n + 1; limit++) {
            r.out.len = 0;
            CHECK_INT(plog_buf_add_text(&r.out, "kept"), 0);
            int rc = merge(&r, rows[i].base, rows[i].over, limit);
            CHECK_INT(rc, limit < n ? PLOG_E_INPUT : 0);
            CHECK_UINT(r.out.len, limit < n ? 4 : 4 + n);
            CHECK(memcmp(r.out.data, "kept", 4) == 0);
        }
    }
    rig_fini(&r);
}

/* ---- Cost --------------------------------------------------------------- */

static int add_member(struct plog_buf *b, const char *format, unsigned name,
                      unsigned value)
{
    char text[128];
    snprintf(text, sizeof text, format, name, value);
    int rc = plog_buf_add_char(b, b->len ? ',' : '{');
    return rc ? rc : plog_buf_add_text(b, text);
}

/* `over` has all names of `base` in another order, and as many new ones. */
static void large(struct rig *r, unsigned n, const char *format)
{
    for (unsigned i = 0; i < n; i++)
        REQUIRE(!add_member(&r->base, format, i, 1));
    for (unsigned i = 2 * n; i-- > 0;)
        REQUIRE(!add_member(&r->over, format, i, 2));
    REQUIRE(!plog_buf_add_char(&r->base, '}'));
    REQUIRE(!plog_buf_add_char(&r->over, '}'));
}

static void check_large(unsigned n, const char *format)
{
    struct rig r;
    struct plog_buf want;
    rig_init(&r);
    plog_buf_init(&want, &r.h.io);
    large(&r, n, format);
    for (unsigned i = 0; i < n; i++)
        REQUIRE(!add_member(&want, format, i, 2));
    for (unsigned i = 2 * n; i-- > n;)
        REQUIRE(!add_member(&want, format, i, 2));
    REQUIRE(!plog_buf_add_char(&want, '}'));
    clock_t start = clock();
    CHECK_INT(plog_merge_json(&r.h.io, plog_span(r.base.data, r.base.len),
                              plog_span(r.over.data, r.over.len), 0, &r.out),
              0);
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    CHECK_BYTES(r.out.data, r.out.len, want.data, want.len);
    if (!CHECK(seconds < 5)) /* 100,000 by 200,000 comparisons take longer */
        printf("  %u members: %.2f s\n", n, seconds);
    plog_buf_fini(&want);
    rig_fini(&r);
}

static void test_large__objects_are_fast(void)
{
    check_large(10000, "\"m%u\":%u");
    check_large(100000, "\"m%u\":%u");
    check_large(10000, "\"\\u006da very long name that begins like all the"
                       " others do, number %06u\":%u");
}

static void test_large__at_every_small_size(void)
{
    for (unsigned n = 1; n < 40; n++)
        check_large(n, "\"%u\":%u");
}

/* As deep as a delta may be, both sides all the way. */
static void test_large__depth(void)
{
    char base[1024] = "", over[1024] = "", want[2048] = "";
    struct rig r;
    rig_init(&r);
    for (int i = 0; i < PLOG_DEPTH_MAX - 1; i++) {
        strcat(base, "{\"a\":");
        strcat(over, "{\"a\":");
        strcat(want, "{\"a\":");
    }
    strcat(base, "{\"x\":1}");
    strcat(over, "{\"y\":2}");
    strcat(want, "{\"x\":1,\"y\":2}");
    for (int i = 0; i < PLOG_DEPTH_MAX - 1; i++) {
        strcat(base, "}");
        strcat(over, "}");
        strcat(want, "}");
    }
    CHECK_INT(merge(&r, base, over, 0), 0);
    CHECK_BYTES(r.out.data, r.out.len, want, strlen(want));
    rig_fini(&r);
}

/* ---- Against a plain reading of the rule -------------------------------- */

static void add(char *to, const char *text)
{
    strcat(to, text);
}

/* A random object of few names, so that many of them meet. */
static void draw_object(uint64_t *state, int depth, char *to)
{
    static const char *const names[] = {"a", "b", "\\u0061b", "", "ab\\n"};
    static const char *const values[] = {"1", "null", "[{\"a\":1}]", "\"{\""};
    bool first = true;
    add(to, "{");
    for (size_t i = 0; i < COUNT(names); i++) {
        if (check_random(state) % 2)
            continue;
        add(to, first ? "\"" : ",\"");
        add(to, names[i]);
        add(to, "\":");
        first = false;
        if (depth > 0 && check_random(state) % 2)
            draw_object(state, depth - 1, to);
        else
            add(to, values[check_random(state) % COUNT(values)]);
    }
    add(to, "}");
}

static bool find(struct plog_span object, struct plog_span name,
                 struct plog_span *value)
{
    struct plog_json_walk w;
    struct plog_span at;
    plog_json_walk(&w, object);
    while (plog_json_next(&w, &at, value))
        if (plog_span_equal(at, name))
            return true;
    return false;
}

static void plain_member(char *to, struct plog_span name)
{
    if (to[strlen(to) - 1] != '{')
        add(to, ",");
    add(to, "\"");
    strncat(to, name.p, name.n);
    add(to, "\":");
}

static void plain_merge(struct plog_span base, struct plog_span over, char *to)
{
    struct plog_json_walk w;
    struct plog_span name, value, other;
    add(to, "{");
    plog_json_walk(&w, base);
    while (plog_json_next(&w, &name, &value)) {
        plain_member(to, name);
        if (!find(over, name, &other))
            other = value;
        else if (*value.p == '{' && *other.p == '{') {
            plain_merge(value, other, to);
            continue;
        }
        strncat(to, other.p, other.n);
    }
    plog_json_walk(&w, over);
    while (plog_json_next(&w, &name, &value)) {
        if (find(base, name, &other))
            continue;
        plain_member(to, name);
        strncat(to, value.p, value.n);
    }
    add(to, "}");
}

static void test_random__as_the_rule_says(void)
{
    static char base[1 << 16], over[1 << 16], want[1 << 17];
    uint64_t state = check_seed();
    struct rig r;
    struct plog_json json;
    struct plog_json_fault fault;
    rig_init(&r);
    plog_json_init(&json, &r.h.io);
    for (int i = 0; i < 3000; i++) {
        base[0] = over[0] = want[0] = '\0';
        r.out.len = 0;
        draw_object(&state, 3, base);
        draw_object(&state, 3, over);
        plain_merge(plog_span_text(base), plog_span_text(over), want);
        CHECK_INT(merge(&r, base, over, 0), 0);
        if (!CHECK_BYTES(r.out.data, r.out.len, want, strlen(want)))
            break;
        CHECK_INT(
            plog_json_check(&json, plog_span(r.out.data, r.out.len), &fault),
            0);
    }
    plog_json_fini(&json);
    rig_fini(&r);
}

/* ---- Memory ------------------------------------------------------------- */

static void test_memory__every_allocation_fails(void)
{
    bool reached = true;
    for (size_t nth = 1; reached; nth++)
        for (int for_ever = 0; for_ever < 2; for_ever++) {
            struct rig r;
            rig_init(&r);
            large(&r, 40, "\"name %u\":{\"a\":1,\"b\":[%u]}");
            REQUIRE(!plog_buf_add_text(&r.out, "kept"));
            heap_fail(&r.h, nth, for_ever);
            size_t live = r.h.live;
            int rc =
                plog_merge_json(&r.h.io, plog_span(r.base.data, r.base.len),
                                plog_span(r.over.data, r.over.len), 0, &r.out);
            reached = heap_failed(&r.h);
            CHECK_INT(rc, reached ? PLOG_E_NOMEM : 0);
            CHECK_UINT(r.h.live, live);
            if (rc)
                CHECK_BYTES(r.out.data, r.out.len, "kept", 4);
            rig_fini(&r);
            REQUIRE(nth < 10000);
        }
}

/* A member for which there was no memory is not left out: what is behind it
 * may find room again. */
static void test_memory__no_new_member_is_left_out(void)
{
    bool reached = true;
    unsigned refused = 0;
    struct rig r;
    rig_init(&r);
    large(&r, 8, "\"name %u\":\"a text of %u\"");
    struct plog_span over = plog_span(r.over.data, r.over.len);
    for (size_t nth = 1; reached; nth++) {
        struct plog_buf out; /* with no room yet */
        plog_buf_init(&out, &r.h.io);
        heap_fail(&r.h, nth, false);
        int rc = plog_merge_json(&r.h.io, plog_span_text("{}"), over, 0, &out);
        reached = heap_failed(&r.h);
        CHECK_INT(rc, reached ? PLOG_E_NOMEM : 0);
        CHECK_BYTES(out.data, out.len, over.p, rc ? 0 : over.n);
        refused += rc != 0;
        plog_buf_fini(&out);
        REQUIRE(nth < 100);
    }
    CHECK(refused > 3);
    rig_fini(&r);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"result__places_and_order", test_result__places_and_order},
        {"result__nested", test_result__nested},
        {"result__what_replaces", test_result__what_replaces},
        {"result__names_are_compared_unescaped",
         test_result__names_are_compared_unescaped},
        {"result__bytes_stay_as_written", test_result__bytes_stay_as_written},
        {"result__over_what_is_no_object", test_result__over_what_is_no_object},
        {"result__is_appended", test_result__is_appended},
        {"result__again_changes_nothing", test_result__again_changes_nothing},
        {"limit__every_length", test_limit__every_length},
        {"large__objects_are_fast", test_large__objects_are_fast},
        {"large__at_every_small_size", test_large__at_every_small_size},
        {"large__depth", test_large__depth},
        {"random__as_the_rule_says", test_random__as_the_rule_says},
        {"memory__every_allocation_fails", test_memory__every_allocation_fails},
        {"memory__no_new_member_is_left_out",
         test_memory__no_new_member_is_left_out},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
