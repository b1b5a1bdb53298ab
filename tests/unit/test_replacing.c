/*
 * test_replacing.c - readers while a store made anew is put in the place of the
 * old one: for a moment no file has the name, and they wait for it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "world.h"

static struct world w;
static struct plog_io io;
static struct plog_error err;
static void (*between)(void); /* the two renames */

static void make(void)
{
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, "a", "1", "x", NULL), 0);
    CHECK_INT(world_put(&w, "b", "2", "y", NULL), 0);
    world_close(&w);
}

static int rename_at(void *ctx, int from, const char *old, int to,
                     const char *new_name, bool replace)
{
    int rc = plog_io_posix()->rename_at(ctx, from, old, to, new_name, replace);
    if (strcmp(old, "store.db") == 0 && strcmp(new_name, "store.db") != 0)
        between();
    return rc;
}

static void replace(void (*then)(void))
{
    struct plog_replay_options o = {
        .struct_size = sizeof o, .io = &io, .fresh = true};
    struct plog_replay_report report;
    io = *plog_io_posix();
    io.rename_at = rename_at;
    between = then;
    CHECK_INT(plog_replay(w.dir, &o, &report, NULL), 0);
}

/* ---- They wait ----------------------------------------------------------- */

static int now[2]; /* a byte goes through when no file has the name */

static void take_long(void)
{
    CHECK_INT(write(now[1], "", 1), 1);
    usleep(200000);
}

/* Each that opens the store in the meantime, or behind it when this machine is
 * slow; 0: all went well. */
static int read_meanwhile(plog_sub *sub)
{
    char c;
    struct plog_check_report report;
    struct plog_status s;
    uint64_t seq;
    size_t n;
    const char *line;
    plog_reader *r;
    if (read(now[0], &c, 1) != 1)
        return 1;
    int rc = plog_sub_next(sub, 0, &seq, &line, &n, &err);
    if (rc != PLOG_TIMEOUT)
        return 2;
    if (plog_reader_open(&r, w.dir, NULL, &err))
        return 3;
    plog_reader_close(r);
    if (plog_read_status(w.dir, NULL, &s, &err) || s.verdict)
        return 4;
    return plog_parity(w.dir, NULL, &report, &err) || report.verdict ? 5 : 0;
}

static int follow(void)
{
    plog_sub *sub;
    uint64_t seq;
    size_t n;
    const char *line;
    if (plog_subscribe(&sub, w.dir, 1, NULL, &err))
        return 6;
    for (int i = 0; i < 3; i++)
        if (plog_sub_next(sub, 0, &seq, &line, &n, &err))
            return 7;
    printf("ready\n");
    int rc = read_meanwhile(sub);
    if (rc)
        fprintf(stderr, "# %d: %s\n", rc, err.message);
    plog_sub_close(sub);
    fflush(stdout);
    return rc;
}

static void they_wait(void)
{
    int ends[2], status = -1;
    char c;
    make();
    REQUIRE(pipe(ends) == 0 && pipe(now) == 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        close(now[1]); /* who waits hears when the parent is gone */
        dup2(ends[1], 1);
        setvbuf(stdout, NULL, _IOLBF, 0);
        _exit(follow());
    }
    close(ends[1]);
    CHECK_INT(read(ends[0], &c, 1), 1);
    replace(take_long);
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
    close(ends[0]);
    close(now[0]);
    close(now[1]);
    world_end(&w, 3);
}

/* ---- Not for ever -------------------------------------------------------- */

static double took;
static int code;

static void look(double wait)
{
    struct plog_options o = {.struct_size = sizeof o, .wait_seconds = wait};
    plog_reader *r;
    double then = world_seconds();
    memset(&err, 0, sizeof err);
    code = plog_reader_open(&r, w.dir, &o, &err);
    took = world_seconds() - then;
    plog_reader_close(r);
}

/* A clock that only sleeping moves. */
static int64_t slept;

static int64_t clock_ns(void *ctx)
{
    (void)ctx;
    return slept;
}

static void sleep_ns(void *ctx, int64_t ns)
{
    (void)ctx;
    slept += ns;
}

/* What looks at the store and then at the lock waits for both together. */
static void wait_once(void)
{
    struct plog_io timed = *plog_io_posix();
    struct plog_options o = {
        .struct_size = sizeof o, .io = &timed, .wait_seconds = 2};
    const int64_t wait = 2000000000;
    struct plog_status s;
    timed.clock_mono_ns = clock_ns;
    timed.sleep_ns = sleep_ns;
    slept = 0;
    CHECK_INT(plog_read_status(w.dir, &o, &s, NULL), PLOG_E_LOCKED);
    CHECK(slept >= wait && slept < wait + wait / 4);
    slept = 0;
    CHECK_INT(plog_rehearse(w.dir, &o, NULL, NULL), PLOG_E_LOCKED);
    CHECK(slept >= wait && slept < wait + wait / 4);
}

static void look_shortly(void)
{
    wait_once();

    look(0.1);
    CHECK_INT(code, PLOG_E_LOCKED);
    CHECK_TEXT(err.message, "another process is about to put a new store in the"
                            " place of the old one");
    CHECK_TEXT(err.file, "store.db");
    CHECK_TEXT(err.hint, "wait longer: wait_seconds, or --wait SECONDS");
    CHECK(took >= 0.1);
    look(-1);
    CHECK_INT(code, PLOG_E_LOCKED);
}

static void not_for_ever(void)
{
    make();
    replace(look_shortly);
    look(-1);
    CHECK_INT(code, 0);
    world_end(&w, 3);
}

/* What a kill between the two left, nobody is at: that is said at once, and
 * the hint leads out. */
static void left_by_a_kill(void)
{
    struct plog_replay_options o = {.struct_size = sizeof o};
    struct plog_replay_report report;
    make();
    CHECK_INT(mkdir(world_path(&w, "store.new"), 0700), 0);
    CHECK_INT(rename(world_path(&w, "store.db"),
                     world_path(&w, "store.new/store.db")),
              0);
    look(30);
    CHECK_INT(code, PLOG_E_BEHIND);
    CHECK_TEXT(err.message, "there is a log but no store");
    CHECK_TEXT(err.hint, "run: paritylog replay DIR");
    CHECK(took < 10);
    CHECK_INT(plog_replay(w.dir, &o, &report, NULL), 0);
    look(-1);
    CHECK_INT(code, 0);
    world_end(&w, 3);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"they wait", they_wait},
        {"not for ever", not_for_ever},
        {"left by a kill", left_by_a_kill},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
