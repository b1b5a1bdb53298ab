/*
 * test_faults_group.c - entries are appended many at a time, or follow another
 * log.
 *
 * Calls of the table fail, then allocations, one at a time: what must hold then
 * says sweeping.h.
 */
#include "sweep_ops.h"

int main(int argc, char **argv)
{
    return sweep_cases(
        argc, argv, &ops_writing,
        "append many|append group|catch up|apply logged|append twice below",
        "EIO|allocation");
}
