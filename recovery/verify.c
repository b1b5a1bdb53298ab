/*
 * verify.c - the log alone.
 *
 * Goes on behind damage: the next commit whose signature verifies gives the
 * size again, and the next segment header the tree, so entries in between are
 * checked for form, order and signatures, and reported as unchecked for their
 * hashes.
 */
#include "check.h"

/* The entries whose hashes could not be checked end here. */
static void end_loose(struct plog_check *c, uint64_t *loose, uint64_t to)
{
    if (*loose)
        plog_check_unchecked(c, PLOG_LEG_LOG, *loose, to,
                             "behind damage: hashes follow again from the"
                             " next segment header");
    *loose = 0;
}

/* Damage: tell it, and find the next place to stand on. */
static int go_on(struct plog_check *c, int code, uint64_t *loose,
                 struct plog_error *err)
{
    uint64_t from = c->walk.chain.last.size + 1, to = 0;
    plog_check_fault(c, code, err);
    if (c->walk.gap) /* what is missing is not among them */
        end_loose(c, loose, from - 1);
    int rc = PLOG_END;
    while (!c->stopped) {
        rc = plog_walk_resync(&c->walk, &from, &to, err);
        if (rc == 0 || rc == PLOG_END || !plog_check_is_verdict(rc))
            break;
        plog_check_fault(c, rc, err);
    }
    if (rc == PLOG_END)
        to = 0;
    plog_check_unchecked(c, PLOG_LEG_LOG, from, to,
                         "damaged: see the findings");
    return rc;
}

static void count_group(struct plog_check *c, const struct plog_tree *before,
                        const struct plog_log_group *g, uint64_t *loose)
{
    struct plog_check_report *r = c->report;
    if (r->from == 0)
        r->from = g->first;
    r->to = g->size;
    if (g->root_checked) {
        r->entries += g->count;
        end_loose(c, loose, g->first - 1);
    } else if (*loose == 0)
        *loose = g->first;
    plog_check_expected(c, before, g);
    plog_check_progress(c, "log", g->size,
                        c->has_head ? c->head.commit.size : 0);
}

static int walk_all(struct plog_check *c, struct plog_error *err)
{
    struct plog_log_group g;
    uint64_t loose = 0; /* first entry whose hash was not checked */
    /* With a store salvage tells them apart; here each line of them is read. */
    int rc =
        c->has_head ? plog_walk_start(&c->walk, err) : plog_check_start(c, err);
    c->report->floor = rc ? 0 : c->walk.chain.last.size;
    int bad = rc ? 0 : plog_check_below(c, err);
    if (bad)
        return bad;
    while (!c->stopped && rc != PLOG_END) {
        struct plog_tree before = c->walk.chain.tree;
        if (rc == 0)
            rc = plog_walk_next(&c->walk, &g, err);
        if (rc == 0) {
            count_group(c, &before, &g, &loose);
            continue;
        }
        if (rc == PLOG_E_TORN) {
            plog_check_fault(c, rc, err);
            break;
        }
        if (rc != PLOG_END) {
            if (!plog_check_is_verdict(rc) || plog_check_vanished(c, rc))
                return rc;
            rc = go_on(c, rc, &loose, err);
            if (rc < 0)
                return rc;
        }
    }
    if (loose)
        plog_check_unchecked(c, PLOG_LEG_LOG, loose, c->walk.chain.last.size,
                             "behind damage: no segment header follows that"
                             " would give the hashes again");
    return c->stopped ? plog_fail(err, PLOG_E_INTERRUPTED, "stopped") : 0;
}

static int verify(const char *dir, const struct plog_check_options *options,
                  bool with_snapshot, struct plog_check_report *report,
                  bool *again, struct plog_error *err)
{
    struct plog_check c;
    int rc = plog_check_open(&c, dir, options, report, err);
    if (!rc)
        rc = plog_check_take_notes(&c, err);
    if (!rc)
        rc = walk_all(&c, err);
    if (!rc && c.bounded)
        plog_check_unchecked(&c, PLOG_LEG_LOG, c.head.commit.size + 1, 0,
                             "written while the check ran");
    if (!rc)
        plog_check_keys(&c);
    if (!rc)
        rc = plog_check_orders(&c, err);
    if (!rc && with_snapshot)
        rc = plog_check_snapshot(&c, err);
    if (!rc)
        plog_check_expected_end(&c);
    if (!rc)
        rc = plog_check_kept(&c, err);
    if (!rc)
        plog_check_tell_passed(&c);
    plog_check_close(&c);
    *again = c.again;
    return rc;
}

int plog_check_log(const char *dir, const struct plog_check_options *o,
                   bool with_snapshot, struct plog_check_report *report,
                   struct plog_error *err)
{
    struct plog_check_options options;
    struct plog_error own;
    bool again = false;
    int rc, tries = 0;
    if (!err)
        err = &own; /* findings are made from it */
    if (plog_take_options(&options, sizeof options, o, err))
        return PLOG_E_ARG;
    do
        rc = verify(dir, &options, with_snapshot, report, &again, err);
    while (plog_check_once_more(&options, again, tries++));
    return plog_done(err, plog_check_gave_up(again, rc, err));
}

int plog_verify(const char *dir, const struct plog_check_options *o,
                struct plog_check_report *report, struct plog_error *err)
{
    return plog_check_log(dir, o, false, report, err);
}
