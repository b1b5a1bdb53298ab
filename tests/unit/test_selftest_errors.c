/*
 * test_selftest_errors.c - selftest's logs on a disk that fails, or that is
 * locked, and how many appends a second it counts.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "selftesting.h"

static struct selftesting s;

#define NOWHERE "do not keep a log here; report it with the seed"

/* ---- On a disk that fails ------------------------------------------------ */

static const char *const errors[] = {"full disk (ENOSPC)",
                                     "failing disk (EIO)"};

static void outlives(void)
{
    selftesting_begin(&s, 1);
    plog_selftest_errors(&s.t);
    uint64_t sum = 0;
    for (int i = 0; i < 2; i++) {
        char want[200];
        unsigned n = 0, unsure = 0, deltas = 0;
        const struct selftesting_told *one = selftesting_the(&s, errors[i]);
        CHECK_INT(one->result, PLOG_TEST_OK);
        CHECK_INT(sscanf(one->figures,
                         "errors_count=%u indeterminate_count=%u"
                         " deltas_count=%u",
                         &n, &unsure, &deltas),
                  3);
        CHECK(n >= 3 && unsure <= n && deltas > 0);
        snprintf(want, sizeof want,
                 "%u injected, %u indeterminate; %u deltas, none lost; parity"
                 " CLEAN",
                 n, unsure, deltas);
        CHECK_TEXT(one->found, want);
        sum += n;
    }
    CHECK_UINT(s.report.faults, sum);
    selftesting_end(&s);
}

static int no_log(void *ctx, int dir, const char *name, uint32_t mode)
{
    return !strstr(name, "life-")
               ? plog_io_posix()->mkdir_at(ctx, dir, name, mode)
               : -EDQUOT;
}

static void errors_late(void)
{
    selftesting_begin(&s, 1);
    s.t.started -= INT64_C(58000000000);
    plog_selftest_errors(&s.t);
    for (int i = 0; i < 2; i++)
        selftesting_check(&s, errors[i], PLOG_TEST_SKIP,
                          "no time was left for it", "give it more --seconds");
    selftesting_end(&s);
    selftesting_begin(&s, 1);
    s.io.mkdir_at = no_log;
    plog_selftest_errors(&s.t);
    for (int i = 0; i < 2; i++)
        CHECK(strncmp(selftesting_the(&s, errors[i])->found,
                      "after 0 errors: making a log: IO: ", 34) == 0);
    selftesting_end(&s);
}

static unsigned made;

static int count_log(void *ctx, int dir, const char *name, uint32_t mode)
{
    const char *slash = strrchr(name, '/');
    made += slash && strncmp(slash, "/life-", 6) == 0;
    return plog_io_posix()->mkdir_at(ctx, dir, name, mode);
}

/* Late, no more errors come than must: the lives of each kind go on with the
 * same log, which is judged after each. */
static void on_one_log(void)
{
    selftesting_begin(&s, 1);
    s.io.mkdir_at = count_log;
    s.t.started -= INT64_C(5000000000);
    made = 0;
    plog_selftest_errors(&s.t);
    for (int i = 0; i < 2; i++) {
        const struct selftesting_told *one = selftesting_the(&s, errors[i]);
        CHECK_INT(one->result, PLOG_TEST_OK);
        CHECK(strncmp(one->figures, "errors_count=3 ", 15) == 0);
    }
    CHECK_UINT(made, 2);
    selftesting_end(&s);
}

static unsigned locks, refuse_locks;

static int on_lock(void *ctx, int fd, int mode)
{
    if (mode && ++locks >= refuse_locks)
        return -EAGAIN;
    return plog_io_posix()->lock(ctx, fd, mode);
}

static int64_t clock_now;

static int64_t on_clock(void *ctx)
{
    (void)ctx;
    return clock_now += 1000;
}

static void on_sleep(void *ctx, int64_t ns)
{
    (void)ctx;
    clock_now += ns;
}

/* A lock that is held is no error of the disk, wherever it is met. */
static void locked(void)
{
    static const char *const begins[] = {
        "after 0 errors: making a log: LOCKED: ", ", and it came to LOCKED: ",
        ": opening it again: LOCKED: "};
    bool met[3] = {false};
    for (refuse_locks = 1; refuse_locks < 24; refuse_locks++) {
        selftesting_begin(&s, 1);
        s.io.lock = on_lock;
        s.io.clock_mono_ns = on_clock;
        s.io.sleep_ns = on_sleep;
        s.t.started = clock_now = locks = 0;
        plog_selftest_errors(&s.t);
        const struct selftesting_told *one = selftesting_the(&s, errors[0]);
        if (locks >= refuse_locks) {
            CHECK_INT(one->result, PLOG_TEST_FAIL);
            CHECK_TEXT(one->next, NOWHERE);
        }
        for (int i = 0; i < 3; i++)
            met[i] |= strstr(one->found, begins[i]) != NULL;
        selftesting_end(&s);
    }
    for (int i = 0; i < 3; i++)
        CHECK(met[i]);
}

static unsigned syncs, fails_at;

static int sync_or_not(void *ctx, int fd)
{
    return ++syncs == fails_at ? -EIO : plog_io_posix()->fdatasync(ctx, fd);
}

/* An error that nobody injected is told, although the log outlives it. */
static void not_injected(void)
{
    unsigned told = 0;
    for (fails_at = 12; fails_at < 16; fails_at++) {
        selftesting_begin(&s, 1);
        s.io.fdatasync = sync_or_not;
        s.io.clock_mono_ns = on_clock;
        s.io.sleep_ns = on_sleep;
        clock_now = 0;
        s.t.started = -INT64_C(5000000000);
        syncs = 0;
        plog_selftest_errors(&s.t);
        const struct selftesting_told *one = selftesting_the(&s, errors[0]);
        if (one->result == PLOG_TEST_FAIL) {
            CHECK(strncmp(one->found, "after 0 errors: call ", 21) == 0);
            CHECK(strstr(one->found, " failed, and it came to "));
            CHECK_TEXT(one->next, NOWHERE);
            told++;
        }
        selftesting_end(&s);
    }
    CHECK(told > 1);
}

static int64_t held_until; /* 0: it was not refused yet */

static int on_lock_for_a_while(void *ctx, int fd, int mode)
{
    if (mode && ++locks == refuse_locks)
        held_until = clock_now + INT64_C(4000000000); /* 2 s are waited */
    if (mode && clock_now < held_until)
        return -EAGAIN;
    return plog_io_posix()->lock(ctx, fd, mode);
}

/* Nor is one that is free again when what is left is judged, and where the disk
 * had an error before, as in the third life it had. */
static void locked_for_a_while(void)
{
    bool met = false, reached = true;
    for (refuse_locks = 50; !met && reached; refuse_locks++) {
        selftesting_begin(&s, 1);
        s.io.lock = on_lock_for_a_while;
        s.io.clock_mono_ns = on_clock;
        s.io.sleep_ns = on_sleep;
        s.t.started = clock_now = held_until = 0;
        locks = 0;
        plog_selftest_errors(&s.t);
        const struct selftesting_told *one = selftesting_the(&s, errors[0]);
        reached = locks >= refuse_locks;
        met = one->result == PLOG_TEST_FAIL &&
              strncmp(one->found, "after 2 errors: call ", 21) == 0 &&
              strstr(one->found, ", and it came to LOCKED: ");
        selftesting_end(&s);
    }
    CHECK(met);
}

/* ---- Rates --------------------------------------------------------------- */

static void rate(const char *name, unsigned least, unsigned deltas)
{
    unsigned commits = 0, said = 0;
    double commits_a_second = 0, deltas_a_second = 0, rounded = 0, ms = 0;
    const struct selftesting_told *one = selftesting_the(&s, name);
    CHECK_INT(one->result, PLOG_TEST_OK);
    CHECK_INT(sscanf(one->figures,
                     "commits_count=%u commits_per_second=%lf"
                     " deltas_per_second=%lf",
                     &commits, &commits_a_second, &deltas_a_second),
              3);
    CHECK_UINT(commits, least);
    CHECK(commits_a_second > 0);
    CHECK(deltas_a_second > 0.99 * deltas * commits_a_second);
    CHECK(deltas_a_second < 1.01 * deltas * commits_a_second);
    CHECK_INT(sscanf(one->found,
                     "%lf durable deltas a second (%u commits, %lf ms each)",
                     &rounded, &said, &ms),
              3);
    CHECK_UINT(said, least);
    CHECK(rounded > 0.99 * deltas_a_second - 1);
    CHECK(rounded < 1.01 * deltas_a_second + 1);
    double each = 1e3 / commits_a_second;
    CHECK(ms > 0.999 * each - 0.006 && ms < 1.001 * each + 0.006);
}

static int64_t stopped_at;

static int64_t stopped_clock(void *ctx)
{
    (void)ctx;
    return stopped_at;
}

/* Where its share is over, so many at least. */
static void rates(void)
{
    static const double seconds[] = {1, 5};
    for (int i = 0; i < 2; i++) {
        selftesting_begin(&s, seconds[i]);
        s.t.started -= INT64_C(8000000000);
        plog_selftest_rates(&s.t);
        rate("appends, 1 a commit", i ? 3 : 2, 1);
        rate("appends, 100 a commit", i ? 3 : 2, 100);
        CHECK_UINT(s.count, 2);
        selftesting_end(&s);
    }
    selftesting_begin(&s, 1);
    stopped_at = s.t.started + INT64_C(58000000000);
    s.io.clock_mono_ns = stopped_clock;
    plog_selftest_rates(&s.t);
    selftesting_check(&s, "appends, 1 a commit", PLOG_TEST_OK,
                      "0 durable deltas a second (0 commits, 0.00 ms each)",
                      "");
    CHECK_TEXT(selftesting_the(&s, "appends, 1 a commit")->figures,
               "commits_count=0 commits_per_second=0 deltas_per_second=0 ");
    CHECK_UINT(s.count, 2);
    selftesting_end(&s);
}

static int no_rates(void *ctx, int dir, const char *name, uint32_t mode)
{
    return strstr(name, "rates")
               ? -EROFS
               : plog_io_posix()->mkdir_at(ctx, dir, name, mode);
}

static size_t refuse_size;

static void *on_alloc(void *ctx, void *p, size_t n)
{
    return n == refuse_size ? NULL : plog_io_posix()->alloc(ctx, p, n);
}

static void no_rates_at_all(void)
{
    selftesting_begin(&s, 1);
    s.io.mkdir_at = no_rates;
    plog_selftest_rates(&s.t);
    CHECK(strncmp(selftesting_the(&s, "appends, 1 a commit")->found,
                  "IO: ", 4) == 0);
    CHECK_UINT(s.count, 1); /* the others are not tried */
    CHECK_TEXT(selftesting_the(&s, "appends, 1 a commit")->figures, "");
    selftesting_end(&s);
    selftesting_begin(&s, 1);
    s.io.alloc = on_alloc;
    refuse_size = 100 * PLOG_LIFE_TEXT;
    plog_selftest_rates(&s.t);
    selftesting_check(&s, "appends, 1 a commit", PLOG_TEST_OK, NULL, "");
    selftesting_check(&s, "appends, 100 a commit", PLOG_TEST_FAIL,
                      "NOMEM: out of memory", "");
    selftesting_end(&s);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"outlives", outlives},
        {"errors late", errors_late},
        {"on one log", on_one_log},
        {"locked", locked},
        {"not injected", not_injected},
        {"locked for a while", locked_for_a_while},
        {"rates", rates},
        {"no rates at all", no_rates_at_all},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
