/*
 * store_log.h - the log as the store holds it, group by group, each verified
 * before it is given out.
 *
 * A group is what events and a row of checkpoints say; it is true when its
 * lines hash to the root that its commit signs.  Which group begins a segment
 * is not signed: it is what the table of segments says.
 */
#ifndef PLOG_STORE_LOG_H
#define PLOG_STORE_LOG_H

#include "key.h"
#include "orders.h"
#include "store.h"

struct plog_store_log {
    struct plog_store *store;
    struct plog_keychain keys;        /* of the log, as the store has them */
    char origin[PLOG_ORIGIN_MAX + 1]; /* behind `last` */
    struct plog_tree tree;            /* behind the last group given out */
    struct plog_commit last;
    sqlite3_stmt *commits, *events, *segments;
    bool event_ready, segment_ready;
    uint64_t passed;  /* rows of segments up to here were looked at */
    bool odd_segment; /* a row of segments that begins no group */
    bool redacted;    /* of the group at hand, a line */
    struct plog_buf text;
    struct plog_orders orders; /* to redact, of the store and of `dir` */
    struct plog_entry_parser parser;
};

struct plog_stored_group {
    uint64_t first, size; /* seqs */
    struct plog_commit commit;
    struct plog_span text; /* lines and commit, each with its LF */
    bool begins_segment;
    bool odd_size; /* lines of it are redacted, or it orders that: where a
                      segment begins does not follow from its bytes */
};

/*
 * @store    borrowed, in one read transaction; `head` is its head there
 * @trusted  one of the log's keys must be among these
 * @dir      borrowed: orders that came along may lie there
 * @beside   the log in `dir` is to come of it: where the snapshot at the floor
 *           is gone or damaged, what log/ and archive/ have there will do, for
 *           the next signed root says whether that is true
 * Returns 0; PLOG_E_UNKNOWN_KEY; PLOG_E_DIVERGED; a store error.
 */
PLOG_MUST_CHECK int plog_store_log_open(struct plog_store_log *s,
                                        struct plog_store *store,
                                        const struct plog_store_head *head,
                                        const struct plog_keyring *trusted,
                                        const struct plog_dir *dir, bool beside,
                                        struct plog_error *err);
/* Goes on behind commit `last` with range `tree`, which were verified. */
PLOG_MUST_CHECK int plog_store_log_seek(struct plog_store_log *s,
                                        const struct plog_tree *tree,
                                        const struct plog_commit *last,
                                        struct plog_error *err);
void plog_store_log_close(struct plog_store_log *s);

/*
 * Gives the next group; its text lives until the next call.
 * Returns 0; PLOG_END behind the last; or why the store does not prove the
 * entries from s->last.size + 1 on: PLOG_E_DIVERGED (a row is missing or is
 * not well-formed), PLOG_E_TAMPERED (root or signature), PLOG_E_UNKNOWN_KEY.
 */
PLOG_MUST_CHECK int plog_store_log_next(struct plog_store_log *s,
                                        struct plog_stored_group *g,
                                        struct plog_error *err);
/* Whether the store says that a bare segment follows the last group.  Returns
 * 0 or a store error. */
PLOG_MUST_CHECK int plog_store_log_bare_end(struct plog_store_log *s,
                                            bool *bare, struct plog_error *err);
/*
 * A store that was trimmed before a compaction was undone lacks what came back:
 * the log begins before what it can give.
 * @base    where the store begins
 * @begins  out: behind which entry the log does, by the last compact entry;
 *          `base` where that is none: the rest is proven without it
 * Returns 0; a store error.
 */
PLOG_MUST_CHECK int plog_store_log_undone(struct plog_store *store,
                                          uint64_t base, uint64_t *begins,
                                          struct plog_error *err);

#endif
