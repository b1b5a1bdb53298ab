/*
 * replay_old.h - a replay at work, and the store that it finds.
 */
#ifndef PLOG_REPLAY_OLD_H
#define PLOG_REPLAY_OLD_H

#include "legs.h"
#include "paritylog_recovery.h"

struct plog_replaying {
    const struct plog_replay_options *o;
    struct plog_replay_report *report;
    struct plog_legs legs;
    struct plog_log_end end;
    char origin[PLOG_ORIGIN_MAX + 1]; /* of the log's end */
    struct plog_store_head old;       /* of the store that --fresh sets aside */
    bool old_signed;                  /* that head, by a key of the log */
    bool old_scrubbed;                /* no payload under an order is left */
    bool beside;                      /* plog_old_store_is_beside */
    bool set_aside; /* a file that may have one went to quarantine/ */
    /* Where the log begins behind entry 1: the floor and its snapshot. */
    uint64_t base;
    unsigned char digest[PLOG_HASH_SIZE];
    enum plog_strategy strategy; /* in force behind it */
};

/* A store testifies before it goes, when it can: fills in w->old, whether that
 * is signed, and what is in it besides ours.
 * Returns 0; PLOG_E_NOMEM, which says nothing of the store. */
PLOG_MUST_CHECK int plog_old_store_question(struct plog_replaying *w,
                                            struct plog_error *err);
/* Returns 0; PLOG_E_ROLLBACK when it has signed entries behind the log's end,
 * PLOG_E_FORK when these are of another history. */
PLOG_MUST_CHECK int plog_old_store_check(struct plog_replaying *w,
                                         struct plog_error *err);
/* Whether a file is there.  Returns 0 or PLOG_E_IO. */
PLOG_MUST_CHECK int plog_old_store_look(struct plog_dir *d, const char *name,
                                        bool *there, struct plog_error *err);
/* Whether something of a store has to go before one can be made.
 * Returns 0 or PLOG_E_IO. */
PLOG_MUST_CHECK int plog_old_store_in_way(struct plog_replaying *w, bool *is,
                                          struct plog_error *err);
/* Before a file goes to quarantine/: says in the old store, if there is one
 * that can be opened, that all redactions are pending, for whoever goes on if
 * this is the last that is done.  The new one is told by plog_old_store_mark.
 * @w  struct plog_replaying; for struct plog_dir
 * Returns 0; PLOG_E_LOCKED; PLOG_E_IO; PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_old_store_before_aside(void *w,
                                                struct plog_error *err);
/*
 * Says in the new store that all redactions are pending, unless
 * the old one stood at the same head and knew of no payload that is left: else
 * it may be older than an order, or have known of some, in quarantine/, in
 * archive/ or in itself, which goes to quarantine/.
 * @to  the new store: all is applied, no transaction is open
 * Returns 0; a store error; PLOG_E_IO, PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_old_store_mark(struct plog_replaying *w,
                                        struct plog_legs *to,
                                        struct plog_error *err);
/*
 * Says in w->beside whether the store is made beside and gets its name at the
 * end, all at once: with --fresh, and where there is none, or a file without
 * tables that has its name, and a payload may lie somewhere.  One that is made
 * in its place and not marked, for whoever made it was killed, is as any other
 * to the next one. Returns 0 or PLOG_E_IO.
 */
PLOG_MUST_CHECK int plog_old_store_is_beside(struct plog_replaying *w,
                                             struct plog_error *err);
/* Moves its files to quarantine/, and says where; durable on return.
 * Returns 0 or PLOG_E_IO. */
PLOG_MUST_CHECK int plog_old_store_aside(struct plog_replaying *w,
                                         struct plog_error *err);

#endif
