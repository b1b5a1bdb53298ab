/*
 * vfs.h - SQLite's files, seen through the I/O table.
 *
 * A thin layer over the table's vfs_base (SQLite's own unix VFS when that is
 * NULL): it passes every call on, so SQLite's locks and shared memory are its
 * own, and reports each read, write, sync, truncation and deletion to the
 * table's store_event before and after.
 */
#ifndef PLOG_VFS_H
#define PLOG_VFS_H

#include "err.h"

struct plog_vfs;

/* Registers a layer under a name of its own.  Returns 0, PLOG_E_NOMEM, or
 * PLOG_E_IO when SQLite has no VFS to stand on. */
PLOG_MUST_CHECK int plog_vfs_open(struct plog_vfs **out,
                                  const struct plog_io *io);
/* For who only reads: nothing is deleted then.  SQLite would remove a WAL
 * beside an empty database even so. */
void plog_vfs_keep(struct plog_vfs *v);
/* Unregisters and frees; no connection may use it any more.  NULL is fine. */
void plog_vfs_close(struct plog_vfs *v);
/* Whether a sync of a WAL has failed since this was last asked. */
bool plog_vfs_wal_lost(struct plog_vfs *v);
/* The name for sqlite3_open_v2. */
const char *plog_vfs_name(const struct plog_vfs *v);

#endif
