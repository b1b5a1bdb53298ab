/* reader.c - records, history, log lines and the head, for readers. */
#include "reader.h"

#include "find_line.h"

static int snapshot(struct plog_reader *r, struct plog_store_head *h,
                    struct plog_error *err)
{
    int rc = plog_reader_begin(r, err);
    if (!rc)
        rc = plog_store_get_head(&r->store, h, err);
    return rc;
}

int plog_reader_head(struct plog_reader *r, struct plog_head *out,
                     struct plog_error *err)
{
    struct plog_store_head h;
    int rc = plog_reader_enter(r, err);
    if (rc)
        return rc;
    rc = plog_reader_refresh(r, err);
    if (!rc)
        rc = plog_store_get_head(&r->store, &h, err);
    if (!rc)
        *out = plog_commit_head(&h.commit);
    return plog_reader_leave(r, rc, err);
}

/* ---- Records ------------------------------------------------------------ */

/* Takes a span over into the reader's own memory, which does not move: room
 * was made for all of it. */
static struct plog_span keep(struct plog_buf *b, struct plog_span s)
{
    struct plog_span out = plog_span(b->data + b->len, s.n);
    if (s.n && plog_buf_add(b, s.p, s.n))
        out.n = 0;
    return out;
}

static int copy_record(struct plog_reader *r, struct plog_span resource,
                       struct plog_span record_id,
                       const struct plog_current *now, struct plog_span line,
                       struct plog_record *out, struct plog_error *err)
{
    struct plog_entry e;
    struct plog_span payload = now->merged;
    int rc = plog_entry_parse(&r->store.parser, line, &e, err);
    if (rc == PLOG_E_NOMEM)
        return rc;
    if (rc)
        return plog_fail(err, PLOG_E_DIVERGED,
                         "store.db: event %llu is not an"
                         " entry",
                         (unsigned long long)now->seq);
    if (!payload.n && (now->payload_at > line.n ||
                       now->payload_len > line.n - now->payload_at))
        return plog_fail(err, PLOG_E_DIVERGED,
                         "store.db: the record points outside event %llu",
                         (unsigned long long)now->seq);
    if (!payload.n)
        payload = plog_span(line.p + now->payload_at, (size_t)now->payload_len);
    r->copy.len = 0;
    rc = plog_buf_reserve(&r->copy, resource.n + record_id.n + payload.n +
                                        e.delta.source_text.n +
                                        e.delta.occurred_text.n);
    if (rc)
        return plog_fail(err, rc, "out of memory");
    out->resource = keep(&r->copy, resource);
    out->record_id = keep(&r->copy, record_id);
    out->payload = keep(&r->copy, payload);
    out->source = keep(&r->copy, e.delta.source_text);
    out->occurred_at = keep(&r->copy, e.delta.occurred_text);
    out->confidence = now->confidence;
    out->seq = now->seq;
    return 0;
}

static int get(struct plog_reader *r, struct plog_span resource,
               struct plog_span record_id, struct plog_record *out,
               struct plog_error *err)
{
    struct plog_current now;
    struct plog_span line;
    int rc = plog_reader_begin(r, err);
    if (!rc)
        rc = plog_fold_get(&r->store.fold, resource, record_id, &now, err);
    if (!rc) {
        out->version = now.version;
        out->seq = now.seq;
        if (!now.present)
            rc = plog_fail(err, PLOG_E_NOT_FOUND,
                           now.seq ? "the record was deleted"
                                   : "no such record");
    }
    if (!rc)
        rc = plog_store_line(&r->store, now.seq, &line, NULL, err);
    if (rc == PLOG_END)
        rc = plog_fail(err, PLOG_E_DIVERGED,
                       "store.db: no event %llu, on"
                       " which the record stands",
                       (unsigned long long)now.seq);
    if (!rc)
        rc = copy_record(r, resource, record_id, &now, line, out, err);
    plog_store_rollback(&r->store);
    return rc;
}

int plog_reader_get(struct plog_reader *r, struct plog_span resource,
                    struct plog_span record_id, struct plog_record *out,
                    struct plog_error *err)
{
    memset(out, 0, sizeof *out);
    int rc = plog_reader_enter(r, err);
    return rc ? rc
              : plog_reader_leave(r, get(r, resource, record_id, out, err),
                                  err);
}

/* Follows the chain of entries about the record above the floor, newest first.
 * @below  out: the entry that it goes on with below; 0: none */
static int chain_of(struct plog_reader *r, uint64_t seq, uint64_t floor,
                    struct plog_buf *seqs, uint64_t *below,
                    struct plog_error *err)
{
    struct plog_span line;
    int rc = 0;
    while (!rc && seq > floor) {
        uint64_t previous = 0;
        rc = plog_store_line(&r->store, seq, &line, &previous, err);
        if (rc == PLOG_END || (!rc && previous >= seq))
            rc = plog_fail(err, PLOG_E_DIVERGED,
                           "store.db: the history breaks"
                           " at event %llu",
                           (unsigned long long)seq);
        if (!rc)
            rc = plog_buf_add(seqs, &seq, sizeof seq);
        seq = previous;
    }
    *below = seq;
    return rc;
}

static int history(struct plog_reader *r, struct plog_span resource,
                   struct plog_span record_id, plog_line_fn *each, void *arg,
                   struct plog_error *err)
{
    struct plog_store_head h;
    struct plog_current now;
    struct plog_buf seqs;
    struct plog_span line;
    uint64_t below = 0;
    plog_buf_init(&seqs, r->io);
    int rc = snapshot(r, &h, err);
    if (!rc)
        rc = plog_fold_get(&r->store.fold, resource, record_id, &now, err);
    if (!rc && !now.known)
        rc = plog_fail(err, PLOG_E_NOT_FOUND, "no such record");
    if (!rc)
        rc = chain_of(r, now.last, h.rules.floor, &seqs, &below, err);
    for (size_t i = seqs.len / sizeof(uint64_t); !rc && i > 0; i--) {
        uint64_t seq = plog_segment_at(&seqs, i - 1);
        rc = plog_store_line(&r->store, seq, &line, NULL, err);
        if (!rc)
            rc = plog_stopped(err, each(arg, seq, line.p, line.n));
    }
    plog_store_rollback(&r->store);
    plog_buf_fini(&seqs);
    if (!rc && below)
        rc = plog_fail_pruned(err, below, h.rules.floor);
    return rc;
}

int plog_reader_history(struct plog_reader *r, struct plog_span resource,
                        struct plog_span record_id, plog_line_fn *each,
                        void *arg, struct plog_error *err)
{
    int rc = plog_reader_enter(r, err);
    if (!rc)
        rc = plog_reader_leave(
            r, history(r, resource, record_id, each, arg, err), err);
    return rc;
}

/* ---- Log lines ---------------------------------------------------------- */

static int each_line(struct plog_walk *w, const struct plog_log_group *g,
                     uint64_t from, uint64_t to, plog_line_fn *each, void *arg)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < g->count; i++) {
        uint64_t seq = g->first + i;
        struct plog_span line = plog_scan_text(&w->scan, i);
        if (seq >= from && seq <= to)
            rc = each(arg, seq, line.p, line.n);
    }
    return rc;
}

static int walk_lines(struct plog_reader *r, const struct plog_store_head *h,
                      const struct plog_keychain *keys, uint64_t from,
                      uint64_t to, plog_line_fn *each, void *arg,
                      struct plog_error *err)
{
    struct plog_walk w;
    struct plog_log_group g;
    uint64_t first = 0;
    int stopped = 0; /* by `each`, which may say anything */
    int rc = plog_find_segment(&r->dir, from, &first, err);
    if (rc)
        return rc;
    rc = plog_walk_open(&w, &r->dir, &r->keys, err);
    w.chain.chain = *keys;
    w.stop_segment = h->segment;
    w.stop_offset = h->offset;
    if (!rc)
        rc = plog_walk_start_segment(&w, first ? first : 1, err);
    while (!rc && !stopped && w.chain.last.size < to) {
        rc = plog_walk_next(&w, &g, err);
        if (!rc)
            stopped = each_line(&w, &g, from, to, each, arg);
    }
    if (rc == PLOG_END)
        rc = plog_fail(err, PLOG_E_ROLLBACK, "the log ends before entry %llu",
                       (unsigned long long)to);
    plog_walk_close(&w);
    return stopped ? plog_stopped(err, stopped) : rc;
}

/* The log may have more, which nobody was told of yet. */
static int above_head(uint64_t head, struct plog_error *err)
{
    plog_fail(err, PLOG_E_NOT_FOUND, "the store has entries up to %llu only",
              (unsigned long long)head);
    plog_err_hint(err, "where `paritylog status DIR` says BEHIND, run:"
                       " paritylog replay DIR");
    return PLOG_E_NOT_FOUND;
}

static int log_lines(struct plog_reader *r, uint64_t from, uint64_t to,
                     plog_line_fn *each, void *arg, struct plog_error *err)
{
    struct plog_store_head h;
    struct plog_keychain keys;
    int rc = snapshot(r, &h, err);
    if (!rc)
        rc = plog_store_keys(&r->store, &h, &r->keys, &keys, err);
    plog_store_rollback(&r->store);
    if (rc)
        return rc;
    if (from == 0)
        from = h.rules.floor + 1;
    if (from <= h.rules.floor)
        return plog_fail_pruned(err, from, h.rules.floor);
    if (to == 0 || to > h.commit.size)
        to = h.commit.size;
    if (from > h.commit.size)
        return above_head(h.commit.size, err);
    if (from > to)
        return 0;
    rc = walk_lines(r, &h, &keys, from, to, each, arg, err);
    /* Compacted away under our eyes: no gap without a word. */
    if (rc == PLOG_E_CORRUPT && !snapshot(r, &h, NULL) && from <= h.rules.floor)
        rc = plog_fail_pruned(err, from, h.rules.floor);
    plog_store_rollback(&r->store);
    return rc;
}

int plog_reader_log(struct plog_reader *r, uint64_t from, uint64_t to,
                    plog_line_fn *each, void *arg, struct plog_error *err)
{
    int rc = plog_reader_enter(r, err);
    if (!rc)
        rc = plog_reader_leave(r, log_lines(r, from, to, each, arg, err), err);
    return rc;
}

/* ---- The rest ----------------------------------------------------------- */

int plog_reader_cursor(struct plog_reader *r, struct plog_span source,
                       struct plog_span resource, struct plog_span *out,
                       struct plog_error *err)
{
    struct plog_span value;
    int rc = plog_reader_enter(r, err);
    if (rc)
        return rc;
    rc = plog_reader_refresh(r, err);
    if (!rc)
        rc = plog_store_get_cursor(&r->store, source, resource, &value, err);
    if (rc == PLOG_END)
        rc = plog_fail(err, PLOG_E_NOT_FOUND, "no cursor was set");
    r->copy.len = 0;
    if (!rc && plog_buf_reserve(&r->copy, value.n + 1))
        rc = plog_fail(err, PLOG_E_NOMEM, "out of memory");
    if (!rc)
        *out = keep(&r->copy, value);
    plog_store_rest(&r->store);
    return plog_reader_leave(r, rc, err);
}

int plog_reader_cursors(struct plog_reader *r,
                        int (*each)(void *arg, const struct plog_cursor *cursor,
                                    uint64_t seq),
                        void *arg, struct plog_error *err)
{
    sqlite3_stmt *q = NULL;
    int stopped = 0;
    int rc = plog_reader_enter(r, err);
    if (rc)
        return rc;
    rc = plog_reader_refresh(r, err);
    if (!rc)
        rc = plog_sql_prepare(r->store.db,
                              "SELECT source,resource,cursor,seq FROM"
                              " main.cursors ORDER BY source,resource",
                              &q, err);
    while (!rc && !stopped && (rc = plog_sql_row(q, err)) == 0) {
        struct plog_cursor c = {.source = plog_sql_text(q, 0),
                                .resource = plog_sql_text(q, 1),
                                .cursor = plog_sql_text(q, 2)};
        stopped = each(arg, &c, plog_sql_u64(q, 3));
    }
    sqlite3_finalize(q);
    rc = stopped ? plog_stopped(err, stopped) : rc == PLOG_END ? 0 : rc;
    return plog_reader_leave(r, rc, err);
}

int plog_reader_checkpoint(struct plog_reader *r, char *out,
                           struct plog_error *err)
{
    struct plog_store_head h;
    struct plog_keychain keys;
    struct plog_buf note;
    int rc = plog_reader_enter(r, err);
    if (rc)
        return rc;
    plog_buf_init(&note, r->io);
    rc = plog_reader_refresh(r, err);
    if (!rc)
        rc = plog_store_get_head(&r->store, &h, err);
    if (!rc)
        rc = plog_store_keys(&r->store, &h, &r->keys, &keys, err);
    const struct plog_vkey *key =
        rc ? NULL : plog_keychain_at(&keys, h.commit.size);
    if (!rc && !key)
        rc = plog_fail(err, PLOG_E_NOT_FOUND, "the store has no commit yet");
    if (!rc && !plog_checkpoint_verify(key, h.origin, h.commit.size,
                                       h.commit.root, h.commit.sig))
        rc = plog_fail(err, PLOG_E_DIVERGED,
                       "store.db: the head's signature"
                       " does not verify");
    if (!rc)
        rc = plog_note_format(&note, h.origin, h.commit.size, h.commit.root,
                              key->id, h.commit.sig);
    if (!rc && note.len >= PLOG_CHECKPOINT_MAX)
        rc = plog_fail(err, PLOG_E_IO, "the note is too long");
    if (!rc) {
        memcpy(out, note.data, note.len);
        out[note.len] = '\0';
    }
    plog_buf_fini(&note);
    return plog_reader_leave(r, rc, err);
}
