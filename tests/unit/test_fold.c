/*
 * test_fold.c - what a strategy makes of a record, taken by itself: ties
 * between origins, rows that point outside their entry, entries that cannot be
 * had, and memory that runs out.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fold.h"

/* ---- A fold over a state in memory -------------------------------------- */

static struct plog_io io;
static struct plog_fold f;
static sqlite3 *db;
static const char *line; /* of any entry; NULL: it cannot be had */
static struct plog_options options;

static int line_of(void *arg, uint64_t seq, struct plog_span *out,
                   struct plog_error *err)
{
    (void)arg;
    if (!line)
        return plog_fail(err, PLOG_E_CORRUPT, "entry %d", (int)seq);
    *out = plog_span_text(line);
    return 0;
}

static void set_up(void)
{
    io = *plog_io_posix();
    memset(&f, 0, sizeof f);
    memset(&options, 0, sizeof options);
    f.io = &io;
    f.origin = "me";
    f.line_of = line_of;
    f.options = &options;
    line = NULL;
    CHECK_INT(sqlite3_open(":memory:", &db), SQLITE_OK);
    CHECK_INT(sqlite3_exec(db,
                           "CREATE TABLE state(" PLOG_STATE_COLUMNS
                           ") " PLOG_STATE_OPTIONS,
                           NULL, NULL, NULL),
              SQLITE_OK);
    CHECK_INT(plog_fold_open(&f, db, "main", NULL), 0);
}

static void tear_down(void)
{
    plog_fold_close(&f);
    CHECK_INT(sqlite3_close(db), SQLITE_OK);
}

static struct plog_entry upsert(uint64_t seq, const char *payload)
{
    struct plog_entry e = {.seq = seq};
    e.delta.resource_text = plog_span_text("r");
    e.delta.record_id_text = plog_span_text("1");
    e.delta.payload = plog_span_text(payload);
    e.delta.confidence = 0.5;
    e.delta.instant.seconds = 100;
    return e;
}

static int get(struct plog_current *now)
{
    return plog_fold_get(&f, plog_span_text("r"), plog_span_text("1"), now,
                         NULL);
}

/* ---- Ties --------------------------------------------------------------- */

/* Two instances that exchange everything must agree whatever comes first. */
static void ties(void)
{
    static const struct {
        const char *from, *origin; /* "": our own */
        uint64_t from_seq, seq, origin_seq;
        bool applies;
    } all[] = {
        {"", "", 0, 9, 8, true},    {"", "", 0, 8, 8, false},
        {"", "", 0, 7, 8, false},   {"a", "a", 5, 9, 4, true},
        {"a", "a", 4, 9, 4, false}, {"a", "a", 3, 9, 4, false},
        {"b", "a", 1, 9, 8, true},  {"a", "b", 9, 9, 1, false},
        {"z", "", 1, 9, 8, true},   {"a", "", 9, 9, 1, false},
        {"", "a", 0, 1, 8, true},   {"", "z", 0, 9, 1, false},
        {"me", "", 9, 1, 8, true},  {"me", "", 8, 99, 8, false},
    };
    set_up();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_entry e = upsert(all[i].seq, "{}");
        struct plog_current now = {.known = true, .present = true, .seq = 8};
        struct plog_decision d;
        e.from = plog_span_text(all[i].from);
        e.from_seq = all[i].from_seq;
        now.instant = e.delta.instant;
        now.origin = plog_span_text(all[i].origin);
        now.origin_seq = all[i].origin_seq;
        CHECK_INT(
            plog_fold_decide(&f, PLOG_LAST_WRITE_WINS, &e, &now, 999, &d, NULL),
            0);
        if (!CHECK(d.skipped == !all[i].applies))
            printf("#   row %zu\n", i);
        e.delta.instant.nanos = 1; /* later: whoever it is */
        CHECK_INT(
            plog_fold_decide(&f, PLOG_LAST_WRITE_WINS, &e, &now, 999, &d, NULL),
            0);
        CHECK(!d.skipped);
    }
    tear_down();
}

/* What a row keeps of an entry, and what one that lost leaves of it. */
static void rows_keep_their_origin(void)
{
    struct plog_entry e = upsert(5, "{\"a\":1}");
    struct plog_current now;
    struct plog_decision d = {.skipped = false};
    set_up();
    CHECK_INT(get(&now), 0);
    CHECK(!now.known);
    e.from = plog_span_text("them");
    e.from_seq = 77;
    CHECK_INT(plog_fold_put(&f, &e, &now, &d, 12, NULL), 0);
    CHECK_INT(get(&now), 0);
    CHECK(now.known && now.present && plog_span_is(now.origin, "them"));
    CHECK_UINT(now.origin_seq, 77);
    CHECK_UINT(now.payload_at, 12);
    CHECK_UINT(now.payload_len, 7);
    CHECK_UINT(now.version, 1);
    e = upsert(6, "{}");
    d.skipped = true;
    CHECK_INT(plog_fold_put(&f, &e, &now, &d, 3, NULL), 0);
    CHECK_INT(get(&now), 0);
    CHECK(plog_span_is(now.origin, "them"));
    CHECK_UINT(now.seq, 5);
    CHECK_UINT(now.last, 6);
    CHECK_UINT(now.origin_seq, 77);
    CHECK_UINT(now.payload_at, 12);
    CHECK_UINT(now.version, 1);
    d.skipped = false;
    CHECK_INT(plog_fold_put(&f, &e, &now, &d, 3, NULL), 0);
    CHECK_INT(get(&now), 0);
    CHECK_UINT(now.origin.n, 0);
    CHECK_UINT(now.origin_seq, 6);
    tear_down();
}

/* Whoever asks for memory meanwhile gets none that a row is in: what was given
 * back is what SQLite gives out next. */
static void use_memory(void)
{
    enum { BLOCKS = 64 };
    static void *all[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        int n = 8 + 16 * (i % 8);
        all[i] = sqlite3_malloc(n);
        if (all[i])
            memset(all[i], 'x', (size_t)n);
    }
    for (int i = 0; i < BLOCKS; i++)
        sqlite3_free(all[i]);
}

static void texts_live_on(void)
{
    struct plog_entry e = upsert(5, "{\"a\":1}");
    struct plog_current now;
    struct plog_decision d = {.skipped = false};
    set_up();
    CHECK_INT(get(&now), 0);
    e.from = plog_span_text("another origin than ours");
    CHECK_INT(plog_fold_put(&f, &e, &now, &d, 12, NULL), 0);
    CHECK_INT(get(&now), 0);
    use_memory();
    CHECK(plog_span_is(now.origin, "another origin than ours"));
    e.from = plog_span_text("");
    d.merged = plog_span_text("{\"a\":1,\"b\":2}");
    CHECK_INT(plog_fold_put(&f, &e, &now, &d, 12, NULL), 0);
    CHECK_INT(get(&now), 0);
    use_memory();
    CHECK(plog_span_is(now.merged, "{\"a\":1,\"b\":2}"));
    tear_down();
}

/* A row of a snapshot that no entry was applied to. */
static void a_row_without_an_entry(void)
{
    struct plog_folded r = {.last = 4, .version = 0};
    struct plog_entry e = upsert(3, "7");
    struct plog_current now;
    set_up();
    r.resource = plog_span_text("r");
    r.record_id = plog_span_text("1");
    CHECK_INT(plog_fold_restore(&f, &r, NULL), 0);
    CHECK_INT(get(&now), 0);
    CHECK(now.known && !now.present);
    CHECK_UINT(now.seq, 0);
    CHECK_UINT(now.last, 4);
    CHECK_UINT(now.origin_seq, 0);
    r.entry = &e;
    r.line = plog_span("{\"seq\":7", 8);
    e.delta.payload = plog_span(r.line.p + 7, 1);
    CHECK_INT(plog_fold_restore(&f, &r, NULL), 0);
    CHECK_INT(get(&now), 0);
    CHECK(now.present);
    CHECK_UINT(now.seq, 3);
    CHECK_UINT(now.payload_at, 7);
    CHECK_UINT(now.payload_len, 1);
    tear_down();
}

/* ---- Payloads ----------------------------------------------------------- */

static void payloads(void)
{
    static const struct {
        uint64_t at, len;
        int rc;
        const char *payload;
    } all[] = {
        {0, 9, 0, "{\"a\":1} #"},
        {5, 4, 0, "} #"},
        {9, 0, 0, ""},
        {0, 10, PLOG_E_DIVERGED, NULL},
        {9, 1, PLOG_E_DIVERGED, NULL},
        {10, 1, PLOG_E_DIVERGED, NULL},
        {5, 5, PLOG_E_DIVERGED, NULL},
        {UINT64_MAX, 1, PLOG_E_DIVERGED, NULL},
        {1, UINT64_MAX, PLOG_E_DIVERGED, NULL},
    };
    set_up();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_current now = {.known = true, .present = true, .seq = 2};
        struct plog_span out;
        struct plog_error err = {0};
        now.payload_at = all[i].at;
        now.payload_len = all[i].len;
        line = "{\"a\":1} #";
        CHECK_INT(plog_fold_payload(&f, &now, &out, &err), all[i].rc);
        if (!all[i].rc)
            CHECK_BYTES(out.p, out.n, line + (all[i].len ? all[i].at : 0),
                        (size_t)all[i].len);
        else
            CHECK_TEXT(err.message, "a record points outside its entry");
        line = NULL; /* asked only for what is not here */
        CHECK_INT(plog_fold_payload(&f, &now, &out, NULL),
                  all[i].len ? PLOG_E_CORRUPT : 0);
        now.merged = plog_span_text("{\"m\":2}");
        CHECK_INT(plog_fold_payload(&f, &now, &out, NULL), 0);
        CHECK(plog_span_is(out, "{\"m\":2}"));
    }
    tear_down();
}

/* A merge over a record whose entry cannot be had is none. */
static void merge_without_the_entry(void)
{
    struct plog_entry e = upsert(9, "{\"b\":2}");
    struct plog_current now = {.known = true, .present = true, .seq = 8};
    struct plog_decision d;
    struct plog_error err = {0};
    struct plog_current before;
    bool agrees;
    set_up();
    now.payload_len = 7;
    CHECK_INT(plog_fold_decide(&f, PLOG_MERGE_JSON, &e, &now, 99, &d, &err),
              PLOG_E_CORRUPT);
    CHECK_TEXT(err.message, "entry 8");
    line = "{\"a\":1}";
    CHECK_INT(plog_fold_decide(&f, PLOG_MERGE_JSON, &e, &now, 99, &d, &err), 0);
    CHECK(plog_span_is(d.merged, "{\"a\":1,\"b\":2}"));
    /* The same of a logged one: the row stays as it was. */
    struct plog_decision own = {.skipped = false};
    struct plog_entry first = upsert(8, "{\"a\":1}");
    memset(&now, 0, sizeof now);
    CHECK_INT(plog_fold_put(&f, &first, &now, &own, 0, NULL), 0);
    line = NULL;
    CHECK_INT(plog_fold_logged(&f, PLOG_MERGE_JSON, &e, e.delta.payload,
                               &agrees, &before, NULL),
              PLOG_E_CORRUPT);
    CHECK_INT(get(&now), 0);
    CHECK_UINT(now.last, 8);
    line = "{\"a\":1}";
    CHECK_INT(plog_fold_logged(&f, PLOG_MERGE_JSON, &e, e.delta.payload,
                               &agrees, &before, NULL),
              0);
    CHECK(agrees);
    CHECK_INT(get(&now), 0);
    CHECK(plog_span_is(now.merged, "{\"a\":1,\"b\":2}"));
    /* What a callback chose before the strategy changed stands. */
    line = NULL;
    e = upsert(10, "{\"c\":3}");
    e.merged = plog_span_text("{\"chosen\":1}");
    CHECK_INT(plog_fold_logged(&f, PLOG_MERGE_JSON, &e, e.delta.payload,
                               &agrees, &before, NULL),
              0);
    CHECK_INT(get(&now), 0);
    CHECK(plog_span_is(now.merged, "{\"chosen\":1}"));
    tear_down();
}

/* ---- The callback ------------------------------------------------------- */

static const char winner[] =
    "{\"seq\":8,\"id\":\"i\",\"resource\":\"r\",\"record_id\":\"1\",\"op\":"
    "\"upsert\",\"payload\":{\"a\":1},\"occurred_at\":\"2026-01-02T03:04:05Z"
    "\",\"provenance\":{\"source\":\"src\",\"confidence\":0.5},\"salt\":"
    "\"AAAAAAAAAAAAAAAAAAAAAA==\"}";

static struct {
    int answer, calls;
    const char *merged; /* NULL: none */
    char payload[40], source[40];
    uint64_t seq;
} custom;

static int answer(void *arg, const struct plog_record *current,
                  const struct plog_delta_view *delta, struct plog_span *merged)
{
    (void)arg, (void)delta;
    custom.calls++;
    custom.seq = current ? current->seq : 0;
    snprintf(custom.payload, sizeof custom.payload, "%.*s",
             current ? (int)current->payload.n : 0,
             current ? current->payload.p : "");
    snprintf(custom.source, sizeof custom.source, "%.*s",
             current ? (int)current->source.n : 0,
             current ? current->source.p : "");
    if (custom.merged)
        *merged = plog_span_text(custom.merged);
    return custom.answer;
}

static int ask(const struct plog_entry *e, bool present,
               struct plog_decision *d, struct plog_error *err)
{
    struct plog_current now = {.known = present, .present = present, .seq = 8};
    memset(err, 0, sizeof *err);
    return plog_fold_decide(&f, PLOG_CUSTOM, e, &now, 999, d, err);
}

static void no_callback(void)
{
    struct plog_entry e = upsert(9, "{}");
    struct plog_decision d;
    struct plog_error err;
    set_up();
    CHECK_INT(ask(&e, false, &d, &err), PLOG_E_INPUT);
    f.options = NULL;
    CHECK_INT(ask(&e, false, &d, &err), PLOG_E_INPUT);
    CHECK(strstr(err.message, "no callback") != NULL);
    tear_down();
}

static void what_the_callback_sees(void)
{
    struct plog_entry e = upsert(9, "{}");
    struct plog_decision d;
    struct plog_error err;
    set_up();
    memset(&custom, 0, sizeof custom);
    options.custom = answer;
    custom.answer = 1;
    CHECK_INT(ask(&e, false, &d, &err), 0);
    CHECK(custom.calls == 1 && custom.seq == 0 && !d.skipped);
    line = winner;
    CHECK_INT(ask(&e, true, &d, &err), 0);
    CHECK_UINT(custom.seq, 8);
    CHECK_TEXT(custom.payload, "{\"a\":1}");
    CHECK_TEXT(custom.source, "src");
    line = NULL;
    CHECK_INT(ask(&e, true, &d, &err), PLOG_E_CORRUPT);
    CHECK_TEXT(err.message, "entry 8");
    line = "{\"seq\":8}";
    CHECK_INT(ask(&e, true, &d, &err), PLOG_E_DIVERGED);
    CHECK_TEXT(err.message, "event 8 is not an entry");
    CHECK_INT(custom.calls, 2); /* it was not asked with half a record */
    tear_down();
}

/* The record as readers have it, not as its last delta left it. */
static void the_callback_sees_what_was_merged(void)
{
    struct plog_entry e = upsert(9, "{}");
    struct plog_current now = {.known = true, .present = true, .seq = 8};
    struct plog_decision d;
    set_up();
    memset(&custom, 0, sizeof custom);
    options.custom = answer;
    custom.answer = 1;
    line = winner;
    now.merged = plog_span_text("{\"a\":1,\"b\":2}");
    CHECK_INT(plog_fold_decide(&f, PLOG_CUSTOM, &e, &now, 999, &d, NULL), 0);
    CHECK_TEXT(custom.payload, "{\"a\":1,\"b\":2}");
    CHECK_TEXT(custom.source, "src");
    tear_down();
}

static void what_the_callback_says(void)
{
    static const struct {
        int answer;
        const char *merged;
        bool is_delete;
        int rc;
        bool skipped, by_callback;
    } all[] = {
        {1, NULL, false, 0, false, false},
        {0, NULL, false, 0, true, false},
        {-1, NULL, false, PLOG_E_INPUT, false, false},
        {1, "{\"m\":1}", false, 0, false, true},
        {0, "{\"m\":1}", false, 0, true, false},
        {1, "{\"m\":1}", true, 0, false, false},
        {1, "{ }", false, PLOG_E_INPUT, false, true},
        {1, "[]", false, PLOG_E_INPUT, false, true},
        {1, "{}},{", false, PLOG_E_INPUT, false, true},
    };
    static const char not_one[] =
        "merged: the custom strategy's payload is not a compact object: ";
    set_up();
    memset(&custom, 0, sizeof custom);
    options.custom = answer;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_entry e = upsert(9, "{}");
        struct plog_decision d;
        struct plog_error err = {.code = 0};
        e.delta.is_delete = all[i].is_delete;
        custom.answer = all[i].answer;
        custom.merged = all[i].merged;
        if (!CHECK_INT(ask(&e, false, &d, &err), all[i].rc))
            printf("#   row %zu: %s\n", i, err.message);
        CHECK_INT(err.code, all[i].rc);
        CHECK((strncmp(err.message, not_one, strlen(not_one)) == 0) ==
              (all[i].rc != 0 && all[i].merged));
        if (i == 7)
            CHECK_TEXT(err.message + strlen(not_one), "not an object");
        if (all[i].rc)
            continue;
        CHECK(d.skipped == all[i].skipped);
        CHECK(d.by_callback == all[i].by_callback);
        CHECK(plog_span_is(d.merged, d.by_callback ? all[i].merged : ""));
    }
    tear_down();
}

/* ---- Memory ------------------------------------------------------------- */

static long left;

static void *failing_alloc(void *ctx, void *p, size_t n)
{
    if (n == 0)
        return plog_io_posix()->alloc(ctx, p, n);
    return left-- == 0 ? NULL : plog_io_posix()->alloc(ctx, p, n);
}

/* At each allocation, for payloads of all lengths up to some: it is never
 * taken for a refusal or for a record that is no entry. */
static void memory_runs_out(void)
{
    static char payload[200];
    long failed = 0;
    for (size_t n = 8; n < sizeof payload; n += 3) {
        memset(payload, 'x', n);
        memcpy(payload, "{\"m\":\"", 6);
        memcpy(payload + n - 2, "\"}", 3);
        for (long nth = 0, reached = 1; reached; nth++) {
            struct plog_entry e = upsert(9, "{}");
            struct plog_decision d;
            struct plog_error err;
            set_up();
            memset(&custom, 0, sizeof custom);
            options.custom = answer;
            custom.answer = 1;
            custom.merged = payload;
            line = winner;
            io.alloc = failing_alloc;
            left = nth;
            int rc = ask(&e, true, &d, &err);
            reached = left < 0;
            failed += reached;
            CHECK_INT(rc, reached ? PLOG_E_NOMEM : 0);
            left = -1;
            tear_down();
        }
    }
    CHECK(failed > 100);
}

/* ------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"ties", ties},
        {"rows_keep_their_origin", rows_keep_their_origin},
        {"texts_live_on", texts_live_on},
        {"a_row_without_an_entry", a_row_without_an_entry},
        {"payloads", payloads},
        {"merge_without_the_entry", merge_without_the_entry},
        {"no_callback", no_callback},
        {"what_the_callback_sees", what_the_callback_sees},
        {"the_callback_sees_what_was_merged",
         the_callback_sees_what_was_merged},
        {"what_the_callback_says", what_the_callback_says},
        {"memory_runs_out", memory_runs_out},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
