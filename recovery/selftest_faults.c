/*
 * selftest_faults.c - an I/O table that ends the process, or fails, at the
 * n-th call that changes something on disk; see selftest.h.
 *
 * Of a write at which it ends, half arrives.  Of one that fails, half is taken
 * and the next one is refused, as a disk does that fills up.  The end is a
 * kill -9: the process says so, and waits for it.
 */
#include <errno.h>
#include <fcntl.h>

#include "selftest.h"

static struct plog_faults *self(void *ctx)
{
    return ctx;
}

static void be_killed(const struct plog_faults *f)
{
    if (f->last_words)
        f->host->say(f->host->ctx, f->last_words, f->last_words_size);
    plog_selftest_wait_for_kill(f->base);
}

/* A call that changes something.  Returns 0, or the error that it is to fail
 * with. */
static int count(struct plog_faults *f)
{
    f->calls++;
    if (f->happened && f->for_ever)
        return f->error;
    if (f->left == 0 || --f->left > 0)
        return 0;
    f->happened = true;
    if (f->error == 0)
        be_killed(f);
    return f->error;
}

static int on_open(void *ctx, int dir, const char *name, int flags,
                   uint32_t mode)
{
    struct plog_faults *f = self(ctx);
    int rc = flags & O_CREAT ? count(f) : 0;
    return rc ? rc : f->base->open_at(f->base->ctx, dir, name, flags, mode);
}

static int on_close(void *ctx, int fd)
{
    return self(ctx)->base->close(self(ctx)->base->ctx, fd);
}

static int64_t on_pread(void *ctx, int fd, void *to, size_t n, uint64_t at)
{
    return self(ctx)->base->pread(self(ctx)->base->ctx, fd, to, n, at);
}

static int64_t on_pwrite(void *ctx, int fd, const void *from, size_t n,
                         uint64_t at)
{
    struct plog_faults *f = self(ctx);
    bool now = f->left == 1 && n > 1;
    int64_t half = now ? f->base->pwrite(f->base->ctx, fd, from, n / 2, at) : 0;
    int rc = count(f);
    if (!rc)
        return f->base->pwrite(f->base->ctx, fd, from, n, at);
    if (half > 0 && !f->for_ever)
        f->left = 1; /* the rest of it is refused */
    return half > 0 ? half : rc;
}

static int on_fdatasync(void *ctx, int fd)
{
    struct plog_faults *f = self(ctx);
    int rc = count(f);
    return rc ? rc : f->base->fdatasync(f->base->ctx, fd);
}

static int on_fsync(void *ctx, int fd)
{
    struct plog_faults *f = self(ctx);
    int rc = count(f);
    return rc ? rc : f->base->fsync(f->base->ctx, fd);
}

static int on_truncate(void *ctx, int fd, uint64_t size)
{
    struct plog_faults *f = self(ctx);
    int rc = count(f);
    return rc ? rc : f->base->truncate(f->base->ctx, fd, size);
}

static int on_stat(void *ctx, int fd, struct plog_stat *out)
{
    return self(ctx)->base->stat(self(ctx)->base->ctx, fd, out);
}

static int on_stat_at(void *ctx, int dir, const char *name,
                      struct plog_stat *out)
{
    return self(ctx)->base->stat_at(self(ctx)->base->ctx, dir, name, out);
}

static int on_rename(void *ctx, int from_dir, const char *from, int to_dir,
                     const char *to, bool replace)
{
    struct plog_faults *f = self(ctx);
    int rc = count(f);
    return rc ? rc
              : f->base->rename_at(f->base->ctx, from_dir, from, to_dir, to,
                                   replace);
}

static int on_unlink(void *ctx, int dir, const char *name)
{
    struct plog_faults *f = self(ctx);
    int rc = count(f);
    return rc ? rc : f->base->unlink_at(f->base->ctx, dir, name);
}

static int on_mkdir(void *ctx, int dir, const char *name, uint32_t mode)
{
    struct plog_faults *f = self(ctx);
    int rc = count(f);
    return rc ? rc : f->base->mkdir_at(f->base->ctx, dir, name, mode);
}

static int on_rmdir(void *ctx, int dir, const char *name)
{
    struct plog_faults *f = self(ctx);
    int rc = count(f);
    return rc ? rc : f->base->rmdir_at(f->base->ctx, dir, name);
}

static int on_list(void *ctx, int dir, int (*each)(void *arg, const char *name),
                   void *arg)
{
    return self(ctx)->base->list(self(ctx)->base->ctx, dir, each, arg);
}

static int on_lock(void *ctx, int fd, int mode)
{
    return self(ctx)->base->lock(self(ctx)->base->ctx, fd, mode);
}

static int on_lock_byte(void *ctx, int fd, uint64_t byte, int mode)
{
    return self(ctx)->base->lock_byte(self(ctx)->base->ctx, fd, byte, mode);
}

static int64_t on_clock_real(void *ctx)
{
    return self(ctx)->base->clock_real_ns(self(ctx)->base->ctx);
}

static int64_t on_clock_mono(void *ctx)
{
    return self(ctx)->base->clock_mono_ns(self(ctx)->base->ctx);
}

static void on_sleep(void *ctx, int64_t ns)
{
    self(ctx)->base->sleep_ns(self(ctx)->base->ctx, ns);
}

static int on_random(void *ctx, void *to, size_t n)
{
    return self(ctx)->base->random(self(ctx)->base->ctx, to, n);
}

static int64_t on_process_id(void *ctx)
{
    return self(ctx)->base->process_id(self(ctx)->base->ctx);
}

static int on_real_path(void *ctx, const char *path, char *out, size_t cap)
{
    return self(ctx)->base->real_path(self(ctx)->base->ctx, path, out, cap);
}

static void *on_alloc(void *ctx, void *p, size_t n)
{
    return self(ctx)->base->alloc(self(ctx)->base->ctx, p, n);
}

static int on_file_system(void *ctx, int fd, struct plog_fs *out)
{
    const struct plog_io *base = self(ctx)->base;
    return base->file_system ? base->file_system(base->ctx, fd, out) : -ENOSYS;
}

/* SQLite's own writes and syncs; opening and reading change nothing. */
static int on_store_event(void *ctx, const struct plog_store_event *e)
{
    struct plog_faults *f = self(ctx);
    bool changes = !e->done && e->op != PLOG_STORE_READ &&
                   e->op != PLOG_STORE_OPEN && e->file != PLOG_STORE_TEMP;
    int rc = changes ? count(f) : 0;
    if (!rc && f->base->store_event)
        rc = f->base->store_event(f->base->ctx, e);
    return rc;
}

void plog_faults_init(struct plog_faults *f, const struct plog_io *base)
{
    *f = (struct plog_faults){.io = {.struct_size = sizeof f->io,
                                     .ctx = f,
                                     .open_at = on_open,
                                     .close = on_close,
                                     .pread = on_pread,
                                     .pwrite = on_pwrite,
                                     .fdatasync = on_fdatasync,
                                     .fsync = on_fsync,
                                     .truncate = on_truncate,
                                     .stat = on_stat,
                                     .stat_at = on_stat_at,
                                     .rename_at = on_rename,
                                     .unlink_at = on_unlink,
                                     .mkdir_at = on_mkdir,
                                     .rmdir_at = on_rmdir,
                                     .list = on_list,
                                     .lock = on_lock,
                                     .lock_byte = on_lock_byte,
                                     .clock_real_ns = on_clock_real,
                                     .clock_mono_ns = on_clock_mono,
                                     .sleep_ns = on_sleep,
                                     .random = on_random,
                                     .process_id = on_process_id,
                                     .real_path = on_real_path,
                                     .alloc = on_alloc,
                                     .vfs_base = base->vfs_base,
                                     .store_event = on_store_event,
                                     .file_system = on_file_system},
                              .base = base};
}
