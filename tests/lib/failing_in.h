/* failing_in.h - what failing.c and failing_sqlite.c share. */
#ifndef FAILING_IN_H
#define FAILING_IN_H

#include <stdbool.h>

/* Counts a call of the kinds in `whats` (bits 1 << enum failing_what); true:
 * this one fails. */
bool failing_now(unsigned whats, const char *call, const char *name);
/* SQLite's file layer, without its pauses. */
struct sqlite3_vfs *failing_vfs(void);
/* What lives of SQLite's memory. */
long failing_sqlite_live(void);

#endif
