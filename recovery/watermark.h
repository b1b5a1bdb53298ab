/*
 * watermark.h - a head up to which both legs were checked, as a signed note in
 * a file of the caller's.
 *
 * The note is the log's own commit: nothing is signed anew, and whoever keeps
 * it has a witness of that head, too.
 */
#ifndef PLOG_WATERMARK_H
#define PLOG_WATERMARK_H

#include "dir.h"
#include "line.h"
#include "witness.h"

/*
 * Before a check that is to end with one: whether `path` may be written.
 * Returns 0; PLOG_E_INPUT when it lies in the log's own directory `dir`, or is
 * a file with something else in it than one note, which would be lost;
 * PLOG_E_IO without its folder; PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_watermark_place(const struct plog_io *io,
                                         const char *dir, const char *path,
                                         struct plog_error *err);
/* Writes the note of commit `c` to `path`, in the place of what is there.
 * Returns 0: it is on disk; PLOG_E_IO; PLOG_E_NOMEM.  On failure the old file
 * is as it was. */
PLOG_MUST_CHECK int plog_watermark_write(const struct plog_io *io,
                                         const char *path, const char *origin,
                                         const struct plog_vkey *key,
                                         const struct plog_commit *c,
                                         struct plog_error *err);

/*
 * Reads the last note of `path`: a watermark, a checkpoint or a witness file.
 * @keys  that may have signed it
 * Returns 0; PLOG_E_NOTHING when there is no such file; PLOG_E_INPUT when it
 * is not such a file; PLOG_E_FOREIGN, PLOG_E_UNKNOWN_KEY, PLOG_E_TAMPERED of
 * the note; PLOG_E_IO; PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_watermark_read(const struct plog_io *io,
                                        const char *path,
                                        const struct plog_keyring *keys,
                                        struct plog_seen *out,
                                        struct plog_error *err);

#endif
