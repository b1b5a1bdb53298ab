/* io_util.c - see io.h. */
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>

#define NAME_SIZE 512     /* of a temporary name, with its NUL */
#define READ_STEP 65536   /* bytes read beyond the size that stat told */
#define REPLACED_MOST 100 /* times that a name gets another file meanwhile */

#define MOST_NS 4e18       /* some 126 years: what is added to stays in range */
#define MOST_MS 2000000000 /* SQLite adds to it, too */

int64_t plog_io_until(const struct plog_io *io, double seconds)
{
    int64_t now = io->clock_mono_ns(io->ctx);
    double ns = seconds > 0 ? seconds * 1e9 : 0; /* a NaN is not above 0 */
    return ns < MOST_NS ? now + (int64_t)ns : INT64_MAX;
}

double plog_io_left(const struct plog_io *io, int64_t until)
{
    int64_t now = io->clock_mono_ns(io->ctx);
    if (until == INT64_MAX)
        return INFINITY;
    return now < until ? (double)(until - now) / 1e9 : 0;
}

int plog_io_wait_ms(double seconds)
{
    double ms = seconds > 0 ? seconds * 1000 : 0;
    return ms < MOST_MS ? (int)ms : MOST_MS;
}

bool plog_io_says_odd(int rc)
{
    return rc == -ELOOP || rc == -EISDIR || rc == -EINVAL || rc == -EMLINK ||
           rc == -ENXIO;
}

static int check_kind(const struct plog_io *io, int fd, struct plog_stat *st)
{
    int rc = io->stat(io->ctx, fd, st);
    if (rc < 0)
        return rc;
    if (S_ISDIR(st->mode))
        return -EISDIR;
    if (!S_ISREG(st->mode))
        return -EINVAL;
    return st->links == 1 ? 0 : -EMLINK;
}

int plog_io_check_regular(const struct plog_io *io, int fd)
{
    struct plog_stat st;
    return check_kind(io, fd, &st);
}

int plog_io_open_regular(const struct plog_io *io, int dir, const char *name,
                         int flags)
{
    for (int left = REPLACED_MOST;; left--) {
        struct plog_stat st;
        int fd = io->open_at(io->ctx, dir, name, flags | O_NONBLOCK, 0);
        if (fd < 0)
            return fd;
        int rc = check_kind(io, fd, &st);
        if (rc == 0)
            return fd;
        io->close(io->ctx, fd);
        if (rc != -EMLINK || st.links > 0 || left == 0)
            return rc;
    }
}

int plog_io_pread_full(const struct plog_io *io, int fd, void *p, size_t n,
                       uint64_t offset, size_t *got)
{
    unsigned char *to = p;
    *got = 0;
    while (*got < n) {
        int64_t rc = io->pread(io->ctx, fd, to + *got, n - *got, offset + *got);
        if (rc == -EINTR)
            continue;
        if (rc < 0)
            return (int)rc;
        if (rc == 0)
            return 0;
        *got += (size_t)rc;
    }
    return 0;
}

int plog_io_write_full(const struct plog_io *io, int fd, const void *p,
                       size_t n, uint64_t offset, size_t *written)
{
    const unsigned char *from = p;
    size_t done = 0;
    int64_t rc = 0;
    while (done < n) {
        rc = io->pwrite(io->ctx, fd, from + done, n - done, offset + done);
        if (rc == -EINTR)
            continue;
        if (rc == 0)
            rc = -ENOSPC; /* else this would spin */
        if (rc < 0)
            break;
        done += (size_t)rc;
    }
    if (written)
        *written = done;
    return rc < 0 ? (int)rc : 0;
}

/* Appends what `fd` holds.  Reads until the end and not to the size that stat
 * tells, so that a file that grows meanwhile is not cut in the middle. */
static int read_to_end(const struct plog_io *io, int fd, size_t max,
                       struct plog_buf *out)
{
    size_t total = 0;
    for (;;) {
        size_t want = max - total < READ_STEP ? max - total + 1 : READ_STEP;
        size_t got;
        if (plog_buf_reserve(out, want))
            return -ENOMEM;
        int rc =
            plog_io_pread_full(io, fd, out->data + out->len, want, total, &got);
        if (rc < 0)
            return rc;
        if (got > max - total)
            return -EFBIG;
        out->len += got;
        total += got;
        if (got < want)
            return 0;
    }
}

int plog_io_read_all(const struct plog_io *io, int dir, const char *name,
                     size_t max, struct plog_buf *out)
{
    size_t len_before = out->len;
    int fd = plog_io_open_regular(io, dir, name, O_RDONLY);
    if (fd < 0)
        return fd == -ENXIO ? -EINVAL : fd; /* a socket cannot be opened */
    int rc = read_to_end(io, fd, max, out);
    if (rc < 0)
        out->len = len_before;
    io->close(io->ctx, fd);
    return rc;
}

/* Opens the temporary file, which must be a new one of ours: O_EXCL follows
 * no link and keeps no mode or owner that somebody else chose. */
static int open_fresh(const struct plog_io *io, int dir, const char *name,
                      uint32_t mode)
{
    int flags = O_WRONLY | O_CREAT | O_EXCL;
    int fd = io->open_at(io->ctx, dir, name, flags, mode);
    if (fd != -EEXIST)
        return fd;
    int rc = io->unlink_at(io->ctx, dir, name);
    if (rc < 0 && rc != -ENOENT)
        return rc;
    return io->open_at(io->ctx, dir, name, flags, mode);
}

static int write_and_sync(const struct plog_io *io, int fd, const void *data,
                          size_t n)
{
    int rc = plog_io_write_full(io, fd, data, n, 0, NULL);
    return rc < 0 ? rc : io->fdatasync(io->ctx, fd);
}

int plog_io_write_file(const struct plog_io *io, int dir, const char *name,
                       const char *suffix, const void *data, size_t n,
                       uint32_t mode, bool replace)
{
    char temp[NAME_SIZE];
    size_t name_len = strlen(name), suffix_len = strlen(suffix);
    if (suffix_len == 0)
        return -EINVAL;
    if (name_len >= sizeof temp || suffix_len >= sizeof temp - name_len)
        return -ENAMETOOLONG;
    memcpy(temp, name, name_len);
    memcpy(temp + name_len, suffix, suffix_len + 1);

    int fd = open_fresh(io, dir, temp, mode);
    if (fd < 0)
        return fd;
    int rc = write_and_sync(io, fd, data, n);
    int closed = io->close(io->ctx, fd);
    if (rc >= 0)
        rc = closed;
    if (rc >= 0)
        rc = io->rename_at(io->ctx, dir, temp, dir, name, replace);
    if (rc < 0) {
        io->unlink_at(io->ctx, dir, temp);
        return rc;
    }
    rc = io->fsync(io->ctx, dir);
    return rc < 0 ? rc : 0;
}
