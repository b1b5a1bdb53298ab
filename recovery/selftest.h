/*
 * selftest.h - private to selftest: what its parts share.
 *
 *   selftest.c         the order of it all, the scratch folder, the report
 *   selftest_system.c  file system, mount, kernel, libraries, the clock
 *   selftest_locks.c   locks between two processes
 *   selftest_names.c   new names, renames, links, modes
 *   selftest_sync.c    what a sync costs, and whether it reaches the disk
 *   selftest_rates.c   ... and a commit of the library
 *   selftest_life.c    a log that is written to, and what must be in it then
 *   selftest_crash.c   that log, killed
 *   selftest_faults.c  an I/O table that stops or fails at a call
 *   selftest_errors.c  that log, on a disk that fails
 *
 * A part tells what it found by plog_selftest_say and goes on.  A part that
 * takes long asks plog_selftest_goes_on, and its loops end at their share of
 * the time, but not before they have made a few turns.
 */
#ifndef PLOG_SELFTEST_H
#define PLOG_SELFTEST_H

#include "err.h"
#include "io.h"
#include "paritylog_recovery.h"

#define PLOG_SELFTEST_STEM "paritylog-selftest-"
#define PLOG_SELFTEST_PATH 4096
#define PLOG_SELFTEST_FIGURES 10
#define PLOG_SELFTEST_WAIT 2.0 /* seconds for a lock that should be free */

struct plog_selftest {
    const struct plog_selftest_options *o;
    struct plog_selftest_report *report;
    const struct plog_io *io;
    const struct plog_test_host *host; /* NULL: none */
    int parent;                        /* DIR */
    char parent_path[PLOG_SELFTEST_PATH];
    int dir; /* the scratch folder; -1 until it is there */
    char name[64];
    char path[PLOG_SELFTEST_PATH + 64];
    int64_t started; /* monotonic */
    double
        measuring; /* seconds after that; shares of the time are of the rest */
    uint64_t random; /* state of plog_selftest_draw */
    struct plog_test_figure figures[PLOG_SELFTEST_FIGURES]; /* of the next */
    size_t figure_count;
    bool stopped; /* by the caller */
    bool memory;  /* a file system in memory: known to lose all */
};

/* Tells one test; `next` may be NULL.  `format` as printf. */
void plog_selftest_say(struct plog_selftest *t, const char *name,
                       enum plog_test_result result, const char *next,
                       const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Adds a figure to the test that is told next. */
void plog_selftest_figure(struct plog_selftest *t, const char *name,
                          double value);

/* Whether to go on: false once the caller has stopped it. */
bool plog_selftest_goes_on(struct plog_selftest *t, const char *phase,
                           uint64_t done);

/* As above, and there is time: `share` (0..1) of what there was when measuring
 * began has not passed, or `done` is below `least` and there is time at all. */
bool plog_selftest_has_time(struct plog_selftest *t, const char *phase,
                            double share, uint64_t done, uint64_t least);

/* Seconds since it began. */
double plog_selftest_clock(const struct plog_selftest *t);

/* Begins the numbers of one test anew, so that its n-th turn does not depend on
 * how many turns those before had time for. */
void plog_selftest_seed(struct plog_selftest *t, uint64_t test);
/* A number below `n`. */
uint64_t plog_selftest_draw(struct plog_selftest *t, uint64_t n);

/* Empties and removes a folder of ours, and those in it. */
PLOG_MUST_CHECK int plog_selftest_remove(const struct plog_io *io, int dir,
                                         const char *name);

/* Hears exactly `n` bytes of the child.  Returns false when it is gone, says
 * nothing for `seconds`, or the caller stopped. */
bool plog_selftest_hear(struct plog_selftest *t, void *p, size_t n,
                        double seconds);

/* In a child: waits for its SIGKILL. */
void plog_selftest_wait_for_kill(const struct plog_io *io)
    __attribute__((noreturn));

void plog_selftest_system(struct plog_selftest *t);
void plog_selftest_locks(struct plog_selftest *t);
void plog_selftest_names(struct plog_selftest *t);
void plog_selftest_sync(struct plog_selftest *t);
void plog_selftest_rates(struct plog_selftest *t);
void plog_selftest_crashes(struct plog_selftest *t);
void plog_selftest_errors(struct plog_selftest *t);

/* ---- A table that stops or fails at a call ------------------------------ */

struct plog_faults {
    struct plog_io io; /* to be given to the library; its ctx is this struct */
    const struct plog_io *base;
    const struct plog_test_host *host;
    uint64_t left;  /* calls that change the disk until it happens; 0: never */
    uint64_t calls; /* made so far */
    int error;      /* negative errno that it fails with; 0: it is killed */
    bool for_ever;  /* all later ones fail as well */
    bool happened;
    const void *last_words; /* said before the kill */
    size_t last_words_size;
};

/* Makes it pass everything on to `base`. */
void plog_faults_init(struct plog_faults *f, const struct plog_io *base);

/* ---- A log that is written to ------------------------------------------- */

#define PLOG_LIFE_RECORDS 41 /* that the deltas are about */

/* Delta number `k`, as JSON text.  Returns its bytes. */
#define PLOG_LIFE_TEXT 512
size_t plog_life_text(char out[PLOG_LIFE_TEXT], uint64_t k);

/* What a child tells at each step. */
struct plog_life_note {
    uint64_t attempted, acknowledged; /* deltas 1..N */
    int32_t code;                     /* PLOG_E_...: a step failed */
    int32_t stopped;                  /* at a disk call, to be killed now */
    char what[96];
};

struct plog_life {
    struct plog_selftest *t;
    const struct plog_io *io;
    char path[PLOG_SELFTEST_PATH + 80];
    char name[16];
    unsigned number;     /* of the logs that were made */
    uint64_t deltas;     /* that are in it, for sure: 1..N */
    uint64_t oldest;     /* the first that the store lists */
    uint64_t random;     /* of the steps */
    unsigned steps;      /* to be made; 0: without end */
    unsigned compacting; /* one step in so many closes and compacts */
    bool only_open;      /* opens, and closes */
    struct plog_life_note note;
    /* Told at each change of the note; may be NULL. */
    void (*tell)(struct plog_life *life);
    struct plog_faults *faults; /* NULL: none */
};

/* Makes a new log, with a peer; removes the one before.  Returns 0; as
 * plog_init. */
PLOG_MUST_CHECK int plog_life_make(struct plog_life *life,
                                   struct plog_selftest *t,
                                   struct plog_error *err);

/* Opens the log over life->io and goes on with it.  The note says how far it
 * came.  Returns 0, or the code of the step that failed. */
int plog_life_live(struct plog_life *life);

/*
 * Whether the log outlived it: opens it over the clean table, and compares.
 * @fresh  also after the store was made anew from the log
 * Returns 0, and life->deltas is what is there now; else the code, and `why`
 * (200 bytes) says what is wrong.
 */
PLOG_MUST_CHECK int plog_life_judge(struct plog_life *life, bool fresh,
                                    char *why);

#endif
