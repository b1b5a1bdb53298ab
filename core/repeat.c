/*
 * repeat.c - a delta whose id the log has already.
 *
 * The same content gets the receipt of the first time; other content is
 * refused.  Acknowledging it again means vouching for it, so what counts is the
 * line in the log, and the store only says where that is.  Of entries that were
 * compacted away, what is kept of their ids speaks.
 */
#include "engine.h"
#include "find_line.h"
#include "old_ids.h"
#include "redact.h"

/* That entry may be in this very group, which is not logged yet: the leader
 * sees it by its seq.  Or its line may be gone. */
static int conflict(const plog *p, uint64_t seq, struct plog_error *err)
{
    unsigned long long n = seq;
    bool logged = seq <= p->legs.head.commit.size;
    if (logged)
        plog_fail(err, PLOG_E_CONFLICT,
                  "id: entry %llu has this id with other content", n);
    else
        plog_fail(err, PLOG_E_CONFLICT,
                  "id: a delta of the same group has this id with other"
                  " content");
    plog_err_member(err, "id");
    plog_err_seq(err, seq);
    if (logged && seq > p->legs.head.rules.floor)
        plog_err_hint(
            err, "compare with: paritylog log DIR --from %llu --to %llu", n, n);
    else
        plog_err_hint(err, "an id stands for one delta: give this one an id of"
                           " its own");
    return PLOG_E_CONFLICT;
}

/* The log's line may be whole yet when the store's is redacted: then what
 * counts is the redacted one.  Returns 0; PLOG_E_DIVERGED; PLOG_E_NOMEM. */
static int same_entry(struct plog_span stored, struct plog_buf *line)
{
    unsigned char a[PLOG_HASH_SIZE], b[PLOG_HASH_SIZE];
    if (plog_span_equal(stored, plog_span(line->data, line->len)))
        return 0;
    if (!plog_line_is_redacted(stored))
        return PLOG_E_DIVERGED;
    plog_line_leaf(stored, a);
    plog_line_leaf(plog_span(line->data, line->len), b);
    line->len = 0;
    return memcmp(a, b, sizeof a) == 0 ? plog_buf_add_span(line, stored)
                                       : PLOG_E_DIVERGED;
}

/* Of a redacted entry the members that are still known. */
static bool same_content(const struct plog_entry *old,
                         const struct plog_delta *now)
{
    struct plog_delta known = *now;
    if (old->redacted) {
        known.payload = old->delta.payload;
        known.meta = old->delta.meta;
    }
    return plog_delta_same(&old->delta, &known);
}

int plog_engine_logged_line(plog *p, uint64_t seq, struct plog_buf *line,
                            struct plog_error *err)
{
    struct plog_span stored;
    line->len = 0;
    int rc = plog_store_line(&p->legs.store, seq, &stored, NULL, err);
    if (rc)
        return rc < 0 ? rc
                      : plog_fail(err, PLOG_E_DIVERGED,
                                  "store.db: the id's"
                                  " event is missing");
    if (seq > p->legs.head.commit.size) { /* in the group being made */
        rc = plog_buf_add_span(line, stored);
        return rc ? plog_fail(err, rc, "out of memory") : 0;
    }
    rc = plog_find_line(&p->legs.dir, p->legs.head.segment, p->legs.head.offset,
                        seq, line, err);
    if (rc)
        return rc;
    rc = same_entry(stored, line);
    if (rc == PLOG_E_NOMEM)
        plog_fail(err, rc, "out of memory");
    else if (rc) {
        plog_fail(err, PLOG_E_DIVERGED, "entry %llu: log and store differ",
                  (unsigned long long)seq);
        plog_err_seq(err, seq);
        plog_err_hint(err, "run: paritylog parity DIR");
    }
    return rc;
}

static int closing_commit(plog *p, uint64_t seq, struct plog_receipt *out,
                          struct plog_error *err)
{
    struct plog_span line;
    struct plog_commit c;
    int rc = plog_store_closing(&p->legs.store, seq, &line, err);
    if (rc < 0)
        return rc;
    if (rc || plog_commit_parse(line, &c))
        return plog_fail(err, PLOG_E_DIVERGED,
                         "store.db: the commit of entry"
                         " %llu is missing",
                         (unsigned long long)seq);
    out->size = c.size;
    memcpy(out->root, c.root, sizeof out->root);
    memcpy(out->sig, c.sig, sizeof out->sig);
    return 0;
}

/* Of a repeated id whose entry was compacted away, from what is kept of it:
 * the receipt carries the commit at the floor. */
static int take_old_duplicate(plog *p, struct plog_item *item,
                              const struct plog_old_id *old,
                              struct plog_receipt *out, struct plog_error *err)
{
    unsigned char content[PLOG_HASH_SIZE];
    plog_content_hash(&item->entry.delta, content);
    if (old->has_content && memcmp(content, old->content, sizeof content) != 0)
        return conflict(p, old->seq, err);
    item->duplicate_of = old->seq;
    if (!out)
        return 0;
    out->seq = old->seq;
    out->duplicate = true;
    memcpy(out->leaf, old->leaf, sizeof out->leaf);
    return closing_commit(p, p->legs.head.rules.floor, out, err);
}

/* The event is there, its line in the log is not: the store alone speaks. */
static int take_pruned_duplicate(plog *p, struct plog_item *item, uint64_t seq,
                                 struct plog_receipt *out,
                                 struct plog_error *err)
{
    struct plog_entry e;
    struct plog_old_id old;
    struct plog_span line;
    int rc = plog_store_line(&p->legs.store, seq, &line, NULL, err);
    if (!rc)
        rc = plog_entry_parse(&p->legs.store.parser, line, &e, err);
    if (rc)
        return rc < 0 ? rc
                      : plog_fail(err, PLOG_E_DIVERGED,
                                  "store.db: the id's event is missing");
    plog_old_id_of(&e, line, &old);
    return take_old_duplicate(p, item, &old, out, err);
}

static int take_duplicate(plog *p, struct plog_item *item, uint64_t seq,
                          struct plog_receipt *out, struct plog_error *err)
{
    struct plog_entry_parser parser;
    struct plog_entry old;
    struct plog_buf line;
    plog_buf_init(&line, p->io);
    plog_entry_parser_init(&parser, p->io);
    int rc = plog_engine_logged_line(p, seq, &line, err);
    if (!rc)
        rc = plog_entry_parse(&parser, plog_span(line.data, line.len), &old,
                              err);
    if (!rc && !same_content(&old, &item->entry.delta))
        rc = conflict(p, seq, err);
    if (!rc && out) {
        out->seq = seq;
        out->duplicate = true;
        out->skipped = old.skipped;
        plog_line_leaf(plog_span(line.data, line.len), out->leaf);
        if (seq <= p->legs.head.commit.size)
            rc = closing_commit(p, seq, out, err);
    }
    item->duplicate_of = seq;
    plog_entry_parser_fini(&parser);
    plog_buf_fini(&line);
    return rc;
}

int plog_engine_repeat(plog *p, struct plog_item *item,
                       struct plog_receipt *out, struct plog_error *err)
{
    const struct plog_rules *rules = &p->legs.head.rules;
    struct plog_span id = item->entry.delta.id_text;
    struct plog_old_id old;
    uint64_t seq = 0;
    if (id.n == 0)
        return PLOG_END;
    int rc = plog_store_find_id(&p->legs.store, id, &seq, err);
    if (rc == 0)
        return seq <= rules->floor
                   ? take_pruned_duplicate(p, item, seq, out, err)
                   : take_duplicate(p, item, seq, out, err);
    if (rc != PLOG_END || rules->base == 0)
        return rc;
    rc = plog_store_find_old_id(&p->legs.store, id, &old, err);
    if (rc == 0 && old.seq > rules->base)
        return PLOG_END; /* kept early: see parity_kept.c */
    return rc ? rc : take_old_duplicate(p, item, &old, out, err);
}
