/*
 * test_seeds.c - what the systems before this one promised, as acceptance
 * tests: records, versions, strategies, cursors, the audit trail, read-only
 * queries, the corruption fixture and the recompute attack.
 *
 * oxide-mirror's and crtx's own tests gave the list (names in the comments);
 * where they had a hole, the case says what is different here.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "order_shim.h"
#include "paritylog_recovery.h"

static char dir[512];
static plog *p;

/* ---- A log of a strategy --------------------------------------------------
 */

static void open_log(void)
{
    struct plog_options o = {.struct_size = sizeof o, .io = order_io()};
    CHECK_INT(plog_open(&p, dir, &o, NULL), 0);
}

static void make_log(enum plog_strategy strategy)
{
    char vkey[PLOG_VKEY_MAX];
    struct plog_init_options o = {.struct_size = sizeof o,
                                  .strategy = strategy};
    snprintf(dir, sizeof dir, "%.400s/log", check_dir());
    CHECK_INT(plog_init(dir, &o, vkey, NULL), 0);
    open_log();
}

static char *delta(const char *op, const char *payload, const char *time,
                   const char *confidence)
{
    static char text[1000];
    snprintf(text, sizeof text,
             "{\"resource\":\"pets\",\"record_id\":\"1\",\"op\":\"%s\","
             "\"payload\":%s,\"occurred_at\":\"%s\",\"provenance\":{\"source\":"
             "\"crm\",\"confidence\":%s}}",
             op, payload, time, confidence);
    return text;
}

/* Returns whether it applied. */
static bool put(const char *op, const char *payload, const char *time,
                const char *confidence)
{
    struct plog_receipt r = {0};
    struct plog_error err = {0};
    char *text = delta(op, payload, time, confidence);
    if (!CHECK_INT(plog_append(p, text, strlen(text), &r, &err), 0))
        printf("#   %s\n", err.message);
    return !r.skipped;
}

static bool upsert(const char *payload, const char *time)
{
    return put("upsert", payload, time, "1.0");
}

#define T1 "2026-01-01T00:00:00Z"
#define T2 "2026-01-02T00:00:00Z"
#define T3 "2026-01-03T00:00:00Z"

/* The record as "payload vVERSION", or "deleted vN", or "none". */
static const char *record(void)
{
    static char text[600];
    struct plog_record r;
    plog_reader *reader = NULL;
    if (plog_reader_open(&reader, dir, NULL, NULL))
        return "no reader";
    int rc = plog_reader_get(reader, (struct plog_span){"pets", 4},
                             (struct plog_span){"1", 1}, &r, NULL);
    if (rc == 0)
        snprintf(text, sizeof text, "%.*s v%llu", (int)r.payload.n, r.payload.p,
                 (unsigned long long)r.version);
    else if (r.version)
        snprintf(text, sizeof text, "deleted v%llu",
                 (unsigned long long)r.version);
    else
        snprintf(text, sizeof text, "none");
    plog_reader_close(reader);
    return text;
}

static int count_line(void *arg, uint64_t seq, const char *line, size_t len)
{
    (void)seq, (void)line, (void)len;
    ++*(unsigned *)arg;
    return 0;
}

static unsigned history(void)
{
    unsigned n = 0;
    plog_reader *r = NULL;
    CHECK_INT(plog_reader_open(&r, dir, NULL, NULL), 0);
    CHECK_INT(plog_reader_history(r, (struct plog_span){"pets", 4},
                                  (struct plog_span){"1", 1}, count_line, &n,
                                  NULL),
              0);
    plog_reader_close(r);
    return n;
}

struct found {
    unsigned count;
    int verdict[8];
    uint64_t seq[8];
    enum plog_leg leg[8];
};

static int note(void *arg, const struct plog_finding *f)
{
    struct found *all = arg;
    if (all->count < 8) {
        all->verdict[all->count] = f->verdict;
        all->seq[all->count] = f->seq;
        all->leg[all->count] = f->leg;
    }
    all->count++;
    return 0;
}

static int parity(struct found *f)
{
    struct plog_check_options o = {
        .struct_size = sizeof o, .finding = note, .arg = f};
    struct plog_check_report report;
    memset(f, 0, sizeof *f);
    CHECK_INT(plog_parity(dir, &o, &report, NULL), 0);
    return report.verdict;
}

/* Ends the case: both legs agree, and a store made anew from the log gives
 * the same record. */
static void close_log(void)
{
    struct plog_replay_options o = {.struct_size = sizeof o, .fresh = true};
    struct plog_replay_report report;
    struct found f;
    char before[600];
    plog_close(p);
    snprintf(before, sizeof before, "%s", record());
    CHECK_INT(parity(&f), 0);
    CHECK_INT(plog_replay(dir, &o, &report, NULL), 0);
    CHECK_TEXT(record(), before);
    CHECK_INT(parity(&f), 0);
}

static void run_sql(const char *sql)
{
    char path[600];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/store.db", dir);
    CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
    if (!CHECK_INT(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK))
        printf("#   %s\n", sqlite3_errmsg(db));
    sqlite3_close(db);
}

/* ---- Records and versions ----------------------------------------------- */

/* apply_inserts_a_new_record, version_increments_on_subsequent_applies */
static void versions_count_what_applied(void)
{
    make_log(PLOG_ARRIVAL);
    CHECK(upsert("{\"a\":1}", T1));
    CHECK_TEXT(record(), "{\"a\":1} v1");
    CHECK(upsert("{\"a\":2}", T1));
    CHECK_TEXT(record(), "{\"a\":2} v2");
    close_log();
}

/* delete_removes_record_but_leaves_audit_trail; there a new record began at
 * version 1 again, here versions are never reset. */
static void delete_leaves_tombstone_and_trail(void)
{
    make_log(PLOG_ARRIVAL);
    upsert("{\"a\":1}", T1);
    CHECK(put("delete", "null", T2, "1"));
    CHECK_TEXT(record(), "deleted v2");
    CHECK_UINT(history(), 2);
    upsert("{\"a\":2}", T3);
    CHECK_TEXT(record(), "{\"a\":2} v3");
    CHECK_UINT(history(), 3);
    close_log();
}

/* ---- Strategies --------------------------------------------------------- */

/* There it ignored occurred_at; here the newer instant wins, whatever the
 * offset it is written with, and a tie goes to the later one. */
static void last_write_wins_by_instant(void)
{
    make_log(PLOG_LAST_WRITE_WINS);
    CHECK(upsert("{\"a\":1}", "2026-01-02T00:00:00+02:00"));
    CHECK(!upsert("{\"a\":2}", "2026-01-01T21:59:59Z"));
    CHECK(upsert("{\"a\":3}", "2026-01-01T22:00:00Z"));
    CHECK(upsert("{\"a\":4}", "2026-01-01T17:00:00.000000001-05:00"));
    CHECK(!upsert("{\"a\":5}", "2026-01-01T22:00:00Z"));
    CHECK_TEXT(record(), "{\"a\":4} v3");
    close_log();
}

/* Without tombstones a late, older upsert brought a deleted row back. */
static void late_upsert_does_not_resurrect(void)
{
    make_log(PLOG_LAST_WRITE_WINS);
    upsert("{\"a\":1}", T1);
    put("delete", "null", T3, "1");
    CHECK(!upsert("{\"a\":2}", T2));
    CHECK_TEXT(record(), "deleted v2");
    close_log();
}

/* last_write_wins_always_applies: what it really did is called arrival. */
static void arrival_always_applies(void)
{
    make_log(PLOG_ARRIVAL);
    CHECK(upsert("{\"a\":1}", T3));
    CHECK(upsert("{\"a\":2}", T1));
    CHECK_TEXT(record(), "{\"a\":2} v2");
    close_log();
}

/* highest_confidence_skips_lower: the row is kept, both are in the log. */
static void highest_confidence(void)
{
    make_log(PLOG_HIGHEST_CONFIDENCE);
    CHECK(put("upsert", "{\"a\":1}", T1, "0.9"));
    CHECK(!put("upsert", "{\"a\":2}", T2, "0.5"));
    CHECK_TEXT(record(), "{\"a\":1} v1");
    CHECK_UINT(history(), 2);
    CHECK(put("upsert", "{\"a\":3}", T1, "0.90"));
    CHECK(!put("delete", "null", T2, "0.1"));
    CHECK(put("delete", "null", T2, "0.95"));
    CHECK(!put("upsert", "{\"a\":4}", T3, "0.9")); /* the tombstone counts */
    CHECK_TEXT(record(), "deleted v3");
    close_log();
}

/* keep_local_skips_when_exists; a tombstone counts as absent. */
static void keep_local(void)
{
    make_log(PLOG_KEEP_LOCAL);
    CHECK(upsert("{\"a\":1}", T1));
    CHECK(!upsert("{\"a\":2}", T2));
    CHECK(!put("delete", "null", T3, "1"));
    CHECK_TEXT(record(), "{\"a\":1} v1");
    CHECK_INT(plog_set_strategy(p, PLOG_ARRIVAL, NULL, NULL), 0);
    CHECK(put("delete", "null", T3, "1"));
    CHECK_INT(plog_set_strategy(p, PLOG_KEEP_LOCAL, NULL, NULL), 0);
    CHECK(upsert("{\"a\":3}", T1));
    CHECK_TEXT(record(), "{\"a\":3} v3");
    close_log();
}

/* merge_json_deep_merges_objects; bytes stay as written, members in place. */
static void merge_json(void)
{
    make_log(PLOG_MERGE_JSON);
    upsert("{\"n\":1.50,\"o\":{\"x\":1,\"y\":[1]},\"k\":\"\\u00e9\"}", T1);
    upsert("{\"o\":{\"y\":[2],\"z\":null},\"new\":true}", T1);
    CHECK_TEXT(record(), "{\"n\":1.50,\"o\":{\"x\":1,\"y\":[2],\"z\":null},"
                         "\"k\":\"\\u00e9\",\"new\":true} v2");
    put("delete", "null", T1, "1");
    upsert("{\"a\":1}", T1); /* over a tombstone a plain upsert */
    CHECK_TEXT(record(), "{\"a\":1} v4");
    upsert("{\"b\":2}", T1);
    CHECK_TEXT(record(), "{\"a\":1,\"b\":2} v5");
    close_log();
}

/* A merge that would grow over the line limit is refused as a whole. */
static void merge_over_the_limit(void)
{
    char vkey[PLOG_VKEY_MAX], payload[800];
    struct plog_init_options o = {.struct_size = sizeof o,
                                  .strategy = PLOG_MERGE_JSON,
                                  .line_max_bytes = 1024};
    struct plog_error err = {0};
    struct plog_head head = {0};
    snprintf(dir, sizeof dir, "%.400s/log", check_dir());
    CHECK_INT(plog_init(dir, &o, vkey, NULL), 0);
    open_log();
    snprintf(payload, sizeof payload, "{\"a\":\"%0600d\"}", 1);
    upsert(payload, T1);
    snprintf(payload, sizeof payload, "{\"b\":\"%0600d\"}", 1);
    char *text = delta("upsert", payload, T1, "1");
    CHECK_INT(plog_append(p, text, strlen(text), NULL, &err), PLOG_E_INPUT);
    CHECK_TEXT(err.member, "payload");
    CHECK_INT(plog_get_head(p, &head, NULL), 0);
    CHECK_UINT(head.size, 2);
    upsert("{\"c\":1}", T1); /* and the log goes on */
    close_log();
}

static int keep_longer(void *arg, const struct plog_record *now,
                       const struct plog_delta_view *d,
                       struct plog_span *merged)
{
    (void)arg;
    if (now && now->payload.n > d->payload.n)
        return 0;
    if (now && now->payload.n == d->payload.n) {
        merged->p = "{\"both\":true,\"long\":1}";
        merged->n = strlen(merged->p);
    }
    return 1;
}

/* The callback decides once; its outcome and payload are in the log, so a
 * replay needs it no more. */
static void custom(void)
{
    struct plog_options o = {
        .struct_size = sizeof o, .io = order_io(), .custom = keep_longer};
    make_log(PLOG_CUSTOM);
    char *text = delta("upsert", "{\"aa\":1}", T1, "1");
    CHECK_INT(plog_append(p, text, strlen(text), NULL, NULL), PLOG_E_INPUT);
    plog_close(p);
    CHECK_INT(plog_open(&p, dir, &o, NULL), 0);
    CHECK(upsert("{\"aa\":1}", T1));
    CHECK(!upsert("{}", T2));
    CHECK_TEXT(record(), "{\"aa\":1} v1");
    CHECK(upsert("{\"bb\":2}", T3));
    CHECK_TEXT(record(), "{\"both\":true,\"long\":1} v2");
    close_log();
}

static struct plog_span chosen;

static int choose(void *arg, const struct plog_record *now,
                  const struct plog_delta_view *d, struct plog_span *merged)
{
    (void)arg, (void)now, (void)d;
    *merged = chosen;
    return 1;
}

/* What the callback gives must fit the line and the group it stands in. */
static void custom_within_limits(void)
{
    static char large[900 << 10];
    struct plog_span spans[100];
    struct plog_options o = {
        .struct_size = sizeof o, .io = order_io(), .custom = choose};
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = spans, .delta_count = 100};
    make_log(PLOG_CUSTOM);
    plog_close(p);
    CHECK_INT(plog_open(&p, dir, &o, NULL), 0);
    char *text = delta("upsert", "{}", T1, "1");
    for (size_t i = 0; i < 100; i++)
        spans[i] = (struct plog_span){text, strlen(text)};
    snprintf(large, sizeof large, "{\"a\":\"%0900000d\"}", 1);
    chosen = (struct plog_span){large, strlen(large)};
    CHECK_INT(plog_append_group(p, &g, NULL, NULL), PLOG_E_INPUT);
    for (int depth = 63; depth <= 64; depth++) {
        int n = 0;
        for (int i = 1; i < depth; i++)
            n += snprintf(large + n, 10, "{\"a\":");
        n += snprintf(large + n, 10, "{}");
        for (int i = 1; i < depth; i++)
            large[n++] = '}';
        chosen = (struct plog_span){large, (size_t)n};
        CHECK_INT(plog_append(p, text, strlen(text), NULL, NULL),
                  depth == 63 ? 0 : PLOG_E_INPUT);
    }
    close_log();
}

/* ---- The audit trail ---------------------------------------------------- */

static int find_skipped(void *arg, uint64_t seq, const char *line, size_t len)
{
    (void)len;
    if (seq == 3)
        *(bool *)arg = strstr(line, ",\"outcome\":\"skipped\",") != NULL;
    return 0;
}

/* Skipped deltas are still logged, with what became of them. */
static void skipped_is_logged(void)
{
    bool skipped = false;
    plog_reader *r = NULL;
    make_log(PLOG_KEEP_LOCAL);
    upsert("{\"a\":1}", T1);
    upsert("{\"a\":2}", T1);
    CHECK_INT(plog_reader_open(&r, dir, NULL, NULL), 0);
    CHECK_INT(plog_reader_log(r, 1, 0, find_skipped, &skipped, NULL), 0);
    plog_reader_close(r);
    CHECK(skipped);
    close_log();
}

/* cursor_round_trips (none before it is set); here it moves in the group of
 * its data, and a rebuilt store has it. */
static void cursor_round_trips(void)
{
    struct plog_span source = {"crm", 3}, all = {"*", 1}, out;
    char *text = NULL;
    plog_reader *r = NULL;
    make_log(PLOG_ARRIVAL);
    CHECK_INT(plog_reader_open(&r, dir, NULL, NULL), 0);
    CHECK_INT(plog_reader_cursor(r, source, all, &out, NULL), PLOG_E_NOT_FOUND);
    for (int i = 0; i < 2; i++) {
        struct plog_cursor c = {source, all, {i ? "page-2" : "", i ? 6 : 0}};
        text = delta("upsert", i ? "{\"a\":2}" : "{\"a\":1}", T1, "1");
        struct plog_span d = {text, strlen(text)};
        struct plog_group g = {.struct_size = sizeof g,
                               .deltas = &d,
                               .delta_count = 1,
                               .cursors = &c,
                               .cursor_count = 1};
        struct plog_receipt receipt;
        CHECK_INT(plog_append_group(p, &g, &receipt, NULL), 0);
        CHECK_UINT(receipt.size, receipt.seq + 1); /* one group */
        CHECK_INT(plog_reader_cursor(r, source, all, &out, NULL), 0);
        CHECK_BYTES(out.p, out.n, c.cursor.p, c.cursor.n);
    }
    plog_reader_close(r);
    close_log();
    CHECK_INT(plog_reader_open(&r, dir, NULL, NULL), 0);
    CHECK_INT(plog_reader_cursor(r, source, all, &out, NULL), 0);
    CHECK_BYTES(out.p, out.n, "page-2", 6);
    plog_reader_close(r);
}

/* ---- Difference and attack ---------------------------------------------- */

/* corruption_fixture_produces_expected_failure_report: a good row, a mutated
 * row, an orphan row; exactly the two are named. */
static void corruption_fixture(void)
{
    struct found f;
    make_log(PLOG_ARRIVAL);
    upsert("{\"a\":1}", T1);
    upsert("{\"a\":2}", T1);
    plog_close(p);
    run_sql("UPDATE events SET line=replace(line,'{\"a\":1}','{\"a\":9}')"
            " WHERE seq=2;"
            "INSERT INTO events SELECT 77,NULL,resource,record_id,op,outcome,"
            "previous,line FROM events WHERE seq=3");
    CHECK_INT(parity(&f), PLOG_E_DIVERGED);
    CHECK_UINT(f.count, 2);
    CHECK_INT(f.verdict[0], PLOG_E_DIVERGED);
    CHECK_UINT(f.seq[0], 2);
    CHECK_INT(f.leg[0], PLOG_LEG_STORE);
    CHECK_INT(f.verdict[1], PLOG_E_AHEAD);
    CHECK_UINT(f.seq[1], 77);
}

/* The recompute attack: a row is changed and every hash that needs no key is
 * computed anew.  A hash chain passes; here the root is signed. */
static void recompute_attack(void)
{
    struct found f;
    char command[2000];
    make_log(PLOG_ARRIVAL);
    upsert("{\"a\":1}", T1);
    upsert("{\"a\":2}", T1);
    plog_close(p);
    /* A group of one entry behind one other: the new root of the tree over
     * entries 1 and 2 is H(1 || leaf1 || leaf2). */
    snprintf(command, sizeof command,
             "python3 - '%.400s' <<'EOF'\n"
             "import sys, hashlib, base64, re\n"
             "path = sys.argv[1] + '/log/00000000000000000001.jsonl'\n"
             "lines = open(path, 'rb').read().split(b'\\n')\n"
             "h = lambda b: hashlib.sha256(b).digest()\n"
             "lines[3] = lines[3].replace(b'{\"a\":1}', b'{\"a\":9}')\n"
             "root = h(b'\\1' + h(b'\\0' + lines[1]) + h(b'\\0' + lines[3]))\n"
             "lines[4] = re.sub(b'\"root\":\"[^\"]*\"', b'\"root\":\"' +\n"
             "    base64.b64encode(root) + b'\"', lines[4])\n"
             "open(path, 'wb').write(b'\\n'.join(lines))\n"
             "EOF",
             dir);
    if (system("command -v python3 >/dev/null") != 0) {
        check_skip("no python3 to recompute the hashes with");
        return;
    }
    CHECK_INT(system(command), 0);
    CHECK_INT(parity(&f), PLOG_E_TAMPERED);
    CHECK_INT(f.leg[0], PLOG_LEG_LOG);
    CHECK_UINT(f.seq[0], 2);
}

/* The same in the store: the row, and the head with it. */
static void recompute_attack_on_the_store(void)
{
    struct found f;
    make_log(PLOG_ARRIVAL);
    upsert("{\"a\":1}", T1);
    plog_close(p);
    run_sql("UPDATE events SET line=replace(line,'{\"a\":1}','{\"a\":9}')"
            " WHERE seq=2;"
            "UPDATE state SET merged='{\"a\":9}'");
    CHECK_INT(parity(&f), PLOG_E_DIVERGED);
    CHECK_UINT(f.count, 2); /* the row, and the record that stands on it */
    CHECK_UINT(f.seq[0], 2);
    CHECK_UINT(f.seq[1], 2);
}

#define ADD_RECORD                                                             \
    "INSERT INTO state SELECT resource,'2',seq,last,version,seconds,nanos,"    \
    "confidence,origin,origin_seq,payload_at,payload_len,merged FROM state"

/* A record edited, added, removed: each is named. */
static void records_are_the_fold(void)
{
    static const char *const edits[] = {
        "UPDATE state SET version=7", "UPDATE state SET confidence=0.5",
        "DELETE FROM state", ADD_RECORD,
        "UPDATE state SET payload_len=payload_len-1"};
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        struct found f;
        make_log(PLOG_ARRIVAL);
        upsert("{\"a\":1}", T1);
        plog_close(p);
        run_sql(edits[i]);
        CHECK_INT(parity(&f), PLOG_E_DIVERGED);
        CHECK_UINT(f.count, 1);
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"versions_count_what_applied", versions_count_what_applied},
        {"delete_leaves_tombstone_and_trail",
         delete_leaves_tombstone_and_trail},
        {"last_write_wins_by_instant", last_write_wins_by_instant},
        {"late_upsert_does_not_resurrect", late_upsert_does_not_resurrect},
        {"arrival_always_applies", arrival_always_applies},
        {"highest_confidence", highest_confidence},
        {"keep_local", keep_local},
        {"merge_json", merge_json},
        {"merge_over_the_limit", merge_over_the_limit},
        {"custom", custom},
        {"custom_within_limits", custom_within_limits},
        {"skipped_is_logged", skipped_is_logged},
        {"cursor_round_trips", cursor_round_trips},
        {"corruption_fixture", corruption_fixture},
        {"recompute_attack", recompute_attack},
        {"recompute_attack_on_the_store", recompute_attack_on_the_store},
        {"records_are_the_fold", records_are_the_fold},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
