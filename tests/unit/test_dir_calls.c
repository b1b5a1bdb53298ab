/*
 * test_dir_calls.c - opening a directory, and waiting for its lock, call by
 * call: with which flags, how long between two tries, and what is given back
 * when one of them fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "dir.h"

static struct plog_io io;
static struct plog_dir d;
static struct plog_error err;

static const struct plog_io *real(void)
{
    return plog_io_posix();
}

/* ---- A lock by lists, and a clock that sleep moves ----------------------- */

#define CALLS 2000

static char calls[CALLS * 12]; /* what was asked, one behind the other */
static const int *byte_says, *lock_says, *watch_says; /* 1: so for ever */
static int64_t now;

static void note(const char *what, long long n)
{
    size_t at = strlen(calls);
    snprintf(calls + at, sizeof calls - at, "%s%lld ", what, n);
}

static int next(const int **list)
{
    int rc = **list;
    if ((*list)[1] != 1)
        (*list)++;
    return rc;
}

static int on_lock_byte(void *ctx, int fd, uint64_t byte, int mode)
{
    (void)ctx;
    CHECK_INT(fd, 77);
    note(mode ? "b" : "B", (long long)byte);
    return mode ? next(&byte_says) : 0;
}

static int on_lock(void *ctx, int fd, int mode)
{
    (void)ctx;
    CHECK_INT(fd, 77);
    note("l", mode);
    return mode ? next(&lock_says) : 0;
}

static int64_t on_clock(void *ctx)
{
    (void)ctx;
    return now;
}

static void on_sleep(void *ctx, int64_t ns)
{
    (void)ctx;
    note("s", ns / 1000);
    now += ns;
}

static int on_watch(void *ctx, int *watch, const char *path, int64_t ns)
{
    (void)ctx;
    CHECK(watch == &d.watch);
    CHECK_TEXT(path, "/somewhere");
    note("w", ns / 1000);
    now += ns;
    return next(&watch_says);
}

static void begin(const int *bytes, const int *locks)
{
    memset(&d, 0, sizeof d);
    memset(&err, 0, sizeof err);
    io = *real();
    io.lock_byte = on_lock_byte;
    io.lock = on_lock;
    io.clock_mono_ns = on_clock;
    io.sleep_ns = on_sleep;
    io.wait_change = NULL;
    d.io = &io;
    d.lock = 77;
    snprintf(d.path, sizeof d.path, "/somewhere");
    byte_says = bytes;
    lock_says = locks;
    calls[0] = '\0';
    now = 0;
}

static const int free_now[] = {0, 1}, never[] = {-EAGAIN, 1},
                 third[] = {-EAGAIN, -EAGAIN, 0, 1}, broken[] = {-EIO, 1};

static void is_locked(int rc)
{
    CHECK_INT(rc, PLOG_E_LOCKED);
    CHECK_INT(err.code, PLOG_E_LOCKED);
    CHECK_TEXT(err.message, "another process holds the lock of /somewhere");
    CHECK_TEXT(err.file, "lock");
    CHECK_TEXT(err.hint, "wait longer: wait_seconds, or --wait SECONDS");
    CHECK(!d.locked);
}

/* ---- Waiting ------------------------------------------------------------- */

static void at_once(void)
{
    begin(free_now, free_now);
    CHECK_INT(plog_dir_lock(&d, false, 0, &err), 0);
    CHECK_TEXT(calls, "b0 l2 B0 ");
    CHECK(d.locked);
    plog_dir_unlock(&d);
    CHECK_TEXT(calls, "b0 l2 B0 l0 ");
    CHECK(!d.locked);
    plog_dir_unlock(&d); /* nothing to give back */
    CHECK_TEXT(calls, "b0 l2 B0 l0 ");
    begin(free_now, free_now);
    CHECK_INT(plog_dir_lock(&d, true, 0, &err), 0);
    CHECK_TEXT(calls, "l1 ");
    CHECK(d.locked);
}

/* Without time the lock is asked for once. */
static void no_time(void)
{
    static const double none[] = {0, -1};
    for (int i = 0; i < 2; i++) {
        begin(never, free_now);
        is_locked(plog_dir_lock(&d, false, none[i], &err));
        CHECK_TEXT(calls, "b0 ");
        begin(free_now, never);
        is_locked(plog_dir_lock(&d, false, none[i], &err));
        CHECK_TEXT(calls, "b0 l2 B0 ");
        begin(free_now, never);
        is_locked(plog_dir_lock(&d, true, none[i], &err));
        CHECK_TEXT(calls, "l1 ");
        begin(never, never);
        is_locked(plog_dir_maintain(&d, none[i], &err));
        CHECK_TEXT(calls, "b1 ");
    }
}

static void some_time(void)
{
    begin(third, third);
    CHECK_INT(plog_dir_lock(&d, false, 1, &err), 0);
    CHECK_TEXT(calls, "b0 s400 b0 s400 b0 l2 s70 l2 s70 l2 B0 ");
    begin(third, third);
    CHECK_INT(plog_dir_lock(&d, true, 1, &err), 0);
    CHECK_TEXT(calls, "l1 s70 l1 s70 l1 ");
    begin(third, third);
    CHECK_INT(plog_dir_maintain(&d, 1, &err), 0);
    CHECK_TEXT(calls, "b1 s70 b1 s140 b1 ");
    plog_dir_maintained(&d);
    CHECK_TEXT(calls, "b1 s70 b1 s140 b1 B1 ");
}

/* Pauses double, up to a millisecond or so. */
static void longer_and_longer(void)
{
    char want[CALLS * 12] = "";
    size_t n = 0;
    begin(never, free_now);
    is_locked(plog_dir_lock(&d, false, 0.0865, &err));
    for (int i = 0; i < 201; i++)
        n += (size_t)snprintf(want + n, sizeof want - n, "b0 s400 ");
    snprintf(want + n, sizeof want - n,
             "b0 s800 b0 s1600 b0 s1600 b0 s1600 "
             "b0 s1600 b0 ");
    CHECK_TEXT(calls, want);
    begin(never, free_now);
    is_locked(plog_dir_maintain(&d, 0.0045, &err));
    CHECK_TEXT(calls, "b1 s70 b1 s140 b1 s280 b1 s560 b1 s1120 b1 s1120 b1 "
                      "s1120 b1 s1120 b1 ");
}

static void it_breaks(void)
{
    begin(broken, free_now);
    CHECK_INT(plog_dir_lock(&d, false, 1, &err), PLOG_E_IO);
    CHECK_TEXT(calls, "b0 ");
    begin(free_now, broken);
    CHECK_INT(plog_dir_lock(&d, false, 1, &err), PLOG_E_IO);
    CHECK_TEXT(calls, "b0 l2 B0 ");
    CHECK(strstr(err.message, "locking") != NULL);
    CHECK(!d.locked);
    begin(broken, free_now);
    CHECK_INT(plog_dir_maintain(&d, 1, &err), PLOG_E_IO);
    begin(free_now, free_now);
    d.lock = -1;
    CHECK_INT(plog_dir_lock(&d, false, 1, &err), PLOG_E_IO);
    CHECK_TEXT(err.message, "there is no lock file");
    CHECK_TEXT(calls, "");
}

/* Who has waited often looks at what the holder writes. */
static void with_a_watch(void)
{
    static const int heard[] = {0, 0, 2, -EMFILE, 1};
    static const int busy[] = {-EAGAIN, -EAGAIN, -EAGAIN, -EAGAIN,
                               -EAGAIN, -EAGAIN, -EAGAIN, -EAGAIN,
                               -EAGAIN, -EAGAIN, 0,       1};
    begin(free_now, busy);
    io.wait_change = on_watch;
    watch_says = heard;
    d.waits = 62; /* not yet */
    CHECK_INT(plog_dir_lock(&d, false, 1, &err), 0);
    CHECK(!strchr(calls, 'w'));
    CHECK_UINT(d.waits, 63);
    begin(free_now, busy);
    io.wait_change = on_watch;
    watch_says = heard;
    d.waits = 63;
    CHECK_INT(plog_dir_lock(&d, false, 1, &err), 0);
    /* forgets; nothing: one moment; heard: four; none to be had: as before */
    CHECK_TEXT(calls, "b0 l2 w0 l2 w400 l2 s20 l2 w400 l2 s20 l2 s20 l2 s20 l2 "
                      "s20 l2 w400 l2 s70 l2 B0 ");
    CHECK_UINT(d.waits, 0);
    begin(free_now, never);
    io.wait_change = on_watch;
    static const int nothing[] = {0, 1};
    watch_says = nothing;
    d.waits = 100;
    is_locked(plog_dir_lock(&d, false, 0.0005, &err));
    CHECK_TEXT(calls, "b0 l2 w0 l2 w400 l2 s20 l2 w80 l2 B0 ");
}

/* ---- Opening ------------------------------------------------------------- */

static int refuse_mkdir, refuse_fsync, lock_flags, segment_flags;
static const char *refuse_open;
static uint32_t looks_like; /* modes that the directory has besides */
static bool no_stat_of_files;

static int on_open(void *ctx, int dir, const char *name, int flags,
                   uint32_t mode)
{
    if (refuse_open && strcmp(name, refuse_open) == 0)
        return -EMFILE;
    if (strcmp(name, "lock") == 0) {
        lock_flags = flags;
        CHECK_UINT(mode, 0600);
    }
    if (strstr(name, ".jsonl"))
        segment_flags = flags;
    return real()->open_at(ctx, dir, name, flags, mode);
}

static int on_mkdir(void *ctx, int dir, const char *name, uint32_t mode)
{
    CHECK_UINT(mode, 0700);
    return refuse_mkdir && --refuse_mkdir == 0
               ? -EDQUOT
               : real()->mkdir_at(ctx, dir, name, mode);
}

static int on_fsync(void *ctx, int fd)
{
    return refuse_fsync && --refuse_fsync == 0 ? -EIO : real()->fsync(ctx, fd);
}

static int on_stat(void *ctx, int fd, struct plog_stat *out)
{
    int rc = real()->stat(ctx, fd, out);
    if (S_ISDIR(out->mode))
        out->mode |= looks_like;
    else if (no_stat_of_files)
        rc = -ENOBUFS;
    return rc;
}

static char path[600];

static void fresh(void)
{
    snprintf(path, sizeof path, "%.500s/log", check_dir());
    io = *real();
    io.open_at = on_open;
    io.mkdir_at = on_mkdir;
    io.fsync = on_fsync;
    io.stat = on_stat;
    refuse_mkdir = refuse_fsync = lock_flags = 0;
    refuse_open = NULL;
    looks_like = 0;
    no_stat_of_files = false;
    memset(&err, 0, sizeof err);
}

static int open_as(enum plog_dir_mode mode, bool loose)
{
    return plog_dir_open(&d, &io, path, mode, loose, &err);
}

static void flags(void)
{
    static const struct {
        enum plog_dir_mode mode;
        int flags;
    } all[] = {{PLOG_DIR_MAKE, O_RDWR | O_CREAT},
               {PLOG_DIR_WRITE, O_RDWR | O_CREAT},
               {PLOG_DIR_READ, O_RDONLY},
               {PLOG_DIR_STORE, O_RDONLY}};
    struct plog_stat id;
    char name[PLOG_SEGMENT_NAME], file[700];
    int fd = -1;
    fresh();
    for (int i = 0; i < 4; i++) {
        REQUIRE(open_as(all[i].mode, false) == 0);
        CHECK_INT(lock_flags, all[i].flags);
        CHECK(d.dir >= 0 && d.log >= 0 && d.keys >= 0 && d.lock >= 0);
        plog_dir_close(&d);
        CHECK(d.dir == -1 && d.log == -1 && d.keys == -1 && d.lock == -1);
        plog_dir_close(&d);
    }
    REQUIRE(open_as(PLOG_DIR_WRITE, false) == 0);
    plog_segment_name(7, name);
    snprintf(file, sizeof file, "%s/log/%s", path, name);
    close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    for (int writing = 0; writing < 2; writing++) {
        CHECK_INT(plog_dir_open_segment(&d, 7, writing, &fd, &id, &err), 0);
        CHECK_INT(segment_flags & O_ACCMODE, writing ? O_RDWR : O_RDONLY);
        close(fd);
    }
    plog_dir_close(&d);
}

/* What is made is made durable, each of the three. */
static void makes(void)
{
    for (int at = 1; at <= 3; at++) {
        fresh();
        refuse_mkdir = at;
        CHECK_INT(open_as(PLOG_DIR_MAKE, false), PLOG_E_IO);
        CHECK(strstr(err.message, "making a directory") != NULL);
        CHECK_INT(d.dir, -1);
    }
    for (int at = 1; at <= 2; at++) { /* above it is the caller's business */
        fresh();
        refuse_fsync = at;
        CHECK_INT(open_as(PLOG_DIR_MAKE, false), PLOG_E_IO);
        CHECK(strstr(err.message, "syncing a directory") != NULL);
        CHECK_INT(d.dir, -1);
    }
    fresh();
    refuse_fsync = 3;
    CHECK_INT(open_as(PLOG_DIR_MAKE, false), 0);
    CHECK_INT(refuse_fsync, 1);
    plog_dir_close(&d);
    refuse_fsync = 1; /* nothing to be made durable */
    CHECK_INT(open_as(PLOG_DIR_MAKE, false), 0);
    CHECK_INT(refuse_fsync, 1);
    plog_dir_close(&d);
}

static void refusals(void)
{
    static const char *const names[] = {"log", "keys", "lock"};
    static const enum plog_dir_mode modes[] = {PLOG_DIR_READ, PLOG_DIR_STORE,
                                               PLOG_DIR_WRITE, PLOG_DIR_MAKE};
    fresh();
    CHECK_INT(open_as(PLOG_DIR_WRITE, false), PLOG_E_NOTHING);
    CHECK_TEXT(err.message + strlen(err.message) - 4, "/log");
    REQUIRE(open_as(PLOG_DIR_MAKE, false) == 0);
    plog_dir_close(&d);
    for (int m = 0; m < 4; m++)
        for (int i = 0; i < 3; i++) {
            refuse_open = names[i];
            bool without = i == 2 && m < 2; /* a reader needs no lock */
            CHECK_INT(open_as(modes[m], false), without ? 0 : PLOG_E_IO);
            if (without)
                CHECK_INT(d.lock, -1);
            else
                CHECK_INT(d.dir, -1);
            if (i == 2 && !without)
                CHECK_TEXT(err.message,
                           "opening the lock file: Too many open files");
            if (!without)
                CHECK_TEXT(err.file, names[i]);
            plog_dir_close(&d);
        }
    refuse_open = NULL;
    for (int m = 0; m < 4; m++)
        for (int loose = 0; loose < 2; loose++)
            for (looks_like = 0; looks_like < 0100; looks_like++) {
                bool others = looks_like & 022;
                bool taken = !others || loose || m == 0;
                CHECK_INT(open_as(modes[m], loose), taken ? 0 : PLOG_E_IO);
                CHECK_INT(d.dir >= 0, taken);
                plog_dir_close(&d);
            }
}

#define LINKED                                                                 \
    "the lock file has another name, too (a hard link): what is written here"  \
    " would be written there"

/* A lock that cannot be looked at, or that is another file as well, is none;
 * and nothing is left open. */
static void odd_locks(void)
{
    static const enum plog_dir_mode modes[] = {PLOG_DIR_READ, PLOG_DIR_STORE,
                                               PLOG_DIR_WRITE, PLOG_DIR_MAKE};
    static const char *const says[] = {
        "checking the lock file: No buffer space available",
        LINKED,
        "checking the lock file: Invalid argument"};
    char lock[700], other[700];
    fresh();
    REQUIRE(open_as(PLOG_DIR_MAKE, false) == 0);
    plog_dir_close(&d);
    snprintf(lock, sizeof lock, "%s/lock", path);
    snprintf(other, sizeof other, "%s/other", path);
    for (int is = 0; is < 3; is++) {
        if (is == 1)
            CHECK_INT(link(lock, other), 0);
        if (is == 2) {
            CHECK_INT(unlink(lock), 0);
            CHECK_INT(mkfifo(lock, 0600), 0);
        }
        for (int m = 0; m < 4; m++) {
            memset(&err, 0, sizeof err);
            no_stat_of_files = is == 0;
            CHECK_INT(open_as(modes[m], false), PLOG_E_IO);
            CHECK_TEXT(err.message, says[is]);
            CHECK_TEXT(err.file, "lock");
            CHECK_INT(strstr(err.hint, "cp -a DIR NEW") != NULL, is == 1);
            CHECK(d.dir == -1 && d.log == -1 && d.keys == -1 && d.lock == -1);
            plog_dir_close(&d);
        }
    }
}

/* ---- Segments ------------------------------------------------------------ */

static void touch(const char *name)
{
    char file[700];
    snprintf(file, sizeof file, "%s/%s", path, name);
    int fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    close(fd);
}

/* One that is in log/ and in archive/ is one; without archive/ only those in
 * log/ count. */
static void twins(void)
{
    static const uint64_t all[] = {1, 4, 7, 9}, in_log[] = {4, 7, 9};
    char folder[700];
    struct plog_buf list;
    fresh();
    plog_buf_init(&list, &io);
    REQUIRE(open_as(PLOG_DIR_MAKE, false) == 0);
    CHECK_INT(plog_dir_segments(&d, &list, &err), 0);
    CHECK_UINT(plog_segment_count(&list), 0);
    snprintf(folder, sizeof folder, "%s/archive", path);
    CHECK(mkdir(folder, 0700) == 0);
    touch("log/00000000000000000009.jsonl");
    touch("log/00000000000000000007.jsonl");
    touch("log/00000000000000000004.jsonl");
    touch("log/00000000000000000004.jsonl.new"); /* ours, and no segment */
    touch("archive/00000000000000000004.jsonl.gz");
    touch("archive/00000000000000000001.jsonl.gz");
    touch("archive/00000000000000000007.jsonl.gz");
    for (int with = 0; with < 2; with++) {
        d.with_archive = with;
        CHECK_INT(plog_dir_segments(&d, &list, &err), 0);
        CHECK_BYTES(list.data, list.len, with ? all : in_log,
                    with ? sizeof all : sizeof in_log);
    }
    /* One that is only there is read, and never written to. */
    struct plog_stat id;
    int fd = -1;
    CHECK_INT(plog_dir_open_segment(&d, 1, true, &fd, &id, &err),
              PLOG_E_CORRUPT);
    CHECK_TEXT(err.message, "the segment is missing");
    CHECK_TEXT(err.file, "log/00000000000000000001.jsonl");
    CHECK_INT(fd, -1);
    plog_buf_fini(&list);
    plog_dir_close(&d);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"at once", at_once},     {"no time", no_time},
        {"some time", some_time}, {"longer", longer_and_longer},
        {"it breaks", it_breaks}, {"with a watch", with_a_watch},
        {"twins", twins},         {"flags", flags},
        {"makes", makes},         {"refusals", refusals},
        {"odd locks", odd_locks},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
