/*
 * delta.c - any bytes to the reader of a delta as a caller gives it.
 *
 * What it takes is strict JSON; written in the order of a log line it is read
 * as the same delta again, and as the same entry.  What it refuses is named by
 * a message that a terminal can show.  Times are checked beside the C
 * library's calendar.
 */
#include "delta.h"

#include <stdio.h>
#include <time.h>

#include "fuzz_lines.h"
#include "json_reference.h"
#include "line.h"

static struct plog_delta_parser first, second;
static struct plog_entry_parser entries;
static struct plog_buf again;

static void add_member(const char *name, struct plog_span raw)
{
    if (raw.n)
        MUST(!plog_buf_add_char(&again, again.len ? ',' : '{') &&
             !plog_buf_add_text(&again, name) &&
             !plog_buf_add_span(&again, raw));
}

static void same(const struct plog_delta *a, const struct plog_delta *b)
{
    MUST(plog_delta_same(a, b) && plog_span_equal(a->id, b->id));
    MUST(plog_span_equal(a->id_text, b->id_text) &&
         plog_span_equal(a->resource_text, b->resource_text) &&
         plog_span_equal(a->record_id_text, b->record_id_text) &&
         plog_span_equal(a->source_text, b->source_text) &&
         plog_span_equal(a->occurred_text, b->occurred_text));
    MUST(a->is_delete == b->is_delete && a->confidence == b->confidence &&
         plog_instant_compare(a->instant, b->instant) == 0);
}

/* Each member of the text is where its name says, and nothing else is. */
static void check_members(const struct plog_delta *d, struct plog_span object)
{
    const struct {
        const char *name;
        struct plog_span raw;
    } slots[] = {
        {"id", d->id},
        {"resource", d->resource},
        {"record_id", d->record_id},
        {"op", d->op},
        {"payload", d->payload},
        {"occurred_at", d->occurred_at},
        {"provenance", d->provenance},
        {"meta", d->meta},
    };
    struct plog_json_walk w;
    struct plog_span name, value;
    unsigned seen = 0;
    plog_json_walk(&w, object);
    while (plog_json_next(&w, &name, &value)) {
        size_t i = 0;
        while (i < 8 && !plog_json_name_is(name, slots[i].name))
            i++;
        MUST(i < 8);
        seen |= 1u << i;
        MUST(plog_span_equal(value, slots[i].raw) ||
             (i == 4 && d->is_delete && plog_span_is(slots[4].raw, "null")));
    }
    for (size_t i = 0; i < 8; i++)
        MUST(seen >> i & 1 || !slots[i].raw.n || (i == 4 && d->is_delete));
}

/* Its members in the order of the log, as an input and as a line. */
static void read_again(const struct plog_delta *d)
{
    struct plog_delta o;
    struct plog_entry e = {.seq = 7, .delta = *d}, back;
    size_t at;
    again.len = 0;
    add_member("\"id\":", d->id);
    add_member("\"resource\":", d->resource);
    add_member("\"record_id\":", d->record_id);
    add_member("\"op\":", d->op);
    add_member("\"payload\":", d->payload);
    add_member("\"occurred_at\":", d->occurred_at);
    add_member("\"provenance\":", d->provenance);
    add_member("\"meta\":", d->meta);
    MUST(!plog_buf_add_char(&again, '}'));
    MUST(!plog_delta_parse(&second, fuzz_span(&again), again.len, &o, NULL));
    same(d, &o);
    MUST(plog_delta_parse(&second, fuzz_span(&again), again.len - 1, &o,
                          NULL) == PLOG_E_INPUT);
    e.salt = plog_span_text("AAAAAAAAAAAAAAAAAAAAAA==");
    again.len = 0;
    MUST(!plog_entry_format(&again, &e, &at));
    MUST(!plog_entry_parse(&entries, fuzz_span(&again), &back, NULL));
    same(d, &back.delta);
    MUST(back.delta.payload.p == again.data + at);
}

/* An instant in UTC is what the C library makes of its seconds. */
static void check_instant(struct plog_instant t)
{
    char text[32], other[64];
    struct plog_instant back;
    struct tm tm;
    time_t seconds = (time_t)t.seconds;
    MUST(t.nanos >= 0 && t.nanos < 1000000000);
    plog_instant_format(t, text);
    MUST(gmtime_r(&seconds, &tm) != NULL);
    if (tm.tm_year + 1900 < 0 || tm.tm_year + 1900 > 9999)
        return; /* an offset leads out of what can be written */
    snprintf(other, sizeof other, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ",
             tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
             tm.tm_min, tm.tm_sec, (int)(t.nanos / 1000));
    MUST(strcmp(text, other) == 0);
    MUST(!plog_instant_parse(plog_span_text(text), &back));
    MUST(back.seconds == t.seconds && back.nanos == t.nanos / 1000 * 1000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char compact[1 << 16];
    struct plog_span text = plog_span((const char *)data, size);
    struct plog_error err;
    struct plog_instant instant;
    struct plog_delta d;
    size_t len;
    if (size > sizeof compact)
        return 0;
    if (!again.io) {
        plog_delta_parser_init(&first, fuzz_memory());
        plog_delta_parser_init(&second, fuzz_memory());
        plog_entry_parser_init(&entries, fuzz_memory());
        plog_buf_init(&again, fuzz_memory());
    }
    memset(&err, 0xee, sizeof err);
    if (!plog_instant_parse(text, &instant))
        check_instant(instant);
    int rc = plog_delta_parse(&first, text, sizeof compact, &d, &err);
    MUST(rc == 0 || rc == PLOG_E_INPUT);
    bool json = json_reference(text.p, text.n, compact, &len);
    if (rc) {
        MUST(err.code == rc &&
             fuzz_is_message(err.message, sizeof err.message));
        MUST(fuzz_is_message(err.member, sizeof err.member) &&
             fuzz_is_message(err.hint, sizeof err.hint));
        MUST(json == !err.has_offset);
        MUST(!err.has_offset || err.offset <= size);
        MUST(strncmp(err.message, err.member, strlen(err.member)) == 0);
        return 0;
    }
    MUST(json && first.compact.len == len &&
         memcmp(first.compact.data, compact, len) == 0);
    check_members(&d, fuzz_span(&first.compact));
    check_instant(d.instant);
    read_again(&d);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
                               unsigned seed)
{
    uint64_t random = seed;
    if (fuzz_below(&random, 2))
        return LLVMFuzzerMutate(data, size, max);
    return fuzz_mutate_json((char *)data, size, max, &random);
}
