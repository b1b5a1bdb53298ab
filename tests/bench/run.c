/*
 * run.c - one run of a row: in a process of its own, so that its memory is its
 * own, and in an empty directory, which goes with it.
 */
#define _XOPEN_SOURCE 700
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

/* ---- Files -------------------------------------------------------------- */

static int drop(const char *path, const struct stat *st, int kind,
                struct FTW *where)
{
    (void)st, (void)kind, (void)where;
    return remove(path);
}

void bench_remove_tree(const char *path)
{
    nftw(path, drop, 8, FTW_PHYS | FTW_DEPTH);
}

void bench_copy_file(const char *from, const char *to)
{
    static char bytes[1 << 20];
    struct stat st;
    ssize_t n;
    int in = open(from, O_RDONLY);
    if (in < 0 || fstat(in, &st))
        bench_die(from, strerror(errno));
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL, st.st_mode & 0777);
    if (out < 0)
        bench_die(to, strerror(errno));
    while ((n = read(in, bytes, sizeof bytes)) > 0)
        if (write(out, bytes, (size_t)n) != n)
            bench_die(to, strerror(errno));
    if (n < 0)
        bench_die(from, strerror(errno));
    close(in);
    close(out);
}

static size_t copy_prefix;
static char copy_to[BENCH_PATH];

static int copy_one(const char *path, const struct stat *st, int kind,
                    struct FTW *where)
{
    char to[2 * BENCH_PATH];
    (void)where;
    snprintf(to, sizeof to, "%s%s", copy_to, path + copy_prefix);
    if (kind == FTW_D && mkdir(to, st->st_mode & 0777))
        bench_die(to, strerror(errno));
    if (kind == FTW_F)
        bench_copy_file(path, to);
    return 0;
}

void bench_copy_tree(const char *from, const char *to)
{
    copy_prefix = strlen(from);
    snprintf(copy_to, sizeof copy_to, "%s", to);
    nftw(from, copy_one, 8, FTW_PHYS);
}

volatile int bench_child;

/* ---- The process -------------------------------------------------------- */

static void use_processors(unsigned n)
{
    cpu_set_t all, some;
    unsigned taken = 0;
    if (n == 0 || sched_getaffinity(0, sizeof all, &all))
        return;
    CPU_ZERO(&some);
    for (size_t i = 0; i < CPU_SETSIZE && taken < n; i++)
        if (CPU_ISSET(i, &all)) {
            CPU_SET(i, &some);
            taken++;
        }
    sched_setaffinity(0, sizeof some, &some);
}

static void begin_child(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
}

static void end_child(const char *name, pid_t pid, bool told)
{
    int status = 1;
    bool gone = pid > 0 && waitpid(pid, &status, 0) == pid;
    bench_child = 0;
    if (!gone || status || !told)
        bench_die(name, "did not end well");
}

static void work(bench_fn *fn, const struct bench_task *t, int to)
{
    struct bench_figures f = {.events = 0};
    begin_child();
    for (int m = 0; m < BENCH_METRIC_COUNT; m++)
        f.m[m] = NAN;
    use_processors(t->threads);
    fn(t, &f);
    bench_settle(&f);
    _exit(write(to, f.m, sizeof f.m) != sizeof f.m);
}

static void in_child(const char *name, bench_fn *fn, const struct bench_task *t,
                     double *out)
{
    int ends[2];
    fflush(NULL);
    if (pipe(ends))
        bench_die("pipe", strerror(errno));
    pid_t pid = bench_child = fork();
    if (pid == 0)
        work(fn, t, ends[1]);
    close(ends[1]);
    size_t want = sizeof(double) * BENCH_METRIC_COUNT;
    ssize_t n = read(ends[0], out, want);
    close(ends[0]);
    end_child(name, pid, n == (ssize_t)want);
}

void bench_apart(void (*fn)(const struct bench_task *),
                 const struct bench_task *t)
{
    fflush(NULL);
    pid_t pid = bench_child = fork();
    if (pid == 0) {
        begin_child();
        fn(t);
        _exit(0);
    }
    end_child("preparing", pid, true);
}

static void in_directory(const char *name, bench_fn *fn,
                         const struct bench_task *task, double *out)
{
    struct bench_task t = *task;
    char dir[BENCH_PATH];
    snprintf(dir, sizeof dir, "%s/run.XXXXXX", task->dir);
    if (!mkdtemp(dir))
        bench_die(dir, strerror(errno));
    t.dir = dir;
    in_child(name, fn, &t, out);
    bench_remove_tree(dir);
}

/* The overwrite loop, for a third of the time. */
static void measure_limit(const struct bench_task *task, double *out)
{
    double o[BENCH_METRIC_COUNT];
    struct bench_task t = *task;
    t.seconds /= 3;
    t.batch = 1;
    t.shape = BENCH_PLAIN;
    in_directory("O", bench_overwrite, &t, o);
    out[BENCH_O_RATE] = o[BENCH_RATE];
    out[BENCH_O_P50] = o[BENCH_P50];
    out[BENCH_O_P99] = o[BENCH_P99];
}

void bench_run(size_t row, const struct bench_task *task, double *out)
{
    const struct bench_row *r = &bench_rows[row];
    struct bench_task t = *task;
    double limit[BENCH_METRIC_COUNT];
    t.batch = r->batch;
    t.callers = r->callers;
    t.threads = r->threads;
    t.shape = r->shape;
    t.variant = r->variant;
    if (r->kind == BENCH_WRITES)
        measure_limit(&t, limit);
    in_directory(r->name, r->run, &t, out);
    if (r->kind == BENCH_WRITES)
        for (int m = BENCH_O_RATE; m <= BENCH_O_P99; m++)
            out[m] = limit[m];
}
