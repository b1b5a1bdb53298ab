/*
 * bench.h - what the benchmark's files share: events, times, and one function
 * a row.
 *
 * A row is measured for some seconds in a directory of its own and tells how
 * many events it made durable, in what time, and how long each commit took.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

#define BENCH_RECORDS 250000
#define BENCH_EVENT_MAX 512

/* Event `i`: about 300 bytes of JSON, its record drawn at random from
 * BENCH_RECORDS, the same in every run.  Returns its length. */
size_t bench_event(uint64_t i, char *out);
/* The record_id of event `i`. */
uint64_t bench_record(uint64_t i);

double bench_seconds(void); /* the monotonic clock */

struct bench_row {
    uint64_t events;
    double seconds;
    double *commits; /* seconds of each, sorted at the end; may be NULL */
    size_t count, cap;
    uint64_t bytes; /* on disk when it ended; 0: not asked */
};
void bench_commit(struct bench_row *r, double seconds);
/* Of the sorted commits, in microseconds. */
double bench_percentile(const struct bench_row *r, double p);
void bench_row_end(struct bench_row *r); /* sorts */
void bench_row_free(struct bench_row *r);

/* What a row is asked for. */
struct bench_task {
    const char *dir; /* empty, and this row's own */
    double seconds;
    unsigned batch;   /* events a commit */
    unsigned callers; /* threads or processes */
    uint64_t events;  /* of the rows that read */
};

/* Reference loops (reference.c).  Any failure ends the program. */
void bench_overwrite(const struct bench_task *t, struct bench_row *r); /* O */
void bench_append(const struct bench_task *t, struct bench_row *r);    /* A */
void bench_naive(const struct bench_task *t, struct bench_row *r);     /* N */
void bench_sqlite(const struct bench_task *t, struct bench_row *r);    /* S */
/* Bulk insert of the log row alone, in transactions of 10,000. */
void bench_bulk(const struct bench_task *t, struct bench_row *r);
/* Every row of the bulk table, each byte touched. */
void bench_scan(const struct bench_task *t, struct bench_row *r);

/* Ours (ours.c). */
void bench_ours(const struct bench_task *t, struct bench_row *r);
void bench_threads(const struct bench_task *t, struct bench_row *r);
void bench_processes(const struct bench_task *t, struct bench_row *r);
void bench_make_log(const struct bench_task *t); /* t->events, 1,000 a group */
void bench_verify(const struct bench_task *t, struct bench_row *r);
void bench_rebuild(const struct bench_task *t, struct bench_row *r);
void bench_parity(const struct bench_task *t, struct bench_row *r);
/* Opening, reading the head and closing. */
void bench_open(const struct bench_task *t, struct bench_row *r);

/* Ends the program with a message. */
void bench_die(const char *what, const char *why) __attribute__((noreturn));
uint64_t bench_disk(const char *dir); /* bytes of the files below it */

#endif
