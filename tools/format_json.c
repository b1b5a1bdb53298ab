/* format_json.c - the report as one JSON document, docs/json. */
#include <stdio.h>

#include "format.h"
#include "out.h"

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

void format_json(const struct report_view *v)
{
    const struct plog_check_report *r = v->report;
    const struct findings *f = v->findings;
    struct out o;
    out_init(&o, stdout);
    out_object(&o, NULL);
    out_text(&o, "schema", v->schema);
    out_text(&o, "verdict", plog_code_word(r->verdict));
    out_text_or_null(&o, "origin", r->origin);
    out_bool(&o, "pinned", r->pinned);
    out_text_or_null(&o, "vkey", r->vkey);
    out_head(&o, &r->head);
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
    if (v->watermark)
        out_bool(&o, "watermark", r->watermark);
    unchecked_json(&o, f);
    out_array(&o, "findings");
    for (size_t i = 0; i < f->count; i++)
        finding_json(&o, &f->list[i]);
    out_end(&o);
    out_double(&o, "seconds", r->seconds);
    out_end(&o);
}
