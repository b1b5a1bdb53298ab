/* scrub.c - see scrub.h. */
#include "scrub.h"

#include <errno.h>

#include "engine.h"
#include "orders.h"

struct work {
    struct plog_legs *l;
    struct plog_scrub_report *report;
    bool any;                 /* something lies in quarantine/ */
    struct plog_buf seqs;     /* what is pending: uint64_t, ascending */
    struct plog_buf kept;     /* of these: out of reach, kept */
    bool fresh;               /* not all of these were kept by an earlier one */
    struct plog_buf targets;  /* struct plog_scrub_target, ascending, */
    size_t own;               /* ... so many; and then those of orders/ */
    struct plog_buf both;     /* all of them, each once, ascending */
    struct plog_buf text;     /* their redacted lines */
    struct plog_error orders; /* why those of orders/ are not known, if so */
};

static struct plog_scrub_target *target(struct work *w, size_t i)
{
    return (struct plog_scrub_target *)(void *)w->targets.data + i;
}

static size_t count(const struct plog_buf *targets)
{
    return targets->len / sizeof(struct plog_scrub_target);
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
    } else if (rc == PLOG_END) {
        keep = w->any;
        rc = 0;
    }
    if (!rc && ((known && plog_buf_add(&w->targets, &t, sizeof t)) ||
                (keep && plog_buf_add(&w->kept, &seq, sizeof seq))))
        rc = plog_fail(err, PLOG_E_NOMEM, "out of memory");
    return rc;
}

/* When no more is appended to `text`: says of each target where its redacted
 * line is there, in the order of both. */
static void settle(struct plog_buf *targets, const struct plog_buf *text)
{
    struct plog_scrub_target *t = (void *)targets->data;
    const char *at = text->data;
    for (size_t i = 0; i < targets->len / sizeof *t; i++) {
        t[i].redacted.p = at;
        at += t[i].redacted.n;
    }
}

/* Of those that came along nobody may know: then the others are seen to. */
static int read_brought(struct work *w, struct plog_scrub_reach *r,
                        struct plog_error *err)
{
    int rc = plog_scrub_learn_brought(r, &w->targets, &w->text, &w->orders);
    w->report->brought = rc || count(&w->targets) > w->own;
    return rc == PLOG_E_NOMEM ? plog_fail(err, rc, "out of memory") : 0;
}

/* Of an entry that both are about, our own knows more. */
static int join(struct work *w, struct plog_error *err)
{
    size_t i = 0, k = w->own, n = count(&w->targets);
    while (i < w->own || k < n) {
        bool own =
            k == n || (i < w->own && target(w, i)->seq <= target(w, k)->seq);
        struct plog_scrub_target *t = target(w, own ? i : k);
        if (plog_buf_add(&w->both, t, sizeof *t))
            return plog_fail(err, PLOG_E_NOMEM, "out of memory");
        i += own;
        k += k < n && target(w, k)->seq == t->seq;
    }
    return 0;
}

static int read_targets(struct work *w, struct plog_error *err)
{
    const uint64_t *seqs = (const void *)w->seqs.data;
    struct plog_scrub_reach r;
    plog_scrub_reach_init(&r, w->l);
    int rc = plog_scrub_kept(w->l, &w->any, err);
    for (size_t i = 0; !rc && i < count_seqs(&w->seqs); i++)
        rc = read_target(w, &r, seqs[i], err);
    w->own = count(&w->targets);
    if (!rc && w->any)
        rc = read_brought(w, &r, err);
    plog_scrub_reach_close(&r);
    settle(&w->targets, &w->text);
    return rc ? rc : join(w, err);
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
                              to - from, &hits);
    w->report->segments += hits > 0;
    return rc ? plog_fail_segment(err, rc, first, "replacing a segment") : 0;
}

static int replace_segments(struct work *w, struct plog_error *err)
{
    struct plog_finder f = {.dir = &w->l->dir};
    size_t i = 0, next;
    int rc = 0;
    while (i < w->own && target(w, i)->seq <= w->l->head.rules.floor)
        i++; /* gone with their segments */
    for (; !rc && i < w->own; i = next) {
        uint64_t first = 0, other;
        rc = plog_finder_segment(&f, target(w, i)->seq, &first, err);
        for (next = i + 1; !rc && next < w->own; next++) {
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
static int read_pending(struct work *w, struct plog_error *err)
{
    int rc = plog_store_pending(&w->l->store, &w->seqs, err);
    return rc || !w->seqs.len
               ? rc
               : plog_store_scrub_due(&w->l->store, &w->fresh, err);
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

/* All that is known now. */
static int scrub(struct work *w, struct plog_error *err)
{
    int rc = read_targets(w, err);
    if (!rc && w->fresh)
        rc = empty_pages(w, err);
    if (!rc && w->both.len)
        rc = plog_scrub_quarantine(w->l, (const void *)w->both.data,
                                   count(&w->both), w->report, err);
    if (!rc && w->seqs.len)
        rc = replace_segments(w, err);
    if (!rc && w->seqs.len)
        rc = plog_scrub_beside(w->l, w->report, err);
    if (!rc && (w->report->left || w->orders.code))
        rc = keep_all(w, err);
    if (!rc && (w->fresh || w->kept.len != w->seqs.len))
        rc = note_done(w, err);
    w->report->entries = rc ? 0 : count_seqs(&w->seqs) - count_seqs(&w->kept);
    if (!rc && w->orders.code && err)
        *err = w->orders;
    return rc ? rc : w->orders.code;
}

/* No drill copies the log meanwhile: none has the line as it was, and is killed
 * behind the look at what killed ones left; nor finds another one in the log
 * than in its copy.  First, because each opening tries again while there is
 * one: that must not cost the store's pages and quarantine/ each time. */
static int scrub_alone(struct work *w, struct plog_error *err)
{
    if (!w->seqs.len)
        return scrub(w, err);
    int rc = plog_scrub_begin_alone(w->l, err);
    if (rc)
        return rc;
    rc = scrub(w, err);
    plog_dir_drilled(&w->l->dir);
    return rc;
}

/* @pending  false: only what came along */
static int scrub_all(struct plog_legs *l, bool pending,
                     struct plog_scrub_report *report, struct plog_error *err)
{
    struct work w = {.l = l, .report = report};
    struct plog_buf *all[] = {&w.seqs, &w.kept, &w.targets, &w.both, &w.text};
    memset(report, 0, sizeof *report);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        plog_buf_init(all[i], l->io);
    int rc = pending ? read_pending(&w, err) : 0;
    if (!rc)
        rc = scrub_alone(&w, err);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        plog_buf_fini(all[i]);
    return rc;
}

int plog_scrub(struct plog_legs *l, struct plog_scrub_report *report,
               struct plog_error *err)
{
    return scrub_all(l, true, report, err);
}

/* Whether there is something to look for, and where. */
static int is_due(struct plog_legs *l, bool *due, struct plog_error *err)
{
    struct plog_stat st;
    *due = false;
    if (l->io->stat_at(l->io->ctx, l->dir.dir, PLOG_ORDERS_DIR, &st) == -ENOENT)
        return 0; /* as usual */
    int rc = plog_scrub_kept(l, due, err);
    if (rc || !*due || l->store_open)
        return rc;
    rc = plog_legs_open_store(l, false, err);
    return rc ? rc : plog_store_get_head(&l->store, &l->head, err);
}

int plog_scrub_brought(struct plog_legs *l, struct plog_error *err)
{
    struct plog_scrub_report report;
    bool due;
    int rc = is_due(l, &due, err);
    if (rc || !due)
        return rc;
    rc = scrub_all(l, false, &report, err);
    return rc ? rc : plog_scrub_say_left(&report, err);
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
