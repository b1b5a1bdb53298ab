/*
 * year.c - a year of agent memory in small: deltas on ever the same records,
 * three peers at different speeds, compaction as they move.
 *
 * One peer keeps up, one is ever behind, one stops for a while.  After each
 * compaction the log begins at most a segment below what the slowest has; at
 * the end both legs are CLEAN, a store made from the snapshot is, too, and
 * every record is what this program folded by itself.
 *
 * STORM_DELTAS (20,000; the year has 1,000,000), STORM_RECORDS (a twentieth),
 * CHECK_SEED.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "check.h"
#include "world.h"

#define GROUP 500
#define TICKS 60
#define PEERS 3

static uint64_t deltas, records, segment;
static struct world w;
static uint32_t *values, *versions; /* of each record; value 0: a tombstone */
static uint64_t seed = 1;

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

static size_t write_delta(char *out, size_t cap, uint64_t i)
{
    uint64_t record = draw(records);
    bool deletes = draw(50) == 0;
    char id[40] = "";
    values[record] = deletes ? 0 : (uint32_t)i + 1;
    versions[record]++;
    if (i % 4 == 0) /* a quarter can be sent again */
        snprintf(id, sizeof id, "\"id\":\"turn-%llu\",", (unsigned long long)i);
    int n = snprintf(
        out, cap,
        "{%s\"resource\":\"memory\",\"record_id\":\"m%llu\",\"op\":\"%s\","
        "\"payload\":%s%llu%s,\"occurred_at\":\"2026-01-01T00:00:00Z\","
        "\"provenance\":{\"source\":\"agent\",\"confidence\":1}}",
        id, (unsigned long long)record, deletes ? "delete" : "upsert",
        deletes ? "null" : "{\"fact\":\"something that was said\",\"n\":",
        (unsigned long long)i + 1, deletes ? "" : "}");
    char *null = deletes ? strstr(out, "null") : NULL;
    if (null) { /* no number behind it */
        char *end = strstr(null, ",\"occurred_at\"");
        memmove(null + 4, end, strlen(end) + 1);
        n = (int)strlen(out);
    }
    return (size_t)n;
}

static void append(uint64_t from, uint64_t to)
{
    static char text[GROUP][512];
    static struct plog_span spans[GROUP];
    REQUIRE(world_open(&w) == 0);
    while (from < to) {
        struct plog_group g = {.struct_size = sizeof g, .deltas = spans};
        while (g.delta_count < GROUP && from < to) {
            size_t k = g.delta_count++;
            spans[k].n = write_delta(text[k], sizeof text[k], from++);
            spans[k].p = text[k];
        }
        REQUIRE(plog_append_group(w.p, &g, NULL, NULL) == 0);
    }
    world_close(&w);
}

/* ---- Peers -------------------------------------------------------------- */

static const char *const names[PEERS] = {"fast", "slow", "stops"};
static uint64_t cursors[PEERS];

static void move(int peer, uint64_t to)
{
    struct plog_peer_report r;
    if (to <= cursors[peer])
        return;
    cursors[peer] = to;
    CHECK_INT(plog_peer_ack(w.dir, names[peer], to, NULL, NULL, &r, NULL), 0);
}

static void move_all(uint64_t size, int tick)
{
    move(0, size);
    move(1, cursors[1] + (size - cursors[1]) * (30 + draw(40)) / 100);
    if (tick < TICKS / 3 || tick > TICKS * 2 / 3)
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
    uint64_t compactions, trimmed, most_log, least_log, snapshot;
    double append_s, compact_s, longest_s;
} sum;

static void compact(bool trims)
{
    struct plog_compact_report r;
    struct plog_status s;
    struct plog_error err = {.code = 0};
    struct plog_compact_options o = {.struct_size = sizeof o,
                                     .trim_store = trims};
    if (!CHECK_INT(plog_compact(w.dir, &o, &r, &err), 0))
        printf("# %s\n", err.message);
    CHECK_INT(plog_read_status(w.dir, NULL, &s, NULL), 0);
    sum.compactions += r.entry > 0;
    sum.trimmed += r.trimmed;
    sum.compact_s += r.seconds;
    sum.longest_s = r.seconds > sum.longest_s ? r.seconds : sum.longest_s;
    if (r.snapshot_bytes)
        sum.snapshot = r.snapshot_bytes;
    sum.most_log = s.log_bytes > sum.most_log ? s.log_bytes : sum.most_log;
    /* What the slowest peer has is gone, but for its segment. */
    uint64_t left = s.log_size - s.floor, lag = s.log_size - slowest();
    uint64_t each = s.log_bytes / (left ? left : 1) + 1;
    if (!CHECK((left - lag) * each < 2 * segment + GROUP * each))
        printf("# %llu entries are left, the slowest lacks %llu\n",
               (unsigned long long)left, (unsigned long long)lag);
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
                 "{\"fact\":\"something that was said\",\"n\":%u}", values[i]);
        int rc =
            plog_reader_get(r, (struct plog_span){"memory", 6},
                            (struct plog_span){id, strlen(id)}, &got, NULL);
        if (values[i] == 0)
            wrong += rc != PLOG_E_NOT_FOUND || got.version != versions[i];
        else
            wrong += rc != 0 || got.version != versions[i] ||
                     got.payload.n != strlen(want) ||
                     memcmp(got.payload.p, want, got.payload.n) != 0;
    }
    plog_reader_close(r);
    CHECK_UINT(wrong, 0);
}

static void year(void)
{
    struct plog_peer_report r;
    double began = world_seconds();
    world_make(&w, PLOG_LAST_WRITE_WINS, segment);
    world_close(&w);
    for (int i = 0; i < PEERS; i++)
        CHECK_INT(plog_peer_add(w.dir, names[i], NULL, &r, NULL), 0);
    for (int t = 0; t < TICKS; t++) {
        double then = world_seconds();
        append(deltas * (uint64_t)t / TICKS,
               deltas * (uint64_t)(t + 1) / TICKS);
        sum.append_s += world_seconds() - then;
        move_all(world_size(&w), t);
        compact(t % 15 == 14);
    }
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
    printf("# log %.1f MB now, %.1f MB at most; store %.1f MB, snapshot %.1f"
           " MB; %llu events dropped\n",
           (double)s.log_bytes / 1e6, (double)sum.most_log / 1e6,
           (double)s.store_bytes / 1e6, (double)sum.snapshot / 1e6,
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
    segment = deltas < 500000 ? 64u << 10 : 1u << 20;
    seed = number("CHECK_SEED", 1);
    values = calloc(records, sizeof *values);
    versions = calloc(records, sizeof *versions);
    if (!values || !versions)
        return 1;
    int status = check_main(argc, argv, cases, sizeof cases / sizeof *cases);
    free(values);
    free(versions);
    return status;
}
