/*
 * test_faults_open.c - a log is made, opened and closed.
 *
 * Calls of the table fail, then allocations, one at a time: what must hold then
 * says sweeping.h.
 */
#include "sweep_ops.h"

int main(int argc, char **argv)
{
    return sweep_cases(
        argc, argv, &ops_writing,
        "init|open|open behind|open cut|open halfway|open compacted|close",
        "EIO|allocation");
}
