/*
 * snapshot.h - what the entries up to a floor come to, in one file.
 *
 *   DIR/snapshots/00000000000000000480.jsonl.gz
 *
 * JSON lines (docs/FORMAT.md, section 3.7): the rules, and the header of the
 * segment that follows; the control entries that count on (init, strategy,
 * rotate, restore); records, each with the line of the entry on
 * which it stands; cursors; peers; redactions; ids.  The compact entry signs
 * the SHA-256 of the text.
 *
 * Memory: one line, and a merged payload.
 */
#ifndef PLOG_SNAPSHOT_H
#define PLOG_SNAPSHOT_H

#include "gz.h"
#include "legs.h"
#include "old_ids.h"
#include "snapshot_names.h"

struct plog_compaction;

/* ---- Writing ------------------------------------------------------------ */

struct plog_snapshot_written {
    unsigned char digest[PLOG_HASH_SIZE]; /* of the text */
    uint64_t bytes;                       /* of the file */
    uint64_t records, ids;
    bool aside; /* another one had the name, and went to quarantine/ */
};

struct plog_snapshot;
struct plog_fold_table;

#define PLOG_SNAPSHOT_TABLES 2

/* Records in memory, each in one of the tables. */
struct plog_snapshot_tables {
    struct plog_fold_table *all;
    size_t count; /* at most PLOG_SNAPSHOT_TABLES */
};

/*
 * Writes what a store holds, whose head is the floor.
 * @store  in a transaction or alone; not changed.  The lines that records stand
 *         on are asked of its fold (line_of)
 * @tables where the records are; NULL: in the store
 * @before the snapshot that the store began with, without its ids, which are
 *         copied from there; opened anew; NULL: none
 * Another snapshot that has the name goes to quarantine/.
 * @want   what its text must hash to; NULL: anything
 * Returns 0: the file is on disk under its name, and was read again;
 * PLOG_E_CORRUPT when it does not hash to `want`: then nothing was moved;
 * PLOG_E_IO; PLOG_E_NOMEM; a store error.
 */
PLOG_MUST_CHECK int
plog_snapshot_write(const struct plog_dir *d, struct plog_store *store,
                    const struct plog_store_head *head,
                    const struct plog_snapshot_tables *tables,
                    struct plog_snapshot *before, const unsigned char *want,
                    struct plog_snapshot_written *out, struct plog_error *err);

/* ---- Reading ------------------------------------------------------------ */

enum plog_snapshot_kind {
    PLOG_SNAPSHOT_CONTROL,
    PLOG_SNAPSHOT_RECORD,
    PLOG_SNAPSHOT_CURSOR,
    PLOG_SNAPSHOT_PEER,
    PLOG_SNAPSHOT_REDACTION,
    PLOG_SNAPSHOT_ID
};

struct plog_snapshot_item {
    enum plog_snapshot_kind kind;
    struct plog_folded record; /* spans until the next call */
    struct plog_entry entry;   /* a control entry, or a record's */
    struct plog_span line;     /* of that entry; n 0: none */
    struct plog_cursor cursor;
    struct plog_span peer;
    uint64_t seq, target;
    struct plog_old_id id;
};

struct plog_snapshot {
    const struct plog_io *io;
    const struct plog_dir *dir; /* borrowed: where it is looked for */
    int fd;
    uint64_t floor;
    struct plog_segment_header header; /* of the segment behind it */
    struct plog_rules rules;
    struct plog_gz gz;
    struct plog_buf window; /* text not given out yet, from `at` on */
    size_t at;
    bool ended;
    bool without_ids; /* loading it leaves them out */
    uint64_t lines;   /* read so far, for errors */
    struct plog_buf first, line, merged, decoded;
    bool at_ids; /* nothing but ids follows */
    struct plog_json json;
    struct plog_entry_parser parser;
};

/* Whether it is good.  Returns as plog_snapshot_open. */
PLOG_MUST_CHECK int plog_snapshot_check(const struct plog_dir *d,
                                        uint64_t floor,
                                        const unsigned char *digest,
                                        struct plog_error *err);
/*
 * Opens the snapshot of `floor` and checks its text against the digest, all of
 * it, before anything is given out.
 * Returns 0; PLOG_E_PRUNED when there is none; PLOG_E_CORRUPT when it is not
 * what was signed; PLOG_E_IO; PLOG_E_NOMEM.  Close it in any case.
 */
PLOG_MUST_CHECK int plog_snapshot_open(struct plog_snapshot *s,
                                       const struct plog_dir *d, uint64_t floor,
                                       const unsigned char *digest,
                                       struct plog_error *err);
/* Reads only who it says it is: its header; nothing is proven.  Returns as
 * plog_snapshot_open.  Close it in any case. */
PLOG_MUST_CHECK int plog_snapshot_peek(struct plog_snapshot *s,
                                       const struct plog_dir *d, uint64_t floor,
                                       struct plog_error *err);
/* Whether it and the compact entry that signs it agree: on the root at its end,
 * and on the rules.  Returns 0 or PLOG_E_CORRUPT. */
PLOG_MUST_CHECK int plog_snapshot_agrees(const struct plog_snapshot *s,
                                         const struct plog_compaction *c,
                                         struct plog_error *err);
/* Gives the next item.  Returns 0; PLOG_END; PLOG_E_CORRUPT; PLOG_E_IO;
 * PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_snapshot_next(struct plog_snapshot *s,
                                       struct plog_snapshot_item *out,
                                       struct plog_error *err);
/* Gives the lines of ids as they are, past everything else.  Returns as
 * plog_snapshot_next; the line lives until the next call. */
PLOG_MUST_CHECK int plog_snapshot_next_id(struct plog_snapshot *s,
                                          struct plog_span *line,
                                          struct plog_error *err);
void plog_snapshot_close(struct plog_snapshot *s);
/* Says that there is none, and what to do.  Returns PLOG_E_PRUNED. */
int plog_snapshot_missing(const struct plog_dir *d, uint64_t floor,
                          struct plog_error *err);
/* The hint of an error: what brings a snapshot back, by what else is there. */
void plog_snapshot_lost(const struct plog_dir *d, uint64_t floor,
                        struct plog_error *err);
/* ... where a log is to be made of a store that needs it for that. */
void plog_snapshot_lost_to_store(const struct plog_dir *d, uint64_t floor,
                                 struct plog_error *err);

/*
 * Fills an empty store with a snapshot, in one transaction; its head is then
 * the floor, behind the header of the next segment.
 * @head  out
 * Returns 0; as reading does; a store error.
 */
PLOG_MUST_CHECK int plog_snapshot_load(struct plog_snapshot *s,
                                       struct plog_store *store,
                                       struct plog_store_head *head,
                                       struct plog_error *err);
/* Opens, loads and closes the snapshot of `floor`. */
PLOG_MUST_CHECK int plog_snapshot_into(const struct plog_dir *d, uint64_t floor,
                                       const unsigned char *digest,
                                       struct plog_store *store,
                                       struct plog_store_head *head,
                                       struct plog_error *err);
/*
 * Where a log that is made from a store begins: the header of the segment
 * behind the store's floor, its checkpoint verified.
 * Returns 0; PLOG_END when nothing was compacted away; as plog_snapshot_open;
 * PLOG_E_DIVERGED; PLOG_E_TAMPERED.
 */
PLOG_MUST_CHECK int plog_snapshot_base(const struct plog_dir *d,
                                       struct plog_store *store,
                                       const struct plog_store_head *h,
                                       const struct plog_keychain *keys,
                                       struct plog_segment_header *out,
                                       struct plog_error *err);

#endif
