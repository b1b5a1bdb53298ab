/* test_io.c - the I/O table over the operating system, and the helpers above
 * it against a table that reads and writes little, is interrupted and fails
 * at its n-th call. */
#include "check.h"
#include "handles.h"
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct plog_io *io(void)
{
    return plog_io_posix();
}

static int open_file(int dir, const char *name, int flags)
{
    return io()->open_at(NULL, dir, name, flags, 0600);
}

static int fresh_dir(void)
{
    int fd = open_file(AT_FDCWD, check_dir(), O_RDONLY | O_DIRECTORY);
    CHECK(fd >= 3);
    return fd;
}

static void put_text(int dir, const char *name, const char *text)
{
    int fd = open_file(dir, name, O_WRONLY | O_CREAT | O_TRUNC);
    size_t n = strlen(text);
    CHECK_INT(io()->pwrite(NULL, fd, text, n, 0), n);
    CHECK_INT(io()->close(NULL, fd), 0);
}

static void check_content(int dir, const char *name, const char *want)
{
    struct plog_buf b;
    plog_buf_init(&b, io());
    CHECK_INT(plog_io_read_all(io(), dir, name, 4096, &b), 0);
    CHECK_BYTES(b.data, b.len, want, strlen(want));
    plog_buf_fini(&b);
}

/* Runs `body` in a child; what it returns is the exit status. */
static int in_child(int (*body)(int arg), int arg)
{
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(body(arg));
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

/* ---- The table ---------------------------------------------------------- */

static void test_posix__table(void)
{
    const struct plog_io *t = plog_io_posix();
    CHECK_UINT(t->struct_size, sizeof *t);
    CHECK(t == plog_io_posix());
    CHECK(!t->vfs_base);
    CHECK(!t->store_event);
    CHECK_UINT(plog_io_effective_user(), geteuid());
    CHECK_INT(t->process_id(NULL), getpid());
}

static void test_posix__open(void)
{
    int dir = fresh_dir();
    CHECK_INT(open_file(dir, "none", O_RDONLY), -ENOENT);
    int fd = open_file(dir, "a", O_RDWR | O_CREAT | O_EXCL);
    CHECK(fd >= 3);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    CHECK_INT(open_file(dir, "a", O_RDWR | O_CREAT | O_EXCL), -EEXIST);
    CHECK_INT(symlinkat("a", dir, "link"), 0);
    CHECK_INT(open_file(dir, "link", O_RDONLY), -ELOOP);
    CHECK_INT(open_file(dir, "link", O_RDWR | O_CREAT), -ELOOP);
    CHECK_INT(io()->close(NULL, fd), 0);
    CHECK_INT(io()->close(NULL, fd), -EBADF);
    handles_forgive(1);
    CHECK_INT(io()->close(NULL, dir), 0);
}

static int stop_at_three(void *arg, const char *name)
{
    (void)arg, (void)name;
    /* the listing's own handle is open now: 0..2 must still be free */
    return fcntl(0, F_GETFD) < 0 && fcntl(1, F_GETFD) < 0 &&
                   fcntl(2, F_GETFD) < 0
               ? 3
               : 4;
}

static int without_standard_handles(int dir)
{
    close(0);
    close(1);
    close(2);
    int a = open_file(dir, "a", O_RDWR | O_CREAT);
    int b = open_file(dir, "b", O_RDWR | O_CREAT);
    if (a < 3 || b < 3 || a == b)
        return 1;
    if (!(fcntl(a, F_GETFD) & FD_CLOEXEC))
        return 2;
    if (fcntl(0, F_GETFD) >= 0 || fcntl(1, F_GETFD) >= 0)
        return 3; /* the low handle must not stay open behind ours */
    return io()->list(NULL, dir, stop_at_three, NULL) == 3 ? 0 : 4;
}

/* A message printed to a closed standard error must not land in the log. */
static void test_posix__handles_stay_clear_of_0_to_2(void)
{
    int dir = fresh_dir();
    CHECK_INT(in_child(without_standard_handles, dir), 0);
    io()->close(NULL, dir);
}

static void test_posix__read_write_truncate(void)
{
    const uint64_t far = (UINT64_C(1) << 32) + 5; /* needs a 64-bit off_t */
    struct plog_stat st;
    char got[8] = "";
    int dir = fresh_dir();
    int fd = open_file(dir, "a", O_RDWR | O_CREAT);
    CHECK_INT(io()->pwrite(NULL, fd, "abcdef", 6, 0), 6);
    CHECK_INT(io()->pwrite(NULL, fd, "XY", 2, 2), 2);
    CHECK_INT(io()->pread(NULL, fd, got, 8, 1), 5);
    CHECK_BYTES(got, 5, "bXYef", 5);
    CHECK_INT(io()->pread(NULL, fd, got, 8, 6), 0);
    CHECK_INT(io()->pread(NULL, fd, got, 8, UINT64_MAX), -EINVAL);
    CHECK_INT(io()->truncate(NULL, fd, 3), 0);
    CHECK_INT(io()->pread(NULL, fd, got, 8, 0), 3);
    CHECK_INT(io()->pwrite(NULL, fd, "z", 1, far), 1);
    CHECK_INT(io()->stat(NULL, fd, &st), 0);
    CHECK_UINT(st.size, far + 1);
    CHECK_INT(io()->pread(NULL, fd, got, 8, far), 1);
    CHECK_INT(io()->fdatasync(NULL, fd), 0);
    CHECK_INT(io()->fsync(NULL, fd), 0);
    CHECK_INT(io()->fsync(NULL, dir), 0);
    io()->close(NULL, fd);
    fd = open_file(dir, "a", O_RDONLY);
    CHECK_INT(io()->pwrite(NULL, fd, "z", 1, 0), -EBADF);
    CHECK(io()->truncate(NULL, fd, 0) < 0);
    io()->close(NULL, fd);
    CHECK_INT(io()->fdatasync(NULL, fd), -EBADF);
    CHECK_INT(io()->fsync(NULL, fd), -EBADF);
    CHECK_INT(io()->pread(NULL, fd, got, 1, 0), -EBADF);
    io()->close(NULL, dir);
}

static void test_posix__stat(void)
{
    struct plog_stat a, b;
    int dir = fresh_dir();
    put_text(dir, "a", "hello");
    int fd = open_file(dir, "a", O_RDONLY);
    CHECK_INT(linkat(dir, "a", dir, "b", 0), 0);
    CHECK_INT(symlinkat("a", dir, "link"), 0);
    CHECK_INT(io()->stat(NULL, fd, &a), 0);
    CHECK_INT(io()->stat_at(NULL, dir, "b", &b), 0);
    CHECK_UINT(a.inode, b.inode);
    CHECK_UINT(a.device, b.device);
    CHECK_UINT(a.size, 5);
    CHECK_UINT(a.links, 2);
    CHECK_UINT(a.mode, S_IFREG | 0600);
    CHECK_UINT(a.owner, geteuid());
    CHECK_INT(io()->stat_at(NULL, dir, "link", &b), 0);
    CHECK(S_ISLNK(b.mode));
    CHECK_INT(io()->stat_at(NULL, dir, "none", &b), -ENOENT);
    CHECK_INT(io()->stat(NULL, -1, &b), -EBADF);
    io()->close(NULL, fd);
    io()->close(NULL, dir);
}

static void test_posix__rename(void)
{
    struct plog_stat st;
    int dir = fresh_dir();
    put_text(dir, "a", "new");
    put_text(dir, "b", "old");
    CHECK_INT(io()->rename_at(NULL, dir, "a", dir, "b", false), -EEXIST);
    check_content(dir, "a", "new");
    check_content(dir, "b", "old");
    CHECK_INT(io()->rename_at(NULL, dir, "a", dir, "c", false), 0);
    CHECK_INT(io()->stat_at(NULL, dir, "a", &st), -ENOENT);
    check_content(dir, "c", "new"); /* one link, or this would refuse */
    CHECK_INT(io()->rename_at(NULL, dir, "c", dir, "b", true), 0);
    check_content(dir, "b", "new");
    CHECK_INT(io()->rename_at(NULL, dir, "c", dir, "d", true), -ENOENT);
    CHECK_INT(io()->rename_at(NULL, dir, "c", dir, "d", false), -ENOENT);
    CHECK_INT(symlinkat("nowhere", dir, "link"), 0);
    CHECK_INT(io()->rename_at(NULL, dir, "b", dir, "link", false), -EEXIST);
    io()->close(NULL, dir);
}

static void test_posix__unlink_and_mkdir(void)
{
    struct plog_stat st;
    int dir = fresh_dir();
    umask(022);
    CHECK_INT(io()->mkdir_at(NULL, dir, "sub", 0700), 0);
    CHECK_INT(io()->mkdir_at(NULL, dir, "sub", 0700), -EEXIST);
    CHECK_INT(io()->stat_at(NULL, dir, "sub", &st), 0);
    CHECK_UINT(st.mode, S_IFDIR | 0700);
    put_text(dir, "a", "");
    CHECK_INT(io()->unlink_at(NULL, dir, "a"), 0);
    CHECK_INT(io()->unlink_at(NULL, dir, "a"), -ENOENT);
    CHECK(io()->unlink_at(NULL, dir, "sub") < 0);
    io()->close(NULL, dir);
}

struct seen {
    int dir;
    bool names[300];
    int count, stop_after;
};

static int see(void *arg, const char *name)
{
    struct seen *s = arg;
    int i = atoi(name);
    if (i < 0 || i >= 300 || s->names[i])
        return 99;
    s->names[i] = true;
    return ++s->count == s->stop_after ? 7 : 0;
}

/* A listing inside a listing, over the same handle. */
static int see_again(void *arg, const char *name)
{
    struct seen *outer = arg, inner = {.dir = outer->dir};
    if (outer->count == 100)
        CHECK_INT(io()->list(NULL, inner.dir, see, &inner), 0);
    if (outer->count == 100)
        CHECK_INT(inner.count, 300);
    return see(arg, name);
}

static void test_posix__list(void)
{
    struct seen all = {0}, some = {.stop_after = 5};
    int dir = fresh_dir();
    for (int i = 0; i < 300; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        put_text(dir, name, "");
    }
    all.dir = dir;
    CHECK_INT(io()->list(NULL, dir, see_again, &all), 0);
    CHECK_INT(all.count, 300);
    CHECK_INT(io()->list(NULL, dir, see, &some), 7);
    CHECK_INT(some.count, 5);
    memset(&all, 0, sizeof all);
    CHECK_INT(io()->list(NULL, dir, see, &all), 0); /* from the start */
    CHECK_INT(all.count, 300);
    int fd = open_file(dir, "0", O_RDONLY);
    CHECK_INT(io()->list(NULL, fd, see, &all), -ENOTDIR);
    io()->close(NULL, fd);
    io()->close(NULL, dir);
    CHECK_INT(io()->list(NULL, dir, see, &all), -EBADF);
}

/* ---- Locks -------------------------------------------------------------- */

static void test_posix__lock(void)
{
    int dir = fresh_dir();
    int a = open_file(dir, "lock", O_RDWR | O_CREAT);
    int b = open_file(dir, "lock", O_RDWR);
    CHECK_INT(io()->lock(NULL, a, 2), 0);
    CHECK_INT(io()->lock(NULL, b, 2), -EAGAIN);
    CHECK_INT(io()->lock(NULL, b, 1), -EAGAIN);
    CHECK_INT(io()->lock(NULL, a, 0), 0);
    CHECK_INT(io()->lock(NULL, a, 1), 0);
    CHECK_INT(io()->lock(NULL, b, 1), 0);
    CHECK_INT(io()->lock(NULL, b, 0), 0);
    CHECK_INT(io()->lock(NULL, b, 2), -EAGAIN);
    CHECK_INT(io()->close(NULL, a), 0); /* closing lets go */
    CHECK_INT(io()->lock(NULL, b, 2), 0);
    CHECK_INT(io()->lock(NULL, b, 3), -EINVAL);
    CHECK_INT(io()->lock(NULL, b, -1), -EINVAL);
    CHECK_INT(io()->lock(NULL, a, 2), -EBADF);
    io()->close(NULL, b);
    io()->close(NULL, dir);
}

static void test_posix__lock_byte(void)
{
    const uint64_t far = INT64_MAX - 1;
    int dir = fresh_dir();
    int a = open_file(dir, "lock", O_RDWR | O_CREAT);
    int b = open_file(dir, "lock", O_RDWR);
    int c = open_file(dir, "lock", O_RDWR);
    CHECK_INT(io()->lock_byte(NULL, a, 0, 2), 0);
    CHECK_INT(io()->lock_byte(NULL, a, 0, 2), 0);
    CHECK_INT(io()->lock_byte(NULL, b, 0, 2), -EAGAIN);
    CHECK_INT(io()->lock_byte(NULL, b, 1, 2), 0);
    CHECK_INT(io()->lock_byte(NULL, a, 1, 2), -EAGAIN);
    CHECK_INT(io()->lock_byte(NULL, b, far, 2), 0);
    CHECK_INT(io()->lock_byte(NULL, a, far, 2), -EAGAIN);
    /* the classic locks would all be gone after this */
    CHECK_INT(io()->close(NULL, c), 0);
    CHECK_INT(io()->lock_byte(NULL, b, 0, 2), -EAGAIN);
    /* and flock on the same file is another lock */
    CHECK_INT(io()->lock(NULL, b, 2), 0);
    CHECK_INT(io()->lock_byte(NULL, a, 0, 0), 0);
    CHECK_INT(io()->lock_byte(NULL, b, 0, 2), 0);
    CHECK_INT(io()->lock_byte(NULL, b, 0, 1), -EINVAL);
    CHECK_INT(io()->lock_byte(NULL, b, UINT64_MAX, 2), -EINVAL);
    io()->close(NULL, a);
    io()->close(NULL, b);
    io()->close(NULL, dir);
}

static int locks_from_another_process(int dir)
{
    int fd = open_file(dir, "lock", O_RDWR);
    return fd >= 3 && io()->lock(NULL, fd, 2) == -EAGAIN &&
                   io()->lock_byte(NULL, fd, 9, 2) == -EAGAIN &&
                   io()->lock_byte(NULL, fd, 8, 2) == 0
               ? 0
               : 1;
}

static void test_posix__locks_between_processes(void)
{
    int dir = fresh_dir();
    int fd = open_file(dir, "lock", O_RDWR | O_CREAT);
    CHECK_INT(io()->lock(NULL, fd, 2), 0);
    CHECK_INT(io()->lock_byte(NULL, fd, 9, 2), 0);
    CHECK_INT(in_child(locks_from_another_process, dir), 0);
    CHECK_INT(io()->lock_byte(NULL, fd, 8, 2), 0); /* the child is gone */
    io()->close(NULL, fd);
    io()->close(NULL, dir);
}

/* ---- Clocks, randomness, memory ----------------------------------------- */

static void test_posix__clocks(void)
{
    const int64_t year_2020 = INT64_C(1577836800) * 1000000000;
    int64_t before = io()->clock_mono_ns(NULL);
    CHECK(io()->clock_real_ns(NULL) > year_2020);
    io()->sleep_ns(NULL, 5000000);
    io()->sleep_ns(NULL, 0);
    io()->sleep_ns(NULL, -1);
    CHECK(io()->clock_mono_ns(NULL) - before >= 5000000);
}

/* More than is read at once, and no two alike after one another. */
static int write_below(int dir)
{
    for (int i = 0; i < 400; i++)
        put_text(dir, i % 2 ? "written" : "more", "x");
    return 0;
}

/* Woken by what another process writes, once for all of it, and at the latest
 * when the time is over; by nothing that was written before. */
static void test_posix__wait_change(void)
{
    const int64_t long_time = INT64_C(20000000000);
    char path[700];
    int dir = fresh_dir(), watch = -1;
    put_text(dir, "before", "x");
    snprintf(path, sizeof path, "/proc/self/fd/%d", dir);
    CHECK_INT(io()->wait_change(NULL, &watch, path, long_time), 0);
    CHECK(watch >= 3 && (fcntl(watch, F_GETFD) & FD_CLOEXEC));
    int64_t began = io()->clock_mono_ns(NULL);
    CHECK_INT(io()->wait_change(NULL, &watch, path, 5000000), 0);
    CHECK(io()->clock_mono_ns(NULL) - began >= 5000000);
    for (int i = 0; i < 3; i++)
        CHECK_INT(in_child(write_below, dir), 0);
    began = io()->clock_mono_ns(NULL);
    CHECK_INT(io()->wait_change(NULL, &watch, path, long_time), 1);
    CHECK(io()->clock_mono_ns(NULL) - began < long_time);
    CHECK_INT(io()->wait_change(NULL, &watch, path, 0), 0);
    CHECK_INT(io()->wait_change(NULL, &watch, path, -1), 0);
    io()->close(NULL, watch);
    int none = -1;
    CHECK_INT(io()->wait_change(NULL, &none, "/none/of/it", 0), -ENOENT);
    snprintf(path, sizeof path, "/proc/self/fd/%d/before", dir);
    CHECK_INT(io()->wait_change(NULL, &none, path, 0), -ENOTDIR);
    CHECK_INT(none, -1);
    io()->close(NULL, dir);
}

static int no_processors; /* 1: they cannot be counted; 2: there are none */

/* In place of the real one. */
int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
    CPU_ZERO_S(size, set);
    for (int i = 0; !no_processors && i < 3; i++)
        CPU_SET_S((size_t)i, size, set);
    return pid == 0 && no_processors == 1 ? -1 : 0;
}

/* Of which a kernel may know more than there is room for. */
static void test_posix__processors(void)
{
    CHECK_UINT(plog_io_processors(), 3);
    no_processors = 1;
    CHECK_UINT(plog_io_processors(), 1);
    no_processors = 2;
    CHECK_UINT(plog_io_processors(), 1);
    no_processors = 0;
}

/* No more handles: none to watch with, and none may be asked about. */
static int watch_without_handles(int watch)
{
    struct rlimit was, l;
    int none = -1;
    if (getrlimit(RLIMIT_NOFILE, &was))
        return 1;
    l = was;
    l.rlim_cur = 0;
    if (setrlimit(RLIMIT_NOFILE, &l))
        return 2;
    int made = io()->wait_change(NULL, &none, "/", 0);
    int waited = io()->wait_change(NULL, &watch, "/", 0);
    if (setrlimit(RLIMIT_NOFILE, &was))
        return 3;
    return made == -EMFILE && none == -1 && waited == -EINVAL ? 0 : 4;
}

static void on_alarm(int sig)
{
    (void)sig;
}

static int watch_with_a_signal(int watch)
{
    const struct itimerval soon = {{0, 1000}, {0, 1000}};
    const struct sigaction act = {.sa_handler = on_alarm};
    int64_t began = io()->clock_mono_ns(NULL);
    if (sigaction(SIGALRM, &act, NULL) || setitimer(ITIMER_REAL, &soon, NULL))
        return 1;
    if (io()->wait_change(NULL, &watch, "/", INT64_C(20000000000)) != 0)
        return 2;
    return io()->clock_mono_ns(NULL) - began < INT64_C(20000000000) ? 0 : 3;
}

/* A watch that fails says so, and a signal ends the wait early. */
static void test_posix__wait_change_fails(void)
{
    int dir = fresh_dir(), watch = -1;
    CHECK_INT(io()->wait_change(NULL, &watch, check_dir(), 0), 0);
    CHECK_INT(in_child(watch_without_handles, watch), 0);
    CHECK_INT(in_child(watch_with_a_signal, watch), 0);
    io()->close(NULL, watch);
    CHECK_INT(io()->wait_change(NULL, &dir, check_dir(), 0), -EISDIR);
    io()->close(NULL, dir);
    int null = open_file(AT_FDCWD, "/dev/null", O_RDONLY);
    CHECK_INT(io()->wait_change(NULL, &null, check_dir(), 0), 1);
    io()->close(NULL, null);
}

/* The slack of the thread is what it was. */
static void test_posix__short_sleeps(void)
{
    int before = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
    CHECK_INT(prctl(PR_SET_TIMERSLACK, 70000, 0, 0, 0), 0);
    int64_t began = io()->clock_mono_ns(NULL);
    io()->sleep_ns(NULL, 20000);
    CHECK(io()->clock_mono_ns(NULL) - began >= 20000);
    CHECK_INT(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0), 70000);
    CHECK_INT(prctl(PR_SET_TIMERSLACK, before, 0, 0, 0), 0);
}

static int another_process_id(int parent)
{
    return io()->process_id(NULL) == parent;
}

static void test_posix__random_and_process_id(void)
{
    unsigned char a[1000] = {0}, b[1000] = {0};
    unsigned zeros = 0;
    CHECK_INT(io()->random(NULL, a, sizeof a), 0);
    CHECK_INT(io()->random(NULL, b, sizeof b), 0);
    CHECK(memcmp(a, b, sizeof a) != 0);
    for (size_t i = 0; i < sizeof a; i++)
        zeros += a[i] == 0;
    CHECK(zeros < 40); /* expected: 4 */
    CHECK_INT(io()->random(NULL, a, 0), 0);
    CHECK_INT(in_child(another_process_id, getpid()), 0);
}

/* What makes no sense is refused before the system is asked. */
static void test_posix__refusals(void)
{
    int dir = fresh_dir();
    char path[4], here[2] = "";
    int fd = open_file(dir, "a", O_RDWR | O_CREAT);
    CHECK_INT(io()->lock(NULL, fd, -1), -EINVAL);
    CHECK_INT(io()->lock(NULL, fd, 3), -EINVAL);
    CHECK_INT(io()->lock_byte(NULL, fd, 0, 1), -EINVAL);
    CHECK_INT(io()->lock_byte(NULL, fd, 0, 3), -EINVAL);
    CHECK_INT(io()->lock_byte(NULL, fd, 0, -1), -EINVAL);
    CHECK_INT(io()->real_path(NULL, "/", here, 2), 0);
    CHECK_TEXT(here, "/");
    CHECK_INT(io()->real_path(NULL, "/", path, 1), -ENAMETOOLONG);
    CHECK_INT(io()->real_path(NULL, "/proc", path, 4), -ENAMETOOLONG);
    CHECK_INT(io()->real_path(NULL, "/none/of/it", path, 4), -ENOENT);
    CHECK_INT(io()->list(NULL, fd, NULL, NULL), -ENOTDIR);
    int64_t began = io()->clock_mono_ns(NULL);
    io()->sleep_ns(NULL, 0);
    io()->sleep_ns(NULL, -1000000000);
    CHECK(io()->clock_mono_ns(NULL) - began < 900000000);
    began = io()->clock_mono_ns(NULL);
    io()->sleep_ns(NULL, 20000000);
    CHECK(io()->clock_mono_ns(NULL) - began >= 20000000);
    io()->close(NULL, fd);
    CHECK_INT(io()->lock(NULL, fd, 2), -EBADF);
    CHECK_INT(io()->lock_byte(NULL, fd, 0, 2), -EBADF);
    CHECK_INT(io()->fsync(NULL, fd), -EBADF);
    CHECK_INT(io()->fdatasync(NULL, fd), -EBADF);
    CHECK_INT(io()->truncate(NULL, fd, 0), -EBADF);
    struct plog_fs fs;
    CHECK_INT(io()->file_system(NULL, fd, &fs), -EBADF);
    CHECK_INT(io()->list(NULL, fd, NULL, NULL), -EBADF);
    io()->close(NULL, dir);
}

static void test_posix__alloc(void)
{
    char *p = io()->alloc(NULL, NULL, 4);
    REQUIRE(p);
    memcpy(p, "abc", 4);
    p = io()->alloc(NULL, p, 100000);
    REQUIRE(p);
    CHECK_TEXT(p, "abc");
    CHECK(!io()->alloc(NULL, p, 0));
    CHECK(!io()->alloc(NULL, NULL, 0));
}

/* ---- A table that misbehaves -------------------------------------------- */

struct rig {
    struct plog_io io;
    uint64_t random_state;
    bool trickle;     /* short reads and writes, interruptions */
    long writes_left; /* < 0: all; then -EIO, or 0 when `stuck` */
    bool stuck;
    long calls_left, allocs_left; /* < 0: never fail */
    char trace[256];
};

static bool spent(long *left)
{
    if (*left <= 0)
        return *left == 0; /* and so on: it stays broken */
    (*left)--;
    return false;
}

static bool call(struct rig *r, const char *name)
{
    size_t n = strlen(r->trace);
    snprintf(r->trace + n, sizeof r->trace - n, "%s ", name);
    return spent(&r->calls_left);
}

static int rig_open_at(void *ctx, int dir, const char *name, int flags,
                       uint32_t mode)
{
    if (call(ctx, "open"))
        return -EIO;
    return io()->open_at(NULL, dir, name, flags, mode);
}

static int rig_close(void *ctx, int fd)
{
    int rc = io()->close(NULL, fd);
    return call(ctx, "close") ? -EIO : rc;
}

static int64_t rig_pread(void *ctx, int fd, void *p, size_t n, uint64_t at)
{
    struct rig *r = ctx;
    uint64_t dice = check_random(&r->random_state);
    if (r->trickle && dice % 3 == 0)
        return -EINTR;
    if (r->trickle && n > 0)
        n = 1 + (dice >> 8) % n % 7;
    return call(r, "read") ? -EIO : io()->pread(NULL, fd, p, n, at);
}

static int64_t rig_pwrite(void *ctx, int fd, const void *p, size_t n,
                          uint64_t at)
{
    struct rig *r = ctx;
    uint64_t dice = check_random(&r->random_state);
    if (r->trickle && dice % 3 == 0)
        return -EINTR;
    if (r->trickle)
        n = 1 + (dice >> 8) % n % 7;
    if (spent(&r->writes_left))
        return r->stuck ? 0 : -EIO;
    return call(r, "write") ? -EIO : io()->pwrite(NULL, fd, p, n, at);
}

static int rig_fdatasync(void *ctx, int fd)
{
    return call(ctx, "fdatasync") ? -EIO : io()->fdatasync(NULL, fd);
}

static int rig_fsync(void *ctx, int fd)
{
    return call(ctx, "fsync") ? -EIO : io()->fsync(NULL, fd);
}

static int rig_stat(void *ctx, int fd, struct plog_stat *out)
{
    return call(ctx, "stat") ? -EIO : io()->stat(NULL, fd, out);
}

static int rig_rename_at(void *ctx, int old_dir, const char *old_name,
                         int new_dir, const char *new_name, bool replace)
{
    if (call(ctx, "rename"))
        return -EIO;
    return io()->rename_at(NULL, old_dir, old_name, new_dir, new_name, replace);
}

static void *rig_alloc(void *ctx, void *p, size_t n)
{
    struct rig *r = ctx;
    if (n > 0 && spent(&r->allocs_left))
        return NULL;
    return io()->alloc(NULL, p, n);
}

static void rig_init(struct rig *r)
{
    memset(r, 0, sizeof *r);
    r->io = *io();
    r->io.ctx = r;
    r->io.open_at = rig_open_at;
    r->io.close = rig_close;
    r->io.pread = rig_pread;
    r->io.pwrite = rig_pwrite;
    r->io.fdatasync = rig_fdatasync;
    r->io.fsync = rig_fsync;
    r->io.stat = rig_stat;
    r->io.rename_at = rig_rename_at;
    r->io.alloc = rig_alloc;
    r->random_state = check_seed();
    r->writes_left = r->calls_left = r->allocs_left = -1;
}

/* ---- Helpers ------------------------------------------------------------ */

static void test_util__full_reads_and_writes(void)
{
    char out[500], in[600];
    size_t n = 0;
    struct rig r;
    int dir = fresh_dir();
    int fd = open_file(dir, "a", O_RDWR | O_CREAT);
    rig_init(&r);
    r.trickle = true;
    for (size_t i = 0; i < sizeof out; i++)
        out[i] = (char)check_random(&r.random_state);
    CHECK_INT(plog_io_write_full(&r.io, fd, out, sizeof out, 30, &n), 0);
    CHECK_UINT(n, sizeof out);
    CHECK_INT(plog_io_pread_full(&r.io, fd, in, sizeof out, 30, &n), 0);
    CHECK_BYTES(in, n, out, sizeof out);
    CHECK_INT(plog_io_pread_full(&r.io, fd, in, sizeof in, 130, &n), 0);
    CHECK_BYTES(in, n, out + 100, sizeof out - 100); /* to the end */
    CHECK_INT(plog_io_pread_full(&r.io, fd, in, 0, 0, &n), 0);
    CHECK_UINT(n, 0);
    CHECK_INT(plog_io_write_full(&r.io, fd, out, 0, 0, NULL), 0);
    io()->close(NULL, fd);
    CHECK_INT(plog_io_pread_full(&r.io, fd, in, 1, 0, &n), -EBADF);
    io()->close(NULL, dir);
}

/* The caller learns how much the disk took, to undo it. */
static void test_util__failed_write_tells_how_much(void)
{
    struct plog_stat st;
    size_t n = 99;
    struct rig r;
    int dir = fresh_dir();
    int fd = open_file(dir, "a", O_RDWR | O_CREAT);
    for (int stuck = 0; stuck < 2; stuck++) {
        rig_init(&r);
        r.trickle = true;
        r.stuck = stuck;
        r.writes_left = 3;
        CHECK_INT(plog_io_write_full(&r.io, fd, "0123456789012345678901234", 25,
                                     0, &n),
                  stuck ? -ENOSPC : -EIO);
        CHECK_INT(io()->stat(NULL, fd, &st), 0);
        CHECK(n >= 3 && n < 25);
        CHECK_UINT(st.size, n);
        CHECK_INT(io()->truncate(NULL, fd, 0), 0);
    }
    io()->close(NULL, fd);
    io()->close(NULL, dir);
}

static void test_util__check_regular(void)
{
    int dir = fresh_dir();
    put_text(dir, "a", "x");
    int fd = open_file(dir, "a", O_RDONLY);
    CHECK_INT(plog_io_check_regular(io(), fd), 0);
    CHECK_INT(linkat(dir, "a", dir, "b", 0), 0);
    CHECK_INT(plog_io_check_regular(io(), fd), -EMLINK);
    CHECK_INT(unlinkat(dir, "a", 0), 0);
    CHECK_INT(plog_io_check_regular(io(), fd), 0);
    CHECK_INT(unlinkat(dir, "b", 0), 0); /* removed while we hold it */
    CHECK_INT(plog_io_check_regular(io(), fd), -EMLINK);
    io()->close(NULL, fd);
    CHECK_INT(plog_io_check_regular(io(), fd), -EBADF);
    CHECK_INT(plog_io_check_regular(io(), dir), -EISDIR);
    io()->close(NULL, dir);
}

static int replaced; /* so many times more */

/* As if a rename had given the name to another file behind our back. */
static int open_replaced(void *ctx, int dir, const char *name, int flags,
                         uint32_t mode)
{
    int fd = io()->open_at(ctx, dir, name, flags, mode);
    if (fd >= 0 && replaced-- > 0) {
        put_text(dir, "b", "other");
        CHECK_INT(renameat(dir, "b", dir, name), 0);
    }
    return fd;
}

static void test_util__open_regular(void)
{
    struct plog_io t = *io();
    struct plog_buf b;
    int dir = fresh_dir();
    t.open_at = open_replaced;
    plog_buf_init(&b, io());
    put_text(dir, "a", "x");
    replaced = 3;
    CHECK_INT(plog_io_read_all(&t, dir, "a", 100, &b), 0);
    CHECK_BYTES(b.data, b.len, "other", 5);
    CHECK_INT(replaced, -1);
    replaced = 1000; /* it does not go on for ever */
    CHECK_INT(plog_io_open_regular(&t, dir, "a", O_RDONLY), -EMLINK);
    CHECK(replaced > 800 && replaced < 1000);
    replaced = 0;
    CHECK_INT(linkat(dir, "a", dir, "c", 0), 0); /* for good: once is enough */
    CHECK_INT(plog_io_open_regular(&t, dir, "a", O_RDONLY), -EMLINK);
    CHECK_INT(replaced, -1);
    CHECK_INT(plog_io_open_regular(&t, dir, "none", O_RDONLY), -ENOENT);
    plog_buf_fini(&b);
    io()->close(NULL, dir);
}

static void test_util__read_all(void)
{
    struct plog_buf b;
    struct rig r;
    int dir = fresh_dir();
    rig_init(&r);
    r.trickle = true;
    plog_buf_init(&b, &r.io);
    CHECK_INT(plog_buf_add(&b, "head:", 5), 0);
    put_text(dir, "a", "0123456789");
    CHECK_INT(plog_io_read_all(&r.io, dir, "a", 9, &b), -EFBIG);
    CHECK_INT(plog_io_read_all(&r.io, dir, "a", 0, &b), -EFBIG);
    CHECK_INT(plog_io_read_all(&r.io, dir, "none", 10, &b), -ENOENT);
    CHECK_INT(plog_io_read_all(&r.io, dir, ".", 10, &b), -EISDIR);
    CHECK_INT(mkfifoat(dir, "fifo", 0600), 0);
    CHECK_INT(plog_io_read_all(&r.io, dir, "fifo", 10, &b), -EINVAL);
    CHECK_INT(symlinkat("a", dir, "link"), 0);
    CHECK_INT(plog_io_read_all(&r.io, dir, "link", 10, &b), -ELOOP);
    CHECK_BYTES(b.data, b.len, "head:", 5);
    CHECK_INT(plog_io_read_all(&r.io, dir, "a", 10, &b), 0);
    CHECK_BYTES(b.data, b.len, "head:0123456789", 15);
    CHECK_INT(linkat(dir, "a", dir, "b", 0), 0);
    CHECK_INT(plog_io_read_all(&r.io, dir, "a", 10, &b), -EMLINK);
    put_text(dir, "empty", "");
    CHECK_INT(plog_io_read_all(&r.io, dir, "empty", 0, &b), 0);
    CHECK_UINT(b.len, 15);
    plog_buf_fini(&b);
    io()->close(NULL, dir);
}

/* Around the size of one step, with and without room to spare. */
static void test_util__read_all_large(void)
{
    static char text[200000];
    static const size_t sizes[] = {65535, 65536, 65537, 131072, 200000};
    struct plog_buf b;
    int dir = fresh_dir();
    uint64_t state = check_seed();
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)check_random(&state);
    plog_buf_init(&b, io());
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t n = sizes[i];
        CHECK_INT(
            plog_io_write_file(io(), dir, "a", ".tmp", text, n, 0600, true), 0);
        CHECK_INT(plog_io_read_all(io(), dir, "a", n - 1, &b), -EFBIG);
        CHECK_UINT(b.len, 0);
        CHECK_INT(plog_io_read_all(io(), dir, "a", n, &b), 0);
        CHECK_BYTES(b.data, b.len, text, n);
        b.len = 0;
        CHECK_INT(plog_io_read_all(io(), dir, "a", SIZE_MAX, &b), 0);
        CHECK_BYTES(b.data, b.len, text, n);
        b.len = 0;
    }
    plog_buf_fini(&b);
    io()->close(NULL, dir);
}

static void test_util__read_all_out_of_memory(void)
{
    int dir = fresh_dir(), rc = -1;
    char *text = calloc(1, 300000);
    long n = 0;
    REQUIRE(text);
    CHECK_INT(
        plog_io_write_file(io(), dir, "a", ".tmp", text, 300000, 0600, false),
        0);
    for (; rc && n < 100; n++) {
        struct plog_buf b;
        struct rig r;
        rig_init(&r);
        r.allocs_left = n;
        plog_buf_init(&b, &r.io);
        rc = plog_io_read_all(&r.io, dir, "a", 300000, &b);
        CHECK(rc == 0 || rc == -ENOMEM);
        CHECK_UINT(b.len, rc ? 0 : 300000);
        plog_buf_fini(&b);
    }
    CHECK(n > 1);
    free(text);
    io()->close(NULL, dir);
}

static void test_util__write_file(void)
{
    struct plog_stat st;
    struct rig r;
    int dir = fresh_dir();
    rig_init(&r);
    CHECK_INT(
        plog_io_write_file(&r.io, dir, "a", ".tmp", "one", 3, 0600, false), 0);
    CHECK_TEXT(r.trace, "open write fdatasync close rename fsync ");
    check_content(dir, "a", "one");
    CHECK_INT(io()->stat_at(NULL, dir, "a", &st), 0);
    CHECK_UINT(st.mode, S_IFREG | 0600);
    CHECK_INT(
        plog_io_write_file(&r.io, dir, "a", ".tmp", "two", 3, 0600, false),
        -EEXIST);
    check_content(dir, "a", "one");
    CHECK_INT(io()->stat_at(NULL, dir, "a.tmp", &st), -ENOENT);
    r.trickle = true;
    CHECK_INT(plog_io_write_file(&r.io, dir, "a", ".tmp", "the second", 10,
                                 0600, true),
              0);
    check_content(dir, "a", "the second");
    CHECK_INT(plog_io_write_file(&r.io, dir, "b", ".tmp", "", 0, 0600, true),
              0);
    check_content(dir, "b", "");
    CHECK_INT(plog_io_write_file(&r.io, dir, "b", "", "x", 1, 0600, true),
              -EINVAL);
    io()->close(NULL, dir);
}

static void test_util__write_file_names(void)
{
    char name[600], suffix[600];
    int dir = fresh_dir();
    memset(name, 'x', sizeof name);
    memset(suffix, 'y', sizeof suffix);
    name[599] = suffix[599] = '\0';
    CHECK_INT(plog_io_write_file(io(), dir, name, ".t", "", 0, 0600, true),
              -ENAMETOOLONG);
    CHECK_INT(plog_io_write_file(io(), dir, "a", suffix, "", 0, 0600, true),
              -ENAMETOOLONG);
    name[300] = '\0'; /* fits our buffer, not the file system */
    CHECK_INT(plog_io_write_file(io(), dir, name, ".t", "", 0, 0600, true),
              -ENAMETOOLONG);
    io()->close(NULL, dir);
}

/* What a crash left, or somebody put there, is neither kept nor followed. */
static void test_util__write_file_leftover(void)
{
    struct plog_stat st;
    int dir = fresh_dir();
    put_text(dir, "victim", "untouched");
    CHECK_INT(symlinkat("victim", dir, "a.tmp"), 0);
    CHECK_INT(plog_io_write_file(io(), dir, "a", ".tmp", "one", 3, 0600, false),
              0);
    check_content(dir, "victim", "untouched");
    check_content(dir, "a", "one");
    put_text(dir, "a.tmp", "a longer text than the new one");
    CHECK_INT(plog_io_write_file(io(), dir, "a", ".tmp", "two", 3, 0600, true),
              0);
    check_content(dir, "a", "two");
    CHECK_INT(io()->stat_at(NULL, dir, "a.tmp", &st), -ENOENT);
    CHECK_INT(io()->mkdir_at(NULL, dir, "a.tmp", 0700), 0);
    CHECK(plog_io_write_file(io(), dir, "a", ".tmp", "x", 1, 0600, true) < 0);
    check_content(dir, "a", "two");
    io()->close(NULL, dir);
}

static int excl_opens;

/* Somebody else's leftover, which they remove themselves just now. */
static int open_over_leftover(void *ctx, int dir, const char *name, int flags,
                              uint32_t mode)
{
    if (flags & O_EXCL && excl_opens++ == 0)
        return -EEXIST;
    return io()->open_at(ctx, dir, name, flags, mode);
}

static void test_util__write_file_leftover_gone(void)
{
    struct plog_io over = *io();
    int dir = fresh_dir();
    over.open_at = open_over_leftover;
    CHECK_INT(plog_io_write_file(&over, dir, "a", ".tmp", "one", 3, 0600, true),
              0);
    CHECK_INT(excl_opens, 2);
    check_content(dir, "a", "one");
    io()->close(NULL, dir);
}

static void test_util__says_odd(void)
{
    static const struct {
        int rc;
        bool odd;
    } all[] = {{-ELOOP, true},   {-EISDIR, true},  {-EINVAL, true},
               {-EMLINK, true},  {-ENXIO, true},   {-EIO, false},
               {-ENOENT, false}, {-EACCES, false}, {-ENOMEM, false},
               {-EMFILE, false}, {0, false},       {7, false}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        CHECK(plog_io_says_odd(all[i].rc) == all[i].odd);
}

/* Whatever call fails: the old bytes, or (only the last fsync failed) the new
 * ones, never a part of them, and no temporary file. */
static void test_util__write_file_every_call_fails_once(void)
{
    struct plog_stat st;
    int dir = fresh_dir(), rc = -1;
    long n = 0;
    for (; rc && n < 100; n++) {
        struct rig r;
        rig_init(&r);
        r.calls_left = n;
        put_text(dir, "a", "old");
        rc = plog_io_write_file(&r.io, dir, "a", ".tmp", "new!", 4, 0600, true);
        CHECK(rc == 0 || rc == -EIO);
        /* open, write, fdatasync, close, rename have then succeeded */
        check_content(dir, "a", n >= 5 ? "new!" : "old");
        CHECK_INT(io()->stat_at(NULL, dir, "a.tmp", &st), -ENOENT);
    }
    CHECK_INT(n, 7);
    io()->close(NULL, dir);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"posix__table", test_posix__table},
        {"posix__open", test_posix__open},
        {"posix__handles_stay_clear_of_0_to_2",
         test_posix__handles_stay_clear_of_0_to_2},
        {"posix__read_write_truncate", test_posix__read_write_truncate},
        {"posix__stat", test_posix__stat},
        {"posix__rename", test_posix__rename},
        {"posix__unlink_and_mkdir", test_posix__unlink_and_mkdir},
        {"posix__list", test_posix__list},
        {"posix__lock", test_posix__lock},
        {"posix__lock_byte", test_posix__lock_byte},
        {"posix__locks_between_processes", test_posix__locks_between_processes},
        {"posix__clocks", test_posix__clocks},
        {"posix__wait_change", test_posix__wait_change},
        {"posix__wait_change_fails", test_posix__wait_change_fails},
        {"posix__processors", test_posix__processors},
        {"posix__short_sleeps", test_posix__short_sleeps},
        {"posix__random_and_process_id", test_posix__random_and_process_id},
        {"posix__refusals", test_posix__refusals},
        {"posix__alloc", test_posix__alloc},
        {"util__full_reads_and_writes", test_util__full_reads_and_writes},
        {"util__failed_write_tells_how_much",
         test_util__failed_write_tells_how_much},
        {"util__check_regular", test_util__check_regular},
        {"util__open_regular", test_util__open_regular},
        {"util__read_all", test_util__read_all},
        {"util__read_all_large", test_util__read_all_large},
        {"util__read_all_out_of_memory", test_util__read_all_out_of_memory},
        {"util__write_file", test_util__write_file},
        {"util__write_file_names", test_util__write_file_names},
        {"util__write_file_leftover", test_util__write_file_leftover},
        {"util__write_file_leftover_gone", test_util__write_file_leftover_gone},
        {"util__says_odd", test_util__says_odd},
        {"util__write_file_every_call_fails_once",
         test_util__write_file_every_call_fails_once},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
