/*
 * rows.h - the rows of a query, as a table, JSON or CSV, while they come.
 *
 * JSON is an array of objects.  A column name that was there before gets
 * `:2`, `:3` and so on behind it, so that no member is lost.  An array that
 * an error cut off is not closed: no parser takes it for the whole.
 * CSV is RFC 4180 with LF; NULL is an empty field, an empty text is "".
 * Blobs are hex digits in both, and x'...' in the table.
 */
#ifndef TOOLS_ROWS_H
#define TOOLS_ROWS_H

#include "out.h"

enum rows_format { ROWS_TABLE, ROWS_JSON, ROWS_CSV };

/* SQLite's fundamental types, as plog_row.types has them. */
enum rows_type {
    ROWS_INTEGER = 1,
    ROWS_REAL = 2,
    ROWS_TEXT = 3,
    ROWS_BLOB = 4,
    ROWS_NULL = 5
};

struct table;

struct rows {
    enum rows_format format;
    bool begun, lacked_memory;
    char **names; /* no two alike */
    int count;
    struct out json;
    struct table *table;
};

void rows_init(struct rows *r, enum rows_format format);
void rows_fini(struct rows *r);

/* The callback of plog_reader_query; `arg` is a struct rows.  Returns
 * PLOG_E_NOMEM, PLOG_E_IO or PLOG_E_INTERRUPTED when it is time to stop: the
 * query calls each of them interrupted, so look at `lacked_memory` behind it.
 */
int rows_each(void *arg, const struct plog_row *row);

/* Ends what was printed, after a query that ran to its end. */
void rows_end(struct rows *r);

/* Writes the bytes of a blob as hex digits. */
void rows_hex(FILE *f, struct plog_span blob);

#endif
