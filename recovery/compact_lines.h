/*
 * compact_lines.h - lines of the log by seq, where they are folded.
 *
 * A snapshot ends with the lines that records stand on, in the order of the
 * records.  They lie in the segments; what is kept of each line is its place
 * and a keyed hash, so that what is read again is what was verified: in memory,
 * and what is too much for that in a file without a name.
 */
#ifndef PLOG_COMPACT_LINES_H
#define PLOG_COMPACT_LINES_H

#include "dir.h"

#define PLOG_COMPACT_LINES_FILE "fold.lines"
#define PLOG_COMPACT_LINES_OPEN 16

struct plog_compact_lines {
    const struct plog_dir *dir;
    int fd;                /* of the places; -1: not open */
    uint64_t first, count; /* seq of the first, and how many there are */
    uint64_t written;      /* of them are in the file, */
    struct plog_buf rest;  /* these are not yet */
    size_t memory;         /* bytes of those */
    unsigned char key[16];
    struct plog_buf segments; /* uint64_t, ascending */
    struct {
        uint64_t segment; /* 0: none */
        int fd;
    } open[PLOG_COMPACT_LINES_OPEN];
    struct plog_buf line;
};

/*
 * Begins with the line of entry `first`.
 * @dir      borrowed
 * @scratch  the folder where the file is made, and its name taken away again
 * @memory   bytes of places, 24 a line, that do not go there
 * Returns 0; PLOG_E_IO; PLOG_E_NOMEM.  Close it in any case.
 */
PLOG_MUST_CHECK int plog_compact_lines_open(struct plog_compact_lines *l,
                                            const struct plog_dir *dir,
                                            int scratch, uint64_t first,
                                            size_t memory,
                                            struct plog_error *err);
/* Notes the next line, verified, at `offset` of a segment. */
PLOG_MUST_CHECK int plog_compact_lines_add(struct plog_compact_lines *l,
                                           uint64_t segment, uint64_t offset,
                                           struct plog_span line,
                                           struct plog_error *err);
/* Reads one again, valid until the next call.  Returns 0; PLOG_E_CORRUPT when
 * it is not what it was; PLOG_E_IO; PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_compact_lines_get(struct plog_compact_lines *l,
                                           uint64_t seq, struct plog_span *out,
                                           struct plog_error *err);
void plog_compact_lines_close(struct plog_compact_lines *l);

#endif
