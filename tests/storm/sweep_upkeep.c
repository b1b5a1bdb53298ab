/*
 * sweep_upkeep.c - the n-th call fails: of the operations of
 * paritylog_recovery.h that look after a log.
 *
 * See sweeping.h for what must hold then and how a single position is run
 * again; the operations are in tests/lib/ops_upkeep.c.
 */
#include "sweep_ops.h"
#include "sweep_worlds.h"

int main(int argc, char **argv)
{
    return sweep_main(argc, argv, "sweep_upkeep", sweep_make_worlds,
                      ops_upkeep.all, ops_upkeep.count);
}
