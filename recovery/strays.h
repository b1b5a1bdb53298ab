/*
 * strays.h - segments of log/ at or below the floor that do not lead to it.
 */
#ifndef PLOG_STRAYS_H
#define PLOG_STRAYS_H

#include "walk.h"

/*
 * Lists them: each is damaged, or of another history, or something between it
 * and the floor is missing or is so.  Where there is none at or below the floor
 * no file is read.
 * @trusted  keys
 * @keys     of the log, up to the floor
 * @floor    the commit that stands there
 * @list     out: uint64_t, their first seqs, ascending
 * Returns 0; PLOG_E_IO; PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_strays(const struct plog_dir *dir,
                                const struct plog_keyring *trusted,
                                const struct plog_keychain *keys,
                                const struct plog_commit *floor,
                                struct plog_buf *list, struct plog_error *err);

#endif
