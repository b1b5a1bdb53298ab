/*
 * new_file.h - a file for --out, which appears whole or not at all.
 *
 * It is written as PATH.part-..., in the folder of PATH, and gets its name when
 * it is on disk.  So a kill leaves nothing that looks whole, and the next run
 * is not refused for it; what it leaves is nobody's to remove, for its name
 * alone does not say that it is ours.
 */
#ifndef TOOLS_NEW_FILE_H
#define TOOLS_NEW_FILE_H

#include <stdio.h>

#include "paritylog.h"

struct new_file {
    FILE *f;          /* NULL: not open */
    const char *path; /* the caller's */
    char *part;
    int why;    /* errno of the first write that failed */
    bool any;   /* something was written */
    bool named; /* out, by new_file_keep: it has its name */
};

/* Opens it for writing.
 * @dir  of the log, which it must not lie in
 * Returns 0; PLOG_E_EXISTS when something has that name; PLOG_E_INPUT;
 * PLOG_E_IO; PLOG_E_NOMEM. */
PLOG_MUST_CHECK int new_file_open(struct new_file *n, const char *dir,
                                  const char *path, unsigned mode,
                                  struct plog_error *err);

/* Not 0: it failed, which new_file_close tells. */
int new_file_write(struct new_file *n, const char *p, size_t len);

/* Closes it.
 * @rc  0: it is to get its name; else it is removed
 * Returns `rc`, or what went wrong with the file, where writing failed or it
 * was to be kept: as above. */
PLOG_MUST_CHECK int new_file_close(struct new_file *n, int rc,
                                   struct plog_error *err);

/*
 * The same for what can perhaps not be read again: it is removed only when
 * nothing was written, or not all of what was given.
 * @whole  it has all that it is to have and gets its name, whatever `rc` says
 * @left   out: the PATH.part-... that stays, on disk; the caller frees it.
 *         NULL: none
 */
PLOG_MUST_CHECK int new_file_keep(struct new_file *n, bool whole, int rc,
                                  char **left, struct plog_error *err);

#endif
