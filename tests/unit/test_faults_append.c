/*
 * test_faults_append.c - entries are appended one by one.
 *
 * Calls of the table fail, then allocations, one at a time: what must hold then
 * says sweeping.h.
 */
#include "sweep_ops.h"

int main(int argc, char **argv)
{
    return sweep_cases(argc, argv, &ops_writing,
                       "append|append compacted|append twice|set strategy|new "
                       "segment|get head",
                       "EIO|allocation");
}
