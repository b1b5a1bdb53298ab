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
    char origin[PLOG_ORIGIN_MAX + 1];
    double wait_seconds;
    char private_copy[64]; /* of store.db, on a read-only mount; "" if none */
    struct plog_buf copy;
    int (*stop)(void *arg); /* asked while a query computes */
    void *stop_arg;
};

/* Opens the store for reading, whatever the mount allows: as it is, or a
 * private copy of database and WAL where SQLite may not write beside it. */
PLOG_MUST_CHECK int plog_reader_open_store(struct plog_reader *r,
                                           double wait_seconds,
                                           struct plog_error *err);
/* Opens the store again when another file has its name now (replay --fresh
 * set the old one aside): else a reader would wait on a file that nobody
 * writes any more. */
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
/* ... and with PLOG_DIR_STORE also where log/ is gone. */
PLOG_MUST_CHECK int
plog_reader_open_dir(struct plog_reader *r, const struct plog_io *io,
                     const char *dir, enum plog_dir_mode mode, const char *vkey,
                     struct plog_error *err);
void plog_reader_fini(struct plog_reader *r);

#endif
