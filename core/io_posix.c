/*
 * io_posix.c - the I/O table over the operating system; the only file that
 * names system calls.
 *
 * One call each: looping over short reads and writes is io_util.c's part.  A
 * call that a signal interrupted is made again, except fsync and fdatasync,
 * which are never made twice (a second one may report success for pages that
 * the first one lost), and close, which has closed whatever it says.
 */
#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64
#endif
#include "io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE (1 << 0)
#endif

#define FD_MIN 3 /* below: standard input, output, error */
#define NS_PER_S INT64_C(1000000000)
#define SHORT 100000 /* ns: see posix_sleep_ns */

/* Sets `rc` to the value of `call`, made again while a signal interrupts. */
#define RETRY(rc, call)                                                        \
    do {                                                                       \
        (rc) = (call);                                                         \
    } while ((rc) < 0 && errno == EINTR)

static int or_errno(int rc)
{
    return rc < 0 ? -errno : rc;
}

/*
 * A program started without standard handles gets 0..2 from open(2), and the
 * next thing that prints a message would write it into the log.
 */
static int move_up(int fd)
{
    if (fd < 0 || fd >= FD_MIN)
        return or_errno(fd);
    int moved = or_errno(fcntl(fd, F_DUPFD_CLOEXEC, FD_MIN));
    close(fd);
    return moved;
}

/* O_NONBLOCK means nothing to a regular file; a FIFO in the place of one must
 * not hold us up. */
static int posix_open_at(void *ctx, int dir, const char *name, int flags,
                         uint32_t mode)
{
    int fd;
    (void)ctx;
    flags |= O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    RETRY(fd, openat(dir, name, flags, (mode_t)mode));
    return move_up(fd);
}

static int posix_close(void *ctx, int fd)
{
    (void)ctx;
    int rc = or_errno(close(fd));
    return rc == -EINTR ? 0 : rc;
}

static int64_t posix_pread(void *ctx, int fd, void *buf, size_t n,
                           uint64_t offset)
{
    ssize_t rc;
    (void)ctx;
    RETRY(rc, pread(fd, buf, n, (off_t)offset));
    return rc < 0 ? -errno : rc;
}

static int64_t posix_pwrite(void *ctx, int fd, const void *buf, size_t n,
                            uint64_t offset)
{
    ssize_t rc;
    (void)ctx;
    RETRY(rc, pwrite(fd, buf, n, (off_t)offset));
    return rc < 0 ? -errno : rc;
}

static int posix_fdatasync(void *ctx, int fd)
{
    (void)ctx;
    return or_errno(fdatasync(fd));
}

/* A failure says nothing: the sync that counts comes later. */
static void posix_write_back(void *ctx, int fd, uint64_t offset, uint64_t n)
{
    (void)ctx;
    (void)sync_file_range(fd, (off64_t)offset, (off64_t)n,
                          SYNC_FILE_RANGE_WRITE);
}

static int posix_fsync(void *ctx, int fd)
{
    (void)ctx;
    return or_errno(fsync(fd));
}

static int posix_truncate(void *ctx, int fd, uint64_t size)
{
    int rc;
    (void)ctx;
    RETRY(rc, ftruncate(fd, (off_t)size));
    return or_errno(rc);
}

/*
 * statx(2) without times.  Since Linux 6.13 whoever asks a file for its times
 * makes its next write take a fresh one, which dirties the inode; where there
 * is no journal the next fdatasync then writes that, too.  The segment is
 * looked at before each commit.
 */
#define WANTED                                                                 \
    (STATX_TYPE | STATX_MODE | STATX_NLINK | STATX_UID | STATX_INO | STATX_SIZE)

/* For kernels and sandboxes without statx. */
static int old_stat(int dir, const char *name, int flags, struct plog_stat *out)
{
    struct stat st;
    int rc;
    RETRY(rc, fstatat(dir, name, &st, flags));
    if (rc < 0)
        return -errno;
    out->device = (uint64_t)st.st_dev;
    out->inode = (uint64_t)st.st_ino;
    out->size = (uint64_t)st.st_size;
    out->links = (uint64_t)st.st_nlink;
    out->mode = (uint32_t)st.st_mode;
    out->owner = (uint32_t)st.st_uid;
    return 0;
}

static int new_stat(int dir, const char *name, int flags, struct plog_stat *out)
{
    struct statx st;
    int rc;
    RETRY(rc, statx(dir, name, flags, WANTED, &st));
    if (rc < 0 && (errno == ENOSYS || errno == EPERM))
        return old_stat(dir, name, flags, out);
    if (rc < 0)
        return -errno;
    out->device = makedev(st.stx_dev_major, st.stx_dev_minor);
    out->inode = st.stx_ino;
    out->size = st.stx_size;
    out->links = st.stx_nlink;
    out->mode = st.stx_mode;
    out->owner = st.stx_uid;
    return 0;
}

static int posix_file_system(void *ctx, int fd, struct plog_fs *out)
{
    struct statfs st;
    (void)ctx;
    if (fstatfs(fd, &st))
        return -errno;
    out->type = (uint64_t)st.f_type & 0xffffffffu; /* signed on some machines */
    /* Counted in fragments; with FUSE f_bsize is only the size of a read. */
    uint64_t unit = (uint64_t)(st.f_frsize ? st.f_frsize : st.f_bsize);
    out->free_bytes = (uint64_t)st.f_bavail * unit;
    return 0;
}

static int posix_stat(void *ctx, int fd, struct plog_stat *out)
{
    (void)ctx;
    return new_stat(fd, "", AT_EMPTY_PATH, out);
}

static int posix_stat_at(void *ctx, int dir, const char *name,
                         struct plog_stat *out)
{
    (void)ctx;
    return new_stat(dir, name, AT_SYMLINK_NOFOLLOW, out);
}

/* Where a file system cannot rename without replacing: link(2) fails for a
 * taken name just as surely.  A crash between the two leaves both names. */
static int link_and_unlink(int old_dir, const char *old_name, int new_dir,
                           const char *new_name)
{
    int rc;
    RETRY(rc, linkat(old_dir, old_name, new_dir, new_name, 0));
    if (rc < 0)
        return -errno;
    RETRY(rc, unlinkat(old_dir, old_name, 0));
    return or_errno(rc);
}

static int posix_rename_at(void *ctx, int old_dir, const char *old_name,
                           int new_dir, const char *new_name, bool replace)
{
    int rc;
    (void)ctx;
    if (replace) {
        RETRY(rc, renameat(old_dir, old_name, new_dir, new_name));
        return or_errno(rc);
    }
#ifdef SYS_renameat2
    RETRY(rc, (int)syscall(SYS_renameat2, old_dir, old_name, new_dir, new_name,
                           RENAME_NOREPLACE));
    if (rc == 0 || (errno != EINVAL && errno != ENOSYS))
        return or_errno(rc);
#endif
    return link_and_unlink(old_dir, old_name, new_dir, new_name);
}

static int posix_unlink_at(void *ctx, int dir, const char *name)
{
    int rc;
    (void)ctx;
    RETRY(rc, unlinkat(dir, name, 0));
    return or_errno(rc);
}

static int posix_rmdir_at(void *ctx, int dir, const char *name)
{
    int rc;
    (void)ctx;
    RETRY(rc, unlinkat(dir, name, AT_REMOVEDIR));
    return or_errno(rc);
}

static int posix_mkdir_at(void *ctx, int dir, const char *name, uint32_t mode)
{
    int rc;
    (void)ctx;
    RETRY(rc, mkdirat(dir, name, (mode_t)mode));
    return or_errno(rc);
}

static int each_name(DIR *d, int (*each)(void *arg, const char *name),
                     void *arg)
{
    for (;;) {
        errno = 0; /* readdir tells the end from an error by this alone */
        const struct dirent *e = readdir(d);
        if (!e)
            return -errno;
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        int rc = each(arg, e->d_name);
        if (rc != 0)
            return rc;
    }
}

/* Reopens the directory: a dup'ed handle would share its read position with
 * every other listing. */
static int posix_list(void *ctx, int dir,
                      int (*each)(void *arg, const char *name), void *arg)
{
    int fd = posix_open_at(ctx, dir, ".", O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return fd;
    DIR *d = fdopendir(fd);
    if (!d) {
        int rc = -errno;
        close(fd);
        return rc;
    }
    int rc = each_name(d, each, arg);
    closedir(d);
    return rc;
}

static int posix_lock(void *ctx, int fd, int mode)
{
    int rc, operation;
    (void)ctx;
    if (mode < 0 || mode > 2)
        return -EINVAL;
    operation = mode == 0 ? LOCK_UN : mode == 1 ? LOCK_SH : LOCK_EX;
    RETRY(rc, flock(fd, operation | LOCK_NB));
    return rc < 0 && errno == EWOULDBLOCK ? -EAGAIN : or_errno(rc);
}

/* OFD locks belong to the open file, as flock's do: classic POSIX locks would
 * vanish when any other handle of the process on the same file is closed. */
static int posix_lock_byte(void *ctx, int fd, uint64_t byte, int mode)
{
    struct flock l = {0};
    int rc;
    (void)ctx;
    if (mode != 0 && mode != 2)
        return -EINVAL;
    l.l_type = mode == 0 ? F_UNLCK : F_WRLCK;
    l.l_whence = SEEK_SET;
    l.l_start = (off_t)byte;
    l.l_len = 1;
    RETRY(rc, fcntl(fd, F_OFD_SETLK, &l));
    return rc < 0 && errno == EACCES ? -EAGAIN : or_errno(rc);
}

static int64_t clock_ns(clockid_t id)
{
    struct timespec t;
    if (clock_gettime(id, &t) < 0)
        return -errno;
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static int64_t posix_clock_real_ns(void *ctx)
{
    (void)ctx;
    return clock_ns(CLOCK_REALTIME);
}

static int64_t posix_clock_mono_ns(void *ctx)
{
    (void)ctx;
    return clock_ns(CLOCK_MONOTONIC);
}

static struct timespec timespec_of(int64_t ns)
{
    struct timespec t;
    t.tv_sec = (time_t)(ns / NS_PER_S);
    t.tv_nsec = (long)(ns % NS_PER_S);
    return t;
}

/* Ends early on a signal, so that the caller can see that it is to stop.  The
 * kernel may make any sleep longer by the slack of the thread, 50 us if nobody
 * changed it: too much for the shortest ones. */
static void posix_sleep_ns(void *ctx, int64_t ns)
{
    const struct timespec t = timespec_of(ns);
    (void)ctx;
    if (ns <= 0)
        return;
    int slack = ns < SHORT ? prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0) : 0;
    if (slack > 1)
        prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    nanosleep(&t, NULL);
    if (slack > 1)
        prctl(PR_SET_TIMERSLACK, slack, 0, 0, 0);
}

static int make_watch(int *watch, const char *path)
{
    int fd = move_up(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (fd < 0)
        return fd;
    if (inotify_add_watch(fd, path, IN_MODIFY | IN_ONLYDIR) < 0) {
        int rc = -errno;
        close(fd);
        return rc;
    }
    *watch = fd;
    return 0;
}

/* What is read is not looked at: there is one watch, for one thing. */
static int posix_wait_change(void *ctx, int *watch, const char *path,
                             int64_t ns)
{
    char events[4096];
    const struct timespec t = timespec_of(ns > 0 ? ns : 0);
    (void)ctx;
    if (*watch < 0)
        return make_watch(watch, path);
    struct pollfd p = {.fd = *watch, .events = POLLIN};
    int rc = ppoll(&p, 1, &t, NULL);
    if (rc > 0) { /* all that came, or the rest wakes the next call at once */
        ssize_t got;
        do
            got = read(*watch, events, sizeof events);
        while (got > 0);
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
    }
    return rc < 0 && errno != EINTR ? -errno : rc > 0;
}

static int posix_random(void *ctx, void *buf, size_t n)
{
    unsigned char *to = buf;
    (void)ctx;
    while (n > 0) {
        ssize_t rc;
        RETRY(rc, getrandom(to, n, 0));
        if (rc < 0)
            return -errno;
        to += rc;
        n -= (size_t)rc;
    }
    return 0;
}

static int64_t posix_process_id(void *ctx)
{
    (void)ctx;
    return getpid();
}

static void *posix_alloc(void *ctx, void *p, size_t n)
{
    (void)ctx;
    if (n == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, n);
}

uint32_t plog_io_effective_user(void)
{
    return (uint32_t)geteuid();
}

void *plog_io_map(int fd, size_t n)
{
    void *map = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return map == MAP_FAILED ? NULL : map;
}

void plog_io_unmap(void *map, size_t n)
{
    munmap(map, n);
}

unsigned plog_io_processors(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    int n = sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
    return n > 0 ? (unsigned)n : 1;
}

static int posix_real_path(void *ctx, const char *path, char *out, size_t cap)
{
    (void)ctx;
    char *real = realpath(path, NULL);
    if (!real)
        return -errno;
    size_t n = strlen(real) + 1;
    if (n <= cap)
        memcpy(out, real, n);
    free(real);
    return n <= cap ? 0 : -ENAMETOOLONG;
}

const struct plog_io *plog_io_posix(void)
{
    static const struct plog_io io = {
        .struct_size = sizeof(struct plog_io),
        .open_at = posix_open_at,
        .close = posix_close,
        .pread = posix_pread,
        .pwrite = posix_pwrite,
        .fdatasync = posix_fdatasync,
        .fsync = posix_fsync,
        .truncate = posix_truncate,
        .stat = posix_stat,
        .stat_at = posix_stat_at,
        .file_system = posix_file_system,
        .write_back = posix_write_back,
        .wait_change = posix_wait_change,
        .rename_at = posix_rename_at,
        .unlink_at = posix_unlink_at,
        .mkdir_at = posix_mkdir_at,
        .rmdir_at = posix_rmdir_at,
        .list = posix_list,
        .lock = posix_lock,
        .lock_byte = posix_lock_byte,
        .clock_real_ns = posix_clock_real_ns,
        .clock_mono_ns = posix_clock_mono_ns,
        .sleep_ns = posix_sleep_ns,
        .random = posix_random,
        .real_path = posix_real_path,
        .process_id = posix_process_id,
        .alloc = posix_alloc,
    };
    return &io;
}
