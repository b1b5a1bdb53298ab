/*
 * test_each_sql_call.c - SQLite fails at the n-th call, once, for each n: what
 * is asked next succeeds again.  No answer that was lost is taken for one, be
 * it of the second entry of a group or of the last row of a table.
 *
 * (test_sql_fails.c lets each place of the code fail once, on a larger log.)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "said.h"
#include "sql_calls.h"
#include "world.h"

#define FIRST "log/00000000000000000001.jsonl"

static struct world w;
static char kept[600];
static unsigned long calls, fails_at;

static bool fails_here(const char *call, const char *text, bool has_begun)
{
    (void)call, (void)has_begun;
    return strcmp(text, "ROLLBACK") != 0 && ++calls == fails_at;
}

static void put_group(int from, int to)
{
    static char text[4][300];
    struct plog_span deltas[4];
    struct plog_group g = {.struct_size = sizeof g, .deltas = deltas};
    for (int i = from; i < to; i++) {
        char id[9], record[9], payload[20];
        snprintf(id, sizeof id, "i%d", i);
        snprintf(record, sizeof record, "r%d", i % 4);
        snprintf(payload, sizeof payload, "{\"v\":\"v%d\"}", i);
        char *one = text[g.delta_count];
        world_text(one, sizeof text[0],
                   &(struct world_delta){
                       .id = id, .record = record, .payload = payload});
        deltas[g.delta_count++] = (struct plog_span){one, strlen(one)};
    }
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
}

/* Entry 1, and groups of three, one, three and two. */
static void make(enum plog_strategy strategy)
{
    static const int ends[] = {2, 5, 6, 9, 11};
    world_make(&w, strategy, 0);
    for (int i = 0; i < 4; i++)
        put_group(ends[i], ends[i + 1]);
    world_close(&w);
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    world_copy(w.dir, kept);
}

static void put_back(void)
{
    world_remove(w.dir);
    world_copy(kept, w.dir);
}

/* The payload of an entry is not what it was. */
static void damage(int seq)
{
    char value[12];
    size_t n;
    snprintf(value, sizeof value, "\"v%d\"", seq);
    char *bytes = world_read(world_path(&w, FIRST), &n);
    char *at = strstr(bytes, value);
    REQUIRE(at != NULL);
    at[1] = 'x';
    world_write(world_path(&w, FIRST), bytes, n);
    free(bytes);
}

/* ---- Checks ----------------------------------------------------------------
 */

static struct plog_check_options options;

static const char *parity(void)
{
    calls = 0;
    sql_calls.fails = fails_here;
    const char *text = said_check(plog_parity, w.dir, &options);
    sql_calls.fails = NULL;
    return text;
}

/* Whatever call fails: that is told, and nothing else but what is damaged; or
 * all is told that is told without it.  Returns how often the latter. */
static unsigned each_call(bool damaged)
{
    char want[4000];
    unsigned silent = 0;
    fails_at = 0;
    snprintf(want, sizeof want, "%s", parity());
    CHECK((strncmp(want, "CLEAN, ", 7) == 0) == !damaged);
    unsigned long count = calls;
    CHECK(count > 10);
    for (unsigned long i = 1; i <= count; i++) {
        fails_at = i;
        const char *got = parity();
        bool fits = damaged ? strstr(got, "TAMPERED in log") &&
                                  !strstr(got, " in store")
                            : strncmp(got, "IO: ", 4) == 0;
        if (strcmp(got, want) == 0)
            silent++;
        else if (!CHECK(fits || strncmp(got, "IO: ", 4) == 0))
            printf("# call %lu of %lu: %s# instead of\n# %s", i, count, got,
                   want);
    }
    printf("# %lu calls, %u without effect\n", count, silent);
    return silent;
}

/* Quick, as where nothing is wrong; and each row, which a merge asks for. */
static void of_groups(void)
{
    make(PLOG_LAST_WRITE_WINS);
    CHECK(each_call(false) <= 1);
    make(PLOG_MERGE_JSON);
    CHECK(each_call(false) <= 1);
}

static void of_damage(void)
{
    make(PLOG_LAST_WRITE_WINS);
    damage(7);
    each_call(true);
    make(PLOG_MERGE_JSON);
    damage(7);
    each_call(true);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"of groups", of_groups},
        {"of damage", of_damage},
    };
    (void)put_back;
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
