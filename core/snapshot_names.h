/*
 * snapshot_names.h - the files of DIR/snapshots/, each named by its floor.
 */
#ifndef PLOG_SNAPSHOT_NAMES_H
#define PLOG_SNAPSHOT_NAMES_H

#include "dir.h"

#define PLOG_SNAPSHOT_DIR "snapshots"
#define PLOG_SNAPSHOT_NAME 32 /* 20 digits, .jsonl.gz, NUL */

void plog_snapshot_name(uint64_t floor, char out[PLOG_SNAPSHOT_NAME]);
/* Returns false when `name` is not a snapshot's. */
bool plog_snapshot_parse(const char *name, uint64_t *floor);
/* Opens snapshots/, as plog_archive_dir. */
PLOG_MUST_CHECK int plog_snapshot_dir(const struct plog_dir *d, bool make,
                                      int *fd, struct plog_error *err);
/* Adds the floors of the snapshots that there are (uint64_t), in no order.
 * Returns 0, also when there is no folder; PLOG_E_IO; PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_snapshot_list(const struct plog_dir *d,
                                       struct plog_buf *floors,
                                       struct plog_error *err);

#endif
