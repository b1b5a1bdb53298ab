/* fuzz_lines.c - see fuzz_lines.h. */
#include "fuzz_lines.h"

#include <stdlib.h>

#include "line.h"

#define PLACES 96

/* A value in a text, and the member that it belongs to. */
struct place {
    size_t from, value, to; /* an element begins with its value */
};

struct places {
    const char *text;
    struct place list[PLACES];
    size_t count;
};

static void note_place(struct places *p, const char *from,
                       struct plog_span value)
{
    struct place *at = &p->list[p->count];
    if (p->count == PLACES)
        return;
    at->from = (size_t)(from - p->text);
    at->value = (size_t)(value.p - p->text);
    at->to = at->value + value.n;
    p->count++;
}

static void find_places(struct places *p, struct plog_span v)
{
    struct plog_json_walk w;
    struct plog_span name, inner;
    char kind = plog_json_kind(v);
    if (kind != 'o' && kind != 'a')
        return;
    plog_json_walk(&w, v);
    while (kind == 'o' ? plog_json_next(&w, &name, &inner)
                       : plog_json_next_element(&w, &inner)) {
        note_place(p, kind == 'o' ? name.p - 1 : inner.p, inner);
        find_places(p, inner);
    }
}

static const char *const values[] = {
    "0",
    "1",
    "2",
    "3",
    "9223372036854775807",
    "9223372036854775808",
    "-1",
    "-0",
    "0.5",
    "1e0",
    "1.0000000000000000001",
    "4e-400",
    "null",
    "true",
    "false",
    "{}",
    "[]",
    "\"\"",
    "\"a\"",
    "\"\\u0061\"",
    "\"\\u00e9\\ud83d\\ude00\"",
    "\"\\n\\\"\\\\\"",
    "\"upsert\"",
    "\"delete\"",
    "\"\\u0064elete\"",
    "\"skipped\"",
    "{\"source\":\"crm\",\"confidence\":1}",
    "{\"confidence\":0.25,\"source\":\"s\"}",
    "{\"origin\":\"example.org/a\",\"seq\":7}",
    "{\"origin\":\"\\u0061\",\"seq\":1}",
    "\"2026-01-02T03:04:05.678901Z\"",
    "\"2024-02-29t23:59:59.999999999-23:59\"",
    "\"0000-01-01T00:00:00+23:59\"",
    "\"9999-12-31T23:59:59Z\"",
    "\"AAAAAAAAAAAAAAAAAAAAAA==\"",
    "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"",
    "{\"strategy\":\"arrival\"}",
    "{\"strategy\":\"custom\",\"max_line\":1024,\"segment_size\":4096}",
    "{\"name\":\"p\"}",
    "{\"name\":\"p\",\"seq\":0,\"reason\":\"r\"}",
    "{\"source\":\"s\",\"resource\":\"*\",\"cursor\":\"c\"}",
};

static const char *const names[] = {
    "seq",      "id",      "from",      "resource", "record_id",   "op",
    "payload",  "meta",    "outcome",   "merged",   "occurred_at", "provenance",
    "salt",     "control", "logged_at", "redacted", "args",        "strategy",
    "max_line", "tree",    "size",      "key",      "root",        "sig",
};

#define ANY(list, random) list[fuzz_below(random, sizeof list / sizeof *list)]

/* Puts `what` in the place of from..to.  Returns the new length, or `n` when
 * there is no room. */
static size_t splice(char *text, size_t n, size_t max, size_t from, size_t to,
                     struct plog_span what)
{
    if (n - (to - from) + what.n > max)
        return n;
    memmove(text + from + what.n, text + to, n - to);
    if (what.n)
        memcpy(text + from, what.p, what.n);
    return n - (to - from) + what.n;
}

/* A number one more or less; other scalars become one of the list. */
static size_t step_number(char *text, size_t n, size_t max,
                          const struct place *at, uint64_t *random)
{
    char digits[32];
    uint64_t v;
    if (plog_u64_parse(plog_span(text + at->value, at->to - at->value), &v)) {
        const char *other = ANY(values, random);
        return splice(text, n, max, at->value, at->to, plog_span_text(other));
    }
    v = fuzz_below(random, 2) || v == 0 ? v + 1 : v - 1;
    struct plog_buf b;
    plog_buf_init(&b, fuzz_memory());
    MUST(!plog_buf_add_u64(&b, v) && b.len < sizeof digits);
    memcpy(digits, b.data, b.len);
    v = b.len;
    plog_buf_fini(&b);
    return splice(text, n, max, at->value, at->to, plog_span(digits, v));
}

/* libFuzzer's own way, inside one value. */
static size_t inner_bytes(char *text, size_t n, size_t max,
                          const struct place *at)
{
    uint8_t part[512];
    size_t from = at->value, to = at->to;
    if (text[from] == '"')
        from++, to--;
    if (to - from > sizeof part / 2)
        to = from + sizeof part / 2;
    memcpy(part, text + from, to - from);
    size_t m = LLVMFuzzerMutate(part, to - from, sizeof part);
    return splice(text, n, max, from, to, plog_span((char *)part, m));
}

static size_t with_copy(char *text, size_t n, size_t max,
                        const struct places *p, uint64_t *random)
{
    char *copy = malloc(n);
    const struct place *a = &p->list[fuzz_below(random, p->count)];
    const struct place *b = &p->list[fuzz_below(random, p->count)];
    if (!copy)
        abort();
    memcpy(copy, text, n);
    if (fuzz_below(random, 2)) /* one value in the place of the other */
        n = splice(text, n, max, a->value, a->to,
                   plog_span(copy + b->value, b->to - b->value));
    else if (n + (b->to - b->from) < max) { /* a member before another */
        size_t behind = a->from + (b->to - b->from);
        n = splice(text, n, max, a->from, a->from,
                   plog_span(copy + b->from, b->to - b->from));
        n = splice(text, n, max, behind, behind, plog_span(",", 1));
    }
    free(copy);
    return n;
}

static size_t without(char *text, size_t n, const struct place *at)
{
    size_t from = at->from, to = at->to;
    if (to < n && text[to] == ',')
        to++;
    else if (from > 0 && text[from - 1] == ',')
        from--;
    return splice(text, n, n, from, to, plog_span(NULL, 0));
}

static size_t other_name(char *text, size_t n, size_t max,
                         const struct place *at, uint64_t *random)
{
    const char *name = ANY(names, random);
    if (at->from == at->value)
        return n;
    return splice(text, n, max, at->from + 1, at->value - 2,
                  plog_span_text(name));
}

size_t fuzz_mutate_json(char *text, size_t n, size_t max, uint64_t *random)
{
    static struct plog_json json;
    static struct places p;
    struct plog_json_fault fault;
    if (!json.names.io)
        plog_json_init(&json, fuzz_memory());
    p.text = text;
    p.count = 0;
    if (!plog_json_check(&json, plog_span(text, n), &fault))
        find_places(&p, plog_span(text, n));
    if (p.count == 0)
        return LLVMFuzzerMutate((uint8_t *)text, n, max);
    const struct place *at = &p.list[fuzz_below(random, p.count)];
    switch (fuzz_below(random, 8)) {
    case 0:
    case 1:
        return splice(text, n, max, at->value, at->to,
                      plog_span_text(ANY(values, random)));
    case 2:
        return step_number(text, n, max, at, random);
    case 3:
        return with_copy(text, n, max, &p, random);
    case 4:
        return without(text, n, at);
    case 5:
        return other_name(text, n, max, at, random);
    default:
        return inner_bytes(text, n, max, at);
    }
}

/* ---- Lines that are signed ---------------------------------------------- */

static void some_range(struct plog_tree *t, struct plog_commit *c,
                       const struct plog_signer *s, uint64_t *random)
{
    uint64_t size = fuzz_random(random) >> (1 + fuzz_below(random, 63));
    unsigned char hashes[PLOG_TREE_HASHES][PLOG_HASH_SIZE];
    unsigned count = 0;
    size += size == 0;
    for (uint64_t bits = size; bits; bits &= bits - 1)
        memset(hashes[count++], (int)fuzz_below(random, 256), PLOG_HASH_SIZE);
    MUST(!plog_tree_load(t, size, hashes[0], count));
    memset(c, 0, sizeof *c);
    c->size = size;
    plog_tree_root(t, c->root);
    memcpy(c->key, s->vkey.id_text, sizeof c->key);
    MUST(!plog_signer_make(s, s->vkey.name, size, c->root, c->sig));
}

void fuzz_add_commit(struct plog_buf *b, const struct plog_signer *s,
                     uint64_t *random)
{
    struct plog_tree t;
    struct plog_commit c;
    some_range(&t, &c, s, random);
    MUST(!plog_commit_format(b, &c));
}

void fuzz_add_header(struct plog_buf *b, const struct plog_signer *s,
                     uint64_t *random)
{
    struct plog_tree t;
    struct plog_commit c;
    some_range(&t, &c, s, random);
    MUST(!plog_header_format(b, s->vkey.name, &t, &c));
}
