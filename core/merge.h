/*
 * merge.h - merge-json: laying one JSON object over another as text.
 */
#ifndef PLOG_MERGE_H
#define PLOG_MERGE_H

#include "json.h"

/*
 * Lays object `over` on object `base` and appends the result to `out`:
 * members of `base` stay in place, a member of both is replaced in place
 * (merged in turn when both values are objects; arrays, null and scalars
 * replace), new members come last in their order.  Names are compared
 * unescaped; the spelling of the name already there stays.  All other bytes
 * are as written.  When `base` is not an object the result is `over`.
 * Both texts passed a check and are compact.
 * Never O(n^2) in the number of members; recursion is bounded by
 * PLOG_DEPTH_MAX.
 * Returns 0; PLOG_E_NOMEM; PLOG_E_INPUT when the result would be longer than
 * `limit` bytes (0: no limit).  On failure `out` is as before.
 */
PLOG_MUST_CHECK int plog_merge_json(const struct plog_io *io,
                                    struct plog_span base,
                                    struct plog_span over, size_t limit,
                                    struct plog_buf *out);

#endif
