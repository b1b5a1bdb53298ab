/*
 * check.h - what a unit test program is made of.
 *
 * A program is a table of cases given to check_main.  Each case prints
 * `ok NAME`, `FAIL NAME` or `skip NAME: why`; the last line is
 * `N passed, N failed, N skipped`, which tests/run.sh adds up.  A failed
 * CHECK prints file, line and values, fails the case and goes on; REQUIRE
 * leaves the case (it returns from the calling function).  A case that leaves
 * a handle open, or has closed one that was not, fails, too (handles.h).
 *
 * Options of every program: NAME... runs only cases whose name contains one
 * of them; CHECK_SEED sets check_seed().
 */
#ifndef CHECK_H
#define CHECK_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct check_case {
    const char *name;
    void (*run)(void);
};

int check_main(int argc, char **argv, const struct check_case *cases,
               size_t count);

/* Marks the running case as skipped, with the reason, once. */
void check_skip(const char *why);

/* The name of the running case. */
const char *check_name(void);

/* Whether a check of the running case has failed. */
bool check_failing(void);

/* A seed, printed when a case fails: CHECK_SEED or 1. */
uint64_t check_seed(void);
/* splitmix64 over `*state`. */
uint64_t check_random(uint64_t *state);

/* A fresh directory (0700) below $TMPDIR or /tmp, removed at exit unless a
 * case failed and CHECK_KEEP is set.  Lives until exit. */
const char *check_dir(void);

bool check_true(bool holds, const char *text, const char *file, int line);
bool check_int(intmax_t got, intmax_t want, const char *text, const char *file,
               int line);
bool check_uint(uintmax_t got, uintmax_t want, const char *text,
                const char *file, int line);
bool check_text(const char *got, const char *want, const char *text,
                const char *file, int line);
bool check_bytes(const void *got, size_t got_len, const void *want,
                 size_t want_len, const char *text, const char *file, int line);

#define CHECK(x) check_true((x), #x, __FILE__, __LINE__)
#define CHECK_INT(got, want)                                                   \
    check_int((intmax_t)(got), (intmax_t)(want), #got, __FILE__, __LINE__)
#define CHECK_UINT(got, want)                                                  \
    check_uint((uintmax_t)(got), (uintmax_t)(want), #got, __FILE__, __LINE__)
#define CHECK_TEXT(got, want)                                                  \
    check_text((got), (want), #got, __FILE__, __LINE__)
#define CHECK_BYTES(got, got_len, want, want_len)                              \
    check_bytes((got), (got_len), (want), (want_len), #got, __FILE__, __LINE__)
#define REQUIRE(x)                                                             \
    do {                                                                       \
        if (!check_true((x), #x, __FILE__, __LINE__))                          \
            return;                                                            \
    } while (0)

#endif
