/*
 * compact_plan.c - where a log may be cut.
 *
 * An entry may go when it lies in a sealed segment whose last seq no active
 * peer lacks.  Without a peer, or with one at 0, nothing goes.
 */
#include <stdio.h>

#include "compact.h"

static void take_name(struct plog_span name, char *out, size_t cap)
{
    size_t n = name.n < cap ? name.n : cap - 1;
    if (n)
        memcpy(out, name.p, n);
    out[n] = '\0';
}

int plog_compact_slowest(struct plog_store *s, uint64_t *count,
                         uint64_t *cursor, char *name, size_t cap, bool *proven,
                         struct plog_error *err)
{
    sqlite3_stmt *q = NULL;
    *count = *cursor = 0;
    *proven = true;
    name[0] = '\0';
    int rc = plog_sql_prepare(
        s->db, "SELECT name,cursor,root FROM main.peers ORDER BY cursor,name",
        &q, err);
    while (!rc && (rc = plog_sql_row(q, err)) == 0) {
        if (++*count == 1) {
            take_name(plog_sql_text(q, 0), name, cap);
            *cursor = plog_sql_u64(q, 1);
        }
        *proven &= sqlite3_column_type(q, 2) != SQLITE_NULL;
    }
    sqlite3_finalize(q);
    return rc == PLOG_END ? 0 : rc;
}

/* The last segment that begins at or below `cursor` + 1, and is not the one
 * that is written to unless nothing lies in it yet: its first seq is where the
 * log would begin. */
static uint64_t cut_at(const struct plog_buf *list, uint64_t cursor,
                       uint64_t floor)
{
    uint64_t to = floor;
    for (size_t i = 0; i < plog_segment_count(list); i++) {
        uint64_t first = plog_segment_at(list, i);
        if (first - 1 <= cursor && first - 1 > to)
            to = first - 1;
    }
    return to;
}

static int measure(struct plog_compacting *c, const struct plog_buf *list,
                   struct plog_error *err)
{
    struct plog_compact_report *r = c->report;
    const struct plog_dir *d = &c->p->legs.dir;
    char name[PLOG_SEGMENT_NAME];
    struct plog_stat st;
    for (size_t i = 0; i < plog_segment_count(list); i++) {
        uint64_t first = plog_segment_at(list, i);
        if (first > c->to)
            break;
        plog_segment_name(first, name);
        int rc = c->io->stat_at(c->io->ctx, d->log, name, &st);
        if (rc)
            return plog_fail_segment(err, rc, first, "looking at a segment");
        r->segments++;
        r->bytes += st.size;
    }
    r->entries = c->to - c->from;
    return 0;
}

static void nothing(struct plog_compacting *c)
{
    struct plog_compact_report *r = c->report;
    if (r->peers == 0)
        snprintf(r->why, sizeof r->why,
                 "no peer was added, or each was evicted: nobody is known to"
                 " have received anything");
    else if (r->holder_cursor == 0)
        snprintf(r->why, sizeof r->why,
                 "peer %.120s has acknowledged nothing yet", r->holder);
    else
        snprintf(r->why, sizeof r->why,
                 "no sealed segment ends at or below entry %llu, up to which"
                 " peer %.60s has received the log",
                 (unsigned long long)r->holder_cursor, r->holder);
}

/* The first peer that gave no root. */
static int not_proven(struct plog_store *s, struct plog_error *err)
{
    sqlite3_stmt *q = NULL;
    char name[121] = "";
    int rc = plog_sql_prepare(
        s->db,
        "SELECT name FROM main.peers WHERE root IS NULL ORDER BY name LIMIT 1",
        &q, err);
    if (!rc && (rc = plog_sql_row(q, err)) == 0)
        take_name(plog_sql_text(q, 0), name, sizeof name);
    sqlite3_finalize(q);
    if (rc && rc != PLOG_END)
        return rc;
    plog_fail(err, PLOG_E_INPUT,
              "to discard, every peer must have acknowledged SEQ:ROOT, and %s"
              " has not",
              name);
    plog_err_hint(err,
                  "run: paritylog peer ack DIR %s SEQ:ROOT, as a checkpoint of"
                  " its copy says; or compact without --discard, which"
                  " archives",
                  name);
    return PLOG_E_INPUT;
}

int plog_compact_plan(struct plog_compacting *c, struct plog_error *err)
{
    struct plog_compact_report *r = c->report;
    struct plog_store *s = &c->p->legs.store;
    struct plog_buf list;
    bool proven;
    plog_buf_init(&list, c->io);
    c->from = c->to = c->p->legs.head.rules.floor;
    int rc = plog_peers_check(c->p, err);
    if (!rc)
        rc = plog_compact_slowest(s, &r->peers, &r->holder_cursor, r->holder,
                                  sizeof r->holder, &proven, err);
    if (!rc)
        rc = plog_dir_segments(&c->p->legs.dir, &list, err);
    if (!rc && r->peers && r->holder_cursor)
        c->to = cut_at(&list, r->holder_cursor, c->from);
    if (!rc && c->to == c->from)
        nothing(c);
    else if (!rc)
        rc = measure(c, &list, err);
    r->from = c->from;
    r->to = c->to;
    plog_buf_fini(&list);
    if (rc || c->to == c->from || !c->o->discard || proven)
        return rc;
    return not_proven(s, err);
}
