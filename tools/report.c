/* report.c - see report.h. */
#include "report.h"

#include <stdio.h>
#include <string.h>

#include "fail.h"
#include "findings.h"
#include "out.h"
#include "progress.h"
#include "text.h"

#define KEY_STATUS 12

struct job {
    const struct report_spec *spec;
    struct findings findings;
    struct progress progress;
    struct plog_check_report report;
    bool cut_off, no_memory;
    struct plog_finding stopped; /* see report_view; verdict 0: none */
};

/* ---- Collecting --------------------------------------------------------- */

static int on_finding(void *arg, const struct plog_finding *f)
{
    struct job *job = arg;
    if (findings_add(&job->findings, f) != 0)
        job->no_memory = true;
    return job->no_memory;
}

static int on_unchecked(void *arg, const struct plog_unchecked *u)
{
    struct job *job = arg;
    if (findings_add_range(&job->findings, u) != 0)
        job->no_memory = true;
    return job->no_memory;
}

static int on_progress(void *arg, const struct plog_progress *p)
{
    struct job *job = arg;
    return progress_tick(&job->progress, p);
}

static uint64_t total(const struct plog_check_report *r)
{
    uint64_t sum = 0;
    for (size_t i = 1; i < PLOG_VERDICTS; i++)
        sum += r->counts[i];
    return sum;
}

/* ---- For people --------------------------------------------------------- */

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
    uint64_t sum = total(r);
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

static void print_text(const struct job *job)
{
    const struct plog_check_report *r = &job->report;
    const struct findings *f = &job->findings;
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
        printf("pending    %llu redacted entries are whole in the log, the"
               " first seq %llu\n    next      paritylog redact DIR %llu"
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
    if (total(r) > f->count)
        printf("... and %llu findings more (--max-findings)\n",
               (unsigned long long)(total(r) - f->count));
}

/* ---- For programs ------------------------------------------------------- */

static void uint_or_null(struct out *o, const char *name, bool known,
                         uint64_t value)
{
    if (known)
        out_uint(o, name, value);
    else
        out_null(o, name);
}

static void finding_json(struct out *o, const struct plog_finding *f)
{
    out_object(o, NULL);
    out_text(o, "verdict", plog_code_word(f->verdict));
    out_text(o, "leg", plog_leg_name(f->leg));
    out_text_or_null(o, "file", f->file);
    uint_or_null(o, "offset", f->has_offset, f->offset);
    uint_or_null(o, "seq", f->seq != 0, f->seq);
    out_text_or_null(o, "expected", f->expected);
    out_text_or_null(o, "found", f->found);
    out_text_or_null(o, "next", f->next);
    out_end(o);
}

static void unchecked_json(struct out *o, const struct findings *f)
{
    out_array(o, "unchecked");
    for (size_t i = 0; i < f->range_count; i++) {
        const struct plog_unchecked *u = &f->ranges[i];
        out_object(o, NULL);
        out_text(o, "leg", plog_leg_name(u->leg));
        out_uint(o, "from", u->from);
        uint_or_null(o, "to", u->to != 0, u->to);
        out_text(o, "why", u->why);
        out_end(o);
    }
    out_end(o);
    if (f->dropped_ranges)
        out_uint(o, "unchecked_dropped", f->dropped_ranges);
}

static void counts_json(struct out *o, const struct plog_check_report *r)
{
    out_object(o, "counts");
    for (int i = 1; i < PLOG_VERDICTS; i++) {
        if (r->counts[i])
            out_uint(o, plog_code_word(-i), r->counts[i]);
    }
    out_end(o);
}

static void checked_json(struct out *o, const struct plog_check_report *r)
{
    out_object(o, "checked");
    out_uint(o, "entries", r->entries);
    out_uint(o, "records", r->records);
    out_uint(o, "from", r->from);
    out_uint(o, "to", r->to);
    out_uint(o, "floor", r->floor);
    out_uint(o, "segments", r->segments);
    out_uint(o, "bytes", r->bytes);
    out_end(o);
}

static void print_json(const struct job *job)
{
    const struct plog_check_report *r = &job->report;
    const struct findings *f = &job->findings;
    struct out o;
    out_init(&o, stdout);
    out_object(&o, NULL);
    out_text(&o, "schema", job->spec->schema);
    out_text(&o, "verdict", plog_code_word(r->verdict));
    out_text_or_null(&o, "origin", r->origin);
    out_bool(&o, "pinned", r->pinned);
    out_text_or_null(&o, "vkey", r->vkey);
    out_object(&o, "head");
    out_uint(&o, "size", r->head.size);
    out_hash(&o, "root", r->head.root);
    out_end(&o);
    counts_json(&o, r);
    checked_json(&o, r);
    if (r->since) {
        out_object(&o, "since");
        out_uint(&o, "size", r->since);
        out_end(&o);
    }
    if (r->pending) {
        out_object(&o, "pending");
        out_uint(&o, "entries", r->pending);
        out_uint(&o, "seq", r->pending_at);
        out_end(&o);
    }
    if (job->spec->watermark)
        out_bool(&o, "watermark", r->watermark);
    unchecked_json(&o, f);
    out_array(&o, "findings");
    for (size_t i = 0; i < f->count; i++)
        finding_json(&o, &f->list[i]);
    out_end(&o);
    out_double(&o, "seconds", r->seconds);
    out_end(&o);
}

/* The report is whole without it, so it is no error. */
static void note_summary(const struct cli *c, int why)
{
    if (why)
        fail_note(c,
                  "warning: the summary of the step, GITHUB_STEP_SUMMARY,"
                  " could not be written: %s",
                  strerror(why));
}

static void print(const struct cli *c, const struct job *job)
{
    const struct report_view view = {
        .command = c->command->name,
        .dir = c->args[0],
        .report = &job->report,
        .findings = &job->findings,
        .cut_off = job->cut_off,
        .stopped = job->stopped.verdict ? &job->stopped : NULL};
    switch (job->spec->format) {
    case REPORT_TEXT:
        print_text(job);
        break;
    case REPORT_JSON:
        print_json(job);
        break;
    case REPORT_JUNIT:
        format_junit(&view);
        break;
    case REPORT_SARIF:
        format_sarif(&view);
        break;
    case REPORT_GITHUB:
        note_summary(c, format_github(&view));
        break;
    }
}

int report_format(struct cli *c, const char *name, struct report_spec *spec)
{
    spec->format = c->json ? REPORT_JSON : REPORT_TEXT;
    if (!name)
        return -1;
    if (!format_parse(name, &spec->format))
        return fail_usage(c,
                          "--format wants text, json, junit, sarif or github,"
                          " not '%s'",
                          name);
    if (c->json && spec->format != REPORT_JSON)
        return fail_usage(c, "--format %s and --json differ", name);
    c->json = spec->format == REPORT_JSON;
    return -1;
}

/* ---- Running ------------------------------------------------------------ */

/* Whether nothing was found but a store that is behind, and not by more than
 * is allowed. */
static bool is_lag(const struct job *job)
{
    const struct plog_check_report *r = &job->report;
    return r->verdict == PLOG_E_BEHIND && r->has_store &&
           total(r) == r->counts[-PLOG_E_BEHIND] &&
           r->head.size - r->store_size <= job->spec->max_lag;
}

/* The gravest of 5, 12, 9, 3, 7, 4: a missing pin comes behind damage. */
static int exit_status(struct cli *c, const struct job *job)
{
    int status = plog_exit_status(job->report.verdict);
    if (is_lag(job))
        status = 0;
    struct plog_error err = {.code = 0};
    if (!job->spec->require_pin || job->report.pinned)
        return status;
    fail_set(&err, PLOG_E_KEY, "the verifier key is not pinned");
    snprintf(err.hint, sizeof err.hint,
             "give the key that you know from elsewhere with --key VKEY");
    fail(c, PLOG_E_KEY, &err, NULL);
    return status == plog_exit_status(PLOG_E_TAMPERED) ? status : KEY_STATUS;
}

/* Whether a check that ended with `code` has a report.  What is no verdict has
 * no place in that of --json: there the error on standard error is all. */
static bool has_report(const struct job *job, int code)
{
    enum report_format format = job->spec->format;
    return format != REPORT_TEXT && code != PLOG_E_ARG &&
           code != PLOG_E_INTERRUPTED &&
           (format != REPORT_JSON || format_is_rule(code));
}

/* The error as a finding, for whoever reads reports only: the log that is gone
 * must not be the one case without one. */
static void report_error(struct cli *c, struct job *job, int code,
                         const struct plog_error *err)
{
    bool store = strncmp(err->file, "store", 5) == 0;
    struct plog_finding f = {.verdict = code,
                             .leg = store ? PLOG_LEG_STORE : PLOG_LEG_LOG,
                             .file = err->file,
                             .has_offset = err->has_offset,
                             .offset = err->offset,
                             .seq = err->seq,
                             .expected = "",
                             .found = err->message,
                             .next = plog_hint_step(fail_hint(code, err))};
    const struct plog_unchecked all = {
        PLOG_LEG_BOTH, 1, 0, "the check did not run to its end: see the error"};
    job->cut_off = true;
    job->report.verdict = code;
    job->report.pinned |= c->vkey != NULL;
    if (findings_add_range(&job->findings, &all) != 0)
        return;
    if (!format_is_rule(code))
        job->stopped = f;
    else if (findings_add(&job->findings, &f) == 0)
        job->report.counts[-code]++;
    print(c, job);
}

/* What a check that did not run to its end found until then is not kept
 * back. */
static int cut_off(struct cli *c, struct job *job, int rc,
                   struct plog_error *err)
{
    if (job->no_memory)
        rc = fail_set(err, PLOG_E_NOMEM, "out of memory for the findings");
    if (job->findings.count > 0 && err->hint[0] == '\0') {
        const struct plog_finding *f = &job->findings.list[0];
        snprintf(err->hint, sizeof err->hint,
                 "%zu findings until then, the first %s in the %s at %s",
                 job->findings.count, plog_code_word(f->verdict),
                 plog_leg_name(f->leg), f->file);
    }
    int code = err->code < 0 ? err->code : rc;
    if (has_report(job, code))
        report_error(c, job, code, err);
    return fail(c, rc, err, NULL);
}

/* A run that fails for want of a pin has found nothing clean. */
static const char *watermark_of(const struct cli *c,
                                const struct report_spec *spec)
{
    return spec->require_pin && !c->vkey ? NULL : spec->watermark;
}

int report_run(struct cli *c, const struct report_spec *spec)
{
    struct job job = {.spec = spec};
    struct plog_error err = {.code = 0};
    struct plog_check_options o = {.struct_size = sizeof o,
                                   .io = cli_io(),
                                   .vkey = c->vkey,
                                   .has_expect_head = c->has_expect_head,
                                   .expect_size = c->expect_size,
                                   .wait_seconds = c->wait,
                                   .witness = c->witness,
                                   .since = spec->since,
                                   .watermark = watermark_of(c, spec),
                                   .threads = (uint32_t)spec->threads,
                                   .finding = on_finding,
                                   .unchecked = on_unchecked,
                                   .progress = on_progress,
                                   .arg = &job};
    memcpy(o.expect_root, c->expect_root, sizeof o.expect_root);
    findings_init(&job.findings, (size_t)c->max_findings);
    progress_init(&job.progress, c);
    int rc = spec->check(c->args[0], &o, &job.report, &err);
    progress_clear(&job.progress);
    int status;
    if (rc != 0) {
        status = cut_off(c, &job, rc, &err);
    } else {
        print(c, &job);
        status = exit_status(c, &job);
        if (spec->watermark && !job.report.watermark && !c->quiet)
            fail_note(c, "%sthe watermark stays as it was",
                      job.report.verdict ? "not clean: " : "");
    }
    findings_fini(&job.findings);
    return status;
}
