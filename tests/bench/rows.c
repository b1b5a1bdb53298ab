/*
 * rows.c - what is measured, in order, and what it is held against.
 *
 * Floors and aims are those of the plan.  A row's base is another row of the
 * same run, or the overwrite loop that ran right before it.
 */
#include <math.h>
#include <string.h>

#include "bench.h"

#ifdef BENCH_YAJL
#define YAJL bench_yajl
#else
#define YAJL NULL
#endif

#ifdef BENCH_SKIP_RECORDS
#define PARITY bench_parity
#define FOLD bench_fold
#else
#define PARITY NULL
#define FOLD NULL
#endif

#define WRITE_ROW(group, name, fn, batch, callers, shape)                      \
    {                                                                          \
        group, name, fn, BENCH_WRITES, batch, callers, 0, shape, 0, 0, NULL    \
    }
#define LOG_ROW(name, fn, callers)                                             \
    {                                                                          \
        "writing", name, fn, BENCH_WRITES, 1, callers, 0, BENCH_PLAIN, 1, 0,   \
            NULL                                                               \
    }
#define READ_ROW(name, fn, threads, variant)                                   \
    {                                                                          \
        "reading", name, fn, BENCH_READS, 0, 1, threads, BENCH_PLAIN, variant, \
            0, "this library cannot leave the records out"                     \
    }
#define ALONE_ROW(group, name, fn, variant)                                    \
    {                                                                          \
        group, name, fn, BENCH_ALONE, 0, 1, 0, BENCH_PLAIN, variant, 0, NULL   \
    }
#define LARGE_ROW(group, name, fn, variant, runs)                              \
    {                                                                          \
        group, name, fn, BENCH_LARGE, 0, 1, 0, BENCH_PLAIN, variant, runs,     \
            NULL                                                               \
    }
#define DISK_ROW(name, batch)                                                  \
    {                                                                          \
        "disk", name, bench_bytes, BENCH_ALONE, batch, 1, 0, BENCH_PLAIN, 0,   \
            1, NULL                                                            \
    }

const struct bench_row bench_rows[] = {
    WRITE_ROW("limits", "O: overwrite + fdatasync, 1", bench_overwrite, 1, 1,
              BENCH_PLAIN),
    WRITE_ROW("limits", "A: append + fdatasync, 1", bench_append, 1, 1,
              BENCH_PLAIN),
    WRITE_ROW("limits", "N: by hand in C, 1", bench_naive, 1, 1, BENCH_PLAIN),
    WRITE_ROW("limits", "N: by hand in C, 100", bench_naive, 100, 1,
              BENCH_PLAIN),
    WRITE_ROW("limits", "N: by hand in C, 1000", bench_naive, 1000, 1,
              BENCH_PLAIN),
    WRITE_ROW("limits", "S: SQLite alone FULL, 1", bench_sqlite, 1, 1,
              BENCH_PLAIN),
    WRITE_ROW("limits", "S: SQLite alone FULL, 100", bench_sqlite, 100, 1,
              BENCH_PLAIN),
    WRITE_ROW("limits", "S: SQLite alone FULL, 1000", bench_sqlite, 1000, 1,
              BENCH_PLAIN),
    WRITE_ROW("writing", "paritylog, 1", bench_ours, 1, 1, BENCH_PLAIN),
    WRITE_ROW("writing", "paritylog, 100", bench_ours, 100, 1, BENCH_PLAIN),
    WRITE_ROW("writing", "paritylog, 1000", bench_ours, 1000, 1, BENCH_PLAIN),
    WRITE_ROW("writing", "paritylog, 16 threads, 1", bench_threads, 1, 16,
              BENCH_PLAIN),
    WRITE_ROW("writing", "paritylog, 64 threads, 1", bench_threads, 1, 64,
              BENCH_PLAIN),
    WRITE_ROW("writing", "paritylog, 8 processes, 1", bench_processes, 1, 8,
              BENCH_PLAIN),
    WRITE_ROW("writing", "paritylog, 512 in flight, 1", bench_flight, 1, 512,
              BENCH_PLAIN),
    LOG_ROW("paritylog, told by the log, 1", bench_ours, 1),
    LOG_ROW("paritylog, told by the log, 16 threads, 1", bench_threads, 16),
    LOG_ROW("paritylog, told by the log, 64 threads, 1", bench_threads, 64),
    WRITE_ROW("other data", "paritylog, skewed records, 1", bench_ours, 1, 1,
              BENCH_SKEWED),
    WRITE_ROW("other data", "paritylog, skewed records, 100", bench_ours, 100,
              1, BENCH_SKEWED),
    WRITE_ROW("other data", "paritylog, skewed records, 1000", bench_ours, 1000,
              1, BENCH_SKEWED),
    WRITE_ROW("other data", "S: SQLite alone FULL, skewed records, 1000",
              bench_sqlite, 1000, 1, BENCH_SKEWED),
    WRITE_ROW("other data", "O: overwrite + fdatasync, 4 KiB payload, 1",
              bench_overwrite, 1, 1, BENCH_4K),
    WRITE_ROW("other data", "paritylog, 4 KiB payload, 1", bench_ours, 1, 1,
              BENCH_4K),
    WRITE_ROW("other data", "paritylog, 4 KiB payload, 100", bench_ours, 100, 1,
              BENCH_4K),
    WRITE_ROW("other data", "O: overwrite + fdatasync, 64 KiB payload, 1",
              bench_overwrite, 1, 1, BENCH_64K),
    WRITE_ROW("other data", "paritylog, 64 KiB payload, 1", bench_ours, 1, 1,
              BENCH_64K),
    WRITE_ROW("other data", "paritylog, 64 KiB payload, 100", bench_ours, 100,
              1, BENCH_64K),
    WRITE_ROW("steps", "steps of a commit of 1", bench_steps, 1, 1,
              BENCH_PLAIN),
    WRITE_ROW("steps", "steps of a commit of 100", bench_steps, 100, 1,
              BENCH_PLAIN),
    WRITE_ROW("steps", "steps of a commit of 1000", bench_steps, 1000, 1,
              BENCH_PLAIN),

    READ_ROW("SQLite bulk insert, WAL", bench_bulk, 0, 0),
    READ_ROW("SQLite bulk insert, fresh file", bench_bulk, 0, 1),
    READ_ROW("SQLite scan of the store's events", bench_scan, 1, 0),
    READ_ROW("SQLite scan of the bulk insert", bench_scan, 1, 1),
    {"reading", "yajl, the same bytes", YAJL, BENCH_READS, 0, 1, 1, BENCH_PLAIN,
     0, 0, "built without yajl (libyajl-dev)"},
    READ_ROW("verify, 1 thread", bench_verify, 1, 0),
    READ_ROW("verify, 2 threads", bench_verify, 2, 0),
    READ_ROW("parity, 1 thread", PARITY, 1, 0),
    READ_ROW("parity, 2 threads", PARITY, 2, 0),
    READ_ROW("the fold of parity, 1 thread", FOLD, 1, 0),
    READ_ROW("the fold of parity, 2 threads", FOLD, 2, 0),
    READ_ROW("parity and fold, 1 thread", bench_parity_whole, 1, 0),
    READ_ROW("parity and fold, 2 threads", bench_parity_whole, 2, 0),
    READ_ROW("replay into a live store, 1 thread", bench_replay, 1, 0),
    READ_ROW("replay into a live store, 2 threads", bench_replay, 2, 0),
    READ_ROW("replay --fresh, 2 threads", bench_fresh, 2, 0),
    READ_ROW("rebuild --store, 1 thread", bench_rebuild, 1, 0),
    READ_ROW("rebuild --store, 2 threads", bench_rebuild, 2, 0),

    ALONE_ROW("compaction", "compact to half, discarding", bench_compact, 0),
    ALONE_ROW("compaction", "a writer beside it", bench_beside, 0),
    ALONE_ROW("compaction", "archive", bench_archive, 0),

    READ_ROW("open and close, 10,000 entries", bench_open_clean, 0, 0),
    READ_ROW("open after a kill, 10,000 entries", bench_open_killed, 0, 0),
    LARGE_ROW("long log", "open and close, long log", bench_open_clean, 1, 0),
    LARGE_ROW("long log", "one delta by the command", bench_one_shot, 0, 0),
    LARGE_ROW("long log", "memory of append", bench_memory, 0, 1),
    LARGE_ROW("long log", "memory of verify", bench_memory, 1, 1),
    LARGE_ROW("long log", "memory of parity", bench_memory, 3, 1),
    LARGE_ROW("long log", "memory of replay --fresh", bench_memory, 2, 1),
    LARGE_ROW("long log", "open after a kill, long log", bench_open_killed, 1,
              0),

    DISK_ROW("disk, 1 a commit", 1),
    DISK_ROW("disk, 100 a commit", 100),
    DISK_ROW("disk, 1000 a commit", 1000),
};
const size_t bench_row_count = sizeof bench_rows / sizeof *bench_rows;
_Static_assert(sizeof bench_rows / sizeof *bench_rows <= BENCH_ROWS,
               "room for all figures");

/* ---- Floors ------------------------------------------------------------- */

#define RATE(row, over, floor, aim, what)                                      \
    {                                                                          \
        row, BENCH_RATE, over, BENCH_RATE, false, false, floor, aim, what      \
    }
#define PER_BYTE(row, floor, aim)                                              \
    {                                                                          \
        row, BENCH_MB, "yajl, the same bytes", BENCH_MB, false, false, floor,  \
            aim, "yajl's check of the same bytes"                              \
    }
#define AT_LEAST(row, metric, floor, aim, what)                                \
    {                                                                          \
        row, metric, NULL, metric, false, false, floor, aim, what              \
    }
#define AT_MOST(row, metric, floor, aim, what)                                 \
    {                                                                          \
        row, metric, NULL, metric, true, false, floor, aim, what               \
    }
#define MS_AT_MOST(row, metric, floor, aim, what)                              \
    {                                                                          \
        row, metric, NULL, metric, true, true, floor, aim, what                \
    }
#define NONE ((double)NAN)
#define WAL_BULK "SQLite bulk insert, WAL"
#define FRESH_BULK "SQLite bulk insert, fresh file"
#define STORE_SCAN "SQLite scan of the store's events"
#define BEYOND "MiB beyond SQLite's cache"

const struct bench_limit bench_limits[] = {
    RATE("paritylog, 1", "O", 0.75, 0.85, "O"),
    RATE("paritylog, 1", "A: append + fdatasync, 1", 1.0, 1.15, "A"),
    RATE("paritylog, 1", "N: by hand in C, 1", 2.0, NONE, "N"),
    {"paritylog, 1", BENCH_P99, "O", BENCH_P99, true, false, 1.5, NONE,
     "p99 over O's p99"},
    RATE("paritylog, 100", "O", 8, 13, "O"),
    RATE("paritylog, 100", "N: by hand in C, 100", 3, NONE, "N"),
    RATE("paritylog, 100", "S: SQLite alone FULL, 100", 1.7, NONE, "S"),
    RATE("paritylog, 1000", "O", 15, 25, "O"),
    RATE("paritylog, 1000", "N: by hand in C, 1000", 4.6, NONE, "N"),
    RATE("paritylog, 1000", "S: SQLite alone FULL, 1000", 2.8, NONE, "S"),
    RATE("paritylog, 16 threads, 1", "O", 4.9, 6, "O"),
    MS_AT_MOST("paritylog, 16 threads, 1", BENCH_P99, 1, NONE, "p99, ms"),
    RATE("paritylog, 64 threads, 1", "O", 12, 15, "O"),
    MS_AT_MOST("paritylog, 64 threads, 1", BENCH_P99, 7, NONE, "p99, ms"),
    RATE("paritylog, 8 processes, 1", "O", 0.65, 0.75, "O"),
    AT_LEAST("paritylog, 8 processes, 1", BENCH_LEAST, 0.25, NONE,
             "share of the process that got least, of the mean"),
    PER_BYTE("verify, 1 thread", 0.45, 0.8),
    PER_BYTE("verify, 2 threads", 0.85, 1.5),
    RATE("rebuild --store, 2 threads", FRESH_BULK, 0.33, 0.5, FRESH_BULK),
    RATE("replay --fresh, 2 threads", FRESH_BULK, 0.33, 0.5, FRESH_BULK),
    RATE("replay into a live store, 2 threads", WAL_BULK, 0.25, 0.4, WAL_BULK),
    RATE("replay into a live store, 2 threads", FRESH_BULK, 0.25, 0.4,
         FRESH_BULK),
    RATE("parity, 1 thread", STORE_SCAN, 0.45, 0.6, STORE_SCAN),
    RATE("parity, 2 threads", STORE_SCAN, 0.7, 1.0, STORE_SCAN),
    /* from the first measurement: 1.47 (1.15 to 2.16) */
    RATE("the fold of parity, 1 thread", STORE_SCAN, 1.0, 1.5, STORE_SCAN),
    MS_AT_MOST("compact to half, discarding", BENCH_MS, 50, 30,
               "ms from the compact entry to the last directory fsync"),
    AT_MOST("compact to half, discarding", BENCH_RATIO, 2, 1.3,
            "the whole over parity of the range + zlib of the snapshot"),
    MS_AT_MOST("a writer beside it", BENCH_WAIT, 5, 1,
               "ms that its longest wait is longer than alone"),
    AT_LEAST("archive", BENCH_RATIO, 0.9, NONE, "zlib of the same level"),
    MS_AT_MOST("open after a kill, 10,000 entries", BENCH_OVER, 5, 2,
               "ms over a copy and a verify of the last segment"),
    MS_AT_MOST("open after a kill, long log", BENCH_OVER, 5, 2,
               "ms over a copy and a verify of the last segment"),
    AT_MOST("one delta by the command", BENCH_RATIO, 1.8, NONE,
            "paritylog --version + A"),
    AT_MOST("memory of append", BENCH_BEYOND, 16, 8, BEYOND),
    AT_MOST("memory of verify", BENCH_BEYOND, 16, 8, BEYOND),
    AT_MOST("memory of parity", BENCH_BEYOND, 16, 8, BEYOND),
    AT_MOST("memory of replay --fresh", BENCH_BEYOND, 16, 8, BEYOND),
    AT_MOST("disk, 100 a commit", BENCH_LOG, 65, 60,
            "log bytes over the event"),
    AT_MOST("disk, 100 a commit", BENCH_BOTH, 850, 770,
            "bytes of both legs an event"),
};
const size_t bench_limit_count = sizeof bench_limits / sizeof *bench_limits;

/* ---- Held against each other -------------------------------------------- */

double bench_all[BENCH_ROWS][BENCH_RUNS][BENCH_METRIC_COUNT];
unsigned bench_runs_of[BENCH_ROWS];

static size_t find_row(const char *name)
{
    for (size_t i = 0; i < bench_row_count; i++)
        if (!strcmp(bench_rows[i].name, name))
            return i;
    bench_die(name, "is no row");
}

/* Limits in ms are those of a disk whose overwrites take 140 us: on a slower
 * one they hold in proportion. */
static double slower(const struct bench_limit *l, size_t row, unsigned n)
{
    if (!l->scaled)
        return 1;
    double p50 = bench_all[row][n][BENCH_O_P50];
    if (p50 != p50)
        p50 = bench_all[0][n < bench_runs_of[0] ? n : 0][BENCH_P50];
    return p50 > 140 ? p50 / 140 : 1;
}

unsigned bench_limit_values(const struct bench_limit *l, double *values)
{
    size_t row = find_row(l->row), over = row;
    enum bench_metric base = l->over_metric;
    if (l->over && !strcmp(l->over, "O"))
        base = base == BENCH_P99 ? BENCH_O_P99 : BENCH_O_RATE;
    else if (l->over)
        over = find_row(l->over);
    unsigned runs = bench_runs_of[row] < bench_runs_of[over]
                        ? bench_runs_of[row]
                        : bench_runs_of[over];
    for (unsigned n = 0; n < runs; n++) {
        double v = bench_all[row][n][l->metric];
        if (l->over)
            v /= bench_all[over][n][base];
        else if (l->metric == BENCH_P99)
            v /= 1000; /* told in ms */
        values[n] = v / slower(l, row, n);
    }
    return runs;
}
