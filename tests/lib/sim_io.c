/* sim_io.c - the I/O table of a simulated machine (see sim.h). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"
#include "sim.h"

#define FD_FIRST 3
#define LOCKED_BYTES 4

struct sim_handle {
    bool used;
    int node, lock;              /* 0, 1 shared, 2 exclusive */
    uint64_t byte[LOCKED_BYTES]; /* locked ones, plus 1; 0: none */
};

static struct sim_handle *handle(struct sim *s, int fd)
{
    int i = fd - FD_FIRST;
    return i >= 0 && i < s->handle_count && s->handles[i].used ? &s->handles[i]
                                                               : NULL;
}

static int new_handle(struct sim *s, int node)
{
    int i = 0;
    while (i < s->handle_count && s->handles[i].used)
        i++;
    if (i == s->handle_count) {
        s->handle_count += 16;
        s->handles =
            realloc(s->handles, (size_t)s->handle_count * sizeof *s->handles);
        if (!s->handles)
            abort();
        memset(s->handles + i, 0, 16 * sizeof *s->handles);
    }
    s->handles[i] = (struct sim_handle){.used = true, .node = node};
    return i + FD_FIRST;
}

/* The directory in which `*name`, a path below `fd`, is a plain name then. */
static int directory(struct sim *s, int fd, const char **name)
{
    char path[512];
    int dir = SIM_ROOT;
    if (fd != AT_FDCWD) {
        const struct sim_handle *h = handle(s, fd);
        if (!h)
            return -EBADF;
        dir = h->node;
    }
    const char *slash = strrchr(*name, '/');
    if (slash && fd == AT_FDCWD) {
        snprintf(path, sizeof path, "%.*s", (int)(slash - *name), *name);
        dir = sim_image_path(&s->cache, path);
        *name = slash + 1;
    } else if (slash) {
        return -EINVAL; /* the library gives plain names below a handle */
    }
    if (dir < 0)
        return -ENOENT;
    if (strlen(*name) >= SIM_NAME)
        return -ENAMETOOLONG;
    return s->cache.nodes[dir].dir ? dir : -ENOTDIR;
}

/* ---- Files -------------------------------------------------------------- */

static int s_open(void *ctx, int fd, const char *name, int flags, uint32_t mode)
{
    struct sim *s = ctx;
    int dir = directory(s, fd, &name);
    (void)mode;
    if (dir < 0)
        return dir;
    int node = *name ? sim_image_find(&s->cache, dir, name) : dir;
    if (node >= 0 && (flags & O_CREAT) && (flags & O_EXCL))
        return -EEXIST;
    if (node < 0 && !(flags & O_CREAT))
        return -ENOENT;
    if (node < 0)
        node = sim_do_create(s, dir, name, false);
    bool is_dir = s->cache.nodes[node].dir;
    if (is_dir && (flags & (O_WRONLY | O_RDWR)))
        return -EISDIR;
    if (!is_dir && (flags & O_DIRECTORY))
        return -ENOTDIR;
    if (flags & O_TRUNC)
        sim_do_resize(s, node, 0);
    return new_handle(s, node);
}

static int s_close(void *ctx, int fd)
{
    struct sim_handle *h = handle(ctx, fd);
    if (!h)
        return -EBADF;
    h->used = false;
    return 0;
}

static int64_t s_pread(void *ctx, int fd, void *buf, size_t n, uint64_t offset)
{
    struct sim *s = ctx;
    const struct sim_handle *h = handle(s, fd);
    if (!h)
        return -EBADF;
    if (s->cache.nodes[h->node].dir)
        return -EISDIR;
    size_t size = sim_image_size(&s->cache, h->node);
    if (offset >= size)
        return 0;
    n = n < size - offset ? n : size - (size_t)offset;
    if (n > 0)
        memcpy(buf, sim_image_bytes(&s->cache, h->node) + offset, n);
    return (int64_t)n;
}

static int64_t s_pwrite(void *ctx, int fd, const void *buf, size_t n,
                        uint64_t offset)
{
    const struct sim_handle *h = handle(ctx, fd);
    if (!h)
        return -EBADF;
    int rc = sim_do_write(ctx, h->node, buf, n, (size_t)offset);
    return rc ? rc : (int64_t)n;
}

static int s_sync(void *ctx, int fd)
{
    const struct sim_handle *h = handle(ctx, fd);
    return h ? sim_do_sync(ctx, h->node) : -EBADF;
}

static int s_truncate(void *ctx, int fd, uint64_t size)
{
    const struct sim_handle *h = handle(ctx, fd);
    if (!h)
        return -EBADF;
    sim_do_resize(ctx, h->node, (size_t)size);
    return 0;
}

static int stat_node(struct sim *s, int node, struct plog_stat *out)
{
    bool dir = s->cache.nodes[node].dir;
    memset(out, 0, sizeof *out);
    out->device = 1;
    out->inode = (uint64_t)node + 1;
    out->size = dir ? 4096 : sim_image_size(&s->cache, node);
    out->links = dir ? 2 : (uint64_t)sim_image_links(&s->cache, node);
    out->mode = dir ? S_IFDIR | 0700 : S_IFREG | 0600;
    out->owner = plog_io_effective_user();
    return 0;
}

static int s_stat(void *ctx, int fd, struct plog_stat *out)
{
    const struct sim_handle *h = handle(ctx, fd);
    return h ? stat_node(ctx, h->node, out) : -EBADF;
}

static int s_stat_at(void *ctx, int fd, const char *name, struct plog_stat *out)
{
    struct sim *s = ctx;
    int dir = directory(s, fd, &name);
    int node = dir < 0 ? dir : sim_image_find(&s->cache, dir, name);
    if (dir < 0)
        return dir;
    return node < 0 ? -ENOENT : stat_node(s, node, out);
}

/* ---- Names -------------------------------------------------------------- */

static int s_rename(void *ctx, int fd, const char *name, int to_fd,
                    const char *to_name, bool replace)
{
    struct sim *s = ctx;
    int dir = directory(s, fd, &name), to = directory(s, to_fd, &to_name);
    if (dir < 0 || to < 0)
        return dir < 0 ? dir : to;
    if (sim_image_find(&s->cache, dir, name) < 0)
        return -ENOENT;
    if (!replace && sim_image_find(&s->cache, to, to_name) >= 0)
        return -EEXIST;
    sim_do_rename(s, dir, name, to, to_name);
    return 0;
}

static int remove_name(struct sim *s, int fd, const char *name, bool is_dir)
{
    int dir = directory(s, fd, &name);
    int node = dir < 0 ? dir : sim_image_find(&s->cache, dir, name);
    if (dir < 0)
        return dir;
    if (node < 0)
        return -ENOENT;
    if (s->cache.nodes[node].dir != is_dir)
        return is_dir ? -ENOTDIR : -EISDIR;
    for (int i = 0; is_dir && i < s->cache.name_count; i++)
        if (s->cache.names[i].dir == node)
            return -ENOTEMPTY;
    sim_do_unlink(s, dir, name);
    return 0;
}

static int s_unlink(void *ctx, int fd, const char *name)
{
    return remove_name(ctx, fd, name, false);
}

static int s_rmdir(void *ctx, int fd, const char *name)
{
    return remove_name(ctx, fd, name, true);
}

static int s_mkdir(void *ctx, int fd, const char *name, uint32_t mode)
{
    struct sim *s = ctx;
    int dir = directory(s, fd, &name);
    (void)mode;
    if (dir < 0)
        return dir;
    if (sim_image_find(&s->cache, dir, name) >= 0)
        return -EEXIST;
    sim_do_create(s, dir, name, true);
    return 0;
}

static int s_list(void *ctx, int fd, int (*each)(void *arg, const char *name),
                  void *arg)
{
    struct sim *s = ctx;
    const struct sim_handle *h = handle(s, fd);
    struct sim_image seen; /* `each` may rename what it is told of */
    int rc = 0;
    if (!h)
        return -EBADF;
    int dir = h->node;
    sim_image_copy(&seen, &s->cache);
    for (int i = 0; !rc && i < seen.name_count; i++)
        if (seen.names[i].dir == dir)
            rc = each(arg, seen.names[i].name);
    sim_image_free(&seen);
    return rc;
}

/* The machine has no links, so the path is the one that is asked for. */
static int s_real_path(void *ctx, const char *path, char *out, size_t cap)
{
    struct sim *s = ctx;
    if (sim_image_path(&s->cache, path) < 0)
        return -ENOENT;
    int n = snprintf(out, cap, "%s%s", *path == '/' ? "" : "/", path);
    return n < 0 || (size_t)n >= cap ? -ENAMETOOLONG : 0;
}

/* ---- Locks, time, memory ------------------------------------------------ */

static int s_lock(void *ctx, int fd, int mode)
{
    struct sim *s = ctx;
    struct sim_handle *h = handle(s, fd);
    if (!h)
        return -EBADF;
    for (int i = 0; mode && i < s->handle_count; i++) {
        const struct sim_handle *o = &s->handles[i];
        if (o != h && o->used && o->node == h->node && o->lock &&
            (o->lock == 2 || mode == 2))
            return -EAGAIN;
    }
    h->lock = mode;
    return 0;
}

static bool holds_byte(const struct sim_handle *h, uint64_t byte)
{
    for (int i = 0; i < LOCKED_BYTES; i++)
        if (h->byte[i] == byte + 1)
            return true;
    return false;
}

static int s_lock_byte(void *ctx, int fd, uint64_t byte, int mode)
{
    struct sim *s = ctx;
    struct sim_handle *h = handle(s, fd);
    if (!h)
        return -EBADF;
    for (int i = 0; mode && i < s->handle_count; i++) {
        const struct sim_handle *o = &s->handles[i];
        if (o != h && o->used && o->node == h->node && holds_byte(o, byte))
            return -EAGAIN;
    }
    for (int i = 0; i < LOCKED_BYTES; i++)
        if (h->byte[i] == byte + 1)
            h->byte[i] = 0;
    for (int i = 0; mode && i < LOCKED_BYTES; i++)
        if (h->byte[i] == 0) {
            h->byte[i] = byte + 1;
            return 0;
        }
    return mode ? -ENOLCK : 0;
}

static int64_t s_clock(void *ctx)
{
    struct sim *s = ctx;
    return s->now_ns += 1000000;
}

static void s_sleep(void *ctx, int64_t ns)
{
    ((struct sim *)ctx)->now_ns += ns;
}

static int s_random(void *ctx, void *buf, size_t n)
{
    unsigned char *to = buf;
    for (size_t i = 0; i < n; i++)
        to[i] = (unsigned char)sim_random(ctx);
    return 0;
}

static int64_t s_process_id(void *ctx)
{
    (void)ctx;
    return 4242;
}

static void *s_alloc(void *ctx, void *p, size_t n)
{
    (void)ctx;
    if (n == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, n);
}

void sim_io_init(struct sim *s)
{
    s->io = (struct plog_io){
        .struct_size = sizeof s->io,
        .ctx = s,
        .open_at = s_open,
        .close = s_close,
        .pread = s_pread,
        .pwrite = s_pwrite,
        .fdatasync = s_sync,
        .fsync = s_sync,
        .truncate = s_truncate,
        .stat = s_stat,
        .stat_at = s_stat_at,
        .rename_at = s_rename,
        .unlink_at = s_unlink,
        .mkdir_at = s_mkdir,
        .rmdir_at = s_rmdir,
        .list = s_list,
        .lock = s_lock,
        .lock_byte = s_lock_byte,
        .clock_real_ns = s_clock,
        .clock_mono_ns = s_clock,
        .sleep_ns = s_sleep,
        .random = s_random,
        .process_id = s_process_id,
        .real_path = s_real_path,
        .alloc = s_alloc,
    };
}
