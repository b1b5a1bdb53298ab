/*
 * guard.c - the bench does not run where a sync does nothing: its figures
 * would be those of a memory.
 *
 * Looked for: libeatmydata, in LD_PRELOAD or among the mapped files; a file
 * system in memory; and, whatever the reason, a sync of an overwritten page
 * that comes back faster than any device answers.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "bench.h"

#define PAGE 4096
#define SYNCS 41
#define LEAST_US 5.0 /* a system call alone takes less than one */

static char why[400];

/* ---- The environment ---------------------------------------------------- */

static bool is_mapped(const char *name)
{
    char line[1024];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && !found && fgets(line, sizeof line, maps))
        found = strstr(line, name) != NULL;
    if (maps)
        fclose(maps);
    return found;
}

static bool is_preloaded(void)
{
    const char *preload = getenv("LD_PRELOAD");
    return (preload && strstr(preload, "eatmydata")) ||
           is_mapped("libeatmydata");
}

/* ---- The file system ---------------------------------------------------- */

/* The type of the mount that `path` is on, from /proc/self/mountinfo: the last
 * one whose place is the longest beginning of the path. */
static void type_of(const char *path, char *out, size_t cap)
{
    char line[2048], real[4096], place[1024];
    size_t best = 0;
    FILE *mounts = fopen("/proc/self/mountinfo", "r");
    snprintf(out, cap, "unknown");
    if (!realpath(path, real))
        real[0] = 0;
    while (mounts && fgets(line, sizeof line, mounts)) {
        const char *rest = strstr(line, " - ");
        if (!rest || sscanf(line, "%*s %*s %*s %*s %1023s", place) != 1)
            continue;
        size_t n = strlen(place);
        bool below = !strcmp(place, "/") || (!strncmp(real, place, n) &&
                                             (real[n] == '/' || real[n] == 0));
        if (below && n >= best) {
            best = n;
            snprintf(out, cap, "%.*s", (int)strcspn(rest + 3, " "), rest + 3);
        }
    }
    if (mounts)
        fclose(mounts);
}

static bool in_memory(const char *dir)
{
    struct statfs fs;
    const uint32_t kinds[] = {0x01021994 /* tmpfs */, 0x858458f6 /* ramfs */};
    if (statfs(dir, &fs))
        bench_die(dir, strerror(errno));
    return (uint32_t)fs.f_type == kinds[0] || (uint32_t)fs.f_type == kinds[1];
}

/* ---- A sync ------------------------------------------------------------- */

static double overwrite(int fd, unsigned i)
{
    char page[PAGE];
    memset(page, 'a' + (int)(i % 26), sizeof page);
    double began = bench_seconds();
    if (pwrite(fd, page, sizeof page, 0) != PAGE || fdatasync(fd))
        bench_die("a sync", strerror(errno));
    return bench_seconds() - began;
}

/* Microseconds of an overwritten page and its fdatasync: the median. */
static double sync_us(const char *dir)
{
    char path[BENCH_PATH];
    struct bench_figures f = {0};
    snprintf(path, sizeof path, "%.500s/paritylog-bench-sync.XXXXXX", dir);
    int fd = mkstemp(path);
    if (fd < 0)
        bench_die(path, strerror(errno));
    unlink(path);
    for (unsigned i = 0; i < SYNCS; i++)
        bench_commit(&f, overwrite(fd, i));
    close(fd);
    bench_settle(&f);
    double us = f.m[BENCH_P50];
    free(f.commits);
    return us;
}

void bench_look_at(struct bench_settings *s)
{
    type_of(s->dir, s->filesystem, sizeof s->filesystem);
    s->sync_us = sync_us(s->dir);
}

const char *bench_why_not(const char *dir)
{
    if (is_preloaded())
        return "libeatmydata is loaded: syncs do nothing";
    if (in_memory(dir)) {
        snprintf(why, sizeof why,
                 "%.200s is on a file system in memory (tmpfs, ramfs): syncs"
                 " do nothing; --dir wants one on the disk to be measured",
                 dir);
        return why;
    }
    double us = sync_us(dir);
    if (us >= LEAST_US)
        return NULL;
    snprintf(why, sizeof why,
             "fdatasync of an overwritten page in %.200s took %.1f us: no"
             " device is that fast, so syncs do nothing there",
             dir, us);
    return why;
}
