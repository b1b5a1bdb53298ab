/*
 * test_engine.c - appending, seen from outside: what a receipt proves, what a
 * refused request leaves behind, ids, groups, cursors, limits and rotation.
 *
 * test_library.c has one case for each call; here are the corners.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "note.h"
#include "order_shim.h"
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

static int append_all(struct texts *t, struct plog_receipt *r,
                      struct plog_error *err)
{
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = t->spans, .delta_count = t->n};
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
        "{\"id\":\"a\",\"resource\":\"q\",\"record_id\":\"1\",\"op\":"
        "\"upsert\","
        "\"payload\":{\"v\":1},\"occurred_at\":\"2026-01-02T03:04:05Z\","
        "\"provenance\":{\"source\":\"s\",\"confidence\":1}}",
        "{\"id\":\"a\",\"resource\":\"r\",\"record_id\":\"1\",\"op\":"
        "\"upsert\","
        "\"payload\":{\"v\":1.0},\"occurred_at\":\"2026-01-02T03:04:05Z\","
        "\"provenance\":{\"source\":\"s\",\"confidence\":1}}",
        "{\"id\":\"a\",\"resource\":\"r\",\"record_id\":\"1\",\"op\":"
        "\"upsert\","
        "\"payload\":{\"v\":1},\"occurred_at\":\"2026-01-02T03:04:05.0Z\","
        "\"provenance\":{\"source\":\"s\",\"confidence\":1}}",
        "{\"id\":\"a\",\"resource\":\"r\",\"record_id\":\"1\",\"op\":"
        "\"upsert\","
        "\"payload\":{\"v\":1},\"occurred_at\":\"2026-01-02T03:04:05Z\","
        "\"provenance\":{\"source\":\"s\",\"confidence\":0.5}}",
        "{\"id\":\"a\",\"resource\":\"r\",\"record_id\":\"1\",\"op\":"
        "\"upsert\","
        "\"payload\":{\"v\":1},\"occurred_at\":\"2026-01-02T03:04:05Z\","
        "\"provenance\":{\"source\":\"s\",\"confidence\":1},\"meta\":{}}"};
    static const char *const same[] = {
        "{ \"id\" : \"a\",\"resource\":\"r\",\"record_id\":\"1\",\"op\":\t"
        "\"upsert\",\"payload\":{ \"v\" : 1 },\"occurred_at\":"
        "\"2026-01-02T03:04:05Z\",\"provenance\":{\"source\":\"s\","
        "\"confidence\":1}}",
        "{\"provenance\":{\"source\":\"s\",\"confidence\":1},\"payload\":{"
        "\"v\":"
        "1},\"op\":\"upsert\",\"record_id\":\"1\",\"resource\":\"r\",\"id\":"
        "\"a\",\"occurred_at\":\"2026-01-02T03:04:05Z\"}"};
    struct texts t = {.n = 0};
    struct plog_receipt r;
    world_make(&w, PLOG_ARRIVAL, 0);
    add(&t, "a", "{\"v\":1}");
    CHECK_INT(append_all(&t, NULL, NULL), 0);
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
    CHECK_INT(append_all(&t, r, &err), PLOG_E_CONFLICT);
    CHECK(err.has_index);
    CHECK_UINT(err.index, 2);
    CHECK_UINT(err.seq, 2);
    CHECK_TEXT(err.message, "id: entry 2 has this id with other content");
    CHECK(strstr(err.hint, "log DIR --from 2 --to 2") != NULL);
    t.n = 2;
    add(&t, "g1", "{\"a\":2}"); /* clashes inside the group */
    memset(&err, 0, sizeof err);
    CHECK_INT(append_all(&t, r, &err), PLOG_E_CONFLICT);
    CHECK_UINT(err.index, 2);
    CHECK_UINT(err.seq, 0); /* there is no such entry */
    CHECK_TEXT(err.message, "id: a delta of the same group has this id with"
                            " other content");
    CHECK(strstr(err.hint, "an id of its own") != NULL);
    t.n = 2;
    add(&t, "g2", "[]");
    memset(&err, 0, sizeof err);
    CHECK_INT(append_all(&t, r, &err), PLOG_E_INPUT);
    CHECK(err.has_index && err.index == 2);
    CHECK_TEXT(err.member, "payload");
    CHECK_UINT(log_bytes(), bytes);
    CHECK_INT((int)world_number(&w, "SELECT count(*) FROM events"), 2);
    t.n = 2;
    CHECK_INT(append_all(&t, r, NULL), 0);
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
    CHECK_INT(append_all(&t, r, NULL), 0);
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
    struct plog_cursor c = {
        {source, strlen(source)}, {resource, strlen(resource)}, cursor};
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
    int rc = plog_reader_cursor(r, (struct plog_span){source, strlen(source)},
                                (struct plog_span){resource, strlen(resource)},
                                &out, NULL);
    bool is =
        want ? rc == 0 && out.n == strlen(want) && !memcmp(out.p, want, out.n)
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

/* ---- Told early ---------------------------------------------------------- */

static bool no_commits;

static int on_event(void *ctx, const struct plog_store_event *e)
{
    return no_commits && order_is_commit(e) ? 1
                                            : order_io()->store_event(ctx, e);
}

/* Who asked to be told by the log is, though the store does not follow. */
static void told_by_the_log(void)
{
    struct plog_io io = *order_io();
    io.store_event = on_event;
    for (int by_log = 0; by_log < 2; by_log++) {
        world_make(&w, PLOG_ARRIVAL, 0);
        w.options.io = &io;
        w.options.ack = by_log ? PLOG_ACK_LOG : PLOG_ACK_STORE;
        CHECK_INT(world_open(&w), 0);
        no_commits = true;
        CHECK_INT(put("a", "1", "x", NULL), by_log ? 0 : PLOG_E_INDETERMINATE);
        no_commits = false;
        CHECK_UINT(world_size(&w), 1); /* of the store */
        CHECK_INT(put("b", "1", "x", NULL), 0);
        world_end(&w, 3);
    }
    w.options = (struct plog_options){.struct_size = sizeof w.options};
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
        CHECK_INT(append_all(&t, NULL, NULL), 0);
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

/* A segment is not closed over bytes that somebody put behind its end, where
 * the quick look does not see them; the next group finds them set aside. */
static void sealed_over_a_tail(void)
{
    uint64_t first = 0;
    struct plog_error err = {.code = 0};
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, NULL, "1", "x", NULL), 0);
    FILE *f = fopen(world_path(&w, "log/00000000000000000001.jsonl"), "a");
    REQUIRE(f != NULL);
    fputs("\n\nx", f);
    fclose(f);
    CHECK_INT(plog_new_segment(w.p, &first, &err), PLOG_E_TORN);
    CHECK_INT(err.code, PLOG_E_TORN);
    CHECK_INT(plog_new_segment(w.p, &first, &err), 0);
    CHECK_UINT(first, 3);
    CHECK_INT(world_put(&w, NULL, "1", "y", NULL), 0);
    world_end(&w, 3);
}

/* A segment that holds no group yet takes one that is larger than a segment
 * may be: there is no other one to begin. */
static void a_large_group_behind_a_bare_header(void)
{
    uint64_t first = 0;
    char payload[5000], text[5400];
    struct world_delta large = {.payload = payload};
    memset(payload, 'v', sizeof payload);
    memcpy(payload, "{\"v\":\"", 6);
    memcpy(payload + sizeof payload - 3, "\"}", 3);
    world_text(text, sizeof text, &large);
    world_make(&w, PLOG_ARRIVAL, 4096);
    CHECK_INT(put(NULL, "1", "x", NULL), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    CHECK_UINT(first, 3);
    CHECK_INT(world_append(&w, text, NULL, NULL), 0);
    CHECK_INT(put(NULL, "1", "y", NULL), 0);
    CHECK_INT((int)world_number(&w, "SELECT count(*) FROM segments"), 3);
    world_end(&w, 4);
}

/* A store that is left behind takes nothing until it was caught up; and the
 * writer lock is given back. */
static void a_store_left_behind(void)
{
    struct plog_error err = {.code = 0};
    struct plog_receipt r = {.seq = 0};
    char text[300];
    struct world_delta d = {.id = "d"};
    size_t n;
    world_make(&w, PLOG_ARRIVAL, 0);
    world_close(&w);
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    char *store = world_read(world_path(&w, "store.db"), &n);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(put("b", "1", "x", NULL), 0);
    world_close(&w);
    unlink(world_path(&w, "store.db-wal"));
    unlink(world_path(&w, "store.db-shm"));
    world_write(world_path(&w, "store.db"), store, n);
    free(store);
    w.options.leave_behind = true;
    CHECK_INT(world_open(&w), 0);
    size_t bytes = log_bytes();
    for (int i = 0; i < 2; i++) {
        CHECK_INT(world_append(&w, world_text(text, sizeof text, &d), &r, &err),
                  PLOG_E_BEHIND);
        CHECK_INT(err.code, PLOG_E_BEHIND);
        CHECK_TEXT(err.message, "the store is behind the log");
        CHECK_UINT(r.seq, 0);
        CHECK_UINT(log_bytes(), bytes);
        CHECK_INT((int)world_number(&w, "SELECT size FROM meta"), 1);
    }
    CHECK_INT(plog_catch_up(w.p, &err), 0);
    CHECK_INT((int)world_number(&w, "SELECT size FROM meta"), 2);
    CHECK_INT(world_append(&w, text, &r, &err), 0);
    CHECK_UINT(r.seq, 3);
    w.options.leave_behind = false;
    world_end(&w, 3);
}

/* Of the same key as the log `of`, beside it; longest line: `line_max`. */
static void make_beside(const struct world *of, const char *dir,
                        uint64_t line_max)
{
    char log[700], keys[700], vkey[PLOG_VKEY_MAX];
    struct plog_init_options o = {.struct_size = sizeof o,
                                  .line_max_bytes = line_max};
    CHECK_INT(mkdir(dir, 0700), 0);
    snprintf(log, sizeof log, "%s/log", dir); /* as a cut-off init leaves it */
    CHECK_INT(mkdir(log, 0700), 0);
    snprintf(keys, sizeof keys, "%s/keys", dir);
    world_copy(world_path(of, "keys"), keys);
    CHECK_INT(plog_init(dir, &o, vkey, NULL), 0);
    CHECK_TEXT(vkey, of->vkey);
}

/* All of a log takes the place of another's, whose lock file goes, too. */
static void take_place(const char *from, const char *to)
{
    static const char *const parts[] = {
        "log", "keys", "lock", "store.db", "store.db-wal", "store.db-shm"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char a[700], b[700];
        snprintf(a, sizeof a, "%s/%s", from, parts[i]);
        snprintf(b, sizeof b, "%s/%s", to, parts[i]);
        world_remove(b);
        if (access(a, F_OK) == 0)
            CHECK_INT(rename(a, b), 0);
    }
}

/* Below an open handle comes the log, of the same key, that has another limit:
 * that one holds from the next group on. */
static void another_line_limit(void)
{
    char long_one[1500];
    struct world other;
    world_make(&other, PLOG_ARRIVAL, 0);
    world_close(&other);
    w = other;
    snprintf(w.dir, sizeof w.dir, "%.400s/short", check_dir());
    make_beside(&other, w.dir, 1024);
    w.options.io = NULL;
    CHECK_INT(world_open(&w), 0);
    memset(long_one, 'x', sizeof long_one - 1);
    long_one[sizeof long_one - 1] = '\0';
    CHECK_INT(put(NULL, "1", long_one, NULL), PLOG_E_INPUT);
    take_place(other.dir, w.dir);
    CHECK_INT(put(NULL, "1", "x", NULL), 0);
    CHECK_INT(put(NULL, "1", long_one, NULL), 0);
    world_end(&w, 3);
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
        {"told_by_the_log", told_by_the_log},
        {"the_line_limit", the_line_limit},
        {"another_line_limit", another_line_limit},
        {"rotation", rotation},
        {"a_pinned_key", a_pinned_key},
        {"sealed over a tail", sealed_over_a_tail},
        {"a store left behind", a_store_left_behind},
        {"a large group behind a bare header",
         a_large_group_behind_a_bare_header},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
