/*
 * test_pending.c - an order to redact was given, and the payload is still
 * there: what takes it away, and what refuses to when log and store are not
 * what they must be.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "engine.h"
#include "scrub.h"
#include "sql_calls.h"
#include "world.h"

#define SECRET "the-payload-that-must-go"

static struct world base, w;
static struct plog_error err;
static struct plog_scrub_report report;

static int redact(const struct world *in, uint64_t seq)
{
    struct plog_redact_report r;
    struct plog_redact_options o = {
        .struct_size = sizeof o, .wait_seconds = -1, .reason = "asked for"};
    return plog_redact(in->dir, seq, &o, &r, NULL);
}

/* Several segments; 2, 3 and a later one hold the secret, and a reader keeps
 * the redactions pending. */
static uint64_t later;

static void make_base(void)
{
    struct plog_receipt r = {.seq = 0};
    char id[12], filler[1500];
    sqlite3 *db = NULL;
    if (base.dir[0])
        return;
    memset(filler, 'f', sizeof filler - 1);
    filler[sizeof filler - 1] = '\0';
    world_make(&base, PLOG_LAST_WRITE_WINS, 4096);
    for (int i = 0; i < 10; i++) {
        snprintf(id, sizeof id, "i%d", i);
        bool secret = i < 2 || i == 6;
        CHECK_INT(world_put(&base, id, id, secret ? SECRET : filler, &r), 0);
        later = i == 6 ? r.seq : later;
    }
    world_close(&base);
    CHECK_INT(sqlite3_open(world_path(&base, "store.db"), &db), SQLITE_OK);
    CHECK_INT(sqlite3_exec(db, "BEGIN; SELECT * FROM events", NULL, NULL, NULL),
              SQLITE_OK);
    CHECK_INT(redact(&base, 2), PLOG_E_LOCKED);
    CHECK_INT(redact(&base, 3), PLOG_E_LOCKED);
    CHECK_INT(redact(&base, later), PLOG_E_LOCKED);
    sqlite3_close(db);
    CHECK_INT(
        world_number(&base, "SELECT count(*) FROM redactions WHERE pending"),
        3);
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

static int secrets(void)
{
    static const char *const names[] = {"log/00000000000000000001.jsonl",
                                        "log/00000000000000000007.jsonl",
                                        "store.db", "store.db-wal"};
    int found = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t n;
        char path[700];
        snprintf(path, sizeof path, "%s", world_path(&w, names[i]));
        FILE *f = fopen(path, "rb");
        if (!f)
            continue;
        fclose(f);
        char *bytes = world_read(path, &n);
        for (char *at = bytes; (at = memmem(at, n - (size_t)(at - bytes),
                                            SECRET, sizeof SECRET - 1)) != NULL;
             at++)
            found++;
        free(bytes);
    }
    return found;
}

/* What is pending, done on this handle. */
static int scrub(void)
{
    int rc = plog_engine_enter(w.p, &err);
    if (!CHECK_INT(rc, 0))
        return rc;
    plog_store_rollback(&w.p->legs.store);
    rc = plog_scrub(&w.p->legs, &report, &err);
    plog_engine_leave(w.p);
    return rc;
}

static int64_t pending(void)
{
    return world_number(&w, "SELECT count(*) FROM redactions WHERE pending");
}

/* Opens it while somebody else is at it, so that all stays pending. */
static void open_pending(void)
{
    struct plog_dir other;
    CHECK_INT(plog_dir_open(&other, plog_io_posix(), w.dir, PLOG_DIR_WRITE,
                            false, NULL),
              0);
    CHECK_INT(plog_dir_maintain(&other, -1, NULL), 0);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(pending(), 3);
    plog_dir_maintained(&other);
    plog_dir_close(&other);
}

/* ---- Done -----------------------------------------------------------------
 */

/* In whatever segments they lie, and when a handle is opened. */
static void in_several_segments(void)
{
    copy_base();
    CHECK(secrets() > 0);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(pending(), 0);
    CHECK_INT(secrets(), 0);
    world_end(&w, world_size(&w));
}

/* Somebody else is at it: opening waits for nobody, and the next one does it.
 */
static void by_somebody_else(void)
{
    copy_base();
    open_pending();
    CHECK_INT(scrub(), 0);
    CHECK_UINT(report.entries, 3);
    CHECK_UINT(report.segments, 2); /* each file once */
    CHECK_INT(pending(), 0);
    CHECK_INT(secrets(), 0);
    world_end(&w, world_size(&w));
}

/* ---- Refused --------------------------------------------------------------
 */

/* Nothing is taken away, and nothing said to be done. */
static void refused(void)
{
    static const struct {
        const char *sql;
        int code;
        const char *says;
    } all[] = {
        {"DELETE FROM events WHERE seq=2", PLOG_E_DIVERGED,
         "redacting entry 2: the store does not hold the redacted line; its"
         " payload is still there"},
        {"UPDATE events SET line='{\"seq\":2}' WHERE seq=2", PLOG_E_DIVERGED,
         "redacting entry 2: the store does not hold the redacted line; its"
         " payload is still there"},
        {"UPDATE events SET line=replace(line,'\"redacted\":\"',"
         "'\"redacted\":\"AAAA') WHERE seq=2",
         PLOG_E_DIVERGED,
         "redacting entry 2: the store does not hold the redacted line; its"
         " payload is still there"},
        {"UPDATE events SET line=substr(line,1,length(line)-46)||"
         "'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}' WHERE seq=2",
         PLOG_E_DIVERGED,
         "redacting entry 2: log and store hold another line; its payload is"
         " still there"},
        {"UPDATE events SET line=replace(line,'\"i0\"','\"i9\"') WHERE seq=2",
         PLOG_E_DIVERGED,
         "redacting entry 2: the log holds no order for that; its payload is"
         " still there"},
        {"UPDATE redactions SET target=4 WHERE target=2", PLOG_E_DIVERGED,
         "redacting entry 3: "},
        {"UPDATE redactions SET seq=1 WHERE target=2", PLOG_E_DIVERGED,
         "redacting entry 2: the log holds no order for that"},
        {"UPDATE redactions SET seq=seq+100 WHERE target=2", PLOG_E_DIVERGED,
         "redacting entry 2: the log holds no order for that"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        copy_base();
        if (i == 5) /* the target of another order */
            world_sql(&w, "UPDATE redactions SET pending=0 WHERE target=2;"
                          "UPDATE redactions SET seq=1 WHERE target=3");
        else
            world_sql(&w, all[i].sql);
        CHECK_INT(world_open(&w), 0); /* tries, too, and lets be */
        CHECK_INT(pending(), i == 5 ? 2 : 3);
        int found = secrets();
        CHECK(found > 0);
        bool ok = CHECK_INT(scrub(), all[i].code);
        ok &= CHECK_INT(err.code, all[i].code);
        ok &= CHECK(!strncmp(err.message, all[i].says, strlen(all[i].says)));
        ok &= CHECK_UINT(err.seq, i == 5 ? 3 : 2);
        CHECK_TEXT(err.hint, "run: paritylog parity DIR");
        if (!ok)
            printf("# %s: %s\n", all[i].sql, err.message);
        CHECK_UINT(report.entries, 0);
        CHECK_UINT(report.segments, 0);
        CHECK_INT(secrets(), found);
        CHECK_INT(pending(), i == 5 ? 2 : 3);
        world_close(&w);
        world_remove(w.dir);
    }
}

/* In the line of an entry, in place of the end of `from`. */
static void change(uint64_t seq, const char *from, const char *to)
{
    char sql[100], name[60], start[40];
    size_t n;
    snprintf(sql, sizeof sql, "SELECT max(first) FROM segments WHERE first<=%d",
             (int)seq);
    snprintf(name, sizeof name, "log/%020lld.jsonl",
             (long long)world_number(&w, sql));
    snprintf(start, sizeof start, "{\"seq\":%d,", (int)seq);
    char *bytes = world_read(world_path(&w, name), &n);
    char *line = memmem(bytes, n, start, strlen(start));
    char *at = line ? strstr(line, from) : NULL;
    if (CHECK(at != NULL))
        memcpy(at + strlen(from) - strlen(to), to, strlen(to));
    world_write(world_path(&w, name), bytes, n);
    free(bytes);
}

/* An order of the log that is none, or not for this line as it is there, takes
 * nothing away. */
static void changed_orders(void)
{
    static const struct {
        const char *from, *to; /* its end */
    } all[] = {{"\"args\":{\"seq\":2", "1"},
               {"\"leaf\":\"", NULL},
               {"\"line\":\"", NULL},
               {"\"reason\":\"asked for\"", "12345678901"},
               {"\"control\":\"redact", "redacs"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        copy_base();
        open_pending();
        uint64_t order = (uint64_t)world_number(
            &w, "SELECT seq FROM redactions WHERE target=2");
        char from[40], to[2] = "A";
        snprintf(from, sizeof from, "%s", all[i].from);
        if (!all[i].to) { /* the first digit of a hash */
            size_t n;
            char *line = world_line(&w, order, &n);
            const char *at = strstr(line, from);
            REQUIRE(at != NULL);
            to[0] = at[strlen(from)] == 'A' ? 'B' : 'A';
            strncat(from, at + strlen(from), 1);
            free(line);
        }
        change(order, from, all[i].to ? all[i].to : to);
        int found = secrets();
        bool ok = CHECK_INT(scrub(), PLOG_E_DIVERGED);
        ok &= CHECK_TEXT(err.message,
                         "redacting entry 2: the log holds no order for that;"
                         " its payload is still there");
        if (!ok)
            printf("# %s\n", from);
        CHECK_UINT(err.seq, 2);
        CHECK_INT(secrets(), found);
        CHECK_INT(pending(), 3);
        world_close(&w);
        world_remove(w.dir);
    }
}

/* Only when the store's WAL is empty are its copies of the payload gone. */
static void a_wal_that_is_not_emptied(void)
{
    static const struct {
        int result, left, code;
    } all[] = {{SQLITE_BUSY, 0, PLOG_E_LOCKED},
               {SQLITE_BUSY, 7, PLOG_E_LOCKED},
               {SQLITE_OK, 7, PLOG_E_LOCKED},
               {SQLITE_IOERR, 0, PLOG_E_IO},
               {SQLITE_IOERR, -1, PLOG_E_IO}};
    copy_base();
    open_pending();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        bool locked = all[i].code == PLOG_E_LOCKED;
        int found = secrets();
        err = (struct plog_error){.code = 0};
        sql_calls.no_checkpoint = true;
        sql_calls.checkpoint = all[i].result;
        sql_calls.checkpoint_left = all[i].left;
        sql_calls.failing = !locked;
        CHECK_INT(scrub(), all[i].code);
        sql_calls.no_checkpoint = sql_calls.failing = false;
        CHECK_INT(err.code, all[i].code);
        if (locked)
            CHECK_TEXT(err.message, "a reader holds an old state of the store,"
                                    " so its WAL cannot be emptied");
        else
            CHECK(strncmp(err.message, "emptying the store's WAL: ", 26) == 0);
        CHECK_TEXT(err.hint,
                   locked ? "end long reads and run it again, with a longer"
                            " wait; or the next opening for writing"
                            " finishes it"
                          : "");
        CHECK_UINT(report.entries, 0);
        CHECK(found > 0 && secrets() > 0);
        CHECK_INT(pending(), 3);
    }
    CHECK_INT(scrub(), 0);
    CHECK_UINT(report.entries, 3);
    CHECK_INT(secrets(), 0);
    CHECK_INT(pending(), 0);
    world_end(&w, world_size(&w));
}

/* The file that is written to is never replaced. */
static void in_the_last_segment(void)
{
    copy_base();
    world_sql(&w, "UPDATE redactions SET pending=0");
    CHECK_INT(world_open(&w), 0);
    world_sql(&w, "UPDATE redactions SET pending=1 WHERE target=2");
    int rc = plog_engine_enter(w.p, &err);
    CHECK_INT(rc, 0);
    plog_store_rollback(&w.p->legs.store);
    uint64_t segment = w.p->legs.head.segment;
    w.p->legs.head.segment = 1;
    CHECK_INT(plog_scrub(&w.p->legs, &report, &err), PLOG_E_DIVERGED);
    CHECK_TEXT(err.message, "redacting entry 2: it lies in the last segment;"
                            " its payload is still there");
    w.p->legs.head.segment = segment;
    CHECK_INT(plog_scrub(&w.p->legs, &report, &err), 0);
    CHECK_UINT(report.entries, 1);
    CHECK_UINT(report.segments, 1);
    plog_engine_leave(w.p);
    CHECK_INT(pending(), 0);
    world_close(&w);
}

static bool no_note(const char *call, const char *sql, bool busy)
{
    (void)busy;
    return !strcmp(call, "exec") && strstr(sql, "SET pending=0") != NULL;
}

/* That all is gone cannot be noted: it stays pending, the handle goes on
 * writing, and holds nobody up. */
static void not_noted(void)
{
    copy_base();
    sql_calls.fails = no_note;
    CHECK_INT(world_open(&w), 0); /* tries, too, and lets be */
    CHECK_INT(pending(), 3);
    CHECK_INT(secrets(), 0);
    for (int i = 0; i < 2; i++) {
        CHECK(sqlite3_get_autocommit(w.p->legs.store.db));
        CHECK_INT(world_put(&w, NULL, "r", "x", NULL), 0);
        CHECK_INT(scrub(), PLOG_E_IO);
        CHECK_UINT(report.entries, 0);
        CHECK(strncmp(err.message, "writing to the store: ", 22) == 0);
    }
    CHECK_INT(plog_engine_enter(w.p, &err), 0);
    plog_store_rollback(&w.p->legs.store);
    CHECK_INT(plog_scrub(&w.p->legs, &report, &err), PLOG_E_IO);
    CHECK(sqlite3_get_autocommit(w.p->legs.store.db));
    world_sql(&w, "UPDATE redactions SET pending=pending");
    plog_engine_leave(w.p);
    sql_calls.fails = NULL;
    CHECK_INT(scrub(), 0);
    CHECK_UINT(report.entries, 3);
    CHECK_INT(pending(), 0);
    world_end(&w, world_size(&w));
}

static const char *not_run; /* the statement */

static bool no_step(const char *call, const char *sql, bool busy)
{
    (void)busy;
    return !strcmp(call, "step") && !strcmp(sql, not_run);
}

/* Noted as a whole, or not: also where that cannot be begun, or not ended. */
static void not_begun(void)
{
    static const char *const all[] = {"BEGIN IMMEDIATE", "COMMIT"};
    copy_base();
    open_pending();
    for (int i = 0; i < 2; i++) {
        err = (struct plog_error){.code = 0};
        CHECK_INT(plog_engine_enter(w.p, &err), 0);
        plog_store_rollback(&w.p->legs.store);
        not_run = all[i];
        sql_calls.fails = no_step;
        sql_calls.failing = true;
        CHECK_INT(plog_scrub(&w.p->legs, &report, &err), PLOG_E_IO);
        sql_calls.fails = NULL;
        sql_calls.failing = false;
        CHECK_INT(err.code, PLOG_E_IO);
        CHECK_UINT(report.entries, 0);
        CHECK(sqlite3_get_autocommit(w.p->legs.store.db));
        plog_engine_leave(w.p);
        CHECK_INT(pending(), 3);
        CHECK_INT(secrets(), 0);
    }
    CHECK_INT(scrub(), 0);
    CHECK_UINT(report.entries, 3);
    CHECK_UINT(report.segments, 0); /* done before */
    CHECK_INT(pending(), 0);
    world_end(&w, world_size(&w));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"in several segments", in_several_segments},
        {"by somebody else", by_somebody_else},
        {"refused", refused},
        {"changed orders", changed_orders},
        {"a WAL that is not emptied", a_wal_that_is_not_emptied},
        {"in the last segment", in_the_last_segment},
        {"not noted", not_noted},
        {"not begun", not_begun},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
