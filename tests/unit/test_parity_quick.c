/*
 * test_parity_quick.c - a check is first a look whether there is anything to
 * find, and reads ahead with a second thread; what it says is the same with
 * and without.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "parity.h"
#include "said.h"
#include "sql_calls.h"
#include "world.h"

#define GROUP 50

static struct world w;

/* A log of some MiB in segments of `segment_size`; all strategies by turns. */
static void make(enum plog_strategy strategy, unsigned groups,
                 uint64_t segment_size)
{
    static char texts[GROUP][900], payload[500];
    struct plog_span spans[GROUP];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = spans, .delta_count = GROUP};
    uint64_t random = check_seed();
    world_make(&w, strategy, segment_size);
    for (unsigned i = 0; i < groups; i++) {
        for (unsigned k = 0; k < GROUP; k++) {
            uint64_t r = check_random(&random);
            char record[24], id[32], confidence[16];
            struct world_delta d = {.record = record,
                                    .op = r >> 60 ? "upsert" : "delete",
                                    .payload = r >> 60 ? payload : NULL,
                                    .confidence = confidence};
            snprintf(payload, sizeof payload, "{\"v\":\"%0*llu\"}",
                     (int)(r % 400 + 1), (unsigned long long)(r >> 40));
            snprintf(record, sizeof record, "r%u", (unsigned)(r >> 9 & 255));
            snprintf(id, sizeof id, "id-%u-%u", i, k);
            snprintf(confidence, sizeof confidence, "0.%u",
                     (unsigned)(r >> 17 & 7));
            d.id = r >> 20 & 1 ? id : NULL;
            world_text(texts[k], sizeof texts[k], &d);
            spans[k] = (struct plog_span){texts[k], strlen(texts[k])};
        }
        REQUIRE(CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0));
    }
    world_close(&w);
}

/* Both checks, with one thread and with two: the same to the last finding. */
static int same_with_both(bool parity, struct world_found *f)
{
    struct world_found two;
    struct plog_check_options o = {.struct_size = sizeof o, .threads = 1};
    int (*check)(const struct world *, const struct plog_check_options *,
                 struct world_found *) = parity ? world_parity : world_verify;
    int verdict = check(&w, &o, f);
    o.threads = 2;
    CHECK_INT(check(&w, &o, &two), verdict);
    f->report.seconds = two.report.seconds = 0;
    CHECK(memcmp(&f->report, &two.report, sizeof two.report) == 0);
    CHECK(memcmp(f->first, two.first, sizeof two.first) == 0);
    CHECK_UINT(f->count, two.count);
    CHECK_UINT(f->unchecked, two.unchecked);
    return verdict;
}

static void clean(void)
{
    static const enum plog_strategy strategies[] = {
        PLOG_ARRIVAL, PLOG_LAST_WRITE_WINS, PLOG_HIGHEST_CONFIDENCE,
        PLOG_KEEP_LOCAL, PLOG_MERGE_JSON};
    for (size_t i = 0; i < sizeof strategies / sizeof *strategies; i++)
        for (unsigned many = 0; many < 2; many++) {
            struct world_found f;
            struct plog_check_options o = {.struct_size = sizeof o};
            make(strategies[i], 100, many ? 100000 : 0);
            CHECK_INT(same_with_both(false, &f), 0);
            CHECK_UINT(f.report.entries, 100 * GROUP + 1);
            CHECK_INT(same_with_both(true, &f), 0);
            CHECK_UINT(f.report.entries, 100 * GROUP + 1);
            CHECK_INT(f.report.records,
                      world_number(&w, "SELECT count(*) FROM state"));
            CHECK(f.report.records > 100);
            CHECK_UINT(f.unchecked, 0);
            CHECK_INT(world_parity(&w, &o, &f), 0); /* by its own choice */
            world_remove(w.dir);
        }
}

/* A byte of the log changed, lost or one too many, anywhere. */
static void damaged(void)
{
    size_t len;
    make(PLOG_LAST_WRITE_WINS, 100, 0);
    const char *name = "log/00000000000000000001.jsonl";
    char *bytes = world_read(world_path(&w, name), &len);
    uint64_t random = check_seed() + 7;
    CHECK(len > 1u << 20);
    for (unsigned i = 0; bytes && i < 12 && !check_failing(); i++) {
        struct world_found f;
        size_t at = (size_t)(check_random(&random) % (len - 2)), n = len;
        char *odd = malloc(len + 1);
        REQUIRE(odd != NULL);
        memcpy(odd, bytes, len);
        if (i % 4 == 0) {
            odd[at] ^= 1;
        } else if (i % 4 == 1) {
            memmove(odd + at, odd + at + 1, len - at - 1);
            n--;
        } else if (i % 4 == 2) {
            memmove(odd + at + 1, odd + at, len - at);
            n++;
        } else {
            n = at; /* cut off */
        }
        world_write(world_path(&w, name), odd, n);
        CHECK(same_with_both(false, &f) != 0);
        CHECK(same_with_both(true, &f) != 0);
        free(odd);
    }
    free(bytes);
    world_remove(w.dir);
}

/* Each column of each table that a look compares. */
static void rows(void)
{
    static const char *const edits[] = {
        "UPDATE events SET line=line||' ' WHERE seq=777",
        "UPDATE events SET id='other' WHERE seq=777",
        "UPDATE events SET resource='other' WHERE seq=777",
        "UPDATE events SET record_id='other' WHERE seq=777",
        "UPDATE events SET op='delete',outcome='skipped' WHERE seq=777",
        "UPDATE events SET outcome='other' WHERE seq=777",
        "UPDATE events SET previous=previous-1 WHERE seq=4777",
        "UPDATE events SET previous=NULL WHERE seq=4777",
        "UPDATE events SET previous=0 WHERE seq=4777",
        "UPDATE events SET previous=-4 WHERE seq=4777",
        "UPDATE events SET previous=1 WHERE seq=1",
        "DELETE FROM events WHERE seq=777",
        "INSERT INTO events VALUES(-5,NULL,NULL,NULL,NULL,NULL,NULL,'x')",
        "INSERT INTO events VALUES(99999,NULL,NULL,NULL,NULL,NULL,NULL,'x')",
        "UPDATE checkpoints SET line=line||' ' WHERE size=51",
        "DELETE FROM checkpoints WHERE size=51",
        "INSERT INTO checkpoints VALUES(52,'x')",
        "DELETE FROM segments",
        "UPDATE state SET version=version+1 WHERE record_id='r7'",
        "UPDATE state SET last=last-1 WHERE record_id='r7'",
        "UPDATE state SET payload_at=payload_at+1 WHERE record_id='r7'",
        "DELETE FROM state WHERE record_id='r7'",
        "INSERT INTO cursors VALUES('a','b','c',5)",
        "INSERT INTO peers VALUES('p',5,0,NULL,NULL)",
        "INSERT INTO rotations VALUES(9)",
        "INSERT INTO redactions VALUES(9,8,0)",
        "INSERT INTO compactions VALUES(9,8,0)",
        "INSERT INTO old_ids VALUES(x'00',5,x'00',NULL)",
        "UPDATE meta SET line_max=line_max+1",
        "UPDATE meta SET strategy='arrival'",
        "UPDATE meta SET offset=offset+1",
    };
    make(PLOG_LAST_WRITE_WINS, 100, 0);
    char saved[600];
    snprintf(saved, sizeof saved, "%.500s-saved", w.dir);
    world_copy(w.dir, saved);
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        struct world_found f;
        world_remove(w.dir);
        world_copy(saved, w.dir);
        world_sql(&w, edits[i]);
        if (same_with_both(true, &f) == 0)
            CHECK_TEXT("nothing found", edits[i]);
    }
    world_remove(saved);
    world_remove(w.dir);
}

/* Left out, and said so; but not where anything else is found. */
static void without_records(void)
{
    struct world_found f;
    struct plog_check_options o = {.struct_size = sizeof o,
                                   .skip_records = true};
    make(PLOG_ARRIVAL, 20, 0);
    CHECK_INT(world_parity(&w, &o, &f), 0);
    CHECK_UINT(f.unchecked, 1);
    CHECK_UINT(f.report.entries, 20 * GROUP + 1);
    CHECK_UINT(f.report.records, 0);
    world_sql(&w, "UPDATE state SET version=version+1 WHERE record_id='r7'");
    CHECK_INT(world_parity(&w, &o, &f), 0);
    CHECK_UINT(f.unchecked, 1);
    CHECK_INT(world_verify(&w, &o, &f), 0);
    CHECK_UINT(f.unchecked, 0);
    world_sql(&w, "UPDATE events SET op='x' WHERE seq=77");
    CHECK_INT(world_parity(&w, &o, &f), PLOG_E_DIVERGED);
    CHECK_UINT(f.count, 2);
    CHECK_UINT(f.unchecked, 0);
    CHECK(f.report.records > 100);
    world_remove(w.dir);
}

static const char *failing; /* begins the statement that fails */
static unsigned failed;

static bool fails(const char *call, const char *sql, bool busy)
{
    (void)busy;
    if (strcmp(call, "prepare") != 0 ||
        strncmp(sql, failing, strlen(failing)) != 0)
        return false;
    failed++;
    return true;
}

/* A look that could not begin has not found all well. */
static void not_begun(void)
{
    static const char *const all[] = {
        "INSERT OR REPLACE INTO temp.cursors",
        "INSERT OR REPLACE INTO temp.truth",
        "INSERT OR REPLACE INTO temp.state",
        "INSERT INTO temp.tally",
    };
    make(PLOG_ARRIVAL, 1, 0);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_check_options o = {.struct_size = sizeof o};
        struct plog_check_report r;
        struct plog_error err = {0};
        failing = all[i];
        failed = 0;
        sql_calls.fails = fails;
        int rc = plog_parity(w.dir, &o, &r, &err);
        sql_calls.fails = NULL;
        bool told = CHECK_INT(rc, PLOG_E_IO);
        told &= CHECK_INT(err.code, PLOG_E_IO);
        if (!(told & CHECK_UINT(failed, 1)))
            printf("# %s\n", all[i]);
    }
    world_remove(w.dir);
}

/* A look goes through a table once: what it has read it need not keep, however
 * much the store holds. */
static void in_little_memory(void)
{
    static char texts[GROUP][3600], payload[3201];
    struct world_found f;
    struct plog_span spans[GROUP];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = spans, .delta_count = GROUP};
    struct world_delta d = {.record = "1", .payload = payload};
    snprintf(payload, sizeof payload, "{\"v\":\"%03190d\"}", 0);
    for (unsigned k = 0; k < GROUP; k++) {
        world_text(texts[k], sizeof texts[k], &d);
        spans[k] = (struct plog_span){texts[k], strlen(texts[k])};
    }
    world_make(&w, PLOG_ARRIVAL, 0);
    for (int i = 0; i < 30; i++)
        CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
    world_close(&w);
    CHECK(world_number(&w, "SELECT sum(length(line)) FROM events") > 4500000);
    sqlite3_memory_highwater(1);
    int64_t before = sqlite3_memory_used();
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    int64_t most = sqlite3_memory_highwater(0) - before;
    CHECK(most < 3 << 20);
    world_remove(w.dir);
}

static unsigned steps, stop_at;

static int on_progress(void *arg, const struct plog_progress *p)
{
    (void)arg, (void)p;
    return ++steps == stop_at;
}

/* Stopped at any step, in the look and in the check behind it. */
static void stopped(void)
{
    make(PLOG_ARRIVAL, 100, 0);
    for (unsigned odd = 0; odd < 2; odd++) {
        int rc = PLOG_E_INTERRUPTED;
        for (stop_at = 1; rc && stop_at < 100; stop_at++) {
            struct plog_check_report r;
            struct plog_check_options o = {.struct_size = sizeof o,
                                           .progress = on_progress,
                                           .threads = 1 + stop_at % 2};
            steps = 0;
            rc = plog_parity(w.dir, &o, &r, NULL);
            CHECK(rc == 0 || rc == PLOG_E_INTERRUPTED);
            CHECK_INT(rc ? 0 : r.verdict, odd && !rc ? PLOG_E_DIVERGED : 0);
        }
        CHECK(stop_at > (odd ? 8 : 4) && stop_at < 100);
        world_sql(&w,
                  "UPDATE state SET version=version+1 WHERE record_id='r7'");
    }
    world_remove(w.dir);
}

/* ---- Where the look must not be the last word ---------------------------- */

/* A head that somebody has seen and that is not there: what looked well until
 * then is no mark from which the next check may go on. */
static void a_head_is_missing(void)
{
    struct world_found f;
    char mark[600];
    make(PLOG_LAST_WRITE_WINS, 1, 0);
    snprintf(mark, sizeof mark, "%.500s-mark", w.dir);
    struct plog_check_options o = {.struct_size = sizeof o,
                                   .has_expect_head = true,
                                   .expect_size = GROUP + 9,
                                   .watermark = mark};
    CHECK_INT(world_parity(&w, &o, &f), PLOG_E_ROLLBACK);
    CHECK_UINT(f.count, 1);
    CHECK(access(mark, F_OK) != 0);
    CHECK(!f.report.watermark);
    o.has_expect_head = false;
    CHECK_INT(world_parity(&w, &o, &f), 0);
    CHECK(access(mark, F_OK) == 0);
    world_remove(w.dir);
}

static unsigned rows_left;

static bool fails_row(const char *call, const char *sql, bool busy)
{
    return !strcmp(call, "step") && busy &&
           strstr(sql, "line FROM main.events WHERE seq>=?1") != NULL &&
           rows_left && --rows_left == 0;
}

/* A row that cannot be read is an error, wherever in its group it stands, and
 * not forgotten for the next. */
static void a_row_cannot_be_read(void)
{
    make(PLOG_LAST_WRITE_WINS, 1, 0);
    for (unsigned nth = 1; nth < GROUP; nth += 6) {
        struct plog_check_report r;
        struct plog_error err = {.code = 0};
        rows_left = nth;
        sql_calls.fails = fails_row;
        CHECK_INT(plog_parity(w.dir, NULL, &r, &err), PLOG_E_IO);
        sql_calls.fails = NULL;
        CHECK_UINT(rows_left, 0);
        CHECK_INT(err.code, PLOG_E_IO);
    }
    world_end(&w, GROUP + 1);
}

/* The first entry about its record has no link, and none is NULL alone; what
 * the row says besides is never passed over. */
static void no_link(void)
{
    static const struct {
        const char *previous;
        uint64_t seq;
    } odd[] = {
        {"0", 2},  {"-4", 2}, {"1", 2},  {"2", 2}, {"0", 3},
        {"-1", 3}, {"2", 3},  {"0", 4},  {"3", 4}, {"NULL", 4},
        {"0", 1},  {"-1", 1}, {"-2", 4}, {"1", 1}, {"4", 4},
    };
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, NULL, "1", "v", NULL), 0);
    CHECK_INT(world_put(&w, "i", "2", "v", NULL), 0);
    CHECK_INT(world_put(&w, NULL, "1", "v", NULL), 0);
    world_close(&w);
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        struct plog_check_options o = {.vkey = NULL};
        char sql[100], want[300];
        snprintf(sql, sizeof sql, "UPDATE events SET previous=%s WHERE seq=%u",
                 odd[i].previous, (unsigned)odd[i].seq);
        world_sql(&w, sql);
        snprintf(want, sizeof want,
                 "DIVERGED in store, store.db, entry %u: want columns that"
                 " follow from the line; got other ones; do paritylog replay \n"
                 "DIVERGED, head 4, 4 entries 1-4, 2 records, floor 0, 1"
                 " segments, store 1 4, since 0, pending 0\n",
                 (unsigned)odd[i].seq);
        if (!CHECK_TEXT(said_check(plog_parity, w.dir, &o), want))
            printf("# %s\n", sql);
        world_sql(&w, "UPDATE events SET previous=CASE seq WHEN 4 THEN 2 END");
        CHECK_TEXT(said_check(plog_parity, w.dir, &o),
                   "CLEAN, head 4, 4 entries 1-4, 2 records, floor 0, 1"
                   " segments, store 1 4, since 0, pending 0\n");
    }
    world_end(&w, 4);
}

static unsigned begun;

static bool counts_looks(const char *call, const char *sql, bool busy)
{
    (void)busy;
    begun += !strcmp(call, "prepare") &&
             !strncmp(sql, "SELECT first FROM main.segments", 31);
    return false;
}

/* How often it goes through the log. */
static unsigned looks(int verdict)
{
    struct plog_check_options o = {.struct_size = sizeof o};
    struct plog_check_report r;
    begun = 0;
    sql_calls.fails = counts_looks;
    CHECK_INT(plog_parity(w.dir, &o, &r, NULL), 0);
    sql_calls.fails = NULL;
    CHECK_INT(r.verdict, verdict);
    return begun;
}

static void put(const struct world_delta *d)
{
    char text[700];
    CHECK_INT(world_append(&w, world_text(text, sizeof text, d), NULL, NULL),
              0);
}

/* Whatever a line may be, where all is well a look is enough; where one thing
 * is not, the log is read once more and no oftener. */
static void one_look(void)
{
    struct plog_cursor c = {{"s", 1}, {"*", 1}, {"c", 1}};
    struct plog_group g = {
        .struct_size = sizeof g, .cursors = &c, .cursor_count = 1};
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "asked"};
    struct plog_redact_report r;
    struct world_delta all[] = {
        {.record = "1"},
        {.id = "i", .record = "1"},
        {.record = "1", .time = "2020-01-02T03:04:05Z"}, /* skipped */
        {.record = "2", .op = "delete", .payload = "null"},
        {.id = "\\u00e4\\n", .record = "\\u00e4", .payload = "{\"a\":[]}"},
        {.record = "3", .confidence = "0.25"},
        {.record = "3", .op = "delete", .payload = "null"},
        {.id = "j", .record = "3", .time = "2020-01-02T03:04:05Z"},
    };
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        put(&all[i]);
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
    CHECK_INT(plog_set_strategy(w.p, PLOG_HIGHEST_CONFIDENCE, NULL, NULL), 0);
    put(&all[1]);
    put(&all[5]);
    world_close(&w);
    CHECK_UINT(looks(0), 1);
    for (uint64_t seq = 3; seq <= 8; seq += seq == 3 ? 2 : 3) {
        CHECK_INT(plog_redact(w.dir, seq, &o, &r, NULL), 0);
        CHECK_UINT(looks(0), 1); /* 5 and 8 are deletes */
    }
    world_sql(&w, "UPDATE state SET version=version+1 WHERE record_id='1'");
    CHECK_UINT(looks(PLOG_E_DIVERGED), 2);
    world_sql(&w, "UPDATE state SET version=version-1 WHERE record_id='1'");
    world_end(&w, world_size(&w));
}

static int up_to_entry_2(const char *dir, const struct plog_check_options *o,
                         struct plog_check_report *report,
                         struct plog_error *err)
{
    return plog_parity_upto(dir, 2, o, report, err);
}

/* Above the cut of a compaction no row is looked at: what is there is read for
 * what it sets alone, whatever else it is. */
static void above_a_cut(void)
{
    static const struct world_delta above[] = {
        {.id = "\\u00e4\\n", .record = "\\u00e4", .payload = "{\"a\":[]}"},
        {.record = "1"},
        {.record = "2", .op = "delete", .payload = "null"},
    };
    static const struct plog_check_options o = {.vkey = NULL};
    static const char clean_to_the_cut[] =
        "unchecked store 3-7: rows above the cut, and records: left out\n"
        "CLEAN, head 7, 2 entries 1-2, 0 records, floor 0, 1 segments, store 1"
        " 7, since 0, pending 0\n";
    struct plog_cursor c = {{"s", 1}, {"*", 1}, {"c", 1}};
    struct plog_group g = {
        .struct_size = sizeof g, .cursors = &c, .cursor_count = 1};
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    CHECK_INT(world_put(&w, NULL, "1", "v", NULL), 0);
    for (size_t i = 0; i < sizeof above / sizeof *above; i++)
        put(&above[i]);
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
    CHECK_INT(plog_set_strategy(w.p, PLOG_ARRIVAL, NULL, NULL), 0);
    world_close(&w);
    CHECK_TEXT(said_check(up_to_entry_2, w.dir, &o), clean_to_the_cut);
    world_sql(&w, "UPDATE events SET op='delete' WHERE seq=4");
    CHECK_TEXT(said_check(up_to_entry_2, w.dir, &o), clean_to_the_cut);
    world_sql(&w, "UPDATE events SET op='upsert' WHERE seq=4");
    world_sql(&w, "UPDATE cursors SET seq=2");
    CHECK_TEXT(
        said_check(up_to_entry_2, w.dir, &o),
        "DIVERGED in store, store.db, entry 6: want cursor: as the log"
        " folds; got cursor: other content; do paritylog replay \n"
        "DIVERGED, head 7, 7 entries 1-7, 3 records, floor 0, 1 segments,"
        " store 1 7, since 0, pending 0\n");
    world_sql(&w, "UPDATE cursors SET seq=6");
    world_end(&w, 7);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"clean", clean},
        {"damaged", damaged},
        {"rows", rows},
        {"without records", without_records},
        {"stopped", stopped},
        {"not begun", not_begun},
        {"in little memory", in_little_memory},
        {"a head is missing", a_head_is_missing},
        {"a row cannot be read", a_row_cannot_be_read},
        {"no link", no_link},
        {"one look", one_look},
        {"above a cut", above_a_cut},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
