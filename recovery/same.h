/*
 * same.h - whether a copy is the original: files byte for byte, stores row by
 * row in key order.
 */
#ifndef PLOG_SAME_H
#define PLOG_SAME_H

#include "reader.h"

/* What differs first; "" when nothing does. */
struct plog_difference {
    char what[160];
    uint64_t rows, bytes; /* compared */
};

/* The files of `copy` in log/ are those of `original`, or what these begin
 * with.  Returns 0, also when they differ; PLOG_E_IO; PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_same_log(const struct plog_dir *original,
                                  const struct plog_dir *copy,
                                  struct plog_difference *d,
                                  struct plog_error *err);

/* All that parity covers is the same in both stores, each in one read
 * transaction: entries, records, cursors, commits, segments up to the head,
 * and the head but for its place.  Returns as above, or a store error. */
PLOG_MUST_CHECK int plog_same_store(struct plog_store *original,
                                    struct plog_store *copy,
                                    struct plog_difference *d,
                                    struct plog_error *err);

#endif
