/*
 * parity_fork.c - whether log and store are two signed histories.
 *
 * Every difference is then one of two writers' word against the other's, and
 * no finding may advise to set one of them aside.
 */
#include "parity.h"

bool plog_parity_signs(struct plog_parity *p, const struct plog_commit *c)
{
    struct plog_reader *r = &p->c->reader;
    if (plog_store_signs(&r->store, &p->c->head, &r->keys, c))
        return true;
    const struct plog_vkey *key = plog_check_key(p->c, c);
    return key && plog_checkpoint_verify(key, p->c->head.origin, c->size,
                                         c->root, c->sig);
}

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

/* The check may not have come to the key that `log`, which is further, has. */
static bool signs(struct plog_parity *p, const struct plog_keychain *log,
                  const struct plog_commit *c)
{
    const struct plog_vkey *key = plog_keychain_find(log, c->key);
    return (key && plog_checkpoint_verify(key, p->c->head.origin, c->size,
                                          c->root, c->sig)) ||
           plog_parity_signs(p, c);
}

/* Walks the log to the size of a commit of the store's.  What cannot be read
 * tells nothing.
 * @reached  out, how far the log goes */
static bool differs_at(struct plog_parity *p, const struct plog_commit *c,
                       uint64_t *reached)
{
    unsigned char root[PLOG_HASH_SIZE];
    struct plog_tree before;
    struct plog_log_group g;
    struct plog_walk w;
    bool differ = false;
    int rc = plog_walk_open(&w, &p->c->reader.dir, &p->c->reader.keys, NULL);
    if (!rc || (rc == PLOG_E_CORRUPT && w.segments.len)) /* an odd file, too */
        rc = plog_walk_start(&w, NULL);
    while (!rc && w.chain.last.size < c->size) {
        before = w.chain.tree;
        rc = plog_walk_next(&w, &g, NULL);
        if (rc || g.size < c->size)
            continue;
        differ = root_at(&w, &before, &g, c->size, root) &&
                 memcmp(root, c->root, sizeof root) != 0 &&
                 signs(p, &w.chain.chain, c);
    }
    *reached = w.chain.last.size;
    plog_walk_close(&w);
    return differ;
}

/* The store's last commit at or below `size`. */
static bool commit_below(struct plog_parity *p, uint64_t size,
                         struct plog_commit *out)
{
    sqlite3_stmt *q = NULL;
    bool found = plog_sql_prepare(p->c->reader.store.db,
                                  "SELECT line FROM main.checkpoints WHERE"
                                  " size<=?1 ORDER BY size DESC LIMIT 1",
                                  &q, NULL) == 0;
    if (found) {
        plog_sql_bind_u64(q, 1, size);
        found = plog_sql_row(q, NULL) == 0 &&
                plog_commit_parse(plog_sql_text(q, 0), out) == 0;
    }
    sqlite3_finalize(q);
    return found;
}

/* A log that is shorter than the store may still have gone another way. */
static bool histories_differ(struct plog_parity *p)
{
    struct plog_commit c = p->c->head.commit;
    uint64_t reached;
    bool differ = differs_at(p, &c, &reached);
    if (!differ && reached < c.size && commit_below(p, reached, &c))
        differ = differs_at(p, &c, &reached);
    return differ;
}

bool plog_parity_is_fork(struct plog_parity *p)
{
    if (p->fork == PLOG_FORK_UNKNOWN)
        p->fork = p->c->head.commit.size && histories_differ(p) ? PLOG_FORK_YES
                                                                : PLOG_FORK_NO;
    return p->fork == PLOG_FORK_YES;
}
