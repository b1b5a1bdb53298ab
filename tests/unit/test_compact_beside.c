/*
 * test_compact_beside.c - the check before a compaction, while others write: it
 * reads the store in short transactions, none while it folds, and catches up
 * with its head at the end; what differs by then is found.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "parity.h"
#include "peers.h"
#include "sql_calls.h"
#include "world.h"

static struct world w;

/* To so many records in turn. */
static void put_to(plog *p, int from, int records,
                   const struct plog_cursor *cursor)
{
    static char texts[100][300];
    struct plog_span deltas[100];
    struct plog_group g = {.struct_size = sizeof g,
                           .deltas = deltas,
                           .delta_count = 100,
                           .cursors = cursor,
                           .cursor_count = cursor != NULL};
    for (int i = 0; i < 100; i++) {
        char record[16], id[16];
        snprintf(record, sizeof record, "r%d", (from + i) % records);
        snprintf(id, sizeof id, "id%d", from + i);
        struct world_delta d = {.record = record, .id = i % 2 ? id : NULL};
        deltas[i] = plog_span_text(world_text(texts[i], sizeof texts[i], &d));
    }
    CHECK_INT(plog_append_group(p, &g, NULL, NULL), 0);
}

static void put_group(plog *p, int from, const struct plog_cursor *cursor)
{
    put_to(p, from, 300, cursor);
}

static unsigned calls, kinds;

/* At each step of the check somebody writes: a little, a lot, into a new
 * segment, a cursor, a peer. */
static int write_meanwhile(void *arg, const struct plog_progress *progress)
{
    const struct plog_cursor cursor = {{"s", 1}, {"r", 1}, {"c", 1}};
    uint64_t first;
    (void)arg, (void)progress;
    calls++;
    if (calls > 4)
        return 0;
    for (int i = 0; i < (kinds & 1 ? 14 : 1); i++)
        put_group(w.p, (int)(100000 * calls) + 100 * i,
                  kinds & 2 ? &cursor : NULL);
    if (kinds & 4)
        CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    if (kinds & 8 && calls == 2)
        CHECK_INT(peers_add(&w, "late"), 0);
    return 0;
}

static uint64_t make_segments(void)
{
    uint64_t first;
    world_make(&w, PLOG_LAST_WRITE_WINS, 1 << 20);
    for (int k = 0; k < 3; k++) {
        for (int i = 0; i < 20; i++)
            put_group(w.p, 10000 * k + 100 * i, NULL);
        CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
        if (k == 1)
            CHECK_INT(world_number(&w, "SELECT count(*) FROM segments"), 3);
    }
    return first;
}

/* The head that counts in the end is a later one than at the begin. */
static void while_others_write(void)
{
    struct plog_check_options o = {.struct_size = sizeof o,
                                   .progress = write_meanwhile};
    static const unsigned all[] = {0, 3, 5, 8, 13, 15};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_check_report r;
        struct world_found f;
        calls = 0;
        kinds = all[i];
        make_segments();
        uint64_t before = world_size(&w);
        CHECK_INT(plog_parity_upto(w.dir, 2001, &o, &r, NULL), 0);
        CHECK_INT(r.verdict, 0);
        CHECK(calls > 3);
        CHECK_UINT(r.entries, 2001); /* rows that were compared */
        CHECK(r.head.size > before);
        CHECK_UINT(r.head.size, world_size(&w));
        CHECK_INT(world_parity(&w, NULL, &f), 0);
        world_close(&w);
        world_remove(w.dir);
    }
}

static const char *break_with;

static int break_meanwhile(void *arg, const struct plog_progress *progress)
{
    write_meanwhile(arg, progress);
    if (calls == 4)
        world_sql(&w, break_with);
    return 0;
}

/* ... and what differs by then is found. */
static void a_difference_meanwhile(void)
{
    static const char *const all[] = {
        /* The last one is bare. */
        ("DELETE FROM segments WHERE first=(SELECT first FROM segments ORDER BY"
         " first DESC LIMIT 1 OFFSET 1)"),
        "INSERT INTO segments VALUES(4005)",
        "UPDATE peers SET added=added-1",
        "UPDATE meta SET key='00000000'",
        "UPDATE meta SET size=size-1",
    };
    struct plog_check_options o = {.struct_size = sizeof o,
                                   .progress = break_meanwhile};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_check_report r = {.verdict = 0};
        calls = 0;
        kinds = 5;
        break_with = all[i];
        make_segments();
        CHECK_INT(peers_add(&w, "p"), 0);
        int rc = plog_parity_upto(w.dir, 2001, &o, &r, NULL);
        if (rc == 0 && r.verdict == 0)
            CHECK_TEXT(all[i], "found");
        world_close(&w);
        world_remove(w.dir);
    }
}

static uint64_t size_then;
static unsigned looks;

/* First a lot is written; while that is walked, SQLite's WAL is moved. */
static int move_meanwhile(void *arg, const struct plog_progress *progress)
{
    (void)arg;
    for (int i = 0; calls == 0 && i < 14; i++)
        put_group(w.p, 100000 + 100 * i, NULL);
    if (progress->done > size_then && strcmp(progress->phase, "log") == 0) {
        looks++; /* 1: somebody reads what is in it */
        CHECK_INT(world_number(&w, "PRAGMA wal_checkpoint(RESTART)"), 0);
    }
    calls++;
    return 0;
}

/* Nothing is read for as long as it takes to catch up with a lot: SQLite's WAL
 * would grow all the while. */
static void nothing_is_held(void)
{
    struct plog_check_options o = {.struct_size = sizeof o,
                                   .progress = move_meanwhile};
    struct plog_check_report r;
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    for (int i = 0; i < 11; i++)
        put_group(w.p, 100 * i, NULL);
    size_then = world_size(&w);
    calls = looks = 0;
    CHECK_INT(plog_parity_upto(w.dir, 101, &o, &r, NULL), 0);
    CHECK_INT(r.verdict, 0);
    CHECK_UINT(r.entries, 101);
    CHECK_UINT(r.head.size, size_then + 1400);
    CHECK(looks > 0);
    world_end(&w, size_then + 1400);
}

/* ---- The fold --------------------------------------------------------------
 */

static unsigned folded;

/* What was noted of a record's many entries is read again for it. */
static bool at_the_fold(const char *call, const char *sql, bool busy)
{
    if (!busy && strcmp(call, "step") == 0 && strstr(sql, "FROM temp.tally")) {
        folded++; /* 1: somebody reads what is in it */
        CHECK_INT(world_number(&w, "PRAGMA wal_checkpoint(RESTART)"), 0);
    }
    return false;
}

/* Entries are folded once, and while that is done nobody holds the store. */
static void nothing_is_held_for_the_fold(void)
{
    struct plog_check_options o = {.struct_size = sizeof o};
    struct plog_check_report r;
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    for (int i = 0; i < 3; i++)
        put_to(w.p, 100 * i, 1, NULL);
    put_group(w.p, 300, NULL);
    folded = 0;
    sql_calls.fails = at_the_fold;
    CHECK_INT(plog_parity_upto(w.dir, 301, &o, &r, NULL), 0);
    sql_calls.fails = NULL;
    CHECK_INT(r.verdict, 0);
    CHECK_UINT(folded, 1);
    CHECK_UINT(r.entries, 301);
    CHECK_UINT(r.head.size, 401);
    world_end(&w, 401);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"while others write", while_others_write},
        {"a difference meanwhile", a_difference_meanwhile},
        {"nothing is held", nothing_is_held},
        {"nothing is held for the fold", nothing_is_held_for_the_fold},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
