/* calls.c - see calls.h. */
#include "calls.h"

#include <stdatomic.h>

ssize_t (*calls_pwrite)(int fd, const void *p, size_t n, off_t at);
int (*calls_fsync)(int fd);
int (*calls_fdatasync)(int fd);

static _Atomic uint64_t syncs;

/* The C library calls it pwrite64 where offsets are asked to have 64 bits. */
ssize_t __real_pwrite(int fd, const void *p, size_t n, off_t at);
ssize_t __wrap_pwrite(int fd, const void *p, size_t n, off_t at);
ssize_t __wrap_pwrite64(int fd, const void *p, size_t n, off_t at);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

_Static_assert(sizeof(off_t) == 8, "one pwrite for both names");

ssize_t calls_real_pwrite(int fd, const void *p, size_t n, off_t at)
{
    return __real_pwrite(fd, p, n, at);
}

int calls_real_fsync(int fd)
{
    return __real_fsync(fd);
}

int calls_real_fdatasync(int fd)
{
    return __real_fdatasync(fd);
}

uint64_t calls_syncs(void)
{
    return syncs;
}

ssize_t __wrap_pwrite(int fd, const void *p, size_t n, off_t at)
{
    return calls_pwrite ? calls_pwrite(fd, p, n, at)
                        : __real_pwrite(fd, p, n, at);
}

ssize_t __wrap_pwrite64(int fd, const void *p, size_t n, off_t at)
{
    return __wrap_pwrite(fd, p, n, at);
}

int __wrap_fsync(int fd)
{
    syncs++;
    return calls_fsync ? calls_fsync(fd) : __real_fsync(fd);
}

int __wrap_fdatasync(int fd)
{
    syncs++;
    return calls_fdatasync ? calls_fdatasync(fd) : __real_fdatasync(fd);
}
