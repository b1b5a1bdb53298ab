/*
 * test_selftest_system.c - what selftest says of file system, mount, kernel
 * and clock, and of what a sync costs: of each kind of them, by tables that
 * show what this machine has not.
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "selftesting.h"
#include "sql_calls.h"
#include "world.h"

static struct selftesting s;

/* ---- Files of /proc and /sys of ours ------------------------------------- */

#define STATS 8

static struct {
    const char *mounts, *release; /* NULL: not there */
    const char *stat[STATS], *iostats, *cache;
    bool by_partition; /* the queue is the disk's, one folder up */
    unsigned stats;    /* looked at so far */
} kernel;

static const char *text_of(const char *name)
{
    const char *end = strrchr(name, '/');
    bool above = strstr(name, "/../") != NULL;
    if (strcmp(name, "/proc/self/mountinfo") == 0)
        return kernel.mounts;
    if (strcmp(name, "/proc/sys/kernel/osrelease") == 0)
        return kernel.release;
    if (strcmp(end, "/stat") == 0)
        return kernel.stat[kernel.stats++ % STATS];
    if (above != kernel.by_partition)
        return NULL;
    return strcmp(end, "/iostats") == 0 ? kernel.iostats : kernel.cache;
}

static int on_open(void *ctx, int dir, const char *name, int flags,
                   uint32_t mode)
{
    char path[700];
    if (strncmp(name, "/proc/", 6) && strncmp(name, "/sys/", 5))
        return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
    const char *text = text_of(name);
    if (!text)
        return -ENOENT;
    snprintf(path, sizeof path, "%.500s/of-the-kernel", s.t.parent_path);
    world_write(path, text, strlen(text));
    return plog_io_posix()->open_at(ctx, dir, path, flags, mode);
}

static void begin(void)
{
    selftesting_begin(&s, 1);
    memset(&kernel, 0, sizeof kernel);
    kernel.release = "6.1.0-test\n\n";
    s.io.open_at = on_open;
}

static void look(void)
{
    s.count = 0;
    plog_selftest_system(&s.t);
}

/* ---- File systems -------------------------------------------------------- */

static struct plog_fs fs;

static int on_file_system(void *ctx, int fd, struct plog_fs *out)
{
    (void)ctx;
    CHECK_INT(fd, s.t.dir);
    *out = fs;
    return 0;
}

static int no_file_system(void *ctx, int fd, struct plog_fs *out)
{
    (void)ctx, (void)fd;
    *out = fs;
    return -ENOSYS;
}

static void file_systems(void)
{
    static const struct {
        uint64_t type;
        bool allowed;
        enum plog_test_result result;
        const char *found, *next;
        bool memory;
    } all[] = {
        {0x6969, false, PLOG_TEST_FAIL,
         "nfs, over a network: SQLite's WAL is not safe there",
         "keep logs on a local disk", false},
        {0x6969, true, PLOG_TEST_WARN,
         "nfs, over a network: SQLite's WAL is not safe there",
         "keep logs on a local disk", false},
        {0x01021994, false, PLOG_TEST_WARN,
         "tmpfs: in memory, nothing outlives a power cut",
         "keep logs on a disk", true},
        {0x65735546, false, PLOG_TEST_WARN,
         "fuse: what it does with a sync is not known",
         "find out what is behind it; a network is not safe", false},
        {0xef53, false, PLOG_TEST_OK, "ext4, local; 77 MiB free", "", false},
        {0x1234, false, PLOG_TEST_OK,
         "type 0x1234, not known here; 77 MiB free", "", false},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        begin();
        fs = (struct plog_fs){.type = all[i].type, .free_bytes = 77u << 20};
        s.io.file_system = on_file_system;
        s.o.allow_network_fs = all[i].allowed;
        look();
        selftesting_check(&s, "file system", all[i].result, all[i].found,
                          all[i].next);
        CHECK_TEXT(selftesting_the(&s, "file system")->figures, "free_mib=77 ");
        CHECK(s.t.memory == all[i].memory);
        selftesting_end(&s);
    }
    begin();
    for (int i = 0; i < 2; i++) {
        s.io.file_system = i ? NULL : no_file_system;
        look();
        selftesting_check(&s, "file system", PLOG_TEST_SKIP,
                          "its kind is not known", "");
    }
    selftesting_end(&s);
}

/* ---- Mounts -------------------------------------------------------------- */

#define ROOT "1 0 8:1 / / rw,relatime - ext4 /dev/root rw\n"

static void mounts(void)
{
    static const struct {
        const char *path, *text;
        enum plog_test_result result;
        const char *found;
    } all[] = {
        {"/a/b", ROOT, PLOG_TEST_OK, "/dev/root at /: rw,relatime; rw"},
        /* the deepest that the path is below of */
        {"/a/b",
         ROOT "2 1 8:2 / /a rw - xfs /dev/a rw\n"
              "3 1 8:3 / /ab rw - xfs /dev/ab rw\n"
              "4 1 8:3 / /a/b/c rw - xfs /dev/abc rw\n",
         PLOG_TEST_OK, "/dev/a at /a: rw; rw"},
        {"/a", ROOT "2 1 8:2 / /a rw - xfs /dev/a rw\n", PLOG_TEST_OK,
         "/dev/a at /a: rw; rw"},
        {"/a/b", "2 1 8:2 / /a rw - xfs /dev/a rw\n" ROOT, PLOG_TEST_OK,
         "/dev/a at /a: rw; rw"},
        /* of two on one place the later; the last line has no end */
        {"/a",
         ROOT "2 1 8:2 / /a rw - xfs /dev/a rw\n"
              "3 1 8:2 / /a ro shared:7 master:1 - xfs /dev/b rw",
         PLOG_TEST_OK, "/dev/b at /a: ro; rw"},
        /* fields of one letter that none has yet: the dash is the end */
        {"/a", ROOT "2 1 8:2 / /a ro x 7 - xfs /dev/b rw\n", PLOG_TEST_OK,
         "/dev/b at /a: ro; rw"},
        /* blanks and an end in the middle of their code */
        {"/a b", ROOT "2 1 8:2 / /a\\040b rw - xfs /dev/c rw\n", PLOG_TEST_OK,
         "/dev/c at /a b: rw; rw"},
        {"/a\\04", ROOT "2 1 8:2 / /a\\04 rw - xfs /dev/c rw\n", PLOG_TEST_OK,
         "/dev/c at /a\\04: rw; rw"},
        {"/a\\", ROOT "2 1 8:2 / /a\\134 rw - xfs /dev/c rw\n", PLOG_TEST_OK,
         "/dev/c at /a\\: rw; rw"},
        /* lines that are none */
        {"/a",
         "\n\nx\n" ROOT "2 1 8:2 / /a rw - \n2 1 8:2 / /a rw\n"
         "2 1 8:2 / a rw - xfs /dev/c rw\n",
         PLOG_TEST_OK, "/dev/root at /: rw,relatime; rw"},
        /* options of either kind */
        {"/a", "1 0 8:1 / / rw,nobarrier - ext4 /dev/root rw\n", PLOG_TEST_WARN,
         "nobarrier: a sync does not empty the disk's cache; /dev/root at /:"
         " rw,nobarrier; rw"},
        {"/a", "1 0 8:1 / / rw - ext4 /dev/root rw,barrier=0,x\n",
         PLOG_TEST_WARN,
         "barrier=0: a sync does not empty the disk's cache; /dev/root at /:"
         " rw; rw,barrier=0,x"},
        {"/a", "1 0 8:1 / / rw - overlay o volatile\n", PLOG_TEST_FAIL,
         "volatile: every sync is left out; o at /: rw; volatile"},
        {"/a", "1 0 8:1 / / rw - overlay o rw,fsync=volatile\n", PLOG_TEST_FAIL,
         "fsync=volatile: every sync is left out; o at /: rw;"
         " rw,fsync=volatile"},
        {"/a", "1 0 8:1 / / soft,rw - nfs o rw,hard\n", PLOG_TEST_WARN,
         "soft: a write may fail and be done later; o at /: soft,rw; rw,hard"},
        /* what only begins or ends like them */
        {"/a", "1 0 8:1 / / softer,rsoft,volatiles - nfs o barrier=01\n",
         PLOG_TEST_OK, "o at /: softer,rsoft,volatiles; barrier=01"},
    };
    begin();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        snprintf(s.t.path, sizeof s.t.path, "%s", all[i].path);
        kernel.mounts = all[i].text;
        look();
        selftesting_check(&s, "mount", all[i].result, all[i].found,
                          all[i].result == PLOG_TEST_OK
                              ? ""
                              : "mount it without this option");
    }
    static const char *const none[] = {NULL, "",
                                       "1 0 8:1 / /b rw - ext4 /dev/root rw\n"};
    for (int i = 0; i < 3; i++) {
        snprintf(s.t.path, sizeof s.t.path, "/a");
        kernel.mounts = none[i];
        look();
        selftesting_check(&s, "mount", PLOG_TEST_SKIP,
                          "/proc/self/mountinfo does not tell", "");
    }
    selftesting_end(&s);
}

/* Of long words a part is shown. */
static void long_mount(void)
{
    char text[400], b[81], want[300];
    memset(b, 'b', 80);
    b[80] = '\0';
    snprintf(text, sizeof text, "1 0 8:1 / / %s - ext4 %s %s\n", b, b, b);
    snprintf(want, sizeof want, "%.60s at /: %.60s; %.60s", b, b, b);
    begin();
    kernel.mounts = text;
    look();
    selftesting_check(&s, "mount", PLOG_TEST_OK, want, "");
    selftesting_end(&s);
}

static void *no_large_alloc(void *ctx, void *p, size_t n)
{
    return n >= PLOG_SELFTEST_PATH ? NULL : plog_io_posix()->alloc(ctx, p, n);
}

/* The place itself; one that is longer than a path; no memory for any. */
static void odd_mounts(void)
{
    static char text[PLOG_SELFTEST_PATH + 200];
    begin();
    snprintf(s.t.path, sizeof s.t.path, "/a");
    kernel.mounts = "1 0 8:1 / /a rw - ext4 /dev/a rw\n";
    look();
    selftesting_check(&s, "mount", PLOG_TEST_OK, "/dev/a at /a: rw; rw", "");
    snprintf(s.t.path, sizeof s.t.path, "/ab"); /* beside it */
    look();
    selftesting_check(&s, "mount", PLOG_TEST_SKIP,
                      "/proc/self/mountinfo does not tell", "");
    int n = snprintf(text, sizeof text, "1 0 8:1 / /");
    memset(text + n, 'a', PLOG_SELFTEST_PATH + 50);
    strcat(text, " rw - ext4 /dev/a rw\n");
    kernel.mounts = text;
    look();
    selftesting_check(&s, "mount", PLOG_TEST_SKIP,
                      "/proc/self/mountinfo does not tell", "");
    kernel.mounts = "1 0 8:1 / /a rw - ext4 /dev/a rw\n";
    s.io.alloc = no_large_alloc;
    look();
    selftesting_check(&s, "mount", PLOG_TEST_SKIP,
                      "/proc/self/mountinfo does not tell", "");
    selftesting_end(&s);
}

/* ---- Kernel, libraries, clock -------------------------------------------- */

/* SQLite as it was built, or as a case says: these stand before its own. */
static const char *built_with;
static bool without_threads;

int sqlite3_compileoption_used(const char *option)
{
    return built_with && strcmp(option, built_with) == 0;
}

int sqlite3_threadsafe(void)
{
    return !without_threads;
}

static void sqlite_is(enum plog_test_result result, const char *words,
                      const char *next)
{
    look();
    selftesting_check(&s, "SQLite", result, NULL, next);
    if (!CHECK(strstr(selftesting_the(&s, "SQLite")->found, words) != NULL))
        printf("# %s\n", selftesting_the(&s, "SQLite")->found);
}

static void how_sqlite_is_built(void)
{
    static const char anew[] = "build it in another way";
    begin();
    without_threads = true;
    sqlite_is(PLOG_TEST_FAIL, ", built without threads (THREADSAFE=0)", anew);
    without_threads = false;
    built_with = "OMIT_WAL";
    sqlite_is(PLOG_TEST_FAIL, ", built without its WAL (OMIT_WAL)", anew);
    built_with = "NO_SYNC";
    sqlite_is(PLOG_TEST_FAIL, ", built without syncs (NO_SYNC)", anew);
    built_with = "DISABLE_DIRSYNC";
    sqlite_is(PLOG_TEST_WARN, ", built without syncs of directories", anew);
    built_with = NULL;
    sql_calls.version = 3051002;
    sqlite_is(PLOG_TEST_OK, ", which has the WAL-reset defect",
              "let no other program write to or checkpoint store.db");
    sql_calls.version = 3051003;
    sqlite_is(PLOG_TEST_OK, sqlite3_libversion(), "");
    CHECK_TEXT(selftesting_the(&s, "SQLite")->found, sqlite3_libversion());
    sql_calls.version = 0;
    selftesting_end(&s);
}

static void kernels(void)
{
    static const char *const unknown[] = {NULL, "", "\n\n"};
    begin();
    look();
    selftesting_check(&s, "kernel", PLOG_TEST_OK, "Linux 6.1.0-test", "");
    for (int i = 0; i < 3; i++) {
        kernel.release = unknown[i];
        look();
        selftesting_check(&s, "kernel", PLOG_TEST_SKIP,
                          "its version cannot be read", "");
    }
    selftesting_check(&s, "SQLite", PLOG_TEST_OK, NULL, NULL);
    selftesting_check(&s, "libsodium", PLOG_TEST_OK, NULL, "");
    selftesting_end(&s);
}

static int64_t real_now, mono_now, mono_steps, mono_ticks = 1000000;
static unsigned mono_calls, back_at;

static int64_t on_real(void *ctx)
{
    (void)ctx;
    return real_now * 1000000000;
}

static int64_t on_mono(void *ctx)
{
    (void)ctx;
    mono_calls++;
    mono_now += mono_calls == back_at ? -1
                : mono_calls % 7 == 0 ? mono_steps
                : mono_calls % 5 == 0 ? mono_ticks
                                      : 0;
    return mono_now;
}

static void clock_says(int64_t seconds, enum plog_test_result result,
                       const char *found)
{
    real_now = seconds;
    mono_calls = 0;
    look();
    selftesting_check(&s, "clock", result, found,
                      result == PLOG_TEST_WARN ? "set this machine's clock"
                                               : "");
}

static void clocks(void)
{
    begin();
    s.io.clock_real_ns = on_real;
    s.io.clock_mono_ns = on_mono;
    mono_steps = 40;
    clock_says(1704067199, PLOG_TEST_WARN,
               "it is 2023-12-31T23:59:59.000000Z here");
    clock_says(1704067200, PLOG_TEST_OK,
               "2024-01-01T00:00:00.000000Z; monotonic, in steps of 40 ns");
    clock_says(4102444800, PLOG_TEST_OK,
               "2100-01-01T00:00:00.000000Z; monotonic, in steps of 40 ns");
    clock_says(4102444801, PLOG_TEST_WARN,
               "it is 2100-01-01T00:00:01.000000Z here");
    mono_steps = 0; /* it stands still */
    mono_ticks = 0;
    clock_says(1704067200, PLOG_TEST_OK,
               "2024-01-01T00:00:00.000000Z; monotonic, in steps of 0 ns");
    mono_steps = 40;
    mono_ticks = 1000000;
    back_at = 1001;
    clock_says(1704067200, PLOG_TEST_FAIL, "the monotonic clock goes back");
    back_at = 2001; /* the last one that is looked at */
    clock_says(1704067200, PLOG_TEST_FAIL, "the monotonic clock goes back");
    selftesting_end(&s);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"file systems", file_systems},
        {"mounts", mounts},
        {"long mount", long_mount},
        {"odd mounts", odd_mounts},
        {"how SQLite is built", how_sqlite_is_built},
        {"kernels", kernels},
        {"clocks", clocks},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
