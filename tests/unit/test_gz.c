/*
 * test_gz.c - gzip files by themselves: of all sizes and in blocks by two
 * threads, damage at every place, and every call failing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "gz.h"

/* ---- A table that is made to fail --------------------------------------- */

static struct plog_io io;
static struct plog_error err;
static const char *dir;
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

static void *failing_alloc(void *ctx, void *p, size_t n)
{
    return n && fails() ? NULL : plog_io_posix()->alloc(ctx, p, n);
}

static void no_failures(void)
{
    io = *plog_io_posix();
    left = -1;
}

static void begin(void)
{
    no_failures();
    dir = check_dir();
}

static const char *below(const char *name)
{
    static char out[2][800];
    static int next;
    snprintf(out[++next % 2], sizeof out[0], "%.600s/%s", dir, name);
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
    return open(below("new"), O_RDWR | O_CREAT | O_TRUNC, 0600);
}

#define LARGE 150000
static char in[LARGE], out[2 * LARGE];

static void there_and_back(void)
{
    static const size_t sizes[] = {0,     1,     999,       65535, 65536,
                                   65537, 99999, LARGE - 1, LARGE};
    begin();
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
        size_t part =
            check_random(&state) % (check_random(&state) % 2 ? 500 : MANY);
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
        memset(p + i, 'a' + (int)(i / 2000 % 7),
               MANY - i < 1000 ? MANY - i : 1000);
    return p;
}

static void in_blocks(void)
{
    static const size_t sizes[] = {BLOCK - 1,     BLOCK,     BLOCK + 1,
                                   2 * BLOCK,     4 * BLOCK, 5 * BLOCK + 1,
                                   8 * BLOCK - 1, MANY};
    char *text = long_text(), *again = malloc(MANY + 1);
    begin();
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
static void by_one_thread(void)
{
    char *text = long_text(), *two = malloc(MANY), *one = malloc(MANY);
    struct plog_gz g;
    begin();
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

static void blocks_fail(void)
{
    char *text = long_text();
    begin();
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

static void damaged(void)
{
    struct plog_gz g;
    size_t got, n = 500;
    char bytes[1000];
    begin();
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
static void ends_with_a_buffer(void)
{
    size_t got, n = PLOG_GZ_BUFFER;
    static char bytes[2 * PLOG_GZ_BUFFER];
    begin();
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

static void failing(void)
{
    size_t got;
    begin();
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

/* ------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"there_and_back", there_and_back},
        {"in_blocks", in_blocks},
        {"by_one_thread", by_one_thread},
        {"blocks_fail", blocks_fail},
        {"damaged", damaged},
        {"ends_with_a_buffer", ends_with_a_buffer},
        {"failing", failing},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
