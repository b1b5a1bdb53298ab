/*
 * test_init.c - what is there already when a log is made: nothing is written
 * over, what an init left that was cut off is finished, and what fails is not
 * taken for either.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "key.h"
#include "sql_calls.h"
#include "world.h"

#define FIRST "log/00000000000000000001.jsonl"

static struct plog_io io; /* the real one, which the cases change */
static struct world w;
static struct plog_error err;
static struct plog_init_options options;

static int init(const char *origin)
{
    memset(&err, 0, sizeof err);
    memset(w.vkey, 0, sizeof w.vkey);
    options.struct_size = sizeof options;
    options.io = &io;
    options.origin = origin;
    return plog_init(w.dir, &options, w.vkey, &err);
}

static void set_up(void)
{
    static int next;
    io = *plog_io_posix();
    memset(&w, 0, sizeof w);
    memset(&options, 0, sizeof options);
    w.options.struct_size = sizeof w.options;
    snprintf(w.dir, sizeof w.dir, "%.400s/i%d", check_dir(), next++);
}

static void make_folder(const char *name)
{
    CHECK_INT(mkdir(world_path(&w, name), 0700), 0);
}

static bool there(const char *name)
{
    struct stat st;
    return lstat(world_path(&w, name), &st) == 0;
}

/* ---- Randomness --------------------------------------------------------- */

static long randoms; /* calls that succeed */

static int failing_random(void *ctx, void *p, size_t n)
{
    return randoms-- > 0 ? plog_io_posix()->random(ctx, p, n) : -EIO;
}

static void no_randomness(void)
{
    set_up();
    io.random = failing_random;
    randoms = 0;
    CHECK_INT(init(NULL), PLOG_E_IO);
    CHECK_TEXT(err.message, "no randomness for a name");
    for (int i = 0; i < 2; i++) { /* for the key, then */
        randoms = 1 - i;
        CHECK_INT(init(i ? "name" : NULL), PLOG_E_IO);
        CHECK(!there("keys/signing.key") && !there(FIRST));
        CHECK_TEXT(w.vkey, "");
    }
    io.random = plog_io_posix()->random;
    CHECK_INT(init(NULL), 0);
    CHECK(strncmp(w.vkey, "plog-", 5) == 0);
    CHECK_INT(world_open(&w), 0);
    world_end(&w, 1);
}

/* ---- A key -------------------------------------------------------------- */

/* One that was cut off behind its key goes on with that, under its name only;
 * the secret is never made anew. */
static void a_key_is_there(void)
{
    static const struct {
        const char *origin;
        int rc;
    } all[] = {{"other", PLOG_E_EXISTS},
               {"mine2", PLOG_E_EXISTS},
               {"min", PLOG_E_EXISTS},
               {"mine", 0},
               {NULL, 0}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_signer s;
        char vkey[PLOG_VKEY_MAX];
        set_up();
        CHECK_INT(mkdir(w.dir, 0700), 0);
        make_folder("log"); /* it was there before the key */
        make_folder("keys");
        int keys = open(world_path(&w, "keys"), O_RDONLY | O_DIRECTORY);
        CHECK_INT(plog_signer_generate(&s, &io, "mine", NULL), 0);
        plog_vkey_format(&s.vkey, vkey);
        CHECK_INT(plog_signer_save(&s, &io, keys, NULL, NULL), 0);
        plog_signer_fini(&s);
        close(keys);
        CHECK_INT(init(all[i].origin), all[i].rc);
        CHECK(there(FIRST) == (all[i].rc == 0));
        if (all[i].rc)
            continue;
        CHECK_TEXT(w.vkey, vkey);
        CHECK_INT(world_open(&w), 0);
        world_end(&w, 1);
    }
}

/* A secret that cannot be used is not replaced. */
static void an_odd_key_is_there(void)
{
    set_up();
    CHECK_INT(mkdir(w.dir, 0700), 0);
    make_folder("log");
    make_folder("keys");
    world_write(world_path(&w, "keys/signing.key"), "no key", 6);
    CHECK_INT(chmod(world_path(&w, "keys/signing.key"), 0600), 0);
    CHECK_INT(init(NULL), PLOG_E_KEY);
    size_t n;
    char *text = world_read(world_path(&w, "keys/signing.key"), &n);
    CHECK_BYTES(text, n, "no key", 6);
    free(text);
    CHECK(!there(FIRST) && !there("store.db"));
}

/* ---- A store ------------------------------------------------------------ */

static int stat_rc;

static int failing_stat_at(void *ctx, int dir, const char *name,
                           struct plog_stat *out)
{
    int rc = plog_io_posix()->stat_at(ctx, dir, name, out);
    return stat_rc && strcmp(name, "store.db") == 0 ? stat_rc : rc;
}

/* Without a log it may be all that is left of one. */
static void a_store_is_there(void)
{
    set_up();
    CHECK_INT(init("mine"), 0);
    world_remove(world_path(&w, "log"));
    world_remove(world_path(&w, "keys"));
    CHECK_INT(init("mine"), PLOG_E_EXISTS);
    CHECK(strstr(err.hint, "status") != NULL);
    CHECK(!there("keys/signing.key") && !there(FIRST));
    world_drop_store(&w);
    io.stat_at = failing_stat_at;
    stat_rc = -EIO;
    CHECK_INT(init("mine"), PLOG_E_IO);
    CHECK(!there("keys/signing.key") && !there(FIRST));
    stat_rc = 0;
    CHECK_INT(init("mine"), 0);
    CHECK_INT(world_open(&w), 0);
    world_end(&w, 1);
}

static unsigned entries(const char *name)
{
    struct dirent *e;
    unsigned n = 0;
    DIR *d = opendir(name);
    CHECK(d != NULL);
    while (d && (e = readdir(d)) != NULL)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

/* A log that is gone, of which something is left: another one in its place and
 * under its key would be taken for it.  Nothing is made. */
static void a_log_was_here(void)
{
    static const char *const relics[] = {"store.db", "store.db-wal", "archive",
                                         "snapshots", "quarantine"};
    for (int i = 0; i < 5; i++)
        for (int empty = 0; empty < 2; empty++) {
            char text[80];
            set_up();
            make_folder("");
            if (empty)
                make_folder("log");
            if (i < 2)
                world_write(world_path(&w, relics[i]), "x", 1);
            else
                make_folder(relics[i]);
            unsigned n = entries(w.dir);
            CHECK_INT(init("mine"), PLOG_E_EXISTS);
            snprintf(text, sizeof text,
                     "there was a log here: %s is left of it", relics[i]);
            CHECK_TEXT(err.message, text);
            CHECK_TEXT(err.hint, "run: paritylog status DIR; or make the log"
                                 " elsewhere");
            CHECK(!there("keys/signing.key") && !there(FIRST));
            if (!empty)
                CHECK_UINT(entries(w.dir), n);
        }
}

/* What a log leaves that was lost, and no init that was cut off does: a key
 * without log/, segments without keys/, or a store.  Nothing is made beside. */
static void a_lost_log(void)
{
    for (int kind = 0; kind < 4; kind++) {
        set_up();
        CHECK_INT(init("mine"), 0);
        if (kind != 3)
            world_drop_store(&w);
        if (kind != 1)
            world_remove(world_path(&w, "log"));
        if (kind == 3)
            make_folder("log");
        if (kind == 1 || kind == 3)
            world_remove(world_path(&w, "keys"));
        if (kind == 2)
            CHECK_INT(unlink(world_path(&w, "lock")), 0);
        unsigned n = entries(w.dir);
        CHECK_INT(init("mine"), PLOG_E_EXISTS);
        if (kind == 0)
            CHECK_TEXT(err.message, "there was a log here: keys/signing.key is"
                                    " left of it");
        CHECK(err.hint[0] != '\0');
        CHECK_UINT(entries(w.dir), n);
    }
}

/* Beside the log of an init that was cut off: one of another kind is not ours
 * to replace. */
static void an_odd_store_is_there(void)
{
    for (int kind = 0; kind < 4; kind++) {
        set_up();
        CHECK_INT(init("mine"), 0);
        world_drop_store(&w);
        const char *path = world_path(&w, "store.db");
        if (kind == 0)
            CHECK_INT(mkdir(path, 0700), 0);
        if (kind == 1)
            CHECK_INT(symlink("x", path), 0);
        if (kind == 2)
            world_write(path, "this is no database at all, nor was it", 38);
        io.stat_at = failing_stat_at;
        stat_rc = kind == 3 ? -EIO : 0;
        CHECK_INT(init("mine"), kind < 3 ? PLOG_E_EXISTS : PLOG_E_IO);
        stat_rc = 0;
        if (kind < 3)
            CHECK_INT(remove(world_path(&w, "store.db")), 0);
        CHECK_INT(init("mine"), 0);
        CHECK_INT(world_open(&w), 0);
        world_end(&w, 1);
    }
}

/* ---- A log -------------------------------------------------------------- */

static int64_t failing_pread(void *ctx, int fd, void *p, size_t n, uint64_t at)
{
    (void)ctx, (void)fd, (void)p, (void)n, (void)at;
    return -EIO;
}

/* Anything but the init entry alone is somebody's log. */
static void a_log_is_there(void)
{
    for (int kind = 0; kind < 7; kind++) {
        size_t n;
        set_up();
        CHECK_INT(init("mine"), 0);
        if (kind == 1 || kind == 2) {
            CHECK_INT(world_open(&w), 0);
            CHECK_INT(world_put(&w, "a", "r", "v", NULL), 0);
            world_close(&w);
        }
        if (kind != 2)
            world_drop_store(&w);
        const char *path = world_path(&w, FIRST);
        char *log = world_read(path, &n);
        if (kind == 3)
            world_write(path, log, n - 5); /* torn */
        if (kind == 4) {
            strstr(log, "\"control\"")[3] ^= 1;
            world_write(path, log, n);
        }
        if (kind == 5)
            io.pread = failing_pread;
        if (kind == 6)
            world_write(world_path(&w, "log/odd"), "", 0);
        free(log);
        log = world_read(path, &n);
        int expected = kind == 0 ? 0 : kind == 5 ? PLOG_E_IO : PLOG_E_EXISTS;
        if (!CHECK_INT(init("mine"), expected))
            printf("#   kind %d: %s\n", kind, err.message);
        size_t after;
        char *now = world_read(path, &after);
        CHECK_BYTES(now, after, log, n);
        CHECK(there("store.db") == (kind == 0 || kind == 2));
        free(now);
        free(log);
    }
}

/* ---- A file system that will not do ------------------------------------- */

static int nfs(void *ctx, int fd, struct plog_fs *out)
{
    int rc = plog_io_posix()->file_system(ctx, fd, out);
    out->type = 0x6969;
    return rc;
}

/* That is said before there is a key or a log. */
static void a_network_file_system(void)
{
    set_up();
    io.file_system = nfs;
    CHECK(init("mine") < 0);
    CHECK(!there("keys/signing.key") && !there(FIRST) && !there("store.db"));
    options.allow_network_fs = true;
    CHECK_INT(init("mine"), 0);
    CHECK(there("keys/signing.key") && there(FIRST) && there("store.db"));
}

/* How long another init is waited for is the caller's to say. */
static void another_init_holds_the_lock(void)
{
    set_up();
    CHECK_INT(mkdir(w.dir, 0700), 0);
    world_write(world_path(&w, "lock"), "", 0);
    int fd = open(world_path(&w, "lock"), O_RDWR);
    CHECK_INT(io.lock(NULL, fd, 2), 0);
    options.wait_seconds = 0.01;
    double began = world_seconds();
    CHECK_INT(init(NULL), PLOG_E_LOCKED);
    CHECK(world_seconds() - began < 5);
    options.wait_seconds = -1;
    CHECK_INT(init(NULL), PLOG_E_LOCKED);
    close(fd);
    CHECK_INT(init(NULL), 0);
}

/* ---- A root ------------------------------------------------------------- */

#define NO_CHROOT 77

static long syncs; /* until one fails */

static int failing_fsync(void *ctx, int fd)
{
    return syncs-- == 0 ? -EIO : plog_io_posix()->fsync(ctx, fd);
}

/* In a child: makes a log in `dir` as its root, and goes back.  At first each
 * sync of a folder fails, of which none is the parent's: there is none. */
static int init_in_root(const char *dir)
{
    char vkey[PLOG_VKEY_MAX];
    int back = open("/", O_RDONLY | O_DIRECTORY);
    if (back < 0 || chroot(dir) || chdir("/"))
        return NO_CHROOT;
    options.struct_size = sizeof options;
    int rc = PLOG_E_IO;
    io.fsync = failing_fsync;
    options.io = &io;
    for (long n = 0; rc && n < 20; n++) {
        syncs = n;
        rc = plog_init("/", &options, vkey, &err);
        if (rc && (rc != PLOG_E_IO || strstr(err.message, "parent")))
            return 4;
    }
    if (syncs < 0)
        return 5;
    return fchdir(back) || chroot(".") ? 3 : rc != 0;
}

/* A directory that has no parent, as in a container. */
static void in_the_root(void)
{
    int status = 0;
    set_up();
    CHECK_INT(mkdir(w.dir, 0700), 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(init_in_root(w.dir));
    CHECK_INT(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_CHROOT) {
        check_skip("only root may change its root");
        return;
    }
    CHECK_INT(status, 0);
    CHECK_INT(world_open(&w), 0);
    CHECK_UINT(world_size(&w), 1);
    world_close(&w);
}

/* ---- What fails --------------------------------------------------------- */

static long left;  /* calls until one fails; < 0: none does */
static int failed; /* the code that this one stands for */
static long live;  /* allocations */

static bool fails(int code)
{
    bool now = left >= 0 && left-- == 0;
    failed = now ? code : failed;
    return now;
}

static int poor_open(void *ctx, int dir, const char *name, int flags,
                     uint32_t mode)
{
    return fails(PLOG_E_IO)
               ? -EIO
               : plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* No sync takes its time here. */
static int poor_sync(void *ctx, int fd)
{
    (void)ctx, (void)fd;
    return fails(PLOG_E_IO) ? -EIO : 0;
}

static int64_t poor_pread(void *ctx, int fd, void *p, size_t n, uint64_t at)
{
    return fails(PLOG_E_IO) ? -EIO : plog_io_posix()->pread(ctx, fd, p, n, at);
}

static int64_t poor_pwrite(void *ctx, int fd, const void *p, size_t n,
                           uint64_t at)
{
    return fails(PLOG_E_IO) ? -EIO : plog_io_posix()->pwrite(ctx, fd, p, n, at);
}

static void *poor_alloc(void *ctx, void *p, size_t n)
{
    if (n && fails(PLOG_E_NOMEM))
        return NULL;
    live += n ? !p : -(p != NULL);
    return plog_io_posix()->alloc(ctx, p, n);
}

static int poor_init(long calls)
{
    io.open_at = poor_open;
    io.fsync = io.fdatasync = poor_sync;
    io.pread = poor_pread;
    io.pwrite = poor_pwrite;
    io.alloc = poor_alloc;
    sql_calls.no_sync = true;
    live = failed = 0;
    left = calls;
    int rc = init("mine");
    CHECK_INT(live, 0);
    if (failed) {
        CHECK_INT(rc, failed);
        CHECK_INT(err.code, rc);
        CHECK(err.message[0] != '\0');
    }
    sql_calls.no_sync = false;
    return rc;
}

/* Each call fails, up to where the log has its name: nothing is taken for a
 * log then, and the next init makes one. */
static void before_there_is_a_log(void)
{
    bool named = false;
    for (long n = 0; !named && n < 300; n++) {
        set_up();
        int rc = poor_init(n);
        CHECK(rc == 0 || failed);
        CHECK(rc == 0 || !there("store.db"));
        named = there(FIRST);
        if (named || n % 5) /* it takes its time */
            continue;
        CHECK_INT(poor_init(-1), 0);
        CHECK(there(FIRST) && there("store.db"));
    }
    CHECK(named);
}

/* A log that cannot be read is not said to be somebody's. */
static void a_log_cannot_be_read(void)
{
    int codes = 0;
    set_up();
    CHECK_INT(poor_init(-1), 0);
    for (long n = 0; n < 300; n++) {
        int rc = poor_init(n);
        if (!failed) {
            CHECK_INT(rc, PLOG_E_EXISTS);
            break;
        }
        codes |= rc == PLOG_E_IO ? 1 : 2;
        CHECK(!strstr(err.hint, "status"));
    }
    CHECK_INT(codes, 3);
    io = *plog_io_posix();
    CHECK_INT(world_open(&w), 0);
    world_end(&w, 1);
}

/* ---- A store that cannot be made ---------------------------------------- */

static bool no_tables(const char *call, const char *sql, bool busy)
{
    (void)busy;
    return strcmp(call, "exec") == 0 && strstr(sql, "CREATE TABLE");
}

/* It is the disk's fault, and a second init goes on. */
static void the_tables_cannot_be_made(void)
{
    set_up();
    sql_calls.fails = no_tables;
    CHECK_INT(init("name"), PLOG_E_IO);
    CHECK_INT(err.code, PLOG_E_IO);
    CHECK(strncmp(err.message, "writing to the store", 20) == 0);
    sql_calls.fails = NULL;
    CHECK_INT(init("name"), 0);
    CHECK_INT(world_open(&w), 0);
    world_end(&w, 1);
}

/* The disk is full when the store is moved to its place: the same init, told
 * later, goes on, and gives the key.  Behind a sync that failed it would, too,
 * and trust what only the page cache has. */
static void the_store_cannot_be_moved(void)
{
    static const struct {
        int code;
        const char *hint;
    } all[] = {{SQLITE_FULL, "the same init goes on"},
               {SQLITE_IOERR, "the same init goes on"},
               {SQLITE_IOERR_FSYNC, "begin in a new directory"},
               {SQLITE_IOERR_DIR_FSYNC, "begin in a new directory"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        set_up();
        sql_calls.no_checkpoint = true;
        sql_calls.checkpoint = all[i].code;
        CHECK_INT(init(NULL), PLOG_E_IO);
        CHECK(strstr(err.message, "moving SQLite's WAL") != NULL);
        CHECK(strstr(err.hint, all[i].hint) != NULL);
        CHECK_TEXT(w.vkey, "");
        CHECK_INT(init(NULL), PLOG_E_IO);
        sql_calls.no_checkpoint = false;
        sql_calls.checkpoint = 0;
        CHECK_INT(init(NULL), 0);
        CHECK(w.vkey[0] != '\0');
        CHECK_INT(init(NULL), PLOG_E_EXISTS);
        CHECK_INT(world_open(&w), 0);
        world_end(&w, 1);
    }
}

static unsigned pages, before; /* into store.db; and before the last commit */
static unsigned pages_most;

static int full_behind(void *ctx, const struct plog_store_event *e)
{
    (void)ctx;
    if (e->op != PLOG_STORE_WRITE || e->done)
        return 0;
    if (e->file == PLOG_STORE_WAL)
        before = pages;
    return e->file == PLOG_STORE_MAIN && pages++ >= pages_most;
}

/* Behind that it is done, whatever becomes of the store: the log has all. */
static void the_store_is_lost_again(void)
{
    pages_most = 1000;
    for (int i = 0; i < 2; i++) {
        set_up();
        io.store_event = full_behind;
        pages = 0;
        CHECK_INT(init(NULL), 0);
        CHECK(w.vkey[0] != '\0');
        CHECK(pages > before);
        pages_most = before;
    }
    unlink(world_path(&w, "store.db-wal")); /* as a power cut might */
    unlink(world_path(&w, "store.db-shm"));
    io = *plog_io_posix();
    CHECK_INT(world_number(&w, "SELECT size FROM meta"), 0);
    CHECK_INT(world_open(&w), 0);
    world_end(&w, 1);
}

static int top_is_not_synced(void *ctx, int fd)
{
    struct stat top, st;
    if (there("store.db") && stat(w.dir, &top) == 0 && fstat(fd, &st) == 0 &&
        st.st_ino == top.st_ino)
        return -EIO;
    return plog_io_posix()->fsync(ctx, fd);
}

/* What a power cut might leave without its store is not said to be done. */
static void the_name_of_the_store_is_durable(void)
{
    set_up();
    io.fsync = top_is_not_synced;
    CHECK_INT(init("name"), PLOG_E_IO);
    CHECK_TEXT(err.message, "syncing the directory failed");
    CHECK_TEXT(w.vkey, "");
    io = *plog_io_posix();
    CHECK_INT(init("name"), 0);
    CHECK_INT(world_open(&w), 0);
    world_end(&w, 1);
}

/* ---- Inside of another ----------------------------------------------------
 */

/* It would be taken for damage of the log around it. */
static void inside_of_another(void)
{
    static const char *const all[] = {"log", "log/x", "log/../keys", "keys/x/",
                                      "quarantine"};
    char outer[600], parity[600];
    struct world_found f;
    set_up();
    CHECK_INT(init("outer"), 0);
    snprintf(outer, sizeof outer, "%s", w.dir);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        snprintf(w.dir, sizeof w.dir, "%.400s/%s", outer, all[i]);
        CHECK_INT(init(NULL), PLOG_E_INPUT);
        CHECK(strstr(err.message, "lies in a folder of a log") != NULL);
        CHECK_INT(err.code, PLOG_E_INPUT);
    }
    snprintf(parity, sizeof parity, "%.500s-link", outer);
    CHECK_INT(symlink(outer, parity), 0);
    snprintf(w.dir, sizeof w.dir, "%.400s/log/y", parity);
    CHECK_INT(init(NULL), PLOG_E_INPUT);
    snprintf(w.dir, sizeof w.dir, "%.400s", outer);
    CHECK(!there("log/x") && !there("log/y"));
    CHECK_INT(world_parity(&w, NULL, &f), 0);
}

/* A folder that is only called like one of ours is none. */
static void inside_of_a_folder(void)
{
    char top[500];
    set_up();
    snprintf(top, sizeof top, "%.400s", w.dir);
    CHECK_INT(mkdir(top, 0700), 0);
    snprintf(w.dir, sizeof w.dir, "%.400s/log", top);
    CHECK_INT(mkdir(w.dir, 0700), 0);
    snprintf(w.dir, sizeof w.dir, "%.400s/log/mine", top);
    CHECK_INT(init(NULL), 0);
    CHECK_INT(world_open(&w), 0);
    world_end(&w, 1);
}

/* ---- The clock ---------------------------------------------------------- */

static int64_t now;

static int64_t stopped_clock(void *ctx)
{
    (void)ctx;
    return now;
}

/* The first entry says when it was logged, before 1970 as well. */
static void when_it_was_made(void)
{
    static const struct {
        int64_t ns;
        const char *logged_at;
    } all[] = {{1234567890123456789, "2009-02-13T23:31:30.123456Z"},
               {-1000, "1969-12-31T23:59:59.999999Z"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char want[80];
        set_up();
        io.clock_real_ns = stopped_clock;
        now = all[i].ns;
        CHECK_INT(init("name"), 0);
        snprintf(want, sizeof want, "\"logged_at\":\"%s\"", all[i].logged_at);
        char *line = world_line(&w, 1, NULL);
        if (!CHECK(strstr(line, want) != NULL))
            printf("# %s\n", line);
        free(line);
    }
}

/* ---- Long paths ---------------------------------------------------------- */

/* A folder whose path has `n` bytes, and in it a name of three more. */
static void go_down(size_t n)
{
    snprintf(w.dir, sizeof w.dir, "%.400s", check_dir());
    for (size_t at = strlen(w.dir), more; at < n; at += more) {
        more = n - at > 100 ? 50 : n - at;
        REQUIRE(more > 1);
        snprintf(w.dir + at, sizeof w.dir - at, "/%0*d", (int)more - 1, 0);
        CHECK(mkdir(w.dir, 0700) == 0 || errno == EEXIST);
    }
}

/* Up to the limit a log is made and used; above it nothing is made, however
 * the path is written. */
static void long_paths(void)
{
    char below[512], link[512];
    struct plog_status s;
    plog *p = NULL;
    set_up();
    go_down(PLOG_DIR_MAX - 3);
    snprintf(below, sizeof below, "%s", w.dir);
    strcat(w.dir, "/ab");
    CHECK_INT(strlen(w.dir), PLOG_DIR_MAX);
    CHECK_INT(init("a"), 0);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(world_put(&w, "1", "1", "v", NULL), 0);
    world_end(&w, 2);
    struct plog_drill_report drill;
    CHECK_INT(plog_drill(w.dir, NULL, &drill, NULL), 0);
    CHECK_INT(drill.verdict, 0);
    snprintf(link, sizeof link, "%.400s/short", check_dir());
    CHECK_INT(symlink(below, link), 0);
    for (int i = 0; i < 3; i++) {
        snprintf(w.dir, sizeof w.dir, "%.480s/abc%s", i == 1 ? link : below,
                 i == 2 ? "//" : "");
        CHECK_INT(init("a"), PLOG_E_ARG);
        CHECK(strstr(err.message, "448") != NULL);
        CHECK(access(w.dir, F_OK) != 0);
    }
    /* One that was moved there. */
    char from[600], to[600];
    snprintf(from, sizeof from, "%s/ab", below);
    snprintf(to, sizeof to, "%s/%050d", below, 0);
    CHECK_INT(rename(from, to), 0);
    CHECK_INT(plog_open(&p, to, NULL, &err), PLOG_E_IO);
    CHECK(strstr(err.message, "bytes; SQLite opens none") != NULL);
    CHECK_INT(plog_read_status(to, NULL, &s, &err), 0);
    CHECK_INT(s.verdict, PLOG_E_IO);
    char store[700];
    snprintf(store, sizeof store, "%s/store.db", to);
    CHECK_INT(unlink(store), 0);
    struct plog_replay_report replay;
    CHECK_INT(plog_replay(to, NULL, &replay, &err), PLOG_E_IO);
    CHECK(strstr(err.message, "bytes; SQLite opens none") != NULL);
    CHECK(access(store, F_OK) != 0);
}

/* ------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"no_randomness", no_randomness},
        {"a_key_is_there", a_key_is_there},
        {"an_odd_key_is_there", an_odd_key_is_there},
        {"a_store_is_there", a_store_is_there},
        {"a_log_was_here", a_log_was_here},
        {"a_lost_log", a_lost_log},
        {"an_odd_store_is_there", an_odd_store_is_there},
        {"a_log_is_there", a_log_is_there},
        {"a_network_file_system", a_network_file_system},
        {"another_init_holds_the_lock", another_init_holds_the_lock},
        {"in_the_root", in_the_root},
        {"before_there_is_a_log", before_there_is_a_log},
        {"a_log_cannot_be_read", a_log_cannot_be_read},
        {"the_tables_cannot_be_made", the_tables_cannot_be_made},
        {"the_store_cannot_be_moved", the_store_cannot_be_moved},
        {"the_store_is_lost_again", the_store_is_lost_again},
        {"the_name_of_the_store_is_durable", the_name_of_the_store_is_durable},
        {"inside_of_another", inside_of_another},
        {"inside_of_a_folder", inside_of_a_folder},
        {"when_it_was_made", when_it_was_made},
        {"long_paths", long_paths},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
