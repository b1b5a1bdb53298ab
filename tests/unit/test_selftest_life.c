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
        {"made again", made_again},
        {"of the count", of_the_count},
        {"of the store", of_the_store},
        {"a failing step", a_failing_step},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
