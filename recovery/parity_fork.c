/*
 * parity_fork.c - who signed the store's head, and whether it is of another
 * history: asked once, for no finding may then advise to set one aside.
 */
#include "legs.h"
#include "parity.h"

bool plog_parity_is_anothers(struct plog_parity *p)
{
    struct plog_reader *r = &p->c->reader;
    return plog_legs_store_is_anothers(&r->dir, &r->keys, &r->store,
                                       &p->c->head, &p->c->walk.chain);
}

bool plog_parity_signs(struct plog_parity *p, const struct plog_commit *c)
{
    struct plog_reader *r = &p->c->reader;
    if (plog_parity_is_anothers(p))
        return false; /* FOREIGN says so */
    if (plog_store_signs(&r->store, &p->c->head, &r->keys, c))
        return true;
    const struct plog_vkey *key = plog_check_key(p->c, c);
    return key && plog_checkpoint_verify(key, p->c->head.origin, c->size,
                                         c->root, c->sig);
}

bool plog_parity_is_fork(struct plog_parity *p)
{
    struct plog_check *c = p->c;
    if (p->fork == PLOG_FORK_UNKNOWN)
        p->fork = plog_check_is_fork(c) ? PLOG_FORK_YES : PLOG_FORK_NO;
    return p->fork == PLOG_FORK_YES;
}

bool plog_parity_find_fork(struct plog_parity *p, const char *found)
{
    bool fork = plog_parity_is_fork(p);
    if (fork)
        plog_parity_find(p, PLOG_E_FORK, p->c->head.commit.size,
                         "the history that the log has", found);
    return fork;
}
