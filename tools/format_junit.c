/*
 * format_junit.c - JUnit XML: one test case for each verdict, which fails when
 * there are findings of it; what was not checked is a skipped case.
 */
#include <stdio.h>
#include <string.h>

#include "format.h"
#include "text.h"

/* XML 1.0 knows no control characters but tab, LF and CR, not even escaped,
 * and neither U+FFFE nor U+FFFF; what is not UTF-8 is no text at all. */
static bool is_char(const char *p, size_t n)
{
    unsigned char c = (unsigned char)*p;
    if (n == 1)
        return c >= 0x20 || c == '\t' || c == '\n' || c == '\r';
    return n != 3 || memcmp(p, "\xef\xbf\xbe", 3) < 0 ||
           memcmp(p, "\xef\xbf\xbf", 3) > 0;
}

static void escaped(const char *p)
{
    size_t left = strlen(p);
    while (left) {
        size_t n = text_utf8(p, left);
        if (n == 0 || !is_char(p, n))
            fputs("\xef\xbf\xbd", stdout);
        else if (*p == '&')
            fputs("&amp;", stdout);
        else if (*p == '<')
            fputs("&lt;", stdout);
        else if (*p == '>')
            fputs("&gt;", stdout);
        else if (*p == '"')
            fputs("&quot;", stdout);
        else if (*p == '\n' || *p == '\r' || *p == '\t')
            printf("&#%d;", *p);
        else if (text_steers(p, n))
            printf("&#%u;", text_code(p, n));
        else
            fwrite(p, 1, n, stdout);
        p += n ? n : 1;
        left -= n ? n : 1;
    }
}

static void begin_case(const struct report_view *v, const char *name)
{
    printf("    <testcase classname=\"paritylog.%s\" name=\"%s\"", v->command,
           name);
}

static void rule_case(const struct report_view *v, const struct report_rule *r)
{
    uint64_t n = v->report->counts[-r->verdict];
    size_t shown = 0;
    char name[60], text[1000];
    snprintf(name, sizeof name, "no %s", r->id);
    begin_case(v, name);
    if (n == 0) {
        puts("/>");
        return;
    }
    printf(">\n      <failure type=\"%s\" message=\"%llu findings: ", r->id,
           (unsigned long long)n);
    escaped(r->text);
    fputs("\">", stdout);
    for (size_t i = 0; i < v->findings->count; i++) {
        const struct plog_finding *f = &v->findings->list[i];
        if (f->verdict != r->verdict)
            continue;
        format_message(f, text, sizeof text);
        if (*f->file) {
            escaped(f->file);
            fputs(": ", stdout);
        }
        escaped(text);
        putchar('\n');
        shown++;
    }
    if (n > shown)
        printf("and %llu more\n", (unsigned long long)(n - shown));
    puts("</failure>\n    </testcase>");
}

static void stopped_case(const struct report_view *v)
{
    char text[1000];
    format_message(v->stopped, text, sizeof text);
    begin_case(v, "the check ran to its end");
    printf(">\n      <error type=\"%s\" message=\"",
           plog_code_word(v->stopped->verdict));
    escaped(plog_strerror(v->stopped->verdict));
    fputs("\">", stdout);
    escaped(text);
    puts("</error>\n    </testcase>");
}

static void unchecked_case(const struct report_view *v)
{
    const struct findings *f = v->findings;
    begin_case(v, "all was checked");
    if (f->range_count == 0) {
        puts("/>");
        return;
    }
    fputs(">\n      <skipped message=\"", stdout);
    for (size_t i = 0; i < f->range_count; i++) {
        const struct plog_unchecked *u = &f->ranges[i];
        printf("%s%s from seq %llu", i ? "; " : "", plog_leg_name(u->leg),
               (unsigned long long)u->from);
        if (u->to)
            printf(" to %llu", (unsigned long long)u->to);
        fputs(": ", stdout);
        escaped(u->why);
    }
    puts("\"/>\n    </testcase>");
}

/* What an order took out and a copy brought back: no difference, but something
 * to do.  Without it there is no such case, for not every check looks. */
static void pending_case(const struct report_view *v)
{
    const struct plog_check_report *r = v->report;
    if (r->pending == 0)
        return;
    begin_case(v, "no redaction is pending");
    printf(">\n      <skipped message=\"%llu redacted entries: a payload is in"
           " the log, or may be in copies; next: paritylog redact DIR %llu"
           " --reason TEXT\"/>\n"
           "    </testcase>\n",
           (unsigned long long)r->pending, (unsigned long long)r->pending_at);
}

static void pin_case(const struct report_view *v)
{
    begin_case(v, "the key is pinned");
    puts(v->report->pinned
             ? "/>"
             : ">\n      <skipped message=\"UNPINNED: the key is trusted only"
               " because it lies in the directory\"/>\n    </testcase>");
}

void format_junit(const struct report_view *v)
{
    const struct plog_check_report *r = v->report;
    unsigned failures = 0, skipped = 0;
    for (size_t i = 0; i < report_rule_count; i++)
        failures += r->counts[-report_rules[i].verdict] > 0;
    skipped += v->findings->range_count > 0;
    skipped += r->pending > 0;
    skipped += !r->pinned;
    unsigned errors = v->stopped ? 1 : 0;
    unsigned rules = v->cut_off ? failures : (unsigned)report_rule_count;
    unsigned tests = rules + errors + 2 + (r->pending > 0);
    puts("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    printf("<testsuites name=\"paritylog %s\" tests=\"%u\" failures=\"%u\""
           " errors=\"%u\" skipped=\"%u\" time=\"%.3f\">\n  <testsuite name=\"",
           v->command, tests, failures, errors, skipped, r->seconds);
    escaped(v->dir);
    printf("\" tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\""
           " time=\"%.3f\">\n    <properties>\n      <property name=\"origin\""
           " value=\"",
           tests, failures, errors, skipped, r->seconds);
    escaped(r->origin);
    printf("\"/>\n      <property name=\"size\" value=\"%llu\"/>\n"
           "      <property name=\"entries\" value=\"%llu\"/>\n"
           "    </properties>\n",
           (unsigned long long)r->head.size, (unsigned long long)r->entries);
    for (size_t i = 0; i < report_rule_count; i++)
        /* Cut off, nobody knows whether the others pass. */
        if (!v->cut_off || r->counts[-report_rules[i].verdict])
            rule_case(v, &report_rules[i]);
    if (v->stopped)
        stopped_case(v);
    unchecked_case(v);
    pending_case(v);
    pin_case(v);
    puts("  </testsuite>\n</testsuites>");
}
