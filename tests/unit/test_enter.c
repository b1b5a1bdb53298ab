/*
 * test_enter.c - what changed below an open handle since it wrote last: files
 * replaced, taken away and put back, the store's head moved, another log in
 * the directory.  Either the handle goes on with what is there now, or it
 * refuses and changes nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "engine.h"
#include "world.h"

#define FIRST "log/00000000000000000001.jsonl"

static struct plog_io io; /* the real one, which the cases change */

/* Opens it over `io`; no waiting for locks. */
static void make(struct world *w, uint64_t segment_size)
{
    world_make(w, PLOG_ARRIVAL, segment_size);
    io = *plog_io_posix();
    w->options.io = &io;
    w->options.wait_seconds = -1;
    CHECK_INT(world_open(w), 0);
}

static int put(struct world *w, const char *id)
{
    return world_put(w, id, "r", id, NULL);
}

static int put_err(struct world *w, const char *id, struct plog_error *err)
{
    char text[300];
    struct world_delta delta = {.id = id};
    memset(err, 0, sizeof *err);
    return world_append(w, world_text(text, sizeof text, &delta), NULL, err);
}

/* The log's bytes before something is tried. */
static struct {
    char *bytes;
    size_t n;
} kept;

static void keep(const struct world *w)
{
    free(kept.bytes);
    kept.bytes = world_read(world_path(w, FIRST), &kept.n);
}

static bool log_is_as_kept(const struct world *w)
{
    size_t n;
    char *now = world_read(world_path(w, FIRST), &n);
    bool same = n == kept.n && memcmp(now, kept.bytes, n) == 0;
    free(now);
    free(kept.bytes);
    kept.bytes = NULL;
    return same;
}

/* Gives a name of the directory another one. */
static void move(const struct world *w, const char *from, const char *to)
{
    CHECK_INT(rename(world_path(w, from), world_path(w, to)), 0);
}

/* ---- The lock file and what lies beside it ------------------------------ */

/* Whoever removed it, or restored a backup: begin anew with what is there. */
static void a_new_lock_file(void)
{
    struct world w;
    make(&w, 0);
    CHECK_INT(put(&w, "a"), 0);
    for (int i = 0; i < 3; i++) {
        char id[8];
        snprintf(id, sizeof id, "b%d", i);
        CHECK_INT(unlink(world_path(&w, "lock")), 0);
        if (i)
            world_write(world_path(&w, "lock"), "", 0);
        if (i == 2)
            CHECK_INT(chmod(world_path(&w, "lock"), 0600), 0);
        CHECK_INT(put(&w, id), 0);
    }
    world_end(&w, 5);
}

/* What is missing then is said, each time, until it is there again. */
static void begun_anew_in_vain(void)
{
    static const struct {
        const char *name;
        int rc;
    } all[] = {{"log", PLOG_E_ROLLBACK},
               {"store.db", PLOG_E_BEHIND},
               {"keys/signing.key", PLOG_E_KEY}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct world w;
        make(&w, 0);
        CHECK_INT(put(&w, "a"), 0);
        CHECK_INT(unlink(world_path(&w, "lock")), 0);
        move(&w, all[i].name, "elsewhere");
        if (i < 2) { /* the secret is in memory */
            CHECK_INT(put(&w, "b"), all[i].rc);
            CHECK_INT(put(&w, "b"), all[i].rc);
            struct plog_head head;
            CHECK_INT(plog_get_head(w.p, &head, NULL), all[i].rc);
        }
        move(&w, "elsewhere", all[i].name);
        CHECK_INT(put(&w, "b"), 0);
        world_end(&w, 3);
    }
}

/* Somebody holds the new lock file's lock. */
static void begun_anew_while_another_writes(void)
{
    struct world w;
    make(&w, 0);
    CHECK_INT(put(&w, "a"), 0);
    CHECK_INT(unlink(world_path(&w, "lock")), 0);
    world_write(world_path(&w, "lock"), "", 0);
    int fd = open(world_path(&w, "lock"), O_RDWR);
    CHECK_INT(io.lock(NULL, fd, 2), 0);
    CHECK_INT(put(&w, "b"), PLOG_E_LOCKED);
    CHECK_INT(put(&w, "b"), PLOG_E_LOCKED);
    close(fd);
    CHECK_INT(put(&w, "b"), 0);
    world_end(&w, 3);
}

/* ---- Another log in the directory --------------------------------------- */

static const char *const parts[] = {"log",      "keys",         "lock",
                                    "store.db", "store.db-wal", "store.db-shm"};

/* All that `from` has takes the place of what `to` has. */
static void take_place(const struct world *from, const struct world *to)
{
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char a[800], b[800];
        snprintf(a, sizeof a, "%s/%s", from->dir, parts[i]);
        snprintf(b, sizeof b, "%s/%s", to->dir, parts[i]);
        world_remove(b);
        if (access(a, F_OK) == 0)
            CHECK_INT(rename(a, b), 0);
    }
}

/* `torn`: its last writer did not finish, so that there is something to mend,
 * which is none of our business. */
static void another_log(bool torn)
{
    struct world w, other;
    struct plog_error err;
    make(&w, 0);
    CHECK_INT(put(&w, "a"), 0);
    world_make(&other, PLOG_ARRIVAL, 0);
    CHECK_INT(put(&other, "x"), 0);
    world_close(&other);
    if (torn) {
        FILE *f = fopen(world_path(&other, FIRST), "a");
        REQUIRE(f);
        fputs("{\"seq\":3,", f);
        fclose(f);
    }
    take_place(&other, &w);
    keep(&w);
    CHECK_INT(put_err(&w, "b", &err), PLOG_E_FOREIGN);
    CHECK(strstr(err.message, "now holds the log") != NULL);
    CHECK_INT(put(&w, "b"), PLOG_E_FOREIGN);
    world_close(&w);
    CHECK(log_is_as_kept(&w));
    CHECK(!world_has(&w, "quarantine"));
}

static void another_whole_log(void)
{
    another_log(false);
}

static void another_torn_log(void)
{
    another_log(true);
}

/* ---- The store's head --------------------------------------------------- */

/* What an SQL shell can do to it, and what the next append says.  What only
 * says where the log goes on is mended from the log. */
static void the_head_is_changed(void)
{
    static const struct {
        const char *sql;
        int rc;
    } all[] = {
        {"UPDATE meta SET origin='x'", PLOG_E_FOREIGN},
        {"UPDATE meta SET root=zeroblob(32)", PLOG_E_DIVERGED},
        {"UPDATE meta SET size=size+1", PLOG_E_DIVERGED},
        {"UPDATE meta SET size=size-1", PLOG_E_DIVERGED},
        {"UPDATE meta SET strategy='x'", PLOG_E_DIVERGED},
        {"UPDATE meta SET offset=offset+1", 0},
        {"UPDATE meta SET offset=1", 0},
        {"UPDATE meta SET segment=segment+1", 0},
        {"UPDATE meta SET sig=zeroblob(64)", 0},
        {"UPDATE meta SET key='00000000'", 0},
        {"CREATE TABLE t(x)", 0},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct world w;
        struct plog_error err;
        make(&w, 0);
        CHECK_INT(put(&w, "a"), 0);
        CHECK_INT(put(&w, "b"), 0);
        keep(&w);
        world_sql(&w, all[i].sql);
        if (!CHECK_INT(put_err(&w, "c", &err), all[i].rc))
            printf("#   %s: %s\n", all[i].sql, err.message);
        CHECK(log_is_as_kept(&w) == (all[i].rc != 0));
        if (i < 10 && !all[i].rc)
            world_end(&w, 4);
        world_close(&w);
    }
}

/* Whoever looks at the head writes it as the log has it. */
static void the_place_is_changed(void)
{
    static const char *const all[] = {"UPDATE meta SET segment=segment+1",
                                      "UPDATE meta SET offset=offset+1"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        static const char sql[] = "SELECT segment*1000000+offset FROM meta";
        struct world w;
        struct plog_head head;
        make(&w, 0);
        CHECK_INT(put(&w, "a"), 0);
        int64_t place = world_number(&w, sql);
        world_sql(&w, all[i]);
        CHECK(world_number(&w, sql) != place);
        CHECK_INT(plog_get_head(w.p, &head, NULL), 0);
        CHECK_INT(world_number(&w, sql), place);
        world_end(&w, 2);
    }
}

/* The last commit with another signature, the same in both legs.  @forged: out,
 * 64 bytes */
static void forge(const struct world *w, unsigned char *forged)
{
    char sql[700], *log = kept.bytes, *sig = NULL;
    unsigned char bytes[64];
    for (char *at = log; (at = strstr(at, "\"sig\":\"")) != NULL;)
        sig = at += 7;
    REQUIRE(sig != NULL);
    sig[10] = sig[10] == 'A' ? 'B' : 'A';
    CHECK_INT(sodium_base642bin(bytes, 64, sig, 88, NULL, NULL, NULL,
                                sodium_base64_VARIANT_ORIGINAL),
              0);
    memcpy(forged, bytes, 64);
    world_write(world_path(w, FIRST), log, kept.n);
    char hex[129];
    sodium_bin2hex(hex, sizeof hex, bytes, 64);
    char *line = log + kept.n - 1;
    while (line > log && line[-1] != '\n')
        line--;
    snprintf(sql, sizeof sql,
             "UPDATE meta SET sig=x'%s';UPDATE checkpoints SET line='%.*s'"
             " WHERE size=(SELECT size FROM meta)",
             hex, (int)(log + kept.n - 1 - line), line);
    world_sql(w, sql);
}

/* A group behind the one that the handle wrote, with nobody's signature in both
 * legs: it signs nothing behind that. */
static void the_head_is_forged(void)
{
    struct world w, other;
    struct plog_error err;
    unsigned char forged[64], zero[64] = {0};
    make(&w, 0);
    CHECK_INT(put(&w, "a"), 0);
    other = w;
    other.p = NULL;
    CHECK_INT(world_open(&other), 0);
    CHECK_INT(put(&other, "b"), 0);
    world_close(&other);
    keep(&w);
    forge(&w, forged);
    CHECK(memcmp(forged, zero, 64) != 0);
    CHECK_INT(put_err(&w, "c", &err), PLOG_E_ROLLBACK);
    CHECK(log_is_as_kept(&w));
    world_close(&w);
}

/* Another store's rows take the place of ours, in the file that is open. */
static void set_store(const struct world *w, const struct world *from)
{
    sqlite3 *to = NULL, *source = NULL;
    CHECK_INT(sqlite3_open(world_path(w, "store.db"), &to), SQLITE_OK);
    CHECK_INT(sqlite3_open(world_path(from, "store.db"), &source), SQLITE_OK);
    sqlite3_backup *b = sqlite3_backup_init(to, "main", source, "main");
    CHECK(b && sqlite3_backup_step(b, -1) == SQLITE_DONE);
    sqlite3_backup_finish(b);
    sqlite3_close(source);
    sqlite3_close(to);
}

static void copy_world(struct world *copy, struct world *w, const char *name)
{
    world_close(w);
    *copy = *w;
    snprintf(copy->dir, sizeof copy->dir, "%.400s-%s", w->dir, name);
    world_copy(w->dir, copy->dir);
}

/* It was set back: the log has what it lacks. */
static void an_older_store(void)
{
    struct world w, old;
    make(&w, 4096);
    CHECK_INT(put(&w, "a"), 0);
    copy_world(&old, &w, "old");
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(put(&w, "b"), 0);
    CHECK_INT(put(&w, "c"), 0);
    set_store(&w, &old);
    CHECK_INT(put(&w, "d"), 0);
    CHECK_TEXT(world_record(&w, "r"), "{\"v\":\"d\"} v4");
    world_end(&w, 5);
}

/* Another process was killed between its sync and its commit: what it logged
 * is replayed, and not written over. */
static void a_group_behind_the_head(void)
{
    struct world w, other;
    size_t n;
    make(&w, 0);
    CHECK_INT(put(&w, "a"), 0);
    copy_world(&other, &w, "other");
    CHECK_INT(world_open(&other), 0);
    CHECK_INT(put(&other, "b"), 0);
    world_close(&other);
    CHECK_INT(world_open(&w), 0);
    char *log = world_read(world_path(&other, FIRST), &n);
    int fd = open(world_path(&w, FIRST), O_WRONLY);
    CHECK_INT(pwrite(fd, log, n, 0), n);
    close(fd);
    free(log);
    CHECK_INT(put(&w, "c"), 0);
    char *line = world_line(&w, 3, NULL);
    CHECK(line && strstr(line, "\"id\":\"b\"") != NULL);
    free(line);
    CHECK_TEXT(world_record(&w, "r"), "{\"v\":\"c\"} v3");
    world_end(&w, 4);
}

/* It says what the log does not: that of another history, of the same size or
 * a greater one, in the last segment or in one that is not there. */
static void a_store_of_another_history(void)
{
    for (int more = 0; more < 3; more++) {
        struct world w, other;
        struct plog_error err;
        make(&w, 4096);
        CHECK_INT(put(&w, "a"), 0);
        copy_world(&other, &w, "other");
        CHECK_INT(world_open(&other), 0);
        CHECK_INT(put(&other, "x"), 0);
        for (int i = 0; i < (more == 0 ? 0 : more == 1 ? 1 : 30); i++) {
            char id[8];
            snprintf(id, sizeof id, "x%d", i);
            CHECK_INT(put(&other, id), 0);
        }
        world_close(&other);
        CHECK_INT(world_open(&w), 0);
        CHECK_INT(put(&w, "b"), 0);
        keep(&w);
        set_store(&w, &other);
        int rc = put_err(&w, "c", &err);
        if (!CHECK(rc == PLOG_E_FORK || rc == PLOG_E_ROLLBACK))
            printf("#   %d: %d %s\n", more, rc, err.message);
        CHECK(log_is_as_kept(&w));
        world_close(&w);
    }
}

/* Another handle wrote, and somebody put a rotation beside it that is none. */
static void a_rotation_that_is_none(void)
{
    struct world w, other;
    make(&w, 0);
    other = w;
    other.p = NULL;
    CHECK_INT(put(&w, "a"), 0);
    CHECK_INT(world_open(&other), 0);
    CHECK_INT(put(&other, "b"), 0);
    world_close(&other);
    world_sql(&w, "INSERT INTO rotations VALUES(2)");
    keep(&w);
    CHECK_INT(put(&w, "c"), PLOG_E_DIVERGED);
    CHECK(log_is_as_kept(&w));
    world_close(&w);
}

/* ---- The store's file --------------------------------------------------- */

static struct {
    const char *name;
    int times;     /* so often from now on */
    int rc;        /* is the answer, or */
    bool replaced; /* that of another file */
} lie;

static int lying_stat_at(void *ctx, int dir, const char *name,
                         struct plog_stat *out)
{
    int rc = plog_io_posix()->stat_at(ctx, dir, name, out);
    if (!lie.name || strcmp(name, lie.name) != 0 || lie.times-- <= 0)
        return rc;
    if (lie.replaced)
        out->inode++;
    return lie.replaced ? rc : lie.rc;
}

static int opened; /* how often the database was */

static int count_opens(void *ctx, const struct plog_store_event *e)
{
    (void)ctx;
    opened += e->op == PLOG_STORE_OPEN && e->file == PLOG_STORE_MAIN && e->done;
    return 0;
}

/* A second name of it may be another's to write. */
static void a_store_with_two_names(void)
{
    struct world w;
    struct plog_error err;
    make(&w, 0);
    CHECK_INT(put(&w, "a"), 0);
    keep(&w);
    char second[800];
    snprintf(second, sizeof second, "%s", world_path(&w, "second"));
    CHECK_INT(link(world_path(&w, "store.db"), second), 0);
    CHECK_INT(put_err(&w, "b", &err), PLOG_E_DIVERGED);
    CHECK_TEXT(err.message, "store.db is not a regular file with one link");
    CHECK_TEXT(err.file, "store.db");
    CHECK(log_is_as_kept(&w));
    CHECK_INT(world_open(&w), PLOG_E_DIVERGED);
    CHECK_INT(unlink(second), 0);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(put(&w, "b"), 0);
    world_end(&w, 3);
}

static void a_store_of_another_kind(void)
{
    for (int kind = 0; kind < 3; kind++) {
        struct world w;
        make(&w, 0);
        world_close(&w);
        move(&w, "store.db", "elsewhere");
        const char *path = world_path(&w, "store.db");
        if (kind == 0)
            CHECK_INT(mkdir(path, 0700), 0);
        if (kind == 1)
            CHECK_INT(symlink("elsewhere", path), 0);
        if (kind == 2)
            CHECK_INT(mkfifo(path, 0600), 0);
        CHECK_INT(world_open(&w), PLOG_E_DIVERGED);
        CHECK_INT(remove(world_path(&w, "store.db")), 0);
        world_write(world_path(&w, "store.db"), "", 0); /* without tables */
        CHECK_INT(world_open(&w), PLOG_E_BEHIND);
        move(&w, "elsewhere", "store.db");
        CHECK_INT(world_open(&w), 0);
        world_end(&w, 1);
    }
}

/* The name that leads to another file than the one that is open, without a
 * trace of it: it is opened anew, and used when it is one file throughout. */
static void another_file_of_that_name(void)
{
    struct world w;
    make(&w, 0);
    io.stat_at = lying_stat_at;
    io.store_event = count_opens;
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(put(&w, "a"), 0);
    opened = 0;
    CHECK_INT(put(&w, "b"), 0);
    CHECK_INT(opened, 0);
    lie.name = "store.db";
    lie.replaced = true;
    lie.times = 1; /* only when entering */
    CHECK_INT(put(&w, "c"), 0);
    CHECK_INT(opened, 1);
    lie.times = 2; /* and before it is opened: replaced meanwhile */
    CHECK_INT(put(&w, "d"), PLOG_E_LOCKED);
    lie.replaced = false;
    lie.rc = -EIO;
    lie.times = 1;
    CHECK_INT(put(&w, "d"), PLOG_E_IO); /* while it is not open */
    CHECK_INT(put(&w, "d"), 0);
    lie.times = 1;
    CHECK_INT(put(&w, "e"), PLOG_E_IO); /* and while it is */
    lie.name = NULL;
    CHECK_INT(put(&w, "e"), 0);
    world_end(&w, 6);
}

/* While it is opened for the first time: gone, or another. */
static int second_call_lies(void *ctx, int dir, const char *name,
                            struct plog_stat *out)
{
    int rc = plog_io_posix()->stat_at(ctx, dir, name, out);
    if (strcmp(name, "store.db") != 0 || lie.times-- != 0)
        return rc;
    out->inode += lie.replaced;
    return lie.rc;
}

static void replaced_while_it_was_opened(void)
{
    for (int row = 0; row < 4; row++) {
        struct world w;
        make(&w, 0);
        world_close(&w);
        io.stat_at = second_call_lies;
        lie.times = row == 3 ? 0 : 1;
        lie.rc = row == 0 ? -ENOENT : row == 1 ? 0 : -EIO;
        lie.replaced = row == 1;
        CHECK_INT(world_open(&w), row < 2 ? PLOG_E_LOCKED : PLOG_E_IO);
        lie.times = 100;
        CHECK_INT(world_open(&w), 0);
        CHECK_INT(put(&w, "a"), 0);
        world_end(&w, 2);
    }
    memset(&lie, 0, sizeof lie);
}

/* ---- The segment behind the last ---------------------------------------- */

struct listing {
    int (*each)(void *arg, const char *name);
    void *arg;
    bool of_log;
};

static int pass_name(void *arg, const char *name)
{
    struct listing *l = arg;
    l->of_log |= strstr(name, ".jsonl") != NULL;
    return l->each(l->arg, name);
}

/* Every third listing of log/ has the name, too: that of the check, and not the
 * two of the repair and the replay. */
static int lying_list(void *ctx, int dir,
                      int (*each)(void *arg, const char *name), void *arg)
{
    static unsigned calls;
    struct listing l = {each, arg, false};
    int rc = plog_io_posix()->list(ctx, dir, pass_name, &l);
    return !rc && l.of_log && calls++ % 3 == 0 ? each(arg, lie.name) : rc;
}

/* One that is there and is not: the repair finds nothing to mend, and the
 * handle does not go round in circles. */
static void a_segment_that_cannot_be_found(void)
{
    struct world w;
    struct plog_error err;
    make(&w, 0);
    CHECK_INT(put(&w, "a"), 0);
    keep(&w);
    io.stat_at = lying_stat_at;
    lie.name = "00000000000000000003.jsonl";
    lie.rc = 0;
    lie.times = 1000;
    io.list = lying_list;
    CHECK_INT(put_err(&w, "b", &err), PLOG_E_DIVERGED);
    CHECK_TEXT(err.message, "log and store do not agree after a replay");
    CHECK(log_is_as_kept(&w));
    io.list = plog_io_posix()->list;
    lie.times = 1; /* seen once: the full check knows better */
    CHECK_INT(put(&w, "b"), 0);
    memset(&lie, 0, sizeof lie);
    world_end(&w, 3);
}

/* One further on than the next entry: nobody writes beside it. */
static void a_segment_further_on(void)
{
    struct world w;
    struct plog_error err;
    make(&w, 0);
    CHECK_INT(put(&w, "a"), 0);
    world_close(&w);
    world_write(world_path(&w, "log/00000000000000000009.jsonl"), "{", 1);
    keep(&w);
    CHECK_INT(plog_open(&w.p, w.dir, NULL, &err), PLOG_E_CORRUPT);
    CHECK(log_is_as_kept(&w));
    CHECK_INT(unlink(world_path(&w, "log/00000000000000000009.jsonl")), 0);
    CHECK_INT(world_open(&w), 0);
    world_end(&w, 2);
}

/* ---- Others at the store ------------------------------------------------ */

/* A writer of its own, past the library: nothing is logged, and the handle
 * waits no longer than it may. */
static void the_store_is_busy(void)
{
    struct world w;
    sqlite3 *db = NULL;
    make(&w, 0);
    CHECK_INT(put(&w, "a"), 0);
    keep(&w);
    CHECK_INT(sqlite3_open(world_path(&w, "store.db"), &db), SQLITE_OK);
    CHECK_INT(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    CHECK_INT(put(&w, "b"), PLOG_E_LOCKED);
    CHECK(log_is_as_kept(&w));
    CHECK_INT(
        sqlite3_exec(db, "UPDATE meta SET segment=segment", NULL, NULL, NULL),
        SQLITE_OK);
    CHECK_INT(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    CHECK_INT(put(&w, "b"), 0);
    world_end(&w, 3);
}

/* An order to redact that was cut off is carried out by whoever opens next. */
static void a_redaction_that_was_cut_off(void)
{
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "a"};
    struct plog_redact_report r;
    struct world w;
    make(&w, 0);
    CHECK_INT(put(&w, "a"), 0);
    world_close(&w);
    CHECK_INT(plog_redact(w.dir, 2, &o, &r, NULL), 0);
    world_sql(&w, "UPDATE redactions SET pending=1");
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(world_number(&w, "SELECT sum(pending) FROM redactions"), 0);
    world_end(&w, 3);
}

/* ---- Opening with a key to pin ------------------------------------------ */

static long left; /* allocations until one fails */

static void *failing_alloc(void *ctx, void *p, size_t n)
{
    if (n && left-- == 0)
        return NULL;
    return plog_io_posix()->alloc(ctx, p, n);
}

/* Without memory for it, it is not opened without the pin. */
static void no_memory_for_the_pin(void)
{
    struct world w;
    make(&w, 0);
    world_close(&w);
    w.options.vkey = w.vkey;
    io.alloc = failing_alloc;
    for (long n = 0; n < 6; n++) {
        left = n;
        CHECK_INT(world_open(&w), PLOG_E_NOMEM);
        CHECK(w.p == NULL && left < 0);
    }
    left = 1000000;
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(put(&w, "a"), 0);
    world_close(&w);
    w.options.vkey = NULL;
    world_end(&w, 2);
}

/* ------------------------------------------------------------------------- */

/* Copied by hard links below an open handle: it refuses, and goes on when the
 * other names are gone. */
static void a_lock_with_two_names(void)
{
    struct world w;
    char lock[600], other[600];
    make(&w, 0);
    snprintf(lock, sizeof lock, "%s", world_path(&w, "lock"));
    snprintf(other, sizeof other, "%s", world_path(&w, "../other"));
    CHECK_INT(put(&w, "a"), 0);
    CHECK_INT(link(lock, other), 0);
    CHECK_INT(put(&w, "b"), PLOG_E_IO);
    CHECK_INT(put(&w, "b"), PLOG_E_IO);
    CHECK_INT(unlink(other), 0);
    CHECK_INT(put(&w, "b"), 0);
    world_end(&w, world_size(&w));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"a_new_lock_file", a_new_lock_file},
        {"begun_anew_in_vain", begun_anew_in_vain},
        {"begun_anew_while_another_writes", begun_anew_while_another_writes},
        {"another_whole_log", another_whole_log},
        {"another_torn_log", another_torn_log},
        {"the_head_is_changed", the_head_is_changed},
        {"the_place_is_changed", the_place_is_changed},
        {"the_head_is_forged", the_head_is_forged},
        {"an_older_store", an_older_store},
        {"a_group_behind_the_head", a_group_behind_the_head},
        {"a_store_of_another_history", a_store_of_another_history},
        {"a_rotation_that_is_none", a_rotation_that_is_none},
        {"a_lock_with_two_names", a_lock_with_two_names},
        {"a_store_with_two_names", a_store_with_two_names},
        {"a_store_of_another_kind", a_store_of_another_kind},
        {"another_file_of_that_name", another_file_of_that_name},
        {"replaced_while_it_was_opened", replaced_while_it_was_opened},
        {"a_segment_that_cannot_be_found", a_segment_that_cannot_be_found},
        {"a_segment_further_on", a_segment_further_on},
        {"the_store_is_busy", the_store_is_busy},
        {"a_redaction_that_was_cut_off", a_redaction_that_was_cut_off},
        {"no_memory_for_the_pin", no_memory_for_the_pin},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
