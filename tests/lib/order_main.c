/* order_main.c - gives the command the table that checks the order of syncs:
 * the tests of the command run it this way. */
#include "order_shim.h"

const struct plog_io *cli_io(void);

const struct plog_io *cli_io(void)
{
    return order_io();
}
