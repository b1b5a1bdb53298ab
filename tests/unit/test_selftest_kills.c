/*
 * test_selftest_kills.c - selftest's logs that are killed: what is told of
 * processes that end, say nothing, or say more than is true.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "selftesting.h"

static struct selftesting s;

#define NOWHERE "do not keep a log here; report it with the seed"
#define GONE                                                                   \
    {                                                                          \
        NULL, 0, 0                                                             \
    }

/* ---- Killed -------------------------------------------------------------- */

static const char *const kills[] = {
    "kill -9 at any time", "kill -9 at a disk call", "kill -9 while repairing"};

/* The logs are removed before the next part, which may need the room. */
static void no_log_is_left(void)
{
    char path[700];
    for (int i = 1; i <= 3; i++) {
        snprintf(path, sizeof path, "%.500s/life-%d", s.scratch, i);
        CHECK(access(path, F_OK) != 0);
    }
}

static void killed(void)
{
    selftesting_begin(&s, 1);
    selftesting_fork(&s);
    s.report.kills = 1000; /* they are added to what is there */
    s.report.calls = 7000;
    plog_selftest_crashes(&s.t);
    uint64_t sum[3] = {0};
    for (int i = 0; i < 3; i++) {
        unsigned n = 0, got = 0, recovered = 0, tried = 0, fresh = 0;
        const struct selftesting_told *one = selftesting_the(&s, kills[i]);
        CHECK_INT(one->result, PLOG_TEST_OK);
        CHECK_INT(sscanf(one->figures,
                         "kills_count=%u acknowledged_count=%u"
                         " recovered_count=%u attempted_count=%u"
                         " fresh_count=%u",
                         &n, &got, &recovered, &tried, &fresh),
                  5);
        CHECK(n >= 3 && n <= 200);
        CHECK(got <= recovered && recovered <= tried && tried > 0);
        CHECK(fresh <= n);
        sum[i] = n;
        if (one->result)
            printf("# %s\n", one->found);
    }
    CHECK_UINT(s.report.kills, 1000 + sum[0]);
    CHECK_UINT(s.report.calls, 7000 + sum[1] + sum[2]);
    CHECK_UINT(s.count, 3);
    CHECK_INT(s.starts, s.stops);
    no_log_is_left();
    selftesting_end(&s);
}

static void kills_find(enum plog_test_result result, const char *found,
                       const char *next)
{
    plog_selftest_crashes(&s.t);
    for (int i = 0; i < 3; i++)
        selftesting_check(&s, kills[i], result, found, next);
    CHECK_INT(s.starts, s.stops + (s.start_rc ? 3 : 0));
    no_log_is_left();
    selftesting_end(&s);
}

/* The same word, again and again. */
static struct plog_life_note its_note;
static bool heard_now;

static int64_t hear_note(void *ctx, void *p, size_t n, int timeout_ms)
{
    (void)ctx;
    CHECK_UINT(n, sizeof its_note);
    CHECK(timeout_ms >= 0 && timeout_ms <= 50);
    heard_now = !heard_now;
    if (!heard_now)
        return 0;
    memcpy(p, &its_note, sizeof its_note);
    return sizeof its_note;
}

static void pretend(struct plog_life_note note)
{
    static const struct selftesting_word none[] = {GONE};
    selftesting_begin(&s, 1);
    selftesting_script(&s, none);
    s.host.hear = hear_note;
    its_note = note;
    heard_now = false;
}

static void what_is_said(void)
{
    pretend((struct plog_life_note){.attempted = 0});
    s.start_rc = -EAGAIN;
    kills_find(PLOG_TEST_FAIL,
               "after 0 kills: no second process could be started", NOWHERE);
    pretend(
        (struct plog_life_note){.code = PLOG_E_CORRUPT, .what = "CORRUPT: oh"});
    kills_find(PLOG_TEST_FAIL, "after 0 kills: a step failed: CORRUPT: oh",
               NOWHERE);
    pretend((struct plog_life_note){
        .attempted = 5, .acknowledged = 5, .stopped = 0});
    plog_selftest_crashes(&s.t);
    selftesting_check(&s, kills[0], PLOG_TEST_FAIL,
                      "after 1 kills: 5 deltas were acknowledged and 5"
                      " attempted, and 0 are there",
                      NOWHERE);
    /* it ended by itself */
    selftesting_check(&s, kills[1], PLOG_TEST_FAIL,
                      "after 0 kills: 5 deltas were acknowledged and 5"
                      " attempted, and 0 are there",
                      NOWHERE);
    CHECK_UINT(s.report.kills, 1);
    CHECK_UINT(s.report.calls, 0);
    selftesting_end(&s);
}

/* ---- A log that is written to -------------------------------------------- */

/* Appends the first delta of the log of this test. */
static int start_with_delta(void *ctx, int (*work)(void *arg), void *arg)
{
    struct plog_options o = {.struct_size = sizeof o,
                             .allow_network_fs = true,
                             .allow_loose_modes = true};
    char path[700], text[PLOG_LIFE_TEXT];
    plog *p = NULL;
    (void)ctx, (void)work, (void)arg;
    s.starts++;
    for (int i = 3; i > 0; i--) { /* there is one at a time */
        snprintf(path, sizeof path, "%.500s/life-%d", s.scratch, i);
        if (access(path, F_OK) == 0)
            break;
    }
    CHECK_INT(plog_open(&p, path, &o, NULL), 0);
    size_t n = plog_life_text(text, 1);
    CHECK_INT(plog_append(p, text, n, NULL, NULL), 0);
    plog_close(p);
    return 0;
}

/* What is there, and yet is not what was acknowledged, is not recovered. */
static void not_recovered(void)
{
    char found[200], figures[200];
    pretend((struct plog_life_note){
        .attempted = 7, .acknowledged = 5, .stopped = 0});
    s.host.start = start_with_delta;
    plog_selftest_crashes(&s.t);
    for (int i = 0; i < 3; i++) {
        unsigned killed_now = i == 0; /* the others end by themselves */
        snprintf(found, sizeof found,
                 "after %u kills: 5 deltas were acknowledged and 7 attempted,"
                 " and 1 are there",
                 killed_now);
        selftesting_check(&s, kills[i], PLOG_TEST_FAIL, found, NOWHERE);
        snprintf(figures, sizeof figures,
                 "kills_count=%u acknowledged_count=5 recovered_count=0"
                 " attempted_count=7 fresh_count=0 ",
                 killed_now);
        CHECK_TEXT(selftesting_the(&s, kills[i])->figures, figures);
    }
    CHECK_UINT(s.report.kills, 1);
    CHECK_UINT(s.report.calls, 0);
    selftesting_end(&s);
}

/* What is there, and was acknowledged, is, once. */
static void recovered(void)
{
    pretend((struct plog_life_note){
        .attempted = 1, .acknowledged = 1, .stopped = 0});
    s.host.start = start_with_delta;
    s.stop_at = 1;
    s.t.started -= INT64_C(5000000000); /* its share is over */
    plog_selftest_crashes(&s.t);
    selftesting_check(&s, kills[0], PLOG_TEST_OK,
                      "3 kills; of 1 deltas attempted, 1 acknowledged, 1"
                      " recovered; none lost; parity CLEAN, 0 times also with a"
                      " new store",
                      "");
    CHECK_TEXT(selftesting_the(&s, kills[0])->figures,
               "kills_count=3 acknowledged_count=1 recovered_count=1"
               " attempted_count=1 fresh_count=0 ");
    CHECK_UINT(s.count, 1);
    no_log_is_left();
    selftesting_end(&s);
}

/* ---- What was said before the end ---------------------------------------- */

static const struct selftesting_word *of_each; /* child */

static int start_words(void *ctx, int (*work)(void *arg), void *arg)
{
    (void)ctx, (void)work, (void)arg;
    s.starts++;
    s.words = of_each;
    return 0;
}

/* Of a child that is gone, or was killed, all is heard that it had said: the
 * last note counts, and that it had stopped. */
static void said_before(void)
{
    static const struct plog_life_note first = {.attempted = 1000,
                                                .acknowledged = 1000},
                                       last = {.attempted = 7,
                                               .acknowledged = 5},
                                       stopped = {.attempted = 77,
                                                  .acknowledged = 77,
                                                  .stopped = 1};
    static const struct selftesting_word words[] = {
        {NULL, 0, -EAGAIN},
        {&first, sizeof first, 0},
        {NULL, 0, -EPIPE},
        {&last, sizeof last, 0},
        {&stopped, sizeof stopped, 0},
        GONE};
    selftesting_begin(&s, 1);
    selftesting_script(&s, words);
    of_each = words;
    s.host.start = start_words;
    plog_selftest_crashes(&s.t);
    for (int i = 0; i < 3; i++) {
        selftesting_check(&s, kills[i], PLOG_TEST_FAIL,
                          "after 1 kills: 5 deltas were acknowledged and 7"
                          " attempted, and 0 are there",
                          NOWHERE);
        CHECK_TEXT(selftesting_the(&s, kills[i])->figures,
                   "kills_count=1 acknowledged_count=5 recovered_count=0"
                   " attempted_count=7 fresh_count=0 ");
    }
    CHECK_INT(s.starts, 4); /* one that repairs */
    CHECK_INT(s.stops, 4);
    selftesting_end(&s);
}

#define NOTES 80 /* two a step: more than those of a child that ends */

static int64_t (*hear_one)(void *ctx, void *p, size_t n, int timeout_ms);
static unsigned notes_heard;

static int64_t hear_many(void *ctx, void *p, size_t n, int timeout_ms)
{
    int64_t got = (int64_t)n;
    for (; got == (int64_t)n && notes_heard < NOTES; notes_heard++)
        got = hear_one(ctx, p, n, 10000);
    return got == (int64_t)n ? hear_one(ctx, p, n, timeout_ms) : got;
}

static int no_more(void *arg, const struct plog_progress *p);
static unsigned asked, no_at;

/* One that is killed at any time writes until it is. */
static void writes_on(void)
{
    selftesting_begin(&s, 1);
    selftesting_fork(&s);
    hear_one = s.host.hear;
    s.host.hear = hear_many;
    s.o.progress = no_more;
    notes_heard = asked = 0;
    no_at = 3;
    plog_selftest_crashes(&s.t);
    CHECK_UINT(notes_heard, NOTES);
    CHECK_INT(s.starts, 1);
    CHECK_UINT(s.report.kills, 1);
    selftesting_end(&s);
}

/* One that never comes to the call is no kill, and is not tried for ever. */
static void never_stops(void)
{
    static const struct selftesting_word none[] = {GONE};
    selftesting_begin(&s, 1);
    selftesting_script(&s, none);
    s.t.started -= INT64_C(5000000000); /* its share is over */
    plog_selftest_crashes(&s.t);
    selftesting_check(&s, kills[0], PLOG_TEST_OK,
                      "3 kills; of 0 deltas attempted, 0 acknowledged, 0"
                      " recovered; none lost; parity CLEAN, 0 times also with a"
                      " new store",
                      "");
    selftesting_check(&s, kills[1], PLOG_TEST_SKIP, "no time was left for it",
                      "give it more --seconds");
    CHECK_INT(s.starts, 3 + 40 + 80);
    CHECK_UINT(s.report.kills, 3);
    CHECK_UINT(s.report.calls, 0);
    selftesting_end(&s);
}

static int no_more(void *arg, const struct plog_progress *p)
{
    (void)arg, (void)p;
    return ++asked == no_at;
}

/* Who is told to stop while it listens kills the one that it has, judges what
 * that left, and starts no other. */
static void told_to_stop(void)
{
    static const struct selftesting_word none[] = {GONE};
    selftesting_begin(&s, 1);
    selftesting_script(&s, none);
    s.o.progress = no_more;
    s.host.hear = hear_note;
    its_note = (struct plog_life_note){.attempted = 0};
    asked = 0;
    no_at = 2; /* at first it asks whether there is time for a turn */
    plog_selftest_crashes(&s.t);
    CHECK(s.t.stopped);
    CHECK_UINT(asked, no_at);
    CHECK_INT(s.starts, 1);
    CHECK_INT(s.stops, 1);
    CHECK_UINT(s.report.kills, 1);
    CHECK_UINT(s.count, 0); /* he is told nothing more */
    selftesting_end(&s);
}

static void no_time(void)
{
    static const struct selftesting_word none[] = {GONE};
    selftesting_begin(&s, 1);
    selftesting_script(&s, none);
    s.t.started -= INT64_C(58000000000);
    kills_find(PLOG_TEST_SKIP, "no time was left for it",
               "give it more --seconds");
    CHECK_INT(s.starts, 0);
}

static void *no_memory(void *ctx, void *p, size_t n)
{
    return n ? NULL : plog_io_posix()->alloc(ctx, p, n);
}

static void without(void)
{
    static const struct selftesting_word none[] = {GONE};
    selftesting_begin(&s, 1);
    plog_selftest_crashes(&s.t);
    selftesting_check(&s, "kill -9", PLOG_TEST_SKIP,
                      "no second process can be made", "");
    s.count = 0;
    selftesting_script(&s, none);
    s.io.alloc = no_memory;
    plog_selftest_crashes(&s.t);
    selftesting_check(&s, "kill -9", PLOG_TEST_SKIP, "out of memory", "");
    s.count = 0;
    plog_selftest_errors(&s.t);
    selftesting_check(&s, "errors of the disk", PLOG_TEST_SKIP, "out of memory",
                      "");
    CHECK_UINT(s.count, 1);
    selftesting_end(&s);
}

static int no_log(void *ctx, int dir, const char *name, uint32_t mode)
{
    return !strstr(name, "life-")
               ? plog_io_posix()->mkdir_at(ctx, dir, name, mode)
               : -EDQUOT;
}

static void no_log_at_all(void)
{
    static const struct selftesting_word none[] = {GONE};
    static const char begins[] = "after 0 kills: making a log: IO: ";
    selftesting_begin(&s, 1);
    selftesting_script(&s, none);
    s.io.mkdir_at = no_log;
    plog_selftest_crashes(&s.t);
    for (int i = 0; i < 3; i++) {
        const struct selftesting_told *one = selftesting_the(&s, kills[i]);
        CHECK_INT(one->result, PLOG_TEST_FAIL);
        CHECK(strncmp(one->found, begins, strlen(begins)) == 0);
        CHECK_TEXT(one->next, NOWHERE);
    }
    CHECK_INT(s.starts, 0);
    selftesting_end(&s);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"killed", killed},
        {"what is said", what_is_said},
        {"not recovered", not_recovered},
        {"recovered", recovered},
        {"said before", said_before},
        {"writes on", writes_on},
        {"never stops", never_stops},
        {"no time", no_time},
        {"told to stop", told_to_stop},
        {"without", without},
        {"no log at all", no_log_at_all},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
