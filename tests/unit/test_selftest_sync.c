/*
 * test_selftest_sync.c - what selftest says of the time that syncs take and of
 * the writes that the device counts: by a clock, a disk and counters of ours.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "selftesting.h"
#include "world.h"

static struct selftesting s;

/* ---- Our clock and disk -------------------------------------------------- */

static struct {
    int64_t now, took; /* ns; by each sync */
    bool descending;   /* the n-th one takes 400 - n us */
    unsigned syncs, writes, opens;
    unsigned fail_sync, fail_write, fail_open, fail_fsync; /* the n-th */
    unsigned fsyncs;
    size_t ahead; /* LFs in a write that is no append */
} disk;

static int64_t on_clock(void *ctx)
{
    (void)ctx;
    return disk.now;
}

static int on_fdatasync(void *ctx, int fd)
{
    (void)ctx, (void)fd;
    disk.now += disk.descending ? (400 - disk.syncs % 400) * 1000 : disk.took;
    return ++disk.syncs == disk.fail_sync ? -EIO : 0;
}

static int on_fsync(void *ctx, int fd)
{
    (void)ctx, (void)fd;
    return ++disk.fsyncs == disk.fail_fsync ? -EDQUOT : 0;
}

static int64_t on_pwrite(void *ctx, int fd, const void *p, size_t n,
                         uint64_t at)
{
    if (++disk.writes == disk.fail_write)
        return -ENOSPC;
    for (size_t i = 0; n > 256 && i < n; i++)
        disk.ahead += ((const char *)p)[i] == '\n';
    return plog_io_posix()->pwrite(ctx, fd, p, n, at);
}

/* ---- Counters of ours ---------------------------------------------------- */

static struct {
    const char *before, *after; /* NULL: not there */
    const char *iostats, *cache;
    bool above; /* the queue is that of the disk, of a partition */
    unsigned looks;
} device;

static const char *text_of(const char *name)
{
    if (strcmp(strrchr(name, '/'), "/stat") == 0)
        return device.looks++ ? device.after : device.before;
    if ((strstr(name, "/../queue/") != NULL) != device.above)
        return NULL;
    return strcmp(strrchr(name, '/'), "/iostats") == 0 ? device.iostats
                                                       : device.cache;
}

static int on_open(void *ctx, int dir, const char *name, int flags,
                   uint32_t mode)
{
    char path[700];
    if (strncmp(name, "/sys/", 5)) {
        if (++disk.opens == disk.fail_open)
            return -EMFILE;
        return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
    }
    CHECK(strncmp(name, "/sys/dev/block/", 15) == 0);
    const char *text = text_of(name);
    if (!text)
        return -ENOENT;
    snprintf(path, sizeof path, "%.500s/of-the-kernel", s.t.parent_path);
    world_write(path, text, strlen(text));
    return plog_io_posix()->open_at(ctx, dir, path, flags, mode);
}

static void begin(double seconds)
{
    selftesting_begin(&s, seconds);
    memset(&disk, 0, sizeof disk);
    memset(&device, 0, sizeof device);
    device.iostats = "1\n";
    device.cache = "write back\n";
    disk.took = 100000;
    s.io.clock_mono_ns = on_clock;
    s.io.fdatasync = on_fdatasync;
    s.io.fsync = on_fsync;
    s.io.pwrite = on_pwrite;
    s.io.open_at = on_open;
    s.t.started = 0;
}

/* Runs it, leaves no handle behind. */
static void look(void)
{
    int lowest = dup(0);
    close(lowest);
    plog_selftest_sync(&s.t);
    int now = dup(0);
    CHECK_INT(now, lowest);
    close(now);
}

/* ---- Times --------------------------------------------------------------- */

static void of_many(void)
{
    begin(10);
    disk.descending = true; /* 400, 399, ... 1 us */
    look();
    selftesting_check(&s, "sync of appends", PLOG_TEST_OK,
                      "median 200 us, p99 396 us, max 400 us, of 400", "");
    CHECK_TEXT(selftesting_the(&s, "sync of appends")->figures,
               "syncs_count=400 median_us=200 p99_us=396 max_us=400 ");
    selftesting_check(&s, "sync in place", PLOG_TEST_OK,
                      "median 200 us, p99 396 us, max 400 us, of 400", "");
    selftesting_check(&s, "sync reaches the disk", PLOG_TEST_SKIP,
                      "the kernel has no counters of the device below it", "");
    CHECK_UINT(disk.syncs, 800);
    /* A disk may keep zeros as a hole: what is overwritten was something. */
    CHECK_UINT(disk.ahead, 400 * 256);
    CHECK_UINT(s.count, 3);
    selftesting_end(&s);
}

/* What one of them says of `count` syncs of `us` each. */
static void all_took(const char *name, double us, unsigned count)
{
    char want[100];
    snprintf(want, sizeof want,
             "median %.0f us, p99 %.0f us, max %.0f us, of %u", us, us, us,
             count);
    selftesting_check(&s, name, PLOG_TEST_OK, want, "");
    snprintf(want, sizeof want,
             "syncs_count=%u median_us=%g p99_us=%g max_us=%g ", count, us, us,
             us);
    CHECK_TEXT(selftesting_the(&s, name)->figures, want);
}

/* Until the share is over, but not before twenty. */
static void of_slow_ones(void)
{
    static const struct {
        double seconds;
        int64_t ms;
        unsigned appends, in_place;
    } all[] = {{10, 10, 100, 80},
               {10, 40, 25, 20},
               {10, 100, 20, 20},
               {4.9, 100, 10, 10},
               {10, 1000, 20, 15}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        double us = (double)all[i].ms * 1e3;
        begin(all[i].seconds);
        disk.took = all[i].ms * 1000000;
        look();
        all_took("sync of appends", us, all[i].appends);
        all_took("sync in place", us, all[i].in_place);
        selftesting_end(&s);
    }
}

static void of_too_quick_ones(void)
{
    static const char disks[] =
        "median 4.9 us, p99 4.9 us, max 4.9 us, of 400: no device answers so"
        " soon; this disk or file system may not sync";
    static const char memory[] =
        "median 4.9 us, p99 4.9 us, max 4.9 us, of 400: no device answers so"
        " soon; this file system in memory (tmpfs) may not sync";
    begin(10);
    disk.took = 4900;
    look();
    selftesting_check(&s, "sync of appends", PLOG_TEST_WARN, disks,
                      "find out why, before you rely on it");
    selftesting_end(&s);
    begin(10);
    disk.took = 4900;
    s.t.memory = true;
    look();
    selftesting_check(&s, "sync in place", PLOG_TEST_WARN, memory,
                      "keep logs on a disk");
    selftesting_check(&s, "sync reaches the disk", PLOG_TEST_SKIP,
                      "there is no disk below it", "");
    selftesting_end(&s);
    begin(10);
    disk.took = 5000;
    look();
    selftesting_check(&s, "sync of appends", PLOG_TEST_OK,
                      "median 5 us, p99 5 us, max 5 us, of 400", "");
    selftesting_end(&s);
    begin(59);
    disk.now = 57 * INT64_C(1000000000); /* no time for any */
    look();
    selftesting_check(&s, "sync in place", PLOG_TEST_WARN,
                      "median 0.0 us, p99 0.0 us, max 0.0 us, of 0: no device"
                      " answers so soon; this disk or file system may not sync",
                      NULL);
    selftesting_end(&s);
}

/* ---- Failures ------------------------------------------------------------ */

/* What the two say; NULL: as ever. */
static void fails(const char *appends, const char *in_place)
{
    static const char next[] =
        "look into the kernel's log for errors of this disk";
    look();
    if (appends)
        selftesting_check(&s, "sync of appends", PLOG_TEST_FAIL, appends, next);
    else
        selftesting_check(&s, "sync of appends", PLOG_TEST_OK, NULL, "");
    if (in_place)
        selftesting_check(&s, "sync in place", PLOG_TEST_FAIL, in_place, next);
    else
        selftesting_check(&s, "sync in place", PLOG_TEST_OK, NULL, "");
    CHECK_UINT(s.count, 2); /* and nothing of the device */
    CHECK_TEXT(
        selftesting_the(&s, appends ? "sync of appends" : "sync in place")
            ->figures,
        "");
    selftesting_end(&s);
}

static void failures(void)
{
    begin(10);
    disk.fail_sync = 7;
    fails("writing or syncing fails (error 5)", NULL);
    CHECK_UINT(disk.syncs, 7 + 400);
    begin(10);
    disk.fail_sync = 407;
    fails(NULL, "writing or syncing fails (error 5)");
    begin(10);
    disk.fail_write = 3; /* 1 is what is written ahead */
    fails("writing or syncing fails (error 28)", NULL);
    CHECK_UINT(disk.syncs, 1 + 400);
    begin(10);
    disk.fail_write = 1;
    fails(NULL, "writing or syncing fails (error 28)");
    CHECK_UINT(disk.syncs, 400);
    begin(10);
    disk.fail_open = 1;
    fails("writing or syncing fails (error 24)", NULL);
    begin(10);
    disk.fail_open = 2;
    fails(NULL, "writing or syncing fails (error 24)");
    begin(10);
    disk.fail_fsync = 1;
    fails(NULL, "writing or syncing fails (error 122)");
}

static unsigned allocs, fail_alloc;

static void *on_alloc(void *ctx, void *p, size_t n)
{
    if (n && ++allocs == fail_alloc)
        return NULL;
    return plog_io_posix()->alloc(ctx, p, n);
}

static void memory(void)
{
    begin(10);
    s.io.alloc = on_alloc;
    allocs = 0;
    fail_alloc = 1;
    look();
    selftesting_check(&s, "sync of appends", PLOG_TEST_SKIP, "out of memory",
                      "");
    CHECK_UINT(s.count, 1);
    selftesting_end(&s);
    begin(10);
    s.io.alloc = on_alloc;
    allocs = 0;
    fail_alloc = 2;
    fails(NULL, "writing or syncing fails (error 12)");
}

/* ---- The device ---------------------------------------------------------- */

#define STAT(writes, flushes)                                                  \
    "1 2 3 4 " writes " 6 7 8 9 10 11 12 13 14 15 " flushes " 17\n"

static void reached(const char *before, const char *after,
                    enum plog_test_result result, const char *found)
{
    device.before = before;
    device.after = after;
    look();
    selftesting_check(&s, "sync reaches the disk", result, found, NULL);
    selftesting_end(&s);
}

static const char unknown[] =
    "the kernel has no counters of the device below it";

static void the_device(void)
{
    begin(10);
    reached(STAT("100", "5"), STAT("501", "6"), PLOG_TEST_OK,
            "800 syncs: the device saw 401 writes, 1 flushes");
    CHECK_TEXT(selftesting_the(&s, "sync reaches the disk")->figures,
               "syncs_count=800 writes_count=401 flushes_count=1 ");
    begin(10);
    reached(STAT("100", "5"), STAT("500", "6"), PLOG_TEST_FAIL,
            "800 syncs of new bytes, and the device saw 400 writes: what is"
            " acknowledged is not on disk");
    begin(10);
    reached(STAT("100", "5"), STAT("501", "5"), PLOG_TEST_WARN,
            "800 syncs: the device saw 401 writes, and no flush of its cache");
    begin(10);
    device.cache = "write through\n"; /* needs none */
    reached(STAT("100", "5"), STAT("501", "5"), PLOG_TEST_OK,
            "800 syncs: the device saw 401 writes, 0 flushes");
    begin(10);
    device.above = true;
    reached(STAT("100", "5"), STAT("501", "5"), PLOG_TEST_WARN,
            "800 syncs: the device saw 401 writes, and no flush of its cache");
}

/* Older kernels count less, and some devices nothing. */
static void older_kernels(void)
{
    begin(10);
    reached("1 2 3 4 100 6 7 8 9 10 11\n", "1 2 3 4 901 6 7 8 9 10 11\n",
            PLOG_TEST_OK, "800 syncs: the device saw 801 writes, 0 flushes");
    begin(10);
    reached("1 2 3 4 100 6 7 8 9 10\n", "1 2 3 4 901 6 7 8 9 10\n",
            PLOG_TEST_SKIP, unknown);
    begin(10);
    device.iostats = "0\n";
    reached(STAT("100", "5"), STAT("901", "5"), PLOG_TEST_SKIP, unknown);
    begin(10);
    device.iostats = NULL;
    reached(STAT("100", "5"), STAT("901", "5"), PLOG_TEST_SKIP, unknown);
    begin(10);
    reached(NULL, STAT("901", "5"), PLOG_TEST_SKIP, unknown);
    begin(10);
    reached(STAT("100", "5"), NULL, PLOG_TEST_SKIP, unknown);
    begin(10);
    reached(STAT("100", "5"), "", PLOG_TEST_SKIP, unknown);
    begin(59);
    disk.now = 57 * INT64_C(1000000000); /* too few syncs to say so */
    reached(STAT("100", "5"), STAT("901", "5"), PLOG_TEST_SKIP, unknown);
}

static int no_stat(void *ctx, int fd, struct plog_stat *out)
{
    (void)ctx, (void)fd, (void)out;
    return -EIO;
}

static void no_device(void)
{
    begin(10);
    s.io.stat = no_stat;
    reached(STAT("100", "5"), STAT("901", "5"), PLOG_TEST_SKIP, unknown);
    CHECK_UINT(device.looks, 0);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"of many", of_many},
        {"of slow ones", of_slow_ones},
        {"of too quick ones", of_too_quick_ones},
        {"failures", failures},
        {"memory", memory},
        {"the device", the_device},
        {"older kernels", older_kernels},
        {"no device", no_device},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
