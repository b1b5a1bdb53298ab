/*
 * test_recent.c - rows of records that wait in `state_recent`: whoever looks
 * sees the newest, whichever way it went, and whoever writes beside, after a
 * kill or behind a refusal goes on from it.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "engine.h"
#include "reader.h"
#include "world.h"

#define GROUP_MOST 400
#define MANY (PLOG_RECENT_ROWS / GROUP_MOST + 2) /* groups: rows are moved */

static struct world w;
static unsigned version[6000]; /* of each record, as it was acknowledged */
static uint64_t size, seed;

static unsigned draw(unsigned n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % n;
}

static void begin(void)
{
    memset(&w, 0, sizeof w);
    memset(version, 0, sizeof version);
    world_make(&w, PLOG_ARRIVAL, 0);
    size = 1;
    seed = check_seed();
}

/* A group of deltas about records drawn from `records`. */
static int put_by(plog *p, int count, unsigned records)
{
    static char text[GROUP_MOST][240];
    static struct plog_span d[GROUP_MOST];
    static unsigned which[GROUP_MOST];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = d, .delta_count = (size_t)count};
    for (int i = 0; i < count; i++) {
        char record[16], payload[40];
        which[i] = draw(records);
        snprintf(record, sizeof record, "r%u", which[i]);
        snprintf(payload, sizeof payload, "{\"n\":%u}", version[which[i]]);
        struct world_delta delta = {.record = record, .payload = payload};
        world_text(text[i], sizeof text[i], &delta);
        d[i] = (struct plog_span){text[i], strlen(text[i])};
    }
    int rc = plog_append_group(p, &g, NULL, NULL);
    for (int i = 0; !rc && i < count; i++)
        version[which[i]]++;
    size += rc ? 0 : (uint64_t)count;
    return rc;
}

static void put(int count, unsigned records)
{
    CHECK_INT(put_by(w.p, count, records), 0);
}

static int64_t waiting(void)
{
    return world_number(&w, "SELECT count(*) FROM state_recent");
}

static int parity(void)
{
    struct world_found f;
    int verdict = world_parity(&w, NULL, &f);
    CHECK_UINT(f.report.head.size, size);
    return verdict;
}

/* Through the view, as far as versions go. */
static void records_are(unsigned records)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    unsigned seen = 0, wrong = 0, want = 0;
    CHECK_INT(sqlite3_open_v2(world_path(&w, "store.db"), &db,
                              SQLITE_OPEN_READONLY, NULL),
              SQLITE_OK);
    CHECK_INT(sqlite3_prepare_v2(
                  db, "SELECT substr(record_id,2), version FROM records", -1,
                  &q, NULL),
              SQLITE_OK);
    while (sqlite3_step(q) == SQLITE_ROW) {
        unsigned i = (unsigned)sqlite3_column_int(q, 0);
        wrong +=
            i >= records || version[i] != (unsigned)sqlite3_column_int(q, 1);
        seen++;
    }
    sqlite3_finalize(q);
    sqlite3_close(db);
    for (unsigned i = 0; i < records; i++)
        want += version[i] > 0;
    CHECK_UINT(seen, want);
    CHECK_UINT(wrong, 0);
}

/* ---- Cases ------------------------------------------------------------------
 */

static void large_groups(void)
{
    char want[60], record[16];
    begin();
    put(3, 300);
    CHECK_INT(waiting(), 0);
    for (int i = 0; i < 10; i++)
        put(100, 300);
    CHECK_INT(waiting(), 1000);
    records_are(300);
    CHECK_INT(parity(), 0);
    put(1, 5); /* a small one, of a record that waits */
    CHECK_INT(waiting(), 1001);
    CHECK_INT(world_put(&w, NULL, "r5999", "x", NULL), 0); /* and of none */
    version[5999]++;
    size++;
    CHECK_INT(waiting(), 1001);
    records_are(6000);
    for (unsigned i = 0; i < 300; i += 30) {
        snprintf(record, sizeof record, "r%u", i);
        snprintf(want, sizeof want, "{\"n\":%u} v%u", version[i] - 1,
                 version[i]);
        CHECK_TEXT(world_record(&w, record), version[i] ? want : "none");
    }
    world_close(&w);
    CHECK_INT(waiting(), 0);
    records_are(6000);
    CHECK_INT(world_open(&w), 0);
    put(1, 300);
    CHECK_INT(waiting(), 0);
    world_end(&w, size);
}

/* Parts of the rows are in the tree and parts are not. */
static void moved_in_parts(void)
{
    bool partly = false;
    int64_t most = 0;
    begin();
    for (int i = 0; i < MANY * 7 / 4; i++) {
        put(GROUP_MOST, 5000);
        int64_t n = waiting();
        most = n > most ? n : most;
        if (w.p->legs.store.recent.order && !partly) {
            partly = true;
            CHECK(w.p->legs.store.recent.moved > 0);
            CHECK_INT(parity(), 0);
            records_are(5000);
        }
    }
    CHECK(partly);
    CHECK(most >= PLOG_RECENT_ROWS);
    CHECK(most < PLOG_RECENT_ROWS * 3 / 2 + 2 * GROUP_MOST);
    CHECK(waiting() < PLOG_RECENT_ROWS);
    CHECK_INT(parity(), 0);
    records_are(5000);
    world_end(&w, size);
}

/* What a killed writer left goes on to count. */
static void killed(void)
{
    begin();
    world_close(&w);
    for (int round = 0; round < 3; round++) {
        int told[2];
        CHECK_INT(pipe(told), 0);
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            bool lives = world_open(&w) == 0;
            for (int i = 0; lives && i < 5; i++)
                lives = put_by(w.p, 50, 100) == 0;
            lives &= write(told[1], version, sizeof version) ==
                     (ssize_t)sizeof version;
            lives &= write(told[1], &seed, sizeof seed) == sizeof seed;
            _exit(!lives);
        }
        int status = 1;
        CHECK(read(told[0], version, sizeof version) ==
              (ssize_t)sizeof version);
        CHECK(read(told[0], &seed, sizeof seed) == sizeof seed);
        CHECK_INT(waitpid(pid, &status, 0), pid);
        CHECK_INT(status, 0);
        close(told[0]);
        close(told[1]);
        size += 250;
        CHECK(waiting() >= 250);
        CHECK_INT(parity(), 0);
        records_are(100);
        CHECK_INT(world_open(&w), 0);
        put(1, 100);
        put(3, 100);
        CHECK(waiting() >= 254);
        records_are(100);
        if (round != 1) /* else it moves them */
            w.p->poisoned = true;
        world_close(&w);
        CHECK_INT(parity(), 0);
    }
    CHECK_INT(world_open(&w), 0);
    world_end(&w, size);
}

/* Two handles write in turn, large groups and small ones; now and then one
 * closes, and moves what both have written. */
static void two_writers(void)
{
    begin();
    for (int round = 0; round < 40; round++) {
        plog *other = NULL;
        CHECK_INT(plog_open(&other, w.dir, &w.options, NULL), 0);
        for (int i = 0; i < 6; i++) {
            plog *p = draw(2) ? w.p : other;
            CHECK_INT(put_by(p, draw(2) ? 1 : 20, 60), 0);
        }
        records_are(60);
        if (round % 8 == 0)
            CHECK_INT(parity(), 0);
        plog_close(other);
        CHECK_INT(waiting(), 0);
        put(draw(2) ? 2 : 30, 60);
    }
    world_end(&w, size);
}

/* A group that is refused at its last delta leaves nothing. */
static void refused(void)
{
    struct plog_span d[20];
    char text[20][240];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = d, .delta_count = 20};
    begin();
    CHECK_INT(world_put(&w, "taken", "r0", "x", NULL), 0);
    version[0]++;
    size++;
    put(20, 10);
    for (int i = 0; i < 20; i++) {
        struct world_delta delta = {.id = i == 19 ? "taken" : NULL,
                                    .record = "r1",
                                    .payload = "{\"never\":1}"};
        world_text(text[i], sizeof text[i], &delta);
        d[i] = plog_span_text(text[i]);
    }
    for (int i = 0; i < 3; i++) {
        CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), PLOG_E_CONFLICT);
        records_are(10);
        put(i == 1 ? 1 : 20, 10);
    }
    records_are(10);
    CHECK_INT(parity(), 0);
    world_end(&w, size);
}

/* One that is refused now and then does not put off the moving. */
static void refused_while_moving(void)
{
    struct plog_span d[20];
    char text[20][240];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = d, .delta_count = 20};
    int64_t most = 0;
    begin();
    CHECK_INT(world_put(&w, "taken", "r0", "x", NULL), 0);
    version[0]++;
    size++;
    for (int i = 0; i < 20; i++) {
        char record[16];
        snprintf(record, sizeof record, "r%d", 400 * i);
        struct world_delta delta = {.id = i == 19 ? "taken" : NULL,
                                    .record = record,
                                    .payload = "{\"never\":1}"};
        world_text(text[i], sizeof text[i], &delta);
        d[i] = plog_span_text(text[i]);
    }
    for (int i = 0; i < MANY * 5 / 2; i++) {
        put(GROUP_MOST, 3000);
        CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), PLOG_E_CONFLICT);
        int64_t n = waiting();
        most = n > most ? n : most;
    }
    CHECK(most >= PLOG_RECENT_ROWS);
    CHECK(most < PLOG_RECENT_ROWS * 3 / 2 + 2 * GROUP_MOST);
    records_are(3000);
    CHECK_INT(parity(), 0);
    world_end(&w, size);
}

/* A redaction, which folds the record anew, and a replay, while rows wait and
 * some of them are moved. */
static void meanwhile_redacted(void)
{
    begin();
    for (int i = 0; i < MANY; i++)
        put(GROUP_MOST, 3000);
    CHECK(w.p->legs.store.recent.order != NULL);
    CHECK(waiting() > PLOG_RECENT_ROWS);
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "x"};
    struct plog_redact_report out;
    CHECK_INT(plog_redact(w.dir, size - 5, &o, &out, NULL), 0);
    size++;
    CHECK_INT(waiting(), 0);
    put(GROUP_MOST, 3000);
    CHECK_INT(parity(), 0);
    world_end(&w, size);
}

static void copy_store(const char *from, const char *to)
{
    static const char *const names[] = {"store.db", "store.db-wal"};
    for (int i = 0; i < 2; i++) {
        char a[600], b[600];
        snprintf(a, sizeof a, "%s/%s", from, names[i]);
        snprintf(b, sizeof b, "%s/%s", to, names[i]);
        unlink(b);
        world_copy(a, b);
    }
}

/* A store that is behind its log, as a crash of the machine leaves it: before
 * and in the middle of the moving. */
static void replayed(void)
{
    for (int groups = 10; groups <= MANY; groups += MANY - 10) {
        char aside[600];
        begin();
        for (int i = 0; i < groups; i++)
            put(GROUP_MOST, 3000);
        CHECK((w.p->legs.store.recent.order != NULL) == (groups == MANY));
        snprintf(aside, sizeof aside, "%.500s-aside", w.dir);
        CHECK_INT(mkdir(aside, 0700), 0);
        copy_store(w.dir, aside);
        put(GROUP_MOST, 3000);
        put(1, 3000);
        w.p->poisoned = true;
        world_close(&w);
        unlink(world_path(&w, "store.db-shm"));
        copy_store(aside, w.dir);
        CHECK_INT(parity(), PLOG_E_BEHIND);
        CHECK_INT(world_open(&w), 0);
        put(3, 3000);
        CHECK_INT(parity(), 0);
        records_are(3000);
        world_end(&w, size);
        world_remove(aside);
    }
}

/* Writers that are killed in the middle of the moving, again and again: what
 * waits does not grow without end. */
static void killed_while_moving(void)
{
    int64_t most = 0;
    begin();
    for (int i = 0; i < 60; i++) {
        for (int k = 0; k < 20; k++)
            put(GROUP_MOST / 4, 3000);
        w.p->poisoned = true; /* as if it had been killed */
        world_close(&w);
        int64_t n = waiting();
        most = n > most ? n : most;
        CHECK_INT(world_open(&w), 0);
    }
    CHECK(most > PLOG_RECENT_ROWS);
    CHECK(most < 2 * PLOG_RECENT_ROWS + 3000);
    CHECK_INT(parity(), 0);
    records_are(3000);
    world_end(&w, size);
}

/* Merged payloads do not begin to wait; where they must, their bytes count. */
static void merged_payloads(void)
{
    static char payload[100000], text[110000];
    struct plog_span d[8];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = d, .delta_count = 8};
    int64_t most = 0;
    begin();
    put(20, 1); /* r0 waits */
    CHECK_INT(plog_set_strategy(w.p, PLOG_MERGE_JSON, NULL, NULL), 0);
    memset(payload, 'x', sizeof payload - 20);
    memcpy(payload, "{\"long\":\"", 9);
    memcpy(payload + sizeof payload - 20, "\"}", 3);
    payload[9] = 'x';
    struct world_delta first = {.record = "r0", .payload = payload};
    world_text(text, sizeof text, &first);
    CHECK_INT(world_append(&w, text, NULL, NULL), 0);
    size += 2;
    for (int i = 0; i < 30; i++) {
        char small[8][240];
        for (int k = 0; k < 8; k++) {
            struct world_delta delta = {.record = k % 2 ? "r0" : "m",
                                        .payload = "{\"k\":1}"};
            world_text(small[k], sizeof small[k], &delta);
            d[k] = plog_span_text(small[k]);
        }
        CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
        size += 8;
        int64_t n =
            world_number(&w, "SELECT sum(length(merged)) FROM state_recent");
        most = n > most ? n : most;
    }
    CHECK(most > 100000);
    CHECK(most < (9 << 20));
    CHECK_INT(world_number(&w, "SELECT count(*) FROM state_recent WHERE"
                               " record_id='r0'"),
              0); /* moved, and not begun again */
    CHECK_INT(parity(), 0);
    world_end(&w, size);
}

/* A reader that looks for many records, while others write. */
static void one_reader(void)
{
    plog_reader *r = NULL;
    begin();
    put(200, 50);
    CHECK_INT(plog_reader_open(&r, w.dir, NULL, NULL), 0);
    for (int i = 0; i < 60; i++) {
        struct plog_record record;
        char name[16];
        unsigned k = draw(50);
        snprintf(name, sizeof name, "r%u", k);
        int rc = plog_reader_get(r, plog_span_text("r"), plog_span_text(name),
                                 &record, NULL);
        CHECK_INT(rc, version[k] ? 0 : PLOG_E_NOT_FOUND);
        CHECK_UINT(record.version, version[k]);
        CHECK_INT(r->store.recent.known, i >= 4); /* it scans no more */
        CHECK(i < 4 || i >= 20 || r->store.recent.now.rows >= 200);
        if (i % 3 == 0)
            put(draw(2) ? 1 : 30, 50);
        if (i % 20 == 19) {
            world_close(&w);
            CHECK_INT(world_open(&w), 0);
        }
    }
    plog_reader_close(r);
    world_end(&w, size);
}

/* What parity says of rows that somebody changed: of one that counts all, of
 * one that is hidden nothing. */
static void changed(void)
{
    static const struct {
        const char *sql;
        int verdict;
    } all[] = {
        {"UPDATE state_recent SET version=version+1 WHERE last=(SELECT"
         " max(last) FROM state_recent)",
         PLOG_E_DIVERGED},
        {"DELETE FROM state_recent WHERE last=(SELECT max(last) FROM"
         " state_recent)",
         PLOG_E_DIVERGED},
        {"DELETE FROM state_recent", PLOG_E_DIVERGED},
        {"INSERT INTO state_recent SELECT resource,'new',seq,last+1000,version,"
         "seconds,nanos,confidence,origin,origin_seq,payload_at,payload_len,"
         "merged FROM state_recent LIMIT 1",
         PLOG_E_DIVERGED},
        {"UPDATE state SET version=version+1", 0},
        {"DELETE FROM state", 0},
    };
    begin();
    put(7, 1);
    put(20, 1);
    w.p->poisoned = true; /* as if it had been killed */
    world_close(&w);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct world copy = w;
        struct world_found f;
        snprintf(copy.dir, sizeof copy.dir, "%.400s-%zu", w.dir, i);
        world_copy(w.dir, copy.dir);
        world_sql(&copy, all[i].sql);
        if (!CHECK_INT(world_parity(&copy, NULL, &f), all[i].verdict))
            printf("# %s\n", all[i].sql);
        world_remove(copy.dir);
    }
}

/* Rows that no fold makes stop a writer, who says so. */
static void odd_rows(void)
{
    static const char *const all[] = {
        "UPDATE state_recent SET payload_at=5000000000",
        "UPDATE state_recent SET nanos=-1",
        "UPDATE state_recent SET record_id=printf('%*d',70000,1)",
        "UPDATE state_recent SET nanos=4294967296",
        "UPDATE state_recent SET seq=last+1",
    };
    begin();
    put(20, 5);
    w.p->poisoned = true;
    world_close(&w);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_error err = {.code = 0};
        struct world copy = w;
        snprintf(copy.dir, sizeof copy.dir, "%.400s-%zu", w.dir, i);
        world_copy(w.dir, copy.dir);
        world_sql(&copy, all[i]);
        CHECK_INT(plog_open(&copy.p, copy.dir, NULL, &err), 0);
        if (!CHECK_INT(world_append(&copy,
                                    "{\"resource\":\"r\",\"record_id\":\"1\","
                                    "\"op\":\"delete\",\"occurred_at\":"
                                    "\"2026-01-01T00:00:00Z\",\"provenance\":"
                                    "{\"source\":\"s\",\"confidence\":1}}",
                                    NULL, &err),
                       PLOG_E_DIVERGED))
            printf("# %s\n", all[i]);
        plog_close(copy.p);
        if (!CHECK(strstr(err.message, "rows that no fold makes")))
            printf("# %s\n", err.message);
        world_remove(copy.dir);
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"large groups", large_groups},
        {"moved in parts", moved_in_parts},
        {"killed", killed},
        {"killed while moving", killed_while_moving},
        {"two writers", two_writers},
        {"refused", refused},
        {"refused while moving", refused_while_moving},
        {"meanwhile redacted", meanwhile_redacted},
        {"replayed", replayed},
        {"merged payloads", merged_payloads},
        {"one reader", one_reader},
        {"changed", changed},
        {"odd rows", odd_rows},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
