/* doctor_snapshots.c - files of snapshots/ that nothing needs; see doctor.h. */
#include "compact.h"
#include "doctor.h"

/* The floor that the last compaction began with; 0 when it is not known. */
static uint64_t floor_before(struct plog_doctor *d)
{
    struct plog_compaction last;
    bool pending;
    int rc = plog_compaction_last_sets(&d->reader.store, &last, &pending, NULL);
    return !rc && last.from < last.to ? last.from : 0;
}

/* Whether the store has what tells a compaction whose that snapshot is. */
static bool can_tell(struct plog_doctor *d, uint64_t at, uint64_t base)
{
    struct plog_span line;
    struct plog_commit c;
    return at > base ||
           (plog_store_closing(&d->reader.store, at, &line, NULL) == 0 &&
            plog_commit_parse(line, &c) == 0 && c.size == at);
}

/* Those that no compaction will take away. */
static void look_at_snapshots(struct plog_doctor *d, uint64_t floor,
                              uint64_t base, const struct plog_buf *archived,
                              const struct plog_buf *all)
{
    uint64_t before = floor_before(d), count = 0, first = UINT64_MAX;
    char name[PLOG_SNAPSHOT_NAME];
    for (size_t i = 0; i < plog_segment_count(all); i++) {
        uint64_t at = plog_segment_at(all, i);
        if (plog_compact_needs(&d->reader.dir, archived, at, floor, before) ||
            can_tell(d, at, base))
            continue;
        count++;
        first = at < first ? at : first;
    }
    if (count == 0)
        return;
    plog_snapshot_name(first, name);
    plog_doctor_say(d, PLOG_SNAPSHOT_DIR, PLOG_HEALTH_WARN,
                    "move it out of DIR, unless you know what for it is there",
                    "%llu that nothing needs, the first is %s; the store"
                    " cannot tell whether it is of this log, and it may have"
                    " payloads that went",
                    (unsigned long long)count, name);
}

void plog_doctor_snapshots(struct plog_doctor *d)
{
    struct plog_reader *r = &d->reader;
    struct plog_store_head h;
    struct plog_buf archived, all;
    plog_buf_init(&archived, d->io);
    plog_buf_init(&all, d->io);
    if (plog_snapshot_list(&r->dir, &all, NULL) == 0 && all.len &&
        plog_archive_segments(&r->dir, &archived, NULL) == 0 &&
        plog_doctor_open_store(d)) {
        if (plog_store_get_head(&r->store, &h, NULL) == 0)
            look_at_snapshots(d, h.rules.floor, h.rules.base, &archived, &all);
        plog_store_rest(&r->store);
    }
    plog_buf_fini(&all);
    plog_buf_fini(&archived);
}
