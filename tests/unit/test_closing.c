/*
 * test_closing.c - what closing a handle does to the log and the store: the
 * padding is cut at the log's end, and a long WAL is not left behind.  But
 * nothing is cut by who cannot be sure of that end.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "engine.h"
#include "sql_calls.h"
#include "world.h"

#define FIRST "log/00000000000000000001.jsonl"

static struct world w;
static struct plog_io io; /* the real one, which the cases change */

static uint64_t size_of(const char *name)
{
    struct stat st;
    CHECK_INT(stat(world_path(&w, name), &st), 0);
    return (uint64_t)st.st_size;
}

/* Where the log ends, by the store. */
static uint64_t end(void)
{
    return (uint64_t)world_number(&w, "SELECT offset FROM meta");
}

#define SIZE 21 /* entries: so many groups of one handle, and it pads */

/* With padding behind the entries while the handle is open. */
static void make(void)
{
    memset(&w, 0, sizeof w);
    io = *plog_io_posix();
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    w.options.io = &io;
    w.options.wait_seconds = -1;
    CHECK_INT(world_open(&w), 0);
    for (int i = 2; i <= SIZE; i++)
        CHECK_INT(world_put(&w, NULL, "r", "1", NULL), 0);
    CHECK(size_of(FIRST) > end());
}

/* Closes; the file keeps each of its bytes.  Then it can be gone on with, and
 * the next one to close cuts it. */
static void stays_padded(void)
{
    size_t n, m;
    char *before = world_read(world_path(&w, FIRST), &n);
    world_close(&w);
    char *after = world_read(world_path(&w, FIRST), &m);
    CHECK_BYTES(after, m, before, n);
    free(before);
    free(after);
    io = *plog_io_posix();
}

static void goes_on(uint64_t size)
{
    w.options.leave_behind = false;
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(world_put(&w, NULL, "r", "3", NULL), 0);
    world_close(&w);
    CHECK_UINT(size_of(FIRST), end());
    CHECK_UINT(world_size(&w), size + 1);
    world_end(&w, size + 1);
}

static void cut(void)
{
    make();
    uint64_t at = end();
    world_close(&w);
    CHECK_UINT(size_of(FIRST), at);
    CHECK_UINT(end(), at);
    goes_on(SIZE);
}

/* At the end that another handle's entries have moved. */
static void behind_anothers(void)
{
    struct world other;
    make();
    other = w;
    other.p = NULL;
    CHECK_INT(world_open(&other), 0);
    uint64_t at = end();
    CHECK_INT(world_put(&other, NULL, "r", "4", NULL), 0);
    CHECK(end() > at);
    world_close(&w);
    CHECK_UINT(size_of(FIRST), end());
    CHECK_INT(world_put(&other, NULL, "r", "5", NULL), 0);
    world_close(&other);
    CHECK_UINT(size_of(FIRST), end());
    goes_on(SIZE + 2);
}

static int no_sync(void *ctx, int fd)
{
    (void)ctx, (void)fd;
    return -EIO;
}

/* Nobody knows what is on disk. */
static void poisoned(void)
{
    make();
    io.fdatasync = no_sync;
    CHECK(world_put(&w, "c", "r", "3", NULL) != 0);
    CHECK_INT(world_put(&w, "d", "r", "3", NULL), PLOG_E_POISONED);
    stays_padded();
    CHECK_INT(world_open(&w), 0);
    goes_on(world_size(&w));
}

/* The end that the store knows of is not the log's. */
static void left_behind(void)
{
    size_t n;
    make();
    world_close(&w);
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    char *store = world_read(world_path(&w, "store.db"), &n);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(world_put(&w, NULL, "r", "3", NULL), 0);
    world_close(&w);
    FILE *f = fopen(world_path(&w, FIRST), "a");
    REQUIRE(f != NULL);
    fprintf(f, "\n\n\n\n"); /* padding of a process that was killed */
    fclose(f);
    unlink(world_path(&w, "store.db-wal"));
    unlink(world_path(&w, "store.db-shm"));
    world_write(world_path(&w, "store.db"), store, n);
    free(store);
    w.options.leave_behind = true;
    CHECK_INT(world_open(&w), 0);
    stays_padded();
    goes_on(SIZE + 1);
}

static int is_locked(void *ctx, int fd, int mode)
{
    return mode ? -EAGAIN : plog_io_posix()->lock(ctx, fd, mode);
}

/* Somebody writes. */
static void locked(void)
{
    make();
    io.lock = is_locked;
    stays_padded();
    goes_on(SIZE);
}

/* Lock or store are other files than those that were opened. */
static void other_files(void)
{
    static const char *const names[] = {"lock", "store.db"};
    for (int i = 0; i < 2; i++) {
        size_t n;
        make();
        world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
        char *bytes = world_read(world_path(&w, names[i]), &n);
        CHECK_INT(rename(world_path(&w, names[i]), world_path(&w, "moved")), 0);
        world_write(world_path(&w, names[i]), bytes, n);
        free(bytes);
        stays_padded();
        goes_on(SIZE);
    }
}

/* Bytes of somebody else stand where the padding was. */
static void not_padding(void)
{
    make();
    int fd = open(world_path(&w, FIRST), O_WRONLY);
    CHECK_INT(pwrite(fd, "{\"seq\":4", 8, (off_t)end()), 8);
    close(fd);
    stays_padded();
    goes_on(SIZE);
}

/* What the next opening would have to read. */
static void a_long_wal(void)
{
    for (int i = 0; i < 2; i++) {
        make();
        const struct plog_store *s = &w.p->legs.store;
        for (int k = 0; i && s->wal_frames <= 250 && k < 300; k++)
            CHECK_INT(world_put(&w, NULL, "r", "x", NULL), 0);
        int frames = s->wal_frames;
        CHECK(i ? frames > 250 && frames < 300 : frames > 20);
        world_close(&w);
        size_t n;
        char *wal = world_read(world_path(&w, "store.db-wal"), &n);
        CHECK((n > 32 && memcmp(wal, "\x37\x7f\x06", 3) == 0) == (i == 0));
        free(wal);
        world_end(&w, world_size(&w));
    }
}

#define GROUP 200

/* Groups of so many that their rows wait, until the WAL is long. */
static void put_groups(void)
{
    static char text[GROUP][240], record[GROUP][16];
    static struct plog_span d[GROUP];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = d, .delta_count = GROUP};
    for (int i = 0; i < GROUP; i++) {
        snprintf(record[i], sizeof record[i], "g%d", i);
        struct world_delta delta = {.record = record[i]};
        d[i].p = world_text(text[i], sizeof text[i], &delta);
        d[i].n = strlen(text[i]);
    }
    for (int k = 0; w.p->legs.store.wal_frames <= 300 && k < 100; k++)
        CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
    CHECK(w.p->legs.store.wal_frames > 300);
}

static bool no_commit(const char *call, const char *sql, bool busy)
{
    (void)busy;
    return strcmp(call, "step") == 0 && strncmp(sql, "COMMIT", 6) == 0;
}

/* Nor where the rows that wait could not be moved: they wait on. */
static void a_long_wal_and_no_commit(void)
{
    for (int i = 0; i < 2; i++) {
        size_t n;
        make();
        put_groups();
        sql_calls.fails = i ? no_commit : NULL;
        world_close(&w);
        sql_calls.fails = NULL;
        char *wal = world_read(world_path(&w, "store.db-wal"), &n);
        CHECK(n > 32 && memcmp(wal, "\x37\x7f\x06", 3) != 0);
        free(wal);
        int64_t wait = world_number(&w, "SELECT count(*) FROM state_recent");
        CHECK(i ? wait > 0 : wait == 0);
        world_end(&w, world_size(&w));
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"cut", cut},
        {"behind another's", behind_anothers},
        {"poisoned", poisoned},
        {"left behind", left_behind},
        {"locked", locked},
        {"other files", other_files},
        {"not padding", not_padding},
        {"a long wal", a_long_wal},
        {"a long wal and no commit", a_long_wal_and_no_commit},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
