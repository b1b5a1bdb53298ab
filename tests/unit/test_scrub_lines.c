/*
 * test_scrub_lines.c - a file of lines, and a packed one, that take the place
 * of one with a payload: whole and durable, or the old one stays.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "gz.h"
#include "io_files.h"
#include "scrub.h"

#define SECRET "{\"seq\":7,\"salt\":\"c2FsdC1vZi10aGUtc2VjcmV0\",\"v\":\"s\"}"
#define REDACTED "{\"seq\":7,\"redacted\":1}"
#define BEFORE "one\n" SECRET "\nthree\n"
#define AFTER "one\n" REDACTED "\nthree\n"

static struct plog_io io; /* the real one, which the cases change */
static int dir;
static int made = -1;       /* the handle of the file to be packed */
static char calls[100];     /* those that make it durable, in their order */
static const char *failing; /* which of them does */

static int call(const char *what, int rc)
{
    size_t n = strlen(calls);
    snprintf(calls + n, sizeof calls - n, "%s ", what);
    return failing && strcmp(failing, what) == 0 ? -EIO : rc;
}

static int on_open(void *ctx, int at, const char *name, int flags,
                   uint32_t mode)
{
    int fd = plog_io_posix()->open_at(ctx, at, name, flags, mode);
    if (flags & O_CREAT && strcmp(name, "scratch") == 0)
        made = fd;
    return fd;
}

static int64_t on_write(void *ctx, int fd, const void *p, size_t n, uint64_t at)
{
    if (failing && strcmp(failing, "write") == 0 && fd == made)
        return -ENOSPC;
    return plog_io_posix()->pwrite(ctx, fd, p, n, at);
}

static int on_datasync(void *ctx, int fd)
{
    (void)ctx;
    return fd == made || made == -1 ? call("sync", 0) : 0;
}

static int on_rename(void *ctx, int a, const char *from, int b, const char *to,
                     bool replace)
{
    return call("rename",
                plog_io_posix()->rename_at(ctx, a, from, b, to, replace));
}

static int on_fsync(void *ctx, int fd)
{
    (void)ctx;
    CHECK_INT(fd, dir);
    return call("folder", 0);
}

static void set_up(const char *fails)
{
    io = *plog_io_posix();
    io.open_at = on_open;
    io.pwrite = on_write;
    io.fdatasync = on_datasync;
    io.rename_at = on_rename;
    io.fsync = on_fsync;
    dir = io_files_dir();
    made = -1;
    calls[0] = '\0';
    failing = fails;
}

static struct plog_scrub_target target(void)
{
    struct plog_scrub_target t = {.seq = 7,
                                  .redacted = {REDACTED, sizeof REDACTED - 1}};
    snprintf(t.salt, sizeof t.salt, "c2FsdC1vZi10aGUtc2VjcmV0");
    plog_hash_leaf(SECRET, sizeof SECRET - 1, t.leaf);
    return t;
}

/* ---- Lines -------------------------------------------------------------- */

/* Synced, then named, and then the name is synced. */
static void lines_are_durable(void)
{
    const struct plog_scrub_target t = target();
    uint64_t hits;
    set_up(NULL);
    io_files_put(dir, "lines", BEFORE);
    CHECK_INT(plog_scrub_lines(&io, dir, "lines", &t, 1, &hits), 0);
    CHECK_UINT(hits, 1);
    CHECK_TEXT(calls, "sync rename folder ");
    io_files_check(dir, "lines", AFTER);
    close(dir);
    static const char *const all[] = {"sync", "folder"};
    for (size_t i = 0; i < 2; i++) {
        set_up(all[i]);
        io_files_put(dir, "lines", BEFORE);
        CHECK_INT(plog_scrub_lines(&io, dir, "lines", &t, 1, &hits),
                  -EIO);
        io_files_check(dir, "lines", i ? AFTER : BEFORE);
        close(dir);
    }
}

/* ---- Packed ones -------------------------------------------------------- */

static void put_packed(void)
{
    struct plog_gz g;
    int fd = openat(dir, "packed", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK_INT(plog_gz_create(&g, plog_io_posix(), fd, 6, NULL), 0);
    CHECK_INT(plog_gz_write(&g, BEFORE, sizeof BEFORE - 1, NULL), 0);
    CHECK_INT(plog_gz_finish(&g, NULL), 0);
    plog_gz_close(&g);
    close(fd);
}

static void packed_is(const char *want)
{
    struct plog_gz g;
    char text[200];
    size_t n = 0;
    int fd = openat(dir, "packed", O_RDONLY | O_CLOEXEC);
    CHECK_INT(plog_gz_open(&g, plog_io_posix(), fd, NULL), 0);
    CHECK_INT(plog_gz_read(&g, text, sizeof text, &n, NULL), 0);
    plog_gz_close(&g);
    close(fd);
    CHECK_BYTES(text, n, want, strlen(want));
}

static int scrub_packed(const struct plog_scrub_target *t, uint64_t *hits)
{
    struct plog_scrub_file file = {&io, dir, "packed", dir, "scratch"};
    struct plog_scrub_source source;
    struct plog_scrub_search search;
    CHECK_INT(plog_scrub_source_open(&source, &io, dir, "packed", true), 0);
    CHECK_INT(plog_scrub_search_init(&search, &io, t, 1), 0);
    int rc = plog_scrub_rewrite(&file, &source, &search, false, hits);
    plog_scrub_search_fini(&search);
    plog_scrub_source_close(&source);
    return rc;
}

/* What was not packed whole, or is not on disk, does not get the name. */
static void packed_whole_or_not(void)
{
    static const char *const all[] = {NULL, "write", "sync"};
    const struct plog_scrub_target t = target();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        uint64_t hits;
        set_up(NULL);
        put_packed();
        failing = all[i];
        made = -2; /* none yet */
        int rc = scrub_packed(&t, &hits);
        CHECK_INT(rc, i ? -EIO : 0);
        CHECK(made >= 0);
        packed_is(i ? BEFORE : AFTER);
        CHECK_INT(faccessat(dir, "scratch", F_OK, 0), -1);
        close(dir);
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"lines are durable", lines_are_durable},
        {"packed whole or not", packed_whole_or_not},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
