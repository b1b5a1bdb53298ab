/*
 * test_drill.c - a rehearsed restore: what it says and notes of a log that
 * gives everything back, and of one that does not go as far as the store.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "engine.h"
#include "sql_calls.h"
#include "world.h"

static struct world w;
static struct plog_drill_report report;
static struct plog_error err;

static void put(int from, int to)
{
    for (int i = from; i < to; i++) {
        char record[8];
        snprintf(record, sizeof record, "r%d", i);
        CHECK_INT(world_put(&w, NULL, record, "v", NULL), 0);
    }
}

/* Three entries under one commit. */
static void put_group(void)
{
    static char text[3][200];
    struct plog_span d[3];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = d, .delta_count = 3};
    for (int i = 0; i < 3; i++) {
        struct world_delta delta = {.record = "r0", .payload = "{}"};
        world_text(text[i], sizeof text[i], &delta);
        d[i] = (struct plog_span){text[i], strlen(text[i])};
    }
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
}

static int drill(void)
{
    memset(&err, 0, sizeof err);
    int rc = plog_drill(w.dir, NULL, &report, &err);
    CHECK_INT(err.code, rc);
    return rc;
}

static void noted(const char *what)
{
    size_t n;
    char *note = world_read(world_path(&w, "drill.json"), &n);
    if (!CHECK(strstr(note, what) != NULL))
        printf("# %s\n", note);
    free(note);
}

static void all_comes_back(void)
{
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    put(0, 3);
    put_group();
    world_close(&w);
    CHECK_INT(drill(), 0);
    CHECK_INT(report.verdict, 0);
    CHECK_TEXT(report.what, "");
    CHECK_UINT(report.restore.head.size, 7);
    CHECK_UINT(report.records, 3);
    noted("\"ok\":true,\"verdict\":\"CLEAN\"");
    world_end(&w, 7);
}

/* A store that went on another way: where its head stands the log has no
 * commit, and what comes back is less. */
static void no_commit_at_the_head(void)
{
    char store[700];
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    put(0, 3);
    world_close(&w);
    snprintf(store, sizeof store, "%.500s-other", w.dir);
    world_copy(w.dir, store);
    CHECK_INT(world_open(&w), 0);
    put(3, 5);
    world_close(&w);
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    world_copy(world_path(&w, "store.db"), world_path(&w, "../other.db"));
    world_remove(w.dir);
    world_copy(store, w.dir);
    CHECK_INT(world_open(&w), 0);
    put_group();
    world_close(&w);
    unlink(world_path(&w, "store.db-wal"));
    unlink(world_path(&w, "store.db-shm"));
    unlink(world_path(&w, "store.db"));
    world_copy(world_path(&w, "../other.db"), world_path(&w, "store.db"));
    CHECK_INT(drill(), 0);
    CHECK_INT(report.verdict, PLOG_E_DIVERGED);
    CHECK_TEXT(report.what, "the log has no commit at the store's head");
    CHECK_UINT(report.restore.head.size, 4);
    noted("\"ok\":false,\"verdict\":\"DIVERGED\"");
}

/* Of a store that holds nothing nobody can say whether it comes back. */
static void nothing_to_compare(void)
{
    struct plog_store s;
    char path[700], origin[PLOG_ORIGIN_MAX + 1];
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    put(0, 2);
    snprintf(origin, sizeof origin, "%s", w.p->origin);
    world_close(&w);
    unlink(world_path(&w, "store.db-wal"));
    unlink(world_path(&w, "store.db-shm"));
    unlink(world_path(&w, "store.db"));
    CHECK_INT(drill(), PLOG_E_BEHIND);
    CHECK_TEXT(err.message, "there is a log but no store");
    snprintf(path, sizeof path, "%s", world_path(&w, "store.db"));
    CHECK_INT(
        plog_store_open(&s, plog_io_posix(), path, PLOG_OPEN_CREATE, 0, NULL),
        0);
    CHECK_INT(plog_store_create_tables(&s, origin, NULL), 0);
    plog_store_close(&s);
    CHECK_INT(drill(), PLOG_E_NOTHING);
    CHECK_TEXT(err.message, "the store holds no entry yet");
    CHECK_INT(report.verdict, 0); /* it was not begun */
    CHECK(!world_has(&w, "drill.json"));
}

static unsigned begun, fail_at; /* reading transactions, and which one fails */

static bool begin_fails(const char *call, const char *sql, bool busy)
{
    (void)busy;
    return strcmp(call, "exec") == 0 && strcmp(sql, "BEGIN") == 0 &&
           ++begun == fail_at;
}

static int count_copy(void *arg, const char *name)
{
    *(unsigned *)arg += strncmp(name, "drill-", 6) == 0;
    return 0;
}

static unsigned copies(void)
{
    unsigned n = 0;
    struct plog_dir d;
    CHECK_INT(
        plog_dir_open(&d, plog_io_posix(), w.dir, PLOG_DIR_READ, false, NULL),
        0);
    CHECK_INT(d.io->list(d.io->ctx, d.dir, count_copy, &n), 0);
    plog_dir_close(&d);
    return n;
}

/* Whichever of the stores cannot be read, the original or what came back: that
 * is no copy that is well, and none is left. */
static void a_store_that_cannot_be_read(void)
{
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    put(0, 3);
    world_close(&w);
    sql_calls.fails = begin_fails;
    begun = fail_at = 0;
    CHECK_INT(drill(), 0);
    unsigned all = begun;
    CHECK(all >= 4); /* the original, replaying, parity, comparing */
    for (fail_at = 1; fail_at <= all; fail_at++) {
        begun = 0;
        if (!CHECK_INT(drill(), PLOG_E_IO))
            printf("# BEGIN %u\n", fail_at);
        CHECK_INT(strncmp(err.message, "writing to the store: ", 22), 0);
        CHECK_INT(report.verdict, fail_at > 1 ? PLOG_E_IO : 0);
        CHECK_UINT(report.restore.head.size, fail_at > 1 ? 4 : 0);
        CHECK_UINT(report.records, fail_at > 3 ? 3 : 0);
        noted(fail_at > 1 ? "\"ok\":false,\"verdict\":\"IO\""
                          : "\"ok\":true,\"verdict\":\"CLEAN\"");
        CHECK_UINT(copies(), 0);
    }
    sql_calls.fails = NULL;
    CHECK_INT(drill(), 0);
    world_end(&w, 4);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"all comes back", all_comes_back},
        {"no commit at the head", no_commit_at_the_head},
        {"nothing to compare", nothing_to_compare},
        {"a store that cannot be read", a_store_that_cannot_be_read},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
