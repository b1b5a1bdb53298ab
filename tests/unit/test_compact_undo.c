/*
 * test_compact_undo.c - the floor goes back by one step: undone, undone and cut
 * off, a store that a crash left behind the compact entry, and what cannot be
 * undone.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "files.h"
#include "peers.h"
#include "sql_calls.h"
#include "world.h"

/* Nothing is undone, and why. */
static void refuses(const struct world *w, const char *why)
{
    struct plog_compact_options o = {.struct_size = sizeof o, .undo = true};
    struct plog_compact_report r;
    struct plog_error err = {0};
    char want[200];
    uint64_t floor = peers_floor(w);
    snprintf(want, sizeof want, "there is no compaction to undo: %s", why);
    CHECK_INT(plog_compact(w->dir, &o, &r, &err), PLOG_E_INPUT);
    CHECK_INT(err.code, PLOG_E_INPUT);
    CHECK_TEXT(err.message, want);
    CHECK_TEXT(err.hint, "run: paritylog status DIR");
    CHECK(!r.undone);
    CHECK_UINT(peers_floor(w), floor);
}

static const char none[] = "the last one archived nothing, or was undone";

static void undone(void)
{
    struct world w;
    struct plog_compact_report r;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 60);
    CHECK_INT(peers_add(&w, "p"), 0);
    refuses(&w, none);
    CHECK_INT(peers_ack(&w, "p", 25), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    uint64_t first = r.to;
    CHECK_INT(peers_ack(&w, "p", 50), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK_INT(peers_undo(&w, &r), 0);
    CHECK(r.undone);
    CHECK_UINT(peers_floor(&w), first);
    CHECK_INT(peers_parity(&w), 0);
    refuses(&w, none); /* one step */
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK(r.to > first);
    CHECK_INT(peers_trim(&w, &r), 0);
    CHECK_INT(peers_undo(&w, &r), 0); /* the store comes anew from the log */
    CHECK_UINT(peers_floor(&w), first);
    CHECK_INT(peers_parity(&w), 0);
    world_end(&w, world_size(&w));
}

/* A store that is made anew lacks the tables that are not ours: where they are
 * is said. */
static void where_own_tables_went(void)
{
    struct world w;
    struct plog_compact_report r;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 60);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 50), 0);
    world_sql(&w, "CREATE TABLE mine(n); INSERT INTO mine VALUES(1)");
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK_INT(peers_undo(&w, &r), 0); /* the store stays */
    CHECK_TEXT(r.quarantine, "");
    CHECK_UINT(r.own_tables, 0);
    CHECK_INT(world_number(&w, "SELECT n FROM mine"), 1);
    CHECK_INT(peers_trim(&w, &r), 0);
    CHECK_INT(peers_undo(&w, &r), 0);
    CHECK(strncmp(r.quarantine, "quarantine/store.db-", 20) == 0);
    CHECK(world_has(&w, r.quarantine));
    CHECK_UINT(r.own_tables, 1);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM sqlite_schema"
                               " WHERE name='mine'"),
              0);
    CHECK_INT(peers_parity(&w), 0);
    world_end(&w, world_size(&w));
}

static void undone_to_the_beginning(void)
{
    struct world w;
    struct plog_compact_report r;
    uint64_t last = 0;
    plog_reader *reader;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 40);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 40), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK_INT(peers_undo(&w, &r), 0);
    CHECK_UINT(peers_floor(&w), 0);
    CHECK(!world_has(&w, "archive/00000000000000000001.jsonl.gz"));
    CHECK_INT(plog_reader_open(&reader, w.dir, NULL, NULL), 0);
    CHECK_INT(plog_reader_log(reader, 1, 0, peers_count_line, &last, NULL), 0);
    plog_reader_close(reader);
    CHECK_INT(peers_parity(&w), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK(r.to > 0);
    world_end(&w, r.entry);
}

/* Who only gives back needs nobody who has it: the last peer may be gone. */
static void undone_without_a_peer(void)
{
    struct world w;
    struct plog_compact_report r;
    struct plog_peer_report peer;
    struct plog_error err = {0};
    struct plog_compact_options o = {.struct_size = sizeof o, .undo = true};
    struct plog_peer_options evict = {.struct_size = sizeof evict,
                                      .reason = "gone"};
    peers_make(&w, PLOG_LAST_WRITE_WINS, 40);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 40), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK_INT(plog_peer_evict(w.dir, "p", &evict, &peer, NULL), 0);
    if (!CHECK_INT(plog_compact(w.dir, &o, &r, &err), 0))
        printf("# %s\n", err.message);
    CHECK(r.undone && r.entry > 0);
    CHECK_UINT(peers_floor(&w), 0);
    CHECK(world_has(&w, "log/00000000000000000001.jsonl"));
    world_end(&w, r.entry);
}

static unsigned asked, arm_at; /* questions for the last compaction */
static unsigned left;          /* allocations until one fails; 0: none does */
static bool failed;

static bool on_sql(const char *call, const char *sql, bool busy)
{
    (void)busy;
    if (!strcmp(call, "prepare") && strstr(sql, "FROM main.compactions ORDER"))
        asked++;
    return false;
}

static void *on_alloc(void *ctx, void *p, size_t n)
{
    if (n && asked >= arm_at && left && --left == 0) {
        failed = true;
        return NULL;
    }
    return plog_io_posix()->alloc(ctx, p, n);
}

/* The n-th allocation fails behind the question what was compacted last: that
 * is told, and not a log from which nothing is missing. */
static void rebuilt_in_no_memory(const struct world *w, uint64_t floor)
{
    struct plog_io io = *plog_io_posix();
    struct plog_rebuild_options o = {
        .struct_size = sizeof o, .io = &io, .dry_run = true};
    struct plog_rebuild_report r;
    unsigned told = 0;
    failed = false;
    io.alloc = on_alloc;
    sql_calls.fails = on_sql;
    arm_at = UINT32_MAX;
    for (unsigned n = 0; n == 0 || failed; n++) {
        struct plog_error err = {0};
        asked = 0;
        left = n;
        failed = false;
        int rc = plog_rebuild_log(w->dir, NULL, &o, &r, &err);
        bool fits = CHECK_INT(rc, rc && failed ? PLOG_E_NOMEM : 0);
        fits &= CHECK_TEXT(err.message, rc ? "out of memory" : "");
        fits &= CHECK_INT(r.verdict, rc ? 0 : PLOG_E_PRUNED);
        fits &= CHECK_UINT(r.missing_from, rc ? 0 : 1);
        fits &= CHECK_UINT(r.missing_to, rc ? 0 : floor);
        if (!fits)
            printf("# allocation %u: %s\n", n, err.message);
        told += rc != 0;
        if (n == 0)
            arm_at = asked;
        failed |= n == 0;
    }
    sql_calls.fails = NULL;
    CHECK(arm_at > 0 && told > 0);
}

/* An undo that was cut off before it made the trimmed store anew: the floor is
 * 0 again in the log, but the store still stands on the snapshot.  It heals
 * what lies above that, and says what it lacks. */
static void undone_and_cut_off(void)
{
    struct world w;
    struct plog_compact_report r;
    struct plog_rebuild_report rebuilt;
    struct plog_salvage_report healed;
    struct plog_salvage_options heal = {.struct_size = sizeof heal,
                                        .from_store = true};
    char out[600], segment[64];
    size_t len;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 60);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 30), 0);
    CHECK_INT(peers_trim(&w, &r), 0);
    uint64_t floor = r.to;
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    world_copy(world_path(&w, "store.db"), world_path(&w, "before"));
    CHECK_INT(peers_undo(&w, &r), 0);
    world_drop_store(&w);
    world_copy(world_path(&w, "before"), world_path(&w, "store.db"));
    CHECK_INT(world_open(&w), 0);
    world_close(&w);
    CHECK_INT(peers_parity(&w), 0);
    CHECK(world_number(&w, "SELECT base FROM meta") == (int64_t)floor);
    snprintf(out, sizeof out, "%.500s-rebuilt", w.dir);
    CHECK_INT(plog_rebuild_log(w.dir, out, NULL, &rebuilt, NULL), 0);
    CHECK_INT(rebuilt.verdict, PLOG_E_PRUNED);
    CHECK_UINT(rebuilt.missing_from, 1);
    CHECK_UINT(rebuilt.missing_to, floor);
    rebuilt_in_no_memory(&w, floor);
    snprintf(segment, sizeof segment, "log/%020" PRIu64 ".jsonl", floor + 1);
    char *bytes = world_read(world_path(&w, segment), &len);
    REQUIRE(len > 800);
    bytes[700] ^= 1;
    world_write(world_path(&w, segment), bytes, len);
    free(bytes);
    CHECK_INT(plog_salvage(w.dir, &heal, &healed, NULL), 0);
    CHECK_UINT(healed.healed, 1);
    CHECK_INT(peers_parity(&w), 0);
    /* Its floor is none that the last compact entry sets. */
    CHECK_INT(peers_trim(&w, &r), 0);
    CHECK_UINT(r.trimmed, 0);
    CHECK_INT(peers_parity(&w), 0);
    /* What is wrong above comes before what lacks below. */
    world_sql(&w, "UPDATE events SET line='x' WHERE seq=(SELECT max(seq)-2"
                  " FROM events)");
    world_remove(out);
    CHECK_INT(plog_rebuild_log(w.dir, out, NULL, &rebuilt, NULL), 0);
    CHECK(rebuilt.verdict != 0 && rebuilt.verdict != PLOG_E_PRUNED);
    CHECK(rebuilt.missing_from > floor + 1);
}

/* The crash after segments were taken away took the commit of the compact entry
 * from the store: that is behind, and nothing else is said of it. */
static void behind_the_compact_entry(void)
{
    struct world w;
    struct world_found f;
    struct plog_compact_report r;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 60);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 30), 0);
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    world_copy(world_path(&w, "store.db"), world_path(&w, "before"));
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK(r.to > 1);
    world_drop_store(&w);
    world_copy(world_path(&w, "before"), world_path(&w, "store.db"));
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_BEHIND);
    CHECK_UINT(f.count, 1);
    CHECK_TEXT(f.first[0].next, "paritylog replay DIR");
    CHECK(f.unchecked > 0);
    CHECK_INT(world_open(&w), 0);
    CHECK_UINT(peers_floor(&w), r.to);
    CHECK_INT(peers_parity(&w), 0);
    world_end(&w, r.entry);
}

static unsigned reads_left;

static int64_t one_read_fails(void *ctx, int fd, void *p, size_t n, uint64_t at)
{
    return reads_left-- == 0 ? -EIO : plog_io_posix()->pread(ctx, fd, p, n, at);
}

/* A file that cannot be read is told by the name at which it was read, and no
 * backup mends the disk. */
static void not_read(void)
{
    struct world w;
    struct plog_compact_report r;
    struct plog_io io = *plog_io_posix();
    unsigned in_log = 0;
    int rc = PLOG_E_IO;
    io.pread = one_read_fails;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 40);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 40), 0);
    CHECK_INT(peers_compact(&w, NULL), 0);
    uint64_t floor = peers_floor(&w);
    for (unsigned n = 0; rc && n < 200; n++) {
        struct plog_compact_options o = {
            .struct_size = sizeof o, .io = &io, .undo = true};
        struct plog_error err = {.code = 0};
        reads_left = n;
        rc = plog_compact(w.dir, &o, &r, &err);
        CHECK_INT(err.code, rc);
        if (rc == 0)
            break;
        if (!CHECK_INT(rc, PLOG_E_IO) || !CHECK(!strstr(err.hint, "backup")))
            printf("# read %u: %s: %s; %s\n", n, err.file, err.message,
                   err.hint);
        in_log += strncmp(err.file, "log/", 4) == 0;
        if (peers_floor(&w) == 0)
            break; /* undone; what is left comes with the next opening */
        CHECK_UINT(peers_floor(&w), floor);
    }
    CHECK(in_log > 3);
    CHECK_UINT(peers_floor(&w), 0);
    world_end(&w, world_size(&w));
}

static unsigned allocs, fails_at;

static void *one_alloc_fails(void *ctx, void *p, size_t n)
{
    return n && ++allocs == fails_at ? NULL : plog_io_posix()->alloc(ctx, p, n);
}

/* Whether the last of two can be undone, while memory runs out once: what
 * cannot be held is not called damaged, and nothing else is planned. */
static void planned_without_memory(void)
{
    struct world w;
    struct plog_compact_report r, plan = {.to = 1};
    struct plog_io io = *plog_io_posix();
    unsigned refused = 0;
    bool looked = false;
    io.alloc = one_alloc_fails;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 40);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 20), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK_INT(peers_ack(&w, "p", 38), 0);
    CHECK_INT(peers_compact(&w, NULL), 0);
    fails_at = 0;
    for (bool done = false; !done && !check_failing(); fails_at++) {
        struct plog_compact_options o = {
            .struct_size = sizeof o, .io = &io, .undo = true, .dry_run = true};
        struct plog_error err = {.code = 0};
        allocs = 0;
        int rc = plog_compact(w.dir, &o, &plan, &err);
        CHECK_INT(err.code, rc);
        CHECK(rc == 0 || rc == PLOG_E_NOMEM);
        if (check_failing())
            printf("# allocation %u: %s\n", fails_at, err.message);
        looked |=
            strcmp(err.message, "looking for a compact entry failed") == 0;
        refused += rc != 0;
        if (rc == 0)
            CHECK_UINT(plan.to, r.to);
        done = fails_at && allocs < fails_at;
    }
    CHECK(looked && refused > 20);
    world_end(&w, world_size(&w));
}

static void discarded(void)
{
    struct world w;
    struct plog_compact_report r;
    struct plog_peer_report done;
    struct plog_head head;
    plog_reader *reader;
    const struct plog_compact_options discard = {.discard = true};
    peers_make(&w, PLOG_LAST_WRITE_WINS, 40);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 40), 0);
    CHECK_INT(peers_compact_with(&w, discard, &r), PLOG_E_INPUT);
    CHECK_UINT(peers_floor(&w), 0);
    CHECK_INT(plog_reader_open(&reader, w.dir, NULL, NULL), 0);
    CHECK_INT(plog_reader_head(reader, &head, NULL), 0);
    plog_reader_close(reader);
    CHECK_INT(
        plog_peer_ack(w.dir, "p", head.size, head.root, NULL, &done, NULL), 0);
    CHECK_INT(peers_compact_with(&w, discard, &r), 0);
    CHECK(r.to > 0);
    CHECK(!world_has(&w, "archive"));
    refuses(&w, none);
    world_end(&w, 43);
}

/* One that is missing is named, wherever it lies: also the first, and the one
 * with the compact entry before, without which nothing below it is believed. */
static void one_is_missing(void)
{
    for (int i = 0; i < 4; i++) {
        struct world w;
        struct plog_compact_report r;
        struct plog_compact_options o = {
            .struct_size = sizeof o, .undo = true, .dry_run = i & 1};
        struct plog_error err = {0};
        char name[64];
        peers_make(&w, PLOG_LAST_WRITE_WINS, 60);
        CHECK_INT(peers_add(&w, "p"), 0);
        CHECK_INT(peers_ack(&w, "p", 50), 0);
        CHECK_INT(peers_compact(&w, &r), 0);
        uint64_t from = r.to, entry = r.entry;
        CHECK_INT(world_open(&w), 0);
        peers_put(&w, 60, 100);
        world_close(&w);
        CHECK_INT(peers_ack(&w, "p", 95), 0);
        CHECK_INT(peers_trim(&w, &r), 0);
        REQUIRE(r.from == from && r.to > entry);
        uint64_t at = i < 2 ? from + 1 : entry;
        do
            snprintf(name, sizeof name, "archive/%020llu.jsonl.gz",
                     (unsigned long long)at);
        while (!world_has(&w, name) && --at > from);
        world_remove(world_path(&w, name));
        CHECK_INT(plog_compact(w.dir, &o, &r, &err), PLOG_E_CORRUPT);
        CHECK_TEXT(err.file, name);
        CHECK(strstr(err.message, "missing") != NULL);
        CHECK(strncmp(err.hint, "copy that file from a backup", 28) == 0);
        CHECK_UINT(peers_floor(&w), r.from);
        CHECK_INT(peers_parity(&w), 0);
    }
}

/* Somebody has taken them away. */
static void no_archive(void)
{
    static const char gone[] = "its segments are not in archive/ any more";
    struct world w;
    struct plog_compact_report r;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 40);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 40), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK(r.segments > 1);
    world_remove(world_path(&w, "archive"));
    refuses(&w, gone);
    world_end(&w, r.entry);
}

/* Acknowledgements are not in the log.  A store made anew knows only that what
 * went was received, also where a peer has gone back since; an undo takes that
 * knowledge along. */
static void cursors_of_a_new_store(void)
{
    struct world w;
    struct plog_compact_report r;
    struct plog_peer_report done;
    struct plog_replay_report replayed;
    struct plog_replay_options fresh = {.struct_size = sizeof fresh,
                                        .fresh = true};
    static const char cursor[] = "SELECT cursor FROM peers WHERE name='p'";
    peers_make(&w, PLOG_LAST_WRITE_WINS, 60);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 55), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK(r.to < 53);
    CHECK_INT(plog_peer_rewind(w.dir, "p", 53, NULL, &done, NULL), 0);
    CHECK_INT(plog_replay(w.dir, &fresh, &replayed, NULL), 0);
    CHECK_INT(world_number(&w, cursor), (int64_t)r.to);
    CHECK_INT(peers_undo(&w, NULL), 0);
    CHECK_INT(world_number(&w, cursor), 0);
    CHECK_INT(peers_ack(&w, "p", 50), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK_INT(peers_undo(&w, NULL), 0);
    CHECK_INT(world_number(&w, cursor), 50); /* said to this very store */
    world_end(&w, world_size(&w));
}

static uint64_t hash_of(const struct world *w, const char *name)
{
    return tree_hash(world_path(w, name));
}

/* A trimmed store would have to be made anew from the log, which cannot be when
 * that is damaged above the floor: then nothing is brought back, or signed. */
static void damaged_above(void)
{
    struct world w;
    struct plog_compact_options o = {
        .struct_size = sizeof o, .undo = true, .wait_seconds = 0.5};
    struct plog_compact_report r;
    char name[60];
    size_t n;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 60);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 30), 0);
    CHECK_INT(peers_trim(&w, &r), 0);
    uint64_t floor = peers_floor(&w), size = world_size(&w);
    snprintf(name, sizeof name, "log/%020" PRIu64 ".jsonl", floor + 1);
    char *bytes = world_read(world_path(&w, name), &n);
    char *at = NULL; /* in the last group of it */
    for (char *next = bytes; (next = strstr(next, "\"v\":\"")) != NULL; next++)
        at = next;
    REQUIRE(at != NULL);
    at[5] = 'x';
    world_write(world_path(&w, name), bytes, n);
    free(bytes);
    uint64_t log = hash_of(&w, "log"), archive = hash_of(&w, "archive");
    for (int dry = 1; dry >= 0; dry--) {
        struct plog_error err = {0};
        o.dry_run = dry;
        CHECK_INT(plog_compact(w.dir, &o, &r, &err), PLOG_E_TAMPERED);
        CHECK_TEXT(err.file, name);
        CHECK(!r.undone);
        CHECK(hash_of(&w, "log") == log);
        CHECK(hash_of(&w, "archive") == archive);
        CHECK_UINT(peers_floor(&w), floor);
        CHECK_UINT(world_size(&w), size);
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"undone", undone},
        {"where own tables went", where_own_tables_went},
        {"undone to the beginning", undone_to_the_beginning},
        {"undone without a peer", undone_without_a_peer},
        {"undone and cut off", undone_and_cut_off},
        {"behind the compact entry", behind_the_compact_entry},
        {"not read", not_read},
        {"planned without memory", planned_without_memory},
        {"discarded", discarded},
        {"one is missing", one_is_missing},
        {"no archive", no_archive},
        {"cursors of a new store", cursors_of_a_new_store},
        {"damaged above", damaged_above},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
