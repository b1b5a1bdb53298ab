/*
 * test_heal_few.c - a damaged log of few entries, healed from the store: while
 * memory runs out, once and at each place (that is told, or nothing is
 * otherwise: what cannot be held for a moment is not taken for damage); and
 * from a store that ends before the damage.
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

static void put(int from, int to)
{
    for (int i = from; i < to; i++) {
        char value[8];
        snprintf(value, sizeof value, "v%d", i);
        CHECK_INT(world_put(&w, NULL, "r", value, NULL), 0);
    }
    world_close(&w);
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
}

/* Entry `seq` is not what it was. */
static void damage(int seq)
{
    char value[8];
    size_t n;
    snprintf(value, sizeof value, "\"v%d\"", seq);
    char *bytes = world_read(world_path(&w, SEGMENT_1), &n);
    char *at = strstr(bytes, value);
    REQUIRE(at != NULL);
    at[1] = 'x';
    world_write(world_path(&w, SEGMENT_1), bytes, n);
    free(bytes);
}

/* Entries 1 to 6, of which the fourth is damaged. */
static void make(void)
{
    world_make(&w, PLOG_ARRIVAL, 0);
    put(2, 7);
    damage(4);
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
    said[0] = '\0';
    int rc = plog_salvage(w.dir, &o, &r, arg);
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

/* The log goes on behind the damage; the store does not come there.  That is
 * why, and not what the caller's error says already. */
static void from_an_old_store(void)
{
    struct plog_error err;
    static const char why[] =
        SEGMENT_1 " 0 6-6 the store has no commit where the log goes on; ";
    world_make(&w, PLOG_ARRIVAL, 0);
    put(2, 5);
    world_copy(world_path(&w, "store.db"), world_path(&w, "old"));
    CHECK_INT(world_open(&w), 0);
    put(5, 9);
    world_remove(world_path(&w, "store.db"));
    world_copy(world_path(&w, "old"), world_path(&w, "store.db"));
    damage(6);
    memset(&err, 0, sizeof err);
    memset(err.message, '?', sizeof err.message - 1);
    io = *plog_io_posix();
    CHECK_INT(heal(&err), 0);
    if (!CHECK(strncmp(said, why, sizeof why - 1) == 0))
        printf("# %s\n", said);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"at each place", at_each_place},
        {"from an old store", from_an_old_store},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
