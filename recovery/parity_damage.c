/*
 * parity_damage.c - on behind damage in the log.
 *
 * The store's own lines are tried: when they hash to the root that the damaged
 * group signed, they are proven true, the damaged lines are named one by one,
 * and the check goes on as if the log were whole.
 */
#include "parity.h"
#include "store_log.h"

#include <stdio.h>

#define NAMED 64 /* damaged lines of one group that are named one by one */

struct damage {
    struct plog_tree tree; /* before it */
    uint64_t offset[NAMED], seq[NAMED];
    unsigned char leaf[NAMED][PLOG_HASH_SIZE];
    unsigned char stored[NAMED][PLOG_HASH_SIZE]; /* the leaves in the store */
    unsigned count;
    uint64_t more;             /* that differ, too */
    struct plog_finding group; /* when no line can be named */
    char file[64];
    uint64_t no_order; /* entry that is redacted in both, without an order */
};

/* Lines of the group at hand that differ from the store's. */
static int suspect_lines(struct plog_parity *p, struct damage *d)
{
    struct plog_scan *s = &p->c->walk.scan;
    unsigned char leaf[PLOG_HASH_SIZE];
    uint64_t first = p->c->walk.chain.last.size + 1;
    size_t n = s->lines.len / sizeof(struct plog_scan_line);
    for (size_t i = 0; i < n; i++) {
        struct plog_span stored;
        int rc = plog_parity_stored(p, first + i, &stored, NULL);
        if (rc == PLOG_END)
            return 0;
        if (rc)
            return rc;
        /* By leaf: the window has moved on while the tail was judged. */
        plog_line_leaf(stored, leaf);
        if (memcmp(leaf, plog_scan_line(s, i)->leaf, sizeof leaf) == 0)
            continue;
        if (d->count == NAMED) {
            d->more++;
            continue;
        }
        d->offset[d->count] = plog_scan_line(s, i)->offset;
        d->seq[d->count] = first + i;
        memcpy(d->stored[d->count], leaf, sizeof leaf);
        memcpy(d->leaf[d->count++], plog_scan_line(s, i)->leaf, PLOG_HASH_SIZE);
    }
    return 0;
}

/* Whether the store's lines from..to hash to the signed root; then the chain
 * stands on them again. */
static int prove_store(struct plog_parity *p, struct damage *d, uint64_t from,
                       uint64_t to, bool *proven)
{
    struct plog_chain *chain = &p->c->walk.chain;
    unsigned char hash[PLOG_HASH_SIZE];
    *proven = false;
    for (uint64_t seq = from; seq <= to; seq++) {
        struct plog_span line;
        int rc = plog_parity_stored(p, seq, &line, NULL);
        if (rc)
            return rc == PLOG_END ? 0 : rc;
        plog_line_leaf(line, hash);
        if (plog_line_is_redacted(line) &&
            plog_orders_need(&p->c->walk.orders, seq, hash, line)) {
            d->no_order = seq;
            return 0;
        }
        if (plog_tree_add(&d->tree, hash))
            return 0;
    }
    plog_tree_root(&d->tree, hash);
    *proven = memcmp(hash, chain->last.root, sizeof hash) == 0;
    if (*proven) {
        chain->tree = d->tree;
        chain->broken = false;
    }
    return 0;
}

/* A store that was trimmed begins behind its base, with the tree that the
 * snapshot of there has; where that is lost it proves nothing. */
static void begin_at_base(struct plog_parity *p, struct damage *d,
                          uint64_t *from)
{
    struct plog_store_log s = {.store = NULL};
    struct plog_reader *r = &p->c->reader;
    if (*from > p->c->head.rules.base)
        return;
    if (!plog_store_log_open(&s, &r->store, &p->c->head, &r->keys, &r->dir,
                             true, NULL) &&
        s.tree.size >= *from) {
        d->tree = s.tree;
        *from = s.tree.size + 1;
    }
    plog_store_log_close(&s);
}

/* Whether the store holds the order itself: then that can be healed first. */
static bool has_order(struct plog_parity *p, uint64_t target)
{
    uint64_t one;
    int rc = plog_sql_number(p->db,
                             "SELECT 1 FROM main.redactions r JOIN main.events"
                             " e ON e.seq=r.seq WHERE r.target=?1",
                             target, 0, &one, NULL);
    return rc != PLOG_END; /* one that cannot be read may be there */
}

/* What mends damage that the store does not; NULL: it does, or may.
 * @to      where the log goes on; 0: nobody knows
 * @differ  the store's lines up to there are not those that were signed */
static const char *other_leg(struct plog_parity *p, const struct damage *d,
                             uint64_t from, uint64_t to, bool differ)
{
    if (p->store_lost)
        return NULL;
    if (d->no_order)
        return has_order(p, d->no_order)
                   ? NULL
                   : "bring orders/ back, as it came with this copy, or"
                     " restore the copy again: neither leg can give what lies"
                     " in orders/";
    if (!differ && p->c->head.commit.size >= (to ? to : from))
        return NULL;
    return "bring this file back from a copy of the log: the store cannot mend"
           " it; " PLOG_CHECK_BEFORE;
}

static void name_lines(struct plog_parity *p, const struct damage *d, int code)
{
    char want[48], got[48];
    for (unsigned i = 0; i < d->count; i++) {
        struct plog_finding f = d->group;
        plog_check_hash(d->stored[i], want);
        plog_check_hash(d->leaf[i], got);
        f.verdict = code;
        f.offset = d->offset[i];
        f.has_offset = true;
        f.seq = d->seq[i];
        f.expected = want;
        f.found = got;
        plog_check_find(p->c, &f);
    }
    p->c->report->counts[-code] += d->more;
}

/* Folds and compares what the store's proven lines stand for.  Each is copied:
 * a merge reads the line before it by the same statement.  Rows that stood at a
 * floor, or were passed behind other damage, begin with the lines. */
static int use_proven(struct plog_parity *p, uint64_t from, uint64_t to,
                      struct plog_error *err)
{
    struct plog_buf copy;
    int rc = p->fold_whole ? 0 : plog_parity_rows_from(p, from, err);
    plog_buf_init(&copy, p->c->reader.io);
    for (uint64_t seq = from; !rc && seq <= to; seq++) {
        struct plog_span line;
        copy.len = 0;
        rc = plog_parity_stored(p, seq, &line, err);
        if (!rc && plog_buf_add_span(&copy, line))
            rc = plog_fail(err, PLOG_E_NOMEM, "out of memory");
        if (!rc)
            rc = plog_parity_entry(p, plog_span(copy.data, copy.len), seq, err);
    }
    plog_buf_fini(&copy);
    return rc < 0 ? rc : plog_parity_skip(p, to, err);
}

/* Of a group whose entries are the store's: the name of a key that nobody knows
 * is that of a known one, damaged, when the store's copy of the commit has such
 * a one and its signature holds. */
static int judge_name(struct plog_parity *p, int code, struct plog_fault *fault)
{
    struct plog_check *c = p->c;
    struct plog_span line;
    struct plog_commit commit;
    if (code != PLOG_E_UNKNOWN_KEY || fault->in_orders || p->store_lost ||
        plog_store_closing(&c->reader.store, fault->seq, &line, NULL) ||
        plog_commit_parse(line, &commit) || commit.size != fault->seq)
        return code;
    const struct plog_vkey *key = plog_check_key(c, &commit);
    if (!key || !plog_checkpoint_verify(key, key->name, commit.size,
                                        commit.root, commit.sig))
        return code;
    snprintf(fault->expected, sizeof fault->expected,
             "key %s, which signed the store's copy", commit.key);
    return PLOG_E_CORRUPT;
}

/* Each line of the group was held against one that is proven. */
static void count_proven(struct plog_check_report *r, uint64_t from,
                         uint64_t to)
{
    r->entries += to - from + 1;
    if (r->from == 0)
        r->from = from;
    r->to = to;
}

int plog_parity_go_on(struct plog_parity *p, int *walked,
                      struct plog_error *err)
{
    struct plog_check *c = p->c;
    struct damage d;
    struct plog_error why = *err;
    struct plog_fault fault = c->walk.scan.fault;
    uint64_t from, to;
    int code = *walked;
    p->damaged = c->walk.first;
    /* Without readable rows nothing can be proven; the damage stands. */
    bool proven = false,
         whole = !c->walk.chain.broken && !c->walk.gap && !p->store_lost;
    memset(&d, 0, sizeof d);
    d.tree = c->walk.chain.tree;
    snprintf(d.file, sizeof d.file, "%.60s", why.file);
    d.group.leg = PLOG_LEG_LOG;
    d.group.file = d.file;
    d.group.next =
        "paritylog salvage DIR --from-store (keeps the damaged file in"
        " quarantine/)";
    if (whole && suspect_lines(p, &d))
        whole = false;
    bool same = whole && d.count == 0;
    *walked = plog_walk_resync(&c->walk, &from, &to, err);
    if (*walked < 0 && !plog_check_is_verdict(*walked))
        return *walked;
    if (whole)
        begin_at_base(p, &d, &from);
    if (*walked == 0 && to && whole && prove_store(p, &d, from, to, &proven))
        proven = false;
    if (proven && d.count) {
        name_lines(p, &d, code);
    } else {
        struct plog_fault now = c->walk.scan.fault;
        c->walk.scan.fault = fault;
        if (same)
            code = judge_name(p, code, &c->walk.scan.fault);
        uint64_t end = *walked == 0 ? to : 0;
        c->mends = proven ? NULL : other_leg(p, &d, from, end, whole && end);
        plog_check_fault(c, code, &why);
        c->mends = NULL;
        c->walk.scan.fault = now;
    }
    if (proven) {
        count_proven(c->report, from, to);
        return plog_parity_lose(p, use_proven(p, from, to, err), err);
    }
    p->fold_whole = false;
    p->end_unknown = *walked == PLOG_END;
    /* With the next damage right behind it, that tells of both. */
    if (*walked >= 0 || *walked == PLOG_E_TORN)
        plog_check_unchecked(c, PLOG_LEG_LOG, from, *walked == 0 ? to : 0,
                             "damaged: see the findings");
    if (*walked == 0 && to && !p->store_lost)
        return plog_parity_lose(p, plog_parity_skip(p, to, err), err);
    return 0;
}
