/*
 * redact.h - taking the payload out of an entry and keeping its proof.
 *
 *   {"seq":42,...,"redacted":"LEAF"}    the entry without payload, meta,
 *                                       merged and salt
 *   {"seq":99,"control":"redact","args":{"seq":42,"leaf":"LEAF",
 *                       "line":"SHA-256","reason":"TEXT"},...}    the order
 *
 * The order signs what the redacted line is.  LEAF is the leaf of the line as
 * it was, so every root and every proof holds on; without an order that fits
 * it, a redacted line is damage.
 */
#ifndef PLOG_REDACT_H
#define PLOG_REDACT_H

#include "line.h"

#define PLOG_REASON_MAX 255 /* bytes, decoded */

struct plog_order {
    uint64_t seq;                       /* the entry whose payload goes */
    uint64_t at;                        /* seq of the order itself */
    unsigned char leaf[PLOG_HASH_SIZE]; /* of the line as it was */
    unsigned char line[PLOG_HASH_SIZE]; /* SHA-256 of the redacted line */
};

/* Appends the arguments of an order.  `reason` is text in UTF-8. */
PLOG_MUST_CHECK int plog_order_format(struct plog_buf *args,
                                      const struct plog_order *o,
                                      struct plog_span reason);
/* Reads a redact entry.  Returns 0 or PLOG_E_CORRUPT. */
PLOG_MUST_CHECK int plog_order_parse(const struct plog_entry *e,
                                     struct plog_order *out);

/* Whether a line is a redact entry, and what it orders; anything else, in
 * whatever shape, is not.  @out  may be NULL
 * Returns 1 when it is one, 0 when not, or PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_order_read(struct plog_entry_parser *parser,
                                    struct plog_span line,
                                    struct plog_order *out);

/* Whether a line that the parser takes is a redacted one. */
bool plog_line_is_redacted(struct plog_span line);

/* The leaf of a line that the parser takes: that of the line as it was. */
void plog_line_leaf(struct plog_span line, unsigned char leaf[PLOG_HASH_SIZE]);

/* Appends the redacted form of a delta's line. */
PLOG_MUST_CHECK int plog_redacted_format(struct plog_buf *b,
                                         const struct plog_entry *e,
                                         const unsigned char *leaf);

/*
 * What an order makes of the line of its entry.
 * @line   the line, full or redacted already
 * @entry  the same, parsed
 * @out    emptied; the redacted form
 * Returns 0; PLOG_E_CORRUPT when the order is not about this line;
 * PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_order_apply(const struct plog_order *o,
                                     struct plog_span line,
                                     const struct plog_entry *entry,
                                     struct plog_buf *out);

#endif
