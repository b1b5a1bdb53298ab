/* order_shim.c - see order_shim.h. */
#include "order_shim.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FDS 4096

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static bool is_log[FDS], names_pending[FDS];
static uint64_t dirty_from[FDS], dirty_to[FDS]; /* written, not synced */
static unsigned long commits;

static const struct plog_io *real(void)
{
    return plog_io_posix();
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* Under the mutex, as all that touches the arrays. */
static void clean(int fd)
{
    names_pending[fd] = false;
    dirty_from[fd] = dirty_to[fd] = 0;
}

static int shim_open_at(void *ctx, int dir, const char *name, int flags,
                        uint32_t mode)
{
    int fd = real()->open_at(ctx, dir, name, flags, mode);
    if (fd < 0 || fd >= FDS)
        return fd;
    pthread_mutex_lock(&mutex);
    is_log[fd] = ends_with(name, ".jsonl") || ends_with(name, ".jsonl.new");
    clean(fd);
    if (ends_with(name, ".jsonl") && flags & O_CREAT && dir >= 0 && dir < FDS)
        names_pending[dir] = true;
    pthread_mutex_unlock(&mutex);
    return fd;
}

static int shim_close(void *ctx, int fd)
{
    pthread_mutex_lock(&mutex);
    if (fd >= 0 && fd < FDS) {
        is_log[fd] = false;
        clean(fd);
    }
    pthread_mutex_unlock(&mutex);
    return real()->close(ctx, fd);
}

/* A copy gets the name of a segment when it is whole. */
static int shim_rename_at(void *ctx, int dir, const char *name, int to_dir,
                          const char *to_name, bool replace)
{
    int rc = real()->rename_at(ctx, dir, name, to_dir, to_name, replace);
    if (rc || to_dir < 0 || to_dir >= FDS || !ends_with(to_name, ".jsonl"))
        return rc;
    pthread_mutex_lock(&mutex);
    names_pending[to_dir] = true;
    pthread_mutex_unlock(&mutex);
    return rc;
}

static bool only_padding(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != '\n')
            return false;
    return true;
}

/* A write that failed in the middle is undone with padding and a truncation:
 * what is undone waits for no sync. */
static void undone(int fd, uint64_t from, uint64_t to)
{
    if (from <= dirty_from[fd] && to > dirty_from[fd])
        dirty_from[fd] = to;
    if (dirty_from[fd] >= dirty_to[fd])
        dirty_from[fd] = dirty_to[fd] = 0;
}

static int64_t shim_pwrite(void *ctx, int fd, const void *p, size_t n,
                           uint64_t offset)
{
    int64_t wrote = real()->pwrite(ctx, fd, p, n, offset);
    if (wrote <= 0 || fd >= FDS)
        return wrote;
    uint64_t end = offset + (uint64_t)wrote;
    pthread_mutex_lock(&mutex);
    if (is_log[fd] && only_padding(p, (size_t)wrote)) {
        undone(fd, offset, end);
    } else if (is_log[fd]) {
        bool first = dirty_to[fd] == 0;
        if (first || offset < dirty_from[fd])
            dirty_from[fd] = offset;
        if (end > dirty_to[fd])
            dirty_to[fd] = end;
    }
    pthread_mutex_unlock(&mutex);
    return wrote;
}

static int shim_truncate(void *ctx, int fd, uint64_t size)
{
    int rc = real()->truncate(ctx, fd, size);
    if (rc || fd >= FDS)
        return rc;
    pthread_mutex_lock(&mutex);
    if (size < dirty_to[fd])
        dirty_to[fd] = size;
    if (dirty_from[fd] >= dirty_to[fd])
        dirty_from[fd] = dirty_to[fd] = 0;
    pthread_mutex_unlock(&mutex);
    return 0;
}

static void synced(int fd, int rc)
{
    if (rc || fd < 0 || fd >= FDS)
        return;
    pthread_mutex_lock(&mutex);
    clean(fd);
    pthread_mutex_unlock(&mutex);
}

static int shim_fdatasync(void *ctx, int fd)
{
    int rc = real()->fdatasync(ctx, fd);
    synced(fd, rc);
    return rc;
}

static int shim_fsync(void *ctx, int fd)
{
    int rc = real()->fsync(ctx, fd);
    synced(fd, rc);
    return rc;
}

/* A WAL has 32 bytes of header, then frames of 24 bytes and a page; bytes 4 to
 * 7 are not zero in the frame that commits (SQLite, "WAL Format").  Several
 * frames may come in one write, and a page by itself. */
bool order_is_commit(const struct plog_store_event *e)
{
    static const unsigned char zero[4];
    static const uint64_t frame = 24 + 4096; /* pages of a store of ours */
    if (e->op != PLOG_STORE_WRITE || e->file != PLOG_STORE_WAL || e->done ||
        e->offset < 32)
        return false;
    for (uint64_t at = 0; at + 8 <= e->length; at++) {
        if ((e->offset + at - 32) % frame != 0)
            continue;
        if (memcmp((const char *)e->data + at + 4, zero, 4) != 0)
            return true;
        at += frame - 1;
    }
    return false;
}

static int shim_store_event(void *ctx, const struct plog_store_event *e)
{
    (void)ctx;
    if (!order_is_commit(e))
        return 0;
    pthread_mutex_lock(&mutex);
    commits++;
    for (int fd = 0; fd < FDS; fd++) {
        if (!dirty_to[fd] && !names_pending[fd])
            continue;
        fprintf(stderr,
                "ORDER: SQLite commits while %s of handle %d is not"
                " synced\n",
                dirty_to[fd] ? "the log" : "a name", fd);
        abort();
    }
    pthread_mutex_unlock(&mutex);
    return 0;
}

static struct plog_io shim;

static void make_shim(void)
{
    shim = *real();
    shim.open_at = shim_open_at;
    shim.close = shim_close;
    shim.pwrite = shim_pwrite;
    shim.truncate = shim_truncate;
    shim.rename_at = shim_rename_at;
    shim.fdatasync = shim_fdatasync;
    shim.fsync = shim_fsync;
    shim.store_event = shim_store_event;
}

const struct plog_io *order_io(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_shim);
    return &shim;
}

unsigned long order_commits_checked(void)
{
    pthread_mutex_lock(&mutex);
    unsigned long n = commits;
    pthread_mutex_unlock(&mutex);
    return n;
}
