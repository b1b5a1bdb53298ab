/*
 * find_line.h - one entry line, found in the log by its seq.
 */
#ifndef PLOG_FIND_LINE_H
#define PLOG_FIND_LINE_H

#include "dir.h"

/*
 * Finds entry `seq` by bisecting the segment that holds it (lines are in
 * order of seq) and appends its line to `out`.  Checks nothing but the seq:
 * the caller compares the line with what it knows.
 * @segment, @offset  where the log in force ends
 * Returns 0; PLOG_E_CORRUPT when it is not where it must be; PLOG_E_IO;
 * PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_find_line(const struct plog_dir *dir, uint64_t segment,
                                   uint64_t offset, uint64_t seq,
                                   struct plog_buf *out,
                                   struct plog_error *err);

/*
 * The same for many: the folders are listed once, and the segment of the last
 * one stays open, which out of the archive spares expanding it for each.  No
 * segment comes, goes or is replaced meanwhile.
 */
struct plog_finder {
    const struct plog_dir *dir;
    /* Its own; begins with zeros. */
    bool listed;
    struct plog_buf segments; /* uint64_t, ascending */
    uint64_t first;           /* of the segment at hand; 0: none */
    int fd;
    struct plog_stat id;
};

PLOG_MUST_CHECK int plog_finder_line(struct plog_finder *f, uint64_t segment,
                                     uint64_t offset, uint64_t seq,
                                     struct plog_buf *out,
                                     struct plog_error *err);
/* As plog_find_segment. */
PLOG_MUST_CHECK int plog_finder_segment(struct plog_finder *f, uint64_t seq,
                                        uint64_t *first,
                                        struct plog_error *err);
void plog_finder_close(struct plog_finder *f); /* may be called twice */

/* The segment that holds `seq`: the largest first at or below it; 0: none. */
PLOG_MUST_CHECK int plog_find_segment(const struct plog_dir *dir, uint64_t seq,
                                      uint64_t *first, struct plog_error *err);

#endif
