/*
 * table.h - rows in columns, for people.
 *
 * The first rows are held back to learn the widths; what follows is printed
 * as it comes, so that memory does not grow with the result.  All text is
 * escaped for terminals.
 */
#ifndef TOOLS_TABLE_H
#define TOOLS_TABLE_H

#include "paritylog.h"

struct table;

/* NULL: out of memory. */
struct table *table_new(const char *const *names, int columns);
void table_free(struct table *t);

/* Returns 0 or PLOG_E_NOMEM. */
int table_row(struct table *t, const struct plog_row *row);

/* Prints what is still held back. */
void table_end(struct table *t);

#endif
