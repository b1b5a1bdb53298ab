/* format.c - what the formats share; see format.h. */
#include "format.h"

#include <stdio.h>
#include <string.h>

const struct report_rule report_rules[] = {
    {PLOG_E_TAMPERED, "TAMPERED",
     "A group is well-formed, but its root or signature does not match."},
    {PLOG_E_CORRUPT, "CORRUPT",
     "The log is not well-formed lines in order, or a file is missing."},
    {PLOG_E_ROLLBACK, "ROLLBACK",
     "A signed head is known that lies above the end of the log."},
    {PLOG_E_FORK, "FORK", "There are two signed histories of one log."},
    {PLOG_E_FOREIGN, "FOREIGN", "A file or the store is of another log."},
    {PLOG_E_UNKNOWN_KEY, "UNKNOWN_KEY",
     "A commit is signed by a key that is not trusted."},
    {PLOG_E_FORMAT, "UNSUPPORTED_FORMAT",
     "A part was written by a newer version."},
    {PLOG_E_DIVERGED, "DIVERGED",
     "Log and store differ at or below both heads."},
    {PLOG_E_AHEAD, "AHEAD",
     "The store has rows above the end of the log without a signed commit."},
    {PLOG_E_BEHIND, "BEHIND",
     "The store ends at a commit of the log below its end."},
    {PLOG_E_PRUNED, "PRUNED", "A part was compacted away."},
    {PLOG_E_TORN, "TORN", "The log ends in one unfinished group."},
};
const size_t report_rule_count = sizeof report_rules / sizeof *report_rules;

uint64_t format_total(const struct plog_check_report *r)
{
    uint64_t sum = 0;
    for (size_t i = 1; i < PLOG_VERDICTS; i++)
        sum += r->counts[i];
    return sum;
}

bool format_is_rule(int code)
{
    for (size_t i = 0; i < report_rule_count; i++) {
        if (report_rules[i].verdict == code)
            return true;
    }
    return false;
}

bool format_parse(const char *name, enum report_format *out)
{
    static const char *const names[] = {"text", "json", "junit", "sarif",
                                        "github"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) != 0)
            continue;
        *out = (enum report_format)i;
        return true;
    }
    return false;
}

void format_message(const struct plog_finding *f, char *out, size_t cap)
{
    char at[80] = "";
    if (f->has_offset && f->seq)
        snprintf(at, sizeof at, ", byte %llu, seq %llu",
                 (unsigned long long)f->offset, (unsigned long long)f->seq);
    else if (f->has_offset)
        snprintf(at, sizeof at, ", byte %llu", (unsigned long long)f->offset);
    else if (f->seq)
        snprintf(at, sizeof at, ", seq %llu", (unsigned long long)f->seq);
    bool in_leg = format_is_rule(f->verdict);
    snprintf(out, cap, "%s%s%s%s%s%.200s%s%.300s%s%.200s",
             plog_code_word(f->verdict), in_leg ? " in the " : "",
             in_leg ? plog_leg_name(f->leg) : "", at,
             *f->expected ? "; expected " : "", f->expected,
             *f->found ? "; found " : "", f->found, *f->next ? "; next: " : "",
             f->next);
}
