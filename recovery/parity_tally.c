/* parity_tally.c - see parity_tally.h. */
#include "parity_tally.h"

#include <sodium.h>

#include "parity_tally_item.h"

#define SLOTS_MAX (1u << 16) /* of the table: 4.5 MiB */

/* ---- Opening ------------------------------------------------------------ */

int plog_tally_open(struct plog_tally *t, const struct plog_io *io, sqlite3 *db,
                    struct plog_error *err)
{
    memset(t, 0, sizeof *t);
    t->io = io;
    t->slots_max = SLOTS_MAX;
    plog_buf_init(&t->table, io);
    plog_buf_init(&t->last, io);
    if (io->random(io->ctx, t->secret, sizeof t->secret))
        return plog_fail(err, PLOG_E_IO, "no randomness");
    /* Not zeroed: pages that are not used are not touched. */
    t->items =
        io->alloc(io->ctx, NULL, PLOG_TALLY_PARTS * HELD * sizeof *t->items);
    if (!t->items)
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    int rc = plog_sql_exec(db,
                           "CREATE TEMP TABLE tally(at INTEGER PRIMARY KEY,"
                           " items BLOB)",
                           err);
    if (!rc)
        rc = plog_sql_prepare(db, "INSERT INTO temp.tally VALUES(?1,?2)",
                              &t->put, err);
    if (!rc)
        rc = plog_sql_prepare(db, "SELECT items FROM temp.tally WHERE at=?1",
                              &t->get, err);
    return rc;
}

void plog_tally_close(struct plog_tally *t)
{
    if (!t->io)
        return;
    sqlite3_finalize(t->put);
    sqlite3_finalize(t->get);
    t->put = t->get = NULL;
    plog_free(t->io, t->items);
    t->items = NULL;
    plog_buf_fini(&t->table);
    plog_buf_fini(&t->last);
}

/* ---- Noting ------------------------------------------------------------- */

static int spill(struct plog_tally *t, unsigned part, struct plog_error *err)
{
    sqlite3_bind_int64(t->put, 1, place_of(part, t->spilled[part]));
    sqlite3_bind_blob(t->put, 2, buffer_of(t, part),
                      (int)(HELD * sizeof *t->items), SQLITE_STATIC);
    int rc = plog_sql_run(t->put, err);
    t->spilled[part]++;
    t->held[part] = 0;
    return rc;
}

static int note(struct plog_tally *t, const struct plog_tally_item *i,
                struct plog_error *err)
{
    unsigned part = part_of(i);
    buffer_of(t, part)[t->held[part]++] = *i;
    return t->held[part] == HELD ? spill(t, part, err) : 0;
}

/* Of both names, the first with its length before it. */
static void name_record(const struct plog_tally *t, struct plog_span resource,
                        struct plog_span record_id, uint64_t key[2])
{
    unsigned char text[2 + PLOG_NAME_MAX + PLOG_RECORD_ID_MAX];
    size_t n = 2;
    text[0] = (unsigned char)(resource.n >> 8);
    text[1] = (unsigned char)resource.n;
    if (resource.n)
        memcpy(text + n, resource.p, resource.n);
    n += resource.n;
    if (record_id.n)
        memcpy(text + n, record_id.p, record_id.n);
    n += record_id.n;
    crypto_shorthash_siphashx24((unsigned char *)key, text, n, t->secret);
}

static bool are_names(struct plog_span resource, struct plog_span record_id)
{
    return resource.n <= PLOG_NAME_MAX && record_id.n <= PLOG_RECORD_ID_MAX;
}

/* Where the payload lies; or, where that is not all there is to say, a hash
 * with the highest bit set. */
static uint64_t payload_of(struct plog_tally *t, uint64_t at, uint64_t len,
                           struct plog_span from, uint64_t from_seq,
                           struct plog_span merged)
{
    struct {
        uint64_t numbers[5];
        unsigned char hash[2][crypto_shorthash_siphashx24_BYTES];
    } all;
    uint64_t out[2];
    if (from.n == 0 && merged.n == 0 && at < 1u << 31 && len <= UINT32_MAX)
        return at << 32 | len;
    memset(&all, 0, sizeof all);
    all.numbers[0] = at;
    all.numbers[1] = len;
    all.numbers[2] = from.n;
    all.numbers[3] = from_seq;
    all.numbers[4] = merged.n;
    if (from.n)
        crypto_shorthash_siphashx24(all.hash[0], (const void *)from.p, from.n,
                                    t->secret);
    if (merged.n)
        crypto_shorthash_siphashx24(all.hash[1], (const void *)merged.p,
                                    merged.n, t->secret);
    crypto_shorthash_siphashx24((unsigned char *)out, (const void *)&all,
                                sizeof all, t->secret);
    return out[0] | 1ull << 63;
}

int plog_tally_add(struct plog_tally *t, const struct plog_tally_entry *e,
                   struct plog_error *err)
{
    struct plog_tally_item i;
    bool merges = e->strategy == PLOG_MERGE_JSON && !e->skipped;
    unsigned kind = STRATEGY * (unsigned)e->strategy;
    t->across |= e->from.n > 0;
    t->by_time |= e->strategy == PLOG_LAST_WRITE_WINS;
    if ((t->across && t->by_time) || (merges && e->merged.n == 0) ||
        e->seq > SEQ_MAX || !are_names(e->resource, e->record_id))
        t->given_up = true;
    if (t->given_up)
        return 0;
    name_record(t, e->resource, e->record_id, i.key);
    kind |= e->skipped ? SKIPPED : 0;
    kind |= e->merged.n || e->payload_len ? 0 : ABSENT;
    i.seq_and_kind = e->seq | (uint64_t)kind << SEQ_BITS;
    i.last = e->previous;
    i.seconds = e->instant.seconds;
    i.confidence = e->confidence;
    i.payload = payload_of(t, e->payload_at, e->payload_len, e->from,
                           e->from.n ? e->from_seq : 0, e->merged);
    i.nanos = (uint32_t)e->instant.nanos;
    i.version = 0;
    return note(t, &i, err);
}

/* As plog_fold_restore makes the row. */
int plog_tally_base(struct plog_tally *t, const struct plog_folded *r,
                    struct plog_error *err)
{
    struct plog_tally_item i;
    const struct plog_entry *e = r->entry;
    memset(&i, 0, sizeof i);
    t->across |= e && e->from.n > 0;
    if ((t->across && t->by_time) || (e && e->seq > SEQ_MAX) || r->last == 0 ||
        r->version > UINT32_MAX || !are_names(r->resource, r->record_id))
        t->given_up = true;
    if (t->given_up)
        return 0;
    name_record(t, r->resource, r->record_id, i.key);
    i.last = r->last;
    i.version = (uint32_t)r->version;
    i.seq_and_kind = (uint64_t)BASE << SEQ_BITS;
    if (!e)
        return note(t, &i, err);
    const struct plog_delta *d = &e->delta;
    bool own = !d->is_delete && r->merged.n == 0;
    if (!own && r->merged.n == 0)
        i.seq_and_kind |= (uint64_t)ABSENT << SEQ_BITS;
    i.seq_and_kind |= e->seq;
    i.seconds = d->instant.seconds;
    i.nanos = (uint32_t)d->instant.nanos;
    i.confidence = d->confidence;
    i.payload = payload_of(t, own ? (uint64_t)(d->payload.p - r->line.p) : 0,
                           own ? d->payload.n : 0, e->from,
                           e->from.n ? e->from_seq : 0, r->merged);
    return note(t, &i, err);
}

/* The columns of `state`. */
enum {
    RESOURCE,
    RECORD_ID,
    SEQ,
    LAST,
    VERSION,
    SECONDS,
    NANOS,
    CONFIDENCE,
    ORIGIN,
    ORIGIN_SEQ,
    PAYLOAD_AT,
    PAYLOAD_LEN,
    MERGED,
};
_Static_assert(MERGED + 1 == PLOG_STATE_WIDTH, "all of them");

static struct plog_span text_of(sqlite3_value *v)
{
    const char *p = sqlite3_value_blob(v);
    return plog_span(p, (size_t)sqlite3_value_bytes(v));
}

/* The types that the fold gives; a value of another is another value. */
static bool has_types(sqlite3_value *const v[PLOG_STATE_WIDTH])
{
    static const unsigned char types[PLOG_STATE_WIDTH] = {
        SQLITE_TEXT,    SQLITE_TEXT,    SQLITE_INTEGER, SQLITE_INTEGER,
        SQLITE_INTEGER, SQLITE_INTEGER, SQLITE_INTEGER, SQLITE_FLOAT,
        SQLITE_TEXT,    SQLITE_INTEGER, SQLITE_INTEGER, SQLITE_INTEGER,
        SQLITE_TEXT};
    for (int i = 0; i < PLOG_STATE_WIDTH; i++) {
        int type = sqlite3_value_type(v[i]);
        bool may_miss = i == ORIGIN || i == MERGED;
        if (type != types[i] && !(may_miss && type == SQLITE_NULL))
            return false;
        /* Present, and empty: no fold gives that. */
        if (may_miss && type == SQLITE_TEXT && !sqlite3_value_bytes(v[i]))
            return false;
    }
    return true;
}

/* Whether the row comes behind the one before; they are in one index, and a
 * row at a wrong place in it is not found. */
static int in_order(struct plog_tally *t, struct plog_span resource,
                    struct plog_span record_id, bool *fits)
{
    size_t n = t->last.len;
    *fits = true;
    if (n) {
        size_t first = 0;
        memcpy(&first, t->last.data, sizeof first);
        const char *p = t->last.data + sizeof first;
        int order = plog_span_compare(plog_span(p, first), resource);
        if (order == 0)
            order = plog_span_compare(
                plog_span(p + first, n - sizeof first - first), record_id);
        *fits = order < 0;
    }
    t->last.len = 0;
    int rc = plog_buf_add(&t->last, &resource.n, sizeof resource.n);
    if (!rc)
        rc = plog_buf_add_span(&t->last, resource);
    return rc ? rc : plog_buf_add_span(&t->last, record_id);
}

/* What is noted of a row whose values have their types; false when its numbers
 * are none that the fold gives, or too large to note. */
static bool item_of(struct plog_tally *t, sqlite3_value *const v[],
                    struct plog_tally_item *i)
{
    struct plog_span from = text_of(v[ORIGIN]);
    sqlite3_int64 seq = sqlite3_value_int64(v[SEQ]),
                  last = sqlite3_value_int64(v[LAST]),
                  version = sqlite3_value_int64(v[VERSION]),
                  nanos = sqlite3_value_int64(v[NANOS]),
                  from_seq = sqlite3_value_int64(v[ORIGIN_SEQ]);
    if (seq < 0 || (uint64_t)seq > SEQ_MAX || last < 0 || version < 0 ||
        version > UINT32_MAX || nanos < 0 || nanos > UINT32_MAX ||
        (from.n == 0 && from_seq != seq))
        return false;
    i->seq_and_kind = (uint64_t)seq | (uint64_t)ROW << SEQ_BITS;
    i->last = (uint64_t)last;
    i->seconds = sqlite3_value_int64(v[SECONDS]);
    i->confidence = sqlite3_value_double(v[CONFIDENCE]);
    i->payload =
        payload_of(t, (uint64_t)sqlite3_value_int64(v[PAYLOAD_AT]),
                   (uint64_t)sqlite3_value_int64(v[PAYLOAD_LEN]), from,
                   from.n ? (uint64_t)from_seq : 0, text_of(v[MERGED]));
    i->nanos = (uint32_t)nanos;
    i->version = (uint32_t)version;
    return true;
}

int plog_tally_row(struct plog_tally *t, sqlite3_stmt *row,
                   struct plog_error *err)
{
    struct plog_tally_item i;
    sqlite3_value *v[PLOG_STATE_WIDTH]; /* the connection is ours alone */
    bool fits;
    for (int k = 0; k < PLOG_STATE_WIDTH; k++)
        v[k] = sqlite3_column_value(row, k);
    struct plog_span resource = text_of(v[RESOURCE]),
                     record_id = text_of(v[RECORD_ID]);
    if (in_order(t, resource, record_id, &fits))
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    if (!fits || !has_types(v) || !are_names(resource, record_id) ||
        !item_of(t, v, &i))
        t->given_up = true;
    if (t->given_up)
        return 0;
    name_record(t, resource, record_id, i.key);
    return note(t, &i, err);
}
