/* check_kept.c - a log that was longer, as a finding; see kept.h. */
#include <stdio.h>

#include "check.h"
#include "kept.h"

static void tell(struct plog_check *c, const struct plog_kept *k)
{
    const struct plog_commit *kept = &k->last, *last = &c->walk.chain.last;
    char file[PLOG_KEPT_FILE], next[PLOG_KEPT_NEXT];
    char want[100], got[100], hash[48];
    plog_kept_name(k, last->size, file, next);
    plog_check_hash(kept->root, hash);
    snprintf(want, sizeof want, "%llu:%s", (unsigned long long)kept->size,
             hash);
    plog_check_hash(last->root, hash);
    snprintf(got, sizeof got, "%llu:%s", (unsigned long long)last->size, hash);
    struct plog_finding f = {.verdict = PLOG_E_ROLLBACK,
                             .leg = PLOG_LEG_LOG,
                             .file = file,
                             .seq = kept->size,
                             .expected = want,
                             .found = got,
                             .next = next};
    plog_check_find(c, &f);
}

int plog_check_kept(struct plog_check *c, struct plog_error *err)
{
    struct plog_kept kept;
    int rc = plog_kept_find(&c->reader.dir, &c->walk.chain,
                            c->walk.chain.last.size, &kept, err);
    if (!rc && kept.last.size)
        tell(c, &kept);
    return rc;
}
