/*
 * sql.h - SQLite calls with our errors.
 *
 * What returns int and says nothing else gives 0 or what plog_sql_code makes of
 * SQLite's code, with `err` filled.
 */
#ifndef PLOG_SQL_H
#define PLOG_SQL_H

#include <sqlite3.h>

#include "buf.h"
#include "err.h"

/* The code for one of SQLite's: BUSY and LOCKED are PLOG_E_LOCKED, INTERRUPT is
 * PLOG_E_INTERRUPTED, what says that this is no store of ours (CORRUPT, NOTADB,
 * CONSTRAINT, MISMATCH, SCHEMA, ERROR) PLOG_E_DIVERGED, the rest PLOG_E_IO or
 * PLOG_E_NOMEM. */
int plog_sql_code(int sqlite_rc);

/* Fills `err` from the connection; returns the code. */
int plog_sql_fail(struct plog_error *err, sqlite3 *db, const char *doing);

/* Prepares one statement that is kept. */
PLOG_MUST_CHECK int plog_sql_prepare(sqlite3 *db, const char *sql,
                                     sqlite3_stmt **out,
                                     struct plog_error *err);
/* The same with numbers for ?1 and ?2, as far as it has them. */
PLOG_MUST_CHECK int plog_sql_prepare_with(sqlite3 *db, const char *sql,
                                          uint64_t a, uint64_t b,
                                          sqlite3_stmt **out,
                                          struct plog_error *err);
/* Runs statements without results. */
PLOG_MUST_CHECK int plog_sql_exec(sqlite3 *db, const char *sql,
                                  struct plog_error *err);
/* Steps a statement that gives no row, and resets it. */
PLOG_MUST_CHECK int plog_sql_run(sqlite3_stmt *s, struct plog_error *err);
/* Steps once.  Returns 0 with a row, PLOG_END without (then it was reset),
 * or an error (reset). */
PLOG_MUST_CHECK int plog_sql_row(sqlite3_stmt *s, struct plog_error *err);
/* One number, 0 for NULL: the first column of the first row of a statement that
 * is not kept.  `a` and `b` are its ?1 and ?2, as far as it has them.
 * Returns 0; PLOG_END without a row, and *out is 0; an error. */
PLOG_MUST_CHECK int plog_sql_number(sqlite3 *db, const char *sql, uint64_t a,
                                    uint64_t b, uint64_t *out,
                                    struct plog_error *err);
/* Runs a statement that gives no row and is not kept, with numbers as above. */
PLOG_MUST_CHECK int plog_sql_change(sqlite3 *db, const char *sql, uint64_t a,
                                    uint64_t b, struct plog_error *err);
/* As plog_sql_row, for rows that are read in step with something else: 0 at the
 * end, too, and *ready says whether a row is at hand. */
PLOG_MUST_CHECK int plog_sql_next(sqlite3_stmt *s, bool *ready,
                                  struct plog_error *err);

/* Binds a text without copying; it must live until the statement's reset.
 * p NULL binds SQL NULL. */
void plog_sql_bind(sqlite3_stmt *s, int at, struct plog_span text);
void plog_sql_bind_u64(sqlite3_stmt *s, int at, uint64_t n);
/* The bytes of a column, whatever its type; valid until the next step. */
struct plog_span plog_sql_text(sqlite3_stmt *s, int column);
/* A column as a number; 0 for NULL and negative ones. */
uint64_t plog_sql_u64(sqlite3_stmt *s, int column);

/* Whether a pragma, as an authorizer hears of it, only tells.  `value` NULL:
 * none was given.  Virtual tables ask some of them by themselves. */
bool plog_sql_pragma_tells(const char *name, const char *value);

#endif
