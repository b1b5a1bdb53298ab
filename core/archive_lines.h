/*
 * archive_lines.h - the lines of a segment in a stream, packed or not.
 *
 * Nothing is written, and of a packed one no more is expanded than is read; so
 * a reader that stops at the first line which it does not take is safe from
 * files that expand without end.  Nothing here is verified.
 */
#ifndef PLOG_ARCHIVE_LINES_H
#define PLOG_ARCHIVE_LINES_H

#include "archive.h"
#include "gz.h"

#define PLOG_LINE_LONGEST (PLOG_LINE_MAX + PLOG_LINE_SLACK)
#define PLOG_HEADER_MOST 65536 /* of a segment, without its LF */

struct plog_archive_lines {
    const struct plog_io *io;
    const char *folder;
    uint64_t first; /* the segment, or the floor of a snapshot */
    bool packed;
    int fd;          /* -1: not open */
    uint64_t offset; /* in a file that is not packed */
    struct plog_gz gz;
    struct plog_buf text; /* not given out yet, from `at` on */
    size_t at;
    int ended;             /* 0; PLOG_END, or what reading failed with ... */
    struct plog_error why; /* ... which comes behind the lines before it */
};

/* Opens the archived segment `first`.
 * Returns 0; PLOG_E_CORRUPT when it is missing, or no file; PLOG_E_IO;
 * PLOG_E_NOMEM. Close it in any case. */
PLOG_MUST_CHECK int plog_archive_lines_open(struct plog_archive_lines *l,
                                            const struct plog_dir *d,
                                            uint64_t first,
                                            struct plog_error *err);
/* The same of the one in log/, if it is there. */
PLOG_MUST_CHECK int plog_segment_lines_open(struct plog_archive_lines *l,
                                            const struct plog_dir *d,
                                            uint64_t first,
                                            struct plog_error *err);
/* ... and of a snapshot. */
PLOG_MUST_CHECK int plog_snapshot_lines_open(struct plog_archive_lines *l,
                                             const struct plog_dir *d,
                                             uint64_t floor,
                                             struct plog_error *err);
/*
 * Gives the next line, without its LF, until the next call.
 * @max  bytes that it may have
 * Returns 0; PLOG_END; PLOG_E_CORRUPT when it is longer, or the file is cut
 * off or damaged; PLOG_E_IO; PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_archive_lines_next(struct plog_archive_lines *l,
                                            size_t max, struct plog_span *line,
                                            struct plog_error *err);
/* The same for a line that must be the header of a segment. */
struct plog_segment_header;
PLOG_MUST_CHECK int plog_archive_lines_header(struct plog_archive_lines *l,
                                              struct plog_segment_header *out,
                                              struct plog_error *err);
/* Says what is wrong with the line just given, and with which file.
 * Returns PLOG_E_CORRUPT. */
int plog_archive_lines_odd(const struct plog_archive_lines *l, const char *what,
                           struct plog_error *err);
void plog_archive_lines_close(struct plog_archive_lines *l);

/*
 * The last entry of a segment of log/ or, if it is not there, of archive/, as
 * its last line says; 0: it does not, or another line is none of a segment's.
 * No more lines are read than entries up to `last`, and a commit behind each,
 * so that no file is read for ever.
 */
uint64_t plog_segment_lines_end(const struct plog_dir *d, uint64_t first,
                                uint64_t last);

#endif
