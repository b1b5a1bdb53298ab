/* proc.c - see proc.h. */
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define GRACE_MS 200 /* for a reader, after an interrupt */

static volatile sig_atomic_t interrupted;

/* The handler writes to this pipe, so that an interrupt that arrives just
 * before poll() still wakes it. */
static int wake[2] = {-1, -1};

static void on_interrupt(int signal_number)
{
    int saved = errno;
    (void)signal_number;
    interrupted = 1;
    if (wake[1] >= 0 && write(wake[1], "", 1) < 0)
        interrupted = 1; /* full: it wakes all the same */
    errno = saved;
}

static void ignore(int signal_number)
{
    struct sigaction action = {.sa_handler = SIG_IGN};
    sigemptyset(&action.sa_mask);
    sigaction(signal_number, &action, NULL);
}

static void catch_interrupt(int signal_number)
{
    struct sigaction action;
    if (sigaction(signal_number, NULL, &action) == 0 &&
        action.sa_handler == SIG_IGN)
        return;
    action = (struct sigaction){.sa_handler = on_interrupt,
                                .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(signal_number, &action, NULL);
}

/* A closed input is opened for writing and a closed output for reading, so
 * that using it fails instead of giving nothing or losing what is said. */
static void fill_standard_handles(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
            continue;
        if (open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
            _exit(1);
    }
}

void proc_start(void)
{
    fill_standard_handles();
    if (pipe2(wake, O_CLOEXEC | O_NONBLOCK) != 0)
        wake[0] = wake[1] = -1;
    ignore(SIGPIPE);
    ignore(SIGXFSZ);
    catch_interrupt(SIGINT);
    catch_interrupt(SIGTERM);
}

bool proc_interrupted(void)
{
    return interrupted != 0;
}

int proc_wait_input(int fd, int timeout_ms)
{
    struct pollfd set[2] = {{.fd = fd, .events = POLLIN},
                            {.fd = wake[0], .events = POLLIN}};
    for (;;) {
        if (interrupted)
            return -1;
        int ready = poll(set, 2, timeout_ms);
        if (interrupted)
            return -1;
        if (ready == 0)
            return 0;
        if (ready > 0)
            return set[0].revents != 0;
        if (errno != EINTR)
            return 1; /* the read will say what is wrong */
    }
}

int proc_wait_output(void)
{
    struct pollfd set[2] = {{.fd = STDOUT_FILENO, .events = POLLOUT},
                            {.fd = wake[0], .events = POLLIN}};
    for (;;) {
        bool hurry = interrupted != 0;
        int ready = poll(set, hurry ? 1 : 2, hurry ? GRACE_MS : -1);
        if (ready < 0 && errno != EINTR)
            return 1; /* the write will say what is wrong */
        if (ready > 0 && set[0].revents != 0)
            return 1;
        if (hurry && ready == 0)
            return -1;
    }
}

bool proc_output_closed(void)
{
    struct pollfd set = {.fd = STDOUT_FILENO, .events = 0};
    return poll(&set, 1, 0) > 0 && (set.revents & (POLLERR | POLLNVAL)) != 0;
}

void proc_no_core(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
}

double proc_clock(void)
{
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
