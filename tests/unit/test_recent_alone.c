/*
 * test_recent_alone.c - rows that wait, over a database and without a log:
 * each allocation and each call of SQLite fails once, texts are taken back,
 * what other programs left is looked at, and long texts are moved early.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "heap.h"
#include "recent.h"
#include "schema.h"
#include "sql_calls.h"

#define RECORDS 8
#define LONG 70000 /* bytes of a text that memory is taken for alone */
#define MIB (1u << 20)

static sqlite3 *db;
static struct heap heap;
static struct plog_recent recent;
static struct plog_error err;
static uint64_t newest[RECORDS]; /* the last entry about each; 0: none */
static char text[MIB];

static void sql(const char *what)
{
    if (!CHECK_INT(sqlite3_exec(db, what, NULL, NULL, NULL), SQLITE_OK))
        printf("# %s: %s\n", what, sqlite3_errmsg(db));
}

static int64_t number(const char *what)
{
    sqlite3_stmt *q = NULL;
    int64_t n = -1;
    CHECK_INT(sqlite3_prepare_v2(db, what, -1, &q, NULL), SQLITE_OK);
    if (sqlite3_step(q) == SQLITE_ROW)
        n = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return n;
}

static int64_t waiting(void)
{
    return number("SELECT count(*) FROM state_recent");
}

static struct plog_span name(int i)
{
    static char out[RECORDS + 1][8];
    snprintf(out[i], sizeof out[i], "r%d", i);
    return plog_span_text(out[i]);
}

static int find(int i, struct plog_current *now)
{
    return plog_recent_find(&recent, plog_span_text("q"), name(i), now, &err);
}

/* Entry `seq` is about record `i`. */
static int put_row(int i, uint64_t seq, size_t origin, size_t merged)
{
    struct plog_current now = {.known = true};
    int rc = find(i, &now);
    if (rc < 0)
        return rc;
    now.known = true;
    now.seq = now.last = seq;
    now.version++;
    now.instant.seconds = 1;
    now.origin = plog_span(text, origin);
    now.origin_seq = seq;
    now.payload_len = merged ? 0 : 8;
    now.merged = plog_span(text, merged);
    rc = plog_recent_put(&recent, plog_span_text("q"), name(i), &now, &err);
    if (!rc)
        newest[i] = seq;
    return rc;
}

static void start(void)
{
    sql("BEGIN IMMEDIATE");
    plog_recent_begin(&recent);
    plog_recent_expect(&recent, PLOG_RECENT_GROUP);
}

static void end(bool keep)
{
    sql(keep ? "COMMIT" : "ROLLBACK");
    plog_recent_end(&recent, keep);
}

/* Records 0 to 4 wait, of which 3 and 4 have texts. */
static void set_up(void)
{
    heap_init(&heap);
    memset(newest, 0, sizeof newest);
    memset(text, 'x', sizeof text);
    err = (struct plog_error){.code = 0};
    CHECK_INT(sqlite3_open(":memory:", &db), SQLITE_OK);
    CHECK_INT(plog_schema_create(db, NULL), 0);
    plog_recent_open(&recent, &heap.io, db, true);
    start();
    for (int i = 0; i < 5; i++)
        CHECK_INT(put_row(i, (uint64_t)i + 1, i < 3 ? 0 : LONG, 0), 0);
    end(true);
    CHECK_INT(waiting(), 5);
}

static void tear_down(void)
{
    plog_recent_close(&recent);
    CHECK_INT(sqlite3_close(db), SQLITE_OK);
    CHECK_UINT(heap.live, 0);
}

/* Whoever asks, memory or the view, is told of the newest rows. */
static void rows_are(const uint64_t want[RECORDS])
{
    for (int i = 0; i < RECORDS; i++) {
        char q[100];
        struct plog_current now;
        snprintf(q, sizeof q,
                 "SELECT coalesce(max(last),0) FROM state_now"
                 " WHERE record_id='r%d'",
                 i);
        CHECK_INT(number(q), want[i]);
        snprintf(q, sizeof q,
                 "SELECT coalesce(max(last),0) FROM state_recent"
                 " WHERE record_id='r%d'",
                 i);
        int64_t waits = number(q);
        CHECK_INT(find(i, &now), waits ? 0 : PLOG_END);
        if (waits)
            CHECK_UINT(now.last, want[i]);
    }
}

/* ---- Each call fails -------------------------------------------------------
 */

static struct {
    bool on, failed;
    size_t calls, fail_at;
} calls;

static bool fails_here(const char *call, const char *what, bool busy)
{
    (void)call, (void)what, (void)busy;
    if (!calls.on || ++calls.calls != calls.fail_at)
        return false;
    return calls.failed = true;
}

/* Old and new records, with texts and without. */
static int put_some(void)
{
    static const int records[] = {5, 0, 3, 6, 4};
    uint64_t seq = 1;
    int rc = 0;
    for (int i = 0; i < RECORDS; i++)
        seq = newest[i] >= seq ? newest[i] + 1 : seq;
    for (int i = 0; !rc && i < 5; i++)
        rc = put_row(records[i], seq + (uint64_t)i, i == 1 || i == 4 ? LONG : 0,
                     0);
    return rc;
}

/* Each is done by who has learnt nothing yet. */
static void anew(void)
{
    plog_recent_close(&recent);
    plog_recent_open(&recent, &heap.io, db, true);
    plog_recent_begin(&recent);
    plog_recent_expect(&recent, PLOG_RECENT_GROUP);
}

static int act_put(void)
{
    anew();
    return put_some();
}

static int act_move(void)
{
    anew();
    return plog_recent_move(&recent, &err);
}

static int act_settle(void)
{
    anew();
    return plog_recent_settle(&recent, &err);
}

/* The error is told, nothing has changed when it is taken back, and then it
 * works. */
static bool fails_at(int (*act)(void), bool memory, size_t n)
{
    uint64_t before[RECORDS];
    set_up();
    memcpy(before, newest, sizeof before);
    start();
    heap_fail(&heap, memory ? n : 0, false);
    calls.calls = 0;
    calls.fail_at = memory ? 0 : n;
    calls.failed = false;
    calls.on = true;
    int rc = act();
    calls.on = false;
    bool failed = memory ? heap_failed(&heap) : calls.failed;
    heap_fail(&heap, 0, false);
    CHECK_INT(rc, !failed ? 0 : memory ? PLOG_E_NOMEM : PLOG_E_IO);
    if (rc) {
        CHECK_INT(err.code, rc);
        CHECK(err.message[0] != '\0');
        memcpy(newest, before, sizeof newest);
    }
    end(rc == 0);
    start();
    rows_are(newest);
    CHECK_INT(act(), 0);
    rows_are(newest);
    end(true);
    tear_down();
    return failed;
}

static void each_call_fails(void)
{
    static int (*const acts[])(void) = {act_put, act_move, act_settle};
    sql_calls.fails = fails_here;
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        for (int memory = 0; memory < 2; memory++) {
            size_t n = 1;
            while (n < 60 && fails_at(acts[i], memory, n))
                n++;
            CHECK(n > 1 && n < 60);
        }
    sql_calls.fails = NULL;
}

/* ---- Taken back ------------------------------------------------------------
 */

/* A text is changed in place: what memory knows goes, and comes anew from what
 * the transaction holds, and then from what the database does. */
static void texts_are_taken_back(void)
{
    uint64_t before[RECORDS], saved[RECORDS];
    struct plog_current now;
    set_up();
    memcpy(before, newest, sizeof before);
    start();
    CHECK_INT(put_row(1, 6, 0, 0), 0);
    CHECK_INT(put_row(3, 7, 5, 0), 0);
    memcpy(saved, newest, sizeof saved);
    sql("SAVEPOINT s");
    plog_recent_save(&recent);
    CHECK_INT(put_row(3, 8, 9, 0), 0);
    CHECK_INT(put_row(2, 9, 0, 0), 0);
    sql("ROLLBACK TO s");
    plog_recent_back(&recent);
    rows_are(saved);
    CHECK_INT(find(3, &now), 0);
    CHECK_UINT(now.origin.n, 5);
    CHECK_INT(put_row(2, 8, 0, 0), 0);
    memcpy(saved, newest, sizeof saved);
    saved[2] = 8;
    saved[3] = 7;
    rows_are(saved);
    end(false);
    start();
    rows_are(before);
    CHECK_INT(find(3, &now), 0);
    CHECK_UINT(now.origin.n, LONG);
    end(true);
    tear_down();
}

/* ---- What others left ------------------------------------------------------
 */

static int found_by_another(const char *what)
{
    struct plog_current now;
    sql(what);
    plog_recent_begin(&recent);
    err = (struct plog_error){.code = 0};
    int rc = find(0, &now);
    plog_recent_end(&recent, false);
    return rc;
}

/* Another program's rows, which no fold makes; nothing is taken of them. */
static void odd_rows(void)
{
    static const struct {
        const char *sql, *says;
    } all[] = {
        {"UPDATE state_recent SET nanos=-4294967296", "that no fold makes"},
        {"UPDATE state_recent SET nanos=1000000000", "that no fold makes"},
        {"UPDATE state_recent SET seq=last+1", "that no fold makes"},
        {"UPDATE state_recent SET resource=printf('%070000d',0)",
         "that no fold makes"},
        {"UPDATE state_recent SET record_id=printf('%070000d',0)",
         "that no fold makes"},
        {"UPDATE state_recent SET payload_len=4294967296",
         "that no fold makes"},
        {"UPDATE state_recent SET last=-5 WHERE last=1", "of no entry"},
        /* A text of more than 64 MiB, which needs no room on the disk. */
        {"DROP VIEW state_now; ALTER TABLE state_recent RENAME TO s;"
         "CREATE VIEW state_recent AS SELECT resource,record_id,seq,last,"
         "version,seconds,nanos,confidence,origin,origin_seq,payload_at,"
         "payload_len,zeroblob(67108865) AS merged FROM s",
         "that no fold makes"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        set_up();
        plog_recent_close(&recent);
        plog_recent_open(&recent, &heap.io, db, true);
        if (!CHECK_INT(found_by_another(all[i].sql), PLOG_E_DIVERGED) ||
            !CHECK(strstr(err.message, all[i].says) != NULL) ||
            !CHECK(strstr(err.hint, "parity") != NULL))
            printf("# %s: %s\n", all[i].sql, err.message);
        CHECK(!recent.known);
        tear_down();
    }
}

/* More than a writer leaves is not loaded into memory: as if the rows before
 * had 64 MiB. */
static void too_many_bytes(void)
{
    set_up();
    recent.now.bytes = 64 * MIB + 1;
    CHECK_INT(found_by_another(
                  "INSERT INTO state_recent SELECT resource,record_id,9,9,"
                  "version,seconds,nanos,confidence,origin,9,payload_at,"
                  "payload_len,merged FROM state_recent WHERE last=1"),
              PLOG_E_DIVERGED);
    CHECK(strstr(err.message, "that no fold makes") != NULL);
    tear_down();
}

/* The newest row is gone, the oldest is there. */
static void the_newest_is_gone(void)
{
    set_up();
    CHECK_INT(found_by_another("DELETE FROM state_recent WHERE last=5"), 0);
    newest[4] = 0;
    start();
    rows_are(newest);
    end(true);
    tear_down();
}

/* One who only reads learns after some look-ups, and has none wait. */
static void a_reader(void)
{
    struct plog_current now;
    set_up();
    plog_recent_close(&recent);
    plog_recent_open(&recent, &heap.io, db, false);
    plog_recent_begin(&recent);
    plog_recent_expect(&recent, PLOG_RECENT_GROUP);
    CHECK(!recent.takes);
    for (int i = 0; i < 10; i++)
        CHECK_INT(find(1, &now), 0);
    CHECK(recent.known);
    sql("INSERT INTO state_recent SELECT resource,record_id,9,9,version,"
        "seconds,nanos,confidence,origin,9,payload_at,payload_len,merged"
        " FROM state_recent WHERE last=2");
    newest[1] = 9;
    plog_recent_begin(&recent); /* it takes nothing for as fresh as it was */
    rows_are(newest);
    tear_down();
}

static unsigned asked; /* how often for the ends of what waits */

static bool count_asked(const char *call, const char *statement, bool busy)
{
    (void)busy;
    asked += !strcmp(call, "step") && !strncmp(statement, "SELECT min(", 11);
    return false;
}

/* How often two transactions that begin to wait ask what does. */
static unsigned asked_by_two(uint64_t seq)
{
    asked = 0;
    sql_calls.fails = count_asked;
    for (uint64_t i = 0; i < 2; i++) {
        start();
        CHECK_INT(put_row(0, seq + 2 * i, 0, 0), 0);
        CHECK_INT(put_row(5, seq + 2 * i + 1, 0, 0), 0);
        end(true);
    }
    sql_calls.fails = NULL;
    return asked;
}

/* What memory knows is not asked for again while nobody else has written;
 * where SQLite cannot tell that, each transaction asks once, and finds what
 * others added. */
static void no_news(void)
{
    set_up();
    CHECK_UINT(asked_by_two(10), 0);
    CHECK_INT(waiting(), 9);
    tear_down();
    sql_calls.no_version = -1;
    set_up();
    CHECK_UINT(asked_by_two(10), 2);
    sql("INSERT INTO state_recent SELECT resource,record_id,90,90,version,"
        "seconds,nanos,confidence,origin,90,payload_at,payload_len,merged"
        " FROM state_recent WHERE last=2");
    newest[1] = 90;
    start();
    rows_are(newest);
    end(true);
    sql_calls.no_version = 0;
    tear_down();
}

#define OTHERS 2000 /* records: more than are moved at once */

/* Entries `from` to `to` are about these in turn. */
static void put_others(uint64_t from, uint64_t to)
{
    char many[600];
    snprintf(many, sizeof many,
             "WITH RECURSIVE c(x) AS (SELECT %d UNION ALL SELECT x+1 FROM c"
             " WHERE x<%d) INSERT INTO state_recent SELECT 'q','r'||(x%%%d),x,"
             "x,x,1,0,0.5,NULL,x,0,8,NULL FROM c",
             (int)from, (int)to, OTHERS);
    sql(many);
    for (uint64_t x = from; x <= to; x++)
        if (x % OTHERS < RECORDS)
            newest[x % OTHERS] = x;
}

/* More rows than a writer lets wait, as several that were killed left them:
 * all are moved, and not a part. */
static void too_many_rows(void)
{
    struct plog_current now;
    set_up();
    put_others(6, OTHERS + 2 * PLOG_RECENT_ROWS);
    start();
    CHECK_INT(find(0, &now), 0);
    CHECK_UINT(now.last, newest[0]);
    CHECK(plog_recent_is_due(&recent));
    CHECK_INT(plog_recent_move(&recent, &err), 0);
    CHECK_INT(waiting(), 0);
    CHECK_INT(number("SELECT count(*) FROM state"), OTHERS);
    rows_are(newest);
    end(true);
    tear_down();
}

/* ---- Long texts ------------------------------------------------------------
 */

/* A record that waits gets its merged payloads there, too. */
static void put_long(int times, uint64_t seq)
{
    for (int i = 0; i < times; i++)
        CHECK_INT(put_row(2, seq + (uint64_t)i, 0, MIB), 0);
}

/* Between groups: all of them, and not a part. */
static void long_texts_are_moved_at_once(void)
{
    set_up();
    put_others(6, OTHERS);
    start();
    put_long(9, OTHERS + 1);
    end(true);
    CHECK(plog_recent_is_due(&recent));
    start();
    CHECK_INT(plog_recent_move(&recent, &err), 0);
    end(true);
    CHECK_INT(waiting(), 0);
    CHECK(!plog_recent_is_due(&recent));
    start();
    rows_are(newest);
    end(true);
    CHECK_INT(number("SELECT length(merged) FROM state WHERE record_id='r2'"),
              MIB);
    tear_down();
}

/* And in the middle of a transaction that puts ever more. */
static void long_texts_do_not_pile_up(void)
{
    struct plog_current now;
    set_up();
    start();
    put_long(16, 6);
    CHECK_INT(waiting(), 5 + 16);
    CHECK_INT(find(2, &now), PLOG_END);
    CHECK_INT(waiting(), 0);
    rows_are(newest);
    end(true);
    start();
    rows_are(newest);
    end(true);
    tear_down();
}

/* One who only reads moves nothing, and is told all the same. */
static void a_reader_of_long_texts(void)
{
    struct plog_current now;
    set_up();
    start();
    put_long(16, 6);
    end(true);
    plog_recent_close(&recent);
    plog_recent_open(&recent, &heap.io, db, false);
    plog_recent_begin(&recent);
    for (int i = 0; i < 10; i++) {
        CHECK_INT(find(2, &now), 0);
        CHECK_UINT(now.last, 21);
        CHECK_UINT(now.merged.n, MIB);
    }
    CHECK(recent.known);
    CHECK_INT(waiting(), 5 + 16);
    CHECK_INT(number("SELECT count(*) FROM state"), 0);
    tear_down();
}

/* ---- Whose rows are the records ---------------------------------------------
 */

/* The view hides nothing where nothing waits: the table is read then, in the
 * order in which it lies. */
static void the_source(void)
{
    const char *source = "";
    set_up();
    CHECK_INT(plog_recent_source(db, &source, &err), 0);
    CHECK_TEXT(source, "state_now");
    start();
    CHECK_INT(plog_recent_settle(&recent, &err), 0);
    CHECK_INT(plog_recent_source(db, &source, &err), 0);
    CHECK_TEXT(source, "state");
    end(true);
    CHECK_INT(plog_recent_source(db, &source, &err), 0);
    CHECK_TEXT(source, "state");
    sql("DROP TABLE state_recent");
    CHECK_INT(plog_recent_source(db, &source, &err), PLOG_E_DIVERGED);
    CHECK_INT(err.code, PLOG_E_DIVERGED);
    tear_down();
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"each call fails", each_call_fails},
        {"texts are taken back", texts_are_taken_back},
        {"odd rows", odd_rows},
        {"too many bytes", too_many_bytes},
        {"too many rows", too_many_rows},
        {"the newest is gone", the_newest_is_gone},
        {"a reader", a_reader},
        {"no news", no_news},
        {"long texts are moved at once", long_texts_are_moved_at_once},
        {"long texts do not pile up", long_texts_do_not_pile_up},
        {"a reader of long texts", a_reader_of_long_texts},
        {"the source", the_source},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
