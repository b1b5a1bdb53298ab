/*
 * repair.c - what a writer that did not finish left, and mending it.
 *
 * Order: verify from the store's head to the log's end (no byte changes) ->
 * copy a torn tail to quarantine/ and sync it -> write the valid bytes of the
 * last segment to a new file, sync, rename, sync the directory -> replay.
 * A crash between any two steps leaves a state from which the same steps
 * start again.
 */
#include <stdio.h>

#include "aside.h"
#include "kept.h"
#include "legs.h"

/* ---- The store as a prefix ---------------------------------------------- */

static int store_ahead(const struct plog_store_head *h, uint64_t log_size,
                       struct plog_error *err)
{
    plog_fail(err, PLOG_E_ROLLBACK,
              "the log ends at entry %llu, but the store"
              " holds a signed head at %llu",
              (unsigned long long)log_size, (unsigned long long)h->commit.size);
    plog_err_seq(err, log_size + 1);
    plog_err_hint(err, "run: paritylog parity DIR");
    return PLOG_E_ROLLBACK;
}

/* The head is not where the store says: look for its size in the log. */
static int search(struct plog_store *store, const struct plog_store_head *h,
                  struct plog_walk *w, struct plog_error *err)
{
    struct plog_log_group g;
    int rc = plog_walk_start(w, err);
    if (rc == PLOG_E_TORN && h->commit.size == 0)
        return 0;
    if (!rc && w->chain.last.size > h->commit.size) {
        plog_fail(err, PLOG_E_PRUNED,
                  "the store stands at entry %llu, and the log begins behind"
                  " entry %llu",
                  (unsigned long long)h->commit.size,
                  (unsigned long long)w->chain.last.size);
        plog_err_hint(err, "run: " PLOG_STORE_ANEW);
        return PLOG_E_PRUNED;
    }
    while (!rc && w->chain.last.size < h->commit.size)
        rc = plog_walk_next(w, &g, err);
    /* Here, because a restored copy that goes on has changed its name. */
    if ((rc == 0 || rc == PLOG_END || rc == PLOG_E_TORN) &&
        w->chain.origin[0] && strcmp(w->chain.origin, h->origin) != 0)
        return plog_fail(err, PLOG_E_FOREIGN,
                         "the log is `%s`, the store"
                         " belongs to `%s`",
                         w->chain.origin, h->origin);
    if (rc == PLOG_END || rc == PLOG_E_TORN)
        return plog_legs_fork(w->dir, w->chain.keys, store, h, &w->chain.last,
                              plog_walk_start)
                   ? plog_legs_fail_fork(w->chain.last.size, err)
                   : store_ahead(h, w->chain.last.size, err);
    if (rc)
        return rc;
    if (w->chain.last.size == h->commit.size &&
        !memcmp(w->chain.last.root, h->commit.root, PLOG_HASH_SIZE))
        return 0;
    return plog_legs_fail_fork(h->commit.size, err);
}

static int place(struct plog_store *store, const struct plog_store_head *h,
                 struct plog_walk *w, struct plog_error *err)
{
    int rc = h->commit.size ? 0 : PLOG_END;
    if (h->commit.size) {
        rc = plog_store_keys(store, h, w->chain.keys, &w->chain.chain, err);
        /* The trusted key may be one that the log goes over to later. */
        if (rc == PLOG_E_UNKNOWN_KEY)
            rc = PLOG_END;
    }
    if (!rc)
        rc = plog_walk_start_at(w, h, err);
    if (rc == PLOG_END)
        rc = search(store, h, w, err);
    return rc ? rc : plog_store_ends(store, h, plog_walk_last(w), err);
}

int plog_legs_locate(struct plog_legs *l, struct plog_walk *w,
                     struct plog_error *err)
{
    return place(&l->store, &l->head, w, err);
}

/* ---- The end of the log ------------------------------------------------- */

/* Redacted lines were taken on the word of orders that stand behind them. */
static int check_orders(struct plog_walk *w, struct plog_error *err)
{
    size_t i = 0;
    int rc = plog_orders_settle(&w->orders);
    if (rc)
        return plog_orders_brought_fail(&w->orders, rc, err);
    const struct plog_known_order *o = plog_orders_unheld(&w->orders, &i);
    const struct plog_known_floor *c = plog_orders_floor_unheld(&w->orders);
    char key[PLOG_KEYID_TEXT];
    size_t file = c ? c->file : o ? plog_orders_file(&w->orders, o) : 0;
    const char *strange = plog_orders_strange(&w->orders, file, key);
    if (strange)
        return plog_orders_strange_fail(
            c ? "the log begins behind entry 1: expected a compact entry"
              : "a redacted line: expected an order",
            strange, key, err);
    if (c)
        return plog_fail(err, PLOG_E_CORRUPT,
                         "the log begins behind entry 1, and the compact entry"
                         " at %llu that would let it is not one of the log",
                         (unsigned long long)c->entry.at);
    if (!o)
        return 0;
    plog_fail(err, PLOG_E_TAMPERED,
              "entry %llu is redacted, and the order for it at %llu is not one"
              " of the log",
              (unsigned long long)o->order.seq,
              (unsigned long long)o->order.at);
    plog_err_seq(err, o->order.seq);
    plog_err_hint(err, "run: paritylog verify DIR");
    return PLOG_E_TAMPERED;
}

int plog_legs_end_next(struct plog_walk *w, struct plog_log_end *end,
                       struct plog_log_group *g, struct plog_error *err)
{
    end->segment = w->first;
    end->offset = w->scan.offset;
    end->last = w->chain.last;
    int rc = plog_walk_next(w, g, err);
    if (w->entered && !w->headless) {
        end->segment = w->first;
        end->offset = rc ? w->scan.offset : g->begin;
    }
    return rc;
}

int plog_legs_end_judge(struct plog_walk *w, int stop, struct plog_log_end *end,
                        struct plog_error *err)
{
    uint64_t content = 0;
    if (stop != PLOG_END && stop != PLOG_E_TORN)
        return stop;
    int rc = plog_keychain_check(&w->chain.chain, w->chain.keys, err);
    if (!rc)
        rc = check_orders(w, err);
    if (rc || stop == PLOG_END)
        return rc;
    rc = plog_scan_content_end(&w->scan, &content);
    if (rc)
        return plog_scan_error(&w->scan, w->first, err);
    end->headless = w->headless;
    end->torn_segment = w->first;
    end->torn_from = w->scan.offset;
    end->torn_bytes = content > end->torn_from ? content - end->torn_from : 0;
    return 0;
}

int plog_legs_find_end(struct plog_walk *w, struct plog_log_end *end,
                       struct plog_error *err)
{
    struct plog_log_group g;
    int rc = w->torn ? PLOG_E_TORN : 0;
    memset(end, 0, sizeof *end);
    while (!rc)
        rc = plog_legs_end_next(w, end, &g, err);
    return plog_legs_end_judge(w, rc, end, err);
}

/* ---- Setting aside ------------------------------------------------------ */

static int set_tail_aside(struct plog_legs *l, const struct plog_log_end *end,
                          char *quarantine, struct plog_error *err)
{
    return plog_aside_bytes(&l->dir, end->torn_segment, end->torn_from,
                            end->torn_from + end->torn_bytes, quarantine, err);
}

/* The copy is safe: the file without a header goes. */
static int drop_headless(struct plog_legs *l, const struct plog_log_end *end,
                         struct plog_error *err)
{
    char name[PLOG_SEGMENT_NAME];
    plog_segment_name(end->torn_segment, name);
    int rc = l->io->unlink_at(l->io->ctx, l->dir.log, name);
    if (!rc)
        rc = l->io->fsync(l->io->ctx, l->dir.log);
    return rc ? plog_fail_segment(err, rc, end->torn_segment,
                                  "removing an unborn segment")
              : 0;
}

int plog_legs_renew(struct plog_legs *l, const struct plog_log_end *end,
                    char *quarantine, struct plog_error *err)
{
    const struct plog_io *io = l->io;
    char name[PLOG_SEGMENT_NAME], fresh[PLOG_SEGMENT_NAME + 4];
    struct plog_stat id;
    int fd, rc = 0;
    quarantine[0] = '\0';
    if (end->torn_bytes)
        rc = set_tail_aside(l, end, quarantine, err);
    if (!rc && end->headless)
        rc = drop_headless(l, end, err);
    if (rc || end->segment == 0)
        return rc;
    rc = plog_dir_open_segment(&l->dir, end->segment, false, &fd, &id, err);
    if (rc)
        return rc;
    plog_segment_name(end->segment, name);
    snprintf(fresh, sizeof fresh, "%s.new", name);
    io->unlink_at(io->ctx, l->dir.log, fresh);
    rc = plog_aside_copy(io, fd, 0, end->offset, l->dir.log, fresh);
    io->close(io->ctx, fd);
    if (!rc)
        rc = io->rename_at(io->ctx, l->dir.log, fresh, l->dir.log, name, true);
    if (!rc)
        rc = io->fsync(io->ctx, l->dir.log);
    return rc ? plog_fail_segment(err, rc, end->segment,
                                  "renewing the last segment")
              : 0;
}

/* ---- All of it ---------------------------------------------------------- */

int plog_legs_inspect(struct plog_walk *w, const struct plog_dir *dir,
                      const struct plog_keyring *keys, struct plog_store *store,
                      const struct plog_store_head *h, struct plog_log_end *end,
                      struct plog_error *err)
{
    int rc = plog_walk_open(w, dir, keys, err);
    if ((rc == PLOG_E_NOTHING || rc == PLOG_E_ROLLBACK) && h->commit.size)
        rc = store_ahead(h, 0, err);
    if (!rc)
        rc = place(store, h, w, err);
    if (!rc)
        rc = plog_legs_find_end(w, end, err);
    if (!rc && end->segment == 0)
        rc = plog_fail(err, PLOG_E_NOTHING, "the log holds no entry");
    /* Only before anything is applied: a store that agrees with an older log is
     * as old. */
    if (!rc && end->last.size > h->commit.size)
        rc = plog_kept_refuse(dir, &w->chain, end->last.size, err);
    return rc;
}

int plog_legs_repair(struct plog_legs *l, bool leave_behind,
                     struct plog_error *err)
{
    struct plog_walk w;
    struct plog_log_end end;
    char quarantine[128];
    plog_tail_close(&l->tail);
    int rc = plog_legs_inspect(&w, &l->dir, &l->keys, &l->store, &l->head, &end,
                               err);
    plog_walk_close(&w);
    if (!rc)
        rc = plog_legs_renew(l, &end, quarantine, err);
    if (!rc && !leave_behind)
        rc = plog_legs_replay(l, NULL, err);
    return rc;
}
