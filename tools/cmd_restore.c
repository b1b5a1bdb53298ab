/* cmd_restore.c - paritylog restore: a log as it was, elsewhere. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "fail.h"
#include "out.h"
#include "proc.h"
#include "progress.h"
#include "text.h"

static void put_head(struct out *o, const char *name, const struct plog_head *h)
{
    out_object(o, name);
    out_uint(o, "size", h->size);
    out_hash(o, "root", h->root);
    out_end(o);
}

static void print_json(const struct plog_restore_report *r, const char *out)
{
    struct out o;
    out_init(&o, stdout);
    out_object(&o, NULL);
    out_text(&o, "schema", "paritylog/restore/1");
    out_text_or_null(&o, "out", out);
    out_bool(&o, "dry_run", r->dry_run);
    out_text(&o, "origin", r->origin);
    put_head(&o, "source", &r->source);
    put_head(&o, "head", &r->head);
    out_text(&o, "logged_at", r->logged_at);
    out_uint(&o, "left_out", r->left_out);
    out_uint(&o, "floor", r->floor);
    out_uint(&o, "segments", r->segments);
    out_uint(&o, "bytes", r->bytes);
    out_bool(&o, "adopted", r->adopted);
    if (r->vkey[0]) {
        put_head(&o, "continued", &r->continued);
        out_text(&o, "vkey", r->vkey);
    }
    out_double(&o, "seconds", r->seconds);
    out_end(&o);
}

static void print_text(const struct plog_restore_report *r)
{
    char root[TEXT_BASE64(PLOG_HASH_SIZE)];
    text_base64(r->head.root, PLOG_HASH_SIZE, root);
    if (r->dry_run)
        printf("dry run, nothing written\n");
    printf("head: size %llu, root %s\n", (unsigned long long)r->head.size,
           root);
    printf("logged at ");
    text_safe(stdout, r->logged_at, strlen(r->logged_at));
    printf("; %llu entries left out, %llu segments, %llu bytes; %.2f s\n",
           (unsigned long long)r->left_out, (unsigned long long)r->segments,
           (unsigned long long)r->bytes, r->seconds);
    if (r->vkey[0])
        printf("it goes on from size %llu under a key of its own:\n%s\n",
               (unsigned long long)r->continued.size, r->vkey);
    else if (!r->dry_run)
        printf(r->adopted
                   ? "the signing key went along: stop using the original\n"
                   : "no signing key went along: it refuses appends\n");
}

/* A number is a seq, anything else a time. */
static void read_point(const char *at, struct plog_restore_options *o)
{
    if (at && !text_read_number(at, &o->at_seq))
        o->at_time = at;
}

int cmd_restore(struct cli *c, int argc, char **argv)
{
    struct progress progress;
    struct plog_restore_report report = {.dry_run = false};
    struct plog_restore_options o = {.struct_size = sizeof o,
                                     .io = cli_io(),
                                     .progress = progress_tick,
                                     .arg = &progress};
    const char *out = NULL, *at = NULL;
    const struct cli_option own[] = {
        {"out", CLI_TEXT, &out, 0, 0},
        {"at", CLI_TEXT, &at, 0, 0},
        {"adopt", CLI_HEAD, c, 0, 0},
        {"continue-as", CLI_TEXT, &o.continue_as, 0, 0}};
    const struct cli_spec spec = {CLI_KEY | CLI_DRY_RUN | CLI_NETWORK_FS |
                                      CLI_PASSPHRASE,
                                  own, CLI_COUNT(own), 1, 1};
    struct plog_error err = {.code = 0};

    int status = cli_parse(c, argc, argv, &spec);
    if (status >= 0)
        return status;
    if (!out && !c->dry_run)
        return fail_usage(c, "--out NEWDIR is missing");
    read_point(at, &o);
    if (at && !o.at_time && o.at_seq == 0)
        return fail_usage(c, "--at: entries are counted from 1");
    o.vkey = c->vkey;
    o.wait_seconds = c->wait;
    o.allow_network_fs = c->network_fs_ok;
    o.dry_run = c->dry_run;
    o.adopt = c->has_expect_head;
    o.adopt_size = c->expect_size;
    memcpy(o.adopt_root, c->expect_root, sizeof o.adopt_root);
    if (o.continue_as && o.adopt)
        return fail_usage(c, "--continue-as and --adopt exclude each other");
    if (c->passphrase_file && !o.continue_as && !o.adopt)
        return fail_usage(c, "--passphrase-file is for --continue-as and"
                             " --adopt");
    if (o.continue_as || o.adopt)
        proc_no_core();
    struct cli_secret secret = {.given = false};
    int rc = cli_secret_read(c, &secret, &err);
    o.passphrase = secret.given ? secret.text : NULL;
    progress_init(&progress, c);
    if (rc == 0)
        rc = plog_restore(c->args[0], out, &o, &report, &err);
    progress_clear(&progress);
    cli_secret_wipe(&secret);
    if (rc != 0)
        return fail(c, rc, &err, NULL);
    if (c->json)
        print_json(&report, out);
    else
        print_text(&report);
    return 0;
}
