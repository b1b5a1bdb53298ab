/*
 * oracle.h - what a simulated machine has promised, and whether a disk that a
 * crash left keeps it.
 *
 * A run is recorded: before each call of the library its beginning is noted,
 * after it what it promised.  Then every disk that a crash could have left is
 * opened by the library on a new machine, and must hold:
 *   - all that was acknowledged before the crash, nothing that was not
 *     attempted, and the end of a group (size and root of a recorded head);
 *   - in the log exactly the bytes that this head had in the recorded run;
 *   - in the store exactly what it had then, so it is the fold of that log;
 *   - every byte of the log beyond, as the crash left it, in quarantine/;
 *   - the same bytes after opening once more (of one in twice_every).
 * Some are crashed again while they recover, some judged by parity, too.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include "sim.h"

#define ORACLE_CALLS 40
#define ORACLE_DIR "/log"

struct oracle_call {
    size_t began, done; /* operations in the history */
    uint64_t size;      /* of the log then */
    unsigned char root[PLOG_HASH_SIZE];
    uint64_t store; /* digest of what it held */
    size_t log_len; /* without padding */
};

struct oracle_counts {      /* may be shared between processes */
    unsigned long states;   /* disks that were made */
    unsigned long distinct; /* of these judged: the others were equal */
    unsigned long again;    /* of these after a crash of the recovery */
    unsigned long twice;    /* opened a second time */
    unsigned long torn;     /* where something went to quarantine/ */
    unsigned long checked;  /* judged by parity, too */
    unsigned long broken;   /* that broke a promise */
};

struct oracle {
    struct sim sim; /* the machine that is recorded */
    plog *p;        /* on it; NULL while closed */
    struct sim_image start;
    struct oracle_call calls[ORACLE_CALLS];
    unsigned count;
    char *log; /* after the last call, all segments */
    size_t log_len;
    /* What judging a disk does besides. */
    unsigned again_every;  /* crash the recovery of one in so many; 0: none */
    unsigned twice_every;  /* open one in so many a second time */
    unsigned parity_every; /* check one in so many; 0: none */
    unsigned op_every;     /* crash behind one operation in so many; 0: each */
    struct sim_breadth breadth, again_breadth;
    uint64_t seed, first_seed;
    struct oracle_counts *counts;
    const char *name; /* of the run, for messages */
    /* The same run without a fault: what a call that failed would have left.
     * NULL: none fails. */
    const struct oracle *twin;
    /* In place of comparing with the recorded bytes: called with the opened
     * and closed machine, returns what is wrong.  For runs whose calls change
     * more than the log's end; parity follows each time. */
    const char *(*holds)(struct oracle *o, struct sim *s,
                         struct plog_error *err);
    /* What an operator does when the log does not open; NULL: it must. */
    int (*mend)(struct sim *s, struct plog_error *err);
    /* Private. */
    unsigned printed;
    bool open;                      /* the last call was indeterminate */
    const struct sim_image *before; /* the disk of the first of two crashes */
    size_t at;                      /* the crash is behind so many operations */
    uint64_t least, *seen;
    bool anew; /* judging what a second init left */
    size_t seen_count, seen_cap;
};

/* A run on a copy of `disk`; NULL: an empty machine with a root directory. */
void oracle_begin(struct oracle *o, const char *name,
                  const struct sim_image *disk, uint64_t seed,
                  struct oracle_counts *counts);
void oracle_end(struct oracle *o);

/* Opens, closes the log of the run. */
void oracle_open(struct oracle *o);
void oracle_close(struct oracle *o);
/* Makes the log. */
void oracle_init(struct oracle *o, enum plog_strategy strategy,
                 uint64_t segment_size);
/* Appends `count` deltas as one group.  Returns the code, which must be 0 but
 * in a run with a twin. */
int oracle_append(struct oracle *o, const char *const *deltas, size_t count);
/* Notes a call that began `began` operations into the history and has ended
 * with `rc`: 0 means that its outcome is promised from here on, INDETERMINATE
 * that it may be there, all else that it is not.  Returns `rc`. */
int oracle_ended(struct oracle *o, size_t began, int rc);
/* Opens again what a run with a twin left, on the same machine: what it finds
 * is promised.  The library's code. */
int oracle_reopen(struct oracle *o);

/* Judges every crash of the recorded run.  Returns how many disks broke a
 * promise; each is printed. */
unsigned long oracle_crash_all(struct oracle *o);
/* The same, behind operation `from` only. */
unsigned long oracle_crash_from(struct oracle *o, size_t from);

/* Opens the log on any machine. */
int oracle_open_on(plog **p, struct sim *s, struct plog_error *err);
/* Parity's verdict on a machine; or why it could not tell. */
int oracle_parity(struct sim *s);
/* The head on a machine.  False: it cannot be read. */
bool oracle_head(struct sim *s, struct plog_head *head);
void oracle_add(struct oracle_counts *to, const struct oracle_counts *n);
/* Prints the counts in one line. */
void oracle_report(const struct oracle_counts *n, const char *what,
                   double seconds);

#endif
