/* peer_list.c - how far each peer is behind, and who holds the floor. */

#include "paritylog_recovery.h"
#include "reader.h"

struct list {
    struct plog_reader *r;
    struct plog_store_head head;
    struct plog_buf segments; /* uint64_t, ascending */
    struct plog_buf sizes;    /* uint64_t, of each */
    uint64_t least;           /* the smallest cursor */
    struct plog_instant now;
    struct plog_entry_parser parser;
};

static double age(const struct list *l, struct plog_span text)
{
    struct plog_instant then;
    if (text.n == 0 || plog_instant_parse(text, &then))
        return -1;
    double seconds = (double)(l->now.seconds - then.seconds) +
                     (double)(l->now.nanos - then.nanos) / 1e9;
    return seconds > 0 ? seconds : 0;
}

/* How big each segment is; one that has just gone to the archive is 0, one
 * that came behind the head does not count. */
static int measure(struct list *l, struct plog_error *err)
{
    char name[PLOG_SEGMENT_NAME];
    struct plog_stat st;
    int rc = plog_dir_segments(&l->r->dir, &l->segments, err);
    for (size_t i = 0; !rc && i < plog_segment_count(&l->segments); i++) {
        uint64_t first = plog_segment_at(&l->segments, i), size = 0;
        plog_segment_name(first, name);
        if (first == l->head.segment)
            size = l->head.offset;
        else if (first < l->head.segment &&
                 !l->r->io->stat_at(l->r->io->ctx, l->r->dir.log, name, &st))
            size = st.size;
        if (plog_buf_add(&l->sizes, &size, sizeof size))
            rc = plog_fail(err, PLOG_E_NOMEM, "out of memory");
    }
    return rc;
}

/* An estimate that reads nothing: where a cursor stands inside a segment is
 * known by number, not by place, so the entries above it count as many bytes
 * as the others there. */
static uint64_t bytes_above(const struct list *l, uint64_t cursor)
{
    uint64_t bytes = 0;
    size_t n = plog_segment_count(&l->segments);
    for (size_t i = 0; i < n; i++) {
        uint64_t first = plog_segment_at(&l->segments, i);
        uint64_t size = plog_segment_at(&l->sizes, i);
        uint64_t last = i + 1 < n ? plog_segment_at(&l->segments, i + 1) - 1
                                  : l->head.commit.size;
        if (last > l->head.commit.size)
            last = l->head.commit.size;
        if (last < first || last <= cursor)
            continue;
        if (first <= cursor)
            size = (uint64_t)((double)size * (double)(last - cursor) /
                              (double)(last - first + 1));
        bytes += size;
    }
    return bytes;
}

/* Seconds since the group with entry `seq` was logged; -1: it is gone. */
static int logged_age(struct list *l, uint64_t seq, double *out,
                      struct plog_error *err)
{
    struct plog_store *s = &l->r->store;
    struct plog_entry e;
    struct plog_span line;
    uint64_t before;
    *out = -1;
    if (seq <= l->head.rules.base)
        return 0;
    int rc = plog_sql_number(
        s->db, "SELECT max(size) FROM main.checkpoints WHERE size<?1", seq, 0,
        &before, err);
    if (!rc)
        rc = plog_store_line(s, before + 1, &line, NULL, err);
    if (!rc)
        rc = plog_entry_parse(&l->parser, line, &e, err);
    if (!rc)
        *out = age(l, e.logged_at);
    return rc == PLOG_END ? 0 : rc;
}

static int seconds_above(struct list *l, uint64_t cursor, double *out,
                         struct plog_error *err)
{
    uint64_t floor = l->head.rules.floor;
    uint64_t next = (cursor > floor ? cursor : floor) + 1;
    int rc = 0;
    *out = 0;
    if (cursor < l->head.commit.size && next <= l->head.commit.size)
        rc = logged_age(l, next, out, err);
    if (*out < 0)
        *out = 0;
    return rc;
}

static int give(struct list *l, sqlite3_stmt *q,
                int (*each)(void *arg, const struct plog_peer *peer), void *arg,
                int *stopped, struct plog_error *err)
{
    struct plog_peer p = {.name = plog_sql_text(q, 0),
                          .added = plog_sql_u64(q, 1),
                          .cursor = plog_sql_u64(q, 2),
                          .seen = plog_sql_text(q, 4)};
    struct plog_span root = plog_sql_text(q, 3);
    p.proven = root.n == PLOG_HASH_SIZE;
    if (p.proven)
        memcpy(p.root, root.p, PLOG_HASH_SIZE);
    p.seen_age = age(l, p.seen);
    p.lag = l->head.commit.size > p.cursor ? l->head.commit.size - p.cursor : 0;
    p.lag_bytes = bytes_above(l, p.cursor);
    p.holds_floor = p.cursor == l->least;
    int rc = seconds_above(l, p.cursor, &p.lag_seconds, err);
    if (!rc)
        rc = logged_age(l, p.added, &p.added_age, err);
    if (!rc)
        *stopped = each(arg, &p);
    return rc;
}

int plog_peers(const char *dir, const struct plog_options *options,
               int (*each)(void *arg, const struct plog_peer *peer), void *arg,
               struct plog_error *err)
{
    struct list l = {.least = 0};
    sqlite3_stmt *q = NULL;
    int stopped = 0; /* by `each`, which may say anything */
    int rc = plog_reader_open(&l.r, dir, options, err);
    if (rc)
        return rc;
    const struct plog_io *io = l.r->io;
    l.now = plog_instant_now(io);
    plog_buf_init(&l.segments, io);
    plog_buf_init(&l.sizes, io);
    plog_entry_parser_init(&l.parser, io);
    rc = plog_reader_begin(l.r, err);
    if (!rc)
        rc = plog_store_get_head(&l.r->store, &l.head, err);
    if (!rc)
        rc = measure(&l, err);
    if (!rc)
        rc = plog_sql_number(l.r->store.db,
                             "SELECT coalesce(min(cursor),0) FROM main.peers",
                             0, 0, &l.least, err);
    if (!rc)
        rc = plog_sql_prepare(l.r->store.db,
                              "SELECT name,added,cursor,root,seen FROM"
                              " main.peers ORDER BY name",
                              &q, err);
    while (!rc && !stopped && (rc = plog_sql_row(q, err)) == 0)
        rc = give(&l, q, each, arg, &stopped, err);
    sqlite3_finalize(q);
    plog_entry_parser_fini(&l.parser);
    plog_buf_fini(&l.sizes);
    plog_buf_fini(&l.segments);
    plog_reader_close(l.r);
    if (stopped)
        rc = plog_stopped(err, stopped);
    else if (rc == PLOG_END)
        rc = 0;
    return plog_done(err, rc);
}
