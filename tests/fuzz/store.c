/*
 * store.c - any changes to the file of a store, under a log that is whole.
 *
 * An input is a row of changes to store.db as it was: bytes written, pages
 * exchanged, the end cut off or moved, a WAL put beside it, SQL run by who has
 * the file.  Readers may say what they like of such a store, but end, give
 * what lies in their own memory, and write nothing.  And parity never calls it
 * clean unless every row of every table is the one that it was.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz_world.h"
#include "paritylog_recovery.h"

#define PAGE 4096
#define MOST_CHANGES 8
#define REMEMBERED 1024

static struct fuzz_world world;
static char *first_dump;

/* ---- Signatures --------------------------------------------------------- */

/*
 * The log stays as it is and its signatures with it, and checking them took a
 * third of the time: so each is checked once, by libsodium, and its verdict is
 * remembered by the hash of all that it depends on (-Wl,--wrap).
 */
int __real_crypto_sign_verify_detached(const unsigned char *sig,
                                       const unsigned char *text,
                                       unsigned long long n,
                                       const unsigned char *key);
int __wrap_crypto_sign_verify_detached(const unsigned char *sig,
                                       const unsigned char *text,
                                       unsigned long long n,
                                       const unsigned char *key);

int __wrap_crypto_sign_verify_detached(const unsigned char *sig,
                                       const unsigned char *text,
                                       unsigned long long n,
                                       const unsigned char *key)
{
    static struct {
        unsigned char hash[crypto_hash_sha256_BYTES];
        int rc;
    } known[REMEMBERED];
    unsigned char hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state h;
    crypto_hash_sha256_init(&h);
    crypto_hash_sha256_update(&h, sig, crypto_sign_BYTES);
    crypto_hash_sha256_update(&h, key, crypto_sign_PUBLICKEYBYTES);
    crypto_hash_sha256_update(&h, text, n);
    crypto_hash_sha256_final(&h, hash);
    size_t at = ((size_t)hash[0] << 8 | hash[1]) % REMEMBERED;
    if (memcmp(known[at].hash, hash, sizeof hash) != 0) {
        known[at].rc = __real_crypto_sign_verify_detached(sig, text, n, key);
        memcpy(known[at].hash, hash, sizeof hash);
    }
    return known[at].rc;
}

/* ---- The change --------------------------------------------------------- */

struct input {
    const uint8_t *p;
    size_t n;
};

static unsigned take8(struct input *in)
{
    unsigned v = in->n ? *in->p : 0;
    if (in->n)
        in->p++, in->n--;
    return v;
}

static size_t take_place(struct input *in, size_t below)
{
    size_t v = take8(in) << 16;
    v |= take8(in) << 8;
    v |= take8(in);
    return below ? v % below : 0;
}

static struct input take_bytes(struct input *in)
{
    struct input out = {in->p, take8(in)};
    out.p = in->p;
    if (out.n > in->n)
        out.n = in->n;
    in->p += out.n;
    in->n -= out.n;
    return out;
}

static void run_sql(struct input sql)
{
    char text[300];
    sqlite3 *db = fuzz_world_raw(&world);
    memcpy(text, sql.p, sql.n);
    text[sql.n] = '\0';
    sqlite3_limit(db, SQLITE_LIMIT_VDBE_OP, 20000);
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 1 << 20);
    if (!strstr(text, "RECURSIVE") && !strstr(text, "ecursive"))
        sqlite3_exec(db, text, NULL, NULL, NULL);
    sqlite3_close(db);
}

static void change(struct input *in)
{
    struct ram_file *f = ram_find(&world.ram, FUZZ_STORE);
    size_t from, to, n = f->n, pages = n / PAGE;
    struct input bytes;
    switch (take8(in) % 8) {
    case 0: /* bits */
        from = take_place(in, n);
        if (n)
            f->data[from] ^= (unsigned char)take8(in);
        break;
    case 1:
    case 2: /* bytes */
        from = take_place(in, n);
        bytes = take_bytes(in);
        for (size_t i = 0; i < bytes.n && from + i < n; i++)
            f->data[from + i] = bytes.p[i];
        break;
    case 3: /* a page in the place of another */
        from = take_place(in, pages);
        to = take_place(in, pages);
        if (pages)
            memmove(f->data + to * PAGE, f->data + from * PAGE, PAGE);
        break;
    case 4: /* another end */
        f->n = take_place(in, n + 1);
        break;
    case 5:
        bytes = take_bytes(in);
        ram_put(&world.ram, FUZZ_STORE "-wal", bytes.p, bytes.n);
        break;
    default:
        run_sql(take_bytes(in));
    }
}

/* ---- What the tables hold ----------------------------------------------- */

static const char *const tables[] = {
    "SELECT * FROM meta NOT INDEXED",
    "SELECT * FROM events NOT INDEXED",
    "SELECT * FROM checkpoints",
    "SELECT * FROM segments",
    "SELECT * FROM rotations",
    "SELECT seq,target FROM redactions NOT INDEXED",
    "SELECT * FROM state",
    "SELECT * FROM state_recent",
    "SELECT * FROM base_state",
    "SELECT * FROM cursors",
    "SELECT name,added FROM peers",
    "SELECT seq,floor FROM compactions",
    "SELECT * FROM old_ids",
    "SELECT * FROM records",
};

static void dump_row(sqlite3_str *out, sqlite3_stmt *s)
{
    for (int i = 0; i < sqlite3_column_count(s); i++) {
        const unsigned char *p = sqlite3_column_blob(s, i);
        sqlite3_str_appendf(out, "%d:", sqlite3_column_type(s, i));
        for (int k = 0; k < sqlite3_column_bytes(s, i); k++)
            sqlite3_str_appendf(out, "%02x", p[k]);
        sqlite3_str_appendall(out, "|");
    }
    sqlite3_str_appendall(out, "\n");
}

/* Every row of every table as text; free it with sqlite3_free. */
static char *dump(void)
{
    sqlite3 *db = fuzz_world_raw(&world);
    sqlite3_str *out = sqlite3_str_new(NULL);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        sqlite3_stmt *s = NULL;
        if (sqlite3_prepare_v2(db, tables[i], -1, &s, NULL) != SQLITE_OK)
            sqlite3_str_appendf(out, "%s\n", sqlite3_errmsg(db));
        else
            while (sqlite3_step(s) == SQLITE_ROW)
                dump_row(out, s);
        sqlite3_finalize(s);
        sqlite3_str_appendall(out, "--\n");
    }
    sqlite3_close(db);
    return sqlite3_str_finish(out);
}

/* ---- The readers -------------------------------------------------------- */

static uint64_t sum;

static void use(struct plog_span s)
{
    for (size_t i = 0; i < s.n; i++)
        sum = sum * 31 + (unsigned char)s.p[i];
}

static int use_line(void *arg, uint64_t seq, const char *line, size_t n)
{
    (void)arg;
    sum += seq;
    use(plog_span(line, n));
    return 0;
}

static int use_cursor(void *arg, const struct plog_cursor *c, uint64_t seq)
{
    (void)arg;
    sum += seq;
    use(c->source);
    use(c->resource);
    use(c->cursor);
    return 0;
}

static int use_row(void *arg, const struct plog_row *row)
{
    (void)arg;
    for (int i = 0; row->values && i < row->count; i++)
        use(row->values[i]);
    return 0;
}

static void read_record(plog_reader *r, const char *id)
{
    struct plog_span pets = plog_span_text("pets"), key = plog_span_text(id);
    struct plog_record record;
    if (!plog_reader_get(r, pets, key, &record, NULL)) {
        use(record.payload);
        use(record.occurred_at);
    }
    MUST(plog_reader_history(r, pets, key, use_line, NULL, NULL) <= 0);
}

static void read_all(void)
{
    struct plog_options o = {
        .struct_size = sizeof o, .io = &world.ram.io, .wait_seconds = -1};
    struct plog_error err = {0};
    struct plog_head head;
    struct plog_span cursor;
    char note[PLOG_CHECKPOINT_MAX];
    plog_reader *r;
    int rc = plog_reader_open(&r, FUZZ_DIR, &o, &err);
    MUST(rc == 0 || (rc < 0 && err.code == rc && !r));
    if (rc)
        return;
    MUST(plog_reader_head(r, &head, NULL) <= 0);
    read_record(r, "1");
    read_record(r, "2");
    MUST(plog_reader_log(r, 1, 0, use_line, NULL, NULL) <= 0);
    if (!plog_reader_cursor(r, plog_span_text("crm"), plog_span_text("*"),
                            &cursor, NULL))
        use(cursor);
    MUST(plog_reader_cursors(r, use_cursor, NULL, NULL) <= 0);
    if (!plog_reader_checkpoint(r, note, NULL))
        use(plog_span(note, strnlen(note, sizeof note)));
    MUST(plog_reader_query(r, "SELECT * FROM records", use_row, NULL, NULL) <=
         0);
    plog_reader_close(r);
}

static int use_finding(void *arg, const struct plog_finding *f)
{
    (void)arg;
    MUST(f->verdict < 0 && f->expected && f->found && f->next);
    use(plog_span_text(f->expected));
    use(plog_span_text(f->found));
    return 0;
}

static bool is_clean(void)
{
    struct plog_check_options o = {.struct_size = sizeof o,
                                   .io = &world.ram.io,
                                   .wait_seconds = -1,
                                   .finding = use_finding};
    struct plog_check_report report;
    struct plog_error err = {0};
    int rc = plog_parity(FUZZ_DIR, &o, &report, &err);
    MUST(rc == 0 || (rc < 0 && err.code == rc));
    return rc == 0 && report.verdict == PLOG_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    if (!first_dump) {
        fuzz_world_make(&world);
        sqlite3_soft_heap_limit64(64 << 20);
        first_dump = dump();
        MUST(strlen(first_dump) > 4000 && is_clean());
    }
    fuzz_world_reset(&world);
    for (int i = 0; i < MOST_CHANGES && in.n; i++)
        change(&in);
    world.ram.writes = world.ram.made = 0;
    bool clean = false;
    if (size % 2) /* both take milliseconds: one of them at a time */
        read_all();
    else
        clean = is_clean();
    MUST(world.ram.writes == 0 && world.ram.made == 0);
    if (!clean)
        return 0;
    char *now = dump();
    MUST(strcmp(now, first_dump) == 0);
    sqlite3_free(now);
    return 0;
}

/* ---- Changes that reach ------------------------------------------------- */

static const char *const statements[] = {
    "UPDATE state SET version=version+1 WHERE record_id='1'",
    "UPDATE state SET payload_at=payload_at+1",
    "UPDATE state SET payload_len=-1",
    "UPDATE state SET merged='{}'",
    "UPDATE state SET last=9000000000000000000",
    "UPDATE state SET confidence=-0.0",
    "UPDATE state SET nanos=2000000000",
    "UPDATE state SET origin=NULL",
    "DELETE FROM state",
    "INSERT INTO state SELECT resource,'x',seq,last,version,seconds,nanos,"
    "confidence,origin,origin_seq,payload_at,payload_len,merged FROM state",
    "UPDATE events SET line=replace(line,'1','2') WHERE seq=3",
    "UPDATE events SET line=line||char(0) WHERE seq=2",
    "UPDATE events SET line=CAST(x'ff' AS TEXT)",
    "UPDATE events SET previous=NULL",
    "UPDATE events SET previous=seq",
    "UPDATE events SET previous=99 WHERE seq=6",
    "UPDATE events SET id='zz' WHERE seq=2",
    "UPDATE events SET seq=seq+100 WHERE seq>5",
    "UPDATE events SET outcome='skipped'",
    "DELETE FROM events WHERE seq=3",
    "INSERT INTO events VALUES(-5,NULL,NULL,NULL,NULL,NULL,NULL,'{}')",
    "UPDATE meta SET size=size+1",
    "UPDATE meta SET size=0",
    "UPDATE meta SET root=x'00'",
    "UPDATE meta SET range=zeroblob(32)",
    "UPDATE meta SET key='00000000'",
    "UPDATE meta SET sig=zeroblob(64)",
    "UPDATE meta SET offset=offset-1",
    "UPDATE meta SET segment=77",
    "UPDATE meta SET base=4",
    "UPDATE meta SET floor=3",
    "UPDATE meta SET strategy='arrival'",
    "UPDATE meta SET origin='o'",
    "UPDATE meta SET redactions=0",
    "UPDATE checkpoints SET line=''",
    "DELETE FROM checkpoints WHERE size=3",
    "UPDATE checkpoints SET size=size+1 WHERE size=9",
    "INSERT INTO segments VALUES(4)",
    "INSERT INTO rotations VALUES(4)",
    "DELETE FROM redactions",
    "UPDATE redactions SET target=2",
    "UPDATE cursors SET cursor='x'",
    "UPDATE cursors SET seq=1",
    "INSERT INTO peers VALUES('q',1,0,NULL,NULL)",
    "UPDATE peers SET cursor=3",
    "INSERT INTO compactions VALUES(5,2,0)",
    "INSERT INTO old_ids VALUES(zeroblob(32),1,zeroblob(32),NULL)",
    "INSERT INTO base_state SELECT * FROM state",
    "CREATE TABLE mine(a)",
    "CREATE INDEX mine ON events(line)",
    "CREATE TRIGGER t AFTER INSERT ON events BEGIN SELECT 1; END",
    "CREATE VIEW v AS SELECT * FROM events",
    "DROP INDEX events_id",
    "DROP VIEW records",
    "PRAGMA user_version=9",
    "PRAGMA application_id=1",
    "PRAGMA journal_mode=DELETE",
    "PRAGMA encoding='UTF-16'",
    "VACUUM",
    "PRAGMA writable_schema=1;UPDATE sqlite_schema SET rootpage=3 WHERE "
    "name='state'",
    "PRAGMA writable_schema=1;UPDATE sqlite_schema SET sql=replace(sql,"
    "'STRICT','')",
    "PRAGMA writable_schema=1;DELETE FROM sqlite_schema WHERE name='records'",
    "PRAGMA writable_schema=1;UPDATE sqlite_schema SET rootpage=rootpage+1",
};

static size_t add_sql(uint8_t *data, size_t size, size_t max, uint64_t *random)
{
    const char *sql =
        statements[fuzz_below(random, sizeof statements / sizeof *statements)];
    size_t n = strlen(sql);
    if (size + n + 2 > max)
        return size;
    data[size++] = 6;
    data[size++] = (uint8_t)n;
    memcpy(data + size, sql, n);
    return size + n;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
                               unsigned seed)
{
    uint64_t random = seed;
    size_t kind = fuzz_below(&random, 8);
    if (kind < 4 || size + 16 > max)
        return LLVMFuzzerMutate(data, size, max);
    if (fuzz_below(&random, 2))
        size = 0;
    if (kind < 7)
        return add_sql(data, size, max, &random);
    /* Some bytes of a page's head, or of its array of cells. */
    size_t at = fuzz_below(&random, 24) * PAGE + fuzz_below(&random, 64);
    data[size++] = 1;
    data[size++] = (uint8_t)(at >> 16);
    data[size++] = (uint8_t)(at >> 8);
    data[size++] = (uint8_t)at;
    size_t n = 1 + fuzz_below(&random, 8);
    data[size++] = (uint8_t)n;
    while (n--)
        data[size++] = (uint8_t)fuzz_random(&random);
    return size;
}
