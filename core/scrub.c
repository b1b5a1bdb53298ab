/* scrub.c - see scrub.h. */
#include "scrub.h"

#include <stdio.h>

#include "engine.h"

struct work {
    struct plog_legs *l;
    struct plog_scrub_report *report;
    struct plog_buf seqs;    /* what is pending: uint64_t, ascending */
    struct plog_buf kept;    /* of these: out of reach, kept */
    bool fresh;              /* not all of these were kept by an earlier one */
    struct plog_buf targets; /* struct plog_scrub_target, ascending */
    struct plog_buf text;    /* their redacted lines */
};

static struct plog_scrub_target *target(struct work *w, size_t i)
{
    return (struct plog_scrub_target *)(void *)w->targets.data + i;
}

static size_t count(const struct work *w)
{
    return w->targets.len / sizeof(struct plog_scrub_target);
}

static size_t count_seqs(const struct plog_buf *seqs)
{
    return seqs->len / sizeof(uint64_t);
}

/* ---- What to look for --------------------------------------------------- */

/* One that is out of reach stays pending; so does one that nothing tells how to
 * look for, while there is a place to look at. */
static int read_target(struct work *w, struct plog_scrub_reach *r, uint64_t seq,
                       struct plog_error *err)
{
    struct plog_scrub_target t = {.seq = seq};
    bool below = seq <= w->l->head.rules.floor, keep;
    int rc = below ? plog_scrub_out_of_reach(r, seq, err) : 0;
    if (rc && rc != PLOG_E_PRUNED)
        return rc;
    keep = rc == PLOG_E_PRUNED;
    rc = plog_scrub_learn(r, &t, &w->text, err);
    bool known = rc == 0;
    if (rc == PLOG_E_PRUNED || (rc == PLOG_END && keep)) {
        keep = true;
        rc = 0;
    } else if (rc == PLOG_END)
        rc = plog_scrub_kept(w->l, &keep, err);
    if (!rc && ((known && plog_buf_add(&w->targets, &t, sizeof t)) ||
                (keep && plog_buf_add(&w->kept, &seq, sizeof seq))))
        rc = plog_fail(err, PLOG_E_NOMEM, "out of memory");
    return rc;
}

void plog_scrub_settle(struct plog_buf *targets, const struct plog_buf *text)
{
    struct plog_scrub_target *t = (void *)targets->data;
    const char *at = text->data;
    for (size_t i = 0; i < targets->len / sizeof *t; i++) {
        t[i].redacted.p = at;
        at += t[i].redacted.n;
    }
}

static int read_targets(struct work *w, struct plog_error *err)
{
    const uint64_t *seqs = (const void *)w->seqs.data;
    struct plog_scrub_reach r;
    int rc = 0;
    plog_scrub_reach_init(&r, w->l);
    for (size_t i = 0; !rc && i < count_seqs(&w->seqs); i++)
        rc = read_target(w, &r, seqs[i], err);
    plog_scrub_reach_close(&r);
    plog_scrub_settle(&w->targets, &w->text);
    return rc;
}

/* ---- The store ---------------------------------------------------------- */

/* Freed pages go with VACUUM, and the WAL with a checkpoint that empties
 * it. */
static int empty_pages(struct work *w, struct plog_error *err)
{
    sqlite3 *db = w->l->store.db;
    int left = 0, moved = 0;
    plog_store_rest(&w->l->store);
    int rc = plog_sql_exec(db, "VACUUM", err);
    if (rc)
        return rc;
    int done = sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_TRUNCATE,
                                         &left, &moved);
    w->l->store.wal_pages = 0;
    if (done == SQLITE_OK && left == 0)
        return 0;
    if (done != SQLITE_OK && done != SQLITE_BUSY)
        return plog_sql_fail(err, db, "emptying the store's WAL");
    plog_fail(err, PLOG_E_LOCKED,
              "a reader holds an old state of the store, so its WAL cannot be"
              " emptied");
    plog_err_hint(err, "end long reads and run it again, with a longer wait;"
                       " or the next opening for writing finishes it");
    return PLOG_E_LOCKED;
}

/* ---- The log ------------------------------------------------------------ */

static int replace_lines(struct work *w, uint64_t first, size_t from, size_t to,
                         struct plog_error *err)
{
    char name[PLOG_SEGMENT_NAME];
    uint64_t hits = 0;
    if (first == w->l->head.segment)
        return plog_scrub_misfit(target(w, from)->seq,
                                 "it lies in the last segment", err);
    plog_segment_name(first, name);
    int rc = plog_scrub_lines(w->l->io, w->l->dir.log, name, target(w, from),
                              to - from, false, &hits);
    w->report->segments += hits > 0;
    return rc ? plog_fail_segment(err, rc, first, "replacing a segment") : 0;
}

static int replace_segments(struct work *w, struct plog_error *err)
{
    struct plog_finder f = {.dir = &w->l->dir};
    size_t i = 0, next;
    int rc = 0;
    while (i < count(w) && target(w, i)->seq <= w->l->head.rules.floor)
        i++; /* gone with their segments */
    for (; !rc && i < count(w); i = next) {
        uint64_t first = 0, other;
        rc = plog_finder_segment(&f, target(w, i)->seq, &first, err);
        for (next = i + 1; !rc && next < count(w); next++) {
            rc = plog_finder_segment(&f, target(w, next)->seq, &other, err);
            if (other != first)
                break;
        }
        if (!rc)
            rc = replace_lines(w, first, i, next, err);
    }
    plog_finder_close(&f);
    return rc;
}

/* ---- All of it ---------------------------------------------------------- */

/* The store's pages were emptied before what an earlier one kept was kept. */
static int read_work(struct work *w, struct plog_error *err)
{
    int rc = plog_store_pending(&w->l->store, &w->seqs, err);
    if (rc || !w->seqs.len)
        return rc;
    rc = plog_store_scrub_due(&w->l->store, &w->fresh, err);
    return rc ? rc : read_targets(w, err);
}

/* What could not be searched may have the payload of each of them. */
static int keep_all(struct work *w, struct plog_error *err)
{
    w->kept.len = 0;
    return plog_buf_add(&w->kept, w->seqs.data, w->seqs.len)
               ? plog_fail(err, PLOG_E_NOMEM, "out of memory")
               : 0;
}

static int note_done(struct work *w, struct plog_error *err)
{
    struct plog_store *s = &w->l->store;
    int rc = plog_store_begin(s, err);
    if (!rc)
        rc = plog_store_scrubbed(s, &w->kept, err);
    return plog_store_end(s, rc, err);
}

int plog_scrub(struct plog_legs *l, struct plog_scrub_report *report,
               struct plog_error *err)
{
    struct work w = {.l = l, .report = report};
    memset(report, 0, sizeof *report);
    plog_buf_init(&w.seqs, l->io);
    plog_buf_init(&w.kept, l->io);
    plog_buf_init(&w.targets, l->io);
    plog_buf_init(&w.text, l->io);
    int rc = read_work(&w, err);
    if (!rc && w.fresh)
        rc = empty_pages(&w, err);
    if (!rc && count(&w))
        rc = plog_scrub_quarantine(l, target(&w, 0), count(&w), report, err);
    if (!rc)
        rc = replace_segments(&w, err);
    if (!rc && w.fresh)
        rc = plog_scrub_beside(l, err);
    if (report->left && !rc)
        rc = keep_all(&w, err);
    if (!rc && (w.fresh || w.kept.len != w.seqs.len))
        rc = note_done(&w, err);
    report->entries = rc ? 0 : count_seqs(&w.seqs) - count_seqs(&w.kept);
    plog_buf_fini(&w.text);
    plog_buf_fini(&w.targets);
    plog_buf_fini(&w.kept);
    plog_buf_fini(&w.seqs);
    return rc;
}

void plog_engine_scrub(plog *p)
{
    struct plog_scrub_report report;
    bool due;
    int rc = plog_store_scrub_due(&p->legs.store, &due, NULL);
    if (rc || !due || plog_dir_maintain(&p->legs.dir, -1, NULL))
        return; /* nothing, or under way */
    plog_store_rollback(&p->legs.store);
    rc = plog_scrub(&p->legs, &report, NULL);
    plog_dir_maintained(&p->legs.dir);
    (void)rc; /* what is left, the next opening does; status shows it */
}
