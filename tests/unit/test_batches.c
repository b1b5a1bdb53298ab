/*
 * test_batches.c - requests of several callers in one group, of which some are
 * refused, or SQLite fails: each is told its own, and nothing is half there.
 *
 * A batch is led by hand, on this thread: who shares one with whom is no
 * matter of luck here.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "compaction.h"
#include "engine.h"
#include "no_threads.h"
#include "sql_calls.h"
#include "world.h"

#define REQUESTS 4

static struct world w;

/* ---- A batch ------------------------------------------------------------ */

static struct plog_request requests[REQUESTS];
static struct plog_error errors[REQUESTS];
static unsigned count;

static struct plog_request *add(int built)
{
    struct plog_request *r = &requests[count];
    CHECK_INT(built, 0);
    r->leads = true; /* nobody sleeps */
    r->err = &errors[count];
    if (count)
        requests[count - 1].next = r;
    count++;
    return r;
}

/* A request of deltas with these ids; NULL ends them. */
static struct plog_request *add_deltas(const char *first, const char *second)
{
    char text[2][400];
    struct plog_span d[2];
    struct plog_group g = {.struct_size = sizeof g, .deltas = d};
    for (const char *id = first; id; id = g.delta_count == 1 ? second : NULL) {
        struct world_delta delta = {.id = id, .record = id};
        char *at = text[g.delta_count];
        world_text(at, sizeof *text, &delta);
        d[g.delta_count++] = plog_span_text(at);
    }
    return add(plog_request_build(&requests[count], w.p->io, &g, NULL,
                                  PLOG_LINE_DEFAULT, NULL));
}

static void begin(void)
{
    memset(&sql_calls, 0, sizeof sql_calls);
    memset(errors, 0, sizeof errors);
    sql_calls.no_sync = true;
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, "taken", "r", "x", NULL), 0);
    count = 0;
}

static void lead(void)
{
    plog_queue_take_turn(&w.p->queue);
    plog_engine_lead(w.p, requests);
    plog_queue_give_turn(&w.p->queue);
    sql_calls.fails = NULL;
    for (unsigned i = 0; i < count; i++) {
        CHECK(requests[i].done);
        if (requests[i].result)
            CHECK_INT(errors[i].code, requests[i].result);
    }
}

static void end(uint64_t size)
{
    for (unsigned i = 0; i < count; i++)
        plog_request_free(&requests[i]);
    CHECK_INT(world_put(&w, "on", "r", "x", NULL), 0); /* it goes on */
    world_end(&w, size + 1);
}

/* ---- One of them is refused --------------------------------------------- */

/* The second one has written a row when it is refused: all begin again. */
static void add_three(void)
{
    begin();
    add_deltas("a", NULL);
    add_deltas("b", "taken");
    add_deltas("c", "d");
}

/* Nobody asked for a receipt. */
static void without_receipts(void)
{
    add_three();
    lead();
    CHECK_INT(requests[0].result, 0);
    CHECK_INT(requests[1].result, PLOG_E_CONFLICT);
    CHECK_INT(requests[2].result, 0);
    CHECK_TEXT(world_record(&w, "b"), "none");
    CHECK_TEXT(world_record(&w, "d"), "{} v1");
    end(5);
}

/* A hook with a conflict clause that ends the transaction, which takes along
 * what the others of the batch wrote: they are told so, and can go on. */
static int end_it(void *arg, sqlite3 *db, const uint64_t *seqs, size_t n)
{
    (void)arg, (void)seqs, (void)n;
    int rc = sqlite3_exec(db, "INSERT OR ROLLBACK INTO mine VALUES(1)", NULL,
                          NULL, NULL);
    CHECK_INT(rc & 0xff, SQLITE_CONSTRAINT);
    return 0;
}

static void a_hook_ends_the_transaction(void)
{
    begin();
    world_sql(&w, "CREATE TABLE mine(n PRIMARY KEY);"
                  "INSERT INTO mine VALUES(1)");
    add_deltas("a", NULL);
    add_deltas("b", NULL)->hook = end_it;
    add_deltas("c", NULL);
    lead();
    CHECK_INT(requests[0].result, PLOG_E_LOCKED);
    CHECK_INT(requests[1].result, PLOG_E_HOOK);
    CHECK_INT(requests[2].result, PLOG_E_LOCKED);
    CHECK(strstr(errors[0].message, "inside another caller's hook") != NULL);
    CHECK_TEXT(errors[2].message, errors[0].message);
    CHECK_TEXT(errors[2].hint, "send the same again");
    CHECK(strstr(errors[1].message, "ended inside the caller's hook") != NULL);
    CHECK(strstr(errors[1].message, "returned 0") != NULL);
    CHECK_UINT(world_size(&w), 2);
    CHECK_TEXT(world_record(&w, "a"), "none");
    for (unsigned i = 0; i < count; i++)
        plog_request_free(&requests[i]);
    count = 0;
    memset(errors, 0, sizeof errors);
    add_deltas("a", NULL);
    add_deltas("c", NULL);
    lead();
    CHECK_INT(requests[0].result, 0);
    CHECK_INT(requests[1].result, 0);
    end(4);
}

static unsigned begun;

static bool is_second_begin(const char *call, const char *sql)
{
    return strcmp(call, "step") == 0 && strcmp(sql, "BEGIN IMMEDIATE") == 0 &&
           begun++ == 1;
}

static bool begin_fails(const char *call, const char *sql, bool busy)
{
    (void)busy;
    return is_second_begin(call, sql);
}

/* Between the two transactions of one group. */
static bool another_writes(const char *call, const char *sql, bool busy)
{
    (void)busy;
    if (is_second_begin(call, sql)) {
        sql_calls.fails = NULL;
        world_sql(&w, "CREATE TABLE theirs(n)");
    }
    return false;
}

/* What began again and could not is logged for none of them. */
static void none_of_them(bool (*fails)(const char *, const char *, bool),
                         int code, const char *message)
{
    add_three();
    begun = 0;
    sql_calls.fails = fails;
    lead();
    CHECK(begun > 1);
    for (unsigned i = 0; i < count; i++) {
        int own = requests[i].result == PLOG_E_CONFLICT ? PLOG_E_CONFLICT : 0;
        CHECK_INT(requests[i].result, own ? own : code);
        if (!own)
            CHECK(strstr(errors[i].message, message) != NULL);
    }
    CHECK_TEXT(world_record(&w, "a"), "none");
    end(2);
}

static void beginning_again_fails(void)
{
    none_of_them(begin_fails, PLOG_E_IO, "");
}

static void another_writes_meanwhile(void)
{
    none_of_them(another_writes, PLOG_E_LOCKED,
                 "store.db was written to by another program");
}

/* ---- Kept apart by savepoints ------------------------------------------- */

static int make_cursor(void *arg, plog *p, struct plog_buf *args,
                       struct plog_error *err)
{
    const struct plog_cursor c = {{"s", 1}, {"r", 1}, {"7", 1}};
    (void)arg, (void)p, (void)err;
    return plog_cursor_args_format(args, &c);
}

/* Control entries of either kind share a group with deltas. */
static void with_control_entries(void)
{
    struct plog_status st;
    struct plog_receipt receipts[REQUESTS] = {{.seq = 0}};
    for (int first = 0; first < 2; first++) {
        begin();
        add_deltas("a", NULL);
        if (first)
            add(plog_request_strategy(&requests[count], w.p->io,
                                      PLOG_LAST_WRITE_WINS, NULL));
        else
            add(plog_request_control(&requests[count], w.p->io,
                                     PLOG_CONTROL_CURSOR, make_cursor, NULL,
                                     NULL));
        add_deltas("b", "taken");
        for (unsigned i = 0; i < 2; i++)
            requests[i].receipts = &receipts[i];
        lead();
        CHECK_INT(requests[0].result, 0);
        CHECK_INT(requests[1].result, 0);
        CHECK_INT(requests[2].result, PLOG_E_CONFLICT);
        CHECK_UINT(receipts[0].size, 4);
        CHECK_UINT(receipts[1].size, 4);
        CHECK_INT(plog_read_status(w.dir, NULL, &st, NULL), 0);
        CHECK_INT(st.strategy, first ? PLOG_LAST_WRITE_WINS : PLOG_ARRIVAL);
        CHECK_INT(world_number(&w, "SELECT count(*) FROM cursors"), !first);
        end(4);
        world_remove(w.dir);
    }
}

static bool release_fails(const char *call, const char *sql, bool busy)
{
    static bool back;
    (void)busy;
    if (strcmp(call, "step") != 0)
        return false;
    bool fails = back && strcmp(sql, "RELEASE request") == 0;
    back = strcmp(sql, "ROLLBACK TO request") == 0;
    begun += fails;
    return fails;
}

/* A savepoint that cannot be given up takes all of the group with it. */
static void a_savepoint_stays(void)
{
    begin();
    add_deltas("a", NULL);
    add(plog_request_strategy(&requests[count], w.p->io, PLOG_LAST_WRITE_WINS,
                              NULL));
    add_deltas("b", "taken");
    begun = 0;
    sql_calls.fails = release_fails;
    lead();
    CHECK_UINT(begun, 1);
    CHECK_INT(requests[0].result, PLOG_E_IO);
    CHECK_TEXT(errors[0].message,
               "SQLite ended the store's transaction after an error");
    CHECK_INT(requests[1].result, PLOG_E_IO);
    CHECK_INT(requests[2].result, PLOG_E_CONFLICT);
    end(2);
}

static bool savepoint_fails(const char *call, const char *sql, bool busy)
{
    (void)busy;
    if (strcmp(call, "step") != 0 || strcmp(sql, "SAVEPOINT request") != 0)
        return false;
    return begun++ == 1;
}

/* A redaction that cannot be kept apart is not begun, and as SQLite cannot go
 * back to where it would have been, nothing of the group is made. */
static void no_savepoint_for_a_redaction(void)
{
    begin();
    add_deltas("a", NULL);
    add(plog_request_redact(&requests[count], w.p->io, 2,
                            plog_span_text("asked"), NULL));
    add_deltas("b", NULL);
    begun = 0;
    sql_calls.fails = savepoint_fails;
    lead();
    CHECK_UINT(begun, 2);
    for (unsigned i = 0; i < count; i++)
        CHECK_INT(requests[i].result, PLOG_E_IO);
    CHECK_TEXT(world_record(&w, "r"), "{\"v\":\"x\"} v1");
    end(2);
}

static int counting_make(void *arg, plog *p, struct plog_buf *args,
                         struct plog_error *err)
{
    (void)p, (void)args, (void)err;
    ++*(unsigned *)arg;
    return 0;
}

/* ... nor an entry whose text is made only then. */
static void no_savepoint_for_what_is_made(void)
{
    unsigned made = 0;
    begin();
    add_deltas("a", NULL);
    add(plog_request_strategy(&requests[count], w.p->io, PLOG_LAST_WRITE_WINS,
                              NULL));
    requests[1].make = counting_make;
    requests[1].make_arg = &made;
    begun = 0;
    sql_calls.fails = savepoint_fails;
    lead();
    CHECK_UINT(begun, 2);
    CHECK_UINT(made, 0);
    for (unsigned i = 0; i < count; i++)
        CHECK_INT(requests[i].result, PLOG_E_IO);
    end(2);
}

/* ---- Several in flight -------------------------------------------------- */

static long fail_at, asked;

static void *some_memory(void *ctx, void *p, size_t n)
{
    if (n && ++asked == fail_at)
        return NULL;
    return plog_io_posix()->alloc(ctx, p, n);
}

/* Of a group of cursors alone, after each number of allocations. */
static void memory_for_a_ticket(void)
{
    static struct plog_io io;
    const struct plog_cursor c = {{"s", 1}, {"*", 1}, {"7", 1}};
    struct plog_group g = {
        .struct_size = sizeof g, .cursors = &c, .cursor_count = 1};
    struct plog_error err;
    struct plog_ticket *t = NULL;
    begin();
    io = *w.options.io;
    io.alloc = some_memory;
    w.options.io = &io;
    no_threads = true; /* the call writes by itself */
    CHECK_INT(world_open(&w), 0);
    int rc = PLOG_E_NOMEM;
    for (fail_at = 1; rc && fail_at < 100; fail_at++) {
        asked = 0;
        err.code = 0;
        rc = plog_submit(w.p, &g, &t, &err);
        CHECK(rc == 0 || !t);
        if (!rc)
            rc = plog_wait(t, NULL, &err);
        if (!rc)
            break;
        CHECK_INT(rc, PLOG_E_NOMEM);
        CHECK_INT(err.code, PLOG_E_NOMEM);
        CHECK(!strcmp(err.message, "out of memory") ||
              !strcmp(err.message, "a source-cursor entry cannot be read"));
        CHECK_UINT(world_size(&w), 2);
    }
    CHECK_INT(rc, 0);
    CHECK(fail_at > 3);
    fail_at = 0;
    no_threads = false;
    end(3);
}

/* As for memory_for_a_ticket, on a table of its own. */
static void with_some_memory(void)
{
    static struct plog_io io;
    begin();
    io = *w.options.io;
    io.alloc = some_memory;
    w.options.io = &io;
    CHECK_INT(world_open(&w), 0);
}

static int make_compact(void *arg, plog *p, struct plog_buf *args,
                        struct plog_error *err)
{
    struct plog_compaction c = {.from = 1, .to = 0};
    (void)arg, (void)p, (void)err;
    c.rules.strategy = PLOG_ARRIVAL;
    c.rules.line_max = PLOG_LINE_DEFAULT;
    c.rules.segment_size = PLOG_SEGMENT_DEFAULT;
    c.peers = plog_span_text("[{\"name\":\"p\",\"seq\":1}]");
    c.rotations = plog_span_text("[]");
    return plog_compaction_format(args, &c);
}

static void memory_for_a_compact_entry(void)
{
    struct plog_receipt r;
    struct plog_error err;
    unsigned read = 0;
    int rc = PLOG_E_NOMEM;
    with_some_memory();
    for (long n = 1; rc && n < 100; n++) {
        asked = 0;
        fail_at = n;
        err = (struct plog_error){.code = 0};
        rc = plog_engine_control(w.p, PLOG_CONTROL_COMPACT, make_compact, NULL,
                                 &r, &err);
        fail_at = 0;
        CHECK(rc == 0 || rc == PLOG_E_NOMEM);
        read += strcmp(err.message, "a compact entry cannot be read") == 0;
        CHECK_UINT(world_size(&w), rc ? 2 : 3);
    }
    CHECK_INT(rc, 0);
    CHECK(read > 0);
    world_close(&w);
}

/* A group whose lines fill their memory, so that the LF that ends it asks for
 * more: its length grows with the payload. */
static void memory_for_the_last_byte(void)
{
    char text[2000], value[1200] = "", payload[1300];
    struct plog_error err;
    int rc = PLOG_E_NOMEM;
    with_some_memory();
    for (int round = 0; round < 2; round++) {
        uint64_t before = w.p->legs.head.offset;
        struct world_delta d = {.id = round ? "b" : "a", .payload = payload};
        snprintf(payload, sizeof payload, "{\"v\":\"%s\"}", value);
        world_text(text, sizeof text, &d);
        rc = PLOG_E_NOMEM;
        for (long n = round; rc && n < 100; n++) {
            asked = 0;
            fail_at = n;
            rc = world_append(&w, text, NULL, &err);
            fail_at = 0;
            CHECK(rc == 0 || rc == PLOG_E_NOMEM);
            CHECK_UINT(w.p->legs.head.offset == before, rc != 0);
        }
        CHECK_INT(rc, 0);
        uint64_t length = w.p->legs.head.offset - before;
        if (round)
            CHECK_UINT(length, 1025);
        else if (CHECK(length < 1025))
            memset(value, 'v', 1025 - length);
    }
    end(4);
}

static void nothing_to_append(void)
{
    struct plog_group g = {.struct_size = sizeof g};
    struct plog_receipt r = {.seq = 7};
    struct plog_error err;
    begin();
    CHECK_INT(plog_append_group(w.p, &g, &r, &err), PLOG_E_ARG);
    CHECK_TEXT(err.message, "an empty group");
    CHECK_UINT(r.seq, 7);
    end(2);
}

/* ---- A full queue ------------------------------------------------------- */

struct submitter {
    struct plog_ticket *ticket;
    int result;
};

static void *submit(void *arg)
{
    struct submitter *s = arg;
    char text[400];
    struct world_delta d = {.id = "waits"};
    struct plog_span delta = plog_span_text(world_text(text, sizeof text, &d));
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = &delta, .delta_count = 1};
    s->result = plog_submit(w.p, &g, &s->ticket, NULL);
    return NULL;
}

/* As if so many were queued: who submits has begun the writer thread, and
 * lets the mutex go only to wait for room. */
static void waits_for_room(size_t queued, size_t bytes)
{
    struct plog_queue *q = &w.p->queue;
    struct submitter s = {.ticket = NULL};
    struct plog_receipt r;
    pthread_t id;
    bool begun_writer = false;
    pthread_mutex_lock(&q->mutex);
    q->count += queued;
    q->bytes += bytes;
    CHECK(!q->has_writer);
    CHECK_INT(pthread_create(&id, NULL, submit, &s), 0);
    while (!begun_writer) {
        pthread_mutex_unlock(&q->mutex);
        pthread_mutex_lock(&q->mutex);
        begun_writer = q->has_writer;
    }
    CHECK(q->first == NULL && !s.ticket);
    q->count -= queued;
    q->bytes -= bytes;
    pthread_cond_broadcast(&q->room);
    pthread_mutex_unlock(&q->mutex);
    pthread_join(id, NULL);
    CHECK_INT(s.result, 0);
    REQUIRE(s.ticket != NULL);
    CHECK_INT(plog_wait(s.ticket, &r, NULL), 0);
    CHECK_UINT(r.size, 3);
}

static void a_full_queue(void)
{
    begin();
    waits_for_room(65536, 0);
    end(3);
    world_remove(w.dir);
    begin();
    waits_for_room(0, PLOG_GROUP_MAX + 1);
    end(3);
}

static unsigned ends_asked; /* how often for the ends of the rows that wait */

static bool count_ends(const char *call, const char *sql, bool busy)
{
    (void)busy;
    ends_asked += !strcmp(call, "step") && !strncmp(sql, "SELECT min(", 11);
    return false;
}

/* What waits in the store is asked for once by a writer who is alone there, and
 * not for each group. */
static void rows_that_wait(void)
{
    begin();
    ends_asked = 0;
    sql_calls.fails = count_ends;
    for (int i = 0; i < 5; i++)
        CHECK_INT(world_put(&w, NULL, "r", "x", NULL), 0);
    sql_calls.fails = NULL;
    CHECK_UINT(ends_asked, 0); /* begin() has appended one */
    end(7);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"without receipts", without_receipts},
        {"a hook ends the transaction", a_hook_ends_the_transaction},
        {"beginning again fails", beginning_again_fails},
        {"another writes meanwhile", another_writes_meanwhile},
        {"with control entries", with_control_entries},
        {"a savepoint stays", a_savepoint_stays},
        {"no savepoint for a redaction", no_savepoint_for_a_redaction},
        {"no savepoint for what is made", no_savepoint_for_what_is_made},
        {"memory for a ticket", memory_for_a_ticket},
        {"memory for a compact entry", memory_for_a_compact_entry},
        {"memory for the last byte", memory_for_the_last_byte},
        {"nothing to append", nothing_to_append},
        {"a full queue", a_full_queue},
        {"rows that wait", rows_that_wait},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
