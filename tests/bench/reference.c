/*
 * reference.c - what the engine is compared with, in the same run: bare file
 * loops, SQLite alone, and both legs as people write them by hand.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define AHEAD ((off_t)64 << 20) /* pre-written space of the overwrite loop */

static int open_file(const struct bench_task *t, const char *name)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", t->dir, name);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0)
        bench_die(path, strerror(errno));
    return fd;
}

/* ---- Files -------------------------------------------------------------- */

static void fill(int fd)
{
    static char lines[1 << 20];
    memset(lines, '\n', sizeof lines);
    for (off_t at = 0; at < AHEAD; at += (off_t)sizeof lines)
        if (pwrite(fd, lines, sizeof lines, at) != (ssize_t)sizeof lines)
            bench_die("pre-writing", strerror(errno));
    if (fsync(fd))
        bench_die("fsync", strerror(errno));
}

static void write_loop(const struct bench_task *t, struct bench_row *r,
                       bool ahead)
{
    int fd = open_file(t, "raw");
    char *group = malloc((size_t)t->batch * BENCH_EVENT_MAX);
    off_t at = 0;
    if (!group)
        bench_die("memory", "exhausted");
    if (ahead)
        fill(fd);
    double began = bench_seconds(), now = began;
    while (now - began < t->seconds) {
        size_t n = 0;
        for (unsigned i = 0; i < t->batch; i++) {
            n += bench_event(r->events++, group + n);
            group[n++] = '\n';
        }
        if (ahead && at + (off_t)n > AHEAD)
            at = 0;
        if (pwrite(fd, group, n, at) != (ssize_t)n || fdatasync(fd))
            bench_die("writing", strerror(errno));
        at += (off_t)n;
        double then = now;
        now = bench_seconds();
        bench_commit(r, now - then);
    }
    r->seconds = now - began;
    free(group);
    close(fd);
}

void bench_overwrite(const struct bench_task *t, struct bench_row *r)
{
    write_loop(t, r, true);
}

void bench_append(const struct bench_task *t, struct bench_row *r)
{
    write_loop(t, r, false);
}

/* ---- SQLite ------------------------------------------------------------- */

struct base {
    sqlite3 *db;
    sqlite3_stmt *event, *state;
};

static void sql(sqlite3 *db, const char *text)
{
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
        bench_die(text, sqlite3_errmsg(db));
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *text)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db, text, -1, &s, NULL) != SQLITE_OK)
        bench_die(text, sqlite3_errmsg(db));
    return s;
}

static void open_base(struct base *b, const struct bench_task *t,
                      const char *synchronous)
{
    char path[600], pragma[60];
    snprintf(path, sizeof path, "%s/base.db", t->dir);
    if (sqlite3_open(path, &b->db) != SQLITE_OK)
        bench_die(path, sqlite3_errmsg(b->db));
    sql(b->db, "PRAGMA journal_mode=WAL");
    snprintf(pragma, sizeof pragma, "PRAGMA synchronous=%s", synchronous);
    sql(b->db, pragma);
    sql(b->db,
        "CREATE TABLE IF NOT EXISTS events(seq INTEGER PRIMARY KEY, resource"
        " TEXT, record_id TEXT, op TEXT, payload TEXT, hash BLOB);"
        "CREATE TABLE IF NOT EXISTS state(resource TEXT, record_id TEXT, seq"
        " INTEGER, payload TEXT, PRIMARY KEY(resource,record_id)) WITHOUT"
        " ROWID");
    b->event =
        prepare(b->db, "INSERT INTO events VALUES(?1,'contacts',?2,'upsert',"
                       "?3,?4)");
    b->state = prepare(b->db, "INSERT INTO state VALUES('contacts',?2,?1,?3)"
                              " ON CONFLICT DO UPDATE SET seq=excluded.seq,"
                              "payload=excluded.payload");
}

static void close_base(struct base *b)
{
    sqlite3_finalize(b->event);
    sqlite3_finalize(b->state);
    sqlite3_close(b->db);
}

static void put(struct base *b, sqlite3_stmt *s, uint64_t seq, const char *text,
                size_t n, const unsigned char *hash)
{
    char record[16];
    int digits = snprintf(record, sizeof record, "%06llu",
                          (unsigned long long)bench_record(seq));
    sqlite3_bind_int64(s, 1, (sqlite3_int64)seq);
    sqlite3_bind_text(s, 2, record, digits, SQLITE_STATIC);
    sqlite3_bind_text(s, 3, text, (int)n, SQLITE_STATIC);
    if (s == b->event && hash)
        sqlite3_bind_blob(s, 4, hash, 32, SQLITE_STATIC);
    if (sqlite3_step(s) != SQLITE_DONE)
        bench_die("insert", sqlite3_errmsg(b->db));
    sqlite3_reset(s);
}

void bench_sqlite(const struct bench_task *t, struct bench_row *r)
{
    struct base b;
    char event[BENCH_EVENT_MAX];
    open_base(&b, t, "FULL");
    double began = bench_seconds(), now = began;
    while (now - began < t->seconds) {
        sql(b.db, "BEGIN");
        for (unsigned i = 0; i < t->batch; i++, r->events++) {
            size_t n = bench_event(r->events, event);
            put(&b, b.event, r->events, event, n, NULL);
            put(&b, b.state, r->events, event, n, NULL);
        }
        sql(b.db, "COMMIT");
        double then = now;
        now = bench_seconds();
        bench_commit(r, now - then);
    }
    r->seconds = now - began;
    close_base(&b);
    r->bytes = bench_disk(t->dir);
}

void bench_bulk(const struct bench_task *t, struct bench_row *r)
{
    struct base b;
    char event[BENCH_EVENT_MAX];
    open_base(&b, t, "NORMAL");
    double began = bench_seconds();
    for (r->events = 0; r->events < t->events; r->events++) {
        if (r->events % 10000 == 0)
            sql(b.db, r->events ? "COMMIT; BEGIN" : "BEGIN");
        put(&b, b.event, r->events, event, bench_event(r->events, event), NULL);
    }
    sql(b.db, "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
    r->seconds = bench_seconds() - began;
    close_base(&b);
}

void bench_scan(const struct bench_task *t, struct bench_row *r)
{
    struct base b;
    unsigned char sum = 0;
    open_base(&b, t, "NORMAL");
    sqlite3_stmt *all = prepare(b.db, "SELECT * FROM events ORDER BY seq");
    double began = bench_seconds();
    while (sqlite3_step(all) == SQLITE_ROW) {
        const unsigned char *text = sqlite3_column_text(all, 4);
        int n = sqlite3_column_bytes(all, 4);
        for (int i = 0; i < n; i++)
            sum = (unsigned char)(sum ^ text[i]);
        r->events++;
    }
    r->seconds = bench_seconds() - began + (sum == 255 ? 1e-9 : 0);
    sqlite3_finalize(all);
    close_base(&b);
}

/* ---- Both legs by hand -------------------------------------------------- */

static void hex(char *out, const unsigned char *bytes, size_t n)
{
    sodium_bin2hex(out, 2 * n + 1, bytes, n);
}

/* A hash chain with a signature for each event. */
static size_t naive_line(char *out, uint64_t seq, const char *event, size_t n,
                         unsigned char *chain, const unsigned char *secret,
                         unsigned char *hash)
{
    crypto_hash_sha256_state st;
    unsigned char sig[64];
    char before[65], after[65], signature[129];
    crypto_hash_sha256_init(&st);
    crypto_hash_sha256_update(&st, chain, 32);
    crypto_hash_sha256_update(&st, (const unsigned char *)event, n);
    crypto_hash_sha256_final(&st, hash);
    crypto_sign_detached(sig, NULL, hash, 32, secret);
    hex(before, chain, 32);
    hex(after, hash, 32);
    hex(signature, sig, 64);
    memcpy(chain, hash, 32);
    return (size_t)sprintf(out,
                           "{\"seq\":%llu,\"prev\":\"%s\",\"hash\":\"%s\","
                           "\"sig\":\"%s\",\"event\":%.*s}\n",
                           (unsigned long long)seq, before, after, signature,
                           (int)n, event);
}

/* Log first with fsync, then SQLite with synchronous=FULL. */
void bench_naive(const struct bench_task *t, struct bench_row *r)
{
    struct base b;
    unsigned char public[32], secret[64], chain[32] = {0};
    size_t room = (size_t)t->batch * (BENCH_EVENT_MAX + 400);
    char *group = malloc(room), event[BENCH_EVENT_MAX];
    unsigned char(*hashes)[32] = malloc((size_t)t->batch * 32);
    int fd = open_file(t, "naive.jsonl");
    off_t at = 0;
    if (!group || !hashes || crypto_sign_keypair(public, secret))
        bench_die("memory", "exhausted");
    open_base(&b, t, "FULL");
    double began = bench_seconds(), now = began;
    while (now - began < t->seconds) {
        size_t n = 0;
        for (unsigned i = 0; i < t->batch; i++)
            n += naive_line(group + n, r->events + i, event,
                            bench_event(r->events + i, event), chain, secret,
                            hashes[i]);
        if (pwrite(fd, group, n, at) != (ssize_t)n || fsync(fd))
            bench_die("writing", strerror(errno));
        at += (off_t)n;
        sql(b.db, "BEGIN");
        for (unsigned i = 0; i < t->batch; i++, r->events++) {
            n = bench_event(r->events, event);
            put(&b, b.event, r->events, event, n, hashes[i]);
            put(&b, b.state, r->events, event, n, NULL);
        }
        sql(b.db, "COMMIT");
        double then = now;
        now = bench_seconds();
        bench_commit(r, now - then);
    }
    r->seconds = now - began;
    free(group);
    free(hashes);
    close(fd);
    close_base(&b);
    r->bytes = bench_disk(t->dir);
}
