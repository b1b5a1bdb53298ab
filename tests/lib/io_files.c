/* io_files.c - see io_files.h. */
#include "io_files.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "io.h"

static const struct plog_io *io(void)
{
    return plog_io_posix();
}

int io_files_open(int dir, const char *name, int flags)
{
    return io()->open_at(NULL, dir, name, flags, 0600);
}

int io_files_dir(void)
{
    int fd = io_files_open(AT_FDCWD, check_dir(), O_RDONLY | O_DIRECTORY);
    CHECK(fd >= 3);
    return fd;
}

void io_files_put(int dir, const char *name, const char *text)
{
    int fd = io_files_open(dir, name, O_WRONLY | O_CREAT | O_TRUNC);
    size_t n = strlen(text);
    CHECK_INT(io()->pwrite(NULL, fd, text, n, 0), n);
    CHECK_INT(io()->close(NULL, fd), 0);
}

void io_files_check(int dir, const char *name, const char *want)
{
    struct plog_buf b;
    plog_buf_init(&b, io());
    CHECK_INT(plog_io_read_all(io(), dir, name, 4096, &b), 0);
    CHECK_BYTES(b.data, b.len, want, strlen(want));
    plog_buf_fini(&b);
}

int io_files_in_child(int (*body)(int arg), int arg)
{
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(body(arg));
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}
