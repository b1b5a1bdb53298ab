/*
 * test_store_rows.c - rows of a store that somebody has changed, or that are
 * gone: what is said of an id that is in a column alone, and that who only
 * reads leaves SQLite's WAL where it is.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "world.h"

static struct world w;
static struct plog_error err;

static int open_it(void)
{
    plog *p = NULL;
    memset(&err, 0, sizeof err);
    int rc = plog_open(&p, w.dir, NULL, &err);
    plog_close(p);
    return rc;
}

/* The log's next entry has an id that the store has in the row of another one,
 * whose line has it not: the log is not said to have it twice. */
static void an_id_in_the_column_alone(void)
{
    static const char *const ids[] = {"bb", "b", "bbb"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        char old[600], sql[100];
        world_make(&w, PLOG_ARRIVAL, 0);
        CHECK_INT(world_put(&w, "aa", "1", "x", NULL), 0);
        world_close(&w);
        snprintf(old, sizeof old, "%.500s-old", w.dir);
        world_copy(w.dir, old);
        CHECK_INT(world_open(&w), 0);
        CHECK_INT(world_put(&w, ids[i], "1", "y", NULL), 0);
        world_close(&w);
        world_take_store(&w, old);
        snprintf(sql, sizeof sql, "UPDATE events SET id='%s' WHERE seq=2",
                 ids[i]);
        world_sql(&w, sql);
        int rc = open_it();
        CHECK(rc && rc != PLOG_E_CORRUPT);
        if (!CHECK(strstr(err.message, "its id is that of") == NULL))
            printf("# %d %s|%s\n", rc, err.message, err.hint);
    }
}

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
        {"an id in the column alone", an_id_in_the_column_alone},
        {"looked at", looked_at},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
