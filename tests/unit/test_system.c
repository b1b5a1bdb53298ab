/*
 * test_system.c - what the system does besides what one hopes: signals in the
 * middle of a call, kernels and sandboxes that lack one, calls that fail.
 *
 * The functions below take the place of libc's for the whole program and call
 * them, unless a case has armed them.
 */
#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64 /* the same names as in io_posix.c */
#endif
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "handles.h"
#include "world.h"

/* ---- Calls that can be made to fail ------------------------------------- */

enum call {
    OPENAT,
    CLOSE,
    PREAD,
    PWRITE,
    FTRUNCATE,
    STATX,
    FSTATAT,
    FSTATFS,
    LINKAT,
    RENAMEAT,
    RENAMEAT2,
    UNLINKAT,
    MKDIRAT,
    FDOPENDIR,
    READDIR,
    FLOCK,
    FCNTL,
    CLOCK,
    GETRANDOM,
    SIGMASK,
    CALLS
};

static struct {
    int error;
    unsigned times; /* so often from now on */
    unsigned made;  /* since it was armed */
} armed[CALLS];
static bool no_fragments;  /* fstatfs knows of no size of a fragment */
static bool fragments;     /* ... of 1,000 that are free, four a block */
static size_t random_most; /* getrandom gives at most so much; 0: all */
#define ALWAYS 1000000000u

static void arm(enum call c, int error, unsigned times)
{
    armed[c].error = error;
    armed[c].times = times;
    armed[c].made = 0;
}

static void disarm(void)
{
    memset(armed, 0, sizeof armed);
}

static bool fails(enum call c)
{
    armed[c].made++;
    if (armed[c].times == 0)
        return false;
    armed[c].times--;
    errno = armed[c].error;
    return true;
}

/* Declares `real`, libc's function of that name. */
#define REAL(type, name)                                                       \
    static type *real;                                                         \
    if (!real)                                                                 \
    *(void **)&real = dlsym(RTLD_NEXT, name)

typedef int open_fn(int dir, const char *name, int flags, mode_t mode);
int openat(int dir, const char *name, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    REAL(open_fn, "openat64");
    return fails(OPENAT) ? -1 : real(dir, name, flags, mode);
}

int close(int fd)
{
    int error = fails(CLOSE) ? errno : 0;
    int rc = handles_close(fd); /* also a call that a signal interrupts closes */
    if (!error)
        return rc;
    errno = error;
    return -1;
}

typedef ssize_t pread_fn(int fd, void *p, size_t n, off_t at);
ssize_t pread(int fd, void *p, size_t n, off_t at)
{
    REAL(pread_fn, "pread64");
    return fails(PREAD) ? -1 : real(fd, p, n, at);
}

typedef ssize_t pwrite_fn(int fd, const void *p, size_t n, off_t at);
ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    REAL(pwrite_fn, "pwrite64");
    return fails(PWRITE) ? -1 : real(fd, p, n, at);
}

typedef int ftruncate_fn(int fd, off_t n);
int ftruncate(int fd, off_t n)
{
    REAL(ftruncate_fn, "ftruncate64");
    return fails(FTRUNCATE) ? -1 : real(fd, n);
}

typedef int statx_fn(int dir, const char *name, int flags, unsigned mask,
                     struct statx *out);
int statx(int dir, const char *name, int flags, unsigned mask,
          struct statx *out)
{
    REAL(statx_fn, "statx");
    return fails(STATX) ? -1 : real(dir, name, flags, mask, out);
}

typedef int fstatat_fn(int dir, const char *name, struct stat *out, int flags);
int fstatat(int dir, const char *name, struct stat *out, int flags)
{
    REAL(fstatat_fn, "fstatat64");
    return fails(FSTATAT) ? -1 : real(dir, name, out, flags);
}

typedef int fstatfs_fn(int fd, struct statfs *out);
int fstatfs(int fd, struct statfs *out)
{
    REAL(fstatfs_fn, "fstatfs64");
    int rc = fails(FSTATFS) ? -1 : real(fd, out);
    if (!rc && no_fragments)
        out->f_frsize = 0;
    if (!rc && fragments) {
        out->f_frsize = 1024;
        out->f_bsize = 4096;
        out->f_bavail = 1000;
    }
    return rc;
}

static _Thread_local int slack; /* of the timer, when the thread slept last */

typedef int nanosleep_fn(const struct timespec *, struct timespec *);
int nanosleep(const struct timespec *t, struct timespec *left)
{
    REAL(nanosleep_fn, "nanosleep");
    slack = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
    return real(t, left);
}

typedef int linkat_fn(int, const char *, int, const char *, int);
int linkat(int a, const char *from, int b, const char *to, int flags)
{
    REAL(linkat_fn, "linkat");
    return fails(LINKAT) ? -1 : real(a, from, b, to, flags);
}

typedef int renameat_fn(int, const char *, int, const char *);
int renameat(int a, const char *from, int b, const char *to)
{
    REAL(renameat_fn, "renameat");
    return fails(RENAMEAT) ? -1 : real(a, from, b, to);
}

typedef long syscall_fn(long number, long, long, long, long, long, long);
long syscall(long number, ...)
{
    long a[6];
    va_list rest;
    va_start(rest, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(rest, long);
    va_end(rest);
    REAL(syscall_fn, "syscall");
    if (number == SYS_renameat2 && fails(RENAMEAT2))
        return -1;
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

typedef int unlinkat_fn(int dir, const char *name, int flags);
int unlinkat(int dir, const char *name, int flags)
{
    REAL(unlinkat_fn, "unlinkat");
    return fails(UNLINKAT) ? -1 : real(dir, name, flags);
}

typedef int mkdirat_fn(int dir, const char *name, mode_t mode);
int mkdirat(int dir, const char *name, mode_t mode)
{
    REAL(mkdirat_fn, "mkdirat");
    return fails(MKDIRAT) ? -1 : real(dir, name, mode);
}

typedef DIR *fdopendir_fn(int fd);
DIR *fdopendir(int fd)
{
    REAL(fdopendir_fn, "fdopendir");
    return fails(FDOPENDIR) ? NULL : real(fd);
}

typedef struct dirent *readdir_fn(DIR *d);
struct dirent *readdir(DIR *d)
{
    REAL(readdir_fn, "readdir64");
    return fails(READDIR) ? NULL : real(d);
}

typedef int flock_fn(int fd, int operation);
int flock(int fd, int operation)
{
    REAL(flock_fn, "flock");
    return fails(FLOCK) ? -1 : real(fd, operation);
}

typedef int fcntl_fn(int fd, int command, void *arg);
int fcntl(int fd, int command, ...)
{
    va_list rest;
    va_start(rest, command);
    void *arg = va_arg(rest, void *);
    va_end(rest);
    REAL(fcntl_fn, "fcntl64");
    return fails(FCNTL) ? -1 : real(fd, command, arg);
}

typedef int clock_fn(clockid_t id, struct timespec *out);
int clock_gettime(clockid_t id, struct timespec *out)
{
    REAL(clock_fn, "clock_gettime");
    return fails(CLOCK) ? -1 : real(id, out);
}

typedef ssize_t getrandom_fn(void *p, size_t n, unsigned flags);
ssize_t getrandom(void *p, size_t n, unsigned flags)
{
    REAL(getrandom_fn, "getrandom");
    if (fails(GETRANDOM))
        return -1;
    return real(p, random_most && n > random_most ? random_most : n, flags);
}

typedef int sigmask_fn(int how, const sigset_t *set, sigset_t *before);
int pthread_sigmask(int how, const sigset_t *set, sigset_t *before)
{
    REAL(sigmask_fn, "pthread_sigmask");
    return fails(SIGMASK) ? armed[SIGMASK].error : real(how, set, before);
}

/* ---- A directory to play in --------------------------------------------- */

static int dir, file; /* `file` holds "abc" and is called f */

static const struct plog_io *io(void)
{
    return plog_io_posix();
}

static bool there(const char *name)
{
    struct stat st;
    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void begin(void)
{
    disarm();
    dir = io()->open_at(NULL, AT_FDCWD, check_dir(), O_RDONLY | O_DIRECTORY, 0);
    file = io()->open_at(NULL, dir, "f", O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(dir >= 3 && file >= 3);
    CHECK_INT(io()->pwrite(NULL, file, "abc", 3, 0), 3);
}

static void end(void)
{
    static const char *const all[] = {"f", "g", "h"};
    disarm();
    io()->close(NULL, file);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        io()->unlink_at(NULL, dir, all[i]);
    io()->rmdir_at(NULL, dir, "h");
    io()->close(NULL, dir);
}

/* ---- Signals ------------------------------------------------------------ */

static char three[4];

static int do_open(void)
{
    int fd = io()->open_at(NULL, dir, "f", O_RDONLY, 0);
    return fd < 0 ? fd : io()->close(NULL, fd);
}

static int do_pread(void)
{
    int64_t rc = io()->pread(NULL, file, three, 3, 0);
    return rc == 3 && !memcmp(three, "abc", 3) ? 0 : (int)rc;
}

static int do_pwrite(void)
{
    int64_t rc = io()->pwrite(NULL, file, "abc", 3, 0);
    return rc == 3 ? 0 : (int)rc;
}

static int do_truncate(void)
{
    return io()->truncate(NULL, file, 3);
}

static int do_stat(void)
{
    struct plog_stat st;
    int rc = io()->stat(NULL, file, &st);
    return rc ? rc : st.size == 3 ? 0 : 1;
}

static int do_stat_at(void)
{
    struct plog_stat st;
    int rc = io()->stat_at(NULL, dir, "f", &st);
    return rc ? rc : st.size == 3 ? 0 : 1;
}

static int do_replace(void)
{
    int rc = io()->rename_at(NULL, dir, "f", dir, "g", true);
    return rc ? rc : io()->rename_at(NULL, dir, "g", dir, "f", true);
}

static int do_rename(void)
{
    int rc = io()->rename_at(NULL, dir, "f", dir, "g", false);
    return rc ? rc : io()->rename_at(NULL, dir, "g", dir, "f", true);
}

static int do_folder(void)
{
    int rc = io()->mkdir_at(NULL, dir, "h", 0700);
    return rc ? rc : io()->rmdir_at(NULL, dir, "h");
}

static int do_unlink(void)
{
    int fd = io()->open_at(NULL, dir, "g", O_RDWR | O_CREAT, 0600);
    if (fd < 0)
        return fd;
    io()->close(NULL, fd);
    return io()->unlink_at(NULL, dir, "g");
}

static int do_lock(void)
{
    int rc = io()->lock(NULL, file, 2);
    return rc ? rc : io()->lock(NULL, file, 0);
}

static int do_lock_byte(void)
{
    int rc = io()->lock_byte(NULL, file, 7, 2);
    return rc ? rc : io()->lock_byte(NULL, file, 7, 0);
}

static int do_random(void)
{
    unsigned char r[16];
    return io()->random(NULL, r, sizeof r);
}

static const struct step {
    enum call call;
    int (*act)(void);
    enum call lacking; /* what the kernel has not got, if not `call` */
} steps[] = {
    {OPENAT, do_open, OPENAT},        {PREAD, do_pread, PREAD},
    {PWRITE, do_pwrite, PWRITE},      {FTRUNCATE, do_truncate, FTRUNCATE},
    {STATX, do_stat, STATX},          {STATX, do_stat_at, STATX},
    {FSTATAT, do_stat, STATX},        {FSTATAT, do_stat_at, STATX},
    {RENAMEAT, do_replace, RENAMEAT}, {RENAMEAT2, do_rename, RENAMEAT2},
    {LINKAT, do_rename, RENAMEAT2},   {UNLINKAT, do_rename, RENAMEAT2},
    {UNLINKAT, do_unlink, UNLINKAT},  {UNLINKAT, do_folder, UNLINKAT},
    {MKDIRAT, do_folder, MKDIRAT},    {FLOCK, do_lock, FLOCK},
    {FCNTL, do_lock_byte, FCNTL},     {GETRANDOM, do_random, GETRANDOM},
};

/* A call that a signal interrupts is made again until it is done; one that
 * fails is not, and its reason is what the table returns. */
static void interrupted_is_made_again(void)
{
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        const struct step *s = &steps[i];
        begin();
        if (s->lacking != s->call)
            arm(s->lacking, ENOSYS, ALWAYS);
        arm(s->call, EINTR, 3);
        if (!CHECK_INT(s->act(), 0) || !CHECK(armed[s->call].made >= 4))
            printf("#   step %zu\n", i);
        arm(s->call, EIO, 1);
        if (!CHECK_INT(s->act(), -EIO) || !CHECK_UINT(armed[s->call].made, 1))
            printf("#   step %zu\n", i);
        end();
    }
}

/* Not so close: the handle is gone, and its number may be another's by now. */
static void interrupted_close_is_done(void)
{
    begin();
    int fd = io()->open_at(NULL, dir, "f", O_RDONLY, 0);
    arm(CLOSE, EINTR, ALWAYS);
    CHECK_INT(io()->close(NULL, fd), 0);
    CHECK_UINT(armed[CLOSE].made, 1);
    disarm();
    fd = io()->open_at(NULL, dir, "f", O_RDONLY, 0);
    arm(CLOSE, EIO, 1);
    CHECK_INT(io()->close(NULL, fd), -EIO);
    end();
}

/* ---- What a kernel may lack --------------------------------------------- */

static void without_statx(void)
{
    static const int lacks[] = {ENOSYS, EPERM};
    for (int i = 0; i < 2; i++) {
        struct plog_stat new, old;
        begin();
        memset(&new, 0, sizeof new);
        memset(&old, 0, sizeof old);
        CHECK_INT(io()->stat(NULL, file, &new), 0);
        CHECK_UINT(armed[FSTATAT].made, 0);
        arm(STATX, lacks[i], ALWAYS);
        CHECK_INT(io()->stat(NULL, file, &old), 0);
        CHECK_BYTES(&old, sizeof old, &new, sizeof new);
        memset(&old, 0, sizeof old);
        CHECK_INT(io()->stat_at(NULL, dir, "f", &old), 0);
        CHECK_BYTES(&old, sizeof old, &new, sizeof new);
        CHECK_UINT(old.size, 3);
        CHECK_UINT(old.links, 1);
        CHECK_UINT(armed[FSTATAT].made, 2);
        CHECK_INT(io()->stat_at(NULL, dir, "none", &old), -ENOENT);
        CHECK_INT(io()->stat(NULL, 9999, &old), -EBADF);
        end();
    }
}

/* Any other failure of statx is one. */
static void a_failed_statx_stays_failed(void)
{
    struct plog_stat st;
    begin();
    arm(STATX, EACCES, 1);
    CHECK_INT(io()->stat(NULL, file, &st), -EACCES);
    CHECK_UINT(armed[FSTATAT].made, 0);
    end();
}

/* Neither name is lost, and a name that is taken stays. */
static void without_renameat2(void)
{
    static const int lacks[] = {EINVAL, ENOSYS};
    for (int i = 0; i < 2; i++) {
        begin();
        arm(RENAMEAT2, lacks[i], ALWAYS);
        CHECK_INT(io()->rename_at(NULL, dir, "f", dir, "g", false), 0);
        CHECK(!there("f") && there("g"));
        int fd = io()->open_at(NULL, dir, "h", O_RDWR | O_CREAT, 0600);
        CHECK_INT(io()->rename_at(NULL, dir, "g", dir, "h", false), -EEXIST);
        CHECK(there("g") && there("h"));
        struct plog_stat st;
        CHECK_INT(io()->stat(NULL, fd, &st), 0);
        CHECK_UINT(st.links, 1); /* h is still its own file */
        io()->close(NULL, fd);
        CHECK_INT(io()->rename_at(NULL, dir, "f", dir, "x", false), -ENOENT);
        arm(UNLINKAT, EIO, 1);
        io()->unlink_at(NULL, dir, "h");
        io()->unlink_at(NULL, dir, "h");
        arm(UNLINKAT, EIO, 1);
        CHECK_INT(io()->rename_at(NULL, dir, "g", dir, "h", false), -EIO);
        CHECK(there("g") && there("h"));
        end();
    }
}

static void a_failed_renameat2_stays_failed(void)
{
    begin();
    arm(RENAMEAT2, EXDEV, 1);
    CHECK_INT(io()->rename_at(NULL, dir, "f", dir, "g", false), -EXDEV);
    CHECK_UINT(armed[LINKAT].made, 0);
    CHECK(there("f") && !there("g"));
    end();
}

/* ---- Failures ----------------------------------------------------------- */

static int count_names(void *arg, const char *name)
{
    (void)name;
    ++*(int *)arg;
    return 0;
}

static void listing_fails(void)
{
    int n = 0;
    begin();
    arm(FDOPENDIR, ENOMEM, 1);
    CHECK_INT(io()->list(NULL, dir, count_names, &n), -ENOMEM);
    CHECK_UINT(armed[CLOSE].made, 1); /* no handle is left */
    arm(READDIR, EIO, 1);
    CHECK_INT(io()->list(NULL, dir, count_names, &n), -EIO);
    CHECK_INT(n, 0);
    CHECK_INT(io()->list(NULL, dir, count_names, &n), 0);
    CHECK_INT(n, 1);
    end();
}

static void clocks_and_randomness_fail(void)
{
    unsigned char r[64] = {0};
    unsigned zeros = 0;
    begin();
    arm(CLOCK, EINVAL, 2);
    CHECK_INT(io()->clock_real_ns(NULL), -EINVAL);
    CHECK_INT(io()->clock_mono_ns(NULL), -EINVAL);
    arm(GETRANDOM, ENOSYS, 1);
    CHECK_INT(io()->random(NULL, r, sizeof r), -ENOSYS);
    random_most = 5; /* little at a time */
    arm(GETRANDOM, 0, 0);
    CHECK_INT(io()->random(NULL, r, sizeof r), 0);
    CHECK_UINT(armed[GETRANDOM].made, 13);
    random_most = 0;
    for (size_t i = 0; i < sizeof r; i++)
        zeros += r[i] == 0;
    CHECK(zeros < 8);
    end();
}

static void locks_fail(void)
{
    begin();
    arm(FLOCK, EWOULDBLOCK, 1);
    CHECK_INT(io()->lock(NULL, file, 2), -EAGAIN);
    arm(FLOCK, ENOLCK, 1);
    CHECK_INT(io()->lock(NULL, file, 2), -ENOLCK);
    arm(FCNTL, EACCES, 1); /* what POSIX allows for EAGAIN */
    CHECK_INT(io()->lock_byte(NULL, file, 0, 2), -EAGAIN);
    arm(FCNTL, ENOLCK, 1);
    CHECK_INT(io()->lock_byte(NULL, file, 0, 2), -ENOLCK);
    end();
}

static void free_space_without_fragments(void)
{
    struct plog_fs fs = {0, 0};
    struct statfs st;
    begin();
    no_fragments = true;
    CHECK_INT(io()->file_system(NULL, dir, &fs), 0);
    CHECK_INT(fstatfs(dir, &st), 0);
    no_fragments = false;
    uint64_t block = (uint64_t)st.f_bsize;
    CHECK(block > 0 && fs.free_bytes % block == 0);
    CHECK((fs.free_bytes > 0) == (st.f_bavail > 0));
    arm(FSTATFS, EIO, 1);
    CHECK_INT(io()->file_system(NULL, dir, &fs), -EIO);
    end();
}

/* Free space is counted in fragments, and with FUSE a block is none. */
static void free_space_in_fragments(void)
{
    struct plog_fs fs = {0, 0};
    begin();
    fragments = true;
    CHECK_INT(io()->file_system(NULL, dir, &fs), 0);
    fragments = false;
    CHECK_UINT(fs.free_bytes, 1024000);
    end();
}

/* ---- Short pauses ------------------------------------------------------- */

/* The slack of a thread would make them many times as long. */
static void short_sleeps_have_no_slack(void)
{
    begin();
    int before = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
    CHECK_INT(prctl(PR_SET_TIMERSLACK, 70000, 0, 0, 0), 0);
    io()->sleep_ns(NULL, 1000);
    CHECK_INT(slack, 1);
    io()->sleep_ns(NULL, 1000000);
    CHECK_INT(slack, 70000);
    CHECK_INT(prctl(PR_SET_TIMERSLACK, before, 0, 0, 0), 0);
    end();
}

/* ---- A thread that cannot be had ---------------------------------------- */

static int threads(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/task");
    for (const struct dirent *e; d && (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

/* What is submitted is written all the same, on the caller's thread. */
static void no_thread_to_write(void)
{
    struct world w;
    char text[300];
    int before = threads();
    disarm();
    world_make(&w, PLOG_ARRIVAL, 0);
    REQUIRE(w.p);
    arm(SIGMASK, EINVAL, ALWAYS);
    for (int i = 0; i < 12; i++) {
        struct plog_ticket *t = NULL;
        struct world_delta d = {.id = NULL};
        struct plog_span s = {text, 0};
        struct plog_group g = {
            .struct_size = sizeof g, .deltas = &s, .delta_count = 1};
        s.n = strlen(world_text(text, sizeof text, &d));
        CHECK_INT(plog_submit(w.p, &g, &t, NULL), 0);
        CHECK_INT(plog_wait(t, NULL, NULL), 0);
    }
    CHECK(armed[SIGMASK].made > 0);
    CHECK_INT(threads(), before);
    disarm();
    world_end(&w, 13);
}

/* ------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"interrupted_is_made_again", interrupted_is_made_again},
        {"interrupted_close_is_done", interrupted_close_is_done},
        {"without_statx", without_statx},
        {"a_failed_statx_stays_failed", a_failed_statx_stays_failed},
        {"without_renameat2", without_renameat2},
        {"a_failed_renameat2_stays_failed", a_failed_renameat2_stays_failed},
        {"listing_fails", listing_fails},
        {"clocks_and_randomness_fail", clocks_and_randomness_fail},
        {"locks_fail", locks_fail},
        {"free_space_without_fragments", free_space_without_fragments},
        {"free_space_in_fragments", free_space_in_fragments},
        {"short_sleeps_have_no_slack", short_sleeps_have_no_slack},
        {"no_thread_to_write", no_thread_to_write},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
