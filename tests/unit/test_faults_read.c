/*
 * test_faults_read.c - a reader, a subscriber, and the keys.
 *
 * Calls of the table fail, then allocations, one at a time: what must hold then
 * says sweeping.h.
 */
#include "sweep_ops.h"

int main(int argc, char **argv)
{
    return sweep_cases(
        argc, argv, &ops_reading,
        "reader get|reader history|reader log|reader cursors|reader "
        "query|reader checkpoint|status|subscribe|key show|key list|key "
        "trust|key rotate",
        "EIO|allocation");
}
