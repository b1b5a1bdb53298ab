/*
 * test_replay_aside.c - what a store made anew sets aside, and where: the old
 * store, the unfinished group behind the log, or nothing at all.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "world.h"

#define SEGMENT_1 "log/00000000000000000001.jsonl"
#define TAIL "{\"seq\":4,\"res"

static struct world w;
static struct plog_io io;
static struct plog_replay_report report;
static struct plog_error err;

/* Entries 1 to 3. */
static void make(void)
{
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, "a", "1", "x", NULL), 0);
    CHECK_INT(world_put(&w, "b", "2", "y", NULL), 0);
    world_close(&w);
    io = *plog_io_posix();
}

static void tear(void)
{
    FILE *f = fopen(world_path(&w, SEGMENT_1), "ab");
    REQUIRE(f != NULL);
    fputs(TAIL, f);
    CHECK_INT(fclose(f), 0);
}

static int replay_fresh(void)
{
    struct plog_replay_options o = {
        .struct_size = sizeof o, .io = &io, .fresh = true};
    memset(&err, 0, sizeof err);
    int rc = plog_replay(w.dir, &o, &report, &err);
    if (rc)
        CHECK_INT(err.code, rc);
    return rc;
}

/* What the report names begins so and is there. */
static void names(const char *begin)
{
    if (!CHECK(strncmp(report.quarantine, begin, strlen(begin)) == 0))
        printf("# %s\n", report.quarantine);
    CHECK(world_has(&w, report.quarantine));
}

/* ---- What is named -------------------------------------------------------
 */

static void nothing(void)
{
    make();
    world_drop_store(&w);
    CHECK_INT(replay_fresh(), 0);
    CHECK_TEXT(report.quarantine, "");
    world_end(&w, 3);
}

static void a_store(void)
{
    make();
    CHECK_INT(replay_fresh(), 0);
    names("quarantine/store.db-");
    world_end(&w, 3);
}

static void a_tail(void)
{
    make();
    world_drop_store(&w);
    tear();
    CHECK_INT(replay_fresh(), 0);
    CHECK_UINT(report.torn_bytes, strlen(TAIL));
    names("quarantine/00000000000000000001-at-");
    world_end(&w, 3);
}

/* One place is told of: the store's. */
static void both(void)
{
    make();
    tear();
    CHECK_INT(replay_fresh(), 0);
    CHECK_UINT(report.torn_bytes, strlen(TAIL));
    names("quarantine/store.db-");
    world_end(&w, 3);
}

/* ---- What else is in the store -------------------------------------------
 */

#define OWN                                                                    \
    "SELECT count(*) FROM sqlite_schema WHERE name IN ('mine','sqliteish')"

static void of_a_dry_run(void)
{
    struct plog_replay_options o = {
        .struct_size = sizeof o, .fresh = true, .dry_run = true};
    CHECK_INT(plog_replay(w.dir, &o, &report, NULL), 0);
    CHECK_UINT(report.own_tables, 2);
    CHECK_INT(world_number(&w, OWN), 2);
    o.fresh = false;
    CHECK_INT(plog_replay(w.dir, &o, &report, NULL), 0);
    CHECK_UINT(report.own_tables, 0);
}

/* Tables that are not ours stay behind in the old store; that is said, and a
 * redaction takes the last copy away. */
static void own_tables(void)
{
    static const char sql[] = "CREATE TABLE mine(n PRIMARY KEY) WITHOUT ROWID;"
                              "CREATE TABLE sqliteish(n INTEGER PRIMARY KEY"
                              " AUTOINCREMENT); CREATE INDEX i ON sqliteish(n);"
                              "CREATE VIEW v AS SELECT n FROM mine";
    struct plog_rebuild_options install = {.struct_size = sizeof install,
                                           .install = true};
    struct plog_rebuild_report built;
    struct plog_redact_options redact = {.struct_size = sizeof redact,
                                         .reason = "asked"};
    struct plog_redact_report redacted;
    make();
    world_sql(&w, sql);
    of_a_dry_run();
    CHECK_INT(replay_fresh(), 0);
    CHECK_UINT(report.own_tables, 2);
    names("quarantine/store.db-");
    CHECK_INT(world_number(&w, OWN), 0);
    world_sql(&w, sql);
    CHECK_INT(plog_rebuild_store(w.dir, NULL, &install, &built, NULL), 0);
    CHECK_UINT(built.own_tables, 2);
    CHECK_INT(world_number(&w, OWN), 0);
    CHECK_INT(replay_fresh(), 0);
    CHECK_UINT(report.own_tables, 0);
    CHECK(world_has(&w, built.quarantine));
    CHECK_INT(plog_redact(w.dir, 2, &redact, &redacted, NULL), 0);
    CHECK(redacted.quarantine >= 3);
    CHECK(!world_has(&w, built.quarantine));
    world_end(&w, 4);
}

/* A store that is no database has none that anybody could count. */
static void of_no_database(void)
{
    make();
    world_write(world_path(&w, "store.db"), "no database", 11);
    unlink(world_path(&w, "store.db-wal"));
    unlink(world_path(&w, "store.db-shm"));
    CHECK_INT(replay_fresh(), 0);
    CHECK_UINT(report.own_tables, 0);
    names("quarantine/store.db-");
    world_end(&w, 3);
}

/* ---- On a disk that fails ------------------------------------------------
 */

static unsigned reads, bad_read;

static int64_t no_read(void *ctx, int fd, void *buf, size_t n, uint64_t at)
{
    return ++reads == bad_read ? -EIO
                               : plog_io_posix()->pread(ctx, fd, buf, n, at);
}

/* Whichever reading fails, once: nobody is told of a tail that is shorter than
 * it is, and no byte of one is lost. */
static void a_tail_that_cannot_be_read(void)
{
    struct plog_replay_options o = {
        .struct_size = sizeof o, .io = &io, .fresh = true, .dry_run = true};
    int rc = PLOG_E_IO, failed = 0;
    make();
    tear();
    io.pread = no_read;
    for (bad_read = 1; reads + 1 >= bad_read && bad_read < 200; bad_read++) {
        reads = 0;
        memset(&err, 0, sizeof err);
        rc = plog_replay(w.dir, &o, &report, &err);
        failed += rc != 0;
        if (rc == 0)
            CHECK_UINT(report.torn_bytes, strlen(TAIL));
        else
            CHECK_INT(err.code, rc);
    }
    CHECK_INT(rc, 0);
    CHECK(failed > 2);
    CHECK(!world_has(&w, "quarantine"));
    world_close(&w);
}

static unsigned refused;

static bool is_quarantine(int fd)
{
    struct stat a, b;
    return fstat(fd, &a) == 0 && stat(world_path(&w, "quarantine"), &b) == 0 &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int no_sync(void *ctx, int fd)
{
    if (!is_quarantine(fd))
        return plog_io_posix()->fsync(ctx, fd);
    refused++;
    return -EIO;
}

/* The new one is not put in the place of a store that a power cut might take
 * out of both folders. */
static void not_synced(void)
{
    make();
    io.fsync = no_sync;
    refused = 0;
    CHECK_INT(replay_fresh(), PLOG_E_IO);
    CHECK(strstr(err.message, "setting the store aside") != NULL);
    CHECK_UINT(refused, 1);
    names("quarantine/store.db-");
    CHECK(!world_has(&w, "store.db"));
    io = *plog_io_posix();
    CHECK_INT(replay_fresh(), 0);
    CHECK_TEXT(report.quarantine, "");
    world_end(&w, 3);
}

static bool is_new_store(int fd)
{
    struct stat a, b;
    return fstat(fd, &a) == 0 &&
           stat(world_path(&w, "store.new/store.db"), &b) == 0 &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int no_sync_of_store(void *ctx, int fd)
{
    if (!is_new_store(fd))
        return plog_io_posix()->fsync(ctx, fd);
    refused++;
    return -EIO;
}

/* A store that is not on disk takes nobody's place; one that is has its WAL
 * again, as its header says. */
static void on_disk_first(void)
{
    size_t n;
    make();
    io.fsync = no_sync_of_store;
    refused = 0;
    CHECK_INT(replay_fresh(), PLOG_E_IO);
    CHECK_TEXT(err.message, "syncing the new store: Input/output error");
    CHECK_TEXT(err.file, "store.db");
    CHECK_UINT(refused, 1);
    CHECK_TEXT(report.quarantine, "");
    CHECK(!world_has(&w, "quarantine"));
    CHECK(!world_has(&w, "store.new"));
    CHECK_TEXT(world_record(&w, "2"), "{\"v\":\"y\"} v1");
    io = *plog_io_posix();
    CHECK_INT(replay_fresh(), 0);
    names("quarantine/store.db-");
    char *bytes = world_read(world_path(&w, "store.db"), &n);
    CHECK_BYTES(bytes + 18, 2, "\2\2", 2);
    free(bytes);
    CHECK(!world_has(&w, "store.db-wal"));
    world_end(&w, 3);
}

/* ---- In the place of a store ----------------------------------------------
 */

/* One that lost a row: it is whole again, and the report says where it is. */
static void installed(void)
{
    struct plog_rebuild_options o = {.struct_size = sizeof o, .install = true};
    struct plog_rebuild_report r;
    struct world_found f;
    make();
    world_sql(&w, "DELETE FROM state WHERE record_id='1'");
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_DIVERGED);
    CHECK_INT(plog_rebuild_store(w.dir, NULL, &o, &r, NULL), 0);
    CHECK_INT(r.verdict, 0);
    CHECK_UINT(r.entries, 3);
    CHECK_UINT(r.head.size, 3);
    CHECK(strncmp(r.quarantine, "quarantine/store.db-", 20) == 0);
    CHECK(world_has(&w, r.quarantine));
    world_end(&w, 3);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"nothing", nothing},
        {"a store", a_store},
        {"a tail", a_tail},
        {"both", both},
        {"own tables", own_tables},
        {"of no database", of_no_database},
        {"not synced", not_synced},
        {"on disk first", on_disk_first},
        {"installed", installed},
        {"a tail that cannot be read", a_tail_that_cannot_be_read},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
