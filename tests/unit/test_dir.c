/*
 * test_dir.c - the directory of a log by itself: what is missing, odd, loose
 * or refused, locks that others hold, names in quarantine/ that are taken.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aside.h"
#include "check.h"
#include "dir.h"

/* ---- A table that is made to fail --------------------------------------- */

static struct plog_io io;
static struct plog_dir d;
static struct plog_error err;
static char path[600];

/* What a call about this name returns instead; 0: it is made. */
static struct {
    const char *name;
    int rc;
} refuse;

static int refusing_open(void *ctx, int dir, const char *name, int flags,
                         uint32_t mode)
{
    if (refuse.name && !strcmp(name, refuse.name))
        return refuse.rc;
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

static void set_up(void)
{
    static int next;
    char log[700];
    io = *plog_io_posix();
    memset(&err, 0, sizeof err);
    memset(&refuse, 0, sizeof refuse);
    snprintf(path, sizeof path, "%.500s/d%d", check_dir(), next++);
    snprintf(log, sizeof log, "%s/log", path);
    CHECK_INT(mkdir(path, 0700), 0);
    CHECK_INT(mkdir(log, 0700), 0);
}

static const char *below(const char *name)
{
    static char out[2][800];
    static int next;
    snprintf(out[++next % 2], sizeof out[0], "%s/%s", path, name);
    return out[next % 2];
}

static void put(const char *name, const char *text)
{
    int fd = open(below(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0);
    CHECK_INT(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static bool there(const char *name)
{
    struct stat st;
    return lstat(below(name), &st) == 0;
}

static int open_as(enum plog_dir_mode mode, bool loose)
{
    memset(&err, 0, sizeof err);
    return plog_dir_open(&d, &io, path, mode, loose, &err);
}

/* ---- Opening ------------------------------------------------------------ */

/* Somebody else makes the folder between our looking and making. */
static int beaten_mkdir(void *ctx, int dir, const char *name, uint32_t mode)
{
    int rc = plog_io_posix()->mkdir_at(ctx, dir, name, mode);
    return rc ? rc : -EEXIST;
}

static int failed_mkdir(void *ctx, int dir, const char *name, uint32_t mode)
{
    (void)ctx, (void)dir, (void)name, (void)mode;
    return -ENOSPC;
}

static void folders_are_made(void)
{
    set_up();
    io.mkdir_at = failed_mkdir;
    CHECK_INT(open_as(PLOG_DIR_MAKE, false), PLOG_E_IO);
    CHECK(!there("keys"));
    io.mkdir_at = beaten_mkdir;
    CHECK_INT(open_as(PLOG_DIR_MAKE, false), 0);
    CHECK(d.keys >= 0 && there("keys"));
    plog_dir_close(&d);
    strcat(path, "-2"); /* and the directory itself */
    CHECK_INT(open_as(PLOG_DIR_MAKE, false), 0);
    plog_dir_close(&d);
}

static void what_is_no_log(void)
{
    set_up();
    put("file", "");
    CHECK_INT(plog_dir_open(&d, &io, below("none"), PLOG_DIR_READ, false, &err),
              PLOG_E_NOTHING);
    CHECK_INT(
        plog_dir_open(&d, &io, below("file/x"), PLOG_DIR_READ, false, &err),
        PLOG_E_NOTHING);
    CHECK_INT(plog_dir_open(&d, &io, below("file"), PLOG_DIR_READ, false, &err),
              PLOG_E_NOTHING);
    CHECK(strstr(err.message, "/file is not a directory") != NULL);
    CHECK_INT(rmdir(below("log")), 0);
    CHECK_INT(open_as(PLOG_DIR_WRITE, false), PLOG_E_NOTHING);
    CHECK_TEXT(err.message, "there is no log here: log is missing");
    CHECK_TEXT(err.hint, "see that the path is right; paritylog init DIR"
                         " makes a new log");
    CHECK_INT(open_as(PLOG_DIR_STORE, false), 0); /* the store is enough */
    CHECK_INT(d.log, -1);
    plog_dir_close(&d);
    if (!there("keys"))
        CHECK_INT(mkdir(below("keys"), 0700), 0);
    put("keys/signing.key", "");
    CHECK_INT(open_as(PLOG_DIR_WRITE, false), PLOG_E_NOTHING);
    CHECK_TEXT(err.message,
               "there is no log here: log is missing, but keys/signing.key is"
               " there");
    CHECK_TEXT(err.hint,
               "if there was a log, bring it back from a copy or a peer before"
               " anything else");
    /* An init makes log/ before the key: one that was cut off left it. */
    CHECK_INT(mkdir(below("log"), 0700), 0);
    CHECK_INT(open_as(PLOG_DIR_WRITE, false), 0);
    CHECK_INT(plog_dir_no_log(&d, "log/ holds no segment", &err),
              PLOG_E_NOTHING);
    plog_dir_close(&d);
    CHECK_TEXT(err.message, "there is no log here: log/ holds no segment, but"
                            " keys/signing.key is there");
    CHECK_TEXT(err.hint,
               "if there was a log, bring it back from a copy or a peer before"
               " anything else; an init that was cut off goes on by"
               " `paritylog init DIR`");
    CHECK_INT(rmdir(below("log")), 0);
    CHECK_INT(mkdir(below("snapshots"), 0700), 0);
    CHECK_INT(open_as(PLOG_DIR_READ, false), PLOG_E_NOTHING);
    CHECK_TEXT(err.message,
               "there is no log here: log is missing, but snapshots is there");
    CHECK_INT(open_as(PLOG_DIR_PLAN, false), PLOG_E_NOTHING);
    CHECK_INT(d.dir, -1);
    CHECK_TEXT(err.hint,
               "if there was a log, bring it back from a copy or a peer before"
               " anything else");
    put("store.db", "");
    CHECK_INT(open_as(PLOG_DIR_READ, false), PLOG_E_ROLLBACK);
    CHECK_TEXT(err.message,
               "the log is gone: log is missing, but store.db is there");
    CHECK_TEXT(err.hint, "bring log/ back from a copy, or make it from the"
                         " store: paritylog salvage DIR --from-store");
    CHECK_INT(open_as(PLOG_DIR_STORE, false), 0);
    plog_dir_close(&d);
    CHECK_INT(open_as(PLOG_DIR_PLAN, false), 0);
    CHECK_INT(d.log, -1);
    plog_dir_close(&d);
    put("log", "");
    CHECK_INT(open_as(PLOG_DIR_PLAN, false), PLOG_E_NOTHING);
    CHECK_INT(open_as(PLOG_DIR_WRITE, false), PLOG_E_NOTHING);
    CHECK_TEXT(err.message, "there is no log here: log is not a directory");
    CHECK_TEXT(err.hint, ""); /* init would not help */
    CHECK_INT(open_as(PLOG_DIR_STORE, false), 0);
    plog_dir_close(&d);
}

/* What fails is no missing log, whoever asks. */
static void a_log_that_cannot_be_opened(void)
{
    static const enum plog_dir_mode modes[] = {PLOG_DIR_READ, PLOG_DIR_STORE,
                                               PLOG_DIR_WRITE, PLOG_DIR_MAKE};
    set_up();
    io.open_at = refusing_open;
    refuse.name = "log";
    refuse.rc = -EIO;
    for (int i = 0; i < 4; i++) {
        CHECK_INT(open_as(modes[i], false), PLOG_E_IO);
        CHECK_INT(d.dir, -1);
    }
}

/* Readers do without keys that are not there or not for them, and with none
 * that fail. */
static void keys_that_cannot_be_opened(void)
{
    static const struct {
        int rc, expected;
    } all[] = {
        {-ENOENT, 0},         {-ENOTDIR, 0},       {-ELOOP, 0},
        {-EACCES, 0},         {-EPERM, 0},         {-EIO, PLOG_E_IO},
        {-EMFILE, PLOG_E_IO}, {-EINTR, PLOG_E_IO},
    };
    set_up();
    io.open_at = refusing_open;
    refuse.name = "keys";
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        refuse.rc = all[i].rc;
        CHECK_INT(open_as(PLOG_DIR_READ, false), all[i].expected);
        CHECK_INT(d.keys, all[i].expected ? -1 : all[i].rc); /* says why */
        plog_dir_close(&d);
    }
    refuse.name = NULL;
    put("keys", "");
    CHECK_INT(open_as(PLOG_DIR_READ, false), 0);
    CHECK_INT(d.keys, -ENOTDIR);
    plog_dir_close(&d);
}

/* Who writes refuses a directory in which others may swap files. */
static void loose_modes(void)
{
    static const struct {
        mode_t mode;
        bool loose;
    } all[] = {{0700, false}, {0755, false}, {0770, true},
               {0720, true},  {0702, true},  {0777, true}};
    set_up();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        int refused = all[i].loose ? PLOG_E_IO : 0;
        CHECK_INT(chmod(path, all[i].mode), 0);
        CHECK_INT(open_as(PLOG_DIR_WRITE, false), refused);
        if (refused) {
            char mode[16];
            snprintf(mode, sizeof mode, "(mode %04o)", (unsigned)all[i].mode);
            CHECK(strstr(err.message, mode) != NULL);
            CHECK_TEXT(err.hint, "run: chmod 700 on the directory");
        }
        plog_dir_close(&d);
        CHECK_INT(open_as(PLOG_DIR_STORE, false), refused);
        plog_dir_close(&d);
        CHECK_INT(open_as(PLOG_DIR_MAKE, false), refused);
        plog_dir_close(&d);
        CHECK_INT(open_as(PLOG_DIR_WRITE, true), 0);
        plog_dir_close(&d);
        CHECK_INT(open_as(PLOG_DIR_READ, false), 0);
        plog_dir_close(&d);
    }
}

/* ---- Locks -------------------------------------------------------------- */

static int64_t now; /* of a clock that only sleeping moves */
static long held;   /* how often the lock is another's yet */
static int lock_rc; /* and what it says then */

static int64_t slept_ns(void *ctx)
{
    (void)ctx;
    return now;
}

static void sleep_by_clock(void *ctx, int64_t ns)
{
    (void)ctx;
    CHECK(ns > 0 && ns <= 2000000);
    now += ns;
}

static int held_byte(void *ctx, int fd, uint64_t byte, int mode)
{
    if (mode == 2 && held > 0) {
        held--;
        return lock_rc;
    }
    return plog_io_posix()->lock_byte(ctx, fd, byte, mode);
}

static int held_lock(void *ctx, int fd, int mode)
{
    if (mode && held > 0) {
        held--;
        return lock_rc;
    }
    return plog_io_posix()->lock(ctx, fd, mode);
}

static int take(bool maintain, double wait)
{
    memset(&err, 0, sizeof err);
    now = 5000000000;
    return maintain ? plog_dir_maintain(&d, wait, &err)
                    : plog_dir_lock(&d, false, wait, &err);
}

/* Whether it is the turnstile, the lock or that of maintenance. */
static void waiting_for(bool maintain, bool at_byte)
{
    const long for_ever = 1000000000;
    set_up();
    CHECK_INT(open_as(PLOG_DIR_WRITE, false), 0);
    io.clock_mono_ns = slept_ns;
    io.sleep_ns = sleep_by_clock;
    if (at_byte)
        io.lock_byte = held_byte;
    else
        io.lock = held_lock;
    lock_rc = -EAGAIN;
    held = 50; /* it comes free while we wait */
    CHECK_INT(take(maintain, 1), 0);
    CHECK_INT(held, 0);
    plog_dir_unlock(&d);
    plog_dir_maintained(&d);
    held = for_ever; /* it does not */
    CHECK_INT(take(maintain, 0.25), PLOG_E_LOCKED);
    CHECK(now >= 5250000000 && now < 5260000000);
    CHECK_TEXT(err.file, "lock");
    CHECK(!d.locked);
    long before = held = for_ever; /* once, and no sleep */
    CHECK_INT(take(maintain, -1), PLOG_E_LOCKED);
    CHECK_INT(before - held, 1);
    CHECK_INT(now, 5000000000);
    lock_rc = -ENOLCK; /* a failure is none to wait for */
    before = held = for_ever;
    CHECK_INT(take(maintain, 1), PLOG_E_IO);
    CHECK_INT(before - held, 1);
    held = 0;
    CHECK_INT(take(maintain, -1), 0);
    plog_dir_close(&d);
}

static void waiting(void)
{
    waiting_for(false, true);
    waiting_for(false, false);
    waiting_for(true, true);
}

static long watched; /* calls */
static int watch_rc; /* what they return */

/* A watch that lasts as long as it may. */
static int watching(void *ctx, int *watch, const char *dir, int64_t ns)
{
    (void)ctx;
    CHECK_TEXT(dir, d.path);
    if (watched++ == 0) {
        CHECK(*watch == -1 && ns == 0);
        *watch = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    CHECK(*watch >= 0 && ns >= 0 && ns <= 400000);
    now += ns;
    return watch_rc;
}

/* A process that has waited often sleeps until somebody writes; not longer than
 * it may wait, and without a watch as before. */
static void waiting_with_a_watch(void)
{
    for (watch_rc = -1; watch_rc <= 1; watch_rc++) {
        int next_fd = dup(0);
        close(next_fd);
        set_up();
        CHECK_INT(open_as(PLOG_DIR_WRITE, false), 0);
        io.clock_mono_ns = slept_ns;
        io.sleep_ns = sleep_by_clock;
        io.lock = held_lock;
        io.wait_change = watching;
        lock_rc = -EAGAIN;
        watched = 0;
        for (int i = 0; i < 70; i++) { /* not at once */
            CHECK(watched == 0 || i >= 60);
            held = 2;
            CHECK_INT(take(false, 1), 0);
            plog_dir_unlock(&d);
        }
        CHECK(watched > 0);
        d.waits = 1000;
        held = 40;
        watched = d.watch < 0 ? 0 : 1;
        CHECK_INT(take(false, 1), 0);
        CHECK_INT(held, 0);
        plog_dir_unlock(&d);
        long most[] = {2, 22, 10}; /* calls, for 40 times in vain */
        CHECK(watched >= 2 - (watch_rc < 0) && watched <= most[watch_rc + 1]);
        held = 1000000000;
        d.waits = 1000;
        CHECK_INT(take(false, 0.25), PLOG_E_LOCKED);
        CHECK(now >= 5250000000 && now < 5252000000);
        long before = held;
        CHECK_INT(take(false, -1), PLOG_E_LOCKED); /* once, and no sleep */
        CHECK_INT(before - held, 1);
        CHECK_INT(now, 5000000000);
        held = 0;
        plog_dir_close(&d);
        CHECK_INT(d.watch, -1);
        int again = dup(0); /* nothing is left open */
        CHECK_INT(again, next_fd);
        close(again);
    }
}

/* Takes the lock and holds it until it is killed. */
static pid_t holder(void)
{
    int ends[2];
    char c;
    CHECK_INT(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct plog_dir mine;
        bool got = plog_dir_open(&mine, plog_io_posix(), path, PLOG_DIR_WRITE,
                                 false, NULL) == 0 &&
                   plog_dir_lock(&mine, false, 5, NULL) == 0;
        while (got && write(ends[1], "l", 1) == 1)
            pause();
        _exit(1);
    }
    CHECK_INT(read(ends[0], &c, 1), 1);
    close(ends[0]);
    close(ends[1]);
    return pid;
}

static int64_t clock_ns(void)
{
    return plog_io_posix()->clock_mono_ns(NULL);
}

/* A holder that is killed writes nothing more: the next does not wait for it,
 * nor for longer than it wants to, and who gave up is in nobody's way. */
static void the_holder_is_killed(void)
{
    struct plog_dir other;
    set_up();
    CHECK_INT(open_as(PLOG_DIR_WRITE, false), 0);
    CHECK_INT(plog_dir_open(&other, &io, path, PLOG_DIR_WRITE, false, &err), 0);
    pid_t pid = holder();
    d.waits = other.waits = 1000;
    int64_t began = clock_ns();
    CHECK_INT(plog_dir_lock(&d, false, 0.1, &err), PLOG_E_LOCKED);
    CHECK(d.watch >= 0);
    int64_t took = clock_ns() - began;
    CHECK(took >= 100000000 && took < 3000000000);
    pid_t killer = fork();
    if (killer == 0) {
        usleep(100000);
        _exit(kill(pid, SIGKILL) != 0);
    }
    began = clock_ns();
    CHECK_INT(plog_dir_lock(&other, false, 60, &err), 0);
    took = clock_ns() - began;
    CHECK(took >= 90000000 && took < 10000000000);
    waitpid(pid, NULL, 0);
    waitpid(killer, NULL, 0);
    plog_dir_close(&other);
    CHECK_INT(plog_dir_lock(&d, false, -1, &err), 0);
    plog_dir_close(&d);
}

/* Who gives up leaves the turnstile to the next. */
static void the_turnstile_is_given_back(void)
{
    struct plog_dir other;
    set_up();
    CHECK_INT(open_as(PLOG_DIR_WRITE, false), 0);
    CHECK_INT(plog_dir_open(&other, &io, path, PLOG_DIR_WRITE, false, &err), 0);
    CHECK_INT(plog_dir_lock(&other, false, -1, &err), 0);
    CHECK_INT(take(false, -1), PLOG_E_LOCKED);
    CHECK_INT(io.lock_byte(NULL, other.lock, 0, 2), 0);
    plog_dir_close(&other);
    CHECK_INT(take(false, -1), 0);
    plog_dir_close(&d);
}

/* Readers share the lock, and each keeps a writer out. */
static void readers_share_it(void)
{
    struct plog_dir other;
    set_up();
    CHECK_INT(open_as(PLOG_DIR_WRITE, false), 0);
    CHECK_INT(plog_dir_open(&other, &io, path, PLOG_DIR_WRITE, false, &err), 0);
    CHECK_INT(plog_dir_lock(&d, true, -1, &err), 0);
    CHECK_INT(plog_dir_lock(&other, true, -1, &err), 0);
    CHECK(d.locked && other.locked);
    plog_dir_unlock(&d);
    CHECK(!d.locked);
    CHECK_INT(take(false, -1), PLOG_E_LOCKED);
    CHECK_INT(err.code, PLOG_E_LOCKED);
    char want[900];
    snprintf(want, sizeof want, "another process holds the lock of %s", path);
    CHECK_TEXT(err.message, want);
    CHECK_TEXT(err.file, "lock");
    CHECK_TEXT(err.hint, "wait longer: wait_seconds, or --wait SECONDS");
    plog_dir_unlock(&other);
    CHECK_INT(take(false, -1), 0);
    memset(&err, 0, sizeof err); /* nor a reader beside the writer */
    CHECK_INT(plog_dir_lock(&other, true, -1, &err), PLOG_E_LOCKED);
    CHECK_TEXT(err.message, want);
    CHECK(!other.locked);
    plog_dir_close(&other);
    plog_dir_close(&d);
}

static void no_lock_file(void)
{
    set_up();
    CHECK_INT(open_as(PLOG_DIR_READ, false), 0);
    CHECK_INT(d.lock, -1);
    CHECK_INT(plog_dir_lock(&d, true, -1, &err), 0); /* nobody holds it */
    CHECK(!d.locked);
    plog_dir_close(&d);
}

static struct {
    int rc;
    struct plog_stat st;
} told;

static int told_stat(void *ctx, int dir, const char *name,
                     struct plog_stat *out)
{
    (void)ctx, (void)dir;
    CHECK_TEXT(name, "lock");
    *out = told.st;
    return told.rc;
}

/* Two that hold the locks of two files of one name both write. */
static void a_lock_file_that_was_replaced(void)
{
    set_up();
    CHECK_INT(open_as(PLOG_DIR_WRITE, false), 0);
    CHECK_INT(plog_dir_check_lock(&d, &err), 0);
    io.stat_at = told_stat;
    for (int row = 0; row < 6; row++) {
        told.st = d.lock_id;
        told.rc = row == 4 ? -EIO : row == 5 ? -ENOENT : 0;
        told.st.inode += row == 1;
        told.st.device += row == 2;
        told.st.links += row == 3;
        CHECK_INT(plog_dir_check_lock(&d, &err), row == 0 ? 0
                                                 : row == 3 || row == 4
                                                     ? PLOG_E_IO
                                                     : PLOG_E_LOCKED);
        /* To wait for another process would not help. */
        if (row == 3)
            CHECK(strstr(err.hint, "cp -a DIR NEW") != NULL);
    }
    plog_dir_close(&d);
}

/* ---- Segments ----------------------------------------------------------- */

#define FIRST "log/00000000000000000001.jsonl"

static int open_segment(bool writing)
{
    struct plog_stat id;
    int fd = -1;
    memset(&err, 0, sizeof err);
    int rc = plog_dir_open_segment(&d, 1, writing, &fd, &id, &err);
    if (!rc)
        close(fd);
    return rc;
}

static int to_read_only(void *ctx, int dir, const char *name, int flags,
                        uint32_t mode)
{
    if ((flags & O_ACCMODE) != O_RDONLY)
        return -EROFS;
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* Who reads asks for no more than that. */
static void segments_to_read(void)
{
    set_up();
    put(FIRST, "x");
    CHECK_INT(open_as(PLOG_DIR_WRITE, false), 0);
    io.open_at = to_read_only;
    CHECK_INT(open_segment(false), 0);
    CHECK_INT(open_segment(true), PLOG_E_IO);
    CHECK_TEXT(err.file, FIRST);
    plog_dir_close(&d);
}

static int stats_left;

static int second_stat_fails(void *ctx, int fd, struct plog_stat *out)
{
    return stats_left-- == 0 ? -EIO : plog_io_posix()->stat(ctx, fd, out);
}

static void odd_segments(void)
{
    set_up();
    CHECK_INT(open_as(PLOG_DIR_WRITE, false), 0);
    for (int archive = 0; archive < 2; archive++) {
        d.with_archive = archive;
        for (int kind = 0; kind < 7; kind++) {
            if (kind == 1)
                CHECK_INT(mkdir(below(FIRST), 0700), 0);
            if (kind == 2)
                CHECK_INT(symlink("x", below(FIRST)), 0);
            if (kind == 3)
                CHECK_INT(mkfifo(below(FIRST), 0600), 0);
            if (kind >= 4)
                put(FIRST, "x");
            if (kind == 4)
                CHECK_INT(link(below(FIRST), below("second")), 0);
            if (kind == 6) {
                io.stat = second_stat_fails;
                stats_left = 1;
            }
            int expected = kind == 5   ? 0
                           : kind == 6 ? PLOG_E_IO
                                       : PLOG_E_CORRUPT;
            if (!CHECK_INT(open_segment(true), expected))
                printf("#   kind %d\n", kind);
            stats_left = 1;
            CHECK_INT(open_segment(false), expected);
            if (kind && expected == PLOG_E_CORRUPT) {
                CHECK_TEXT(err.message, "not a regular file with one link");
                CHECK_TEXT(err.file, FIRST);
            } else if (!kind) {
                CHECK_TEXT(err.message, "the segment is missing");
            }
            io.stat = plog_io_posix()->stat;
            if (kind)
                CHECK_INT(remove(below(FIRST)), 0);
            if (kind == 4)
                CHECK_INT(remove(below("second")), 0);
        }
    }
    io.open_at = refusing_open;
    refuse.name = &FIRST[sizeof "log/" - 1];
    refuse.rc = -EMFILE;
    CHECK_INT(open_segment(false), PLOG_E_IO);
    plog_dir_close(&d);
}

static void the_segment_of_an_entry(void)
{
    static const uint64_t firsts[] = {4, 9, 10};
    static const uint64_t of[] = {0, 0, 0, 0, 4, 4, 4, 4, 4, 9, 10, 10};
    struct plog_buf list;
    plog_buf_init(&list, plog_io_posix());
    CHECK_UINT(plog_segment_of(&list, 5), 0);
    CHECK_INT(plog_buf_add(&list, firsts, sizeof firsts), 0);
    for (uint64_t seq = 0; seq < sizeof of / sizeof *of; seq++)
        CHECK_UINT(plog_segment_of(&list, seq), of[seq]);
    CHECK_UINT(plog_segment_of(&list, UINT64_MAX), 10);
    plog_buf_fini(&list);
}

/* ---- Quarantine --------------------------------------------------------- */

static unsigned looked;
static int taken_rc;

static int taken_stat(void *ctx, int dir, const char *name,
                      struct plog_stat *out)
{
    (void)ctx, (void)dir, (void)name;
    memset(out, 0, sizeof *out);
    looked++;
    return taken_rc;
}

/* Nothing there is ever written over. */
static void names_in_quarantine(void)
{
    char name[128], other[128];
    int fd;
    set_up();
    CHECK_INT(open_as(PLOG_DIR_WRITE, false), 0);
    CHECK_INT(plog_dir_quarantine(&d, "stem", name, &fd, &err), 0);
    close(fd);
    char wal[140];
    snprintf(wal, sizeof wal, "%s-wal", name);
    put(wal, ""); /* as taken as the name itself */
    CHECK_INT(plog_dir_quarantine(&d, "stem", other, &fd, &err), 0);
    CHECK(strcmp(name, other) != 0);
    close(fd);
    io.stat_at = taken_stat;
    looked = 0;
    CHECK_INT(plog_dir_quarantine(&d, "stem", name, &fd, &err), PLOG_E_IO);
    CHECK_UINT(looked, 9999);
    CHECK(strstr(err.message, "finding a free name") != NULL);
    taken_rc = -EIO;
    looked = 0;
    CHECK_INT(plog_dir_quarantine(&d, "stem", name, &fd, &err), PLOG_E_IO);
    CHECK_UINT(looked, 1);
    taken_rc = 0;
    plog_dir_close(&d);
}

/* ---- Aside -------------------------------------------------------------- */

/* A file that has become shorter is not filled up with what was in memory. */
static void fewer_bytes_than_asked_for(void)
{
    set_up();
    put("from", "0123456789");
    int dir = open(path, O_RDONLY | O_DIRECTORY);
    int fd = open(below("from"), O_RDONLY);
    CHECK_INT(plog_aside_copy(&io, fd, 2, 11, dir, "a"), -EIO);
    CHECK_INT(plog_aside_copy(&io, fd, 11, 12, dir, "b"), -EIO);
    CHECK_INT(plog_aside_copy(&io, fd, 2, 10, dir, "c"), 0);
    CHECK_INT(plog_aside_copy(&io, fd, 2, 10, dir, "c"), -EEXIST);
    struct stat st;
    CHECK_INT(lstat(below("c"), &st), 0);
    CHECK_INT(st.st_size, 8);
    close(fd);
    close(dir);
}

static long left; /* calls until one fails */

static int64_t fail_now(void)
{
    return left-- == 0 ? -EIO : 0;
}

static int failing_rename(void *ctx, int a, const char *from, int b,
                          const char *to, bool replace)
{
    int rc = (int)fail_now();
    return rc ? rc : plog_io_posix()->rename_at(ctx, a, from, b, to, replace);
}

static int failing_fsync(void *ctx, int fd)
{
    int rc = (int)fail_now();
    return rc ? rc : plog_io_posix()->fsync(ctx, fd);
}

static int failing_mkdir(void *ctx, int dir, const char *name, uint32_t mode)
{
    int rc = (int)fail_now();
    return rc ? rc : plog_io_posix()->mkdir_at(ctx, dir, name, mode);
}

/* Whichever call fails, the file is in one of the two places, once. */
static void a_file_set_aside(void)
{
    char name[128];
    bool done = false;
    long n = 0;
    for (; !done; n++) {
        set_up();
        CHECK_INT(open_as(PLOG_DIR_WRITE, false), 0);
        put("log/odd", "odd");
        io.rename_at = failing_rename;
        io.fsync = failing_fsync;
        io.mkdir_at = failing_mkdir;
        left = n;
        name[0] = '\0';
        int rc = plog_aside_file(&d, "odd", name, &err);
        done = left >= 0;
        CHECK_INT(rc, done ? 0 : PLOG_E_IO);
        if (n == 0) /* and that is where it ends */
            CHECK(strstr(err.message, "making the folder") != NULL);
        CHECK(there("log/odd") != (name[0] && there(name)));
        if (done)
            CHECK(!there("log/odd"));
        CHECK_INT(plog_aside_file(&d, "none", name, &err), PLOG_E_IO);
        plog_dir_close(&d);
    }
    CHECK(n > 4); /* folder, its sync, the name, two syncs */
}

/* ------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"folders_are_made", folders_are_made},
        {"what_is_no_log", what_is_no_log},
        {"a_log_that_cannot_be_opened", a_log_that_cannot_be_opened},
        {"keys_that_cannot_be_opened", keys_that_cannot_be_opened},
        {"loose_modes", loose_modes},
        {"waiting", waiting},
        {"waiting_with_a_watch", waiting_with_a_watch},
        {"the_holder_is_killed", the_holder_is_killed},
        {"the_turnstile_is_given_back", the_turnstile_is_given_back},
        {"readers share it", readers_share_it},
        {"no_lock_file", no_lock_file},
        {"a_lock_file_that_was_replaced", a_lock_file_that_was_replaced},
        {"odd_segments", odd_segments},
        {"segments_to_read", segments_to_read},
        {"the_segment_of_an_entry", the_segment_of_an_entry},
        {"names_in_quarantine", names_in_quarantine},
        {"fewer_bytes_than_asked_for", fewer_bytes_than_asked_for},
        {"a_file_set_aside", a_file_set_aside},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
