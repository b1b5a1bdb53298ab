/*
 * rehearse.h - a dry run of opening, and what it has learnt of the log.
 */
#ifndef PLOG_REHEARSE_H
#define PLOG_REHEARSE_H

#include "reader.h"

struct plog_rehearsal {
    struct plog_reader reader;  /* what was looked at, still open */
    struct plog_keychain chain; /* up to the end that opening would come to */
    uint64_t size;              /* there; the store may be behind */
    size_t line_max;
};

/* As plog_rehearse; on return 0 plog_reader_fini ends `out->reader`. */
PLOG_MUST_CHECK int plog_rehearse_log(const char *dir,
                                      const struct plog_options *o,
                                      const struct plog_group *group,
                                      struct plog_rehearsal *out,
                                      struct plog_error *err);

/*
 * A handle for a dry run: what opening would refuse is refused, what it would
 * mend stays.  plog_engine_locked on it gives a snapshot of the store, which
 * may be behind the log, without the lock; all else that a handle is for is
 * forbidden.  plog_close closes it.
 */
PLOG_MUST_CHECK int plog_rehearse_open(plog **out, const char *dir,
                                       const struct plog_options *o,
                                       struct plog_error *err);
/* Private to plog_engine_locked. */
PLOG_MUST_CHECK int
plog_rehearse_run(plog *p, int (*what)(plog *, void *, struct plog_error *),
                  void *arg, struct plog_error *err);

#endif
