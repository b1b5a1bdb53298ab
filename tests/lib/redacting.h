/*
 * redacting.h - a log of which a payload was taken out, and copies that bring
 * it back.
 */
#ifndef REDACTING_H
#define REDACTING_H

#include "paritylog_recovery.h"
#include "world.h"

/* Orders entry `seq` to be redacted; waits shortly for readers.  Returns the
 * code. */
int redacting_order(const struct world *w, uint64_t seq,
                    struct plog_redact_report *r, struct plog_error *err);
/* Orders entry 2 to be redacted, and goes on under another name from entry 40
 * in a copy, which takes the log's place: orders/ has the order. */
void redacting_copy(struct world *w);
/* What is left of an order for entry `seq` that was killed before its commit
 * line: an end of the last segment which is none of the log.  The entry must
 * lie in another one. */
void redacting_killed(const struct world *w, uint64_t seq);
/* How many orders are pending, by the store. */
int64_t redacting_pending(const struct world *w);
/* Whether a file of the directory has the text. */
bool redacting_has(const struct world *w, const char *name, const char *text);
/* How many files of a folder have it, also in folders there; none where there
 * is no folder. */
int redacting_count(const struct world *w, const char *folder,
                    const char *text);
/* Makes the store anew.  Returns the code. */
int redacting_fresh(const struct world *w);

#endif
