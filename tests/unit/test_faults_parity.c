/*
 * test_faults_parity.c - both legs are checked.
 *
 * Calls of the table fail, then allocations, one at a time: what must hold then
 * says sweeping.h.
 */
#include "sweep_ops.h"

int main(int argc, char **argv)
{
    return sweep_cases(argc, argv, &ops_recovery,
                       "parity|parity compacted|parity since|parity watermark",
                       "EIO|allocation");
}
