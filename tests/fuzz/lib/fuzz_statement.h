/* fuzz_statement.h - SQL that reaches what a store holds. */
#ifndef FUZZ_STATEMENT_H
#define FUZZ_STATEMENT_H

#include "fuzz.h"

/* Puts one of them there, without an end, half of them with another digit, and
 * gives its length: 255 at most. */
size_t fuzz_statement(char out[256], uint64_t *random);

#endif
