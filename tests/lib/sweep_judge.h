/* sweep_judge.h - what must hold of the files that a fault left; a part of
 * sweeping.c. */
#ifndef SWEEP_JUDGE_H
#define SWEEP_JUDGE_H

#include "sweeping.h"
#include "files.h"

#define JUDGE_LINES 64

/* A world before an operation, and what was found to hold after it. */
struct sweep_base {
    struct tree tree;
    uint64_t told;               /* by the unharmed operation */
    uint64_t size;               /* of the log; 0: there is none */
    uint64_t lines[JUDGE_LINES]; /* hash of the line of each seq */
    uint64_t *judged;            /* states */
    size_t judged_count;
};

/* Looks at the stage as it is. */
void sweep_look(const struct sweep_op *op, struct sweep_base *base,
                const char *top);
/* Whether such a state was judged before; it is noted. */
bool sweep_was_judged(struct sweep_base *base, const struct tree *after,
                      const struct stage *s, int rc);
void sweep_judge(const struct sweep_op *op, const struct sweep_base *base,
                 const struct tree *after, const struct stage *s, int rc);

void sweep_complain(const char *format, ...);

#endif
