/*
 * test_hook.c - the caller's say: the hook inside the store's transaction,
 * entries that are logged already, and the policy.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "world.h"

static struct world w;

static int put(const char *id, const char *record, const char *value,
               struct plog_receipt *r)
{
    return world_put(&w, id, record, value, r);
}

struct texts {
    char text[8][500];
    struct plog_span spans[8];
    size_t n;
};

static void add(struct texts *t, const char *id, const char *payload)
{
    struct world_delta d = {.id = id, .payload = payload};
    t->spans[t->n].p = world_text(t->text[t->n], sizeof t->text[0], &d);
    t->spans[t->n].n = strlen(t->text[t->n]);
    t->n++;
}

typedef int hook_fn(void *, sqlite3 *, const uint64_t *, size_t);

static int append_all(struct texts *t, struct plog_receipt *r, hook_fn *hook,
                      struct plog_error *err)
{
    struct plog_group g = {.struct_size = sizeof g,
                           .deltas = t->spans,
                           .delta_count = t->n,
                           .hook = hook};
    return plog_append_group(w.p, &g, r, err);
}

/* ---- The hook ----------------------------------------------------------- */

static const char *hook_sql; /* what the hook runs; and what it answered */
static int hook_answer, hook_says;
static uint64_t hook_seqs[8];
static size_t hook_count;

static int run_sql(void *arg, sqlite3 *db, const uint64_t *seqs, size_t n)
{
    (void)arg;
    hook_count = n;
    memcpy(hook_seqs, seqs, (n < 8 ? n : 8) * sizeof *seqs);
    hook_answer = hook_sql ? sqlite3_exec(db, hook_sql, NULL, NULL, NULL) : 0;
    return hook_says;
}

static int hooked(const char *id, const char *sql)
{
    struct texts t = {.n = 0};
    hook_sql = sql;
    hook_says = 0;
    add(&t, id, "{}");
    return append_all(&t, NULL, run_sql, NULL);
}

/* It hears the seq of each delta; of a duplicate the first one's. */
static void the_hook_hears_the_seqs(void)
{
    struct texts t = {.n = 0};
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(put("a", "1", "x", NULL), 0);
    add(&t, "b", "{}");
    add(&t, "a", "{\"v\":\"x\"}");
    add(&t, "c", "{}");
    hook_sql = NULL;
    hook_says = 0;
    CHECK_INT(append_all(&t, NULL, run_sql, NULL), 0);
    CHECK_UINT(hook_count, 3);
    CHECK_UINT(hook_seqs[0], 3);
    CHECK_UINT(hook_seqs[1], 2);
    CHECK_UINT(hook_seqs[2], 4);
    world_end(&w, 4);
}

/* Sent again, a delta does nothing again: what the hook wrote is there once,
 * and of a group of repeats it hears nothing. */
static void the_hook_of_repeats(void)
{
    struct texts t = {.n = 0};
    struct plog_receipt r[2];
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(hooked("a", "CREATE TABLE mine(n)"), 0);
    CHECK_INT(hooked("b", "INSERT INTO mine VALUES(1)"), 0);
    hook_count = 0;
    CHECK_INT(hooked("b", "INSERT INTO mine VALUES(1)"), 0);
    CHECK_UINT(hook_count, 0);
    hook_says = 7; /* a refusal would find nothing to refuse */
    add(&t, "a", "{}");
    add(&t, "b", "{}");
    CHECK_INT(append_all(&t, r, run_sql, NULL), 0);
    CHECK(r[0].duplicate && r[1].duplicate);
    CHECK_UINT(hook_count, 0);
    CHECK_INT((int)world_number(&w, "SELECT count(*) FROM mine"), 1);
    t.n = 1; /* and with one that is new it hears of both */
    add(&t, "c", "{}");
    hook_sql = "INSERT INTO mine VALUES(2)";
    hook_says = 0;
    CHECK_INT(append_all(&t, r, run_sql, NULL), 0);
    CHECK_UINT(hook_count, 2);
    CHECK_UINT(hook_seqs[0], 2);
    CHECK_UINT(hook_seqs[1], 4);
    CHECK_INT((int)world_number(&w, "SELECT sum(n) FROM mine"), 3);
    world_end(&w, 4);
}

/* A cursor that moves is something new, whatever the deltas are. */
static void the_hook_of_a_cursor(void)
{
    struct texts t = {.n = 0};
    const struct plog_cursor at = {
        .source = {"s", 1}, .resource = {"*", 1}, .cursor = {"9", 1}};
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(hooked("a", "CREATE TABLE mine(n)"), 0);
    add(&t, "a", "{}");
    hook_sql = "INSERT INTO mine VALUES(1)";
    hook_count = 0;
    struct plog_group g = {.struct_size = sizeof g,
                           .deltas = t.spans,
                           .delta_count = 1,
                           .cursors = &at,
                           .cursor_count = 1,
                           .hook = run_sql};
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
    CHECK_UINT(hook_count, 1);
    CHECK_INT((int)world_number(&w, "SELECT count(*) FROM mine"), 1);
    world_end(&w, 3);
}

/* A table of the caller's is neither seen nor touched by parity. */
static void a_callers_table_is_outside_parity(void)
{
    struct world_found f;
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(hooked("a", "CREATE TABLE mine(n); INSERT INTO mine VALUES(1)"),
              0);
    CHECK_INT(hook_answer, SQLITE_OK);
    CHECK_INT(hooked("b", "INSERT INTO mine SELECT n+1 FROM mine;"
                          "CREATE INDEX mine_n ON mine(n)"),
              0);
    CHECK_INT(hook_answer, SQLITE_OK);
    hook_says = 1;
    CHECK_INT((int)world_number(&w, "SELECT sum(n) FROM mine"), 3);
    world_sql(&w, "UPDATE mine SET n=n*10");
    world_close(&w);
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(hooked("c", "SELECT 1"), 0);
    world_close(&w);
    CHECK_INT(world_parity(&w, NULL, &f), 0);
}

/* And the caller may drop what is his, also behind an entry about a record that
 * has a row: SQLite refuses that while any statement stands on one. */
static void a_callers_table_is_dropped(void)
{
    static const enum plog_strategy all[] = {PLOG_ARRIVAL, PLOG_MERGE_JSON};
    for (int i = 0; i < 2; i++) {
        world_make(&w, all[i], 0);
        CHECK_INT(hooked("a", "CREATE TABLE mine(n)"), 0);
        CHECK_INT(hook_answer, SQLITE_OK);
        CHECK_INT(hooked("b", "CREATE INDEX mine_n ON mine(n)"), 0);
        CHECK_INT(hook_answer, SQLITE_OK);
        CHECK_INT(hooked("c", "DROP INDEX mine_n; DROP TABLE mine"), 0);
        CHECK_INT(hook_answer, SQLITE_OK);
        CHECK_INT(world_number(&w, "SELECT count(*) FROM sqlite_schema"
                                   " WHERE tbl_name='mine'"),
                  0);
        world_end(&w, 4);
    }
}

/* ... also for full-text search and for boxes, which ask for pragmas as they
 * work: made, written, searched and dropped in group after group. */
static void a_callers_virtual_tables(void)
{
    static const char *const all[] = {
        "CREATE VIRTUAL TABLE f5 USING fts5(t);"
        "INSERT INTO f5(rowid, t) SELECT seq, line FROM events",
        "INSERT INTO f5(rowid, t) SELECT max(seq), 'hello' FROM events",
        "INSERT INTO f5(rowid, t) SELECT count(*) + 10, 'hello' FROM f5"
        " WHERE f5 MATCH 'hello'",
        "SELECT * FROM f5 WHERE f5 MATCH 'hello'",
        "UPDATE f5 SET t='other' WHERE rowid=11",
        "DELETE FROM f5 WHERE rowid=1",
        "INSERT INTO f5(f5) VALUES('optimize')",
        "INSERT INTO f5(f5) VALUES('integrity-check')",
        "CREATE VIRTUAL TABLE r USING rtree(id, a, b);"
        "INSERT INTO r VALUES(7, 1, 2)",
        "INSERT INTO r SELECT id + 1, a, b FROM r WHERE a < 3",
        "CREATE VIRTUAL TABLE f4 USING fts4(t); INSERT INTO f4 VALUES('x')",
        "ALTER TABLE f5 RENAME TO f6",
        "DROP TABLE r; DROP TABLE f4",
    };
    struct world_found f;
    char id[8];
    world_make(&w, PLOG_ARRIVAL, 0);
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        snprintf(id, sizeof id, "v%u", i);
        int rc = hooked(id, all[i]);
        if (!CHECK_INT(rc, 0) || !CHECK_INT(hook_answer, SQLITE_OK))
            printf("#   the hook: %s\n", all[i]);
        if (i % 4 == 3) {
            world_close(&w);
            CHECK_INT(world_open(&w), 0);
        }
    }
    CHECK_INT(world_number(&w, "SELECT count(*) FROM f6('hello')"), 1);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM sqlite_schema WHERE"
                               " name LIKE 'r\\_%' ESCAPE '\\'"),
              0);
    world_close(&w);
    CHECK_INT(world_parity(&w, NULL, &f), 0);
}

/* What such a table has kept back is written before anything is logged: where
 * that cannot be, the group is refused, and not in doubt. */
static void a_virtual_table_that_cannot_write(void)
{
    char text[400], sql[700];
    struct plog_error err = {.code = 0};
    struct world_found f;
    struct texts t = {.n = 0};
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(hooked("a", "CREATE VIRTUAL TABLE f5 USING fts5(t)"), 0);
    world_close(&w);
    world_sql(&w, "PRAGMA writable_schema=1; UPDATE sqlite_schema SET"
                  " sql='CREATE TABLE ''f5_data''(id INTEGER PRIMARY KEY, block"
                  " BLOB CHECK(length(block)<200))' WHERE name='f5_data'");
    CHECK_INT(world_open(&w), 0);
    for (size_t i = 0; i < sizeof text - 1; i++)
        text[i] = i % 4 == 3 ? ' ' : (char)('a' + i * i % 23);
    text[sizeof text - 1] = '\0';
    snprintf(sql, sizeof sql, "INSERT INTO f5 VALUES('%s')", text);
    add(&t, "b", "{}");
    hook_sql = sql;
    hook_says = 0;
    CHECK_INT(append_all(&t, NULL, run_sql, &err), PLOG_E_HOOK);
    CHECK_INT(hook_answer, SQLITE_OK);
    CHECK(strstr(err.message, "what the caller's hook wrote") != NULL);
    CHECK_UINT(world_size(&w), 2);
    CHECK_INT(hooked("b", "INSERT INTO f5 VALUES('short')"), 0);
    world_close(&w);
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM f5('short')"), 1);
}

static sqlite3_stmt *unfinished;

static int leave_unfinished(void *arg, sqlite3 *db, const uint64_t *seqs,
                            size_t n)
{
    (void)arg, (void)seqs, (void)n;
    CHECK_INT(sqlite3_prepare_v2(db, "INSERT INTO own VALUES(1) RETURNING n",
                                 -1, &unfinished, NULL),
              SQLITE_OK);
    CHECK_INT(sqlite3_step(unfinished), SQLITE_ROW);
    return 0;
}

/* That is the hook's fault, whoever sends it again. */
static void a_statement_left_unfinished(void)
{
    struct plog_error err = {.code = 0};
    struct texts t = {.n = 0};
    struct world_found f;
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(hooked("a", "CREATE TABLE own(n INTEGER)"), 0);
    add(&t, "b", "{}");
    CHECK_INT(append_all(&t, NULL, leave_unfinished, &err), PLOG_E_HOOK);
    CHECK(strstr(err.message, "what the caller's hook wrote") != NULL);
    sqlite3_finalize(unfinished);
    CHECK_UINT(world_size(&w), 2);
    CHECK_INT(hooked("b", "INSERT INTO own VALUES(2)"), 0);
    CHECK_INT(world_number(&w, "SELECT sum(n) FROM own"), 2);
    world_close(&w);
    CHECK_INT(world_parity(&w, NULL, &f), 0);
}

/* A pragma that only tells is reading; one that sets, or may, is not. */
static void the_pragmas_of_a_hook(void)
{
    static const char *const good[] = {
        "PRAGMA table_info(events)", "PRAGMA page_size",
        "PRAGMA main.data_version", "SELECT * FROM pragma_table_list"};
    static const char *const bad[] = {
        "PRAGMA user_version=9",     "PRAGMA foreign_keys=1",
        "PRAGMA foreign_keys",       "PRAGMA journal_mode",
        "PRAGMA recursive_triggers", "PRAGMA cache_size(9)",
        "PRAGMA wal_checkpoint",     "PRAGMA optimize"};
    char id[8];
    world_make(&w, PLOG_ARRIVAL, 0);
    for (unsigned i = 0; i < sizeof good / sizeof *good; i++) {
        snprintf(id, sizeof id, "g%u", i);
        CHECK_INT(hooked(id, good[i]), 0);
        CHECK_INT(hook_answer, SQLITE_OK);
    }
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(id, sizeof id, "b%u", i);
        CHECK_INT(hooked(id, bad[i]), 0);
        if (!CHECK_INT(hook_answer, SQLITE_AUTH))
            printf("#   the hook: %s\n", bad[i]);
    }
    world_end(&w, 13);
}

/* Triggers are off: one that a hook makes would never fire, and is refused; one
 * of another program's does not, as the header says. */
static void triggers_of_a_hook(void)
{
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(hooked("a", "CREATE TABLE mine(n); CREATE TABLE audit(n);"
                          "CREATE VIEW seen AS SELECT n FROM mine"),
              0);
    CHECK_INT(hooked("b", "CREATE TRIGGER t AFTER INSERT ON mine BEGIN"
                          " INSERT INTO audit VALUES(new.n); END"),
              0);
    CHECK_INT(hook_answer, SQLITE_AUTH);
    CHECK_INT(hooked("c", "CREATE TRIGGER t INSTEAD OF INSERT ON seen BEGIN"
                          " INSERT INTO mine VALUES(new.n); END"),
              0);
    CHECK_INT(hook_answer, SQLITE_AUTH);
    world_sql(&w, "CREATE TRIGGER t AFTER INSERT ON mine BEGIN"
                  " INSERT INTO audit VALUES(new.n); END");
    CHECK_INT(hooked("d", "INSERT INTO mine VALUES(1)"), 0);
    CHECK_INT(hook_answer, SQLITE_OK);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM audit"), 0);
    CHECK_INT(hooked("e", "DROP TRIGGER t"), 0);
    CHECK_INT(hook_answer, SQLITE_OK);
    world_end(&w, 6);
}

/* Whatever SQL the hook runs, our tables stay a function of the log, now and
 * in the groups that follow. */
static void the_hook_may_not_reach_our_tables(void)
{
    static const char *const all[] = {
        "CREATE TEMP TRIGGER t AFTER INSERT ON main.events BEGIN UPDATE"
        " state SET version=version+1; END",
        "CREATE TEMP TRIGGER u BEFORE INSERT ON main.checkpoints BEGIN DELETE"
        " FROM checkpoints; END",
        "CREATE TEMP TABLE events(seq,id,resource,record_id,op,outcome,"
        "previous,line)",
        "CREATE TEMP VIEW state AS SELECT 1",
        "WITH x AS (SELECT 1) DELETE FROM main.state",
        "REPLACE INTO main.cursors VALUES('a','b','c',1)",
        "SAVEPOINT mine; RELEASE mine",
        "PRAGMA writable_schema=1",
        "CREATE VIRTUAL TABLE f USING fts5(line, content='events',"
        " content_rowid='seq'); INSERT INTO f(f) VALUES('rebuild');"
        "INSERT INTO f(rowid,line) VALUES(9,'x'); DELETE FROM f;"
        "INSERT INTO f(f) VALUES('delete-all')",
        "CREATE VIRTUAL TABLE f USING fts4(content='events', line);"
        "INSERT INTO f(docid,line) VALUES(9,'x'); DELETE FROM f",
        "CREATE VIRTUAL TABLE temp.events USING fts5(line);"
        "INSERT INTO events VALUES('x')",
        "CREATE VIRTUAL TABLE temp.state USING rtree(id,a,b);"
        "INSERT INTO state VALUES(1,2,3)",
        "CREATE VIRTUAL TABLE f USING fts5(t); INSERT INTO f VALUES('x');"
        "UPDATE f_config SET k='x'",
        "CREATE VIRTUAL TABLE base USING rtree(id,a,b);"
        "ALTER TABLE base_node RENAME TO base_x",
        "UPDATE sqlite_schema SET sql='' WHERE name='events'",
        "DROP INDEX events_id",
        "DROP VIEW records",
        "VACUUM",
        "END",
        "BEGIN",
    };
    struct world_found f;
    char id[8];
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        world_make(&w, PLOG_ARRIVAL, 0);
        snprintf(id, sizeof id, "h%u", i);
        int rc = hooked(id, all[i]);
        bool ok = CHECK(rc == 0 || rc == PLOG_E_HOOK);
        ok &= CHECK_INT(put("x", "1", "x", NULL), 0);
        ok &= CHECK_INT(put("y", "1", "y", NULL), 0);
        ok &= CHECK_INT(put("x", "1", "x", NULL), 0);
        world_close(&w);
        ok &= CHECK_INT(world_parity(&w, NULL, &f), 0);
        if (!ok)
            printf("#   the hook: %s (answer %d)\n", all[i], hook_answer);
    }
}

/* A constraint that rolls the whole transaction back refuses the request. */
static void the_hook_may_not_roll_back(void)
{
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(hooked("a", "CREATE TABLE mine(n PRIMARY KEY);"
                          "INSERT INTO mine VALUES(1)"),
              0);
    CHECK_INT(hooked("b", "INSERT OR ROLLBACK INTO mine VALUES(1)"),
              PLOG_E_HOOK);
    CHECK_UINT(world_size(&w), 2);
    CHECK_INT(hooked("b", NULL), 0);
    world_end(&w, 3);
}

/* When it refuses, no delta of the group is at fault. */
static void the_hook_refuses(void)
{
    struct texts t = {.n = 0};
    struct plog_error err = {.code = 0};
    world_make(&w, PLOG_ARRIVAL, 0);
    add(&t, "a", "{}");
    add(&t, "b", "{}");
    hook_sql = NULL;
    hook_says = 7;
    CHECK_INT(append_all(&t, NULL, run_sql, &err), PLOG_E_HOOK);
    CHECK_INT(err.code, PLOG_E_HOOK);
    CHECK_TEXT(err.message, "the caller's hook returned 7");
    CHECK(!err.has_index && err.index == 0);
    CHECK_TEXT(err.member, "");
    CHECK_UINT(hook_count, 2);
    hook_says = 0;
    CHECK_INT(append_all(&t, NULL, run_sql, &err), 0);
    world_end(&w, 3);
}

static bool is_zero(const struct plog_receipt *r, size_t n)
{
    static const struct plog_receipt none[8];
    return memcmp(r, none, n * sizeof *r) == 0;
}

/* Nothing that was found out about a group that was then refused is left in
 * the receipts: a leaf, or that a delta is a duplicate. */
static void refused_groups_have_no_receipts(void)
{
    struct texts t = {.n = 0};
    struct plog_receipt r[8];
    struct plog_ticket *ticket;
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(put("a", "1", "x", NULL), 0);
    add(&t, "a", "{\"v\":\"x\"}");
    add(&t, "b", "{}");
    hook_sql = NULL;
    hook_says = 7;
    memset(r, 0x55, sizeof r);
    CHECK_INT(append_all(&t, r, run_sql, NULL), PLOG_E_HOOK);
    CHECK(is_zero(r, 2));
    struct plog_group g = {.struct_size = sizeof g,
                           .deltas = t.spans,
                           .delta_count = t.n,
                           .hook = run_sql};
    memset(r, 0x55, sizeof r);
    CHECK_INT(plog_submit(w.p, &g, &ticket, NULL), 0);
    CHECK_INT(plog_wait(ticket, r, NULL), PLOG_E_HOOK);
    CHECK(is_zero(r, 2));
    add(&t, "a", "{\"v\":\"other\"}");
    memset(r, 0x55, sizeof r);
    CHECK_INT(append_all(&t, r, NULL, NULL), PLOG_E_CONFLICT);
    CHECK(is_zero(r, 3));
    CHECK_UINT(world_size(&w), 2);
    t.n = 2;
    CHECK_INT(append_all(&t, r, NULL, NULL), 0);
    CHECK(r[0].duplicate && r[0].seq == 2 && r[1].seq == 3);
    world_end(&w, 3);
}

/* ---- Entries that are logged already ------------------------------------ */

static unsigned replayed, stop_at;
static uint64_t replayed_last;

static int note_replay(void *arg, sqlite3 *db, uint64_t seq, const char *line,
                       size_t len)
{
    (void)arg;
    replayed++;
    replayed_last = seq;
    CHECK(len > 10 && line[0] == '{' && line[len - 1] == '}');
    CHECK_INT(sqlite3_exec(db,
                           "CREATE TABLE IF NOT EXISTS seen(n);"
                           "INSERT INTO seen VALUES(1)",
                           NULL, NULL, NULL),
              SQLITE_OK);
    return seq == stop_at;
}

/* The store of before comes back, as after a power cut that took the WAL. */
static void set_store_back(const char *old)
{
    char from[600];
    world_drop_store(&w);
    snprintf(from, sizeof from, "%.500s/store.db", old);
    world_copy(from, world_path(&w, "store.db"));
    snprintf(from, sizeof from, "%.500s/store.db-wal", old);
    world_copy(from, world_path(&w, "store.db-wal"));
}

/* Opening replays what the store lacks and tells the caller of each entry, in
 * the transaction; a caller who says no gets PLOG_E_HOOK and keeps the old
 * store. */
static void replayed_is_called_and_may_stop(void)
{
    struct plog_error err = {0};
    char old[600];
    world_make(&w, PLOG_ARRIVAL, 4096);
    CHECK_INT(put("a", "1", "x", NULL), 0);
    snprintf(old, sizeof old, "%.500s/old", check_dir());
    world_copy(w.dir, old);
    for (int i = 0; i < 30; i++)
        CHECK_INT(put(NULL, "1", "y", NULL), 0);
    world_close(&w);
    set_store_back(old);
    w.options.replayed = note_replay;
    replayed = 0;
    stop_at = 20;
    CHECK_INT(plog_open(&w.p, w.dir, &w.options, &err), PLOG_E_HOOK);
    CHECK(w.p == NULL);
    CHECK_TEXT(err.message, "the caller's hook stopped the replay at entry 20");
    CHECK_UINT(replayed, 18);
    CHECK_UINT(replayed_last, 20);
    CHECK_INT((int)world_number(&w, "SELECT size FROM meta"), 2);
    replayed = stop_at = 0;
    CHECK_INT(world_open(&w), 0);
    CHECK_UINT(replayed, 30);
    CHECK_UINT(replayed_last, 32);
    CHECK_INT((int)world_number(&w, "SELECT count(*) FROM seen"), 30);
    CHECK_INT(put("a", "1", "x", NULL), 0); /* known again */
    w.options.replayed = NULL;
    world_end(&w, 32);
}

/* One logged entry brings its whole group; what is no entry is refused. */
static void a_logged_entry_brings_its_group(void)
{
    struct texts t = {.n = 0};
    char old[600];
    world_make(&w, PLOG_ARRIVAL, 0);
    snprintf(old, sizeof old, "%.500s/old", check_dir());
    world_copy(w.dir, old);
    add(&t, "a", "{}");
    add(&t, "b", "{}");
    CHECK_INT(append_all(&t, NULL, NULL, NULL), 0);
    char *second = world_line(&w, 3, NULL);
    world_close(&w);
    set_store_back(old);
    w.options.leave_behind = true;
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_apply_logged(w.p, "{}", 2, NULL), PLOG_E_INPUT);
    CHECK_INT(plog_apply_logged(w.p, "", 0, NULL), PLOG_E_INPUT);
    CHECK_INT(plog_apply_logged(w.p, second, strlen(second) - 1, NULL),
              PLOG_E_INPUT);
    CHECK_INT(plog_apply_logged(w.p, second, strlen(second), NULL), 0);
    CHECK_UINT(world_size(&w), 3);
    CHECK_INT(plog_catch_up(w.p, NULL), 0); /* nothing to do */
    CHECK_INT(put("c", "1", "x", NULL), 0);
    free(second);
    world_end(&w, 4);
}

/* Applies the line, with the character behind `part` changed unless NULL. */
static void applied(const char *line, const char *part, int code,
                    const char *message)
{
    char text[600];
    struct plog_error err = {0};
    snprintf(text, sizeof text, "%s", line);
    char *at = part ? strstr(text, part) : NULL;
    if (at)
        at[strlen(part)] = '9';
    int rc = plog_apply_logged(w.p, text, strlen(text), &err);
    CHECK_INT(rc, code);
    CHECK_TEXT(err.message, message);
    CHECK_INT(err.code, rc < 0 ? rc : 0);
    CHECK_UINT(err.seq, strstr(message, "store.db") ? 2 : 0);
}

/* In each leg it is compared with what stands there. */
static void what_is_said_of_a_logged_entry(void)
{
    struct texts t = {.n = 0};
    char old[600], *line[6] = {NULL};
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(put("a", "1", "1", NULL), 0);
    snprintf(old, sizeof old, "%.500s/old", check_dir());
    world_copy(w.dir, old);
    add(&t, "b", "{\"v\":1}");
    add(&t, "c", "{\"v\":1}");
    CHECK_INT(append_all(&t, NULL, NULL, NULL), 0);
    CHECK_INT(put("d", "1", "1", NULL), 0);
    for (uint64_t i = 2; i < 6; i++)
        line[i] = world_line(&w, i, NULL);
    world_close(&w);
    set_store_back(old);
    w.options.leave_behind = true;
    CHECK_INT(world_open(&w), 0);
    applied("{}", NULL, PLOG_E_INPUT, "not an entry line");
    applied(line[2], NULL, PLOG_PRESENT, "");
    applied(line[2], "\"v\":\"", PLOG_E_MISMATCH,
            "store.db holds other bytes as entry 2");
    applied(line[5], NULL, PLOG_E_BEHIND,
            "entries from 3 on are missing before entry 5");
    applied(line[4], "\"v\":", PLOG_E_MISMATCH,
            "the log holds other bytes as entry 4");
    applied(line[4], NULL, 0, "");
    CHECK_UINT(world_size(&w), 4);
    applied(line[3], NULL, PLOG_PRESENT, "");
    applied(line[5], NULL, 0, "");
    applied(line[5], "{\"seq\":", PLOG_E_NOT_FOUND, "the log has no entry 9");
    for (int i = 2; i < 6; i++)
        free(line[i]);
    w.options.leave_behind = false;
    world_end(&w, 5);
}

/* ---- The policy --------------------------------------------------------- */

static enum plog_policy_answer long_winded(void *arg,
                                           const struct plog_delta_view *d,
                                           char *reason, size_t cap)
{
    memset(reason, 'z', cap);
    reason[cap - 1] = '\0';
    ++*(unsigned *)arg;
    return d->id.n ? PLOG_QUARANTINE : PLOG_WARN;
}

/* One refused delta refuses its group, whatever the others got. */
static void the_policy_judges_groups(void)
{
    struct texts t = {.n = 0};
    struct plog_receipt r[8];
    struct plog_error err = {0};
    unsigned asked = 0;
    world_make(&w, PLOG_ARRIVAL, 0);
    w.options.policy = long_winded;
    w.options.policy_arg = &asked;
    CHECK_INT(world_open(&w), 0);
    add(&t, NULL, "{}");
    add(&t, "q", "{}");
    CHECK_INT(append_all(&t, r, NULL, &err), PLOG_E_POLICY);
    CHECK(err.has_index && err.index == 1);
    CHECK(strstr(err.message, "zzzz") != NULL);
    t.n = 1;
    CHECK_INT(append_all(&t, r, NULL, NULL), 0);
    CHECK(r[0].warned);
    CHECK_UINT(asked, 3);
    world_end(&w, 2);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"the_hook_hears_the_seqs", the_hook_hears_the_seqs},
        {"the_hook_of_repeats", the_hook_of_repeats},
        {"the_hook_of_a_cursor", the_hook_of_a_cursor},
        {"a_callers_table_is_outside_parity",
         a_callers_table_is_outside_parity},
        {"a_callers_table_is_dropped", a_callers_table_is_dropped},
        {"a_callers_virtual_tables", a_callers_virtual_tables},
        {"a_virtual_table_that_cannot_write",
         a_virtual_table_that_cannot_write},
        {"a_statement_left_unfinished", a_statement_left_unfinished},
        {"the_pragmas_of_a_hook", the_pragmas_of_a_hook},
        {"triggers_of_a_hook", triggers_of_a_hook},
        {"the_hook_may_not_reach_our_tables",
         the_hook_may_not_reach_our_tables},
        {"the_hook_may_not_roll_back", the_hook_may_not_roll_back},
        {"the_hook_refuses", the_hook_refuses},
        {"refused_groups_have_no_receipts", refused_groups_have_no_receipts},
        {"replayed_is_called_and_may_stop", replayed_is_called_and_may_stop},
        {"a_logged_entry_brings_its_group", a_logged_entry_brings_its_group},
        {"what_is_said_of_a_logged_entry", what_is_said_of_a_logged_entry},
        {"the_policy_judges_groups", the_policy_judges_groups},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
