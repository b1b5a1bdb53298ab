/* cmd_query.c - paritylog query: one SQL statement that only reads. */
#include <string.h>

#include "cmd.h"
#include "fail.h"
#include "proc.h"
#include "rows.h"

/* A statement may compute for hours before its first row. */
static int interrupted(void *arg)
{
    (void)arg;
    return proc_interrupted();
}

static int parse_format(struct cli *c, const char *text,
                        enum rows_format *format)
{
    *format = c->json ? ROWS_JSON : ROWS_TABLE;
    if (!text)
        return -1;
    if (strcmp(text, "json") == 0)
        *format = ROWS_JSON;
    else if (strcmp(text, "csv") == 0)
        *format = ROWS_CSV;
    else if (strcmp(text, "table") == 0)
        *format = ROWS_TABLE;
    else
        return fail_usage(c, "--format wants table, json or csv, not '%s'",
                          text);
    return -1;
}

int cmd_query(struct cli *c, int argc, char **argv)
{
    const char *text = NULL;
    const struct cli_option own[] = {{"format", CLI_TEXT, &text, 0, 0}};
    const struct cli_spec spec = {0, own, CLI_COUNT(own), 2, 2};
    struct plog_error err = {.code = 0};
    enum rows_format format;
    struct rows rows;
    plog_reader *r = NULL;

    int status = cli_parse(c, argc, argv, &spec);
    if (status < 0)
        status = parse_format(c, text, &format);
    if (status >= 0)
        return status;
    rows_init(&rows, format);
    int rc = cli_open_reader(c, &r, &err);
    if (rc == 0)
        plog_reader_set_stop(r, interrupted, NULL);
    if (rc == 0)
        rc = plog_reader_query(r, c->args[1], rows_each, &rows, &err);
    if (rows.lacked_memory)
        rc = fail_set(&err, PLOG_E_NOMEM, "out of memory for the rows");
    if (rc == 0)
        rows_end(&rows);
    plog_reader_close(r);
    rows_fini(&rows);
    return rc == 0 ? 0 : fail(c, rc, &err, NULL);
}
