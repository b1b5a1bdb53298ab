/*
 * format.h - the report of verify and parity: for people, as JSON, as JUnit XML
 * and SARIF, and as annotations of GitHub Actions.
 *
 * Each prints to standard output and says what was not checked, too.
 */
#ifndef TOOLS_FORMAT_H
#define TOOLS_FORMAT_H

#include "findings.h"

enum report_format {
    REPORT_TEXT,
    REPORT_JSON,
    REPORT_JUNIT,
    REPORT_SARIF,
    REPORT_GITHUB
};

/* What there is to print. */
struct report_view {
    const char *command; /* verify or parity */
    const char *dir;     /* as on the command line; file names are below it */
    const char *schema;  /* of the JSON document */
    bool watermark;      /* one was asked for */
    const struct plog_check_report *report;
    const struct findings *findings;
    bool cut_off; /* an error ended the check: */
    /* That error, where it is none of the verdicts below and so not among the
     * findings; else NULL. */
    const struct plog_finding *stopped;
};

/* The verdicts that a check can find, one a rule, in a fixed order. */
struct report_rule {
    int verdict;
    const char *id;   /* stable: BEHIND */
    const char *text; /* what it means, a sentence */
};
extern const struct report_rule report_rules[];
extern const size_t report_rule_count;

/* Whether `code` is one of report_rules. */
bool format_is_rule(int code);

/* Finds the format called `name`.  Returns whether there is one. */
bool format_parse(const char *name, enum report_format *out);

/* One line that says what a finding is, without the file. */
void format_message(const struct plog_finding *f, char *out, size_t cap);

/* Findings, of all verdicts. */
uint64_t format_total(const struct plog_check_report *r);

void format_text(const struct report_view *v);
void format_json(const struct report_view *v);
void format_junit(const struct report_view *v);
void format_sarif(const struct report_view *v);
/* Also appends a summary to the file that $GITHUB_STEP_SUMMARY names.  Returns
 * 0, or errno when that could not be written. */
int format_github(const struct report_view *v);

#endif
