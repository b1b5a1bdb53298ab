/*
 * test_store.c - a store that is opened to be read: SQLite's WAL stays where it
 * is, whatever lies beside it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "world.h"

static struct world w;
static struct plog_error err;

/* The store's file is empty, as a copy that was cut off leaves it, and all of
 * it is in the WAL yet: looking at it takes nothing away. */
static void looked_at(void)
{
    struct plog_status s;
    plog_reader *r = NULL;
    char copy[600];
    size_t n, m;
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, "a", "1", "x", NULL), 0);
    snprintf(copy, sizeof copy, "%.500s-copy", w.dir);
    world_copy(w.dir, copy); /* with its WAL */
    world_end(&w, 2);
    snprintf(w.dir, sizeof w.dir, "%.500s", copy);
    CHECK_INT(truncate(world_path(&w, "store.db"), 0), 0);
    unlink(world_path(&w, "store.db-shm"));
    char *wal = world_read(world_path(&w, "store.db-wal"), &n);
    CHECK(n > 0);
    CHECK_INT(plog_read_status(w.dir, NULL, &s, &err), 0);
    CHECK(s.verdict != 0);
    CHECK(plog_reader_open(&r, w.dir, NULL, &err) != 0);
    CHECK_TEXT(err.message, "store.db is empty");
    plog_reader_close(r);
    REQUIRE(world_has(&w, "store.db-wal"));
    char *now = world_read(world_path(&w, "store.db-wal"), &m);
    CHECK_BYTES(now, m, wal, n);
    free(now);
    free(wal);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"looked at", looked_at},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
