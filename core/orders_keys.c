/*
 * orders_keys.c - under which keys an order that came along counts: see
 * orders.h.
 *
 * The trusted ones, and those that the log has had so far.  A log that was
 * restored and goes on under a name of its own may be read with the key that it
 * has now and no other: then the key that signed an order is met only behind
 * the line that the order is about.  The rotations ahead name it, on the word
 * of lines that were not verified, so what it proves is only claimed.  Whoever
 * needs more than that before the first line is given out reads the log to its
 * end first (plog_walk_learn_keys).
 */
#include "scan_window.h"
#include "walk.h"

/* Whose chain and keys those are. */
static struct plog_orders *asking(struct plog_orders *o)
{
    return o->for_ ? o->for_ : o;
}

static const struct plog_vkey *ahead(const struct plog_orders *o, size_t *count)
{
    *count = o->ahead.len / sizeof(struct plog_vkey);
    return (const void *)o->ahead.data;
}

/* ---- Keys further ahead ------------------------------------------------- */

/* More than a log may have are none of this one. */
static int add_key(struct plog_orders *o, const struct plog_vkey *key)
{
    size_t n;
    const struct plog_vkey *have = ahead(o, &n);
    for (size_t i = 0; i < n; i++)
        if (plog_vkey_same(&have[i], key))
            return 0;
    return n < PLOG_KEYS_MAX ? plog_buf_add(&o->ahead, key, sizeof *key) : 0;
}

/* In the order of the log, so that nothing behind its end can take the place of
 * a key of its own.  What is wrong, the verified reading says. */
static int look_for_rotations(struct plog_orders *given, struct plog_scan *s)
{
    struct plog_orders *o = asking(given);
    struct plog_rotation r;
    uint64_t at = 0;
    int rc = 0;
    while (!rc && (rc = plog_walk_seek_rotation(s, &at, &r)) == 0) {
        rc = add_key(o, &r.old_key);
        if (!rc)
            rc = add_key(o, &r.new_key);
    }
    return rc < 0 ? rc : 0;
}

static int look_ahead(struct plog_orders *given)
{
    struct plog_orders *o = asking(given);
    if (o->ahead_read || !o->looks_ahead)
        return 0;
    int rc = plog_orders_each_segment(given, look_for_rotations);
    o->ahead_read = !rc && !given->unreadable;
    return rc;
}

int plog_orders_know_keys(struct plog_orders *o,
                          const struct plog_keychain *chain)
{
    int rc = 0;
    o->ahead.len = 0;
    o->ahead_read = o->ahead_verified = true;
    for (unsigned i = 0; !rc && i < chain->count; i++)
        rc = add_key(o, &chain->keys[i]);
    o->brought_read = false;
    return rc;
}

/* What is wrong with the log, says whoever reads it then. */
static int take_keys(struct plog_walk *w, const struct plog_keychain *chain,
                     int rc, struct plog_error *err)
{
    w->orders.looks_ahead = false;
    if (rc == PLOG_E_IO) /* nobody knows then */
        return plog_fail(err, rc, "reading the log ahead for its keys failed");
    if (rc != PLOG_E_NOMEM)
        rc = plog_keychain_anchored(chain, w->chain.keys)
                 ? plog_orders_know_keys(&w->orders, chain)
                 : 0;
    return rc ? plog_fail(err, rc, "out of memory") : 0;
}

int plog_walk_learn_keys(struct plog_walk *w, plog_walk_starter *start,
                         void *arg, struct plog_error *err)
{
    struct plog_walk ahead;
    struct plog_log_group g;
    bool any;
    int rc = plog_orders_unproven(&w->orders, &any);
    if (rc || !any)
        return rc ? plog_orders_brought_fail(rc, err) : 0;
    rc = plog_walk_open(&ahead, w->dir, w->chain.keys, NULL);
    if (!rc)
        rc = start(arg, &ahead, NULL);
    while (!rc)
        rc = plog_walk_next(&ahead, &g, NULL);
    rc = take_keys(w, &ahead.chain.chain, rc, err);
    plog_walk_close(&ahead);
    return rc;
}

/* ---- Proofs ------------------------------------------------------------- */

/* Returns 0; PLOG_END; PLOG_E_NOMEM. */
static int under(const struct plog_vkey *keys, size_t count,
                 struct plog_span text, struct plog_proof_report *r)
{
    char vkey[PLOG_VKEY_MAX];
    for (size_t i = 0; i < count; i++) {
        plog_vkey_format(&keys[i], vkey);
        int rc = plog_verify_proof(text.p, text.n, vkey, NULL, 0, r, NULL);
        if (rc == 0 || rc == PLOG_E_NOMEM)
            return rc;
    }
    return PLOG_END;
}

int plog_orders_prove(struct plog_orders *given, struct plog_span text,
                      struct plog_proof_report *r, enum plog_order_from *from)
{
    struct plog_orders *o = asking(given);
    size_t n;
    int rc = PLOG_END;
    *from = PLOG_ORDER_PROVEN;
    if (o->chain)
        rc = under(o->chain->keys, o->chain->count, text, r);
    if (rc == PLOG_END)
        rc = under(o->keys->keys, o->keys->count, text, r);
    if (rc != PLOG_END)
        return rc;
    rc = look_ahead(given);
    if (rc)
        return rc;
    if (!o->ahead_verified)
        *from = PLOG_ORDER_CLAIMED;
    const struct plog_vkey *keys = ahead(o, &n);
    return under(keys, n, text, r);
}
