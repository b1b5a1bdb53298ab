/*
 * bare.c - what the rows that read and compress are held against: yajl's
 * check of the same bytes, without any callback, and zlib.
 */
#include "bare.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#ifdef BENCH_YAJL
#include <yajl/yajl_parse.h>
#endif

#define CHUNK (256 << 10)

/* ---- zlib --------------------------------------------------------------- */

double bare_deflate(const unsigned char *bytes, size_t n, int level)
{
    z_stream z = {0};
    static unsigned char out[CHUNK];
    if (deflateInit2(&z, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        bench_die("zlib", "does not start");
    double began = bench_seconds();
    z.next_in = (unsigned char *)(uintptr_t)bytes;
    for (size_t left = n; left || z.avail_in;) {
        if (!z.avail_in) {
            z.avail_in = left < CHUNK ? (unsigned)left : CHUNK;
            left -= z.avail_in;
        }
        z.next_out = out;
        z.avail_out = sizeof out;
        deflate(&z, Z_NO_FLUSH);
    }
    for (int rc = Z_OK; rc == Z_OK;) {
        z.next_out = out;
        z.avail_out = sizeof out;
        rc = deflate(&z, Z_FINISH);
    }
    double seconds = bench_seconds() - began;
    deflateEnd(&z);
    return seconds;
}

unsigned char *bare_inflated(const char *path, size_t *n)
{
    gzFile in = gzopen(path, "rb");
    unsigned char *all = NULL;
    size_t cap = 0;
    *n = 0;
    if (!in)
        bench_die(path, "cannot be read");
    for (int got = 1; got > 0; *n += (size_t)got) {
        if (*n == cap) {
            cap = cap ? cap * 2 : CHUNK;
            all = realloc(all, cap);
            if (!all)
                bench_die("memory", "exhausted");
        }
        unsigned room = cap - *n < CHUNK ? (unsigned)(cap - *n) : CHUNK;
        got = gzread(in, all + *n, room);
        if (got < 0)
            bench_die(path, "is damaged");
    }
    gzclose(in);
    return all;
}

/* ---- Files of a folder -------------------------------------------------- */

static int is_segment(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return n > 6 && !strcmp(e->d_name + n - 6, ".jsonl");
}

void bare_each_segment(const char *dir, void (*each)(void *arg, const char *),
                       void *arg)
{
    char path[BENCH_PATH + 256];
    struct dirent **names;
    int n = scandir(dir, &names, is_segment, alphasort);
    if (n < 1)
        bench_die(dir, "has no segments");
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]->d_name);
        each(arg, path);
        free(names[i]);
    }
    free(names);
}

/* ---- yajl --------------------------------------------------------------- */

#ifdef BENCH_YAJL
static void check_file(void *arg, const char *path)
{
    static unsigned char chunk[CHUNK];
    yajl_handle y = yajl_alloc(NULL, NULL, NULL);
    ssize_t n;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || !y)
        bench_die(path, strerror(errno));
    yajl_config(y, yajl_allow_multiple_values, 1);
    while ((n = read(fd, chunk, sizeof chunk)) > 0) {
        if (yajl_parse(y, chunk, (size_t)n) != yajl_status_ok)
            bench_die("yajl", "does not take the log");
        *(uint64_t *)arg += (uint64_t)n;
    }
    if (n < 0 || yajl_complete_parse(y) != yajl_status_ok)
        bench_die("yajl", "does not take the log");
    yajl_free(y);
    close(fd);
}

void bench_yajl(const struct bench_task *t, struct bench_figures *f)
{
    char path[BENCH_PATH];
    uint64_t bytes = 0;
    snprintf(path, sizeof path, "%s/log/log", t->shared);
    double began = bench_seconds();
    bare_each_segment(path, check_file, &bytes);
    f->seconds = bench_seconds() - began;
    f->events = t->events;
    f->m[BENCH_MB] = (double)bytes / 1e6 / f->seconds;
}
#endif
