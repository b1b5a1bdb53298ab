/*
 * apply.c - bringing a store up to its log by hand: one logged entry, or all.
 */

#include "engine.h"
#include "rehearse.h"

/* An entry that the store should hold already. */
static int compare_stored(plog *p, uint64_t seq, struct plog_span line,
                          struct plog_error *err)
{
    struct plog_span stored;
    int rc = plog_store_line(&p->legs.store, seq, &stored, NULL, err);
    if (rc < 0)
        return rc;
    if (rc == 0 && plog_span_equal(stored, line))
        return PLOG_PRESENT;
    if (rc == PLOG_END && seq <= p->legs.head.rules.base)
        rc = plog_fail(err, PLOG_E_PRUNED,
                       "the store's events up to %llu were taken away",
                       (unsigned long long)p->legs.head.rules.base);
    else
        rc = plog_fail(err, PLOG_E_MISMATCH,
                       "store.db holds other bytes as entry %llu",
                       (unsigned long long)seq);
    plog_err_seq(err, seq);
    return rc;
}

/* The next group of the log, when it holds the entry with these bytes. */
static int check_next_group(plog *p, uint64_t seq, struct plog_span line,
                            uint64_t *to, struct plog_error *err)
{
    struct plog_walk w;
    struct plog_log_group g = {0};
    int rc = plog_walk_open(&w, &p->legs.dir, &p->legs.keys, err);
    if (!rc)
        rc = plog_legs_locate(&p->legs, &w, err);
    if (!rc)
        rc = plog_walk_next(&w, &g, err);
    uint64_t first = g.first;
    while (!rc && seq > g.size)
        rc = plog_walk_next(&w, &g, err);
    if (rc == PLOG_END || rc == PLOG_E_TORN)
        rc = plog_fail(err, PLOG_E_NOT_FOUND, "the log has no entry %llu",
                       (unsigned long long)seq);
    else if (!rc && g.first > first)
        rc = plog_fail(err, PLOG_E_BEHIND,
                       "entries from %llu on are missing"
                       " before entry %llu",
                       (unsigned long long)first, (unsigned long long)seq);
    else if (!rc && !plog_span_equal(
                        plog_scan_text(&w.scan, (size_t)(seq - g.first)), line))
        rc = plog_fail(err, PLOG_E_MISMATCH,
                       "the log holds other bytes as"
                       " entry %llu",
                       (unsigned long long)seq);
    *to = rc ? 0 : g.size;
    plog_walk_close(&w);
    return rc;
}

static int apply_logged(plog *p, void *arg, struct plog_error *err)
{
    const struct plog_span line = *(const struct plog_span *)arg;
    struct plog_entry_parser parser;
    struct plog_entry e;
    struct plog_replay_watch watch = {0};
    plog_entry_parser_init(&parser, p->io);
    int rc = plog_entry_parse(&parser, line, &e, err);
    uint64_t seq = e.seq;
    plog_entry_parser_fini(&parser);
    if (rc)
        return rc == PLOG_E_CORRUPT
                   ? plog_fail(err, PLOG_E_INPUT, "not an entry line")
                   : rc;
    rc = plog_store_get_head(&p->legs.store, &p->legs.head, err);
    if (!rc && seq <= p->legs.head.commit.size)
        return compare_stored(p, seq, line, err);
    if (!rc)
        rc = check_next_group(p, seq, line, &watch.to, err);
    plog_store_rollback(&p->legs.store); /* the replay has its own */
    return rc ? rc : plog_legs_replay(&p->legs, &watch, err);
}

/* Waits until no other thread writes. */
static int take_turn(plog *p, struct plog_error *err)
{
    if (p->io->process_id(p->io->ctx) != p->pid)
        return plog_fail(err, PLOG_E_ARG, "opened before a fork");
    plog_queue_take_turn(&p->queue);
    return 0;
}

static int lead_to(plog *p, int (*what)(plog *, void *, struct plog_error *),
                   void *arg, struct plog_error *err)
{
    int rc = p->poisoned ? plog_fail(err, PLOG_E_POISONED,
                                     "an earlier write or sync failed; close"
                                     " this handle and open again")
                         : plog_engine_enter(p, err);
    if (!rc) {
        rc = what(p, arg, err);
        plog_engine_leave(p);
    }
    return rc;
}

int plog_engine_locked(plog *p,
                       int (*what)(plog *, void *, struct plog_error *),
                       void *arg, struct plog_error *err)
{
    if (p->rehearses)
        return plog_rehearse_run(p, what, arg, err);
    int rc = take_turn(p, err);
    if (rc)
        return rc;
    rc = lead_to(p, what, arg, err);
    plog_queue_give_turn(&p->queue);
    return plog_done(err, rc);
}

int plog_apply_logged(plog *p, const char *line, size_t len,
                      struct plog_error *err)
{
    struct plog_span text = plog_span(line, len);
    return plog_engine_locked(p, apply_logged, &text, err);
}

static int catch_up(plog *p, void *unused, struct plog_error *err)
{
    (void)unused;
    plog_store_rollback(&p->legs.store);
    int rc = plog_legs_replay(&p->legs, NULL, err);
    p->head_known = false; /* the full check has the last word */
    if (!rc)
        p->behind = false;
    return rc;
}

int plog_catch_up(plog *p, struct plog_error *err)
{
    return plog_engine_locked(p, catch_up, NULL, err);
}

static int get_head(plog *p, void *arg, struct plog_error *err)
{
    *(struct plog_commit *)arg = p->legs.head.commit;
    (void)err;
    return 0;
}

/* Without the lock, which would lead to a repair: this handle only reads. */
static int read_head(plog *p, struct plog_commit *c, struct plog_error *err)
{
    struct plog_store_head h;
    if (!p->legs.store_open)
        return plog_fail(err, PLOG_E_POISONED, "the store is not open");
    plog_store_rest(&p->legs.store);
    int rc = plog_store_get_head(&p->legs.store, &h, err);
    plog_store_rest(&p->legs.store);
    if (!rc)
        *c = h.commit;
    return rc;
}

int plog_get_head(plog *p, struct plog_head *out, struct plog_error *err)
{
    struct plog_commit c;
    int rc = take_turn(p, err);
    if (rc)
        return rc;
    rc = p->poisoned ? read_head(p, &c, err) : lead_to(p, get_head, &c, err);
    plog_queue_give_turn(&p->queue);
    if (rc)
        return plog_done(err, rc);
    out->size = c.size;
    memcpy(out->root, c.root, sizeof out->root);
    memcpy(out->sig, c.sig, sizeof out->sig);
    memcpy(out->key, c.key, sizeof out->key);
    return plog_done(err, 0);
}
