/* cmd_parity.c - paritylog parity: both legs at one frozen head. */
#include "cmd.h"
#include "report.h"

int cmd_parity(struct cli *c, int argc, char **argv)
{
    struct report_spec report = {.check = plog_parity,
                                 .schema = "paritylog/parity/1"};
    const char *format = NULL;
    const struct cli_option own[] = {
        {"format", CLI_TEXT, &format, 0, 0},
        {"threads", CLI_NUMBER, &report.threads, 1, THREADS_MAX},
        {"since", CLI_TEXT, &report.since, 0, 0},
        {"watermark", CLI_TEXT, &report.watermark, 0, 0},
        {"max-lag", CLI_NUMBER, &report.max_lag, 0, INT64_MAX},
        {"require-pin", CLI_FLAG, &report.require_pin, 0, 0}};
    const struct cli_spec spec = {CLI_KEY | CLI_EXPECT_HEAD | CLI_WITNESS |
                                      CLI_MAX_FINDINGS,
                                  own, CLI_COUNT(own), 1, 1};

    int status = cli_parse(c, argc, argv, &spec);
    if (status < 0)
        status = report_format(c, format, &report);
    return status >= 0 ? status : report_run(c, &report);
}
