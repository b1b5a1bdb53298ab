/*
 * handles.c - see handles.h.  Stands in front of the C library's close(2), for
 * all of the program but that library itself.
 */
#include "handles.h"

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_uint not_open;

#if defined(__has_feature)
#define HAS(x) __has_feature(x)
#else
#define HAS(x) 0
#endif

/* ThreadSanitizer stands there itself, and so may a test. */
#if !defined(__SANITIZE_THREAD__) && !HAS(thread_sanitizer)
__attribute__((weak)) int close(int fd)
{
    return handles_close(fd);
}
#endif

int handles_close(int fd)
{
    int rc = (int)syscall(SYS_close, (long)fd);
    if (rc && errno == EBADF)
        atomic_fetch_add(&not_open, 1);
    return rc;
}

unsigned handles_not_open(void)
{
    return atomic_load(&not_open);
}

void handles_forgive(unsigned closed)
{
    atomic_fetch_sub(&not_open, closed);
}

unsigned handles_open(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}
