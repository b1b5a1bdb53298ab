/*
 * parity_fork.c - whether log and store are two signed histories.
 *
 * Every difference is then one of two writers' word against the other's, and
 * no finding may advise to set one of them aside.
 */
#include "parity.h"

/* The log's root at the size of `g`'s commit or inside its group. */
static bool root_at(const struct plog_walk *w, const struct plog_tree *before,
                    const struct plog_log_group *g, uint64_t size,
                    unsigned char *root)
{
    struct plog_tree tree = *before;
    if (!g->root_checked || before->size + 1 != g->first)
        return false;
    while (tree.size < size) {
        size_t i = (size_t)(tree.size + 1 - g->first);
        if (plog_tree_add(&tree, plog_scan_line(&w->scan, i)->leaf))
            return false;
    }
    plog_tree_root(&tree, root);
    return true;
}

/* Walks the log to the store's head.  What cannot be read tells nothing. */
static bool histories_differ(struct plog_parity *p)
{
    const struct plog_store_head *h = &p->c->head;
    unsigned char root[PLOG_HASH_SIZE];
    struct plog_tree before;
    struct plog_log_group g;
    struct plog_walk w;
    bool differ = false;
    int rc = plog_walk_open(&w, &p->c->reader.dir, &p->c->reader.keys, NULL);
    if (!rc || (rc == PLOG_E_CORRUPT && w.segments.len)) /* an odd file, too */
        rc = plog_walk_start(&w, NULL);
    while (!rc && w.chain.last.size < h->commit.size) {
        before = w.chain.tree;
        rc = plog_walk_next(&w, &g, NULL);
        if (rc || g.size < h->commit.size)
            continue;
        const struct plog_vkey *key =
            plog_keychain_find(&w.chain.chain, h->commit.key);
        if (!key) /* the other history may have gone over to it */
            key = plog_keyring_find(&p->c->reader.keys,
                                    plog_span_text(h->commit.key));
        differ = key && root_at(&w, &before, &g, h->commit.size, root) &&
                 memcmp(root, h->commit.root, sizeof root) != 0 &&
                 plog_checkpoint_verify(key, h->origin, h->commit.size,
                                        h->commit.root, h->commit.sig);
    }
    plog_walk_close(&w);
    return differ;
}

bool plog_parity_is_fork(struct plog_parity *p)
{
    if (p->fork == PLOG_FORK_UNKNOWN)
        p->fork = p->c->head.commit.size && histories_differ(p) ? PLOG_FORK_YES
                                                                : PLOG_FORK_NO;
    return p->fork == PLOG_FORK_YES;
}
