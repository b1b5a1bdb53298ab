/*
 * test_parity_records.c - records, cursors and rules against the fold of the
 * log, in all that parity says of them; a check that leaves the records out,
 * unless there is anything else to find; the store of another log; and none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "peers.h"
#include "said.h"
#include "sql_calls.h"
#include "world.h"

#define SEGMENT "log/00000000000000000001.jsonl"

static struct world w;

/* Entries 2 to 4 about two records, a cursor, and a peer. */
static void make(void)
{
    char text[600];
    struct plog_cursor c = {
        .source = {"s", 1}, .resource = {"r", 1}, .cursor = {"c", 1}};
    struct plog_span delta;
    struct plog_group g = {.struct_size = sizeof g,
                           .deltas = &delta,
                           .delta_count = 1,
                           .cursors = &c,
                           .cursor_count = 1};
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, "a", "1", "v", NULL), 0);
    CHECK_INT(world_put(&w, "b", "2", "v", NULL), 0);
    world_text(text, sizeof text, &(struct world_delta){.record = "1"});
    delta = (struct plog_span){text, strlen(text)};
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
}

static void says(bool skip_records, const char *findings, const char *end)
{
    char want[2000];
    struct plog_check_options o = {.skip_records = skip_records};
    snprintf(want, sizeof want, "%s%s", findings, end);
    CHECK_TEXT(said_check(plog_parity, w.dir, &o), want);
}

#define OF(records)                                                            \
    ", head 6, 6 entries 1-6, " records                                        \
    " records, floor 0, 1 segments, store 1 6, since 0, pending 0\n"
#define FOUND(seq, want, got)                                                  \
    "DIVERGED in store, store.db, entry " seq ": want " want "; got " got      \
    "; do paritylog replay \n"
#define LEFT_OUT                                                               \
    "unchecked store 1-6: records, and links between entries: left out\n"

static void each_table(void)
{
    static const struct {
        const char *sql, *found, *records;
    } all[] = {
        {"UPDATE state SET version=version+1 WHERE record_id='2'",
         FOUND("3", "record: as the log folds", "record: other content"),
         OF("2")},
        {"UPDATE state SET confidence=0.125 WHERE record_id='1'",
         FOUND("4", "record: as the log folds", "record: other content"),
         OF("2")},
        /* the next number above, of which fifteen digits are the same */
        {"UPDATE state SET confidence=confidence+1.2e-16 WHERE record_id='1'",
         FOUND("4", "record: as the log folds", "record: other content"),
         OF("2")},
        {"UPDATE state SET merged='' WHERE record_id='1'",
         FOUND("4", "record: as the log folds", "record: other content"),
         OF("2")},
        {"UPDATE state SET origin='' WHERE record_id='2'",
         FOUND("3", "record: as the log folds", "record: other content"),
         OF("2")},
        {"DELETE FROM state WHERE record_id='1'",
         FOUND("4", "record: as the log folds", "record: none"), OF("2")},
        {"DELETE FROM state WHERE record_id='2'",
         FOUND("3", "record: as the log folds", "record: none"), OF("2")},
        {"UPDATE state SET record_id='3' WHERE record_id='1'",
         FOUND("4", "record: as the log folds", "record: none")
             FOUND("4", "record: none", "record: a row the log does not give"),
         OF("2")},
        {"UPDATE cursors SET cursor='d'",
         FOUND("5", "cursor: as the log folds", "cursor: other content"),
         OF("2")},
        {"UPDATE cursors SET source='r'",
         FOUND("5", "cursor: none", "cursor: a row the log does not give")
             FOUND("5", "cursor: as the log folds", "cursor: none"),
         OF("2")},
        {"DELETE FROM cursors",
         FOUND("5", "cursor: as the log folds", "cursor: none"), OF("2")},
        {"DELETE FROM peers",
         FOUND("6", "peer: as the log has it", "peer: another, or none"),
         OF("2")},
        {"UPDATE peers SET cursor=7",
         FOUND("6", "peer: entries up to the head", "peer: more than there is"),
         OF("2")},
        {"UPDATE meta SET line_max=line_max+1",
         FOUND("6", "meta: the rules that the log sets", "other ones"),
         OF("2")},
        {"UPDATE meta SET segment_size=segment_size+1",
         FOUND("6", "meta: the rules that the log sets", "other ones"),
         OF("2")},
        {"UPDATE meta SET strategy='keep-local'",
         FOUND("6", "meta: the rules that the log sets", "other ones"),
         OF("2")},
    };
    char kept[600];
    make();
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    world_copy(w.dir, kept);
    says(false, "", "CLEAN" OF("2"));
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char end[200];
        world_remove(w.dir);
        world_copy(kept, w.dir);
        world_sql(&w, all[i].sql);
        snprintf(end, sizeof end, "DIVERGED%s", all[i].records);
        says(false, all[i].found, end);
        if (check_failing())
            printf("# %s\n", all[i].sql);
    }
    world_remove(kept);
    world_remove(w.dir);
}

/* Nothing is said of them, neither good nor bad; with anything else that is
 * not well all of it is checked. */
static void left_out(void)
{
    make();
    says(true, LEFT_OUT, "CLEAN" OF("0"));
    world_sql(&w, "UPDATE state SET version=version+1 WHERE record_id='2'");
    says(true, LEFT_OUT, "CLEAN" OF("0"));
    world_sql(&w, "UPDATE events SET id='x' WHERE seq=2");
    says(true,
         FOUND("2", "columns that follow from the line", "other ones")
             FOUND("3", "record: as the log folds", "record: other content"),
         "DIVERGED" OF("2"));
    world_remove(w.dir);
}

#define BELOW "unchecked both 1-6: below the checkpoint\n"
#define SINCE(verdict)                                                         \
    "unchecked store 1-6: records that no entry since is about; cursors,"      \
    " peers, redactions and rules from below\n"                                \
    "unchecked store 1-6: 1 of 2 records with entries since: what they have"   \
    " from below (version, merged payload)\n" verdict                          \
    ", head 8, 2 entries 7-8, 2 records, floor 0, 2 segments, store 1 8,"      \
    " since 7, pending 0\n"

/* From a checkpoint on, of records that were touched since, or by the entries
 * before it in its segment. */
static void touched(void)
{
    static const struct {
        const char *sql, *found;
    } all[] = {
        {"DELETE FROM state WHERE record_id='1'",
         FOUND("7", "record: as the log folds", "record: none")},
        {"UPDATE state SET confidence=0.125 WHERE record_id='1'",
         FOUND("7", "record: as the log folds", "record: other content")},
        {"DELETE FROM state WHERE record_id='3'",
         FOUND("8", "record: as the log folds", "record: none")},
        {"UPDATE state SET version=2 WHERE record_id='3'",
         FOUND("8", "record: as the log folds", "record: other content")},
    };
    char note[PLOG_CHECKPOINT_MAX], mark[600], kept[600], want[900];
    const struct plog_check_options o = {.since = mark};
    plog_reader *r = NULL;
    uint64_t first;
    make();
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    CHECK_INT(world_put(&w, "c", "1", "w", NULL), 0);
    REQUIRE(plog_reader_open(&r, w.dir, NULL, NULL) == 0);
    CHECK_INT(plog_reader_checkpoint(r, note, NULL), 0);
    plog_reader_close(r);
    snprintf(mark, sizeof mark, "%.500s-mark", w.dir);
    world_write(mark, note, strlen(note));
    CHECK_INT(world_put(&w, "d", "3", "w", NULL), 0);
    world_close(&w);
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    world_copy(w.dir, kept);
    CHECK_TEXT(said_check(plog_parity, w.dir, &o), BELOW SINCE("CLEAN"));
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        world_remove(w.dir);
        world_copy(kept, w.dir);
        world_sql(&w, all[i].sql);
        snprintf(want, sizeof want, BELOW "%s" SINCE("DIVERGED"), all[i].found);
        if (!CHECK_TEXT(said_check(plog_parity, w.dir, &o), want))
            printf("# %s\n", all[i].sql);
    }
    world_remove(kept);
    world_remove(w.dir);
}

/* ---- Not read to the end ------------------------------------------------- */

static const char *unread;

static bool at_unread(const char *call, const char *sql, bool busy)
{
    (void)busy;
    return strcmp(call, "prepare") == 0 && strstr(sql, unread) != NULL;
}

/* What comes behind a table that cannot be read is not judged: that it cannot
 * is what is told. */
static void unreadable(void)
{
    static const struct {
        const char *sql, *records;
    } all[] = {{"main.state ORDER BY", OF("0")},
               {"main.cursors ORDER BY", OF("2")},
               {"LEFT JOIN main.peers h", OF("2")}};
    char want[300];
    const struct plog_check_options o = {.vkey = NULL};
    make();
    world_sql(&w, "UPDATE meta SET line_max=line_max+1");
    says(false, FOUND("6", "meta: the rules that the log sets", "other ones"),
         "DIVERGED" OF("2"));
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        unread = all[i].sql;
        sql_calls.fails = at_unread;
        const char *said = said_check(plog_parity, w.dir, &o);
        sql_calls.fails = NULL;
        snprintf(want, sizeof want,
                 "IO: preparing a statement: not an error (SQLite 0)\nCLEAN%s",
                 all[i].records);
        CHECK_TEXT(said, want);
    }
    world_remove(w.dir);
}

/* ---- Whose store it is --------------------------------------------------- */

static void parity_says(const char *want)
{
    CHECK_TEXT(said_check(plog_parity, w.dir,
                          &(struct plog_check_options){.vkey = NULL}),
               want);
}

#define FOREIGN                                                                \
    "FOREIGN in store, store.db: want #; got other; do paritylog replay \n"
#define HIDDEN                                                                 \
    "unchecked store 1-6: records: the log does not give their fold\n"

/* A store with another name than the log's is another log's, also behind
 * damage; of a log that does not say its name it cannot be told. */
static void of_another_log(void)
{
    char path[700], want[600];
    size_t n;
    make();
    world_sql(&w, "UPDATE meta SET origin='other'");
    parity_says(FOREIGN "FOREIGN" OF("2"));
    snprintf(path, sizeof path, "%s", world_path(&w, SEGMENT));
    char *log = world_read(path, &n), *line = strstr(log, "{\"seq\":5");
    REQUIRE(line != NULL);
    line[2] ^= 1;
    world_write(path, log, n);
    snprintf(want, sizeof want,
             "CORRUPT in log, log/00000000000000000001.jsonl at %zu, entry 5:"
             " want #; got #; do paritylog salvage\n"
             "unchecked store 1-6: key rotations: damage may hide one\n" FOREIGN
             "CORRUPT, head 6, 6 entries 1-6, 2 records, floor 0, 1 segments,"
             " store 1 6, since 0, pending 0\n",
             (size_t)(line - log));
    parity_says(want);
    line[2] ^= 1;
    log[3] ^= 1;
    world_write(path, log, n);
    parity_says("CORRUPT in log, log/00000000000000000001.jsonl at 0: want ;"
                " got the header is not one; do paritylog salvage\n"
                "unchecked log 1-0: damaged: see the findings\n" HIDDEN
                "CORRUPT, head 0, 0 entries 0-0, 0 records, floor 0,"
                " 1 segments, store 1 6, since 0, pending 0\n");
    free(log);
    world_remove(w.dir);
}

#define STORE_IS(found)                                                        \
    "BEHIND in store, store.db, entry 1: want a store; got " found             \
    "; do paritylog replay \n"                                                 \
    "unchecked store 1-6: the store cannot be read\n"                          \
    "BEHIND, head 6, 6 entries 1-6, 0 records, floor 0, 1 segments,"           \
    " store 0 0, since 0, pending 0\n"

/* Where there is none the log alone is checked. */
static void no_store(void)
{
    make();
    world_remove(world_path(&w, "store.db-wal"));
    world_remove(world_path(&w, "store.db-shm"));
    world_write(world_path(&w, "store.db"), "", 0);
    parity_says(STORE_IS("store.db is empty"));
    world_remove(world_path(&w, "store.db"));
    parity_says(STORE_IS("there is a log but no store"));
    world_remove(w.dir);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"each table", each_table},
        {"left out", left_out},
        {"touched", touched},
        {"unreadable", unreadable},
        {"of another log", of_another_log},
        {"no store", no_store},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
