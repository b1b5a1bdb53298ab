/*
 * test_midway.c - the calls, allocations and statements of a part of an
 * operation fail, one at a time.
 *
 * A part begins at a moment: SQLite is given a certain text, or the table a
 * certain name.  The n-th call behind it fails, for each n of the part, or
 * until the operation comes through.  What must hold then: the code is that of
 * the fault, with a text; no memory and no handle of the table lives on;
 * nothing has changed, or all has.  (sweeping.h does the same with whole
 * operations, on larger logs.)
 *
 * Nothing is synced here: whether it would be is watched elsewhere.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "failing.h"
#include "peers.h"
#include "sql_calls.h"
#include "world.h"

static bool midway; /* else another test runs, linked into one with this */

static int sync_or_not(const char *name, int fd)
{
    int (*real)(int);
    if (midway)
        return 0;
    void *found = dlsym(RTLD_NEXT, name);
    memcpy(&real, &found, sizeof real);
    return real(fd);
}

int fsync(int fd)
{
    return sync_or_not("fsync", fd);
}

int fdatasync(int fd)
{
    return sync_or_not("fdatasync", fd);
}

/* ---- A moment ------------------------------------------------------------ */

enum kind { CALLS, ALLOCATIONS, STATEMENTS };

static const char *const kind_names[] = {"call", "allocation", "statement"};

static struct plog_io io; /* that of failing.h, listened to */

static struct {
    /* A part of a call and a name, or of a text for SQLite, and how often that
     * comes before it counts; NULL: the beginning. */
    const char *from;
    unsigned skip;
    enum kind kind;
    unsigned long nth, statements;
    bool on, begun, failed;
    char text[200]; /* the statement that failed */
} moment;

static void start(void)
{
    moment.begun = true;
    if (moment.kind != STATEMENTS)
        failing_go();
}

static void meets(const char *call, const char *name)
{
    char text[300];
    snprintf(text, sizeof text, "%s %.250s", call, name);
    if (!moment.on || moment.begun || !strstr(text, moment.from))
        return;
    if (moment.skip == 0)
        start();
    else
        moment.skip--;
}

static bool statement_fails(const char *call, const char *sql, bool busy)
{
    (void)busy;
    sql_calls.failing = false;
    meets(call, sql);
    if (!moment.on || !moment.begun || moment.kind != STATEMENTS ||
        strcmp(sql, "ROLLBACK") == 0 || ++moment.statements != moment.nth)
        return false;
    snprintf(moment.text, sizeof moment.text, "%s: %.150s", call, sql);
    return sql_calls.failing = moment.failed = true;
}

static int meets_open(void *ctx, int dir, const char *name, int flags,
                      uint32_t mode)
{
    meets("open", name);
    return failing_io()->open_at(ctx, dir, name, flags, mode);
}

static int meets_rename(void *ctx, int a, const char *from, int b,
                        const char *to, bool replace)
{
    int rc = failing_io()->rename_at(ctx, a, from, b, to, replace);
    meets("rename", to);
    return rc;
}

static int meets_stat(void *ctx, int dir, const char *name,
                      struct plog_stat *st)
{
    meets("stat", name);
    return failing_io()->stat_at(ctx, dir, name, st);
}

static int meets_random(void *ctx, void *p, size_t n)
{
    meets("random", "");
    return failing_io()->random(ctx, p, n);
}

static void arm(const char *from, unsigned skip, enum kind kind,
                unsigned long nth)
{
    io = *failing_io();
    io.open_at = meets_open;
    io.rename_at = meets_rename;
    io.stat_at = meets_stat;
    io.random = meets_random;
    sql_calls.fails = statement_fails;
    memset(&moment, 0, sizeof moment);
    moment.from = from ? from : "";
    moment.skip = skip;
    moment.kind = kind;
    moment.nth = nth;
    failing_start(kind == ALLOCATIONS ? FAILING_ALLOC : FAILING_IO, nth, false);
    moment.on = true;
    if (!from)
        start();
}

/* Whether something failed. */
static bool disarm(void)
{
    failing_stop();
    moment.on = sql_calls.failing = false;
    return moment.failed || failing_reached();
}

/* ---- A part -------------------------------------------------------------- */

static struct plog_error err;

struct part {
    const char *from;
    unsigned skip;
    int (*run)(void);
    void (*judge)(int rc); /* what must hold of the files then */
    enum kind kind;
    unsigned long first, last; /* of the calls behind the moment; 0: all */
};

static bool is_of_the_fault(int rc, enum kind kind)
{
    return rc == PLOG_E_INDETERMINATE || rc == PLOG_E_IO ||
           (kind == ALLOCATIONS && rc == PLOG_E_NOMEM);
}

static void part(const struct part *p)
{
    enum kind kind = p->kind;
    unsigned long n, refused = 0;
    unsigned long last = p->last ? p->last : 1000;
    bool again = true;
    for (n = p->first; again && n <= last; n++) {
        struct failing_live before = failing_live();
        memset(&err, 0, sizeof err);
        arm(p->from, p->skip, kind, n);
        int rc = p->run();
        again = disarm();
        bool fits = CHECK(moment.begun);
        fits &= CHECK_INT(err.code, rc);
        fits &= CHECK((rc == 0) == (err.message[0] == '\0'));
        fits &= CHECK(rc == 0 || is_of_the_fault(rc, kind));
        fits &= CHECK(rc == 0 || again);
        fits &= CHECK_INT(failing_live().table, before.table);
        fits &= CHECK_INT(failing_live().handles, before.handles);
        if (!fits)
            printf("# %s %lu, %s: %d, %s\n", kind_names[kind], n,
                   kind == STATEMENTS ? moment.text : failing_hit(), rc,
                   err.message);
        refused += rc != 0;
        p->judge(rc);
    }
    CHECK(refused > 0);
    CHECK(p->last || !again);
    printf("# %s behind %s: %lu, %lu refused\n", kind_names[kind],
           p->from ? p->from : "the beginning", n - p->first, refused);
}

/* ---- The log ------------------------------------------------------------- */

static struct world w;
static char kept[600], out[600];
static uint64_t before; /* the floor, or the size */

/* Two records of two resources each, with and without ids. */
static void put(int from, int to)
{
    char text[400], id[24];
    for (int i = from; i < to; i++) {
        snprintf(id, sizeof id, "\"id\":\"i%d\",", i);
        snprintf(text, sizeof text,
                 "{%s\"resource\":\"%s\",\"record_id\":\"%d\",\"op\":\"upsert\""
                 ",\"payload\":{\"v%d\":%d},\"occurred_at\":"
                 "\"2026-01-02T03:%02d:05Z\",\"provenance\":{\"source\":\"s\","
                 "\"confidence\":0.5}}",
                 i % 3 ? id : "", i % 2 ? "odd" : "even", i % 4, i % 4, i, i);
        CHECK_INT(world_append(&w, text, NULL, NULL), 0);
    }
}

#define PEER                                                                   \
    "a name that the buffer has no room for together with the hash behind it"

/* The peer has all but the last entries, and names their root. */
static void go_on(int from)
{
    struct plog_head h;
    struct plog_peer_report r;
    uint64_t first;
    CHECK_INT(world_open(&w), 0);
    put(from, from + 8);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    CHECK_INT(plog_get_head(w.p, &h, NULL), 0);
    put(from + 8, from + 10);
    world_close(&w);
    CHECK_INT(plog_peer_ack(w.dir, PEER, h.size, h.root, NULL, &r, NULL), 0);
}

static void make(void)
{
    struct plog_rotate_options o = {.struct_size = sizeof o};
    struct plog_rotate_report r;
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_MERGE_JSON, 0);
    world_close(&w);
    CHECK_INT(plog_key_rotate(w.dir, &o, &r, NULL), 0);
    CHECK_INT(peers_add(&w, PEER), 0);
    go_on(0);
    snprintf(out, sizeof out, "%.500s-out", w.dir);
}

static void keep(void)
{
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    world_remove(kept);
    world_copy(w.dir, kept);
}

static void put_back(void)
{
    world_remove(w.dir);
    world_copy(kept, w.dir);
}

/* ---- Compacting ---------------------------------------------------------- */

static int compact(void)
{
    struct plog_compact_options o = {
        .struct_size = sizeof o, .io = &io, .wait_seconds = 0.05};
    struct plog_compact_report r;
    return plog_compact(w.dir, &o, &r, &err);
}

static void floor_moves_or_not(int rc)
{
    uint64_t now = peers_floor(&w);
    CHECK(rc != 0 || now > before);
    if (now == before)
        return;
    CHECK_INT(peers_parity(&w), 0);
    put_back();
}

#define COMPACT(from_, skip_, kind_, first_, last_)                            \
    {                                                                          \
        .from = from_, .skip = skip_, .run = compact,                          \
        .judge = floor_moves_or_not, .kind = kind_, .first = first_,           \
        .last = last_                                                          \
    }

/* On nothing, and on a snapshot. */
static void compacting(void)
{
    static const struct part first[] = {
        COMPACT("open snapshots", 0, CALLS, 1, 5),
        COMPACT("cache_size=-4000", 0, STATEMENTS, 1, 1),
        COMPACT("fold.lines", 0, ALLOCATIONS, 41, 52),
        COMPACT(".gz.new", 0, CALLS, 1, 12),
        COMPACT(".gz.new", 0, ALLOCATIONS, 7, 24),
        COMPACT("ORDER BY cursor,name", 3, ALLOCATIONS, 1, 8),
    };
    static const struct part second[] = {
        COMPACT("fold.lines", 0, STATEMENTS, 20, 24),
        COMPACT(".gz.new", 0, ALLOCATIONS, 21, 25),
    };
    make();
    before = 0;
    keep();
    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
        part(&first[i]);
    CHECK_INT(peers_compact(&w, NULL), 0);
    go_on(10);
    before = peers_floor(&w);
    CHECK(before > 0);
    keep();
    for (size_t i = 0; i < sizeof second / sizeof *second; i++)
        part(&second[i]);
    CHECK_INT(peers_compact(&w, NULL), 0);
    CHECK_INT(peers_parity(&w), 0);
}

/* ---- Undoing, mending ---------------------------------------------------- */

static bool rehearses;

static int undo(void)
{
    struct plog_compact_options o = {.struct_size = sizeof o,
                                     .io = &io,
                                     .undo = true,
                                     .dry_run = rehearses,
                                     .wait_seconds = 0.05};
    struct plog_compact_report r;
    return plog_compact(w.dir, &o, &r, &err);
}

/* The floor stays, and so does the archive. */
static void nothing_came_back(int rc)
{
    CHECK(rc != 0 || rehearses);
    CHECK_UINT(peers_floor(&w), before);
    CHECK(world_has(&w, "archive/00000000000000000001.jsonl.gz"));
    CHECK(!world_has(&w, "log/00000000000000000001.jsonl"));
}

static void undoing(void)
{
    static const struct part look = {.from = "main.compactions",
                                     .skip = 2,
                                     .run = undo,
                                     .judge = nothing_came_back,
                                     .kind = ALLOCATIONS,
                                     .first = 1};
    static const struct part verify = {.from =
                                           "rename 00000000000000000001.jsonl",
                                       .run = undo,
                                       .judge = nothing_came_back,
                                       .kind = ALLOCATIONS,
                                       .first = 1,
                                       .last = 3};
    make();
    CHECK_INT(peers_compact(&w, NULL), 0);
    before = peers_floor(&w);
    rehearses = true;
    part(&look);
    rehearses = false;
    part(&verify);
    CHECK_INT(peers_undo(&w, NULL), 0);
    CHECK_UINT(peers_floor(&w), 0);
    CHECK_INT(peers_parity(&w), 0);
}

static int trim(void)
{
    struct plog_compact_options o = {
        .struct_size = sizeof o, .io = &io, .trim_store = true};
    struct plog_compact_report r;
    return plog_compact(w.dir, &o, &r, &err);
}

static void nothing_is_dropped(int rc)
{
    CHECK(rc != 0);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM events"), (int)before);
}

static void trimming(void)
{
    static const struct part p = {
        .from = "prepare SELECT seq,pending FROM main.compactions",
        .skip = 1,
        .run = trim,
        .judge = nothing_is_dropped,
        .kind = STATEMENTS,
        .first = 1,
        .last = 3};
    make();
    CHECK_INT(peers_compact(&w, NULL), 0);
    before = world_size(&w);
    part(&p);
    CHECK_INT(peers_trim(&w, NULL), 0);
    CHECK_INT(peers_parity(&w), 0);
}

static char snapshot[100];

/* It is as it was, or in quarantine/, or made anew. */
static void is_mended_or_not(int rc)
{
    struct plog_compact_report r;
    CHECK_UINT(peers_floor(&w), before);
    if (rc)
        CHECK_INT(peers_compact(&w, &r), 0);
    CHECK(world_has(&w, snapshot));
    world_write(world_path(&w, snapshot), "damaged", 7);
}

static void mending(void)
{
    static const struct part p = {.from = "snapshots",
                                  .run = compact,
                                  .judge = is_mended_or_not,
                                  .kind = CALLS,
                                  .first = 1,
                                  .last = 14};
    struct plog_compact_report r;
    make();
    CHECK_INT(peers_compact(&w, &r), 0);
    snprintf(snapshot, sizeof snapshot, "%s", r.snapshot);
    before = peers_floor(&w);
    world_write(world_path(&w, snapshot), "damaged", 7);
    part(&p);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK(r.remade);
    CHECK_INT(peers_parity(&w), 0);
}

/* ---- Peers --------------------------------------------------------------- */

static int add_peer(void)
{
    struct plog_peer_options o = {
        .struct_size = sizeof o, .io = &io, .dry_run = rehearses};
    struct plog_peer_report r;
    return plog_peer_add(w.dir, "q", &o, &r, &err);
}

static int evict_peer(void)
{
    struct plog_peer_options o = {.struct_size = sizeof o,
                                  .io = &io,
                                  .reason = "a test",
                                  .dry_run = rehearses};
    struct plog_peer_report r;
    return plog_peer_evict(w.dir, PEER, &o, &r, &err);
}

static void no_peer_changes(int rc)
{
    (void)rc;
    CHECK_UINT(world_size(&w), before);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM peers"), 1);
}

static void changing_peers(void)
{
#define ROW "SELECT cursor,root FROM main.peers"
    static const struct part all[] = {
        {NULL, 0, add_peer, no_peer_changes, ALLOCATIONS, 1, 3},
        {ROW, 0, add_peer, no_peer_changes, STATEMENTS, 1, 2},
        {ROW, 0, add_peer, no_peer_changes, ALLOCATIONS, 1, 0},
        {ROW, 0, evict_peer, no_peer_changes, STATEMENTS, 1, 2},
        {ROW, 0, evict_peer, no_peer_changes, ALLOCATIONS, 1, 0},
    };
    make();
    before = world_size(&w);
    rehearses = true;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        part(&all[i]);
    rehearses = false;
    CHECK_INT(add_peer(), 0);
    CHECK_INT(evict_peer(), 0);
    CHECK_INT(peers_parity(&w), 0);
}

/* ---- Copies -------------------------------------------------------------- */

static uint64_t at;

static int restore(void)
{
    struct plog_restore_options o = {.struct_size = sizeof o,
                                     .io = &io,
                                     .at_seq = at,
                                     .continue_as =
                                         at ? NULL : "test.example/other",
                                     .dry_run = rehearses};
    struct plog_restore_report r;
    return plog_restore(w.dir, out, &o, &r, &err);
}

/* It is there whole, or not at all; the log that it comes from is as it was. */
static void is_there_whole(int rc)
{
    struct world copy = w;
    struct stat st;
    bool there = stat(out, &st) == 0;
    CHECK_INT(there, rc == 0 && !rehearses);
    CHECK_UINT(world_size(&w), before);
    if (!there)
        return;
    snprintf(copy.dir, sizeof copy.dir, "%.500s", out);
    CHECK_INT(peers_parity(&copy), 0);
    world_remove(out);
}

/* Under a name of its own: from the key on that is made for it. */
static void restoring_to_go_on(void)
{
    static const struct part all[] = {
        {"random", 1, restore, is_there_whole, CALLS, 1, 16},
        {"random", 1, restore, is_there_whole, ALLOCATIONS, 1, 12},
    };
    make();
    before = world_size(&w);
    at = 0;
    rehearses = false;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        part(&all[i]);
    CHECK_INT(restore(), 0);
    is_there_whole(0);
}

/* Between the floor and the entry that sets it, which then comes along. */
static void restoring_below_the_compact_entry(void)
{
    static const struct part p = {NULL,        0,  restore, is_there_whole,
                                  ALLOCATIONS, 51, 0};
    make();
    at = world_size(&w);
    CHECK_INT(peers_compact(&w, NULL), 0);
    before = world_size(&w);
    CHECK(before == at + 1 && peers_floor(&w) < at);
    rehearses = true;
    part(&p);
    rehearses = false;
    CHECK_INT(restore(), 0);
    is_there_whole(0);
}

/* And below an order to redact behind that: the two come along, or nothing is
 * there. */
static void restoring_below_two_orders(void)
{
    static const struct part p = {NULL,        0,  restore, is_there_whole,
                                  ALLOCATIONS, 51, 0};
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "x"};
    struct plog_redact_report r;
    make();
    at = world_size(&w);
    CHECK_INT(peers_compact(&w, NULL), 0);
    CHECK_INT(plog_redact(w.dir, at - 1, &o, &r, NULL), 0);
    before = world_size(&w);
    CHECK(before == at + 2 && peers_floor(&w) < at - 1);
    part(&p);
    CHECK_INT(restore(), 0);
    is_there_whole(0);
}

static int rebuild_log(void)
{
    struct plog_rebuild_options o = {
        .struct_size = sizeof o, .io = &io, .dry_run = rehearses};
    struct plog_rebuild_report r;
    int rc = plog_rebuild_log(w.dir, out, &o, &r, &err);
    CHECK_INT(r.verdict, 0);
    return rc;
}

static int rebuild_store(void)
{
    struct plog_rebuild_options o = {
        .struct_size = sizeof o, .io = &io, .dry_run = rehearses};
    struct plog_rebuild_report r;
    int rc = plog_rebuild_store(w.dir, out, &o, &r, &err);
    CHECK_INT(r.verdict, 0);
    return rc;
}

static void nothing_changes(int rc)
{
    struct stat st;
    (void)rc;
    CHECK(stat(out, &st) != 0);
    CHECK_UINT(world_size(&w), before);
}

/* A snapshot that cannot be read now is no missing one. */
static void rebuilding(void)
{
    static const struct part whole[] = {
        {"open snapshots", 0, rebuild_log, nothing_changes, CALLS, 1, 3},
        {NULL, 0, rebuild_store, nothing_changes, CALLS, 110, 0},
    };
    static const struct part trimmed = {"SELECT line FROM main.checkpoints",
                                        0,
                                        rebuild_log,
                                        nothing_changes,
                                        ALLOCATIONS,
                                        53,
                                        0};
    make();
    CHECK_INT(peers_compact(&w, NULL), 0);
    before = world_size(&w);
    rehearses = true;
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        part(&whole[i]);
    CHECK_INT(peers_trim(&w, NULL), 0);
    part(&trimmed);
}

/* ---- The store anew ------------------------------------------------------ */

static bool fresh;

static int replay(void)
{
    struct plog_replay_options o = {.struct_size = sizeof o,
                                    .io = &io,
                                    .fresh = fresh,
                                    .dry_run = rehearses};
    struct plog_replay_report r;
    return plog_replay(w.dir, &o, &r, &err);
}

static void has_a_store(int rc)
{
    CHECK(rc == 0 || !world_has(&w, "store.new/store.db"));
    CHECK(world_has(&w, "store.db") || rc);
    if (world_has(&w, "store.db"))
        CHECK_UINT(world_size(&w), before);
    else
        put_back();
}

/* The old store stays until the new one is whole. */
static void replaying(void)
{
    static const struct part all[] = {
        {"main.meta", 0, replay, has_a_store, ALLOCATIONS, 1, 20},
        {"store.new", 0, replay, has_a_store, CALLS, 1, 30},
        {"open store.db", 1, replay, has_a_store, CALLS, 1, 1},
        {"stat store.db-wal", 1, replay, has_a_store, CALLS, 1, 2},
        {"journal_mode=WAL", 4, replay, has_a_store, STATEMENTS, 1, 2},
        {"step INSERT INTO main.events", 0, replay, has_a_store, STATEMENTS, 3,
         7},
        {"store.db-wal", 2, replay, has_a_store, CALLS, 1, 4},
    };
    make();
    CHECK_INT(peers_compact(&w, NULL), 0);
    before = world_size(&w);
    keep();
    fresh = true;
    rehearses = false;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        part(&all[i]);
    CHECK_INT(peers_parity(&w), 0);
}

static void has_no_store(int rc)
{
    if (rc == 0 && !rehearses)
        CHECK_INT(peers_parity(&w), 0);
    world_drop_store(&w);
}

static void replaying_from_nothing(void)
{
    static const struct part seen = {NULL,        0,  replay, has_no_store,
                                     ALLOCATIONS, 21, 30};
    static const struct part made = {"store.db", 1, replay, has_no_store,
                                     CALLS,      1, 6};
    make();
    CHECK_INT(peers_compact(&w, NULL), 0);
    has_no_store(1);
    fresh = false;
    rehearses = true;
    part(&seen);
    rehearses = false;
    part(&made);
    CHECK_INT(replay(), 0);
    CHECK_INT(peers_parity(&w), 0);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"compacting", compacting},
        {"undoing", undoing},
        {"trimming", trimming},
        {"mending", mending},
        {"changing peers", changing_peers},
        {"restoring to go on", restoring_to_go_on},
        {"restoring below the compact entry",
         restoring_below_the_compact_entry},
        {"restoring below two orders", restoring_below_two_orders},
        {"rebuilding", rebuilding},
        {"replaying", replaying},
        {"replaying from nothing", replaying_from_nothing},
    };
    midway = true;
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
