/*
 * test_ahead.c - a file read ahead by a second thread: the bytes and what is
 * known of their lines, and everything that leaves the reading to the caller.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ahead.h"
#include "check.h"
#include "io.h"
#include "no_threads.h"
#include "sha256.h"
#include "world.h"

/* ---- A file in memory ---------------------------------------------------- */

static struct plog_io io;
static struct plog_buf file;
static uint64_t shows, fails_at; /* set before the thread starts */

static int64_t from_memory(void *ctx, int fd, void *buf, size_t n, uint64_t at)
{
    (void)ctx, (void)fd;
    if (fails_at && at + n > fails_at)
        return -EIO;
    if (at >= shows)
        return 0;
    n = n < shows - at ? n : (size_t)(shows - at);
    memcpy(buf, file.data + at, n);
    return (int64_t)n;
}

static void begin(void)
{
    io = *plog_io_posix();
    io.pread = from_memory;
    plog_buf_fini(&file);
    plog_buf_init(&file, plog_io_posix());
    fails_at = 0;
}

static void add_line(uint64_t seq, unsigned long_by)
{
    char line[400];
    int n = snprintf(line, sizeof line,
                     "{\"seq\":%llu,\"resource\":\"pets\",\"record_id\":\"r\","
                     "\"op\":\"upsert\",\"payload\":{\"v\":\"",
                     (unsigned long long)seq);
    CHECK_INT(plog_buf_add(&file, line, (size_t)n), 0);
    for (unsigned i = 0; i < long_by; i++)
        CHECK_INT(plog_buf_add_char(&file, 'x'), 0);
    CHECK_INT(plog_buf_add_text(
                  &file, "\"},\"occurred_at\":\"2026-01-02T03:04:05Z\","
                         "\"provenance\":{\"source\":\"s\",\"confidence\":1},"
                         "\"salt\":\"AAECAwQFBgcICQoLDA0ODw==\"}\n"),
              0);
}

/* ---- Reading it ---------------------------------------------------------- */

struct seen {
    uint64_t bytes, lines, known, hashed;
};

/* As the scan does: takes bytes, then asks for the lines that are whole.
 * @slow  so that the thread is the faster one */
static void read_on(struct plog_ahead *a, struct seen *s, bool slow)
{
    struct plog_span got;
    uint64_t line_at = 0;
    memset(s, 0, sizeof *s);
    while (plog_ahead_take(a, s->bytes, &got)) {
        CHECK_BYTES(got.p, got.n, file.data + s->bytes, got.n);
        s->bytes += got.n;
        if (slow)
            usleep(2000);
        for (;;) {
            const char *p = file.data + line_at;
            const char *lf = memchr(p, '\n', (size_t)(s->bytes - line_at));
            if (!lf)
                break;
            size_t n = (size_t)(lf - p);
            struct plog_sketch want;
            unsigned char leaf[PLOG_HASH_SIZE];
            const struct plog_ahead_line *l = plog_ahead_line(a, line_at, n);
            s->lines++;
            if (l) {
                s->known++;
                CHECK(plog_sketch_read(plog_span(p, n), lf, &want));
                CHECK_UINT(l->sketch.seq, want.seq);
                CHECK_UINT(l->sketch.payload.n, want.payload.n);
                plog_hash_leaf(p, n, leaf);
                CHECK(!l->hashed || !memcmp(leaf, l->leaf, sizeof leaf));
                s->hashed += l->hashed;
            }
            line_at += n + 1;
        }
    }
}

static void all_of_it(struct seen *s, bool slow)
{
    struct plog_ahead *a = plog_ahead_start(&io, 0, file.len);
    memset(s, 0, sizeof *s);
    if (CHECK(a != NULL))
        read_on(a, s, slow);
    plog_ahead_stop(a);
}

static void lines(void)
{
    struct seen s;
    begin();
    for (uint64_t i = 1; i <= 20000; i++)
        add_line(i, (unsigned)(i % 97));
    shows = file.len;
    all_of_it(&s, true);
    CHECK_UINT(s.bytes, file.len);
    CHECK_UINT(s.lines, 20000);
    CHECK_UINT(s.known, 20000);
    CHECK(s.hashed > 0);
    all_of_it(&s, false);
    CHECK_UINT(s.known, 20000);
}

/* More than a block keeps, longer than goes over into the next, no line. */
static void odd_lines(void)
{
    struct seen s;
    begin();
    for (unsigned i = 0; i < 300000; i++)
        CHECK_INT(plog_buf_add_char(&file, '\n'), 0);
    for (uint64_t i = 1; i <= 3; i++) {
        add_line(i, 400000);
        add_line(i + 1, 1);
    }
    CHECK_INT(plog_buf_add_text(&file, "{\"seq\":"), 0);
    shows = file.len;
    all_of_it(&s, false);
    CHECK_UINT(s.bytes, file.len);
    CHECK_UINT(s.lines, 300006);
    CHECK(s.known == 3); /* the short ones */
}

/* Then the caller reads, and sees for itself what is wrong. */
static void ends_early(void)
{
    struct seen s;
    begin();
    for (uint64_t i = 1; i <= 5000; i++)
        add_line(i, 100);
    shows = file.len;
    fails_at = file.len - 1;
    all_of_it(&s, false);
    CHECK(s.bytes > 0 && s.bytes < file.len);
    fails_at = 1;
    all_of_it(&s, false);
    CHECK_UINT(s.bytes, 0);
    fails_at = 0;
    shows = 300001; /* the file shrank */
    all_of_it(&s, false);
    CHECK_UINT(s.bytes, 300001);
    shows = 0;
    all_of_it(&s, false);
    CHECK_UINT(s.bytes, 0);
}

/* Bytes that are not next, and a stop at any time. */
static void left_alone(void)
{
    struct plog_span got;
    begin();
    for (uint64_t i = 1; i <= 20000; i++)
        add_line(i, 100);
    shows = file.len;
    for (uint64_t n = 0; n < 30; n++) {
        struct plog_ahead *a = plog_ahead_start(&io, 0, file.len);
        uint64_t at = 0;
        REQUIRE(a != NULL);
        for (uint64_t i = 0; i < n % 6; i++) {
            CHECK(plog_ahead_take(a, at, &got));
            at += got.n;
        }
        if (n % 3 == 0) {
            CHECK(!plog_ahead_take(a, at + 1, &got));
            CHECK(at == 0 || !plog_ahead_take(a, 0, &got));
        }
        CHECK(plog_ahead_line(a, at + 7, 10) == NULL);
        plog_ahead_stop(a);
    }
    plog_ahead_stop(NULL);
}

/* One that another wrote over between both readings. */
static void another_length(void)
{
    struct plog_span got;
    begin();
    add_line(1, 100);
    add_line(2, 100);
    shows = file.len;
    size_t n = file.len / 2 - 1;
    struct plog_ahead *a = plog_ahead_start(&io, 0, file.len);
    REQUIRE(a != NULL);
    CHECK(plog_ahead_take(a, 0, &got));
    CHECK(plog_ahead_line(a, 0, n) != NULL);
    CHECK(plog_ahead_line(a, n + 1, n + 1) == NULL);
    CHECK(plog_ahead_line(a, n + 1, n - 1) == NULL);
    CHECK(plog_ahead_line(a, n + 1, n) != NULL);
    plog_ahead_stop(a);
}

static void *no_memory(void *ctx, void *p, size_t n)
{
    (void)ctx;
    free(n ? NULL : p);
    return NULL;
}

static void without_memory(void)
{
    begin();
    io.alloc = no_memory;
    CHECK(plog_ahead_start(&io, 0, 1000) == NULL);
}

static void without_a_thread(void)
{
    begin();
    no_threads = true;
    CHECK(plog_ahead_start(&io, 0, 1000) == NULL);
    no_threads = false;
}

/* ---- Who asks for it ------------------------------------------------------
 */

static struct world w;

/* Whether a check asks for a thread. */
static bool asks(const struct plog_io *table, unsigned threads)
{
    struct plog_check_options o = {
        .struct_size = sizeof o, .io = table, .threads = threads};
    struct plog_check_report r;
    unsigned before = threads_asked;
    CHECK_INT(plog_verify(w.dir, &o, &r, NULL), 0);
    CHECK_INT(r.verdict, 0);
    return threads_asked > before;
}

/* By itself a check has one where there is a processor for it and a segment
 * that is worth it, and never with a caller's table, which has to be asked
 * for. */
static void for_a_check(void)
{
    static char payload[300 << 10], text[sizeof payload + 400];
    struct world_delta d = {.payload = payload};
    struct plog_io own = *plog_io_posix();
    cpu_set_t all, one;
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, NULL, "r", "x", NULL), 0);
    world_close(&w);
    CHECK(!asks(NULL, 0) && !asks(plog_io_posix(), 0) && !asks(&own, 0));
    CHECK(!asks(NULL, 1) && !asks(&own, 1));
    CHECK(asks(NULL, 2) && asks(&own, 2));
    snprintf(payload, sizeof payload, "{\"a\":\"%0*u\"}",
             (int)sizeof payload - 20, 0u);
    CHECK_INT(world_open(&w), 0);
    for (int i = 0; i < 4; i++)
        CHECK_INT(
            world_append(&w, world_text(text, sizeof text, &d), NULL, NULL), 0);
    world_close(&w);
    bool more = plog_io_processors() > 1;
    CHECK(asks(NULL, 0) == more && asks(plog_io_posix(), 0) == more);
    CHECK(!asks(&own, 0) && !asks(NULL, 1) && asks(&own, 2));
    CHECK_INT(sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
        if (CPU_ISSET(i, &all))
            CPU_SET(i, &one);
    CHECK_INT(sched_setaffinity(0, sizeof one, &one), 0);
    CHECK(!asks(NULL, 0) && !asks(plog_io_posix(), 0) && asks(NULL, 2));
    CHECK_INT(sched_setaffinity(0, sizeof all, &all), 0);
    world_end(&w, 6);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"lines", lines},
        {"odd lines", odd_lines},
        {"ends early", ends_early},
        {"left alone", left_alone},
        {"another length", another_length},
        {"without memory", without_memory},
        {"without a thread", without_a_thread},
        {"for a check", for_a_check},
    };
    int rc = check_main(argc, argv, cases, sizeof cases / sizeof *cases);
    plog_buf_fini(&file);
    return rc;
}
