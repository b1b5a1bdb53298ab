/*
 * left.h - what killed commands leave in a directory.
 *
 *   drill-XXXXXXXX[.part-XXXXXXXX]/   the copy of a drill
 *   store.new/                        a store that a replay made
 *   salvage/                          segments that a salvage wrote
 *   N.jsonl.new in log/, N.jsonl.gz.new in archive/   what was to become one
 *
 * Whoever makes such a thing again takes the old one away; nothing else reads
 * it.  But it may have a payload that is redacted.
 */
#ifndef PLOG_LEFT_H
#define PLOG_LEFT_H

#include "dir.h"

#define PLOG_SALVAGE_DIR "salvage"

/* What could not be removed. */
struct plog_left {
    uint64_t count;
    int why;        /* of the first: a negative errno, */
    char file[300]; /* and which it is, below the directory */
};

/*
 * Removes all of it, on disk.
 * @d     under the writer lock and the maintenance lock, and that of drills:
 *        their makers hold one of these
 * @left  out: what stays
 * Returns 0 or PLOG_E_IO.
 */
PLOG_MUST_CHECK int plog_left_clear(struct plog_dir *d, struct plog_left *left,
                                    struct plog_error *err);

/* The store alone, under the writer lock.  Returns 0, also when there is none,
 * or a negative errno. */
int plog_left_store(const struct plog_dir *d);

/*
 * Removes folders in `parent` (a handle) whose names are `stem` and 8
 * hexadecimal digits (and .part- with 8 more), unless somebody is at work on
 * them and holds a lock on their handle.
 * @path  of the parent, for the names
 * @left  NULL, or is told what stays
 * Returns what listing them gave.
 */
int plog_left_sweep(const struct plog_io *io, int parent, const char *path,
                    const char *stem, struct plog_left *left);

/* The segments in the folder of a salvage, open at `dir`; what else somebody
 * has put there stays.  Returns 0 or a negative errno. */
PLOG_MUST_CHECK int plog_left_salvage(const struct plog_io *io, int dir);

/* Removes a folder in the shape of a log's directory: its files, and those in
 * the folders that a log has.  Anything else in it is left, and so is the
 * folder then.  Returns 0 or a negative errno. */
PLOG_MUST_CHECK int plog_left_remove(const struct plog_io *io,
                                     const char *path);

#endif
