/*
 * test_aside.c - what cannot be used goes to quarantine/: bytes of a segment
 * once and under a name that says where they stood, and a file of archive/ in
 * this order of calls, of which the first that fails is the last.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive.h"
#include "aside.h"
#include "check.h"
#include "world.h"

#define NAME "00000000000000000007.jsonl"
#define STEM "00000000000000000007-at-"
#define TEXT "some lines\nof a log\n"

static struct plog_io io;
static struct plog_dir d;
static struct plog_error err;
static char path[600], kept[128];
static int folder;     /* archive/ */
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
    int rc = note(fd == d.dir    ? 'D'
                  : fd == d.log  ? 'L'
                  : fd == folder ? 'F'
                                 : 'Q');
    return rc ? rc : plog_io_posix()->fsync(ctx, fd);
}

static int note_rename(void *ctx, int a, const char *from, int b,
                       const char *to, bool replace)
{
    int rc = note('r');
    return rc ? rc : plog_io_posix()->rename_at(ctx, a, from, b, to, replace);
}

static int note_unlink(void *ctx, int dir, const char *name)
{
    int rc = note(dir == folder ? 'U' : 'u');
    return rc ? rc : plog_io_posix()->unlink_at(ctx, dir, name);
}

static const char *below(const char *name)
{
    static char out[2][900];
    static unsigned next;
    char *to = out[next++ % 2];
    snprintf(to, sizeof out[0], "%s/%s", path, name);
    return to;
}

/* A directory with a segment. */
static void set_up(void)
{
    static int next;
    snprintf(path, sizeof path, "%.500s/s%d", check_dir(), next++);
    CHECK_INT(mkdir(path, 0700), 0);
    CHECK_INT(mkdir(below("log"), 0700), 0);
    CHECK_INT(mkdir(below("archive"), 0700), 0);
    CHECK_INT(mkdir(below("quarantine"), 0700), 0);
    memset(&d, 0, sizeof d);
    memset(calls, 0, sizeof calls);
    d.io = &io;
    d.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    d.log = open(below("log"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    folder = open(below("archive"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    world_write(below("log/" NAME), TEXT, strlen(TEXT));
    io = *plog_io_posix();
    err = (struct plog_error){.code = 0};
}

static void tear_down(void)
{
    close(folder);
    close(d.log);
    close(d.dir);
}

static void watched(void)
{
    io.fdatasync = note_fdatasync;
    io.fsync = note_fsync;
    io.rename_at = note_rename;
    io.unlink_at = note_unlink;
}

static void holds(const char *name, const char *text)
{
    size_t n = 0;
    char *have = access(below(name), F_OK) ? NULL : world_read(below(name), &n);
    if (CHECK(have != NULL))
        CHECK_BYTES(have, n, text, strlen(text));
    free(have);
}

/* ---- Bytes of a segment ------------------------------------------------- */

static void once(void)
{
    char first[128];
    set_up();
    CHECK_INT(plog_aside_once(&d, 7, 5, 11, kept, &err), 0);
    snprintf(first, sizeof first, "%s", kept);
    CHECK(strncmp(kept, "quarantine/" STEM "5-", strlen(STEM) + 13) == 0);
    holds(kept, "lines\n");
    CHECK_INT(plog_aside_once(&d, 7, 5, 11, kept, &err), 0);
    CHECK_TEXT(kept, first);
    CHECK_INT(plog_aside_bytes(&d, 7, 5, 11, kept, &err), 0);
    CHECK(strcmp(kept, first) != 0); /* each time that it is asked for */
    holds(kept, "lines\n");
    CHECK_INT(plog_aside_once(&d, 7, 5, 10, kept, &err), 0);
    holds(kept, "lines"); /* fewer are others */
    CHECK_INT(plog_aside_once(&d, 8, 0, 1, kept, &err), PLOG_E_CORRUPT);
    tear_down();
}

/* Of another place, another length or content, or under a name that nobody
 * gives: the same bytes are kept once more. */
static void not_taken_for_it(void)
{
    static const struct {
        const char *name, *text;
        bool same;
    } all[] = {
        {STEM "5-1767225600-1", "lines\n", true},
        {STEM "6-1767225600-1", "lines\n", false},
        {STEM "5", "lines\n", false},
        {STEM "55-1767225600-1", "lines\n", false},
        {"00000000000000000008-at-5-1", "lines\n", false},
        {"short", "lines\n", false},
        {STEM "5-1767225600-1", "lines", false},
        {STEM "5-1767225600-1", "lines \n", false},
        {STEM "5-1767225600-1", "linen\n", false},
        {STEM "5-"
              "00000000000000000000000000000000000000000000000000000000000000"
              "0000000000000",
         "lines\n", false},
        {STEM "5-"
              "00000000000000000000000000000000000000000000000000000000000000"
              "000000000000",
         "lines\n", true},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char there[300];
        set_up();
        snprintf(there, sizeof there, "quarantine/%s", all[i].name);
        world_write(below(there), all[i].text, strlen(all[i].text));
        CHECK_INT(plog_aside_once(&d, 7, 5, 11, kept, &err), 0);
        if (!CHECK_INT(strcmp(kept, there) == 0, all[i].same))
            printf("# %s\n", all[i].name);
        holds(kept, "lines\n");
        holds(there, all[i].text);
        tear_down();
    }
}

/* Before anybody is told, the bytes are on disk and so is their name, also of
 * what somebody else has kept; D: the folder. */
static void on_disk(void)
{
    static const struct {
        char letter;
        const char *bytes, *again, *file;
    } all[] = {
        {0, "DdQ", "DdQ", "DrQL"},
        {'d', "Dd", "DdDd", "DrQL"}, /* it may not be on disk: once more */
        {'Q', "DdQ", "DdQDdQ", "DrQ"},
        {'r', "DdQ", "DdQ", "Dr"},
        {'L', "DdQ", "DdQ", "DrQL"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        set_up();
        watched();
        failing = all[i].letter;
        bool fails = failing == 'd' || failing == 'Q';
        CHECK_INT(plog_aside_bytes(&d, 7, 5, 11, kept, &err),
                  fails ? PLOG_E_IO : 0);
        CHECK_TEXT(calls, all[i].bytes);
        if (fails)
            CHECK_TEXT(err.message, "setting bytes aside: Input/output error");
        memset(calls, 0, sizeof calls);
        CHECK_INT(plog_aside_once(&d, 7, 5, 11, kept, &err),
                  fails ? PLOG_E_IO : 0);
        CHECK_TEXT(calls, all[i].again);
        memset(calls, 0, sizeof calls);
        fails = failing == 'r' || failing == 'Q' || failing == 'L';
        CHECK_INT(plog_aside_file(&d, NAME, kept, &err), fails ? PLOG_E_IO : 0);
        CHECK_TEXT(calls, all[i].file);
        if (fails)
            CHECK_TEXT(err.file, NAME);
        CHECK((access(below("log/" NAME), F_OK) == 0) == (failing == 'r'));
        failing = 0;
        tear_down();
    }
    set_up(); /* more bytes than there are */
    CHECK_INT(plog_aside_bytes(&d, 7, 5, 100, kept, &err), PLOG_E_IO);
    CHECK_TEXT(err.message, "setting bytes aside: Input/output error");
    tear_down();
}

/* ---- A file of archive/ ------------------------------------------------- */

static int aside(bool gzip, char fails)
{
    set_up();
    if (gzip)
        CHECK_INT(plog_archive_segment(&d, 7, NULL, NULL, &err), 0);
    else
        world_write(below("archive/" NAME ".gz"), TEXT, strlen(TEXT));
    watched();
    failing = fails;
    int rc = plog_archive_aside(&d, folder, NAME ".gz", kept, &err);
    failing = 0;
    CHECK_INT(err.code, rc);
    return rc;
}

struct failure {
    char letter;
    const char *calls, *file;
    bool gone;
};

/* What fails ends it and is told, and what was there is there. */
static void each_failure(bool gzip, const struct failure *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CHECK_INT(aside(gzip, all[i].letter), PLOG_E_IO);
        CHECK_TEXT(calls, all[i].calls);
        CHECK_TEXT(err.message, "setting a file aside: Input/output error");
        CHECK(strncmp(err.file, all[i].file, strlen(all[i].file)) == 0);
        CHECK((access(below("archive/" NAME ".gz"), F_OK) != 0) == all[i].gone);
        tear_down();
    }
}

/* No gzip file goes as it is. */
static void as_it_is(void)
{
    static const struct failure all[] = {
        {'r', "DuDr", "quarantine/", false},
        {'Q', "DuDrQ", "quarantine/", true},
        {'F', "DuDrQF", NAME ".gz", true},
    };
    CHECK_INT(aside(false, 0), 0);
    CHECK_TEXT(calls, "DuDrQF");
    CHECK(strncmp(kept, "quarantine/" NAME ".gz-", strlen(NAME) + 15) == 0);
    holds(kept, TEXT);
    CHECK(access(below("archive/" NAME ".gz"), F_OK) != 0);
    tear_down();
    each_failure(false, all, sizeof all / sizeof *all);
}

/* A gzip file is expanded, and goes when that is on disk. */
static void expanded(void)
{
    static const struct failure all[] = {
        {'d', "Ddu", "quarantine/", false},
        {'Q', "DdQu", "quarantine/", false},
        {'U', "DdQU", NAME ".gz", false},
        {'F', "DdQUF", NAME ".gz", true},
    };
    CHECK_INT(aside(true, 0), 0);
    CHECK_TEXT(calls, "DdQUF");
    CHECK(strncmp(kept, "quarantine/" NAME "-", strlen(NAME) + 12) == 0);
    holds(kept, TEXT);
    CHECK(access(below("archive/" NAME ".gz"), F_OK) != 0);
    tear_down();
    each_failure(true, all, sizeof all / sizeof *all);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"once", once},         {"not taken for it", not_taken_for_it},
        {"on disk", on_disk},   {"as it is", as_it_is},
        {"expanded", expanded},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
