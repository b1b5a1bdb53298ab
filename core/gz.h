/*
 * gz.h - gzip files (RFC 1952), written and read in a stream through the I/O
 * table.
 *
 * One member, without a name or a time, so that the same bytes give the same
 * file.  Memory: what zlib needs (some 300 KiB), from the table.
 */
#ifndef PLOG_GZ_H
#define PLOG_GZ_H

#include <zlib.h>

#include "err.h"

#define PLOG_GZ_BUFFER 65536

struct plog_gz {
    const struct plog_io *io;
    int fd;          /* borrowed */
    uint64_t offset; /* in the file */
    z_stream z;
    bool writing, open, ended;
    unsigned char *buffer; /* PLOG_GZ_BUFFER bytes of the file */
};

/* Begins to write at the start of `fd`.
 * @level  zlib's: 1 fastest .. 9 smallest
 * Returns 0 or PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_gz_create(struct plog_gz *g, const struct plog_io *io,
                                   int fd, int level, struct plog_error *err);
/* Returns 0; PLOG_E_IO. */
PLOG_MUST_CHECK int plog_gz_write(struct plog_gz *g, const void *p, size_t n,
                                  struct plog_error *err);
/* Writes what is left; the file is not synced yet. */
PLOG_MUST_CHECK int plog_gz_finish(struct plog_gz *g, struct plog_error *err);

/* Begins to read from the start of `fd`. */
PLOG_MUST_CHECK int plog_gz_open(struct plog_gz *g, const struct plog_io *io,
                                 int fd, struct plog_error *err);
/*
 * Reads up to `n` bytes.
 * @got  out: fewer than `n` only at the end of the file
 * Returns 0; PLOG_E_CORRUPT when it is not gzip, is cut off, or has bytes
 * behind its end; PLOG_E_IO.
 */
PLOG_MUST_CHECK int plog_gz_read(struct plog_gz *g, void *p, size_t n,
                                 size_t *got, struct plog_error *err);

void plog_gz_close(struct plog_gz *g); /* may be called twice */

#endif
