/* ram.c - see ram.h; the layer below SQLite is in ram_vfs.c. */
#include "ram.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fuzz.h"
#include "io.h"

/* Handles: files from 1000 on, directories from 2000 on. */
#define FILE_BASE 1000
#define FOLDER_BASE 2000

struct ram_file *ram_find(struct ram *r, const char *path)
{
    for (int i = 0; i < RAM_FILES; i++)
        if (r->file[i].path[0] && !strcmp(r->file[i].path, path))
            return &r->file[i];
    return NULL;
}

static struct ram_file *make(struct ram *r, const char *path, uint32_t mode)
{
    for (int i = 0; i < RAM_FILES; i++) {
        struct ram_file *f = &r->file[i];
        if (f->path[0])
            continue;
        MUST(strlen(path) < sizeof f->path);
        memcpy(f->path, path, strlen(path) + 1);
        f->n = 0;
        f->mode = mode;
        f->opens = 0;
        return f;
    }
    return NULL;
}

static bool resize(struct ram *r, struct ram_file *f, size_t n)
{
    if (n > r->most)
        return false;
    if (n > f->cap) {
        size_t cap = n * 2;
        unsigned char *more = realloc(f->data, cap);
        MUST(more != NULL);
        f->data = more;
        f->cap = cap;
    }
    if (n > f->n)
        memset(f->data + f->n, 0, n - f->n);
    f->n = n;
    return true;
}

static void drop(struct ram_file *f)
{
    for (int i = 0; i < RAM_REGIONS; i++) {
        free(f->region[i]);
        f->region[i] = NULL;
    }
    f->path[0] = '\0'; /* its memory serves the next one */
}

void ram_put(struct ram *r, const char *path, const void *data, size_t n)
{
    struct ram_file *f = ram_find(r, path);
    f = f ? f : make(r, path, S_IFREG | 0600);
    MUST(f && resize(r, f, n));
    if (n)
        memcpy(f->data, data, n);
}

void ram_remove(struct ram *r, const char *path)
{
    struct ram_file *f = ram_find(r, path);
    if (f)
        drop(f);
}

void ram_clear(struct ram *r)
{
    for (int i = 0; i < RAM_FILES; i++)
        drop(&r->file[i]);
    r->folders = 0;
    r->writes = r->made = 0;
}

/* ---- The table ---------------------------------------------------------- */

static bool is_folder(struct ram *r, const char *path)
{
    size_t n = strlen(path);
    if (!strcmp(path, "/"))
        return true;
    for (int i = 0; i < RAM_FILES; i++)
        if (!strncmp(r->file[i].path, path, n) && r->file[i].path[n] == '/')
            return true;
    return false;
}

/* The full path of `name` below `dir`. */
static void full(struct ram *r, int dir, const char *name, char out[256])
{
    if (name[0] == '/' || dir < FOLDER_BASE)
        snprintf(out, 256, "%s", name);
    else
        snprintf(out, 256, "%s/%s", r->folder[dir - FOLDER_BASE], name);
}

static struct ram_file *file_of(struct ram *r, int fd)
{
    MUST(fd >= FILE_BASE && fd < FILE_BASE + RAM_FILES);
    return &r->file[fd - FILE_BASE];
}

static int open_folder(struct ram *r, const char *path)
{
    for (unsigned i = 0; i < RAM_FILES; i++)
        if (i >= r->folders || !r->folder[i][0]) {
            MUST(strlen(path) < RAM_PATH);
            memcpy(r->folder[i], path, strlen(path) + 1);
            r->folders = i < r->folders ? r->folders : i + 1;
            return FOLDER_BASE + (int)i;
        }
    return -EMFILE;
}

static int ram_open(void *ctx, int dir, const char *name, int flags,
                    uint32_t mode)
{
    struct ram *r = ctx;
    char path[256];
    full(r, dir, name, path);
    struct ram_file *f = ram_find(r, path);
    if (f && (flags & O_DIRECTORY))
        return -ENOTDIR;
    if (f && (flags & O_CREAT) && (flags & O_EXCL))
        return -EEXIST;
    if (!f && is_folder(r, path))
        return open_folder(r, path);
    if (!f && (flags & O_CREAT)) {
        f = make(r, path, S_IFREG | mode);
        r->made++;
        if (!f)
            return -ENOSPC;
    }
    if (!f)
        return -ENOENT;
    f->opens++;
    return FILE_BASE + (int)(f - r->file);
}

static int ram_close(void *ctx, int fd)
{
    struct ram *r = ctx;
    if (fd >= FOLDER_BASE)
        r->folder[fd - FOLDER_BASE][0] = '\0';
    else
        file_of(r, fd)->opens--;
    return 0;
}

static int64_t ram_pread(void *ctx, int fd, void *buf, size_t n, uint64_t at)
{
    struct ram_file *f = file_of(ctx, fd);
    if (at >= f->n)
        return 0;
    if (n > f->n - at)
        n = f->n - (size_t)at;
    memcpy(buf, f->data + at, n);
    return (int64_t)n;
}

static int64_t ram_pwrite(void *ctx, int fd, const void *buf, size_t n,
                          uint64_t at)
{
    struct ram *r = ctx;
    struct ram_file *f = file_of(r, fd);
    r->writes++;
    if (at > r->most || n > r->most - at ||
        (at + n > f->n && !resize(r, f, (size_t)at + n)))
        return -ENOSPC;
    memcpy(f->data + at, buf, n);
    return (int64_t)n;
}

static int ram_sync(void *ctx, int fd)
{
    (void)ctx, (void)fd;
    return 0;
}

static int ram_truncate(void *ctx, int fd, uint64_t size)
{
    struct ram *r = ctx;
    r->writes++;
    return size <= r->most && resize(r, file_of(r, fd), (size_t)size) ? 0
                                                                      : -ENOSPC;
}

static void about(struct ram *r, const struct ram_file *f,
                  struct plog_stat *out)
{
    memset(out, 0, sizeof *out);
    out->device = 1;
    out->inode = f ? (uint64_t)(f - r->file) + 10 : 1;
    out->size = f ? f->n : 0;
    out->links = 1;
    out->mode = f ? f->mode : S_IFDIR | 0700;
    out->owner = plog_io_effective_user();
}

static int ram_stat(void *ctx, int fd, struct plog_stat *out)
{
    about(ctx, fd < FOLDER_BASE ? file_of(ctx, fd) : NULL, out);
    return 0;
}

static int ram_stat_at(void *ctx, int dir, const char *name,
                       struct plog_stat *out)
{
    char path[256];
    full(ctx, dir, name, path);
    struct ram_file *f = ram_find(ctx, path);
    if (!f && !is_folder(ctx, path))
        return -ENOENT;
    about(ctx, f, out);
    return 0;
}

static int ram_rename(void *ctx, int from_dir, const char *from, int to_dir,
                      const char *to, bool replace)
{
    struct ram *r = ctx;
    char old[256], now[256];
    full(r, from_dir, from, old);
    full(r, to_dir, to, now);
    struct ram_file *f = ram_find(r, old), *taken = ram_find(r, now);
    r->writes++;
    if (!f || (taken && !replace))
        return f ? -EEXIST : -ENOENT;
    if (taken)
        drop(taken);
    MUST(strlen(now) < sizeof f->path);
    memcpy(f->path, now, strlen(now) + 1);
    return 0;
}

static int ram_unlink(void *ctx, int dir, const char *name)
{
    struct ram *r = ctx;
    char path[256];
    full(r, dir, name, path);
    struct ram_file *f = ram_find(r, path);
    r->writes++;
    if (f)
        drop(f);
    return f ? 0 : -ENOENT;
}

/* A directory that has no file yet has one called `.`. */
static int ram_folder(void *ctx, int dir, const char *name, uint32_t mode)
{
    struct ram *r = ctx;
    char path[256];
    (void)mode;
    full(r, dir, name, path);
    if (ram_find(r, path) || is_folder(r, path))
        return -EEXIST;
    MUST(strlen(path) + 2 < sizeof path);
    memcpy(path + strlen(path), "/.", 3);
    r->made++;
    return make(r, path, S_IFREG | 0600) ? 0 : -ENOSPC;
}

static int ram_no_folder(void *ctx, int dir, const char *name)
{
    struct ram *r = ctx;
    char path[256];
    full(r, dir, name, path);
    MUST(strlen(path) + 2 < sizeof path);
    memcpy(path + strlen(path), "/.", 3);
    r->writes++;
    ram_remove(r, path);
    path[strlen(path) - 2] = '\0';
    return is_folder(r, path) ? -ENOTEMPTY : 0;
}

static int ram_list(void *ctx, int dir,
                    int (*each)(void *arg, const char *name), void *arg)
{
    struct ram *r = ctx;
    const char *folder = r->folder[dir - FOLDER_BASE];
    size_t n = strlen(folder);
    int rc = 0;
    for (int i = 0; !rc && i < RAM_FILES; i++) {
        const char *path = r->file[i].path;
        if (!strncmp(path, folder, n) && path[n] == '/' &&
            !strchr(path + n + 1, '/') && strcmp(path + n + 1, ".") != 0)
            rc = each(arg, path + n + 1);
    }
    return rc;
}

static int ram_lock(void *ctx, int fd, int mode)
{
    (void)ctx, (void)fd, (void)mode;
    return 0;
}

static int ram_lock_byte(void *ctx, int fd, uint64_t byte, int mode)
{
    (void)ctx, (void)fd, (void)byte, (void)mode;
    return 0;
}

static int64_t ram_clock(void *ctx)
{
    (void)ctx;
    return 1767323045000000000;
}

static void ram_sleep(void *ctx, int64_t ns)
{
    (void)ctx, (void)ns;
}

static int ram_random(void *ctx, void *buf, size_t n)
{
    struct ram *r = ctx;
    for (size_t i = 0; i < n; i++)
        ((unsigned char *)buf)[i] = (unsigned char)fuzz_random(&r->random);
    return 0;
}

static int64_t ram_process(void *ctx)
{
    (void)ctx;
    return 4711;
}

static int ram_real_path(void *ctx, const char *path, char *out, size_t cap)
{
    (void)ctx;
    return (size_t)snprintf(out, cap, "%s", path) < cap ? 0 : -ENAMETOOLONG;
}

void ram_init(struct ram *r)
{
    memset(r, 0, sizeof *r);
    r->most = 64u << 20;
    r->io = (struct plog_io){
        .struct_size = sizeof r->io,
        .ctx = r,
        .open_at = ram_open,
        .close = ram_close,
        .pread = ram_pread,
        .pwrite = ram_pwrite,
        .fdatasync = ram_sync,
        .fsync = ram_sync,
        .truncate = ram_truncate,
        .stat = ram_stat,
        .stat_at = ram_stat_at,
        .rename_at = ram_rename,
        .unlink_at = ram_unlink,
        .mkdir_at = ram_folder,
        .rmdir_at = ram_no_folder,
        .list = ram_list,
        .lock = ram_lock,
        .lock_byte = ram_lock_byte,
        .clock_real_ns = ram_clock,
        .clock_mono_ns = ram_clock,
        .sleep_ns = ram_sleep,
        .random = ram_random,
        .process_id = ram_process,
        .real_path = ram_real_path,
        .alloc = fuzz_memory()->alloc,
    };
    ram_vfs_init(r);
    r->io.vfs_base = &r->vfs;
}
