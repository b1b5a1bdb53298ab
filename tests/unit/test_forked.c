/*
 * test_forked.c - processes that are forked from one with a log open, and
 * files of SQLite that somebody else opens in this process: both take locks
 * away of which SQLite goes on believing that it has them.
 */
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "paritylog_recovery.h"
#include "world.h"

static struct world w;
static struct plog_error err;

static int in_child(int (*work)(void))
{
    int status = -1;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(work());
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- Opening in a child -------------------------------------------------- */

static int open_all(void)
{
    plog *p = NULL;
    plog_reader *r = NULL;
    struct plog_check_report report;
    if (plog_open(&p, w.dir, NULL, &err) != PLOG_E_ARG || p)
        return 1;
    if (!strstr(err.message, "forked") || !strstr(err.hint, "exec"))
        return 2;
    if (plog_reader_open(&r, w.dir, NULL, &err) != PLOG_E_ARG || r)
        return 3;
    if (plog_parity(w.dir, NULL, &report, &err) != PLOG_E_ARG)
        return 4;
    return plog_verify(w.dir, NULL, &report, &err) == 0 ? 0 : 5;
}

static int close_and_open(void)
{
    plog_close(w.p);
    return open_all();
}

static int open_and_put(void)
{
    w.p = NULL;
    int rc = world_open(&w);
    if (!rc)
        rc = world_put(&w, "c", "1", "child", NULL);
    world_close(&w);
    return rc ? 1 : 0;
}

/* The one without locks would be told that all is well. */
static void with_a_handle_open(void)
{
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(in_child(open_all), 0);
    CHECK_INT(in_child(close_and_open), 0);
    CHECK_INT(world_put(&w, "a", "1", "x", NULL), 0);
    world_end(&w, 2);
}

static void with_a_reader_open(void)
{
    plog_reader *r;
    world_make(&w, PLOG_ARRIVAL, 0);
    world_close(&w);
    REQUIRE(plog_reader_open(&r, w.dir, NULL, NULL) == 0);
    CHECK_INT(in_child(open_all), 0);
    plog_reader_close(r);
    CHECK_INT(in_child(open_and_put), 0);
    world_end(&w, 2);
}

/* A child whose parent had closed its own is like any process; and so is one
 * of its own children. */
static int and_its_child(void)
{
    int rc = open_and_put();
    return rc ? rc : in_child(open_and_put);
}

static void with_all_closed(void)
{
    world_make(&w, PLOG_ARRIVAL, 0);
    world_close(&w);
    CHECK_INT(in_child(and_its_child), 0);
    CHECK_INT(open_and_put(), 0);
    world_end(&w, 2); /* the same delta three times */
}

/* ---- A parent that is killed --------------------------------------------- */

static int child_closes; /* the inherited handle; else it only sleeps */
static int told[2], lives[2];

static int hook(void *arg, sqlite3 *db, const uint64_t *seqs, size_t n)
{
    char byte;
    (void)arg, (void)db, (void)seqs, (void)n;
    pid_t pid = fork();
    if (pid == 0) {
        close(lives[1]);
        if (child_closes)
            plog_close(w.p);
        if (write(told[1], "t", 1) == 1 && read(lives[0], &byte, 1) >= 0)
            _exit(0);
    }
    pause();
    return 0;
}

/* Forks in the middle of a group, and waits to be killed. */
static int fork_in_a_group(void)
{
    char text[300];
    struct world_delta d = {.id = "k"};
    struct plog_span s = {text, 0};
    struct plog_group g = {.struct_size = sizeof g,
                           .deltas = &s,
                           .delta_count = 1,
                           .hook = hook};
    s.n = strlen(world_text(text, sizeof text, &d));
    w.p = NULL;
    if (world_open(&w))
        return 1;
    return plog_append_group(w.p, &g, NULL, NULL) ? 2 : 3;
}

/* A lock that the child let go of ends with the parent. */
static void a_killed_parent(void)
{
    char byte;
    world_make(&w, PLOG_ARRIVAL, 0);
    world_close(&w);
    child_closes = 1;
    REQUIRE(pipe(told) == 0 && pipe(lives) == 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(fork_in_a_group());
    CHECK(pid > 0 && read(told[0], &byte, 1) == 1);
    CHECK_INT(kill(pid, SIGKILL), 0);
    CHECK(waitpid(pid, NULL, 0) == pid);
    w.options.wait_seconds = 0.2;
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(world_put(&w, "a", "1", "x", NULL), 0);
    close(lives[1]);
    close(lives[0]);
    close(told[0]);
    close(told[1]);
    world_end(&w, 2);
}

/* ---- Locks taken away in this process ------------------------------------ */

static int look_by_sqlite(void)
{
    return world_number(&w, "SELECT count(*) FROM events") < 0;
}

static int value_is_there(void)
{
    return strcmp(world_record(&w, "1"), "{\"v\":\"x\"} v1") != 0;
}

static int to_spawner[2], from_spawner[2];

/* Makes processes that are not children of one with a log open. */
static void start_spawner(void)
{
    char byte;
    REQUIRE(pipe(to_spawner) == 0 && pipe(from_spawner) == 0);
    fflush(stdout);
    if (fork() == 0) {
        close(to_spawner[1]);
        while (read(to_spawner[0], &byte, 1) == 1) {
            byte =
                (char)in_child(byte == 's' ? look_by_sqlite : value_is_there);
            if (write(from_spawner[1], &byte, 1) != 1)
                break;
        }
        _exit(0);
    }
    close(to_spawner[0]);
}

static int spawn(char what)
{
    char byte = 77;
    CHECK(write(to_spawner[1], &what, 1) == 1 &&
          read(from_spawner[0], &byte, 1) == 1);
    return byte;
}

/* A program of another kind reads the store, is the last one as far as the
 * kernel knows, and removes the WAL; what is appended then is not written into
 * a file without a name. */
static void locks_taken_away(void)
{
    world_make(&w, PLOG_ARRIVAL, 0);
    world_close(&w);
    start_spawner();
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(world_put(&w, "a", "2", "y", NULL), 0);
    int fd = open(world_path(&w, "store.db"), O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && close(fd) == 0);
    CHECK_INT(spawn('s'), 0);
    CHECK(!world_has(&w, "store.db-wal"));
    CHECK_INT(world_put(&w, "b", "1", "x", NULL), 0);
    CHECK(world_has(&w, "store.db-wal"));
    CHECK_INT(spawn('g'), 0);
    CHECK_INT(spawn('s'), 0);
    CHECK(world_has(&w, "store.db-wal")); /* the locks are there again */
    close(to_spawner[1]);
    close(from_spawner[0]);
    close(from_spawner[1]);
    CHECK(wait(NULL) > 0);
    world_end(&w, 3);
}

/* Looking at a file of the store as if it were lines does not open it. */
static void inspected(void)
{
    static const char *const names[] = {"store.db", "store.db-wal",
                                        "store.db-shm"};
    struct plog_inspect_report report;
    world_make(&w, PLOG_ARRIVAL, 0);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(plog_inspect(world_path(&w, names[i]), NULL, &report, &err),
                  PLOG_E_INPUT);
        CHECK(strstr(err.message, "SQLite") != NULL);
    }
    world_end(&w, 1);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"with a handle open", with_a_handle_open},
        {"with a reader open", with_a_reader_open},
        {"with all closed", with_all_closed},
        {"a killed parent", a_killed_parent},
        {"locks taken away", locks_taken_away},
        {"inspected", inspected},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
