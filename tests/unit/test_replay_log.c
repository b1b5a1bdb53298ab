/*
 * test_replay_log.c - a replay beside other maintenance, and one that cannot
 * set an unfinished group aside: it waits, or says why it failed, and has
 * changed nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "dir.h"
#include "world.h"

#define SEGMENT_1 "log/00000000000000000001.jsonl"

static struct world w;
static struct plog_io io;
static struct plog_replay_report r;
static struct plog_error err;

static void make(void)
{
    io = *plog_io_posix();
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, NULL, "1", "x", NULL), 0);
    CHECK_INT(world_put(&w, NULL, "1", "y", NULL), 0);
    world_close(&w);
}

static int replay(bool fresh)
{
    struct plog_replay_options o = {.struct_size = sizeof o,
                                    .io = &io,
                                    .wait_seconds = 0.01,
                                    .fresh = fresh};
    memset(&err, 0, sizeof err);
    return plog_replay(w.dir, &o, &r, &err);
}

/* Segments may go while another holds that lock: none is read before. */
static void while_another_maintains(void)
{
    struct plog_dir d;
    make();
    CHECK_INT(
        plog_dir_open(&d, plog_io_posix(), w.dir, PLOG_DIR_WRITE, false, NULL),
        0);
    CHECK_INT(plog_dir_maintain(&d, -1, NULL), 0);
    for (int fresh = 0; fresh < 2; fresh++) {
        CHECK_INT(replay(fresh), PLOG_E_LOCKED);
        CHECK_INT(err.code, PLOG_E_LOCKED);
        CHECK(!world_has(&w, "quarantine"));
    }
    plog_dir_maintained(&d);
    CHECK_INT(replay(true), 0);
    CHECK(world_has(&w, "quarantine"));
    plog_dir_close(&d);
    world_end(&w, 3);
}

/* Half a group behind the last one. */
static void tear(void)
{
    static const char half[] = "{\"seq\":4,\"logged_at\":";
    size_t n;
    char *bytes = world_read(world_path(&w, SEGMENT_1), &n);
    size_t end = n;
    while (end > 1 && bytes[end - 2] == '\n') /* the padding */
        end--;
    char *more = realloc(bytes, end + sizeof half);
    REQUIRE(more != NULL);
    memcpy(more + end, half, sizeof half - 1);
    world_write(world_path(&w, SEGMENT_1), more, end + sizeof half - 1);
    free(more);
}

static int no_new_file(void *ctx, int dir, const char *name, int flags,
                       uint32_t mode)
{
    if (strstr(name, ".jsonl-at-") || strstr(name, "01-at-"))
        return flags & O_CREAT ? -EROFS : -ENOENT;
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* What could not be kept stays where it is, and no place is named that it went
 * to. */
static void a_tail_that_stays(void)
{
    size_t before, after;
    make();
    tear();
    free(world_read(world_path(&w, SEGMENT_1), &before));
    io.open_at = no_new_file;
    for (int fresh = 0; fresh < 2; fresh++) {
        CHECK_INT(replay(fresh), PLOG_E_IO);
        CHECK(strstr(err.message, "setting bytes aside") != NULL);
        CHECK_TEXT(r.quarantine, "");
        free(world_read(world_path(&w, SEGMENT_1), &after));
        CHECK_UINT(after, before);
    }
    io = *plog_io_posix();
    CHECK_INT(replay(false), 0);
    CHECK(strncmp(r.quarantine, "quarantine/", 11) == 0);
    CHECK(world_has(&w, r.quarantine));
    world_end(&w, 3);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"while another maintains", while_another_maintains},
        {"a tail that stays", a_tail_that_stays},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
