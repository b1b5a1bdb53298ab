/*
 * request.h - one caller's group on its way through the engine.
 *
 * Made and freed on the caller's thread; between queueing and `done` it
 * belongs to the leader.
 */
#ifndef PLOG_REQUEST_H
#define PLOG_REQUEST_H

#include "rotate.h"

struct plog;
typedef int plog_control_make(void *arg, struct plog *p, struct plog_buf *args,
                              struct plog_error *err);

struct plog_item {
    struct plog_entry entry; /* seq, outcome and logged_at are the leader's */
    struct plog_span text;   /* the delta without white space */
    char salt[28];           /* base64 of 16 random bytes */
    uint64_t duplicate_of;   /* 0: new */
    bool warned;
};

struct plog_request {
    const struct plog_io *io;
    struct plog_item *items;
    size_t count, delta_count; /* deltas come first, then cursors */
    size_t encoded_bytes;      /* upper bound of the lines */
    struct chunk *chunks;      /* texts that the items' spans point into */
    enum plog_control control; /* a control entry instead of deltas */
    /* Gives the arguments of a control entry when its place is known, inside
     * the store's transaction; not 0 refuses it. */
    plog_control_make *make;
    void *make_arg;
    const struct plog_signer *goes_to; /* of a rotation; borrowed */
    uint64_t target;                   /* of an order to redact */
    struct plog_span reason;           /* borrowed */
    struct plog_buf args;              /* of all control entries */
    int (*hook)(void *arg, struct sqlite3 *db, const uint64_t *seqs,
                size_t count);
    void *hook_arg;
    struct plog_receipt *receipts; /* the caller's; may be NULL */
    struct plog_error *err;        /* the caller's; may be NULL */
    int result;
    bool beside; /* refused, and maybe for what others of its group wrote */
    bool guest;  /* of another process (shared_queue.h) */
    /* In the queue (queue.h). */
    _Atomic bool done; /* the last that a leader changes: its owner frees it */
    bool leads;        /* its owner, and does not sleep */
    unsigned batch;    /* that it was queued for */
    struct plog_request *next;
};

/*
 * Checks and copies a caller's group: parses each delta, asks the policy,
 * draws salts.  Many are parsed by two threads, when there is no policy.
 * Returns 0; PLOG_E_ARG when there is nothing in it; PLOG_E_INPUT,
 * PLOG_E_POLICY with err->index; PLOG_E_NOMEM;
 * PLOG_E_IO when there is no randomness.  Free it in any case.
 */
PLOG_MUST_CHECK int plog_request_build(struct plog_request *r,
                                       const struct plog_io *io,
                                       const struct plog_group *group,
                                       const struct plog_options *options,
                                       size_t line_max, struct plog_error *err);
/* A request of one strategy entry. */
PLOG_MUST_CHECK int plog_request_strategy(struct plog_request *r,
                                          const struct plog_io *io,
                                          enum plog_strategy s,
                                          struct plog_error *err);
/* A request of one key rotation; its arguments are made when its place in the
 * log is known.  `next` is borrowed. */
PLOG_MUST_CHECK int plog_request_rotate(struct plog_request *r,
                                        const struct plog_io *io,
                                        const struct plog_signer *next,
                                        struct plog_error *err);
/* A request of one order to redact; its arguments are made from the entry as
 * the log has it.  `reason` is borrowed. */
PLOG_MUST_CHECK int plog_request_redact(struct plog_request *r,
                                        const struct plog_io *io, uint64_t seq,
                                        struct plog_span reason,
                                        struct plog_error *err);
/* A request of any other control entry; `make` gives its arguments. */
PLOG_MUST_CHECK int plog_request_control(struct plog_request *r,
                                         const struct plog_io *io,
                                         enum plog_control control,
                                         plog_control_make *make, void *arg,
                                         struct plog_error *err);
void plog_request_free(struct plog_request *r);

#endif
