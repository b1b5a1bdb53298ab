/* orders_dir.c - see orders_dir.h. */
#include "orders_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

void orders_dir_put(int dir, const char *name, const char *p, size_t n)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0);
    CHECK_INT(write(fd, p, n), n);
    close(fd);
}

void orders_dir_begin(struct plog_dir *d, struct plog_io *io,
                      struct plog_keyring *ring, struct plog_orders *o)
{
    static int next;
    char path[600];
    *io = *plog_io_posix();
    memset(d, 0, sizeof *d);
    memset(ring, 0, sizeof *ring);
    snprintf(path, sizeof path, "%.500s/o%d", check_dir(), next++);
    CHECK_INT(mkdir(path, 0700), 0);
    d->io = io;
    d->dir = open(path, O_RDONLY | O_DIRECTORY);
    CHECK_INT(mkdirat(d->dir, "log", 0700), 0);
    d->log = openat(d->dir, "log", O_RDONLY | O_DIRECTORY);
    plog_orders_init(o, io, d, ring);
}

void orders_dir_end(struct plog_dir *d, struct plog_orders *o)
{
    plog_orders_fini(o);
    close(d->log);
    close(d->dir);
}

struct plog_span orders_floor_args(uint64_t to, struct plog_buf *b)
{
    struct plog_compaction c = {.from = to + 1, .to = to};
    c.has_snapshot = to > 0;
    c.rules.strategy = PLOG_ARRIVAL;
    c.rules.line_max = PLOG_LINE_DEFAULT;
    c.rules.segment_size = PLOG_SEGMENT_DEFAULT;
    c.peers = plog_span_text("[{\"name\":\"p\",\"seq\":1}]");
    c.rotations = plog_span_text("[]");
    CHECK_INT(plog_compaction_format(b, &c), 0);
    return plog_span(b->data, b->len);
}

void orders_floor_line(struct plog_buf *b, uint64_t to, uint64_t at)
{
    struct plog_buf args;
    plog_buf_init(&args, b->io);
    CHECK_INT(plog_control_format(b, at, PLOG_CONTROL_COMPACT,
                                  orders_floor_args(to, &args),
                                  plog_span("", 0)),
              0);
    CHECK_INT(plog_buf_add_char(b, '\n'), 0);
    plog_buf_fini(&args);
}

const char *orders_unreadable;
int orders_unlisted = -1;

int orders_failing_open(void *ctx, int dir, const char *name, int flags,
                        uint32_t mode)
{
    if (orders_unreadable && strcmp(name, orders_unreadable) == 0)
        return -EIO;
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

int orders_failing_list(void *ctx, int dir,
                        int (*each)(void *arg, const char *name), void *arg)
{
    struct stat a, b;
    if (orders_unlisted >= 0 && !fstat(dir, &a) &&
        !fstat(orders_unlisted, &b) && a.st_ino == b.st_ino)
        return -EIO;
    return plog_io_posix()->list(ctx, dir, each, arg);
}
