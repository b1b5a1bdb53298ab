/*
 * test_parity_floor.c - both legs above a floor: the snapshot stands for what
 * was compacted away, and the look whether there is anything to find folds from
 * it.  Whatever differs is found, below the floor as above, in a store that was
 * trimmed and in one that was not; and a log with nothing wrong is CLEAN.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive.h"
#include "check.h"
#include "peers.h"
#include "said.h"
#include "sql_calls.h"
#include "world.h"

static struct world w;
static uint64_t floor_at;
static char mark[600];

static void put(unsigned from, unsigned to)
{
    uint64_t random = check_seed() + from;
    for (unsigned i = from; i < to; i++) {
        uint64_t r = check_random(&random);
        char text[700], record[16], id[16], payload[200], time[40], sure[8];
        struct world_delta d = {.record = record,
                                .op = r >> 61 ? "upsert" : "delete",
                                .payload = r >> 61 ? payload : NULL,
                                .confidence = sure,
                                .time = time};
        snprintf(record, sizeof record, "r%u", (unsigned)(r % 30));
        snprintf(id, sizeof id, "id%u", i);
        snprintf(sure, sizeof sure, "0.%u", (unsigned)(r >> 8 & 7));
        snprintf(time, sizeof time, "2026-01-02T03:%02u:05Z",
                 (unsigned)(r >> 16 & 31));
        snprintf(payload, sizeof payload, "{\"v\":\"%0*u\"}",
                 (int)(r >> 24 & 127) + 1, i);
        d.id = i % 3 ? id : NULL;
        world_text(text, sizeof text, &d);
        CHECK_INT(world_append(&w, text, NULL, NULL), 0);
    }
}

/* A third of 150 entries and more goes. */
static void make(enum plog_strategy strategy, bool trims)
{
    struct plog_compact_options o = {.struct_size = sizeof o,
                                     .trim_store = trims};
    struct plog_compact_report report;
    world_make(&w, strategy, 8192);
    put(0, 150);
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 80), 0);
    CHECK_INT(plog_compact(w.dir, &o, &report, NULL), 0);
    floor_at = report.to;
    CHECK(floor_at > 30 && floor_at <= 80);
    CHECK_INT(world_open(&w), 0);
    put(150, 170);
    world_close(&w);
}

static const enum plog_strategy strategies[] = {
    PLOG_ARRIVAL, PLOG_LAST_WRITE_WINS, PLOG_HIGHEST_CONFIDENCE,
    PLOG_KEEP_LOCAL, PLOG_MERGE_JSON};

static void is_clean(void)
{
    struct world_found f;
    struct plog_check_options o = {.struct_size = sizeof o,
                                   .skip_records = true};
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    CHECK_UINT(f.unchecked, 0);
    CHECK_UINT(f.report.floor, floor_at);
    CHECK_UINT(f.report.from, floor_at + 1);
    CHECK_UINT(f.report.to, world_size(&w));
    CHECK_INT(f.report.records, world_number(&w, "SELECT count(*) FROM state"));
    CHECK(f.report.records >= 28);
    CHECK_INT(world_verify(&w, NULL, &f), 0); /* the log alone, too */
    CHECK_UINT(f.report.floor, floor_at);
    CHECK_UINT(f.report.from, floor_at + 1);
    CHECK_UINT(f.report.to, world_size(&w));
    CHECK_UINT(f.report.entries, world_size(&w) - floor_at);
    CHECK_UINT(f.unchecked, 0);
    CHECK_INT(world_parity(&w, &o, &f), 0); /* records left out, and told */
    CHECK_UINT(f.unchecked, 1);
    CHECK_UINT(f.report.records, 0);
}

static void clean(void)
{
    for (size_t i = 0; i < sizeof strategies / sizeof *strategies; i++)
        for (int trims = 0; trims < 2; trims++) {
            make(strategies[i], trims);
            is_clean();
            CHECK_INT(world_number(&w, "SELECT base FROM meta"),
                      trims ? (int64_t)floor_at : 0);
            world_end(&w, world_size(&w));
        }
}

/* A record that stands below the floor, one above; what is kept of both. */
#define BELOW                                                                  \
    "(SELECT record_id FROM state WHERE seq<=(SELECT floor FROM meta)"         \
    " AND payload_len>0 ORDER BY seq LIMIT 1)"
#define ABOVE                                                                  \
    "(SELECT record_id FROM state WHERE seq>(SELECT floor FROM meta)"          \
    " ORDER BY seq LIMIT 1)"
static const char *const edits[] = {
    "UPDATE state SET seq=seq+1 WHERE record_id=" BELOW,
    "UPDATE state SET last=last+1 WHERE record_id=" BELOW,
    "UPDATE state SET version=version+1 WHERE record_id=" BELOW,
    "UPDATE state SET seconds=seconds+1 WHERE record_id=" BELOW,
    "UPDATE state SET nanos=nanos+1 WHERE record_id=" BELOW,
    "UPDATE state SET confidence=0.99 WHERE record_id=" BELOW,
    "UPDATE state SET origin='x' WHERE record_id=" BELOW,
    "UPDATE state SET origin_seq=origin_seq+1 WHERE record_id=" BELOW,
    "UPDATE state SET payload_at=payload_at+1 WHERE record_id=" BELOW,
    "UPDATE state SET payload_len=payload_len-1 WHERE record_id=" BELOW,
    "UPDATE state SET merged='{}' WHERE record_id=" BELOW,
    "UPDATE state SET record_id='r99' WHERE record_id=" BELOW,
    "DELETE FROM state WHERE record_id=" BELOW,
    "UPDATE state SET version=version+1 WHERE record_id=" ABOVE,
    "UPDATE state SET last=last-1 WHERE record_id=" ABOVE,
    "DELETE FROM state WHERE record_id=" ABOVE,
    "INSERT INTO state VALUES('notes','new',1,1,1,0,0,1.0,NULL,1,1,1,NULL)",
    /* The line that a record stands on. */
    "UPDATE events SET line=replace(line,'\"v\"','\"w\"') WHERE seq=(SELECT"
    " min(seq) FROM state WHERE payload_len>0)",
    "DELETE FROM events WHERE seq=(SELECT min(seq) FROM state WHERE"
    " payload_len>0)",
    /* The link of an entry above to one below. */
    "UPDATE events SET previous=NULL WHERE seq=(SELECT min(seq) FROM events"
    " WHERE seq>(SELECT floor FROM meta) AND previous<=(SELECT floor FROM"
    " meta))",
    "UPDATE events SET previous=previous-1 WHERE seq=(SELECT min(seq) FROM"
    " events WHERE seq>(SELECT floor FROM meta) AND previous<=(SELECT floor"
    " FROM meta))",
    "UPDATE events SET line=line||' ' WHERE seq=(SELECT max(seq) FROM events)",
    "UPDATE meta SET floor=floor-1",
    "UPDATE meta SET base=base+1",
    "UPDATE compactions SET floor=floor-1",
};

static void found(bool trims, const char *edit)
{
    struct world_found f;
    size_t n;
    char *bytes = world_read(world_path(&w, "store.db"), &n);
    world_sql(&w, edit);
    if (world_parity(&w, NULL, &f) == 0 || f.count == 0) {
        printf("# %s%s\n", trims ? "trimmed: " : "", edit);
        CHECK_TEXT("CLEAN", "found");
    }
    unlink(world_path(&w, "store.db-wal"));
    unlink(world_path(&w, "store.db-shm"));
    world_write(world_path(&w, "store.db"), bytes, n);
    free(bytes);
}

static void each_difference(void)
{
    for (int trims = 0; trims < 2; trims++) {
        make(PLOG_LAST_WRITE_WINS, trims);
        CHECK(world_number(&w, "SELECT count(" BELOW ")+count(" ABOVE ")") ==
              2);
        for (size_t i = 0; i < sizeof edits / sizeof *edits; i++)
            found(trims, edits[i]);
        if (trims) {
            found(true, "UPDATE base_state SET version=9");
            found(true, "DELETE FROM base_state WHERE record_id=(SELECT"
                        " min(record_id) FROM base_state)");
            found(true, "UPDATE old_ids SET content=zeroblob(32)");
        }
        is_clean(); /* each was undone */
        world_end(&w, world_size(&w));
    }
}

static const char *want_expected, *want_found;
static unsigned heard_row;

static int on_finding(void *arg, const struct plog_finding *f)
{
    (void)arg;
    heard_row += strstr(f->expected, want_expected) != NULL &&
                 strstr(f->found, want_found) != NULL;
    return 0;
}

/* Counts findings of these two texts. */
static int parity_heard(const char *expected, const char *found)
{
    struct plog_check_report r;
    struct plog_check_options o = {.struct_size = sizeof o,
                                   .finding = on_finding};
    want_expected = expected;
    want_found = found;
    CHECK_INT(plog_parity(w.dir, &o, &r, NULL), 0);
    return r.verdict;
}

/* Rows beside those that there must be: each is told as what it is. */
static void rows_too_many(void)
{
    static const struct {
        const char *add, *drop, *expected, *found;
        bool trimmed; /* only there */
    } rows[] = {
        {"INSERT INTO old_ids VALUES(zeroblob(32),3,zeroblob(32),NULL)",
         "DELETE FROM old_ids WHERE id=zeroblob(32)", " old ids", " rows",
         true},
        {"INSERT INTO compactions SELECT seq-1,floor,0 FROM compactions",
         "DELETE FROM compactions WHERE seq<(SELECT max(seq) FROM compactions)",
         "compaction: none", "compaction: a row the log does not give", false},
    };
    for (int trims = 0; trims < 2; trims++) {
        make(PLOG_LAST_WRITE_WINS, trims);
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            if (rows[i].trimmed && !trims)
                continue;
            world_sql(&w, rows[i].add);
            heard_row = 0;
            CHECK_INT(parity_heard(rows[i].expected, rows[i].found),
                      PLOG_E_DIVERGED);
            CHECK_UINT(heard_row, 1);
            world_sql(&w, rows[i].drop);
        }
        is_clean();
        world_end(&w, world_size(&w));
    }
}

/* The snapshot itself: another text, none at all. */
static void damaged_snapshot(void)
{
    struct world_found f;
    char name[64];
    size_t n;
    make(PLOG_LAST_WRITE_WINS, false);
    snprintf(name, sizeof name, "snapshots/%020llu.jsonl.gz",
             (unsigned long long)floor_at);
    char *bytes = world_read(world_path(&w, name), &n);
    bytes[n / 2] ^= 1;
    world_write(world_path(&w, name), bytes, n);
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_CORRUPT);
    CHECK_TEXT(f.first[0].file, name);
    bytes[n / 2] ^= 1;
    world_write(world_path(&w, name), bytes, n);
    free(bytes);
    is_clean();
    world_end(&w, world_size(&w));
}

/* The segments of the archive are in the log again: nothing is gone, and all
 * of it is checked. */
static void all_of_it(void)
{
    struct world_found f;
    struct plog_dir d;
    struct plog_buf list;
    make(PLOG_LAST_WRITE_WINS, false);
    CHECK_INT(
        plog_dir_open(&d, plog_io_posix(), w.dir, PLOG_DIR_WRITE, false, NULL),
        0);
    plog_buf_init(&list, d.io);
    CHECK_INT(plog_archive_segments(&d, &list, NULL), 0);
    CHECK(plog_segment_count(&list) > 0);
    for (size_t i = 0; i < plog_segment_count(&list); i++) {
        uint64_t first = plog_segment_at(&list, i);
        bool brought;
        CHECK_INT(plog_archive_restore(&d, first, &brought, NULL), 0);
        CHECK(brought);
    }
    plog_buf_fini(&list);
    plog_dir_close(&d);
    CHECK_INT(world_number(&w, "SELECT floor FROM meta"), (int64_t)floor_at);
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    CHECK_UINT(f.unchecked, 0);
    CHECK_UINT(f.report.floor, 0);
    CHECK_UINT(f.report.from, 1);
    CHECK_UINT(f.report.entries, world_size(&w));
}

/* ---- The log begins elsewhere, or badly -----------------------------------
 */

static void name_of(char *out, uint64_t first)
{
    snprintf(out, 64, "log/%020" PRIu64 ".jsonl", first);
}

static void make_small(void)
{
    peers_make(&w, PLOG_LAST_WRITE_WINS, 30);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 20), 0);
    CHECK_INT(peers_compact(&w, NULL), 0);
    floor_at = peers_floor(&w);
    CHECK(floor_at > 5 && floor_at <= 20);
}

static void damage_header(uint64_t first)
{
    char name[64];
    size_t n;
    name_of(name, first);
    char *bytes = world_read(world_path(&w, name), &n);
    bytes[20] ^= 1;
    world_write(world_path(&w, name), bytes, n);
    free(bytes);
}

/* The header behind which the log begins: that is all that is told, for the
 * store proves the lines, from the first one on. */
static void damaged_header(void)
{
    struct world_found f;
    char name[64];
    make_small();
    name_of(name, floor_at + 1);
    damage_header(floor_at + 1);
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_CORRUPT);
    CHECK_UINT(f.count, 1);
    CHECK_TEXT(f.first[0].file, name);
    CHECK_UINT(f.report.head.size, world_size(&w));
    CHECK_UINT(f.unchecked, 1); /* records */
    damage_header(floor_at + 1);
    CHECK_INT(peers_parity(&w), 0);
    world_end(&w, world_size(&w));
}

/* Under a key that nobody knows the compact entry is not missing: it lies in
 * what cannot be read. */
static void lost_keys(void)
{
    struct world_found f;
    make_small();
    CHECK_INT(rename(world_path(&w, "keys"), world_path(&w, "kept")), 0);
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_UNKNOWN_KEY);
    CHECK_INT(f.report.counts[-PLOG_E_CORRUPT], 0);
    CHECK_INT(world_verify(&w, NULL, &f), PLOG_E_UNKNOWN_KEY);
    CHECK_INT(f.report.counts[-PLOG_E_CORRUPT], 0);
    CHECK_INT(rename(world_path(&w, "kept"), world_path(&w, "keys")), 0);
    CHECK_INT(peers_parity(&w), 0);
    world_end(&w, world_size(&w));
}

/* Each segment as a newer program might write it. */
static void make_newer(void)
{
    static const char *const from[] = {"\"format\":1,", "\"root\":\""};
    struct dirent *e;
    char name[300];
    size_t n;
    DIR *log = opendir(world_path(&w, "log"));
    REQUIRE(log != NULL);
    while ((e = readdir(log)) != NULL) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "log/%.255s", e->d_name);
        char *bytes = world_read(world_path(&w, name), &n);
        for (int i = 0; i < 2; i++)
            for (char *at = bytes; (at = strstr(at, from[i])) != NULL;) {
                at += strlen(from[i]) - (i ? 0 : 2);
                *at = *at == '9' ? '8' : '9';
            }
        world_write(world_path(&w, name), bytes, n);
        free(bytes);
    }
    closedir(log);
}

static void of_a_newer_format(void)
{
    struct world_found f;
    make_small();
    make_newer();
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_FORMAT);
    CHECK_INT(f.report.counts[-PLOG_E_CORRUPT], 0);
    CHECK_INT(world_verify(&w, NULL, &f), PLOG_E_FORMAT);
    CHECK_INT(f.report.counts[-PLOG_E_CORRUPT], 0);
    world_remove(w.dir);
}

static void keep_store(void)
{
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    world_copy(world_path(&w, "store.db"), world_path(&w, "../old.db"));
}

static void old_store(void)
{
    world_drop_store(&w);
    CHECK_INT(rename(world_path(&w, "../old.db"), world_path(&w, "store.db")),
              0);
}

/* Up to an entry behind the store that was kept. */
static void compact_past_it(uint64_t size)
{
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 30, 60);
    world_close(&w);
    CHECK_INT(peers_ack(&w, "p", world_size(&w)), 0);
    CHECK_INT(peers_compact(&w, NULL), 0);
    CHECK(peers_floor(&w) > size);
}

/* Nothing is wrong with a log of which an old store knows nothing that is left;
 * only a new one comes to it. */
static void a_store_from_long_before(void)
{
    for (int compacted = 0; compacted < 2; compacted++) {
        struct world_found f;
        if (compacted) {
            make_small();
        } else {
            peers_make(&w, PLOG_LAST_WRITE_WINS, 30);
            CHECK_INT(peers_add(&w, "p"), 0);
        }
        uint64_t size = world_size(&w);
        keep_store();
        compact_past_it(size);
        uint64_t head = world_size(&w);
        old_store();
        CHECK_INT(world_verify(&w, NULL, &f), 0);
        CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_BEHIND);
        CHECK_UINT(f.count, 1);
        CHECK_INT(f.first[0].leg, PLOG_LEG_STORE);
        CHECK_UINT(f.first[0].seq, size + 1);
        CHECK_TEXT(f.first[0].next,
                   "paritylog replay DIR --fresh (keeps this store in"
                   " quarantine/)");
        CHECK_UINT(f.report.head.size, head);
        CHECK_INT(world_open(&w), PLOG_E_PRUNED);
        struct plog_replay_options o = {.struct_size = sizeof o, .fresh = true};
        struct plog_replay_report r;
        CHECK_INT(plog_replay(w.dir, &o, &r, NULL), 0);
        world_end(&w, head);
        world_remove(w.dir);
    }
}

static int no_unlink(void *ctx, int dir, const char *name)
{
    return strstr(name, ".jsonl") ? -EIO
                                  : plog_io_posix()->unlink_at(ctx, dir, name);
}

/* A second compaction took no segment away, and the store is of before: its
 * floor is where the log begins, with a header that is damaged. */
static void damaged_before_a_compaction(void)
{
    struct world_found f;
    struct plog_io io = *plog_io_posix();
    struct plog_compact_options o = {.struct_size = sizeof o, .io = &io};
    struct plog_compact_report r;
    char name[64];
    make_small();
    uint64_t size = world_size(&w);
    keep_store();
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 30, 60);
    world_close(&w);
    CHECK_INT(peers_ack(&w, "p", world_size(&w)), 0);
    io.unlink_at = no_unlink;
    CHECK_INT(plog_compact(w.dir, &o, &r, NULL), PLOG_E_IO);
    old_store();
    name_of(name, floor_at + 1);
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_BEHIND);
    damage_header(floor_at + 1);
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_CORRUPT);
    CHECK_UINT(f.count, 2);
    CHECK_TEXT(f.first[0].file, name);
    CHECK_INT(f.first[1].verdict, PLOG_E_BEHIND);
    CHECK_UINT(f.first[1].seq, size + 1);
    damage_header(floor_at + 1);
    CHECK_INT(world_open(&w), 0);
    world_close(&w);
    CHECK_INT(peers_compact(&w, NULL), 0);
    CHECK_INT(peers_parity(&w), 0);
}

/* ---- Few records ---------------------------------------------------------
 */

static unsigned rows_folded; /* into the table of the fold */

static bool on_sql(const char *call, const char *text, bool busy)
{
    (void)busy;
    rows_folded += strcmp(call, "step") == 0 &&
                   strstr(text, "INTO temp.state VALUES") != NULL;
    return false;
}

/* Where nothing is wrong, the records of a snapshot are noted, and not written
 * to a table one by one, which is slow where there are many; but in a trimmed
 * store, for its state at the base. */
static void how_it_folds(void)
{
    for (int trims = 0; trims < 2; trims++) {
        struct plog_compact_options o = {.struct_size = sizeof o,
                                         .trim_store = trims};
        struct plog_compact_report report;
        struct world_found f;
        uint64_t first;
        world_make(&w, PLOG_ARRIVAL, 0);
        for (int i = 0; i < 5; i++) {
            char record[8];
            snprintf(record, sizeof record, "r%d", i);
            CHECK_INT(world_put(&w, NULL, record, "v", NULL), 0);
        }
        CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
        world_close(&w);
        CHECK_INT(peers_add(&w, "p"), 0);
        CHECK_INT(peers_ack(&w, "p", 6), 0);
        CHECK_INT(plog_compact(w.dir, &o, &report, NULL), 0);
        CHECK_UINT(report.to, 6);
        rows_folded = 0;
        sql_calls.fails = on_sql;
        CHECK_INT(world_parity(&w, NULL, &f), 0);
        sql_calls.fails = NULL;
        CHECK_UINT(f.report.records, 5);
        CHECK_UINT(rows_folded, trims ? 5 : 0);
    }
}

static unsigned begun, arm_at; /* readings of the rows of segments */
static unsigned left;          /* allocations until one fails; 0: none does */
static bool failed;

static bool on_begin(const char *call, const char *text, bool busy)
{
    begun += !strcmp(call, "step") && !busy &&
             strstr(text, "SELECT first FROM main.segments") != NULL;
    return false;
}

static void *on_alloc(void *ctx, void *p, size_t n)
{
    if (n && begun >= arm_at && left && --left == 0) {
        failed = true;
        return NULL;
    }
    return plog_io_posix()->alloc(ctx, p, n);
}

/* Where there is something to find, the n-th allocation fails while the check
 * that finds it begins at the floor: that is told, and no damage. */
static void begins_in_no_memory(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_check_options o = {.struct_size = sizeof o, .io = &io};
    struct plog_check_report r;
    make_small();
    world_sql(&w, "UPDATE state SET version=version+1 WHERE record_id='r1'");
    io.alloc = on_alloc;
    sql_calls.fails = on_begin;
    arm_at = UINT32_MAX;
    for (unsigned n = 0; n < 60; n++) {
        struct plog_error err = {0};
        begun = 0;
        left = n;
        failed = false;
        int rc = plog_parity(w.dir, &o, &r, &err);
        bool fits = CHECK_INT(failed, n > 0);
        fits &= CHECK_INT(rc, failed ? PLOG_E_NOMEM : 0);
        fits &= CHECK_INT(r.counts[-PLOG_E_CORRUPT], 0);
        fits &= CHECK_INT(r.verdict, failed ? 0 : PLOG_E_DIVERGED);
        if (!fits)
            printf("# allocation %u: %s\n", n, err.message);
        if (n == 0)
            arm_at = begun;
    }
    sql_calls.fails = NULL;
    CHECK_UINT(arm_at, 4); /* twice a look */
    world_sql(&w, "UPDATE state SET version=version-1 WHERE record_id='r1'");
    world_end(&w, world_size(&w));
}

/* ---- The base below the floor -------------------------------------------- */

/* Two compactions of a log without ids; true: the store lets go of what went.
 */
static uint64_t compact_twice(bool first, bool second)
{
    struct plog_compact_report r;
    struct plog_compact_options o = {.struct_size = sizeof o};
    uint64_t floor = 0;
    world_make(&w, PLOG_ARRIVAL, 4096);
    for (int i = 0; i < 60; i++) {
        char record[16];
        snprintf(record, sizeof record, "r%d", i);
        CHECK_INT(world_put(&w, NULL, record, "v", NULL), 0);
    }
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 25), 0);
    o.trim_store = first;
    CHECK_INT(plog_compact(w.dir, &o, &r, NULL), 0);
    floor = r.to;
    CHECK_INT(peers_ack(&w, "p", 45), 0);
    o.trim_store = second;
    CHECK_INT(plog_compact(w.dir, &o, &r, NULL), 0);
    CHECK(floor > 9 && r.to > floor + 9);
    return floor;
}

static void set_base(uint64_t base, int verdict, unsigned unchecked)
{
    char sql[60];
    struct world_found f;
    snprintf(sql, sizeof sql, "UPDATE meta SET base=%" PRIu64, base);
    world_sql(&w, sql);
    if (!CHECK_INT(world_parity(&w, NULL, &f), verdict))
        printf("# base %" PRIu64 "\n", base);
    CHECK_UINT(f.unchecked, unchecked);
}

/* No snapshot is left of it; but it is a floor that the log had, and the state
 * there is not of later. */
static void a_base_below_the_floor(void)
{
    uint64_t before = compact_twice(false, false);
    set_base(0, 0, 0);
    set_base(1, PLOG_E_DIVERGED, 1);
    set_base(before - 1, PLOG_E_DIVERGED, 1);
    set_base(before, PLOG_E_DIVERGED, 1); /* and no state is there */
    set_base(0, 0, 0);
    before = compact_twice(false, true);
    set_base(before, PLOG_E_DIVERGED, 1); /* the state is of later */
    before = compact_twice(true, false);
    CHECK_INT(world_number(&w, "SELECT base FROM meta"), (int64_t)before);
    set_base(before - 1, PLOG_E_DIVERGED, 1);
    set_base(before + 1, PLOG_E_DIVERGED, 1);
    set_base(before, 0, 1);
}

/* A note of the head, and a segment behind it. */
static void go_on_behind_a_mark(struct plog_check_options *o)
{
    struct world_found f;
    snprintf(mark, sizeof mark, "%.500s.mark", w.dir);
    *o = (struct plog_check_options){.watermark = mark};
    CHECK_INT(world_open(&w), 0);
    put(200, 230);
    world_close(&w);
    CHECK_INT(world_parity(&w, o, &f), 0);
    CHECK(f.report.watermark);
    CHECK_INT(world_open(&w), 0);
    put(230, 260);
    world_close(&w);
    *o = (struct plog_check_options){.since = mark};
}

/* The compact entry that set the base, or the floor, lies below the checkpoint,
 * where nothing is read: nothing is wrong with that. */
static void from_a_checkpoint_on(void)
{
    struct plog_check_options o;
    struct world_found f;
    uint64_t before = compact_twice(true, false);
    go_on_behind_a_mark(&o);
    CHECK_INT(world_parity(&w, &o, &f), 0);
    CHECK(f.report.from > world_size(&w) - 60);
    CHECK_INT(world_number(&w, "SELECT base FROM meta"), (int64_t)before);
    world_sql(&w, "UPDATE meta SET base=base+1");
    CHECK_INT(world_parity(&w, &o, &f), PLOG_E_DIVERGED);
    CHECK_UINT(f.report.counts[-PLOG_E_CORRUPT], 0);
    world_sql(&w, "UPDATE meta SET base=base-1");
    world_remove(mark);
    world_end(&w, world_size(&w));
    world_remove(w.dir);
    make_small();
    keep_store();
    compact_past_it(world_size(&w));
    go_on_behind_a_mark(&o);
    old_store();
    CHECK_INT(world_parity(&w, &o, &f), PLOG_E_BEHIND);
    CHECK_UINT(f.count, 1);
    world_remove(mark);
}

static void put_records(int count)
{
    CHECK_INT(world_open(&w), 0);
    for (int i = 0; i < count; i++) {
        char record[16];
        snprintf(record, sizeof record, "r%d", i);
        CHECK_INT(world_put(&w, NULL, record, "v", NULL), 0);
    }
    world_close(&w);
}

static void compact_up_to(uint64_t cursor, bool trims,
                          struct plog_compact_report *r)
{
    struct plog_compact_options o = {.struct_size = sizeof o,
                                     .trim_store = trims};
    CHECK_INT(peers_ack(&w, "p", cursor), 0);
    CHECK_INT(plog_compact(w.dir, &o, r, NULL), 0);
}

/* The entry that set it is compacted away, too, and its row is not what it was
 * any more: the next compact entry names the floor of before it. */
static void without_what_set_it(void)
{
    static const char *const rows[] = {
        "SELECT %" PRIu64, "DELETE FROM events WHERE seq=%" PRIu64,
        "UPDATE events SET line=replace(line,'\"to\":','\"to\":1') WHERE"
        " seq=%" PRIu64,
        "UPDATE events SET line='{}' WHERE seq=%" PRIu64};
    const struct plog_check_options o = {.vkey = NULL};
    struct plog_compact_report one, two, three;
    char sql[200], want[500];
    world_make(&w, PLOG_ARRIVAL, 4096);
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    put_records(30);
    compact_up_to(20, true, &one);
    put_records(20);
    compact_up_to(world_size(&w), false, &two);
    put_records(20);
    compact_up_to(world_size(&w), false, &three);
    CHECK(one.to > 0 && two.from == one.to && two.to > one.entry);
    CHECK(three.to > two.entry);
    snprintf(want, sizeof want,
             "unchecked store 1-%" PRIu64 ": base_state: there is a later"
             " snapshot\nCLEAN, head %" PRIu64 ", %" PRIu64 " entries %" PRIu64
             "-%" PRIu64 ", 30 records, floor %" PRIu64 ", 1 segments, store 1"
             " %" PRIu64 ", since 0, pending 0\n",
             one.to, three.entry, three.entry - three.to, three.to + 1,
             three.entry, three.to, three.entry);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(sql, sizeof sql, rows[i], one.entry);
        world_sql(&w, sql);
        if (!CHECK_TEXT(said_check(plog_parity, w.dir, &o), want))
            printf("# %s\n", sql);
    }
    set_base(one.to - 1, PLOG_E_DIVERGED, 1);
    world_remove(w.dir);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"clean", clean},
        {"each difference", each_difference},
        {"rows too many", rows_too_many},
        {"damaged snapshot", damaged_snapshot},
        {"all of it", all_of_it},
        {"damaged header", damaged_header},
        {"lost keys", lost_keys},
        {"of a newer format", of_a_newer_format},
        {"a store from long before", a_store_from_long_before},
        {"damaged before a compaction", damaged_before_a_compaction},
        {"how it folds", how_it_folds},
        {"begins in no memory", begins_in_no_memory},
        {"a base below the floor", a_base_below_the_floor},
        {"from a checkpoint on", from_a_checkpoint_on},
        {"without what set it", without_what_set_it},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
