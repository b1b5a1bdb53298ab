/*
 * test_meta.c - a store whose head or schema is not as we make it: opening says
 * which part is odd, parity finds a difference, and neither changes a byte of
 * the log.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "paritylog_recovery.h"
#include "world.h"

struct edit {
    const char *sql;
    const char *words; /* of what opening says; NULL: it opens */
    int code;
};

static void make(struct world *base)
{
    world_make(base, PLOG_LAST_WRITE_WINS, 4096);
    for (int i = 0; i < 12; i++)
        CHECK_INT(world_put(base, NULL, i % 2 ? "1" : "2", "value", NULL), 0);
    world_close(base);
}

static void judge(const struct world *base, const struct edit *e)
{
    struct world w = *base;
    struct plog_error err = {.code = 0};
    struct world_found f;
    snprintf(w.dir, sizeof w.dir, "%.400s-copy", base->dir);
    world_copy(base->dir, w.dir);
    world_sql(&w, e->sql);
    size_t before, after;
    char *was =
        world_read(world_path(&w, "log/00000000000000000001.jsonl"), &before);
    int rc = plog_open(&w.p, w.dir, &w.options, &err);
    bool good = CHECK_INT(rc, e->code) &&
                CHECK(!e->words || strstr(err.message, e->words) != NULL);
    world_close(&w);
    good &= CHECK(world_parity(&w, NULL, &f) != 0);
    if (!good)
        printf("# %s: %s\n", e->sql, err.message);
    char *is =
        world_read(world_path(&w, "log/00000000000000000001.jsonl"), &after);
    CHECK_BYTES(is, after, was, before);
    free(was);
    free(is);
    world_remove(w.dir);
}

static void all(const struct edit *e, size_t count)
{
    struct world base;
    make(&base);
    for (size_t i = 0; i < count; i++)
        judge(&base, &e[i]);
    world_end(&base, 13);
}

static void odd_heads(void)
{
    static const struct edit e[] = {
        {"DELETE FROM meta", "row is missing", PLOG_E_DIVERGED},
        {"UPDATE meta SET root=x'00'", "root or key", PLOG_E_DIVERGED},
        {"UPDATE meta SET root=CAST(root||x'00' AS BLOB)", "root or key",
         PLOG_E_DIVERGED},
        {"UPDATE meta SET root=zeroblob(32)", "does not hash", PLOG_E_DIVERGED},
        {"UPDATE meta SET key='012345678'", "root or key", PLOG_E_DIVERGED},
        {"UPDATE meta SET sig=x'00'", "signature is not", PLOG_E_DIVERGED},
        {"UPDATE meta SET range=x'00'", "range does not fit", PLOG_E_DIVERGED},
        {"UPDATE meta SET range=CAST(range||zeroblob(32) AS BLOB)",
         "range does not fit", PLOG_E_DIVERGED},
        {"UPDATE meta SET range=zeroblob(32*65)", "range does not fit",
         PLOG_E_DIVERGED},
        {"UPDATE meta SET size=size+1", "a signed head at 14", PLOG_E_ROLLBACK},
        {"UPDATE meta SET size=size-1", "range does not fit", PLOG_E_DIVERGED},
        {"UPDATE meta SET origin=''", "origin is not", PLOG_E_DIVERGED},
        {"UPDATE meta SET origin='a b'", "origin is not", PLOG_E_DIVERGED},
        {"UPDATE meta SET origin=origin||char(0)", "origin is not",
         PLOG_E_DIVERGED},
        {"UPDATE meta SET strategy=strategy||char(0)", "strategy is not",
         PLOG_E_DIVERGED},
        {"UPDATE meta SET key=key||char(0)", "root or key is not",
         PLOG_E_DIVERGED},
        {"UPDATE meta SET origin=hex(zeroblob(200))", "origin is not",
         PLOG_E_DIVERGED},
        {"UPDATE meta SET strategy=''", "strategy is not", PLOG_E_DIVERGED},
        {"UPDATE meta SET strategy=hex(zeroblob(40))", "strategy is not",
         PLOG_E_DIVERGED},
        {"UPDATE meta SET line_max=0", "out of range", PLOG_E_DIVERGED},
        {"UPDATE meta SET line_max=999999999", "out of range", PLOG_E_DIVERGED},
        {"UPDATE meta SET segment_size=0", "out of range", PLOG_E_DIVERGED},
        {"UPDATE meta SET size=-1", "numbers are below 0", PLOG_E_DIVERGED},
        {"UPDATE meta SET segment=-1", "numbers are below 0", PLOG_E_DIVERGED},
        {"UPDATE meta SET offset=-1", "numbers are below 0", PLOG_E_DIVERGED},
        {"UPDATE meta SET floor=-1", "numbers are below 0", PLOG_E_DIVERGED},
        {"UPDATE meta SET base=-1", "numbers are below 0", PLOG_E_DIVERGED},
        {"UPDATE meta SET redactions=-1", "numbers are below 0",
         PLOG_E_DIVERGED},
        {"UPDATE meta SET line_max=-1", "numbers are below 0", PLOG_E_DIVERGED},
        {"UPDATE meta SET segment_size=-1", "numbers are below 0",
         PLOG_E_DIVERGED},
    };
    all(e, sizeof e / sizeof *e);
}

static void odd_schemas(void)
{
    static const struct edit e[] = {
        {"DROP VIEW records", "", PLOG_E_DIVERGED},
        {"DROP TABLE old_ids", "", PLOG_E_DIVERGED},
        {"DROP INDEX events_id", "", PLOG_E_DIVERGED},
        {"CREATE INDEX mine ON events(op)", "", PLOG_E_DIVERGED},
        {"CREATE TRIGGER mine AFTER INSERT ON events BEGIN SELECT 1; END", "",
         PLOG_E_DIVERGED},
        {"ALTER TABLE peers ADD COLUMN mine TEXT", "", PLOG_E_DIVERGED},
        {"PRAGMA application_id=7", "", PLOG_E_DIVERGED},
        {"PRAGMA user_version=77", "", PLOG_E_FORMAT},
        {"PRAGMA user_version=0", "", PLOG_E_DIVERGED},
    };
    all(e, sizeof e / sizeof *e);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"odd heads", odd_heads},
        {"odd schemas", odd_schemas},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
