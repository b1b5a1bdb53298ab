/* child.c - see child.h. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void close_end(struct child *c, int end)
{
    if (c->pipe[end] >= 0)
        close(c->pipe[end]);
    c->pipe[end] = -1;
}

/* The child's side of fork. */
static void run(struct child *c, int (*work)(void *arg), void *arg,
                pid_t parent)
{
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before that */
        _exit(1);
    close_end(c, 0);
    _exit(work(arg));
}

static int start(void *ctx, int (*work)(void *arg), void *arg)
{
    struct child *c = ctx;
    pid_t parent = getpid();
    close_end(c, 0);
    if (c->pid || pipe2(c->pipe, O_CLOEXEC))
        return c->pid ? -EBUSY : -errno;
    pid_t pid = fork();
    if (pid == 0)
        run(c, work, arg, parent);
    int rc = pid < 0 ? -errno : 0;
    close_end(c, 1);
    c->pid = pid < 0 ? 0 : (int)pid;
    return rc;
}

/* So few bytes that a pipe takes all of them or none. */
static int say(void *ctx, const void *p, size_t n)
{
    struct child *c = ctx;
    ssize_t rc;
    do {
        rc = write(c->pipe[1], p, n);
    } while (rc < 0 && errno == EINTR);
    return rc < 0 ? -errno : 0;
}

static int64_t hear(void *ctx, void *p, size_t n, int timeout_ms)
{
    struct child *c = ctx;
    struct pollfd set = {.fd = c->pipe[0], .events = POLLIN};
    if (c->pipe[0] < 0)
        return 0;
    if (poll(&set, 1, timeout_ms) <= 0)
        return -EAGAIN;
    ssize_t got = read(c->pipe[0], p, n);
    return got < 0 ? (errno == EINTR ? -EAGAIN : -errno) : got;
}

static int stop(void *ctx, bool by_kill)
{
    struct child *c = ctx;
    int status = 0;
    pid_t rc;
    if (!c->pid)
        return -ECHILD;
    if (by_kill)
        kill(c->pid, SIGKILL);
    do {
        rc = waitpid(c->pid, &status, 0);
    } while (rc < 0 && errno == EINTR);
    c->pid = 0;
    if (rc < 0)
        return -errno;
    return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int link_at(void *ctx, int dir, const char *to, const char *name,
                   bool symbolic)
{
    (void)ctx;
    int rc =
        symbolic ? symlinkat(to, dir, name) : linkat(dir, to, dir, name, 0);
    return rc ? -errno : 0;
}

void child_init(struct child *c)
{
    *c = (struct child){.host = {.struct_size = sizeof c->host,
                                 .ctx = c,
                                 .start = start,
                                 .say = say,
                                 .hear = hear,
                                 .stop = stop,
                                 .link_at = link_at},
                        .pipe = {-1, -1}};
}

void child_fini(struct child *c)
{
    stop(c, true);
    close_end(c, 0);
}
