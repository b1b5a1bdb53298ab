/*
 * sweep_reading.c - the n-th call fails: of the operations of paritylog.h that
 * read, and of those about keys.
 *
 * See sweeping.h for what must hold then and how a single position is run
 * again; the operations are in tests/lib/ops_reading.c.
 */
#include "sweep_ops.h"
#include "sweep_worlds.h"

int main(int argc, char **argv)
{
    return sweep_main(argc, argv, "sweep_reading", sweep_make_worlds,
                      ops_reading.all, ops_reading.count);
}
