/*
 * test_place.c - a new folder that appears whole or not at all: where it may
 * lie, what is copied into it, what of earlier attempts goes, and each call
 * that says no on the way.
 */
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "left.h"
#include "failing.h"
#include "failing_in.h"
#include "fs.h"
#include "orders.h"
#include "snapshot.h"
#include "world.h"

static char top[500];      /* a folder */
static char new_path[600]; /* in it */
static struct plog_io io;  /* of which calls are replaced */
static struct plog_error err;

static void begin(void)
{
    snprintf(top, sizeof top, "%.400s", check_dir());
    snprintf(new_path, sizeof new_path, "%s/new", top);
    io = *plog_io_posix();
    memset(&err, 0, sizeof err);
}

static const char *in(const char *folder, const char *name)
{
    static char paths[3][1100];
    static unsigned next;
    char *path = paths[next++ % 3];
    snprintf(path, sizeof paths[0], "%.600s/%.400s", folder, name);
    return path;
}

static bool is_there(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static void make_whole(struct plog_place *p, const char *path)
{
    CHECK_INT(plog_place_make(p, &io, path, &err), 0);
    CHECK_INT(plog_place_finish(p, &err), 0);
    plog_place_close(p);
}

/* ---- Where it lies ----------------------------------------------------------
 */

/* In a folder of a log's directory it would be taken for damage. */
static void in_a_log(void)
{
    static const char *const all[] = {"log/x",    "keys/x",      "archive/x",
                                      "orders/x", "snapshots/x", "quarantine/x",
                                      "log/y/x"};
    static const char *const folders[] = {"log/y", "archive", "orders",
                                          "snapshots", "quarantine"};
    struct plog_place p;
    struct world w;
    begin();
    world_make(&w, PLOG_ARRIVAL, 0);
    world_close(&w);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        CHECK_INT(mkdir(in(w.dir, folders[i]), 0700), 0);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const char *path = in(w.dir, all[i]);
        CHECK_INT(plog_place_check(&io, path, &err), PLOG_E_INPUT);
        CHECK(strstr(err.message, "lies in a folder of a log") != NULL);
        CHECK_INT(plog_place_make(&p, &io, path, &err), PLOG_E_INPUT);
        CHECK(!is_there(path));
    }
    CHECK_INT(plog_place_check(&io, in(w.dir, "x"), &err), 0);
}

static void no_path(void)
{
    struct plog_place p;
    char path[4100];
    begin();
    CHECK_INT(plog_place_make(&p, &io, "", &err), PLOG_E_ARG);
    plog_place_close(&p);
    CHECK_INT(plog_place_make(&p, &io, "/", &err), PLOG_E_EXISTS);
    plog_place_close(&p);
    CHECK_INT(plog_place_make(&p, &io, "///", &err), PLOG_E_EXISTS);
    plog_place_close(&p);
    for (size_t i = 0; i < 4001; i++)
        path[i] = i % 2 ? '/' : 'a';
    path[4001] = '\0'; /* whose part would be named by another path */
    CHECK_INT(plog_place_make(&p, &io, path, &err), PLOG_E_ARG);
    CHECK_TEXT(err.message, "the new path is empty or too long");
    plog_place_close(&p);
    path[4000] = '\0'; /* short enough, but its folder is not there */
    CHECK(plog_place_make(&p, &io, path, &err) != PLOG_E_ARG);
    plog_place_close(&p);
}

static void slashes_behind(void)
{
    struct plog_place p;
    char path[700];
    begin();
    snprintf(path, sizeof path, "%s///", new_path);
    make_whole(&p, path);
    CHECK(is_there(in(new_path, "log")));
    CHECK_INT(plog_place_make(&p, &io, path, &err), PLOG_E_EXISTS);
    plog_place_close(&p);
}

/* In the working directory: what was left there goes, the rest stays. */
static void a_bare_name(void)
{
    static const char *const left[] = {"new.part-0123abcd",
                                       "new.part-0123abcd.part-4567cdef"};
    static const char *const others[] = {
        "new.part-0123abc",    "new.part-0123abcde",
        "new.part-0123ABCD",   "new.part-0123abcd.part-4567cde",
        "new.part-0123abcdx",  "new.part-0123abcd.prat-4567cdef",
        "other.part-0123abcd", "old.part-0123abcd"};
    struct plog_place p;
    char here[600];
    begin();
    CHECK(getcwd(here, sizeof here) != NULL && chdir(top) == 0);
    for (size_t i = 0; i < 2; i++)
        CHECK_INT(mkdir(left[i], 0700), 0);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        CHECK_INT(mkdir(others[i], 0700), 0);
    world_write("new.part-89abcdef", "a file", 6);
    make_whole(&p, "new");
    for (size_t i = 0; i < 2; i++)
        CHECK(!is_there(left[i]));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        CHECK(is_there(others[i]));
    CHECK(is_there("new.part-89abcdef"));
    CHECK(is_there("new/log") && is_there("new/keys"));
    CHECK_INT(chdir(here), 0);
}

/* Beside a path with folders in it, wherever one stands; what has the same name
 * elsewhere stays. */
static void in_another_folder(void)
{
    static const char *const left[] = {"sub/new.part-0123abcd",
                                       "new.part-0123abcd",
                                       "sub/sub/new.part-0123abcd"};
    for (int i = 0; i < 3; i++) {
        struct plog_place p;
        char here[600];
        begin();
        CHECK(getcwd(here, sizeof here) != NULL && chdir(top) == 0);
        CHECK(mkdir("sub", 0700) == 0 && mkdir("sub/sub", 0700) == 0);
        for (int k = 0; k < 3; k++)
            CHECK_INT(mkdir(left[k], 0700), 0);
        make_whole(&p, i == 0   ? in(top, "sub/new")
                       : i == 1 ? "sub/new"
                                : "sub//new");
        CHECK(!is_there(left[0]));
        CHECK(is_there(left[1]) && is_there(left[2]));
        CHECK(is_there("sub/new/log") && is_there("sub/new/keys"));
        CHECK_INT(chdir(here), 0);
    }
}

/* Another one is being made beside it, and has its folder locked. */
static void one_under_way(void)
{
    struct plog_place other, p;
    begin();
    CHECK_INT(plog_place_make(&other, &io, new_path, &err), 0);
    CHECK(is_there(in(other.part, "log")));
    make_whole(&p, new_path);
    CHECK(is_there(in(other.part, "log")));
    CHECK_INT(plog_place_finish(&other, &err), PLOG_E_EXISTS);
    plog_place_close(&other);
    CHECK(!is_there(other.part));
}

/* The root of the file system is `top` for this table. */
static const char *rooted(int dir, const char *name)
{
    return dir == AT_FDCWD && strncmp(name, top, strlen(top)) != 0
               ? in(top, name)
               : name;
}
static unsigned roots_synced;
static int root_open(void *ctx, int dir, const char *name, int flags,
                     uint32_t mode)
{
    roots_synced += dir == AT_FDCWD && strcmp(name, "/") == 0;
    return plog_io_posix()->open_at(ctx, dir, rooted(dir, name), flags, mode);
}
static int root_stat(void *ctx, int dir, const char *name, struct plog_stat *st)
{
    return plog_io_posix()->stat_at(ctx, dir, rooted(dir, name), st);
}
static int root_mkdir(void *ctx, int dir, const char *name, uint32_t mode)
{
    return plog_io_posix()->mkdir_at(ctx, dir, rooted(dir, name), mode);
}
static int root_rmdir(void *ctx, int dir, const char *name)
{
    return plog_io_posix()->rmdir_at(ctx, dir, rooted(dir, name));
}
static int root_rename(void *ctx, int a, const char *from, int b,
                       const char *to, bool replace)
{
    return plog_io_posix()->rename_at(ctx, a, rooted(a, from), b, rooted(b, to),
                                      replace);
}
static int root_path(void *ctx, const char *path, char *out, size_t cap)
{
    return plog_io_posix()->real_path(ctx, rooted(AT_FDCWD, path), out, cap);
}

static void below_the_root(void)
{
    struct plog_place p;
    begin();
    io.open_at = root_open;
    io.stat_at = root_stat;
    io.mkdir_at = root_mkdir;
    io.rmdir_at = root_rmdir;
    io.rename_at = root_rename;
    io.real_path = root_path;
    CHECK_INT(mkdir(in(top, "new.part-0123abcd"), 0700), 0);
    roots_synced = 0;
    make_whole(&p, "/new");
    CHECK(is_there(in(new_path, "log")));
    CHECK(!is_there(in(top, "new.part-0123abcd")));
    CHECK_UINT(roots_synced, 2); /* looked through, and synced */
}

/* ---- Its name ---------------------------------------------------------------
 */

static int rename_code;
static int other_rename(void *ctx, int a, const char *from, int b,
                        const char *to, bool replace)
{
    return rename_code
               ? rename_code
               : plog_io_posix()->rename_at(ctx, a, from, b, to, replace);
}

static void a_name_that_is_taken(void)
{
    static const struct {
        int said, code;
    } all[] = {{0, PLOG_E_EXISTS}, /* really */
               {-EEXIST, PLOG_E_EXISTS},
               {-ENOTEMPTY, PLOG_E_EXISTS},
               {-EXDEV, PLOG_E_IO}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_place p;
        begin();
        io.rename_at = other_rename;
        rename_code = all[i].said;
        CHECK_INT(plog_place_make(&p, &io, new_path, &err), 0);
        if (i == 0)
            CHECK_INT(mkdir(new_path, 0700), 0);
        char part[PLOG_DIR_PATH_MAX];
        memcpy(part, p.part, sizeof part);
        CHECK(is_there(part));
        CHECK_INT(plog_place_finish(&p, &err), all[i].code);
        CHECK_INT(err.code, all[i].code);
        CHECK(all[i].code != PLOG_E_EXISTS ||
              strstr(err.message, "appeared meanwhile"));
        plog_place_close(&p);
        CHECK(!is_there(part));
        CHECK_INT(is_there(new_path), i == 0);
    }
}

/* ---- What is copied ---------------------------------------------------------
 */

static const char *failing_name; /* opening it to make it fails */
static int other_open(void *ctx, int dir, const char *name, int flags,
                      uint32_t mode)
{
    if ((flags & O_CREAT) &&
        strncmp(name, failing_name, strlen(failing_name)) == 0)
        return -EIO;
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* A log from which something is copied, open; and a place. */
struct source {
    struct world w;
    struct plog_dir dir;
    struct plog_place p;
};

static void open_source(struct source *s)
{
    begin();
    memset(s, 0, sizeof *s);
    world_make(&s->w, PLOG_ARRIVAL, 0);
    world_close(&s->w);
    snprintf(top, sizeof top, "%.400s", s->w.dir);
    snprintf(new_path, sizeof new_path, "%s-new", top);
    CHECK_INT(plog_dir_open(&s->dir, plog_io_posix(), s->w.dir, PLOG_DIR_READ,
                            false, NULL),
              0);
    CHECK_INT(plog_place_make(&s->p, &io, new_path, &err), 0);
}

static void close_source(struct source *s)
{
    plog_place_close(&s->p);
    plog_dir_close(&s->dir);
}

static bool copied(const struct source *s, const char *name)
{
    return is_there(in(s->p.part, name));
}

static void keys(void)
{
    for (int secret = 0; secret < 2; secret++) {
        struct source s;
        struct stat st;
        open_source(&s);
        world_write(in(top, "keys/.vkey"), "", 0); /* a suffix alone */
        world_write(in(top, "keys/vkey"), "", 0);
        world_write(in(top, "keys/x.vkey"), "x", 1);
        world_write(in(top, "keys/x.vkey.tmp"), "x", 1);
        CHECK_INT(plog_place_keys(&s.p, &s.dir, secret, &err), 0);
        CHECK(copied(&s, "keys/x.vkey"));
        CHECK(!copied(&s, "keys/.vkey") && !copied(&s, "keys/vkey"));
        CHECK(!copied(&s, "keys/x.vkey.tmp"));
        CHECK_INT(copied(&s, "keys/signing.key"), secret);
        CHECK(stat(in(s.p.part, "keys/x.vkey"), &st) == 0 &&
              (st.st_mode & 0777) == 0644);
        if (secret)
            CHECK(stat(in(s.p.part, "keys/signing.key"), &st) == 0 &&
                  (st.st_mode & 0777) == 0600);
        CHECK(!copied(&s, PLOG_FS_MARKER));
        close_source(&s);
        CHECK(!is_there(s.p.part));
    }
}

static void no_keys(void)
{
    struct source s;
    open_source(&s);
    world_remove(in(top, "keys"));
    plog_dir_close(&s.dir);
    CHECK_INT(plog_dir_open(&s.dir, plog_io_posix(), s.w.dir, PLOG_DIR_READ,
                            false, NULL),
              0);
    CHECK_INT(plog_place_keys(&s.p, &s.dir, true, &err), 0);
    close_source(&s);
}

static void a_key_that_is_none(void)
{
    struct source s;
    open_source(&s);
    CHECK_INT(mkfifo(in(top, "keys/x.vkey"), 0600), 0);
    CHECK_INT(plog_place_keys(&s.p, &s.dir, false, &err), PLOG_E_IO);
    CHECK_TEXT(err.file, "keys/x.vkey");
    close_source(&s);
}

/* That a network file system will do goes along. */
static void the_marker(void)
{
    for (int fails = 0; fails < 2; fails++) {
        struct source s;
        open_source(&s);
        world_write(in(top, PLOG_FS_MARKER), "", 0);
        failing_name = PLOG_FS_MARKER;
        if (fails)
            io.open_at = other_open;
        CHECK_INT(plog_place_keys(&s.p, &s.dir, false, &err),
                  fails ? PLOG_E_IO : 0);
        CHECK_TEXT(err.file, fails ? PLOG_FS_MARKER : "");
        CHECK_INT(copied(&s, PLOG_FS_MARKER), !fails);
        close_source(&s);
    }
}

#define PROOF "c2sp.org/tlog-proof@v1\n" /* and what follows is not asked */

static void put_order(const char *name, const char *text)
{
    char path[300];
    snprintf(path, sizeof path, PLOG_ORDERS_DIR "/%s", name);
    world_write(in(top, path), text, strlen(text));
}

static void holds(const char *path, const char *text)
{
    size_t n;
    char *bytes = world_read(path, &n);
    CHECK_BYTES(bytes, n, text, strlen(text));
    free(bytes);
}

/* Whatever its name, a proof is copied, and nothing else. */
static void orders(void)
{
    struct source s;
    open_source(&s);
    CHECK_INT(plog_place_orders(&s.p, &s.dir, &err), 0); /* none */
    CHECK(!copied(&s, PLOG_ORDERS_DIR));
    CHECK_INT(mkdir(in(top, PLOG_ORDERS_DIR), 0700), 0);
    put_order("12", PROOF "a");
    put_order("34", PROOF "b");
    put_order(".5", PROOF "c");
    put_order("56", PROOF "d");
    put_order("by another name", PROOF "e");
    put_order("67", "x");
    put_order("78", PROOF);
    CHECK_INT(mkfifo(in(top, PLOG_ORDERS_DIR "/89"), 0600), 0);
    CHECK_INT(mkdir(in(top, PLOG_ORDERS_DIR "/90"), 0700), 0);
    CHECK_INT(plog_place_orders(&s.p, &s.dir, &err), 0);
    CHECK_INT(plog_place_order(&s.p, 55, plog_span("f", 1), &err), 0);
    CHECK(copied(&s, PLOG_ORDERS_DIR "/12") &&
          copied(&s, PLOG_ORDERS_DIR "/34") &&
          copied(&s, PLOG_ORDERS_DIR "/55") &&
          copied(&s, PLOG_ORDERS_DIR "/56") &&
          copied(&s, PLOG_ORDERS_DIR "/by another name"));
    CHECK(!copied(&s, PLOG_ORDERS_DIR "/.5") &&
          !copied(&s, PLOG_ORDERS_DIR "/67") &&
          !copied(&s, PLOG_ORDERS_DIR "/78") &&
          !copied(&s, PLOG_ORDERS_DIR "/89") &&
          !copied(&s, PLOG_ORDERS_DIR "/90"));
    for (int i = 0; i < 2; i++) /* another log's has that number */
        CHECK_INT(plog_place_order(&s.p, 56, plog_span("g", 1), &err), 0);
    holds(in(s.p.part, PLOG_ORDERS_DIR "/56"), PROOF "d");
    holds(in(s.p.part, PLOG_ORDERS_DIR "/56.2"), "g");
    holds(in(s.p.part, PLOG_ORDERS_DIR "/56.3"), "g");
    close_source(&s);
}

/* A name that another's scratch file could have had, and the longest. */
static void odd_names_of_orders(void)
{
    struct source s;
    char name[256], path[300];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    snprintf(path, sizeof path, PLOG_ORDERS_DIR "/%s", name);
    open_source(&s);
    CHECK_INT(mkdir(in(top, PLOG_ORDERS_DIR), 0700), 0);
    put_order("12.tmp", PROOF "a");
    put_order("12", PROOF "b");
    put_order("12.tmp.tmp", PROOF "c");
    put_order(name, PROOF "d");
    CHECK_INT(plog_place_orders(&s.p, &s.dir, &err), 0);
    holds(in(s.p.part, PLOG_ORDERS_DIR "/12.tmp"), PROOF "a");
    holds(in(s.p.part, PLOG_ORDERS_DIR "/12"), PROOF "b");
    holds(in(s.p.part, PLOG_ORDERS_DIR "/12.tmp.tmp"), PROOF "c");
    holds(in(s.p.part, path), PROOF "d");
    close_source(&s);
}

/* ---- Snapshots --------------------------------------------------------------
 */

#define FLOOR 480
#define SNAPSHOT PLOG_SNAPSHOT_DIR "/00000000000000000480.jsonl.gz"

static int data_sync_fails(void *ctx, int fd)
{
    (void)ctx, (void)fd;
    return -EIO;
}
static int dir_sync_fails(void *ctx, int fd)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        return -EIO;
    return plog_io_posix()->fsync(ctx, fd);
}

static void snapshots(void)
{
    enum { NO_FOLDER, NO_FILE, A_LINK, WHOLE, NOT_MADE, NOT_SYNCED, NOT_NAMED };
    static const int codes[] = {PLOG_E_PRUNED, PLOG_E_PRUNED, PLOG_E_IO, 0,
                                PLOG_E_IO,     PLOG_E_IO,     PLOG_E_IO};
    static char bytes[70000]; /* more than is copied at a time */
    memset(bytes, 'x', sizeof bytes);
    for (int i = NO_FOLDER; i <= NOT_NAMED; i++) {
        struct source s;
        size_t n;
        open_source(&s);
        if (i > NO_FOLDER)
            CHECK_INT(mkdir(in(top, PLOG_SNAPSHOT_DIR), 0700), 0);
        if (i == A_LINK)
            CHECK_INT(symlink("x", in(top, SNAPSHOT)), 0);
        if (i >= WHOLE)
            world_write(in(top, SNAPSHOT), bytes, sizeof bytes);
        failing_name = "00000000000000000480";
        if (i == NOT_MADE)
            io.open_at = other_open;
        if (i == NOT_SYNCED)
            io.fdatasync = data_sync_fails;
        if (i == NOT_NAMED && mkdir(in(s.p.part, PLOG_SNAPSHOT_DIR), 0700) == 0)
            io.fsync = dir_sync_fails;
        if (!CHECK_INT(plog_place_snapshot(&s.p, &s.dir, FLOOR, &err),
                       codes[i]) ||
            !CHECK_INT(err.code, codes[i]))
            printf("# %d: %s\n", i, err.message);
        if (i == WHOLE) {
            char *made = world_read(in(s.p.part, SNAPSHOT), &n);
            CHECK_BYTES(made, n, bytes, sizeof bytes);
            free(made);
        }
        close_source(&s);
        CHECK(!is_there(s.p.part));
    }
}

/* ---- Removing ---------------------------------------------------------------
 */

static int posix_unlink(void *ctx, int dir, const char *name)
{
    int rc = plog_io_posix()->unlink_at(ctx, dir, name);
    return rc == -EISDIR ? -EPERM : rc; /* as POSIX has it */
}
static int no_unlink(void *ctx, int dir, const char *name)
{
    (void)ctx, (void)dir, (void)name;
    return -EACCES;
}

/* Only the first one. */
static int one_no_unlink(void *ctx, int dir, const char *name)
{
    static bool refused;
    refused = !refused;
    return refused ? -EACCES : plog_io_posix()->unlink_at(ctx, dir, name);
}

/* A folder in it that is none of ours stays, and all around it.  One file that
 * cannot be removed is what is told, whatever happens to the others. */
static void removing(void)
{
    for (int i = 0; i < 4; i++) {
        struct plog_place p;
        begin();
        make_whole(&p, new_path);
        world_write(in(new_path, "log/x"), "x", 1);
        if (i == 3)
            world_write(in(new_path, "log/y"), "y", 1);
        if (i < 2)
            CHECK_INT(mkdir(in(new_path, "mine"), 0700), 0);
        if (i == 1)
            io.unlink_at = posix_unlink;
        if (i == 2)
            io.unlink_at = no_unlink;
        if (i == 3)
            io.unlink_at = one_no_unlink;
        CHECK_INT(plog_left_remove(&io, new_path),
                  i >= 2 ? -EACCES : -ENOTEMPTY);
        CHECK_INT(is_there(in(new_path, "mine")), i < 2);
        CHECK_INT(is_there(in(new_path, "log/x")) +
                      is_there(in(new_path, "log/y")),
                  i >= 2);
    }
    CHECK_INT(plog_left_remove(plog_io_posix(), new_path), 0);
    CHECK(!is_there(new_path));
    CHECK_INT(plog_left_remove(plog_io_posix(), new_path), -ENOENT);
}

/* ---- Each call --------------------------------------------------------------
 */

/* All that can be copied into a place, by a table of which a call may fail. */
static int fill(const struct plog_dir *from, struct plog_place *p)
{
    int rc = plog_place_make(p, &io, new_path, &err);
    if (!rc)
        rc = plog_place_keys(p, from, true, &err);
    if (!rc)
        rc = plog_place_orders(p, from, &err);
    if (!rc)
        rc = plog_place_order(p, 56, plog_span("d", 1), &err);
    if (!rc)
        rc = plog_place_snapshot(p, from, FLOOR, &err);
    return rc ? rc : plog_place_finish(p, &err);
}

/* That it is called is what counts here, not the disk. */
static int sync_may_fail(void *ctx, int fd)
{
    (void)ctx, (void)fd;
    return failing_now(1u << FAILING_IO, "syncing", "a file") ? -EIO : 0;
}

static void open_full_source(struct world *w, struct plog_dir *from)
{
    begin();
    world_make(w, PLOG_ARRIVAL, 0);
    world_close(w);
    snprintf(top, sizeof top, "%.400s", w->dir);
    CHECK_INT(mkdir(in(top, PLOG_ORDERS_DIR), 0700), 0);
    put_order("12", PROOF "a");
    CHECK_INT(mkdir(in(top, PLOG_SNAPSHOT_DIR), 0700), 0);
    world_write(in(top, SNAPSHOT), "a snapshot", 10);
    io = *failing_io();
    io.fsync = io.fdatasync = sync_may_fail;
    CHECK_INT(plog_dir_open(from, &io, w->dir, PLOG_DIR_READ, false, NULL), 0);
}

/* What is there under the name is whole; with an error nothing is, but where
 * only the sync of the folder that it lies in failed. */
static void is_whole_or_none(int rc)
{
    static const char *const names[] = {"log", "keys/signing.key",
                                        PLOG_ORDERS_DIR "/12",
                                        PLOG_ORDERS_DIR "/56", SNAPSHOT};
    bool named = is_there(new_path);
    CHECK(rc != 0 || named);
    CHECK_INT(err.code, rc);
    CHECK((rc != 0) == (err.message[0] != '\0'));
    CHECK(!named || !rc || strstr(err.message, "syncing its parent"));
    for (size_t i = 0; named && i < sizeof names / sizeof *names; i++)
        CHECK(is_there(in(new_path, names[i])));
}

static void each_call_fails(void)
{
    static const enum failing_what kinds[] = {FAILING_IO, FAILING_ALLOC};
    struct world w;
    struct plog_dir from;
    open_full_source(&w, &from);
    snprintf(new_path, sizeof new_path, "%s-new", top);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        unsigned refused = 0;
        for (unsigned long n = 1; n < 500; n++) {
            struct plog_place p;
            struct failing_live before = failing_live();
            memset(&err, 0, sizeof err);
            failing_start(kinds[k], n, false);
            failing_go();
            int rc = fill(&from, &p);
            is_whole_or_none(rc);
            plog_place_close(&p);
            failing_stop();
            struct failing_live after = failing_live();
            CHECK_INT(after.table, before.table);
            CHECK_INT(after.handles, before.handles);
            if (!CHECK(rc == 0 || rc == (k ? PLOG_E_NOMEM : PLOG_E_IO)))
                printf("# %s: %d, %s\n", failing_hit(), rc, err.message);
            refused += rc != 0;
            if (is_there(new_path))
                world_remove(new_path);
            if (!failing_reached())
                break;
        }
        CHECK(refused > (k ? 3 : 30));
    }
    plog_dir_close(&from);
}

/* What could not be removed at once can be later. */
static void each_removal_fails(void)
{
    for (unsigned long n = 1; n < 100; n++) {
        begin();
        if (!is_there(new_path)) {
            struct plog_place p;
            make_whole(&p, new_path);
            world_write(in(new_path, "log/x"), "x", 1);
        }
        io = *failing_io();
        failing_start(FAILING_IO, n, false);
        failing_go();
        int rc = plog_left_remove(&io, new_path);
        failing_stop();
        CHECK_INT(failing_live().handles, 0);
        if (!failing_reached()) {
            CHECK_INT(rc, 0);
            CHECK(!is_there(new_path) && n > 15);
            return;
        }
        CHECK(rc == -EIO || (rc == 0 && !is_there(new_path)));
    }
    CHECK(false); /* more calls than that */
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"no path", no_path},
        {"in a log", in_a_log},
        {"slashes behind", slashes_behind},
        {"a bare name", a_bare_name},
        {"in another folder", in_another_folder},
        {"one under way", one_under_way},
        {"below the root", below_the_root},
        {"a name that is taken", a_name_that_is_taken},
        {"keys", keys},
        {"no keys", no_keys},
        {"a key that is none", a_key_that_is_none},
        {"the marker", the_marker},
        {"orders", orders},
        {"odd names of orders", odd_names_of_orders},
        {"snapshots", snapshots},
        {"removing", removing},
        {"each call fails", each_call_fails},
        {"each removal fails", each_removal_fails},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
