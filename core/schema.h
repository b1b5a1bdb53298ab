/*
 * schema.h - the store's tables, and whether a database has exactly them.
 */
#ifndef PLOG_SCHEMA_H
#define PLOG_SCHEMA_H

#include "sql.h"

/* Makes all tables inside the transaction that is open. */
PLOG_MUST_CHECK int plog_schema_create(sqlite3 *db, struct plog_error *err);

/*
 * Compares the schema with ours: every table, index and view of ours with the
 * very text we made it with, nothing else under those names, and no trigger
 * on any of them.  Other tables are a caller's own and are left alone.
 * @has_tables  out: false when the database has no table of ours at all
 * Returns 0; PLOG_E_DIVERGED; PLOG_E_FORMAT for a newer schema.
 */
PLOG_MUST_CHECK int plog_schema_check(sqlite3 *db, bool *has_tables,
                                      struct plog_error *err);

/* Whether a database, of which nothing is believed, has a table with this name
 * of ours and the very text that we made it with. */
bool plog_schema_has(sqlite3 *db, const char *table);

/* Whether a table name is one of ours. */
bool plog_schema_is_ours(const char *name);

/* Counts the tables that are a caller's own.  Returns 0 or a store error. */
PLOG_MUST_CHECK int plog_schema_count_own(sqlite3 *db, uint64_t *count,
                                          struct plog_error *err);

#endif
