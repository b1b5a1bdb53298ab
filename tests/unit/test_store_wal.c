/*
 * test_store_wal.c - a sync of SQLite's WAL that failed: the WAL is written
 * anew before anything is moved out of it, by whoever takes the lock next.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "engine.h"
#include "world.h"

static struct world w;
static struct plog_io io;
static int64_t now_ns;

/* What is to fail, and what happened. */
static bool sync_fails, store_sync_fails, write_fails, note_fails;
static bool read_fails, trust_fails, renewal_fails;
static int wal_errno;    /* of opening it, by us and not SQLite */
static uint64_t renewed; /* bytes of the WAL written by us and not SQLite */
static uint64_t synced;  /* of these, behind which a sync came */
static unsigned moved_before; /* pages moved while not all was renewed */
static unsigned moved;
static int wal_fd = -1, lock_fd = -1;

static uint64_t wal_size(void)
{
    struct stat st;
    return stat(world_path(&w, "store.db-wal"), &st) ? 0 : (uint64_t)st.st_size;
}

static off_t lock_size(void)
{
    struct stat st;
    CHECK_INT(stat(world_path(&w, "lock"), &st), 0);
    return st.st_size;
}

static int watch(void *ctx, const struct plog_store_event *e)
{
    (void)ctx;
    if (e->file == PLOG_STORE_WAL && e->op == PLOG_STORE_SYNC && !e->done &&
        sync_fails)
        return -EIO;
    if (e->file == PLOG_STORE_MAIN && e->op == PLOG_STORE_SYNC && !e->done &&
        store_sync_fails)
        return -EIO;
    if (e->file == PLOG_STORE_MAIN && e->op == PLOG_STORE_WRITE && !e->done) {
        moved++;
        moved_before += synced < wal_size();
    }
    return 0;
}

static int open_watched(void *ctx, int dir, const char *name, int flags,
                        uint32_t mode)
{
    if (strstr(name, "store.db-wal") && wal_errno)
        return -wal_errno;
    int fd = plog_io_posix()->open_at(ctx, dir, name, flags, mode);
    if (strstr(name, "store.db-wal"))
        wal_fd = fd;
    if (strcmp(name, "lock") == 0)
        lock_fd = fd;
    return fd;
}

static int64_t write_watched(void *ctx, int fd, const void *p, size_t n,
                             uint64_t offset)
{
    if (fd == lock_fd && note_fails)
        return -EIO;
    if (fd == wal_fd && n > 32) { /* less: a header that is unmade at closing */
        if (write_fails)
            return -EIO;
        CHECK_UINT(offset, renewed);
        renewed += n;
    }
    return plog_io_posix()->pwrite(ctx, fd, p, n, offset);
}

static int64_t read_watched(void *ctx, int fd, void *p, size_t n,
                            uint64_t offset)
{
    return fd == wal_fd && read_fails
               ? -EIO
               : plog_io_posix()->pread(ctx, fd, p, n, offset);
}

static int sync_watched(void *ctx, int fd)
{
    if (fd == wal_fd && renewal_fails)
        return -EIO;
    if (fd == wal_fd)
        synced = renewed;
    return plog_io_posix()->fdatasync(ctx, fd);
}

static int truncate_watched(void *ctx, int fd, uint64_t size)
{
    return fd == lock_fd && trust_fails
               ? -EIO
               : plog_io_posix()->truncate(ctx, fd, size);
}

static int64_t clock_set(void *ctx)
{
    (void)ctx;
    return now_ns += 1000000;
}

static void watch_all(void)
{
    io = *plog_io_posix();
    io.store_event = watch;
    io.open_at = open_watched;
    io.pread = read_watched;
    io.pwrite = write_watched;
    io.fdatasync = sync_watched;
    io.truncate = truncate_watched;
    io.clock_mono_ns = clock_set;
    sync_fails = store_sync_fails = write_fails = note_fails = false;
    read_fails = trust_fails = renewal_fails = false;
    wal_errno = 0;
}

/* A log with a few groups, all of whose commits are in the WAL. */
static void begin(void)
{
    watch_all();
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    world_close(&w);
    wal_fd = lock_fd = -1;
    w.options.io = &io;
    CHECK_INT(world_open(&w), 0);
    for (int i = 0; i < 5; i++)
        CHECK_INT(world_put(&w, NULL, "a", "x", NULL), 0);
    renewed = synced = 0;
    moved = moved_before = 0;
}

/* The next group is followed by a checkpoint. */
static void put_late(int code)
{
    now_ns += 61000000000;
    CHECK_INT(world_put(&w, NULL, "b", "y", NULL), code);
}

static void end(void)
{
    uint64_t size = world_size(&w);
    world_close(&w);
    world_end(&w, size);
}

/* ---- Beginning it ------------------------------------------------------- */

#define PART (64 * (24 + 4096)) /* bytes that are begun together */

static uint64_t parts, begun_to; /* so far */

static void begun(void *ctx, int fd, uint64_t offset, uint64_t n)
{
    (void)ctx, (void)fd;
    if (n < PART)
        return; /* of the log */
    CHECK_UINT(offset, parts * PART);
    CHECK(offset <= begun_to && offset + n > begun_to);
    parts = (offset + n) / PART;
    begun_to = offset + n;
}

/* Two handles add to it: each part is begun, by one of them. */
static void begun_once(void)
{
    begin();
    io.write_back = begun;
    parts = begun_to = 0;
    struct world other = w;
    other.p = NULL;
    CHECK_INT(world_open(&other), 0);
    for (int i = 0; i < 150; i++)
        CHECK_INT(world_put(i % 3 ? &w : &other, NULL, "a", "x", NULL), 0);
    uint64_t bytes = (uint64_t)w.p->legs.store.wal_frames * (PART / 64);
    CHECK(bytes >= 4 * PART);
    CHECK_UINT(parts, bytes / PART);
    world_close(&other);
    end();
}

/* ---- Cases -------------------------------------------------------------- */

static void not_without_a_failure(void)
{
    begin();
    put_late(0);
    CHECK(moved > 0);
    CHECK_UINT(renewed, 0);
    CHECK_INT(lock_size(), 0);
    end();
}

static void by_the_same_handle(void)
{
    begin();
    sync_fails = true;
    put_late(0); /* what was acknowledged is in the log */
    CHECK_UINT(moved, 0);
    CHECK(lock_size() > 0);
    sync_fails = false;
    put_late(0);
    CHECK(moved > 0);
    CHECK_UINT(moved_before, 0);
    CHECK(renewed > 0);
    CHECK_INT(lock_size(), 0);
    renewed = 0;
    put_late(0); /* and once is enough */
    CHECK_UINT(renewed, 0);
    end();
}

static void by_the_next_one(void)
{
    begin();
    sync_fails = true;
    put_late(0);
    sync_fails = false;
    world_close(&w);
    CHECK(lock_size() > 0);
    CHECK_INT(world_open(&w), 0);
    put_late(0);
    CHECK(moved > 0);
    CHECK_UINT(moved_before, 0);
    CHECK(renewed > 0);
    CHECK_INT(lock_size(), 0);
    end();
}

/* What was moved and is lost needs the WAL as it is: a crash may leave garbage
 * where bytes are written again. */
static void not_for_the_store(void)
{
    begin();
    store_sync_fails = true;
    put_late(0);
    CHECK(moved > 0);
    CHECK_INT(lock_size(), 0);
    store_sync_fails = false;
    moved = 0;
    put_late(0); /* all of it once more */
    CHECK(moved > 0);
    CHECK_UINT(renewed, 0);
    end();
}

/* Nothing is moved until it could be written. */
static void not_while_it_cannot(void)
{
    begin();
    sync_fails = true;
    put_late(0);
    sync_fails = false;
    write_fails = true;
    put_late(0);
    CHECK_UINT(moved, 0);
    CHECK(lock_size() > 0);
    write_fails = false;
    renewal_fails = true; /* written, and not yet on the disk */
    put_late(0);
    CHECK(renewed > 0);
    CHECK_UINT(moved, 0);
    CHECK(lock_size() > 0);
    renewal_fails = false;
    renewed = 0;
    put_late(0);
    CHECK(moved > 0);
    CHECK_UINT(moved_before, 0);
    end();
}

/* Where the note cannot be written the handle still knows. */
static void without_the_note(void)
{
    begin();
    sync_fails = note_fails = true;
    put_late(0);
    CHECK_INT(lock_size(), 0);
    sync_fails = false;
    put_late(0);
    CHECK(moved > 0 && renewed > 0);
    CHECK_UINT(moved_before, 0);
    end();
}

/* Nor while it cannot be read or opened, or the note cannot be taken back. */
static void not_while_it_cannot_be_read(void)
{
    begin();
    sync_fails = true;
    put_late(0);
    sync_fails = false;
    for (int kind = 0; kind < 3; kind++) {
        read_fails = kind == 0;
        wal_errno = kind == 1 ? EIO : 0;
        trust_fails = kind == 2;
        put_late(0);
        CHECK_UINT(moved, 0);
        CHECK((renewed > 0) == trust_fails);
        CHECK(lock_size() > 0);
    }
    trust_fails = false;
    renewed = 0;
    put_late(0);
    CHECK(moved > 0);
    CHECK_UINT(moved_before, 0);
    CHECK_INT(lock_size(), 0);
    end();
}

/* Of a WAL that is empty, or not there any more, nothing can be lost. */
static void nothing_to_renew(void)
{
    begin();
    struct plog_store *s = &w.p->legs.store;
    CHECK(plog_store_checkpoint(s));
    CHECK_INT(sqlite3_wal_checkpoint_v2(s->db, "main",
                                        SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL),
              SQLITE_OK);
    CHECK_UINT(wal_size(), 0);
    for (int kind = 0; kind < 2; kind++) {
        world_write(world_path(&w, "lock"), "a note", 6);
        wal_errno = kind ? ENOENT : 0;
        CHECK(plog_store_checkpoint(s));
        CHECK_INT(lock_size(), 0);
        CHECK_UINT(renewed, 0);
    }
    wal_errno = 0;
    end();
}

/* A store in the making has no lock file for a note: its handle knows. */
static void without_a_lock(void)
{
    struct plog_store s;
    watch_all();
    memset(&w, 0, sizeof w);
    wal_fd = lock_fd = -1;
    snprintf(w.dir, sizeof w.dir, "%.400s/alone", check_dir());
    CHECK_INT(mkdir(w.dir, 0700), 0);
    CHECK_INT(plog_store_open(&s, &io, world_path(&w, "store.db"),
                              PLOG_OPEN_CREATE, 0, NULL),
              0);
    CHECK_INT(plog_store_create_tables(&s, "a.example/log", NULL), 0);
    renewed = synced = moved = moved_before = 0;
    sync_fails = true;
    CHECK(!plog_store_checkpoint(&s));
    sync_fails = false;
    write_fails = true;
    CHECK(!plog_store_checkpoint(&s));
    CHECK_UINT(moved, 0);
    write_fails = false;
    CHECK(plog_store_checkpoint(&s));
    CHECK(moved > 0 && renewed > 0);
    CHECK_UINT(moved_before, 0);
    renewed = 0;
    CHECK(plog_store_checkpoint(&s)); /* and once is enough */
    CHECK_UINT(renewed, 0);
    plog_store_close(&s);
}

static unsigned begun_parts;

static void count_begun(void *ctx, int fd, uint64_t offset, uint64_t n)
{
    (void)ctx, (void)fd, (void)offset;
    begun_parts += n >= PART;
}

/* A WAL that cannot be opened for it is not begun: only the hint is lost. */
static void not_begun(void)
{
    begin();
    io.write_back = count_begun;
    wal_errno = EMFILE;
    begun_parts = 0;
    for (int i = 0; i < 40; i++)
        CHECK_INT(world_put(&w, NULL, "a", "x", NULL), 0);
    CHECK(w.p->legs.store.wal_frames > 64);
    CHECK_UINT(begun_parts, 0);
    wal_errno = 0;
    for (int i = 0; i < 40; i++)
        CHECK_INT(world_put(&w, NULL, "a", "x", NULL), 0);
    CHECK(begun_parts > 0);
    end();
}

/* ---- A store that was just made ----------------------------------------- */

/* It is in WAL mode from the first, as sqlite.org/fileformat.html, 1.3, says
 * of bytes 18 and 19: readers of it stand in nobody's way. */
static void just_made(void)
{
    char dir[600], vkey[PLOG_VKEY_MAX], name[700];
    size_t n;
    snprintf(dir, sizeof dir, "%.500s/made", check_dir());
    CHECK_INT(plog_init(dir, NULL, vkey, NULL), 0);
    snprintf(name, sizeof name, "%s/store.db", dir);
    char *bytes = world_read(name, &n);
    REQUIRE(bytes != NULL && n > 20);
    CHECK_BYTES(bytes + 18, 2, "\2\2", 2);
    free(bytes);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"begun once", begun_once},
        {"just made", just_made},
        {"not without a failure", not_without_a_failure},
        {"by the same handle", by_the_same_handle},
        {"by the next one", by_the_next_one},
        {"not after a sync of the store", not_for_the_store},
        {"nothing is moved while it cannot be", not_while_it_cannot},
        {"without the note", without_the_note},
        {"not while it cannot be read", not_while_it_cannot_be_read},
        {"nothing to renew", nothing_to_renew},
        {"without a lock", without_a_lock},
        {"not begun", not_begun},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
