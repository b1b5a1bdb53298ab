/* cmd_drill.c - paritylog drill: a restore that is only a rehearsal. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "fail.h"
#include "out.h"
#include "progress.h"
#include "text.h"

static void print_json(const struct plog_drill_report *r)
{
    struct out o;
    out_init(&o, stdout);
    out_object(&o, NULL);
    out_text(&o, "schema", "paritylog/drill/1");
    out_bool(&o, "ok", r->verdict == 0);
    out_text(&o, "verdict", plog_code_word(r->verdict));
    out_text_or_null(&o, "what", r->what);
    out_text(&o, "origin", r->restore.origin);
    out_head(&o, &r->restore.head);
    out_uint(&o, "records", r->records);
    out_uint(&o, "segments", r->restore.segments);
    out_uint(&o, "bytes", r->restore.bytes);
    out_object(&o, "took");
    out_double(&o, "restore", r->restore_seconds);
    out_double(&o, "parity", r->parity_seconds);
    out_double(&o, "compare", r->compare_seconds);
    out_double(&o, "all", r->seconds);
    out_end(&o);
    out_end(&o);
}

static void print_text(const struct plog_drill_report *r)
{
    printf("%s\n", plog_code_word(r->verdict));
    if (r->verdict) {
        printf("the restored copy is not the original: ");
        text_safe(stdout, r->what, strlen(r->what));
        putchar('\n');
    }
    printf("restored   %llu entries, %llu records, %llu segments in %.2f s\n",
           (unsigned long long)r->restore.head.size,
           (unsigned long long)r->records,
           (unsigned long long)r->restore.segments, r->restore_seconds);
    printf("parity     %.2f s\ncompared   %.2f s\nall of it  %.2f s\n",
           r->parity_seconds, r->compare_seconds, r->seconds);
}

int cmd_drill(struct cli *c, int argc, char **argv)
{
    struct progress progress;
    struct plog_drill_report report = {.verdict = 0};
    struct plog_drill_options o = {.struct_size = sizeof o,
                                   .io = cli_io(),
                                   .progress = progress_tick,
                                   .arg = &progress};
    const struct cli_option own[] = {{"scratch", CLI_TEXT, &o.scratch, 0, 0}};
    const struct cli_spec spec = {CLI_KEY, own, CLI_COUNT(own), 1, 1};
    struct plog_error err = {.code = 0};

    int status = cli_parse(c, argc, argv, &spec);
    if (status >= 0)
        return status;
    o.vkey = c->vkey;
    o.wait_seconds = c->wait;
    progress_init(&progress, c);
    int rc = plog_drill(c->args[0], &o, &report, &err);
    progress_clear(&progress);
    if (rc != 0)
        return fail(c, rc, &err, NULL);
    if (c->json)
        print_json(&report);
    else
        print_text(&report);
    return plog_exit_status(report.verdict);
}
