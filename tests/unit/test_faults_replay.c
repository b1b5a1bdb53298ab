/*
 * test_faults_replay.c - a store follows, or is made anew.
 *
 * Calls of the table fail, then allocations, one at a time: what must hold then
 * says sweeping.h.
 */
#include "sweep_ops.h"

int main(int argc, char **argv)
{
    return sweep_cases(argc, argv, &ops_recovery,
                       "replay|replay dry run|replay fresh|replay storeless",
                       "EIO|allocation");
}
