/*
 * large.c - what a long log costs: memory of append, verify, replay and
 * parity, and bytes on disk.
 *
 * Each row is a process of its own and makes its events as it goes.  Its peak
 * (ru_maxrss) counts whole: code, libraries and stacks too.  Of it the most
 * that SQLite's page cache ever held is what a setting allows, and the rest is
 * BEYOND.
 */
#include <math.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/resource.h>

#include "ours.h"

enum { APPEND, VERIFY, REPLAY, PARITY };

#define APPENDED 50000

/* ---- Memory ------------------------------------------------------------- */

static void append(const struct bench_task *t)
{
    plog *p = ours_open(t->large, NULL);
    ours_fill(p, t->large_events, APPENDED, 100);
    plog_close(p);
}

static void check(const struct bench_task *t, bool parity)
{
    struct plog_check_report report;
    struct plog_error err = {0};
    ours_check(parity ? plog_parity(t->large, NULL, &report, &err)
                      : plog_verify(t->large, NULL, &report, &err),
               "a check", &err);
    if (report.verdict)
        bench_die("a check", plog_code_word(report.verdict));
}

static void replay(const struct bench_task *t)
{
    char aside[2 * BENCH_PATH];
    struct plog_replay_options o = {.struct_size = sizeof o, .fresh = true};
    struct plog_replay_report report;
    struct plog_error err = {0};
    ours_check(plog_replay(t->large, &o, &report, &err), "replay", &err);
    snprintf(aside, sizeof aside, "%s/%s", t->large, report.quarantine);
    if (report.quarantine[0])
        bench_remove_tree(aside);
}

void bench_memory(const struct bench_task *t, struct bench_figures *f)
{
    struct rusage usage;
    sqlite3_int64 now, most = 0;
    if (t->variant == APPEND)
        append(t);
    else if (t->variant == REPLAY)
        replay(t);
    else
        check(t, t->variant == PARITY);
    sqlite3_status64(SQLITE_STATUS_PAGECACHE_OVERFLOW, &now, &most, 0);
    getrusage(RUSAGE_SELF, &usage);
    f->m[BENCH_RSS] = (double)usage.ru_maxrss / 1024;
    f->m[BENCH_BEYOND] = f->m[BENCH_RSS] - (double)most / (1 << 20);
}

/* ---- Disk --------------------------------------------------------------- */

/* With t->batch a commit; after closing, SQLite's WAL included. */
void bench_bytes(const struct bench_task *t, struct bench_figures *f)
{
    char path[BENCH_PATH], log[BENCH_PATH + 8], text[BENCH_EVENT_MAX];
    uint64_t events = t->disk_events, bare = 0;
    if (t->batch == 1)
        events /= 10;
    snprintf(path, sizeof path, "%s/log", t->dir);
    snprintf(log, sizeof log, "%s/log", path);
    ours_init(path);
    plog *p = ours_open(path, NULL);
    ours_fill(p, 0, events, t->batch);
    plog_close(p);
    for (uint64_t i = 0; i < events; i++)
        bare += bench_write_event(BENCH_PLAIN, i, text, sizeof text);
    f->m[BENCH_LOG] = ((double)bench_disk(log) - (double)bare) / (double)events;
    f->m[BENCH_BOTH] = (double)bench_disk(path) / (double)events;
}
