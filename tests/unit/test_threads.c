/*
 * test_threads.c - many threads on one handle, and several processes on one
 * directory.  Runs under the thread sanitizer, too.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "order_shim.h"
#include "paritylog_recovery.h"

#define THREADS 8
#define PROCESSES 8
#define EACH 1000

static char dir[512];

static void make_log(uint64_t segment_size)
{
    char vkey[PLOG_VKEY_MAX];
    struct plog_init_options o = {.struct_size = sizeof o,
                                  .segment_size_bytes = segment_size};
    snprintf(dir, sizeof dir, "%.400s/log", check_dir());
    CHECK_INT(plog_init(dir, &o, vkey, NULL), 0);
}

static plog *open_log(void)
{
    struct plog_options o = {
        .struct_size = sizeof o, .io = order_io(), .wait_seconds = 60};
    struct plog_error err = {0};
    plog *p = NULL;
    if (!CHECK_INT(plog_open(&p, dir, &o, &err), 0))
        printf("#   %s\n", err.message);
    return p;
}

static uint64_t parity(void)
{
    struct plog_check_report report = {0};
    CHECK_INT(plog_parity(dir, NULL, &report, NULL), 0);
    CHECK_TEXT(plog_code_word(report.verdict), "CLEAN");
    return report.head.size;
}

static int put(plog *p, const char *who, int i, uint64_t *seq)
{
    char text[400];
    struct plog_receipt r = {0};
    snprintf(text, sizeof text,
             "{\"id\":\"%s-%d\",\"resource\":\"r\",\"record_id\":\"%d\",\"op\":"
             "\"upsert\",\"payload\":{\"who\":\"%s\",\"i\":%d},\"occurred_at\":"
             "\"2026-01-02T03:04:05Z\",\"provenance\":{\"source\":\"s\","
             "\"confidence\":1}}",
             who, i, i % 11, who, i);
    int rc = plog_append(p, text, strlen(text), &r, NULL);
    *seq = r.seq;
    return rc;
}

/* ---- Threads ----------------------------------------------------------------
 */

struct writer {
    plog *p;
    int number;
    bool noisy; /* refused and doubled requests in between */
    unsigned failed;
    uint64_t seqs[EACH];
};

static void *write_many(void *arg)
{
    struct writer *w = arg;
    char who[16];
    snprintf(who, sizeof who, "t%d", w->number);
    for (int i = 0; i < EACH; i++) {
        uint64_t again;
        w->failed += put(w->p, who, i, &w->seqs[i]) != 0;
        if (w->noisy && i % 5 == 0) {
            w->failed += plog_append(w->p, "{}", 2, NULL, NULL) != PLOG_E_INPUT;
            w->failed += put(w->p, who, i, &again) != 0;
            w->failed += again != w->seqs[i];
        }
    }
    return NULL;
}

static void *follow(void *arg)
{
    plog_sub *s = arg;
    uint64_t seq, want = 1;
    const char *line;
    size_t len;
    while (want <= 1 + THREADS * EACH &&
           plog_sub_next(s, 20, &seq, &line, &len, NULL) == 0 && seq == want)
        want++;
    return (void *)(uintptr_t)(want - 1);
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Every delta has a seq of its own, none is missing, and a refused or doubled
 * request in a shared group harms no other. */
static void threads(void)
{
    static struct writer writers[THREADS];
    static uint64_t all[THREADS * EACH];
    pthread_t ids[THREADS], follower;
    plog_sub *sub = NULL;
    void *followed;
    make_log(64 << 10);
    plog *p = open_log();
    CHECK_INT(plog_subscribe(&sub, dir, 1, NULL, NULL), 0);
    CHECK_INT(pthread_create(&follower, NULL, follow, sub), 0);
    for (int i = 0; i < THREADS; i++) {
        writers[i] = (struct writer){.p = p, .number = i, .noisy = i % 2};
        CHECK_INT(pthread_create(&ids[i], NULL, write_many, &writers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(ids[i], NULL);
        CHECK_UINT(writers[i].failed, 0);
        memcpy(all + i * EACH, writers[i].seqs, sizeof writers[i].seqs);
    }
    pthread_join(follower, &followed);
    CHECK_UINT((uintptr_t)followed, 1 + THREADS * EACH);
    plog_sub_close(sub);
    plog_close(p);
    qsort(all, THREADS * EACH, sizeof *all, by_number);
    for (size_t i = 0; i < THREADS * EACH; i++)
        if (!CHECK_UINT(all[i], i + 2))
            break;
    CHECK_UINT(parity(), 1 + THREADS * EACH);
}

/* ---- Processes ---------------------------------------------------------- */

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A child's whole life; its exit status tells what went wrong. */
static int child(int number, int first, int count)
{
    char who[16];
    uint64_t seq;
    double slowest = 0;
    plog *p = open_log();
    snprintf(who, sizeof who, "p%d", number);
    for (int i = first; p && i < first + count; i++) {
        double began = seconds();
        if (put(p, who, i, &seq))
            return 2;
        if (seconds() - began > slowest)
            slowest = seconds() - began;
    }
    plog_close(p);
    if (slowest > 5)
        return 3;
    return p ? 0 : 1;
}

static pid_t start(int number, int first, int count)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(child(number, first, count));
    return pid;
}

/* Several processes append at once; none waits for long. */
static void processes(void)
{
    pid_t pids[PROCESSES];
    make_log(64 << 10);
    for (int i = 0; i < PROCESSES; i++)
        pids[i] = start(i, 0, EACH);
    for (int i = 0; i < PROCESSES; i++) {
        int status = 1;
        waitpid(pids[i], &status, 0);
        CHECK_INT(status, 0);
    }
    CHECK_UINT(parity(), 1 + PROCESSES * EACH);
}

/* One of them is killed again and again at random moments; the others mend
 * what it leaves and go on. */
static void processes_and_kills(void)
{
    uint64_t seed = check_seed();
    pid_t pids[3];
    make_log(32 << 10);
    for (int i = 0; i < 3; i++)
        pids[i] = start(i, 0, 150);
    for (int i = 0; i < 40; i++) {
        pid_t victim = start(9, i * 1000, 1000);
        usleep((useconds_t)(check_random(&seed) % 12000));
        kill(victim, SIGKILL);
        waitpid(victim, NULL, 0);
    }
    for (int i = 0; i < 3; i++) {
        int status = 1;
        waitpid(pids[i], &status, 0);
        CHECK_INT(status, 0);
    }
    plog *p = open_log(); /* mends what the last kill left */
    plog_close(p);
    CHECK(parity() >= 1 + 3 * 150);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"threads", threads},
        {"processes", processes},
        {"processes_and_kills", processes_and_kills},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
