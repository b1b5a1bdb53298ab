/*
 * test_checks.c - verify and parity where they know only a part: a writer holds
 * the lock, orders and compact entries stand behind the end or lie in damage,
 * somebody's head is below the floor, a callback says stop, a leg or a folder
 * is not what it should be.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "peers.h"
#include "sha256.h"
#include "sql_calls.h"
#include "world.h"

/* Of recovery/check.h, which this file's own check.h hides. */
void plog_check_hash(const unsigned char *hash, char *out);

#define SEGMENT_1 "log/00000000000000000001.jsonl"

static struct world w;

/* ---- What was heard --------------------------------------------------------
 */

static struct {
    struct plog_check_report r;
    struct plog_error err;
    unsigned findings;
    int verdict[8]; /* of the first ones */
    uint64_t seq[8];
    char next[8][200], found[8][200], file[8][80], unchecked[900];
    int stop; /* what the callbacks return */
} heard;

static int on_finding(void *arg, const struct plog_finding *f)
{
    (void)arg;
    CHECK(f->file && f->expected && f->found && f->next);
    if (heard.findings < 8) {
        heard.verdict[heard.findings] = f->verdict;
        heard.seq[heard.findings] = f->seq;
        snprintf(heard.next[heard.findings], 200, "%s", f->next);
        snprintf(heard.found[heard.findings], 200, "%s", f->found);
        snprintf(heard.file[heard.findings], 80, "%s", f->file);
    }
    heard.findings++;
    return 0;
}

static int on_unchecked(void *arg, const struct plog_unchecked *u)
{
    size_t n = strlen(heard.unchecked);
    (void)arg;
    snprintf(heard.unchecked + n, sizeof heard.unchecked - n,
             "%" PRIu64 "-%" PRIu64 " %s; ", u->from, u->to, u->why);
    return heard.stop;
}

typedef int check_fn(const char *, const struct plog_check_options *,
                     struct plog_check_report *, struct plog_error *);

/* Returns the verdict, or the code of a check that did not come to its end. */
static int run(check_fn *check, struct plog_check_options o)
{
    int stop = heard.stop;
    memset(&heard, 0, sizeof heard);
    heard.stop = stop;
    o.struct_size = sizeof o;
    o.finding = on_finding;
    o.unchecked = on_unchecked;
    int rc = check(w.dir, &o, &heard.r, &heard.err);
    CHECK_INT(heard.err.code && rc ? heard.err.code : rc, rc);
    return rc ? rc : heard.r.verdict;
}

static bool said(const char *part)
{
    if (strstr(heard.unchecked, part))
        return true;
    printf("# unchecked: %s\n", heard.unchecked);
    return false;
}

static struct plog_check_options with(const struct plog_io *io)
{
    return (struct plog_check_options){.io = io};
}

/* ---- Logs -------------------------------------------------------------------
 */

static void put(int from, int to)
{
    CHECK_INT(world_open(&w), 0);
    for (int i = from; i < to; i++) {
        char record[16], value[24];
        snprintf(record, sizeof record, "r%d", i % 7);
        snprintf(value, sizeof value, "v%d", i);
        CHECK_INT(world_put(&w, NULL, record, value, NULL), 0);
    }
    world_close(&w);
}

static void make(int entries, uint64_t segment)
{
    world_make(&w, PLOG_LAST_WRITE_WINS, segment);
    put(0, entries);
}

static void redact(uint64_t seq)
{
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "test"};
    struct plog_redact_report r;
    CHECK_INT(plog_redact(w.dir, seq, &o, &r, NULL), 0);
}

static uint64_t compact(void)
{
    struct plog_compact_report r;
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 30), 0);
    CHECK_INT(plog_compact(w.dir, NULL, &r, NULL), 0);
    CHECK(r.to > 0);
    return r.to;
}

/* The store as it was, beside a log that went on. */
static void keep_store(void)
{
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    world_copy(world_path(&w, "store.db"), world_path(&w, "../old.db"));
}

static void old_store(void)
{
    world_drop_store(&w);
    world_copy(world_path(&w, "../old.db"), world_path(&w, "store.db"));
}

/* The last commit line goes: what it closed is an unfinished group. */
static void cut_last_commit(const char *name)
{
    char path[700];
    size_t n;
    snprintf(path, sizeof path, "%s", world_path(&w, name));
    char *bytes = world_read(path, &n), *last = NULL;
    for (char *at = bytes; (at = strstr(at, "{\"commit\":")); at++)
        last = at;
    if (CHECK(last != NULL))
        world_write(path, bytes, (size_t)(last - bytes));
    free(bytes);
}

/* A byte of the first text after `where` in a segment. */
static void damage(const char *name, const char *where)
{
    char path[700];
    size_t n;
    snprintf(path, sizeof path, "%s", world_path(&w, name));
    char *bytes = world_read(path, &n), *at = strstr(bytes, where);
    if (CHECK(at != NULL)) {
        at[strlen(where)] ^= 1;
        world_write(path, bytes, n);
    }
    free(bytes);
}

static const char *last_segment(void)
{
    static char name[60];
    for (uint64_t seq = 100; seq > 0; seq--) {
        snprintf(name, sizeof name, "log/%020" PRIu64 ".jsonl", seq);
        if (world_has(&w, name))
            break;
    }
    return name;
}

/* Somebody else holds each lock. */
static int is_locked(void *ctx, int fd, int mode)
{
    (void)ctx, (void)fd;
    return mode ? -EAGAIN : 0;
}

static struct plog_io locked_io(void)
{
    struct plog_io io = *plog_io_posix();
    io.lock = is_locked;
    return io;
}

/* ---- While a writer works ---------------------------------------------------
 */

/* In an earlier segment than the head stands in. */
static void redacted_meanwhile(void)
{
    struct plog_io io = locked_io();
    make(20, 4096);
    keep_store();
    redact(4);
    old_store();
    CHECK_INT(run(plog_parity, with(&io)), 0);
    CHECK_UINT(heard.r.head.size, 21);
    CHECK_UINT(heard.findings, 0);
    CHECK(said("4-4 redacted while the check ran"));
    CHECK(said("22-0 written while the check ran"));
    CHECK_INT(run(plog_verify, with(&io)), 0);
    CHECK(said("4-4 redacted while the check ran"));
    /* Unlocked, all of it is there. */
    CHECK_INT(run(plog_verify, with(NULL)), 0);
    CHECK_TEXT(heard.unchecked, "");
    CHECK_UINT(heard.r.head.size, 22);
    CHECK_INT(run(plog_parity, with(NULL)), PLOG_E_BEHIND);
}

static void compacted_meanwhile(void)
{
    struct plog_io io = locked_io();
    make(40, 4096);
    keep_store();
    uint64_t floor = compact();
    char want[80];
    old_store();
    CHECK_INT(run(plog_verify, with(&io)), 0);
    snprintf(want, sizeof want, "1-%" PRIu64 " compacted while the check ran",
             floor);
    CHECK(said(want));
    CHECK_INT(run(plog_verify, with(NULL)), 0);
    CHECK_TEXT(heard.unchecked, "");
}

/* The head is looked at once more under the lock, where both legs stand
 * still: a writer may have come in between. */
static bool came_in;

static int comes_in(void *ctx, int fd, int mode)
{
    if (!came_in) {
        came_in = true;
        put(8, 10);
    }
    return plog_io_posix()->lock(ctx, fd, mode);
}

static void a_writer_comes_in_between(void)
{
    struct plog_io io = *plog_io_posix();
    io.lock = comes_in;
    came_in = false;
    make(8, 0);
    CHECK_INT(run(plog_parity, with(&io)), 0);
    CHECK(came_in);
    CHECK_UINT(heard.r.head.size, 11);
    CHECK_UINT(heard.r.store_size, 11);
    CHECK_TEXT(heard.unchecked, "");
}

/* Without a store nothing says where to stop. */
static void locked_without_a_store(void)
{
    struct plog_io io = locked_io();
    double began = world_seconds();
    make(3, 0);
    world_drop_store(&w);
    CHECK_INT(run(plog_verify,
                  (struct plog_check_options){.io = &io, .wait_seconds = 0.05}),
              PLOG_E_LOCKED);
    CHECK(world_seconds() - began < 8);
}

/* ---- Orders and compact entries that do not hold
 * ----------------------------- */

static unsigned lists_left; /* of folders that are read; then there is none */

static int list_some(void *ctx, int dir,
                     int (*each)(void *arg, const char *name), void *arg)
{
    lists_left -= lists_left > 0;
    return lists_left ? plog_io_posix()->list(ctx, dir, each, arg) : 0;
}

static void an_order_that_is_none(void)
{
    struct plog_io io = *plog_io_posix();
    io.list = list_some;
    make(8, 0);
    redact(4);
    world_drop_store(&w);
    cut_last_commit(last_segment());
    CHECK_INT(run(plog_verify, with(NULL)), PLOG_E_TAMPERED);
    CHECK_UINT(heard.r.counts[-PLOG_E_TORN], 1);
    CHECK_UINT(heard.findings, 2);
    CHECK_INT(heard.verdict[1], PLOG_E_TAMPERED);
    CHECK_UINT(heard.seq[1], 4);
    CHECK(strstr(heard.found[1], "no such order") != NULL);
    CHECK(strstr(heard.next[1], "back from a copy") != NULL);
    CHECK_TEXT(heard.file[1], SEGMENT_1);
    /* The file went before it could be named. */
    lists_left = 100;
    CHECK_INT(run(plog_verify, with(&io)), PLOG_E_TAMPERED);
    lists_left = 100 - lists_left;
    CHECK_INT(run(plog_verify, with(&io)), PLOG_E_TAMPERED);
    CHECK_UINT(heard.seq[1], 4);
    CHECK_TEXT(heard.file[1], "");
}

/* The look ahead reads the order, and what signs it does not hold. */
static void an_order_in_damage(void)
{
    make(8, 0);
    redact(4);
    put(8, 10);
    world_drop_store(&w);
    damage(last_segment(), "\"size\":10,\"root\":\"");
    CHECK(run(plog_verify, with(NULL)) < 0);
    CHECK(said("4-4 redacted, and the order for it lies in damage"));
}

static void a_compact_entry_that_is_none(void)
{
    make(40, 4096);
    uint64_t floor = compact();
    CHECK(floor > 0);
    cut_last_commit(last_segment());
    world_drop_store(&w);
    CHECK_INT(run(plog_verify, with(NULL)), PLOG_E_CORRUPT);
    CHECK_UINT(heard.r.counts[-PLOG_E_TORN], 1);
    CHECK_INT(heard.verdict[1], PLOG_E_CORRUPT);
    CHECK_UINT(heard.seq[1], 1);
    CHECK(strstr(heard.found[1], "no such entry") != NULL);
}

static void a_compact_entry_in_damage(void)
{
    make(40, 4096);
    uint64_t floor = compact();
    char want[100];
    put(40, 42);
    damage(last_segment(), "\"size\":43,\"root\":\"");
    snprintf(want, sizeof want,
             "1-%" PRIu64 " compacted, and the entry for it lies in damage",
             floor);
    /* Also beside a writer: it was there before the check began. */
    struct plog_io io = locked_io();
    CHECK(run(plog_verify, with(&io)) < 0);
    CHECK(said(want));
    world_drop_store(&w);
    CHECK(run(plog_verify, with(NULL)) < 0);
    CHECK(said(want));
}

/* ---- Heads that somebody has seen
 * ---------------------------------------------- */

static struct plog_check_options expects(uint64_t size,
                                         const unsigned char *root)
{
    struct plog_check_options o = {.has_expect_head = true,
                                   .expect_size = size};
    if (root)
        memcpy(o.expect_root, root, PLOG_HASH_SIZE);
    else if (size == 0) /* of nothing there is only one */
        plog_hash_empty(o.expect_root);
    return o;
}

static void heads_below_the_floor(void)
{
    struct plog_witness_report wr;
    char path[600];
    check_fn *const both[] = {plog_verify, plog_parity};
    make(12, 4096);
    snprintf(path, sizeof path, "%.500s/witness", check_dir());
    CHECK_INT(plog_witness(w.dir, path, NULL, &wr, NULL), 0);
    put(12, 40);
    compact();
    for (int i = 0; i < 4; i++) {
        if (i == 2) /* which could tell */
            world_remove(world_path(&w, "archive"));
        bool there = i < 2;
        check_fn *check = both[i % 2];
        struct plog_check_options o = {.witness = path};
        CHECK_INT(run(check, o), there ? 0 : PLOG_E_PRUNED);
        CHECK_TEXT(heard.unchecked, "");
        CHECK_INT(run(check, expects(wr.head.size, wr.head.root)),
                  there ? 0 : PLOG_E_PRUNED);
        CHECK_UINT(heard.findings, there ? 0 : 1);
        CHECK_UINT(heard.seq[0], there ? 0 : 13);
        /* Another one than the witness's. */
        o = expects(9, wr.head.root);
        o.witness = path;
        CHECK_INT(run(check, o), there ? PLOG_E_FORK : PLOG_E_PRUNED);
        CHECK_UINT(heard.findings, there ? 1 : 2);
        CHECK_UINT(heard.seq[0], 9);
        CHECK_UINT(heard.seq[1], there ? 0 : 13);
        /* Nothing is what every log begins with. */
        CHECK_INT(run(check, expects(0, NULL)), 0);
        CHECK_UINT(heard.findings, 0);
        CHECK_TEXT(heard.unchecked, "");
    }
    unlink(path);
}

static void heads_in_damage(void)
{
    make(12, 0);
    damage(SEGMENT_1, "\"v\":\"v5");
    CHECK_INT(run(plog_verify, expects(0, NULL)), PLOG_E_CORRUPT);
    CHECK_UINT(heard.findings, 1);
    CHECK(!strstr(heard.unchecked, "a head that was seen"));
    CHECK_INT(run(plog_verify, expects(7, NULL)), PLOG_E_CORRUPT);
    CHECK_UINT(heard.findings, 1);
    CHECK(said("7-7 a head that was seen lies in damage"));
}

/* ---- Which verdict is the gravest
 * ------------------------------------------------ */

/* A key that the log does not have. */
static void stranger(char *vkey)
{
    char path[600];
    struct plog_init_options o = {.struct_size = sizeof o};
    snprintf(path, sizeof path, "%.500s/stranger", check_dir());
    CHECK_INT(plog_init(path, &o, vkey, NULL), 0);
    world_remove(path);
}

static void the_gravest(void)
{
    char vkey[PLOG_VKEY_MAX];
    make(20, 0);
    stranger(vkey);
    struct plog_check_options o = {.vkey = vkey};
    CHECK_INT(run(plog_verify, o), PLOG_E_UNKNOWN_KEY);
    CHECK_UINT(heard.findings, 1);
    CHECK(strstr(heard.next[0], "whoever runs the log") != NULL);
    /* A head above the end is graver. */
    o = expects(900, NULL);
    o.vkey = vkey;
    CHECK_INT(run(plog_parity, o), PLOG_E_ROLLBACK);
    CHECK_UINT(heard.findings, 2);
    CHECK_INT(heard.verdict[0], PLOG_E_UNKNOWN_KEY);
    CHECK_INT(heard.verdict[1], PLOG_E_ROLLBACK);
}

static void pruned_and_different(void)
{
    make(40, 4096);
    struct plog_check_options o = expects(compact() - 1, NULL);
    world_remove(world_path(&w, "archive"));
    CHECK_INT(run(plog_parity, o), PLOG_E_PRUNED);
    world_sql(&w, "UPDATE state SET version=9 WHERE record_id='r1'");
    CHECK_INT(run(plog_parity, o), PLOG_E_DIVERGED);
    CHECK_INT(heard.verdict[0], PLOG_E_PRUNED);
}

static void torn_and_pruned(void)
{
    make(40, 4096);
    uint64_t floor = compact();
    world_remove(world_path(&w, "archive"));
    put(40, 42);
    world_drop_store(&w);
    struct plog_check_options o = expects(floor - 1, NULL);
    CHECK_INT(run(plog_verify, o), PLOG_E_PRUNED);
    cut_last_commit(last_segment());
    CHECK_INT(run(plog_verify, o), PLOG_E_PRUNED);
    CHECK_UINT(heard.r.counts[-PLOG_E_TORN], 1);
    CHECK_UINT(heard.findings, 2);
}

/* A format of later: what this program knows nothing of. */
static void a_newer_format(void)
{
    static const char text[] =
        "{\"segment\":{\"format\":7,\"origin\":\"x\"}}\n";
    make(20, 4096);
    world_write(world_path(&w, last_segment()), text, sizeof text - 1);
    CHECK_INT(run(plog_verify, with(NULL)), PLOG_E_FORMAT);
    CHECK_INT(heard.verdict[0], PLOG_E_FORMAT);
    CHECK_TEXT(heard.next[0], "use a newer paritylog");
    /* Graver than a row that differs, and less so than a lost head. */
    world_sql(&w, "UPDATE events SET op='delete' WHERE seq=4");
    CHECK_INT(run(plog_parity, with(NULL)), PLOG_E_FORMAT);
    CHECK_INT(heard.verdict[0], PLOG_E_DIVERGED);
    CHECK_INT(run(plog_verify, expects(900, NULL)), PLOG_E_ROLLBACK);
}

/* ---- Folders and files that are not what they should be
 * -------------------------- */

static int no_segment(void *ctx, int dir, const char *name, int flags,
                      uint32_t mode)
{
    if (strcmp(name, &SEGMENT_1[4]) == 0)
        return -EIO;
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

static void the_last_segment(void)
{
    struct plog_io io = *plog_io_posix();
    io.open_at = no_segment;
    make(3, 0);
    CHECK_INT(run(plog_verify, with(&io)), PLOG_E_IO);
    CHECK_INT(run(plog_parity, with(&io)), PLOG_E_IO);
    CHECK_INT(unlink(world_path(&w, SEGMENT_1)), 0);
    CHECK_INT(mkdir(world_path(&w, SEGMENT_1), 0700), 0);
    CHECK_INT(run(plog_verify, with(NULL)), PLOG_E_CORRUPT);
    CHECK(heard.findings > 0);
}

static void nothing_but_an_odd_file(void)
{
    make(3, 0);
    CHECK_INT(unlink(world_path(&w, SEGMENT_1)), 0);
    CHECK_INT(run(plog_verify, with(NULL)), PLOG_E_ROLLBACK);
    CHECK(strstr(heard.err.hint, "salvage DIR --from-store") != NULL);
    world_write(world_path(&w, "log/odd.txt"), "x", 1);
    CHECK_INT(run(plog_verify, with(NULL)), PLOG_E_CORRUPT);
    world_drop_store(&w);
    CHECK_INT(run(plog_verify, with(NULL)), PLOG_E_CORRUPT);
    CHECK_INT(unlink(world_path(&w, "log/odd.txt")), 0);
    CHECK_INT(run(plog_verify, with(NULL)), PLOG_E_NOTHING);
    CHECK_INT(run(plog_parity, with(NULL)), PLOG_E_NOTHING);
}

static unsigned heads_left;

static bool no_head(const char *call, const char *sql, bool busy)
{
    (void)busy;
    return !strcmp(call, "step") && strstr(sql, "FROM main.meta") &&
           heads_left && --heads_left == 0;
}

/* The head of the store is not known any more once it cannot be read under the
 * lock: nobody can say what the log has lost, but that it has. */
static void no_segment_and_no_head(void)
{
    make(3, 0);
    CHECK_INT(unlink(world_path(&w, SEGMENT_1)), 0);
    unsigned n = 0;
    sql_calls.fails = no_head;
    do {
        heads_left = ++n;
        int rc = run(plog_verify, with(NULL));
        CHECK_INT(rc, PLOG_E_ROLLBACK);
        CHECK_TEXT(heard.err.message,
                   heads_left ? "log/ holds no segment, but the store holds"
                                " entries up to 4"
                              : "the log is gone: log/ holds no segment, but"
                                " store.db is there");
    } while (heads_left == 0 && n < 20);
    sql_calls.fails = NULL;
    CHECK(n > 3 && n < 20);
}

/* With a store there is no doubt that it was an unfinished group. */
static void a_torn_end(void)
{
    make(3, 0);
    FILE *f = fopen(world_path(&w, SEGMENT_1), "ab");
    REQUIRE(f != NULL);
    fputs("{\"seq\":5,\"res", f);
    CHECK_INT(fclose(f), 0);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(run(i ? plog_verify : plog_parity, with(NULL)), PLOG_E_TORN);
        CHECK_UINT(heard.findings, 1);
        CHECK(strstr(heard.next[0], "paritylog replay DIR (keeps the") ==
              heard.next[0]);
    }
    world_drop_store(&w);
    CHECK_INT(run(plog_verify, with(NULL)), PLOG_E_TORN);
    CHECK(strstr(heard.next[0], "no store can tell whether") != NULL);
}

/* ---- Callbacks
 * --------------------------------------------------------------------- */

static unsigned steps;
static uint64_t total; /* as was told last */

static int on_progress(void *arg, const struct plog_progress *p)
{
    int *stop_at = arg;
    CHECK(p->done > 0);
    total = p->total;
    return (int)++steps == *stop_at;
}

static bool compactions_fail(const char *call, const char *sql, bool busy)
{
    (void)call, (void)busy;
    return strstr(sql, "FROM main.compactions") != NULL;
}

/* How far there is to go is told where a store says it; one that cannot be read
 * says nothing. */
static void progress(void)
{
    static char text[500][160];
    static struct plog_span d[500];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = d, .delta_count = 500};
    check_fn *const both[] = {plog_verify, plog_parity};
    make(1, 0);
    CHECK_INT(world_open(&w), 0);
    for (int k = 0; k < 5; k++) {
        for (int i = 0; i < 500; i++) {
            char record[16];
            snprintf(record, sizeof record, "q%d", k * 500 + i);
            struct world_delta delta = {.record = record};
            world_text(text[i], sizeof text[i], &delta);
            d[i] = (struct plog_span){text[i], strlen(text[i])};
        }
        CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
    }
    world_close(&w);
    for (int i = 0; i < 2; i++) {
        int stop_at = 0;
        struct plog_check_options o = {.progress = on_progress,
                                       .arg = &stop_at};
        steps = 0;
        CHECK_INT(run(both[i], o), 0);
        CHECK_UINT(heard.r.head.size, 2502);
        CHECK(steps >= 2 && steps < 6); /* each thousand */
        if (both[i] == plog_verify) {
            CHECK_UINT(total, 2502);
            sql_calls.fails = compactions_fail;
            CHECK_INT(run(plog_verify, o), 0);
            sql_calls.fails = NULL;
            CHECK_UINT(total, 0);
        }
        stop_at = 1;
        steps = 0;
        CHECK_INT(run(both[i], o), PLOG_E_INTERRUPTED);
        CHECK_UINT(steps, 1);
    }
}

static int stop_at_records(void *arg, const struct plog_progress *p)
{
    (void)arg;
    return strcmp(p->phase, "records") == 0;
}

/* Stopped among the records nobody knows of the rest: that is not CLEAN, and no
 * watermark is made of it. */
static void stopped_among_records(void)
{
    static char text[1200][160];
    static struct plog_span d[1200];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = d, .delta_count = 1200};
    char mark[600];
    snprintf(mark, sizeof mark, "%.500s/mark", check_dir());
    make(1, 0);
    CHECK_INT(world_open(&w), 0);
    for (int i = 0; i < 1200; i++) {
        char record[16];
        snprintf(record, sizeof record, "q%d", i);
        struct world_delta delta = {.record = record};
        world_text(text[i], sizeof text[i], &delta);
        d[i] = (struct plog_span){text[i], strlen(text[i])};
    }
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
    world_close(&w);
    struct plog_check_options o = {.progress = stop_at_records,
                                   .watermark = mark};
    CHECK_INT(run(plog_parity, o), PLOG_E_INTERRUPTED);
    CHECK(access(mark, F_OK) != 0);
    o.progress = NULL;
    CHECK_INT(run(plog_parity, o), 0);
    CHECK(access(mark, F_OK) == 0);
}

static void stopped_by_what_is_unchecked(void)
{
    struct plog_io io = locked_io();
    make(12, 0);
    damage(SEGMENT_1, "\"v\":\"v5");
    heard.stop = 1;
    CHECK_INT(run(plog_verify, with(&io)), PLOG_E_INTERRUPTED);
    heard.stop = 0;
    CHECK_INT(run(plog_verify, with(&io)), PLOG_E_CORRUPT);
}

/* ---- Hashes
 * ------------------------------------------------------------------------- */

/* A hash is often a part of something: what stands behind it is not read. */
static void hashes(void)
{
    unsigned char all[PLOG_HASH_SIZE + 8];
    char out[48];
    struct plog_buf b;
    uint64_t state = check_seed();
    plog_buf_init(&b, plog_io_posix());
    for (int i = 0; i < 100; i++) {
        for (size_t k = 0; k < sizeof all; k++)
            all[k] = (unsigned char)(k < PLOG_HASH_SIZE ? check_random(&state)
                                                        : 0xff);
        b.len = 0;
        CHECK_INT(plog_buf_add_base64(&b, all, PLOG_HASH_SIZE), 0);
        plog_check_hash(all, out);
        CHECK_BYTES(out, strlen(out), b.data, b.len);
    }
    plog_buf_fini(&b);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"redacted meanwhile", redacted_meanwhile},
        {"compacted meanwhile", compacted_meanwhile},
        {"a writer comes in between", a_writer_comes_in_between},
        {"locked without a store", locked_without_a_store},
        {"an order that is none", an_order_that_is_none},
        {"an order in damage", an_order_in_damage},
        {"a compact entry that is none", a_compact_entry_that_is_none},
        {"a compact entry in damage", a_compact_entry_in_damage},
        {"heads below the floor", heads_below_the_floor},
        {"heads in damage", heads_in_damage},
        {"the gravest", the_gravest},
        {"pruned and different", pruned_and_different},
        {"torn and pruned", torn_and_pruned},
        {"a newer format", a_newer_format},
        {"the last segment", the_last_segment},
        {"nothing but an odd file", nothing_but_an_odd_file},
        {"no segment and no head", no_segment_and_no_head},
        {"a torn end", a_torn_end},
        {"progress", progress},
        {"stopped among records", stopped_among_records},
        {"stopped by what is unchecked", stopped_by_what_is_unchecked},
        {"hashes", hashes},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
