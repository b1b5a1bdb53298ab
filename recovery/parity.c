/*
 * parity.c - both legs at one frozen head.
 *
 * Order: the log group by group, verified; each entry against its row and
 * into the fold; each commit and segment against its row; then rows nobody
 * asked for; then the records against the fold.
 */
#include "parity.h"
#include "store_log.h"
#include "watermark.h"

#include <stdio.h>

void plog_parity_find(struct plog_parity *p, int verdict, uint64_t seq,
                      const char *expected, const char *found)
{
    struct plog_finding f = {.verdict = verdict,
                             .leg = PLOG_LEG_STORE,
                             .file = PLOG_STORE_FILE,
                             .seq = seq,
                             .expected = expected,
                             .found = found};
    if (p->c->quick) { /* what follows reads the whole log */
        plog_check_closer(p->c);
        return;
    }
    bool meets = plog_segment_count(&p->c->walk.segments) == 0 ||
                 (seq > p->c->report->floor &&
                  seq >= plog_segment_at(&p->c->walk.segments, 0));
    f.next = verdict == PLOG_E_BEHIND && meets ? "paritylog replay DIR"
                                               : PLOG_STORE_ANEW;
    if (verdict == PLOG_E_AHEAD && p->ahead[0])
        f.next = p->ahead;
    if (verdict == PLOG_E_FORK || p->fork == PLOG_FORK_YES ||
        (verdict != PLOG_E_BEHIND && plog_parity_is_fork(p)))
        f.next = PLOG_CHECK_FORK;
    plog_check_find(p->c, &f);
}

int plog_parity_lose(struct plog_parity *p, int rc, struct plog_error *err)
{
    struct plog_check *c = p->c;
    if (rc >= 0)
        return 0;
    if (!plog_check_is_verdict(rc))
        return rc;
    uint64_t at = c->walk.chain.last.size;
    plog_parity_find(p, rc, at, "rows that can be read", err->message);
    plog_check_unchecked(c, PLOG_LEG_STORE, at, c->head.commit.size,
                         "the store cannot be read on");
    p->store_lost = true;
    p->fold_whole = false;
    return 0;
}

/* ---- The walk ----------------------------------------------------------- */

/* The segment that the walk entered against its row.  A bare one at the end
 * counts too: the store may know it. */
static int entered(struct plog_parity *p, bool bare, struct plog_error *err)
{
    struct plog_check *c = p->c;
    if (!c->walk.entered || p->store_lost || p->left ||
        c->walk.first > c->head.commit.size + 1)
        return 0;
    c->walk.entered = false;
    if (bare)
        plog_parity_bare_segment(p);
    /* Behind damage a group that stands too early may have taken the rows along
     * with it; the header says where they go on. */
    int rc = p->fold_whole ? 0 : plog_parity_rows_from(p, c->walk.first, err);
    if (!rc)
        rc = plog_parity_segment(p, c->walk.first, err);
    return plog_parity_lose(p, rc, err);
}

#define READS_NS 20000000 /* 20 ms */

/* With c->upto, between two groups: no transaction that reads is long.  Rows up
 * to there do not change; if one does, what is found then is looked at again by
 * the check of the whole. */
static int breathe(struct plog_parity *p, struct plog_error *err)
{
    struct plog_check *c = p->c;
    const struct plog_io *io = c->reader.io;
    int64_t now = io->clock_mono_ns(io->ctx);
    uint64_t done = c->walk.chain.last.size;
    if (p->left || p->store_lost)
        return 0;
    p->left = done >= c->upto;
    p->left_in = c->walk.first;
    if (p->left)
        return plog_check_leave_store(c, err);
    if (p->read_since == 0)
        p->read_since = now;
    if (now - p->read_since < READS_NS)
        return 0;
    p->read_since = now;
    int rc = plog_check_leave_store(c, err);
    if (!rc)
        rc = plog_store_begin_read(&c->reader.store, err);
    return rc ? rc : plog_parity_rows_again(p, done + 1, err);
}

/* One step of the walk.  Its own codes come back in *walked; what is returned
 * ends the check. */
static int step_on(struct plog_parity *p, int *walked, struct plog_error *err)
{
    struct plog_check *c = p->c;
    struct plog_tree before = c->walk.chain.tree;
    struct plog_log_group g;
    int rc = c->upto ? breathe(p, err) : 0;
    if (!rc)
        rc = entered(p, false, err);
    if (rc)
        return rc;
    *walked = plog_walk_next(&c->walk, &g, err);
    struct plog_error why = *err;
    if (c->walk.scan.offset > 0 && !c->walk.gap)
        rc = entered(p, *walked == PLOG_END, err);
    c->walk.entered = false;
    if (!rc && *walked == 0)
        rc = plog_parity_lose(p, plog_parity_group(p, &before, &g, err), err);
    if (!rc)
        *err = why;
    return rc;
}

/* @rc  what the walk said last */
static int walk_on(struct plog_parity *p, int rc, struct plog_error *err)
{
    struct plog_check *c = p->c;
    int fatal = 0;
    while (!fatal && !c->stopped && rc != PLOG_END) {
        if (rc == 0)
            fatal = step_on(p, &rc, err);
        if (fatal || rc >= 0)
            continue;
        /* What the store's head covers was whole once: damage. */
        if (rc == PLOG_E_TORN && c->head.commit.size > c->walk.chain.last.size)
            rc = c->walk.scan.fault.code;
        if (rc == PLOG_E_TORN) {
            plog_check_fault(c, rc, err);
            break;
        }
        if (!plog_check_is_verdict(rc) || plog_check_vanished(c, rc))
            return rc;
        if (c->quick)
            plog_check_closer(c);
        else
            fatal = plog_parity_go_on(p, &rc, err);
    }
    if (!fatal && c->stopped)
        fatal = plog_fail(err, PLOG_E_INTERRUPTED, "stopped");
    return fatal;
}

static int walk_all(struct plog_parity *p, struct plog_error *err)
{
    int fatal = 0, rc = plog_parity_start(p, err);
    if (rc == PLOG_E_DIVERGED) { /* of the store; the log goes on alone */
        fatal = plog_parity_lose(p, rc, err);
        rc = fatal ? 0 : plog_parity_start(p, err);
    }
    if (!fatal && !rc)
        fatal = plog_check_below(p->c, err);
    return fatal ? fatal : walk_on(p, rc, err);
}

/* Rows of segments that the walk has come to without the store. */
static int compare_segments(struct plog_parity *p, struct plog_error *err)
{
    const struct plog_walk *w = &p->c->walk;
    int rc = plog_parity_rows_again(p, p->left_in + 1, err);
    for (size_t i = 0; !rc && i < plog_segment_count(&w->segments); i++) {
        uint64_t first = plog_segment_at(&w->segments, i);
        if (first > p->left_in && first <= p->c->head.commit.size + 1)
            rc = plog_parity_segment(p, first, err);
    }
    return rc;
}

#define NEAR 1000    /* entries that are walked in a moment */
#define CATCHES_UP 5 /* times, while writers go on */

/* Back to the store, at its head as it is by now. */
static int catch_up(struct plog_parity *p, struct plog_error *err)
{
    struct plog_check *c = p->c;
    bool near = false;
    int rc = 0;
    for (int i = 0; !rc && !near; i++) {
        uint64_t more = 0;
        rc = plog_check_join_store(c, &more, err);
        near = more <= NEAR || i == CATCHES_UP;
        if (!rc && !near) /* without it again, as long as that takes */
            rc = plog_check_leave_store(c, err);
        if (!rc && more)
            rc = walk_on(p, 0, err);
    }
    return rc ? rc : compare_segments(p, err);
}

/* Whether the log can be made of the store, from its floor on. */
static bool gives_a_log(struct plog_check *c)
{
    struct plog_store_log s = {.store = NULL};
    struct plog_reader *r = &c->reader;
    int rc = plog_store_log_open(&s, &r->store, &c->head, &r->keys, &r->dir,
                                 true, NULL);
    plog_store_log_close(&s);
    return rc == 0;
}

/* What the store's head says about entries that the log does not have. */
static void judge_end(struct plog_parity *p)
{
    struct plog_check *c = p->c;
    const struct plog_store_head *h = &c->head;
    uint64_t log_size = c->walk.chain.last.size;
    char want[64], got[64];
    if (h->commit.size <= log_size && p->passed_by &&
        !plog_parity_find_fork(p, "another one, signed, that was compacted"))
        plog_parity_find(p, PLOG_E_DIVERGED, h->commit.size,
                         "meta: the floor that the last compact entry sets",
                         "meta: another floor");
    if (h->commit.size <= log_size || p->end_unknown)
        return;
    bool is_signed = plog_parity_signs(p, &h->commit);
    snprintf(want, sizeof want, "entries up to %llu",
             (unsigned long long)h->commit.size);
    snprintf(got, sizeof got, "entries up to %llu",
             (unsigned long long)log_size);
    struct plog_finding f = {.verdict =
                                 is_signed ? PLOG_E_ROLLBACK : PLOG_E_AHEAD,
                             .leg = is_signed ? PLOG_LEG_LOG : PLOG_LEG_STORE,
                             .file = plog_check_file(c),
                             .seq = log_size + 1,
                             .expected = want,
                             .found = got};
    f.next = "paritylog salvage DIR --from-store (the store still holds what"
             " the log lost)";
    if (h->rules.base > log_size && p->store_lost && !p->passed_by)
        f.next = "keep a copy of DIR; put back a newer log/ (a backup's), or"
                 " move store.db* out of DIR to go on as it is, then paritylog"
                 " replay DIR: the store was trimmed, and cannot be read on";
    else if (h->rules.base > 0 && !gives_a_log(c))
        f.next = "keep a copy of DIR; put back a newer log/ (a backup's), then"
                 " paritylog replay DIR: the store was trimmed, and without its"
                 " snapshot does not give what the log lost";
    if (!is_signed) {
        plog_parity_advise_ahead(p);
        f.next = p->ahead;
    } else if (plog_parity_is_fork(p)) {
        f.verdict = PLOG_E_FORK;
        f.next = PLOG_CHECK_FORK;
    }
    plog_check_find(c, &f);
    p->fold_whole = false;
}

/* What the walk leaves open: its end, and the tables beside events. */
static int compare_rest(struct plog_parity *p, struct plog_error *err)
{
    int rc = 0;
    judge_end(p);
    if (!p->c->quick)
        rc = plog_parity_claimed(p, err);
    if (rc)
        return rc;
    if (!p->store_lost)
        rc = plog_parity_lose(
            p, plog_parity_rest(p, p->c->walk.chain.last.size, err), err);
    if (!rc && !p->store_lost)
        rc = plog_parity_lose(p, plog_parity_pending(p, err), err);
    if (!rc && !p->store_lost && p->fold_whole)
        rc = plog_parity_lose(p, plog_parity_rotations(p, err), err);
    if (!rc && !p->store_lost && p->fold_whole)
        rc = plog_parity_lose(p, plog_parity_redactions(p, err), err);
    if (!rc && !p->store_lost && p->fold_whole)
        rc = plog_parity_lose(p, plog_parity_compactions(p, err), err);
    if (!rc && !p->store_lost && p->fold_whole)
        rc = plog_parity_lose(p, plog_parity_kept(p, err), err);
    return rc ? rc : plog_parity_lose(p, plog_parity_records(p, err), err);
}

static int compare_legs(struct plog_check *c, struct plog_error *err)
{
    struct plog_parity p;
    int rc = plog_parity_lose(&p, plog_parity_open(&p, c, err), err);
    if (!rc)
        rc = walk_all(&p, err);
    if (!rc && c->upto && !p.cut_met)
        plog_check_closer(c);
    else if (!rc && p.left)
        rc = plog_parity_lose(&p, catch_up(&p, err), err);
    if (!rc && !c->stopped)
        rc = compare_rest(&p, err);
    if (!rc && c->stopped) /* the rest of the rows is not known */
        rc = plog_fail(err, PLOG_E_INTERRUPTED, "stopped");
    plog_parity_close(&p);
    return rc;
}

/* A store that cannot be opened at all: say why, and check the log. */
static int without_store(struct plog_check *c, const char *dir,
                         struct plog_check_report *report,
                         struct plog_error *err)
{
    int code = c->store_error;
    if (!plog_check_is_verdict(code)) {
        if (err)
            *err = c->store_why;
        plog_check_close(c);
        return code;
    }
    struct plog_error why = c->store_why;
    const struct plog_check_options *o = c->o;
    plog_check_close(c);
    int rc = plog_check_log(dir, o, true, report, err);
    if (rc)
        return rc;
    struct plog_finding f = {.verdict = code,
                             .leg = PLOG_LEG_STORE,
                             .file = PLOG_STORE_FILE,
                             .seq = code == PLOG_E_BEHIND,
                             .expected = "a store",
                             .found = why.message,
                             .next = plog_hint_step(why.hint)};
    if (code == PLOG_E_DIVERGED) /* whatever stands there */
        f.next = PLOG_STORE_ANEW;
    c->report = report;
    c->o = o;
    plog_check_find(c, &f);
    plog_check_unchecked(c, PLOG_LEG_STORE, 1, report->head.size,
                         "the store cannot be read");
    return 0;
}

/* Only of a head that was found clean. */
static int write_watermark(struct plog_check *c, struct plog_error *err)
{
    const struct plog_chain *chain = &c->walk.chain;
    const struct plog_vkey *key = plog_check_key(c, &chain->last);
    if (!key)
        return 0; /* no commit yet */
    int rc = plog_watermark_write(c->reader.io, c->o->watermark, chain->origin,
                                  key, &chain->last, err);
    c->report->watermark = rc == 0;
    return rc;
}

/* Whether a look is enough where nothing is wrong.  It does not merge, and
 * tells nothing, also not that the state at a base below the floor is
 * unchecked. */
static bool may_be_quick(const struct plog_check *c)
{
    const struct plog_rules *r = &c->head.rules;
    return !c->o->since && !c->report->verdict &&
           (r->base == 0 || r->base == r->floor) &&
           (r->strategy != PLOG_MERGE_JSON || c->o->skip_records);
}

/* What is not checked even where all is well. */
static void tell_unchecked(struct plog_check *c)
{
    bool skipped = c->quick && c->o->skip_records;
    c->quick = false; /* nothing was found */
    if (c->upto)
        plog_check_unchecked(c, PLOG_LEG_STORE, c->upto + 1,
                             c->head.commit.size,
                             "rows above the cut, and records: left out");
    if (skipped)
        plog_check_unchecked(c, PLOG_LEG_STORE, 1, c->head.commit.size,
                             "records, and links between entries: left out");
    if (c->bounded)
        plog_check_unchecked(c, PLOG_LEG_BOTH, c->head.commit.size + 1, 0,
                             "written while the check ran");
}

static int compare_all(struct plog_check *c, struct plog_error *err)
{
    int rc = plog_check_take_notes(c, err);
    if (!rc)
        rc = compare_legs(c, err);
    if (rc)
        return rc;
    plog_check_keys(c);
    rc = plog_check_orders(c, err);
    if (rc)
        return rc;
    bool quick = c->quick;
    if (!quick)
        tell_unchecked(c);
    plog_check_expected_end(c);
    rc = plog_check_kept(c, err);
    if (rc || c->closer)
        return rc;
    if (quick)
        tell_unchecked(c);
    plog_check_tell_passed(c);
    return c->o->watermark && !c->report->verdict ? write_watermark(c, err) : 0;
}

static int parity(const char *dir, uint64_t upto,
                  const struct plog_check_options *options,
                  struct plog_check_report *report, bool *again,
                  struct plog_error *err)
{
    struct plog_check c;
    struct plog_error none = {0};
    *again = false;
    int rc = plog_check_open(&c, dir, options, report, err);
    if (!rc && !c.has_head)
        return without_store(&c, dir, report, err);
    c.upto = upto;
    c.quick = c.walk.sketches = !rc && may_be_quick(&c);
    if (!c.quick || c.head.rules.floor)
        c.upto = 0;
    if (!rc)
        rc = compare_all(&c, c.quick ? &none : err);
    if (c.closer && c.has_left)
        c.again = true;
    if (c.closer && !c.again) {
        plog_check_rewind(&c);
        rc = compare_all(&c, err);
    } else if (rc && none.code) {
        *err = none;
    }
    plog_check_close(&c);
    *again = c.again;
    return rc;
}

int plog_parity_upto(const char *dir, uint64_t to,
                     const struct plog_check_options *o,
                     struct plog_check_report *report, struct plog_error *err)
{
    struct plog_check_options options;
    struct plog_error own;
    bool again = false;
    int rc, tries = 0;
    if (!err)
        err = &own;
    if (plog_take_options(&options, sizeof options, o, err))
        return PLOG_E_ARG;
    do
        rc = parity(dir, tries ? 0 : to, &options, report, &again, err);
    while (plog_check_once_more(&options, again, tries++));
    return plog_done(err, plog_check_gave_up(again, rc, err));
}

int plog_parity(const char *dir, const struct plog_check_options *o,
                struct plog_check_report *report, struct plog_error *err)
{
    return plog_parity_upto(dir, 0, o, report, err);
}
