/* receipt.h - receipts as JSON. */
#ifndef TOOLS_RECEIPT_H
#define TOOLS_RECEIPT_H

#include "out.h"

/* Writes a receipt as an object.
 * @id  the caller's id as it stands in the delta, with quotes; n == 0: none */
void receipt_json(struct out *o, const char *name, const struct plog_receipt *r,
                  struct plog_span id);

#endif
