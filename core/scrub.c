/* scrub.c - see scrub.h. */
#include "scrub.h"

#include <stdio.h>

#include "engine.h"
#include "find_line.h"

struct work {
    struct plog_legs *l;
    struct plog_scrub_report *report;
    struct plog_buf seqs;    /* what is pending: uint64_t, ascending */
    struct plog_buf kept;    /* of these: out of reach, pending again */
    struct plog_buf targets; /* struct plog_scrub_target, ascending */
    struct plog_buf text;    /* their redacted lines */
};

static struct plog_scrub_target *target(struct work *w, size_t i)
{
    return (struct plog_scrub_target *)(void *)w->targets.data + i;
}

static size_t count(const struct work *w)
{
    return w->targets.len / sizeof(struct plog_scrub_target);
}

static size_t count_seqs(const struct plog_buf *seqs)
{
    return seqs->len / sizeof(uint64_t);
}

/* ---- What to look for --------------------------------------------------- */

static int misfit(uint64_t seq, const char *what, struct plog_error *err)
{
    plog_fail(err, PLOG_E_DIVERGED,
              "redacting entry %llu: %s; its payload is still there",
              (unsigned long long)seq, what);
    plog_err_seq(err, seq);
    plog_err_hint(err, "run: paritylog parity DIR");
    return PLOG_E_DIVERGED;
}

/* Whether the line of the log at `seq` is an order for this target: what the
 * store says alone takes nothing away. */
static int is_order(struct work *w, const struct plog_scrub_target *t,
                    struct plog_span stored, uint64_t seq, bool *found,
                    struct plog_error *err)
{
    struct plog_store_head *h = &w->l->head;
    unsigned char hash[PLOG_HASH_SIZE];
    struct plog_entry_parser parser;
    struct plog_order order = {0};
    struct plog_buf line;
    plog_buf_init(&line, w->l->io);
    plog_entry_parser_init(&parser, w->l->io);
    int rc = seq <= t->seq || seq > h->commit.size
                 ? PLOG_END
                 : plog_find_line(&w->l->dir, h->segment, h->offset, seq, &line,
                                  err);
    int is =
        rc ? 0
           : plog_order_read(&parser, plog_span(line.data, line.len), &order);
    if (is < 0)
        rc = plog_fail(err, is, "out of memory");
    plog_sha256(stored.p, stored.n, hash);
    *found = is > 0 && order.seq == t->seq &&
             !memcmp(order.leaf, t->leaf, sizeof hash) &&
             !memcmp(order.line, hash, sizeof hash);
    plog_buf_fini(&line);
    plog_entry_parser_fini(&parser);
    return rc == PLOG_END ? 0 : rc;
}

/* Returns PLOG_END when all of its orders were compacted away, too. */
static int find_order(struct work *w, const struct plog_scrub_target *t,
                      struct plog_span stored, struct plog_error *err)
{
    struct plog_buf seqs;
    bool found = false, below = false;
    plog_buf_init(&seqs, w->l->io);
    int rc = plog_store_orders_of(&w->l->store, t->seq, &seqs, err);
    for (size_t i = 0; !rc && !found && i < count_seqs(&seqs); i++) {
        uint64_t seq;
        memcpy(&seq, seqs.data + i * sizeof seq, sizeof seq);
        if (seq <= w->l->head.rules.floor)
            below = true;
        else
            rc = is_order(w, t, stored, seq, &found, err);
    }
    plog_buf_fini(&seqs);
    return rc || found ? rc
           : below     ? PLOG_END
                       : misfit(t->seq, "the log holds no order for that", err);
}

/* The log's line must be what the store's redacted one stands for. */
static int learn(struct work *w, struct plog_scrub_target *t,
                 struct plog_span stored, struct plog_error *err)
{
    struct plog_entry_parser parser;
    struct plog_entry e;
    struct plog_buf line;
    unsigned char leaf[PLOG_HASH_SIZE];
    struct plog_store_head *h = &w->l->head;
    plog_entry_parser_init(&parser, w->l->io);
    plog_buf_init(&line, w->l->io);
    plog_line_leaf(stored, t->leaf);
    int rc =
        plog_find_line(&w->l->dir, h->segment, h->offset, t->seq, &line, err);
    struct plog_span text = plog_span(line.data, line.len);
    if (!rc)
        rc = plog_entry_parse(&parser, text, &e, err);
    if (!rc) {
        plog_line_leaf(text, leaf);
        if (memcmp(leaf, t->leaf, sizeof leaf) != 0)
            rc = misfit(t->seq, "log and store hold another line", err);
    }
    if (!rc)
        rc = find_order(w, t, stored, err);
    if (!rc && !e.redacted)
        snprintf(t->salt, sizeof t->salt, "%.*s", (int)e.salt.n, e.salt.p);
    plog_buf_fini(&line);
    plog_entry_parser_fini(&parser);
    return rc;
}

/* What was compacted away has no line any more but the store's. */
static int learn_gone(struct work *w, struct plog_scrub_target *t,
                      struct plog_span stored, struct plog_error *err)
{
    plog_line_leaf(stored, t->leaf);
    return find_order(w, t, stored, err);
}

/* The store's line goes to w->text, which may move.
 * Returns PLOG_END when only the store's pages are left to see to. */
static int read_line(struct work *w, struct plog_scrub_target *t, bool gone,
                     struct plog_error *err)
{
    struct plog_span stored;
    int rc = plog_store_line(&w->l->store, t->seq, &stored, NULL, err);
    if (rc == PLOG_END && gone)
        return rc; /* dropped by --trim-store */
    if (rc == PLOG_END || (!rc && !plog_line_is_redacted(stored)))
        return misfit(t->seq, "the store does not hold the redacted line", err);
    t->redacted.n = rc ? 0 : stored.n;
    if (!rc && plog_buf_add_span(&w->text, stored))
        rc = plog_fail(err, PLOG_E_NOMEM, "out of memory");
    if (rc)
        return rc;
    stored =
        plog_span(w->text.data + w->text.len - t->redacted.n, t->redacted.n);
    rc = gone ? learn_gone(w, t, stored, err) : learn(w, t, stored, err);
    if (rc == PLOG_END)
        w->text.len -= t->redacted.n;
    return rc;
}

static int read_target(struct work *w, uint64_t seq, struct plog_error *err)
{
    struct plog_scrub_target t = {.seq = seq};
    bool gone = seq <= w->l->head.rules.floor;
    int rc = gone ? plog_scrub_below(w->l, seq, err) : 0;
    bool keep = rc == PLOG_E_PRUNED;
    if (!rc)
        rc = read_line(w, &t, gone, err);
    if (rc == PLOG_END)
        return 0;
    if ((!rc && plog_buf_add(&w->targets, &t, sizeof t)) ||
        (keep && plog_buf_add(&w->kept, &seq, sizeof seq)))
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    return keep ? 0 : rc;
}

static int read_targets(struct work *w, struct plog_error *err)
{
    const uint64_t *seqs = (const void *)w->seqs.data;
    int rc = 0;
    for (size_t i = 0; !rc && i < count_seqs(&w->seqs); i++)
        rc = read_target(w, seqs[i], err);
    const char *at = w->text.data; /* which has stopped moving */
    for (size_t i = 0; !rc && i < count(w); i++) {
        target(w, i)->redacted.p = at;
        at += target(w, i)->redacted.n;
    }
    return rc;
}

/* ---- The store ---------------------------------------------------------- */

/* Freed pages go with VACUUM, and the WAL with a checkpoint that empties
 * it. */
static int empty_pages(struct work *w, struct plog_error *err)
{
    sqlite3 *db = w->l->store.db;
    int left = 0, moved = 0;
    plog_store_rest(&w->l->store);
    int rc = plog_sql_exec(db, "VACUUM", err);
    if (rc)
        return rc;
    int done = sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_TRUNCATE,
                                         &left, &moved);
    w->l->store.wal_pages = 0;
    if (done == SQLITE_OK && left == 0)
        return 0;
    if (done != SQLITE_OK && done != SQLITE_BUSY)
        return plog_sql_fail(err, db, "emptying the store's WAL");
    plog_fail(err, PLOG_E_LOCKED,
              "a reader holds an old state of the store, so its WAL cannot be"
              " emptied");
    plog_err_hint(err, "end long reads and run it again, with --wait SECONDS;"
                       " or the next opening for writing finishes it");
    return PLOG_E_LOCKED;
}

/* ---- The log ------------------------------------------------------------ */

static int replace_lines(struct work *w, uint64_t first, size_t from, size_t to,
                         struct plog_error *err)
{
    char name[PLOG_SEGMENT_NAME];
    uint64_t hits = 0;
    if (first == w->l->head.segment)
        return misfit(target(w, from)->seq, "it lies in the last segment", err);
    plog_segment_name(first, name);
    int rc = plog_scrub_lines(w->l->io, w->l->dir.log, name, target(w, from),
                              to - from, false, &hits);
    w->report->segments += hits > 0;
    return rc ? plog_fail_io(err, rc, name, "replacing a segment") : 0;
}

static int replace_segments(struct work *w, struct plog_error *err)
{
    size_t i = 0, next;
    int rc = 0;
    while (i < count(w) && target(w, i)->seq <= w->l->head.rules.floor)
        i++; /* gone with their segments */
    for (; !rc && i < count(w); i = next) {
        uint64_t first = 0, other;
        rc = plog_find_segment(&w->l->dir, target(w, i)->seq, &first, err);
        for (next = i + 1; !rc && next < count(w); next++) {
            rc = plog_find_segment(&w->l->dir, target(w, next)->seq, &other,
                                   err);
            if (other != first)
                break;
        }
        if (!rc)
            rc = replace_lines(w, first, i, next, err);
    }
    return rc;
}

/* ---- All of it ---------------------------------------------------------- */

static int note_done(struct work *w, struct plog_error *err)
{
    struct plog_store *s = &w->l->store;
    const uint64_t *kept = (const void *)w->kept.data;
    int rc = plog_store_begin(s, err);
    if (!rc)
        rc = plog_store_scrubbed(s, err);
    for (size_t i = 0; !rc && i < count_seqs(&w->kept); i++)
        rc = plog_store_unscrubbed(s, kept[i], kept[i], err);
    if (!rc)
        rc = plog_store_commit(s, err);
    if (rc)
        plog_store_rollback(s);
    return rc;
}

int plog_scrub(struct plog_legs *l, struct plog_scrub_report *report,
               struct plog_error *err)
{
    struct work w = {.l = l, .report = report};
    memset(report, 0, sizeof *report);
    plog_buf_init(&w.seqs, l->io);
    plog_buf_init(&w.kept, l->io);
    plog_buf_init(&w.targets, l->io);
    plog_buf_init(&w.text, l->io);
    int rc = plog_store_pending(&l->store, &w.seqs, err);
    bool any = !rc && w.seqs.len > 0;
    if (any)
        rc = read_targets(&w, err);
    if (any && !rc)
        rc = empty_pages(&w, err);
    if (count(&w) && !rc)
        rc = plog_scrub_quarantine(l, target(&w, 0), count(&w), report, err);
    if (any && !rc)
        rc = replace_segments(&w, err);
    if (any && !rc)
        rc = note_done(&w, err);
    report->entries = rc ? 0 : count_seqs(&w.seqs) - count_seqs(&w.kept);
    plog_buf_fini(&w.text);
    plog_buf_fini(&w.targets);
    plog_buf_fini(&w.kept);
    plog_buf_fini(&w.seqs);
    return rc;
}

void plog_engine_scrub(plog *p)
{
    struct plog_scrub_report report;
    struct plog_buf seqs;
    plog_buf_init(&seqs, p->io);
    int rc = plog_store_pending(&p->legs.store, &seqs, NULL);
    bool any = !rc && seqs.len > 0;
    plog_buf_fini(&seqs);
    if (!any || plog_dir_maintain(&p->legs.dir, -1, NULL))
        return; /* nothing, or under way */
    plog_store_rollback(&p->legs.store);
    rc = plog_scrub(&p->legs, &report, NULL);
    plog_dir_maintained(&p->legs.dir);
    (void)rc; /* what is left, the next opening does; status shows it */
}
