/*
 * commit_at.h - whether a store's head is where the log says: the commit that
 * stands right before an offset.
 */
#ifndef PLOG_COMMIT_AT_H
#define PLOG_COMMIT_AT_H

#include "dir.h"
#include "store.h"

/*
 * Whether the head's commit is what stands right before the head's offset in
 * its segment: the commit line, or behind a bare header the header's
 * checkpoint.  The signature is checked, too.
 * @keys  of the store (plog_store_keys)
 * @fd    of that segment
 * Returns 0; PLOG_END when it is not; PLOG_E_UNKNOWN_KEY; PLOG_E_FOREIGN when
 * the segment is another log's; an error of opening or reading.
 */
PLOG_MUST_CHECK int plog_commit_stands(const struct plog_dir *dir,
                                       const struct plog_keychain *keys, int fd,
                                       const struct plog_store_head *h,
                                       struct plog_error *err);
/* The same, but the signature is left to the caller.
 * @key  out: whose it must be; borrowed from `keys` */
PLOG_MUST_CHECK int plog_commit_reads(const struct plog_dir *dir,
                                      const struct plog_keychain *keys, int fd,
                                      const struct plog_store_head *h,
                                      const struct plog_vkey **key,
                                      struct plog_error *err);
/* Whether that commit line stands there, whatever the segment's header says;
 * nothing else is asked. */
bool plog_commit_lies(const struct plog_dir *dir, int fd,
                      const struct plog_store_head *h);

#endif
