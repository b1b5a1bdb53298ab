/* archived.c - see archived.h. */
#include "archived.h"

#include "check.h"
#include "snapshot.h"

static bool is_listed(const struct plog_buf *floors, uint64_t floor)
{
    for (size_t i = 0; i < plog_segment_count(floors); i++)
        if (plog_segment_at(floors, i) == floor)
            return true;
    return false;
}

int plog_archived_from(struct plog_walk *w, uint64_t least, uint64_t most,
                       uint64_t *floor, struct plog_error *err)
{
    struct plog_buf snapshots;
    plog_buf_init(&snapshots, w->dir->io);
    int rc = plog_snapshot_list(w->dir, &snapshots, err);
    bool found = false;
    for (size_t i = 0; !rc && !found && i < plog_segment_count(&w->segments);
         i++) {
        *floor = plog_segment_at(&w->segments, i) - 1;
        if (*floor + 1 >= w->log_first || *floor > most)
            break;
        found =
            *floor >= least &&
            (*floor == 0 || (is_listed(&snapshots, *floor) &&
                             plog_orders_floor_seq(&w->orders, *floor, true)));
    }
    plog_buf_fini(&snapshots);
    return rc || found ? rc : PLOG_END;
}

/* Whether that of the floor is the one that was signed. */
static int look_at(struct plog_walk *w, uint64_t floor, unsigned char *digest,
                   struct plog_error *err)
{
    struct plog_snapshot s;
    struct plog_error why;
    const struct plog_compaction *c =
        plog_orders_floor_seq(&w->orders, floor, true)
            ? plog_orders_floor_at(&w->orders, floor)
            : NULL;
    if (!c)
        return PLOG_END;
    memcpy(digest, c->snapshot, PLOG_HASH_SIZE);
    int rc = plog_snapshot_open(&s, w->dir, floor, digest, &why);
    plog_snapshot_close(&s);
    if (rc && !plog_check_is_verdict(rc) && err)
        *err = why;
    return rc && plog_check_is_verdict(rc) ? PLOG_END : rc;
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
