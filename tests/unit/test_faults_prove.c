/*
 * test_faults_prove.c - proofs, and who looks at the whole.
 *
 * Calls of the table fail, then allocations, one at a time: what must hold then
 * says sweeping.h.
 */
#include "sweep_ops.h"

int main(int argc, char **argv)
{
    return sweep_cases(argc, argv, &ops_upkeep,
                       "witness|prove|prove consistency|doctor|doctor "
                       "quick|inspect|inspect gzip",
                       "EIO|allocation");
}
