/*
 * snapshot.c - any text as the text of a snapshot, with the digest that a
 * compact entry would sign for it.
 *
 * Under another digest nothing is given out.  Under its own every item lies in
 * the lines that were read, a record stands on an entry about itself at or
 * below the floor, lines of entries are taken as they are; and what is read to
 * its end goes into a store as just these rows, or not at all.
 */
#include "snapshot.h"

#include <stdio.h>

#include "fuzz_log.h"
#include "ram.h"
#include "sha256.h"

#define FLOOR 8
#define FILE_NAME "/d/snapshots/00000000000000000008.jsonl.gz"

static struct ram ram;
static struct plog_dir dir;
static struct plog_buf file;
static struct plog_signer signer;

static void put_le(size_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        MUST(!plog_buf_add_char(&file, (char)(v >> (8 * i))));
}

/* Stored, not deflated: quick, and gz.c is another target's matter. */
static void gzip(const uint8_t *p, size_t n)
{
    static const char head[] = "\x1f\x8b\x08\0\0\0\0\0\0\3\1";
    file.len = 0;
    MUST(!plog_buf_add(&file, head, 11));
    put_le(n, 2);
    put_le(~n & 0xffff, 2);
    MUST(n == 0 || !plog_buf_add(&file, p, n));
    put_le(crc32(0, p, (uInt)n), 4);
    put_le(n, 4);
    ram_put(&ram, FILE_NAME, file.data, file.len);
}

static void set_up(void)
{
    if (dir.io)
        return;
    ram_init(&ram);
    plog_buf_init(&file, fuzz_memory());
    fuzz_signer(&signer, "example.org/fuzz", 7);
    gzip(NULL, 0);
    ram_put(&ram, "/d/log/.", NULL, 0);
    MUST(!plog_dir_open(&dir, &ram.io, "/d", PLOG_DIR_READ, true, NULL));
}

static void check_item(const struct plog_snapshot *s,
                       const struct plog_snapshot_item *i)
{
    const struct plog_delta *d = &i->entry.delta;
    struct plog_span decoded = fuzz_span(&s->decoded);
    MUST(i->line.n == 0 || i->entry.seq <= s->floor);
    switch (i->kind) {
    case PLOG_SNAPSHOT_RECORD:
        MUST(fuzz_inside(i->record.resource, decoded) &&
             fuzz_inside(i->record.record_id, decoded));
        MUST((i->line.n > 0) == (i->record.entry != NULL));
        MUST(!i->line.n ||
             (plog_span_equal(d->resource_text, i->record.resource) &&
              plog_span_equal(d->record_id_text, i->record.record_id) &&
              i->entry.seq == i->seq && i->entry.control == PLOG_CONTROL_NONE));
        break;
    case PLOG_SNAPSHOT_CONTROL:
        MUST(i->line.n > 0);
        break;
    case PLOG_SNAPSHOT_CURSOR:
        MUST(fuzz_inside(i->cursor.source, decoded) &&
             fuzz_inside(i->cursor.resource, decoded) &&
             fuzz_inside(i->cursor.cursor, decoded));
        break;
    case PLOG_SNAPSHOT_PEER:
        MUST(fuzz_inside(i->peer, decoded));
        break;
    default:
        break;
    }
}

/* Reads to the end.  Returns how many records there were, or -1. */
static int read_items(const unsigned char *digest, size_t size)
{
    struct plog_snapshot s;
    struct plog_snapshot_item item;
    struct plog_error err = {0};
    int records = 0;
    int rc = plog_snapshot_open(&s, &dir, FLOOR, digest, &err);
    MUST(rc == 0 || rc == PLOG_E_CORRUPT);
    MUST(rc || (s.header.first == FLOOR + 1 && s.header.last.size == FLOOR &&
                s.rules.base == FLOOR));
    while (!rc && (rc = plog_snapshot_next(&s, &item, &err)) == 0) {
        check_item(&s, &item);
        records += item.kind == PLOG_SNAPSHOT_RECORD;
        MUST(s.lines <= size);
    }
    MUST(rc == PLOG_END || (rc < 0 && err.code == rc));
    plog_snapshot_close(&s);
    return rc == PLOG_END ? records : -1;
}

static int64_t count(struct plog_store *store, const char *table)
{
    char sql[80];
    sqlite3_stmt *q;
    snprintf(sql, sizeof sql, "SELECT count(*) FROM main.%s", table);
    MUST(!plog_sql_prepare(store->db, sql, &q, NULL) && !plog_sql_row(q, NULL));
    int64_t n = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return n;
}

static void load(const unsigned char *digest, int records)
{
    struct plog_store store;
    struct plog_store_head head;
    struct plog_error err = {0};
    ram_remove(&ram, "/d/store.db");
    ram_remove(&ram, "/d/store.db-wal");
    MUST(!plog_store_open(&store, &ram.io, "/d/store.db", PLOG_OPEN_CREATE, 0,
                          &err));
    MUST(!plog_store_create_tables(&store, "", &err));
    int rc = plog_snapshot_into(&dir, FLOOR, digest, &store, &head, &err);
    MUST(rc == 0 || (rc < 0 && err.code == rc));
    int64_t rows = count(&store, "state");
    MUST(rc ? rows == 0 : rows <= records);
    MUST(rc || rows == count(&store, "base_state"));
    MUST(rc || head.commit.size == FLOOR);
    plog_store_close(&store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char digest[PLOG_HASH_SIZE];
    set_up();
    if (size > 65535)
        return 0;
    gzip(data, size);
    plog_sha256(data, size, digest);
    int records = read_items(digest, size);
    if (records >= 0 && digest[1] % 16 == 0)
        load(digest, records);
    digest[digest[0] % 32] ^= 1;
    if (digest[2] % 16 == 0)
        MUST(read_items(digest, size) == -1);
    return 0;
}

/* The second line is a header behind the floor. */
static size_t with_header(uint8_t *data, size_t size, size_t max,
                          uint64_t *random)
{
    static struct fuzz_log log;
    unsigned char leaf[PLOG_HASH_SIZE];
    if (!log.text.io)
        fuzz_log_init(&log, &signer);
    fuzz_log_clear(&log, &signer);
    memset(leaf, (int)fuzz_below(random, 256), sizeof leaf);
    for (int i = 0; i < FLOOR; i++)
        MUST(!plog_tree_add(&log.tree, leaf));
    fuzz_log_commit(&log);
    fuzz_log_header(&log);
    const uint8_t *from = memchr(data, '\n', size);
    const uint8_t *to =
        from ? memchr(from + 1, '\n', size - (size_t)(from + 1 - data)) : NULL;
    size_t n = log.text.len;
    if (!to || size + n > max)
        return size;
    size_t at = (size_t)(from + 1 - data), end = (size_t)(to + 1 - data);
    memmove(data + at + n, data + end, size - end);
    memcpy(data + at, log.text.data, n);
    return size - (end - at) + n;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
                               unsigned seed)
{
    uint64_t random = seed;
    size_t kind = fuzz_below(&random, 16);
    set_up();
    if (kind < 4)
        return LLVMFuzzerMutate(data, size, max);
    size = fuzz_mutate_lines((char *)data, size, max, &random);
    return kind == 4 ? with_header(data, size, max, &random) : size;
}
