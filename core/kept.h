/*
 * kept.h - what archive/ and snapshots/ prove: that the log was longer.
 *
 * In ordinary use no file there lies above the log's last segment, and none is
 * read.
 */
#ifndef PLOG_KEPT_H
#define PLOG_KEPT_H

#include "scan.h"

#define PLOG_KEPT_FILE 64
#define PLOG_KEPT_NEXT 220

/* A commit that somebody kept, and the file: named by the seq behind it. */
struct plog_kept {
    struct plog_commit last; /* size 0: none */
    uint64_t first;
    bool archived; /* else it is a snapshot's */
};

/*
 * Looks for what proves most.
 * @chain  of the log: its origin and keys
 * @size   where that ends
 * Returns 0, with out->last.size 0 when nothing proves that it was longer;
 * PLOG_E_IO; PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_kept_find(const struct plog_dir *dir,
                                   const struct plog_chain *chain,
                                   uint64_t size, struct plog_kept *out,
                                   struct plog_error *err);
/* Whether there is a name that would be looked into. Returns 0; PLOG_E_IO;
 * PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_kept_any(const struct plog_dir *dir, bool *any,
                                  struct plog_error *err);
/* The file, and what to do about it. */
void plog_kept_name(const struct plog_kept *k, uint64_t size,
                    char file[PLOG_KEPT_FILE], char next[PLOG_KEPT_NEXT]);

/* For whoever brings a store up to the log.
 * Returns 0; PLOG_E_ROLLBACK; PLOG_E_IO; PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_kept_refuse(const struct plog_dir *dir,
                                     const struct plog_chain *chain,
                                     uint64_t size, struct plog_error *err);

/* What is none holds nothing; whoever needs what should be in it says so. */
bool plog_kept_is_folder(const struct plog_dir *d, const char *name);

#endif
