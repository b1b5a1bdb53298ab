/*
 * test_parity_rows.c - an entry and its row: where one of the two legs has the
 * line redacted and the other has it whole yet, all that parity says of it; and
 * what a look at the rows does without.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "said.h"
#include "sql_calls.h"
#include "world.h"

static struct world w;

static const char *said(void)
{
    return said_check(plog_parity, w.dir,
                      &(struct plog_check_options){.vkey = NULL});
}

/* ---- Redacted in one leg ------------------------------------------------- */

#define FIRST "log/00000000000000000001.jsonl"

static char kept[600]; /* the store, and the line of entry 3, from before */
static char *old_log, *old_line;
static size_t old_len;

/* Entries 2 to 4 in a segment that has ended, and 5; 3 is redacted by 6. */
static void make(void)
{
    struct plog_redact_report r;
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "asked"};
    uint64_t first;
    size_t n;
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    CHECK_INT(world_put(&w, "a", "1", "v", NULL), 0);
    CHECK_INT(world_put(&w, "b", "2", "the secret", NULL), 0);
    CHECK_INT(world_put(&w, "c", "1", "v", NULL), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    CHECK_INT(world_put(&w, "d", "2", "v", NULL), 0);
    world_close(&w);
    old_line = world_line(&w, 3, &n);
    old_log = world_read(world_path(&w, FIRST), &old_len);
    snprintf(kept, sizeof kept, "%.500s-store.db", w.dir);
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    world_copy(world_path(&w, "store.db"), kept);
    CHECK_INT(plog_redact(w.dir, 3, &o, &r, NULL), 0);
    CHECK_UINT(r.order, 6);
}

static void end(void)
{
    free(old_line);
    free(old_log);
    world_remove(kept);
    world_remove(w.dir);
}

static void store_line(const char *line)
{
    char sql[1000];
    snprintf(sql, sizeof sql, "UPDATE events SET line='%.800s' WHERE seq=3",
             line);
    world_sql(&w, sql);
}

#define CLEAN6                                                                 \
    "CLEAN, head 6, 6 entries 1-6, 2 records, floor 0, 2 segments, store 1 6," \
    " since 0, pending "

/* The order stands in both, and the log's line is replaced later. */
static void whole_in_the_log_yet(void)
{
    make();
    CHECK_TEXT(said(), CLEAN6 "0\n");
    world_write(world_path(&w, FIRST), old_log, old_len);
    CHECK_TEXT(said(), CLEAN6 "1\n");
    /* A store that has the order has followed it. */
    store_line(old_line);
    CHECK_TEXT(said(),
               "DIVERGED in store, store.db, entry 3: want the redacted line"
               " that the order makes; got another line; do paritylog replay \n"
               "DIVERGED, head 6, 6 entries 1-6, 2 records, floor 0, 2"
               " segments, store 1 6, since 0, pending 0\n");
    end();
}

/* Nothing was left in the log, and the store has it again. */
static void whole_in_the_store(void)
{
    make();
    store_line(old_line);
    CHECK_TEXT(said(),
               "DIVERGED in store, store.db, entry 3: want the redacted line;"
               " got another line of the same leaf; do paritylog replay \n"
               "DIVERGED in store, store.db, entry 3: want the redacted line"
               " that the order makes; got another line; do paritylog replay \n"
               "DIVERGED, head 6, 6 entries 1-6, 2 records, floor 0, 2"
               " segments, store 1 6, since 0, pending 0\n");
    end();
}

/* A store that stands before the order has the line as it was. */
static void whole_in_a_store_behind(void)
{
    make();
    world_drop_store(&w);
    world_copy(kept, world_path(&w, "store.db"));
    CHECK_TEXT(said(),
               "BEHIND in store, store.db, entry 6: want entries up to 6; got"
               " entries up to 5; do paritylog replay \n"
               "BEHIND, head 6, 5 entries 1-5, 2 records, floor 0, 2 segments,"
               " store 1 5, since 0, pending 0\n");
    end();
}

/* ---- Behind damage --------------------------------------------------------
 */

/* What a missing segment hides is not judged: none of its rows is one too
 * many. */
static void three_segments(void)
{
    uint64_t first;
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(world_put(&w, NULL, "1", "v", NULL), 0);
        CHECK_INT(world_put(&w, NULL, "2", "v", NULL), 0);
        CHECK_INT(i < 2 ? plog_new_segment(w.p, &first, NULL) : 0, 0);
    }
    world_close(&w);
}

static void a_segment_is_gone(void)
{
    three_segments();
    world_remove(world_path(&w, "log/00000000000000000004.jsonl"));
    CHECK_TEXT(said(),
               "CORRUPT in log, log/00000000000000000004.jsonl, entry 4: want ;"
               " got the segment from entry 4 on is missing; the next one there"
               " starts at 6; do paritylog salvage\n"
               "unchecked log 4-5: damaged: see the findings\n"
               "unchecked store 1-7: records: the log does not give their"
               " fold\n"
               "CORRUPT, head 7, 5 entries 1-7, 0 records, floor 0, 2 segments,"
               " store 1 7, since 0, pending 0\n");
    world_remove(w.dir);
}

/* Nor is the row of one whose header is damaged. */
static void headers(void)
{
    static const char *const names[] = {"log/00000000000000000004.jsonl",
                                        "log/00000000000000000006.jsonl"};
    static const char *const want[] = {
        "CORRUPT in log, log/00000000000000000004.jsonl at 0: want ; got the"
        " header is not one; do paritylog salvage\n"
        "unchecked store 1-7: key rotations: damage may hide one\n"
        "CORRUPT, head 7, 7 entries 1-7, 2 records, floor 0, 3 segments,"
        " store 1 7, since 0, pending 0\n",
        "CORRUPT in log, log/00000000000000000006.jsonl at 0: want ; got the"
        " header is not one; do paritylog salvage\n"
        "unchecked log 6-0: damaged: see the findings\n"
        "unchecked store 1-7: records: the log does not give their fold\n"
        "CORRUPT, head 5, 5 entries 1-5, 0 records, floor 0, 3 segments,"
        " store 1 7, since 0, pending 0\n"};
    for (int i = 0; i < 2; i++) {
        size_t n;
        three_segments();
        char *bytes = world_read(world_path(&w, names[i]), &n);
        char *at = strstr(bytes, "\"origin\":\"");
        REQUIRE(at != NULL);
        at[12] ^= 1;
        world_write(world_path(&w, names[i]), bytes, n);
        free(bytes);
        CHECK_TEXT(said(), want[i]);
        world_remove(w.dir);
    }
}

/* ---- A look -------------------------------------------------------------- */

/* It goes through a table once: what it has read it need not keep. */
static void in_little_memory(void)
{
    enum { COUNT = 40 };
    static char texts[COUNT][40000], payload[39000];
    struct plog_span spans[COUNT];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = spans, .delta_count = COUNT};
    struct world_delta d = {.record = "1", .payload = payload};
    snprintf(payload, sizeof payload, "{\"v\":\"%038000d\"}", 0);
    for (unsigned k = 0; k < COUNT; k++) {
        world_text(texts[k], sizeof texts[k], &d);
        spans[k] = (struct plog_span){texts[k], strlen(texts[k])};
    }
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_ARRIVAL, 0);
    for (int i = 0; i < 3; i++)
        CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
    world_close(&w);
    struct world_found f;
    sqlite3_memory_highwater(1);
    int64_t before = sqlite3_memory_used();
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    int64_t most = sqlite3_memory_highwater(0) - before;
    if (!CHECK(most < 5 << 19))
        printf("# %" PRId64 "\n", most);
    world_remove(w.dir);
}

static const char *failing; /* begins the statement that fails */
static unsigned failed;

static bool fails(const char *call, const char *sql, bool busy)
{
    (void)busy;
    if (strcmp(call, "step") == 0 ||
        strncmp(sql, failing, strlen(failing)) != 0)
        return false;
    failed++;
    return true;
}

/* A statement that cannot be had: a look that needs it has not begun, and one
 * that leaves the records out does not ask for what folds them. */
static void what_it_needs(void)
{
    static const struct {
        const char *sql;
        bool for_records;
    } all[] = {
        {"PRAGMA temp.journal_mode", false},
        {"PRAGMA main.cache_size", false},
        {"SELECT seq,id,resource,record_id,op", false},
        {"SELECT size,line FROM main.checkpoints", false},
        {"SELECT first FROM main.segments", false},
        {"SELECT line FROM temp.truth", false},
        {"INSERT OR REPLACE INTO temp.truth", false},
        {"INSERT OR REPLACE INTO temp.cursors", false},
        {"INSERT OR REPLACE INTO temp.state", false},
        {"CREATE TEMP TABLE tally", true},
        {"INSERT INTO temp.tally", true},
        {"SELECT items FROM temp.tally", true},
    };
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, "a", "1", "v", NULL), 0);
    world_close(&w);
    for (size_t i = 0; i < 2 * sizeof all / sizeof *all; i++) {
        struct plog_check_options o = {.struct_size = sizeof o,
                                       .skip_records = i % 2};
        struct plog_check_report r;
        struct plog_error err = {0};
        bool needed = !o.skip_records || !all[i / 2].for_records;
        failing = all[i / 2].sql;
        failed = 0;
        sql_calls.fails = fails;
        int rc = plog_parity(w.dir, &o, &r, &err);
        sql_calls.fails = NULL;
        bool fits = CHECK_INT(rc, needed ? PLOG_E_IO : 0);
        fits &= CHECK_INT(err.code, needed ? PLOG_E_IO : 0);
        fits &= CHECK_UINT(failed, needed);
        fits &= CHECK_INT(r.verdict, 0);
        if (!fits)
            printf("# %s\n", failing);
    }
    world_end(&w, 2);
}

static unsigned rows_left; /* that can be read; then one cannot */

static bool row_fails(const char *call, const char *sql, bool busy)
{
    (void)busy;
    if (strcmp(call, "step") != 0 ||
        strncmp(sql, failing, strlen(failing)) != 0 || rows_left-- > 0)
        return false;
    sql_calls.failing = true;
    failed++;
    return true;
}

/* Where a row cannot be read the check has failed, and says so: also among
 * those that damage hides, with others behind them. */
static void each_row(void)
{
    static const char *const all[] = {"SELECT seq,id,resource,record_id,op",
                                      "SELECT size,line FROM main.checkpoints",
                                      "SELECT first FROM main.segments"};
    static const char last[] = "log/00000000000000000006.jsonl";
    three_segments();
    world_write(world_path(&w, last), "{}\n", 3);
    world_sql(&w, "INSERT INTO events(seq,line) VALUES(8,'x'),(9,'y');"
                  "INSERT INTO checkpoints VALUES(8,'x'),(9,'y');"
                  "INSERT INTO segments(first) VALUES(8),(9)");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (unsigned n = 0; n == 0 || failed; n++) {
            struct plog_check_options o = {.struct_size = sizeof o};
            struct plog_check_report r;
            struct plog_error err = {0};
            failing = all[i];
            rows_left = n;
            failed = 0;
            sql_calls.fails = row_fails;
            int rc = plog_parity(w.dir, &o, &r, &err);
            memset(&sql_calls, 0, sizeof sql_calls);
            bool fits = CHECK_INT(rc, failed ? PLOG_E_IO : 0);
            fits &= !failed || CHECK_INT(err.code, PLOG_E_IO);
            fits &= CHECK(failed <= 1);
            if (!failed)
                fits &= CHECK_INT(r.verdict, PLOG_E_CORRUPT) && CHECK(n > 3);
            if (!fits)
                printf("# %s: row %u: %s\n", failing, n, err.message);
        }
    world_remove(w.dir);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"whole in the log yet", whole_in_the_log_yet},
        {"whole in the store", whole_in_the_store},
        {"whole in a store behind", whole_in_a_store_behind},
        {"a segment is gone", a_segment_is_gone},
        {"headers", headers},
        {"in little memory", in_little_memory},
        {"what it needs", what_it_needs},
        {"each row", each_row},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
