/*
 * engine.c - the write path, to be read from here down:
 *
 *   lock -> head is still ours -> BEGIN -> look up ids, decide, assign seqs,
 *   apply to the store (prepare.c) -> hash, root, sign -> one write, one
 *   fdatasync (and while it waits: look at the signature, move the store's
 *   head) -> COMMIT -> receipts.
 *
 * What can fail for a reason in the data fails before anything is logged.
 * After a failed write or sync the handle is poisoned and only reads; the
 * sync is never tried again, because the page cache then tells a lie.
 * Who leads is settled in queue.c, and what callers ask for begins in append.c.
 * The head check on entering is in enter.c.
 */
#include "engine.h"

#define WAL_PAGES 2000     /* 8 MB */
#define WAL_NS 60000000000 /* a minute */

/* The steps, in their order. */
static struct plog_request *write_batch(plog *p, struct plog_request *batch,
                                        struct plog_guests *guests);
static int prepare_all(plog *p, struct plog_work *w, struct plog_request *batch,
                       size_t *waiting, struct plog_error *err);
static int log_group(plog *p, struct plog_work *w, struct plog_guests *guests,
                     struct plog_store_head *next, struct plog_error *err);
static int write_checked(plog *p, struct plog_work *w, struct plog_buf *header,
                         const struct plog_store_head *next, bool *undone,
                         struct plog_error *err);
static int commit_store(plog *p, const struct plog_store_head *next,
                        struct plog_error *err);
static void conclude(plog *p, struct plog_request *batch,
                     const struct plog_commit *c);
static void fail_all(struct plog_request *batch, int rc,
                     const struct plog_error *why);
static void tidy(plog *p);

/* ---- Leading a batch ----------------------------------------------------- */

static void publish_limits(plog *p)
{
    pthread_mutex_lock(&p->queue.mutex);
    if (p->head_known)
        p->line_max = (size_t)p->legs.head.rules.line_max;
    pthread_mutex_unlock(&p->queue.mutex);
}

void plog_engine_lead(plog *p, struct plog_request *batch)
{
    struct plog_error why = {0};
    int rc = 0;
    if (p->poisoned)
        rc = plog_fail(&why, PLOG_E_POISONED,
                       "an earlier write or sync"
                       " failed; close this handle and open again");
    bool posted = !rc && plog_shared_post(p, batch);
    if (!rc)
        rc = plog_engine_enter(p, &why);
    bool entered = !rc;
    bool settled = posted && plog_shared_collect(p, batch, rc, &why);
    if (entered && p->behind)
        rc = plog_fail(&why, PLOG_E_BEHIND, "the store is behind the log");
    if (rc || settled) {
        if (!settled)
            fail_all(batch, rc, &why);
        if (entered)
            plog_engine_leave(p);
        plog_queue_wake(&p->queue, batch);
        return;
    }
    plog_shared_join(p);
    struct plog_guests *guests = plog_shared_take(p, batch);
    batch = write_batch(p, batch, guests);
    plog_store_rollback(&p->legs.store); /* when nothing was committed */
    publish_limits(p);
    plog_shared_answer(guests);
    if (batch)
        plog_queue_wake(&p->queue, batch);
    tidy(p);
    plog_engine_leave(p);
}

/* Whether the owners asked to be told when the log has their deltas.  What a
 * hook wrote is safe only when the store has it, whoever logs a control entry
 * acts on the store next, and what a guest asked for is not known. */
static bool is_told_early(const plog *p, const struct plog_request *batch)
{
    bool early = p->options.ack == PLOG_ACK_LOG;
    for (const struct plog_request *r = batch; r; r = r->next)
        early &= !r->hook && !r->guest && r->control == PLOG_CONTROL_NONE;
    return early;
}

static void start_work(plog *p, struct plog_work *w)
{
    w->lines.len = 0;
    w->tree = p->legs.head.tree;
    w->rules = p->legs.head.rules;
    w->next_seq = p->legs.head.commit.size + 1;
    w->opened = w->fresh = w->spoiled = w->ended = false;
    plog_instant_format(plog_instant_now(p->io), w->logged_at);
}

/* Returns those of the batch that were not told yet. */
static struct plog_request *write_batch(plog *p, struct plog_request *batch,
                                        struct plog_guests *guests)
{
    struct plog_error why = {0};
    struct plog_store_head next = p->legs.head;
    struct plog_work w;
    size_t waiting = 0;
    plog_buf_init(&w.lines, p->io);
    start_work(p, &w);
    int rc = prepare_all(p, &w, batch, &waiting, &why);
    if (!rc && waiting > 0 && w.lines.len > 0) {
        rc = log_group(p, &w, guests, &next, &why);
        if (!rc && is_told_early(p, batch)) {
            conclude(p, batch, &next.commit);
            plog_queue_wake(&p->queue, batch);
            batch = NULL;
        }
        if (!rc)
            rc = commit_store(p, &next, &why);
    }
    plog_buf_fini(&w.lines);
    if (rc)
        fail_all(batch, rc, &why);
    conclude(p, batch, &next.commit);
    return batch;
}

/* ---- Preparing it -------------------------------------------------------- */

static void clear_receipts(struct plog_request *r)
{
    size_t n = r->control == PLOG_CONTROL_NONE ? r->delta_count : 1;
    if (r->receipts)
        memset(r->receipts, 0, n * sizeof *r->receipts);
}

/* A receipt of what was refused would hold what was found out about it until
 * then, and look like one. */
static void finish(struct plog_request *r, int rc, const struct plog_error *why)
{
    r->result = rc;
    if (rc)
        clear_receipts(r);
    if (rc && r->err)
        *r->err = *why;
}

/* Prepares every request; returns how many of them wait for a commit. */
static size_t prepare_each(plog *p, struct plog_work *w,
                           struct plog_request *batch, enum plog_isolation how)
{
    size_t waiting = 0;
    for (struct plog_request *r = batch; r; r = r->next) {
        struct plog_error why = {0};
        int rc = plog_engine_prepare(p, w, r, how, &why);
        bool unlogged =
            rc == PLOG_E_CONFLICT && why.seq > p->legs.head.commit.size;
        r->beside = batch->next && (rc == PLOG_E_INPUT || unlogged);
        if (unlogged) /* an entry that may never be */
            why.seq = 0;
        finish(r, rc, &why);
        waiting += rc == 0;
    }
    return waiting;
}

/* What a first attempt wrote down. */
static void forget(struct plog_request *r)
{
    for (size_t i = 0; i < r->count; i++)
        r->items[i].duplicate_of = 0;
    clear_receipts(r);
    r->result = 0;
}

/* Whether something of the caller's runs while requests are prepared: that
 * must not happen twice. */
static bool calls_back(const plog *p, const struct plog_request *batch)
{
    bool calls = p->legs.head.rules.strategy == PLOG_CUSTOM;
    for (const struct plog_request *r = batch; r; r = r->next)
        calls |= r->hook || r->make || r->control != PLOG_CONTROL_NONE;
    return calls;
}

/* Few requests are refused, so none is kept apart at first; when one was that
 * had written rows, all begin again, kept apart. */
static int prepare_all(plog *p, struct plog_work *w, struct plog_request *batch,
                       size_t *waiting, struct plog_error *err)
{
    enum plog_isolation how = batch->next == NULL    ? PLOG_ALONE
                              : calls_back(p, batch) ? PLOG_MARKED
                                                     : PLOG_PLAIN;
    size_t deltas = 0;
    for (const struct plog_request *r = batch; r; r = r->next)
        deltas += r->delta_count;
    plog_recent_expect(&p->legs.store.recent, deltas);
    *waiting = prepare_each(p, w, batch, how);
    if (!w->spoiled)
        return 0;
    for (struct plog_request *r = batch; r; r = r->next)
        forget(r);
    start_work(p, w);
    int rc = plog_engine_begin_again(p, err);
    plog_recent_expect(&p->legs.store.recent, deltas);
    if (!rc)
        *waiting = prepare_each(p, w, batch, PLOG_MARKED);
    return rc;
}

/* ---- Into the log -------------------------------------------------------- */

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

/* The rows that the store gets with the group: a table that takes none, for it
 * is damaged, refuses the group before it is logged. */
static int add_rows(plog *p, const struct plog_store_head *next,
                    struct plog_span commit_line, struct plog_error *err)
{
    struct plog_store *s = &p->legs.store;
    int rc = plog_store_add_commit(s, next->commit.size, commit_line, err);
    if (!rc && next->segment != p->legs.head.segment)
        rc = plog_store_add_segment(s, next->segment, err);
    return rc;
}

int plog_engine_indeterminate(struct plog_error *err)
{
    struct plog_error why = *err;
    plog_fail(err, PLOG_E_INDETERMINATE,
              "the group may or may not be in the"
              " log: %.300s",
              why.message);
    plog_err_hint(err,
                  "%sopen the directory again (paritylog replay DIR) and see"
                  " in its log whether it is there; deltas are just appended"
                  " again with the same ids, which are recognised",
                  plog_err_no_room(&why) ? PLOG_MAKE_ROOM "; then " : "");
    return PLOG_E_INDETERMINATE;
}

/* Makes the group durable in the log; the store's transaction stays open.
 * @guests  of the batch
 * @next    out, where log and store stand then */
static int log_group(plog *p, struct plog_work *w, struct plog_guests *guests,
                     struct plog_store_head *next, struct plog_error *err)
{
    struct plog_commit *c = &next->commit;
    struct plog_buf header;
    bool undone = true;
    size_t entries_end = w->lines.len;
    int rc = plog_engine_in_transaction(p, w, err);
    if (!rc)
        rc = sign(p, w, c, err);
    if (rc)
        return rc;
    if (plog_commit_format(&w->lines, c) || plog_buf_add_char(&w->lines, '\n'))
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    next->tree = w->tree;
    next->rules = w->rules;
    plog_buf_init(&header, p->io);
    rc = place(p, w, &header, next);
    if (rc)
        plog_fail(err, rc, "out of memory");
    struct plog_span line =
        plog_span(w->lines.data + entries_end, w->lines.len - entries_end - 1);
    if (!rc)
        rc = add_rows(p, next, line, err);
    if (!rc) {
        plog_shared_announce(guests, c);
        rc = write_checked(p, w, &header, next, &undone, err);
        if (rc == PLOG_E_TORN)
            p->head_known = false; /* the repair comes before the next group */
        if (rc && undone)
            plog_shared_retract(guests);
    }
    plog_buf_fini(&header);
    return rc && !undone ? plog_engine_indeterminate(err) : rc;
}

/* What is done while the disk writes, and so costs no time. */
struct meanwhile {
    plog *p;
    const struct plog_store_head *next;
    bool holds; /* the own signature */
    int rc;     /* of the store */
    struct plog_error err;
};

/* A fault of memory or arithmetic while signing may make a signature that does
 * not hold, and one that gives the secret away. */
static void while_it_writes(void *arg)
{
    struct meanwhile *m = arg;
    const struct plog_commit *c = &m->next->commit;
    m->holds = plog_signer_holds(&m->p->signer, m->p->origin, c->size, c->root,
                                 c->sig);
    m->rc = plog_store_put_head(&m->p->legs.store, m->next, &m->err);
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

/* Writes and syncs.  A signature that does not hold leaves a torn end, which
 * the next opening sets aside; a store that fails is replayed, as behind a
 * COMMIT that does. */
static int write_checked(plog *p, struct plog_work *w, struct plog_buf *header,
                         const struct plog_store_head *next, bool *undone,
                         struct plog_error *err)
{
    struct meanwhile m = {.p = p, .next = next};
    struct plog_tail *t = &p->legs.tail;
    t->meanwhile = while_it_writes;
    t->meanwhile_arg = &m;
    int rc = write_group(p, w, header, undone, err);
    t->meanwhile = NULL;
    if (!rc && !m.holds) {
        *undone = false;
        rc = plog_fail(err, PLOG_E_KEY,
                       "the signature just made does not hold: a fault of this"
                       " machine");
    }
    p->poisoned = rc && !*undone;
    if (!rc && m.rc) {
        *undone = p->head_known = false;
        *err = m.err;
        rc = m.rc;
    }
    return rc;
}

/* ---- Into the store ------------------------------------------------------ */

static int commit_store(plog *p, const struct plog_store_head *next,
                        struct plog_error *err)
{
    int rc = plog_store_commit(&p->legs.store, err);
    if (rc) {
        p->head_known = false; /* the group is replayed before the next one */
        return plog_engine_indeterminate(err);
    }
    p->legs.head = *next;
    return 0;
}

/* ---- Telling its owners -------------------------------------------------- */

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
void plog_engine_receipts(struct plog_request *r, const struct plog_commit *c)
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

/* Fills in what the owners are told. */
static void conclude(plog *p, struct plog_request *batch,
                     const struct plog_commit *c)
{
    for (struct plog_request *r = batch; r; r = r->next) {
        if (r->result == 0)
            plog_engine_receipts(r, c);
        if (r->result == 0 && r->control == PLOG_CONTROL_ROTATE &&
            plog_keychain_add(&p->legs.chain, &r->goes_to->vkey, c->size + 1))
            p->head_known = false; /* cannot be: it was counted before */
    }
}

/* What was refused for what is not there now fails like the others. */
static void fail_all(struct plog_request *batch, int rc,
                     const struct plog_error *why)
{
    for (struct plog_request *r = batch; r; r = r->next)
        if (r->result == 0 || r->beside)
            finish(r, rc, why);
}

/* ---- Housekeeping -------------------------------------------------------- */

/* Rows of records that wait.  When it fails they wait longer. */
static void move_recent(plog *p)
{
    struct plog_store *s = &p->legs.store;
    if (!plog_recent_is_due(&s->recent))
        return;
    if (plog_store_begin(s, NULL) || plog_recent_move(&s->recent, NULL) ||
        plog_store_commit(s, NULL))
        plog_store_rollback(s);
}

/* Housekeeping that nobody waits for, still under the writer lock. */
static void tidy(plog *p)
{
    if (p->poisoned || !p->head_known)
        return;
    plog_tail_pad(&p->legs.tail, p->legs.head.offset,
                  p->legs.head.rules.segment_size);
    move_recent(p);
    plog_store_write_back(&p->legs.store);
    /* By size, and by time, so that little is left to recover; a reader that
     * holds old pages only puts it off to the next group. */
    int64_t now = p->io->clock_mono_ns(p->io->ctx);
    if (p->legs.store.wal_pages <= WAL_PAGES &&
        (p->legs.store.wal_pages == 0 || now - p->checkpointed < WAL_NS))
        return;
    /* Processes that are killed again and again never come to begin it anew. */
    if (p->legs.store.wal_frames > 2 * WAL_PAGES)
        plog_store_empty_wal(&p->legs.store);
    else
        plog_store_checkpoint(&p->legs.store);
    p->checkpointed = now;
}
