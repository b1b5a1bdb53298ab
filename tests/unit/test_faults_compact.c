/*
 * test_faults_compact.c - entries are taken away.
 *
 * Calls of the table fail, then allocations, one at a time: what must hold then
 * says sweeping.h.
 */
#include "sweep_ops.h"

int main(int argc, char **argv)
{
    return sweep_cases(argc, argv, &ops_upkeep,
                       "compact|compact dry run|compact discard",
                       "EIO|allocation");
}
