/*
 * rebuild.h - private to rebuild: one leg from the other, into a new place.
 *
 *   rebuild.c        the place, the attempts, how it ends
 *   rebuild_log.c    the log from the store
 *   rebuild_store.c  the store from the log
 *
 * Nothing is invented: what the other leg does not prove under the original
 * signatures ends the work, and the report names the entries that lack.
 */
#ifndef PLOG_REBUILD_H
#define PLOG_REBUILD_H

#include "install.h"
#include "paritylog_recovery.h"
#include "place.h"
#include "reader.h"

struct plog_rebuild {
    const struct plog_rebuild_options *o;
    struct plog_rebuild_report *report;
    const struct plog_io *io;
    struct plog_reader reader; /* of the source */
    struct plog_place place;
    uint64_t total;
    uint64_t segment_size;    /* of the rules */
    uint64_t segment, offset; /* where the rebuilt log ends */
    bool loose;               /* ... in a segment of which lines are redacted */
    bool odd_layout;          /* segments begin where the rule has none */
    bool beside;              /* for the place of the log that is there */
    uint64_t base;            /* the snapshot that it begins with; 0: none */
    unsigned char digest[PLOG_HASH_SIZE];
};

/* One attempt: fills report and place. */
typedef int plog_rebuild_attempt(struct plog_rebuild *b, const char *dir,
                                 const char *out, struct plog_error *err);

/* Opens the source and makes the place, with its keys and orders. */
PLOG_MUST_CHECK int plog_rebuild_begin(struct plog_rebuild *b, const char *dir,
                                       const char *out, enum plog_dir_mode mode,
                                       struct plog_error *err);
/*
 * What a caller asks for: `attempt` until nothing changes under its eyes, and
 * what it made gets its name; or `install`, when the options say so.
 * Returns as plog_rebuild_log.
 */
PLOG_MUST_CHECK int plog_rebuild(const char *dir, const char *out,
                                 const struct plog_rebuild_options *given,
                                 struct plog_rebuild_report *report,
                                 plog_rebuild_attempt *attempt,
                                 plog_install *install, struct plog_error *err);
/* Not 0: the caller wants it to stop. */
PLOG_MUST_CHECK int plog_rebuild_tell(struct plog_rebuild *b, uint64_t done,
                                      uint64_t bytes);
/* The other leg proves no more: what there is stands, and the report says what
 * lacks; `rc` when that is nothing, or when it is no verdict. */
PLOG_MUST_CHECK int plog_rebuild_end_at(struct plog_rebuild *b, int rc,
                                        const struct plog_error *why);

#endif
