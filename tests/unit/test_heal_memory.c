/*
 * test_heal_memory.c - a damaged log healed from the store while memory runs
 * out, once and at each place: that is told, or nothing is otherwise; what
 * cannot be held for a moment is not taken for damage.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "one_place.h"
#include "world.h"

#define SEGMENT_1 "log/00000000000000000001.jsonl"

static struct world w;
static struct plog_io io;
static char kept[600];

static void *on_alloc(void *ctx, void *p, size_t n)
{
    return n && one_place_fails("alloc", 0) ? NULL
                                            : plog_io_posix()->alloc(ctx, p, n);
}

/* Entries 1 to 6, of which the fourth is not what it was. */
static void make(void)
{
    size_t n;
    world_make(&w, PLOG_ARRIVAL, 0);
    for (int i = 2; i < 7; i++) {
        char value[8];
        snprintf(value, sizeof value, "v%d", i);
        CHECK_INT(world_put(&w, NULL, "r", value, NULL), 0);
    }
    world_close(&w);
    char *bytes = world_read(world_path(&w, SEGMENT_1), &n);
    char *at = strstr(bytes, "\"v4\"");
    REQUIRE(at != NULL);
    at[1] = 'x';
    world_write(world_path(&w, SEGMENT_1), bytes, n);
    free(bytes);
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    world_copy(w.dir, kept);
    io = *plog_io_posix();
    io.alloc = on_alloc;
}

static char said[400]; /* of each range, and in sum */

static int hear(void *arg, const struct plog_salvaged *s)
{
    size_t n = strlen(said);
    (void)arg;
    snprintf(said + n, sizeof said - n, "%s %d %" PRIu64 "-%" PRIu64 " %s; ",
             s->file, s->healed, s->from, s->to, s->why);
    return 0;
}

static int heal(void *arg)
{
    struct plog_salvage_options o = {
        .struct_size = sizeof o, .io = &io, .from_store = true, .range = hear};
    struct plog_salvage_report r;
    size_t n;
    (void)arg;
    said[0] = '\0';
    int rc = plog_salvage(w.dir, &o, &r, NULL);
    n = strlen(said);
    if (!rc)
        snprintf(said + n, sizeof said - n,
                 "%d, %" PRIu64 " from the store, %" PRIu64 " healed, %" PRIu64
                 " left",
                 r.verdict, r.from_store, r.healed, r.left);
    return rc;
}

static void at_each_place(void)
{
    char whole[400] = "";
    size_t failed = 0;
    make();
    for (size_t i = 0; i == 0 || i <= one_place_count(); i++) {
        world_remove(w.dir);
        world_copy(kept, w.dir);
        int rc = one_place_run(i, heal, NULL);
        if (i == 0)
            snprintf(whole, sizeof whole, "%s", said);
        failed += rc != 0;
        if (rc ? CHECK_INT(rc, PLOG_E_NOMEM) : CHECK_TEXT(said, whole))
            continue;
        printf("# place %zu\n", i);
    }
    CHECK(failed > 5);
    printf("# %zu places, %s\n", one_place_count(), whole);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"at each place", at_each_place},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
