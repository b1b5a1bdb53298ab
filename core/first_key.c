/*
 * first_key.c - keys that are asked for ahead of where they stand: whose
 * signature a log begins with, and which it has in all.
 *
 * A header names no key in full, and a trusted key may be any of the log's: so
 * the first one may have to be looked for in the rotations that lead away from
 * it, further ahead.
 */
#include "scan_window.h"
#include "walk.h"

/* The key id of the first commit in the segment at hand; "" for none. */
static int first_commit_key(struct plog_walk *w, char *id)
{
    struct plog_span line;
    struct plog_commit c;
    uint64_t at = w->scan.offset;
    int rc;
    id[0] = '\0';
    while ((rc = plog_window_next(&w->scan, &at, &line)) == 0) {
        if (plog_line_kind(line) != PLOG_LINE_COMMIT)
            continue;
        if (plog_commit_parse(line, &c) == 0)
            memcpy(id, c.key, sizeof c.key);
        return 0;
    }
    return rc < 0 ? rc : 0;
}

/* Looks through one segment for rotations: the first one away from key `id`
 * gives it, and one that names a trusted key shows that there is a way. */
static int seek_rotations(struct plog_walk *w, struct plog_scan *s,
                          const char *id, struct plog_vkey *first, bool *way)
{
    struct plog_rotation r;
    uint64_t at = 0;
    int rc = 0;
    while (!*way && (rc = plog_window_rotation(s, &at, &r)) == 0) {
        struct plog_keychain two = {.count = 2};
        two.keys[0] = r.old_key;
        two.keys[1] = r.new_key;
        if (!first->name[0] && !strcmp(r.old_key.id_text, id))
            *first = r.old_key;
        *way = first->name[0] && plog_keychain_anchored(&two, w->chain.keys);
    }
    return rc < 0 ? rc : 0;
}

/* A trusted key may be any of the log's.  When it is not the first, which has
 * this id, the rotations ahead name the first; whether they lead to a trusted
 * one is asked again of what was verified, at the end (plog_keychain_check). */
static int find_key_ahead(struct plog_walk *w, const char *id,
                          struct plog_error *err)
{
    struct plog_vkey first = {.name = ""};
    bool way = false;
    int rc;
    for (size_t i = 0; !way && i < plog_segment_count(&w->segments); i++) {
        struct plog_scan s;
        struct plog_stat st;
        int fd;
        rc = plog_dir_open_segment(w->dir, plog_segment_at(&w->segments, i),
                                   false, &fd, &st, err);
        if (rc == PLOG_E_IO || rc == PLOG_E_NOMEM)
            return rc;
        if (rc)
            continue; /* the walk will say so */
        plog_scan_open(&s, w->dir->io, fd, st.size, false, &w->chain);
        rc = seek_rotations(w, &s, id, &first, &way);
        if (rc)
            plog_scan_error(&s, plog_segment_at(&w->segments, i), err);
        plog_scan_close(&s);
        w->dir->io->close(w->dir->io->ctx, fd);
        if (rc)
            return rc;
    }
    return way && plog_keychain_add(&w->chain.chain, &first, 0) ? PLOG_E_NOMEM
                                                                : 0;
}

int plog_walk_first_key(struct plog_walk *w, struct plog_error *err)
{
    char id[PLOG_KEYID_TEXT];
    int rc = first_commit_key(w, id);
    if (rc < 0)
        return plog_scan_error(&w->scan, w->first, err);
    if (!id[0] || plog_keyring_find(w->chain.keys, plog_span_text(id)))
        return 0;
    return find_key_ahead(w, id, err);
}

int plog_walk_floor_key(struct plog_walk *w, struct plog_error *err)
{
    struct plog_keychain *k = &w->chain.chain;
    struct plog_segment_header h;
    struct plog_span line;
    int rc = plog_window_line(&w->scan, 0, 0, PLOG_LINE_SLACK, &line);
    if (!rc)
        rc = plog_header_parse(&w->scan.parser.json, line, &h);
    if (rc == PLOG_E_NOMEM)
        return plog_fail(err, rc, "out of memory");
    if (rc)
        return 0; /* reading the header says what is wrong */
    const struct plog_vkey *own =
        plog_keyring_find(w->chain.keys, plog_span_text(h.last.key));
    if (own)
        return plog_keychain_add(k, own, 0);
    return find_key_ahead(w, h.last.key, err);
}

/* ---- Those of orders that came along ------------------------------------ */

/* What is wrong with the log, says whoever reads it then. */
static int take_keys(struct plog_walk *w, const struct plog_keychain *chain,
                     int rc, struct plog_error *err)
{
    if (rc == PLOG_E_IO)
        return rc; /* nobody knows then */
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
    struct plog_error why = {.code = 0};
    bool any;
    int rc = plog_orders_unproven(&w->orders, &any);
    if (rc || !any)
        return rc ? plog_orders_brought_fail(&w->orders, rc, err) : 0;
    rc = plog_walk_open(&ahead, w->dir, w->chain.keys, &why);
    if (!rc)
        rc = start(arg, &ahead, &why);
    while (!rc)
        rc = plog_walk_next(&ahead, &g, &why);
    rc = take_keys(w, &ahead.chain.chain, rc, &why);
    plog_walk_close(&ahead);
    if (rc && err)
        *err = why;
    return rc;
}
