/*
 * restore.h - private to restore: a log as it was at some point.
 *
 *   restore.c       what is asked for, the attempts, a copy that goes on
 *   restore_copy.c  the groups up to the point
 *   restore_redact.c  lines of them under an order that lies behind it
 *   restore_orders.c  those orders, which go along
 */
#ifndef PLOG_RESTORE_H
#define PLOG_RESTORE_H

#include "key.h"
#include "outlog.h"
#include "paritylog_recovery.h"
#include "place.h"
#include "proof.h"
#include "reader.h"

struct plog_restoring {
    const struct plog_restore_options *o;
    struct plog_restore_report *report;
    const struct plog_io *io;
    struct plog_reader reader;
    struct plog_place place;
    struct plog_outlog log;
    struct plog_instant at;
    uint64_t limit; /* nothing above this entry is read */
    uint64_t known; /* the log must reach this one */
    bool alone;     /* there is no store that knows, too */
    bool redacts;   /* the copy may end below orders that its lines are under */
    struct plog_buf whole, targets,
        redacted; /* such lines; as what; texts, as orders make them */
    struct plog_entry_parser parser;
    struct plog_buf orders; /* uint64_t: the entries that go along */
    struct plog_log_group
        next; /* the one read behind the point; size 0: none */
    /* The lowest floor at which a reading of archive/ may start; and, when it
     * met a gap or damage there, the one that it can start at above that. */
    uint64_t from, again_from;
    uint64_t base, base_at; /* the floor it begins behind, and its entry, */
    bool base_brought;      /* which came along with the log */
    unsigned char digest[PLOG_HASH_SIZE]; /* of the snapshot there */
    /* Behind the last group that was copied. */
    struct plog_tree tree;
    struct plog_vkey key;      /* in force there */
    struct plog_signer signer; /* of a copy that goes on */
};

/* Reads the log up to the point and copies it into r->log, but for a dry run,
 * and the orders that go with it; notes the key that would sign next.
 * Returns 0, also when nothing lies there (report->head.size 0); or what is
 * wrong with the log. */
PLOG_MUST_CHECK int plog_restore_copy(struct plog_restoring *r,
                                      struct plog_error *err);

/* Notes a line that goes into the copy, when there is an order for it and it
 * is whole all the same.  Returns 0; PLOG_E_IO; PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_restore_note_whole(struct plog_restoring *r,
                                            struct plog_walk *w, uint64_t seq,
                                            struct plog_span line,
                                            struct plog_error *err);
/* Behind the last group: of those, the orders that the copy does not reach are
 * needed.  Returns as plog_orders_need. */
PLOG_MUST_CHECK int plog_restore_need(struct plog_restoring *r,
                                      struct plog_walk *w,
                                      struct plog_error *err);
/* The order was never finished: its line stays whole.  Whether there was one.
 */
bool plog_restore_forget(struct plog_restoring *r, uint64_t order);
/* Redacts those lines in the copy, which is all written.  Returns 0;
 * PLOG_E_IO; PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_restore_redact(struct plog_restoring *r,
                                        struct plog_error *err);
/* Writes the orders that the copy needs and does not reach into its orders/,
 * each with a proof, but for a dry run; reads on behind the point for that.
 * That an entry is the order it must be, the copy's own replay checks.
 * Returns 0; what is wrong with the log up to them; PLOG_E_NOT_FOUND;
 * PLOG_E_IO; PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_restore_orders(struct plog_restoring *r,
                                        struct plog_walk *w,
                                        struct plog_error *err);
/* The text of a proof under the commit where the walk stands (prove.c).
 * @line  of the entry; NULL: not in it
 * Returns 0; PLOG_E_NOMEM; PLOG_E_UNKNOWN_KEY. */
PLOG_MUST_CHECK int plog_prove_text(struct plog_buf *text,
                                    const struct plog_proof *proof,
                                    const struct plog_walk *w, uint64_t seq,
                                    const struct plog_span *line);

#endif
