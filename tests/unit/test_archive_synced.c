/*
 * test_archive_synced.c - a segment that goes to archive/ is on disk there, and
 * its name is, and the folder's, before anybody may take it out of log/; and so
 * on the way back.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive.h"
#include "check.h"

#define NAME "00000000000000000007.jsonl"

static struct plog_io io;
static struct plog_dir d;
static struct plog_error err;
static char path[600];
static char calls[64]; /* a letter for each */
static char failing;   /* the letter of those that fail */

static int note(char letter)
{
    size_t n = strlen(calls);
    if (n + 1 < sizeof calls)
        calls[n] = letter;
    return letter == failing ? -EIO : 0;
}

static int note_fdatasync(void *ctx, int fd)
{
    int rc = note('d');
    return rc ? rc : plog_io_posix()->fdatasync(ctx, fd);
}

static int note_fsync(void *ctx, int fd)
{
    int rc = note(fd == d.dir ? 'D' : 's');
    return rc ? rc : plog_io_posix()->fsync(ctx, fd);
}

static int note_rename(void *ctx, int a, const char *from, int b,
                       const char *to, bool replace)
{
    int rc = note('r');
    return rc ? rc : plog_io_posix()->rename_at(ctx, a, from, b, to, replace);
}

static const char *below(const char *name)
{
    static char out[800];
    snprintf(out, sizeof out, "%s/%s", path, name);
    return out;
}

static bool there(const char *name)
{
    return access(below(name), F_OK) == 0;
}

/* A directory with a segment and an empty archive. */
static void set_up(void)
{
    static int next;
    snprintf(path, sizeof path, "%.500s/s%d", check_dir(), next++);
    CHECK_INT(mkdir(path, 0700), 0);
    CHECK_INT(mkdir(below("log"), 0700), 0);
    CHECK_INT(mkdir(below("archive"), 0700), 0);
    memset(&d, 0, sizeof d);
    d.io = &io;
    d.dir = open(path, O_RDONLY | O_DIRECTORY);
    d.log = open(below("log"), O_RDONLY | O_DIRECTORY);
    int fd = openat(d.log, NAME, O_WRONLY | O_CREAT | O_EXCL, 0600);
    CHECK_INT(write(fd, "some lines\n", 11), 11);
    close(fd);
    io = *plog_io_posix();
    io.fdatasync = note_fdatasync;
    io.fsync = note_fsync;
    io.rename_at = note_rename;
}

static void tear_down(void)
{
    close(d.log);
    close(d.dir);
}

/* Archives it, while calls of that letter fail. */
static int archive(char fails)
{
    memset(calls, 0, sizeof calls);
    err = (struct plog_error){.code = 0};
    failing = fails;
    int rc = plog_archive_segment(&d, 7, NULL, NULL, &err);
    failing = 0;
    CHECK_INT(err.code, rc);
    return rc;
}

static void in_this_order(void)
{
    set_up();
    CHECK_INT(archive(0), 0);
    CHECK_TEXT(calls, "Ddrs");
    CHECK(there("archive/" NAME ".gz"));
    CHECK(!there("archive/" NAME ".gz.new"));
    tear_down();
}

/* Its name may stand in memory alone: of one that was killed, or whose sync
 * failed. */
static void one_that_is_there_already(void)
{
    set_up();
    CHECK_INT(archive('s'), PLOG_E_IO);
    CHECK_TEXT(calls, "Ddrs");
    CHECK_INT(archive('s'), PLOG_E_IO);
    CHECK_TEXT(calls, "Ds");
    CHECK_TEXT(err.message, "syncing the folder: Input/output error");
    CHECK_TEXT(err.file, "archive");
    CHECK_INT(archive(0), 0);
    CHECK_TEXT(calls, "Ds");
    CHECK(there("archive/" NAME ".gz"));
    tear_down();
}

/* What fails ends it, says so, and leaves no part of a file. */
static void each_failure(void)
{
    static const struct {
        char letter;
        const char *calls, *message;
    } all[] = {
        {'D', "D", "making the folder: Input/output error"},
        {'d', "Dd", "syncing a segment: Input/output error"},
        {'r', "Ddr", "naming a segment: Input/output error"},
        {'s', "Ddrs", "syncing the folder: Input/output error"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        set_up();
        CHECK_INT(archive(all[i].letter), PLOG_E_IO);
        CHECK_TEXT(calls, all[i].calls);
        CHECK_TEXT(err.message, all[i].message);
        CHECK_TEXT(err.file, "archive");
        CHECK(!there("archive/" NAME ".gz.new"));
        CHECK(there("archive/" NAME ".gz") == (all[i].letter == 's'));
        tear_down();
    }
}

/* Brings it back to log/, while calls of that letter fail. */
static int restore(char fails)
{
    memset(calls, 0, sizeof calls);
    err = (struct plog_error){.code = 0};
    failing = fails;
    bool brought;
    int rc = plog_archive_restore(&d, 7, &brought, &err);
    failing = 0;
    CHECK_INT(err.code, rc);
    return rc;
}

/* An undo takes it out of archive/ then. */
static void and_back(void)
{
    static const struct {
        char letter;
        const char *calls, *message;
    } all[] = {
        {'d', "d", "syncing a segment: Input/output error"},
        {'r', "dr", "naming a segment: Input/output error"},
        {'s', "drs", "syncing the folder: Input/output error"},
        {'s', "s", "syncing the folder: Input/output error"}, /* its name */
    };
    set_up();
    CHECK_INT(archive(0), 0);
    CHECK_INT(unlink(below("log/" NAME)), 0);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        CHECK_INT(restore(all[i].letter), PLOG_E_IO);
        CHECK_TEXT(calls, all[i].calls);
        CHECK_TEXT(err.message, all[i].message);
        CHECK_TEXT(err.file, "log");
        CHECK(!there("log/" NAME ".new"));
        CHECK(there("log/" NAME) == (all[i].letter == 's'));
    }
    CHECK_INT(restore(0), 0);
    CHECK_TEXT(calls, "s");
    CHECK_INT(unlink(below("log/" NAME)), 0);
    CHECK_INT(restore(0), 0);
    CHECK_TEXT(calls, "drs");
    CHECK(there("log/" NAME));
    tear_down();
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"in this order", in_this_order},
        {"one that is there already", one_that_is_there_already},
        {"each failure", each_failure},
        {"and back", and_back},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
