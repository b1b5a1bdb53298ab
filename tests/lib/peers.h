/*
 * peers.h - a log with peers, and what is compacted away when they have it.
 */
#ifndef PEERS_H
#define PEERS_H

#include "world.h"

#define PEERS_SEGMENT 4096 /* some ten entries */

/* Appends the deltas i<from> to i<to - 1>, to the records r0 to r6 in turn. */
void peers_put(struct world *w, int from, int to);
/* Makes a log with `count` of them in small segments; the handle is closed. */
void peers_make(struct world *w, enum plog_strategy strategy, int count);

/* Each returns the code of the library. */
int peers_add(const struct world *w, const char *name);
int peers_ack(const struct world *w, const char *name, uint64_t seq);
/* What else is to be set in `o` is. @r  may be NULL */
int peers_compact_with(const struct world *w, struct plog_compact_options o,
                       struct plog_compact_report *r);
int peers_compact(const struct world *w, struct plog_compact_report *r);
int peers_trim(const struct world *w, struct plog_compact_report *r);
int peers_undo(const struct world *w, struct plog_compact_report *r);
/* Of both legs: the code of the worst finding, which is printed. */
int peers_parity(const struct world *w);
uint64_t peers_floor(const struct world *w);

/* For plog_reader_log: no entry is left out.  arg: the last one, 0 at first. */
int peers_count_line(void *arg, uint64_t seq, const char *line, size_t len);

#endif
