/* cmd_verify.c - paritylog verify: the log alone. */
#include "cmd.h"
#include "report.h"

int cmd_verify(struct cli *c, int argc, char **argv)
{
    struct report_spec report = {plog_verify, "paritylog/verify/1", false};
    const struct cli_option own[] = {
        {"require-pin", CLI_FLAG, &report.require_pin, 0, 0}};
    const struct cli_spec spec = {CLI_KEY | CLI_EXPECT_HEAD | CLI_WITNESS |
                                      CLI_MAX_FINDINGS,
                                  own, CLI_COUNT(own), 1, 1};

    int status = cli_parse(c, argc, argv, &spec);
    return status >= 0 ? status : report_run(c, &report);
}
