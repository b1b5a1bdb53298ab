/*
 * check.h - what verify and parity share: the frozen head they check at, and
 * the findings they count.
 */
#ifndef PLOG_CHECK_H
#define PLOG_CHECK_H

#include "paritylog_recovery.h"
#include "reader.h"
#include "witness.h"

/* How often a check starts over when compactions pass it by. */
#define PLOG_CHECK_TRIES 5
/* The last of the ways on, where no leg has what is damaged. */
#define PLOG_CHECK_BEFORE                                                      \
    "what lies before the damage: paritylog rebuild DIR --store --out NEW"

/* Of two signed histories: to decide for one of them is not ours. */
#define PLOG_CHECK_FORK                                                        \
    "keep a copy of DIR; compare both heads with a witness or a peer; ways "   \
    "on:"                                                                      \
    " FORK in paritylog(1)"

/* ... where an order is missing, whichever file it was in. */
#define PLOG_CHECK_NO_ORDER                                                    \
    "bring back from a copy what else is missing in log/; else orders/, or"    \
    " this file and all behind it: one of them has the "                       \
    "order; " PLOG_CHECK_BEFORE                                                \
    "; what is left: paritylog salvage DIR --out FILE"

/* What a note of the witness file is of. */
struct plog_seen_note {
    struct plog_seen seen;
    int code; /* as plog_witness_note */
};

/* A file whose last note counts; where that cannot be had, why. */
struct plog_seen_file {
    struct plog_seen seen; /* line 0: there is none yet */
    int code;
    struct plog_error why;
};

/* A redacted line for which there is no order. */
struct plog_held {
    char file[64];
    uint64_t offset, seq;
    const char *next;
};

/* What was read before the head was frozen. */
struct plog_check_notes {
    struct plog_buf witness; /* struct plog_seen_note */
    struct plog_witness_file file;
    int code; /* why they could not be read to the end */
    struct plog_error why;
    struct plog_seen_file since, watermark; /* of parity */
};

/* Heads that a check passes by where all is well: of old notes. */
struct plog_passed {
    uint64_t from, to; /* to 0: none */
};

struct plog_check {
    bool again;                         /* it starts over */
    const struct plog_check_options *o; /* never NULL */
    struct plog_check_report *report;
    struct plog_reader reader;
    struct plog_walk walk;
    struct plog_store_head head; /* of the store, when has_head */
    uint64_t compaction;         /* the last compact entry then; 0: none */
    bool has_head;
    int store_error; /* why there is none: 0, PLOG_E_BEHIND, ... */
    struct plog_error store_why;
    bool bounded; /* writers were at work: checked up to the store's head */
    bool stopped; /* a callback said stop, or `closer` */
    /* It only asks whether there is anything to tell.  Then nothing is told,
     * but `closer` is set; it ends, and begins anew at the same frozen head. */
    bool quick, closer;
    /* Only a quick look, in which rows of entries above this one, which a
     * commit ends, and records are left out; 0: none are.  What is not as usual
     * is told by the check of the whole, which begins then. */
    uint64_t upto;
    bool has_left; /* the store's first transaction has ended: to begin anew is
                    * to open anew */
    int64_t started;
    uint64_t last_told; /* entries at the last progress */
    char file[64];      /* name of the segment at hand */
    bool strange;       /* commits could not be read, for want of their key or
                         * of a newer program */
    const char *mends;  /* what does that, where it is not what it mostly is */
    struct plog_check_notes notes;
    /* Heads that must be in the log: struct plog_seen, by size; those before
     * `seen_next` were looked at. */
    struct plog_buf seen;
    size_t seen_next;
    struct plog_buf held;  /* struct plog_held: see plog_check_hold, which */
    bool missing_known;    /* ... has looked for segments that are missing */
    uint64_t last_missing; /* ... with this entry, at last; 0: none */
    char below[64];        /* the file below the floor that tells nothing; "" */
    struct plog_passed below_floor, below_start;
    uint64_t begins; /* the walk begins behind this entry, above the floor */
};

/*
 * Opens the directory and freezes a head: the store's head in one read
 * transaction (which stays open), and the end of the log as it is when no
 * writer holds the lock.  While writers are at work the log is checked up to
 * the store's head, and what lies behind is reported as unchecked.
 */
PLOG_MUST_CHECK int plog_check_open(struct plog_check *c, const char *dir,
                                    const struct plog_check_options *o,
                                    struct plog_check_report *report,
                                    struct plog_error *err);
/* Whether a fault is only that a compaction, or an undo of one, took away the
 * segment to be read: then the check starts over, from the new floor.  Not once
 * something was found. */
bool plog_check_vanished(struct plog_check *c, int code);
/* The same of any other file that is missing: whether one has passed by. */
bool plog_check_moved(struct plog_check *c);
/* Whether a check that has to, starts over: not for ever.  Waits a little. */
bool plog_check_once_more(const struct plog_check_options *o, bool again,
                          int tries);
/* Returns `rc`, or where a last try had to start over: PLOG_E_LOCKED. */
int plog_check_gave_up(bool again, int rc, struct plog_error *err);
/* Ends the check: fills what the report still lacks. */
void plog_check_close(struct plog_check *c);

/* Before the head is frozen: reads the witness file, the checkpoint and the
 * watermark into c->notes (check_notes.c).  What is wrong with them is not told
 * yet. */
void plog_check_read_notes(struct plog_check *c);
/* Takes what must be in the log, --expect-head and what those files know, into
 * c->seen; notes that are not of this log are findings.  Before the walk.
 * Returns 0; PLOG_E_INTERRUPTED; PLOG_E_NOMEM; or why one of the files could
 * not be read. */
PLOG_MUST_CHECK int plog_check_take_notes(struct plog_check *c,
                                          struct plog_error *err);

/* There is, or may be: see `quick`. */
void plog_check_closer(struct plog_check *c);
/* Ends the store's transaction: one that reads for long keeps SQLite's WAL
 * growing, and some writer then waits until all of that is moved. */
PLOG_MUST_CHECK int plog_check_leave_store(struct plog_check *c,
                                           struct plog_error *err);
/* Begins another one, and freezes the head that it shows: the walk, which had
 * come to the end of the last one, goes on to there.
 * @more  out: entries between the two */
PLOG_MUST_CHECK int plog_check_join_store(struct plog_check *c, uint64_t *more,
                                          struct plog_error *err);
/* As after plog_check_open, and no longer quick. */
void plog_check_rewind(struct plog_check *c);

/* Counts a finding and tells it.  `f->file` and texts may be NULL. */
void plog_check_find(struct plog_check *c, const struct plog_finding *f);
/* What to do next about it: of a file of log/. */
const char *plog_check_next(const struct plog_check *c, int code);
/* Counts and tells a fault of the scan. */
void plog_check_fault(struct plog_check *c, int code,
                      const struct plog_error *why);
void plog_check_unchecked(struct plog_check *c, enum plog_leg leg,
                          uint64_t from, uint64_t to, const char *why);
void plog_check_progress(struct plog_check *c, const char *phase, uint64_t done,
                         uint64_t total);

/* Name of the walk's segment, relative to the directory. */
const char *plog_check_file(struct plog_check *c);

/* Writes a hash as base64 (45 bytes with NUL). */
void plog_check_hash(const unsigned char *hash, char *out);

/* At the start of the walk, behind the floor: heads that must be compared and
 * lie below it, against lines in archive/ (check_below.c).
 * Returns 0, found or not; PLOG_E_CORRUPT when the check starts over;
 * PLOG_E_INTERRUPTED; PLOG_E_IO; PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_check_below(struct plog_check *c,
                                     struct plog_error *err);
/* The walk stands at the floor: tells segments below that do not lead to it
 * (check_strays.c).  Returns 0; PLOG_E_CORRUPT when the check starts over;
 * PLOG_E_IO; PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_check_strays(struct plog_check *c,
                                      struct plog_error *err);
/* Starts the walk where the log itself says that it begins, and tells those. */
PLOG_MUST_CHECK int plog_check_start(struct plog_check *c,
                                     struct plog_error *err);
/* --expect-head and the witness against a group just verified; `before` is
 * the tree before it. */
void plog_check_expected(struct plog_check *c, const struct plog_tree *before,
                         const struct plog_log_group *g);
/* ... and at the end of the log. */
void plog_check_expected_end(struct plog_check *c);
/* Lists as unchecked what was passed by, also of the witness file: at the end,
 * when a look was enough. */
void plog_check_tell_passed(struct plog_check *c);
/* At the end: what a compaction kept in archive/ and snapshots/ is signed, and
 * may prove that the log was longer.  Returns 0; PLOG_E_IO; PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_check_kept(struct plog_check *c,
                                    struct plog_error *err);
/* plog_verify, and with the snapshot that the compact entry signs where the log
 * begins behind one: for a store that is to be made. */
PLOG_MUST_CHECK int plog_check_log(const char *dir,
                                   const struct plog_check_options *o,
                                   bool with_snapshot,
                                   struct plog_check_report *report,
                                   struct plog_error *err);
/* At the end, without a store: whether the snapshot is what was signed.
 * Returns 0; PLOG_E_IO; PLOG_E_NOMEM; what was met when a compaction passed by,
 * and c->again is set. */
PLOG_MUST_CHECK int plog_check_snapshot(struct plog_check *c,
                                        struct plog_error *err);
/* The finding that it is not. */
void plog_check_no_snapshot(struct plog_check *c, int code, uint64_t floor,
                            const struct plog_error *why);

/* The key that a signed head names, if it is one of the log's own or trusted;
 * else NULL. */
const struct plog_vkey *plog_check_key(const struct plog_check *c,
                                       const struct plog_commit *commit);
/* At the end: one of the keys that signed must be a trusted one. */
void plog_check_keys(struct plog_check *c);

/* Whether a fault is that of a redacted line without any order, and segments
 * behind it are missing: that may be in those, so it is told behind them. */
bool plog_check_hold(struct plog_check *c, int code,
                     const struct plog_error *why);
/* Tells those that were held back: at the end, whatever that is. */
void plog_check_tell_held(struct plog_check *c);

/* At the end: redacted lines were taken on the word of orders that stand
 * behind them, and those must have been met.  Returns 0; PLOG_E_IO;
 * PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_check_orders(struct plog_check *c,
                                      struct plog_error *err);

/* Whether log and store are two signed histories.  Reads the log. */
bool plog_check_is_fork(struct plog_check *c);
/* Whether a code is one that a report counts, or stops the check. */
bool plog_check_is_verdict(int code);

#endif
