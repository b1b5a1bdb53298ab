/* order_main.c - gives the command the table that checks the order of syncs:
 * the tests of the command run it this way.  PARITYLOG_TEST_FS, a number, is
 * the type of file system that this table tells of. */
#include <stdlib.h>

#include "order_shim.h"

const struct plog_io *cli_io(void);

static int told_type(void *ctx, int fd, struct plog_fs *out)
{
    int rc = plog_io_posix()->file_system(ctx, fd, out);
    out->type = strtoull(getenv("PARITYLOG_TEST_FS"), NULL, 0);
    return rc;
}

const struct plog_io *cli_io(void)
{
    static struct plog_io told;
    if (!getenv("PARITYLOG_TEST_FS"))
        return order_io();
    if (!told.struct_size) {
        told = *order_io();
        told.file_system = told_type;
    }
    return &told;
}
