/* parity_group.c - one group of the log against the store's rows and head. */
#include <stdio.h>

#include "parity.h"

/* Rows are left out there. */
static int take_above(struct plog_parity *p, const struct plog_log_group *g,
                      struct plog_error *err)
{
    const struct plog_scan *s = &p->c->walk.scan;
    int rc = 0;
    for (size_t i = 0; !rc && i < g->count && !p->c->stopped; i++)
        if (plog_scan_sketch(s, i)->seq == 0) /* no ordinary line */
            rc = plog_parity_above(p, plog_scan_text(s, i), err);
    return rc;
}

static int compare_group(struct plog_parity *p, const struct plog_log_group *g,
                         struct plog_error *err)
{
    struct plog_check *c = p->c;
    const struct plog_scan *s = &c->walk.scan;
    int rc = 0;
    for (size_t i = 0; !rc && i < g->count && c->quick && !c->stopped; i++)
        rc = plog_parity_quick(p, plog_scan_text(s, i), plog_scan_sketch(s, i),
                               g->first + i, err);
    for (size_t i = 0; !rc && i < g->count && !c->quick; i++)
        rc = plog_parity_entry(p, plog_scan_text(s, i), g->first + i, err);
    if (!rc)
        rc = plog_parity_checkpoint(p, g, err);
    c->report->entries += g->count;
    if (c->report->from == 0)
        c->report->from = g->first;
    c->report->to = g->size;
    return rc;
}

static void head_differs(struct plog_parity *p, uint64_t seq, const char *what)
{
    char want[96], got[96];
    snprintf(want, sizeof want, "meta: %s of the log", what);
    snprintf(got, sizeof got, "meta: another %s", what);
    plog_parity_find(p, PLOG_E_DIVERGED, seq, want, got);
}

/* Whether its head stands in a segment that only begins: one of the log, or one
 * that the store has a row of, which is told by itself. */
static bool begins_segment(const struct plog_parity *p)
{
    const struct plog_store_head *h = &p->c->head;
    const struct plog_buf *all = &p->c->walk.segments;
    bool known = p->segment_ready && plog_sql_u64(p->segments, 0) == h->segment;
    for (size_t i = 0; i < plog_segment_count(all); i++)
        known |= plog_segment_at(all, i) == h->segment;
    return known && h->segment == h->commit.size + 1;
}

/* The store's head names the commit of its size, byte for byte, and the place
 * behind it: in that segment, or behind the bare header of the next. */
static void judge_place(struct plog_parity *p, const struct plog_log_group *g)
{
    const struct plog_store_head *h = &p->c->head;
    bool next = begins_segment(p);
    if (strcmp(h->commit.key, g->commit.key) != 0 ||
        memcmp(h->commit.sig, g->commit.sig, PLOG_SIG_SIZE) != 0)
        head_differs(p, g->size, "key or signature");
    if (next || (h->segment == p->c->walk.first && h->offset == g->end))
        return;
    if (p->damaged == p->c->walk.first) /* bytes came or went before it */
        plog_check_unchecked(p->c, PLOG_LEG_STORE, g->size, g->size,
                             "meta: the offset: its segment is damaged");
    else
        head_differs(p, g->size, "segment or offset");
}

/* The store's head, which does not lie below the group, must be a commit of the
 * log. */
static void judge_head(struct plog_parity *p, const struct plog_log_group *g)
{
    struct plog_check *c = p->c;
    const struct plog_store_head *h = &c->head;
    char want[48], got[48];
    if (h->commit.size > g->size)
        return;
    if (h->commit.size == g->size &&
        !memcmp(h->commit.root, g->commit.root, PLOG_HASH_SIZE)) {
        judge_place(p, g);
        memcpy(p->origin, c->walk.chain.origin, sizeof p->origin);
        return;
    }
    bool is_signed = plog_parity_signs(p, &h->commit);
    plog_check_hash(g->commit.root, want);
    plog_check_hash(h->commit.root, got);
    plog_parity_find(p, is_signed ? PLOG_E_FORK : PLOG_E_DIVERGED,
                     h->commit.size, want, got);
}

/* The log's name at its beginning, by the store.  Without a trusted key there
 * is none: who goes on under another name (restore --continue-as) keeps
 * segments of the old one. */
static int first_name(struct plog_parity *p, char *name, struct plog_error *err)
{
    struct plog_check *c = p->c;
    struct plog_keychain keys;
    int rc = plog_store_keys(&c->reader.store, &c->head, &c->reader.keys, &keys,
                             err);
    if (!rc)
        snprintf(name, PLOG_ORIGIN_MAX + 1, "%s",
                 plog_keychain_name(&keys, 1, c->head.origin));
    return rc;
}

int plog_parity_expect_name(struct plog_parity *p, struct plog_error *err)
{
    struct plog_walk *w = &p->c->walk;
    struct plog_reader *r = &p->c->reader;
    char own[PLOG_ORIGIN_MAX + 1], name[PLOG_ORIGIN_MAX + 1];
    if (w->chain.origin[0] || !plog_reader_segment_name(r, 1, name))
        return 0;
    struct plog_error why = {0};
    int rc = first_name(p, own, &why);
    if (plog_check_is_verdict(rc))
        return 0;
    if (rc) {
        if (err)
            *err = why;
        return rc;
    }
    bool stranger = strcmp(name, own) != 0, has_own = false;
    for (size_t i = 1;
         stranger && !has_own && i < plog_segment_count(&w->segments); i++)
        has_own = plog_reader_segment_name(r, plog_segment_at(&w->segments, i),
                                           name) &&
                  (!strcmp(name, own) || !strcmp(name, p->c->head.origin));
    if (has_own)
        memcpy(w->chain.origin, own, sizeof own);
    return 0;
}

void plog_parity_advise_ahead(struct plog_parity *p)
{
    struct plog_check *c = p->c;
    struct plog_keychain keys;
    if (plog_parity_is_anothers(p))
        snprintf(p->ahead, sizeof p->ahead, "%s", PLOG_STORE_ANEW);
    else if (plog_store_keys(&c->reader.store, &c->head, &c->reader.keys, &keys,
                             NULL) == 0)
        snprintf(p->ahead, sizeof p->ahead,
                 "paritylog salvage DIR --from-store (takes what the store"
                 " proves); then paritylog replay DIR --fresh (keeps this store"
                 " in quarantine/)");
    else
        snprintf(p->ahead, sizeof p->ahead,
                 "if the log has gone over to key %s: paritylog key trust DIR"
                 " VKEY, then parity again; if not: paritylog replay DIR"
                 " --fresh (keeps this store in quarantine/)",
                 c->head.commit.key);
}

void plog_parity_bare_segment(struct plog_parity *p)
{
    struct plog_check *c = p->c;
    if (c->head.segment == c->walk.first &&
        c->head.commit.size < c->walk.first &&
        c->head.offset != c->walk.scan.offset)
        head_differs(p, c->head.commit.size, "offset");
}

int plog_parity_behind(struct plog_parity *p, const char *expected,
                       const char *found, struct plog_error *err)
{
    struct plog_check *c = p->c;
    uint64_t seq = c->head.commit.size + 1;
    if (p->is_behind)
        return 0;
    p->is_behind = true;
    int rc = plog_store_ends(&c->reader.store, &c->head,
                             plog_walk_last(&c->walk), err);
    if (rc && rc != PLOG_E_DIVERGED)
        return rc;
    plog_parity_find(p, rc ? rc : PLOG_E_BEHIND, seq,
                     rc ? "a store that ends with its head" : expected,
                     rc ? err->message : found);
    return 0;
}

/* Of groups behind the store's head the first is told. */
static int count_behind(struct plog_parity *p, const struct plog_log_group *g,
                        struct plog_error *err)
{
    char want[64], got[64];
    snprintf(want, sizeof want, "entries up to %llu",
             (unsigned long long)g->size);
    snprintf(got, sizeof got, "entries up to %llu",
             (unsigned long long)p->c->head.commit.size);
    return plog_parity_behind(p, want, got, err);
}

int plog_parity_group(struct plog_parity *p, const struct plog_tree *before,
                      const struct plog_log_group *g, struct plog_error *err)
{
    struct plog_check *c = p->c;
    int rc = 0;
    plog_check_expected(c, before, g);
    if (p->store_lost)
        return 0;
    p->cut_met |= g->size == c->upto;
    if (g->first <= c->head.commit.size) {
        rc = c->upto && g->first > c->upto ? take_above(p, g, err)
                                           : compare_group(p, g, err);
        judge_head(p, g);
    } else
        rc = count_behind(p, g, err);
    plog_check_progress(c, "log", g->size, c->head.commit.size);
    return rc;
}
