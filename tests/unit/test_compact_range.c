/*
 * test_compact_range.c - what a compaction checks before it takes anything
 * away: the log, both legs up to the new floor, and all that control entries
 * made of the store.  The first time rows above, and the records, are left out:
 * they stay as they are, and parity tells of them as before.  Where rows are
 * about to be dropped (--trim-store), all is checked.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "killing.h"
#include "parity.h"
#include "peers.h"
#include "world.h"

static struct world w;
static struct plog_compact_report report;
static struct plog_error err;

static void put(int from, int to)
{
    for (int i = from; i < to; i++) {
        char record[16], value[64], id[16];
        snprintf(record, sizeof record, "r%d", i % 7);
        snprintf(value, sizeof value, "value number %d", i);
        snprintf(id, sizeof id, "id%d", i);
        CHECK_INT(world_put(&w, i % 3 ? NULL : id, record, value, NULL), 0);
    }
}

static void ack(uint64_t seq)
{
    CHECK_INT(peers_ack(&w, "p", seq), 0);
}

/* Peer `p` has the first `acked` of some sixty entries. */
static void make(enum plog_strategy strategy, uint64_t acked)
{
    world_make(&w, strategy, 4096);
    put(0, 60);
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    ack(acked);
}

static int64_t now;

/* A machine so busy that each look at the clock comes later than any step may
 * last: the check ends its transaction between all groups. */
static int64_t leaps(void *ctx)
{
    (void)ctx;
    return now += 50000000;
}

static struct plog_io busy;
static bool is_busy;

static int compact(struct plog_compact_options o)
{
    busy = *plog_io_posix();
    busy.clock_mono_ns = leaps;
    o.struct_size = sizeof o;
    o.io = is_busy ? &busy : NULL;
    memset(&err, 0, sizeof err);
    int rc = plog_compact(w.dir, &o, &report, &err);
    CHECK_INT(err.code, rc);
    return rc;
}

/* ---- A difference, and where it is --------------------------------------- */

/* Where the first compaction would cut. */
static uint64_t cut(void)
{
    CHECK_INT(compact((struct plog_compact_options){.dry_run = true}), 0);
    CHECK(report.to > 10 && report.to < 50);
    return report.to;
}

static const struct {
    const char *breaks, *mends; /* %1$d: the last entry that goes */
} below[] = {
    {"UPDATE events SET line=line||' ' WHERE seq=%1$d",
     "UPDATE events SET line=rtrim(line) WHERE seq=%1$d"},
    {"UPDATE events SET record_id='x'||record_id WHERE seq=%1$d",
     "UPDATE events SET record_id=substr(record_id,2) WHERE seq=%1$d"},
    {"UPDATE checkpoints SET line=line||' ' WHERE size=%1$d",
     "UPDATE checkpoints SET line=rtrim(line) WHERE size=%1$d"},
    {"UPDATE events SET seq=-seq WHERE seq=1",
     "UPDATE events SET seq=-seq WHERE seq=-1"},
    {"INSERT INTO segments VALUES(2)", "DELETE FROM segments WHERE first=2"},
    {"INSERT INTO segments VALUES(%1$d)",
     "DELETE FROM segments WHERE first=%1$d"},
    /* A link: histories and redactions follow it. */
    {"UPDATE events SET previous=previous-1 WHERE seq=20",
     "UPDATE events SET previous=previous+1 WHERE seq=20"},
    {"UPDATE events SET outcome='skipped' WHERE seq=20",
     "UPDATE events SET outcome='applied' WHERE seq=20"},
    /* What control entries made of it, wherever they stand. */
    {"UPDATE peers SET added=added-1", "UPDATE peers SET added=added+1"},
    {"INSERT INTO rotations VALUES(5)", "DELETE FROM rotations"},
    {"INSERT INTO redactions(seq,target,pending) VALUES(5,4,0)",
     "DELETE FROM redactions"},
    {"INSERT INTO compactions VALUES(50,0,0)", "DELETE FROM compactions"},
    {"INSERT INTO cursors VALUES('s','r','c',9)", "DELETE FROM cursors"},
    {"UPDATE meta SET line_max=line_max+1",
     "UPDATE meta SET line_max=line_max-1"},
    {"INSERT INTO base_state SELECT * FROM state WHERE record_id='r1'",
     "DELETE FROM base_state"},
};

static void sql(const char *format, uint64_t seq)
{
    char text[200];
    const char *at = strstr(format, "%1$d");
    int n = at ? (int)(at - format) : (int)strlen(format);
    if (at)
        snprintf(text, sizeof text, "%.*s%llu%s", n, format,
                 (unsigned long long)seq, at + 4);
    else
        snprintf(text, sizeof text, "%s", format);
    world_sql(&w, text);
}

static void below_the_cut(void)
{
    make(PLOG_LAST_WRITE_WINS, 40);
    uint64_t to = cut();
    for (size_t i = 0; i < sizeof below / sizeof *below; i++) {
        sql(below[i].breaks, to);
        if (!CHECK_INT(compact((struct plog_compact_options){.discard = false}),
                       PLOG_E_DIVERGED))
            printf("# %s\n", below[i].breaks);
        /* Some are met when the log is opened. */
        if (!CHECK(strstr(err.message, "the legs differ") != NULL ||
                   strncmp(err.message, "store.db: ", 10) == 0))
            printf("# %s\n", err.message);
        CHECK_UINT(peers_floor(&w), 0);
        sql(below[i].mends, to);
    }
    CHECK_INT(compact((struct plog_compact_options){.discard = false}), 0);
    CHECK_UINT(report.to, to);
    world_end(&w, world_size(&w));
}

static void below_the_cut_on_a_busy_machine(void)
{
    is_busy = true;
    below_the_cut();
    is_busy = false;
}

static const char *const above[] = {
    "UPDATE events SET line=line||' ' WHERE seq=%1$d",
    "UPDATE checkpoints SET line=line||' ' WHERE size=%1$d",
    "UPDATE state SET version=version+1 WHERE record_id='r1'",
    "DELETE FROM state WHERE record_id='r2'",
};

/* It is in nobody's way, and as visible as before. */
static void above_the_cut(void)
{
    for (size_t i = 0; i < sizeof above / sizeof *above; i++) {
        struct world_found f;
        make(PLOG_LAST_WRITE_WINS, 40);
        uint64_t to = cut();
        sql(above[i], to + 1);
        CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_DIVERGED);
        unsigned before = f.count;
        CHECK_INT(compact((struct plog_compact_options){.discard = false}), 0);
        CHECK_UINT(report.to, to);
        CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_DIVERGED);
        CHECK_UINT(f.count, before);
        struct plog_replay_options o = {.struct_size = sizeof o, .fresh = true};
        struct plog_replay_report r;
        CHECK_INT(plog_replay(w.dir, &o, &r, NULL), 0);
        world_end(&w, world_size(&w));
    }
}

/* What moves into a record's row must be its own. */
static void trimming(void)
{
    for (size_t i = 0; i < sizeof above / sizeof *above; i++) {
        make(PLOG_LAST_WRITE_WINS, 40);
        uint64_t to = cut();
        sql(above[i], to + 1);
        CHECK_INT(compact((struct plog_compact_options){.trim_store = true}),
                  PLOG_E_DIVERGED);
        CHECK_UINT(peers_floor(&w), 0);
        struct plog_replay_options o = {.struct_size = sizeof o, .fresh = true};
        struct plog_replay_report r;
        CHECK_INT(plog_replay(w.dir, &o, &r, NULL), 0);
        CHECK_INT(compact((struct plog_compact_options){.trim_store = true}),
                  0);
        world_end(&w, world_size(&w));
    }
}

/* A line of the log that goes, damaged: the root of its group does not fit. */
static void damaged_log(void)
{
    make(PLOG_LAST_WRITE_WINS, 40);
    size_t n;
    const char *path = world_path(&w, "log/00000000000000000001.jsonl");
    char *bytes = world_read(path, &n), *at = strstr(bytes, "value number 2");
    if (CHECK(at != NULL))
        *at ^= 1;
    world_write(path, bytes, n);
    CHECK_INT(compact((struct plog_compact_options){.discard = false}),
              PLOG_E_TAMPERED);
    CHECK_UINT(peers_floor(&w), 0);
    if (at)
        *at ^= 1;
    path = world_path(&w, "log/00000000000000000001.jsonl");
    world_write(path, bytes, n);
    free(bytes);
    CHECK_INT(compact((struct plog_compact_options){.discard = false}), 0);
    world_end(&w, world_size(&w));
}

/* A peer that the store has forgotten holds the floor yet; the log knows. */
static void a_peer_is_missing(void)
{
    make(PLOG_LAST_WRITE_WINS, 40);
    CHECK_INT(peers_add(&w, "q"), 0);
    world_sql(&w, "CREATE TABLE kept AS SELECT * FROM peers WHERE name='q';"
                  "DELETE FROM peers WHERE name='q'");
    CHECK_INT(compact((struct plog_compact_options){.discard = false}),
              PLOG_E_DIVERGED);
    CHECK(strstr(err.message, "peer: ") != NULL);
    CHECK_UINT(peers_floor(&w), 0);
    world_sql(&w, "INSERT INTO peers SELECT * FROM kept; DROP TABLE kept");
    CHECK_INT(compact((struct plog_compact_options){.discard = false}), 0);
    CHECK_UINT(report.to, 0); /* it has nothing yet */
    world_end(&w, world_size(&w));
}

/* The compact entry repeats rotations: those that the log has. */
static void a_rotation_is_missing(void)
{
    struct plog_rotate_report rotated;
    struct plog_check_options pin = {.struct_size = sizeof pin};
    struct world_found f;
    char first[PLOG_VKEY_MAX];
    world_make(&w, PLOG_LAST_WRITE_WINS, 4096);
    snprintf(first, sizeof first, "%s", w.vkey);
    pin.vkey = first;
    put(0, 20);
    world_close(&w);
    CHECK_INT(plog_key_rotate(w.dir, NULL, &rotated, NULL), 0);
    CHECK_INT(world_open(&w), 0);
    put(20, 60);
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    ack(40);
    int64_t seq = world_number(&w, "SELECT seq FROM rotations");
    world_sql(&w, "DELETE FROM rotations");
    CHECK_INT(compact((struct plog_compact_options){.discard = false}),
              PLOG_E_DIVERGED);
    CHECK_UINT(peers_floor(&w), 0);
    sql("INSERT INTO rotations VALUES(%1$d)", (uint64_t)seq);
    CHECK_INT(compact((struct plog_compact_options){.discard = false}), 0);
    CHECK(report.to > (uint64_t)seq);
    CHECK_INT(world_verify(&w, &pin, &f), 0);
    world_end(&w, world_size(&w));
}

/* The index of ids lacks one: a delta sent again would be taken for new. */
static void an_id_is_missing(void)
{
    make(PLOG_LAST_WRITE_WINS, 40);
    world_sql(&w, "PRAGMA writable_schema=1; UPDATE sqlite_schema SET sql="
                  "replace(sql,'id IS NOT NULL','id IS NOT NULL AND seq<>5')"
                  " WHERE name='events_id'");
    world_sql(&w, "REINDEX events_id");
    world_sql(&w, "PRAGMA writable_schema=1; UPDATE sqlite_schema SET sql="
                  "replace(sql,' AND seq<>5','') WHERE name='events_id'");
    CHECK_INT(world_number(&w, "SELECT count(*)-(SELECT count(id) FROM events"
                               " NOT INDEXED) FROM events INDEXED BY events_id"
                               " WHERE id IS NOT NULL"),
              -1);
    CHECK_INT(compact((struct plog_compact_options){.discard = false}),
              PLOG_E_DIVERGED);
    CHECK(strstr(err.message, "events_id") != NULL);
    CHECK_UINT(peers_floor(&w), 0);
    world_sql(&w, "REINDEX events_id");
    CHECK_INT(compact((struct plog_compact_options){.discard = false}), 0);
    world_end(&w, world_size(&w));
}

/* An outcome that the strategy does not give, made by a store that was other
 * than the log while it was appended: the log's writer was wrong. */
static void an_outcome_against_the_strategy(void)
{
    char text[500];
    struct world_delta late = {.record = "r1",
                               .payload = "{\"v\":\"late\"}",
                               .time = "2026-01-03T03:04:05Z"};
    world_make(&w, PLOG_LAST_WRITE_WINS, 4096);
    put(0, 10);
    world_close(&w);
    world_sql(&w, "UPDATE state SET seconds=seconds+100000000");
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(
        world_append(&w, world_text(text, sizeof text, &late), NULL, NULL), 0);
    world_close(&w);
    world_sql(&w, "UPDATE state SET seconds=seconds-100000000");
    CHECK_INT(world_open(&w), 0);
    put(10, 60);
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    ack(40);
    CHECK_INT(compact((struct plog_compact_options){.discard = false}),
              PLOG_E_DIVERGED);
    CHECK(strstr(err.message, "entry 12") != NULL);
    CHECK_UINT(peers_floor(&w), 0);
    world_remove(w.dir);
}

/* ---- Again and again ----------------------------------------------------- */

static uint64_t last_total;
static char last_phase[32];

static int watch(void *arg, const struct plog_progress *p)
{
    snprintf(last_phase, sizeof last_phase, "%s", p->phase);
    last_total = p->total;
    return *(int *)arg && strcmp(p->phase, "log") == 0;
}

/* With each strategy, above a floor, with a trimmed store, and with an order to
 * redact above the cut, which only the check of the whole meets. */
static void one_after_another(void)
{
    static const enum plog_strategy all[] = {PLOG_LAST_WRITE_WINS,
                                             PLOG_MERGE_JSON};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        make(all[i], 30);
        uint64_t before = 0;
        for (int k = 0; k < 4; k++) {
            struct plog_redact_options ro = {.struct_size = sizeof ro,
                                             .reason = "a test"};
            struct plog_redact_report rr;
            bool trims = k == 1;
            CHECK_INT(
                compact((struct plog_compact_options){.trim_store = trims}), 0);
            CHECK(report.to > before);
            before = report.to;
            CHECK_INT(world_open(&w), 0);
            put(60 + 30 * k, 90 + 30 * k);
            world_close(&w);
            if (k == 2)
                CHECK_INT(plog_redact(w.dir, before + 5, &ro, &rr, NULL), 0);
            ack(before + 30);
        }
        /* And with a difference among what would go. */
        char text[100];
        snprintf(text, sizeof text,
                 "UPDATE events SET op='delete' WHERE seq=%llu",
                 (unsigned long long)before + 7);
        world_sql(&w, text);
        CHECK_INT(compact((struct plog_compact_options){.discard = false}),
                  PLOG_E_DIVERGED);
        CHECK_UINT(peers_floor(&w), before);
        struct plog_replay_options o = {.struct_size = sizeof o, .fresh = true};
        struct plog_replay_report r;
        CHECK_INT(plog_replay(w.dir, &o, &r, NULL), 0);
        world_end(&w, world_size(&w));
    }
}

/* ---- The check alone ----------------------------------------------------- */

static int check_to(uint64_t to, struct plog_check_report *r)
{
    struct plog_check_options o = {.struct_size = sizeof o};
    return plog_parity_upto(w.dir, to, &o, r, NULL);
}

/* Where no commit stands, the whole is checked, and so it is beyond the end. */
static void up_to_a_commit(void)
{
    struct plog_check_report r;
    static const char *const ids[] = {"a", "b", "c"};
    world_make(&w, PLOG_LAST_WRITE_WINS, 4096);
    put(0, 20);
    char text[3][400];
    struct plog_span deltas[3];
    for (int i = 0; i < 3; i++) {
        struct world_delta d = {.id = ids[i], .record = "x"};
        deltas[i] = plog_span_text(world_text(text[i], sizeof text[i], &d));
    }
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = deltas, .delta_count = 3};
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
    put(20, 30);
    world_close(&w);
    uint64_t size = world_size(&w);
    CHECK_INT(check_to(10, &r), 0);
    CHECK_UINT(r.verdict, 0);
    CHECK_UINT(r.entries, 10);
    CHECK_UINT(r.to, 10);
    CHECK_UINT(r.records, 0);
    const uint64_t whole[] = {0, 22, 23, size, size + 1};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        CHECK_INT(check_to(whole[i], &r), 0);
        CHECK_INT(r.verdict, 0);
        CHECK_UINT(r.entries, size);
        CHECK_UINT(r.records, whole[i] == size ? 0 : 8);
    }
    world_end(&w, size);
}

/* Progress counts to the cut, and whoever says stop there is heard. */
static void progress_and_stop(void)
{
    int stops = 0;
    struct world_found f;
    world_make(&w, PLOG_LAST_WRITE_WINS, 1 << 20);
    put(0, 2100);
    world_close(&w);
    struct plog_check_options o = {
        .struct_size = sizeof o, .progress = watch, .arg = &stops};
    CHECK_INT(plog_parity_upto(w.dir, 2050, &o, &f.report, NULL), 0);
    CHECK_TEXT(last_phase, "log");
    CHECK_UINT(last_total, world_size(&w));
    stops = 1;
    CHECK_INT(plog_parity_upto(w.dir, 2050, &o, &f.report, NULL),
              PLOG_E_INTERRUPTED);
    world_end(&w, world_size(&w));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"below the cut", below_the_cut},
        {"below the cut on a busy machine", below_the_cut_on_a_busy_machine},
        {"above the cut", above_the_cut},
        {"trimming", trimming},
        {"damaged log", damaged_log},
        {"a peer is missing", a_peer_is_missing},
        {"a rotation is missing", a_rotation_is_missing},
        {"an id is missing", an_id_is_missing},
        {"an outcome against the strategy", an_outcome_against_the_strategy},
        {"one after another", one_after_another},
        {"up to a commit", up_to_a_commit},
        {"progress and stop", progress_and_stop},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
