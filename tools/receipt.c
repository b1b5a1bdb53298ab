/* receipt.c - see receipt.h. */
#include "receipt.h"

void receipt_json(struct out *o, const char *name, const struct plog_receipt *r,
                  struct plog_span id)
{
    out_object(o, name);
    out_uint(o, "seq", r->seq);
    if (id.n > 0)
        out_raw(o, "id", id.p, id.n);
    else
        out_null(o, "id");
    out_hash(o, "leaf", r->leaf);
    out_uint(o, "size", r->size);
    out_hash(o, "root", r->root);
    out_base64(o, "sig", r->sig, PLOG_SIG_SIZE);
    out_bool(o, "duplicate", r->duplicate);
    if (r->skipped)
        out_bool(o, "skipped", true);
    if (r->warned)
        out_bool(o, "warned", true);
    out_end(o);
}
