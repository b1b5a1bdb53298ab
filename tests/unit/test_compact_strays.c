/*
 * test_compact_strays.c - files that somebody put below the floor: segments in
 * log/ beside their archived copies, right ones and changed ones, and what an
 * undo and a compaction do with them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "peers.h"
#include "world.h"

#define SEGMENT "log/00000000000000000001.jsonl"
#define PACKED "archive/00000000000000000001.jsonl.gz"

static struct world w;
static struct plog_compact_report report;
static struct plog_error err;
static char *bytes; /* of the first segment, as it was */
static size_t len;

/* Sixty deltas, compacted up to twenty-five of them. */
static void make(void)
{
    peers_make(&w, PLOG_LAST_WRITE_WINS, 60);
    CHECK_INT(peers_add(&w, "p"), 0);
    bytes = world_read(world_path(&w, SEGMENT), &len);
    REQUIRE(len > 800);
    CHECK_INT(peers_ack(&w, "p", 25), 0);
    CHECK_INT(peers_compact(&w, &report), 0);
    CHECK(report.segments > 1);
}

/* Somebody puts the first segment there again, with a bit changed or not. */
static void put_back(bool changed)
{
    bytes[700] ^= changed;
    world_write(world_path(&w, SEGMENT), bytes, len);
}

static bool is_his(void)
{
    size_t n;
    char *now = world_read(world_path(&w, SEGMENT), &n);
    bool same = CHECK_BYTES(now, n, bytes, len);
    free(now);
    return same;
}

static void end(void)
{
    free(bytes);
    world_end(&w, world_size(&w));
}

static int undo(const struct plog_io *io, bool dry_run)
{
    struct plog_compact_options o = {
        .struct_size = sizeof o, .io = io, .undo = true, .dry_run = dry_run};
    err = (struct plog_error){.code = 0};
    return plog_compact(w.dir, &o, &report, &err);
}

static int no_look(void *ctx, int dir, const char *name, struct plog_stat *st)
{
    return strcmp(name, strchr(SEGMENT, '/') + 1) == 0
               ? -EIO
               : plog_io_posix()->stat_at(ctx, dir, name, st);
}

/* Whether it is there cannot be told: then it is not taken for what the undo
 * has brought, which would go when that fails. */
static void a_look_that_fails(void)
{
    struct plog_io io = *plog_io_posix();
    make();
    put_back(true);
    io.stat_at = no_look;
    CHECK_INT(undo(&io, false), PLOG_E_IO);
    CHECK(is_his());
    CHECK(!world_has(&w, "log/00000000000000000012.jsonl"));
    CHECK_UINT(peers_floor(&w), report.from);
    world_remove(world_path(&w, SEGMENT));
    CHECK_INT(undo(NULL, false), 0);
    end();
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"a look that fails", a_look_that_fails},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
