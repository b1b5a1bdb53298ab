/*
 * test_redact_again.c - redacting runs out of memory, or SQLite or the disk
 * fails, at each call of it: it says so, and run again it takes away all that
 * it was to.
 *
 * One handle is kept, so that the calls are those of the redaction alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "engine.h"
#include "files.h"
#include "peers.h"
#include "scrub.h"
#include "sql_calls.h"
#include "world.h"

static struct world w;
static struct plog_error err;

/* ---- The n-th call fails ------------------------------------------------- */

enum kind { MEMORY, SQL, DISK, KINDS };

static struct plog_io io;
static enum kind armed;
static unsigned long nth, calls; /* nth 0: none */

static bool fails(enum kind kind)
{
    return nth && kind == armed && ++calls == nth;
}

static void *on_alloc(void *c, void *p, size_t n)
{
    return n && fails(MEMORY) ? NULL : plog_io_posix()->alloc(c, p, n);
}

static bool on_sql(const char *call, const char *sql, bool busy)
{
    (void)call, (void)busy;
    return strcmp(sql, "ROLLBACK") != 0 && fails(SQL);
}

static int on_list(void *c, int d, int (*each)(void *, const char *), void *arg)
{
    return fails(DISK) ? -EIO : plog_io_posix()->list(c, d, each, arg);
}

static int on_stat(void *c, int fd, struct plog_stat *out)
{
    return fails(DISK) ? -EIO : plog_io_posix()->stat(c, fd, out);
}

static int64_t on_pread(void *c, int fd, void *p, size_t n, uint64_t at)
{
    return fails(DISK) ? -EIO : plog_io_posix()->pread(c, fd, p, n, at);
}

static int no_sync(void *c, int fd)
{
    (void)c, (void)fd;
    return 0;
}

static const struct plog_io *table(void)
{
    io = *plog_io_posix();
    io.alloc = on_alloc;
    io.list = on_list;
    io.stat = on_stat;
    io.pread = on_pread;
    io.fsync = io.fdatasync = no_sync;
    nth = 0;
    return &io;
}

static void arm(enum kind kind, unsigned long n)
{
    armed = kind;
    nth = n;
    calls = 0;
    err = (struct plog_error){.code = 0};
}

/* Whether it came to the call. */
static bool disarm(void)
{
    bool reached = nth && calls >= nth;
    nth = 0;
    return reached;
}

/* ---- Both parts of it ---------------------------------------------------- */

static uint64_t next_seq; /* of an entry that is not redacted */

static int order(void)
{
    struct plog_receipt r = {.seq = 0};
    int rc =
        plog_engine_redact(w.p, next_seq, plog_span_text("asked"), &r, &err);
    next_seq += rc == 0 || rc == PLOG_E_EXISTS;
    return plog_say_nomem(&err, rc);
}

/* The `n`-th call of the scrub itself. */
static int scrub(enum kind kind, unsigned long n)
{
    struct plog_scrub_report r;
    CHECK_INT(plog_engine_enter(w.p, &err), 0);
    plog_store_rollback(&w.p->legs.store);
    arm(kind, n);
    int rc = plog_scrub(&w.p->legs, &r, &err);
    unsigned long was = nth;
    nth = 0;
    plog_engine_leave(w.p);
    nth = was;
    return plog_say_nomem(&err, rc);
}

static void is_fault(enum kind kind, unsigned long n, int rc)
{
    bool fits = CHECK(err.message[0]);
    fits &= CHECK_INT(err.code, rc);
    if (kind == MEMORY)
        fits &= CHECK_INT(rc, PLOG_E_NOMEM);
    else
        fits &= CHECK(rc == PLOG_E_IO || rc == PLOG_E_INDETERMINATE);
    if (!fits)
        printf("# kind %d, call %lu: %d %s\n", kind, n, rc, err.message);
}

/* Until a call is not reached any more; some may fail and harm nothing. */
static void order_again(enum kind kind)
{
    struct plog_head head;
    unsigned long n = 1;
    bool reached, there;
    CHECK_INT(order(), 0); /* what is prepared once is there from now on */
    do {
        arm(kind, n);
        int rc = order();
        reached = disarm();
        there = rc == PLOG_E_EXISTS; /* the last attempt has logged it */
        if (rc && !there)
            is_fault(kind, n, rc);
        n += !there;
        /* Its calls are those of any other, and none of a repair. */
        CHECK_INT(plog_get_head(w.p, &head, NULL), 0);
    } while ((reached || there) && n < 500);
    CHECK(n > 5 && n < 500);
}

static void scrub_again(enum kind kind)
{
    unsigned long n = 0;
    bool reached;
    do {
        int rc = scrub(kind, ++n);
        reached = disarm();
        if (rc)
            is_fault(kind, n, rc);
        else if (reached)
            CHECK_INT(order(), 0); /* there is something to do again */
    } while (reached && n < 500);
    CHECK(n > 5 && n < 500);
}

/* ---- Cases --------------------------------------------------------------- */

#define ENTRIES 80

static void begin(void)
{
    char text[200], path[700];
    memset(&sql_calls, 0, sizeof sql_calls);
    sql_calls.no_sync = true;
    sql_calls.fails = on_sql;
    peers_make(&w, PLOG_MERGE_JSON, ENTRIES);
    w.options.io = table();
    CHECK_INT(mkdir(world_path(&w, "quarantine"), 0700), 0);
    snprintf(path, sizeof path, "%s", world_path(&w, "quarantine/lines"));
    snprintf(text, sizeof text, "{\"seq\":3}\n");
    world_write(path, text, strlen(text));
    snprintf(path, sizeof path, "%s", world_path(&w, "quarantine/store.db-1"));
    world_write(path, "no database", 11);
    CHECK_INT(world_open(&w), 0);
}

static int redacted_in_the_log(void)
{
    static const char mark[] = ",\"redacted\":\"";
    struct tree t;
    int count = 0;
    tree_read(&t, world_path(&w, "log"));
    for (size_t i = 0; i < t.count; i++) {
        char name[800];
        size_t n;
        snprintf(name, sizeof name, "%s/log/%s", w.dir, t.files[i].name);
        char *bytes = world_read(name, &n);
        for (const char *at = bytes; (at = strstr(at, mark)) != NULL; at++)
            count++;
        free(bytes);
    }
    tree_free(&t);
    return count;
}

static void at_each_call(void)
{
    begin();
    next_seq = 2;
    for (int kind = 0; kind < KINDS; kind++) {
        if (kind != DISK) /* of which some ends the writing */
            order_again((enum kind)kind);
        next_seq += 9; /* one more, of another segment */
        CHECK_INT(order(), 0);
        scrub_again((enum kind)kind);
    }
    printf("# up to entry %d\n", (int)next_seq);
    world_close(&w);
    int64_t redacted = world_number(&w, "SELECT count(DISTINCT target) FROM"
                                        " redactions");
    CHECK_INT(world_number(&w, "SELECT count(*) FROM redactions WHERE"
                               " pending=1"),
              0);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM events WHERE line LIKE"
                               " '%,\"redacted\":\"%'"),
              redacted);
    CHECK_INT(redacted_in_the_log(), redacted);
    CHECK_INT(peers_parity(&w), 0);
}

/* A row too many for an entry, which names the order for another one: each
 * entry is looked for once, and the right order counts. */
static void a_row_too_many(void)
{
    begin();
    next_seq = 2;
    CHECK_INT(order(), 0);
    CHECK_INT(scrub(MEMORY, 0), 0);
    next_seq = 13;
    CHECK_INT(order(), 0);
    world_sql(&w, "UPDATE redactions SET target=13, pending=1 WHERE target=2");
    CHECK_INT(scrub(MEMORY, 0), 0);
    CHECK_INT(redacted_in_the_log(), 2);
    world_sql(&w, "UPDATE redactions SET target=2 WHERE seq="
                  "(SELECT min(seq) FROM redactions)");
    next_seq = 14;
    CHECK_INT(order(), 0); /* and no order is none of another entry */
    world_sql(&w, "DELETE FROM redactions WHERE target=14;"
                  "UPDATE redactions SET target=14, pending=1 WHERE target=2");
    CHECK_INT(scrub(MEMORY, 0), PLOG_E_DIVERGED);
    CHECK_TEXT(err.message, "redacting entry 14: the log holds no order for"
                            " that; its payload is still there");
    CHECK_INT(redacted_in_the_log(), 2);
    world_close(&w);
}

/* What is done is done without a word of an error; behind a reader of the
 * store the order stands, and what is told is that and what to do. */
static void what_is_told(void)
{
    struct plog_redact_options o = {
        .struct_size = sizeof o, .reason = "asked", .wait_seconds = 0.01};
    struct plog_redact_report r;
    sqlite3 *db = NULL;
    memset(&sql_calls, 0, sizeof sql_calls);
    peers_make(&w, PLOG_ARRIVAL, 4);
    err = (struct plog_error){.code = 0};
    CHECK_INT(plog_redact(w.dir, 2, &o, &r, &err), 0);
    CHECK_INT(err.code, 0);
    CHECK_TEXT(err.message, "");
    CHECK_TEXT(err.hint, "");
    CHECK_UINT(r.order, 6);
    CHECK_UINT(r.segments, 1);
    CHECK(!r.already);
    CHECK_INT(sqlite3_open(world_path(&w, "store.db"), &db), SQLITE_OK);
    CHECK_INT(sqlite3_exec(db, "BEGIN; SELECT * FROM events", NULL, NULL, NULL),
              SQLITE_OK);
    CHECK_INT(plog_redact(w.dir, 3, &o, &r, &err), PLOG_E_LOCKED);
    CHECK_INT(err.code, PLOG_E_LOCKED);
    if (!CHECK(strncmp(err.message,
                       "entry 3 is ordered to be redacted by entry 7, but its"
                       " payload is not gone yet: ",
                       79) == 0))
        printf("# %s\n", err.message);
    CHECK(err.message[79] != '\0' && err.hint[0] != '\0');
    CHECK_UINT(r.order, 7);
    sqlite3_close(db);
    err = (struct plog_error){.code = 0};
    CHECK_INT(plog_redact(w.dir, 3, &o, &r, &err), 0);
    CHECK_TEXT(err.message, "");
    CHECK(r.already);
    CHECK_INT(peers_parity(&w), 0);
}

/* Of a reason that is none. */
static void reasons_refused(void)
{
    static char longer[PLOG_REASON_MAX + 2], says[2][100];
    struct plog_redact_report r;
    memset(longer, 'x', sizeof longer - 1);
    snprintf(says[0], sizeof says[0],
             "the reason has 0 bytes, expected 1 to %d", PLOG_REASON_MAX);
    snprintf(says[1], sizeof says[1],
             "the reason has %d bytes, expected 1 to %d", PLOG_REASON_MAX + 1,
             PLOG_REASON_MAX);
    const struct {
        const char *reason, *says;
    } all[] = {{NULL, says[0]},
               {"", says[0]},
               {longer, says[1]},
               {"\xff", "the reason is not text in UTF-8"}};
    peers_make(&w, PLOG_ARRIVAL, 2);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (int dry = 0; dry < 2; dry++) {
            struct plog_redact_options o = {.struct_size = sizeof o,
                                            .reason = all[i].reason,
                                            .dry_run = dry};
            err = (struct plog_error){.code = 0};
            CHECK_INT(plog_redact(w.dir, 2, &o, &r, &err), PLOG_E_INPUT);
            CHECK_INT(err.code, PLOG_E_INPUT);
            CHECK_TEXT(err.message, all[i].says);
        }
    world_end(&w, 3);
}

static unsigned execs;

static bool no_exec(const char *call, const char *sql, bool busy)
{
    (void)sql, (void)busy;
    bool is = strcmp(call, "exec") == 0;
    execs += is;
    return is;
}

/* Where all is done already nothing is begun, which could fail. */
static void nothing_is_pending(void)
{
    struct plog_scrub_report r;
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, NULL, "1", "a", NULL), 0);
    CHECK_INT(plog_engine_enter(w.p, &err), 0);
    plog_store_rollback(&w.p->legs.store);
    memset(&r, 0xff, sizeof r);
    execs = 0;
    sql_calls.fails = no_exec;
    CHECK_INT(plog_scrub(&w.p->legs, &r, &err), 0);
    sql_calls.fails = NULL;
    CHECK_UINT(execs, 0);
    CHECK(r.entries == 0 && r.segments == 0 && r.quarantine == 0);
    plog_engine_leave(w.p);
    world_end(&w, 2);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"at each call", at_each_call},
        {"a row too many", a_row_too_many},
        {"what is told", what_is_told},
        {"nothing is pending", nothing_is_pending},
        {"reasons that are refused", reasons_refused},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
