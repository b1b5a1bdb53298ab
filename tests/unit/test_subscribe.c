/*
 * test_subscribe.c - following a log: order, waiting, other processes, slow
 * readers, and what happens when the store changes under a subscription.
 */
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "order_shim.h"
#include "world.h"

static struct world w;

static plog_sub *follow(uint64_t from)
{
    plog_sub *s = NULL;
    CHECK_INT(plog_subscribe(&s, w.dir, from, NULL, NULL), 0);
    return s;
}

/* The next one is `want`, and its line is the log's. */
static bool next_is(plog_sub *s, uint64_t want, double wait)
{
    uint64_t seq = 0;
    const char *line = NULL;
    size_t len = 0, n = 0;
    struct plog_error err = {0};
    int rc = plog_sub_next(s, wait, &seq, &line, &len, &err);
    if (!CHECK_INT(rc, 0) || !CHECK_UINT(seq, want)) {
        printf("#   entry %" PRIu64 ": %s\n", want, err.message);
        return false;
    }
    char *logged = world_line(&w, want, &n);
    bool same = CHECK_BYTES(line, len, logged, n);
    free(logged);
    return same;
}

static bool nothing_yet(plog_sub *s, double wait)
{
    uint64_t seq;
    const char *line;
    size_t len;
    return CHECK_INT(plog_sub_next(s, wait, &seq, &line, &len, NULL),
                     PLOG_TIMEOUT);
}

static void put_many(int n)
{
    for (int i = 0; i < n; i++)
        CHECK_INT(world_put(&w, NULL, "1", "x", NULL), 0);
}

/* ---- Where it begins ---------------------------------------------------- */

/* From the beginning, from the middle, from now, from what is to come: each
 * sees its part, control entries and losers included. */
static void from_anywhere(void)
{
    world_make(&w, PLOG_KEEP_LOCAL, 0);
    put_many(4); /* three of them are skipped */
    CHECK_INT(plog_set_strategy(w.p, PLOG_ARRIVAL, NULL, NULL), 0);
    plog_sub *all = follow(1), *middle = follow(4), *now = follow(0),
             *later = follow(9);
    CHECK(nothing_yet(now, 0));
    put_many(4);
    for (uint64_t seq = 1; seq <= 10; seq++)
        if (!next_is(all, seq, 1))
            break;
    for (uint64_t seq = 4; seq <= 10; seq++)
        if (!next_is(middle, seq, 1))
            break;
    for (uint64_t seq = 7; seq <= 10; seq++)
        if (!next_is(now, seq, 1))
            break;
    next_is(later, 9, 1);
    next_is(later, 10, 1);
    CHECK(nothing_yet(all, 0) && nothing_yet(middle, 0) &&
          nothing_yet(now, 0) && nothing_yet(later, 0));
    plog_sub_close(all);
    plog_sub_close(middle);
    plog_sub_close(now);
    plog_sub_close(later);
    plog_sub_close(NULL);
    world_end(&w, 10);
}

/* Nothing to follow is said at once. */
static void nothing_there(void)
{
    plog_sub *s = NULL;
    CHECK_INT(plog_subscribe(&s, check_dir(), 1, NULL, NULL), PLOG_E_NOTHING);
    CHECK(s == NULL);
}

/* ---- Waiting ------------------------------------------------------------ */

/* A timeout takes its time and loses nothing; 0 and less do not wait. */
static void it_times_out(void)
{
    world_make(&w, PLOG_ARRIVAL, 0);
    plog_sub *s = follow(0);
    double began = world_seconds();
    CHECK(nothing_yet(s, 0.3));
    double took = world_seconds() - began;
    CHECK(took >= 0.3 && took < 5);
    began = world_seconds();
    CHECK(nothing_yet(s, 0));
    CHECK(nothing_yet(s, -1));
    CHECK(world_seconds() - began < 1);
    put_many(1);
    next_is(s, 2, 0);
    plog_sub_close(s);
    world_end(&w, 2);
}

static int sleeps;

static void put_while_asleep(void *ctx, int64_t ns)
{
    (void)ctx, (void)ns;
    if (++sleeps == 3)
        put_many(1);
}

/* What is too long to be counted, too, is waited for; no number is not. */
static void it_waits_for_ever(void)
{
    static const double given[] = {INFINITY, 1e300, 1e10, 9.3e9};
    struct plog_io io = *plog_io_posix();
    struct plog_options o = {.struct_size = sizeof o, .io = &io};
    plog_sub *s = NULL;
    io.sleep_ns = put_while_asleep;
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(plog_subscribe(&s, w.dir, 0, &o, NULL), 0);
    for (uint64_t i = 0; i < sizeof given / sizeof *given; i++) {
        sleeps = 0;
        next_is(s, 2 + i, given[i]);
        CHECK_INT(sleeps, 3);
    }
    CHECK(nothing_yet(s, NAN));
    plog_sub_close(s);
    world_end(&w, 5);
}

static void *put_soon(void *unused)
{
    (void)unused;
    usleep(200000);
    put_many(1);
    return NULL;
}

/* Whoever waits is woken by what comes, long before the time is over. */
static void it_wakes_up(void)
{
    pthread_t writer;
    world_make(&w, PLOG_ARRIVAL, 0);
    plog_sub *s = follow(0);
    double began = world_seconds();
    CHECK_INT(pthread_create(&writer, NULL, put_soon, NULL), 0);
    next_is(s, 2, 20);
    CHECK(world_seconds() - began < 5);
    pthread_join(writer, NULL);
    plog_sub_close(s);
    world_end(&w, 2);
}

/* ---- Others ------------------------------------------------------------- */

/* Forked while nothing is open here, it begins when it is told to. */
static pid_t start_writer(int count, bool kills_itself, int *go)
{
    int ends[2];
    char byte;
    if (pipe(ends))
        abort();
    pid_t pid = fork();
    close(ends[pid == 0]);
    *go = ends[1];
    if (pid)
        return pid;
    struct world mine = w;
    mine.p = NULL;
    int failed = read(ends[0], &byte, 1) != 1 || world_open(&mine) != 0;
    for (int i = 0; i < count && !failed; i++)
        failed = world_put(&mine, NULL, "1", "y", NULL) != 0;
    if (kills_itself)
        raise(SIGKILL);
    world_close(&mine);
    _exit(failed);
}

/* Entries of another process come as one's own, also of one that was killed
 * and left padding and an open transaction's worth of WAL behind. */
static void another_process_writes(void)
{
    int status = 1;
    world_make(&w, PLOG_ARRIVAL, 4096);
    world_close(&w);
    pid_t pids[3];
    int go[3];
    for (int i = 0; i < 3; i++)
        pids[i] = start_writer(20, i == 1, &go[i]);
    plog_sub *s = follow(2);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(write(go[i], "g", 1), 1);
        close(go[i]);
        for (uint64_t n = 0; n < 20; n++)
            if (!next_is(s, 2 + 20 * (uint64_t)i + n, 20))
                break;
        waitpid(pids[i], &status, 0);
        CHECK(i == 1 ? WIFSIGNALED(status) : status == 0);
    }
    CHECK(nothing_yet(s, 0.05));
    plog_sub_close(s);
    CHECK_INT(world_open(&w), 0);
    world_end(&w, 61);
}

/* A reader that sleeps while thousands of entries, long ones among them, are
 * written gets each of them; one that reads on the way, too. */
static void slow_readers_lose_nothing(void)
{
    static char value[1900];
    struct plog_span spans[100];
    static char texts[100][2500], payload[2000];
    world_make(&w, PLOG_ARRIVAL, 64 << 10);
    plog_sub *slow = follow(2), *steady = follow(2);
    uint64_t seq, want = 2;
    const char *line;
    size_t len;
    memset(value, 'v', sizeof value - 1);
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < 100; i++) {
            struct world_delta d = {.payload = payload};
            snprintf(payload, sizeof payload, "{\"n\":\"%.*s\"}",
                     (i * 19) % 1900, value);
            spans[i].p = world_text(texts[i], sizeof texts[i], &d);
            spans[i].n = strlen(texts[i]);
        }
        struct plog_group g = {
            .struct_size = sizeof g, .deltas = spans, .delta_count = 100};
        CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
        for (int i = 0; i < 60; i++, want++)
            REQUIRE(!plog_sub_next(steady, 1, &seq, &line, &len, NULL) &&
                    seq == want);
    }
    for (; want <= 3001; want++)
        REQUIRE(!plog_sub_next(steady, 1, &seq, &line, &len, NULL) &&
                seq == want);
    for (want = 2; want <= 3001; want++)
        REQUIRE(!plog_sub_next(slow, 1, &seq, &line, &len, NULL) &&
                seq == want && line[len - 1] == '}');
    CHECK(nothing_yet(slow, 0) && nothing_yet(steady, 0));
    plog_sub_close(slow);
    plog_sub_close(steady);
    world_end(&w, 3001);
}

/* ---- When the store changes under it ------------------------------------ */

/* A hole in the store is an error with the entry's number, not a jump. */
static void a_hole_is_told(void)
{
    uint64_t seq;
    const char *line;
    size_t len;
    struct plog_error err = {0};
    world_make(&w, PLOG_ARRIVAL, 0);
    put_many(5);
    world_close(&w);
    world_sql(&w, "DELETE FROM events WHERE seq=4");
    plog_sub *s = follow(3);
    int rc = plog_sub_next(s, 0, &seq, &line, &len, &err);
    CHECK((rc == 0 && seq == 3) || rc == PLOG_E_DIVERGED);
    if (rc == 0)
        rc = plog_sub_next(s, 0, &seq, &line, &len, &err);
    CHECK_INT(rc, PLOG_E_DIVERGED);
    CHECK_UINT(err.seq, 4);
    plog_sub_close(s);
}

/* What was compacted away before it was read is reported with first and
 * number, and the next call goes on behind it. */
static void what_is_lost_is_told(void)
{
    uint64_t seq;
    const char *line;
    size_t len;
    world_make(&w, PLOG_ARRIVAL, 0);
    put_many(5);
    world_close(&w);
    plog_sub *s = follow(2);
    world_sql(&w, "DELETE FROM events WHERE seq<=4; UPDATE meta SET floor=4");
    CHECK_INT(plog_sub_next(s, 0, &seq, &line, &len, NULL), PLOG_E_PRUNED);
    CHECK_UINT(seq, 2);
    CHECK_UINT(len, 3);
    CHECK_INT(plog_sub_next(s, 0, &seq, &line, &len, NULL), 0);
    CHECK_UINT(seq, 5);
    plog_sub_close(s);
}

/* The store is set aside and made anew (replay --fresh) while somebody
 * follows: either they go on, or they are told; they do not wait for ever on
 * a file that nobody writes any more. */
static void the_store_is_made_anew(void)
{
    struct plog_replay_options o = {.struct_size = sizeof o, .fresh = true};
    struct plog_replay_report report;
    uint64_t seq = 0;
    const char *line;
    size_t len;
    world_make(&w, PLOG_ARRIVAL, 0);
    put_many(2);
    plog_sub *s = follow(0);
    CHECK(nothing_yet(s, 0));
    world_close(&w);
    CHECK_INT(plog_replay(w.dir, &o, &report, NULL), 0);
    CHECK_INT(world_open(&w), 0);
    put_many(1);
    int rc = plog_sub_next(s, 1, &seq, &line, &len, NULL);
    CHECK(rc < 0 || (rc == 0 && seq == 4));
    if (rc == PLOG_TIMEOUT)
        printf("#   entry 4 is committed, and the subscription times out\n");
    plog_sub_close(s);
    world_end(&w, 4);
}

/* Lines that fill a batch by their bytes: none is left out between two. */
static void large_lines(void)
{
    static char text[500000], payload[400000];
    struct world_delta d = {.payload = payload};
    world_make(&w, PLOG_ARRIVAL, 0);
    memset(payload, 'p', sizeof payload - 1);
    memcpy(payload, "{\"v\":\"", 6);
    memcpy(payload + sizeof payload - 3, "\"}", 2);
    for (int i = 0; i < 7; i++)
        CHECK_INT(
            world_append(&w, world_text(text, sizeof text, &d), NULL, NULL), 0);
    plog_sub *all = follow(1);
    for (uint64_t seq = 1; seq <= 8; seq++)
        if (!next_is(all, seq, 1))
            break;
    CHECK(nothing_yet(all, 0));
    plog_sub_close(all);
    world_end(&w, 8);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"from_anywhere", from_anywhere},
        {"nothing_there", nothing_there},
        {"it_times_out", it_times_out},
        {"it_waits_for_ever", it_waits_for_ever},
        {"it_wakes_up", it_wakes_up},
        {"another_process_writes", another_process_writes},
        {"slow_readers_lose_nothing", slow_readers_lose_nothing},
        {"a_hole_is_told", a_hole_is_told},
        {"what_is_lost_is_told", what_is_lost_is_told},
        {"the_store_is_made_anew", the_store_is_made_anew},
        {"large_lines", large_lines},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
