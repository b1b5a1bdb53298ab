/*
 * query.c - any text as an SQL statement given to `query`.
 *
 * Whatever it says: no byte of a file changes and none is made, nothing stays
 * attached, open or in the temporary schema, the connection is in no
 * transaction, and the next question gets the answer that it always got.
 */
#include "fuzz_world.h"
#include "reader.h"

#define ROWS 50
#define STOPS 40 /* questions to `stop`, of 10,000 steps each */
#define HEAP (48 << 20)

static struct fuzz_world world;
static plog_reader *reader;
static unsigned rows, stops;
static uint64_t sum;

static int count_row(void *arg, const struct plog_row *row)
{
    (void)arg;
    /* 0: one that does nothing, as REINDEX where there is no index. */
    MUST(row->count >= 0);
    for (int i = 0; i < row->count; i++) {
        MUST(row->names[i] != NULL);
        if (!row->values)
            continue;
        struct plog_span v = row->values[i];
        MUST(v.n == 0 || v.p);
        for (size_t k = 0; k < v.n && k < 4096; k++)
            sum = sum * 31 + (unsigned char)v.p[k];
    }
    return ++rows >= ROWS;
}

static int stop(void *arg)
{
    (void)arg;
    return ++stops >= STOPS;
}

static int ask(const char *sql, struct plog_error *err)
{
    rows = stops = 0;
    sum = 0;
    return plog_reader_query(reader, sql, count_row, NULL, err);
}

static void set_up(void)
{
    struct plog_options o = {.struct_size = sizeof o, .io = &world.ram.io};
    if (reader)
        return;
    fuzz_world_make(&world);
    sqlite3_hard_heap_limit64(HEAP);
    MUST(!plog_reader_open(&reader, FUZZ_DIR, &o, NULL));
    plog_reader_set_stop(reader, stop, NULL);
    MUST(!ask("SELECT 1", NULL));
    world.ram.writes = world.ram.made = 0;
}

/* The raw connection, past the guard. */
static int number(const char *sql)
{
    sqlite3_stmt *s = NULL;
    int n = -1;
    MUST(sqlite3_prepare_v2(reader->store.db, sql, -1, &s, NULL) == SQLITE_OK);
    if (sqlite3_step(s) == SQLITE_ROW)
        n = sqlite3_column_int(s, 0);
    sqlite3_finalize(s);
    return n;
}

static void check_untouched(void)
{
    static const char all[] =
        "SELECT seq,line,previous FROM events ORDER BY seq";
    static uint64_t before;
    static unsigned had;
    size_t n;
    const unsigned char *kept = fuzz_world_kept(&world, FUZZ_STORE, &n);
    struct ram_file *f = ram_find(&world.ram, FUZZ_STORE);
    MUST(f && f->n == n && memcmp(f->data, kept, n) == 0);
    MUST(number("SELECT count(*) FROM pragma_database_list WHERE name NOT IN"
                " ('main','temp')") == 0);
    MUST(number("SELECT count(*) FROM sqlite_temp_schema") == 0);
    MUST(!ask(all, NULL));
    if (!had) {
        had = rows;
        before = sum;
    }
    MUST(had == rows && before == sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned round;
    char sql[4096];
    struct plog_error err = {0};
    set_up();
    if (size >= sizeof sql)
        return 0;
    if (size)
        memcpy(sql, data, size);
    sql[size] = '\0';
    int rc = ask(sql, &err);
    MUST(rc == 0 || rc == PLOG_E_SQL || rc == PLOG_E_INTERRUPTED ||
         rc == PLOG_E_NOMEM || rc == PLOG_E_DIVERGED || rc == PLOG_E_IO);
    MUST(rc == 0 || err.code == rc);
    sqlite3 *db = reader->store.db;
    MUST(world.ram.writes == 0 && world.ram.made == 0);
    MUST(sqlite3_total_changes(db) == 0 && sqlite3_get_autocommit(db));
    MUST(sqlite3_db_readonly(db, "main") == 1);
    for (sqlite3_stmt *s = sqlite3_next_stmt(db, NULL); s;
         s = sqlite3_next_stmt(db, s))
        MUST(!sqlite3_stmt_busy(s));
    if (rc == 0 && round++ % 16 == 0)
        check_untouched();
    return 0;
}

/* ---- Made of pieces of SQL ---------------------------------------------- */

static const char *const pieces[] = {
    "SELECT ",
    "* FROM ",
    "events",
    "records",
    "state",
    "meta",
    "sqlite_schema",
    " WHERE ",
    "seq",
    "=1",
    " AND ",
    ";",
    " -- x\n",
    "/*",
    "*/",
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) ",
    "SELECT x FROM c",
    "WITH d AS (SELECT 1) ",
    "DELETE FROM events",
    "UPDATE meta SET size=0",
    "INSERT INTO segments VALUES(9)",
    " RETURNING *",
    "REPLACE INTO segments VALUES(9)",
    "DROP TABLE events",
    "CREATE TABLE t(a)",
    "CREATE TEMP TABLE t AS ",
    "CREATE TEMP VIEW v AS ",
    "CREATE VIRTUAL TABLE f USING fts5(a)",
    "ATTACH 'file:/d/x.db' AS x",
    "ATTACH ':memory:' AS m",
    "DETACH main",
    "VACUUM",
    "VACUUM INTO '/d/copy.db'",
    "REINDEX",
    "ANALYZE",
    "BEGIN IMMEDIATE",
    "COMMIT",
    "SAVEPOINT s",
    "EXPLAIN ",
    "EXPLAIN QUERY PLAN ",
    "PRAGMA ",
    "journal_mode",
    "=DELETE",
    "(DELETE)",
    "writable_schema=1",
    "user_version",
    "table_info(events)",
    "integrity_check",
    "wal_checkpoint(TRUNCATE)",
    "main.",
    "temp.",
    "load_extension('x')",
    "fts3_tokenizer('a')",
    "json_extract(line,'$.id')",
    "json_each(line)",
    "pragma_table_info('events')",
    "group_concat(line)",
    "zeroblob(1000000)",
    "randomblob(9)",
    "printf('%.*c',99999,'x')",
    "writefile('/d/y','z')",
    "readfile('/d/keys/signing.key')",
    "sqlite_compileoption_get(1)",
    "count(*)",
    "(",
    ")",
    ",",
    " UNION ",
    " ORDER BY 1",
    " LIMIT 3",
    " OVER (ORDER BY seq)",
    "CAST(line AS BLOB)",
    "'",
    "\"",
    "NULL",
    "?1",
    " JOIN ",
    " IN (SELECT seq FROM state)",
};

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
                               unsigned seed)
{
    uint64_t random = seed;
    const char *piece =
        pieces[fuzz_below(&random, sizeof pieces / sizeof *pieces)];
    size_t n = strlen(piece), at = fuzz_below(&random, size + 1);
    if (fuzz_below(&random, 3) == 0)
        return LLVMFuzzerMutate(data, size, max);
    if (fuzz_below(&random, 8) == 0)
        size = at = 0; /* begin anew */
    if (fuzz_below(&random, 2))
        at = size;
    if (size + n > max)
        return LLVMFuzzerMutate(data, size, max);
    memmove(data + at + n, data + at, size - at);
    memcpy(data + at, piece, n);
    return size + n;
}
