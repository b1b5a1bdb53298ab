/*
 * test_checks_say.c - what verify and parity say of a log of few entries with
 * one thing wrong: the very words of a finding of the log, rows of commits and
 * segments that nobody asked for, and what is written while they look.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "said.h"
#include "world.h"

#define SEGMENT_1 "log/00000000000000000001.jsonl"

static struct world w;

/* Entries 1 to 4, one a group. */
static void make(void)
{
    world_make(&w, PLOG_ARRIVAL, 0);
    for (int i = 2; i < 5; i++) {
        char record[8];
        snprintf(record, sizeof record, "r%d", i);
        CHECK_INT(world_put(&w, NULL, record, "v", NULL), 0);
    }
    world_close(&w);
}

static void says(said_check_fn *check, const char *want)
{
    struct plog_check_options o = {.struct_size = sizeof o};
    const char *said = said_check(check, w.dir, &o);
    if (!CHECK(strstr(said, want) != NULL))
        printf("# %s# not\n# %s\n", said, want);
}

/* ---- The log -------------------------------------------------------------
 */

/* Over the first `what` that is there. */
static void set(const char *what, const char *to)
{
    size_t n;
    char *bytes = world_read(world_path(&w, SEGMENT_1), &n);
    char *at = strstr(bytes, what);
    if (CHECK(at != NULL)) {
        memcpy(at, to, strlen(to));
        world_write(world_path(&w, SEGMENT_1), bytes, n);
    }
    free(bytes);
}

static void an_entry_changed(void)
{
    make();
    set("\"record_id\":\"r3\"", "\"record_id\":\"r9\"");
    says(plog_verify,
         ", entry 3: want root #; got root #; do paritylog salvage\n");
    set("\"record_id\":\"r9\"", "\"record_id\";\"r3\"");
    says(
        plog_verify,
        ", entry 3: want ; got not a line of the log: a colon is expected; do");
}

/* What to do depends on whether there is a store. */
static void what_to_do(void)
{
    struct world_found f;
    make();
    set("\"record_id\":\"r3\"", "\"record_id\":\"r9\"");
    CHECK_INT(world_verify(&w, NULL, &f), PLOG_E_TAMPERED);
    CHECK_UINT(f.count, 1);
    CHECK_TEXT(f.first[0].next, "paritylog salvage DIR --from-store (keeps the"
                                " damaged file in quarantine/)");
    world_drop_store(&w);
    CHECK_INT(world_verify(&w, NULL, &f), PLOG_E_TAMPERED);
    CHECK_UINT(f.count, 1);
    CHECK_TEXT(f.first[0].next,
               "bring this file back from a copy; what lies before the damage:"
               " paritylog rebuild DIR --store --out NEW; what is left:"
               " paritylog salvage DIR --out FILE");
}

static void append_torn(void)
{
    FILE *file = fopen(world_path(&w, SEGMENT_1), "ab");
    REQUIRE(file != NULL);
    fputs("{\"seq\":5,\"res", file);
    CHECK_INT(fclose(file), 0);
}

/* The log ends where that stands last. */
static void cut_at(const char *text)
{
    size_t n;
    char *bytes = world_read(world_path(&w, SEGMENT_1), &n), *last = NULL;
    for (char *at = bytes; (at = strstr(at, text)) != NULL; at++)
        last = at;
    REQUIRE(last != NULL);
    world_write(world_path(&w, SEGMENT_1), bytes, (size_t)(last - bytes));
    free(bytes);
}

/* Where the store has what is lacking there, it is damage. */
static void a_torn_end(void)
{
    struct world_found f;
    make();
    append_torn();
    CHECK_INT(world_verify(&w, NULL, &f), PLOG_E_TORN);
    CHECK_UINT(f.count, 1);
    CHECK_TEXT(f.first[0].next, "paritylog replay DIR (keeps the unfinished"
                                " bytes in quarantine/)");
    cut_at("{\"commit\":");
    CHECK_INT(world_verify(&w, NULL, &f), PLOG_E_TORN);
    CHECK_TEXT(f.first[0].next, "paritylog salvage DIR --from-store (keeps the"
                                " damaged file in quarantine/)");
    struct plog_replay_report replayed;
    struct plog_salvage_report salvaged;
    struct plog_salvage_options o = {.struct_size = sizeof o,
                                     .from_store = true};
    CHECK_INT(plog_replay(w.dir, NULL, &replayed, NULL), PLOG_E_ROLLBACK);
    CHECK_INT(plog_salvage(w.dir, &o, &salvaged, NULL), 0);
    CHECK_INT(salvaged.verdict, 0);
    append_torn();
    world_drop_store(&w);
    CHECK_INT(world_verify(&w, NULL, &f), PLOG_E_TORN);
    CHECK_UINT(f.count, 1);
    CHECK(strncmp(f.first[0].next,
                  "keep a copy of DIR: no store can tell whether this was an"
                  " unfinished group or a damaged one; then: paritylog replay"
                  " DIR (keeps these bytes",
                  138) == 0);
}

/* ---- Rows ----------------------------------------------------------------
 */

static void rows_too_many(void)
{
    make();
    world_sql(&w, "INSERT INTO checkpoints VALUES(-1,'x')");
    says(plog_parity,
         "DIVERGED in store, store.db, entry 1: want no commit row inside this"
         " group; got a commit row; do paritylog replay \nDIVERGED, head 4,");
    world_sql(&w, "DELETE FROM checkpoints WHERE size<0;"
                  " INSERT INTO segments VALUES(99)");
    says(plog_parity,
         "AHEAD in store, store.db, entry 99: want no row: the log has no such"
         " segment; got a segment row; do paritylog replay \nAHEAD, head 4,");
    world_sql(&w, "DELETE FROM segments WHERE first=99");
    world_end(&w, 4);
}

/* ---- Meanwhile -----------------------------------------------------------
 */

static unsigned findings;

static int put_more(void *arg, const struct plog_finding *f)
{
    (void)arg;
    CHECK_INT(f->verdict, PLOG_E_DIVERGED);
    CHECK_UINT(f->seq, 2);
    if (findings++)
        return 0;
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(world_put(&w, NULL, "r2", "later", NULL), 0);
    CHECK_INT(world_put(&w, NULL, "new", "later", NULL), 0);
    world_close(&w);
    return 0;
}

/* The store is read as it was when the check began. */
static void written_meanwhile(void)
{
    struct plog_check_options o = {.struct_size = sizeof o,
                                   .finding = put_more};
    struct plog_check_report r;
    make();
    world_sql(&w, "UPDATE events SET outcome='skipped' WHERE seq=2");
    findings = 0;
    CHECK_INT(plog_parity(w.dir, &o, &r, NULL), 0);
    CHECK_UINT(findings, 1);
    CHECK_UINT(r.head.size, 4);
    CHECK_UINT(r.store_size, 4);
    CHECK_UINT(r.records, 3);
    CHECK_UINT(world_size(&w), 6);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"an entry changed", an_entry_changed},
        {"what to do", what_to_do},
        {"a torn end", a_torn_end},
        {"rows too many", rows_too_many},
        {"written meanwhile", written_meanwhile},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
