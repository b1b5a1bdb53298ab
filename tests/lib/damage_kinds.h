/*
 * damage_kinds.h - every way in which the sample is damaged, case by case.
 */
#ifndef DAMAGE_KINDS_H
#define DAMAGE_KINDS_H

#include "damaged.h"

#define DAMAGE_KINDS 14
#define DAMAGE_CUT 5 /* the one that cuts at the i-th byte */

struct damage_kind {
    const char *name;
    /* Makes the `i`-th case of a whole sample. */
    void (*make)(uint64_t i, struct damaged *d);
    bool one; /* at one place */
    uint64_t count;
};

/* Those of one sample; there is one at a time. */
const struct damage_kind *damage_kinds(const struct sample *s);

#endif
