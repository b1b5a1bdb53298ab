/*
 * steps.c - where a commit's time goes.
 *
 * Writes and syncs of the log, signing, SQLite's steps and checkpoints are
 * wrapped by the linker, and the store's file layer tells of what it does
 * (plog_io.store_event); the time is noted at both ends of each.  What SQLite
 * does inside a step and is I/O counts as I/O; all that a checkpoint does
 * counts as checkpoint; what nothing claims is the rest: scanning, encoding,
 * hashing, locks.
 *
 * Only the time of the calling thread is divided up.  That of other threads,
 * beside it, is one figure.
 */
#include <fcntl.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "calls.h"
#include "ours.h"

enum step {
    LOG_WRITE,
    LOG_SYNC,
    SIGNING,
    SQL,
    STORE_READ,
    STORE_WRITE,
    STORE_SYNC,
    CHECKPOINT,
    STEPS
};

static bool timing;
static _Thread_local bool is_caller;
static _Thread_local uint64_t spent[STEPS]; /* ns */
static _Thread_local uint64_t store_io;     /* of them reads, writes, syncs */
static _Thread_local bool in_checkpoint;
static _Thread_local uint64_t event_began;
static _Atomic uint64_t beside;

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t begin_step(void)
{
    return timing ? now_ns() : 0;
}

static void end_step(enum step s, uint64_t began, uint64_t inside)
{
    if (!began)
        return;
    uint64_t ns = now_ns() - began - inside;
    if (is_caller)
        spent[s] += ns;
    else
        beside += ns;
}

/* ---- Calls -------------------------------------------------------------- */

static ssize_t timed_pwrite(int fd, const void *p, size_t n, off_t at)
{
    uint64_t began = begin_step();
    ssize_t rc = calls_real_pwrite(fd, p, n, at);
    end_step(LOG_WRITE, began, 0);
    return rc;
}

static int timed_fdatasync(int fd)
{
    uint64_t began = begin_step();
    int rc = calls_real_fdatasync(fd);
    end_step(LOG_SYNC, began, 0);
    return rc;
}

static int timed_fsync(int fd)
{
    uint64_t began = begin_step();
    int rc = calls_real_fsync(fd);
    end_step(LOG_SYNC, began, 0);
    return rc;
}

/* ---- The store's file layer --------------------------------------------- */

static enum step step_of(enum plog_store_op op)
{
    return op == PLOG_STORE_READ    ? STORE_READ
           : op == PLOG_STORE_WRITE ? STORE_WRITE
                                    : STORE_SYNC;
}

static int timed_event(void *ctx, const struct plog_store_event *e)
{
    (void)ctx;
    if (!timing)
        return 0;
    if (!e->done) {
        event_began = now_ns();
        return 0;
    }
    uint64_t ns = now_ns() - event_began;
    store_io += ns;
    if (!is_caller)
        beside += ns;
    else if (!in_checkpoint)
        spent[step_of(e->op)] += ns;
    return 0;
}

static const struct plog_io *telling_table(void)
{
    static struct plog_io io;
    io = *plog_io_posix();
    io.store_event = timed_event;
    return &io;
}

/* ---- What is no I/O: --wrap of the linker ------------------------------- */

int __real_crypto_sign_detached(unsigned char *, unsigned long long *,
                                const unsigned char *, unsigned long long,
                                const unsigned char *);
int __wrap_crypto_sign_detached(unsigned char *sig, unsigned long long *n,
                                const unsigned char *m, unsigned long long len,
                                const unsigned char *secret);
int __real_sqlite3_step(sqlite3_stmt *s);
int __wrap_sqlite3_step(sqlite3_stmt *s);
int __real_sqlite3_wal_checkpoint_v2(sqlite3 *, const char *, int, int *,
                                     int *);
int __wrap_sqlite3_wal_checkpoint_v2(sqlite3 *db, const char *name, int mode,
                                     int *log, int *done);

int __wrap_crypto_sign_detached(unsigned char *sig, unsigned long long *n,
                                const unsigned char *m, unsigned long long len,
                                const unsigned char *secret)
{
    uint64_t began = begin_step();
    int rc = __real_crypto_sign_detached(sig, n, m, len, secret);
    end_step(SIGNING, began, 0);
    return rc;
}

int __wrap_sqlite3_step(sqlite3_stmt *s)
{
    uint64_t began = begin_step(), io = store_io;
    int rc = __real_sqlite3_step(s);
    end_step(SQL, began, store_io - io);
    return rc;
}

int __wrap_sqlite3_wal_checkpoint_v2(sqlite3 *db, const char *name, int mode,
                                     int *log, int *done)
{
    uint64_t began = begin_step();
    in_checkpoint = true;
    int rc = __real_sqlite3_wal_checkpoint_v2(db, name, mode, log, done);
    in_checkpoint = false;
    end_step(CHECKPOINT, began, 0);
    return rc;
}

/* ---- The row ------------------------------------------------------------ */

void bench_steps(const struct bench_task *t, struct bench_figures *f)
{
    struct caller c;
    ours_init(t->dir);
    plog *p = ours_open(t->dir, telling_table());
    caller_begin(&c, t, p, 0);
    calls_pwrite = timed_pwrite;
    calls_fsync = timed_fsync;
    calls_fdatasync = timed_fdatasync;
    is_caller = timing = true;
    caller_run(&c);
    timing = false;
    plog_close(p);
    caller_end(&c);
    double commits = (double)c.f.count, all = c.f.seconds * 1e6 / commits;
    f->m[BENCH_REST] = all;
    for (int i = 0; i < STEPS; i++) {
        double us = (double)spent[i] / 1e3 / commits;
        f->m[BENCH_LOG_WRITE + i] = us;
        f->m[BENCH_REST] -= us;
    }
    f->m[BENCH_BESIDE] = (double)beside / 1e3 / commits;
    f->events = c.f.events;
    f->seconds = c.f.seconds;
    free(c.f.commits);
}
