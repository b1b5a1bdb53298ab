/*
 * cmd_log.c - paritylog log: entry lines as they are, once or for ever.
 *
 * Following ends with an interrupt (130), at --to, or when nobody reads any
 * more.  What was compacted away before it could be shown is said on
 * standard error and makes the exit status 7 when the end is reached.
 */

#include "cmd.h"
#include "fail.h"
#include "out.h"
#include "proc.h"

#define PATIENCE 0.25 /* seconds between two looks at the signals */

static int print_range(struct cli *c, uint64_t from, uint64_t to)
{
    struct plog_error err = {.code = 0};
    plog_reader *r = NULL;
    int rc = cli_open_reader(c, &r, &err);
    if (rc == 0)
        rc = plog_reader_log(r, from, to, out_line, NULL, &err);
    plog_reader_close(r);
    return rc == 0 ? 0 : fail(c, rc, &err, NULL);
}

/* Says which entries are lost to this reader; the following goes on. */
static int say_pruned(struct cli *c, uint64_t first, size_t count,
                      const struct plog_error *err)
{
    struct plog_error lost = *err;
    uint64_t last = first + (count ? count - 1 : 0);
    fail_set(&lost, PLOG_E_PRUNED,
             "the entries %llu to %llu were compacted away before they could "
             "be shown; snapshots/%020llu.jsonl.gz stands for them",
             (unsigned long long)first, (unsigned long long)last,
             (unsigned long long)last);
    lost.seq = first;
    return fail(c, PLOG_E_PRUNED, &lost, NULL);
}

/* Returns 0 to go on after a wait, or why not. */
static int idle(struct plog_error *err)
{
    if (out_flush_failed() || proc_output_closed())
        return fail_set(err, PLOG_E_IO,
                        "nobody reads standard output any more");
    if (proc_interrupted())
        return fail_set(err, PLOG_E_INTERRUPTED, "interrupted");
    return 0;
}

static int follow(struct cli *c, uint64_t from, uint64_t to)
{
    struct plog_error err = {.code = 0};
    struct plog_options o;
    plog_sub *sub = NULL;
    const char *line;
    uint64_t seq = 0;
    size_t len;
    int status = 0;
    double patience = 0;

    cli_options(c, &o);
    int rc = plog_subscribe(&sub, c->args[0], from, &o, &err);
    while (rc == 0 && (to == 0 || seq < to)) {
        rc = plog_sub_next(sub, patience, &seq, &line, &len, &err);
        patience = 0;
        if (rc == 0 && to != 0 && seq > to)
            break;
        if (rc == 0) {
            rc = out_line(NULL, seq, line, len);
        } else if (rc == PLOG_E_PRUNED) {
            status = say_pruned(c, seq, len, &err);
            seq += len ? len - 1 : 0;
            rc = 0;
        } else if (rc == PLOG_TIMEOUT) {
            patience = PATIENCE;
            rc = idle(&err);
        }
    }
    plog_sub_close(sub);
    return rc == 0 ? status : fail(c, rc, &err, NULL);
}

int cmd_log(struct cli *c, int argc, char **argv)
{
    uint64_t from = 1, to = 0;
    bool following = false;
    const struct cli_option own[] = {{"from", CLI_NUMBER, &from, 0, INT64_MAX},
                                     {"to", CLI_NUMBER, &to, 1, INT64_MAX},
                                     {"follow", CLI_FLAG, &following, 0, 0}};
    const struct cli_spec spec = {0, own, CLI_COUNT(own), 1, 1};

    int status = cli_parse(c, argc, argv, &spec);
    if (status >= 0)
        return status;
    if (to != 0 && from > to)
        return fail_usage(c, "--from lies behind --to");
    if (following)
        return follow(c, from, to);
    if (from == 0)
        return fail_usage(c, "--from 0 goes with --follow only");
    return print_range(c, from, to);
}
