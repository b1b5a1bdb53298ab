/*
 * test_selftest_locks.c - what selftest finds of locks: of each answer of a
 * second process and of each lock that is given or refused wrongly, the very
 * words; and with a second process that keeps its word, that they hold.
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "selftesting.h"

static struct selftesting s;

#define LOCAL "keep logs on a local file system"
#define HOLDS "keep logs on a file system with locks that hold"

struct asked {
    int32_t taken, shared, folder, own;
};

#define WORD(x)                                                                \
    {                                                                          \
        &(x), sizeof(x), 0                                                     \
    }
#define GONE                                                                   \
    {                                                                          \
        NULL, 0, 0                                                             \
    }
#define HELD (-EAGAIN)

/* ---- A clock that sleep moves, and locks by a list ----------------------- */

static int64_t now;

static int64_t on_clock(void *ctx)
{
    (void)ctx;
    return now;
}

static void on_sleep(void *ctx, int64_t ns)
{
    (void)ctx;
    now += ns;
}

static const int *lock_says, *byte_says; /* 1: and so on for ever */

static int next(const int **list)
{
    int rc = **list;
    if ((*list)[1] != 1)
        (*list)++;
    return rc;
}

static int on_lock(void *ctx, int fd, int mode)
{
    CHECK_INT(mode, 2);
    (void)ctx;
    return fd < 0 ? -EBADF : next(&lock_says);
}

static int on_lock_byte(void *ctx, int fd, uint64_t byte, int mode)
{
    CHECK(byte == 0 || byte == 7);
    CHECK_INT(mode, 2);
    (void)ctx;
    return fd < 0 ? -EBADF : next(&byte_says);
}

static const struct asked right = {HELD, HELD, HELD, 0};

/* All that is asked is answered as lists and words say. */
static void pretend(const struct selftesting_word *words, const int *locks,
                    const int *bytes)
{
    selftesting_begin(&s, 1);
    selftesting_script(&s, words);
    s.io.clock_mono_ns = on_clock;
    s.io.sleep_ns = on_sleep;
    s.io.lock = on_lock;
    s.io.lock_byte = on_lock_byte;
    s.t.started = now = 0;
    lock_says = locks;
    byte_says = bytes;
}

static void look(void)
{
    selftesting_run(&s, plog_selftest_locks);
}

static const int good[] = {0, 0, HELD, HELD, 0, 1};
static const int good_bytes[] = {0, HELD, 0, HELD, 0, 1};

/* ---- What the other process was given ------------------------------------ */

static void answers(void)
{
    static const struct {
        struct asked asked;
        const char *found;
    } all[] = {
        {{0, HELD, HELD, 0}, "another process was given a lock that is held"},
        {{HELD, 0, HELD, 0},
         "another process was given a shared lock on what is held exclusively"},
        {{HELD, HELD, 0, 0},
         "another process was given the lock of a folder that is held"},
        {{-EIO, HELD, HELD, 0},
         "asking for a lock that is held fails in another way"},
        {{HELD, -EIO, HELD, 0},
         "asking for a lock that is held fails in another way"},
        {{HELD, HELD, -EIO, 0},
         "asking for a lock that is held fails in another way"},
        {{HELD, HELD, HELD, HELD},
         "another process was refused a lock that is free"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const struct selftesting_word words[] = {WORD(all[i].asked),
                                                 WORD(all[i].asked), GONE};
        pretend(words, good, good_bytes);
        look();
        selftesting_check(&s, "flock", PLOG_TEST_FAIL, all[i].found, HOLDS);
        selftesting_check(&s, "byte locks", PLOG_TEST_FAIL, all[i].found,
                          HOLDS);
        selftesting_check(&s, "SQLite's locks", PLOG_TEST_FAIL,
                          "the other process said nothing", LOCAL);
        CHECK_INT(s.starts, 3);
        CHECK_INT(s.stops, 3);
        CHECK_UINT(s.count, 3);
        selftesting_end(&s);
    }
}

static void no_answer(void)
{
    static const struct selftesting_word none[] = {GONE};
    pretend(none, good, good_bytes);
    s.start_rc = -EAGAIN;
    look();
    static const char *const names[] = {"flock", "byte locks",
                                        "SQLite's locks"};
    for (int i = 0; i < 3; i++)
        selftesting_check(&s, names[i], PLOG_TEST_FAIL,
                          "no second process could be started", NULL);
    CHECK_INT(s.stops, 0);
    selftesting_end(&s);
    pretend(none, good, good_bytes);
    look();
    for (int i = 0; i < 3; i++)
        selftesting_check(&s, names[i], PLOG_TEST_FAIL,
                          "the other process said nothing", NULL);
    CHECK_INT(s.stops, 3);
    selftesting_end(&s);
}

/* ---- What we are given --------------------------------------------------- */

static void both(const int *locks, const int *bytes, const char *found)
{
    const struct selftesting_word words[] = {WORD(right), WORD(right), GONE};
    if (locks) {
        pretend(words, locks, good_bytes);
        look();
        selftesting_check(&s, "flock", PLOG_TEST_FAIL, found, HOLDS);
        selftesting_check(&s, "byte locks", PLOG_TEST_OK,
                          "exclude between processes and handles; free 0 us"
                          " after kill -9",
                          "");
        selftesting_end(&s);
    }
    if (bytes) {
        pretend(words, good, bytes);
        look();
        selftesting_check(&s, "flock", PLOG_TEST_OK,
                          "exclude between processes and handles; free 0 us"
                          " after kill -9",
                          "");
        selftesting_check(&s, "byte locks", PLOG_TEST_FAIL, found, HOLDS);
        selftesting_end(&s);
    }
}

static void ours(void)
{
    static const int first[] = {HELD, 1}, theirs[] = {0, 0, 0, 1},
                     second[] = {0, 0, HELD, 0, 1},
                     stays[] = {0, 0, HELD, HELD, HELD, 1};
    static const int theirs_byte[] = {0, 0, 1},
                     other_byte[] = {0, HELD, HELD, 1},
                     second_byte[] = {0, HELD, 0, 0, 1},
                     stays_byte[] = {0, HELD, 0, HELD, HELD, 1};
    both(theirs, theirs_byte, "a lock was given that another process holds");
    both(NULL, other_byte,
         "a lock of one byte keeps others out of another byte");
    both(second, second_byte, "a second handle of a file was given its lock");
    both(stays, stays_byte,
         "a lock is still held 2 s after its holder was killed");
    const struct selftesting_word one[] = {WORD(right), GONE};
    static const int folder[] = {0, HELD, 1};
    for (int i = 0; i < 2; i++) {
        pretend(one, i ? folder : first, good_bytes);
        look();
        selftesting_check(&s, "flock", PLOG_TEST_FAIL,
                          "a lock that is free was refused", HOLDS);
        CHECK_INT(s.starts, 2); /* none for that */
        selftesting_end(&s);
    }
    pretend(one, good, first);
    look();
    selftesting_check(&s, "byte locks", PLOG_TEST_FAIL,
                      "a lock that is free was refused", HOLDS);
    selftesting_end(&s);
}

/* How long it took is told. */
static void freed_late(void)
{
    static const int late[] = {0, 0, HELD, HELD, HELD, HELD, HELD, 0, 1};
    const struct selftesting_word words[] = {WORD(right), WORD(right), GONE};
    pretend(words, late, good_bytes);
    look();
    selftesting_check(
        &s, "flock", PLOG_TEST_OK,
        "exclude between processes and handles; free 3000 us after kill -9",
        "");
    CHECK_TEXT(selftesting_the(&s, "flock")->figures, "freed_us=3000 ");
    selftesting_end(&s);
}

static unsigned opens, refuse_open;

static int on_open(void *ctx, int dir, const char *name, int flags,
                   uint32_t mode)
{
    if (++opens == refuse_open)
        return -EMFILE;
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* Three files of ours, and the second handle. */
static void no_handles(void)
{
    const struct selftesting_word words[] = {WORD(right), WORD(right), GONE};
    for (unsigned at = 1; at <= 4; at++) {
        pretend(&words[at < 4], good, good_bytes);
        s.io.open_at = on_open;
        opens = 0;
        refuse_open = at;
        look();
        selftesting_check(&s, "flock", PLOG_TEST_FAIL,
                          at < 4 ? "a lock that is free was refused"
                                 : "a second handle of a file was given its"
                                   " lock",
                          HOLDS);
        selftesting_check(&s, "byte locks", PLOG_TEST_OK, NULL, "");
        selftesting_end(&s);
    }
}

/* ---- Processes that are some --------------------------------------------- */

static void they_hold(void)
{
    selftesting_begin(&s, 1);
    selftesting_fork(&s);
    look();
    selftesting_check(&s, "flock", PLOG_TEST_OK, NULL, "");
    selftesting_check(&s, "byte locks", PLOG_TEST_OK, NULL, "");
    selftesting_check(&s, "SQLite's locks", PLOG_TEST_OK,
                      "one writer at a time, free after kill -9; what one"
                      " process commits the other sees (30 rows)",
                      "");
    CHECK_UINT(s.count, 3);
    CHECK_INT(s.starts, 4);
    CHECK_INT(s.stops, 4);
    selftesting_end(&s);
}

static int say_nothing(void *ctx, const void *p, size_t n)
{
    (void)ctx, (void)p, (void)n;
    return -EPIPE;
}

/* A child that cannot say a word ends, and is not waited for. */
static void mute_child(void)
{
    selftesting_begin(&s, 1);
    selftesting_fork(&s);
    s.host.say = say_nothing;
    look();
    CHECK(plog_selftest_clock(&s.t) < 9);
    selftesting_check(&s, "flock", PLOG_TEST_FAIL,
                      "the other process said nothing", HOLDS);
    selftesting_check(&s, "SQLite's locks", PLOG_TEST_FAIL,
                      "the other process said nothing", LOCAL);
    selftesting_end(&s);
}

/* All but the first row. */
static int say_no_row(void *ctx, const void *p, size_t n)
{
    int32_t word = 0;
    memcpy(&word, p, n < sizeof word ? n : sizeof word);
    if (n == sizeof word && word == 1)
        return -EPIPE;
    return write(((struct selftesting *)ctx)->pipe[1], p, n) == (ssize_t)n
               ? 0
               : -EPIPE;
}

static void mute_at_last(void)
{
    selftesting_begin(&s, 1);
    selftesting_fork(&s);
    s.host.say = say_no_row;
    look();
    selftesting_check(&s, "flock", PLOG_TEST_OK, NULL, "");
    selftesting_check(&s, "SQLite's locks", PLOG_TEST_FAIL,
                      "the other process said nothing", LOCAL);
    CHECK_INT(s.starts, 4);
    CHECK_INT(s.stops, 4);
    selftesting_end(&s);
}

/* Without a host nothing is locked at all. */
static void alone(void)
{
    selftesting_begin(&s, 1);
    look();
    selftesting_check(&s, "locks", PLOG_TEST_SKIP,
                      "no second process can be made", "");
    CHECK_UINT(s.count, 1);
    selftesting_end(&s);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"answers", answers},
        {"no answer", no_answer},
        {"ours", ours},
        {"freed late", freed_late},
        {"no handles", no_handles},
        {"they hold", they_hold},
        {"mute child", mute_child},
        {"mute at last", mute_at_last},
        {"alone", alone},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
