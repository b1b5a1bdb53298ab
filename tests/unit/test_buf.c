/* test_buf.c - buffers, base64, our JSON spelling, numbers, codes, errors. */
#include "buf.h"
#include "check.h"
#include "err.h"
#include "heap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Buffers ------------------------------------------------------------ */

static void test_buf__grows_and_keeps(void)
{
    struct heap h;
    struct plog_buf b;
    heap_init(&h);
    plog_buf_init(&b, &h.io);
    CHECK_UINT(h.calls, 0);
    CHECK(b.data == NULL);
    for (unsigned i = 0; i < 10000; i++)
        REQUIRE(plog_buf_add_char(&b, (char)(i % 251)) == 0);
    CHECK_UINT(b.len, 10000);
    CHECK(h.calls < 20); /* doubling */
    for (unsigned i = 0; i < 10000; i++)
        REQUIRE(b.data[i] == (char)(i % 251));
    plog_buf_fini(&b);
    plog_buf_fini(&b);
    CHECK_UINT(b.len, 0);
    CHECK_UINT(b.cap, 0);
    CHECK_UINT(h.live, 0);
}

static void test_buf__adds(void)
{
    struct heap h;
    struct plog_buf b;
    heap_init(&h);
    plog_buf_init(&b, &h.io);
    CHECK_INT(plog_buf_add(&b, NULL, 0), 0);
    CHECK_INT(plog_buf_add_span(&b, plog_span(NULL, 0)), 0);
    CHECK_INT(plog_buf_add_text(&b, ""), 0);
    CHECK_UINT(h.calls, 0);
    CHECK_INT(plog_buf_add_text(&b, "ab"), 0);
    CHECK_INT(plog_buf_add_span(&b, plog_span("c\0d", 3)), 0);
    CHECK_INT(plog_buf_add_u64(&b, 0), 0);
    CHECK_INT(plog_buf_add_char(&b, ' '), 0);
    CHECK_INT(plog_buf_add_u64(&b, UINT64_MAX), 0);
    CHECK_BYTES(b.data, b.len, "abc\0d0 18446744073709551615", 27);
    plog_buf_fini(&b);
    CHECK_UINT(h.live, 0);
}

static void test_buf__sizes_that_overflow(void)
{
    struct heap h;
    struct plog_buf b;
    heap_init(&h);
    plog_buf_init(&b, &h.io);
    REQUIRE(plog_buf_add_text(&b, "x") == 0);
    size_t calls = h.calls;
    CHECK_INT(plog_buf_reserve(&b, SIZE_MAX), PLOG_E_NOMEM);
    CHECK_INT(plog_buf_reserve(&b, SIZE_MAX - 1), PLOG_E_NOMEM);
    CHECK_INT(plog_buf_reserve(&b, SIZE_MAX / 2 + 1), PLOG_E_NOMEM);
    CHECK_INT(plog_buf_add(&b, "", SIZE_MAX), PLOG_E_NOMEM);
    CHECK_INT(plog_buf_add_base64(&b, "", SIZE_MAX), PLOG_E_NOMEM);
    CHECK_INT(plog_buf_add_base64(&b, "", SIZE_MAX / 4 * 3), PLOG_E_NOMEM);
    CHECK_UINT(h.calls, calls); /* never asked for */
    CHECK_BYTES(b.data, b.len, "x", 1);
    plog_buf_fini(&b);
}

static int add_one_of_each(struct plog_buf *b, int which)
{
    static const char text[100] = {'"', 1, '\n'};
    switch (which) {
    case 0:
        return plog_buf_add(b, text, sizeof text);
    case 1:
        return plog_buf_add_base64(b, text, sizeof text);
    case 2:
        return plog_buf_add_json(b, plog_span(text, sizeof text));
    default:
        return plog_buf_reserve(b, sizeof text);
    }
}

static void test_buf__out_of_memory_changes_nothing(void)
{
    for (int which = 0; which < 4; which++)
        for (size_t nth = 1;; nth++) {
            struct heap h;
            struct plog_buf b;
            heap_init(&h);
            plog_buf_init(&b, &h.io);
            REQUIRE(plog_buf_add_text(&b, "kept") == 0);
            heap_fail(&h, nth, nth % 2);
            int rc = add_one_of_each(&b, which);
            bool failed = heap_failed(&h);
            CHECK_INT(rc, failed ? PLOG_E_NOMEM : 0);
            if (failed)
                CHECK_BYTES(b.data, b.len, "kept", 4);
            plog_buf_fini(&b);
            CHECK_UINT(h.live, 0);
            if (!failed)
                break;
        }
}

static void test_alloc__zeroes(void)
{
    struct heap h;
    heap_init(&h);
    unsigned char *p = plog_alloc(&h.io, 100);
    REQUIRE(p != NULL);
    for (size_t i = 0; i < 100; i++)
        CHECK_UINT(p[i], 0);
    plog_free(&h.io, p);
    plog_free(&h.io, NULL);
    p = plog_alloc(&h.io, 0); /* which is not that there is no memory */
    CHECK(p != NULL);
    plog_free(&h.io, p);
    heap_fail(&h, 1, false);
    CHECK(plog_alloc(&h.io, 1) == NULL);
    CHECK_UINT(h.live, 0);
}

static void test_span__order(void)
{
    static const char *const sorted[] = {"",     "a",    "ab",   "b",
                                         "\x7f", "\x80", "\xff", "\xff\x01"};
    size_t n = sizeof sorted / sizeof *sorted;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++) {
            struct plog_span a = plog_span_text(sorted[i]);
            struct plog_span b = plog_span_text(sorted[k]);
            CHECK_INT(plog_span_compare(a, b), (i > k) - (i < k));
            CHECK_INT(plog_span_equal(a, b), i == k);
        }
    CHECK_INT(plog_span_compare(plog_span(NULL, 0), plog_span("", 0)), 0);
}

/* ---- Base64 ------------------------------------------------------------- */

static void test_base64__published(void)
{
    static const char *const pairs[][2] = {/* RFC 4648, section 10 */
                                           {"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"},
                                           {"\xfb\xff\xbf", "+/+/"}};
    struct heap h;
    heap_init(&h);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct plog_buf b;
        char back[8];
        size_t n = strlen(pairs[i][0]);
        plog_buf_init(&b, &h.io);
        CHECK_INT(plog_buf_add_base64(&b, pairs[i][0], n), 0);
        CHECK_BYTES(b.data, b.len, pairs[i][1], strlen(pairs[i][1]));
        CHECK_INT(plog_base64_decode(plog_span(b.data, b.len), back, n), 0);
        CHECK_BYTES(back, n, pairs[i][0], n);
        plog_buf_fini(&b);
    }
    CHECK_UINT(h.live, 0);
}

static void test_base64__there_and_back(void)
{
    uint64_t seed = check_seed();
    struct heap h;
    heap_init(&h);
    for (size_t n = 0; n < 200; n++) {
        struct plog_buf b;
        unsigned char bytes[200], back[201];
        for (size_t i = 0; i < n; i++)
            bytes[i] = (unsigned char)check_random(&seed);
        plog_buf_init(&b, &h.io);
        REQUIRE(plog_buf_add_base64(&b, bytes, n) == 0);
        CHECK_UINT(b.len, (n + 2) / 3 * 4);
        back[n] = 0x5a; /* not to be touched */
        CHECK_INT(plog_base64_decode(plog_span(b.data, b.len), back, n), 0);
        CHECK_BYTES(back, n, bytes, n);
        CHECK_UINT(back[n], 0x5a);
        plog_buf_fini(&b);
    }
}

/* Every byte at every place: taken exactly when encoding gives it back. */
static void test_base64__one_spelling(void)
{
    static const char *const texts[] = {"Zg==", "Zm8=", "Zm9v", "Zm9vYg=="};
    static const size_t sizes[] = {1, 2, 3, 4};
    struct heap h;
    heap_init(&h);
    for (size_t t = 0; t < 4; t++)
        for (size_t at = 0; texts[t][at]; at++)
            for (int c = 0; c < 256; c++) {
                char text[9], out[4];
                struct plog_buf b;
                size_t n = strlen(texts[t]);
                memcpy(text, texts[t], n + 1);
                text[at] = (char)c;
                if (plog_base64_decode(plog_span(text, n), out, sizes[t]))
                    continue;
                plog_buf_init(&b, &h.io);
                REQUIRE(plog_buf_add_base64(&b, out, sizes[t]) == 0);
                CHECK_BYTES(b.data, b.len, text, n);
                plog_buf_fini(&b);
            }
}

static void test_base64__refused(void)
{
    static const struct {
        const char *text;
        size_t n;
    } bad[] = {
        {"Zg", 1},       {"Zg=", 1},      {"Zg==", 2},     {"Zg==", 0},
        {"Zg== ", 1},    {"Zg==\n", 1},   {" Zg==", 1},    {"Zh==", 1},
        {"Zn==", 1},     {"Zm9=", 2},     {"Zm8=", 1},     {"Zm8=", 3},
        {"Zm9v", 2},     {"Zm9v====", 3}, {"Zg==Zg==", 2}, {"Zg==Zm9v", 4},
        {"Z===", 1},     {"====", 1},     {"====", 0},     {"Zm-v", 3},
        {"Zm_v", 3},     {"Zm\x80v", 3},  {"Zm\xffv", 3},  {"Zm9\xc3", 3},
        {"Zm9", 2},      {"Zm=v", 3},     {"=m9v", 3},     {"", 1},
        {"Zm9vY===", 4}, {"Z=g=", 1}};
    char out[8];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_INT(
            plog_base64_decode(plog_span_text(bad[i].text), out, bad[i].n),
            PLOG_E_INPUT);
    CHECK_INT(plog_base64_decode(plog_span("Zm\0v", 4), out, 3), PLOG_E_INPUT);
}

/* ---- Spelling and numbers ----------------------------------------------- */

static void test_spelling__every_byte(void)
{
    struct heap h;
    heap_init(&h);
    for (int c = 0; c < 256; c++) {
        struct plog_buf b;
        char byte = (char)c, want[16];
        size_t n = 3;
        if (c == '"' || c == '\\')
            n = (size_t)sprintf(want, "\"\\%c\"", c);
        else if (c == '\n')
            n = (size_t)sprintf(want, "\"\\n\"");
        else if (c < 0x20)
            n = (size_t)sprintf(want, "\"\\u%04x\"", (unsigned)c);
        else
            memcpy(want, (char[]){'"', byte, '"'}, 3);
        plog_buf_init(&b, &h.io);
        CHECK_INT(plog_buf_add_json(&b, plog_span(&byte, 1)), 0);
        CHECK_BYTES(b.data, b.len, want, n);
        plog_buf_fini(&b);
    }
}

static void test_spelling__texts(void)
{
    struct heap h;
    struct plog_buf b;
    heap_init(&h);
    plog_buf_init(&b, &h.io);
    CHECK_INT(plog_buf_add_json(&b, plog_span(NULL, 0)), 0);
    CHECK_INT(plog_buf_add_json(&b, plog_span_text("a/\x7f\xc3\xbc\n\x1f")), 0);
    CHECK_BYTES(b.data, b.len, "\"\"\"a/\x7f\xc3\xbc\\n\\u001f\"", 17);
    plog_buf_fini(&b);
}

static void test_u64__parse(void)
{
    static const char *const bad[] = {"",
                                      "00",
                                      "01",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "1e3",
                                      "a",
                                      "0x1",
                                      "9223372036854775808",
                                      "9999999999999999999",
                                      "18446744073709551615",
                                      "18446744073709551616",
                                      "100000000000000000000",
                                      "1\n"};
    uint64_t n = 7;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_INT(plog_u64_parse(plog_span_text(bad[i]), &n), PLOG_E_INPUT);
    CHECK_INT(plog_u64_parse(plog_span("1\0", 2), &n), PLOG_E_INPUT);
    CHECK_UINT(n, 7);
    CHECK_INT(plog_u64_parse(plog_span_text("0"), &n), 0);
    CHECK_UINT(n, 0);
    CHECK_INT(plog_u64_parse(plog_span_text("9223372036854775807"), &n), 0);
    CHECK_UINT(n, INT64_MAX);
}

/* ---- Codes, strategies, errors ------------------------------------------ */

static void test_codes__table(void)
{
#define CHECK_ROW(name, value, status, word, text)                             \
    CHECK_TEXT(plog_code_word(value), word);                                   \
    CHECK_TEXT(plog_strerror(value), text);                                    \
    CHECK_INT(plog_exit_status(value), status);
    PLOG_CODES(CHECK_ROW)
#undef CHECK_ROW
    CHECK(plog_strerror(-1000) != NULL && *plog_strerror(-1000));
    CHECK(plog_code_word(12345) != NULL && *plog_code_word(12345));
    CHECK_TEXT(plog_hint_step("run: paritylog parity DIR"),
               "paritylog parity DIR");
    CHECK_TEXT(plog_hint_step("wait, and run: it"), "wait, and run: it");
    CHECK_TEXT(plog_hint_step(""), "");
    CHECK(plog_exit_status(-1000) != 0);
}

static void test_strategies__names(void)
{
    static const char *const names[] = {"last-write-wins",    "arrival",
                                        "highest-confidence", "keep-local",
                                        "merge-json",         "custom"};
    static const char *const bad[] = {"",        "Arrival",         "arrival ",
                                      "customs", "last_write_wins", "cust"};
    enum plog_strategy s = PLOG_CUSTOM;
    for (unsigned i = 0; i < PLOG_STRATEGIES; i++) {
        CHECK_TEXT(plog_strategy_name((enum plog_strategy)i), names[i]);
        CHECK_INT(plog_strategy_parse(names[i], &s), 0);
        CHECK_UINT(s, i);
    }
    CHECK(plog_strategy_name((enum plog_strategy)PLOG_STRATEGIES) == NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_INT(plog_strategy_parse(bad[i], &s), PLOG_E_ARG);
    CHECK_UINT(s, PLOG_CUSTOM);
}

static void test_error__fields(void)
{
    struct plog_error e;
    memset(&e, 0x5a, sizeof e);
    CHECK_INT(plog_fail(&e, PLOG_E_INPUT, "%s %d", "line", 7), PLOG_E_INPUT);
    CHECK_INT(e.code, PLOG_E_INPUT);
    CHECK_TEXT(e.message, "line 7");
    CHECK(!e.hint[0] && !e.file[0] && !e.member[0] && !e.line && !e.seq);
    CHECK(!e.has_offset && !e.has_index && !e.offset && !e.index);
    plog_err_hint(&e, "try %d", 1);
    plog_err_at(&e, "f", 9);
    plog_err_seq(&e, 3);
    plog_err_line(&e, 4);
    plog_err_member(&e, "op");
    plog_err_index(&e, 0);
    CHECK_TEXT(e.hint, "try 1");
    CHECK_TEXT(e.file, "f");
    CHECK_TEXT(e.member, "op");
    CHECK(e.has_offset && e.offset == 9 && e.seq == 3 && e.line == 4);
    CHECK(e.has_index && e.index == 0 && e.code == PLOG_E_INPUT);
    /* What an error quotes may be its own old message. */
    CHECK_INT(plog_fail(&e, PLOG_E_IO, "again: %s", e.message), PLOG_E_IO);
    CHECK_TEXT(e.message, "again: line 7");
    CHECK(!e.file[0] && !e.has_offset);
}

static void test_error__long_texts_are_cut(void)
{
    static struct plog_error e;
    char longest[2000];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    plog_fail(&e, PLOG_E_IO, "%s", longest);
    plog_err_hint(&e, "%s", longest);
    plog_err_file(&e, longest);
    plog_err_member(&e, longest);
    CHECK_UINT(strlen(e.message), sizeof e.message - 1);
    CHECK_UINT(strlen(e.hint), sizeof e.hint - 1);
    CHECK_UINT(strlen(e.file), sizeof e.file - 1);
    CHECK_UINT(strlen(e.member), sizeof e.member - 1);
}

static void test_error__io(void)
{
    struct plog_error e;
    char want[200];
    snprintf(want, sizeof want, "opening: %s", strerror(EACCES));
    CHECK_INT(plog_fail_io(&e, -EACCES, "log/1", "opening"), PLOG_E_IO);
    CHECK_INT(e.code, PLOG_E_IO);
    CHECK_TEXT(e.message, want);
    CHECK_TEXT(e.file, "log/1");
    CHECK_INT(plog_fail_io(&e, -ENOMEM, "f", "reading"), PLOG_E_NOMEM);
    CHECK_INT(e.code, PLOG_E_NOMEM);
    CHECK_INT(plog_fail_io(&e, -9999, "f", "reading"), PLOG_E_IO);
    CHECK_TEXT(e.hint, "");
}

/* What an errno value alone says to do; none of it deletes anything. */
static void test_error__io_hint(void)
{
    static const struct {
        int rc;
        const char *has;
    } all[] = {{ENOSPC, "make room"},  {EDQUOT, "make room"},
               {EFBIG, "ulimit -f"},   {EMFILE, "ulimit -n"},
               {ENFILE, "ulimit -n"},  {EACCES, "as the user"},
               {EPERM, "as the user"}, {EROFS, "written to"},
               {EIO, "keep a copy"},   {ENOENT, ""}};
    struct plog_error e;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        plog_fail_io(&e, -all[i].rc, "f", "reading");
        CHECK(strstr(e.hint, all[i].has) != NULL);
        CHECK_INT(e.hint[0] != 0, all[i].has[0] != 0);
        CHECK_INT(plog_err_no_room(&e), i < 2);
    }
    CHECK(!plog_err_no_room(NULL));
}

static void test_error__none_wanted(void)
{
    CHECK_INT(plog_fail(NULL, PLOG_E_ARG, "%d", 1), PLOG_E_ARG);
    CHECK_INT(plog_fail_io(NULL, -EIO, "f", "x"), PLOG_E_IO);
    CHECK_INT(plog_fail_io(NULL, -ENOMEM, "f", "x"), PLOG_E_NOMEM);
    plog_err_hint(NULL, "%d", 1);
    plog_err_file(NULL, "f");
    plog_err_at(NULL, "f", 1);
    plog_err_seq(NULL, 1);
    plog_err_line(NULL, 1);
    plog_err_member(NULL, "m");
    plog_err_index(NULL, 1);
}

static void test_first_from__any_place(void)
{
    struct item {
        char text[3];
        uint64_t number;
    } all[5];
    size_t at = offsetof(struct item, number);
    for (size_t n = 1; n <= 5; n++) {
        all[n - 1].number = 2 * n;
        for (uint64_t least = 0; least <= 2 * n; least++)
            CHECK_UINT(plog_first_from(all, n, sizeof *all, at, least),
                       least < 2 ? 0 : (least - 1) / 2);
        CHECK_UINT(plog_first_from(all, n, sizeof *all, at, UINT64_MAX), n);
    }
    CHECK_UINT(plog_first_from(NULL, 0, 8, 0, 1), 0);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"buf__grows_and_keeps", test_buf__grows_and_keeps},
        {"buf__adds", test_buf__adds},
        {"buf__sizes_that_overflow", test_buf__sizes_that_overflow},
        {"buf__out_of_memory_changes_nothing",
         test_buf__out_of_memory_changes_nothing},
        {"alloc__zeroes", test_alloc__zeroes},
        {"span__order", test_span__order},
        {"base64__published", test_base64__published},
        {"base64__there_and_back", test_base64__there_and_back},
        {"base64__one_spelling", test_base64__one_spelling},
        {"base64__refused", test_base64__refused},
        {"spelling__every_byte", test_spelling__every_byte},
        {"spelling__texts", test_spelling__texts},
        {"u64__parse", test_u64__parse},
        {"first_from__any_place", test_first_from__any_place},
        {"codes__table", test_codes__table},
        {"strategies__names", test_strategies__names},
        {"error__fields", test_error__fields},
        {"error__long_texts_are_cut", test_error__long_texts_are_cut},
        {"error__io", test_error__io},
        {"error__io_hint", test_error__io_hint},
        {"error__none_wanted", test_error__none_wanted},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
