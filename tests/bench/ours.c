/* ours.c - the rows of the engine itself, through its public calls. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "paritylog_recovery.h"

#define CALLERS_MAX 64

static void check(int rc, const char *what, const struct plog_error *err)
{
    if (rc)
        bench_die(what,
                  err && err->message[0] ? err->message : plog_strerror(rc));
}

static void log_path(const struct bench_task *t, char *out)
{
    snprintf(out, 600, "%s/log", t->dir);
}

static void init(const struct bench_task *t)
{
    char path[600], vkey[PLOG_VKEY_MAX];
    struct plog_init_options o = {.struct_size = sizeof o,
                                  .strategy = PLOG_ARRIVAL};
    struct plog_error err = {0};
    log_path(t, path);
    check(plog_init(path, &o, vkey, &err), "init", &err);
}

static plog *open_log(const struct bench_task *t)
{
    char path[600];
    plog *p = NULL;
    struct plog_options o = {.struct_size = sizeof o, .wait_seconds = 60};
    struct plog_error err = {0};
    log_path(t, path);
    check(plog_open(&p, path, &o, &err), "open", &err);
    return p;
}

/* Appends `count` events from `first` on as one group. */
static void append(plog *p, uint64_t first, unsigned count, char *text,
                   struct plog_span *spans)
{
    struct plog_error err = {0};
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = spans, .delta_count = count};
    size_t at = 0;
    for (unsigned i = 0; i < count; i++) {
        spans[i].p = text + at;
        spans[i].n = bench_event(first + i, text + at);
        at += spans[i].n;
    }
    check(plog_append_group(p, &g, NULL, &err), "append", &err);
}

struct caller {
    const struct bench_task *t;
    plog *p;
    unsigned number;
    struct bench_row row;
};

static void run_caller(struct caller *c)
{
    unsigned batch = c->t->batch;
    char *text = malloc((size_t)batch * BENCH_EVENT_MAX);
    struct plog_span *spans = malloc(batch * sizeof *spans);
    uint64_t next = (uint64_t)c->number << 32;
    if (!text || !spans)
        bench_die("memory", "exhausted");
    double began = bench_seconds(), now = began;
    while (now - began < c->t->seconds) {
        append(c->p, next, batch, text, spans);
        next += batch;
        c->row.events += batch;
        double then = now;
        now = bench_seconds();
        bench_commit(&c->row, now - then);
    }
    c->row.seconds = now - began;
    free(text);
    free(spans);
}

void bench_ours(const struct bench_task *t, struct bench_row *r)
{
    struct caller c = {.t = t};
    init(t);
    c.p = open_log(t);
    run_caller(&c);
    *r = c.row;
    plog_close(c.p);
    r->bytes = bench_disk(t->dir);
}

static void merge(struct bench_row *r, struct bench_row *one)
{
    r->events += one->events;
    if (one->seconds > r->seconds)
        r->seconds = one->seconds;
    for (size_t i = 0; i < one->count; i++)
        bench_commit(r, one->commits[i]);
}

static void *thread(void *arg)
{
    run_caller(arg);
    return NULL;
}

void bench_threads(const struct bench_task *t, struct bench_row *r)
{
    static struct caller c[CALLERS_MAX];
    pthread_t ids[CALLERS_MAX];
    init(t);
    plog *p = open_log(t);
    for (unsigned i = 0; i < t->callers; i++) {
        c[i] = (struct caller){.t = t, .p = p, .number = i};
        if (pthread_create(&ids[i], NULL, thread, &c[i]))
            bench_die("a thread", "cannot start");
    }
    for (unsigned i = 0; i < t->callers; i++) {
        pthread_join(ids[i], NULL);
        merge(r, &c[i].row);
        bench_row_free(&c[i].row);
    }
    plog_close(p);
}

#define TOLD 65536 /* commits that a process can tell of */

struct told {
    uint64_t events;
    double seconds;
    size_t count;
    double commits[TOLD];
};

static void process(const struct bench_task *t, unsigned number,
                    struct told *told)
{
    struct caller c = {.t = t, .number = number};
    c.p = open_log(t);
    run_caller(&c);
    plog_close(c.p);
    told->events = c.row.events;
    told->seconds = c.row.seconds;
    told->count = c.row.count < TOLD ? c.row.count : TOLD;
    memcpy(told->commits, c.row.commits, told->count * sizeof(double));
}

void bench_processes(const struct bench_task *t, struct bench_row *r)
{
    size_t size = t->callers * sizeof(struct told);
    struct told *told = mmap(NULL, size, PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pids[CALLERS_MAX];
    if (told == MAP_FAILED)
        bench_die("memory", "exhausted");
    init(t);
    for (unsigned i = 0; i < t->callers; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            process(t, i, &told[i]);
            _exit(0);
        }
    }
    for (unsigned i = 0; i < t->callers; i++) {
        int status = 1;
        waitpid(pids[i], &status, 0);
        if (status)
            bench_die("a process", "failed");
        struct bench_row one = {.events = told[i].events,
                                .seconds = told[i].seconds,
                                .commits = told[i].commits,
                                .count = told[i].count};
        merge(r, &one);
    }
    munmap(told, size);
}

/* ---- Reading ------------------------------------------------------------ */

void bench_make_log(const struct bench_task *t)
{
    enum { GROUP = 1000 };
    char *text = malloc((size_t)GROUP * BENCH_EVENT_MAX);
    struct plog_span *spans = malloc(GROUP * sizeof *spans);
    if (!text || !spans)
        bench_die("memory", "exhausted");
    init(t);
    plog *p = open_log(t);
    for (uint64_t i = 0; i < t->events; i += GROUP)
        append(p, i, GROUP, text, spans);
    plog_close(p);
    free(text);
    free(spans);
}

static void clean(int rc, const struct plog_check_report *report,
                  const struct plog_error *err, const char *what,
                  struct bench_row *r)
{
    check(rc, what, err);
    if (report->verdict)
        bench_die(what, plog_code_word(report->verdict));
    r->events = report->entries;
}

void bench_verify(const struct bench_task *t, struct bench_row *r)
{
    char path[600];
    struct plog_check_report report;
    struct plog_error err = {0};
    log_path(t, path);
    double began = bench_seconds();
    int rc = plog_verify(path, NULL, &report, &err);
    r->seconds = bench_seconds() - began;
    clean(rc, &report, &err, "verify", r);
}

void bench_parity(const struct bench_task *t, struct bench_row *r)
{
    char path[600];
    struct plog_check_report report;
    struct plog_error err = {0};
    log_path(t, path);
    double began = bench_seconds();
    int rc = plog_parity(path, NULL, &report, &err);
    r->seconds = bench_seconds() - began;
    clean(rc, &report, &err, "parity", r);
}

void bench_rebuild(const struct bench_task *t, struct bench_row *r)
{
    char path[600];
    struct plog_replay_options o = {.struct_size = sizeof o, .fresh = true};
    struct plog_replay_report report;
    struct plog_error err = {0};
    log_path(t, path);
    double began = bench_seconds();
    check(plog_replay(path, &o, &report, &err), "replay", &err);
    r->seconds = bench_seconds() - began;
    r->events = report.applied;
}

void bench_open(const struct bench_task *t, struct bench_row *r)
{
    double began = bench_seconds(), now = began;
    while (now - began < t->seconds) {
        plog_close(open_log(t));
        double then = now;
        now = bench_seconds();
        bench_commit(r, now - then);
        r->events++;
    }
    r->seconds = now - began;
}
