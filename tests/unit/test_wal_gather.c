/* test_wal_gather.c - SQLite's WAL frames, gathered into few writes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "io.h"
#include "wal_gather.h"

#define PAGE 4096
#define FRAME (24 + PAGE)

static struct plog_wal_gather g;
static unsigned char file[64 * FRAME];
static int writes, fails_at, refuses;
static int64_t last_at, last_n;

static int take(void *arg, const void *p, int n, int64_t at)
{
    CHECK(arg == &g);
    if (++writes == fails_at)
        return 777;
    memcpy(file + at, p, (size_t)n);
    last_at = at;
    last_n = n;
    return 0;
}

static void *poor(void *ctx, void *p, size_t n)
{
    if (n && refuses)
        return NULL;
    return plog_io_posix()->alloc(ctx, p, n);
}

static void start(void)
{
    static struct plog_io io;
    io = *plog_io_posix();
    io.alloc = poor;
    plog_wal_gather_fini(&g);
    plog_wal_gather_init(&g, &io);
    memset(file, 0, sizeof file);
    writes = fails_at = refuses = 0;
}

static int64_t place(int frame)
{
    return 32 + (int64_t)frame * FRAME;
}

/* The two writes of a frame, as SQLite makes them. */
static int frame(int number, bool commits)
{
    unsigned char header[24] = {0}, page[PAGE];
    header[0] = (unsigned char)(number + 1);
    header[7] = commits;
    memset(page, number + 1, sizeof page);
    int rc = plog_wal_gather_write(&g, header, 24, place(number), take, &g);
    return rc ? rc
              : plog_wal_gather_write(&g, page, PAGE, place(number) + 24, take,
                                      &g);
}

static bool is_there(int number)
{
    const unsigned char *at = file + place(number);
    return at[0] == number + 1 && at[24] == number + 1 &&
           at[FRAME - 1] == number + 1;
}

/* Three frames, the last one commits: one write, whole. */
static void one_write_a_transaction(void)
{
    start();
    CHECK_INT(frame(0, false), 0);
    CHECK_INT(frame(1, false), 0);
    CHECK_INT(writes, 0);
    CHECK_INT(frame(2, true), 0);
    CHECK_INT(writes, 1);
    CHECK_INT(last_at, 32);
    CHECK_INT(last_n, 3 * FRAME);
    CHECK(is_there(0) && is_there(1) && is_there(2));
    CHECK_INT(frame(3, true), 0);
    CHECK_INT(writes, 2);
    CHECK_INT(last_n, FRAME);
    CHECK(is_there(3));
}

/* More than fits goes out in parts, in order, and nothing is lost. */
static void larger_than_the_space(void)
{
    start();
    for (int i = 0; i < 40; i++)
        CHECK_INT(frame(i, i == 39), 0);
    CHECK(writes >= 40 * FRAME / (int)PLOG_WAL_GATHER_MAX);
    CHECK(writes <= 4);
    for (int i = 0; i < 40; i++)
        CHECK(is_there(i));
}

/* The file's header goes by itself, and so does what is larger than all. */
static void what_does_not_wait(void)
{
    unsigned char header[32] = {9};
    static unsigned char large[PLOG_WAL_GATHER_MAX + 1];
    start();
    CHECK_INT(plog_wal_gather_write(&g, header, 32, 0, take, &g), 0);
    CHECK_INT(writes, 1);
    CHECK_INT(file[0], 9);
    CHECK_INT(
        plog_wal_gather_write(&g, large, (int)sizeof large, 4096, take, &g), 0);
    CHECK_INT(writes, 2);
    CHECK_INT(last_n, sizeof large);
}

/* A page that was spilled is written again in its place: what waits goes
 * first, so that the later bytes win. */
static void written_again(void)
{
    unsigned char page[PAGE];
    start();
    CHECK_INT(frame(0, false), 0);
    CHECK_INT(frame(1, false), 0);
    memset(page, 77, sizeof page);
    CHECK_INT(plog_wal_gather_write(&g, page, PAGE, place(0) + 24, take, &g),
              0);
    CHECK_INT(writes, 1);
    CHECK_INT(plog_wal_gather_flush(&g, take, &g), 0);
    CHECK_INT(writes, 2);
    CHECK_INT(file[place(0) + 24], 77);
    CHECK(is_there(1));
    CHECK_INT(plog_wal_gather_flush(&g, take, &g), 0);
    CHECK_INT(writes, 2);
}

/* What a transaction that was taken back left is never written: somebody
 * else's frames may be there by then. */
static void taken_back(void)
{
    start();
    CHECK_INT(frame(0, false), 0);
    plog_wal_gather_drop(&g);
    CHECK_INT(frame(5, true), 0);
    CHECK_INT(writes, 1);
    CHECK_INT(last_at, place(5));
    CHECK_INT(file[32], 0);
    /* nor does a header that was dropped make the next page a last one */
    unsigned char header[24] = {0};
    header[7] = 1;
    start();
    CHECK_INT(plog_wal_gather_write(&g, header, 24, place(0), take, &g), 0);
    plog_wal_gather_drop(&g);
    CHECK_INT(frame(0, false), 0);
    CHECK_INT(writes, 0);
}

/* It ends with a page: no header makes another one go. */
static void two_headers(void)
{
    unsigned char header[24] = {0};
    header[7] = 1;
    start();
    for (int i = 0; i < 2; i++)
        CHECK_INT(
            plog_wal_gather_write(&g, header, 24, place(0) + i * 24, take, &g),
            0);
    CHECK_INT(writes, 0);
    CHECK_INT(frame(5, true), 0); /* elsewhere: what waits goes first */
    CHECK_INT(writes, 2);
    CHECK_INT(last_at, place(5));
    CHECK_INT(last_n, FRAME);
}

/* The call that brings the last byte says what became of all. */
static void failures_are_told(void)
{
    start();
    fails_at = 1;
    CHECK_INT(frame(0, false), 0);
    CHECK_INT(frame(1, true), 777);
    CHECK_INT(plog_wal_gather_flush(&g, take, &g), 0); /* nothing waits */
    CHECK_INT(writes, 1);
    start();
    fails_at = 1;
    CHECK_INT(frame(0, false), 0);
    CHECK_INT(frame(5, true), 777); /* of what had to go first */
    CHECK_INT(writes, 1);
    start();
    fails_at = 1;
    CHECK_INT(frame(0, false), 0);
    CHECK_INT(plog_wal_gather_flush(&g, take, &g), 777);
}

/* Nor is it forgotten by a write that goes its own way behind it: that one is
 * not made. */
static void failures_before_it(void)
{
    unsigned char header[32] = {9};
    static unsigned char large[PLOG_WAL_GATHER_MAX + 1];
    for (int i = 0; i < 2; i++) {
        start();
        fails_at = 1;
        CHECK_INT(frame(0, false), 0);
        CHECK_INT(i ? plog_wal_gather_write(&g, large, (int)sizeof large,
                                            place(1), take, &g)
                    : plog_wal_gather_write(&g, header, 32, 0, take, &g),
                  777);
        CHECK_INT(writes, 1);
        CHECK_INT(file[0], 0);
        CHECK_INT(plog_wal_gather_flush(&g, take, &g), 0); /* nothing waits */
        CHECK_INT(writes, 1);
        /* what comes then is written as if nothing had been */
        CHECK_INT(plog_wal_gather_write(&g, header, 32, 0, take, &g), 0);
        CHECK_INT(writes, 2);
        CHECK_INT(last_at, 0);
        CHECK_INT(last_n, 32);
        CHECK_INT(frame(1, true), 0);
        CHECK_INT(writes, 3);
        CHECK_INT(last_at, place(1));
        CHECK_INT(last_n, FRAME);
        CHECK(is_there(1));
    }
}

/* Without memory each write goes its own way. */
static void without_memory(void)
{
    start();
    refuses = 1;
    CHECK_INT(frame(0, false), 0);
    CHECK_INT(writes, 2);
    CHECK_INT(frame(1, true), 0);
    CHECK_INT(writes, 4);
    CHECK(is_there(0) && is_there(1));
    plog_wal_gather_fini(&g);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"one_write_a_transaction", one_write_a_transaction},
        {"larger_than_the_space", larger_than_the_space},
        {"what_does_not_wait", what_does_not_wait},
        {"written_again", written_again},
        {"taken_back", taken_back},
        {"two_headers", two_headers},
        {"failures_are_told", failures_are_told},
        {"failures_before_it", failures_before_it},
        {"without_memory", without_memory},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
