/* test_io_waits.c - the I/O table over the operating system: clocks, waiting
 * for a change, processors, randomness, memory, and what it refuses. */
#include "check.h"
#include "io.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "io_files.h"

static const struct plog_io *io(void)
{
    return plog_io_posix();
}

/* ---- Clocks and changes -------------------------------------------------- */

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

/* More than is read at once, and no two alike after one another. */
static int write_below(int dir)
{
    for (int i = 0; i < 400; i++)
        io_files_put(dir, i % 2 ? "written" : "more", "x");
    return 0;
}

/* Woken by what another process writes, once for all of it, and at the latest
 * when the time is over; by nothing that was written before. */
static void test_posix__wait_change(void)
{
    const int64_t long_time = INT64_C(20000000000);
    char path[700];
    int dir = io_files_dir(), watch = -1;
    io_files_put(dir, "before", "x");
    snprintf(path, sizeof path, "/proc/self/fd/%d", dir);
    CHECK_INT(io()->wait_change(NULL, &watch, path, long_time), 0);
    CHECK(watch >= 3 && (fcntl(watch, F_GETFD) & FD_CLOEXEC));
    int64_t began = io()->clock_mono_ns(NULL);
    CHECK_INT(io()->wait_change(NULL, &watch, path, 5000000), 0);
    CHECK(io()->clock_mono_ns(NULL) - began >= 5000000);
    for (int i = 0; i < 3; i++)
        CHECK_INT(io_files_in_child(write_below, dir), 0);
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
    int dir = io_files_dir(), watch = -1;
    CHECK_INT(io()->wait_change(NULL, &watch, check_dir(), 0), 0);
    CHECK_INT(io_files_in_child(watch_without_handles, watch), 0);
    CHECK_INT(io_files_in_child(watch_with_a_signal, watch), 0);
    io()->close(NULL, watch);
    CHECK_INT(io()->wait_change(NULL, &dir, check_dir(), 0), -EISDIR);
    io()->close(NULL, dir);
    int null = io_files_open(AT_FDCWD, "/dev/null", O_RDONLY);
    CHECK_INT(io()->wait_change(NULL, &null, check_dir(), 0), 1);
    io()->close(NULL, null);
}

/* ---- Processors, randomness, memory -------------------------------------- */

#define THE_TRUTH (-2)
static int processors = THE_TRUTH; /* so many; -1: they cannot be counted */

/* In place of the real one, which all else is told by: also the tests that are
 * linked into one program with this. */
int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
    if (processors == THE_TRUTH) {
        int (*real)(pid_t, size_t, cpu_set_t *);
        void *found = dlsym(RTLD_NEXT, "sched_getaffinity");
        memcpy(&real, &found, sizeof real);
        return real(pid, size, set);
    }
    CPU_ZERO_S(size, set);
    for (int i = 0; i < processors; i++)
        CPU_SET_S((size_t)i, size, set);
    return processors < 0 ? -1 : 0;
}

/* Of which a kernel may know more than there is room for. */
static void test_posix__processors(void)
{
    processors = 3;
    CHECK_UINT(plog_io_processors(), 3);
    processors = -1;
    CHECK_UINT(plog_io_processors(), 1);
    processors = 0;
    CHECK_UINT(plog_io_processors(), 1);
    processors = THE_TRUTH;
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
    CHECK_INT(io_files_in_child(another_process_id, getpid()), 0);
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

/* ---- What is refused ----------------------------------------------------- */

/* What makes no sense is refused before the system is asked. */
static void test_posix__refusals(void)
{
    int dir = io_files_dir();
    char path[4], here[2] = "";
    int fd = io_files_open(dir, "a", O_RDWR | O_CREAT);
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

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"posix__clocks", test_posix__clocks},
        {"posix__wait_change", test_posix__wait_change},
        {"posix__wait_change_fails", test_posix__wait_change_fails},
        {"posix__processors", test_posix__processors},
        {"posix__short_sleeps", test_posix__short_sleeps},
        {"posix__random_and_process_id", test_posix__random_and_process_id},
        {"posix__refusals", test_posix__refusals},
        {"posix__alloc", test_posix__alloc},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
