/*
 * failing_main.c - gives the command a table whose n-th call fails; for
 * tests/storm/sweep_commands.py.
 *
 * SWEEP_FAIL=KIND:N[:ever]   KIND as in failing_names, or `malloc`: any
 *                            allocation of the process, the command's own,
 *                            the library's, SQLite's, zlib's, libc's
 * SWEEP_REPORT=FILE          gets, at the end, one line `count KIND N` for each
 *                            kind when nothing is to fail, else `reached WHAT`
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "failing.h"

const struct plog_io *cli_io(void);

const struct plog_io *cli_io(void)
{
    return failing_io();
}

/* ---- Any allocation ----------------------------------------------------- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

static unsigned long allocations, fail_from;
static bool counts, fails_ever, was_reached;

#if defined(__GLIBC__) && !defined(SANITIZED)
#define HAS_MALLOC 1
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

static bool refuses(void)
{
    if (!counts)
        return false;
    allocations++;
    if (fail_from == 0 || allocations < fail_from ||
        (allocations > fail_from && !fails_ever))
        return false;
    was_reached = true;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t n)
{
    return refuses() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    return refuses() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    if (n == 0)
        return __libc_realloc(p, n);
    return refuses() ? NULL : __libc_realloc(p, n);
}
#else
#define HAS_MALLOC 0
#endif

/* ---- From the environment ----------------------------------------------- */

static void tell(int fd, const char *text)
{
    if (write(fd, text, strlen(text)) < 0)
        _exit(99);
}

static void report(void)
{
    char line[600];
    const char *path = getenv("SWEEP_REPORT");
    failing_stop();
    counts = false;
    int fd =
        path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    if (fd < 0)
        return;
    for (int w = 1; w < FAILING_WHATS; w++) {
        snprintf(line, sizeof line, "count %s:%lu\n", failing_names[w],
                 failing_count((enum failing_what)w));
        tell(fd, line);
    }
    snprintf(line, sizeof line, "count malloc:%lu\n",
             HAS_MALLOC ? allocations : 0);
    tell(fd, line);
    if (failing_reached() || was_reached) {
        snprintf(line, sizeof line, "reached %.500s\n",
                 was_reached ? "an allocation" : failing_hit());
        tell(fd, line);
    }
    if (failing_resynced()) {
        snprintf(line, sizeof line, "resynced %.500s\n", failing_resynced());
        tell(fd, line);
    }
    close(fd);
}

static enum failing_what kind_of(const char *name, size_t n)
{
    for (int w = 1; w < FAILING_WHATS; w++)
        if (strlen(failing_names[w]) == n &&
            memcmp(failing_names[w], name, n) == 0)
            return (enum failing_what)w;
    return FAILING_NOTHING;
}

__attribute__((constructor)) static void arm(void)
{
    const char *text = getenv("SWEEP_FAIL");
    const char *colon = text ? strchr(text, ':') : NULL;
    enum failing_what what = FAILING_NOTHING;
    unsigned long n = 0;
    bool ever = false;
    failing_init();
    if (atexit(report))
        abort();
    if (colon) {
        n = strtoul(colon + 1, NULL, 10);
        ever = strstr(colon, ":ever") != NULL;
        what = kind_of(text, (size_t)(colon - text));
        if (strncmp(text, "malloc:", 7) == 0) {
            fail_from = n;
            fails_ever = ever;
        } else if (what == FAILING_NOTHING)
            abort();
    }
    failing_start(what, n, ever);
    failing_go();
    counts = true;
}
