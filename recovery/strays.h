/*
 * strays.h - segments of log/ at or below the floor that do not lead to it.
 */
#ifndef PLOG_STRAYS_H
#define PLOG_STRAYS_H

#include "compaction.h"
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

/*
 * Starts the walk where the log begins by what it says itself, for who makes a
 * store, or has none: at its first segment, or, where that does not lead to the
 * floor of the last compact entry, behind that.
 * @list  out: as above; may be NULL
 * Returns as plog_walk_start.
 */
PLOG_MUST_CHECK int plog_strays_start(struct plog_walk *w,
                                      struct plog_buf *list,
                                      struct plog_error *err);

/* The same, without the list: for plog_legs_fork. */
PLOG_MUST_CHECK int plog_strays_begin(struct plog_walk *w,
                                      struct plog_error *err);

/* What a compaction has still to take away. */
struct plog_own {
    uint64_t first; /* of the first segment; 0: none is left */
    uint64_t lost;  /* ... that is in neither folder; 0: none */
    bool shows;     /* the folders alone say that it was cut off: the last one
                     * is in log/, or two are, or one behind what archive/ has.
                     * Any other may have been put there since. */
};

/*
 * A compaction that was cut off takes the oldest segments first, so those from
 * some one up to the floor are still its own: the log's, as the store knows
 * them, whatever became of them since.  Damage there is to be mended, and no
 * reason to set them aside, for archive/ lacks them.
 * @last  the compaction: one that is not finished, or may not be
 * Returns 0; a store error; PLOG_E_IO.
 */
PLOG_MUST_CHECK int plog_strays_own(struct plog_store *s,
                                    const struct plog_dir *dir,
                                    const struct plog_compaction *last,
                                    struct plog_own *own,
                                    struct plog_error *err);

/*
 * What stands at entry `floor`, by the segments of log/ and archive/: where its
 * snapshot is gone.  Whether that is the history that goes on behind it, the
 * next signed root says.
 * @keys  of the log, up to there
 * Returns 0; PLOG_END when they do not say; PLOG_E_IO; PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_strays_floor(const struct plog_dir *dir,
                                      const struct plog_keyring *trusted,
                                      const struct plog_keychain *keys,
                                      uint64_t floor, struct plog_tree *tree,
                                      struct plog_commit *last,
                                      struct plog_error *err);

#endif
