/*
 * key_list.h - the keys of a directory, for those who only read.
 */
#ifndef PLOG_KEY_LIST_H
#define PLOG_KEY_LIST_H

#include "rotate.h"

/*
 * The keys of the log in `dir` and the size it has: from the store, without
 * one from the whole log.
 * Returns 0; PLOG_E_NOTHING; PLOG_E_UNKNOWN_KEY; a verdict; PLOG_E_IO.
 */
PLOG_MUST_CHECK int plog_read_keychain(const char *dir,
                                       const struct plog_options *o,
                                       struct plog_keychain *out,
                                       uint64_t *size, struct plog_error *err);

#endif
