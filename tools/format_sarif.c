/*
 * format_sarif.c - SARIF 2.1.0: a rule for each verdict, a result for each
 * finding.  Fingerprints are made of origin, seq and verdict, not of places:
 * compaction and healing move lines.
 */
#include <stdio.h>
#include <string.h>

#include "format.h"
#include "out.h"

#define RESULTS_MAX 25000 /* what code scanning takes of one run */

static const char *level(int verdict)
{
    return verdict == PLOG_E_TORN || verdict == PLOG_E_BEHIND ? "warning"
                                                              : "error";
}

static void message(struct out *o, const char *name, const char *text)
{
    out_object(o, name);
    out_text(o, "text", text);
    out_end(o);
}

static void rule(struct out *o, int code, const char *id, const char *text)
{
    out_object(o, NULL);
    out_text(o, "id", id);
    message(o, "shortDescription", text);
    message(o, "help",
            "The manual of paritylog says what each verdict means, and each"
            " result what to run next.");
    out_object(o, "defaultConfiguration");
    out_text(o, "level", level(code));
    out_end(o);
    out_end(o);
}

static void rules(struct out *o, const struct plog_finding *stopped)
{
    out_array(o, "rules");
    for (size_t i = 0; i < report_rule_count; i++)
        rule(o, report_rules[i].verdict, report_rules[i].id,
             report_rules[i].text);
    if (stopped)
        rule(o, stopped->verdict, plog_code_word(stopped->verdict),
             plog_strerror(stopped->verdict));
    out_end(o);
}

static void tool(struct out *o, const struct plog_finding *stopped)
{
    out_object(o, "tool");
    out_object(o, "driver");
    out_text(o, "name", "paritylog");
    out_text(o, "version", PLOG_VERSION);
    rules(o, stopped);
    out_end(o);
    out_end(o);
}

/* DIR/FILE as a relative reference: everything but the plain characters is
 * escaped. */
static void uri(const struct report_view *v, const char *file, char *out,
                size_t cap)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
    char path[1200];
    size_t at = 0;
    snprintf(path, sizeof path, "%.900s/%.200s", v->dir, *file ? file : "log");
    for (const char *p = path; *p && at + 4 < cap; p++) {
        if (strchr(plain, *p))
            out[at++] = *p;
        else
            at += (size_t)snprintf(out + at, cap - at, "%%%02X",
                                   (unsigned)(unsigned char)*p);
    }
    out[at] = '\0';
}

static void location(struct out *o, const struct report_view *v,
                     const struct plog_finding *f)
{
    char where[4000];
    uri(v, f->file, where, sizeof where);
    out_array(o, "locations");
    out_object(o, NULL);
    out_object(o, "physicalLocation");
    out_object(o, "artifactLocation");
    out_text(o, "uri", where);
    out_end(o);
    if (f->has_offset) {
        out_object(o, "region");
        out_uint(o, "byteOffset", f->offset);
        out_end(o);
    }
    out_end(o);
    out_end(o);
    out_end(o);
}

static void result(struct out *o, const struct report_view *v,
                   const struct plog_finding *f)
{
    char text[1000], print[400];
    format_message(f, text, sizeof text);
    snprintf(print, sizeof print, "%.255s/%llu/%s", v->report->origin,
             (unsigned long long)f->seq, plog_code_word(f->verdict));
    out_object(o, NULL);
    out_text(o, "ruleId", plog_code_word(f->verdict));
    out_text(o, "level", level(f->verdict));
    message(o, "message", text);
    location(o, v, f);
    out_object(o, "partialFingerprints");
    out_text(o, "originSeqVerdict/v1", print);
    out_end(o);
    out_end(o);
}

static void pending(struct out *o, const struct plog_check_report *r)
{
    if (r->pending == 0)
        return;
    out_object(o, "pending");
    out_uint(o, "entries", r->pending);
    out_uint(o, "seq", r->pending_at);
    out_end(o);
}

static void properties(struct out *o, const struct report_view *v)
{
    const struct plog_check_report *r = v->report;
    const struct findings *f = v->findings;
    out_object(o, "properties");
    out_text(o, "verdict", plog_code_word(r->verdict));
    out_text(o, "origin", r->origin);
    out_uint(o, "size", r->head.size);
    out_hash(o, "root", r->head.root);
    out_bool(o, "pinned", r->pinned);
    out_uint(o, "entries", r->entries);
    out_uint(o, "records", r->records);
    out_object(o, "counts");
    for (int i = 1; i < PLOG_VERDICTS; i++)
        if (r->counts[i])
            out_uint(o, plog_code_word(-i), r->counts[i]);
    out_end(o);
    pending(o, r);
    out_array(o, "unchecked");
    for (size_t i = 0; i < f->range_count; i++) {
        out_object(o, NULL);
        out_text(o, "leg", plog_leg_name(f->ranges[i].leg));
        out_uint(o, "from", f->ranges[i].from);
        out_uint(o, "to", f->ranges[i].to);
        out_text(o, "why", f->ranges[i].why);
        out_end(o);
    }
    out_end(o);
    out_end(o);
}

void format_sarif(const struct report_view *v)
{
    struct out o;
    out_init(&o, stdout);
    out_object(&o, NULL);
    out_text(&o, "$schema",
             "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/"
             "schemas/sarif-schema-2.1.0.json");
    out_text(&o, "version", "2.1.0");
    out_array(&o, "runs");
    out_object(&o, NULL);
    tool(&o, v->stopped);
    out_array(&o, "invocations");
    out_object(&o, NULL);
    out_bool(&o, "executionSuccessful", !v->stopped);
    out_uint(&o, "exitCode", (uint64_t)plog_exit_status(v->report->verdict));
    out_end(&o);
    out_end(&o);
    out_array(&o, "results");
    for (size_t i = 0; i < v->findings->count && i < RESULTS_MAX; i++)
        result(&o, v, &v->findings->list[i]);
    if (v->stopped)
        result(&o, v, v->stopped);
    out_end(&o);
    properties(&o, v);
    out_end(&o);
    out_end(&o);
    out_end(&o);
}
