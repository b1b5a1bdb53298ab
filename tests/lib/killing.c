/* killing.c - see killing.h. */
#include "killing.h"

#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define KILLED 9

static long left; /* calls until the end */
static const struct plog_io *real;

static void tick(void)
{
    if (--left == 0)
        _exit(KILLED);
}

static int k_open(void *c, int d, const char *n, int f, uint32_t m)
{
    tick();
    return real->open_at(c, d, n, f, m);
}
static int64_t k_pwrite(void *c, int fd, const void *b, size_t n, uint64_t o)
{
    if (left == 1) /* half of it arrives */
        real->pwrite(c, fd, b, n / 2, o);
    tick();
    return real->pwrite(c, fd, b, n, o);
}
static int k_datasync(void *c, int fd)
{
    tick();
    return real->fdatasync(c, fd);
}
static int k_sync(void *c, int fd)
{
    tick();
    return real->fsync(c, fd);
}
static int k_rename(void *c, int d, const char *n, int e, const char *m, bool r)
{
    tick();
    return real->rename_at(c, d, n, e, m, r);
}
static int k_unlink(void *c, int d, const char *n)
{
    tick();
    return real->unlink_at(c, d, n);
}
static int k_event(void *c, const struct plog_store_event *e)
{
    (void)c;
    if (e->op != PLOG_STORE_READ)
        tick();
    return 0;
}

const struct plog_io *killing_io(long n)
{
    static struct plog_io io;
    real = plog_io_posix();
    io = *real;
    io.open_at = k_open;
    io.pwrite = k_pwrite;
    io.fdatasync = k_datasync;
    io.fsync = k_sync;
    io.rename_at = k_rename;
    io.unlink_at = k_unlink;
    io.store_event = k_event;
    left = n;
    return &io;
}

bool killing_run(long n, int (*act)(void *arg, const struct plog_io *io),
                 void *arg)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0)
        _exit(act(arg, killing_io(n)) ? 1 : 0);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status) &&
          (WEXITSTATUS(status) == KILLED || WEXITSTATUS(status) == 0));
    return WIFEXITED(status) && WEXITSTATUS(status) == KILLED;
}
