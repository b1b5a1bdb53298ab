/*
 * test_find_line.c - an entry line found by its seq: wherever the halving of
 * the segment comes down, in damaged segments, and when reading fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "find_line.h"
#include "line.h"

/* ---- A directory with segments made by hand ----------------------------- */

static struct plog_io io; /* the real one, which the cases change */
static struct plog_dir d;

static void set_up(void)
{
    static int next;
    char path[600];
    io = *plog_io_posix();
    memset(&d, 0, sizeof d);
    snprintf(path, sizeof path, "%.500s/%d", check_dir(), next++);
    CHECK_INT(mkdir(path, 0700), 0);
    d.io = &io;
    d.log = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(d.log >= 0);
}

static void tear_down(void)
{
    close(d.log);
}

static void add(uint64_t first, const char *text, size_t n)
{
    char name[PLOG_SEGMENT_NAME];
    plog_segment_name(first, name);
    int fd = openat(d.log, name, O_WRONLY | O_CREAT | O_APPEND, 0600);
    CHECK(fd >= 0);
    CHECK_INT(write(fd, text, n), n);
    close(fd);
}

/* An entry line with `pad` bytes of payload, and its LF. */
static char *entry(char *at, uint64_t seq, size_t pad)
{
    at += sprintf(at, "{\"seq\":%llu,\"p\":\"", (unsigned long long)seq);
    memset(at, 'x', pad);
    return at + pad + sprintf(at + pad, "\"}\n");
}

/* Entries `from` to `to`, a commit behind every third. */
static char *entries(char *at, uint64_t from, uint64_t to, size_t pad)
{
    for (uint64_t seq = from; seq <= to; seq++) {
        at = entry(at, seq, pad);
        if (seq % 3 == 0)
            at += sprintf(at, "{\"commit\":{\"size\":%llu}}\n",
                          (unsigned long long)seq);
    }
    return at;
}

static int find_in(uint64_t segment, uint64_t offset, uint64_t seq)
{
    struct plog_error err = {0};
    struct plog_buf out;
    char begins[40];
    plog_buf_init(&out, &io);
    int rc = plog_find_line(&d, segment, offset, seq, &out, &err);
    int n = snprintf(begins, sizeof begins, "{\"seq\":%llu,",
                     (unsigned long long)seq);
    if (rc == 0) {
        CHECK(out.len > (size_t)n && !memcmp(out.data, begins, (size_t)n));
        CHECK(!memchr(out.data, '\n', out.len));
        CHECK(out.data[out.len - 1] == '}');
    } else {
        CHECK_INT(err.code, rc);
        CHECK_UINT(out.len, 0);
    }
    plog_buf_fini(&out);
    return rc;
}

static int find(uint64_t seq)
{
    return find_in(1, UINT64_MAX, seq);
}

/* Sizes of lines beside which halving comes down in another place. */
static const size_t pads[] = {0, 10, 300, 1200, 5000, 30000};
#define PADS (sizeof pads / sizeof *pads)
static char text[4 << 20];

/* ---- What is there ------------------------------------------------------ */

static void every_entry(void)
{
    for (size_t i = 0; i < PADS; i++) {
        uint64_t most = pads[i] < 1000 ? 150 : 40;
        set_up();
        char *at = text + sprintf(text, "{\"segment\":{}}\n");
        at = entries(at, 1, most, pads[i]);
        add(1, text, (size_t)(at - text));
        at = entries(text, most + 1, most + 9, 7);
        add(most + 1, text, (size_t)(at - text));
        for (uint64_t seq = 1; seq <= most + 9; seq++)
            CHECK_INT(find(seq), 0);
        CHECK_INT(find(most + 10), PLOG_E_CORRUPT);
        tear_down();
    }
}

static unsigned preads;

static int64_t counted_pread(void *ctx, int fd, void *p, size_t n, uint64_t at)
{
    preads++;
    return plog_io_posix()->pread(ctx, fd, p, n, at);
}

/* Halving, it does not read the segment from the front. */
static void with_few_reads(void)
{
    unsigned most = 0;
    set_up();
    char *at = entries(text, 1, 2500, 1200);
    add(1, text, (size_t)(at - text));
    io.pread = counted_pread;
    for (uint64_t seq = 1; seq <= 2500; seq += 31) {
        preads = 0;
        CHECK_INT(find(seq), 0);
        most = preads > most ? preads : most;
    }
    CHECK(most >= 10 && most <= 50); /* of 3 MB, 4 KiB at a time: 750 */
    /* What the first look comes upon is not searched for any further. */
    const char *line = strchr(text + (at - text) / 2, '\n') + 1;
    if (strncmp(line, "{\"commit\"", 9) == 0)
        line = strchr(line, '\n') + 1;
    preads = 0;
    CHECK_INT(find(strtoull(line + strlen("{\"seq\":"), NULL, 10)), 0);
    CHECK(preads >= 3 && preads <= 4);
    if (check_failing())
        printf("#   %u reads\n", most);
    tear_down();
}

static unsigned lists;

static int counted_list(void *ctx, int dir,
                        int (*each)(void *arg, const char *name), void *arg)
{
    lists++;
    return plog_io_posix()->list(ctx, dir, each, arg);
}

/* Many lookups with one finder list the folder once, whatever segment each is
 * of; a new one, and one that was closed, looks anew. */
static void with_one_listing(void)
{
    struct plog_finder f = {.dir = &d};
    struct plog_buf out;
    uint64_t first = 9;
    set_up();
    plog_buf_init(&out, &io);
    for (uint64_t from = 11; from <= 91; from += 10) {
        char *at = entries(text, from, from + 9, 20);
        add(from, text, (size_t)(at - text));
    }
    io.list = counted_list;
    lists = 0;
    for (uint64_t seq = 11; seq <= 100; seq++)
        CHECK_INT(
            plog_finder_line(&f, 1, 99, 11 + seq * 37 % 90, &out, NULL), 0);
    CHECK_INT(plog_finder_line(&f, 1, 99, 10, &out, NULL), PLOG_E_CORRUPT);
    CHECK_INT(plog_finder_segment(&f, 10, &first, NULL), 0);
    CHECK_UINT(first, 0);
    CHECK_INT(plog_finder_segment(&f, UINT64_MAX, &first, NULL), 0);
    CHECK_UINT(first, 91);
    CHECK_UINT(lists, 1);
    char *at = entries(text, 101, 110, 20);
    add(101, text, (size_t)(at - text));
    plog_finder_close(&f);
    plog_finder_close(&f);
    CHECK_INT(plog_finder_line(&f, 1, 99, 105, &out, NULL), 0);
    CHECK_UINT(lists, 2);
    plog_finder_close(&f);
    CHECK_INT(plog_find_segment(&d, 15, &first, NULL), 0);
    CHECK_UINT(first, 11);
    CHECK_UINT(lists, 3);
    plog_buf_fini(&out);
    tear_down();
}

/* One line much longer than those around it, in each place. */
static void among_short_ones(void)
{
    for (uint64_t large = 1; large <= 60; large += 7) {
        set_up();
        char *at = entries(text, 1, large - 1, 200);
        at = entry(at, large, 100000);
        at = entries(at, large + 1, 60, 200);
        add(1, text, (size_t)(at - text));
        for (uint64_t seq = 1; seq <= 60; seq++)
            CHECK_INT(find(seq), 0);
        tear_down();
    }
}

/* What the store does not know of yet is not looked at, and no more of the
 * file is than there is. */
static void up_to_where_the_log_ends(void)
{
    set_up();
    char *half = entries(text, 1, 60, 300);
    char *at = entries(half, 61, 120, 300);
    size_t offset = (size_t)(half - text), size = (size_t)(at - text);
    add(1, text, size);
    CHECK_INT(find_in(1, offset, 60), 0);
    CHECK_INT(find_in(1, offset, 1), 0);
    CHECK_INT(find_in(1, offset, 61), PLOG_E_CORRUPT);
    CHECK_INT(find_in(1, offset, 120), PLOG_E_CORRUPT);
    for (uint64_t seq = 1; seq <= 120; seq++) {
        CHECK_INT(find_in(1, size, seq), 0);
        CHECK_INT(find_in(1, size * 5, seq), 0);
        CHECK_INT(find_in(121, 5, seq), 0); /* that is another segment */
    }
    tear_down();
}

/* ---- What is not -------------------------------------------------------- */

static void no_segment(void)
{
    struct plog_error err = {0};
    struct plog_buf out;
    uint64_t first = 9;
    set_up();
    plog_buf_init(&out, &io);
    CHECK_INT(plog_find_line(&d, 1, 99, 1, &out, &err), PLOG_E_CORRUPT);
    CHECK_TEXT(err.message, "no segment holds entry 1");
    char *at = entries(text, 10, 20, 10);
    add(10, text, (size_t)(at - text));
    CHECK_INT(plog_find_line(&d, 10, 999, 9, &out, &err), PLOG_E_CORRUPT);
    CHECK_TEXT(err.message, "no segment holds entry 9");
    CHECK_INT(plog_find_segment(&d, 9, &first, &err), 0);
    CHECK_UINT(first, 0);
    CHECK_INT(plog_find_segment(&d, 10, &first, &err), 0);
    CHECK_UINT(first, 10);
    CHECK_UINT(out.len, 0);
    plog_buf_fini(&out);
    tear_down();
}

/* One entry is missing among the others: it alone. */
static void a_gap(void)
{
    for (size_t i = 0; i < PADS; i++) {
        set_up();
        char *at = entries(text, 1, 20, pads[i]);
        at = entries(at, 22, 40, pads[i]);
        add(1, text, (size_t)(at - text));
        for (uint64_t seq = 1; seq <= 40; seq++)
            CHECK_INT(find(seq), seq == 21 ? PLOG_E_CORRUPT : 0);
        struct plog_error err = {0};
        struct plog_buf out;
        plog_buf_init(&out, &io);
        CHECK_INT(plog_find_line(&d, 1, UINT64_MAX, 21, &out, &err),
                  PLOG_E_CORRUPT);
        CHECK_TEXT(err.message, "entry 21 is not where the log must hold it");
        CHECK_UINT(err.seq, 21);
        CHECK(strstr(err.hint, "verify") != NULL);
        plog_buf_fini(&out);
        tear_down();
    }
}

/* Lines that only look like entries are passed over, many or few. */
static void lines_of_no_kind(void)
{
    static const char *const odd[] = {
        "{\"seq\":x,\"p\":1}\n",
        "{\"seq\":5}\n",
        "{\"seq\":,}\n",
        "{\"seq\":-3,}\n",
        "{\"seq\":007,\"p\":1}\n",
        "\n",
        "{\"seq\":99999999999999999999,\"p\":1}\n",
    };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        set_up();
        char *at = entries(text, 1, 20, 100);
        for (int k = 0; k < 3000; k++)
            at += sprintf(at, "%s", odd[i]);
        at = entries(at, 21, 40, 100);
        add(1, text, (size_t)(at - text));
        for (uint64_t seq = 1; seq <= 40; seq++)
            if (!CHECK_INT(find(seq), 0))
                printf("#   seq %llu behind %s", (unsigned long long)seq,
                       odd[i]);
        CHECK_INT(find(41), PLOG_E_CORRUPT);
        tear_down();
    }
}

/* A last line without its LF is none. */
static void a_torn_line(void)
{
    for (size_t i = 0; i < PADS; i++) {
        set_up();
        char *at = entries(text, 1, 10, pads[i]);
        add(1, text, (size_t)(at - text) - 1);
        CHECK_INT(find(1), 0);
        CHECK_INT(find(10), PLOG_E_CORRUPT);
        tear_down();
    }
}

/* The padding of a segment, or a hole that a crash left: no line is so long. */
static void a_line_longer_than_any(void)
{
    set_up();
    char name[PLOG_SEGMENT_NAME];
    char *at = entries(text, 1, 3, 10);
    add(1, text, (size_t)(at - text));
    plog_segment_name(1, name);
    int fd = openat(d.log, name, O_WRONLY);
    CHECK_INT(ftruncate(fd, 72 << 20), 0);
    close(fd);
    CHECK_INT(find(4), PLOG_E_CORRUPT);
    CHECK_INT(find_in(1, (uint64_t)(at - text), 3), 0);
    tear_down();
}

/* ---- Failures ----------------------------------------------------------- */

static long left; /* calls until one fails */

static int64_t failing_pread(void *ctx, int fd, void *p, size_t n, uint64_t at)
{
    return left-- == 0 ? -EIO : plog_io_posix()->pread(ctx, fd, p, n, at);
}

static void *failing_alloc(void *ctx, void *p, size_t n)
{
    if (n == 0)
        return plog_io_posix()->alloc(ctx, p, n);
    return left-- == 0 ? NULL : plog_io_posix()->alloc(ctx, p, n);
}

static int64_t empty_pread(void *ctx, int fd, void *p, size_t n, uint64_t at)
{
    (void)ctx, (void)fd, (void)p, (void)n, (void)at;
    return 0;
}

/* Each call fails once; `rc` is what the search says then. */
static void fail_each(int rc, long least)
{
    long calls = 0;
    for (bool done = false; !done; calls++) {
        left = calls;
        int got = find(33);
        done = left >= 0;
        CHECK_INT(got, done ? 0 : rc);
    }
    CHECK(calls > least);
}

#define PAGE 4096

/* What was given back, or moved, can be read no more. */
static void *moving_alloc(void *ctx, void *p, size_t n)
{
    char *now = NULL, *old = p ? (char *)p - PAGE : NULL;
    size_t before = 0;
    (void)ctx;
    if (old)
        memcpy(&before, old, sizeof before);
    if (n) {
        now = mmap(NULL, n + PAGE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (now == MAP_FAILED)
            return NULL;
        memcpy(now, &n, sizeof n);
        if (old)
            memcpy(now + PAGE, p, n < before ? n : before);
    }
    if (old)
        CHECK_INT(mprotect(old, before + PAGE, PROT_NONE), 0);
    return n ? now + PAGE : NULL;
}

/* Behind a read that failed the line before is not looked at once more: what
 * held it was too small for the next one. */
static void reading_fails_behind_a_line(void)
{
    set_up();
    char *at = entries(text, 1, 20, 5000);
    at = entries(at, 21, 3000, 20);
    add(1, text, (size_t)(at - text));
    io.alloc = moving_alloc;
    io.pread = failing_pread;
    long calls = 0;
    for (bool done = false; !done; calls++) {
        left = calls;
        int got = find(3);
        done = left >= 0;
        CHECK_INT(got, done ? 0 : PLOG_E_IO);
    }
    CHECK(calls > 6);
    tear_down();
}

static void reading_fails(void)
{
    set_up();
    char *at = entries(text, 1, 40, 3000);
    add(1, text, (size_t)(at - text));
    io.pread = failing_pread;
    fail_each(PLOG_E_IO, 6);
    io.pread = empty_pread; /* it was cut since it was opened */
    CHECK_INT(find(33), PLOG_E_CORRUPT);
    io.pread = plog_io_posix()->pread;
    io.alloc = failing_alloc;
    fail_each(PLOG_E_NOMEM, 2);
    tear_down();
}

static size_t most; /* bytes asked for at a time */

static int64_t no_line_end(void *ctx, int fd, void *p, size_t n, uint64_t at)
{
    (void)ctx, (void)fd, (void)at;
    most = n > most ? n : most;
    memset(p, 0, n < 4096 ? n : 4096); /* the rest is as it was allocated */
    return (int64_t)n;
}

/* What has no line end is not read on for ever. */
static void a_file_without_line_ends(void)
{
    char name[PLOG_SEGMENT_NAME];
    set_up();
    plog_segment_name(1, name);
    int fd = openat(d.log, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
    CHECK_INT(ftruncate(fd, 1 << 30), 0);
    close(fd);
    io.pread = no_line_end;
    most = 0;
    CHECK_INT(find(33), PLOG_E_CORRUPT);
    CHECK(most > PLOG_LINE_MAX + PLOG_LINE_SLACK && most <= 64u << 20);
    tear_down();
}

/* ------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"every_entry", every_entry},
        {"with_few_reads", with_few_reads},
        {"with_one_listing", with_one_listing},
        {"among_short_ones", among_short_ones},
        {"up_to_where_the_log_ends", up_to_where_the_log_ends},
        {"no_segment", no_segment},
        {"a_gap", a_gap},
        {"lines_of_no_kind", lines_of_no_kind},
        {"a_torn_line", a_torn_line},
        {"a_line_longer_than_any", a_line_longer_than_any},
        {"reading_fails", reading_fails},
        {"reading_fails_behind_a_line", reading_fails_behind_a_line},
        {"a_file_without_line_ends", a_file_without_line_ends},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
