/*
 * test_store_edits.c - a store that somebody changed where only a compacted log
 * has rows: what stands below the floor, old ids, peers, redactions, rules.
 * Each edit is found by parity in full, or from a checkpoint on where it
 * concerns what came since, and by the seq that is at fault; a store made anew
 * from log and snapshot is CLEAN again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "everything.h"

static struct world w;
static char note[600];
static uint64_t checked_from;
static char expected[240], found[240]; /* of the first finding */

static int keep_first(void *arg, const struct plog_finding *f)
{
    uint64_t *seq = arg;
    if (!expected[0]) {
        snprintf(expected, sizeof expected, "%s", f->expected);
        snprintf(found, sizeof found, "%s", f->found);
        *seq = f->seq;
    }
    return 0;
}

static int parity(const char *since, uint64_t *seq)
{
    struct plog_check_options o = {.struct_size = sizeof o,
                                   .since = since,
                                   .finding = keep_first,
                                   .arg = seq};
    struct plog_check_report r;
    struct plog_error err = {0};
    expected[0] = found[0] = '\0';
    *seq = 0;
    if (!CHECK_INT(plog_parity(w.dir, &o, &r, &err), 0))
        printf("# %s\n", err.message);
    checked_from = r.from;
    return r.verdict;
}

/* The store alone is kept aside and put back. */
static void keep(const char *name)
{
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    world_copy(world_path(&w, "store.db"), world_path(&w, name));
}

static void put_back(const char *name)
{
    world_drop_store(&w);
    world_copy(world_path(&w, name), world_path(&w, "store.db"));
}

struct edit {
    const char *sql;
    const char *expected; /* a part of what is told; NULL: nothing is */
    int64_t seq;          /* -1: any */
};

static void each_edit(const struct edit *e, size_t n, const char *since)
{
    uint64_t seq;
    for (size_t i = 0; i < n; i++, e++) {
        put_back("../base.db");
        world_sql(&w, e->sql);
        int verdict = parity(since, &seq);
        bool fits = CHECK_INT(verdict, e->expected ? PLOG_E_DIVERGED : 0);
        if (e->expected)
            fits &= CHECK(strstr(expected, e->expected) != NULL);
        if (e->expected && e->seq >= 0)
            fits &= CHECK_UINT(seq, e->seq);
        if (!fits)
            printf("# %s: %" PRIu64 " %s / %s\n", e->sql, seq, expected, found);
    }
    put_back("../base.db");
    CHECK_INT(parity(since, &seq), 0);
}
#define EACH(edits, since) each_edit(edits, sizeof edits / sizeof *edits, since)

static void make(void)
{
    snprintf(note, sizeof note, "%.500s/note", check_dir());
    everything_make(&w, note);
    keep("../base.db");
}

#define BELOW "(SELECT floor FROM meta)"

/* ---- Cases
 * ------------------------------------------------------------------- */

static void below_the_floor(void)
{
    static const struct edit edits[] = {
        /* Nothing stands on it any more. */
        {"DELETE FROM events WHERE seq=3", "id: as in the snapshot", 3},
        /* A record's own line, and a key's. */
        {"UPDATE events SET line=replace(line,'\"v\"','\"w\"') WHERE"
         " seq=(SELECT max(seq) FROM events WHERE seq<=" BELOW
         " AND op='upsert')",
         "as in the snapshot", -1},
        {"DELETE FROM events WHERE seq=(SELECT seq FROM rotations)",
         "event: as in the snapshot", -1},
        {"UPDATE events SET line=replace(line,'rotate','rotats') WHERE"
         " seq=(SELECT seq FROM rotations)",
         "event: as in the snapshot", -1},
        {"UPDATE redactions SET target=target+1 WHERE seq<=" BELOW,
         "redaction: as in the snapshot", -1},
        {"DELETE FROM redactions WHERE seq<=" BELOW,
         "redaction: as in the snapshot", -1},
        {"UPDATE cursors SET cursor='page 3'", "cursor: as the log folds", -1},
        {"UPDATE peers SET added=added+1 WHERE name='a'",
         "peer: as the log has it", -1},
        {"INSERT INTO peers(name,added,cursor) VALUES('gone',15,10)",
         "peer: none", 15},
        {"UPDATE compactions SET floor=floor-1", "meta: the floor", -1},
        {"UPDATE meta SET floor=floor+1", "meta: the floor", -1},
        {"UPDATE meta SET floor=size", "meta: the floor", -1},
    };
    make();
    EACH(edits, NULL);
}

/* Where the store let go of the events, their ids are kept. */
static void of_a_trimmed_store(void)
{
    static const struct edit edits[] = {
        {"DELETE FROM old_ids WHERE seq=3", "id: as in the snapshot", 3},
        {"UPDATE old_ids SET seq=seq+600 WHERE seq=6", "id: as in the snapshot",
         -1},
        {"UPDATE old_ids SET leaf=zeroblob(32) WHERE seq=6",
         "id: as in the snapshot", 6},
        {"UPDATE old_ids SET content=zeroblob(32) WHERE seq=6",
         "id: as in the snapshot", 6},
        {"UPDATE old_ids SET content=NULL WHERE seq=6",
         "id: as in the snapshot", 6},
        /* A redaction took its content with it, before the snapshot. */
        {"UPDATE old_ids SET content=zeroblob(32) WHERE seq=4",
         "id: as in the snapshot", 4},
        {"INSERT INTO old_ids VALUES(zeroblob(32),7,zeroblob(32),NULL)",
         "old ids", 0},
        {"UPDATE meta SET base=floor+1", "meta", -1},
        {"DELETE FROM base_state", "base_state: the records", -1},
    };
    struct plog_compact_options o = {.struct_size = sizeof o,
                                     .trim_store = true};
    struct plog_compact_report r;
    make();
    CHECK_INT(plog_compact(w.dir, &o, &r, NULL), 0);
    CHECK(r.trimmed > 0);
    CHECK_INT(unlink(world_path(&w, "../base.db")), 0);
    keep("../base.db");
    EACH(edits, NULL);
}

static void above_the_floor(void)
{
    static const struct edit edits[] = {
        {"UPDATE redactions SET target=target-1 WHERE target=70",
         "redaction of entry 70", -1},
        {"DELETE FROM redactions WHERE target=70", "redaction of entry 70", -1},
        {"UPDATE events SET line=(SELECT line FROM events WHERE seq=69) WHERE"
         " seq=70",
         "", 70},
        {"UPDATE meta SET strategy='arrival'", "meta: the rules", -1},
        {"UPDATE meta SET redactions=redactions+1", "meta: the rules", -1},
        {"UPDATE events SET outcome='skipped' WHERE seq=69", "columns", 69},
    };
    make();
    EACH(edits, NULL);
}

/* From a checkpoint on: what came since. */
static void since_a_checkpoint(void)
{
    static const struct edit edits[] = {
        {"UPDATE meta SET strategy='arrival'", "meta: the rules", -1},
        {"UPDATE cursors SET cursor='page 3'", "cursor: as the log folds", -1},
        {"DELETE FROM cursors", "cursor: as the log folds", -1},
        {"INSERT INTO cursors VALUES('other','*','x',80)", "cursor: none", 80},
        {"UPDATE peers SET added=added+1 WHERE name='b'",
         "peer: as the log has it", -1},
        {"INSERT INTO peers(name,added,cursor) VALUES('new',81,10)",
         "peer: none", 81},
        {"DELETE FROM redactions WHERE target=70", "redaction of entry 70", -1},
    };
    make();
    EACH(edits, note);
    /* Which is not the whole of what is above the floor. */
    CHECK(checked_from >
          (uint64_t)world_number(&w, "SELECT floor FROM meta") + 1);
}

/* The row of an entry that a record's first entry since points to. */
static void what_a_link_points_to(void)
{
    char sql[300];
    uint64_t seq;
    make();
    CHECK_INT(parity(note, &seq), 0);
    snprintf(sql, sizeof sql,
             "SELECT min(seq) FROM events WHERE seq>=%" PRIu64
             " AND previous<%" PRIu64,
             checked_from, checked_from);
    int64_t first = world_number(&w, sql);
    REQUIRE(first > 0);
    static const char *const edits[] = {"UPDATE events SET resource='other'",
                                        "UPDATE events SET record_id='other'",
                                        "DELETE FROM events"};
    for (int i = 0; i < 3; i++) {
        put_back("../base.db");
        snprintf(sql, sizeof sql,
                 "%s WHERE seq=(SELECT previous FROM events WHERE seq=%" PRId64
                 ")",
                 edits[i], first);
        world_sql(&w, sql);
        CHECK_INT(parity(note, &seq), PLOG_E_DIVERGED);
        CHECK_UINT(seq, first);
        CHECK(strstr(expected, "columns") != NULL);
    }
}

static int stop_at_it(void *arg, const struct plog_finding *f)
{
    (void)f;
    ++*(unsigned *)arg;
    return 1;
}

/* The first one may be enough. */
static void stopped(void)
{
    static const struct {
        const char *sql;
        bool since;
    } table[] = {
        {"DELETE FROM events WHERE seq IN (2,3,5,6)", false},
        {"UPDATE state SET nanos=nanos+1", true},
        {"UPDATE state SET nanos=nanos+1", false},
    };
    make();
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        unsigned told = 0;
        struct plog_check_report r;
        struct plog_error err = {0};
        struct plog_check_options o = {.struct_size = sizeof o,
                                       .since = table[i].since ? note : NULL,
                                       .finding = stop_at_it,
                                       .arg = &told};
        put_back("../base.db");
        world_sql(&w, table[i].sql);
        int rc = plog_parity(w.dir, &o, &r, &err);
        CHECK_INT(rc, PLOG_E_INTERRUPTED);
        CHECK_INT(err.code, rc);
        CHECK_UINT(told, 1);
    }
}

/* ---- Redacted in one leg
 * ------------------------------------------------------- */

/* A redacted line where no order makes it, and a whole one where it should have
 * gone. */
static void redacted_lines(void)
{
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "test"};
    struct plog_redact_report r;
    char sql[900], whole[600];
    uint64_t seq;
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    for (int i = 0; i < 6; i++)
        CHECK_INT(world_put(&w, NULL, "r", i % 2 ? "a" : "b", NULL), 0);
    world_close(&w);
    keep("../whole.db");
    snprintf(whole, sizeof whole, "%s", world_path(&w, "../whole.db"));
    CHECK_INT(plog_redact(w.dir, 4, &o, &r, NULL), 0);
    keep("../base.db");
    /* The store's is whole again: it should have followed the order. */
    snprintf(sql, sizeof sql,
             "ATTACH '%s' AS whole; UPDATE events SET line=(SELECT line FROM"
             " whole.events WHERE seq=4) WHERE seq=4",
             whole);
    world_sql(&w, sql);
    CHECK_INT(parity(NULL, &seq), PLOG_E_DIVERGED);
    CHECK_UINT(seq, 4);
    put_back("../base.db");
    CHECK_INT(parity(NULL, &seq), 0);
    /* A redacted line of another entry, in the place of a whole one. */
    world_sql(&w, "UPDATE events SET line=replace((SELECT line FROM events"
                  " WHERE seq=4),'{\"seq\":4,','{\"seq\":5,') WHERE seq=5");
    CHECK_INT(parity(NULL, &seq), PLOG_E_DIVERGED);
    CHECK_UINT(seq, 5);
    CHECK(strncmp(expected, "leaf ", 5) == 0);
}

/* The same leaf, redacted in the store, and nobody has ordered it. */
static void redacted_without_an_order(void)
{
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "test"};
    struct plog_redact_report r;
    char sql[900], copy[600];
    uint64_t seq;
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    for (int i = 0; i < 6; i++)
        CHECK_INT(world_put(&w, NULL, "r", i % 2 ? "a" : "b", NULL), 0);
    world_close(&w);
    snprintf(copy, sizeof copy, "%.500s-copy", w.dir);
    world_copy(w.dir, copy);
    CHECK_INT(plog_redact(w.dir, 4, &o, &r, NULL), 0);
    snprintf(sql, sizeof sql,
             "ATTACH '%s/store.db' AS redacted; UPDATE events SET line=(SELECT"
             " line FROM redacted.events WHERE seq=4) WHERE seq=4",
             w.dir);
    snprintf(w.dir, sizeof w.dir, "%.510s", copy);
    CHECK_INT(parity(NULL, &seq), 0);
    world_sql(&w, sql);
    CHECK_INT(parity(NULL, &seq), PLOG_E_DIVERGED);
    CHECK_UINT(seq, 4);
    CHECK_TEXT(expected, "the line, not redacted");
    CHECK_TEXT(found, "another line of the same leaf");
}

/* ---- Rules
 * ---------------------------------------------------------------------- */

static void put_at(const char *value, const char *time)
{
    char text[300];
    struct world_delta d = {.record = "r", .payload = value, .time = time};
    CHECK_INT(world_append(&w, world_text(text, sizeof text, &d), NULL, NULL),
              0);
}

/* A writer that went by the store's rules, and not by the log's: whether an
 * entry was applied is in the log, and against its strategy. */
static void another_strategy(void)
{
    static const struct {
        enum plog_strategy logged;
        const char *stored, *expected, *found;
    } table[] = {
        {PLOG_LAST_WRITE_WINS, "arrival", "skipped", "applied"},
        {PLOG_ARRIVAL, "last-write-wins", "applied", "skipped"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char sql[120];
        uint64_t seq;
        world_make(&w, table[i].logged, 0);
        put_at("{\"v\":1}", "2026-01-02T03:04:05Z");
        world_close(&w);
        snprintf(sql, sizeof sql, "UPDATE meta SET strategy='%s'",
                 table[i].stored);
        world_sql(&w, sql);
        CHECK_INT(world_open(&w), 0);
        put_at("{\"v\":2}", "2025-01-02T03:04:05Z");
        world_close(&w);
        CHECK_INT(parity(NULL, &seq), PLOG_E_DIVERGED);
        CHECK_UINT(seq, 3);
        CHECK_TEXT(expected, table[i].expected);
        CHECK_TEXT(found, table[i].found);
    }
}

/* Merges as a custom strategy does. */
static int merges(void *arg, const struct plog_record *now,
                  const struct plog_delta_view *d, struct plog_span *merged)
{
    static const char text[] = "{\"chosen\":true}";
    (void)now, (void)d;
    *merged = (struct plog_span){text, sizeof text - 1};
    return *(const int *)arg;
}

/* The same writer, by a custom strategy of its own: a payload that the log's
 * strategy does not choose is in the log, and the record has it. */
static void a_payload_of_another_strategy(void)
{
    static const enum plog_strategy logged[] = {
        PLOG_LAST_WRITE_WINS, PLOG_ARRIVAL, PLOG_HIGHEST_CONFIDENCE,
        PLOG_MERGE_JSON, PLOG_CUSTOM};
    for (size_t i = 0; i < sizeof logged / sizeof *logged; i++) {
        char sql[120];
        uint64_t seq = 0;
        int applied = 1;
        bool custom = logged[i] == PLOG_CUSTOM;
        world_make(&w, custom ? PLOG_ARRIVAL : logged[i], 0);
        if (custom)
            CHECK_INT(plog_set_strategy(w.p, PLOG_CUSTOM, NULL, NULL), 0);
        world_close(&w);
        world_sql(&w, "UPDATE meta SET strategy='custom'");
        w.options.custom = merges;
        w.options.custom_arg = &applied;
        CHECK_INT(world_open(&w), 0);
        put_at("{\"v\":1}", "2026-01-02T03:04:05Z");
        world_close(&w);
        snprintf(sql, sizeof sql, "UPDATE meta SET strategy='%s'",
                 plog_strategy_name(logged[i]));
        world_sql(&w, sql);
        CHECK_INT(parity(NULL, &seq), custom ? 0 : PLOG_E_DIVERGED);
        if (!custom) {
            CHECK_UINT(seq, 2);
            CHECK_TEXT(expected, "no merged payload");
            CHECK_TEXT(found, "one");
        }
        w.options.custom = NULL;
        world_remove(w.dir);
    }
}

/* A merge is made with the log's line, whatever the row before it says. */
static void merged_with_the_log(void)
{
    static const char *const edits[] = {
        "UPDATE events SET line=replace(line,'\"v\":1','\"v\":9') WHERE seq=2",
        "DELETE FROM events WHERE seq=2"};
    uint64_t seq;
    world_make(&w, PLOG_MERGE_JSON, 0);
    put_at("{\"v\":1}", "2026-01-02T03:04:05Z");
    put_at("{\"w\":2}", "2026-01-03T03:04:05Z");
    world_close(&w);
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        struct world_found f;
        world_sql(&w, edits[i]);
        CHECK_INT(parity(NULL, &seq), PLOG_E_DIVERGED);
        CHECK_UINT(seq, 2);
        CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_DIVERGED);
        for (unsigned k = 0; k < f.count; k++) /* the record is right */
            CHECK(f.first[k].seq != 3);
    }
}

/* The row of a control entry that sets no strategy says one, as those say it
 * that do: a record that is folded anew, because an entry of it is redacted,
 * does not follow it. */
static void a_strategy_in_the_wrong_place(void)
{
    static const char *const args[] = {
        "{\"strategy\":\"arrival\"}",
        "{\"strategy\":\"arrival\",\"max_line\":1024,\"segment_size\":4096}"};
    const struct plog_cursor c = {{"s", 1}, {"*", 1}, {"7", 1}};
    const struct plog_group g = {
        .struct_size = sizeof g, .cursors = &c, .cursor_count = 1};
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "a"};
    for (size_t i = 0; i < sizeof args / sizeof *args; i++) {
        struct plog_redact_report r;
        struct world_found f;
        char sql[300];
        world_make(&w, PLOG_MERGE_JSON, 0);
        CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
        put_at("{\"a\":1}", "2026-01-02T03:04:05Z");
        put_at("{\"b\":2}", "2026-01-03T03:04:05Z");
        put_at("{\"c\":3}", "2026-01-04T03:04:05Z");
        world_close(&w);
        snprintf(sql, sizeof sql,
                 "UPDATE events SET line='{\"seq\":2,\"control\":"
                 "\"source-cursor\",\"args\":%s}' WHERE seq=2",
                 args[i]);
        world_sql(&w, sql);
        CHECK_INT(plog_redact(w.dir, 3, &o, &r, NULL), 0);
        CHECK_TEXT(world_record(&w, "r"), "{\"b\":2,\"c\":3} v3");
        CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_DIVERGED);
        for (unsigned k = 0; k < f.count; k++) /* nothing but that row */
            CHECK_UINT(f.first[k].seq, 2);
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"below the floor", below_the_floor},
        {"of a trimmed store", of_a_trimmed_store},
        {"above the floor", above_the_floor},
        {"since a checkpoint", since_a_checkpoint},
        {"what a link points to", what_a_link_points_to},
        {"stopped", stopped},
        {"redacted lines", redacted_lines},
        {"redacted without an order", redacted_without_an_order},
        {"another strategy", another_strategy},
        {"a payload of another strategy", a_payload_of_another_strategy},
        {"merged with the log", merged_with_the_log},
        {"a strategy in the wrong place", a_strategy_in_the_wrong_place},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
