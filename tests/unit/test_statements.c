/*
 * test_statements.c - each statement that recovery gives to SQLite fails: once
 * when it is prepared and once when it runs.
 *
 * The operation then says so, or gives what it gives otherwise; no statement
 * and no memory of SQLite lives on; what only reads has changed nothing; what
 * writes completes when it is run again, and both legs are CLEAN.
 *
 * SQLite's syncs are switched off, which another test watches.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "files.h"
#include "paritylog_recovery.h"
#include "peers.h"
#include "sql_calls.h"
#include "world.h"

/* ---- In front of SQLite ---------------------------------------------------
 */

#define CALLS 60000
#define FEW 16

static struct {
    bool on;
    uint64_t keys[CALLS]; /* of the calls of the run at hand */
    size_t calls, fail_at;
    char hit[200];
} watch;

/* Whether the call that is about to be made is the one that fails. */
static bool fails(const char *what, const char *sql, bool busy)
{
    (void)busy;
    sql_calls.failing = false;
    if (!watch.on || watch.calls == CALLS || strcmp(sql, "ROLLBACK") == 0)
        return false;
    uint64_t key = tree_hash_bytes(0, what, strlen(what));
    watch.keys[watch.calls++] = tree_hash_bytes(key, sql, strlen(sql));
    if (watch.calls != watch.fail_at)
        return false;
    snprintf(watch.hit, sizeof watch.hit, "%s: %.150s", what, sql);
    return sql_calls.failing = true;
}

/* ---- The log --------------------------------------------------------------
 */

/* Compacted once, and more would go: controls, records of all sorts, a cursor,
 * a redacted entry and ids below the floor and above it. */
static struct world base, w;
static char out[600];
static struct plog_io quick;
static uint64_t told, size; /* what was given out; of the log */

static int no_sync(void *ctx, int fd)
{
    (void)ctx, (void)fd;
    return 0;
}

static void put(int i, const char *record, const char *op, const char *payload)
{
    char text[500], time[40], id[16];
    snprintf(time, sizeof time, "2026-01-02T03:%02d:05Z", i);
    snprintf(id, sizeof id, "i%d", i);
    struct world_delta d = {
        .id = id, .record = record, .op = op, .payload = payload, .time = time};
    CHECK_INT(
        world_append(&base, world_text(text, sizeof text, &d), NULL, NULL), 0);
}

/* One stretch of it: what a snapshot can hold, and a peer that has it all. */
static void stretch(int i)
{
    struct plog_cursor c = {{"src", 3}, {"*", 1}, {"page", 4}};
    struct plog_group g = {
        .struct_size = sizeof g, .cursors = &c, .cursor_count = 1};
    struct plog_redact_options why = {
        .struct_size = sizeof why, .io = &quick, .reason = "a test"};
    struct plog_redact_report redacted;
    uint64_t first;
    put(i, "1", "upsert", "{\"a\":1}");
    put(i + 1, "1", "upsert", "{\"b\":2}");
    put(i + 2, "2", "upsert", "{\"c\":3}");
    put(i + 3, "3", "upsert", "{\"d\":3}");
    put(i + 4, "3", "delete", "null");
    CHECK_INT(plog_append_group(base.p, &g, NULL, NULL), 0);
    size = world_size(&base);
    world_close(&base);
    CHECK_INT(plog_redact(base.dir, size - 2, &why, &redacted, NULL), 0);
    if (i < 9)
        CHECK_INT(peers_add(&base, "p"), 0);
    CHECK_INT(world_open(&base), 0);
    CHECK_INT(plog_new_segment(base.p, &first, NULL), 0);
    put(i + 5, "4", "upsert", "{}");
    world_close(&base);
    CHECK_INT(peers_ack(&base, "p", first - 1), 0);
    CHECK_INT(world_open(&base), 0);
}

static void make(void)
{
    struct plog_compact_options o = {.struct_size = sizeof o, .io = &quick};
    struct plog_compact_report r = {.to = 0};
    if (base.dir[0])
        return;
    sql_calls.fails = fails;
    sql_calls.no_sync = true;
    quick = *plog_io_posix();
    quick.fsync = quick.fdatasync = no_sync;
    world_make(&base, PLOG_MERGE_JSON, 0);
    stretch(1);
    world_close(&base);
    CHECK_INT(plog_compact(base.dir, &o, &r, NULL), 0);
    CHECK(r.to > 0);
    CHECK_INT(world_open(&base), 0);
    stretch(20);
    world_close(&base);
    size = world_size(&base);
    snprintf(w.dir, sizeof w.dir, "%.400s-copy", base.dir);
    snprintf(out, sizeof out, "%.500s-out", base.dir);
}

static void tell(const void *p, size_t n)
{
    told = tree_hash_bytes(told, p, n);
}

static void tell_number(uint64_t n)
{
    tell(&n, sizeof n);
}

/* ---- The operations --------------------------------------------------------
 */

static struct plog_error err;

static int tell_peer(void *arg, const struct plog_peer *p)
{
    (void)arg;
    tell(p->name.p, p->name.n);
    tell_number(p->cursor);
    tell_number(p->lag_bytes);
    return 0;
}

static int peers(void)
{
    struct plog_options o = {.struct_size = sizeof o, .io = &quick};
    return plog_peers(w.dir, &o, tell_peer, NULL, &err);
}

static int tell_redaction(void *arg, const struct plog_redaction *r)
{
    (void)arg;
    tell_number(r->seq);
    tell(r->reason.p, r->reason.n);
    return 0;
}

static int redactions(void)
{
    struct plog_options o = {.struct_size = sizeof o, .io = &quick};
    return plog_redactions(w.dir, &o, tell_redaction, NULL, &err);
}

/* Of a record with later entries, which are looked at. */
static int redact_dry(void)
{
    struct plog_redact_options o = {.struct_size = sizeof o,
                                    .io = &quick,
                                    .reason = "a test",
                                    .dry_run = true};
    struct plog_redact_report r;
    int rc = plog_redact(w.dir, size - 7, &o, &r, &err);
    tell_number(r.merged);
    return rc;
}

static int rebuild(bool log, bool dry_run)
{
    struct plog_rebuild_options o = {
        .struct_size = sizeof o, .io = &quick, .dry_run = dry_run};
    struct plog_rebuild_report r;
    int rc = log ? plog_rebuild_log(w.dir, out, &o, &r, &err)
                 : plog_rebuild_store(w.dir, out, &o, &r, &err);
    if (rc == 0 && r.verdict)
        rc = r.verdict;
    tell_number(r.head.size);
    tell_number(r.segments);
    return rc;
}

static int rebuild_log_dry(void)
{
    return rebuild(true, true);
}
static int rebuild_log(void)
{
    return rebuild(true, false);
}
static int rebuild_store(void)
{
    return rebuild(false, false);
}

static int drill(void)
{
    struct plog_drill_options o = {.struct_size = sizeof o, .io = &quick};
    struct plog_drill_report r;
    int rc = plog_drill(w.dir, &o, &r, &err);
    return rc == 0 && r.verdict ? r.verdict : rc;
}

static int salvage(void)
{
    struct plog_salvage_options o = {
        .struct_size = sizeof o, .io = &quick, .from_store = true};
    struct plog_salvage_report r;
    int rc = plog_salvage(w.dir, &o, &r, &err);
    return rc == 0 && r.verdict ? r.verdict : rc;
}

static int replay_fresh(void)
{
    struct plog_replay_options o = {
        .struct_size = sizeof o, .io = &quick, .fresh = true};
    struct plog_replay_report r;
    return plog_replay(w.dir, &o, &r, &err);
}

static int peer_ack(void)
{
    struct plog_peer_options o = {.struct_size = sizeof o, .io = &quick};
    struct plog_peer_report r;
    return plog_peer_ack(w.dir, "p", size, NULL, &o, &r, &err);
}

static int peer_rewind(void)
{
    struct plog_peer_options o = {.struct_size = sizeof o, .io = &quick};
    struct plog_peer_report r;
    int rc = plog_peer_rewind(w.dir, "p", size - 3, &o, &r, &err);
    /* Of one that was logged, and failed then, it is so when asked again. */
    return rc == PLOG_E_INPUT && r.before == size - 3 ? 0 : rc;
}

static int compact(void)
{
    struct plog_compact_options o = {
        .struct_size = sizeof o, .io = &quick, .trim_store = true};
    struct plog_compact_report r;
    return plog_compact(w.dir, &o, &r, &err);
}

/* ---- Failing ---------------------------------------------------------------
 */

struct op {
    const char *name;
    int (*run)(void);
    bool reads;
};

/* Runs it with that call failing; 0: none. */
static int run_at(const struct op *op, size_t fail_at)
{
    sqlite3_int64 memory = sqlite3_memory_used();
    memset(&err, 0, sizeof err);
    told = 0;
    watch.hit[0] = '\0';
    watch.calls = 0;
    watch.fail_at = fail_at;
    watch.on = true;
    int rc = op->run();
    watch.on = sql_calls.failing = false;
    if (!CHECK_INT(sqlite3_memory_used(), memory))
        printf("# %s, %s\n", op->name, watch.hit);
    return rc;
}

static void judge(const struct op *op, int rc, uint64_t expected)
{
    struct world_found f;
    bool fine = rc == 0 || rc == PLOG_E_IO || rc == PLOG_E_INDETERMINATE;
    if (!CHECK(fine) || !CHECK_INT(err.code, rc) ||
        !CHECK(!rc || err.message[0]))
        printf("# %s, %s: %d %s\n", op->name, watch.hit, rc, err.message);
    if (rc == 0 && op->reads && !CHECK_UINT(told, expected))
        printf("# %s, %s: returned 0\n", op->name, watch.hit);
    if (op->reads)
        return;
    if (rc && !CHECK_INT(run_at(op, 0), 0))
        printf("# %s, once more: %s\n", op->name, err.message);
    CHECK_INT(world_parity(&w, NULL, &f), 0);
}

/* Each call the first time that it is made, and the last; of an operation that
 * writes, only a few of these. */
static size_t chosen(const uint64_t *keys, size_t count, bool reads, size_t *at)
{
    size_t n = 0, lasts = 0;
    for (size_t i = 0; i < count; i++) {
        bool first = true, last = true;
        for (size_t j = 0; j < i && first; j++)
            first = keys[j] != keys[i];
        for (size_t j = i + 1; j < count && last; j++)
            last = keys[j] != keys[i];
        if (first || (last && (reads || lasts++ < FEW)))
            at[n++] = i + 1;
    }
    return n;
}

static void begin_at(const struct op *op)
{
    static bool there;
    if (there && op->reads)
        return;
    if (access(w.dir, F_OK) == 0)
        tree_remove(w.dir);
    if (access(out, F_OK) == 0)
        world_remove(out);
    tree_copy(base.dir, w.dir);
    there = op->reads;
}

static void fail_each(const struct op *op)
{
    static size_t at[CALLS];
    make();
    begin_at(op);
    if (!CHECK_INT(run_at(op, 0), 0))
        printf("# %s: %s\n", op->name, err.message);
    uint64_t expected = told;
    size_t n = chosen(watch.keys, watch.calls, op->reads, at);
    CHECK(n > 5 && watch.calls < CALLS);
    unsigned said = 0;
    for (size_t i = 0; i < n && !check_failing(); i++) {
        begin_at(op);
        int rc = run_at(op, at[i]);
        said += rc != 0;
        judge(op, rc, expected);
    }
    CHECK(said > n / 4);
    printf("# %s: %zu of %zu calls, %u said\n", op->name, n, watch.calls, said);
}

#define OP(name, reads)                                                        \
    static void fail_##name(void)                                              \
    {                                                                          \
        fail_each(&(struct op){#name, name, reads});                           \
    }
OP(peers, true)
OP(redactions, true)
OP(redact_dry, true)
OP(rebuild_log_dry, true)
OP(rebuild_log, false)
OP(rebuild_store, false)
OP(drill, false)
OP(salvage, false)
OP(replay_fresh, false)
OP(peer_ack, false)
OP(peer_rewind, false)
OP(compact, false)

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"peers", fail_peers},
        {"redactions", fail_redactions},
        {"redact, dry run", fail_redact_dry},
        {"rebuild log, dry run", fail_rebuild_log_dry},
        {"rebuild log", fail_rebuild_log},
        {"rebuild store", fail_rebuild_store},
        {"drill", fail_drill},
        {"salvage", fail_salvage},
        {"replay fresh", fail_replay_fresh},
        {"peer ack", fail_peer_ack},
        {"peer rewind", fail_peer_rewind},
        {"compact", fail_compact},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
