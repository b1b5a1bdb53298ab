/*
 * sketch.h - the ordinary line of a delta, read in one pass.
 *
 * Nearly every line of a log is the same handful of members in the same order,
 * none of the texts with an escape.  Such a line is read here without a second
 * look at any byte and without memory of its own; whatever else it is, correct
 * or not, is left to plog_entry_parse.  So a sketch never refuses a line: it
 * says what plog_entry_parse would, or nothing.
 */
#ifndef PLOG_SKETCH_H
#define PLOG_SKETCH_H

#include "line.h"

/* A part of the line, without quotes; n 0: the member is not there. */
struct plog_piece {
    uint32_t at, n;
};

struct plog_sketch {
    uint64_t seq; /* 0: nothing is known of this line */
    struct plog_instant instant;
    double confidence;
    struct plog_piece id, resource, record_id; /* no escape inside: decoded */
    struct plog_piece payload;                 /* raw */
    bool is_delete, skipped;
    bool opens; /* it has a logged_at */
};

/*
 * Reads a line.
 * @line      without its LF
 * @readable  where the memory ends that the line lies in, at or behind its end
 * @out       seq 0 when false
 * Returns whether it is an ordinary one: a delta without `from`, `merged` and
 * `redacted`, whose texts need no decoding.  Then plog_entry_parse takes it,
 * with these values.
 */
bool plog_sketch_read(struct plog_span line, const char *readable,
                      struct plog_sketch *out);

/* What the row and the fold of an entry need of its line: seq, outcome, id,
 * resource, record id, payload, op, time and confidence.  All else of `out`
 * stays empty. */
void plog_sketch_entry(const struct plog_sketch *k, struct plog_span line,
                       struct plog_entry *out);

static inline struct plog_span plog_piece_of(struct plog_span line,
                                             struct plog_piece piece)
{
    return plog_span(line.p + piece.at, piece.n);
}

#endif
