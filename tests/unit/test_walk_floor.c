/*
 * test_walk_floor.c - a walk that begins behind a floor, or that has to look
 * ahead for the key that it begins with: what is missing, and what the disk or
 * the memory does not give, is told as that.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "engine.h"
#include "sample.h"

static struct world w;
static struct plog_error err;
static struct plog_walk walk;
static struct plog_log_group group;
static struct plog_keyring ring;
static struct plog_dir dir;
static struct plog_io io;
static long opens; /* of segments that succeed; < 0: all */
static int fails_with;

static int f_open(void *c, int d, const char *n, int f, uint32_t m)
{
    if (opens >= 0 && strstr(n, ".jsonl") && opens-- == 0)
        return fails_with;
    return plog_io_posix()->open_at(c, d, n, f, m);
}

/* A walk over the log of the handle; `ring` is what is trusted. */
static void open_walk(void)
{
    io = *plog_io_posix();
    io.open_at = f_open;
    opens = -1;
    dir = w.p->legs.dir;
    dir.io = &io;
    err = (struct plog_error){.code = 0};
    CHECK_INT(plog_walk_open(&walk, &dir, &ring, NULL), 0);
}

/* How far it goes. */
static uint64_t to_the_end(void)
{
    int rc;
    while ((rc = plog_walk_next(&walk, &group, &err)) == 0)
        ;
    CHECK_INT(rc, PLOG_END);
    return walk.chain.last.size;
}

static void behind_a_floor(void)
{
    static const struct {
        int from, to;
        const char *message;
    } all[] = {
        {-EIO, PLOG_E_IO, "opening a segment: Input/output error"},
        {-ENOMEM, PLOG_E_NOMEM, "opening a segment: Cannot allocate memory"}};
    char file[64], says[200];
    sample_begin_compacted(&w);
    sample_compact(&w);
    CHECK_INT(world_open(&w), 0);
    uint64_t floor = w.p->legs.head.rules.floor, size = world_size(&w);
    REQUIRE(floor > 0);
    ring = w.p->legs.keys;
    snprintf(file, sizeof file, "log/%020llu.jsonl",
             (unsigned long long)floor + 1);
    open_walk();
    CHECK_INT(plog_walk_start_floor(&walk, floor, &err), 0);
    CHECK_UINT(walk.first, floor + 1);
    CHECK_UINT(walk.chain.last.size, floor);
    CHECK_UINT(to_the_end(), size);
    plog_walk_close(&walk);
    open_walk(); /* none: where the log begins */
    CHECK_INT(plog_walk_start_floor(&walk, 0, &err), 0);
    CHECK_UINT(to_the_end(), size);
    plog_walk_close(&walk);
    open_walk(); /* one that no segment follows */
    CHECK_INT(plog_walk_start_floor(&walk, 5, &err), PLOG_E_CORRUPT);
    CHECK_TEXT(err.file, "log/00000000000000000006.jsonl");
    CHECK_UINT(err.seq, 6);
    snprintf(says, sizeof says,
             "the segment from entry 6 on is missing; the next one there"
             " starts at %llu",
             (unsigned long long)plog_segment_at(&walk.segments, 0));
    CHECK_TEXT(err.message, says);
    plog_walk_close(&walk);
    open_walk(); /* also where it has stood lower before */
    walk.first = 3;
    CHECK_INT(plog_walk_start_floor(&walk, 5, &err), PLOG_E_CORRUPT);
    CHECK_TEXT(err.message, says);
    plog_walk_close(&walk);
    open_walk(); /* or none behind it */
    CHECK_INT(plog_walk_start_floor(&walk, size + 5, &err), PLOG_E_CORRUPT);
    snprintf(says, sizeof says,
             "the segment from entry %llu on is missing, and none is there"
             " behind it",
             (unsigned long long)size + 6);
    CHECK_TEXT(err.message, says);
    plog_walk_close(&walk);
    open_walk(); /* one that no entry sets */
    uint64_t other = plog_segment_at(&walk.segments, 1) - 1;
    CHECK_INT(plog_walk_start_floor(&walk, other, &err), PLOG_E_CORRUPT);
    snprintf(says, sizeof says,
             "no compact entry sets the floor %llu that the store has",
             (unsigned long long)other);
    CHECK_TEXT(err.message, says);
    plog_walk_close(&walk);
    for (size_t i = 0; i < 2; i++) { /* one that cannot be opened */
        open_walk();
        opens = 0;
        fails_with = all[i].from;
        CHECK_INT(plog_walk_start_floor(&walk, floor, &err), all[i].to);
        CHECK_INT(err.code, all[i].to);
        CHECK_TEXT(err.message, all[i].message);
        CHECK_TEXT(err.file, file);
        CHECK_INT(walk.fd, -1);
        plog_walk_close(&walk);
    }
    world_close(&w);
}

/* The last key alone is trusted: the rotations ahead name the first one.  A
 * segment that is missing is left to the walk to find; what cannot be opened
 * for another reason ends the looking. */
static void a_key_ahead(void)
{
    static const struct {
        int from, to;
    } all[] = {{-EIO, PLOG_E_IO}, {-ENOMEM, PLOG_E_NOMEM}, {-ENOENT, 0}};
    struct plog_rotate_options o = {.struct_size = sizeof o};
    struct plog_rotate_report r;
    uint64_t first;
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, NULL, "1", "x", NULL), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    CHECK_INT(world_put(&w, NULL, "1", "y", NULL), 0);
    CHECK_INT(plog_key_rotate(w.dir, &o, &r, NULL), 0);
    CHECK_INT(world_put(&w, NULL, "1", "z", NULL), 0);
    memset(&ring, 0, sizeof ring);
    ring.count = 1;
    CHECK_INT(plog_vkey_parse(plog_span_text(r.new_vkey), &ring.keys[0]), 0);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        /* The first segment to walk it, once more to look for a rotation, and
         * the next one, which has it. */
        for (long n = 0; n < 3; n++) {
            open_walk();
            opens = n;
            fails_with = all[i].from;
            bool missing = all[i].from == -ENOENT;
            int want = missing && n == 0 ? PLOG_E_CORRUPT : all[i].to;
            bool ok = CHECK_INT(plog_walk_start(&walk, &err), want);
            ok &= CHECK_INT(opens, -1);
            ok &= CHECK_UINT(walk.chain.chain.count, missing && n == 1);
            if (want)
                ok &= CHECK_INT(err.code, want);
            if (!ok)
                printf("# %d at %ld: %s\n", all[i].from, n, err.message);
            plog_walk_close(&walk);
        }
    }
    open_walk();
    CHECK_INT(plog_walk_start(&walk, &err), 0);
    CHECK_UINT(walk.chain.chain.count, 1);
    CHECK_UINT(to_the_end(), 5);
    plog_walk_close(&walk);
    world_end(&w, 5);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"behind a floor", behind_a_floor},
        {"a key ahead", a_key_ahead},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
