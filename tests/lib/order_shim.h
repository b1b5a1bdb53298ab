/*
 * order_shim.h - the I/O table that holds the library to its first promise.
 *
 * It passes everything on to the real table and watches the order: when
 * SQLite's WAL receives a frame that commits a transaction, no byte of the log
 * may be waiting for its sync, and no new segment for its directory's.  A
 * violation prints what was pending and aborts the program.
 */
#ifndef ORDER_SHIM_H
#define ORDER_SHIM_H

#include <stdbool.h>

#include "paritylog.h"

/* One for the whole process; any number of handles and threads. */
const struct plog_io *order_io(void);

/* Whether SQLite is about to write a frame to its WAL that commits. */
bool order_is_commit(const struct plog_store_event *e);

/* How many commits were checked so far, so that a test can tell that the
 * check ran at all. */
unsigned long order_commits_checked(void);

#endif
