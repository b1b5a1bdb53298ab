/*
 * place.h - a new directory in the shape of a log's, which appears whole or
 * not at all.
 *
 * It is built beside its path under a name of its own and renamed when all of
 * it is on disk; so a half-built copy is never taken for a log.  What a kill
 * leaves is such a folder, PATH.part-XXXXXXXX; the next one with the same path
 * removes it.  A lock on the folder itself says that somebody is at work on it.
 */
#ifndef PLOG_PLACE_H
#define PLOG_PLACE_H

#include "dir.h"

struct plog_place {
    const struct plog_io *io;
    char path[PLOG_DIR_PATH_MAX]; /* where it will be */
    char part[PLOG_DIR_PATH_MAX]; /* where it is built; "" when there is none */
    struct plog_dir dir; /* its handles, not locked: nobody knows the name */
};

/*
 * Makes the folder with log/ and keys/.
 * @path  must not exist yet; its parent must
 * Returns 0; PLOG_E_EXISTS when `path` is there; PLOG_E_INPUT in a folder of
 * some log's directory; PLOG_E_ARG for a path that is too long; PLOG_E_IO.
 */
PLOG_MUST_CHECK int plog_place_make(struct plog_place *p,
                                    const struct plog_io *io, const char *path,
                                    struct plog_error *err);

/* Whether it could be made there, as far as the path tells; as plog_place_make,
 * which makes nothing then. */
PLOG_MUST_CHECK int plog_place_check(const struct plog_io *io, const char *path,
                                     struct plog_error *err);

/* Copies the verifier keys of `from` (and with `secret` its signing key,
 * also that of a rotation that has not ended).
 * Returns 0; PLOG_E_IO; PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_place_keys(struct plog_place *p,
                                    const struct plog_dir *from, bool secret,
                                    struct plog_error *err);

/* Copies orders/ of `from`, if it has one: the orders to redact that its log
 * does not hold itself.  Returns 0; PLOG_E_IO; PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_place_orders(struct plog_place *p,
                                      const struct plog_dir *from,
                                      struct plog_error *err);
/* Copies the snapshot of `floor`.  Returns 0; PLOG_E_PRUNED when there is none;
 * PLOG_E_IO; PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_place_snapshot(struct plog_place *p,
                                        const struct plog_dir *from,
                                        uint64_t floor, struct plog_error *err);
/* Writes one more: the proof of the order at entry `at`. */
PLOG_MUST_CHECK int plog_place_order(struct plog_place *p, uint64_t at,
                                     struct plog_span proof,
                                     struct plog_error *err);

/* Syncs every directory, gives the folder its name and syncs the parent.
 * On return 0 it is on disk under `path`.  PLOG_E_EXISTS; PLOG_E_IO. */
PLOG_MUST_CHECK int plog_place_finish(struct plog_place *p,
                                      struct plog_error *err);

/* After a failure: that of a full disk says that it is the new path's. */
void plog_place_say_full(const struct plog_place *p, struct plog_error *err);

/* Closes the handles.  What was not finished is removed: it is a copy of what
 * lies elsewhere. */
void plog_place_close(struct plog_place *p);

#endif
