/*
 * scrub_again.c - lines that an order took the payload out of, and that are
 * whole in the log again; see scrub.h.
 *
 * A segment that was fetched from a backup is right, signed, and older than
 * the order.  Opening does not read the log, so whoever mends it or takes
 * something from it looks, and leaves the rest to plog_scrub; and who moves
 * such a file to quarantine/ says so before it does.
 */
#include "redact.h"
#include "scrub.h"

int plog_scrub_whole(struct plog_legs *l, struct plog_finder *f, uint64_t seq,
                     bool *whole, struct plog_error *err)
{
    const struct plog_store_head *h = &l->head;
    unsigned char stored[PLOG_HASH_SIZE], logged[PLOG_HASH_SIZE];
    struct plog_span text;
    struct plog_buf line;
    *whole = false;
    int rc = plog_store_line(&l->store, seq, &text, NULL, err);
    bool gone = rc == PLOG_END && seq <= h->rules.floor;
    if (rc && !gone)
        return rc == PLOG_END ? 0 : rc;
    if (!gone && !plog_line_is_redacted(text))
        return 0;
    if (!gone)
        plog_line_leaf(text, stored);
    plog_buf_init(&line, l->io);
    rc = plog_finder_line(f, h->segment, h->offset, seq, &line, err);
    text = plog_span(line.data, line.len);
    if (!rc && !plog_line_is_redacted(text)) {
        plog_line_leaf(text, logged);
        *whole = gone || memcmp(logged, stored, sizeof logged) == 0;
    }
    plog_buf_fini(&line);
    /* What is damaged, whoever reads the log says. */
    return rc == PLOG_E_IO || rc == PLOG_E_NOMEM ? rc : 0;
}

int plog_scrub_set_pending(struct plog_store *s, const uint64_t *seqs,
                           size_t count, uint64_t more, struct plog_error *err)
{
    int rc = plog_store_begin(s, err);
    for (size_t i = 0; !rc && i < count; i++)
        rc = plog_store_unscrubbed(s, seqs[i], seqs[i] + more, err);
    return plog_store_end(s, rc, err);
}

/* Entries above the floor whose line is whole although there is an order. */
static int look(struct plog_legs *l, struct plog_buf *seqs,
                struct plog_error *err)
{
    struct plog_finder f = {.dir = &l->dir};
    uint64_t *all;
    size_t kept = 0;
    int rc = plog_store_ordered(&l->store, l->head.rules.floor,
                                l->head.commit.size, seqs, err);
    all = (void *)seqs->data;
    for (size_t i = 0; !rc && i < seqs->len / sizeof *all; i++) {
        bool whole;
        rc = plog_scrub_whole(l, &f, all[i], &whole, err);
        if (!rc && whole)
            all[kept++] = all[i];
    }
    plog_finder_close(&f);
    seqs->len = kept * sizeof *all;
    return rc;
}

/* ---- What will lie in quarantine/ ---------------------------------------- */

static int has_orders(struct plog_store *s, bool *any, struct plog_error *err)
{
    uint64_t one;
    int rc = plog_sql_number(s->db, "SELECT 1 FROM main.redactions LIMIT 1", 0,
                             0, &one, err);
    *any = rc == 0;
    return rc == PLOG_END ? 0 : rc;
}

/* Rows that are marked already are written again, for the mark of a process
 * that was killed may not be on disk. */
int plog_scrub_mark(struct plog_store *s, struct plog_error *err)
{
    bool any;
    int rc = has_orders(s, &any, err);
    if (rc || !any)
        return rc;
    plog_store_rollback(s);
    rc = plog_sql_exec(s->db, "PRAGMA synchronous=FULL", err);
    if (!rc)
        rc = plog_scrub_set_pending(s, &(uint64_t){1}, 1, INT64_MAX - 1, err);
    int set =
        plog_sql_exec(s->db, "PRAGMA synchronous=NORMAL", rc ? NULL : err);
    return rc ? rc : set;
}

/* ---- What is whole in the log -------------------------------------------- */

int plog_scrub_again(struct plog_legs *l, uint64_t *count,
                     struct plog_error *err)
{
    struct plog_buf seqs;
    plog_buf_init(&seqs, l->io);
    int rc = look(l, &seqs, err);
    size_t n = rc ? 0 : seqs.len / sizeof(uint64_t);
    if (n)
        rc = plog_scrub_set_pending(&l->store, (const void *)seqs.data, n, 0,
                                    err);
    *count = rc ? 0 : n;
    plog_buf_fini(&seqs);
    return rc;
}
