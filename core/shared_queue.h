/*
 * shared_queue.h - requests of several processes become groups.
 *
 * A handle that has waited for the writer lock before posts its request in a
 * slot (slots.h) before it waits.  Whoever has the lock takes what was posted
 * into its own group, and answers when log and store have it.  An owner that
 * gets the lock first sees to its request itself.
 *
 * Before the leader writes a group it says in each slot at which seq the
 * request's first line will stand.  When it is killed, or its sync fails, the
 * owner looks there, after the repair that precedes every group: a line with
 * the leaf that it was told is its own, and then the answer stands.
 *
 * All of this is for the thread that leads (queue.h).
 */
#ifndef PLOG_SHARED_QUEUE_H
#define PLOG_SHARED_QUEUE_H

#include "request.h"
#include "slots.h"

/* Requests taken from others, while a group is made. */
struct plog_guests;

/* What a leader that has not answered has said of our request. */
struct plog_promise {
    uint64_t logged; /* seq of its first new line; 0: it said nothing */
    uint32_t delta;  /* whose line that is */
    struct plog_receipt receipts[PLOG_SLOT_DELTAS];
};

/* With the writer lock: takes part, if this handle has waited before. */
void plog_shared_join(struct plog *p);

/* Posts a batch, if it is one request that others can see to.  Returns whether
 * it did; plog_shared_collect comes next. */
bool plog_shared_post(struct plog *p, const struct plog_request *batch);
/* With the writer lock: takes what was promised out of the slot, which is empty
 * then. */
void plog_shared_note(struct plog *p);
/*
 * Ends the posting.
 * @rc    what plog_engine_enter returned; 0: the lock is held
 * @why   of rc; changed when nobody knows whether the log has the request
 * Returns whether the request is settled: its result is set, and receipts or
 * error.  When not and rc is 0, it is for the caller to see to.
 */
bool plog_shared_collect(struct plog *p, struct plog_request *r, int rc,
                         struct plog_error *why);

/* With the writer lock: adds to a batch what others have posted.
 * Returns what was added; NULL for none. */
struct plog_guests *plog_shared_take(struct plog *p,
                                     struct plog_request *batch);
/* Before the group of commit `c` is written: says where each request will
 * stand, and what its owner will be told when it does. */
void plog_shared_announce(struct plog_guests *g, const struct plog_commit *c);
/* Nothing of the group is in the log: what was announced does not hold. */
void plog_shared_retract(struct plog_guests *g);
/* Tells their owners the results, and takes them out of the batch. */
void plog_shared_answer(struct plog_guests *g);

#endif
