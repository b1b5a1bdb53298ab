/* cmd_history.c - paritylog history: the exact entry lines of a record. */
#include <string.h>

#include "cmd.h"
#include "fail.h"
#include "out.h"

int cmd_history(struct cli *c, int argc, char **argv)
{
    const struct cli_spec spec = {0, NULL, 0, 3, 3};
    struct plog_error err = {.code = 0};
    plog_reader *r = NULL;

    int status = cli_parse(c, argc, argv, &spec);
    if (status >= 0)
        return status;
    int rc = cli_open_reader(c, &r, &err);
    if (rc == 0)
        rc = plog_reader_history(
            r, (struct plog_span){c->args[1], strlen(c->args[1])},
            (struct plog_span){c->args[2], strlen(c->args[2])}, out_line, NULL,
            &err);
    plog_reader_close(r);
    return rc == 0 ? 0 : fail(c, rc, &err, NULL);
}
