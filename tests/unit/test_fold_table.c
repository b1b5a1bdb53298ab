/*
 * test_fold_table.c - records folded in memory come to the rows that come out
 * when each goes to the database at once: over random entries of all
 * strategies, however often memory is written or forgotten, and when it runs
 * out.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fold_table.h"
#include "heap.h"
#include "sql_calls.h"

/* ---- Two folds over two tables ------------------------------------------ */

#define ENTRIES 1500
#define TABLE_MOST ((size_t)10 << 20)

static struct line {
    char text[900];
    size_t n;
} lines[ENTRIES + 1]; /* by seq */

struct side {
    sqlite3 *db;
    struct plog_fold fold;
};
static struct side plain, kept;
static struct plog_fold_table table;
static struct heap heap;

static int line_of(void *arg, uint64_t seq, struct plog_span *out,
                   struct plog_error *err)
{
    (void)arg;
    if (seq == 0 || seq > ENTRIES)
        return plog_fail(err, PLOG_E_DIVERGED, "no entry %d", (int)seq);
    *out = plog_span(lines[seq].text, lines[seq].n);
    return 0;
}

static void open_side(struct side *s, struct plog_fold_table *t)
{
    memset(s, 0, sizeof *s);
    s->fold.io = &heap.io;
    s->fold.origin = "me";
    s->fold.line_of = line_of;
    CHECK_INT(sqlite3_open(":memory:", &s->db), SQLITE_OK);
    CHECK_INT(sqlite3_exec(s->db,
                           "CREATE TABLE state(" PLOG_STATE_COLUMNS
                           ") " PLOG_STATE_OPTIONS,
                           NULL, NULL, NULL),
              SQLITE_OK);
    CHECK_INT(plog_fold_open(&s->fold, s->db, "main", NULL), 0);
    s->fold.table = t;
}

static void close_side(struct side *s)
{
    plog_fold_close(&s->fold);
    CHECK_INT(sqlite3_close(s->db), SQLITE_OK);
}

static void set_up(void)
{
    heap_init(&heap);
    plog_fold_table_init(&table, &heap.io, TABLE_MOST);
    open_side(&plain, NULL);
    open_side(&kept, &table);
    table.holds_all = true;
}

static void tear_down(void)
{
    close_side(&plain);
    close_side(&kept);
    plog_fold_table_fini(&table);
    CHECK_UINT(heap.live, 0);
}

/* All values of all rows, with their types, in the order of keys. */
static char *dump(const struct side *s)
{
    size_t cap = 4u << 20, len = 0;
    char *out = malloc(cap);
    sqlite3_stmt *q;
    CHECK_INT(sqlite3_prepare_v2(s->db,
                                 "SELECT * FROM state ORDER BY"
                                 " resource,record_id",
                                 -1, &q, NULL),
              SQLITE_OK);
    while (sqlite3_step(q) == SQLITE_ROW)
        for (int i = 0; i < PLOG_STATE_WIDTH; i++) {
            const char *text = (const char *)sqlite3_column_text(q, i);
            int n = snprintf(out + len, cap - len, "%d:%s%c",
                             sqlite3_column_type(q, i), text ? text : "",
                             i + 1 < PLOG_STATE_WIDTH ? '|' : '\n');
            if (n < 0 || (size_t)n >= cap - len)
                abort();
            len += (size_t)n;
        }
    out[len] = '\0';
    sqlite3_finalize(q);
    return out;
}

static void the_same_rows(void)
{
    CHECK_INT(plog_fold_write(&kept.fold, NULL), 0);
    char *a = dump(&plain), *b = dump(&kept);
    CHECK(strlen(a) > 0);
    CHECK_TEXT(b, a);
    free(a);
    free(b);
}

/* ---- Random entries ----------------------------------------------------- */

static uint64_t state;

static uint64_t pick(uint64_t n)
{
    return check_random(&state) % n;
}

static void name(char *out, size_t cap)
{
    static const char *const parts[] = {"a", "ab", "b", "\\u00e9", "long-"};
    snprintf(out, cap, "%s%s%d", parts[pick(5)], parts[pick(5)], (int)pick(12));
}

/* As a line of the log has it. */
static void make_line(uint64_t seq)
{
    char resource[40], record[40], payload[200], from[60] = "", end[120] = "";
    bool deletes = pick(6) == 0, redacted = pick(15) == 0;
    name(resource, sizeof resource);
    name(record, sizeof record);
    snprintf(payload, sizeof payload,
             ",\"payload\":{\"m%d\":%d,\"o\":{\"x%d\":\"some text\"}}",
             (int)pick(4), (int)pick(100), (int)pick(3));
    if (deletes)
        snprintf(payload, sizeof payload, ",\"payload\":null");
    if (redacted)
        payload[0] = '\0';
    if (pick(4) == 0)
        snprintf(from, sizeof from, ",\"from\":{\"origin\":\"%s\",\"seq\":%d}",
                 pick(2) ? "them" : "a", 1 + (int)pick(50));
    if (redacted)
        snprintf(end, sizeof end,
                 "%s,\"redacted\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                 "=\"",
                 pick(3) ? "" : ",\"outcome\":\"skipped\"");
    else
        snprintf(end, sizeof end, "%s%s,\"salt\":\"AAAAAAAAAAAAAAAAAAAAAA==\"",
                 pick(3) ? "" : ",\"outcome\":\"skipped\"",
                 !deletes && pick(8) == 0 ? ",\"merged\":{\"m\":1}" : "");
    lines[seq].n = (size_t)snprintf(
        lines[seq].text, sizeof lines[seq].text,
        "{\"seq\":%d%s,\"resource\":\"%s\",\"record_id\":\"%s\",\"op\":\"%s\""
        "%s,\"occurred_at\":\"2026-01-0%dT00:00:0%d.%dZ\",\"provenance\":"
        "{\"source\":\"s\",\"confidence\":0.%d}%s}",
        (int)seq, from, resource, record, deletes ? "delete" : "upsert",
        payload, 1 + (int)pick(3), (int)pick(3), (int)pick(3), (int)pick(4),
        end);
}

/* Folds entry `seq`; what was there before, and whether it agrees. */
static int fold(struct side *s, uint64_t seq, enum plog_strategy strategy,
                struct plog_current *before, bool *agrees)
{
    struct plog_span line = plog_span(lines[seq].text, lines[seq].n);
    struct plog_entry_parser parser;
    struct plog_entry e;
    plog_entry_parser_init(&parser, plog_io_posix());
    int rc = plog_entry_parse(&parser, line, &e, NULL);
    CHECK_INT(rc, 0);
    if (!rc)
        rc = plog_fold_logged(&s->fold, strategy, &e, line, agrees, before,
                              NULL);
    plog_entry_parser_fini(&parser);
    return rc;
}

static void fold_both(uint64_t seq, enum plog_strategy strategy)
{
    struct plog_current a, b;
    bool x = false, y = true;
    CHECK_INT(fold(&plain, seq, strategy, &a, &x), 0);
    CHECK_INT(fold(&kept, seq, strategy, &b, &y), 0);
    CHECK_INT(x, y);
    CHECK_INT(a.known, b.known);
    CHECK_INT(a.present, b.present);
    CHECK_UINT(a.seq, b.seq);
    CHECK_UINT(a.last, b.last);
    CHECK_UINT(a.version, b.version);
}

/* ---- Cases -------------------------------------------------------------- */

/* One in so many entries is followed by a writing, or by a forgetting. */
static void run(uint64_t write_every, uint64_t forget_every)
{
    enum plog_strategy strategy = PLOG_LAST_WRITE_WINS;
    set_up();
    for (uint64_t seq = 1; seq <= ENTRIES && !check_failing(); seq++) {
        if (pick(40) == 0)
            strategy = (enum plog_strategy)pick(PLOG_STRATEGIES);
        make_line(seq);
        fold_both(seq, strategy);
        if (write_every && pick(write_every) == 0)
            CHECK_INT(plog_fold_write(&kept.fold, NULL), 0);
        if (forget_every && pick(forget_every) == 0)
            CHECK_INT(plog_fold_forget(&kept.fold, NULL), 0);
    }
    the_same_rows();
    tear_down();
}

static void random_entries(void)
{
    state = check_seed();
    for (int i = 0; i < 6; i++) {
        run(0, 0);
        run(50, 0);
        run(50, 200);
        run(0, 7);
        run(1, 3);
    }
}

/* Memory that is used up is written and begun anew by itself. */
static void used_up(void)
{
    uint64_t most = 0, forgotten = 0;
    set_up();
    for (int i = 0; i < 260000; i++) {
        struct plog_current now;
        struct plog_decision d = {.skipped = false};
        struct plog_entry e = {.seq = (uint64_t)i + 1};
        char id[24];
        snprintf(id, sizeof id, "%d", i * 7919 % 200003);
        e.delta.resource_text = plog_span_text("r");
        e.delta.record_id_text = plog_span_text(id);
        e.delta.payload = plog_span_text("{}");
        size_t before = table.bytes;
        REQUIRE(plog_fold_get(&kept.fold, e.delta.resource_text,
                              e.delta.record_id_text, &now, NULL) == 0);
        REQUIRE(now.known == (i >= 200003));
        forgotten += table.bytes < before;
        REQUIRE(plog_fold_put(&kept.fold, &e, &now, &d, 3, NULL) == 0);
        if (table.bytes > most)
            most = table.bytes;
    }
    CHECK(forgotten >= 1);
    CHECK(most < TABLE_MOST + (2u << 20));
    CHECK_INT(plog_fold_write(&kept.fold, NULL), 0);
    sqlite3_stmt *q;
    CHECK_INT(sqlite3_prepare_v2(kept.db,
                                 "SELECT count(*),sum(last),sum(version)"
                                 " FROM state",
                                 -1, &q, NULL),
              SQLITE_OK);
    CHECK_INT(sqlite3_step(q), SQLITE_ROW);
    CHECK_INT(sqlite3_column_int64(q, 0), 200003);
    /* Of those seen twice the later one counts. */
    CHECK_INT(sqlite3_column_int64(q, 1),
              260000ll * 260001 / 2 - 59997ll * 59998 / 2);
    CHECK_INT(sqlite3_column_int64(q, 2), 260000);
    sqlite3_finalize(q);
    tear_down();
}

/* The order of both columns in the database. */
static void sorted(void)
{
    static const char *const names[][2] = {
        {"a", "b"},
        {"ab", ""},
        {"a", ""},
        {"b", "a"},
        {"a", "\xff"},
        {"a\x01", "\x01"},
        {"a", "\x01"},
        {"ab", "c"},
        {"a", "bbbbbbbbbbbbbbbbb1"},
        {"a", "bbbbbbbbbbbbbbbbb0"},
        {"a", "bbbbbbbbbbbbbbbbb"},
        {"\xc3\xa9", "x"},
    };
    enum { COUNT = sizeof names / sizeof *names };
    struct plog_fold_place *p;
    size_t count;
    set_up();
    CHECK_INT(plog_fold_table_sort(&table, &p, &count), 0);
    CHECK(p == NULL && count == 0);
    for (int i = 0; i < COUNT; i++) {
        struct plog_fold_row *r = plog_fold_table_add(
            &table, plog_span_text(names[i][0]), plog_span_text(names[i][1]));
        REQUIRE(r != NULL);
        r->dirty = i != 3;
    }
    CHECK_INT(plog_fold_table_sort(&table, &p, &count), 0);
    CHECK_UINT(count, COUNT - 1);
    for (size_t i = 1; i < count; i++) {
        struct plog_fold_row *a = p[i - 1].row, *b = p[i].row;
        int by = plog_span_compare(plog_fold_row_resource(a),
                                   plog_fold_row_resource(b));
        if (by == 0)
            by = plog_span_compare(plog_fold_row_record_id(a),
                                   plog_fold_row_record_id(b));
        CHECK(by < 0);
    }
    plog_free(&heap.io, p);
    tear_down();
}

/* Rows that have no texts take no more memory, however often they are set, and
 * give back what was put into them. */
static void no_texts(void)
{
    struct plog_span a = {"a", 1}, b = {"b", 1};
    struct plog_current now = {.known = true,
                               .seq = 7,
                               .last = 9,
                               .version = 3,
                               .confidence = 0.5,
                               .origin_seq = 7,
                               .payload_at = 11,
                               .payload_len = 13},
                        got;
    set_up();
    struct plog_fold_row *r = plog_fold_table_add(&table, a, b);
    REQUIRE(r != NULL);
    size_t calls = heap.calls, bytes = table.bytes;
    for (uint64_t i = 0; i < 20000; i++) {
        now.seq = now.origin_seq = 7 + i;
        CHECK_INT(plog_fold_row_set(&table, r, &now), 0);
        REQUIRE(r->texts == NULL);
    }
    CHECK_UINT(heap.calls, calls);
    CHECK_UINT(table.bytes, bytes);
    plog_fold_row_get(r, &got);
    CHECK(got.row == r && got.known && got.present);
    CHECK_UINT(got.seq, 20006);
    CHECK_UINT(got.origin_seq, 20006);
    CHECK_UINT(got.last, 9);
    CHECK_UINT(got.version, 3);
    CHECK(got.confidence == 0.5 && got.origin.n == 0 && got.merged.n == 0);
    CHECK_UINT(got.payload_at, 11);
    CHECK_UINT(got.payload_len, 13);
    now.origin_seq = 5; /* that is kept with the texts */
    CHECK_INT(plog_fold_row_set(&table, r, &now), 0);
    plog_fold_row_get(r, &got);
    CHECK_UINT(got.origin_seq, 5);
    CHECK_UINT(got.seq, 20006);
    tear_down();
}

/* Names that differ only behind the eight bytes that are compared first, with
 * another one that keeps them from being a beginning of all. */
static void sorted_behind_the_head(void)
{
    static const char *const sorted_names[] = {
        "another",     "order-2026-1",    "order-2026-12", "order-2026-2",
        "order-2026-", "order-2026-\xff", "order-2026-21", "order-2026-22"};
    static const int order[] = {0, 4, 1, 2, 3, 6, 7, 5}; /* as they come out */
    enum { COUNT = sizeof order / sizeof *order };
    for (int turn = 0; turn < COUNT; turn++) {
        struct plog_fold_place *p;
        size_t count;
        set_up();
        for (int i = 0; i < COUNT; i++) {
            int n = turn % 2 ? i : COUNT - 1 - i;
            struct plog_fold_row *r = plog_fold_table_add(
                &table, plog_span_text("r"),
                plog_span_text(sorted_names[(n + turn) % COUNT]));
            REQUIRE(r != NULL);
            r->dirty = true;
        }
        CHECK_INT(plog_fold_table_sort(&table, &p, &count), 0);
        CHECK_UINT(count, COUNT);
        for (size_t i = 0; i < count; i++) {
            struct plog_span id = plog_fold_row_record_id(p[i].row);
            const char *want = sorted_names[order[i]];
            CHECK_BYTES(id.p, id.n, want, strlen(want));
        }
        plog_free(&heap.io, p);
        tear_down();
    }
}

/* Names that the table cannot tell apart by their hash: of other lengths, and
 * of the same. */
static void one_hash(void)
{
    static const char *const names[][2][2] = {
        {{"a", "111782"}, {"cd", "148182"}}, {{"a", "84906"}, {"b", "138438"}},
        {{"a", "65917"}, {"b", "19005"}},    {{"cd", "59796"}, {"cd", "62220"}},
        {{"a", "9107"}, {"a", "86927"}},     {{"100994", "x"}, {"136744", "x"}},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct plog_fold_row *r[2];
        struct plog_span name[2][2];
        set_up();
        for (int k = 0; k < 2; k++) {
            for (int part = 0; part < 2; part++)
                name[k][part] = plog_span_text(names[i][k][part]);
            CHECK(plog_fold_table_find(&table, name[k][0], name[k][1]) == NULL);
            r[k] = plog_fold_table_add(&table, name[k][0], name[k][1]);
            REQUIRE(r[k] != NULL);
        }
        CHECK_UINT(r[0]->hash, r[1]->hash); /* else choose other names */
        for (int k = 0; k < 2; k++)
            CHECK(plog_fold_table_find(&table, name[k][0], name[k][1]) == r[k]);
        tear_down();
    }
}

/* Texts that are the row's own already take no more memory. */
static void own_texts_stay(void)
{
    struct plog_current now = {.known = true, .seq = 3, .origin_seq = 2};
    set_up();
    struct plog_fold_row *r =
        plog_fold_table_add(&table, plog_span_text("a"), plog_span_text("b"));
    REQUIRE(r != NULL);
    now.origin = plog_span_text("them");
    now.merged = plog_span_text("{}");
    CHECK_INT(plog_fold_row_set(&table, r, &now), 0);
    const struct plog_fold_texts *texts = r->texts;
    plog_fold_row_get(r, &now);
    now.origin_seq = 7;
    CHECK_INT(plog_fold_row_set(&table, r, &now), 0);
    CHECK(r->texts == texts);
    plog_fold_row_get(r, &now);
    CHECK_UINT(now.origin_seq, 7);
    CHECK(plog_span_is(now.origin, "them") && plog_span_is(now.merged, "{}"));
    tear_down();
}

enum text { OWN, HEAD, PART, LIKE, OTHER, NONE };

struct texts {
    enum text origin, merged;
    uint64_t origin_seq;
};

/* Makes a text another one, of the same length or not, or a part of what it
 * is. */
static void change(struct plog_span *text, enum text to, const char *other)
{
    static char like[2][40];
    static int turn;
    if (to == LIKE) {
        char *at = like[turn % 2];
        memset(at, 'a' + turn++ % 26, text->n);
        *text = plog_span(at, text->n);
    } else if (to == HEAD && text->n > 1)
        text->n--;
    else if (to == PART && text->n > 1)
        *text = plog_span(text->p + 1, text->n - 1);
    else if (to == OTHER)
        *text = plog_span_text(other);
    else if (to == NONE)
        *text = plog_span(NULL, 0);
}

/* Gives the row these texts: they are what it has then, and `now` has it. */
static void set_texts(struct plog_fold_row *r, const struct texts *to,
                      struct plog_current *now)
{
    char origin[40], merged[40];
    change(&now->origin, to->origin, "another");
    change(&now->merged, to->merged, "{\"o\":1}");
    snprintf(origin, sizeof origin, "%.*s", (int)now->origin.n,
             now->origin.n ? now->origin.p : "");
    snprintf(merged, sizeof merged, "%.*s", (int)now->merged.n,
             now->merged.n ? now->merged.p : "");
    now->origin_seq = to->origin_seq;
    CHECK_INT(plog_fold_row_set(&table, r, now), 0);
    plog_fold_row_get(r, now);
    CHECK_BYTES(now->origin.p, now->origin.n, origin, strlen(origin));
    CHECK_BYTES(now->merged.p, now->merged.n, merged, strlen(merged));
    CHECK_UINT(now->origin_seq, to->origin_seq);
}

/* The texts of a row change, and change again. */
static void texts_of_a_row(void)
{
    static const struct texts all[] = {
        {OWN, OWN, 9},     {OWN, OWN, 7},    {OTHER, OTHER, 9},
        {OWN, OTHER, 9},   {OTHER, OWN, 9},  {PART, OWN, 9},
        {OWN, PART, 9},    {PART, OTHER, 9}, {OTHER, PART, 9},
        {PART, PART, 9},   {NONE, OWN, 9},   {OWN, NONE, 9},
        {NONE, OTHER, 77}, {NONE, NONE, 77}, {NONE, NONE, 9},
        {OTHER, NONE, 9},  {HEAD, OWN, 9},   {OWN, HEAD, 9},
        {HEAD, HEAD, 9},   {LIKE, OWN, 9},   {OWN, LIKE, 9},
        {LIKE, LIKE, 9},   {OTHER, OTHER, 8}};
    enum { COUNT = sizeof all / sizeof *all };
    set_up();
    for (int i = 0; i < COUNT * COUNT; i++) {
        struct plog_current now = {.known = true, .seq = 9, .last = 9};
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        struct plog_fold_row *r = plog_fold_table_add(
            &table, plog_span_text("r"), plog_span_text(id));
        REQUIRE(r != NULL);
        now.origin = plog_span_text("origin");
        now.merged = plog_span_text("{\"m\":1}");
        set_texts(r, &all[0], &now);
        set_texts(r, &all[i / COUNT], &now);
        set_texts(r, &all[i % COUNT], &now);
    }
    tear_down();
}

/* A damaged store's row that memory has no room for goes by it. */
static void odd_numbers(void)
{
    static const char *const odd[] = {
        "UPDATE state SET payload_at=4294967296",
        "UPDATE state SET payload_len=4294967296",
        "UPDATE state SET nanos=-1",
        "UPDATE state SET origin_seq=77",
        "UPDATE state SET origin='x', origin_seq=9",
        "UPDATE state SET seconds=NULL, nanos=NULL, confidence=NULL",
    };
    state = check_seed();
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        set_up();
        for (uint64_t seq = 1; seq <= 60; seq++) {
            make_line(seq);
            fold_both(seq, PLOG_ARRIVAL);
        }
        CHECK_INT(plog_fold_forget(&kept.fold, NULL), 0);
        CHECK_INT(sqlite3_exec(plain.db, odd[i], NULL, NULL, NULL), SQLITE_OK);
        CHECK_INT(sqlite3_exec(kept.db, odd[i], NULL, NULL, NULL), SQLITE_OK);
        for (uint64_t seq = 61; seq <= 400; seq++) {
            make_line(seq);
            fold_both(seq, seq % 2 ? PLOG_ARRIVAL : PLOG_LAST_WRITE_WINS);
        }
        the_same_rows();
        tear_down();
    }
}

/* Each allocation fails once: said, and nothing is lost of memory. */
static void memory_runs_out(void)
{
    bool failed = true;
    for (size_t n = 1; failed && n < 400; n++) {
        struct plog_current now;
        bool agrees;
        int rc = 0;
        state = 5;
        set_up();
        heap_fail(&heap, n, false);
        for (uint64_t seq = 1; !rc && seq <= 300; seq++) {
            make_line(seq);
            rc = fold(&kept, seq, PLOG_MERGE_JSON, &now, &agrees);
        }
        if (!rc)
            rc = plog_fold_forget(&kept.fold, NULL);
        failed = heap_failed(&heap);
        CHECK_INT(rc, failed ? PLOG_E_NOMEM : 0);
        heap_fail(&heap, 0, false);
        tear_down();
    }
    CHECK(!failed);
}

/* Memory for a text alone: of a row that is read, and of one that is put. */
static void memory_for_a_text(void)
{
    static char merged[400000];
    bool failed = true;
    memset(merged, 'x', sizeof merged);
    for (size_t n = 1; failed && n < 40; n++) {
        struct plog_error err = {.code = 0};
        struct plog_current now;
        struct plog_span r = plog_span_text("r"), id = plog_span_text("1");
        struct plog_decision d = {.merged = plog_span(merged, sizeof merged)};
        struct plog_entry e = {.seq = 8};
        e.delta.resource_text = r;
        e.delta.record_id_text = id;
        set_up();
        table.holds_all = false;
        CHECK_INT(sqlite3_exec(kept.db,
                               "INSERT INTO state VALUES('r','1',7,7,1,0,0,0.5,"
                               "NULL,7,0,0,printf('%0300000d',0))",
                               NULL, NULL, NULL),
                  SQLITE_OK);
        heap_fail(&heap, n, false);
        int rc = plog_fold_get(&kept.fold, r, id, &now, &err);
        CHECK(rc || now.merged.n == 300000);
        if (!rc)
            rc = plog_fold_put(&kept.fold, &e, &now, &d, 0, &err);
        failed = heap_failed(&heap);
        heap_fail(&heap, 0, false);
        CHECK_INT(rc, failed ? PLOG_E_NOMEM : 0);
        CHECK_TEXT(err.message, failed ? "out of memory" : "");
        if (failed)
            plog_fold_table_fini(&table); /* as a replay that ends so */
        CHECK_INT(plog_fold_write(&kept.fold, NULL), 0);
        kept.fold.table = NULL;
        CHECK_INT(plog_fold_get(&kept.fold, r, id, &now, NULL), 0);
        CHECK_UINT(now.last, failed ? 7 : 8);
        CHECK_UINT(now.merged.n, failed ? 300000 : sizeof merged);
        tear_down();
    }
    CHECK(!failed);
}

static bool cannot_write(const char *call, const char *sql, bool busy)
{
    (void)busy;
    return strcmp(call, "step") == 0 && strncmp(sql, "INSERT", 6) == 0;
}

/* Rows that have to go for want of room and cannot be written stay. */
static void cannot_be_written(void)
{
    struct plog_error err = {.code = 0};
    struct plog_current now;
    state = check_seed();
    set_up();
    for (uint64_t seq = 1; seq <= 200; seq++) {
        make_line(seq);
        fold_both(seq, PLOG_ARRIVAL);
    }
    table.bytes_max = 1;
    size_t rows = table.row_count;
    sql_calls.fails = cannot_write;
    CHECK_INT(plog_fold_get(&kept.fold, plog_span_text("r"),
                            plog_span_text("1"), &now, &err),
              PLOG_E_IO);
    sql_calls.fails = NULL;
    CHECK_INT(err.code, PLOG_E_IO);
    CHECK_UINT(table.row_count, rows);
    table.bytes_max = TABLE_MOST;
    for (uint64_t seq = 201; seq <= 300; seq++) {
        make_line(seq);
        fold_both(seq, PLOG_ARRIVAL);
    }
    the_same_rows();
    tear_down();
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"random entries", random_entries},
        {"used up", used_up},
        {"sorted", sorted},
        {"no texts", no_texts},
        {"sorted behind the head", sorted_behind_the_head},
        {"one hash", one_hash},
        {"own texts stay", own_texts_stay},
        {"texts of a row", texts_of_a_row},
        {"odd numbers", odd_numbers},
        {"memory runs out", memory_runs_out},
        {"memory for a text", memory_for_a_text},
        {"cannot be written", cannot_be_written},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
