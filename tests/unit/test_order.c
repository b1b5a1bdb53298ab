/*
 * test_order.c - an order to redact is read from a log that somebody else may
 * have written: what is one, what it fits, and what the store does with one
 * that it does not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "engine.h"
#include "redact.h"
#include "world.h"

#define A43 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define HASH "\"" A43 "=\""

static int parse(const char *args, struct plog_order *o)
{
    struct plog_entry e = {.seq = 9, .control = PLOG_CONTROL_REDACT};
    e.args = plog_span_text(args);
    return plog_order_parse(&e, o);
}

/* ---- The arguments --------------------------------------------------------
 */

static void arguments(void)
{
    static const struct {
        const char *args;
        int code;
    } all[] = {
        {"{\"seq\":8,\"leaf\":" HASH ",\"line\":" HASH ",\"reason\":\"x\"}", 0},
        {"{\"seq\":0,\"leaf\":" HASH ",\"line\":" HASH ",\"reason\":\"x\"}",
         PLOG_E_CORRUPT},
        {"{\"seq\":9,\"leaf\":" HASH ",\"line\":" HASH ",\"reason\":\"x\"}",
         PLOG_E_CORRUPT}, /* itself */
        {"{\"seq\":\"8\",\"leaf\":" HASH ",\"line\":" HASH ",\"reason\":\"x\"}",
         PLOG_E_CORRUPT},
        {"{\"seq\":8,\"line\":" HASH ",\"leaf\":" HASH ",\"reason\":\"x\"}",
         PLOG_E_CORRUPT},
        {"{\"seq\":8,\"leaf\":1234567890123456789012345678901234567890123456,"
         "\"line\":" HASH ",\"reason\":\"x\"}",
         PLOG_E_CORRUPT}, /* as long as a hash, and a number */
        {"{\"seq\":8,\"leaf\":\"" A43 "\",\"line\":" HASH ",\"reason\":\"x\"}",
         PLOG_E_CORRUPT},
        {"{\"seq\":8,\"leaf\":\"*" A43 "\",\"line\":" HASH ",\"reason\":\"x\"}",
         PLOG_E_CORRUPT},
        {"{\"seq\":8,\"leaf\":" HASH ",\"line\":7,\"reason\":\"x\"}",
         PLOG_E_CORRUPT},
        {"{\"seq\":8,\"leaf\":" HASH ",\"line\":" HASH ",\"reason\":\"\"}",
         PLOG_E_CORRUPT},
        {"{\"seq\":8,\"leaf\":" HASH ",\"line\":" HASH ",\"reason\":12}",
         PLOG_E_CORRUPT},
        {"{\"seq\":8,\"leaf\":" HASH ",\"line\":" HASH "}", PLOG_E_CORRUPT},
        {"{\"seq\":8,\"leaf\":" HASH ",\"line\":" HASH
         ",\"reason\":\"x\",\"more\":1}",
         PLOG_E_CORRUPT},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_order o = {.seq = 0};
        if (!CHECK_INT(parse(all[i].args, &o), all[i].code))
            printf("# %s\n", all[i].args);
        if (!all[i].code) {
            CHECK_UINT(o.seq, 8);
            CHECK_UINT(o.at, 9);
        }
    }
}

/* A reason is measured as it reads, however it is spelled. */
static void length_of_the_reason(void)
{
    static const struct {
        const char *spelled;
        unsigned bytes;
    } all[] = {
        {"a", 1},
        {"\\n", 1},
        {"\\\"", 1},
        {"\\\\", 1},
        {"\\u0041", 1},
        {"\\u007f", 1},
        {"\\u0080", 2},
        {"\\u07ff", 2},
        {"\\u0800", 3},
        {"\\ud7ff", 3},
        {"\\ue000", 3},
        {"\\uFFFD", 3},
        {"\\ud83d\\ude00", 4},
        {"\\uDBFF\\uDFFF", 4},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (unsigned over = 0; over < 2; over++) {
            char args[4000] =
                "{\"seq\":8,\"leaf\":" HASH ",\"line\":" HASH ",\"reason\":\"";
            struct plog_order o;
            unsigned n = PLOG_REASON_MAX / all[i].bytes;
            for (unsigned k = 0; k < n; k++)
                strcat(args, all[i].spelled);
            for (n *= all[i].bytes; n < PLOG_REASON_MAX + over; n++)
                strcat(args, "b");
            strcat(args, "\"}");
            if (!CHECK_INT(parse(args, &o), over ? PLOG_E_CORRUPT : 0))
                printf("# %s\n", all[i].spelled);
        }
}

/* ---- The line -------------------------------------------------------------
 */

/* Only what ends exactly as we write it says another leaf than its own. */
static void redacted_lines(void)
{
    static const struct {
        const char *line;
        bool redacted, own;
    } all[] = {
        {"{\"seq\":2,\"x\":1,\"redacted\":" HASH "}", true, false},
        {"{\"seq\":2,\"x\":1,\"redacted\":\"*" A43 "\"}", false, true},
        {"{\"seq\":2,\"x\":1,\"redacted\":" HASH "]", false, true},
        {"{\"seq\":2,\"x\":1,\"redacted\":\"" A43 "=}}", false, true},
        {"{\"seq\":2,\"x\":1,\"redacteD\":" HASH "}", false, true},
        {",\"redacted\":" HASH "}", false, true},
        {"{\"seq\":2}", false, true},
        /* Of a control entry: as long as a hash, behind that member. */
        {"{\"seq\":21,\"control\":\"x\",\"args\":{\"y\":1,\"redacted\":\"a\"},"
         "\"logged_at\":\"2026-11-21T08:47:51.300114Z\"}",
         false, true},
    };
    static const unsigned char zero[PLOG_HASH_SIZE];
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        unsigned char leaf[PLOG_HASH_SIZE], own[PLOG_HASH_SIZE];
        struct plog_span line = plog_span_text(all[i].line);
        bool ok = CHECK(plog_line_is_redacted(line) == all[i].redacted);
        plog_hash_leaf(line.p, line.n, own);
        plog_line_leaf(line, leaf);
        ok &= CHECK_BYTES(leaf, sizeof leaf, all[i].own ? own : zero,
                          sizeof leaf);
        if (!ok)
            printf("# %s\n", all[i].line);
    }
}

static struct plog_buf text;

static struct plog_span order_line(uint64_t seq, const char *args)
{
    text.len = 0;
    CHECK_INT(plog_control_format(
                  &text, seq, PLOG_CONTROL_REDACT, plog_span_text(args),
                  plog_span_text("2026-01-02T03:04:05.000000Z")),
              0);
    return plog_span(text.data, text.len);
}

static void whether_it_is_one(void)
{
    static const char good[] =
        "{\"seq\":8,\"leaf\":" HASH ",\"line\":" HASH ",\"reason\":\"x\"}";
    static const char bad[] =
        "{\"seq\":9,\"leaf\":" HASH ",\"line\":" HASH ",\"reason\":\"x\"}";
    static const char *const others[] = {
        "{\"seq\":9,\"control\":\"redact\",}",
        ("{\"seq\":9,\"control\":\"redact\",\"args\":{\"seq\":8,\"leaf\":7,"
         "\"line\":8,\"reason\":\"this line is long, and no entry\"}"),
        ("{\"seq\":9,\"control\":\"strategy\",\"args\":{\"strategy\":"
         "\"arrival\"},\"to\":\"a longer line than the first one\"}"),
        "",
    };
    struct plog_entry_parser parser;
    struct plog_order o = {.seq = 0};
    plog_buf_init(&text, plog_io_posix());
    plog_entry_parser_init(&parser, plog_io_posix());
    CHECK_INT(plog_order_read(&parser, order_line(9, good), &o), 1);
    CHECK_UINT(o.seq, 8);
    CHECK_INT(plog_order_read(&parser, order_line(9, good), NULL), 1);
    CHECK_INT(plog_order_read(&parser, order_line(8, good), &o), 0);
    CHECK_INT(plog_order_read(&parser, order_line(9, bad), &o), 0);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        CHECK_INT(plog_order_read(&parser, plog_span_text(others[i]), &o), 0);
    plog_entry_parser_fini(&parser);
    plog_buf_fini(&text);
}

/* ---- What it fits ---------------------------------------------------------
 */

static struct world w;

/* The order for an entry of the log, as the library makes it. */
static struct plog_order order_for(const char *line, size_t n,
                                   struct plog_entry_parser *parser,
                                   struct plog_entry *e)
{
    struct plog_order o = {.at = 99};
    struct plog_buf redacted;
    CHECK_INT(plog_entry_parse(parser, plog_span(line, n), e, NULL), 0);
    plog_buf_init(&redacted, plog_io_posix());
    o.seq = e->seq;
    plog_hash_leaf(line, n, o.leaf);
    CHECK_INT(plog_redacted_format(&redacted, e, o.leaf), 0);
    plog_sha256(redacted.data, redacted.len, o.line);
    plog_buf_fini(&redacted);
    return o;
}

static void applied(void)
{
    struct plog_entry_parser parser;
    struct plog_entry e, control, again;
    struct plog_buf out;
    size_t n, m;
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, "i2", "1", "the secret", NULL), 0);
    char *line = world_line(&w, 2, &n), *init = world_line(&w, 1, &m);
    plog_entry_parser_init(&parser, plog_io_posix());
    plog_buf_init(&out, plog_io_posix());
    CHECK_INT(plog_entry_parse(&parser, plog_span(init, m), &control, NULL), 0);
    struct plog_order o = order_for(line, n, &parser, &e), other = o;
    CHECK_INT(plog_order_apply(&o, plog_span(line, n), &e, &out), 0);
    CHECK(plog_line_is_redacted(plog_span(out.data, out.len)));
    CHECK(!memmem(out.data, out.len, "the secret", 10));
    /* The redacted line stands for itself. */
    struct plog_buf twice;
    plog_buf_init(&twice, plog_io_posix());
    CHECK_INT(
        plog_entry_parse(&parser, plog_span(out.data, out.len), &again, NULL),
        0);
    CHECK_INT(
        plog_order_apply(&o, plog_span(out.data, out.len), &again, &twice), 0);
    CHECK_BYTES(twice.data, twice.len, out.data, out.len);
    CHECK_INT(plog_entry_parse(&parser, plog_span(line, n), &e, NULL), 0);
    other.seq = 3; /* about another one */
    CHECK_INT(plog_order_apply(&other, plog_span(line, n), &e, &out),
              PLOG_E_CORRUPT);
    other = o;
    other.leaf[0] ^= 1;
    CHECK_INT(plog_order_apply(&other, plog_span(line, n), &e, &out),
              PLOG_E_CORRUPT);
    other = o;
    other.line[31] ^= 1;
    CHECK_INT(plog_order_apply(&other, plog_span(line, n), &e, &out),
              PLOG_E_CORRUPT);
    other.seq = 1; /* about a control entry */
    plog_hash_leaf(init, m, other.leaf);
    CHECK_INT(plog_entry_parse(&parser, plog_span(init, m), &control, NULL), 0);
    CHECK_INT(plog_order_apply(&other, plog_span(init, m), &control, &out),
              PLOG_E_CORRUPT);
    plog_buf_fini(&twice);
    plog_buf_fini(&out);
    plog_entry_parser_fini(&parser);
    free(line);
    free(init);
    world_end(&w, 2);
}

/* ---- The store ------------------------------------------------------------
 */

/* What the store makes of an entry with these arguments; nothing stays. */
struct follow {
    uint64_t at;
    struct plog_span args;
};

static int follow(plog *p, void *arg, struct plog_error *err)
{
    const struct follow *f = arg;
    struct plog_entry e = {.seq = f->at, .control = PLOG_CONTROL_REDACT};
    e.args = f->args;
    int rc =
        plog_store_redact(&p->legs.store, &e, p->legs.head.rules.base, err);
    plog_store_rollback(&p->legs.store);
    return rc;
}

static int follows(const struct plog_order *o, struct plog_error *err)
{
    struct plog_buf args;
    plog_buf_init(&args, plog_io_posix());
    CHECK_INT(plog_order_format(&args, o, plog_span_text("x")), 0);
    struct follow f = {o->at, plog_span(args.data, args.len)};
    int rc = plog_engine_locked(w.p, follow, &f, err);
    plog_buf_fini(&args);
    return rc;
}

/* An order that does not fit what it is about: a replay that meets it stops,
 * and says which. */
static void not_followed(void)
{
    struct plog_entry_parser parser;
    struct plog_error err = {.code = 0};
    struct plog_entry e;
    size_t n;
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, "i2", "1", "the secret", NULL), 0);
    plog_entry_parser_init(&parser, plog_io_posix());
    char *line = world_line(&w, 2, &n);
    struct plog_order good = order_for(line, n, &parser, &e), bad = good;
    CHECK_INT(follows(&good, &err), 0);
    bad.leaf[5] ^= 1;
    CHECK_INT(follows(&bad, &err), PLOG_E_CORRUPT);
    CHECK_TEXT(err.message,
               "entry 99: the order to redact entry 2 does not fit it");
    CHECK_UINT(err.seq, 99);
    bad.seq = 1;
    CHECK_INT(follows(&bad, &err), PLOG_E_CORRUPT);
    bad.seq = 99; /* itself */
    CHECK_INT(follows(&bad, &err), PLOG_E_CORRUPT);
    CHECK_TEXT(err.message, "a redact entry makes no sense");
    bad = good;
    bad.seq = 3; /* there is none */
    CHECK_INT(follows(&bad, &err), PLOG_E_CORRUPT);
    CHECK_TEXT(err.message, "entry 99: the order to redact entry 3 is about"
                            " none that the store holds");
    plog_entry_parser_fini(&parser);
    free(line);
    CHECK_TEXT(world_record(&w, "1"), "{\"v\":\"the secret\"} v1");
    world_end(&w, 2);
}

/* Asked of the engine, which all ways to redact lead through. */
static void asked_for(void)
{
    struct plog_span why = plog_span_text("asked for");
    struct plog_error err = {.code = 0};
    struct plog_receipt r = {.seq = 0};
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, "i2", "1", "the secret", NULL), 0);
    CHECK_INT(plog_engine_redact(w.p, 0, why, &r, &err), PLOG_E_NOT_FOUND);
    CHECK_TEXT(err.message, "there is no entry 0");
    CHECK_INT(plog_engine_redact(w.p, 3, why, &r, &err), PLOG_E_NOT_FOUND);
    CHECK_TEXT(err.message, "there is no entry 3");
    CHECK_INT(plog_engine_redact(w.p, 1, why, &r, &err), PLOG_E_INPUT);
    CHECK_TEXT(err.message, "entry 1 is a control entry and has no payload");
    CHECK_UINT(world_size(&w), 2);
    CHECK_INT(plog_engine_redact(w.p, 2, why, &r, &err), 0);
    CHECK_UINT(r.seq, 3);
    CHECK_TEXT(world_record(&w, "1"), "null v1");
    CHECK_INT(plog_engine_redact(w.p, 2, why, &r, &err), PLOG_E_EXISTS);
    CHECK_TEXT(err.message, "entry 2 is redacted already");
    CHECK_INT(plog_engine_redact(w.p, 3, why, &r, &err), PLOG_E_INPUT);
    CHECK_UINT(world_size(&w), 3);
    world_end(&w, 3);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"arguments", arguments},
        {"length of the reason", length_of_the_reason},
        {"redacted lines", redacted_lines},
        {"whether it is one", whether_it_is_one},
        {"applied", applied},
        {"not followed", not_followed},
        {"asked for", asked_for},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
