/*
 * json_reference.h - a second JSON scanner, for comparison with the first.
 *
 * Written from docs/FORMAT.md, section 2, and by other means than core/json.c:
 * a descent instead of a state, a byte at a time instead of eight, numbers by
 * a table of states, characters by their value.  It shares no code with it.
 */
#ifndef JSON_REFERENCE_H
#define JSON_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether `text` is strict JSON.
 * @compact  out: the text without white space outside strings, `n` bytes at
 *           most
 * @len      out: its length
 */
bool json_reference(const char *text, size_t n, char *compact, size_t *len);

#endif
