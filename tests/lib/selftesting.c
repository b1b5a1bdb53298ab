/* selftesting.c - see selftesting.h. */
#include "selftesting.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "files.h"

bool selftesting_is_child;

/* ---- What is told ------------------------------------------------------- */

static int on_test(void *arg, const struct plog_test *one)
{
    struct selftesting *s = arg;
    if (!CHECK(s->count < SELFTESTING_TOLD))
        return 1;
    struct selftesting_told *to = &s->told[s->count++];
    to->result = one->result;
    snprintf(to->name, sizeof to->name, "%s", one->name);
    snprintf(to->found, sizeof to->found, "%s", one->found);
    snprintf(to->next, sizeof to->next, "%s", one->next);
    size_t n = 0;
    to->figures[0] = '\0';
    for (size_t i = 0; i < one->figure_count; i++)
        n += (size_t)snprintf(to->figures + n, sizeof to->figures - n, "%s=%g ",
                              one->figures[i].name, one->figures[i].value);
    return s->count == s->stop_at;
}

const struct selftesting_told *selftesting_the(const struct selftesting *s,
                                               const char *name)
{
    static const struct selftesting_told none = {.name = "", .found = ""};
    const struct selftesting_told *found = &none;
    unsigned n = 0;
    for (unsigned i = 0; i < s->count; i++)
        if (strcmp(s->told[i].name, name) == 0) {
            found = &s->told[i];
            n++;
        }
    if (!CHECK_UINT(n, 1))
        printf("# %s\n", name);
    return found;
}

void selftesting_check(const struct selftesting *s, const char *name,
                       enum plog_test_result result, const char *found,
                       const char *next)
{
    const struct selftesting_told *one = selftesting_the(s, name);
    bool fits = CHECK_INT(one->result, result);
    if (found)
        fits &= CHECK_TEXT(one->found, found);
    fits &= CHECK(one->found[0] != '\0');
    if (next)
        fits &= CHECK_TEXT(one->next, next);
    if (!fits)
        printf("# %s: %s\n", name, one->found);
}

/* ---- Processes ---------------------------------------------------------- */

static void close_end(struct selftesting *s, int end)
{
    if (s->pipe[end] >= 0)
        close(s->pipe[end]);
    s->pipe[end] = -1;
}

static int start(void *ctx, int (*work)(void *arg), void *arg)
{
    struct selftesting *s = ctx;
    close_end(s, 0);
    if (pipe2(s->pipe, O_CLOEXEC))
        return -errno;
    s->starts++;
    s->child = fork();
    if (s->child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        selftesting_is_child = true;
        close_end(s, 0);
        _exit(work(arg));
    }
    close_end(s, 1);
    return s->child < 0 ? -errno : 0;
}

static int say(void *ctx, const void *p, size_t n)
{
    struct selftesting *s = ctx;
    return write(s->pipe[1], p, n) == (ssize_t)n ? 0 : -EPIPE;
}

static int64_t hear(void *ctx, void *p, size_t n, int timeout_ms)
{
    struct selftesting *s = ctx;
    struct pollfd set = {.fd = s->pipe[0], .events = POLLIN};
    if (poll(&set, 1, timeout_ms) <= 0)
        return -EAGAIN;
    return read(s->pipe[0], p, n);
}

static int stop(void *ctx, bool by_kill)
{
    struct selftesting *s = ctx;
    int status = 0;
    s->stops++;
    if (by_kill)
        kill(s->child, SIGKILL);
    return waitpid(s->child, &status, 0) < 0 ? -errno : status;
}

static int link_at(void *ctx, int dir, const char *to, const char *name,
                   bool symbolic)
{
    (void)ctx;
    int rc =
        symbolic ? symlinkat(to, dir, name) : linkat(dir, to, dir, name, 0);
    return rc ? -errno : 0;
}

void selftesting_fork(struct selftesting *s)
{
    s->host = (struct plog_test_host){.struct_size = sizeof s->host,
                                      .ctx = s,
                                      .start = start,
                                      .say = say,
                                      .hear = hear,
                                      .stop = stop,
                                      .link_at = link_at};
    s->t.host = &s->host;
}

/* ---- One that is none --------------------------------------------------- */

static int pretend_start(void *ctx, int (*work)(void *arg), void *arg)
{
    struct selftesting *s = ctx;
    (void)work, (void)arg;
    s->starts++;
    return s->start_rc;
}

static int pretend_stop(void *ctx, bool by_kill)
{
    struct selftesting *s = ctx;
    CHECK(by_kill);
    s->stops++;
    return 256 + SIGKILL;
}

static int64_t next_word(void *ctx, void *p, size_t n, int timeout_ms)
{
    struct selftesting *s = ctx;
    const struct selftesting_word *w = s->words;
    (void)timeout_ms;
    if (!w || (!w->p && w->rc == 0))
        return 0;
    s->words++;
    if (!w->p)
        return w->rc;
    CHECK(w->n <= n);
    memcpy(p, w->p, w->n <= n ? w->n : n);
    return (int64_t)w->n;
}

void selftesting_script(struct selftesting *s,
                        const struct selftesting_word *words)
{
    selftesting_fork(s);
    s->host.start = pretend_start;
    s->host.hear = next_word;
    s->host.stop = pretend_stop;
    s->words = words;
    s->start_rc = s->starts = s->stops = 0;
}

/* ---- The stage ---------------------------------------------------------- */

void selftesting_begin(struct selftesting *s, double seconds)
{
    memset(s, 0, sizeof *s);
    s->pipe[0] = s->pipe[1] = -1;
    s->io = *plog_io_posix();
    s->o = (struct plog_selftest_options){.struct_size = sizeof s->o,
                                          .seconds = seconds,
                                          .test = on_test,
                                          .arg = s};
    s->report.seed = 7;
    s->t.o = &s->o;
    s->t.report = &s->report;
    s->t.io = &s->io;
    s->t.started = s->io.clock_mono_ns(s->io.ctx);
    snprintf(s->t.parent_path, sizeof s->t.parent_path, "%s", check_dir());
    snprintf(s->t.name, sizeof s->t.name, "scratch");
    snprintf(s->scratch, sizeof s->scratch, "%.500s/scratch", s->t.parent_path);
    snprintf(s->t.path, sizeof s->t.path, "%s", s->scratch);
    CHECK(mkdir(s->scratch, 0700) == 0);
    s->t.parent = open(s->t.parent_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    s->t.dir = open(s->scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(s->t.dir >= 0 && s->t.parent >= 0);
}

void selftesting_end(struct selftesting *s)
{
    struct stat st;
    close_end(s, 0);
    close(s->t.dir);
    close(s->t.parent);
    CHECK(stat(s->scratch, &st) == 0);
    tree_remove(s->scratch);
}

/* ---- A part ------------------------------------------------------------- */

void selftesting_run(struct selftesting *s,
                     void (*part)(struct plog_selftest *t))
{
    int lowest = dup(0);
    close(lowest);
    part(&s->t);
    if (s->pipe[0] >= 0)
        close(s->pipe[0]); /* of the last process */
    s->pipe[0] = -1;
    int after = dup(0);
    CHECK_INT(after, lowest);
    close(after);
}
