/*
 * legs.h - both legs of a directory under the writer lock: opening them,
 * telling whether the last writer finished, and mending what it left.
 */
#ifndef PLOG_LEGS_H
#define PLOG_LEGS_H

#include "tail.h"
#include "walk.h"

struct plog_legs {
    const struct plog_io *io;
    const struct plog_options *options; /* may be NULL */
    double wait_seconds;
    bool network_fs; /* is allowed */
    struct plog_dir dir;
    struct plog_keyring keys;   /* trusted */
    struct plog_keychain chain; /* of the log, up to the head */
    struct plog_store store;
    struct plog_stat store_id, wal_id; /* wal_id.inode 0: not known */
    bool store_open;
    struct plog_tail tail;
    struct plog_store_head head; /* as committed in the store */
};

/* How replay tells what it does; members may be NULL. */
struct plog_replay_watch {
    /* After every transaction.  Not 0 stops with PLOG_E_INTERRUPTED. */
    int (*progress)(void *arg, uint64_t size, uint64_t bytes);
    /* Each entry that is inserted, and the strategy in force; before its
     * transaction ends.  Not 0 stops with PLOG_E_INTERRUPTED. */
    int (*entry)(void *arg, const struct plog_entry *e,
                 enum plog_strategy strategy);
    void *arg;
    uint64_t to;      /* stop at the last group at or below; 0: the end */
    uint64_t skipped; /* out: of the entries inserted, logged as skipped */
};

/* Opens directory and keys, not yet locked; the store stays closed.  `options`
 * are not copied. */
PLOG_MUST_CHECK int plog_legs_open(struct plog_legs *l,
                                   const struct plog_io *io, const char *path,
                                   enum plog_dir_mode mode,
                                   const struct plog_options *options,
                                   struct plog_error *err);
/* The same with a directory that is open already, whose handles go over, and
 * its keys. */
void plog_legs_take(struct plog_legs *l, struct plog_dir *dir,
                    const struct plog_keyring *keys,
                    const struct plog_options *options);
void plog_legs_close(struct plog_legs *l);

/* Opens the store that is there (or makes it, with `create`).
 * Returns 0; PLOG_E_BEHIND when there is none. */
PLOG_MUST_CHECK int plog_legs_open_store(struct plog_legs *l, bool create,
                                         struct plog_error *err);
void plog_legs_close_store(struct plog_legs *l);

/*
 * The head check in full (docs/DESIGN.md, "Opening and repair"): reads the head
 * in a transaction that stays open, and compares it with the end of the log.
 * Returns 0: nobody crashed, the tail is open at the head.  PLOG_END: the last
 * writer did not finish, plog_legs_repair is needed.  Or an error.
 */
PLOG_MUST_CHECK int plog_legs_check(struct plog_legs *l,
                                    struct plog_error *err);

/*
 * The part of it that is the log's: whether it ends with the head `h` and with
 * nothing behind.
 * @tail  open at the head's segment; its end is set
 * Returns 0; PLOG_END; or an error. */
PLOG_MUST_CHECK int plog_legs_end_here(struct plog_tail *tail,
                                       const struct plog_dir *dir,
                                       const struct plog_keychain *keys,
                                       const struct plog_store_head *h,
                                       struct plog_error *err);

/*
 * Mends what a writer that did not finish left: verifies the log from the
 * store's head to its end; sets a torn tail aside in quarantine/; writes the
 * valid bytes of the last segment to a new file, because the page cache may
 * show what the disk lacks; then replays, unless `leave_behind`.
 * Nothing is changed when anything but a torn tail is wrong.
 * Returns 0, or the verdict that forbids writing.
 */
PLOG_MUST_CHECK int plog_legs_repair(struct plog_legs *l, bool leave_behind,
                                     struct plog_error *err);

/* Steps of the repair, also used by recovery/. */
struct plog_log_end {
    uint64_t segment, offset; /* where the valid log ends */
    struct plog_commit last;  /* size 0: no group */
    uint64_t torn_bytes;      /* content behind it */
    bool headless;            /* the file `torn_segment` has no whole header */
    uint64_t torn_segment;
    uint64_t torn_from;
};

/*
 * Positions `w` behind the store's head and proves that the store is a prefix
 * of the log: the head's commit stands at its place, or the log's root at the
 * store's size is the store's.
 * Returns 0; ROLLBACK when the log ends below the store's signed head; FORK,
 * FOREIGN, DIVERGED; a fault met on the way.
 */
PLOG_MUST_CHECK int plog_legs_locate(struct plog_legs *l, struct plog_walk *w,
                                     struct plog_error *err);
typedef int plog_legs_start(struct plog_walk *w, struct plog_error *err);
/*
 * Whether log and store are two signed histories: the store has a signed commit
 * for which the log has another root, be it shorter or longer, and is not
 * another log's.  Reads the log; what cannot be read tells nothing.
 * @start  where it begins: plog_walk_start, or what knows of segments in log/
 *         that are none of it
 * @h    the store's head, which need not be in the log
 * @end  the log's last commit, below the head, as the caller has read up to it:
 *       where the store has the same one, as it has of an older log, nothing is
 *       read; NULL: not known
 */
bool plog_legs_fork(const struct plog_dir *dir, const struct plog_keyring *keys,
                    struct plog_store *store, const struct plog_store_head *h,
                    const struct plog_commit *end, plog_legs_start *start);
/* Says that they are.  Returns PLOG_E_FORK.
 * @size  up to here they differ */
int plog_legs_fail_fork(uint64_t size, struct plog_error *err);
/* Whether the store has another name than the log, read up to here, and the key
 * that this directory signs with is the log's: then it is no second history,
 * but a store that was put there. */
bool plog_legs_store_is_anothers(const struct plog_dir *dir,
                                 const struct plog_keyring *trusted,
                                 struct plog_store *store,
                                 const struct plog_store_head *h,
                                 const struct plog_chain *log);
/* Walks to the end.  Returns 0 (also with a torn tail), or the damage. */
PLOG_MUST_CHECK int plog_legs_find_end(struct plog_walk *w,
                                       struct plog_log_end *end,
                                       struct plog_error *err);
/* The same in steps: the next group, as plog_walk_next gives it, and at last
 * what its last return says of the end.
 * @end  zero before the first step */
PLOG_MUST_CHECK int plog_legs_end_next(struct plog_walk *w,
                                       struct plog_log_end *end,
                                       struct plog_log_group *g,
                                       struct plog_error *err);
PLOG_MUST_CHECK int plog_legs_end_judge(struct plog_walk *w, int stop,
                                        struct plog_log_end *end,
                                        struct plog_error *err);
/* Both, of all that the repair looks at before it changes anything.
 * @w  out: at the log's end; the caller closes it whatever is returned
 * Returns 0, or the verdict that forbids writing. */
PLOG_MUST_CHECK int
plog_legs_inspect(struct plog_walk *w, const struct plog_dir *dir,
                  const struct plog_keyring *keys, struct plog_store *store,
                  const struct plog_store_head *h, struct plog_log_end *end,
                  struct plog_error *err);
/* Sets the torn tail aside and renews the last segment.
 * @quarantine  out, 128 bytes: where it went, "" when there was none */
PLOG_MUST_CHECK int plog_legs_renew(struct plog_legs *l,
                                    const struct plog_log_end *end,
                                    char *quarantine, struct plog_error *err);
/*
 * Applies the groups that the store lacks, in transactions of bounded size;
 * what was verified before a damage stands.  A thread may walk ahead.
 * @watch  may be NULL
 */
PLOG_MUST_CHECK int plog_legs_replay(struct plog_legs *l,
                                     struct plog_replay_watch *watch,
                                     struct plog_error *err);

/*
 * The same for a store in the making, that is thrown away when this fails:
 * transactions are large, and are never rolled back.
 * @w        stands behind the store's head
 * @end      out, unless NULL: the walk goes on to the log's end, and what is
 *           wrong up to there is returned; NULL: as plog_legs_replay
 * @sync_fd  the store's file, to be synced on the way; -1: none
 * Returns 0; what is wrong with the log, and all before it was applied;
 * with `*broken` an error of applying, and the store is no store.
 */
PLOG_MUST_CHECK int plog_legs_fill(struct plog_legs *l, struct plog_walk *w,
                                   struct plog_replay_watch *watch,
                                   struct plog_log_end *end, int sync_fd,
                                   bool *broken, struct plog_error *err);

#endif
