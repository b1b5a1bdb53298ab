/*
 * sweep.c - the n-th call fails: of every operation of paritylog.h that writes.
 *
 * See sweeping.h for what must hold then and how a single position is run
 * again; the operations are in tests/lib/ops_writing.c.
 */
#include "sweep_ops.h"
#include "sweep_worlds.h"

int main(int argc, char **argv)
{
    return sweep_main(argc, argv, "sweep", sweep_make_worlds, ops_writing.all,
                      ops_writing.count);
}
