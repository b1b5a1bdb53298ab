/*
 * at_end.h - texts at the end of what can be read: a byte more is a fault.
 */
#ifndef AT_END_H
#define AT_END_H

#include "line.h"

#define AT_END_ROOM 65536

/* Copies `n` bytes, AT_END_ROOM at most, to where memory ends; they lie there
 * until the next call. */
struct plog_span at_end(const char *text, size_t n);

#endif
