/*
 * heal.h - a damaged log made whole from the store's lines.
 *
 * Segment by segment: groups that the file still proves are taken from it,
 * the others from the store, each under its original signature.  A segment
 * that both together do not prove is left as it is.  What is replaced goes to
 * quarantine/ first, as a whole file.
 *
 * All that is made lies in DIR/salvage, on disk, before anything in log/ is
 * touched; for only then is it known what the log comes to.
 *
 *   heal.c          which segments there are, and which need it
 *   heal_floor.c    where the log begins
 *   heal_segment.c  one segment made
 *   heal_install.c  what was made takes its place
 */
#ifndef PLOG_HEAL_H
#define PLOG_HEAL_H

#include "compaction.h"
#include "legs.h"
#include "store_log.h"

/* Entries of one segment that were lost or came back. */
struct plog_mended {
    char file[264]; /* relative to the directory */
    uint64_t from, to;
    bool has_bytes; /* of the file, begin..end: what neither leg proves */
    uint64_t begin, end;
    bool healed;
    char why[200];        /* when it was not */
    char quarantine[128]; /* where the old file went; "" when there was none */
};

/* What is to be done, in this order. */
struct plog_heal_step {
    enum {
        PLOG_HEAL_LEFT,  /* nothing: it is told */
        PLOG_HEAL_ASIDE, /* the file goes to quarantine/ */
        PLOG_HEAL_PUT    /* ... and the one in DIR/salvage takes its name */
    } what;
    uint64_t first; /* of the segment; 0: the file is none */
    struct plog_mended told;
};

struct plog_heal {
    struct plog_legs *legs; /* locked, the store open */
    struct plog_store_log stored;
    bool dry_run;
    int (*tell)(void *arg, const struct plog_mended *m); /* never NULL */
    void *arg;
    /* Out. */
    uint64_t healed, left; /* segments */
    uint64_t entries;      /* that came from the store */
    int comes_to;          /* what the log is then: 0, or a verdict */
    /* Its own. */
    struct plog_buf files, starts; /* uint64_t: segments there, and stored */
    struct plog_chain chain;       /* behind what was proven last */
    struct plog_orders orders;     /* to redact, of the log */
    struct plog_compaction logged; /* the log's last; no spans, to 0: none */
    uint64_t floor;                /* what lies below is not missing */
    bool known;                    /* the chain stands at the next segment */
    struct plog_buf steps;         /* struct plog_heal_step */
    uint64_t strays;               /* of them, what lies below the floor */
    struct plog_tree base_tree;    /* where the store begins */
    struct plog_commit base;
    struct plog_commit parted; /* where the store first led no further from what
                                * was proven; size 0: nowhere */
    bool met;                  /* the store's head, on the way */
    int failed;                /* to look at a file; 0: not yet */
    struct plog_error why;     /* at which one, and why */
    int scratch;               /* DIR/salvage; -1: none */
};

/*
 * Heals the log.  The writer lock is held and no transaction is open.
 * With h->dry_run nothing is written; what could be healed is told.
 * Returns 0 when it ran to its end, also when something is left (h->left);
 * PLOG_E_FOREIGN when the store belongs to another log; a store error;
 * PLOG_E_IO; PLOG_E_NOMEM.  On return the healed segments are on disk under
 * their names.
 */
PLOG_MUST_CHECK int plog_heal(struct plog_heal *h, struct plog_error *err);

/* The chain has moved behind a group, or the store's own has. */
void plog_heal_passed(struct plog_heal *h, const struct plog_commit *last);

/* Whether the file at `first` begins with the header of that segment: its
 * checkpoint is signed, and its name and range fit.  Where nobody could look,
 * h->failed and h->why say so. */
bool plog_heal_is_segment(struct plog_heal *h, uint64_t first);

/* ---- Where it begins (heal_floor.c) ------------------------------------- */

/*
 * Stands the chain where the healing begins, h->floor, and leaves out of
 * h->files what lies below: the store's floor, or the log's own, which may be
 * higher; of a compaction that was cut off, with damage in what it has not
 * archived yet, behind what it has.  What lies at or below the floor and does
 * not lead there is to go aside: no leg has what is missing there, and nothing
 * is made of it.
 * Returns 0; a store error; PLOG_E_IO; PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_heal_begin(struct plog_heal *h,
                                    struct plog_error *err);

/* ---- One segment (heal_segment.c) --------------------------------------- */

/* The keys of the log up to entry `size`, as the store has them: what did not
 * come through the scan may have held a rotation. */
void plog_heal_keys(struct plog_heal *h, uint64_t size);

/*
 * Makes the segment at `first` anew if it needs it; the chain moves behind it.
 * @next     where the following one begins; 0: it is the last
 * Returns 0, also when it is left as it was (h->left); PLOG_E_IO;
 * PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_heal_segment(struct plog_heal *h, uint64_t first,
                                      uint64_t next, bool is_last,
                                      struct plog_error *err);

/* ---- In its place (heal_install.c) -------------------------------------- */

/* One more step, counted as healed or as left.  Returns 0 or PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_heal_step(struct plog_heal *h,
                                   const struct plog_heal_step *step,
                                   struct plog_error *err);
/* ... that the file of segment `first` goes aside. */
PLOG_MUST_CHECK int plog_heal_aside(struct plog_heal *h, uint64_t first,
                                    const char *why, struct plog_error *err);

/* Makes DIR/salvage, or takes out of it what a kill left.  Of a dry run, none.
 * Returns 0 or PLOG_E_IO. */
PLOG_MUST_CHECK int plog_heal_scratch(struct plog_heal *h,
                                      struct plog_error *err);
/* Removes what is left in it, and it, if nobody keeps anything else there. */
void plog_heal_drop(struct plog_heal *h);

/* None of the steps is to be done: all are told as left, for that reason.
 * @also_left  those, too, that have one of their own */
void plog_heal_refuse(struct plog_heal *h, const char *why, bool also_left);

/*
 * Does the steps, unless this is a dry run, and tells each.
 * Returns 0; PLOG_E_INTERRUPTED; PLOG_E_IO; PLOG_E_NOMEM; what the directory's
 * before_aside gives.
 */
PLOG_MUST_CHECK int plog_heal_install(struct plog_heal *h,
                                      struct plog_error *err);

#endif
