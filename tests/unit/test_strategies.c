/*
 * test_strategies.c - how each of the six strategies decides, beyond the
 * acceptance list of test_seeds.c: what they see, what is logged, and that a
 * replay of the log alone gives the same records.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "world.h"

static struct world w;

/* Appends; returns 'A' applied, 'S' skipped, '!' refused. */
static char put(const char *op, const char *payload, const char *time,
                const char *confidence)
{
    char text[2000];
    struct plog_receipt r = {0};
    struct world_delta d = {
        .op = op, .payload = payload, .time = time, .confidence = confidence};
    int rc = world_append(&w, world_text(text, sizeof text, &d), &r, NULL);
    if (rc)
        return '!';
    return r.skipped ? 'S' : 'A';
}

static char up(const char *payload)
{
    return put("upsert", payload, NULL, NULL);
}

static char del(void)
{
    return put("delete", "null", NULL, NULL);
}

/* The record after a replay of the log alone is the one before it. */
static void end(uint64_t size, const char *want)
{
    CHECK_TEXT(world_record(&w, "1"), want);
    world_end(&w, size);
    CHECK_TEXT(world_record(&w, "1"), want);
}

static bool line_has(uint64_t seq, const char *what)
{
    char *line = world_line(&w, seq, NULL);
    bool has = strstr(line, what) != NULL;
    free(line);
    return has;
}

/* ---- Built-in strategies ------------------------------------------------ */

/* One instant in four spellings is a tie, and each tie goes to the later. */
static void ties_go_to_the_later(void)
{
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    CHECK_INT(put("upsert", "{\"a\":1}", "2026-03-01T00:30:00+01:00", NULL),
              'A');
    CHECK_INT(put("upsert", "{\"a\":2}", "2026-02-28T23:30:00Z", NULL), 'A');
    CHECK_INT(put("upsert", "{\"a\":3}", "2026-02-28t18:30:00.000-05:00", NULL),
              'A');
    CHECK_INT(put("delete", "null", "2026-02-28T23:30:00.000000000Z", NULL),
              'A');
    CHECK_INT(
        put("upsert", "{\"a\":4}", "2026-02-28T23:29:59.999999999Z", NULL),
        'S');
    end(6, "deleted v4");
}

/* A delete that is older than the record loses as an upsert would. */
static void an_older_delete_loses(void)
{
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    CHECK_INT(put("upsert", "{}", "2026-01-02T00:00:00Z", NULL), 'A');
    CHECK_INT(put("delete", "null", "2026-01-01T00:00:00Z", NULL), 'S');
    CHECK(line_has(3, "\"op\":\"delete\",\"payload\":null"));
    CHECK(line_has(3, "\"outcome\":\"skipped\""));
    end(3, "{} v1");
}

/* Confidence is compared as a double: 0.1 and 1e-1 are equal, and applies. */
static void confidence_is_a_number(void)
{
    world_make(&w, PLOG_HIGHEST_CONFIDENCE, 0);
    CHECK_INT(put("upsert", "{\"a\":1}", NULL, "0.1"), 'A');
    CHECK_INT(put("upsert", "{\"a\":2}", NULL, "1e-1"), 'A');
    CHECK_INT(put("upsert", "{\"a\":3}", NULL, "0.09999999999999999"), 'S');
    CHECK_INT(put("upsert", "{\"a\":4}", NULL, "1.0"), 'A');
    CHECK_INT(put("upsert", "{\"a\":5}", NULL, "1"), 'A');
    CHECK_INT(put("upsert", "{\"a\":6}", NULL, "0"), 'S');
    end(7, "{\"a\":5} v4");
}

/* Deleting what is not there makes a tombstone that counts. */
static void delete_of_nothing(void)
{
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    CHECK_INT(put("delete", "{}", "2026-01-02T00:00:00Z", NULL), 'A');
    CHECK_TEXT(world_record(&w, "1"), "deleted v1");
    CHECK_INT(put("upsert", "{}", "2026-01-01T00:00:00Z", NULL), 'S');
    CHECK_TEXT(world_record(&w, "1"), "deleted v1");
    CHECK_INT(put("upsert", "{}", "2026-01-03T00:00:00Z", NULL), 'A');
    end(4, "{} v2");
}

/* Objects go into each other; everything else takes the place of what was. */
static void merge_replaces_what_is_no_object(void)
{
    world_make(&w, PLOG_MERGE_JSON, 0);
    CHECK_INT(up("{\"o\":{\"p\":{\"q\":1,\"r\":2}},\"l\":[1,{\"x\":1}],\"n\":"
                 "null,\"s\":\"t\"}"),
              'A');
    CHECK_INT(up("{\"o\":{\"p\":{\"q\":9}},\"l\":[{\"y\":2}]}"), 'A');
    CHECK_TEXT(world_record(&w, "1"),
               "{\"o\":{\"p\":{\"q\":9,\"r\":2}},\"l\":[{\"y\":2}],\"n\":null,"
               "\"s\":\"t\"} v2");
    CHECK_INT(up("{\"o\":1,\"n\":{\"m\":2},\"s\":{\"z\":null}}"), 'A');
    end(4, "{\"o\":1,\"l\":[{\"y\":2}],\"n\":{\"m\":2},\"s\":{\"z\":null}} v3");
}

/* Members are the same when their names are, however they are escaped. */
static void merge_knows_escaped_names(void)
{
    world_make(&w, PLOG_MERGE_JSON, 0);
    CHECK_INT(up("{\"a\":1,\"b\":{\"c\":1}}"), 'A');
    CHECK_INT(up("{\"\\u0061\":2,\"\\u0062\":{\"\\u0063\":3}}"), 'A');
    CHECK(strstr(world_record(&w, "1"), ":1") == NULL);
    CHECK_INT(up("{}"), 'A');
    CHECK_UINT(world_size(&w), 4);
    world_end(&w, 4);
}

/* The delta is logged as it came; the merged record is the fold's business. */
static void merge_logs_the_delta(void)
{
    world_make(&w, PLOG_MERGE_JSON, 0);
    up("{\"a\":1}");
    up("{\"b\":2}");
    CHECK(line_has(3, "\"payload\":{\"b\":2},"));
    CHECK(!line_has(3, "\"merged\""));
    CHECK_INT(del(), 'A');
    end(4, "deleted v3");
}

/* A refused merge leaves no byte: neither leg nor the id remembers it. */
static void refused_merge_writes_nothing(void)
{
    struct plog_init_options o = {.struct_size = sizeof o,
                                  .strategy = PLOG_MERGE_JSON,
                                  .line_max_bytes = 1024};
    char text[1200], payload[800];
    struct world_delta d = {.id = "big", .payload = payload};
    struct plog_error err = {0};
    size_t before, after;
    world_make(&w, PLOG_MERGE_JSON, 0);
    world_close(&w);
    snprintf(w.dir, sizeof w.dir, "%.400s/small", check_dir());
    CHECK_INT(plog_init(w.dir, &o, w.vkey, NULL), 0);
    CHECK_INT(world_open(&w), 0);
    snprintf(payload, sizeof payload, "{\"a\":\"%0600d\"}", 0);
    CHECK_INT(up(payload), 'A');
    const char *path = world_path(&w, "log/00000000000000000001.jsonl");
    char *was = world_read(path, &before);
    snprintf(payload, sizeof payload, "{\"b\":\"%0600d\"}", 0);
    CHECK_INT(world_append(&w, world_text(text, sizeof text, &d), NULL, &err),
              PLOG_E_INPUT);
    char *now =
        world_read(world_path(&w, "log/00000000000000000001.jsonl"), &after);
    CHECK_BYTES(now, after < before ? after : before, was, before);
    free(was);
    free(now);
    d.payload = "{\"c\":1}";
    CHECK_INT(world_append(&w, world_text(text, sizeof text, &d), NULL, NULL),
              0);
    world_end(&w, 3);
}

/* ---- The custom strategy ------------------------------------------------ */

static struct {
    unsigned calls;
    bool present;
    char payload[200], source[20], time[60], id[20];
    double confidence;
    uint64_t version, seq;
} seen;

static void copy(char *out, size_t cap, struct plog_span s)
{
    snprintf(out, cap, "%.*s", (int)s.n, s.n ? s.p : "");
}

/* What the delta asks for: {"do":"skip"}, "merge", "break", "refuse". */
static int by_request(void *arg, const struct plog_record *now,
                      const struct plog_delta_view *d, struct plog_span *merged)
{
    (void)arg;
    seen.calls++;
    seen.present = now != NULL;
    if (now) {
        copy(seen.payload, sizeof seen.payload, now->payload);
        copy(seen.source, sizeof seen.source, now->source);
        copy(seen.time, sizeof seen.time, now->occurred_at);
        seen.confidence = now->confidence;
        seen.version = now->version;
        seen.seq = now->seq;
    }
    copy(seen.id, sizeof seen.id, d->id);
    if (memmem(d->payload.p, d->payload.n, "skip", 4))
        return 0;
    if (memmem(d->payload.p, d->payload.n, "refuse", 6))
        return -1;
    if (d->is_delete || memmem(d->payload.p, d->payload.n, "merge", 5))
        *merged = (struct plog_span){"{\"made\":true}", 13};
    if (memmem(d->payload.p, d->payload.n, "break", 5))
        *merged = (struct plog_span){"[1]", 3};
    return 1;
}

static void make_custom(void)
{
    memset(&seen, 0, sizeof seen);
    world_make(&w, PLOG_CUSTOM, 0);
    w.options.custom = by_request;
    CHECK_INT(world_open(&w), 0);
}

/* Who has no callback hears what to do, though the strategy was taken. */
static void custom_without_a_callback(void)
{
    char text[400];
    struct plog_error err = {.code = 0};
    struct world_delta d = {.payload = "{}"};
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(plog_set_strategy(w.p, PLOG_CUSTOM, NULL, NULL), 0);
    world_text(text, sizeof text, &d);
    CHECK_INT(world_append(&w, text, NULL, &err), PLOG_E_INPUT);
    CHECK(strstr(err.message, "no callback was given") != NULL);
    CHECK(strstr(err.hint, "plog_options.custom") != NULL);
    CHECK_INT(plog_set_strategy(w.p, PLOG_ARRIVAL, NULL, NULL), 0);
    CHECK_INT(world_append(&w, text, NULL, NULL), 0);
    world_end(&w, 4);
}

/* Outcome and merged payload stand in the log, and no replay asks again. */
static void custom_is_logged(void)
{
    make_custom();
    CHECK_INT(up("{\"do\":\"apply\"}"), 'A');
    CHECK_INT(up("{\"do\":\"skip\"}"), 'S');
    CHECK(line_has(3, "\"outcome\":\"skipped\""));
    CHECK_INT(up("{\"do\":\"merge\"}"), 'A');
    CHECK(line_has(4, "\"payload\":{\"do\":\"merge\"},"));
    CHECK(line_has(4, "\"merged\":{\"made\":true},"));
    CHECK_UINT(seen.calls, 3);
    w.options.custom = NULL;
    end(4, "{\"made\":true} v2");
    CHECK_UINT(seen.calls, 3);
}

/* A refusal, or a merged payload that is no object, writes nothing. */
static void custom_may_refuse(void)
{
    make_custom();
    CHECK_INT(up("{\"do\":\"refuse\"}"), '!');
    CHECK_INT(up("{\"do\":\"break\"}"), '!');
    CHECK_UINT(world_size(&w), 1);
    CHECK_INT(up("{}"), 'A');
    end(2, "{} v1");
}

/* The callback sees the record as it stands, with all that a strategy may
 * want to compare. */
static void custom_sees_the_record(void)
{
    make_custom();
    CHECK_INT(put("upsert", "{\"a\":1}", "2026-01-01T01:00:00+01:00", "0.5"),
              'A');
    CHECK(!seen.present);
    CHECK_INT(up("{\"do\":\"skip\"}"), 'S');
    CHECK(seen.present);
    CHECK_TEXT(seen.payload, "{\"a\":1}");
    CHECK(seen.confidence == 0.5);
    CHECK_UINT(seen.version, 1);
    CHECK_UINT(seen.seq, 2);
    CHECK_TEXT(seen.source, "s");
    CHECK_TEXT(seen.time, "2026-01-01T01:00:00+01:00");
    world_end(&w, 3);
}

/* A tombstone is an absent record; a merged payload of a delete is not used. */
static void custom_and_deletes(void)
{
    make_custom();
    CHECK_INT(up("{}"), 'A');
    CHECK_INT(del(), 'A');
    CHECK_TEXT(world_record(&w, "1"), "deleted v2");
    CHECK_INT(up("{}"), 'A');
    CHECK(!seen.present);
    end(4, "{} v3");
}

/* Of a group refused by its last delta nothing stays. */
static void custom_refuses_a_group(void)
{
    char texts[2][1000];
    struct plog_error err = {0};
    struct world_delta d[2] = {
        {.record = "1", .payload = "{}"},
        {.record = "1", .payload = "{\"do\":\"refuse\"}"}};
    struct plog_span spans[2];
    make_custom();
    for (int i = 0; i < 2; i++) {
        spans[i].p = world_text(texts[i], sizeof texts[i], &d[i]);
        spans[i].n = strlen(texts[i]);
    }
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = spans, .delta_count = 2};
    CHECK_INT(plog_append_group(w.p, &g, NULL, &err), PLOG_E_INPUT);
    CHECK(err.has_index);
    CHECK_UINT(err.index, 1);
    end(1, "none");
}

/* ---- Changing the strategy ---------------------------------------------- */

/* The change counts from the next entry on, for this handle and for others,
 * and a replay goes through the same strategies. */
static void strategy_changes_from_then_on(void)
{
    struct plog_receipt r;
    world_make(&w, PLOG_KEEP_LOCAL, 0);
    CHECK_INT(up("{\"a\":1}"), 'A');
    CHECK_INT(up("{\"a\":2}"), 'S');
    CHECK_INT(plog_set_strategy(w.p, PLOG_ARRIVAL, &r, NULL), 0);
    CHECK_UINT(r.seq, 4);
    CHECK_UINT(r.size, 4);
    CHECK(line_has(4, "{\"seq\":4,\"control\":\"strategy\",\"args\":{"
                      "\"strategy\":\"arrival\"}"));
    CHECK_INT(up("{\"a\":3}"), 'A');
    CHECK_INT(plog_set_strategy(w.p, PLOG_MERGE_JSON, NULL, NULL), 0);
    CHECK_INT(world_open(&w), 0); /* another handle */
    CHECK_INT(up("{\"b\":4}"), 'A');
    CHECK_INT(plog_set_strategy(w.p, PLOG_HIGHEST_CONFIDENCE, NULL, NULL), 0);
    CHECK_INT(put("upsert", "{}", NULL, "0.9"), 'S');
    end(9, "{\"a\":3,\"b\":4} v3");
}

/* No such strategy is said before anything is written. */
static void no_such_strategy(void)
{
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(plog_set_strategy(w.p, (enum plog_strategy)6, NULL, NULL),
              PLOG_E_ARG);
    CHECK_INT(plog_set_strategy(w.p, (enum plog_strategy) - 1, NULL, NULL),
              PLOG_E_ARG);
    end(1, "none");
}

/* Names and numbers of the strategies answer to each other. */
static void names(void)
{
    enum plog_strategy s;
    for (int i = 0; i < PLOG_STRATEGIES; i++) {
        const char *name = plog_strategy_name((enum plog_strategy)i);
        CHECK(name && plog_strategy_parse(name, &s) == 0 && (int)s == i);
    }
    CHECK_INT(plog_strategy_parse("Arrival", &s), PLOG_E_ARG);
    CHECK_INT(plog_strategy_parse("", &s), PLOG_E_ARG);
}

static int lines(void *arg, uint64_t seq, const char *line, size_t len)
{
    char *out = arg;
    bool lost = memmem(line, len, "\"outcome\":\"skipped\"", 19) != NULL;
    size_t n = strlen(out);
    snprintf(out + n, 40 - n, "%c%d ", lost ? 'S' : 'A', (int)seq);
    return 0;
}

/* The history has losers, too, oldest first, and of this record only. */
static void history_has_the_losers(void)
{
    char got[40] = "";
    plog_reader *r = NULL;
    world_make(&w, PLOG_KEEP_LOCAL, 0);
    up("{\"a\":1}");
    world_put(&w, NULL, "2", "x", NULL);
    up("{\"a\":2}");
    del();
    CHECK_INT(plog_reader_open(&r, w.dir, NULL, NULL), 0);
    CHECK_INT(plog_reader_history(r, (struct plog_span){"r", 1},
                                  (struct plog_span){"1", 1}, lines, got, NULL),
              0);
    CHECK_TEXT(got, "A2 S4 S5 ");
    CHECK_INT(plog_reader_history(r, (struct plog_span){"r", 1},
                                  (struct plog_span){"3", 1}, lines, got, NULL),
              PLOG_E_NOT_FOUND);
    plog_reader_close(r);
    world_end(&w, 5);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"ties_go_to_the_later", ties_go_to_the_later},
        {"an_older_delete_loses", an_older_delete_loses},
        {"confidence_is_a_number", confidence_is_a_number},
        {"delete_of_nothing", delete_of_nothing},
        {"merge_replaces_what_is_no_object", merge_replaces_what_is_no_object},
        {"merge_knows_escaped_names", merge_knows_escaped_names},
        {"merge_logs_the_delta", merge_logs_the_delta},
        {"refused_merge_writes_nothing", refused_merge_writes_nothing},
        {"custom_without_a_callback", custom_without_a_callback},
        {"custom_is_logged", custom_is_logged},
        {"custom_may_refuse", custom_may_refuse},
        {"custom_sees_the_record", custom_sees_the_record},
        {"custom_and_deletes", custom_and_deletes},
        {"custom_refuses_a_group", custom_refuses_a_group},
        {"strategy_changes_from_then_on", strategy_changes_from_then_on},
        {"no_such_strategy", no_such_strategy},
        {"names", names},
        {"history_has_the_losers", history_has_the_losers},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
