/*
 * test_faults_peers.c - peers come, go and tell what they have.
 *
 * Calls of the table fail, then allocations, one at a time: what must hold then
 * says sweeping.h.
 */
#include "sweep_ops.h"

int main(int argc, char **argv)
{
    return sweep_cases(
        argc, argv, &ops_upkeep,
        "peer add|peer evict|peer ack|peer rewind|peers|redact|redactions",
        "EIO|allocation");
}
