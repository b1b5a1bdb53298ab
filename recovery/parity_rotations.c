/* parity_rotations.c - the rows of key rotations against those that were met.
 */
#include <stdio.h>

#include "parity.h"

/* The entry that brought key `i` in: a rotation signs with the old key yet, a
 * restore, under its new name, not. */
static uint64_t entry_of(const struct plog_keychain *k, unsigned i)
{
    bool restores = strcmp(k->keys[i].name, k->keys[i - 1].name) != 0;
    return restores ? k->from[i] : k->from[i] - 1;
}

int plog_parity_rotations(struct plog_parity *p, struct plog_error *err)
{
    const struct plog_keychain *k = &p->c->walk.chain.chain;
    uint64_t head = p->c->head.commit.size, want, got;
    sqlite3_stmt *q = NULL;
    char expected[48], found[48];
    unsigned i = 1;
    if (k->guessed) {
        plog_check_unchecked(p->c, PLOG_LEG_STORE, 1, head,
                             "key rotations: damage may hide one");
        return 0;
    }
    int rc = plog_sql_prepare(
        p->db, "SELECT seq FROM main.rotations ORDER BY seq", &q, err);
    while (!rc) {
        rc = plog_sql_row(q, err);
        want = i < k->count ? entry_of(k, i) : 0;
        want = want <= head ? want : 0;
        got = rc ? 0 : plog_sql_u64(q, 0);
        /* A row of 0 is one too many as well. */
        if (rc < 0 || (want == got && (want || rc))) {
            i++;
            continue;
        }
        snprintf(expected, sizeof expected, want ? "rotation %llu" : "none",
                 (unsigned long long)want);
        snprintf(found, sizeof found, rc == 0 ? "rotation %llu" : "none",
                 (unsigned long long)got);
        plog_parity_find(p, PLOG_E_DIVERGED, want ? want : got, expected,
                         found);
        break; /* what follows is out of step */
    }
    sqlite3_finalize(q);
    return rc < 0 ? rc : 0;
}
