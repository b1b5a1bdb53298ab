/*
 * rehearse.h - a dry run of opening, and what it has learnt of the log.
 */
#ifndef PLOG_REHEARSE_H
#define PLOG_REHEARSE_H

#include "rotate.h"

struct plog_rehearsal {
    struct plog_keychain chain; /* up to the end that opening would come to */
    uint64_t size;              /* there */
    size_t line_max;
};

/* As plog_rehearse. */
PLOG_MUST_CHECK int plog_rehearse_log(const char *dir,
                                      const struct plog_options *o,
                                      const struct plog_group *group,
                                      struct plog_rehearsal *out,
                                      struct plog_error *err);

#endif
