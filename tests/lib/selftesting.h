/*
 * selftesting.h - one part of selftest by itself: a scratch folder, an I/O
 * table to be spoilt, a second process or one that only says what is written
 * down here, and what was told.
 */
#ifndef SELFTESTING_H
#define SELFTESTING_H

#include <sys/types.h>

#include "selftest.h"

#define SELFTESTING_TOLD 40

struct selftesting_told {
    char name[40], found[500], next[200];
    enum plog_test_result result;
    char figures[400]; /* `NAME=VALUE `, of each */
};

/* What a second process that is none says, one after the other. */
struct selftesting_word {
    const void *p; /* NULL: `rc` is returned */
    size_t n;
    int64_t rc;
};

struct selftesting {
    struct plog_selftest t;
    struct plog_selftest_options o;
    struct plog_selftest_report report;
    struct plog_io io; /* the real one, until a test changes it */
    struct plog_test_host host;
    struct selftesting_told told[SELFTESTING_TOLD];
    unsigned count, stop_at; /* by the caller, at that test; 0: never */
    char scratch[600];       /* the folder */
    /* of the process */
    pid_t child;
    int pipe[2];
    /* of one that is none */
    const struct selftesting_word *words;
    int start_rc, starts, stops;
};

/* True in a process that a host has started. */
extern bool selftesting_is_child;

/* A new scratch folder, `seconds` to be taken, no host. */
void selftesting_begin(struct selftesting *s, double seconds);
/* Removes the folder, which must be there. */
void selftesting_end(struct selftesting *s);

/* From here on there are processes: forked ones, */
void selftesting_fork(struct selftesting *s);
/* or one that says `words`, to the end of the table, and is gone then. */
void selftesting_script(struct selftesting *s,
                        const struct selftesting_word *words);

/* Runs a part of selftest; a handle that it leaves behind fails the case. */
void selftesting_run(struct selftesting *s,
                     void (*part)(struct plog_selftest *t));

/* The one test of that name that was told; the case fails when there is
 * another number of them. */
const struct selftesting_told *selftesting_the(const struct selftesting *s,
                                               const char *name);
/* Checks that one in all but its figures; NULL: any text. */
void selftesting_check(const struct selftesting *s, const char *name,
                       enum plog_test_result result, const char *found,
                       const char *next);

#endif
