/* report.c - see report.h. */
#include "report.h"

#include <stdio.h>
#include <string.h>

#include "fail.h"
#include "progress.h"

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

/* ---- Saying it ---------------------------------------------------------- */

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
        .schema = job->spec->schema,
        .watermark = job->spec->watermark != NULL,
        .report = &job->report,
        .findings = &job->findings,
        .cut_off = job->cut_off,
        .stopped = job->stopped.verdict ? &job->stopped : NULL};
    switch (job->spec->format) {
    case REPORT_TEXT:
        format_text(&view);
        break;
    case REPORT_JSON:
        format_json(&view);
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
           format_total(r) == r->counts[-PLOG_E_BEHIND] &&
           r->head.size - r->store_size <= job->spec->max_lag;
}

static bool lacks_pin(const struct job *job)
{
    return job->spec->require_pin && !job->report.pinned;
}

/* A missing pin is a finding, so that no report of any format is without it.
 * It comes behind damage alone. */
static int want_pin(struct job *job)
{
    const struct plog_finding f = {
        .verdict = PLOG_E_UNKNOWN_KEY,
        .leg = PLOG_LEG_LOG,
        .file = "keys",
        .expected = "a verifier key that is pinned",
        .found = "those in DIR alone",
        .next = "give the key that you know from elsewhere with --key VKEY"};
    struct plog_check_report *r = &job->report;
    if (!lacks_pin(job))
        return 0;
    r->counts[-f.verdict]++;
    if (plog_exit_status(r->verdict) != plog_exit_status(PLOG_E_TAMPERED))
        r->verdict = f.verdict;
    return findings_add(&job->findings, &f);
}

static int exit_status(struct cli *c, const struct job *job)
{
    struct plog_error err = {.code = 0};
    int status = is_lag(job) ? 0 : plog_exit_status(job->report.verdict);
    if (!lacks_pin(job))
        return status;
    fail_set(&err, PLOG_E_KEY, "the verifier key is not pinned");
    snprintf(err.hint, sizeof err.hint,
             "give the key that you know from elsewhere with --key VKEY");
    fail(c, PLOG_E_KEY, &err, NULL);
    return status;
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
    if (rc == 0)
        rc = want_pin(&job);
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
