/*
 * slots.h - memory that the writers of a directory share: a slot for each.
 *
 *   DIR/queue   mapped by every handle that has waited for the lock
 *
 * Nothing in it means anything without its processes, and but for
 * plog_slots_scrub nothing of it is ever synced.  A slot belongs to the handle
 * that holds byte PLOG_SLOT_BYTE + i of the lock file; what stands in one that
 * belongs to nobody means nothing.  Slots are claimed, and taken from, with the
 * writer lock.  Deltas stand in one from when they are posted until they are
 * taken or withdrawn: what is in the log may have to be taken out of every
 * file, and so nothing of it stays here.  The file belongs to one lock
 * file: where that was replaced a new one is made.  As with SQLite's
 * store.db-shm whoever may write to the file is trusted: it is made for its
 * owner alone.
 */
#ifndef PLOG_SLOTS_H
#define PLOG_SLOTS_H

#include "err.h"
#include "io.h"
#include "note.h"

#define PLOG_QUEUE_FILE "queue"
#define PLOG_SLOTS 64
#define PLOG_JOIN_AFTER 1   /* waits for the lock */
#define PLOG_SLOT_BYTE 16   /* of the lock file, for the first slot */
#define PLOG_SLOT_DELTAS 8  /* of one request */
#define PLOG_SLOT_TEXT 8192 /* bytes of all of them */

/* Who moves a slot on: its owner to FREE and POSTED, and from POSTED back; who
 * holds the writer lock from POSTED to all others. */
enum plog_slot_state {
    PLOG_SLOT_FREE,
    PLOG_SLOT_POSTED, /* a request that whoever holds the lock may take */
    PLOG_SLOT_TAKEN,
    PLOG_SLOT_BACK, /* its owner must see to it itself */
    PLOG_SLOT_DONE  /* result, and receipts or error, are there */
};

struct plog_slot {
    _Atomic uint32_t state; /* of plog_slot_state */
    _Atomic uint32_t bell;  /* rises when the owner should look again */
    _Atomic uint32_t sleeps;
    _Atomic uint32_t first;    /* its owner holds the turnstile: dir.h */
    uint32_t count;            /* of the deltas */
    int64_t until;             /* not taken later: plog_io_until */
    char key[PLOG_KEYID_TEXT]; /* that the owner would sign with */
    char origin[PLOG_ORIGIN_MAX + 1];
    struct plog_slot_delta {
        uint32_t length;
        bool warned;
        char salt[24];
    } deltas[PLOG_SLOT_DELTAS];
    /* Before anything of the request is written to the log: the seq of its
     * first new line, and of which delta that is.  0: nothing was. */
    uint64_t logged;
    uint32_t logged_delta;
    int32_t result;
    struct plog_error why;
    struct plog_receipt receipts[PLOG_SLOT_DELTAS];
    char text[PLOG_SLOT_TEXT];
};

/* Of one handle. */
struct plog_slots {
    const struct plog_io *io;
    int lock;               /* borrowed: the lock file */
    struct plog_stat id;    /* of it */
    struct plog_slot *slot; /* PLOG_SLOTS of them; NULL: takes no part */
    unsigned own;           /* which is ours; PLOG_SLOTS: none */
};

/*
 * Maps the file and claims a slot.  With the writer lock; may be called again
 * when it failed.
 * @dir   handle of the directory; the file is made there when it is missing
 * @lock  handle of the lock file; stays open until plog_slots_leave
 * @id    which file that is
 * Returns whether there was a slot.  That there is none is no error: the handle
 * waits for the lock like any other, and can still serve others when the file
 * is mapped.
 */
bool plog_slots_join(struct plog_slots *s, const struct plog_io *io, int dir,
                     int lock, const struct plog_stat *id);
void plog_slots_leave(struct plog_slots *s); /* may be called twice */

/* NULL when there is none. */
static inline struct plog_slot *plog_slots_own(const struct plog_slots *s)
{
    return s->slot && s->own < PLOG_SLOTS ? &s->slot[s->own] : NULL;
}
/* Whether a request of ours is out, in whatever state. */
bool plog_slots_waits(const struct plog_slots *s);
/* Takes the deltas out of a slot, with their salts. */
void plog_slots_wipe(struct plog_slot *slot);
/*
 * Takes out of the file what nobody waits for: the slots that nobody holds, and
 * a file of another layout or lock file as a whole.  With the writer lock;
 * whether this handle takes part or not.
 * @own              as it is; the others as for plog_slots_join
 * Returns 0: it holds no delta but of posted requests, on disk, or it is
 * somebody else's file; -EBUSY: some handle of another release may use it; or
 * another negative errno.
 */
PLOG_MUST_CHECK int plog_slots_scrub(const struct plog_slots *own,
                                     const struct plog_io *io, int dir,
                                     int lock, const struct plog_stat *id);
/* Whether somebody holds slot `i`; one that nobody holds is emptied.  With the
 * writer lock. */
bool plog_slots_lives(const struct plog_slots *s, unsigned i);
/* Sleeps for `ns` at most, until the own bell rises above `seen`. */
void plog_slots_sleep(const struct plog_slots *s, uint32_t seen, int64_t ns);
void plog_slots_ring(struct plog_slot *slot);
/* Rings at who is to have the writer lock next. */
void plog_slots_ring_next(struct plog_slots *s);

#endif
