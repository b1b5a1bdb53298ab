/*
 * report.h - what verify and parity have in common: running a check and
 * saying what it found, for people or as JSON.
 */
#ifndef TOOLS_REPORT_H
#define TOOLS_REPORT_H

#include "cli.h"
#include "format.h"

typedef int report_check(const char *dir, const struct plog_check_options *o,
                         struct plog_check_report *report,
                         struct plog_error *err);

#define THREADS_MAX 64 /* that may be asked for; more than 2 are as 2 */

struct report_spec {
    report_check *check;
    const char *schema; /* paritylog/parity/1 */
    enum report_format format;
    bool require_pin;
    uint64_t threads;              /* 0: as plog_check_options.threads */
    uint64_t max_lag;              /* entries that the store may be behind */
    const char *since, *watermark; /* paths; NULL: none */
};

/* Whether `name` (NULL: none) is a format, and goes with --json.  Returns -1 to
 * go on, else the exit status. */
int report_format(struct cli *c, const char *name, struct report_spec *spec);

/* Runs the check on c->args[0] and prints its report.  Returns the exit
 * status: that of the gravest verdict; a missing pin is UNKNOWN_KEY. */
int report_run(struct cli *c, const struct report_spec *spec);

#endif
