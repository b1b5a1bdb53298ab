/*
 * said.h - all that a check says, as a text to compare with another one.
 */
#ifndef SAID_H
#define SAID_H

#include "paritylog_recovery.h"

typedef int said_check_fn(const char *dir, const struct plog_check_options *o,
                          struct plog_check_report *report,
                          struct plog_error *err);

/* Each finding, with all its members but the end of what to do next, and each
 * range that was not checked, on a line; then the report.  A hash or the name
 * of a key is `#`.  Lives until the next call. */
const char *said_check(said_check_fn *check, const char *dir,
                       const struct plog_check_options *o);

#endif
