/*
 * json.h - the one strict JSON scanner, for what comes in and for what is
 * read back.
 *
 * A single pass over the bytes, no tree, no allocation per value: one
 * scratch is kept and reused.  It refuses duplicate members (compared after
 * unescaping), invalid UTF-8 (overlong forms, surrogates, above U+10FFFF),
 * lone surrogate escapes, \u0000, raw control characters, CR outside strings,
 * a BOM, anything after the value, and an opening bracket beyond
 * PLOG_DEPTH_MAX.  Numbers are any that RFC 8259 allows and stay as text.
 * The outermost value must be an object.
 */
#ifndef PLOG_JSON_H
#define PLOG_JSON_H

#include "buf.h"

/* Why a text was refused, and where. */
struct plog_json_fault {
    size_t offset;    /* of the byte at fault, from the start of the text */
    const char *what; /* a constant: what was expected or what is wrong */
};

/* Reused between calls; one per thread. */
struct plog_json {
    struct plog_buf names;   /* decoded member names of the open objects */
    struct plog_buf members; /* where each of them lies; struct private */
};

void plog_json_init(struct plog_json *j, const struct plog_io *io);
void plog_json_fini(struct plog_json *j);

/*
 * Checks `text` and appends it to `out` with the white space (space, tab,
 * LF; CR is refused) outside strings removed and nothing else touched.
 * Duplicate members cost O(n log n) at worst, never O(n^2).
 * Returns 0; PLOG_E_INPUT with `fault` filled and `out` as before;
 * PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_json_compact(struct plog_json *j,
                                      struct plog_span text,
                                      struct plog_buf *out,
                                      struct plog_json_fault *fault);

/*
 * Checks `text` as above but refuses any white space outside strings: the
 * form of a log line.  Nothing is copied.
 */
PLOG_MUST_CHECK int plog_json_check(struct plog_json *j, struct plog_span text,
                                    struct plog_json_fault *fault);

/* Checks a caller's text, `what` by name: 1 to `max` bytes of UTF-8.
 * Returns 0; PLOG_E_INPUT; PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_json_text_check(const char *what, const char *text,
                                         int max, const struct plog_io *io,
                                         struct plog_error *err);

/*
 * Walks over the members of an object that passed a check and is compact.
 * `object` includes its braces.  `name` and `value` are raw spans into it;
 * `name` is without its quotes, still escaped.  A value that is a string
 * keeps its quotes.
 */
struct plog_json_walk {
    const char *at, *end;
};
void plog_json_walk(struct plog_json_walk *w, struct plog_span object);
bool plog_json_next(struct plog_json_walk *w, struct plog_span *name,
                    struct plog_span *value);
/* Reads exactly the members `names` of an object, in order. */
bool plog_json_members(struct plog_span object, const char *const *names,
                       struct plog_span *values, size_t count);
/* The same for the elements of an array with its brackets. */
bool plog_json_next_element(struct plog_json_walk *w, struct plog_span *value);

/* Whether a raw member name, unescaped, is `text`. */
bool plog_json_name_is(struct plog_span raw_name, const char *text);

/*
 * Appends the unescaped bytes of a checked string to `out`.
 * @raw  without the quotes
 */
PLOG_MUST_CHECK int plog_json_unescape(struct plog_span raw,
                                       struct plog_buf *out);

/* Decodes a value that is a string with the base64 of exactly `n` bytes; false:
 * it is not. */
bool plog_json_bytes(struct plog_span raw, unsigned char *out, size_t n);

/* How many bytes the character beyond ASCII at `text` has, of at most `left`,
 * one or more; 0 when it is not valid UTF-8. */
size_t plog_json_utf8(const char *text, size_t left);

/* Kind of a checked value by its first byte: 's' string, 'o' object,
 * 'a' array, 'n' number, 't' true, 'f' false, '0' null. */
char plog_json_kind(struct plog_span value);

#endif
