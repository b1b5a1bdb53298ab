/*
 * test_faults_salvage.c - what is left of a log is read, or mended.
 *
 * Calls of the table fail, then allocations, one at a time: what must hold then
 * says sweeping.h.
 */
#include "sweep_ops.h"

int main(int argc, char **argv)
{
    return sweep_cases(argc, argv, &ops_recovery, "salvage|salvage from store",
                       "EIO|allocation");
}
