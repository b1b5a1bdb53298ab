/* format_text.c - the report for people. */
#include <stdio.h>
#include <string.h>

#include "format.h"
#include "text.h"

static void safe_line(const char *label, const char *text)
{
    if (!*text)
        return;
    printf("    %-9s ", label);
    text_safe(stdout, text, strlen(text));
    putchar('\n');
}

static void finding_text(const struct plog_finding *f)
{
    printf("%s in the %s", plog_code_word(f->verdict), plog_leg_name(f->leg));
    if (*f->file) {
        fputs(": ", stdout);
        text_safe(stdout, f->file, strlen(f->file));
    }
    if (f->has_offset)
        printf(", byte %llu", (unsigned long long)f->offset);
    if (f->seq)
        printf(", seq %llu", (unsigned long long)f->seq);
    putchar('\n');
    safe_line("expected", f->expected);
    safe_line("found", f->found);
    safe_line("next", f->next);
}

static void unchecked_text(const struct findings *f)
{
    if (f->range_count == 0)
        printf("unchecked  nothing\n");
    for (size_t i = 0; i < f->range_count; i++) {
        const struct plog_unchecked *u = &f->ranges[i];
        printf("unchecked  %s from seq %llu", plog_leg_name(u->leg),
               (unsigned long long)u->from);
        if (u->to)
            printf(" to %llu", (unsigned long long)u->to);
        fputs(u->to ? ": " : " on: ", stdout);
        text_safe(stdout, u->why, strlen(u->why));
        putchar('\n');
    }
    if (f->dropped_ranges)
        printf("unchecked  and %llu more ranges\n",
               (unsigned long long)f->dropped_ranges);
}

static void counts_text(const struct plog_check_report *r)
{
    uint64_t sum = format_total(r);
    printf("findings   %llu", (unsigned long long)sum);
    const char *comma = ": ";
    for (int i = 1; i < PLOG_VERDICTS; i++) {
        if (r->counts[i] == 0)
            continue;
        printf("%s%llu %s", comma, (unsigned long long)r->counts[i],
               plog_code_word(-i));
        comma = ", ";
    }
    putchar('\n');
}

void format_text(const struct report_view *v)
{
    const struct plog_check_report *r = v->report;
    const struct findings *f = v->findings;
    char root[TEXT_BASE64(PLOG_HASH_SIZE)];
    text_base64(r->head.root, PLOG_HASH_SIZE, root);
    printf("%s%s\n", plog_code_word(r->verdict),
           r->pinned ? "" : " (UNPINNED)");
    counts_text(r);
    printf("origin     ");
    text_safe(stdout, r->origin, strlen(r->origin));
    printf("\nhead       size %llu, root %s\n",
           (unsigned long long)r->head.size, root);
    printf("checked    %llu entries", (unsigned long long)r->entries);
    if (r->entries)
        printf(" (seq %llu to %llu)", (unsigned long long)r->from,
               (unsigned long long)r->to);
    printf(", %llu records; segments %llu, bytes %llu, %.2f s\n",
           (unsigned long long)r->records, (unsigned long long)r->segments,
           (unsigned long long)r->bytes, r->seconds);
    if (r->floor)
        printf("floor      %llu: begins there, at a signed checkpoint; entries"
               " up to it were compacted away\n",
               (unsigned long long)r->floor);
    if (r->since)
        printf("since      size %llu, a signed note\n",
               (unsigned long long)r->since);
    if (r->pending)
        printf("pending    %llu redacted entries: a payload is in the log, or"
               " may be in copies; the first seq %llu\n    next      paritylog "
               "redact DIR %llu"
               " --reason TEXT\n",
               (unsigned long long)r->pending,
               (unsigned long long)r->pending_at,
               (unsigned long long)r->pending_at);
    unchecked_text(f);
    if (r->watermark)
        printf("watermark  written, size %llu\n",
               (unsigned long long)r->head.size);
    printf("key        ");
    if (*r->vkey)
        text_safe(stdout, r->vkey, strlen(r->vkey));
    else
        printf("none that signed it is trusted here");
    printf("%s\n", r->pinned ? ", pinned" : "");
    if (!r->pinned)
        printf("UNPINNED   the key is trusted only because it lies in the "
               "directory; pin it with --key\n");
    for (size_t i = 0; i < f->count; i++)
        finding_text(&f->list[i]);
    if (format_total(r) > f->count)
        printf("... and %llu findings more (--max-findings)\n",
               (unsigned long long)(format_total(r) - f->count));
}
