/*
 * test_mishaps.c - one call that fails where the sweeps do not come by: what
 * is told names it, nothing is lost, and the same again completes.
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
#include "order_shim.h"
#include "peers.h"
#include "sql_calls.h"
#include "world.h"

#define ROWS 8 /* of a group that waits */

static struct world w;
static struct plog_error err;

/* ---- A table with one call that fails ------------------------------------ */

static struct plog_io io;
static const char *call, *file; /* which one; NULL: none */
static int from, to;            /* of those calls, counted from 1 */
static int code;                /* that they return */
static int seen;

static bool trips(const char *what, const char *name)
{
    if (!call || strcmp(what, call) || (name && file && strcmp(name, file)))
        return false;
    seen++;
    return seen >= from && seen <= to;
}

static int on_open(void *c, int d, const char *n, int flags, uint32_t mode)
{
    if (trips(flags & O_CREAT ? "create" : "open", n))
        return -EIO;
    return order_io()->open_at(c, d, n, flags, mode);
}

static int on_unlink(void *c, int d, const char *n)
{
    return trips("unlink", n) ? -EIO : order_io()->unlink_at(c, d, n);
}

static int on_stat_at(void *c, int d, const char *n, struct plog_stat *out)
{
    return trips("stat", n) ? code : order_io()->stat_at(c, d, n, out);
}

static int on_list(void *c, int d, int (*each)(void *, const char *), void *arg)
{
    return trips("list", NULL) ? -EIO : order_io()->list(c, d, each, arg);
}

static int on_random(void *c, void *p, size_t n)
{
    return trips("random", NULL) ? -EIO : order_io()->random(c, p, n);
}

static int64_t skew; /* of the clock */

static int64_t on_clock(void *c)
{
    return order_io()->clock_mono_ns(c) + skew;
}

static const struct plog_io *table(void)
{
    io = *order_io();
    io.clock_mono_ns = on_clock;
    io.open_at = on_open;
    io.unlink_at = on_unlink;
    io.stat_at = on_stat_at;
    io.list = on_list;
    io.random = on_random;
    call = NULL;
    return &io;
}

/* From the `first` such call on, `count` of them. */
static void fail(const char *what, const char *name, int first, int count)
{
    call = what;
    file = name;
    from = first;
    to = first + count - 1;
    seen = 0;
    code = -EIO;
    err = (struct plog_error){.code = 0};
}

static bool failed(void)
{
    bool reached = call && seen >= from;
    call = NULL;
    return reached;
}

/* ---- A statement that fails ---------------------------------------------- */

static const char *statement; /* how it begins; NULL: none */
static unsigned left;         /* so many are left till it fails */
static bool unprepared;       /* it fails when it is prepared */

static bool falls(const char *what, const char *sql, bool busy)
{
    (void)busy;
    return statement && left &&
           strcmp(what, unprepared ? "prepare" : "step") == 0 &&
           strncmp(sql, statement, strlen(statement)) == 0 && --left == 0;
}

static void fall(const char *sql, unsigned nth)
{
    statement = sql;
    left = nth;
    err = (struct plog_error){.code = 0};
}

static bool fallen(void)
{
    bool reached = statement && left == 0;
    statement = NULL;
    return reached;
}

static void begin(void)
{
    memset(&sql_calls, 0, sizeof sql_calls);
    sql_calls.no_sync = true;
    sql_calls.fails = falls;
    statement = NULL;
    world_make(&w, PLOG_ARRIVAL, 0);
    w.options.io = table();
    CHECK_INT(world_open(&w), 0);
}

/* ---- Making a directory -------------------------------------------------- */

static int init(const char *dir, bool network_fs)
{
    char vkey[PLOG_VKEY_MAX];
    struct plog_init_options o = {
        .struct_size = sizeof o, .io = &io, .allow_network_fs = network_fs};
    return plog_init(dir, &o, vkey, &err);
}

static void init_again(void)
{
    static const struct {
        const char *call, *name;
        int nth;
        const char *says;
    } all[] = {
        {"create", "store.db", 1, "making the store"},
        {"open", "log", 2, "opening a directory"},
        {"open", "keys", 2, "opening a directory"},
    };
    (void)table();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        snprintf(w.dir, sizeof w.dir, "%.400s/new", check_dir());
        fail(all[i].call, all[i].name, all[i].nth, 1);
        CHECK_INT(init(w.dir, false), PLOG_E_IO);
        CHECK(failed());
        CHECK(strstr(err.message, all[i].says) != NULL);
        CHECK_TEXT(err.file, all[i].name);
        CHECK_INT(init(w.dir, false), 0);
        CHECK_INT(peers_parity(&w), 0);
        world_remove(w.dir);
    }
}

/* ---- Rows that wait ------------------------------------------------------ */

static void put_some(int k)
{
    static char text[ROWS][400];
    struct plog_span d[ROWS];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = d, .delta_count = ROWS};
    for (int i = 0; i < ROWS; i++) {
        char record[20];
        struct world_delta delta = {.record = record};
        snprintf(record, sizeof record, "r%d-%d", k, i);
        d[i] = plog_span_text(world_text(text[i], sizeof *text, &delta));
    }
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
}

static int64_t waiting(void)
{
    return world_number(&w, "SELECT count(*) FROM state_recent");
}

/* Until they are learnt anew, as they are behind a move that failed. */
static void as_if_they_were_long(void)
{
    struct plog_recent *r = &w.p->legs.store.recent;
    r->now.bytes += 4u << 20;
    r->begin = r->now;
}

/* They wait longer, and nobody is told. */
static void rows_wait_on(void)
{
    static const struct {
        const char *sql;
        unsigned nth; /* the group has its own, before */
    } all[] = {{"INSERT OR REPLACE INTO main.state ", 1},
               {"COMMIT", 2},
               {"BEGIN IMMEDIATE", 2}};
    int k = 0;
    begin();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        put_some(k++);
        as_if_they_were_long();
        fall(all[i].sql, all[i].nth);
        put_some(k++);
        CHECK(fallen());
        CHECK_INT(waiting(), k * ROWS);
        CHECK_TEXT(world_record(&w, "r0-3"), "{} v1");
    }
    put_some(k++); /* still as if: what could not begin goes on */
    CHECK_INT(waiting(), 0);
    put_some(k++);
    fall("COMMIT", 1); /* of those that closing moves */
    world_close(&w);
    CHECK(fallen());
    CHECK_INT(waiting(), ROWS);
    CHECK_INT(world_open(&w), 0);
    world_end(&w, 1 + (uint64_t)k * ROWS);
}

/* And nothing else has to: the WAL, which is moved into the store once a
 * minute, is moved then. */
static void rows_wait_and_the_wal_does_not(void)
{
    struct plog_status st;
    begin();
    put_some(0);
    as_if_they_were_long();
    skew += 120 * (int64_t)1000000000;
    fall("COMMIT", 2);
    put_some(1);
    CHECK(fallen());
    CHECK_INT(waiting(), 2 * ROWS);
    CHECK_INT(plog_read_status(w.dir, NULL, &st, NULL), 0);
    CHECK(st.wal_frames > 0);
    CHECK_UINT(st.wal_moved, st.wal_frames);
    skew = 0;
    world_end(&w, 1 + 2 * ROWS);
}

/* ---- Opening and going back ---------------------------------------------- */

/* SQLite has no memory for a connection: that alone is said. */
static void no_memory_for_a_connection(void)
{
    begin();
    world_close(&w);
    sqlite3_hard_heap_limit64(1);
    int rc = plog_open(&w.p, w.dir, &w.options, &err);
    sqlite3_hard_heap_limit64(0);
    CHECK_INT(rc, PLOG_E_NOMEM);
    CHECK_TEXT(err.message, "out of memory");
    CHECK_INT(world_open(&w), 0);
    world_end(&w, 1);
}

/* The error told is that of the statement. */
static void segments_that_cannot_be_dropped(void)
{
    begin();
    unprepared = true;
    fall("DELETE FROM main.segments", 1);
    CHECK_INT(plog_store_drop_segments(&w.p->legs.store, 1, &err), PLOG_E_IO);
    CHECK(fallen());
    unprepared = false;
    CHECK(strstr(err.message, "preparing a statement") != NULL);
    CHECK_TEXT(err.file, "store.db");
    world_end(&w, 1);
}

/* ---- A logged entry ------------------------------------------------------ */

/* Whether the store has it is not known: it is not said to be there. */
static void present_or_not(void)
{
    unsigned nth = 1;
    begin();
    CHECK_INT(world_put(&w, "a", "r", "x", NULL), 0);
    char *line = world_line(&w, 2, NULL);
    size_t n = strlen(line) - (line[strlen(line) - 1] == '\n');
    for (;; nth++) {
        fall("SELECT origin,", nth);
        int rc = plog_apply_logged(w.p, line, n, &err);
        if (!fallen()) {
            CHECK_INT(rc, PLOG_PRESENT);
            break;
        }
        CHECK_INT(rc, PLOG_E_IO);
        CHECK_INT(err.code, PLOG_E_IO);
        CHECK_TEXT(err.file, "store.db");
        CHECK(strstr(err.message, "using the store") != NULL);
        CHECK_UINT(err.seq, 0);
        REQUIRE(nth < 20);
    }
    CHECK(nth > 1);
    free(line);
    world_end(&w, 2);
}

/* The store that the directory has next is that of `old`. */
static void set_store_back(const char *old)
{
    char store[600];
    snprintf(store, sizeof store, "%.500s/store.db", old);
    size_t n;
    char *bytes = world_read(store, &n);
    world_write(world_path(&w, "store.db"), bytes, n);
    unlink(world_path(&w, "store.db-wal"));
    unlink(world_path(&w, "store.db-shm"));
    free(bytes);
}

static void applying_fails(void)
{
    char old[600];
    begin();
    world_close(&w);
    snprintf(old, sizeof old, "%.500s/old", check_dir());
    world_copy(w.dir, old);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(world_put(&w, "a", "r", "x", NULL), 0);
    char *line = world_line(&w, 2, NULL);
    size_t n = strlen(line) - (line[strlen(line) - 1] == '\n');
    world_close(&w);
    set_store_back(old);
    w.options.leave_behind = true;
    CHECK_INT(world_open(&w), 0);
    for (int nth = 1;; nth++) {
        fail("list", NULL, nth, 1);
        int rc = plog_apply_logged(w.p, line, n, &err);
        if (!failed())
            break;
        CHECK_INT(rc, PLOG_E_IO);
        CHECK_TEXT(err.file, "log");
        CHECK_INT(world_number(&w, "SELECT size FROM meta"), 1);
    }
    CHECK_INT(world_number(&w, "SELECT size FROM meta"), 2);
    world_close(&w);
    set_store_back(old);
    CHECK_INT(world_open(&w), 0);
    bool reached = false;
    for (unsigned nth = 1; nth < 20 && !reached; nth++) {
        fall("SELECT origin,size,root", nth);
        int rc = plog_apply_logged(w.p, line, n, &err);
        reached = !fallen();
        CHECK_INT(rc, reached ? 0 : PLOG_E_IO);
        CHECK_INT(err.code, rc);
        CHECK_INT(world_number(&w, "SELECT size FROM meta"), 1 + reached);
    }
    CHECK(reached);
    free(line);
    world_end(&w, 2);
}

/* ---- Another key --------------------------------------------------------- */

static int rotate(struct plog_rotate_report *r)
{
    struct plog_rotate_options o = {
        .struct_size = sizeof o, .io = &io, .wait_seconds = 0.1};
    return plog_key_rotate(w.dir, &o, r, &err);
}

/* The rotation is in the log, and not all of it was done: the next opening
 * finds the secret in the file that it was to leave. */
static void a_rotation_that_is_finished_later(void)
{
    struct plog_rotate_report r;
    char vkey[PLOG_VKEY_MAX];
    begin();
    world_close(&w);
    fail("create", NULL, 3, 1);
    CHECK_INT(rotate(&r), PLOG_E_IO);
    CHECK(failed());
    CHECK(strncmp(err.file, "keys/", 5) == 0);
    CHECK(world_has(&w, "keys/signing.key.new"));
    CHECK_INT(unlink(world_path(&w, "keys/signing.key")), 0);
    CHECK_INT(world_open(&w), 0);
    CHECK(!world_has(&w, "keys/signing.key.new"));
    CHECK_INT(world_put(&w, "a", "r", "x", NULL), 0);
    CHECK_INT(plog_key_show(w.dir, NULL, vkey, NULL), 0);
    CHECK_TEXT(vkey, r.new_vkey);
    world_end(&w, 3);
}

static void a_rotation_that_does_not_begin(void)
{
    struct plog_rotate_report r;
    begin();
    fail("random", NULL, 1, 1);
    CHECK_INT(rotate(&r), PLOG_E_IO);
    CHECK(failed());
    CHECK_TEXT(err.file, "a new signing key");
    world_write(world_path(&w, "keys/signing.key.new"), "left", 4);
    CHECK_INT(chmod(world_path(&w, "keys/signing.key.new"), 0600), 0);
    fail("unlink", "signing.key.new", 1, 100);
    CHECK_INT(rotate(&r), PLOG_E_LOCKED);
    CHECK_INT(seen, 10);
    CHECK(failed());
    CHECK_TEXT(err.message, "another rotation of the key is under way");
    CHECK_INT(rotate(&r), 0);
    CHECK_UINT(r.keys, 2);
    world_end(&w, 2);
}

/* ---- A store of long ago ------------------------------------------------- */

/* What came behind it was compacted away: nothing brings it up to date, and
 * nothing of it is lost. */
static void the_log_begins_behind_the_store(void)
{
    struct plog_replay_options o = {.struct_size = sizeof o, .fresh = true};
    struct plog_replay_report r;
    char old[600];
    memset(&sql_calls, 0, sizeof sql_calls);
    sql_calls.no_sync = true;
    peers_make(&w, PLOG_ARRIVAL, 12);
    snprintf(old, sizeof old, "%.500s/long-ago", check_dir());
    world_copy(w.dir, old);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 12, 50);
    world_close(&w);
    uint64_t size = world_size(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", size), 0);
    CHECK_INT(peers_compact(&w, NULL), 0);
    CHECK(peers_floor(&w) > 13);
    set_store_back(old);
    CHECK_INT(plog_open(&w.p, w.dir, &w.options, &err), PLOG_E_PRUNED);
    CHECK(strstr(err.message, "the store stands at entry ") != NULL);
    CHECK(strstr(err.message, ", and the log begins behind entry 49"));
    CHECK(strstr(err.hint, "paritylog replay DIR --fresh") != NULL);
    CHECK_INT(plog_replay(w.dir, &o, &r, &err), 0);
    CHECK_INT(world_open(&w), 0);
    CHECK_TEXT(world_record(&w, "r0"), "{\"v\":\"v49\"} v8");
    world_close(&w);
    CHECK_INT(peers_parity(&w), 0);
}

/* ---- Looking ------------------------------------------------------------- */

static void status_that_cannot_look(void)
{
    struct plog_options o = {.struct_size = sizeof o, .io = &io};
    struct plog_status st;
    begin();
    world_close(&w);
    fail("stat", "00000000000000000001.jsonl", 1, 1);
    CHECK_INT(plog_read_status(w.dir, &o, &st, &err), PLOG_E_IO);
    CHECK(failed());
    CHECK_TEXT(err.file, "log/00000000000000000001.jsonl");
    fail("stat", "store.db-wal", 1, 100); /* then the store says nothing */
    CHECK_INT(plog_read_status(w.dir, &o, &st, &err), 0);
    CHECK(failed());
    CHECK_INT(st.verdict, PLOG_E_IO);
    fail("stat", "store.db-wal", 1, 1);
    code = -ENOENT; /* it went just now */
    CHECK_INT(plog_read_status(w.dir, &o, &st, &err), 0);
    CHECK(failed());
    CHECK_INT(st.verdict, 0);
    CHECK_UINT(st.wal_bytes, 0);
    CHECK_INT(plog_read_status(w.dir, &o, &st, &err), 0);
    CHECK_INT(st.verdict, 0);
    fall("SELECT count(*) FROM main.peers", 1);
    CHECK_INT(plog_read_status(w.dir, &o, &st, &err), 0);
    CHECK(fallen());
    CHECK_INT(st.verdict, PLOG_E_IO);
}

/* Another program can take the WAL away: then nothing waits in it. */
static void status_without_a_wal(void)
{
    struct plog_status st;
    begin();
    CHECK_INT(world_put(&w, "a", "r", "x", NULL), 0);
    world_close(&w);
    world_sql(&w, "PRAGMA journal_mode=DELETE");
    CHECK_INT(plog_read_status(w.dir, NULL, &st, &err), 0);
    CHECK_INT(st.verdict, 0);
    CHECK_UINT(st.store_size, 2);
    CHECK_UINT(st.wal_frames, 0);
    CHECK_UINT(st.wal_bytes, 0);
    CHECK_INT(world_open(&w), 0); /* which takes one again */
    CHECK_INT(world_put(&w, "b", "r", "x", NULL), 0);
    for (int k = 0; k < 3; k++) {
        unprepared = k == 1;
        fall("PRAGMA main.journal_mode", k < 2);
        CHECK_INT(plog_read_status(w.dir, NULL, &st, &err), 0);
        CHECK(fallen());
        CHECK_INT(st.verdict, 0);
        CHECK((st.wal_frames > 0) == (k == 2));
    }
    unprepared = false;
    world_end(&w, 3);
}

/* ---- main ---------------------------------------------------------------- */

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"init again", init_again},
        {"rows wait on", rows_wait_on},
        {"rows wait and the WAL does not", rows_wait_and_the_wal_does_not},
        {"no memory for a connection", no_memory_for_a_connection},
        {"segments that cannot be dropped", segments_that_cannot_be_dropped},
        {"present or not", present_or_not},
        {"applying fails", applying_fails},
        {"a rotation that is finished later",
         a_rotation_that_is_finished_later},
        {"a rotation that does not begin", a_rotation_that_does_not_begin},
        {"the log begins behind the store", the_log_begins_behind_the_store},
        {"status that cannot look", status_that_cannot_look},
        {"status without a WAL", status_without_a_wal},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
