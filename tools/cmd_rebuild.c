/* cmd_rebuild.c - paritylog rebuild: one leg from the other, elsewhere. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "fail.h"
#include "out.h"
#include "progress.h"
#include "text.h"

static void print_json(const struct plog_rebuild_report *r, const char *leg,
                       const char *out, bool install)
{
    struct out o;
    out_init(&o, stdout);
    out_object(&o, NULL);
    out_text(&o, "schema", "paritylog/rebuild/1");
    out_text(&o, "leg", leg);
    out_text_or_null(&o, "out", out);
    out_bool(&o, "dry_run", r->dry_run);
    if (install)
        out_bool(&o, "installed", !r->dry_run && !r->verdict);
    else
        out_null(&o, "installed");
    out_text(&o, "verdict", plog_code_word(r->verdict));
    if (r->verdict) {
        out_object(&o, "missing");
        out_uint(&o, "from", r->missing_from);
        out_uint(&o, "to", r->missing_to);
        out_text(&o, "why", r->why);
        out_end(&o);
    } else
        out_null(&o, "missing");
    out_text(&o, "origin", r->origin);
    out_head(&o, &r->head);
    out_uint(&o, "entries", r->entries);
    out_uint(&o, "segments", r->segments);
    out_uint(&o, "bytes", r->bytes);
    out_text_or_null(&o, "quarantine", r->quarantine);
    out_uint(&o, "own_tables", r->own_tables);
    out_double(&o, "seconds", r->seconds);
    out_end(&o);
}

/* A leg is replaced by a whole one only. */
static void not_installed(const char *leg)
{
    printf("next       nothing was changed; mend the other leg first"
           " (paritylog parity DIR), or have what comes out of it: paritylog"
           " rebuild DIR --%s --out NEW\n",
           leg);
}

static void print_text(const struct plog_rebuild_report *r, const char *leg)
{
    char root[TEXT_BASE64(PLOG_HASH_SIZE)];
    text_base64(r->head.root, PLOG_HASH_SIZE, root);
    if (r->dry_run)
        printf("dry run, nothing written\n");
    printf("%s: the %s up to entry %llu, root %s",
           !r->verdict  ? "WHOLE"
           : r->refused ? "NOT INSTALLED"
                        : "IN PART",
           leg, (unsigned long long)r->head.size, root);
    if (r->segments)
        printf(", %llu segments", (unsigned long long)r->segments);
    printf("; %.2f s\n", r->seconds);
    if (r->verdict && !r->missing_from) {
        printf("%s: ", plog_code_word(r->verdict));
        text_safe(stdout, r->why, strlen(r->why));
        putchar('\n');
    }
    if (r->quarantine[0]) {
        printf("set aside  ");
        text_safe(stdout, r->quarantine, strlen(r->quarantine));
        putchar('\n');
    }
    if (r->own_tables)
        printf("%llu tables of your own left behind in the old store\n",
               (unsigned long long)r->own_tables);
    if (!r->missing_from && r->refused)
        printf("next       nothing was changed; paritylog parity DIR says what"
               " to do\n");
    if (!r->missing_from)
        return;
    printf("not rebuilt: entries from %llu on",
           (unsigned long long)r->missing_from);
    if (r->missing_to)
        printf(" to %llu", (unsigned long long)r->missing_to);
    printf(": %s: ", plog_code_word(r->verdict));
    text_safe(stdout, r->why, strlen(r->why));
    putchar('\n');
    if (r->refused)
        not_installed(leg);
}

int cmd_rebuild(struct cli *c, int argc, char **argv)
{
    struct progress progress;
    struct plog_rebuild_report report = {.verdict = 0};
    struct plog_rebuild_options o = {.struct_size = sizeof o,
                                     .io = cli_io(),
                                     .progress = progress_tick,
                                     .arg = &progress};
    bool store = false, log = false;
    const char *out = NULL;
    const struct cli_option own[] = {{"store", CLI_FLAG, &store, 0, 0},
                                     {"log", CLI_FLAG, &log, 0, 0},
                                     {"out", CLI_TEXT, &out, 0, 0},
                                     {"install", CLI_FLAG, &o.install, 0, 0}};
    const struct cli_spec spec = {CLI_KEY | CLI_DRY_RUN | CLI_NETWORK_FS, own,
                                  CLI_COUNT(own), 1, 1};
    struct plog_error err = {.code = 0};

    int status = cli_parse(c, argc, argv, &spec);
    if (status >= 0)
        return status;
    if (store == log)
        return fail_usage(c, "give one of --store and --log");
    if (out && o.install)
        return fail_usage(c, "give one of --out and --install");
    if (!out && !o.install && !c->dry_run)
        return fail_usage(c, "--out PATH or --install is missing");
    o.vkey = c->vkey;
    o.wait_seconds = c->wait;
    o.allow_network_fs = c->network_fs_ok;
    o.dry_run = c->dry_run;
    progress_init(&progress, c);
    int rc = log ? plog_rebuild_log(c->args[0], out, &o, &report, &err)
                 : plog_rebuild_store(c->args[0], out, &o, &report, &err);
    progress_clear(&progress);
    if (rc != 0)
        return fail(c, rc, &err, NULL);
    if (c->json)
        print_json(&report, log ? "log" : "store", out, o.install);
    else
        print_text(&report, log ? "log" : "store");
    return plog_exit_status(report.verdict);
}
