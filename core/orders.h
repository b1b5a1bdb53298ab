/*
 * orders.h - the orders to redact that a reading of the log knows of.
 *
 * A redacted line stands before the order that makes it good.  So when the
 * first one is met, the files ahead are looked through for orders; those are
 * taken on trust until the verified reading comes to them.  They are looked
 * through again for a line whose order is not among them: it may have been
 * redacted while we read.
 *
 * Orders that a log brought along from the one it was copied from lie in
 * orders/, each with a proof.  They are read once, and each is kept with the
 * note that its proof rests on; by whose key that is, is asked again when the
 * log has had one more key.  It is *proven* by one that is trusted or that the
 * log has had so far; by one that the log goes over to further ahead it is only
 * *claimed*: taken on trust, too, until that key was met; by any other it is
 * *unknown* and counts for nothing, but is told of where a line asks for it.
 *
 * The same holds for the compact entry that lets a log begin behind seq 1.
 *
 * Memory: 96 bytes an order, and 440 more for one that came along.
 */
#ifndef PLOG_ORDERS_H
#define PLOG_ORDERS_H

#include "dir.h"
#include "key.h"
#include "compaction.h"
#include "redact.h"

#define PLOG_ORDERS_DIR "orders"

enum plog_order_from {
    PLOG_ORDER_BROKEN,  /* it is not by the key that it names */
    PLOG_ORDER_UNKNOWN, /* see above */
    PLOG_ORDER_CLAIMED,
    PLOG_ORDER_PROVEN
};

struct plog_known_order {
    struct plog_order order;
    bool needed;  /* a redacted line was met that it makes good */
    bool held;    /* and the order itself was verified */
    bool unknown; /* it came along, and is not proven, nor claimed */
    size_t file; /* ... in that one of `files`, counted from 1; 0: in the log */
};

/* A compact entry: one lets a log begin behind seq 1. */
struct plog_known_floor {
    struct plog_compaction entry; /* first: see plog_orders_is_brought_floor;
                                     its spans are set when it is given out */
    bool needed, held, unknown;   /* as above */
    bool logged;            /* it came along, and stands in the log, too */
    size_t file;            /* as above */
    size_t args_at, args_n; /* in floor_args */
};

/* A file in orders/ that proves something, if the signature of the note does.
 */
struct plog_order_file {
    struct plog_note note;
    enum plog_order_from from; /* by the keys that were known when asked */
    char name[64];             /* the beginning of its name */
};

enum plog_orders_read {
    PLOG_ORDERS_UNREAD,
    PLOG_ORDERS_ALL,
    PLOG_ORDERS_PART,     /* some file, or the folder, could not be read */
    PLOG_ORDERS_NO_FOLDER /* what has its name is none */
};

struct plog_orders {
    const struct plog_dir *dir; /* NULL: only what was added counts */
    const struct plog_keyring *keys;
    const struct plog_keychain *chain; /* of the log so far; may be NULL */
    struct plog_buf list;    /* struct plog_known_order: those of the log, */
    struct plog_buf brought; /* ... and those that came along */
    bool unsorted;           /* they are not by entry */
    struct plog_buf floors;  /* struct plog_known_floor */
    struct plog_buf floor_args;
    uint64_t floor_below;   /* the log begins behind this entry, */
    uint64_t floor_root_at; /* and by its header, once that was read, with: */
    unsigned char floor_root[PLOG_HASH_SIZE];
    bool loaded;
    bool settled;    /* ... again, in vain: no order was logged meanwhile */
    int failed;      /* loading did, with this code */
    bool unreadable; /* of the files, some or a part */
    enum plog_orders_read read; /* of orders/ */
    struct plog_buf files;      /* struct plog_order_file */
    unsigned asked; /* whose they are, with that many keys of the log; and 1 */
    bool looks_ahead;      /* for keys, too; to be set: whoever reads settles */
    struct plog_buf ahead; /* struct plog_vkey: what the rotations ahead name */
    bool ahead_read;
    bool ahead_unreadable; /* not all of it could be */
    bool ahead_verified;   /* ... and the log was read up to them */
    size_t wanted; /* the file whose key is not known, from 1; 0: none */
    bool in_force; /* to be set: feed.h gives whole lines redacted by those */
};

/* @dir, @keys  borrowed; `chain`, too, which may be set behind this */
void plog_orders_init(struct plog_orders *o, const struct plog_io *io,
                      const struct plog_dir *dir,
                      const struct plog_keyring *keys);
void plog_orders_fini(struct plog_orders *o);

/* Why nobody can tell that there is no such order, or compact entry, when none
 * was found: PLOG_E_IO, PLOG_E_NOMEM; 0: because there is none. */
PLOG_MUST_CHECK int plog_orders_doubt(const struct plog_orders *o);
/* Says so of `what`.  Returns rc, which is that. */
int plog_orders_doubt_fail(const struct plog_orders *o, int rc,
                           const char *what, struct plog_error *err);

/* Adds an order.
 * @file  as in struct plog_known_order
 * Returns 0 or PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_orders_add(struct plog_orders *o,
                                    const struct plog_order *order,
                                    size_t file);

/* Asks for the order behind a redacted line.
 * @leaf, @line  what the line claims to be, and its bytes
 * Returns 0; PLOG_E_TAMPERED when there is none that fits; PLOG_E_UNKNOWN_KEY
 * when one came along, by a key that is not known: plog_orders_wanted;
 * PLOG_E_IO; PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_orders_need(struct plog_orders *o, uint64_t seq,
                                     const unsigned char *leaf,
                                     struct plog_span line);

/* The file with that one, or with the compact entry that was asked for and not
 * given for that reason.
 * @key  out: the id of its key
 * Returns the name in orders/; NULL: there is none. */
const char *plog_orders_wanted(const struct plog_orders *o,
                               char key[PLOG_KEYID_TEXT]);
/* The same of that one of `files`; 0: NULL.  Where what is in it was not met,
 * its key is none of the log. */
const char *plog_orders_strange(const struct plog_orders *o, size_t file,
                                char key[PLOG_KEYID_TEXT]);

/* Asks for the compact entry that lets the log begin behind entry `size`: the
 * log's last one, if it reaches there, or one that came along.
 * Returns it, now needed; NULL when there is none, or plog_orders_doubt. */
const struct plog_compaction *plog_orders_floor(struct plog_orders *o,
                                                uint64_t size);
/* The same for the last one that sets exactly this floor. */
const struct plog_compaction *plog_orders_floor_at(struct plog_orders *o,
                                                   uint64_t floor);
/* The seq of one of the first kind, or of the second with `exactly`; 0: there
 * is none.  Nothing rests on it, so it need not be met. */
uint64_t plog_orders_floor_seq(struct plog_orders *o, uint64_t size,
                               bool exactly);
/* A verified compact entry was met.  @args  its arguments, raw */
void plog_orders_meet_floor(struct plog_orders *o, uint64_t seq,
                            struct plog_span args);
/* The one that was needed and not met, and no other that was met will do; NULL:
 * none. */
const struct plog_known_floor *plog_orders_floor_unheld(struct plog_orders *o);
/* The same as plog_orders_floor, of those that were met: what lets the log
 * begin where it does; NULL: none. */
const struct plog_compaction *plog_orders_floor_held(struct plog_orders *o);

/* The same, where it names another root than the header behind which the log
 * begins, and both are signed; NULL: it does not, or nobody can tell. */
const struct plog_compaction *plog_orders_floor_forks(struct plog_orders *o);

/* A verified order was met. */
void plog_orders_meet(struct plog_orders *o, const struct plog_order *order);

/* The log's own order about entry `seq`, or NULL; looks for it when nothing was
 * loaded yet.  NULL also in plog_orders_doubt. */
const struct plog_order *plog_orders_find(struct plog_orders *o, uint64_t seq);
/* Whether a floor that was given out came along: its entry is none of the log
 * at hand, whose own may have the same number. */
bool plog_orders_is_brought_floor(const struct plog_compaction *found);

/* ---- Those that came along (orders_brought.c) --------------------------- */

/*
 * All of them, by entry, whatever is asked for else; without orders/ that takes
 * one look for it.
 * @list  out: valid until the next call
 * Returns 0; PLOG_E_IO: nobody can tell; PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_orders_brought(struct plog_orders *o,
                                        const struct plog_known_order **list,
                                        size_t *count);
/*
 * What one of them that is proven makes of the line of entry `seq`, be that
 * whole or redacted.
 * @out  emptied; the redacted line
 * Returns 1; 0 when none is about this line; PLOG_E_IO; PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_orders_redact(struct plog_orders *o,
                                       struct plog_entry_parser *parser,
                                       uint64_t seq, struct plog_span line,
                                       struct plog_buf *out);

/* The same for one that is claimed.  @order  out, with 1 */
PLOG_MUST_CHECK int plog_orders_claim(struct plog_orders *o,
                                      struct plog_entry_parser *parser,
                                      uint64_t seq, struct plog_span line,
                                      struct plog_order *order);
/* The first again, else one of the log's own, on its word: who finds none asks
 * plog_orders_doubt.  @order, @own  out, with 1: which, and whether it is */
PLOG_MUST_CHECK int plog_orders_about(struct plog_orders *o,
                                      struct plog_entry_parser *parser,
                                      uint64_t seq, struct plog_span line,
                                      struct plog_order *order, bool *own,
                                      struct plog_buf *out);
/* Asks whose they are again, where the log has had more keys since; so, too, at
 * the end of a reading, before it is asked what is not held.  Returns 0;
 * PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_orders_settle(struct plog_orders *o);
/* Whether one of them is not proven by the keys that are known so far.  Returns
 * 0; PLOG_E_IO; PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_orders_unproven(struct plog_orders *o, bool *any);
/* The log was verified, and these are its keys: whatever one of them proves
 * counts from now on.  @chain  copied
 * Returns 0 or PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_orders_know_keys(struct plog_orders *o,
                                          const struct plog_keychain *chain);

/* plog_orders_doubt_fail for whoever reads whole lines. */
int plog_orders_brought_fail(const struct plog_orders *o, int rc,
                             struct plog_error *err);
/* Says so of what rests on it: `what` ends in "expected an order", say. Returns
 * PLOG_E_UNKNOWN_KEY. */
int plog_orders_strange_fail(const char *what, const char *file,
                             const char *key, struct plog_error *err);
/* What was said is about orders/ as a whole; returns rc. */
int plog_orders_name_folder(int rc, struct plog_error *err);

/* Between the files: loads what log and orders/ have; reads orders/, once;
 * takes a compact entry;
 * notes which of them stand in the log; goes on behind what cannot be read;
 * gives each segment to `look`, whose PLOG_E_IO and PLOG_E_NOMEM count. */
PLOG_MUST_CHECK int plog_orders_load(struct plog_orders *o);
PLOG_MUST_CHECK int plog_orders_read_folder(struct plog_orders *o);
PLOG_MUST_CHECK int plog_orders_keep_floor(struct plog_orders *o,
                                           struct plog_entry_parser *parser,
                                           struct plog_span line, size_t file);
void plog_orders_match_floors(struct plog_orders *o);
struct plog_scan;
PLOG_MUST_CHECK int plog_orders_each_segment(struct plog_orders *o,
                                             int (*look)(struct plog_orders *,
                                                         struct plog_scan *));
/* Whether nobody can tell by whose key that one of `files` is. */
bool plog_orders_is_strange(const struct plog_orders *o, size_t file);
void plog_orders_sort(struct plog_orders *o);
/* The index of the first one about entry `seq` or a later one, in a sorted
 * list. */
size_t plog_orders_from(const struct plog_buf *list, uint64_t seq);
/* (orders_keys.c) By whose key the note holds.
 * @from  as it was known; out
 * Returns 0; PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_orders_whose(struct plog_orders *o,
                                      const struct plog_note *note,
                                      enum plog_order_from *from);

/* ---- What was needed ---------------------------------------------------- */

/* The next order, from `*i` on, that was needed and not met, nor another that
 * makes the same line; NULL: none. */
const struct plog_known_order *plog_orders_unheld(const struct plog_orders *o,
                                                  size_t *i);
/* The file that has it, or one with another that makes the same line, by a key
 * that nobody knows; 0: none. */
size_t plog_orders_file(const struct plog_orders *o,
                        const struct plog_known_order *unheld);
/* The next order of the log itself, from `*i` on, that was needed and stands
 * behind entry `size`; NULL: none. */
const struct plog_order *plog_orders_above(const struct plog_orders *o,
                                           uint64_t size, size_t *i);

#endif
