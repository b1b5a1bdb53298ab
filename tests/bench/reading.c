/*
 * reading.c - the rows that read a log: verify, replay into a store that is
 * half a log behind, a store rebuilt, parity, and the fold of the records.
 *
 * With one thread a row is bound to one processor, so that it is one whatever
 * the library does; with two it may use both.
 */
#include "ours.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define GROUP 1000

static void join(char *out, const char *dir, const char *name)
{
    if (snprintf(out, BENCH_PATH, "%s/%s", dir, name) >= BENCH_PATH)
        bench_die(dir, "is too long a path");
}

/* ---- What they read ----------------------------------------------------- */

static const char *const store_files[] = {"store.db", "store.db-wal",
                                          "store.db-shm"};

/* Copies the store of `from` to `to`, in the place of any there. */
static void copy_store(const char *from, const char *to)
{
    char old[BENCH_PATH], new[BENCH_PATH];
    struct stat st;
    for (int i = 0; i < 3; i++) {
        join(old, from, store_files[i]);
        join(new, to, store_files[i]);
        remove(new);
        if (stat(old, &st) == 0 && i < 2)
            bench_copy_file(old, new);
    }
}

/*
 * SHARED/log    the log
 * SHARED/half   the store as it was after half of it
 * SHARED/live   a copy of the log, for rows that change the store
 */
void bench_prepare_reads(const struct bench_task *t)
{
    char log[BENCH_PATH], half[BENCH_PATH], live[BENCH_PATH];
    uint64_t first = t->events / 2;
    join(log, t->shared, "log");
    join(half, t->shared, "half");
    join(live, t->shared, "live");
    if (mkdir(half, 0700))
        bench_die(half, "cannot be made");
    ours_init(log);
    plog *p = ours_open(log, NULL);
    ours_fill(p, 0, first, GROUP);
    plog_close(p);
    copy_store(log, half);
    p = ours_open(log, NULL);
    ours_fill(p, first, t->events - first, GROUP);
    plog_close(p);
    bench_copy_tree(log, live);
}

void bench_prepare_large(const struct bench_task *t)
{
    ours_init(t->large);
    plog *p = ours_open(t->large, NULL);
    ours_fill(p, 0, t->large_events, GROUP);
    plog_close(p);
}

/* ---- Checks ------------------------------------------------------------- */

static void is_clean(int rc, const struct plog_check_report *report,
                     const struct plog_error *err, const char *what)
{
    ours_check(rc, what, err);
    if (report->verdict)
        bench_die(what, plog_code_word(report->verdict));
}

/* Where the library lets one choose its threads; the process is bound to so
 * many processors anyway. */
static struct plog_check_options options(const struct bench_task *t)
{
    struct plog_check_options o = {.struct_size = sizeof o};
#ifdef BENCH_CHECK_THREADS
    o.threads = t->threads;
#endif
    (void)t;
    return o;
}

static uint64_t log_bytes(const char *dir)
{
    char path[BENCH_PATH];
    join(path, dir, "log");
    return bench_disk(path);
}

void bench_verify(const struct bench_task *t, struct bench_figures *f)
{
    char path[BENCH_PATH];
    struct plog_check_report report;
    struct plog_error err = {0};
    struct plog_check_options o = options(t);
    join(path, t->shared, "log");
    double cpu = bench_cpu_seconds(), began = bench_seconds();
    int rc = plog_verify(path, &o, &report, &err);
    f->seconds = bench_seconds() - began;
    is_clean(rc, &report, &err, "verify");
    f->events = report.entries;
    f->m[BENCH_MB] = (double)log_bytes(path) / 1e6 / f->seconds;
    f->m[BENCH_CPU] = (bench_cpu_seconds() - cpu) / (double)f->events * 1e6;
}

static void run_parity(const struct bench_task *t,
                       const struct plog_check_options *o,
                       struct bench_figures *f)
{
    char path[BENCH_PATH];
    struct plog_check_report report;
    struct plog_error err = {0};
    join(path, t->shared, "log");
    double cpu = bench_cpu_seconds(), began = bench_seconds();
    int rc = plog_parity(path, o, &report, &err);
    f->seconds = bench_seconds() - began;
    is_clean(rc, &report, &err, "parity");
    f->events = report.entries;
    f->m[BENCH_CPU] = (bench_cpu_seconds() - cpu) / (double)f->events * 1e6;
}

void bench_parity_whole(const struct bench_task *t, struct bench_figures *f)
{
    struct plog_check_options o = options(t);
    run_parity(t, &o, f);
}

#ifdef BENCH_SKIP_RECORDS
/* The log against events, commits and segments: all but the fold. */
void bench_parity(const struct bench_task *t, struct bench_figures *f)
{
    struct plog_check_options o = options(t);
    o.skip_records = true;
    run_parity(t, &o, f);
}

/* What the whole takes longer than that. */
void bench_fold(const struct bench_task *t, struct bench_figures *f)
{
    struct bench_figures without = *f;
    bench_parity(t, &without);
    bench_parity_whole(t, f);
    f->seconds -= without.seconds;
    f->m[BENCH_CPU] -= without.m[BENCH_CPU];
}
#endif

/* ---- Stores made -------------------------------------------------------- */

void bench_replay(const struct bench_task *t, struct bench_figures *f)
{
    char live[BENCH_PATH], half[BENCH_PATH];
    struct plog_replay_options o = {.struct_size = sizeof o};
    struct plog_replay_report report;
    struct plog_error err = {0};
    join(live, t->shared, "live");
    join(half, t->shared, "half");
    copy_store(half, live);
    double cpu = bench_cpu_seconds(), began = bench_seconds();
    ours_check(plog_replay(live, &o, &report, &err), "replay", &err);
    f->seconds = bench_seconds() - began;
    f->events = report.applied;
    f->m[BENCH_CPU] = (bench_cpu_seconds() - cpu) / (double)f->events * 1e6;
    if (f->events != t->events - t->events / 2)
        bench_die("replay", "did not apply what was missing");
}

void bench_fresh(const struct bench_task *t, struct bench_figures *f)
{
    char live[BENCH_PATH], aside[BENCH_PATH];
    struct plog_replay_options o = {.struct_size = sizeof o, .fresh = true};
    struct plog_replay_report report;
    struct plog_error err = {0};
    join(live, t->shared, "live");
    double cpu = bench_cpu_seconds(), began = bench_seconds();
    ours_check(plog_replay(live, &o, &report, &err), "replay --fresh", &err);
    f->seconds = bench_seconds() - began;
    f->events = report.applied;
    f->m[BENCH_CPU] = (bench_cpu_seconds() - cpu) / (double)f->events * 1e6;
    join(aside, live, report.quarantine);
    if (report.quarantine[0])
        bench_remove_tree(aside);
}

void bench_rebuild(const struct bench_task *t, struct bench_figures *f)
{
    char log[BENCH_PATH], out[BENCH_PATH];
    struct plog_rebuild_options o = {.struct_size = sizeof o};
    struct plog_rebuild_report report;
    struct plog_error err = {0};
    join(log, t->shared, "log");
    join(out, t->dir, "rebuilt");
    double cpu = bench_cpu_seconds(), began = bench_seconds();
    ours_check(plog_rebuild_store(log, out, &o, &report, &err), "rebuild",
               &err);
    f->seconds = bench_seconds() - began;
    if (report.verdict)
        bench_die("rebuild", report.why);
    f->events = report.entries;
    f->m[BENCH_CPU] = (bench_cpu_seconds() - cpu) / (double)f->events * 1e6;
}
