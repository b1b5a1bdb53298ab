/* cmd_inspect.c - paritylog inspect: the lines of any JSONL file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "fail.h"
#include "out.h"
#include "progress.h"

struct inspect {
    struct cli *c;
    struct progress progress;
    struct plog_inspected *lines; /* the first ones; texts are constants */
    size_t count;
    bool no_memory; /* for one more of them */
};

static int on_progress(void *arg, const struct plog_progress *p)
{
    struct inspect *s = arg;
    return progress_tick(&s->progress, p);
}

static int on_line(void *arg, const struct plog_inspected *l)
{
    struct inspect *s = arg;
    if (s->count >= s->c->max_findings)
        return 0;
    struct plog_inspected *grown =
        realloc(s->lines, (s->count + 1) * sizeof *grown);
    s->no_memory = !grown;
    if (!grown)
        return 1;
    s->lines = grown;
    s->lines[s->count++] = *l;
    return 0;
}

static uint64_t faults(const struct plog_inspect_report *r)
{
    return r->lines - r->counts[PLOG_LINE_OK];
}

static void print_json(const struct inspect *s,
                       const struct plog_inspect_report *r)
{
    struct out o;
    out_init(&o, stdout);
    out_object(&o, NULL);
    out_text(&o, "schema", "paritylog/inspect/1");
    out_bool(&o, "ok", faults(r) == 0 && !r->broken_gzip);
    out_uint(&o, "lines", r->lines);
    out_uint(&o, "bytes", r->bytes);
    out_bool(&o, "gzip", r->gzip);
    out_bool(&o, "broken_gzip", r->broken_gzip);
    out_bool(&o, "segment", r->segment);
    out_uint(&o, "compared", r->compared);
    out_object(&o, "counts");
    for (int i = 0; i < PLOG_LINE_CLASSES; i++)
        if (r->counts[i])
            out_uint(&o, plog_line_class_name((enum plog_line_class)i),
                     r->counts[i]);
    out_end(&o);
    out_array(&o, "findings");
    for (size_t i = 0; i < s->count; i++) {
        const struct plog_inspected *l = &s->lines[i];
        out_object(&o, NULL);
        out_text(&o, "class", plog_line_class_name(l->kind));
        out_uint(&o, "line", l->line);
        out_uint(&o, "offset", l->offset);
        out_uint(&o, "length", l->length);
        out_text_or_null(&o, "what", l->what);
        if (l->same_as)
            out_uint(&o, "same_as", l->same_as);
        else
            out_null(&o, "same_as");
        out_end(&o);
    }
    out_end(&o);
    out_end(&o);
}

static void print_text(const struct inspect *s,
                       const struct plog_inspect_report *r)
{
    printf("%llu lines, %llu bytes%s: ", (unsigned long long)r->lines,
           (unsigned long long)r->bytes, r->gzip ? " (inflated)" : "");
    const char *comma = "";
    for (int i = 0; i < PLOG_LINE_CLASSES; i++) {
        if (r->counts[i] == 0)
            continue;
        printf("%s%llu %s", comma, (unsigned long long)r->counts[i],
               plog_line_class_name((enum plog_line_class)i));
        comma = ", ";
    }
    putchar('\n');
    for (size_t i = 0; i < s->count; i++) {
        const struct plog_inspected *l = &s->lines[i];
        printf("line %llu, byte %llu, %llu bytes: %s",
               (unsigned long long)l->line, (unsigned long long)l->offset,
               (unsigned long long)l->length, plog_line_class_name(l->kind));
        if (l->same_as)
            printf(" of line %llu", (unsigned long long)l->same_as);
        printf("%s%s\n", *l->what ? ": " : "", l->what);
    }
    if (faults(r) > s->count)
        printf("and %llu more (--max-findings)\n",
               (unsigned long long)(faults(r) - s->count));
    if (r->broken_gzip)
        printf("the gzip stream breaks off there\n");
    if (r->compared < r->lines && r->compared >= 1u << 20)
        printf("duplicates were looked for in the first %llu lines\n",
               (unsigned long long)r->compared);
    if (r->segment)
        printf("this is a segment of a log: `paritylog verify DIR` checks its"
               " hashes and signatures\n");
}

int cmd_inspect(struct cli *c, int argc, char **argv)
{
    struct inspect s = {.c = c};
    struct plog_inspect_report report;
    struct plog_inspect_options o = {.struct_size = sizeof o,
                                     .io = cli_io(),
                                     .line = on_line,
                                     .progress = on_progress,
                                     .arg = &s};
    const struct cli_spec spec = {CLI_MAX_FINDINGS, NULL, 0, 1, 1};
    struct plog_error err = {.code = 0};

    int status = cli_parse(c, argc, argv, &spec);
    if (status >= 0)
        return status;
    progress_init(&s.progress, c);
    int rc = plog_inspect(c->args[0], &o, &report, &err);
    progress_clear(&s.progress);
    if (s.no_memory)
        rc = fail_set(&err, PLOG_E_NOMEM, "out of memory for the findings");
    if (rc == 0 && c->json)
        print_json(&s, &report);
    else if (rc == 0)
        print_text(&s, &report);
    free(s.lines);
    if (rc)
        return fail(c, rc, &err, NULL);
    return faults(&report) || report.broken_gzip
               ? plog_exit_status(PLOG_E_CORRUPT)
               : 0;
}
