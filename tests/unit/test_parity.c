/*
 * test_parity.c - what verify and parity find, seen through the library: each
 * change to one leg is named with its verdict, leg and place, and nothing
 * else is; and the checks change no byte.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "said.h"
#include "tree.h"
#include "world.h"

#define SEGMENT_1 "log/00000000000000000001.jsonl"

static struct world w;

/* A closed log of `entries` entries, one a group, about three records. */
static void make(unsigned entries, uint64_t segment_size)
{
    char id[20], record[4];
    world_make(&w, PLOG_ARRIVAL, segment_size);
    for (unsigned i = 2; i <= entries; i++) {
        snprintf(id, sizeof id, "id-%u", i);
        snprintf(record, sizeof record, "%u", i % 3);
        CHECK_INT(world_put(&w, id, record, id, NULL), 0);
    }
    world_close(&w);
}

static bool finds(const struct world_found *f, unsigned i, int verdict,
                  enum plog_leg leg, uint64_t seq)
{
    bool ok = CHECK(i < f->count);
    ok &= CHECK_TEXT(plog_code_word(f->first[i].verdict),
                     plog_code_word(verdict));
    ok &= CHECK_TEXT(plog_leg_name(f->first[i].leg), plog_leg_name(leg));
    ok &= CHECK_UINT(f->first[i].seq, seq);
    ok &= CHECK(f->first[i].next[0] != '\0');
    return ok;
}

struct file {
    char *bytes;
    size_t n;
};

static struct file load(const char *name)
{
    struct file f;
    f.bytes = world_read(world_path(&w, name), &f.n);
    return f;
}

/* All that parity says. */
static void says(const struct plog_check_options *o, const char *want)
{
    struct plog_check_options none = {.struct_size = sizeof none};
    CHECK_TEXT(said_check(plog_parity, w.dir, o ? o : &none), want);
}

/* ---- The store ---------------------------------------------------------- */

/* One mutated payload row, one orphan row: exactly two findings. */
static void corruption_fixture(void)
{
    struct world_found f;
    make(5, 0);
    world_sql(&w, "UPDATE events SET line=replace(line,'\"v\":\"id-3\"',"
                  "'\"v\":\"id-9\"') WHERE seq=3;"
                  "INSERT INTO events SELECT 6,'new',resource,record_id,op,"
                  "outcome,previous,replace(line,'{\"seq\":5','{\"seq\":6')"
                  " FROM events WHERE seq=5");
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_DIVERGED);
    CHECK_UINT(f.count, 2);
    finds(&f, 0, PLOG_E_DIVERGED, PLOG_LEG_STORE, 3);
    finds(&f, 1, PLOG_E_AHEAD, PLOG_LEG_STORE, 6);
    CHECK_UINT(f.report.counts[-PLOG_E_DIVERGED], 1);
    CHECK_UINT(f.report.counts[-PLOG_E_AHEAD], 1);
    CHECK_INT(world_verify(&w, NULL, &f), 0);
}

struct edit {
    const char *sql;
    uint64_t seq; /* that the finding names */
    int verdict;
};

static char kept[600]; /* a copy of a log of 40 entries, several segments */

/* The log of 40 entries as it was made. */
static void restore(void)
{
    if (!kept[0]) {
        make(40, 4096);
        snprintf(kept, sizeof kept, "%.500s/kept", check_dir());
        world_copy(w.dir, kept);
    }
    snprintf(w.dir, sizeof w.dir, "%.500s/log", check_dir());
    world_copy(kept, w.dir);
}

static void each_edit(const struct edit *edits, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct world_found f;
        restore();
        world_sql(&w, edits[i].sql);
        world_parity(&w, NULL, &f);
        bool ok = CHECK_UINT(f.count, 1);
        ok = ok && finds(&f, 0, edits[i].verdict, PLOG_LEG_STORE, edits[i].seq);
        ok = ok && CHECK_INT(f.report.verdict, edits[i].verdict);
        if (!ok)
            printf("#   %s: %u findings\n", edits[i].sql, f.count);
    }
}

/* Any column of any event row, a row less, a row more. */
static void event_rows(void)
{
    static const struct edit edits[] = {
        {"UPDATE events SET id='other' WHERE seq=7", 7, PLOG_E_DIVERGED},
        {"UPDATE events SET id=NULL WHERE seq=7", 7, PLOG_E_DIVERGED},
        {"UPDATE events SET resource='q' WHERE seq=8", 8, PLOG_E_DIVERGED},
        {"UPDATE events SET record_id='9' WHERE seq=9", 9, PLOG_E_DIVERGED},
        {"UPDATE events SET op='delete' WHERE seq=10", 10, PLOG_E_DIVERGED},
        {"UPDATE events SET outcome='skipped' WHERE seq=11", 11,
         PLOG_E_DIVERGED},
        {"UPDATE events SET previous=NULL WHERE seq=12", 12, PLOG_E_DIVERGED},
        {"UPDATE events SET previous=1 WHERE seq=2", 2, PLOG_E_DIVERGED},
        {"UPDATE events SET op='upsert' WHERE seq=1", 1, PLOG_E_DIVERGED},
        {"UPDATE events SET line=line||' ' WHERE seq=13", 13, PLOG_E_DIVERGED},
        {"DELETE FROM events WHERE seq=14", 14, PLOG_E_DIVERGED},
        {"DELETE FROM events WHERE seq=40", 40, PLOG_E_DIVERGED},
        {"INSERT INTO events(seq,line) VALUES(41,'{}')", 41, PLOG_E_AHEAD},
        {"INSERT INTO events(seq,line) VALUES(0,'{}')", 0, PLOG_E_DIVERGED},
    };
    each_edit(edits, sizeof edits / sizeof *edits);
}

/* Commit rows and segment rows, which the log is rebuilt from. */
static void commit_and_segment_rows(void)
{
    static const struct edit edits[] = {
        {"UPDATE checkpoints SET line=replace(line,'sig','gis') WHERE size=20",
         20, PLOG_E_DIVERGED},
        {"DELETE FROM checkpoints WHERE size=21", 21, PLOG_E_DIVERGED},
        {"INSERT INTO checkpoints VALUES(50,'x')", 50, PLOG_E_AHEAD},
        {"INSERT INTO segments VALUES(90)", 90, PLOG_E_AHEAD},
        {"INSERT INTO rotations VALUES(9)", 9, PLOG_E_DIVERGED},
        {"INSERT INTO rotations VALUES(0)", 0, PLOG_E_DIVERGED},
        {"DELETE FROM segments WHERE first=1", 1, PLOG_E_DIVERGED},
    };
    each_edit(edits, sizeof edits / sizeof *edits);
}

/* A state row in each column, one less, one more; a cursor that nobody set. */
static void records_and_cursors(void)
{
    static const struct edit edits[] = {
        {"UPDATE state SET version=version+1 WHERE record_id='1'", 40,
         PLOG_E_DIVERGED},
        {"UPDATE state SET last=last-3 WHERE record_id='1'", 40,
         PLOG_E_DIVERGED},
        {"UPDATE state SET seconds=seconds+1 WHERE record_id='1'", 40,
         PLOG_E_DIVERGED},
        {"UPDATE state SET nanos=1 WHERE record_id='1'", 40, PLOG_E_DIVERGED},
        {"UPDATE state SET confidence=0.99 WHERE record_id='1'", 40,
         PLOG_E_DIVERGED},
        {"UPDATE state SET origin='x' WHERE record_id='1'", 40,
         PLOG_E_DIVERGED},
        {"UPDATE state SET origin_seq=1 WHERE record_id='1'", 40,
         PLOG_E_DIVERGED},
        {"UPDATE state SET payload_at=payload_at+1 WHERE record_id='1'", 40,
         PLOG_E_DIVERGED},
        {"UPDATE state SET merged='{}' WHERE record_id='1'", 40,
         PLOG_E_DIVERGED},
        {"DELETE FROM state WHERE record_id='0'", 39, PLOG_E_DIVERGED},
        {"INSERT INTO state SELECT resource,'new',seq,last,version,seconds,"
         "nanos,confidence,origin,origin_seq,payload_at,payload_len,merged"
         " FROM state WHERE record_id='2'",
         38, PLOG_E_DIVERGED},
        {"INSERT INTO cursors VALUES('s','*','c',9)", 9, PLOG_E_DIVERGED},
    };
    each_edit(edits, sizeof edits / sizeof *edits);
}

/* The head's own columns follow from the log, too: a false one is never
 * CLEAN. */
static void the_head_row(void)
{
    static const char *const edits[] = {
        "UPDATE meta SET strategy='keep-local'",
        "UPDATE meta SET line_max=2000",
        "UPDATE meta SET segment_size=5000",
        "UPDATE meta SET key='00000000'",
        "UPDATE meta SET sig=zeroblob(64)",
        "UPDATE meta SET segment=1",
        "UPDATE meta SET segment=size+1", /* which the log does not have */
        "UPDATE meta SET offset=offset+1",
        "UPDATE meta SET floor=5",
        "UPDATE meta SET redactions=1",
        "UPDATE meta SET redactions=-1",
        "UPDATE meta SET floor=-5",
        "INSERT INTO redactions VALUES(1,1,0)",
        "UPDATE meta SET root=zeroblob(32)",
        "UPDATE meta SET range=zeroblob(64)",
        "UPDATE meta SET origin='another'",
        "DELETE FROM meta",
    };
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        struct world_found f;
        restore();
        world_sql(&w, edits[i]);
        if (!CHECK(world_parity(&w, NULL, &f) != 0))
            printf("#   %s: %s\n", edits[i], plog_code_word(f.report.verdict));
    }
}

/* What the store keeps for entries that are gone: of a log that was never
 * compacted nothing, and the ids that a trim left behind must be those of its
 * events. */
static void kept_rows(void)
{
    static const struct edit edits[] = {
        {"INSERT INTO old_ids VALUES(zeroblob(32),5,zeroblob(32),NULL)", 5,
         PLOG_E_DIVERGED},
        {"INSERT INTO old_ids VALUES(zeroblob(32),-5,zeroblob(32),NULL)", 0,
         PLOG_E_DIVERGED},
        {"INSERT INTO base_state SELECT * FROM state LIMIT 1", 0,
         PLOG_E_DIVERGED},
    };
    each_edit(edits, sizeof edits / sizeof *edits);
}

/* The bytes of a line, or of a commit, as a blob: another value to SQL, which
 * a STRICT table refuses and a file can hold all the same. */
static void blobs_of_the_same_bytes(void)
{
    static const struct {
        const char *table, *edit;
        uint64_t seq;
    } all[] = {
        {"events", "UPDATE events SET line=CAST(line AS BLOB) WHERE seq=7", 7},
        {"checkpoints",
         "UPDATE checkpoints SET line=CAST(line AS BLOB) WHERE size=7", 7}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct world_found f;
        char sql[200];
        restore();
        snprintf(sql, sizeof sql,
                 "PRAGMA writable_schema=1; UPDATE sqlite_schema SET"
                 " sql=replace(sql,') STRICT',')') WHERE name='%s'",
                 all[i].table);
        world_sql(&w, sql);
        world_sql(&w, all[i].edit);
        snprintf(sql, sizeof sql,
                 "PRAGMA writable_schema=1; UPDATE sqlite_schema SET"
                 " sql=sql||' STRICT' WHERE name='%s'",
                 all[i].table);
        world_sql(&w, sql);
        CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_DIVERGED);
        CHECK_UINT(f.count, 1);
        finds(&f, 0, PLOG_E_DIVERGED, PLOG_LEG_STORE, all[i].seq);
    }
}

/* A row that a damaged page fills with NULL where the table has none: no
 * comparison of it holds, nor does its contrary. */
static void rows_of_nothing(void)
{
    static const struct {
        const char *table, *row;
        unsigned findings;
    } all[] = {{"peers", "'x',NULL,NULL,NULL,NULL", 2},
               {"peers", "'x',NULL,0,NULL,NULL", 1},
               {"old_ids", "zeroblob(32),NULL,NULL,NULL", 1}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct world_found f;
        char sql[300];
        restore();
        snprintf(sql, sizeof sql,
                 "PRAGMA writable_schema=1; CREATE TABLE kept AS SELECT sql"
                 " FROM sqlite_schema WHERE name='%s'; UPDATE sqlite_schema SET"
                 " sql=replace(sql,' NOT NULL','') WHERE name='%s'",
                 all[i].table, all[i].table);
        world_sql(&w, sql);
        snprintf(sql, sizeof sql, "INSERT INTO %s VALUES(%s)", all[i].table,
                 all[i].row);
        world_sql(&w, sql);
        snprintf(sql, sizeof sql,
                 "PRAGMA writable_schema=1; UPDATE sqlite_schema SET"
                 " sql=(SELECT * FROM kept) WHERE name='%s'; DROP TABLE kept",
                 all[i].table);
        world_sql(&w, sql);
        CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_DIVERGED);
        CHECK_UINT(f.count, all[i].findings);
    }
}

/* The rows are right, and the index by which an id is found is not: a delta
 * sent again would be logged twice. */
static void the_index_of_ids(void)
{
    struct world_found f;
    restore();
    world_sql(&w, "UPDATE events SET id='other' WHERE seq=7");
    world_sql(&w, "PRAGMA writable_schema=1;"
                  "CREATE TABLE kept AS SELECT * FROM sqlite_schema WHERE"
                  " name='events_id';"
                  "DELETE FROM sqlite_schema WHERE name='events_id'");
    world_sql(&w, "UPDATE events SET id='id-7' WHERE seq=7");
    world_sql(&w, "PRAGMA writable_schema=1;"
                  "INSERT INTO sqlite_schema SELECT * FROM kept");
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_DIVERGED);
    CHECK_UINT(f.count, 1);
    finds(&f, 0, PLOG_E_DIVERGED, PLOG_LEG_STORE, 0);
}

/* An index that finds a blob of the same bytes, or whose entries stand in
 * another order, finds no id. */
static void an_index_that_finds_nothing(void)
{
    struct world_found f;
    restore();
    world_sql(&w, "PRAGMA writable_schema=1; UPDATE sqlite_schema SET"
                  " sql=replace(sql,') STRICT',')') WHERE name='events'");
    world_sql(&w, "UPDATE events SET id=CAST(id AS BLOB) WHERE"
                  " id=(SELECT max(id) FROM events)"); /* in its place */
    world_sql(&w, "PRAGMA writable_schema=1;"
                  "CREATE TABLE kept AS SELECT * FROM sqlite_schema WHERE"
                  " name='events_id';"
                  "DELETE FROM sqlite_schema WHERE name='events_id'");
    world_sql(&w, "UPDATE events SET id=CAST(id AS TEXT) WHERE"
                  " typeof(id)='blob'");
    world_sql(&w, "PRAGMA writable_schema=1;"
                  "INSERT INTO sqlite_schema SELECT * FROM kept;"
                  "UPDATE sqlite_schema SET sql=sql||' STRICT' WHERE"
                  " name='events'");
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_DIVERGED);
    CHECK_UINT(f.count, 1);
    finds(&f, 0, PLOG_E_DIVERGED, PLOG_LEG_STORE, 0);
    restore();
    world_sql(&w, "CREATE TABLE kept AS SELECT sql FROM sqlite_schema WHERE"
                  " name='events_id';"
                  "DROP INDEX events_id;"
                  "CREATE UNIQUE INDEX events_id ON events(id DESC) WHERE id"
                  " IS NOT NULL;"
                  "PRAGMA writable_schema=1;"
                  "UPDATE sqlite_schema SET sql=(SELECT sql FROM kept) WHERE"
                  " name='events_id'");
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_DIVERGED);
    CHECK_UINT(f.count, 1);
    finds(&f, 0, PLOG_E_DIVERGED, PLOG_LEG_STORE, 0);
}

/* The attack on the store: a row is changed, and root and range of the head
 * are computed anew from the rows.  The row is named, and the head is not
 * what the log signed. */
static void recompute_attack_on_the_store(void)
{
    struct world_found f;
    struct plog_tree tree;
    unsigned char leaf[PLOG_HASH_SIZE], root[PLOG_HASH_SIZE];
    char sql[2000];
    int n;
    make(7, 0);
    plog_tree_init(&tree);
    for (uint64_t seq = 1; seq <= 7; seq++) {
        size_t len;
        char *line = world_line(&w, seq, &len);
        if (seq == 4)
            strstr(line, "\"v\":\"id-4\"")[8] = '9';
        plog_hash_leaf(line, len, leaf);
        CHECK_INT(plog_tree_add(&tree, leaf), 0);
        free(line);
    }
    plog_tree_root(&tree, root);
    n = snprintf(sql, sizeof sql, "UPDATE meta SET root=x'");
    for (size_t i = 0; i < sizeof root; i++)
        n += snprintf(sql + n, sizeof sql - (size_t)n, "%02x", root[i]);
    n += snprintf(sql + n, sizeof sql - (size_t)n, "', range=x'");
    for (size_t i = 0; i < tree.count * sizeof root; i++)
        n += snprintf(sql + n, sizeof sql - (size_t)n, "%02x",
                      tree.hashes[i / sizeof root][i % sizeof root]);
    snprintf(sql + n, sizeof sql - (size_t)n,
             "'; UPDATE events SET line=replace(line,'\"v\":\"id-4\"',"
             "'\"v\":\"i9-4\"') WHERE seq=4");
    world_sql(&w, sql);
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_DIVERGED);
    CHECK_UINT(f.count, 2);
    finds(&f, 0, PLOG_E_DIVERGED, PLOG_LEG_STORE, 4);
    finds(&f, 1, PLOG_E_DIVERGED, PLOG_LEG_STORE, 7);
    CHECK(world_open(&w) < 0); /* nobody signs on it */
}

/* Without a store the log is checked all the same, and the store is BEHIND. */
static void no_store(void)
{
    struct world_found f;
    make(5, 0);
    world_drop_store(&w);
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_BEHIND);
    CHECK_UINT(f.count, 1);
    finds(&f, 0, PLOG_E_BEHIND, PLOG_LEG_STORE, 1);
    CHECK_TEXT(f.first[0].next, "paritylog replay DIR");
    says(NULL, "BEHIND in store, store.db, entry 1: want a store; got there is"
               " a log but no store; do paritylog replay \n"
               "unchecked store 1-5: the store cannot be read\n"
               "BEHIND, head 5, 5 entries 1-5, 0 records, floor 0, 1 segments,"
               " store 0 0, since 0, pending 0\n");
    struct plog_replay_options o = {.struct_size = sizeof o};
    struct plog_replay_report report;
    CHECK_INT(plog_replay(w.dir, &o, &report, NULL), 0);
    CHECK_UINT(report.applied, 5);
    world_end(&w, 5);
}

/* ---- The checks themselves ---------------------------------------------- */

static void records_left_out(void)
{
    struct plog_check_options o = {.struct_size = sizeof o,
                                   .skip_records = true};
    make(5, 0);
    says(NULL, "CLEAN, head 5, 5 entries 1-5, 3 records, floor 0, 1 segments,"
               " store 1 5, since 0, pending 0\n");
    says(&o, "unchecked store 1-5: records, and links between entries: left"
             " out\n"
             "CLEAN, head 5, 5 entries 1-5, 0 records, floor 0, 1 segments,"
             " store 1 5, since 0, pending 0\n");
}

static uint64_t bytes_read;
static bool is_segment[256];

static int open_counted(void *ctx, int dir, const char *name, int flags,
                        uint32_t mode)
{
    int fd = plog_io_posix()->open_at(ctx, dir, name, flags, mode);
    if (fd >= 0 && fd < 256)
        is_segment[fd] = strstr(name, ".jsonl") != NULL;
    return fd;
}

static int64_t pread_counted(void *ctx, int fd, void *to, size_t n, uint64_t at)
{
    int64_t got = plog_io_posix()->pread(ctx, fd, to, n, at);
    if (got > 0 && fd < 256 && is_segment[fd])
        bytes_read += (uint64_t)got;
    return got;
}

/* A group of more than a MiB. */
static void put_long(void)
{
    static char text[20][61000], payload[60100];
    struct plog_span deltas[20];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = deltas, .delta_count = 20};
    for (int i = 0; i < 20; i++) {
        snprintf(payload, sizeof payload, "{\"v\":\"%060000d\"}", i);
        world_text(text[i], sizeof text[i],
                   &(struct world_delta){.record = i % 2 ? "1" : "2",
                                         .payload = payload});
        deltas[i] = (struct plog_span){text[i], strlen(text[i])};
    }
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
}

/* Where nothing is wrong the first look is enough, whatever the log holds: its
 * bytes are not read a second time. */
static void the_log_is_read_once(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_peer_report pr;
    struct world_found f;
    io.open_at = open_counted;
    io.pread = pread_counted;
    for (int strategy = PLOG_ARRIVAL; strategy < PLOG_MERGE_JSON; strategy++) {
        world_make(&w, (enum plog_strategy)strategy, 0);
        put_long();
        world_close(&w);
        CHECK_INT(plog_peer_add(w.dir, "p", NULL, &pr, NULL), 0);
        for (int skip = 0; skip < 2; skip++) {
            struct plog_check_options o = {
                .struct_size = sizeof o, .io = &io, .skip_records = skip};
            bytes_read = 0;
            CHECK_INT(world_parity(&w, &o, &f), 0);
            CHECK(f.report.bytes > 1200000);
            CHECK(bytes_read >= f.report.bytes);
            CHECK(bytes_read < f.report.bytes + f.report.bytes / 2);
        }
        world_remove(w.dir);
    }
}

static int stop_now(void *arg, const struct plog_finding *f)
{
    (void)f;
    ++*(unsigned *)arg;
    return 1;
}

/* A callback that says stop ends the check at once, and no verdict is given
 * as if it had run to its end. */
static void a_finding_may_stop_the_check(void)
{
    struct plog_check_report report;
    unsigned n = 0;
    struct plog_check_options o = {
        .struct_size = sizeof o, .finding = stop_now, .arg = &n};
    make(9, 0);
    world_sql(&w, "UPDATE events SET op='x' WHERE seq>3");
    CHECK_INT(plog_parity(w.dir, &o, &report, NULL), PLOG_E_INTERRUPTED);
    CHECK_UINT(n, 1);
}

/* Checks change no byte of log, store or keys, also of damaged ones. */
static void checks_change_nothing(void)
{
    struct world_found f;
    make(20, 4096);
    for (int damaged = 0; damaged < 2; damaged++) {
        struct file log = load(SEGMENT_1);
        if (damaged)
            log.bytes[log.n / 2] ^= 1;
        struct file store = load("store.db");
        world_write(world_path(&w, SEGMENT_1), log.bytes, log.n);
        CHECK((world_verify(&w, NULL, &f) == 0) == !damaged);
        CHECK((world_parity(&w, NULL, &f) == 0) == !damaged);
        struct file log_now = load(SEGMENT_1), store_now = load("store.db");
        CHECK_BYTES(log_now.bytes, log_now.n, log.bytes, log.n);
        CHECK(store_now.n == store.n &&
              !memcmp(store_now.bytes, store.bytes, store.n));
        free(log.bytes);
        free(log_now.bytes);
        free(store.bytes);
        free(store_now.bytes);
    }
}

/* ---- Damage in the log -------------------------------------------------- */

/* The name of the last segment. */
static const char *last_segment(void)
{
    static char name[64];
    int64_t first = world_number(&w, "SELECT max(first) FROM segments");
    snprintf(name, sizeof name, "log/%020lld.jsonl", (long long)first);
    return name;
}

static char *find(const struct file *f, const char *text)
{
    return memmem(f->bytes, f->n, text, strlen(text));
}

/* Exactly one finding, of the log, at this entry. */
static void only_the_log(uint64_t seq)
{
    struct world_found f;
    world_parity(&w, NULL, &f);
    CHECK_UINT(f.count, 1);
    CHECK_INT(f.first[0].leg, PLOG_LEG_LOG);
    CHECK_UINT(f.first[0].seq, seq);
}

/* What the store proves of a damaged group is folded: also over lines that
 * the fold has to read for it. */
static void merges_behind_damage(void)
{
    world_make(&w, PLOG_MERGE_JSON, 0);
    for (int i = 0; i < 12; i++)
        CHECK_INT(world_put(&w, NULL, "1", i == 1 ? "here" : "x", NULL), 0);
    world_close(&w);
    struct file s = load(SEGMENT_1);
    char *at = find(&s, "here");
    if (CHECK(at != NULL))
        at[0] = 'H';
    world_write(world_path(&w, SEGMENT_1), s.bytes, s.n);
    only_the_log(3);
    free(s.bytes);
}

/* A byte less in the last segment moves all behind it: the store's head, which
 * names a place there, is right all the same. */
static void a_byte_less_in_the_last_segment(void)
{
    restore();
    const char *name = last_segment();
    struct file s = load(name);
    uint64_t seq =
        (uint64_t)world_number(&w, "SELECT max(first) FROM segments");
    char *at = find(&s, "\"v\":\"");
    if (CHECK(at != NULL))
        memmove(at + 5, at + 6, s.n - (size_t)(at + 6 - s.bytes));
    world_write(world_path(&w, name), s.bytes, s.n - 1);
    only_the_log(seq);
    free(s.bytes);
}

/* Of the last segment only the header is left: the store has what is missing,
 * and nobody may be told to make it anew. */
static void nothing_but_a_header(void)
{
    struct world_found f;
    restore();
    const char *name = last_segment();
    struct file s = load(name);
    uint64_t first =
        (uint64_t)world_number(&w, "SELECT max(first) FROM segments");
    char *lf = memchr(s.bytes, '\n', s.n);
    REQUIRE(lf != NULL);
    world_write(world_path(&w, name), s.bytes, (size_t)(lf + 1 - s.bytes));
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_ROLLBACK);
    CHECK_UINT(f.count, 1);
    CHECK_INT(f.first[0].leg, PLOG_LEG_LOG);
    CHECK_UINT(f.first[0].seq, first);
    CHECK(strstr(f.first[0].next, "--from-store") != NULL);
    free(s.bytes);
}

/* A later group in the place of an earlier one: its commit holds, and takes
 * the check along; the header that follows says where it goes on. */
static void a_group_that_stands_too_early(void)
{
    struct world_found f;
    restore();
    struct file s = load(SEGMENT_1), last = load(last_segment());
    char *group = find(&last, "{\"seq\":"), *at = find(&s, "{\"seq\":5,");
    REQUIRE(group != NULL && at != NULL);
    size_t n = last.n - (size_t)(group - last.bytes);
    size_t before = (size_t)(at - s.bytes);
    char *both = malloc(s.n + n);
    REQUIRE(both != NULL);
    memcpy(both, s.bytes, before);
    memcpy(both + before, group, n);
    memcpy(both + before + n, at, s.n - before);
    world_write(world_path(&w, SEGMENT_1), both, s.n + n);
    world_parity(&w, NULL, &f);
    CHECK_INT(f.report.verdict, PLOG_E_CORRUPT);
    CHECK_UINT(f.report.counts[-PLOG_E_DIVERGED], 0);
    CHECK_UINT(f.report.counts[-PLOG_E_AHEAD], 0);
    CHECK_UINT(f.report.counts[-PLOG_E_BEHIND], 0);
    free(both);
    free(s.bytes);
    free(last.bytes);
}

/* While a handle is open, padding and WAL and all, parity is CLEAN. */
static void beside_an_open_handle(void)
{
    struct world_found f;
    world_make(&w, PLOG_ARRIVAL, 0);
    for (int i = 0; i < 30; i++) {
        CHECK_INT(world_put(&w, NULL, "1", "x", NULL), 0);
        CHECK_INT(world_parity(&w, NULL, &f), 0);
        CHECK_UINT(f.report.head.size, (unsigned)i + 2);
        CHECK_UINT(f.report.entries, (unsigned)i + 2);
    }
    world_end(&w, 31);
}

/* Where there is nothing, that is said. */
static void nothing_there(void)
{
    struct plog_check_report report;
    CHECK_INT(plog_parity(check_dir(), NULL, &report, NULL), PLOG_E_NOTHING);
    CHECK_INT(plog_verify("/nonexistent/x", NULL, &report, NULL),
              PLOG_E_NOTHING);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"corruption_fixture", corruption_fixture},
        {"event_rows", event_rows},
        {"commit_and_segment_rows", commit_and_segment_rows},
        {"records_and_cursors", records_and_cursors},
        {"the_head_row", the_head_row},
        {"kept_rows", kept_rows},
        {"blobs_of_the_same_bytes", blobs_of_the_same_bytes},
        {"rows_of_nothing", rows_of_nothing},
        {"the_index_of_ids", the_index_of_ids},
        {"an index that finds nothing", an_index_that_finds_nothing},
        {"recompute_attack_on_the_store", recompute_attack_on_the_store},
        {"no_store", no_store},
        {"records left out", records_left_out},
        {"the log is read once", the_log_is_read_once},
        {"a_finding_may_stop_the_check", a_finding_may_stop_the_check},
        {"checks_change_nothing", checks_change_nothing},
        {"merges_behind_damage", merges_behind_damage},
        {"a_byte_less_in_the_last_segment", a_byte_less_in_the_last_segment},
        {"nothing_but_a_header", nothing_but_a_header},
        {"a_group_that_stands_too_early", a_group_that_stands_too_early},
        {"beside_an_open_handle", beside_an_open_handle},
        {"nothing_there", nothing_there},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
