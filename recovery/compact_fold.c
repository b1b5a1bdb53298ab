/*
 * compact_fold.c - the snapshot at a cut.
 *
 * A scratch store is made from the snapshot before and the segments above it,
 * every group verified, with the code that makes any store; then it is written
 * down.  Nothing is copied from the store that is in use.
 *
 * Of most entries the scratch store needs no row: their records' rows are
 * folded in memory (fold_table.h), and the lines that records stand on are
 * read again from the segments (compact_lines.h).  An order to redact changes
 * events, so with one, be it in orders/, every entry has its row, and so it has
 * where segments come out of the archive: they are not read again for nothing.
 */
#include <errno.h>
#include <stdio.h>

#include "archived.h"
#include "compact.h"
#include "compact_lines.h"
#include "feed.h"
#include "fold_table.h"
#include "redact.h"

#define SCRATCH "fold.db"
#define TABLE_MOST ((size_t)10 << 20)  /* of each */
#define PLACES_MOST ((size_t)16 << 20) /* 700,000 lines */

struct folding {
    struct plog_compacting *c;
    struct plog_store store;
    struct plog_store_head head;
    struct plog_walk walk;
    struct plog_feed feed;
    struct plog_fold_table tables[PLOG_SNAPSHOT_TABLES];
    struct plog_compact_lines lines;
    struct plog_entry_parser parser; /* of lines under an order */
    bool lean;     /* events have no row where none is needed */
    uint64_t base; /* the snapshot that it began with; 0: none */
    unsigned char digest[PLOG_HASH_SIZE];
};

int plog_compact_no_scratch(const struct plog_io *io, int dir)
{
    static const char *const names[] = {SCRATCH, SCRATCH "-wal", SCRATCH "-shm",
                                        SCRATCH "-journal",
                                        PLOG_COMPACT_LINES_FILE};
    int first = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int rc = io->unlink_at(io->ctx, dir, names[i]);
        if (rc && rc != -ENOENT && !first)
            first = rc;
    }
    return first;
}

/* Without a journal and syncs: whatever a crash or an error leaves of it is
 * thrown away. */
static int set_loose(struct plog_store *s, struct plog_error *err)
{
    plog_store_rest(s);
    /* A defensive connection keeps its journal. */
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
    return plog_sql_exec(
        s->db, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF", err);
}

static int open_scratch(struct folding *f, int dir, struct plog_error *err)
{
    const struct plog_dir *d = &f->c->legs->dir;
    char path[PLOG_DIR_PATH_MAX + 32];
    int n = snprintf(path, sizeof path, "%s/" PLOG_SNAPSHOT_DIR "/" SCRATCH,
                     d->path);
    if (n < 0 || (size_t)n >= PLOG_DIR_PATH_MAX)
        return plog_fail(err, PLOG_E_ARG, "the path is too long");
    int rc = plog_compact_no_scratch(f->c->io, dir);
    if (rc)
        return plog_fail_io(err, rc, PLOG_SNAPSHOT_DIR "/" SCRATCH,
                            "removing what an earlier one left");
    rc = plog_store_open(&f->store, f->c->io, path, PLOG_OPEN_CREATE, 0, err);
    if (!rc)
        rc = set_loose(&f->store, err);
    if (!rc)
        rc = plog_store_create_tables(&f->store, f->c->origin, err);
    return rc ? rc : plog_store_get_head(&f->store, &f->head, err);
}

int plog_compact_start(struct plog_walk *w, uint64_t to, uint64_t *floor,
                       unsigned char *digest, struct plog_error *err)
{
    const struct plog_compaction *base;
    uint64_t from = *floor;
    *floor = 0;
    if (w->dir->with_archive) {
        int found = plog_archived_newest(w, to, floor, digest, err);
        if (found != PLOG_END)
            return found ? found : plog_walk_start_floor(w, *floor, err);
        *floor = 0;
    }
    /* A log that is whole needs none: a copy may have no snapshot. */
    if (plog_segment_at(&w->segments, 0) == 1)
        return plog_walk_start(w, err);
    if (from == 0)
        return plog_fail(err, PLOG_E_CORRUPT,
                         "the log does not begin at entry"
                         " 1");
    int rc = plog_walk_start_floor(w, from, err);
    if (rc)
        return rc;
    base = plog_orders_floor_at(&w->orders, from);
    rc = base ? 0 : plog_orders_doubt(&w->orders);
    if (rc)
        return plog_fail(err, rc, "looking for the compact entry failed");
    if (!base)
        return plog_fail(err, PLOG_E_CORRUPT, "the compact entry is gone");
    memcpy(digest, base->snapshot, PLOG_HASH_SIZE);
    *floor = from;
    return 0;
}

static int load_base(struct folding *f, struct plog_error *err)
{
    struct plog_snapshot s;
    f->base = f->c->from;
    int rc = plog_compact_start(&f->walk, f->c->to, &f->base, f->digest, err);
    if (rc || !f->base)
        return rc;
    rc = plog_snapshot_open(&s, &f->c->legs->dir, f->base, f->digest, err);
    s.without_ids = true;
    if (!rc)
        rc = plog_snapshot_load(&s, &f->store, &f->head, err);
    plog_snapshot_close(&s);
    return rc;
}

/* ---- The entries behind it ---------------------------------------------- */

static int line_of(void *arg, uint64_t seq, struct plog_span *line,
                   struct plog_error *err)
{
    struct folding *f = arg;
    if (seq > f->base)
        return plog_compact_lines_get(&f->lines, seq, line, err);
    int rc = plog_store_line(&f->store, seq, line, NULL, err);
    return rc == PLOG_END
               ? plog_fail(err, PLOG_E_CORRUPT, "the snapshot lacks entry %llu",
                           (unsigned long long)seq)
               : rc;
}

static int orders_brought(struct folding *f,
                          const struct plog_known_order **list, size_t *n,
                          struct plog_error *err)
{
    int rc = plog_orders_brought(&f->walk.orders, list, n);
    return rc ? plog_orders_brought_fail(&f->walk.orders, rc, err) : 0;
}

static int begin(struct folding *f, int dir, struct plog_error *err)
{
    const struct plog_dir *d = &f->c->legs->dir;
    const struct plog_known_order *list;
    size_t brought;
    int rc = orders_brought(f, &list, &brought, err);
    if (rc)
        return rc;
    f->lean = !d->with_archive && brought == 0 &&
              f->c->legs->head.rules.redactions == 0;
    for (size_t i = 0; i < PLOG_SNAPSHOT_TABLES; i++) {
        plog_fold_table_init(&f->tables[i], f->c->io, TABLE_MOST);
        f->tables[i].holds_all = f->base == 0;
    }
    f->store.fold.table = f->tables;
    if (!f->lean)
        return 0;
    f->store.fold.line_of = line_of;
    f->store.fold.line_arg = f;
    /* What the table holds, SQLite's cache need not. */
    rc = plog_store_set_cache(&f->store, 4000, err);
    return rc ? rc
              : plog_compact_lines_open(&f->lines, d, dir, f->base + 1,
                                        PLACES_MOST, err);
}

/* Two tables have room for twice as many records. */
static void choose_table(struct folding *f, struct plog_span record_id)
{
    uint32_t h = 0;
    for (size_t i = 0; i < record_id.n; i++)
        h = (h ^ (unsigned char)record_id.p[i]) * 0x9e3779b1u;
    f->store.fold.table = &f->tables[(h >> 16) % PLOG_SNAPSHOT_TABLES];
}

/* Only its record, and its row where the snapshot asks for it. */
static int apply_lean(struct folding *f, const struct plog_entry *e,
                      struct plog_span line, struct plog_error *err)
{
    struct plog_current before;
    bool agrees;
    if (e->redacted)
        return plog_fail(err, PLOG_E_CORRUPT,
                         "entry %llu is redacted, and the store knows no order",
                         (unsigned long long)e->seq);
    memset(&before, 0, sizeof before);
    choose_table(f, e->delta.record_id_text);
    int rc = plog_fold_logged(&f->store.fold, f->head.rules.strategy, e, line,
                              &agrees, &before, err);
    return rc || e->delta.id_text.n == 0
               ? rc
               : plog_store_add_event(&f->store, e, line, before.last, err);
}

static int apply(struct folding *f, const struct plog_entry *e,
                 struct plog_span line, struct plog_error *err)
{
    return f->lean && e->control == PLOG_CONTROL_NONE
               ? apply_lean(f, e, line, err)
               : plog_store_apply(&f->store, &f->head.rules, e, line, err);
}

/* @i     its number in the batch
 * @at    its offset in its segment */
static int apply_line(struct folding *f, const struct plog_batch *b, size_t i,
                      uint64_t segment, uint64_t at, struct plog_error *err)
{
    struct plog_span line;
    struct plog_entry e;
    int rc = plog_feed_entry(b, i, &f->store.parser, &line, &e, err);
    if (!rc && f->lean)
        rc = plog_compact_lines_add(&f->lines, segment, at, line, err);
    return rc ? rc : apply(f, &e, line, err);
}

/* A group's lines and its commit follow one another, each with its LF. */
static int apply_group(struct folding *f, const struct plog_batch *b,
                       const struct plog_feed_group *g, size_t from,
                       struct plog_error *err)
{
    const struct plog_feed_line *l = (const void *)b->lines.data;
    uint64_t at = g->end - g->commit_n - 1;
    int rc = 0;
    for (size_t i = from; i < from + g->count; i++)
        at -= l[i].n + 1;
    for (size_t i = from; !rc && i < from + g->count; i++) {
        rc = apply_line(f, b, i, g->segment, at, err);
        at += l[i].n + 1;
    }
    return rc;
}

static int apply_batch(struct folding *f, const struct plog_batch *b,
                       struct plog_error *err)
{
    const struct plog_feed_group *g = (const void *)b->groups.data;
    size_t count = b->groups.len / sizeof *g, from = 0;
    int rc = 0;
    for (size_t i = 0; !rc && i < count; i++) {
        rc = apply_group(f, b, &g[i], from, err);
        from += g[i].count;
    }
    return rc ? rc
              : plog_compact_tell(f->c, "fold", b->commit.size, f->c->to, err);
}

/* The scratch store's head stands behind the batch; at last, at the floor. */
static void set_head(struct folding *f, const struct plog_batch *b)
{
    memcpy(f->head.origin, b->origin, sizeof f->head.origin);
    f->head.tree = b->tree;
    f->head.commit = b->commit;
    f->c->at_to = b->commit;
    f->c->rules = f->head.rules;
}

/* Whether the scratch store has no record: the tables have all of them. */
static bool all_in_memory(const struct folding *f)
{
    bool empty = true;
    for (size_t i = 0; i < PLOG_SNAPSHOT_TABLES; i++)
        empty &= f->tables[i].holds_all;
    return empty;
}

/* Where some did not fit into memory, all go to the scratch store. */
static int settle(struct folding *f, struct plog_error *err)
{
    int rc = 0;
    if (all_in_memory(f))
        return 0;
    for (size_t i = 0; !rc && i < PLOG_SNAPSHOT_TABLES; i++) {
        f->store.fold.table = &f->tables[i];
        rc = plog_fold_forget(&f->store.fold, err);
    }
    return rc;
}

/* Why the feed ended before the cut. */
static int no_commit(struct folding *f, struct plog_error *err)
{
    int stop = f->feed.stop;
    if (stop < 0) {
        *err = f->feed.err;
        return stop;
    }
    return plog_fail(err, PLOG_E_CORRUPT,
                     "no commit of the log stands at entry %llu",
                     (unsigned long long)f->c->to);
}

/* One transaction, which is never ended: what is written of it was too much
 * for memory. */
static int apply_all(struct folding *f, struct plog_error *err)
{
    const struct plog_batch *b;
    uint64_t done = f->base;
    int rc = plog_store_begin(&f->store, err);
    plog_feed_open(&f->feed, &f->walk, f->c->to, NULL, -1,
                   plog_pipe_may_thread(f->c->io));
    while (!rc && done < f->c->to && (b = plog_feed_next(&f->feed)) != NULL) {
        rc = apply_batch(f, b, err);
        if (b->groups.len == 0)
            continue;
        set_head(f, b);
        done = b->commit.size;
    }
    if (!rc)
        rc = settle(f, err);
    if (!rc && done != f->c->to)
        rc = no_commit(f, err);
    plog_feed_close(&f->feed);
    return rc;
}

/* ---- What was ordered to be redacted ------------------------------------ */

static int read_orders(plog *p, void *arg, struct plog_error *err)
{
    struct plog_buf *targets = arg;
    sqlite3_stmt *q = NULL;
    int rc = plog_sql_prepare(p->legs.store.db,
                              "SELECT DISTINCT target FROM main.redactions", &q,
                              err);
    while (!rc && (rc = plog_sql_row(q, err)) == 0) {
        uint64_t seq = plog_sql_u64(q, 0);
        if (plog_buf_add(targets, &seq, sizeof seq))
            rc = plog_fail(err, PLOG_E_NOMEM, "out of memory");
    }
    sqlite3_finalize(q);
    return rc == PLOG_END ? 0 : rc;
}

/* @brought  the order came along: it may be about another line */
static int check_redacted(struct folding *f, uint64_t seq, bool brought,
                          struct plog_error *err)
{
    struct plog_span line;
    struct plog_buf redacted;
    int is = 1, rc = plog_store_line(&f->store, seq, &line, NULL, err);
    if (rc || plog_line_is_redacted(line))
        return rc == PLOG_END ? 0 : rc;
    plog_buf_init(&redacted, f->c->io);
    if (brought)
        is = plog_orders_redact(&f->walk.orders, &f->parser, seq, line,
                                &redacted);
    plog_buf_fini(&redacted);
    if (is <= 0)
        return is ? plog_orders_brought_fail(&f->walk.orders, is, err) : 0;
    plog_fail(err, PLOG_E_LOCKED,
              "entry %llu was redacted, and is whole in the log again: its"
              " payload would go into the snapshot",
              (unsigned long long)seq);
    plog_err_seq(err, seq);
    plog_err_hint(err, "run: paritylog redact DIR %llu --reason TEXT again",
                  (unsigned long long)seq);
    return PLOG_E_LOCKED;
}

/* Of these the store in use has no row. */
static int check_brought(struct folding *f, struct plog_error *err)
{
    const struct plog_known_order *list;
    size_t n;
    int rc = orders_brought(f, &list, &n, err);
    for (size_t i = 0; !rc && i < n; i++)
        rc = check_redacted(f, list[i].order.seq, true, err);
    return rc;
}

/* No snapshot is signed with a payload that an order took out, also by an order
 * above the cut.  One that is made anew was signed before. */
static int check_orders(struct folding *f, struct plog_error *err)
{
    struct plog_buf targets;
    if (f->c->legs->dir.with_archive)
        return 0;
    plog_buf_init(&targets, f->c->io);
    int rc = plog_engine_locked(f->c->p, read_orders, &targets, err);
    const uint64_t *seqs = (const void *)targets.data;
    for (size_t i = 0; !rc && i < targets.len / sizeof *seqs; i++)
        rc = check_redacted(f, seqs[i], false, err);
    plog_buf_fini(&targets);
    return rc ? rc : check_brought(f, err);
}

static int write_down(struct folding *f, struct plog_error *err)
{
    struct plog_dir d = f->c->legs->dir;
    struct plog_snapshot_tables tables = {f->tables, PLOG_SNAPSHOT_TABLES};
    struct plog_snapshot before;
    int rc = 0;
    memset(&before, 0, sizeof before);
    if (f->c->p) /* else who has the locks sees to it */
        plog_compact_dir(f->c->p, &d);
    if (f->base)
        rc = plog_snapshot_open(&before, &d, f->base, f->digest, err);
    if (!rc)
        rc = plog_snapshot_write(
            &d, &f->store, &f->head, all_in_memory(f) ? &tables : NULL,
            f->base ? &before : NULL, f->c->want, &f->c->snapshot, err);
    plog_snapshot_close(&before);
    f->c->report->aside += f->c->snapshot.aside;
    return rc;
}

int plog_compact_fold(struct plog_compacting *c, struct plog_error *err)
{
    struct folding f = {.c = c};
    const struct plog_dir *d = &c->legs->dir;
    plog_entry_parser_init(&f.parser, c->io);
    int dir, rc = plog_snapshot_dir(d, true, &dir, err);
    if (rc)
        return rc;
    rc = open_scratch(&f, dir, err);
    if (!rc)
        rc = plog_walk_open(&f.walk, d, &c->legs->keys, err);
    if (!rc && c->legs->chain.count &&
        (rc = plog_orders_know_keys(&f.walk.orders, &c->legs->chain)) != 0)
        plog_fail(err, rc, "out of memory");
    if (!rc)
        rc = load_base(&f, err);
    if (!rc)
        rc = begin(&f, dir, err);
    if (!rc)
        rc = apply_all(&f, err);
    if (!rc)
        rc = check_orders(&f, err);
    if (!rc)
        rc = write_down(&f, err);
    plog_walk_close(&f.walk);
    plog_compact_lines_close(&f.lines);
    for (size_t i = 0; i < PLOG_SNAPSHOT_TABLES; i++)
        plog_fold_table_fini(&f.tables[i]);
    plog_store_close(&f.store);
    plog_entry_parser_fini(&f.parser);
    int left = plog_compact_no_scratch(c->io, dir);
    (void)left; /* the next one tries again, and tells */
    c->io->close(c->io->ctx, dir);
    return rc;
}
