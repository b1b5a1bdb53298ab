/*
 * test_repair.c - what opening does with the end of a log that a writer left:
 * nothing goes that was not kept first, and whose store it is comes before how
 * far it goes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "note.h"
#include "world.h"

#define UNBORN "log/00000000000000000004.jsonl"
#define HEAD "{\"segment\":{\"format\":1"

static struct plog_io io; /* the real one, which the cases change */
static struct world w;
static struct plog_error err;

static int open_it(void)
{
    struct plog_options o = {.struct_size = sizeof o, .io = &io};
    plog *p = NULL;
    memset(&err, 0, sizeof err);
    int rc = plog_open(&p, w.dir, &o, &err);
    plog_close(p);
    return rc;
}

static int no_quarantine(void *ctx, int dir, const char *name, uint32_t mode)
{
    return strcmp(name, "quarantine") == 0
               ? -EIO
               : plog_io_posix()->mkdir_at(ctx, dir, name, mode);
}

/* A segment that has no whole header stays where it is until its bytes lie in
 * quarantine/. */
static void an_unborn_segment_is_kept(void)
{
    size_t n;
    world_make(&w, PLOG_ARRIVAL, 0);
    for (int i = 0; i < 2; i++)
        CHECK_INT(world_put(&w, NULL, "1", "a", NULL), 0);
    world_close(&w);
    world_write(world_path(&w, UNBORN), HEAD, sizeof HEAD - 1);
    io = *plog_io_posix();
    io.mkdir_at = no_quarantine;
    CHECK_INT(open_it(), PLOG_E_IO);
    CHECK(!world_has(&w, "quarantine"));
    char *text = world_read(world_path(&w, UNBORN), &n);
    CHECK_BYTES(text, n, HEAD, sizeof HEAD - 1);
    free(text);
    io = *plog_io_posix();
    CHECK_INT(open_it(), 0);
    CHECK(world_has(&w, "quarantine"));
    CHECK(!world_has(&w, UNBORN));
    world_end(&w, 3);
}

/* The store of another log, whose head lies where this one has no segment: it
 * is another log's, and no entry of this one is said to be lost. */
static void of_another_log(void)
{
    struct world other;
    struct plog_vkey key;
    char name[40];
    world_make(&w, PLOG_ARRIVAL, 0);
    world_make(&other, PLOG_ARRIVAL, 4096);
    CHECK_INT(world_put(&w, NULL, "1", "a", NULL), 0);
    for (int k = 0; k < 20; k++)
        CHECK_INT(world_put(&other, NULL, "1", "a", NULL), 0);
    world_close(&w);
    world_close(&other);
    CHECK(!world_has(&other, UNBORN) &&
          world_number(&other, "SELECT segment FROM meta") > 2);
    CHECK_INT(plog_vkey_parse(plog_span_text(other.vkey), &key), 0);
    snprintf(name, sizeof name, "keys/%s.vkey", key.id_text);
    world_take(&w, other.dir, name);
    world_take_store(&w, other.dir);
    io = *plog_io_posix();
    if (!CHECK_INT(open_it(), PLOG_E_FOREIGN))
        printf("# %s\n", err.message);
    CHECK(strstr(err.message, "the store belongs to `") != NULL);
}

/* ---- A log from before the store ----------------------------------------- */

static bool is_log[1u << 10]; /* by handle */
static uint64_t log_read;     /* bytes */

static int noting_open(void *c, int dir, const char *name, int flags,
                       unsigned mode)
{
    int fd = plog_io_posix()->open_at(c, dir, name, flags, mode);
    size_t n = strlen(name);
    if (fd >= 0 && (size_t)fd < sizeof is_log)
        is_log[fd] = n > 6 && strcmp(name + n - 6, ".jsonl") == 0;
    return fd;
}

static int64_t noting_pread(void *c, int fd, void *p, size_t n, uint64_t at)
{
    int64_t got = plog_io_posix()->pread(c, fd, p, n, at);
    if (got > 0 && (size_t)fd < sizeof is_log && is_log[fd])
        log_read += (uint64_t)got;
    return got;
}

/* That it has gone no other way, its last commit tells, which the store has,
 * too: the log is read once. */
static void an_older_log(void)
{
    size_t n;
    world_make(&w, PLOG_ARRIVAL, 0);
    for (int k = 0; k < 40; k++)
        CHECK_INT(world_put(&w, NULL, "1", "a", NULL), 0);
    world_close(&w);
    const char *name = "log/00000000000000000001.jsonl";
    char *older = world_read(world_path(&w, name), &n);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(world_put(&w, NULL, "1", "a", NULL), 0);
    world_close(&w);
    size_t whole;
    char *newer = world_read(world_path(&w, name), &whole);
    world_write(world_path(&w, name), older, n);
    io = *plog_io_posix();
    io.open_at = noting_open;
    io.pread = noting_pread;
    log_read = 0;
    CHECK_INT(open_it(), PLOG_E_ROLLBACK);
    CHECK(log_read >= n && log_read < 2 * n);
    world_write(world_path(&w, name), newer, whole);
    io = *plog_io_posix();
    CHECK_INT(open_it(), 0);
    free(older);
    free(newer);
    world_end(&w, 42);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"an unborn segment is kept", an_unborn_segment_is_kept},
        {"of another log", of_another_log},
        {"an older log", an_older_log},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
