/*
 * reader.h - the handle behind plog_reader_open.
 *
 * A reader takes no lock and leaves no statement open between calls, so that
 * it never pins an old snapshot.  Results are copied into `copy`.
 */
#ifndef PLOG_READER_H
#define PLOG_READER_H

#include "store.h"
#include "walk.h"

struct plog_reader {
    const struct plog_io *io;
    struct plog_dir dir;
    struct plog_keyring keys;
    struct plog_store store;
    bool store_open;
    bool asks_log; /* whether it is of the log there, whenever it is opened */
    char origin[PLOG_ORIGIN_MAX + 1];
    double wait_seconds;
    char private_copy[64]; /* of store.db, where SQLite cannot make its shared
                              memory; "" if none */
    bool copy_ages;        /* others may write to what it was made of */
    struct plog_buf copy;
    int64_t pid;            /* of the process that opened it */
    bool busy;              /* a function of it is under way, and may call */
    int (*stop)(void *arg); /* asked while a query computes */
    void *stop_arg;
};

/*
 * Begins a call of a reader's public functions; plog_reader_leave ends it.
 * Returns 0, or PLOG_E_ARG, and nothing is begun: in a child of the process
 * that opened it, or from a callback of a call that is under way, whose
 * snapshot and memory would be lost.
 */
PLOG_MUST_CHECK int plog_reader_enter(struct plog_reader *r,
                                      struct plog_error *err);
/* Returns `rc`, which the call came to. */
int plog_reader_leave(struct plog_reader *r, int rc, struct plog_error *err);
/* Whether this is a child of the process that opened it. */
bool plog_reader_forked(const struct plog_reader *r);

/* Opens the store for reading, whatever the mount allows: as it is, or a
 * private copy of database and WAL where SQLite may not write beside it, or has
 * no room to. */
PLOG_MUST_CHECK int plog_reader_open_store(struct plog_reader *r,
                                           double wait_seconds,
                                           struct plog_error *err);
/* Whether the store is of the log that is there, by names alone: segments that
 * are damaged or gone tell nothing, and keys/ then what they do.
 * Returns 0, or PLOG_E_FOREIGN. */
PLOG_MUST_CHECK int plog_reader_check_log(struct plog_reader *r,
                                          struct plog_error *err);
/* The name in the header of segment `first`, on its word alone.
 * @name  out, PLOG_ORIGIN_MAX + 1 bytes
 * Returns whether there is one that can be read. */
bool plog_reader_segment_name(struct plog_reader *r, uint64_t first,
                              char *name);
/* Whether the store is open, and what is written to the one with its name is
 * seen through it. */
bool plog_reader_is_current(struct plog_reader *r);
/* Opens the store again when it is not: another file has its name now (replay
 * --fresh set the old one aside): else a reader would wait on a file that
 * nobody writes any more. */
PLOG_MUST_CHECK int plog_reader_refresh(struct plog_reader *r,
                                        struct plog_error *err);
/* Begins one snapshot of the store that has the name. */
PLOG_MUST_CHECK int plog_reader_begin(struct plog_reader *r,
                                      struct plog_error *err);
/* The same without the store. */
PLOG_MUST_CHECK int plog_reader_open_log(struct plog_reader *r,
                                         const struct plog_io *io,
                                         const char *dir, const char *vkey,
                                         struct plog_error *err);
/* ... and with PLOG_DIR_STORE also where log/ is gone.  @loose  as
 * plog_dir_open */
PLOG_MUST_CHECK int
plog_reader_open_dir(struct plog_reader *r, const struct plog_io *io,
                     const char *dir, enum plog_dir_mode mode, bool loose,
                     const char *vkey, struct plog_error *err);
void plog_reader_fini(struct plog_reader *r);

#endif
