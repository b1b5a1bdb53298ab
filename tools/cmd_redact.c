/* cmd_redact.c - paritylog redact: removes a payload and keeps its proof. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "fail.h"
#include "out.h"
#include "paritylog_recovery.h"
#include "proc.h"
#include "text.h"

/* ---- The list ----------------------------------------------------------- */

struct listing {
    struct cli *c;
    struct out_list list;
};

static void say(const char *before, struct plog_span text)
{
    fputs(before, stdout);
    text_safe(stdout, text.p ? text.p : "", text.n);
}

static int list_one(void *arg, const struct plog_redaction *r)
{
    struct listing *l = arg;
    if (!l->c->json) {
        printf("%llu", (unsigned long long)r->seq);
        say("  ", r->resource);
        say(" ", r->record_id);
        printf("\n    by entry %llu", (unsigned long long)r->order);
        if (r->logged_at.n)
            say(" of ", r->logged_at);
        say(": ", r->reason);
        puts(r->pending ? "\n    pending: copies of the payload may be left"
                        : "");
        return 0;
    }
    struct out *o = out_list_row(&l->list);
    out_object(o, NULL);
    out_uint(o, "seq", r->seq);
    out_uint(o, "order", r->order);
    out_span(o, "resource", r->resource.p, r->resource.n);
    out_span(o, "record_id", r->record_id.p, r->record_id.n);
    out_span(o, "reason", r->reason.p, r->reason.n);
    out_span(o, "logged_at", r->logged_at.p, r->logged_at.n);
    out_bool(o, "pending", r->pending);
    out_end(o);
    return 0;
}

static int list(struct cli *c)
{
    struct plog_error err = {.code = 0};
    struct plog_options o;
    struct listing l = {.c = c};
    cli_options(c, &o);
    out_list_init(&l.list, "paritylog/redactions/1", "redactions");
    int rc = plog_redactions(c->args[0], &o, list_one, &l, &err);
    if (c->json && rc == 0)
        out_list_end(&l.list);
    return rc != 0 ? fail(c, rc, &err, NULL) : 0;
}

/* ---- One entry ---------------------------------------------------------- */

static void print_json(const struct cli *c, const struct plog_redact_report *r)
{
    struct out o;
    out_init(&o, stdout);
    out_object(&o, NULL);
    out_text(&o, "schema", "paritylog/redact/1");
    out_bool(&o, "dry_run", c->dry_run);
    out_uint(&o, "seq", r->seq);
    if (r->order)
        out_uint(&o, "order", r->order);
    else
        out_null(&o, "order");
    out_hash(&o, "leaf", r->leaf);
    out_bool(&o, "already", r->already);
    out_uint(&o, "segments", r->segments);
    out_uint(&o, "quarantine", r->quarantine);
    out_object(&o, "merged");
    out_uint(&o, "count", r->merged);
    if (r->merged)
        out_uint(&o, "first", r->merged_first);
    else
        out_null(&o, "first");
    out_end(&o);
    out_uint(&o, "aside", r->aside);
    out_double(&o, "seconds", r->seconds);
    out_end(&o);
}

static void print_text(const struct cli *c, const struct plog_redact_report *r)
{
    unsigned long long seq = r->seq, order = r->order;
    if (r->already)
        printf("entry %llu was redacted already, by entry %llu\n", seq, order);
    else if (c->dry_run)
        printf("dry run, nothing changed: the payload of entry %llu would be"
               " removed\n",
               seq);
    else
        printf("redacted entry %llu, by entry %llu\n", seq, order);
    if (r->segments || r->quarantine)
        printf(
            "replaced %llu segments of the log, changed or removed %llu files"
            " in quarantine/\n",
            (unsigned long long)r->segments, (unsigned long long)r->quarantine);
    if (r->aside)
        printf("%llu files in archive/ and snapshots/ that are not of this log"
               " as it is went to quarantine/\n",
               (unsigned long long)r->aside);
    if (r->merged)
        printf("%llu later entries of the record hold a merged payload, which"
               " may repeat some of it: the first is %llu\n",
               (unsigned long long)r->merged,
               (unsigned long long)r->merged_first);
    puts("out of reach: peers, backups, restored copies, free blocks of the"
         " disk");
}

static int one(struct cli *c, uint64_t seq, const char *reason)
{
    struct plog_error err = {.code = 0};
    struct plog_redact_report report;
    struct cli_secret secret = {.given = false};
    struct plog_redact_options o = {.struct_size = sizeof o,
                                    .io = cli_io(),
                                    .wait_seconds = c->wait,
                                    .vkey = c->vkey,
                                    .reason = reason,
                                    .dry_run = c->dry_run};
    proc_no_core();
    int rc = cli_secret_read(c, &secret, &err);
    o.passphrase = secret.given ? secret.text : NULL;
    if (rc == 0)
        rc = plog_redact(c->args[0], seq, &o, &report, &err);
    cli_secret_wipe(&secret);
    if (rc != 0)
        return fail(c, rc, &err, NULL);
    if (c->json)
        print_json(c, &report);
    else
        print_text(c, &report);
    return 0;
}

int cmd_redact(struct cli *c, int argc, char **argv)
{
    const char *reason = NULL;
    bool lists = false;
    uint64_t seq = 0;
    const struct cli_option own[] = {{"reason", CLI_TEXT, &reason, 0, 0},
                                     {"list", CLI_FLAG, &lists, 0, 0}};
    const struct cli_spec spec = {CLI_KEY | CLI_PASSPHRASE | CLI_DRY_RUN, own,
                                  CLI_COUNT(own), 1, 2};
    int status = cli_parse(c, argc, argv, &spec);
    if (status >= 0)
        return status;
    if (lists && c->arg_count == 1) {
        status =
            cli_without(c, "redact --list", "reason dry-run passphrase-file");
        return status >= 0 ? status : list(c);
    }
    if (lists || c->arg_count != 2)
        return fail_usage(c, "redact takes DIR and SEQ, or DIR and --list");
    if (!text_read_number(c->args[1], &seq) || seq == 0)
        return fail_usage(c, "SEQ is a number from 1, not '%s'", c->args[1]);
    if (!reason)
        return fail_usage(c, "redact needs --reason TEXT: it is signed into the"
                             " log");
    return one(c, seq, reason);
}
