/*
 * reference.c - SQLite alone: durable commits (S), bulk insert of the event
 * row, and a scan of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base.h"

/* ---- The database ------------------------------------------------------- */

void base_sql(struct base *b, const char *text)
{
    if (sqlite3_exec(b->db, text, NULL, NULL, NULL) != SQLITE_OK)
        bench_die(text, sqlite3_errmsg(b->db));
}

static sqlite3_stmt *prepare(struct base *b, const char *text)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(b->db, text, -1, &s, NULL) != SQLITE_OK)
        bench_die(text, sqlite3_errmsg(b->db));
    return s;
}

void base_open(struct base *b, const char *dir, const char *settings)
{
    char path[BENCH_PATH];
    snprintf(path, sizeof path, "%s/base.db", dir);
    if (sqlite3_open(path, &b->db) != SQLITE_OK)
        bench_die(path, sqlite3_errmsg(b->db));
    base_sql(b, settings);
    base_sql(b, "CREATE TABLE IF NOT EXISTS events(seq INTEGER PRIMARY KEY,"
                "resource TEXT, record_id TEXT, op TEXT, payload TEXT, hash"
                " BLOB);"
                "CREATE TABLE IF NOT EXISTS state(resource TEXT, record_id"
                " TEXT, seq INTEGER, payload TEXT, PRIMARY KEY(resource,"
                "record_id)) WITHOUT ROWID");
    b->event = prepare(b, "INSERT INTO events VALUES(?1,'contacts',?2,"
                          "'upsert',?3,?4)");
    b->state = prepare(b, "INSERT INTO state VALUES('contacts',?2,?1,?3)"
                          " ON CONFLICT DO UPDATE SET seq=excluded.seq,"
                          "payload=excluded.payload");
}

void base_close(struct base *b)
{
    sqlite3_finalize(b->event);
    sqlite3_finalize(b->state);
    if (sqlite3_close(b->db) != SQLITE_OK)
        bench_die("closing", "statements are open");
}

static void put(struct base *b, sqlite3_stmt *s, uint64_t seq,
                const struct bench_event *e)
{
    sqlite3_bind_int64(s, 1, (sqlite3_int64)seq);
    sqlite3_bind_text(s, 2, e->record, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 3, e->payload, (int)e->payload_n, SQLITE_STATIC);
    if (sqlite3_step(s) != SQLITE_DONE)
        bench_die("insert", sqlite3_errmsg(b->db));
    sqlite3_reset(s);
}

void base_put_event(struct base *b, uint64_t seq, const struct bench_event *e,
                    const void *hash)
{
    sqlite3_bind_blob(b->event, 4, hash, 32, SQLITE_STATIC);
    put(b, b->event, seq, e);
}

void base_put_state(struct base *b, uint64_t seq, const struct bench_event *e)
{
    put(b, b->state, seq, e);
}

/* ---- Durable commits ---------------------------------------------------- */

/* It makes no hash: the column gets other bytes of that length. */
void bench_sqlite(const struct bench_task *t, struct bench_figures *f)
{
    struct base b;
    base_open(&b, t->dir, BASE_FULL);
    double began = bench_seconds(), now = began;
    while (now - began < t->seconds) {
        base_sql(&b, "BEGIN");
        for (unsigned i = 0; i < t->batch; i++, f->events++) {
            const struct bench_event *e = bench_pooled(t->shape, f->events);
            base_put_event(&b, f->events, e, e->text);
            base_put_state(&b, f->events, e);
        }
        base_sql(&b, "COMMIT");
        double then = now;
        now = bench_seconds();
        bench_commit(f, now - then);
    }
    f->seconds = now - began;
    base_close(&b);
}

/* ---- Bulk --------------------------------------------------------------- */

static void sync_file(const char *path)
{
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fsync(fd))
        bench_die(path, strerror(errno));
    close(fd);
}

static void remove_base(const char *path)
{
    char side[BENCH_PATH + 8];
    remove(path);
    snprintf(side, sizeof side, "%s-wal", path);
    remove(side);
    snprintf(side, sizeof side, "%s-shm", path);
    remove(side);
}

/* The event row alone, 10,000 a transaction, on disk at the end.
 * variant 0: into a file with a WAL; 1: into a fresh one without a journal */
void bench_bulk(const struct bench_task *t, struct bench_figures *f)
{
    struct base b;
    char path[BENCH_PATH];
    snprintf(path, sizeof path, "%s/base.db", t->shared);
    remove_base(path);
    base_open(&b, t->shared, t->variant ? BASE_FRESH : BASE_NORMAL);
    double began = bench_seconds();
    for (f->events = 0; f->events < t->events; f->events++) {
        const struct bench_event *e = bench_pooled(t->shape, f->events);
        if (f->events % 10000 == 0)
            base_sql(&b, f->events ? "COMMIT; BEGIN" : "BEGIN");
        base_put_event(&b, f->events, e, e->text);
    }
    base_sql(&b, "COMMIT");
    if (!t->variant)
        base_sql(&b, "PRAGMA wal_checkpoint(TRUNCATE)");
    base_close(&b);
    sync_file(path);
    f->seconds = bench_seconds() - began;
}

static uint64_t touch(const unsigned char *p, int n)
{
    uint64_t sum = 0, word;
    int i = 0;
    for (; i + 8 <= n; i += 8) {
        memcpy(&word, p + i, sizeof word);
        sum += word;
    }
    for (; i < n; i++)
        sum += p[i];
    return sum;
}

/* Where the rows of bulk insert were not asked for. */
static void have_base(const struct bench_task *t)
{
    struct bench_figures made = {0};
    struct bench_task fresh = *t;
    char path[BENCH_PATH];
    snprintf(path, sizeof path, "%s/base.db", t->shared);
    fresh.variant = 1;
    if (access(path, F_OK))
        bench_bulk(&fresh, &made);
}

/* Every column of a row: its bytes, or its number. */
static uint64_t touch_row(sqlite3_stmt *s)
{
    uint64_t sum = 0;
    for (int i = 0; i < sqlite3_column_count(s); i++)
        if (sqlite3_column_type(s, i) == SQLITE_INTEGER) {
            sum += (uint64_t)sqlite3_column_int64(s, i);
        } else {
            const unsigned char *p = sqlite3_column_blob(s, i);
            sum += touch(p, sqlite3_column_bytes(s, i));
        }
    return sum;
}

static volatile uint64_t touched; /* so that nobody leaves it out */

/* Every row of a table of events, every byte of it.
 * variant 0: of the store of the shared log, the rows that parity reads;
 * 1: of what bench_bulk made */
void bench_scan(const struct bench_task *t, struct bench_figures *f)
{
    struct base b = {0};
    char path[BENCH_PATH];
    if (t->variant)
        have_base(t);
    snprintf(path, sizeof path, "%s/%s", t->shared,
             t->variant ? "base.db" : "log/store.db");
    if (sqlite3_open_v2(path, &b.db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
        bench_die(path, sqlite3_errmsg(b.db));
    sqlite3_stmt *all = prepare(&b, "SELECT * FROM events ORDER BY seq");
    double began = bench_seconds();
    for (; sqlite3_step(all) == SQLITE_ROW; f->events++)
        touched += touch_row(all);
    f->seconds = bench_seconds() - began;
    sqlite3_finalize(all);
    base_close(&b);
    if (f->events < t->events) /* a log begins with an entry of its own */
        bench_die("the scan", "found too few rows");
}
