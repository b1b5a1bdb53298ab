/*
 * test_wal_length.c - SQLite's WAL stays short, however short the lives of
 * those who write it are: whoever opens next reads all of it.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "engine.h"
#include "sql_calls.h"
#include "world.h"

#define FRAME (24 + 4096)

static struct world w;

/* Of the WAL; 0 when it is empty, with or without space for some. */
static uint64_t frames(void)
{
    char first[4] = "";
    struct stat st;
    const char *path = world_path(&w, "store.db-wal");
    FILE *f = fopen(path, "rb");
    if (!f)
        return 0;
    bool begun = fread(first, 1, 4, f) == 4 && first[0] == 0x37;
    fclose(f);
    return !begun || stat(path, &st) ? 0 : (uint64_t)st.st_size / FRAME;
}

static void put(int i)
{
    char id[16];
    snprintf(id, sizeof id, "i%d", i);
    CHECK_INT(world_put(&w, id, id, "x", NULL), 0);
}

/* Each opens, appends a few deltas and closes. */
static void a_few_deltas_each(void)
{
    uint64_t most = 0;
    world_make(&w, PLOG_ARRIVAL, 0);
    for (int i = 0; i < 100; i++) {
        for (int k = 0; k < 10; k++)
            put(10 * i + k);
        world_close(&w);
        most = frames() > most ? frames() : most;
        CHECK_INT(world_open(&w), 0);
    }
    CHECK(most > 150); /* it is not emptied each time */
    CHECK(most < 350);
    world_end(&w, 1001);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Stands on the pages of now until it is closed. */
static sqlite3 *stand(void)
{
    sqlite3 *db = NULL;
    CHECK_INT(sqlite3_open_v2(world_path(&w, "store.db"), &db,
                              SQLITE_OPEN_READONLY, NULL),
              SQLITE_OK);
    CHECK_INT(sqlite3_exec(db, "BEGIN; SELECT count(*) FROM events", NULL, NULL,
                           NULL),
              SQLITE_OK);
    return db;
}

/* A reader that stands on old pages keeps the WAL, and is not waited for. */
static void beside_a_reader(void)
{
    world_make(&w, PLOG_ARRIVAL, 0);
    put(0);
    sqlite3 *reader = stand();
    for (int i = 1; i < 400; i++)
        put(i);
    double began = seconds();
    world_close(&w);
    CHECK(seconds() - began < 2);
    CHECK(frames() > 1000);
    sqlite3_close(reader);
    CHECK_INT(world_open(&w), 0);
    put(400);
    world_close(&w);
    CHECK_UINT(frames(), 0);
    CHECK_INT(world_open(&w), 0);
    world_end(&w, 402);
}

/* When the reader goes, a WAL that became too long is emptied by the next
 * group and not only begun anew. */
static void after_a_reader(void)
{
    int i = 0;
    world_make(&w, PLOG_ARRIVAL, 0);
    put(i++);
    sqlite3 *reader = stand();
    while (frames() < 4100 && i < 3000)
        put(i++);
    CHECK(frames() >= 4100);
    sqlite3_close(reader);
    put(i++);
    CHECK_UINT(frames(), 0);
    put(i++);
    CHECK(frames() > 0 && frames() < 20);
    world_end(&w, (uint64_t)i + 1);
}

/* Nobody ever closes. */
static void killed_again_and_again(void)
{
    uint64_t most = 0;
    int count = 0;
    world_make(&w, PLOG_ARRIVAL, 0);
    world_close(&w);
    for (int i = 0; i < 60; i++) {
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            bool lives = world_open(&w) == 0;
            for (int k = 0; lives && k < 40; k++) {
                char id[16];
                snprintf(id, sizeof id, "i%d", count + k);
                lives = world_put(&w, id, id, "x", NULL) == 0;
            }
            _exit(!lives);
        }
        int status = 1;
        CHECK_INT(waitpid(pid, &status, 0), pid);
        CHECK_INT(status, 0);
        count += 40;
        most = frames() > most ? frames() : most;
    }
    printf("# %d deltas, at most %llu frames\n", count,
           (unsigned long long)most);
    CHECK(most > 1000);
    CHECK(most < 2300);
    CHECK_INT(world_open(&w), 0);
    world_end(&w, (uint64_t)count + 1);
}

static sqlite3 *other;
static int others; /* commits */

static int commit_meanwhile(unsigned what, void *arg, void *stmt, void *sql)
{
    (void)what, (void)arg, (void)stmt;
    if (strncmp(sql, "BEGIN", 5) == 0) {
        CHECK_INT(
            sqlite3_exec(other, "PRAGMA user_version=41", NULL, NULL, NULL),
            SQLITE_OK);
        others++;
    }
    return 0;
}

/* Another program, which asks nobody, commits between the last checkpoint and
 * the emptying: it is there after a crash, which leaves no shared memory. */
static void another_program(void)
{
    size_t n = 0, wal = 0;
    char copy[700], path[720];
    world_make(&w, PLOG_ARRIVAL, 0);
    put(0);
    CHECK_INT(sqlite3_open(world_path(&w, "store.db"), &other), SQLITE_OK);
    sqlite3 *own = w.p->legs.store.db;
    others = 0;
    sqlite3_trace_v2(own, SQLITE_TRACE_STMT, commit_meanwhile, NULL);
    plog_store_empty_wal(&w.p->legs.store);
    sqlite3_trace_v2(own, 0, NULL, NULL);
    CHECK_INT(others, 1);
    snprintf(copy, sizeof copy, "%s-crashed", w.dir);
    snprintf(path, sizeof path, "%s-wal", copy);
    char *db = world_read(world_path(&w, "store.db"), &n);
    char *frames_of = world_read(world_path(&w, "store.db-wal"), &wal);
    world_write(copy, db, n);
    world_write(path, frames_of, wal);
    free(db);
    free(frames_of);
    sqlite3 *crashed = NULL;
    sqlite3_stmt *version = NULL;
    CHECK_INT(sqlite3_open(copy, &crashed), SQLITE_OK);
    CHECK_INT(
        sqlite3_prepare_v2(crashed, "PRAGMA user_version", -1, &version, NULL),
        SQLITE_OK);
    CHECK_INT(sqlite3_step(version), SQLITE_ROW);
    CHECK_INT(sqlite3_column_int(version, 0), 41);
    sqlite3_finalize(version);
    sqlite3_close(crashed);
    sqlite3_close(other);
    plog_store_empty_wal(&w.p->legs.store); /* and the next one empties it */
    CHECK_UINT(frames(), 0);
    world_close(&w);
    unlink(copy);
}

/* ---- What cannot be emptied ---------------------------------------------- */

static bool no_begin(const char *call, const char *sql, bool busy)
{
    (void)busy;
    return strcmp(call, "exec") == 0 && strncmp(sql, "BEGIN", 5) == 0;
}

static bool write_fails;

static int64_t failing_pwrite(void *ctx, int fd, const void *p, size_t n,
                              uint64_t at)
{
    return write_fails ? -EIO : plog_io_posix()->pwrite(ctx, fd, p, n, at);
}

/* Its frames stay, all of which were moved; the next time it is emptied. */
static void cannot_be_emptied(void)
{
    struct plog_io io = *plog_io_posix();
    io.pwrite = failing_pwrite;
    world_make(&w, PLOG_ARRIVAL, 0);
    world_close(&w);
    w.options.io = &io;
    CHECK_INT(world_open(&w), 0);
    for (int kind = 0; kind < 5; kind++) {
        put(2 * kind);
        sqlite3 *reader = kind == 0 ? stand() : NULL;
        sql_calls.fails = kind == 1 ? no_begin : NULL;
        sql_calls.no_version = kind == 2 ? 1 : kind == 3 ? 2 : 0;
        write_fails = kind == 4;
        plog_store_empty_wal(&w.p->legs.store);
        CHECK_INT(sql_calls.no_version, 0);
        sql_calls.fails = NULL;
        write_fails = false;
        if (!CHECK(frames() > 3))
            printf("# kind %d\n", kind);
        CHECK_INT(world_number(&w, "SELECT max(seq) FROM events"),
                  2 * kind + 2);
        sqlite3_close(reader);
        put(2 * kind + 1);
        plog_store_empty_wal(&w.p->legs.store);
        CHECK_UINT(frames(), 0);
    }
    world_end(&w, 11);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"a_few_deltas_each", a_few_deltas_each},
        {"beside_a_reader", beside_a_reader},
        {"after_a_reader", after_a_reader},
        {"killed_again_and_again", killed_again_and_again},
        {"another_program", another_program},
        {"cannot_be_emptied", cannot_be_emptied},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
