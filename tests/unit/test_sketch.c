/*
 * test_sketch.c - ordinary lines read in one pass, beside the reader of every
 * line: what the one takes the other takes, with the same values.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "json_table.h"
#include "sketch.h"

#define SALT "\"salt\":\"AAECAwQFBgcICQoLDA0ODw==\""
#define TIME "\"occurred_at\":\"2026-01-02T03:04:05.678Z\""
#define SOURCE "\"provenance\":{\"source\":\"s\",\"confidence\":0.5}"
#define REST TIME "," SOURCE "," SALT "}"
#define HEAD "{\"seq\":7,\"resource\":\"pets\",\"record_id\":\"r1\",\"op\":"
#define UPSERT HEAD "\"upsert\",\"payload\":"
#define LONG_ID                                                                \
    "0123456789012345678901234567890123456789012345678901234567890123456789"

static struct plog_entry_parser parser;
static uint64_t taken, left;

static void same_piece(const char *line, struct plog_piece piece,
                       struct plog_span want)
{
    CHECK_BYTES(line + piece.at, piece.n, want.n ? want.p : line, want.n);
}

static void same_text(struct plog_span a, struct plog_span b)
{
    CHECK_BYTES(a.n ? a.p : "", a.n, b.n ? b.p : "", b.n);
}

/* What the sketch makes of the line is what the entry says. */
static void same_entry(const struct plog_sketch *k, struct plog_span line,
                       const struct plog_entry *e)
{
    struct plog_entry made;
    plog_sketch_entry(k, line, &made);
    CHECK_UINT(made.seq, e->seq);
    CHECK(made.skipped == e->skipped && made.control == e->control);
    same_text(made.delta.id_text, e->delta.id_text);
    same_text(made.delta.resource_text, e->delta.resource_text);
    same_text(made.delta.record_id_text, e->delta.record_id_text);
    same_text(made.delta.payload, e->delta.payload);
    CHECK(made.delta.is_delete == e->delta.is_delete);
    CHECK(made.delta.confidence == e->delta.confidence);
    CHECK(made.delta.instant.seconds == e->delta.instant.seconds &&
          made.delta.instant.nanos == e->delta.instant.nanos);
    CHECK(!made.from.n && !made.merged.n && !made.redacted);
}

/* Compares both; returns whether the sketch took the line. */
static bool compare(struct plog_span line)
{
    struct plog_sketch k;
    struct plog_entry e;
    /* In memory that ends with it: a byte too far is found by the sanitizer. */
    char *copy = malloc(line.n + 1);
    if (!copy)
        return false;
    memcpy(copy, line.p, line.n);
    bool ordinary =
        plog_sketch_read(plog_span(copy, line.n), copy + line.n, &k);
    CHECK(ordinary == (k.seq != 0));
    taken += ordinary;
    left += !ordinary;
    if (ordinary &&
        CHECK_INT(plog_entry_parse(&parser, plog_span(copy, line.n), &e, NULL),
                  0)) {
        CHECK_UINT(k.seq, e.seq);
        CHECK_INT(e.control, PLOG_CONTROL_NONE);
        CHECK(!e.redacted && !e.from.n && !e.merged.n);
        same_piece(copy, k.id, e.delta.id_text);
        same_piece(copy, k.resource, e.delta.resource_text);
        same_piece(copy, k.record_id, e.delta.record_id_text);
        same_piece(copy, k.payload, e.delta.payload);
        CHECK(copy + k.payload.at == e.delta.payload.p || k.is_delete);
        CHECK(k.instant.seconds == e.delta.instant.seconds &&
              k.instant.nanos == e.delta.instant.nanos);
        CHECK(memcmp(&k.confidence, &e.delta.confidence, sizeof(double)) == 0);
        CHECK(k.is_delete == e.delta.is_delete && k.skipped == e.skipped);
        CHECK(k.opens == (e.logged_at.n > 0));
        same_entry(&k, plog_span(copy, line.n), &e);
    }
    if (check_failing())
        printf("# of: %.*s\n", (int)line.n, line.p);
    free(copy);
    return ordinary;
}

static const char *const ordinary[] = {
    UPSERT "{}," REST,
    UPSERT "{\"a\":1,\"b\":[],\"c\":{},\"d\":\"\"}," REST,
    UPSERT "{\"a\":[1,-2.5,0,1e3,1E+3,2e-7,true,false,null]}," REST,
    UPSERT "{\"a\":{\"a\":{\"a\":[{\"a\":1},{\"a\":2}]}},\"b\":1}," REST,
    UPSERT "{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}," REST,
    UPSERT "{\"gr\xc3\xbc\xc3\x9f\":\"\xe2\x82\xac \xf0\x9f\x90\x99\"}," REST,
    UPSERT "{\"long\":\"" LONG_ID LONG_ID "\",\"longer\":\"" LONG_ID
           "\"}," REST,
    HEAD "\"delete\",\"payload\":null," REST,
    "{\"seq\":9007199254740993,\"id\":\"" LONG_ID "\",\"resource\":\"p\","
    "\"record_id\":\"\xc3\xa9\",\"op\":\"upsert\",\"payload\":{\"v\":1}," REST,
    UPSERT "{}," TIME
           ",\"provenance\":{\"confidence\":1,\"source\":\"s\"}," SALT "}",
    UPSERT "{}," TIME
           ",\"provenance\":{\"source\":\"s\",\"confidence\":0}," SALT "}",
    UPSERT "{}," TIME "," SOURCE ",\"meta\":{\"trace\":\"t\",\"n\":[1,2]}," SALT
           "}",
    UPSERT "{}," TIME "," SOURCE ",\"outcome\":\"skipped\"," SALT "}",
    UPSERT "{}," TIME "," SOURCE "," SALT
           ",\"logged_at\":\"2026-01-02T03:04:05.000000Z\"}",
    UPSERT "{},\"occurred_at\":\"2024-02-29t23:59:59.999999999-23:59\"," SOURCE
           "," SALT "}",
};
#define ORDINARY (sizeof ordinary / sizeof *ordinary)

static void takes(void)
{
    for (size_t i = 0; i < ORDINARY; i++)
        if (!CHECK(compare(plog_span_text(ordinary[i]))))
            printf("# not taken: %s\n", ordinary[i]);
}

/* Of the 22nd digit of a salt four bits are not used: four of them are one. */
static void salts(void)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrs"
                                 "tuvwxyz0123456789+/=";
    for (const char *d = digits; *d; d++) {
        char line[400];
        int n = snprintf(line, sizeof line,
                         UPSERT "{}," TIME "," SOURCE
                                ",\"salt\":\"AAECAwQFBgcICQoLDA0OD%c==\"}",
                         *d);
        if (!CHECK(compare(plog_span(line, (size_t)n)) ==
                   (strchr("AQgw", *d) != NULL)))
            printf("# %c\n", *d);
    }
}

/* Right or wrong, they are not for it. */
static void leaves(void)
{
    static const char *const lines[] = {
        "",
        "{",
        "{\"seq\":",
        "{\"seq\":1,\"control\":\"init\",\"args\":{}}",
        UPSERT "{\"a\":1,\"a\":2}," REST,
        UPSERT "{\"a\":{\"b\":1,\"c\":[{\"d\":1,\"d\":1}]}}," REST,
        UPSERT "{\"a\":1,\"\\u0061\":2}," REST,
        UPSERT "{\"a\":\"\\u0000\"}," REST,
        UPSERT "{\"a\":\"\\ud800\"}," REST,
        UPSERT "{\"a\":\"\xc0\x80\"}," REST,
        UPSERT "{\"a\":\"\xed\xa0\x80\"}," REST,
        UPSERT "{\"a\":\"\x01\"}," REST,
        UPSERT "{\"a\":01}," REST,
        UPSERT "{\"a\":1.}," REST,
        UPSERT "{\"a\":-}," REST,
        UPSERT "{\"a\":1e}," REST,
        UPSERT "{\"a\":[1,]}," REST,
        UPSERT "{\"a\":1,}," REST,
        UPSERT "{\"a\":[1}," REST,
        UPSERT "{\"a\" :1}," REST,
        UPSERT "[]," REST,
        UPSERT "null," REST,
        HEAD "\"delete\",\"payload\":{}," REST,
        HEAD "\"insert\",\"payload\":{}," REST,
        UPSERT "{}," TIME "," SOURCE
               ",\"salt\":\"AAECAwQFBgcICQoLDA0ODx==\"}", /* odd bits */
        UPSERT "{}," TIME "," SOURCE ",\"salt\":\"AAECAwQFBgcICQoLDA0ODw=\"}",
        UPSERT "{}," TIME "," SOURCE ",\"outcome\":\"applied\"," SALT "}",
        UPSERT "{}," TIME "," SOURCE ",\"merged\":{}," SALT "}",
        UPSERT "{}," TIME "," SOURCE ",\"meta\":1," SALT "}",
        UPSERT "{}," TIME ",\"provenance\":{\"source\":\"s\"}," SALT "}",
        UPSERT "{}," TIME
               ",\"provenance\":{\"source\":\"s\",\"confidence\":1.5}," SALT
               "}",
        UPSERT "{}," TIME
               ",\"provenance\":{\"source\":\"\",\"confidence\":1}," SALT "}",
        UPSERT "{},\"occurred_at\":\"2026-02-29T00:00:00Z\"," SOURCE "," SALT
               "}",
        UPSERT "{}," TIME
               ",\"provenance\":{\"source\":\"s\",\"confidence\":-0.5}," SALT
               "}",
        UPSERT
        "{}," TIME "," SOURCE "," SALT
        ",\"logged_at\":\"2026-01-02T03:04:05Z\"}", /* not our spelling */
        UPSERT "{}," REST " ",
        " " UPSERT "{}," REST,
        "{\"seq\":0,\"resource\":\"p\",\"record_id\":\"r\",\"op\":\"upsert\","
        "\"payload\":{}," REST,
        "{\"seq\":07,\"resource\":\"p\",\"record_id\":\"r\",\"op\":\"upsert\","
        "\"payload\":{}," REST,
        "{\"seq\":7,\"resource\":\"\",\"record_id\":\"r\",\"op\":\"upsert\","
        "\"payload\":{}," REST,
        "{\"seq\":7,\"id\":\"\",\"resource\":\"p\",\"record_id\":\"r\","
        "\"op\":\"upsert\",\"payload\":{}," REST,
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        CHECK(!compare(plog_span_text(lines[i])));
}

/* Texts of 255 and 4,096 bytes are the longest. */
static void limits(void)
{
    static char line[6000];
    for (unsigned over = 0; over < 2; over++) {
        int n = snprintf(line, sizeof line,
                         "{\"seq\":1,\"resource\":\"%0*d\",\"record_id\":\"r\","
                         "\"op\":\"upsert\",\"payload\":{}," REST,
                         (int)(PLOG_NAME_MAX + over), 0);
        CHECK(compare(plog_span(line, (size_t)n)) == !over);
        n = snprintf(line, sizeof line,
                     "{\"seq\":1,\"resource\":\"p\",\"record_id\":\"%0*d\","
                     "\"op\":\"upsert\",\"payload\":{}," REST,
                     (int)(PLOG_RECORD_ID_MAX + over), 0);
        CHECK(compare(plog_span(line, (size_t)n)) == !over);
    }
}

/* So many names of open objects it keeps in mind, and no more. */
static void names(void)
{
    char line[900];
    for (int count = 31; count < 35; count++) {
        int n = snprintf(line, sizeof line, "%s{", UPSERT);
        for (int i = 0; i < count; i++)
            n += snprintf(line + n, sizeof line - (size_t)n, "%s\"n%d\":%d",
                          i ? "," : "", i, i);
        n += snprintf(line + n, sizeof line - (size_t)n, "},%s", REST);
        CHECK(compare(plog_span(line, (size_t)n)) == (count <= 32));
    }
}

/* Each as a payload, by what RFC 8259 says of it; and behind a name. */
static void json_texts(void)
{
    static const char *const around[][2] = {{UPSERT, "," REST},
                                            {UPSERT "{\"v\":", "}," REST}};
    struct plog_buf b;
    plog_buf_init(&b, plog_io_posix());
    for (size_t i = 0; i < json_case_count; i++)
        for (int k = 0; k < 2; k++) {
            const struct json_case *c = &json_cases[i];
            b.len = 0;
            CHECK_INT(plog_buf_add_text(&b, around[k][0]), 0);
            CHECK_INT(plog_buf_add(&b, c->text, c->n), 0);
            CHECK_INT(plog_buf_add_text(&b, around[k][1]), 0);
            compare(plog_span(b.data, b.len));
        }
    plog_buf_fini(&b);
}

/* Every ordinary line with a byte changed to each other one, without one, with
 * one more, and cut off. */
static void every_byte(void)
{
    char line[900];
    for (size_t i = 0; i < ORDINARY; i++) {
        size_t n = strlen(ordinary[i]);
        for (size_t at = 0; at < n && !check_failing(); at++) {
            memcpy(line, ordinary[i], n);
            for (unsigned byte = 0; byte < 256; byte++) {
                line[at] = (char)byte;
                compare(plog_span(line, n));
            }
            memcpy(line, ordinary[i], at);
            memcpy(line + at, ordinary[i] + at + 1, n - at - 1);
            compare(plog_span(line, n - 1));
            memcpy(line + at + 1, ordinary[i] + at, n - at);
            for (const char *p = "\"{}[],:\\0-. a\n"; *p; p++) {
                line[at] = *p;
                compare(plog_span(line, n + 1));
            }
            compare(plog_span(ordinary[i], at));
        }
    }
    printf("# %llu taken, %llu left\n", (unsigned long long)taken,
           (unsigned long long)left);
    CHECK(taken > 1000 && left > 1000);
}

/* Each without a few bytes next to each other: up to the longest of what must
 * stand there. */
static void stretches(void)
{
    const size_t longest = strlen(",\"provenance\":{\"confidence\":");
    char line[900];
    for (size_t i = 0; i < ORDINARY; i++) {
        size_t all = strlen(ordinary[i]);
        for (size_t at = 0; at < all && !check_failing(); at++)
            for (size_t n = 1; n <= longest && at + n < all; n++) {
                memcpy(line, ordinary[i], at);
                memcpy(line + at, ordinary[i] + at + n, all - at - n);
                compare(plog_span(line, all - n));
            }
    }
}

/* Two lines crossed: the begin of one, the end of another. */
static void crossed(void)
{
    char line[1800];
    for (size_t i = 0; i < ORDINARY; i++)
        for (size_t k = 0; k < ORDINARY && !check_failing(); k++)
            for (size_t at = 0; at < strlen(ordinary[i]); at += 3)
                for (size_t to = at % 5; to < strlen(ordinary[k]); to += 5) {
                    int n = snprintf(line, sizeof line, "%.*s%s", (int)at,
                                     ordinary[i], ordinary[k] + to);
                    compare(plog_span(line, (size_t)n));
                }
}

/* Each ordinary line cut off anywhere, at the end of what memory there is: a
 * byte read behind it would end the program. */
static void no_byte_behind(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct plog_sketch k;
    char *p = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(p != MAP_FAILED);
    CHECK_INT(mprotect(p + page, page, PROT_NONE), 0);
    for (size_t i = 0; i < ORDINARY; i++)
        for (size_t n = 0; n <= strlen(ordinary[i]); n++) {
            char *line = p + page - n;
            memcpy(line, ordinary[i], n);
            CHECK(plog_sketch_read(plog_span(line, n), p + page, &k) ==
                  (ordinary[i][n] == '\0'));
        }
    CHECK_INT(munmap(p, 2 * page), 0);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"takes", takes},         {"leaves", leaves},
        {"limits", limits},       {"json texts", json_texts},
        {"names", names},         {"every byte", every_byte},
        {"crossed", crossed},     {"no byte behind", no_byte_behind},
        {"stretches", stretches}, {"salts", salts},
    };
    plog_entry_parser_init(&parser, plog_io_posix());
    int rc = check_main(argc, argv, cases, sizeof cases / sizeof *cases);
    plog_entry_parser_fini(&parser);
    return rc;
}
