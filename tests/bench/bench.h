/*
 * bench.h - what the benchmark's files share: events, times, and one function
 * a row.
 *
 *   main.c          options, the order of it all
 *   rows.c          the rows, and the floors that the ratios are held against
 *   run.c           one run of a row, in a process of its own
 *   print.c         the table and the JSON
 *   guard.c         refusing where a sync does nothing
 *   events.c        the events
 *   figures.c       arithmetic: percentiles, spreads, bytes on disk
 *   raw.c           O, A
 *   reference.c     S, bulk insert, scan
 *   by_hand.c       N
 *   ours.c          opening and appending; one caller
 *   callers.c       threads, processes
 *   flight.c        many groups of one thread in flight
 *   steps.c         where a commit's time goes
 *   calls.c         writes and syncs of the library, watched
 *   reading.c       verify, replay, rebuild, parity, the fold
 *   bare.c          what those are compared with: yajl, zlib
 *   compacting.c    compaction and archive
 *   beside.c        a writer while a compaction runs
 *   opening.c       after a kill
 *   one_shot.c      one delta by the command
 *   large.c         memory at a long log, bytes on disk
 *
 * A row fills figures: one number a metric.  Any failure ends the program.
 */
#ifndef BENCH_H
#define BENCH_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define BENCH_RECORDS 250000
#define BENCH_PATH 600
#define BENCH_CALLERS 64
#define BENCH_RUNS 25
#define BENCH_ROWS 80

/* ---- Figures ------------------------------------------------------------ */

/* X(name of the constant, name in JSON) */
#define BENCH_METRICS(X)                                                       \
    X(RATE, "events_per_s")                                                    \
    X(MB, "mb_per_s")                                                          \
    X(P50, "p50_us")                                                           \
    X(P99, "p99_us")                                                           \
    X(O_RATE, "o_events_per_s") /* of the overwrite loop right before */       \
    X(O_P50, "o_p50_us")                                                       \
    X(O_P99, "o_p99_us")                                                       \
    X(CPU, "cpu_us_per_event") /* of all threads and children */               \
    X(LOG, "log_bytes_over_event")                                             \
    X(BOTH, "both_legs_bytes_per_event")                                       \
    X(RSS, "peak_rss_mib")                                                     \
    X(BEYOND, "beyond_cache_mib") /* of it not SQLite's page cache */          \
    X(MS, "ms")                                                                \
    X(OVER, "ms_over_allowance")                                               \
    X(WAIT, "ms_longer_wait")                                                  \
    X(RATIO, "ratio")                                                          \
    X(LEAST, "least_share") /* of the caller that got least, to the mean */    \
    X(SYNCS, "syncs_per_commit")                                               \
    X(LOG_WRITE, "log_write_us") /* of a commit, from here on */               \
    X(LOG_SYNC, "log_sync_us")                                                 \
    X(SIGNING, "signing_us")                                                   \
    X(SQL, "sqlite_us")                                                        \
    X(STORE_READ, "store_read_us")                                             \
    X(STORE_WRITE, "store_write_us")                                           \
    X(STORE_SYNC, "store_sync_us")                                             \
    X(CHECKPOINT, "checkpoint_us")                                             \
    X(REST, "rest_us")                                                         \
    X(BESIDE, "other_threads_us")

enum bench_metric {
#define BENCH_ENUM(name, json) BENCH_##name,
    BENCH_METRICS(BENCH_ENUM)
#undef BENCH_ENUM
        BENCH_METRIC_COUNT
};
const char *bench_metric_name(enum bench_metric m);

/* What a run of a row came to.  NAN: not told. */
struct bench_figures {
    double m[BENCH_METRIC_COUNT];
    uint64_t events;
    double seconds;
    double *commits; /* seconds of each */
    size_t count, cap;
};
void bench_commit(struct bench_figures *f, double seconds);
/* Sorts the commits and fills RATE, P50 and P99. */
void bench_settle(struct bench_figures *f);
double bench_percentile_us(const struct bench_figures *f, double p);

struct bench_spread {
    double least, median, most;
    unsigned count; /* 0: nothing was told */
};
struct bench_spread bench_spread(const double *values, unsigned n);

double bench_seconds(void);     /* the monotonic clock */
double bench_cpu_seconds(void); /* of this process and its waited children */
uint64_t bench_disk(const char *path); /* bytes of the files below it */
void bench_die(const char *what, const char *why) __attribute__((noreturn));

/* ---- Events ------------------------------------------------------------- */

enum bench_shape {
    BENCH_PLAIN,  /* 300 bytes; records drawn at random from BENCH_RECORDS */
    BENCH_SKEWED, /* the n-th record about 1/n as often as the first */
    BENCH_4K,     /* a payload of 4 KiB */
    BENCH_64K
};

struct bench_event {
    const char *text;
    size_t n;
    const char *payload;
    size_t payload_n;
    char record[8]; /* six digits */
};

/* Event `i` of a shape, out of a pool that is made once, so that making it
 * takes no time; behind the last the first follows. */
const struct bench_event *bench_pooled(enum bench_shape shape, uint64_t i);
void bench_make_pool(enum bench_shape shape); /* before any fork */
/* One that is not kept: event `i` as text; returns its length. */
size_t bench_write_event(enum bench_shape shape, uint64_t i, char *out,
                         size_t cap);
#define BENCH_EVENT_MAX 512 /* of the plain shape */

/* ---- Rows --------------------------------------------------------------- */

/* What a row is asked for. */
struct bench_task {
    const char *dir;    /* empty, and this run's own */
    const char *shared; /* a log made once: see bench_prepare_reads */
    const char *large;  /* a longer one */
    const char *command;
    const char *raw; /* the file of the overwrite loop, kept between runs */
    double seconds;
    unsigned batch;   /* events a commit */
    unsigned callers; /* threads or processes */
    unsigned threads; /* processors to run on; 0: all */
    enum bench_shape shape;
    uint64_t events;       /* of the shared log */
    uint64_t large_events; /* of the large one */
    uint64_t disk_events;  /* of the rows of bytes on disk */
    uint64_t compact_bytes;
    uint64_t variant; /* what several rows of one function differ in */
};
typedef void bench_fn(const struct bench_task *t, struct bench_figures *f);

bench_fn bench_overwrite, bench_append;        /* raw.c */
bench_fn bench_sqlite, bench_bulk, bench_scan; /* reference.c */
bench_fn bench_naive;                          /* by_hand.c */
bench_fn bench_ours;                           /* ours.c */
bench_fn bench_threads, bench_processes;       /* callers.c */
bench_fn bench_flight;                         /* flight.c */
bench_fn bench_steps;                          /* steps.c */
bench_fn bench_verify, bench_parity, bench_parity_whole, bench_fold;
bench_fn bench_replay, bench_rebuild, bench_fresh; /* reading.c */
bench_fn bench_yajl;                               /* bare.c */
bench_fn bench_compact, bench_archive;             /* compacting.c */
bench_fn bench_beside;                             /* beside.c */
bench_fn bench_open_killed, bench_open_clean;      /* opening.c */
bench_fn bench_one_shot;                           /* one_shot.c */
bench_fn bench_memory, bench_bytes;                /* large.c */

/* Makes the log that rows read, 1,000 a commit, and one beside it whose store
 * is half a log behind. */
void bench_prepare_reads(const struct bench_task *t);
void bench_prepare_large(const struct bench_task *t);

/* What it is made of. */
enum bench_kind {
    BENCH_WRITES, /* an O before each run */
    BENCH_READS,  /* wants the shared log */
    BENCH_ALONE,  /* makes what it needs */
    BENCH_LARGE   /* wants the large log */
};
struct bench_row {
    const char *group, *name; /* the name is unique */
    bench_fn *run;            /* NULL: not in this build, `skip` says why */
    enum bench_kind kind;
    unsigned batch, callers, threads;
    enum bench_shape shape;
    uint64_t variant;
    unsigned runs_max; /* 0: all */
    const char *skip;
};
extern const struct bench_row bench_rows[];
extern const size_t bench_row_count;

/* One line of the table of floors: `metric` of `row`, over `over_metric` of
 * row `over` (NULL: over nothing), at least or at most that. */
struct bench_limit {
    const char *row;
    enum bench_metric metric;
    const char *over;
    enum bench_metric over_metric;
    bool at_most;
    bool scaled;       /* milliseconds that hold for an O of 140 us */
    double floor, aim; /* NAN: none */
    const char *what;
};
extern const struct bench_limit bench_limits[];
extern const size_t bench_limit_count;

/* Figures of all runs: of row i and run n, metric m. */
extern double bench_all[BENCH_ROWS][BENCH_RUNS][BENCH_METRIC_COUNT];
extern unsigned bench_runs_of[BENCH_ROWS]; /* runs that were made */
/* Values of a limit run by run; returns their number. */
unsigned bench_limit_values(const struct bench_limit *l, double *values);

extern volatile int bench_child; /* process of the row that runs; 0: none */
void bench_run(size_t row, const struct bench_task *t, double *out); /* run.c */
/* A function that fills no figures, in a process of its own. */
void bench_apart(void (*fn)(const struct bench_task *),
                 const struct bench_task *t);
void bench_remove_tree(const char *path);
void bench_copy_file(const char *from, const char *to);
void bench_copy_tree(const char *from, const char *to);

/* guard.c.  Says why a sync in `dir` does nothing, or NULL. */
const char *bench_why_not(const char *dir);

struct bench_settings {
    const char *dir, *json, *commit;
    unsigned runs;
    double seconds;
    char filesystem[64];
    double sync_us; /* of an overwrite, as the guard measured it */
};
/* guard.c: what is known of it. */
void bench_look_at(struct bench_settings *s);
/* print.c */
void bench_print_machine(FILE *out, const struct bench_settings *s,
                         const struct bench_task *t);
void bench_print_table(void);
void bench_print_json(const struct bench_settings *s,
                      const struct bench_task *t);

#endif
