/*
 * archived.h - from where on archive/ counts.
 *
 * A gap or damage there cuts off what lies below it, and no more: what lies
 * above it counts on from the next floor whose snapshot is good.
 */
#ifndef PLOG_ARCHIVED_H
#define PLOG_ARCHIVED_H

#include "walk.h"

/*
 * The lowest floor at which a reading of archive/ can start; 0: at entry 1.
 * @w             opened with the archive
 * @least, @most  of the floor
 * Returns 0 with *floor; PLOG_END: there is none; PLOG_E_IO; PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_archived_from(struct plog_walk *w, uint64_t least,
                                       uint64_t most, uint64_t *floor,
                                       struct plog_error *err);

/*
 * The newest one below `to`: what is folded on it is the same as from any
 * before.
 * @digest  out: of the snapshot, unless *floor is 0
 * Returns as above.
 */
PLOG_MUST_CHECK int plog_archived_newest(struct plog_walk *w, uint64_t to,
                                         uint64_t *floor, unsigned char *digest,
                                         struct plog_error *err);

#endif
