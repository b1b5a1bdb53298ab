/*
 * test_faults_restore.c - a log is restored as it was.
 *
 * Calls of the table fail, then allocations, one at a time: what must hold then
 * says sweeping.h.
 */
#include "sweep_ops.h"

int main(int argc, char **argv)
{
    return sweep_cases(argc, argv, &ops_recovery, "restore|restore at",
                       "EIO|allocation");
}
