/*
 * snapshot_lost.c - what leads out where a snapshot is gone or damaged.
 *
 * It is the fold of entries that are in archive/; compact makes it anew from
 * there, or replay, which needs no store for it.  Without the archive a store
 * that was not trimmed still has them.
 */

#include "archive.h"
#include "snapshot.h"

/* Whether archive/ has anything below the floor.  Whether that is enough, who
 * reads it says. */
static bool has_archive(const struct plog_dir *d, uint64_t floor)
{
    struct plog_buf list;
    bool has = false;
    plog_buf_init(&list, d->io);
    if (plog_archive_segments(d, &list, NULL))
        has = true; /* nobody knows; what is run next will say so */
    for (size_t i = 0; i < plog_segment_count(&list); i++)
        has |= plog_segment_at(&list, i) <= floor;
    plog_buf_fini(&list);
    return has;
}

void plog_snapshot_lost(const struct plog_dir *d, uint64_t floor,
                        struct plog_error *err)
{
    struct plog_stat st;
    bool store = d->io->stat_at(d->io->ctx, d->dir, PLOG_STORE_FILE, &st) == 0;
    if (has_archive(d, floor))
        plog_err_hint(err,
                      "run: paritylog %s DIR (makes it anew from archive/), or"
                      " copy it from a backup",
                      store ? "compact" : "replay");
    else if (store)
        plog_err_hint(err, "copy it, or archive/, from a backup; or, if the"
                           " store was never trimmed: paritylog rebuild DIR"
                           " --log --out NEW, gzip NEW/log/ up to it into"
                           " DIR/archive/, then paritylog compact DIR");
    else
        plog_err_hint(err, "copy it, or archive/, from a backup, then run:"
                           " paritylog replay DIR");
}

void plog_snapshot_lost_to_store(const struct plog_dir *d, uint64_t floor,
                                 struct plog_error *err)
{
    if (!has_archive(d, floor))
        plog_err_hint(err, "copy it, or archive/, from a backup: the store was"
                           " trimmed, or made from it, and does not have those"
                           " entries either");
}

int plog_snapshot_missing(const struct plog_dir *d, uint64_t floor,
                          struct plog_error *err)
{
    char name[PLOG_SNAPSHOT_NAME];
    plog_snapshot_name(floor, name);
    plog_fail(err, PLOG_E_PRUNED,
              "entries up to %llu were compacted away, and their snapshot"
              " snapshots/%s is missing",
              (unsigned long long)floor, name);
    plog_snapshot_lost(d, floor, err);
    return PLOG_E_PRUNED;
}
