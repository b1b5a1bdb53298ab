/*
 * fold_row.h - a row of `state`, as SQLite's statements have it.
 */
#ifndef PLOG_FOLD_ROW_H
#define PLOG_FOLD_ROW_H

#include "fold.h"

/* Columns behind the record's name, in the order of plog_fold_row_read. */
#define PLOG_FOLD_ROW_VALUES                                                   \
    "seq,last,version,seconds,nanos,confidence,origin,origin_seq,payload_at,"  \
    "payload_len,merged"
/* And a place for each column of `state`, for plog_fold_row_write. */
#define PLOG_FOLD_ROW_PLACES "(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)"

/* The values at column `from` and behind it; texts live as long as the row. */
void plog_fold_row_read(sqlite3_stmt *s, int from, struct plog_current *out);
/* Binds all columns and runs the statement.  Returns 0 or a store error. */
PLOG_MUST_CHECK int plog_fold_row_write(sqlite3_stmt *s,
                                        struct plog_span resource,
                                        struct plog_span record_id,
                                        const struct plog_current *now,
                                        struct plog_error *err);

#endif
