/*
 * test_stored.c - what a store must be to prove the log that it holds: each row
 * of it changed, and what the log then comes to that is made from it.
 *
 * The entries before the change are made, byte for byte as they were; the
 * verdict and the words say what is wrong with the others, and never that a
 * log is whole that may not be the one that was written.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "files.h"
#include "heap.h"
#include "paritylog_recovery.h"
#include "peers.h"
#include "reader.h"
#include "store_log.h"
#include "world.h"

#define FIRST "00000000000000000001.jsonl"

static struct world w;
static char out[700];

static struct plog_rebuild_report r;
static struct plog_error err;

static int rebuild(bool dry_run)
{
    struct plog_rebuild_options o = {.struct_size = sizeof o,
                                     .dry_run = dry_run};
    memset(&err, 0, sizeof err);
    return plog_rebuild_log(w.dir, out, &o, &r, &err);
}

static void put_all(int count)
{
    for (int i = 0; i < count; i++)
        CHECK_INT(world_put(&w, NULL, i % 2 ? "1" : "2", "v", NULL), 0);
}

/* Entries 5 to 7 are one group; a segment begins at 8. */
static void make(void)
{
    static char text[3][300];
    struct plog_span deltas[3];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = deltas, .delta_count = 3};
    uint64_t first;
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_ARRIVAL, 0);
    put_all(3);
    for (int i = 0; i < 3; i++) {
        world_text(text[i], sizeof text[i], &(struct world_delta){.id = NULL});
        deltas[i] = (struct plog_span){text[i], strlen(text[i])};
    }
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    put_all(1);
    world_close(&w);
    snprintf(out, sizeof out, "%.500s-out", w.dir);
}

static void end(void)
{
    world_remove(w.dir);
    if (access(out, F_OK) == 0)
        world_remove(out);
}

/* The files of both logs are the same. */
static void same_files(void)
{
    struct tree a, b;
    char path[720];
    tree_read(&a, world_path(&w, "log"));
    snprintf(path, sizeof path, "%s/log", out);
    tree_read(&b, path);
    CHECK_UINT(a.hash, b.hash);
    tree_free(&a);
    tree_free(&b);
}

/* What was made verifies, up to the head that the report has. */
static void made_is_true(void)
{
    struct world made = {.p = NULL};
    struct world_found f;
    snprintf(made.dir, sizeof made.dir, "%.500s", out);
    CHECK_INT(world_verify(&made, NULL, &f), 0);
    CHECK_UINT(f.report.head.size, r.head.size);
}

/* ---- Rows changed -----------------------------------------------------------
 */

struct change {
    const char *sql;
    int verdict;
    uint64_t size; /* that is proven */
    const char *why;
};

static void must_say(const struct change *c)
{
    for (int dry_run = 1; dry_run >= 0; dry_run--) {
        CHECK_INT(rebuild(dry_run), 0);
        if (!CHECK_INT(r.verdict, c->verdict) ||
            !CHECK(strstr(r.why, c->why) != NULL) ||
            !CHECK_UINT(r.head.size, c->size))
            printf("# %s: %s\n", c->sql, r.why);
        CHECK_UINT(r.entries, c->size);
        bool lacks = c->verdict && c->size < 8;
        CHECK_UINT(r.missing_to, lacks ? 8 : 0);
        CHECK(!lacks || r.missing_from == c->size + 1);
        CHECK_INT(access(out, F_OK) == 0, !dry_run);
    }
    made_is_true();
    if (c->verdict == 0)
        CHECK_UINT(r.segments, 2);
}

static void rows(void)
{
    static const struct change all[] = {
        {"SELECT 1", 0, 8, ""},
        {"DELETE FROM events WHERE seq=6", PLOG_E_DIVERGED, 4,
         "an event row is missing"},
        {"DELETE FROM events WHERE seq=8", PLOG_E_DIVERGED, 7,
         "an event row is missing"},
        {"UPDATE events SET line='' WHERE seq=6", PLOG_E_DIVERGED, 4,
         "an event row holds no line"},
        {"UPDATE events SET line=line||char(10) WHERE seq=3", PLOG_E_DIVERGED,
         2, "an event row holds no line"},
        {"UPDATE events SET line=replace(line,'\"v\"','\"w\"') WHERE seq=3",
         PLOG_E_TAMPERED, 2, "do not hash to its signed root"},
        {"UPDATE checkpoints SET line='{}' WHERE size=7", PLOG_E_DIVERGED, 4,
         "a commit row is not one"},
        {"UPDATE checkpoints SET line=(SELECT line FROM checkpoints WHERE"
         " size=4) WHERE size=7",
         PLOG_E_DIVERGED, 4, "a commit row is not one"},
        /* The next root is that of both groups, but they are no group. */
        {"DELETE FROM checkpoints WHERE size=7", PLOG_E_DIVERGED, 4,
         "a commit row is missing"},
        {"DELETE FROM checkpoints WHERE size=8", PLOG_E_DIVERGED, 7,
         "entries without a commit"},
        {"UPDATE checkpoints SET line=substr(line,1,instr(line,'\"key\":\"')+6)"
         "||'00000000'||substr(line,instr(line,'\"key\":\"')+15) WHERE size=7",
         PLOG_E_TAMPERED, 4, "by a key that is not in force there"},
        {"UPDATE checkpoints SET line=substr(line,1,instr(line,'\"sig\":\"')+6)"
         "||(SELECT substr(line,instr(line,'\"sig\":\"')+7) FROM checkpoints"
         " WHERE size=4) WHERE size=7",
         PLOG_E_TAMPERED, 4, "the signature of a commit does not hold"},
        /* The head says more, or another thing, than the rows. */
        {"DELETE FROM events WHERE seq=8;DELETE FROM checkpoints WHERE size=8",
         PLOG_E_DIVERGED, 7, "its rows end at entry 7, its head says 8"},
        {"UPDATE meta SET root=zeroblob(32),range=zeroblob(32)",
         PLOG_E_DIVERGED, 8, "its rows end at entry 8, its head says 8"},
        /* Where files begin is not signed, but follows from other things. */
        {"DELETE FROM segments WHERE first=8", PLOG_E_DIVERGED, 8,
         "the table of segments"},
        {"INSERT INTO segments VALUES(6)", PLOG_E_DIVERGED, 8,
         "the table of segments"},
        {"UPDATE meta SET offset=offset+1", PLOG_E_DIVERGED, 8,
         "the table of segments"},
        {"UPDATE meta SET segment=5", PLOG_E_DIVERGED, 8,
         "the table of segments"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        make();
        world_sql(&w, all[i].sql);
        must_say(&all[i]);
        if (i == 0)
            same_files();
        end();
    }
}

/* Of a store that proves no entry at all there is nothing to be made. */
static void no_row_at_all(void)
{
    make();
    world_sql(&w, "UPDATE events SET line=line||' ' WHERE seq=1");
    CHECK_INT(rebuild(false), PLOG_E_TAMPERED);
    CHECK_INT(err.code, PLOG_E_TAMPERED);
    CHECK_TEXT(err.file, "store.db");
    CHECK_UINT(err.seq, 1);
    CHECK(access(out, F_OK) != 0);
    end();
}

/* ---- A bare end -------------------------------------------------------------
 */

static void a_bare_end(void)
{
    uint64_t first;
    make();
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    world_close(&w);
    CHECK_INT(rebuild(true), 0);
    CHECK_INT(r.verdict, 0);
    CHECK_UINT(r.segments, 3);
    CHECK_INT(rebuild(false), 0);
    CHECK_INT(r.verdict, 0);
    CHECK_UINT(r.segments, 3);
    same_files();
    end();
}

/* ---- No end at all ----------------------------------------------------------
 */

/* Where neither leg was, nothing went away. */
static void no_leg(void)
{
    make();
    world_remove(world_path(&w, "log"));
    world_drop_store(&w);
    world_remove(world_path(&w, "keys"));
    CHECK_INT(rebuild(false), PLOG_E_NOTHING);
    CHECK_TEXT(err.message,
               "there is no log here: log and store.db are missing");
    CHECK(strstr(err.hint, "the path is right") != NULL);
    CHECK(access(out, F_OK) != 0);
}

/* A store with no entry proves none, and what is made of it is no log. */
static void no_entry(void)
{
    make();
    world_sql(&w, "DELETE FROM events; DELETE FROM checkpoints; DELETE FROM"
                  " rotations; UPDATE meta SET size=0, range=x'', key='',"
                  " sig=x'', root=x'e3b0c44298fc1c149afbf4c8996fb92427ae41e4"
                  "649b934ca495991b7852b855'");
    CHECK_INT(rebuild(false), PLOG_E_NOTHING);
    CHECK_INT(err.code, PLOG_E_NOTHING);
    CHECK_TEXT(err.message, "the store holds no entry");
    CHECK(access(out, F_OK) != 0);
    end();
}

/* A store that has all events needs no snapshot of those below the floor. */
static void no_snapshot(void)
{
    uint64_t first;
    make();
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    world_close(&w);
    CHECK_INT(peers_ack(&w, "p", first - 1), 0);
    CHECK_INT(peers_compact(&w, NULL), 0);
    world_remove(world_path(&w, "snapshots"));
    CHECK_INT(rebuild(false), 0);
    CHECK_INT(r.verdict, 0);
    CHECK_UINT(r.head.size, first);
    made_is_true();
    end();
}

/* ---- Redacted lines ---------------------------------------------------------
 */

static void redact(uint64_t seq)
{
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "test"};
    struct plog_redact_report report;
    CHECK_INT(plog_redact(w.dir, seq, &o, &report, NULL), 0);
}

static void orders(void)
{
    static const struct change all[] = {
        {"DELETE FROM redactions", PLOG_E_TAMPERED, 2, "and no order"},
        {"UPDATE redactions SET seq=4", PLOG_E_TAMPERED, 2, "and no order"},
        {"UPDATE redactions SET seq=99", PLOG_E_TAMPERED, 2, "and no order"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        make();
        redact(3);
        CHECK_INT(rebuild(false), 0);
        CHECK_INT(r.verdict, 0);
        same_files();
        world_remove(out);
        world_remove(world_path(&w, "log")); /* which has the order, too */
        world_sql(&w, all[i].sql);
        CHECK_INT(rebuild(true), 0);
        CHECK_INT(r.verdict, all[i].verdict);
        CHECK_UINT(r.head.size, all[i].size);
        CHECK(strstr(r.why, all[i].why) != NULL);
        end();
    }
}

static struct heap heap;

/* Opens the store's log where the `n`-th allocation fails; 0: none. */
static int open_stored(size_t n, size_t orders)
{
    struct plog_reader reader;
    struct plog_store_head head;
    struct plog_store_log s;
    CHECK_INT(plog_reader_open_log(&reader, plog_io_posix(), w.dir, NULL, NULL),
              0);
    CHECK_INT(plog_reader_open_store(&reader, 0, NULL), 0);
    CHECK_INT(plog_store_get_head(&reader.store, &head, NULL), 0);
    heap_init(&heap);
    heap_fail(&heap, n, false);
    reader.store.io = &heap.io;
    memset(&err, 0, sizeof err);
    int rc = plog_store_log_open(&s, &reader.store, &head, &reader.keys,
                                 &reader.dir, false, &err);
    CHECK_INT(err.code, rc);
    if (!rc)
        CHECK_UINT(s.orders.list.len, orders * sizeof(struct plog_known_order));
    plog_store_log_close(&s);
    CHECK_UINT(heap.live, 0);
    reader.store.io = plog_io_posix();
    plog_reader_fini(&reader);
    return rc;
}

/* No order is left out for want of memory: a line that it makes good would be
 * none. */
static void memory_for_orders(void)
{
    size_t n = 0;
    make();
    redact(3);
    redact(4);
    CHECK_INT(open_stored(0, 2), 0);
    CHECK(heap.calls > 1);
    for (n = 1; n <= 50; n++) {
        int rc = open_stored(n, 2);
        if (!heap_failed(&heap))
            break;
        if (!CHECK_INT(rc, PLOG_E_NOMEM))
            printf("# allocation %zu\n", n);
        CHECK_TEXT(err.message, "out of memory");
    }
    CHECK(n > 1 && n < 50);
    end();
}

/* Nor is a floor, for want of memory, one that nobody has set. */
static void memory_for_the_floor(void)
{
    struct plog_compact_options compact = {.struct_size = sizeof compact};
    struct plog_compact_report c;
    size_t n;
    make();
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 7), 0);
    CHECK_INT(plog_compact(w.dir, &compact, &c, NULL), 0);
    for (n = 0; n <= 200; n++) {
        int rc = open_stored(n, 0);
        bool failed = heap_failed(&heap);
        if (!CHECK_INT(rc, failed ? PLOG_E_NOMEM : 0) ||
            !CHECK_TEXT(err.message, failed ? "out of memory" : ""))
            printf("# allocation %zu\n", n);
        if (n && !failed)
            break;
    }
    CHECK(n > 2 && n < 200);
    end();
}

/* A redacted line, and for its order the row of an entry below the floor: that
 * is in no group which the store proves, so anybody could have put it there. */
static void an_order_below_the_floor(void)
{
    struct plog_compact_options compact = {.struct_size = sizeof compact};
    struct plog_compact_report c;
    struct world other;
    char sql[1200];
    make();
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 7), 0);
    CHECK_INT(plog_compact(w.dir, &compact, &c, NULL), 0);
    CHECK_UINT(c.to, 7);
    CHECK_INT(rebuild(true), 0);
    CHECK_INT(r.verdict, 0);
    other = w;
    snprintf(other.dir, sizeof other.dir, "%.400s-other", w.dir);
    tree_copy(w.dir, other.dir);
    memcpy(sql, w.dir, sizeof w.dir);
    memcpy(w.dir, other.dir, sizeof w.dir);
    redact(8);
    memcpy(w.dir, sql, sizeof w.dir);
    snprintf(sql, sizeof sql,
             "ATTACH '%.500s/store.db' AS o;"
             "UPDATE main.events SET line=(SELECT line FROM o.events WHERE"
             " seq=8) WHERE seq=8;"
             "UPDATE main.events SET line=(SELECT e.line FROM o.events e,"
             " o.redactions r WHERE e.seq=r.seq) WHERE seq=3;"
             "INSERT INTO main.redactions VALUES(3,8,0)",
             other.dir);
    world_sql(&w, sql);
    for (int dry_run = 1; dry_run >= 0; dry_run--) {
        CHECK_INT(rebuild(dry_run), 0);
        CHECK_INT(r.verdict, PLOG_E_TAMPERED);
        CHECK(strstr(r.why, "entry 8 is redacted, and the order for it at") &&
              strstr(r.why, "is not proven"));
    }
    world_remove(other.dir);
    end();
}

/* Appends until the segment of 4096 bytes is full but for two or three. */
static void fill(void)
{
    char text[3000], record[2000];
    int64_t before, line = 0, left;
    for (;;) {
        before = world_number(&w, "SELECT offset FROM meta");
        left = 4096 - before - 3;
        if (line && left < 3 * line)
            break;
        world_text(text, sizeof text, &(struct world_delta){.record = "1"});
        CHECK_INT(world_append(&w, text, NULL, NULL), 0);
        line = world_number(&w, "SELECT offset FROM meta") - before;
    }
    CHECK(left >= line);
    snprintf(record, sizeof record, "%0*d", (int)(left - line + 1), 1);
    world_text(text, sizeof text, &(struct world_delta){.record = record});
    CHECK_INT(world_append(&w, text, NULL, NULL), 0);
    CHECK_INT(world_number(&w, "SELECT segment FROM meta"), 1);
}

/* A segment that had room for a group has none for its redacted form, which is
 * longer than one with an empty payload: it stays where it is. */
static void a_segment_that_grew(void)
{
    for (int last = 0; last < 2; last++) {
        memset(&w, 0, sizeof w);
        world_make(&w, PLOG_ARRIVAL, 4096);
        snprintf(out, sizeof out, "%.500s-out", w.dir);
        fill();
        uint64_t size = world_size(&w);
        world_close(&w);
        redact(last ? size : 3);
        size_t length;
        free(world_read(world_path(&w, "log/" FIRST), &length));
        CHECK(length > 4096);
        CHECK_INT(rebuild(false), 0);
        CHECK_INT(r.verdict, 0);
        CHECK_TEXT(r.why, "");
        same_files();
        end();
    }
}

/* One that a writer would have begun, and the table does not have. */
static void a_segment_too_long(void)
{
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_ARRIVAL, 4096);
    snprintf(out, sizeof out, "%.500s-out", w.dir);
    fill();
    put_all(9);
    world_close(&w);
    CHECK_INT(rebuild(true), 0);
    CHECK_INT(r.verdict, 0);
    world_sql(&w, "DELETE FROM segments WHERE first=(SELECT min(first) FROM"
                  " segments WHERE first>1)");
    CHECK_INT(rebuild(true), 0);
    CHECK_INT(r.verdict, PLOG_E_DIVERGED);
    CHECK(strstr(r.why, "the table of segments") != NULL);
    end();
}

/* ---- A copy that goes on ----------------------------------------------------
 */

static void another_name(void)
{
    struct plog_restore_options o = {.struct_size = sizeof o,
                                     .continue_as = "test.example/copy"};
    struct plog_restore_report report;
    char copy[800];
    make();
    snprintf(copy, sizeof copy, "%.600s-copy", w.dir);
    CHECK_INT(plog_restore(w.dir, copy, &o, &report, NULL), 0);
    world_remove(w.dir);
    snprintf(w.dir, sizeof w.dir, "%.500s", copy);
    CHECK_INT(rebuild(false), 0);
    CHECK_INT(r.verdict, 0);
    CHECK_UINT(r.head.size, 9);
    CHECK_TEXT(r.origin, "test.example/copy");
    same_files();
    end();
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"rows", rows},
        {"no row at all", no_row_at_all},
        {"a bare end", a_bare_end},
        {"no entry", no_entry},
        {"no leg", no_leg},
        {"no snapshot", no_snapshot},
        {"orders", orders},
        {"memory for orders", memory_for_orders},
        {"memory for the floor", memory_for_the_floor},
        {"an order below the floor", an_order_below_the_floor},
        {"a segment that grew", a_segment_that_grew},
        {"a segment too long", a_segment_too_long},
        {"another name", another_name},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
