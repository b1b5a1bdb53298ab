/*
 * test_read_only.c - a reader where nothing can be written, or a disk is full:
 * it reads a private copy of the store, whole or not at all, and leaves none
 * behind; and a store that is replaced while it is opened.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "paritylog_recovery.h"
#include "reader.h"
#include "world.h"

/* ---- A table of a directory that cannot be written ----------------------- */

static struct plog_io io;
static int lock_says;    /* opening the lock to write; 0: as it is */
static bool was_asked;   /* whether it can be written */
static char copies[300]; /* the names that were made, one behind the other */
static unsigned made, removed;
static int store_stats, stat_fails, stat_moves, moves_left;

static bool full;       /* SQLite finds no room beside the store */
static bool fresh_copy; /* made, and not yet opened */
static bool of_copy;    /* what is read */
static bool was_locked; /* when the last copy was made */
static int shared;      /* times that the lock was taken to read */
static int put_after;   /* behind which of them another one writes */

static enum what {
    NOTHING,
    IN,
    OUT,
    ALL_OUT,
    WAL_IN,
    READ,
    WRITE,
    MEMORY,
    RANDOM
} refused;

static const struct plog_io *real(void)
{
    return plog_io_posix();
}

static struct world w;

static bool is_copy(const char *name)
{
    return strncmp(name, "/tmp/paritylog-", 15) == 0 ||
           strncmp(name, "/dev/shm/paritylog-", 19) == 0;
}

/* Whether nobody could write now. */
static bool is_locked(void)
{
    int fd = open(world_path(&w, "lock"), O_RDONLY);
    bool is = flock(fd, LOCK_EX | LOCK_NB) != 0;
    close(fd);
    return is;
}

static int on_open(void *ctx, int dir, const char *name, int flags,
                   uint32_t mode)
{
    if (strcmp(name, "lock") == 0 && flags == O_RDWR) {
        was_asked = true;
        if (lock_says)
            return lock_says;
    }
    if ((refused == IN && strcmp(name, "store.db") == 0) ||
        (refused == WAL_IN && strcmp(name, "store.db-wal") == 0))
        return -EIO;
    if (is_copy(name)) {
        CHECK_INT(flags, O_RDWR | O_CREAT | O_EXCL);
        CHECK_UINT(mode, 0600);
        if (refused == ALL_OUT || (refused == OUT && name[1] == 't'))
            return -ENOSPC;
        was_locked = is_locked();
        fresh_copy = true;
        size_t n = strlen(copies);
        snprintf(copies + n, sizeof copies - n, "%s ", name);
        made++;
    }
    return real()->open_at(ctx, dir, name, flags, mode);
}

static int64_t on_pread(void *ctx, int fd, void *p, size_t n, uint64_t at)
{
    return refused == READ && was_asked ? -EIO
                                        : real()->pread(ctx, fd, p, n, at);
}

static int64_t on_pwrite(void *ctx, int fd, const void *p, size_t n,
                         uint64_t at)
{
    return refused == WRITE ? -EDQUOT : real()->pwrite(ctx, fd, p, n, at);
}

static void *on_alloc(void *ctx, void *p, size_t n)
{
    return refused == MEMORY && n == 256u << 10 ? NULL
                                                : real()->alloc(ctx, p, n);
}

static int on_random(void *ctx, void *p, size_t n)
{
    return refused == RANDOM && was_asked ? -EIO : real()->random(ctx, p, n);
}

static int on_unlink(void *ctx, int dir, const char *name)
{
    int rc = real()->unlink_at(ctx, dir, name);
    CHECK(is_copy(name));
    removed += rc == 0;
    return rc;
}

static int on_stat_at(void *ctx, int dir, const char *name,
                      struct plog_stat *out)
{
    int rc = real()->stat_at(ctx, dir, name, out);
    if (strcmp(name, "store.db") != 0)
        return rc;
    store_stats++;
    if (store_stats == stat_fails) {
        memset(out, 0, sizeof *out);
        return -EIO;
    }
    if (store_stats % 2 == 0 && moves_left) {
        moves_left--;
        if (stat_moves < 0)
            return stat_moves;
        out->inode += stat_moves == 1;
        out->device += stat_moves == 2;
    }
    return rc;
}

/* SQLite cannot read until the copy is there. */
static int on_event(void *ctx, const struct plog_store_event *e)
{
    (void)ctx;
    if (e->op == PLOG_STORE_OPEN && e->file == PLOG_STORE_MAIN && !e->done) {
        of_copy = fresh_copy;
        fresh_copy = false;
    }
    if (full && !of_copy && e->op == PLOG_STORE_READ && !e->done) {
        errno = ENOSPC;
        return -EIO;
    }
    return e->op == PLOG_STORE_READ && !e->done && !made && lock_says ? -EIO
                                                                      : 0;
}

static int on_lock(void *ctx, int fd, int mode)
{
    int rc = real()->lock(ctx, fd, mode);
    shared += mode == 1;
    if (mode == 0 && shared == put_after) {
        put_after = 0;
        CHECK_INT(world_put(&w, NULL, "9", "meanwhile", NULL), 0);
    }
    return rc;
}

static void begin(int lock)
{
    if (!w.dir[0]) {
        world_make(&w, PLOG_ARRIVAL, 0);
        CHECK_INT(world_put(&w, "a", "1", "one", NULL), 0);
        world_close(&w);
    }
    io = *real();
    io.open_at = on_open;
    io.pread = on_pread;
    io.pwrite = on_pwrite;
    io.alloc = on_alloc;
    io.random = on_random;
    io.unlink_at = on_unlink;
    io.stat_at = on_stat_at;
    io.store_event = on_event;
    io.lock = on_lock;
    lock_says = lock;
    was_asked = false;
    copies[0] = '\0';
    made = removed = 0;
    refused = NOTHING;
    full = fresh_copy = of_copy = was_locked = false;
    shared = put_after = 0;
    store_stats = stat_fails = stat_moves = moves_left = 0;
}

static struct plog_error err;

static int open_reader(plog_reader **r)
{
    struct plog_options o = {.struct_size = sizeof o, .io = &io};
    memset(&err, 0, sizeof err);
    int rc = plog_reader_open(r, w.dir, &o, &err);
    if (rc)
        CHECK_INT(err.code, rc);
    return rc;
}

/* What it says of record 1, and then it is closed. */
static void reads(void)
{
    struct plog_record record;
    plog_reader *r = NULL;
    REQUIRE(open_reader(&r) == 0);
    CHECK_INT(plog_reader_get(r, (struct plog_span){"r", 1},
                              (struct plog_span){"1", 1}, &record, &err),
              0);
    CHECK_BYTES(record.payload.p, record.payload.n, "{\"v\":\"one\"}", 11);
    CHECK_UINT(record.version, 1);
    plog_reader_close(r);
}

/* ---- The copy ------------------------------------------------------------ */

static void through_a_copy(void)
{
    static const int codes[] = {-EROFS, -EACCES, -EPERM};
    char first[80] = "";
    for (int i = 0; i < 3; i++) {
        begin(codes[i]);
        reads();
        CHECK(was_asked);
        CHECK(made >= 1 && removed >= made);
        /* /tmp/paritylog-0123456789abcdef.db, another one each time */
        copies[strcspn(copies, " ")] = '\0';
        CHECK_UINT(strlen(copies), 15 + 16 + 3);
        CHECK(strcmp(copies, first) != 0);
        snprintf(first, sizeof first, "%.79s", copies);
        CHECK(access(copies, F_OK) != 0);
    }
    begin(0);
    reads();
    CHECK(!was_asked);
    CHECK_UINT(made, 0);
    CHECK_UINT(removed, 0);
}

/* What the store's WAL has is read, too. */
static void with_its_wal(void)
{
    begin(-EROFS);
    REQUIRE(world_open(&w) == 0);
    CHECK_INT(world_put(&w, "b", "2", "two", NULL), 0);
    lock_says = -EROFS;
    struct plog_head head;
    plog_reader *r = NULL;
    REQUIRE(open_reader(&r) == 0);
    CHECK_INT(plog_reader_head(r, &head, &err), 0);
    CHECK_UINT(head.size, world_size(&w));
    CHECK_UINT(made, 2);
    plog_reader_close(r);
    CHECK(removed >= 2);
    for (char *at = strtok(copies, " "); at; at = strtok(NULL, " "))
        CHECK(access(at, F_OK) != 0);
    refused = WAL_IN;
    made = 0;
    CHECK_INT(open_reader(&r), PLOG_E_IO);
    CHECK(r == NULL);
    world_close(&w);
}

/* Where another program took the WAL away, the copy has none. */
static void without_a_wal(void)
{
    begin(-EROFS);
    world_sql(&w, "PRAGMA journal_mode=DELETE");
    CHECK(!world_has(&w, "store.db-wal"));
    reads();
    CHECK(was_asked);
    CHECK_UINT(made, 1);
    CHECK(access(strtok(copies, " "), F_OK) != 0);
    world_sql(&w, "PRAGMA journal_mode=WAL");
}

static void no_copy(void)
{
    static const struct {
        enum what what;
        int code;
        const char *message;
        unsigned made;
    } all[] = {
        {IN, PLOG_E_IO, "copying a store from a read-only place", 0},
        {ALL_OUT, PLOG_E_IO, "copying a store from a read-only place", 0},
        {READ, PLOG_E_IO, "copying a store from a read-only place", 1},
        {WRITE, PLOG_E_IO, "copying a store from a read-only place", 1},
        {MEMORY, PLOG_E_NOMEM, "copying a store from a read-only place", 1},
        {RANDOM, PLOG_E_IO, "no randomness for a name", 0},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        plog_reader *r = NULL;
        begin(-EROFS);
        refused = all[i].what;
        CHECK_INT(open_reader(&r), all[i].code);
        CHECK(r == NULL);
        if (!CHECK(strstr(err.message, all[i].message) != NULL))
            printf("# %d: %s\n", all[i].what, err.message);
        unsigned places = all[i].what == WRITE ? 2 : 1; /* both are full */
        CHECK_UINT(made, all[i].made * places);
        CHECK_UINT(removed, all[i].made * places);
    }
}

/* Another error of the lock, or none, says nothing of the place. */
static void another_error(void)
{
    plog_reader *r = NULL;
    begin(-EMFILE);
    CHECK_INT(open_reader(&r), PLOG_E_IO);
    CHECK(was_asked && r == NULL);
    CHECK_UINT(made, 0);
    CHECK_UINT(removed, 0);
}

/* ---- On a full disk -------------------------------------------------------
 */

static void none_left(void)
{
    CHECK(removed >= made);
    for (char *at = strtok(copies, " "); at; at = strtok(NULL, " "))
        CHECK(access(at, F_OK) != 0);
    CHECK(!is_locked());
}

/* SQLite's shared memory finds no room: nobody writes while it is copied. */
static void on_a_full_disk(void)
{
    begin(0);
    full = true;
    reads();
    CHECK(made >= 1 && strncmp(copies, "/tmp/", 5) == 0);
    CHECK(was_locked);
    none_left();
    begin(0);
    full = true;
    refused = OUT; /* the same disk */
    reads();
    CHECK(made >= 1 && strncmp(copies, "/dev/shm/", 9) == 0);
    none_left();
    begin(0);
    plog_reader *r = NULL;
    full = true;
    refused = ALL_OUT;
    CHECK_INT(open_reader(&r), PLOG_E_IO);
    CHECK(strncmp(err.message, "copying the store of a full disk", 32) == 0);
    CHECK_TEXT(err.hint, "make room in /tmp or /dev/shm, for as much as"
                         " store.db and its WAL have");
    none_left();
}

/* The copy is no older than the last call. */
static void a_copy_ages(void)
{
    static const int locks[] = {0, -EACCES};
    for (int i = 0; i < 2; i++) {
        struct plog_options o = {.struct_size = sizeof o, .io = &io};
        struct plog_head head;
        plog_reader *r = NULL;
        plog_sub *sub = NULL;
        const char *line;
        uint64_t seq;
        size_t n;
        begin(locks[i]);
        full = true;
        REQUIRE(open_reader(&r) == 0);
        REQUIRE(plog_subscribe(&sub, w.dir, 0, &o, &err) == 0);
        REQUIRE(world_open(&w) == 0);
        CHECK_INT(world_put(&w, NULL, "8", "later", NULL), 0);
        CHECK_INT(plog_reader_head(r, &head, &err), 0);
        CHECK_UINT(head.size, world_size(&w));
        CHECK_INT(plog_sub_next(sub, 0, &seq, &line, &n, &err), 0);
        CHECK_UINT(seq, world_size(&w));
        full = false; /* there is room: no copy any more */
        lock_says = 0;
        CHECK_INT(plog_reader_head(r, &head, &err), 0);
        made = 0;
        CHECK_INT(world_put(&w, NULL, "8", "last", NULL), 0);
        CHECK_INT(plog_reader_head(r, &head, &err), 0);
        CHECK_UINT(head.size, world_size(&w));
        CHECK_UINT(made, 0);
        world_close(&w);
        plog_sub_close(sub);
        plog_reader_close(r);
        none_left();
    }
}

/* Between the copy and the lock under which both legs stand still. */
static void written_meanwhile(void)
{
    struct plog_options o = {.struct_size = sizeof o, .io = &io};
    struct plog_check_options c = {.struct_size = sizeof c, .io = &io};
    struct plog_check_report report;
    struct plog_status s;
    begin(0);
    full = true;
    REQUIRE(world_open(&w) == 0);
    put_after = 1; /* the first copy */
    CHECK_INT(plog_parity(w.dir, &c, &report, &err), 0);
    CHECK_INT(report.verdict, 0);
    CHECK_UINT(report.entries, world_size(&w));
    CHECK_UINT(report.store_size, world_size(&w));
    none_left();
    begin(0);
    full = true;
    put_after = 1;
    CHECK_INT(plog_read_status(w.dir, &o, &s, &err), 0);
    CHECK_INT(s.verdict, 0);
    CHECK_UINT(s.store_size, world_size(&w));
    CHECK_UINT(s.log_size, world_size(&w));
    none_left();
    world_close(&w);
}

/* A writer at work is waited for; it may make what was missed. */
static void while_one_writes(void)
{
    struct plog_options o = {
        .struct_size = sizeof o, .io = &io, .wait_seconds = 0.01};
    plog_reader *r = NULL;
    begin(0);
    full = true;
    int fd = open(world_path(&w, "lock"), O_RDONLY);
    REQUIRE(flock(fd, LOCK_EX) == 0);
    CHECK_INT(plog_reader_open(&r, w.dir, &o, &err), PLOG_E_LOCKED);
    CHECK(strstr(err.hint, "--wait") != NULL);
    CHECK(shared > 1);
    CHECK_UINT(made, 0);
    close(fd);
    CHECK_INT(plog_reader_open(&r, w.dir, &o, &err), 0);
    plog_reader_close(r);
    none_left();
}

/* ---- A store that is replaced meanwhile ---------------------------------- */

static void replaced(void)
{
    static const int how[] = {1, 2, -ENOENT};
    for (int i = 0; i < 3; i++) {
        begin(0);
        stat_moves = how[i];
        moves_left = 3;
        reads();
        CHECK_INT(store_stats, 8); /* four times opened, and looked at again */
    }
    begin(0);
    stat_moves = 1;
    moves_left = 1000; /* at last it is taken as it is */
    reads();
    CHECK_INT(store_stats, 200);
    begin(0);
    stat_moves = -EIO; /* that says nothing */
    moves_left = 3;
    reads();
    CHECK_INT(store_stats, 2);
}

static void not_looked_at(void)
{
    plog_reader *r = NULL;
    begin(0);
    stat_fails = 1;
    CHECK_INT(open_reader(&r), PLOG_E_IO);
    CHECK(r == NULL);
    CHECK(strstr(err.message, "looking at the store") != NULL);
    CHECK_INT(store_stats, 1);
}

/* ---- What is there instead ----------------------------------------------- */

static void no_store(void)
{
    plog_reader *r = NULL;
    char path[700], to[700];
    begin(0);
    snprintf(path, sizeof path, "%s", world_path(&w, "store.db"));
    snprintf(to, sizeof to, "%s", world_path(&w, "kept"));
    CHECK(rename(path, to) == 0);
    CHECK_INT(open_reader(&r), PLOG_E_BEHIND);
    CHECK_TEXT(err.message, "there is a log but no store");
    CHECK_TEXT(err.file, "store.db");
    CHECK_TEXT(err.hint, "run: paritylog replay DIR");
    CHECK(symlink("kept", path) == 0);
    CHECK_INT(open_reader(&r), PLOG_E_DIVERGED);
    CHECK_TEXT(err.message, "store.db is not a regular file with one link");
    CHECK(unlink(path) == 0 && link(to, path) == 0);
    CHECK_INT(open_reader(&r), PLOG_E_DIVERGED);
    CHECK_TEXT(err.message, "store.db is not a regular file with one link");
    CHECK(unlink(path) == 0);
    world_write(path, "", 0);
    CHECK_INT(open_reader(&r), PLOG_E_BEHIND);
    CHECK_TEXT(err.message, "store.db is empty");
    CHECK_TEXT(err.hint, "run: paritylog replay DIR");
    CHECK(r == NULL);
    CHECK(rename(to, path) == 0);
    reads();
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"through a copy", through_a_copy},
        {"with its WAL", with_its_wal},
        {"without a WAL", without_a_wal},
        {"no copy", no_copy},
        {"another error", another_error},
        {"replaced", replaced},
        {"on a full disk", on_a_full_disk},
        {"a copy ages", a_copy_ages},
        {"written meanwhile", written_meanwhile},
        {"while one writes", while_one_writes},
        {"not looked at", not_looked_at},
        {"no store", no_store},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
