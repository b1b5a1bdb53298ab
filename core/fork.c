/*
 * fork.c - whether log and store are two signed histories.
 *
 * Every difference is then one of two writers' word against the other's, and
 * nobody may set one of them aside for the other's sake.
 */
#include "legs.h"

struct fork {
    const struct plog_dir *dir;
    const struct plog_keyring *keys;
    struct plog_store *store;
    const struct plog_store_head *head;
    plog_legs_start *start;
};

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

/* By a key that the log has come to, one that is trusted, or the store's. */
static bool signs(const struct fork *f, const struct plog_keychain *log,
                  const struct plog_commit *c)
{
    const struct plog_vkey *key = plog_keychain_find(log, c->key);
    if (!key)
        key = plog_keyring_find(f->keys, plog_span_text(c->key));
    return (key && plog_checkpoint_verify(key, f->head->origin, c->size,
                                          c->root, c->sig)) ||
           plog_store_signs(f->store, f->head, f->keys, c);
}

/* Who goes on under another name (restore --continue-as) keeps the old one up
 * to there: the store's rotations tell which it was. */
bool plog_legs_store_is_anothers(const struct plog_dir *dir,
                                 const struct plog_keyring *trusted,
                                 struct plog_store *store,
                                 const struct plog_store_head *h,
                                 const struct plog_chain *log)
{
    struct plog_keychain keys;
    char own[PLOG_KEYID_TEXT];
    bool sealed;
    const char *name = h->origin;
    if (log->origin[0] == '\0' || strcmp(log->origin, name) == 0)
        return false;
    if (plog_store_keys(store, h, trusted, &keys, NULL) == 0)
        name = plog_keychain_name(&keys, log->last.size ? log->last.size : 1,
                                  name);
    return strcmp(log->origin, name) != 0 &&
           plog_signer_id(dir->io, dir->keys, own, &sealed, NULL) == 0 &&
           plog_keychain_find(&log->chain, own);
}

/* Walks the log to the size of a commit of the store's.  What cannot be read
 * tells nothing.
 * @reached  out, how far the log goes */
static bool differs_at(const struct fork *f, const struct plog_commit *c,
                       uint64_t *reached)
{
    unsigned char root[PLOG_HASH_SIZE];
    struct plog_tree before;
    struct plog_log_group g;
    struct plog_walk w;
    bool differ = false;
    int rc = plog_walk_open(&w, f->dir, f->keys, NULL);
    if (!rc || (rc == PLOG_E_CORRUPT && w.segments.len)) /* an odd file, too */
        rc = f->start(&w, NULL);
    while (!rc && w.chain.last.size < c->size) {
        before = w.chain.tree;
        rc = plog_walk_next(&w, &g, NULL);
        if (rc || g.size < c->size)
            continue;
        differ = !plog_legs_store_is_anothers(f->dir, f->keys, f->store,
                                              f->head, &w.chain) &&
                 root_at(&w, &before, &g, c->size, root) &&
                 memcmp(root, c->root, sizeof root) != 0 &&
                 signs(f, &w.chain.chain, c);
    }
    *reached = w.chain.last.size;
    plog_walk_close(&w);
    return differ;
}

/* The store's last commit at or below `size`. */
static bool commit_below(const struct fork *f, uint64_t size,
                         struct plog_commit *out)
{
    sqlite3_stmt *q = NULL;
    bool found = plog_sql_prepare(f->store->db,
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
bool plog_legs_fork(const struct plog_dir *dir, const struct plog_keyring *keys,
                    struct plog_store *store, const struct plog_store_head *h,
                    const struct plog_commit *end, plog_legs_start *start)
{
    const struct fork f = {dir, keys, store, h, start};
    struct plog_commit c = h->commit;
    uint64_t reached = end ? end->size : 0;
    bool differ = !end && c.size && differs_at(&f, &c, &reached);
    if (differ || reached >= c.size || !commit_below(&f, reached, &c))
        return differ;
    bool same = end && c.size == end->size &&
                memcmp(c.root, end->root, sizeof c.root) == 0;
    return !same && differs_at(&f, &c, &reached);
}

int plog_legs_fail_fork(uint64_t size, struct plog_error *err)
{
    plog_fail(err, PLOG_E_FORK,
              "log and store have different histories up to entry %llu",
              (unsigned long long)size);
    plog_err_hint(err, "run: paritylog parity DIR; keep copies of both; ways"
                       " on: FORK in paritylog(1)");
    return PLOG_E_FORK;
}
