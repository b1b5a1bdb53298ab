/*
 * connections.h - that no connection to a store is made in a process that was
 * forked with some open.
 *
 * SQLite keeps what it has locked in memory, which a child inherits, and the
 * kernel does not give the child those locks: a connection made there would
 * believe that it holds what nobody does.  Another program could then remove
 * the WAL under a writer, or move pages under a reader.  Memory that another
 * thread had in hand at the fork stays as it was, locked for good.
 */
#ifndef PLOG_CONNECTIONS_H
#define PLOG_CONNECTIONS_H

#include "err.h"

/* Before a connection is made.  Returns 0, and then it is counted until
 * plog_connections_end; or PLOG_E_ARG.  Any thread, as the other one.
 * @io  where files are not those of SQLite's own file layer nothing is counted
 */
PLOG_MUST_CHECK int plog_connections_begin(const struct plog_io *io,
                                           struct plog_error *err);
void plog_connections_end(const struct plog_io *io);
/* Whether this process has one: then to close a file of a store takes its locks
 * (POSIX has it so). */
bool plog_connections_any(void);

#endif
