/*
 * store.h - the SQLite leg: tables, their head, and what an entry does to
 * them.
 *
 *   meta         one row: the head (size, root, compact range, key, where the
 *                log goes on) and the rules in force
 *   events       every entry with its exact line; `previous` links the
 *                entries about one record, newest first
 *   checkpoints  every commit line, by size
 *   segments     the first seq of each segment
 *   rotations    the seq of each key rotation
 *   redactions   the seq of each order to redact, and the entry it is about
 *   state        one narrow row a record (fold.h)
 *   state_recent newer ones, that wait (recent.h); `state_now` is the view of
 *                both, and `records` shows it
 *   cursors      source cursors
 *   peers        who receives the log, and how far each has it
 *   compactions  entries that move the floor, as far as they stand above it
 *   old_ids      ids of entries whose events are gone
 *
 * events, checkpoints and segments hold every byte of the log, so that either
 * leg rebuilds the other.  All writes happen in one transaction a group, in
 * which the head moves too.
 *
 * What returns int and says nothing else gives 0 or a store error: what
 * plog_sql_code makes of SQLite's, PLOG_E_NOMEM, and PLOG_E_DIVERGED for a row
 * that no store of ours has.  Nothing is durable before plog_store_commit, and
 * then what the log has: SQLite's WAL is synced at checkpoints.
 */
#ifndef PLOG_STORE_H
#define PLOG_STORE_H

#include "fold.h"
#include "recent.h"
#include "rotate.h"
#include "vfs.h"

#define PLOG_STORE_FILE "store.db"
#define PLOG_STORE_WAL_FILE "store.db-wal"
#define PLOG_FRESH_DIR "store.new" /* where another one is made */
/* What makes one of the log, whatever is wrong with the one there. */
#define PLOG_STORE_ANEW                                                        \
    "paritylog replay DIR --fresh (keeps this store in quarantine/)"
#define PLOG_SCHEMA_VERSION 2
#define PLOG_STORE_CACHE 16000 /* KiB of pages that SQLite keeps */

enum plog_store_mode {
    PLOG_OPEN_READ,  /* an existing store, read-only */
    PLOG_OPEN_WRITE, /* an existing store */
    PLOG_OPEN_CREATE /* makes file and tables when missing */
};

/* What control entries change. */
struct plog_rules {
    enum plog_strategy strategy;
    uint64_t line_max, segment_size;
    uint64_t redactions; /* orders to redact so far */
    uint64_t floor;      /* highest seq compacted away */
    uint64_t base;       /* events up to it may be gone from the store, too */
};

/* Where the store stands.  Invariant: tree hashes to commit.root, and
 * tree.size == commit.size. */
struct plog_store_head {
    char origin[PLOG_ORIGIN_MAX + 1];
    struct plog_tree tree;
    struct plog_commit commit; /* size 0: nothing applied yet */
    uint64_t segment;          /* first seq of the segment that goes on */
    uint64_t offset;           /* bytes of it that are in force */
    struct plog_rules rules;
};

struct plog_store {
    const struct plog_io *io;
    struct plog_vfs *vfs;
    sqlite3 *db;
    struct plog_fold fold;
    struct plog_recent recent;
    char origin[PLOG_ORIGIN_MAX + 1]; /* that the fold compares with */
    bool has_tables;
    int wait_ms;    /* for a lock of a foreign program */
    int wal_pages;  /* frames in SQLite's WAL that are to be moved */
    int wal_frames; /* in all: whoever opens next reads them */
    int wal_fd;     /* the WAL, for that; -1: not open */
    int moved;      /* SQLite's code of the last plog_store_checkpoint */
    bool copies;    /* of payloads may lie about that it has no marks of */
    bool doubted;   /* the disk may hold less of the WAL than is read */
    int lock;       /* the lock file, borrowed, where that is noted; -1: none */
    sqlite3_stmt *version, *savepoint, *release, *rollback_to;
    sqlite3_stmt *rollback, *begin, *commit, *get_meta, *put_meta, *add_event,
        *add_commit, *add_segment, *add_cursor, *by_id, *by_seq, *closing,
        *get_cursor, *add_rotation, *rotations;
    sqlite3_stmt *add_old_id, *old_id; /* prepared when asked for */
    struct plog_entry_parser parser;
    struct plog_buf scratch, range;
};

/* Whether SQLite opens a database at `path`, by its length.
 * Returns 0 or PLOG_E_IO. */
PLOG_MUST_CHECK int plog_store_check_path(const char *path,
                                          struct plog_error *err);

/*
 * Opens store.db at `path` (real path of the file).
 * @wait_ms  for a lock of a foreign program
 * Returns 0; PLOG_E_NOTHING when there is none; PLOG_E_DIVERGED when it is
 * not a store of ours (foreign file, other schema, broken pages); PLOG_E_FORMAT
 * for a newer schema; PLOG_E_IO; PLOG_E_NOMEM.
 * A file without any table opens with has_tables false.
 */
PLOG_MUST_CHECK int plog_store_open(struct plog_store *s,
                                    const struct plog_io *io, const char *path,
                                    enum plog_store_mode mode, int wait_ms,
                                    struct plog_error *err);
void plog_store_close(struct plog_store *s);

/* How much SQLite keeps of the file from now on; PLOG_STORE_CACHE at first.
 * Returns 0 or SQLite's error. */
PLOG_MUST_CHECK int plog_store_set_cache(struct plog_store *s, unsigned kib,
                                         struct plog_error *err);

/* Makes the tables, in a transaction of its own, with an empty head. */
PLOG_MUST_CHECK int plog_store_create_tables(struct plog_store *s,
                                             const char *origin,
                                             struct plog_error *err);

/* BEGIN IMMEDIATE, COMMIT, ROLLBACK, and BEGIN for one snapshot to read. */
PLOG_MUST_CHECK int plog_store_begin(struct plog_store *s,
                                     struct plog_error *err);
PLOG_MUST_CHECK int plog_store_commit(struct plog_store *s,
                                      struct plog_error *err);
void plog_store_rollback(struct plog_store *s);
/* Commits where all went well (`rc` is 0), else rolls back.  Returns `rc`, or
 * what committing gives. */
PLOG_MUST_CHECK int plog_store_end(struct plog_store *s, int rc,
                                   struct plog_error *err);
PLOG_MUST_CHECK int plog_store_begin_read(struct plog_store *s,
                                          struct plog_error *err);

/* Whether the transaction is still open.  SQLite ends it by itself after some
 * errors (disk full, out of memory); whatever ran then would commit alone.
 * Returns 0 or PLOG_E_IO. */
PLOG_MUST_CHECK int plog_store_in_transaction(struct plog_store *s,
                                              struct plog_error *err);

/* Reads the head.  Returns 0; PLOG_E_DIVERGED when the row is missing or its
 * range does not hash to its root. */
PLOG_MUST_CHECK int plog_store_get_head(struct plog_store *s,
                                        struct plog_store_head *out,
                                        struct plog_error *err);
PLOG_MUST_CHECK int plog_store_put_head(struct plog_store *s,
                                        const struct plog_store_head *h,
                                        struct plog_error *err);

/*
 * The keys of the log up to the head, from the rotations that the store holds;
 * each proves itself by its signatures.
 * @trusted  when there was no rotation, the head's key is looked up here; one
 *           of the keys must be among these
 * Returns 0; PLOG_E_UNKNOWN_KEY; PLOG_E_DIVERGED when the rotations do not
 * fit together or the head is by a key that is not in force.
 */
PLOG_MUST_CHECK int plog_store_keys(struct plog_store *s,
                                    const struct plog_store_head *h,
                                    const struct plog_keyring *trusted,
                                    struct plog_keychain *out,
                                    struct plog_error *err);

/* Whether a key of the log signed a commit that the store holds: the one in
 * force there by these rotations, whether it is trusted itself or not; where
 * they tell nothing, a trusted one of that id. */
bool plog_store_signs(struct plog_store *s, const struct plog_store_head *h,
                      const struct plog_keyring *trusted,
                      const struct plog_commit *c);

/* Fills in where it is and what leads on, of an entry that verifies and that no
 * store can take. */
void plog_store_unfit(uint64_t seq, struct plog_error *err);

/* Adds the event row of entry `e` with its exact line.
 * Returns 0; PLOG_E_CORRUPT when an entry before has its id; a store error. */
PLOG_MUST_CHECK int plog_store_add_event(struct plog_store *s,
                                         const struct plog_entry *e,
                                         struct plog_span line,
                                         uint64_t previous,
                                         struct plog_error *err);
PLOG_MUST_CHECK int plog_store_add_commit(struct plog_store *s, uint64_t size,
                                          struct plog_span line,
                                          struct plog_error *err);
PLOG_MUST_CHECK int plog_store_add_segment(struct plog_store *s, uint64_t first,
                                           struct plog_error *err);
/* Whether no row tells of an entry behind the head, as when the files of a
 * store are of different moments: what is applied there would collide with it.
 * @last  the log's last segment; one behind that is in nobody's way
 * Returns 0; PLOG_E_DIVERGED. */
PLOG_MUST_CHECK int plog_store_ends(struct plog_store *s,
                                    const struct plog_store_head *h,
                                    uint64_t last, struct plog_error *err);
/* Forgets the segments behind the one of the head, `first`: they held nothing,
 * and are not in the log any more. */
PLOG_MUST_CHECK int plog_store_drop_segments(struct plog_store *s,
                                             uint64_t first,
                                             struct plog_error *err);

/*
 * Applies one logged entry: event row, fold or control, and `rules` after it.
 * The logged outcome drives the fold, whatever the strategy would give: parity
 * tells the difference.
 * Returns 0; PLOG_E_CORRUPT for a control entry that makes no sense;
 * PLOG_E_FORMAT for a control entry of a later version; a store error.
 */
PLOG_MUST_CHECK int plog_store_apply(struct plog_store *s,
                                     struct plog_rules *rules,
                                     const struct plog_entry *e,
                                     struct plog_span line,
                                     struct plog_error *err);
/* The same for a control entry alone. */
PLOG_MUST_CHECK int plog_store_apply_control(struct plog_store *s,
                                             struct plog_rules *rules,
                                             const struct plog_entry *e,
                                             struct plog_error *err);

/* What an entry about a peer makes of its row; and what a compact entry does to
 * those that it names.  Returns 0; PLOG_E_CORRUPT; a store error. */
PLOG_MUST_CHECK int plog_store_peer(struct plog_store *s,
                                    const struct plog_entry *e,
                                    struct plog_error *err);
struct plog_compaction;
PLOG_MUST_CHECK int plog_store_peers_had(struct plog_store *s,
                                         const struct plog_compaction *c,
                                         struct plog_error *err);
/*
 * Applies a compact entry: the floor moves, the peers that it names have at
 * least what went, and segments may be left to be taken away.
 * Returns 0; PLOG_E_CORRUPT; a store error.
 */
PLOG_MUST_CHECK int plog_store_compact(struct plog_store *s,
                                       struct plog_rules *rules,
                                       const struct plog_entry *e,
                                       struct plog_error *err);
/* The compact entry that set the present floor (uint64_t); 0: none is known.
 * @pending  whether segments at or below it may be left */
PLOG_MUST_CHECK int plog_store_compaction(struct plog_store *s, uint64_t *seq,
                                          bool *pending,
                                          struct plog_error *err);
/* Says that none are; inside a transaction. */
PLOG_MUST_CHECK int plog_store_compacted(struct plog_store *s,
                                         struct plog_error *err);

/*
 * Applies an order to redact: the event's row and its record.
 * @order  the entry, parsed; its spans are not touched
 * @base   events up to it may be gone
 * Returns 0; PLOG_E_CORRUPT when it does not fit the entry it names; a store
 * error.
 */
PLOG_MUST_CHECK int plog_store_redact(struct plog_store *s,
                                      const struct plog_entry *order,
                                      uint64_t base, struct plog_error *err);
/* Entries (uint64_t, ascending) whose payload may still be in freed pages of
 * the store, in the log or in quarantine, or was kept. */
PLOG_MUST_CHECK int plog_store_pending(struct plog_store *s,
                                       struct plog_buf *targets,
                                       struct plog_error *err);
/* Those of them that were kept: out of reach below the floor, or something in
 * quarantine/ could not be searched, and nothing was left to do but that. */
PLOG_MUST_CHECK int plog_store_kept(struct plog_store *s,
                                    struct plog_buf *targets,
                                    struct plog_error *err);
/* Whether there is one that was not, by an index. */
PLOG_MUST_CHECK int plog_store_scrub_due(struct plog_store *s, bool *due,
                                         struct plog_error *err);
/* The orders (uint64_t, ascending) that the store has for an entry. */
PLOG_MUST_CHECK int plog_store_orders_of(struct plog_store *s, uint64_t target,
                                         struct plog_buf *seqs,
                                         struct plog_error *err);
/* The entries above one and up to another that it has orders for (uint64_t,
 * ascending). */
PLOG_MUST_CHECK int plog_store_ordered(struct plog_store *s, uint64_t above,
                                       uint64_t to, struct plog_buf *targets,
                                       struct plog_error *err);
/* All that it has for entries that are pending (uint64_t, ascending). */
PLOG_MUST_CHECK int plog_store_orders_pending(struct plog_store *s,
                                              struct plog_buf *seqs,
                                              struct plog_error *err);
/* Says that those of `from` to `to` are that there is an order for; inside a
 * transaction. */
PLOG_MUST_CHECK int plog_store_unscrubbed(struct plog_store *s, uint64_t from,
                                          uint64_t to, struct plog_error *err);
/* Says that none is, but for those that were kept; inside a transaction. */
PLOG_MUST_CHECK int plog_store_scrubbed(struct plog_store *s,
                                        const struct plog_buf *kept,
                                        struct plog_error *err);
/* The floor went down to `above`: what was kept above it is pending as any
 * other; inside a transaction. */
PLOG_MUST_CHECK int plog_store_not_kept(struct plog_store *s, uint64_t above,
                                        struct plog_error *err);

/* The seq that `id` has.  Returns 0, or PLOG_END when it is new. */
PLOG_MUST_CHECK int plog_store_find_id(struct plog_store *s,
                                       struct plog_span id, uint64_t *seq,
                                       struct plog_error *err);
/* The line of an event, valid until the next call; `previous` may be NULL.
 * Returns 0, or PLOG_END when there is none. */
PLOG_MUST_CHECK int plog_store_line(struct plog_store *s, uint64_t seq,
                                    struct plog_span *line, uint64_t *previous,
                                    struct plog_error *err);
/* The commit line that closed the group of entry `seq`.  Returns 0 or
 * PLOG_END. */
PLOG_MUST_CHECK int plog_store_closing(struct plog_store *s, uint64_t seq,
                                       struct plog_span *line,
                                       struct plog_error *err);
PLOG_MUST_CHECK int plog_store_get_cursor(struct plog_store *s,
                                          struct plog_span source,
                                          struct plog_span resource,
                                          struct plog_span *out,
                                          struct plog_error *err);

/* Ends statements left in the middle of their rows: they pin a snapshot. */
void plog_store_rest(struct plog_store *s);

/* After what may sync SQLite's WAL: one whose sync failed is to be written anew
 * before the next checkpoint. */
void plog_store_doubt(struct plog_store *s);

/* Moves SQLite's WAL into the database as far as readers allow, synced.  Only
 * under the writer lock.  Returns whether all of it was moved; a failure
 * changes nothing that matters. */
bool plog_store_checkpoint(struct plog_store *s);
/* The same, where all must be moved: 0; PLOG_E_LOCKED while a reader keeps it
 * from that; PLOG_E_IO, PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_store_settle(struct plog_store *s,
                                      struct plog_error *err);
/* The same; and if all was moved and no reader uses the WAL, empties it, which
 * else only the next write of this very connection would begin anew. */
void plog_store_empty_wal(struct plog_store *s);
/* After a commit: what it wrote is brought on its way to the disk, so that the
 * sync of the next checkpoint finds little to wait for. */
void plog_store_write_back(struct plog_store *s);

#endif
