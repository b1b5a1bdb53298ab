/*
 * parity.h - private to parity: comparing both legs at one frozen head.
 *
 *   parity.c            the walk over the log, group by group
 *   parity_group.c      one group, and the store's head
 *   parity_damage.c     on behind damage
 *   parity_rows.c       events, checkpoints and segments against it
 *   parity_base.c       the snapshot that stands for what was compacted away
 *   parity_since.c      from a checkpoint on, instead of all
 *   parity_touched.c    ... and the records, then
 *   parity_fork.c       two signed histories
 *   parity_kept.c       the index of ids, old ids, the state at the base
 *   parity_redact.c     redacted lines and the orders for them
 *   parity_rotations.c  key rotations
 *   parity_peers.c      who was added and evicted
 *   parity_quick.c      an entry and its row, where nothing is wrong
 *   parity_tally.c      ... and the fold then
 *   parity_records.c    the fold of the log against the store's records
 *
 * Memory does not grow with the log: rows are read in order beside the log,
 * and the fold goes into a scratch table of SQLite's temporary database.
 *
 * A difference is a finding and no error: what returns int and says nothing
 * else gives 0 when it has looked, also where it has found something; a store
 * error (store.h); or PLOG_E_IO, PLOG_E_NOMEM.
 */
#ifndef PLOG_PARITY_H
#define PLOG_PARITY_H

#include "check.h"
#include "old_ids.h"
#include "parity_tally.h"

struct plog_parity {
    struct plog_check *c;
    sqlite3 *db;
    /* Rows of the store in step with the log. */
    sqlite3_stmt *events, *checkpoints, *segments;
    bool event_ready, checkpoint_ready, segment_ready; /* a row is at hand */
    /* The fold of the log. */
    struct plog_fold fold; /* into temp.state */
    struct plog_tally tally;
    struct plog_rules rules;
    sqlite3_stmt *truth_get, *truth_put; /* log lines where events differ */
    sqlite3_stmt *put_cursor;
    /* Records touched since a checkpoint. */
    sqlite3_stmt *touched_get, *touched_put, *touched_link;
    struct plog_entry_parser parser;
    struct plog_buf claimed; /* struct plog_order, about lines that are whole */
    struct plog_buf noted;   /* uint64_t: the entries that are pending */
    uint64_t first;          /* the entry that --since begins with */
    enum { PLOG_FORK_UNKNOWN, PLOG_FORK_NO, PLOG_FORK_YES } fork;
    bool partial;        /* it did not begin at 1 */
    uint64_t rules_from; /* partial: the entry that made the strategy known */
    char origin[PLOG_ORIGIN_MAX + 1]; /* of the log at the store's head */
    unsigned char secret[16];         /* key of the sum: */
    uint64_t ids[2];       /* of the ids of the rows in step, for the index */
    int64_t ids_from;      /* the seq that these rows begin with */
    int64_t segments_from; /* their rows are compared below this one, which
                            * may itself lie far below the entry at hand */
    uint64_t damaged; /* the segment with the last damage; 0: none was met */
    bool fold_whole;  /* false: damage hides entries, records are unchecked */
    bool store_lost;  /* its rows cannot be read on: the log alone goes on */
    bool is_behind;   /* that was told, or what would be in a replay's way */
    bool passed_by;   /* because its floor lies behind all that the log has */
    bool cut_met;     /* a commit stands at c->upto */
    bool left;        /* behind it: the store is not read for a while */
    uint64_t left_in; /* the segment then; those behind it have rows, too */
    int64_t read_since;
    bool end_unknown; /* damage up to the end: nobody knows where it was */
    char ahead[200];  /* what to do first where the head is above the log, and
                       * not by a key that is known; "" else */
};

/*
 * As plog_parity, but of a log that has no floor yet the rows of entries above
 * `to`, where a commit must stand, and the records are left out: the log is
 * verified to its end, rows up to there, their links, outcomes and ids
 * compared, and all that control entries make of the store.  When anything is
 * not as usual it is of the whole.  0: plog_parity.  None of since, watermark
 * and skip_records goes with it.
 */
PLOG_MUST_CHECK int plog_parity_upto(const char *dir, uint64_t to,
                                     const struct plog_check_options *o,
                                     struct plog_check_report *report,
                                     struct plog_error *err);

PLOG_MUST_CHECK int plog_parity_open(struct plog_parity *p,
                                     struct plog_check *c,
                                     struct plog_error *err);
void plog_parity_close(struct plog_parity *p);

/* What work on the store returned.  When its rows cannot be read on, that is
 * a finding: the log goes on alone, and nothing else is said of the store. */
PLOG_MUST_CHECK int plog_parity_lose(struct plog_parity *p, int rc,
                                     struct plog_error *err);
/* Passes the damage that *walked speaks of; then *walked is 0, PLOG_END, or
 * the next damage. */
PLOG_MUST_CHECK int plog_parity_go_on(struct plog_parity *p, int *walked,
                                      struct plog_error *err);
/* Tells, once, that the store is behind; or, where it has rows behind its head,
 * so that no replay gets on, that it is not a whole one. */
PLOG_MUST_CHECK int plog_parity_behind(struct plog_parity *p,
                                       const char *expected, const char *found,
                                       struct plog_error *err);
/* A group that verified, whose tree was `before`. */
PLOG_MUST_CHECK int plog_parity_group(struct plog_parity *p,
                                      const struct plog_tree *before,
                                      const struct plog_log_group *g,
                                      struct plog_error *err);
/* Before a walk from entry 1: where the first file has another name than the
 * store, and others have not, it is the stranger, and not they.
 * Returns 0; PLOG_E_IO; PLOG_E_NOMEM: the store cannot be asked. */
PLOG_MUST_CHECK int plog_parity_expect_name(struct plog_parity *p,
                                            struct plog_error *err);
/* What to do first where the head is above the log and its signature does not
 * hold: the store may still have what was acknowledged, so it is not to be set
 * aside before that was tried. */
void plog_parity_advise_ahead(struct plog_parity *p);
/* A bare segment at the end, which the head may stand in; unless the store has
 * entries of it: then they are missing here, which is told at the end. */
void plog_parity_bare_segment(struct plog_parity *p);
/* Starts the walk: at the first entry, or where the checkpoint allows. */
PLOG_MUST_CHECK int plog_parity_start(struct plog_parity *p,
                                      struct plog_error *err);
/* Where entries were compacted away: begins the fold with the snapshot, and
 * compares with it what the store keeps of them.  Before the walk goes on. */
PLOG_MUST_CHECK int plog_parity_base(struct plog_parity *p,
                                     const struct plog_compaction *c,
                                     struct plog_error *err);
/* A compact entry was met; its rows at the end, without damage. */
PLOG_MUST_CHECK int plog_parity_compaction(struct plog_parity *p,
                                           const struct plog_entry *e,
                                           struct plog_error *err);
PLOG_MUST_CHECK int plog_parity_compactions(struct plog_parity *p,
                                            struct plog_error *err);
/* The id of the event row at hand, for the index. */
void plog_parity_sum_id(struct plog_parity *p);
/* What is kept beside the rows in step; at the end, without damage. */
PLOG_MUST_CHECK int plog_parity_kept(struct plog_parity *p,
                                     struct plog_error *err);
/* The state at the base against the snapshot that `c` signs, which was just
 * loaded into the fold. */
PLOG_MUST_CHECK int plog_parity_base_state(struct plog_parity *p,
                                           const struct plog_compaction *c,
                                           struct plog_error *err);
/* A peer was added or evicted; the rows at the end.  Cursors and times are
 * outside parity. */
PLOG_MUST_CHECK int plog_parity_peer(struct plog_parity *p,
                                     const struct plog_entry *e,
                                     struct plog_error *err);
PLOG_MUST_CHECK int plog_parity_peers(struct plog_parity *p,
                                      struct plog_error *err);
/* Begins the rows in step with the log at entry `first`. */
PLOG_MUST_CHECK int plog_parity_rows_from(struct plog_parity *p, uint64_t first,
                                          struct plog_error *err);
/* ... or goes on with them there, in another transaction; with segments behind
 * the last that was compared. */
PLOG_MUST_CHECK int plog_parity_rows_again(struct plog_parity *p,
                                           uint64_t first,
                                           struct plog_error *err);
/* Where the check did not begin at 1: the scratch table of touched records,
 * before the walk; what has to be known of the record of each entry; and at
 * the end their rows and cursors, and the list of what was not checked. */
PLOG_MUST_CHECK int plog_parity_touched_open(struct plog_parity *p,
                                             struct plog_error *err);
void plog_parity_touched_close(struct plog_parity *p);
/*
 * Entry `e` was just folded over `before`.
 * @row       whether the store has its event row
 * @previous  in: the entry before about its record, as the row says; out: as
 *            the row should say
 * @agrees    set where nobody can tell
 */
PLOG_MUST_CHECK int plog_parity_touch(struct plog_parity *p,
                                      const struct plog_entry *e,
                                      const struct plog_current *before,
                                      bool row, uint64_t *previous,
                                      bool *agrees, struct plog_error *err);
PLOG_MUST_CHECK int plog_parity_touched(struct plog_parity *p,
                                        struct plog_error *err);

/* Compares the store's row of one entry with its line (the true one), and
 * folds it. */
PLOG_MUST_CHECK int plog_parity_entry(struct plog_parity *p,
                                      struct plog_span line, uint64_t seq,
                                      struct plog_error *err);
/* The same where nothing is wrong (c->quick): else the check begins anew. */
PLOG_MUST_CHECK int plog_parity_quick(struct plog_parity *p,
                                      struct plog_span line,
                                      const struct plog_sketch *sketch,
                                      uint64_t seq, struct plog_error *err);
/* A line of an entry whose row is left out: what a control entry does. */
PLOG_MUST_CHECK int plog_parity_above(struct plog_parity *p,
                                      struct plog_span line,
                                      struct plog_error *err);
/* ... and the records, then. */
PLOG_MUST_CHECK int plog_parity_tallied(struct plog_parity *p,
                                        struct plog_error *err);
/* Whether the columns beside the line are those of the entry. */
bool plog_parity_columns(struct plog_parity *p, const struct plog_entry *e,
                         uint64_t previous);
/* What a control entry does, beside its row. */
PLOG_MUST_CHECK int plog_parity_control(struct plog_parity *p,
                                        const struct plog_entry *e,
                                        struct plog_error *err);
/* The event row at hand was looked at: on to the next. */
PLOG_MUST_CHECK int plog_parity_next_event(struct plog_parity *p,
                                           struct plog_error *err);
/* The line of the store's event `seq`, or PLOG_END; the rows in step are not
 * moved. */
PLOG_MUST_CHECK int plog_parity_stored(struct plog_parity *p, uint64_t seq,
                                       struct plog_span *line,
                                       struct plog_error *err);
PLOG_MUST_CHECK int plog_parity_checkpoint(struct plog_parity *p,
                                           const struct plog_log_group *g,
                                           struct plog_error *err);
PLOG_MUST_CHECK int plog_parity_segment(struct plog_parity *p, uint64_t first,
                                        struct plog_error *err);
/* Steps over rows up to `seq` that cannot be judged. */
PLOG_MUST_CHECK int plog_parity_skip(struct plog_parity *p, uint64_t seq,
                                     struct plog_error *err);
/* Rows that no entry of the log answers to.  `log_size`: where it ended. */
PLOG_MUST_CHECK int plog_parity_rest(struct plog_parity *p, uint64_t log_size,
                                     struct plog_error *err);
/* Key rotations against those that the walk met; only without damage. */
PLOG_MUST_CHECK int plog_parity_rotations(struct plog_parity *p,
                                          struct plog_error *err);
/* The rows of redactions against the orders that were met. */
PLOG_MUST_CHECK int plog_parity_redactions(struct plog_parity *p,
                                           struct plog_error *err);
/* What an order to redact makes of the store. */
PLOG_MUST_CHECK int plog_parity_order(struct plog_parity *p,
                                      const struct plog_entry *e,
                                      struct plog_error *err);
/*
 * Where one leg has the redacted form of a line and the other has it whole:
 * which of them counts at the store's head.
 * @line  in: the log's; out: the one that counts
 * @same  in: false; out: true when both are the same entry by an order
 */
PLOG_MUST_CHECK int plog_parity_redacted(struct plog_parity *p, uint64_t seq,
                                         struct plog_span stored,
                                         struct plog_span *line, bool *same,
                                         struct plog_error *err);
/* Whether both legs have the whole `line` of an entry although an order that
 * came along took its payload out.  It is counted, but by a quick look. */
PLOG_MUST_CHECK int plog_parity_whole(struct plog_parity *p, uint64_t seq,
                                      struct plog_span line, bool *pending,
                                      struct plog_error *err);
/* At the end: of such lines those that only a key further on proved. */
PLOG_MUST_CHECK int plog_parity_claimed(struct plog_parity *p,
                                        struct plog_error *err);
/* ... and those that the store marks: copies of their payloads may be left. */
PLOG_MUST_CHECK int plog_parity_pending(struct plog_parity *p,
                                        struct plog_error *err);
/* temp.state against main.state, cursors, and the rules in the head. */
PLOG_MUST_CHECK int plog_parity_records(struct plog_parity *p,
                                        struct plog_error *err);

/* Whether the store's signed head, or where the log is shorter its last commit
 * that the log reaches, is another history than the log's.  Reads the log up to
 * there, the first time that it is asked. */
bool plog_parity_is_fork(struct plog_parity *p);
/* Tells that, if it is so.  @found  the store's history, in a few words */
bool plog_parity_find_fork(struct plog_parity *p, const char *found);
/* Whether the store is another log's: see plog_legs_store_is_anothers. */
bool plog_parity_is_anothers(struct plog_parity *p);
/* Whether a commit that the store holds is signed by a key of the log: one that
 * the log has, or that the store's rotations lead to from a trusted one. */
bool plog_parity_signs(struct plog_parity *p, const struct plog_commit *c);

/* Counts a difference in the store. */
void plog_parity_find(struct plog_parity *p, int verdict, uint64_t seq,
                      const char *expected, const char *found);

#endif
