/*
 * test_seal.c - a segment that was ended by hand, and a store that has not
 * heard of it: what the next opening reads, and what it leaves as it is.
 *
 * So a crash leaves them, or whoever puts an older copy of the store back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sql_calls.h"
#include "world.h"

#define SEGMENT_1 "log/00000000000000000001.jsonl"
#define SEGMENT_3 "log/00000000000000000003.jsonl"
#define SEGMENT_6 "log/00000000000000000006.jsonl"

static struct world now, old; /* old: the store of before, the log of now */

static void put(struct world *w, const char *value)
{
    CHECK_INT(world_put(w, NULL, "1", value, NULL), 0);
}

/* Entries 1 and 2 in a segment of their own; 3, which is the head of the older
 * store; 4 and 5. */
static void make(void)
{
    uint64_t first = 0;
    world_make(&now, PLOG_ARRIVAL, 0);
    put(&now, "two");
    CHECK_INT(plog_new_segment(now.p, &first, NULL), 0);
    CHECK_UINT(first, 3);
    put(&now, "three");
    world_close(&now);
    old = now;
    snprintf(old.dir, sizeof old.dir, "%.400s-old", now.dir);
    world_copy(now.dir, old.dir);
    CHECK_INT(world_open(&now), 0);
    put(&now, "four");
    put(&now, "five");
}

static void log_of_now(void)
{
    char log[700];
    snprintf(log, sizeof log, "%s", world_path(&now, "log"));
    world_remove(world_path(&old, "log"));
    world_copy(log, world_path(&old, "log"));
}

static void end(uint64_t size)
{
    world_end(&old, size);
    world_remove(old.dir);
    world_remove(now.dir);
}

/* A call that succeeded has no error to tell. */
static void nothing_to_say(void)
{
    struct plog_error err = {.code = 0};
    uint64_t first = 0;
    make();
    CHECK_INT(plog_new_segment(now.p, &first, &err), 0);
    CHECK_UINT(first, 6);
    CHECK_INT(err.code, 0);
    CHECK_TEXT(err.message, "");
    world_close(&now);
    log_of_now();
    CHECK_INT(world_open(&old), 0);
    end(5);
}

static unsigned left; /* calls until one fails; 0: none does */
static char hit[64];

static bool nth_fails(const char *call, const char *sql, bool busy)
{
    (void)busy;
    if (left == 0 || --left > 0)
        return false;
    snprintf(hit, sizeof hit, "%s %.40s", call, sql);
    return true;
}

/* What the store could not be told of is there all the same: the next call
 * finds it, and both legs go on in it.  `seq`: the next entry. */
static void seal_with_a_fault(uint64_t seq)
{
    struct plog_error err = {.code = 0};
    uint64_t first = 0;
    sql_calls.fails = nth_fails;
    int rc = plog_new_segment(now.p, &first, &err);
    sql_calls.fails = NULL;
    CHECK_INT(rc, hit[0] && strcmp(hit, "step PRAGMA data_version") != 0
                      ? PLOG_E_IO
                      : 0);
    CHECK_INT(err.code, rc);
    CHECK(!rc == !err.message[0]);
    bool begun = !rc || !strstr(hit, "BEGIN");
    first = 0;
    CHECK_INT(plog_new_segment(now.p, &first, NULL), begun ? PLOG_PRESENT : 0);
    CHECK_UINT(first, seq);
    CHECK_INT(world_number(&now, "SELECT max(first) FROM segments"), seq);
    CHECK_INT(world_number(&now, "SELECT segment FROM meta"), seq);
    put(&now, "more");
}

static void each_call_fails(void)
{
    struct world_found f;
    unsigned n = 0, failed = 0;
    make();
    do {
        left = ++n;
        hit[0] = '\0';
        seal_with_a_fault(5 + n);
        if (!CHECK_INT(world_parity(&now, NULL, &f), 0))
            printf("# %s\n", hit);
        failed += hit[0] != '\0';
    } while (hit[0] && n < 20);
    CHECK_UINT(failed, 5); /* begin, ask, segment, head, commit */
    CHECK_UINT(f.report.segments, 2 + n);
    world_end(&now, 5 + n);
    world_remove(old.dir);
}

/* A header without a group at the end of the log is no unfinished write: it
 * stays, byte for byte, the store takes it over, and entries follow. */
static void a_bare_segment_is_taken_over(void)
{
    uint64_t first = 0;
    size_t n, after;
    make();
    CHECK_INT(plog_new_segment(now.p, &first, NULL), 0);
    CHECK_UINT(first, 6);
    world_close(&now);
    log_of_now();
    char *bare = world_read(world_path(&now, SEGMENT_6), &n);
    CHECK(n > 100 && bare[n - 1] == '\n');
    REQUIRE(world_open(&old) == 0);
    char *kept = world_read(world_path(&old, SEGMENT_6), &after);
    CHECK_BYTES(kept, after, bare, n);
    CHECK(!world_has(&old, "quarantine"));
    CHECK_INT(world_number(&old, "SELECT max(first) FROM segments"), 6);
    put(&old, "six");
    free(kept);
    kept = world_read(world_path(&old, SEGMENT_6), &after);
    CHECK(after > n && memcmp(kept, bare, n) == 0);
    free(kept);
    free(bare);
    end(6);
}

/* What the store has already is not read again, however long the log is: damage
 * there stops nobody who goes on at the end. */
static void read_from_the_head_on(void)
{
    struct world_found f;
    size_t n;
    make();
    world_close(&now);
    log_of_now();
    char *log = world_read(world_path(&old, SEGMENT_1), &n);
    char *at = strstr(log, "{\"v\":\"two\"}");
    REQUIRE(at != NULL);
    at[6] = 'T';
    world_write(world_path(&old, SEGMENT_1), log, n);
    REQUIRE(world_open(&old) == 0);
    put(&old, "six");
    CHECK_TEXT(world_record(&old, "1"), "{\"v\":\"six\"} v5");
    world_close(&old);
    CHECK_INT(world_verify(&old, NULL, &f), PLOG_E_TAMPERED); /* and it is */
    CHECK_TEXT(f.first[0].file, SEGMENT_1);
    at[6] = 't';
    world_write(world_path(&old, SEGMENT_1), log, n);
    free(log);
    CHECK(world_has(&old, SEGMENT_3));
    end(6);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"nothing to say", nothing_to_say},
        {"a bare segment is taken over", a_bare_segment_is_taken_over},
        {"each call fails", each_call_fails},
        {"read from the head on", read_from_the_head_on},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
