/*
 * test_faults_rebuild.c - a leg is made from the other, elsewhere.
 *
 * Calls of the table fail, then allocations, one at a time: what must hold then
 * says sweeping.h.
 */
#include "sweep_ops.h"

int main(int argc, char **argv)
{
    return sweep_cases(argc, argv, &ops_recovery, "rebuild log|rebuild store",
                       "EIO|allocation");
}
