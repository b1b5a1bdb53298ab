/*
 * text.h - small conversions of text that several commands need.
 *
 * Nothing here knows of logs or stores; each function is a pure one of its
 * bytes, except those that take a FILE and print.
 */
#ifndef TOOLS_TEXT_H
#define TOOLS_TEXT_H

#include <stdio.h>

#include "paritylog.h"

/* Bytes of the base64 text of `n` bytes, with the NUL. */
#define TEXT_BASE64(n) (((n) + 2) / 3 * 4 + 1)

/* Writes standard base64 with padding and a NUL; `out` has TEXT_BASE64(n). */
void text_base64(const unsigned char *p, size_t n, char *out);

/* Reads the base64 text of one hash: padded, one spelling only. */
bool text_read_hash(const char *text, size_t len,
                    unsigned char out[PLOG_HASH_SIZE]);

/* Reads a decimal number without sign or space. */
bool text_read_number(const char *text, uint64_t *out);

/* The length of the valid UTF-8 sequence that `p` begins with; 0 when there
 * is none.  `n` is at least 1. */
size_t text_utf8(const char *p, size_t n);

/*
 * Prints bytes so that they cannot steer a terminal: control characters,
 * direction marks and what is not UTF-8 become \xNN.
 * @f  NULL: only count
 * Returns the columns used, a character counting as one.
 */
size_t text_safe(FILE *f, const char *p, size_t n);

/* Whether the valid sequence at `p` is a control character or a mark that
 * turns the direction of what follows. */
bool text_steers(const char *p, size_t len);
/* The character of a valid sequence. */
unsigned text_code(const char *p, size_t len);

/* JSON text as it is; on a terminal with \uNNNN for what would steer it, which
 * is the same JSON. */
void text_json(FILE *f, const char *p, size_t n);
/* A text as it is; on a terminal as text_safe. */
void text_csv(FILE *f, const char *p, size_t n);

/*
 * Finds a member of the outermost object.
 * @object  a text that the library accepted, hence strict JSON
 * @name    plain ASCII
 * Returns the raw value as it stands there, n == 0 when there is none.
 */
struct plog_span text_member(struct plog_span object, const char *name);

#endif
