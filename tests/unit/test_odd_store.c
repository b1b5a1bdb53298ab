/*
 * test_odd_store.c - a store with one row wrong, and what each call says that
 * comes by it.
 *
 * The store is a function of the log, but nobody proves that before each
 * call: a row that somebody changed or lost must end in DIVERGED and never in
 * a wrong answer, and never in an entry that stands on it.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "engine.h"
#include "world.h"

static struct world base, w;
static plog_reader *reader;
static plog_sub *sub;
static struct plog_error err;

/* 1 init, 2 and 3 record 1, 4 record 2, 5 a strategy, 6 record 1; 7 record 3
 * and 8 a cursor in one group; 9 record 2; 10 a strategy. */
static void make_base(void)
{
    char text[400];
    struct world_delta d = {.id = "i7", .record = "3"};
    struct plog_cursor c = {
        .source = {"s", 1}, .resource = {"r", 1}, .cursor = {"at 7", 4}};
    if (base.dir[0])
        return;
    world_make(&base, PLOG_LAST_WRITE_WINS, 0);
    CHECK_INT(world_put(&base, "i2", "1", "two", NULL), 0);
    CHECK_INT(world_put(&base, "i3", "1", "three", NULL), 0);
    CHECK_INT(world_put(&base, "i4", "2", "four", NULL), 0);
    CHECK_INT(plog_set_strategy(base.p, PLOG_ARRIVAL, NULL, NULL), 0);
    CHECK_INT(world_put(&base, "i6", "1", "six", NULL), 0);
    world_text(text, sizeof text, &d);
    struct plog_span one = {text, strlen(text)};
    struct plog_group g = {.struct_size = sizeof g,
                           .deltas = &one,
                           .delta_count = 1,
                           .cursors = &c,
                           .cursor_count = 1};
    CHECK_INT(plog_append_group(base.p, &g, NULL, NULL), 0);
    CHECK_INT(world_put(&base, "i9", "2", "nine", NULL), 0);
    CHECK_INT(plog_set_strategy(base.p, PLOG_MERGE_JSON, NULL, NULL), 0);
    world_close(&base);
}

static void copy_base(void)
{
    static int count;
    make_base();
    w = base;
    snprintf(w.dir, sizeof w.dir, "%.400s-%d", base.dir, count++);
    world_copy(base.dir, w.dir);
    err = (struct plog_error){.code = 0};
}

/* ---- The calls --------------------------------------------------------------
 */

static int any_line(void *arg, uint64_t seq, const char *line, size_t len)
{
    (void)arg, (void)seq, (void)line, (void)len;
    return 0;
}
static int any_row(void *arg, const struct plog_row *row)
{
    (void)arg, (void)row;
    return 0;
}
static int any_cursor(void *arg, const struct plog_cursor *c, uint64_t seq)
{
    (void)arg, (void)c, (void)seq;
    return 0;
}

static int get_of(const char *record)
{
    struct plog_record r;
    return plog_reader_get(reader, (struct plog_span){"r", 1},
                           (struct plog_span){record, 1}, &r, &err);
}
static int get(void)
{
    return get_of("1");
}
static int history(void)
{
    return plog_reader_history(reader, (struct plog_span){"r", 1},
                               (struct plog_span){"1", 1}, any_line, NULL,
                               &err);
}
static int log_lines(void)
{
    return plog_reader_log(reader, 0, 0, any_line, NULL, &err);
}
static int head(void)
{
    struct plog_head h;
    return plog_reader_head(reader, &h, &err);
}
static int cursor(void)
{
    struct plog_span out;
    return plog_reader_cursor(reader, (struct plog_span){"s", 1},
                              (struct plog_span){"r", 1}, &out, &err);
}
static int cursors(void)
{
    return plog_reader_cursors(reader, any_cursor, NULL, &err);
}
static int checkpoint(void)
{
    char out[PLOG_CHECKPOINT_MAX];
    return plog_reader_checkpoint(reader, out, &err);
}
static int query(void)
{
    return plog_reader_query(reader, "SELECT 1", any_row, NULL, &err);
}
static int next(void)
{
    uint64_t seq;
    const char *line;
    size_t len;
    return plog_sub_next(sub, 0, &seq, &line, &len, &err);
}
static int put_on(const char *id, const char *record, const char *value)
{
    char text[400], payload[100];
    struct world_delta d = {.id = id, .record = record, .payload = payload};
    snprintf(payload, sizeof payload, "{\"v\":\"%s\"}", value);
    return world_append(&w, world_text(text, sizeof text, &d), NULL, &err);
}
static int append(void)
{
    return put_on("i11", "1", "eleven");
}
static int repeat(void)
{
    struct plog_receipt r;
    char text[400];
    struct world_delta d = {
        .id = "i3", .record = "1", .payload = "{\"v\":\"three\"}"};
    return world_append(&w, world_text(text, sizeof text, &d), &r, &err);
}
static int redact_of(uint64_t seq)
{
    return plog_engine_redact(w.p, seq, plog_span("x", 1), NULL, &err);
}
static int redact(void)
{
    return redact_of(6);
}
static int redact_three(void)
{
    return redact_of(3);
}

/* ---- One row wrong ----------------------------------------------------------
 */

#define EMPTY_ROOT                                                             \
    "x'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'"

struct odd {
    const char *sql;
    int (*call)(void);
    int code;
    const char *says;
};

static const struct odd odds[] = {
    {"SELECT 1", repeat, 0, ""},
    {"SELECT 1", append, 0, ""},
    {"UPDATE events SET line='{\"seq\":6}' WHERE seq=6", get, PLOG_E_DIVERGED,
     "event 6 is not an entry"},
    {"DELETE FROM events WHERE seq=6", get, PLOG_E_DIVERGED,
     "no event 6, on which the record stands"},
    {"UPDATE state SET payload_at=99999 WHERE record_id='1'", get,
     PLOG_E_DIVERGED, "the record points outside event 6"},
    {"UPDATE state SET payload_len=payload_len+500 WHERE record_id='1'", get,
     PLOG_E_DIVERGED, "the record points outside event 6"},
    {"UPDATE events SET previous=6 WHERE seq=6", history, PLOG_E_DIVERGED,
     "the history breaks at event 6"},
    {"UPDATE events SET previous=9 WHERE seq=3", history, PLOG_E_DIVERGED,
     "the history breaks at event 3"},
    {"DELETE FROM events WHERE seq=3", history, PLOG_E_DIVERGED,
     "the history breaks at event 3"},
    {"UPDATE meta SET root=x'00'", head, PLOG_E_DIVERGED, "root"},
    {"UPDATE meta SET sig=zeroblob(64)", checkpoint, PLOG_E_DIVERGED,
     "the head's signature does not verify"},
    {"UPDATE meta SET sig=zeroblob(64)", head, 0, ""},
    {"UPDATE meta SET size=0, root=" EMPTY_ROOT ", range=x'', key='', sig=x''",
     checkpoint, PLOG_E_NOT_FOUND, "the store has no commit yet"},
    {"UPDATE meta SET key='00000000'", checkpoint, PLOG_E_UNKNOWN_KEY,
     "the head is signed by key 00000000"},
    {"UPDATE meta SET key='00000000'", log_lines, PLOG_E_UNKNOWN_KEY,
     "the head is signed by key 00000000"},
    {"INSERT INTO rotations VALUES(3)", log_lines, PLOG_E_DIVERGED,
     "rotation 3: its event is not one"},
    {"INSERT INTO rotations VALUES(30)", checkpoint, PLOG_E_DIVERGED,
     "rotation 30: its event is not one"},
    {"DELETE FROM events WHERE seq=9", next, PLOG_E_DIVERGED,
     "event 9 is missing"},
    {"DELETE FROM events WHERE seq=8", next, PLOG_E_DIVERGED,
     "event 8 is missing"},
    {"DELETE FROM events WHERE seq=10", next, PLOG_E_DIVERGED,
     "event 10 is missing"},
    {"DELETE FROM events WHERE seq=6", append, PLOG_E_DIVERGED,
     "no event 6, on which a record stands"},
    {"UPDATE events SET line=replace(line,'three','throw') WHERE seq=3", repeat,
     PLOG_E_DIVERGED, "entry 3: log and store differ"},
    {"UPDATE events SET line='{\"seq\":3,\"redacted\":\"'||"
     "'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}' WHERE seq=3",
     repeat, PLOG_E_DIVERGED, "entry 3: log and store differ"},
    {"DELETE FROM checkpoints", repeat, PLOG_E_DIVERGED,
     "the commit of entry 3 is missing"},
    {"UPDATE checkpoints SET line='{}'", repeat, PLOG_E_DIVERGED,
     "the commit of entry 3 is missing"},
    {"DELETE FROM events WHERE seq=6", redact, PLOG_E_DIVERGED,
     "the id's event is missing"},
    {"UPDATE events SET previous=6 WHERE seq=6", redact, PLOG_E_DIVERGED,
     "the history of a record breaks off at event 6"},
    {"DELETE FROM events WHERE seq=3", redact, PLOG_E_DIVERGED,
     "the history of a record breaks off at event 3"},
    {"UPDATE events SET line='{}' WHERE seq=5", redact, PLOG_E_CORRUPT, ""},
    {"UPDATE events SET line='{}' WHERE seq=3", redact, PLOG_E_CORRUPT, ""},
    {"UPDATE events SET previous=9 WHERE seq=3", redact_three, 0, ""},
    {"DROP TABLE checkpoints", repeat, PLOG_E_DIVERGED, "checkpoints"},
    {"UPDATE events SET line=replace(line,'last-write-wins','no-such-strat')"
     " WHERE seq=1",
     redact, 0, ""},
    {"UPDATE events SET line=replace(line,'arrival','no-such') WHERE seq=5",
     redact, 0, ""},
};

/* A writer that was refused has written nothing. */
static void one_row(void)
{
    for (size_t i = 0; i < sizeof odds / sizeof *odds; i++) {
        copy_base();
        CHECK_INT(plog_reader_open(&reader, w.dir, NULL, NULL), 0);
        CHECK_INT(plog_subscribe(&sub, w.dir, 8, NULL, NULL), 0);
        CHECK_INT(world_open(&w), 0);
        int64_t events = world_number(&w, "SELECT count(*) FROM events");
        world_sql(&w, odds[i].sql);
        events -= strncmp(odds[i].sql, "DELETE FROM events", 18) == 0;
        int rc = odds[i].call();
        if (rc == 0 && odds[i].code && odds[i].call == next)
            rc = next(); /* behind what is whole */
        bool ok = CHECK_INT(rc, odds[i].code);
        if (odds[i].code == 0)
            ok &= CHECK_INT(err.code, 0);
        else {
            ok &= CHECK_INT(err.code, rc);
            ok &= CHECK(strstr(err.message, odds[i].says) != NULL);
            ok &= CHECK_INT(world_number(&w, "SELECT count(*) FROM events"),
                            events);
        }
        if (!ok)
            printf("# %s: %s\n", odds[i].sql, err.message);
        plog_sub_close(sub);
        plog_reader_close(reader);
        world_close(&w);
        world_remove(w.dir);
    }
}

/* Damage can make of a value the same bytes of another type, which SQLite does
 * not look at when it reads. */
static void another_type(void)
{
    static const char *const values[] = {
        "origin=CAST(origin AS BLOB)", "root=CAST(root AS TEXT)",
        "size=CAST(size AS BLOB)", "base=CAST(base AS BLOB)"};
    char sql[200];
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        copy_base();
        world_sql(&w, "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET"
                      " sql=replace(sql,' STRICT','') WHERE name='meta'");
        snprintf(sql, sizeof sql, "UPDATE meta SET %s", values[i]);
        world_sql(&w, sql);
        world_sql(&w, "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET"
                      " sql=sql||' STRICT' WHERE name='meta'");
        CHECK_INT(plog_open(&w.p, w.dir, &w.options, &err), PLOG_E_DIVERGED);
        CHECK_TEXT(err.message,
                   "store.db: the head's values are of another type");
        CHECK_TEXT(err.file, "store.db");
        err.code = 0;
        CHECK_INT(plog_reader_open(&reader, w.dir, NULL, &err),
                  PLOG_E_DIVERGED);
        world_remove(w.dir);
    }
}

/* ---- The whole store gone ---------------------------------------------------
 */

/* Every call of a reader finds the store that has the name now, or that there
 * is none, also a second time; and goes on when there is one again. */
static void no_store(void)
{
    static int (*const calls[])(void) = {get,   history,    log_lines,
                                         head,  cursor,     cursors,
                                         query, checkpoint, next};
    char away[700], name[700];
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        copy_base();
        snprintf(name, sizeof name, "%s/store.db", w.dir);
        snprintf(away, sizeof away, "%s/elsewhere.db", w.dir);
        CHECK_INT(plog_reader_open(&reader, w.dir, NULL, NULL), 0);
        CHECK_INT(plog_subscribe(&sub, w.dir, 10, NULL, NULL), 0);
        CHECK_INT(calls[i](), 0);
        CHECK_INT(rename(name, away), 0);
        CHECK_INT(calls[i](), PLOG_E_BEHIND);
        CHECK_INT(err.code, PLOG_E_BEHIND);
        CHECK_INT(calls[i](), PLOG_E_BEHIND);
        CHECK_INT(rename(away, name), 0);
        CHECK_INT(calls[i](), calls[i] == next ? PLOG_TIMEOUT : 0);
        plog_sub_close(sub);
        plog_reader_close(reader);
        world_remove(w.dir);
    }
}

/* A cursor may be empty, which is not the same as none. */
static void empty_cursor(void)
{
    struct plog_cursor c = {.source = {"t", 1}, .resource = {"r", 1}};
    struct plog_group g = {
        .struct_size = sizeof g, .cursors = &c, .cursor_count = 1};
    struct plog_span out = {"x", 1};
    copy_base();
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_append_group(w.p, &g, NULL, &err), 0);
    CHECK_INT(plog_reader_open(&reader, w.dir, NULL, NULL), 0);
    CHECK_INT(plog_reader_cursor(reader, (struct plog_span){"t", 1},
                                 (struct plog_span){"r", 1}, &out, &err),
              0);
    CHECK_UINT(out.n, 0);
    CHECK_INT(plog_reader_cursor(reader, (struct plog_span){"u", 1},
                                 (struct plog_span){"r", 1}, &out, &err),
              PLOG_E_NOT_FOUND);
    plog_reader_close(reader);
    world_end(&w, 11);
}

/* ---- The log meanwhile ------------------------------------------------------
 */

struct seqs {
    uint64_t first, last, count;
};

static int note_seq(void *arg, uint64_t seq, const char *line, size_t len)
{
    struct seqs *s = arg;
    (void)line, (void)len;
    s->first = s->first ? s->first : seq;
    s->last = seq;
    s->count++;
    return 0;
}

static void ranges(void)
{
    static const struct {
        uint64_t from, to, first, last;
        int code;
    } all[] = {
        {0, 0, 1, 10, 0},
        {1, 1, 1, 1, 0},
        {4, 0, 4, 10, 0},
        {0, 4, 1, 4, 0},
        {7, 7, 7, 7, 0},
        {8, 8, 8, 8, 0},
        {7, 8, 7, 8, 0},
        {10, 99, 10, 10, 0},
        {5, 4, 0, 0, 0},
        {10, 1, 0, 0, 0},
        {11, 0, 0, 0, PLOG_E_NOT_FOUND},
    };
    copy_base();
    CHECK_INT(plog_reader_open(&reader, w.dir, NULL, NULL), 0);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct seqs s = {0, 0, 0};
        CHECK_INT(
            plog_reader_log(reader, all[i].from, all[i].to, note_seq, &s, &err),
            all[i].code);
        CHECK_UINT(s.first, all[i].first);
        CHECK_UINT(s.last, all[i].last);
        CHECK_UINT(s.count, all[i].last ? all[i].last - all[i].first + 1 : 0);
    }
    plog_reader_close(reader);
    /* The head says less than its size. */
    size_t n;
    char sql[100],
        *log = world_read(world_path(&w, "log/00000000000000000001.jsonl"), &n);
    char *last = log, *before = log;
    for (char *at = log; (at = strstr(at, "{\"commit\":{\"size\"")); at++) {
        before = last;
        last = at;
    }
    snprintf(sql, sizeof sql, "UPDATE meta SET offset=%ld",
             (long)(strchr(before, '\n') + 1 - log));
    free(log);
    world_sql(&w, sql);
    CHECK_INT(plog_reader_open(&reader, w.dir, NULL, NULL), 0);
    CHECK_INT(log_lines(), PLOG_E_ROLLBACK);
    CHECK_TEXT(err.message, "the log ends before entry 10");
    plog_reader_close(reader);
}

static const char *meanwhile; /* SQL run when log/ is listed */

static int listed(void *ctx, int dir, int (*each)(void *arg, const char *name),
                  void *arg)
{
    if (meanwhile) {
        const char *sql = meanwhile;
        meanwhile = NULL;
        world_sql(&w, sql);
        world_remove(world_path(&w, "log/00000000000000000001.jsonl"));
    }
    return plog_io_posix()->list(ctx, dir, each, arg);
}

/* What was compacted away while it was read is said to be, and a segment that
 * is gone for any other reason is damage. */
static void under_our_eyes(void)
{
    static const struct {
        const char *sql;
        int code;
    } all[] = {
        {"UPDATE meta SET floor=5", PLOG_E_PRUNED},
        {"UPDATE meta SET floor=2", PLOG_E_PRUNED},
        {"UPDATE meta SET floor=1", PLOG_E_CORRUPT},
        {"SELECT 1", PLOG_E_CORRUPT},
        {"UPDATE meta SET root=x'00'", PLOG_E_CORRUPT},
    };
    struct plog_io io = *plog_io_posix();
    struct plog_options o = {.struct_size = sizeof o, .io = &io};
    io.list = listed;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        uint64_t first;
        copy_base();
        CHECK_INT(world_open(&w), 0);
        CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
        CHECK_INT(world_put(&w, NULL, "1", "x", NULL), 0);
        world_close(&w);
        CHECK_INT(plog_reader_open(&reader, w.dir, &o, NULL), 0);
        CHECK_INT(plog_reader_log(reader, 2, 0, any_line, NULL, &err), 0);
        meanwhile = all[i].sql;
        if (!CHECK_INT(plog_reader_log(reader, 2, 0, any_line, NULL, &err),
                       all[i].code))
            printf("# %s: %s\n", all[i].sql, err.message);
        CHECK_INT(err.code, all[i].code);
        plog_reader_close(reader);
        world_remove(w.dir);
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"one row", one_row},   {"another type", another_type},
        {"no store", no_store}, {"empty cursor", empty_cursor},
        {"ranges", ranges},     {"under our eyes", under_our_eyes},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
