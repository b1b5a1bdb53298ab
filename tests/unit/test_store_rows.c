/*
 * test_store_rows.c - rows of a store that somebody has changed: an id that is
 * in a column alone, and a head with numbers below 0.
 */
#include <stdio.h>
#include <string.h>

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

/* A number below 0 is none of a head, wherever it stands in the row. */
static void below_zero(void)
{
    static const char *const names[] = {"size",       "segment",  "offset",
                                        "redactions", "line_max", "base"};
    char sql[100];
    world_make(&w, PLOG_ARRIVAL, 0);
    world_close(&w);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char old[600];
        snprintf(old, sizeof old, "%.500s-old", w.dir);
        world_copy(w.dir, old);
        snprintf(sql, sizeof sql, "UPDATE meta SET %s=-1", names[i]);
        world_sql(&w, sql);
        CHECK_INT(open_it(), PLOG_E_DIVERGED);
        if (!CHECK_TEXT(err.message,
                        "store.db: the head's numbers are below 0"))
            printf("# %s\n", names[i]);
        world_take_store(&w, old);
        world_remove(old);
    }
    CHECK_INT(open_it(), 0);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"an id in the column alone", an_id_in_the_column_alone},
        {"below zero", below_zero},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
