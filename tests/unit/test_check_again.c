/*
 * test_check_again.c - verify runs out of memory, or cannot read, at each call:
 * it finds what it finds otherwise, or says that it could not look; a fault of
 * the machine is never one of the log.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "parity.h"
#include "peers.h"
#include "sql_calls.h"
#include "world.h"

static struct world w;

/* ---- The n-th call fails ------------------------------------------------- */

enum kind { MEMORY, READ, KINDS };

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

static int64_t on_pread(void *c, int fd, void *p, size_t n, uint64_t at)
{
    return fails(READ) ? -EIO : plog_io_posix()->pread(c, fd, p, n, at);
}

static void table(void)
{
    io = *plog_io_posix();
    io.alloc = on_alloc;
    io.pread = on_pread;
    nth = 0;
}

/* ---- What is found ------------------------------------------------------- */

struct found {
    unsigned count, faults; /* of them, those that are no faults of the log */
    int first;
    char expected[200];
};

static int finding(void *arg, const struct plog_finding *f)
{
    struct found *found = arg;
    found->faults += f->verdict == PLOG_E_IO || f->verdict == PLOG_E_NOMEM;
    if (found->count++ == 0) {
        found->first = f->verdict;
        snprintf(found->expected, sizeof found->expected, "%s", f->expected);
    }
    return 0;
}

static int verify(struct found *f, struct plog_error *err)
{
    struct plog_check_report r;
    struct plog_check_options o = {
        .struct_size = sizeof o, .io = &io, .finding = finding, .arg = f};
    memset(f, 0, sizeof *f);
    *err = (struct plog_error){.code = 0};
    int rc = plog_verify(w.dir, &o, &r, err);
    return rc ? rc : r.verdict;
}

/* Each call of a kind; the unharmed verdict is given. */
static void verify_again(enum kind kind, int want)
{
    struct found base, f;
    struct plog_error err;
    bool reached = true;
    CHECK_INT(verify(&base, &err), want);
    for (unsigned long n = 1; reached && n < 3000; n++) {
        armed = kind;
        nth = n;
        calls = 0;
        int rc = verify(&f, &err);
        reached = calls >= n;
        nth = 0;
        bool fits = rc == want && f.first == base.first;
        fits |= kind == MEMORY && rc == PLOG_E_NOMEM;
        fits |= kind == READ && rc == PLOG_E_IO;
        if (!CHECK(fits))
            printf("# kind %d, call %lu: %d %s\n", kind, n, rc, err.message);
        if (rc && f.count == 0) /* which are told instead */
            CHECK(err.message[0] && err.code == rc);
    }
    CHECK(!reached);
}

/* ---- Logs ---------------------------------------------------------------- */

static char segment[600]; /* that is damaged, and what was in it */
static char *whole;
static size_t whole_n;

static void begin(int count)
{
    memset(&sql_calls, 0, sizeof sql_calls);
    sql_calls.no_sync = true;
    peers_make(&w, PLOG_ARRIVAL, count);
    table();
}

static void damage(const char *name, size_t at, char to)
{
    snprintf(segment, sizeof segment, "%s", world_path(&w, name));
    whole = world_read(segment, &whole_n);
    char was = whole[at];
    whole[at] = to;
    world_write(segment, whole, whole_n);
    whole[at] = was;
}

static void put_back(void)
{
    world_write(segment, whole, whole_n);
    free(whole);
    CHECK_INT(peers_parity(&w), 0);
}

#define FIRST "log/00000000000000000001.jsonl"

/* The last group lacks its end; nobody but its tail tells that from damage. */
static void torn(void)
{
    begin(3);
    snprintf(segment, sizeof segment, "%s", world_path(&w, FIRST));
    whole = world_read(segment, &whole_n);
    world_write(segment, whole, whole_n - 40);
    verify_again(READ, PLOG_E_TORN);
    verify_again(MEMORY, PLOG_E_TORN);
    put_back();
}

/* What a compaction left begins with a header, which is damaged. */
static void compacted(void)
{
    char name[40];
    begin(24);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 20), 0);
    CHECK_INT(peers_compact(&w, NULL), 0);
    verify_again(MEMORY, 0);
    snprintf(name, sizeof name, "log/%020llu.jsonl",
             (unsigned long long)peers_floor(&w) + 1);
    damage(name, 3, 'X');
    verify_again(MEMORY, PLOG_E_CORRUPT);
    verify_again(READ, PLOG_E_CORRUPT);
    put_back();
}

/* ---- Others write meanwhile ---------------------------------------------- */

static void (*act)(void); /* once, when the check has let go of the lock */
static bool is_locked;    /* by a writer, who does not let go */
static bool is_refused;   /* and the check has seen that */
static void (*act_listed)(void); /* once, when it lists what is there then */
static unsigned list_nth;

static void act_once(void)
{
    void (*now)(void) = act;
    act = NULL;
    if (now)
        now();
}

static int on_lock(void *c, int fd, int mode)
{
    if (is_locked && mode == 1) {
        is_refused = true;
        return -EAGAIN;
    }
    int rc = plog_io_posix()->lock(c, fd, mode);
    if (mode == 0)
        act_once();
    return rc;
}

static int on_list(void *c, int d, int (*each)(void *, const char *), void *arg)
{
    if (is_refused)
        act_once();
    void (*now)(void) = act ? NULL : act_listed;
    if (now) {
        act_listed = NULL;
        now();
    }
    if (!act && list_nth && --list_nth == 0)
        return -EIO;
    return plog_io_posix()->list(c, d, each, arg);
}

static void write_one(void)
{
    CHECK_INT(world_put(&w, NULL, "r", "late", NULL), 0);
}

static void lose_a_segment(void)
{
    char away[700];
    write_one();
    snprintf(segment, sizeof segment, "%s", world_path(&w, FIRST));
    snprintf(away, sizeof away, "%.600s-away", w.dir);
    CHECK_INT(rename(segment, away), 0);
}

static int parity(void (*then)(void), struct plog_check_report *r,
                  struct plog_error *err)
{
    struct plog_check_options o = {.struct_size = sizeof o, .io = &io};
    *err = (struct plog_error){.code = 0};
    act = then;
    return plog_parity_upto(w.dir, 2, &o, r, err);
}

/* The check goes on to where the store is when it comes back to it. */
static void others_write_meanwhile(void)
{
    struct plog_check_report r;
    struct plog_error err;
    char away[700];
    begin(3);
    io.lock = on_lock;
    io.list = on_list;
    CHECK_INT(world_open(&w), 0);
    for (int locked = 0; locked < 2; locked++) {
        uint64_t before = world_size(&w);
        is_locked = locked;
        is_refused = false;
        CHECK_INT(parity(write_one, &r, &err), 0);
        is_locked = is_refused = false;
        CHECK_INT(r.verdict, 0);
        CHECK(!act);
        CHECK_UINT(r.head.size, before + 1);
    }
    bool reached = true;
    for (unsigned n = 1; reached && n < 20; n++) {
        list_nth = n;
        int rc = parity(write_one, &r, &err);
        reached = list_nth == 0;
        list_nth = 0;
        CHECK_INT(rc ? rc : r.verdict, reached ? PLOG_E_IO : 0);
    }
    CHECK(!reached);
    int rc = parity(lose_a_segment, &r, &err);
    CHECK(rc == PLOG_E_CORRUPT || rc == PLOG_E_ROLLBACK);
    CHECK(err.message[0]);
    snprintf(away, sizeof away, "%.600s-away", w.dir);
    CHECK_INT(rename(away, segment), 0);
    world_close(&w);
    CHECK_INT(peers_parity(&w), 0);
}

static void write_one_and_begin_a_segment(void)
{
    uint64_t first;
    write_one();
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
}

static unsigned heads_left;

static bool no_head(const char *call, const char *sql, bool busy)
{
    (void)busy;
    return !strcmp(call, "step") && strstr(sql, "FROM main.meta") &&
           heads_left && --heads_left == 0;
}

/* A store whose head cannot be read when the check comes back to it was not
 * compared up to there. */
static void no_head_to_come_back_to(void)
{
    struct plog_check_report r;
    struct plog_error err;
    bool reached = true;
    unsigned n = 0;
    begin(3);
    while (reached && n < 20) {
        heads_left = ++n;
        sql_calls.fails = no_head;
        int rc = parity(NULL, &r, &err);
        sql_calls.fails = NULL;
        reached = heads_left == 0;
        CHECK_INT(rc, reached ? PLOG_E_IO : 0);
        CHECK_INT(err.code, rc);
        CHECK(!rc == !err.message[0]);
        CHECK_INT(r.verdict, 0);
    }
    CHECK(n > 3 && !reached);
    CHECK_INT(peers_parity(&w), 0);
}

/* A segment that begins behind the head which the check has come back to is
 * none of its business: the rows that it reads know nothing of that. */
static void others_begin_a_segment(void)
{
    struct plog_check_report r;
    struct plog_error err;
    begin(3);
    io.lock = on_lock;
    io.list = on_list;
    CHECK_INT(world_open(&w), 0);
    uint64_t before = world_size(&w);
    act_listed = write_one_and_begin_a_segment;
    CHECK_INT(parity(write_one, &r, &err), 0);
    CHECK(!act && !act_listed);
    CHECK_INT(r.verdict, 0);
    CHECK_UINT(r.head.size, before + 1);
    world_close(&w);
    CHECK_UINT(world_size(&w), before + 2);
    CHECK_INT(peers_parity(&w), 0);
}

/* ---- Above the cut ------------------------------------------------------- */

/* Lines that are not as most are: one with an escape, longer than those below,
 * and a cursor. */
static void lines_above_the_cut(void)
{
    char text[2500], payload[2000];
    struct world_delta d = {.record = "a \\\"quoted\\\" one",
                            .payload = payload};
    struct plog_cursor c = {{"src", 3}, {"*", 1}, {"page 2", 6}};
    struct plog_group g = {
        .struct_size = sizeof g, .cursors = &c, .cursor_count = 1};
    struct plog_check_report r;
    struct plog_error err;
    int rc = PLOG_E_NOMEM;
    begin(2);
    snprintf(payload, sizeof payload, "{\"v\":\"%01500d\"}", 0);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(world_append(&w, world_text(text, sizeof text, &d), NULL, NULL),
              0);
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
    world_close(&w);
    for (unsigned long n = 1; rc && n < 500; n++) {
        armed = MEMORY;
        nth = n;
        calls = 0;
        rc = parity(NULL, &r, &err);
        nth = 0;
        CHECK(rc == 0 || (rc == PLOG_E_NOMEM && err.code == rc));
        CHECK_INT(r.verdict, 0);
    }
    CHECK_INT(rc, 0);
    CHECK_UINT(r.head.size, 5);
    world_sql(&w, "UPDATE cursors SET cursor='page 3'");
    CHECK_INT(parity(NULL, &r, &err), 0);
    CHECK_INT(r.verdict, PLOG_E_DIVERGED);
}

/* ---- A segment without a group ------------------------------------------- */

/* The store knows that the segment is gone, and the next entry goes on in the
 * one before. */
static void goes_on(uint64_t seq)
{
    world_close(&w);
    CHECK_INT(peers_parity(&w), 0);
    CHECK_INT(world_number(&w, "SELECT max(first) FROM segments"), 1);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(world_put(&w, NULL, "r", "on", NULL), 0);
    world_close(&w);
    CHECK_UINT(world_size(&w), seq);
    CHECK_INT(peers_parity(&w), 0);
}

/* The store's head stands right behind a header, which is damaged: it is set
 * aside as what a crash may leave, and nothing is lost. */
static void a_header_and_no_group(void)
{
    struct plog_error err = {.code = 0};
    uint64_t first;
    char name[40];
    size_t n;
    begin(3);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    world_close(&w);
    snprintf(name, sizeof name, "log/%020llu.jsonl", (unsigned long long)first);
    char *text = world_read(world_path(&w, name), &n);
    free(text);
    REQUIRE(n > 100);
    damage(name, n - 3, 'X');
    free(whole);
    w.options.io = &io;
    int rc = PLOG_E_NOMEM;
    for (unsigned long k = 1; rc && k < 500; k++) {
        armed = MEMORY;
        nth = k;
        calls = 0;
        rc = plog_open(&w.p, w.dir, &w.options, &err);
        nth = 0;
        CHECK(rc == 0 || rc == PLOG_E_NOMEM);
    }
    CHECK_INT(rc, 0);
    CHECK(world_has(&w, "quarantine"));
    goes_on(first);
}

/* The same, and the file is not there at all. */
static void a_bare_segment_that_is_gone(void)
{
    uint64_t first;
    char name[40];
    begin(3);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    world_close(&w);
    snprintf(name, sizeof name, "log/%020llu.jsonl", (unsigned long long)first);
    CHECK_INT(unlink(world_path(&w, name)), 0);
    CHECK_INT(world_open(&w), 0);
    CHECK(!world_has(&w, "quarantine"));
    goes_on(first);
}

static bool went; /* the snapshot, and the store */
static char snapshot[60];

static int open_and_lose(void *ctx, int dir, const char *name, int flags,
                         uint32_t mode)
{
    if (strcmp(name, strchr(snapshot, '/') + 1) == 0) {
        went = true;
        unlink(world_path(&w, snapshot));
        world_drop_store(&w);
    }
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* The snapshot at the floor goes while parity begins, and the store with it:
 * that is no compaction that passed by. */
static void all_of_it_goes(void)
{
    struct plog_compact_report c;
    struct plog_check_report r;
    struct plog_error err = {0};
    struct found f = {0};
    struct plog_check_options o = {
        .struct_size = sizeof o, .io = &io, .finding = finding, .arg = &f};
    begin(60);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 20), 0);
    CHECK_INT(peers_compact(&w, &c), 0);
    snprintf(snapshot, sizeof snapshot, "%.59s", c.snapshot);
    went = false;
    io.open_at = open_and_lose;
    CHECK_INT(plog_parity(w.dir, &o, &r, &err), 0);
    CHECK(went);
    CHECK_INT(r.verdict, PLOG_E_PRUNED);
    CHECK_UINT(f.count, 1);
    CHECK_TEXT(f.expected, "the snapshot that the compact entry signs");
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"torn", torn},
        {"compacted", compacted},
        {"others write meanwhile", others_write_meanwhile},
        {"no head to come back to", no_head_to_come_back_to},
        {"others begin a segment", others_begin_a_segment},
        {"lines above the cut", lines_above_the_cut},
        {"a header and no group", a_header_and_no_group},
        {"a bare segment that is gone", a_bare_segment_that_is_gone},
        {"all of it goes", all_of_it_goes},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
