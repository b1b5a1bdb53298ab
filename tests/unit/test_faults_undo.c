/*
 * test_faults_undo.c - what a compaction took is trimmed, finished, put back.
 *
 * Calls of the table fail, then allocations, one at a time: what must hold then
 * says sweeping.h.
 */
#include "sweep_ops.h"

int main(int argc, char **argv)
{
    return sweep_cases(argc, argv, &ops_upkeep,
                       "compact trim|compact halfway|compact undo",
                       "EIO|allocation");
}
