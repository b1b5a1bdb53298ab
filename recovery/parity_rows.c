/* parity_rows.c - events, checkpoints and segments against the log. */

#include "parity.h"

/* ---- Opening ------------------------------------------------------------ */

/* A line for the fold: the log's own where the store's row differs. */
static int line_of(void *arg, uint64_t seq, struct plog_span *line,
                   struct plog_error *err)
{
    struct plog_parity *p = arg;
    sqlite3_reset(p->truth_get);
    plog_sql_bind_u64(p->truth_get, 1, seq);
    int rc = plog_sql_row(p->truth_get, err);
    if (rc == 0)
        *line = plog_sql_text(p->truth_get, 0);
    if (rc == PLOG_END)
        rc = plog_store_line(&p->c->reader.store, seq, line, NULL, err);
    if (rc == PLOG_END)
        rc = plog_fail(err, PLOG_E_DIVERGED, "store.db: event %llu is missing",
                       (unsigned long long)seq);
    return rc;
}

static int prepare_all(struct plog_parity *p, struct plog_error *err)
{
    const struct {
        sqlite3_stmt **to;
        const char *sql;
    } all[] = {
        {&p->events, "SELECT seq,id,resource,record_id,op,outcome,previous,"
                     "line FROM main.events WHERE seq>=?1 ORDER BY seq"},
        {&p->checkpoints, "SELECT size,line FROM main.checkpoints WHERE"
                          " size>=?1 ORDER BY size"},
        {&p->segments, "SELECT first FROM main.segments WHERE first>=?1"
                       " ORDER BY first"},
        {&p->truth_get, "SELECT line FROM temp.truth WHERE seq=?1"},
        {&p->truth_put, "INSERT OR REPLACE INTO temp.truth VALUES(?1,?2)"},
        {&p->put_cursor, "INSERT OR REPLACE INTO temp.cursors"
                         " VALUES(?1,?2,?3,?4)"},
    };
    int rc = 0;
    for (size_t i = 0; !rc && i < sizeof all / sizeof *all; i++)
        rc = plog_sql_prepare(p->db, all[i].sql, all[i].to, err);
    return rc;
}

int plog_parity_next_event(struct plog_parity *p, struct plog_error *err)
{
    plog_parity_sum_id(p);
    return plog_sql_next(p->events, &p->event_ready, err);
}

static int rows_from(struct plog_parity *p, int64_t first,
                     int64_t first_segment, struct plog_error *err)
{
    sqlite3_stmt *all[] = {p->events, p->checkpoints, p->segments};
    bool *ready[] = {&p->event_ready, &p->checkpoint_ready, &p->segment_ready};
    int rc = 0;
    p->ids_from = first;
    memset(p->ids, 0, sizeof p->ids);
    for (int i = 0; !rc && i < 3; i++) {
        sqlite3_reset(all[i]);
        sqlite3_bind_int64(all[i], 1,
                           all[i] == p->segments ? first_segment : first);
        rc = plog_sql_next(all[i], ready[i], err);
    }
    return rc;
}

int plog_parity_rows_from(struct plog_parity *p, uint64_t first,
                          struct plog_error *err)
{
    return rows_from(p, (int64_t)first, (int64_t)first, err);
}

int plog_parity_rows_again(struct plog_parity *p, uint64_t first,
                           struct plog_error *err)
{
    uint64_t ids[2] = {p->ids[0], p->ids[1]};
    int64_t ids_from = p->ids_from;
    int rc = rows_from(p, (int64_t)first, p->segments_from, err);
    memcpy(p->ids, ids, sizeof ids);
    p->ids_from = ids_from;
    return rc;
}

int plog_parity_open(struct plog_parity *p, struct plog_check *c,
                     struct plog_error *err)
{
    memset(p, 0, sizeof *p);
    p->c = c;
    p->db = c->reader.store.db;
    p->fold_whole = true;
    p->rules.line_max = PLOG_LINE_DEFAULT;
    p->rules.segment_size = PLOG_SEGMENT_DEFAULT;
    p->segments_from = INT64_MIN;
    plog_entry_parser_init(&p->parser, c->reader.io);
    plog_buf_init(&p->claimed, c->reader.io);
    plog_buf_init(&p->noted, c->reader.io);
    p->fold.io = c->reader.io;
    p->fold.origin = c->walk.chain.origin;
    p->fold.line_of = line_of;
    p->fold.line_arg = p;
    plog_buf_init(&p->fold.base, c->reader.io);
    plog_buf_init(&p->fold.merged, c->reader.io);
    plog_entry_parser_init(&p->fold.parser, c->reader.io);
    if (p->fold.io->random(p->fold.io->ctx, p->secret, sizeof p->secret))
        return plog_fail(err, PLOG_E_IO, "no randomness");
    int rc = plog_sql_exec(
        p->db,
        "PRAGMA temp.journal_mode=OFF; PRAGMA temp.cache_size=-8000;"
        /* those of a quick look */
        "DROP TABLE IF EXISTS temp.state; DROP TABLE IF EXISTS temp.truth;"
        "DROP TABLE IF EXISTS temp.compactions;"
        "DROP TABLE IF EXISTS temp.peers; DROP TABLE IF EXISTS temp.evicted;"
        "DROP TABLE IF EXISTS temp.cursors; DROP TABLE IF EXISTS temp.tally;"
        "CREATE TEMP TABLE state(" PLOG_STATE_COLUMNS ") " PLOG_STATE_OPTIONS
        ";CREATE TEMP TABLE truth(seq INTEGER PRIMARY KEY, line TEXT);"
        "CREATE TEMP TABLE compactions(seq INTEGER PRIMARY KEY, floor INTEGER);"
        "CREATE TEMP TABLE peers(name TEXT PRIMARY KEY, added INTEGER NOT NULL)"
        " STRICT, WITHOUT ROWID;"
        "CREATE TEMP TABLE evicted(name TEXT PRIMARY KEY, seq INTEGER NOT NULL)"
        " STRICT, WITHOUT ROWID;"
        "CREATE TEMP TABLE cursors(source TEXT NOT NULL, resource TEXT NOT"
        " NULL, cursor TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY("
        "source, resource)) STRICT, WITHOUT ROWID",
        err);
    /* All tables are read from begin to end, or all over the place. */
    if (!rc)
        rc = plog_sql_exec(p->db,
                           c->quick && !c->head.rules.floor
                               ? "PRAGMA main.cache_size=-1000"
                               : "PRAGMA main.cache_size=-16000",
                           err);
    if (!rc)
        rc = prepare_all(p, err);
    if (!rc)
        rc = plog_fold_open(&p->fold, p->db, "temp", err);
    if (!rc && c->quick && !c->o->skip_records)
        rc = plog_tally_open(&p->tally, c->reader.io, p->db, err);
    p->tally.without_rows = c->upto > 0;
    return rc ? rc : rows_from(p, INT64_MIN, INT64_MIN, err);
}

void plog_parity_close(struct plog_parity *p)
{
    sqlite3_stmt **all[] = {&p->events,    &p->checkpoints, &p->segments,
                            &p->truth_get, &p->truth_put,   &p->put_cursor};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        sqlite3_finalize(*all[i]);
        *all[i] = NULL;
    }
    plog_parity_touched_close(p);
    plog_tally_close(&p->tally);
    plog_fold_close(&p->fold);
    plog_entry_parser_fini(&p->parser);
    plog_buf_fini(&p->claimed);
    plog_buf_fini(&p->noted);
}

/* ---- Events ------------------------------------------------------------- */

int plog_parity_stored(struct plog_parity *p, uint64_t seq,
                       struct plog_span *line, struct plog_error *err)
{
    return plog_store_line(&p->c->reader.store, seq, line, NULL, err);
}

static sqlite3_int64 row_seq(const struct plog_parity *p)
{
    return sqlite3_column_int64(p->events, 0);
}

/* Rows below 1 answer to no entry. */
static int drop_below(struct plog_parity *p, uint64_t seq,
                      struct plog_error *err)
{
    int rc = 0;
    while (!rc && p->event_ready && row_seq(p) < (sqlite3_int64)seq) {
        plog_parity_find(p, PLOG_E_DIVERGED, 0, "no row",
                         "an event row that"
                         " no entry of the log answers to");
        rc = plog_parity_next_event(p, err);
    }
    return rc;
}

int plog_parity_skip(struct plog_parity *p, uint64_t seq,
                     struct plog_error *err)
{
    int rc = 0;
    while (!rc && p->event_ready && row_seq(p) <= (sqlite3_int64)seq)
        rc = plog_sql_next(p->events, &p->event_ready, err);
    while (!rc && p->checkpoint_ready && plog_sql_u64(p->checkpoints, 0) <= seq)
        rc = plog_sql_next(p->checkpoints, &p->checkpoint_ready, err);
    while (!rc && p->segment_ready && plog_sql_u64(p->segments, 0) <= seq)
        rc = plog_sql_next(p->segments, &p->segment_ready, err);
    return rc;
}

static bool column_is(sqlite3_stmt *s, int column, struct plog_span want)
{
    if (want.p == NULL)
        return sqlite3_column_type(s, column) == SQLITE_NULL;
    return sqlite3_column_type(s, column) == SQLITE_TEXT &&
           plog_span_equal(plog_sql_text(s, column), want);
}

static struct plog_span or_null(struct plog_span s)
{
    return s.n ? s : plog_span(NULL, 0);
}

bool plog_parity_columns(struct plog_parity *p, const struct plog_entry *e,
                         uint64_t previous)
{
    sqlite3_stmt *s = p->events;
    struct plog_span none = {NULL, 0};
    const struct plog_delta *d = &e->delta;
    bool delta = e->control == PLOG_CONTROL_NONE;
    bool fits = column_is(s, 1, or_null(d->id_text));
    fits &= column_is(s, 2, delta ? d->resource_text : none);
    fits &= column_is(s, 3, delta ? d->record_id_text : none);
    fits &= column_is(
        s, 4,
        !delta ? none : plog_span_text(d->is_delete ? "delete" : "upsert"));
    fits &= column_is(
        s, 5,
        !delta ? none : plog_span_text(e->skipped ? "skipped" : "applied"));
    if (previous == 0)
        return fits && sqlite3_column_type(s, 6) == SQLITE_NULL;
    return fits && sqlite3_column_int64(s, 6) == (sqlite3_int64)previous;
}

static int keep_truth(struct plog_parity *p, uint64_t seq,
                      struct plog_span line, struct plog_error *err)
{
    plog_sql_bind_u64(p->truth_put, 1, seq);
    plog_sql_bind(p->truth_put, 2, line);
    return plog_sql_run(p->truth_put, err);
}

/* The line of the log against the store's.  Where one of them is redacted, both
 * have one leaf, which would tell nobody what is wrong. */
static void line_differs(struct plog_parity *p, uint64_t seq,
                         struct plog_span want, struct plog_span got)
{
    unsigned char leaf[PLOG_HASH_SIZE];
    char expected[64] = "leaf ", found[64] = "leaf ";
    plog_line_leaf(want, leaf);
    plog_check_hash(leaf, expected + 5);
    plog_line_leaf(got, leaf);
    plog_check_hash(leaf, found + 5);
    bool same = !strcmp(expected, found);
    bool redacted = plog_line_is_redacted(want);
    plog_parity_find(p, PLOG_E_DIVERGED, seq,
                     !same      ? expected
                     : redacted ? "the redacted line"
                                : "the line, not redacted",
                     same ? "another line of the same leaf" : found);
}

int plog_parity_control(struct plog_parity *p, const struct plog_entry *e,
                        struct plog_error *err)
{
    struct plog_cursor c;
    struct plog_init_args init;
    if (e->control == PLOG_CONTROL_INIT &&
        !plog_init_args_parse(e->args, &init)) {
        p->rules.strategy = init.strategy;
        p->rules.line_max = init.line_max;
        p->rules.segment_size = init.segment_size;
        return 0;
    }
    if (e->control == PLOG_CONTROL_STRATEGY)
        return plog_strategy_args_parse(e->args, &p->rules.strategy);
    if (e->control == PLOG_CONTROL_ROTATE || e->control == PLOG_CONTROL_RESTORE)
        return 0; /* the walk keeps them: plog_parity_rotations */
    if (e->control == PLOG_CONTROL_REDACT)
        return plog_parity_order(p, e, err);
    if (e->control == PLOG_CONTROL_PEER_ADD ||
        e->control == PLOG_CONTROL_PEER_EVICT)
        return plog_parity_peer(p, e, err);
    if (e->control == PLOG_CONTROL_PEER_REWIND)
        return 0; /* cursors are no function of the log */
    if (e->control == PLOG_CONTROL_COMPACT)
        return plog_parity_compaction(p, e, err);
    if (e->control != PLOG_CONTROL_CURSOR)
        return plog_fail(err, PLOG_E_FORMAT,
                         "control `%s` needs a later"
                         " version",
                         plog_control_name(e->control));
    int rc = plog_cursor_args_parse(e->args, &p->fold.base, &c);
    if (rc)
        return rc;
    plog_sql_bind(p->put_cursor, 1, c.source);
    plog_sql_bind(p->put_cursor, 2, c.resource);
    plog_sql_bind(p->put_cursor, 3, c.cursor.n ? c.cursor : plog_span("", 0));
    plog_sql_bind_u64(p->put_cursor, 4, e->seq);
    return plog_sql_run(p->put_cursor, err);
}

/* What the writer decided is not what its strategy does. */
static void against_strategy(struct plog_parity *p, uint64_t seq,
                             const char *expected, const char *found)
{
    struct plog_finding f = {.verdict = PLOG_E_DIVERGED,
                             .leg = PLOG_LEG_LOG,
                             .file = plog_check_file(p->c),
                             .seq = seq,
                             .expected = expected,
                             .found = found};
    f.next = "keep a copy of DIR; the log's writer decided against its"
             " strategy";
    plog_check_find(p->c, &f);
}

/* Folds the entry; `previous` is the entry before it about its record. */
static int fold_entry(struct plog_parity *p, const struct plog_entry *e,
                      struct plog_span line, bool row, uint64_t *previous,
                      struct plog_error *err)
{
    struct plog_current before;
    bool agrees = true;
    *previous = 0;
    if (e->control != PLOG_CONTROL_NONE)
        return plog_parity_control(p, e, err);
    int rc = plog_fold_logged(&p->fold, p->rules.strategy, e, line, &agrees,
                              &before, err);
    if (p->partial && row)
        *previous = plog_sql_u64(p->events, 6);
    else
        *previous = before.last;
    if (!rc && p->partial)
        rc = plog_parity_touch(p, e, &before, row, previous, &agrees, err);
    if (!rc && !agrees)
        against_strategy(p, e->seq, e->skipped ? "applied" : "skipped",
                         e->skipped ? "skipped" : "applied");
    if (!rc && plog_fold_merged_stray(p->rules.strategy, e))
        against_strategy(p, e->seq, "no merged payload", "one");
    return rc;
}

int plog_parity_entry(struct plog_parity *p, struct plog_span line,
                      uint64_t seq, struct plog_error *err)
{
    struct plog_entry e;
    uint64_t previous = 0;
    int rc = drop_below(p, seq, err);
    bool row = p->event_ready && row_seq(p) == (sqlite3_int64)seq;
    /* A blob of the same bytes is another value to SQL. */
    bool text = row && sqlite3_column_type(p->events, 7) == SQLITE_TEXT;
    struct plog_span stored = {NULL, 0};
    if (row)
        stored = plog_sql_text(p->events, 7);
    bool same = row && plog_span_equal(stored, line);
    bool pending;
    if (!rc && same)
        rc = plog_parity_whole(p, seq, line, &pending, err);
    if (!rc && row && !same)
        rc = plog_parity_redacted(p, seq, stored, &line, &same, err);
    if (!rc)
        rc = plog_entry_parse(&p->parser, line, &e, err);
    if (rc)
        return rc;
    if (!row)
        plog_parity_find(p, PLOG_E_DIVERGED, seq, "an event row", "none");
    else if (!same)
        line_differs(p, seq, line, stored);
    else if (!text)
        plog_parity_find(p, PLOG_E_DIVERGED, seq, "the line as a text",
                         "a blob of its bytes");
    if (!same)
        rc = keep_truth(p, seq, line, err);
    if (!rc && p->fold_whole)
        rc = fold_entry(p, &e, line, row, &previous, err);
    if (!rc && same && p->fold_whole && !plog_parity_columns(p, &e, previous))
        plog_parity_find(p, PLOG_E_DIVERGED, seq,
                         "columns that follow from"
                         " the line",
                         "other ones");
    if (!rc && row)
        rc = plog_parity_next_event(p, err);
    return rc;
}

/* ---- Commits and segments ----------------------------------------------- */

int plog_parity_checkpoint(struct plog_parity *p,
                           const struct plog_log_group *g,
                           struct plog_error *err)
{
    int rc = 0;
    while (!rc && p->checkpoint_ready &&
           sqlite3_column_int64(p->checkpoints, 0) <
               (sqlite3_int64)g->commit.size) {
        plog_parity_find(p, PLOG_E_DIVERGED, g->first,
                         "no commit row inside"
                         " this group",
                         "a commit row");
        rc = plog_sql_next(p->checkpoints, &p->checkpoint_ready, err);
    }
    if (rc)
        return rc;
    bool row = p->checkpoint_ready &&
               plog_sql_u64(p->checkpoints, 0) == g->commit.size;
    if (!row || !column_is(p->checkpoints, 1, g->commit_line))
        plog_parity_find(p, PLOG_E_DIVERGED, g->commit.size,
                         "the commit line of the log",
                         row ? "other bytes" : "no commit row");
    return row ? plog_sql_next(p->checkpoints, &p->checkpoint_ready, err) : 0;
}

int plog_parity_segment(struct plog_parity *p, uint64_t first,
                        struct plog_error *err)
{
    int rc = 0;
    while (!rc && p->segment_ready &&
           sqlite3_column_int64(p->segments, 0) < (sqlite3_int64)first) {
        plog_parity_find(p, PLOG_E_DIVERGED, first, "no segment row here",
                         "a segment row");
        rc = plog_sql_next(p->segments, &p->segment_ready, err);
    }
    if (rc)
        return rc;
    p->segments_from = (int64_t)first + 1;
    bool row = p->segment_ready && plog_sql_u64(p->segments, 0) == first;
    /* A bare segment made after the store's head is not its business yet. */
    if (!row && first <= p->c->head.commit.size)
        plog_parity_find(p, PLOG_E_DIVERGED, first, "a segment row", "none");
    return row ? plog_sql_next(p->segments, &p->segment_ready, err) : 0;
}

int plog_parity_rest(struct plog_parity *p, uint64_t log_size,
                     struct plog_error *err)
{
    uint64_t head = p->c->head.commit.size;
    int rc = 0;
    if (p->c->upto) /* not looked at */
        p->event_ready = p->checkpoint_ready = false;
    /* Rows up to a signed head above the log's end are told as ROLLBACK. */
    bool told = p->c->report->counts[-PLOG_E_ROLLBACK] > 0 || p->end_unknown;
    /* What damage hides cannot be judged either. */
    if (told && head > log_size)
        rc = plog_parity_skip(p, head, err);
    while (!rc && p->event_ready) {
        sqlite3_int64 seq = row_seq(p);
        plog_parity_find(p, PLOG_E_AHEAD, seq > 0 ? (uint64_t)seq : 0,
                         "no row: the log has no such entry", "an event row");
        rc = plog_parity_next_event(p, err);
    }
    while (!rc && p->checkpoint_ready) {
        plog_parity_find(p, PLOG_E_AHEAD, plog_sql_u64(p->checkpoints, 0),
                         "no row: the log has no such commit", "a commit row");
        rc = plog_sql_next(p->checkpoints, &p->checkpoint_ready, err);
    }
    while (!rc && p->segment_ready && !told) {
        plog_parity_find(p, PLOG_E_AHEAD, plog_sql_u64(p->segments, 0),
                         "no row: the log has no such segment",
                         "a segment row");
        rc = plog_sql_next(p->segments, &p->segment_ready, err);
    }
    return rc;
}
