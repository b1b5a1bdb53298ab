/*
 * test_since_keys.c - parity from a checkpoint on, where the key was rotated
 * below it: the store's rotations lead to it from whatever key is trusted, and
 * only the tail is read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "world.h"

static struct world w;
static struct plog_rotate_report rotated[2];
static char mark[600];

static void put(unsigned from, unsigned to)
{
    for (unsigned i = from; i <= to; i++) {
        char id[20], key[20];
        snprintf(id, sizeof id, "id-%u", i);
        snprintf(key, sizeof key, "%u", i % 7);
        CHECK_INT(world_put(&w, id, key, id, NULL), 0);
    }
}

static void rotate(struct plog_rotate_report *r)
{
    struct plog_rotate_options o = {.struct_size = sizeof o};
    CHECK_INT(plog_key_rotate(w.dir, &o, r, NULL), 0);
}

/* A rotation at 21, a note of 40, another rotation at 61, 70 entries. */
static void make(void)
{
    char text[PLOG_CHECKPOINT_MAX];
    plog_reader *r = NULL;
    world_make(&w, PLOG_LAST_WRITE_WINS, 4096);
    put(2, 20);
    rotate(&rotated[0]);
    put(22, 40);
    REQUIRE(plog_reader_open(&r, w.dir, NULL, NULL) == 0);
    CHECK_INT(plog_reader_checkpoint(r, text, NULL), 0);
    plog_reader_close(r);
    snprintf(mark, sizeof mark, "%.500s/mark", check_dir());
    world_write(mark, text, strlen(text));
    put(41, 60);
    rotate(&rotated[1]);
    put(62, 70);
    world_close(&w);
}

/* @vkey  pinned; NULL: none */
static void is_clean(const char *vkey)
{
    struct plog_check_options o = {.since = mark, .vkey = vkey};
    struct world_found f;
    CHECK_INT(world_parity(&w, &o, &f), 0);
    CHECK_UINT(f.count, 0);
    CHECK_UINT(f.report.since, 40);
    CHECK_UINT(f.report.to, 70);
    CHECK(f.report.from > 21 && f.report.from <= 41);
    CHECK_UINT(f.report.entries, 70 - f.report.from + 1);
    CHECK_UINT(f.report.head.size, 70);
    CHECK_INT(f.report.pinned, vkey != NULL);
    CHECK_TEXT(f.report.vkey, rotated[1].new_vkey);
}

static void whatever_key_is_trusted(void)
{
    make();
    const char *all[] = {NULL, w.vkey, rotated[0].new_vkey,
                         rotated[1].new_vkey};
    for (int i = 0; i < 4; i++)
        is_clean(all[i]);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"whatever key is trusted", whatever_key_is_trusted},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
