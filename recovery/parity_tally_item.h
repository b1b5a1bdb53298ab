/*
 * parity_tally_item.h - private to the tally: what stands in a noted item, and
 * where its part's buffers lie.
 */
#ifndef PLOG_PARITY_TALLY_ITEM_H
#define PLOG_PARITY_TALLY_ITEM_H

#include "parity_tally.h"

_Static_assert(sizeof(struct plog_tally_item) == 64, "it has no holes");
_Static_assert(PLOG_TALLY_PARTS == 128, "7 bits of the key");

#define HELD 256u /* items in a buffer: 16 KiB */
#define SEQ_BITS 56
#define SEQ_MAX ((1ull << SEQ_BITS) - 1)

enum {
    ROW = 1,
    SKIPPED = 2,
    ABSENT = 4,   /* it leaves no payload */
    STRATEGY = 8, /* times the strategy */
    BASE = 64,    /* a record before all entries */
};
_Static_assert(STRATEGY *PLOG_STRATEGIES <= BASE, "each has its bits");

static inline unsigned part_of(const struct plog_tally_item *i)
{
    return (unsigned)(i->key[0] >> 57);
}

static inline uint64_t seq_of(const struct plog_tally_item *i)
{
    return i->seq_and_kind & SEQ_MAX;
}

static inline unsigned kind_of(const struct plog_tally_item *i)
{
    return (unsigned)(i->seq_and_kind >> SEQ_BITS);
}

static inline struct plog_tally_item *buffer_of(const struct plog_tally *t,
                                                unsigned part)
{
    return t->items + (size_t)part * HELD;
}

/* In the temporary table. */
static inline sqlite3_int64 place_of(unsigned part, uint64_t number)
{
    return (sqlite3_int64)((uint64_t)part << 48 | number);
}

#endif
