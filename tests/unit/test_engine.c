/*
 * test_engine.c - appending, seen from outside: what a receipt proves, what a
 * refused request leaves behind, ids, groups, cursors, hook and policy,
 * entries logged already, limits and rotation.
 *
 * test_library.c has one case for each call; here are the corners.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "note.h"
#include "sha256.h"
#include "tree.h"
#include "world.h"

#define SEGMENT_1 "log/00000000000000000001.jsonl"

static struct world w;

static int put(const char *id, const char *record, const char *value,
               struct plog_receipt *r)
{
    return world_put(&w, id, record, value, r);
}

/* Bytes of the log without the padding at its end. */
static size_t log_bytes(void)
{
    size_t n;
    char *bytes = world_read(world_path(&w, SEGMENT_1), &n);
    while (n > 1 && bytes[n - 1] == '\n' && bytes[n - 2] == '\n')
        n--;
    free(bytes);
    return n;
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

/* ---- Receipts ----------------------------------------------------------- */

/* The roots of all receipts are those of a tree over the logged lines, and
 * each signature holds for its own head only. */
static void receipts_follow_the_tree(void)
{
    struct plog_tree tree;
    struct plog_vkey key;
    unsigned char root[PLOG_HASH_SIZE], leaf[PLOG_HASH_SIZE], last[64] = {0};
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(plog_vkey_parse((struct plog_span){w.vkey, strlen(w.vkey)}, &key),
              0);
    plog_tree_init(&tree);
    for (uint64_t seq = 1; seq <= 20; seq++) {
        struct plog_receipt r = {0};
        size_t len;
        if (seq > 1)
            CHECK_INT(put(NULL, "1", "x", &r), 0);
        char *line = world_line(&w, seq, &len);
        plog_hash_leaf(line, len, leaf);
        free(line);
        CHECK_INT(plog_tree_add(&tree, leaf), 0);
        plog_tree_root(&tree, root);
        if (seq == 1)
            continue;
        CHECK_UINT(r.seq, seq);
        CHECK_UINT(r.size, seq);
        CHECK_BYTES(r.leaf, 32, leaf, 32);
        CHECK_BYTES(r.root, 32, root, 32);
        CHECK(plog_checkpoint_verify(&key, key.name, r.size, r.root, r.sig));
        CHECK(!plog_checkpoint_verify(&key, key.name, r.size, r.root, last));
        CHECK(!plog_checkpoint_verify(&key, "other", r.size, r.root, r.sig));
        memcpy(last, r.sig, sizeof last);
    }
    world_end(&w, 20);
}

/* plog_get_head is the head of the last receipt. */
static void the_head_is_the_last_receipt(void)
{
    struct plog_head head = {0};
    struct plog_receipt r = {0};
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(put("a", "1", "x", &r), 0);
    CHECK_INT(plog_get_head(w.p, &head, NULL), 0);
    CHECK_UINT(head.size, r.size);
    CHECK_BYTES(head.root, 32, r.root, 32);
    CHECK_BYTES(head.sig, 64, r.sig, 64);
    CHECK_UINT(strlen(head.key), 8);
    CHECK(strstr(w.vkey, head.key) != NULL);
    world_end(&w, 2);
}

/* ---- Ids ---------------------------------------------------------------- */

/* A duplicate is known after reopening and in an older segment, gets the
 * receipt of its own group, and writes no byte. */
static void duplicates_across_segments(void)
{
    static struct plog_receipt first[60];
    struct plog_receipt again;
    char id[20];
    world_make(&w, PLOG_ARRIVAL, 4096);
    for (int i = 0; i < 60; i++) {
        snprintf(id, sizeof id, "id-%d", i);
        CHECK_INT(put(id, "1", id, &first[i]), 0);
    }
    CHECK(world_number(&w, "SELECT count(*) FROM segments") > 3);
    CHECK_INT(world_open(&w), 0);
    for (int i = 0; i < 60; i += 7) {
        snprintf(id, sizeof id, "id-%d", i);
        CHECK_INT(put(id, "1", id, &again), 0);
        CHECK(again.duplicate);
        again.duplicate = false;
        CHECK_BYTES(&again, sizeof again, &first[i], sizeof again);
    }
    CHECK_UINT(world_size(&w), 61);
    world_end(&w, 61);
}

/* Content is compared byte for byte in all that the caller gives; white space
 * outside strings is not content. */
static void what_the_same_content_is(void)
{
    static const char *const others[] = {
        "{\"id\":\"a\",\"resource\":\"q\",\"record_id\":\"1\",\"op\":\"upsert\","
        "\"payload\":{\"v\":1},\"occurred_at\":\"2026-01-02T03:04:05Z\","
        "\"provenance\":{\"source\":\"s\",\"confidence\":1}}",
        "{\"id\":\"a\",\"resource\":\"r\",\"record_id\":\"1\",\"op\":\"upsert\","
        "\"payload\":{\"v\":1.0},\"occurred_at\":\"2026-01-02T03:04:05Z\","
        "\"provenance\":{\"source\":\"s\",\"confidence\":1}}",
        "{\"id\":\"a\",\"resource\":\"r\",\"record_id\":\"1\",\"op\":\"upsert\","
        "\"payload\":{\"v\":1},\"occurred_at\":\"2026-01-02T03:04:05.0Z\","
        "\"provenance\":{\"source\":\"s\",\"confidence\":1}}",
        "{\"id\":\"a\",\"resource\":\"r\",\"record_id\":\"1\",\"op\":\"upsert\","
        "\"payload\":{\"v\":1},\"occurred_at\":\"2026-01-02T03:04:05Z\","
        "\"provenance\":{\"source\":\"s\",\"confidence\":0.5}}",
        "{\"id\":\"a\",\"resource\":\"r\",\"record_id\":\"1\",\"op\":\"upsert\","
        "\"payload\":{\"v\":1},\"occurred_at\":\"2026-01-02T03:04:05Z\","
        "\"provenance\":{\"source\":\"s\",\"confidence\":1},\"meta\":{}}"};
    static const char *const same[] = {
        "{ \"id\" : \"a\",\"resource\":\"r\",\"record_id\":\"1\",\"op\":\t"
        "\"upsert\",\"payload\":{ \"v\" : 1 },\"occurred_at\":"
        "\"2026-01-02T03:04:05Z\",\"provenance\":{\"source\":\"s\","
        "\"confidence\":1}}",
        "{\"provenance\":{\"source\":\"s\",\"confidence\":1},\"payload\":{\"v\":"
        "1},\"op\":\"upsert\",\"record_id\":\"1\",\"resource\":\"r\",\"id\":"
        "\"a\",\"occurred_at\":\"2026-01-02T03:04:05Z\"}"};
    struct texts t = {.n = 0};
    struct plog_receipt r;
    world_make(&w, PLOG_ARRIVAL, 0);
    add(&t, "a", "{\"v\":1}");
    CHECK_INT(append_all(&t, NULL, NULL, NULL), 0);
    size_t bytes = log_bytes();
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        CHECK_INT(world_append(&w, others[i], NULL, NULL), PLOG_E_CONFLICT);
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        CHECK_INT(world_append(&w, same[i], &r, NULL), 0);
        CHECK(r.duplicate && r.seq == 2);
    }
    CHECK_UINT(log_bytes(), bytes);
    world_end(&w, 2);
}

/* ---- Groups ------------------------------------------------------------- */

/* Whatever refuses a group, it leaves neither byte nor row nor id, and says
 * which delta was at fault. */
static void a_refused_group_leaves_nothing(void)
{
    struct texts t = {.n = 0};
    struct plog_receipt r[8];
    struct plog_error err = {0};
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(put("taken", "1", "x", NULL), 0);
    size_t bytes = log_bytes();
    add(&t, "g0", "{}");
    add(&t, "g1", "{\"a\":1}");
    add(&t, "taken", "{\"other\":true}");
    CHECK_INT(append_all(&t, r, NULL, &err), PLOG_E_CONFLICT);
    CHECK(err.has_index);
    CHECK_UINT(err.index, 2);
    t.n = 2;
    add(&t, "g1", "{\"a\":2}"); /* clashes inside the group */
    CHECK_INT(append_all(&t, r, NULL, &err), PLOG_E_CONFLICT);
    CHECK_UINT(err.index, 2);
    t.n = 2;
    add(&t, "g2", "[]");
    memset(&err, 0, sizeof err);
    CHECK_INT(append_all(&t, r, NULL, &err), PLOG_E_INPUT);
    CHECK(err.has_index && err.index == 2);
    CHECK_TEXT(err.member, "payload");
    CHECK_UINT(log_bytes(), bytes);
    CHECK_INT((int)world_number(&w, "SELECT count(*) FROM events"), 2);
    t.n = 2;
    CHECK_INT(append_all(&t, r, NULL, NULL), 0);
    CHECK(!r[0].duplicate && !r[1].duplicate && r[0].seq == 3);
    world_end(&w, 4);
}

/* One group is one commit: the same head in every receipt, one commit line. */
static void a_group_is_one_commit(void)
{
    struct texts t = {.n = 0};
    struct plog_receipt r[8];
    char id[8] = "k0";
    world_make(&w, PLOG_ARRIVAL, 0);
    for (; t.n < 8; id[1]++)
        add(&t, id, "{}");
    CHECK_INT(append_all(&t, r, NULL, NULL), 0);
    for (unsigned i = 0; i < 8; i++) {
        CHECK_UINT(r[i].seq, i + 2);
        CHECK_UINT(r[i].size, 9);
        CHECK_BYTES(r[i].root, 32, r[0].root, 32);
        CHECK_BYTES(r[i].sig, 64, r[0].sig, 64);
        CHECK(i == 0 || memcmp(r[i].leaf, r[i - 1].leaf, 32) != 0);
    }
    CHECK_INT((int)world_number(&w, "SELECT count(*) FROM checkpoints"), 2);
    struct plog_group none = {.struct_size = sizeof none};
    CHECK_INT(plog_append_group(w.p, &none, NULL, NULL), PLOG_E_ARG);
    world_end(&w, 9);
}

/* ---- Cursors ------------------------------------------------------------ */

static int set_cursor(const char *source, const char *resource,
                      struct plog_span cursor)
{
    struct plog_cursor c = {{source, strlen(source)},
                            {resource, strlen(resource)},
                            cursor};
    struct plog_group g = {
        .struct_size = sizeof g, .cursors = &c, .cursor_count = 1};
    return plog_append_group(w.p, &g, NULL, NULL);
}

static bool cursor_is(const char *source, const char *resource,
                      const char *want)
{
    struct plog_span out = {NULL, 0};
    plog_reader *r = NULL;
    CHECK_INT(plog_reader_open(&r, w.dir, NULL, NULL), 0);
    int rc = plog_reader_cursor(
        r, (struct plog_span){source, strlen(source)},
        (struct plog_span){resource, strlen(resource)}, &out, NULL);
    bool is = want ? rc == 0 && out.n == strlen(want) &&
                         !memcmp(out.p, want, out.n)
                   : rc == PLOG_E_NOT_FOUND;
    plog_reader_close(r);
    return is;
}

/* Cursors are opaque text per source and resource; they may stand alone in a
 * group and go back (that is the source's business). */
static void cursors_move(void)
{
    char longest[4097];
    memset(longest, 'c', sizeof longest);
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK(cursor_is("s", "*", NULL));
    CHECK_INT(set_cursor("s", "*", (struct plog_span){"a\"\\\n\x7f", 5}), 0);
    CHECK_INT(set_cursor("s", "pets", (struct plog_span){"2", 1}), 0);
    CHECK_INT(set_cursor("s", "pets", (struct plog_span){"1", 1}), 0);
    CHECK_INT(set_cursor("t", "*", (struct plog_span){longest, 4096}), 0);
    CHECK_INT(set_cursor("t", "*", (struct plog_span){longest, 4097}),
              PLOG_E_INPUT);
    CHECK_INT(set_cursor("t", "*", (struct plog_span){"\xff", 1}),
              PLOG_E_INPUT);
    CHECK_INT(set_cursor("t", "*", (struct plog_span){"\0", 1}), PLOG_E_INPUT);
    CHECK_INT(set_cursor("", "*", (struct plog_span){"x", 1}), PLOG_E_INPUT);
    CHECK_INT(set_cursor("t", "", (struct plog_span){"x", 1}), PLOG_E_INPUT);
    world_end(&w, 5);
    CHECK(cursor_is("s", "*", "a\"\\\n\x7f"));
    CHECK(cursor_is("s", "pets", "1"));
    CHECK(cursor_is("s", "other", NULL));
}

/* A refused delta holds back the cursor of its group, too. */
static void a_cursor_waits_for_its_data(void)
{
    struct plog_span bad = {"{}", 2};
    struct plog_cursor c = {{"s", 1}, {"*", 1}, {"page-2", 6}};
    struct plog_group g = {.struct_size = sizeof g,
                           .deltas = &bad,
                           .delta_count = 1,
                           .cursors = &c,
                           .cursor_count = 1};
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), PLOG_E_INPUT);
    CHECK(cursor_is("s", "*", NULL));
    world_end(&w, 1);
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
    world_remove(world_path(&w, "store.db"));
    world_remove(world_path(&w, "store.db-wal"));
    world_remove(world_path(&w, "store.db-shm"));
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
    CHECK_INT(world_open(&w), PLOG_E_HOOK);
    CHECK(w.p == NULL);
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

/* ---- Limits and rotation ------------------------------------------------ */

/* A line of exactly the limit goes in; one byte more does not. */
static void the_line_limit(void)
{
    struct plog_init_options o = {.struct_size = sizeof o,
                                  .line_max_bytes = 2000};
    char text[3000], payload[2500];
    struct world_delta d = {.payload = payload};
    world_make(&w, PLOG_ARRIVAL, 0);
    world_close(&w);
    snprintf(w.dir, sizeof w.dir, "%.400s/small", check_dir());
    CHECK_INT(plog_init(w.dir, &o, w.vkey, NULL), 0);
    CHECK_INT(world_open(&w), 0);
    snprintf(payload, sizeof payload, "{}");
    size_t rest = strlen(world_text(text, sizeof text, &d)) - 2;
    int room = 2000 - (int)rest - 8; /* {"a":""} */
    snprintf(payload, sizeof payload, "{\"a\":\"%0*d\"}", room + 1, 0);
    CHECK_INT(world_append(&w, world_text(text, sizeof text, &d), NULL, NULL),
              PLOG_E_INPUT);
    snprintf(payload, sizeof payload, "{\"a\":\"%0*d\"}", room, 0);
    CHECK_UINT(strlen(world_text(text, sizeof text, &d)), 2000);
    CHECK_INT(world_append(&w, text, NULL, NULL), 0);
    world_end(&w, 2);
}

/* Small segments: no group spans two, groups larger than one stand alone, and
 * each segment begins where its name says. */
static void rotation(void)
{
    char value[1800];
    uint64_t size = 1;
    world_make(&w, PLOG_ARRIVAL, 4096);
    for (int i = 0; i < 40; i++, size++) {
        memset(value, 'v', sizeof value);
        value[(size_t)(i * 397) % sizeof value] = '\0';
        CHECK_INT(put(NULL, "1", value, NULL), 0);
        if (i % 10 == 9)
            CHECK_INT(world_open(&w), 0);
    }
    struct texts t = {.n = 0};
    while (t.n < 8)
        add(&t, NULL, "{\"in\":\"one group\"}");
    for (int i = 0; i < 3; i++, size += 8)
        CHECK_INT(append_all(&t, NULL, NULL, NULL), 0);
    CHECK(world_number(&w, "SELECT count(*) FROM segments") > 5);
    CHECK_INT((int)world_number(&w,
                                "SELECT count(*) FROM segments s WHERE first>1"
                                " AND NOT EXISTS(SELECT 1 FROM checkpoints"
                                " WHERE size=s.first-1)"),
              0);
    world_end(&w, size);
}

/* A pinned key that is not the log's is refused at opening; its own is not. */
static void a_pinned_key(void)
{
    struct world other;
    struct plog_error err = {0};
    world_make(&other, PLOG_ARRIVAL, 0);
    world_close(&other);
    world_make(&w, PLOG_ARRIVAL, 0);
    w.options.vkey = w.vkey;
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(put("a", "1", "x", NULL), 0);
    world_close(&w);
    w.options.vkey = other.vkey;
    CHECK_INT(plog_open(&w.p, w.dir, &w.options, &err), PLOG_E_UNKNOWN_KEY);
    CHECK(w.p == NULL);
    w.options.vkey = "not a key";
    CHECK_INT(plog_open(&w.p, w.dir, &w.options, &err), PLOG_E_ARG);
    w.options.vkey = NULL;
    world_end(&w, 2);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"receipts_follow_the_tree", receipts_follow_the_tree},
        {"the_head_is_the_last_receipt", the_head_is_the_last_receipt},
        {"duplicates_across_segments", duplicates_across_segments},
        {"what_the_same_content_is", what_the_same_content_is},
        {"a_refused_group_leaves_nothing", a_refused_group_leaves_nothing},
        {"a_group_is_one_commit", a_group_is_one_commit},
        {"cursors_move", cursors_move},
        {"a_cursor_waits_for_its_data", a_cursor_waits_for_its_data},
        {"the_hook_hears_the_seqs", the_hook_hears_the_seqs},
        {"a_callers_table_is_outside_parity",
         a_callers_table_is_outside_parity},
        {"the_hook_may_not_reach_our_tables",
         the_hook_may_not_reach_our_tables},
        {"the_hook_may_not_roll_back", the_hook_may_not_roll_back},
        {"replayed_is_called_and_may_stop", replayed_is_called_and_may_stop},
        {"a_logged_entry_brings_its_group", a_logged_entry_brings_its_group},
        {"the_policy_judges_groups", the_policy_judges_groups},
        {"the_line_limit", the_line_limit},
        {"rotation", rotation},
        {"a_pinned_key", a_pinned_key},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
