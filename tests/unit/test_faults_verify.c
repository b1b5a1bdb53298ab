/*
 * test_faults_verify.c - the log alone is checked.
 *
 * Calls of the table fail, then allocations, one at a time: what must hold then
 * says sweeping.h.
 */
#include "sweep_ops.h"

int main(int argc, char **argv)
{
    return sweep_cases(argc, argv, &ops_recovery,
                       "verify|verify witness|verify below|verify compacted",
                       "EIO|allocation");
}
