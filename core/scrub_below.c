/*
 * scrub_below.c - orders about entries that were compacted away; see scrub.h.
 *
 * A compaction waits until no redaction is pending, so log/ and archive/ have
 * such an entry without its payload.  It is pending below the floor where an
 * older store was put back and caught up.  A segment in archive/ that is whole
 * came from an older copy, or from an older version of this program, whose
 * snapshot may have the payload, too; no file is changed then, for the compact
 * entry signs the snapshot.
 */
#include "compaction.h"
#include "scrub.h"

static int say_where(struct plog_legs *l, const struct plog_dir *all,
                     uint64_t seq, struct plog_error *err)
{
    char name[PLOG_SEGMENT_NAME], shown[PLOG_SEGMENT_FILE];
    struct plog_stat st;
    uint64_t first = 0;
    int rc = plog_find_segment(all, seq, &first, err);
    if (rc)
        return rc;
    plog_segment_name(first, name); /* which is read where both are there */
    bool in_log = l->io->stat_at(l->io->ctx, l->dir.log, name, &st) == 0;
    plog_segment_file(first, !in_log, shown);
    plog_fail(err, PLOG_E_PRUNED,
              "entry %llu was compacted away, with its payload, which is in %s",
              (unsigned long long)seq, shown);
    plog_err_seq(err, seq);
    plog_err_file(err, shown);
    if (plog_compaction_can_undo(&l->store, &l->dir, seq, l->head.rules.floor))
        plog_err_hint(err,
                      "run: paritylog compact DIR --undo, then"
                      " paritylog redact DIR %llu --reason TEXT",
                      (unsigned long long)seq);
    else
        plog_err_hint(err,
                      "move %s out of DIR, then run: paritylog redact DIR %llu"
                      " --reason TEXT",
                      shown, (unsigned long long)seq);
    return PLOG_E_PRUNED;
}

int plog_scrub_out_of_reach(struct plog_scrub_reach *r, uint64_t seq,
                            struct plog_error *err)
{
    bool whole;
    int rc = plog_scrub_whole(r->l, &r->lines, seq, &whole, err);
    return rc || !whole ? rc : say_where(r->l, &r->all, seq, err);
}

int plog_scrub_below(struct plog_legs *l, uint64_t seq, struct plog_error *err)
{
    struct plog_scrub_reach r;
    plog_scrub_reach_init(&r, l);
    int rc = plog_scrub_out_of_reach(&r, seq, err);
    plog_scrub_reach_close(&r);
    return rc;
}

int plog_scrub_lost(struct plog_scrub_reach *r, uint64_t seq, bool *lost,
                    struct plog_error *err)
{
    struct plog_scrub_target t = {.seq = seq};
    struct plog_buf text;
    struct plog_error why = {.code = 0};
    plog_buf_init(&text, r->l->io);
    int rc = plog_scrub_learn(r, &t, &text, &why);
    plog_buf_fini(&text);
    *lost = rc == PLOG_END || rc == PLOG_E_PRUNED;
    if (rc && !*lost && err)
        *err = why;
    return *lost ? 0 : rc;
}
