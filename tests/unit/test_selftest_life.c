/*
 * test_selftest_life.c - the log that selftest writes to: what its deltas say,
 * what a life comes to, and what is found when not all of it is there.
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "selftesting.h"
#include "sql_calls.h"
#include "world.h"

static struct selftesting s;

#define NOWHERE "do not keep a log here; report it with the seed"
#define GONE                                                                   \
    {                                                                          \
        NULL, 0, 0                                                             \
    }

/* ---- What delta k says --------------------------------------------------- */

static void texts(void)
{
    char got[PLOG_LIFE_TEXT];
    size_t n = plog_life_text(got, 1);
    CHECK_UINT(n, strlen(got));
    CHECK_TEXT(got, "{\"id\":\"d1\",\"resource\":\"selftest\",\"record_id\":"
                    "\"r1\",\"op\":\"upsert\",\"payload\":{\"k\":1,\"pad\":\""
                    "00000000000000000000000000000000000000\"},"
                    "\"occurred_at\":\"2026-01-01T00:00:00Z\",\"provenance\":{"
                    "\"source\":\"selftest\",\"confidence\":1}}");
    n = plog_life_text(got, 46); /* 46 * 7 % 11 == 3 */
    CHECK_UINT(n, strlen(got));
    CHECK_TEXT(got, "{\"id\":\"d46\",\"resource\":\"selftest\",\"record_id\":"
                    "\"r5\",\"op\":\"delete\",\"payload\":null,"
                    "\"occurred_at\":\"2026-01-01T00:00:00Z\",\"provenance\":{"
                    "\"source\":\"selftest\",\"confidence\":1}}");
}

/* ---- A life, and its judgement ------------------------------------------- */

static struct plog_life life;
static unsigned told;
static uint64_t attempted, acknowledged;

static void tell(struct plog_life *l)
{
    CHECK(l == &life);
    CHECK(l->note.acknowledged >= acknowledged);
    CHECK(l->note.attempted >= l->note.acknowledged);
    CHECK(l->note.attempted <= l->note.acknowledged + 6);
    attempted = l->note.attempted;
    acknowledged = l->note.acknowledged;
    told++;
}

static void live(unsigned steps, unsigned compacting, uint64_t random)
{
    struct plog_error err = {0};
    memset(&life, 0, sizeof life);
    selftesting_begin(&s, 1);
    REQUIRE(plog_life_make(&life, &s.t, &err) == 0);
    life.tell = tell;
    life.steps = steps;
    life.compacting = compacting;
    life.random = random;
    told = 0;
    acknowledged = 0;
    CHECK_INT(plog_life_live(&life), 0);
    CHECK_INT(life.note.code, 0);
    CHECK_UINT(life.note.acknowledged, life.note.attempted);
    CHECK_UINT(life.note.acknowledged, acknowledged);
}

static void lives(void)
{
    char why[200] = "";
    for (uint64_t i = 1; i <= 3; i++) {
        live(i > 2 ? 40 : 25, i > 2 ? 3 : 0, i * 77);
        uint64_t all = life.note.acknowledged;
        CHECK(all > 20 && all < 200);
        CHECK(told > 20 && told <= 81); /* twice a group, and once */
        CHECK_INT(plog_life_judge(&life, i > 2, why), 0);
        CHECK_TEXT(why, "");
        CHECK_UINT(life.deltas, all);
        CHECK(i > 2 ? life.oldest > 1 : life.oldest == 1);
        life.steps = 5; /* and on with it */
        CHECK_INT(plog_life_live(&life), 0);
        CHECK(life.note.acknowledged > all);
        all = life.note.acknowledged;
        CHECK_INT(plog_life_judge(&life, false, why), 0);
        CHECK_UINT(life.deltas, all);
        told = 0;
        life.only_open = true;
        CHECK_INT(plog_life_live(&life), 0);
        CHECK_UINT(told, 1);
        CHECK_UINT(life.note.acknowledged, all);
        selftesting_end(&s);
    }
}

static unsigned long allocs, no_alloc; /* which is refused; 0: none */

static void *alloc_or_not(void *ctx, void *p, size_t n)
{
    return n && ++allocs == no_alloc ? NULL : plog_io_posix()->alloc(ctx, p, n);
}

/* Whichever allocation fails: of what was refused for that nothing is there,
 * and what was acknowledged is. */
static void without_memory(void)
{
    struct plog_io io = *plog_io_posix();
    char why[200] = "";
    unsigned refused = 0;
    int rc = PLOG_E_NOMEM;
    live(2, 0, 9);
    CHECK_INT(plog_life_judge(&life, false, why), 0);
    io.alloc = alloc_or_not;
    life.io = &io;
    for (no_alloc = 1; rc && no_alloc < 2000; no_alloc++) {
        uint64_t before = life.deltas;
        allocs = 0;
        acknowledged = before;
        told = 0;
        life.random = 9;
        rc = plog_life_live(&life);
        CHECK(rc == 0 || rc == PLOG_E_NOMEM);
        CHECK_INT(life.note.code, rc);
        CHECK_UINT(life.note.attempted, life.note.acknowledged);
        refused += rc && told == 4; /* open, tried, refused, and why */
        CHECK_INT(plog_life_judge(&life, false, why), 0);
        CHECK_TEXT(why, "");
    }
    CHECK_INT(rc, 0);
    CHECK(refused > 0);
    printf("# %u of %lu in an append\n", refused, allocs);
    selftesting_end(&s);
}

/* A new one takes the place of the one before. */
static void made_again(void)
{
    char path[700];
    struct plog_error err = {0};
    live(3, 0, 5);
    CHECK_TEXT(life.name, "life-1");
    snprintf(path, sizeof path, "%.500s/life-1/store.db", s.scratch);
    CHECK(access(path, F_OK) == 0);
    CHECK_INT(plog_life_make(&life, &s.t, &err), 0);
    CHECK_TEXT(life.name, "life-2");
    CHECK_UINT(life.deltas, 0);
    CHECK(access(path, F_OK) != 0);
    selftesting_end(&s);
}

static int no_unlink(void *ctx, int dir, const char *name)
{
    (void)ctx, (void)dir, (void)name;
    return -EACCES;
}

/* One that cannot be removed is told, and no other is made beside it. */
static void not_made_again(void)
{
    char want[200], path[700];
    struct plog_error err = {0};
    live(3, 0, 5);
    s.io.unlink_at = no_unlink;
    CHECK_INT(plog_life_make(&life, &s.t, &err), PLOG_E_IO);
    CHECK_INT(err.code, PLOG_E_IO);
    snprintf(want, sizeof want, "removing a log of the test: %s",
             strerror(EACCES));
    CHECK_TEXT(err.message, want);
    CHECK_TEXT(err.file, life.path);
    CHECK_TEXT(life.name, "life-1");
    snprintf(path, sizeof path, "%.500s/life-2", s.scratch);
    CHECK(access(path, F_OK) != 0);
    s.io.unlink_at = plog_io_posix()->unlink_at;
    selftesting_end(&s);
}

static void sql(const char *text)
{
    char path[700];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%.500s/life-1/store.db", s.scratch);
    CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
    CHECK_INT(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void finds(int code, const char *want, bool fresh)
{
    char why[200] = "";
    CHECK_INT(plog_life_judge(&life, fresh, why), code);
    if (!CHECK(strncmp(why, want, strlen(want)) == 0))
        printf("# %s\n", why);
    selftesting_end(&s);
}

/* More or less than was acknowledged. */
static void of_the_count(void)
{
    char want[200];
    live(20, 0, 5);
    unsigned long long all = life.note.acknowledged;
    life.note.acknowledged = 3; /* what was attempted may be there */
    finds(0, "", false);
    CHECK_UINT(life.deltas, all);
    live(20, 0, 5);
    life.note.attempted += 3; /* and need not */
    finds(0, "", false);
    live(20, 0, 5);
    life.note.attempted = life.note.acknowledged = all + 1;
    snprintf(want, sizeof want,
             "%llu deltas were acknowledged and %llu attempted, and %llu are"
             " there",
             all + 1, all + 1, all);
    finds(PLOG_E_DIVERGED, want, false);
    live(20, 0, 5);
    life.note.acknowledged = all - 2; /* a part of a group */
    life.note.attempted = all + 1;
    snprintf(want, sizeof want,
             "%llu deltas were acknowledged and %llu attempted, and %llu are"
             " there",
             all - 2, all + 1, all);
    finds(PLOG_E_DIVERGED, want, false);
}

static void of_the_store(void)
{
    static const struct {
        const char *sql, *why;
        int code;
    } all[] = {
        {"UPDATE events SET id='d99' WHERE id='d3'",
         "a delta is missing, or out of order, in the store", PLOG_E_DIVERGED},
        {"UPDATE events SET id=NULL WHERE id='d3'",
         "a delta is missing, or out of order, in the store", PLOG_E_DIVERGED},
        {"UPDATE events SET id=NULL WHERE id='d1'",
         "the first deltas are gone from the store", PLOG_E_DIVERGED},
        {"UPDATE events SET id='x3' WHERE id='d3'",
         "a delta is missing, or out of order, in the store", PLOG_E_DIVERGED},
        {"UPDATE events SET line=replace(line,'\"k\":1,','\"k\":2,')",
         "a record is not what its deltas make of it", PLOG_E_DIVERGED},
        {"UPDATE state SET record_id='s1' WHERE record_id='r1';"
         "UPDATE state_recent SET record_id='s1' WHERE record_id='r1'",
         "a record is not what its deltas make of it", PLOG_E_DIVERGED},
        {"UPDATE state SET record_id='r40' WHERE record_id='r1';"
         "UPDATE state_recent SET record_id='r40' WHERE record_id='r1'",
         "a record is not what its deltas make of it", PLOG_E_DIVERGED},
        {"DELETE FROM state WHERE record_id='r1';"
         "DELETE FROM state_recent WHERE record_id='r1'",
         "a record is missing, or one too many", PLOG_E_DIVERGED},
        {"UPDATE events SET resource='x' WHERE id='d1'",
         "parity: DIVERGED: ", PLOG_E_DIVERGED},
        {"UPDATE meta SET origin='no'", "opening it again: ", PLOG_E_FOREIGN},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        live(14, 0, 5);
        CHECK(life.note.acknowledged >= 9 && life.note.acknowledged < 40);
        sql(all[i].sql);
        finds(all[i].code, all[i].why, false);
    }
}

/* ---- A store that fails the judge ---------------------------------------- */

static const char *fails_with; /* the call and the text of a statement */
static unsigned fails_at, met; /* at the n-th such call */
static void (*instead)(void);  /* NULL: it fails */

static bool on_sql(const char *call, const char *text, bool busy)
{
    size_t n = strlen(call);
    if (busy || !fails_with || strncmp(fails_with, call, n) ||
        !strstr(text, fails_with + n + 1) || ++met != fails_at)
        return false;
    if (!instead)
        return true;
    instead();
    return false;
}

static void fails(const char *what, unsigned at, const char *want)
{
    live(14, 0, 5);
    sql_calls.fails = on_sql;
    fails_with = what;
    fails_at = at;
    met = 0;
    finds(instead ? PLOG_E_DIVERGED : PLOG_E_IO, want, true);
    if (!CHECK_UINT(met, at))
        printf("# %s\n", what);
    fails_with = NULL;
}

/* A verdict is made of what was read, never of what was not. */
static void of_a_store_that_fails(void)
{
    static const char ids[] = "step SELECT id FROM events",
                      records[] = "step SELECT record_id,payload FROM",
                      state[] = "step SELECT * FROM main.";
    fails(ids, 1, "reading the store: IO: ");
    fails(records, 1, "reading the store: IO: ");
    fails(state, 1, "parity: IO: ");
    fails(ids, 2, "replay --fresh: IO: "); /* how it begins now */
    fails(ids, 3, "reading the store: IO: ");
    fails(records, 2, "reading the store: IO: ");
    fails(state, 2, "parity: IO: ");
    fails("exec CREATE TABLE", 1, "replay --fresh: IO: ");
}

static void add_a_rule(void)
{
    struct plog_options o = {.struct_size = sizeof o};
    plog *p = NULL;
    fails_with = NULL;
    CHECK_INT(plog_open(&p, life.path, &o, NULL), 0);
    CHECK_INT(plog_set_strategy(p, PLOG_KEEP_LOCAL, NULL, NULL), 0);
    plog_close(p);
}

/* Somebody writes to it between the two. */
static void of_another_head(void)
{
    instead = add_a_rule;
    fails("step SELECT id FROM events", 2,
          "replay --fresh came to another head");
    instead = NULL;
}

static char twin[700];

static void take_the_twin(void)
{
    fails_with = NULL;
    world_remove(life.path);
    world_copy(twin, life.path);
}

/* Another log of the same deltas is in its place: as long, and not the same. */
static void of_another_root(void)
{
    snprintf(twin, sizeof twin, "%.600s/twin", check_dir());
    live(14, 0, 5);
    world_copy(life.path, twin);
    selftesting_end(&s);
    instead = take_the_twin;
    fails("step SELECT id FROM events", 2,
          "replay --fresh came to another head");
    instead = NULL;
}

/* ---- A step that fails --------------------------------------------------- */

static unsigned writes, refuse_from, refuse_to;

static int64_t on_pwrite(void *ctx, int fd, const void *buf, size_t n,
                         uint64_t at)
{
    writes++;
    return writes >= refuse_from && writes <= refuse_to
               ? -EIO
               : s.io.pwrite(ctx, fd, buf, n, at);
}

/* One life with that fault.  Returns what it came to. */
static int live_on(unsigned steps, struct plog_faults *faults)
{
    char why[200] = "";
    live(3, 0, 5);
    struct plog_io io = s.io;
    io.pwrite = on_pwrite;
    writes = 0;
    life.deltas = life.note.acknowledged;
    life.steps = steps;
    life.io = &io;
    life.faults = faults;
    int rc = plog_life_live(&life);
    CHECK(rc == 0 || rc == PLOG_E_IO || rc == PLOG_E_INDETERMINATE);
    CHECK_INT(life.note.code, rc);
    if (rc)
        CHECK(strncmp(life.note.what, plog_code_word(rc),
                      strlen(plog_code_word(rc))) == 0);
    CHECK_INT(plog_life_judge(&life, false, why), 0);
    CHECK_TEXT(why, "");
    selftesting_end(&s);
    return rc;
}

/* A write that is refused ends a life of no faults, and one of faults that
 * stay; without an end of its own it ends by them alone. */
static void until_it_fails(void)
{
    static struct plog_faults faults;
    unsigned refused[2] = {0};
    faults.for_ever = true;
    for (unsigned at = 1; at < 5; at++)
        for (int i = 0; i < 2; i++) {
            refuse_from = refuse_to = at;
            refused[i] += live_on(5, i ? &faults : NULL) == PLOG_E_IO;
        }
    CHECK(refused[0] > 0 && refused[1] > 0);
    refuse_to = UINT32_MAX;
    CHECK(live_on(0, &faults) != 0);
}

/* All that a step says goes into the note. */
static void a_failing_step(void)
{
    char path[700], to[700];
    live(3, 0, 5);
    snprintf(path, sizeof path, "%.500s/life-1/log", s.scratch);
    snprintf(to, sizeof to, "%.500s/away", s.scratch);
    CHECK(rename(path, to) == 0);
    told = 0;
    life.deltas = life.note.acknowledged;
    CHECK(plog_life_live(&life) != 0);
    CHECK(life.note.code != 0);
    CHECK(strncmp(life.note.what, plog_code_word(life.note.code),
                  strlen(plog_code_word(life.note.code))) == 0);
    CHECK(strstr(life.note.what, ": ") != NULL);
    CHECK_UINT(told, 2); /* that it was opened, and that not */
    selftesting_end(&s);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"texts", texts},
        {"lives", lives},
        {"without memory", without_memory},
        {"made again", made_again},
        {"not made again", not_made_again},
        {"of the count", of_the_count},
        {"of the store", of_the_store},
        {"of a store that fails", of_a_store_that_fails},
        {"of another head", of_another_head},
        {"of another root", of_another_root},
        {"until it fails", until_it_fails},
        {"a failing step", a_failing_step},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
