/*
 * scan_window.h - shared by scan.c and scan_tail.c: the part of a segment
 * that is in memory.
 */
#ifndef PLOG_SCAN_WINDOW_H
#define PLOG_SCAN_WINDOW_H

#include "scan.h"

#define PLOG_WINDOW_PART 3 /* bytes up to the limit without an LF */
#define PLOG_WINDOW_LONG 4 /* longer than asked for */

/* Sets the fault and returns its code. */
int plog_scan_fault(struct plog_scan *s, int code, uint64_t offset,
                    uint64_t seq, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Makes `offset` readable next; drops the window when it lies outside. */
void plog_window_jump(struct plog_scan *s, uint64_t offset);

/*
 * Gives the line at `at`; everything from `keep` on stays in the window.
 * Returns 0; PLOG_END at the limit; PLOG_WINDOW_PART; PLOG_WINDOW_LONG when
 * it has more than `max` bytes; a fault's code.
 */
PLOG_MUST_CHECK int plog_window_line(struct plog_scan *s, uint64_t keep,
                                     uint64_t at, size_t max,
                                     struct plog_span *line);
/* Moves `*at` behind the next LF without keeping anything.  Returns 0,
 * PLOG_END, or a fault's code. */
PLOG_MUST_CHECK int plog_window_skip(struct plog_scan *s, uint64_t *at);

/*
 * Gives the next line from `*at` on that has an end and is no longer than one
 * of the log may be, and moves `*at` behind it.  Longer ones are damage, with
 * others behind them.
 * Returns 0; PLOG_END; a fault's code.
 */
PLOG_MUST_CHECK int plog_window_next(struct plog_scan *s, uint64_t *at,
                                     struct plog_span *line);

/* The next rotate or restore entry from `*at` on, on its word.  Returns as
 * plog_window_next. */
PLOG_MUST_CHECK int plog_window_rotation(struct plog_scan *s, uint64_t *at,
                                         struct plog_rotation *out);

/*
 * The key by which a commit counts: the one in force at its size.  Where the
 * chain of keys does not reach, a trusted one that was not retired.  NULL:
 * none; `*wrong` is then the key that it names although it is not in force,
 * or NULL when nobody knows that key.
 */
const struct plog_vkey *plog_scan_key(const struct plog_scan *s,
                                      const struct plog_commit *c,
                                      const struct plog_vkey **wrong);
/* Whether a commit counts under `origin`: its key and its signature.
 * @offset  of it, for the fault
 * Returns 0, or the fault's code. */
PLOG_MUST_CHECK int plog_scan_checkpoint(struct plog_scan *s,
                                         const char *origin,
                                         const struct plog_commit *c,
                                         uint64_t offset);
/*
 * Judges one entry line; the first fault of the group is kept, because the
 * commit may explain it better.
 * @opens  it is the group's first
 * @e      out: what it was parsed into
 */
void plog_scan_judge(struct plog_scan *s, struct plog_span line,
                     uint64_t offset, uint64_t seq, bool opens,
                     struct plog_entry *e, struct plog_fault *first);
/*
 * The same for an ordinary line at its place, which most are.
 * @sketch, @leaf  out
 * Returns false when it is none: plog_scan_judge is to look at it.
 */
bool plog_scan_ordinary(struct plog_scan *s, struct plog_span line,
                        uint64_t offset, uint64_t seq, bool opens,
                        struct plog_sketch *sketch, unsigned char *leaf);
/* The commit was taken: the key that signed it is in force. */
PLOG_MUST_CHECK int plog_scan_settle(struct plog_scan *s,
                                     const struct plog_commit *c);

#endif
