/*
 * world.h - a log in a directory of its own, and what tests do to it from
 * outside: files read, changed and copied, SQL past the library.
 *
 * Every helper that can fail fails the running case and says why.
 */
#ifndef WORLD_H
#define WORLD_H

#include "paritylog_recovery.h"

struct world {
    char dir[512];
    char vkey[PLOG_VKEY_MAX];
    struct plog_options options; /* of world_open; over the order shim */
    plog *p;                     /* NULL while closed */
};

/* Makes a log and opens it.  segment_size 0: the default. */
void world_make(struct world *w, enum plog_strategy strategy,
                uint64_t segment_size);
/* Opens with w->options; w->p is NULL when that fails.  Returns the code. */
int world_open(struct world *w);
void world_close(struct world *w);

/* Writes a delta into `out`; id NULL: none.  Returns `out`. */
struct world_delta {
    const char *id, *record, *op, *payload, *time, *confidence;
};
char *world_text(char *out, size_t cap, const struct world_delta *d);
/* Appends an upsert of {"v":"VALUE"}.  Returns the code. */
int world_put(struct world *w, const char *id, const char *record,
              const char *value, struct plog_receipt *r);
/* Opens, puts "v3" into record r3 for each number from..to - 1, one a group,
 * and closes. */
void world_put_range(struct world *w, int from, int to);
/* Appends a text.  Returns the code. */
int world_append(struct world *w, const char *text, struct plog_receipt *r,
                 struct plog_error *err);
/* The head's size, by a reader. */
uint64_t world_size(const struct world *w);

/* A record as `PAYLOAD vN`, `deleted vN` or `none`; lives until the next
 * call. */
const char *world_record(const struct world *w, const char *record);
/* The line of an entry, NUL-terminated; the caller frees it. */
char *world_line(const struct world *w, uint64_t seq, size_t *len);

#define WORLD_FINDINGS 16
struct world_finding {
    int verdict;
    enum plog_leg leg;
    uint64_t seq, offset;
    bool has_offset;
    char file[64], next[160];
};
struct world_found {
    struct plog_check_report report;
    unsigned count; /* of all; the first ones are kept */
    struct world_finding first[WORLD_FINDINGS];
    unsigned unchecked;
};
/* Runs parity or verify with further options (NULL: none) and returns the
 * verdict. */
int world_parity(const struct world *w, const struct plog_check_options *o,
                 struct world_found *f);
int world_verify(const struct world *w, const struct plog_check_options *o,
                 struct world_found *f);
/* Closes, and both legs must be CLEAN at `size`; a store made anew from the
 * log must be so, too. */
void world_end(struct world *w, uint64_t size);

/* SQL on store.db by a connection that knows nothing of the library. */
void world_sql(const struct world *w, const char *sql);
/* The one number that a query gives; -1 when it gives none. */
int64_t world_number(const struct world *w, const char *sql);

/* A path below the directory; lives until the call after next. */
const char *world_path(const struct world *w, const char *name);
bool world_has(const struct world *w, const char *name);
/* A file's bytes, with a NUL behind them; the caller frees them. */
char *world_read(const char *path, size_t *len);
void world_write(const char *path, const void *bytes, size_t len);
void world_copy(const char *from, const char *to); /* a tree, onto nothing */
void world_drop_store(const struct world *w); /* what there is of its files */
/* A file of another directory, or the store of it, in the place of the own. */
void world_take(const struct world *w, const char *from, const char *name);
void world_take_store(const struct world *w, const char *from);
void world_remove(const char *path); /* a tree */

/* The monotonic clock. */
double world_seconds(void);

#endif
