/* oracle_read.h - what a simulated disk holds, read past the library. */
#ifndef ORACLE_READ_H
#define ORACLE_READ_H

#include "sim.h"

/* All segments one after another, without the padding of the last one; the
 * caller frees it. */
char *oracle_log_text(const struct sim_image *m, size_t *len);
/* A number for everything that the log determines in the store; 0 when it
 * cannot be read. */
uint64_t oracle_store_digest(struct sim *s);
/* A number for all files of log/ and quarantine/. */
uint64_t oracle_files_hash(const struct sim_image *m);
/* Whether the bytes stand in some file of log/ or quarantine/. */
bool oracle_keeps(const struct sim_image *m, const unsigned char *bytes,
                  size_t n);

#endif
