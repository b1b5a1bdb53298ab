/*
 * fresh.h - a store made anew, aside from the one there.
 *
 * Nobody looks at it before it is whole, and a kill leaves nothing to go on
 * with: so SQLite needs no journal and no sync while it is made, and one sync
 * at the end.  For `replay --fresh` it is made in DIR/store.new, and its file
 * gets the name of the store at last.  What a kill leaves is that folder; the
 * next replay removes it.
 */
#ifndef PLOG_FRESH_H
#define PLOG_FRESH_H

#include "legs.h"

/*
 * Makes the store of `l` without journal and without syncs, from here on.
 * @l   its store was just made, with tables and nothing in them
 * @fd  out: its file, for plog_fresh_end; -1 on failure
 * Returns 0; PLOG_E_IO; PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_fresh_begin(struct plog_legs *l, int *fd,
                                     struct plog_error *err);

/*
 * Makes it an ordinary store, closes it and syncs its file.  What it has
 * besides, in the directory, the caller syncs.
 * Returns 0: the file alone is the store; PLOG_E_IO; PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_fresh_end(struct plog_legs *l, int *fd,
                                   struct plog_error *err);

/* After a failure: closes store and file. */
void plog_fresh_drop(struct plog_legs *l, int *fd);

/* Removes the closed store, so that another can be made.  Returns 0 or
 * PLOG_E_IO. */
PLOG_MUST_CHECK int plog_fresh_unmake(struct plog_legs *l,
                                      struct plog_error *err);

/*
 * Makes the folder in the directory of `from`, and in it an empty store.
 * @out  legs whose log is that of `from`, and whose store is that one
 * Returns 0; PLOG_E_IO; PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_fresh_make(const struct plog_legs *from,
                                    const char *origin, struct plog_legs *out,
                                    struct plog_error *err);

/* Gives the finished store its name in the directory of `to`, where none may
 * be, and syncs that.  Returns 0 or PLOG_E_IO. */
PLOG_MUST_CHECK int plog_fresh_install(const struct plog_legs *fresh,
                                       const struct plog_dir *to,
                                       struct plog_error *err);

/* Closes what plog_fresh_make opened, and removes the folder. */
void plog_fresh_close(struct plog_legs *fresh, const struct plog_dir *dir);

#endif
