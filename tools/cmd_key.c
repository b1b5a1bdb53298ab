/* cmd_key.c - paritylog key show: the verifier key of a log. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "fail.h"
#include "out.h"

static void print(const struct cli *c, const char *vkey)
{
    struct out o;
    if (!c->json) {
        printf("%s\n", vkey);
        return;
    }
    out_init(&o, stdout);
    out_object(&o, NULL);
    out_text(&o, "schema", "paritylog/key/1");
    out_text(&o, "vkey", vkey);
    out_end(&o);
}

int cmd_key(struct cli *c, int argc, char **argv)
{
    const struct cli_spec spec = {0, NULL, 0, 2, 2};
    struct plog_error err = {.code = 0};
    struct plog_options o;
    char vkey[PLOG_VKEY_MAX];

    int status = cli_parse(c, argc, argv, &spec);
    if (status >= 0)
        return status;
    if (strcmp(c->args[0], "rotate") == 0 || strcmp(c->args[0], "trust") == 0)
        return fail_usage(c, "key %s is not in this version", c->args[0]);
    if (strcmp(c->args[0], "show") != 0)
        return fail_usage(c, "key takes show, not '%s'", c->args[0]);
    cli_options(c, &o);
    int rc = plog_key_show(c->args[1], &o, vkey, &err);
    if (rc != 0)
        return fail(c, rc, &err, NULL);
    print(c, vkey);
    return 0;
}
