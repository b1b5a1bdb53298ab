/*
 * test_first_fault.c - what fails first is what is told, whatever else fails
 * behind it; and a name that has no room is refused before anything is done.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "archive.h"
#include "check.h"
#include "engine.h"
#include "io.h"
#include "world.h"

static struct plog_io io; /* the real one, which the cases change */
static struct world w;
static struct plog_error err;

/* ---- A segment on its way to the archive --------------------------------- */

static int segment;  /* what is read first */
static int failures; /* that are left */

/* Every other file cannot be read; and then nothing can. */
static int64_t other_files_fail(void *ctx, int fd, void *p, size_t n,
                                uint64_t at)
{
    static bool failed;
    if (segment < 0) {
        segment = fd;
        failed = false;
    }
    failed |= fd != segment;
    if (failed && failures > 0) {
        failures--;
        return -EIO;
    }
    return plog_io_posix()->pread(ctx, fd, p, n, at);
}

/* The compressed file cannot be read again: that is told, also where the
 * segment cannot be, either. */
static void an_archive_that_cannot_be_read(void)
{
    uint64_t first = 0;
    char alone[sizeof err.message];
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, NULL, "r", "x", NULL), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    struct plog_dir d = w.p->legs.dir;
    io = *plog_io_posix();
    io.pread = other_files_fail;
    d.io = &io;
    for (int i = 0; i < 2; i++) {
        segment = -1;
        failures = i ? 1000 : 1;
        memset(&err, 0, sizeof err);
        CHECK_INT(plog_archive_segment(&d, 1, NULL, NULL, &err), PLOG_E_IO);
        CHECK_INT(err.code, PLOG_E_IO);
        if (i)
            CHECK_TEXT(err.message, alone);
        else
            snprintf(alone, sizeof alone, "%s", err.message);
        CHECK(!world_has(&w, "archive/00000000000000000001.jsonl.gz"));
    }
    failures = 0;
    CHECK_INT(plog_archive_segment(&d, 1, NULL, NULL, &err), 0);
    world_end(&w, 2);
}

/* ---- Names --------------------------------------------------------------- */

/* Of a file, and of the one that takes its name when it is whole. */
static void names_without_room(void)
{
    char name[6000], suffix[600];
    int dir = open(check_dir(), O_RDONLY | O_DIRECTORY);
    memset(name, 'n', sizeof name);
    memset(suffix, 's', sizeof suffix);
    suffix[sizeof suffix - 1] = '\0';
    for (size_t n = 500; n < sizeof name; n += n < 530 ? 1 : 100) {
        name[n] = '\0';
        CHECK_INT(plog_io_write_file(plog_io_posix(), dir, name, ".new", "x", 1,
                                     0600, false),
                  -ENAMETOOLONG);
        name[n] = 'n';
    }
    CHECK_INT(plog_io_write_file(plog_io_posix(), dir, "n", suffix, "x", 1,
                                 0600, false),
              -ENAMETOOLONG);
    CHECK_INT(plog_io_write_file(plog_io_posix(), dir, "n", ".new", "x", 1,
                                 0600, false),
              0);
    plog_io_posix()->close(NULL, dir);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"an archive that cannot be read", an_archive_that_cannot_be_read},
        {"names without room", names_without_room},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
