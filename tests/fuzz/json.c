/*
 * json.c - any bytes to the JSON scanner.
 *
 * It takes exactly what the reference takes, gives the same compact text, and
 * that text again when asked again; a refusal names a place inside the text
 * and leaves the output alone.  Whoever walks over what was taken finds every
 * byte of it again.
 */
#include "fuzz.h"
#include "json.h"
#include "json_reference.h"

static struct plog_json scanner;
static struct plog_buf out, again, texts;

/* Names and strings, unescaped: never longer, always UTF-8, never a NUL. */
static struct plog_span unescaped(struct plog_span raw)
{
    size_t before = texts.len;
    MUST(!plog_json_unescape(raw, &texts));
    struct plog_span s = {NULL, texts.len - before};
    if (s.n)
        s.p = texts.data + before;
    MUST(s.n <= raw.n && fuzz_is_utf8(s.p, s.n));
    MUST(s.n == 0 || !memchr(s.p, 0, s.n));
    return s;
}

static void check_name(struct plog_span raw)
{
    char name[64];
    texts.len = 0;
    struct plog_span text = unescaped(raw);
    if (text.n >= sizeof name)
        return;
    if (text.n)
        memcpy(name, text.p, text.n);
    name[text.n] = '\0';
    MUST(plog_json_name_is(raw, name));
    name[text.n] = 'x';
    name[text.n + 1 < sizeof name ? text.n + 1 : text.n] = '\0';
    MUST(text.n + 1 >= sizeof name || !plog_json_name_is(raw, name));
}

/* Writes a value that was taken again, out of what the walk gives. */
static void walk(struct plog_span v, struct plog_span all)
{
    struct plog_json_walk w;
    struct plog_span name, inner;
    char kind = plog_json_kind(v);
    bool object = kind == 'o';
    size_t count = 0;
    MUST(v.n > 0 && fuzz_inside(v, all));
    if (kind == 's') {
        texts.len = 0;
        unescaped(plog_span(v.p + 1, v.n - 2));
    }
    if (kind != 'o' && kind != 'a') {
        MUST(!plog_buf_add_span(&again, v));
        return;
    }
    MUST(!plog_buf_add_char(&again, object ? '{' : '['));
    plog_json_walk(&w, v);
    while (object ? plog_json_next(&w, &name, &inner)
                  : plog_json_next_element(&w, &inner)) {
        if (count++)
            MUST(!plog_buf_add_char(&again, ','));
        if (object) {
            MUST(fuzz_inside(name, v));
            check_name(name);
            MUST(!plog_buf_add_char(&again, '"') &&
                 !plog_buf_add_span(&again, name) &&
                 !plog_buf_add_text(&again, "\":"));
        }
        walk(inner, v);
    }
    MUST(!plog_buf_add_char(&again, object ? '}' : ']'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char compact[1 << 16];
    struct plog_json_fault fault = {SIZE_MAX, NULL}, line = {SIZE_MAX, NULL};
    struct plog_span text = plog_span((const char *)data, size);
    size_t len;
    if (size > sizeof compact)
        return 0;
    if (!out.io) {
        plog_json_init(&scanner, fuzz_memory());
        plog_buf_init(&out, fuzz_memory());
        plog_buf_init(&again, fuzz_memory());
        plog_buf_init(&texts, fuzz_memory());
    }
    out.len = 0;
    MUST(!plog_buf_add_char(&out, '#'));
    bool right = json_reference(text.p, size, compact, &len);
    int rc = plog_json_compact(&scanner, text, &out, &fault);
    int as_line = plog_json_check(&scanner, text, &line);
    MUST(rc == (right ? 0 : PLOG_E_INPUT));
    MUST(as_line == (right && len == size ? 0 : PLOG_E_INPUT));
    MUST(!as_line || (line.offset <= size && line.what));
    if (rc) {
        MUST(out.len == 1 && fault.offset <= size && fault.what);
        return 0;
    }
    struct plog_span given = plog_span(out.data + 1, out.len - 1);
    MUST(plog_span_equal(given, plog_span(compact, len)));
    MUST(!plog_json_check(&scanner, given, &fault));
    again.len = 0;
    walk(given, given);
    MUST(plog_span_equal(fuzz_span(&again), given));
    return 0;
}
