/*
 * check_snapshot.c - the snapshot that stands for what was compacted away.
 *
 * A compact entry signs it, and without it no store can be made.  Lines alone,
 * as of an archive that was expanded by hand, are a log without it, too.
 */
#include <stdio.h>

#include "check.h"
#include "snapshot.h"

void plog_check_no_snapshot(struct plog_check *c, int code, uint64_t floor,
                            const struct plog_error *why)
{
    char name[PLOG_SNAPSHOT_NAME], file[64];
    plog_snapshot_name(floor, name);
    snprintf(file, sizeof file, PLOG_SNAPSHOT_DIR "/%s", name);
    struct plog_finding f = {.verdict = code,
                             .leg = PLOG_LEG_LOG,
                             .file = file,
                             .seq = floor,
                             .expected = "the snapshot that the compact entry"
                                         " signs",
                             .found = why->message,
                             .next = plog_hint_step(why->hint)};
    plog_check_find(c, &f);
}

int plog_check_snapshot(struct plog_check *c, struct plog_error *err)
{
    struct plog_snapshot s;
    const struct plog_compaction *last =
        c->report->floor ? plog_orders_floor_held(&c->walk.orders) : NULL;
    if (!last) /* none, or it lies in damage, or is told to be missing */
        return 0;
    int rc =
        plog_snapshot_open(&s, &c->reader.dir, last->to, last->snapshot, err);
    if (!rc)
        rc = plog_snapshot_agrees(&s, last, err);
    plog_snapshot_close(&s);
    if (rc != PLOG_E_CORRUPT && rc != PLOG_E_PRUNED)
        return rc;
    if (plog_check_moved(c)) /* the next floor has its own */
        return rc;
    plog_check_no_snapshot(c, rc, last->to, err);
    return 0;
}
