/*
 * old_ids.h - ids of entries whose lines are gone.
 *
 * What is kept of such an entry is the SHA-256 of its id, its seq and leaf,
 * and the SHA-256 of what a caller can send again (docs/FORMAT.md, section
 * 3.7), so that a repeat is still recognised.
 */
#ifndef PLOG_OLD_IDS_H
#define PLOG_OLD_IDS_H

#include "store.h"

struct plog_old_id {
    unsigned char id[PLOG_HASH_SIZE]; /* SHA-256 of the decoded id */
    uint64_t seq;
    unsigned char leaf[PLOG_HASH_SIZE];
    bool has_content; /* not of a redacted entry */
    unsigned char content[PLOG_HASH_SIZE];
};

/* What is kept of an entry.  `line` is its line, `e` the same, parsed. */
void plog_old_id_of(const struct plog_entry *e, struct plog_span line,
                    struct plog_old_id *out);
/* SHA-256 of a delta's members as they were written. */
void plog_content_hash(const struct plog_delta *d,
                       unsigned char out[PLOG_HASH_SIZE]);

PLOG_MUST_CHECK int plog_store_add_old_id(struct plog_store *s,
                                          const struct plog_old_id *id,
                                          struct plog_error *err);
/* Looks one up by the hash of its id.  Returns 0 or PLOG_END. */
PLOG_MUST_CHECK int plog_store_old_id(struct plog_store *s,
                                      const unsigned char *id,
                                      struct plog_old_id *out,
                                      struct plog_error *err);
/* Looks one up by its text.  Returns 0 or PLOG_END. */
PLOG_MUST_CHECK int plog_store_find_old_id(struct plog_store *s,
                                           struct plog_span id,
                                           struct plog_old_id *out,
                                           struct plog_error *err);

#endif
