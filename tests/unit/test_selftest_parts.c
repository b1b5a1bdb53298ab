/*
 * test_selftest_parts.c - what the parts of selftest share: telling, the time
 * that is left, numbers, a second process heard, a folder removed; and the
 * order of it all over tables that refuse one thing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "selftesting.h"

static struct selftesting s;

/* ---- A clock of ours ----------------------------------------------------- */

static double clock_at; /* seconds since selftest began */
static double clock_step;

static int64_t our_clock(void *ctx)
{
    (void)ctx;
    clock_at += clock_step;
    return (int64_t)(clock_at * 1e9) + 5000000000;
}

static void stop_the_clock(double at)
{
    s.io.clock_mono_ns = our_clock;
    s.t.started = 5000000000;
    clock_at = at;
    clock_step = 0;
}

/* Whether there is time at `now`, of `seconds` from `measuring` on. */
static bool has_time(double now, double seconds, double measuring, double share,
                     uint64_t done, uint64_t least)
{
    stop_the_clock(now);
    s.o.seconds = seconds;
    s.t.measuring = measuring;
    return plog_selftest_has_time(&s.t, "p", share, done, least);
}

static void its_share(void)
{
    selftesting_begin(&s, 10);
    /* half of 8 s, from 2 s on */
    CHECK(has_time(5.9, 10, 2, 0.5, 9, 6));
    CHECK(!has_time(6.0, 10, 2, 0.5, 9, 6));
    CHECK(!has_time(6.0, 10, 2, 0.5, 6, 6));
    /* as long as less than the least is done: until 2 * 10 + 15 s */
    CHECK(has_time(6.1, 10, 2, 0.5, 5, 6));
    CHECK(has_time(34.9, 10, 2, 0.5, 5, 6));
    CHECK(!has_time(35.0, 10, 2, 0.5, 5, 6));
    /* below 5 s, half of the least is enough, rounded up */
    CHECK(has_time(4, 5, 0, 0.5, 5, 6));
    CHECK(has_time(4, 4.9, 0, 0.5, 2, 6));
    CHECK(!has_time(4, 4.9, 0, 0.5, 3, 6));
    CHECK(has_time(4, 4.9, 0, 0.5, 3, 7));
    CHECK(!has_time(4, 4.9, 0, 0.5, 4, 7));
    /* and after 57 s nothing is begun */
    CHECK(has_time(56.9, 59, 0, 1, 0, 6));
    CHECK(!has_time(57, 59, 0, 1, 0, 6));
    s.t.stopped = true;
    CHECK(!has_time(0, 10, 0, 1, 0, 6));
    selftesting_end(&s);
}

/* ---- Telling ------------------------------------------------------------- */

static unsigned asked, no_at;

static int progress(void *arg, const struct plog_progress *p)
{
    CHECK(arg == &s);
    CHECK_TEXT(p->phase, "phase");
    CHECK_UINT(p->done, 42);
    return ++asked == no_at;
}

/* Once the caller has said no he is not asked again. */
static void asks(void)
{
    selftesting_begin(&s, 1);
    CHECK(plog_selftest_goes_on(&s.t, "phase", 42));
    s.o.progress = progress;
    asked = 0;
    no_at = 2;
    CHECK(plog_selftest_goes_on(&s.t, "phase", 42));
    CHECK(!plog_selftest_goes_on(&s.t, "phase", 42));
    CHECK(s.t.stopped);
    CHECK(!plog_selftest_goes_on(&s.t, "phase", 42));
    CHECK_UINT(asked, 2);
    selftesting_end(&s);
}

static void tells(void)
{
    selftesting_begin(&s, 1);
    for (int i = 0; i < PLOG_SELFTEST_FIGURES + 2; i++)
        plog_selftest_figure(&s.t, "n", i);
    plog_selftest_say(&s.t, "one", PLOG_TEST_WARN, "do", "%d of %s", 7, "x");
    plog_selftest_say(&s.t, "two", PLOG_TEST_OK, NULL, "fine");
    selftesting_check(&s, "one", PLOG_TEST_WARN, "7 of x", "do");
    selftesting_check(&s, "two", PLOG_TEST_OK, "fine", "");
    CHECK_TEXT(selftesting_the(&s, "one")->figures,
               "n=0 n=1 n=2 n=3 n=4 n=5 n=6 n=7 n=8 n=9 ");
    CHECK_TEXT(selftesting_the(&s, "two")->figures, "");
    CHECK_UINT(s.report.counts[PLOG_TEST_WARN], 1);
    CHECK_UINT(s.report.counts[PLOG_TEST_OK], 1);
    s.stop_at = 3;
    plog_selftest_say(&s.t, "three", PLOG_TEST_OK, NULL, "fine");
    CHECK(s.t.stopped);
    plog_selftest_say(&s.t, "four", PLOG_TEST_OK, NULL, "fine");
    CHECK_UINT(s.count, 3);
    CHECK_UINT(s.report.counts[PLOG_TEST_OK], 2);
    selftesting_end(&s);
    struct plog_selftest_options silent = {.struct_size = sizeof silent};
    s.t.o = &silent; /* nobody wants to know */
    s.t.stopped = false;
    plog_selftest_say(&s.t, "five", PLOG_TEST_OK, NULL, "fine");
    CHECK_UINT(s.report.counts[PLOG_TEST_OK], 3);
    CHECK(!s.t.stopped);
    static const char *const words[] = {"ok", "warn", "FAIL", "skip", "skip"};
    for (int i = 0; i < 5; i++)
        CHECK_TEXT(plog_test_word((enum plog_test_result)i), words[i]);
}

/* splitmix64 as published: what follows the state 0 and 1234567. */
static void draws(void)
{
    selftesting_begin(&s, 1);
    s.t.random = 0;
    CHECK_UINT(plog_selftest_draw(&s.t, UINT64_MAX),
               UINT64_C(0xe220a8397b1dcdaf));
    CHECK_UINT(plog_selftest_draw(&s.t, 1000),
               UINT64_C(0x6e789e6aa1b965f4) % 1000);
    CHECK_UINT(plog_selftest_draw(&s.t, 0), 0);
    s.report.seed = 1234;
    plog_selftest_seed(&s.t, 567);
    CHECK_UINT(plog_selftest_draw(&s.t, UINT64_MAX),
               UINT64_C(6457827717110365317));
    selftesting_end(&s);
}

/* ---- A second process heard ---------------------------------------------- */

static bool hear(const struct selftesting_word *words, char out[4])
{
    selftesting_script(&s, words);
    memset(out, 0, 4);
    return plog_selftest_hear(&s.t, out, 4, 2);
}

static void heard(void)
{
    char got[4];
    selftesting_begin(&s, 1);
    stop_the_clock(0);
    static const struct selftesting_word parts[] = {
        {"a", 1, 0}, {NULL, 0, -EAGAIN}, {"bc", 2, 0},
        {"d", 1, 0}, {"e", 1, 0},        {NULL, 0, 0}};
    CHECK(hear(parts, got));
    CHECK_BYTES(got, 4, "abcd", 4);
    CHECK(s.words == &parts[4]); /* no more than was asked for */
    static const struct selftesting_word gone[] = {{"abc", 3, 0}, {NULL, 0, 0}};
    CHECK(!hear(gone, got));
    static const struct selftesting_word broken[] = {
        {NULL, 0, -EIO}, {"abcd", 4, 0}, {NULL, 0, 0}};
    CHECK(!hear(broken, got));
    CHECK(s.words == &broken[1]);
    s.t.stopped = true;
    CHECK(!hear(parts, got));
    CHECK(s.words == parts);
    selftesting_end(&s);
}

/* A process that says nothing is waited for as long as was said. */
static void silent(void)
{
    static const struct selftesting_word late[] = {{NULL, 0, -EAGAIN},
                                                   {NULL, 0, -EAGAIN},
                                                   {NULL, 0, -EAGAIN},
                                                   {"abcd", 4, 0},
                                                   {NULL, 0, 0}};
    char got[4];
    selftesting_begin(&s, 1);
    stop_the_clock(0);
    clock_step = 0.6; /* asked for the fourth time it is 2.4: as until */
    CHECK(hear(late, got));
    clock_at = 0;
    clock_step = 0.8; /* 2.8 until, 3.2 the third time */
    CHECK(!hear(late, got));
    CHECK(s.words == &late[3]);
    clock_at = 0;
    clock_step = 1.01;
    CHECK(!hear(late, got));
    CHECK(s.words == &late[2]);
    selftesting_end(&s);
}

/* ---- A folder removed ---------------------------------------------------- */

static void folders(int depth)
{
    char path[1000];
    int n = snprintf(path, sizeof path, "%.500s", s.t.path);
    for (int i = 0; i < depth; i++) {
        n += snprintf(path + n, sizeof path - (size_t)n, "/d");
        CHECK(mkdir(path, 0700) == 0);
    }
    snprintf(path + n, sizeof path - (size_t)n, "/f");
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

static int refused; /* what an unlink or rmdir of ours says */
static unsigned removals;

static int no_unlink(void *ctx, int dir, const char *name)
{
    (void)ctx, (void)dir, (void)name;
    removals++;
    return refused;
}

static int is_taken(void *ctx, int dir, const char *name)
{
    (void)ctx, (void)dir, (void)name;
    return ++removals < 3 ? refused : 0;
}

static int stays_taken(void *ctx, int dir, const char *name)
{
    (void)ctx, (void)dir, (void)name;
    removals++;
    return refused;
}

static void removed(void)
{
    struct stat st;
    selftesting_begin(&s, 1);
    CHECK_INT(plog_selftest_remove(&s.io, s.t.dir, "d"), -ENOENT);
    folders(6);
    CHECK_INT(plog_selftest_remove(&s.io, s.t.dir, "d"), 0);
    CHECK(fstatat(s.t.dir, "d", &st, 0) != 0);
    folders(7);
    CHECK_INT(plog_selftest_remove(&s.io, s.t.dir, "d"), -ELOOP);
    selftesting_end(&s);

    selftesting_begin(&s, 1);
    folders(1);
    s.io.unlink_at = no_unlink;
    refused = -EACCES;
    CHECK_INT(plog_selftest_remove(&s.io, s.t.dir, "d"), -EACCES);
    refused = -EIO;
    CHECK_INT(plog_selftest_remove(&s.io, s.t.dir, "d"), -EIO);
    selftesting_end(&s);
}

/* What comes there meanwhile is removed, too, but not for ever. */
static void removed_again(void)
{
    static const int codes[] = {-ENOTEMPTY, -EEXIST, -EBUSY};
    static const unsigned tries[] = {3, 3, 1};
    for (int i = 0; i < 3; i++) {
        selftesting_begin(&s, 1);
        folders(1);
        refused = codes[i];
        removals = 0;
        s.io.rmdir_at = is_taken;
        CHECK_INT(plog_selftest_remove(&s.io, s.t.dir, "d"),
                  i < 2 ? 0 : refused);
        CHECK_UINT(removals, tries[i]);
        removals = 0;
        s.io.rmdir_at = stays_taken;
        CHECK_INT(plog_selftest_remove(&s.io, s.t.dir, "d"), refused);
        CHECK_UINT(removals, tries[i]);
        selftesting_end(&s);
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"its share", its_share}, {"asks", asks},
        {"tells", tells},         {"draws", draws},
        {"heard", heard},         {"silent", silent},
        {"removed", removed},     {"removed again", removed_again},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
