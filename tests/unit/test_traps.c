/*
 * test_traps.c - one storm for each trap of the write path and of opening:
 * states that a crash, another process or a damaged disk can leave, and that
 * a careless engine would write into.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "engine.h"
#include "order_shim.h"
#include "paritylog_recovery.h"

#define SEGMENT "/log/00000000000000000001.jsonl"

/* ---- A table that can be watched and made to fail ----------------------- */

static struct plog_io io;
static bool fail_commits;         /* SQLite's WAL refuses commit frames */
static void (*before_sync)(void); /* a group is written, not yet synced */

static int trap_event(void *ctx, const struct plog_store_event *e)
{
    if (fail_commits && order_is_commit(e))
        return 1;
    return order_io()->store_event(ctx, e);
}

static int trap_fdatasync(void *ctx, int fd)
{
    void (*look)(void) = before_sync;
    before_sync = NULL;
    if (look)
        look();
    return order_io()->fdatasync(ctx, fd);
}

static void set_up(void)
{
    io = *order_io();
    io.store_event = trap_event;
    io.fdatasync = trap_fdatasync;
    fail_commits = false;
    before_sync = NULL;
}

/* ---- A log to play with ------------------------------------------------- */

static void path_of(char *out, const char *dir, const char *name)
{
    snprintf(out, 512, "%.400s%.100s", dir, name);
}

static const char *make_log(uint64_t segment_size)
{
    char vkey[PLOG_VKEY_MAX];
    static char path[8][512];
    static int next;
    char *dir = path[next++ % 8];
    struct plog_init_options o = {.struct_size = sizeof o,
                                  .strategy = PLOG_ARRIVAL,
                                  .segment_size_bytes = segment_size};
    set_up();
    path_of(dir, check_dir(), "/log");
    CHECK_INT(plog_init(dir, &o, vkey, NULL), 0);
    return dir;
}

static plog *open_log(const char *dir, int expected)
{
    struct plog_options o = {
        .struct_size = sizeof o, .io = &io, .wait_seconds = -1};
    struct plog_error err = {0};
    plog *p = NULL;
    int rc = plog_open(&p, dir, &o, &err);
    if (!CHECK_INT(rc, expected))
        printf("#   %s\n", err.message);
    return p;
}

static int put(plog *p, int record, const char *value)
{
    char text[300];
    struct plog_error err = {0};
    snprintf(
        text, sizeof text,
        "{\"id\":\"%d-%s\",\"resource\":\"r\",\"record_id\":\"%d\",\"op\":"
        "\"upsert\",\"payload\":{\"v\":\"%s\"},\"occurred_at\":\"2026-01-02"
        "T03:04:05Z\",\"provenance\":{\"source\":\"s\",\"confidence\":1}}",
        record, value, record, value);
    return plog_append(p, text, strlen(text), NULL, &err);
}

static void put_many(plog *p, int from, int to)
{
    for (int i = from; i < to; i++)
        CHECK_INT(put(p, i, "a"), 0);
}

static int count_finding(void *arg, const struct plog_finding *f)
{
    struct plog_finding *first = arg;
    if (first->verdict == 0)
        *first = *f;
    return 0;
}

static int parity(const char *dir, uint64_t *size)
{
    struct plog_finding first = {0};
    struct plog_check_options o = {.struct_size = sizeof o,
                                   .io = &io,
                                   .wait_seconds = -1,
                                   .finding = count_finding,
                                   .arg = &first};
    struct plog_check_report report;
    struct plog_error err = {0};
    int rc = plog_parity(dir, &o, &report, &err);
    if (!CHECK_INT(rc, 0))
        printf("#   %s\n", err.message);
    if (size)
        *size = report.head.size;
    return report.verdict;
}

static int verify(const char *dir, struct plog_finding *first)
{
    struct plog_check_options o = {
        .struct_size = sizeof o, .finding = count_finding, .arg = first};
    struct plog_check_report report;
    memset(first, 0, sizeof *first);
    CHECK_INT(plog_verify(dir, &o, &report, NULL), 0);
    return report.verdict;
}

static int replay(const char *dir)
{
    struct plog_replay_report report;
    return plog_replay(dir, NULL, &report, NULL);
}

/* ---- Files -------------------------------------------------------------- */

static char *slurp(const char *dir, const char *name, size_t *n)
{
    char path[512];
    struct stat st;
    path_of(path, dir, name);
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &st))
        abort();
    char *data = malloc((size_t)st.st_size + 1);
    *n = (size_t)st.st_size;
    if (!data || read(fd, data, *n) != (ssize_t)*n)
        abort();
    close(fd);
    return data;
}

static void spill(const char *dir, const char *name, const char *p, size_t n)
{
    char path[512];
    path_of(path, dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, p, n) != (ssize_t)n)
        abort();
    close(fd);
}

static void copy(const char *from, const char *to, const char *name)
{
    size_t n;
    char *data = slurp(from, name, &n);
    spill(to, name, data, n);
    free(data);
}

static void drop(const char *dir, const char *name)
{
    char path[512];
    path_of(path, dir, name);
    unlink(path);
}

static void copy_tree(const char *from, const char *to)
{
    char command[1200];
    snprintf(command, sizeof command, "cp -a '%s' '%s'", from, to);
    CHECK_INT(system(command), 0);
}

static bool quarantined(const char *dir)
{
    char path[512];
    struct stat st;
    path_of(path, dir, "/quarantine");
    return stat(path, &st) == 0;
}

static void run_sql(const char *dir, const char *sql)
{
    char path[512];
    sqlite3 *db = NULL;
    path_of(path, dir, "/store.db");
    CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    CHECK_INT(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* ---- 1. A power cut right after rotation, with SQLite's WAL lost -------- */

/* The name of the segment made last. */
static void last_segment(const char *dir, char *out)
{
    char command[600], line[64] = "";
    snprintf(command, sizeof command, "ls '%s/log' | tail -n 1", dir);
    FILE *f = popen(command, "r");
    if (!f || !fgets(line, sizeof line, f))
        abort();
    pclose(f);
    line[strcspn(line, "\n")] = '\0';
    snprintf(out, 128, "/log/%.60s", line);
}

static void lose_wal(const char *dir)
{
    drop(dir, "/store.db-wal");
    drop(dir, "/store.db-shm");
}

/* Every acknowledged entry comes back from the log alone. */
static void rotation_then_lost_wal(void)
{
    uint64_t size;
    char dir[512];
    const char *whole = make_log(4096);
    plog *p = open_log(whole, 0);
    put_many(p, 0, 60);
    path_of(dir, check_dir(), "/lost");
    copy_tree(whole, dir); /* while it is open: closing may empty the WAL */
    plog_close(p);
    lose_wal(dir);
    p = open_log(dir, 0);
    CHECK_INT(put(p, 60, "a"), 0);
    plog_close(p);
    CHECK_INT(parity(dir, &size), 0);
    CHECK_UINT(size, 62);
}

/* Every byte near the ends of lines, strides elsewhere. */
static size_t next_cut(const char *data, size_t n, size_t cut)
{
    size_t header = strcspn(data, "\n") + 1;
    bool near = cut < 8 || n - cut < 8 || cut + 64 > header - 4;
    return near && (cut < header + 4 || n - cut < 8) ? 1 : 61;
}

/* The new segment reached the disk in part: its group was never acknowledged
 * (its WAL is lost, too), it is set aside, and all before it stands. */
static void rotation_torn_at_every_cut(void)
{
    const char *whole = make_log(4096);
    char name[128] = SEGMENT, first[128] = SEGMENT;
    plog *p, *writer = open_log(whole, 0); /* stays, and the WAL with it */
    for (int i = 0; !strcmp(name, first); i++) {
        CHECK_INT(put(writer, i, "a"), 0);
        last_segment(whole, name);
    }
    size_t n;
    char *data = slurp(whole, name, &n);
    for (size_t cut = 0; cut < n; cut += next_cut(data, n, cut)) {
        char dir[512];
        uint64_t size;
        path_of(dir, check_dir(), "/cut");
        copy_tree(whole, dir);
        lose_wal(dir);
        spill(dir, name, data, cut);
        p = open_log(dir, 0);
        CHECK_INT(parity(dir, &size), 0); /* also with a bare segment */
        CHECK_INT(put(p, 999, "b"), 0);
        plog_close(p);
        CHECK_INT(parity(dir, &size), 0);
        CHECK(quarantined(dir) == (cut > 0 && cut != strcspn(data, "\n") + 1));
    }
    plog_close(writer);
    free(data);
}

/* The last line end had a block to itself, which did not reach the disk; its
 * group was acknowledged to nobody. */
static void only_the_last_line_end_is_torn(void)
{
    static const char instead[] = {'\0', ';', '{'};
    const char *whole = make_log(0);
    struct plog_finding first;
    plog *p, *writer = open_log(whole, 0); /* stays, and the WAL with it */
    put_many(writer, 0, 3);
    size_t n, end;
    char *data = slurp(whole, SEGMENT, &n);
    for (end = n; data[end - 2] == '\n'; end--)
        ;
    for (size_t i = 0; i < sizeof instead; i++) {
        char dir[512];
        uint64_t size;
        path_of(dir, check_dir(), "/cut");
        copy_tree(whole, dir);
        lose_wal(dir);
        data[end - 1] = instead[i];
        spill(dir, SEGMENT, data, i ? n : end); /* with padding, and without */
        CHECK_INT(verify(dir, &first), PLOG_E_TORN);
        p = open_log(dir, 0);
        CHECK_INT(put(p, 999, "b"), 0);
        plog_close(p);
        CHECK_INT(parity(dir, &size), 0);
        CHECK_UINT(size, 4);
        CHECK(quarantined(dir));
    }
    plog_close(writer);
    free(data);
}

/* ---- 2. A flip in group 3 of 900, with the store absent ----------------- */

/* Damage far from the end is never a torn tail: nothing is trimmed. */
static void flip_in_group_3_of_900(void)
{
    const char *dir = make_log(0);
    struct plog_finding first;
    size_t n, after;
    plog *p = open_log(dir, 0);
    put_many(p, 0, 899);
    plog_close(p);
    char *data = slurp(dir, SEGMENT, &n);
    char *at = strstr(data, "\"seq\":3,");
    REQUIRE(at != NULL);
    strstr(at, "\"payload\"")[16] ^= 1; /* the a of {"v":"a"} */
    spill(dir, SEGMENT, data, n);
    drop(dir, "/store.db");
    lose_wal(dir);
    CHECK_INT(replay(dir), PLOG_E_TAMPERED);
    CHECK(open_log(dir, PLOG_E_BEHIND) == NULL);
    CHECK_INT(verify(dir, &first), PLOG_E_TAMPERED);
    CHECK_UINT(first.seq, 3);
    char *again = slurp(dir, SEGMENT, &after);
    CHECK_BYTES(again, after, data, n);
    CHECK(!quarantined(dir));
    free(again);
    free(data);
}

/* ---- 3. Files swapped under an open handle ------------------------------ */

/* A copy with the same bytes takes the segment's place: writing goes on in
 * the file that has the name. */
static void segment_swapped_for_a_copy(void)
{
    const char *dir = make_log(0);
    char from[512], to[512];
    uint64_t size;
    plog *p = open_log(dir, 0);
    put_many(p, 0, 5);
    path_of(from, dir, SEGMENT);
    path_of(to, dir, "/moved");
    CHECK_INT(rename(from, to), 0);
    size_t n;
    char *data = slurp(dir, "/moved", &n);
    spill(dir, SEGMENT, data, n);
    free(data);
    CHECK_INT(put(p, 5, "a"), 0);
    plog_close(p);
    CHECK_INT(parity(dir, &size), 0);
    CHECK_UINT(size, 7);
}

/* The segment is gone: nothing is written anywhere until it is back. */
static void segment_renamed_away(void)
{
    const char *dir = make_log(0);
    char from[512], to[512];
    uint64_t size;
    plog *p = open_log(dir, 0);
    put_many(p, 0, 5);
    path_of(from, dir, SEGMENT);
    path_of(to, dir, "/moved");
    CHECK_INT(rename(from, to), 0);
    CHECK(put(p, 5, "a") < 0);
    CHECK_INT(rename(to, from), 0);
    CHECK_INT(put(p, 6, "a"), 0);
    plog_close(p);
    CHECK_INT(parity(dir, &size), 0);
    CHECK_UINT(size, 7);
}

/* An older store takes store.db's place: the handle notices and replays. */
static void store_swapped_for_an_older_one(void)
{
    const char *dir = make_log(0);
    char old[512];
    uint64_t size;
    plog *p = open_log(dir, 0);
    put_many(p, 0, 3);
    path_of(old, check_dir(), "/old");
    copy_tree(dir, old);
    put_many(p, 3, 8);
    drop(dir, "/store.db");
    lose_wal(dir);
    copy(old, dir, "/store.db");
    copy(old, dir, "/store.db-wal");
    CHECK_INT(put(p, 8, "a"), 0);
    plog_close(p);
    CHECK_INT(parity(dir, &size), 0);
    CHECK_UINT(size, 10);
}

/* No store is made in place of one that was taken away. */
static void store_taken_away(void)
{
    const char *dir = make_log(0);
    uint64_t size;
    plog *p = open_log(dir, 0);
    put_many(p, 0, 3);
    drop(dir, "/store.db");
    lose_wal(dir);
    CHECK_INT(put(p, 3, "a"), PLOG_E_BEHIND);
    CHECK_INT(put(p, 4, "a"), PLOG_E_BEHIND);
    plog_close(p);
    CHECK_INT(replay(dir), 0);
    CHECK_INT(parity(dir, &size), 0);
    CHECK_UINT(size, 4);
}

/* Another file is called `lock`: whoever opens now would not see ours. */
static void lock_swapped(void)
{
    const char *dir = make_log(0);
    char from[512], to[512];
    uint64_t size;
    plog *p = open_log(dir, 0);
    put_many(p, 0, 3);
    path_of(from, dir, "/lock");
    path_of(to, dir, "/lock-old");
    CHECK_INT(rename(from, to), 0);
    plog *q = open_log(dir, 0); /* makes a new one */
    put_many(q, 3, 6);
    put_many(p, 6, 9);
    put_many(q, 9, 12);
    plog_close(p);
    plog_close(q);
    CHECK_INT(parity(dir, &size), 0);
    CHECK_UINT(size, 13);
}

/* ---- 4. Trimming by a process with an old head -------------------------- */

/* Whoever closes cuts at the head in the store, not at the one it remembers. */
static void trim_with_an_old_head(void)
{
    const char *dir = make_log(0);
    uint64_t size;
    size_t n;
    plog *a = open_log(dir, 0);
    put_many(a, 0, 20); /* keeps writing: pads the segment ahead */
    free(slurp(dir, SEGMENT, &n));
    CHECK(n > 64 << 10);
    plog *b = open_log(dir, 0);
    put_many(b, 20, 40);
    plog_close(a);
    CHECK_INT(put(b, 40, "a"), 0);
    plog_close(b);
    CHECK_INT(parity(dir, &size), 0);
    CHECK_UINT(size, 42);
    free(slurp(dir, SEGMENT, &n));
    CHECK(n < 64 << 10);
}

/* ---- 5. COMMIT failing after the log was synced ------------------------- */

/* The caller hears `indeterminate`; the group is replayed before anything
 * else is appended, and its id is known then. */
static void commit_fails_after_sync(void)
{
    const char *dir = make_log(0);
    uint64_t size;
    plog *p = open_log(dir, 0);
    put_many(p, 0, 3);
    fail_commits = true;
    CHECK_INT(put(p, 3, "a"), PLOG_E_INDETERMINATE);
    CHECK(put(p, 4, "a") < 0);
    fail_commits = false;
    CHECK_INT(put(p, 5, "a"), 0);
    CHECK_INT(put(p, 3, "a"), 0); /* a duplicate: nothing is written */
    plog_close(p);
    CHECK_INT(parity(dir, &size), 0);
    CHECK_UINT(size, 6);
}

/* ---- 6. A reader while a group is written and not yet synced ------------ */

static const char *watched;
static plog_sub *follower;
static unsigned looks;

static int no_line(void *arg, uint64_t seq, const char *line, size_t len)
{
    (void)line, (void)len;
    *(uint64_t *)arg = seq;
    return 0;
}

static void look_inside(void)
{
    plog_reader *r = NULL;
    struct plog_head head;
    struct plog_status status;
    struct plog_options o = {.struct_size = sizeof o, .wait_seconds = -1};
    uint64_t last = 0, seq, size;
    const char *line;
    size_t len;
    looks++;
    CHECK_INT(plog_reader_open(&r, watched, &o, NULL), 0);
    CHECK_INT(plog_reader_head(r, &head, NULL), 0);
    CHECK_UINT(head.size, 4);
    CHECK_INT(plog_reader_log(r, 1, 0, no_line, &last, NULL), 0);
    CHECK_UINT(last, 4);
    CHECK_INT(plog_reader_log(r, 5, 0, no_line, &last, NULL), PLOG_E_NOT_FOUND);
    plog_reader_close(r);
    CHECK_INT(plog_sub_next(follower, 0.05, &seq, &line, &len, NULL),
              PLOG_TIMEOUT);
    CHECK_INT(parity(watched, &size), 0); /* and no false alarm */
    CHECK_UINT(size, 4);
    CHECK_INT(plog_read_status(watched, &o, &status, NULL), PLOG_E_LOCKED);
}

/* What may still vanish is shown to nobody. */
static void readers_see_no_unsynced_group(void)
{
    struct plog_options o = {.struct_size = sizeof o};
    uint64_t seq;
    const char *line;
    size_t len;
    watched = make_log(0);
    plog *p = open_log(watched, 0);
    put_many(p, 0, 3);
    CHECK_INT(plog_subscribe(&follower, watched, 5, &o, NULL), 0);
    looks = 0;
    before_sync = look_inside;
    CHECK_INT(put(p, 3, "a"), 0);
    CHECK_UINT(looks, 1);
    CHECK_INT(plog_sub_next(follower, 1, &seq, &line, &len, NULL), 0);
    CHECK_UINT(seq, 5);
    plog_sub_close(follower);
    plog_close(p);
}

/* ---- 7. An altered compact range in the store's head -------------------- */

/* Appending on a false range would sign a false tree. */
static void altered_range(void)
{
    const char *dir = make_log(0);
    plog *p = open_log(dir, 0);
    put_many(p, 0, 5);
    plog_close(p);
    run_sql(dir, "UPDATE meta SET range=zeroblob(length(range))");
    CHECK(open_log(dir, PLOG_E_DIVERGED) == NULL);
    CHECK_INT(parity(dir, NULL), PLOG_E_DIVERGED);
}

/* The same under a handle that is open. */
static void altered_range_under_a_handle(void)
{
    const char *dir = make_log(0);
    plog *p = open_log(dir, 0);
    put_many(p, 0, 5);
    run_sql(dir, "UPDATE meta SET range=zeroblob(length(range))");
    CHECK_INT(put(p, 5, "a"), PLOG_E_DIVERGED);
    plog_close(p);
}

/* ---- 8. A store of a copied directory that went its own way ------------- */

static void other_store(int mine, int others, int expected)
{
    const char *dir = make_log(0);
    char copied[512];
    size_t n, after;
    plog *p = open_log(dir, 0);
    put_many(p, 0, 3);
    plog_close(p);
    path_of(copied, check_dir(), "/copied");
    copy_tree(dir, copied);
    p = open_log(dir, 0);
    for (int i = 0; i < mine; i++)
        CHECK_INT(put(p, 10 + i, "mine"), 0);
    plog_close(p);
    p = open_log(copied, 0);
    for (int i = 0; i < others; i++)
        CHECK_INT(put(p, 10 + i, "others"), 0);
    plog_close(p);
    lose_wal(dir);
    copy(copied, dir, "/store.db");
    copy(copied, dir, "/store.db-wal");
    char *before = slurp(dir, SEGMENT, &n);
    CHECK(open_log(dir, expected) == NULL);
    CHECK_INT(replay(dir), expected);
    char *now = slurp(dir, SEGMENT, &after);
    CHECK_BYTES(now, after, before, n);
    CHECK(parity(dir, NULL) != 0);
    free(before);
    free(now);
}

/* Same size, other root: two signed histories. */
static void forked_store_same_size(void)
{
    other_store(2, 2, PLOG_E_FORK);
}

/* The store is behind, but not a prefix. */
static void forked_store_shorter(void)
{
    other_store(3, 1, PLOG_E_FORK);
}

/* The store holds a signed head above the log's end. */
static void forked_store_longer(void)
{
    other_store(1, 3, PLOG_E_FORK);
}

/* ---- 9. A hole of LFs inside a padded segment --------------------------- */

/* Where the group of `seq` starts. */
static size_t group_of(const char *data, int seq)
{
    char text[32];
    snprintf(text, sizeof text, "\n{\"seq\":%d,", seq);
    const char *at = strstr(data, text);
    return at ? (size_t)(at - data) + 1 : 0;
}

/* A block of the last group did not reach the disk and shows the padding that
 * was there: a torn tail, set aside. */
static void hole_in_the_last_group(void)
{
    const char *dir = make_log(0);
    char before[512];
    uint64_t size;
    size_t n;
    plog *p = open_log(dir, 0);
    put_many(p, 0, 20);
    path_of(before, check_dir(), "/before");
    copy_tree(dir, before); /* the store as it was before the last group */
    CHECK_INT(put(p, 20, "lost"), 0);
    char *data = slurp(dir, SEGMENT, &n);
    size_t at = group_of(data, 22);
    REQUIRE(at > 0);
    memset(data + at + 40, '\n', 100);
    spill(before, SEGMENT, data, n);
    free(data);
    plog_close(p);
    p = open_log(before, 0);
    CHECK_INT(put(p, 21, "a"), 0);
    plog_close(p);
    CHECK(quarantined(before));
    CHECK_INT(parity(before, &size), 0);
    CHECK_UINT(size, 22);
}

/* A hole that swallows the last group but one, which was synced before the
 * last was written: damage, although only one group's start is left. */
static void hole_swallows_a_synced_group(void)
{
    const char *dir = make_log(0);
    char before[512];
    size_t n, after;
    plog *p = open_log(dir, 0);
    put_many(p, 0, 20);
    path_of(before, check_dir(), "/before");
    copy_tree(dir, before);
    put_many(p, 20, 22);
    char *data = slurp(dir, SEGMENT, &n);
    size_t from = group_of(data, 22), to = group_of(data, 23);
    REQUIRE(from > 0 && to > from);
    memset(data + from, '\n', to - from);
    spill(before, SEGMENT, data, n);
    CHECK(open_log(before, PLOG_E_CORRUPT) == NULL);
    char *now = slurp(before, SEGMENT, &after);
    CHECK_BYTES(now, after, data, n);
    CHECK(!quarantined(before));
    free(data);
    free(now);
    plog_close(p);
}

/* A hole in the middle, at rest. */
static void hole_in_the_middle(void)
{
    const char *dir = make_log(0);
    struct plog_finding first;
    size_t n;
    plog *p = open_log(dir, 0);
    put_many(p, 0, 20);
    plog_close(p);
    char *data = slurp(dir, SEGMENT, &n);
    size_t at = group_of(data, 7);
    memset(data + at + 10, '\n', 60);
    spill(dir, SEGMENT, data, n);
    free(data);
    CHECK_INT(verify(dir, &first), PLOG_E_CORRUPT);
    CHECK_UINT(first.seq, 7);
    CHECK_INT(parity(dir, NULL), PLOG_E_CORRUPT);
}

/* A pad byte that is no LF: torn, and nothing of the log is lost. */
static void dirt_in_the_padding(void)
{
    const char *dir = make_log(0);
    struct plog_finding first;
    uint64_t size;
    size_t n;
    plog *p = open_log(dir, 0);
    put_many(p, 0, 20);
    char *data = slurp(dir, SEGMENT, &n);
    data[n - 3] = 'x';
    spill(dir, SEGMENT, data, n);
    free(data);
    CHECK_INT(verify(dir, &first), PLOG_E_TORN);
    plog_close(p);
    p = open_log(dir, 0);
    plog_close(p);
    CHECK(quarantined(dir));
    CHECK_INT(parity(dir, &size), 0);
    CHECK_UINT(size, 21);
}

/* ---- 10. A machine that signs wrongly ----------------------------------- */

/* A bit of the secret flips in memory: the group is neither committed nor
 * acknowledged, the handle writes no more, and what it left is set aside. */
static void wrong_signature(int commits_before)
{
    const char *dir = make_log(0);
    struct plog_error err = {0};
    uint64_t size, before = 1 + (uint64_t)commits_before;
    plog *p = open_log(dir, 0);
    put_many(p, 0, commits_before);
    CHECK_INT(sodium_mprotect_readwrite(p->signer.secret), 0);
    p->signer.secret[40] ^= 1; /* the public key within */
    CHECK_INT(plog_set_strategy(p, PLOG_ARRIVAL, NULL, &err),
              PLOG_E_INDETERMINATE);
    CHECK(strstr(err.message, "does not hold") != NULL);
    CHECK_INT(put(p, 99, "a"), PLOG_E_POISONED);
    plog_close(p);
    p = open_log(dir, 0);
    CHECK(quarantined(dir));
    CHECK_INT(put(p, 99, "a"), 0);
    plog_close(p);
    CHECK_INT(parity(dir, &size), 0);
    CHECK_UINT(size, before + 1);
}

static void wrong_signature_at_once(void)
{
    wrong_signature(0);
}

static void wrong_signature_of_a_busy_writer(void)
{
    wrong_signature(30);
}

/* The shim is at work: the order is checked at every commit. */
static void order_is_checked(void)
{
    plog *p = open_log(make_log(0), 0);
    unsigned long before = order_commits_checked();
    put_many(p, 0, 10);
    CHECK_UINT(order_commits_checked(), before + 10);
    plog_close(p);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"rotation_then_lost_wal", rotation_then_lost_wal},
        {"rotation_torn_at_every_cut", rotation_torn_at_every_cut},
        {"only_the_last_line_end_is_torn", only_the_last_line_end_is_torn},
        {"flip_in_group_3_of_900", flip_in_group_3_of_900},
        {"segment_swapped_for_a_copy", segment_swapped_for_a_copy},
        {"segment_renamed_away", segment_renamed_away},
        {"store_swapped_for_an_older_one", store_swapped_for_an_older_one},
        {"store_taken_away", store_taken_away},
        {"lock_swapped", lock_swapped},
        {"trim_with_an_old_head", trim_with_an_old_head},
        {"commit_fails_after_sync", commit_fails_after_sync},
        {"readers_see_no_unsynced_group", readers_see_no_unsynced_group},
        {"altered_range", altered_range},
        {"altered_range_under_a_handle", altered_range_under_a_handle},
        {"forked_store_same_size", forked_store_same_size},
        {"forked_store_shorter", forked_store_shorter},
        {"forked_store_longer", forked_store_longer},
        {"hole_in_the_last_group", hole_in_the_last_group},
        {"hole_swallows_a_synced_group", hole_swallows_a_synced_group},
        {"hole_in_the_middle", hole_in_the_middle},
        {"dirt_in_the_padding", dirt_in_the_padding},
        {"wrong_signature_at_once", wrong_signature_at_once},
        {"wrong_signature_of_a_busy_writer", wrong_signature_of_a_busy_writer},
        {"order_is_checked", order_is_checked},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
