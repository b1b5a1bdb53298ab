/*
 * wal_gather.h - the frames of one transaction, written to SQLite's WAL with
 * few calls.
 *
 * SQLite writes each frame with two calls, 24 bytes of header and the page,
 * and a commit of one delta has five frames.  Here they lie side by side until
 * the frame that commits is whole, and go out together; the call that hands
 * over its last byte returns what the write returned.  Nobody sees a frame
 * before that: what tells others of it (the WAL's index) moves afterwards.
 */
#ifndef PLOG_WAL_GATHER_H
#define PLOG_WAL_GATHER_H

#include "buf.h"

struct plog_wal_gather {
    const struct plog_io *io;
    unsigned char *bytes; /* PLOG_WAL_GATHER_MAX; NULL: not made yet */
    size_t len;
    int64_t at;   /* where they go */
    bool commits; /* the frame at hand is the last of its transaction */
};

#define PLOG_WAL_GATHER_MAX 65536u

/* Writes `n` bytes at `at`; what it returns is passed on. */
typedef int plog_wal_write(void *arg, const void *p, int n, int64_t at);

void plog_wal_gather_init(struct plog_wal_gather *g, const struct plog_io *io);
void plog_wal_gather_fini(struct plog_wal_gather *g);

/* Takes a write of SQLite's, `n` bytes of `p` at `at`, and passes on what may
 * not wait.  Returns 0, or what `write` returned: then nothing waits. */
int plog_wal_gather_write(struct plog_wal_gather *g, const void *p, int n,
                          int64_t at, plog_wal_write *write, void *arg);
/* Passes on what waits.  Returns as above. */
int plog_wal_gather_flush(struct plog_wal_gather *g, plog_wal_write *write,
                          void *arg);
/* The transaction is over: what waits was taken back, and is forgotten, for
 * another connection may write there now. */
void plog_wal_gather_drop(struct plog_wal_gather *g);

#endif
