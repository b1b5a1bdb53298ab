/*
 * aside.h - keeping in quarantine/ what cannot be used, before it goes.
 */
#ifndef PLOG_ASIDE_H
#define PLOG_ASIDE_H

#include "dir.h"

/* Copies bytes from..to of a file into a new one below `to_dir`, and syncs
 * it.  Returns 0 or a negative errno. */
PLOG_MUST_CHECK int plog_aside_copy(const struct plog_io *io, int from_fd,
                                    uint64_t from, uint64_t to, int to_dir,
                                    const char *name);

/*
 * Copies bytes from..to of segment `first` into quarantine/.
 * @name  out, 128 bytes: where they went, relative to the directory
 * Returns 0: the copy is on disk with its name; PLOG_E_CORRUPT when the
 * segment cannot be opened; PLOG_E_IO.
 */
PLOG_MUST_CHECK int plog_aside_bytes(const struct plog_dir *d, uint64_t first,
                                     uint64_t from, uint64_t to, char *name,
                                     struct plog_error *err);

/* The same, but for bytes that a run before this one has kept: then `name` is
 * where, and that is on disk. */
PLOG_MUST_CHECK int plog_aside_once(const struct plog_dir *d, uint64_t first,
                                    uint64_t from, uint64_t to, char *name,
                                    struct plog_error *err);

/* Moves the file `log_name` of log/ into quarantine/; the names are on disk on
 * return.  Returns 0 or PLOG_E_IO. */
PLOG_MUST_CHECK int plog_aside_file(const struct plog_dir *d,
                                    const char *log_name, char *name,
                                    struct plog_error *err);

#endif
