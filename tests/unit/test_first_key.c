/*
 * test_first_key.c - the first key of a log of which a later one is trusted:
 * it is looked for in the rotations ahead, as far as the one that leads to the
 * trusted key, and not beyond.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "world.h"

#define SEGMENTS 5

static struct world w;
static struct plog_io io;
static struct plog_error err;
static char second[PLOG_VKEY_MAX], last[PLOG_VKEY_MAX];
static struct {
    uint64_t first; /* of the segment */
    unsigned opened;
} segments[SEGMENTS];
static unsigned fails_segment, fails_at; /* at which opening of it; from 1 */
static int fails_with;

static int on_open(void *ctx, int dir, const char *name, int flags,
                   uint32_t mode)
{
    for (unsigned i = 0; i < SEGMENTS; i++) {
        char mine[40];
        snprintf(mine, sizeof mine, "%020" PRIu64 ".jsonl", segments[i].first);
        if (strcmp(name, mine) == 0 && ++segments[i].opened == fails_at &&
            i == fails_segment)
            return fails_with;
    }
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* Goes over to a new key, whose text goes to `vkey` (NULL: to nobody). */
static void rotate(char *vkey)
{
    struct plog_rotate_options o = {.struct_size = sizeof o};
    struct plog_rotate_report r;
    CHECK_INT(plog_key_rotate(w.dir, &o, &r, NULL), 0);
    if (vkey)
        snprintf(vkey, PLOG_VKEY_MAX, "%s", r.new_vkey);
}

/* Five segments, of which the second has three rotations, and the last one. */
static void make(void)
{
    world_make(&w, PLOG_ARRIVAL, 0);
    segments[0].first = 1;
    for (int i = 0; i < SEGMENTS; i++) {
        if (i > 0)
            CHECK_INT(plog_new_segment(w.p, &segments[i].first, NULL), 0);
        CHECK_INT(world_put(&w, NULL, "r", "v", NULL), 0);
        world_close(&w);
        if (i == 1) {
            rotate(second);
            rotate(NULL);
            rotate(NULL);
        }
        if (i == SEGMENTS - 1)
            rotate(last);
        CHECK_INT(world_open(&w), 0);
    }
    world_close(&w);
    io = *plog_io_posix();
    io.open_at = on_open;
}

/* By a key that a rotation leads to. */
static int verify_by(const char *vkey, unsigned segment, unsigned at, int rc)
{
    struct plog_check_options o = {
        .struct_size = sizeof o, .io = &io, .vkey = vkey};
    struct plog_check_report r;
    for (unsigned i = 0; i < SEGMENTS; i++)
        segments[i].opened = 0;
    fails_segment = segment;
    fails_at = at;
    fails_with = rc;
    err = (struct plog_error){.code = 0};
    int code = plog_verify(w.dir, &o, &r, &err);
    CHECK_INT(err.code, code);
    CHECK_INT(r.verdict, 0);
    CHECK(code || r.head.size == world_size(&w));
    return code;
}

static int verify(unsigned segment, unsigned at, int rc)
{
    return verify_by(second, segment, at, rc);
}

static void no_further(void)
{
    static const unsigned opened[SEGMENTS] = {2, 2, 1, 1, 1};
    make();
    CHECK_INT(verify(0, 0, 0), 0);
    for (unsigned i = 0; i < SEGMENTS; i++)
        CHECK_UINT(segments[i].opened, opened[i]);
    CHECK_INT(verify_by(last, 0, 0, 0), 0); /* to the end, where it is */
    for (unsigned i = 0; i < SEGMENTS; i++)
        CHECK_UINT(segments[i].opened, 2);
    world_remove(w.dir);
}

/* One that cannot be read then is told; one that is not there, or is none, is
 * left to the walk, which goes on from where it is. */
static void cannot_be_opened(void)
{
    make();
    CHECK_INT(verify(0, 2, -EIO), PLOG_E_IO);
    CHECK_TEXT(err.message, "opening a segment: Input/output error");
    CHECK_TEXT(err.file, "log/00000000000000000001.jsonl");
    CHECK_UINT(segments[1].opened, 0);
    CHECK_INT(verify(0, 2, -ENOMEM), PLOG_E_NOMEM);
    CHECK_INT(verify(1, 1, -EIO), PLOG_E_IO);
    CHECK_INT(verify(0, 2, -ENOENT), 0);
    CHECK_INT(verify(0, 2, -ELOOP), 0);
    CHECK_UINT(segments[1].opened, 2);
    CHECK_UINT(segments[2].opened, 1);
    world_remove(w.dir);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"no further", no_further},
        {"cannot be opened", cannot_be_opened},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
