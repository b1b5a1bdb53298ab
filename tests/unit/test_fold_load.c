/*
 * test_fold_load.c - all rows of `state` come into memory at once, when that is
 * worth it: what a fold reads is the same, also of rows that memory cannot hold
 * and where it is full before the end.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "fold_table.h"
#include "heap.h"
#include "sql_calls.h"

#define ROOM ((size_t)10 << 20)
#define ROW_BYTES 144 /* counted for each, in core/fold_load.c */

static sqlite3 *db;
static struct plog_fold plain, kept;
static struct plog_fold_table table;
static struct heap heap;
static struct plog_error err;

static void sql(const char *text)
{
    CHECK_INT(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
}

/* Records r1 ..., of which each seventh has a merged payload. */
static void fill(int rows, int merged)
{
    char text[600];
    snprintf(text, sizeof text,
             "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c"
             " WHERE x<%d) INSERT INTO state SELECT 'q','r'||x,x,x+5,x%%9,"
             "x*100,x%%1000,0.5,iif(x%%11,NULL,'o'||x),x,iif(x%%7,40,0),"
             "iif(x%%7,8,0),iif(x%%7,NULL,printf('%%0*d',%d,x)) FROM c",
             rows, merged);
    sql("DELETE FROM state");
    sql(text);
}

static void set_up_at(const char *path, size_t room)
{
    heap_init(&heap);
    memset(&plain, 0, sizeof plain);
    plain.io = &heap.io;
    plain.origin = "me";
    kept = plain;
    CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
    sql("CREATE TABLE IF NOT EXISTS"
        " state(" PLOG_STATE_COLUMNS ") " PLOG_STATE_OPTIONS);
    CHECK_INT(plog_fold_open(&plain, db, "main", NULL), 0);
    CHECK_INT(plog_fold_open(&kept, db, "main", NULL), 0);
    plog_fold_table_init(&table, &heap.io, room);
    kept.table = &table;
    kept.loads = db;
}

static void set_up(size_t room)
{
    set_up_at(":memory:", room);
}

static void tear_down(void)
{
    plog_fold_close(&plain);
    plog_fold_close(&kept);
    plog_fold_table_fini(&table);
    CHECK_INT(sqlite3_close(db), SQLITE_OK);
    CHECK_UINT(heap.live, 0);
}

/* What the fold with memory reads of a record is what the plain one reads. */
static void same(int record)
{
    struct plog_current a, b;
    char id[16];
    snprintf(id, sizeof id, "r%d", record);
    struct plog_span q = plog_span_text("q"), r = plog_span_text(id);
    CHECK_INT(plog_fold_get(&plain, q, r, &a, NULL), 0);
    CHECK_INT(plog_fold_get(&kept, q, r, &b, NULL), 0);
    CHECK(a.known == b.known && a.present == b.present && a.seq == b.seq);
    CHECK(a.last == b.last && a.version == b.version);
    CHECK(a.instant.seconds == b.instant.seconds &&
          a.instant.nanos == b.instant.nanos && a.confidence == b.confidence);
    CHECK(plog_span_equal(a.origin, b.origin) && a.origin_seq == b.origin_seq);
    CHECK(a.payload_at == b.payload_at && a.payload_len == b.payload_len);
    CHECK(plog_span_equal(a.merged, b.merged));
}

/* ---- Whether ------------------------------------------------------------- */

static int load(uint64_t looked_up)
{
    table.looked_up = looked_up;
    err = (struct plog_error){.code = 0};
    int rc = plog_fold_load(&table, db, &err);
    CHECK_INT(err.code, rc);
    CHECK(rc || !err.message[0]);
    return rc;
}

static void a_share_of_them(void)
{
    set_up(ROOM);
    fill(3000, 20);
    CHECK_INT(load(299), 0);
    CHECK(!table.holds_all && table.row_count == 0);
    CHECK_INT(load(300), 0);
    CHECK(table.holds_all);
    CHECK_UINT(table.row_count, 3000);
    for (int i = 0; i < 3010; i++) /* some that are not there */
        same(i);
    CHECK_UINT(table.row_count, 3011 - 1);
    tear_down();
}

/* As many as the table has room for, and not one more. */
static void too_many(void)
{
    for (int more = 0; more < 2; more++) {
        set_up((size_t)20000 * ROW_BYTES);
        fill(20000 + more, 1);
        CHECK_INT(load(5000), 0);
        CHECK(table.holds_all == !more);
        CHECK_UINT(table.row_count, more ? 0 : 20000);
        fill(10, 1); /* it is not asked again */
        CHECK_INT(load(50000), 0);
        CHECK_UINT(table.row_count, more ? 0 : 20000);
        tear_down();
    }
}

/* By a fold that looks up, once it has done so often enough. */
static void by_looking_up(void)
{
    set_up(ROOM);
    fill(6000, 20);
    for (int i = 1; i < PLOG_FOLD_LOAD_LEAST; i++)
        same(2 * i);
    CHECK(!table.holds_all);
    same(1);
    CHECK(table.holds_all);
    for (int i = 1; i <= 6000; i++)
        same(i);
    /* What is forgotten is looked up again, one by one: there was no room. */
    CHECK_INT(plog_fold_forget(&kept, NULL), 0);
    CHECK(!table.holds_all);
    same(7);
    CHECK_UINT(table.row_count, 1);
    for (int i = 1; i <= 6000; i++)
        same(i);
    CHECK(!table.holds_all);
    tear_down();
}

/* A fold that has no such place never does. */
static void nowhere_to_load_from(void)
{
    set_up(ROOM);
    fill(6000, 20);
    kept.loads = NULL;
    for (int i = 1; i <= 6000; i++)
        same(i);
    CHECK(!table.holds_all && table.looked_up == 0);
    tear_down();
}

/* ---- Which --------------------------------------------------------------- */

/* What memory has is newer, also that there is none. */
static void what_is_here_stays(void)
{
    struct plog_current now;
    set_up(ROOM);
    fill(50, 20);
    struct plog_span q = plog_span_text("q"), r = plog_span_text("r5");
    CHECK_INT(plog_fold_get(&kept, q, r, &now, NULL), 0);
    now.version = 77;
    now.row->dirty = true;
    CHECK_INT(plog_fold_row_set(&table, now.row, &now), 0);
    CHECK_INT(plog_fold_get(&kept, q, plog_span_text("none"), &now, NULL), 0);
    CHECK(!now.known);
    CHECK_INT(load(5000), 0);
    CHECK(table.holds_all);
    CHECK_UINT(table.row_count, 51);
    CHECK_INT(plog_fold_get(&kept, q, r, &now, NULL), 0);
    CHECK(now.version == 77 && now.row->dirty);
    CHECK_INT(plog_fold_write(&kept, NULL), 0);
    CHECK_INT(plog_fold_get(&plain, q, r, &now, NULL), 0);
    CHECK_UINT(now.version, 77);
    for (int i = 1; i <= 50; i++)
        same(i);
    tear_down();
}

/* Only a damaged store has such rows; they are looked up as before. */
static void rows_that_do_not_fit(void)
{
    static const char *const damage[] = {
        "UPDATE state SET nanos=-1 WHERE record_id='r5'",
        "UPDATE state SET payload_at=4294967296 WHERE record_id='r5'",
        "INSERT INTO state SELECT 'q',printf('%070000d',0),seq,last,version,"
        "seconds,nanos,confidence,origin,origin_seq,payload_at,payload_len,"
        "merged FROM state WHERE record_id='r5'",
        "INSERT INTO state SELECT printf('%070000d',0),'x',seq,last,version,"
        "seconds,nanos,confidence,origin,origin_seq,payload_at,payload_len,"
        "merged FROM state WHERE record_id='r5'",
    };
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        set_up(ROOM);
        fill(50, 20);
        sql(damage[i]);
        CHECK_INT(load(5000), 0);
        CHECK(!table.holds_all);
        CHECK_UINT(table.row_count, i < 2 ? 49 : 50);
        CHECK_INT(load(50000), 0); /* once is enough */
        CHECK(table.load_at == UINT64_MAX);
        for (int k = 1; k <= 50; k++)
            same(k);
        tear_down();
    }
}

/* Texts were not counted: the table is full before the end, and begins anew. */
static void full_before_the_end(void)
{
    set_up((size_t)1 << 20);
    fill(2000, 9000);
    CHECK_INT(load(5000), 0);
    CHECK(!table.holds_all);
    CHECK(table.row_count > 100 && table.row_count < 2000);
    CHECK(plog_fold_table_is_full(&table));
    for (int i = 1; i <= 2000; i++)
        same(i);
    CHECK(table.bytes < ((size_t)3 << 20));
    tear_down();
}

/* Overwrites the type of the page in the middle of a file. */
static void damage_middle(const char *path)
{
    FILE *f = fopen(path, "r+b");
    CHECK(f && fseek(f, 0, SEEK_END) == 0);
    long pages = ftell(f) / 4096;
    CHECK(pages > 10);
    CHECK_INT(fseek(f, pages / 2 * 4096, SEEK_SET), 0);
    CHECK_INT(fputc(0x77, f), 0x77);
    CHECK_INT(fclose(f), 0);
}

/* A page that cannot be read is met also where nobody asked for its records;
 * those of other pages are read as ever. */
static void a_damaged_page(void)
{
    char path[512];
    struct plog_current now;
    snprintf(path, sizeof path, "%s/damaged.db", check_dir());
    for (int counted = 0; counted < 2; counted++) {
        unlink(path);
        set_up_at(path, ROOM);
        fill(2000, 20);
        tear_down();
        damage_middle(path);
        set_up_at(path, ROOM);
        if (counted) /* else it is met by counting */
            table.load_at = 1;
        CHECK_INT(load(5000), 0);
        CHECK(!table.holds_all && table.load_at == UINT64_MAX);
        CHECK(counted ? table.row_count > 0 : table.row_count == 0);
        int failed = 0;
        for (int i = 1; i <= 2000; i++) {
            char id[16];
            snprintf(id, sizeof id, "r%d", i);
            int rc = plog_fold_get(&kept, plog_span_text("q"),
                                   plog_span_text(id), &now, NULL);
            failed += rc == PLOG_E_DIVERGED;
            CHECK(rc == PLOG_E_DIVERGED || (rc == 0 && now.seq == (uint64_t)i));
        }
        CHECK(failed > 10 && failed < 200);
        tear_down();
    }
}

/* ---- What goes wrong ----------------------------------------------------- */

/* Of rows, and of texts so long that memory is taken for each alone. */
static void no_memory(void)
{
    static const int rows[] = {900, 20}, merged[] = {300, 300000};
    for (int i = 0; i < 2; i++) {
        int rc = PLOG_E_NOMEM;
        for (size_t k = 1; rc && k < 50; k++) {
            set_up(ROOM);
            fill(rows[i], merged[i]);
            heap_fail(&heap, k, false);
            rc = load(5000);
            heap_fail(&heap, 0, false);
            if (rc)
                CHECK_INT(rc, PLOG_E_NOMEM);
            CHECK(table.holds_all == !rc);
            if (rc) /* as a replay that ends so */
                plog_fold_table_fini(&table);
            for (int r = 1; r <= rows[i]; r += rows[i] / 18)
                same(r);
            tear_down();
        }
        CHECK_INT(rc, 0);
    }
}

static bool not_counted(const char *call, const char *sql_text, bool busy)
{
    (void)busy;
    return strcmp(call, "prepare") == 0 && strstr(sql_text, "count(*)");
}

/* Rows that cannot be counted: told, and not tried again. */
static void cannot_be_counted(void)
{
    set_up(ROOM);
    fill(300, 20);
    sql_calls.fails = not_counted;
    CHECK_INT(load(5000), PLOG_E_IO);
    CHECK(err.message[0] != '\0');
    CHECK_INT(load(5000), 0);
    sql_calls.fails = NULL;
    CHECK(!table.holds_all && table.row_count == 0);
    for (int i = 1; i <= 300; i++)
        same(i);
    tear_down();
}

static int sqlite_stops(void *arg)
{
    return ++*(int *)arg > 3;
}

static void sqlite_fails(void)
{
    int steps = 0;
    struct plog_current now;
    set_up(ROOM);
    fill(3000, 20);
    sqlite3_progress_handler(db, 100, sqlite_stops, &steps);
    CHECK(load(5000) < 0);
    sqlite3_progress_handler(db, 0, NULL, NULL);
    CHECK(!table.holds_all);
    tear_down();
    set_up(ROOM);
    fill(3000, 20);
    /* And a look-up that meets it says so. */
    table.looked_up = PLOG_FOLD_LOAD_LEAST;
    steps = 3;
    sqlite3_progress_handler(db, 1, sqlite_stops, &steps);
    CHECK(plog_fold_get(&kept, plog_span_text("q"), plog_span_text("z"), &now,
                        NULL) < 0);
    sqlite3_progress_handler(db, 0, NULL, NULL);
    tear_down();
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"a share of them", a_share_of_them},
        {"too many", too_many},
        {"by looking up", by_looking_up},
        {"nowhere to load from", nowhere_to_load_from},
        {"what is here stays", what_is_here_stays},
        {"rows that do not fit", rows_that_do_not_fit},
        {"full before the end", full_before_the_end},
        {"a damaged page", a_damaged_page},
        {"no memory", no_memory},
        {"cannot be counted", cannot_be_counted},
        {"sqlite fails", sqlite_fails},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
