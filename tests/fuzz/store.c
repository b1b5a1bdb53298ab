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
#include <time.h>

#include "fuzz_heap.h"
#include "fuzz_seen.h"
#include "fuzz_statement.h"
#include "fuzz_tables.h"
#include "paritylog_recovery.h"

#define PAGE 4096
#define MOST_CHANGES 8
#define REMEMBERED 1024

static struct fuzz_world world;
/* As it was at first; and by now, 0 when that is not known. */
static struct fuzz_tables first_tables;
static uint64_t first_state, state;
static struct {
    unsigned long same, again; /* not tried */
    unsigned long read, judged, clean;
} count;

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

/* Likewise whether a key is a point of the curve. */
int __real_crypto_core_ed25519_is_valid_point(const unsigned char *key);
int __wrap_crypto_core_ed25519_is_valid_point(const unsigned char *key);

int __wrap_crypto_core_ed25519_is_valid_point(const unsigned char *key)
{
    static struct {
        unsigned char key[crypto_sign_PUBLICKEYBYTES];
        bool known;
        int is;
    } known[REMEMBERED];
    size_t at = ((size_t)key[0] << 8 | key[1]) % REMEMBERED;
    if (!known[at].known ||
        memcmp(known[at].key, key, sizeof known[at].key) != 0) {
        known[at].is = __real_crypto_core_ed25519_is_valid_point(key);
        memcpy(known[at].key, key, sizeof known[at].key);
        known[at].known = true;
    }
    return known[at].is;
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

static void run_sql(const char *text)
{
    sqlite3 *db = fuzz_world_raw(&world);
    sqlite3_limit(db, SQLITE_LIMIT_VDBE_OP, 20000);
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 1 << 20);
    sqlite3_exec(db, text, NULL, NULL, NULL);
    sqlite3_close(db);
}

/* Whether the first statement already makes no sense in any database. */
static bool is_no_sql(const char *text)
{
    static sqlite3 *empty;
    sqlite3_stmt *s = NULL;
    if (!empty)
        MUST(sqlite3_open(":memory:", &empty) == SQLITE_OK);
    int rc = sqlite3_prepare_v2(empty, text, -1, &s, NULL);
    const char *why = sqlite3_errmsg(empty);
    bool bad = rc == SQLITE_ERROR && (strstr(why, "syntax error") ||
                                      strstr(why, "unrecognized token") ||
                                      strstr(why, "incomplete input"));
    sqlite3_finalize(s);
    return bad;
}

/* Without a WAL what SQL makes of a store depends on the two alone. */
static void change_by_sql(struct input sql)
{
    char text[300];
    memcpy(text, sql.p, sql.n);
    text[sql.n] = '\0';
    if (strstr(text, "RECURSIVE") || strstr(text, "ecursive"))
        return;
    if (!fuzz_seen_others(&world)) {
        run_sql(text);
        state = 0;
        return;
    }
    if (is_no_sql(text))
        return;
    state = state ? state : fuzz_seen_hash(&world);
    uint64_t key = fuzz_seen_key(state, text, strlen(text));
    state = fuzz_seen_made(&world, key);
    if (state)
        return;
    run_sql(text);
    state = fuzz_seen_hash(&world);
    if (fuzz_seen_others(&world))
        fuzz_seen_keep(&world, key, state);
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
        change_by_sql(take_bytes(in));
        return;
    }
    state = 0;
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

/* ---- The target --------------------------------------------------------- */

static void tell(void)
{
    fprintf(stderr,
            "stat::store_without_effect:     %lu\n"
            "stat::store_as_one_before:      %lu\n"
            "stat::store_read:               %lu\n"
            "stat::store_compared:           %lu\n"
            "stat::store_compared_clean:     %lu\n"
            "stat::store_cpu_seconds:        %lu\n",
            count.same, count.again, count.read, count.judged, count.clean,
            (unsigned long)(clock() / CLOCKS_PER_SEC));
}

static void begin(void)
{
    fuzz_heap_use();
    fuzz_world_make(&world);
    fuzz_tables_read(&first_tables, &world);
    MUST(first_tables.n > 4000 && is_clean());
    fuzz_world_reset(&world);
    read_all();
    fuzz_world_reset(&world);
    first_state = fuzz_seen_hash(&world);
    atexit(tell);
}

static void judge(void)
{
    struct fuzz_tables now;
    bool clean = is_clean();
    MUST(world.ram.writes == 0 && world.ram.made == 0);
    count.judged++;
    if (!clean)
        return;
    count.clean++;
    fuzz_tables_read(&now, &world);
    MUST(now.n == first_tables.n &&
         memcmp(now.rows, first_tables.rows, now.n) == 0);
    sqlite3_free(now.rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    bool reads = size % 2; /* both take long: one of them at a time */
    if (!first_tables.rows)
        begin();
    fuzz_world_reset(&world);
    state = first_state;
    for (int i = 0; i < MOST_CHANGES && in.n; i++)
        change(&in);
    state = state ? state : fuzz_seen_hash(&world);
    count.same += state == first_state;
    if (state == first_state)
        return 0;
    if (fuzz_seen_before(state + reads)) {
        count.again++;
        return 0;
    }
    world.ram.writes = world.ram.made = 0;
    if (reads) {
        read_all();
        MUST(world.ram.writes == 0 && world.ram.made == 0);
        count.read++;
    } else {
        judge();
    }
    return 0;
}

/* ---- Changes that reach ------------------------------------------------- */

static size_t add_sql(uint8_t *data, size_t size, size_t max, uint64_t *random)
{
    char sql[256];
    size_t n = fuzz_statement(sql, random);
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
