/*
 * test_since.c - parity from a checkpoint on: it finds what it reads, says
 * what it does not, says nothing false, and reads the tail alone.  The
 * watermark is there whole or not at all, and only of a clean head.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "killing.h"
#include "peers.h"
#include "said.h"
#include "world.h"

static struct world w;
static char mark[600], kept[600];

/* The present head as a note in a file. */
static void note(const char *path)
{
    char text[PLOG_CHECKPOINT_MAX];
    plog_reader *r = NULL;
    REQUIRE(plog_reader_open(&r, w.dir, NULL, NULL) == 0);
    CHECK_INT(plog_reader_checkpoint(r, text, NULL), 0);
    plog_reader_close(r);
    world_write(path, text, strlen(text));
}

static void put(unsigned i, unsigned record)
{
    char id[20], key[20];
    snprintf(id, sizeof id, "id-%u", i);
    snprintf(key, sizeof key, "%u", record);
    CHECK_INT(world_put(&w, id, key, id, NULL), 0);
}

/* Entries 2 to 20 about records 0 to 4, 21 to 40 about 3 and 4, a note, and 41
 * to 60 about 3 to 8 in turn: of those 3 and 4 have entries below. */
static void make(enum plog_strategy strategy)
{
    world_make(&w, strategy, 4096);
    snprintf(mark, sizeof mark, "%.500s/mark", check_dir());
    for (unsigned i = 2; i <= 40; i++)
        put(i, i <= 20 ? i % 5 : 3 + i % 2);
    note(mark);
    for (unsigned i = 41; i <= 60; i++)
        put(i, 3 + i % 6);
    world_close(&w);
    snprintf(kept, sizeof kept, "%.500s/kept", check_dir());
    world_copy(w.dir, kept);
}

static void restore(void)
{
    snprintf(w.dir, sizeof w.dir, "%.400s/log", check_dir());
    world_copy(kept, w.dir);
}

static int since(struct world_found *f)
{
    struct plog_check_options o = {.since = mark};
    return world_parity(&w, &o, f);
}

/* ---- Edited stores ------------------------------------------------------ */

/* What the whole check finds, this one finds too, at this entry (0: any); or
 * it lists it as unchecked. */
struct edit {
    const char *sql;
    bool found;
    uint64_t seq;
};

static void run_edits(const struct edit *edits, size_t n)
{
    struct world_found f;
    for (size_t i = 0; i < n; i++) {
        restore();
        world_sql(&w, edits[i].sql);
        bool ok = CHECK(world_parity(&w, NULL, &f) != 0);
        int verdict = since(&f);
        ok &= CHECK_INT(verdict != 0, edits[i].found);
        ok &= CHECK(edits[i].found || f.unchecked == 3);
        if (edits[i].found && edits[i].seq)
            ok &= CHECK_UINT(f.count, 1) &&
                  CHECK_UINT(f.first[0].seq, edits[i].seq);
        if (!ok)
            printf("#   %s\n", edits[i].sql);
        world_remove(w.dir);
    }
}

static void each_edit(enum plog_strategy strategy, const struct edit *edits,
                      size_t n)
{
    struct world_found f;
    make(strategy);
    CHECK_INT(since(&f), 0);
    CHECK_UINT(f.report.since, 40);
    CHECK_UINT(f.report.records, 6);
    CHECK_UINT(f.unchecked, 3);
    run_edits(edits, n);
}
#define EDITS(s, a) each_edit(s, a, sizeof a / sizeof *a)

/* Record 3 stands on 60, and has entries below; 5 on 56, and has none. */
static void columns_of_touched_records(void)
{
    static const struct edit edits[] = {
        {"UPDATE state SET seq=54 WHERE record_id='3'", true, 60},
        {"UPDATE state SET last=54 WHERE record_id='3'", true, 60},
        {"UPDATE state SET seconds=seconds+1 WHERE record_id='3'", true, 60},
        {"UPDATE state SET nanos=7 WHERE record_id='3'", true, 60},
        {"UPDATE state SET confidence=0.5 WHERE record_id='3'", true, 60},
        {"UPDATE state SET origin='o' WHERE record_id='3'", true, 60},
        {"UPDATE state SET origin_seq=4 WHERE record_id='3'", true, 60},
        {"UPDATE state SET payload_at=payload_at+1 WHERE record_id='3'", true,
         60},
        {"UPDATE state SET payload_len=payload_len-1 WHERE record_id='3'", true,
         60},
        {"UPDATE state SET payload_len=0 WHERE record_id='3'", true, 60},
        {"UPDATE state SET merged='{}' WHERE record_id='3'", true, 60},
        {"DELETE FROM state WHERE record_id='3'", true, 60},
        {"DELETE FROM state WHERE record_id='5'", true, 56},
        {"UPDATE state SET version=3 WHERE record_id='3'", true, 60},
        {"UPDATE state SET version=version+1 WHERE record_id='5'", true, 56},
        {"UPDATE state SET version=version-1 WHERE record_id='5'", true, 56},
        {"UPDATE state SET version=version+1 WHERE record_id='3'", false, 0},
        {"UPDATE state SET confidence=0.5 WHERE record_id='1'", false, 0},
        {"DELETE FROM state WHERE record_id='1'", false, 0},
        {"UPDATE meta SET segment_size=5000", false, 0},
    };
    EDITS(PLOG_ARRIVAL, edits);
}

#define FIRST_OF_3                                                             \
    "(SELECT min(seq) FROM events WHERE record_id='3' AND seq>="               \
    "(SELECT max(first) FROM segments WHERE first<=41))"

static void rows_above_and_below(void)
{
    static const struct edit edits[] = {
        {"UPDATE events SET previous=NULL WHERE seq=60", true, 60},
        {"UPDATE events SET previous=53 WHERE seq=60", true, 60},
        {"UPDATE events SET previous=37 WHERE seq=42", true, 42},
        {"UPDATE events SET previous=58 WHERE seq=42", true, 42},
        {"UPDATE events SET previous=-4 WHERE seq=44", true, 44},
        {"UPDATE events SET previous=2 WHERE seq=44", true, 44},
        /* the first one since about record 3: only an entry below can be it */
        {"UPDATE events SET previous=60 WHERE seq=" FIRST_OF_3, true, 0},
        {"UPDATE events SET previous=2 WHERE seq=" FIRST_OF_3, true, 0},
        {"UPDATE events SET previous=NULL WHERE seq=" FIRST_OF_3, true, 60},
        {"UPDATE events SET id='x' WHERE seq=50", true, 50},
        {"UPDATE events SET outcome='skipped' WHERE seq=50", true, 50},
        {"INSERT INTO events(seq,line) VALUES(61,'{}')", true, 61},
        {"DELETE FROM checkpoints WHERE size=50", true, 50},
        {"INSERT INTO segments VALUES(1000)", true, 1000},
        {"INSERT INTO redactions VALUES(50,49,0)", true, 0},
        {"INSERT INTO rotations VALUES(50)", true, 0},
        {"INSERT INTO cursors VALUES('a','b','c',50)", true, 50},
        {"UPDATE meta SET origin='other'", true, 0},
        {"UPDATE events SET line=line||' ' WHERE seq=7", false, 0},
        {"UPDATE events SET previous=NULL WHERE seq=7", false, 0},
        {"DELETE FROM checkpoints WHERE size=7", false, 0},
        {"INSERT INTO cursors VALUES('a','b','c',7)", false, 0},
        {"INSERT INTO redactions VALUES(8,7,0)", false, 0},
    };
    EDITS(PLOG_ARRIVAL, edits);
}

static void add_peer(const char *name)
{
    CHECK_INT(peers_add(&w, name), 0);
}

static void evict_peer(const char *name)
{
    struct plog_peer_report r;
    struct plog_peer_options o = {.struct_size = sizeof o, .reason = "gone"};
    CHECK_INT(plog_peer_evict(w.dir, name, &o, &r, NULL), 0);
}

/* Added since: compared.  Evicted since: not there.  From below: unknown. */
static void peers(void)
{
    static const struct edit edits[] = {
        {"DELETE FROM peers WHERE name='came'", true, 52},
        {"UPDATE peers SET added=51 WHERE name='came'", true, 52},
        {"UPDATE peers SET added=2 WHERE name='came'", true, 52},
        {"INSERT INTO peers VALUES('left',3,0,NULL,NULL)", true, 51},
        {"INSERT INTO peers VALUES('left',50,0,NULL,NULL)", true, 50},
        {"INSERT INTO peers VALUES('passed',53,0,NULL,NULL)", true, 53},
        {"INSERT INTO peers VALUES('x',50,0,NULL,NULL)", true, 50},
        {"INSERT INTO peers VALUES('x',3,0,NULL,NULL)", false, 0},
        {"UPDATE peers SET added=3 WHERE name='stayed'", false, 0},
        {"DELETE FROM peers WHERE name='stayed'", false, 0},
    };
    struct world_found f;
    world_make(&w, PLOG_ARRIVAL, 4096);
    snprintf(mark, sizeof mark, "%.500s/mark", check_dir());
    world_close(&w);
    add_peer("stayed");
    add_peer("left");
    CHECK_INT(world_open(&w), 0);
    for (unsigned i = 4; i <= 50; i++) {
        put(i, i % 3);
        if (i == 40)
            note(mark);
    }
    world_close(&w);
    evict_peer("left");
    add_peer("came");
    add_peer("passed");
    evict_peer("passed");
    snprintf(kept, sizeof kept, "%.500s/kept", check_dir());
    world_copy(w.dir, kept);
    CHECK_INT(since(&f), 0);
    CHECK_UINT(f.unchecked, 3);
    run_edits(edits, sizeof edits / sizeof *edits);
}

/* Merged over what lies below: unknown.  Merged since: compared. */
static void merged_payloads(void)
{
    static const struct edit edits[] = {
        {"UPDATE state SET merged='{\"v\":1}' WHERE record_id='5'", true, 56},
        {"UPDATE state SET merged='{\"v\":1}' WHERE record_id='3'", false, 0},
        {"UPDATE state SET merged=NULL WHERE record_id='3'", true, 60},
        {"UPDATE state SET confidence=0.5 WHERE record_id='3'", true, 60},
    };
    EDITS(PLOG_MERGE_JSON, edits);
}

/* ---- Histories ---------------------------------------------------------- */

static uint64_t seed;

static unsigned pick(unsigned n)
{
    return (unsigned)(check_random(&seed) % n);
}

/* Skips, merges or takes the delta as it is. */
static int whim(void *arg, const struct plog_record *now,
                const struct plog_delta_view *d, struct plog_span *merged)
{
    static const char text[] = "{\"whim\":true}";
    (void)arg;
    (void)now;
    if (pick(3) == 0)
        return 0;
    if (!d->is_delete && pick(2))
        *merged = (struct plog_span){text, sizeof text - 1};
    return 1;
}

static void random_delta(void)
{
    char text[600], record[8], payload[60], when[40], confidence[8];
    struct world_delta d = {.record = record,
                            .op = pick(5) ? "upsert" : "delete",
                            .payload = payload,
                            .time = when,
                            .confidence = confidence};
    snprintf(record, sizeof record, "%u", pick(12));
    snprintf(when, sizeof when, "2026-01-02T03:04:%02uZ", pick(60));
    snprintf(confidence, sizeof confidence, "0.%u", pick(9));
    snprintf(payload, sizeof payload, "{\"%c\":%u}", 'a' + (char)pick(4),
             pick(100));
    if (d.op[0] == 'd')
        memcpy(payload, "null", 5);
    CHECK_INT(world_append(&w, world_text(text, sizeof text, &d), NULL, NULL),
              0);
}

#define STEPS 60

/* Whole, CLEAN; so it is CLEAN from each of its checkpoints on, too. */
static void random_history(int strategy, bool changes)
{
    char dir[500], path[600];
    struct plog_check_options o = {.since = path};
    struct world_found f;
    uint64_t last = 1;
    world_make(&w, (enum plog_strategy)strategy, 4096);
    w.options.custom = whim;
    CHECK_INT(world_open(&w), 0);
    snprintf(dir, sizeof dir, "%.400s", check_dir());
    for (unsigned i = 0; i < STEPS; i++) {
        snprintf(path, sizeof path, "%s/%u", dir, i);
        note(path);
        if (changes && i % 30 == 15)
            CHECK_INT(
                plog_set_strategy(
                    w.p, (enum plog_strategy)pick(PLOG_CUSTOM + 1), NULL, NULL),
                0);
        else
            random_delta();
    }
    world_close(&w);
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    for (unsigned i = 0; i < STEPS; i++) {
        snprintf(path, sizeof path, "%s/%u", dir, i);
        if (!CHECK_INT(world_parity(&w, &o, &f), 0))
            printf("#   strategy %d, from %u: seq %" PRIu64 "\n", strategy, i,
                   f.first[0].seq);
        CHECK(f.report.from >= last && f.report.from <= i + 2);
        last = f.report.from;
    }
    CHECK(last > STEPS / 2);
}

static void clean_from_every_checkpoint(void)
{
    seed = check_seed();
    for (int s = PLOG_LAST_WRITE_WINS; s <= PLOG_CUSTOM; s++) {
        random_history(s, false);
        random_history(s, true);
    }
}

/* Only losers since: the record stands on an entry below, and its row has to
 * say so; one that begins with a loser is the row's mistake. */
static void only_losers(void)
{
    static const struct edit edits[] = {
        {"UPDATE events SET previous=NULL WHERE seq=51", true, 51},
        {"UPDATE state SET last=51 WHERE record_id='1'", true, 52},
        {"UPDATE state SET seq=52 WHERE record_id='1'", true, 52},
        {"DELETE FROM state WHERE record_id='1'", true, 52},
        {"UPDATE state SET confidence=0.5 WHERE record_id='1'", false, 0},
    };
    char text[600];
    struct world_delta d = {.record = "1", .time = "2026-01-01T00:00:00Z"};
    struct world_found f;
    world_make(&w, PLOG_LAST_WRITE_WINS, 4096);
    snprintf(mark, sizeof mark, "%.500s/mark", check_dir());
    for (unsigned i = 2; i <= 50; i++)
        put(i, i <= 10 ? 1 : 2);
    note(mark);
    for (unsigned i = 51; i <= 52; i++)
        CHECK_INT(
            world_append(&w, world_text(text, sizeof text, &d), NULL, NULL), 0);
    world_close(&w);
    snprintf(kept, sizeof kept, "%.500s/kept", check_dir());
    world_copy(w.dir, kept);
    CHECK_INT(since(&f), 0);
    CHECK_UINT(f.report.records, 2);
    run_edits(edits, sizeof edits / sizeof *edits);
}

/* Merged since over what lies below, and then one that lost by another
 * strategy: what stands still owes to what is not known here. */
static void a_loser_behind_a_merge(void)
{
    char text[600];
    struct world_delta d = {.record = "1", .time = "2026-01-01T00:00:00Z"};
    struct world_found f;
    world_make(&w, PLOG_MERGE_JSON, 4096);
    snprintf(mark, sizeof mark, "%.500s/mark", check_dir());
    d.payload = "{\"below\":1}";
    CHECK_INT(world_append(&w, world_text(text, sizeof text, &d), NULL, NULL),
              0);
    for (unsigned i = 3; i <= 50; i++)
        put(i, 2);
    note(mark);
    d.payload = "{\"since\":2}";
    CHECK_INT(world_append(&w, world_text(text, sizeof text, &d), NULL, NULL),
              0);
    CHECK_INT(plog_set_strategy(w.p, PLOG_LAST_WRITE_WINS, NULL, NULL), 0);
    d.payload = "{\"lost\":3}";
    d.time = "2025-01-01T00:00:00Z";
    CHECK_INT(world_append(&w, world_text(text, sizeof text, &d), NULL, NULL),
              0);
    CHECK_TEXT(world_record(&w, "1"), "{\"below\":1,\"since\":2} v2");
    world_close(&w);
    CHECK_INT(since(&f), 0);
    CHECK_UINT(f.count, 0);
    CHECK_UINT(f.report.since, 50);
    CHECK_UINT(f.report.records, 2);
    world_end(&w, 53);
}

/* The writer decided against its strategy: seen where both are above. */
static void wrong_outcome(void)
{
    struct world_found f;
    make(PLOG_LAST_WRITE_WINS);
    restore();
    world_sql(&w, "UPDATE meta SET strategy='keep-local'");
    CHECK(since(&f) != 0);
    CHECK(f.report.counts[-PLOG_E_DIVERGED] > 0);
}

/* ---- Damage ------------------------------------------------------------- */

/* A segment below the checkpoint that is gone, or that the store alone knows
 * of: its name is not there, and then all of the log is read. */
static void a_segment_is_gone(void)
{
    static const char *const which[] = {
        "SELECT min(first) FROM segments",
        "SELECT first FROM segments ORDER BY first LIMIT 1 OFFSET 1"};
    struct world_found f;
    make(PLOG_ARRIVAL);
    for (size_t i = 0; i < sizeof which / sizeof *which; i++) {
        char file[700], aside[700];
        restore();
        CHECK_INT(since(&f), 0);
        CHECK(f.report.from > 1);
        long long first = world_number(&w, which[i]);
        CHECK(first < (long long)f.report.from);
        snprintf(file, sizeof file, "%.500s/log/%020lld.jsonl", w.dir, first);
        snprintf(aside, sizeof aside, "%.500s-kept", w.dir);
        CHECK_INT(rename(file, aside), 0);
        CHECK_INT(since(&f), PLOG_E_CORRUPT);
        CHECK_UINT(f.first[0].seq, (uint64_t)first);
        CHECK_INT(rename(aside, file), 0);
        CHECK_INT(since(&f), 0);
    }
    world_sql(&w, "INSERT INTO segments VALUES(3)");
    CHECK_INT(since(&f), PLOG_E_DIVERGED);
    world_sql(&w, "DELETE FROM segments WHERE first=3");
    CHECK_INT(since(&f), 0);
    CHECK(f.report.from > 1);
}

/* In both legs at once, so that nothing proves the group: what its entries
 * make of the records is not known, and nothing is said of them. */
static void damage_hides_records(void)
{
    struct world_found f, whole;
    size_t n;
    make(PLOG_ARRIVAL);
    restore();
    world_sql(&w, "UPDATE events SET line=line||' ' WHERE seq=55");
    char file[700];
    snprintf(file, sizeof file, "%.500s/log/%020lld.jsonl", w.dir,
             (long long)world_number(
                 &w, "SELECT max(first) FROM segments WHERE first<=55"));
    char *bytes = world_read(file, &n);
    char *at = strstr(bytes, "{\"seq\":55,");
    REQUIRE(at != NULL);
    at = strstr(at, "\"v\":\"");
    at[5] ^= 1;
    world_write(file, bytes, n);
    free(bytes);
    CHECK_INT(world_parity(&w, NULL, &whole), PLOG_E_TAMPERED);
    CHECK_INT(since(&f), PLOG_E_TAMPERED);
    CHECK_UINT(f.count, whole.count);
    CHECK_UINT(f.report.records, 0);
}

/* ---- What it reads ------------------------------------------------------ */

static uint64_t bytes_read;

static int64_t counting_pread(void *c, int fd, void *b, size_t n, uint64_t o)
{
    int64_t got = plog_io_posix()->pread(c, fd, b, n, o);
    bytes_read += got > 0 ? (uint64_t)got : 0;
    return got;
}

static int counting_event(void *c, const struct plog_store_event *e)
{
    (void)c;
    if (e->op == PLOG_STORE_READ && e->done)
        bytes_read += e->length;
    return 0;
}

/* Of a history ten times as long as the tail, it reads the tail: log and
 * store together, as the I/O table sees it. */
static void reads_the_tail(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_check_options o = {.io = &io};
    struct world_found f;
    uint64_t whole, few;
    world_make(&w, PLOG_ARRIVAL, 16384);
    snprintf(mark, sizeof mark, "%.500s/mark", check_dir());
    for (unsigned i = 2; i <= 2000; i++) {
        put(i, i % 500);
        if (i == 1960)
            note(mark);
    }
    world_close(&w);
    /* SQLite looks through all of its WAL at each opening, long or short. */
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    io.pread = counting_pread;
    io.store_event = counting_event;
    bytes_read = 0;
    CHECK_INT(world_parity(&w, &o, &f), 0);
    CHECK_UINT(f.report.entries, 2000);
    whole = bytes_read;
    o.since = mark;
    bytes_read = 0;
    CHECK_INT(world_parity(&w, &o, &f), 0);
    few = bytes_read;
    CHECK(f.report.entries >= 40 && f.report.entries < 100);
    if (!CHECK(few > 0 && few * 8 < whole) || getenv("CHECK_TELL"))
        printf("#   %" PRIu64 " of %" PRIu64 " bytes\n", few, whole);
}

/* ---- The watermark ------------------------------------------------------ */

static int check_and_mark(void *arg, const struct plog_io *io)
{
    struct plog_check_options o = {.struct_size = sizeof o, .io = io};
    struct plog_check_report report;
    o.since = o.watermark = arg;
    return plog_parity(w.dir, &o, &report, NULL) || report.verdict;
}

/* Killed at each call: the old note or the new one, and the next night ends. */
static void killed_at_each_call(void)
{
    char new_mark[600], path[600];
    size_t old_n, new_n, n;
    long kills = 0, swaps = 0;
    make(PLOG_ARRIVAL);
    snprintf(new_mark, sizeof new_mark, "%.580s.new", mark);
    note(new_mark);
    char *old = world_read(mark, &old_n), *fresh = world_read(new_mark, &new_n);
    snprintf(path, sizeof path, "%.580s.here", mark);
    for (bool killed = true; killed && kills < 500; kills += killed) {
        world_write(path, old, old_n);
        killed = killing_run(kills + 1, check_and_mark, path);
        char *now = world_read(path, &n);
        bool is_new = n == new_n && memcmp(now, fresh, n) == 0;
        swaps += killed && is_new;
        CHECK(is_new || (n == old_n && memcmp(now, old, n) == 0));
        CHECK(killed || is_new);
        free(now);
        CHECK_INT(check_and_mark(path, plog_io_posix()), 0);
        now = world_read(path, &n);
        CHECK_BYTES(now, n, fresh, new_n);
        free(now);
    }
    /* before the file, in it, before its sync, before the rename, behind */
    CHECK(kills >= 5 && kills < 500 && swaps >= 1);
    free(old);
    free(fresh);
}

static void only_of_a_clean_head(void)
{
    struct plog_check_options o = {.watermark = mark};
    struct world_found f;
    size_t n, m;
    make(PLOG_ARRIVAL);
    char *before = world_read(mark, &n);
    restore();
    world_sql(&w, "UPDATE events SET id='x' WHERE seq=50");
    CHECK_INT(world_parity(&w, &o, &f), PLOG_E_DIVERGED);
    CHECK(!f.report.watermark);
    char *after = world_read(mark, &m);
    CHECK_BYTES(after, m, before, n);
    free(after);
    restore();
    CHECK_INT(world_parity(&w, &o, &f), 0);
    CHECK(f.report.watermark);
    after = world_read(mark, &m);
    CHECK(m > 0 && strstr(after, "\n60\n") != NULL);
    free(after);
    free(before);
}

/* Nothing of the log and no other file is overwritten. */
static void places_that_are_refused(void)
{
    struct plog_check_options o = {.struct_size = sizeof o};
    struct plog_check_report report;
    struct plog_error err;
    char path[700], two[2000];
    size_t n;
    make(PLOG_ARRIVAL);
    static const char *const inside[] = {"store.db", "mark", "log/mark"};
    for (int i = 0; i < 3; i++) {
        o.watermark = world_path(&w, inside[i]);
        CHECK_INT(plog_parity(w.dir, &o, &report, &err), PLOG_E_INPUT);
    }
    snprintf(path, sizeof path, "%.580s.two", mark);
    o.watermark = path;
    world_write(path, "my notes\n", 9);
    CHECK_INT(plog_parity(w.dir, &o, &report, &err), PLOG_E_INPUT);
    CHECK_TEXT(err.file, path);
    char *one = world_read(mark, &n);
    int len = snprintf(two, sizeof two, "%s%s", one, one);
    world_write(path, two, (size_t)len);
    CHECK_INT(plog_parity(w.dir, &o, &report, &err), PLOG_E_INPUT);
    world_write(path, one, n);
    CHECK_INT(plog_parity(w.dir, &o, &report, &err), 0);
    CHECK_INT(report.verdict, 0);
    free(one);
}

#define BELOW "unchecked both 1-2: below the checkpoint\n"
#define REST                                                                   \
    "unchecked store 1-2: records that no entry since is about; cursors,"      \
    " peers, redactions and rules from below\n"                                \
    "unchecked store 1-2: 1 of 1 records with entries since: what they have"   \
    " from below (version, merged payload)\n"

/* A note of another history, signed by the same key, whose size is where a
 * segment ends: that one is read. */
static void another_history(void)
{
    static const struct plog_check_options o = {.since = mark};
    uint64_t first;
    world_make(&w, PLOG_ARRIVAL, 0);
    snprintf(mark, sizeof mark, "%.500s/mark", check_dir());
    put(2, 1);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    world_close(&w);
    char dir[sizeof w.dir];
    memcpy(dir, w.dir, sizeof dir);
    snprintf(w.dir, sizeof w.dir, "%.400s/other", check_dir());
    world_copy(dir, w.dir);
    CHECK_INT(world_open(&w), 0);
    put(9, 1);
    world_close(&w);
    note(mark); /* of 3 */
    memcpy(w.dir, dir, sizeof dir);
    CHECK_INT(world_open(&w), 0);
    put(3, 1);
    char own[610];
    snprintf(own, sizeof own, "%s-own", mark);
    note(own);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    CHECK_UINT(first, 4);
    put(4, 1);
    world_close(&w);
    CHECK_TEXT(said_check(plog_parity, w.dir, &o),
               BELOW "FORK in log, entry 3: want 3:# (checkpoint, line 1); got"
                     " 3:#; do keep a copy of DI\n" REST
                     "FORK, head 4, 2 entries 3-4, 1 records, floor 0, 3"
                     " segments, store 1 4, since 3, pending 0\n");
    snprintf(mark, sizeof mark, "%.590s", own);
    CHECK_TEXT(said_check(plog_parity, w.dir, &o),
               BELOW REST "CLEAN, head 4, 2 entries 3-4, 1 records, floor 0, 3"
                          " segments, store 1 4, since 3, pending 0\n");
    world_end(&w, 4);
}

/* Whoever was compiled before the options were there gets the whole check. */
static void older_options(void)
{
    struct plog_check_options o = {.since = "/no/such", .watermark = "/none"};
    struct plog_check_report report;
    make(PLOG_ARRIVAL);
    o.struct_size = offsetof(struct plog_check_options, since);
    CHECK_INT(plog_parity(w.dir, &o, &report, NULL), 0);
    CHECK_UINT(report.entries, 60);
    CHECK_UINT(report.since, 0);
    o.struct_size = sizeof o;
    o.watermark = NULL;
    CHECK_INT(plog_parity(w.dir, &o, &report, NULL), PLOG_E_IO);
}

#define SEGMENT_1 "log/00000000000000000001.jsonl"

/* ---- Without the store --------------------------------------------------- */

/* The table `name` of the store is gone over with another pattern. */
static void spoil(const char *name)
{
    char sql[100];
    size_t n;
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    snprintf(sql, sizeof sql,
             "SELECT rootpage FROM sqlite_master WHERE"
             " name='%s'",
             name);
    size_t page = (size_t)world_number(&w, sql);
    size_t size = (size_t)world_number(&w, "PRAGMA page_size");
    char *bytes = world_read(world_path(&w, "store.db"), &n);
    REQUIRE(page > 0 && page * size <= n);
    memset(bytes + (page - 1) * size, 0x55, size);
    world_write(world_path(&w, "store.db"), bytes, n);
    free(bytes);
}

/* Which rows lie below the checkpoint nobody can tell: all of the log is
 * checked, also below it. */
static void a_store_that_cannot_be_read(void)
{
    struct plog_check_options o = {.struct_size = sizeof o, .since = mark};
    static const char *const tables[] = {"segments", "events"};
    struct world_found f;
    size_t n;
    for (size_t i = 0; i < 2; i++) {
        make(PLOG_ARRIVAL);
        spoil(tables[i]);
        CHECK_TEXT(said_check(plog_parity, w.dir, &o),
                   "DIVERGED in store, store.db: want rows that can be read;"
                   " got using the store: database disk image is malformed"
                   " (SQLite 11); do paritylog replay \n"
                   "unchecked store 0-60: the store cannot be read on\n"
                   "unchecked store 1-60: records: the log does not give their"
                   " fold\n"
                   "DIVERGED, head 60, 0 entries 0-0, 0 records, floor 0, 8"
                   " segments, store 1 60, since 40, pending 0\n");
        char *bytes = world_read(world_path(&w, SEGMENT_1), &n);
        char *at = strstr(bytes, "\"id-3\"");
        REQUIRE(at != NULL);
        at[1] = 'x';
        world_write(world_path(&w, SEGMENT_1), bytes, n);
        free(bytes);
        CHECK_INT(since(&f), PLOG_E_TAMPERED);
        CHECK_UINT(f.count, 2);
        CHECK_UINT(f.first[1].seq, 3);
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"columns of touched records", columns_of_touched_records},
        {"rows above and below", rows_above_and_below},
        {"peers", peers},
        {"merged payloads", merged_payloads},
        {"only losers", only_losers},
        {"a loser behind a merge", a_loser_behind_a_merge},
        {"clean from every checkpoint", clean_from_every_checkpoint},
        {"an outcome against the strategy", wrong_outcome},
        {"a segment is gone", a_segment_is_gone},
        {"damage hides records", damage_hides_records},
        {"reads the tail", reads_the_tail},
        {"the watermark, killed at each call", killed_at_each_call},
        {"the watermark is of a clean head", only_of_a_clean_head},
        {"places that are refused", places_that_are_refused},
        {"another history", another_history},
        {"older options", older_options},
        {"a store that cannot be read", a_store_that_cannot_be_read},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
