/*
 * append.c - what callers ask for: each builds a request on its own thread,
 * and the queue sees it through.
 */
#include "engine.h"

static int check_process(const plog *p, struct plog_error *err)
{
    if (p->io->process_id(p->io->ctx) == p->pid)
        return 0;
    return plog_fail(err, PLOG_E_ARG,
                     "this handle was opened before a fork,"
                     " and is the parent's");
}

/* Checks and copies what the caller gave.  Free `r` in any case. */
static int build(plog *p, struct plog_request *r,
                 const struct plog_group *given, struct plog_error *err)
{
    struct plog_group group;
    memset(r, 0, sizeof *r);
    int rc = check_process(p, err);
    if (!rc)
        rc = plog_take_options(&group, sizeof group, given, err);
    if (rc)
        return rc;
    pthread_mutex_lock(&p->queue.mutex);
    size_t line_max = p->line_max;
    pthread_mutex_unlock(&p->queue.mutex);
    return plog_request_build(r, p->io, &group, &p->options, line_max, err);
}

/* Sees a request through, when it was built, and frees it. */
static int run(plog *p, struct plog_request *r, int built,
               struct plog_receipt *receipts, struct plog_error *err)
{
    r->receipts = receipts;
    r->err = err;
    int rc = built ? built : plog_queue_run(p, r);
    plog_request_free(r);
    return rc;
}

int plog_append_group(plog *p, const struct plog_group *group,
                      struct plog_receipt *receipts, struct plog_error *err)
{
    struct plog_request r;
    int rc = build(p, &r, group, err);
    if (receipts && r.io)
        memset(receipts, 0, r.delta_count * sizeof *receipts);
    return plog_done(err, run(p, &r, rc, receipts, err));
}

int plog_append(plog *p, const char *delta, size_t len,
                struct plog_receipt *receipt, struct plog_error *err)
{
    struct plog_span text = plog_span(delta, len);
    struct plog_group group = {
        .struct_size = sizeof group, .deltas = &text, .delta_count = 1};
    return plog_append_group(p, &group, receipt, err);
}

/* ---- Several in flight -------------------------------------------------- */

struct plog_ticket {
    plog *p;
    struct plog_request r;
    struct plog_receipt *receipts;
    struct plog_error err;
};

static void free_ticket(const struct plog_io *io, struct plog_ticket *t)
{
    if (!t)
        return;
    plog_request_free(&t->r);
    plog_free(io, t->receipts);
    plog_free(io, t);
}

static int add_receipts(struct plog_ticket *t, const struct plog_io *io,
                        struct plog_error *err)
{
    size_t n = t->r.delta_count ? t->r.delta_count : 1;
    if (n > SIZE_MAX / sizeof *t->receipts)
        return plog_fail(err, PLOG_E_INPUT, "too many deltas in one group");
    t->receipts = plog_alloc(io, n * sizeof *t->receipts);
    if (!t->receipts)
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    memset(t->receipts, 0, n * sizeof *t->receipts);
    return 0;
}

int plog_submit(plog *p, const struct plog_group *group,
                struct plog_ticket **out, struct plog_error *err)
{
    struct plog_ticket *t = plog_alloc(p->io, sizeof *t);
    *out = NULL;
    if (!t)
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    memset(t, 0, sizeof *t);
    t->p = p;
    int rc = build(p, &t->r, group, err);
    if (!rc)
        rc = add_receipts(t, p->io, err);
    if (rc) {
        free_ticket(p->io, t);
        return plog_done(err, rc);
    }
    t->r.receipts = t->receipts;
    t->r.err = &t->err;
    plog_queue_submit(p, &t->r);
    *out = t;
    return plog_done(err, 0);
}

int plog_wait(struct plog_ticket *t, struct plog_receipt *receipts,
              struct plog_error *err)
{
    int rc = check_process(t->p, err);
    if (rc)
        return rc; /* the parent's */
    rc = plog_queue_wait(t->p, &t->r);
    if (receipts)
        memcpy(receipts, t->receipts, t->r.delta_count * sizeof *receipts);
    if (rc && err)
        *err = t->err;
    free_ticket(t->p->io, t);
    return plog_done(err, rc);
}

/* ---- Control entries ---------------------------------------------------- */

int plog_engine_rotate(plog *p, const struct plog_signer *next,
                       struct plog_receipt *receipt, struct plog_error *err)
{
    struct plog_request r;
    int rc = plog_request_rotate(&r, p->io, next, err);
    return run(p, &r, rc, receipt, err);
}

int plog_engine_redact(plog *p, uint64_t seq, struct plog_span reason,
                       struct plog_receipt *receipt, struct plog_error *err)
{
    struct plog_request r;
    int rc = plog_request_redact(&r, p->io, seq, reason, err);
    return run(p, &r, rc, receipt, err);
}

int plog_engine_control(plog *p, enum plog_control control,
                        plog_control_make *make, void *arg,
                        struct plog_receipt *receipt, struct plog_error *err)
{
    struct plog_request r;
    int rc = plog_request_control(&r, p->io, control, make, arg, err);
    memset(receipt, 0, sizeof *receipt);
    return run(p, &r, rc, receipt, err);
}

int plog_set_strategy(plog *p, enum plog_strategy s,
                      struct plog_receipt *receipt, struct plog_error *err)
{
    struct plog_request r;
    int rc = check_process(p, err);
    if (rc)
        return rc;
    if (!plog_strategy_name(s))
        return plog_fail(err, PLOG_E_ARG, "no such strategy");
    rc = plog_request_strategy(&r, p->io, s, err);
    if (receipt)
        memset(receipt, 0, sizeof *receipt);
    return plog_done(err, run(p, &r, rc, receipt, err));
}
