/*
 * restore.h - private to restore: a log as it was at some point.
 *
 *   restore.c       what is asked for, the attempts, a copy that goes on
 *   restore_copy.c  the groups up to the point
 */
#ifndef PLOG_RESTORE_H
#define PLOG_RESTORE_H

#include "key.h"
#include "outlog.h"
#include "paritylog_recovery.h"
#include "place.h"
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
    struct plog_entry_parser parser;
    struct plog_buf orders; /* uint64_t: seqs of orders to bring along */
    uint64_t base, base_at; /* the floor it begins behind, and its entry */
    /* Behind the last group that was copied. */
    struct plog_tree tree;
    struct plog_vkey key;      /* in force there */
    struct plog_signer signer; /* of a copy that goes on */
};

/* Reads the log up to the point and copies it into r->log, but for a dry run;
 * notes which orders go with it, and the key that would sign next.
 * Returns 0, also when nothing lies there (report->head.size 0); or what is
 * wrong with the log. */
PLOG_MUST_CHECK int plog_restore_copy(struct plog_restoring *r,
                                      struct plog_error *err);

#endif
