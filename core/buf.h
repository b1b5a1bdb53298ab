/*
 * buf.h - a growable run of bytes, and spans of text.
 *
 * Memory comes from the I/O table, so that tests can count and fail it.
 */
#ifndef PLOG_BUF_H
#define PLOG_BUF_H

#include <string.h>

#include "paritylog.h"

struct plog_buf {
    const struct plog_io *io;
    char *data; /* NULL while cap == 0 */
    size_t len, cap;
};

/* Starts empty; allocates nothing. */
void plog_buf_init(struct plog_buf *b, const struct plog_io *io);
/* Frees and empties; may be called twice. */
void plog_buf_fini(struct plog_buf *b);
/* Makes room for `n` more bytes.  Returns 0 or PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_buf_reserve(struct plog_buf *b, size_t n);
/* Appends.  Returns 0 or PLOG_E_NOMEM; on failure `b` is unchanged. */
PLOG_MUST_CHECK int plog_buf_add(struct plog_buf *b, const void *p, size_t n);
PLOG_MUST_CHECK int plog_buf_add_text(struct plog_buf *b, const char *text);
PLOG_MUST_CHECK int plog_buf_add_span(struct plog_buf *b, struct plog_span s);
PLOG_MUST_CHECK int plog_buf_add_char(struct plog_buf *b, char c);
PLOG_MUST_CHECK int plog_buf_add_u64(struct plog_buf *b, uint64_t n);
/* Appends `n` bytes of `p` as standard base64 with padding. */
PLOG_MUST_CHECK int plog_buf_add_base64(struct plog_buf *b, const void *p,
                                        size_t n);
/* Appends `text` as a JSON string in our own spelling: shortest escapes for
 * quote, backslash and line feed, \u00XX for other controls, raw UTF-8. */
PLOG_MUST_CHECK int plog_buf_add_json(struct plog_buf *b,
                                      struct plog_span text);

/* In an array that ascends by a number: the first whose number is `least` or
 * more, or `n`.
 * @size, @at  of an element, and where in it the number stands */
size_t plog_first_from(const void *all, size_t n, size_t size, size_t at,
                       uint64_t least);

/* Allocation through the table.  NULL when out of memory. */
void *plog_alloc(const struct plog_io *io, size_t n); /* zeroed */
void plog_free(const struct plog_io *io, void *p);

static inline struct plog_span plog_span(const char *p, size_t n)
{
    struct plog_span s = {p, n};
    return s;
}

static inline struct plog_span plog_span_text(const char *text)
{
    return plog_span(text, strlen(text));
}

static inline bool plog_span_equal(struct plog_span a, struct plog_span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool plog_span_is(struct plog_span a, const char *text)
{
    return plog_span_equal(a, plog_span_text(text));
}

static inline bool plog_span_begins(struct plog_span a, const char *text)
{
    size_t n = strlen(text);
    return a.n >= n && memcmp(a.p, text, n) == 0;
}

/* Takes `text` off the front of `s`; false: it does not stand there. */
static inline bool plog_span_take(struct plog_span *s, const char *text)
{
    bool begins = plog_span_begins(*s, text);
    size_t n = begins ? strlen(text) : 0;
    *s = plog_span(s->p + n, s->n - n);
    return begins;
}

/* Bytes in memory order as the JSON library compares: memcmp, then length. */
int plog_span_compare(struct plog_span a, struct plog_span b);

/* Decodes standard base64 of exactly `n` bytes: canonical padding, no other
 * character.  Returns 0 or PLOG_E_INPUT. */
PLOG_MUST_CHECK int plog_base64_decode(struct plog_span text, void *out,
                                       size_t n);

/* Reads a decimal number without sign or leading zero that fits 63 bits.
 * Returns 0 or PLOG_E_INPUT. */
PLOG_MUST_CHECK int plog_u64_parse(struct plog_span text, uint64_t *out);

#endif
