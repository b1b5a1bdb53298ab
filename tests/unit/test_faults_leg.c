/*
 * test_faults_leg.c - a leg is made from the other, in its place.
 *
 * Calls of the table fail, then allocations, one at a time: what must hold then
 * says sweeping.h.
 */
#include "sweep_ops.h"

int main(int argc, char **argv)
{
    return sweep_cases(
        argc, argv, &ops_recovery,
        "rebuild log install|rebuild store install|replay fresh compacted",
        "EIO|allocation");
}
