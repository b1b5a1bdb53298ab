/*
 * test_tail.c - the last segment's file: what a failed write leaves and what
 * is taken back, the next segment, and the padding.
 *
 * The poisoned handle that follows is in test_faults.c; here each call of the
 * table fails alone, and the bytes of the file are looked at.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "tail.h"

#define NAME "00000000000000000001.jsonl"
#define NEXT "00000000000000000009.jsonl"

static struct plog_io io;
static struct plog_dir dir;
static struct plog_tail tail;
static struct plog_error err;
static char path[600];

/* ---- A table that fails -----------------------------------------------------
 */

static const char *fails;      /* the call */
static const char *then;       /* what fails after that; NULL: nothing */
static int fails_with, passes; /* how many calls succeed before */
static size_t arrives;         /* bytes of a write that fails */

static bool failing(const char *call)
{
    if (!fails || strcmp(fails, call) != 0 || passes-- > 0)
        return false;
    fails = then;
    return true;
}

/* A part arrives first, as of a disk that fills up. */
static int64_t f_write(void *c, int fd, const void *p, size_t n, uint64_t at)
{
    if (fails && !strcmp(fails, "write") && arrives) {
        n = arrives < n ? arrives : n;
        arrives -= n;
    } else if (failing("write"))
        return fails_with;
    return plog_io_posix()->pwrite(c, fd, p, n, at);
}
static unsigned reads, allocations; /* counted since start() */
static int64_t f_read(void *c, int fd, void *p, size_t n, uint64_t at)
{
    reads++;
    return failing("read") ? fails_with
                           : plog_io_posix()->pread(c, fd, p, n, at);
}
static int f_datasync(void *c, int fd)
{
    return failing("datasync") ? fails_with : plog_io_posix()->fdatasync(c, fd);
}
static int f_sync(void *c, int fd)
{
    return failing("sync") ? fails_with : plog_io_posix()->fsync(c, fd);
}
static int f_truncate(void *c, int fd, uint64_t size)
{
    return failing("truncate") ? fails_with
                               : plog_io_posix()->truncate(c, fd, size);
}
static int f_stat_at(void *c, int d, const char *n, struct plog_stat *st)
{
    int rc = plog_io_posix()->stat_at(c, d, n, st);
    return failing("stat_at") ? fails_with : rc;
}
static int f_unlink(void *c, int d, const char *n)
{
    return failing("unlink") ? fails_with : plog_io_posix()->unlink_at(c, d, n);
}
static int f_stat(void *c, int fd, struct plog_stat *st)
{
    return failing("stat") ? fails_with : plog_io_posix()->stat(c, fd, st);
}
static void *f_alloc(void *c, void *p, size_t n)
{
    allocations += n > 0;
    return n && failing("alloc") ? NULL : plog_io_posix()->alloc(c, p, n);
}

static void fail(const char *call, int with, int after)
{
    fails = call;
    fails_with = with;
    passes = after;
    arrives = 0;
    then = NULL;
}

/* ---- The file ---------------------------------------------------------------
 */

/* Text and then `padding` LFs. */
static void start(const char *text, size_t padding)
{
    fails = NULL;
    reads = allocations = 0;
    io = *plog_io_posix();
    io.pwrite = f_write;
    io.pread = f_read;
    io.fdatasync = f_datasync;
    io.fsync = f_sync;
    io.truncate = f_truncate;
    io.unlink_at = f_unlink;
    io.stat = f_stat;
    io.stat_at = f_stat_at;
    io.alloc = f_alloc;
    snprintf(path, sizeof path, "%s", check_dir());
    memset(&dir, 0, sizeof dir);
    dir.io = &io;
    dir.log = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = openat(dir.log, NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK_INT(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    for (size_t i = 0; i < padding; i++)
        CHECK_INT(write(fd, "\n", 1), 1);
    close(fd);
    plog_tail_init(&tail, &dir);
    CHECK_INT(plog_tail_open(&tail, 1, NULL), 0);
    CHECK_UINT(tail.end, strlen(text) + padding);
}

static void end(void)
{
    fails = NULL;
    plog_tail_close(&tail);
    plog_tail_close(&tail); /* once more does nothing */
    close(dir.log);
}

static char *bytes(const char *name, size_t *n)
{
    static char all[200000];
    int fd = openat(dir.log, name, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, all, sizeof all);
    if (fd >= 0)
        close(fd);
    *n = got < 0 ? 0 : (size_t)got;
    return got < 0 ? NULL : all;
}

static bool holds(const char *text, size_t padding)
{
    size_t n, k = 0;
    char *p = bytes(NAME, &n);
    bool ok = CHECK_UINT(n, strlen(text) + padding);
    ok = ok && CHECK_BYTES(p, strlen(text), text, strlen(text));
    while (ok && k < padding && p[strlen(text) + k] == '\n')
        k++;
    return ok && CHECK_UINT(k, padding);
}

/* ---- A group ----------------------------------------------------------------
 */

/* Without room nothing is in doubt.  After any other error the handle may not
 * go on; what arrived is taken back all the same. */
static void taken_back(void)
{
    static const struct {
        int with;
        bool undone;
    } all[] = {{-ENOSPC, true},
               {-EDQUOT, true},
               {-EFBIG, true},
               {-EIO, false},
               {-EROFS, false}};
    static const struct {
        size_t padding, arrives;
    } how[] = {{0, 0},     {0, 5},       {100, 0},     {100, 50},
               {10, 4000}, {9000, 6000}, {9000, 8999}, {8192, 8192}};
    static char group[9001];
    memset(group, 'g', sizeof group - 1);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (size_t k = 0; k < sizeof how / sizeof *how; k++) {
            bool undone = !all[i].undone;
            start("text\n", how[k].padding);
            fail("write", all[i].with, 0);
            arrives = how[k].arrives;
            CHECK_INT(plog_tail_write(&tail, 5, group, sizeof group - 1,
                                      &undone, &err),
                      PLOG_E_IO);
            CHECK_INT(err.code, PLOG_E_IO);
            if (!CHECK(undone == all[i].undone) ||
                !holds("text\n", how[k].padding))
                printf("# %d, %zu of padding, %zu arrive\n", all[i].with,
                       how[k].padding, how[k].arrives);
            CHECK_UINT(tail.end, 5 + how[k].padding);
            CHECK_UINT(tail.written, 0);
            end();
        }
}

/* What cannot be taken back is in doubt, room or not. */
static void not_taken_back(void)
{
    static const struct {
        size_t padding;
        const char *then;
    } all[] = {{0, "truncate"}, {100, "truncate"}, {100, "write"}};
    for (size_t i = 0; i < 3; i++) {
        bool undone = true;
        start("text\n", all[i].padding);
        fail("write", -ENOSPC, 0);
        arrives = 3;
        then = all[i].then;
        CHECK_INT(plog_tail_write(&tail, 5, "group\n", 6, &undone, &err),
                  PLOG_E_IO);
        CHECK(!undone);
        end();
    }
    bool undone = true; /* and a sync is never made again */
    start("text\n", 0);
    fail("datasync", -EIO, 0);
    CHECK_INT(plog_tail_write(&tail, 5, "group\n", 6, &undone, &err),
              PLOG_E_IO);
    CHECK(!undone);
    holds("text\ngroup\n", 0);
    end();
}

static char steps[200]; /* the calls in their order */

static void step(const char *name, uint64_t at, size_t n)
{
    size_t used = strlen(steps);
    snprintf(steps + used, sizeof steps - used, "%s %llu+%zu, ", name,
             (unsigned long long)at, n);
}
static int64_t s_write(void *c, int fd, const void *p, size_t n, uint64_t at)
{
    step("write", at, n);
    return f_write(c, fd, p, n, at);
}
static void s_write_back(void *c, int fd, uint64_t at, uint64_t n)
{
    (void)c;
    CHECK(fd > dir.log);
    step("begin", at, (size_t)n);
}
static int s_datasync(void *c, int fd)
{
    step("sync", 0, 0);
    return f_datasync(c, fd);
}
static void s_meanwhile(void *arg)
{
    CHECK(arg == &tail);
    step("meanwhile", 0, 0);
}

/* What is to be done meanwhile is, when the disk was told to begin and before
 * it is waited for; not when nothing was written. */
static void done_meanwhile(void)
{
    static const struct {
        bool can_begin, nothing; /* to be done meanwhile */
        const char *fails, *next, *want;
    } all[] = {
        {true, false, NULL, "",
         "write 5+6, begin 5+6, meanwhile 0+0, sync 0+0, "},
        {false, false, NULL, "", "write 5+6, meanwhile 0+0, sync 0+0, "},
        {true, false, "datasync", "",
         "write 5+6, begin 5+6, meanwhile 0+0, sync 0+0, "},
        {true, false, "write", "", "write 5+6, "},
        {true, false, NULL, "header\n",
         "write 0+7, begin 0+7, meanwhile 0+0, sync 0+0, "},
        {true, true, NULL, "", "write 5+6, sync 0+0, "},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        bool undone;
        start("text\n", 0);
        io.pwrite = s_write;
        io.fdatasync = s_datasync;
        io.write_back = all[i].can_begin ? s_write_back : NULL;
        tail.meanwhile = all[i].nothing ? NULL : s_meanwhile;
        tail.meanwhile_arg = &tail;
        steps[0] = '\0';
        fail(all[i].fails, -EIO, 0);
        int rc = all[i].next[0]
                     ? plog_tail_rotate(&tail, 5, 9, all[i].next,
                                        strlen(all[i].next), &undone, &err)
                     : plog_tail_write(&tail, 5, "group\n", 6, &undone, &err);
        CHECK_INT(rc, all[i].fails ? PLOG_E_IO : 0);
        CHECK_TEXT(steps, all[i].want);
        unlinkat(dir.log, NEXT, 0);
        end();
    }
}

/* ---- The next segment -------------------------------------------------------
 */

static int rotate(bool *undone)
{
    return plog_tail_rotate(&tail, 5, 9, "header\n", 7, undone, &err);
}

static void next_segment(void)
{
    bool undone;
    size_t n;
    start("text\n", 70);
    CHECK_INT(rotate(&undone), 0);
    CHECK(!undone);
    holds("text\n", 0);
    char *p = bytes(NEXT, &n);
    CHECK_BYTES(p, n, "header\n", 7);
    CHECK_UINT(tail.first, 9);
    CHECK_UINT(tail.end, 7);
    CHECK_INT(plog_tail_check(&tail), 0);
    end();
    unlinkat(dir.log, NEXT, 0);
    start("text\n", 0); /* nothing is there to cut */
    fail("truncate", -EIO, 0);
    CHECK_INT(rotate(&undone), 0);
    holds("text\n", 0);
    end();
    unlinkat(dir.log, NEXT, 0);
    start("text\nmore", 70); /* more than the head knows of */
    CHECK_INT(rotate(&undone), PLOG_E_TORN);
    CHECK(undone);
    CHECK_TEXT(err.message,
               "bytes that are not padding stand behind the log's end");
    CHECK(bytes(NEXT, &n) == NULL);
    holds("text\nmore", 70);
    end();
}

static void no_next_segment(void)
{
    static const struct {
        const char *call, *then;
        int passes;
        bool undone, there; /* the new file */
        const char *doing;
    } all[] = {
        {"read", NULL, 0, true, false, "reading the last segment"},
        {"truncate", NULL, 0, false, false, "closing a segment"},
        {"sync", NULL, 0, false, false, "closing a segment"},
        {"write", NULL, 0, true, false, "making a segment"},
        {"write", "unlink", 0, false, true, "making a segment"},
        {"write", "sync", 0, false, false, "making a segment"},
        {"datasync", NULL, 0, false, true, "making a segment"},
        {"sync", NULL, 1, false, true, "making a segment"},
        {"stat", NULL, 0, false, true, "looking at a segment"},
    };
    char says[80];
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        bool undone = !all[i].undone;
        size_t n;
        start("text\n", 70);
        fail(all[i].call, -EIO, all[i].passes);
        then = all[i].then;
        bool ok = CHECK_INT(rotate(&undone), PLOG_E_IO);
        ok &= CHECK(undone == all[i].undone);
        ok &= CHECK((bytes(NEXT, &n) != NULL) == all[i].there);
        snprintf(says, sizeof says, "%s: Input/output error", all[i].doing);
        ok &= CHECK_TEXT(err.message, says);
        bool is_next = !strncmp(all[i].doing, "making", 6) ||
                       !strncmp(all[i].doing, "looking", 7);
        ok &= CHECK_TEXT(err.file, is_next ? "log/" NEXT : "log/" NAME);
        ok &= CHECK_UINT(tail.first, strcmp(all[i].call, "stat") ? 1 : 9);
        if (!ok)
            printf("# %s, %s\n", all[i].call, err.message);
        end();
    }
    bool undone = false; /* a file that stands in the way stays */
    start("text\n", 70);
    int fd = openat(dir.log, NEXT, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK_INT(write(fd, "x", 1), 1);
    close(fd);
    CHECK(rotate(&undone) < 0);
    CHECK(undone);
    size_t n;
    char *p = bytes(NEXT, &n);
    CHECK_BYTES(p, n, "x", 1);
    end();
}

/* ---- The file itself --------------------------------------------------------
 */

static void the_same_file(void)
{
    start("text\n", 0);
    CHECK_INT(plog_tail_check(&tail), 0);
    CHECK_INT(linkat(dir.log, NAME, dir.log, "another name", 0), 0);
    CHECK_INT(plog_tail_check(&tail), PLOG_END);
    CHECK_INT(unlinkat(dir.log, "another name", 0), 0);
    CHECK_INT(plog_tail_check(&tail), 0);
    fail("stat_at", -EIO, 0);
    CHECK_INT(plog_tail_check(&tail), PLOG_END);
    CHECK_INT(plog_tail_check(&tail), 0);
    CHECK_INT(renameat(dir.log, NAME, dir.log, "another name"), 0);
    CHECK_INT(plog_tail_check(&tail), PLOG_END);
    close(openat(dir.log, NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    CHECK_INT(plog_tail_check(&tail), PLOG_END);
    end();
}

/* ---- Padding ----------------------------------------------------------------
 */

/* The end goes on with what is written, and not back into the padding. */
static void the_end(void)
{
    bool undone = true;
    start("text\n", 10);
    CHECK_INT(plog_tail_write(&tail, 5, "group\n", 6, &undone, &err), 0);
    CHECK(!undone);
    CHECK_UINT(tail.end, 15);
    CHECK_UINT(tail.written, 1);
    holds("text\ngroup\n", 4);
    CHECK_INT(plog_tail_write(&tail, 11, "group\n", 6, &undone, &err), 0);
    CHECK_UINT(tail.end, 17);
    CHECK_UINT(tail.written, 2);
    holds("text\ngroup\ngroup\n", 0);
    CHECK_INT(plog_tail_check(&tail), 0);
    CHECK_UINT(tail.end, 17);
    end();
}

static void padding(void)
{
    start("text\n", 0);
    tail.written = 15; /* who has written little writes nothing ahead */
    plog_tail_pad(&tail, 5, 100000);
    holds("text\n", 0);
    tail.written = 16;
    fail("alloc", 0, 0);
    plog_tail_pad(&tail, 5, 100000);
    CHECK_UINT(tail.end, 5);
    fail("write", -ENOSPC, 0);
    arrives = 70000; /* one chunk, and a part of the next */
    plog_tail_pad(&tail, 5, 100000);
    CHECK_UINT(tail.end, 70005);
    holds("text\n", 70000);
    plog_tail_pad(&tail, 4000, 100000); /* enough is left */
    CHECK_UINT(tail.end, 70005);
    plog_tail_pad(&tail, 5000, 100000);
    CHECK_UINT(tail.end, 100000);
    holds("text\n", 99995);
    unsigned before = allocations;
    plog_tail_pad(&tail, 50000, 100000); /* the segment is full */
    CHECK_UINT(tail.end, 100000);
    plog_tail_pad(&tail, 99999, 90000); /* and even more than that */
    CHECK_UINT(tail.end, 100000);
    CHECK_UINT(allocations, before);
    end();
    start("text\n", 0); /* no more than a mebibyte, however far it is */
    tail.written = 16;
    plog_tail_pad(&tail, 5, (uint64_t)3 << 20);
    CHECK_UINT(tail.end, 5 + (1u << 20));
    plog_tail_pad(&tail, 5 + (1u << 20) - (64u << 10), (uint64_t)3 << 20);
    CHECK_UINT(tail.end, 5 + (1u << 20)); /* 64 KiB are enough */
    plog_tail_pad(&tail, 6 + (1u << 20) - (64u << 10), (uint64_t)3 << 20);
    CHECK_UINT(tail.end, 6 + (2u << 20) - (64u << 10));
    CHECK_UINT(allocations, 2);
    end();
}

/* Padding is read in blocks; whether there is any, from one byte. */
static void looked_through(void)
{
    start("text\n", 9000);
    CHECK_INT(plog_tail_is_clean(&tail, 5, true, NULL), 0);
    CHECK_UINT(tail.end, 9005);
    CHECK_UINT(reads, 4); /* 4096, 4096, 808, and nothing behind them */
    reads = 0;
    tail.end = 7;
    CHECK_INT(plog_tail_is_clean(&tail, 5, false, NULL), 0);
    CHECK_UINT(tail.end, 7);
    CHECK_UINT(reads, 1);
    CHECK_INT(plog_tail_is_clean(&tail, 9, true, NULL), 0);
    CHECK_UINT(tail.end, 9005); /* which is found out */
    CHECK_INT(plog_tail_is_clean(&tail, 9005, true, NULL), 0); /* its end */
    CHECK_INT(plog_tail_is_clean(&tail, 9005, false, NULL), 0);
    fail("read", -EIO, 1); /* the second block */
    CHECK_INT(plog_tail_is_clean(&tail, 5, true, &err), PLOG_E_IO);
    CHECK_TEXT(err.message, "reading the last segment: Input/output error");
    CHECK_TEXT(err.file, "log/" NAME);
    end();
}

static void trimmed(void)
{
    start("text\n", 300);
    fail("truncate", -EIO, 0);
    plog_tail_trim(&tail, 5); /* it may be tried again */
    CHECK_UINT(tail.end, 305);
    plog_tail_trim(&tail, 5);
    CHECK_UINT(tail.end, 5);
    holds("text\n", 0);
    reads = 0;
    plog_tail_trim(&tail, 5);
    holds("text\n", 0);
    end();
    tail.end = 300;
    plog_tail_trim(&tail, 5); /* closed: nothing to trim */
    CHECK_INT(tail.fd, -1);
    CHECK_UINT(reads, 0);
    start("text\n\nmore", 0); /* a byte of it does not say what follows */
    CHECK_INT(plog_tail_is_clean(&tail, 5, false, NULL), 0);
    CHECK_INT(plog_tail_is_clean(&tail, 5, true, NULL), PLOG_END);
    end();
    start("text\nmore", 30);
    plog_tail_trim(&tail, 5); /* not all of it is ours */
    holds("text\nmore", 30);
    CHECK_INT(plog_tail_is_clean(&tail, 5, true, NULL), PLOG_END);
    CHECK_INT(plog_tail_is_clean(&tail, 9, true, NULL), 0);
    CHECK_INT(plog_tail_is_clean(&tail, 8, false, NULL), PLOG_END);
    CHECK_INT(plog_tail_is_clean(&tail, 9, false, NULL), 0);
    fail("read", -EIO, 0);
    CHECK_INT(plog_tail_is_clean(&tail, 9, true, &err), PLOG_E_IO);
    end();
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"taken back", taken_back},
        {"not taken back", not_taken_back},
        {"done meanwhile", done_meanwhile},
        {"next segment", next_segment},
        {"no next segment", no_next_segment},
        {"the same file", the_same_file},
        {"the end", the_end},
        {"padding", padding},
        {"looked through", looked_through},
        {"trimmed", trimmed},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
