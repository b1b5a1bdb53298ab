/* calls.h - the writes and syncs of the library, as the linker hands them to us
 * (--wrap): so it runs over its own I/O table, threads and all, and is watched
 * nevertheless.  Those of SQLite, which is another library, are not seen. */
#ifndef BENCH_CALLS_H
#define BENCH_CALLS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What is called instead; NULL: nothing.  Set before any thread starts. */
extern ssize_t (*calls_pwrite)(int fd, const void *p, size_t n, off_t at);
extern int (*calls_fsync)(int fd);
extern int (*calls_fdatasync)(int fd);

/* The system's own. */
ssize_t calls_real_pwrite(int fd, const void *p, size_t n, off_t at);
int calls_real_fsync(int fd);
int calls_real_fdatasync(int fd);

/* Calls of both syncs so far. */
uint64_t calls_syncs(void);

#endif
