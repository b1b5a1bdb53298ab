/*
 * raw.c - the limits of the disk: a file and a sync, nothing else.
 *
 * O overwrites space that was filled with LFs and synced before; its file is
 * kept from run to run.  A appends to an empty file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

#define AHEAD ((off_t)16 << 20)

static void fill(int fd)
{
    static char lines[1 << 20];
    memset(lines, '\n', sizeof lines);
    for (off_t at = 0; at < AHEAD; at += (off_t)sizeof lines)
        if (pwrite(fd, lines, sizeof lines, at) != (ssize_t)sizeof lines)
            bench_die("pre-writing", strerror(errno));
    if (fsync(fd))
        bench_die("fsync", strerror(errno));
}

static int open_raw(const char *path, bool ahead)
{
    struct stat st;
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    if (fd < 0 || fstat(fd, &st))
        bench_die(path, strerror(errno));
    if (ahead && st.st_size != AHEAD)
        fill(fd);
    return fd;
}

static size_t gather(const struct bench_task *t, uint64_t first, char *out)
{
    size_t n = 0;
    for (unsigned i = 0; i < t->batch; i++) {
        const struct bench_event *e = bench_pooled(t->shape, first + i);
        memcpy(out + n, e->text, e->n);
        n += e->n;
        out[n++] = '\n';
    }
    return n;
}

static void write_loop(const struct bench_task *t, struct bench_figures *f,
                       int fd, bool ahead)
{
    char *group =
        malloc(t->batch * (bench_pooled(t->shape, 0)->n + BENCH_EVENT_MAX));
    off_t at = 0;
    if (!group)
        bench_die("memory", "exhausted");
    double began = bench_seconds(), now = began;
    while (now - began < t->seconds) {
        size_t n = gather(t, f->events, group);
        if (ahead && at + (off_t)n > AHEAD)
            at = 0;
        if (pwrite(fd, group, n, at) != (ssize_t)n || fdatasync(fd))
            bench_die("writing", strerror(errno));
        at += (off_t)n;
        f->events += t->batch;
        double then = now;
        now = bench_seconds();
        bench_commit(f, now - then);
    }
    f->seconds = now - began;
    free(group);
    close(fd);
}

void bench_overwrite(const struct bench_task *t, struct bench_figures *f)
{
    write_loop(t, f, open_raw(t->raw, true), true);
}

void bench_append(const struct bench_task *t, struct bench_figures *f)
{
    char path[BENCH_PATH];
    snprintf(path, sizeof path, "%s/raw", t->dir);
    write_loop(t, f, open_raw(path, false), false);
}
