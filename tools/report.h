/*
 * report.h - what verify and parity have in common: running a check and
 * saying what it found, for people or as JSON.
 */
#ifndef TOOLS_REPORT_H
#define TOOLS_REPORT_H

#include "cli.h"
#include "paritylog_recovery.h"

typedef int report_check(const char *dir, const struct plog_check_options *o,
                         struct plog_check_report *report,
                         struct plog_error *err);

struct report_spec {
    report_check *check;
    const char *schema; /* paritylog/parity/1 */
    bool require_pin;
};

/* Runs the check on c->args[0] and prints its report.  Returns the exit
 * status: that of the gravest verdict, 12 also for a missing pin. */
int report_run(struct cli *c, const struct report_spec *spec);

#endif
