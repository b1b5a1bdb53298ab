/*
 * test_each_sql_call.c - SQLite fails at the n-th call, once, for each n (where
 * much is written, for some): what is asked next succeeds again.  No answer
 * that was lost is taken for one, be it of the second entry of a group or of
 * the last row of a table.
 *
 * (test_sql_fails.c lets each place of the code fail once, on a larger log.)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "said.h"
#include "sql_calls.h"
#include "world.h"

#define FIRST "log/00000000000000000001.jsonl"

static struct world w;
static char kept[600];
static unsigned long calls, fails_at;
static const char *only; /* a part of the texts that count; NULL: all do */

static bool fails_here(const char *call, const char *text, bool has_begun)
{
    (void)call, (void)has_begun;
    return strcmp(text, "ROLLBACK") != 0 && (!only || strstr(text, only)) &&
           ++calls == fails_at;
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

static char *early; /* the store, of when entry 1 was all */
static size_t early_size;

/* Entry 1, and groups of three, one, three and two. */
static void make(enum plog_strategy strategy)
{
    static const int ends[] = {2, 5, 6, 9, 11};
    world_make(&w, strategy, 0);
    world_close(&w);
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    free(early);
    early = world_read(world_path(&w, "store.db"), &early_size);
    CHECK_INT(world_open(&w), 0);
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

static void store_of_before(void)
{
    unlink(world_path(&w, "store.db-wal"));
    unlink(world_path(&w, "store.db-shm"));
    world_write(world_path(&w, "store.db"), early, early_size);
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
}

/* ---- What writes -----------------------------------------------------------
 */

static struct plog_error err;

/* The n-th call fails while `act` runs. */
static int failing(unsigned long n, int (*act)(void))
{
    memset(&err, 0, sizeof err);
    calls = 0;
    fails_at = n;
    sql_calls.fails = fails_here;
    int rc = act();
    sql_calls.fails = NULL;
    CHECK_INT(err.code, rc);
    CHECK((err.message[0] != '\0') == (rc != 0));
    if (rc && !CHECK_INT(rc, PLOG_E_IO))
        printf("# call %lu: %s\n", n, err.message);
    return rc;
}

static int catch_up(void)
{
    return plog_catch_up(w.p, &err);
}

/* A store that was to be left behind stays so until it was caught up with. */
static void catching_up(void)
{
    unsigned refused = 0;
    make(PLOG_LAST_WRITE_WINS);
    unsigned long n = 1;
    for (bool done = false; !done && !check_failing(); n += 3) {
        put_back();
        store_of_before();
        w.options.leave_behind = true;
        REQUIRE(world_open(&w) == 0);
        int rc = failing(n, catch_up);
        done = calls < n;
        refused += rc != 0;
        if (rc) {
            CHECK_INT(world_put(&w, NULL, "r", "1", NULL), PLOG_E_BEHIND);
            CHECK_INT((int)world_number(&w, "SELECT size FROM meta"), 1);
            CHECK_INT(catch_up(), 0);
        }
        CHECK_INT((int)world_number(&w, "SELECT size FROM meta"), 10);
        CHECK_INT(world_put(&w, NULL, "r", "1", NULL), 0);
        w.options.leave_behind = false;
        world_close(&w);
    }
    printf("# %lu calls, %u refused\n", n, refused);
    CHECK(refused > 5);
    world_end(&w, 11);
}

/* Whoever could not begin holds nothing: another handle goes on. */
static void beside_another(void)
{
    struct world other;
    unsigned refused = 0;
    make(PLOG_LAST_WRITE_WINS);
    w.options.wait_seconds = -1;
    other = w;
    REQUIRE(world_open(&other) == 0);
    unsigned long n = 1;
    for (bool done = false; !done && !check_failing(); n++) {
        REQUIRE(world_open(&w) == 0);
        CHECK_INT(world_put(&other, NULL, "r", "1", NULL), 0);
        calls = 0;
        fails_at = n;
        sql_calls.fails = fails_here;
        int rc = world_put(&w, NULL, "r", "2", NULL);
        sql_calls.fails = NULL;
        done = calls < n;
        refused += rc != 0;
        if (!CHECK_INT(world_put(&other, NULL, "r", "3", NULL), 0))
            printf("# behind call %lu, which came to %d\n", n, rc);
        world_close(&w);
    }
    printf("# %lu calls, %u refused\n", n, refused);
    CHECK(refused > 3);
    world_close(&other);
    CHECK(world_size(&w) > 10);
    world_end(&w, world_size(&w));
}

static int replay_fresh(void)
{
    struct plog_replay_options o = {.struct_size = sizeof o, .fresh = true};
    struct plog_replay_report r;
    int rc = plog_replay(w.dir, &o, &r, &err);
    CHECK(rc || r.head.size == 10);
    return rc;
}

/* Behind the log's end lies what a writer did not finish. */
static void making_anew(void)
{
    unsigned refused = 0;
    make(PLOG_LAST_WRITE_WINS);
    unsigned long n = 1;
    for (bool done = false; !done && !check_failing(); n += 5) {
        put_back();
        FILE *f = fopen(world_path(&w, FIRST), "a");
        REQUIRE(f != NULL);
        fputs("{\"seq\":11,\"res", f);
        fclose(f);
        refused += failing(n, replay_fresh) != 0;
        done = calls < n;
        CHECK_INT(failing(0, replay_fresh), 0);
    }
    printf("# %lu calls, %u refused\n", n, refused);
    CHECK(refused > 5);
    world_end(&w, 10);
}

static struct plog_salvage_report salvaged;

static int heal(void)
{
    struct plog_salvage_options o = {.struct_size = sizeof o,
                                     .from_store = true};
    return plog_salvage(w.dir, &o, &salvaged, &err);
}

/* A payload that an order took out may lie in what was set aside. */
static void healing(void)
{
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "x"};
    struct plog_redact_report r;
    unsigned long n = 1;
    make(PLOG_LAST_WRITE_WINS);
    CHECK_INT(plog_redact(w.dir, 3, &o, &r, NULL), 0);
    world_remove(kept);
    world_copy(w.dir, kept);
    only = "main.redactions";
    for (bool done = false; !done && !check_failing(); n++) {
        put_back();
        damage(4);
        int rc = failing(n, heal);
        done = calls < n;
        CHECK(done == (rc == 0));
        if (rc)
            CHECK_INT(failing(0, heal), 0);
        CHECK_UINT(salvaged.pending, 1);
    }
    CHECK_UINT(salvaged.healed, 1);
    only = NULL;
    CHECK(n > 3);
    world_end(&w, 11);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"of groups", of_groups},     {"of damage", of_damage},
        {"catching up", catching_up}, {"beside another", beside_another},
        {"making anew", making_anew}, {"healing", healing},
    };
    int rc = check_main(argc, argv, cases, sizeof cases / sizeof *cases);
    free(early);
    return rc;
}
