/*
 * io.h - helpers above the I/O table.
 *
 * All return 0 or a negative errno value, as the table does; turn it into an
 * error with plog_fail_io.  Files are opened without following links, and
 * only regular files with one link are read.
 */
#ifndef PLOG_IO_H
#define PLOG_IO_H

#include "buf.h"

/* The effective user, to compare with plog_stat.owner.  Stands beside the
 * table, which has no entry for it: a simulated table gives its files this
 * owner. */
uint32_t plog_io_effective_user(void);

/* How many processors this process may run on; at least 1. */
unsigned plog_io_processors(void);

/* Maps the first `n` bytes of a file into memory that processes share.  Stands
 * beside the table, too: what is shared must be the real thing.  NULL when that
 * failed. */
void *plog_io_map(int fd, size_t n);
void plog_io_unmap(void *map, size_t n);

/* When a wait of `seconds` that begins now is over, on the monotonic clock.  0
 * or less, or not a number: at once.  INFINITY, and what the clock cannot
 * count: never (INT64_MAX). */
int64_t plog_io_until(const struct plog_io *io, double seconds);
/* How many seconds of it are left, for what waits next: 0 or more. */
double plog_io_left(const struct plog_io *io, int64_t until);

/* The same in ms for SQLite, which counts them in an int: at most some three
 * weeks. */
int plog_io_wait_ms(double seconds);

/* Whether an errno value says that a name is no file as we make them: a link, a
 * folder, a FIFO, a second name.  Any other is a failure. */
bool plog_io_says_odd(int rc);

/* Whether `fd` is a regular file with exactly one link.  Returns 0; -EISDIR
 * for a directory, -EINVAL for another kind, -EMLINK for other link counts;
 * or what stat failed with. */
PLOG_MUST_CHECK int plog_io_check_regular(const struct plog_io *io, int fd);

/*
 * Opens the file that `name` below `dir` has, which must be a regular one with
 * one link.  One that lost the name to another, as a rename gives it, between
 * opening and looking is opened anew; a FIFO does not hang it.
 * @flags  O_RDONLY or O_RDWR
 * Returns a descriptor, to close; what opening it failed with; or as
 * plog_io_check_regular.
 */
PLOG_MUST_CHECK int plog_io_open_regular(const struct plog_io *io, int dir,
                                         const char *name, int flags);

/*
 * Reads `n` bytes at `offset`, over short reads and signals.
 * @got  out: bytes read, also on failure; less than `n` with return 0 means
 *       that the file ends there
 */
PLOG_MUST_CHECK int plog_io_pread_full(const struct plog_io *io, int fd,
                                       void *p, size_t n, uint64_t offset,
                                       size_t *got);

/*
 * Writes `n` bytes at `offset`, over short writes and signals.
 * @written  out, may be NULL: bytes that the table took, also on failure, so
 *           that the caller knows what to undo
 * Returns 0 when all were taken; -ENOSPC when the table takes none and gives
 * no reason.
 */
PLOG_MUST_CHECK int plog_io_write_full(const struct plog_io *io, int fd,
                                       const void *p, size_t n, uint64_t offset,
                                       size_t *written);

/*
 * Appends the whole file `name` below `dir` to `out`.
 * @max  most bytes it may have
 * Returns 0; -EFBIG when it is longer; -ENOENT; -ELOOP for a symbolic link;
 * as plog_io_check_regular; -ENOMEM.  On failure `out` is as before.
 * Not for secrets: growing `out` leaves copies behind.
 */
PLOG_MUST_CHECK int plog_io_read_all(const struct plog_io *io, int dir,
                                     const char *name, size_t max,
                                     struct plog_buf *out);

/*
 * Makes file `name` below `dir` hold `n` bytes, all or nothing: writes
 * `name``suffix` (O_EXCL), fdatasync, rename, fsync of the directory.  A
 * temporary file that a crash left behind is removed first, so the caller
 * keeps other writers of the same name out.
 * @replace  false: -EEXIST when `name` is there, which then stays as it is
 * Returns 0: the file is on disk under its name.  On failure `name` is as
 * before, unless the last fsync failed: then it holds the new bytes and may
 * lose them in a crash.
 */
PLOG_MUST_CHECK int plog_io_write_file(const struct plog_io *io, int dir,
                                       const char *name, const char *suffix,
                                       const void *data, size_t n,
                                       uint32_t mode, bool replace);

#endif
