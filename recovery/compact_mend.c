/*
 * compact_mend.c - a snapshot that is gone or damaged, made anew.
 *
 * It is the fold of entries that are in archive/, on the snapshot before where
 * the archive does not begin at entry 1; and the compact entry says what it
 * must hash to.  So it comes back as it was, or not at all.
 */

#include "check.h"
#include "compact.h"

/* Until it is known to be the signed one, what is there stays. */
static int make_anew(struct plog_compacting *c,
                     const struct plog_compaction *last, struct plog_error *err)
{
    struct plog_dir *d = &c->legs->dir;
    c->from = last->from < last->to ? last->from : 0;
    c->to = last->to;
    c->want = last->snapshot;
    d->with_archive = true;
    int rc = plog_compact_fold(c, err);
    d->with_archive = false;
    c->want = NULL;
    c->report->remade |= rc == 0;
    return rc;
}

/* The entries up to the floor, each group verified, and what they stand on. */
static int read_archive(struct plog_compacting *c, struct plog_walk *w,
                        const struct plog_compaction *last,
                        struct plog_error *err)
{
    struct plog_log_group g;
    unsigned char digest[PLOG_HASH_SIZE];
    uint64_t floor = last->from < last->to ? last->from : 0;
    int rc = plog_compact_start(w, last->to, &floor, digest, err);
    if (!rc && floor)
        rc = plog_snapshot_check(&c->legs->dir, floor, digest, err);
    while (!rc && w->chain.last.size < last->to) {
        rc = plog_walk_next(w, &g, err);
        if (rc == PLOG_END)
            rc = plog_fail(err, PLOG_E_CORRUPT, "it ends before");
        if (!rc)
            rc = plog_compact_tell(c, "archive", w->chain.last.size, last->to,
                                   err);
    }
    return rc;
}

/* Of a dry run: what it comes to is not known before it is folded, and for that
 * something would have to be written. */
static int look(struct plog_compacting *c, const struct plog_compaction *last,
                struct plog_error *err)
{
    struct plog_dir *d = &c->legs->dir;
    struct plog_walk w;
    d->with_archive = true;
    int rc = plog_walk_open(&w, d, &c->legs->keys, err);
    if (!rc)
        rc = read_archive(c, &w, last, err);
    plog_walk_close(&w);
    d->with_archive = false;
    c->report->remade |= rc == 0;
    return rc;
}

int plog_compact_mend(struct plog_compacting *c,
                      const struct plog_compaction *last,
                      struct plog_error *err)
{
    struct plog_snapshot s;
    struct plog_error why = {.code = 0}, cause = {.code = 0};
    if (last->to == 0)
        return 0;
    int rc =
        plog_snapshot_open(&s, &c->legs->dir, last->to, last->snapshot, &why);
    bool whole = rc == 0;
    if (whole)
        rc = plog_snapshot_agrees(&s, last, &why);
    plog_snapshot_close(&s);
    if (whole || (rc != PLOG_E_CORRUPT && rc != PLOG_E_PRUNED)) {
        if (rc && err)
            *err = why;
        return rc;
    }
    rc = c->o->dry_run ? look(c, last, &cause) : make_anew(c, last, &cause);
    if (!rc || !err)
        return plog_check_is_verdict(rc) ? why.code : rc;
    *err = cause;
    if (!plog_check_is_verdict(rc)) /* a disk, a callback: not the archive */
        return rc;
    *err = why; /* what is wrong, not why it could not be mended */
    plog_err_hint(err,
                  "copy the snapshot, or what archive/ lacks, from a backup;"
                  " archive/ does not give it: %.40s%s%.100s",
                  cause.file, cause.file[0] ? ": " : "", cause.message);
    return why.code;
}
