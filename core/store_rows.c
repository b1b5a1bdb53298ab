/*
 * store_rows.c - the store's rows: the head, events, commits, and what an
 * entry does to them.
 */

#include "store.h"

/* ---- Head --------------------------------------------------------------- */

static int bad_head(struct plog_error *err, const char *what)
{
    plog_fail(err, PLOG_E_DIVERGED, "store.db: the head's %s", what);
    plog_err_file(err, PLOG_STORE_FILE);
    plog_err_hint(err, "run: paritylog parity DIR");
    return PLOG_E_DIVERGED;
}

static bool copy_text(struct plog_span s, char *out, size_t cap)
{
    if (s.n >= cap || (s.n && memchr(s.p, '\0', s.n)))
        return false;
    if (s.n)
        memcpy(out, s.p, s.n);
    out[s.n] = '\0';
    return true;
}

static bool copy_bytes(struct plog_span s, unsigned char *out, size_t n)
{
    if (s.n != n)
        return false;
    memcpy(out, s.p, n);
    return true;
}

static int read_commit(sqlite3_stmt *q, struct plog_store_head *h,
                       struct plog_error *err)
{
    unsigned char root[PLOG_HASH_SIZE];
    struct plog_span range = plog_sql_text(q, 3);
    h->commit.size = plog_sql_u64(q, 1);
    if (!copy_bytes(plog_sql_text(q, 2), h->commit.root, PLOG_HASH_SIZE) ||
        !copy_text(plog_sql_text(q, 4), h->commit.key, sizeof h->commit.key))
        return bad_head(err, "root or key is not one");
    if (h->commit.size &&
        !copy_bytes(plog_sql_text(q, 5), h->commit.sig, PLOG_SIG_SIZE))
        return bad_head(err, "signature is not one");
    if (range.n % PLOG_HASH_SIZE || range.n > sizeof h->tree.hashes ||
        plog_tree_load(&h->tree, h->commit.size, (const unsigned char *)range.p,
                       (unsigned)(range.n / PLOG_HASH_SIZE)))
        return bad_head(err, "range does not fit its size");
    plog_tree_root(&h->tree, root);
    if (memcmp(root, h->commit.root, sizeof root) != 0)
        return bad_head(err, "range does not hash to its root");
    return 0;
}

/* No number of the head is below 0, and plog_sql_u64 would not tell. */
static bool has_negative(sqlite3_stmt *q)
{
    for (int i = 0; i < sqlite3_column_count(q); i++)
        if (sqlite3_column_type(q, i) == SQLITE_INTEGER &&
            sqlite3_column_int64(q, i) < 0)
            return true;
    return false;
}

/* Equal bytes of another type are another row: a damaged header of it. */
static bool has_types(sqlite3_stmt *q)
{
    static const int types[] = {SQLITE_TEXT,    SQLITE_INTEGER, SQLITE_BLOB,
                                SQLITE_BLOB,    SQLITE_TEXT,    SQLITE_BLOB,
                                SQLITE_INTEGER, SQLITE_INTEGER, SQLITE_INTEGER,
                                SQLITE_INTEGER, SQLITE_TEXT,    SQLITE_INTEGER,
                                SQLITE_INTEGER, SQLITE_INTEGER};
    for (int i = 0; i < (int)(sizeof types / sizeof *types); i++)
        if (sqlite3_column_type(q, i) != types[i])
            return false;
    return true;
}

int plog_store_get_head(struct plog_store *s, struct plog_store_head *out,
                        struct plog_error *err)
{
    char strategy[32];
    sqlite3_stmt *q = s->get_meta;
    struct plog_store_head head = {0}, *h = &head;
    int rc = plog_sql_row(q, err);
    if (rc == PLOG_END)
        return bad_head(err, "row is missing");
    if (rc)
        return rc;
    if (!has_types(q)) {
        sqlite3_reset(q);
        return bad_head(err, "values are of another type");
    }
    h->segment = plog_sql_u64(q, 6);
    h->offset = plog_sql_u64(q, 7);
    h->rules.floor = plog_sql_u64(q, 8);
    h->rules.base = plog_sql_u64(q, 13);
    h->rules.redactions = plog_sql_u64(q, 9);
    h->rules.line_max = plog_sql_u64(q, 11);
    h->rules.segment_size = plog_sql_u64(q, 12);
    if (!copy_text(plog_sql_text(q, 0), h->origin, sizeof h->origin) ||
        !plog_origin_valid(plog_span_text(h->origin)))
        rc = bad_head(err, "origin is not one");
    else if (!copy_text(plog_sql_text(q, 10), strategy, sizeof strategy) ||
             plog_strategy_parse(strategy, &h->rules.strategy))
        rc = bad_head(err, "strategy is not one");
    else if (has_negative(q))
        rc = bad_head(err, "numbers are below 0");
    else if (h->rules.line_max == 0 || h->rules.line_max > PLOG_LINE_MAX ||
             h->rules.segment_size == 0)
        rc = bad_head(err, "limits are out of range");
    else
        rc = read_commit(q, h, err);
    sqlite3_reset(q);
    if (!rc)
        *out = head; /* a head that cannot be read is not one at 0 */
    return rc;
}

int plog_store_put_head(struct plog_store *s, const struct plog_store_head *h,
                        struct plog_error *err)
{
    sqlite3_stmt *q = s->put_meta;
    plog_sql_bind(q, 1, plog_span_text(h->origin));
    plog_sql_bind_u64(q, 2, h->commit.size);
    sqlite3_bind_blob(q, 3, h->commit.root, PLOG_HASH_SIZE, SQLITE_STATIC);
    sqlite3_bind_blob(q, 4, h->tree.hashes[0],
                      (int)(h->tree.count * PLOG_HASH_SIZE), SQLITE_STATIC);
    plog_sql_bind(q, 5, plog_span_text(h->commit.key));
    sqlite3_bind_blob(q, 6, h->commit.sig, h->commit.size ? PLOG_SIG_SIZE : 0,
                      SQLITE_STATIC);
    plog_sql_bind_u64(q, 7, h->segment);
    plog_sql_bind_u64(q, 8, h->offset);
    plog_sql_bind_u64(q, 9, h->rules.floor);
    plog_sql_bind_u64(q, 10, h->rules.redactions);
    plog_sql_bind(q, 11, plog_span_text(plog_strategy_name(h->rules.strategy)));
    plog_sql_bind_u64(q, 12, h->rules.line_max);
    plog_sql_bind_u64(q, 13, h->rules.segment_size);
    plog_sql_bind_u64(q, 14, h->rules.base);
    return plog_sql_run(q, err);
}

/* ---- Rows --------------------------------------------------------------- */

/* Whether entry `seq` of the store has this id in its line, and not only in a
 * column, which somebody may have changed. */
static bool line_has_id(struct plog_store *s, uint64_t seq, struct plog_span id)
{
    struct plog_entry_parser parser;
    struct plog_span line;
    struct plog_entry e;
    plog_entry_parser_init(&parser, s->io);
    bool has = plog_store_line(s, seq, &line, NULL, NULL) == 0 &&
               plog_entry_parse(&parser, line, &e, NULL) == 0 &&
               e.control == PLOG_CONTROL_NONE &&
               plog_span_equal(e.delta.id_text, id);
    plog_entry_parser_fini(&parser);
    return has;
}

/* Why the row of `e` was not taken: no writer of ours logs an id twice, and a
 * verifier of the log alone does not look for it. */
static int not_added(struct plog_store *s, const struct plog_entry *e, int rc,
                     struct plog_error *err)
{
    struct plog_span id = e->delta.id_text;
    uint64_t seq;
    if (sqlite3_extended_errcode(s->db) != SQLITE_CONSTRAINT_UNIQUE ||
        plog_store_find_id(s, id, &seq, NULL) || !line_has_id(s, seq, id))
        return rc;
    plog_fail(err, PLOG_E_CORRUPT, "entry %llu: its id is that of entry %llu",
              (unsigned long long)e->seq, (unsigned long long)seq);
    plog_store_unfit(e->seq, err);
    return PLOG_E_CORRUPT;
}

void plog_store_unfit(uint64_t seq, struct plog_error *err)
{
    plog_err_seq(err, seq);
    plog_err_hint(err,
                  "it was signed so, unless `paritylog replay DIR --fresh` gets"
                  " beyond it; for what is before it run: paritylog restore DIR"
                  " --out NEWDIR --at %llu",
                  (unsigned long long)seq - 1);
}

int plog_store_add_event(struct plog_store *s, const struct plog_entry *e,
                         struct plog_span line, uint64_t previous,
                         struct plog_error *err)
{
    sqlite3_stmt *q = s->add_event;
    const struct plog_delta *d = &e->delta;
    plog_sql_bind_u64(q, 1, e->seq);
    plog_sql_bind(q, 2, d->id_text.n ? d->id_text : plog_span(NULL, 0));
    if (e->control == PLOG_CONTROL_NONE) {
        plog_sql_bind(q, 3, d->resource_text);
        plog_sql_bind(q, 4, d->record_id_text);
        plog_sql_bind(q, 5, plog_span_text(d->is_delete ? "delete" : "upsert"));
        plog_sql_bind(q, 6, plog_span_text(e->skipped ? "skipped" : "applied"));
    } else {
        for (int i = 3; i <= 6; i++)
            sqlite3_bind_null(q, i);
    }
    if (previous)
        plog_sql_bind_u64(q, 7, previous);
    else
        sqlite3_bind_null(q, 7);
    plog_sql_bind(q, 8, line);
    int rc = plog_sql_run(q, err);
    return rc == PLOG_E_DIVERGED ? not_added(s, e, rc, err) : rc;
}

int plog_store_add_commit(struct plog_store *s, uint64_t size,
                          struct plog_span line, struct plog_error *err)
{
    plog_sql_bind_u64(s->add_commit, 1, size);
    plog_sql_bind(s->add_commit, 2, line);
    return plog_sql_run(s->add_commit, err);
}

int plog_store_add_segment(struct plog_store *s, uint64_t first,
                           struct plog_error *err)
{
    plog_sql_bind_u64(s->add_segment, 1, first);
    return plog_sql_run(s->add_segment, err);
}

int plog_store_drop_segments(struct plog_store *s, uint64_t first,
                             struct plog_error *err)
{
    return plog_sql_change(s->db, "DELETE FROM main.segments WHERE first>?1",
                           first, 0, err);
}

int plog_store_ends(struct plog_store *s, const struct plog_store_head *h,
                    uint64_t last, struct plog_error *err)
{
    sqlite3_stmt *q = NULL;
    int rc = plog_sql_prepare(s->db,
                              "SELECT max(at) FROM (SELECT max(seq) AS at FROM"
                              " main.events UNION ALL SELECT max(size) FROM"
                              " main.checkpoints UNION ALL SELECT max(first)-1"
                              " FROM main.segments WHERE first<=?1 UNION ALL"
                              " SELECT max(seq)"
                              " FROM main.rotations UNION ALL SELECT max(seq)"
                              " FROM main.redactions UNION ALL SELECT max(seq)"
                              " FROM main.compactions)",
                              &q, err);
    if (!rc) {
        plog_sql_bind_u64(q, 1, last);
        rc = plog_sql_row(q, err);
    }
    uint64_t at = rc ? 0 : plog_sql_u64(q, 0);
    sqlite3_finalize(q);
    if (rc || at <= h->commit.size)
        return rc;
    plog_fail(
        err, PLOG_E_DIVERGED,
        "rows of entry %llu, and a head at %llu: its files are of different"
        " moments",
        (unsigned long long)at, (unsigned long long)h->commit.size);
    plog_err_file(err, PLOG_STORE_FILE);
    plog_err_hint(err, "run: " PLOG_STORE_ANEW);
    return PLOG_E_DIVERGED;
}

static int put_cursor(struct plog_store *s, const struct plog_entry *e,
                      struct plog_error *err)
{
    struct plog_cursor c;
    int rc = plog_cursor_args_parse(e->args, &s->scratch, &c);
    if (rc)
        return plog_fail(err, rc, "a source-cursor entry cannot be read");
    plog_sql_bind(s->add_cursor, 1, c.source);
    plog_sql_bind(s->add_cursor, 2, c.resource);
    plog_sql_bind(s->add_cursor, 3, c.cursor.n ? c.cursor : plog_span("", 0));
    plog_sql_bind_u64(s->add_cursor, 4, e->seq);
    return plog_sql_run(s->add_cursor, err);
}

/* It folds a record anew, in the database. */
static int redact(struct plog_store *s, struct plog_rules *rules,
                  const struct plog_entry *e, struct plog_error *err)
{
    struct plog_fold_table *table = s->fold.table;
    int rc = plog_fold_forget(&s->fold, err);
    s->fold.table = NULL;
    rules->redactions++;
    if (!rc)
        rc = plog_store_redact(s, e, rules->base, err);
    s->fold.table = table;
    return rc;
}

int plog_store_apply_control(struct plog_store *s, struct plog_rules *rules,
                             const struct plog_entry *e, struct plog_error *err)
{
    struct plog_init_args init;
    enum plog_strategy strategy;
    if (e->control == PLOG_CONTROL_INIT && e->seq == 1 &&
        !plog_init_args_parse(e->args, &init)) {
        rules->strategy = init.strategy;
        rules->line_max = init.line_max;
        rules->segment_size = init.segment_size;
        return 0;
    }
    if (e->control == PLOG_CONTROL_STRATEGY &&
        !plog_strategy_args_parse(e->args, &strategy)) {
        rules->strategy = strategy;
        return 0;
    }
    if (e->control == PLOG_CONTROL_CURSOR)
        return put_cursor(s, e, err);
    if (e->control == PLOG_CONTROL_ROTATE ||
        e->control == PLOG_CONTROL_RESTORE) {
        plog_sql_bind_u64(s->add_rotation, 1, e->seq);
        return plog_sql_run(s->add_rotation, err);
    }
    if (e->control == PLOG_CONTROL_REDACT)
        return redact(s, rules, e, err);
    if (e->control == PLOG_CONTROL_PEER_ADD ||
        e->control == PLOG_CONTROL_PEER_EVICT ||
        e->control == PLOG_CONTROL_PEER_REWIND)
        return plog_store_peer(s, e, err);
    if (e->control == PLOG_CONTROL_COMPACT)
        return plog_store_compact(s, rules, e, err);
    plog_fail(err, PLOG_E_CORRUPT,
              "entry %llu: a control entry that makes no sense",
              (unsigned long long)e->seq);
    plog_err_seq(err, e->seq);
    return PLOG_E_CORRUPT;
}

int plog_store_apply(struct plog_store *s, struct plog_rules *rules,
                     const struct plog_entry *e, struct plog_span line,
                     struct plog_error *err)
{
    struct plog_current before;
    bool agrees;
    memset(&before, 0, sizeof before);
    int rc = e->control != PLOG_CONTROL_NONE
                 ? plog_store_apply_control(s, rules, e, err)
                 : plog_fold_logged(&s->fold, rules->strategy, e, line, &agrees,
                                    &before, err);
    return rc ? rc : plog_store_add_event(s, e, line, before.last, err);
}

/* ---- Look-ups ----------------------------------------------------------- */

int plog_store_find_id(struct plog_store *s, struct plog_span id, uint64_t *seq,
                       struct plog_error *err)
{
    plog_sql_bind(s->by_id, 1, id);
    int rc = plog_sql_row(s->by_id, err);
    if (rc)
        return rc;
    *seq = plog_sql_u64(s->by_id, 0);
    sqlite3_reset(s->by_id);
    return 0;
}

int plog_store_line(struct plog_store *s, uint64_t seq, struct plog_span *line,
                    uint64_t *previous, struct plog_error *err)
{
    sqlite3_reset(s->by_seq);
    plog_sql_bind_u64(s->by_seq, 1, seq);
    int rc = plog_sql_row(s->by_seq, err);
    if (rc)
        return rc;
    *line = plog_sql_text(s->by_seq, 0);
    if (previous)
        *previous = plog_sql_u64(s->by_seq, 1);
    return 0;
}

int plog_store_closing(struct plog_store *s, uint64_t seq,
                       struct plog_span *line, struct plog_error *err)
{
    sqlite3_reset(s->closing);
    plog_sql_bind_u64(s->closing, 1, seq);
    int rc = plog_sql_row(s->closing, err);
    if (!rc)
        *line = plog_sql_text(s->closing, 0);
    return rc;
}

int plog_store_get_cursor(struct plog_store *s, struct plog_span source,
                          struct plog_span resource, struct plog_span *out,
                          struct plog_error *err)
{
    sqlite3_reset(s->get_cursor);
    plog_sql_bind(s->get_cursor, 1, source);
    plog_sql_bind(s->get_cursor, 2, resource);
    int rc = plog_sql_row(s->get_cursor, err);
    if (!rc)
        *out = plog_sql_text(s->get_cursor, 0);
    return rc;
}
