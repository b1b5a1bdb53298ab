/*
 * findings.h - keeps what a check reports until it is printed.
 *
 * The first `limit` findings are copied, and of each verdict the first one; the
 * rest is only counted: the report has the exact counts.  Ranges not read are
 * kept in the same way.
 */
#ifndef TOOLS_FINDINGS_H
#define TOOLS_FINDINGS_H

#include "paritylog_recovery.h"

struct findings {
    size_t limit;
    bool seen[PLOG_VERDICTS];
    struct plog_finding *list; /* texts are our copies */
    size_t count, room;
    struct plog_unchecked *ranges;
    size_t range_count, range_room;
    uint64_t dropped_ranges; /* beyond the limit */
};

void findings_init(struct findings *f, size_t limit);
void findings_fini(struct findings *f);

/* Return 0 or PLOG_E_NOMEM. */
int findings_add(struct findings *f, const struct plog_finding *finding);
int findings_add_range(struct findings *f, const struct plog_unchecked *range);

#endif
