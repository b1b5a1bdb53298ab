/*
 * test_fresh.c - a store made anew: by whatever way it comes out of the log, it
 * is the one that the writer made; the old one stays until the new one is
 * whole; and nothing is left of one that is not.
 */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "sql_calls.h"
#include "world.h"

static struct world w;
static struct plog_replay_report r;
static struct plog_error err;
static uint64_t state;

static uint64_t pick(uint64_t n)
{
    return check_random(&state) % n;
}

/* ---- A log of everything that a store is made of ------------------------ */

/* Takes what has an even length, and changes some of it. */
static int decide(void *arg, const struct plog_record *now,
                  const struct plog_delta_view *d, struct plog_span *merged)
{
    (void)arg, (void)now;
    if (!d->is_delete && d->payload.n % 4 == 0)
        *merged = (struct plog_span){"{\"by\":\"callback\"}", 17};
    return d->payload.n % 2 == 0;
}

static void make_delta(char *out, size_t cap, int i)
{
    static const char *const names[] = {"a", "b", "\\u00e9\\n", "long-name-",
                                        "c\\\"d"};
    char id[40] = "", payload[120];
    bool deletes = pick(7) == 0;
    if (pick(3) == 0)
        snprintf(id, sizeof id, "\"id\":\"%s%d\",", names[pick(5)], i);
    snprintf(payload, sizeof payload, "{\"m%d\":%d,\"o\":{\"x%d\":[%d]}}",
             (int)pick(4), (int)pick(1000), (int)pick(3), (int)pick(10));
    snprintf(out, cap,
             "{%s\"resource\":\"%s\",\"record_id\":\"%s%d\",\"op\":\"%s\","
             "\"payload\":%s,\"occurred_at\":\"2026-01-0%dT00:00:0%d.%dZ\","
             "\"provenance\":{\"source\":\"s\",\"confidence\":0.%d}}",
             id, names[pick(5)], names[pick(5)], (int)pick(8),
             deletes ? "delete" : "upsert", deletes ? "null" : payload,
             1 + (int)pick(3), (int)pick(3), (int)pick(3), (int)pick(4));
}

static void append(int from, int count)
{
    static char text[40][400];
    static struct plog_span deltas[40];
    struct plog_cursor cursor = {{"s", 1}, {"*", 1}, {text[0], 9}};
    struct plog_group g = {.struct_size = sizeof g,
                           .deltas = deltas,
                           .delta_count = (size_t)count,
                           .cursors = &cursor,
                           .cursor_count = pick(4) == 0};
    for (int i = 0; i < count; i++) {
        make_delta(text[i], sizeof text[i], from + i);
        deltas[i] = (struct plog_span){text[i], strlen(text[i])};
    }
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
}

/* Segments, groups of many sizes, all strategies, two keys. */
static void make(int deltas)
{
    struct plog_rotate_options ro = {.struct_size = sizeof ro};
    struct plog_rotate_report rr;
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_LAST_WRITE_WINS, 40000);
    w.options.custom = decide;
    CHECK_INT(world_open(&w), 0);
    for (int i = 0; i < deltas;) {
        int n = 1 + (int)pick(pick(3) ? 6 : 40);
        append(i, n);
        i += n;
        if (pick(6) == 0)
            CHECK_INT(
                plog_set_strategy(
                    w.p, (enum plog_strategy)pick(PLOG_STRATEGIES), NULL, NULL),
                0);
        if (i >= deltas / 2 && i - n < deltas / 2) {
            world_close(&w);
            CHECK_INT(plog_key_rotate(w.dir, &ro, &rr, NULL), 0);
            CHECK_INT(world_open(&w), 0);
        }
    }
    world_close(&w);
}

/* ---- What a store holds ------------------------------------------------- */

static void add_rows(FILE *out, sqlite3 *db, const char *table)
{
    char sql[80];
    sqlite3_stmt *q;
    snprintf(sql, sizeof sql, "SELECT * FROM %s ORDER BY 1%s", table,
             strstr("state base_state cursors", table) ? ",2" : "");
    REQUIRE(sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK);
    while (sqlite3_step(q) == SQLITE_ROW)
        for (int i = 0; i < sqlite3_column_count(q); i++) {
            const void *bytes = sqlite3_column_blob(q, i);
            size_t n = (size_t)sqlite3_column_bytes(q, i);
            fprintf(out, "%s %d ", i ? "" : table, sqlite3_column_type(q, i));
            if (n)
                fwrite(bytes, 1, n, out);
            fputc('\n', out);
        }
    sqlite3_finalize(q);
}

/* Every value of every table, with its type. */
static char *dump(const char *path, size_t *len)
{
    static const char *const tables[] = {
        "meta",  "events",     "checkpoints", "segments", "rotations",
        "state", "base_state", "cursors",     "peers",    "redactions"};
    char *text = NULL;
    sqlite3 *db;
    FILE *out = open_memstream(&text, len);
    CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        add_rows(out, db, tables[i]);
    CHECK_INT(sqlite3_close(db), SQLITE_OK);
    fclose(out);
    return text;
}

static char *want;
static size_t want_len;

static void is_wanted(const char *path, const char *how)
{
    size_t len;
    char *got = dump(path, &len);
    bool same = len == want_len && memcmp(got, want, len) == 0;
    if (!CHECK(same))
        printf("# %s\n", how);
    free(got);
}

/* ---- Ways to it --------------------------------------------------------- */

static int replay(const struct plog_io *io, bool fresh, uint64_t to)
{
    struct plog_replay_options o = {
        .struct_size = sizeof o, .io = io, .fresh = fresh, .to = to};
    memset(&err, 0, sizeof err);
    return plog_replay(w.dir, &o, &r, &err);
}

static int count_entry(void *arg, sqlite3 *db, uint64_t seq, const char *line,
                       size_t n)
{
    (void)db, (void)seq, (void)line, (void)n;
    ++*(unsigned *)arg;
    return 0;
}

/* Entry by entry: whoever looks at each gets its rows at once. */
static void one_by_one(uint64_t size)
{
    unsigned count = 0;
    CHECK_INT(replay(NULL, true, 1), 0);
    w.options.replayed = count_entry;
    w.options.replayed_arg = &count;
    CHECK_INT(world_open(&w), 0);
    w.options.replayed = NULL;
    world_close(&w);
    CHECK_UINT(count, size - 1);
}

/* Of this log and with this table. */
static void every_way(const struct plog_io *io, uint64_t size)
{
    struct plog_rebuild_report b;
    struct plog_rebuild_options o = {.struct_size = sizeof o, .io = io};
    char out[600], path[640];
    snprintf(out, sizeof out, "%.500s-out", w.dir);
    snprintf(path, sizeof path, "%s/store.db", out);
    CHECK_INT(replay(io, true, 0), 0);
    CHECK_UINT(r.applied, size);
    CHECK_UINT(r.head.size, size);
    CHECK(world_has(&w, r.quarantine));
    is_wanted(world_path(&w, "store.db"), "fresh");
    CHECK(!world_has(&w, "store.db-wal") && !world_has(&w, "store.new"));
    world_drop_store(&w);
    CHECK_INT(replay(io, false, 0), 0);
    is_wanted(world_path(&w, "store.db"), "from nothing");
    CHECK_INT(replay(io, true, size / 3), 0);
    CHECK(r.head.size > 0 && r.head.size <= size / 3);
    CHECK_INT(replay(io, false, size / 2), 0);
    CHECK_INT(replay(io, false, 0), 0);
    is_wanted(world_path(&w, "store.db"), "in three steps");
    CHECK_INT(plog_rebuild_store(w.dir, out, &o, &b, NULL), 0);
    CHECK_INT(b.verdict, 0);
    CHECK_UINT(b.entries, size);
    is_wanted(path, "rebuilt");
    world_remove(out);
}

static void all_the_same(void)
{
    state = check_seed();
    for (int i = 0; i < 4; i++) {
        struct plog_io io = *plog_io_posix();
        struct world_found f;
        make(i < 3 ? 400 : 4000);
        uint64_t size = world_size(&w);
        want = dump(world_path(&w, "store.db"), &want_len);
        CHECK(want_len > 100000);
        one_by_one(size);
        is_wanted(world_path(&w, "store.db"), "one by one");
        every_way(NULL, size); /* a thread walks ahead */
        every_way(&io, size);  /* all in place */
        CHECK_INT(world_parity(&w, NULL, &f), 0);
        free(want);
        world_remove(w.dir);
    }
}

/* More lines, and more bytes, than are handed over at once. */
static void large_groups(void)
{
    enum { COUNT = 5000 };
    static char text[COUNT][400];
    static struct plog_span deltas[COUNT];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = deltas, .delta_count = COUNT};
    state = check_seed();
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_MERGE_JSON, 1 << 20);
    for (int k = 0; k < 3; k++) {
        for (int i = 0; i < COUNT; i++) {
            make_delta(text[i], sizeof text[i], k * COUNT + i);
            deltas[i] = (struct plog_span){text[i], strlen(text[i])};
        }
        CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
        CHECK_INT(world_put(&w, NULL, "small", "group", NULL), 0);
    }
    world_close(&w);
    want = dump(world_path(&w, "store.db"), &want_len);
    every_way(NULL, 3 * COUNT + 4);
    free(want);
    world_end(&w, 3 * COUNT + 4);
}

/* A payload that an order took out of the store, and not of the log yet: it is
 * applied, and then its record is folded anew. */
static void pending_orders(void)
{
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "r"};
    struct plog_redact_report report;
    char keep[600], log[600];
    state = check_seed() + 7;
    make(300);
    snprintf(keep, sizeof keep, "%.500s-log", w.dir);
    snprintf(log, sizeof log, "%.500s/log", w.dir);
    world_copy(log, keep);
    unsigned done = 0;
    for (uint64_t seq = 2; seq < 60; seq++) {
        int rc = plog_redact(w.dir, seq, &o, &report, NULL);
        done += rc == 0;
    }
    CHECK(done > 20);
    uint64_t size = world_size(&w);
    /* The first segments as they were. */
    char from[700], to[700];
    snprintf(from, sizeof from, "%s/00000000000000000001.jsonl", keep);
    snprintf(to, sizeof to, "%s/00000000000000000001.jsonl", log);
    size_t n;
    char *bytes = world_read(from, &n);
    world_write(to, bytes, n);
    free(bytes);
    one_by_one(size);
    /* What opening did to it is done again below. */
    struct plog_io io = *plog_io_posix();
    bytes = world_read(from, &n);
    world_write(to, bytes, n);
    CHECK_INT(replay(&io, true, 0), 0);
    want = dump(world_path(&w, "store.db"), &want_len);
    for (int threaded = 0; threaded < 2; threaded++)
        every_way(threaded ? NULL : &io, size);
    /* But for the note that copies may be left it is the other one. */
    CHECK_INT(world_open(&w), 0);
    world_close(&w);
    struct world_found f;
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    free(bytes);
    free(want);
    world_remove(keep);
    world_remove(w.dir);
}

/* ---- What is not whole -------------------------------------------------- */

/* The damage lies behind most of what was applied: the old store stays, and of
 * the new one there is nothing. */
static void damaged_behind(void)
{
    state = check_seed();
    for (int i = 0; i < 2; i++) {
        struct plog_io io = *plog_io_posix();
        size_t n;
        char name[600], *bytes;
        make(3000);
        uint64_t size = world_size(&w);
        snprintf(name, sizeof name, "%.500s/log/%020lld.jsonl", w.dir,
                 (long long)world_number(
                     &w, "SELECT first FROM segments ORDER BY first DESC"
                         " LIMIT 1 OFFSET 1"));
        bytes = world_read(name, &n);
        bytes[n / 3] ^= 1;
        world_write(name, bytes, n);
        free(bytes);
        want = dump(world_path(&w, "store.db"), &want_len);
        int rc = replay(i ? NULL : &io, true, 0);
        CHECK(rc == PLOG_E_CORRUPT || rc == PLOG_E_TAMPERED);
        CHECK_INT(err.code, rc);
        CHECK(err.file[0] && err.seq > 0);
        CHECK(!world_has(&w, "store.new") && !world_has(&w, "quarantine"));
        CHECK_UINT(world_size(&w), size);
        is_wanted(world_path(&w, "store.db"), "the old one");
        rc = replay(i ? NULL : &io, true, size / 3); /* the rest counts, too */
        CHECK(rc == PLOG_E_CORRUPT || rc == PLOG_E_TAMPERED);
        free(want);
        world_remove(w.dir);
    }
}

static const char *failing_name;
static int fails_rename(void *ctx, int a, const char *from, int b,
                        const char *to, bool replace)
{
    if (strcmp(to, failing_name) == 0)
        return -EIO;
    return plog_io_posix()->rename_at(ctx, a, from, b, to, replace);
}
static int fails_sync(void *ctx, int fd)
{
    (void)ctx, (void)fd;
    return -EIO;
}

static void cannot_be_installed(void)
{
    struct plog_io io = *plog_io_posix();
    state = check_seed();
    make(200);
    uint64_t size = world_size(&w);
    io.fsync = fails_sync;
    CHECK_INT(replay(&io, true, 0), PLOG_E_IO);
    CHECK_INT(err.code, PLOG_E_IO);
    CHECK(!world_has(&w, "store.new"));
    CHECK_UINT(world_size(&w), size);
    io = *plog_io_posix();
    io.rename_at = fails_rename;
    failing_name = "store.db"; /* the old one is in quarantine/ then */
    CHECK_INT(replay(&io, true, 0), PLOG_E_IO);
    CHECK(!world_has(&w, "store.db") && !world_has(&w, "store.new"));
    CHECK_INT(replay(NULL, false, 0), 0);
    CHECK_UINT(r.head.size, size);
    world_end(&w, size);
}

static int fails_mkdir(void *ctx, int dir, const char *name, uint32_t mode)
{
    return strcmp(name, "store.new")
               ? plog_io_posix()->mkdir_at(ctx, dir, name, mode)
               : -ENOSPC;
}

static const char *failing_call, *failing_sql;
static bool fails_call(const char *call, const char *sql, bool busy)
{
    (void)busy;
    return !strcmp(call, failing_call) && strstr(sql, failing_sql);
}

/* No folder for a new store, or SQLite cannot do what is asked of it: what
 * failed is told, and not what comes of it; the old store stays. */
static void cannot_be_begun(void)
{
    static const char *const calls[] = {"prepare", "step"};
    static const char *const modes[] = {"journal_mode=OFF", "journal_mode=WAL"};
    struct plog_io io = *plog_io_posix();
    state = check_seed();
    make(20);
    uint64_t size = world_size(&w);
    io.mkdir_at = fails_mkdir;
    CHECK_INT(replay(&io, true, 0), PLOG_E_IO);
    CHECK(strstr(err.message, "making a folder for the new store") != NULL);
    CHECK_TEXT(err.file, "store.new");
    CHECK(!world_has(&w, "store.new"));
    for (int i = 0; i < 4; i++) {
        failing_call = calls[i % 2];
        failing_sql = modes[i / 2];
        sql_calls.fails = fails_call;
        CHECK_INT(replay(NULL, true, 0), PLOG_E_IO);
        sql_calls.fails = NULL;
        if (!CHECK(!strstr(err.message, "no journal mode")))
            printf("# %s: %s\n", failing_call, failing_sql);
        CHECK(!world_has(&w, "store.new") && !world_has(&w, "quarantine"));
    }
    world_end(&w, size);
}

/* ---- What SQLite leaves -------------------------------------------------- */

static bool keeps_journal;

/* In front of SQLite's own: one that lets go of no journal. */
int sqlite3_db_config(sqlite3 *db, int op, ...)
{
    int (*real)(sqlite3 *, int, ...);
    void *found = dlsym(RTLD_NEXT, "sqlite3_db_config");
    va_list ap;
    va_start(ap, op);
    int on = va_arg(ap, int);
    int *out = va_arg(ap, int *);
    va_end(ap);
    memcpy(&real, &found, sizeof real);
    if (keeps_journal && op == SQLITE_DBCONFIG_DEFENSIVE)
        on = 1;
    return real(db, op, on, out);
}

static int64_t wal_size;

/* A WAL beside the store in the making, once that is closed. */
static int says_wal(void *ctx, int dir, const char *name, struct plog_stat *st)
{
    static unsigned calls;
    if (strcmp(name, "store.db-wal") != 0 || ++calls % 2)
        return plog_io_posix()->stat_at(ctx, dir, name, st);
    memset(st, 0, sizeof *st);
    st->size = (uint64_t)wal_size;
    return 0;
}

/* A new store of which a part lies elsewhere is none; the old one stays. */
static void a_part_lies_elsewhere(void)
{
    struct plog_io io = *plog_io_posix();
    state = check_seed();
    make(50);
    uint64_t size = world_size(&w);
    keeps_journal = true;
    CHECK_INT(replay(&io, true, 0), PLOG_E_IO);
    keeps_journal = false;
    CHECK_TEXT(err.message, "store.db: no journal mode off");
    CHECK(!world_has(&w, "store.new") && !world_has(&w, "quarantine"));
    CHECK_UINT(world_size(&w), size);
    io.stat_at = says_wal;
    wal_size = 32;
    CHECK_INT(replay(&io, true, 0), PLOG_E_IO);
    CHECK_TEXT(err.message, "the new store kept a WAL");
    CHECK(!world_has(&w, "store.new") && !world_has(&w, "quarantine"));
    CHECK_UINT(world_size(&w), size);
    wal_size = 0; /* as good as none */
    CHECK_INT(replay(&io, true, 0), 0);
    world_end(&w, size);
}

/* The folder of the new store would have too long a name. */
static void too_long_a_path(void)
{
    struct plog_replay_options o = {.struct_size = sizeof o, .fresh = true};
    char here[600], path[PATH_MAX], name[201], log[600];
    state = check_seed();
    make(50);
    uint64_t size = world_size(&w);
    snprintf(log, sizeof log, "%s", w.dir);
    CHECK(getcwd(here, sizeof here) != NULL);
    CHECK_INT(chdir(check_dir()), 0);
    CHECK(getcwd(path, sizeof path) != NULL);
    size_t n = strlen(path);
    while (n < 4040) {
        size_t more = 4040 - n > 400 ? 200 : (4040 - n) / 2 + 1;
        snprintf(name, sizeof name, "%0*d", (int)more - 1, 0);
        CHECK(mkdir(name, 0700) == 0 && chdir(name) == 0);
        n += (size_t)snprintf(path + n, sizeof path - n, "/%s", name);
    }
    CHECK_INT(rename(log, "log"), 0);
    snprintf(path + n, sizeof path - n, "/log");
    memset(&err, 0, sizeof err);
    CHECK_INT(plog_replay(path, &o, &r, &err), PLOG_E_ARG);
    CHECK_TEXT(err.message, "the path is too long");
    CHECK_INT(rename("log", log), 0);
    while (chdir("..") == 0 && n > 700)
        n = getcwd(path, sizeof path) ? strlen(path) : 0;
    CHECK_INT(chdir(here), 0);
    world_end(&w, size);
}

/* What a kill left goes with the next replay, whichever it is. */
static void left_by_a_kill(void)
{
    state = check_seed();
    make(50);
    uint64_t size = world_size(&w);
    for (int fresh = 0; fresh < 2; fresh++) {
        CHECK_INT(mkdir(world_path(&w, "store.new"), 0700), 0);
        world_write(world_path(&w, "store.new/store.db"), "x", 1);
        world_write(world_path(&w, "store.new/store.db-wal"), "x", 1);
        struct plog_replay_options o = {.struct_size = sizeof o,
                                        .dry_run = true};
        CHECK_INT(plog_replay(w.dir, &o, &r, NULL), 0);
        CHECK(world_has(&w, "store.new/store.db"));
        CHECK_INT(replay(NULL, fresh, 0), 0);
        CHECK(!world_has(&w, "store.new"));
    }
    world_end(&w, size);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"all the same", all_the_same},
        {"large groups", large_groups},
        {"pending orders", pending_orders},
        {"damaged behind", damaged_behind},
        {"cannot be installed", cannot_be_installed},
        {"cannot be begun", cannot_be_begun},
        {"a part lies elsewhere", a_part_lies_elsewhere},
        {"too long a path", too_long_a_path},
        {"left by a kill", left_by_a_kill},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
