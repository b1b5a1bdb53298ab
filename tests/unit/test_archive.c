/*
 * test_archive.c - segments in archive/ and gzip files by themselves: damage
 * at every place, an archive that is not the log's, and every call failing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive.h"
#include "check.h"
#include "gz.h"

/* ---- A table that is made to fail --------------------------------------- */

static struct plog_io io;
static struct plog_dir d;
static struct plog_error err;
static char path[600];
static long left; /* calls until one fails; < 0: none does */

static bool fails(void)
{
    return left >= 0 && left-- == 0;
}

static int64_t failing_pread(void *ctx, int fd, void *p, size_t n, uint64_t at)
{
    return fails() ? -EIO : plog_io_posix()->pread(ctx, fd, p, n, at);
}

static int64_t failing_pwrite(void *ctx, int fd, const void *p, size_t n,
                              uint64_t at)
{
    return fails() ? -ENOSPC : plog_io_posix()->pwrite(ctx, fd, p, n, at);
}

static int failing_fdatasync(void *ctx, int fd)
{
    return fails() ? -EIO : plog_io_posix()->fdatasync(ctx, fd);
}

static int failing_fsync(void *ctx, int fd)
{
    return fails() ? -EIO : plog_io_posix()->fsync(ctx, fd);
}

static int failing_rename(void *ctx, int a, const char *from, int b,
                          const char *to, bool replace)
{
    return fails() ? -EIO
                   : plog_io_posix()->rename_at(ctx, a, from, b, to, replace);
}

static int failing_stat(void *ctx, int fd, struct plog_stat *out)
{
    return fails() ? -EIO : plog_io_posix()->stat(ctx, fd, out);
}

static void *failing_alloc(void *ctx, void *p, size_t n)
{
    return n && fails() ? NULL : plog_io_posix()->alloc(ctx, p, n);
}

static void no_failures(void)
{
    io = *plog_io_posix();
    left = -1;
}

static const char *below(const char *name)
{
    static char out[2][800];
    static int next;
    snprintf(out[++next % 2], sizeof out[0], "%s/%s", path, name);
    return out[next % 2];
}

static void put(const char *name, const char *p, size_t n)
{
    int fd = open(below(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0);
    CHECK_INT(write(fd, p, n), n);
    close(fd);
}

static size_t get(const char *name, char *p, size_t cap)
{
    int fd = open(below(name), O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, p, cap);
    CHECK(n >= 0);
    close(fd);
    return n < 0 ? 0 : (size_t)n;
}

static bool there(const char *name)
{
    struct stat st;
    return lstat(below(name), &st) == 0;
}

/* ---- gzip --------------------------------------------------------------- */

/* What deflate makes no smaller, and what it makes nearly nothing of. */
static void fill(char *p, size_t n, bool random)
{
    uint64_t state = check_seed();
    for (size_t i = 0; i < n; i++)
        p[i] = random ? (char)check_random(&state) : (char)('a' + i / 1000 % 3);
}

static int pack(int fd, const char *p, size_t n)
{
    struct plog_gz g;
    int rc = plog_gz_create(&g, &io, fd, 6, &err);
    if (!rc)
        rc = plog_gz_write(&g, p, n, &err);
    if (!rc)
        rc = plog_gz_finish(&g, &err);
    plog_gz_close(&g);
    return rc;
}

static int unpack(int fd, char *p, size_t cap, size_t *got)
{
    struct plog_gz g;
    int rc = plog_gz_open(&g, &io, fd, &err);
    *got = 0;
    if (!rc)
        rc = plog_gz_read(&g, p, cap, got, &err);
    plog_gz_close(&g);
    return rc;
}

static int new_file(void)
{
    static int next;
    char name[40];
    snprintf(name, sizeof name, "gz%d", next++);
    return open(below(name), O_RDWR | O_CREAT | O_EXCL, 0600);
}

#define LARGE 150000
static char in[LARGE], out[2 * LARGE];

static void gzip_there_and_back(void)
{
    static const size_t sizes[] = {0,     1,     999,       65535, 65536,
                                   65537, 99999, LARGE - 1, LARGE};
    for (int random = 0; random < 2; random++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            size_t got;
            int fd = new_file();
            fill(in, sizes[i], random);
            CHECK_INT(pack(fd, in, sizes[i]), 0);
            CHECK_INT(unpack(fd, out, sizeof out, &got), 0);
            CHECK_BYTES(out, got, in, sizes[i]);
            if (sizes[i] > 5) { /* asked for less, one gets that much */
                CHECK_INT(unpack(fd, out, 5, &got), 0);
                CHECK_BYTES(out, got, in, 5);
            }
            close(fd);
        }
}

/* ---- Several blocks ----------------------------------------------------- */

#define BLOCK (256u << 10) /* as core/gz_write.c has it */
#define MANY (9 * BLOCK)

/* Written in parts of all sizes. */
static int pack_parts(int fd, const char *p, size_t n, int level)
{
    struct plog_gz g;
    uint64_t state = check_seed();
    int rc = plog_gz_create(&g, &io, fd, level, &err);
    for (size_t at = 0; !rc && at < n;) {
        size_t part = check_random(&state) % (check_random(&state) % 2 ? 500
                                                                       : MANY);
        part = part < n - at ? part : n - at;
        rc = plog_gz_write(&g, p + at, part, &err);
        at += part;
    }
    if (!rc)
        rc = plog_gz_finish(&g, &err);
    plog_gz_close(&g);
    return rc;
}

static size_t packed(const char *name, const char *p, size_t n, int level)
{
    struct stat st = {0};
    int fd = open(below(name), O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0);
    CHECK_INT(pack_parts(fd, p, n, level), 0);
    CHECK_INT(fstat(fd, &st), 0);
    close(fd);
    return (size_t)st.st_size;
}

/* Half of it is much alike over more than a block's window. */
static char *long_text(void)
{
    char *p = malloc(MANY);
    CHECK(p != NULL);
    fill(p, MANY, true);
    for (size_t i = 0; i < MANY; i += 2000)
        memset(p + i, 'a' + (int)(i / 2000 % 7), MANY - i < 1000 ? MANY - i
                                                               : 1000);
    return p;
}

static void gzip_in_blocks(void)
{
    static const size_t sizes[] = {BLOCK - 1,     BLOCK,     BLOCK + 1,
                                   2 * BLOCK,     4 * BLOCK, 5 * BLOCK + 1,
                                   8 * BLOCK - 1, MANY};
    char *text = long_text(), *again = malloc(MANY + 1);
    for (int level = 1; level < 10; level += 4)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            size_t got, n = packed("blocks", text, sizes[i], level);
            CHECK(n < sizes[i] / 3 * 2);
            int fd = open(below("blocks"), O_RDONLY);
            CHECK_INT(unpack(fd, again, MANY + 1, &got), 0);
            CHECK_BYTES(again, got, text, sizes[i]);
            close(fd);
        }
    free(again);
    free(text);
}

static long allocations;

static void *counting_alloc(void *ctx, void *p, size_t n)
{
    allocations += n && !p;
    return plog_io_posix()->alloc(ctx, p, n);
}

/* Without memory for a second thread's part the file is the same. */
static void gzip_by_one_thread(void)
{
    char *text = long_text(), *two = malloc(MANY), *one = malloc(MANY);
    struct plog_gz g;
    io.alloc = counting_alloc;
    allocations = 0;
    int fd = new_file();
    CHECK_INT(plog_gz_create(&g, &io, fd, 6, &err), 0);
    long first = allocations;
    CHECK_INT(plog_gz_write(&g, text, MANY, &err), 0);
    CHECK(allocations > first);
    CHECK_INT(plog_gz_finish(&g, &err), 0);
    plog_gz_close(&g);
    close(fd);
    no_failures();
    size_t n = packed("two", text, MANY, 6);
    CHECK_UINT(get("two", two, MANY), n);
    io.alloc = failing_alloc;
    left = first;
    CHECK_UINT(packed("one", text, MANY, 6), n);
    CHECK(left < 0);
    no_failures();
    CHECK_UINT(get("one", one, MANY), n);
    CHECK_BYTES(one, n, two, n);
    free(one);
    free(two);
    free(text);
}

static void gzip_blocks_fail(void)
{
    char *text = long_text();
    for (long n = 0, reached = 1; reached; n++) {
        int fd = new_file();
        io.pwrite = failing_pwrite;
        left = n;
        int rc = pack_parts(fd, text, MANY, 1);
        reached = left < 0;
        CHECK_INT(rc, reached ? PLOG_E_IO : 0);
        no_failures();
        close(fd);
        CHECK(n < 20);
    }
    free(text);
}

/* ---- Damage ------------------------------------------------------------- */

static void gzip_damaged(void)
{
    struct plog_gz g;
    size_t got, n = 500;
    char bytes[1000];
    fill(in, n, false);
    put("whole", "", 0);
    int fd = open(below("whole"), O_RDWR);
    CHECK_INT(pack(fd, in, n), 0);
    size_t size = get("whole", bytes, sizeof bytes);
    close(fd);
    for (size_t cut = 0; cut < size; cut++) {
        put("part", bytes, cut);
        fd = open(below("part"), O_RDONLY);
        CHECK_INT(unpack(fd, out, sizeof out, &got), PLOG_E_CORRUPT);
        CHECK_TEXT(err.message, "a compressed file is cut off");
        close(fd);
    }
    for (size_t at = 0; at < size; at++) {
        bytes[at] ^= 0x10;
        put("part", bytes, size);
        bytes[at] ^= 0x10;
        fd = open(below("part"), O_RDONLY);
        int rc = unpack(fd, out, sizeof out, &got);
        /* Some bits, as the time of the header, say nothing of the bytes. */
        if (rc == 0)
            CHECK_BYTES(out, got, in, n);
        else
            CHECK_INT(rc, PLOG_E_CORRUPT);
        close(fd);
    }
    for (size_t more = 1; more < 30; more += 4) {
        memset(bytes + size, 0, more);
        put("part", bytes, size + more);
        fd = open(below("part"), O_RDONLY);
        CHECK_INT(unpack(fd, out, sizeof out, &got), PLOG_E_CORRUPT);
        CHECK_TEXT(err.message, "a compressed file has bytes behind its end");
        close(fd);
    }
    /* What was finished is not written on. */
    fd = new_file();
    CHECK_INT(plog_gz_create(&g, &io, fd, 6, &err), 0);
    CHECK_INT(plog_gz_finish(&g, &err), 0);
    CHECK_INT(plog_gz_write(&g, "x", 1, &err), PLOG_E_IO);
    plog_gz_close(&g);
    plog_gz_close(&g);
    close(fd);
}

/* The end, and bytes behind it, where the buffer that is read into ends. */
static void gzip_ends_with_a_buffer(void)
{
    size_t got, n = PLOG_GZ_BUFFER;
    static char bytes[2 * PLOG_GZ_BUFFER];
    fill(in, n, true);
    for (int i = 0; i < 100; i++, n--) {
        put("whole", "", 0);
        int fd = open(below("whole"), O_RDWR);
        CHECK_INT(pack(fd, in, n), 0);
        size_t size = get("whole", bytes, sizeof bytes);
        CHECK_INT(unpack(fd, out, sizeof out, &got), 0);
        CHECK_BYTES(out, got, in, n);
        CHECK_INT(pwrite(fd, "x", 1, (off_t)size), 1);
        CHECK_INT(unpack(fd, out, sizeof out, &got), PLOG_E_CORRUPT);
        close(fd);
        if (size < PLOG_GZ_BUFFER)
            return;
    }
    CHECK(false); /* one of those sizes was exactly that of the buffer */
}

static void gzip_failing(void)
{
    size_t got;
    int fd = new_file();
    fill(in, LARGE, true);
    for (long n = 0, reached = 1; reached; n++) {
        io.pwrite = failing_pwrite;
        left = n;
        int rc = pack(fd, in, LARGE);
        reached = left < 0;
        CHECK_INT(rc, reached ? PLOG_E_IO : 0);
        no_failures();
    }
    for (long n = 0, reached = 1; reached; n++) {
        io.pread = failing_pread;
        left = n;
        int rc = unpack(fd, out, sizeof out, &got);
        reached = left < 0;
        CHECK_INT(rc, reached ? PLOG_E_IO : 0);
        no_failures();
    }
    for (int write = 0; write < 2; write++)
        for (long n = 0, reached = 1; reached; n++) {
            io.alloc = failing_alloc;
            left = n;
            /* In parts, so that zlib needs its window, too. */
            int rc =
                write ? pack(fd, in, LARGE) : unpack(fd, out, LARGE / 2, &got);
            reached = left < 0;
            CHECK_INT(rc, reached ? PLOG_E_NOMEM : 0);
            no_failures();
        }
    close(fd);
}

/* ---- Segments ----------------------------------------------------------- */

#define NAME "00000000000000000007"
#define SEGMENT "log/" NAME ".jsonl"
#define PACKED "archive/" NAME ".jsonl.gz"

static void set_up(void)
{
    static int next;
    no_failures();
    memset(&err, 0, sizeof err);
    memset(&d, 0, sizeof d);
    snprintf(path, sizeof path, "%.500s/a%d", check_dir(), next++);
    CHECK_INT(mkdir(path, 0700), 0);
    CHECK_INT(mkdir(below("log"), 0700), 0);
    d.io = &io;
    d.dir = open(path, O_RDONLY | O_DIRECTORY);
    d.log = open(below("log"), O_RDONLY | O_DIRECTORY);
    fill(in, LARGE, true);
    put(SEGMENT, in, LARGE);
}

static void tear_down(void)
{
    close(d.log);
    close(d.dir);
}

static bool is_whole(const char *name)
{
    size_t n = get(name, out, sizeof out);
    return n == LARGE && memcmp(in, out, n) == 0;
}

/* What is expanded of the archive is the segment. */
static bool archive_is_whole(void)
{
    struct plog_stat st;
    int fd;
    bool same = plog_archive_open(&d, 7, &fd, &st, &err) == 0;
    if (same) {
        same = st.size == LARGE && pread(fd, out, sizeof out, 0) == LARGE &&
               memcmp(in, out, LARGE) == 0;
        close(fd);
    }
    return same;
}

static void there_and_back(void)
{
    uint64_t bytes = 0;
    struct plog_buf list;
    set_up();
    plog_buf_init(&list, &io);
    CHECK_INT(plog_archive_segments(&d, &list, &err), 0); /* no folder yet */
    CHECK_UINT(list.len, 0);
    CHECK_INT(plog_archive_segment(&d, 7, NULL, &err), 0);
    CHECK(archive_is_whole());
    CHECK_INT(plog_archive_segment(&d, 7, NULL, &err), 0); /* is there */
    CHECK_INT(plog_archive_segment(&d, 7, &bytes, &err), 0);
    struct stat st;
    CHECK_INT(lstat(below(PACKED), &st), 0);
    CHECK_UINT(bytes, st.st_size);
    put("archive/other", "", 0); /* a name that is none of ours */
    put("archive/" NAME ".jsonl.gz.new", "", 0);
    put("archive/x0000000000000000007.jsonl.gz", "", 0);
    CHECK_INT(plog_archive_segments(&d, &list, &err), 0);
    CHECK_UINT(plog_segment_count(&list), 1);
    CHECK_UINT(plog_segment_at(&list, 0), 7);
    plog_buf_fini(&list);
    CHECK_INT(plog_archive_restore(&d, 7, &err), 0); /* nothing to do */
    CHECK_INT(unlink(below(SEGMENT)), 0);
    CHECK_INT(plog_archive_restore(&d, 7, &err), 0);
    CHECK(is_whole(SEGMENT));
    tear_down();
}

static int packing_fd(void)
{
    return open(below(PACKED), O_RDWR | O_CREAT | O_TRUNC, 0600);
}

/* An archived segment that is not the one of the log is made anew, or the
 * segment would be taken away with nothing of it left. */
static void another_segment_in_the_archive(void)
{
    for (int row = 0; row < 6; row++) {
        size_t n = LARGE;
        set_up();
        CHECK_INT(mkdir(below("archive"), 0700), 0);
        memcpy(out, in, LARGE);
        out[LARGE] = 'x';
        if (row < 3)
            out[row == 0 ? 0 : row == 1 ? 65536 : LARGE - 1] ^= 1;
        else if (row < 5)
            n = row == 3 ? LARGE - 1 : LARGE + 1;
        int fd = packing_fd();
        CHECK_INT(pack(fd, out, n), 0);
        if (row == 5)
            CHECK_INT(pwrite(fd, "damage", 6, 5000), 6);
        close(fd);
        CHECK(!archive_is_whole());
        CHECK_INT(plog_archive_segment(&d, 7, NULL, &err), 0);
        CHECK(archive_is_whole());
        tear_down();
    }
}

static void odd_archives(void)
{
    struct plog_stat st;
    int fd;
    for (int kind = 0; kind < 6; kind++) {
        set_up();
        memset(&err, 0, sizeof err);
        CHECK_INT(unlink(below(SEGMENT)), 0);
        if (kind)
            CHECK_INT(mkdir(below("archive"), 0700), 0);
        if (kind == 2)
            CHECK_INT(mkdir(below(PACKED), 0700), 0);
        if (kind == 3)
            CHECK_INT(symlink("x", below(PACKED)), 0);
        if (kind == 4)
            CHECK_INT(mkfifo(below(PACKED), 0600), 0);
        if (kind == 5)
            put(PACKED, "no gzip", 7);
        fd = -77;
        CHECK_INT(plog_archive_open(&d, 7, &fd, &st, &err), PLOG_E_CORRUPT);
        CHECK_INT(fd, -77); /* none that was closed */
        CHECK_TEXT(err.file, PACKED);
        if (!CHECK_TEXT(err.message,
                        kind < 2 ? "the segment is missing"
                        : kind < 5
                            ? "not a regular file with one link"
                            : "a compressed file is not gzip, or damaged"))
            printf("#   kind %d\n", kind);
        CHECK_INT(plog_archive_restore(&d, 7, &err), PLOG_E_CORRUPT);
        CHECK(!there(SEGMENT) && !there(SEGMENT ".new"));
        tear_down();
    }
    set_up(); /* what cannot be opened for another reason is no damage */
    put("archive", "", 0);
    CHECK_INT(plog_archive_open(&d, 7, &fd, &st, &err), PLOG_E_IO);
    tear_down();
}

static void fail_all(void)
{
    io.pread = failing_pread;
    io.pwrite = failing_pwrite;
    io.fdatasync = failing_fdatasync;
    io.fsync = failing_fsync;
    io.rename_at = failing_rename;
    io.stat = failing_stat;
}

/* Whichever call fails: on success the archive is whole and synced; what has
 * the name is whole at any rate. */
static void every_call_fails_once(void)
{
    uint64_t bytes;
    for (int again = 0; again < 2; again++)
        for (long n = 0, reached = 1; reached; n++) {
            set_up();
            if (again)
                CHECK_INT(plog_archive_segment(&d, 7, NULL, &err), 0);
            fail_all();
            left = n;
            int rc = plog_archive_segment(&d, 7, &bytes, &err);
            reached = left < 0;
            no_failures();
            CHECK(rc == 0 || (reached && rc == PLOG_E_IO));
            if (rc == 0 || there(PACKED))
                CHECK(archive_is_whole());
            CHECK(!there("archive/" NAME ".jsonl.gz.new"));
            tear_down();
        }
    for (long n = 0, reached = 1; reached; n++) {
        set_up();
        CHECK_INT(plog_archive_segment(&d, 7, NULL, &err), 0);
        CHECK_INT(unlink(below(SEGMENT)), 0);
        fail_all();
        left = n;
        int rc = plog_archive_restore(&d, 7, &err);
        reached = left < 0;
        no_failures();
        CHECK_INT(rc, reached ? PLOG_E_IO : 0);
        if (rc == 0 || there(SEGMENT))
            CHECK(is_whole(SEGMENT));
        CHECK(!there(SEGMENT ".new"));
        tear_down();
    }
}

/* ---- Making files, names and memory ------------------------------------- */

static int failed; /* the code that the call which failed stands for */

static bool fails_as(int code)
{
    bool now = fails();
    failed = now ? code : failed;
    return now;
}

static int poor_open(void *ctx, int dir, const char *name, int flags,
                     uint32_t mode)
{
    return fails_as(PLOG_E_IO)
               ? -EIO
               : plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

static int poor_mkdir(void *ctx, int dir, const char *name, uint32_t mode)
{
    return fails_as(PLOG_E_IO)
               ? -EIO
               : plog_io_posix()->mkdir_at(ctx, dir, name, mode);
}

static int poor_unlink(void *ctx, int dir, const char *name)
{
    return fails_as(PLOG_E_IO) ? -EIO
                               : plog_io_posix()->unlink_at(ctx, dir, name);
}

static int poor_random(void *ctx, void *p, size_t n)
{
    return fails_as(PLOG_E_IO) ? -EIO : plog_io_posix()->random(ctx, p, n);
}

static int poor_stat(void *ctx, int fd, struct plog_stat *to)
{
    return fails_as(PLOG_E_IO) ? -EIO : plog_io_posix()->stat(ctx, fd, to);
}

static int poor_list(void *ctx, int fd, int (*each)(void *arg, const char *),
                     void *arg)
{
    return fails_as(PLOG_E_IO) ? -EIO
                               : plog_io_posix()->list(ctx, fd, each, arg);
}

static void *poor_alloc(void *ctx, void *p, size_t n)
{
    return n && fails_as(PLOG_E_NOMEM) ? NULL
                                       : plog_io_posix()->alloc(ctx, p, n);
}

static int no_sync(void *ctx, int fd)
{
    (void)ctx, (void)fd;
    return 0;
}

/* Syncs take nearly all the time. */
static void well_again(void)
{
    no_failures();
    io.fsync = io.fdatasync = no_sync;
}

static void be_poor(long calls)
{
    io.open_at = poor_open;
    io.mkdir_at = poor_mkdir;
    io.unlink_at = poor_unlink;
    io.random = poor_random;
    io.stat = poor_stat;
    io.list = poor_list;
    io.alloc = poor_alloc;
    left = calls;
    failed = 0;
}

static int act_archive(void)
{
    return plog_archive_segment(&d, 7, NULL, &err);
}

static int act_restore(void)
{
    return plog_archive_restore(&d, 7, &err);
}

static int act_open(void)
{
    struct plog_stat st;
    int fd, rc = plog_archive_open(&d, 7, &fd, &st, &err);
    if (!rc) {
        CHECK_UINT(st.size, LARGE);
        close(fd);
    }
    return rc;
}

static int act_list(void)
{
    struct plog_buf list;
    plog_buf_init(&list, &io);
    int rc = plog_archive_segments(&d, &list, &err);
    if (!rc) {
        CHECK_UINT(plog_segment_count(&list), 1);
        CHECK_UINT(plog_segment_at(&list, 0), 7);
    }
    plog_buf_fini(&list);
    return rc;
}

static int count_name(void *arg, const char *name)
{
    (void)name;
    ++*(int *)arg;
    return 0;
}

static int files_in(const char *folder)
{
    int n = 0, fd = open(below(folder), O_RDONLY | O_DIRECTORY);
    if (fd >= 0) {
        CHECK_INT(plog_io_posix()->list(NULL, fd, count_name, &n), 0);
        close(fd);
    }
    return n;
}

/* Each of these calls fails once: that is told, what is whole stays so, no
 * other file is left, and then it works. */
static void poor(int (*act)(void), bool archived, bool away)
{
    for (long n = 0, reached = 1; reached; n++) {
        set_up();
        well_again();
        if (archived)
            CHECK_INT(plog_archive_segment(&d, 7, NULL, &err), 0);
        if (away)
            CHECK_INT(unlink(below(SEGMENT)), 0);
        memset(&err, 0, sizeof err);
        be_poor(n);
        int rc = act();
        reached = left < 0;
        well_again();
        CHECK(rc == 0 || rc == failed);
        CHECK(rc == 0 || (err.code == rc && err.message[0]));
        CHECK(there(SEGMENT) == (!away || (rc == 0 && act == act_restore)));
        CHECK(!archived || archive_is_whole());
        CHECK_INT(act(), 0);
        CHECK(archive_is_whole());
        CHECK(!there(SEGMENT) || is_whole(SEGMENT));
        CHECK_INT(files_in("archive"), 1);
        CHECK_INT(files_in("log"), there(SEGMENT));
        tear_down();
        CHECK(n < 60);
    }
}

static void files_and_memory(void)
{
    poor(act_archive, false, false);
    poor(act_archive, true, false);
    poor(act_restore, true, true);
    poor(act_open, true, true);
    poor(act_list, true, true);
}

/* An archive that cannot be written is expanded elsewhere. */
static int open_errno;

static int no_new_files(void *ctx, int dir, const char *name, int flags,
                        uint32_t mode)
{
    if (flags & O_CREAT && (name[0] != '/' || open_errno == EIO))
        return -open_errno;
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

static void an_archive_to_read_only(void)
{
    static const int all[] = {EROFS, EACCES, EPERM, ENOSPC, EIO};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        set_up();
        well_again();
        CHECK_INT(plog_archive_segment(&d, 7, NULL, &err), 0);
        io.open_at = no_new_files;
        open_errno = all[i];
        CHECK_INT(archive_is_whole(), i < 3);
        if (i >= 3)
            CHECK_TEXT(err.file, PACKED);
        well_again();
        CHECK_INT(files_in("archive"), 1);
        tear_down();
    }
}

/* ------------------------------------------------------------------------- */

static void gzip(void (*run)(void))
{
    set_up();
    run();
    tear_down();
}

static void run_there_and_back(void)
{
    gzip(gzip_there_and_back);
}

static void run_blocks(void)
{
    gzip(gzip_in_blocks);
}

static void run_one_thread(void)
{
    gzip(gzip_by_one_thread);
}

static void run_blocks_fail(void)
{
    gzip(gzip_blocks_fail);
}

static void run_damaged(void)
{
    gzip(gzip_damaged);
}

static void run_ends(void)
{
    gzip(gzip_ends_with_a_buffer);
}

static void run_failing(void)
{
    gzip(gzip_failing);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"gzip_there_and_back", run_there_and_back},
        {"gzip_in_blocks", run_blocks},
        {"gzip_by_one_thread", run_one_thread},
        {"gzip_blocks_fail", run_blocks_fail},
        {"gzip_damaged", run_damaged},
        {"gzip_ends_with_a_buffer", run_ends},
        {"gzip_failing", run_failing},
        {"there_and_back", there_and_back},
        {"another_segment_in_the_archive", another_segment_in_the_archive},
        {"odd_archives", odd_archives},
        {"every_call_fails_once", every_call_fails_once},
        {"files_and_memory", files_and_memory},
        {"an_archive_to_read_only", an_archive_to_read_only},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
