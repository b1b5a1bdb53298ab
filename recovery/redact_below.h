/*
 * redact_below.h - private to redact: an entry that was compacted away.
 */
#ifndef PLOG_REDACT_BELOW_H
#define PLOG_REDACT_BELOW_H

#include "reader.h"

/* What to do where nothing tells what to look for. */
#define PLOG_REDACT_LOOK_THROUGH                                               \
    "move out of DIR what quarantine/ may have of it, all of it if in doubt;"  \
    " then run: paritylog compact DIR"

/*
 * What is to be said of an entry at or below the floor.
 * @stored   the store has its line
 * @ordered  and an order for it
 * Returns 0: the line was redacted, and the snapshot at the floor does not have
 * it whole.  PLOG_E_PRUNED: it is out of reach, and the hint leads out, as far
 * as there is a way; PLOG_E_CORRUPT: the snapshot cannot be read; PLOG_E_IO;
 * PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_redact_below(struct plog_reader *r, uint64_t seq,
                                      uint64_t floor, bool stored, bool ordered,
                                      struct plog_error *err);

#endif
