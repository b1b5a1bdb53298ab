/* cmd_parity.c - paritylog parity: both legs at one frozen head. */
#include <string.h>

#include "cmd.h"
#include "fail.h"
#include "report.h"

static int parse_format(struct cli *c, const char *format)
{
    if (!format)
        return -1;
    if (strcmp(format, "json") == 0) {
        c->json = true;
        return -1;
    }
    if (strcmp(format, "text") == 0)
        return c->json ? fail_usage(c, "--format text and --json differ") : -1;
    if (strcmp(format, "junit") == 0 || strcmp(format, "sarif") == 0 ||
        strcmp(format, "github") == 0)
        return fail_usage(c, "--format %s is not in this version", format);
    return fail_usage(c, "--format wants text or json, not '%s'", format);
}

int cmd_parity(struct cli *c, int argc, char **argv)
{
    struct report_spec report = {plog_parity, "paritylog/parity/1", false};
    const char *format = NULL;
    const struct cli_option own[] = {
        {"format", CLI_TEXT, &format, 0, 0},
        {"require-pin", CLI_FLAG, &report.require_pin, 0, 0}};
    const struct cli_spec spec = {CLI_KEY | CLI_EXPECT_HEAD | CLI_WITNESS |
                                      CLI_MAX_FINDINGS,
                                  own, CLI_COUNT(own), 1, 1};

    int status = cli_parse(c, argc, argv, &spec);
    if (status < 0)
        status = parse_format(c, format);
    return status >= 0 ? status : report_run(c, &report);
}
