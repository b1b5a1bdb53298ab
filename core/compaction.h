/*
 * compaction.h - compact entries: what moves the floor of a log.
 *
 *   {"seq":99,"control":"compact","args":{"from":OLD,"to":NEW,"root":..,
 *    "archive":true,"snapshot":"SHA-256","strategy":..,"max_line":..,
 *    "segment_size":..,"peers":[..],"rotations":[..]},...}
 *
 * The floor is the highest seq that was compacted away.  A log that begins
 * behind seq 1 is whole only if its last compact entry sets a floor that
 * reaches there.  docs/FORMAT.md, section 3.6.
 */
#ifndef PLOG_COMPACTION_H
#define PLOG_COMPACTION_H

#include "rotate.h"

struct plog_dir;
struct plog_store;

struct plog_compaction {
    uint64_t at;                        /* seq of the entry itself */
    uint64_t from, to;                  /* the floor before and after */
    unsigned char root[PLOG_HASH_SIZE]; /* of the first `to` entries */
    bool archive;                       /* what was removed is in archive/ */
    bool has_snapshot;                  /* not with `to` 0 */
    unsigned char snapshot[PLOG_HASH_SIZE]; /* SHA-256 of its text */
    struct plog_init_args rules;            /* in force behind `to` */
    struct plog_span peers, rotations;      /* arrays, raw, in the line */
};

/* Appends the arguments.  `peers` and `rotations` are compact JSON arrays. */
PLOG_MUST_CHECK int plog_compaction_format(struct plog_buf *args,
                                           const struct plog_compaction *c);

/* Reads a compact entry and what it proves by itself.
 * Returns 0; PLOG_E_CORRUPT; PLOG_E_TAMPERED when a signature of one of its
 * rotations does not verify; PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_compaction_parse(const struct plog_entry *e,
                                          const struct plog_io *io,
                                          struct plog_compaction *out);
/* Whether a line is a compact entry; anything else, in whatever shape, is
 * not.  Spans of `out` point into `line`.
 * Returns 1 when it is one, 0 when not, or PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_compaction_read(struct plog_entry_parser *parser,
                                         struct plog_span line,
                                         struct plog_compaction *out);

/* One peer that the entry names: its cursor allowed the cut. */
struct plog_compact_peer {
    struct plog_span name; /* decoded, valid until the next call */
    uint64_t cursor;
    bool has_root;
    unsigned char root[PLOG_HASH_SIZE];
};
struct plog_compact_peers {
    struct plog_json_walk walk;
    struct plog_buf text;
};
void plog_compact_peers(struct plog_compact_peers *p, const struct plog_io *io,
                        const struct plog_compaction *c);
/* Returns 0; PLOG_END; PLOG_E_CORRUPT; PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_compact_peers_next(struct plog_compact_peers *p,
                                            struct plog_compact_peer *out);
void plog_compact_peers_fini(struct plog_compact_peers *p);

/* Appends `{"seq":N,"rotate":ARGS}` (or restore) for a rotation's line. */
PLOG_MUST_CHECK int plog_compaction_add_rotation(struct plog_buf *b,
                                                 const struct plog_entry *e);
/* The keys of the first `size` entries, from the entry's rotations.
 * @out  emptied; stays empty when there were none */
PLOG_MUST_CHECK int plog_compaction_keys(const struct plog_compaction *c,
                                         uint64_t size,
                                         struct plog_keychain *out);

/* The compact entry that set the present floor, by the store, parsed into
 * `line`.
 * Returns 0; PLOG_END when there is none; PLOG_E_DIVERGED; PLOG_E_NOMEM; what
 * reading the store gives. */
PLOG_MUST_CHECK int plog_compaction_last(struct plog_store *s,
                                         struct plog_entry_parser *parser,
                                         struct plog_buf *line,
                                         struct plog_compaction *out,
                                         bool *pending, struct plog_error *err);
/* The same, for its numbers, root and digest: the texts in it are empty. */
PLOG_MUST_CHECK int plog_compaction_last_sets(struct plog_store *s,
                                              struct plog_compaction *out,
                                              bool *pending,
                                              struct plog_error *err);
/* Whether an undo of the last compaction would bring entry `seq` back, which
 * lies below `floor`. */
bool plog_compaction_can_undo(struct plog_store *s, const struct plog_dir *d,
                              uint64_t seq, uint64_t floor);

#endif
