/*
 * sweeping.h - every call of every operation fails once, and what must hold
 * then.
 *
 * A program gives a table of operations.  Each is run on a copy of its world
 * without any fault, which counts the calls of each kind, and then again and
 * again with the n-th one failing.  After each run:
 *
 *   - the code is one that the contract has for such a fault, with a text; 0
 *     only when all effects are there, and a fault that must not be seen
 *     (interrupted, short) gives 0;
 *   - no memory of the table or of SQLite lives on, no handle is open;
 *   - no sync that failed was made again;
 *   - no file is gone or changed that the operation has no business with;
 *   - over the real table the directory opens; both legs are CLEAN; every entry
 *     that was there or acknowledged is in the log, and no other than those
 *     attempted;
 *   - the same operation, run again, completes.
 *
 * The last two are done once for each state of the files that a fault left.
 *
 * STORM_BUDGET (seconds, 10): as many positions as fit, spread over all;
 * STORM_ALL: every one; SWEEP_STRIDE: of SQLite's allocations, of which there
 * are far more than of anything else, every so many-th.  SWEEP_OP, SWEEP_KIND,
 * SWEEP_AT: only those operations, kinds (see failing_names; several with |
 * between them), that position.  CHECK_SEED.
 */
#ifndef SWEEPING_H
#define SWEEPING_H

#include "failing.h"
#include "paritylog_recovery.h"

#define SWEEP_IDS 16
#define SWEEP_TEXT 16

/* What an operation works in: a copy of its world. */
struct stage {
    char top[400];
    char dir[440];  /* the log */
    char out[440];  /* a path that is not there */
    char file[440]; /* a file beside the log */
    const struct plog_io *io;
    bool ever; /* the fault is one that stays */
    struct plog_error err;
    /* Deltas that the operation tried to append, and which of them the library
     * said are durable. */
    struct {
        char id[SWEEP_TEXT];
        bool acked;
        uint64_t seq;
    } tried[SWEEP_IDS];
    unsigned tries;
    uint64_t told;    /* of all that was given out, see sweep_tell */
    char broken[300]; /* what the operation itself found wrong */
    uint64_t size;    /* done: of the log now */
};

struct sweep_op {
    const char *name;
    const char *world; /* a folder that `worlds` made; "" for none */
    int (*run)(struct stage *s);
    /* What is missing of the effects, or NULL: told after it returned 0. */
    const char *(*done)(struct stage *s);
    unsigned entries; /* that it adds to the log */
    bool reads;       /* changes no byte of anything */
    bool repeats;     /* run again, it adds them once more */
    bool rewrites;    /* may change lines that were there */
    bool arms;        /* it calls sweep_go itself, once it has come to what
                         is to be swept */
    bool closed;      /* no log opens in this world before it is done */
    const char *like; /* ... but its entries must come to be those of this */
    bool storeless;   /* a fault may leave it without a store, which opening
                         says and running it again mends */
    bool harmed;      /* ... and none after it */
    const char *mine; /* files that it may change or remove: starts of names,
                         separated by spaces */
    int again;        /* another code of a second run: it is done already */
    int code[4];      /* further codes of its contract under a fault */
    /* All that is called behind a failure that is told, besides closing and
     * unlocking: how it begins, as failing_hit() says it, with | between them;
     * `nothing`.  NULL: not looked at. */
    const char *behind;
};

/* Seconds that an operation may wait for another program; and the members that
 * all options have. */
#define SWEEP_WAIT 0.2
#define SWEEP_COMMON(s) .io = (s)->io, .wait_seconds = SWEEP_WAIT

/* Those of plog_open. */
struct plog_options sweep_options(const struct stage *s);

/* Arms the fault. */
void sweep_go(struct stage *s);
/* Takes note of something given out. */
void sweep_tell(struct stage *s, const void *p, size_t n);
void sweep_tell_number(struct stage *s, uint64_t n);
/* Takes note of what the operation found wrong; first one wins. */
void sweep_broken(struct stage *s, const char *format, ...);

/* Makes the worlds below `top`, each in a folder of its name: `log` in it is
 * the directory. */
typedef void sweep_worlds(const char *top);

/* Each operation in `names` with each kind of fault in `kinds` (| between them)
 * as a case of a test, `OPERATION, KIND`: each position, once, of what writes
 * some, with no world but the one that it begins in; and of the states that an
 * error left only some are looked at. */
struct sweep_ops;
int sweep_cases(int argc, char **argv, const struct sweep_ops *ops,
                const char *names, const char *kinds);
int sweep_main(int argc, char **argv, const char *name, sweep_worlds *worlds,
               const struct sweep_op *ops, size_t count);

#endif
