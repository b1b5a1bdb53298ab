/*
 * sweep_recovery.c - the n-th call fails: of the operations of
 * paritylog_recovery.h that check, mend, make anew and restore.
 *
 * See sweeping.h for what must hold then and how a single position is run
 * again; the operations are in tests/lib/ops_recovery.c.
 */
#include "sweep_ops.h"
#include "sweep_worlds.h"

int main(int argc, char **argv)
{
    return sweep_main(argc, argv, "sweep_recovery", sweep_make_worlds,
                      ops_recovery.all, ops_recovery.count);
}
