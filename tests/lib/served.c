/* served.c - see served.h. */
#include "served.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* Handles of files in memory begin here, above all real ones. */
#define FIRST_HANDLE (1 << 24)

static const struct plog_io *real(void)
{
    return plog_io_posix();
}

static int find(const struct served *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->files[i].name, name) == 0)
            return (int)i;
    return -ENOENT;
}

static const struct served_file *file_of(const struct served *s, int fd)
{
    size_t i = (size_t)(fd - FIRST_HANDLE);
    return fd >= FIRST_HANDLE && i < s->count ? &s->files[i] : NULL;
}

static int served_open_at(void *ctx, int dir, const char *name, int flags,
                          uint32_t mode)
{
    struct served *s = ctx;
    if (dir >= 0 && dir == s->log && !(flags & (O_CREAT | O_RDWR | O_WRONLY))) {
        int i = find(s, name);
        return i < 0 ? i : FIRST_HANDLE + i;
    }
    int fd = real()->open_at(NULL, dir, name, flags, mode);
    if (fd >= 0 && strcmp(name, "log") == 0)
        s->log = fd;
    return fd;
}

static int served_close(void *ctx, int fd)
{
    struct served *s = ctx;
    if (fd >= FIRST_HANDLE)
        return 0;
    if (fd == s->log)
        s->log = -1;
    return real()->close(NULL, fd);
}

static int64_t served_pread(void *ctx, int fd, void *buf, size_t n,
                            uint64_t offset)
{
    const struct served_file *f = file_of(ctx, fd);
    if (!f)
        return real()->pread(NULL, fd, buf, n, offset);
    if (offset >= f->size)
        return 0;
    if (n > f->size - offset)
        n = f->size - (size_t)offset;
    memcpy(buf, f->data + offset, n);
    return (int64_t)n;
}

static void fill_stat(const struct served *s, const struct served_file *f,
                      struct plog_stat *out)
{
    struct plog_stat st = {0};
    if (real()->stat(NULL, s->log, &st)) /* device, owner, times */
        memset(&st, 0, sizeof st);
    *out = st;
    out->inode = (uint64_t)(f - s->files) + 1;
    out->mode = S_IFREG | 0600;
    out->links = 1;
    out->size = f->size;
}

static int served_stat(void *ctx, int fd, struct plog_stat *out)
{
    const struct served_file *f = file_of(ctx, fd);
    if (!f)
        return real()->stat(NULL, fd, out);
    fill_stat(ctx, f, out);
    return 0;
}

static int served_stat_at(void *ctx, int dir, const char *name,
                          struct plog_stat *out)
{
    struct served *s = ctx;
    if (dir < 0 || dir != s->log)
        return real()->stat_at(NULL, dir, name, out);
    int i = find(s, name);
    if (i < 0)
        return i;
    fill_stat(s, &s->files[i], out);
    return 0;
}

static int served_list(void *ctx, int dir,
                       int (*each)(void *arg, const char *name), void *arg)
{
    struct served *s = ctx;
    if (dir < 0 || dir != s->log)
        return real()->list(NULL, dir, each, arg);
    for (size_t i = 0; i < s->count; i++)
        if (each(arg, s->files[i].name))
            break;
    return 0;
}

void served_init(struct served *s)
{
    memset(s, 0, sizeof *s);
    s->io = *real();
    s->io.ctx = s;
    s->io.open_at = served_open_at;
    s->io.close = served_close;
    s->io.pread = served_pread;
    s->io.stat = served_stat;
    s->io.stat_at = served_stat_at;
    s->io.list = served_list;
    s->log = -1;
}
