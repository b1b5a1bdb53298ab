/*
 * test_redact.c - a payload taken out: what is left proves itself, nothing of
 * the payload is left, a kill at every I/O call, and lines redacted without an
 * order.
 */
#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "killing.h"
#include "redact.h"
#include "said.h"
#include "world.h"

#define SECRET "the-payload-that-must-go"
#define SEGMENT_1 "log/00000000000000000001.jsonl"

static int redact_over(const struct world *w, uint64_t seq,
                       const struct plog_io *io, struct plog_redact_report *r)
{
    struct plog_redact_report own;
    struct plog_redact_options o = {.struct_size = sizeof o,
                                    .io = io,
                                    .wait_seconds = 0.2,
                                    .reason = "asked for"};
    return plog_redact(w->dir, seq, &o, r ? r : &own, NULL);
}

static int redact(const struct world *w, uint64_t seq)
{
    return redact_over(w, seq, NULL, NULL);
}

/* ---- Whether anything is left ------------------------------------------- */

static int found_in(const char *path, const char *what, size_t n)
{
    size_t len;
    char *bytes = world_read(path, &len);
    int found = memmem(bytes, len, what, n) != NULL;
    free(bytes);
    return found;
}

/* Files below `path` that hold the bytes. */
static int files_with(const char *path, const char *what, size_t n)
{
    struct stat st;
    int found = 0;
    if (lstat(path, &st))
        return 0;
    if (S_ISREG(st.st_mode))
        return found_in(path, what, n);
    DIR *d = opendir(path);
    if (!d)
        return 1000;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char inner[1024];
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        snprintf(inner, sizeof inner, "%.600s/%.300s", path, e->d_name);
        found += files_with(inner, what, n);
    }
    closedir(d);
    return found;
}

static void nothing_left(const struct world *w)
{
    CHECK_INT(files_with(w->dir, SECRET, strlen(SECRET)), 0);
}

/* ---- One log ------------------------------------------------------------ */

/* Seven entries about two records; the secret is entry 4. */
static void make(struct world *w, enum plog_strategy strategy)
{
    world_make(w, strategy, 0);
    for (int i = 2; i < 8; i++) {
        char id[8], value[40];
        snprintf(id, sizeof id, "i%d", i);
        snprintf(value, sizeof value, i == 4 ? SECRET : "value-%d", i);
        CHECK_INT(world_put(w, id, i % 2 ? "odd" : "even", value, NULL), 0);
    }
}

static void keeps_its_proof(void)
{
    struct world w;
    struct plog_redact_report r;
    struct plog_receipt before = {0}, again = {0}, other = {0};
    struct plog_error err;
    make(&w, PLOG_LAST_WRITE_WINS);
    CHECK_INT(world_put(&w, "i4", "even", SECRET, &before), 0); /* duplicate */
    CHECK_INT(files_with(w.dir, SECRET, strlen(SECRET)) > 1, 1);
    CHECK_INT(redact_over(&w, 4, NULL, &r), 0);
    CHECK_UINT(r.order, 8);
    CHECK_UINT(r.segments, 1);
    CHECK(!r.already);
    CHECK_INT(memcmp(r.leaf, before.leaf, sizeof r.leaf), 0);
    /* The handle that was open all the while goes on. */
    CHECK_INT(world_put(&w, "i8", "even", "later", NULL), 0);
    CHECK_INT(world_put(&w, "i4", "even", SECRET, &again), 0);
    CHECK(again.duplicate);
    CHECK_UINT(again.seq, 4);
    CHECK_INT(memcmp(again.leaf, before.leaf, sizeof again.leaf), 0);
    CHECK_INT(memcmp(again.root, before.root, sizeof again.root), 0);
    CHECK_INT(world_put(&w, "i4", "even", "payloads are not compared", &other),
              0);
    CHECK_UINT(other.seq, 4);
    CHECK_INT(world_put(&w, "i4", "odd", SECRET, NULL), PLOG_E_CONFLICT);
    CHECK_INT(redact_over(&w, 4, NULL, &r), 0); /* once more: nothing to do */
    CHECK(r.already);
    CHECK_UINT(r.order, 8);
    CHECK_INT(redact(&w, 1), PLOG_E_INPUT);
    CHECK_INT(redact(&w, 8), PLOG_E_INPUT);
    CHECK_INT(redact(&w, 10), PLOG_E_NOT_FOUND);
    struct plog_redact_options none = {.struct_size = sizeof none};
    CHECK_INT(plog_redact(w.dir, 5, &none, &r, &err), PLOG_E_INPUT);
    nothing_left(&w);
    world_end(&w, 9);
    nothing_left(&w);
}

/* The record is what a log with null in that place folds to. */
static void records(void)
{
    static const struct {
        enum plog_strategy strategy;
        uint64_t seq;
        const char *even;
    } all[] = {
        {PLOG_LAST_WRITE_WINS, 4, "{\"v\":\"value-6\"} v3"},
        {PLOG_LAST_WRITE_WINS, 6, "null v3"},
        {PLOG_ARRIVAL, 6, "null v3"},
        {PLOG_KEEP_LOCAL, 2, "null v1"},
        {PLOG_KEEP_LOCAL, 4, "{\"v\":\"value-2\"} v1"},
        {PLOG_MERGE_JSON, 4, "{\"v\":\"value-6\"} v3"},
        {PLOG_MERGE_JSON, 6, "null v3"},
        {PLOG_HIGHEST_CONFIDENCE, 6, "null v3"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct world w;
        make(&w, all[i].strategy);
        CHECK_INT(redact(&w, all[i].seq), 0);
        CHECK_TEXT(world_record(&w, "even"), all[i].even);
        CHECK_TEXT(world_record(&w, "odd"), all[i].strategy == PLOG_KEEP_LOCAL
                                                ? "{\"v\":\"value-3\"} v1"
                                                : "{\"v\":\"value-7\"} v3");
        world_end(&w, 8); /* also with a store made anew */
    }
}

static void merges_and_tombstones(void)
{
    struct world w;
    static const char merge[] =
        "{\"resource\":\"pets\",\"record_id\":\"m\",\"op\":\"upsert\","
        "\"payload\":{\"%s\":1},\"occurred_at\":\"2026-01-0%dT00:00:00Z\","
        "\"provenance\":{\"source\":\"s\",\"confidence\":1}}";
    char text[400];
    world_make(&w, PLOG_MERGE_JSON, 0);
    static const char *const names[] = {"a", "b", "c", "d"};
    for (int i = 0; i < 4; i++) {
        snprintf(text, sizeof text, merge, names[i], i + 1);
        CHECK_INT(world_append(&w, text, NULL, NULL), 0);
    }
    CHECK_INT(redact(&w, 3), 0); /* b: what follows is folded anew */
    CHECK_INT((int)world_number(&w, "SELECT count(*) FROM records WHERE"
                                    " payload='{\"c\":1,\"d\":1}'"),
              1);
    struct world_delta gone = {.id = "del",
                               .record = "t",
                               .op = "delete",
                               .time = "2026-02-01T00:00:00Z"};
    CHECK_INT(world_put(&w, NULL, "t", SECRET, NULL), 0);
    CHECK_INT(
        world_append(&w, world_text(text, sizeof text, &gone), NULL, NULL), 0);
    uint64_t size = world_size(&w);
    CHECK_INT(redact(&w, size - 1), 0);
    CHECK_INT(redact(&w, size), 0);
    CHECK_TEXT(world_record(&w, "t"), "deleted v2");
    nothing_left(&w);
    world_end(&w, size + 2);
}

/* ---- Other places ------------------------------------------------------- */

static void in_quarantine(void)
{
    struct world w;
    struct plog_replay_report replay;
    struct plog_replay_options fresh = {.struct_size = sizeof fresh,
                                        .fresh = true};
    struct plog_redact_report r;
    size_t len;
    make(&w, PLOG_LAST_WRITE_WINS);
    world_close(&w);
    CHECK_INT(plog_replay(w.dir, &fresh, &replay, NULL), 0); /* a database */
    char *log = world_read(world_path(&w, SEGMENT_1), &len);
    char *line = strstr(log, "{\"seq\":4,");
    REQUIRE(line != NULL);
    world_write(world_path(&w, "quarantine/torn"), log, len);
    line[30] ^= 1; /* damage in it: only the salt tells */
    world_write(world_path(&w, "quarantine/damaged"), line,
                len - (size_t)(line - log) - 5);
    free(log);
    static const char other[] =
        "{\"seq\":4,\"resource\":\"pets\",\"record_id\":\"of another log\"}\n";
    world_write(world_path(&w, "quarantine/other"), other, sizeof other - 1);
    CHECK_INT(files_with(w.dir, SECRET, strlen(SECRET)) >= 5, 1);
    CHECK_INT(redact_over(&w, 4, NULL, &r), 0);
    CHECK_UINT(r.quarantine >= 3, 1);
    nothing_left(&w);
    CHECK_INT(found_in(world_path(&w, "quarantine/torn"), "value-7", 7), 1);
    CHECK_INT(
        found_in(world_path(&w, "quarantine/other"), other, sizeof other - 1),
        1);
    world_end(&w, 8);
}

/* A reader holds an old state: the WAL cannot be emptied yet. */
static void behind_a_reader(void)
{
    struct world w;
    struct plog_redact_report r;
    struct plog_status status;
    sqlite3 *db = NULL;
    make(&w, PLOG_LAST_WRITE_WINS);
    world_close(&w);
    CHECK_INT(sqlite3_open(world_path(&w, "store.db"), &db), SQLITE_OK);
    CHECK_INT(sqlite3_exec(db, "BEGIN; SELECT * FROM events", NULL, NULL, NULL),
              SQLITE_OK);
    CHECK_INT(redact_over(&w, 4, NULL, &r), PLOG_E_LOCKED);
    CHECK_UINT(r.order, 8);
    CHECK_INT(plog_read_status(w.dir, NULL, &status, NULL), 0);
    CHECK_UINT(status.pending, 1);
    struct world_found f; /* the log's line is whole yet: no difference */
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    CHECK_UINT(f.report.pending, 1);
    CHECK_INT(found_in(world_path(&w, SEGMENT_1), SECRET, strlen(SECRET)), 1);
    sqlite3_close(db);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_read_status(w.dir, NULL, &status, NULL), 0);
    CHECK_UINT(status.pending, 0);
    CHECK_UINT(status.redactions, 1);
    nothing_left(&w);
    world_end(&w, 8);
}

/* Before the order the payload is still wanted elsewhere: copies below it. */
static void restored_below(void)
{
    struct world w, copy, again;
    struct plog_restore_report report;
    struct plog_rebuild_report built;
    make(&w, PLOG_LAST_WRITE_WINS);
    CHECK_INT(redact(&w, 4), 0);
    world_close(&w);
    copy = again = w;
    snprintf(copy.dir, sizeof copy.dir, "%.400s-copy", w.dir);
    snprintf(again.dir, sizeof again.dir, "%.400s-again", w.dir);
    struct plog_restore_options o = {.struct_size = sizeof o, .at_seq = 6};
    CHECK_INT(plog_restore(w.dir, copy.dir, &o, &report, NULL), 0);
    CHECK_UINT(report.head.size, 6);
    CHECK(world_has(&copy, "orders/8"));
    struct world_found f;
    CHECK_INT(world_verify(&copy, NULL, &f), 0);
    CHECK_INT(world_parity(&copy, NULL, &f), 0);
    nothing_left(&copy);
    struct plog_rebuild_options b = {.struct_size = sizeof b};
    CHECK_INT(plog_rebuild_log(copy.dir, again.dir, &b, &built, NULL), 0);
    CHECK_INT(built.verdict, 0);
    CHECK_INT(world_verify(&again, NULL, &f), 0);
    /* Without the order that came along it is damage. */
    CHECK_INT(unlink(world_path(&copy, "orders/8")), 0);
    CHECK_INT(world_verify(&copy, NULL, &f), PLOG_E_TAMPERED);
    CHECK_UINT(f.first[0].seq, 4);
    world_end(&w, 8);
}

/* ---- A kill at each call ------------------------------------------------ */

static int act(void *arg, const struct plog_io *io)
{
    return redact_over(arg, 4, io, NULL);
}

static void killed_everywhere(void)
{
    struct world w, base;
    struct plog_status status;
    unsigned before = 0, after = 0;
    bool again = true;
    long n = 1;
    make(&base, PLOG_MERGE_JSON);
    world_close(&base);
    for (; again && n < 1000; n++) {
        w = base;
        snprintf(w.dir, sizeof w.dir, "%.400s-%ld", base.dir, n);
        world_copy(base.dir, w.dir);
        again = killing_run(n, act, &w);
        struct world_found f; /* whatever is pending, no difference */
        if (world_has(&w, SEGMENT_1 ".new"))
            CHECK(again);
        CHECK_INT(world_open(&w), 0);
        if (!w.p)
            break;
        world_close(&w);
        CHECK_INT(plog_read_status(w.dir, NULL, &status, NULL), 0);
        CHECK_UINT(status.pending, 0);
        CHECK_INT(world_parity(&w, NULL, &f), 0);
        before += status.redactions == 0;
        after += status.redactions == 1;
        if (status.redactions)
            nothing_left(&w);
        CHECK_INT(redact(&w, 4), 0);
        nothing_left(&w);
        CHECK(!world_has(&w, SEGMENT_1 ".new"));
        world_end(&w, 8);
        world_remove(w.dir);
    }
    CHECK(!again);
    CHECK(before > 5 && after > 10); /* kills before and behind the order */
    printf("# %ld calls: %u kills before the order was durable, %u behind it\n",
           n - 1, before, after - 1);
}

/* ---- Without an order --------------------------------------------------- */

/* The redacted form of an entry, made by somebody who may not. */
static char *redacted(const struct world *w, uint64_t seq)
{
    const struct plog_io *io = plog_io_posix();
    struct plog_entry_parser parser;
    struct plog_entry e;
    struct plog_buf b;
    unsigned char leaf[PLOG_HASH_SIZE];
    size_t len;
    char *line = world_line(w, seq, &len);
    plog_entry_parser_init(&parser, io);
    plog_buf_init(&b, io);
    CHECK_INT(plog_entry_parse(&parser, plog_span(line, len), &e, NULL), 0);
    plog_hash_leaf(line, len, leaf);
    CHECK_INT(plog_redacted_format(&b, &e, leaf), 0);
    free(line);
    line = strndup(b.data, b.len);
    plog_buf_fini(&b);
    plog_entry_parser_fini(&parser);
    return line;
}

/* Puts `text` in the place of the line of entry `seq` in the first segment. */
static void put_line(const struct world *w, uint64_t seq, const char *text)
{
    size_t len, n = strlen(text);
    char start[32], *log = world_read(world_path(w, SEGMENT_1), &len);
    snprintf(start, sizeof start, "{\"seq\":%llu,", (unsigned long long)seq);
    char *at = strstr(log, start);
    REQUIRE(at != NULL);
    size_t old = (size_t)(strchr(at, '\n') - at), from = (size_t)(at - log);
    char *fresh = malloc(len + n);
    REQUIRE(fresh != NULL);
    memcpy(fresh, log, from);
    memcpy(fresh + from, text, n);
    memcpy(fresh + from + n, at + old, len - from - old);
    world_write(world_path(w, SEGMENT_1), fresh, len - old + n);
    free(fresh);
    free(log);
}

static void first_finding(const struct world *w, int verdict, uint64_t seq)
{
    struct world_found f;
    CHECK_INT(world_verify(w, NULL, &f), verdict);
    CHECK_UINT(f.first[0].seq, seq);
    CHECK_INT(world_parity(w, NULL, &f), verdict);
    CHECK_UINT(f.first[0].seq, seq);
}

static void without_an_order(void)
{
    struct world w;
    struct plog_salvage_report salvaged;
    struct plog_salvage_options heal = {.struct_size = sizeof heal,
                                        .from_store = true};
    make(&w, PLOG_LAST_WRITE_WINS);
    world_close(&w);
    char *line = redacted(&w, 4), *other = redacted(&w, 5);
    put_line(&w, 4, line);
    first_finding(&w, PLOG_E_TAMPERED, 4);
    CHECK_INT(plog_salvage(w.dir, &heal, &salvaged, NULL), 0);
    CHECK_INT(salvaged.verdict, 0); /* the store still has it whole */
    CHECK_INT(redact(&w, 4), 0);
    /* With an order for 4: another entry, and another text of this one. */
    put_line(&w, 5, other);
    first_finding(&w, PLOG_E_TAMPERED, 5);
    CHECK_INT(plog_salvage(w.dir, &heal, &salvaged, NULL), 0);
    CHECK_INT(salvaged.verdict, 0);
    char *name = strstr(line, "even");
    REQUIRE(name != NULL);
    memcpy(name, "evil", 4);
    put_line(&w, 4, line);
    first_finding(&w, PLOG_E_TAMPERED, 4);
    CHECK_INT(plog_salvage(w.dir, &heal, &salvaged, NULL), 0);
    CHECK_INT(salvaged.verdict, 0);
    free(line);
    free(other);
    nothing_left(&w);
    world_end(&w, 8);
}

/* The line as it was is put back: the store says what it must be. */
static void payload_put_back(void)
{
    struct world w;
    struct world_found f;
    size_t len;
    make(&w, PLOG_LAST_WRITE_WINS);
    char *line = world_line(&w, 4, &len);
    world_close(&w);
    CHECK_INT(redact(&w, 4), 0);
    put_line(&w, 4, line); /* in the log: as before it was replaced */
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    CHECK_UINT(f.report.pending, 1);
    world_sql(&w, "UPDATE redactions SET pending=1");
    CHECK_INT(world_open(&w), 0);
    world_close(&w);
    nothing_left(&w);
    char *sql = malloc(len + 100);
    REQUIRE(sql != NULL);
    sprintf(sql, "UPDATE events SET line='%s' WHERE seq=4", line);
    world_sql(&w, sql);
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_DIVERGED);
    CHECK_UINT(f.first[0].seq, 4);
    /* The leaves are the same, and would tell nobody what is wrong. */
    struct plog_check_options o = {.struct_size = sizeof o};
    CHECK(strstr(said_check(plog_parity, w.dir, &o),
                 "want the redacted line; got another line of the same leaf"));
    free(sql);
    free(line);
    struct plog_replay_report replay;
    struct plog_replay_options fresh = {.struct_size = sizeof fresh,
                                        .fresh = true};
    CHECK_INT(plog_replay(w.dir, &fresh, &replay, NULL), 0);
    world_sql(&w, "DELETE FROM redactions");
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_DIVERGED);
    CHECK_UINT(f.first[0].seq, 8);
    CHECK_INT(plog_replay(w.dir, &fresh, &replay, NULL), 0);
    world_end(&w, 8);
}

/* Damage in the file of a redacted line, and its order lost with its file. */
static void healed(void)
{
    struct world w;
    struct world_found f;
    struct plog_salvage_report salvaged;
    struct plog_salvage_options heal = {.struct_size = sizeof heal,
                                        .from_store = true};
    make(&w, PLOG_LAST_WRITE_WINS);
    CHECK_INT(redact(&w, 4), 0);
    CHECK_INT(redact(&w, 6), 0);
    world_close(&w);
    static const char *const files[] = {SEGMENT_1,
                                        "log/00000000000000000008.jsonl"};
    for (int i = 0; i < 2; i++) {
        size_t len, again;
        char *bytes = world_read(world_path(&w, files[i]), &len);
        CHECK_INT(unlink(world_path(&w, files[i])), 0);
        CHECK(world_parity(&w, NULL, &f) < 0);
        CHECK_INT(plog_salvage(w.dir, &heal, &salvaged, NULL), 0);
        CHECK_INT(salvaged.verdict, 0);
        char *now = world_read(world_path(&w, files[i]), &again);
        CHECK_UINT(again, len);
        CHECK_INT(memcmp(now, bytes, len), 0);
        bytes[len - 40] ^= 1;
        world_write(world_path(&w, files[i]), bytes, len);
        CHECK(world_parity(&w, NULL, &f) < 0);
        CHECK_INT(plog_salvage(w.dir, &heal, &salvaged, NULL), 0);
        CHECK_INT(salvaged.verdict, 0);
        free(bytes);
        free(now);
    }
    world_end(&w, 9);
}

/* ---- What is said before, and of odd stores -------------------------------
 */

static int look(const struct world *w, uint64_t seq, const char *reason,
                struct plog_redact_report *r)
{
    struct plog_redact_options o = {
        .struct_size = sizeof o, .reason = reason, .dry_run = true};
    return plog_redact(w->dir, seq, &o, r, NULL);
}

/* Its answers are logged, and may hold what was there before. */
static int keeps_all(void *arg, const struct plog_record *current,
                     const struct plog_delta_view *delta,
                     struct plog_span *merged)
{
    (void)arg, (void)delta;
    if (current)
        *merged = (struct plog_span){"{\"v\":\"a\",\"w\":1}", 15};
    return 1;
}

/* Later payloads that may hold a part of it are counted, and named. */
static void merged_later(void)
{
    struct world w;
    struct plog_redact_report r;
    world_make(&w, PLOG_CUSTOM, 0);
    w.options.custom = keeps_all;
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(world_put(&w, NULL, "1", "a", NULL), 0);
    CHECK_INT(world_put(&w, NULL, "2", "b", NULL), 0);
    for (int i = 0; i < 3; i++) {
        char text[300];
        struct world_delta d = {.record = "1", .payload = "{\"w\":1}"};
        CHECK_INT(
            world_append(&w, world_text(text, sizeof text, &d), NULL, NULL), 0);
    }
    world_close(&w);
    CHECK_INT(look(&w, 2, "why", &r), 0);
    CHECK_UINT(r.merged, 3);
    CHECK_UINT(r.merged_first, 4);
    CHECK_INT(look(&w, 5, "why", &r), 0);
    CHECK_UINT(r.merged, 1);
    CHECK_UINT(r.merged_first, 6);
    CHECK_INT(look(&w, 3, "why", &r), 0);
    CHECK_UINT(r.merged, 0);
    CHECK_UINT(r.merged_first, 0);
    /* One that cannot be read says nothing; the others do. */
    world_sql(&w, "UPDATE events SET line='x' WHERE seq=4");
    CHECK_INT(look(&w, 2, "why", &r), 0);
    CHECK_UINT(r.merged, 2);
    CHECK_UINT(r.merged_first, 5);
    world_make(&w, PLOG_ARRIVAL, 0); /* those with none are not */
    CHECK_INT(world_put(&w, NULL, "1", "a", NULL), 0);
    CHECK_INT(world_put(&w, NULL, "1", "b", NULL), 0);
    world_close(&w);
    CHECK_INT(look(&w, 2, "why", &r), 0);
    CHECK_UINT(r.merged, 0);
    CHECK_UINT(r.merged_first, 0);
}

static void reasons(void)
{
    struct world w;
    struct plog_redact_report r;
    char reason[PLOG_REASON_MAX + 2];
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, NULL, "1", "a", NULL), 0);
    world_close(&w);
    memset(reason, 'a', sizeof reason);
    reason[PLOG_REASON_MAX + 1] = '\0';
    CHECK_INT(look(&w, 2, reason, &r), PLOG_E_INPUT);
    reason[PLOG_REASON_MAX] = '\0';
    CHECK_INT(look(&w, 2, reason, &r), 0);
    CHECK_INT(look(&w, 2, "", &r), PLOG_E_INPUT);
    CHECK_INT(look(&w, 2, NULL, &r), PLOG_E_INPUT);
    CHECK_INT(look(&w, 2, "\xff", &r), PLOG_E_INPUT);
}

static struct {
    const struct world *w;
    struct plog_io io;
    unsigned done;
} faster;

/* Just before the lock is taken, somebody else redacts the entry. */
static int faster_lock(void *ctx, int fd, uint64_t byte, int mode)
{
    if (byte == 1 && mode == 2 && faster.done++ == 0)
        CHECK_INT(redact(faster.w, 2), 0);
    return plog_io_posix()->lock_byte(ctx, fd, byte, mode);
}

static void somebody_faster(void)
{
    struct world w;
    struct plog_redact_report r;
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, NULL, "1", SECRET, NULL), 0);
    world_close(&w);
    faster.w = &w;
    faster.done = 0;
    faster.io = *plog_io_posix();
    faster.io.lock_byte = faster_lock;
    CHECK_INT(redact_over(&w, 2, &faster.io, &r), 0);
    CHECK(faster.done > 0);
    CHECK(r.already);
    CHECK_INT(files_with(w.dir, SECRET, strlen(SECRET)), 0);
    world_end(&w, 3); /* one order */
}

static int count_redaction(void *arg, const struct plog_redaction *r)
{
    unsigned *n = arg;
    CHECK_UINT(r->seq, 2);
    *n += r->reason.n != 0;
    return 0;
}

/* The list says so when a row of it names something else. */
static void no_order_in_the_list(void)
{
    static const struct {
        const char *sql;
        int code;
        unsigned reasons;
    } all[] = {
        {"SELECT 1", 0, 1},
        {"UPDATE redactions SET seq=3", PLOG_E_DIVERGED, 0},
        {"UPDATE events SET line='x' WHERE seq=4", PLOG_E_DIVERGED, 0},
        {"UPDATE events SET line=replace(line,'\"logged_at\":\"2',"
         "'\"logged_at\":\"x') WHERE seq=4",
         PLOG_E_DIVERGED, 0},
        {"UPDATE events SET line=replace(line,'\"reason\":\"asked for\"',"
         "'\"reason\":1') WHERE seq=4",
         0, 0},
        {"UPDATE events SET line=replace(line,'\"reason\":\"asked for\"',"
         "'\"reason\":12345') WHERE seq=4",
         0, 0},
        {"UPDATE events SET line=replace(line,'\"reason\"','\"raison\"')"
         " WHERE seq=4",
         0, 0},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct world w;
        struct plog_error err = {.code = 0};
        unsigned n = 0;
        world_make(&w, PLOG_ARRIVAL, 0);
        CHECK_INT(world_put(&w, NULL, "1", "a", NULL), 0);
        CHECK_INT(world_put(&w, NULL, "1", "b", NULL), 0);
        world_close(&w);
        CHECK_INT(redact(&w, 2), 0);
        world_sql(&w, all[i].sql);
        CHECK_INT(plog_redactions(w.dir, NULL, count_redaction, &n, &err),
                  all[i].code);
        CHECK_INT(err.code, all[i].code);
        CHECK(!all[i].code || strstr(err.message, "is no order to redact"));
        CHECK_UINT(n, all[i].reasons);
        world_remove(w.dir);
    }
}

/* ---- While the log is read ---------------------------------------------- */

static uint64_t redact_at, redact_what, lines_read;

static int redact_there(void *arg, uint64_t seq, const char *line, size_t n)
{
    const struct world *w = arg;
    struct plog_redact_report r;
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "now"};
    (void)line, (void)n;
    lines_read++;
    if (seq == redact_at)
        CHECK_INT(plog_redact(w->dir, redact_what, &o, &r, NULL), 0);
    return 0;
}

/* A line further on is redacted after the orders were looked through for one
 * before it. */
static void while_it_is_read(void)
{
    struct world w;
    plog_reader *r;
    world_make(&w, PLOG_ARRIVAL, 4096);
    for (int i = 0; i < 60; i++)
        CHECK_INT(world_put(&w, NULL, "a", "some text", NULL), 0);
    redact_at = 0;
    redact_what = 3;
    CHECK_INT(redact_there(&w, 0, "", 0), 0);
    CHECK_INT(plog_reader_open(&r, w.dir, NULL, NULL), 0);
    redact_at = 5;
    redact_what = 50;
    lines_read = 0;
    CHECK_INT(plog_reader_log(r, 1, 0, redact_there, &w, NULL), 0);
    CHECK_UINT(lines_read, 62);
    plog_reader_close(r);
    world_end(&w, 63);
}

static struct world *checked;
static int opens_left; /* of segments, then it happens; 0: it has */

/* The log's line goes at once; the rest waits for who reads the store. */
static int redact_late(void *ctx, int dir, const char *name, int flags,
                       uint32_t mode)
{
    if (opens_left && strstr(name, ".jsonl") && --opens_left == 0) {
        struct plog_redact_report r;
        struct plog_redact_options o = {
            .struct_size = sizeof o, .reason = "now", .wait_seconds = -1};
        int rc = plog_redact(checked->dir, 50, &o, &r, NULL);
        CHECK(rc == 0 || rc == PLOG_E_LOCKED);
    }
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* And so for who checks the log: nothing is wrong with it. */
static void while_it_is_checked(void)
{
    for (int n = 4; n < 16; n++) {
        struct plog_io io = *plog_io_posix();
        struct plog_check_options o = {.struct_size = sizeof o, .io = &io};
        struct world w;
        struct world_found f;
        io.open_at = redact_late;
        world_make(&w, PLOG_ARRIVAL, 4096);
        for (int i = 0; i < 60; i++)
            CHECK_INT(world_put(&w, NULL, "a", "some text", NULL), 0);
        CHECK_INT(redact(&w, 3), 0);
        checked = &w;
        opens_left = n;
        int rc = n % 2 ? world_verify(&w, &o, &f) : world_parity(&w, &o, &f);
        if (!CHECK_INT(rc, 0))
            printf("# at opening %d: left %d\n", n, opens_left);
        opens_left = 0;
        CHECK_INT(redact(&w, 50), 0);
        world_end(&w, world_size(&w));
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"keeps its proof", keeps_its_proof},
        {"records", records},
        {"merges and tombstones", merges_and_tombstones},
        {"in quarantine", in_quarantine},
        {"behind a reader", behind_a_reader},
        {"restored below the order", restored_below},
        {"killed at each call", killed_everywhere},
        {"without an order", without_an_order},
        {"payload put back", payload_put_back},
        {"healed", healed},
        {"merged later", merged_later},
        {"reasons", reasons},
        {"somebody faster", somebody_faster},
        {"no order in the list", no_order_in_the_list},
        {"while the log is read", while_it_is_read},
        {"while the log is checked", while_it_is_checked},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
