/*
 * test_compact_fails.c - a compaction of few entries that is refused a call:
 * a look at a segment, a row of the store, or memory at each place of the fold.
 * It says which and takes nothing away, or its snapshot is the same.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "one_place.h"
#include "peers.h"
#include "sql_calls.h"
#include "world.h"

static struct world w;
static struct plog_compact_report report;
static struct plog_error err;

/* Entries 1 to 8, of which peer `p` has all; segments at 1 and 9. */
static void make(void)
{
    uint64_t first;
    world_make(&w, PLOG_ARRIVAL, 0);
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(world_open(&w), 0);
    for (int i = 0; i < 6; i++) {
        char id[8], record[8];
        snprintf(id, sizeof id, "id-%d", i);
        snprintf(record, sizeof record, "r%d", i % 4);
        CHECK_INT(world_put(&w, id, record, "v", NULL), 0);
    }
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    CHECK_UINT(first, 9);
    world_close(&w);
    CHECK_INT(peers_ack(&w, "p", 8), 0);
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
}

/* Entries 9 to 11, and another segment behind them. */
static int put_group(void)
{
    char text[3][400];
    struct plog_span delta[3];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = delta, .delta_count = 3};
    uint64_t first;
    for (int i = 0; i < 3; i++) {
        char id[8], record[8];
        snprintf(id, sizeof id, "id-%d", 6 + i);
        snprintf(record, sizeof record, "r%d", 6 + i);
        world_text(text[i], sizeof text[i],
                   &(struct world_delta){.id = id, .record = record});
        delta[i] = (struct plog_span){text[i], strlen(text[i])};
    }
    int rc = plog_append_group(w.p, &g, NULL, NULL);
    return rc ? rc : plog_new_segment(w.p, &first, NULL);
}

static int compact(struct plog_compact_options o)
{
    o.struct_size = sizeof o;
    memset(&err, 0, sizeof err);
    int rc = plog_compact(w.dir, &o, &report, &err);
    CHECK_INT(err.code, rc);
    return rc;
}

/* Nothing is gone, and the next one goes through. */
static void goes_the_next_time(void)
{
    CHECK_UINT(peers_floor(&w), 0);
    CHECK_UINT(report.entry, 0);
    CHECK_INT(compact((struct plog_compact_options){.dry_run = false}), 0);
    CHECK_UINT(report.to, 8);
    CHECK_UINT(report.segments, 1);
    CHECK_UINT(report.entries, 8);
    CHECK_UINT(report.ids, 6);
    CHECK_UINT(report.records, 4);
    world_end(&w, 9);
}

/* ---- A look -------------------------------------------------------------- */

static int no_look(void *ctx, int dir, const char *name, struct plog_stat *st)
{
    return strstr(name, ".jsonl")
               ? -EIO
               : plog_io_posix()->stat_at(ctx, dir, name, st);
}

/* How much would go is not known: that is said, and not a number. */
static void a_segment_that_cannot_be_looked_at(void)
{
    struct plog_io io = *plog_io_posix();
    make();
    io.stat_at = no_look;
    CHECK_INT(
        compact((struct plog_compact_options){.io = &io, .dry_run = true}),
        PLOG_E_IO);
    CHECK_TEXT(err.message, "looking at a segment: Input/output error");
    CHECK_TEXT(err.file, "log/00000000000000000001.jsonl");
    CHECK_UINT(report.segments, 0);
    CHECK_UINT(report.bytes, 0);
    CHECK_INT(compact((struct plog_compact_options){.io = &io}), PLOG_E_IO);
    goes_the_next_time();
}

static unsigned kept_files;

/* Two of what an earlier one left cannot be removed, each for its own reason.
 */
static int no_removal(void *ctx, int dir, const char *name)
{
    static const char *const names[] = {"fold.db-wal", "fold.db-journal"};
    for (unsigned i = 0; i < 2; i++)
        if (strcmp(name, names[i]) == 0) {
            kept_files++;
            return i ? -EROFS : -EACCES;
        }
    return plog_io_posix()->unlink_at(ctx, dir, name);
}

/* The first one tells why, all were tried, and nothing is folded on top. */
static void what_an_earlier_one_left(void)
{
    struct plog_io io = *plog_io_posix();
    make();
    io.unlink_at = no_removal;
    kept_files = 0;
    CHECK_INT(compact((struct plog_compact_options){.io = &io}), PLOG_E_IO);
    CHECK_TEXT(err.message,
               "removing what an earlier one left: Permission denied");
    CHECK_TEXT(err.file, "snapshots/fold.db");
    CHECK_UINT(kept_files, 4); /* at its end once more */
    goes_the_next_time();
}

/* ---- A row --------------------------------------------------------------- */

static bool behind_a_row(const char *call, const char *sql, bool busy)
{
    return busy && strcmp(call, "step") == 0 &&
           strstr(sql, "FROM main.redactions WHERE pending=1") != NULL;
}

/* Of two redactions that are pending the second one cannot be read: that is
 * what is wrong, and not what the first one would mean. */
static void rows_that_cannot_be_read(void)
{
    make();
    world_sql(&w, "INSERT INTO redactions VALUES(4,3,1),(6,5,1)");
    CHECK_INT(compact((struct plog_compact_options){.dry_run = true}),
              PLOG_E_LOCKED);
    CHECK_TEXT(err.message, "a redaction is not finished: its payload would go"
                            " into the archive");
    CHECK_TEXT(err.hint, "run: paritylog redact DIR 3 --reason TEXT again,"
                         " when no reader is at the store");
    sql_calls.fails = behind_a_row;
    CHECK_INT(compact((struct plog_compact_options){.dry_run = true}),
              PLOG_E_IO);
    sql_calls.fails = NULL;
    CHECK(strstr(err.message, "redaction") == NULL);
    CHECK_TEXT(err.hint, "");
    world_sql(&w, "DELETE FROM redactions");
    goes_the_next_time();
}

static int row_of, rows_put; /* which of the fold is not written; so far */

static bool at_a_row(const char *call, const char *sql, bool busy)
{
    (void)busy;
    return strcmp(call, "step") == 0 &&
           strstr(sql, "INSERT INTO main.events") != NULL &&
           ++rows_put == row_of;
}

/* An entry that cannot be folded ends it, wherever it stands in its group. */
static void rows_that_cannot_be_written(void)
{
    make();
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(put_group(), 0);
    world_close(&w);
    CHECK_INT(peers_ack(&w, "p", 11), 0);
    for (row_of = 1; row_of <= 9; row_of++) {
        rows_put = 0;
        sql_calls.fails = at_a_row;
        CHECK_INT(compact((struct plog_compact_options){.discard = false}),
                  PLOG_E_IO);
        sql_calls.fails = NULL;
        CHECK_UINT(rows_put, row_of);
        CHECK_UINT(peers_floor(&w), 0);
        CHECK_UINT(report.entry, 0);
    }
    CHECK_INT(compact((struct plog_compact_options){.discard = false}), 0);
    CHECK_UINT(report.to, 11);
    CHECK_UINT(report.ids, 9);
    CHECK_INT(peers_parity(&w), 0);
}

static unsigned checks;
static bool check_fails;

/* The check before a compaction prepares to read the store's entries, and
 * reads the first. */
static bool at_a_check(const char *call, const char *sql, bool busy)
{
    if (!strstr(sql, "line FROM main.events WHERE seq>=?1"))
        return false;
    checks += strcmp(call, "prepare") == 0;
    return strcmp(call, "step") == 0 && !busy && checks == 1 && check_fails;
}

static int compact_counting(bool fails)
{
    checks = 0;
    check_fails = fails;
    sql_calls.fails = at_a_check;
    int rc = compact((struct plog_compact_options){.dry_run = false});
    sql_calls.fails = NULL;
    return rc;
}

/* It is made once, and where it fails that is said: it is not made again until
 * it goes through. */
static void checked_once(void)
{
    make();
    CHECK_INT(compact_counting(true), PLOG_E_IO);
    CHECK_UINT(checks, 1);
    CHECK_TEXT(err.file, "store.db");
    CHECK_TEXT(err.hint, "");
    CHECK_UINT(peers_floor(&w), 0);
    CHECK_INT(compact_counting(false), 0);
    CHECK_UINT(checks, 1);
    CHECK_UINT(report.to, 8);
    world_end(&w, 9);
}

/* ---- Memory -------------------------------------------------------------- */

static struct plog_io io;
static bool folding;

static void *on_alloc(void *ctx, void *p, size_t n)
{
    return n && folding && one_place_fails("alloc", 0)
               ? NULL
               : plog_io_posix()->alloc(ctx, p, n);
}

/* What an earlier one left goes before it folds, its own when it has. */
static int on_unlink(void *ctx, int dir, const char *name)
{
    if (strcmp(name, "fold.db") == 0)
        folding = !folding;
    return plog_io_posix()->unlink_at(ctx, dir, name);
}

static int try(void *arg)
{
    (void)arg;
    folding = false;
    return compact((struct plog_compact_options){.io = &io});
}

static void at_each_place(void)
{
    struct plog_compact_report whole;
    char kept[600];
    size_t failed = 0;
    make();
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    world_copy(w.dir, kept);
    io = *plog_io_posix();
    io.alloc = on_alloc;
    io.unlink_at = on_unlink;
    for (size_t i = 0; i == 0 || i <= one_place_count(); i++) {
        world_remove(w.dir);
        world_copy(kept, w.dir);
        int rc = one_place_run(i, try, NULL);
        CHECK(!folding);
        if (i == 0)
            whole = report;
        failed += rc != 0;
        bool fits = rc ? CHECK_INT(rc, PLOG_E_NOMEM)
                       : CHECK_BYTES(report.digest, sizeof report.digest,
                                     whole.digest, sizeof whole.digest);
        fits &= CHECK_UINT(peers_floor(&w), rc ? 0 : 8);
        if (!fits)
            printf("# place %zu, %s\n", i, one_place_text(i));
    }
    CHECK(failed > 5);
    printf("# %zu places, %zu told\n", one_place_count(), failed);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"a segment that cannot be looked at",
         a_segment_that_cannot_be_looked_at},
        {"what an earlier one left", what_an_earlier_one_left},
        {"rows that cannot be read", rows_that_cannot_be_read},
        {"rows that cannot be written", rows_that_cannot_be_written},
        {"checked once", checked_once},
        {"at each place", at_each_place},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
