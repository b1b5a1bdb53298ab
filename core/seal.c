/*
 * seal.c - ending a segment by hand: the next one, of a header alone.
 *
 * The file is durable before the store speaks of it.  A crash in between
 * leaves a bare segment that the store does not know, which the next opening
 * takes over (repair.c).
 */
#include "engine.h"

static int move_head(plog *p, const struct plog_store_head *next,
                     struct plog_error *err)
{
    struct plog_store *s = &p->legs.store;
    int rc = plog_store_add_segment(s, next->segment, err);
    if (!rc)
        rc = plog_store_put_head(s, next, err);
    if (!rc)
        rc = plog_store_commit(s, err);
    if (rc)
        p->head_known = false; /* the file is there: the full check sees it */
    else
        p->legs.head = *next;
    return rc;
}

static int seal(plog *p, void *arg, struct plog_error *err)
{
    const struct plog_store_head *h = &p->legs.head;
    struct plog_store_head next = *h;
    struct plog_buf header;
    uint64_t *first = arg;
    bool undone = true;
    if (p->behind) /* where the log ends is not known yet */
        return plog_fail(err, PLOG_E_BEHIND, "the store is behind the log");
    *first = h->commit.size + 1;
    if (h->segment == *first)
        return PLOG_PRESENT;
    plog_buf_init(&header, p->io);
    int rc = plog_header_format(&header, p->origin, &h->tree, &h->commit);
    if (!rc)
        rc = plog_buf_add_char(&header, '\n');
    if (rc)
        plog_fail(err, rc, "out of memory");
    next.segment = *first;
    next.offset = header.len;
    if (!rc) {
        rc = plog_tail_rotate(&p->legs.tail, h->offset, *first, header.data,
                              header.len, &undone, err);
        p->poisoned = rc && !undone;
        if (rc == PLOG_E_TORN)
            p->head_known = false;
    }
    plog_buf_fini(&header);
    return rc ? rc : move_head(p, &next, err);
}

int plog_new_segment(plog *p, uint64_t *first, struct plog_error *err)
{
    return plog_engine_locked(p, seal, first, err);
}
