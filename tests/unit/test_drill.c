/*
 * test_drill.c - a rehearsed restore: what it says and notes of a log that
 * gives everything back, and of one that does not go as far as the store.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "engine.h"
#include "peers.h"
#include "sql_calls.h"
#include "world.h"

static struct world w;
static struct plog_drill_report report;
static struct plog_error err;

static void put(int from, int to)
{
    for (int i = from; i < to; i++) {
        char record[8];
        snprintf(record, sizeof record, "r%d", i);
        CHECK_INT(world_put(&w, NULL, record, "v", NULL), 0);
    }
}

/* Three entries under one commit. */
static void put_group(void)
{
    static char text[3][200];
    struct plog_span d[3];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = d, .delta_count = 3};
    for (int i = 0; i < 3; i++) {
        struct world_delta delta = {.record = "r0", .payload = "{}"};
        world_text(text[i], sizeof text[i], &delta);
        d[i] = (struct plog_span){text[i], strlen(text[i])};
    }
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
}

static int drill_with(struct plog_drill_options o)
{
    o.struct_size = sizeof o;
    memset(&err, 0, sizeof err);
    int rc = plog_drill(w.dir, &o, &report, &err);
    CHECK_INT(err.code, rc);
    return rc;
}

static int drill(void)
{
    return drill_with((struct plog_drill_options){.vkey = NULL});
}

static void noted(const char *what)
{
    size_t n;
    char *note = world_read(world_path(&w, "drill.json"), &n);
    if (!CHECK(strstr(note, what) != NULL))
        printf("# %s\n", note);
    free(note);
}

static void all_comes_back(void)
{
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    put(0, 3);
    put_group();
    world_close(&w);
    CHECK_INT(drill(), 0);
    CHECK_INT(report.verdict, 0);
    CHECK_TEXT(report.what, "");
    CHECK_UINT(report.restore.head.size, 7);
    CHECK_UINT(report.records, 3);
    noted("\"ok\":true,\"verdict\":\"CLEAN\"");
    world_end(&w, 7);
}

/* A store that went on another way: where its head stands the log has no
 * commit, and what comes back is less. */
static void no_commit_at_the_head(void)
{
    char store[700];
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    put(0, 3);
    world_close(&w);
    snprintf(store, sizeof store, "%.500s-other", w.dir);
    world_copy(w.dir, store);
    CHECK_INT(world_open(&w), 0);
    put(3, 5);
    world_close(&w);
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    world_copy(world_path(&w, "store.db"), world_path(&w, "../other.db"));
    world_remove(w.dir);
    world_copy(store, w.dir);
    CHECK_INT(world_open(&w), 0);
    put_group();
    world_close(&w);
    world_drop_store(&w);
    world_copy(world_path(&w, "../other.db"), world_path(&w, "store.db"));
    CHECK_INT(drill(), 0);
    CHECK_INT(report.verdict, PLOG_E_DIVERGED);
    CHECK_TEXT(report.what, "the log has no commit at the store's head");
    CHECK_UINT(report.restore.head.size, 4);
    noted("\"ok\":false,\"verdict\":\"DIVERGED\"");
}

/* Of a store that holds nothing nobody can say whether it comes back. */
static void nothing_to_compare(void)
{
    struct plog_store s;
    char path[700], origin[PLOG_ORIGIN_MAX + 1];
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    put(0, 2);
    snprintf(origin, sizeof origin, "%s", w.p->origin);
    world_close(&w);
    world_drop_store(&w);
    CHECK_INT(drill(), PLOG_E_BEHIND);
    CHECK_TEXT(err.message, "there is a log but no store");
    snprintf(path, sizeof path, "%s", world_path(&w, "store.db"));
    CHECK_INT(
        plog_store_open(&s, plog_io_posix(), path, PLOG_OPEN_CREATE, 0, NULL),
        0);
    CHECK_INT(plog_store_create_tables(&s, origin, NULL), 0);
    plog_store_close(&s);
    CHECK_INT(drill(), PLOG_E_NOTHING);
    CHECK_TEXT(err.message, "the store holds no entry yet");
    CHECK_INT(report.verdict, 0); /* it was not begun */
    CHECK(!world_has(&w, "drill.json"));
}

static unsigned begun, fail_at; /* reading transactions, and which one fails */

static bool begin_fails(const char *call, const char *sql, bool busy)
{
    (void)busy;
    return strcmp(call, "exec") == 0 && strcmp(sql, "BEGIN") == 0 &&
           ++begun == fail_at;
}

static int count_copy(void *arg, const char *name)
{
    *(unsigned *)arg += strncmp(name, "drill-", 6) == 0;
    return 0;
}

static unsigned copies(void)
{
    unsigned n = 0;
    const struct plog_io *real = plog_io_posix();
    int fd = open(w.dir, O_RDONLY | O_DIRECTORY);
    CHECK(fd >= 0);
    CHECK_INT(real->list(real->ctx, fd, count_copy, &n), 0);
    close(fd);
    return n;
}

/* Whichever of the stores cannot be read, the original or what came back: that
 * is no copy that is well, and none is left. */
static void a_store_that_cannot_be_read(void)
{
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    put(0, 3);
    world_close(&w);
    sql_calls.fails = begin_fails;
    begun = fail_at = 0;
    CHECK_INT(drill(), 0);
    unsigned all = begun;
    CHECK(all >= 4); /* the original, replaying, parity, comparing */
    for (fail_at = 1; fail_at <= all; fail_at++) {
        begun = 0;
        if (!CHECK_INT(drill(), PLOG_E_IO))
            printf("# BEGIN %u\n", fail_at);
        CHECK_INT(strncmp(err.message, "writing to the store: ", 22), 0);
        CHECK_INT(report.verdict, fail_at > 1 ? PLOG_E_IO : 0);
        CHECK_UINT(report.restore.head.size, fail_at > 1 ? 4 : 0);
        CHECK_UINT(report.records, fail_at > 3 ? 3 : 0);
        noted(fail_at > 1 ? "\"ok\":false,\"verdict\":\"IO\""
                          : "\"ok\":true,\"verdict\":\"CLEAN\"");
        CHECK_UINT(copies(), 0);
    }
    sql_calls.fails = NULL;
    CHECK_INT(drill(), 0);
    world_end(&w, 4);
}

/* ---- Before it begins ------------------------------------------------------
 */

static struct plog_io io;
static int open_code, lock_code, fs_code;
static unsigned refused; /* tries that fail so before one does not; 0: all */
static uint64_t free_bytes;

static int other_open(void *ctx, int dir, const char *name, int flags,
                      uint32_t mode)
{
    if (open_code && strcmp(name, "lock") == 0 && (flags & O_RDWR))
        return open_code;
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

static int other_lock(void *ctx, int fd, uint64_t byte, int mode)
{
    int rc = byte == 2 ? lock_code : 0;
    if (rc && refused && --refused == 0)
        lock_code = 0;
    return rc ? rc : plog_io_posix()->lock_byte(ctx, fd, byte, mode);
}

static int other_room(void *ctx, int fd, struct plog_fs *fs)
{
    int rc = plog_io_posix()->file_system(ctx, fd, fs);
    fs->free_bytes = free_bytes;
    return rc ? rc : fs_code;
}

static void make_over_io(void)
{
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    put(0, 3);
    world_close(&w);
    io = *plog_io_posix();
    io.open_at = other_open;
    io.lock_byte = other_lock;
    io.file_system = other_room;
    open_code = lock_code = fs_code = 0;
    free_bytes = UINT64_MAX;
}

/* What was not begun is no drill: nothing is noted of it, nothing is made. */
static void not_begun(int rc, int code, const char *message)
{
    CHECK_INT(rc, code);
    CHECK_TEXT(err.message, message);
    CHECK_INT(report.verdict, 0);
    CHECK_UINT(report.restore.head.size, 0);
    CHECK(!world_has(&w, "drill.json"));
    CHECK_UINT(copies(), 0);
}

/* One drill at a time; and one that cannot know whether it is alone is none. */
static void one_at_a_time(void)
{
    struct plog_drill_options o = {.io = &io, .wait_seconds = -1};
    make_over_io();
    CHECK_INT(mkdir(world_path(&w, "drill-0123abcd"), 0700), 0); /* killed */
    open_code = -EMFILE;
    CHECK_INT(drill_with(o), PLOG_E_IO);
    CHECK_TEXT(err.message, "opening the lock file: Too many open files");
    CHECK_TEXT(err.file, "lock");
    open_code = 0;
    lock_code = -EAGAIN;
    CHECK_INT(drill_with(o), PLOG_E_LOCKED);
    CHECK_TEXT(err.message, "another drill, or a redaction, is under way");
    lock_code = -ENOLCK;
    CHECK_INT(drill_with(o), PLOG_E_IO);
    CHECK_TEXT(err.message, "locking: No locks available");
    CHECK_TEXT(err.file, "lock");
    CHECK_UINT(copies(), 1); /* which may be another one's */
    CHECK(!world_has(&w, "drill.json"));
    lock_code = -EAGAIN; /* for an instant: a redaction looks at what is left */
    refused = 3;
    o.wait_seconds = 0; /* as long as any call waits */
    CHECK_INT(drill_with(o), 0);
    CHECK_UINT(copies(), 0);
    noted("\"ok\":true,\"verdict\":\"CLEAN\"");
    world_end(&w, 4);
}

/* It takes the log, the store twice and 1 MiB, where it is known what is free
 * and the copy comes to the same disk. */
static void room_for_it(void)
{
    struct plog_drill_options o = {.io = &io};
    struct plog_status st;
    char message[200], scratch[700];
    make_over_io();
    CHECK_INT(plog_read_status(w.dir, NULL, &st, NULL), 0);
    uint64_t need = st.log_bytes + 2 * st.store_bytes + (1u << 20);
    free_bytes = need - 1;
    snprintf(message, sizeof message,
             "no space for a copy: it takes %" PRIu64 " bytes, and %" PRIu64
             " are free on this disk",
             need, need - 1);
    not_begun(drill_with(o), PLOG_E_IO, message);
    CHECK_TEXT(err.hint, "name a path on another disk with --scratch");
    snprintf(scratch, sizeof scratch, "%.600s-scratch", w.dir);
    o.scratch = scratch; /* whose disk is another */
    CHECK_INT(drill_with(o), 0);
    o.scratch = NULL;
    fs_code = -ENOSYS; /* nobody knows */
    CHECK_INT(drill_with(o), 0);
    fs_code = 0;
    CHECK_INT(drill_with(o), PLOG_E_IO);
    free_bytes = need;
    CHECK_INT(drill_with(o), 0);
    free_bytes = 0;
    io.file_system = NULL;
    CHECK_INT(drill_with(o), 0);
    world_end(&w, 4);
}

static int no_random(void *ctx, void *to, size_t n)
{
    (void)ctx;
    return n == 4 ? -EIO : plog_io_posix()->random(ctx, to, n);
}

/* Nor is there one without a path for the copy, or without a log. */
static void no_path_and_no_log(void)
{
    static char longest[5000];
    struct plog_drill_options o = {.io = &io, .scratch = ""};
    make_over_io();
    not_begun(drill_with(o), PLOG_E_ARG, "the scratch path is too long");
    memset(longest, 'a', sizeof longest - 1);
    o.scratch = longest;
    not_begun(drill_with(o), PLOG_E_ARG, "the scratch path is too long");
    o.scratch = NULL;
    io.random = no_random;
    not_begun(drill_with(o), PLOG_E_IO, "no randomness for a name");
    io.random = plog_io_posix()->random;
    world_remove(world_path(&w, "log"));
    not_begun(drill_with(o), PLOG_E_ROLLBACK,
              "the log is gone: log is missing, but store.db is there");
}

/* ---- Not to its end -------------------------------------------------------
 */

static unsigned calls, last_call; /* of progress; which one is the last */
static bool no_memory, runs_out;

static int on_progress(void *arg, const struct plog_progress *p)
{
    (void)arg, (void)p;
    if (++calls < last_call)
        return 0;
    no_memory = runs_out;
    return !runs_out;
}

static void *on_alloc(void *ctx, void *old, size_t n)
{
    return no_memory && n ? NULL : plog_io_posix()->alloc(ctx, old, n);
}

/* Whoever stops it, or has no memory for it, learns nothing of the log: what
 * was noted stays. */
static void not_to_its_end(void)
{
    struct plog_drill_options o = {.io = &io, .progress = on_progress};
    for (int i = 0; i < 2; i++) {
        make_over_io();
        io.alloc = on_alloc;
        runs_out = i;
        last_call = UINT_MAX;
        calls = 0;
        CHECK_INT(drill_with(o), 0);
        unsigned all = calls;
        CHECK(all >= 2);
        for (last_call = 1; last_call <= all; last_call++) {
            calls = 0;
            int rc = drill_with(o);
            CHECK(rc == (i ? PLOG_E_NOMEM : PLOG_E_INTERRUPTED) ||
                  (i && rc == 0)); /* it needs none any more */
            no_memory = false;
            CHECK_INT(report.verdict, 0);
            noted("\"ok\":true,\"verdict\":\"CLEAN\"");
            CHECK_UINT(copies(), 0);
        }
        world_end(&w, 4);
    }
}

/* ---- While the log is compacted or redacted --------------------------------
 */

static unsigned moves, moved; /* of them; UINT_MAX: each time */
static bool armed;

/* The name of the copy is drawn when the original's head is frozen, and before
 * anything was copied. */
static int move_now(void *ctx, void *to, size_t n)
{
    int rc = plog_io_posix()->random(ctx, to, n);
    if (n != 4 || moved >= moves || !armed)
        return rc;
    armed = false;
    moved++;
    CHECK_INT(peers_compact(&w, NULL), 0);
    return rc;
}

/* More than there was to take away. */
static void arm(void)
{
    CHECK_INT(peers_ack(&w, "p", 12 * (moved + 1)), 0);
    armed = true;
}

/* What was copied goes before the next one begins. */
static int arm_again(void *ctx, int dir, const char *name)
{
    if (!armed)
        arm();
    return plog_io_posix()->rmdir_at(ctx, dir, name);
}

static void move_meanwhile(int entries, unsigned times)
{
    peers_make(&w, PLOG_LAST_WRITE_WINS, entries);
    CHECK_INT(peers_add(&w, "p"), 0);
    io = *plog_io_posix();
    io.random = move_now;
    io.rmdir_at = arm_again;
    moves = times;
    moved = 0;
    arm();
}

/* Then the copy is another than what was frozen, and nothing is wrong: it
 * begins anew, and what it says and notes is of that. */
static void begins_anew(void)
{
    struct plog_drill_options o = {.io = &io};
    for (unsigned i = 1; i <= 2; i++) {
        move_meanwhile(40, i);
        CHECK_INT(drill_with(o), 0);
        if (!CHECK_INT(report.verdict, 0))
            printf("# turn %u: %s\n", i, report.what);
        CHECK_UINT(moved, i);
        CHECK_UINT(report.restore.head.size, world_size(&w));
        noted("\"ok\":true,\"verdict\":\"CLEAN\"");
        CHECK_UINT(copies(), 0);
        world_end(&w, world_size(&w));
    }
}

/* Not for ever; and what came of it is no outcome, so the last one stays. */
static void moves_each_time(void)
{
    struct plog_drill_options o = {.io = &io};
    move_meanwhile(280, 0);
    CHECK_INT(drill_with(o), 0);
    moves = UINT_MAX;
    CHECK_INT(drill_with(o), PLOG_E_LOCKED);
    CHECK_TEXT(err.message, "the log was compacted or redacted each of 20 times"
                            " that it was read");
    CHECK(strncmp(err.hint, "run it again", 12) == 0);
    CHECK_UINT(moved, 20);
    CHECK_INT(report.verdict, 0);
    noted("\"ok\":true,\"verdict\":\"CLEAN\"");
    CHECK_UINT(copies(), 0);
    world_end(&w, world_size(&w));
}

/* The segment that the log begins with is not there for a moment, whenever it
 * is about to be read, and a redaction has begun.  (That cannot end while the
 * drill has the store open.) */
static int redact_now(void *ctx, int dir, const char *name, int flags,
                      uint32_t mode)
{
    struct plog_redact_options o = {
        .struct_size = sizeof o, .reason = "test", .wait_seconds = -1};
    struct plog_redact_report r;
    if (moved >= moves || strcmp(name, "00000000000000000001.jsonl") != 0)
        return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
    moved++;
    int rc = plog_redact(w.dir, 10 + moved, &o, &r, NULL);
    CHECK(rc == 0 || rc == PLOG_E_LOCKED);
    return -ENOENT;
}

/* The restore within it begins anew by itself, and gives up: that is no
 * outcome, either. */
static void moves_within_the_restore(void)
{
    struct plog_drill_options o = {.io = &io};
    move_meanwhile(280, 0);
    io = *plog_io_posix();
    CHECK_INT(drill_with(o), 0);
    io.open_at = redact_now;
    moves = UINT_MAX;
    CHECK_INT(drill_with(o), PLOG_E_LOCKED);
    CHECK_UINT(moved, 20);
    CHECK_INT(report.verdict, 0);
    noted("\"ok\":true,\"verdict\":\"CLEAN\"");
    CHECK_UINT(copies(), 0);
    world_end(&w, world_size(&w));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"all comes back", all_comes_back},
        {"no commit at the head", no_commit_at_the_head},
        {"nothing to compare", nothing_to_compare},
        {"a store that cannot be read", a_store_that_cannot_be_read},
        {"one at a time", one_at_a_time},
        {"room for it", room_for_it},
        {"no path and no log", no_path_and_no_log},
        {"not to its end", not_to_its_end},
        {"begins anew", begins_anew},
        {"moves each time", moves_each_time},
        {"moves within the restore", moves_within_the_restore},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
