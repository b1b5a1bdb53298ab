/*
 * walk.h - reading the log group by group across its segments.
 *
 * What starts or steps returns, where it says nothing else, 0; PLOG_END where
 * the log has nothing there; what is wrong with the log (PLOG_E_CORRUPT,
 * _TAMPERED, _UNKNOWN_KEY, _FORMAT, _TORN), which one may walk on behind; or
 * PLOG_E_IO, PLOG_E_NOMEM, behind which nobody may.
 */
#ifndef PLOG_WALK_H
#define PLOG_WALK_H

#include "scan.h"
#include "store.h"

struct plog_walk {
    const struct plog_dir *dir;
    struct plog_buf segments; /* uint64_t, ascending */
    size_t index;             /* of the segment at hand */
    uint64_t first;           /* its first seq */
    int fd;                   /* -1: none open yet */
    struct plog_chain chain;
    struct plog_scan scan;
    struct plog_orders orders; /* to redact */
    /* A frozen end: nothing at or above it is read.  stop_segment 0: none.
     * `stop_is_end`: the log ended there, so an unfinished group may; a writer
     * that mends it gives the segment another file, or removes it, so that it
     * is read from `stop_fd` (-1: none), which plog_walk_close closes. */
    uint64_t stop_segment, stop_offset;
    bool stop_is_end;
    int stop_fd;
    bool torn;      /* the fault at hand is an unfinished group */
    bool headless;  /* ... and its segment has no whole header */
    uint64_t bytes; /* of the segments left behind, for progress */
    bool entered;   /* a new segment was entered by the last call */
    bool gap;       /* the fault at hand is a missing segment before `first` */
    bool ahead;     /* segments are read ahead by a second thread, */
    uint64_t ahead_least; /* those that have as many bytes */
    bool sketches;        /* those of the lines are kept in w->scan */
    uint64_t log_first;   /* segments below it are archived; 0: none is read */
};

/*
 * Lists the segments.  `dir` and `keys` are borrowed and must outlive it.
 * Returns 0; as plog_dir_no_log when there is none; PLOG_E_CORRUPT for a file
 * that does not belong there; PLOG_E_IO; PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_walk_open(struct plog_walk *w,
                                   const struct plog_dir *dir,
                                   const struct plog_keyring *keys,
                                   struct plog_error *err);
void plog_walk_close(struct plog_walk *w);
/* As it was opened: the same segments, up to the same frozen end. */
void plog_walk_rewind(struct plog_walk *w);
/* The first seq of the last segment; 0: there is none. */
uint64_t plog_walk_last(const struct plog_walk *w);

/* Starts at the first segment.  A log that does not begin at seq 1 is
 * PLOG_E_CORRUPT, a segment is missing, unless its last compact entry sets a
 * floor that reaches there: see plog_orders_floor. */
PLOG_MUST_CHECK int plog_walk_start(struct plog_walk *w,
                                    struct plog_error *err);

/* The same at the last segment that begins at or below entry `size` + 1, or at
 * the first one. */
PLOG_MUST_CHECK int plog_walk_start_behind(struct plog_walk *w, uint64_t size,
                                           struct plog_error *err);

/* Starts behind the floor that the log's last compact entry sets; floor 0 is
 * plog_walk_start.  PLOG_E_CORRUPT when the segment behind it, or that entry,
 * is missing. */
PLOG_MUST_CHECK int plog_walk_start_floor(struct plog_walk *w, uint64_t floor,
                                          struct plog_error *err);

/* Starts at segment `first`, taking the chain from its header, whose
 * checkpoint must verify. */
PLOG_MUST_CHECK int plog_walk_start_segment(struct plog_walk *w, uint64_t first,
                                            struct plog_error *err);

/*
 * Starts behind the head of a store, whose keys are in w->chain.chain (see
 * plog_store_keys).  The commit that stands before the
 * head's offset must be the head's own and verify.
 * Returns 0; PLOG_END when the log has no such commit at that place (start at
 * the beginning and look for it); an error.
 */
PLOG_MUST_CHECK int plog_walk_start_at(struct plog_walk *w,
                                       const struct plog_store_head *h,
                                       struct plog_error *err);

/*
 * Goes on from a frozen end that was come to, to a later one: segments that
 * were begun since are known then.
 * Returns 0 or an error of looking.
 */
PLOG_MUST_CHECK int plog_walk_extend(struct plog_walk *w, uint64_t segment,
                                     uint64_t offset, struct plog_error *err);

/*
 * Gives the next group, verified.
 * Returns 0; PLOG_END at the end of the log; else what is wrong, with `torn`
 * set when it is an unfinished group at the very end and nothing else.
 * Lines are in w->scan.
 */
PLOG_MUST_CHECK int plog_walk_next(struct plog_walk *w,
                                   struct plog_log_group *g,
                                   struct plog_error *err);

/*
 * The same up to the end of what is archived: PLOG_END as well where log/
 * begins, and then the header there follows what was read.  What archive/ gives
 * is the history of this log only when that was come to.
 */
PLOG_MUST_CHECK int plog_walk_next_archived(struct plog_walk *w,
                                            struct plog_log_group *g,
                                            struct plog_error *err);

/* After a fault inside a segment: goes on behind the next commit that
 * verifies, or with the next segment.  `*from`, `*to`: entries passed over
 * (to 0: unknown).  Returns 0, PLOG_END, or an error. */
PLOG_MUST_CHECK int plog_walk_resync(struct plog_walk *w, uint64_t *from,
                                     uint64_t *to, struct plog_error *err);

/*
 * Before lines are given out as the orders that came along have them, where
 * plog_orders_unproven: from then on what a key of the log proves counts from
 * the first line on, also by one that is met only further ahead.  What no key
 * of the log proves makes no whole line a redacted one; a redacted line may
 * rest on it until the end, where the log is damaged.
 * @start  puts another walk of the same log, which is read to its end or to
 *         damage, where this one will start; called where there is need to
 * Returns 0; PLOG_E_IO; PLOG_E_NOMEM.
 */
typedef int plog_walk_starter(void *arg, struct plog_walk *ahead,
                              struct plog_error *err);
PLOG_MUST_CHECK int plog_walk_learn_keys(struct plog_walk *w,
                                         plog_walk_starter *start, void *arg,
                                         struct plog_error *err);

/* Private to the walk: opens segment `i` for scanning; the header is not read
 * yet. */
PLOG_MUST_CHECK int plog_walk_enter(struct plog_walk *w, size_t i,
                                    struct plog_error *err);
/* Reads it. */
PLOG_MUST_CHECK int plog_walk_header(struct plog_walk *w,
                                     struct plog_error *err);
bool plog_walk_find(const struct plog_walk *w, uint64_t first, size_t *i);
/* The first segment behind the one of that name; 0: none. */
uint64_t plog_walk_next_there(const struct plog_walk *w, uint64_t expected);
/* Says that there is no segment of that name, or one that ends behind its
 * header.  Returns PLOG_E_CORRUPT. */
int plog_walk_missing(struct plog_walk *w, uint64_t expected,
                      struct plog_error *err);

/* Private to the walk: at the start of its first segment, puts the key of the
 * first commit there, or of the one before it, into the chain when it is not a
 * trusted one but rotations ahead lead from it to one.  Whether they hold is
 * asked at the end (plog_keychain_check).  0, or an error of reading. */
PLOG_MUST_CHECK int plog_walk_first_key(struct plog_walk *w,
                                        struct plog_error *err);
/* ... of the commit before a segment with no rotation known below it: a trusted
 * one goes into the chain, too. */
PLOG_MUST_CHECK int plog_walk_floor_key(struct plog_walk *w,
                                        struct plog_error *err);

#endif
