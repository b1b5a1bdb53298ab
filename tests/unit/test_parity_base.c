/*
 * test_parity_base.c - what the store keeps of entries below the floor, against
 * the snapshot that stands for them: lines on which records stand, ids, orders;
 * of each that is not so, the very words.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "peers.h"
#include "said.h"
#include "world.h"

static struct world w;
static char end[200]; /* how what is said ends */

/* 60 entries, of which those up to `floor` went; with an order to redact. */
static void make(bool trims)
{
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "test"};
    struct plog_redact_report r;
    struct world_found f;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 20);
    CHECK_INT(plog_redact(w.dir, 4, &o, &r, NULL), 0);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 20, 40);
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 36), 0);
    CHECK_INT(trims ? peers_trim(&w, NULL) : peers_compact(&w, NULL), 0);
    CHECK_UINT(peers_floor(&w), 33);
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    snprintf(end, sizeof end,
             "head %" PRIu64 ", %" PRIu64 " entries 34-%" PRIu64
             ", 7 records, floor 33, %" PRIu64 " segments, store 1 %" PRIu64
             ", since 0, pending 0\n",
             f.report.head.size, f.report.head.size - 33, f.report.head.size,
             f.report.segments, f.report.head.size);
}

struct row {
    const char *edit;
    const char *told[3]; /* NULL: no more */
};

static void each(const struct row *rows, size_t n, bool trims)
{
    struct plog_check_options o = {.struct_size = sizeof o};
    char kept[600], want[800];
    make(trims);
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    world_copy(world_path(&w, "store.db"), kept);
    for (size_t i = 0; i < n; i++) {
        world_sql(&w, rows[i].edit);
        want[0] = '\0';
        for (int k = 0; k < 3 && rows[i].told[k]; k++)
            snprintf(want + strlen(want), sizeof want - strlen(want),
                     "DIVERGED in store, store.db%s; do paritylog replay \n",
                     rows[i].told[k]);
        snprintf(want + strlen(want), sizeof want - strlen(want),
                 "DIVERGED, %s", end);
        if (!CHECK_TEXT(said_check(plog_parity, w.dir, &o), want))
            printf("# %s\n", rows[i].edit);
        world_drop_store(&w);
        world_copy(kept, world_path(&w, "store.db"));
    }
    world_end(&w, world_size(&w));
    unlink(kept);
}

#define ANOTHER(what) what ": as in the snapshot; got " what ": another"
#define GONE(what) what ": as in the snapshot; got " what ": none"

static void below_the_floor(void)
{
    static const struct row rows[] = {
        {"UPDATE events SET line=replace(line,'\"v\"','\"w\"') WHERE seq=31",
         {", entry 31: want " ANOTHER("event"),
          ", entry 31: want " ANOTHER("id")}},
        {"DELETE FROM events WHERE seq=31",
         {", entry 31: want " GONE("event"), ", entry 31: want " GONE("id")}},
        {"DELETE FROM events WHERE seq=5", {", entry 5: want " GONE("id")}},
        {"UPDATE redactions SET target=5",
         {", entry 22: want " ANOTHER("redaction")}},
        {"DELETE FROM redactions",
         {", entry 22: want " GONE("redaction"),
          ": want 1 redactions; got 0 rows"}},
        {"INSERT INTO redactions VALUES(23,9,0)",
         {": want 1 redactions; got 2 rows"}},
        {"INSERT INTO old_ids VALUES(zeroblob(32),3,zeroblob(32),NULL)",
         {", entry 3: want old id: none; got old id: a row the log does not"
          " give"}},
        {"INSERT INTO base_state SELECT * FROM state LIMIT 1",
         {": want base_state: no row; got base_state: rows, and no base"}},
    };
    each(rows, sizeof rows / sizeof *rows, false);
}

static void trimmed(void)
{
    static const struct row rows[] = {
        {"UPDATE events SET line=replace(line,'\"v\"','\"w\"') WHERE seq=31",
         {", entry 31: want " ANOTHER("event")}},
        {"DELETE FROM events WHERE seq=31",
         {", entry 31: want " GONE("event")}},
        {"INSERT INTO old_ids VALUES(zeroblob(32),3,zeroblob(32),NULL)",
         {": want 31 old ids; got 32 rows"}},
        {"DELETE FROM old_ids WHERE seq=10",
         {", entry 10: want " GONE("id"), ": want 31 old ids; got 30 rows"}},
        {"UPDATE old_ids SET leaf=zeroblob(32) WHERE seq=10",
         {", entry 10: want " ANOTHER("id")}},
        {"UPDATE old_ids SET seq=11 WHERE seq=10",
         {", entry 10: want " ANOTHER("id")}},
        {"UPDATE old_ids SET content=zeroblob(32) WHERE seq=10",
         {", entry 10: want " ANOTHER("id")}},
        {"UPDATE old_ids SET content=NULL WHERE seq=10",
         {", entry 10: want " GONE("id")}},
        {"UPDATE old_ids SET content=zeroblob(32) WHERE seq=4",
         {", entry 4: want " ANOTHER("id")}},
        {"UPDATE base_state SET version=version+1",
         {", entry 33: want base_state: the records of the snapshot; got"
          " base_state: other rows"}},
    };
    each(rows, sizeof rows / sizeof *rows, true);
}

/* What said_check gives, where the rows of the base were not compared. */
static void not_compared_for(const char *why, const char *found)
{
    struct plog_check_options o = {.struct_size = sizeof o};
    char want[800];
    snprintf(want, sizeof want, "unchecked store 1-33: base_state: %s\n%s%s%s",
             why, found, *found ? "DIVERGED, " : "CLEAN, ", end);
    CHECK_TEXT(said_check(plog_parity, w.dir, &o), want);
}

/* Once there is a later snapshot than that of the trimmed rows, or an entry
 * below was redacted, nobody can compare the records there: that is said. */
static void not_compared(void)
{
    make(true);
    world_sql(&w, "INSERT INTO redactions VALUES(45,5,0);"
                  "UPDATE base_state SET version=version+1");
    not_compared_for("entries below were redacted",
                     "DIVERGED in store, store.db: want 1 redactions; got 2"
                     " rows; do paritylog replay \n");
    make(true);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 40, 60);
    world_close(&w);
    CHECK_INT(peers_ack(&w, "p", 56), 0);
    CHECK_INT(peers_compact(&w, NULL), 0);
    CHECK_UINT(peers_floor(&w), 49);
    snprintf(end, sizeof end,
             "head 65, 16 entries 50-65, 7 records, floor 49, 3 segments, store"
             " 1 65, since 0, pending 0\n");
    not_compared_for("there is a later snapshot", "");
    world_sql(&w, "UPDATE base_state SET version=version+1");
    not_compared_for("there is a later snapshot", "");
    CHECK_INT(peers_trim(&w, NULL), 0); /* and then they can be again */
    world_end(&w, 65);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"below the floor", below_the_floor},
        {"trimmed", trimmed},
        {"not compared", not_compared},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
