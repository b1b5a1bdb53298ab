/*
 * test_salvage.c - what can still be read of a damaged log: each group that is
 * intact is given out, each range that is not is named and kept, an error ends
 * it, and what the log is then worth is told by the store, too.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "files.h"
#include "paritylog_recovery.h"
#include "sql_calls.h"
#include "world.h"

static struct world w;
static struct plog_error err;
static struct plog_io io;

static void put(int count)
{
    for (int i = 0; i < count; i++)
        CHECK_INT(world_put(&w, NULL, "1", "v", NULL), 0);
}

static void next_segment(void)
{
    uint64_t first;
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
}

static size_t length_of(const char *name)
{
    size_t n;
    free(world_read(world_path(&w, name), &n));
    return n;
}

/* The last commit is by a key that nobody knows. */
static void rename_last_key(const char *name)
{
    size_t n;
    char path[700];
    snprintf(path, sizeof path, "%s", world_path(&w, name));
    char *bytes = world_read(path, &n), *last = NULL;
    for (char *at = bytes; (at = strstr(at, "\"key\":\"")); at++)
        last = at;
    if (CHECK(last != NULL)) {
        last[7] = last[7] == '0' ? '1' : '0';
        world_write(path, bytes, n);
    }
    free(bytes);
}

/* Changes one byte; from the end: a negative place. */
static void flip(const char *name, long at)
{
    size_t n;
    char path[700];
    snprintf(path, sizeof path, "%s", world_path(&w, name));
    char *bytes = world_read(path, &n);
    size_t i = at < 0 ? n - (size_t)-at : (size_t)at;
    while (at < 0 && (!isalnum(bytes[i]) || !isalnum(bytes[i] ^ 1)))
        i--; /* a signature stays base64 */
    bytes[i] ^= 1;
    world_write(path, bytes, n);
    free(bytes);
}

static struct {
    unsigned lines, ranges;
    uint64_t unproven; /* entries */
    struct plog_salvaged first;
    char file[64], why[200], kept[128];
} found;

static int count_line(void *arg, const char *line, size_t len, bool proven)
{
    (void)arg;
    CHECK(len > 0);
    found.lines++;
    found.unproven += !proven && strncmp(line, "{\"seq\":", 7) == 0;
    return 0;
}

static int keep_range(void *arg, const struct plog_salvaged *s)
{
    (void)arg;
    if (found.ranges++ == 0) {
        found.first = *s;
        snprintf(found.file, sizeof found.file, "%s", s->file);
        snprintf(found.why, sizeof found.why, "%s", s->why);
        snprintf(found.kept, sizeof found.kept, "%s", s->quarantine);
        CHECK_INT(s->quarantine[0] != 0,
                  s->has_bytes && world_has(&w, "quarantine"));
    }
    return 0;
}

static int salvage(struct plog_salvage_options o, struct plog_salvage_report *s)
{
    o.struct_size = sizeof o;
    o.io = &io;
    o.line = count_line;
    o.range = keep_range;
    memset(&found, 0, sizeof found);
    memset(&err, 0, sizeof err);
    int rc = plog_salvage(w.dir, &o, s, &err);
    CHECK_UINT(s->unproven, found.unproven);
    return rc;
}
#define SALVAGE(s, ...) salvage((struct plog_salvage_options){__VA_ARGS__}, (s))

#define FIRST "log/00000000000000000001.jsonl"
#define SECOND "log/00000000000000000004.jsonl"
#define THIRD "log/00000000000000000007.jsonl"

/* Three segments of three entries. */
static void make_three(void)
{
    memset(&w, 0, sizeof w);
    io = *plog_io_posix();
    world_make(&w, PLOG_ARRIVAL, 0);
    put(2);
    next_segment();
    put(3);
    next_segment();
    put(3);
    world_close(&w);
}

static void what_is_left(void)
{
    enum {
        WHOLE,
        STRAY,
        MISSING,
        EMPTY,
        HEADER,
        MIDDLE,
        LAST,
        VERY_LAST,
        END,
        TORN,
        KEY,
        TWO
    };
    static const struct {
        unsigned ranges;
        uint64_t groups, from, to;
        bool bytes;
        const char *file;
        uint64_t unproven; /* behind a gap in a segment */
    } all[] = {
        [WHOLE] = {0, 9, 0, 0, false, "", 0},
        [STRAY] = {0, 9, 0, 0, false, "", 0},
        [MISSING] = {1, 6, 4, 6, false, SECOND, 0},
        [EMPTY] = {1, 6, 4, 6, false, SECOND, 0},
        [HEADER] = {1, 6, 4, 6, true, SECOND, 0},
        [MIDDLE] = {1, 7, 4, 5, true, SECOND, 1},
        [LAST] = {1, 8, 6, 6, true, SECOND, 0},
        [VERY_LAST] = {1, 8, 9, 0, true, THIRD, 0},
        [END] = {1, 8, 9, 0, true, THIRD, 0},
        [TORN] = {1, 9, 10, 0, true, THIRD, 0},
        [KEY] = {1, 8, 9, 0, true, THIRD, 0},
        [TWO] = {2, 5, 3, 0, true, FIRST, 0},
    };
    for (int i = WHOLE; i <= TWO; i++)
        for (int dry_run = 1; dry_run >= 0; dry_run--) {
            struct plog_salvage_report s;
            make_three();
            if (i == STRAY)
                world_write(world_path(&w, "log/notes.txt"), "x", 1);
            if (i == MISSING)
                CHECK_INT(unlink(world_path(&w, SECOND)), 0);
            if (i == EMPTY)
                CHECK_INT(truncate(world_path(&w, SECOND), 0), 0);
            if (i == HEADER)
                flip(SECOND, 20);
            if (i == MIDDLE)
                flip(SECOND, (long)length_of(SECOND) / 2);
            if (i == LAST)
                flip(SECOND, -20);
            if (i == VERY_LAST)
                flip(THIRD, -20);
            if (i == KEY)
                rename_last_key(THIRD);
            if (i == TWO) { /* with no group between */
                flip(FIRST, -20);
                flip(SECOND, 20);
            }
            if (i == END)
                CHECK_INT(truncate(world_path(&w, THIRD),
                                   (off_t)length_of(THIRD) - 9),
                          0);
            if (i == TORN) {
                FILE *f = fopen(world_path(&w, THIRD), "a");
                REQUIRE(f != NULL);
                fputs("{\"seq\":10,", f);
                fclose(f);
            }
            if (!CHECK_INT(SALVAGE(&s, .dry_run = dry_run), 0) ||
                !CHECK_UINT(found.ranges, all[i].ranges) ||
                !CHECK_UINT(s.groups, all[i].groups) ||
                !CHECK_UINT(s.unproven, all[i].unproven) ||
                !CHECK_UINT(found.first.from, all[i].from) ||
                !CHECK_UINT(found.first.to, all[i].to) ||
                !CHECK_INT(found.first.has_bytes, all[i].bytes))
                printf("# %d: %s %s\n", i, err.message, found.why);
            CHECK_TEXT(found.file, all[i].file);
            CHECK_UINT(found.lines, 2 * s.groups);
            CHECK_UINT(s.ranges, found.ranges);
            CHECK_INT(world_has(&w, "quarantine"), !dry_run && all[i].bytes);
            world_remove(w.dir);
        }
}

static size_t kept_files(void)
{
    struct tree t;
    tree_read(&t, world_path(&w, "quarantine"));
    size_t n = t.count;
    tree_free(&t);
    return n;
}

/* Told again, the same bytes are not kept again; others are. */
static void kept_once(void)
{
    struct plog_salvage_report s;
    char first[128];
    make_three();
    flip(SECOND, (long)length_of(SECOND) / 2);
    CHECK_INT(SALVAGE(&s, .vkey = NULL), 0);
    CHECK_UINT(kept_files(), 1);
    snprintf(first, sizeof first, "%s", found.kept);
    CHECK(world_has(&w, first));
    CHECK_INT(SALVAGE(&s, .vkey = NULL), 0);
    CHECK_UINT(kept_files(), 1);
    CHECK_TEXT(found.kept, first);
    CHECK(s.bytes > 0);
    flip(first, 3); /* what is there is not these bytes */
    CHECK_INT(SALVAGE(&s, .vkey = NULL), 0);
    CHECK_UINT(kept_files(), 2);
    CHECK(strcmp(found.kept, first) != 0);
    flip(SECOND, (long)length_of(SECOND) / 2 + 1);
    CHECK_INT(SALVAGE(&s, .vkey = NULL), 0);
    CHECK_UINT(kept_files(), 3);
    world_remove(w.dir);
}

/* Where each line of a file begins, and the last one ends. */
static void measure(const char *name, uint64_t at[8])
{
    size_t n;
    char *bytes = world_read(world_path(&w, name), &n), *line = bytes;
    for (int i = 0; i < 8; i++) {
        char *lf = strchr(line, '\n');
        at[i] = (uint64_t)(line - bytes);
        line = lf ? lf + 1 : line;
    }
    free(bytes);
}

static void append(const char *name, const char *text)
{
    FILE *f = fopen(world_path(&w, name), "a");
    REQUIRE(f != NULL);
    fputs(text, f);
    fclose(f);
}

/* What was told of, and kept, is `name` from `begin` to `end`. */
static void range_is(const char *name, uint64_t begin, uint64_t end,
                     const struct plog_salvage_report *s)
{
    size_t n, kept;
    CHECK_UINT(found.ranges, 1);
    CHECK_TEXT(found.file, name);
    CHECK_UINT(found.first.begin, begin);
    CHECK_UINT(found.first.end, end);
    CHECK_UINT(s->bytes, end - begin);
    if (!found.kept[0])
        return;
    char *bytes = world_read(world_path(&w, name), &n);
    char *copy = world_read(world_path(&w, found.kept), &kept);
    if (CHECK(end <= n))
        CHECK_BYTES(copy, kept, bytes + begin, end - begin);
    free(bytes);
    free(copy);
}

/* Its bytes go on to the next group that is good, or to the end of the last
 * line: no padding is among them. */
static void where_a_range_ends(void)
{
    enum { HEADER, MIDDLE, LAST, VERY_LAST, HALF, TORN };
    static const struct {
        int hit, begin, end; /* lines; the damaged one from 1 */
        uint64_t from, to;
    } all[] = {
        [HEADER] = {1, 0, 7, 4, 6}, [MIDDLE] = {4, 3, 5, 5, 5},
        [LAST] = {7, 5, 7, 6, 6},   [VERY_LAST] = {7, 5, 7, 9, 0},
        [HALF] = {6, 5, 7, 9, 0}, /* of the last group */
        [TORN] = {0, 7, 7, 10, 0},
    };
    for (int i = HEADER; i <= TORN; i++)
        for (int turn = 0; turn < 4; turn++) {
            const char *name = i >= VERY_LAST ? THIRD : SECOND;
            struct plog_salvage_report s;
            uint64_t at[8];
            bool dry_run = turn & 1, padded = turn & 2;
            make_three();
            measure(name, at);
            if (all[i].hit)
                flip(name, (long)at[all[i].hit - 1] + 20);
            append(name, i == TORN ? "{\"seq\":10,\n" : "");
            append(name, padded && i != MIDDLE ? "\n\n\n\n\n\n\n" : "");
            CHECK_INT(SALVAGE(&s, .dry_run = dry_run), 0);
            CHECK_INT(found.kept[0] != '\0', !dry_run);
            range_is(name, at[all[i].begin],
                     at[all[i].end] + (i == TORN ? 11 : 0), &s);
            CHECK_UINT(found.first.from, all[i].from);
            CHECK_UINT(found.first.to, all[i].to);
            world_remove(w.dir);
        }
}

/* ---- Errors -----------------------------------------------------------------
 */

static unsigned reads, fail_at;
static int64_t failing_pread(void *ctx, int fd, void *buf, size_t n,
                             uint64_t offset)
{
    if (++reads == fail_at)
        return -EIO;
    return plog_io_posix()->pread(ctx, fd, buf, n, offset);
}

/* A read that fails is no damage: nobody may take it for that, nor find another
 * range than there is.  @at  what is damaged, in the middle or at the end */
static void fail_each_read(long at)
{
    struct plog_salvage_report s;
    make_three();
    flip(SECOND, at ? at : (long)length_of(SECOND) / 2);
    io.pread = failing_pread;
    fail_at = reads = 0;
    CHECK_INT(SALVAGE(&s, .dry_run = true), 0);
    unsigned all = reads, failed = 0;
    struct plog_salvaged want = found.first;
    CHECK(all > 5 && want.begin < want.end);
    for (fail_at = 1; fail_at <= all; fail_at++) {
        reads = 0;
        int rc = SALVAGE(&s, .dry_run = true);
        if (!CHECK(rc == 0 || (rc == PLOG_E_IO && err.code == rc)))
            printf("# read %u: %d %s\n", fail_at, rc, err.message);
        failed += rc != 0;
        CHECK(found.ranges == s.ranges);
        CHECK(found.ranges == 1 || (found.ranges == 0 && rc && !s.bytes));
        if (found.ranges == 0)
            continue;
        CHECK_UINT(found.first.begin, want.begin);
        CHECK_UINT(found.first.end, want.end);
        CHECK_UINT(found.first.from, want.from);
        CHECK_UINT(found.first.to, want.to);
        CHECK(found.first.has_bytes);
        CHECK_UINT(s.bytes, want.end - want.begin);
    }
    CHECK(failed > all / 2);
}

static void a_read_that_fails(void)
{
    fail_each_read(0);
    fail_each_read(-20);
}

static unsigned opened;
static int failing_open(void *ctx, int dir, const char *name, int flags,
                        uint32_t mode)
{
    if (strstr(name, ".jsonl") && ++opened == fail_at)
        return -EIO;
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* Nor is a segment that cannot be opened behind damage. */
static void an_open_that_fails(void)
{
    struct plog_salvage_report s;
    struct plog_check_report report;
    make_three();
    flip(SECOND, -20);
    io.open_at = failing_open;
    for (int verify = 0; verify < 2; verify++) {
        struct plog_check_options o = {.struct_size = sizeof o, .io = &io};
        unsigned all = 0, failed = 0;
        for (fail_at = 0; fail_at <= all; fail_at++) {
            opened = 0;
            memset(&err, 0, sizeof err);
            int rc = verify ? plog_verify(w.dir, &o, &report, &err)
                            : SALVAGE(&s, .dry_run = true);
            if (fail_at == 0) {
                CHECK_INT(rc, 0);
                all = opened;
            }
            if (!CHECK(rc == 0 || (rc == PLOG_E_IO && err.code == rc)))
                printf("# open %u: %d %s\n", fail_at, rc, err.message);
            failed += rc != 0;
        }
        CHECK(all > 2 && failed > 1);
    }
}

static int no_folder(void *ctx, int dir, const char *name, uint32_t mode)
{
    (void)ctx, (void)dir, (void)mode;
    CHECK_TEXT(name, "quarantine");
    return -EROFS;
}

/* What could not be kept is not told of as if it were, inside of the log or at
 * its end. */
static void nowhere_to_keep_it(void)
{
    for (int torn = 0; torn < 2; torn++) {
        const char *name = torn ? THIRD : SECOND;
        struct plog_salvage_report s;
        make_three();
        if (torn)
            append(name, "{\"seq\":10,");
        else
            flip(name, -20);
        io.mkdir_at = no_folder;
        CHECK_INT(SALVAGE(&s, .dry_run = false), PLOG_E_IO);
        CHECK_INT(err.code, PLOG_E_IO);
        CHECK_TEXT(err.message, "making the folder: Read-only file system");
        CHECK_TEXT(err.file, "quarantine");
        CHECK_UINT(found.ranges, 0);
        CHECK_UINT(s.ranges, 0);
        CHECK_UINT(s.bytes, 0);
        io = *plog_io_posix();
        CHECK_INT(SALVAGE(&s, .dry_run = false), 0);
        CHECK_UINT(found.ranges, 1);
        CHECK_UINT(s.ranges, 1);
        CHECK_TEXT(found.file, name);
        CHECK_UINT(s.bytes, found.first.end - found.first.begin);
    }
}

/* ---- Stopped ---------------------------------------------------------------
 */

static struct {
    unsigned calls, stop_at;
    uint64_t last, bytes; /* of the last progress */
} asked;

static int stop(void)
{
    return ++asked.calls == asked.stop_at;
}

static int stop_at_line(void *arg, const char *line, size_t len, bool proven)
{
    (void)arg, (void)line, (void)len, (void)proven;
    return stop();
}

static int stop_at_range(void *arg, const struct plog_salvaged *s)
{
    (void)arg, (void)s;
    return stop();
}

static int stop_at_progress(void *arg, const struct plog_progress *p)
{
    (void)arg;
    CHECK_TEXT(p->phase, "salvage");
    CHECK_UINT(p->total, 0);
    CHECK(p->done > asked.last && p->bytes > asked.bytes);
    asked.last = p->done;
    asked.bytes = p->bytes;
    return stop();
}

/* Whoever is asked line by line, range by range or group by group may stop it
 * there, and is not asked again. */
static void stopped(void)
{
    static const unsigned want[] = {16, 1, 8};
    make_three();
    flip(SECOND, -20);
    for (unsigned i = 0; i < 3; i++)
        for (unsigned at = 0; at <= want[i]; at++) {
            struct plog_salvage_options o = {.struct_size = sizeof o,
                                             .dry_run = true};
            struct plog_salvage_report s;
            if (i == 0)
                o.line = stop_at_line;
            if (i == 1)
                o.range = stop_at_range;
            if (i == 2)
                o.progress = stop_at_progress;
            memset(&asked, 0, sizeof asked);
            asked.stop_at = at;
            memset(&err, 0, sizeof err);
            CHECK_INT(plog_salvage(w.dir, &o, &s, &err),
                      at ? PLOG_E_INTERRUPTED : 0);
            CHECK_UINT(asked.calls, at ? at : want[i]);
            CHECK_TEXT(err.message, at ? "stopped" : err.message);
            CHECK_INT(err.code == PLOG_E_INTERRUPTED, at != 0);
        }
    /* and nobody need be asked */
    struct plog_salvage_options o = {.struct_size = sizeof o, .dry_run = true};
    struct plog_salvage_report s;
    CHECK_INT(plog_salvage(w.dir, &o, &s, NULL), 0);
    CHECK_UINT(s.ranges, 1);
    CHECK_INT(s.verdict, PLOG_E_TAMPERED);
}

/* The bytes that it tells of are those of the files it came by, damaged or not,
 * without one that cannot be read. */
static void bytes_so_far(void)
{
    for (int whole = 1; whole >= 0; whole--) {
        struct plog_salvage_options o = {.struct_size = sizeof o,
                                         .dry_run = true,
                                         .progress = stop_at_progress};
        struct plog_salvage_report s;
        make_three();
        uint64_t before = length_of(FIRST) + (whole ? length_of(SECOND) : 0);
        if (whole) {
            flip(SECOND, -20);
        } else {
            unlink(world_path(&w, SECOND));
            CHECK_INT(mkdir(world_path(&w, SECOND), 0700), 0);
        }
        memset(&asked, 0, sizeof asked);
        CHECK_INT(plog_salvage(w.dir, &o, &s, NULL), 0);
        CHECK_UINT(asked.last, 9);
        CHECK_UINT(asked.bytes, before + (uint64_t)world_number(
                                             &w, "SELECT offset FROM meta"));
        CHECK_UINT(s.ranges, 1);
    }
}

/* With no segment at all there is nothing to be read. */
static void a_strange_name_alone(void)
{
    struct plog_salvage_report s;
    make_three();
    world_remove(world_path(&w, "log"));
    CHECK_INT(mkdir(world_path(&w, "log"), 0700), 0);
    world_write(world_path(&w, "log/notes.txt"), "x", 1);
    CHECK_INT(SALVAGE(&s, .dry_run = true), PLOG_E_CORRUPT);
    CHECK_TEXT(err.file, "log/notes.txt");
}

static const char *failing_name;
static int failing_stat(void *ctx, int dir, const char *name,
                        struct plog_stat *st)
{
    if (strcmp(name, failing_name) == 0)
        return -EIO;
    return plog_io_posix()->stat_at(ctx, dir, name, st);
}

/* log/ is made anew only where it is known to be gone, and a store is there. */
static void no_log_folder(void)
{
    static const char *const names[] = {"store.db", "log"};
    struct plog_salvage_report s;
    make_three();
    world_remove(world_path(&w, "log"));
    for (int i = 0; i < 2; i++) {
        failing_name = names[i];
        io.stat_at = failing_stat;
        CHECK_INT(SALVAGE(&s, .from_store = true), PLOG_E_IO);
        CHECK_INT(err.code, PLOG_E_IO);
        CHECK(!world_has(&w, "log"));
    }
    io = *plog_io_posix();
    /* A plan is one there, too; and changes nothing. */
    CHECK_INT(SALVAGE(&s, .dry_run = true), PLOG_E_ROLLBACK);
    CHECK_INT(SALVAGE(&s, .from_store = true, .dry_run = true), 0);
    CHECK_INT(s.verdict, PLOG_E_ROLLBACK);
    CHECK_UINT(s.from_store, 9);
    CHECK(!world_has(&w, "log"));
    /* Nor is one left by what is refused. */
    CHECK_INT(rename(world_path(&w, "keys"), world_path(&w, "kept")), 0);
    CHECK_INT(SALVAGE(&s, .from_store = true), PLOG_E_UNKNOWN_KEY);
    CHECK(strstr(err.hint, "paritylog key trust DIR VKEY") != NULL);
    CHECK(!world_has(&w, "log"));
    CHECK_INT(rename(world_path(&w, "kept"), world_path(&w, "keys")), 0);
    world_sql(&w, "CREATE TABLE kept AS SELECT * FROM events WHERE seq=2;"
                  "UPDATE events SET line=line||' ' WHERE seq=2");
    CHECK_INT(SALVAGE(&s, .from_store = true), 0);
    CHECK_INT(s.verdict, PLOG_E_ROLLBACK);
    CHECK(s.left > 0 && s.healed == 0);
    CHECK(!world_has(&w, "log"));
    CHECK_INT(mkdir(world_path(&w, "log"), 0700), 0);
    CHECK_INT(SALVAGE(&s, .from_store = true), 0);
    CHECK(s.left > 0 && s.healed == 0);
    CHECK_INT(rmdir(world_path(&w, "log")), 0); /* one that was there stays */
    world_sql(&w, "UPDATE events SET line=(SELECT line FROM kept) WHERE seq=2;"
                  "DROP TABLE kept");
    CHECK_INT(SALVAGE(&s, .from_store = true), 0);
    CHECK_INT(s.verdict, 0);
    CHECK_UINT(s.from_store, 9);
    CHECK_UINT(s.head.size, 9);
    make_three();
    world_remove(world_path(&w, "log"));
    unlink(world_path(&w, "store.db"));
    CHECK_INT(SALVAGE(&s, .from_store = true), PLOG_E_NOTHING);
    CHECK(!world_has(&w, "log"));
}

/* ---- What the store says ----------------------------------------------------
 */

static bool none_fails(const char *call, const char *sql, bool busy)
{
    (void)call, (void)sql, (void)busy;
    return false;
}

/* A signed head that the log has not: it is short, however whole it looks.  A
 * store that cannot be opened is asked nothing. */
static void a_store_ahead(void)
{
    static const struct {
        const char *sql;
        int verdict;
    } all[] = {
        {"SELECT 1", PLOG_E_ROLLBACK},
        {"UPDATE meta SET sig=zeroblob(64)", 0},
        {"UPDATE meta SET key='00000000'", 0},
        {"DELETE FROM meta", 0},
        {"DROP TABLE meta", 0},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_salvage_report s;
        make_three();
        CHECK_INT(world_open(&w), 0);
        size_t end = (size_t)world_number(&w, "SELECT offset FROM meta");
        put(1);
        world_close(&w);
        CHECK_INT(truncate(world_path(&w, THIRD), (off_t)end), 0);
        world_sql(&w, all[i].sql);
        sql_calls.fails = none_fails; /* but SQLite is not misused */
        CHECK_INT(SALVAGE(&s, .dry_run = true), 0);
        sql_calls.fails = NULL;
        CHECK_INT(s.verdict, all[i].verdict);
        CHECK_UINT(s.entries, 9);
        CHECK_UINT(s.ranges, 0);
        world_remove(w.dir);
    }
}

/* Orders that are pending are told where bytes were kept, which may have the
 * payload: of others status knows. */
static void nothing_kept(void)
{
    struct plog_salvage_report s;
    struct plog_redact_report r;
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "x"};
    make_three();
    CHECK_INT(plog_redact(w.dir, 2, &o, &r, NULL), 0);
    world_sql(&w, "UPDATE redactions SET pending=1");
    CHECK_INT(SALVAGE(&s, .vkey = NULL), 0);
    CHECK_UINT(s.bytes, 0);
    CHECK_UINT(s.pending, 0);
    flip(SECOND, (long)length_of(SECOND) / 2);
    CHECK_INT(SALVAGE(&s, .vkey = NULL), 0);
    CHECK(s.bytes > 0);
    CHECK_UINT(s.pending, 1);
    world_remove(w.dir);
}

static int looks; /* at the first segment */
static int count_open(void *ctx, int dir, const char *name, int flags,
                      uint32_t mode)
{
    looks += strcmp(name, strrchr(FIRST, '/') + 1) == 0;
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* Whether log and store are two histories is asked, reading all of it, of a log
 * alone that is not well. */
static void read_once_more(void)
{
    struct plog_salvage_report s;
    struct plog_check_options o = {.struct_size = sizeof o, .io = &io};
    struct plog_check_report r;
    make_three();
    io.open_at = count_open;
    looks = 0;
    CHECK_INT(plog_verify(w.dir, &o, &r, &err), 0);
    int verified = looks;
    for (int heals = 0; heals < 2; heals++) {
        looks = 0;
        CHECK_INT(SALVAGE(&s, .from_store = heals), 0);
        CHECK_INT(s.verdict, 0);
        /* Healing looks at its header and its name, for a floor that the store
         * does not know, and at its bytes. */
        CHECK_INT(looks - verified, heals ? 4 : 1);
    }
    world_end(&w, 9);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"what is left", what_is_left},
        {"kept once", kept_once},
        {"where a range ends", where_a_range_ends},
        {"a read that fails", a_read_that_fails},
        {"an open that fails", an_open_that_fails},
        {"nowhere to keep it", nowhere_to_keep_it},
        {"stopped", stopped},
        {"bytes so far", bytes_so_far},
        {"a strange name alone", a_strange_name_alone},
        {"no log folder", no_log_folder},
        {"a store ahead", a_store_ahead},
        {"nothing kept", nothing_kept},
        {"read once more", read_once_more},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
