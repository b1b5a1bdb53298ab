/* files.c - see files.h. */
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

#define PATHS 1200

uint64_t tree_hash_bytes(uint64_t hash, const void *p, size_t n)
{
    const unsigned char *at = p;
    uint64_t word;
    for (; n >= sizeof word; n -= sizeof word, at += sizeof word) {
        memcpy(&word, at, sizeof word);
        hash = (hash ^ word) * 0x9fb21c651e98df25u;
        hash ^= hash >> 32;
    }
    for (; n > 0; n--)
        hash = (hash ^ *at++) * 0x100000001b3u;
    return hash ^ hash >> 29;
}

/* Calls `each` with every name in `path`. */
static void walk(const char *path, void (*each)(void *arg, const char *name),
                 void *arg)
{
    DIR *d = opendir(path);
    const struct dirent *e;
    if (!CHECK(d != NULL))
        return;
    while ((e = readdir(d)))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            each(arg, e->d_name);
    closedir(d);
}

/* ---- Copying and removing ----------------------------------------------- */

static void copy_file(const char *from, const char *to, mode_t mode)
{
    static char block[64u << 10];
    ssize_t n = -1;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    while (in >= 0 && out >= 0 && (n = read(in, block, sizeof block)) > 0)
        if (write(out, block, (size_t)n) != n)
            break;
    if (!CHECK_INT(n, 0))
        printf("#   %s: %s\n", from, strerror(errno));
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
}

struct pair {
    const char *from, *to;
};

static void copy_one(void *arg, const char *name)
{
    const struct pair *p = arg;
    char from[PATHS], to[PATHS];
    struct stat st;
    snprintf(from, sizeof from, "%s/%s", p->from, name);
    snprintf(to, sizeof to, "%s/%s", p->to, name);
    if (!CHECK(lstat(from, &st) == 0))
        return;
    if (S_ISDIR(st.st_mode))
        tree_copy(from, to);
    else
        copy_file(from, to, st.st_mode & 0777);
}

void tree_copy(const char *from, const char *to)
{
    struct pair p = {from, to};
    if (CHECK(mkdir(to, 0700) == 0))
        walk(from, copy_one, &p);
}

static void remove_one(void *arg, const char *name)
{
    char path[PATHS];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", (const char *)arg, name);
    if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
        tree_remove(path);
    else
        CHECK(unlink(path) == 0);
}

void tree_remove(const char *path)
{
    char own[PATHS];
    snprintf(own, sizeof own, "%s", path);
    walk(own, remove_one, own);
    CHECK(rmdir(own) == 0);
}

/* ---- Reading ------------------------------------------------------------ */

struct reading {
    struct tree *t;
    const char *top, *below; /* relative, ends in / when not empty */
};

static uint64_t hash_file(const char *path)
{
    static char block[64u << 10];
    uint64_t hash = 7;
    ssize_t n = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && (n = read(fd, block, sizeof block)) > 0)
        hash = tree_hash_bytes(hash, block, (size_t)n);
    CHECK_INT(n, 0);
    if (fd >= 0)
        close(fd);
    return hash;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static void read_one(void *arg, const char *name)
{
    const struct reading *r = arg;
    struct tree *t = r->t;
    struct stat st;
    char path[PATHS];
    if (t->count % 64 == 0) {
        t->files = realloc(t->files, (t->count + 64) * sizeof *t->files);
        if (!t->files)
            abort();
    }
    struct tree_file *f = &t->files[t->count];
    memset(f, 0, sizeof *f);
    snprintf(f->name, sizeof f->name, "%.90s%.100s", r->below, name);
    snprintf(path, sizeof path, "%s/%s", r->top, f->name);
    if (!CHECK(lstat(path, &st) == 0))
        return;
    t->count++;
    f->mode = (uint32_t)st.st_mode;
    if (!S_ISDIR(st.st_mode)) {
        f->size = (uint64_t)st.st_size;
        f->hash = hash_file(path);
        return;
    }
    char below[200];
    snprintf(below, sizeof below, "%.190s/", f->name);
    struct reading inner = {t, r->top, below};
    walk(path, read_one, &inner);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct tree_file *)a)->name,
                  ((const struct tree_file *)b)->name);
}

void tree_read(struct tree *t, const char *path)
{
    struct reading r = {t, path, ""};
    memset(t, 0, sizeof *t);
    walk(path, read_one, &r);
    if (t->count)
        qsort(t->files, t->count, sizeof *t->files, by_name);
    t->hash = 1;
    for (size_t i = 0; i < t->count; i++) {
        const struct tree_file *f = &t->files[i];
        if (ends_with(f->name, "-shm") ||
            (ends_with(f->name, "-wal") && f->size == 0))
            continue;
        t->hash = tree_hash_bytes(t->hash, f->name, strlen(f->name) + 1);
        t->hash = tree_hash_bytes(t->hash, &f->hash, sizeof f->hash);
        t->hash = tree_hash_bytes(t->hash, &f->mode, sizeof f->mode);
    }
}

void tree_free(struct tree *t)
{
    free(t->files);
    memset(t, 0, sizeof *t);
}

uint64_t tree_hash(const char *path)
{
    struct tree t;
    tree_read(&t, path);
    uint64_t hash = t.hash;
    tree_free(&t);
    return hash;
}

const struct tree_file *tree_find(const struct tree *t, const char *name)
{
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->files[i].name, name) == 0)
            return &t->files[i];
    return NULL;
}
