/* test_io_util.c - reading and writing whole files by an I/O table that reads
 * and writes little, is interrupted and fails at its n-th call. */
#include "check.h"
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

/* ---- A table that misbehaves --------------------------------------------- */

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

/* ---- Reading and writing ------------------------------------------------- */

static void test_util__full_reads_and_writes(void)
{
    char out[500], in[600];
    size_t n = 0;
    struct rig r;
    int dir = io_files_dir();
    int fd = io_files_open(dir, "a", O_RDWR | O_CREAT);
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
    int dir = io_files_dir();
    int fd = io_files_open(dir, "a", O_RDWR | O_CREAT);
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
    int dir = io_files_dir();
    io_files_put(dir, "a", "x");
    int fd = io_files_open(dir, "a", O_RDONLY);
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
        io_files_put(dir, "b", "other");
        CHECK_INT(renameat(dir, "b", dir, name), 0);
    }
    return fd;
}

static void test_util__open_regular(void)
{
    struct plog_io t = *io();
    struct plog_buf b;
    int dir = io_files_dir();
    t.open_at = open_replaced;
    plog_buf_init(&b, io());
    io_files_put(dir, "a", "x");
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
    int dir = io_files_dir();
    rig_init(&r);
    r.trickle = true;
    plog_buf_init(&b, &r.io);
    CHECK_INT(plog_buf_add(&b, "head:", 5), 0);
    io_files_put(dir, "a", "0123456789");
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
    io_files_put(dir, "empty", "");
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
    int dir = io_files_dir();
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
    int dir = io_files_dir(), rc = -1;
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

/* ---- Whole files --------------------------------------------------------- */

static void test_util__write_file(void)
{
    struct plog_stat st;
    struct rig r;
    int dir = io_files_dir();
    rig_init(&r);
    CHECK_INT(
        plog_io_write_file(&r.io, dir, "a", ".tmp", "one", 3, 0600, false), 0);
    CHECK_TEXT(r.trace, "open write fdatasync close rename fsync ");
    io_files_check(dir, "a", "one");
    CHECK_INT(io()->stat_at(NULL, dir, "a", &st), 0);
    CHECK_UINT(st.mode, S_IFREG | 0600);
    CHECK_INT(
        plog_io_write_file(&r.io, dir, "a", ".tmp", "two", 3, 0600, false),
        -EEXIST);
    io_files_check(dir, "a", "one");
    CHECK_INT(io()->stat_at(NULL, dir, "a.tmp", &st), -ENOENT);
    r.trickle = true;
    CHECK_INT(plog_io_write_file(&r.io, dir, "a", ".tmp", "the second", 10,
                                 0600, true),
              0);
    io_files_check(dir, "a", "the second");
    CHECK_INT(plog_io_write_file(&r.io, dir, "b", ".tmp", "", 0, 0600, true),
              0);
    io_files_check(dir, "b", "");
    CHECK_INT(plog_io_write_file(&r.io, dir, "b", "", "x", 1, 0600, true),
              -EINVAL);
    io()->close(NULL, dir);
}

static void test_util__write_file_names(void)
{
    char name[600], suffix[600];
    int dir = io_files_dir();
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
    int dir = io_files_dir();
    io_files_put(dir, "victim", "untouched");
    CHECK_INT(symlinkat("victim", dir, "a.tmp"), 0);
    CHECK_INT(plog_io_write_file(io(), dir, "a", ".tmp", "one", 3, 0600, false),
              0);
    io_files_check(dir, "victim", "untouched");
    io_files_check(dir, "a", "one");
    io_files_put(dir, "a.tmp", "a longer text than the new one");
    CHECK_INT(plog_io_write_file(io(), dir, "a", ".tmp", "two", 3, 0600, true),
              0);
    io_files_check(dir, "a", "two");
    CHECK_INT(io()->stat_at(NULL, dir, "a.tmp", &st), -ENOENT);
    CHECK_INT(io()->mkdir_at(NULL, dir, "a.tmp", 0700), 0);
    CHECK(plog_io_write_file(io(), dir, "a", ".tmp", "x", 1, 0600, true) < 0);
    io_files_check(dir, "a", "two");
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
    int dir = io_files_dir();
    over.open_at = open_over_leftover;
    CHECK_INT(plog_io_write_file(&over, dir, "a", ".tmp", "one", 3, 0600, true),
              0);
    CHECK_INT(excl_opens, 2);
    io_files_check(dir, "a", "one");
    io()->close(NULL, dir);
}

static int no_unlink(void *ctx, int dir, const char *name)
{
    (void)ctx, (void)dir, (void)name;
    return -EROFS;
}

/* A leftover that cannot be removed: why is told, not that it is there. */
static void test_util__write_file_leftover_stays(void)
{
    struct plog_io stays = *io();
    int dir = io_files_dir();
    stays.unlink_at = no_unlink;
    io_files_put(dir, "a.tmp", "of somebody else");
    CHECK_INT(
        plog_io_write_file(&stays, dir, "a", ".tmp", "one", 3, 0600, true),
        -EROFS);
    io_files_check(dir, "a.tmp", "of somebody else");
    struct plog_stat st;
    CHECK_INT(io()->stat_at(NULL, dir, "a", &st), -ENOENT);
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
    int dir = io_files_dir(), rc = -1;
    long n = 0;
    for (; rc && n < 100; n++) {
        struct rig r;
        rig_init(&r);
        r.calls_left = n;
        io_files_put(dir, "a", "old");
        rc = plog_io_write_file(&r.io, dir, "a", ".tmp", "new!", 4, 0600, true);
        CHECK(rc == 0 || rc == -EIO);
        /* open, write, fdatasync, close, rename have then succeeded */
        io_files_check(dir, "a", n >= 5 ? "new!" : "old");
        CHECK_INT(io()->stat_at(NULL, dir, "a.tmp", &st), -ENOENT);
    }
    CHECK_INT(n, 7);
    io()->close(NULL, dir);
}

/* What SQLite is told of a wait: no less than none, and no more than some 23
 * days, whatever was asked for. */
static void test_util__wait_ms(void)
{
    CHECK_INT(plog_io_wait_ms(0), 0);
    CHECK_INT(plog_io_wait_ms(-1), 0);
    CHECK_INT(plog_io_wait_ms(__builtin_nan("")), 0);
    CHECK_INT(plog_io_wait_ms(1.5), 1500);
    CHECK_INT(plog_io_wait_ms(1999999.999), 1999999999);
    CHECK_INT(plog_io_wait_ms(2e6), 2000000000);
    CHECK_INT(plog_io_wait_ms(1e300), 2000000000);
    CHECK_INT(plog_io_wait_ms(__builtin_inf()), 2000000000);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
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
        {"util__write_file_leftover_stays",
         test_util__write_file_leftover_stays},
        {"util__says_odd", test_util__says_odd},
        {"util__wait_ms", test_util__wait_ms},
        {"util__write_file_every_call_fails_once",
         test_util__write_file_every_call_fails_once},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
