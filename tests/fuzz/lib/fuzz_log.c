/* fuzz_log.c - see fuzz_log.h. */
#include "fuzz_log.h"

#include <stdio.h>

#include "redact.h"
#include "rotate.h"

#define TIME "2026-01-02T03:04:05.678901Z"
#define TAIL                                                                   \
    "\"occurred_at\":\"2026-01-02T03:04:05Z\",\"provenance\":{\"source\":"     \
    "\"s\",\"confidence\":1}"
#define SALT ",\"salt\":\"AAAAAAAAAAAAAAAAAAAAAA==\""

static const char *const templates[] = {
    "{\"seq\":1,\"resource\":\"r\",\"record_id\":\"1\",\"op\":\"upsert\","
    "\"payload\":{\"a\":1}," TAIL SALT "}",
    "{\"seq\":1,\"id\":\"i\",\"resource\":\"r\",\"record_id\":\"1\",\"op\":"
    "\"delete\",\"payload\":null," TAIL ",\"outcome\":\"skipped\"" SALT "}",
    "{\"seq\":1,\"from\":{\"origin\":\"o\",\"seq\":3},\"resource\":\"r\","
    "\"record_id\":\"2\",\"op\":\"upsert\",\"payload\":{}," TAIL
    ",\"meta\":{},\"merged\":{\"b\":2}" SALT "}",
    "{\"seq\":1,\"control\":\"strategy\",\"args\":{\"strategy\":"
    "\"merge-json\"}}",
    "{\"seq\":1,\"control\":\"source-cursor\",\"args\":{\"source\":\"s\","
    "\"resource\":\"*\",\"cursor\":\"c\"}}",
    "{\"seq\":1,\"control\":\"peer-add\",\"args\":{\"name\":\"p\"}}",
    "{\"seq\":1,\"control\":\"peer-evict\",\"args\":{\"name\":\"p\",\"seq\":1,"
    "\"reason\":\"r\"}}",
    "{\"seq\":1,\"control\":\"peer-rewind\",\"args\":{\"name\":\"p\",\"seq\":1}}",
    "{\"seq\":1,\"control\":\"rotate\",\"args\":{}}",
    "{\"seq\":1,\"control\":\"redact\",\"args\":{}}",
    "{\"seq\":1,\"control\":\"later\",\"args\":{}}",
    "{\"commit\":{\"size\":1}}",
};

void fuzz_log_init(struct fuzz_log *l, const struct plog_signer *s)
{
    plog_buf_init(&l->text, fuzz_memory());
    fuzz_log_clear(l, s);
}

void fuzz_log_clear(struct fuzz_log *l, const struct plog_signer *s)
{
    l->text.len = 0;
    plog_tree_init(&l->tree);
    memset(&l->last, 0, sizeof l->last);
    l->signer = s;
}

void fuzz_log_fini(struct fuzz_log *l)
{
    plog_buf_fini(&l->text);
}

static void line_end(struct fuzz_log *l)
{
    MUST(!plog_buf_add_char(&l->text, '\n'));
}

void fuzz_log_header(struct fuzz_log *l)
{
    l->text.len = 0;
    MUST(!plog_header_format(&l->text, l->signer->vkey.name, &l->tree,
                             &l->last));
    line_end(l);
}

void fuzz_log_line(struct fuzz_log *l, struct plog_span line)
{
    unsigned char leaf[PLOG_HASH_SIZE];
    plog_line_leaf(line, leaf);
    MUST(!plog_tree_add(&l->tree, leaf));
    MUST(!plog_buf_add_span(&l->text, line));
    line_end(l);
}

void fuzz_log_commit(struct fuzz_log *l)
{
    struct plog_commit *c = &l->last;
    c->size = l->tree.size;
    plog_tree_root(&l->tree, c->root);
    memcpy(c->key, l->signer->vkey.id_text, sizeof c->key);
    MUST(!plog_signer_make(l->signer, l->signer->vkey.name, c->size, c->root,
                           c->sig));
    MUST(!plog_commit_format(&l->text, c));
    line_end(l);
}

static void fill_line(struct fuzz_log *l, const char *format)
{
    char line[512];
    unsigned long long seq = l->tree.size + 1;
    int n = snprintf(line, sizeof line, "{\"seq\":%llu,%s", seq, format);
    fuzz_log_line(l, plog_span(line, (size_t)n));
}

void fuzz_log_fill(struct fuzz_log *l)
{
    fuzz_log_header(l);
    fill_line(l, "\"control\":\"init\",\"args\":{\"strategy\":\"arrival\","
                 "\"max_line\":1024,\"segment_size\":4096},\"logged_at\":"
                 "\"" TIME "\"}");
    fuzz_log_commit(l);
    fill_line(l, "\"id\":\"a\",\"resource\":\"r\",\"record_id\":\"1\",\"op\":"
                 "\"upsert\",\"payload\":{\"k\":[1,2.50]}," TAIL SALT
                 ",\"logged_at\":\"" TIME "\"}");
    fill_line(l, "\"resource\":\"r\",\"record_id\":\"2\",\"op\":\"delete\","
                 "\"payload\":null," TAIL SALT "}");
    fuzz_log_commit(l);
    fill_line(l, "\"resource\":\"r\",\"record_id\":\"\\u00e9\",\"op\":"
                 "\"upsert\",\"payload\":{}," TAIL SALT ",\"logged_at\":"
                 "\"" TIME "\"}");
    fuzz_log_commit(l);
}

/* ---- Signed anew -------------------------------------------------------- */

/* Now and then it stays wrong. */
static bool mend(uint64_t *random)
{
    return fuzz_below(random, 24) != 0;
}

/* Gives an entry its number, and logged_at where it opens a group. */
static void place_entry(struct plog_buf *b, struct plog_span line, uint64_t seq,
                        bool opens, uint64_t *random)
{
    static const char begin[] = "{\"seq\":", logged[] = ",\"logged_at\":\"";
    const char *at = line.p + sizeof begin - 1, *end = line.p + line.n;
    b->len = 0;
    if (mend(random)) {
        while (at < end && *at >= '0' && *at <= '9')
            at++;
        MUST(!plog_buf_add_text(b, begin) && !plog_buf_add_u64(b, seq));
        MUST(!plog_buf_add(b, at, (size_t)(end - at)));
    } else
        MUST(!plog_buf_add_span(b, line));
    char *has = memmem(b->data, b->len, logged, sizeof logged - 1);
    size_t whole = sizeof logged + 27;
    if (has && !opens && mend(random) &&
        (size_t)(b->data + b->len - has) > whole) {
        memmove(has, has + whole, (size_t)(b->data + b->len - has) - whole);
        b->len -= whole;
    } else if (!has && opens && mend(random) && b->len > 1) {
        b->len--;
        MUST(!plog_buf_add_text(b, ",\"logged_at\":\"" TIME "\"}"));
    }
}

struct resigning {
    struct fuzz_log *l;
    const struct plog_signer *next;
    struct plog_entry_parser parser;
    struct plog_buf line, args, redacted;
    size_t redact_at, redact_n; /* of the line to be replaced; n 0: none */
    bool opens, rotated;
    uint64_t *random;
};

/* Writes the entry at hand with other arguments. */
static void with_args(struct resigning *r, enum plog_control control)
{
    r->line.len = 0;
    MUST(!plog_control_format(&r->line, r->l->tree.size + 1, control,
                              fuzz_span(&r->args),
                              plog_span_text(r->opens ? TIME : "")));
}

static void make_rotation(struct resigning *r)
{
    unsigned char root[PLOG_HASH_SIZE];
    plog_tree_root(&r->l->tree, root);
    r->args.len = 0;
    if (!mend(r->random))
        root[0] ^= 1;
    MUST(!plog_rotation_make(&r->args, r->l->tree.size + 1, root, r->l->signer,
                             r->next));
    with_args(r, PLOG_CONTROL_ROTATE);
    r->rotated = true;
}

/* An order about a delta that stands before. */
static void make_order(struct resigning *r)
{
    struct plog_span text = fuzz_span(&r->l->text), line = {NULL, 0};
    struct plog_order o = {0};
    struct plog_entry e;
    size_t count = 0, at = 0;
    for (size_t from = 0; from < text.n;) {
        const char *lf = memchr(text.p + from, '\n', text.n - from);
        struct plog_span one = plog_span(text.p + from, 0);
        one.n = (size_t)(lf - one.p);
        if (plog_line_kind(one) == PLOG_LINE_ENTRY &&
            !plog_entry_parse(&r->parser, one, &e, NULL) &&
            e.control == PLOG_CONTROL_NONE &&
            fuzz_below(r->random, ++count) == 0) {
            line = one;
            at = from;
        }
        from += one.n + 1;
    }
    if (!line.n || plog_entry_parse(&r->parser, line, &e, NULL))
        return;
    o.seq = e.seq;
    plog_line_leaf(line, o.leaf);
    r->redacted.len = r->args.len = 0;
    MUST(!plog_redacted_format(&r->redacted, &e, o.leaf));
    plog_sha256(r->redacted.data, r->redacted.len, o.line);
    if (!mend(r->random))
        o.line[3] ^= 1;
    MUST(!plog_order_format(&r->args, &o, plog_span_text("gone")));
    with_args(r, PLOG_CONTROL_REDACT);
    r->redact_at = at;
    r->redact_n = fuzz_below(r->random, 2) ? line.n : 0;
}

static void resign_entry(struct resigning *r, struct plog_span line)
{
    static const char rotate[] = "\"control\":\"rotate\"",
                      redact[] = "\"control\":\"redact\"";
    place_entry(&r->line, line, r->l->tree.size + 1, r->opens, r->random);
    if (memmem(line.p, line.n, rotate, sizeof rotate - 1) && !r->rotated &&
        mend(r->random))
        make_rotation(r);
    else if (memmem(line.p, line.n, redact, sizeof redact - 1) &&
             mend(r->random))
        make_order(r);
    fuzz_log_line(r->l, fuzz_span(&r->line));
    r->opens = false;
}

static void resign_commit(struct resigning *r)
{
    fuzz_log_commit(r->l);
    if (r->rotated)
        r->l->signer = r->next;
    r->opens = true;
}

/* The redacted form takes the place of the line that an order is about. */
static void put_redacted(struct resigning *r)
{
    struct plog_buf *text = &r->l->text;
    size_t from = r->redact_at, to = from + r->redact_n, n = r->redacted.len;
    MUST(!plog_buf_reserve(text, n));
    memmove(text->data + from + n, text->data + to, text->len - to);
    memcpy(text->data + from, r->redacted.data, n);
    text->len = text->len - r->redact_n + n;
}

void fuzz_log_resign(struct fuzz_log *l, struct plog_span text,
                     const struct plog_signer *s,
                     const struct plog_signer *next, uint64_t *random)
{
    static struct resigning r;
    if (!r.line.io) {
        plog_entry_parser_init(&r.parser, fuzz_memory());
        plog_buf_init(&r.line, fuzz_memory());
        plog_buf_init(&r.args, fuzz_memory());
        plog_buf_init(&r.redacted, fuzz_memory());
    }
    r.l = l;
    r.next = next;
    r.random = random;
    r.redact_n = 0;
    r.rotated = false;
    r.opens = true;
    fuzz_log_clear(l, s);
    fuzz_log_header(l);
    while (text.n) {
        const char *lf = memchr(text.p, '\n', text.n);
        size_t n = lf ? (size_t)(lf - text.p) : text.n;
        struct plog_span line = plog_span(text.p, n);
        enum plog_line_kind kind = plog_line_kind(line);
        if (kind == PLOG_LINE_ENTRY)
            resign_entry(&r, line);
        else if (kind == PLOG_LINE_COMMIT)
            resign_commit(&r);
        else if (kind == PLOG_LINE_OTHER) {
            MUST(!plog_buf_add_span(&l->text, line));
            line_end(l);
        }
        n += lf != NULL;
        text = plog_span(text.p + n, text.n - n);
    }
    if (r.redact_n)
        put_redacted(&r);
}

/* ---- Lines -------------------------------------------------------------- */

struct line_place {
    size_t from, n; /* with its LF */
};

static size_t find_lines(const char *text, size_t n, struct line_place *list,
                         size_t most)
{
    size_t count = 0;
    for (size_t at = 0; at < n && count < most; count++) {
        const char *lf = memchr(text + at, '\n', n - at);
        list[count].from = at;
        list[count].n = lf ? (size_t)(lf - text) + 1 - at : n - at;
        at += list[count].n;
    }
    return count;
}

static size_t replace(char *text, size_t n, size_t max, size_t from, size_t old,
                      struct plog_span now)
{
    if (n - old + now.n > max)
        return n;
    memmove(text + from + now.n, text + from + old, n - from - old);
    if (now.n)
        memcpy(text + from, now.p, now.n);
    return n - old + now.n;
}

size_t fuzz_mutate_lines(char *text, size_t n, size_t max, uint64_t *random)
{
    static char part[16384];
    struct line_place list[64];
    size_t count = find_lines(text, n, list, 64);
    if (count == 0)
        return LLVMFuzzerMutate((uint8_t *)text, n, max);
    const struct line_place *at = &list[fuzz_below(random, count)];
    const struct line_place *other = &list[fuzz_below(random, count)];
    size_t m = at->n;
    if (m > sizeof part / 2 || other->n > sizeof part)
        return n;
    switch (fuzz_below(random, 8)) {
    case 0: { /* a line of another kind */
        const char *line =
            templates[fuzz_below(random, sizeof templates / sizeof *templates)];
        m = (size_t)snprintf(part, sizeof part, "%s\n", line);
        return replace(text, n, max, at->from, 0, plog_span(part, m));
    }
    case 1: /* one less */
        return replace(text, n, max, at->from, at->n, plog_span(NULL, 0));
    case 2: /* one twice */
        memcpy(part, text + other->from, other->n);
        return replace(text, n, max, at->from, 0, plog_span(part, other->n));
    case 3: /* one in the place of another */
        memcpy(part, text + other->from, other->n);
        return replace(text, n, max, at->from, at->n,
                       plog_span(part, other->n));
    default: /* what is in it */
        m -= text[at->from + m - 1] == '\n';
        memcpy(part, text + at->from, m);
        size_t now = fuzz_mutate_json(part, m, sizeof part, random);
        return replace(text, n, max, at->from, m, plog_span(part, now));
    }
}
