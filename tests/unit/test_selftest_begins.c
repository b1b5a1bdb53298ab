/*
 * test_selftest_begins.c - how selftest begins and ends: where its folder
 * cannot be made, opened or removed it says so, and nothing is left.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "paritylog_recovery.h"

static struct plog_io io;
static struct plog_error err;
static struct plog_selftest_report r;
static char names[2000]; /* of the tests that were told */
static char last_found[500];

static const struct plog_io *real(void)
{
    return plog_io_posix();
}

/* The directory of all cases. */
static const char *where(void)
{
    static const char *dir;
    if (!dir)
        dir = check_dir();
    return dir;
}

static unsigned stop_at, told;

static void (*while_told)(void); /* NULL: nothing is done then */

static int on_test(void *arg, const struct plog_test *t)
{
    (void)arg;
    size_t n = strlen(names);
    snprintf(names + n, sizeof names - n, "%s,", t->name);
    snprintf(last_found, sizeof last_found, "%s", t->found);
    if (while_told)
        while_told();
    return ++told == stop_at;
}

/* Runs it over `io`, until the first test was told. */
static int run(struct plog_selftest_options o)
{
    o.struct_size = sizeof o;
    o.io = &io;
    o.test = on_test;
    if (o.seconds == 0)
        o.seconds = 1;
    memset(&err, 0, sizeof err);
    names[0] = '\0';
    told = 0;
    return plog_selftest(where(), &o, &r, &err);
}

static int run_first(void)
{
    stop_at = 1;
    return run((struct plog_selftest_options){.seed = 5});
}

static unsigned names_in(const char *path)
{
    unsigned n = 0;
    DIR *d = opendir(path);
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n - 2; /* . and .. */
}

static void fails_with(int rc, const char *message, const char *hint)
{
    CHECK_INT(rc, PLOG_E_IO);
    CHECK_INT(r.verdict, PLOG_E_IO);
    CHECK_INT(err.code, PLOG_E_IO);
    if (!CHECK(strstr(err.message, message) != NULL))
        printf("# %s\n", err.message);
    if (!CHECK(strstr(err.hint, hint) != NULL))
        printf("# %s\n", err.hint);
    CHECK_UINT(told, 0);
    CHECK_UINT(names_in(where()), 0);
}

/* ---- Spoilt tables ------------------------------------------------------- */

static int no_path(void *ctx, const char *path, char *out, size_t cap)
{
    (void)ctx, (void)path, (void)cap;
    out[0] = '\0';
    return -ENAMETOOLONG;
}

static int opens, refuse_open; /* the n-th open of a folder fails */

static int on_open(void *ctx, int dir, const char *name, int flags,
                   uint32_t mode)
{
    if (flags & O_DIRECTORY && ++opens == refuse_open)
        return -EMFILE;
    return real()->open_at(ctx, dir, name, flags, mode);
}

static int no_mkdir(void *ctx, int dir, const char *name, uint32_t mode)
{
    (void)ctx, (void)dir, (void)mode;
    CHECK(strncmp(name, "paritylog-selftest-", 19) == 0);
    CHECK_UINT(mode, 0700);
    return -EROFS;
}

static int random_calls, refuse_random;

static int on_random(void *ctx, void *to, size_t n)
{
    (void)ctx;
    memset(to, 0, n);
    return ++random_calls == refuse_random ? -EIO : 0;
}

static void *no_alloc(void *ctx, void *p, size_t n)
{
    return n ? NULL : real()->alloc(ctx, p, n);
}

static int no_rmdir(void *ctx, int dir, const char *name)
{
    return strncmp(name, "paritylog-", 10) ? real()->rmdir_at(ctx, dir, name)
                                           : -EBUSY;
}

static struct plog_fs fs = {.type = 0xef53};
static int fs_rc;

static int on_file_system(void *ctx, int fd, struct plog_fs *out)
{
    (void)ctx, (void)fd;
    *out = fs;
    return fs_rc;
}

/* ---- Cases --------------------------------------------------------------- */

static void cannot_begin(void)
{
    io = *real();
    io.real_path = no_path;
    fails_with(run_first(), "opening the directory", "can be written");
    io = *real();
    io.open_at = on_open;
    opens = 0;
    refuse_open = 1;
    fails_with(run_first(), "opening the directory", "can be written");
    opens = 0;
    refuse_open = 2;
    fails_with(run_first(), "opening that folder", "");
    io = *real();
    io.mkdir_at = no_mkdir;
    fails_with(run_first(), "making a folder to test in", "not read-only");
    io = *real();
    io.random = on_random;
    random_calls = 0;
    refuse_random = 1;
    fails_with(run_first(), "making a name", "");
    stop_at = 1;
    random_calls = 0;
    fails_with(run((struct plog_selftest_options){.seed = 0}),
               "no randomness for a seed", "");
}

/* 64 MiB may be taken. */
static void room(void)
{
    io = *real();
    io.file_system = on_file_system;
    fs.free_bytes = (64u << 20) - 1;
    fails_with(run_first(), "no space for it: 63 MiB are free, and 64",
               "make room");
    fs.free_bytes = 64u << 20;
    CHECK_INT(run_first(), PLOG_E_INTERRUPTED);
    CHECK_TEXT(last_found, "ext4, local; 64 MiB free");
    fs.free_bytes = 0;
    fs_rc = -ENOSYS; /* nobody knows */
    CHECK_INT(run_first(), PLOG_E_INTERRUPTED);
    CHECK_TEXT(last_found, "its kind is not known");
    fs_rc = 0;
    io.file_system = NULL;
    CHECK_INT(run_first(), PLOG_E_INTERRUPTED);
    CHECK_TEXT(last_found, "its kind is not known");
    CHECK_UINT(names_in(where()), 0);
}

/* A seed is short enough to be typed, and never 0. */
static void seeds(void)
{
    static const struct {
        uint64_t given, used;
    } all[] = {
        {5, 5}, {1000000006, 1000000006}, {1000000007, 1}, {1000000009, 2}};
    io = *real();
    stop_at = 1;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        CHECK_INT(run((struct plog_selftest_options){.seed = all[i].given}),
                  PLOG_E_INTERRUPTED);
        CHECK_UINT(r.seed, all[i].used);
    }
    io.random = on_random; /* zeros */
    refuse_random = 0;
    CHECK_INT(run((struct plog_selftest_options){.seed = 0}),
              PLOG_E_INTERRUPTED);
    CHECK_UINT(r.seed, 1);
}

static void times(void)
{
    io = *real();
    stop_at = 1;
    static const double wrong[] = {-1, -0.001, 59.001, 60};
    for (int i = 0; i < 4; i++) {
        CHECK_INT(run((struct plog_selftest_options){.seconds = wrong[i]}),
                  PLOG_E_ARG);
        CHECK_TEXT(err.message, "the time must be 1 to 59 seconds");
        CHECK_INT(r.verdict, PLOG_E_ARG);
        CHECK_UINT(told, 0);
    }
    CHECK_INT(run((struct plog_selftest_options){.seconds = 59}),
              PLOG_E_INTERRUPTED);
    CHECK_UINT(told, 1);
    CHECK(r.seconds > 0 && r.seconds < 59);
}

/* Of options that are none, and without memory, nothing is begun. */
static void not_begun(void)
{
    struct plog_selftest_options o = {.struct_size = 4};
    memset(&err, 0, sizeof err);
    CHECK_INT(plog_selftest(where(), &o, &r, &err), PLOG_E_ARG);
    CHECK_INT(err.code, PLOG_E_ARG);
    CHECK(strstr(err.message, "struct_size") != NULL);
    io = *real();
    io.alloc = no_alloc;
    stop_at = 1;
    CHECK_INT(run((struct plog_selftest_options){.seed = 5}), PLOG_E_NOMEM);
    CHECK_INT(err.code, PLOG_E_NOMEM);
    CHECK_TEXT(err.message, "out of memory");
    CHECK_UINT(told, 0);
    CHECK_UINT(names_in(where()), 0);
    /* No time is said: that of the manual, and no error. */
    o = (struct plog_selftest_options){.struct_size = sizeof o,
                                       .test = on_test};
    told = 0;
    CHECK_INT(plog_selftest(where(), &o, &r, &err), PLOG_E_INTERRUPTED);
    CHECK_UINT(told, 1);
}

/* ---- The end ------------------------------------------------------------- */

static int stop_phase(void *arg, const struct plog_progress *p)
{
    (void)arg;
    return strcmp(p->phase, "begin") == 0 && told > 0;
}

/* Between two parts the caller is asked, too. */
static void between_parts(void)
{
    io = *real();
    stop_at = 0;
    CHECK_INT(run((struct plog_selftest_options){.progress = stop_phase}),
              PLOG_E_INTERRUPTED);
    CHECK_TEXT(err.message, "stopped");
    CHECK_TEXT(names, "file system,mount,kernel,SQLite,libsodium,clock,");
    CHECK_UINT(names_in(where()), 0);
}

/* A folder that stays is an error, but not instead of another one. */
static void not_removed(void)
{
    char path[700];
    io = *real();
    io.rmdir_at = no_rmdir;
    CHECK_INT(run_first(), PLOG_E_INTERRUPTED);
    CHECK_TEXT(err.message, "stopped");
    CHECK_UINT(names_in(where()), 1);
    DIR *d = opendir(where());
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] == 'p') {
            snprintf(path, sizeof path, "%.400s/%.200s", where(), e->d_name);
            CHECK(rmdir(path) == 0);
        }
    if (d)
        closedir(d);
}

/* ---- What lies in the folder ------------------------------------------- */

static char scratch[700];

static void find_scratch(void)
{
    DIR *d = opendir(where());
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] == 'p')
            snprintf(scratch, sizeof scratch, "%.400s/%.200s", where(),
                     e->d_name);
    if (d)
        closedir(d);
}

/* Two files, and a folder with one. */
static void fill(void)
{
    static const char *const names_of[] = {"/a", "/b", "/sub/c"};
    char path[800];
    find_scratch();
    snprintf(path, sizeof path, "%s/sub", scratch);
    CHECK_INT(mkdir(path, 0700), 0);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s%s", scratch, names_of[i]);
        FILE *f = fopen(path, "w");
        if (CHECK(f != NULL))
            fclose(f);
    }
}

static int unlink_says; /* of folders; of files once they are gone */
static int refused;     /* of files; 0: they go */

static int on_unlink(void *ctx, int dir, const char *name)
{
    int rc = real()->unlink_at(ctx, dir, name);
    if (rc == -EISDIR || rc == -EPERM)
        return unlink_says == -EPERM ? -EPERM : rc;
    return rc ? rc : unlink_says == -ENOENT ? -ENOENT : 0;
}

static int stays(void *ctx, int dir, const char *name)
{
    if (strcmp(name, "sub") == 0)
        return real()->unlink_at(ctx, dir, name);
    return refused++ ? -EROFS : -EBUSY;
}

static int no_list(void *ctx, int dir, int (*each)(void *arg, const char *name),
                   void *arg)
{
    (void)ctx, (void)dir, (void)each, (void)arg;
    return -EIO;
}

/* All of it goes, whatever the system calls a folder, and whoever else removes
 * the same. */
static void removed_with_all(void)
{
    static const int says[] = {-EPERM, -ENOENT, 0};
    while_told = fill;
    for (int i = 0; i < 3; i++) {
        io = *real();
        io.unlink_at = on_unlink;
        unlink_says = says[i];
        CHECK_INT(run_first(), PLOG_E_INTERRUPTED);
        CHECK_TEXT(err.message, "stopped");
        CHECK_UINT(names_in(where()), 0);
    }
    while_told = NULL;
}

static void remove_by_hand(void)
{
    io = *real();
    static const char *const names_of[] = {"/a", "/b", "/sub/c", "/sub", ""};
    for (int i = 0; i < 5; i++) {
        char path[800];
        snprintf(path, sizeof path, "%s%s", scratch, names_of[i]);
        CHECK_INT(remove(path), 0);
    }
}

/* What stays does not take the place of why it ended. */
static void stays_with_all(void)
{
    while_told = fill;
    for (int i = 0; i < 2; i++) {
        io = *real();
        if (i)
            io.list = no_list;
        else
            io.unlink_at = stays;
        refused = 0;
        CHECK_INT(run_first(), PLOG_E_INTERRUPTED);
        CHECK_TEXT(err.message, "stopped");
        CHECK_UINT(names_in(where()), 1);
        CHECK(i || refused >= 2);
        remove_by_hand();
    }
    while_told = NULL;
}

/* ---- Folders of others --------------------------------------------------- */

static const char other[] = "paritylog-selftest-of-another";
static bool ours_first;

static int in_order(void *ctx, int dir,
                    int (*each)(void *arg, const char *name), void *arg)
{
    if (!ours_first)
        each(arg, other);
    int rc = real()->list(ctx, dir, each, arg);
    if (ours_first)
        each(arg, other);
    return rc;
}

static void stop_at_left_over(void)
{
    if (strstr(names, "left over,"))
        stop_at = told + 1;
}

static int two_stay(void *ctx, int dir, const char *name)
{
    if (strcmp(name, "a") != 0 && strcmp(name, "b") != 0)
        return real()->unlink_at(ctx, dir, name);
    return refused++ ? -EROFS : -EBUSY;
}

static void fill_at_the_last(void)
{
    if (!strstr(names, ",failing disk (EIO),"))
        return;
    fill();
    io.unlink_at = two_stay;
}

/* Folders of somebody's own, which are nobody's left over. */
static void beside(bool there)
{
    static const char *const own[] = {"data", "paritylog-selftes", "zz"};
    for (int i = 0; i < 3; i++) {
        char path[700];
        snprintf(path, sizeof path, "%.400s/%s", where(), own[i]);
        CHECK_INT(there ? mkdir(path, 0700) : rmdir(path), 0);
    }
}

/* One of them is named, and who stops at the very last test is told so. */
static void left_over(void)
{
    while_told = stop_at_left_over;
    for (int i = 0; i < 2; i++) {
        io = *real();
        io.list = in_order;
        ours_first = i;
        stop_at = 0;
        CHECK_INT(
            run((struct plog_selftest_options){.seconds = 0.01, .seed = 5}),
            PLOG_E_INTERRUPTED);
        CHECK_TEXT(err.message, "stopped");
        CHECK_TEXT(last_found,
                   i ? "1 folders of others: paritylog-selftest-..."
                     : "1 folders of others: paritylog-selftest-of-another...");
    }
    while_told = NULL;
    CHECK_UINT(names_in(where()), 0);
}

static void remove_two(void)
{
    static const char *const names_of[] = {"/a", "/b", ""};
    for (int i = 0; i < 3; i++) {
        char path[800];
        snprintf(path, sizeof path, "%s%s", scratch, names_of[i]);
        CHECK_INT(remove(path), 0);
    }
}

/* To its end: nothing of others is counted; and a folder that could not be
 * removed is told with the first reason, though all the tests went well. */
static void to_its_end(void)
{
    char want[200];
    beside(true);
    io = *real();
    stop_at = 0;
    CHECK_INT(run((struct plog_selftest_options){.seconds = 0.01, .seed = 5}),
              0);
    CHECK_TEXT(err.message, "");
    CHECK(strstr(names, "left over,") == NULL);
    CHECK_UINT(names_in(where()), 3);
    beside(false);
    while_told = fill_at_the_last;
    refused = 0;
    CHECK_INT(run((struct plog_selftest_options){.seconds = 0.01, .seed = 5}),
              PLOG_E_IO);
    while_told = NULL;
    CHECK_INT(r.verdict, PLOG_E_IO);
    CHECK_INT(err.code, PLOG_E_IO);
    snprintf(want, sizeof want, "removing the test's folder: %s",
             strerror(EBUSY));
    CHECK_TEXT(err.message, want);
    CHECK_TEXT(err.file, scratch);
    CHECK_UINT(refused, 2);
    remove_two();
    CHECK_UINT(names_in(where()), 0);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"cannot begin", cannot_begin},
        {"room", room},
        {"seeds", seeds},
        {"times", times},
        {"between parts", between_parts},
        {"not removed", not_removed},
        {"not begun", not_begun},
        {"left over", left_over},
        {"to its end", to_its_end},
        {"removed with all", removed_with_all},
        {"stays with all", stays_with_all},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
