/*
 * outlog.h - writing a log in a new place, from groups that were verified.
 *
 * Nothing is signed here: lines and commits are written as they are, and a
 * header is a function of the commit before it.  So the files are those of
 * the log that they come from, byte for byte.
 */
#ifndef PLOG_OUTLOG_H
#define PLOG_OUTLOG_H

#include "dir.h"
#include "line.h"
#include "scan.h"

struct plog_outlog {
    const struct plog_io *io;
    int dir; /* log/, borrowed */
    int fd;  /* the segment at hand; -1: none */
    uint64_t offset;
    struct plog_buf pending;
    uint64_t segments, bytes; /* written so far */
};

void plog_outlog_init(struct plog_outlog *o, const struct plog_io *io, int dir);

/* Ends the segment at hand, synced, and begins the one that follows commit
 * `last` (size 0: the first).  Returns 0; PLOG_E_IO; PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_outlog_segment(struct plog_outlog *o,
                                        const char *origin,
                                        const struct plog_tree *tree,
                                        const struct plog_commit *last,
                                        struct plog_error *err);
/* Adds bytes as they are: one line with its LF, or many. */
PLOG_MUST_CHECK int plog_outlog_add(struct plog_outlog *o, const void *p,
                                    size_t n, struct plog_error *err);
/* Adds a group as `scan` holds it. */
PLOG_MUST_CHECK int plog_outlog_group(struct plog_outlog *o,
                                      const struct plog_scan *scan,
                                      const struct plog_log_group *g,
                                      struct plog_error *err);
/* Ends the last segment.  On return 0 every file is on disk, with its name. */
PLOG_MUST_CHECK int plog_outlog_finish(struct plog_outlog *o,
                                       struct plog_error *err);
void plog_outlog_close(struct plog_outlog *o);

#endif
