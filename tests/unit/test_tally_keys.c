/*
 * test_tally_keys.c - hashes of records that nobody finds, so libsodium's
 * stands aside here.  Where half of it is the same they are two records all the
 * same, and what is wrong about one of them is found.  And all records in one
 * part: of what was spilled of it something is lost.
 */
#include <dlfcn.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "parity_tally.h"
#include "sql_calls.h"

/* What the hash of the texts "0" and "1" in a resource "p" is from now on. */
static const uint64_t (*hashes)[2];
static bool one_part; /* the hash of 0007 is 7 */

typedef int hash_fn(unsigned char *out, const unsigned char *in,
                    unsigned long long n, const unsigned char *key);
int crypto_shorthash_siphashx24(unsigned char *out, const unsigned char *in,
                                unsigned long long n, const unsigned char *key)
{
    static hash_fn *real;
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "crypto_shorthash_siphashx24");
    if (one_part) {
        uint64_t number[2] = {strtoull((const char *)in + n - 4, NULL, 10), 0};
        number[1] = number[0];
        memcpy(out, number, 16);
        return 0;
    }
    if (!hashes)
        return real(out, in, n, key);
    memcpy(out, hashes[in[n - 1] == '1'], 16);
    return 0;
}

static sqlite3 *db;
static struct plog_tally tally;

static void add(uint64_t seq, const char *record, uint64_t previous)
{
    struct plog_tally_entry e = {.resource = plog_span_text("p"),
                                 .record_id = plog_span_text(record),
                                 .seq = seq,
                                 .previous = previous,
                                 .strategy = PLOG_ARRIVAL,
                                 .payload_at = 9,
                                 .payload_len = 2};
    CHECK_INT(plog_tally_add(&tally, &e, NULL), 0);
}

/* Two entries about each, in turn; the last one follows entry `previous`. */
static bool agrees(uint64_t previous)
{
    bool out = false;
    uint64_t records = 7;
    CHECK_INT(sqlite3_open(":memory:", &db), SQLITE_OK);
    CHECK_INT(plog_tally_open(&tally, plog_io_posix(), db, NULL), 0);
    tally.without_rows = true;
    add(2, "0", 0);
    add(3, "1", 0);
    add(4, "0", 2);
    add(5, "1", previous);
    CHECK_INT(plog_tally_end(&tally, &out, &records, NULL), 0);
    CHECK_UINT(records, 0); /* whose rows were met */
    plog_tally_close(&tally);
    CHECK_INT(sqlite3_close(db), SQLITE_OK);
    return out;
}

static void half_a_hash(void)
{
    static const uint64_t all[][2][2] = {
        {{128, 7}, {256, 7}},          /* the second half */
        {{128, 7}, {128, 8}},          /* the first half */
        {{128, 7}, {128, 7 + 65536}},  /* ... and the place to begin at */
        {{128, 7}, {UINT64_MAX, 711}}, /* none */
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        hashes = all[i];
        CHECK(agrees(3));
        CHECK(!agrees(2));
        CHECK(!agrees(4));
        CHECK(!agrees(0));
        hashes = NULL;
    }
    CHECK(agrees(3));
    CHECK(!agrees(4));
}

#define RECORDS 400 /* three buffers are spilled, rows in the second */

static unsigned gets, fails_at;

static bool on_sql(const char *call, const char *text, bool busy)
{
    (void)busy;
    return strcmp(call, "step") == 0 && strstr(text, "SELECT items") &&
           ++gets == fails_at;
}

static void add_rows(void)
{
    sqlite3_stmt *q = NULL;
    CHECK_INT(sqlite3_prepare_v2(
                  db,
                  "WITH RECURSIVE r(n) AS (VALUES(0) UNION ALL SELECT n+1 FROM"
                  " r WHERE n<399) SELECT 'p',printf('%04d',n),n+2,n+2,1,0,0,"
                  "0.0,NULL,n+2,9,2,NULL FROM r",
                  -1, &q, NULL),
              SQLITE_OK);
    while (sqlite3_step(q) == SQLITE_ROW)
        CHECK_INT(plog_tally_row(&tally, q, NULL), 0);
    sqlite3_finalize(q);
}

/* Whichever buffer cannot be read again: nothing is counted of the part. */
static void a_buffer_is_lost(void)
{
    for (fails_at = 0; fails_at <= 3; fails_at++) {
        struct plog_error err = {.code = 0};
        bool out = false;
        uint64_t records = 7;
        CHECK_INT(sqlite3_open(":memory:", &db), SQLITE_OK);
        CHECK_INT(plog_tally_open(&tally, plog_io_posix(), db, NULL), 0);
        one_part = true;
        for (unsigned i = 0; i < RECORDS; i++) {
            char record[12];
            snprintf(record, sizeof record, "%04u", i);
            add(i + 2, record, 0);
        }
        add_rows();
        one_part = false;
        CHECK(!tally.given_up);
        CHECK_UINT(tally.spilled[0], 3);
        gets = 0;
        sql_calls.fails = on_sql;
        int rc = plog_tally_end(&tally, &out, &records, &err);
        sql_calls.fails = NULL;
        CHECK_INT(rc, fails_at ? PLOG_E_IO : 0);
        CHECK_INT(err.code, rc);
        CHECK_UINT(records, fails_at ? 0 : RECORDS);
        CHECK(fails_at || out);
        CHECK_UINT(gets, fails_at ? fails_at : 3);
        plog_tally_close(&tally);
        CHECK_INT(sqlite3_close(db), SQLITE_OK);
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"half a hash", half_a_hash},
        {"a buffer is lost", a_buffer_is_lost},
    };
    if (sodium_init() < 0)
        return 1;
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
