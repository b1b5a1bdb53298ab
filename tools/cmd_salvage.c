/* cmd_salvage.c - paritylog salvage: what can still be read of a log. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "fail.h"
#include "new_file.h"
#include "out.h"
#include "progress.h"
#include "text.h"

/* A range as the library tells it, kept until it is printed. */
struct range {
    char file[264], why[200], quarantine[128]; /* as struct plog_mended */
    bool has_bytes, healed;
    uint64_t begin, end, from, to;
};

struct salvage {
    struct cli *c;
    struct progress progress;
    struct new_file out; /* not open: nothing is exported */
    struct range *ranges;
    size_t count, kept; /* of all; of those that are shown */
    bool no_memory;     /* for one more of them */
};

static int on_progress(void *arg, const struct plog_progress *p)
{
    struct salvage *s = arg;
    return progress_tick(&s->progress, p);
}

static int on_line(void *arg, const char *line, size_t len, bool proven)
{
    struct salvage *s = arg;
    (void)proven;
    struct new_file *f = &s->out;
    return f->f && (new_file_write(f, line, len) || new_file_write(f, "\n", 1));
}

static int on_range(void *arg, const struct plog_salvaged *what)
{
    struct salvage *s = arg;
    s->count++;
    if (s->kept >= s->c->max_findings)
        return 0;
    struct range *grown = realloc(s->ranges, (s->kept + 1) * sizeof *grown);
    s->no_memory = !grown;
    if (!grown)
        return 1;
    s->ranges = grown;
    struct range *r = &s->ranges[s->kept++];
    memset(r, 0, sizeof *r);
    snprintf(r->file, sizeof r->file, "%s", what->file);
    snprintf(r->why, sizeof r->why, "%.190s", what->why);
    snprintf(r->quarantine, sizeof r->quarantine, "%s", what->quarantine);
    r->has_bytes = what->has_bytes;
    r->healed = what->healed;
    r->begin = what->begin;
    r->end = what->end;
    r->from = what->from;
    r->to = what->to;
    return 0;
}

static void range_json(struct out *o, const struct range *r)
{
    out_object(o, NULL);
    out_text(o, "file", r->file);
    if (r->has_bytes) {
        out_uint(o, "begin", r->begin);
        out_uint(o, "end", r->end);
    } else {
        out_null(o, "begin");
        out_null(o, "end");
    }
    out_uint(o, "from", r->from);
    out_uint(o, "to", r->to);
    out_bool(o, "healed", r->healed);
    out_text_or_null(o, "why", r->why);
    out_text_or_null(o, "quarantine", r->quarantine);
    out_end(o);
}

/* The way on for what neither leg proves, or was only read; NULL: nothing is
 * left, or it is a plan. */
static const char *next_for_left(const struct plog_salvage_report *r,
                                 bool from_store)
{
    if (r->verdict == PLOG_E_FORK)
        return "keep a copy of DIR; no file brings two histories together;"
               " ways on: FORK in paritylog(1)";
    if (r->left && r->verdict == PLOG_E_ROLLBACK)
        return "put back a newer log/ from a copy; without one: paritylog"
               " parity DIR, and what the store still proves: paritylog rebuild"
               " DIR --log --out NEW";
    if (r->left)
        return "bring what is left as it is back from a copy of the log"
               " (orders/, too, where an order is missing); what lies before"
               " it: paritylog rebuild DIR --store --out NEW";
    if (r->verdict == PLOG_E_PRUNED)
        return "the store ends before the log begins; one of the log: paritylog"
               " replay DIR --fresh";
    if (r->verdict && !(from_store && r->dry_run))
        return "paritylog parity DIR says what mends each finding";
    return NULL;
}

/* ... and where nobody knows of payloads; NULL: that is known. */
static const char *next_for_pending(const struct plog_salvage_report *r)
{
    if (r->pending_code == 0)
        return NULL;
    return r->pending_code == PLOG_E_LOCKED
               ? "end what uses store.db, and run it again"
           : r->pending_code == PLOG_E_IO
               ? "see that it can be read, or move it out of DIR where it lies"
                 " in quarantine/, and run it again"
               : "paritylog replay DIR --fresh: to a new store all redactions"
                 " are pending, and the next opening for writing takes their"
                 " payloads out";
}

static void next_json(struct out *o, const struct plog_salvage_report *r,
                      bool from_store)
{
    char both[600];
    const char *left = next_for_left(r, from_store);
    const char *pending = next_for_pending(r);
    snprintf(both, sizeof both, "%s; then %s", left ? left : "",
             pending ? pending : "");
    out_text_or_null(o, "next",
                     left && pending ? both
                     : left          ? left
                     : pending       ? pending
                                     : "");
}

static void print_json(const struct salvage *s,
                       const struct plog_salvage_report *r, bool from_store)
{
    struct out o;
    out_init(&o, stdout);
    out_object(&o, NULL);
    out_text(&o, "schema", "paritylog/salvage/1");
    out_text(&o, "verdict", plog_code_word(r->verdict));
    out_bool(&o, "dry_run", r->dry_run);
    out_head(&o, &r->head);
    out_object(&o, "intact");
    out_uint(&o, "groups", r->groups);
    out_uint(&o, "entries", r->entries);
    out_uint(&o, "unproven", r->unproven);
    out_end(&o);
    out_object(&o, "unusable");
    out_uint(&o, "ranges", r->ranges);
    out_uint(&o, "bytes", r->bytes);
    out_end(&o);
    out_object(&o, "healed");
    out_uint(&o, "segments", r->healed);
    out_uint(&o, "entries", r->from_store);
    out_uint(&o, "left", r->left);
    out_end(&o);
    if (r->pending_code)
        out_null(&o, "pending");
    else
        out_uint(&o, "pending", r->pending);
    out_text_or_null(&o, "pending_why", r->pending_why);
    out_array(&o, "ranges");
    for (size_t i = 0; i < s->kept; i++)
        range_json(&o, &s->ranges[i]);
    out_end(&o);
    next_json(&o, r, from_store);
    out_double(&o, "seconds", r->seconds);
    out_end(&o);
}

static void range_text(const struct range *r, bool from_store)
{
    text_safe(stdout, r->file, strlen(r->file));
    printf(": ");
    if (from_store)
        printf(r->healed ? "healed" : "left as it is");
    else if (r->has_bytes)
        printf("bytes %llu to %llu cannot be used",
               (unsigned long long)r->begin, (unsigned long long)r->end);
    else
        printf("missing");
    if (r->from)
        printf(", entries from %llu", (unsigned long long)r->from);
    if (r->to)
        printf(" to %llu", (unsigned long long)r->to);
    if (r->why[0]) {
        printf(": ");
        text_safe(stdout, r->why, strlen(r->why));
    }
    if (r->quarantine[0])
        printf("; kept in ");
    text_safe(stdout, r->quarantine, strlen(r->quarantine));
    putchar('\n');
}

static void print_pending(const struct plog_salvage_report *r)
{
    if (r->pending_code) {
        printf("pending    unknown: %s",
               r->pending_code == PLOG_E_IO ? "" : "store.db: ");
        text_safe(stdout, r->pending_why, strlen(r->pending_why));
        printf("\nnext       %s\n", next_for_pending(r));
    } else if (r->pending)
        printf("pending    %llu redacted entries: a payload may have come back"
               " with a file; the next opening for writing takes it out\n",
               (unsigned long long)r->pending);
}

static void print_text(const struct salvage *s,
                       const struct plog_salvage_report *r, bool from_store)
{
    printf("%s\n", plog_code_word(r->verdict));
    if (r->dry_run)
        printf("dry run, nothing changed\n");
    for (size_t i = 0; i < s->kept; i++)
        range_text(&s->ranges[i], from_store);
    if (s->count > s->kept)
        printf("and %zu more\n", s->count - s->kept);
    if (from_store)
        printf("healed     %llu segments, %llu entries from the store; %llu"
               " left as they are\n",
               (unsigned long long)r->healed, (unsigned long long)r->from_store,
               (unsigned long long)r->left);
    if (!from_store)
        printf("intact     %llu entries in %llu groups (%llu behind damage, not"
               " proven); %llu ranges of %llu bytes cannot be used\n",
               (unsigned long long)r->entries, (unsigned long long)r->groups,
               (unsigned long long)r->unproven, (unsigned long long)r->ranges,
               (unsigned long long)r->bytes);
    if (next_for_left(r, from_store))
        printf("next       %s\n", next_for_left(r, from_store));
    print_pending(r);
}

/* What was read may be all that the disk still gives: no error takes it. */
static int end_file(struct salvage *s, bool all, int rc, struct plog_error *err)
{
    char *left;
    const char *lines = all ? "all lines that can be read"
                            : "the lines that were read before the error";
    rc = new_file_keep(&s->out, all, rc, &left, err);
    progress_clear(&s->progress);
    if (left)
        fail_note(s->c, "%s are in %s", lines, left);
    else if (rc && s->out.named)
        fail_note(s->c, "%s are in %s", lines, s->out.path);
    free(left);
    return rc;
}

int cmd_salvage(struct cli *c, int argc, char **argv)
{
    struct salvage s = {.c = c};
    struct plog_salvage_report report = {.verdict = 0};
    struct plog_salvage_options o = {.struct_size = sizeof o,
                                     .io = cli_io(),
                                     .line = on_line,
                                     .range = on_range,
                                     .progress = on_progress,
                                     .arg = &s};
    const char *out = NULL;
    const struct cli_option own[] = {
        {"from-store", CLI_FLAG, &o.from_store, 0, 0},
        {"out", CLI_TEXT, &out, 0, 0}};
    const struct cli_spec spec = {CLI_KEY | CLI_DRY_RUN | CLI_MAX_FINDINGS |
                                      CLI_NETWORK_FS,
                                  own, CLI_COUNT(own), 1, 1};
    struct plog_error err = {.code = 0};

    int status = cli_parse(c, argc, argv, &spec);
    if (status >= 0)
        return status;
    if (out && o.from_store)
        return fail_usage(c, "--out goes with reading, not with --from-store");
    if (out && c->dry_run)
        return fail_usage(c, "--out writes a file, and --dry-run changes "
                             "nothing: give one of them");
    o.vkey = c->vkey;
    o.wait_seconds = c->wait;
    o.allow_network_fs = c->network_fs_ok;
    o.dry_run = c->dry_run;
    progress_init(&s.progress, c);
    int rc = out ? new_file_open(&s.out, c->args[0], out, 0600, &err) : 0;
    if (!rc) {
        rc = plog_salvage(c->args[0], &o, &report, &err);
        rc = end_file(&s, report.all_read, rc, &err);
    }
    if (s.no_memory)
        rc = fail_set(&err, PLOG_E_NOMEM, "out of memory for the ranges");
    if (rc == 0 && c->json)
        print_json(&s, &report, o.from_store);
    else if (rc == 0)
        print_text(&s, &report, o.from_store);
    free(s.ranges);
    return rc ? fail(c, rc, &err, NULL) : plog_exit_status(report.verdict);
}
