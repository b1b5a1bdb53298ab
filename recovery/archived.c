/* archived.c - see archived.h. */
#include "archived.h"

#include "check.h"
#include "snapshot.h"

/* Whether that of the floor is the one that was signed. */
static int look_at(struct plog_walk *w, uint64_t floor, unsigned char *digest,
                   struct plog_error *err)
{
    struct plog_error why;
    const struct plog_compaction *c =
        plog_orders_floor_seq(&w->orders, floor, true)
            ? plog_orders_floor_at(&w->orders, floor)
            : NULL;
    if (!c)
        return PLOG_END;
    memcpy(digest, c->snapshot, PLOG_HASH_SIZE);
    int rc = plog_snapshot_check(w->dir, floor, digest, &why);
    if (rc && !plog_check_is_verdict(rc) && err)
        *err = why;
    return rc && plog_check_is_verdict(rc) ? PLOG_END : rc;
}

int plog_archived_from(struct plog_walk *w, uint64_t least, uint64_t most,
                       uint64_t *floor, struct plog_error *err)
{
    unsigned char digest[PLOG_HASH_SIZE];
    int rc = PLOG_END;
    for (size_t i = 0; rc == PLOG_END && i < plog_segment_count(&w->segments);
         i++) {
        *floor = plog_segment_at(&w->segments, i) - 1;
        if (*floor + 1 >= w->log_first || *floor > most)
            break;
        if (*floor >= least)
            rc = *floor ? look_at(w, *floor, digest, err) : 0;
    }
    return rc;
}

int plog_archived_newest(struct plog_walk *w, uint64_t to, uint64_t *floor,
                         unsigned char *digest, struct plog_error *err)
{
    int rc = PLOG_END;
    for (size_t i = plog_segment_count(&w->segments); rc == PLOG_END && i > 0;
         i--) {
        *floor = plog_segment_at(&w->segments, i - 1) - 1;
        if (*floor < to)
            rc = *floor ? look_at(w, *floor, digest, err) : 0;
    }
    return rc;
}
