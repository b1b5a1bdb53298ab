/*
 * year.c - a year of agent memory in small: deltas on ever the same records,
 * three peers at different speeds, compaction as they move.
 *
 * One peer keeps up, one is ever behind, one stops for a while.  After each
 * compaction the log begins at most a segment below what the slowest has, its
 * files are as large as that lag, and deltas sent again get their old receipts.
 * A part of the deltas comes late and loses to what the snapshot holds.  At
 * the end both legs are CLEAN, a store made from the snapshot is, too, and
 * every record is what this program folded by itself.
 *
 * STORM_DELTAS (20,000, at least 5,000; the year has 1,000,000),
 * STORM_RECORDS (a twentieth), CHECK_SEED.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "check.h"
#include "order_shim.h"
#include "peers.h"
#include "world.h"

#define GROUP 500
#define PEERS 3
#define KEPT 64                 /* deltas that are sent again */
#define NEW_YEAR 1767225600     /* 2026-01-01 */
#define YEAR (365u * 24 * 3600) /* seconds */

static uint64_t deltas, records, segment;
static int ticks;
static struct world w;
static uint64_t seed = 1;

/* Of each record, as this program folds it. */
static struct mine {
    uint32_t value; /* 0: a tombstone, or nothing yet */
    uint32_t version, second;
} * mine;

static struct kept {
    char text[512];
    uint64_t seq;
} kept[KEPT + 1];
static size_t kept_count;

static uint64_t number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static uint64_t draw(uint64_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % below;
}

/* ---- Deltas ------------------------------------------------------------- */

/* Last write wins; of two at the same second the later one. */
static void fold(uint64_t record, uint32_t value, uint32_t second)
{
    struct mine *m = &mine[record];
    if (m->version && second < m->second)
        return;
    *m = (struct mine){value, m->version + 1, second};
}

static size_t write_delta(char *out, size_t cap, uint64_t i)
{
    uint64_t record = draw(records);
    uint32_t second = (uint32_t)(i * YEAR / deltas);
    char id[40] = "", payload[80] = "null", at[32];
    bool deletes = draw(50) == 0;
    if (draw(8) == 0) /* it comes late */
        second -= (uint32_t)draw(second + 1);
    fold(record, deletes ? 0 : (uint32_t)i + 1, second);
    if (i % 4 == 0) /* a quarter can be sent again */
        snprintf(id, sizeof id, "\"id\":\"turn-%llu\",", (unsigned long long)i);
    if (!deletes)
        snprintf(payload, sizeof payload,
                 "{\"fact\":\"something that was said\",\"n\":%llu}",
                 (unsigned long long)i + 1);
    time_t then = NEW_YEAR + (time_t)second;
    struct tm tm;
    strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&then, &tm));
    return (size_t)snprintf(
        out, cap,
        "{%s\"resource\":\"memory\",\"record_id\":\"m%llu\",\"op\":\"%s\","
        "\"payload\":%s,\"occurred_at\":\"%s\","
        "\"provenance\":{\"source\":\"agent\",\"confidence\":1}}",
        id, (unsigned long long)record, deletes ? "delete" : "upsert", payload,
        at);
}

static void keep(const char *text, uint64_t seq)
{
    struct kept *k = &kept[kept_count++];
    snprintf(k->text, sizeof k->text, "%s", text);
    k->seq = seq;
}

static void append(uint64_t from, uint64_t to)
{
    static char text[GROUP][512];
    static struct plog_span spans[GROUP];
    static struct plog_receipt receipts[GROUP];
    uint64_t stride = deltas / KEPT / 4 * 4 + 4; /* only those with an id */
    REQUIRE(world_open(&w) == 0);
    while (from < to) {
        struct plog_group g = {.struct_size = sizeof g, .deltas = spans};
        uint64_t first = from;
        while (g.delta_count < GROUP && from < to) {
            size_t k = g.delta_count++;
            spans[k].n = write_delta(text[k], sizeof text[k], from++);
            spans[k].p = text[k];
        }
        REQUIRE(plog_append_group(w.p, &g, receipts, NULL) == 0);
        for (size_t k = 0; k < g.delta_count; k++)
            if ((first + k) % stride == 0)
                keep(text[k], receipts[k].seq);
    }
    world_close(&w);
}

/* Sends deltas of all ages again: nothing is added, and none of these ids may
 * come with other words. */
static void send_again(void)
{
    static struct plog_span spans[KEPT + 1];
    static struct plog_receipt receipts[KEPT + 1];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = spans, .delta_count = kept_count};
    uint64_t size = world_size(&w), wrong = 0;
    for (size_t k = 0; k < kept_count; k++)
        spans[k] = (struct plog_span){kept[k].text, strlen(kept[k].text)};
    REQUIRE(world_open(&w) == 0);
    CHECK_INT(plog_append_group(w.p, &g, receipts, NULL), 0);
    for (size_t k = 0; k < kept_count; k++) {
        struct kept other = kept[k];
        memcpy(strstr(other.text, "agent"), "other", 5);
        wrong += plog_append(w.p, other.text, spans[k].n, NULL, NULL) !=
                 PLOG_E_CONFLICT;
    }
    world_close(&w);
    for (size_t k = 0; k < kept_count; k++)
        wrong += !receipts[k].duplicate || receipts[k].seq != kept[k].seq;
    CHECK_UINT(wrong, 0);
    CHECK_UINT(world_size(&w), size);
}

/* ---- Peers -------------------------------------------------------------- */

static const char *const names[PEERS] = {"fast", "slow", "stops"};
static uint64_t cursors[PEERS];

static void move(int peer, uint64_t to)
{
    if (to <= cursors[peer])
        return;
    cursors[peer] = to;
    CHECK_INT(peers_ack(&w, names[peer], to), 0);
}

static void move_all(uint64_t size, int tick)
{
    move(0, size);
    move(1, cursors[1] + (size - cursors[1]) * (30 + draw(40)) / 100);
    if (tick < ticks / 3 || tick > ticks * 2 / 3)
        move(2, size - draw(size / 20 + 1));
}

static uint64_t slowest(void)
{
    uint64_t least = cursors[0];
    for (int i = 1; i < PEERS; i++)
        least = cursors[i] < least ? cursors[i] : least;
    return least;
}

/* ---- The year ----------------------------------------------------------- */

static struct {
    uint64_t compactions, trimmed, archived, most_log, snapshot;
    double append_s, compact_s, longest_s;
} sum;

/* Of all files in log/, by the file system. */
static uint64_t log_bytes(void)
{
    char path[900];
    struct stat st;
    struct dirent *e;
    uint64_t bytes = 0;
    DIR *d = opendir(world_path(&w, "log"));
    if (!CHECK(d != NULL))
        return 0;
    while ((e = readdir(d))) {
        snprintf(path, sizeof path, "%s/%s", world_path(&w, "log"), e->d_name);
        if (CHECK_INT(stat(path, &st), 0) && S_ISREG(st.st_mode))
            bytes += (uint64_t)st.st_size;
    }
    closedir(d);
    return bytes;
}

/* What the slowest peer has is gone, but for its segment.
 * @each  bytes of an entry, with its share of the commits */
static void check_log(uint64_t each)
{
    struct plog_status s;
    CHECK_INT(plog_read_status(w.dir, NULL, &s, NULL), 0);
    uint64_t bytes = log_bytes(), lag = s.log_size - slowest();
    sum.most_log = bytes > sum.most_log ? bytes : sum.most_log;
    CHECK_UINT(s.log_bytes, bytes);
    CHECK(s.floor <= slowest());
    if (!CHECK(bytes < (lag + GROUP) * each + 2 * segment) ||
        !CHECK(s.log_size - s.floor < lag + GROUP + 2 * segment / each))
        printf("# %llu bytes and %llu entries are left, the slowest lacks"
               " %llu\n",
               (unsigned long long)bytes,
               (unsigned long long)(s.log_size - s.floor),
               (unsigned long long)lag);
}

/* Of what lies below the floor only that on which a record stands is left in
 * the store, and some control entries. */
static void check_store(void)
{
    int64_t left = world_number(&w, "SELECT count(*) FROM events WHERE seq<="
                                    "(SELECT floor FROM meta)");
    CHECK(left > 0 && (uint64_t)left <= records + 2u * PEERS + 1);
}

static void compact(bool trims)
{
    struct plog_compact_report r;
    struct plog_error err = {.code = 0};
    struct plog_compact_options o = {
        .struct_size = sizeof o, .io = order_io(), .trim_store = trims};
    if (!CHECK_INT(plog_compact(w.dir, &o, &r, &err), 0))
        printf("# %s\n", err.message);
    sum.compactions += r.entry > 0;
    sum.trimmed += r.trimmed;
    sum.archived += r.archived_bytes;
    sum.compact_s += r.seconds;
    sum.longest_s = r.seconds > sum.longest_s ? r.seconds : sum.longest_s;
    if (r.snapshot_bytes)
        sum.snapshot = r.snapshot_bytes;
    if (trims)
        check_store();
}

static void compare_records(void)
{
    plog_reader *r;
    uint64_t wrong = 0;
    REQUIRE(plog_reader_open(&r, w.dir, NULL, NULL) == 0);
    for (uint64_t i = 0; i < records; i++) {
        char id[24], want[96];
        struct plog_record got;
        snprintf(id, sizeof id, "m%llu", (unsigned long long)i);
        snprintf(want, sizeof want,
                 "{\"fact\":\"something that was said\",\"n\":%u}",
                 mine[i].value);
        int rc =
            plog_reader_get(r, (struct plog_span){"memory", 6},
                            (struct plog_span){id, strlen(id)}, &got, NULL);
        if (mine[i].value == 0)
            wrong += rc != PLOG_E_NOT_FOUND || got.version != mine[i].version;
        else
            wrong += rc != 0 || got.version != mine[i].version ||
                     got.payload.n != strlen(want) ||
                     memcmp(got.payload.p, want, got.payload.n) != 0;
    }
    plog_reader_close(r);
    CHECK_UINT(wrong, 0);
}

static void year(void)
{
    double began = world_seconds();
    uint64_t each = 0;
    world_make(&w, PLOG_LAST_WRITE_WINS, segment);
    world_close(&w);
    for (int i = 0; i < PEERS; i++)
        CHECK_INT(peers_add(&w, names[i]), 0);
    for (int t = 0; t < ticks; t++) {
        double then = world_seconds();
        append(deltas * (uint64_t)t / (uint64_t)ticks,
               deltas * (uint64_t)(t + 1) / (uint64_t)ticks);
        sum.append_s += world_seconds() - then;
        if (t == 0) /* numbers grow longer by a few digits */
            each = log_bytes() / world_size(&w) + 16;
        move_all(world_size(&w), t);
        compact(t % (ticks / 4) == ticks / 4 - 1);
        check_log(each);
        send_again();
    }
    CHECK(sum.compactions >= (unsigned)ticks / 3 && sum.trimmed > 0);
    printf(
        "# %llu deltas on %llu records, %llu compactions in %.0f s: appending"
        " %.1f s, compacting %.1f s (the longest %.2f s)\n",
        (unsigned long long)deltas, (unsigned long long)records,
        (unsigned long long)sum.compactions, world_seconds() - began,
        sum.append_s, sum.compact_s, sum.longest_s);
}

static void clean_at_the_end(void)
{
    struct world_found f;
    struct plog_status s;
    struct plog_replay_report replayed;
    struct plog_replay_options fresh = {.struct_size = sizeof fresh,
                                        .fresh = true};
    struct rusage usage;
    double at[5] = {world_seconds()};
    CHECK_INT(world_verify(&w, NULL, &f), 0);
    at[1] = world_seconds();
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    at[2] = world_seconds();
    compare_records();
    CHECK_INT(plog_read_status(w.dir, NULL, &s, NULL), 0);
    int64_t unused =
        world_number(&w, "SELECT freelist_count*page_size FROM"
                         " pragma_freelist_count,pragma_page_size");
    printf("# log %.1f MB now, %.1f MB at most, archive %.1f MB; store %.1f MB"
           " (%.1f MB of it to be used again), snapshot %.1f MB; %llu events"
           " dropped\n",
           (double)s.log_bytes / 1e6, (double)sum.most_log / 1e6,
           (double)sum.archived / 1e6, (double)s.store_bytes / 1e6,
           (double)unused / 1e6, (double)sum.snapshot / 1e6,
           (unsigned long long)sum.trimmed);
    at[3] = world_seconds();
    CHECK_INT(plog_replay(w.dir, &fresh, &replayed, NULL), 0);
    at[4] = world_seconds();
    CHECK(replayed.base > 0);
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    compare_records();
    getrusage(RUSAGE_SELF, &usage);
    printf("# verify %.2f s, parity %.2f s, replay --fresh from the snapshot"
           " %.2f s; peak %ld KiB\n",
           at[1] - at[0], at[2] - at[1], at[4] - at[3], usage.ru_maxrss);
    world_remove(w.dir);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"a year", year},
        {"clean at the end", clean_at_the_end},
    };
    deltas = number("STORM_DELTAS", 20000);
    records = number("STORM_RECORDS", deltas / 20);
    records = records ? records : 1;
    segment = deltas < 500000 ? 64u << 10 : 1u << 20;
    ticks = deltas < 500000 ? 24 : 60;
    seed = check_seed();
    mine = calloc(records, sizeof *mine);
    if (!mine)
        return 1;
    int status = check_main(argc, argv, cases, sizeof cases / sizeof *cases);
    free(mine);
    return status;
}
