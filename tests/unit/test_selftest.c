/* test_selftest.c - selftest as a function of the library: without processes,
 * stopped at each test, and with options that are none.  What it finds, and the
 * command, are in tests/cli/selftest.sh. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "paritylog_recovery.h"

struct told {
    unsigned count, stop_at; /* 0: never */
    char last[64];
};

static int on_test(void *arg, const struct plog_test *t)
{
    struct told *told = arg;
    snprintf(told->last, sizeof told->last, "%s", t->name);
    CHECK(t->found[0] != '\0');
    CHECK(t->result == PLOG_TEST_OK || t->result == PLOG_TEST_WARN ||
          t->result == PLOG_TEST_SKIP);
    return ++told->count == told->stop_at;
}

static unsigned names_in(const char *path)
{
    unsigned n = 0;
    DIR *d = opendir(path);
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n - 2; /* . and .. */
}

/* Without a way to other processes those tests are skipped, and say so. */
static void alone(void)
{
    struct told told = {0};
    struct plog_selftest_report r;
    struct plog_selftest_options o = {
        .struct_size = sizeof o, .seconds = 1, .test = on_test, .arg = &told};
    CHECK_INT(plog_selftest(check_dir(), &o, &r, NULL), 0);
    CHECK_INT(r.verdict, 0);
    CHECK_UINT(r.counts[PLOG_TEST_FAIL], 0);
    CHECK(r.counts[PLOG_TEST_SKIP] >= 2);
    CHECK(r.counts[PLOG_TEST_OK] >= 10);
    CHECK_UINT(r.kills + r.calls, 0);
    CHECK(r.faults > 0);
    CHECK(r.seed > 0);
    CHECK_UINT(names_in(check_dir()), 0);
}

/* Stopped at any test it ends there, and nothing is left. */
static void stopped(void)
{
    for (unsigned at = 1; at < 17; at += 5) {
        struct told told = {.stop_at = at};
        struct plog_selftest_report r;
        struct plog_selftest_options o = {.struct_size = sizeof o,
                                          .seconds = 1,
                                          .test = on_test,
                                          .arg = &told};
        CHECK_INT(plog_selftest(check_dir(), &o, &r, NULL), PLOG_E_INTERRUPTED);
        CHECK_UINT(told.count, at);
        CHECK_INT(r.verdict, PLOG_E_INTERRUPTED);
        CHECK_UINT(names_in(check_dir()), 0);
    }
}

static void wrong_options(void)
{
    struct plog_selftest_report r;
    struct plog_error err = {0};
    struct plog_test_host none = {.struct_size = 3};
    struct plog_selftest_options o = {.struct_size = sizeof o, .seconds = 60};
    CHECK_INT(plog_selftest(check_dir(), &o, &r, &err), PLOG_E_ARG);
    o.seconds = -1;
    CHECK_INT(plog_selftest(check_dir(), &o, &r, &err), PLOG_E_ARG);
    o.seconds = 1;
    o.host = &none;
    CHECK_INT(plog_selftest(check_dir(), &o, &r, &err), PLOG_E_ARG);
    o.host = NULL;
    CHECK_INT(plog_selftest("/nowhere/at/all", &o, &r, &err), PLOG_E_IO);
    CHECK(err.hint[0] != '\0');
    CHECK_UINT(names_in(check_dir()), 0);
    CHECK_TEXT(plog_test_word(PLOG_TEST_FAIL), "FAIL");
    CHECK_TEXT(plog_test_word((enum plog_test_result)9), "skip");
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"alone", alone},
        {"stopped", stopped},
        {"wrong options", wrong_options},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
