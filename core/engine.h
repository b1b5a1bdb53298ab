/*
 * engine.h - the handle behind plog_open.
 *
 * Invariants: at most one thread is the leader (queue.h); only the leader
 * touches `legs`.
 */
#ifndef PLOG_ENGINE_H
#define PLOG_ENGINE_H

#include <pthread.h>

#include "legs.h"
#include "queue.h"
#include "shared_queue.h"

struct plog {
    const struct plog_io *io;
    struct plog_options options; /* our copy; texts are ours, too */
    char *vkey;
    const char *passphrase; /* while opening; then forgotten */
    char path[PLOG_DIR_PATH_MAX];
    char origin[PLOG_ORIGIN_MAX + 1];
    int64_t pid;
    struct plog_legs legs;
    struct plog_signer signer;
    uint64_t data_version; /* of SQLite, when the head was last read */
    bool head_known;       /* legs.head is what the store holds */
    int64_t checkpointed;  /* when SQLite's WAL was moved last */
    bool poisoned;
    /* For a dry run: where the log ends, and the store is open for reading
     * alone; 0: a handle that writes. */
    uint64_t rehearses;
    bool behind; /* opened with leave_behind and not caught up yet */

    struct plog_guests *guests; /* memory for them; NULL until it is needed */
    struct plog_promise promise;
    struct plog_queue queue;
    size_t line_max; /* copied from the rules; under the queue's mutex */
};

/* What a group becomes before it is written. */
struct plog_work {
    struct plog_buf lines;
    struct plog_tree tree;
    struct plog_rules rules;
    uint64_t next_seq;
    char logged_at[40];
    bool opened;  /* logged_at was given out */
    bool spoiled; /* a refused request left rows in the transaction */
    bool fresh;   /* the group begins a new segment */
    bool ended;   /* a hook has ended the transaction */
};

/* A handle with nothing open yet, which plog_close takes.  Returns 0 or
 * PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_engine_new(plog **out, const struct plog_io *io,
                                    struct plog_error *err);
/* Takes the writer lock and makes sure that the head in memory is the store's
 * and the log's, mending what another process left.  On return 0 the lock is
 * held and a transaction is open. */
PLOG_MUST_CHECK int plog_engine_enter(plog *p, struct plog_error *err);
/* Runs `what` with the writer lock and an open transaction, among the threads
 * of this handle, too.  `what` commits or leaves it to be rolled back.
 * Returns what it does, or as plog_append. */
PLOG_MUST_CHECK int
plog_engine_locked(plog *p, int (*what)(plog *, void *, struct plog_error *),
                   void *arg, struct plog_error *err);
/* Writes what can be written of a batch as one group, and tells the owners;
 * the batch is gone then.  For the leader. */
void plog_engine_lead(plog *p, struct plog_request *batch);
/* Fills in what the receipts of a request, prepared with success, tell of the
 * commit. */
void plog_engine_receipts(struct plog_request *r, const struct plog_commit *c);
/* Ends the transaction if one is open, and releases the lock. */
void plog_engine_leave(plog *p);
/* Makes of an error that nobody knows whether the group is in the log.
 * Returns PLOG_E_INDETERMINATE. */
int plog_engine_indeterminate(struct plog_error *err);

/* Makes `own`, empty or of any key, the secret of the key that signs behind
 * `size`, from the folder `keys`.
 * @chain  the keys of the log
 * Returns 0, or PLOG_E_KEY with `own` as it was. */
PLOG_MUST_CHECK int plog_signer_in_force(struct plog_signer *own,
                                         const struct plog_io *io, int keys,
                                         const char *passphrase,
                                         const struct plog_keychain *chain,
                                         uint64_t size, struct plog_error *err);
/* Makes sure that the signer is the key in force behind the head: a rotation
 * by another process is followed when the new key can be read.
 * Returns 0 or PLOG_E_KEY. */
PLOG_MUST_CHECK int plog_engine_signer(plog *p, struct plog_error *err);
/* Finishes or undoes, with the writer lock, a rotation that was cut off;
 * leaves one alone that is under way.  What fails is tried again later. */
void plog_engine_settle(plog *p);
/* Logs the rotation to `next`, as a group of its own.  Returns as
 * plog_append. */
PLOG_MUST_CHECK int plog_engine_rotate(plog *p, const struct plog_signer *next,
                                       struct plog_receipt *receipt,
                                       struct plog_error *err);

/* Logs the order to redact entry `seq`; the store follows.  The copies of the
 * payload are left to plog_scrub.  The caller holds the maintenance lock.
 * Returns as plog_append; PLOG_E_NOT_FOUND; PLOG_E_INPUT for a control entry;
 * PLOG_E_EXISTS when it is redacted already. */
PLOG_MUST_CHECK int plog_engine_redact(plog *p, uint64_t seq,
                                       struct plog_span reason,
                                       struct plog_receipt *receipt,
                                       struct plog_error *err);
/* Logs a control entry whose arguments `make` gives under the writer lock,
 * inside the store's transaction; what it returns other than 0 refuses the
 * entry, and nothing is logged.  Returns as plog_append, or what `make` does.
 */
PLOG_MUST_CHECK int plog_engine_control(plog *p, enum plog_control control,
                                        plog_control_make *make, void *arg,
                                        struct plog_receipt *receipt,
                                        struct plog_error *err);
/* With the writer lock, and at its end no transaction: does what redactions
 * have left, unless somebody is at it.  What fails is tried again later. */
void plog_engine_scrub(plog *p);

/* How a refused request is kept apart from the others of its group: it ends
 * the transaction; a savepoint; or not at all, which costs nothing unless a
 * refused one has written rows. */
enum plog_isolation { PLOG_ALONE, PLOG_MARKED, PLOG_PLAIN };

/* Puts a request into the group: look-ups, conflicts, seq, store rows, lines.
 * On failure nothing of it is left in `w`, and in the store nothing unless
 * w->spoiled is set: then the group is begun again. */
PLOG_MUST_CHECK int plog_engine_prepare(plog *p, struct plog_work *w,
                                        struct plog_request *r,
                                        enum plog_isolation how,
                                        struct plog_error *err);
/* Whether the transaction that the group is prepared in is open yet.
 * Returns 0; PLOG_E_LOCKED when a hook has ended it; PLOG_E_IO when SQLite has,
 * after an error. */
PLOG_MUST_CHECK int plog_engine_in_transaction(plog *p,
                                               const struct plog_work *w,
                                               struct plog_error *err);
/* Whether the id of a delta is in the log, or in the group being made.
 * @out  its first receipt, but what the commit of this group tells; may be NULL
 * Returns 0: it is, with the same content; PLOG_END: it is new;
 * PLOG_E_CONFLICT; PLOG_E_DIVERGED when log and store differ about it; as
 * plog_append. */
PLOG_MUST_CHECK int plog_engine_repeat(plog *p, struct plog_item *item,
                                       struct plog_receipt *out,
                                       struct plog_error *err);
/* The line of `seq` as it stands in the log, or will; the store's copy must be
 * the same. */
PLOG_MUST_CHECK int plog_engine_logged_line(plog *p, uint64_t seq,
                                            struct plog_buf *line,
                                            struct plog_error *err);
/* Ends the store's transaction and begins another one, with the lock held.
 * Returns 0; PLOG_E_LOCKED when somebody wrote between the two; as
 * plog_append. */
PLOG_MUST_CHECK int plog_engine_begin_again(plog *p, struct plog_error *err);

#endif
