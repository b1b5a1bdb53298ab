/* cmd_rotate.c - paritylog rotate: ends the last segment by hand. */
#include <stdio.h>

#include "cmd.h"
#include "fail.h"
#include "out.h"

static int run(struct cli *c, uint64_t *first, bool *made,
               struct plog_error *err)
{
    plog *p = NULL;
    int rc = cli_open(c, &p, err);
    if (rc == 0)
        rc = plog_new_segment(p, first, err);
    plog_close(p);
    *made = rc == 0;
    return rc == PLOG_PRESENT ? 0 : rc;
}

int cmd_rotate(struct cli *c, int argc, char **argv)
{
    const struct cli_spec spec = {CLI_PASSPHRASE | CLI_NETWORK_FS, NULL, 0, 1,
                                  1};
    struct plog_error err = {.code = 0};
    uint64_t first = 0;
    bool made = false;
    struct out o;
    int status = cli_parse(c, argc, argv, &spec);
    if (status >= 0)
        return status;
    int rc = run(c, &first, &made, &err);
    if (rc != 0)
        return fail(c, rc, &err, NULL);
    if (!c->json) {
        printf(made ? "a new segment begins at entry %llu\n"
                    : "the last segment holds no entry yet; it begins at"
                      " entry %llu\n",
               (unsigned long long)first);
        return 0;
    }
    out_init(&o, stdout);
    out_object(&o, NULL);
    out_text(&o, "schema", "paritylog/rotate/1");
    out_bool(&o, "made", made);
    out_uint(&o, "first", first);
    out_end(&o);
    return 0;
}
