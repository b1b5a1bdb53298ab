/*
 * check_strays.c - where a check begins that no store tells, and segments below
 * the floor that do not lead to it.
 */
#include <stdio.h>

#include "check.h"
#include "legs.h"
#include "strays.h"

bool plog_check_is_fork(struct plog_check *c)
{
    struct plog_reader *r = &c->reader;
    return c->has_head && plog_legs_fork(&r->dir, &r->keys, &r->store, &c->head,
                                         NULL, plog_strays_begin);
}

/* Below the floor they are nobody's; but what sets them aside takes the store
 * for the log's. */
static const char *next_of(struct plog_check *c)
{
    if (!c->has_head)
        return "paritylog replay DIR, which makes the store"
               " without them; then paritylog salvage DIR"
               " --from-store (keeps them in quarantine/)";
    return plog_check_is_fork(c) ? PLOG_CHECK_FORK
                                 : "paritylog salvage DIR --from-store (keeps"
                                   " them in quarantine/)";
}

static int tell(struct plog_check *c, const struct plog_buf *list,
                struct plog_error *err)
{
    char name[PLOG_SEGMENT_NAME], file[64], found[100];
    size_t n = plog_segment_count(list);
    if (n && plog_check_moved(c))
        return plog_fail(err, PLOG_E_CORRUPT, "compacted while this began");
    if (n == 0)
        return 0;
    plog_segment_name(plog_segment_at(list, n - 1), name);
    snprintf(file, sizeof file, "log/%s", name);
    snprintf(found, sizeof found, "%zu below the floor that do not lead to it",
             n);
    struct plog_finding f = {.verdict = PLOG_E_CORRUPT,
                             .leg = PLOG_LEG_LOG,
                             .file = file,
                             .seq = plog_segment_at(list, n - 1),
                             .expected = "segments of the log",
                             .found = found,
                             .next = next_of(c)};
    plog_check_find(c, &f);
    return 0;
}

int plog_check_strays(struct plog_check *c, struct plog_error *err)
{
    const struct plog_chain *chain = &c->walk.chain;
    struct plog_buf list;
    if (plog_segment_at(&c->walk.segments, 0) > chain->last.size)
        return 0;
    plog_buf_init(&list, c->reader.io);
    int rc = plog_strays(&c->reader.dir, &c->reader.keys, &chain->chain,
                         &chain->last, &list, err);
    if (!rc)
        rc = tell(c, &list, err);
    plog_buf_fini(&list);
    return rc;
}

int plog_check_start(struct plog_check *c, struct plog_error *err)
{
    struct plog_error why = {.code = 0};
    struct plog_buf list;
    plog_buf_init(&list, c->reader.io);
    int rc = plog_strays_start(&c->walk, &list, err);
    int bad = rc ? 0 : tell(c, &list, &why);
    if (bad && err)
        *err = why;
    plog_buf_fini(&list);
    return rc ? rc : bad;
}
