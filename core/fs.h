/*
 * fs.h - the file system that a directory lies on.
 *
 * SQLite's WAL needs shared memory between all who have the database open,
 * and locks that hold; over a network neither is sure.
 */
#ifndef PLOG_FS_H
#define PLOG_FS_H

#include "dir.h"

/* An empty file of this name in DIR says: I know, do it all the same. */
#define PLOG_FS_MARKER "allow-network-fs"

enum plog_fs_kind {
    PLOG_FS_LOCAL,
    PLOG_FS_NETWORK, /* SQLite's WAL is not safe there */
    PLOG_FS_MEMORY,  /* nothing lasts */
    PLOG_FS_USER,    /* FUSE: whatever is behind it */
    PLOG_FS_UNKNOWN
};

/* The kind of a file system by its type (statfs), and its name, e.g. "nfs";
 * "type 0x..." when unknown.  @name  out, 32 bytes */
enum plog_fs_kind plog_fs_kind_of(uint64_t type, char *name);

/*
 * Refuses a directory on a network file system, unless the marker is in it or
 * the caller says that it is `allowed`.
 * Returns 0, also where the table cannot tell; PLOG_E_IO.
 */
PLOG_MUST_CHECK int plog_fs_check(const struct plog_dir *d, bool allowed,
                                  struct plog_error *err);

/* Whether it is known to be of this machine alone, so that memory mapped from
 * its files is the same for all who map it. */
bool plog_fs_is_local(const struct plog_dir *d);

/* Whether the marker is there. */
bool plog_fs_is_allowed(const struct plog_dir *d);

#endif
