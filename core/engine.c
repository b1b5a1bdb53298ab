/*
 * engine.c - the write path.  Read `lead` top down:
 *
 *   lock -> head is still ours -> BEGIN -> look up ids, decide, assign seqs,
 *   apply to the store (prepare.c) -> hash, root, sign -> one write, one
 *   fdatasync -> COMMIT -> receipts.
 *
 * What can fail for a reason in the data fails before anything is logged.
 * After a failed write or sync the handle is poisoned and only reads; the
 * sync is never tried again, because the page cache then tells a lie.
 * Callers on several threads queue; whoever finds no leader becomes one and
 * writes for all.  The head check on entering is in enter.c.
 */
#include "engine.h"

#include <stdio.h>

#define WAL_PAGES 1000     /* 4 MB */
#define WAL_NS 60000000000 /* a minute */

/* ---- Signing and writing a group ---------------------------------------- */

static int sign(plog *p, struct plog_work *w, struct plog_commit *c,
                struct plog_error *err)
{
    c->size = w->tree.size;
    plog_tree_root(&w->tree, c->root);
    memcpy(c->key, p->signer.vkey.id_text, sizeof c->key);
    int rc = plog_signer_make(&p->signer, p->origin, c->size, c->root, c->sig);
    return rc ? plog_fail(err, rc, "signing the group failed") : 0;
}

/* Whether the group begins a new segment: it would pass the segment's size, or
 * was asked to, and the segment holds a group already. */
static bool rotates(const plog *p, const struct plog_work *w)
{
    const struct plog_store_head *h = &p->legs.head;
    bool empty = h->commit.size < h->segment;
    return !empty &&
           (w->fresh || h->offset + w->lines.len > h->rules.segment_size);
}

/* Where the group will lie is known before it is written, so that nothing but
 * COMMIT is left to fail after the sync. */
static int place(plog *p, struct plog_work *w, struct plog_buf *header,
                 struct plog_store_head *next)
{
    const struct plog_store_head *h = &p->legs.head;
    if (!rotates(p, w)) {
        next->offset = h->offset + w->lines.len;
        return 0;
    }
    int rc = plog_header_format(header, p->origin, &h->tree, &h->commit);
    if (!rc)
        rc = plog_buf_add_char(header, '\n');
    next->segment = h->commit.size + 1;
    next->offset = header->len + w->lines.len;
    return rc;
}

/* Writes lines and commit where the log ends, or behind the header of a new
 * segment, and syncs. */
static int write_group(plog *p, struct plog_work *w, struct plog_buf *header,
                       bool *undone, struct plog_error *err)
{
    struct plog_tail *t = &p->legs.tail;
    const struct plog_store_head *h = &p->legs.head;
    if (header->len == 0)
        return plog_tail_write(t, h->offset, w->lines.data, w->lines.len,
                               undone, err);
    int rc = plog_buf_add(header, w->lines.data, w->lines.len);
    if (rc)
        return plog_fail(err, rc, "out of memory");
    return plog_tail_rotate(t, h->offset, h->commit.size + 1, header->data,
                            header->len, undone, err);
}

/* Writes and syncs, and meanwhile verifies the own signature.  One that does
 * not hold leaves a torn end, which the next opening sets aside. */
static int write_checked(plog *p, struct plog_work *w, struct plog_buf *header,
                         const struct plog_commit *c, bool *undone,
                         struct plog_error *err)
{
    plog_checker_ask(&p->checker, &p->signer.vkey, p->origin, c);
    int rc = write_group(p, w, header, undone, err);
    if (!plog_checker_answer(&p->checker) && !rc) {
        *undone = false;
        rc = plog_fail(err, PLOG_E_KEY,
                       "the signature just made does not hold: a fault of this"
                       " machine");
    }
    return rc;
}

/* What moves in the store with the group. */
static int store_head(plog *p, const struct plog_store_head *next,
                      struct plog_span commit_line, struct plog_error *err)
{
    struct plog_store *s = &p->legs.store;
    int rc = plog_store_add_commit(s, next->commit.size, commit_line, err);
    if (!rc && next->segment != p->legs.head.segment)
        rc = plog_store_add_segment(s, next->segment, err);
    return rc ? rc : plog_store_put_head(s, next, err);
}

static int indeterminate(struct plog_error *err)
{
    struct plog_error why = *err;
    plog_fail(err, PLOG_E_INDETERMINATE,
              "the group may or may not be in the"
              " log: %.300s",
              why.message);
    plog_err_hint(err, "open the directory again; the same ids are then"
                       " recognised");
    return PLOG_E_INDETERMINATE;
}

/* Makes the group durable in the log, then commits it in the store. */
static int commit_group(plog *p, struct plog_work *w, struct plog_commit *c,
                        struct plog_error *err)
{
    struct plog_store_head next = p->legs.head;
    struct plog_buf header;
    bool undone = true;
    size_t entries_end = w->lines.len;
    int rc = plog_store_in_transaction(&p->legs.store, err);
    if (!rc)
        rc = sign(p, w, c, err);
    if (rc)
        return rc;
    if (plog_commit_format(&w->lines, c) || plog_buf_add_char(&w->lines, '\n'))
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    next.tree = w->tree;
    next.commit = *c;
    next.rules = w->rules;
    plog_buf_init(&header, p->io);
    rc = place(p, w, &header, &next);
    if (rc)
        plog_fail(err, rc, "out of memory");
    struct plog_span line =
        plog_span(w->lines.data + entries_end, w->lines.len - entries_end - 1);
    if (!rc)
        rc = store_head(p, &next, line, err);
    if (!rc) {
        rc = write_checked(p, w, &header, c, &undone, err);
        p->poisoned = rc && !undone;
        if (rc == PLOG_E_TORN)
            p->head_known = false; /* the repair comes before the next group */
    }
    plog_buf_fini(&header);
    if (rc)
        return undone ? rc : indeterminate(err);
    rc = plog_store_commit(&p->legs.store, err);
    if (rc) {
        p->head_known = false; /* the group is replayed before the next one */
        return indeterminate(err);
    }
    p->legs.head = next;
    return 0;
}

/* ---- Receipts ----------------------------------------------------------- */

static void fill_new(struct plog_receipt *out, const struct plog_item *item,
                     const struct plog_commit *c)
{
    out->seq = item->entry.seq;
    out->size = c->size;
    memcpy(out->root, c->root, sizeof out->root);
    memcpy(out->sig, c->sig, sizeof out->sig);
    out->skipped = item->entry.skipped;
    out->warned = item->warned;
}

/* Leaves were hashed and duplicates of older groups filled while the group
 * was prepared; what a commit tells is filled in here. */
static void fill_receipts(struct plog_request *r, const struct plog_commit *c)
{
    for (size_t i = 0; r->receipts && i < r->delta_count; i++) {
        struct plog_item *item = &r->items[i];
        struct plog_receipt *out = &r->receipts[i];
        if (item->duplicate_of == 0) {
            fill_new(out, item, c);
        } else if (out->size == 0) { /* of an entry in this very group */
            out->size = c->size;
            memcpy(out->root, c->root, sizeof out->root);
            memcpy(out->sig, c->sig, sizeof out->sig);
        }
    }
    if (r->receipts && r->control != PLOG_CONTROL_NONE)
        fill_new(&r->receipts[0], &r->items[0], c);
}

/* ---- Leading ------------------------------------------------------------ */

static void finish(struct plog_request *r, int rc, const struct plog_error *why)
{
    r->result = rc;
    if (rc && r->err)
        *r->err = *why;
}

/* Prepares every request; returns how many of them wait for a commit. */
static size_t prepare_all(plog *p, struct plog_work *w,
                          struct plog_request *batch)
{
    size_t waiting = 0;
    bool alone = batch->next == NULL;
    for (struct plog_request *r = batch; r; r = r->next) {
        struct plog_error why = {0};
        int rc = plog_engine_prepare(p, w, r, alone, &why);
        finish(r, rc, &why);
        waiting += rc == 0;
    }
    return waiting;
}

static int start_work(plog *p, struct plog_work *w)
{
    struct plog_instant now;
    int64_t ns = p->io->clock_real_ns(p->io->ctx);
    now.seconds = ns / 1000000000;
    now.nanos = (int32_t)(ns % 1000000000);
    if (now.nanos < 0) {
        now.nanos += 1000000000;
        now.seconds--;
    }
    plog_buf_init(&w->lines, p->io);
    w->tree = p->legs.head.tree;
    w->rules = p->legs.head.rules;
    w->next_seq = p->legs.head.commit.size + 1;
    w->opened = w->fresh = false;
    plog_instant_format(now, w->logged_at);
    return plog_buf_reserve(&w->lines, 4096);
}

static void fail_all(struct plog_request *batch, int rc,
                     const struct plog_error *why)
{
    for (struct plog_request *r = batch; r; r = r->next)
        if (r->result == 0)
            finish(r, rc, why);
}

static void write_batch(plog *p, struct plog_request *batch)
{
    struct plog_error why = {0};
    struct plog_commit c = p->legs.head.commit;
    struct plog_work w;
    int rc = start_work(p, &w);
    if (rc)
        plog_fail(&why, rc, "out of memory");
    if (!rc && prepare_all(p, &w, batch) > 0 && w.lines.len > 0)
        rc = commit_group(p, &w, &c, &why);
    plog_buf_fini(&w.lines);
    if (rc)
        fail_all(batch, rc, &why);
    for (struct plog_request *r = batch; r; r = r->next) {
        if (r->result == 0)
            fill_receipts(r, &c);
        if (r->result == 0 && r->control == PLOG_CONTROL_ROTATE &&
            plog_keychain_add(&p->legs.chain, &r->goes_to->vkey, c.size + 1))
            p->head_known = false; /* cannot be: it was counted before */
    }
}

static void wake(plog *p, struct plog_request *batch)
{
    pthread_mutex_lock(&p->mutex);
    if (p->head_known)
        p->line_max = (size_t)p->legs.head.rules.line_max;
    while (batch) {
        struct plog_request *next = batch->next; /* its owner frees it */
        batch->done = true;
        pthread_cond_signal(&batch->turn);
        batch = next;
    }
    pthread_mutex_unlock(&p->mutex);
}

/* Housekeeping that nobody waits for, still under the writer lock. */
static void tidy(plog *p)
{
    if (p->poisoned || !p->head_known)
        return;
    plog_tail_pad(&p->legs.tail, p->legs.head.offset,
                  p->legs.head.rules.segment_size);
    /* By size, and by time, so that little is left to recover; a reader that
     * holds old pages only puts it off to the next group. */
    int64_t now = p->io->clock_mono_ns(p->io->ctx);
    if (p->legs.store.wal_pages <= WAL_PAGES &&
        (p->legs.store.wal_pages == 0 || now - p->checkpointed < WAL_NS))
        return;
    plog_store_checkpoint(&p->legs.store);
    p->checkpointed = now;
}

static void lead(plog *p, struct plog_request *batch)
{
    struct plog_error why = {0};
    int rc = 0;
    if (p->poisoned)
        rc = plog_fail(&why, PLOG_E_POISONED,
                       "an earlier write or sync"
                       " failed; close this handle and open again");
    if (!rc)
        rc = plog_engine_enter(p, &why);
    if (!rc && p->behind) {
        rc = plog_fail(&why, PLOG_E_BEHIND, "the store is behind the log");
        plog_engine_leave(p);
    }
    if (rc) {
        fail_all(batch, rc, &why);
        wake(p, batch);
        return;
    }
    write_batch(p, batch);
    plog_store_rollback(&p->legs.store); /* when nothing was committed */
    wake(p, batch);
    tidy(p);
    plog_engine_leave(p);
}

/* ---- Queue -------------------------------------------------------------- */

/* Takes whole requests up to PLOG_GROUP_MAX. */
static struct plog_request *take_batch(plog *p)
{
    struct plog_request *batch = p->queue, **end = &batch;
    size_t bytes = 0;
    while (*end) {
        bytes += (*end)->encoded_bytes;
        if (bytes > PLOG_GROUP_MAX && end != &batch)
            break;
        end = &(*end)->next;
    }
    p->queue = *end;
    if (!p->queue)
        p->queue_end = &p->queue;
    *end = NULL;
    return batch;
}

/* Each waits on a condition of its own: with one for all, every commit would
 * wake every thread, and most of them only to wait again. */
void plog_engine_step_down(plog *p)
{
    p->leading = false;
    if (p->queue)
        pthread_cond_signal(&p->queue->turn);
    pthread_cond_broadcast(&p->changed);
}

static int submit(plog *p, struct plog_request *r)
{
    pthread_cond_init(&r->turn, NULL);
    pthread_mutex_lock(&p->mutex);
    *p->queue_end = r;
    p->queue_end = &r->next;
    while (!r->done) {
        if (p->leading) {
            pthread_cond_wait(&r->turn, &p->mutex);
            continue;
        }
        struct plog_request *batch = take_batch(p);
        p->leading = true;
        pthread_mutex_unlock(&p->mutex);
        lead(p, batch);
        pthread_mutex_lock(&p->mutex);
        plog_engine_step_down(p);
    }
    pthread_mutex_unlock(&p->mutex);
    pthread_cond_destroy(&r->turn);
    return r->result;
}

static int check_process(const plog *p, struct plog_error *err)
{
    if (p->io->process_id(p->io->ctx) == p->pid)
        return 0;
    return plog_fail(err, PLOG_E_ARG,
                     "this handle was opened before a fork;"
                     " open one in this process");
}

int plog_append_group(plog *p, const struct plog_group *given,
                      struct plog_receipt *receipts, struct plog_error *err)
{
    struct plog_request r;
    struct plog_group own;
    const struct plog_group *group = &own;
    int rc = check_process(p, err);
    if (!rc)
        rc = plog_take_options(&own, sizeof own, given, err);
    if (rc)
        return rc;
    if (group->delta_count + group->cursor_count == 0)
        return plog_fail(err, PLOG_E_ARG, "an empty group");
    pthread_mutex_lock(&p->mutex);
    size_t line_max = p->line_max;
    pthread_mutex_unlock(&p->mutex);
    rc = plog_request_build(&r, p->io, group, &p->options, line_max, err);
    r.receipts = receipts;
    r.err = err;
    if (receipts)
        memset(receipts, 0, group->delta_count * sizeof *receipts);
    if (!rc)
        rc = submit(p, &r);
    plog_request_free(&r);
    return plog_say_nomem(err, rc);
}

int plog_append(plog *p, const char *delta, size_t len,
                struct plog_receipt *receipt, struct plog_error *err)
{
    struct plog_span text = plog_span(delta, len);
    struct plog_group group = {
        .struct_size = sizeof group, .deltas = &text, .delta_count = 1};
    return plog_append_group(p, &group, receipt, err);
}

int plog_engine_rotate(plog *p, const struct plog_signer *next,
                       struct plog_receipt *receipt, struct plog_error *err)
{
    struct plog_request r;
    int rc = plog_request_rotate(&r, p->io, next, err);
    r.receipts = receipt;
    r.err = err;
    if (!rc)
        rc = submit(p, &r);
    plog_request_free(&r);
    return rc;
}

int plog_engine_redact(plog *p, uint64_t seq, struct plog_span reason,
                       struct plog_receipt *receipt, struct plog_error *err)
{
    struct plog_request r;
    int rc = plog_request_redact(&r, p->io, seq, reason, err);
    r.receipts = receipt;
    r.err = err;
    if (!rc)
        rc = submit(p, &r);
    plog_request_free(&r);
    return rc;
}

int plog_engine_control(plog *p, enum plog_control control,
                        plog_control_make *make, void *arg,
                        struct plog_receipt *receipt, struct plog_error *err)
{
    struct plog_request r;
    int rc = plog_request_control(&r, p->io, control, make, arg, err);
    r.receipts = receipt;
    r.err = err;
    memset(receipt, 0, sizeof *receipt);
    if (!rc)
        rc = submit(p, &r);
    plog_request_free(&r);
    return rc;
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
    r.receipts = receipt;
    r.err = err;
    if (receipt)
        memset(receipt, 0, sizeof *receipt);
    if (!rc)
        rc = submit(p, &r);
    plog_request_free(&r);
    return plog_say_nomem(err, rc);
}
