/* cmd_init.c - paritylog init: an empty log, store and key. */
#include <stdio.h>

#include "cmd.h"
#include "fail.h"
#include "out.h"
#include "proc.h"

static void print(const struct cli *c, const char *vkey)
{
    struct out o;
    if (!c->json) {
        printf("%s\n", vkey);
        return;
    }
    out_init(&o, stdout);
    out_object(&o, NULL);
    out_text(&o, "schema", "paritylog/init/1");
    out_text(&o, "vkey", vkey);
    out_end(&o);
}

int cmd_init(struct cli *c, int argc, char **argv)
{
    struct plog_init_options o = {.struct_size = sizeof o, .io = cli_io()};
    const char *strategy = NULL;
    const struct cli_option own[] = {{"origin", CLI_TEXT, &o.origin, 0, 0},
                                     {"strategy", CLI_TEXT, &strategy, 0, 0},
                                     {"segment-size", CLI_NUMBER,
                                      &o.segment_size_bytes, PLOG_SEGMENT_MIN,
                                      PLOG_SEGMENT_MAX},
                                     {"max-line", CLI_NUMBER, &o.line_max_bytes,
                                      PLOG_LINE_MIN, PLOG_LINE_MAX}};
    const struct cli_spec spec = {CLI_PASSPHRASE | CLI_NETWORK_FS, own,
                                  CLI_COUNT(own), 1, 1};
    struct cli_secret secret;
    struct plog_error err = {.code = 0};
    char vkey[PLOG_VKEY_MAX];

    int status = cli_parse(c, argc, argv, &spec);
    if (status < 0 && strategy)
        status = cli_strategy(c, strategy, &o.strategy);
    if (status >= 0)
        return status;
    proc_no_core();
    int rc = cli_secret_read(c, &secret, &err);
    if (rc == 0) {
        o.passphrase = secret.given ? secret.text : NULL;
        o.wait_seconds = c->wait;
        o.allow_network_fs = c->network_fs_ok;
        rc = plog_init(c->args[0], &o, vkey, &err);
        cli_secret_wipe(&secret);
    }
    if (rc != 0)
        return fail(c, rc, &err, NULL);
    print(c, vkey);
    return 0;
}
