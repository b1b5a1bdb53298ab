/*
 * test_trim.c - events below the floor, dropped from the store: where there is
 * nothing to drop nothing is, and who stops it on the way has lost nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "files.h"
#include "paritylog_recovery.h"
#include "peers.h"
#include "sql_calls.h"
#include "world.h"

static struct world w;
static struct plog_compact_report r;
static struct plog_error err;

static struct {
    unsigned calls, stop_at;
    char phase[20];    /* at which it stopped */
    char phases[2000]; /* all of them, one behind the other */
} told;

static int stop(void *arg, const struct plog_progress *p)
{
    (void)arg;
    if (strlen(told.phases) + strlen(p->phase) + 2 < sizeof told.phases)
        strcat(strcat(told.phases, p->phase), " ");
    snprintf(told.phase, sizeof told.phase, "%s", p->phase);
    return ++told.calls == told.stop_at;
}

static int compact(bool trim, bool undo)
{
    struct plog_compact_options o = {.struct_size = sizeof o,
                                     .trim_store = trim,
                                     .undo = undo,
                                     .progress = stop};
    memset(&err, 0, sizeof err);
    told.calls = 0;
    told.phases[0] = '\0';
    return plog_compact(w.dir, &o, &r, &err);
}

static void make(void)
{
    uint64_t first;
    memset(&w, 0, sizeof w);
    memset(&told, 0, sizeof told);
    world_make(&w, PLOG_ARRIVAL, 0);
    for (int i = 0; i < 6; i++) {
        char id[8];
        snprintf(id, sizeof id, "i%d", i);
        CHECK_INT(world_put(&w, id, i % 2 ? "1" : "2", "v", NULL), 0);
    }
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    CHECK_INT(world_put(&w, "last", "1", "v", NULL), 0);
    world_close(&w);
    CHECK_INT(peers_ack(&w, "p", first - 1), 0);
}

static void rewind_peer(uint64_t to)
{
    struct plog_peer_report peer;
    CHECK_INT(plog_peer_rewind(w.dir, "p", to, NULL, &peer, NULL), 0);
}

static void nothing_to_trim(void)
{
    make();
    rewind_peer(2);
    CHECK_INT(compact(true, false), 0); /* never compacted */
    CHECK_UINT(r.to, 0);
    CHECK_UINT(r.trimmed, 0);
    CHECK(r.why[0]);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM events"), 10);
    world_end(&w, 10);
}

static void undone(void)
{
    make();
    CHECK_INT(compact(false, false), 0);
    CHECK_UINT(r.to, 8);
    CHECK_INT(compact(false, true), 0);
    CHECK(r.undone);
    rewind_peer(2);
    int64_t events = world_number(&w, "SELECT count(*) FROM events");
    CHECK_INT(compact(true, false), 0); /* the last one took it back */
    CHECK_UINT(r.trimmed, 0);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM events"), events);
    CHECK_INT(world_number(&w, "SELECT base FROM meta"), 0);
    world_end(&w, world_size(&w));
}

/* Those on which records stand, and those that set rules, stay. */
static void what_stays(void)
{
    make();
    CHECK_INT(compact(true, false), 0);
    CHECK_UINT(r.to, 8);
    CHECK_UINT(r.trimmed, 5); /* four deltas, and who was added */
    CHECK_INT(world_number(&w, "SELECT base FROM meta"), 8);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM events WHERE seq<9"), 3);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM old_ids"), 6);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM checkpoints WHERE size<8"),
              0);
    CHECK_INT(compact(true, false), 0); /* once more */
    CHECK_UINT(r.trimmed, 0);
    struct plog_receipt receipt;
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(world_put(&w, "i3", "1", "v", &receipt), 0);
    CHECK(receipt.duplicate);
    CHECK_UINT(receipt.seq, 5);
    world_end(&w, world_size(&w));
}

/* What redacting `seq` comes to, tried and done; the same. */
static int redacted(uint64_t seq)
{
    struct plog_redact_options o = {.struct_size = sizeof o,
                                    .reason = "asked for"};
    struct plog_redact_report report;
    o.dry_run = true;
    int tried = plog_redact(w.dir, seq, &o, &report, NULL);
    o.dry_run = false;
    memset(&err, 0, sizeof err);
    int rc = plog_redact(w.dir, seq, &o, &report, &err);
    CHECK_INT(tried, rc);
    CHECK_INT(err.code, rc);
    if (rc == PLOG_E_PRUNED)
        CHECK(strstr(err.hint, "--undo") != NULL);
    return rc;
}

/* Who asks for an erasure must not hear that there is nothing, while archive/
 * and the snapshot have the payload; be the event in the store or not. */
static void redacted_below(void)
{
    struct plog_replay_report replayed;
    make();
    CHECK_INT(compact(true, false), 0);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM events WHERE seq=2"), 0);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM events WHERE seq=6"), 1);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(redacted(2), PLOG_E_PRUNED);
        CHECK_INT(redacted(6), PLOG_E_PRUNED);
        CHECK_INT(redacted(99), PLOG_E_NOT_FOUND);
        CHECK_INT(redacted(0), PLOG_E_NOT_FOUND);
        world_drop_store(&w);
        CHECK_INT(plog_replay(w.dir, NULL, &replayed, NULL), 0);
    }
    CHECK_INT(compact(false, true), 0);
    CHECK_INT(redacted(2), 0);
    world_end(&w, world_size(&w));
}

static void stopped(void)
{
    bool ids = false, events = false;
    char copy[600];
    make();
    snprintf(copy, sizeof copy, "%.500s-kept", w.dir);
    tree_copy(w.dir, copy);
    for (unsigned at = 1;; at++) {
        told.stop_at = at;
        int rc = compact(true, false);
        if (told.calls < at) {
            CHECK_INT(rc, 0);
            break;
        }
        if (!CHECK_INT(rc, PLOG_E_INTERRUPTED) || !CHECK_INT(err.code, rc))
            printf("# stopped at %u, %s: %d\n", at, told.phase, rc);
        ids |= strcmp(told.phase, "ids") == 0;
        events |= strcmp(told.phase, "trim") == 0;
        told.stop_at = 0;
        CHECK_INT(compact(true, false), 0);
        CHECK_INT(world_number(&w, "SELECT count(*) FROM events WHERE seq<9"),
                  3);
        CHECK_INT(world_number(&w, "SELECT count(*) FROM old_ids"), 6);
        world_end(&w, world_size(&w));
        tree_remove(w.dir);
        tree_copy(copy, w.dir);
    }
    CHECK(ids && events);
}

static const char *failing_sql; /* NULL: none */

static bool on_sql(const char *call, const char *sql, bool busy)
{
    (void)busy;
    return failing_sql && strcmp(call, "prepare") == 0 &&
           strncmp(sql, failing_sql, strlen(failing_sql)) == 0;
}

/* What fails is told as an error and not as progress: whoever would stop there
 * hears of the error. */
static void failed(void)
{
    static const struct {
        const char *sql, *phase;
    } all[] = {
        {"SELECT seq,line FROM main.events WHERE seq>?1 AND seq<=?2", "ids "},
        {"DELETE FROM main.events WHERE seq>?1", "trim "},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        make();
        sql_calls.fails = on_sql;
        failing_sql = all[i].sql;
        CHECK_INT(compact(true, false), PLOG_E_IO);
        CHECK_INT(err.code, PLOG_E_IO);
        CHECK(strncmp(err.message, "preparing a statement: ", 23) == 0);
        CHECK(told.calls > 0 && strstr(told.phases, all[i].phase) == NULL);
        CHECK_UINT(r.trimmed, 0);
        failing_sql = NULL;
        sql_calls.fails = NULL;
        CHECK_INT(compact(true, false), 0);
        CHECK(strstr(told.phases, all[i].phase) != NULL);
        CHECK_UINT(r.trimmed, 5);
        world_end(&w, world_size(&w));
    }
}

static const char *edit; /* NULL: done */

/* When the store was looked through, and before its ids are taken. */
static bool edited_meanwhile(const char *call, const char *sql, bool busy)
{
    (void)call, (void)busy;
    if (edit && strncmp(sql, "CREATE TEMP TABLE keep(", 23) == 0) {
        const char *now = edit;
        edit = NULL;
        world_sql(&w, now);
    }
    return false;
}

/* A row that is no entry has no id to keep: nothing is dropped. */
static void a_row_that_is_none(void)
{
    make();
    int64_t events = world_number(&w, "SELECT count(*) FROM events");
    edit = "UPDATE events SET line='{}' WHERE seq=3";
    sql_calls.fails = edited_meanwhile;
    int rc = compact(true, false);
    sql_calls.fails = NULL;
    CHECK_INT(rc, PLOG_E_CORRUPT);
    CHECK(edit == NULL);
    CHECK_INT(err.code, rc);
    CHECK_TEXT(err.message, "seq: missing or not a number from 1");
    CHECK_UINT(r.trimmed, 0);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM events"), events + 1);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM old_ids"), 0);
    CHECK(strstr(told.phases, "ids ") == NULL);
}

/* Five groups of 900 deltas, and what is compacted of them is dropped in parts:
 * of many events, too, none holds the lock for long. */
static void in_parts(void)
{
    enum { COUNT = 900 };
    static char texts[COUNT][200];
    struct plog_span spans[COUNT];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = spans, .delta_count = COUNT};
    uint64_t first;
    memset(&w, 0, sizeof w);
    memset(&told, 0, sizeof told);
    world_make(&w, PLOG_ARRIVAL, 0);
    for (unsigned i = 0; i < 5; i++) {
        for (unsigned k = 0; k < COUNT; k++) {
            char id[20];
            snprintf(id, sizeof id, "i%u", i * COUNT + k);
            struct world_delta d = {.id = id, .record = "1"};
            world_text(texts[k], sizeof texts[k], &d);
            spans[k] = (struct plog_span){texts[k], strlen(texts[k])};
        }
        CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
    }
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    CHECK_INT(world_put(&w, "last", "2", "v", NULL), 0);
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", first - 1), 0);
    CHECK_INT(compact(true, false), 0);
    CHECK_UINT(r.to, 4501);
    CHECK_UINT(r.trimmed, 4499); /* not init, and what stands */
    const char *parts = strstr(told.phases, "ids ");
    CHECK(parts && strncmp(parts, "ids ids ids trim trim trim ", 27) == 0);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM old_ids"), 4500);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM events WHERE seq<=4501"),
              2);
    world_end(&w, world_size(&w));
}

static int no_removal(void *ctx, int dir, const char *name)
{
    static const char end[] = ".jsonl";
    size_t n = strlen(name);
    return n > sizeof end && strcmp(name + n - strlen(end), end) == 0
               ? -EIO
               : plog_io_posix()->unlink_at(ctx, dir, name);
}

/* Cut off when it took segments away, the third one is finished by the next.
 * That finds the snapshot which the second began with: ours, although no commit
 * of that time is left; where a store made anew cannot tell, it stays. */
static void finished_when_trimmed(void)
{
    for (int anew = 0; anew < 2; anew++) {
        struct plog_replay_report replayed;
        struct plog_replay_options fresh = {.struct_size = sizeof fresh,
                                            .fresh = true};
        struct plog_io io = *plog_io_posix();
        char first[64];
        peers_make(&w, PLOG_LAST_WRITE_WINS, 90);
        CHECK_INT(peers_add(&w, "p"), 0);
        CHECK_INT(peers_ack(&w, "p", 25), 0);
        CHECK_INT(peers_trim(&w, &r), 0);
        snprintf(first, sizeof first, "snapshots/%020" PRIu64 ".jsonl.gz",
                 r.to);
        CHECK_INT(peers_ack(&w, "p", 50), 0);
        CHECK_INT(peers_trim(&w, &r), 0);
        CHECK(world_has(&w, first));
        /* Its entry lies below the next floor. */
        CHECK_INT(world_open(&w), 0);
        peers_put(&w, 90, anew ? 180 : 120);
        world_close(&w);
        CHECK_INT(peers_ack(&w, "p", anew ? 170 : 80), 0);
        io.unlink_at = no_removal;
        CHECK_INT(peers_compact_with(
                      &w, (struct plog_compact_options){.io = &io}, &r),
                  PLOG_E_IO);
        CHECK(r.entry > 0);
        if (anew)
            CHECK_INT(plog_replay(w.dir, &fresh, &replayed, NULL), 0);
        CHECK_INT(peers_compact(&w, &r), 0);
        CHECK(r.resumed);
        CHECK_UINT(r.aside, 0);
        CHECK_INT(world_has(&w, first), anew);
        CHECK_INT(world_has(&w, "quarantine"), anew); /* the store */
        world_end(&w, world_size(&w));
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"nothing to trim", nothing_to_trim},
        {"undone", undone},
        {"what stays", what_stays},
        {"redacted below", redacted_below},
        {"stopped", stopped},
        {"failed", failed},
        {"a row that is none", a_row_that_is_none},
        {"in parts", in_parts},
        {"finished when trimmed", finished_when_trimmed},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
