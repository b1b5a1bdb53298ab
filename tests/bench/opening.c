/*
 * opening.c - opening a log: after a process that ended well, and after one
 * that was killed in the middle of a write.
 *
 * The killed one leaves half a group behind the last good one, so that opening
 * has to set it aside and to write the last segment anew.  Allowed is 5 ms
 * more than a copy of that segment, synced, and verifying it once.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bare.h"
#include "calls.h"
#include "ours.h"

#define GROUPS 40 /* that the killed one wrote before */
#define SAMPLES_MIN 3
#define SAMPLES_MAX 25

/* ---- The one that is killed --------------------------------------------- */

static int groups_left;

static ssize_t killing_pwrite(int fd, const void *p, size_t n, off_t at)
{
    bool group = memmem(p, n, "{\"commit\"", 9) != NULL;
    if (!group || --groups_left > 0)
        return calls_real_pwrite(fd, p, n, at);
    calls_real_pwrite(fd, p, n / 2, at);
    kill(getpid(), SIGKILL);
    return -1;
}

static void leave_half(const struct bench_task *t, const char *path)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        struct bench_task ten = *t;
        struct caller c;
        calls_pwrite = killing_pwrite;
        groups_left = GROUPS;
        ten.batch = 10;
        caller_begin(&c, &ten, ours_open(path, NULL), (unsigned)getpid());
        for (;;)
            caller_append(&c);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
        bench_die("the process to be killed", "was not");
}

/* ---- What is allowed ---------------------------------------------------- */

static void keep_last(void *arg, const char *path)
{
    snprintf(arg, BENCH_PATH, "%.*s", BENCH_PATH - 1, path);
}

static double copy_seconds(const char *from, const char *dir)
{
    char to[BENCH_PATH];
    snprintf(to, sizeof to, "%s/copied", dir);
    double began = bench_seconds();
    bench_copy_file(from, to);
    int fd = open(to, O_RDONLY);
    if (fd < 0 || fsync(fd))
        bench_die(to, strerror(errno));
    double seconds = bench_seconds() - began;
    close(fd);
    remove(to);
    return seconds;
}

/* Of as many bytes of the shared log. */
static double verify_seconds(const struct bench_task *t, uint64_t bytes)
{
    struct bench_figures f = {0};
    bench_verify(t, &f);
    return (double)bytes / 1e6 / f.m[BENCH_MB];
}

static double allowance(const struct bench_task *t, const char *path)
{
    char dir[BENCH_PATH + 8], last[BENCH_PATH];
    snprintf(dir, sizeof dir, "%s/log", path);
    bare_each_segment(dir, keep_last, last);
    uint64_t bytes = bench_disk(last);
    return copy_seconds(last, t->dir) + verify_seconds(t, bytes);
}

/* ---- Rows --------------------------------------------------------------- */

static void log_of(const struct bench_task *t, char *path)
{
    if (t->variant) { /* the long one */
        snprintf(path, BENCH_PATH, "%s", t->large);
        return;
    }
    snprintf(path, BENCH_PATH, "%s/log", t->dir);
    ours_init(path);
    plog *p = ours_open(path, NULL);
    ours_fill(p, 0, 10000, 1000);
    plog_close(p);
}

/* MS, and OVER: how much more than a copy and a verify of the segment. */
void bench_open_killed(const struct bench_task *t, struct bench_figures *f)
{
    char path[BENCH_PATH];
    struct bench_figures over = {0};
    log_of(t, path);
    double end = bench_seconds() + t->seconds;
    for (int i = 0;
         i < SAMPLES_MIN || (i < SAMPLES_MAX && bench_seconds() < end); i++) {
        leave_half(t, path);
        double allowed = allowance(t, path);
        double opening = bench_seconds();
        plog *p = ours_open(path, NULL);
        double took = bench_seconds() - opening;
        plog_close(p);
        bench_commit(f, took);
        bench_commit(&over, took - allowed);
    }
    bench_settle(f);
    bench_settle(&over);
    f->m[BENCH_MS] = f->m[BENCH_P50] / 1e3;
    f->m[BENCH_OVER] = over.m[BENCH_P50] / 1e3;
    free(over.commits);
}

/* Opening, reading the head and closing. */
void bench_open_clean(const struct bench_task *t, struct bench_figures *f)
{
    char path[BENCH_PATH];
    log_of(t, path);
    double began = bench_seconds(), now = began;
    while (now - began < t->seconds) {
        plog_close(ours_open(path, NULL));
        double then = now;
        now = bench_seconds();
        bench_commit(f, now - then);
    }
    bench_settle(f);
    f->m[BENCH_MS] = f->m[BENCH_P50] / 1e3;
}
