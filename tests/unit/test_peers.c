/*
 * test_peers.c - cursors of peers: what moves them and what does not, roots at
 * any entry, several at once, kills at each call, and what a log may hold that
 * no command writes.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "engine.h"
#include "killing.h"
#include "peers.h"
#include "sql_calls.h"
#include "world.h"

#define SEGMENT 4096 /* some ten entries */

static struct world w;

static void put_many(int from, int to)
{
    for (int i = from; i < to; i++) {
        char id[16], record[16];
        snprintf(id, sizeof id, "i%d", i);
        snprintf(record, sizeof record, "r%d", i % 7);
        CHECK_INT(world_put(&w, id, record, "value", NULL), 0);
    }
}

/* Entry 1 is init, `count` follow; the handle is closed. */
static void make(int count)
{
    world_make(&w, PLOG_LAST_WRITE_WINS, SEGMENT);
    put_many(0, count);
    world_close(&w);
}

static int add(const char *name)
{
    return peers_add(&w, name);
}

static int ack(const char *name, uint64_t seq, const unsigned char *root)
{
    struct plog_peer_report r;
    return plog_peer_ack(w.dir, name, seq, root, NULL, &r, NULL);
}

static int rewind_to(const char *name, uint64_t seq)
{
    struct plog_peer_report r;
    return plog_peer_rewind(w.dir, name, seq, NULL, &r, NULL);
}

static int evict(const char *name, const char *reason)
{
    struct plog_peer_report r;
    struct plog_peer_options o = {.struct_size = sizeof o, .reason = reason};
    return plog_peer_evict(w.dir, name, &o, &r, NULL);
}

static int compact(void)
{
    struct plog_compact_report r;
    struct plog_compact_options o = {.struct_size = sizeof o,
                                     .wait_seconds = 0.5};
    return plog_compact(w.dir, &o, &r, NULL);
}

static void fresh(void)
{
    struct plog_replay_report r;
    struct plog_replay_options o = {.struct_size = sizeof o, .fresh = true};
    CHECK_INT(plog_replay(w.dir, &o, &r, NULL), 0);
}

static int64_t number(const char *sql)
{
    return world_number(&w, sql);
}

/* ---- Roots -------------------------------------------------------------- */

/* The root of the first `size` entries, from their lines alone. */
static void root_of(uint64_t size, unsigned char *out)
{
    struct plog_tree t;
    plog_tree_init(&t);
    for (uint64_t seq = 1; seq <= size; seq++) {
        unsigned char leaf[PLOG_HASH_SIZE];
        size_t len;
        char *line = world_line(&w, seq, &len);
        plog_hash_leaf(line, len, leaf);
        CHECK_INT(plog_tree_add(&t, leaf), 0);
        free(line);
    }
    plog_tree_root(&t, out);
}

/* In groups, at their ends and at the ends of segments, behind a rotation of
 * the key: the log's own root is taken, the one beside it is a fork. */
static void roots_at_every_entry(void)
{
    struct plog_rotate_report rotated;
    struct plog_span texts[5];
    char buffers[5][600];
    unsigned char root[PLOG_HASH_SIZE], other[PLOG_HASH_SIZE];
    world_make(&w, PLOG_LAST_WRITE_WINS, SEGMENT);
    for (int g = 0; g < 6; g++) {
        for (int i = 0; i < 5; i++) {
            struct world_delta d = {.record = i % 2 ? "odd" : "even"};
            world_text(buffers[i], sizeof buffers[i], &d);
            texts[i] = plog_span_text(buffers[i]);
        }
        struct plog_group group = {
            .struct_size = sizeof group, .deltas = texts, .delta_count = 5};
        CHECK_INT(plog_append_group(w.p, &group, NULL, NULL), 0);
        if (g == 3) {
            world_close(&w);
            CHECK_INT(plog_key_rotate(w.dir, NULL, &rotated, NULL), 0);
            CHECK_INT(world_open(&w), 0);
        }
    }
    world_close(&w);
    CHECK_INT(add("p"), 0);
    CHECK(number("SELECT count(*) FROM segments") >= 3);
    uint64_t size = world_size(&w);
    CHECK_UINT(size, 33);
    for (uint64_t seq = 0; seq <= size; seq++) {
        root_of(seq + 1 <= size ? seq + 1 : seq - 1, other);
        CHECK_INT(ack("p", seq, other), PLOG_E_FORK);
        CHECK_INT(number("SELECT cursor FROM peers"), seq ? seq - 1 : 0);
        root_of(seq, root);
        CHECK_INT(ack("p", seq, root), 0);
        CHECK_INT(number("SELECT cursor FROM peers WHERE root NOTNULL"), seq);
    }
    world_end(&w, size);
}

/* What was proven of a seq is not lost by saying it again, and does not stand
 * for another seq. */
static void proofs_of_one_seq(void)
{
    unsigned char root[PLOG_HASH_SIZE], other[PLOG_HASH_SIZE] = {1};
    make(20);
    CHECK_INT(add("p"), 0);
    root_of(10, root);
    CHECK_INT(ack("p", 10, NULL), 0);
    CHECK_INT(number("SELECT root NOTNULL FROM peers"), 0);
    CHECK_INT(ack("p", 10, root), 0);
    CHECK_INT(number("SELECT root NOTNULL FROM peers"), 1);
    CHECK_INT(ack("p", 10, NULL), 0);
    CHECK_INT(number("SELECT root NOTNULL FROM peers"), 1);
    CHECK_INT(ack("p", 10, other), PLOG_E_FORK);
    CHECK_INT(number("SELECT root NOTNULL FROM peers"), 1);
    CHECK_INT(ack("p", 11, NULL), 0);
    CHECK_INT(number("SELECT root NOTNULL FROM peers"), 0);
    root_of(11, root);
    CHECK_INT(ack("p", 11, root), 0);
    CHECK_INT(rewind_to("p", 10), 0);
    CHECK_INT(number("SELECT root NOTNULL FROM peers"), 0);
    world_end(&w, 23);
}

/* ---- The floor ---------------------------------------------------------- */

static void below_the_floor(void)
{
    unsigned char root[PLOG_HASH_SIZE] = {1};
    struct plog_status s;
    make(60);
    CHECK_INT(add("old"), 0);
    CHECK_INT(ack("old", 45, NULL), 0);
    CHECK_INT(compact(), 0);
    CHECK_INT(plog_read_status(w.dir, NULL, &s, NULL), 0);
    REQUIRE(s.floor > 30);
    CHECK_INT(add("new"), 0);
    /* It may come from a backup, and says what it has. */
    CHECK_INT(ack("new", 10, NULL), 0);
    CHECK_INT(ack("new", 9, NULL), PLOG_E_INPUT);
    CHECK_INT(ack("new", 20, root), PLOG_E_PRUNED);
    CHECK_INT(number("SELECT cursor FROM peers WHERE name='new'"), 10);
    CHECK_INT(rewind_to("new", 5), PLOG_E_PRUNED);
    CHECK_INT(ack("new", s.floor, root), PLOG_E_FORK);
    CHECK_INT(ack("new", s.floor, NULL), 0);
    CHECK_INT(rewind_to("old", s.floor - 1), PLOG_E_PRUNED);
    CHECK_INT(rewind_to("old", s.floor), 0);
    world_end(&w, 65);
}

/* What a peer has beyond the end is the one sign that the log was set back,
 * before something is appended to it. */
static void beyond_the_end(void)
{
    unsigned char root[PLOG_HASH_SIZE] = {1};
    struct plog_peer_report r;
    struct plog_error err;
    make(3);
    CHECK_INT(add("p"), 0);
    CHECK_INT(plog_peer_ack(w.dir, "p", 90, root, NULL, &r, &err),
              PLOG_E_INPUT);
    CHECK(strstr(err.message, "the log ends at entry ") != NULL);
    CHECK(strstr(err.hint, "append nothing here") != NULL);
    CHECK(strstr(err.hint, "parity DIR --expect-head 90:AQAAAA") != NULL);
    CHECK_INT(plog_peer_ack(w.dir, "p", 90, NULL, NULL, &r, &err),
              PLOG_E_INPUT);
    CHECK(strstr(err.hint, "--expect-head 90:ROOT") != NULL);
    CHECK_INT(plog_peer_rewind(w.dir, "p", 90, NULL, &r, &err), PLOG_E_INPUT);
    CHECK(strstr(err.hint, "append nothing here") != NULL);
    world_remove(w.dir);
}

static int rewind_meanwhile(void *arg, const struct plog_progress *p)
{
    bool *done = arg;
    if (!*done && strcmp(p->phase, "fold") == 0) {
        *done = true;
        CHECK_INT(rewind_to("p", 15), 0);
    }
    return 0;
}

/* Between the plan and the entry: nothing goes that it now lacks. */
static void rewound_while_compacting(void)
{
    bool done = false;
    struct plog_status s;
    struct plog_compact_report r;
    struct plog_compact_options o = {
        .struct_size = sizeof o, .progress = rewind_meanwhile, .arg = &done};
    make(60);
    CHECK_INT(add("p"), 0);
    CHECK_INT(ack("p", 45, NULL), 0);
    CHECK_INT(plog_compact(w.dir, &o, &r, NULL), PLOG_E_LOCKED);
    CHECK(done);
    CHECK_INT(plog_read_status(w.dir, NULL, &s, NULL), 0);
    CHECK_UINT(s.floor, 0);
    CHECK_INT(compact(), 0);
    CHECK_INT(plog_read_status(w.dir, NULL, &s, NULL), 0);
    CHECK(s.floor > 0 && s.floor <= 15);
    world_end(&w, world_size(&w));
}

/* ---- What the log says of them ------------------------------------------ */

static void a_store_made_anew(void)
{
    make(20);
    CHECK_INT(add("stays"), 0);
    CHECK_INT(add("goes"), 0);
    CHECK_INT(ack("stays", 20, NULL), 0);
    CHECK_INT(ack("goes", 15, NULL), 0);
    CHECK_INT(evict("goes", "it is gone"), 0);
    CHECK_INT(add("comes"), 0);
    fresh();
    CHECK_INT(number("SELECT count(*) FROM peers"), 2);
    CHECK_INT(number("SELECT added FROM peers WHERE name='stays' AND cursor=0"
                     " AND root IS NULL AND seen IS NULL"),
              22);
    CHECK_INT(number("SELECT added FROM peers WHERE name='comes'"), 25);
    /* Evicted and added again, one begins at 0. */
    CHECK_INT(ack("stays", 20, NULL), 0);
    CHECK_INT(evict("stays", "away"), 0);
    CHECK_INT(ack("stays", 21, NULL), PLOG_E_NOT_FOUND);
    CHECK_INT(add("stays"), 0);
    CHECK_INT(number("SELECT cursor FROM peers WHERE name='stays'"), 0);
    world_end(&w, 27);
}

static void names_and_reasons(void)
{
    static const char *const bad[] = {"", "\xff", "\xed\xa0\x80", "a\xc3"};
    char control[PLOG_NAME_MAX + 1], longer[PLOG_NAME_MAX + 2];
    make(3);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_INT(add(bad[i]), PLOG_E_INPUT);
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    CHECK_INT(add(longer), PLOG_E_INPUT);
    /* Each byte takes six in the line. */
    memset(control, 1, sizeof control - 1);
    control[sizeof control - 1] = '\0';
    CHECK_INT(add(control), 0);
    CHECK_INT(add("\"\\\n\xe2\x80\xae"), 0);
    CHECK_INT(add("x"), 0);
    CHECK_INT(evict("x", NULL), PLOG_E_INPUT);
    CHECK_INT(evict("x", ""), PLOG_E_INPUT);
    CHECK_INT(evict("x", longer), PLOG_E_INPUT);
    CHECK_INT(evict("x", "\xff"), PLOG_E_INPUT);
    CHECK_INT(evict("x", control), 0);
    CHECK_INT(number("SELECT length(CAST(name AS BLOB)) FROM peers"
                     " ORDER BY name LIMIT 1"),
              PLOG_NAME_MAX);
    world_end(&w, 8);
}

struct raw {
    struct plog_peer_args args;
    enum plog_control control;
};

static int make_raw(void *arg, plog *p, struct plog_buf *out,
                    struct plog_error *err)
{
    const struct raw *r = arg;
    (void)p, (void)err;
    return plog_peer_args_format(out, r->control, &r->args);
}

static int log_raw(enum plog_control control, const char *name)
{
    struct plog_receipt receipt;
    struct raw r = {{.name = plog_span_text(name),
                     .cursor = 3,
                     .reason = plog_span_text("why")},
                    control};
    return plog_engine_control(w.p, control, make_raw, &r, &receipt, NULL);
}

/* No call logs these; a log that has them is a log all the same. */
static void twice_added_never_added(void)
{
    make(5);
    CHECK_INT(add("p"), 0);
    CHECK_INT(ack("p", 4, NULL), 0);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(log_raw(PLOG_CONTROL_PEER_ADD, "p"), 0);
    CHECK_INT(log_raw(PLOG_CONTROL_PEER_EVICT, "nobody"), 0);
    uint64_t size = world_size(&w);
    /* One that cannot be read back is refused before it is logged. */
    CHECK_INT(log_raw(PLOG_CONTROL_PEER_ADD, ""), PLOG_E_CORRUPT);
    CHECK_UINT(world_size(&w), size);
    world_close(&w);
    CHECK_INT(number("SELECT added FROM peers WHERE cursor=0"), 8);
    CHECK_INT(number("SELECT count(*) FROM peers"), 1);
    world_end(&w, size);
}

/* ---- The list ----------------------------------------------------------- */

static int64_t clock_at; /* seconds since 1970 */

static int64_t some_time(void *ctx)
{
    (void)ctx;
    return clock_at * 1000000000 + (clock_at < 0 ? -1 : 0);
}

static struct plog_peer found;
static char found_seen[64];

static int take(void *arg, const struct plog_peer *p)
{
    const char *name = arg;
    if (p->name.n == strlen(name) && memcmp(p->name.p, name, p->name.n) == 0) {
        found = *p;
        snprintf(found_seen, sizeof found_seen, "%.*s", (int)p->seen.n,
                 p->seen.n ? p->seen.p : "");
    }
    return 0;
}

static void look(const char *name, const struct plog_io *io)
{
    char copy[64];
    struct plog_options o = {.struct_size = sizeof o, .io = io};
    snprintf(copy, sizeof copy, "%s", name);
    memset(&found, 0, sizeof found);
    CHECK_INT(plog_peers(w.dir, &o, take, copy, NULL), 0);
    CHECK(found.added > 0);
}

/* A log of a year; peers of an hour ago and of today. */
static void ages(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_peer_options o = {.struct_size = sizeof o, .io = &io};
    struct plog_peer_report r;
    const int64_t begun = 1700000000, hour = 3600, year = 31536000;
    io.clock_real_ns = some_time;
    clock_at = begun;
    world_make(&w, PLOG_LAST_WRITE_WINS, SEGMENT);
    w.options.io = &io;
    CHECK_INT(world_open(&w), 0);
    put_many(0, 30);
    clock_at = begun + hour;
    put_many(30, 40);
    world_close(&w);
    clock_at = begun + year;
    CHECK_INT(plog_peer_add(w.dir, "p", &o, &r, NULL), 0);
    CHECK_INT(plog_peer_add(w.dir, "q", &o, &r, NULL), 0);
    clock_at += hour;
    CHECK_INT(plog_peer_ack(w.dir, "q", 31, NULL, &o, &r, NULL), 0);
    clock_at += hour;
    look("p", &io);
    CHECK(found.seen_age < 0);
    CHECK_INT(found.added_age, 2 * hour);
    CHECK(found.holds_floor);
    look("q", &io);
    CHECK_INT(found.seen_age, hour);
    CHECK_INT(found.lag_seconds, year + hour);
    CHECK(!found.holds_floor);
    /* All of it: no lag.  A clock that went back: no age below 0. */
    CHECK_INT(plog_peer_ack(w.dir, "q", 43, NULL, &o, &r, NULL), 0);
    clock_at -= year;
    look("q", &io);
    CHECK_INT(found.lag_seconds, 0);
    CHECK_UINT(found.lag, 0);
    CHECK_UINT(found.lag_bytes, 0);
    CHECK_INT(found.seen_age, 0);
    /* Before 1970 a time is one, too. */
    clock_at = -7;
    CHECK_INT(plog_peer_ack(w.dir, "p", 1, NULL, &o, &r, NULL), 0);
    look("p", &io);
    CHECK_TEXT(found_seen, "1969-12-31T23:59:52.999999Z");
    world_end(&w, 43);
}

/* Where the entry that added a peer is gone, its age is unknown, not long. */
static void trimmed(void)
{
    struct plog_compact_report r;
    struct plog_compact_options o = {.struct_size = sizeof o,
                                     .trim_store = true};
    make(10);
    CHECK_INT(add("p"), 0);
    CHECK_INT(world_open(&w), 0);
    put_many(10, 60);
    world_close(&w);
    CHECK_INT(ack("p", 50, NULL), 0);
    CHECK_INT(plog_compact(w.dir, &o, &r, NULL), 0);
    CHECK(r.to > 12);
    look("p", NULL);
    CHECK(found.added_age < 0);
    CHECK(found.seen_age >= 0);
    CHECK(found.lag_bytes > 0);
    CHECK_UINT(found.lag, 13);
    world_end(&w, 63);
}

/* Of one segment a part by number, of several the sum: about what the lines
 * above the cursor take. */
static void bytes_behind(void)
{
    make(60);
    CHECK_INT(add("p"), 0);
    CHECK_INT(number("SELECT count(*) FROM segments") > 3, 1);
    uint64_t size = world_size(&w), before = UINT64_MAX;
    for (uint64_t seq = 0; seq <= size; seq++) {
        char sql[120];
        snprintf(sql, sizeof sql,
                 "SELECT coalesce(sum(length(line)+1),0) FROM events WHERE"
                 " seq>%d",
                 (int)seq);
        double lines = (double)number(sql);
        CHECK_INT(ack("p", seq, NULL), 0);
        look("p", NULL);
        double told = (double)found.lag_bytes;
        CHECK(found.lag_bytes < before);
        /* headers and commits count, too: each entry is a group here */
        CHECK(told >= 0.9 * lines && told <= 2 * lines + 500);
        CHECK_UINT(found.lag, size - seq);
        before = found.lag_bytes;
    }
    CHECK_UINT(before, 0);
    world_end(&w, size);
}

static int stops(void *arg, const struct plog_peer *p)
{
    (void)p;
    return *(const int *)arg;
}

static bool begin_fails(const char *call, const char *sql, bool busy)
{
    (void)call, (void)busy;
    return strcmp(sql, "BEGIN") == 0;
}

/* All of a list is of one head: where no transaction can begin there is none.
 */
static void no_list(void)
{
    struct plog_error err = {0};
    int code = 0;
    make(3);
    CHECK_INT(add("p"), 0);
    sql_calls.fails = begin_fails;
    CHECK_INT(plog_peers(w.dir, NULL, stops, &code, &err), PLOG_E_IO);
    sql_calls.fails = NULL;
    CHECK_INT(err.code, PLOG_E_IO);
    CHECK_INT(plog_peers(w.dir, NULL, stops, &code, &err), 0);
}

static void stopped_list(void)
{
    static const int codes[] = {PLOG_END, 7, -7, PLOG_E_INTERRUPTED};
    make(3);
    CHECK_INT(add("p"), 0);
    CHECK_INT(add("q"), 0);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        int code = codes[i];
        CHECK_INT(plog_peers(w.dir, NULL, stops, &code, NULL), code);
    }
    world_end(&w, 6);
}

/* ---- Several at once ---------------------------------------------------- */

#define ACKS 60

static void *ack_all(void *arg)
{
    unsigned *taken = arg;
    for (uint64_t seq = 1; seq <= ACKS; seq++) {
        int rc = ack("p", seq, NULL);
        /* The other one was further. */
        CHECK(rc == 0 || rc == PLOG_E_INPUT);
        *taken += rc == 0;
    }
    return NULL;
}

/* Of two that acknowledge the same, none pulls the cursor back. */
static void two_threads(void)
{
    pthread_t threads[2];
    unsigned taken[2] = {0, 0};
    make(ACKS);
    CHECK_INT(add("p"), 0);
    for (int i = 0; i < 2; i++)
        REQUIRE(pthread_create(&threads[i], NULL, ack_all, &taken[i]) == 0);
    int64_t last = 0;
    for (int i = 0; i < 50; i++) {
        int64_t now = number("SELECT cursor FROM peers");
        CHECK(now >= last);
        last = now;
    }
    for (int i = 0; i < 2; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    CHECK(taken[0] + taken[1] >= ACKS);
    CHECK_INT(number("SELECT cursor FROM peers"), ACKS);
    world_end(&w, ACKS + 2);
}

/* ---- What is on disk ---------------------------------------------------- */

/* The store of `from`, in the place of this one; what a command that begins
 * with it makes of the cursor. */
static int64_t with_the_store_of(const char *from)
{
    struct plog_replay_report r;
    struct world_found f;
    world_take_store(&w, from);
    CHECK_INT(plog_replay(w.dir, NULL, &r, NULL), 0);
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    return number("SELECT cursor FROM peers");
}

/* A store may forget an acknowledgement, and never a rewind: the entries that
 * the peer lacks would go.  Whatever store is put back comes to it. */
static void a_rewind_is_an_entry(void)
{
    unsigned char root[PLOG_HASH_SIZE];
    struct plog_peer_report r;
    char added[600], acked[600];
    make(30);
    snprintf(added, sizeof added, "%s.added", w.dir);
    snprintf(acked, sizeof acked, "%s.acked", w.dir);
    CHECK_INT(add("p"), 0);
    world_copy(w.dir, added);
    root_of(20, root);
    CHECK_INT(ack("p", 20, root), 0);
    world_copy(w.dir, acked);
    CHECK_INT(plog_peer_rewind(w.dir, "p", 10, NULL, &r, NULL), 0);
    CHECK_UINT(r.before, 20);
    CHECK_UINT(r.cursor, 10);
    CHECK_UINT(r.entry, 33);
    CHECK_INT(with_the_store_of(acked), 10);
    CHECK_INT(number("SELECT root ISNULL FROM peers"), 1);
    CHECK_INT(ack("p", 15, NULL), 0);
    CHECK_INT(with_the_store_of(acked), 10);
    /* It takes nobody forward. */
    CHECK_INT(with_the_store_of(added), 0);
    world_drop_store(&w);
    CHECK_INT(ack("p", 5, NULL), PLOG_E_BEHIND);
    world_remove(added);
    world_remove(acked);
    fresh();
    CHECK_INT(number("SELECT cursor FROM peers"), 0);
    world_end(&w, 33);
}

static unsigned hidden_from; /* the listing of log/ that lacks the newest */
static char newest[64];

struct listing {
    int (*each)(void *arg, const char *name);
    void *arg;
    bool hides;
};

static int not_the_newest(void *arg, const char *name)
{
    struct listing *l = arg;
    if (strcmp(name, newest) == 0) {
        if (hidden_from && --hidden_from == 0)
            l->hides = true;
        if (l->hides)
            return 0;
    }
    return l->each(l->arg, name);
}

static int list_less(void *ctx, int dir, int (*each)(void *, const char *),
                     void *arg)
{
    struct listing l = {each, arg, false};
    return plog_io_posix()->list(ctx, dir, not_the_newest, &l);
}

/* Where the newest segment goes while the root is looked for, the answer is
 * that the log ends too early, and the cursor stays. */
static void the_log_ends_before(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_peer_options o = {.struct_size = sizeof o, .io = &io};
    struct plog_peer_report r;
    struct plog_head head;
    uint64_t first;
    unsigned ended = 0, taken = 0;
    make(20);
    CHECK_INT(add("p"), 0);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    put_many(20, 22);
    CHECK_INT(plog_get_head(w.p, &head, NULL), 0);
    CHECK_UINT(head.size, 24);
    world_close(&w);
    snprintf(newest, sizeof newest, "%020llu.jsonl", (unsigned long long)first);
    io.list = list_less;
    bool reached = true;
    for (unsigned n = 1; reached && n < 20; n++) {
        struct plog_error err = {.code = 0};
        hidden_from = n;
        int rc = plog_peer_ack(w.dir, "p", 24, head.root, &o, &r, &err);
        reached = hidden_from == 0;
        hidden_from = 0;
        CHECK_INT(err.code, rc);
        CHECK_INT(number("SELECT cursor FROM peers"), rc ? 0 : 24);
        CHECK_UINT(r.before, 0);
        CHECK_UINT(r.cursor, rc ? 0 : 24);
        ended += rc == PLOG_E_ROLLBACK &&
                 !strcmp(err.message, "the log ends before entry 24");
        taken += rc == 0;
        if (!rc)
            CHECK_INT(rewind_to("p", 0), 0);
    }
    CHECK(!reached);
    CHECK_UINT(ended, 1);
    world_end(&w, 24 + taken);
}

enum act { ADD, EVICT, ACK, REWIND };

static int act(void *arg, const struct plog_io *io)
{
    struct plog_peer_report r;
    struct plog_peer_options o = {
        .struct_size = sizeof o, .io = io, .reason = "gone"};
    switch (*(enum act *)arg) {
    case ADD:
        return plog_peer_add(w.dir, "n", &o, &r, NULL);
    case EVICT:
        return plog_peer_evict(w.dir, "p", &o, &r, NULL);
    case ACK:
        return plog_peer_ack(w.dir, "p", 15, NULL, &o, &r, NULL);
    case REWIND:
        return plog_peer_rewind(w.dir, "p", 5, &o, &r, NULL);
    }
    return PLOG_E_ARG;
}

/* Killed at each call: it happened or it did not, both legs agree, and it can
 * be asked for again. */
static void killed(enum act what, const char *sql, int again)
{
    char base[512];
    bool more = true;
    long n = 1, done = 0;
    snprintf(base, sizeof base, "%s", w.dir);
    for (; more && n < 500; n++) {
        struct world_found f;
        snprintf(w.dir, sizeof w.dir, "%.400s-%ld", base, n);
        world_copy(base, w.dir);
        more = killing_run(n, act, &what);
        CHECK_INT(world_open(&w), 0); /* replays what the log has */
        world_close(&w);
        CHECK_INT(world_parity(&w, NULL, &f), 0);
        bool happened = number(sql) == 1;
        CHECK(happened || more);
        done += happened && more;
        CHECK_INT(act(&what, NULL), happened ? again : 0);
        CHECK_INT(number(sql), 1);
        CHECK_INT(world_parity(&w, NULL, &f), 0);
        world_remove(w.dir);
    }
    CHECK(!more && n > 5);
    printf("# %ld kills, %ld of them behind the change\n", n - 2, done);
    CHECK(done > 0);
    snprintf(w.dir, sizeof w.dir, "%s", base);
}

static void killed_at_each_call(void)
{
    make(20);
    CHECK_INT(add("p"), 0);
    CHECK_INT(ack("p", 10, NULL), 0);
    killed(ADD, "SELECT count(*) FROM peers WHERE name='n' AND added=23",
           PLOG_E_EXISTS);
    killed(EVICT, "SELECT count(*)=0 FROM peers", PLOG_E_NOT_FOUND);
    killed(ACK, "SELECT cursor=15 FROM peers", 0);
    killed(REWIND, "SELECT cursor=5 FROM peers", PLOG_E_INPUT);
    world_end(&w, 22);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"roots at every entry", roots_at_every_entry},
        {"proofs of one seq", proofs_of_one_seq},
        {"below the floor", below_the_floor},
        {"beyond the end", beyond_the_end},
        {"rewound while compacting", rewound_while_compacting},
        {"a store made anew", a_store_made_anew},
        {"names and reasons", names_and_reasons},
        {"twice added, never added", twice_added_never_added},
        {"ages", ages},
        {"trimmed", trimmed},
        {"bytes behind", bytes_behind},
        {"no list", no_list},
        {"stopped list", stopped_list},
        {"two threads", two_threads},
        {"a rewind is an entry", a_rewind_is_an_entry},
        {"the log ends before", the_log_ends_before},
        {"killed at each call", killed_at_each_call},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
