/*
 * test_faults_copy.c - a restored log goes on, under its name or another.
 *
 * Calls of the table fail, then allocations, one at a time: what must hold then
 * says sweeping.h.
 */
#include "sweep_ops.h"

int main(int argc, char **argv)
{
    return sweep_cases(argc, argv, &ops_recovery,
                       "restore adopt|restore continue", "EIO|allocation");
}
