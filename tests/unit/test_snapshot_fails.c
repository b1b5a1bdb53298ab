/*
 * test_snapshot_fails.c - a snapshot that cannot be written: the first thing
 * that failed is what is told, whatever fails behind it, and no part of a file
 * stays; and where memory ends in the middle of a line, none is written.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "files.h"
#include "paritylog_recovery.h"
#include "peers.h"
#include "reader.h"
#include "snapshot.h"
#include "world.h"

static struct world w;
static struct plog_error err;
static struct plog_snapshot_written out;
static struct plog_io io;

/* ---- A disk on which some calls fail ------------------------------------- */

/* In the order in which they are made. */
enum call {
    OPEN_FOLDER = 1,
    MKDIR = 2,
    SYNC_ABOVE = 4, /* of the log's own folder */
    OPEN_FILE = 8,
    WRITE = 16,
    SYNC_FILE = 32,
    RENAME = 64,
    SYNC_FOLDER = 128,
};

static struct {
    unsigned fails, made; /* enum call */
    int above;            /* the handle of the log's folder */
    bool lies;            /* it does not keep what is written */
} disk;

static bool fails(enum call c)
{
    disk.made |= c;
    return disk.fails & c;
}

static int on_mkdir(void *ctx, int dir, const char *name, uint32_t mode)
{
    /* or where another one of that name goes */
    CHECK(strcmp(name, PLOG_SNAPSHOT_DIR) == 0 ||
          (strcmp(name, "quarantine") == 0 && !disk.fails));
    CHECK_UINT(mode, 0700);
    return fails(MKDIR) ? -EROFS
                        : plog_io_posix()->mkdir_at(ctx, dir, name, mode);
}

static int on_open(void *ctx, int dir, const char *name, int flags,
                   uint32_t mode)
{
    if (flags & O_CREAT ? fails(OPEN_FILE)
                        : flags & O_DIRECTORY && fails(OPEN_FOLDER))
        return -EMFILE;
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

static int64_t on_write(void *ctx, int fd, const void *p, size_t n, uint64_t at)
{
    if (fails(WRITE))
        return -ENOSPC;
    int64_t written = plog_io_posix()->pwrite(ctx, fd, p, n, at);
    if (disk.lies && n > 60) /* within what is compressed */
        CHECK_INT(plog_io_posix()->pwrite(ctx, fd, "lies", 4, at + 50), 4);
    return written;
}

static int on_fdatasync(void *ctx, int fd)
{
    (void)ctx, (void)fd;
    return fails(SYNC_FILE) ? -EDQUOT : 0;
}

static int on_fsync(void *ctx, int fd)
{
    (void)ctx;
    return fails(fd == disk.above ? SYNC_ABOVE : SYNC_FOLDER) ? -EIO : 0;
}

static int on_rename(void *ctx, int from, const char *name, int to,
                     const char *new_name, bool replace)
{
    return fails(RENAME) ? -EACCES
                         : plog_io_posix()->rename_at(ctx, from, name, to,
                                                      new_name, replace);
}

static void *(*allocate)(void *ctx, void *p, size_t n); /* NULL: as ever */

/* Writes what the store holds, over the table of these calls. */
static int write_one(unsigned failing)
{
    struct plog_reader r;
    struct plog_store_head head;
    CHECK_INT(plog_reader_open_log(&r, plog_io_posix(), w.dir, NULL, NULL), 0);
    CHECK_INT(plog_reader_open_store(&r, 0, NULL), 0);
    CHECK_INT(plog_store_get_head(&r.store, &head, NULL), 0);
    io = *plog_io_posix();
    io.mkdir_at = on_mkdir;
    io.open_at = on_open;
    io.pwrite = on_write;
    io.fdatasync = on_fdatasync;
    io.fsync = on_fsync;
    io.rename_at = on_rename;
    if (allocate)
        io.alloc = allocate;
    disk.fails = failing;
    disk.made = 0;
    disk.above = r.dir.dir;
    r.dir.io = &io;
    memset(&err, 0, sizeof err);
    int rc = plog_snapshot_write(&r.dir, &r.store, &head, NULL, NULL, NULL,
                                 &out, &err);
    r.dir.io = plog_io_posix();
    CHECK_INT(err.code, rc);
    plog_reader_fini(&r);
    return rc;
}

/* How many files there are; -1: no folder for them. */
static int files(void)
{
    struct tree t;
    if (!world_has(&w, PLOG_SNAPSHOT_DIR))
        return -1;
    tree_read(&t, world_path(&w, PLOG_SNAPSHOT_DIR));
    int n = (int)t.count;
    tree_free(&t);
    return n;
}

/* ---- What is told -------------------------------------------------------- */

static void the_first_that_fails(void)
{
    static const struct {
        enum call fails;
        int files;
        const char *file, *message;
    } all[] = {
        {OPEN_FOLDER, -1, PLOG_SNAPSHOT_DIR,
         "opening the folder: Too many open files"},
        {MKDIR, -1, PLOG_SNAPSHOT_DIR,
         "making the folder: Read-only file system"},
        {SYNC_ABOVE, 0, PLOG_SNAPSHOT_DIR,
         "making the folder: Input/output error"},
        {OPEN_FILE, 0, PLOG_SNAPSHOT_DIR, "making a file: Too many open files"},
        {WRITE, 0, "", "writing a compressed file: No space left on device"},
        {SYNC_FILE, 0, PLOG_SNAPSHOT_DIR,
         "syncing a snapshot: Disk quota exceeded"},
        {RENAME, 0, PLOG_SNAPSHOT_DIR, "naming a snapshot: Permission denied"},
        {SYNC_FOLDER, 1, PLOG_SNAPSHOT_DIR,
         "syncing the folder: Input/output error"},
    };
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, "a", "1", "v", NULL), 0);
    world_close(&w);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (unsigned more = 0; more < 2; more++) { /* or all behind it */
            unsigned behind = ~(2u * all[i].fails - 1);
            CHECK_INT(write_one(all[i].fails | more * behind), PLOG_E_IO);
            if (!CHECK_TEXT(err.message, all[i].message) ||
                !CHECK_TEXT(err.file, all[i].file) ||
                !CHECK_UINT(disk.made & behind, 0) ||
                !CHECK_INT(files(), all[i].files))
                printf("# %zu, %u\n", i, more);
        }
    CHECK_INT(write_one(0), 0);
    CHECK_UINT(disk.made, OPEN_FOLDER | SYNC_ABOVE | OPEN_FILE | WRITE |
                              SYNC_FILE | RENAME | SYNC_FOLDER);
    CHECK_INT(files(), 1);
    CHECK_UINT(out.records, 1);
    CHECK_UINT(out.ids, 1);
}

/* What was written is read again before anything counts on it. */
static void a_disk_that_lies(void)
{
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, "a", "1", "v", NULL), 0);
    world_close(&w);
    disk.lies = true;
    CHECK_INT(write_one(0), PLOG_E_CORRUPT);
    CHECK_TEXT(err.message, "the snapshot of entry 2 is not gzip, or damaged");
    CHECK_TEXT(err.file, "snapshots/00000000000000000002.jsonl.gz");
    CHECK(err.hint[0] != '\0');
    disk.lies = false;
    CHECK_INT(write_one(0), 0); /* it is replaced */
    CHECK_INT(files(), 1);
}

/* Who only looks makes no folder. */
static void no_folder(void)
{
    struct plog_dir d;
    int fd;
    world_make(&w, PLOG_ARRIVAL, 0);
    world_close(&w);
    CHECK_INT(
        plog_dir_open(&d, plog_io_posix(), w.dir, PLOG_DIR_READ, false, NULL),
        0);
    CHECK_INT(plog_snapshot_dir(&d, false, &fd, NULL), PLOG_END);
    CHECK_INT(files(), -1);
    CHECK_INT(plog_snapshot_dir(&d, true, &fd, NULL), 0);
    CHECK_INT(files(), 0);
    close(fd);
    CHECK_INT(plog_snapshot_dir(&d, false, &fd, NULL), 0);
    close(fd);
    plog_dir_close(&d);
}

/* ---- No memory ----------------------------------------------------------- */

#define ROOM 1024 /* what a line is refused, once */

static bool refused;

static void *refuse_once(void *ctx, void *p, size_t n)
{
    if (n != ROOM || refused)
        return plog_io_posix()->alloc(ctx, p, n);
    refused = true;
    return NULL;
}

/* A line that lacks one of its parts is not written, though there be memory
 * for what follows: the line is longer by one part than there is room for. */
static void memory_for_all_but_one(void)
{
    static const struct {
        const char *sql;
        int from, to;
    } all[] = {
        {"UPDATE state SET resource=printf('%%0*d',%d,1)", 420, 492},
        {"UPDATE cursors SET source=printf('%%0*d',%d,1)", 440, 492},
        {"UPDATE peers SET name=printf('%%0*d',%d,1)", 474, 498},
    };
    struct plog_cursor c = {{"src", 3}, {"*", 1}, {"page 7", 6}};
    struct plog_group g = {
        .struct_size = sizeof g, .cursors = &c, .cursor_count = 1};
    struct world kept;
    char sql[200];
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, NULL, "1", "v", NULL), 0);
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    kept = w;
    allocate = refuse_once;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        int whole = 0, ended = 0;
        snprintf(w.dir, sizeof w.dir, "%.400s-%zu", kept.dir, i);
        world_copy(kept.dir, w.dir);
        for (int n = all[i].from; n < all[i].to; n += 3) {
            snprintf(sql, sizeof sql, all[i].sql, n);
            world_sql(&w, sql);
            refused = false;
            int rc = write_one(0);
            if (!CHECK_INT(rc, refused ? PLOG_E_NOMEM : 0))
                printf("# %s\n", sql);
            CHECK_TEXT(err.message, refused ? "out of memory" : "");
            *(rc ? &ended : &whole) += 1;
            CHECK_INT(files(), whole > 0); /* of the one before */
        }
        CHECK(whole > 0 && ended > 4);
    }
    allocate = NULL;
}

static unsigned allocations, refused_at;

static void *refuse_one(void *ctx, void *p, size_t n)
{
    return n && ++allocations == refused_at ? NULL
                                            : plog_io_posix()->alloc(ctx, p, n);
}

/* Each allocation fails, once: what follows could be made, and is not. */
static void each_allocation(void)
{
    unsigned all;
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, "a", "1", "v", NULL), 0);
    world_close(&w);
    allocate = refuse_one;
    allocations = refused_at = 0;
    CHECK_INT(write_one(0), 0);
    all = allocations;
    CHECK(all > 5 && all < 200);
    world_remove(world_path(&w, PLOG_SNAPSHOT_DIR));
    for (refused_at = 1; refused_at <= all; refused_at++) {
        allocations = 0;
        if (!CHECK_INT(write_one(0), PLOG_E_NOMEM) ||
            !CHECK_TEXT(err.message, "out of memory"))
            printf("# allocation %u of %u\n", refused_at, all);
    }
    allocate = NULL;
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"the first that fails", the_first_that_fails},
        {"a disk that lies", a_disk_that_lies},
        {"no folder", no_folder},
        {"memory for all but one", memory_for_all_but_one},
        {"each allocation", each_allocation},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
