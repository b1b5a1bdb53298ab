/*
 * fuzz_lines.h - mutations that know what a line is.
 *
 * Random bytes rarely get behind a hash or a signature.  These change a line
 * by whole JSON values, and make what depends on it right again.
 */
#ifndef FUZZ_LINES_H
#define FUZZ_LINES_H

#include "fuzz.h"
#include "key.h"

/* Changes a JSON text by a value or a member: replaced, removed, doubled,
 * exchanged, a number one off.  What is no compact JSON is left to libFuzzer.
 * Returns the new length. */
size_t fuzz_mutate_json(char *text, size_t n, size_t max, uint64_t *random);

/* Appends a commit line, or the header behind it, of a log that was never
 * there: a random size and range, signed. */
void fuzz_add_commit(struct plog_buf *b, const struct plog_signer *s,
                     uint64_t *random);
void fuzz_add_header(struct plog_buf *b, const struct plog_signer *s,
                     uint64_t *random);

#endif
