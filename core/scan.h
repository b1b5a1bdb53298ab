/*
 * scan.h - reading a segment group by group and verifying each.
 *
 * A valid group is lines and a commit whose signature verifies and whose root
 * is the root of the lines so far.  A scan has three outcomes, never two: a
 * group, the clean end, or a fault; whether a fault at the end of the last
 * segment is a torn tail or damage is asked separately.  The scan only
 * classifies; it changes nothing.
 *
 * Memory: one group (at most PLOG_GROUP_MAX, and a line) and 56 bytes a line,
 * or 128 where sketches are kept.
 */
#ifndef PLOG_SCAN_H
#define PLOG_SCAN_H

#include "ahead.h"
#include "dir.h"
#include "key.h"
#include "orders.h"
#include "rotate.h"

/*
 * Where a verified reading of the log stands.
 * Invariant: unless `broken`, tree.size == last.size and the tree hashes to
 * last.root; `broken` means that leaves before were damaged, so that roots
 * cannot be computed until the next segment header gives the range again.
 */
struct plog_chain {
    char origin[PLOG_ORIGIN_MAX + 1]; /* "" until the first header, */
    bool claimed; /* ... which says so; nothing that is signed did yet */
    struct plog_tree tree;
    struct plog_commit last;
    bool broken;
    const struct plog_keyring *keys; /* trusted */
    struct plog_keychain chain;      /* the log's own, as far as it was read */
    struct plog_orders *orders; /* to redact; NULL: a redacted line is damage */
};
void plog_chain_init(struct plog_chain *c, const struct plog_keyring *keys);

struct plog_scan_line {
    uint64_t offset; /* in the segment */
    size_t at, n;    /* in the window */
    unsigned char leaf[PLOG_HASH_SIZE];
};

struct plog_log_group {
    uint64_t first, size; /* seqs first..size */
    uint64_t begin, end;  /* byte offsets in the segment */
    struct plog_commit commit;
    struct plog_span commit_line;
    size_t count;
    bool root_checked; /* false while the chain is broken */
};

/* What is wrong, and where.  Texts hold hashes and numbers, never payload. */
struct plog_fault {
    int code; /* PLOG_E_CORRUPT, TAMPERED, UNKNOWN_KEY, FORMAT, FOREIGN, FORK;
                 PLOG_E_IO, PLOG_E_NOMEM */
    uint64_t offset, seq;
    char what[200];
    char expected[120], found[120];
    bool in_orders; /* the reason lies in orders/, not here */
    bool no_order;  /* a redacted line, for want of an order */
};

struct plog_scan {
    const struct plog_io *io;
    int fd;
    uint64_t limit;  /* the file is read up to here */
    uint64_t offset; /* of the next group */
    bool is_last;    /* padding may follow */
    struct plog_chain *chain;
    struct plog_buf window; /* bytes from window_at on */
    uint64_t window_at;
    struct plog_buf lines; /* plog_scan_line of the group at hand */
    bool sketches_kept;    /* by whoever reads the lines again; else empty: */
    struct plog_buf sketches; /* plog_sketch of each */
    struct plog_ahead *ahead; /* reads the file; NULL: the scan does */
    struct plog_entry_parser parser;
    struct plog_fault fault;
    bool as_signed;    /* the group with the fault is what its key signed */
    uint64_t first;    /* the seq in the file's name; 0: not known yet */
    bool has_rotation; /* the group at hand is a key rotation, or a restore */
    struct plog_rotation rotation;
    struct plog_buf ordered; /* plog_order: those that the group gives */
    struct plog_buf floor;   /* args of its last compact entry */
    uint64_t floor_at;       /* the seq of that; 0: none */
};

/*
 * Begins to read a segment.
 * @fd     borrowed
 * @limit  bytes of the file that count (its size, or a frozen head's offset)
 */
void plog_scan_open(struct plog_scan *s, const struct plog_io *io, int fd,
                    uint64_t limit, bool is_last, struct plog_chain *chain);
/* From here on the file is read ahead by a second thread, if one can be had. */
void plog_scan_ahead(struct plog_scan *s);
void plog_scan_close(struct plog_scan *s);

/*
 * Reads the header.  With a chain that stands at `first` - 1 it must be the
 * header that follows; with an empty or broken chain the chain is taken from
 * it, its checkpoint verified.
 * @first  the seq in the file's name
 * Returns 0; the fault's code.  A header that cannot be read as one is
 * PLOG_E_CORRUPT, and plog_scan_torn tells whether it may be a torn one.
 */
PLOG_MUST_CHECK int plog_scan_header(struct plog_scan *s, uint64_t first);

/* Reads and verifies the next group and moves the chain behind it.
 * Returns 0; PLOG_END at the clean end; else the fault's code, and neither
 * scan nor chain moved. */
PLOG_MUST_CHECK int plog_scan_group(struct plog_scan *s,
                                    struct plog_log_group *g);

/* Line `i` of the group just read. */
struct plog_span plog_scan_text(const struct plog_scan *s, size_t i);
const struct plog_scan_line *plog_scan_line(const struct plog_scan *s,
                                            size_t i);
/* ... and its sketch, where they are kept. */
const struct plog_sketch *plog_scan_sketch(const struct plog_scan *s, size_t i);

/*
 * After a fault: whether what follows is at most one unfinished group: no
 * group whose root and signature verify, whatever is wrong with its lines, and
 * no sign of a second one: no commit that verifies before other content, no
 * second logged_at, no logged_at on an entry that is not the next, at most
 * PLOG_GROUP_MAX bytes.  Only meaningful in the last segment; whether the
 * store covers the tail is for the caller to say.
 */
PLOG_MUST_CHECK int plog_scan_torn(struct plog_scan *s, bool *torn);

/*
 * After a fault: moves behind the next commit line whose signature verifies
 * and whose size is above the chain's, and marks the chain broken there.
 * @commit  out: that commit
 * Returns 0; PLOG_END when there is none up to the limit; an I/O error.
 */
PLOG_MUST_CHECK int plog_scan_resync(struct plog_scan *s,
                                     struct plog_commit *commit);

/* Where the content ends: the limit without LFs at its end. */
PLOG_MUST_CHECK int plog_scan_content_end(struct plog_scan *s, uint64_t *end);

/* Copies the fault into an error, with the segment's name. */
int plog_scan_error(const struct plog_scan *s, uint64_t first,
                    struct plog_error *err);

#endif
