/* test_io_posix.c - the I/O table over the operating system: files, names,
 * directories and locks. */
#include "check.h"
#include "handles.h"
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io_files.h"

static const struct plog_io *io(void)
{
    return plog_io_posix();
}

/* ---- Files --------------------------------------------------------------- */

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
    int dir = io_files_dir();
    CHECK_INT(io_files_open(dir, "none", O_RDONLY), -ENOENT);
    int fd = io_files_open(dir, "a", O_RDWR | O_CREAT | O_EXCL);
    CHECK(fd >= 3);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    CHECK_INT(io_files_open(dir, "a", O_RDWR | O_CREAT | O_EXCL), -EEXIST);
    CHECK_INT(symlinkat("a", dir, "link"), 0);
    CHECK_INT(io_files_open(dir, "link", O_RDONLY), -ELOOP);
    CHECK_INT(io_files_open(dir, "link", O_RDWR | O_CREAT), -ELOOP);
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
    int a = io_files_open(dir, "a", O_RDWR | O_CREAT);
    int b = io_files_open(dir, "b", O_RDWR | O_CREAT);
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
    int dir = io_files_dir();
    CHECK_INT(io_files_in_child(without_standard_handles, dir), 0);
    io()->close(NULL, dir);
}

static void test_posix__read_write_truncate(void)
{
    const uint64_t far = (UINT64_C(1) << 32) + 5; /* needs a 64-bit off_t */
    struct plog_stat st;
    char got[8] = "";
    int dir = io_files_dir();
    int fd = io_files_open(dir, "a", O_RDWR | O_CREAT);
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
    fd = io_files_open(dir, "a", O_RDONLY);
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
    int dir = io_files_dir();
    io_files_put(dir, "a", "hello");
    int fd = io_files_open(dir, "a", O_RDONLY);
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
    int dir = io_files_dir();
    io_files_put(dir, "a", "new");
    io_files_put(dir, "b", "old");
    CHECK_INT(io()->rename_at(NULL, dir, "a", dir, "b", false), -EEXIST);
    io_files_check(dir, "a", "new");
    io_files_check(dir, "b", "old");
    CHECK_INT(io()->rename_at(NULL, dir, "a", dir, "c", false), 0);
    CHECK_INT(io()->stat_at(NULL, dir, "a", &st), -ENOENT);
    io_files_check(dir, "c", "new"); /* one link, or this would refuse */
    CHECK_INT(io()->rename_at(NULL, dir, "c", dir, "b", true), 0);
    io_files_check(dir, "b", "new");
    CHECK_INT(io()->rename_at(NULL, dir, "c", dir, "d", true), -ENOENT);
    CHECK_INT(io()->rename_at(NULL, dir, "c", dir, "d", false), -ENOENT);
    CHECK_INT(symlinkat("nowhere", dir, "link"), 0);
    CHECK_INT(io()->rename_at(NULL, dir, "b", dir, "link", false), -EEXIST);
    io()->close(NULL, dir);
}

static void test_posix__unlink_and_mkdir(void)
{
    struct plog_stat st;
    int dir = io_files_dir();
    umask(022);
    CHECK_INT(io()->mkdir_at(NULL, dir, "sub", 0700), 0);
    CHECK_INT(io()->mkdir_at(NULL, dir, "sub", 0700), -EEXIST);
    CHECK_INT(io()->stat_at(NULL, dir, "sub", &st), 0);
    CHECK_UINT(st.mode, S_IFDIR | 0700);
    io_files_put(dir, "a", "");
    CHECK_INT(io()->unlink_at(NULL, dir, "a"), 0);
    CHECK_INT(io()->unlink_at(NULL, dir, "a"), -ENOENT);
    CHECK(io()->unlink_at(NULL, dir, "sub") < 0);
    io()->close(NULL, dir);
}

/* ---- Lists --------------------------------------------------------------- */

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
    int dir = io_files_dir();
    for (int i = 0; i < 300; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        io_files_put(dir, name, "");
    }
    all.dir = dir;
    CHECK_INT(io()->list(NULL, dir, see_again, &all), 0);
    CHECK_INT(all.count, 300);
    CHECK_INT(io()->list(NULL, dir, see, &some), 7);
    CHECK_INT(some.count, 5);
    memset(&all, 0, sizeof all);
    CHECK_INT(io()->list(NULL, dir, see, &all), 0); /* from the start */
    CHECK_INT(all.count, 300);
    int fd = io_files_open(dir, "0", O_RDONLY);
    CHECK_INT(io()->list(NULL, fd, see, &all), -ENOTDIR);
    io()->close(NULL, fd);
    io()->close(NULL, dir);
    CHECK_INT(io()->list(NULL, dir, see, &all), -EBADF);
}

/* ---- Locks --------------------------------------------------------------- */

static void test_posix__lock(void)
{
    int dir = io_files_dir();
    int a = io_files_open(dir, "lock", O_RDWR | O_CREAT);
    int b = io_files_open(dir, "lock", O_RDWR);
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
    int dir = io_files_dir();
    int a = io_files_open(dir, "lock", O_RDWR | O_CREAT);
    int b = io_files_open(dir, "lock", O_RDWR);
    int c = io_files_open(dir, "lock", O_RDWR);
    errno = EACCES; /* of a call before: it says nothing about this one */
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
    errno = EACCES;
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
    int fd = io_files_open(dir, "lock", O_RDWR);
    return fd >= 3 && io()->lock(NULL, fd, 2) == -EAGAIN &&
                   io()->lock_byte(NULL, fd, 9, 2) == -EAGAIN &&
                   io()->lock_byte(NULL, fd, 8, 2) == 0
               ? 0
               : 1;
}

static void test_posix__locks_between_processes(void)
{
    int dir = io_files_dir();
    int fd = io_files_open(dir, "lock", O_RDWR | O_CREAT);
    CHECK_INT(io()->lock(NULL, fd, 2), 0);
    CHECK_INT(io()->lock_byte(NULL, fd, 9, 2), 0);
    CHECK_INT(io_files_in_child(locks_from_another_process, dir), 0);
    CHECK_INT(io()->lock_byte(NULL, fd, 8, 2), 0); /* the child is gone */
    io()->close(NULL, fd);
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
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
