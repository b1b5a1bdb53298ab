/*
 * archive.h - segments that were compacted away, kept as gzip files.
 *
 *   DIR/archive/00000000000000000001.jsonl.gz
 *
 * Expanded it is the segment, byte for byte.  Reading one makes a file without
 * a name beside it (or in /tmp, where it cannot be written), as large as the
 * segment.
 */
#ifndef PLOG_ARCHIVE_H
#define PLOG_ARCHIVE_H

#include "dir.h"

#define PLOG_ARCHIVE_DIR "archive"
#define PLOG_ARCHIVE_NAME (PLOG_SEGMENT_NAME + 3) /* .gz */
/* Of one that is missing or damaged. */
#define PLOG_ARCHIVE_HINT                                                      \
    "copy that file from a backup; paritylog doctor DIR then looks at all of"  \
    " archive/"

/* Of what lies below the floor, for who has looked there. */
#define PLOG_ARCHIVE_NOT_HERE                                                  \
    "archive/ does not have it any more: put the files of archive/ back from"  \
    " a backup, or ask a backup of DIR"

void plog_archive_name(uint64_t first, char out[PLOG_ARCHIVE_NAME]);
/* Returns 0 when `name` is not an archived segment's. */
uint64_t plog_archive_parse(const char *name);

/* Opens archive/.  @make  when it is missing, too, durably
 * Returns 0 with *fd; PLOG_END when there is none; PLOG_E_IO. */
PLOG_MUST_CHECK int plog_archive_dir(const struct plog_dir *d, bool make,
                                     int *fd, struct plog_error *err);

/* Adds the first seqs of the archived segments to a list (uint64_t), in no
 * order.  Returns 0; PLOG_E_IO; PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_archive_segments(const struct plog_dir *d,
                                          struct plog_buf *list,
                                          struct plog_error *err);

/* Whether something there has the name of segment `first`.
 * Returns 0 with *has; PLOG_E_IO. */
PLOG_MUST_CHECK int plog_archive_has(const struct plog_dir *d, uint64_t first,
                                     bool *has, struct plog_error *err);

/* Opens an archived segment, expanded, for reading.
 * Returns 0 with *fd, which else is untouched; PLOG_E_CORRUPT when it is
 * missing or damaged; PLOG_E_IO. */
PLOG_MUST_CHECK int plog_archive_open(const struct plog_dir *d, uint64_t first,
                                      int *fd, struct plog_stat *id,
                                      struct plog_error *err);

/* Opens it as it lies there, compressed.  Returns as above. */
PLOG_MUST_CHECK int plog_archive_open_packed(const struct plog_dir *d,
                                             uint64_t first, int *fd,
                                             struct plog_error *err);

/* Expands `from`.  Without `compare` writes it to `to`, else looks whether that
 * is what `to` holds, up to its end.
 * @shown  the file that `to` is, for errors; what fails of `from` names none
 * Returns 0; PLOG_E_CORRUPT when it is no gzip, or differs; PLOG_E_IO;
 * PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_archive_expand(const struct plog_io *io, int from,
                                        int to, const char *shown, bool compare,
                                        struct plog_error *err);

/* Whether the archived segment `first` is the one of log/, byte for byte.
 * Returns 0 with *same; as plog_dir_open_segment; PLOG_E_IO; PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_archive_is_copy(const struct plog_dir *d,
                                         uint64_t first, bool *same,
                                         struct plog_error *err);

/*
 * Moves a file of archive/ or snapshots/ to quarantine/: expanded; as it is
 * where it is no gzip file.
 * @folder  handle of the one or the other
 * @kept    out, 128 bytes: where it went, relative to the directory
 * Returns 0: durable; PLOG_E_IO; PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_archive_aside(const struct plog_dir *d, int folder,
                                       const char *name, char *kept,
                                       struct plog_error *err);

/* Writes segment `first` of log/ to archive/: gzip under another name, synced,
 * read again and compared, renamed, the folder synced.  One that is there and
 * holds the same is left; another one goes to quarantine/.
 * @bytes  out, may be NULL: size of the archived file
 * @aside  out, may be NULL: whether there was such another one
 * Returns 0: durable; PLOG_E_CORRUPT when what was read back differs;
 * PLOG_E_IO; PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_archive_segment(const struct plog_dir *d,
                                         uint64_t first, uint64_t *bytes,
                                         bool *aside, struct plog_error *err);

/* Brings one back to log/, by a rename behind a sync of the file; one that is
 * there stays.  The folder is synced.
 * @brought  out, also when it fails: whether this call put it there
 * Returns as above. */
PLOG_MUST_CHECK int plog_archive_restore(const struct plog_dir *d,
                                         uint64_t first, bool *brought,
                                         struct plog_error *err);

#endif
