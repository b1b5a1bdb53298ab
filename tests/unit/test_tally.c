/*
 * test_tally.c - the fold in parts: it agrees with what the fold in a table
 * makes of the same deltas, and with nothing else.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "parity_tally.h"
#include "sql_calls.h"

#define AT "2026-01-02T03:04:05Z"

static sqlite3 *db;
static struct plog_fold fold;
static struct plog_tally tally;
static struct plog_entry_parser parser;

static int no_line(void *arg, uint64_t seq, struct plog_span *line,
                   struct plog_error *err)
{
    (void)arg, (void)seq, (void)line;
    return plog_fail(err, PLOG_E_DIVERGED, "nothing is merged here");
}

static void begin(void)
{
    const struct plog_io *io = plog_io_posix();
    memset(&fold, 0, sizeof fold);
    fold.io = io;
    fold.origin = "here";
    fold.line_of = no_line;
    REQUIRE(sqlite3_open(":memory:", &db) == SQLITE_OK);
    CHECK_INT(plog_sql_exec(db,
                            "CREATE TABLE state(" PLOG_STATE_COLUMNS
                            ") " PLOG_STATE_OPTIONS,
                            NULL),
              0);
    CHECK_INT(plog_fold_open(&fold, db, "main", NULL), 0);
    CHECK_INT(plog_tally_open(&tally, io, db, NULL), 0);
    plog_entry_parser_init(&parser, io);
}

static void end(void)
{
    plog_fold_close(&fold);
    plog_tally_close(&tally);
    plog_entry_parser_fini(&parser);
    CHECK_INT(sqlite3_close(db), SQLITE_OK);
}

/* What stands in the line of the next entry. */
struct delta {
    const char *from, *outcome, *merged; /* whole members with their comma */
    const char *resource;                /* NULL: pets */
    bool deletes;
    unsigned record, minute, percent;
};

static bool agreed; /* the table's fold found nothing odd so far */
static uint64_t seq;
static char lines[4096][500]; /* by seq; of those behind, none is kept */

/* Gives the entry to both; as the log's writer would: what loses is skipped.
 * @lie  the outcome is the other one */
static void give(const struct delta *d, enum plog_strategy strategy, bool lie)
{
    char line[500];
    struct plog_entry e;
    struct plog_current before;
    struct plog_decision decision;
    int n = 0;
    for (int again = 0; again < 2; again++) {
        n = snprintf(line, sizeof line,
                     "{\"seq\":%llu%s,\"resource\":\"%s\",\"record_id\":"
                     "\"r%u\",\"op\":\"%s\",\"payload\":%s,\"occurred_at\":"
                     "\"2026-01-02T03:%02u:05Z\",\"provenance\":{\"source\":"
                     "\"s\",\"confidence\":0.%02u}%s%s,"
                     "\"salt\":\"AAECAwQFBgcICQoLDA0ODw==\"}",
                     (unsigned long long)seq, d->from,
                     d->resource ? d->resource : "pets", d->record,
                     d->deletes ? "delete" : "upsert",
                     d->deletes ? "null" : "{\"v\":1}", d->minute % 60,
                     d->percent % 100, d->outcome, d->merged);
        if (!CHECK_INT(
                plog_entry_parse(&parser, plog_span(line, (size_t)n), &e, NULL),
                0))
            printf("# %s\n", line);
        CHECK_INT(plog_fold_get(&fold, e.delta.resource_text,
                                e.delta.record_id_text, &before, NULL),
                  0);
        if (again || strategy == PLOG_CUSTOM)
            break;
        CHECK_INT(plog_fold_decide(&fold, strategy, &e, &before, 1000,
                                   &decision, NULL),
                  0);
        ((struct delta *)d)->outcome =
            decision.skipped != lie ? ",\"outcome\":\"skipped\"" : "";
    }
    struct plog_tally_entry t = {
        .resource = e.delta.resource_text,
        .record_id = e.delta.record_id_text,
        .seq = seq,
        .previous = before.last,
        .strategy = strategy,
        .skipped = e.skipped,
        .instant = e.delta.instant,
        .confidence = e.delta.confidence,
        .from = e.from,
        .from_seq = e.from_seq,
        .merged = e.merged,
    };
    if (!d->deletes && !e.merged.n) {
        t.payload_at = (uint64_t)(e.delta.payload.p - line);
        t.payload_len = e.delta.payload.n;
    }
    CHECK_INT(plog_tally_add(&tally, &t, NULL), 0);
    bool agrees;
    CHECK_INT(plog_fold_logged(&fold, strategy, &e, plog_span(line, (size_t)n),
                               &agrees, &before, NULL),
              0);
    agreed &= agrees;
    if (seq < sizeof lines / sizeof *lines)
        memcpy(lines[seq], line, sizeof line);
    seq++;
}

/* Deltas about `records` records, those that lose and all kinds among them. */
static void give_more(enum plog_strategy strategy, unsigned count,
                      unsigned records)
{
    uint64_t random = check_seed() + (uint64_t)strategy + seq;
    for (unsigned i = 0; i < count; i++) {
        uint64_t r = check_random(&random);
        struct delta d = {.from = "", .outcome = "", .merged = ""};
        d.record = (unsigned)(r % records);
        d.minute = (unsigned)(r >> 20 & 63);
        d.percent = (unsigned)(r >> 26 & 127);
        d.deletes = (r >> 33 & 7) == 0;
        if ((r >> 36 & 7) == 0 && strategy != PLOG_LAST_WRITE_WINS)
            d.from = ",\"from\":{\"origin\":\"there\",\"seq\":12}";
        if (strategy == PLOG_CUSTOM && (r >> 39 & 1))
            d.outcome = ",\"outcome\":\"skipped\"";
        if (strategy == PLOG_CUSTOM && (r >> 40 & 1) && !d.deletes)
            d.merged = ",\"merged\":{\"v\":2}";
        give(&d, strategy, false);
    }
}

static void give_many(enum plog_strategy strategy, unsigned count,
                      unsigned records)
{
    seq = 2;
    agreed = true;
    give_more(strategy, count, records);
}

/* Gives it the rows, as they are read so.  Returns whether all agrees. */
static bool agrees_by(const char *sql, uint64_t *records)
{
    sqlite3_stmt *rows = NULL;
    bool out = false;
    int rc = plog_sql_prepare(db, sql, &rows, NULL);
    while (!rc && (rc = plog_sql_row(rows, NULL)) == 0)
        rc = plog_tally_row(&tally, rows, NULL);
    sqlite3_finalize(rows);
    CHECK_INT(rc, PLOG_END);
    CHECK_INT(plog_tally_end(&tally, &out, records, NULL), 0);
    return out;
}

static bool agrees(uint64_t *records)
{
    return agrees_by("SELECT * FROM state ORDER BY 1,2", records);
}

static const enum plog_strategy strategies[] = {
    PLOG_ARRIVAL, PLOG_LAST_WRITE_WINS, PLOG_HIGHEST_CONFIDENCE,
    PLOG_KEEP_LOCAL, PLOG_CUSTOM};
#define STRATEGIES (sizeof strategies / sizeof *strategies)

/* In the buffers alone; with many written; with more records than the table
 * has room for.  Where there are few, the table is small. */
static void folds(void)
{
    static const struct {
        unsigned count, records;
        size_t slots;
    } sizes[] = {{0, 1, 1 << 16},
                 {1, 1, 1 << 16},
                 {300, 20, 1 << 16},
                 {36000, 9000, 1 << 16},
                 {36000, 12000, 64}};
    for (size_t i = 0; i < STRATEGIES; i++)
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            uint64_t records = 0, spilled = 0;
            if (k >= 3 && (i + k) % 2) /* of the large ones half are enough */
                continue;
            begin();
            tally.slots_max = sizes[k].slots;
            give_many(strategies[i], sizes[k].count, sizes[k].records);
            CHECK(agreed);
            for (unsigned p = 0; p < PLOG_TALLY_PARTS; p++)
                spilled += tally.spilled[p];
            CHECK((spilled > 0) == (sizes[k].count > 10000));
            CHECK(agrees(&records));
            CHECK(!tally.given_up);
            CHECK(tally.table.cap <= 512 * (64 + (size_t)sizes[k].count));
            sqlite3_stmt *q = NULL;
            CHECK_INT(
                plog_sql_prepare(db, "SELECT count(*) FROM state", &q, NULL),
                0);
            CHECK_INT(plog_sql_row(q, NULL), 0);
            CHECK_UINT(records, plog_sql_u64(q, 0));
            sqlite3_finalize(q);
            end();
        }
}

/* Whatever is different in one row. */
static void rows_differ(void)
{
    static const char *const changes[] = {
        "seq=seq+1",
        "seq=-1",
        "last=last+1",
        "last=last-1",
        "version=version+1",
        "version=version+4294967296",
        "seconds=seconds+1",
        "seconds=NULL",
        "nanos=1",
        "nanos=4294967296",
        "nanos=-1",
        "confidence=0.125",
        "confidence=NULL",
        "origin='x'",
        "origin=''",
        "origin_seq=origin_seq+1",
        "payload_at=payload_at+1",
        "payload_at=payload_at+2147483648",
        "payload_len=payload_len+1",
        "payload_len=-1",
        "payload_at=NULL",
        "merged='{\"v\":2}'",
        "merged=''",
        "record_id='r0'",
        "record_id='r5 '",
        "resource='pet'",
        "resource='petsr',record_id='5'",
        "resource=''",
        "record_id=''",
        "resource=hex(zeroblob(40000))",
        "record_id=hex(zeroblob(40000))",
        "seq=72057594037927936",
        "last=-1",
        "version=-1",
    };
    for (size_t i = 0; i <= sizeof changes / sizeof *changes; i++) {
        char sql[200];
        uint64_t records;
        begin();
        give_many(PLOG_ARRIVAL, 2000, 40);
        snprintf(sql, sizeof sql,
                 "DELETE FROM state WHERE record_id='r0'; UPDATE state SET %s"
                 " WHERE record_id='r5'",
                 i ? changes[i - 1] : "seq=seq");
        /* Rows of r0 are given before, so that r5 may take its name. */
        if (i && strncmp(changes[i - 1], "record_id='r0'", 14) != 0)
            memmove(sql, strchr(sql, ';') + 1, strlen(strchr(sql, ';')));
        CHECK_INT(plog_sql_exec(db, i ? sql : "SELECT 1", NULL), 0);
        if (agrees(&records) != (i == 0))
            CHECK_TEXT(i ? changes[i - 1] : "none", "found");
        end();
    }
}

static void rows_too_many_or_few(void)
{
    static const char *const sql[] = {
        "DELETE FROM state WHERE record_id='r7'",
        "DELETE FROM state",
        "INSERT INTO state SELECT resource,'new',seq,last,version,seconds,nanos"
        ",confidence,origin,origin_seq,payload_at,payload_len,merged FROM state"
        " WHERE record_id='r7'",
        "INSERT INTO state VALUES('pets','new',0,0,0,0,0,0.0,NULL,0,0,0,NULL)",
    };
    for (size_t i = 0; i < sizeof sql / sizeof *sql; i++) {
        uint64_t records;
        begin();
        give_many(PLOG_KEEP_LOCAL, 2000, 40);
        CHECK_INT(plog_sql_exec(db, sql[i], NULL), 0);
        CHECK(!agrees(&records));
        end();
    }
}

/* Read in another order, or twice: an index that is not one. */
static void rows_out_of_order(void)
{
    static const char *const orders[] = {
        "SELECT * FROM state ORDER BY 1, 2 DESC",
        "SELECT * FROM state UNION ALL SELECT * FROM state WHERE"
        " record_id='r9'"};
    for (size_t i = 0; i < 2; i++) {
        uint64_t records;
        begin();
        give_many(PLOG_ARRIVAL, 500, 40);
        CHECK(!agrees_by(orders[i], &records));
        end();
    }
}

/* The names of records are in order within a resource, and only there. */
static void two_resources(void)
{
    static const struct {
        const char *order;
        bool agrees;
    } all[] = {
        {"1,2", true}, {"1 DESC,2", false}, {"2", false}, {"1,2 DESC", false}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        static const unsigned records[] = {8, 9, 1, 2};
        char sql[60];
        uint64_t count;
        begin();
        seq = 2;
        agreed = true;
        for (unsigned k = 0; k < 4; k++) {
            struct delta d = {.from = "",
                              .outcome = "",
                              .merged = "",
                              .resource = k < 2 ? "pets" : "toys",
                              .record = records[k]};
            give(&d, PLOG_ARRIVAL, false);
        }
        snprintf(sql, sizeof sql, "SELECT * FROM state ORDER BY %s",
                 all[i].order);
        if (!CHECK_INT(agrees_by(sql, &count), all[i].agrees))
            printf("# %s\n", sql);
        CHECK_INT(tally.given_up, !all[i].agrees);
        CHECK_UINT(count, all[i].agrees ? 4 : 0);
        end();
    }
}

/* Twice as many places as there are items, within its bounds: a place has 72
 * bytes, and memory comes in powers of two. */
static void the_table_fits(void)
{
    static const struct {
        unsigned count;
        size_t slots_max, bytes;
    } all[] = {{20, 1 << 16, 8192},    /* 64 */
               {600, 1 << 16, 262144}, /* 2048 for 601 */
               {600, 256, 32768},
               {600, 64, 8192}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        uint64_t records;
        begin();
        tally.slots_max = all[i].slots_max;
        give_many(PLOG_ARRIVAL, all[i].count, 1);
        CHECK(agrees(&records));
        CHECK_UINT(records, 1);
        CHECK_UINT(tally.table.cap, all[i].bytes);
        end();
    }
}

/* A link to another entry, an outcome that the strategy does not give. */
static void entries_differ(void)
{
    for (size_t i = 0; i < STRATEGIES; i++) {
        struct delta d = {
            .from = "", .outcome = "", .merged = "", .record = 3, .minute = 7};
        uint64_t records;
        begin();
        give_many(strategies[i], 300, 5);
        give(&d, strategies[i], true);
        /* Who decided a custom one is gone. */
        CHECK(agrees(&records) == (strategies[i] == PLOG_CUSTOM));
        end();
        begin();
        give_many(strategies[i], 300, 5);
        struct plog_tally_item *last = NULL;
        for (unsigned p = 0; p < PLOG_TALLY_PARTS; p++)
            if (tally.held[p])
                last = &tally.items[p * 256 + tally.held[p] - 1];
        REQUIRE(last != NULL);
        last->last--;
        CHECK(!agrees(&records));
        end();
    }
}

/* ---- Behind a snapshot --------------------------------------------------- */

/* One record of it, and what is wrong with that of r7. */
static void give_base(sqlite3_stmt *row, const char *wrong)
{
    struct plog_entry e;
    uint64_t at = plog_sql_u64(row, 2);
    struct plog_span line = plog_span_text(lines[at]);
    struct plog_folded f = {.resource = plog_sql_text(row, 0),
                            .record_id = plog_sql_text(row, 1),
                            .last = plog_sql_u64(row, 3),
                            .version = plog_sql_u64(row, 4),
                            .merged = plog_sql_text(row, 12)};
    if (at) {
        CHECK_INT(plog_entry_parse(&parser, line, &e, NULL), 0);
        f.entry = &e;
        f.line = line;
    }
    bool here = plog_span_is(f.record_id, "r7");
    if (here && !strcmp(wrong, "missing"))
        return;
    if (here && !strcmp(wrong, "version"))
        f.version++;
    if (here && !strcmp(wrong, "many versions"))
        f.version += UINT64_C(1) << 32;
    if (here && !strcmp(wrong, "last"))
        f.last++;
    if (here && !strcmp(wrong, "none"))
        f.last = 0;
    if (here && !strcmp(wrong, "name"))
        f.record_id = plog_span_text("r7 ");
    if (here && !strcmp(wrong, "time"))
        e.delta.instant.nanos++;
    if (here && !strcmp(wrong, "confidence"))
        e.delta.confidence = 0.123;
    if (here && !strcmp(wrong, "seq"))
        e.seq--;
    if (here && !strcmp(wrong, "large seq"))
        e.seq = UINT64_C(1) << 56;
    if (here && !strcmp(wrong, "payload"))
        e.delta.payload.n--;
    if (here && !strcmp(wrong, "merged"))
        f.merged = plog_span_text("{\"v\":3}");
    if (here && !strcmp(wrong, "origin"))
        e.from = plog_span_text("elsewhere");
    for (int i = 0; i <= (here && !strcmp(wrong, "twice")); i++)
        CHECK_INT(plog_tally_base(&tally, &f, NULL), 0);
}

/* A tally that begins with the records as they are. */
static void begin_again(const char *wrong)
{
    sqlite3_stmt *rows = NULL;
    plog_tally_close(&tally);
    sqlite3_reset(fold.get);
    CHECK_INT(plog_sql_exec(db, "DROP TABLE temp.tally", NULL), 0);
    CHECK_INT(plog_tally_open(&tally, plog_io_posix(), db, NULL), 0);
    int rc = plog_sql_prepare(db, "SELECT * FROM state", &rows, NULL);
    while (!rc && (rc = plog_sql_row(rows, NULL)) == 0)
        give_base(rows, wrong);
    CHECK_INT(rc, PLOG_END);
    sqlite3_finalize(rows);
}

/* Nothing, few and many entries behind it; with more records than the table
 * has room for. */
static void folds_on(void)
{
    static const struct {
        unsigned before, behind, records;
        size_t slots;
    } sizes[] = {{0, 300, 20, 1 << 16},
                 {300, 0, 20, 1 << 16},
                 {300, 300, 20, 1 << 16},
                 {3000, 30000, 9000, 1 << 16},
                 {3000, 3000, 12000, 64}};
    for (size_t i = 0; i < STRATEGIES; i++)
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            uint64_t records = 0;
            begin();
            give_many(strategies[i], sizes[k].before, sizes[k].records);
            begin_again("");
            tally.slots_max = sizes[k].slots;
            give_more(strategies[i], sizes[k].behind, sizes[k].records);
            CHECK(agreed && !tally.given_up);
            CHECK(agrees(&records));
            CHECK(records > 0);
            end();
        }
}

/* One record of the snapshot is not as it must be; no entry behind it is about
 * that, or some are. */
static void base_differs(void)
{
    static const char *const wrong[] = {
        "",     "missing", "twice",     "version", "many versions",
        "last", "none",    "name",      "time",    "confidence",
        "seq",  "payload", "large seq", "merged",  "origin"};
    for (unsigned k = 0; k < 2; k++)
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
            uint64_t records;
            begin();
            give_many(PLOG_ARRIVAL, 800, 30);
            /* An upsert of our own, so that each of them is one. */
            struct delta d = {
                .from = "", .outcome = "", .merged = "", .record = 7};
            give(&d, PLOG_ARRIVAL, false);
            begin_again(wrong[i]);
            give_more(PLOG_ARRIVAL, 3 * k, 1);
            if (agrees(&records) != (i == 0))
                CHECK_TEXT(wrong[i], "found");
            end();
        }
}

/* ---- A few of each ------------------------------------------------------- */

/* As `folds_on`, of few. */
static void a_few_behind_a_snapshot(void)
{
    for (size_t i = 0; i < STRATEGIES; i++) {
        uint64_t records = 0;
        begin();
        give_many(strategies[i], 60, 6);
        begin_again("");
        give_more(strategies[i], 60, 6);
        CHECK(agreed && !tally.given_up);
        CHECK(agrees(&records));
        CHECK_UINT(records, 6);
        end();
    }
}

/* Values that look like the right ones when they are read as what they should
 * be. */
static void rows_of_other_types(void)
{
    static const char *const changes[] = {
        "version=version-4294967296",
        "version=version+4294967296",
        "nanos=nanos-4294967296",
        "nanos=nanos+4294967296",
        "seq=seq-72057594037927936",
        "seq=seq+72057594037927936",
        "last=last-9223372036854775807-1",
        "merged=''",
        "origin=''",
    };
    for (size_t i = 0; i <= sizeof changes / sizeof *changes; i++) {
        const char *change = i ? changes[i - 1] : "seq=seq";
        char sql[200];
        uint64_t records;
        begin();
        give_many(PLOG_LAST_WRITE_WINS, 60, 6);
        snprintf(sql, sizeof sql, "UPDATE state SET %s WHERE record_id='r5'",
                 change);
        CHECK_INT(plog_sql_exec(db, sql, NULL), 0);
        CHECK_INT(sqlite3_changes(db), 1);
        if (agrees(&records) != (i == 0))
            CHECK_TEXT(change, "found");
        end();
    }
}

/* Of which no entry was applied: a row of zeros stands for it, also behind a
 * snapshot. */
static void only_losers(void)
{
    struct delta d = {
        .from = "", .outcome = ",\"outcome\":\"skipped\"", .merged = ""};
    for (int behind = 0; behind < 3; behind++) {
        uint64_t records;
        begin();
        seq = 2;
        agreed = true;
        for (int i = 0; i < 2; i++)
            give(&d, PLOG_CUSTOM, false);
        if (behind)
            begin_again("");
        if (behind > 1)
            give(&d, PLOG_CUSTOM, false);
        CHECK(agreed);
        CHECK(agrees(&records));
        CHECK(!tally.given_up);
        CHECK_UINT(records, 1);
        end();
    }
}

/* What it cannot fold it leaves to the table. */
static void gives_up(void)
{
    struct delta d = {.from = "", .outcome = "", .merged = ""};
    struct delta far = d;
    uint64_t records;
    far.from = ",\"from\":{\"origin\":\"there\",\"seq\":12}";
    begin();
    seq = 2;
    give(&d, PLOG_MERGE_JSON, false);
    CHECK(tally.given_up && !agrees(&records));
    end();
    begin();
    seq = 2;
    give(&far, PLOG_ARRIVAL, false);
    CHECK(!tally.given_up);
    give(&d, PLOG_LAST_WRITE_WINS, false);
    CHECK(tally.given_up && !agrees(&records));
    end();
}

/* ---- Buffers that were spilled ------------------------------------------- */

static const char *fails_on; /* a statement */

static bool on_sql(const char *call, const char *text, bool busy)
{
    (void)busy;
    return fails_on && strcmp(call, "step") == 0 && strstr(text, fails_on);
}

static int end_of(uint64_t *records, struct plog_error *err)
{
    bool agrees_not;
    memset(err, 0, sizeof *err);
    return plog_tally_end(&tally, &agrees_not, records, err);
}

/* What was written to the temporary database must come back as it was: a fold
 * of some of the entries would tell differences that are none. */
static void lost_again(void)
{
    static const char *const harms[] = {"DELETE FROM temp.tally",
                                        "UPDATE temp.tally SET items=x'00'"};
    struct plog_error err;
    uint64_t records;
    for (int i = 0; i < 3; i++) {
        begin();
        give_many(PLOG_ARRIVAL, 800, 2); /* two parts at most */
        sql_calls.fails = on_sql;
        if (i < 2)
            CHECK_INT(plog_sql_exec(db, harms[i], NULL), 0);
        else
            fails_on = "SELECT items FROM temp.tally";
        CHECK_INT(end_of(&records, &err), PLOG_E_IO);
        fails_on = NULL;
        CHECK_INT(err.code, PLOG_E_IO);
        if (i < 2)
            CHECK_TEXT(err.message, "SQLite lost what was written to its"
                                    " temporary database");
        CHECK_UINT(records, 0);
        end();
    }
}

/* ---- What no writer gives ------------------------------------------------ */

static char text[PLOG_RECORD_ID_MAX + 2];

/* As an entry, or as a record of a snapshot, one of such names is noted or not.
 */
static void noted(size_t resource, size_t record_id, uint64_t number, bool is)
{
    for (int i = 0; i < 2; i++) {
        struct plog_tally_entry t = {.resource = {text, resource},
                                     .record_id = {text, record_id},
                                     .seq = number,
                                     .strategy = PLOG_ARRIVAL};
        struct plog_entry e = {.seq = number};
        struct plog_folded f = {.entry = &e,
                                .resource = t.resource,
                                .record_id = t.record_id,
                                .last = number,
                                .version = 1};
        uint64_t records;
        unsigned held = 0;
        begin();
        CHECK_INT(i ? plog_tally_base(&tally, &f, NULL)
                    : plog_tally_add(&tally, &t, NULL),
                  0);
        CHECK_INT(tally.given_up, !is);
        for (unsigned p = 0; p < PLOG_TALLY_PARTS; p++)
            held += tally.held[p];
        CHECK_UINT(held, is);
        CHECK(!agrees(&records));
        end();
    }
}

static void odd_entries(void)
{
    memset(text, 'a', sizeof text);
    noted(1, 1, 1ull << 56, false);
    noted(1, 1, (1ull << 56) - 1, true);
    noted(PLOG_NAME_MAX, PLOG_RECORD_ID_MAX, 2, true);
    noted(PLOG_NAME_MAX + 1, 1, 2, false);
    noted(1, PLOG_RECORD_ID_MAX + 1, 2, false);
    noted(PLOG_RECORD_ID_MAX, 1, 2, false);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"folds", folds},
        {"rows differ", rows_differ},
        {"rows too many or few", rows_too_many_or_few},
        {"rows out of order", rows_out_of_order},
        {"two resources", two_resources},
        {"the table fits", the_table_fits},
        {"entries differ", entries_differ},
        {"folds on", folds_on},
        {"base differs", base_differs},
        {"a few behind a snapshot", a_few_behind_a_snapshot},
        {"rows of other types", rows_of_other_types},
        {"only losers", only_losers},
        {"gives up", gives_up},
        {"lost again", lost_again},
        {"odd entries", odd_entries},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
