/*
 * test_selftest_faults.c - selftest's own table that fails or ends at a call:
 * which calls count, what fails, what is passed on, of a write half.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "selftesting.h"

/* ---- A table that only notes what it is asked ---------------------------- */

static char called[100]; /* name and numbers of the last call */
static int answer;       /* of all that give a code */
static int me;           /* the ctx */

static int note(const char *what, void *ctx, long long a, long long b)
{
    CHECK(ctx == &me);
    snprintf(called, sizeof called, "%s %lld %lld", what, a, b);
    return answer;
}

static int n_open(void *ctx, int dir, const char *name, int flags,
                  uint32_t mode)
{
    CHECK_TEXT(name, "a");
    CHECK_UINT(mode, 0600);
    return note("open", ctx, dir, flags);
}
static int n_close(void *ctx, int fd)
{
    return note("close", ctx, fd, 0);
}
static int64_t n_pread(void *ctx, int fd, void *to, size_t n, uint64_t at)
{
    CHECK(to == called);
    CHECK_INT(fd, 3);
    return note("pread", ctx, (long long)n, (long long)at);
}
static int64_t n_pwrite(void *ctx, int fd, const void *from, size_t n,
                        uint64_t at)
{
    CHECK_INT(fd, 3);
    CHECK(from == &me);
    int rc = note("pwrite", ctx, (long long)n, (long long)at);
    return rc ? rc : (int64_t)n;
}
static int n_fdatasync(void *ctx, int fd)
{
    return note("fdatasync", ctx, fd, 0);
}
static int n_fsync(void *ctx, int fd)
{
    return note("fsync", ctx, fd, 0);
}
static int n_truncate(void *ctx, int fd, uint64_t size)
{
    return note("truncate", ctx, fd, (long long)size);
}
static int n_stat(void *ctx, int fd, struct plog_stat *out)
{
    CHECK(out != NULL);
    return note("stat", ctx, fd, 0);
}
static int n_stat_at(void *ctx, int dir, const char *name,
                     struct plog_stat *out)
{
    CHECK(out != NULL);
    CHECK_TEXT(name, "a");
    return note("stat_at", ctx, dir, 0);
}
static int n_rename(void *ctx, int from_dir, const char *from, int to_dir,
                    const char *to, bool replace)
{
    CHECK_TEXT(from, "a");
    CHECK_TEXT(to, "b");
    CHECK(replace);
    return note("rename", ctx, from_dir, to_dir);
}
static int n_unlink(void *ctx, int dir, const char *name)
{
    CHECK_TEXT(name, "a");
    return note("unlink", ctx, dir, 0);
}
static int n_mkdir(void *ctx, int dir, const char *name, uint32_t mode)
{
    CHECK_TEXT(name, "a");
    return note("mkdir", ctx, dir, mode);
}
static int n_rmdir(void *ctx, int dir, const char *name)
{
    CHECK_TEXT(name, "a");
    return note("rmdir", ctx, dir, 0);
}
static int n_list(void *ctx, int dir, int (*each)(void *, const char *),
                  void *arg)
{
    CHECK(each == NULL && arg == &me);
    return note("list", ctx, dir, 0);
}
static int n_lock(void *ctx, int fd, int mode)
{
    return note("lock", ctx, fd, mode);
}
static int n_lock_byte(void *ctx, int fd, uint64_t byte, int mode)
{
    CHECK_INT(fd, 3);
    return note("lock_byte", ctx, (long long)byte, mode);
}
static int64_t n_real(void *ctx)
{
    return note("real", ctx, 0, 0);
}
static int64_t n_mono(void *ctx)
{
    return note("mono", ctx, 0, 0);
}
static jmp_buf ended;
static bool ends;
static void n_sleep(void *ctx, int64_t ns)
{
    note("sleep", ctx, (long long)ns, 0);
    if (ends) /* it waits for its SIGKILL */
        longjmp(ended, 1);
}
static int n_random(void *ctx, void *to, size_t n)
{
    CHECK(to == called);
    return note("random", ctx, (long long)n, 0);
}
static int64_t n_process_id(void *ctx)
{
    return note("process_id", ctx, 0, 0);
}
static int n_real_path(void *ctx, const char *path, char *out, size_t cap)
{
    CHECK_TEXT(path, "a");
    CHECK(out == called);
    return note("real_path", ctx, (long long)cap, 0);
}
static void *n_alloc(void *ctx, void *p, size_t n)
{
    note("alloc", ctx, (long long)n, 0);
    return p;
}
static int n_file_system(void *ctx, int fd, struct plog_fs *out)
{
    CHECK(out != NULL);
    return note("file_system", ctx, fd, 0);
}
static int n_store_event(void *ctx, const struct plog_store_event *e)
{
    return note("store_event", ctx, e->op, e->file);
}

static const struct plog_io *base(void)
{
    static struct plog_io io;
    io = (struct plog_io){.struct_size = sizeof io,
                          .ctx = &me,
                          .open_at = n_open,
                          .close = n_close,
                          .pread = n_pread,
                          .pwrite = n_pwrite,
                          .fdatasync = n_fdatasync,
                          .fsync = n_fsync,
                          .truncate = n_truncate,
                          .stat = n_stat,
                          .stat_at = n_stat_at,
                          .rename_at = n_rename,
                          .unlink_at = n_unlink,
                          .mkdir_at = n_mkdir,
                          .rmdir_at = n_rmdir,
                          .list = n_list,
                          .lock = n_lock,
                          .lock_byte = n_lock_byte,
                          .clock_real_ns = n_real,
                          .clock_mono_ns = n_mono,
                          .sleep_ns = n_sleep,
                          .random = n_random,
                          .process_id = n_process_id,
                          .real_path = n_real_path,
                          .alloc = n_alloc,
                          .file_system = n_file_system,
                          .store_event = n_store_event};
    return &io;
}

/* ---- Each call ----------------------------------------------------------- */

#define CHANGING 10
#define CALLS 25

static struct plog_faults f;

static int event(enum plog_store_op op, enum plog_store_file file, bool done)
{
    struct plog_store_event e = {.op = op, .file = file, .done = done};
    return f.io.store_event(f.io.ctx, &e);
}

/* The n-th; those that change something come first. */
static int call(int n)
{
    const struct plog_io *io = &f.io;
    void *ctx = io->ctx;
    struct plog_stat st;
    struct plog_fs fs;
    switch (n) {
    case 0:
        return io->open_at(ctx, 5, "a", O_CREAT, 0600);
    case 1:
        return io->pwrite(ctx, 3, &me, 1, 70) < 0 ? f.error : answer;
    case 2:
        return io->fdatasync(ctx, 3);
    case 3:
        return io->fsync(ctx, 3);
    case 4:
        return io->truncate(ctx, 3, 9);
    case 5:
        return io->rename_at(ctx, 5, "a", 6, "b", true);
    case 6:
        return io->unlink_at(ctx, 5, "a");
    case 7:
        return io->mkdir_at(ctx, 5, "a", 0700);
    case 8:
        return io->rmdir_at(ctx, 5, "a");
    case 9:
        return event(PLOG_STORE_WRITE, PLOG_STORE_WAL, false);
    case 10:
        return io->open_at(ctx, 5, "a", O_RDWR, 0600);
    case 11:
        return io->close(ctx, 3);
    case 12:
        return (int)io->pread(ctx, 3, called, 8, 9);
    case 13:
        return io->stat(ctx, 3, &st);
    case 14:
        return io->stat_at(ctx, 5, "a", &st);
    case 15:
        return io->list(ctx, 5, NULL, &me);
    case 16:
        return io->lock(ctx, 3, 2);
    case 17:
        return io->lock_byte(ctx, 3, 4, 2);
    case 18:
        return (int)io->clock_real_ns(ctx);
    case 19:
        return (int)io->clock_mono_ns(ctx);
    case 20:
        return io->random(ctx, called, 4);
    case 21:
        return (int)io->process_id(ctx);
    case 22:
        return io->real_path(ctx, "a", called, 9);
    case 23:
        return io->file_system(ctx, 3, &fs);
    default:
        return event(PLOG_STORE_WRITE, PLOG_STORE_WAL, true);
    }
}

static const char *const names[CALLS] = {
    "open 5 64",    "pwrite 1 70",    "fdatasync 3 0", "fsync 3 0",
    "truncate 3 9", "rename 5 6",     "unlink 5 0",    "mkdir 5 448",
    "rmdir 5 0",    "store_event ",   "open 5 2",      "close 3 0",
    "pread 8 9",    "stat 3 0",       "stat_at 5 0",   "list 5 0",
    "lock 3 2",     "lock_byte 4 2",  "real 0 0",      "mono 0 0",
    "random 4 0",   "process_id 0 0", "real_path 9 0", "file_system 3 0",
    "store_event "};

static void begin(uint64_t left, int error, bool for_ever)
{
    plog_faults_init(&f, base());
    f.left = left;
    f.error = error;
    f.for_ever = for_ever;
    answer = 0;
    called[0] = '\0';
    ends = false;
}

/* What says nothing else is passed on, and so is its answer. */
static void passes_on(void)
{
    for (int n = 0; n < CALLS; n++) {
        begin(0, -EIO, true);
        CHECK_INT(call(n), 0);
        if (!CHECK(strncmp(called, names[n], strlen(names[n])) == 0))
            printf("# %d: %s\n", n, called);
        answer = -EDOM;
        CHECK_INT(call(n), n == 1 ? f.error : -EDOM);
        CHECK_UINT(f.calls, n < CHANGING ? 2 : 0);
        CHECK(!f.happened);
    }
    begin(1, -EIO, true);
    CHECK(f.io.alloc(f.io.ctx, &me, 7) == &me);
    CHECK_TEXT(called, "alloc 7 0");
    f.io.sleep_ns(f.io.ctx, 77);
    CHECK_TEXT(called, "sleep 77 0");
    CHECK_UINT(f.calls, 0);
}

/* The n-th that changes something fails, once or from then on. */
static void fails(void)
{
    for (int ever = 0; ever < 2; ever++)
        for (int n = 0; n < CALLS; n++) {
            begin(3, -ENOSPC, ever);
            CHECK_INT(call(n), 0);
            CHECK_INT(call(n), 0);
            CHECK(!f.happened);
            called[0] = '\0';
            CHECK_INT(call(n), n < CHANGING ? -ENOSPC : 0);
            CHECK(f.happened == (n < CHANGING));
            CHECK((called[0] == '\0') == (n < CHANGING)); /* not done */
            CHECK_INT(call(n), n < CHANGING && ever ? -ENOSPC : 0);
            CHECK_UINT(f.calls, n < CHANGING ? 4 : 0);
        }
}

static int64_t put(size_t n)
{
    called[0] = '\0';
    return f.io.pwrite(f.io.ctx, 3, &me, n, 70);
}

/* Of a longer write half arrives, and the next one gets the error. */
static void half_of_it(void)
{
    begin(2, -EIO, false);
    CHECK_INT(put(9), 9);
    CHECK_TEXT(called, "pwrite 9 70");
    CHECK_INT(put(9), 4);
    CHECK_TEXT(called, "pwrite 4 70");
    CHECK(f.happened);
    CHECK_INT(put(5), 2); /* the rest: half of that */
    begin(1, -EIO, false);
    CHECK_INT(put(2), 1);
    CHECK_INT(put(1), -EIO);
    CHECK_TEXT(called, "");
    CHECK_INT(put(1), 1);
    begin(1, -EIO, true);
    CHECK_INT(put(8), 4);
    CHECK_INT(put(4), -EIO);
    CHECK_TEXT(called, "");
    begin(1, -EIO, false);
    answer = -EROFS; /* a disk that fails by itself */
    CHECK_INT(put(8), -EIO);
    CHECK_INT(put(1), -EROFS);
}

/* Of SQLite's file layer only what changes something, before it is done, and
 * not in files that are its own business. */
static void events(void)
{
    static const enum plog_store_op none[] = {PLOG_STORE_READ, PLOG_STORE_OPEN};
    begin(1, -EIO, true);
    for (int i = 0; i < 2; i++)
        CHECK_INT(event(none[i], PLOG_STORE_WAL, false), 0);
    CHECK_INT(event(PLOG_STORE_WRITE, PLOG_STORE_TEMP, false), 0);
    CHECK_INT(event(PLOG_STORE_WRITE, PLOG_STORE_WAL, true), 0);
    CHECK_UINT(f.calls, 0);
    CHECK_INT(event(PLOG_STORE_SYNC, PLOG_STORE_WAL, false), -EIO);
    struct plog_io silent = *base();
    silent.store_event = NULL;
    silent.file_system = NULL;
    struct plog_fs fs;
    plog_faults_init(&f, &silent);
    called[0] = '\0';
    CHECK_INT(event(PLOG_STORE_WRITE, PLOG_STORE_WAL, false), 0);
    CHECK_INT(f.io.file_system(f.io.ctx, 3, &fs), -ENOSYS);
    CHECK_TEXT(called, "");
}

/* ---- The end ------------------------------------------------------------- */

static char last_words[10];
static int said;

static int say(void *ctx, const void *p, size_t n)
{
    CHECK(ctx == last_words);
    CHECK(n < sizeof last_words);
    memcpy(last_words, p, n);
    said++;
    return 0;
}

/* It says so, of a write half is done, and waits for its SIGKILL. */
static void is_ended(void)
{
    const struct plog_test_host host = {
        .struct_size = sizeof host, .ctx = last_words, .say = say};
    for (int words = 0; words < 2; words++) {
        begin(1, 0, false);
        f.host = &host;
        f.last_words = words ? "bye" : NULL;
        f.last_words_size = 4;
        ends = true;
        said = 0;
        if (setjmp(ended) == 0) {
            put(6);
            CHECK(false);
        }
        CHECK_TEXT(called, "sleep 1000000000 0");
        CHECK(f.happened);
        CHECK_INT(said, words);
        if (words)
            CHECK_TEXT(last_words, "bye");
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"passes on", passes_on}, {"fails", fails},       {"half", half_of_it},
        {"events", events},       {"is ended", is_ended},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
