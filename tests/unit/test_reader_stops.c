/*
 * test_reader_stops.c - what a callback of a reader returns, when it is not 0,
 * is what the function returns, whatever the number: none of them means
 * something of ours.
 */
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "check.h"
#include "world.h"

static struct plog_reader *r;
static struct plog_error err;
static int answer;
static unsigned calls, stop_at;

static int told(void)
{
    return ++calls == stop_at ? answer : 0;
}

static int line(void *arg, uint64_t seq, const char *p, size_t len)
{
    CHECK(arg == &answer && seq > 0 && p && len);
    return told();
}

static int cursor(void *arg, const struct plog_cursor *c, uint64_t seq)
{
    CHECK(arg == &answer && seq > 0 && c->source.n == 1);
    return told();
}

static int read_log(void)
{
    return plog_reader_log(r, 1, 0, line, &answer, &err);
}

static int read_history(void)
{
    return plog_reader_history(r, plog_span("r", 1), plog_span("a", 1), line,
                               &answer, &err);
}

static int read_cursors(void)
{
    return plog_reader_cursors(r, cursor, &answer, &err);
}

/* Stopped at each of its `n` calls with each of the numbers. */
static void stops(const char *name, int (*call)(void), unsigned n)
{
    static const int answers[] = {PLOG_END, PLOG_TIMEOUT,   5,
                                  -1,       PLOG_E_CORRUPT, PLOG_E_NOT_FOUND};
    stop_at = calls = 0;
    CHECK_INT(call(), 0);
    if (!CHECK_UINT(calls, n))
        printf("# %s\n", name);
    for (stop_at = 1; stop_at <= n; stop_at++)
        for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
            calls = 0;
            answer = answers[i];
            if (!CHECK_INT(call(), answer) || !CHECK_UINT(calls, stop_at))
                printf("# %s, stopped at %u by %d\n", name, stop_at, answer);
        }
}

static void each_answer_comes_back(void)
{
    struct world w;
    const struct plog_cursor cursors[] = {
        {.source = {"x", 1}, .resource = {"m", 1}, .cursor = {"1", 1}},
        {.source = {"y", 1}, .resource = {"m", 1}, .cursor = {"2", 1}},
        {.source = {"z", 1}, .resource = {"m", 1}, .cursor = {"3", 1}}};
    const struct plog_group g = {
        .struct_size = sizeof g, .cursors = cursors, .cursor_count = 3};
    world_make(&w, PLOG_ARRIVAL, 0);
    for (int i = 0; i < 3; i++)
        CHECK_INT(world_put(&w, NULL, "a", "1", NULL), 0);
    CHECK_INT(plog_append_group(w.p, &g, NULL, &err), 0);
    CHECK_INT(plog_reader_open(&r, w.dir, &w.options, &err), 0);
    stops("log", read_log, 7);
    stops("history", read_history, 3);
    stops("cursors", read_cursors, 3);
    stop_at = calls = 0;
    err = (struct plog_error){.code = 0};
    CHECK_INT(plog_reader_log(r, 8, 0, line, &answer, &err), PLOG_E_NOT_FOUND);
    CHECK_UINT(calls, 0);
    CHECK_TEXT(err.message, "the store has entries up to 7 only");
    CHECK_TEXT(err.hint, "where `paritylog status DIR` says BEHIND, run:"
                         " paritylog replay DIR");
    plog_reader_close(r);
    world_end(&w, 7);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"each answer comes back", each_answer_comes_back},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
