/*
 * format_github.c - annotations of GitHub Actions, and a summary of the step.
 *
 * A step shows at most 10 annotations of a kind and drops the others without
 * a word, so the 9 gravest are told and one more says how many there are.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "text.h"

#define SHOWN 9
#define SUMMARY_MAX (900u << 10) /* of the 1 MiB that a step may have */

/* ---- Annotations -------------------------------------------------------- */

/* Data of a workflow command; in a property also : and , are escaped. */
static void escaped(const char *p, bool property)
{
    size_t left = strlen(p);
    while (left) {
        size_t n = text_utf8(p, left);
        bool odd = n == 0 || text_steers(p, n) || *p == '%' ||
                   (property && (*p == ':' || *p == ','));
        for (size_t i = 0; i < (n ? n : 1); i++, p++, left--)
            if (odd)
                printf("%%%02X", (unsigned char)*p);
            else
                putchar(*p);
    }
}

static int gravity(const struct plog_finding *f)
{
    static const int order[] = {5, 12, 9, 3, 7, 4};
    int status = plog_exit_status(f->verdict);
    for (int i = 0; i < 6; i++)
        if (order[i] == status)
            return i;
    return 6;
}

static bool is_warning(const struct plog_finding *f)
{
    return f->verdict == PLOG_E_TORN;
}

static void annotate(const struct report_view *v, const struct plog_finding *f)
{
    char text[1000], path[1200], title[80];
    format_message(f, text, sizeof text);
    snprintf(path, sizeof path, "%.900s%s%.200s", v->dir, *f->file ? "/" : "",
             f->file);
    snprintf(title, sizeof title, "paritylog %s: %s", v->command,
             plog_code_word(f->verdict));
    fputs(is_warning(f) ? "::warning file=" : "::error file=", stdout);
    escaped(path, true);
    fputs(",title=", stdout);
    escaped(title, true);
    fputs("::", stdout);
    escaped(text, false);
    putchar('\n');
}

/* The gravest first, in the order in which they were found. */
static void annotations(const struct report_view *v)
{
    const struct findings *f = v->findings;
    uint64_t sum = 0, told = 0, room = v->stopped ? SHOWN - 1 : SHOWN;
    for (size_t i = 1; i < PLOG_VERDICTS; i++)
        sum += v->report->counts[i];
    if (v->stopped)
        annotate(v, v->stopped);
    uint64_t most = sum > room + 1 ? room : sum;
    for (int g = 0; g <= 6 && told < most; g++)
        for (size_t i = 0; i < f->count && told < most; i++)
            if (gravity(&f->list[i]) == g) {
                annotate(v, &f->list[i]);
                told++;
            }
    if (sum > told)
        printf("::error title=paritylog %s::%llu findings more; --format json"
               " shows them\n",
               v->command, (unsigned long long)(sum - told));
}

static void unchecked(const struct report_view *v)
{
    const struct findings *f = v->findings;
    size_t most = f->range_count > SHOWN ? SHOWN - 1 : f->range_count;
    for (size_t i = 0; i < most; i++) {
        const struct plog_unchecked *u = &f->ranges[i];
        printf("::warning title=paritylog %s%%3A not checked::%s from seq %llu",
               v->command, plog_leg_name(u->leg), (unsigned long long)u->from);
        if (u->to)
            printf(" to %llu", (unsigned long long)u->to);
        fputs(": ", stdout);
        escaped(u->why, false);
        putchar('\n');
    }
    if (f->range_count > most)
        printf("::warning title=paritylog %s%%3A not checked::%zu ranges"
               " more\n",
               v->command, f->range_count - most);
}

/* ---- Summary ------------------------------------------------------------ */

/* Text in a table cell of Markdown. */
static void cell(FILE *out, const char *p)
{
    size_t left = strlen(p);
    while (left) {
        size_t n = text_utf8(p, left);
        if (n == 0 || (unsigned char)*p < 0x20)
            fputs("\xef\xbf\xbd", out);
        else if (n == 1 && strchr("|<>&`*_[]\\", *p))
            fprintf(out, "&#%d;", *p);
        else
            fwrite(p, 1, n, out);
        p += n ? n : 1;
        left -= n ? n : 1;
    }
}

static void row(const struct plog_finding *f, FILE *out)
{
    char text[1000];
    format_message(f, text, sizeof text);
    fputs("| ", out);
    cell(out, text);
    fputs(" | ", out);
    cell(out, f->file);
    fputs(" |\n", out);
}

static void summary(const struct report_view *v, FILE *out)
{
    const struct plog_check_report *r = v->report;
    const struct findings *f = v->findings;
    char root[TEXT_BASE64(PLOG_HASH_SIZE)];
    text_base64(r->head.root, PLOG_HASH_SIZE, root);
    fprintf(out, "### paritylog %s: %s%s\n\n", v->command,
            plog_code_word(r->verdict), r->pinned ? "" : " (UNPINNED)");
    fprintf(out,
            "%llu entries, %llu records; head %llu:%s; %zu ranges not"
            " checked\n\n",
            (unsigned long long)r->entries, (unsigned long long)r->records,
            (unsigned long long)r->head.size, root, f->range_count);
    if (f->count || v->stopped)
        fputs("| finding | file |\n| --- | --- |\n", out);
    if (v->stopped)
        row(v->stopped, out);
    size_t i = 0;
    for (; i < f->count && ftell(out) < (long)SUMMARY_MAX; i++)
        row(&f->list[i], out);
    if (i < f->count)
        fprintf(out, "\n%zu more\n", f->count - i);
}

/* Returns 0 or errno. */
static int append_summary(const struct report_view *v, const char *path)
{
    FILE *out = fopen(path, "ae");
    if (!out)
        return errno;
    errno = 0;
    /* For ftell, which else begins at 0. */
    /* cppcheck-suppress seekOnAppendedFile */
    if (fseek(out, 0, SEEK_END) == 0 && ftell(out) < (long)SUMMARY_MAX)
        summary(v, out); /* other commands of the step wrote there, too */
    int why = ferror(out) ? (errno ? errno : EIO) : 0;
    return fclose(out) == 0 ? why : why ? why : errno;
}

int format_github(const struct report_view *v)
{
    const char *path = getenv("GITHUB_STEP_SUMMARY");
    annotations(v);
    unchecked(v);
    if (v->report->pending)
        printf("::warning title=paritylog %s%%3A pending::%llu redacted"
               " entries: a payload is in the log, or may be in copies; next:"
               " paritylog redact DIR %llu --reason TEXT\n",
               v->command, (unsigned long long)v->report->pending,
               (unsigned long long)v->report->pending_at);
    if (!v->report->pinned)
        puts("::notice title=UNPINNED::the key is trusted only because it lies"
             " in the directory; pin it with --key");
    if (v->report->verdict == 0)
        printf("%s\n", plog_code_word(0));
    return path && *path ? append_summary(v, path) : 0;
}
