/*
 * json_cases.c - the scanner beside a strict JSON library.
 *
 * A table of texts with what the standard says of each, and random changes of
 * them: our scanner must decide as Python's reader does once that is strict,
 * but for our own limits, which are listed in tests/lib/json_strict.py; and
 * its compact form must say the same.
 *
 * STORM_BUDGET seconds of changes (default 5), at most STORM_CHANGES; with
 * STORM_ALL=1 two million.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "json.h"
#include "json_table.h"
#include "world.h"

#define BATCH 2000
#define LONGEST 400

static struct plog_json scanner;
static struct plog_buf compact, request;

static bool takes(const char *p, size_t n)
{
    struct plog_json_fault fault;
    compact.len = 0;
    return plog_json_compact(&scanner, plog_span(p, n), &compact, &fault) == 0;
}

static void set_up(void)
{
    plog_json_init(&scanner, plog_io_posix());
    plog_buf_init(&compact, plog_io_posix());
    plog_buf_init(&request, plog_io_posix());
}

static void clean_up(void)
{
    plog_json_fini(&scanner);
    plog_buf_fini(&compact);
    plog_buf_fini(&request);
}

/* ---- The table ---------------------------------------------------------- */

static void table(void)
{
    unsigned of[128] = {0};
    set_up();
    for (size_t i = 0; i < json_case_count; i++) {
        const struct json_case *c = &json_cases[i];
        bool taken = takes(c->text, c->n);
        of[(unsigned char)c->kind]++;
        if (taken != c->takes)
            printf("# case %zu (%c, %s): %.*s\n", i, c->kind, c->why, (int)c->n,
                   c->text);
        CHECK(taken == c->takes);
        CHECK(c->kind == 'i' || c->takes == (c->kind == 'y'));
    }
    printf("# %u to take, %u to refuse, %u left to the reader\n", of['y'],
           of['n'], of['i']);
    clean_up();
}

/* ---- A strict library --------------------------------------------------- */

struct judge {
    pid_t pid;
    int to, from;
    uint64_t asked;
};

static const char *script(void)
{
    static char path[600];
    const char *data = getenv("STORM_DATA");
    snprintf(path, sizeof path, "%s/../lib/json_strict.py",
             data ? data : "tests/data");
    return path;
}

static bool judge_open(struct judge *j)
{
    int in[2], out[2];
    memset(j, 0, sizeof *j);
    if (access(script(), R_OK) || pipe(in) || pipe(out))
        return false;
    j->pid = fork();
    if (j->pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[1]);
        close(out[0]);
        execlp("python3", "python3", script(), (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    j->to = in[1];
    j->from = out[0];
    return j->pid > 0;
}

/* It says what it counted when its input ends. */
static int judge_close(struct judge *j)
{
    int status = -1;
    close(j->to);
    waitpid(j->pid, &status, 0);
    close(j->from);
    return status;
}

static bool put_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno != EINTR)
            return false;
        p += done > 0 ? done : 0;
        n -= done > 0 ? (size_t)done : 0;
    }
    return true;
}

static void put_number(size_t n)
{
    for (int i = 0; i < 4; i++)
        CHECK_INT(plog_buf_add_char(&request, (char)(n >> (8 * i))), 0);
}

static void ask(const char *text, size_t n)
{
    bool taken = takes(text, n);
    CHECK_INT(plog_buf_add_char(&request, taken), 0);
    put_number(n);
    CHECK_INT(plog_buf_add(&request, text, n), 0);
    if (taken)
        put_number(compact.len);
    if (taken)
        CHECK_INT(plog_buf_add(&request, compact.data, compact.len), 0);
}

static void show(const char *text, size_t n)
{
    printf("#   ");
    for (size_t i = 0; i < n; i++)
        printf((unsigned char)text[i] < 0x20 || text[i] & 0x80 ? "\\x%02x"
                                                               : "%c",
               (unsigned char)text[i]);
    printf("\n");
}

/* Sends what was asked; false when there is no answer. */
static bool answers(struct judge *j, size_t count, const char (*texts)[LONGEST],
                    const size_t *lengths)
{
    static const char *const says[] = {"agreed", "taken, and should not be",
                                       "refused, and should not be",
                                       "the compact form says something else"};
    unsigned char answer[BATCH];
    size_t got = 0;
    if (!put_all(j->to, request.data, request.len))
        return false;
    while (got < count) {
        ssize_t n = read(j->from, answer + got, count - got);
        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    for (size_t i = 0; i < count; i++) {
        if (answer[i]) {
            printf("# %s:\n", says[answer[i] & 3]);
            show(texts[i], lengths[i]);
        }
        CHECK_UINT(answer[i], 0);
    }
    j->asked += count;
    return true;
}

/* One to four small changes. */
static size_t change(char *text, size_t n, uint64_t *random)
{
    static const char *const pieces[] = {"{",
                                         "}",
                                         "[",
                                         "]",
                                         ":",
                                         ",",
                                         "\"",
                                         "\\",
                                         "/",
                                         "u",
                                         "0",
                                         "1",
                                         "9",
                                         "-",
                                         "+",
                                         ".",
                                         "e",
                                         "E",
                                         "true",
                                         "null",
                                         "a",
                                         "\\u00",
                                         "\\ud8",
                                         "\\udc",
                                         "\\ud83d\\ude00",
                                         "\\n",
                                         " ",
                                         "\t",
                                         "\n",
                                         "\r",
                                         "\x7f",
                                         "\xc3\xa9",
                                         "\xed",
                                         "\xa0",
                                         "\xf0",
                                         "\xef\xbb\xbf",
                                         "\x01",
                                         "[]",
                                         "{}",
                                         "\"a\":1",
                                         "\\u0000"};
    for (size_t times = 1 + check_random(random) % 4; times; times--) {
        size_t at = check_random(random) % (n + 1);
        const char *piece =
            pieces[check_random(random) % (sizeof pieces / sizeof *pieces)];
        size_t m = strlen(piece);
        switch (check_random(random) % 5) {
        case 0: /* less */
            if (at < n)
                memmove(text + at, text + at + 1, --n - at);
            break;
        case 1: /* a bit */
            if (at < n)
                text[at] ^= (char)(1 << check_random(random) % 8);
            break;
        case 2: /* shorter */
            if (check_random(random) % 8 == 0)
                n = at;
            break;
        default: /* more */
            if (n + m > LONGEST)
                break;
            memmove(text + at + m, text + at, n - at);
            memcpy(text + at, piece, m);
            n += m;
        }
    }
    return n;
}

static void beside_python(void)
{
    static char texts[BATCH][LONGEST];
    static size_t lengths[BATCH];
    const char *budget = getenv("STORM_BUDGET"), *all = getenv("STORM_ALL"),
               *most = getenv("STORM_CHANGES");
    double seconds = budget ? atof(budget) : 5, began = world_seconds();
    uint64_t limit = most  ? strtoull(most, NULL, 10)
                     : all ? 2000000
                           : UINT64_MAX;
    uint64_t random = check_seed(), taken = 0;
    struct judge j;
    if (system("python3 -c 'import json' 2>/dev/null") != 0) {
        check_skip("there is no python3 to compare with");
        return;
    }
    signal(SIGPIPE, SIG_IGN);
    set_up();
    REQUIRE(judge_open(&j));
    bool alive = true;
    for (uint64_t round = 0; alive && j.asked < limit; round++) {
        size_t count = 0;
        request.len = 0;
        size_t want = round ? BATCH : json_case_count;
        put_number(want);
        for (; count < want; count++) {
            const struct json_case *c =
                &json_cases[round ? check_random(&random) % json_case_count
                                  : count];
            memcpy(texts[count], c->text, c->n);
            lengths[count] = round ? change(texts[count], c->n, &random) : c->n;
            taken += takes(texts[count], lengths[count]);
            ask(texts[count], lengths[count]);
        }
        alive = answers(&j, count, texts, lengths);
        if (!all && world_seconds() - began > seconds && round)
            break;
    }
    CHECK(alive);
    CHECK_INT(judge_close(&j), 0);
    CHECK(j.asked > json_case_count && taken > j.asked / 50);
    printf("# seed %llu: %llu texts beside Python's reader, %llu of them taken,"
           " in %.1f s\n",
           (unsigned long long)check_seed(), (unsigned long long)j.asked,
           (unsigned long long)taken, world_seconds() - began);
    clean_up();
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"table", table},
        {"beside Python", beside_python},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
