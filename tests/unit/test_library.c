/*
 * test_library.c - the calls of paritylog.h as a program uses them: receipts,
 * ids, groups, hook, policy, logged entries, subscription, locks.
 */
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "note.h"
#include "order_shim.h"
#include "paritylog_recovery.h"
#include "sha256.h"

static char dir[512], vkey[PLOG_VKEY_MAX];
static struct plog_options options;
static plog *p;

static void make_log(void)
{
    struct plog_init_options o = {.struct_size = sizeof o,
                                  .strategy = PLOG_ARRIVAL};
    snprintf(dir, sizeof dir, "%.400s/log", check_dir());
    CHECK_INT(plog_init(dir, &o, vkey, NULL), 0);
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.io = order_io();
    CHECK_INT(plog_open(&p, dir, &options, NULL), 0);
}

static void close_log(void)
{
    struct plog_check_report report;
    plog_close(p);
    CHECK_INT(plog_parity(dir, NULL, &report, NULL), 0);
    CHECK_INT(report.verdict, 0);
}

static char *delta(const char *id, int record, const char *value)
{
    static char texts[4][500];
    static int next;
    char *text = texts[next++ % 4];
    snprintf(
        text, sizeof texts[0],
        "{\"id\":\"%s\",\"resource\":\"r\",\"record_id\":\"%d\",\"op\":"
        "\"upsert\",\"payload\":{\"v\":\"%s\"},\"occurred_at\":\"2026-01-02"
        "T03:04:05Z\",\"provenance\":{\"source\":\"s\",\"confidence\":1}}",
        id, record, value);
    return text;
}

static int append(const char *id, int record, const char *value,
                  struct plog_receipt *r)
{
    char *text = delta(id, record, value);
    return plog_append(p, text, strlen(text), r, NULL);
}

static uint64_t size(void)
{
    struct plog_head head = {0};
    CHECK_INT(plog_get_head(p, &head, NULL), 0);
    return head.size;
}

/* ---- Receipts and ids --------------------------------------------------- */

struct line {
    char text[1000];
    size_t n;
};

static int keep_line(void *arg, uint64_t seq, const char *line, size_t len)
{
    struct line *l = arg;
    (void)seq;
    l->n = len < sizeof l->text ? len : 0;
    memcpy(l->text, line, l->n);
    return 0;
}

static void read_line(uint64_t seq, struct line *l)
{
    plog_reader *r = NULL;
    CHECK_INT(plog_reader_open(&r, dir, NULL, NULL), 0);
    CHECK_INT(plog_reader_log(r, seq, seq, keep_line, l, NULL), 0);
    plog_reader_close(r);
}

/* A receipt can be checked by anyone who has the line and the key. */
static void receipts_prove_themselves(void)
{
    struct plog_receipt r;
    struct plog_vkey key;
    struct line l;
    unsigned char leaf[PLOG_HASH_SIZE];
    make_log();
    CHECK_INT(append("a", 1, "x", &r), 0);
    CHECK_UINT(r.seq, 2);
    CHECK_UINT(r.size, 2);
    CHECK(!r.duplicate && !r.skipped && !r.warned);
    read_line(2, &l);
    plog_hash_leaf(l.text, l.n, leaf);
    CHECK_BYTES(r.leaf, sizeof r.leaf, leaf, sizeof leaf);
    CHECK_INT(plog_vkey_parse((struct plog_span){vkey, strlen(vkey)}, &key), 0);
    CHECK(plog_checkpoint_verify(&key, key.name, r.size, r.root, r.sig));
    CHECK(!plog_checkpoint_verify(&key, key.name, r.size + 1, r.root, r.sig));
    close_log();
}

/* Same id, same content: the first receipt again, nothing written. */
static void a_duplicate_gets_the_first_receipt(void)
{
    struct plog_receipt first, again;
    make_log();
    CHECK_INT(append("a", 1, "x", &first), 0);
    CHECK_INT(append("b", 2, "y", NULL), 0);
    CHECK_INT(append("a", 1, "x", &again), 0);
    CHECK(again.duplicate);
    again.duplicate = false;
    CHECK_BYTES(&again, sizeof again, &first, sizeof first);
    CHECK_UINT(size(), 3);
    close_log();
}

static void other_content_is_a_conflict(void)
{
    struct plog_error err = {0};
    make_log();
    CHECK_INT(append("a", 1, "x", NULL), 0);
    char *text = delta("a", 1, "other");
    CHECK_INT(plog_append(p, text, strlen(text), NULL, &err), PLOG_E_CONFLICT);
    CHECK_UINT(err.seq, 2);
    CHECK_TEXT(err.member, "id");
    CHECK_UINT(size(), 2);
    close_log();
}

/* A duplicate is acknowledged only for what the log itself holds. */
static void a_duplicate_is_read_from_the_log(void)
{
    char path[600], sql[200];
    sqlite3 *db = NULL;
    make_log();
    CHECK_INT(append("a", 1, "x", NULL), 0);
    snprintf(path, sizeof path, "%s/store.db", dir);
    CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
    snprintf(sql, sizeof sql,
             "UPDATE events SET line=replace(line,'\"x\"',"
             "'\"z\"') WHERE seq=2");
    CHECK_INT(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    CHECK_INT(append("a", 1, "z", NULL), PLOG_E_DIVERGED);
    plog_close(p);
}

/* ---- Groups ------------------------------------------------------------- */

static int group(const char *const *texts, size_t n, struct plog_receipt *r,
                 int (*hook)(void *, sqlite3 *, const uint64_t *, size_t),
                 struct plog_error *err)
{
    struct plog_span spans[8];
    for (size_t i = 0; i < n; i++)
        spans[i] = (struct plog_span){texts[i], strlen(texts[i])};
    struct plog_group g = {.struct_size = sizeof g,
                           .deltas = spans,
                           .delta_count = n,
                           .hook = hook};
    return plog_append_group(p, &g, r, err);
}

/* All or none, one commit, an id twice is twice in a row. */
static void groups_are_whole(void)
{
    struct plog_receipt r[3];
    struct plog_error err = {0};
    const char *good[3] = {delta("a", 1, "x"), delta("b", 2, "y"),
                           delta("a", 1, "x")};
    make_log();
    CHECK_INT(group(good, 3, r, NULL, NULL), 0);
    CHECK_UINT(r[1].size, 3);
    CHECK_UINT(r[2].seq, 2);
    CHECK(r[2].duplicate && r[2].size == 3);
    CHECK_BYTES(r[2].leaf, 32, r[0].leaf, 32);
    CHECK_BYTES(r[2].sig, 64, r[0].sig, 64);
    const char *bad[2] = {delta("c", 1, "x"), "{\"resource\":1}"};
    CHECK_INT(group(bad, 2, r, NULL, &err), PLOG_E_INPUT);
    CHECK_UINT(err.index, 1);
    const char *clash[2] = {delta("d", 1, "x"), delta("a", 1, "other")};
    CHECK_INT(group(clash, 2, r, NULL, &err), PLOG_E_CONFLICT);
    CHECK_UINT(err.index, 1);
    CHECK_UINT(size(), 3);
    CHECK_INT(append("d", 1, "x", &r[0]), 0); /* left no trace */
    CHECK(!r[0].duplicate);
    close_log();
}

static int stop_at_once(void *arg, uint64_t seq, const char *line, size_t len)
{
    (void)line, (void)len;
    CHECK_UINT(seq, 2);
    ++*(int *)arg;
    return 7;
}

/* Within a group, too: no more lines, and what it returned. */
static void a_reader_of_lines_stops(void)
{
    const char *good[3] = {delta("a", 1, "x"), delta("b", 2, "y"),
                           delta("c", 3, "z")};
    plog_reader *r = NULL;
    int calls = 0;
    make_log();
    CHECK_INT(group(good, 3, NULL, NULL, NULL), 0);
    CHECK_INT(plog_reader_open(&r, dir, NULL, NULL), 0);
    CHECK_INT(plog_reader_log(r, 2, 0, stop_at_once, &calls, NULL), 7);
    CHECK_INT(calls, 1);
    plog_reader_close(r);
    close_log();
}

/* ---- The hook ----------------------------------------------------------- */

static int hook_writes(void *arg, sqlite3 *db, const uint64_t *seqs, size_t n)
{
    char sql[200];
    (void)arg;
    CHECK_UINT(n, 1);
    snprintf(sql, sizeof sql,
             "CREATE TABLE IF NOT EXISTS mine(seq);"
             "INSERT INTO mine VALUES(%llu)",
             (unsigned long long)seqs[0]);
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static int hook_refuses(void *arg, sqlite3 *db, const uint64_t *seqs, size_t n)
{
    CHECK_INT(hook_writes(arg, db, seqs, n), 0);
    return 1;
}

static int hook_breaks_in(void *arg, sqlite3 *db, const uint64_t *seqs,
                          size_t n)
{
    static const char *const all[] = {
        "DELETE FROM events",
        "UPDATE meta SET size=0",
        "INSERT INTO state SELECT * FROM state",
        "DROP TABLE cursors",
        "COMMIT",
        "ROLLBACK",
        "ATTACH ':memory:' AS x",
        "PRAGMA synchronous=OFF",
        "CREATE INDEX i ON events(op)",
        "CREATE TRIGGER t AFTER INSERT ON events BEGIN SELECT 1; END",
        "ALTER TABLE events RENAME TO e",
    };
    (void)arg, (void)seqs, (void)n;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!CHECK(sqlite3_exec(db, all[i], NULL, NULL, NULL) != SQLITE_OK))
            printf("#   %s\n", all[i]);
    return 0;
}

/* A conflict clause can end the transaction under us. */
static int hook_rolls_back(void *arg, sqlite3 *db, const uint64_t *seqs,
                           size_t n)
{
    (void)arg, (void)seqs, (void)n;
    sqlite3_exec(db,
                 "CREATE TABLE u(a UNIQUE); INSERT INTO u VALUES(1);"
                 "INSERT OR ROLLBACK INTO u VALUES(1)",
                 NULL, NULL, NULL);
    return 0;
}

/* Nothing is logged for a transaction that is gone. */
static void hook_that_rolls_back(void)
{
    const char *one[1] = {delta("a", 1, "x")};
    make_log();
    CHECK_INT(group(one, 1, NULL, hook_rolls_back, NULL), PLOG_E_HOOK);
    CHECK_UINT(size(), 1);
    CHECK_INT(append("a", 1, "x", NULL), 0);
    CHECK_UINT(size(), 2);
    close_log();
}

static int count(const char *sql)
{
    char path[600];
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    snprintf(path, sizeof path, "%s/store.db", dir);
    CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
    CHECK_INT(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    int n = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int(s, 0) : -1;
    sqlite3_finalize(s);
    sqlite3_close(db);
    return n;
}

/* A caller's table commits with its deltas, or neither does. */
static void hook_joins_the_transaction(void)
{
    const char *one[1] = {delta("a", 1, "x")}, *two[1] = {delta("b", 1, "y")};
    make_log();
    CHECK_INT(group(one, 1, NULL, hook_writes, NULL), 0);
    CHECK_INT(group(two, 1, NULL, hook_refuses, NULL), PLOG_E_HOOK);
    CHECK_UINT(size(), 2);
    CHECK_INT(count("SELECT count(*) FROM mine"), 1);
    CHECK_INT(count("SELECT seq FROM mine"), 2);
    CHECK_INT(group(two, 1, NULL, hook_breaks_in, NULL), 0);
    close_log();
}

/* ---- The policy --------------------------------------------------------- */

static enum plog_policy_answer judge(void *arg, const struct plog_delta_view *d,
                                     char *reason, size_t cap)
{
    static const char *const answers[] = {"allow", "warn", "quarantine",
                                          "reject"};
    (void)arg;
    snprintf(reason, cap, "because");
    for (int i = 0; i < 4; i++)
        if (memmem(d->payload.p, d->payload.n, answers[i], strlen(answers[i])))
            return (enum plog_policy_answer)i;
    return PLOG_ALLOW;
}

static void policy_comes_before_writing(void)
{
    struct plog_receipt r;
    struct plog_error err = {0};
    make_log();
    plog_close(p);
    options.policy = judge;
    CHECK_INT(plog_open(&p, dir, &options, NULL), 0);
    CHECK_INT(append("a", 1, "allow", &r), 0);
    CHECK(!r.warned);
    CHECK_INT(append("b", 1, "warn", &r), 0);
    CHECK(r.warned);
    CHECK_INT(append("c", 1, "quarantine", &r), PLOG_E_POLICY);
    char *text = delta("d", 1, "reject");
    CHECK_INT(plog_append(p, text, strlen(text), NULL, &err), PLOG_E_POLICY);
    CHECK(strstr(err.message, "because") != NULL);
    CHECK_UINT(size(), 3);
    close_log();
}

/* ---- Entries that are logged already ------------------------------------ */

static void copy_store(const char *from, const char *to)
{
    char command[2000];
    snprintf(command, sizeof command,
             "rm -f '%.400s'/store.db* && cp '%.400s'/store.db* '%.400s'/", to,
             from, to);
    CHECK_INT(system(command), 0);
}

static unsigned replayed;

static int note_replay(void *arg, sqlite3 *db, uint64_t seq, const char *line,
                       size_t len)
{
    (void)arg, (void)db, (void)seq, (void)line, (void)len;
    replayed++;
    return 0;
}

/* inserted, already present, mismatch, not there, too early. */
static void logged_entries_are_applied(void)
{
    char old[512], command[1200];
    struct line l[4];
    make_log();
    CHECK_INT(append("a", 1, "x", NULL), 0);
    snprintf(old, sizeof old, "%.400s/old", check_dir());
    snprintf(command, sizeof command, "cp -a '%.400s' '%.400s'", dir, old);
    CHECK_INT(system(command), 0);
    CHECK_INT(append("b", 2, "y", NULL), 0);
    CHECK_INT(append("c", 3, "z", NULL), 0);
    plog_close(p);
    for (uint64_t i = 0; i < 3; i++)
        read_line(i + 2, &l[i]);
    copy_store(old, dir);
    options.leave_behind = true;
    options.replayed = note_replay;
    replayed = 0;
    CHECK_INT(plog_open(&p, dir, &options, NULL), 0);
    CHECK_INT(append("d", 1, "x", NULL), PLOG_E_BEHIND);
    uint64_t first;
    struct plog_error err = {0};
    CHECK_INT(plog_new_segment(p, &first, &err), PLOG_E_BEHIND);
    CHECK_INT(err.code, PLOG_E_BEHIND);
    /* One that the log lacks, with two groups to come. */
    strstr(l[2].text, "{\"seq\":4")[7] = '9';
    CHECK_INT(plog_apply_logged(p, l[2].text, l[2].n, NULL), PLOG_E_NOT_FOUND);
    strstr(l[2].text, "{\"seq\":9")[7] = '4';
    CHECK_INT(plog_apply_logged(p, l[0].text, l[0].n, NULL), PLOG_PRESENT);
    CHECK_INT(plog_apply_logged(p, l[2].text, l[2].n, NULL), PLOG_E_BEHIND);
    CHECK_INT(plog_apply_logged(p, l[1].text, l[1].n, NULL), 0);
    CHECK_INT(plog_apply_logged(p, l[1].text, l[1].n, NULL), PLOG_PRESENT);
    strstr(l[2].text, "\"z\"")[1] = 'q';
    CHECK_INT(plog_apply_logged(p, l[2].text, l[2].n, NULL), PLOG_E_MISMATCH);
    strstr(l[1].text, "\"y\"")[1] = 'q';
    CHECK_INT(plog_apply_logged(p, l[1].text, l[1].n, NULL), PLOG_E_MISMATCH);
    strstr(l[2].text, "{\"seq\":4")[7] = '9';
    CHECK_INT(plog_catch_up(p, NULL), 0);
    CHECK_INT(plog_apply_logged(p, l[2].text, l[2].n, NULL), PLOG_E_NOT_FOUND);
    CHECK_UINT(replayed, 2);
    CHECK_INT(append("d", 1, "x", NULL), 0);
    close_log();
}

/* ---- Subscription ------------------------------------------------------- */

/* Every entry once and in order, however slow the reader is. */
static void subscription_loses_nothing(void)
{
    plog_sub *all = NULL, *next = NULL;
    uint64_t seq;
    const char *line;
    size_t len;
    make_log();
    CHECK_INT(plog_subscribe(&all, dir, 1, NULL, NULL), 0);
    CHECK_INT(plog_subscribe(&next, dir, 0, NULL, NULL), 0);
    CHECK_INT(plog_sub_next(next, 0, &seq, &line, &len, NULL), PLOG_TIMEOUT);
    for (int i = 0; i < 3000; i++) {
        char id[32];
        snprintf(id, sizeof id, "%d", i);
        CHECK_INT(append(id, i % 7, "x", NULL), 0);
    }
    for (uint64_t want = 1; want <= 3001; want++) {
        if (!CHECK_INT(plog_sub_next(all, 1, &seq, &line, &len, NULL), 0) ||
            !CHECK_UINT(seq, want))
            break;
        CHECK(want == 1 || (!plog_sub_next(next, 1, &seq, &line, &len, NULL) &&
                            seq == want));
    }
    CHECK_INT(plog_sub_next(all, 0.01, &seq, &line, &len, NULL), PLOG_TIMEOUT);
    plog_sub_close(all);
    plog_sub_close(next);
    close_log();
}

/* ---- Processes ---------------------------------------------------------- */

/* A child must not write through its parent's handle. */
static void a_child_may_not_use_the_handle(void)
{
    int status = 1;
    make_log();
    pid_t child = fork();
    if (child == 0) {
        int rc = append("a", 1, "x", NULL);
        plog_close(p);
        _exit(rc == PLOG_E_ARG ? 0 : 1);
    }
    waitpid(child, &status, 0);
    CHECK_INT(status, 0);
    CHECK_INT(append("a", 1, "x", NULL), 0);
    close_log();
}

static int lock_held(void *arg, sqlite3 *db, const uint64_t *seqs, size_t n)
{
    struct plog_options o = {.struct_size = sizeof o, .wait_seconds = -1};
    struct plog_error err = {0};
    plog *other = NULL;
    (void)arg, (void)db, (void)seqs, (void)n;
    CHECK_INT(plog_open(&other, dir, &o, &err), PLOG_E_LOCKED);
    CHECK(other == NULL);
    CHECK(strstr(err.hint, "--wait") != NULL);
    return 0;
}

/* Whoever comes while a group is written hears LOCKED, with what to do. */
static void locked_is_said(void)
{
    const char *one[1] = {delta("a", 1, "x")};
    make_log();
    CHECK_INT(group(one, 1, NULL, lock_held, NULL), 0);
    close_log();
}

/* Users cannot write what only the engine may. */
static void control_entries_are_not_deltas(void)
{
    static const char *const texts[] = {
        "{\"seq\":9,\"control\":\"strategy\",\"args\":{}}",
        "{\"commit\":{\"size\":1}}", "{\"segment\":{\"format\":1}}",
        "{\"control\":\"init\",\"args\":{}}"};
    make_log();
    for (size_t i = 0; i < 4; i++)
        CHECK_INT(plog_append(p, texts[i], strlen(texts[i]), NULL, NULL),
                  PLOG_E_INPUT);
    CHECK_UINT(size(), 1);
    close_log();
}

struct listed {
    char text[200];
    int stop_with; /* at the second one */
    unsigned count;
};

static int list_cursor(void *arg, const struct plog_cursor *c, uint64_t seq)
{
    struct listed *l = arg;
    size_t n = strlen(l->text);
    snprintf(l->text + n, sizeof l->text - n, "%.*s/%.*s=%.*s@%d ",
             (int)c->source.n, c->source.p, (int)c->resource.n, c->resource.p,
             (int)c->cursor.n, c->cursor.p, (int)seq);
    return ++l->count == 2 ? l->stop_with : 0;
}

static void set_cursors(const struct plog_cursor *all, size_t count)
{
    struct plog_group g = {
        .struct_size = sizeof g, .cursors = all, .cursor_count = count};
    CHECK_INT(plog_append_group(p, &g, NULL, NULL), 0);
}

/* Every cursor as it was last set, by source and resource; who has seen enough
 * is given no more. */
static void cursors_are_listed(void)
{
    static const struct plog_cursor all[] = {
        {{"t", 1}, {"a", 1}, {"7", 1}},
        {{"s", 1}, {"b", 1}, {"", 0}},
        {{"s", 1}, {"a", 1}, {"x", 1}},
    };
    static const struct plog_cursor again = {{"t", 1}, {"a", 1}, {"8", 1}};
    struct listed l = {.count = 0};
    plog_reader *r;
    make_log();
    CHECK_INT(plog_reader_open(&r, dir, NULL, NULL), 0);
    CHECK_INT(plog_reader_cursors(r, list_cursor, &l, NULL), 0);
    CHECK_UINT(l.count, 0);
    set_cursors(all, 3);
    set_cursors(&again, 1);
    CHECK_INT(plog_reader_cursors(r, list_cursor, &l, NULL), 0);
    CHECK_TEXT(l.text, "s/a=x@4 s/b=@3 t/a=8@5 ");
    l = (struct listed){.stop_with = 77};
    CHECK_INT(plog_reader_cursors(r, list_cursor, &l, NULL), 77);
    CHECK_TEXT(l.text, "s/a=x@4 s/b=@3 ");
    plog_reader_close(r);
    close_log();
}

/* Options are versioned by their size: an older caller's shorter struct and a
 * newer one's longer struct work as far as both sides know the members. */
static void options_have_a_size(void)
{
    struct newer {
        struct plog_options o;
        uint64_t later[4];
    } newer = {.o = {.struct_size = sizeof newer}};
    struct plog_options older = {.struct_size =
                                     offsetof(struct plog_options, vkey),
                                 .vkey = "not a key"};
    struct plog_options none = {.vkey = NULL};
    struct plog_error err = {0};
    make_log();
    close_log();
    CHECK_INT(plog_open(&p, dir, &none, &err), PLOG_E_ARG);
    CHECK(strstr(err.message, "struct_size") != NULL);
    CHECK_INT(plog_open(&p, dir, &older, NULL), 0); /* vkey: not looked at */
    plog_close(p);
    CHECK_INT(plog_open(&p, dir, &newer.o, NULL), 0);
    plog_close(p);
    newer.later[3] = 1;
    CHECK_INT(plog_open(&p, dir, &newer.o, &err), PLOG_E_ARG);
    CHECK(p == NULL && strstr(err.message, "later version") != NULL);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"receipts_prove_themselves", receipts_prove_themselves},
        {"a_duplicate_gets_the_first_receipt",
         a_duplicate_gets_the_first_receipt},
        {"other_content_is_a_conflict", other_content_is_a_conflict},
        {"a_duplicate_is_read_from_the_log", a_duplicate_is_read_from_the_log},
        {"groups_are_whole", groups_are_whole},
        {"a_reader_of_lines_stops", a_reader_of_lines_stops},
        {"hook_joins_the_transaction", hook_joins_the_transaction},
        {"hook_that_rolls_back", hook_that_rolls_back},
        {"policy_comes_before_writing", policy_comes_before_writing},
        {"logged_entries_are_applied", logged_entries_are_applied},
        {"subscription_loses_nothing", subscription_loses_nothing},
        {"a_child_may_not_use_the_handle", a_child_may_not_use_the_handle},
        {"locked_is_said", locked_is_said},
        {"control_entries_are_not_deltas", control_entries_are_not_deltas},
        {"cursors are listed", cursors_are_listed},
        {"options_have_a_size", options_have_a_size},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
