/*
 * subscribe.c - following the log without losing an entry in silence.
 *
 * There is no queue that could overflow: a subscription is a place in the
 * store, from which committed entries are read when they are asked for.  Only
 * compaction can remove what was not read yet, and that is reported.
 */
#include "reader.h"

#define BATCH_ENTRIES 256
#define BATCH_BYTES (1u << 20)
#define POLL_NS 20000000

struct item {
    size_t at, n;
};

struct plog_sub {
    const struct plog_io *io;
    struct plog_reader *reader;
    sqlite3_stmt *after;   /* events from a seq on */
    uint64_t next;         /* the seq to give next */
    struct plog_buf lines; /* the batch at hand */
    struct plog_buf items; /* struct item */
    size_t given;          /* of the batch */
};

static int prepare(struct plog_sub *s, struct plog_error *err)
{
    return plog_sql_prepare(s->reader->store.db,
                            "SELECT seq,line FROM main.events WHERE seq>=?1"
                            " AND seq<=?2 ORDER BY seq",
                            &s->after, err);
}

/* Goes over to the store that has the name now. */
static int follow_store(struct plog_sub *s, struct plog_error *err)
{
    if (plog_reader_is_current(s->reader))
        return 0;
    sqlite3_finalize(s->after); /* before its connection is closed */
    s->after = NULL;
    int rc = plog_reader_refresh(s->reader, err);
    return rc ? rc : prepare(s, err);
}

int plog_subscribe(struct plog_sub **out, const char *dir, uint64_t from,
                   const struct plog_options *given, struct plog_error *err)
{
    struct plog_options own;
    struct plog_head head = {0};
    *out = NULL;
    if (plog_take_options(&own, sizeof own, given, err))
        return PLOG_E_ARG;
    const struct plog_io *io = own.io ? own.io : plog_io_posix();
    struct plog_sub *s = plog_alloc(io, sizeof *s);
    if (!s)
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    s->io = io;
    plog_buf_init(&s->lines, io);
    plog_buf_init(&s->items, io);
    int rc = plog_reader_open(&s->reader, dir, &own, err);
    if (!rc)
        rc = plog_reader_head(s->reader, &head, err);
    if (!rc)
        rc = prepare(s, err);
    s->next = from ? from : head.size + 1;
    if (rc) {
        plog_sub_close(s);
        return plog_done(err, rc);
    }
    *out = s;
    return plog_done(err, 0);
}

void plog_sub_close(struct plog_sub *s)
{
    if (!s)
        return;
    if (!s->reader || !plog_reader_forked(s->reader))
        sqlite3_finalize(s->after);
    plog_reader_close(s->reader);
    plog_buf_fini(&s->lines);
    plog_buf_fini(&s->items);
    plog_free(s->io, s);
}

static int hole(const struct plog_sub *s, uint64_t seq, struct plog_error *err)
{
    (void)s;
    plog_fail(err, PLOG_E_DIVERGED, "store.db: event %llu is missing",
              (unsigned long long)seq);
    plog_err_seq(err, seq);
    plog_err_hint(err, "run: paritylog parity DIR");
    return PLOG_E_DIVERGED;
}

static int read_rows(struct plog_sub *s, uint64_t head, struct plog_error *err)
{
    uint64_t expected = s->next;
    int rc = 0;
    plog_sql_bind_u64(s->after, 1, s->next);
    plog_sql_bind_u64(s->after, 2, head);
    while (!rc && s->items.len / sizeof(struct item) < BATCH_ENTRIES &&
           s->lines.len < BATCH_BYTES) {
        rc = plog_sql_row(s->after, err);
        if (rc)
            break;
        struct plog_span line = plog_sql_text(s->after, 1);
        struct item i = {s->lines.len, line.n};
        if (plog_sql_u64(s->after, 0) != expected)
            rc = hole(s, expected, err);
        else if (plog_buf_add_span(&s->lines, line) ||
                 plog_buf_add(&s->items, &i, sizeof i))
            rc = plog_fail(err, PLOG_E_NOMEM, "out of memory");
        expected++;
    }
    sqlite3_reset(s->after);
    if (rc == PLOG_END && expected <= head)
        rc = hole(s, expected, err);
    return rc == PLOG_END ? 0 : rc;
}

/* Reads the next batch in one snapshot.  PLOG_END when there is none yet. */
static int refill(struct plog_sub *s, uint64_t *lost, struct plog_error *err)
{
    struct plog_store *store = &s->reader->store;
    struct plog_store_head h;
    s->given = s->items.len = s->lines.len = 0;
    int rc = follow_store(s, err);
    if (!rc)
        rc = plog_store_begin_read(store, err);
    if (!rc)
        rc = plog_store_get_head(store, &h, err);
    if (!rc && h.rules.floor >= s->next) {
        *lost = h.rules.floor - s->next + 1;
        rc = plog_fail(err, PLOG_E_PRUNED,
                       "entries %llu to %llu were compacted"
                       " away",
                       (unsigned long long)s->next,
                       (unsigned long long)h.rules.floor);
    }
    if (!rc)
        rc = h.commit.size < s->next ? PLOG_END
                                     : read_rows(s, h.commit.size, err);
    plog_store_rollback(store);
    return rc;
}

static int give(struct plog_sub *s, uint64_t *seq, const char **line,
                size_t *len)
{
    struct item i;
    memcpy(&i, s->items.data + s->given * sizeof i, sizeof i);
    *seq = s->next++;
    *line = s->lines.data + i.at;
    *len = i.n;
    s->given++;
    return 0;
}

static int next(struct plog_sub *s, double timeout_seconds, uint64_t *seq,
                const char **line, size_t *len, struct plog_error *err)
{
    const struct plog_io *io = s->io;
    int64_t until = plog_io_until(io, timeout_seconds);
    while (s->given == s->items.len / sizeof(struct item)) {
        uint64_t lost = 0;
        int rc = refill(s, &lost, err);
        if (rc == PLOG_E_PRUNED) {
            *seq = s->next;
            *len = (size_t)lost;
            *line = NULL;
            s->next += lost;
        }
        if (rc < 0)
            return rc;
        int64_t left = until - io->clock_mono_ns(io->ctx);
        if (rc == PLOG_END && left <= 0)
            return PLOG_TIMEOUT;
        if (rc == PLOG_END)
            io->sleep_ns(io->ctx, left < POLL_NS ? left : POLL_NS);
    }
    return give(s, seq, line, len);
}

int plog_sub_next(struct plog_sub *s, double timeout_seconds, uint64_t *seq,
                  const char **line, size_t *len, struct plog_error *err)
{
    int rc = plog_reader_enter(s->reader, err);
    if (!rc)
        rc = plog_reader_leave(
            s->reader, next(s, timeout_seconds, seq, line, len, err), err);
    return rc;
}
