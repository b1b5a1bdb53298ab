/*
 * test_heads_meanwhile.c - a log grows, and its new head is noted, while a
 * check is about to read the notes: what they know of lies below the head that
 * is checked, so a healthy log is never said to have been set back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "said.h"
#include "world.h"

static struct world w;
static char file[600];
static struct plog_io io;
static unsigned opened; /* how often the notes were */
static unsigned grows;  /* before they are opened for this time */

static void note(void)
{
    char text[PLOG_CHECKPOINT_MAX];
    plog_reader *r = NULL;
    REQUIRE(plog_reader_open(&r, w.dir, NULL, NULL) == 0);
    CHECK_INT(plog_reader_checkpoint(r, text, NULL), 0);
    plog_reader_close(r);
    world_write(file, text, strlen(text));
}

static void grow(void)
{
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(world_put(&w, NULL, "1", "more", NULL), 0);
    world_close(&w);
    note();
}

static int on_open(void *ctx, int dir, const char *path, int flags,
                   uint32_t mode)
{
    if (strcmp(path, file) == 0 && ++opened == grows)
        grow();
    return plog_io_posix()->open_at(ctx, dir, path, flags, mode);
}

static void make(void)
{
    world_make(&w, PLOG_ARRIVAL, 0);
    snprintf(file, sizeof file, "%.500s/notes", check_dir());
    for (int i = 0; i < 3; i++)
        CHECK_INT(world_put(&w, NULL, "1", "v", NULL), 0);
    world_close(&w);
    note();
    io = *plog_io_posix();
    io.open_at = on_open;
}

/* The notes are read once, and grow before they are opened for time `when`. */
static void says(said_check_fn *check, bool since, unsigned when,
                 const char *words)
{
    struct plog_check_options o = {.io = &io};
    if (since)
        o.since = file;
    else
        o.witness = file;
    opened = 0;
    grows = when;
    const char *said = said_check(check, w.dir, &o);
    if (!CHECK(strstr(said, words) != NULL))
        printf("# %s", said);
    CHECK_UINT(opened, 1);
}

static void before_they_are_read(void)
{
    make();
    says(plog_verify, false, 1, "CLEAN, head 5,");
    says(plog_parity, false, 1, "CLEAN, head 6,");
    says(plog_parity, true, 1, "CLEAN, head 7,");
}

/* A look finds something, and the check begins anew at the same head. */
static void before_the_second_look(void)
{
    make();
    world_sql(&w, "UPDATE events SET id='x' WHERE seq=3");
    says(plog_parity, false, 2, "\nDIVERGED, head 4,");
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"before they are read", before_they_are_read},
        {"before the second look", before_the_second_look},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
