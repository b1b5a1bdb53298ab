/*
 * test_moments.c - stores, logs and snapshots that were put together from
 * different moments: every command says the same of them, and names what then
 * works.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "files.h"
#include "peers.h"
#include "world.h"

#define ANEW "paritylog replay DIR --fresh (keeps this store in quarantine/)"

static struct world w;
static struct world_found f;
static struct plog_error err;
static struct plog_replay_report r;
static char old[600]; /* a copy of before */

static int replay(bool dry_run, bool fresh)
{
    struct plog_replay_options o = {
        .struct_size = sizeof o, .dry_run = dry_run, .fresh = fresh};
    memset(&err, 0, sizeof err);
    return plog_replay(w.dir, &o, &r, &err);
}

static void keep_old(void)
{
    world_close(&w);
    snprintf(old, sizeof old, "%.500s.old", w.dir);
    world_copy(w.dir, old);
}

/* ---- Rows behind the head ----------------------------------------------- */

/* A replay, its dry run and an opening say the same, and what heals it. */
static void refused(const char *sql)
{
    world_take_store(&w, old);
    world_sql(&w, sql);
    for (int dry = 1; dry >= 0; dry--)
        if (!CHECK_INT(replay(dry != 0, false), PLOG_E_DIVERGED) ||
            !CHECK(!strcmp(err.hint, "run: " ANEW) ||
                   !strcmp(err.hint, "run: paritylog parity DIR")))
            printf("# %s\n", sql);
    CHECK_INT(world_open(&w), PLOG_E_DIVERGED);
    CHECK(world_parity(&w, NULL, &f) != PLOG_E_BEHIND);
    CHECK_TEXT(f.first[0].next, ANEW);
    CHECK_INT(replay(false, true), 0);
    CHECK_INT(world_parity(&w, NULL, &f), 0);
}

/* As when store.db and its WAL are of different moments. */
static void rows_behind_the_head(void)
{
    peers_make(&w, PLOG_LAST_WRITE_WINS, 30);
    keep_old();
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 30, 50);
    world_close(&w);
    refused("INSERT INTO events SELECT 40,'x',resource,record_id,op,outcome,"
            "previous,line FROM events WHERE seq=5");
    refused("INSERT INTO checkpoints VALUES(40,'x')");
    refused("INSERT INTO segments VALUES(33)");
    refused("INSERT INTO rotations VALUES(32)");
    refused("INSERT INTO redactions VALUES(32,2,0)");
    refused("INSERT INTO compactions VALUES(32,11,0)");
    world_remove(old);
    world_end(&w, 51);
}

/* Where the log was compacted past the store, too, and nothing of the two is
 * compared. */
static void before_the_floor(void)
{
    peers_make(&w, PLOG_LAST_WRITE_WINS, 30);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 32), 0);
    keep_old();
    CHECK_INT(peers_compact(&w, NULL), 0);
    CHECK(peers_floor(&w) > 0);
    world_take_store(&w, old);
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_BEHIND);
    CHECK_INT(replay(true, false), 0);
    refused("INSERT INTO compactions VALUES(33,11,0)");
    world_remove(old);
    world_end(&w, 33);
}

/* ---- The store of another history --------------------------------------- */

#define WAYS_ON "ways on: FORK in paritylog(1)"

static int comes_to; /* by the last salvage */

static int salvage(bool from_store, bool dry_run)
{
    struct plog_salvage_report s;
    struct plog_salvage_options o = {
        .struct_size = sizeof o, .from_store = from_store, .dry_run = dry_run};
    int rc = plog_salvage(w.dir, &o, &s, NULL);
    comes_to = s.comes_to;
    return rc ? rc : s.verdict;
}

/* The log goes on without it: by `size`, from the same beginning. */
static void all_say_fork(uint64_t size)
{
    uint64_t log = tree_hash(world_path(&w, "log"));
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_FORK);
    CHECK_UINT(f.report.counts[-PLOG_E_BEHIND], 0);
    for (unsigned i = 0; i < f.count && i < WORLD_FINDINGS; i++)
        CHECK(strstr(f.first[i].next, WAYS_ON) != NULL);
    for (int fresh = 0; fresh < 2; fresh++)
        for (int dry = 0; dry < 2; dry++) {
            CHECK_INT(replay(dry != 0, fresh != 0), PLOG_E_FORK);
            CHECK(strstr(err.hint, WAYS_ON) != NULL);
        }
    CHECK_INT(world_open(&w), PLOG_E_FORK);
    CHECK_INT(salvage(false, true), PLOG_E_FORK);
    CHECK_INT(salvage(true, true), PLOG_E_FORK);
    CHECK_INT(salvage(true, false), PLOG_E_FORK);
    CHECK_UINT(tree_hash(world_path(&w, "log")), log);
    /* One of the ways. */
    world_drop_store(&w);
    CHECK_INT(replay(false, false), 0);
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    CHECK_UINT(f.report.head.size, size);
}

/* From the same copy two logs go on, `w` and the one at `old`, which ends
 * further up. */
static void part(void)
{
    char own[512];
    peers_make(&w, PLOG_LAST_WRITE_WINS, 20);
    CHECK_INT(peers_add(&w, "p"), 0);
    keep_old();
    snprintf(own, sizeof own, "%s", w.dir);
    snprintf(w.dir, sizeof w.dir, "%.500s", old);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 100, 160);
    world_close(&w);
    snprintf(w.dir, sizeof w.dir, "%s", own);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 20, 60);
    world_close(&w);
}

static void another_history(void)
{
    part();
    world_take_store(&w, old);
    all_say_fork(62);
    world_remove(old);
    world_end(&w, 62);
}

/* The log begins behind a compact entry that the store will never come to. */
static void another_history_above_a_floor(void)
{
    part();
    CHECK_INT(peers_ack(&w, "p", 62), 0);
    CHECK_INT(peers_compact(&w, NULL), 0);
    CHECK(peers_floor(&w) > 22);
    world_take_store(&w, old);
    all_say_fork(63);
    world_remove(old);
    world_end(&w, 63);
}

/* ... or has not come to yet, by its number. */
static void another_history_before_a_floor(void)
{
    part();
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 60, 90);
    world_close(&w);
    CHECK_INT(peers_ack(&w, "p", 70), 0);
    CHECK_INT(peers_compact(&w, NULL), 0);
    CHECK(peers_floor(&w) > 22 && peers_floor(&w) < 82);
    world_take_store(&w, old);
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_FORK);
    CHECK_UINT(f.report.counts[-PLOG_E_BEHIND], 0);
    CHECK_INT(replay(false, false), PLOG_E_FORK);
    CHECK_INT(world_open(&w), PLOG_E_FORK);
    world_drop_store(&w);
    CHECK_INT(replay(false, false), 0);
    world_remove(old);
    world_end(&w, 93);
}

/* ---- ... and segments that are none of the log -------------------------- */

/* The first segment of that log from entry `from` on. */
static void take_segment(const char *of, uint64_t from)
{
    char name[64], path[700];
    do {
        snprintf(name, sizeof name, "log/%020" PRIu64 ".jsonl", from++);
        snprintf(path, sizeof path, "%.600s/%s", of, name);
    } while (access(path, F_OK) != 0 && from < 100);
    world_take(&w, of, name);
}

/* Of what the store has, that segment has another history; but the log begins
 * behind it, so it says nothing of the two: each hint led on, but FORK's. */
static void a_segment_of_another_history(void)
{
    char mine[600];
    part();
    snprintf(mine, sizeof mine, "%.500s-mine", w.dir);
    world_copy(w.dir, mine);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 60, 90);
    world_close(&w);
    CHECK_INT(peers_ack(&w, "p", world_size(&w)), 0);
    CHECK_INT(peers_compact(&w, NULL), 0);
    CHECK(peers_floor(&w) > 62);
    world_take_store(&w, mine);
    take_segment(old, 54);
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_CORRUPT);
    CHECK_UINT(f.count, 2);
    CHECK_UINT(f.report.counts[-PLOG_E_FORK], 0);
    CHECK_UINT(f.report.counts[-PLOG_E_BEHIND], 1);
    CHECK(strstr(f.first[0].next, "salvage DIR --from-store") != NULL);
    CHECK(salvage(true, true) < 0);
    CHECK_INT(comes_to, 0);
    CHECK_INT(salvage(true, false), 0);
    CHECK_INT(replay(false, true), 0);
    world_remove(mine);
    world_remove(old);
    world_end(&w, 93);
}

/* One of the log's own does not hide that the store is of another. */
static void a_segment_before_a_fork(void)
{
    part();
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 60, 90);
    world_close(&w);
    CHECK_INT(peers_ack(&w, "p", 70), 0);
    CHECK_INT(peers_compact(&w, NULL), 0);
    CHECK(peers_floor(&w) > 22 && peers_floor(&w) < 82);
    world_take_store(&w, old);
    take_segment(old, 1); /* which they have in common */
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_CORRUPT);
    CHECK_UINT(f.report.counts[-PLOG_E_FORK], 1);
    CHECK_UINT(f.report.counts[-PLOG_E_BEHIND], 0);
    for (unsigned i = 0; i < f.count && i < WORLD_FINDINGS; i++)
        CHECK(strstr(f.first[i].next, WAYS_ON) != NULL);
    world_drop_store(&w);
    CHECK_INT(replay(false, false), 0);
    CHECK_INT(salvage(true, false), 0);
    world_remove(old);
    world_end(&w, 93);
}

/* ---- A redaction that an older store undid ------------------------------ */

/* The payload lies in that store's WAL; both legs are as they should be.  Of an
 * entry that is whole in the log, too, it is one thing that is pending. */
static void an_older_store_and_a_redaction(void)
{
    static const char segment[] = "log/00000000000000000001.jsonl";
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "x"};
    struct plog_redact_report done;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 30);
    keep_old();
    CHECK_INT(plog_redact(w.dir, 3, &o, &done, NULL), 0);
    CHECK_INT(plog_redact(w.dir, 5, &o, &done, NULL), 0);
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    CHECK_UINT(f.report.pending, 0);
    world_take_store(&w, old);
    CHECK_INT(replay(false, false), 0);
    for (int whole = 0; whole < 2; whole++) {
        CHECK_INT(world_parity(&w, NULL, &f), 0);
        CHECK_UINT(f.report.pending, 2);
        CHECK_UINT(f.report.pending_at, 3);
        if (!whole)
            world_take(&w, old, segment);
    }
    CHECK_INT(plog_redact(w.dir, 3, &o, &done, NULL), 0);
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    CHECK_UINT(f.report.pending, 0);
    world_remove(old);
    world_end(&w, 33);
}

/* ---- A copy without its snapshot ---------------------------------------- */

static int doctor(void)
{
    struct plog_doctor_options o = {.struct_size = sizeof o};
    struct plog_doctor_report d;
    int rc = plog_doctor(w.dir, &o, &d, NULL);
    return rc ? rc
              : d.legs.counts[-PLOG_E_PRUNED] + d.legs.counts[-PLOG_E_CORRUPT] >
                    0;
}

/* @verdict  of parity's finding; 0: all is well.  @next  where it leads */
static void snapshot_is(int verdict, const char *next)
{
    CHECK_INT(world_verify(&w, NULL, &f), 0); /* of the lines, too */
    world_parity(&w, NULL, &f);
    if (verdict) {
        CHECK(strncmp(f.first[0].file, "snapshots/", 10) == 0);
        CHECK(strncmp(f.first[0].next, next, strlen(next)) == 0);
    }
    CHECK_UINT(f.report.counts[-PLOG_E_PRUNED], verdict == PLOG_E_PRUNED);
    CHECK_UINT(f.report.counts[-PLOG_E_CORRUPT], verdict == PLOG_E_CORRUPT);
    CHECK_INT(doctor(), verdict != 0);
    CHECK_INT(salvage(false, false), 0); /* of the lines */
}

/* Nobody needs it while the store is whole, and without one nobody can do
 * without: a copy that lacks it is told while there is time. */
static void a_copy_without_its_snapshot(void)
{
    struct plog_compact_report c;
    struct plog_witness_report noted;
    char snapshot[64], path[700], other[600];
    static const char half[] = "half";
    peers_make(&w, PLOG_LAST_WRITE_WINS, 30);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 32), 0);
    CHECK_INT(peers_compact(&w, &c), 0);
    snprintf(snapshot, sizeof snapshot, "snapshots/%020llu.jsonl.gz",
             (unsigned long long)c.to);
    keep_old();
    snprintf(path, sizeof path, "%s/%s", w.dir, snapshot);
    for (int store = 1; store >= 0; store--) {
        if (!store)
            world_drop_store(&w);
        snapshot_is(0, "");
        world_write(path, half, sizeof half);
        snapshot_is(PLOG_E_CORRUPT,
                    store ? "paritylog compact DIR" : "paritylog replay DIR");
        CHECK_INT(remove(path), 0);
        snapshot_is(PLOG_E_PRUNED,
                    store ? "paritylog compact DIR" : "paritylog replay DIR");
        if (store) { /* the heads do not need it */
            snprintf(other, sizeof other, "%.500s.witness", w.dir);
            CHECK_INT(plog_witness(w.dir, other, NULL, &noted, NULL), 0);
            world_take(&w, old, snapshot);
        }
    }
    /* What it leads to works. */
    CHECK_INT(replay(false, false), 0);
    CHECK(r.remade);
    snapshot_is(0, "");
    world_remove(old);
    world_end(&w, 33);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"rows behind the head", rows_behind_the_head},
        {"before the floor", before_the_floor},
        {"another history", another_history},
        {"another history above a floor", another_history_above_a_floor},
        {"another history before a floor", another_history_before_a_floor},
        {"a segment of another history", a_segment_of_another_history},
        {"a segment before a fork", a_segment_before_a_fork},
        {"an older store and a redaction", an_older_store_and_a_redaction},
        {"a copy without its snapshot", a_copy_without_its_snapshot},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
