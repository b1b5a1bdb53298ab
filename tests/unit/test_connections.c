/*
 * test_connections.c - how many stores a process has open, as its forked
 * children find out.
 */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "connections.h"

/* What a child hears that opens one. */
static int in_child(void)
{
    int status = -1;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(plog_connections_begin(plog_io_posix(), NULL) ? 1 : 0);
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void until_the_last_is_closed(void)
{
    const struct plog_io *io = plog_io_posix();
    CHECK_INT(in_child(), 0);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(plog_connections_begin(io, NULL), 0);
        CHECK_INT(plog_connections_begin(io, NULL), 0);
        CHECK_INT(in_child(), 1);
        plog_connections_end(io);
        CHECK_INT(in_child(), 1);
        plog_connections_end(io);
        CHECK_INT(in_child(), 0);
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"until the last is closed", until_the_last_is_closed},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
