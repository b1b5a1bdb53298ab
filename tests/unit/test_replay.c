/*
 * test_replay.c - a store made from a log, or caught up with it: what is told
 * of each entry, where it may stop, what is refused, and what is set aside and
 * what must not be.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "files.h"
#include "paritylog_recovery.h"
#include "peers.h"
#include "redacting.h"
#include "sql_calls.h"
#include "world.h"

static struct world w;
static struct plog_replay_report r;
static struct plog_error err;
static struct plog_io io;

/* What was told of each entry: a word of `aps` each, and by what it lost. */
static struct {
    char states[100];
    size_t count, stop_at;
    uint64_t first, total;
    const char *strategy;
} told;

/* Allocations that succeed behind entry `arm_at`, when that is not 0. */
static uint64_t arm_at;
static long allocations, left = -1; /* left < 0: all do */

static int tell_entry(void *arg, const struct plog_replayed *e)
{
    (void)arg;
    if (arm_at && e->seq == arm_at)
        left = allocations;
    if (told.count == 0)
        told.first = e->seq;
    CHECK_UINT(e->seq, told.first + told.count);
    CHECK_INT(e->strategy != NULL, e->state == PLOG_REPLAY_SKIPPED);
    if (e->strategy)
        told.strategy = e->strategy;
    told.states[told.count++] = "asp"[e->state];
    told.states[told.count] = '\0';
    return told.count == told.stop_at;
}

static int tell_progress(void *arg, const struct plog_progress *p)
{
    (void)arg;
    told.total = p->total;
    return 0;
}

static int replay(struct plog_replay_options o)
{
    o.struct_size = sizeof o;
    o.io = &io;
    o.entry = tell_entry;
    o.progress = tell_progress;
    size_t stop_at = told.stop_at;
    memset(&err, 0, sizeof err);
    memset(&told, 0, sizeof told);
    told.stop_at = stop_at;
    return plog_replay(w.dir, &o, &r, &err);
}
#define REPLAY(...) replay((struct plog_replay_options){__VA_ARGS__})

static void put(const char *record, int minute)
{
    char text[400], time[40];
    snprintf(time, sizeof time, "2026-01-02T03:%02d:05Z", minute);
    struct world_delta d = {.record = record, .time = time};
    CHECK_INT(world_append(&w, world_text(text, sizeof text, &d), NULL, NULL),
              0);
}

/* Entry 3 loses by its time, 5 to 7 are one group, 9 loses by keep-local. */
static void make(void)
{
    static char text[3][300];
    struct plog_span deltas[3];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = deltas, .delta_count = 3};
    memset(&w, 0, sizeof w);
    told.stop_at = 0;
    io = *plog_io_posix();
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    put("1", 9);
    put("1", 8);
    put("1", 10);
    for (int i = 0; i < 3; i++) {
        world_text(text[i], sizeof text[i],
                   &(struct world_delta){.record = "2"});
        deltas[i] = (struct plog_span){text[i], strlen(text[i])};
    }
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
    CHECK_INT(plog_set_strategy(w.p, PLOG_KEEP_LOCAL, NULL, NULL), 0);
    put("1", 20);
    put("3", 21);
    world_close(&w);
}

static void is_clean(uint64_t size)
{
    struct world_found f;
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    CHECK_UINT(f.report.head.size, size);
}

/* ---- What is told -----------------------------------------------------------
 */

static void a_plan(void)
{
    make();
    world_drop_store(&w);
    for (int dry_run = 1; dry_run >= 0; dry_run--) {
        CHECK_INT(REPLAY(.dry_run = dry_run), 0);
        CHECK_TEXT(told.states, "aasaaaaasa");
        CHECK_TEXT(told.strategy, "keep-local");
        CHECK_UINT(r.applied, 10);
        CHECK_UINT(r.skipped, 2);
        CHECK_UINT(r.from, 1);
        CHECK_UINT(r.to, 10);
        CHECK_INT(world_has(&w, "store.db"), !dry_run);
        CHECK_TEXT(r.quarantine, "");
    }
    CHECK_UINT(told.total, 10);
    CHECK_INT(REPLAY(.dry_run = true), 0); /* there is all of it */
    CHECK_TEXT(told.states, "pppppppppp");
    CHECK_UINT(r.applied, 0);
    is_clean(10);
}

/* A group is never split. */
static void up_to_an_entry(void)
{
    static const uint64_t ends[] = {0, 1, 2, 3, 4, 4, 4, 7, 8, 9, 10, 10};
    for (uint64_t to = 1; to < 12; to++) {
        make();
        world_drop_store(&w);
        for (int dry_run = 1; dry_run >= 0; dry_run--) {
            CHECK_INT(REPLAY(.dry_run = dry_run, .to = to), 0);
            CHECK_UINT(r.applied, ends[to]);
            CHECK_UINT(told.count, ends[to]);
            CHECK_UINT(r.to, ends[to]);
        }
        CHECK_UINT(told.total, to < 10 ? to : 10);
        CHECK_UINT(world_size(&w), ends[to]);
        CHECK_INT(REPLAY(.dry_run = true), 0); /* the rest of it */
        CHECK_UINT(r.present, ends[to]);
        CHECK_UINT(r.applied, 10 - ends[to]);
        CHECK_UINT(r.from, r.applied ? ends[to] + 1 : 0);
        CHECK_UINT(r.to, r.applied ? 10 : 0);
        CHECK_UINT(told.count, 10);
        CHECK_INT(REPLAY(.dry_run = true, .to = 1), 0);
        CHECK_UINT(r.applied, 0);
        world_remove(w.dir);
    }
}

static void stopped(void)
{
    make();
    world_drop_store(&w);
    for (told.stop_at = 1; told.stop_at <= 10; told.stop_at++) {
        CHECK_INT(REPLAY(.dry_run = true), PLOG_E_INTERRUPTED);
        CHECK_UINT(told.count, told.stop_at);
        char words[40];
        snprintf(words, sizeof words, "stopped at entry %zu", told.stop_at);
        CHECK_TEXT(err.message, words);
    }
    CHECK(!world_has(&w, "store.db"));
}

/* ---- What is refused --------------------------------------------------------
 */

#define FIRST "log/00000000000000000001.jsonl"

static void cut(const char *name, size_t to)
{
    CHECK_INT(truncate(world_path(&w, name), (off_t)to), 0);
}

/* The beginning of the first group, as a crash leaves it: there is no log. */
static void no_entry(void)
{
    size_t n;
    make();
    char *bytes = world_read(world_path(&w, FIRST), &n);
    size_t header = (size_t)(strchr(bytes, '\n') - bytes) + 1;
    char *init = strchr(bytes + header, '\n') + 1;
    const size_t lengths[] = {header, header + 10, (size_t)(init - bytes),
                              (size_t)(init - bytes) + 10};
    free(bytes);
    world_drop_store(&w);
    for (int i = 3; i >= 0; i--) {
        cut(FIRST, lengths[i]);
        for (int dry_run = 1; dry_run >= 0; dry_run--) {
            CHECK_INT(REPLAY(.dry_run = dry_run), PLOG_E_NOTHING);
            CHECK_TEXT(err.message, "the log holds no entry");
        }
        CHECK(!world_has(&w, "store.db") && !world_has(&w, "quarantine"));
    }
}

/* The first segment is gone, and no compaction took it. */
static void no_beginning(void)
{
    uint64_t first;
    make();
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    put("4", 30);
    world_close(&w);
    CHECK_INT(unlink(world_path(&w, FIRST)), 0);
    CHECK(REPLAY(.fresh = true, .dry_run = true) != 0);
    int rc = REPLAY(.fresh = true);
    CHECK(rc == PLOG_E_CORRUPT || rc == PLOG_E_PRUNED);
    CHECK_INT(err.code, rc);
    CHECK_UINT(world_size(&w), 11); /* the store is what it was */
    struct plog_rebuild_options o = {.struct_size = sizeof o, .dry_run = true};
    struct plog_rebuild_report b;
    CHECK_INT(plog_rebuild_store(w.dir, NULL, &o, &b, &err), rc);
}

static void damage(void)
{
    size_t n;
    make();
    char *bytes = world_read(world_path(&w, FIRST), &n);
    bytes[n / 2] ^= 1;
    world_write(world_path(&w, FIRST), bytes, n);
    free(bytes);
    for (int dry_run = 1; dry_run >= 0; dry_run--) {
        int rc = REPLAY(.fresh = true, .dry_run = dry_run);
        CHECK(rc == PLOG_E_CORRUPT || rc == PLOG_E_TAMPERED);
        CHECK_INT(err.code, rc);
        CHECK(!world_has(&w, "quarantine"));
        CHECK_UINT(world_size(&w), 10);
    }
    /* Who asks for no words gets the code alone. */
    struct plog_replay_options o = {.struct_size = sizeof o, .fresh = true};
    int rc = plog_replay(w.dir, &o, &r, NULL);
    CHECK(rc == PLOG_E_CORRUPT || rc == PLOG_E_TAMPERED);
    CHECK_UINT(world_size(&w), 10);
}

/* ---- A store that says more than the log ------------------------------------
 */

static void a_store_ahead(void)
{
    static const struct {
        const char *sql;
        int code;
    } all[] = {
        {"SELECT 1", PLOG_E_ROLLBACK},
        /* What it says is not signed by this log. */
        {"UPDATE meta SET sig=zeroblob(64)", 0},
        {"UPDATE meta SET key='00000000'", 0},
        {"UPDATE meta SET origin='another.example/log'", 0},
        {"UPDATE meta SET range=zeroblob(31)", 0},
        {"DELETE FROM meta", 0},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        make();
        size_t n;
        CHECK_INT(world_open(&w), 0);
        size_t end = (size_t)world_number(&w, "SELECT offset FROM meta");
        put("4", 30);
        world_close(&w);
        free(world_read(world_path(&w, FIRST), &n));
        CHECK(end < n);
        cut(FIRST, end);
        world_sql(&w, all[i].sql);
        CHECK_INT(REPLAY(.fresh = true, .dry_run = true), all[i].code);
        CHECK_INT(REPLAY(.fresh = true), all[i].code);
        CHECK_INT(err.code, all[i].code);
        CHECK_INT(world_has(&w, "quarantine"), all[i].code == 0);
        CHECK_INT(r.quarantine[0] != 0, all[i].code == 0);
        if (all[i].code == 0)
            is_clean(10);
        else {
            CHECK_UINT(err.seq, 11);
            CHECK_UINT(world_size(&w), 11);
        }
        world_remove(w.dir);
    }
}

/* ---- What is in the way -----------------------------------------------------
 */

static void no_tables(void)
{
    make();
    world_drop_store(&w);
    world_write(world_path(&w, "store.db"), "", 0);
    CHECK_INT(REPLAY(.dry_run = false), 0);
    CHECK_TEXT(r.quarantine, "");
    CHECK(!world_has(&w, "quarantine"));
    is_clean(10);
}

static void a_wal_alone(void)
{
    static const char *const names[] = {"store.db-wal", "store.db-shm"};
    for (int i = 0; i < 2; i++) {
        make();
        world_drop_store(&w);
        world_write(world_path(&w, names[i]), "x", 1);
        CHECK_INT(REPLAY(.dry_run = false), 0);
        CHECK(strncmp(r.quarantine, "quarantine/", 11) == 0);
        CHECK(world_has(&w, "quarantine"));
        is_clean(10);
    }
}

static const char *failing_name;
static int fails_rename(void *ctx, int a, const char *from, int b,
                        const char *to, bool replace)
{
    if (strcmp(from, failing_name) == 0)
        return -EIO;
    return plog_io_posix()->rename_at(ctx, a, from, b, to, replace);
}
static int fails_stat(void *ctx, int dir, const char *name,
                      struct plog_stat *st)
{
    if (strcmp(name, failing_name) == 0)
        return -EIO;
    return plog_io_posix()->stat_at(ctx, dir, name, st);
}

/* A store that cannot be set aside, or looked for, is not written over. */
static void cannot_be_set_aside(void)
{
    static const char *const names[] = {"store.db", "store.db-wal",
                                        "store.db-shm"};
    for (int i = 0; i < 6; i++) {
        make();
        failing_name = names[i % 3];
        if (i < 3)
            io.rename_at = fails_rename;
        else
            io.stat_at = fails_stat;
        if (!CHECK_INT(REPLAY(.fresh = true), PLOG_E_IO))
            printf("# %d\n", i);
        CHECK_INT(err.code, PLOG_E_IO);
        if (i == 0 || i >= 3)
            CHECK_UINT(world_size(&w), 10);
        io = *plog_io_posix();
        CHECK_INT(REPLAY(.fresh = true), 0);
        is_clean(10);
    }
}

/* ---- Behind a floor ---------------------------------------------------------
 */

/* Floor 11, size 13. */
static void make_compacted(void)
{
    struct plog_compact_options o = {.struct_size = sizeof o};
    struct plog_compact_report c;
    uint64_t first;
    make();
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    put("1", 40);
    world_close(&w);
    CHECK_INT(peers_ack(&w, "p", first - 1), 0);
    CHECK_INT(plog_compact(w.dir, &o, &c, NULL), 0);
    CHECK_UINT(c.to, 11);
}

static int no_lag(void *arg, const struct plog_peer *p)
{
    *(unsigned *)arg += 1;
    CHECK_UINT(p->cursor, 0);
    CHECK(p->lag_seconds == 0);
    CHECK_UINT(p->lag, 11);
    CHECK_UINT(p->lag_bytes, 0); /* none of it is in log/ */
    return 0;
}

static void behind_a_floor(void)
{
    unsigned peers = 0;
    make_compacted();
    for (uint64_t to = 1; to < 11; to += 9) { /* 1, 10 */
        CHECK_INT(REPLAY(.fresh = true, .to = to), PLOG_E_PRUNED);
        CHECK(strstr(err.message, "entries up to 11 were compacted away"));
        CHECK(strstr(err.hint, "at entry 11 or later") != NULL);
        CHECK(!world_has(&w, "quarantine"));
        CHECK_UINT(world_size(&w), 13);
    }
    CHECK_INT(REPLAY(.fresh = true, .dry_run = true), 0);
    CHECK_UINT(r.base, 11);
    CHECK_UINT(r.applied, 2);
    CHECK_UINT(told.first, 12);
    CHECK_TEXT(told.states, "sa"); /* by the strategy that the snapshot has */
    CHECK_TEXT(told.strategy, "keep-local");
    CHECK_INT(REPLAY(.fresh = true, .dry_run = true, .to = 12), 0);
    CHECK_UINT(r.applied, 1);
    CHECK_INT(REPLAY(.fresh = true, .to = 11), 0);
    CHECK_UINT(r.head.size, 11);
    CHECK_INT(plog_peers(w.dir, NULL, no_lag, &peers, NULL), 0);
    CHECK_UINT(peers, 1);
    CHECK_INT(REPLAY(.dry_run = false), 0);
    CHECK_UINT(r.applied, 2);
    is_clean(13);
    CHECK_INT(REPLAY(.fresh = true), 0);
    CHECK_UINT(r.base, 11);
    CHECK_TEXT(told.states, "sa");
    is_clean(13);
}

/* ---- A store in a new place -------------------------------------------------
 */

static int stop_at_once(void *arg, const struct plog_progress *p)
{
    (void)arg;
    CHECK_TEXT(p->phase, "rebuild");
    return 1;
}

static void elsewhere(void)
{
    struct plog_rebuild_report b;
    char out[700], db[720];
    make_compacted();
    snprintf(out, sizeof out, "%.500s-out", w.dir);
    for (int dry_run = 1; dry_run >= 0; dry_run--) {
        struct plog_rebuild_options o = {.struct_size = sizeof o,
                                         .dry_run = dry_run,
                                         .progress = stop_at_once};
        CHECK_INT(plog_rebuild_store(w.dir, out, &o, &b, &err),
                  PLOG_E_INTERRUPTED);
        CHECK_INT(plog_rebuild_store(w.dir, out, &o, &b, NULL),
                  PLOG_E_INTERRUPTED);
        CHECK(access(out, F_OK) != 0);
        o.progress = NULL;
        CHECK_INT(plog_rebuild_store(w.dir, out, &o, &b, NULL), 0);
        CHECK_INT(b.verdict, 0);
        CHECK_UINT(b.head.size, 13);
        CHECK_UINT(b.entries, 13);
        CHECK_UINT(b.missing_from, 0);
        CHECK_INT(access(out, F_OK) == 0, !dry_run);
    }
    /* Half a group at the end is none of it. */
    FILE *f = fopen(world_path(&w, "log/00000000000000000012.jsonl"), "a");
    REQUIRE(f != NULL);
    fputs("{\"seq\":14,", f);
    fclose(f);
    struct plog_rebuild_options o = {.struct_size = sizeof o, .dry_run = true};
    snprintf(db, sizeof db, "%s-torn", out);
    CHECK_INT(plog_rebuild_store(w.dir, db, &o, &b, NULL), 0);
    CHECK_INT(b.verdict, 0);
    CHECK_UINT(b.head.size, 13);
    o.dry_run = false;
    CHECK_INT(plog_rebuild_store(w.dir, db, &o, &b, NULL), 0);
    CHECK_INT(b.verdict, 0);
    CHECK_UINT(b.head.size, 13);
    CHECK_UINT(b.missing_from, 0);
    CHECK_INT(REPLAY(.dry_run = false), 0); /* sets it aside */
    snprintf(db, sizeof db, "%s-torn/store.db", out);
    world_drop_store(&w);
    world_copy(db, world_path(&w, "store.db"));
    is_clean(13);
}

/* Behind damage the last segment has no commit: nobody knows how much there
 * was. */
static void up_to_damage(void)
{
    struct plog_rebuild_report b;
    char out[700], path[700];
    uint64_t first;
    make();
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    put("1", 40);
    world_close(&w);
    world_drop_store(&w);
    snprintf(path, sizeof path, "%s",
             world_path(&w, "log/00000000000000000011.jsonl"));
    world_write(path, "{\"not\":\"a log\"}\n", 16);
    size_t n;
    char *bytes = world_read(world_path(&w, FIRST), &n);
    bytes[n / 2] ^= 1;
    world_write(world_path(&w, FIRST), bytes, n);
    free(bytes);
    snprintf(out, sizeof out, "%.500s-out", w.dir);
    for (int dry_run = 1; dry_run >= 0; dry_run--) {
        struct plog_rebuild_options o = {.struct_size = sizeof o,
                                         .dry_run = dry_run};
        CHECK_INT(plog_rebuild_store(w.dir, out, &o, &b, &err), 0);
        CHECK(b.verdict == PLOG_E_CORRUPT || b.verdict == PLOG_E_TAMPERED);
        if (!CHECK(b.why[0]))
            printf("# dry %d\n", dry_run);
        CHECK(b.head.size > 1 && b.head.size < 10);
        CHECK_UINT(b.missing_from, b.head.size + 1);
        CHECK_UINT(b.missing_to, 0);
    }
}

/* One group of lines that are read ahead in one pass, that are parsed ahead,
 * of which more than there is room for, and whose texts must be decoded. */
static void unusual_lines(void)
{
    enum { MANY = 2400 };
    static const char *const payload[] = {
        "{\"n\":%d}", "{\"deep\":[[[[[[[[[[%d]]]]]]]]]]}", "{\"n\":[%d]}"};
    static const char *const record[] = {"o%d", "d%d", "e\\\"%d"};
    static char text[MANY][260];
    static struct plog_span deltas[MANY];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = deltas, .delta_count = MANY};
    memset(&w, 0, sizeof w);
    told.stop_at = 0;
    io = *plog_io_posix();
    world_make(&w, PLOG_ARRIVAL, 0);
    for (int i = 0; i < MANY; i++) {
        char name[40], value[60];
        snprintf(name, sizeof name, record[i % 3], i % 90);
        snprintf(value, sizeof value, payload[i % 3], i);
        world_text(text[i], sizeof text[i],
                   &(struct world_delta){.record = name, .payload = value});
        deltas[i] = (struct plog_span){text[i], strlen(text[i])};
    }
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
    CHECK_TEXT(world_record(&w, "o87"), "{\"n\":2337} v26");
    CHECK_TEXT(world_record(&w, "d88"),
               "{\"deep\":[[[[[[[[[[2338]]]]]]]]]]} v26");
    CHECK_TEXT(world_record(&w, "e\"89"), "{\"n\":[2339]} v26");
    world_end(&w, MANY + 1);
}

/* ---- What fails -------------------------------------------------------------
 */

static void *failing_alloc(void *ctx, void *p, size_t n)
{
    if (n && left >= 0 && left-- == 0)
        return NULL;
    return plog_io_posix()->alloc(ctx, p, n);
}

/* The old store stays, and the next replay makes a new one. */
static void not_replaced(int rc, int code, uint64_t size)
{
    CHECK_INT(rc, code);
    CHECK_INT(err.code, code);
    CHECK(err.message[0] != '\0');
    CHECK_UINT(world_size(&w), size);
    CHECK(!world_has(&w, "quarantine"));
}

/* A line whose texts must be decoded, and no memory for that. */
static void no_memory_for_a_text(void)
{
    unsigned failed = 0;
    make();
    CHECK_INT(world_open(&w), 0);
    put("e\\\"1", 30);
    world_close(&w);
    arm_at = 10; /* the one before */
    for (allocations = 0; allocations < 4; allocations++) {
        io.alloc = failing_alloc;
        int rc = REPLAY(.fresh = true);
        bool reached = left < 0;
        left = -1;
        failed += reached;
        if (reached)
            not_replaced(rc, PLOG_E_NOMEM, 11);
    }
    arm_at = 0;
    io = *plog_io_posix();
    CHECK(failed > 0);
    CHECK_INT(REPLAY(.fresh = true), 0);
    is_clean(11);
}

static struct {
    const char *call, *text;
    bool failed;
} sql;

static bool sql_fails(const char *call, const char *text, bool busy)
{
    (void)busy;
    if (sql.failed || strcmp(call, sql.call) != 0 ||
        strncmp(text, sql.text, strlen(sql.text)) != 0)
        return false;
    return sql.failed = true;
}

static void sqlite_fails(void)
{
    static const char *const all[][2] = {
        {"exec", "PRAGMA main.cache_size=-6000"},
        {"step", "BEGIN IMMEDIATE"},
        {"step", "INSERT OR REPLACE INTO main.state"},
        {"step", "INSERT OR REPLACE INTO main.meta"},
        {"step", "COMMIT"},
    };
    make();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        sql.call = all[i][0];
        sql.text = all[i][1];
        sql.failed = false;
        sql_calls.fails = sql_fails;
        int rc = REPLAY(.fresh = true);
        sql_calls.fails = NULL;
        if (!CHECK(sql.failed))
            printf("# %s\n", sql.text);
        not_replaced(rc, PLOG_E_IO, 10);
    }
    CHECK_INT(REPLAY(.fresh = true), 0);
    is_clean(10);
}

static bool sql_is_gone(const char *call, const char *text, bool busy)
{
    (void)busy;
    sql.failed |= strcmp(call, "step") == 0 && strncmp(text, "COMMIT", 6) == 0;
    return sql.failed;
}

/* What was applied in vain is not said to be there, also where the store cannot
 * be asked any more. */
static void the_store_is_gone(void)
{
    make();
    unlink(world_path(&w, "store.db-wal")); /* as a power cut might */
    unlink(world_path(&w, "store.db-shm"));
    sql.failed = false;
    sql_calls.fails = sql_is_gone;
    CHECK_INT(REPLAY(.fresh = false), PLOG_E_IO);
    sql_calls.fails = NULL;
    CHECK(sql.failed);
    CHECK_UINT(r.present, 1);
    CHECK_UINT(r.applied, 0);
    CHECK_UINT(r.head.size, 1);
    CHECK_INT(REPLAY(.fresh = false), 0);
    CHECK_UINT(r.applied, 9);
    is_clean(10);
}

/* A copy goes on under a key of its own, and has in orders/ an order about a
 * line that is whole in it again, by a key that its log names further ahead.
 * A store that follows has the line as it was ordered. */
static void by_a_key_further_ahead(void)
{
    static const char first[] = "log/00000000000000000001.jsonl";
    struct plog_rotate_report rotated;
    struct plog_rotate_options ro = {.struct_size = sizeof ro};
    struct plog_redact_report ordered;
    struct plog_restore_report copied;
    struct plog_restore_options o = {
        .struct_size = sizeof o, .at_seq = 14, .continue_as = "test.on"};
    char out[600];
    size_t n;
    memset(&w, 0, sizeof w);
    io = *plog_io_posix();
    world_make(&w, PLOG_ARRIVAL, 4096);
    CHECK_INT(world_put(&w, NULL, "1", "secret", NULL), 0);
    CHECK_INT(plog_key_rotate(w.dir, &ro, &rotated, NULL), 0);
    for (int i = 0; i < 12; i++)
        CHECK_INT(world_put(&w, NULL, "2", "x", NULL), 0);
    world_close(&w);
    char *whole = world_read(world_path(&w, first), &n);
    CHECK_INT(redacting_order(&w, 2, &ordered, &err), 0);
    snprintf(out, sizeof out, "%.500s-on", w.dir);
    CHECK_INT(plog_restore(w.dir, out, &o, &copied, NULL), 0);
    snprintf(w.dir, sizeof w.dir, "%.511s", out);
    world_write(world_path(&w, first), whole, n);
    free(whole);
    CHECK(world_number(&w, "SELECT min(first) FROM segments WHERE first>1") <
          14); /* the first one is whole in the copy */
    for (int made = 0; made < 2; made++) {
        world_drop_store(&w);
        if (made)
            CHECK_INT(REPLAY(.fresh = true, .to = 1, .vkey = copied.vkey), 0);
        CHECK_INT(REPLAY(.vkey = copied.vkey), 0);
        CHECK_UINT(r.head.size, 15);
        CHECK_INT(world_number(&w, "SELECT count(*) FROM events WHERE seq=2 AND"
                                   " line LIKE '%secret%'"),
                  0);
    }
}

static unsigned long syncs, bad_sync;

static int failing_fdatasync(void *ctx, int fd)
{
    return ++syncs == bad_sync ? -EIO : plog_io_posix()->fdatasync(ctx, fd);
}

/* A large store is synced while it is made: when that fails once, pages may be
 * lost that no later sync writes. */
static void synced_on_the_way(void)
{
    enum { LONG = 900000, COUNT = 10 };
    static char payload[LONG + 1], text[COUNT][LONG + 400];
    struct plog_span deltas[COUNT];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = deltas, .delta_count = COUNT};
    make();
    memset(payload, 'x', LONG);
    memcpy(payload, "{\"v\":\"", 6);
    memcpy(payload + LONG - 2, "\"}", 3);
    for (int i = 0; i < COUNT; i++) {
        struct world_delta d = {.record = "long", .payload = payload};
        deltas[i] = plog_span_text(world_text(text[i], sizeof text[i], &d));
    }
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
    put("4", 30); /* behind it */
    world_close(&w);
    io.fdatasync = failing_fdatasync;
    syncs = 0;
    bad_sync = 1;
    not_replaced(REPLAY(.fresh = true), PLOG_E_IO, 21);
    CHECK(strstr(err.message, "syncing the new store") != NULL);
    CHECK_UINT(syncs, 1); /* and not tried again */
    bad_sync = 0;
    CHECK_INT(REPLAY(.fresh = true), 0);
    CHECK(syncs > 1);
    CHECK_UINT(world_size(&w), 21);
    world_remove(w.dir);
}

/* A crash within the first group, or the header before it: the log holds no
 * entry, and the store, which has some, stays. */
static void no_whole_group(void)
{
    struct plog_replay_options alone = {.struct_size = sizeof alone,
                                        .fresh = true};
    size_t n;
    make();
    char *log = world_read(world_path(&w, FIRST), &n);
    size_t header = strcspn(log, "\n") + 1;
    size_t sizes[] = {0, 10, header, header + 10};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        world_write(world_path(&w, FIRST), log, sizes[i]);
        CHECK_INT(REPLAY(.fresh = true), PLOG_E_NOTHING);
        CHECK_TEXT(err.message, "the log holds no entry");
        err.message[0] = '\0'; /* nobody to be told of each entry */
        CHECK_INT(plog_replay(w.dir, &alone, &r, &err), PLOG_E_NOTHING);
        CHECK_TEXT(err.message, "the log holds no entry");
        CHECK_INT(world_number(&w, "SELECT size FROM meta"), 10);
        CHECK(!world_has(&w, "store.new") && !world_has(&w, "quarantine"));
    }
    world_drop_store(&w);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        world_write(world_path(&w, FIRST), log, sizes[i]);
        CHECK_INT(REPLAY(.dry_run = false), PLOG_E_NOTHING);
        CHECK_TEXT(err.message, "the log holds no entry");
        CHECK(!world_has(&w, "store.db"));
    }
    world_write(world_path(&w, FIRST), log, n);
    free(log);
    CHECK_INT(REPLAY(.dry_run = false), 0);
    is_clean(10);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"a plan", a_plan},
        {"up to an entry", up_to_an_entry},
        {"stopped", stopped},
        {"no entry", no_entry},
        {"no beginning", no_beginning},
        {"damage", damage},
        {"a store ahead", a_store_ahead},
        {"no tables", no_tables},
        {"a WAL alone", a_wal_alone},
        {"cannot be set aside", cannot_be_set_aside},
        {"behind a floor", behind_a_floor},
        {"elsewhere", elsewhere},
        {"up to damage", up_to_damage},
        {"unusual lines", unusual_lines},
        {"no memory for a text", no_memory_for_a_text},
        {"sqlite fails", sqlite_fails},
        {"the store is gone", the_store_is_gone},
        {"by a key further ahead", by_a_key_further_ahead},
        {"synced on the way", synced_on_the_way},
        {"no whole group", no_whole_group},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
