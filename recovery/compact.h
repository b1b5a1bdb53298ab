/*
 * compact.h - private to compaction.
 *
 *   compact.c        the order of the steps; the compact entry
 *   compact_plan.c   where the cut is, and who holds it
 *   compact_fold.c   the snapshot at the cut, from the log
 *   compact_files.c  segments to the archive
 *   compact_sweep.c  what nothing needs: left by an undo or a crash
 *   compact_undo.c   and back
 *   compact_mend.c   a snapshot that is gone, from the archive
 *   trim.c           events below the floor, dropped from the store
 *
 * What returns int and says nothing else gives 0, or what ends the compaction,
 * with `err` filled: the errors of plog_compact.
 */
#ifndef PLOG_COMPACT_H
#define PLOG_COMPACT_H

#include "archive.h"
#include "compaction.h"
#include "engine.h"
#include "paritylog_recovery.h"
#include "scrub.h"
#include "snapshot.h"

struct plog_compacting {
    const struct plog_compact_options *o;
    struct plog_compact_report *report;
    const struct plog_io *io;
    const char *dir;
    plog *p;                /* NULL: only the snapshot is made anew */
    struct plog_legs *legs; /* of `p`, or of who holds the locks */
    const char *origin;
    uint64_t from, to;        /* floors */
    uint64_t prior;           /* the one before `from`; 0: none, or not known */
    struct plog_commit at_to; /* the commit at the cut */
    struct plog_rules rules;  /* in force behind it */
    const unsigned char *want; /* what the snapshot must hash to; may be NULL */
    struct plog_snapshot_written snapshot;
    struct plog_scrub_report scrubbed; /* by the last search */
};

/* Fills from, to and the plan in the report; to == from: nothing goes.
 * Returns 0; PLOG_E_INPUT for --discard without proofs; store and I/O errors.
 */
PLOG_MUST_CHECK int plog_compact_plan(struct plog_compacting *c,
                                      struct plog_error *err);
/* In a transaction: whether what the store says of each peer can be true, that
 * is, whether the log has so many entries and the root that the peer named.
 * Returns 0 or PLOG_E_DIVERGED; an error of reading. */
PLOG_MUST_CHECK int plog_peers_check(plog *p, struct plog_error *err);
/* In a transaction: the smallest cursor and the peer that has it.
 * @count  out: the peers
 * @name   out, of `cap` bytes, cut off where it is longer
 * @proven out: whether every cursor came with a root */
PLOG_MUST_CHECK int plog_compact_slowest(struct plog_store *s, uint64_t *count,
                                         uint64_t *cursor, char *name,
                                         size_t cap, bool *proven,
                                         struct plog_error *err);

/* Writes the snapshot at c->to, from the one before and the log. */
PLOG_MUST_CHECK int plog_compact_fold(struct plog_compacting *c,
                                      struct plog_error *err);

/* Starts at the first entry above `*floor`, or at the very first one of a log
 * that is whole: then *floor is 0.  With the archive, above the newest floor
 * below `to` whose snapshot is good, if there is one.
 * @digest  out: of the snapshot that stands for what lies below
 * Returns 0; PLOG_E_CORRUPT; PLOG_E_IO; PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_compact_start(struct plog_walk *w, uint64_t to,
                                       uint64_t *floor, unsigned char *digest,
                                       struct plog_error *err);

/* Takes away the segments at or below the floor, c->at_to, which were verified
 * from c->from on, and what killed compactions left behind; then says so in the
 * store.
 * @archive  as the compact entry says
 * Returns 0: durable. */
PLOG_MUST_CHECK int plog_compact_files(struct plog_compacting *c, bool archive,
                                       struct plog_error *err);
/* The same for `last`, which was cut off; of a dry run nothing is changed, and
 * what would go aside is counted.
 * Returns as above; PLOG_E_CORRUPT: what it was to archive is damaged, and
 * nothing was taken away. */
PLOG_MUST_CHECK int plog_compact_finish(struct plog_compacting *c,
                                        const struct plog_compaction *last,
                                        struct plog_error *err);
/* Takes away what stands at or below the floor that `last` set, where no
 * compaction is cut off: somebody has put it there, or an undo that was.
 * Returns as above, also of a dry run. */
PLOG_MUST_CHECK int plog_compact_strays(struct plog_compacting *c,
                                        const struct plog_compaction *last,
                                        struct plog_error *err);
/* The directory as it is for who may set a file aside: before it does, the
 * store says that all redactions are pending.  Used out of the lock. */
void plog_compact_dir(plog *p, struct plog_dir *out);
/* Files that nothing needs: which of them. */
struct plog_sweep {
    plog *p;
    uint64_t floor;
    uint64_t before; /* the floor before; PLOG_SWEEP_ABOVE: snapshots above the
                      * floor go, and no others */
    uint64_t prior;  /* the floor before that, if known; 0 */
    uint64_t aside;  /* out: files that are now in quarantine/ */
    uint64_t left;   /* out: snapshots that stay, though nothing needs them */
    char left_file[64]; /* ... the first of them, when there is one */
};
#define PLOG_SWEEP_ABOVE UINT64_MAX
/* Whether the snapshot `at` is needed by the log or by the archive, as above.
 * @archived  first seqs of its segments */
bool plog_compact_needs(const struct plog_dir *d,
                        const struct plog_buf *archived, uint64_t at,
                        uint64_t floor, uint64_t before);
/*
 * Removes what nothing needs: archived copies of segments that the log has, and
 * files there that begin inside of one;
 * snapshots but for that of the floor, that of the floor before and those on
 * which the archive stands, where it begins and behind a gap; what killed
 * compactions left.  What has such a name and is not of this log, as after a
 * rollback, goes to quarantine/; a snapshot of which a trimmed store cannot
 * tell stays.  The caller holds the maintenance lock. Returns 0: nothing of it
 * comes back; PLOG_E_IO; PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_compact_sweep(struct plog_sweep *s,
                                       struct plog_error *err);
/* The same of archive/ above the floor alone, before a compaction puts its own
 * segments there: they would lie among those of another history. */
PLOG_MUST_CHECK int plog_compact_strangers(struct plog_compacting *c,
                                           struct plog_error *err);
/* Removes the scratch files of a fold from snapshots/.  Returns 0, or the first
 * negative errno: what stays would be taken for the new one. */
PLOG_MUST_CHECK int plog_compact_no_scratch(const struct plog_io *io, int dir);

/* The floor that the compaction before `last` began with, while the store has
 * the event of that one; else 0. */
PLOG_MUST_CHECK int plog_compact_prior(struct plog_store *s,
                                       struct plog_entry_parser *parser,
                                       const struct plog_compaction *last,
                                       uint64_t *prior, struct plog_error *err);

/* Makes the snapshot at the floor anew from the archive, if it is gone or
 * damaged.  A dry run reads what it would be made from, and verifies that.  Of
 * `c` it needs o, report, io, legs and origin; the caller holds the maintenance
 * lock.
 * Returns 0: it is there, or would be; what is wrong with it. */
PLOG_MUST_CHECK int plog_compact_mend(struct plog_compacting *c,
                                      const struct plog_compaction *last,
                                      struct plog_error *err);

/* What takes a payload out of a snapshot that no undo brings back. */
#define PLOG_COMPACT_PAST                                                      \
    "append a newer delta of its record, paritylog compact DIR when the peers" \
    " have that, move archive/ out of DIR (the snapshot before stays for it)," \
    " append, and compact again; move out what paritylog doctor DIR then"      \
    " names"
/* Takes back the last compaction: the segments of archive/ are in log/ again,
 * and an entry says so.  Under the writer lock.
 * Returns 0; PLOG_E_INPUT: there is none to undo; PLOG_E_CORRUPT and other
 * verdicts: archive/ has not all, or not as it was; PLOG_E_IO; PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_compact_undo(struct plog_compacting *c,
                                      struct plog_error *err);
/* Logs the compact entry for c->from to c->to.  @digest  NULL for `to` 0 */
PLOG_MUST_CHECK int plog_compact_log(struct plog_compacting *c,
                                     const unsigned char *digest, bool archive,
                                     struct plog_error *err);

/* Drops the events at or below the floor on which nothing stands. */
PLOG_MUST_CHECK int plog_compact_trim(struct plog_compacting *c,
                                      struct plog_error *err);

/* Tells progress; PLOG_E_INTERRUPTED when the caller wants to stop. */
PLOG_MUST_CHECK int plog_compact_tell(struct plog_compacting *c,
                                      const char *phase, uint64_t done,
                                      uint64_t total, struct plog_error *err);

#endif
