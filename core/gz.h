/*
 * gz.h - gzip files (RFC 1952), written and read in a stream through the I/O
 * table.
 *
 * One member, without a name or a time, so that the same bytes give the same
 * file.  What is longer than 256 KiB is compressed by a second thread, too.
 * Memory, from the table: 300 KiB to read; 2.8 MiB to write.
 */
#ifndef PLOG_GZ_H
#define PLOG_GZ_H

#include <zlib.h>

#include "err.h"

#define PLOG_GZ_BUFFER 65536

struct plog_gz_writer; /* gz_write.c */

struct plog_gz {
    const struct plog_io *io;
    int fd;                        /* borrowed */
    uint64_t offset;               /* in the file */
    struct plog_gz_writer *writer; /* NULL: reading, with what follows */
    z_stream z;
    bool open, ended;
    unsigned char *buffer; /* PLOG_GZ_BUFFER bytes of the file */
};

/* Begins to write at the start of `fd`.  The second thread calls nothing of
 * the table.
 * @level  zlib's: 1 fastest .. 9 smallest
 * Returns 0; PLOG_E_NOMEM; PLOG_E_IO. */
PLOG_MUST_CHECK int plog_gz_create(struct plog_gz *g, const struct plog_io *io,
                                   int fd, int level, struct plog_error *err);
/* Returns 0; PLOG_E_IO. */
PLOG_MUST_CHECK int plog_gz_write(struct plog_gz *g, const void *p, size_t n,
                                  struct plog_error *err);
/* Writes what is left; the file is not synced yet. */
PLOG_MUST_CHECK int plog_gz_finish(struct plog_gz *g, struct plog_error *err);

/* Makes zlib take its memory from the table. */
void plog_gz_memory(z_stream *z, const struct plog_io *io);

/* What closing does when it was written. */
void plog_gz_end_writing(struct plog_gz *g);

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
