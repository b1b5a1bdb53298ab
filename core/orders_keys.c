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
static int look_for_rotations(struct plog_orders *o, struct plog_scan *s)
{
    struct plog_rotation r;
    uint64_t at = 0;
    int rc = 0;
    while (!rc && (rc = plog_window_rotation(s, &at, &r)) == 0) {
        rc = add_key(o, &r.old_key);
        if (!rc)
            rc = add_key(o, &r.new_key);
    }
    return rc < 0 ? rc : 0;
}

/* Once: what could not be read then is not read for each file again. */
static int look_ahead(struct plog_orders *o)
{
    if (o->ahead_read || !o->looks_ahead)
        return 0;
    bool before = o->unreadable;
    o->unreadable = false;
    int rc = plog_orders_each_segment(o, look_for_rotations);
    o->ahead_read = !rc;
    o->ahead_unreadable = o->unreadable;
    o->unreadable |= before;
    return rc;
}

int plog_orders_know_keys(struct plog_orders *o,
                          const struct plog_keychain *chain)
{
    int rc = 0;
    o->ahead.len = 0;
    o->asked = 0;
    o->ahead_read = o->ahead_verified = true;
    for (unsigned i = 0; !rc && i < chain->count; i++)
        rc = add_key(o, &chain->keys[i]);
    return rc;
}

/* ---- Whose a note is ---------------------------------------------------- */

/* Returns whether; `*named` when there is a key that it names, at least. */
static bool under(const struct plog_vkey *keys, size_t count,
                  const struct plog_note *n, bool *named)
{
    bool holds = false;
    for (size_t i = 0; !holds && i < count; i++) {
        bool is = memcmp(keys[i].id, n->key_id, sizeof n->key_id) == 0 &&
                  strcmp(keys[i].name, n->origin) == 0;
        *named |= is;
        holds = is && plog_checkpoint_verify(&keys[i], n->origin, n->size,
                                             n->root, n->sig);
    }
    return holds;
}

int plog_orders_whose(struct plog_orders *o, const struct plog_note *note,
                      enum plog_order_from *from)
{
    size_t n;
    bool named = false;
    if ((o->chain && under(o->chain->keys, o->chain->count, note, &named)) ||
        under(o->keys->keys, o->keys->count, note, &named)) {
        *from = PLOG_ORDER_PROVEN;
        return 0;
    }
    if (!named && *from == PLOG_ORDER_CLAIMED && !o->ahead_verified)
        return 0;                       /* by the same key as before */
    int rc = named ? 0 : look_ahead(o); /* one id has one key */
    const struct plog_vkey *keys = ahead(o, &n);
    bool later = under(keys, n, note, &named);
    *from = later && o->ahead_verified ? PLOG_ORDER_PROVEN
            : later                    ? PLOG_ORDER_CLAIMED
            : named                    ? PLOG_ORDER_BROKEN
                                       : PLOG_ORDER_UNKNOWN;
    return rc;
}
